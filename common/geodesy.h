//  geodesy - positions, datums, distances
//
//  GCJ-02 and BD-09: the published approximation formulas (eviltransform; gcoord), Krasovsky 1940 a = 6378245, ee = 0.00669342162296594323;
//  the inverse of GCJ-02 by iteration to 1e-9 degree. Outside China's box points are unchanged.
//  Distance: haversine on a sphere of 6371008.8 m.

#ifndef GEODESY_H_INCLUDED
#define GEODESY_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

typedef enum { DATUM_WGS84 = 0, DATUM_GCJ02 = 1, DATUM_BD09 = 2 } datum_t;

typedef struct {
    double lat, lon;
} position_t; //  degrees

int datum_parse (datum_t *datum, const char *name); //  wgs84 gcj02 bd09; -1 otherwise
const char *datum_name (datum_t datum);
position_t datum_to_wgs84 (position_t position, datum_t from);
position_t datum_from_wgs84 (position_t position, datum_t to);

bool position_valid (position_t position); //  finite, |lat| <= 90, |lon| <= 180

//  "LAT,LON" in decimal degrees. Returns 0, or -1 with *reason (static English text) saying what would be right;
//  a first number beyond 90 with a second within it is said to look swapped.
int position_parse (position_t *position, const char *text, const char **reason);

int32_t degrees_to_e7 (double degrees); //  rounded
double e7_to_degrees (int32_t e7);

double distance_m (position_t a, position_t b);
double bearing_deg (position_t from, position_t to); //  0..360, 0 = north
//  Index 0..7 of the eight winds; names in the catalogue (N NE E SE S SW W NW / 北 东北 东 ...).
int bearing_wind (double degrees);

#endif
