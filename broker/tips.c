//  tips - a tip's validation, place, station and record; and its withdrawal

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_private.h"
#include "geotag.h"
#include "tiptime.h"
#include "utf8.h"

#define SEEN_AHEAD_MS (5 * 60000)
#define ACCURACY_MAX 100000u

//  Where and whose, decided.
typedef struct {
    bool has_position, unlocated;
    position_t position;
    uint32_t accuracy_m;
    char label [256], why [400]; //  geotag's and the route's words
    areas_choice_t choice;
    feed_t *owner;
} placing_t;

static bool s_text_ok (ProtobufCBinaryData text, size_t max, bool lines, const char *what, take_t *out)
{
    utf8_verdict_t verdict = utf8_check (text.data, text.len, max, lines);
    if (verdict == UTF8_OK)
        return true;
    snprintf (out->detail, sizeof out->detail, "%s: %s (%zu bytes; at most %zu of UTF-8)", what, utf8_words (verdict),
        text.len, max);
    return false;
}

//  Returns OK, or the code with a line in out->detail.
static Patrol__Code s_validate (
    const Patrol__Tip *tip, const Patrol__Inner *inner, const kind_t *kind, const member_t *member, take_t *out)
{
    if (member->role != PATROL__ROLE__NODE) {
        snprintf (out->detail, sizeof out->detail, "only a node's device may send tips");
        return PATROL__CODE__NOT_ALLOWED;
    }
    if (!kind) {
        //  A stranger's bytes reach logs and screens only when they are text.
        bool shown = utf8_check (tip->kind.data, tip->kind.len, 32, false) == UTF8_OK;
        snprintf (out->detail, sizeof out->detail, "kind \"%.*s\" is not in the kinds file", shown ? (int)tip->kind.len : 3,
            shown ? (const char *)tip->kind.data : "???");
        return PATROL__CODE__UNKNOWN_KIND;
    }
    if (tip->severity < 1 || tip->severity > 3) {
        snprintf (
            out->detail, sizeof out->detail, "severity %u: 1 (blue), 2 (yellow) or 3 (red) would be right", tip->severity);
        return PATROL__CODE__UNKNOWN_KIND;
    }
    if (!s_text_ok (tip->text, TEXT_MAX, true, "text", out) || !s_text_ok (tip->place, PLACE_MAX, false, "place", out))
        return PATROL__CODE__BAD_TEXT;
    if (!tip->text.len && kind->cls [tip->severity] != CLASS_SOS) {
        snprintf (out->detail, sizeof out->detail, "the text is empty");
        return PATROL__CODE__BAD_TEXT;
    }
    position_t position = { e7_to_degrees (tip->lat_e7), e7_to_degrees (tip->lon_e7) };
    if (tip->datum > DATUM_BD09 || tip->accuracy_m > ACCURACY_MAX || (tip->has_position && !position_valid (position))) {
        snprintf (out->detail, sizeof out->detail, "position %.7f,%.7f datum %u accuracy %u m is out of range", position.lat,
            position.lon, tip->datum, tip->accuracy_m);
        return PATROL__CODE__BAD_POSITION;
    }
    if (inner->written_ms < 0 || tip->seen_ms < 0 || tip->seen_ms > inner->written_ms + SEEN_AHEAD_MS) {
        snprintf (out->detail, sizeof out->detail, "seen later than written, or before 1970");
        return PATROL__CODE__BAD_TIME;
    }
    return PATROL__CODE__OK;
}

//  Step 3: where. The tip's own position, else its place in words, else its sender's post, else nothing.
static void s_geotag (engine_t *self, const Patrol__Tip *tip, member_t *member, int64_t when_ms, placing_t *placing)
{
    geotag_t where;
    geotag_tip (self, tip, member, when_ms, &where);
    placing->has_position = where.has_position;
    placing->position = where.position;
    placing->accuracy_m = where.accuracy_m;
    memcpy (placing->label, where.label, sizeof placing->label);
    memcpy (placing->why, where.why, sizeof where.why);
}

//  Step 4: whose. Without a position: the sender's home station, else the district, marked unlocated.
static void s_route (engine_t *self, const member_t *member, const kind_t *kind, int64_t when_ms, placing_t *placing)
{
    size_t used = strlen (placing->why);
    areas_choice_t *choice = &placing->choice;
    if (placing->has_position) {
        areas_choose (self->areas, placing->position, kind->id, when_ms, placing->accuracy_m, choice);
        snprintf (placing->why + used, sizeof placing->why - used, "%s", choice->why);
    } else {
        placing->unlocated = true;
        int home = member->station [0] ? areas_find_station (self->areas, member->station, strlen (member->station)) : -1;
        choice->station = home >= 0 ? home : 0;
        choice->area = -1;
        choice->by = home >= 0 ? BY_PARENT : BY_DISTRICT;
        snprintf (placing->why + used, sizeof placing->why - used, "no position: %s",
            home >= 0 ? "sender's home station" : "district");
    }
    placing->owner = self->area_feeds [choice->station];
}

static void s_copies (engine_t *self, const areas_choice_t *choice, char *out, size_t room)
{
    size_t used = 0;
    for (int i = 0; i < choice->copy_count; i++)
        used += (size_t)snprintf (
            out + used, room - used, "%s%s,", used ? "" : ",", self->area_feeds [choice->copies [i]]->id);
    out [used] = 0;
}

//  A fresh id: the natural one, or the next free one (22 bits of hash within one millisecond do collide in a burst).
uint64_t engine_new_incident (engine_t *self, const Patrol__Inner *inner, const member_t *member)
{
    uint64_t id = incident_id (self->district, member->device_key, inner->epoch, inner->counter, inner->written_ms);
    while (!newids_free (self->newids, id)
        && (active_find (self->active, id) || pending_has (self->pending, id) || state_has_incident (self->state, id)))
        id++;
    newids_add (self->newids, id, self->log_time);
    return id;
}

//  A tip that follows an earlier one of the same device belongs to its incident, and to the station that has that.
static void s_follow (engine_t *self, const Patrol__Tip *tip, const member_t *member, joining_t *joining)
{
    origin_t *origin = tip->follows ? member_origin ((member_t *)member, tip->follows->epoch) : NULL;
    taken_t taken;
    incident_t incident;
    if (!origin || !intervals_has (&origin->seen, tip->follows->counter))
        return;
    if (!intervals_has (&origin->durable, tip->follows->counter)) {
        joining->defer = true;
        return;
    }
    if (!state_taken (self->state, member->number, tip->follows->epoch, tip->follows->counter, 0, &taken) || !taken.incident)
        return;
    snprintf (joining->why, sizeof joining->why, "follows an earlier tip of the same device");
    active_incident_t *active = active_follow (self->active, taken.incident);
    if (active) {
        joining->joined = true;
        joining->incident = active->id;
        return;
    }
    if (pending_has (self->pending, taken.incident)) {
        joining->defer = true;
        return;
    }
    if (!state_incident (self->state, taken.incident, &incident))
        return;
    joining->joined = true;
    joining->status = incident.status;
    joining->incident = incident.id;
    joining->version = incident.version + 1;
    joining->owner = engine_station_feed (self, incident.station_id, strlen (incident.station_id));
    memcpy (joining->copies, incident.copies, sizeof joining->copies);
}

//  Step 5: the record, self-contained: decisions are written down, never recomputed.
static void s_record (engine_t *self, const Patrol__Inner *inner, const uint8_t *envelope, size_t size, bool quarantined,
    bool conflict, const kind_t *kind, const tiptime_t *when, const placing_t *placing, const joining_t *joining,
    int64_t now_ms, take_t *out)
{
    const Patrol__Tip *tip = inner->tip;
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__TipAccepted event = PATROL__TIP_ACCEPTED__INIT;
    Patrol__From from;
    Patrol__DayText day_text;
    Patrol__Texts texts = PATROL__TEXTS__INIT;
    uint8_t mid [MID_SIZE];
    engine_from (out, &from);
    envelope_mid (mid, envelope, size);
    texts.text = tip->text;
    texts.place_text = tip->place;
    int64_t at_ms = engine_now (self, now_ms);
    if (!engine_seal_texts (self, &texts, at_ms, &day_text, out)) {
        engine_refuse (out, PATROL__CODE__SLOW_DOWN, "the day key cannot be stored; nothing is taken until it can");
        return;
    }
    event.from = &from;
    event.mid = (ProtobufCBinaryData){ sizeof mid, mid };
    event.kind = tip->kind;
    event.severity = tip->severity;
    event.cls = kind->cls [tip->severity];
    event.class_mismatch = tip->cls != event.cls;
    event.has_position = placing->has_position;
    event.lat_e7 = placing->has_position ? degrees_to_e7 (placing->position.lat) : 0;
    event.lon_e7 = placing->has_position ? degrees_to_e7 (placing->position.lon) : 0;
    event.accuracy_m = placing->accuracy_m;
    event.datum = tip->datum;
    event.place = engine_bytes (placing->label);
    event.written_ms = inner->written_ms;
    event.seen_ms = tip->seen_ms ? tip->seen_ms : inner->written_ms;
    event.clock_offset_ms = when->offset_ms;
    event.late = when->late;
    event.incident = joining->incident;
    event.joined = joining->joined;
    event.version = joining->version;
    if (placing->choice.area >= 0)
        event.area = engine_bytes (areas_area_id (self->areas, placing->choice.area));
    event.station = engine_bytes (joining->owner->id);
    event.by = placing->choice.by;
    //  Of a tip that joined, how it came to its incident says where it went; the rest is said first.
    char why [sizeof placing->why + sizeof joining->why + 4];
    snprintf (why, sizeof why, "%s%s%s", placing->why, placing->why [0] && joining->why [0] ? "; " : "", joining->why);
    event.why = engine_bytes (why);
    event.score_e3 = joining->joined ? joining->score_e3 : 0;
    event.witnesses = joining->joined ? joining->witnesses : 0;
    if (joining->joined)
        event.status = engine_bytes (status_name (joining->status));
    event.by_name = placing->has_position && !tip->has_position;
    event.areas_version = areas_version (self->areas);
    event.texts = &day_text;
    event.anonymous = tip->anonymous;
    event.conflict = conflict;
    event.unlocated = placing->unlocated;
    event.quarantined = quarantined;
    event.hops = self->hops;
    event.follows = tip->follows;
    event.n_slots = engine_slots (self, joining->owner, joining->copies, &event.slots);
    record.event_case = PATROL__RECORD__EVENT_TIP;
    record.tip = &event;
    engine_record (self, &record, now_ms, out);
    out->code = PATROL__CODE__OK;
    out->incident = joining->incident;
    out->version = joining->version;
    out->sos = event.cls == CLASS_SOS;
    memcpy (out->station, joining->owner->id, sizeof out->station);
}

void tip_take (engine_t *self, const Patrol__Inner *inner, const uint8_t *envelope, size_t size, bool direct, bool conflict,
    int64_t now_ms, take_t *out)
{
    const Patrol__Tip *tip = inner->tip;
    int index = kinds_find (self->kinds, (const char *)tip->kind.data, tip->kind.len);
    const kind_t *kind = index >= 0 ? kinds_get (self->kinds, index) : NULL;
    Patrol__Code code = s_validate (tip, inner, kind, out->member, out);
    if (code != PATROL__CODE__OK) {
        engine_log_refusal (self, code, now_ms, out);
        return;
    }
    joining_t joining = { 0 };
    s_follow (self, tip, out->member, &joining);
    if (joining.defer) {
        out->verdict = TAKE_DEFER;
        return;
    }
    bool quarantined = out->member->revoked && !direct;
    bool aside = quarantined && kind->cls [tip->severity] != CLASS_SOS;
    placing_t placing = { 0 };
    placing.choice.area = -1;
    tiptime_t when = tiptime_judge (
        out->member, kind, kind->cls [tip->severity], inner->written_ms, tip->seen_ms, engine_now (self, now_ms));
    s_geotag (self, tip, out->member, when.seen_ms, &placing);
    s_route (self, out->member, kind, when.seen_ms, &placing);
    if (aside) {
        //  The district's desk looks at it; no station acts on a revoked device's word.
        joining = (joining_t){ 0 };
        placing.owner = self->area_feeds [0];
        placing.choice.copy_count = 0;
        snprintf (placing.why, sizeof placing.why, "from a revoked device: quarantined, to the district");
    }
    sighting_t sighting = { .kind = kind,
        .kind_index = index,
        .cls = kind->cls [tip->severity],
        .has_position = placing.has_position,
        .by_name = placing.has_position && !tip->has_position,
        .aside = aside,
        .late = when.late,
        .lat_e7 = placing.has_position ? degrees_to_e7 (placing.position.lat) : 0,
        .lon_e7 = placing.has_position ? degrees_to_e7 (placing.position.lon) : 0,
        .accuracy_m = placing.accuracy_m,
        .seen_ms = when.seen_ms,
        .place = tip->place,
        .text = tip->text,
        .owner = placing.owner,
        .choice = &placing.choice };
    witness_find (self, &sighting, &joining);
    if (joining.joined && active_find (self->active, joining.incident))
        witness_join (active_find (self->active, joining.incident), out->member->number, &joining);
    if (!joining.joined) {
        joining.incident = engine_new_incident (self, inner, out->member);
        joining.version = 1;
        joining.owner = placing.owner;
        s_copies (self, &placing.choice, joining.copies, sizeof joining.copies);
    }
    s_record (self, inner, envelope, size, quarantined, conflict, kind, &when, &placing, &joining, now_ms, out);
    if (out->verdict == TAKE_RECORD)
        witness_taken (self, &sighting, out->member->number, &joining);
}

void withdraw_take (engine_t *self, const Patrol__Inner *inner, int64_t now_ms, take_t *out)
{
    const Patrol__TipRef *ref = inner->withdraw->tip;
    origin_t *origin = ref ? member_origin (out->member, ref->epoch) : NULL;
    taken_t taken = { 0 };
    incident_t incident;
    if (origin && intervals_has (&origin->seen, ref->counter) && !intervals_has (&origin->durable, ref->counter)) {
        out->verdict = TAKE_DEFER;
        return;
    }
    if (!ref || !state_taken (self->state, out->member->number, ref->epoch, ref->counter, 0, &taken) || !taken.incident
        || !state_incident (self->state, taken.incident, &incident)) {
        if (engine_may_come_again (self, inner->written_ms)) {
            engine_refuse (out, PATROL__CODE__SLOW_DOWN, "after a restore, the withdrawn tip is not here yet");
            return;
        }
        snprintf (out->detail, sizeof out->detail, "no such tip of this device");
        engine_log_refusal (self, PATROL__CODE__NOT_FOUND, now_ms, out);
        return;
    }
    if (pending_has (self->pending, incident.id)) {
        out->verdict = TAKE_DEFER;
        return;
    }
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__StatusChanged event = PATROL__STATUS_CHANGED__INIT;
    Patrol__From from;
    engine_from (out, &from);
    //  Only the tip that began the incident takes it along, and only while nobody has closed it.
    bool first = incident.device == out->member->number && incident.epoch == ref->epoch && incident.counter == ref->counter;
    //  Others who saw the same keep it alive.
    tip_of_t tips [64];
    int count = state_tips_of (self->state, incident.id, tips, 64);
    bool others = false;
    for (int i = 0; i < count; i++)
        others |= tips [i].device != incident.device;
    bool ends = first && !others && incident.status != STATUS_CLOSED;
    event.from = &from;
    event.incident = incident.id;
    event.version = incident.version + 1;
    event.status = engine_bytes (status_name (ends ? STATUS_WITHDRAWN : incident.status));
    event.station = engine_bytes (incident.station_id);
    event.by_sender = true;
    event.tip = inner->withdraw->tip;
    event.n_slots = engine_slots (
        self, engine_station_feed (self, incident.station_id, strlen (incident.station_id)), incident.copies, &event.slots);
    record.event_case = PATROL__RECORD__EVENT_STATUS;
    record.status = &event;
    engine_record (self, &record, now_ms, out);
    out->incident = incident.id;
    out->version = event.version;
    if (out->verdict == TAKE_RECORD)
        witness_changed (self, incident.id, event.version, ends ? STATUS_WITHDRAWN : incident.status, false, now_ms);
}
