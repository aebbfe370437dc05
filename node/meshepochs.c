//  meshepochs - the broker's signed receipts that this node has, and what its neighbours lack of them

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "envelope.h"
#include "mesh_private.h"
#include "meshreceipt.h"

void epochs_clear (epochs_t *self)
{
    for (uint32_t index = 0; index < self->count; index++)
        free (self->items [index].bytes);
    free (self->items);
    *self = (epochs_t){ 0 };
}

//  Index of the first that is not before (series, number).
static uint32_t s_place (const epochs_t *self, uint32_t series, uint32_t number)
{
    uint32_t low = 0, high = self->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const epoch_t *at = &self->items [middle];
        if (at->series < series || (at->series == series && at->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const epoch_t *epochs_find (const epochs_t *self, uint32_t number)
{
    uint32_t at = s_place (self, self->series, number);
    if (at == self->count || self->items [at].series != self->series || self->items [at].number != number)
        return NULL;
    return &self->items [at];
}

const epoch_t *epochs_from (const epochs_t *self, uint32_t number)
{
    uint32_t at = s_place (self, self->series, number);
    return at == self->count ? NULL : &self->items [at];
}

static void s_drop_first (mesh_t *self, bool restoring)
{
    epochs_t *epochs = &self->epochs;
    epoch_t first = epochs->items [0];
    if (!restoring)
        mesh_tell_bytes (self, MESH_FORGET_EPOCH, first.series, first.number, NULL, 0);
    if (first.series == epochs->series && first.number >= epochs->floor)
        epochs->floor = first.number + 1;
    epochs->bytes -= first.size;
    memmove (epochs->items, epochs->items + 1, --epochs->count * sizeof *epochs->items);
    free (first.bytes);
}

//  Those before the floor of the current series name no living tip; of older series, those too old by the broker's own clock.
static void s_forget (mesh_t *self, uint32_t closed_s, bool restoring)
{
    epochs_t *epochs = &self->epochs;
    for (;;) {
        if (epochs->count < 2)
            break;
        const epoch_t *first = &epochs->items [0];
        bool below = first->series == epochs->series && first->number < epochs->floor;
        bool aged = first->series < epochs->series && first->closed_s + (uint64_t)LIFE_MAX_H * 3600 < closed_s;
        if (!below && !aged && epochs->bytes <= self->settings.epoch_bytes)
            break;
        s_drop_first (self, restoring);
    }
    if (epochs->base + 1 < epochs->floor)
        epochs->base = epochs->floor - 1;
    while (epochs->base < epochs->newest && epochs_find (epochs, epochs->base + 1))
        epochs->base++;
}

epoch_result_t epochs_add (mesh_t *self, const uint8_t *bytes, size_t size, bool restoring)
{
    epochs_t *epochs = &self->epochs;
    meshreceipt_epoch_t head;
    if (meshreceipt_epoch_parse (&head, bytes, size) < 0)
        return EPOCH_BAD;
    if (head.series < epochs->series || (head.series == epochs->series && head.number < epochs->floor))
        return EPOCH_OLD;
    uint32_t at = s_place (epochs, head.series, head.number);
    if (at < epochs->count && epochs->items [at].series == head.series && epochs->items [at].number == head.number)
        return EPOCH_KNOWN;
    if (epochs->count == epochs->room) {
        epochs->room = epochs->room ? epochs->room * 2 : 16;
        epochs->items = realloc (epochs->items, epochs->room * sizeof *epochs->items);
        if (!epochs->items)
            abort ();
    }
    memmove (epochs->items + at + 1, epochs->items + at, (epochs->count - at) * sizeof *epochs->items);
    epochs->items [at] = (epoch_t){ .series = head.series, .number = head.number, .closed_s = head.closed_s, .size = size };
    epochs->items [at].bytes = malloc (size);
    if (!epochs->items [at].bytes)
        abort ();
    memcpy (epochs->items [at].bytes, bytes, size);
    epochs->count++;
    epochs->bytes += size;
    if (head.series > epochs->series) {
        epochs->series = head.series;
        epochs->newest = epochs->base = epochs->floor = 0;
    }
    if (head.number > epochs->newest)
        epochs->newest = head.number;
    if (head.oldest > epochs->floor)
        epochs->floor = head.oldest;
    if (!restoring)
        mesh_tell_bytes (self, MESH_KEEP_EPOCH, head.series, head.number, bytes, size);
    s_forget (self, head.closed_s, restoring);
    return EPOCH_NEW;
}

bool epochs_name (const epochs_t *self, const uint8_t mid [MESH_MID], bool sos)
{
    for (uint32_t index = self->count; index-- > 0;)
        if (meshreceipt_epoch_has (self->items [index].bytes, self->items [index].size, mid, sos))
            return true;
    return false;
}

uint32_t epochs_missing (const epochs_t *self)
{
    uint32_t here = 0;
    for (uint32_t index = self->count; index-- > 0;) {
        const epoch_t *one = &self->items [index];
        if (one->series != self->series || one->number <= self->base)
            break;
        here++;
    }
    return self->newest - self->base - here;
}

void epochs_state (const epochs_t *self, meshwire_state_t *state)
{
    state->series = (uint8_t)self->series;
    state->base = (uint16_t)self->base;
    state->mask = 0;
    for (uint32_t bit = 0; bit < MESHWIRE_MASK && self->base + 1 + bit <= self->newest; bit++)
        if (epochs_find (self, self->base + 1 + bit))
            state->mask |= (uint16_t)(1u << bit);
}

//  The neighbour's base in full: the number nearest to ours with these low bits.
static int64_t s_base (const epochs_t *self, const meshwire_state_t *state)
{
    return (int64_t)self->base + (int16_t)(uint16_t)(state->base - (uint16_t)self->base);
}

bool epochs_ahead (const epochs_t *self, const meshwire_state_t *state, uint32_t from, uint32_t *first, uint16_t *mask)
{
    *first = 0;
    *mask = 0;
    if (state->series != (uint8_t)self->series)
        return state->base > 0 || state->mask;
    int64_t base = s_base (self, state);
    for (int64_t number = from > self->base ? from : (int64_t)self->base + 1; number <= base + MESHWIRE_MASK; number++) {
        bool has = number <= base || (state->mask >> (number - base - 1) & 1);
        if (!has || number <= 0 || epochs_find (self, (uint32_t)number))
            continue;
        if (*mask == 0)
            *first = (uint32_t)number;
        if (number - *first >= MESHWIRE_MASK)
            break;
        *mask |= (uint16_t)(1u << (number - *first));
    }
    return *mask != 0;
}
