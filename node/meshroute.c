//  meshroute - every decision of the mesh: how near a gateway a node is, who gets a copy, what goes first, what leaves first

#include <assert.h>
#include <math.h>
#include <string.h>
#include "mesh_private.h"

#include <stdlib.h>
static double K (const char *name, double dflt) { const char *v = getenv (name); return v ? atof (v) : dflt; }
#define KNOB(name, dflt) ({ static double k_; static int set_; if (!set_) { k_ = K (#name, dflt); set_ = 1; } k_; })
#define LAST_MOMENT_MS 1000 //  of life: a transfer would not end in time

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
    if (self->touched == INT64_MIN)
        return UINT32_MAX;
    int64_t age = (now - self->touched) / 1000 + 1;
    return age > UINT32_MAX - 1 ? UINT32_MAX - 1 : (uint32_t)age;
}

void route_met (mesh_t *self, peer_t *peer, bool is_new, int64_t now)
{
    (void)self;
    (void)peer;
    (void)is_new;
    (void)now;
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

static uint64_t s_rank (route_kind_t stage, const tip_t *tip, uint32_t key)
{
    uint64_t sos = tip->flood ? 0 : 1;
    if (key > 0xFFFFFF)
        key = 0xFFFFFF;
    return sos << 40 | (uint64_t)stage << 32 | key;
}

static uint32_t s_peer_seconds (const peer_t *peer)
{
    return peer->state_known ? meshwire_seconds (peer->state.utility) : UINT32_MAX;
}

static int64_t s_late_at (const mesh_t *self, const tip_t *tip)
{
    return tip->born + (int64_t)tip->row.life_s * 10 * self->settings.late_percent;
}

bool route_turns_late (const mesh_t *self, const tip_t *tip, int64_t from, int64_t to)
{
    int64_t at = s_late_at (self, tip);
    return at > from && at <= to;
}

route_t route_choose (const mesh_t *self, const tip_t *tip, const peer_t *peer, int64_t now)
{
    static const route_t none = { ROUTE_NONE, 0, false, 0 };
    int64_t age = now - tip->born, life = (int64_t)tip->row.life_s * 1000;
    if (age + LAST_MOMENT_MS > life || tip->storing || tips_knows (tip, peer->slot))
        return none;
    if (self->gateway)
        return none;
    uint32_t peer_hops = peer->state_known ? peer->state.hops : MESHWIRE_NO_HOPS;
    uint32_t left = (uint32_t)((life - age) / 1000);
    uint32_t tokens = tip->row.tokens > tip->lent ? tip->row.tokens - tip->lent : 0;
    uint16_t half = (uint16_t)(tokens / 2);
    if (peer_hops == 0)
        return (route_t){ ROUTE_DELIVER, half, true, s_rank (ROUTE_DELIVER, tip, left) };
    if (peer_hops < MESH_HOPS_MAX && peer_hops < self->hops)
        return (route_t){ ROUTE_PATH, 0, true, s_rank (ROUTE_PATH, tip, left) };
    if (tip->accepted)
        return none;
    if (tip->flood)
        return tip->busy + tip->offered < 3 ? (route_t){ ROUTE_FLOOD, half, true, s_rank (ROUTE_FLOOD, tip, tip->row.hops) } : none;
    if (self->hops < MESH_HOPS_MAX)
        return none;
    uint32_t theirs = s_peer_seconds (peer), own = route_utility (self, now), best = meshwire_seconds (tip->row.best);
    if (own < best)
        best = own;
    bool improves = (uint64_t)theirs * 100 < (uint64_t)best * self->settings.handover_percent;
    uint32_t key;
    switch ((int)KNOB(R,0)) {
    case 0: key = left; break;
    case 1: key = 0xFFFFFF - left; break;
    case 2: key = 0xFFFFFF - tokens; break;
    case 3: key = tip->row.hops << 16 | (left >> 4); break;
    default: key = tip->row.hops << 16 | (0xFFFF - (left >> 4)); break;
    }
    if (tokens > 1 && (double)theirs <= KNOB(SW,1e30) * (double)best)
        return (route_t){ improves ? ROUTE_SPRAY : ROUTE_HAND, half, improves, s_rank (improves ? ROUTE_SPRAY : ROUTE_HAND, tip, key) };
    if (tokens == 1 && improves)
        return (route_t){ ROUTE_HAND, 1, true, s_rank (ROUTE_SPRAY, tip, key) };
    if (tip->row.cls <= 2 && now >= s_late_at (self, tip) && (KNOB(LATEBEST,0) ? improves : theirs <= own && (KNOB(LATEUNK,0) || theirs != UINT32_MAX)))
        return (route_t){ ROUTE_LATE, 0, improves, s_rank (improves ? ROUTE_SPRAY : ROUTE_LATE, tip, KNOB(R,0) ? key : (uint32_t)tip->row.hops) };
    return none;
}

//  ---- room

uint64_t route_worth (const mesh_t *self, const mesh_tip_t *row, const peer_t *from, bool flood, int64_t now)
{
    (void)self;
    (void)from;
    (void)now;
    uint64_t hops = 255 - row->hops;
    uint64_t band = flood ? 3 : row->passive && KNOB(WPASS,1) ? 1 : 2;
    uint64_t tokens = row->tokens;
    uint64_t age = (uint64_t)row->age_ms >> 10;
    uint64_t young = 0xFFFFFFFF - age;
    switch ((int)KNOB(W,0)) {
    case 0: return band << 60 | hops << 48 | young;
    case 1: return band << 60 | tokens << 48 | young;
    case 2: return band << 60 | tokens << 48 | hops << 40 | young;
    case 3: return band << 60 | young;
    case 4: return band << 60 | age;
    case 5: return band << 60 | tokens << 48 | age;
    case 6: return band << 60 | hops << 48 | age;
    case 7: return band << 60 | hops << 48 | tokens << 32 | age;
    case 8: return band << 60 | hops << 48 | tokens << 32 | young;
    case 9: return band << 60;
    case 10: return band << 60 | (uint64_t)(row->passive ? hops << 48 | young : 0);
    case 11: return band << 60 | (uint64_t)(row->passive ? hops << 48 | tokens << 32 | age : 0);
    case 12: return band << 60 | (uint64_t)(row->passive ? hops << 48 | tokens << 32 | age : (hops > 252) );
    case 13: return band << 60 | (uint64_t)(row->passive ? hops << 48 | tokens << 32 | age : age / 600);
    case 14: return band << 60 | (uint64_t)(row->passive ? hops << 48 | tokens << 32 | age : young / 600);
    }
    return 0;
}

static uint64_t s_tip_worth (const mesh_t *self, const tip_t *tip, int64_t now)
{
    mesh_tip_t row = tip->row;
    row.age_ms = now - tip->born;
    return route_worth (self, &row, tip->from, tip->flood, now);
}

bool route_room (mesh_t *self, uint64_t worth, uint32_t size, bool own, bool evict, int64_t now)
{
    tips_t *tips = &self->tips;
    if (tips->bytes + size <= self->settings.buffer_bytes && tips->count < self->settings.buffer_tips)
        return true;
    //  who may go for it: in the end all foreign ones worth less, taken from the least
    uint64_t could = 0;
    uint32_t fewer = 0;
    for (uint32_t index = 0; index < tips->count; index++) {
        const tip_t *tip = tips->items [index];
        if (!tip->row.own && !tip->busy && !tip->storing && (own || s_tip_worth (self, tip, now) < worth)) {
            could += tip->row.size;
            fewer++;
        }
    }
    if (tips->bytes - could + size > self->settings.buffer_bytes || tips->count - fewer >= self->settings.buffer_tips)
        return false;
    while (evict && (tips->bytes + size > self->settings.buffer_bytes || tips->count >= self->settings.buffer_tips)) {
        tip_t *least = NULL;
        uint64_t least_worth = UINT64_MAX;
        for (uint32_t index = 0; index < tips->count; index++) {
            tip_t *tip = tips->items [index];
            uint64_t one = s_tip_worth (self, tip, now);
            if (!tip->row.own && !tip->busy && !tip->storing && one < least_worth) {
                least = tip;
                least_worth = one;
            }
        }
        assert (least);
        mesh_end_tip (self, least, MESH_GONE_EVICTED, NULL);
    }
    return true;
}

//  This peer has the tip: from now on its copy counts as the best if it is nearer than all before.
void route_has (tip_t *tip, const peer_t *peer, uint32_t own)
{
    uint32_t theirs = s_peer_seconds (peer);
    if (!peer->state_known || !KNOB(HASBEST,1))
        return;
    if (peer->state.utility < tip->row.best)
        tip->row.best = peer->state.utility;
    if ((double)theirs < KNOB(LEAD,0.8) * (double)own)
        tip->row.passive = !tip->flood;
}
