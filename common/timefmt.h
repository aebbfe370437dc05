//  timefmt - times in and out: RFC 3339, milliseconds since 1970 UTC inside

#ifndef TIMEFMT_H_INCLUDED
#define TIMEFMT_H_INCLUDED

#include <stdint.h>

int64_t time_now_ms (void);     //  wall clock
int64_t time_mono_ms (void);    //  monotonic, for timers
uint64_t time_uptime_ms (void); //  since boot

//  "2026-11-23T08:15:30.123Z"; milliseconds are left out when zero.
void time_format_utc (char out [32], int64_t ms);
//  For people: local time with offset, "2026-11-23 16:15:30+08:00".
void time_format_local (char out [40], int64_t ms);
//  RFC 3339 with Z or offset, a space or T between; seconds may be left out; a date alone is its midnight, a time
//  without an offset is local time; also "-15m", "-2h", "-3d" before now, and "now". -1 if it is none of these or not a real date
//  (years 1970 to 9999).
int time_parse (int64_t *ms, const char *text, int64_t now_ms);
//  "90s", "15m", "24h", "7d" to milliseconds, > 0. -1 if it is not one.
int duration_parse (int64_t *ms, const char *text);
//  "3 s", "12 min", "5 h", "8 d" for people.
void duration_format (char out [24], int64_t ms);

#endif
