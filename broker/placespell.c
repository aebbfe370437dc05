//  How the places of a gazetteer may be spelled: an index of whole spellings, and one of their pieces

#include <stdlib.h>
#include <string.h>
#include "areamem.h"
#include "places_private.h"

#define ALIAS_WORTH 0.95 //  of a name that is not the first one
#define STEM_WORTH 0.85  //  of a name without its suffix

void placespell_each (const places_t *self, uint32_t row, placespell_fn *each, void *context)
{
    const char *name = places_text (self, self->rows [row].name);
    each (context, name, strlen (name), false);
    for (const char *alias = places_text (self, self->rows [row].aliases); *alias;) {
        size_t size = strcspn (alias, ";|");
        each (context, alias, size, true);
        alias += size + (alias [size] != 0);
    }
}

typedef struct {
    places_t *places;
    uint32_t row;
} s_making_t;

static void s_add_key (places_t *self, const char *key, size_t size, uint32_t row, double worth)
{
    self->keys = area_grow (self->keys, self->key_count, &self->key_room, sizeof *self->keys);
    self->keys [self->key_count++] = (placekey_t){ placename_hash (key, size), row, (float)worth };
}

//  The spelling as it is, then its stem.
static void s_add_spelling (void *context, const char *spelling, size_t size, bool alias)
{
    s_making_t *making = context;
    char key [PLACENAME_ROOM];
    size_t length = placename_key (spelling, size, key);
    if (!length)
        return;
    double worth = alias ? ALIAS_WORTH : 1;
    s_add_key (making->places, key, length, making->row, worth);
    placegrams_add (making->places->grams, making->row, key, length);
    size_t stem = placename_stem (key, length);
    if (stem < length)
        s_add_key (making->places, key, stem, making->row, worth * STEM_WORTH);
}

static int s_by_hash (const void *left, const void *right)
{
    const placekey_t *a = left, *b = right;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->row != b->row)
        return a->row < b->row ? -1 : 1;
    return (a->worth < b->worth) - (a->worth > b->worth); //  the best of equal ones first
}

void placespell_make (places_t *self)
{
    self->grams = placegrams_new ();
    s_making_t making = { .places = self };
    for (making.row = 0; making.row < self->count; making.row++)
        placespell_each (self, making.row, s_add_spelling, &making);
    placegrams_build (self->grams);
    if (self->key_count)
        qsort (self->keys, self->key_count, sizeof *self->keys, s_by_hash);
    size_t bits = 64;
    while (bits < self->key_count * 16)
        bits *= 2;
    self->marks = area_zeroed (bits / 64, sizeof *self->marks);
    self->mark_mask = bits - 1;
    for (size_t i = 0; i < self->key_count; i++) {
        uint64_t bit = self->keys [i].hash & self->mark_mask;
        self->marks [bit / 64] |= (uint64_t)1 << (bit % 64);
    }
}

const placekey_t *placespell_first (const places_t *self, uint64_t hash)
{
    uint64_t bit = hash & self->mark_mask;
    if (!self->marks || !(self->marks [bit / 64] >> (bit % 64) & 1))
        return NULL;
    size_t low = 0, high = self->key_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->keys [middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->key_count && self->keys [low].hash == hash ? &self->keys [low] : NULL;
}

//  ---- areas: parents are found by these while nothing knows its parent yet

//  Does what stands before the name end in the row's area, in full or without its suffix?
static bool s_in_area (const places_t *self, uint32_t row, const char *before, size_t size)
{
    char area [PLACENAME_ROOM];
    const char *name = places_text (self, self->rows [row].area);
    size_t length = placename_key (name, strlen (name), area);
    if (!length)
        return false;
    if (size >= length && memcmp (before + size - length, area, length) == 0)
        return true;
    size_t stem = placename_stem (area, length);
    return size >= stem && memcmp (before + size - stem, area, stem) == 0;
}

typedef struct {
    int32_t row;
    float worth;
    bool only;
} s_best_t;

//  Rows spelled key [from..size); after `from` bytes that have to end in their area.
static void s_match (const places_t *self, const char *key, size_t from, size_t size, s_best_t *best)
{
    uint64_t hash = placename_hash (key + from, size - from);
    const placekey_t *end = self->keys + self->key_count;
    for (const placekey_t *at = placespell_first (self, hash); at && at < end && at->hash == hash; at++) {
        if ((int32_t)at->row == best->row || at->worth < best->worth || (from && !s_in_area (self, at->row, key, from)))
            continue;
        *best = (s_best_t){ (int32_t)at->row, at->worth, at->worth > best->worth };
    }
}

int32_t placespell_area (const places_t *self, const char *area)
{
    char key [PLACENAME_ROOM];
    size_t size = placename_key (area, strlen (area), key);
    s_best_t best = { .row = -1 };
    for (size_t from = 0; from < size; from++)
        if (((unsigned char)key [from] & 0xC0) != 0x80)
            s_match (self, key, from, size, &best);
    return best.only ? best.row : -1;
}
