//  orders - what an officer does about an incident: acknowledge, dispatch, close, reopen, place

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_private.h"
#include "geotag.h"
#include "timefmt.h"
#include "utf8.h"

static bool s_texts_ok (const Patrol__Command *command, take_t *out)
{
    const struct {
        const char *name;
        ProtobufCBinaryData text;
        size_t max;
        bool lines;
    } fields [] = { { "officer", command->officer, NAME_MAX_BYTES, false }, { "note", command->note, TEXT_MAX, true },
        { "answer", command->answer, TEXT_MAX, true }, { "reason", command->reason, 32, false } };
    for (size_t i = 0; i < sizeof fields / sizeof fields [0]; i++) {
        utf8_verdict_t verdict = utf8_check (fields [i].text.data, fields [i].text.len, fields [i].max, fields [i].lines);
        if (verdict != UTF8_OK) {
            snprintf (out->detail, sizeof out->detail, "%s: %s (at most %zu bytes of UTF-8)", fields [i].name,
                utf8_words (verdict), fields [i].max);
            return false;
        }
    }
    if (!command->officer.len)
        snprintf (out->detail, sizeof out->detail, "the officer's name is missing");
    return command->officer.len > 0;
}

//  May this desk act on it? The owner's desks may; a coordinator may; a copy's holder may only look.
bool order_allowed (const member_t *member, const incident_t *incident)
{
    if (member->role == PATROL__ROLE__COORDINATOR)
        return true;
    return member->role == PATROL__ROLE__DESK && strcmp (member->station, incident->station_id) == 0;
}

bool order_visible (const member_t *member, const incident_t *incident)
{
    char key [40];
    snprintf (key, sizeof key, ",%s,", member->station);
    return order_allowed (member, incident) || (member->role == PATROL__ROLE__DESK && strstr (incident->copies, key));
}

//  The status a verb leads to; -1 if it does not fit where the incident is.
static int s_next (Patrol__Verb verb, status_t from)
{
    bool ended = from == STATUS_CLOSED || from == STATUS_WITHDRAWN || from == STATUS_MERGED;
    switch (verb) {
    case PATROL__VERB__ACK:
        return from == STATUS_OPEN ? STATUS_ACKNOWLEDGED : -1;
    case PATROL__VERB__DISPATCH:
        return ended || from == STATUS_DISPATCHED ? -1 : STATUS_DISPATCHED;
    case PATROL__VERB__CLOSE:
        return from == STATUS_CLOSED || from == STATUS_MERGED ? -1 : STATUS_CLOSED;
    case PATROL__VERB__REOPEN:
        return ended && from != STATUS_MERGED ? STATUS_OPEN : -1;
    case PATROL__VERB__PLACE:
        return from == STATUS_MERGED ? -1 : (int)from;
    case PATROL__VERB__MERGE:
    case PATROL__VERB__SPLIT:
        return ended && from != STATUS_CLOSED ? -1 : (int)from;
    case PATROL__VERB__VERB_NONE:
    case _PATROL__VERB_IS_INT_SIZE:
        break;
    }
    return -1;
}

static void s_record_status (
    engine_t *self, const Patrol__Command *command, const incident_t *incident, status_t status, int64_t now_ms, take_t *out)
{
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__StatusChanged event = PATROL__STATUS_CHANGED__INIT;
    Patrol__From from;
    Patrol__DayText day_text;
    Patrol__Texts texts = PATROL__TEXTS__INIT;
    engine_from (out, &from);
    texts.note = command->note;
    texts.answer = command->answer;
    if (command->note.len || command->answer.len) {
        if (!engine_seal_texts (self, &texts, engine_now (self, now_ms), &day_text, out)) {
            engine_refuse (out, PATROL__CODE__SLOW_DOWN, "the day key cannot be stored; nothing is taken until it can");
            return;
        }
        event.texts = &day_text;
    }
    event.from = &from;
    event.incident = incident->id;
    event.version = incident->version + 1;
    event.status = engine_bytes (status_name (status));
    event.officer = command->officer;
    event.reason = command->reason;
    event.station = engine_bytes (incident->station_id);
    event.n_slots = engine_slots (self, engine_station_feed (self, incident->station_id, strlen (incident->station_id)),
        incident->copies, &event.slots);
    event.n_inbox = engine_inbox (self, incident->id, &event.inbox);
    record.event_case = PATROL__RECORD__EVENT_STATUS;
    record.status = &event;
    engine_record (self, &record, now_ms, out);
}

static void s_record_place (
    engine_t *self, const Patrol__Command *command, const incident_t *incident, int64_t now_ms, take_t *out)
{
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__Placed event = PATROL__PLACED__INIT;
    Patrol__From from;
    char label [256];
    position_t position = { e7_to_degrees (command->lat_e7), e7_to_degrees (command->lon_e7) };
    Patrol__DayText day_text;
    Patrol__Texts texts = PATROL__TEXTS__INIT;
    engine_from (out, &from);
    geotag_label (self, position, engine_now (self, now_ms), label, sizeof label);
    texts.note = command->note;
    if (command->note.len) {
        if (!engine_seal_texts (self, &texts, engine_now (self, now_ms), &day_text, out)) {
            engine_refuse (out, PATROL__CODE__SLOW_DOWN, "the day key cannot be stored; nothing is taken until it can");
            return;
        }
        event.texts = &day_text;
    }
    event.from = &from;
    event.incident = incident->id;
    event.version = incident->version + 1;
    event.officer = command->officer;
    event.lat_e7 = command->lat_e7;
    event.lon_e7 = command->lon_e7;
    event.place = engine_bytes (label);
    event.station = engine_bytes (incident->station_id);
    event.why = engine_bytes ("placed by hand");
    event.n_slots = engine_slots (self, engine_station_feed (self, incident->station_id, strlen (incident->station_id)),
        incident->copies, &event.slots);
    record.event_case = PATROL__RECORD__EVENT_PLACED;
    record.placed = &event;
    engine_record (self, &record, now_ms, out);
}

//  Is the command in order? Otherwise its refusal is logged, so that its counter is settled.
static Patrol__Code s_judge (engine_t *self, const Patrol__Command *command, const member_t *member, bool found,
    const incident_t *incident, take_t *out)
{
    if (member->role != PATROL__ROLE__DESK && member->role != PATROL__ROLE__COORDINATOR) {
        snprintf (out->detail, sizeof out->detail, "only a desk may do this");
        return PATROL__CODE__NOT_ALLOWED;
    }
    if (!s_texts_ok (command, out))
        return PATROL__CODE__BAD_TEXT;
    //  "Not yours" and "not there" get the same answer.
    if (!found || !order_visible (member, incident)) {
        snprintf (out->detail, sizeof out->detail, "no such incident at this station");
        return PATROL__CODE__NOT_FOUND;
    }
    if (!order_allowed (member, incident)) {
        snprintf (
            out->detail, sizeof out->detail, "station %s owns this incident; this desk holds a copy", incident->station_id);
        return PATROL__CODE__NOT_ALLOWED;
    }
    if (command->based_on != incident->version) {
        char at [32];
        time_format_utc (at, incident->updated_ms);
        snprintf (out->detail, sizeof out->detail, "based on version %llu, but %s made it %s (version %llu) at %s",
            (unsigned long long)command->based_on, incident->by [0] ? incident->by : "the reporter",
            status_name (incident->status), (unsigned long long)incident->version, at);
        return PATROL__CODE__STALE;
    }
    if (s_next (command->verb, incident->status) < 0) {
        char into [14] = "";
        id64_format (into, incident->into);
        snprintf (out->detail, sizeof out->detail, "the incident is %s%s%s: this command does not fit",
            status_name (incident->status), incident->into ? " into " : "", incident->into ? into : "");
        return PATROL__CODE__BAD_VERB;
    }
    position_t position = { e7_to_degrees (command->lat_e7), e7_to_degrees (command->lon_e7) };
    if (command->verb == PATROL__VERB__PLACE && (!command->has_position || !position_valid (position))) {
        snprintf (out->detail, sizeof out->detail, "a position within +-90,+-180 is needed");
        return PATROL__CODE__BAD_POSITION;
    }
    if (command->verb == PATROL__VERB__MERGE)
        return merge_judge (self, command, incident, out);
    if (command->verb == PATROL__VERB__SPLIT)
        return split_judge (self, command, incident, out);
    return PATROL__CODE__OK;
}

void command_take (engine_t *self, const Patrol__Inner *inner, int64_t now_ms, take_t *out)
{
    const Patrol__Command *command = inner->command;
    incident_t incident = { 0 };
    if (pending_has (self->pending, command->incident)
        || (command->verb == PATROL__VERB__MERGE && pending_has (self->pending, command->into))) {
        out->verdict = TAKE_DEFER;
        return;
    }
    bool found = state_incident (self->state, command->incident, &incident);
    Patrol__Code code = s_judge (self, command, out->member, found, &incident, out);
    bool ahead = code == PATROL__CODE__NOT_FOUND || (code == PATROL__CODE__STALE && command->based_on > incident.version);
    if (ahead && engine_may_come_again (self, inner->written_ms)) {
        engine_refuse (out, PATROL__CODE__SLOW_DOWN, "after a restore, what this command is about is not here yet");
        return;
    }
    if (code != PATROL__CODE__OK) {
        engine_log_refusal (self, code, now_ms, out);
        return;
    }
    if (command->verb == PATROL__VERB__MERGE || command->verb == PATROL__VERB__SPLIT) {
        if (command->verb == PATROL__VERB__MERGE)
            merge_record (self, inner, &incident, now_ms, out);
        else
            split_record (self, inner, &incident, now_ms, out);
        return;
    }
    status_t status = (status_t)s_next (command->verb, incident.status);
    if (command->verb == PATROL__VERB__PLACE)
        s_record_place (self, command, &incident, now_ms, out);
    else
        s_record_status (self, command, &incident, status, now_ms, out);
    if (out->verdict != TAKE_RECORD)
        return;
    witness_changed (self, incident.id, incident.version + 1, status, true, now_ms);
    if (command->verb == PATROL__VERB__PLACE)
        nearby_place (self->nearby, incident.id, command->lat_e7, command->lon_e7);
    out->incident = incident.id;
    out->version = incident.version + 1;
    memcpy (out->station, incident.station_id, sizeof out->station);
}
