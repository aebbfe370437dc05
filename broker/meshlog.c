//  meshlog - see meshlog.h

#include "meshlog.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "home.h"
#include "store.h"

#define KEEP_MS (73 * 3600000ll) //  the longest life of a tip, and an hour
#define PENDING_MAX 65536u       //  a tip beyond is named when it is offered again
#define RECENT_MIDS 8192u        //  named or pending: not twice

static const char *const s_steps [] = { "CREATE TABLE series (number INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL);"
                                        "CREATE TABLE epochs (series INTEGER, number INTEGER, at_ms INTEGER NOT NULL,"
                                        " bytes BLOB NOT NULL, PRIMARY KEY (series, number)) WITHOUT ROWID;",
    NULL };

enum { SERIES_GET, SERIES_ADD, NEWEST, OLDEST, ADD, SINCE, FORGET, STATEMENTS };

static const char *const s_sql [STATEMENTS]
    = { [SERIES_GET] = "SELECT number, incarnation FROM series ORDER BY number DESC LIMIT 1",
          [SERIES_ADD] = "INSERT INTO series VALUES (?1, ?2)",
          [NEWEST] = "SELECT coalesce (max (number), 0), coalesce (max (at_ms), 0) FROM epochs WHERE series = ?1",
          [OLDEST] = "SELECT coalesce (min (number), 0) FROM epochs WHERE series = ?1",
          [ADD] = "INSERT INTO epochs VALUES (?1, ?2, ?3, ?4)",
          [SINCE] = "SELECT bytes FROM epochs WHERE series = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
          [FORGET] = "DELETE FROM epochs WHERE series < ?2 OR (at_ms < ?1 AND number < ?3)" };

typedef struct {
    uint8_t mid [MID_SIZE];
    bool sos;
} pending_mid_t;

struct meshlog_t {
    sign_keys_t keys;
    sqlite3 *db;
    sqlite3_stmt *sql [STATEMENTS];
    uint32_t series, newest;
    int64_t closed_ms; //  the last epoch, 0 = none
    pending_mid_t *pending;
    size_t count, room;
    int64_t first_ms; //  when the oldest pending one came
    uint8_t recent [RECENT_MIDS][MID_SIZE];
    size_t recent_next;
    uint8_t bytes [MESHRECEIPT_EPOCH_MAX];
};

static int s_load_key (meshlog_t *self, const char *home)
{
    const char *reason = NULL;
    char *path = home_path (home, "receipts.key");
    int rc;
    if (access (path, F_OK) == 0)
        rc = sign_keys_load (&self->keys, path, "receipts", &reason);
    else {
        //  A home that is older than the mesh gets its key here.
        sign_keys_make (&self->keys);
        rc = sign_keys_save (&self->keys, path, "receipts");
        reason = rc ? strerror (errno) : NULL;
    }
    if (rc)
        fprintf (stderr, "<3>core: %s: %s\n", path, reason ? reason : "cannot be read");
    free (path);
    return rc;
}

static int s_begin_series (meshlog_t *self, uint64_t incarnation, int64_t now_ms)
{
    uint32_t last = 0;
    bool same = false;
    if (store_step (self->sql [SERIES_GET]) == 1) {
        last = (uint32_t)store_int (self->sql [SERIES_GET], 0);
        same = (uint64_t)store_int (self->sql [SERIES_GET], 1) == incarnation;
    }
    sqlite3_reset (self->sql [SERIES_GET]);
    self->series = last;
    if (same)
        return 0;
    //  "a new, higher series: its start in seconds since 1970"
    uint32_t now_s = (uint32_t)(now_ms / 1000);
    self->series = now_s > last ? now_s : last + 1;
    store_bind (self->sql [SERIES_ADD], "ii", (int64_t)self->series, (int64_t)incarnation);
    return store_run (self->sql [SERIES_ADD]);
}

meshlog_t *meshlog_open (const char *home, uint64_t incarnation, int64_t now_ms)
{
    meshlog_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    char *path = home_path (home, "mesh.db");
    if (s_load_key (self, home) == 0)
        self->db = store_open (path, STORE_FULL, s_steps);
    free (path);
    for (int i = 0; self->db && i < STATEMENTS; i++)
        self->sql [i] = store_prepare (self->db, s_sql [i]);
    if (!self->db || s_begin_series (self, incarnation, now_ms)) {
        meshlog_close (&self);
        return NULL;
    }
    store_bind (self->sql [NEWEST], "i", (int64_t)self->series);
    if (store_step (self->sql [NEWEST]) == 1) {
        self->newest = (uint32_t)store_int (self->sql [NEWEST], 0);
        self->closed_ms = store_int (self->sql [NEWEST], 1);
    }
    sqlite3_reset (self->sql [NEWEST]);
    return self;
}

void meshlog_close (meshlog_t **self_p)
{
    meshlog_t *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize (self->sql [i]);
    if (self->db)
        store_close (&self->db);
    free (self->pending);
    identity_wipe (&self->keys, sizeof self->keys);
    free (self);
    *self_p = NULL;
}

const sign_keys_t *meshlog_keys (const meshlog_t *self)
{
    return &self->keys;
}

static bool s_named (const meshlog_t *self, const uint8_t *mid)
{
    for (size_t i = 0; i < RECENT_MIDS; i++)
        if (memcmp (self->recent [i], mid, MID_SIZE) == 0)
            return true;
    return false;
}

void meshlog_add (meshlog_t *self, const uint8_t mid [MID_SIZE], bool sos, int64_t now_ms)
{
    if (s_named (self, mid) || self->count == PENDING_MAX)
        return;
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 64;
        self->pending = realloc (self->pending, self->room * sizeof *self->pending);
        if (!self->pending)
            abort ();
    }
    if (self->count == 0)
        self->first_ms = now_ms;
    memcpy (self->pending [self->count].mid, mid, MID_SIZE);
    self->pending [self->count++].sos = sos;
    memcpy (self->recent [self->recent_next], mid, MID_SIZE);
    self->recent_next = (self->recent_next + 1) % RECENT_MIDS;
}

static uint32_t s_oldest (meshlog_t *self, uint32_t fallback)
{
    store_bind (self->sql [OLDEST], "i", (int64_t)self->series);
    uint32_t oldest = store_step (self->sql [OLDEST]) == 1 ? (uint32_t)store_int (self->sql [OLDEST], 0) : 0;
    sqlite3_reset (self->sql [OLDEST]);
    return oldest ? oldest : fallback;
}

static size_t s_sign (meshlog_t *self, size_t count, int64_t now_ms)
{
    uint8_t (*mids) [MID_SIZE] = calloc (count, sizeof *mids), salt [8];
    bool *sos = calloc (count, sizeof *sos);
    if (!mids || !sos)
        abort ();
    for (size_t i = 0; i < count; i++) {
        memcpy (mids [i], self->pending [i].mid, MID_SIZE);
        sos [i] = self->pending [i].sos;
    }
    //  Drawn only now: nobody can have looked for an envelope that collides.
    randombytes_buf (salt, sizeof salt);
    meshreceipt_epoch_t epoch = { .series = self->series,
        .number = self->newest + 1,
        .oldest = s_oldest (self, self->newest + 1),
        .closed_s = (uint32_t)(now_ms / 1000) };
    size_t size = meshreceipt_epoch_sign (
        self->bytes, &epoch, salt, (const uint8_t (*) [MESHRECEIPT_MID])mids, sos, count, self->keys.secret_key);
    free (mids);
    free (sos);
    return size;
}

bool meshlog_close_epoch (meshlog_t *self, int64_t now_ms, bool *failed)
{
    *failed = false;
    bool due = self->count > 0 && now_ms - self->first_ms >= MESHLOG_SOON_MS
        && (now_ms - self->closed_ms >= MESHLOG_EVERY_MS || now_ms < self->closed_ms);
    if (!due)
        return false;
    store_bind (self->sql [FORGET], "iii", now_ms - KEEP_MS, (int64_t)self->series, (int64_t)self->newest);
    *failed = store_run (self->sql [FORGET]) != 0;
    size_t count = self->count < MESHRECEIPT_IDS_MAX ? self->count : MESHRECEIPT_IDS_MAX;
    size_t size = s_sign (self, count, now_ms);
    store_bind (self->sql [ADD], "iiib", (int64_t)self->series, (int64_t)self->newest + 1, now_ms, self->bytes, size);
    //  What is not on disk is not said: the number would be given again.
    *failed = *failed || store_run (self->sql [ADD]) != 0;
    if (*failed)
        return false;
    self->newest++;
    self->closed_ms = now_ms;
    self->count -= count;
    memmove (self->pending, self->pending + count, self->count * sizeof *self->pending);
    return true;
}

void meshlog_since (meshlog_t *self, uint32_t series, uint32_t number, int limit, meshlog_fn *tell, void *context)
{
    sqlite3_stmt *sql = self->sql [SINCE];
    store_bind (sql, "iii", (int64_t)self->series, series == self->series ? (int64_t)number : 0, (int64_t)limit);
    while (store_step (sql) == 1)
        tell (context, sqlite3_column_blob (sql, 0), (size_t)sqlite3_column_bytes (sql, 0));
    sqlite3_reset (sql);
}

void meshlog_newest (const meshlog_t *self, uint32_t *series, uint32_t *number)
{
    *series = self->series;
    *number = self->newest;
}
