//  feeds - station feeds, found by station id

#include "feeds.h"

#include <stdlib.h>
#include <string.h>

struct feeds_t {
    feed_t **items;
    int count, room;
    int last; //  most tips of a burst go to few stations
};

feeds_t *feeds_new (void)
{
    feeds_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    return self;
}

void feeds_destroy (feeds_t **self_p)
{
    feeds_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    for (int i = 0; i < self->count; i++) {
        free (self->items [i]->recent);
        free (self->items [i]);
    }
    free (self->items);
    free (self);
}

static bool s_is (const feed_t *feed, const char *id, size_t size)
{
    return strncmp (feed->id, id, size) == 0 && feed->id [size] == 0;
}

feed_t *feeds_get (feeds_t *self, const char *id, size_t size)
{
    if (size > sizeof self->items [0]->id - 1)
        size = sizeof self->items [0]->id - 1;
    if (self->count && s_is (self->items [self->last], id, size))
        return self->items [self->last];
    for (int i = 0; i < self->count; i++)
        if (s_is (self->items [i], id, size)) {
            self->last = i;
            return self->items [i];
        }
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 64;
        self->items = realloc (self->items, (size_t)self->room * sizeof *self->items);
        if (!self->items)
            abort ();
    }
    feed_t *feed = calloc (1, sizeof *feed);
    if (!feed)
        abort ();
    memcpy (feed->id, id, size);
    feed->next = 1;
    self->items [self->count++] = feed;
    return feed;
}

int feeds_count (const feeds_t *self)
{
    return self->count;
}

feed_t *feeds_at (feeds_t *self, int index)
{
    return self->items [index];
}

//  ---- the newest items

static slot_t *s_recent (const feed_t *self, uint32_t index)
{
    return &self->recent [(self->recent_first + index) & (self->recent_room - 1)];
}

static void s_grow (feed_t *self)
{
    uint32_t room = self->recent_room ? self->recent_room * 2 : 16;
    slot_t *bigger = malloc (room * sizeof *bigger);
    if (!bigger)
        abort ();
    for (uint32_t i = 0; i < self->recent_count; i++)
        bigger [i] = *s_recent (self, i);
    free (self->recent);
    self->recent = bigger;
    self->recent_room = room;
    self->recent_first = 0;
}

void feed_remember (feed_t *self, const slot_t *slot)
{
    if (self->recent_count == self->recent_room) {
        //  Full: the oldest one goes if it is old enough.
        if (self->recent_count && s_recent (self, 0)->seq + FEED_RECENT < slot->seq) {
            self->recent_after = s_recent (self, 0)->n;
            self->recent_first = (self->recent_first + 1) & (self->recent_room - 1);
            self->recent_count--;
        } else
            s_grow (self);
    }
    *s_recent (self, self->recent_count++) = *slot;
}

int feed_recall (const feed_t *self, uint64_t after, slot_t *out, int room)
{
    if (after < self->recent_after)
        return -1;
    uint32_t low = 0, high = self->recent_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s_recent (self, middle)->n > after)
            high = middle;
        else
            low = middle + 1;
    }
    int count = 0;
    while (count < room && low < self->recent_count)
        out [count++] = *s_recent (self, low++);
    return count;
}
