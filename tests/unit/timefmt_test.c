//  timefmt: what people type and what we print

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "timefmt.h"

#define NOW 1795594530123LL //  2026-11-25T08:15:30.123Z

static int64_t s_parse (const char *text)
{
    int64_t ms = -1;
    return time_parse (&ms, text, NOW) == 0 ? ms : -1;
}

static void test_formats (void **state)
{
    (void)state;
    char utc [32], local [40];
    time_format_utc (utc, NOW);
    assert_string_equal (utc, "2026-11-25T08:15:30.123Z");
    time_format_utc (utc, 0);
    assert_string_equal (utc, "1970-01-01T00:00:00Z");
    time_format_utc (utc, INT64_MAX);
    assert_string_equal (utc, "-");
    time_format_utc (utc, INT64_MIN);
    assert_string_equal (utc, "-");
    time_format_local (local, NOW);
    assert_string_equal (local, "2026-11-25 16:15:30+08:00");
}

static void test_parses_calendar (void **state)
{
    (void)state;
    assert_int_equal (s_parse ("2026-11-25T08:15:30.123Z"), NOW);
    assert_int_equal (s_parse ("2026-11-25 16:15:30.123+08:00"), NOW);
    assert_int_equal (s_parse ("2026-11-25 16:15:30.123"), NOW); //  local: Shanghai
    assert_int_equal (s_parse ("2026-11-25t08:15:30.1239999z"), NOW);
    assert_int_equal (s_parse ("2026-11-25T08:15Z"), NOW - 30123);
    assert_int_equal (s_parse ("1970-01-01T00:00:00Z"), 0);
    assert_int_equal (s_parse ("2026-11-25"), s_parse ("2026-11-24T16:00:00Z"));
    assert_int_equal (s_parse ("2024-02-29T00:00:00Z"), 1709164800000LL);
    assert_int_equal (s_parse ("9999-12-31T23:59:59.999Z"), 253402300799999LL);
}

static void test_parses_before_now (void **state)
{
    (void)state;
    assert_int_equal (s_parse ("now"), NOW);
    assert_int_equal (s_parse ("-15m"), NOW - 15 * 60000);
    assert_int_equal (s_parse ("-2h"), NOW - 2 * 3600000);
    assert_int_equal (s_parse ("-3d"), NOW - 3 * 86400000LL);
}

static void test_refuses (void **state)
{
    (void)state;
    static const char *const bad []
        = { "", " ", "yesterday", "2026-02-29", "2026-13-01", "2026-00-10", "2026-04-31", "1969-12-31", "26-11-25",
              "2026-11-25T24:00:00Z", "2026-11-25T08:60Z", "2026-11-25T08:15:61Z", "2026-11-25T08:15:30.Z", "2026-11-25T",
              "2026-11-25T08:15:30Zx", "2026-11-25T08:15:30+8", "2026-11-25T08:15:30+24:00", "2026-11-25x08:15Z", "-", "-15",
              "-0m", "-99999999d", "+15m", "now ", "1970-01-01T00:00:00+08:00" };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        if (s_parse (bad [index]) != -1)
            fail_msg ("accepted: %s", bad [index]);
}

static void test_durations (void **state)
{
    (void)state;
    int64_t ms;
    char out [24];
    assert_int_equal (duration_parse (&ms, "90s"), 0);
    assert_int_equal (ms, 90000);
    assert_int_equal (duration_parse (&ms, "7d"), 0);
    assert_int_equal (ms, 7 * 86400000LL);
    static const char *const bad [] = { "", "s", "0s", "5", "5w", "-5s", "5 s", "1.5h", "99999999999d", "5mm" };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        if (duration_parse (&ms, bad [index]) != -1)
            fail_msg ("accepted: %s", bad [index]);
    duration_format (out, 3999);
    assert_string_equal (out, "3 s");
    duration_format (out, 12 * 60000);
    assert_string_equal (out, "12 min");
    duration_format (out, 5 * 3600000);
    assert_string_equal (out, "5 h");
    duration_format (out, 8 * 86400000LL);
    assert_string_equal (out, "8 d");
    duration_format (out, -1);
    assert_string_equal (out, "0 s");
}

static void test_clocks (void **state)
{
    (void)state;
    int64_t before = time_mono_ms ();
    assert_true (time_mono_ms () >= before);
    assert_true (time_now_ms () > 1577836800000LL);
    assert_true (time_uptime_ms () > 0);
}

int main (void)
{
    setenv ("TZ", "CST-8", 1);
    tzset ();
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_formats),
        cmocka_unit_test (test_parses_calendar),
        cmocka_unit_test (test_parses_before_now),
        cmocka_unit_test (test_refuses),
        cmocka_unit_test (test_durations),
        cmocka_unit_test (test_clocks),
    };
    return cmocka_run_group_tests_name ("timefmt", tests, NULL, NULL);
}
