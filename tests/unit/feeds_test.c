//  feeds: what is remembered of the newest items

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "feeds.h"

//  Item n of the feed is shown by record n * step: held against the numbers themselves.
static void s_check (const feed_t *feed, uint64_t after, uint64_t last, uint64_t step)
{
    slot_t slots [100];
    int count = feed_recall (feed, after, slots, 100);
    if (count < 0) {
        assert_true (after < feed->recent_after);
        return;
    }
    uint64_t left = after < last ? last - after : 0;
    assert_int_equal (count, left < 100 ? left : 100);
    for (int i = 0; i < count; i++) {
        assert_int_equal (slots [i].n, after + 1 + (uint64_t)i);
        assert_int_equal (slots [i].seq, slots [i].n * step);
        assert_int_equal (slots [i].device, slots [i].n % 3);
    }
}

static void s_remembers (uint64_t step, uint64_t items)
{
    feeds_t *feeds = feeds_new ();
    feed_t *feed = feeds_get (feeds, "A", 1);
    for (uint64_t n = 1; n <= items; n++) {
        feed_remember (feed, &(slot_t){ .n = n, .seq = n * step, .device = (uint32_t)(n % 3) });
        if (n % 97 == 0)
            for (uint64_t back = 0; back < 40000; back = back * 2 + 1)
                s_check (feed, n > back ? n - back : 0, n, step);
        //  never fewer than it promises
        uint64_t oldest = n * step > FEED_RECENT ? (n * step - FEED_RECENT) / step : 0;
        assert_true (feed->recent_after <= oldest);
    }
    //  and not many more: the ring holds at most twice that, or its least
    assert_true (feed->recent_room <= 16 || feed->recent_room < 4 * FEED_RECENT / step);
    feeds_destroy (&feeds);
}

static void test_a_busy_feed (void **state)
{
    (void)state;
    s_remembers (1, 3 * FEED_RECENT);
}

static void test_a_quiet_feed (void **state)
{
    (void)state;
    s_remembers (5000, 2000);
    s_remembers (300, 2000);
}

static void test_a_feed_that_was_there_before (void **state)
{
    (void)state;
    feeds_t *feeds = feeds_new ();
    feed_t *feed = feeds_get (feeds, "A", 1);
    slot_t slot;
    feed->durable = feed->recent_after = 40;
    assert_int_equal (feed_recall (feed, 39, &slot, 1), -1);
    assert_int_equal (feed_recall (feed, 40, &slot, 1), 0);
    feed_remember (feed, &(slot_t){ .n = 41, .seq = 500 });
    assert_int_equal (feed_recall (feed, 39, &slot, 1), -1);
    assert_int_equal (feed_recall (feed, 40, &slot, 1), 1);
    assert_int_equal (slot.seq, 500);
    assert_int_equal (feed_recall (feed, 41, &slot, 1), 0);
    feeds_destroy (&feeds);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_a_busy_feed),
        cmocka_unit_test (test_a_quiet_feed),
        cmocka_unit_test (test_a_feed_that_was_there_before),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
