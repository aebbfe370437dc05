//  eventlog - the append-only log of records: the truth everything else follows from
//
//  Asynchronous: records are appended to the batch that is being filled; a committer thread syncs one batch at a
//  time and a new one starts as soon as the last is back, so batches grow with load by themselves. Completions come in order.
//  One failure fails all later tickets: the owner is to end (a failed sync is never tried again; pitfalls of fsync).
//
//  A position is (incarnation, seq). seq increases, gaps are allowed; restoring a backup begins a new incarnation. Nothing
//  inside a record holds its position. Two makers in mind: SQLite here, a replicated stream later.

#ifndef EVENTLOG_H_INCLUDED
#define EVENTLOG_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTLOG_RECORD_MAX 65536u
#define EVENTLOG_BATCH_MAX 4096u

typedef struct eventlog_t eventlog_t;

//  Opens or creates the log and starts its committer. NULL with one line on stderr.
eventlog_t *eventlog_open (const char *path);
//  Waits for the batch under way, drops what is only appended.
void eventlog_close (eventlog_t **self_p);

uint64_t eventlog_incarnation (const eventlog_t *self);
uint64_t eventlog_last (const eventlog_t *self); //  highest durable seq, 0 = empty

//  Adds a record to the batch being filled and returns its ticket (1, 2, ...). `record` is borrowed until
//  its completion has been taken. Returns 0 if the batch is full: take completions first.
uint64_t eventlog_append (eventlog_t *self, const uint8_t *record, size_t size, int64_t at_ms);
//  Adds a blob (content-addressed file) that becomes durable with, and before, the next record. Copied.
void eventlog_append_blob (eventlog_t *self, const uint8_t hash [32], const uint8_t *bytes, size_t size);
//  Hands the batch to the committer if it is idle.
void eventlog_kick (eventlog_t *self);

typedef struct {
    uint64_t first_ticket, last_ticket; //  of the batch
    uint64_t first_seq;                 //  position of first_ticket; the others follow one by one
    bool failed;                        //  nothing of it or after it is durable
    char reason [160];
} eventlog_done_t;

int eventlog_fd (const eventlog_t *self); //  readable when a completion waits
bool eventlog_done (eventlog_t *self, eventlog_done_t *done);
//  Blocks until everything appended is durable; false if it failed. For the one-shot commands.
bool eventlog_flush (eventlog_t *self, eventlog_done_t *last);

//  ---- reading: any number of readers, each with its own connection, one thread each

typedef struct eventlog_reader_t eventlog_reader_t;
eventlog_reader_t *eventlog_reader_open (const char *path);
void eventlog_reader_close (eventlog_reader_t **self_p);

//  Return false to stop. The bytes are borrowed for the call.
typedef bool (eventlog_record_fn) (void *context, uint64_t seq, int64_t at_ms, const uint8_t *record, size_t size);

//  Calls fn for at most max records after `after`, in order, in one short transaction. Returns how many, -1 on a failure or a record whose checksum is wrong.
int eventlog_read (eventlog_reader_t *self, uint64_t after, int max, eventlog_record_fn *fn, void *context);
//  One record. Returns its size, 0 if absent; *record is borrowed until the next call.
size_t eventlog_get (eventlog_reader_t *self, uint64_t seq, const uint8_t **record);
//  Highest seq whose log time is before at_ms, 0 if none (times never decrease).
uint64_t eventlog_before (eventlog_reader_t *self, int64_t at_ms);
uint64_t eventlog_reader_last (eventlog_reader_t *self);
uint64_t eventlog_reader_incarnation (eventlog_reader_t *self);
//  A blob, caller frees; NULL if absent.
uint8_t *eventlog_blob (eventlog_reader_t *self, const uint8_t hash [32], size_t *size);

//  Copies the whole log, consistently, into a new file; begins a new incarnation in a log that nobody has open. -1 with one line on stderr.
int eventlog_backup (eventlog_reader_t *self, const char *path);
int eventlog_begin_incarnation (const char *path);

#endif
