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
    for (int i = 0; i < self->count; i++)
        free (self->items [i]);
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
