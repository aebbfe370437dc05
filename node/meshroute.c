//  meshroute - every decision of the mesh: how near a gateway a node is, who gets a copy, what goes first, what leaves first

#include <assert.h>
#include <string.h>
#include "mesh_private.h"
#include "meshplace.h"

#define LAST_MOMENT_MS 1000 //  of life: a transfer would not end in time
#define BULK 3              //  class
#define AT_ONCE 1u          //  neighbours that are offered the same tip at once
#define OTHERS_LIFE 4u      //  at a gateway, what may come otherwise goes as if it had this part of its life more
#define OWN_SHARE 4u        //  of the buffer, a neighbour's own tips
//  Of the buffer, what it brought of others; with 2 a vehicle carries less from a village it meets one of.
#define RELAYED_QUARTERS 3u
#define SOS_SHARE 2u        //  of the buffer, sos of others

bool route_refresh (mesh_t *self, int64_t now)
{
    uint32_t hops = MESHWIRE_NO_HOPS;
    if (self->gateway)
        hops = 0;
    else
        for (uint32_t index = 0; index < self->peers.linked_count; index++) {
            const peer_t *peer = self->peers.linked [index];
            if (peer->state_known && peer->state.hops < MESH_HOPS_MAX && peer->state.hops + 1u < hops)
                hops = peer->state.hops + 1u;
        }
    bool changed = hops != self->hops;
    if (hops <= 1 || self->hops <= 1)
        self->touched = now;
    self->hops = (uint8_t)hops;
    return changed;
}

uint32_t route_utility (const mesh_t *self, int64_t now)
{
    if (self->hops <= 1)
        return self->hops;
    uint32_t seconds = UINT32_MAX;
    if (self->touched != INT64_MIN) {
        int64_t age = (now - self->touched) / 1000 + 1;
        seconds = age < 2 ? 2 : age > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)age;
    }
    uint32_t by_place = self->settings.no_position ? UINT32_MAX : meshplace_seconds (&self->place, now);
    return by_place < seconds ? by_place : seconds;
}

bool route_floods (const mesh_t *self, const mesh_tip_t *row)
{
    if (row->cls != 0)
        return false;
    uint32_t same = 0;
    for (uint32_t index = 0; index < self->tips.count; index++) {
        const tip_t *tip = self->tips.items [index];
        same += tip->flood && memcmp (tip->row.origin, row->origin, MESH_ORIGIN) == 0;
    }
    return same < self->settings.sos_flood;
}

uint16_t route_best (const mesh_t *self, const tip_t *tip, int64_t now)
{
    uint16_t own = meshwire_utility (route_utility (self, now));
    return tip->row.best < own ? tip->row.best : own;
}

bool route_passive (const mesh_t *self, const tip_t *tip, int64_t now)
{
    return !tip->flood && meshwire_seconds (tip->row.best) < route_utility (self, now);
}

copy_t route_copy (const mesh_tip_t *row, const peer_t *from, bool flood)
{
    return (copy_t){ from, flood, row->hops > 1, row->tokens > 1, meshwire_magnitude (meshwire_seconds (row->best)) };
}

//  What a neighbour wrote itself, or says it did not, fills more than its share.
static bool s_beyond_share (const mesh_t *self, const peer_t *from, bool relayed)
{
    if (!from)
        return false;
    return relayed ? from->bytes_stored - from->own_bytes_stored > self->settings.buffer_bytes / 4 * RELAYED_QUARTERS
                   : from->own_bytes_stored > self->settings.buffer_bytes / OWN_SHARE;
}

//  sos first everywhere; then by stage; then by the key
static route_t s_route (route_kind_t kind, uint16_t tokens, bool handed, const tip_t *tip, uint32_t key)
{
    uint64_t ordinary = tip->flood ? 0 : 1;
    return (route_t){ kind, tokens, handed, ordinary << 40 | (uint64_t)kind << 32 | key };
}

//  Who took many tips as the better way, and no receipt came of them, is believed no more until some come or time passes.
static bool s_believed (const peer_t *peer)
{
    return peer->state_known && peer->owing < ROUTE_OWING_MAX;
}

static uint32_t s_peer_seconds (const peer_t *peer)
{
    return s_believed (peer) ? meshwire_seconds (peer->state.utility) : UINT32_MAX;
}

static uint32_t s_peer_hops (const peer_t *peer)
{
    return s_believed (peer) ? peer->state.hops : MESHWIRE_NO_HOPS;
}

static int64_t s_late_at (const mesh_t *self, const tip_t *tip)
{
    return tip->born + (int64_t)tip->row.life_s * 10 * self->settings.late_percent;
}

bool route_nearer (const mesh_t *self, const meshwire_state_t *state, int64_t now)
{
    if (state->hops < MESH_HOPS_MAX && state->hops + 1u < self->hops)
        return true;
    uint32_t theirs = meshwire_seconds (state->utility), best = route_utility (self, now);
    for (uint32_t index = 0; index < self->peers.linked_count; index++) {
        uint32_t seconds = s_peer_seconds (self->peers.linked [index]);
        best = seconds < best ? seconds : best;
    }
    return theirs != UINT32_MAX && theirs < best / 2;
}

bool route_turns_late (const mesh_t *self, const tip_t *tip, int64_t from, int64_t to)
{
    int64_t at = s_late_at (self, tip);
    return at > from && at <= to;
}

//  Someone who was near a gateway has had it, too.
static bool s_may_come_otherwise (const tip_t *tip)
{
    return !tip->flood && tip->row.best != MESHWIRE_UNKNOWN;
}

static route_t s_choose (const mesh_t *self, const tip_t *tip, const peer_t *peer, int64_t now)
{
    static const route_t none = { ROUTE_NONE, 0, false, 0 };
    int64_t age = now - tip->born, life = (int64_t)tip->row.life_s * 1000;
    if (self->gateway || age + LAST_MOMENT_MS > life || tip->storing || tips_knows (tip, peer->slot))
        return none;
    uint32_t peer_hops = s_peer_hops (peer), left = (uint32_t)((life - age) / 1000);
    uint32_t tokens = tip->row.tokens > tip->lent ? tip->row.tokens - tip->lent : 0;
    uint16_t half = (uint16_t)(tokens / 2);
    if (peer_hops == 0)
        return s_route (
            ROUTE_DELIVER, half, true, tip, left + (s_may_come_otherwise (tip) ? tip->row.life_s / OTHERS_LIFE : 0));
    if (peer_hops < MESH_HOPS_MAX && peer_hops < self->hops)
        return s_route (ROUTE_PATH, 0, true, tip, left);
    if (tip->accepted)
        return none;
    //  a node sends one tip at a time: to ask more neighbours at once only makes talk
    if (tip->busy + tip->offered >= AT_ONCE)
        return none;
    //  equal digests: the neighbour has every sos that we have
    if (tip->flood && (now < tip->hush_until || (peer->state_known && peer->state.digest == self->digest)))
        return none;
    if (tip->flood)
        return s_route (ROUTE_FLOOD, half, false, tip, tip->row.hops);
    //  on a live path there is nothing to win by further copies
    if (self->hops < MESH_HOPS_MAX)
        return none;
    uint32_t theirs = s_peer_seconds (peer), own = route_utility (self, now), best = meshwire_seconds (tip->row.best);
    bool early = now < s_late_at (self, tip);
    //  who has never been beside a gateway, or is believed no more, only holds what we bring sooner: a copy when ours is late, and the best there is
    if (theirs == UINT32_MAX && own != UINT32_MAX && (early || route_passive (self, tip, now)))
        return none;
    uint32_t nearest = own < best ? own : best;
    bool improves = (uint64_t)theirs * 100 < (uint64_t)nearest * self->settings.handover_percent;
    //  where room is scarce: of what someone near a gateway has had, no copy to who knows none, and none because it is late
    bool scarce = !improves && best != UINT32_MAX && peer->state.room < MESH_ROOMY;
    if (scarce && theirs == UINT32_MAX)
        return none;
    //  those with most copies still to make first: they have most to win
    uint32_t fresh = 0xFFFFFFu - tokens;
    if (tokens > 1)
        return s_route (improves ? ROUTE_GAIN : ROUTE_SPRAY, half, improves, tip, fresh);
    if (tokens == 1 && improves)
        return s_route (ROUTE_GAIN, 1, true, tip, fresh);
    bool late = tip->row.cls != BULK && !early && !scarce && theirs <= own && theirs != UINT32_MAX;
    return late ? s_route (improves ? ROUTE_GAIN : ROUTE_LATE, 0, improves, tip, fresh) : none;
}

bool route_goes_before (uint64_t rank, const tip_t *tip, uint64_t other_rank, const tip_t *other)
{
    return rank < other_rank || (rank == other_rank && tip->serial < other->serial);
}

//  What is beyond a neighbour's share goes after all the rest, so that a flood takes nobody's turn at the next node.
route_t route_choose (const mesh_t *self, const tip_t *tip, const peer_t *peer, int64_t now)
{
    route_t route = s_choose (self, tip, peer, now);
    if (route.kind != ROUTE_NONE && s_beyond_share (self, tip->from, tip->row.hops > 1))
        route.rank |= UINT64_C (1) << 41;
    return route;
}

route_t route_promised (const mesh_t *self, const tip_t *tip, const peer_t *peer, int64_t now)
{
    route_t route = route_choose (self, tip, peer, now);
    bool alive = now - tip->born + LAST_MOMENT_MS <= (int64_t)tip->row.life_s * 1000;
    if (route.kind != ROUTE_NONE || !alive || tip->storing || tips_knows (tip, peer->slot))
        return route;
    return s_route (ROUTE_LATE, 0, false, tip, tip->row.hops);
}

//  ---- room

//  From the least: what a neighbour brings beyond its share; then the copies that others have had, those first who were nearest to a
//  gateway, by powers of two; those last of which nobody near one is known to have had them; of equals those with one token; sos within
//  their limits stay longest. A newcomer that is worth as much as what is here is refused: nothing is pushed to and fro.
uint64_t route_worth (const mesh_t *self, const copy_t *copy)
{
    enum { BEYOND_SHARE, ORDINARY, SOS };
    if (s_beyond_share (self, copy->from, copy->relayed))
        return BEYOND_SHARE << 8;
    if (copy->flood && self->tips.sos_bytes <= self->settings.buffer_bytes / SOS_SHARE)
        return SOS << 8;
    return ORDINARY << 8 | (uint64_t)copy->best << 1 | copy->several;
}

static uint64_t s_tip_worth (const mesh_t *self, const tip_t *tip)
{
    copy_t copy = route_copy (&tip->row, tip->from, tip->flood);
    return route_worth (self, &copy);
}

static bool s_may_go (const tip_t *tip)
{
    return !tip->row.own && !tip->busy && !tip->storing;
}

//  Worth least; of equals the one received last.
static tip_t *s_least (const mesh_t *self)
{
    tip_t *least = NULL;
    uint64_t least_worth = UINT64_MAX;
    for (uint32_t index = 0; index < self->tips.count; index++) {
        tip_t *tip = self->tips.items [index];
        uint64_t worth = s_may_go (tip) ? s_tip_worth (self, tip) : UINT64_MAX;
        if (worth < least_worth || (least && worth == least_worth && tip->serial > least->serial)) {
            least = tip;
            least_worth = worth;
        }
    }
    return least;
}

bool route_room (mesh_t *self, uint64_t worth, uint64_t size, bool evict)
{
    tips_t *tips = &self->tips;
    const mesh_settings_t *settings = &self->settings;
    if (tips->bytes + size <= settings->buffer_bytes && tips->count < settings->buffer_tips)
        return true;
    uint64_t could = 0;
    uint32_t fewer = 0;
    for (uint32_t index = 0; index < tips->count; index++) {
        const tip_t *tip = tips->items [index];
        if (s_may_go (tip) && s_tip_worth (self, tip) < worth) {
            could += tip->row.size;
            fewer++;
        }
    }
    if (tips->bytes - could + size > settings->buffer_bytes || tips->count - fewer >= settings->buffer_tips)
        return false;
    while (evict && (tips->bytes + size > settings->buffer_bytes || tips->count >= settings->buffer_tips)) {
        tip_t *least = s_least (self);
        assert (least);
        mesh_end_tip (self, least, MESH_GONE_EVICTED, NULL);
    }
    return true;
}

void route_has (tip_t *tip, const peer_t *peer)
{
    if (s_believed (peer) && peer->state.utility < tip->row.best)
        tip->row.best = peer->state.utility;
}
