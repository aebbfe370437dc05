//  storewriter - two tapes: one is filled by the caller while the other is played by the thread

#include "storewriter.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

//  A tape is a row of entries, each a head and its values: a type octet, then 8 octets of a number or 4 of a size and the bytes.
typedef struct {
    uint8_t *bytes;
    size_t used, room;
    bool commits; //  one entry is a commit
} tape_t;

typedef struct {
    uint64_t label;
    int32_t statement;
    uint16_t values;
    bool one_row;
} head_t;

struct storewriter_t {
    sqlite3 *db;
    sqlite3_stmt *const *statements;
    int count;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t given, played; //  a tape for the thread; the thread has none
    tape_t filled;                //  the caller's
    tape_t playing;               //  the thread's while `busy`, else empty
    bool busy, stop;              //  under the lock
    bool in_transaction;          //  the thread's
    atomic_bool failed;
};

//  ---- the thread's side

static const uint8_t *s_read (const uint8_t *at, void *out, size_t size)
{
    memcpy (out, at, size);
    return at + size;
}

//  The bytes stay in the tape until the statement has run.
static const uint8_t *s_bind_one (sqlite3_stmt *st, int position, const uint8_t *at, int *code)
{
    char type = (char)*at++;
    int64_t number;
    uint32_t size;
    switch (type) {
    case 'i':
        at = s_read (at, &number, sizeof number);
        *code = sqlite3_bind_int64 (st, position, number);
        return at;
    case 'n':
        *code = sqlite3_bind_null (st, position);
        return at;
    default:
        at = s_read (at, &size, sizeof size);
        *code = type == 'b' ? sqlite3_bind_blob64 (st, position, at, size, SQLITE_STATIC)
                            : sqlite3_bind_text64 (st, position, (const char *)at, size, SQLITE_STATIC, SQLITE_UTF8);
        return at + size;
    }
}

static int s_transaction (storewriter_t *self, int which)
{
    self->in_transaction = which == STOREWRITER_BEGIN;
    return store_exec (self->db, which == STOREWRITER_BEGIN ? "BEGIN IMMEDIATE" : "COMMIT");
}

//  A full disk makes SQLite roll back by itself. What is written after that stands alone, and would claim the rest.
static bool s_rolled_back (const storewriter_t *self)
{
    return self->in_transaction && sqlite3_get_autocommit (self->db);
}

static int s_run (storewriter_t *self, const head_t *head, const uint8_t **at)
{
    if (s_rolled_back (self))
        return -1;
    if (head->statement < 0)
        return s_transaction (self, head->statement);
    sqlite3_stmt *st = self->statements [head->statement];
    for (int i = 1; i <= head->values; i++) {
        int code;
        *at = s_bind_one (st, i, *at, &code);
        if (code != SQLITE_OK)
            return -1;
    }
    if (store_run (st))
        return -1;
    return head->one_row && sqlite3_changes (self->db) != 1 ? -1 : 0;
}

static void s_play (storewriter_t *self, const tape_t *tape)
{
    const uint8_t *at = tape->bytes, *end = tape->bytes + tape->used;
    while (at < end && !atomic_load (&self->failed)) {
        head_t head;
        at = s_read (at, &head, sizeof head);
        if (s_run (self, &head, &at)) {
            const char *sql = head.statement < 0 ? "" : sqlite3_sql (self->statements [head.statement]);
            fprintf (stderr, "<3>store: %s: not written, for record %llu: %.40s\n", sqlite3_db_filename (self->db, "main"),
                (unsigned long long)head.label, sql);
            atomic_store (&self->failed, true);
        }
    }
}

static void *s_thread (void *context)
{
    storewriter_t *self = context;
    pthread_mutex_lock (&self->lock);
    for (;;) {
        while (!self->busy && !self->stop)
            pthread_cond_wait (&self->given, &self->lock);
        if (!self->busy)
            break;
        pthread_mutex_unlock (&self->lock);
        s_play (self, &self->playing);
        pthread_mutex_lock (&self->lock);
        self->playing.used = 0;
        self->playing.commits = false;
        self->busy = false;
        pthread_cond_signal (&self->played);
    }
    pthread_mutex_unlock (&self->lock);
    return NULL;
}

//  ---- the caller's side

storewriter_t *storewriter_new (sqlite3 *db, sqlite3_stmt *const *statements, int count)
{
    assert (db && statements);
    storewriter_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->db = db;
    self->statements = statements;
    self->count = count;
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->given, NULL);
    pthread_cond_init (&self->played, NULL);
    if (pthread_create (&self->thread, NULL, s_thread, self))
        abort ();
    return self;
}

void storewriter_destroy (storewriter_t **self_p)
{
    storewriter_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    storewriter_settle (self);
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_cond_signal (&self->given);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->thread, NULL);
    pthread_mutex_destroy (&self->lock);
    pthread_cond_destroy (&self->given);
    pthread_cond_destroy (&self->played);
    free (self->filled.bytes);
    free (self->playing.bytes);
    free (self);
}

bool storewriter_failed (const storewriter_t *self)
{
    return atomic_load (&self->failed);
}

//  Hands the filled tape over; waits for the one before if `wait`, else leaves it when that one is still playing.
static void s_give (storewriter_t *self, bool wait)
{
    if (!self->filled.used)
        return;
    pthread_mutex_lock (&self->lock);
    while (self->busy && wait)
        pthread_cond_wait (&self->played, &self->lock);
    if (!self->busy) {
        tape_t empty = self->playing;
        self->playing = self->filled;
        self->filled = empty;
        self->busy = true;
        pthread_cond_signal (&self->given);
    }
    pthread_mutex_unlock (&self->lock);
}

void storewriter_flush (storewriter_t *self, size_t least)
{
    if (self->filled.commits || self->filled.used >= least)
        s_give (self, false);
}

int storewriter_settle (storewriter_t *self)
{
    s_give (self, true);
    pthread_mutex_lock (&self->lock);
    while (self->busy)
        pthread_cond_wait (&self->played, &self->lock);
    pthread_mutex_unlock (&self->lock);
    return storewriter_failed (self) ? -1 : 0;
}

static uint8_t *s_room (tape_t *tape, size_t size)
{
    if (tape->used + size > tape->room) {
        tape->room = tape->room ? tape->room : 16384;
        while (tape->used + size > tape->room)
            tape->room *= 2;
        tape->bytes = realloc (tape->bytes, tape->room);
        if (!tape->bytes)
            abort ();
    }
    tape->used += size;
    return tape->bytes + tape->used - size;
}

static void s_put_number (tape_t *tape, int64_t number)
{
    uint8_t *at = s_room (tape, 1 + sizeof number);
    *at = 'i';
    memcpy (at + 1, &number, sizeof number);
}

static void s_put_bytes (tape_t *tape, char type, const void *bytes, size_t size)
{
    uint32_t size32 = (uint32_t)size;
    assert (size32 == size);
    uint8_t *at = s_room (tape, 1 + sizeof size32 + size);
    *at = (uint8_t)type;
    memcpy (at + 1, &size32, sizeof size32);
    if (size)
        memcpy (at + 1 + sizeof size32, bytes, size);
}

static void s_put_value (tape_t *tape, char type, va_list *args)
{
    const void *bytes;
    switch (type) {
    case 'i':
        s_put_number (tape, va_arg (*args, int64_t));
        return;
    case 'b':
    case 't':
        bytes = va_arg (*args, const void *);
        s_put_bytes (tape, type, bytes, va_arg (*args, size_t));
        return;
    case 's':
        bytes = va_arg (*args, const char *);
        if (bytes) {
            s_put_bytes (tape, 't', bytes, strlen (bytes));
            return;
        }
        break;
    default:
        assert (type == 'n');
    }
    *s_room (tape, 1) = 'n';
}

int storewriter_vput (storewriter_t *self, int statement, uint64_t label, const char *types, va_list args)
{
    assert (statement >= STOREWRITER_COMMIT && statement < self->count);
    if (storewriter_failed (self))
        return -1;
    head_t head = { .label = label, .statement = statement, .one_row = *types == '1' };
    types += head.one_row;
    head.values = (uint16_t)strlen (types);
    assert (statement < 0 || head.values == sqlite3_bind_parameter_count (self->statements [statement]));
    if (self->filled.used >= STOREWRITER_TAPE)
        s_give (self, true);
    self->filled.commits |= statement == STOREWRITER_COMMIT;
    memcpy (s_room (&self->filled, sizeof head), &head, sizeof head);
    va_list copy;
    va_copy (copy, args);
    for (; *types; types++)
        s_put_value (&self->filled, *types, &copy);
    va_end (copy);
    return 0;
}

int storewriter_put (storewriter_t *self, int statement, uint64_t label, const char *types, ...)
{
    va_list args;
    va_start (args, types);
    int rc = storewriter_vput (self, statement, label, types, args);
    va_end (args);
    return rc;
}
