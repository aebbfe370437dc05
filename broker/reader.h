//  reader - the thread that answers queries and keeps the audit trail
//
//  Reads log and state through connections of its own, in pages, so that a long replay never holds up a tip. Every read of tips leaves one
//  hash-chained audit row, synced before the first answer; so does a live feed of more than one's own station.

#ifndef READER_H_INCLUDED
#define READER_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "audit.h"
#include "members.h"

typedef struct reader_t reader_t;

//  A copy of what the thread needs to know of who asks.
typedef struct {
    uint32_t session, device;
    uint64_t member;
    Patrol__Role role;
    char station [33];
    bool fresh; //  a new read: audit it
} asker_t;

typedef struct {
    uint32_t session;
    uint64_t cursor; //  of a last page
    bool last;       //  of this query
    bool watch;      //  no answer: the row of a watch is on disk (`last`), or cannot be written
    uint8_t *answer; //  packed Answer, the taker's (free)
    size_t size;
} reader_answer_t;

//  Members and core keys are needed to show pseudonyms: a second, read-only registry is made from state.db. NULL with one line on stderr.
reader_t *reader_open (const char *home, const box_keys_t *core_keys);
void reader_close (reader_t **self_p);

//  Queues a packed Query. State and log up to `durable` are committed by the caller before. -1 if too many wait.
int reader_ask (reader_t *self, const asker_t *asker, const uint8_t *query, size_t size);

//  Queues the audit row of a live feed that begins after log position `after`; nothing of it may go out before the answer says
//  that the row is on disk. -1 if too many wait.
int reader_watch (reader_t *self, const asker_t *asker, uint64_t after);

int reader_fd (const reader_t *self); //  readable when an answer waits
bool reader_next (reader_t *self, reader_answer_t *answer);

//  Rows in the audit trail and its head; copied under the lock.
void reader_audit_head (reader_t *self, uint64_t *rows, uint8_t hash [32]);

#endif
