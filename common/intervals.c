//  intervals - see intervals.h

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "intervals.h"

#define VARINT_MAX 10u //  bytes of the longest 64-bit varint

//  Makes room for `count` ranges.
static void s_reserve (intervals_t *self, uint32_t count)
{
    if (count <= self->room)
        return;
    uint32_t room = self->room ? self->room : 4;
    while (room < count)
        room = room > UINT32_MAX / 2 ? UINT32_MAX : room * 2;
    interval_t *items = realloc (self->items, room * sizeof (interval_t));
    if (!items)
        abort ();
    self->items = items;
    self->room = room;
}

//  Appends a range that begins at or after the start of the last one, joining it when they touch.
static void s_append (intervals_t *self, uint64_t first, uint64_t last)
{
    if (self->count > 0) {
        interval_t *end = &self->items [self->count - 1];
        if (first <= end->last || first - 1 == end->last) {
            if (last > end->last)
                end->last = last;
            return;
        }
    }
    assert (self->count < UINT32_MAX);
    s_reserve (self, self->count + 1);
    self->items [self->count++] = (interval_t){ first, last };
}

//  Index of the first range whose last is >= number; count if there is none.
static uint32_t s_find (const intervals_t *self, uint64_t number)
{
    uint32_t low = 0, high = self->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (self->items [middle].last < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void intervals_clear (intervals_t *self)
{
    free (self->items);
    *self = (intervals_t){ 0 };
}

void intervals_copy (intervals_t *self, const intervals_t *from)
{
    if (self == from)
        return;
    s_reserve (self, from->count);
    if (from->count > 0)
        memcpy (self->items, from->items, from->count * sizeof (interval_t));
    self->count = from->count;
}

//  The range lies somewhere inside the set: it swallows every range it touches.
static bool s_insert (intervals_t *self, uint64_t first, uint64_t last)
{
    uint32_t begin = s_find (self, first ? first - 1 : 0);
    uint32_t end = begin;
    while (end < self->count && (last == UINT64_MAX || self->items [end].first <= last + 1))
        end++;
    if (begin == end) {
        assert (self->count < UINT32_MAX);
        s_reserve (self, self->count + 1);
        memmove (&self->items [begin + 1], &self->items [begin], (self->count - begin) * sizeof (interval_t));
        self->items [begin] = (interval_t){ first, last };
        self->count++;
        return true;
    }
    interval_t *range = &self->items [begin];
    if (range->first <= first && range->last >= last)
        return false;
    if (first < range->first)
        range->first = first;
    if (last < self->items [end - 1].last)
        last = self->items [end - 1].last;
    if (last > range->last)
        range->last = last;
    memmove (&self->items [begin + 1], &self->items [end], (self->count - end) * sizeof (interval_t));
    self->count -= end - begin - 1;
    return true;
}

bool intervals_add (intervals_t *self, uint64_t first, uint64_t last)
{
    assert (first <= last);
    //  The usual case, an honest device's next counter, costs one comparison.
    if (self->count == 0 || first > self->items [self->count - 1].last) {
        s_append (self, first, last);
        return true;
    }
    return s_insert (self, first, last);
}

bool intervals_add_one (intervals_t *self, uint64_t number)
{
    return intervals_add (self, number, number);
}

bool intervals_has (const intervals_t *self, uint64_t number)
{
    if (self->count == 0 || number > self->items [self->count - 1].last)
        return false;
    return self->items [s_find (self, number)].first <= number;
}

void intervals_merge (intervals_t *self, const intervals_t *other)
{
    if (self == other || other->count == 0)
        return;
    if (self->count == 0) {
        intervals_copy (self, other);
        return;
    }
    intervals_t sum = { 0 };
    uint32_t left = 0, right = 0;
    while (left < self->count || right < other->count) {
        bool take_left
            = right == other->count || (left < self->count && self->items [left].first <= other->items [right].first);
        const interval_t *range = take_left ? &self->items [left++] : &other->items [right++];
        s_append (&sum, range->first, range->last);
    }
    intervals_clear (self);
    *self = sum;
}

void intervals_subtract (intervals_t *self, const intervals_t *other)
{
    if (self == other) {
        self->count = 0;
        return;
    }
    if (self->count == 0 || other->count == 0)
        return;
    intervals_t rest = { 0 };
    uint32_t right = 0;
    for (uint32_t left = 0; left < self->count; left++) {
        uint64_t first = self->items [left].first;
        uint64_t last = self->items [left].last;
        bool remains = true;
        while (right < other->count && other->items [right].last < first)
            right++;
        //  A range of `other` may reach into the next range of ours, so only those that end here are passed.
        while (remains && right < other->count && other->items [right].first <= last) {
            const interval_t *hole = &other->items [right];
            if (hole->first > first)
                s_append (&rest, first, hole->first - 1);
            if (hole->last >= last)
                remains = false;
            else {
                first = hole->last + 1;
                right++;
            }
        }
        if (remains)
            s_append (&rest, first, last);
    }
    intervals_clear (self);
    *self = rest;
}

bool intervals_equal (const intervals_t *self, const intervals_t *other)
{
    if (self->count != other->count)
        return false;
    return self->count == 0 || memcmp (self->items, other->items, self->count * sizeof (interval_t)) == 0;
}

uint64_t intervals_highest (const intervals_t *self)
{
    return self->count ? self->items [self->count - 1].last : 0;
}

uint64_t intervals_total (const intervals_t *self)
{
    uint64_t total = 0;
    for (uint32_t index = 0; index < self->count; index++) {
        uint64_t beyond_first = self->items [index].last - self->items [index].first;
        if (beyond_first >= UINT64_MAX - total)
            return UINT64_MAX;
        total += beyond_first + 1;
    }
    return total;
}

uint32_t intervals_gaps (const intervals_t *self)
{
    if (self->count == 0)
        return 0;
    return self->count - 1 + (self->items [0].first > 1);
}

//  ---- serialised form

static size_t s_varint_size (uint64_t value)
{
    size_t size = 1;
    while (value >= 0x80) {
        value >>= 7;
        size++;
    }
    return size;
}

static size_t s_varint_write (uint8_t *out, uint64_t value)
{
    size_t size = 0;
    while (value >= 0x80) {
        out [size++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out [size++] = (uint8_t)value;
    return size;
}

//  Moves *at behind the varint. Returns -1 if it is cut off, longer than need be or above 64 bits.
static int s_varint_read (uint64_t *value, const uint8_t **at, const uint8_t *end)
{
    uint64_t result = 0;
    for (unsigned index = 0; index < VARINT_MAX && *at < end; index++) {
        uint8_t byte = *(*at)++;
        if (index == VARINT_MAX - 1 && byte > 1)
            return -1;
        result |= (uint64_t)(byte & 0x7F) << (7 * index);
        if (byte & 0x80)
            continue;
        if (byte == 0 && index > 0)
            return -1;
        *value = result;
        return 0;
    }
    return -1;
}

//  The first range is counted from 0; later ones from the number after the range before.
static uint64_t s_gap (const intervals_t *self, uint32_t index)
{
    uint64_t base = index ? self->items [index - 1].last + 1 : 0;
    return self->items [index].first - base;
}

size_t intervals_packed_size (const intervals_t *self)
{
    size_t size = s_varint_size (self->count);
    for (uint32_t index = 0; index < self->count; index++)
        size += s_varint_size (s_gap (self, index)) + s_varint_size (self->items [index].last - self->items [index].first);
    return size;
}

size_t intervals_pack (const intervals_t *self, uint8_t *out, size_t room)
{
    assert (room >= intervals_packed_size (self));
    (void)room;
    size_t size = s_varint_write (out, self->count);
    for (uint32_t index = 0; index < self->count; index++) {
        size += s_varint_write (out + size, s_gap (self, index));
        size += s_varint_write (out + size, self->items [index].last - self->items [index].first);
    }
    return size;
}

//  Reads one range behind `before` (NULL for the first). Returns -1 if it touches it or goes beyond 64 bits.
static int s_range_read (interval_t *range, const interval_t *before, const uint8_t **at, const uint8_t *end)
{
    uint64_t gap, length;
    if (s_varint_read (&gap, at, end) < 0 || s_varint_read (&length, at, end) < 0)
        return -1;
    range->first = gap;
    if (before) {
        if (gap == 0 || before->last == UINT64_MAX || gap > UINT64_MAX - (before->last + 1))
            return -1;
        range->first = before->last + 1 + gap;
    }
    if (length > UINT64_MAX - range->first)
        return -1;
    range->last = range->first + length;
    return 0;
}

static int s_unpack (intervals_t *self, const uint8_t *bytes, size_t size, uint32_t max_ranges)
{
    const uint8_t *at = bytes, *end = bytes + size;
    uint64_t count;
    if (size == 0 || s_varint_read (&count, &at, end) < 0)
        return -1;
    //  A range takes two bytes at least: a claimed count never allocates more than the bytes are worth.
    if (count > max_ranges || count > (size_t)(end - at) / 2)
        return -1;
    s_reserve (self, (uint32_t)count);
    for (uint32_t index = 0; index < count; index++) {
        const interval_t *before = index ? &self->items [index - 1] : NULL;
        if (s_range_read (&self->items [index], before, &at, end) < 0)
            return -1;
    }
    if (at != end)
        return -1;
    self->count = (uint32_t)count;
    return 0;
}

int intervals_unpack (intervals_t *self, const uint8_t *bytes, size_t size, uint32_t max_ranges)
{
    if (s_unpack (self, bytes, size, max_ranges) == 0)
        return 0;
    intervals_clear (self);
    return -1;
}
