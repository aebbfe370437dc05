#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "areamem.h"
#include "placegrams.h"
#include "utf8.h"

#define PIECES_MAX 256 //  of one key

typedef struct {
    uint32_t piece, row;
} s_pair_t;

typedef struct {
    uint32_t piece, first; //  its rows: first .. first of the next
} s_list_t;

struct placegrams_t {
    s_pair_t *pairs; //  while it is being filled
    size_t pair_count, pair_room;
    s_list_t *lists; //  by piece, and one beyond the last
    size_t list_count;
    uint32_t *rows;
    size_t row_count;
};

static uint32_t s_mix (uint64_t value)
{
    value = (value ^ (value >> 31)) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(value >> 32);
}

//  The pieces of a key as 32-bit hashes. A name is filed under every two characters and every three letters in a row; a
//  text that is looked for needs the threes only, and the two letters that have no third beside them.
static size_t s_pieces (const char *key, size_t size, bool name, uint32_t pieces [2 * PIECES_MAX])
{
    uint32_t codes [PIECES_MAX + 2] = { 0 };
    size_t length = 0, count = 0;
    for (size_t at = 0; at < size && length < PIECES_MAX;)
        at += (size_t)utf8_next ((const uint8_t *)key + at, size - at, &codes [length++]);
    for (size_t i = 0; i + 1 < length; i++) {
        uint64_t two = (uint64_t)codes [i] << 21 | codes [i + 1];
        bool letters = i + 2 < length && codes [i] < 0x80 && codes [i + 1] < 0x80 && codes [i + 2] < 0x80;
        if (letters)
            pieces [count++] = s_mix (two << 21 | codes [i + 2]);
        if (!letters || name)
            pieces [count++] = s_mix (two);
    }
    return count;
}

placegrams_t *placegrams_new (void)
{
    return area_zeroed (1, sizeof (placegrams_t));
}

void placegrams_destroy (placegrams_t **self_p)
{
    assert (self_p);
    placegrams_t *self = *self_p;
    if (self) {
        free (self->pairs);
        free (self->lists);
        free (self->rows);
        free (self);
        *self_p = NULL;
    }
}

void placegrams_add (placegrams_t *self, uint32_t row, const char *key, size_t size)
{
    uint32_t pieces [2 * PIECES_MAX];
    size_t count = s_pieces (key, size, true, pieces);
    for (size_t i = 0; i < count; i++) {
        self->pairs = area_grow (self->pairs, self->pair_count, &self->pair_room, sizeof *self->pairs);
        self->pairs [self->pair_count++] = (s_pair_t){ pieces [i], row };
    }
}

//  By piece; rows stay in order within one. Two passes of 16 bits.
static void s_sort (s_pair_t **pairs, size_t count)
{
    s_pair_t *from = *pairs, *to = area_resize (NULL, count, sizeof *to);
    size_t *starts = area_resize (NULL, 65537, sizeof *starts);
    for (int shift = 0; shift < 32; shift += 16) {
        memset (starts, 0, 65537 * sizeof *starts);
        for (size_t i = 0; i < count; i++)
            starts [(from [i].piece >> shift & 0xFFFF) + 1]++;
        for (size_t i = 0; i < 65536; i++)
            starts [i + 1] += starts [i];
        for (size_t i = 0; i < count; i++)
            to [starts [from [i].piece >> shift & 0xFFFF]++] = from [i];
        s_pair_t *swap = from;
        from = to;
        to = swap;
    }
    free (starts);
    free (to);
    *pairs = from;
}

void placegrams_build (placegrams_t *self)
{
    s_sort (&self->pairs, self->pair_count);
    size_t lists = 0, rows = 0;
    for (size_t i = 0; i < self->pair_count; i++) {
        bool first = i == 0 || self->pairs [i].piece != self->pairs [i - 1].piece;
        lists += first;
        rows += first || self->pairs [i].row != self->pairs [i - 1].row;
    }
    self->lists = area_resize (NULL, lists + 1, sizeof *self->lists);
    self->rows = area_resize (NULL, rows, sizeof *self->rows);
    for (size_t i = 0; i < self->pair_count; i++) {
        const s_pair_t *pair = &self->pairs [i];
        bool first = i == 0 || pair->piece != self->pairs [i - 1].piece;
        if (first)
            self->lists [self->list_count++] = (s_list_t){ pair->piece, (uint32_t)self->row_count };
        if (first || pair->row != self->pairs [i - 1].row)
            self->rows [self->row_count++] = pair->row;
    }
    self->lists [self->list_count] = (s_list_t){ 0, (uint32_t)self->row_count };
    free (self->pairs);
    self->pairs = NULL;
    self->pair_count = self->pair_room = 0;
}

static const s_list_t *s_list (const placegrams_t *self, uint32_t piece)
{
    size_t low = 0, high = self->list_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (self->lists [middle].piece < piece)
            low = middle + 1;
        else
            high = middle;
    }
    return low < self->list_count && self->lists [low].piece == piece ? &self->lists [low] : NULL;
}

//  Does the list have the row? Rows are asked for in rising order; *at moves on by doubling steps, so a walk through two
//  lists costs no more than the shorter one times the logarithm of the gaps.
static bool s_has (const placegrams_t *self, const s_list_t *list, uint32_t *at, uint32_t row)
{
    uint32_t low = *at, end = list [1].first, step = 1;
    while (low < end && self->rows [low] < row && step < end - low && self->rows [low + step] < row) {
        low += step;
        step *= 2;
    }
    uint32_t high = low + step < end ? low + step : end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->rows [middle] < row)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low;
    return low < end && self->rows [low] == row;
}

size_t placegrams_find (const placegrams_t *self, const char *key, size_t size, uint32_t *rows, size_t room)
{
    uint32_t pieces [2 * PIECES_MAX], at [PIECES_MAX];
    const s_list_t *lists [PIECES_MAX], *rarest = NULL;
    size_t count = s_pieces (key, size, false, pieces), found = 0;
    for (size_t i = 0; i < count; i++) {
        lists [i] = s_list (self, pieces [i]);
        if (!lists [i])
            return 0;
        at [i] = lists [i]->first;
        if (!rarest || lists [i][1].first - lists [i]->first < rarest [1].first - rarest->first)
            rarest = lists [i];
    }
    if (!rarest)
        return 0;
    for (uint32_t next = rarest->first; next < rarest [1].first && found < room; next++) {
        size_t has = 0;
        while (has < count && s_has (self, lists [has], &at [has], self->rows [next]))
            has++;
        if (has == count)
            rows [found++] = self->rows [next];
    }
    return found;
}

size_t placegrams_memory (const placegrams_t *self)
{
    return (self->list_count + 1) * sizeof *self->lists + self->row_count * sizeof *self->rows;
}
