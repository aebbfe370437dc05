//  coremesh - the core's part in the mesh: gateways hand envelopes over and take receipts, letters and revocations along
//
//  Nobody's word on the way is believed: an envelope opens or it does not, whoever brought it. What goes back is signed
//  (meshreceipt.h, meshword.h), so it may be passed on by anyone.

#include "core_private.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meshlog.h"
#include "meshword.h"
#include "timefmt.h"

#define VIAS 4            //  gateways that are told of one member
#define EPOCHS_AT_ONCE 64 //  at attach; neighbours have the rest
#define LETTER_TAKEN 32   //  receipts in a letter: the newest numbers,
#define LETTER_FRESH 16   //  after what was brought last
#define LETTER_LOOK 256   //  numbers looked at for them, of one epoch
#define LETTER_ITEMS 12   //  newest inbox items
#define LETTER_LIFE_H 24
//  A letter is a snapshot that goes from node to node, so what comes in one burst goes in one letter.
#define LETTER_GATHER_MS 300 //  after the first news
#define LETTER_EVERY_MS 5000 //  after the letter before
#define SET_BYTES 1000u //  of a delivered set in a letter
#define REACH_MAX 64u

//  Who reaches a member that has no session.
typedef struct {
    uint32_t session [VIAS], day [VIAS];
    int next;
    int64_t due_ms, written_ms; //  of its letter, monotonic; 0: not due, never
    //  What gateways brought last: the letter names it, however old its number is.
    uint64_t epoch [LETTER_FRESH], counter [LETTER_FRESH];
    unsigned fresh;
} via_t;

struct core_mesh_t {
    meshlog_t *log;
    via_t **vias; //  by member number
    uint32_t via_room;
    uint32_t *due; //  members whose letters are to be written
    size_t due_count, due_room;
    uint32_t *gateways; //  sessions that take part
    size_t gateway_count, gateway_room;
    uint64_t last_number; //  of a letter
    uint8_t revoked [WORD_MAX];
    size_t revoked_size;
    uint32_t revoked_number;
};

core_mesh_t *mesh_open (core_t *core)
{
    core_mesh_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->log = meshlog_open (core->home, eventlog_incarnation (core->log), time_now_ms ());
    if (!self->log) {
        mesh_close (&self);
        return NULL;
    }
    core->mesh = self;
    mesh_revoked (core);
    return self;
}

void mesh_close (core_mesh_t **self_p)
{
    core_mesh_t *self = *self_p;
    if (!self)
        return;
    meshlog_close (&self->log);
    for (uint32_t i = 0; i < self->via_room; i++)
        free (self->vias [i]);
    free (self->vias);
    free (self->due);
    free (self->gateways);
    free (self);
    *self_p = NULL;
}

const uint8_t *mesh_receipts_key (const core_t *core)
{
    return meshlog_keys (core->mesh->log)->public_key;
}

//  ---- news to one gateway

static void s_send (core_t *core, core_session_t *session, Patrol__MeshNews *news)
{
    Patrol__Down down = PATROL__DOWN__INIT;
    down.body_case = PATROL__DOWN__BODY_MESH;
    down.mesh = news;
    session_down (core, session, &down);
}

static void s_send_letter (core_t *core, core_session_t *session, uint8_t *word, size_t size)
{
    Patrol__MeshNews news = PATROL__MESH_NEWS__INIT;
    ProtobufCBinaryData letter = { size, word };
    news.letters = &letter;
    news.n_letters = 1;
    s_send (core, session, &news);
}

static void s_send_revoked (core_t *core, core_session_t *session)
{
    Patrol__MeshNews news = PATROL__MESH_NEWS__INIT;
    if (!core->mesh->revoked_size)
        return;
    news.revoked = (ProtobufCBinaryData){ core->mesh->revoked_size, core->mesh->revoked };
    s_send (core, session, &news);
}

typedef struct {
    core_t *core;
    core_session_t *session;
} telling_t;

static void s_send_epoch (void *context, const uint8_t *bytes, size_t size)
{
    telling_t *telling = context;
    Patrol__MeshNews news = PATROL__MESH_NEWS__INIT;
    ProtobufCBinaryData epoch = { size, (uint8_t *)(uintptr_t)bytes };
    news.epochs = &epoch;
    news.n_epochs = 1;
    s_send (telling->core, telling->session, &news);
}

//  ---- letters

static void *s_alloc (core_t *core, size_t size)
{
    return arena_alloc (core->arena, size ? size : 1);
}

static Patrol__Taken *s_taken (
    core_t *core, const member_t *member, uint64_t epoch, uint64_t counter, char station [33], uint64_t *record_seq)
{
    state_t *state = engine_state (core->engine);
    taken_t taken;
    incident_t incident;
    Patrol__Taken *out = s_alloc (core, sizeof *out);
    if (!out || !state_taken (state, member->number, epoch, counter, 0, &taken))
        return NULL;
    patrol__taken__init (out);
    out->epoch = epoch;
    out->counter = counter;
    out->tag = taken.tag;
    out->code = taken.code;
    out->incident = taken.incident;
    out->version = taken.version;
    *record_seq = taken.seq;
    if (taken.incident && state_incident (state, taken.incident, &incident)) {
        memcpy (station, incident.station_id, 33);
        out->station = (ProtobufCBinaryData){ strlen (station), (uint8_t *)station };
        feed_t *feed = engine_station_feed (core->engine, station, strlen (station));
        out->no_desk_since_ms = feed && !feed->desks ? feed->no_desk_since_ms : 0;
    }
    return out;
}

//  When it was taken, and over how many links it came: what only the record knows.
static void s_from_record (core_t *core, uint64_t seq, Patrol__Taken *taken)
{
    item_source_t source;
    Patrol__Record *record
        = feed_source (core, seq, &source) ? patrol__record__unpack (NULL, source.size, source.record) : NULL;
    if (!record)
        return;
    taken->at_ms = record->at_ms;
    if (record->event_case == PATROL__RECORD__EVENT_TIP)
        taken->hops = record->tip->hops + 1;
    patrol__record__free_unpacked (record, NULL);
}

static bool s_named (const Patrol__MeshLetter *letter, uint64_t epoch, uint64_t counter)
{
    for (size_t i = 0; i < letter->n_taken; i++)
        if (letter->taken [i]->epoch == epoch && letter->taken [i]->counter == counter)
            return true;
    return false;
}

static void s_name (core_t *core, const member_t *member, uint64_t epoch, uint64_t counter, Patrol__MeshLetter *letter)
{
    uint64_t seq;
    char *station = s_alloc (core, 33);
    Patrol__Taken *taken
        = station && !s_named (letter, epoch, counter) ? s_taken (core, member, epoch, counter, station, &seq) : NULL;
    if (!taken)
        return; //  a gap, or settled below
    s_from_record (core, seq, taken);
    letter->taken [letter->n_taken++] = taken;
}

static void s_letter_taken (core_t *core, const member_t *member, const via_t *via, Patrol__MeshLetter *letter)
{
    letter->taken = s_alloc (core, LETTER_TAKEN * sizeof *letter->taken);
    for (int i = 0; letter->taken && i < LETTER_FRESH; i++)
        if (via->counter [i])
            s_name (core, member, via->epoch [i], via->counter [i], letter);
    //  The newest epochs first: that is where the tips are that somebody waits for.
    for (int i = member->origin_count - 1; letter->taken && i >= 0; i--) {
        const origin_t *origin = &member->origins [i];
        uint64_t counter = intervals_highest (&origin->durable);
        for (int looked = 0; counter > 0 && letter->n_taken < LETTER_TAKEN && looked < LETTER_LOOK; counter--, looked++)
            if (intervals_has (&origin->durable, counter))
                s_name (core, member, origin->epoch, counter, letter);
    }
}

static void s_letter_delivered (core_t *core, const member_t *member, Patrol__MeshLetter *letter)
{
    letter->delivered = s_alloc (core, LIVE_EPOCHS * sizeof *letter->delivered);
    for (int i = member->origin_count - 1; letter->delivered && i >= 0 && letter->n_delivered < LIVE_EPOCHS; i--) {
        const origin_t *origin = &member->origins [i];
        size_t size = intervals_packed_size (&origin->delivered);
        Patrol__Delivered *delivered = s_alloc (core, sizeof *delivered);
        uint8_t *packed = s_alloc (core, size);
        if (!delivered || !packed || !origin->delivered.count || size > SET_BYTES)
            continue;
        patrol__delivered__init (delivered);
        delivered->epoch = origin->epoch;
        delivered->counters = (ProtobufCBinaryData){ intervals_pack (&origin->delivered, packed, size), packed };
        letter->delivered [letter->n_delivered++] = delivered;
    }
}

static void s_letter_items (core_t *core, const member_t *member, Patrol__MeshLetter *letter)
{
    state_t *state = engine_state (core->engine);
    uint64_t after = state_cursor (state, member->number), end = member->inbox_durable;
    slot_t slots [LETTER_ITEMS];
    if (end > LETTER_ITEMS && after < end - LETTER_ITEMS)
        after = end - LETTER_ITEMS;
    int count = after < end ? state_inbox_page (state, member->number, after, slots, LETTER_ITEMS) : 0;
    letter->items = s_alloc (core, LETTER_ITEMS * sizeof *letter->items);
    for (int i = 0; letter->items && i < count; i++) {
        const viewer_t viewer = { PATROL__ROLE__NODE, member->station, member->number };
        item_source_t source;
        Patrol__Item *item = s_alloc (core, sizeof *item);
        if (!item || !feed_source (core, slots [i].seq, &source) || !item_make (core->items, &source, &viewer, false, item))
            continue;
        item->n = slots [i].n;
        item->tip_epoch = slots [i].epoch;
        item->own_counter = slots [i].counter;
        letter->items [letter->n_items++] = item;
    }
}

//  One letter to a member, addressed with its handle of that day. 0 if it cannot be written.
static size_t s_write (core_t *core, member_t *member, const via_t *via, uint32_t day, uint8_t out [WORD_MAX])
{
    core_mesh_t *self = core->mesh;
    const uint8_t *shared = members_shared (engine_members (core->engine), member);
    Patrol__MeshLetter letter = PATROL__MESH_LETTER__INIT;
    if (!shared)
        return 0;
    int64_t now_ms = engine_now (core->engine, time_now_ms ());
    arena_reset (core->arena);
    letter.incarnation = eventlog_incarnation (core->log);
    letter.now_ms = now_ms;
    s_letter_taken (core, member, via, &letter);
    s_letter_delivered (core, member, &letter);
    s_letter_items (core, member, &letter);
    //  Answers of officers may be long: the oldest items stay behind, the next session brings them.
    while (letter.n_items && patrol__mesh_letter__get_packed_size (&letter) + BOX_OVERHEAD > LETTER_BOX_MAX) {
        letter.items++;
        letter.n_items--;
    }
    word_t word
        = { .number = (uint64_t)now_ms > self->last_number ? (uint64_t)now_ms : self->last_number + 1, .at_ms = now_ms };
    self->last_number = word.number;
    memcpy (word.district, engine_district (core->engine), DISTRICT_SIZE);
    size_t size = letter_write (out, &word, day, LETTER_LIFE_H, shared, &letter.base, meshlog_keys (self->log));
    item_maker_reset (core->items);
    return size;
}

static via_t *s_via (core_mesh_t *self, const member_t *member)
{
    return member->number < self->via_room ? self->vias [member->number] : NULL;
}

static via_t *s_need_via (core_mesh_t *self, const member_t *member)
{
    if (member->number >= self->via_room) {
        uint32_t room = self->via_room ? self->via_room : 64;
        while (room <= member->number)
            room *= 2;
        self->vias = realloc (self->vias, room * sizeof *self->vias);
        if (!self->vias)
            abort ();
        memset (self->vias + self->via_room, 0, (room - self->via_room) * sizeof *self->vias);
        self->via_room = room;
    }
    if (!self->vias [member->number])
        self->vias [member->number] = calloc (1, sizeof (via_t));
    if (!self->vias [member->number])
        abort ();
    return self->vias [member->number];
}

static void s_want_letter (core_mesh_t *self, const member_t *member, via_t *via)
{
    if (via->due_ms)
        return;
    int64_t soon_ms = time_mono_ms () + LETTER_GATHER_MS, next_ms = via->written_ms ? via->written_ms + LETTER_EVERY_MS : 0;
    if (self->due_count == self->due_room) {
        self->due_room = self->due_room ? self->due_room * 2 : 64;
        self->due = realloc (self->due, self->due_room * sizeof *self->due);
        if (!self->due)
            abort ();
    }
    via->due_ms = soon_ms > next_ms ? soon_ms : next_ms;
    self->due [self->due_count++] = member->number;
}

void mesh_touch (core_t *core, const member_t *member)
{
    via_t *via = s_via (core->mesh, member);
    if (via)
        s_want_letter (core->mesh, member, via);
}

//  This session can pass letters on to the member; of several the newest four are remembered.
static void s_reaches (core_t *core, const core_session_t *session, member_t *member, uint32_t day)
{
    if (!session->mesh || member == session->member || member->revoked || member->role != PATROL__ROLE__NODE)
        return;
    via_t *via = s_need_via (core->mesh, member);
    int at = 0;
    while (at < VIAS && via->session [at] != session->id)
        at++;
    if (at == VIAS) {
        at = via->next;
        via->next = (via->next + 1) % VIAS;
    }
    via->session [at] = session->id;
    via->day [at] = day;
    s_want_letter (core->mesh, member, via);
}

static void s_deliver (core_t *core, member_t *member, via_t *via)
{
    uint8_t word [WORD_MAX];
    size_t size = 0;
    uint32_t day = 0;
    for (int i = 0; i < VIAS; i++) {
        core_session_t *session = via->session [i] ? core_session (core, via->session [i]) : NULL;
        if (!session || !session->mesh) {
            via->session [i] = 0;
            continue;
        }
        if (!size || via->day [i] != day)
            size = s_write (core, member, via, via->day [i], word);
        day = via->day [i];
        if (size)
            s_send_letter (core, session, word, size);
    }
}

void mesh_pump (core_t *core)
{
    core_mesh_t *self = core->mesh;
    size_t kept = 0;
    if (!self->due_count || !core->lanes [LANE_URGENT])
        return;
    int64_t now_ms = time_mono_ms ();
    for (size_t i = 0; i < self->due_count; i++) {
        member_t *member = members_get (engine_members (core->engine), self->due [i]);
        via_t *via = member ? s_via (self, member) : NULL;
        if (!via)
            continue;
        if (via->due_ms > now_ms) {
            self->due [kept++] = self->due [i];
            continue;
        }
        via->due_ms = 0;
        via->written_ms = now_ms;
        s_deliver (core, member, via);
    }
    self->due_count = kept;
}

//  ---- gateways come, and say whom they reach

void mesh_reach (core_t *core, core_session_t *session, Patrol__MeshHandle **reach, size_t count)
{
    uint32_t today = envelope_day (time_now_ms ());
    for (size_t i = 0; i < count && i < REACH_MAX; i++) {
        member_t *member = reach [i]->handle.len == HANDLE_SIZE
            ? members_by_handle (engine_members (core->engine), reach [i]->handle.data, reach [i]->day, today)
            : NULL;
        if (member)
            s_reaches (core, session, member, reach [i]->day);
    }
}

void mesh_attach (core_t *core, core_session_t *session, const Patrol__MeshAttach *attach)
{
    core_mesh_t *self = core->mesh;
    telling_t telling = { core, session };
    session->mesh = true;
    if (self->gateway_count == self->gateway_room) {
        self->gateway_room = self->gateway_room ? self->gateway_room * 2 : 64;
        self->gateways = realloc (self->gateways, self->gateway_room * sizeof *self->gateways);
        if (!self->gateways)
            abort ();
    }
    self->gateways [self->gateway_count++] = session->id;
    meshlog_since (self->log, attach->series, attach->newest, EPOCHS_AT_ONCE, s_send_epoch, &telling);
    if (attach->revoked < self->revoked_number)
        s_send_revoked (core, session);
    mesh_reach (core, session, attach->reach, attach->n_reach);
}

//  Every session that takes part, once each; those that are gone are forgotten.
static void s_each_gateway (core_t *core, void (*tell) (core_t *core, core_session_t *session))
{
    core_mesh_t *self = core->mesh;
    size_t kept = 0;
    for (size_t i = 0; i < self->gateway_count; i++) {
        core_session_t *session = core_session (core, self->gateways [i]);
        bool twice = false;
        for (size_t k = 0; k < kept && !twice; k++)
            twice = self->gateways [k] == self->gateways [i];
        if (!session || !session->mesh || twice)
            continue;
        self->gateways [kept++] = self->gateways [i];
        tell (core, session);
    }
    self->gateway_count = kept;
}

//  ---- envelopes

void mesh_take (core_t *core, const core_session_t *session, const uint8_t *bytes, size_t size, int64_t now_ms, take_t *take)
{
    carried_t carried;
    bool relayed = carried_split (&carried, bytes, &size);
    engine_hops (core->engine, relayed ? carried.hops : 0);
    engine_take (core->engine, bytes, size, session ? session->member : NULL, now_ms, take);
    take->relayed = relayed;
    if (!relayed)
        return;
    envelope_header_t header;
    take->told = carried.told;
    take->gateway = session ? session->id : 0;
    envelope_mid (take->mid, bytes, size);
    if (envelope_parse (&header, bytes, size))
        return;
    take->told_sos = header.cls == CLASS_SOS;
    //  Its letters may go the way it came.
    if (session && take->member)
        s_reaches (core, session, take->member, header.day);
}

static void s_answer (core_t *core, const take_t *take, bool accepted)
{
    Patrol__MeshNews news = PATROL__MESH_NEWS__INIT;
    Patrol__MeshTaken taken = PATROL__MESH_TAKEN__INIT, *list = &taken;
    uint8_t single [MESHRECEIPT_SINGLE];
    core_session_t *session = core_session (core, take->gateway);
    if (!session || !session->mesh)
        return;
    taken.mid = (ProtobufCBinaryData){ MID_SIZE, (uint8_t *)(uintptr_t)take->mid };
    taken.code = take->code;
    if (accepted) {
        meshreceipt_single_sign (
            single, take->mid, (uint32_t)(time_now_ms () / 1000), meshlog_keys (core->mesh->log)->secret_key);
        taken.single = (ProtobufCBinaryData){ sizeof single, single };
    }
    news.taken = &list;
    news.n_taken = 1;
    s_send (core, session, &news);
}

void mesh_taken (core_t *core, const take_t *take)
{
    if (!take->relayed)
        return;
    //  Withdrawals and commands have no word of their own on the mesh beside this one.
    bool accepted = take->code == PATROL__CODE__OK;
    via_t *via = take->member ? s_via (core->mesh, take->member) : NULL;
    if (via) {
        unsigned at = via->fresh++ % LETTER_FRESH;
        via->epoch [at] = take->epoch;
        via->counter [at] = take->counter;
        s_want_letter (core->mesh, take->member, via);
    }
    if (accepted && take->told)
        meshlog_add (core->mesh->log, take->mid, take->told_sos, time_now_ms ());
    s_answer (core, take, accepted);
}

void mesh_refused (core_t *core, const take_t *take)
{
    //  Those may be taken another time: the gateway offers them again.
    if (take->code == PATROL__CODE__SLOW_DOWN || take->code == PATROL__CODE__BAD_COUNTER)
        return;
    s_answer (core, take, false);
}

//  ---- by the clock

static void s_tell_newest (core_t *core, core_session_t *session)
{
    telling_t telling = { core, session };
    uint32_t series, number;
    meshlog_newest (core->mesh->log, &series, &number);
    meshlog_since (core->mesh->log, series, number - 1, 1, s_send_epoch, &telling);
}

void mesh_second (core_t *core, int64_t now_ms)
{
    bool failed;
    if (meshlog_close_epoch (core->mesh->log, now_ms, &failed))
        s_each_gateway (core, s_tell_newest);
}

//  The list anew: every revoked device, by the id of its link key; the newest ones where there are too many.
void mesh_revoked (core_t *core)
{
    core_mesh_t *self = core->mesh;
    members_t *members = engine_members (core->engine);
    uint8_t body [REVOKED_MAX * REVOKED_ID];
    size_t count = 0;
    int64_t now_ms = engine_now (core->engine, time_now_ms ());
    self->revoked_number = 0;
    for (int i = members_count (members); i >= 1; i--) {
        const member_t *member = members_get (members, (uint32_t)i);
        if (!member->revoked)
            continue;
        self->revoked_number++; //  grows with each, so it numbers the list
        if (count < REVOKED_MAX && member->until_ms > now_ms)
            revoked_id (body + REVOKED_ID * count++, member->link_key);
    }
    if (!self->revoked_number)
        return;
    word_t word = { .kind = WORD_REVOKED, .number = self->revoked_number, .at_ms = now_ms, .body = body };
    word.body_size = REVOKED_ID * count;
    memcpy (word.district, engine_district (core->engine), DISTRICT_SIZE);
    self->revoked_size = word_sign (self->revoked, &word, meshlog_keys (self->log));
    s_each_gateway (core, s_send_revoked);
}
