//  deskstore - the desk's own copy of its feed

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include "deskoutbox.h"
#include "deskstore.h"
#include "identity.h"
#include "itemfold.h"
#include "itemturn.h"
#include "store.h"

#define ROOM_NEEDED (4u * 1024u * 1024u)

//  `item_same` is what "once" means; an event about no incident has its incarnation and seq for tip and version. Incident ids begin with the time, so new rows go to the right edge of
//  every index and an insert costs the same with ten items and with ten million.
static const char *const s_steps []
    = { "CREATE TABLE item (id INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, seq INTEGER NOT NULL,"
        " incident INTEGER NOT NULL, version INTEGER NOT NULL, type INTEGER NOT NULL, tip INTEGER NOT NULL,"
        " bytes BLOB NOT NULL);"
        "CREATE UNIQUE INDEX item_same ON item (incident, version, type, tip);"
        "CREATE INDEX item_position ON item (incarnation, seq);"
        "CREATE TABLE feed (one INTEGER PRIMARY KEY CHECK (one = 1), incarnation INTEGER NOT NULL, stored INTEGER NOT NULL,"
        " as_of INTEGER NOT NULL, reader INTEGER NOT NULL);"
        "INSERT INTO feed VALUES (1, 0, 0, 0, 0);",
          DESKOUTBOX_SCHEMA, NULL };

//  What is kept in the feed row.
typedef struct {
    uint64_t incarnation, stored;
    int64_t as_of, reader;
} feed_state_t;

struct deskstore_t {
    sqlite3 *db;
    sqlite3_stmt *insert, *read, *read_incident, *read_incidents, *position, *version, *suffix;
    sqlite3_stmt *feed_read, *feed_write;
    feed_state_t feed; //  as of this turn
    int64_t newest;
    bool open;   //  a transaction is open
    bool spoilt; //  and something in it has failed
    bool feed_changed;
    uint8_t *packed; //  room for one item's bytes
    size_t packed_room;
};

static int s_prepare (deskstore_t *self)
{
    self->insert = store_prepare (self->db,
        "INSERT OR IGNORE INTO item (id, incarnation, seq, incident, version, type, tip, bytes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    self->read = store_prepare (self->db, "SELECT id, incarnation, bytes FROM item WHERE id > ? ORDER BY id LIMIT ?");
    self->read_incident = store_prepare (
        self->db, "SELECT id, incarnation, bytes FROM item WHERE incident = ? AND id > ? ORDER BY id LIMIT ?");
    self->read_incidents = store_prepare (
        self->db, "SELECT id, incarnation, bytes, incident FROM item WHERE incident > ? ORDER BY incident, version");
    self->position
        = store_prepare (self->db, "SELECT id FROM item WHERE incarnation = ? AND seq <= ? ORDER BY seq DESC LIMIT 1");
    self->version = store_prepare (self->db, "SELECT version FROM item WHERE incident = ? ORDER BY version DESC LIMIT 1");
    self->suffix
        = store_prepare (self->db, "SELECT DISTINCT incident FROM item WHERE (incident & ?) = ? AND incident <> 0 LIMIT 2");
    self->feed_read = store_prepare (
        self->db, "SELECT incarnation, stored, as_of, reader, (SELECT coalesce (max (id), 0) FROM item) FROM feed");
    self->feed_write = store_prepare (self->db, "UPDATE feed SET incarnation = ?, stored = ?, as_of = ?, reader = ?");
    return 0;
}

//  What is on disk is the truth after opening and after a rollback.
static int s_load (deskstore_t *self)
{
    int rc = store_step (self->feed_read);
    if (rc == 1) {
        self->feed.incarnation = (uint64_t)store_int (self->feed_read, 0);
        self->feed.stored = (uint64_t)store_int (self->feed_read, 1);
        self->feed.as_of = store_int (self->feed_read, 2);
        self->feed.reader = store_int (self->feed_read, 3);
        self->newest = store_int (self->feed_read, 4);
    }
    sqlite3_reset (self->feed_read);
    self->feed_changed = false;
    return rc == 1 ? 0 : -1;
}

deskstore_t *deskstore_open (const char *path)
{
    deskstore_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->db = store_open (path, STORE_FULL, s_steps);
    if (!self->db || s_prepare (self) == -1 || s_load (self) == -1)
        deskstore_close (&self);
    return self;
}

void deskstore_close (deskstore_t **self_p)
{
    assert (self_p);
    deskstore_t *self = *self_p;
    if (!self)
        return;
    if (self->db) {
        deskstore_commit (self);
        sqlite3_stmt *all [] = { self->insert, self->read, self->read_incident, self->read_incidents, self->position,
            self->version, self->suffix, self->feed_read, self->feed_write };
        for (size_t i = 0; i < sizeof all / sizeof all [0]; i++)
            sqlite3_finalize (all [i]);
        store_close (&self->db);
    }
    free (self->packed);
    free (self);
    *self_p = NULL;
}

//  ---- the turn's transaction

int deskstore_begin (deskstore_t *self)
{
    if (self->open)
        return 0;
    if (store_exec (self->db, "BEGIN IMMEDIATE") == -1)
        return -1;
    self->open = true;
    return 0;
}

static int s_write_feed (deskstore_t *self)
{
    if (!self->feed_changed)
        return 0;
    store_bind (self->feed_write, "iiii", (int64_t)self->feed.incarnation, (int64_t)self->feed.stored, self->feed.as_of,
        self->feed.reader);
    if (store_run (self->feed_write) == -1)
        return -1;
    self->feed_changed = false;
    return 0;
}

static int s_rollback (deskstore_t *self)
{
    //  SQLite has rolled back by itself after some errors, a full disk among them
    if (self->open && !sqlite3_get_autocommit (self->db))
        store_exec (self->db, "ROLLBACK");
    self->open = false;
    self->spoilt = false;
    s_load (self);
    return -1;
}

int deskstore_commit (deskstore_t *self)
{
    if (self->spoilt || (self->feed_changed && deskstore_begin (self) == -1))
        return s_rollback (self);
    if (!self->open)
        return 0;
    if (s_write_feed (self) == -1 || store_exec (self->db, "COMMIT") == -1)
        return s_rollback (self);
    self->open = false;
    return 0;
}

void deskstore_spoil (deskstore_t *self)
{
    self->spoilt = true;
}

//  A page more or less is not room: going on for that would fail again at once.
bool deskstore_writable (deskstore_t *self)
{
    struct statvfs disk;
    const char *path = sqlite3_db_filename (self->db, "main");
    if (statvfs (path, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < ROOM_NEEDED)
        return false;
    self->feed_changed = true; //  the same row again: a true write and a true sync
    return deskstore_commit (self) == 0;
}

sqlite3 *deskstore_db (deskstore_t *self)
{
    return self->db;
}

//  ---- the feed

uint64_t deskstore_incarnation (const deskstore_t *self)
{
    return self->feed.incarnation;
}

uint64_t deskstore_stored (const deskstore_t *self)
{
    return self->feed.stored;
}

int deskstore_set_feed (deskstore_t *self, uint64_t incarnation, uint64_t stored)
{
    if (self->feed.incarnation == incarnation && self->feed.stored == stored)
        return 0;
    if (deskstore_begin (self) == -1)
        return -1;
    self->feed.incarnation = incarnation;
    self->feed.stored = stored;
    self->feed_changed = true;
    return 0;
}

static size_t s_pack (deskstore_t *self, const Patrol__Item *item)
{
    size_t size = patrol__item__get_packed_size (item);
    if (size > self->packed_room) {
        free (self->packed);
        self->packed = malloc (size);
        if (!self->packed)
            abort ();
        self->packed_room = size;
    }
    return patrol__item__pack (item, self->packed);
}

static kept_t s_keep (deskstore_t *self, const Patrol__Item *item)
{
    //  An event about no incident (areas loaded ...) is the same only at the same place of the same log
    uint64_t version = item->incident ? item->version : item->seq;
    uint64_t tip = item->incident ? item->tip : self->feed.incarnation;

    if (deskstore_begin (self) == -1)
        return KEPT_FAILED;
    size_t size = s_pack (self, item);
    store_bind (self->insert, "iiiiiiib", self->newest + 1, (int64_t)self->feed.incarnation, (int64_t)item->seq,
        (int64_t)item->incident, (int64_t)version, (int64_t)item->type, (int64_t)tip, (const void *)self->packed, size);
    if (store_run (self->insert) == -1)
        return KEPT_FAILED;
    bool is_new = sqlite3_changes (self->db) == 1;
    self->newest += is_new ? 1 : 0;
    if (item->n > self->feed.stored)
        self->feed.stored = item->n;
    self->feed_changed = true;
    return is_new ? KEPT_NEW : KEPT_REPEAT;
}

kept_t deskstore_keep (deskstore_t *self, const Patrol__Item *item)
{
    kept_t kept = s_keep (self, item);
    if (kept == KEPT_FAILED || !item->other)
        return kept;
    Patrol__Item turned = *item;
    item_turn (&turned);
    return s_keep (self, &turned) == KEPT_FAILED ? KEPT_FAILED : kept;
}

int64_t deskstore_as_of (const deskstore_t *self)
{
    return self->feed.as_of;
}

int deskstore_set_as_of (deskstore_t *self, int64_t now_ms)
{
    if (deskstore_begin (self) == -1)
        return -1;
    self->feed.as_of = now_ms;
    self->feed_changed = true;
    return 0;
}

//  ---- reading

int64_t deskstore_newest (const deskstore_t *self)
{
    return self->newest;
}

static Patrol__Item *s_unpack (sqlite3_stmt *row)
{
    int size = sqlite3_column_bytes (row, 2);
    return patrol__item__unpack (NULL, (size_t)size, sqlite3_column_blob (row, 2));
}

//  Gives the rows of a prepared and bound statement.
static int64_t s_give (sqlite3_stmt *rows, int64_t after, deskstore_item_fn *fn, void *context)
{
    int rc;
    bool wanted = true;
    while (wanted && (rc = store_step (rows)) == 1) {
        after = store_int (rows, 0);
        Patrol__Item *item = s_unpack (rows);
        if (!item)
            continue; //  a damaged row must not hide the others
        wanted = fn (context, after, (uint64_t)store_int (rows, 1), item);
        patrol__item__free_unpacked (item, NULL);
    }
    sqlite3_reset (rows);
    return wanted && rc == -1 ? -1 : after;
}

int64_t deskstore_read (deskstore_t *self, int64_t after, int limit, deskstore_item_fn *fn, void *context)
{
    store_bind (self->read, "ii", after, (int64_t)limit);
    return s_give (self->read, after, fn, context);
}

int64_t deskstore_read_incident (
    deskstore_t *self, uint64_t incident, int64_t after, int limit, deskstore_item_fn *fn, void *context)
{
    store_bind (self->read_incident, "iii", (int64_t)incident, after, (int64_t)limit);
    return s_give (self->read_incident, after, fn, context);
}

uint64_t deskstore_read_incidents (deskstore_t *self, uint64_t after, int limit, deskstore_item_fn *fn, void *context)
{
    itemfold_t fold = { 0 };
    uint64_t current = 0, incarnation = 0;
    int64_t id = 0;
    bool wanted = true;

    store_bind (self->read_incidents, "i", (int64_t)after);
    while (wanted) {
        int rc = store_step (self->read_incidents);
        uint64_t incident = rc == 1 ? (uint64_t)store_int (self->read_incidents, 3) : 0;
        if (current && (rc != 1 || incident != current)) {
            wanted = fn (context, id, incarnation, itemfold_result (&fold)) && --limit > 0;
            itemfold_clear (&fold);
            after = current;
        }
        if (rc != 1)
            break;
        if (!wanted)
            continue;
        current = incident;
        id = store_int (self->read_incidents, 0);
        incarnation = (uint64_t)store_int (self->read_incidents, 1);
        Patrol__Item *item = s_unpack (self->read_incidents);
        if (item)
            itemfold_add (&fold, &item);
    }
    itemfold_clear (&fold);
    sqlite3_reset (self->read_incidents);
    return after;
}

int64_t deskstore_find_position (deskstore_t *self, uint64_t incarnation, uint64_t seq)
{
    store_bind (self->position, "ii", (int64_t)incarnation, (int64_t)seq);
    int64_t id = store_step (self->position) == 1 ? store_int (self->position, 0) : -1;
    sqlite3_reset (self->position);
    return id;
}

uint64_t deskstore_version (deskstore_t *self, uint64_t incident)
{
    store_bind (self->version, "i", (int64_t)incident);
    uint64_t version = store_step (self->version) == 1 ? (uint64_t)store_int (self->version, 0) : 0;
    sqlite3_reset (self->version);
    return version;
}

//  Each character of an id is five bits, so the last characters are the low bits.
incident_found_t deskstore_find_incident (deskstore_t *self, const char *id, uint64_t *incident)
{
    char padded [14] = "0000000000000";
    size_t size = strlen (id);

    if (size < 4 || size > 13)
        return INCIDENT_MALFORMED;
    memcpy (padded + 13 - size, id, size);
    if (id64_parse (incident, padded, 13) == -1)
        return INCIDENT_MALFORMED;
    if (size == 13)
        return INCIDENT_FOUND;

    uint64_t mask = (UINT64_C (1) << (5 * size)) - 1;
    store_bind (self->suffix, "ii", (int64_t)mask, (int64_t)*incident);
    incident_found_t found = INCIDENT_UNKNOWN;
    while (store_step (self->suffix) == 1) {
        found = found == INCIDENT_UNKNOWN ? INCIDENT_FOUND : INCIDENT_AMBIGUOUS;
        *incident = (uint64_t)store_int (self->suffix, 0);
    }
    sqlite3_reset (self->suffix);
    return found;
}

//  ---- readers

int64_t deskstore_reader (const deskstore_t *self)
{
    return self->feed.reader;
}

int deskstore_move_reader (deskstore_t *self, int64_t id)
{
    if (id <= self->feed.reader || id > self->newest)
        return 0;
    if (deskstore_begin (self) == -1)
        return -1;
    self->feed.reader = id;
    self->feed_changed = true;
    return 0;
}
