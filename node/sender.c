//  sender - which envelope goes out next, and when it goes again

#include "sender.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 128 //  rows read from the outbox at a time
#define AHEAD_MAX 64

typedef struct {
    outbox_entry_t entry;
    int64_t due_ms; //  when it goes again
    uint32_t tries;
} flight_t;

//  What the outbox has of one class and was not sent in this session.
typedef struct {
    outbox_entry_t page [PAGE];
    int position, count; //  of the page
    int64_t cursor;      //  the last row that was read
    bool drained;        //  nothing lies after the cursor, until told
} queue_t;

struct sender_t {
    outbox_t *outbox;  //  borrowed
    flight_t *flights; //  sent and not settled, a few hundred at most beside repeated sos
    int count, room;
    queue_t queues [CLASS_COUNT];
    int in_flight [CLASS_COUNT]; //  without a receipt
    int64_t bulk_bytes;
    int64_t ahead [AHEAD_MAX]; //  rows sent before an older one had its receipt
    int ahead_count;
};

sender_t *sender_new (outbox_t *outbox)
{
    sender_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->outbox = outbox;
    return self;
}

void sender_destroy (sender_t **self_p)
{
    sender_t *self = *self_p;
    if (!self)
        return;
    free (self->flights);
    free (self);
    *self_p = NULL;
}

void sender_reset (sender_t *self)
{
    self->count = 0;
    self->bulk_bytes = 0;
    self->ahead_count = 0;
    memset (self->in_flight, 0, sizeof self->in_flight);
    sender_wake (self);
}

void sender_more (sender_t *self)
{
    for (int cls = 0; cls < CLASS_COUNT; cls++)
        self->queues [cls].drained = false;
}

//  The cursors start over; what is in flight is skipped when it is met again.
void sender_wake (sender_t *self)
{
    for (int cls = 0; cls < CLASS_COUNT; cls++) {
        queue_t *queue = &self->queues [cls];
        queue->position = queue->count = 0;
        queue->cursor = 0;
        queue->drained = false;
    }
}

//  ---- what is in flight

static lane_t s_lane (class_t cls)
{
    return cls <= CLASS_URGENT ? LANE_URGENT : LANE_BULK;
}

static flight_t *s_find (sender_t *self, int64_t row)
{
    for (int index = 0; index < self->count; index++)
        if (self->flights [index].entry.row == row)
            return &self->flights [index];
    return NULL;
}

static void s_charge (sender_t *self, const outbox_entry_t *entry, int sign)
{
    if (entry->receipted)
        return;
    self->in_flight [entry->cls] += sign;
    if (s_lane (entry->cls) == LANE_BULK)
        self->bulk_bytes += sign * (int64_t)entry->size;
}

//  The limits count what has no receipt, so an sos that is only repeated never keeps another one waiting.
static bool s_has_room (const sender_t *self, class_t cls)
{
    if (s_lane (cls) == LANE_URGENT)
        return self->in_flight [cls] < SENDER_URGENT_COUNT;
    return self->in_flight [CLASS_NORMAL] + self->in_flight [CLASS_BULK] < SENDER_BULK_COUNT
        && self->bulk_bytes < SENDER_BULK_BYTES;
}

static flight_t *s_push (sender_t *self, const outbox_entry_t *entry)
{
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 32;
        self->flights = realloc (self->flights, (size_t)self->room * sizeof *self->flights);
        if (!self->flights)
            abort ();
    }
    flight_t *flight = &self->flights [self->count++];
    memset (flight, 0, sizeof *flight);
    flight->entry = *entry;
    s_charge (self, entry, 1);
    return flight;
}

void sender_settled (sender_t *self, int64_t row)
{
    flight_t *flight = s_find (self, row);
    if (!flight)
        return;
    s_charge (self, &flight->entry, -1);
    *flight = self->flights [--self->count];
}

void sender_repeated (sender_t *self, int64_t row)
{
    flight_t *flight = s_find (self, row);
    if (!flight || flight->entry.receipted)
        return;
    s_charge (self, &flight->entry, -1);
    flight->entry.receipted = true;
}

static void s_schedule (flight_t *flight, int64_t now_ms)
{
    int64_t wait = flight->tries < 4 ? (int64_t)SENDER_FIRST_MS << flight->tries : SENDER_LAST_MS;
    if (flight->entry.cls == CLASS_SOS)
        wait = SENDER_SOS_MS;
    flight->due_ms = now_ms + wait;
    flight->tries++;
}

void sender_later (sender_t *self, int64_t row, int64_t now_mono_ms)
{
    flight_t *flight = s_find (self, row);
    if (flight)
        s_schedule (flight, now_mono_ms);
}

//  ---- sending

static bool s_send (sender_t *self, flight_t *flight, int64_t now_ms, sender_fn *send, void *context)
{
    uint8_t bytes [ENVELOPE_MAX];
    size_t size = outbox_sealed (self->outbox, flight->entry.row, bytes);
    //  Bytes that are gone cannot be sent, and must not keep the others waiting.
    if (size > 0 && !send (context, s_lane (flight->entry.cls), bytes, size))
        return false;
    s_schedule (flight, now_ms);
    return true;
}

//  False when the lane takes no more now.
static bool s_send_due (sender_t *self, class_t cls, int64_t now_ms, sender_fn *send, void *context)
{
    for (int index = 0; index < self->count; index++) {
        flight_t *flight = &self->flights [index];
        if (flight->entry.cls == cls && flight->due_ms <= now_ms && !s_send (self, flight, now_ms, send, context))
            return false;
    }
    return true;
}

//  The next of a class that was not sent; NULL when there is none.
static outbox_entry_t *s_head (sender_t *self, class_t cls)
{
    queue_t *queue = &self->queues [cls];
    for (;;) {
        for (; queue->position < queue->count; queue->position++)
            if (!s_find (self, queue->page [queue->position].row))
                return &queue->page [queue->position];
        if (queue->drained)
            return NULL;
        queue->count = outbox_open_entries (self->outbox, cls, queue->cursor, queue->page, PAGE);
        queue->position = 0;
        queue->drained = queue->count < PAGE;
        if (queue->count > 0)
            queue->cursor = queue->page [queue->count - 1].row;
    }
}

//  The oldest envelope the broker has not confirmed: unsent, or in flight in the lane that can be overtaken.
static const outbox_entry_t *s_oldest (const sender_t *self, const outbox_entry_t *oldest)
{
    for (int index = 0; index < self->count; index++) {
        const outbox_entry_t *entry = &self->flights [index].entry;
        if (s_lane (entry->cls) == LANE_BULK && !entry->receipted && (!oldest || entry->row < oldest->row))
            oldest = entry;
    }
    return oldest;
}

static void s_retire (sender_t *self, int64_t oldest_row)
{
    for (int index = 0; index < self->ahead_count;)
        if (self->ahead [index] < oldest_row)
            self->ahead [index] = self->ahead [--self->ahead_count];
        else
            index++;
}

//  May this one go although older ones have no receipt? `in_order`: nothing older is unsent.
static bool s_may_go (const sender_t *self, const outbox_entry_t *entry, const outbox_entry_t *oldest, bool in_order)
{
    if (entry->row <= oldest->row)
        return true;
    if (entry->epoch == oldest->epoch && entry->counter > oldest->counter + SENDER_AHEAD_COUNT)
        return false;
    switch (entry->cls) {
    case CLASS_SOS:
        return true;
    case CLASS_URGENT:
        return self->ahead_count < SENDER_AHEAD_URGENT;
    case CLASS_NORMAL:
        return in_order || self->ahead_count < SENDER_AHEAD_NORMAL;
    case CLASS_BULK:
        return in_order;
    }
    return false;
}

//  Picks the highest class whose next one may go now; NULL when none may.
static outbox_entry_t *s_pick (sender_t *self, const bool open [LANE_COUNT], bool *in_order)
{
    outbox_entry_t *heads [CLASS_COUNT], *first = NULL;
    for (int cls = 0; cls < CLASS_COUNT; cls++) {
        heads [cls] = s_head (self, (class_t)cls);
        if (heads [cls] && (!first || heads [cls]->row < first->row))
            first = heads [cls];
    }
    const outbox_entry_t *oldest = s_oldest (self, first);
    if (!first)
        return NULL;
    s_retire (self, oldest->row);
    for (int cls = 0; cls < CLASS_COUNT; cls++) {
        *in_order = heads [cls] == first;
        if (heads [cls] && open [s_lane ((class_t)cls)] && s_has_room (self, (class_t)cls)
            && s_may_go (self, heads [cls], oldest, *in_order))
            return heads [cls];
    }
    return NULL;
}

static void s_send_fresh (sender_t *self, bool open [LANE_COUNT], int64_t now_ms, sender_fn *send, void *context)
{
    outbox_entry_t *picked;
    bool in_order;
    while ((picked = s_pick (self, open, &in_order)) != NULL) {
        outbox_entry_t entry = *picked;
        if (!s_send (self, s_push (self, &entry), now_ms, send, context)) {
            sender_settled (self, entry.row);
            open [s_lane (entry.cls)] = false;
            continue;
        }
        bool overtakes = !in_order || s_lane (entry.cls) == LANE_URGENT;
        if (overtakes && self->ahead_count < AHEAD_MAX)
            self->ahead [self->ahead_count++] = entry.row;
    }
}

static int64_t s_next_due (const sender_t *self, int64_t now_ms)
{
    int64_t next = -1;
    for (int index = 0; index < self->count; index++) {
        int64_t wait = self->flights [index].due_ms > now_ms ? self->flights [index].due_ms - now_ms : 0;
        if (next < 0 || wait < next)
            next = wait;
    }
    return next;
}

int64_t sender_run (sender_t *self, int64_t now_mono_ms, sender_fn *send, void *context)
{
    bool open [LANE_COUNT] = { true, true };
    for (int cls = CLASS_SOS; cls < CLASS_COUNT; cls++) {
        lane_t lane = s_lane ((class_t)cls);
        if (open [lane])
            open [lane] = s_send_due (self, (class_t)cls, now_mono_ms, send, context);
    }
    s_send_fresh (self, open, now_mono_ms, send, context);
    int64_t next = s_next_due (self, now_mono_ms);
    //  A lane that took no more opens with a credit frame, which wakes the loop; this is for a full queue.
    if ((!open [LANE_URGENT] || !open [LANE_BULK]) && (next < 0 || next < 200))
        next = 200;
    return next;
}
