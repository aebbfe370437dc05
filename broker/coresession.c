//  coresession - what a peer may say to the core, one function per message

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_private.h"
#include "enrolment.h"
#include "timefmt.h"

#define DELIVERED_EVERY_MS 10
#define FEED_CREDIT_MAX 100000u //  items in flight a peer may ask for at once

//  ---- sessions come and go

void session_open (core_t *self, uint32_t id, const uint8_t *payload, size_t size)
{
    if (size != KEY_SIZE + 1 || self->sessions [id % SESSION_SLOTS])
        return;
    core_session_t *session = calloc (1, sizeof *session);
    if (!session)
        abort ();
    session->id = id;
    memcpy (session->link_key, payload, KEY_SIZE);
    session->admission = (admission_t)payload [KEY_SIZE];
    if (session->admission == ADMIT_MEMBER)
        session->member = members_by_link (engine_members (self->engine), session->link_key);
    self->sessions [id % SESSION_SLOTS] = session;
    self->session_count++;
}

static void s_leave_desks (core_t *self, core_session_t *session)
{
    for (uint32_t i = 0; i < self->desk_count; i++)
        if (self->desks [i] == session->id) {
            self->desks [i] = self->desks [--self->desk_count];
            break;
        }
    if (session->feed && --session->feed->desks == 0)
        session->feed->no_desk_since_ms = time_now_ms ();
    session->feed = NULL;
}

static void s_detach (core_t *self, core_session_t *session)
{
    if (!session->attached)
        return;
    session->attached = session->mesh = false;
    session->number = 0;
    if (session->member->role != PATROL__ROLE__NODE)
        s_leave_desks (self, session);
    if (session->member->session == session->id)
        session->member->session = 0;
    feed_forget_receipts (session);
    for (int i = 0; i < session->delivered_count; i++)
        intervals_clear (&session->delivered [i].set);
    session->delivered_count = 0;
}

void session_close (core_t *self, uint32_t id)
{
    core_session_t *session = core_session (self, id);
    if (!session)
        return;
    s_detach (self, session);
    self->sessions [id % SESSION_SLOTS] = NULL;
    self->session_count--;
    free (session->receipts);
    free (session);
}

void session_close_all (core_t *self)
{
    for (uint32_t i = 0; self->session_count && i < SESSION_SLOTS; i++)
        if (self->sessions [i])
            session_close (self, self->sessions [i]->id);
}

core_session_t *member_session (core_t *self, const member_t *member)
{
    return member->session ? core_session (self, member->session) : NULL;
}

//  ---- admission, told to the front

void core_admit (core_t *self, const uint8_t key [KEY_SIZE], admission_t admission, int64_t expires_ms)
{
    uint8_t payload [KEY_SIZE + 9];
    if (!self->lanes [LANE_URGENT])
        return;
    memcpy (payload, key, KEY_SIZE);
    payload [KEY_SIZE] = (uint8_t)admission;
    memcpy (payload + KEY_SIZE + 1, &expires_ms, sizeof expires_ms);
    pipe_put (self->lanes [LANE_URGENT], PIPE_ADMIT, 0, payload, sizeof payload);
}

void core_admit_all (core_t *self)
{
    members_t *members = engine_members (self->engine);
    int64_t now_ms = time_now_ms ();
    for (int i = 1; i <= members_count (members); i++) {
        member_t *member = members_get (members, (uint32_t)i);
        if (!member->revoked)
            core_admit (self, member->link_key, ADMIT_MEMBER, member->until_ms);
    }
    for (int i = 0; i < members_invited_count (members); i++) {
        invited_t *invited = members_invited_at (members, i);
        if (invited->expires_ms > now_ms)
            core_admit (self, invited->link_key, ADMIT_ENROL, invited->expires_ms);
    }
}

//  ---- sending

static void s_send_box (core_t *self, core_session_t *session, frame_type_t type, const uint8_t *shared, domain_t domain,
    const ProtobufCMessage *message)
{
    uint8_t frame [FRAME_MAX];
    frame_begin (frame, type, LANE_URGENT);
    size_t size = box_seal (frame + FRAME_HEADER, sizeof frame - FRAME_HEADER, shared, domain, message);
    if (!size) {
        fprintf (
            stderr, "<3>core: a message of %zu bytes does not fit a frame\n", protobuf_c_message_get_packed_size (message));
        return;
    }
    if (self->lanes [LANE_URGENT])
        pipe_put (self->lanes [LANE_URGENT], PIPE_SEND, session->id, frame, FRAME_HEADER + size);
}

bool session_down (core_t *self, core_session_t *session, Patrol__Down *down)
{
    const uint8_t *shared = session->member ? members_shared (engine_members (self->engine), session->member) : NULL;
    if (!shared)
        return false;
    down->session = session->number;
    s_send_box (self, session, FRAME_SESSION, shared, DOMAIN_DOWN, &down->base);
    return true;
}

void session_refusal (core_t *self, core_session_t *session, Patrol__Code code, const char *detail, uint32_t query)
{
    Patrol__Down down = PATROL__DOWN__INIT;
    Patrol__Refusal refusal = PATROL__REFUSAL__INIT;
    refusal.code = code;
    refusal.detail = (ProtobufCBinaryData){ strlen (detail), (uint8_t *)detail };
    refusal.query = query;
    down.body_case = PATROL__DOWN__BODY_REFUSAL;
    down.refusal = &refusal;
    session_down (self, session, &down);
}

void session_answer (core_t *self, uint32_t id, const uint8_t *packed, size_t size)
{
    core_session_t *session = core_session (self, id);
    Patrol__Answer *answer = session && session->attached ? patrol__answer__unpack (NULL, size, packed) : NULL;
    if (!answer)
        return;
    Patrol__Down down = PATROL__DOWN__INIT;
    down.body_case = PATROL__DOWN__BODY_ANSWER;
    down.answer = answer;
    session_down (self, session, &down);
    patrol__answer__free_unpacked (answer, NULL);
}

//  ---- attach

static void s_origin_states (core_t *self, core_session_t *session, const Patrol__Attach *attach, Patrol__Attached *attached)
{
    size_t count = attach->n_origins < LIVE_EPOCHS ? attach->n_origins : LIVE_EPOCHS;
    attached->origins = arena_alloc (self->arena, (count + 1) * sizeof *attached->origins);
    for (size_t i = 0; attached->origins && i < count; i++) {
        Patrol__OriginState *state = arena_alloc (self->arena, sizeof *state);
        if (!state)
            return;
        patrol__origin_state__init (state);
        state->epoch = attach->origins [i]->epoch;
        origin_t *origin = member_origin (session->member, state->epoch);
        if (origin) {
            state->taken.len = intervals_packed_size (&origin->durable);
            state->taken.data = arena_alloc (self->arena, state->taken.len + 1);
            state->delivered.len = intervals_packed_size (&origin->delivered);
            state->delivered.data = arena_alloc (self->arena, state->delivered.len + 1);
            if (!state->taken.data || !state->delivered.data || state->taken.len + state->delivered.len > 3500)
                return;
            intervals_pack (&origin->durable, state->taken.data, state->taken.len);
            intervals_pack (&origin->delivered, state->delivered.data, state->delivered.len);
            state->highest = intervals_highest (&origin->durable);
        }
        attached->origins [attached->n_origins++] = state;
    }
}

//  A desk has its feed on disk up to here. Not each acknowledgement is worth a record and a sync of its own: what comes within a
//  few milliseconds goes together.
static void s_stored (core_t *self, core_session_t *session, uint64_t stored, int64_t now_ms)
{
    feed_t *feed = session->feed;
    if (!feed || stored <= feed->acked || stored <= feed->delivered)
        return;
    feed->acked = stored;
    feed->acked_by = session->member->number;
    if (!self->delivered_due_ms)
        self->delivered_due_ms = now_ms + DELIVERED_EVERY_MS;
}

//  Which feed, and after which item.
static void s_join_feed (core_t *self, core_session_t *session, const Patrol__Attach *attach, int64_t now_ms)
{
    member_t *member = session->member;
    uint64_t cursor = state_cursor (engine_state (self->engine), member->number), end = member->inbox_durable;
    if (member->role != PATROL__ROLE__NODE) {
        if (self->desk_count < sizeof self->desks / sizeof self->desks [0])
            self->desks [self->desk_count++] = session->id;
        end = self->durable;
    }
    if (member->role == PATROL__ROLE__DESK) {
        session->feed = feeds_get (engine_feeds (self->engine), member->station, strlen (member->station));
        session->feed->desks++;
        session->feed->no_desk_since_ms = 0;
        end = session->feed->durable;
    }
    //  The device's disk decides where its feed goes on; our cursor only when it speaks of another incarnation.
    if (attach->incarnation == eventlog_incarnation (self->log) && attach->feed_stored <= end) {
        cursor = attach->feed_stored;
        s_stored (self, session, cursor, now_ms); //  its acknowledgement may have been lost
    }
    session->watches = session->watch_asked = false;
    session->sent = cursor;
    session->credit = attach->feed_up_to < cursor + FEED_CREDIT_MAX ? attach->feed_up_to : cursor + FEED_CREDIT_MAX;
}

static void s_attach (core_t *self, core_session_t *session, const Patrol__Attach *attach, int64_t now_ms)
{
    member_t *member = session->member;
    s_detach (self, session);
    core_session_t *older = member_session (self, member);
    if (older)
        s_detach (self, older); //  the device came back on a new connection
    session->attached = true;
    member->session = session->id;
    member->last_seen_ms = now_ms;
    if (attach->now_ms > 0)
        member->clock_offset_ms = attach->now_ms - now_ms;
    do
        randombytes_buf (&session->number, sizeof session->number);
    while (!session->number);
    session->last_seq = 0;
    s_join_feed (self, session, attach, now_ms);
    Patrol__Down down = PATROL__DOWN__INIT;
    Patrol__Attached attached = PATROL__ATTACHED__INIT;
    attached.nonce = attach->nonce;
    attached.incarnation = eventlog_incarnation (self->log);
    attached.now_ms = engine_now (self->engine, now_ms);
    attached.feed_next = session->sent + 1;
    if (engine_kinds_are_own (self->engine)) {
        size_t size;
        const char *json = kinds_json (engine_kinds (self->engine), &size);
        if (size < 10000)
            attached.kinds = (ProtobufCBinaryData){ size, (uint8_t *)json };
    }
    if (attach->mesh)
        attached.receipts_key = (ProtobufCBinaryData){ KEY_SIZE, (uint8_t *)(uintptr_t)mesh_receipts_key (self) };
    s_origin_states (self, session, attach, &attached);
    down.body_case = PATROL__DOWN__BODY_ATTACHED;
    down.attached = &attached;
    session_down (self, session, &down);
    feed_touch (self, session);
    if (attach->mesh)
        mesh_attach (self, session, attach->mesh);
}

//  ---- the other session messages

static void s_feed_ack (core_t *self, core_session_t *session, uint64_t stored, int64_t now_ms)
{
    if (stored > session->sent) {
        core_refused (self, PATROL__CODE__BAD_COUNTER, "a feed acknowledgement beyond what was sent", session);
        return;
    }
    if (state_set_cursor (engine_state (self->engine), session->member->number, stored, now_ms))
        self->failed = true;
    s_stored (self, session, stored, now_ms);
}

void session_flush_delivered (core_t *self, int64_t now_ms)
{
    if (!self->delivered_due_ms || now_ms < self->delivered_due_ms || core_batch_is_full (self, LANE_URGENT))
        return;
    self->delivered_due_ms = 0;
    feeds_t *feeds = engine_feeds (self->engine);
    for (int i = 0; i < feeds_count (feeds); i++) {
        feed_t *feed = feeds_at (feeds, i);
        member_t *desk = feed->acked > feed->delivered ? members_get (engine_members (self->engine), feed->acked_by) : NULL;
        take_t take;
        effect_t effect = { 0 };
        if (!desk || core_batch_is_full (self, LANE_URGENT))
            continue;
        engine_delivered (self->engine, desk, feed->acked, now_ms, &take);
        if (take.verdict == TAKE_RECORD)
            core_append (self, &take, &effect);
    }
}

static uint64_t s_read_hash (const Patrol__Query *query)
{
    //  Pages of one read differ in cursor, limit and id only.
    Patrol__Query same = *query;
    same.id = same.limit = 0;
    same.after = 0;
    uint8_t packed [FRAME_MAX], hash [16];
    size_t size = patrol__query__pack (&same, packed);
    crypto_generichash (hash, sizeof hash, packed, size, NULL, 0);
    uint64_t number;
    memcpy (&number, hash, sizeof number);
    return number | 1;
}

static void s_answer_stations (core_t *self, core_session_t *session, const Patrol__Query *query, int64_t now_ms)
{
    feeds_t *feeds = engine_feeds (self->engine);
    Patrol__StationRow *rows [256];
    Patrol__Answer answer = PATROL__ANSWER__INIT;
    Patrol__Down down = PATROL__DOWN__INIT;
    answer.query = query->id;
    answer.as_of_ms = now_ms;
    answer.stations = rows;
    size_t size = 0;
    int index = query->after < (uint64_t)feeds_count (feeds) ? (int)query->after : feeds_count (feeds);
    for (; index < feeds_count (feeds) && answer.n_stations < 256 && size < 14000; index++) {
        feed_t *feed = feeds_at (feeds, index);
        if (session->member->role == PATROL__ROLE__DESK && feed != session->feed)
            continue;
        Patrol__StationRow *row = arena_alloc (self->arena, sizeof *row);
        if (!row)
            break;
        station_counts_t counts;
        patrol__station_row__init (row);
        state_counts (engine_state (self->engine), feed->number, &counts);
        int station = areas_find_station (engine_areas (self->engine), feed->id, strlen (feed->id));
        const char *name = station >= 0 ? areas_station (engine_areas (self->engine), station)->name : "";
        row->id = (ProtobufCBinaryData){ strlen (feed->id), (uint8_t *)feed->id };
        row->name = (ProtobufCBinaryData){ strlen (name), (uint8_t *)name };
        row->desks = (uint32_t)feed->desks;
        row->no_desk_since_ms = feed->desks ? 0 : feed->no_desk_since_ms;
        row->open = counts.open;
        row->unacknowledged = counts.unacknowledged;
        row->oldest_unacknowledged_ms = counts.oldest_unacknowledged_ms;
        row->undelivered = feed->durable - feed->delivered;
        row->oldest_undelivered_ms = core_oldest_undelivered (self, feed);
        answer.stations [answer.n_stations++] = row;
        size += patrol__station_row__get_packed_size (row) + 4;
    }
    answer.cursor = (uint64_t)index;
    answer.end = index >= feeds_count (feeds);
    down.body_case = PATROL__DOWN__BODY_ANSWER;
    down.answer = &answer;
    session_down (self, session, &down);
}

asker_t session_asker (const core_session_t *session)
{
    asker_t asker = { .session = session->id,
        .device = session->member->number,
        .member = session->member->member,
        .role = session->member->role };
    memcpy (asker.station, session->member->station, sizeof asker.station);
    return asker;
}

static void s_query (core_t *self, core_session_t *session, const Patrol__Query *query, int64_t now_ms)
{
    if (session->member->role == PATROL__ROLE__NODE || query->limit < 1 || query->limit > 500 || query->n_kinds > 16) {
        core_refused (self, PATROL__CODE__NOT_ALLOWED, "a query that this device may not ask", session);
        session_refusal (self, session, PATROL__CODE__NOT_ALLOWED, "this device may not ask that", query->id);
        return;
    }
    if (query->ask == PATROL__ASK__STATIONS) {
        s_answer_stations (self, session, query, now_ms);
        return;
    }
    asker_t asker = session_asker (session);
    uint64_t hash = s_read_hash (query);
    asker.fresh = hash != session->read_hash || query->after == 0 || query->after != session->read_cursor;
    session->read_hash = hash;
    uint8_t packed [FRAME_MAX];
    size_t size = patrol__query__pack (query, packed);
    //  The reader sees what is committed: make that everything that is durable.
    if (state_commit (engine_state (self->engine), now_ms, true)) {
        self->failed = true;
        return;
    }
    if (reader_ask (self->reader, &asker, packed, size))
        session_refusal (self, session, PATROL__CODE__SLOW_DOWN, "too many queries wait", query->id);
}

static void s_done_below (core_t *self, core_session_t *session, const Patrol__DoneBelow *done, int64_t now_ms)
{
    take_t take;
    engine_done_below (self->engine, session->member, done->epoch, done->counter, now_ms, &take);
    core_decide (self, &take, session, NULL, 0);
}

static void s_up (core_t *self, core_session_t *session, const uint8_t *body, size_t size)
{
    uint8_t plain [FRAME_MAX];
    size_t message_size;
    if (!session->member || session->member->revoked) {
        core_refused (self, session->member ? PATROL__CODE__REVOKED : PATROL__CODE__UNKNOWN_KEY,
            "a session message from no member", session);
        return;
    }
    const uint8_t *shared = members_shared (engine_members (self->engine), session->member);
    const uint8_t *message = shared ? box_open (plain, &message_size, shared, DOMAIN_UP, body, size) : NULL;
    arena_reset (self->arena);
    Patrol__Up *up = message ? patrol__up__unpack (arena_allocator (self->arena), message_size, message) : NULL;
    if (!up || arena_has_unknown (&up->base)) {
        core_refused (self, message ? PATROL__CODE__BAD_FRAME : PATROL__CODE__BAD_SEAL,
            "a session message that does not open", session);
        return;
    }
    int64_t now_ms = time_now_ms ();
    if (up->body_case == PATROL__UP__BODY_ATTACH) {
        s_attach (self, session, up->attach, now_ms);
        return;
    }
    if (!session->attached || up->session != session->number || up->seq <= session->last_seq) {
        core_refused (self, PATROL__CODE__REPLAYED, "a session message of another session or number", session);
        if (!session->attached)
            session_refusal (self, session, PATROL__CODE__REPLAYED, "attach first", 0);
        return;
    }
    session->last_seq = up->seq;
    session->member->last_seen_ms = now_ms;
    switch (up->body_case) {
    case PATROL__UP__BODY_FEED_ACK:
        s_feed_ack (self, session, up->feed_ack->stored, now_ms);
        break;
    case PATROL__UP__BODY_QUERY:
        s_query (self, session, up->query, now_ms);
        break;
    case PATROL__UP__BODY_DONE_BELOW:
        s_done_below (self, session, up->done_below, now_ms);
        break;
    case PATROL__UP__BODY_MESH_REACH:
        mesh_reach (self, session, up->mesh_reach->reach, up->mesh_reach->n_reach);
        break;
    case PATROL__UP__BODY_ATTACH:
    case PATROL__UP__BODY__NOT_SET:
    case _PATROL__UP__BODY__CASE_IS_INT_SIZE:
        core_refused (self, PATROL__CODE__BAD_FRAME, "an empty session message", session);
        break;
    }
}

//  ---- frames

static void s_submit (core_t *self, core_session_t *session, const uint8_t *body, size_t size)
{
    size_t offset = 0, envelope_size;
    const uint8_t *envelope;
    bool bad = false;
    if (!session->member) {
        core_refused (self, PATROL__CODE__NOT_ALLOWED, "an invitation admits to enrolment only", session);
        return;
    }
    int64_t now_ms = time_now_ms ();
    session->member->last_seen_ms = now_ms;
    while ((envelope = frame_next_envelope (body, size, &offset, &envelope_size, &bad))) {
        take_t take;
        mesh_take (self, session, envelope, envelope_size, now_ms, &take);
        core_decide (self, &take, session, envelope, envelope_size);
    }
    if (bad)
        core_refused (self, PATROL__CODE__BAD_FRAME, "a submission that does not divide into envelopes", session);
}

static void s_credit (core_t *self, core_session_t *session, const uint8_t *body, size_t size)
{
    arena_reset (self->arena);
    Patrol__Credit *credit = patrol__credit__unpack (arena_allocator (self->arena), size, body);
    if (!credit || !session->attached)
        return;
    uint64_t most = session->sent + FEED_CREDIT_MAX;
    session->credit = credit->feed_up_to < most ? credit->feed_up_to : most;
    feed_touch (self, session);
}

//  With the key by which a device knows the district's words on the mesh. Freed with the message.
static void s_send_enrolled (core_t *self, core_session_t *session, const uint8_t *shared, Patrol__Enrolled *message)
{
    if (message->code == PATROL__CODE__OK && !message->receipts_key.data) {
        message->receipts_key = (ProtobufCBinaryData){ KEY_SIZE, malloc (KEY_SIZE) };
        if (!message->receipts_key.data)
            abort ();
        memcpy (message->receipts_key.data, mesh_receipts_key (self), KEY_SIZE);
    }
    s_send_box (self, session, FRAME_ENROL, shared, DOMAIN_ENROL_DOWN, &message->base);
}

static void s_enrolled (core_t *self, effect_t *effect, uint64_t seq)
{
    (void)seq;
    core_session_t *session = core_session (self, effect->session);
    enrolment_answer_t answer = { 0 };
    member_t *member = members_get (engine_members (self->engine), (uint32_t)effect->take.epoch);
    core_admit (self, member->link_key, ADMIT_MEMBER, member->until_ms);
    enrolment_again (self->engine, self->home, member, &answer);
    if (session && answer.message)
        s_send_enrolled (self, session, members_shared (engine_members (self->engine), member), answer.message);
    enrolment_answer_free (&answer);
}

static void s_enrol (core_t *self, core_session_t *session, const uint8_t *body, size_t size)
{
    enrolment_answer_t answer = { 0 };
    take_t take;
    uint8_t shared [KEY_SIZE];
    if (core_batch_is_full (self, LANE_URGENT) || size < KEY_SIZE
        || envelope_shared (shared, body, engine_core_keys (self->engine)->secret_key)) {
        core_refused (self, PATROL__CODE__BAD_KEY, "an enrolment with an unusable key", session);
        return;
    }
    enrolment_take (self->engine, self->home, session->link_key, body, shared, body + KEY_SIZE, size - KEY_SIZE,
        time_now_ms (), &take, &answer);
    if (take.verdict == TAKE_RECORD) {
        effect_t effect = { .done = s_enrolled, .session = session->id };
        take.epoch = answer.device; //  its number travels with the effect
        core_append (self, &take, &effect);
    } else {
        if (take.verdict == TAKE_REFUSED)
            core_refused (self, take.code, take.detail, session);
        if (answer.message)
            s_send_enrolled (self, session, shared, answer.message);
    }
    enrolment_answer_free (&answer);
    sodium_memzero (shared, sizeof shared);
}

void session_frame (core_t *self, uint32_t id, const uint8_t *frame, size_t size)
{
    core_session_t *session = core_session (self, id);
    frame_type_t type;
    lane_t lane;
    if (!session || frame_parse (&type, &lane, frame, size))
        return;
    //  A member may have been enrolled since the front opened the session.
    if (!session->member && session->admission == ADMIT_MEMBER)
        session->member = members_by_link (engine_members (self->engine), session->link_key);
    const uint8_t *body = frame + FRAME_HEADER;
    size -= FRAME_HEADER;
    switch (type) {
    case FRAME_SUBMIT:
        s_submit (self, session, body, size);
        break;
    case FRAME_SESSION:
        s_up (self, session, body, size);
        break;
    case FRAME_CREDIT:
        s_credit (self, session, body, size);
        break;
    case FRAME_ENROL:
        s_enrol (self, session, body, size);
        break;
    case FRAME_HELLO:
    case FRAME_WELCOME:
    case FRAME_NOTICE:
        break;
    }
}
