//  meshanswer - what a neighbour's offer is answered with, and when; what was asked for and is not here yet

#include <string.h>
#include "mesh_private.h"

//  An offer waits for its answer while other neighbours send what they were asked for: it may be the same, and short ids do not tell.
#define STIR_MS 1000 //  a neighbour from which nothing came for this long is waited for no more
#define HELD_MS 4000 //  and no offer waits longer than this

static void s_request (
    peer_t *peer, const meshwire_salt_t *salt, const meshwire_offer_t *offer, uint32_t stall_ms, int64_t now)
{
    talk_t *talk = peer->talk;
    const uint32_t most = sizeof talk->requests / sizeof talk->requests [0];
    if (talk->request_count == most) {
        uint32_t first = 0; //  that was called off, or of all
        while (first < most && !talk->requests [first].called_off)
            first++;
        first %= most;
        memmove (talk->requests + first, talk->requests + first + 1, (most - first - 1) * sizeof *talk->requests);
        talk->request_count--;
    }
    talk->requests [talk->request_count++] = (request_t){
        .salt = *salt, .id = offer->id, .size = offer->size, .deadline = now + stall_ms, .stirred = now, .sos = offer->cls == 0
    };
}

request_t *talk_find_request (talk_t *talk, const uint8_t mid [MESH_MID])
{
    for (uint32_t index = 0; index < talk->request_count; index++)
        if (meshwire_short (&talk->requests [index].salt, mid) == talk->requests [index].id)
            return &talk->requests [index];
    return NULL;
}

void talk_goes_on (const mesh_t *self, talk_t *talk)
{
    talk->asked_deadline = self->now + self->settings.stall_ms;
    for (uint32_t index = 0; index < talk->request_count; index++)
        if (!talk->requests [index].called_off)
            talk->requests [index].deadline = self->now + self->settings.stall_ms;
}

bool talk_take_request (mesh_t *self, peer_t *peer, const uint8_t mid [MESH_MID], uint32_t *size)
{
    talk_t *talk = peer->talk;
    request_t *request = talk_find_request (talk, mid);
    if (!request)
        return false;
    *size = request->size;
    *request = talk->requests [--talk->request_count];
    peer->ids.spent--;
    talk->hollow = false;
    talk_goes_on (self, talk);
    for (uint32_t index = 0; index < talk->request_count; index++)
        talk->requests [index].stirred = self->now;
    return true;
}

//  Its bytes of this minute are spent: who offers what he does not have is asked for less.
void talk_gone (peer_t *peer, uint32_t id)
{
    talk_t *talk = peer->talk;
    for (uint32_t index = 0; index < talk->request_count; index++)
        if (talk->requests [index].id == id) {
            talk->requests [index] = talk->requests [--talk->request_count];
            talk->hollow = true;
            return;
        }
}

//  Marks what we know of the offered ids: one pass over our mids, each hashed once.
static void s_lookup (mesh_t *self, peer_t *peer, const meshwire_salt_t *salt, tip_t **tips, seen_t **seen)
{
    const talk_t *talk = peer->talk;
    uint64_t filter = 0;
    for (uint32_t index = 0; index < talk->held_count; index++)
        filter |= UINT64_C (1) << (talk->held [index].id & 63);
    for (uint32_t at = 0; at < self->tips.count; at++) {
        tip_t *tip = self->tips.items [at];
        uint32_t id = meshwire_short (salt, tip->row.mid);
        if (filter >> (id & 63) & 1)
            for (uint32_t index = 0; index < talk->held_count; index++)
                if (talk->held [index].id == id) {
                    tips [index] = tip;
                    if (!tips_knows (tip, peer->slot))
                        talk_hush (self, tip, self->now);
                    tips_set_known (tip, peer->slot);
                    route_has (tip, peer);
                }
    }
    for (uint32_t at = 0; at < MESH_SEEN && self->tips.seen [at].used; at++) {
        uint32_t id = meshwire_short (salt, self->tips.seen [at].mid);
        if (filter >> (id & 63) & 1)
            for (uint32_t index = 0; index < talk->held_count; index++)
                if (talk->held [index].id == id)
                    seen [index] = &self->tips.seen [at];
    }
}

//  Bytes of what was asked for and is not here yet: room that is spoken for.
static uint32_t s_coming (const mesh_t *self)
{
    uint32_t bytes = 0;
    for (uint32_t index = 0; index < self->peers.linked_count; index++) {
        const talk_t *talk = self->peers.linked [index]->talk;
        for (uint32_t at = 0; at < talk->request_count; at++)
            bytes += talk->requests [at].called_off ? 0 : talk->requests [at].size;
    }
    return bytes;
}

static meshwire_answer_t s_answer (
    mesh_t *self, const peer_t *peer, const meshwire_offer_t *offer, const tip_t *tip, const seen_t *seen, uint32_t coming)
{
    if (tip)
        return MESHWIRE_HAVE;
    if (seen && seen->has_single)
        return MESHWIRE_RECEIPTED;
    if (seen && !seen->evicted)
        return MESHWIRE_HAVE;
    //  nobody's copy has seen worse than who offers it is
    uint8_t theirs = peer->state_known ? meshwire_magnitude (meshwire_seconds (peer->state.utility)) : MESHWIRE_FAR;
    uint8_t best = offer->best < theirs ? offer->best : theirs;
    copy_t copy = { peer, offer->cls == 0, offer->relayed, offer->several, best };
    bool room = route_room (self, route_worth (self, &copy), (uint64_t)coming + offer->size, false);
    return room ? MESHWIRE_WANTED : MESHWIRE_NO_ROOM;
}

//  Other neighbours are about to send what they were asked for; an sos waits for sos only.
static bool s_others_send (const mesh_t *self, const peer_t *peer, bool sos, int64_t now)
{
    for (uint32_t index = 0; index < self->peers.linked_count; index++) {
        const peer_t *other = self->peers.linked [index];
        uint32_t count = other == peer || other->talk->hollow ? 0 : other->talk->request_count;
        for (uint32_t at = 0; at < count; at++) {
            const request_t *request = &other->talk->requests [at];
            if (!request->called_off && now - request->stirred < STIR_MS && (request->sos || !sos))
                return true;
        }
    }
    return false;
}

//  Of a neighbour's bytes a minute: a relay that a flood comes through has some left for its own tips, and for sos.
static uint32_t s_reserve (const mesh_t *self, const meshwire_offer_t *offer)
{
    return offer->cls == 0 ? 0 : self->settings.tip_bytes / (offer->relayed ? 4 : 8);
}

//  All "no room", until it says otherwise.
static meshwire_frame_t s_reply (mesh_t *self, uint16_t nonce, uint32_t count, int64_t now)
{
    return (meshwire_frame_t){ .type = MESHWIRE_WANT,
        .nonce = nonce,
        .hops = self->hops,
        .utility = meshwire_utility (route_utility (self, now)),
        .count = count };
}

static void s_answer_offer (mesh_t *self, peer_t *peer, int64_t now)
{
    talk_t *talk = peer->talk;
    tip_t *tips [MESHWIRE_OFFER_MAX] = { NULL };
    seen_t *seen [MESHWIRE_OFFER_MAX] = { NULL };
    meshwire_salt_t salt = meshwire_salt (peer->key, self->key, talk->held_nonce);
    s_lookup (self, peer, &salt, tips, seen);
    uint8_t singles [MESHWIRE_SINGLES_MAX * MESHWIRE_SINGLE];
    meshwire_frame_t reply = s_reply (self, talk->held_nonce, talk->held_count, now);
    reply.single = singles;
    uint32_t coming = s_coming (self);
    bool wants = false, wants_sos = false;
    for (uint32_t index = 0; index < talk->held_count; index++) {
        const meshwire_offer_t *offer = &talk->held [index];
        meshwire_answer_t answer = s_answer (self, peer, offer, tips [index], seen [index], coming);
        if (answer == MESHWIRE_RECEIPTED && reply.singles == MESHWIRE_SINGLES_MAX)
            answer = MESHWIRE_HAVE;
        if (answer == MESHWIRE_RECEIPTED)
            memcpy (singles + MESHWIRE_SINGLE * reply.singles++, seen [index]->single, MESHWIRE_SINGLE);
        if (answer == MESHWIRE_WANTED) {
            wants = true;
            wants_sos |= offer->cls == 0;
            coming += offer->size;
        }
        reply.answers [index] = answer;
    }
    if (wants && now - talk->held_since < HELD_MS && s_others_send (self, peer, wants_sos, now))
        return;
    bool floods = false;
    for (uint32_t index = 0; index < talk->held_count; index++) {
        const meshwire_offer_t *offer = &talk->held [index];
        if (reply.answers [index] != MESHWIRE_WANTED)
            continue;
        if (peers_allow_bytes (self, peer, offer->size, s_reserve (self, offer)))
            s_request (peer, &salt, offer, self->settings.stall_ms, now);
        else {
            reply.answers [index] = MESHWIRE_NO_ROOM;
            floods |= !offer->relayed; //  who passes on what others wrote is no offender
        }
    }
    //  once may be, since nobody can know what we allow; then there is a pause
    if (floods && now - peer->flooded_at < MESH_OWN_PAUSE_MS / 2)
        peers_offend (self, peer, MESH_TOO_MANY_TIPS);
    if (floods)
        peer->flooded_at = now;
    talk->held_count = 0;
    mesh_tell_frame (self, peer, &reply);
}

void talk_answer_held (mesh_t *self, int64_t now)
{
    for (uint32_t index = 0; index < self->peers.linked_count; index++)
        if (self->peers.linked [index]->talk->held_count)
            s_answer_offer (self, self->peers.linked [index], now);
}

int talk_offer_in (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame, int64_t now)
{
    if (!peers_allow_ids (self, peer, frame->count)) {
        peers_offend (self, peer, MESH_TOO_MANY_IDS);
        meshwire_frame_t reply = s_reply (self, frame->nonce, frame->count, now);
        mesh_tell_frame (self, peer, &reply);
        return -1;
    }
    //  one that still waits is void: nobody has two
    talk_t *talk = peer->talk;
    memcpy (talk->held, frame->offers, frame->count * sizeof *talk->held);
    talk->held_count = frame->count;
    talk->held_nonce = frame->nonce;
    talk->held_since = now;
    s_answer_offer (self, peer, now);
    return 0;
}
