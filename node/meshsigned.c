//  meshsigned - the broker's signed words on a link: receipts, asked of one neighbour at a time so that each comes once, and the list of
//  revoked devices

#include <stdlib.h>
#include <string.h>
#include "mesh_private.h"
#include "meshreceipt.h"

#define HOLD_MS 2000     //  for receipts that the neighbour has and we lack
#define ASK_WAIT_MS 5000 //  then another neighbour is asked, too

static void s_send_epoch (mesh_t *self, peer_t *peer, const epoch_t *epoch)
{
    mesh_tell_frame (self, peer, &(meshwire_frame_t){ .type = MESHWIRE_EPOCH, .bytes = epoch->bytes, .size = epoch->size });
}

static void s_ask (mesh_t *self, peer_t *peer, int64_t now)
{
    talk_t *talk = peer->talk;
    uint32_t first;
    uint16_t mask;
    bool waiting = talk->asked && talk->asked_series == self->epochs.series;
    if (talk->asked_series != self->epochs.series)
        talk->first_there = 0;
    if (!epochs_ahead (&self->epochs, &peer->state, talk->first_there, &first, &mask) || talk->asks_in_vain) {
        talk->hold_until = 0;
        return;
    }
    if (!talk->hold_until)
        talk->hold_until = now + HOLD_MS;
    if (self->asking || waiting || !mask)
        return;
    self->asking = peer;
    talk->asked_series = self->epochs.series;
    talk->asked_first = first;
    talk->asked = mask;
    talk->skipped = 0;
    self->asked_last = peer;
    talk->asked_until = now + ASK_WAIT_MS;
    talk->asked_deadline = now + self->settings.stall_ms;
    mesh_tell_frame (self, peer, &(meshwire_frame_t){ .type = MESHWIRE_ASK, .number = first, .mask = mask });
}

void talk_tick_asked (mesh_t *self, peer_t *peer, int64_t now)
{
    talk_t *talk = peer->talk;
    if (self->asking == peer && talk->asked_until <= now)
        self->asking = NULL;
    if (talk->asked && talk->asked_deadline <= now) {
        talk->asked = 0;
        if (talk->asked_series == self->epochs.series) {
            talk->asks_in_vain = true; //  for as long as this link lasts
            peers_offend (self, peer, MESH_STALLED);
        }
    }
}

void talk_next_ask (mesh_t *self, int64_t now)
{
    const peers_t *peers = &self->peers;
    uint32_t last = 0;
    while (last < peers->linked_count && peers->linked [last] != self->asked_last)
        last++;
    for (uint32_t index = 1; index <= peers->linked_count && !self->asking; index++) {
        peer_t *peer = peers->linked [(last + index) % peers->linked_count];
        if (peer->state_known)
            s_ask (self, peer, now);
    }
}

//  In order. Who has forgotten all that was asked for says so with the first that he has.
int talk_ask_in (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame)
{
    const epoch_t *forgotten = epochs_from (&self->epochs, frame->number);
    for (uint32_t bit = 0; bit < MESHWIRE_MASK; bit++) {
        const epoch_t *epoch = frame->mask >> bit & 1 ? epochs_find (&self->epochs, frame->number + bit) : NULL;
        if (epoch) {
            s_send_epoch (self, peer, epoch);
            forgotten = NULL;
        }
    }
    if (forgotten)
        s_send_epoch (self, peer, forgotten);
    return 0;
}

//  To a neighbour that knows another series or none: one epoch tells which is newer.
static void s_show_series (mesh_t *self, peer_t *peer)
{
    const epochs_t *epochs = &self->epochs;
    talk_t *talk = peer->talk;
    if (!peer->state_known || !epochs->count || peer->state.series == (uint8_t)epochs->series
        || talk->shown_series == epochs->series)
        return;
    talk->shown_series = epochs->series;
    s_send_epoch (self, peer, &epochs->items [epochs->count - 1]);
}

void talk_epochs (mesh_t *self, peer_t *peer, int64_t now)
{
    talk_t *talk = peer->talk;
    if (!peer->state_known)
        return;
    s_show_series (self, peer);
    s_ask (self, peer, now);
    if (self->revoked.number && peer->state.revocations != (uint8_t)self->revoked.number
        && talk->sent_revocations != self->revoked.number) {
        talk->sent_revocations = self->revoked.number;
        mesh_tell_frame (self, peer,
            &(meshwire_frame_t){ .type = MESHWIRE_REVOKED,
                .number = self->revoked.number,
                .bytes = self->revoked.bytes,
                .size = self->revoked.size });
    }
}

static void s_purge (mesh_t *self, const uint8_t *bytes, size_t size)
{
    for (uint32_t index = self->tips.count; index-- > 0;) {
        if (index >= self->tips.count)
            continue;
        tip_t *tip = self->tips.items [index];
        if (epochs_name (
                &(epochs_t){ .items = &(epoch_t){ .bytes = (uint8_t *)(uintptr_t)bytes, .size = size }, .count = 1 },
                tip->row.mid, tip->row.cls == 0))
            mesh_end_tip (self, tip, MESH_GONE_RECEIPT, NULL);
    }
}

//  Whether this neighbour was asked for it, or has nothing before it of what it was asked for: they come in order.
static bool s_take_asked (mesh_t *self, peer_t *peer, const meshreceipt_epoch_t *head, int64_t now)
{
    talk_t *talk = peer->talk;
    uint32_t bit = head->number - talk->asked_first;
    if (head->series != talk->asked_series || head->number < talk->asked_first)
        return false;
    //  it had only shown its newest before it heard the question
    if (bit < MESHWIRE_MASK && talk->skipped >> bit & 1) {
        talk->skipped &= (uint16_t) ~(1u << bit);
        talk->first_there = 0;
        return true;
    }
    uint32_t before = bit < MESHWIRE_MASK ? (1u << bit) - 1 : UINT16_MAX, to_it = before << 1 | 1;
    if (!(talk->asked & to_it))
        return false;
    if (talk->asked & before)
        talk->first_there = head->number;
    talk->skipped |= talk->asked & before;
    talk->asked &= (uint16_t)~to_it;
    talk_goes_on (self, talk);
    if (self->asking == peer && !talk->asked) {
        self->asking = NULL;
        talk_next_ask (self, now);
    }
    return true;
}

//  Our state as this neighbour knows it may be old: it may show one epoch of its series, and of each newer one.
static bool s_take_shown (peer_t *peer, const meshreceipt_epoch_t *head)
{
    if (head->series <= peer->talk->seen_series)
        return false;
    peer->talk->seen_series = head->series;
    return true;
}

int talk_epoch_in (mesh_t *self, peer_t *from, const uint8_t *bytes, size_t size, int64_t now)
{
    meshreceipt_epoch_t head;
    epoch_result_t result = EPOCH_BAD;
    if (self->settings.epoch_valid && self->settings.epoch_valid (self->settings.arg, bytes, size)
        && meshreceipt_epoch_parse (&head, bytes, size) == 0)
        result = epochs_add (self, bytes, size, false);
    if (result == EPOCH_BAD) {
        if (from)
            peers_offend (self, from, MESH_FORGED_EPOCH);
        return -1;
    }
    bool expected = !from || s_take_asked (self, from, &head, now) || s_take_shown (from, &head);
    if (result != EPOCH_NEW) {
        if (!expected)
            peers_offend (self, from, MESH_REPLAYED_EPOCH);
        return 0;
    }
    s_purge (self, bytes, size);
    //  who is linked all the while hears of a first one, too
    for (uint32_t index = 0; index < self->peers.linked_count; index++)
        if (self->peers.linked [index] != from)
            s_show_series (self, self->peers.linked [index]);
    return 0;
}

int talk_revoked_in (mesh_t *self, peer_t *from, uint32_t number, const uint8_t *bytes, size_t size, int64_t now)
{
    if (number <= self->revoked.number)
        return 0;
    if (size == 0 || size > MESHWIRE_REVOKED_MAX || !self->settings.revocations_valid
        || !self->settings.revocations_valid (self->settings.arg, number, bytes, size)) {
        if (from)
            peers_offend (self, from, MESH_FORGED_EPOCH);
        return -1;
    }
    uint8_t *copy = malloc (size);
    if (!copy)
        abort ();
    memcpy (copy, bytes, size);
    free (self->revoked.bytes);
    self->revoked.bytes = copy;
    self->revoked.size = size;
    self->revoked.number = number;
    mesh_tell_bytes (self, MESH_KEEP_REVOKED, 0, number, bytes, size);
    for (uint32_t index = 0; index < self->peers.linked_count; index++)
        if (self->peers.linked [index] != from)
            talk_epochs (self, self->peers.linked [index], now);
    return 0;
}

void talk_single (mesh_t *self, peer_t *peer, const uint8_t mid [MESH_MID], const uint8_t *single)
{
    meshwire_salt_t salt = meshwire_salt (self->key, peer->key, 0);
    mesh_tell_frame (
        self, peer, &(meshwire_frame_t){ .type = MESHWIRE_ONE, .id = meshwire_short (&salt, mid), .single = single });
}

int talk_one_in (mesh_t *self, peer_t *peer, const meshwire_frame_t *frame)
{
    meshwire_salt_t salt = meshwire_salt (peer->key, self->key, 0);
    for (uint32_t index = 0; index < self->tips.count; index++) {
        tip_t *tip = self->tips.items [index];
        if (meshwire_short (&salt, tip->row.mid) != frame->id)
            continue;
        if (!self->settings.single_valid || !self->settings.single_valid (self->settings.arg, frame->single, tip->row.mid)) {
            peers_offend (self, peer, MESH_FORGED_EPOCH);
            return -1;
        }
        uint8_t single [MESHWIRE_SINGLE];
        memcpy (single, frame->single, sizeof single);
        mesh_end_tip (self, tip, MESH_GONE_RECEIPT, single);
        return 0;
    }
    return 0; //  dropped before
}
