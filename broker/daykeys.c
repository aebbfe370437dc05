//  daykeys - one secret key a day (XSalsa20-Poly1305 secretbox)

#include "daykeys.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "nonce.h"
#include "store.h"
#include "timefmt.h"

static const char *const s_steps [] = { "CREATE TABLE daykey (day INTEGER PRIMARY KEY, key BLOB NOT NULL)", NULL };

#define AGAIN_MS 1000      //  a key that could not be stored is tried again after so long,
#define AGAIN_MAX_MS 30000 //  doubled up to this: each try prints a line
#define CACHE 64           //  days; replay walks them in order, so a small direct-mapped cache does

struct daykeys_t {
    sqlite3 *db;
    sqlite3_stmt *find, *insert;
    int64_t again_ms, pause_ms; //  no try before this; 0 = the last one was good
    struct {
        uint32_t day;
        uint8_t key [crypto_secretbox_KEYBYTES];
        uint8_t known;
    } cache [CACHE];
};

daykeys_t *daykeys_open (const char *path, int write)
{
    daykeys_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->db = store_open (path, write ? STORE_FULL : STORE_READ, s_steps);
    if (!self->db) {
        daykeys_close (&self);
        return NULL;
    }
    self->find = store_prepare (self->db, "SELECT key FROM daykey WHERE day = ?1");
    if (write)
        self->insert = store_prepare (self->db, "INSERT INTO daykey (day, key) VALUES (?1, ?2)");
    return self;
}

void daykeys_close (daykeys_t **self_p)
{
    daykeys_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    sqlite3_finalize (self->find);
    sqlite3_finalize (self->insert);
    if (self->db)
        store_close (&self->db);
    sodium_memzero (self, sizeof *self);
    free (self);
}

//  A disk that is full at midnight is not asked anew for every tip.
static int s_store (daykeys_t *self, uint32_t day, const uint8_t *key, size_t size)
{
    int64_t now_ms = time_mono_ms ();
    if (self->pause_ms && now_ms < self->again_ms)
        return -1;
    store_bind (self->insert, "ib", (int64_t)day, key, size);
    bool stored = store_run (self->insert) == 0;
    int64_t longer_ms = self->pause_ms ? self->pause_ms * 2 : AGAIN_MS;
    self->pause_ms = stored ? 0 : longer_ms < AGAIN_MAX_MS ? longer_ms : AGAIN_MAX_MS;
    self->again_ms = now_ms + self->pause_ms;
    return stored ? 0 : -1;
}

//  The key of a day, or NULL if there is none and it may not or cannot be made.
static const uint8_t *s_key (daykeys_t *self, uint32_t day, bool make)
{
    uint32_t slot = day % CACHE;
    if (self->cache [slot].known && self->cache [slot].day == day)
        return self->cache [slot].key;
    uint8_t key [crypto_secretbox_KEYBYTES];
    store_bind (self->find, "i", (int64_t)day);
    bool found = store_step (self->find) == 1 && sqlite3_column_bytes (self->find, 0) == sizeof key;
    if (found)
        memcpy (key, sqlite3_column_blob (self->find, 0), sizeof key);
    sqlite3_reset (self->find);
    if (!found) {
        if (!make || !self->insert)
            return NULL;
        randombytes_buf (key, sizeof key);
        if (s_store (self, day, key, sizeof key))
            return NULL;
    }
    self->cache [slot].day = day;
    self->cache [slot].known = 1;
    memcpy (self->cache [slot].key, key, sizeof key);
    sodium_memzero (key, sizeof key);
    return self->cache [slot].key;
}

size_t daykeys_seal (daykeys_t *self, uint32_t day, const uint8_t *plain, size_t size, uint8_t *out, size_t room)
{
    size_t need = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + size;
    const uint8_t *key = need <= room ? s_key (self, day, true) : NULL;
    if (!key)
        return 0;
    nonce_next (out);
    crypto_secretbox_easy (out + crypto_secretbox_NONCEBYTES, plain, size, out, key);
    return need;
}

Patrol__Texts *daykeys_open_texts (daykeys_t *self, const Patrol__DayText *sealed, arena_t *arena)
{
    const uint8_t *key = sealed ? s_key (self, sealed->day, false) : NULL;
    size_t overhead = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    if (!key || sealed->sealed.len < overhead)
        return NULL;
    size_t size = sealed->sealed.len - overhead;
    uint8_t *plain = arena_alloc (arena, size + 1);
    if (!plain
        || crypto_secretbox_open_easy (plain, sealed->sealed.data + crypto_secretbox_NONCEBYTES,
            sealed->sealed.len - crypto_secretbox_NONCEBYTES, sealed->sealed.data, key))
        return NULL;
    return patrol__texts__unpack (arena_allocator (arena), size, plain);
}
