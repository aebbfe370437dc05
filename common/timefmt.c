//  timefmt - times in and out: RFC 3339, milliseconds since 1970 UTC inside

#include "timefmt.h"

#include <assert.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY_MS ((int64_t)86400000)
#define LAST_MS 253402300799999LL //  9999-12-31T23:59:59.999Z

static int64_t s_clock_ms (clockid_t clock)
{
    struct timespec now;
    clock_gettime (clock, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t time_now_ms (void)
{
    return s_clock_ms (CLOCK_REALTIME);
}

int64_t time_mono_ms (void)
{
    return s_clock_ms (CLOCK_MONOTONIC);
}

uint64_t time_uptime_ms (void)
{
    //  counts the time asleep too: a tip's age is real age
    return (uint64_t)s_clock_ms (CLOCK_BOOTTIME);
}

//  Seconds rounded down, so that times before 1970 come out right too.

static int64_t s_split (int64_t ms, int *rest)
{
    int64_t seconds = ms / 1000;
    *rest = (int)(ms % 1000);
    if (*rest < 0) {
        *rest += 1000;
        seconds--;
    }
    return seconds;
}

void time_format_utc (char out [32], int64_t ms)
{
    int rest;
    time_t seconds = (time_t)s_split (ms, &rest);
    struct tm when;
    if (ms > LAST_MS || ms < -62135596800000LL || !gmtime_r (&seconds, &when)) {
        memcpy (out, "-", 2);
        return;
    }
    char fraction [8] = "";
    if (rest)
        snprintf (fraction, sizeof fraction, ".%03u", (unsigned)rest % 1000);
    snprintf (out, 32, "%04u-%02u-%02uT%02u:%02u:%02u%sZ", (unsigned)(when.tm_year + 1900) % 10000,
        (unsigned)(when.tm_mon + 1) % 100, (unsigned)when.tm_mday % 100, (unsigned)when.tm_hour % 100,
        (unsigned)when.tm_min % 100, (unsigned)when.tm_sec % 100, fraction);
}

void time_format_local (char out [40], int64_t ms)
{
    int rest;
    time_t seconds = (time_t)s_split (ms, &rest);
    struct tm when;
    if (ms > LAST_MS || ms < -62135596800000LL || !localtime_r (&seconds, &when)) {
        memcpy (out, "-", 2);
        return;
    }
    long minutes = when.tm_gmtoff / 60;
    char sign = minutes < 0 ? '-' : '+';
    if (minutes < 0)
        minutes = -minutes;
    snprintf (out, 40, "%04u-%02u-%02u %02u:%02u:%02u%c%02u:%02u", (unsigned)(when.tm_year + 1900) % 100000,
        (unsigned)(when.tm_mon + 1) % 100, (unsigned)when.tm_mday % 100, (unsigned)when.tm_hour % 100,
        (unsigned)when.tm_min % 100, (unsigned)when.tm_sec % 100, sign, (unsigned)(minutes / 60) % 100,
        (unsigned)(minutes % 60));
}

//  ---- reading

//  Exactly `digits` digits; moves the cursor past them.

static bool s_digits (const char **cursor, int digits, int *value)
{
    int result = 0;
    for (int index = 0; index < digits; index++) {
        char digit = (*cursor) [index];
        if (digit < '0' || digit > '9')
            return false;
        result = result * 10 + (digit - '0');
    }
    *cursor += digits;
    *value = result;
    return true;
}

static bool s_char (const char **cursor, char wanted)
{
    if (**cursor != wanted)
        return false;
    (*cursor)++;
    return true;
}

static int s_month_days (int year, int month)
{
    static const int days [12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days [month - 1] + (month == 2 && leap);
}

static bool s_date (const char **cursor, struct tm *when)
{
    int year, month, day;
    if (!s_digits (cursor, 4, &year) || !s_char (cursor, '-') || !s_digits (cursor, 2, &month) || !s_char (cursor, '-')
        || !s_digits (cursor, 2, &day))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > s_month_days (year, month))
        return false;
    when->tm_year = year - 1900;
    when->tm_mon = month - 1;
    when->tm_mday = day;
    return true;
}

//  "08:15", "08:15:30", "08:15:30.5"; a leap second counts as the last second of its minute.

static bool s_clock_time (const char **cursor, struct tm *when, int *ms)
{
    *ms = 0;
    if (!s_digits (cursor, 2, &when->tm_hour) || !s_char (cursor, ':') || !s_digits (cursor, 2, &when->tm_min))
        return false;
    if (when->tm_hour > 23 || when->tm_min > 59)
        return false;
    if (!s_char (cursor, ':'))
        return true;
    if (!s_digits (cursor, 2, &when->tm_sec) || when->tm_sec > 60)
        return false;
    if (when->tm_sec == 60)
        when->tm_sec = 59;
    if (!s_char (cursor, '.'))
        return true;
    int digit, places = 0;
    for (int scale = 100; s_digits (cursor, 1, &digit); scale /= 10, places++)
        *ms += digit * scale;
    return places > 0;
}

//  "Z", "+08:00", "-0330"; nothing = local time. Seconds east of UTC.

static bool s_offset (const char **cursor, bool *local, int *seconds)
{
    *local = **cursor == 0;
    *seconds = 0;
    if (*local || s_char (cursor, 'Z') || s_char (cursor, 'z'))
        return true;
    int sign = **cursor == '-' ? -1 : 1;
    if (!s_char (cursor, '+') && !s_char (cursor, '-'))
        return false;
    int hours, minutes;
    if (!s_digits (cursor, 2, &hours))
        return false;
    s_char (cursor, ':');
    if (!s_digits (cursor, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool s_calendar (int64_t *result, const char *cursor)
{
    struct tm when = { 0 };
    bool local = true;
    int offset = 0, fraction = 0;
    if (!s_date (&cursor, &when))
        return false;
    if (*cursor) {
        if (!s_char (&cursor, 'T') && !s_char (&cursor, 't') && !s_char (&cursor, ' '))
            return false;
        if (!s_clock_time (&cursor, &when, &fraction) || !s_offset (&cursor, &local, &offset) || *cursor)
            return false;
    }
    int64_t seconds;
    if (local) {
        when.tm_isdst = -1;
        seconds = mktime (&when);
    } else
        seconds = (int64_t)timegm (&when) - offset;
    *result = seconds * 1000 + fraction;
    return *result >= 0 && *result <= LAST_MS;
}

int time_parse (int64_t *ms, const char *text, int64_t now_ms)
{
    assert (ms);
    if (!text)
        return -1;
    int64_t result;
    if (strcmp (text, "now") == 0)
        result = now_ms;
    else if (text [0] == '-') {
        int64_t before;
        if (duration_parse (&before, text + 1))
            return -1;
        result = now_ms - before;
        if (result < 0)
            return -1;
    } else if (!s_calendar (&result, text))
        return -1;
    *ms = result;
    return 0;
}

int duration_parse (int64_t *ms, const char *text)
{
    assert (ms);
    if (!text || text [0] < '0' || text [0] > '9')
        return -1;
    int64_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (*text - '0');
        if (value > 1000000000)
            return -1;
    }
    int64_t unit = 0;
    switch (*text) {
    case 's':
        unit = 1000;
        break;
    case 'm':
        unit = 60000;
        break;
    case 'h':
        unit = 3600000;
        break;
    case 'd':
        unit = DAY_MS;
        break;
    default:
        return -1;
    }
    if (text [1] || value == 0)
        return -1;
    *ms = value * unit;
    return 0;
}

void duration_format (char out [24], int64_t ms)
{
    if (ms < 0)
        ms = 0;
    //  one unit is enough for people, and two of the smaller one before it changes
    if (ms < 120000)
        snprintf (out, 24, "%" PRId64 " s", ms / 1000);
    else if (ms < 7200000)
        snprintf (out, 24, "%" PRId64 " min", ms / 60000);
    else if (ms < 2 * DAY_MS)
        snprintf (out, 24, "%" PRId64 " h", ms / 3600000);
    else
        snprintf (out, 24, "%" PRId64 " d", ms / DAY_MS);
}
