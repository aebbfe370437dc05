//  witness - a tip as another report of a known incident: what the engine asks near dedupe and tells it

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_private.h"
#include "likeness.h"

#define REPORTS_AT_START 64           //  of one incident, read again from the log
#define SEEN_MOST_MS 32503680000000ll //  the year 3000

//  ---- asking and telling

//  False: this tip is compared with nothing. A call for help is never another person's, whatever kind it came as.
static bool s_compared (const sighting_t *sighting)
{
    return sighting->has_position && !sighting->aside && sighting->kind->merge_radius_m && sighting->cls != CLASS_SOS;
}

static nearby_tip_t s_tip (const sighting_t *sighting)
{
    //  A clock that is off by ages puts a tip beside nothing; it must not overflow what is added to it.
    int64_t seen_ms = sighting->seen_ms < 0 ? 0 : sighting->seen_ms > SEEN_MOST_MS ? SEEN_MOST_MS : sighting->seen_ms;
    return (nearby_tip_t){ .kind = sighting->kind_index,
        .lat_e7 = sighting->lat_e7,
        .lon_e7 = sighting->lon_e7,
        .accuracy_m = sighting->accuracy_m,
        .by_name = sighting->by_name,
        .seen_ms = seen_ms,
        .address = likeness_address (sighting->place.data, sighting->place.len),
        .sketch = likeness_sketch (sighting->text.data, sighting->text.len) };
}

//  An incident belongs to one station, and a place to one: a report from another station's place joins only if its own accuracy
//  leaves open on which side of the border it was. What lies on both sides is merged by an officer, who has a copy.
typedef struct {
    engine_t *engine;
    const sighting_t *sighting;
} asked_t;

static bool s_may_join (void *context, uint64_t id)
{
    const asked_t *asked = context;
    const sighting_t *sighting = asked->sighting;
    const active_incident_t *incident = active_find (asked->engine->active, id);
    if (!incident || incident->owner == sighting->owner)
        return true;
    for (int i = 0; sighting->accuracy_m && i < sighting->choice->copy_count; i++)
        if (asked->engine->area_feeds [sighting->choice->copies [i]] == incident->owner)
            return true;
    return false;
}

void witness_find (engine_t *self, sighting_t *sighting, joining_t *joining)
{
    if (!s_compared (sighting))
        return;
    sighting->tip = s_tip (sighting);
    if (joining->joined)
        return; //  it follows an earlier one: where it belongs is said
    nearby_found_t found;
    asked_t asked = { self, sighting };
    nearby_find_among (self->nearby, &sighting->tip, s_may_join, &asked, &found);
    snprintf (joining->why, sizeof joining->why, "%s", found.why);
    joining->joined = found.incident != 0;
    joining->incident = found.incident;
    joining->score_e3 = found.score_e3;
}

void witness_join (active_incident_t *incident, uint32_t device, joining_t *joining)
{
    bool known = false;
    for (uint32_t i = 0; i < incident->device_count; i++)
        known |= incident->devices [i] == device;
    joining->joined = true;
    joining->incident = incident->id;
    joining->version = incident->version + 1;
    joining->owner = incident->owner;
    joining->status = incident->status;
    joining->witnesses = incident->device_count + !known;
    snprintf (joining->copies, sizeof joining->copies, "%s", incident->copies ? incident->copies : "");
}

static void s_expire (engine_t *self)
{
    uint64_t ended;
    while ((ended = active_expire (self->active, self->log_time)))
        nearby_forget (self->nearby, ended);
}

void witness_taken (engine_t *self, const sighting_t *sighting, uint32_t device, const joining_t *joining)
{
    s_expire (self);
    //  One that ended long ago takes its follower as before; it does not become active by that.
    active_incident_t *incident
        = joining->joined ? active_find (self->active, joining->incident) : active_put (self->active, joining->incident);
    self->grown = 0;
    self->grown_count = 0;
    if (!incident)
        return;
    incident->version = joining->version;
    active_add_device (incident, device);
    incident->late = sighting->late && (incident->late || !joining->joined);
    if (!joining->joined) {
        incident->owner = joining->owner;
        active_set_copies (incident, joining->copies);
    }
    if (!s_compared (sighting))
        return;
    if (!joining->joined)
        nearby_begin (self->nearby, joining->incident, &sighting->tip);
    else {
        nearby_join (self->nearby, joining->incident, &sighting->tip);
        self->grown = joining->score_e3 ? joining->incident : 0;
    }
}

void witness_changed (engine_t *self, uint64_t id, uint64_t version, status_t status, bool by_person, int64_t now_ms)
{
    active_incident_t *incident = active_find (self->active, id);
    if (!incident)
        return;
    incident->version = version;
    incident->touched |= by_person;
    active_set_status (self->active, incident, status, engine_now (self, now_ms));
    //  What its sender took back is no longer there for others to have seen.
    if (status == STATUS_WITHDRAWN)
        nearby_forget (self->nearby, id);
}

//  ---- at the start

//  The report of one tip record, as it was when it was taken.
static bool s_sighting (engine_t *self, const Patrol__TipAccepted *tip, sighting_t *out)
{
    int index = kinds_find (self->kinds, (const char *)tip->kind.data, tip->kind.len);
    if (index < 0)
        return false;
    *out = (sighting_t){ .kind = kinds_get (self->kinds, index),
        .kind_index = index,
        .cls = tip->cls,
        .has_position = tip->has_position,
        .by_name = tip->by_name,
        .aside = tip->quarantined,
        .lat_e7 = tip->lat_e7,
        .lon_e7 = tip->lon_e7,
        .accuracy_m = tip->accuracy_m,
        .seen_ms = tip->seen_ms - tip->clock_offset_ms };
    Patrol__Texts *texts = tip->texts ? daykeys_open_texts (self->daykeys, tip->texts, self->apply_arena) : NULL;
    if (texts) {
        out->place = texts->place_text;
        out->text = texts->text;
    }
    return s_compared (out);
}

//  One tip of an incident, read from the log: its device, and its report for comparison.
static void s_load_tip (engine_t *self, active_incident_t *incident, uint64_t seq, bool compare, const active_row_t *row)
{
    const uint8_t *bytes;
    sighting_t sighting;
    size_t size = eventlog_get (self->log, seq, &bytes);
    arena_reset (self->apply_arena);
    Patrol__Record *record = size ? patrol__record__unpack (arena_allocator (self->apply_arena), size, bytes) : NULL;
    if (!record || record->event_case != PATROL__RECORD__EVENT_TIP)
        return;
    active_add_device (incident, record->tip->from->device);
    incident->late &= record->tip->late;
    if (!compare || !s_sighting (self, record->tip, &sighting))
        return;
    nearby_tip_t tip = s_tip (&sighting);
    if (nearby_has (self->nearby, incident->id)) {
        nearby_join (self->nearby, incident->id, &tip);
        return;
    }
    nearby_begin (self->nearby, incident->id, &tip);
    if (row && row->has_position && (row->lat_e7 != sighting.lat_e7 || row->lon_e7 != sighting.lon_e7))
        nearby_place (self->nearby, incident->id, row->lat_e7, row->lon_e7);
}

static void s_load_one (void *context, const active_row_t *row)
{
    engine_t *self = context;
    const incident_t *from = &row->incident;
    active_incident_t *incident = active_put (self->active, from->id);
    incident->version = from->version;
    incident->into = from->into;
    incident->owner = engine_station_feed (self, from->station_id, strlen (from->station_id));
    incident->touched = from->by [0] != 0;
    active_set_copies (incident, from->copies);
    active_set_status (self->active, incident, from->status, from->updated_ms);
    uint64_t seqs [REPORTS_AT_START];
    int count = state_tip_seqs (self->state, from->id, seqs, REPORTS_AT_START);
    incident->late = count > 0;
    for (int i = 0; i < count; i++)
        s_load_tip (self, incident, seqs [i], from->status < STATUS_WITHDRAWN, i ? NULL : row);
}

void witness_split (engine_t *self, uint64_t old, uint64_t created, const tip_of_t *tips, int count)
{
    uint64_t seqs [REPORTS_AT_START];
    active_incident_t *to = active_find (self->active, created), *from = active_find (self->active, old);
    int all = state_tip_seqs (self->state, old, seqs, REPORTS_AT_START);
    nearby_forget (self->nearby, old);
    if (from) {
        active_drop_devices (from);
        from->late = true;
    }
    if (to)
        to->late = true;
    for (int i = 0; i < all; i++) {
        active_incident_t *owner = from;
        for (int k = 0; k < count; k++) {
            taken_t taken;
            if (state_taken (self->state, tips [k].device, tips [k].epoch, tips [k].counter, 0, &taken)
                && taken.seq == seqs [i])
                owner = to;
        }
        if (owner)
            s_load_tip (self, owner, seqs [i], true, NULL);
    }
}

static void s_load_apart (void *context, uint64_t a, uint64_t b)
{
    engine_t *self = context;
    nearby_set_apart (self->nearby, a, b, true);
}

void witness_open (engine_t *self)
{
    state_active (self->state, self->log_time - ACTIVE_AFTER_END_MS, s_load_one, self);
    state_apart (self->state, s_load_apart, self);
}
