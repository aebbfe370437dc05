//  tiptime: what the measured clock corrects, what cannot be, and what is too old for the live picture

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "tiptime.h"

#define MINUTE 60000ll
#define HOUR 3600000ll
#define DAY (24 * HOUR)
#define NOW 1790000000000ll

static const kind_t s_kind = { .id = "hazard", .life_h = 48 };

//  A device enrolled ten days ago whose clock was off by offset_ms when it last attached.
static tiptime_t s_judge (int64_t offset_ms, int64_t written_ms, int64_t seen_ms)
{
    member_t member = { .enrolled_ms = NOW - 10 * DAY, .clock_offset_ms = offset_ms };
    return tiptime_judge (&member, &s_kind, CLASS_NORMAL, written_ms, seen_ms, NOW);
}

static void test_right_clock (void **state)
{
    (void)state;
    tiptime_t time = s_judge (0, NOW - 5000, 0);
    assert_int_equal (time.seen_ms, NOW - 5000);
    assert_int_equal (time.offset_ms, 0);
    assert_false (time.late);
    //  a minute is not worth a correction
    time = s_judge (MINUTE, NOW, NOW - HOUR);
    assert_int_equal (time.offset_ms, 0);
    assert_int_equal (time.seen_ms, NOW - HOUR);
}

static void test_wrong_clock (void **state)
{
    (void)state;
    tiptime_t time = s_judge (2 * HOUR, NOW + 2 * HOUR - 5000, NOW + HOUR);
    assert_int_equal (time.offset_ms, 2 * HOUR);
    assert_int_equal (time.seen_ms, NOW - HOUR);
    //  lost its time: 1970, measured
    time = s_judge (-NOW, 30000, 0);
    assert_int_equal (time.seen_ms, NOW + 30000);
    assert_false (time.late);
}

//  The clock that was measured is not the one it was written by.
static void test_impossible (void **state)
{
    (void)state;
    //  later than it came
    tiptime_t time = s_judge (0, NOW + 3 * HOUR, NOW + 2 * HOUR);
    assert_int_equal (time.offset_ms, 3 * HOUR);
    assert_int_equal (time.seen_ms, NOW - HOUR);
    assert_false (time.late);
    //  before the device was enrolled: years old by its word, and shown as live
    time = s_judge (0, 1000 * DAY, 0);
    assert_int_equal (time.seen_ms, NOW);
    assert_false (time.late);
    //  as does one whose measured offset was mended since it wrote
    time = s_judge (-20 * 365 * DAY, NOW - HOUR, 0);
    assert_int_equal (time.seen_ms, NOW);
}

static void test_late (void **state)
{
    (void)state;
    assert_false (s_judge (0, NOW - 48 * HOUR, 0).late);
    assert_true (s_judge (0, NOW - 48 * HOUR - 1, 0).late);
    //  written now about what was long ago
    assert_true (s_judge (0, NOW, NOW - 3 * DAY).late);
    assert_true (s_judge (HOUR, NOW + HOUR, NOW - 3 * DAY).late);
    //  an sos is live whenever it comes
    member_t member = { .enrolled_ms = NOW - 10 * DAY };
    assert_false (tiptime_judge (&member, &s_kind, CLASS_SOS, NOW - 9 * DAY, 0, NOW).late);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_right_clock),
        cmocka_unit_test (test_wrong_clock),
        cmocka_unit_test (test_impossible),
        cmocka_unit_test (test_late),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
