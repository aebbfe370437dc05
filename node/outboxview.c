//  outboxview - the outbox as people are told about it: names, ids, rows, history

#include "outbox_private.h"

#include <string.h>

static const struct {
    tip_state_t state;
    const char *name;
} s_names [] = {
    {TIP_HELD, "held"}, {TIP_ACCEPTED, "accepted"}, {TIP_DELIVERED, "delivered"}, {TIP_ACKNOWLEDGED, "acknowledged"},
    {TIP_DISPATCHED, "dispatched"}, {TIP_CLOSED, "closed"}, {TIP_REFUSED, "refused"}, {TIP_WITHDRAWN, "withdrawn"}
};

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

static int s_find (outbox_t *self, int statement, uint64_t epoch, uint64_t counter, outbox_ref_t *ref)
{
    sqlite3_stmt *sql = self->sql [statement];
    int rc = -1;
    store_bind (sql, "ii", (int64_t) epoch, (int64_t) counter);
    if (store_step (sql) == 1) {
        ref->row = store_int (sql, 0);
        ref->epoch = (uint64_t) store_int (sql, 1);
        ref->counter = (uint64_t) store_int (sql, 2);
        rc = 0;
    }
    sqlite3_reset (sql);
    return rc;
}

int outbox_find (outbox_t *self, const char *tip_id, outbox_ref_t *ref)
{
    uint64_t id, counter;
    if (tip_id_parse (&id, &counter, tip_id))
        return -1;
    for (int index = 0; index < self->origin_count; index++) {
        uint64_t epoch = self->origins [index].epoch;
        row_t row;
        if (self->origins [index].id != id)
            continue;
        if (s_find (self, TIP_WAS, epoch, counter, ref) == 0)
            return 0;
        if (s_find (self, TIP_AT, epoch, counter, ref) == 0)
            return outbox_row (self, ref->row, &row) && row.target == 0 ? 0 : -1;
    }
    return -1;
}

int outbox_find_sos (outbox_t *self, outbox_ref_t *ref)
{
    sqlite3_stmt *sql = self->sql [TIP_SOS];
    int rc = -1;
    if (store_step (sql) == 1) {
        ref->row = store_int (sql, 0);
        ref->epoch = (uint64_t) store_int (sql, 1);
        ref->counter = (uint64_t) store_int (sql, 2);
        rc = 0;
    }
    sqlite3_reset (sql);
    return rc;
}

void outbox_tip_id (outbox_t *self, char out [36], uint64_t epoch, uint64_t counter)
{
    const origin_t *origin = outbox_origin (self, epoch);
    tip_id_format (out, origin ? origin->id : origin_id (self->device_key, epoch), counter);
}

//  ---- rows

static void s_fill (sqlite3_stmt *sql, outbox_tip_t *tip)
{
    tip->row = store_int (sql, 0);
    tip->epoch = (uint64_t) store_int (sql, 1);
    tip->counter = (uint64_t) store_int (sql, 2);
    tip->was_epoch = (uint64_t) store_int (sql, 3);
    tip->was_counter = (uint64_t) store_int (sql, 4);
    tip->incident = (uint64_t) store_int (sql, 5);
    tip->cls = (class_t) store_int (sql, 6);
    tip->severity = (uint32_t) store_int (sql, 7);
    tip->code = (uint32_t) store_int (sql, 8);
    tip->state = (tip_state_t) store_int (sql, 9);
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
    tip->text = (const char *) sqlite3_column_text (sql, 21);
}

int64_t outbox_each (outbox_t *self, int64_t after, int64_t only, int limit, outbox_tip_fn *tell, void *context)
{
    sqlite3_stmt *sql = self->sql [EACH];
    bool more = true;
    store_bind (sql, "ii", only > 0 ? only - 1 : after, (int64_t) (only > 0 ? 1 : limit));
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
        outbox_change_t change = {.at_ms = store_int (sql, 0), .state = (tip_state_t) store_int (sql, 1)};
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
    uint64_t count = store_step (sql) == 1 ? (uint64_t) store_int (sql, 0) : 0;
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
