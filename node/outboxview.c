//  outboxview - the outbox as people are told about it: names, ids, rows, history

#include "outbox_private.h"

#include <string.h>

static const struct {
    tip_state_t state;
    const char *name;
} s_names [] = { { TIP_HELD, "held" }, { TIP_CARRIED, "carried" }, { TIP_ACCEPTED, "accepted" },
    { TIP_DELIVERED, "delivered" }, { TIP_ACKNOWLEDGED, "acknowledged" }, { TIP_DISPATCHED, "dispatched" },
    { TIP_CLOSED, "closed" }, { TIP_REFUSED, "refused" }, { TIP_WITHDRAWN, "withdrawn" } };

const char *tip_state_name (tip_state_t state)
{
    for (size_t index = 0; index < sizeof s_names / sizeof *s_names; index++)
        if (s_names [index].state == state)
            return s_names [index].name;
    return "held";
}

int tip_state_parse (tip_state_t *state, const char *name)
{
    for (size_t index = 0; index < sizeof s_names / sizeof *s_names; index++)
        if (s_names [index].state < TIP_REFUSED && !strcmp (s_names [index].name, name)) {
            *state = s_names [index].state;
            return 0;
        }
    return -1;
}

//  ---- ids

//  Steps a bound statement that tells row, epoch, counter, number.
static int s_find (sqlite3_stmt *sql, outbox_ref_t *ref)
{
    int rc = -1;
    if (store_step (sql) == 1) {
        ref->row = store_int (sql, 0);
        ref->epoch = (uint64_t)store_int (sql, 1);
        ref->counter = (uint64_t)store_int (sql, 2);
        ref->number = (uint64_t)store_int (sql, 3);
        rc = 0;
    }
    sqlite3_reset (sql);
    return rc;
}

int outbox_find (outbox_t *self, const char *tip_id, outbox_ref_t *ref)
{
    uint64_t number;
    if (id64_parse (&number, tip_id, strlen (tip_id)))
        return -1;
    store_bind (self->sql [TIP_FIND], "i", (int64_t)number);
    return s_find (self->sql [TIP_FIND], ref);
}

int outbox_find_sos (outbox_t *self, outbox_ref_t *ref)
{
    return s_find (self->sql [TIP_SOS], ref);
}

uint64_t outbox_number (outbox_t *self, uint64_t epoch, uint64_t counter)
{
    row_t row;
    return outbox_row_at (self, epoch, counter, &row) ? row.number : tip_number (self->device_key, epoch, counter);
}

//  ---- rows

static void s_fill (sqlite3_stmt *sql, outbox_tip_t *tip)
{
    tip->row = store_int (sql, 0);
    tip->epoch = (uint64_t)store_int (sql, 1);
    tip->counter = (uint64_t)store_int (sql, 2);
    tip->number = (uint64_t)store_int (sql, 3);
    tip->resent = (uint64_t)store_int (sql, 4);
    tip->incident = (uint64_t)store_int (sql, 5);
    tip->cls = (class_t)store_int (sql, 6);
    tip->severity = (uint32_t)store_int (sql, 7);
    tip->code = (uint32_t)store_int (sql, 8);
    tip->state = (tip_state_t)store_int (sql, 9);
    tip->written_ms = store_int (sql, 10);
    tip->since_ms = store_int (sql, 11);
    tip->accepted_ms = store_int (sql, 12);
    tip->no_desk_ms = store_int (sql, 13);
    tip->withdrawing = store_int (sql, 14) != 0;
    tip->open = store_int (sql, 15) != 0;
    store_text (sql, 16, tip->kind, sizeof tip->kind);
    store_text (sql, 17, tip->station, sizeof tip->station);
    store_text (sql, 18, tip->actor, sizeof tip->actor);
    store_text (sql, 19, tip->detail, sizeof tip->detail);
    store_text (sql, 20, tip->place, sizeof tip->place);
    tip->text = (const char *)sqlite3_column_text (sql, 21);
    tip->carriers = (uint32_t)store_int (sql, 22);
    tip->hops = (int)store_int (sql, 23);
}

int64_t outbox_each (outbox_t *self, int64_t after, int64_t only, int limit, outbox_tip_fn *tell, void *context)
{
    sqlite3_stmt *sql = self->sql [EACH];
    bool more = true;
    store_bind (sql, "ii", only > 0 ? only - 1 : after, (int64_t)(only > 0 ? 1 : limit));
    while (more && store_step (sql) == 1) {
        outbox_tip_t tip;
        s_fill (sql, &tip);
        if (only > 0 && tip.row != only)
            break;
        after = tip.row;
        more = tell (context, &tip);
    }
    sqlite3_reset (sql);
    return after;
}

void outbox_history (outbox_t *self, int64_t row, outbox_change_fn *tell, void *context)
{
    sqlite3_stmt *sql = self->sql [HISTORY_GET];
    store_bind (sql, "i", row);
    while (store_step (sql) == 1) {
        outbox_change_t change = { .at_ms = store_int (sql, 0), .state = (tip_state_t)store_int (sql, 1) };
        store_text (sql, 2, change.actor, sizeof change.actor);
        store_text (sql, 3, change.station, sizeof change.station);
        store_text (sql, 4, change.detail, sizeof change.detail);
        tell (context, &change);
    }
    sqlite3_reset (sql);
}

uint64_t outbox_waiting (outbox_t *self)
{
    sqlite3_stmt *sql = self->sql [WAITING];
    uint64_t count = store_step (sql) == 1 ? (uint64_t)store_int (sql, 0) : 0;
    sqlite3_reset (sql);
    return count;
}

tip_state_t outbox_state (outbox_t *self, int64_t row)
{
    row_t tip;
    return outbox_row (self, row, &tip) ? tip.state : TIP_HELD;
}

uint64_t outbox_changes (const outbox_t *self)
{
    return self->changes;
}

uint64_t outbox_reopened (const outbox_t *self)
{
    return self->reopened;
}

bool outbox_import_new (outbox_t *self, const uint8_t *key, size_t size)
{
    sqlite3_stmt *sql = self->sql [IMPORT_ADD];
    if (nodestore_begin (self->store))
        return false;
    store_bind (sql, "b", key, size);
    return nodestore_run (self->store, sql) == 0 && sqlite3_changes (nodestore_db (self->store)) > 0;
}
