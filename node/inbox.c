//  inbox - what came back to this node: statuses and answers to its tips

#include "inbox.h"

#include <stdlib.h>
#include "utf8.h"

struct inbox_t {
    nodestore_t *store; //  borrowed
    sqlite3_stmt *add, *each, *of, *forget;
};

#define COLUMNS "row, at_ms, type, incident, version, epoch, counter, status, actor, station, answer"

inbox_t *inbox_open (nodestore_t *store)
{
    inbox_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    sqlite3 *db = nodestore_db (store);
    self->store = store;
    self->add = store_prepare (db,
        "INSERT OR IGNORE INTO inbox (at_ms, type, incident, version, epoch, counter, status, "
        "actor, station, answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
    self->each = store_prepare (db, "SELECT " COLUMNS " FROM inbox WHERE row > ?1 ORDER BY row LIMIT ?2");
    self->of = store_prepare (db, "SELECT " COLUMNS " FROM inbox WHERE epoch = ?1 AND counter = ?2 ORDER BY version");
    self->forget = store_prepare (db, "DELETE FROM inbox WHERE at_ms < ?1");
    return self;
}

void inbox_close (inbox_t **self_p)
{
    inbox_t *self = *self_p;
    if (!self)
        return;
    sqlite3_finalize (self->add);
    sqlite3_finalize (self->each);
    sqlite3_finalize (self->of);
    sqlite3_finalize (self->forget);
    free (self);
    *self_p = NULL;
}

//  What the broker sent is shown to a person: a text that is not fit to be shown is left out.
static char *s_words (ProtobufCBinaryData data, size_t max)
{
    if (data.len == 0 || utf8_check (data.data, data.len, max, true) != UTF8_OK)
        return NULL;
    char *words = malloc (data.len + 1);
    if (!words)
        abort ();
    for (size_t index = 0; index < data.len; index++)
        words [index] = (char)data.data [index];
    words [data.len] = 0;
    return words;
}

bool inbox_add (inbox_t *self, const Patrol__Item *item)
{
    if (nodestore_begin (self->store))
        return false;
    char *status = s_words (item->status, 32);
    char *actor = s_words (item->actor, NAME_MAX_BYTES);
    char *station = s_words (item->station, NAME_MAX_BYTES);
    char *answer = s_words (item->answer, TEXT_MAX);
    store_bind (self->add, "iiiiiissss", item->at_ms, (int64_t)item->type, (int64_t)item->incident, (int64_t)item->version,
        (int64_t)item->tip_epoch, (int64_t)item->own_counter, status, actor, station, answer);
    bool fresh = nodestore_run (self->store, self->add) == 0 && sqlite3_changes (nodestore_db (self->store)) > 0;
    free (status);
    free (actor);
    free (station);
    free (answer);
    return fresh;
}

static int64_t s_tell (sqlite3_stmt *sql, int64_t last, inbox_fn *tell, void *context)
{
    while (store_step (sql) == 1) {
        inbox_item_t item = { .row = store_int (sql, 0),
            .at_ms = store_int (sql, 1),
            .type = (int)store_int (sql, 2),
            .incident = (uint64_t)store_int (sql, 3),
            .version = (uint64_t)store_int (sql, 4),
            .epoch = (uint64_t)store_int (sql, 5),
            .counter = (uint64_t)store_int (sql, 6),
            .status = (const char *)sqlite3_column_text (sql, 7),
            .actor = (const char *)sqlite3_column_text (sql, 8),
            .station = (const char *)sqlite3_column_text (sql, 9),
            .answer = (const char *)sqlite3_column_text (sql, 10) };
        last = item.row;
        tell (context, &item);
    }
    sqlite3_reset (sql);
    return last;
}

int64_t inbox_each (inbox_t *self, int64_t after, int limit, inbox_fn *tell, void *context)
{
    store_bind (self->each, "ii", after, (int64_t)limit);
    return s_tell (self->each, after, tell, context);
}

void inbox_each_of (inbox_t *self, uint64_t epoch, uint64_t counter, inbox_fn *tell, void *context)
{
    store_bind (self->of, "ii", (int64_t)epoch, (int64_t)counter);
    s_tell (self->of, 0, tell, context);
}

void inbox_forget (inbox_t *self, int64_t before_ms)
{
    if (nodestore_begin (self->store))
        return;
    store_bind (self->forget, "i", before_ms);
    nodestore_run (self->store, self->forget);
}

const char *inbox_type_name (int type)
{
    switch ((Patrol__ItemType)type) {
    case PATROL__ITEM_TYPE__ITEM_TIP:
        return "tip";
    case PATROL__ITEM_TYPE__ITEM_STATUS:
        return "status";
    case PATROL__ITEM_TYPE__ITEM_PLACED:
        return "placed";
    case PATROL__ITEM_TYPE__ITEM_DELIVERED:
        return "delivered";
    case PATROL__ITEM_TYPE__ITEM_ADMIN:
    case PATROL__ITEM_TYPE__ITEM_MERGE:
    case PATROL__ITEM_TYPE__ITEM_SPLIT:
    case PATROL__ITEM_TYPE__ITEM_NONE:
    case _PATROL__ITEM_TYPE_IS_INT_SIZE:
        break;
    }
    return "other";
}
