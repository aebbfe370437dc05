//  meshtarget_test - where neighbours may be, when beacons are made up by the thousand

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "meshtarget.h"

#define NOW INT64_C (1000000)

static meshtarget_t *s_heard (meshtargets_t *all, const char *host, int port, int64_t now)
{
    meshtarget_t *target = meshtargets_at (all, host, (uint16_t)port, now);
    if (target)
        target->heard_ms = now;
    return target;
}

static void test_a_place_is_found_again (void **state)
{
    (void)state;
    meshtargets_t all = { 0 };
    meshtargets_configure (&all, "tcp://localhost:7420", 0);
    assert_string_equal (all.all [0].host, "127.0.0.1");
    assert_ptr_equal (s_heard (&all, "127.0.0.1", 7420, NOW), &all.all [0]);
    meshtarget_t *one = s_heard (&all, "192.0.2.1", 1, NOW);
    assert_ptr_equal (s_heard (&all, "192.0.2.1", 1, NOW + 1), one);
    assert_ptr_not_equal (s_heard (&all, "192.0.2.1", 2, NOW + 1), one);
}

//  One host fills the table with fresh places: another host's beacon finds room, once and again.
static void test_one_host_cannot_keep_others_out (void **state)
{
    (void)state;
    meshtargets_t all = { 0 };
    meshtargets_configure (&all, "tcp://192.0.2.9:7420", 0);
    for (int port = 1; port <= 5000; port++)
        s_heard (&all, "192.0.2.66", port, NOW);
    for (int host = 1; host <= 20; host++) {
        char name [32];
        snprintf (name, sizeof name, "192.0.2.%d", 100 + host);
        assert_non_null (s_heard (&all, name, 7420, NOW));
        for (int port = 1; port <= 5000; port++)
            s_heard (&all, "192.0.2.66", 6000 + port, NOW + 1);
        assert_non_null (s_heard (&all, name, 7420, NOW + 2));
    }
    assert_true (all.all [0].configured);
}

//  The same from many made-up hosts: what was called in vain gives way, what is linked or not tried yet stays.
static void test_what_was_called_in_vain_gives_way (void **state)
{
    (void)state;
    meshtargets_t all = { 0 };
    char name [32];
    for (int i = 0; i < MESHTARGETS_MAX; i++) {
        snprintf (name, sizeof name, "198.51.100.%d", i);
        assert_non_null (s_heard (&all, name, 1, NOW));
    }
    assert_null (s_heard (&all, "192.0.2.1", 1, NOW));
    meshtarget_put_off (&all.all [5], NOW);
    assert_true (all.all [5].due_ms > NOW);
    assert_ptr_equal (s_heard (&all, "192.0.2.1", 1, NOW), &all.all [5]);
    assert_int_equal (all.all [5].failures, 0);
    all.all [5].peer = 1;
    //  nobody is heard any more
    for (int i = 0; i < 2 * MESHTARGETS_MAX; i++) {
        snprintf (name, sizeof name, "203.0.113.%d", i % 256);
        s_heard (&all, name, 1, NOW + 6000);
    }
    assert_string_equal (all.all [5].host, "192.0.2.1");
}

static void test_peers_are_written_one_way (void **state)
{
    (void)state;
    assert_true (meshtarget_ok ("tcp://192.0.2.1:7420"));
    assert_true (meshtarget_ok ("tcp://localhost:1"));
    static const char *const bad [] = { "", "tcp://", "tcp://:1", "tcp://192.0.2.1", "tcp://192.0.2.1:", "tcp://192.0.2.1:0",
        "tcp://192.0.2.1:65536", "tcp://192.0.2.1:1x", "udp://192.0.2.1:1", "tcp://example.org:1", "tcp://192.0.2:1",
        "tcp://192.0.2.1:123456", "ipc://x:1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false (meshtarget_ok (bad [i]));
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_peers_are_written_one_way),
        cmocka_unit_test (test_a_place_is_found_again),
        cmocka_unit_test (test_one_host_cannot_keep_others_out),
        cmocka_unit_test (test_what_was_called_in_vain_gives_way),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
