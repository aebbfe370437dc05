//  geodesy - positions, datums, distances

#include "geodesy.h"

#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define KRASOVSKY_A 6378245.0
#define KRASOVSKY_EE 0.00669342162296594323
#define EARTH_M 6371008.8
#define BD_PI (M_PI * 3000.0 / 180.0)
#define BD_LAT 0.006
#define BD_LON 0.0065
#define CLOSE_DEG 1e-10 //  where the inverses stop: a hundredth of a millimetre
#define ROUNDS_MAX 50
#define TEXT_LIMIT 48u

static const char *const s_datums [] = { "wgs84", "gcj02", "bd09" };

//  ---- names

int datum_parse (datum_t *datum, const char *name)
{
    assert (datum);
    for (int index = 0; name && index < 3; index++)
        if (strcmp (s_datums [index], name) == 0) {
            *datum = (datum_t)index;
            return 0;
        }
    return -1;
}

const char *datum_name (datum_t datum)
{
    return (unsigned)datum < 3 ? s_datums [datum] : "";
}

//  ---- datums

//  The box within which the published formulas shift points.

static bool s_in_china (position_t position)
{
    return position.lon >= 72.004 && position.lon <= 137.8347 && position.lat >= 0.8293 && position.lat <= 55.8271;
}

//  How far GCJ-02 moves a WGS-84 position, in degrees.

static position_t s_shift (position_t position)
{
    double x = position.lon - 105.0, y = position.lat - 35.0;
    double root = sqrt (fabs (x)), xy = x * y;
    double both = (20.0 * sin (6.0 * x * M_PI) + 20.0 * sin (2.0 * x * M_PI)) * 2.0 / 3.0;
    double lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * xy + 0.2 * root + both;
    lat += (20.0 * sin (y * M_PI) + 40.0 * sin (y / 3.0 * M_PI)) * 2.0 / 3.0;
    lat += (160.0 * sin (y / 12.0 * M_PI) + 320.0 * sin (y / 30.0 * M_PI)) * 2.0 / 3.0;
    double lon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * xy + 0.1 * root + both;
    lon += (20.0 * sin (x * M_PI) + 40.0 * sin (x / 3.0 * M_PI)) * 2.0 / 3.0;
    lon += (150.0 * sin (x / 12.0 * M_PI) + 300.0 * sin (x / 30.0 * M_PI)) * 2.0 / 3.0;

    //  metres to degrees on the Krasovsky ellipsoid
    double radians = position.lat / 180.0 * M_PI;
    double magic = 1.0 - KRASOVSKY_EE * sin (radians) * sin (radians);
    double meridian = KRASOVSKY_A * (1.0 - KRASOVSKY_EE) / (magic * sqrt (magic));
    double parallel = KRASOVSKY_A / sqrt (magic) * cos (radians);
    return (position_t){ lat * 180.0 / (meridian * M_PI), lon * 180.0 / (parallel * M_PI) };
}

static position_t s_wgs_to_gcj (position_t position)
{
    position_t shift = s_shift (position);
    return (position_t){ position.lat + shift.lat, position.lon + shift.lon };
}

static position_t s_gcj_to_bd (position_t position)
{
    double x = position.lon, y = position.lat;
    double z = sqrt (x * x + y * y) + 0.00002 * sin (y * BD_PI);
    double theta = atan2 (y, x) + 0.000003 * cos (x * BD_PI);
    return (position_t){ z * sin (theta) + BD_LAT, z * cos (theta) + BD_LON };
}

//  Neither forward formula has a closed inverse; both move points by little and smoothly, so that taking back the
//  error again and again closes in on it.

static position_t s_inverse (position_t wanted, position_t guess, position_t (*forward) (position_t))
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        position_t there = forward (guess);
        double lat = there.lat - wanted.lat, lon = there.lon - wanted.lon;
        guess.lat -= lat;
        guess.lon -= lon;
        if (fabs (lat) < CLOSE_DEG && fabs (lon) < CLOSE_DEG)
            break;
    }
    return guess;
}

position_t datum_to_wgs84 (position_t position, datum_t from)
{
    //  a position that is none would go round in s_inverse
    if (from == DATUM_WGS84 || !position_valid (position) || !s_in_china (position))
        return position;
    if (from == DATUM_BD09)
        position = s_inverse (position, (position_t){ position.lat - BD_LAT, position.lon - BD_LON }, s_gcj_to_bd);
    return s_inverse (position, position, s_wgs_to_gcj);
}

position_t datum_from_wgs84 (position_t position, datum_t to)
{
    if (to == DATUM_WGS84 || !position_valid (position) || !s_in_china (position))
        return position;
    position = s_wgs_to_gcj (position);
    return to == DATUM_BD09 ? s_gcj_to_bd (position) : position;
}

//  ---- reading

bool position_valid (position_t position)
{
    return isfinite (position.lat) && isfinite (position.lon) && fabs (position.lat) <= 90 && fabs (position.lon) <= 180;
}

//  Plain decimal only: strtod alone would take "0x1p3", "inf" and "1e2" too.

static bool s_number (const char **cursor, double *value)
{
    const char *at = *cursor;
    at += *at == '-' || *at == '+';
    size_t whole = strspn (at, "0123456789"), part = 0;
    at += whole;
    if (*at == '.') {
        part = strspn (at + 1, "0123456789");
        at += 1 + part;
    }
    if (whole + part == 0)
        return false;
    //  the program sets LC_CTYPE only, so the point is a point
    *value = strtod (*cursor, NULL);
    *cursor = at;
    return true;
}

int position_parse (position_t *position, const char *text, const char **reason)
{
    assert (position && reason);
    const char *cursor = text ? text : "";
    position_t found = { 0 };
    *reason = "a position is LAT,LON in decimal degrees, as 34.2658,108.9541";
    if (strlen (cursor) > TEXT_LIMIT || !s_number (&cursor, &found.lat) || *cursor++ != ',')
        return -1;
    cursor += *cursor == ' ';
    if (!s_number (&cursor, &found.lon) || *cursor)
        return -1;
    if (fabs (found.lat) > 90 && fabs (found.lat) <= 180 && fabs (found.lon) <= 90) {
        *reason = "the latitude is beyond 90 degrees: the two look swapped, LAT comes first";
        return -1;
    }
    if (fabs (found.lat) > 90) {
        *reason = "the latitude must be from -90 to 90 degrees";
        return -1;
    }
    if (fabs (found.lon) > 180) {
        *reason = "the longitude must be from -180 to 180 degrees";
        return -1;
    }
    *reason = NULL;
    *position = found;
    return 0;
}

int32_t degrees_to_e7 (double degrees)
{
    assert (fabs (degrees) <= 180);
    return (int32_t)lround (degrees * 1e7);
}

double e7_to_degrees (int32_t e7)
{
    return e7 / 1e7;
}

//  ---- on the sphere

static double s_radians (double degrees)
{
    return degrees * M_PI / 180.0;
}

double distance_m (position_t a, position_t b)
{
    double lat = sin (s_radians (b.lat - a.lat) / 2), lon = sin (s_radians (b.lon - a.lon) / 2);
    double h = lat * lat + cos (s_radians (a.lat)) * cos (s_radians (b.lat)) * lon * lon;
    return 2 * EARTH_M * asin (sqrt (fmin (h, 1.0)));
}

double bearing_deg (position_t from, position_t to)
{
    double lat1 = s_radians (from.lat), lat2 = s_radians (to.lat), lon = s_radians (to.lon - from.lon);
    double y = sin (lon) * cos (lat2), x = cos (lat1) * sin (lat2) - sin (lat1) * cos (lat2) * cos (lon);
    double degrees = atan2 (y, x) * 180.0 / M_PI;
    if (degrees < 0)
        degrees += 360.0;
    //  -1e-20 + 360 is 360
    return degrees >= 360.0 ? 0 : degrees;
}

int bearing_wind (double degrees)
{
    assert (isfinite (degrees));
    int wind = (int)lround (fmod (degrees, 360.0) / 45.0);
    return (wind + 8) % 8;
}
