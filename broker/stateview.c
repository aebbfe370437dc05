//  stateview - the reading thread's connection to state.db

#include "stateview.h"

#include <stdlib.h>

#include "store.h"

//  The tables are state.c's; a reader only compares how many steps there are.
static const char *const s_steps [] = { "made by state.c", "merging", "late", NULL };

#define COLUMNS                                                                                                           \
    "i.id, i.seq, i.version, i.status, i.at, i.updated, s.id, i.kind, i.area, i.by, i.copies, i.lat, i.lon, i.severity, " \
    "i.cls, i.merged_into"

struct stateview_t {
    sqlite3 *db;
    sqlite3_stmt *members, *newest, *meta, *one, *all, *open, *history, *changes, *witnesses;
};

stateview_t *stateview_open (const char *path)
{
    stateview_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->db = store_open (path, STORE_READ, s_steps);
    if (!self->db) {
        stateview_close (&self);
        return NULL;
    }
    self->newest = store_prepare (self->db, "SELECT coalesce (max (number), 0) FROM member");
    self->members
        = store_prepare (self->db, "SELECT number, credential, name, at FROM member WHERE number > ?1 ORDER BY number");
    self->meta = store_prepare (
        self->db, "SELECT (SELECT value FROM meta WHERE key = 'applied'), (SELECT value FROM meta WHERE key = 'log_time')");
    self->one = store_prepare (
        self->db, "SELECT " COLUMNS " FROM incident i JOIN station s ON s.number = i.station WHERE i.id = ?1");
    self->all = store_prepare (self->db,
        "SELECT " COLUMNS " FROM incident i CROSS JOIN station s ON s.number = i.station"
        " WHERE i.id BETWEEN ?1 AND ?2 ORDER BY i.id LIMIT ?3");
    //  The open ones are few among the many: their ids come from the index alone, and only a page of them is looked up.
    self->open = store_prepare (self->db,
        "SELECT " COLUMNS " FROM (SELECT id FROM incident INDEXED BY incident_open"
        " WHERE status < 3 AND id BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3) o"
        " CROSS JOIN incident i ON i.id = o.id JOIN station s ON s.number = i.station ORDER BY o.id");
    self->history
        = store_prepare (self->db, "SELECT seq FROM history WHERE incident = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
    self->changes = store_prepare (
        self->db, "SELECT seq FROM history WHERE incident = ?1 AND device IS NULL ORDER BY seq DESC LIMIT ?2");
    //  Devices, not tips: who writes twice is one witness.
    self->witnesses = store_prepare (self->db,
        "SELECT count (DISTINCT device) FROM (SELECT device FROM history WHERE incident = ?1 AND device IS NOT NULL"
        " UNION ALL SELECT device FROM incident WHERE id = ?1)");
    return self;
}

void stateview_close (stateview_t **self_p)
{
    stateview_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    sqlite3_stmt *statements [] = { self->members, self->newest, self->meta, self->one, self->all, self->open, self->history,
        self->changes, self->witnesses };
    for (size_t i = 0; i < sizeof statements / sizeof statements [0]; i++)
        sqlite3_finalize (statements [i]);
    if (self->db)
        store_close (&self->db);
    free (self);
}

int stateview_members (stateview_t *self, members_t *members)
{
    int rc = store_step (self->newest);
    int64_t newest = rc == 1 ? store_int (self->newest, 0) : 0;
    sqlite3_reset (self->newest);
    if (rc < 0 || newest <= members_count (members))
        return rc < 0 ? -1 : 0;
    sqlite3_stmt *st = self->members;
    store_bind (st, "i", (int64_t)members_count (members));
    while ((rc = store_step (st)) == 1) {
        member_t member;
        char name [65];
        store_text (st, 2, name, sizeof name);
        if (members_from_credential (&member, (uint32_t)store_int (st, 0), sqlite3_column_blob (st, 1),
                (size_t)sqlite3_column_bytes (st, 1), name, store_int (st, 3))
            || !members_add (members, &member)) {
            rc = -1;
            break;
        }
    }
    sqlite3_reset (st);
    return rc;
}

int stateview_applied (stateview_t *self, uint64_t *seq, int64_t *log_time)
{
    int rc = store_step (self->meta);
    if (rc == 1) {
        *seq = (uint64_t)store_int (self->meta, 0);
        *log_time = store_int (self->meta, 1);
    }
    sqlite3_reset (self->meta);
    return rc == 1 ? 0 : -1;
}

static void s_view (sqlite3_stmt *st, incident_view_t *out)
{
    out->id = (uint64_t)store_int (st, 0);
    out->seq = (uint64_t)store_int (st, 1);
    out->version = (uint64_t)store_int (st, 2);
    out->status = (status_t)store_int (st, 3);
    out->at_ms = store_int (st, 4);
    out->updated_ms = store_int (st, 5);
    store_text (st, 6, out->station, sizeof out->station);
    store_text (st, 7, out->kind, sizeof out->kind);
    store_text (st, 8, out->area, sizeof out->area);
    store_text (st, 9, out->by, sizeof out->by);
    store_text (st, 10, out->copies, sizeof out->copies);
    out->has_position = sqlite3_column_type (st, 11) != SQLITE_NULL && sqlite3_column_type (st, 12) != SQLITE_NULL;
    out->lat_e7 = (int32_t)store_int (st, 11);
    out->lon_e7 = (int32_t)store_int (st, 12);
    out->severity = (uint32_t)store_int (st, 13);
    out->cls = (uint32_t)store_int (st, 14);
    out->into = (uint64_t)store_int (st, 15);
}

int stateview_incident (stateview_t *self, uint64_t id, incident_view_t *out)
{
    store_bind (self->one, "i", (int64_t)id);
    int rc = store_step (self->one);
    if (rc == 1)
        s_view (self->one, out);
    sqlite3_reset (self->one);
    return rc;
}

//  Ids low..high as SQLite compares them. -1 failed, 0 all seen, 1 stopped; *most is counted down.
static int s_range (sqlite3_stmt *st, int64_t low, int64_t high, int *most, incident_view_fn *fn, void *context)
{
    int rc = 0;
    store_bind (st, "iii", low, high, (int64_t)*most + 1);
    while ((rc = store_step (st)) == 1) {
        incident_view_t incident;
        s_view (st, &incident);
        if (*most == 0 || !fn (context, &incident))
            break;
        --*most;
    }
    sqlite3_reset (st);
    return rc;
}

int stateview_incidents (stateview_t *self, bool open_only, uint64_t after, int most, incident_view_fn *fn, void *context)
{
    sqlite3_stmt *st = open_only ? self->open : self->all;
    int rc = 0;
    //  A clock before 2020 makes ids with the top bit set: to SQLite they are negative, and come after all others here.
    if (after < INT64_MAX)
        rc = s_range (st, (int64_t)after + 1, INT64_MAX, &most, fn, context);
    if (rc == 0 && after < UINT64_MAX)
        rc = s_range (st, after > INT64_MAX ? (int64_t)(after + 1) : INT64_MIN, -1, &most, fn, context);
    return rc;
}

static int s_seqs (sqlite3_stmt *st, uint64_t *seqs, int room)
{
    int count = 0, rc = 0;
    while (count < room && (rc = store_step (st)) == 1)
        seqs [count++] = (uint64_t)store_int (st, 0);
    sqlite3_reset (st);
    return rc < 0 ? -1 : count;
}

int stateview_history (stateview_t *self, uint64_t incident, uint64_t after, uint64_t *seqs, int room)
{
    store_bind (self->history, "iii", (int64_t)incident, (int64_t)after, (int64_t)room);
    return s_seqs (self->history, seqs, room);
}

int stateview_changes (stateview_t *self, uint64_t incident, uint64_t *seqs, int room)
{
    store_bind (self->changes, "ii", (int64_t)incident, (int64_t)room);
    return s_seqs (self->changes, seqs, room);
}

int stateview_witnesses (stateview_t *self, uint64_t incident)
{
    store_bind (self->witnesses, "i", (int64_t)incident);
    int rc = store_step (self->witnesses), count = rc == 1 ? (int)store_int (self->witnesses, 0) : -1;
    sqlite3_reset (self->witnesses);
    return count;
}
