//  state - the projection: one function per kind of record moves tables, members and feeds together

#include "state_private.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMIT_EVERY_MS 1000
#define COMMIT_EVERY 5000
#define FLUSH_AT 65536 //  bytes of writes, some hundred tips

static const char *const s_steps [] = {
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;"
    "CREATE TABLE member (number INTEGER PRIMARY KEY, credential BLOB NOT NULL, name TEXT NOT NULL,"
    " revoked INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL);"
    "CREATE TABLE invitation (token_hash BLOB PRIMARY KEY, link_key BLOB NOT NULL, role INTEGER NOT NULL, station TEXT NOT "
    "NULL,"
    " unit TEXT NOT NULL, name TEXT NOT NULL, expires INTEGER NOT NULL, used_by INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE TABLE origin (device INTEGER, epoch INTEGER, durable BLOB NOT NULL, delivered BLOB NOT NULL, last INTEGER NOT "
    "NULL,"
    " PRIMARY KEY (device, epoch)) WITHOUT ROWID;"
    "CREATE TABLE station (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, delivered INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE taken (device INTEGER, epoch INTEGER, counter INTEGER, tag INTEGER, code INTEGER NOT NULL,"
    " incident INTEGER NOT NULL, seq INTEGER NOT NULL, version INTEGER NOT NULL,"
    " PRIMARY KEY (device, epoch, counter, tag)) WITHOUT ROWID;"
    "CREATE TABLE incident (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, version INTEGER NOT NULL, status INTEGER NOT NULL,"
    " station INTEGER NOT NULL, device INTEGER NOT NULL, epoch INTEGER NOT NULL, counter INTEGER NOT NULL,"
    " at INTEGER NOT NULL, updated INTEGER NOT NULL, by TEXT, kind TEXT NOT NULL, severity INTEGER NOT NULL, cls INTEGER "
    "NOT NULL,"
    " lat INTEGER, lon INTEGER, area TEXT, copies TEXT);"
    "CREATE INDEX incident_open ON incident (station, status, at) WHERE status < 3;"
    "CREATE TABLE history (incident INTEGER, seq INTEGER, device INTEGER, epoch INTEGER, counter INTEGER, PRIMARY KEY "
    "(incident, seq)) WITHOUT ROWID;"
    "CREATE TABLE feed (station INTEGER, n INTEGER, seq INTEGER NOT NULL, copy INTEGER NOT NULL, device INTEGER, epoch "
    "INTEGER,"
    " counter INTEGER, PRIMARY KEY (station, n)) WITHOUT ROWID;"
    "CREATE TABLE inbox (device INTEGER, n INTEGER, seq INTEGER NOT NULL, epoch INTEGER NOT NULL, counter INTEGER NOT NULL,"
    " PRIMARY KEY (device, n)) WITHOUT ROWID;"
    "CREATE TABLE cursor (device INTEGER PRIMARY KEY, n INTEGER NOT NULL, at INTEGER NOT NULL);",
    STATE_MERGE_SCHEMA,
    //  What came late. The rows of before do not know it: they are made again from the log.
    "ALTER TABLE incident ADD COLUMN late INTEGER NOT NULL DEFAULT 0;"
    "DROP INDEX incident_open;"
    "CREATE INDEX incident_open ON incident (station, status, at, late) WHERE status < 3;"
    "DELETE FROM meta; DELETE FROM member; DELETE FROM invitation; DELETE FROM origin; DELETE FROM station; DELETE FROM "
    "taken;"
    "DELETE FROM incident; DELETE FROM history; DELETE FROM feed; DELETE FROM inbox; DELETE FROM apart;",
    NULL
};

static const char *const s_sql [Q_COUNT] = {
    [Q_TAKEN_ADD] = "INSERT OR IGNORE INTO taken VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [Q_TAKEN_GET] = "SELECT tag, incident, seq, version, code FROM taken WHERE device = ?1 AND epoch = ?2 AND counter = ?3"
                    " ORDER BY tag <> ?4, seq LIMIT 1",
    [Q_INCIDENT_ADD]
    = "INSERT INTO incident VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?8, NULL, ?9, ?10, ?11, ?15, ?16, ?12,"
      " ?13, 0, ?14)", //  the position last: it may be null
    [Q_INCIDENT_GET]
    = "SELECT i.seq, version, status, station, device, epoch, counter, at, updated, by, kind, severity, cls, copies, s.id,"
      " merged_into, late"
      " FROM incident i JOIN station s ON s.number = i.station WHERE i.id = ?1",
    [Q_INCIDENT_SET] = "UPDATE incident SET version = ?2, status = ?3, updated = ?4, by = ?5 WHERE id = ?1",
    [Q_INCIDENT_JOINED] = "UPDATE incident SET version = ?2, updated = ?3, late = late AND ?4 WHERE id = ?1",
    [Q_INCIDENT_PLACE] = "UPDATE incident SET version = ?2, updated = ?3, by = ?4, lat = ?5, lon = ?6 WHERE id = ?1",
    [Q_HISTORY_ADD] = "INSERT OR IGNORE INTO history VALUES (?1, ?2, ?3, ?4, ?5)",
    [Q_FEED_ADD] = "INSERT INTO feed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [Q_FEED_PAGE]
    = "SELECT n, seq, epoch, counter, device, copy FROM feed WHERE station = ?1 AND n > ?2 ORDER BY n LIMIT ?3",
    [Q_INBOX_ADD] = "INSERT INTO inbox VALUES (?1, ?2, ?3, ?4, ?5)",
    [Q_INBOX_PAGE] = "SELECT n, seq, epoch, counter, device, 0 FROM inbox WHERE device = ?1 AND n > ?2 ORDER BY n LIMIT ?3",
    [Q_CURSOR_GET] = "SELECT n FROM cursor WHERE device = ?1",
    [Q_CURSOR_SET] = "INSERT INTO cursor VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET n = excluded.n, at = excluded.at",
    [Q_ORIGIN_SET] = "INSERT INTO origin VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET durable = excluded.durable,"
                     " delivered = excluded.delivered, last = excluded.last",
    [Q_STATION_ADD] = "INSERT INTO station (number, id) VALUES (?1, ?2)",
    [Q_STATION_DELIVERED] = "UPDATE station SET delivered = ?2 WHERE number = ?1",
    [Q_MEMBER_ADD] = "INSERT INTO member (number, credential, name, at) VALUES (?1, ?2, ?3, ?4)",
    [Q_MEMBER_REVOKE] = "UPDATE member SET revoked = 1 WHERE number = ?1",
    [Q_INVITE_ADD] = "INSERT OR IGNORE INTO invitation (token_hash, link_key, role, station, unit, name, expires)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [Q_INVITE_USED] = "UPDATE invitation SET used_by = ?2 WHERE token_hash = ?1",
    [Q_META_SET] = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
    [Q_META_GET] = "SELECT value FROM meta WHERE key = ?1",
    [Q_TIPS_OF] = "SELECT device, epoch, counter FROM history WHERE incident = ?1 AND device IS NOT NULL",
    [Q_INCIDENT_HAS] = "SELECT 1 FROM incident WHERE id = ?1",
    [Q_MERGED_INTO] = "UPDATE incident SET merged_into = ?2 WHERE id = ?1",
    [Q_APART_ADD] = "INSERT OR IGNORE INTO apart VALUES (?1, ?2)",
    [Q_APART_DROP] = "DELETE FROM apart WHERE a = ?1 AND b = ?2",
    [Q_TAKEN_OWN]
    = "UPDATE taken SET incident = ?5 WHERE device = ?1 AND epoch = ?2 AND counter = ?3 AND incident = ?4 AND code = 0",
    [Q_HISTORY_MOVE] = "UPDATE history SET incident = ?2 WHERE incident = ?1 AND device IS NOT NULL",
    [Q_HISTORY_MOVE_ONE] = "UPDATE history SET incident = ?2 WHERE incident = ?1 AND seq = ?3",
    [Q_HISTORY_DROP] = "DELETE FROM history WHERE incident = ?1 AND seq = ?3 AND ?2 IS NOT NULL",
    [Q_COUNTS] = "SELECT count (*), coalesce (sum (status = 0 AND NOT late), 0),"
                 " min (CASE WHEN status = 0 AND NOT late THEN at END) FROM incident"
                 " INDEXED BY incident_open WHERE station = ?1 AND status < 3",
};

const char *status_name (status_t status)
{
    switch (status) {
    case STATUS_OPEN:
        return "open";
    case STATUS_ACKNOWLEDGED:
        return "acknowledged";
    case STATUS_DISPATCHED:
        return "dispatched";
    case STATUS_CLOSED:
        return "closed";
    case STATUS_WITHDRAWN:
        return "withdrawn";
    case STATUS_MERGED:
        return "merged";
    }
    return "";
}

int status_parse (const char *name, size_t size)
{
    for (int i = STATUS_OPEN; i <= STATUS_MERGED; i++)
        if (strlen (status_name ((status_t)i)) == size && memcmp (status_name ((status_t)i), name, size) == 0)
            return i;
    return -1;
}

//  ---- loading

static void s_blob_key (sqlite3_stmt *st, int column, uint8_t *out, size_t size)
{
    if ((size_t)sqlite3_column_bytes (st, column) == size)
        memcpy (out, sqlite3_column_blob (st, column), size);
}

void state_copy (char *out, size_t room, ProtobufCBinaryData from)
{
    size_t size = from.len < room - 1 ? from.len : room - 1;
    if (size)
        memcpy (out, from.data, size);
    out [size] = 0;
}

static int s_load_members (state_t *self)
{
    sqlite3_stmt *st = store_prepare (self->db,
        "SELECT number, credential, name, at, revoked,"
        " (SELECT coalesce (max (n), 0) FROM inbox WHERE device = number) FROM member ORDER BY number");
    int rc = 0;
    while (rc == 0 && store_step (st) == 1) {
        member_t member, *added = NULL;
        if (members_from_credential (&member, (uint32_t)store_int (st, 0), sqlite3_column_blob (st, 1),
                (size_t)sqlite3_column_bytes (st, 1), (const char *)sqlite3_column_text (st, 2), store_int (st, 3))
            == 0)
            added = members_add (self->members, &member);
        if (!added) {
            rc = -1;
            break;
        }
        added->revoked = store_int (st, 4) != 0;
        added->inbox_durable = (uint64_t)store_int (st, 5);
        added->inbox_next = added->inbox_durable + 1;
    }
    sqlite3_finalize (st);
    st = store_prepare (self->db,
        "SELECT token_hash, link_key, role, station, unit, name, expires, used_by FROM invitation ORDER BY expires");
    while (rc == 0 && store_step (st) == 1) {
        invited_t invited = {
            .role = (Patrol__Role)store_int (st, 2), .expires_ms = store_int (st, 6), .used_by = (uint32_t)store_int (st, 7)
        };
        s_blob_key (st, 0, invited.token_hash, sizeof invited.token_hash);
        s_blob_key (st, 1, invited.link_key, sizeof invited.link_key);
        store_text (st, 3, invited.station, sizeof invited.station);
        store_text (st, 4, invited.unit, sizeof invited.unit);
        store_text (st, 5, invited.name, sizeof invited.name);
        members_invite (self->members, &invited);
    }
    sqlite3_finalize (st);
    return rc;
}

static int s_load_origins (state_t *self)
{
    int rc = 0;
    sqlite3_stmt *st = store_prepare (self->db, "SELECT device, epoch, durable, delivered, last FROM origin");
    while (rc == 0 && store_step (st) == 1) {
        member_t *member = members_get (self->members, (uint32_t)store_int (st, 0));
        if (!member) {
            rc = -1;
            break;
        }
        origin_t *origin = member_add_origin (member, (uint64_t)store_int (st, 1));
        if (intervals_unpack (
                &origin->durable, sqlite3_column_blob (st, 2), (size_t)sqlite3_column_bytes (st, 2), UINT32_MAX)
            || intervals_unpack (
                &origin->delivered, sqlite3_column_blob (st, 3), (size_t)sqlite3_column_bytes (st, 3), UINT32_MAX))
            rc = -1;
        intervals_copy (&origin->seen, &origin->durable);
        origin->last_ms = store_int (st, 4);
        member->tips += intervals_total (&origin->durable);
    }
    sqlite3_finalize (st);
    return rc;
}

static int s_load_feeds (state_t *self)
{
    sqlite3_stmt *st = store_prepare (self->db,
        "SELECT number, id, delivered,"
        " (SELECT coalesce (max (n), 0) FROM feed WHERE station = number) FROM station ORDER BY number");
    while (store_step (st) == 1) {
        const char *id = (const char *)sqlite3_column_text (st, 1);
        feed_t *feed = feeds_get (self->feeds, id, strlen (id));
        feed->number = (uint32_t)store_int (st, 0);
        feed->delivered = (uint64_t)store_int (st, 2);
        feed->durable = (uint64_t)store_int (st, 3);
        feed->next = feed->durable + 1;
        feed->recent_after = feed->durable;
        if (feed->number > self->stations)
            self->stations = feed->number;
    }
    sqlite3_finalize (st);
    return 0;
}

state_t *state_open (const char *path, members_t *members, feeds_t *feeds)
{
    state_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->members = members;
    self->feeds = feeds;
    self->db = store_open (path, STORE_NORMAL, s_steps);
    if (!self->db) {
        state_close (&self);
        return NULL;
    }
    //  Every tip touches a few pages of many: keep them, 2 MiB is too little for a busy district.
    //  The WAL is copied back seldom, since the same pages change again and again.
    store_exec (self->db, "PRAGMA cache_size = -32768");
    store_exec (self->db, "PRAGMA wal_autocheckpoint = 8000");
    for (int i = 0; i < Q_COUNT; i++)
        self->q [i] = store_prepare (self->db, s_sql [i]);
    self->writer = storewriter_new (self->db, self->q, Q_COUNT);
    if (s_load_members (self) || s_load_origins (self) || s_load_feeds (self)) {
        fprintf (stderr, "<3>state: %s is damaged; remove it and start again: it is rebuilt from the log\n", path);
        state_close (&self);
        return NULL;
    }
    self->applied = (uint64_t)state_value (self, "applied");
    self->log_time = state_value (self, "log_time");
    return self;
}

void state_close (state_t **self_p)
{
    state_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    if (self->open && !state_failed (self))
        state_commit (self, 0, true);
    storewriter_destroy (&self->writer);
    for (int i = 0; i < Q_COUNT; i++)
        sqlite3_finalize (self->q [i]);
    if (self->db && !sqlite3_get_autocommit (self->db))
        store_exec (self->db, "ROLLBACK");
    if (self->db)
        store_close (&self->db);
    free (self->dirty_ids);
    free (self);
}

void state_on_delivered (state_t *self, state_delivered_fn *fn, void *context)
{
    self->on_delivered = fn;
    self->on_delivered_context = context;
}

uint64_t state_applied (const state_t *self)
{
    return self->applied;
}

int64_t state_log_time (const state_t *self)
{
    return self->log_time;
}

//  ---- committing

int state_begin (state_t *self)
{
    if (self->open)
        return 0;
    if (storewriter_put (self->writer, STOREWRITER_BEGIN, self->applied, ""))
        return -1;
    self->open = true;
    self->commit_due_ms = 0;
    return 0;
}

int state_write (state_t *self, int query, const char *types, ...)
{
    va_list args;
    va_start (args, types);
    int rc = storewriter_vput (self->writer, query, self->applying, types, args);
    va_end (args);
    return rc;
}

int state_set_value (state_t *self, const char *key, int64_t value)
{
    return state_write (self, Q_META_SET, "si", key, value);
}

int state_set_blob (state_t *self, const char *key, ProtobufCBinaryData value)
{
    return state_write (self, Q_META_SET, "sb", key, value.data, value.len);
}

void state_touch (state_t *self, uint32_t device, origin_t *origin)
{
    if (origin->dirty)
        return;
    origin->dirty = true;
    if (self->dirty_count == self->dirty_room) {
        self->dirty_room = self->dirty_room ? self->dirty_room * 2 : 64;
        self->dirty_ids = realloc (self->dirty_ids, (size_t)self->dirty_room * sizeof *self->dirty_ids);
        if (!self->dirty_ids)
            abort ();
    }
    self->dirty_ids [self->dirty_count].device = device;
    self->dirty_ids [self->dirty_count++].epoch = origin->epoch;
}

static int s_write_origin (state_t *self, uint32_t device, origin_t *origin)
{
    size_t durable_size = intervals_packed_size (&origin->durable),
           delivered_size = intervals_packed_size (&origin->delivered);
    uint8_t *bytes = malloc (durable_size + delivered_size + 1);
    if (!bytes)
        abort ();
    intervals_pack (&origin->durable, bytes, durable_size);
    intervals_pack (&origin->delivered, bytes + durable_size, delivered_size);
    int rc = state_write (self, Q_ORIGIN_SET, "iibbi", (int64_t)device, (int64_t)origin->epoch, bytes, durable_size,
        bytes + durable_size, delivered_size, origin->last_ms);
    free (bytes);
    origin->dirty = false;
    return rc;
}

static int s_write_all (state_t *self)
{
    for (int i = 0; i < self->dirty_count; i++) {
        member_t *member = members_get (self->members, self->dirty_ids [i].device);
        if (s_write_origin (self, member->number, member_origin (member, self->dirty_ids [i].epoch)))
            return -1;
    }
    self->dirty_count = 0;
    return state_set_value (self, "applied", (int64_t)self->applied) || state_set_value (self, "log_time", self->log_time)
            || storewriter_put (self->writer, STOREWRITER_COMMIT, self->applied, "")
        ? -1
        : 0;
}

static int s_cannot (state_t *self)
{
    if (!self->failed)
        fprintf (stderr, "<2>core: the state cannot be written; the core ends and is started again from the log\n");
    self->failed = true;
    return -1;
}

bool state_failed (const state_t *self)
{
    return self->failed || storewriter_failed (self->writer);
}

int state_commit (state_t *self, int64_t now_ms, bool force)
{
    if (state_failed (self))
        return s_cannot (self);
    if (self->open && !self->commit_due_ms)
        self->commit_due_ms = now_ms + COMMIT_EVERY_MS;
    if (self->open && (force || self->uncommitted >= COMMIT_EVERY || now_ms >= self->commit_due_ms)) {
        if (s_write_all (self))
            return s_cannot (self);
        self->open = false;
        self->uncommitted = 0;
    }
    storewriter_flush (self->writer, FLUSH_AT);
    return force && storewriter_settle (self->writer) ? s_cannot (self) : 0;
}

//  ---- asking

//  When a write has failed the tables are behind: what is decided from them is not used (state_failed).
sqlite3 *state_settled (state_t *self)
{
    storewriter_settle (self->writer);
    return self->db;
}

sqlite3_stmt *state_ask (state_t *self, int query)
{
    state_settled (self);
    return self->q [query];
}

bool state_taken (state_t *self, uint32_t device, uint64_t epoch, uint64_t counter, uint64_t tag, taken_t *out)
{
    sqlite3_stmt *st = state_ask (self, Q_TAKEN_GET);
    store_bind (st, "iiii", (int64_t)device, (int64_t)epoch, (int64_t)counter, (int64_t)tag);
    bool found = store_step (st) == 1;
    if (found)
        *out = (taken_t){ .tag = (uint64_t)store_int (st, 0),
            .incident = (uint64_t)store_int (st, 1),
            .seq = (uint64_t)store_int (st, 2),
            .version = (uint64_t)store_int (st, 3),
            .code = (uint32_t)store_int (st, 4) };
    sqlite3_reset (st);
    return found;
}

bool state_incident (state_t *self, uint64_t id, incident_t *out)
{
    sqlite3_stmt *st = state_ask (self, Q_INCIDENT_GET);
    store_bind (st, "i", (int64_t)id);
    bool found = store_step (st) == 1;
    if (found) {
        memset (out, 0, sizeof *out);
        out->id = id;
        out->seq = (uint64_t)store_int (st, 0);
        out->version = (uint64_t)store_int (st, 1);
        out->status = (status_t)store_int (st, 2);
        out->station = (uint32_t)store_int (st, 3);
        out->device = (uint32_t)store_int (st, 4);
        out->epoch = (uint64_t)store_int (st, 5);
        out->counter = (uint64_t)store_int (st, 6);
        out->at_ms = store_int (st, 7);
        out->updated_ms = store_int (st, 8);
        store_text (st, 9, out->by, sizeof out->by);
        store_text (st, 10, out->kind, sizeof out->kind);
        out->severity = (uint32_t)store_int (st, 11);
        out->cls = (uint32_t)store_int (st, 12);
        store_text (st, 13, out->copies, sizeof out->copies);
        store_text (st, 14, out->station_id, sizeof out->station_id);
        out->into = (uint64_t)store_int (st, 15);
        out->late = store_int (st, 16) != 0;
    }
    sqlite3_reset (st);
    return found;
}

bool state_has_incident (state_t *self, uint64_t id)
{
    sqlite3_stmt *st = state_ask (self, Q_INCIDENT_HAS);
    store_bind (st, "i", (int64_t)id);
    bool found = store_step (st) == 1;
    sqlite3_reset (st);
    return found;
}

void state_incident_bounds (state_t *self, uint64_t limit, uint64_t *below, uint64_t *from)
{
    //  Ids are stored signed: those of 2089 and later are negative, and lie beyond any limit of today.
    sqlite3_stmt *st = store_prepare (state_settled (self),
        "SELECT (SELECT max (id) FROM incident WHERE id >= 0 AND id < ?1), (SELECT min (id) FROM incident WHERE id >= ?1),"
        " EXISTS (SELECT 1 FROM incident WHERE id < 0)");
    store_bind (st, "i", (int64_t)limit);
    *below = 0;
    *from = UINT64_MAX;
    if (store_step (st) == 1) {
        *below = (uint64_t)store_int (st, 0); //  0 when null
        if (sqlite3_column_type (st, 1) != SQLITE_NULL)
            *from = (uint64_t)store_int (st, 1);
        else if (store_int (st, 2))
            *from = UINT64_C (1) << 63;
    }
    sqlite3_finalize (st);
}

void state_open_sos (state_t *self, state_sos_fn *fn, void *context)
{
    sqlite3_stmt *st = store_prepare (state_settled (self),
        "SELECT id FROM incident INDEXED BY incident_open WHERE status < 3 AND status = 0 AND cls = 0");
    while (store_step (st) == 1) {
        incident_t incident;
        if (state_incident (self, (uint64_t)store_int (st, 0), &incident))
            fn (context, &incident);
    }
    sqlite3_finalize (st);
}

int state_tips_of (state_t *self, uint64_t incident, tip_of_t *out, int room)
{
    incident_t found;
    if (room < 1 || !state_incident (self, incident, &found))
        return 0;
    out [0] = (tip_of_t){ found.device, found.epoch, found.counter };
    int count = 1;
    sqlite3_stmt *st = state_ask (self, Q_TIPS_OF);
    store_bind (st, "i", (int64_t)incident);
    while (count < room && store_step (st) == 1)
        out [count++] = (tip_of_t){ (uint32_t)store_int (st, 0), (uint64_t)store_int (st, 1), (uint64_t)store_int (st, 2) };
    sqlite3_reset (st);
    return count;
}

static int s_page (sqlite3_stmt *st, int64_t owner, uint64_t after, slot_t *out, int room)
{
    store_bind (st, "iii", owner, (int64_t)after, (int64_t)room);
    int count = 0;
    while (count < room && store_step (st) == 1)
        out [count++] = (slot_t){ .n = (uint64_t)store_int (st, 0),
            .seq = (uint64_t)store_int (st, 1),
            .epoch = (uint64_t)store_int (st, 2),
            .counter = (uint64_t)store_int (st, 3),
            .device = (uint32_t)store_int (st, 4), //  0 when null
            .copy = store_int (st, 5) != 0 };
    sqlite3_reset (st);
    return count;
}

int state_feed_page (state_t *self, const feed_t *feed, uint64_t after, slot_t *out, int room)
{
    int count = feed_recall (feed, after, out, room);
    return count >= 0 ? count : s_page (state_ask (self, Q_FEED_PAGE), feed->number, after, out, room);
}

int state_inbox_page (state_t *self, uint32_t device, uint64_t after, slot_t *out, int room)
{
    return s_page (state_ask (self, Q_INBOX_PAGE), device, after, out, room);
}

uint64_t state_cursor (state_t *self, uint32_t device)
{
    sqlite3_stmt *st = state_ask (self, Q_CURSOR_GET);
    store_bind (st, "i", (int64_t)device);
    uint64_t n = store_step (st) == 1 ? (uint64_t)store_int (st, 0) : 0;
    sqlite3_reset (st);
    return n;
}

int state_set_cursor (state_t *self, uint32_t device, uint64_t n, int64_t now_ms)
{
    if (state_begin (self))
        return -1;
    return state_write (self, Q_CURSOR_SET, "iii", (int64_t)device, (int64_t)n, now_ms);
}

void state_counts (state_t *self, uint32_t station, station_counts_t *out)
{
    memset (out, 0, sizeof *out);
    sqlite3_stmt *st = state_ask (self, Q_COUNTS);
    store_bind (st, "i", (int64_t)station);
    if (store_step (st) == 1) {
        out->open = (uint64_t)store_int (st, 0);
        out->unacknowledged = (uint64_t)store_int (st, 1);
        out->oldest_unacknowledged_ms = store_int (st, 2);
    }
    sqlite3_reset (st);
}

size_t state_blob_value (state_t *self, const char *key, uint8_t *out, size_t room)
{
    sqlite3_stmt *st = state_ask (self, Q_META_GET);
    store_bind (st, "s", key);
    size_t size = 0;
    if (store_step (st) == 1) {
        size = (size_t)sqlite3_column_bytes (st, 0);
        if (size > room)
            size = 0;
        if (size)
            memcpy (out, sqlite3_column_blob (st, 0), size);
    }
    sqlite3_reset (st);
    return size;
}

int64_t state_value (state_t *self, const char *key)
{
    sqlite3_stmt *st = state_ask (self, Q_META_GET);
    store_bind (st, "s", key);
    int64_t value = store_step (st) == 1 ? store_int (st, 0) : 0;
    sqlite3_reset (st);
    return value;
}

//  ---- digest

static void s_digest_table (sqlite3 *db, const char *sql, crypto_generichash_state *hash, uint64_t *rows)
{
    sqlite3_stmt *st = store_prepare (db, sql);
    while (store_step (st) == 1) {
        ++*rows;
        for (int i = 0; i < sqlite3_column_count (st); i++) {
            const void *bytes = sqlite3_column_blob (st, i);
            uint32_t size = (uint32_t)sqlite3_column_bytes (st, i);
            crypto_generichash_update (hash, (uint8_t *)&size, sizeof size);
            if (size)
                crypto_generichash_update (hash, bytes, size);
        }
    }
    sqlite3_finalize (st);
}

int state_digest (state_t *self, uint8_t digest [32], char *counts, size_t room)
{
    static const struct {
        const char *name, *sql;
    } tables [] = {
        { "members", "SELECT * FROM member ORDER BY number" },
        { "invitations", "SELECT * FROM invitation ORDER BY token_hash" },
        { "origins", "SELECT * FROM origin ORDER BY device, epoch" },
        { "stations", "SELECT * FROM station ORDER BY number" },
        { "taken", "SELECT * FROM taken ORDER BY device, epoch, counter, tag" },
        { "incidents", "SELECT * FROM incident ORDER BY id" },
        { "history", "SELECT * FROM history ORDER BY incident, seq" },
        { "pairs apart", "SELECT * FROM apart ORDER BY a, b" },
        { "feed items", "SELECT * FROM feed ORDER BY station, n" },
        { "inbox items", "SELECT * FROM inbox ORDER BY device, n" },
    };
    crypto_generichash_state hash;
    crypto_generichash_init (&hash, NULL, 0, 32);
    size_t used = 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables [0]; i++) {
        uint64_t rows = 0;
        s_digest_table (state_settled (self), tables [i].sql, &hash, &rows);
        if (used < room)
            used += (size_t)snprintf (
                counts + used, room - used, "%s%s %llu", i ? ", " : "", tables [i].name, (unsigned long long)rows);
    }
    crypto_generichash_final (&hash, digest, 32);
    return 0;
}
