//  sender - which envelope goes out next, and when it goes again

#include "sender.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 128        //  rows read from the outbox at a time

typedef struct {
    outbox_entry_t entry;
    int64_t due_ms;             //  when it goes again
    uint32_t tries;
} flight_t;

struct sender_t {
    outbox_t *outbox;           //  borrowed
    flight_t *flights;          //  sent and not settled, a few hundred at most beside repeated sos
    int count, room;
    int64_t cursors [CLASS_COUNT];      //  rows up to here are in flight or settled
    bool drained [CLASS_COUNT];         //  nothing lies after the cursor, until woken
    int in_flight [CLASS_COUNT];        //  without a receipt
    int64_t bulk_bytes;
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
    memset (self->in_flight, 0, sizeof self->in_flight);
    sender_wake (self);
}

//  Rows below a cursor can come back (a withdrawal whose tip is taken now, a new incarnation), so the cursors start
//  over; what is in flight is skipped when it is met again.
void sender_wake (sender_t *self)
{
    memset (self->cursors, 0, sizeof self->cursors);
    memset (self->drained, 0, sizeof self->drained);
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
        self->bulk_bytes += sign * (int64_t) entry->size;
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
        self->flights = realloc (self->flights, (size_t) self->room * sizeof *self->flights);
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
    int64_t wait = flight->tries < 4 ? (int64_t) SENDER_FIRST_MS << flight->tries : SENDER_LAST_MS;
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

static bool s_send_fresh (sender_t *self, class_t cls, int64_t now_ms, sender_fn *send, void *context)
{
    outbox_entry_t page [PAGE];
    while (!self->drained [cls] && s_has_room (self, cls)) {
        int count = outbox_open_entries (self->outbox, cls, self->cursors [cls], page, PAGE);
        self->drained [cls] = count < PAGE;
        for (int index = 0; index < count; index++) {
            if (!s_find (self, page [index].row)) {
                if (!s_has_room (self, cls)) {
                    self->drained [cls] = false;
                    return true;
                }
                flight_t *flight = s_push (self, &page [index]);
                if (!s_send (self, flight, now_ms, send, context)) {
                    sender_settled (self, page [index].row);
                    self->drained [cls] = false;
                    return false;
                }
            }
            self->cursors [cls] = page [index].row;
        }
    }
    return true;
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
    bool open [LANE_COUNT] = {true, true};
    for (int cls = CLASS_SOS; cls < CLASS_COUNT; cls++) {
        lane_t lane = s_lane ((class_t) cls);
        if (open [lane])
            open [lane] = s_send_due (self, (class_t) cls, now_mono_ms, send, context);
        if (open [lane])
            open [lane] = s_send_fresh (self, (class_t) cls, now_mono_ms, send, context);
    }
    int64_t next = s_next_due (self, now_mono_ms);
    //  A lane that took no more opens with a credit frame, which wakes the loop; this is for a full queue.
    if ((!open [LANE_URGENT] || !open [LANE_BULK]) && (next < 0 || next < 200))
        next = 200;
    return next;
}
