//  audit - who read what: one row a read, each chained to the one before it
//
//  audit.db, WAL and synchronous=FULL: a row is on disk when append returns. A row's hash is BLAKE2b-256 over the hash of the row before (32 zeros
//  before the first), then, little endian: row number 8, time 8, member 8, role 4, and for station, officer, ask and detail their
//  length 4 and bytes. The core writes the head into the log every minute, so a tail that was cut off shows as well.

#ifndef AUDIT_H_INCLUDED
#define AUDIT_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct audit_t audit_t;

//  Opens or creates. NULL with one line on stderr.
audit_t *audit_open (const char *path);
void audit_close (audit_t **self_p);

typedef struct {
    int64_t at_ms;
    uint64_t member;
    uint32_t role;
    const char *station, *officer, *ask, *detail;
} audit_row_t;

//  0 once the row is on disk. -1 with one line on stderr: what was to be read is not to be shown. After anything but a full disk
//  every later call fails too.
int audit_append (audit_t *self, const audit_row_t *row);
//  Rows and the hash of the last one (zeros when there is none).
void audit_head (const audit_t *self, uint64_t *rows, uint8_t hash [32]);

//  Checks a whole chain, on a connection of its own. Returns rows, -1 with *reason (static) naming what is wrong and *bad_row where.
int64_t audit_verify (const char *path, uint8_t head [32], const char **reason, uint64_t *bad_row);
//  The hash of one row as it stands there. 1, 0 if there is no such row, -1 if the file cannot be read.
int audit_hash_at (const char *path, uint64_t row, uint8_t hash [32]);

//  Called for each row in order; all columns as stored. Return false to stop.
typedef bool (audit_row_fn) (void *context, uint64_t seq, const audit_row_t *row, const uint8_t hash [32]);
//  Returns rows, -1 if the file cannot be read.
int64_t audit_each (const char *path, audit_row_fn *fn, void *context);
//  Makes a chain file anew from rows that came out of audit_each: begin with a path that does not exist.
int audit_put (audit_t *self, uint64_t seq, const audit_row_t *row, const uint8_t hash [32]);

#endif
