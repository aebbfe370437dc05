//  merges - two incidents are one, or were not: an officer's merge and split, and the strays that the machine takes along

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_private.h"
#include "timefmt.h"

#define TIPS_MOST 32     //  of one split
#define TIPS_LOOKED 4096 //  of an incident, among which those of a split are sought
#define STRAYS_A_TIP 2   //  a message's envelopes and what they bring fit the batch

//  ---- what both need

//  Slots for everybody who has one of the two, each once: who has `main` as owner, all others with a copy.
static size_t s_slots (
    engine_t *self, feed_t *owner, const char *copies, feed_t *second, const char *second_copies, Patrol__FeedSlot ***slots)
{
    char all [2 * 110 + 70];
    snprintf (all, sizeof all, "%s", copies && copies [0] ? copies : ",");
    char more [160];
    snprintf (more, sizeof more, "%s%s%s", second && second != owner ? "," : "", second && second != owner ? second->id : "",
        second_copies && second_copies [0] ? second_copies : ",");
    for (char *rest = more, *id; (id = strtok_r (rest, ",", &rest));) {
        char key [40];
        snprintf (key, sizeof key, ",%s,", id);
        if (strcmp (id, owner->id) != 0 && !strstr (all, key)) {
            size_t used = strlen (all);
            snprintf (all + used, sizeof all - used, "%s,", id);
        }
    }
    return engine_slots (self, owner, all [1] ? all : "", slots);
}

static void s_say_stale (const incident_t *incident, uint64_t based_on, take_t *out)
{
    char id [14], at [32];
    id64_format (id, incident->id);
    time_format_utc (at, incident->updated_ms);
    snprintf (out->detail, sizeof out->detail, "incident %s: based on version %llu, but %s made it version %llu at %s", id,
        (unsigned long long)based_on, incident->by [0] ? incident->by : "a reporter", (unsigned long long)incident->version,
        at);
}

static bool s_note (engine_t *self, const Patrol__Command *command, int64_t now_ms, Patrol__DayText *sealed, take_t *out)
{
    Patrol__Texts texts = PATROL__TEXTS__INIT;
    texts.note = command->note;
    texts.answer = command->answer;
    if (engine_seal_texts (self, &texts, engine_now (self, now_ms), sealed, out))
        return true;
    engine_refuse (out, PATROL__CODE__SLOW_DOWN, "the day key cannot be stored; nothing is taken until it can");
    return false;
}

static uint32_t s_devices (engine_t *self, uint64_t incident, uint64_t also)
{
    const active_incident_t *a = active_find (self->active, incident), *b = active_find (self->active, also);
    uint32_t count = a ? a->device_count : 1;
    for (uint32_t i = 0; b && i < b->device_count; i++) {
        bool known = false;
        for (uint32_t k = 0; a && k < a->device_count; k++)
            known |= a->devices [k] == b->devices [i];
        count += !known;
    }
    return count;
}

//  ---- merge

Patrol__Code merge_judge (engine_t *self, const Patrol__Command *command, const incident_t *incident, take_t *out)
{
    incident_t into;
    bool found = state_incident (self->state, command->into, &into);
    if (!found || !order_visible (out->member, &into)) {
        snprintf (out->detail, sizeof out->detail, "the incident to merge into is not at this station");
        return PATROL__CODE__NOT_FOUND;
    }
    if (!order_allowed (out->member, &into)) {
        snprintf (out->detail, sizeof out->detail,
            "station %s owns the incident to merge into; a coordinator may merge them", into.station_id);
        return PATROL__CODE__NOT_ALLOWED;
    }
    if (into.id == incident->id || into.status >= STATUS_WITHDRAWN) {
        snprintf (out->detail, sizeof out->detail, "an incident is merged into another one that is not %s",
            into.id == incident->id ? "itself" : status_name (into.status));
        return PATROL__CODE__BAD_VERB;
    }
    if (incident->cls == CLASS_SOS && incident->device != into.device) {
        snprintf (out->detail, sizeof out->detail, "a call for help is never merged into another person's");
        return PATROL__CODE__BAD_VERB;
    }
    if (command->into_based_on != into.version) {
        s_say_stale (&into, command->into_based_on, out);
        return PATROL__CODE__STALE;
    }
    return PATROL__CODE__OK;
}

//  Memory as after the merge.
static void s_merged (engine_t *self, const Patrol__Merged *event, bool by_person, int64_t now_ms)
{
    active_incident_t *from = active_put (self->active, event->incident);
    from->into = event->into;
    from->version = event->version;
    active_set_status (self->active, from, STATUS_MERGED, engine_now (self, now_ms));
    nearby_merge (self->nearby, event->incident, event->into);
    nearby_set_apart (self->nearby, event->incident, event->into, false);
    from = active_find (self->active, event->incident);
    active_incident_t *into = active_find (self->active, event->into);
    if (!into)
        return;
    into->version = event->into_version;
    into->touched |= by_person;
    into->late &= from->late;
    for (uint32_t i = 0; i < from->device_count; i++)
        active_add_device (into, from->devices [i]);
}

void merge_record (engine_t *self, const Patrol__Inner *inner, const incident_t *incident, int64_t now_ms, take_t *out)
{
    const Patrol__Command *command = inner->command;
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__Merged event = PATROL__MERGED__INIT;
    Patrol__From from;
    Patrol__DayText sealed;
    incident_t into;
    if (!state_incident (self->state, command->into, &into)) {
        engine_refuse (out, PATROL__CODE__SLOW_DOWN, "the state cannot be read now; try again later");
        return;
    }
    if (command->note.len || command->answer.len) {
        if (!s_note (self, command, now_ms, &sealed, out))
            return;
        event.texts = &sealed;
    }
    engine_from (out, &from);
    event.from = &from;
    event.incident = incident->id;
    event.version = incident->version + 1;
    event.into = into.id;
    event.into_version = into.version + 1;
    event.officer = command->officer;
    event.station = engine_bytes (into.station_id);
    event.status = engine_bytes (status_name (into.status));
    event.witnesses = s_devices (self, into.id, incident->id);
    event.why = engine_bytes ("merged by hand");
    event.n_slots = s_slots (self, engine_station_feed (self, into.station_id, strlen (into.station_id)), into.copies,
        engine_station_feed (self, incident->station_id, strlen (incident->station_id)), incident->copies, &event.slots);
    event.n_inbox = engine_inbox (self, incident->id, &event.inbox);
    record.event_case = PATROL__RECORD__EVENT_MERGED;
    record.merged = &event;
    engine_record (self, &record, now_ms, out);
    if (out->verdict != TAKE_RECORD)
        return;
    out->incident = incident->id;
    out->other = into.id;
    out->version = event.version;
    snprintf (out->station, sizeof out->station, "%s", into.station_id);
    s_merged (self, &event, true, now_ms);
}

//  The machine merges only what nobody has touched, and within one station; and nothing that runs into what came too late to.
static bool s_free_to_merge (const active_incident_t *stray, const active_incident_t *into)
{
    return stray && into && (stray->late || !into->late) && !stray->touched && !stray->into && stray->status == STATUS_OPEN
        && stray->owner == into->owner;
}

bool engine_more (engine_t *self, int64_t now_ms, take_t *out)
{
    nearby_found_t found;
    memset (out, 0, sizeof *out);
    while (self->grown && self->grown_count < STRAYS_A_TIP && nearby_stray (self->nearby, self->grown, &found)) {
        active_incident_t *stray = active_find (self->active, found.incident),
                          *into = active_find (self->active, self->grown);
        if (!s_free_to_merge (stray, into))
            continue;
        Patrol__Record record = PATROL__RECORD__INIT;
        Patrol__Merged event = PATROL__MERGED__INIT;
        arena_reset (self->arena);
        event.incident = stray->id;
        event.version = stray->version + 1;
        event.into = into->id;
        event.into_version = into->version + 1;
        event.station = engine_bytes (into->owner->id);
        event.status = engine_bytes (status_name (into->status));
        event.witnesses = s_devices (self, into->id, stray->id);
        event.score_e3 = found.score_e3;
        event.why = engine_bytes (found.why);
        event.n_slots = s_slots (self, into->owner, into->copies, stray->owner, stray->copies, &event.slots);
        record.event_case = PATROL__RECORD__EVENT_MERGED;
        record.merged = &event;
        engine_record (self, &record, now_ms, out);
        if (out->verdict != TAKE_RECORD)
            return false;
        out->incident = event.incident;
        out->other = event.into;
        out->version = event.version;
        self->grown_count++;
        s_merged (self, &event, false, now_ms);
        return true;
    }
    self->grown = 0;
    return false;
}

//  ---- split

//  The tips of the incident that the command names. Returns how many, -1 with a line when one is not there.
static int s_named_tips (
    engine_t *self, const Patrol__Command *command, const incident_t *incident, tip_of_t *named, take_t *out)
{
    tip_of_t *all = calloc (TIPS_LOOKED, sizeof *all);
    if (!all)
        abort ();
    int count = state_tips_of (self->state, incident->id, all, TIPS_LOOKED), used = 0;
    for (size_t i = 0; i < command->n_tips && used >= 0; i++) {
        int at = 0;
        for (; at < count; at++) {
            const member_t *member = members_get (self->members, all [at].device);
            if (member && tip_number (member->device_key, all [at].epoch, all [at].counter) == command->tips [i])
                break;
        }
        //  Under a cloned number lie two tips, maybe of two incidents: only the first one can be named.
        taken_t taken;
        if (at < count
            && (!state_taken (self->state, all [at].device, all [at].epoch, all [at].counter, 0, &taken)
                || taken.incident != incident->id))
            at = count;
        bool twice = false;
        for (int k = 0; at < count && k < used; k++)
            twice |= memcmp (&named [k], &all [at], sizeof *named) == 0;
        char id [14];
        id64_format (id, command->tips [i]);
        if (at == count || at == 0 || twice) {
            snprintf (out->detail, sizeof out->detail, "tip %s %s", id,
                at == count   ? "is not one of this incident's"
                    : at == 0 ? "is the one the incident began with: split off the others"
                              : "is named twice");
            used = -1;
        } else
            named [used++] = all [at];
    }
    free (all);
    return used;
}

Patrol__Code split_judge (engine_t *self, const Patrol__Command *command, const incident_t *incident, take_t *out)
{
    tip_of_t named [TIPS_MOST] = { 0 };
    if (!command->n_tips || command->n_tips > TIPS_MOST) {
        snprintf (out->detail, sizeof out->detail, "%zu tips: 1 to %d are split off at a time", command->n_tips, TIPS_MOST);
        return PATROL__CODE__NOT_FOUND;
    }
    return s_named_tips (self, command, incident, named, out) < 0 ? PATROL__CODE__NOT_FOUND : PATROL__CODE__OK;
}

//  The record of a tip, unpacked into the arena of what is being applied; NULL if the log does not have it whole.
static Patrol__TipAccepted *s_tip_record (engine_t *self, const tip_of_t *tip)
{
    taken_t taken;
    const uint8_t *bytes;
    if (!state_taken (self->state, tip->device, tip->epoch, tip->counter, 0, &taken))
        return NULL;
    size_t size = eventlog_get (self->log, taken.seq, &bytes);
    arena_reset (self->apply_arena);
    Patrol__Record *record = size ? patrol__record__unpack (arena_allocator (self->apply_arena), size, bytes) : NULL;
    return record && record->event_case == PATROL__RECORD__EVENT_TIP ? record->tip : NULL;
}

//  The incident that this tip began and that was merged into this one: a split of it undoes that.
static bool s_once_its_own (
    engine_t *self, const tip_of_t *tip, const Patrol__TipAccepted *head, uint64_t incident, incident_t *old)
{
    return head && !head->joined && state_incident (self->state, head->incident, old) && old->into == incident
        && old->device == tip->device && old->epoch == tip->epoch && old->counter == tip->counter;
}

//  Memory as after the split.
static void s_split (engine_t *self, const Patrol__Split *event, const incident_t *incident, int64_t now_ms)
{
    active_incident_t *created = active_put (self->active, event->created);
    created->into = 0;
    created->version = event->created_version;
    created->owner = engine_station_feed (self, incident->station_id, strlen (incident->station_id));
    created->touched = true;
    active_set_copies (created, incident->copies);
    active_set_status (self->active, created, STATUS_OPEN, engine_now (self, now_ms));
    active_drop_devices (created);
    for (size_t i = 0; i < event->n_tips; i++)
        active_add_device (created, event->tips [i]->device);
    witness_changed (self, incident->id, event->version, incident->status, true, now_ms);
    nearby_set_apart (self->nearby, incident->id, event->created, true);
}

void split_record (engine_t *self, const Patrol__Inner *inner, const incident_t *incident, int64_t now_ms, take_t *out)
{
    const Patrol__Command *command = inner->command;
    tip_of_t named [TIPS_MOST] = { 0 };
    Patrol__DeviceSlot tips [TIPS_MOST], *pointers [TIPS_MOST], inbox [TIPS_MOST], *inboxes [TIPS_MOST];
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__Split event = PATROL__SPLIT__INIT;
    Patrol__From from;
    Patrol__DayText sealed;
    incident_t once = { 0 };
    int count = s_named_tips (self, command, incident, named, out);
    Patrol__TipAccepted *head = count > 0 ? s_tip_record (self, &named [0]) : NULL;
    if (!head) {
        engine_refuse (out, PATROL__CODE__SLOW_DOWN, "the log cannot be read now; try again later");
        return;
    }
    if (command->note.len || command->answer.len) {
        if (!s_note (self, command, now_ms, &sealed, out))
            return;
        event.texts = &sealed;
    }
    event.restored = s_once_its_own (self, &named [0], head, incident->id, &once);
    event.created = event.restored ? once.id : engine_new_incident (self, inner, out->member);
    event.created_version = event.restored ? once.version + 1 : 1;
    engine_from (out, &from);
    event.from = &from;
    event.incident = incident->id;
    event.version = incident->version + 1;
    event.officer = command->officer;
    event.station = engine_bytes (incident->station_id);
    event.kind = head->kind;
    event.severity = head->severity;
    event.cls = head->cls;
    event.has_position = head->has_position;
    event.lat_e7 = head->lat_e7;
    event.lon_e7 = head->lon_e7;
    event.area = head->area;
    event.place = head->place;
    for (int i = 0; i < count; i++) {
        member_t *member = members_get (self->members, named [i].device);
        patrol__device_slot__init (pointers [i] = &tips [i]);
        patrol__device_slot__init (inboxes [i] = &inbox [i]);
        tips [i].device = inbox [i].device = named [i].device;
        tips [i].epoch = inbox [i].epoch = named [i].epoch;
        tips [i].counter = inbox [i].counter = named [i].counter;
        inbox [i].n = member->inbox_next++;
        bool known = false;
        for (int k = 0; k < i; k++)
            known |= named [k].device == named [i].device;
        event.witnesses += !known;
    }
    event.n_tips = event.n_inbox = (size_t)count;
    event.tips = pointers;
    event.inbox = inboxes;
    event.n_slots = engine_slots (self, engine_station_feed (self, incident->station_id, strlen (incident->station_id)),
        incident->copies, &event.slots);
    record.event_case = PATROL__RECORD__EVENT_SPLIT;
    record.split = &event;
    engine_record (self, &record, now_ms, out);
    if (out->verdict != TAKE_RECORD)
        return;
    out->incident = incident->id;
    out->other = event.created;
    out->version = event.version;
    snprintf (out->station, sizeof out->station, "%s", incident->station_id);
    s_split (self, &event, incident, now_ms);
    //  What the two look like from now on is read again, as at a start; durable by the time a tip asks.
    witness_split (self, incident->id, event.created, named, count);
}
