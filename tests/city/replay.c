//  replay - see replay.h

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "meshreceipt.h"
#include "replay.h"

//  At one instant: tips are written, transfers end, contacts end, contacts begin, then the rest.
typedef enum { EV_TIP, EV_SENT, EV_DOWN, EV_UP, EV_FIX, EV_BROKER, EV_BEACON, EV_TICK } event_kind_t;

typedef struct {
    int64_t ms;
    event_kind_t kind;
    uint32_t a, b;
    uint64_t order;
} event_t;

//  A pair's link; its index is the link number on both sides.
typedef struct {
    uint32_t node [2];
    bool up, ready [2];
    uint32_t serial; //  transfers begun, so that the end of a cut one is known
    bool moving;     //  a transfer runs
    unsigned side;   //  from node [side]
    mesh_outgoing_t tip;
    int64_t begun;
} contact_t;

typedef struct {
    mesh_t *mesh;
    uint8_t key [MESH_KEY];
    bool busy, look;
    uint32_t *contacts; //  that are up
    uint32_t contact_count, contact_room;
    uint8_t beacon [MESH_BEACON]; //  last one told
    uint8_t *knows;               //  bit per message: that a broker has it
} node_t;

typedef struct {
    uint32_t contact;
    unsigned to;
    uint32_t size;
    uint8_t *bytes;
} letter_t;

typedef struct {
    uint8_t mid [MESH_MID];
    uint32_t message;
} by_mid_t;

typedef struct {
    uint32_t first, count; //  of accepted [], which are in epoch order
    uint8_t *bytes;
    size_t size;
    int64_t closed;
} signed_t;

typedef struct {
    const trace_t *trace;
    const replay_settings_t *settings;
    replay_result_t *result;
    FILE *log;
    int64_t now;
    node_t *nodes;
    contact_t *contacts;
    uint32_t contact_count, contact_room;
    uint32_t *pairs; //  hash of (a, b) -> contact + 1
    uint32_t pair_mask;
    event_t *heap;
    size_t heap_count, heap_room;
    uint64_t order;
    letter_t *letters;
    uint32_t letter_first, letter_count, letter_room;
    by_mid_t *by_mid;
    uint8_t (*mids) [MESH_MID];
    bool *accepted;     //  by message
    uint32_t *in_epoch; //  accepted messages in order
    uint32_t accepted_count, signed_upto;
    signed_t *epochs;
    uint32_t epoch_count;
    int64_t close_at;
    uint8_t public [MESHRECEIPT_KEY], secret [MESHRECEIPT_SECRET];
    uint32_t *looks; //  nodes to look at again
    uint32_t look_count;
} replay_t;

static void *s_more (void *items, uint32_t *room, uint32_t count, size_t size)
{
    if (count < *room)
        return items;
    *room = *room ? *room * 2 : 16;
    items = realloc (items, *room * size);
    if (!items)
        abort ();
    return items;
}

static void *s_zalloc (size_t count, size_t size)
{
    void *memory = calloc (count ? count : 1, size);
    if (!memory)
        abort ();
    return memory;
}

//  ---- events

static bool s_before (const event_t *left, const event_t *right)
{
    if (left->ms != right->ms)
        return left->ms < right->ms;
    if (left->kind != right->kind)
        return left->kind < right->kind;
    return left->order < right->order;
}

static void s_at (replay_t *self, int64_t ms, event_kind_t kind, uint32_t a, uint32_t b)
{
    if (self->heap_count == self->heap_room) {
        self->heap_room = self->heap_room ? self->heap_room * 2 : 1024;
        self->heap = realloc (self->heap, self->heap_room * sizeof *self->heap);
        if (!self->heap)
            abort ();
    }
    event_t event = { ms, kind, a, b, self->order++ };
    size_t at = self->heap_count++;
    while (at > 0 && s_before (&event, &self->heap [(at - 1) / 2])) {
        self->heap [at] = self->heap [(at - 1) / 2];
        at = (at - 1) / 2;
    }
    self->heap [at] = event;
}

static event_t s_next (replay_t *self)
{
    event_t first = self->heap [0], last = self->heap [--self->heap_count];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < self->heap_count) {
        if (child + 1 < self->heap_count && s_before (&self->heap [child + 1], &self->heap [child]))
            child++;
        if (!s_before (&self->heap [child], &last))
            break;
        self->heap [at] = self->heap [child];
        at = child;
    }
    self->heap [at] = last;
    return first;
}

//  ---- names

static int s_by_mid (const void *left, const void *right)
{
    return memcmp (left, right, MESH_MID);
}

static uint32_t s_message (const replay_t *self, const uint8_t mid [MESH_MID])
{
    const by_mid_t *found = bsearch (mid, self->by_mid, self->trace->message_count, sizeof *self->by_mid, s_by_mid);
    assert (found);
    return found->message;
}

static uint32_t *s_pair (replay_t *self, uint32_t a, uint32_t b)
{
    uint64_t mix = ((uint64_t)a << 32 | b) * UINT64_C (0x9E3779B97F4A7C15);
    uint32_t at = (uint32_t)(mix >> 32) & self->pair_mask;
    while (self->pairs [at]) {
        const contact_t *contact = &self->contacts [self->pairs [at] - 1];
        if (contact->node [0] == a && contact->node [1] == b)
            break;
        at = (at + 1) & self->pair_mask;
    }
    return &self->pairs [at];
}

static contact_t *s_contact (replay_t *self, uint32_t a, uint32_t b)
{
    uint32_t *place = s_pair (self, a, b);
    if (!*place) {
        if ((self->contact_count + 1) * 2 > self->pair_mask) {
            uint32_t *old = self->pairs;
            self->pair_mask = self->pair_mask * 2 + 1;
            self->pairs = s_zalloc ((size_t)self->pair_mask + 1, sizeof *self->pairs);
            for (uint32_t index = 0; index < self->contact_count; index++)
                *s_pair (self, self->contacts [index].node [0], self->contacts [index].node [1]) = index + 1;
            free (old);
            place = s_pair (self, a, b);
        }
        self->contacts = s_more (self->contacts, &self->contact_room, self->contact_count, sizeof *self->contacts);
        self->contacts [self->contact_count] = (contact_t){ .node = { a, b } };
        *place = ++self->contact_count;
    }
    return &self->contacts [*place - 1];
}

//  ---- the log

#define LOG(self, ...)                                                                                       \
    do {                                                                                                     \
        if ((self)->log) {                                                                                   \
            fprintf ((self)->log, "%lld.%03d ", (long long)((self)->now / 1000), (int)((self)->now % 1000)); \
            fprintf ((self)->log, __VA_ARGS__);                                                              \
        }                                                                                                    \
    } while (0)

static void s_learn (replay_t *self, uint32_t number, uint32_t message)
{
    node_t *node = &self->nodes [number];
    if (node->knows [message / 8] >> (message % 8) & 1)
        return;
    node->knows [message / 8] |= (uint8_t)(1u << message % 8);
    LOG (self, "ack %s %u\n", self->trace->messages [message].id, number);
}

//  ---- the broker: durable at once, gateways know at once

static void s_perform (replay_t *self, uint32_t number);

static void s_close_epoch (replay_t *self)
{
    while (self->signed_upto < self->accepted_count) {
        signed_t *one = &self->epochs [self->epoch_count];
        one->first = self->signed_upto;
        one->count = self->accepted_count - self->signed_upto;
        if (one->count > self->settings->epoch_ids)
            one->count = self->settings->epoch_ids;
        one->closed = self->now;
        uint8_t (*mids) [MESH_MID] = s_zalloc (one->count, MESH_MID);
        bool *sos = s_zalloc (one->count, sizeof *sos);
        for (uint32_t index = 0; index < one->count; index++) {
            uint32_t message = self->in_epoch [one->first + index];
            memcpy (mids [index], self->mids [message], MESH_MID);
            sos [index] = self->trace->messages [message].cls == 0;
        }
        int64_t longest = 0;
        for (size_t index = 0; index < self->trace->message_count; index++)
            if (self->trace->messages [index].life_ms > longest)
                longest = self->trace->messages [index].life_ms;
        meshreceipt_epoch_t head
            = { .series = 1, .number = self->epoch_count + 1, .oldest = 1, .closed_s = (uint32_t)(self->now / 1000) };
        while (self->epochs [head.oldest - 1].closed + longest < self->now)
            head.oldest++;
        uint8_t salt [8] = { 0 };
        memcpy (salt, &head.number, sizeof head.number);
        one->bytes = s_zalloc (1, MESHRECEIPT_EPOCH_MAX);
        one->size = meshreceipt_epoch_sign (
            one->bytes, &head, salt, (const uint8_t (*) [MESH_MID])mids, sos, one->count, self->secret);
        free (mids);
        free (sos);
        self->signed_upto += one->count;
        self->epoch_count++;
        self->result->epochs++;
        for (uint32_t gateway = 0; gateway < self->settings->gateways; gateway++) {
            mesh_epoch_in (self->nodes [gateway].mesh, one->bytes, one->size, self->now);
            s_perform (self, gateway);
        }
    }
    self->close_at = INT64_MAX;
}

static void s_accept (replay_t *self, uint32_t message)
{
    if (self->accepted [message])
        return;
    const trace_message_t *tip = &self->trace->messages [message];
    self->accepted [message] = true;
    self->in_epoch [self->accepted_count++] = message;
    self->result->delivered++;
    self->result->latency_sum += (double)(self->now - tip->ms) / 1000;
    uint8_t single [MESHRECEIPT_SINGLE];
    meshreceipt_single_sign (single, self->mids [message], (uint32_t)(self->now / 1000), self->secret);
    for (uint32_t gateway = 0; gateway < self->settings->gateways; gateway++) {
        s_learn (self, gateway, message);
        mesh_accepted (self->nodes [gateway].mesh, self->mids [message], single, self->now);
        s_perform (self, gateway);
    }
    int64_t wait = tip->cls == 0 ? self->settings->epoch_sos_ms : self->settings->epoch_ms;
    if (self->accepted_count - self->signed_upto >= self->settings->epoch_ids)
        s_close_epoch (self);
    else if (self->now + wait < self->close_at) {
        self->close_at = self->now + wait;
        s_at (self, self->close_at, EV_BROKER, 0, 0);
    }
}

static bool s_epoch_valid (void *arg, const uint8_t *bytes, size_t size)
{
    //  signed by our own broker: comparing is as good as verifying, and a thousand times faster
    const replay_t *self = arg;
    meshreceipt_epoch_t head;
    return meshreceipt_epoch_parse (&head, bytes, size) == 0 && head.number <= self->epoch_count
        && self->epochs [head.number - 1].size == size && memcmp (self->epochs [head.number - 1].bytes, bytes, size) == 0;
}

static bool s_single_valid (void *arg, const uint8_t *bytes, const uint8_t *mid)
{
    const replay_t *self = arg;
    return meshreceipt_single_verify (bytes, mid, self->public);
}

//  ---- what a node wants done

//  Something may be sent from or to it.
static void s_look (replay_t *self, uint32_t number)
{
    if (!self->nodes [number].look) {
        self->nodes [number].look = true;
        self->looks [self->look_count++] = number;
    }
}

static void s_free (replay_t *self, const contact_t *contact)
{
    for (unsigned side = 0; side < 2; side++) {
        self->nodes [contact->node [side]].busy = false;
        s_look (self, contact->node [side]);
    }
}

static unsigned s_side (const contact_t *contact, uint32_t number)
{
    return contact->node [0] == number ? 0 : 1;
}

static void s_post (replay_t *self, uint32_t number, uint32_t link, const uint8_t *bytes, size_t size)
{
    const contact_t *contact = &self->contacts [link];
    unsigned from = s_side (contact, number);
    if (!contact->up)
        return;
    self->result->control += size;
    self->result->frames++;
    self->result->control_by_type [bytes [0] & 15] += size;
    LOG (self, "ctl %u %u %zu\n", number, contact->node [!from], size);
    if (self->letter_count == self->letter_room) {
        uint32_t room = self->letter_room ? self->letter_room * 2 : 64;
        letter_t *letters = s_zalloc (room, sizeof *letters);
        for (uint32_t index = 0; index < self->letter_count; index++)
            letters [index] = self->letters [(self->letter_first + index) % self->letter_room];
        free (self->letters);
        self->letters = letters;
        self->letter_room = room;
        self->letter_first = 0;
    }
    letter_t *letter = &self->letters [(self->letter_first + self->letter_count++) % self->letter_room];
    *letter = (letter_t){ link, !from, (uint32_t)size, malloc (size) };
    if (!letter->bytes)
        abort ();
    memcpy (letter->bytes, bytes, size);
}

static void s_erased (replay_t *self, uint32_t number, const uint8_t *mid, mesh_why_t why)
{
    uint32_t message = s_message (self, mid);
    if (why == MESH_GONE_RECEIPT)
        s_learn (self, number, message);
    if (why == MESH_GONE_EVICTED)
        self->result->evicted++;
    if (number >= self->settings->gateways)
        LOG (self, "drop %s %u\n", self->trace->messages [message].id, number);
    //  a transfer of it under way stops
    for (uint32_t index = 0; index < self->nodes [number].contact_count; index++) {
        contact_t *contact = &self->contacts [self->nodes [number].contacts [index]];
        if (contact->moving && contact->node [contact->side] == number && memcmp (contact->tip.mid, mid, MESH_MID) == 0) {
            contact->moving = false;
            contact->serial++;
            s_free (self, contact);
            self->result->cut++;
            mesh_sent (self->nodes [number].mesh, (uint32_t)(contact - self->contacts), mid, false, self->now);
        }
    }
}

static void s_perform (replay_t *self, uint32_t number)
{
    mesh_action_t action;
    while (mesh_next_action (self->nodes [number].mesh, &action)) {
        switch (action.kind) {
        case MESH_SEND:
            s_post (self, number, action.link, action.bytes, action.size);
            break;
        case MESH_READY:
            self->contacts [action.link].ready [s_side (&self->contacts [action.link], number)] = true;
            s_look (self, number);
            break;
        case MESH_ERASE:
            s_erased (self, number, action.mid, action.why);
            break;
        case MESH_SUBMIT:
            s_accept (self, s_message (self, action.mid));
            break;
        case MESH_KEEP_EPOCH: {
            const signed_t *epoch = &self->epochs [action.number - 1];
            for (uint32_t index = 0; index < epoch->count; index++)
                s_learn (self, number, self->in_epoch [epoch->first + index]);
            break;
        }
        case MESH_OFFENCE:
            self->result->offences [action.offence]++;
            break;
        case MESH_PUT:
        case MESH_UPDATE:
        case MESH_CARRIED:
        case MESH_ACCEPTED:
        case MESH_FORGET_EPOCH:
        case MESH_KEEP_REVOKED:
        case MESH_CLOSE:
            break;
        }
    }
}

static void s_deliver_letters (replay_t *self)
{
    while (self->letter_count) {
        letter_t letter = self->letters [self->letter_first];
        self->letter_first = (self->letter_first + 1) % self->letter_room;
        self->letter_count--;
        const contact_t *contact = &self->contacts [letter.contact];
        if (contact->up) {
            uint32_t number = contact->node [letter.to];
            mesh_frame_in (self->nodes [number].mesh, letter.contact, letter.bytes, letter.size, self->now);
            s_perform (self, number);
        }
        free (letter.bytes);
    }
}

//  ---- transfers

static void s_begin_best (replay_t *self, uint32_t number)
{
    node_t *node = &self->nodes [number];
    contact_t *best = NULL;
    unsigned best_side = 0;
    mesh_outgoing_t best_tip = { .rank = UINT64_MAX };
    if (node->busy)
        return;
    for (uint32_t index = 0; index < node->contact_count; index++) {
        contact_t *contact = &self->contacts [node->contacts [index]];
        if (self->nodes [contact->node [!s_side (contact, number)]].busy)
            continue;
        for (unsigned side = 0; side < 2; side++) {
            mesh_outgoing_t tip;
            if (!contact->ready [side])
                continue;
            bool found = mesh_next_tip (self->nodes [contact->node [side]].mesh, node->contacts [index], &tip, self->now);
            contact->ready [side] = found;
            s_perform (self, contact->node [side]); //  what is not there any more the other is told
            if (!found)
                continue;
            if (!best || tip.rank < best_tip.rank) {
                best = contact;
                best_side = side;
                best_tip = tip;
            }
        }
    }
    if (!best)
        return;
    best->tip = best_tip;
    best->side = best_side;
    best->moving = true;
    best->begun = self->now;
    self->nodes [best->node [0]].busy = self->nodes [best->node [1]].busy = true;
    uint32_t link = (uint32_t)(best - self->contacts);
    mesh_sending (self->nodes [best->node [best_side]].mesh, link, best_tip.mid, self->now);
    int64_t takes = (int64_t)(best_tip.size / self->settings->rate * 1000 + 0.999);
    s_at (self, self->now + (takes > self->settings->slot_ms ? takes : self->settings->slot_ms), EV_SENT, link,
        ++best->serial);
}

static bool s_holds (const replay_t *self, uint32_t number, const uint8_t *mid)
{
    mesh_tip_t row;
    for (size_t index = 0; mesh_tip (self->nodes [number].mesh, index, &row, self->now); index++)
        if (memcmp (row.mid, mid, MESH_MID) == 0)
            return true;
    return false;
}

static void s_sent (replay_t *self, uint32_t link, uint32_t serial)
{
    contact_t *contact = &self->contacts [link];
    if (!contact->moving || contact->serial != serial)
        return;
    contact->moving = false;
    uint32_t from = contact->node [contact->side], to = contact->node [!contact->side];
    s_free (self, contact);
    uint32_t number = s_message (self, contact->tip.mid);
    const trace_message_t *message = &self->trace->messages [number];
    self->result->control += MESH_HEAD;
    self->result->control_by_type [0] += MESH_HEAD;
    LOG (self, "ctl %u %u %u\n", from, to, MESH_HEAD);
    mesh_sent (self->nodes [from].mesh, link, contact->tip.mid, true, self->now);
    s_perform (self, from);
    uint8_t origin [MESH_ORIGIN] = { 0 }, mid [MESH_MID];
    memcpy (origin, &message->src, sizeof message->src);
    memcpy (mid, contact->tip.mid, MESH_MID);
    mesh_facts_t facts = { .mid = mid,
        .origin = origin,
        .cls = message->cls,
        .size = message->size,
        .life_s = (uint32_t)(message->life_ms / 1000) };
    mesh_verdict_t verdict = mesh_tip_in (self->nodes [to].mesh, link, contact->tip.head, &facts, self->now);
    s_perform (self, to); //  room is made before it is taken
    bool lies_there = verdict == MESH_TAKEN || s_holds (self, to, mid);
    if (verdict == MESH_TAKEN || verdict == MESH_HAVE) {
        self->result->transfers++;
        if (lies_there)
            LOG (self, "tx %s %u %u\n", message->id, from, to);
        else if (self->log)
            fprintf (self->log, "# %s %u %u came after its receipt and was not kept\n", message->id, from, to);
    }
    if (verdict == MESH_TAKEN) {
        self->result->useful_bytes += message->size;
        mesh_stored (self->nodes [to].mesh, mid, true, self->now);
        s_perform (self, to);
        if (to >= self->settings->gateways) {
            mesh_counters_t counters;
            mesh_counters (self->nodes [to].mesh, &counters, self->now);
            if (counters.bytes_held > self->result->most_held)
                self->result->most_held = counters.bytes_held;
        }
    } else {
        self->result->wasted_bytes += message->size;
        self->result->refused++;
    }
}

//  ---- contacts

static void s_up (replay_t *self, uint32_t a, uint32_t b)
{
    contact_t *contact = s_contact (self, a, b);
    uint32_t link = (uint32_t)(contact - self->contacts);
    if (contact->up || (a < self->settings->gateways && b < self->settings->gateways))
        return;
    contact->up = true;
    contact->ready [0] = contact->ready [1] = false;
    uint8_t beacon [2][MESH_BEACON];
    for (unsigned side = 0; side < 2; side++) {
        node_t *node = &self->nodes [contact->node [side]];
        node->contacts = s_more (node->contacts, &node->contact_room, node->contact_count, sizeof *node->contacts);
        node->contacts [node->contact_count++] = link;
        mesh_beacon (node->mesh, beacon [side], self->now);
    }
    for (unsigned side = 0; side < 2; side++)
        mesh_link_up (self->nodes [contact->node [side]].mesh, link, self->nodes [contact->node [!side]].key, beacon [!side],
            self->now);
    s_perform (self, a);
    s_perform (self, b);
}

static void s_down (replay_t *self, uint32_t a, uint32_t b)
{
    contact_t *contact = s_contact (self, a, b);
    uint32_t link = (uint32_t)(contact - self->contacts);
    if (!contact->up)
        return;
    contact->up = false;
    if (contact->moving) {
        contact->moving = false;
        self->result->cut++;
        s_free (self, contact);
    }
    for (unsigned side = 0; side < 2; side++) {
        node_t *node = &self->nodes [contact->node [side]];
        uint32_t index = 0;
        while (node->contacts [index] != link)
            index++;
        node->contacts [index] = node->contacts [--node->contact_count];
        mesh_link_down (node->mesh, link, self->now);
        s_perform (self, contact->node [side]);
    }
}

static void s_write_tip (replay_t *self, uint32_t number)
{
    const trace_message_t *message = &self->trace->messages [number];
    mesh_tip_t tip = { .cls = message->cls, .size = message->size, .life_s = (uint32_t)(message->life_ms / 1000) };
    memcpy (tip.mid, self->mids [number], MESH_MID);
    memcpy (tip.origin, &message->src, sizeof message->src);
    mesh_own (self->nodes [message->src].mesh, &tip, self->now);
    s_perform (self, message->src);
}

static void s_beacon (replay_t *self, uint32_t number)
{
    node_t *node = &self->nodes [number];
    if (node->contact_count) {
        uint8_t beacon [MESH_BEACON];
        mesh_beacon (node->mesh, beacon, self->now);
        if (memcmp (beacon, node->beacon, MESH_BEACON) != 0) {
            memcpy (node->beacon, beacon, MESH_BEACON);
            for (uint32_t index = 0; index < node->contact_count; index++) {
                const contact_t *contact = &self->contacts [node->contacts [index]];
                uint32_t other = contact->node [!s_side (contact, number)];
                mesh_beacon_in (self->nodes [other].mesh, node->contacts [index], beacon, self->now);
                s_perform (self, other);
            }
        }
    }
    s_at (self, self->now + self->settings->beacon_ms, EV_BEACON, number, 0);
}

static void s_tick (replay_t *self, uint32_t number)
{
    int64_t next = mesh_tick (self->nodes [number].mesh, self->now);
    s_perform (self, number);
    s_at (self, next > self->now ? next : self->now + 1000, EV_TICK, number, 0);
}

static void s_settle (replay_t *self)
{
    while (self->look_count) {
        uint32_t number = self->looks [--self->look_count];
        self->nodes [number].look = false;
        s_begin_best (self, number);
    }
}

static void s_event (replay_t *self, const event_t *event)
{
    switch (event->kind) {
    case EV_SENT:
        s_sent (self, event->a, event->b);
        break;
    case EV_DOWN:
        s_down (self, event->a, event->b);
        break;
    case EV_UP:
        s_up (self, event->a, event->b);
        break;
    case EV_TIP:
        s_write_tip (self, event->a);
        break;
    case EV_FIX: {
        const trace_fix_t *fix = &self->trace->fixes [event->a];
        mesh_position (self->nodes [fix->node].mesh, (int32_t)(fix->y * 90), (int32_t)(fix->x * 90), self->now);
        break;
    }
    case EV_BROKER:
        if (self->close_at <= self->now)
            s_close_epoch (self);
        break;
    case EV_BEACON:
        s_beacon (self, event->a);
        break;
    case EV_TICK:
        s_tick (self, event->a);
        break;
    }
}

//  ---- from beginning to end

static void s_begin (replay_t *self)
{
    const trace_t *trace = self->trace;
    uint8_t seed [32] = "patrolmesh city";
    crypto_sign_seed_keypair (self->public, self->secret, seed);
    self->nodes = s_zalloc (trace->nodes, sizeof *self->nodes);
    self->looks = s_zalloc (trace->nodes, sizeof *self->looks);
    self->pair_mask = 1023;
    self->pairs = s_zalloc (1024, sizeof *self->pairs);
    self->by_mid = s_zalloc (trace->message_count, sizeof *self->by_mid);
    self->mids = s_zalloc (trace->message_count, MESH_MID);
    self->accepted = s_zalloc (trace->message_count, sizeof *self->accepted);
    self->in_epoch = s_zalloc (trace->message_count, sizeof *self->in_epoch);
    self->epochs = s_zalloc (trace->message_count + 1, sizeof *self->epochs);
    self->close_at = INT64_MAX;
    for (uint32_t index = 0; index < trace->message_count; index++) {
        const char *id = trace->messages [index].id;
        crypto_generichash (self->mids [index], MESH_MID, (const uint8_t *)id, strlen (id), NULL, 0);
        memcpy (self->by_mid [index].mid, self->mids [index], MESH_MID);
        self->by_mid [index].message = index;
        s_at (self, trace->messages [index].ms, EV_TIP, index, 0);
    }
    qsort (self->by_mid, trace->message_count, sizeof *self->by_mid, s_by_mid);
    for (uint32_t number = 0; number < trace->nodes; number++) {
        node_t *node = &self->nodes [number];
        mesh_settings_t settings = self->settings->mesh;
        if (number < self->settings->gateways)
            settings.buffer_bytes = UINT64_C (1) << 40;
        settings.epoch_valid = s_epoch_valid;
        settings.single_valid = s_single_valid;
        settings.arg = self;
        crypto_generichash (node->key, MESH_KEY, (const uint8_t *)&number, sizeof number, NULL, 0);
        node->mesh = mesh_new (&settings, node->key, number, 0);
        node->knows = s_zalloc (trace->message_count / 8 + 1, 1);
        if (number < self->settings->gateways)
            mesh_broker_up (node->mesh, 0);
        s_at (self, (number * 7919) % self->settings->beacon_ms, EV_BEACON, number, 0);
        s_at (self, (number * 104729) % 1000, EV_TICK, number, 0);
    }
}

static void s_end (replay_t *self)
{
    for (uint32_t number = 0; number < self->trace->nodes; number++) {
        mesh_destroy (&self->nodes [number].mesh);
        free (self->nodes [number].contacts);
        free (self->nodes [number].knows);
    }
    for (uint32_t index = 0; index < self->epoch_count; index++)
        free (self->epochs [index].bytes);
    free (self->nodes);
    free (self->looks);
    free (self->contacts);
    free (self->pairs);
    free (self->heap);
    free (self->letters);
    free (self->by_mid);
    free (self->mids);
    free (self->accepted);
    free (self->in_epoch);
    free (self->epochs);
}

void replay_run (const trace_t *trace, const replay_settings_t *settings, FILE *log, replay_result_t *result)
{
    replay_t self = { .trace = trace, .settings = settings, .log = log, .result = result };
    *result = (replay_result_t){ 0 };
    s_begin (&self);
    size_t contact = 0, fix = 0;
    for (;;) {
        //  the trace is sorted: it need not pass through the heap as a whole
        while (contact < trace->contact_count && trace->contacts [contact].ms <= self.now + 1000) {
            const trace_contact_t *one = &trace->contacts [contact++];
            s_at (&self, one->ms, one->up ? EV_UP : EV_DOWN, one->a, one->b);
        }
        while (fix < trace->fix_count && trace->fixes [fix].ms <= self.now + 1000) {
            s_at (&self, trace->fixes [fix].ms, EV_FIX, (uint32_t)fix, 0);
            fix++;
        }
        if (self.heap [0].ms > trace->end_ms)
            break;
        self.now = self.heap [0].ms;
        while (self.heap [0].ms == self.now) {
            event_t event = s_next (&self);
            s_event (&self, &event);
            s_deliver_letters (&self);
        }
        s_settle (&self);
    }
    s_end (&self);
}
