//  nodestore - HOME/outbox.db: the node's one file, its schema, its transactions

#include "nodestore.h"

#include <assert.h>
#include <stdlib.h>

struct nodestore_t {
    sqlite3 *db;
    sqlite3_stmt *fact_get, *fact_set;
    bool open;   //  a transaction of ours is running
    bool spoilt; //  a statement in it failed
    bool full;   //  the last failed commit failed for want of room
};

//  tips.target is the row a withdrawal is about, 0 for a tip itself. tips.open: 1 = to be offered to the broker,
//  2 = a withdrawal that waits until its tip is taken, 0 = settled. tips.number is the public number, which the person
//  was told: a tip that had to be sealed again under a new epoch keeps it, and has the new one in tips.resent.
static const char *const s_steps []
    = { "CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE origins (epoch INTEGER PRIMARY KEY, next INTEGER NOT NULL, made_ms INTEGER NOT NULL);"
        "CREATE TABLE tips ("
        " row INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, counter INTEGER NOT NULL, tag INTEGER NOT NULL,"
        " target INTEGER NOT NULL, cls INTEGER NOT NULL, kind TEXT NOT NULL, severity INTEGER NOT NULL,"
        " text TEXT, place TEXT, size INTEGER NOT NULL, written_ms INTEGER NOT NULL,"
        " state INTEGER NOT NULL, since_ms INTEGER NOT NULL, open INTEGER NOT NULL,"
        " withdrawing INTEGER NOT NULL DEFAULT 0, accepted_ms INTEGER NOT NULL DEFAULT 0,"
        " no_desk_ms INTEGER NOT NULL DEFAULT 0, incident INTEGER NOT NULL DEFAULT 0,"
        " version INTEGER NOT NULL DEFAULT 0, code INTEGER NOT NULL DEFAULT 0,"
        " station TEXT, actor TEXT, detail TEXT,"
        " number INTEGER NOT NULL, resent INTEGER NOT NULL DEFAULT 0);"
        "CREATE UNIQUE INDEX tips_identity ON tips (epoch, counter);"
        "CREATE INDEX tips_open ON tips (cls, row) WHERE open = 1;"
        "CREATE INDEX tips_unsettled ON tips (epoch, counter) WHERE open > 0;"
        "CREATE INDEX tips_target ON tips (target) WHERE target > 0;"
        "CREATE INDEX tips_number ON tips (number) WHERE target = 0;"
        "CREATE INDEX tips_resent ON tips (resent) WHERE target = 0 AND resent <> 0;"
        "CREATE TABLE sealed (row INTEGER PRIMARY KEY, bytes BLOB NOT NULL);"
        "CREATE TABLE history (row INTEGER PRIMARY KEY, tip INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
        " state INTEGER NOT NULL, actor TEXT, station TEXT, detail TEXT);"
        "CREATE INDEX history_tip ON history (tip);"
        "CREATE TABLE inbox (row INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, type INTEGER NOT NULL,"
        " incident INTEGER NOT NULL, version INTEGER NOT NULL, epoch INTEGER NOT NULL, counter INTEGER NOT NULL,"
        " status TEXT, actor TEXT, station TEXT, answer TEXT,"
        " UNIQUE (incident, version, type, epoch, counter));"
        "CREATE INDEX inbox_tip ON inbox (epoch, counter);"
        "CREATE TABLE imported (key BLOB PRIMARY KEY) WITHOUT ROWID;",
          //  The mesh. at_ms: wall clock at which age_ms was true, boot_ms: the same by the clock since boot `boot`.
          "ALTER TABLE tips ADD COLUMN carriers INTEGER NOT NULL DEFAULT 0;"
          "ALTER TABLE tips ADD COLUMN hops INTEGER NOT NULL DEFAULT -1;"
          "CREATE TABLE mesh_tips (mid BLOB PRIMARY KEY, row INTEGER NOT NULL, origin BLOB NOT NULL, cls INTEGER NOT NULL,"
          " passive INTEGER NOT NULL, hops INTEGER NOT NULL, tokens INTEGER NOT NULL, best INTEGER NOT NULL,"
          " size INTEGER NOT NULL, life_s INTEGER NOT NULL, age_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
          " boot_ms INTEGER NOT NULL, boot INTEGER NOT NULL, source BLOB NOT NULL) WITHOUT ROWID;"
          "CREATE TABLE mesh_sealed (mid BLOB PRIMARY KEY, bytes BLOB NOT NULL);"
          "CREATE TABLE mesh_epochs (series INTEGER, number INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (series, number));"
          "CREATE TABLE mesh_words (name TEXT PRIMARY KEY, number INTEGER NOT NULL, bytes BLOB NOT NULL) WITHOUT ROWID;"
          "CREATE TABLE mesh_letters (handle BLOB PRIMARY KEY, day INTEGER NOT NULL, number INTEGER NOT NULL,"
          " until_ms INTEGER NOT NULL, copies INTEGER NOT NULL, bytes BLOB NOT NULL) WITHOUT ROWID;"
          "CREATE TABLE mesh_reach (row INTEGER PRIMARY KEY, handle BLOB NOT NULL UNIQUE, day INTEGER NOT NULL);",
          "ALTER TABLE mesh_tips DROP COLUMN passive;", NULL };

nodestore_t *nodestore_open (const char *path)
{
    nodestore_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->db = store_open (path, STORE_FULL, s_steps);
    if (!self->db) {
        nodestore_close (&self);
        return NULL;
    }
    //  A node is a small device: half a megabyte of pages is plenty for rows that are touched once or twice.
    store_exec (self->db, "PRAGMA cache_size = -512");
    self->fact_get = store_prepare (self->db, "SELECT value FROM facts WHERE name = ?1");
    self->fact_set = store_prepare (self->db, "INSERT INTO facts VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2");
    return self;
}

void nodestore_close (nodestore_t **self_p)
{
    nodestore_t *self = *self_p;
    if (!self)
        return;
    if (self->open)
        nodestore_rollback (self);
    sqlite3_finalize (self->fact_get);
    sqlite3_finalize (self->fact_set);
    if (self->db)
        store_close (&self->db);
    free (self);
    *self_p = NULL;
}

int nodestore_begin (nodestore_t *self)
{
    if (self->open)
        return 0;
    if (store_exec (self->db, "BEGIN IMMEDIATE"))
        return -1;
    self->open = true;
    self->spoilt = self->full = false;
    return 0;
}

int nodestore_commit (nodestore_t *self)
{
    if (!self->open)
        return 0;
    //  A full disk can make SQLite roll back by itself in the middle: then there is nothing left to commit.
    bool lost = sqlite3_get_autocommit (self->db);
    if (!lost && !self->spoilt) {
        if (store_exec (self->db, "COMMIT") == 0) {
            self->open = false;
            return 0;
        }
        self->full = (sqlite3_errcode (self->db) & 0xff) == SQLITE_FULL;
    }
    self->full = self->full || (lost && !self->spoilt);
    nodestore_rollback (self);
    return -1;
}

void nodestore_rollback (nodestore_t *self)
{
    if (self->open && !sqlite3_get_autocommit (self->db))
        store_exec (self->db, "ROLLBACK");
    self->open = false;
}

bool nodestore_is_open (const nodestore_t *self)
{
    return self->open;
}

bool nodestore_was_full (const nodestore_t *self)
{
    return self->full;
}

int64_t nodestore_fact (nodestore_t *self, const char *name)
{
    store_bind (self->fact_get, "s", name);
    int64_t value = 0;
    if (store_step (self->fact_get) == 1)
        value = store_int (self->fact_get, 0);
    sqlite3_reset (self->fact_get);
    return value;
}

void nodestore_set_fact (nodestore_t *self, const char *name, int64_t value)
{
    assert (self->open);
    store_bind (self->fact_set, "si", name, value);
    nodestore_run (self, self->fact_set);
}

int nodestore_run (nodestore_t *self, sqlite3_stmt *statement)
{
    assert (self->open);
    //  A full disk makes SQLite roll back by itself: what came after would be committed alone, one by one.
    if (self->spoilt)
        return -1;
    if (store_run (statement) == 0)
        return 0;
    self->full = (sqlite3_errcode (self->db) & 0xff) == SQLITE_FULL;
    self->spoilt = true;
    return -1;
}

sqlite3 *nodestore_db (nodestore_t *self)
{
    return self->db;
}
