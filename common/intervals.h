//  intervals - a set of 64-bit numbers kept as ordered, disjoint, non-adjacent ranges
//
//  A device's counters are one range for ever when it is honest, so the set
//  costs memory per device and not per tip. Serialised form: see PROTOCOL.md,
//  "Interval sets" (varints: count, then per range the gap to the last end and the length - 1).

#ifndef INTERVALS_H_INCLUDED
#define INTERVALS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t first, last; //  both inside
} interval_t;

typedef struct {
    interval_t *items;
    uint32_t count, room;
} intervals_t; //  all zero = the empty set; a value type, embed it

void intervals_clear (intervals_t *self); //  frees, leaves the empty set
void intervals_copy (intervals_t *self, const intervals_t *from);

//  Adds first..last (first <= last). Returns true if any number was new.
bool intervals_add (intervals_t *self, uint64_t first, uint64_t last);
bool intervals_add_one (intervals_t *self, uint64_t number);
bool intervals_has (const intervals_t *self, uint64_t number);

//  self |= other; self -= other
void intervals_merge (intervals_t *self, const intervals_t *other);
void intervals_subtract (intervals_t *self, const intervals_t *other);

bool intervals_equal (const intervals_t *self, const intervals_t *other);
uint64_t intervals_highest (const intervals_t *self); //  0 when empty
uint64_t intervals_total (const intervals_t *self);   //  how many numbers; saturates at UINT64_MAX
//  Numbers missing between 1 and the highest, counted in runs: the "gaps" of the protocol.
uint32_t intervals_gaps (const intervals_t *self);

//  Bytes needed / writes them and returns the size; `room` must be >= the size.
size_t intervals_packed_size (const intervals_t *self);
size_t intervals_pack (const intervals_t *self, uint8_t *out, size_t room);

//  Replaces self. Returns -1 and leaves the empty set if the bytes are not one
//  canonical set of at most `max_ranges` ranges, with nothing after it.
int intervals_unpack (intervals_t *self, const uint8_t *bytes, size_t size, uint32_t max_ranges);

#endif
