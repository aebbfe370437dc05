//  outboxstate - the outbox's other half: receipts, deliveries, statuses, incarnations, forgetting

#include "outbox_private.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SET_RANGES 65536u //  in a set from the broker; it allows itself 64 gaps
#define SWEEP_ROWS 200    //  the budget sweep drops this many at a time

//  Text from the broker, cut to what we keep; it was checked there.
static const char *s_words (ProtobufCBinaryData data, char *out, size_t room)
{
    if (data.len == 0)
        return NULL;
    snprintf (out, room, "%.*s", (int)(data.len < room ? data.len : room - 1), (const char *)data.data);
    return out;
}

//  ---- receipts

void outbox_free_withdrawals (outbox_t *self, int64_t row, int open)
{
    int64_t rows [4];
    int count = outbox_withdrawals (self, row, rows);
    for (int index = 0; index < count; index++)
        outbox_set_open (self, rows [index], open);
    self->reopened += count > 0;
}

static bool s_repeats (const row_t *tip)
{
    return tip->cls == CLASS_SOS && tip->target == 0 && tip->state < TIP_ACKNOWLEDGED && !tip->withdrawing;
}

static void s_store_taken (outbox_t *self, int64_t row, const Patrol__Taken *taken)
{
    char station [33];
    store_bind (self->sql [TIP_TAKEN], "iisii", row, taken->at_ms ? taken->at_ms : 1,
        s_words (taken->station, station, sizeof station), (int64_t)taken->incident, taken->no_desk_since_ms);
    nodestore_run (self->store, self->sql [TIP_TAKEN]);
}

//  A signed word of the mesh had told that it is accepted, and not when.
static void s_correct_accepted (outbox_t *self, int64_t row, int64_t at_ms)
{
    for (int at = ACCEPTED_TIP; at <= ACCEPTED_HISTORY; at++) {
        store_bind (self->sql [at], "iii", row, at_ms, (int64_t)TIP_ACCEPTED);
        nodestore_run (self->store, self->sql [at]);
    }
    self->changes++;
}

static receipt_t s_accepted (outbox_t *self, row_t *tip, const Patrol__Taken *taken, int64_t now_ms)
{
    bool fresh = tip->state < TIP_ACCEPTED;
    char station [33];
    s_store_taken (self, tip->row, taken);
    if (fresh) {
        change_t change = { .at_ms = taken->at_ms ? taken->at_ms : now_ms,
            .station = s_words (taken->station, station, sizeof station) };
        outbox_set_state (self, tip->row, TIP_ACCEPTED, &change);
        tip->state = TIP_ACCEPTED;
        outbox_free_withdrawals (self, tip->row, 1);
        const origin_t *origin = outbox_origin (self, tip->epoch);
        if (origin && intervals_has (&origin->delivered, tip->counter))
            outbox_set_state (self, tip->row, TIP_DELIVERED, &change);
    } else if (taken->at_ms && tip->accepted_ms != taken->at_ms)
        s_correct_accepted (self, tip->row, taken->at_ms);
    bool repeats = s_repeats (tip);
    outbox_set_open (self, tip->row, repeats);
    if (fresh)
        return repeats ? RECEIPT_REPEATED : RECEIPT_ACCEPTED;
    return repeats ? RECEIPT_REPEATED : RECEIPT_SETTLED;
}

static void s_say_refused (outbox_t *self, int64_t row, const Patrol__Taken *taken)
{
    char detail [256];
    store_bind (self->sql [TIP_REFUSE], "iis", row, (int64_t)taken->code, s_words (taken->detail, detail, sizeof detail));
    nodestore_run (self->store, self->sql [TIP_REFUSE]);
}

static receipt_t s_refused (outbox_t *self, const row_t *tip, const Patrol__Taken *taken, int64_t now_ms)
{
    outbox_set_open (self, tip->row, 0);
    //  A new incarnation that refuses what the old one took does not undo what was confirmed.
    if (tip->state >= TIP_ACCEPTED)
        return RECEIPT_SETTLED;
    char detail [256];
    change_t change
        = { .at_ms = taken->at_ms ? taken->at_ms : now_ms, .detail = s_words (taken->detail, detail, sizeof detail) };
    outbox_set_state (self, tip->row, TIP_REFUSED, &change);
    s_say_refused (self, tip->row, taken);
    outbox_set_withdrawing (self, tip->row, false);
    outbox_free_withdrawals (self, tip->row, 0);
    store_bind (self->sql [SEALED_DROP], "i", tip->row);
    nodestore_run (self->store, self->sql [SEALED_DROP]);
    return RECEIPT_SETTLED;
}

static receipt_t s_withdrawal (outbox_t *self, const row_t *withdrawal, const Patrol__Taken *taken, int64_t now_ms)
{
    row_t tip;
    outbox_set_open (self, withdrawal->row, 0);
    store_bind (
        self->sql [TIP_TAKEN], "iisii", withdrawal->row, taken->at_ms ? taken->at_ms : 1, NULL, (int64_t)0, (int64_t)0);
    nodestore_run (self->store, self->sql [TIP_TAKEN]);
    if (!outbox_row (self, withdrawal->target, &tip))
        return RECEIPT_SETTLED;
    outbox_set_withdrawing (self, tip.row, false);
    self->changes++;
    if (taken->code == PATROL__CODE__OK) {
        change_t change = { .at_ms = taken->at_ms ? taken->at_ms : now_ms };
        if (tip.state < TIP_REFUSED)
            outbox_set_state (self, tip.row, TIP_WITHDRAWN, &change);
        return RECEIPT_SETTLED;
    }
    s_say_refused (self, tip.row, taken);
    tip.withdrawing = false;
    outbox_set_open (self, tip.row, s_repeats (&tip));
    self->reopened++;
    return RECEIPT_SETTLED;
}

receipt_t outbox_receipt (outbox_t *self, const Patrol__Taken *taken, int64_t now_ms, int64_t *row)
{
    row_t envelope;
    *row = 0;
    if (nodestore_begin (self->store) || !outbox_row_at (self, taken->epoch, taken->counter, &envelope))
        return RECEIPT_UNKNOWN;
    *row = envelope.row;
    //  Both may come right later: too many gaps, too far ahead.
    if (taken->code == PATROL__CODE__SLOW_DOWN || taken->code == PATROL__CODE__BAD_COUNTER)
        return RECEIPT_LATER;
    //  PROTOCOL.md 4, Receipts: "SHALL call a tip accepted only when code is OK and the tag is its own."
    if (taken->tag != envelope.tag)
        return RECEIPT_OTHER_TAG;
    if (envelope.target)
        return s_withdrawal (self, &envelope, taken, now_ms);
    if (taken->code == PATROL__CODE__OK)
        return s_accepted (self, &envelope, taken, now_ms);
    return s_refused (self, &envelope, taken, now_ms);
}

//  ---- a copied store

static void s_hold_for_ever (outbox_t *self, const row_t *envelope)
{
    store_bind (self->sql [TIP_REFUSE], "iis", envelope->row, (int64_t)PATROL__CODE__BAD_COUNTER,
        "the broker has two other tips under this tip's numbers; write it again");
    nodestore_run (self->store, self->sql [TIP_REFUSE]);
    outbox_set_open (self, envelope->row, 0);
    self->changes++;
}

bool outbox_reseal (outbox_t *self, int64_t row, int64_t now_ms)
{
    row_t envelope;
    if (nodestore_begin (self->store) || !outbox_row (self, row, &envelope) || envelope.open == 0
        || envelope.state >= TIP_ACCEPTED || envelope.accepted_ms != 0)
        return false;
    if (envelope.resent != 0) {
        s_hold_for_ever (self, &envelope);
        return false;
    }
    if (envelope.epoch == outbox_current (self)->epoch && outbox_begin_epoch (self, now_ms))
        return false;
    fprintf (stderr, "outbox: number %llu is taken by another tip of this device: this store is a copy; sealed again\n",
        (unsigned long long)envelope.counter);
    if (outbox_seal_again (self, row, NULL, now_ms) || !outbox_row (self, row, &envelope)) {
        nodestore_rollback (self->store);
        outbox_reload (self);
        return false;
    }
    outbox_ref_t ref = { .row = row, .epoch = envelope.epoch, .counter = envelope.counter };
    int64_t rows [4];
    int count = outbox_withdrawals (self, row, rows);
    for (int index = 0; index < count; index++)
        outbox_seal_again (self, rows [index], &ref, now_ms);
    self->changes++;
    self->reopened++;
    return true;
}

//  ---- deliveries

static void s_deliver_range (outbox_t *self, uint64_t epoch, interval_t range, int64_t at_ms)
{
    sqlite3_stmt *sql = self->sql [TIP_DELIVER];
    change_t change = { .at_ms = at_ms };
    int64_t rows [256];
    int count = 256;
    while (count == 256) {
        store_bind (sql, "iii", (int64_t)epoch, (int64_t)range.first, (int64_t)range.last);
        for (count = 0; count < 256 && store_step (sql) == 1; count++)
            rows [count] = store_int (sql, 0);
        sqlite3_reset (sql);
        for (int index = 0; index < count; index++)
            outbox_set_state (self, rows [index], TIP_DELIVERED, &change);
    }
}

void outbox_delivered (outbox_t *self, uint64_t epoch, const uint8_t *set, size_t size, int64_t at_ms)
{
    origin_t *origin = outbox_origin (self, epoch);
    intervals_t said = { 0 };
    if (!origin || size == 0 || intervals_unpack (&said, set, size, SET_RANGES))
        return;
    //  Only what is new: the set grows with every tip and would be walked again each time.
    intervals_t fresh = { 0 };
    intervals_copy (&fresh, &said);
    intervals_subtract (&fresh, &origin->delivered);
    intervals_merge (&origin->delivered, &said);
    if (fresh.count && nodestore_begin (self->store) == 0)
        for (uint32_t index = 0; index < fresh.count; index++)
            s_deliver_range (self, epoch, fresh.items [index], at_ms);
    intervals_clear (&said);
    intervals_clear (&fresh);
}

//  ---- statuses

static bool s_status_state (const char *status, tip_state_t *state)
{
    //  A reopened incident is in the hands of the one who reopened it.
    if (!strcmp (status, "acknowledged") || !strcmp (status, "open"))
        *state = TIP_ACKNOWLEDGED;
    else if (!strcmp (status, "dispatched"))
        *state = TIP_DISPATCHED;
    else if (!strcmp (status, "closed"))
        *state = TIP_CLOSED;
    else if (!strcmp (status, "withdrawn"))
        *state = TIP_WITHDRAWN;
    else
        return false;
    return true;
}

bool outbox_status (outbox_t *self, const outbox_status_t *status, int64_t *row)
{
    row_t tip;
    tip_state_t state;
    if (!s_status_state (status->status, &state) || !outbox_row_at (self, status->epoch, status->counter, &tip)
        || tip.accepted_ms == 0 || tip.target != 0 || tip.state >= TIP_REFUSED || status->version <= tip.version
        || nodestore_begin (self->store))
        return false;
    *row = tip.row;
    //  What came before it was heard of later, over the mesh: it was not later.
    store_bind (self->sql [BEFORE_STATUS], "iiii", tip.row, status->at_ms, (int64_t)TIP_ACCEPTED, (int64_t)TIP_DELIVERED);
    nodestore_run (self->store, self->sql [BEFORE_STATUS]);
    store_bind (self->sql [TIP_ACTOR], "iiss", tip.row, (int64_t)status->version, status->actor, status->station);
    nodestore_run (self->store, self->sql [TIP_ACTOR]);
    bool reopened = !strcmp (status->status, "open");
    if (state > tip.state || reopened) {
        change_t change = { .at_ms = status->at_ms,
            .actor = status->actor,
            .station = status->station,
            .detail = reopened ? "reopened" : NULL };
        outbox_set_state (self, tip.row, state, &change);
    }
    if (tip.cls != CLASS_SOS || tip.open == 0)
        return false;
    outbox_set_open (self, tip.row, 0);
    return true;
}

//  ---- what Attached says

void outbox_origin_state (outbox_t *self, const Patrol__OriginState *state, int64_t broker_ms, int64_t now_ms)
{
    const origin_t *current = outbox_current (self);
    //  PROTOCOL.md 4, Attach: "A device whose next counter is not above `highest` SHALL begin a new epoch."
    if (state->epoch == current->epoch && state->highest >= current->next) {
        fprintf (stderr,
            "outbox: the broker has number %llu of this device, the store would give %llu next: a copy or "
            "restored; new epoch\n",
            (unsigned long long)state->highest, (unsigned long long)current->next);
        if (nodestore_begin (self->store) == 0)
            outbox_begin_epoch (self, now_ms);
    }
    outbox_delivered (self, state->epoch, state->delivered.data, state->delivered.len, broker_ms);
}

static bool s_in_taken (const Patrol__Attached *attached, const intervals_t *sets, uint64_t epoch, uint64_t counter)
{
    for (size_t index = 0; index < attached->n_origins && index < 4; index++)
        if (attached->origins [index]->epoch == epoch && intervals_has (&sets [index], counter))
            return true;
    return false;
}

//  One page of kept envelopes after *after: collects those the broker does not have. Returns how many were looked at.
static int s_kept_page (outbox_t *self, const Patrol__Attached *attached, const intervals_t *sets, int64_t *after)
{
    sqlite3_stmt *sql = self->sql [TIP_KEPT];
    int64_t rows [500];
    int seen = 0, count = 0;
    store_bind (sql, "i", *after);
    while (seen < 500 && store_step (sql) == 1) {
        *after = store_int (sql, 0);
        seen++;
        if (!s_in_taken (attached, sets, (uint64_t)store_int (sql, 1), (uint64_t)store_int (sql, 2)))
            rows [count++] = *after;
    }
    sqlite3_reset (sql);
    for (int index = 0; index < count; index++) {
        store_bind (self->sql [TIP_REOPEN], "i", rows [index]);
        nodestore_run (self->store, self->sql [TIP_REOPEN]);
    }
    return seen;
}

//  PROTOCOL.md 4, Incarnation: "SHALL offer again every tip accepted in the last 7 days". What the new incarnation
//  says it has was confirmed to be ours by the receipts of the old one, and needs no second offer.
void outbox_new_incarnation (outbox_t *self, const Patrol__Attached *attached)
{
    if (nodestore_begin (self->store))
        return;
    intervals_t sets [4] = { { 0 } };
    for (size_t index = 0; index < attached->n_origins && index < 4; index++)
        intervals_unpack (
            &sets [index], attached->origins [index]->taken.data, attached->origins [index]->taken.len, SET_RANGES);
    int64_t after = 0;
    while (s_kept_page (self, attached, sets, &after) == 500)
        ;
    for (int index = 0; index < 4; index++)
        intervals_clear (&sets [index]);
}

uint64_t outbox_done_below (outbox_t *self, uint64_t epoch)
{
    const origin_t *origin = outbox_origin (self, epoch);
    sqlite3_stmt *sql = self->sql [UNSETTLED_FIRST];
    uint64_t below = origin ? origin->next : 0;
    store_bind (sql, "i", (int64_t)epoch);
    if (store_step (sql) == 1 && sqlite3_column_type (sql, 0) != SQLITE_NULL)
        below = (uint64_t)store_int (sql, 0);
    sqlite3_reset (sql);
    return below;
}

//  ---- forgetting

static void s_within_budget (outbox_t *self)
{
    sqlite3_stmt *sum = self->sql [SEALED_SIZE];
    for (int64_t size = INT64_MAX; size > OUTBOX_SEALED_BUDGET;) {
        size = store_step (sum) == 1 ? store_int (sum, 0) : 0;
        sqlite3_reset (sum);
        if (size <= OUTBOX_SEALED_BUDGET)
            return;
        store_bind (self->sql [SEALED_OLDEST], "i", (int64_t)SWEEP_ROWS);
        if (nodestore_run (self->store, self->sql [SEALED_OLDEST]))
            return;
    }
}

void outbox_forget (outbox_t *self, int64_t now_ms)
{
    if (nodestore_begin (self->store))
        return;
    store_bind (self->sql [SEALED_OLD], "i", now_ms - OUTBOX_SEALED_MS);
    nodestore_run (self->store, self->sql [SEALED_OLD]);
    s_within_budget (self);
    store_bind (self->sql [FORGET_TIPS], "i", now_ms - OUTBOX_MEMORY_MS);
    nodestore_run (self->store, self->sql [FORGET_TIPS]);
    if (sqlite3_changes (nodestore_db (self->store)) > 0) {
        nodestore_run (self->store, self->sql [FORGET_HISTORY]);
        nodestore_run (self->store, self->sql [FORGET_SEALED]);
    }
    store_bind (self->sql [ORIGIN_FORGET], "i", (int64_t)outbox_current (self)->epoch);
    nodestore_run (self->store, self->sql [ORIGIN_FORGET]);
}
