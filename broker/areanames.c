#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "areanames.h"
#include "areastate.h"

#define LEVEL_MAX 2 //  a city or province says nothing that the officer does not know

static int s_larger_first (const void *left, const void *right)
{
    const area_t *a = *(const area_t *const *)left, *b = *(const area_t *const *)right;
    if (a->level != b->level)
        return b->level - a->level;
    if (a->size_m2 != b->size_m2)
        return a->size_m2 > b->size_m2 ? -1 : 1;
    return a->feature - b->feature;
}

void areanames_at (const areas_t *self, position_t position, int64_t when_ms, char *out, size_t room)
{
    assert (self && out && room > 0);
    out [0] = 0;
    if (self->area_count == 0 || !position_valid (position))
        return;
    areaindex_filter_t filter = { .kinds = UINT64_MAX, .when_ms = when_ms };
    areaindex_hit_t hits [AREAINDEX_HITS];
    const area_t *found [AREAINDEX_HITS];
    int count = areas_hits (self, position, 0, &filter, hits, AREAINDEX_HITS), named = 0;
    for (int i = 0; i < count; i++) {
        const area_t *area = &self->areas [self->ranked [hits [i].shape]];
        if (hits [i].inside && area->by == BY_POLYGON && area->name [0] && area->level <= LEVEL_MAX)
            found [named++] = area;
    }
    if (named > 1)
        qsort (found, (size_t)named, sizeof (void *), s_larger_first);
    size_t used = 0;
    for (int i = 0; i < named; i++) {
        size_t size = strlen (found [i]->name);
        bool again = false;
        for (int j = 0; j < i; j++)
            again |= strcmp (found [j]->name, found [i]->name) == 0;
        if (again || used + size + 2 > room)
            continue;
        if (used)
            out [used++] = ' ';
        memcpy (out + used, found [i]->name, size);
        used += size;
        out [used] = 0;
    }
}
