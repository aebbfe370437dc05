//  operator - the operator's requests: members and figures (maps: operatormaps.c), and the warnings nobody asked for

#include "operator_private.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "cli.h"
#include "enrolment.h"
#include "front.h"
#include "home.h"
#include "setup.h"
#include "timefmt.h"

#define INVITE_MAX 1000
#define DISK_LOW_BYTES (200ull << 20)
#define WARN_EVERY_MS 60000

//  ---- answers

void operator_fail (local_client_t *client, int code, const char *detail)
{
    local_end (client, code, detail);
}

static void s_answer (local_client_t *client, json_t *answer)
{
    if (!client) {
        json_decref (answer);
        return;
    }
    if (answer)
        local_send (client, answer);
    local_end (client, EXIT_DONE, NULL);
}

//  A record is durable: the answer made when it was decided may go, once the front knows of it too.
void operator_done (core_t *self, effect_t *effect, uint64_t seq)
{
    (void)seq;
    pipe_t *front = self->lanes [LANE_URGENT];
    if (!front || self->fence_count == sizeof self->fences / sizeof self->fences [0]) {
        s_answer (effect->client, effect->answer);
        return;
    }
    uint32_t number = ++self->fence_number;
    self->fences [self->fence_count].number = number;
    self->fences [self->fence_count].client = effect->client;
    self->fences [self->fence_count++].answer = effect->answer;
    pipe_put (front, PIPE_FENCE, number, NULL, 0);
}

void operator_fenced (core_t *self, uint32_t number)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->fence_count; i++)
        if (self->fences [i].number <= number)
            s_answer (self->fences [i].client, self->fences [i].answer);
        else
            self->fences [kept++] = self->fences [i];
    self->fence_count = kept;
}

void operator_gone (void *core, local_client_t *client)
{
    core_t *self = core;
    for (uint32_t i = 0; i < self->effect_count; i++) {
        effect_t *effect = &self->effects [(self->effect_first + i) & (self->effect_room - 1)];
        if (effect->client == client)
            effect->client = NULL;
    }
    for (uint32_t i = 0; i < self->fence_count; i++)
        if (self->fences [i].client == client)
            self->fences [i].client = NULL;
    checks_gone (self, client);
    swap_gone (self, client);
}

//  ---- members

static bool s_role (const char *name, Patrol__Role *role)
{
    const struct {
        const char *name;
        Patrol__Role role;
    } roles []
        = { { "node", PATROL__ROLE__NODE }, { "desk", PATROL__ROLE__DESK }, { "coordinator", PATROL__ROLE__COORDINATOR } };
    for (size_t i = 0; i < 3; i++)
        if (name && strcmp (name, roles [i].name) == 0) {
            *role = roles [i].role;
            return true;
        }
    return false;
}

static const char *s_role_name (Patrol__Role role)
{
    return role == PATROL__ROLE__NODE ? "node" : role == PATROL__ROLE__DESK ? "desk" : "coordinator";
}

static const char *s_text (json_t *request, const char *key)
{
    const char *value = json_string_value (json_object_get (request, key));
    return value ? value : "";
}

//  One invitation; its line goes out when its record is durable. -1 with the refusal told.
static int s_invite_one (core_t *self, local_client_t *client, const invite_t *invite, const char *role, bool last)
{
    take_t take;
    char *line, expires [32];
    uint8_t link_key [KEY_SIZE];
    enrolment_invite (self->engine, invite, time_now_ms (), &take, &line, link_key);
    if (take.verdict != TAKE_RECORD) {
        operator_fail (client, take.code == PATROL__CODE__NOT_FOUND ? EXIT_MISSING : EXIT_USAGE, take.detail);
        return -1;
    }
    time_format_utc (expires, invite->expires_ms);
    core_admit (self, link_key, ADMIT_ENROL, invite->expires_ms);
    effect_t effect = { .done = operator_line_done,
        .client = client,
        .answer = json_pack ("{s:s, s:s, s:s}", "invitation", line, "role", role, "expires", expires) };
    if (last)
        effect.done = operator_done;
    core_append (self, &take, &effect);
    free (line);
    return 0;
}

//  One line of several is durable.
void operator_line_done (core_t *self, effect_t *effect, uint64_t seq)
{
    (void)self;
    (void)seq;
    if (effect->client)
        local_send (effect->client, effect->answer);
    else
        json_decref (effect->answer);
}

static void s_invite (core_t *self, local_client_t *client, json_t *request)
{
    invite_t invite
        = { .station = s_text (request, "station"), .unit = s_text (request, "unit"), .name = s_text (request, "name") };
    const char *role = s_text (request, "role");
    int64_t count = json_integer_value (json_object_get (request, "count"));
    uint8_t transport [KEY_SIZE], authority [KEY_SIZE];
    char endpoint [129];
    if (!s_role (role, &invite.role)) {
        operator_fail (client, EXIT_USAGE, "--role: node, desk or coordinator would be right");
        return;
    }
    if (count < 1 || count > INVITE_MAX) {
        operator_fail (client, EXIT_USAGE, "--count: 1 to 1000 would be right");
        return;
    }
    if (setup_public (self->home, transport, authority, endpoint, sizeof endpoint)) {
        operator_fail (client, EXIT_FAILED, "the broker's public keys cannot be read from its home");
        return;
    }
    invite.expires_ms = time_now_ms () + json_integer_value (json_object_get (request, "expires_ms"));
    invite.endpoint = endpoint;
    invite.transport_key = transport;
    invite.authority_key = authority;
    for (int64_t i = 0; i < count; i++)
        if (s_invite_one (self, client, &invite, role, i == count - 1))
            return;
}

static void s_members (core_t *self, local_client_t *client)
{
    members_t *members = engine_members (self->engine);
    for (int i = 1; i <= members_count (members); i++) {
        member_t *member = members_get (members, (uint32_t)i);
        char id [14], seen [32] = "";
        id64_format (id, member->member);
        if (member->last_seen_ms)
            time_format_utc (seen, member->last_seen_ms);
        json_t *row = json_pack ("{s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:b}", "member", id, "role",
            s_role_name (member->role), "station", member->station, "unit", member->unit, "name", member->name, "tips",
            member->role == PATROL__ROLE__NODE ? (json_int_t)member->tips : 0, "state",
            member->revoked ? "revoked" : "active", "connected", member->session != 0);
        if (seen [0])
            json_object_set_new (row, "last_seen", json_string (seen));
        //  measured when the device last attached to this core
        if (member->last_seen_ms)
            json_object_set_new (row, "clock_offset_s", json_integer (member->clock_offset_ms / 1000));
        local_send (client, row);
    }
    local_end (client, EXIT_DONE, NULL);
}

static void s_revoked (core_t *self, effect_t *effect, uint64_t seq)
{
    members_t *members = engine_members (self->engine);
    uint64_t id = effect->take.tag;
    for (int i = 1; i <= members_count (members); i++) {
        member_t *member = members_get (members, (uint32_t)i);
        if (member->member == id && self->lanes [LANE_URGENT])
            pipe_put (self->lanes [LANE_URGENT], PIPE_REVOKE, 0, member->link_key, KEY_SIZE);
    }
    mesh_revoked (self);
    operator_done (self, effect, seq);
}

static void s_revoke (core_t *self, local_client_t *client, json_t *request)
{
    take_t take;
    uint64_t id;
    const char *member = s_text (request, "member"), *why = s_text (request, "why");
    if (id64_parse (&id, member, strlen (member))) {
        operator_fail (client, EXIT_USAGE, "MEMBER: the id that `members` shows would be right");
        return;
    }
    enrolment_revoke (self->engine, id, why, time_now_ms (), &take);
    if (take.verdict != TAKE_RECORD) {
        operator_fail (client, EXIT_MISSING, take.detail);
        return;
    }
    take.tag = id; //  travels with the effect
    effect_t effect
        = { .done = s_revoked, .client = client, .answer = json_pack ("{s:s, s:s}", "member", member, "state", "revoked") };
    core_append (self, &take, &effect);
}

//  ---- figures

int64_t core_oldest_undelivered (core_t *self, const feed_t *feed)
{
    slot_t slot;
    const uint8_t *bytes;
    if (feed->durable <= feed->delivered
        || !state_feed_page (engine_state (self->engine), feed, feed->delivered, &slot, 1))
        return 0;
    size_t size = eventlog_get (self->log_reader, slot.seq, &bytes);
    Patrol__Record *record = size ? patrol__record__unpack (NULL, size, bytes) : NULL;
    int64_t at_ms = record ? record->at_ms : 0;
    if (record)
        patrol__record__free_unpacked (record, NULL);
    return at_ms;
}

static uint64_t s_disk_free (const char *home)
{
    struct statvfs info;
    return statvfs (home, &info) ? 0 : (uint64_t)info.f_bavail * info.f_frsize;
}

static void s_time (json_t *object, const char *key, int64_t ms)
{
    char text [32];
    if (!ms)
        return;
    time_format_utc (text, ms);
    json_object_set_new (object, key, json_string (text));
}

static json_t *s_station (core_t *self, feed_t *feed)
{
    station_counts_t counts;
    state_counts (engine_state (self->engine), feed->number, &counts);
    int index = areas_find_station (engine_areas (self->engine), feed->id, strlen (feed->id));
    json_t *row = json_pack ("{s:s, s:s, s:i, s:I, s:I, s:I, s:I}", "station", feed->id, "name",
        index >= 0 ? areas_station (engine_areas (self->engine), index)->name : "", "desks", feed->desks, "items",
        (json_int_t)feed->durable, "open", (json_int_t)counts.open, "undelivered",
        (json_int_t)(feed->durable - feed->delivered), "unacknowledged", (json_int_t)counts.unacknowledged);
    s_time (row, "no_desk_since", feed->desks ? 0 : feed->no_desk_since_ms);
    s_time (row, "oldest_undelivered", core_oldest_undelivered (self, feed));
    s_time (row, "oldest_unacknowledged", counts.oldest_unacknowledged_ms);
    return row;
}

static json_t *s_refusals (const core_t *self)
{
    json_t *refused = json_object ();
    for (int i = 0; i < CODE_COUNT; i++) {
        const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value (&patrol__code__descriptor, i);
        if (self->refused [i] && value)
            json_object_set_new (refused, value->name, json_integer ((json_int_t)self->refused [i]));
    }
    return refused;
}

static json_t *s_front (const core_t *self)
{
    json_t *front = json_object ();
    for (int i = 0; i < self->front_counter_count; i++)
        if (front_counter_name (i))
            json_object_set_new (front, front_counter_name (i), json_integer ((json_int_t)self->front_counters [i]));
    return front;
}

static void s_status (core_t *self, local_client_t *client)
{
    feeds_t *feeds = engine_feeds (self->engine);
    json_t *stations = json_array ();
    for (int i = 0; i < feeds_count (feeds); i++)
        json_array_append_new (stations, s_station (self, feeds_at (feeds, i)));
    int64_t now_ms = time_now_ms (), span = now_ms - self->started_ms;
    uint64_t minute = 0;
    for (int i = 0; i < 60; i++)
        minute += self->per_second [i];
    uint8_t head [32];
    uint64_t rows;
    char hex [65];
    reader_audit_head (self->reader, &rows, head);
    sodium_bin2hex (hex, sizeof hex, head, sizeof head);
    json_t *status = json_pack ("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:i, s:I, s:s, s:b}",
        "version", PATROL_VERSION, "uptime_s", (json_int_t)(span / 1000), "incarnation",
        (json_int_t)eventlog_incarnation (self->log), "log", (json_int_t)self->durable, "applied",
        (json_int_t)state_applied (engine_state (self->engine)), "accepted", (json_int_t)self->accepted, "duplicates",
        (json_int_t)self->duplicates, "commands", (json_int_t)self->commands, "accepted_per_s", (double)minute / 60.0,
        "batches", (json_int_t)self->batches, "waiting", (json_int_t)self->effect_count, "deferred",
        (json_int_t)self->deferred_count, "disk_free", (json_int_t)s_disk_free (self->home), "areas_version",
        (json_int_t)areas_version (engine_areas (self->engine)), "members", members_count (engine_members (self->engine)),
        "audit_rows", (json_int_t)rows, "audit_head", hex, "front_connected", self->lanes [LANE_URGENT] != NULL);
    json_object_set_new (status, "sessions", json_integer (self->session_count));
    json_object_set_new (status, "refused", s_refusals (self));
    json_object_set_new (status, "front", s_front (self));
    json_object_set_new (status, "stations", stations);
    local_send (client, status);
    local_end (client, EXIT_DONE, NULL);
}

//  ---- requests

void operator_request (void *core, local_client_t *client, json_t *request)
{
    core_t *self = core;
    const char *what = s_text (request, "do");
    const struct {
        const char *name;
        void (*run) (core_t *, local_client_t *, json_t *);
    } table [] = { { "invite", s_invite }, { "revoke", s_revoke }, { "areas load", operator_areas_load },
        { "areas explain", operator_areas_explain }, { "places load", operator_places_load },
        { "places find", operator_places_find }, { "kinds load", operator_kinds_load }, { "verify", operator_verify },
        { "backup", operator_backup } };
    if (strcmp (what, "members") == 0)
        s_members (self, client);
    else if (strcmp (what, "status") == 0)
        s_status (self, client);
    else if (self->effect_count + INVITE_MAX >= EVENTLOG_BATCH_MAX - 128)
        operator_fail (client, EXIT_FAILED, "the broker is busy; try again");
    else {
        for (size_t i = 0; i < sizeof table / sizeof table [0]; i++)
            if (strcmp (what, table [i].name) == 0) {
                table [i].run (self, client, request);
                return;
            }
        operator_fail (client, EXIT_USAGE, "unknown request");
    }
}

//  ---- warnings

//  True when a warning of this name was not given within the last minute.
static bool s_due (core_t *self, uint64_t id, int64_t now_ms)
{
    size_t oldest = 0;
    for (size_t i = 0; i < sizeof self->warned / sizeof self->warned [0]; i++) {
        if (self->warned [i].id == id) {
            if (now_ms - self->warned [i].warned_ms < WARN_EVERY_MS)
                return false;
            self->warned [i].warned_ms = now_ms;
            return true;
        }
        if (self->warned [i].warned_ms < self->warned [oldest].warned_ms)
            oldest = i;
    }
    self->warned [oldest].id = id;
    self->warned [oldest].warned_ms = now_ms;
    return true;
}

static void s_warn_stations (core_t *self, int64_t now_ms)
{
    feeds_t *feeds = engine_feeds (self->engine);
    for (int i = 0; i < feeds_count (feeds); i++) {
        feed_t *feed = feeds_at (feeds, i);
        if (feed->desks || feed->durable <= feed->delivered || now_ms - feed->no_desk_since_ms < WARN_EVERY_MS)
            continue;
        if (s_due (self, 1000 + (uint64_t)i, now_ms))
            fprintf (stderr, "<4>station %s has no desk connected; %llu items wait for it\n", feed->id,
                (unsigned long long)(feed->durable - feed->delivered));
    }
}

static void s_warn_sos (core_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->sos_count;) {
        sos_t *sos = &self->sos [i];
        member_t *member = members_get (engine_members (self->engine), sos->device);
        origin_t *origin = member ? member_origin (member, sos->epoch) : NULL;
        if (!origin || intervals_has (&origin->delivered, sos->counter)) {
            *sos = self->sos [--self->sos_count];
            continue;
        }
        if (now_ms - sos->at_ms >= 60000 && s_due (self, sos->incident, now_ms)) {
            char id [14];
            id64_format (id, sos->incident);
            fprintf (stderr, "<1>sos %s has not reached a desk of station %s for %lld s\n", id, sos->station,
                (long long)(now_ms - sos->at_ms) / 1000);
        }
        i++;
    }
}

void operator_second (core_t *self, int64_t now_ms)
{
    self->second = (self->second + 1) % 60;
    self->per_second [self->second] = self->accepted - self->accepted_before;
    self->accepted_before = self->accepted;
    s_warn_stations (self, now_ms);
    s_warn_sos (self, now_ms);
    uint64_t room = s_disk_free (self->home);
    if (room && room < DISK_LOW_BYTES && s_due (self, 1, now_ms))
        fprintf (stderr, "<2>disk: %llu MiB left for %s; tips are refused when it is full\n",
            (unsigned long long)(room >> 20), self->home);
}
