//  stateapply - what each kind of record moves: tables, members and feeds together

#include "state_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

//  ---- applying records

origin_t *state_take (state_t *self, const Patrol__From *from, int64_t at_ms)
{
    member_t *member = from ? members_get (self->members, from->device) : NULL;
    if (!member)
        return NULL;
    origin_t *origin = member_origin (member, from->epoch);
    if (!origin)
        origin = member_add_origin (member, from->epoch);
    intervals_add_one (&origin->seen, from->counter);
    if (intervals_add_one (&origin->durable, from->counter))
        member->tips++;
    origin->last_ms = at_ms;
    state_touch (self, from->device, origin);
    return origin;
}

int state_add_taken (
    state_t *self, const Patrol__From *from, uint32_t code, uint64_t incident, uint64_t seq, uint64_t version)
{
    return state_write (self, Q_TAKEN_ADD, "iiiiiiii", (int64_t)from->device, (int64_t)from->epoch, (int64_t)from->counter,
        (int64_t)from->tag, (int64_t)code, (int64_t)incident, (int64_t)seq, (int64_t)version);
}

static feed_t *s_station (state_t *self, ProtobufCBinaryData id)
{
    feed_t *feed = feeds_get (self->feeds, (const char *)id.data, id.len);
    if (!feed->number) {
        feed->number = ++self->stations;
        if (state_write (self, Q_STATION_ADD, "is", (int64_t)feed->number, feed->id))
            return NULL;
    }
    return feed;
}

int state_add_feed (state_t *self, uint64_t seq, Patrol__FeedSlot **slots, size_t count, const Patrol__From *owned)
{
    for (size_t i = 0; i < count; i++) {
        feed_t *feed = s_station (self, slots [i]->station);
        if (!feed)
            return -1;
        bool mine = owned && !slots [i]->copy;
        slot_t slot = { .n = slots [i]->n, .seq = seq, .copy = slots [i]->copy };
        if (mine) {
            slot.device = owned->device;
            slot.epoch = owned->epoch;
            slot.counter = owned->counter;
        }
        if (state_write (self, Q_FEED_ADD, mine ? "iiiiiii" : "iiiinnn", (int64_t)feed->number, (int64_t)slot.n,
                (int64_t)seq, (int64_t)slot.copy, (int64_t)slot.device, (int64_t)slot.epoch, (int64_t)slot.counter))
            return -1;
        feed_remember (feed, &slot);
        feed->durable = slot.n;
        if (feed->next <= slots [i]->n)
            feed->next = slots [i]->n + 1;
    }
    return 0;
}

//  `tip` is given when the record is a further tip of the incident.
int state_add_history (state_t *self, uint64_t incident, uint64_t seq, const Patrol__From *tip)
{
    if (!tip)
        return state_write (self, Q_HISTORY_ADD, "iinnn", (int64_t)incident, (int64_t)seq);
    return state_write (self, Q_HISTORY_ADD, "iiiii", (int64_t)incident, (int64_t)seq, (int64_t)tip->device,
        (int64_t)tip->epoch, (int64_t)tip->counter);
}

//  ",B,C," of the copy holders, empty when there are none.
static void s_copies (Patrol__FeedSlot **slots, size_t count, char *out, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (slots [i]->copy && used + slots [i]->station.len + 3 < room) {
            if (!used)
                out [used++] = ',';
            memcpy (out + used, slots [i]->station.data, slots [i]->station.len);
            used += slots [i]->station.len;
            out [used++] = ',';
        }
    out [used] = 0;
}

int state_add_incident (state_t *self, const incident_t *incident, ProtobufCBinaryData area, const int32_t *position)
{
    static const int32_t none [2];
    const int32_t *at = position ? position : none;
    return state_write (self, Q_INCIDENT_ADD, position ? "iiiiiiiisiitsiii" : "iiiiiiiisiitsinn", (int64_t)incident->id,
        (int64_t)incident->seq, (int64_t)incident->version, (int64_t)incident->station, (int64_t)incident->device,
        (int64_t)incident->epoch, (int64_t)incident->counter, incident->at_ms, incident->kind, (int64_t)incident->severity,
        (int64_t)incident->cls, area.data, area.len, incident->copies [0] ? incident->copies : NULL, (int64_t)incident->late,
        (int64_t)at [0], (int64_t)at [1]);
}

static int s_apply_tip (state_t *self, uint64_t seq, int64_t at, const Patrol__TipAccepted *tip)
{
    if (!state_take (self, tip->from, at)
        || state_add_taken (self, tip->from, PATROL__CODE__OK, tip->incident, seq, tip->version)
        || state_add_feed (self, seq, tip->slots, tip->n_slots, tip->from))
        return -1;
    if (tip->joined)
        return state_write (
                   self, Q_INCIDENT_JOINED, "1iiii", (int64_t)tip->incident, (int64_t)tip->version, at, (int64_t)tip->late)
                || state_add_history (self, tip->incident, seq, tip->from)
            ? -1
            : 0;
    feed_t *owner = s_station (self, tip->station);
    if (!owner)
        return -1;
    incident_t incident = { .id = tip->incident,
        .seq = seq,
        .version = tip->version,
        .station = owner->number,
        .device = tip->from->device,
        .epoch = tip->from->epoch,
        .counter = tip->from->counter,
        .at_ms = at,
        .severity = tip->severity,
        .cls = tip->cls,
        .late = tip->late };
    state_copy (incident.kind, sizeof incident.kind, tip->kind);
    s_copies (tip->slots, tip->n_slots, incident.copies, sizeof incident.copies);
    const int32_t position [2] = { tip->lat_e7, tip->lon_e7 };
    return state_add_incident (self, &incident, tip->area, tip->has_position ? position : NULL);
}

int state_add_inbox (state_t *self, uint64_t seq, Patrol__DeviceSlot **slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        member_t *member = members_get (self->members, slots [i]->device);
        if (!member)
            return -1;
        if (state_write (self, Q_INBOX_ADD, "iiiii", (int64_t)slots [i]->device, (int64_t)slots [i]->n, (int64_t)seq,
                (int64_t)slots [i]->epoch, (int64_t)slots [i]->counter))
            return -1;
        member->inbox_durable = slots [i]->n;
        if (member->inbox_next <= slots [i]->n)
            member->inbox_next = slots [i]->n + 1;
    }
    return 0;
}

static int s_apply_status (state_t *self, uint64_t seq, int64_t at, const Patrol__StatusChanged *change)
{
    char officer [65];
    state_copy (officer, sizeof officer, change->officer);
    int status = status_parse ((const char *)change->status.data, change->status.len);
    if (status < 0 || !state_take (self, change->from, at)
        || state_add_taken (self, change->from, PATROL__CODE__OK, change->incident, seq, change->version))
        return -1;
    if (state_write (
            self, Q_INCIDENT_SET, "iiiis", (int64_t)change->incident, (int64_t)change->version, (int64_t)status, at, officer)
        || state_add_history (self, change->incident, seq, NULL)
        || state_add_feed (self, seq, change->slots, change->n_slots, NULL))
        return -1;
    return state_add_inbox (self, seq, change->inbox, change->n_inbox);
}

static int s_apply_placed (state_t *self, uint64_t seq, int64_t at, const Patrol__Placed *placed)
{
    char officer [65];
    state_copy (officer, sizeof officer, placed->officer);
    if (!state_take (self, placed->from, at)
        || state_add_taken (self, placed->from, PATROL__CODE__OK, placed->incident, seq, placed->version))
        return -1;
    return state_write (self, Q_INCIDENT_PLACE, "iiisii", (int64_t)placed->incident, (int64_t)placed->version, at, officer,
               (int64_t)placed->lat_e7, (int64_t)placed->lon_e7)
            || state_add_history (self, placed->incident, seq, NULL)
            || state_add_feed (self, seq, placed->slots, placed->n_slots, NULL)
        ? -1
        : 0;
}

static void s_deliver_one (state_t *self, uint32_t device, uint64_t epoch, uint64_t counter)
{
    member_t *member = members_get (self->members, device);
    origin_t *origin = member ? member_origin (member, epoch) : NULL;
    if (!origin || !intervals_add_one (&origin->delivered, counter))
        return;
    state_touch (self, device, origin);
    if (self->on_delivered)
        self->on_delivered (self->on_delivered_context, device, epoch, counter);
}

//  The tips whose items the feed owns in (after, up_to].
static void s_deliver (state_t *self, const feed_t *feed, uint64_t after, uint64_t up_to)
{
    slot_t slots [64];
    int count;
    while (after < up_to && (count = state_feed_page (self, feed, after, slots, 64)) > 0) {
        for (int i = 0; i < count && slots [i].n <= up_to; i++)
            if (slots [i].device)
                s_deliver_one (self, slots [i].device, slots [i].epoch, slots [i].counter);
        after = slots [count - 1].n;
    }
}

static int s_apply_delivered (state_t *self, const Patrol__DeliveredEvent *event)
{
    feed_t *feed = s_station (self, event->station);
    if (!feed)
        return -1;
    if (event->up_to <= feed->delivered)
        return 0;
    s_deliver (self, feed, feed->delivered, event->up_to);
    feed->delivered = event->up_to;
    return state_write (self, Q_STATION_DELIVERED, "ii", (int64_t)feed->number, (int64_t)feed->delivered);
}

int state_add_member (state_t *self, const Patrol__MemberEnrolled *enrolled, int64_t at_ms)
{
    char name [65];
    member_t member;
    state_copy (name, sizeof name, enrolled->name);
    if (members_from_credential (&member, enrolled->device, enrolled->credential.data, enrolled->credential.len, name, at_ms)
        || !members_add (self->members, &member))
        return -1;
    return 0;
}

uint8_t *state_credential (state_t *self, uint32_t device, size_t *size)
{
    sqlite3_stmt *st = store_prepare (state_settled (self), "SELECT credential FROM member WHERE number = ?1");
    uint8_t *bytes = NULL;
    store_bind (st, "i", (int64_t)device);
    if (store_step (st) == 1) {
        *size = (size_t)sqlite3_column_bytes (st, 0);
        bytes = malloc (*size + 1);
        if (bytes && *size)
            memcpy (bytes, sqlite3_column_blob (st, 0), *size);
    }
    sqlite3_finalize (st);
    return bytes;
}

static int s_apply_enrolled (state_t *self, int64_t at, const Patrol__MemberEnrolled *enrolled)
{
    char name [65];
    state_copy (name, sizeof name, enrolled->name);
    //  The engine may have added the member when it decided; on a roll-forward it is new.
    if (!members_get (self->members, enrolled->device) && state_add_member (self, enrolled, at))
        return -1;
    invited_t *invited
        = enrolled->token_hash.len == 32 ? members_invited_by_hash (self->members, enrolled->token_hash.data) : NULL;
    if (invited)
        invited->used_by = enrolled->device;
    if (state_write (self, Q_MEMBER_ADD, "ibsi", (int64_t)enrolled->device, enrolled->credential.data,
            enrolled->credential.len, name, at))
        return -1;
    return state_write (
        self, Q_INVITE_USED, "bi", enrolled->token_hash.data, enrolled->token_hash.len, (int64_t)enrolled->device);
}

static int s_apply_revoked (state_t *self, const Patrol__MemberRevoked *revoked)
{
    for (int i = 1; i <= members_count (self->members); i++) {
        member_t *member = members_get (self->members, (uint32_t)i);
        if (member->member != revoked->member)
            continue;
        member->revoked = true;
        if (state_write (self, Q_MEMBER_REVOKE, "i", (int64_t)i))
            return -1;
    }
    return 0;
}

static int s_apply_invited (state_t *self, const Patrol__Invited *record)
{
    invited_t invited = { .role = record->role, .expires_ms = record->expires_ms };
    if (record->token_hash.len != 32 || record->link_key.len != KEY_SIZE)
        return -1;
    memcpy (invited.token_hash, record->token_hash.data, 32);
    memcpy (invited.link_key, record->link_key.data, KEY_SIZE);
    state_copy (invited.station, sizeof invited.station, record->station);
    state_copy (invited.unit, sizeof invited.unit, record->unit);
    state_copy (invited.name, sizeof invited.name, record->name);
    if (!members_invited_by_hash (self->members, invited.token_hash))
        members_invite (self->members, &invited);
    return state_write (self, Q_INVITE_ADD, "bbisssi", invited.token_hash, (size_t)32, invited.link_key, (size_t)KEY_SIZE,
        (int64_t)invited.role, invited.station, invited.unit, invited.name, invited.expires_ms);
}

static int s_apply_done_below (state_t *self, int64_t at, const Patrol__DoneBelowEvent *event)
{
    member_t *member = members_get (self->members, event->device);
    origin_t *origin = member ? member_origin (member, event->epoch) : NULL;
    if (!origin || event->counter < 2)
        return origin ? 0 : -1;
    intervals_add (&origin->seen, 1, event->counter - 1);
    intervals_add (&origin->durable, 1, event->counter - 1);
    origin->last_ms = at;
    state_touch (self, event->device, origin);
    return 0;
}

static int s_apply_event (state_t *self, uint64_t seq, const Patrol__Record *record)
{
    int64_t at = record->at_ms;
    switch (record->event_case) {
    case PATROL__RECORD__EVENT_TIP:
        return s_apply_tip (self, seq, at, record->tip);
    case PATROL__RECORD__EVENT_REFUSED:
        if (!state_take (self, record->refused->from, at))
            return -1;
        return state_add_taken (self, record->refused->from, record->refused->code, 0, seq, 0);
    case PATROL__RECORD__EVENT_STATUS:
        return s_apply_status (self, seq, at, record->status);
    case PATROL__RECORD__EVENT_DELIVERED:
        return s_apply_delivered (self, record->delivered);
    case PATROL__RECORD__EVENT_PLACED:
        return s_apply_placed (self, seq, at, record->placed);
    case PATROL__RECORD__EVENT_ENROLLED:
        return s_apply_enrolled (self, at, record->enrolled);
    case PATROL__RECORD__EVENT_REVOKED:
        return s_apply_revoked (self, record->revoked);
    case PATROL__RECORD__EVENT_INVITED:
        return s_apply_invited (self, record->invited);
    case PATROL__RECORD__EVENT_AREAS:
        return state_set_blob (self, "areas_hash", record->areas->hash)
                || state_set_value (self, "areas_version", (int64_t)record->areas->version)
                || state_set_value (self, "areas_datum", record->areas->datum)
            ? -1
            : 0;
    case PATROL__RECORD__EVENT_PLACES:
        return state_set_blob (self, "places_hash", record->places->hash)
                || state_set_value (self, "places_datum", record->places->datum)
            ? -1
            : 0;
    case PATROL__RECORD__EVENT_KINDS:
        return state_set_blob (self, "kinds_hash", record->kinds->hash);
    case PATROL__RECORD__EVENT_DONE_BELOW:
        return s_apply_done_below (self, at, record->done_below);
    case PATROL__RECORD__EVENT_AUDIT_HEAD:
        return state_set_value (self, "audit_rows", (int64_t)record->audit_head->rows)
                || state_set_blob (self, "audit_hash", record->audit_head->hash)
            ? -1
            : 0;
    case PATROL__RECORD__EVENT_INCARNATION:
        return state_set_value (self, "incarnation", (int64_t)record->incarnation->incarnation)
                || state_set_value (self, "incarnation_at", at)
            ? -1
            : 0;
    case PATROL__RECORD__EVENT_MERGED:
        return state_apply_merged (self, seq, at, record->merged);
    case PATROL__RECORD__EVENT_SPLIT:
        return state_apply_split (self, seq, at, record->split);
    case PATROL__RECORD__EVENT_CURSOR_DROPPED:
        return 0;
    case PATROL__RECORD__EVENT__NOT_SET:
    case _PATROL__RECORD__EVENT__CASE_IS_INT_SIZE:
        break;
    }
    return -1;
}

int state_apply (state_t *self, uint64_t seq, const Patrol__Record *record)
{
    if (seq <= self->applied)
        return 0;
    self->applying = seq;
    if (state_failed (self) || state_begin (self))
        return -1;
    if (s_apply_event (self, seq, record)) {
        if (storewriter_failed (self->writer))
            return -1;
        self->failed = true; //  a record is in the state whole or not at all
        fprintf (stderr, "<3>state: record %llu cannot be applied; remove state.db to rebuild it from the log\n",
            (unsigned long long)seq);
        return -1;
    }
    self->applied = seq;
    if (record->at_ms > self->log_time)
        self->log_time = record->at_ms;
    self->uncommitted++;
    return 0;
}
