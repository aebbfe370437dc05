//  meshtips - the tips that are here, found by mid, and the memory of those that are not any more

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "mesh_private.h"

#define TABLE_FIRST 64u
#define SEEN_TABLE (4u * MESH_SEEN)

static void *s_zalloc (size_t count, size_t size)
{
    void *memory = calloc (count, size);
    if (!memory)
        abort ();
    return memory;
}

//  mids are hashes, so any part of one will do; who grinds collisions gets a longer chain of his own tips, bounded by buffer_tips.
static uint32_t s_hash (const uint8_t mid [MESH_MID])
{
    uint32_t word;
    memcpy (&word, mid + 4, 4);
    return word;
}

void tips_init (tips_t *self, uint32_t neighbours)
{
    *self = (tips_t){ .mask = TABLE_FIRST - 1, .known_words = (neighbours + 63) / 64 };
    self->table = s_zalloc (TABLE_FIRST, sizeof *self->table);
    self->seen = s_zalloc (MESH_SEEN, sizeof *self->seen);
    self->seen_table = s_zalloc (SEEN_TABLE, sizeof *self->seen_table);
}

void tips_clear (tips_t *self)
{
    for (uint32_t index = 0; index < self->count; index++) {
        free (self->items [index]->known);
        free (self->items [index]);
    }
    free (self->items);
    free (self->table);
    free (self->seen);
    free (self->seen_table);
    *self = (tips_t){ 0 };
}

static uint32_t s_place (const tips_t *self, const uint8_t mid [MESH_MID])
{
    uint32_t at = s_hash (mid) & self->mask;
    while (self->table [at] && memcmp (self->table [at]->row.mid, mid, MESH_MID) != 0)
        at = (at + 1) & self->mask;
    return at;
}

tip_t *tips_find (const tips_t *self, const uint8_t mid [MESH_MID])
{
    return self->table [s_place (self, mid)];
}

static void s_grow (tips_t *self)
{
    free (self->table);
    self->mask = self->mask * 2 + 1;
    self->table = s_zalloc ((size_t)self->mask + 1, sizeof *self->table);
    for (uint32_t index = 0; index < self->count; index++)
        self->table [s_place (self, self->items [index]->row.mid)] = self->items [index];
}

static int s_compare_arrival (const void *a, const void *b)
{
    const tip_t *first = *(tip_t *const *)a, *second = *(tip_t *const *)b;
    return (first->serial > second->serial) - (first->serial < second->serial);
}

tip_t **tips_by_arrival (const tips_t *self)
{
    tip_t **sorted = malloc ((self->count + 1) * sizeof *sorted);
    if (!sorted)
        abort ();
    if (self->count)
        memcpy (sorted, self->items, self->count * sizeof *sorted);
    qsort (sorted, self->count, sizeof *sorted, s_compare_arrival);
    return sorted;
}

tip_t *tips_add (tips_t *self, const mesh_tip_t *row, int64_t now)
{
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 32;
        self->items = realloc (self->items, self->room * sizeof *self->items);
        if (!self->items)
            abort ();
    }
    if ((self->count + 1) * 2 > self->mask)
        s_grow (self);
    tip_t *tip = s_zalloc (1, sizeof *tip);
    tip->row = *row;
    tip->born = now - row->age_ms;
    tip->index = self->count;
    tip->serial = self->serial++;
    tip->known = s_zalloc (self->known_words, sizeof *tip->known);
    self->items [self->count++] = tip;
    uint32_t at = s_place (self, row->mid);
    assert (!self->table [at]);
    self->table [at] = tip;
    self->bytes += row->size;
    self->own_bytes += row->own ? row->size : 0;
    self->sos_bytes += row->cls == 0 && !row->own ? row->size : 0;
    return tip;
}

//  Closes the hole in the chain behind a removed entry (Knuth 6.4, algorithm R).
static void s_unhash (tips_t *self, uint32_t hole)
{
    uint32_t at = hole;
    self->table [hole] = NULL;
    for (;;) {
        at = (at + 1) & self->mask;
        if (!self->table [at])
            return;
        uint32_t home = s_hash (self->table [at]->row.mid) & self->mask;
        if (((at - home) & self->mask) >= ((at - hole) & self->mask)) {
            self->table [hole] = self->table [at];
            self->table [at] = NULL;
            hole = at;
        }
    }
}

void tips_remove (tips_t *self, tip_t *tip)
{
    s_unhash (self, s_place (self, tip->row.mid));
    self->items [tip->index] = self->items [--self->count];
    self->items [tip->index]->index = tip->index;
    self->bytes -= tip->row.size;
    self->own_bytes -= tip->row.own ? tip->row.size : 0;
    self->sos_bytes -= tip->row.cls == 0 && !tip->row.own ? tip->row.size : 0;
    free (tip->known);
    free (tip);
}

bool tips_knows (const tip_t *tip, uint32_t slot)
{
    return tip->known [slot / 64] >> (slot % 64) & 1;
}

void tips_set_known (tip_t *tip, uint32_t slot)
{
    tip->known [slot / 64] |= UINT64_C (1) << (slot % 64);
}

void tips_clear_known (tip_t *tip, uint32_t slot)
{
    tip->known [slot / 64] &= ~(UINT64_C (1) << (slot % 64));
}

void tips_forget_slot (tips_t *self, uint32_t slot)
{
    for (uint32_t index = 0; index < self->count; index++)
        tips_clear_known (self->items [index], slot);
}

//  ---- those gone: a ring with an index beside it

static uint32_t s_seen_place (const tips_t *self, const uint8_t mid [MESH_MID])
{
    uint32_t at = s_hash (mid) % SEEN_TABLE;
    while (self->seen_table [at] && memcmp (self->seen [self->seen_table [at] - 1].mid, mid, MESH_MID) != 0)
        at = (at + 1) % SEEN_TABLE;
    return at;
}

seen_t *tips_seen (const tips_t *self, const uint8_t mid [MESH_MID])
{
    uint32_t index = self->seen_table [s_seen_place (self, mid)];
    return index ? &self->seen [index - 1] : NULL;
}

static void s_seen_unhash (tips_t *self, uint32_t hole)
{
    uint32_t at = hole;
    self->seen_table [hole] = 0;
    for (;;) {
        at = (at + 1) % SEEN_TABLE;
        if (!self->seen_table [at])
            return;
        uint32_t home = s_hash (self->seen [self->seen_table [at] - 1].mid) % SEEN_TABLE;
        if ((at - home + SEEN_TABLE) % SEEN_TABLE >= (at - hole + SEEN_TABLE) % SEEN_TABLE) {
            self->seen_table [hole] = self->seen_table [at];
            self->seen_table [at] = 0;
            hole = at;
        }
    }
}

void tips_remember (tips_t *self, const uint8_t mid [MESH_MID], const uint8_t *single, bool evicted)
{
    seen_t *seen = tips_seen (self, mid);
    if (!seen) {
        seen = &self->seen [self->seen_next];
        if (seen->used)
            s_seen_unhash (self, s_seen_place (self, seen->mid));
        *seen = (seen_t){ .used = true };
        memcpy (seen->mid, mid, MESH_MID);
        self->seen_table [s_seen_place (self, mid)] = self->seen_next + 1;
        self->seen_next = (self->seen_next + 1) % MESH_SEEN;
    }
    seen->evicted = evicted;
    if (single) {
        memcpy (seen->single, single, MESHWIRE_SINGLE);
        seen->has_single = true;
    }
}
