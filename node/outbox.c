//  outbox - what this node has written: numbered, sealed, kept, and how far each came
//
//  Here: writing, sealing, sending. outboxstate.c: what the broker says. outboxview.c: what people are told.

#include "outbox_private.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "timefmt.h"

#define ATTACH_ORIGINS 4

static int s_load_origins (outbox_t *self);

static const char *const s_sql [OUTBOX_STATEMENTS] = { [ORIGIN_ADD] = "INSERT INTO origins VALUES (?1, 1, ?2)",
    [ORIGIN_NEXT] = "UPDATE origins SET next = ?2 WHERE epoch = ?1",
    [ORIGIN_ALL]
    = "SELECT epoch, next FROM origins ORDER BY rowid = (SELECT value FROM facts WHERE name = 'epoch'), made_ms",
    [ORIGIN_FORGET] = "DELETE FROM origins WHERE epoch <> ?1 AND NOT EXISTS (SELECT 1 FROM tips WHERE tips.epoch = "
                      "origins.epoch)",
    [TIP_ADD] = "INSERT INTO tips (epoch, counter, tag, target, cls, kind, severity, text, place, size, written_ms, state, "
                "since_ms, open, number) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?11, ?12, ?13)",
    [TIP_MOVE] = "UPDATE tips SET epoch = ?2, counter = ?3, tag = ?4, open = ?5, size = ?6, resent = ?7 WHERE row = ?1",
    [TIP_GET] = "SELECT row, epoch, counter, tag, target, cls, state, withdrawing, version, number, resent, open, kind, "
                "accepted_ms FROM tips WHERE row = ?1",
    [TIP_AT] = "SELECT row, epoch, counter, tag, target, cls, state, withdrawing, version, number, resent, open, kind, "
               "accepted_ms FROM tips WHERE epoch = ?1 AND counter = ?2",
    [TIP_FIND] = "SELECT row, epoch, counter, number FROM tips WHERE target = 0 AND number = ?1 UNION ALL "
                 "SELECT row, epoch, counter, number FROM tips WHERE target = 0 AND resent <> 0 AND resent = ?1 LIMIT 1",
    [TIP_SOS]
    = "SELECT row, epoch, counter, number FROM tips WHERE cls = 0 AND target = 0 AND state < 6 AND withdrawing = 0 "
      "ORDER BY row DESC LIMIT 1",
    [TIP_STATE] = "UPDATE tips SET state = ?2, since_ms = ?3 WHERE row = ?1",
    [TIP_ACTOR]
    = "UPDATE tips SET version = ?2, actor = coalesce (?3, actor), station = coalesce (?4, station) WHERE row = ?1",
    [TIP_TAKEN] = "UPDATE tips SET accepted_ms = CASE accepted_ms WHEN 0 THEN ?2 ELSE accepted_ms END, "
                  "station = coalesce (?3, station), incident = CASE ?4 WHEN 0 THEN incident ELSE ?4 END, no_desk_ms = ?5, "
                  "text = NULL WHERE row = ?1",
    [TIP_REFUSE] = "UPDATE tips SET code = ?2, detail = ?3 WHERE row = ?1",
    [TIP_OPEN] = "UPDATE tips SET open = ?2 WHERE row = ?1",
    [TIP_WITHDRAWING] = "UPDATE tips SET withdrawing = ?2 WHERE row = ?1",
    [TIP_REOPEN]
    = "UPDATE tips SET open = 1 WHERE row = ?1 AND open = 0 AND EXISTS (SELECT 1 FROM sealed WHERE sealed.row = ?1)",
    [TIP_DELIVER] = "SELECT row FROM tips WHERE epoch = ?1 AND counter BETWEEN ?2 AND ?3 AND state = 2 AND target = 0",
    [TIP_KEPT] = "SELECT tips.row, epoch, counter FROM sealed JOIN tips ON tips.row = sealed.row WHERE open = 0 AND "
                 "accepted_ms > 0 AND tips.row > ?1 ORDER BY tips.row LIMIT 500",
    [WITHDRAWALS] = "SELECT row FROM tips INDEXED BY tips_target WHERE target = ?1 AND target > 0 AND open = 2",
    [SEALED_ADD] = "INSERT INTO sealed VALUES (?1, ?2)",
    [SEALED_SET] = "UPDATE sealed SET bytes = ?2 WHERE row = ?1",
    [SEALED_GET] = "SELECT bytes FROM sealed WHERE row = ?1",
    [SEALED_DROP] = "DELETE FROM sealed WHERE row = ?1",
    [SEALED_OLD] = "DELETE FROM sealed WHERE row IN (SELECT row FROM tips WHERE open = 0 AND accepted_ms > 0 AND "
                   "accepted_ms < ?1)",
    [SEALED_SIZE] = "SELECT coalesce (sum (size), 0) FROM tips JOIN sealed ON sealed.row = tips.row WHERE open = 0",
    [SEALED_OLDEST] = "DELETE FROM sealed WHERE row IN (SELECT tips.row FROM tips JOIN sealed ON sealed.row = tips.row "
                      "WHERE open = 0 ORDER BY tips.row LIMIT ?1)",
    [HISTORY_ADD] = "INSERT INTO history (tip, at_ms, state, actor, station, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [HISTORY_GET] = "SELECT at_ms, state, actor, station, detail FROM history WHERE tip = ?1 ORDER BY row",
    [OPEN_ENTRIES]
    = "SELECT row, epoch, counter, size, accepted_ms, written_ms FROM tips WHERE open = 1 AND cls = ?1 AND row > ?2 "
      "ORDER BY row LIMIT ?3",
    [UNSETTLED_ORIGINS] = "SELECT DISTINCT epoch FROM tips WHERE open > 0 LIMIT 8",
    [UNSETTLED_FIRST] = "SELECT min (counter) FROM tips WHERE open > 0 AND epoch = ?1",
    [WAITING] = "SELECT count (*) FROM tips WHERE open > 0",
    [EACH]
    = "SELECT row, epoch, counter, number, resent, incident, cls, severity, code, state, written_ms, since_ms, "
      "accepted_ms, no_desk_ms, withdrawing, open, kind, station, actor, detail, place, text, carriers, hops FROM tips "
      "WHERE row > ?1 AND target = 0 ORDER BY row LIMIT ?2",
    [FORGET_TIPS]
    = "DELETE FROM tips WHERE open = 0 AND since_ms < ?1 AND (state >= 6 OR accepted_ms > 0) AND accepted_ms < ?1",
    [FORGET_HISTORY] = "DELETE FROM history WHERE tip NOT IN (SELECT row FROM tips)",
    [FORGET_SEALED] = "DELETE FROM sealed WHERE row NOT IN (SELECT row FROM tips)",
    [IMPORT_ADD] = "INSERT OR IGNORE INTO imported VALUES (?1)",
    [MESH_CARRIER] = "UPDATE tips SET carriers = carriers + 1 WHERE row = ?1",
    [MESH_HOPS] = "UPDATE tips SET hops = ?3 WHERE epoch = ?1 AND counter = ?2",
    [MESH_WORD] = "UPDATE tips SET accepted_ms = ?2 WHERE row = ?1 AND accepted_ms = 0",
    [ACCEPTED_TIP] = "UPDATE tips SET accepted_ms = ?2, since_ms = CASE state WHEN ?3 THEN ?2 ELSE since_ms END"
                     " WHERE row = ?1",
    [ACCEPTED_HISTORY] = "UPDATE history SET at_ms = ?2 WHERE tip = ?1 AND state = ?3",
    [BEFORE_STATUS] = "UPDATE history SET at_ms = ?2 WHERE tip = ?1 AND state IN (?3, ?4) AND at_ms > ?2" };

//  ---- open and close

outbox_t *outbox_open (nodestore_t *store, const envelope_seal_t *seal, const uint8_t device_key [KEY_SIZE], int64_t now_ms)
{
    outbox_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->store = store;
    self->seal = *seal;
    memcpy (self->device_key, device_key, KEY_SIZE);
    self->arena = arena_new (ARENA_MESSAGE_SIZE);
    for (int index = 0; index < OUTBOX_STATEMENTS; index++)
        self->sql [index] = store_prepare (nodestore_db (store), s_sql [index]);
    bool fresh = s_load_origins (self) == 0 && self->origin_count == 0;
    if (fresh && (nodestore_begin (store) || outbox_begin_epoch (self, now_ms) || nodestore_commit (store)))
        outbox_close (&self);
    return self;
}

void outbox_close (outbox_t **self_p)
{
    outbox_t *self = *self_p;
    if (!self)
        return;
    for (int index = 0; index < OUTBOX_STATEMENTS; index++)
        sqlite3_finalize (self->sql [index]);
    for (int index = 0; index < self->origin_count; index++)
        intervals_clear (&self->origins [index].delivered);
    free (self->origins);
    arena_destroy (&self->arena);
    identity_wipe (&self->seal, sizeof self->seal);
    free (self);
    *self_p = NULL;
}

void outbox_reload (outbox_t *self)
{
    s_load_origins (self);
    self->changes++;
}

//  ---- origins: the last of the array is the one that numbers what is written now

origin_t *outbox_current (outbox_t *self)
{
    assert (self->origin_count > 0);
    return &self->origins [self->origin_count - 1];
}

origin_t *outbox_origin (outbox_t *self, uint64_t epoch)
{
    for (int index = 0; index < self->origin_count; index++)
        if (self->origins [index].epoch == epoch)
            return &self->origins [index];
    return NULL;
}

static void s_push_origin (outbox_t *self, uint64_t epoch, uint64_t next)
{
    self->origins = realloc (self->origins, (size_t)(self->origin_count + 1) * sizeof *self->origins);
    if (!self->origins)
        abort ();
    origin_t *origin = &self->origins [self->origin_count++];
    memset (origin, 0, sizeof *origin);
    origin->epoch = epoch;
    origin->next = next;
}

static int s_load_origins (outbox_t *self)
{
    for (int index = 0; index < self->origin_count; index++)
        intervals_clear (&self->origins [index].delivered);
    self->origin_count = 0;
    sqlite3_stmt *all = self->sql [ORIGIN_ALL];
    int rc;
    while ((rc = store_step (all)) == 1)
        s_push_origin (self, (uint64_t)store_int (all, 0), (uint64_t)store_int (all, 1));
    return rc;
}

int outbox_begin_epoch (outbox_t *self, int64_t now_ms)
{
    uint64_t epoch;
    randombytes_buf (&epoch, sizeof epoch);
    store_bind (self->sql [ORIGIN_ADD], "ii", (int64_t)epoch, now_ms);
    if (nodestore_run (self->store, self->sql [ORIGIN_ADD]))
        return -1;
    nodestore_set_fact (self->store, "epoch", (int64_t)epoch);
    s_push_origin (self, epoch, 1);
    return 0;
}

static int s_take_counter (outbox_t *self, origin_t *origin, uint64_t *counter)
{
    store_bind (self->sql [ORIGIN_NEXT], "ii", (int64_t)origin->epoch, (int64_t)origin->next + 1);
    if (nodestore_run (self->store, self->sql [ORIGIN_NEXT]))
        return -1;
    *counter = origin->next++;
    return 0;
}

//  ---- sealing

static const ProtobufCMessage *s_body (const Patrol__Inner *inner)
{
    if (inner->body_case == PATROL__INNER__BODY_TIP)
        return &inner->tip->base;
    assert (inner->body_case == PATROL__INNER__BODY_WITHDRAW);
    return &inner->withdraw->base;
}

//  Numbers the inner in the current epoch and seals it. Returns the size, caller frees *bytes; 0 on failure.
static size_t s_seal (outbox_t *self, Patrol__Inner *inner, class_t cls, uint32_t life_h, int64_t now_ms, uint8_t **bytes)
{
    origin_t *origin = outbox_current (self);
    inner->epoch = origin->epoch;
    if (s_take_counter (self, origin, &inner->counter))
        return 0;
    inner->tag = envelope_tag (self->seal.shared, inner->epoch, inner->counter, s_body (inner));
    size_t size = envelope_seal (bytes, &self->seal, cls, life_h, now_ms, inner);
    if (size == 0)
        fprintf (stderr, "outbox: envelope %llu could not be sealed\n", (unsigned long long)inner->counter);
    return size;
}

typedef struct {
    const Patrol__Tip *tip; //  NULL for a withdrawal
    int64_t target;         //  its row
    const char *kind;
    class_t cls;
    uint32_t life_h;
    int open;
} added_t;

static char *s_string (ProtobufCBinaryData data)
{
    return data.len ? strndup ((const char *)data.data, data.len) : NULL;
}

//  One envelope: number, seal, both rows, in the caller's transaction.
static int s_add (outbox_t *self, Patrol__Inner *inner, const added_t *added, int64_t now_ms, outbox_ref_t *ref)
{
    if (nodestore_begin (self->store))
        return -1;
    inner->written_ms = now_ms;
    inner->uptime_ms = time_uptime_ms ();
    uint8_t *bytes = NULL;
    size_t size = s_seal (self, inner, added->cls, added->life_h, now_ms, &bytes);
    if (size == 0)
        return -1;
    char *words = added->tip ? s_string (added->tip->text) : NULL;
    char *place = added->tip ? s_string (added->tip->place) : NULL;
    ref->number = tip_number (self->device_key, inner->epoch, inner->counter);
    store_bind (self->sql [TIP_ADD], "iiiiisissiiii", (int64_t)inner->epoch, (int64_t)inner->counter, (int64_t)inner->tag,
        added->target, (int64_t)added->cls, added->kind, (int64_t)(added->tip ? added->tip->severity : 0), words, place,
        (int64_t)size, now_ms, (int64_t)added->open, (int64_t)ref->number);
    int rc = nodestore_run (self->store, self->sql [TIP_ADD]);
    ref->row = sqlite3_last_insert_rowid (nodestore_db (self->store));
    ref->epoch = inner->epoch;
    ref->counter = inner->counter;
    if (rc == 0) {
        store_bind (self->sql [SEALED_ADD], "ib", ref->row, bytes, size);
        rc = nodestore_run (self->store, self->sql [SEALED_ADD]);
        sqlite3_clear_bindings (self->sql [SEALED_ADD]);
    }
    free (words);
    free (place);
    free (bytes);
    return rc;
}

int outbox_add_tip (outbox_t *self, const Patrol__Tip *tip, uint32_t life_h, int64_t now_ms, outbox_ref_t *ref)
{
    const origin_t *current = outbox_current (self);
    bool far = tip->cls == CLASS_SOS && current->next - outbox_done_below (self, current->epoch) > OUTBOX_SOS_BEHIND;
    if (far && (nodestore_begin (self->store) || outbox_begin_epoch (self, now_ms)))
        return -1;
    Patrol__Tip copy = *tip;
    Patrol__Inner inner = PATROL__INNER__INIT;
    inner.body_case = PATROL__INNER__BODY_TIP;
    inner.tip = &copy;
    char kind [33];
    snprintf (kind, sizeof kind, "%.*s", (int)tip->kind.len, (const char *)tip->kind.data);
    added_t added = { .tip = tip, .kind = kind, .cls = (class_t)tip->cls, .life_h = life_h, .open = 1 };
    int rc = s_add (self, &inner, &added, now_ms, ref);
    self->changes += rc == 0;
    return rc;
}

//  ---- one row, as the functions below need it

//  Steps a bound TIP_GET or TIP_AT.
static bool s_read_row (sqlite3_stmt *sql, row_t *out)
{
    bool found = store_step (sql) == 1;
    if (found) {
        out->row = store_int (sql, 0);
        out->epoch = (uint64_t)store_int (sql, 1);
        out->counter = (uint64_t)store_int (sql, 2);
        out->tag = (uint64_t)store_int (sql, 3);
        out->target = store_int (sql, 4);
        out->cls = (class_t)store_int (sql, 5);
        out->state = (tip_state_t)store_int (sql, 6);
        out->withdrawing = store_int (sql, 7) != 0;
        out->version = (uint64_t)store_int (sql, 8);
        out->number = (uint64_t)store_int (sql, 9);
        out->resent = (uint64_t)store_int (sql, 10);
        out->open = (int)store_int (sql, 11);
        store_text (sql, 12, out->kind, sizeof out->kind);
        out->accepted_ms = store_int (sql, 13);
    }
    sqlite3_reset (sql);
    return found;
}

bool outbox_row (outbox_t *self, int64_t row, row_t *out)
{
    store_bind (self->sql [TIP_GET], "i", row);
    return s_read_row (self->sql [TIP_GET], out);
}

bool outbox_row_at (outbox_t *self, uint64_t epoch, uint64_t counter, row_t *out)
{
    store_bind (self->sql [TIP_AT], "ii", (int64_t)epoch, (int64_t)counter);
    return s_read_row (self->sql [TIP_AT], out);
}

void outbox_set_open (outbox_t *self, int64_t row, int open)
{
    store_bind (self->sql [TIP_OPEN], "ii", row, (int64_t)open);
    nodestore_run (self->store, self->sql [TIP_OPEN]);
}

void outbox_set_withdrawing (outbox_t *self, int64_t row, bool withdrawing)
{
    store_bind (self->sql [TIP_WITHDRAWING], "ii", row, (int64_t)withdrawing);
    nodestore_run (self->store, self->sql [TIP_WITHDRAWING]);
}

void outbox_set_state (outbox_t *self, int64_t row, tip_state_t state, const change_t *change)
{
    store_bind (self->sql [TIP_STATE], "iii", row, (int64_t)state, change->at_ms);
    nodestore_run (self->store, self->sql [TIP_STATE]);
    store_bind (self->sql [HISTORY_ADD], "iiisss", row, change->at_ms, (int64_t)state, change->actor, change->station,
        change->detail);
    nodestore_run (self->store, self->sql [HISTORY_ADD]);
    self->changes++;
}

//  ---- withdrawing

withdraw_t outbox_add_withdraw (outbox_t *self, int64_t row, int64_t now_ms)
{
    row_t tip;
    if (!outbox_row (self, row, &tip))
        return WITHDRAW_FAILED;
    if (tip.state >= TIP_CLOSED)
        return WITHDRAW_SETTLED;
    if (tip.withdrawing)
        return WITHDRAW_ALREADY;
    Patrol__TipRef target = PATROL__TIP_REF__INIT;
    target.epoch = tip.epoch;
    target.counter = tip.counter;
    Patrol__Withdraw withdraw = PATROL__WITHDRAW__INIT;
    withdraw.tip = &target;
    Patrol__Inner inner = PATROL__INNER__INIT;
    inner.body_case = PATROL__INNER__BODY_WITHDRAW;
    inner.withdraw = &withdraw;
    //  The broker must have the tip before its withdrawal means anything: until then the withdrawal waits.
    added_t added = {
        .target = row, .kind = tip.kind, .cls = tip.cls, .life_h = LIFE_MAX_H, .open = tip.state < TIP_ACCEPTED ? 2 : 1
    };
    outbox_ref_t ref;
    if (s_add (self, &inner, &added, now_ms, &ref))
        return WITHDRAW_FAILED;
    outbox_set_withdrawing (self, row, true);
    if (tip.state >= TIP_ACCEPTED)
        outbox_set_open (self, row, 0); //  an sos that is withdrawn is not repeated
    self->changes++;
    return WITHDRAW_KEPT;
}

int outbox_withdrawals (outbox_t *self, int64_t row, int64_t rows [4])
{
    sqlite3_stmt *sql = self->sql [WITHDRAWALS];
    int count = 0;
    store_bind (sql, "i", row);
    while (count < 4 && store_step (sql) == 1)
        rows [count++] = store_int (sql, 0);
    sqlite3_reset (sql);
    return count;
}

//  ---- sealing again, for a store that turned out to be a copy

//  Opens our own envelope (the box key is the same at both ends). NULL with one line on stderr.
static Patrol__Inner *s_open_own (outbox_t *self, int64_t row)
{
    uint8_t bytes [ENVELOPE_MAX];
    size_t size = outbox_sealed (self, row, bytes);
    arena_reset (self->arena);
    Patrol__Inner *inner = size ? envelope_open (bytes, size, self->seal.shared, self->arena) : NULL;
    if (!inner || (inner->body_case != PATROL__INNER__BODY_TIP && inner->body_case != PATROL__INNER__BODY_WITHDRAW)) {
        fprintf (stderr, "outbox: row %lld cannot be sealed again: its envelope does not open\n", (long long)row);
        return NULL;
    }
    return inner;
}

int outbox_seal_again (outbox_t *self, int64_t row, const outbox_ref_t *target, int64_t now_ms)
{
    row_t old;
    uint8_t *bytes = NULL;
    Patrol__Inner *inner = outbox_row (self, row, &old) ? s_open_own (self, row) : NULL;
    if (!inner)
        return -1;
    if (target && inner->body_case == PATROL__INNER__BODY_WITHDRAW && inner->withdraw->tip) {
        inner->withdraw->tip->epoch = target->epoch;
        inner->withdraw->tip->counter = target->counter;
    }
    size_t size = s_seal (self, inner, old.cls, LIFE_MAX_H, now_ms, &bytes);
    if (size == 0)
        return -1;
    uint64_t number = tip_number (self->device_key, inner->epoch, inner->counter);
    store_bind (self->sql [TIP_MOVE], "iiiiiii", row, (int64_t)inner->epoch, (int64_t)inner->counter, (int64_t)inner->tag,
        (int64_t)old.open, (int64_t)size, (int64_t)number);
    int rc = nodestore_run (self->store, self->sql [TIP_MOVE]);
    store_bind (self->sql [SEALED_SET], "ib", row, bytes, size);
    rc |= nodestore_run (self->store, self->sql [SEALED_SET]);
    sqlite3_clear_bindings (self->sql [SEALED_SET]);
    free (bytes);
    return rc ? -1 : 0;
}

//  ---- sending

int outbox_open_entries (outbox_t *self, class_t cls, int64_t after, outbox_entry_t *entries, int room)
{
    sqlite3_stmt *sql = self->sql [OPEN_ENTRIES];
    int count = 0;
    store_bind (sql, "iii", (int64_t)cls, after, (int64_t)room);
    while (count < room && store_step (sql) == 1) {
        outbox_entry_t *entry = &entries [count++];
        entry->row = store_int (sql, 0);
        entry->epoch = (uint64_t)store_int (sql, 1);
        entry->counter = (uint64_t)store_int (sql, 2);
        entry->size = (uint32_t)store_int (sql, 3);
        entry->taken = store_int (sql, 4) != 0;
        entry->receipted = cls == CLASS_SOS && entry->taken;
        entry->written_ms = store_int (sql, 5);
        entry->cls = cls;
    }
    sqlite3_reset (sql);
    return count;
}

size_t outbox_sealed (outbox_t *self, int64_t row, uint8_t out [ENVELOPE_MAX])
{
    sqlite3_stmt *sql = self->sql [SEALED_GET];
    size_t size = 0;
    store_bind (sql, "i", row);
    if (store_step (sql) == 1) {
        const void *bytes = sqlite3_column_blob (sql, 0);
        size = (size_t)sqlite3_column_bytes (sql, 0);
        if (bytes && size <= ENVELOPE_MAX)
            memcpy (out, bytes, size);
        else
            size = 0;
    }
    sqlite3_reset (sql);
    return size;
}

int outbox_origins (outbox_t *self, uint64_t epochs [4], uint64_t nexts [4])
{
    epochs [0] = outbox_current (self)->epoch;
    nexts [0] = outbox_current (self)->next;
    int count = 1;
    sqlite3_stmt *sql = self->sql [UNSETTLED_ORIGINS];
    while (count < ATTACH_ORIGINS && store_step (sql) == 1) {
        uint64_t epoch = (uint64_t)store_int (sql, 0);
        const origin_t *origin = outbox_origin (self, epoch);
        if (!origin || epoch == epochs [0])
            continue;
        epochs [count] = epoch;
        nexts [count++] = origin->next;
    }
    sqlite3_reset (sql);
    return count;
}
