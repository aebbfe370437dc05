//  audit - the chained trail of reads

#include "audit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

static const char *const s_steps []
    = { "CREATE TABLE audit (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, member INTEGER NOT NULL, role INTEGER NOT NULL,"
        " station TEXT NOT NULL, officer TEXT NOT NULL, ask TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL)",
          NULL };

struct audit_t {
    sqlite3 *db;
    sqlite3_stmt *insert;
    uint64_t rows;
    uint8_t hash [32]; //  of the last row
    bool failed;       //  a write failed for another reason than a full disk
};

//  ---- the hash of a row

static void s_number (crypto_generichash_state *state, uint64_t number, size_t size)
{
    uint8_t bytes [8];
    for (size_t i = 0; i < size; i++)
        bytes [i] = (uint8_t)(number >> (8 * i));
    crypto_generichash_update (state, bytes, size);
}

static void s_text (crypto_generichash_state *state, const char *text)
{
    size_t size = strlen (text);
    s_number (state, size, 4);
    crypto_generichash_update (state, (const uint8_t *)text, size);
}

static void s_hash (uint8_t hash [32], const uint8_t before [32], uint64_t seq, const audit_row_t *row)
{
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, 32);
    crypto_generichash_update (&state, before, 32);
    s_number (&state, seq, 8);
    s_number (&state, (uint64_t)row->at_ms, 8);
    s_number (&state, row->member, 8);
    s_number (&state, row->role, 4);
    s_text (&state, row->station);
    s_text (&state, row->officer);
    s_text (&state, row->ask);
    s_text (&state, row->detail);
    crypto_generichash_final (&state, hash, 32);
}

//  ---- writing

static int s_load_head (audit_t *self)
{
    sqlite3_stmt *st = store_prepare (self->db, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1");
    int rc = store_step (st);
    if (rc == 1) {
        self->rows = (uint64_t)store_int (st, 0);
        if (sqlite3_column_bytes (st, 1) == (int)sizeof self->hash)
            memcpy (self->hash, sqlite3_column_blob (st, 1), sizeof self->hash);
    }
    sqlite3_finalize (st);
    return rc < 0 ? -1 : 0;
}

audit_t *audit_open (const char *path)
{
    audit_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->db = store_open (path, STORE_FULL, s_steps);
    if (!self->db || s_load_head (self)) {
        audit_close (&self);
        return NULL;
    }
    self->insert = store_prepare (self->db, "INSERT INTO audit VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
    return self;
}

void audit_close (audit_t **self_p)
{
    audit_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    sqlite3_finalize (self->insert);
    if (self->db)
        store_close (&self->db);
    free (self);
}

int audit_put (audit_t *self, uint64_t seq, const audit_row_t *row, const uint8_t hash [32])
{
    if (self->failed)
        return -1;
    store_bind (self->insert, "iiiissssb", (int64_t)seq, row->at_ms, (int64_t)row->member, (int64_t)row->role, row->station,
        row->officer, row->ask, row->detail, hash, (size_t)32);
    if (store_run (self->insert)) {
        //  A failed sync must not be tried again: what it lost would look written.
        self->failed = sqlite3_errcode (self->db) != SQLITE_FULL;
        return -1;
    }
    self->rows = seq;
    memcpy (self->hash, hash, sizeof self->hash);
    return 0;
}

int audit_append (audit_t *self, const audit_row_t *row)
{
    uint8_t hash [32];
    s_hash (hash, self->hash, self->rows + 1, row);
    return audit_put (self, self->rows + 1, row, hash);
}

void audit_head (const audit_t *self, uint64_t *rows, uint8_t hash [32])
{
    *rows = self->rows;
    memcpy (hash, self->hash, sizeof self->hash);
}

//  ---- reading a whole chain

static const char *s_column (sqlite3_stmt *st, int column)
{
    const char *text = (const char *)sqlite3_column_text (st, column);
    return text ? text : "";
}

int64_t audit_each (const char *path, audit_row_fn *fn, void *context)
{
    sqlite3 *db = store_open (path, STORE_READ, s_steps);
    if (!db)
        return -1;
    sqlite3_stmt *st
        = store_prepare (db, "SELECT seq, at, member, role, station, officer, ask, detail, hash FROM audit ORDER BY seq");
    int64_t count = 0;
    int rc;
    while ((rc = store_step (st)) == 1) {
        audit_row_t row = { .at_ms = store_int (st, 1),
            .member = (uint64_t)store_int (st, 2),
            .role = (uint32_t)store_int (st, 3),
            .station = s_column (st, 4),
            .officer = s_column (st, 5),
            .ask = s_column (st, 6),
            .detail = s_column (st, 7) };
        uint8_t hash [32] = { 0 };
        if (sqlite3_column_bytes (st, 8) == (int)sizeof hash)
            memcpy (hash, sqlite3_column_blob (st, 8), sizeof hash);
        count++;
        if (!fn (context, (uint64_t)store_int (st, 0), &row, hash))
            break;
    }
    sqlite3_finalize (st);
    store_close (&db);
    return rc < 0 ? -1 : count;
}

typedef struct {
    uint64_t rows;
    uint8_t hash [32];
    const char *reason;
    uint64_t bad_row;
} chain_t;

static bool s_link (void *context, uint64_t seq, const audit_row_t *row, const uint8_t hash [32])
{
    chain_t *chain = context;
    uint8_t wanted [32];
    if (seq != chain->rows + 1) {
        chain->reason = "a row is missing";
        chain->bad_row = chain->rows + 1;
        return false;
    }
    s_hash (wanted, chain->hash, seq, row);
    if (memcmp (wanted, hash, sizeof wanted)) {
        chain->reason = "a row's hash does not follow from the row and the one before it";
        chain->bad_row = seq;
        return false;
    }
    chain->rows = seq;
    memcpy (chain->hash, hash, sizeof chain->hash);
    return true;
}

int64_t audit_verify (const char *path, uint8_t head [32], const char **reason, uint64_t *bad_row)
{
    chain_t chain = { 0 };
    *reason = NULL;
    *bad_row = 0;
    if (audit_each (path, s_link, &chain) < 0)
        chain.reason = "the file cannot be read";
    *reason = chain.reason;
    *bad_row = chain.bad_row;
    memcpy (head, chain.hash, sizeof chain.hash);
    return chain.reason ? -1 : (int64_t)chain.rows;
}

int audit_hash_at (const char *path, uint64_t row, uint8_t hash [32])
{
    sqlite3 *db = store_open (path, STORE_READ, s_steps);
    if (!db)
        return -1;
    sqlite3_stmt *st = store_prepare (db, "SELECT hash FROM audit WHERE seq = ?1");
    store_bind (st, "i", (int64_t)row);
    int rc = store_step (st);
    if (rc == 1 && sqlite3_column_bytes (st, 0) == 32)
        memcpy (hash, sqlite3_column_blob (st, 0), 32);
    else if (rc == 1)
        rc = 0;
    sqlite3_finalize (st);
    store_close (&db);
    return rc;
}
