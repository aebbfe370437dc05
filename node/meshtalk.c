//  meshtalk - what is said on a link: offers, wants, acknowledgements

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "mesh_private.h"

#define OFFER_WAIT_MS 10000 //  for an answer, then the tips are offered to others
//  Between offers to one neighbour that are not full and bring nothing nearer: a few tips go in one.
#define GATHER_MS 1000
#define GATHER_SOS_MS 300
#define DECLINED_MAX 1024u //  remembered for a link
//  Before what was declined is offered again; where there is room, it was for the bytes of that minute.
#define RETRY_MS 600000
#define RETRY_ROOMY_MS 60000
#define CROWD 16u           //  links; with more of them an sos is offered with pauses, and little is offered ahead
#define AHEAD 4u            //  tips, in a crowd
//  Of silence, and up to as much again, when a neighbour had it already; twice as long with each further one.
#define HUSH_MS 4000
#define HUSHES 4u        //  so often: about a minute and a half
#define OWED_ORIGIN 32u  //  tips of one origin that count for what a neighbour owes

void talk_state (mesh_t *self, meshwire_state_t *state, int64_t now)
{
    uint64_t free_bytes
        = self->tips.bytes < self->settings.buffer_bytes ? self->settings.buffer_bytes - self->tips.bytes : 0;
    *state = (meshwire_state_t){ .has_work = self->tips.count > 0,
        .hops = self->hops,
        .utility = meshwire_utility (route_utility (self, now)),
        .room = (uint8_t)(free_bytes * 255 / self->settings.buffer_bytes),
        .places = self->settings.no_position ? 0 : meshplace_digest (&self->place),
        .revocations = (uint8_t)self->revoked.number,
        .digest = self->digest };
    epochs_state (&self->epochs, state);
}

//  ---- offers out

typedef struct {
    uint64_t rank;
    tip_t *tip;
    uint16_t tokens;
} choice_t;

static bool s_in_talk (const talk_t *talk, const tip_t *tip)
{
    for (uint32_t index = 0; index < talk->wanted_count; index++)
        if (memcmp (talk->wanted [index].mid, tip->row.mid, MESH_MID) == 0)
            return true;
    for (uint32_t index = 0; index < talk->flight_count; index++)
        if (memcmp (talk->flights [index].tip.mid, tip->row.mid, MESH_MID) == 0)
            return true;
    return false;
}

//  The neighbour's digest may tell that it has every sos that we have but one: then which. NULL = cannot be told.
static const tip_t *s_lacks_only (const mesh_t *self, const peer_t *peer)
{
    uint32_t differs = self->digest ^ peer->state.digest;
    for (uint32_t index = 0; index < self->tips.count && differs; index++)
        if (self->tips.items [index]->digest == differs)
            return self->tips.items [index];
    return NULL;
}

static bool s_is_ordinary_own (const tip_t *tip)
{
    return tip->row.hops == 0 && !tip->flood;
}

//  The best few, kept in order by insertion.
static uint32_t s_choose (const mesh_t *self, const peer_t *peer, choice_t *choices, uint32_t most, int64_t now)
{
    uint32_t count = 0;
    const tip_t *only = s_lacks_only (self, peer);
    for (uint32_t index = 0; index < self->tips.count; index++) {
        tip_t *tip = self->tips.items [index];
        route_t route = route_choose (self, tip, peer, now);
        if (s_is_ordinary_own (tip) && now < peer->own_pause_until)
            continue;
        if (route.kind == ROUTE_NONE || s_in_talk (peer->talk, tip) || (route.kind == ROUTE_FLOOD && only && tip != only))
            continue;
        uint32_t at = count < most ? count++ : most;
        if (at == most && !route_goes_before (route.rank, tip, choices [most - 1].rank, choices [most - 1].tip))
            continue;
        if (at == most)
            at--;
        for (; at > 0 && route_goes_before (route.rank, tip, choices [at - 1].rank, choices [at - 1].tip); at--)
            choices [at] = choices [at - 1];
        choices [at] = (choice_t){ route.rank, tip, route.tokens };
    }
    return count;
}

//  What the tips here are doing, seen once for all links.
typedef struct {
    uint32_t idle;          //  may be offered to any neighbour
    uint32_t sos, ordinary; //  offered or wanted, not yet sent
} load_t;

static load_t s_load (const mesh_t *self, int64_t now)
{
    load_t load = { 0 };
    for (uint32_t index = 0; index < self->tips.count; index++) {
        const tip_t *tip = self->tips.items [index];
        load.idle += !tip->offered && !tip->busy && !tip->accepted && !(tip->flood && now < tip->hush_until);
        load.sos += tip->offered && tip->flood;
        load.ordinary += tip->offered && !tip->flood;
    }
    return load;
}

//  In a crowd only as much is offered as can be sent soon: by then others will have given the rest. An sos waits for sos only.
static uint32_t s_not_ahead (const mesh_t *self, const load_t *load, const choice_t *choices, uint32_t count)
{
    if (self->peers.linked_count <= CROWD)
        return count;
    uint32_t kept = 0, sos = load->sos, ordinary = load->ordinary;
    while (kept < count && (choices [kept].tip->flood ? sos : sos + ordinary) < AHEAD) {
        sos += choices [kept].tip->flood;
        ordinary += !choices [kept].tip->flood;
        kept++;
    }
    return kept;
}

//  The answer to an offer of sos shall not wait for other tips: they go first, and alone.
static uint32_t s_sos_alone (const choice_t *choices, uint32_t count)
{
    uint32_t sos = 0;
    while (sos < count && choices [sos].tip->row.cls == 0)
        sos++;
    return sos ? sos : count;
}

static void s_offer (mesh_t *self, peer_t *peer, load_t *load, int64_t now)
{
    talk_t *talk = peer->talk;
    if (talk->offered_count || talk->hold_until > now || !peer->state_known
        || talk->wanted_count + MESH_OFFER_IDS > MESHWIRE_OFFER_MAX)
        return;
    talk->dirty = false;
    bool nearer = peer->state.hops < self->hops;
    if (load->idle == 0 && !nearer)
        return;
    choice_t choices [MESH_OFFER_IDS];
    uint32_t found = s_choose (self, peer, choices, MESH_OFFER_IDS, now), first = s_sos_alone (choices, found);
    uint32_t count = nearer ? first : s_not_ahead (self, load, choices, first);
    talk->dirty = count < found;
    if (count == 0)
        return;
    int64_t due = talk->offered_at + (choices [0].tip->flood ? GATHER_SOS_MS : GATHER_MS);
    bool early = count < MESH_OFFER_IDS && !nearer && now < due;
    if (early || !peers_may_offer (self, peer, count)) {
        due = early ? due : now + GATHER_MS;
        talk->dirty = true;
        self->pump_at = due < self->pump_at ? due : self->pump_at;
        return;
    }
    meshwire_frame_t frame = { .type = MESHWIRE_OFFER, .count = count };
    do
        talk->nonce = (uint16_t)mesh_random (self);
    while (talk->nonce == 0);
    frame.nonce = talk->nonce;
    meshwire_salt_t salt = meshwire_salt (self->key, peer->key, talk->nonce);
    for (uint32_t index = 0; index < count; index++) {
        tip_t *tip = choices [index].tip;
        frame.offers [index] = (meshwire_offer_t){ .id = meshwire_short (&salt, tip->row.mid),
            .cls = tip->row.cls,
            .several = choices [index].tokens > 1,
            .relayed = tip->row.hops > 0,
            .best = meshwire_magnitude (meshwire_seconds (route_best (self, tip, now))),
            .size = tip->row.size };
        memcpy (talk->offered [index], tip->row.mid, MESH_MID);
        load->idle -= load->idle && !tip->offered && !tip->busy;
        load->sos += tip->flood;
        load->ordinary += !tip->flood;
        tip->offered++;
    }
    talk->offered_count = count;
    talk->offered_at = now;
    talk->offer_deadline = now + OFFER_WAIT_MS;
    talk->offer_late = false;
    mesh_tell_frame (self, peer, &frame);
}

void talk_dirty (mesh_t *self)
{
    for (uint32_t index = 0; index < self->peers.linked_count; index++)
        self->peers.linked [index]->talk->dirty = true;
}

void talk_pump (mesh_t *self, int64_t now)
{
    uint32_t count = self->peers.linked_count;
    self->pump_at = INT64_MAX;
    if (count == 0)
        return;
    talk_answer_held (self, now);
    load_t load = s_load (self, now);
    //  in a crowd not all shall ask the same neighbour first
    uint32_t first = count > CROWD ? (uint32_t)(mesh_random (self) % count) : 0;
    for (uint32_t index = 0; index < count; index++) {
        peer_t *peer = self->peers.linked [(first + index) % count];
        if (peer->talk->dirty)
            s_offer (self, peer, &load, now);
    }
}

//  What was offered may go to others; an answer that comes after all holds for what is still here.
static void s_release_offer (mesh_t *self, talk_t *talk)
{
    for (uint32_t index = 0; index < talk->offered_count && !talk->offer_late; index++) {
        tip_t *tip = tips_find (&self->tips, talk->offered [index]);
        if (tip && tip->offered)
            tip->offered--;
    }
    talk->offer_late = true;
}

//  ---- answers

//  What was declined for want of room may be offered again at the next meeting, or after a while.
static void s_retry_declined (mesh_t *self, peer_t *peer)
{
    talk_t *talk = peer->talk;
    for (uint32_t index = 0; index < talk->declined_count; index++) {
        tip_t *tip = tips_find (&self->tips, talk->declined [index]);
        if (tip)
            tips_clear_known (tip, peer->slot);
    }
    talk->declined_count = 0;
}

static void s_decline (mesh_t *self, peer_t *peer, tip_t *tip, int64_t now)
{
    talk_t *talk = peer->talk;
    if (talk->declined_count == DECLINED_MAX)
        s_retry_declined (self, peer);
    if (talk->declined_count == talk->declined_room) {
        talk->declined_room = talk->declined_room ? talk->declined_room * 2 : 16;
        talk->declined = realloc (talk->declined, talk->declined_room * sizeof *talk->declined);
        if (!talk->declined)
            abort ();
    }
    if (talk->declined_count == 0)
        talk->retry_at = now + (peer->state.room < MESH_ROOMY ? RETRY_MS : RETRY_ROOMY_MS);
    tips_set_known (tip, peer->slot);
    memcpy (talk->declined [talk->declined_count++], tip->row.mid, MESH_MID);
}

//  In a crowd everybody hears of an sos from several: who finds that others were faster asks less and less.
void talk_hush (mesh_t *self, tip_t *tip, int64_t now)
{
    if (!tip->flood || self->peers.linked_count <= CROWD)
        return;
    int64_t least = (int64_t)HUSH_MS << tip->hushed;
    tip->hushed += tip->hushed < HUSHES;
    tip->hush_until = now + least + (int64_t)(mesh_random (self) % (uint64_t)least);
}

//  The neighbour waits for it, and it has ended here meanwhile.
void talk_tell_gone (mesh_t *self, peer_t *peer, uint32_t id)
{
    mesh_tell_frame (self, peer, &(meshwire_frame_t){ .type = MESHWIRE_ACK, .id = id, .ack = MESHWIRE_GONE });
}

//  Sent when its turn comes, see mesh_next_tip.
static void s_promise (mesh_t *self, peer_t *peer, const uint8_t mid [MESH_MID], uint32_t id)
{
    talk_t *talk = peer->talk;
    tip_t *tip = tips_find (&self->tips, mid);
    if (!tip || talk->wanted_count == MESHWIRE_OFFER_MAX) {
        talk_tell_gone (self, peer, id);
        return;
    }
    promise_t *promise = &talk->wanted [talk->wanted_count++];
    memcpy (promise->mid, mid, MESH_MID);
    promise->id = id;
    tip->offered++;
}

static int s_want_in (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame, int64_t now)
{
    talk_t *talk = peer->talk;
    if (talk->offered_count == 0 || frame->nonce != talk->nonce)
        return 0; //  answered before
    if (frame->count != (talk->offered_count + 3) / 4 * 4)
        return -1;
    for (uint32_t index = talk->offered_count; index < frame->count; index++)
        if (frame->answers [index] != MESHWIRE_NO_ROOM)
            return -1;
    peer->state.hops = frame->hops;
    peer->state.utility = frame->utility;
    const uint8_t *single = frame->single;
    uint32_t count = talk->offered_count;
    uint8_t mids [MESH_OFFER_IDS][MESH_MID];
    memcpy (mids, talk->offered, sizeof mids);
    s_release_offer (self, talk);
    talk->offered_count = 0;
    meshwire_salt_t salt = meshwire_salt (self->key, peer->key, talk->nonce);
    bool ready = false;
    for (uint32_t index = 0; index < count; index++) {
        tip_t *tip = tips_find (&self->tips, mids [index]);
        meshwire_answer_t answer = frame->answers [index];
        const uint8_t *proof = single;
        single += answer == MESHWIRE_RECEIPTED ? MESHWIRE_SINGLE : 0;
        if (answer == MESHWIRE_WANTED)
            s_promise (self, peer, mids [index], meshwire_short (&salt, mids [index]));
        if (!tip)
            continue;
        switch (answer) {
        case MESHWIRE_NO_ROOM:
            if (s_is_ordinary_own (tip))
                peer->own_pause_until = now + MESH_OWN_PAUSE_MS;
            s_decline (self, peer, tip, now);
            break;
        case MESHWIRE_HAVE:
            tips_set_known (tip, peer->slot);
            route_has (tip, peer);
            talk_hush (self, tip, now);
            break;
        case MESHWIRE_WANTED:
            tip->hushed = 0;
            ready = true;
            break;
        case MESHWIRE_RECEIPTED:
            if (!self->settings.single_valid || !self->settings.single_valid (self->settings.arg, proof, tip->row.mid))
                peers_offend (self, peer, MESH_FORGED_EPOCH);
            else
                mesh_end_tip (self, tip, MESH_GONE_RECEIPT, proof);
            break;
        }
    }
    if (ready)
        mesh_tell_link (self, MESH_READY, peer->link);
    talk_dirty (self);
    return 0;
}

void talk_ack (mesh_t *self, peer_t *peer, const uint8_t mid [MESH_MID], meshwire_ack_t ack)
{
    meshwire_salt_t salt = meshwire_salt (self->key, peer->key, 0);
    mesh_tell_frame (self, peer, &(meshwire_frame_t){ .type = MESHWIRE_ACK, .id = meshwire_short (&salt, mid), .ack = ack });
}

static void s_end_flight (mesh_t *self, talk_t *talk, uint32_t index)
{
    flight_t *flight = &talk->flights [index];
    tip_t *tip = tips_find (&self->tips, flight->tip.mid);
    if (tip) {
        tip->lent = tip->lent > flight->tokens ? tip->lent - flight->tokens : 0;
        tip->busy -= tip->busy > 0;
    }
    talk->flight_count--;
    memmove (talk->flights + index, talk->flights + index + 1, (talk->flight_count - index) * sizeof *talk->flights);
}

void talk_unsent (mesh_t *self, peer_t *peer, const uint8_t mid [MESH_MID])
{
    talk_t *talk = peer->talk;
    uint32_t index = 0;
    while (index < talk->flight_count && memcmp (talk->flights [index].tip.mid, mid, MESH_MID) != 0)
        index++;
    if (index == talk->flight_count)
        return; //  answered before it was whole: the neighbour's word, and its loss
    promise_t promise = talk->flights [index].tip;
    s_end_flight (self, talk, index);
    s_promise (self, peer, promise.mid, promise.id);
}

//  It came over another link: whoever else was asked for it need not send it.
void talk_have (mesh_t *self, const peer_t *from, tip_t *tip)
{
    for (uint32_t index = 0; index < self->peers.linked_count; index++) {
        peer_t *peer = self->peers.linked [index];
        request_t *request = peer == from ? NULL : talk_find_request (peer->talk, tip->row.mid);
        if (request && !request->called_off) {
            request->called_off = true;
            request->deadline = self->now + self->settings.stall_ms;
            tips_set_known (tip, peer->slot);
            talk_ack (self, peer, tip->row.mid, MESHWIRE_HAD);
        }
    }
}

//  A tip we were about to send is there already.
static void s_not_wanted (mesh_t *self, peer_t *peer, uint32_t id)
{
    talk_t *talk = peer->talk;
    meshwire_salt_t salt = meshwire_salt (peer->key, self->key, 0);
    for (uint32_t index = 0; index < talk->wanted_count; index++)
        if (meshwire_short (&salt, talk->wanted [index].mid) == id) {
            tip_t *tip = tips_find (&self->tips, talk->wanted [index].mid);
            talk->wanted [index] = talk->wanted [--talk->wanted_count];
            if (tip) {
                tip->offered -= tip->offered > 0;
                self->freed = true;
                tips_set_known (tip, peer->slot);
            }
            return;
        }
}

//  Tips of this origin for which the neighbour owes a receipt. What the broker refuses has none, so no origin alone shall make a good
//  gateway look like one that swallows.
static uint32_t s_owed (const mesh_t *self, const peer_t *peer, const uint8_t origin [MESH_ORIGIN])
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < self->tips.count; index++) {
        const tip_t *tip = self->tips.items [index];
        count += tip->given == peer && memcmp (tip->row.origin, origin, MESH_ORIGIN) == 0;
    }
    return count;
}

static int s_ack_in (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame)
{
    talk_t *talk = peer->talk;
    if (frame->ack == MESHWIRE_GONE) {
        talk_gone (peer, frame->id);
        return 0;
    }
    meshwire_salt_t salt = meshwire_salt (peer->key, self->key, 0);
    uint32_t index = 0;
    while (index < talk->flight_count && meshwire_short (&salt, talk->flights [index].tip.mid) != frame->id)
        index++;
    if (index == talk->flight_count) {
        if (frame->ack == MESHWIRE_HAD)
            s_not_wanted (self, peer, frame->id);
        return 0; //  or we gave up on it
    }
    flight_t flight = talk->flights [index];
    tip_t *tip = tips_find (&self->tips, flight.tip.mid);
    s_end_flight (self, talk, index);
    peer->our_ids.spent--;
    self->freed = true;
    if (tip && frame->ack == MESHWIRE_FULL)
        s_decline (self, peer, tip, self->now);
    else if (tip)
        tips_set_known (tip, peer->slot);
    if (!tip || frame->ack != MESHWIRE_STORED)
        return 0;
    peer->tips_out++;
    self->counters.tips_out++;
    self->counters.tip_bytes_out += tip->row.size;
    tip->row.tokens -= flight.tokens < tip->row.tokens ? flight.tokens : tip->row.tokens;
    route_has (tip, peer);
    if (flight.handed && tip->given != peer && (tip->row.own || s_owed (self, peer, tip->row.origin) < OWED_ORIGIN)) {
        tip->given = peer;
        peers_owe (self, peer);
    }
    mesh_tell_tip (self, MESH_UPDATE, tip, 0);
    if (tip->row.own)
        mesh_tell_tip (self, MESH_CARRIED, tip, 0);
    if (tip->flood)
        talk_dirty (self);
    return 0;
}

int talk_frame (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame, int64_t now)
{
    switch (frame->type) {
    case MESHWIRE_HELLO:
        talk_heard (self, peer, &frame->state, false, now);
        return 0;
    case MESHWIRE_OFFER:
        return talk_offer_in (self, peer, frame, now);
    case MESHWIRE_WANT:
        return s_want_in (self, peer, frame, now);
    case MESHWIRE_EPOCH:
        return talk_epoch_in (self, peer, frame->bytes, frame->size, now);
    case MESHWIRE_ACK:
        return s_ack_in (self, peer, frame);
    case MESHWIRE_ONE:
        return talk_one_in (self, peer, frame);
    case MESHWIRE_REVOKED:
        return talk_revoked_in (self, peer, frame->number, frame->bytes, frame->size, now);
    case MESHWIRE_ASK:
        return talk_ask_in (self, peer, frame);
    case MESHWIRE_PLACES:
        for (uint32_t index = 0; index < frame->count; index++)
            meshplace_learn (&self->place, frame->places [index]);
        return 0;
    }
    return -1;
}

//  ---- the link

static void s_hello (mesh_t *self, peer_t *peer, int64_t now)
{
    meshwire_frame_t frame = { .type = MESHWIRE_HELLO };
    talk_state (self, &frame.state, now);
    peer->talk->told = frame.state;
    mesh_tell_frame (self, peer, &frame);
}

//  Where gateways are, to those who do not know the same of them.
static void s_places (mesh_t *self, peer_t *peer)
{
    meshwire_frame_t frame = { .type = MESHWIRE_PLACES };
    const meshplace_t *place = &self->place;
    if (self->settings.no_position || place->place_count <= peer->places_told
        || peer->state.places == meshplace_digest (place))
        return;
    peer->places_told = frame.count = place->place_count;
    memcpy (frame.places, place->places, sizeof frame.places);
    mesh_tell_frame (self, peer, &frame);
}

void talk_heard (mesh_t *self, peer_t *peer, const meshwire_state_t *state, bool first, int64_t now)
{
    bool better = first || !peer->state_known || state->digest != peer->state.digest || state->hops < peer->state.hops
        || (uint32_t)state->utility + state->utility / 8 < peer->state.utility;
    peer->state = *state;
    peer->state_known = true;
    peer->met = now;
    if (better)
        peer->talk->dirty = true;
    s_places (self, peer);
    talk_epochs (self, peer, now);
    if (route_refresh (self, now))
        talk_dirty (self);
}

void talk_begin (mesh_t *self, peer_t *peer, int64_t now)
{
    peer->talk->dirty = true;
    if (!peer->state_known || peer->talk->hear_hello)
        s_hello (self, peer, now);
}

void talk_end (mesh_t *self, peer_t *peer)
{
    talk_t *talk = peer->talk;
    self->freed |= (talk->offered_count && !talk->offer_late) || talk->wanted_count || talk->flight_count;
    s_release_offer (self, talk);
    s_retry_declined (self, peer);
    if (self->asking == peer)
        self->asking = NULL;
    for (uint32_t index = 0; index < talk->wanted_count; index++) {
        tip_t *tip = tips_find (&self->tips, talk->wanted [index].mid);
        if (tip && tip->offered)
            tip->offered--;
    }
    while (talk->flight_count)
        s_end_flight (self, talk, talk->flight_count - 1);
}

void talk_tick (mesh_t *self, peer_t *peer, int64_t now)
{
    talk_t *talk = peer->talk;
    talk_tick_asked (self, peer, now);
    bool waits = talk->flight_count == MESH_ACKS;
    if (talk->offered_count && !talk->offer_late && talk->offer_deadline <= now) {
        s_release_offer (self, talk);
        self->freed = true;
    }
    if (peer->own_pause_until && peer->own_pause_until <= now) {
        peer->own_pause_until = 0;
        talk->dirty = true;
    }
    if (talk->declined_count && talk->retry_at <= now) {
        s_retry_declined (self, peer);
        talk->dirty = true;
    }
    for (uint32_t index = talk->flight_count; index-- > 0;)
        if (talk->flights [index].deadline <= now && !(talk->sending && index == talk->flight_count - 1)) {
            //  it may have it: others come first
            tip_t *tip = tips_find (&self->tips, talk->flights [index].tip.mid);
            s_end_flight (self, talk, index);
            if (tip)
                s_decline (self, peer, tip, now);
            self->freed = true;
        }
    if (waits && talk->flight_count < MESH_ACKS && talk->wanted_count)
        mesh_tell_link (self, MESH_READY, peer->link);
    for (uint32_t index = talk->request_count; index-- > 0;)
        if (talk->requests [index].deadline <= now) {
            bool expected = !talk->requests [index].called_off;
            talk->requests [index] = talk->requests [--talk->request_count];
            if (expected)
                peers_offend (self, peer, MESH_STALLED);
        }
    if (talk->hear_hello) {
        meshwire_state_t state;
        talk_state (self, &state, now);
        if (state.hops != talk->told.hops || state.base != talk->told.base || state.mask != talk->told.mask
            || state.series != talk->told.series || (state.room < MESH_ROOMY) != (talk->told.room < MESH_ROOMY)
            || (uint32_t)state.utility * 4 < (uint32_t)talk->told.utility * 3)
            s_hello (self, peer, now);
    }
}
