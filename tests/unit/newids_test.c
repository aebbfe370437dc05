//  newids: an id that was given, or that the state may know, is never called free

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "identity.h"
#include "newids.h"

#define NOW_MS INT64_C (1796000000000)

static uint64_t s_id (int64_t ms, uint64_t hash)
{
    return incident_id_first (ms) | (hash & 0x3fffff);
}

static void test_free_and_given (void **state)
{
    (void)state;
    newids_t *ids = newids_new (s_id (NOW_MS, 5), UINT64_MAX);
    assert_false (newids_free (ids, s_id (NOW_MS, 5)));      //  the state has it
    assert_false (newids_free (ids, s_id (NOW_MS - 10, 7))); //  the state may have it
    assert_true (newids_free (ids, s_id (NOW_MS + 1, 7)));
    newids_add (ids, s_id (NOW_MS + 1, 7), NOW_MS);
    assert_false (newids_free (ids, s_id (NOW_MS + 1, 7)));
    assert_true (newids_free (ids, s_id (NOW_MS + 1, 8)));
    newids_destroy (&ids);
    assert_null (ids);
}

//  Several times what both filters hold: none of the given is free at any time, and most new ones are known to be.
static void test_never_free_after_given (void **state)
{
    (void)state;
    enum { COUNT = 900000 };
    newids_t *ids = newids_new (0, UINT64_MAX);
    uint64_t x = 88172645463325252u;
    int unsure = 0;
    static uint64_t given [COUNT];
    for (int i = 0; i < COUNT; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        //  in bursts, and now and then written a minute ago
        given [i] = s_id (NOW_MS + i / 50 - (i % 97 ? 0 : 60000), x);
        unsure += !newids_free (ids, given [i]);
        newids_add (ids, given [i], NOW_MS + i / 50);
        int earlier = (int)(x % (uint64_t)(i + 1));
        assert_false (newids_free (ids, given [earlier]));
    }
    for (int i = 0; i < COUNT; i++)
        assert_false (newids_free (ids, given [i]));
    assert_in_range (unsure, 1, COUNT / 20);
    newids_destroy (&ids);
}

//  A clock two days ahead does not lift the floor: what is written today stays cheap, what is ahead is asked about.
static void test_clock_ahead (void **state)
{
    (void)state;
    newids_t *ids = newids_new (s_id (NOW_MS, 0), UINT64_MAX);
    uint64_t ahead = s_id (NOW_MS + 2 * 86400000, 1);
    newids_add (ids, ahead, NOW_MS);
    assert_false (newids_free (ids, ahead));
    assert_false (newids_free (ids, ahead + 1));
    assert_true (newids_free (ids, s_id (NOW_MS + 10, 1)));
    for (uint64_t i = 0; i < 250000; i++)
        newids_add (ids, s_id (NOW_MS + 10 + (int64_t)i / 100, i), NOW_MS);
    assert_true (newids_free (ids, s_id (NOW_MS + 5000, 1)));
    assert_false (newids_free (ids, ahead));
    newids_destroy (&ids);
    ids = newids_new (0, ahead); //  as found in the state at opening
    assert_false (newids_free (ids, ahead));
    assert_true (newids_free (ids, ahead - 1));
    newids_destroy (&ids);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_free_and_given),
        cmocka_unit_test (test_never_free_after_given),
        cmocka_unit_test (test_clock_ahead),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
