//  store - SQLite as we use it: pragmas checked, migrations, statements
//
//  One writing connection a file; a connection belongs to one thread at a time (it has no mutex of its own). Extended result codes are on. DQS off, defensive, trusted_schema off, no extensions.

#ifndef STORE_H_INCLUDED
#define STORE_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sqlite3.h>

typedef enum {
    STORE_FULL,   //  WAL, synchronous=FULL: what is committed survives a power cut
    STORE_NORMAL, //  WAL, synchronous=NORMAL: for projections that can be rebuilt
    STORE_READ    //  second, read-only connection: query_only, no checkpoints
} store_mode_t;

//  Opens or creates path (mode 0600), runs the steps after the stored user_version, each in its own
//  transaction. `steps` ends with NULL and only grows. NULL with one line on stderr if it cannot be used
//  (newer schema, not a database, pragmas refused, network filesystem).
sqlite3 *store_open (const char *path, store_mode_t mode, const char *const *steps);
void store_close (sqlite3 **db_p);

//  Prepares a persistent statement; ends the process on a mistake of ours in the SQL.
sqlite3_stmt *store_prepare (sqlite3 *db, const char *sql);

//  Runs SQL without results. Returns 0, or -1 with one line logged (the extended code's text).
int store_exec (sqlite3 *db, const char *sql);

//  Steps a statement that returns no rows, then resets it. 0 or -1 with one line logged.
int store_run (sqlite3_stmt *statement);
//  Steps for rows: 1 row, 0 done (reset), -1 failed (reset, logged).
int store_step (sqlite3_stmt *statement);

//  Binds "what" by position; s: NUL-terminated text (NULL = null), i: int64_t, b: const void *, size_t (blob, static until reset),
//  t: const void *, size_t (text with length), n: null. Example: store_bind (st, "isb", id, name, data, size).
void store_bind (sqlite3_stmt *statement, const char *types, ...);

int64_t store_int (sqlite3_stmt *statement, int column);
//  Copies a text column into out, cut to room - 1, always terminated.
void store_text (sqlite3_stmt *statement, int column, char *out, size_t room);

#endif
