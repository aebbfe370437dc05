//  intervals_test - the set of counters, checked against a plain table of bits

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "intervals.h"

#define SPACE 300u //  numbers 0..299 in the property test

//  Repeatable: a failure can be run again.
static uint32_t s_random (uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void s_assert_packs_as (const intervals_t *set, const void *bytes, size_t size)
{
    uint8_t out [64];
    assert_int_equal (intervals_packed_size (set), size);
    assert_int_equal (intervals_pack (set, out, sizeof out), size);
    assert_memory_equal (out, bytes, size);
    intervals_t again = { 0 };
    assert_int_equal (intervals_unpack (&again, out, size, 64), 0);
    assert_true (intervals_equal (&again, set));
    intervals_clear (&again);
}

static void test_example (void **state)
{
    (void)state;
    intervals_t taken = { 0 };
    for (uint64_t counter = 1; counter <= 17; counter++)
        assert_true (intervals_add_one (&taken, counter));
    assert_int_equal (taken.count, 1);            //  an honest device is one range
    assert_false (intervals_add_one (&taken, 9)); //  a retry is not new
    assert_true (intervals_add_one (&taken, 19));
    assert_int_equal (intervals_gaps (&taken), 1);
    assert_int_equal (intervals_highest (&taken), 19);
    assert_int_equal (intervals_total (&taken), 18);
    assert_true (intervals_has (&taken, 17));
    assert_false (intervals_has (&taken, 18));
    assert_true (intervals_add_one (&taken, 18));
    assert_int_equal (taken.count, 1);
    assert_int_equal (intervals_gaps (&taken), 0);

    intervals_t copy = { 0 };
    intervals_copy (&copy, &taken);
    assert_true (intervals_equal (&copy, &taken));
    intervals_clear (&copy);
    assert_int_equal (intervals_highest (&copy), 0);
    assert_int_equal (intervals_total (&copy), 0);
    intervals_clear (&taken);
}

//  The vectors of PROTOCOL.md, section 11.
static void test_vectors (void **state)
{
    (void)state;
    intervals_t set = { 0 };
    s_assert_packs_as (&set, "\x00", 1);
    intervals_add (&set, 1, 17);
    intervals_add_one (&set, 19);
    s_assert_packs_as (&set, "\x02\x01\x10\x01\x00", 5);
    intervals_add (&set, 300, 1000);
    s_assert_packs_as (&set, "\x03\x01\x10\x01\x00\x98\x02\xbc\x05", 9);
    intervals_add (&set, 0, UINT64_MAX);
    s_assert_packs_as (&set, "\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);
    assert_true (intervals_total (&set) == UINT64_MAX);
    intervals_clear (&set);
}

static void test_ends_of_the_number_line (void **state)
{
    (void)state;
    intervals_t set = { 0 };
    assert_true (intervals_add_one (&set, UINT64_MAX));
    assert_false (intervals_add_one (&set, UINT64_MAX));
    assert_true (intervals_add_one (&set, 0));
    assert_int_equal (set.count, 2);
    assert_true (intervals_add_one (&set, UINT64_MAX - 1));
    assert_int_equal (set.count, 2);
    assert_int_equal (intervals_total (&set), 3);
    assert_int_equal (intervals_gaps (&set), 1);
    s_assert_packs_as (&set, "\x02\x00\x00\xfd\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01", 14);

    intervals_t all = { 0 };
    intervals_add (&all, 0, UINT64_MAX);
    intervals_subtract (&all, &set);
    assert_int_equal (all.count, 1);
    assert_true (all.items [0].first == 1 && all.items [0].last == UINT64_MAX - 2);
    intervals_merge (&all, &set);
    assert_true (all.count == 1 && intervals_has (&all, 0) && intervals_has (&all, UINT64_MAX));
    intervals_subtract (&all, &all);
    assert_int_equal (all.count, 0);
    intervals_clear (&all);
    intervals_clear (&set);
}

//  ---- the property test

static void s_assert_same (const intervals_t *set, const bool *table)
{
    uint64_t total = 0, highest = 0;
    for (uint32_t number = 0; number < SPACE; number++) {
        assert_int_equal (intervals_has (set, number), table [number]);
        if (table [number]) {
            total++;
            highest = number;
        }
    }
    uint32_t gaps = 0;
    for (uint32_t number = 1; number < highest; number++)
        gaps += !table [number] && (number == 1 || table [number - 1]);
    assert_int_equal (intervals_total (set), total);
    assert_int_equal (intervals_highest (set), highest);
    assert_int_equal (intervals_gaps (set), gaps);
    for (uint32_t index = 1; index < set->count; index++)
        assert_true (set->items [index].first > set->items [index - 1].last + 1);
}

static void s_assert_round_trip (const intervals_t *set)
{
    uint8_t bytes [2048];
    intervals_t again = { 0 };
    size_t size = intervals_pack (set, bytes, sizeof bytes);
    assert_int_equal (intervals_unpack (&again, bytes, size, SPACE), 0);
    assert_true (intervals_equal (&again, set));
    //  Every shorter piece, and one octet more, is another thing than a set.
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal (intervals_unpack (&again, bytes, cut, SPACE), -1);
    bytes [size] = 0;
    assert_int_equal (intervals_unpack (&again, bytes, size + 1, SPACE), -1);
    if (set->count > 0)
        assert_int_equal (intervals_unpack (&again, bytes, size, set->count - 1), -1);
    assert_int_equal (again.count, 0);
    intervals_clear (&again);
}

//  A few random ranges, in both forms.
static void s_random_set (intervals_t *set, bool *table, uint32_t *seed)
{
    memset (table, 0, SPACE);
    for (uint32_t count = s_random (seed) % 12; count > 0; count--) {
        uint32_t first = s_random (seed) % SPACE;
        uint32_t last = first + s_random (seed) % 20;
        if (last >= SPACE)
            last = SPACE - 1;
        intervals_add (set, first, last);
        for (uint32_t number = first; number <= last; number++)
            table [number] = true;
    }
}

static void test_against_a_plain_table (void **state)
{
    (void)state;
    uint32_t seed = 20261123;
    bool table [SPACE] = { false }, other_table [SPACE];
    intervals_t set = { 0 };
    for (int step = 0; step < 1500; step++) {
        intervals_t other = { 0 };
        s_random_set (&other, other_table, &seed);
        s_assert_same (&other, other_table);
        uint32_t what = s_random (&seed) % 8;
        if (what == 0) {
            intervals_merge (&set, &other);
            for (uint32_t number = 0; number < SPACE; number++)
                table [number] |= other_table [number];
        } else if (what <= 2) {
            intervals_subtract (&set, &other);
            for (uint32_t number = 0; number < SPACE; number++)
                table [number] &= !other_table [number];
        } else {
            uint32_t number = s_random (&seed) % SPACE;
            assert_int_equal (intervals_add_one (&set, number), !table [number]);
            table [number] = true;
        }
        intervals_clear (&other);
        s_assert_same (&set, table);
        s_assert_round_trip (&set);
    }
    intervals_clear (&set);
}

//  ---- bytes from strangers

static void s_assert_refused (const char *bytes, size_t size)
{
    intervals_t set = { 0 };
    intervals_add (&set, 5, 9);
    assert_int_equal (intervals_unpack (&set, (const uint8_t *)bytes, size, 64), -1);
    assert_int_equal (set.count, 0);
    intervals_clear (&set);
}

static void test_hostile_bytes (void **state)
{
    (void)state;
    s_assert_refused ("", 0);
    s_assert_refused ("\x01", 1);     //  no range follows
    s_assert_refused ("\x80\x00", 2); //  longer than need be
    s_assert_refused ("\x01\x81\x00\x00", 4);
    s_assert_refused ("\x02\x01\x00\x00\x00", 5);                                      //  touches the range before
    s_assert_refused ("\x41\x01\x00", 3);                                              //  65 ranges
    s_assert_refused ("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x00", 12);         //  a count that asks for all memory
    s_assert_refused ("\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 12);         //  65 bits
    s_assert_refused ("\x01\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);         //  ends beyond 64 bits
    s_assert_refused ("\x02\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x00", 14); //  a range behind the last number
    s_assert_refused ("\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 13);     //  11 octets
}

//  Whatever is accepted is the one way to write that set.
static void test_accepts_only_the_canonical_form (void **state)
{
    (void)state;
    uint32_t seed = 1;
    uint32_t accepted = 0;
    for (int step = 0; step < 100000; step++) {
        uint8_t bytes [12], again [16];
        size_t size = s_random (&seed) % sizeof bytes;
        for (size_t index = 0; index < size; index++)
            bytes [index] = (uint8_t)(s_random (&seed) % (index == 0 ? 6 : 256)) & (step % 2 ? 0x87 : 0xFF);
        intervals_t set = { 0 };
        if (intervals_unpack (&set, bytes, size, 64) == 0) {
            accepted++;
            assert_int_equal (intervals_pack (&set, again, sizeof again), size);
            assert_memory_equal (again, bytes, size);
        }
        intervals_clear (&set);
    }
    assert_true (accepted > 100);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_example),
        cmocka_unit_test (test_vectors),
        cmocka_unit_test (test_ends_of_the_number_line),
        cmocka_unit_test (test_against_a_plain_table),
        cmocka_unit_test (test_hostile_bytes),
        cmocka_unit_test (test_accepts_only_the_canonical_form),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
