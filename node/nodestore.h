//  nodestore - HOME/outbox.db: the node's one file, its schema, its transactions
//
//  Outbox and inbox own their tables in it. What came in together is committed together; nothing is answered or
//  acknowledged before nodestore_commit has returned 0.

#ifndef NODESTORE_H_INCLUDED
#define NODESTORE_H_INCLUDED

#include "store.h"

typedef struct nodestore_t nodestore_t;

//  Opens or creates the file. NULL with one line on stderr.
nodestore_t *nodestore_open (const char *path);
void nodestore_close (nodestore_t **self_p);

//  Begins a transaction unless one is open. 0 or -1.
int nodestore_begin (nodestore_t *self);
//  Returns 0 once everything since begin is on disk (or nothing was begun); -1 if it was rolled back: then
//  nothing of it has happened and what is kept in memory must be read again.
int nodestore_commit (nodestore_t *self);
void nodestore_rollback (nodestore_t *self);
bool nodestore_is_open (const nodestore_t *self);
//  After a failed commit: true if the disk is full and trying again later makes sense.
bool nodestore_was_full (const nodestore_t *self);

//  Single numbers that outlive the process: incarnation, feed_stored ... 0 when never set. Set needs a transaction.
int64_t nodestore_fact (nodestore_t *self, const char *name);
void nodestore_set_fact (nodestore_t *self, const char *name, int64_t value);

//  For the modules that own tables. Run is store_run for a statement that writes: a failure spoils the transaction,
//  so that half of a tip is never committed.
int nodestore_run (nodestore_t *self, sqlite3_stmt *statement);
sqlite3 *nodestore_db (nodestore_t *self);

#endif
