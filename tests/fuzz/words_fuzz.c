//  What people type: positions, times, durations, datums, severities, ids.

#include "fuzz.h"

#include "geodesy.h"
#include "identity.h"
#include "kinds.h"
#include "timefmt.h"

#define NOW 1795420800000ll //  2026-11-23

static void s_position (const char *text)
{
    position_t at;
    const char *reason = NULL;
    if (position_parse (&at, text, &reason)) {
        FUZZ_EXPECT (reason && *reason);
        return;
    }
    FUZZ_EXPECT (position_valid (at));
    for (datum_t datum = DATUM_WGS84; datum <= DATUM_BD09; datum++) {
        position_t there = datum_to_wgs84 (at, datum);
        FUZZ_EXPECT (there.lat == there.lat && there.lon == there.lon);
        datum_from_wgs84 (there, datum);
    }
    double away = distance_m (at, (position_t){ 0, 0 }), bearing = bearing_deg (at, (position_t){ 33, 109 });
    FUZZ_EXPECT (away >= 0 && away < 20100000 && bearing >= 0 && bearing <= 360);
    FUZZ_EXPECT (bearing_wind (bearing) >= 0 && bearing_wind (bearing) < 8);
    FUZZ_EXPECT (degrees_to_e7 (e7_to_degrees (degrees_to_e7 (at.lon))) == degrees_to_e7 (at.lon));
}

static void s_time (const char *text)
{
    int64_t ms, again;
    char utc [32], local [40], length [24];
    if (time_parse (&ms, text, NOW) == 0) {
        time_format_utc (utc, ms);
        time_format_local (local, ms);
        //  a time relative to now may lie before 1970, which is no absolute time
        FUZZ_EXPECT (ms < 0 || (time_parse (&again, utc, NOW) == 0 && again == ms));
    }
    if (duration_parse (&ms, text) == 0) {
        FUZZ_EXPECT (ms > 0);
        duration_format (length, ms);
        FUZZ_EXPECT (memchr (length, 0, sizeof length));
    }
}

static void s_ids (const char *text, size_t size)
{
    uint64_t number, again;
    char out [14];
    if (id64_parse (&number, text, size) == 0) {
        id64_format (out, number);
        FUZZ_EXPECT (id64_parse (&again, out, strlen (out)) == 0 && again == number);
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char *text = fuzz_text (data, size);
    datum_t datum;
    s_position (text);
    s_time (text);
    s_ids (text, size);
    FUZZ_EXPECT (datum_parse (&datum, text) || datum <= DATUM_BD09);
    FUZZ_EXPECT (severity_parse (text) <= 3);
    free (text);
    return 0;
}
