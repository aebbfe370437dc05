//  meshgate - see meshgate.h

#include "meshgate.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 10000     //  without an answer it is handed over again, after twice as long each time,
#define AGAIN_DOUBLINGS 5u //  so often
#define FULL_MS 200
#define FLIGHT_MAX 256 //  handed over and not answered

typedef struct {
    uint8_t mid [MID_SIZE];
    class_t cls;
    bool sent;      //  and the answer may still come
    unsigned tries; //  without an answer
    int64_t due_ms, sent_ms;
} waiting_t;

struct meshgate_t {
    waiting_t *items;
    size_t count, room, sent;
};

meshgate_t *meshgate_new (void)
{
    meshgate_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

void meshgate_destroy (meshgate_t **self_p)
{
    meshgate_t *self = *self_p;
    if (!self)
        return;
    free (self->items);
    free (self);
    *self_p = NULL;
}

static waiting_t *s_find (meshgate_t *self, const uint8_t *mid)
{
    for (size_t i = 0; i < self->count; i++)
        if (memcmp (self->items [i].mid, mid, MID_SIZE) == 0)
            return &self->items [i];
    return NULL;
}

void meshgate_add (meshgate_t *self, const uint8_t mid [MID_SIZE], class_t cls, int64_t due_ms)
{
    if (s_find (self, mid))
        return;
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 64;
        self->items = realloc (self->items, self->room * sizeof *self->items);
        if (!self->items)
            abort ();
    }
    waiting_t *waiting = &self->items [self->count++];
    memset (waiting, 0, sizeof *waiting);
    memcpy (waiting->mid, mid, MID_SIZE);
    waiting->cls = cls;
    waiting->due_ms = due_ms;
}

static void s_remove (meshgate_t *self, waiting_t *waiting)
{
    size_t at = (size_t)(waiting - self->items);
    self->sent -= waiting->sent;
    //  the order stays: the core takes a device's tips best in order
    memmove (waiting, waiting + 1, (--self->count - at) * sizeof *waiting);
}

void meshgate_done (meshgate_t *self, const uint8_t mid [MID_SIZE])
{
    waiting_t *waiting = s_find (self, mid);
    if (waiting)
        s_remove (self, waiting);
}

void meshgate_clear (meshgate_t *self)
{
    self->count = self->sent = 0;
}

size_t meshgate_count (const meshgate_t *self)
{
    return self->count;
}

//  What has had no answer for so long gives its place to others: the broker may take it another time only.
static void s_give_up_waiting (meshgate_t *self, int64_t now_ms)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->items [i].sent && now_ms - self->items [i].sent_ms >= AGAIN_MS) {
            self->items [i].sent = false;
            self->sent--;
        }
}

//  Of one class, what was never handed over or what was. False when the lane takes no more.
static bool s_send_some (
    meshgate_t *self, class_t cls, lane_t lane, bool again, int64_t now_ms, meshgate_fn *send, void *context)
{
    for (size_t i = 0; i < self->count;) {
        waiting_t *waiting = &self->items [i];
        //  An sos never waits for the answers of others.
        bool turn = waiting->cls == cls && !waiting->sent && waiting->due_ms <= now_ms && (waiting->tries > 0) == again
            && (cls == CLASS_SOS || self->sent < FLIGHT_MAX);
        gate_t gate = turn ? send (context, lane, waiting->mid) : GATE_FULL;
        if (gate == GATE_GONE) {
            s_remove (self, waiting);
            continue;
        }
        if (gate == GATE_SENT) {
            self->sent++;
            waiting->sent = true;
            waiting->sent_ms = now_ms;
            waiting->due_ms = now_ms + ((int64_t)AGAIN_MS << (waiting->tries < AGAIN_DOUBLINGS ? waiting->tries : AGAIN_DOUBLINGS));
            waiting->tries++;
        } else if (turn)
            return false;
        i++;
    }
    return true;
}

int64_t meshgate_run (meshgate_t *self, int64_t now_ms, meshgate_fn *send, void *context)
{
    bool open [LANE_COUNT] = { true, true };
    int64_t next = -1;
    s_give_up_waiting (self, now_ms);
    for (int cls = CLASS_SOS; cls < CLASS_COUNT; cls++) {
        lane_t lane = cls <= CLASS_URGENT ? LANE_URGENT : LANE_BULK;
        for (int again = 0; again < 2 && open [lane]; again++)
            open [lane] = s_send_some (self, (class_t)cls, lane, again, now_ms, send, context);
    }
    for (size_t i = 0; i < self->count; i++) {
        int64_t wait = self->items [i].due_ms > now_ms ? self->items [i].due_ms - now_ms : FULL_MS;
        if (next < 0 || wait < next)
            next = wait;
    }
    return next;
}
