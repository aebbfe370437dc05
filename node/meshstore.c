//  meshstore - see meshstore.h

#include "meshstore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "meshword.h"
#include "timefmt.h"

#define UPDATES_MAX 256

enum {
    PUT,
    PUT_BYTES,
    UPDATE,
    ERASE,
    ERASE_BYTES,
    BYTES,
    ROW,
    EACH,
    EPOCH_KEEP,
    EPOCH_FORGET,
    EPOCH_EACH,
    EPOCH_NEWEST,
    WORD_KEEP,
    WORD_GET,
    LETTER_PUT,
    LETTER_COPIES,
    LETTER_GET,
    LETTER_EACH,
    LETTER_FORGET,
    LETTER_TRIM,
    REACH_ADD,
    REACH_HAS,
    REACH_NEWEST,
    REACH_TRIM,
    STATEMENTS
};

static const char *const s_sql [STATEMENTS] = {
    [PUT] = "INSERT OR REPLACE INTO mesh_tips VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [PUT_BYTES] = "INSERT OR REPLACE INTO mesh_sealed (mid, bytes) VALUES (?1, ?2)",
    [UPDATE] = "UPDATE mesh_tips SET hops = ?2, tokens = ?3, best = ?4, age_ms = ?5, at_ms = ?6, boot_ms = ?7,"
               " boot = ?8 WHERE mid = ?1",
    [ERASE] = "DELETE FROM mesh_tips WHERE mid = ?1",
    [ERASE_BYTES] = "DELETE FROM mesh_sealed WHERE mid = ?1",
    [BYTES] = "SELECT bytes FROM mesh_sealed WHERE mid = ?1",
    [ROW] = "SELECT mid, row, origin, cls, hops, tokens, best, size, life_s, age_ms, at_ms, boot_ms, boot, source"
            " FROM mesh_tips WHERE mid = ?1",
    [EACH] = "SELECT mid, mesh_tips.row, origin, cls, hops, tokens, best, size, life_s, age_ms, at_ms, boot_ms, boot, source"
             " FROM mesh_tips LEFT JOIN mesh_sealed USING (mid) ORDER BY mesh_tips.row, mesh_sealed.rowid",
    [EPOCH_KEEP] = "INSERT OR REPLACE INTO mesh_epochs VALUES (?1, ?2, ?3)",
    [EPOCH_FORGET] = "DELETE FROM mesh_epochs WHERE (series, number) <= (?1, ?2)",
    [EPOCH_EACH] = "SELECT bytes FROM mesh_epochs ORDER BY series, number",
    [EPOCH_NEWEST] = "SELECT bytes FROM mesh_epochs ORDER BY series DESC, number DESC LIMIT 1",
    [WORD_KEEP] = "INSERT OR REPLACE INTO mesh_words VALUES (?1, ?2, ?3)",
    [WORD_GET] = "SELECT number, bytes FROM mesh_words WHERE name = ?1",
    [LETTER_PUT] = "INSERT INTO mesh_letters VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET number = ?3,"
                   " until_ms = ?4, copies = ?5, bytes = ?6 WHERE number < ?3",
    [LETTER_COPIES] = "UPDATE mesh_letters SET copies = ?2 WHERE handle = ?1",
    [LETTER_GET] = "SELECT day, number, until_ms, copies, bytes FROM mesh_letters WHERE handle = ?1",
    [LETTER_EACH] = "SELECT handle, day, number, until_ms, copies FROM mesh_letters ORDER BY until_ms DESC",
    [LETTER_FORGET] = "DELETE FROM mesh_letters WHERE until_ms < ?1",
    [LETTER_TRIM]
    = "DELETE FROM mesh_letters WHERE handle IN (SELECT handle FROM mesh_letters ORDER BY until_ms DESC LIMIT -1"
      " OFFSET ?1)",
    [REACH_ADD] = "INSERT OR REPLACE INTO mesh_reach (handle, day) VALUES (?1, ?2)",
    [REACH_HAS] = "SELECT 1 FROM mesh_reach WHERE handle >= ?1 AND substr (handle, 1, ?2) = ?1 LIMIT 1",
    [REACH_NEWEST] = "SELECT handle, day FROM mesh_reach ORDER BY row DESC LIMIT ?1",
    [REACH_TRIM] = "DELETE FROM mesh_reach WHERE row <= (SELECT max (row) FROM mesh_reach) - ?1",
};

struct meshstore_t {
    nodestore_t *store; //  borrowed
    int64_t boot;       //  which boot this is
    mesh_tip_t updates [UPDATES_MAX];
    int update_count;
    int64_t updated_ms;        //  of the oldest, by meshstore_clock_ms
    uint8_t letter [WORD_MAX]; //  the one last asked for
    sqlite3_stmt *sql [STATEMENTS];
};

int64_t meshstore_clock_ms (void)
{
    struct timespec now;
    clock_gettime (CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t s_boot (void)
{
    char line [64] = "";
    int64_t boot = 0;
    FILE *file = fopen ("/proc/sys/kernel/random/boot_id", "re");
    if (file && fgets (line, sizeof line, file))
        for (const char *at = line; *at; at++)
            boot = (int64_t)((uint64_t)boot * 31 + (unsigned char)*at);
    if (file)
        fclose (file);
    return boot;
}

meshstore_t *meshstore_open (nodestore_t *store)
{
    meshstore_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->store = store;
    self->boot = s_boot ();
    for (int i = 0; i < STATEMENTS; i++)
        self->sql [i] = store_prepare (nodestore_db (store), s_sql [i]);
    return self;
}

void meshstore_close (meshstore_t **self_p)
{
    meshstore_t *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize (self->sql [i]);
    free (self);
    *self_p = NULL;
}

static int s_write (meshstore_t *self, int statement)
{
    int rc = nodestore_run (self->store, self->sql [statement]);
    sqlite3_clear_bindings (self->sql [statement]);
    return rc;
}

//  ---- copies

static void s_write_update (meshstore_t *self, const mesh_tip_t *tip, int64_t now_ms, int64_t clock_ms)
{
    //  The age was true when the update was told: all of them are told within a few seconds of being written.
    store_bind (self->sql [UPDATE], "biiiiiii", tip->mid, (size_t)MESH_MID, (int64_t)tip->hops, (int64_t)tip->tokens,
        (int64_t)tip->best, tip->age_ms + (clock_ms - self->updated_ms), now_ms, clock_ms, self->boot);
    s_write (self, UPDATE);
}

static void s_write_updates (meshstore_t *self)
{
    int64_t now_ms = time_now_ms (), clock_ms = meshstore_clock_ms ();
    for (int i = 0; i < self->update_count; i++)
        s_write_update (self, &self->updates [i], now_ms, clock_ms);
    self->update_count = 0;
}

int meshstore_put (meshstore_t *self, const mesh_tip_t *tip, int64_t row, const uint8_t *envelope, size_t size)
{
    if (nodestore_begin (self->store))
        return -1;
    s_write_updates (self);
    store_bind (self->sql [PUT], "bibiiiiiiiiiib", tip->mid, (size_t)MESH_MID, row, tip->origin, (size_t)MESH_ORIGIN,
        (int64_t)tip->cls, (int64_t)tip->hops, (int64_t)tip->tokens, (int64_t)tip->best, (int64_t)tip->size,
        (int64_t)tip->life_s, tip->age_ms, time_now_ms (), meshstore_clock_ms (), self->boot, tip->from, (size_t)MESH_KEY);
    int rc = s_write (self, PUT);
    if (rc == 0 && row == 0) {
        store_bind (self->sql [PUT_BYTES], "bb", tip->mid, (size_t)MESH_MID, envelope, size);
        rc = s_write (self, PUT_BYTES);
    }
    return rc;
}

void meshstore_update (meshstore_t *self, const mesh_tip_t *tip)
{
    if (self->update_count == 0)
        self->updated_ms = meshstore_clock_ms ();
    for (int i = 0; i < self->update_count; i++)
        if (memcmp (self->updates [i].mid, tip->mid, MESH_MID) == 0) {
            self->updates [i] = *tip;
            return;
        }
    if (self->update_count == UPDATES_MAX && nodestore_begin (self->store) == 0)
        s_write_updates (self);
    if (self->update_count < UPDATES_MAX)
        self->updates [self->update_count++] = *tip;
}

bool meshstore_flush (meshstore_t *self, int64_t older_ms)
{
    if (self->update_count == 0 || meshstore_clock_ms () - self->updated_ms < older_ms || nodestore_begin (self->store))
        return false;
    s_write_updates (self);
    return true;
}

void meshstore_erase (meshstore_t *self, const uint8_t mid [MESH_MID])
{
    for (int i = 0; i < self->update_count; i++)
        if (memcmp (self->updates [i].mid, mid, MESH_MID) == 0) {
            self->updates [i] = self->updates [--self->update_count];
            break;
        }
    if (nodestore_begin (self->store))
        return;
    store_bind (self->sql [ERASE], "b", mid, (size_t)MESH_MID);
    s_write (self, ERASE);
    store_bind (self->sql [ERASE_BYTES], "b", mid, (size_t)MESH_MID);
    s_write (self, ERASE_BYTES);
}

static size_t s_blob (sqlite3_stmt *sql, int column, uint8_t *out, size_t room)
{
    const void *bytes = sqlite3_column_blob (sql, column);
    size_t size = (size_t)sqlite3_column_bytes (sql, column);
    if (!bytes || size > room)
        return 0;
    memcpy (out, bytes, size);
    return size;
}

size_t meshstore_envelope (meshstore_t *self, const uint8_t mid [MESH_MID], uint8_t out [ENVELOPE_MAX])
{
    sqlite3_stmt *sql = self->sql [BYTES];
    store_bind (sql, "b", mid, (size_t)MESH_MID);
    size_t size = store_step (sql) == 1 ? s_blob (sql, 0, out, ENVELOPE_MAX) : 0;
    sqlite3_reset (sql);
    return size;
}

static void s_read_tip (meshstore_t *self, sqlite3_stmt *sql, mesh_tip_t *tip)
{
    memset (tip, 0, sizeof *tip);
    s_blob (sql, 0, tip->mid, MESH_MID);
    tip->own = store_int (sql, 1) != 0;
    s_blob (sql, 2, tip->origin, MESH_ORIGIN);
    tip->cls = (uint8_t)store_int (sql, 3);
    tip->hops = (uint8_t)store_int (sql, 4);
    tip->tokens = (uint16_t)store_int (sql, 5);
    tip->best = (uint16_t)store_int (sql, 6);
    tip->size = (uint32_t)store_int (sql, 7);
    tip->life_s = (uint32_t)store_int (sql, 8);
    bool same = store_int (sql, 12) == self->boot;
    int64_t passed = same ? meshstore_clock_ms () - store_int (sql, 11) : time_now_ms () - store_int (sql, 10);
    tip->age_ms = store_int (sql, 9) + (passed > 0 ? passed : 0);
    s_blob (sql, 13, tip->from, MESH_KEY);
}

bool meshstore_tip (meshstore_t *self, const uint8_t mid [MESH_MID], mesh_tip_t *tip, int64_t *row)
{
    sqlite3_stmt *sql = self->sql [ROW];
    store_bind (sql, "b", mid, (size_t)MESH_MID);
    bool found = store_step (sql) == 1;
    if (found) {
        s_read_tip (self, sql, tip);
        *row = store_int (sql, 1);
    }
    sqlite3_reset (sql);
    return found;
}

void meshstore_each (meshstore_t *self, meshstore_tip_fn *tell, void *context)
{
    sqlite3_stmt *sql = self->sql [EACH];
    uint8_t (*gone) [MESH_MID] = NULL;
    size_t count = 0, room = 0;
    while (store_step (sql) == 1) {
        mesh_tip_t tip;
        s_read_tip (self, sql, &tip);
        if (tell (context, &tip) == 0)
            continue;
        if (count == room) {
            room = room ? room * 2 : 64;
            gone = realloc (gone, room * sizeof *gone);
            if (!gone)
                abort ();
        }
        memcpy (gone [count++], tip.mid, MESH_MID);
    }
    sqlite3_reset (sql);
    for (size_t i = 0; i < count; i++)
        meshstore_erase (self, gone [i]);
    free (gone);
}

//  ---- receipts, revocations

void meshstore_keep_epoch (meshstore_t *self, uint32_t series, uint32_t number, const uint8_t *bytes, size_t size)
{
    if (nodestore_begin (self->store))
        return;
    store_bind (self->sql [EPOCH_KEEP], "iib", (int64_t)series, (int64_t)number, bytes, size);
    s_write (self, EPOCH_KEEP);
}

void meshstore_forget_epoch (meshstore_t *self, uint32_t series, uint32_t number)
{
    if (nodestore_begin (self->store))
        return;
    store_bind (self->sql [EPOCH_FORGET], "ii", (int64_t)series, (int64_t)number);
    s_write (self, EPOCH_FORGET);
}

void meshstore_each_epoch (meshstore_t *self, meshstore_bytes_fn *tell, void *context)
{
    sqlite3_stmt *sql = self->sql [EPOCH_EACH];
    while (store_step (sql) == 1)
        tell (context, sqlite3_column_blob (sql, 0), (size_t)sqlite3_column_bytes (sql, 0));
    sqlite3_reset (sql);
}

void meshstore_newest_epoch (meshstore_t *self, meshreceipt_epoch_t *head)
{
    sqlite3_stmt *sql = self->sql [EPOCH_NEWEST];
    if (store_step (sql) != 1
        || meshreceipt_epoch_parse (head, sqlite3_column_blob (sql, 0), (size_t)sqlite3_column_bytes (sql, 0)))
        *head = (meshreceipt_epoch_t){ 0 };
    sqlite3_reset (sql);
}

void meshstore_keep_revoked (meshstore_t *self, uint32_t number, const uint8_t *bytes, size_t size)
{
    if (nodestore_begin (self->store))
        return;
    store_bind (self->sql [WORD_KEEP], "sib", "revoked", (int64_t)number, bytes, size);
    s_write (self, WORD_KEEP);
}

size_t meshstore_revoked (meshstore_t *self, uint32_t *number, uint8_t *out, size_t room)
{
    sqlite3_stmt *sql = self->sql [WORD_GET];
    size_t size = 0;
    *number = 0;
    store_bind (sql, "s", "revoked");
    if (store_step (sql) == 1 && (size = s_blob (sql, 1, out, room)) > 0)
        *number = (uint32_t)store_int (sql, 0);
    sqlite3_reset (sql);
    return size;
}

//  ---- letters

void meshstore_put_letter (meshstore_t *self, const kept_letter_t *letter)
{
    if (nodestore_begin (self->store))
        return;
    store_bind (self->sql [LETTER_PUT], "biiiib", letter->handle, (size_t)HANDLE_SIZE, (int64_t)letter->day,
        (int64_t)letter->number, letter->until_ms, (int64_t)letter->copies, letter->bytes, letter->size);
    s_write (self, LETTER_PUT);
    store_bind (self->sql [LETTER_TRIM], "i", (int64_t)LETTERS_MAX);
    s_write (self, LETTER_TRIM);
}

void meshstore_letter_copies (meshstore_t *self, const uint8_t handle [HANDLE_SIZE], uint32_t copies)
{
    if (nodestore_begin (self->store))
        return;
    store_bind (self->sql [LETTER_COPIES], "bi", handle, (size_t)HANDLE_SIZE, (int64_t)copies);
    s_write (self, LETTER_COPIES);
}

bool meshstore_letter (meshstore_t *self, const uint8_t handle [HANDLE_SIZE], kept_letter_t *out)
{
    sqlite3_stmt *sql = self->sql [LETTER_GET];
    store_bind (sql, "b", handle, (size_t)HANDLE_SIZE);
    if (store_step (sql) != 1)
        return false;
    memcpy (out->handle, handle, HANDLE_SIZE);
    out->day = (uint32_t)store_int (sql, 0);
    out->number = (uint64_t)store_int (sql, 1);
    out->until_ms = store_int (sql, 2);
    out->copies = (uint32_t)store_int (sql, 3);
    out->size = s_blob (sql, 4, self->letter, sizeof self->letter);
    out->bytes = self->letter;
    sqlite3_reset (sql);
    return out->size > 0;
}

void meshstore_each_letter (meshstore_t *self, meshstore_letter_fn *tell, void *context)
{
    sqlite3_stmt *sql = self->sql [LETTER_EACH];
    while (store_step (sql) == 1) {
        kept_letter_t letter = { .day = (uint32_t)store_int (sql, 1),
            .number = (uint64_t)store_int (sql, 2),
            .until_ms = store_int (sql, 3),
            .copies = (uint32_t)store_int (sql, 4) };
        s_blob (sql, 0, letter.handle, HANDLE_SIZE);
        tell (context, &letter);
    }
    sqlite3_reset (sql);
}

void meshstore_forget_letters (meshstore_t *self, int64_t now_ms)
{
    if (nodestore_begin (self->store))
        return;
    store_bind (self->sql [LETTER_FORGET], "i", now_ms);
    s_write (self, LETTER_FORGET);
}

//  ---- whose envelopes came this way

void meshstore_reach (meshstore_t *self, const uint8_t handle [HANDLE_SIZE], uint32_t day)
{
    if (nodestore_begin (self->store))
        return;
    store_bind (self->sql [REACH_ADD], "bi", handle, (size_t)HANDLE_SIZE, (int64_t)day);
    s_write (self, REACH_ADD);
    store_bind (self->sql [REACH_TRIM], "i", (int64_t)REACH_MAX);
    s_write (self, REACH_TRIM);
}

bool meshstore_reaches (meshstore_t *self, const uint8_t *handle, size_t size)
{
    sqlite3_stmt *sql = self->sql [REACH_HAS];
    store_bind (sql, "bi", handle, size, (int64_t)size);
    bool has = store_step (sql) == 1;
    sqlite3_reset (sql);
    return has;
}

int meshstore_reach_newest (meshstore_t *self, uint8_t (*handles) [HANDLE_SIZE], uint32_t *days, int room)
{
    sqlite3_stmt *sql = self->sql [REACH_NEWEST];
    int count = 0;
    store_bind (sql, "i", (int64_t)room);
    while (count < room && store_step (sql) == 1) {
        s_blob (sql, 0, handles [count], HANDLE_SIZE);
        days [count++] = (uint32_t)store_int (sql, 1);
    }
    sqlite3_reset (sql);
    return count;
}
