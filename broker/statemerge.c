//  statemerge - two incidents become one, one becomes two; and which may still change

#include "state_private.h"

#include <stdlib.h>
#include <string.h>

static int s_version (state_t *self, uint64_t incident, uint64_t version, status_t status, int64_t at, const char *officer)
{
    return state_write (self, Q_INCIDENT_SET, "iiiis", (int64_t)incident, (int64_t)version, (int64_t)status, at, officer);
}

static int s_set_into (state_t *self, uint64_t incident, uint64_t into)
{
    return state_write (self, Q_MERGED_INTO, "ii", (int64_t)incident, (int64_t)into);
}

//  The pair, smaller first as SQLite compares them.
static int s_set_apart (state_t *self, uint64_t a, uint64_t b, bool apart)
{
    int64_t low = (int64_t)a < (int64_t)b ? (int64_t)a : (int64_t)b, high = low == (int64_t)a ? (int64_t)b : (int64_t)a;
    return state_write (self, apart ? Q_APART_ADD : Q_APART_DROP, "ii", low, high);
}

//  Row of an accepted tip: its place in the log.
static bool s_tip (state_t *self, const tip_of_t *tip, taken_t *taken)
{
    return state_taken (self, tip->device, tip->epoch, tip->counter, 0, taken) && taken->code == PATROL__CODE__OK;
}

//  The tip belongs to that incident: its row, and with it what its sender refers to later.
static int s_own_tip (state_t *self, const tip_of_t *tip, uint64_t from, uint64_t into)
{
    return state_write (self, Q_TAKEN_OWN, "iiiii", (int64_t)tip->device, (int64_t)tip->epoch, (int64_t)tip->counter,
        (int64_t)from, (int64_t)into);
}

//  Every accepted identity of the incident: commands keep theirs. Nearly always a handful.
static int s_own_all (state_t *self, uint64_t from, uint64_t into)
{
    enum { FEW = 64, MOST = 65536 };
    tip_of_t few [FEW], *tips = few;
    int count = state_tips_of (self, from, few, FEW), rc = 0;
    if (count == FEW) {
        tips = calloc (MOST, sizeof *tips);
        if (!tips)
            abort ();
        count = state_tips_of (self, from, tips, MOST);
    }
    for (int i = 0; i < count && rc == 0; i++)
        rc = s_own_tip (self, &tips [i], from, into);
    if (tips != few)
        free (tips);
    return rc;
}

static int s_move_history (state_t *self, uint64_t from, uint64_t into)
{
    return state_write (self, Q_HISTORY_MOVE, "ii", (int64_t)from, (int64_t)into);
}

int state_apply_merged (state_t *self, uint64_t seq, int64_t at, const Patrol__Merged *merged)
{
    char officer [65];
    incident_t from, into;
    state_copy (officer, sizeof officer, merged->officer);
    if (!state_incident (self, merged->incident, &from) || !state_incident (self, merged->into, &into))
        return -1;
    if (merged->from
        && (!state_take (self, merged->from, at)
            || state_add_taken (self, merged->from, PATROL__CODE__OK, merged->incident, seq, merged->version)))
        return -1;
    Patrol__From first = PATROL__FROM__INIT;
    first.device = from.device;
    first.epoch = from.epoch;
    first.counter = from.counter;
    //  Tips move; what officers did to it stays with the one that ended.
    if (s_own_all (self, from.id, into.id) || state_add_history (self, into.id, from.seq, &first)
        || s_move_history (self, from.id, into.id) || s_version (self, from.id, merged->version, STATUS_MERGED, at, officer)
        || s_set_into (self, from.id, into.id)
        || state_write (
            self, Q_INCIDENT_JOINED, "1iiii", (int64_t)into.id, (int64_t)merged->into_version, at, (int64_t)from.late)
        || (officer [0] && s_version (self, into.id, merged->into_version, into.status, at, officer))
        || s_set_apart (self, from.id, into.id, false))
        return -1;
    return state_add_history (self, from.id, seq, NULL) || state_add_history (self, into.id, seq, NULL)
            || state_add_feed (self, seq, merged->slots, merged->n_slots, NULL)
            || state_add_inbox (self, seq, merged->inbox, merged->n_inbox)
        ? -1
        : 0;
}

//  A row for the incident that the split made, from what the record says of its first tip.
static int s_create (state_t *self, int64_t at, const Patrol__Split *split, const incident_t *old, const taken_t *head)
{
    const Patrol__DeviceSlot *tip = split->tips [0];
    incident_t incident = { .id = split->created,
        .seq = head->seq,
        .version = split->created_version,
        .station = old->station,
        .device = tip->device,
        .epoch = tip->epoch,
        .counter = tip->counter,
        .at_ms = at,
        .severity = split->severity,
        .cls = split->cls,
        .late = old->late };
    state_copy (incident.kind, sizeof incident.kind, split->kind);
    memcpy (incident.copies, old->copies, sizeof incident.copies);
    const int32_t position [2] = { split->lat_e7, split->lon_e7 };
    return state_add_incident (self, &incident, split->area, split->has_position ? position : NULL);
}

static int s_move (state_t *self, const Patrol__Split *split, size_t i)
{
    tip_of_t tip = { split->tips [i]->device, split->tips [i]->epoch, split->tips [i]->counter };
    taken_t taken;
    if (!s_tip (self, &tip, &taken) || taken.incident != split->incident
        || s_own_tip (self, &tip, split->incident, split->created))
        return -1;
    //  The first one heads the new incident; its history begins with the next.
    return state_write (self, i ? Q_HISTORY_MOVE_ONE : Q_HISTORY_DROP, "iii", (int64_t)split->incident,
        (int64_t)split->created, (int64_t)taken.seq);
}

int state_apply_split (state_t *self, uint64_t seq, int64_t at, const Patrol__Split *split)
{
    char officer [65];
    incident_t old;
    taken_t head;
    state_copy (officer, sizeof officer, split->officer);
    if (!split->n_tips || !state_incident (self, split->incident, &old) || !state_take (self, split->from, at)
        || state_add_taken (self, split->from, PATROL__CODE__OK, split->incident, seq, split->version))
        return -1;
    tip_of_t first = { split->tips [0]->device, split->tips [0]->epoch, split->tips [0]->counter };
    if (!s_tip (self, &first, &head))
        return -1;
    if (split->restored ? s_version (self, split->created, split->created_version, STATUS_OPEN, at, officer)
                || s_set_into (self, split->created, 0)
                        : s_create (self, at, split, &old, &head))
        return -1;
    for (size_t i = 0; i < split->n_tips; i++)
        if (s_move (self, split, i))
            return -1;
    return s_version (self, old.id, split->version, old.status, at, officer)
            || s_set_apart (self, split->incident, split->created, true) || state_add_history (self, old.id, seq, NULL)
            || state_add_history (self, split->created, seq, NULL)
            || state_add_feed (self, seq, split->slots, split->n_slots, NULL)
            || state_add_inbox (self, seq, split->inbox, split->n_inbox)
        ? -1
        : 0;
}

//  ---- asking

void state_active (state_t *self, int64_t since_ms, state_active_fn *fn, void *context)
{
    sqlite3_stmt *ids = store_prepare (state_settled (self),
        "SELECT id, lat, lon FROM (SELECT id, lat, lon FROM incident INDEXED BY incident_open WHERE status < 3"
        " UNION ALL SELECT id, lat, lon FROM incident INDEXED BY incident_ended WHERE status >= 3 AND updated > ?1)"
        " ORDER BY id");
    store_bind (ids, "i", since_ms);
    while (store_step (ids) == 1) {
        active_row_t row = { 0 };
        if (!state_incident (self, (uint64_t)store_int (ids, 0), &row.incident))
            continue;
        row.has_position = sqlite3_column_type (ids, 1) != SQLITE_NULL;
        row.lat_e7 = (int32_t)store_int (ids, 1);
        row.lon_e7 = (int32_t)store_int (ids, 2);
        fn (context, &row);
    }
    sqlite3_finalize (ids);
}

int state_tip_seqs (state_t *self, uint64_t incident, uint64_t *seqs, int room)
{
    incident_t found;
    if (room < 1 || !state_incident (self, incident, &found))
        return 0;
    int count = 0;
    seqs [count++] = found.seq;
    sqlite3_stmt *st = store_prepare (
        state_settled (self), "SELECT seq FROM history WHERE incident = ?1 AND device IS NOT NULL ORDER BY seq LIMIT ?2");
    store_bind (st, "ii", (int64_t)incident, (int64_t)room - 1);
    while (count < room && store_step (st) == 1)
        seqs [count++] = (uint64_t)store_int (st, 0);
    sqlite3_finalize (st);
    return count;
}

void state_apart (state_t *self, state_apart_fn *fn, void *context)
{
    sqlite3_stmt *st = store_prepare (state_settled (self), "SELECT a, b FROM apart ORDER BY a, b");
    while (store_step (st) == 1)
        fn (context, (uint64_t)store_int (st, 0), (uint64_t)store_int (st, 1));
    sqlite3_finalize (st);
}
