//  meshpeers - the neighbours this node remembers, what each may still bring, and what each did wrong

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "mesh_private.h"

#define BADNESS_CLOSE 100u //  a link is closed at this sum of offences
//  Of the ids that a neighbour allows, what we offer: crossing words cost some. Who begins anew begins with what is left over of it.
#define OFFERS_KEPT 0.8
#define BADNESS_MINUTE 5u  //  and so much of it is forgiven in a minute

//  How grave each is; one alone may be an accident of timing.
static const uint8_t s_grave [MESH_OFFENCES] = {
    [MESH_BAD_FRAME] = 25,
    [MESH_FORGED_EPOCH] = 50,
    [MESH_REPLAYED_EPOCH] = 4,
    [MESH_MINTED_TOKENS] = 20,
    [MESH_TOO_MANY_IDS] = 10,
    [MESH_TOO_MANY_TIPS] = 10,
    [MESH_UNASKED_TIP] = 10,
    [MESH_STALLED] = 4,
    [MESH_BAD_TIP] = 50,
    [MESH_NO_RECEIPTS] = 10,
};

peer_t *peers_by_link (const mesh_t *self, uint32_t link)
{
    for (uint32_t index = 0; index < self->peers.linked_count; index++)
        if (self->peers.linked [index]->link == link)
            return self->peers.linked [index];
    return NULL;
}

static peer_t *s_find (const mesh_t *self, const uint8_t key [MESH_KEY])
{
    for (uint32_t index = 0; index < self->peers.count; index++)
        if (memcmp (self->peers.items [index]->key, key, MESH_KEY) == 0)
            return self->peers.items [index];
    return NULL;
}

//  The one not met for longest gives up its place; its tips stay, from nobody in particular.
static peer_t *s_recycle (mesh_t *self)
{
    peer_t *oldest = NULL;
    for (uint32_t index = 0; index < self->peers.count; index++) {
        peer_t *peer = self->peers.items [index];
        if (!peer->talk && (!oldest || peer->met < oldest->met))
            oldest = peer;
    }
    assert (oldest);
    tips_forget_slot (&self->tips, oldest->slot);
    for (uint32_t index = 0; index < self->tips.count; index++) {
        tip_t *tip = self->tips.items [index];
        tip->from = tip->from == oldest ? NULL : tip->from;
        tip->given = tip->given == oldest ? NULL : tip->given;
    }
    uint32_t slot = oldest->slot;
    *oldest = (peer_t){ .slot = slot };
    return oldest;
}

static peer_t *s_new (mesh_t *self)
{
    peers_t *peers = &self->peers;
    if (peers->count == peers->room) {
        peers->room = peers->room ? peers->room * 2 : 16;
        peers->items = realloc (peers->items, peers->room * sizeof *peers->items);
        if (!peers->items)
            abort ();
    }
    peer_t *peer = calloc (1, sizeof *peer);
    if (!peer)
        abort ();
    peer->slot = peers->count;
    peers->items [peers->count++] = peer;
    return peer;
}

peer_t *peers_get (mesh_t *self, const uint8_t key [MESH_KEY])
{
    peer_t *peer = s_find (self, key);
    if (peer)
        return peer;
    peer = self->peers.count < self->settings.neighbours ? s_new (self) : s_recycle (self);
    memcpy (peer->key, key, MESH_KEY);
    peer->our_ids = (bucket_t){ self->now, self->settings.offers * (2 * OFFERS_KEPT - 1) };
    peer->badness_at = peer->owing_since = self->now;
    peer->met = INT64_MIN;
    peer->flooded_at = INT64_MIN / 2;
    return peer;
}

void peers_link (mesh_t *self, peer_t *peer, uint32_t link)
{
    peers_t *peers = &self->peers;
    assert (!peer->talk);
    if (peers->linked_count == peers->linked_room) {
        peers->linked_room = peers->linked_room ? peers->linked_room * 2 : 8;
        peers->linked = realloc (peers->linked, peers->linked_room * sizeof *peers->linked);
        if (!peers->linked)
            abort ();
    }
    peer->talk = calloc (1, sizeof *peer->talk);
    if (!peer->talk)
        abort ();
    peer->link = link;
    peers->linked [peers->linked_count++] = peer;
}

static void s_end_talk (peer_t *peer)
{
    if (peer->talk)
        free (peer->talk->declined);
    free (peer->talk);
    peer->talk = NULL;
}

void peers_unlink (mesh_t *self, peer_t *peer)
{
    peers_t *peers = &self->peers;
    uint32_t index = 0;
    while (peers->linked [index] != peer)
        index++;
    peers->linked [index] = peers->linked [--peers->linked_count];
    s_end_talk (peer);
}

void peers_clear (mesh_t *self)
{
    for (uint32_t index = 0; index < self->peers.count; index++) {
        s_end_talk (self->peers.items [index]);
        free (self->peers.items [index]);
    }
    free (self->peers.items);
    free (self->peers.linked);
    self->peers = (peers_t){ 0 };
}

void peers_offend (mesh_t *self, peer_t *peer, mesh_offence_t offence)
{
    int64_t minutes = (self->now - peer->badness_at) / 60000;
    if (minutes > 0) {
        peer->badness -= minutes * BADNESS_MINUTE > peer->badness ? peer->badness : (uint32_t)minutes * BADNESS_MINUTE;
        peer->badness_at += minutes * 60000;
    }
    if (peer->offences [offence] < UINT32_MAX)
        peer->offences [offence]++;
    peer->badness += s_grave [offence];
    mesh_tell_offence (self, peer, offence);
    if (peer->badness >= BADNESS_CLOSE && peer->talk) {
        peer->badness = BADNESS_CLOSE / 2;
        mesh_tell_link (self, MESH_CLOSE, peer->link);
    }
}

void peers_owe (mesh_t *self, peer_t *peer)
{
    //  half of it is forgiven in an hour: a receipt may have passed us by
    while (self->now - peer->owing_since >= 3600000) {
        peer->owing /= 2;
        peer->owing_since += 3600000;
    }
    if (++peer->owing == ROUTE_OWING_MAX)
        peers_offend (self, peer, MESH_NO_RECEIPTS);
}

//  A minute's allowance at once, and it fills evenly.
static bool s_take (bucket_t *bucket, double a_minute, double keep, uint32_t count, int64_t now)
{
    return bucket_take (bucket, a_minute - keep, a_minute / 60, count, now);
}

bool peers_allow_ids (mesh_t *self, peer_t *peer, uint32_t ids)
{
    return s_take (&peer->ids, self->settings.offers, 0, ids, self->now);
}

bool peers_may_offer (mesh_t *self, peer_t *peer, uint32_t ids)
{
    return s_take (&peer->our_ids, self->settings.offers * OFFERS_KEPT, 0, ids, self->now);
}

bool peers_allow_bytes (mesh_t *self, peer_t *peer, uint32_t bytes, uint32_t keep)
{
    return s_take (&peer->bytes, self->settings.tip_bytes, keep, bytes, self->now);
}
