//  engine - the line of work for one envelope, one checked step after the other

#include "engine_private.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "home.h"
#include "timefmt.h"

#define APPLY_ARENA (256u * 1024)

//  ---- opening

static int s_load_keys (engine_t *self, const char *home)
{
    char *path = home_path (home, "core.key");
    const char *reason = NULL;
    int rc = box_keys_load (&self->core_keys, path, "core", &reason);
    if (rc)
        fprintf (stderr, "<3>core: %s: %s\n", path, reason ? reason : "cannot be read");
    free (path);
    self->key_id = envelope_key_id (self->core_keys.public_key);
    return rc;
}

static int s_load_district (engine_t *self, const char *home)
{
    char *path = home_path (home, "district.id");
    FILE *file = fopen (path, "re");
    char hex [2 * DISTRICT_SIZE + 2] = "";
    size_t size = 0;
    int rc = file && fgets (hex, sizeof hex, file)
            && sodium_hex2bin (self->district, DISTRICT_SIZE, hex, strlen (hex), "\n", &size, NULL) == 0
            && size == DISTRICT_SIZE
        ? 0
        : -1;
    if (rc)
        fprintf (stderr, "<3>core: %s is absent or damaged: is this a broker's home? (patrol-broker init DIR --name NAME)\n",
            path);
    if (file)
        fclose (file);
    free (path);
    return rc;
}

//  The map that the newest record of its kind announced.
static uint8_t *s_announced (engine_t *self, eventlog_reader_t *log, const char *key, size_t *size)
{
    uint8_t hash [32];
    *size = 0;
    if (state_blob_value (self->state, key, hash, sizeof hash) != sizeof hash)
        return NULL;
    return eventlog_blob (log, hash, size);
}

static void s_swap_areas (engine_t *self, areas_t *areas)
{
    areas_destroy (&self->areas);
    self->areas = areas;
    free (self->area_feeds);
    int count = areas_station_count (areas);
    self->area_feeds = calloc ((size_t)count, sizeof *self->area_feeds);
    if (!self->area_feeds)
        abort ();
    for (int i = 0; i < count; i++) {
        const char *id = areas_station (areas, i)->id;
        self->area_feeds [i] = feeds_get (self->feeds, id, strlen (id));
        if (!self->area_feeds [i]->no_desk_since_ms && !self->area_feeds [i]->desks)
            self->area_feeds [i]->no_desk_since_ms = time_now_ms ();
    }
}

static int s_load_maps (engine_t *self, eventlog_reader_t *log)
{
    size_t size;
    char *reason = NULL;
    uint8_t *bytes = s_announced (self, log, "kinds_hash", &size);
    self->kinds = kinds_load ((const char *)bytes, size, &reason);
    self->own_kinds = bytes != NULL;
    free (bytes);
    bytes = self->kinds ? s_announced (self, log, "places_hash", &size) : NULL;
    if (self->kinds)
        self->places = places_load ((const char *)bytes, size, (datum_t)state_value (self->state, "places_datum"), &reason);
    free (bytes);
    if (!self->kinds || !self->places) {
        fprintf (stderr, "<3>core: a map in the log is not usable: %s\n", reason ? reason : "");
        free (reason);
        return -1;
    }
    bytes = s_announced (self, log, "areas_hash", &size);
    areas_t *areas = areas_load ((const char *)bytes, size, (datum_t)state_value (self->state, "areas_datum"),
        (uint64_t)state_value (self->state, "areas_version"), false, NULL, NULL);
    free (bytes);
    if (!areas) {
        fprintf (stderr, "<3>core: the areas in the log are not usable\n");
        return -1;
    }
    s_swap_areas (self, areas);
    return 0;
}

typedef struct {
    engine_t *self;
    int failed;
} roll_t;

static bool s_roll_one (void *context, uint64_t seq, int64_t at_ms, const uint8_t *record, size_t size)
{
    (void)at_ms;
    roll_t *roll = context;
    roll->failed = engine_apply (roll->self, seq, record, size);
    return !roll->failed;
}

static int s_roll_forward (engine_t *self, eventlog_reader_t *log)
{
    uint64_t last = eventlog_reader_last (log), from = state_applied (self->state);
    if (from > last) {
        //  The state knows more than the log: the log was replaced by an older one under a living state.
        fprintf (stderr,
            "<3>core: log.db ends at record %llu, state.db knows record %llu: records are missing; restore a backup (or, if "
            "this log is "
            "the right one, remove state.db: it is rebuilt)\n",
            (unsigned long long)last, (unsigned long long)from);
        return -1;
    }
    progress_t progress;
    progress_begin (&progress, "rolling the state forward", (int64_t)(last - from));
    roll_t roll = { self, 0 };
    while (state_applied (self->state) < last) {
        int count = eventlog_read (log, state_applied (self->state), 500, s_roll_one, &roll);
        if (count <= 0 || roll.failed || state_commit (self->state, time_now_ms (), false))
            return -1;
        progress_step (&progress, (int64_t)(state_applied (self->state) - from));
    }
    progress_end (&progress);
    return state_commit (self->state, 0, true);
}

engine_t *engine_open (const char *home, eventlog_reader_t *log)
{
    engine_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->arena = arena_new (ARENA_MESSAGE_SIZE);
    self->apply_arena = arena_new (APPLY_ARENA);
    self->pending = pending_new ();
    self->feeds = feeds_new ();
    char *state_path = home_path (home, "state.db"), *keys_path = home_path (home, "daykeys.db");
    bool ok = s_load_keys (self, home) == 0 && s_load_district (self, home) == 0;
    if (ok) {
        self->members = members_new (&self->core_keys);
        self->daykeys = daykeys_open (keys_path, 1);
        self->state = self->daykeys ? state_open (state_path, self->members, self->feeds) : NULL;
    }
    free (state_path);
    free (keys_path);
    if (!self->state || s_roll_forward (self, log) || s_load_maps (self, log)) {
        engine_close (&self);
        return NULL;
    }
    self->log_time = state_log_time (self->state);
    uint64_t newest, ahead;
    state_incident_bounds (self->state, newids_horizon (self->log_time), &newest, &ahead);
    self->newids = newids_new (newest, ahead);
    self->log = log;
    self->active = active_new ();
    self->nearby = nearby_new (self->kinds);
    witness_open (self);
    for (int i = 0; i < feeds_count (self->feeds); i++)
        feeds_at (self->feeds, i)->no_desk_since_ms = time_now_ms ();
    return self;
}

void engine_close (engine_t **self_p)
{
    engine_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    state_close (&self->state);
    daykeys_close (&self->daykeys);
    areas_destroy (&self->areas);
    places_destroy (&self->places);
    kinds_destroy (&self->kinds);
    members_destroy (&self->members);
    feeds_destroy (&self->feeds);
    pending_destroy (&self->pending);
    newids_destroy (&self->newids);
    nearby_destroy (&self->nearby);
    active_destroy (&self->active);
    arena_destroy (&self->arena);
    arena_destroy (&self->apply_arena);
    free (self->area_feeds);
    sodium_memzero (self, sizeof *self);
    free (self);
}

//  ---- small parts

int64_t engine_now (engine_t *self, int64_t now_ms)
{
    if (now_ms > self->log_time)
        self->log_time = now_ms;
    return self->log_time;
}

void engine_refuse (take_t *out, Patrol__Code code, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (out->detail, sizeof out->detail, format, args);
    va_end (args);
    out->verdict = TAKE_REFUSED;
    out->code = code;
}

bool engine_may_come_again (engine_t *self, int64_t written_ms)
{
    int64_t began_ms = state_value (self->state, "incarnation_at");
    return written_ms < began_ms && self->log_time - began_ms < EPOCH_LIFE_MS;
}

ProtobufCBinaryData engine_bytes (const char *text)
{
    return (ProtobufCBinaryData){ strlen (text), (uint8_t *)text };
}

void engine_from (const take_t *out, Patrol__From *from)
{
    patrol__from__init (from);
    from->device = out->member->number;
    from->epoch = out->epoch;
    from->counter = out->counter;
    from->tag = out->tag;
}

void engine_record (engine_t *self, Patrol__Record *record, int64_t now_ms, take_t *out)
{
    record->at_ms = engine_now (self, now_ms);
    size_t size = patrol__record__get_packed_size (record);
    if (size > EVENTLOG_RECORD_MAX) {
        engine_refuse (out, PATROL__CODE__TOO_LARGE, "a record of %zu bytes does not fit the log", size);
        free (out->texts);
        out->texts = NULL;
        return;
    }
    out->record = malloc (size);
    if (!out->record)
        abort ();
    patrol__record__pack (record, out->record);
    out->record_size = size;
    out->at_ms = record->at_ms;
    out->verdict = TAKE_RECORD;
}

void engine_log_refusal (engine_t *self, Patrol__Code code, int64_t now_ms, take_t *out)
{
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__Refused refused = PATROL__REFUSED__INIT;
    Patrol__From from;
    engine_from (out, &from);
    refused.from = &from;
    refused.code = code;
    refused.detail = engine_bytes (out->detail);
    record.event_case = PATROL__RECORD__EVENT_REFUSED;
    record.refused = &refused;
    engine_record (self, &record, now_ms, out);
    out->code = code;
}

bool engine_seal_texts (engine_t *self, const Patrol__Texts *texts, int64_t at_ms, Patrol__DayText *out, take_t *take)
{
    size_t size = patrol__texts__get_packed_size (texts);
    uint8_t *plain = arena_alloc (self->arena, size + 1), *sealed = arena_alloc (self->arena, size + 64);
    if (!plain || !sealed)
        return false;
    patrol__texts__pack (texts, plain);
    patrol__day_text__init (out);
    out->day = envelope_day (at_ms);
    out->sealed.data = sealed;
    out->sealed.len = daykeys_seal (self->daykeys, out->day, plain, size, sealed, size + 64);
    if (!out->sealed.len)
        return false;
    take->texts = malloc (size + 1);
    if (!take->texts)
        abort ();
    memcpy (take->texts, plain, size);
    take->texts_size = size;
    return true;
}

static Patrol__FeedSlot *s_slot (engine_t *self, feed_t *feed, bool copy)
{
    Patrol__FeedSlot *slot = arena_alloc (self->arena, sizeof *slot);
    if (!slot)
        return NULL;
    patrol__feed_slot__init (slot);
    slot->station.data = (uint8_t *)feed->id;
    slot->station.len = strlen (feed->id);
    slot->n = feed->next++;
    slot->copy = copy;
    return slot;
}

size_t engine_slots (engine_t *self, feed_t *owner, const char *copies, Patrol__FeedSlot ***slots)
{
    size_t count = 0;
    *slots = arena_alloc (self->arena, (AREA_COPIES + 1) * sizeof **slots);
    if (!*slots)
        return 0;
    (*slots) [count++] = s_slot (self, owner, false);
    while (copies && *copies == ',' && copies [1] && count <= AREA_COPIES) {
        const char *end = strchr (copies + 1, ',');
        if (!end)
            break;
        (*slots) [count++] = s_slot (self, feeds_get (self->feeds, copies + 1, (size_t)(end - copies - 1)), true);
        copies = end;
    }
    return count;
}

size_t engine_inbox (engine_t *self, uint64_t incident, Patrol__DeviceSlot ***slots)
{
    tip_of_t tips [64];
    int count = state_tips_of (self->state, incident, tips, 64);
    *slots = arena_alloc (self->arena, 64 * sizeof **slots);
    size_t used = 0;
    for (int i = 0; *slots && i < count; i++) {
        member_t *member = members_get (self->members, tips [i].device);
        Patrol__DeviceSlot *slot = arena_alloc (self->arena, sizeof *slot);
        if (!member || !slot)
            continue;
        patrol__device_slot__init (slot);
        slot->device = tips [i].device;
        slot->n = member->inbox_next++;
        slot->epoch = tips [i].epoch;
        slot->counter = tips [i].counter;
        (*slots) [used++] = slot;
    }
    return used;
}

//  ---- the line of work

//  Step 1: whose is it, and does it open? NULL with the refusal in out.
static Patrol__Inner *s_open (
    engine_t *self, const uint8_t *envelope, size_t size, member_t *from, int64_t now_ms, take_t *out)
{
    envelope_header_t header;
    if (envelope_parse (&header, envelope, size)) {
        engine_refuse (out, PATROL__CODE__BAD_FRAME, "not an envelope of version 1");
        return NULL;
    }
    if (memcmp (header.district, self->district, DISTRICT_SIZE) != 0 || header.key_id != self->key_id) {
        engine_refuse (out, PATROL__CODE__WRONG_DISTRICT, "sealed for another district or core key");
        return NULL;
    }
    if (from && members_handle_is (self->members, from, header.handle, header.day))
        out->member = from;
    else
        out->member = members_by_handle (self->members, header.handle, header.day, envelope_day (now_ms));
    if (!out->member) {
        engine_refuse (out, PATROL__CODE__UNKNOWN_KEY, "no member has the key this envelope was sealed with");
        return NULL;
    }
    const uint8_t *shared = members_shared (self->members, out->member);
    Patrol__Inner *inner = shared ? envelope_open (envelope, size, shared, self->arena) : NULL;
    if (!inner)
        engine_refuse (out, PATROL__CODE__BAD_SEAL, "the box does not open or differs from its header");
    return inner;
}

static const ProtobufCMessage *s_body (const Patrol__Inner *inner)
{
    switch (inner->body_case) {
    case PATROL__INNER__BODY_TIP:
        return &inner->tip->base;
    case PATROL__INNER__BODY_WITHDRAW:
        return &inner->withdraw->base;
    case PATROL__INNER__BODY_COMMAND:
        return &inner->command->base;
    case PATROL__INNER__BODY__NOT_SET:
    case _PATROL__INNER__BODY__CASE_IS_INT_SIZE:
        break;
    }
    return NULL;
}

//  The receipt of something durable, from its row and, for a refusal, its record's words.
static void s_again (engine_t *self, const taken_t *taken, take_t *out)
{
    out->verdict = TAKE_AGAIN;
    out->code = (Patrol__Code)taken->code;
    out->tag = taken->tag;
    out->incident = taken->incident;
    out->version = taken->version;
    if (out->code != PATROL__CODE__OK)
        snprintf (out->detail, sizeof out->detail, "refused when it was first offered");
    incident_t incident;
    if (taken->incident && state_incident (self->state, taken->incident, &incident)) {
        memcpy (out->station, incident.station_id, sizeof out->station);
        out->at_ms = incident.at_ms;
    }
}

//  An identity conflict's own key among the pending ids.
static uint64_t s_conflict_id (const member_t *member, uint64_t epoch, uint64_t counter, uint64_t tag)
{
    return (tip_number (member->device_key, epoch, counter) ^ tag) | 1;
}

//  Step 2: new, seen, or not yet? True when the line of work goes on.
static bool s_dedupe (engine_t *self, const Patrol__Inner *inner, int64_t now_ms, bool *conflict, take_t *out)
{
    origin_t *origin = member_origin (out->member, inner->epoch);
    uint64_t highest = origin ? intervals_highest (&origin->seen) : 0;
    if (inner->counter == 0 || inner->counter > highest + MAX_AHEAD) {
        engine_refuse (out, PATROL__CODE__BAD_COUNTER, "counter %llu: 1 to %llu would be right",
            (unsigned long long)inner->counter, (unsigned long long)(highest + MAX_AHEAD));
        return false;
    }
    if (origin && intervals_has (&origin->seen, inner->counter)) {
        taken_t taken;
        if (!intervals_has (&origin->durable, inner->counter)
            || pending_has (self->pending, s_conflict_id (out->member, inner->epoch, inner->counter, out->tag))) {
            out->verdict = TAKE_WAIT;
            return false;
        }
        if (!state_taken (self->state, out->member->number, inner->epoch, inner->counter, out->tag, &taken)) {
            engine_refuse (
                out, PATROL__CODE__BAD_COUNTER, "the origin said that it was done below this counter; it was never taken");
            return false;
        }
        if (taken.tag == out->tag) {
            s_again (self, &taken, out);
            return false;
        }
        *conflict = true;
        return true;
    }
    if (!origin && member_live_epochs (out->member, now_ms) >= LIVE_EPOCHS) {
        engine_refuse (
            out, PATROL__CODE__SLOW_DOWN, "%d epochs of this device are in use; at most %d", LIVE_EPOCHS, LIVE_EPOCHS);
        return false;
    }
    if (inner->counter > highest + 1 && origin && intervals_gaps (&origin->seen) >= MAX_GAPS) {
        engine_refuse (out, PATROL__CODE__SLOW_DOWN,
            "more than %u gaps among this device's counters: send the older ones first", MAX_GAPS);
        return false;
    }
    return true;
}

//  Numbers are taken in memory at once, so that the next envelope of the batch sees them.
static void s_mark_seen (const Patrol__Inner *inner, int64_t now_ms, take_t *out)
{
    origin_t *origin = member_origin (out->member, inner->epoch);
    if (!origin)
        origin = member_add_origin (out->member, inner->epoch);
    intervals_add_one (&origin->seen, inner->counter);
    origin->last_ms = now_ms;
}

void engine_take (engine_t *self, const uint8_t *envelope, size_t size, member_t *from, int64_t now_ms, take_t *out)
{
    memset (out, 0, sizeof *out);
    arena_reset (self->arena);
    Patrol__Inner *inner = s_open (self, envelope, size, from, now_ms, out);
    if (!inner)
        return;
    bool direct = out->member == from, conflict = false;
    //  A revoked device's tips that others bring are kept, quarantined; whatever else it asks for is refused.
    if (out->member->revoked && (direct || inner->body_case != PATROL__INNER__BODY_TIP)) {
        engine_refuse (out, PATROL__CODE__REVOKED, "this device was revoked");
        return;
    }
    const ProtobufCMessage *body = s_body (inner);
    out->epoch = inner->epoch;
    out->counter = inner->counter;
    out->tag = inner->tag;
    if (!body || arena_has_unknown (body)
        || inner->tag != envelope_tag (members_shared (self->members, out->member), inner->epoch, inner->counter, body)) {
        engine_refuse (out, PATROL__CODE__BAD_SEAL, "the body is missing, unknown or differs from its tag");
        return;
    }
    if (!s_dedupe (self, inner, now_ms, &conflict, out))
        return;
    switch (inner->body_case) {
    case PATROL__INNER__BODY_TIP:
        tip_take (self, inner, envelope, size, direct, conflict, now_ms, out);
        break;
    case PATROL__INNER__BODY_WITHDRAW:
        withdraw_take (self, inner, now_ms, out);
        break;
    case PATROL__INNER__BODY_COMMAND:
        command_take (self, inner, now_ms, out);
        break;
    case PATROL__INNER__BODY__NOT_SET:
    case _PATROL__INNER__BODY__CASE_IS_INT_SIZE:
        break;
    }
    if (out->verdict == TAKE_RECORD)
        s_mark_seen (inner, now_ms, out);
}

void engine_hops (engine_t *self, uint32_t hops)
{
    self->hops = hops;
}

void engine_appended (engine_t *self, const take_t *take, uint64_t ticket)
{
    if (take->incident)
        pending_add (self->pending, take->incident, ticket);
    if (take->other)
        pending_add (self->pending, take->other, ticket);
    origin_t *origin = take->member ? member_origin (take->member, take->epoch) : NULL;
    if (origin && intervals_has (&origin->durable, take->counter))
        pending_add (self->pending, s_conflict_id (take->member, take->epoch, take->counter, take->tag), ticket);
}

void engine_completed (engine_t *self, uint64_t ticket)
{
    pending_complete (self->pending, ticket);
}

int engine_apply (engine_t *self, uint64_t seq, const uint8_t *bytes, size_t size)
{
    arena_reset (self->apply_arena);
    Patrol__Record *record = patrol__record__unpack (arena_allocator (self->apply_arena), size, bytes);
    if (!record) {
        fprintf (stderr, "<3>log: record %llu cannot be read\n", (unsigned long long)seq);
        return -1;
    }
    return state_apply (self->state, seq, record);
}

//  ---- session messages that enter the log

void engine_done_below (engine_t *self, member_t *member, uint64_t epoch, uint64_t counter, int64_t now_ms, take_t *out)
{
    memset (out, 0, sizeof *out);
    out->verdict = TAKE_WAIT;
    out->member = member;
    origin_t *origin = member_origin (member, epoch);
    if (!origin || counter < 2)
        return;
    if (counter > intervals_highest (&origin->seen) + 1) {
        engine_refuse (out, PATROL__CODE__BAD_COUNTER, "done below %llu, but only %llu was ever sent",
            (unsigned long long)counter, (unsigned long long)intervals_highest (&origin->seen));
        return;
    }
    if (!intervals_add (&origin->seen, 1, counter - 1))
        return; //  closes no gap: nothing to remember
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__DoneBelowEvent event = PATROL__DONE_BELOW_EVENT__INIT;
    event.device = member->number;
    event.epoch = epoch;
    event.counter = counter;
    record.event_case = PATROL__RECORD__EVENT_DONE_BELOW;
    record.done_below = &event;
    engine_record (self, &record, now_ms, out);
    out->member = NULL; //  no receipt
}

void engine_delivered (engine_t *self, member_t *desk, uint64_t up_to, int64_t now_ms, take_t *out)
{
    memset (out, 0, sizeof *out);
    out->verdict = TAKE_WAIT;
    feed_t *feed = engine_station_feed (self, desk->station, strlen (desk->station));
    if (!feed || up_to <= feed->delivered || up_to > feed->durable)
        return;
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__DeliveredEvent event = PATROL__DELIVERED_EVENT__INIT;
    event.station.data = (uint8_t *)feed->id;
    event.station.len = strlen (feed->id);
    event.up_to = up_to;
    event.device = desk->number;
    record.event_case = PATROL__RECORD__EVENT_DELIVERED;
    record.delivered = &event;
    engine_record (self, &record, now_ms, out);
}

//  ---- maps

void engine_hash_map (uint8_t hash [32], const char *bytes, size_t size)
{
    crypto_generichash (hash, 32, (const uint8_t *)bytes, size, NULL, 0);
}

void engine_load_areas (engine_t *self, const char *bytes, size_t size, datum_t datum, int64_t now_ms, uint8_t hash [32],
    areas_fault_fn *fault, void *context, take_t *out)
{
    memset (out, 0, sizeof *out);
    uint64_t version = areas_version (self->areas) + 1;
    areas_t *areas = areas_load (bytes, size, datum, version, false, fault, context);
    if (!areas) {
        engine_refuse (out, PATROL__CODE__BAD_POSITION, "the file has faults; the areas in force stay");
        return;
    }
    engine_swap_areas (self, &areas, bytes, size, datum, now_ms, hash, out);
}

void engine_swap_areas (engine_t *self, areas_t **areas_p, const char *bytes, size_t size, datum_t datum, int64_t now_ms,
    uint8_t hash [32], take_t *out)
{
    memset (out, 0, sizeof *out);
    areas_t *areas = *areas_p;
    *areas_p = NULL;
    engine_hash_map (hash, bytes, size);
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__AreasLoaded event = PATROL__AREAS_LOADED__INIT;
    event.version = areas_version (areas);
    event.hash.data = hash;
    event.hash.len = 32;
    event.datum = datum;
    event.features = (uint32_t)areas_count (areas);
    record.event_case = PATROL__RECORD__EVENT_AREAS;
    record.areas = &event;
    engine_record (self, &record, now_ms, out);
    s_swap_areas (self, areas);
}

void engine_swap_places (
    engine_t *self, places_t **places_p, const uint8_t hash [32], datum_t datum, int64_t now_ms, take_t *out)
{
    memset (out, 0, sizeof *out);
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__PlacesLoaded event = PATROL__PLACES_LOADED__INIT;
    event.hash.data = (uint8_t *)hash;
    event.hash.len = 32;
    event.datum = datum;
    event.rows = (uint32_t)places_count (*places_p);
    record.event_case = PATROL__RECORD__EVENT_PLACES;
    record.places = &event;
    engine_record (self, &record, now_ms, out);
    places_destroy (&self->places);
    self->places = *places_p;
    *places_p = NULL;
}

void engine_load_places (
    engine_t *self, const char *bytes, size_t size, datum_t datum, int64_t now_ms, uint8_t hash [32], take_t *out)
{
    memset (out, 0, sizeof *out);
    char *reason = NULL;
    places_t *places = places_load (bytes, size, datum, &reason);
    if (!places) {
        engine_refuse (out, PATROL__CODE__BAD_POSITION, "%s", reason ? reason : "not a place file");
        free (reason);
        return;
    }
    engine_hash_map (hash, bytes, size);
    engine_swap_places (self, &places, hash, datum, now_ms, out);
}

void engine_load_kinds (engine_t *self, const char *bytes, size_t size, int64_t now_ms, uint8_t hash [32], take_t *out)
{
    memset (out, 0, sizeof *out);
    char *reason = NULL;
    kinds_t *kinds = kinds_load (bytes, size, &reason);
    if (!kinds) {
        engine_refuse (out, PATROL__CODE__UNKNOWN_KIND, "%s", reason ? reason : "not a kinds file");
        free (reason);
        return;
    }
    engine_hash_map (hash, bytes, size);
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__KindsLoaded event = PATROL__KINDS_LOADED__INIT;
    event.hash.data = hash;
    event.hash.len = 32;
    record.event_case = PATROL__RECORD__EVENT_KINDS;
    record.kinds = &event;
    engine_record (self, &record, now_ms, out);
    nearby_set_kinds (self->nearby, kinds);
    kinds_destroy (&self->kinds);
    self->kinds = kinds;
    self->own_kinds = true;
}

//  ---- accessors

members_t *engine_members (engine_t *self)
{
    return self->members;
}
feeds_t *engine_feeds (engine_t *self)
{
    return self->feeds;
}
state_t *engine_state (engine_t *self)
{
    return self->state;
}
areas_t *engine_areas (engine_t *self)
{
    return self->areas;
}
places_t *engine_places (engine_t *self)
{
    return self->places;
}
kinds_t *engine_kinds (engine_t *self)
{
    return self->kinds;
}
bool engine_kinds_are_own (const engine_t *self)
{
    return self->own_kinds;
}
daykeys_t *engine_daykeys (engine_t *self)
{
    return self->daykeys;
}
const box_keys_t *engine_core_keys (const engine_t *self)
{
    return &self->core_keys;
}
const uint8_t *engine_district (const engine_t *self)
{
    return self->district;
}

uint32_t engine_active (const engine_t *self, size_t *bytes)
{
    *bytes = active_memory (self->active) + nearby_memory (self->nearby);
    return active_count (self->active);
}

feed_t *engine_station_feed (engine_t *self, const char *id, size_t size)
{
    for (int i = 0; i < feeds_count (self->feeds); i++) {
        feed_t *feed = feeds_at (self->feeds, i);
        if (strlen (feed->id) == size && memcmp (feed->id, id, size) == 0)
            return feed;
    }
    return NULL;
}
