//  meshgate - see meshgate.h

#include "meshgate.h"

#include <stdlib.h>
#include <string.h>

#define AGAIN_MS 10000
#define FULL_MS 200
#define FLIGHT_MAX 256 //  handed over and not answered

typedef struct {
    uint8_t mid [MID_SIZE];
    class_t cls;
    bool sent;
    int64_t due_ms;
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
    self->sent -= waiting->sent;
    *waiting = self->items [--self->count];
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

int64_t meshgate_run (meshgate_t *self, int64_t now_ms, meshgate_fn *send, void *context)
{
    bool full [LANE_COUNT] = { false, false };
    int64_t next = -1;
    for (int cls = CLASS_SOS; cls < CLASS_COUNT; cls++) {
        lane_t lane = cls <= CLASS_URGENT ? LANE_URGENT : LANE_BULK;
        for (size_t i = 0; i < self->count;) {
            waiting_t *waiting = &self->items [i];
            //  An sos never waits for the answers of others.
            bool turn = waiting->cls == (class_t)cls && waiting->due_ms <= now_ms && !full [lane]
                && (waiting->sent || cls == CLASS_SOS || self->sent < FLIGHT_MAX);
            gate_t gate = turn ? send (context, lane, waiting->mid) : GATE_FULL;
            if (gate == GATE_GONE) {
                s_remove (self, waiting);
                continue;
            }
            if (gate == GATE_SENT) {
                self->sent += !waiting->sent;
                waiting->sent = true;
                waiting->due_ms = now_ms + AGAIN_MS;
            } else if (turn)
                full [lane] = true;
            i++;
        }
    }
    for (size_t i = 0; i < self->count; i++) {
        int64_t wait = self->items [i].due_ms > now_ms ? self->items [i].due_ms - now_ms : FULL_MS;
        if (next < 0 || wait < next)
            next = wait;
    }
    return next;
}
