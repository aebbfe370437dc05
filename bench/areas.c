//  areas - the lookup of areas on tilings that it makes itself, against its targets and against GEOS
//
//    areas speed AREAS SECONDS        load, lookups a second, memory an area
//    areas equal AREAS POINTS BORDER  random points and border points decided as GEOS decides them; exits with 1 if one is not
//
//  A tiling is a grid of areas whose borders are wiggly lines of 50 to 250 vertices, shared by both neighbours to the last digit:
//  an area has 600 on average. The two figures of memory: what the areas count themselves, and what the process grew by.

#include "bench.h"

#include <malloc.h>
#include <math.h>
#define GEOS_USE_ONLY_R_API
#include <geos_c.h>
#include "areas.h"

#define SOUTH 33.0
#define WEST 108.0
#define TALL 0.05 //  degrees of one tile
#define WIDE 0.06
#define STEPS_LEAST 50
#define STEPS_MORE 201
#define PROBES 1000000

typedef struct {
    int columns, rows;
    position_t *points; //  of all rings, one after the other
    int *first;         //  of each area; one more at the end
} tiling_t;

static double s_share (uint64_t *seed)
{
    return (double)(bench_random (seed) >> 11) / 9007199254740992.0;
}

//  Nine decimals: what is printed is read back as this very number.
static double s_round (double degrees)
{
    return round (degrees * 1e9) / 1e9;
}

//  The border from a corner to the next, eastwards or northwards. A line over its base that stays below 0.63 of the
//  distance to either end, so that borders meet in corners only. Returns the steps; point [0] is the corner.
static int s_border (int column, int row, bool north, position_t *point)
{
    uint64_t seed = (uint64_t)column * 1000003u + (uint64_t)row * 2 + north;
    int steps = STEPS_LEAST + (int)(s_share (&seed) * STEPS_MORE);
    double phase [3] = { s_share (&seed) * 6.28, s_share (&seed) * 6.28, s_share (&seed) * 6.28 };
    double pace [3] = { 1 + s_share (&seed) * 3, 5 + s_share (&seed) * 8, 20 + s_share (&seed) * 30 };
    for (int i = 0; i < steps; i++) {
        double share = (double)i / steps;
        double wave = 0.5 * sin (phase [0] + pace [0] * share * 6.28) + 0.35 * sin (phase [1] + pace [1] * share * 6.28)
            + 0.15 * sin (phase [2] + pace [2] * share * 6.28);
        double aside = 0.2 * sin (share * M_PI) * wave;
        point [i].lon = s_round (WEST + WIDE * (column + (north ? aside : share)));
        point [i].lat = s_round (SOUTH + TALL * (row + (north ? share : aside)));
    }
    return steps;
}

static position_t s_corner (int column, int row)
{
    return (position_t){ s_round (SOUTH + TALL * row), s_round (WEST + WIDE * column) };
}

//  Appends a border run backwards: from its end, which is a corner, to the point after its beginning.
static int s_append_back (position_t *to, const position_t *border, int steps, position_t end)
{
    to [0] = end;
    for (int i = 1; i < steps; i++)
        to [i] = border [steps - i];
    return steps;
}

static tiling_t *s_tiling (int count)
{
    tiling_t *self = calloc (1, sizeof *self);
    BENCH_CHECK (self && count > 0);
    self->columns = (int)ceil (sqrt (count));
    self->rows = (count + self->columns - 1) / self->columns;
    while (self->columns * self->rows > count && self->columns * (self->rows - 1) >= count)
        self->rows--;
    int areas = self->columns * self->rows, used = 0;
    self->points = malloc ((size_t)areas * (4 * (STEPS_LEAST + STEPS_MORE) + 1) * sizeof *self->points);
    self->first = malloc ((size_t)(areas + 1) * sizeof *self->first);
    BENCH_CHECK (self->points && self->first);
    position_t border [STEPS_LEAST + STEPS_MORE];
    for (int i = 0; i < areas; i++) {
        int column = i % self->columns, row = i / self->columns;
        self->first [i] = used;
        used += s_border (column, row, false, self->points + used);
        used += s_border (column + 1, row, true, self->points + used);
        int steps = s_border (column, row + 1, false, border);
        used += s_append_back (self->points + used, border, steps, s_corner (column + 1, row + 1));
        steps = s_border (column, row, true, border);
        used += s_append_back (self->points + used, border, steps, s_corner (column, row + 1));
        self->points [used++] = self->points [self->first [i]];
    }
    self->first [areas] = used;
    return self;
}

static void s_tiling_destroy (tiling_t **self_p)
{
    free ((*self_p)->points);
    free ((*self_p)->first);
    free (*self_p);
    *self_p = NULL;
}

static int s_areas (const tiling_t *self)
{
    return self->columns * self->rows;
}

//  The tiling as an operator's file.
static char *s_geojson (const tiling_t *self, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream (&text, size);
    BENCH_CHECK (out);
    fputs ("{\"type\":\"FeatureCollection\",\"features\":[", out);
    for (int i = 0; i < s_areas (self); i++) {
        fprintf (out,
            "%s{\"type\":\"Feature\",\"properties\":{\"station\":\"s%d\",\"name\":\"Tile %d\"},\"geometry\":"
            "{\"type\":\"Polygon\",\"coordinates\":[[",
            i ? ",\n" : "", i, i);
        for (int at = self->first [i]; at < self->first [i + 1]; at++)
            fprintf (out, "%s[%.9f,%.9f]", at > self->first [i] ? "," : "", self->points [at].lon, self->points [at].lat);
        fputs ("]]}}", out);
    }
    fputs ("]}", out);
    fclose (out);
    return text;
}

static void s_fault (void *context, const areas_fault_t *fault)
{
    (void)context;
    fprintf (stderr, "feature %d: %s\n", fault->feature, fault->text);
}

static areas_t *s_load (const tiling_t *tiling, double *seconds)
{
    size_t size;
    char *text = s_geojson (tiling, &size);
    int64_t start_ns = bench_now_ns ();
    areas_t *areas = areas_load (text, size, DATUM_WGS84, 1, false, s_fault, NULL);
    *seconds = (double)(bench_now_ns () - start_ns) / 1e9;
    BENCH_CHECK (areas);
    free (text);
    return areas;
}

static position_t s_anywhere (const tiling_t *tiling, uint64_t *seed)
{
    return (position_t){ SOUTH + TALL * tiling->rows * s_share (seed), WEST + WIDE * tiling->columns * s_share (seed) };
}

//  ---- speed

static long s_resident (void)
{
    long pages = 0;
    malloc_trim (0);
    FILE *file = fopen ("/proc/self/statm", "re");
    BENCH_CHECK (file && fscanf (file, "%*d %ld", &pages) == 1);
    fclose (file);
    return pages * 4096;
}

//  A lookup rate is of one core: the time this thread was at work, not what else the machine does.
static int64_t s_core_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

//  accuracy_m below 0: the area alone, else the whole decision with copies and reason.
static void s_rate (
    const char *name, const areas_t *areas, const position_t *probes, double accuracy_m, double seconds, int64_t *sum)
{
    areas_choice_t choice = { 0 };
    int64_t start_ns = s_core_ns (), now_ns = start_ns, count = 0;
    while ((double)(now_ns - start_ns) < seconds * 1e9) {
        for (int i = 0; i < 10000; i++) {
            position_t probe = probes [(count + i) % PROBES];
            if (accuracy_m < 0)
                choice.area = areas_at (areas, probe, "hazard", 0);
            else
                areas_choose (areas, probe, "hazard", 0, accuracy_m, &choice);
            *sum += choice.area + choice.copy_count;
        }
        count += 10000;
        now_ns = s_core_ns ();
    }
    bench_figure (name, (double)count / ((double)(now_ns - start_ns) / 1e9), "/s");
}

static int s_speed (int count, double seconds)
{
    tiling_t *tiling = s_tiling (count);
    position_t *probes = malloc (PROBES * sizeof *probes);
    uint64_t seed = 7;
    int64_t sum = 0;
    BENCH_CHECK (probes);
    for (int i = 0; i < PROBES; i++)
        probes [i] = s_anywhere (tiling, &seed);
    bench_figure ("areas", s_areas (tiling), "areas");
    bench_figure ("vertices an area", (double)tiling->first [s_areas (tiling)] / s_areas (tiling), "vertices");
    long before = s_resident ();
    double load_s;
    areas_t *areas = s_load (tiling, &load_s);
    bench_figure ("load", load_s, "s");
    s_rate ("lookups", areas, probes, -1, seconds, &sum);
    s_rate ("decisions with copies and reason", areas, probes, 0, seconds, &sum);
    s_rate ("decisions, accuracy 500 m", areas, probes, 500, seconds, &sum);
    long grown = s_resident () - before;
    bench_figure ("memory", (double)areas_memory (areas) / s_areas (tiling) / 1000, "KB an area");
    bench_figure ("process grew by", (double)grown / s_areas (tiling) / 1000, "KB an area");
    areas_destroy (&areas);
    s_tiling_destroy (&tiling);
    free (probes);
    return sum == 0; //  the compiler may not leave the work out
}

//  ---- the same as GEOS

typedef struct {
    GEOSContextHandle_t geos;
    GEOSGeometry **polygons;
    const GEOSPreparedGeometry **prepared;
    GEOSSTRtree *tree;
    const GEOSGeometry *point; //  being asked
    int lowest;                //  area that covers it, -1
} oracle_t;

static oracle_t *s_oracle (const tiling_t *tiling)
{
    oracle_t *self = calloc (1, sizeof *self);
    BENCH_CHECK (self);
    self->geos = GEOS_init_r ();
    self->tree = GEOSSTRtree_create_r (self->geos, 10);
    self->polygons = calloc ((size_t)s_areas (tiling), sizeof *self->polygons);
    self->prepared = calloc ((size_t)s_areas (tiling), sizeof *self->prepared);
    BENCH_CHECK (self->polygons && self->prepared);
    for (int i = 0; i < s_areas (tiling); i++) {
        unsigned size = (unsigned)(tiling->first [i + 1] - tiling->first [i]);
        GEOSCoordSequence *ring = GEOSCoordSeq_create_r (self->geos, size, 2);
        for (unsigned at = 0; at < size; at++) {
            const position_t *point = &tiling->points [tiling->first [i] + (int)at];
            GEOSCoordSeq_setXY_r (self->geos, ring, at, point->lon, point->lat);
        }
        self->polygons [i] = GEOSGeom_createPolygon_r (self->geos, GEOSGeom_createLinearRing_r (self->geos, ring), NULL, 0);
        BENCH_CHECK (self->polygons [i] && GEOSisValid_r (self->geos, self->polygons [i]) == 1);
        self->prepared [i] = GEOSPrepare_r (self->geos, self->polygons [i]);
        GEOSSTRtree_insert_r (self->geos, self->tree, self->polygons [i], (void *)(intptr_t)(i + 1));
    }
    return self;
}

static void s_oracle_destroy (oracle_t **self_p, int count)
{
    oracle_t *self = *self_p;
    GEOSSTRtree_destroy_r (self->geos, self->tree);
    for (int i = 0; i < count; i++) {
        GEOSPreparedGeom_destroy_r (self->geos, self->prepared [i]);
        GEOSGeom_destroy_r (self->geos, self->polygons [i]);
    }
    GEOS_finish_r (self->geos);
    free (self->polygons);
    free (self->prepared);
    free (self);
    *self_p = NULL;
}

static void s_on_candidate (void *item, void *data)
{
    oracle_t *self = data;
    int area = (int)((intptr_t)item - 1);
    if ((self->lowest < 0 || area < self->lowest)
        && GEOSPreparedCovers_r (self->geos, self->prepared [area], self->point) == 1)
        self->lowest = area;
}

//  The lowest area that covers the point; -1: none.
static int s_ask (oracle_t *self, position_t position)
{
    GEOSGeometry *point = GEOSGeom_createPointFromXY_r (self->geos, position.lon, position.lat);
    self->point = point;
    self->lowest = -1;
    GEOSSTRtree_query_r (self->geos, self->tree, point, s_on_candidate, self);
    GEOSGeom_destroy_r (self->geos, point);
    return self->lowest;
}

static bool s_same (const areas_t *areas, oracle_t *oracle, position_t position)
{
    areas_choice_t choice;
    areas_choose (areas, position, "hazard", 0, 0, &choice);
    int expected = s_ask (oracle, position);
    int area = areas_at (areas, position, "hazard", 0);
    bool same = expected < 0 ? choice.by != BY_POLYGON : choice.by == BY_POLYGON && choice.area == expected;
    same = same && area == expected;
    if (!same)
        fprintf (stderr, "%.12f,%.12f: area %d, decided %d, GEOS says %d\n", position.lat, position.lon, area, choice.area,
            expected);
    return same;
}

//  On a border: a vertex, a point of an edge, a point within 1e-9 degree of one; every tenth a corner of four areas.
static position_t s_on_border (const tiling_t *tiling, int number, uint64_t *seed)
{
    if (number % 10 == 0)
        return s_corner ((int)(s_share (seed) * (tiling->columns + 1)), (int)(s_share (seed) * (tiling->rows + 1)));
    int at = (int)(s_share (seed) * (tiling->first [s_areas (tiling)] - 1));
    const position_t *edge = &tiling->points [at];
    if (number % 3 == 0 || fabs (edge [1].lat - edge [0].lat) > TALL / 10 || fabs (edge [1].lon - edge [0].lon) > WIDE / 10)
        return edge [0];
    double share = s_share (seed);
    position_t point
        = { edge [0].lat + share * (edge [1].lat - edge [0].lat), edge [0].lon + share * (edge [1].lon - edge [0].lon) };
    if (number % 3 == 1) {
        point.lat += (s_share (seed) - 0.5) * 2e-9;
        point.lon += (s_share (seed) - 0.5) * 2e-9;
    }
    return point;
}

static int s_equal (int count, int points, int border)
{
    tiling_t *tiling = s_tiling (count);
    double load_s;
    areas_t *areas = s_load (tiling, &load_s);
    oracle_t *oracle = s_oracle (tiling);
    uint64_t seed = 11;
    int other = 0, other_border = 0;
    for (int i = 0; i < points; i++)
        other += !s_same (areas, oracle, s_anywhere (tiling, &seed));
    for (int i = 0; i < border; i++)
        other_border += !s_same (areas, oracle, s_on_border (tiling, i, &seed));
    bench_figure ("random points asked", points, "points");
    bench_figure ("random points decided otherwise than by GEOS", other, "points");
    bench_figure ("border points asked", border, "points");
    bench_figure ("border points decided otherwise than by GEOS", other_border, "points");
    s_oracle_destroy (&oracle, s_areas (tiling));
    areas_destroy (&areas);
    s_tiling_destroy (&tiling);
    return other + other_border > 0;
}

int main (int argc, char **argv)
{
    if (argc == 4 && !strcmp (argv [1], "speed"))
        return s_speed (atoi (argv [2]), atof (argv [3]));
    if (argc == 5 && !strcmp (argv [1], "equal"))
        return s_equal (atoi (argv [2]), atoi (argv [3]), atoi (argv [4]));
    fprintf (stderr, "usage: areas speed AREAS SECONDS | areas equal AREAS POINTS BORDER\n");
    return 2;
}
