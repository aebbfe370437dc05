//  storewriter - the writes of one store, run in order on a thread of their own
//
//  Who decides goes on deciding while what follows from it is written. The caller's thread puts writes; they are copied
//  onto a tape of at most STOREWRITER_TAPE bytes, handed over by storewriter_flush (or when it is full, then waiting for
//  the one before). The connection and its statements belong to the writing thread, but for the time between
//  storewriter_settle and the next put: then they are the caller's, to ask or to run what has no statement here.
//
//  The first write that fails is the last: one line on stderr with its label, what was put after it is dropped, and every
//  later call says -1. The transaction it was in stays open and is never committed by this thread.

#ifndef STOREWRITER_H_INCLUDED
#define STOREWRITER_H_INCLUDED

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sqlite3.h>

#define STOREWRITER_TAPE (1u << 20) //  bytes; two of them at most

//  Numbers below any statement's: the transaction's ends.
enum { STOREWRITER_BEGIN = -1, STOREWRITER_COMMIT = -2 };

typedef struct storewriter_t storewriter_t;

//  The connection and the `count` statements stay the owner's, which closes them after destroy.
storewriter_t *storewriter_new (sqlite3 *db, sqlite3_stmt *const *statements, int count);
//  Writes what was put, then ends the thread.
void storewriter_destroy (storewriter_t **self_p);

//  Puts one run of statement number `statement` with values as store_bind takes them ("isbtn"), all copied. A leading '1'
//  in `types` means that exactly one row must change. `label` is what the error line names, a log position for example.
//  0, or -1 when an earlier write has failed.
int storewriter_put (storewriter_t *self, int statement, uint64_t label, const char *types, ...);
int storewriter_vput (storewriter_t *self, int statement, uint64_t label, const char *types, va_list args);

//  Lets the thread begin with what was put, when it holds a commit or is `least` bytes or more, and the thread is not busy:
//  else a later call does. Waking the thread costs both of them; for a few writes it is not worth it.
void storewriter_flush (storewriter_t *self, size_t least);
//  Returns when all that was put is written. -1 if a write has failed.
int storewriter_settle (storewriter_t *self);
bool storewriter_failed (const storewriter_t *self);

#endif
