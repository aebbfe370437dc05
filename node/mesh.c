//  mesh - the routing core's face: see mesh.h; decisions are in meshroute.c, words on a link in meshtalk.c

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "mesh_private.h"

#define TICK_MS 1000
#define ACK_WAIT_MS 60000

void mesh_settings_default (mesh_settings_t *settings)
{
    static const uint16_t tokens [MESH_CLASSES] = { 64, 32, 16, 4 };
    mesh_settings_t *s = settings;
    s->buffer_bytes = s->buffer_bytes ? s->buffer_bytes : 4u << 20;
    s->buffer_tips = s->buffer_tips ? s->buffer_tips : 4000;
    for (unsigned cls = 0; cls < MESH_CLASSES; cls++)
        s->tokens [cls] = s->tokens [cls] ? s->tokens [cls] : tokens [cls];
    s->sos_flood = s->sos_flood ? s->sos_flood : 8;
    s->handover_percent = s->handover_percent ? s->handover_percent : 60;
    s->late_percent = s->late_percent ? s->late_percent : 25;
    s->neighbours = s->neighbours ? s->neighbours : 1024;
    s->offers = s->offers ? s->offers : 2000;
    s->tip_bytes = s->tip_bytes ? s->tip_bytes : 4u << 20;
    s->stall_ms = s->stall_ms ? s->stall_ms : 30000;
    s->epoch_bytes = s->epoch_bytes ? s->epoch_bytes : 1u << 20;
}

mesh_t *mesh_new (const mesh_settings_t *settings, const uint8_t key [MESH_KEY], uint64_t seed, int64_t now)
{
    mesh_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->settings = *settings;
    mesh_settings_default (&self->settings);
    memcpy (self->key, key, MESH_KEY);
    self->random = seed;
    self->now = now;
    self->hops = MESHWIRE_NO_HOPS;
    self->touched = INT64_MIN;
    self->pump_at = INT64_MAX;
    tips_init (&self->tips, self->settings.neighbours);
    return self;
}

void mesh_destroy (mesh_t **self_p)
{
    mesh_t *self = *self_p;
    if (!self)
        return;
    tips_clear (&self->tips);
    peers_clear (self);
    epochs_clear (&self->epochs);
    free (self->revoked.bytes);
    for (uint32_t index = 0; index < self->queue_count; index++)
        free (self->queue [(self->queue_first + index) % self->queue_room].bytes);
    free (self->queue);
    free (self->shown.bytes);
    free (self);
    *self_p = NULL;
}

//  splitmix64
uint64_t mesh_random (mesh_t *self)
{
    uint64_t z = self->random += UINT64_C (0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C (0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C (0x94D049BB133111EB);
    return z ^ z >> 31;
}

//  ---- the queue of actions

static queued_t *s_queue (mesh_t *self, mesh_action_kind_t kind)
{
    if (self->queue_count == self->queue_room) {
        uint32_t room = self->queue_room ? self->queue_room * 2 : 16;
        queued_t *queue = malloc (room * sizeof *queue);
        if (!queue)
            abort ();
        for (uint32_t index = 0; index < self->queue_count; index++)
            queue [index] = self->queue [(self->queue_first + index) % self->queue_room];
        free (self->queue);
        self->queue = queue;
        self->queue_room = room;
        self->queue_first = 0;
    }
    queued_t *one = &self->queue [(self->queue_first + self->queue_count++) % self->queue_room];
    one->bytes = NULL;
    one->action = (mesh_action_t){ .kind = kind };
    return one;
}

bool mesh_next_action (mesh_t *self, mesh_action_t *out)
{
    if (self->queue_count == 0)
        return false;
    free (self->shown.bytes);
    self->shown = self->queue [self->queue_first];
    self->queue_first = (self->queue_first + 1) % self->queue_room;
    self->queue_count--;
    *out = self->shown.action;
    out->tip = out->kind == MESH_PUT || out->kind == MESH_UPDATE ? &self->shown.tip : NULL;
    out->mid = self->shown.mid;
    out->key = self->shown.key;
    out->bytes = self->shown.bytes;
    return true;
}

static uint8_t *s_copy (const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc (size ? size : 1);
    if (!copy)
        abort ();
    if (size)
        memcpy (copy, bytes, size);
    return copy;
}

void mesh_tell_bytes (
    mesh_t *self, mesh_action_kind_t kind, uint32_t series, uint32_t number, const uint8_t *bytes, size_t size)
{
    queued_t *one = s_queue (self, kind);
    one->action.series = series;
    one->action.number = number;
    one->action.size = size;
    one->bytes = s_copy (bytes, size);
}

void mesh_tell_frame (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame)
{
    uint8_t bytes [MESHWIRE_FRAME_MAX];
    size_t size = meshwire_encode (bytes, frame);
    mesh_tell_bytes (self, MESH_SEND, 0, 0, bytes, size);
    self->queue [(self->queue_first + self->queue_count - 1) % self->queue_room].action.link = peer->link;
    self->counters.frames_out++;
    self->counters.frame_bytes_out += size;
}

void mesh_tell_tip (mesh_t *self, mesh_action_kind_t kind, const tip_t *tip, mesh_why_t why)
{
    queued_t *one = s_queue (self, kind);
    one->tip = tip->row;
    one->tip.age_ms = self->now - tip->born;
    memcpy (one->mid, tip->row.mid, MESH_MID);
    one->action.why = why;
}

void mesh_tell_link (mesh_t *self, mesh_action_kind_t kind, uint32_t link)
{
    s_queue (self, kind)->action.link = link;
}

void mesh_tell_offence (mesh_t *self, const peer_t *peer, mesh_offence_t offence)
{
    queued_t *one = s_queue (self, MESH_OFFENCE);
    memcpy (one->key, peer->key, MESH_KEY);
    one->action.link = peer->link;
    one->action.offence = offence;
}

//  ---- tips come and go

//  What changes with every tip: the digest that beacons show, the counters.
static void s_count (mesh_t *self, const tip_t *tip, int sign)
{
    const mesh_tip_t *row = &tip->row;
    self->digest ^= tip->digest;
    if (tip->from) {
        tip->from->bytes_stored += (uint64_t)(sign * (int64_t)row->size);
        if (row->hops == 1)
            tip->from->own_bytes_stored += (uint64_t)(sign * (int64_t)row->size);
    }
}

void mesh_end_tip (mesh_t *self, tip_t *tip, mesh_why_t why, const uint8_t *single)
{
    uint8_t mid [MESH_MID];
    memcpy (mid, tip->row.mid, MESH_MID);
    switch (why) {
    case MESH_GONE_RECEIPT:
        self->counters.receipted++;
        if (tip->given && tip->given->owing)
            tip->given->owing--;
        break;
    case MESH_GONE_EXPIRED:
        self->counters.expired++;
        break;
    case MESH_GONE_EVICTED:
        self->counters.evicted++;
        break;
    case MESH_GONE_WITHDRAWN:
        break;
    }
    if (tip->row.own && why == MESH_GONE_RECEIPT)
        mesh_tell_tip (self, MESH_ACCEPTED, tip, why);
    mesh_tell_tip (self, MESH_ERASE, tip, why);
    //  the word goes back to whoever brought it, if he is still there
    if (single && tip->from && tip->from->talk)
        talk_single (self, tip->from, mid, single);
    s_count (self, tip, -1);
    tips_remember (&self->tips, mid, single, why == MESH_GONE_EVICTED);
    tips_remove (&self->tips, tip);
}

static tip_t *s_add (mesh_t *self, const mesh_tip_t *row, peer_t *from, int64_t now)
{
    bool flood = route_floods (self, row);
    tip_t *tip = tips_add (&self->tips, row, now);
    tip->flood = flood;
    tip->digest = row->cls == 0 ? meshwire_digest (row->mid) : 0;
    tip->from = from;
    s_count (self, tip, 1);
    return tip;
}

static bool s_fits (const mesh_tip_t *row)
{
    return row->cls < MESH_CLASSES && row->size > 0 && row->life_s > 0 && row->age_ms >= 0
        && row->age_ms < (int64_t)row->life_s * 1000;
}

static void s_submit (mesh_t *self, tip_t *tip)
{
    if (!self->gateway || tip->submitted || tip->storing || tip->accepted)
        return;
    tip->submitted = true;
    self->counters.submitted++;
    mesh_tell_tip (self, MESH_SUBMIT, tip, 0);
}

int mesh_restore_tip (mesh_t *self, const mesh_tip_t *row, int64_t now)
{
    self->now = now;
    if (!s_fits (row) || tips_find (&self->tips, row->mid))
        return -1;
    static const uint8_t nobody [MESH_KEY];
    peer_t *from = memcmp (row->from, nobody, MESH_KEY) ? peers_get (self, row->from) : NULL;
    s_add (self, row, from, now);
    return 0;
}

int mesh_restore_epoch (mesh_t *self, const uint8_t *bytes, size_t size, int64_t now)
{
    self->now = now;
    return epochs_add (self, bytes, size, true) == EPOCH_NEW ? 0 : -1;
}

int mesh_restore_revocations (mesh_t *self, uint32_t number, const uint8_t *bytes, size_t size)
{
    if (number == 0 || size == 0 || size > MESHWIRE_REVOKED_MAX)
        return -1;
    free (self->revoked.bytes);
    self->revoked.bytes = s_copy (bytes, size);
    self->revoked.size = size;
    self->revoked.number = number;
    return 0;
}

int mesh_own (mesh_t *self, const mesh_tip_t *tip, int64_t now)
{
    self->now = now;
    mesh_tip_t row = *tip;
    row.own = true;
    row.hops = 0;
    row.best = MESHWIRE_UNKNOWN;
    memset (row.from, 0, sizeof row.from);
    if (!s_fits (&row) || tips_find (&self->tips, row.mid))
        return -1;
    row.tokens = self->settings.tokens [row.cls];
    route_room (self, UINT64_MAX, row.size, true);
    tip_t *one = s_add (self, &row, NULL, now);
    s_submit (self, one);
    talk_dirty (self);
    talk_pump (self, now);
    return 0;
}

void mesh_withdraw (mesh_t *self, const uint8_t mid [MESH_MID], int64_t now)
{
    self->now = now;
    tip_t *tip = tips_find (&self->tips, mid);
    if (tip)
        mesh_end_tip (self, tip, MESH_GONE_WITHDRAWN, NULL);
}

//  ---- the broker, the position

void mesh_broker_up (mesh_t *self, int64_t now)
{
    self->now = now;
    self->gateway = true;
    tip_t **sorted = tips_by_arrival (&self->tips);
    for (uint32_t index = 0; index < self->tips.count; index++) {
        sorted [index]->submitted = false;
        s_submit (self, sorted [index]);
    }
    free (sorted);
    route_refresh (self, now);
}

void mesh_broker_down (mesh_t *self, int64_t now)
{
    self->now = now;
    self->gateway = false;
    if (route_refresh (self, now))
        talk_dirty (self);
    talk_pump (self, now);
}

void mesh_accepted (mesh_t *self, const uint8_t mid [MESH_MID], const uint8_t *single, int64_t now)
{
    self->now = now;
    tip_t *tip = tips_find (&self->tips, mid);
    if (tip && single)
        mesh_end_tip (self, tip, MESH_GONE_RECEIPT, single);
    else if (tip)
        tip->accepted = true;
    else
        tips_remember (&self->tips, mid, single, false);
}

int mesh_epoch_in (mesh_t *self, const uint8_t *bytes, size_t size, int64_t now)
{
    self->now = now;
    int rc = talk_epoch_in (self, NULL, bytes, size, now);
    talk_pump (self, now);
    return rc;
}

int mesh_revocations_in (mesh_t *self, uint32_t number, const uint8_t *bytes, size_t size, int64_t now)
{
    self->now = now;
    return talk_revoked_in (self, NULL, number, bytes, size, now);
}

void mesh_position (mesh_t *self, int32_t lat_e7, int32_t lon_e7, int64_t now)
{
    self->now = now;
    meshplace_fix (&self->place, lat_e7, lon_e7, now);
    if (self->gateway)
        meshplace_learn_own (&self->place, now);
}

//  ---- links

void mesh_link_up (mesh_t *self, uint32_t link, const uint8_t key [MESH_KEY], const uint8_t *beacon, int64_t now)
{
    self->now = now;
    assert (!peers_by_link (self, link));
    peer_t *peer = peers_get (self, key);
    if (peer->talk)
        return; //  one link a pair: the caller's mistake is harmless
    peers_link (self, peer, link);
    meshwire_state_t state;
    peer->state_known = false;
    peer->met = now;
    peer->talk->hear_hello = !beacon;
    if (beacon && meshwire_state_decode (&state, beacon) == 0)
        talk_heard (self, peer, &state, true, now);
    talk_begin (self, peer, now);
    talk_pump (self, now);
}

void mesh_link_down (mesh_t *self, uint32_t link, int64_t now)
{
    self->now = now;
    peer_t *peer = peers_by_link (self, link);
    if (!peer)
        return;
    talk_end (self, peer);
    peers_unlink (self, peer);
    peer->met = now;
    if (route_refresh (self, now))
        talk_dirty (self);
    talk_pump (self, now);
}

void mesh_beacon (mesh_t *self, uint8_t out [MESH_BEACON], int64_t now)
{
    self->now = now;
    meshwire_state_t state;
    talk_state (self, &state, now);
    meshwire_state_encode (out, &state);
}

void mesh_beacon_in (mesh_t *self, uint32_t link, const uint8_t beacon [MESH_BEACON], int64_t now)
{
    self->now = now;
    peer_t *peer = peers_by_link (self, link);
    meshwire_state_t state;
    if (!peer || meshwire_state_decode (&state, beacon) < 0)
        return;
    talk_heard (self, peer, &state, false, now);
    talk_pump (self, now);
}

mesh_link_worth_t mesh_link_worth (mesh_t *self, const uint8_t beacon [MESH_BEACON], int64_t now)
{
    self->now = now;
    meshwire_state_t state;
    if (meshwire_state_decode (&state, beacon) < 0)
        return MESH_LINK_IDLE;
    if (!state.has_work && !self->tips.count && !epochs_ahead (&self->epochs, &state, 0, &(uint32_t){ 0 }, &(uint16_t){ 0 }))
        return MESH_LINK_IDLE;
    return route_nearer (self, &state, now) ? MESH_LINK_NEARER : MESH_LINK_USEFUL;
}

void mesh_offend (mesh_t *self, uint32_t link, mesh_offence_t offence, int64_t now)
{
    self->now = now;
    peer_t *peer = peers_by_link (self, link);
    if (peer)
        peers_offend (self, peer, offence);
}

int mesh_frame_in (mesh_t *self, uint32_t link, const uint8_t *bytes, size_t size, int64_t now)
{
    self->now = now;
    peer_t *peer = peers_by_link (self, link);
    if (!peer)
        return -1;
    self->counters.frames_in++;
    self->counters.frame_bytes_in += size;
    meshwire_frame_t frame;
    if (meshwire_decode (&frame, bytes, size) < 0) {
        peers_offend (self, peer, MESH_BAD_FRAME);
        return -1;
    }
    int rc = talk_frame (self, peer, &frame, now);
    talk_pump (self, now);
    return rc;
}

//  ---- transfers

bool mesh_next_tip (mesh_t *self, uint32_t link, mesh_outgoing_t *out, int64_t now)
{
    self->now = now;
    peer_t *peer = peers_by_link (self, link);
    if (!peer || peer->talk->sending || peer->talk->flight_count == MESH_ACKS)
        return false;
    talk_t *talk = peer->talk;
    tip_t *best = NULL;
    route_t best_route = { ROUTE_NONE, 0, false, UINT64_MAX };
    for (uint32_t index = talk->wanted_count; index-- > 0;) {
        tip_t *tip = tips_find (&self->tips, talk->wanted [index].mid);
        route_t route = { ROUTE_NONE, 0, false, 0 };
        if (tip) {
            tip->offered -= tip->offered > 0; //  this want does not count against itself
            route = route_promised (self, tip, peer, now);
            tip->offered++;
        }
        if (route.kind == ROUTE_NONE) {
            if (tip && tip->offered)
                tip->offered--;
            self->freed = true;
            talk_tell_gone (self, peer, talk->wanted [index].id);
            talk->wanted [index] = talk->wanted [--talk->wanted_count];
        } else if (!best || route_goes_before (route.rank, tip, best_route.rank, best)) {
            best = tip;
            best_route = route;
        }
    }
    if (!best)
        return false;
    memcpy (out->mid, best->row.mid, MESH_MID);
    out->rank = best_route.rank;
    out->size = best->row.size;
    meshwire_head_t head = { .hops = best->row.hops,
        .tokens = best_route.tokens,
        .best = route_best (self, best, now),
        .age_ds = (uint32_t)((now - best->born) / 100) };
    meshwire_head_encode (out->head, &head);
    return true;
}

void mesh_sending (mesh_t *self, uint32_t link, const uint8_t mid [MESH_MID], int64_t now)
{
    self->now = now;
    peer_t *peer = peers_by_link (self, link);
    tip_t *tip = tips_find (&self->tips, mid);
    if (!peer || !tip)
        return;
    talk_t *talk = peer->talk;
    uint32_t at = 0;
    while (at < talk->wanted_count && memcmp (talk->wanted [at].mid, mid, MESH_MID) != 0)
        at++;
    assert (at < talk->wanted_count);
    promise_t promise = talk->wanted [at];
    talk->wanted [at] = talk->wanted [--talk->wanted_count];
    tip->offered -= tip->offered > 0;
    route_t route = route_promised (self, tip, peer, now);
    assert (talk->flight_count < MESH_ACKS);
    flight_t *flight = &talk->flights [talk->flight_count++];
    *flight = (flight_t){ .tip = promise, .tokens = route.tokens, .deadline = now + ACK_WAIT_MS, .handed = route.handed };
    tip->lent += route.tokens;
    tip->busy++;
    talk->sending = true;
}

void mesh_sent (mesh_t *self, uint32_t link, const uint8_t mid [MESH_MID], bool whole, int64_t now)
{
    self->now = now;
    peer_t *peer = peers_by_link (self, link);
    if (!peer || !peer->talk->sending)
        return;
    talk_t *talk = peer->talk;
    talk->sending = false;
    if (!whole)
        talk_unsent (self, peer, mid);
    else if (talk->wanted_count)
        mesh_tell_link (self, MESH_READY, link);
}

static mesh_verdict_t s_tip_in (
    mesh_t *self, peer_t *peer, const uint8_t head_bytes [MESH_HEAD], const mesh_facts_t *facts, int64_t now)
{
    meshwire_head_t head;
    if (meshwire_head_decode (&head, head_bytes) < 0) {
        peers_offend (self, peer, MESH_BAD_FRAME);
        return MESH_REFUSED;
    }
    uint32_t offered;
    if (!talk_take_request (self, peer, facts->mid, &offered)) {
        peers_offend (self, peer, MESH_UNASKED_TIP);
        return MESH_REFUSED;
    }
    //  what was offered was counted when it was asked for
    if (facts->size > offered && !peers_allow_bytes (self, peer, facts->size - offered, 0)) {
        peers_offend (self, peer, MESH_TOO_MANY_TIPS);
        talk_ack (self, peer, facts->mid, MESHWIRE_REFUSED);
        return MESH_REFUSED;
    }
    tip_t *tip = tips_find (&self->tips, facts->mid);
    seen_t *seen = tips_seen (&self->tips, facts->mid);
    if (tip || (seen && !seen->evicted) || epochs_name (&self->epochs, facts->mid, facts->cls == 0)) {
        if (tip)
            tips_set_known (tip, peer->slot);
        self->counters.tips_had++;
        self->counters.tip_bytes_had += facts->size;
        talk_ack (self, peer, facts->mid, MESHWIRE_HAD);
        return MESH_HAVE;
    }
    mesh_tip_t row = { .cls = facts->cls,
        .size = facts->size,
        .life_s = facts->life_s,
        .age_ms = (int64_t)head.age_ds * 100,
        .hops = head.hops < 255 ? head.hops + 1 : 255,
        .best = peer->state_known && peer->state.utility < head.best ? peer->state.utility : head.best };
    memcpy (row.mid, facts->mid, MESH_MID);
    memcpy (row.origin, facts->origin, MESH_ORIGIN);
    memcpy (row.from, peer->key, MESH_KEY);
    if (!s_fits (&row)) {
        talk_ack (self, peer, facts->mid, MESHWIRE_REFUSED);
        return MESH_REFUSED;
    }
    //  nobody gives more than half of what a source has
    uint32_t most = self->settings.tokens [row.cls] / 2;
    row.tokens = head.tokens;
    if (head.tokens > most) {
        peers_offend (self, peer, MESH_MINTED_TOKENS);
        row.tokens = (uint16_t)most;
    }
    bool flood = route_floods (self, &row);
    copy_t copy = route_copy (&row, peer, flood);
    if (!route_room (self, route_worth (self, &copy), row.size, true)) {
        talk_ack (self, peer, facts->mid, MESHWIRE_FULL);
        return MESH_FULL;
    }
    tip = s_add (self, &row, peer, now);
    tip->storing = true;
    tips_set_known (tip, peer->slot);
    peer->tips_in++;
    self->counters.tips_in++;
    self->counters.tip_bytes_in += row.size;
    talk_have (self, peer, tip);
    mesh_tell_tip (self, MESH_PUT, tip, 0);
    return MESH_TAKEN;
}

mesh_verdict_t mesh_tip_in (
    mesh_t *self, uint32_t link, const uint8_t head [MESH_HEAD], const mesh_facts_t *facts, int64_t now)
{
    self->now = now;
    peer_t *peer = peers_by_link (self, link);
    mesh_verdict_t verdict = peer ? s_tip_in (self, peer, head, facts, now) : MESH_REFUSED;
    talk_answer_held (self, now);
    return verdict;
}

void mesh_stored (mesh_t *self, const uint8_t mid [MESH_MID], bool ok, int64_t now)
{
    self->now = now;
    tip_t *tip = tips_find (&self->tips, mid);
    if (!tip || !tip->storing)
        return;
    tip->storing = false;
    if (!ok) {
        s_count (self, tip, -1);
        tips_remove (&self->tips, tip);
        return;
    }
    if (tip->from && tip->from->talk)
        talk_ack (self, tip->from, mid, MESHWIRE_STORED);
    s_submit (self, tip);
    talk_dirty (self);
    talk_pump (self, now);
}

void mesh_bad_tip (mesh_t *self, uint32_t link, int64_t now)
{
    self->now = now;
    peer_t *peer = peers_by_link (self, link);
    if (peer)
        peers_offend (self, peer, MESH_BAD_TIP);
}

int64_t mesh_tick (mesh_t *self, int64_t now)
{
    self->now = now;
    if (now < self->tick_at) {
        if (now >= self->pump_at)
            talk_pump (self, now);
        return self->pump_at < self->tick_at ? self->pump_at : self->tick_at;
    }
    for (uint32_t index = self->tips.count; index-- > 0;) {
        tip_t *tip = self->tips.items [index];
        if (now - tip->born >= (int64_t)tip->row.life_s * 1000)
            mesh_end_tip (self, tip, MESH_GONE_EXPIRED, NULL);
        else if (tip->hush_until && now >= tip->hush_until) {
            tip->hush_until = 0;
            talk_dirty (self);
        } else if (route_turns_late (self, tip, now - TICK_MS, now))
            talk_dirty (self);
    }
    for (uint32_t index = 0; index < self->peers.linked_count; index++)
        talk_tick (self, self->peers.linked [index], now);
    talk_next_ask (self, now);
    if (self->freed)
        talk_dirty (self);
    self->freed = false;
    talk_pump (self, now);
    self->tick_at = now + TICK_MS;
    return self->pump_at < self->tick_at ? self->pump_at : self->tick_at;
}

//  ---- what there is to see

void mesh_counters (mesh_t *self, mesh_counters_t *out, int64_t now)
{
    self->now = now;
    *out = self->counters;
    out->bytes_held = self->tips.bytes;
    for (uint32_t index = 0; index < self->tips.count; index++) {
        const tip_t *tip = self->tips.items [index];
        out->own += tip->row.own;
        out->held [tip->row.cls] += !tip->row.own;
        out->passive += !tip->row.own && route_passive (self, tip, now);
    }
    out->epochs = self->epochs.count;
    out->epoch_series = self->epochs.series;
    out->epoch_newest = self->epochs.newest;
    out->epochs_missing = epochs_missing (&self->epochs);
    out->revocations = self->revoked.number;
    out->gateway = self->gateway;
    out->hops = self->hops;
    out->utility_s = route_utility (self, now);
}

bool mesh_neighbour (mesh_t *self, size_t index, mesh_neighbour_t *out)
{
    const peers_t *peers = &self->peers;
    if (index >= peers->count)
        return false;
    const peer_t *peer = NULL;
    if (index < peers->linked_count)
        peer = peers->linked [index];
    else
        for (size_t at = 0, others = index - peers->linked_count + 1; others > 0; at++) {
            peer = peers->items [at];
            others -= !peer->talk;
        }
    *out = (mesh_neighbour_t){ .linked = peer->talk != NULL,
        .link = peer->link,
        .hops = peer->state_known ? peer->state.hops : MESHWIRE_NO_HOPS,
        .utility_s = peer->state_known ? meshwire_seconds (peer->state.utility) : UINT32_MAX,
        .bytes_stored = peer->bytes_stored,
        .tips_in = peer->tips_in,
        .tips_out = peer->tips_out,
        .owing = peer->owing,
        .met = peer->met };
    memcpy (out->key, peer->key, MESH_KEY);
    memcpy (out->offences, peer->offences, sizeof out->offences);
    return true;
}

bool mesh_tip (mesh_t *self, size_t index, mesh_tip_t *out, int64_t now)
{
    if (index >= self->tips.count)
        return false;
    *out = self->tips.items [index]->row;
    out->age_ms = now - self->tips.items [index]->born;
    return true;
}
