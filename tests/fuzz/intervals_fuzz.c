//  Interval sets: only one form of each set is taken, and the set operations agree with one another.

#include "fuzz.h"

#include "intervals.h"

static void s_operations (intervals_t *left, const intervals_t *right)
{
    intervals_t both = { 0 }, rest = { 0 }, back = { 0 };
    intervals_copy (&both, left);
    intervals_merge (&both, right);
    intervals_copy (&rest, both.count ? &both : left);
    intervals_subtract (&rest, right);
    for (uint32_t index = 0; index < right->count; index++) {
        uint64_t first = right->items [index].first, last = right->items [index].last;
        FUZZ_EXPECT (intervals_has (&both, first) && intervals_has (&both, last));
        FUZZ_EXPECT (!intervals_has (&rest, first) && !intervals_has (&rest, last));
        FUZZ_EXPECT (!intervals_add (&both, first, last));
    }
    for (uint32_t index = 0; index < left->count; index++) {
        FUZZ_EXPECT (intervals_has (&both, left->items [index].first) && intervals_has (&both, left->items [index].last));
    }
    //  (left + right) - right + right = left + right
    intervals_copy (&back, &rest);
    intervals_merge (&back, right);
    FUZZ_EXPECT (intervals_equal (&back, &both));
    intervals_clear (&both);
    intervals_clear (&rest);
    intervals_clear (&back);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    size_t cut = fuzz_byte (&data, &size);
    cut = cut < size ? cut : size;
    intervals_t left = { 0 }, right = { 0 };
    uint8_t *one = fuzz_copy (data, cut), *two = fuzz_copy (data + cut, size - cut);
    int took_left = intervals_unpack (&left, one, cut, 100), took_right = intervals_unpack (&right, two, size - cut, 4096);
    FUZZ_EXPECT (took_left == 0 || left.count == 0);
    FUZZ_EXPECT (took_right == 0 || right.count == 0);
    if (took_left == 0) {
        uint8_t again [2048];
        FUZZ_EXPECT (left.count <= 100 && intervals_packed_size (&left) == cut);
        FUZZ_EXPECT (intervals_pack (&left, again, sizeof again) == cut && memcmp (again, one, cut) == 0);
        FUZZ_EXPECT (intervals_gaps (&left) <= left.count);
        FUZZ_EXPECT (left.count == 0 || intervals_total (&left) >= left.count);
    }
    s_operations (&left, &right);
    intervals_clear (&left);
    intervals_clear (&right);
    free (one);
    free (two);
    return 0;
}
