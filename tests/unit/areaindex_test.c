//  areaindex against GEOS: the same answers for polygons with holes and many parts, on random points, vertices and edges

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#define GEOS_USE_ONLY_R_API
#include <geos_c.h>
#include "areaindex.h"

#define SIDE 6 //  a tiling of SIDE x SIDE
#define TILES (SIDE * SIDE)
#define STEPS 40 //  vertices of a border

typedef struct {
    position_t points [TILES * (4 * STEPS + 1) + 64];
    size_t point_count;
    areapart_t parts [TILES + 8];
    size_t part_count;
    areaindex_shape_t shapes [TILES + 8];
    int shape_count;
} world_t;

static uint64_t s_seed;

static double s_random (void)
{
    s_seed += 0x9E3779B97F4A7C15u;
    uint64_t z = (s_seed ^ (s_seed >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

//  A point on the wiggly border between two corners of the tiling; both neighbours compute the same numbers.
static position_t s_border (int i, int j, bool up, int step)
{
    double share = (double)step / STEPS, x = i + (up ? 0 : share), y = j + (up ? share : 0);
    double wiggle = 0.18 * sin (share * M_PI) * sin (9 * share * M_PI + i * 3 + j * 5 + up);
    return (position_t){ .lat = 34 + 0.1 * (y + (up ? 0 : wiggle)), .lon = 108 + 0.1 * (x + (up ? wiggle : 0)) };
}

static void s_begin_shape (world_t *world)
{
    world->shapes [world->shape_count++] = (areaindex_shape_t){ .polygon = true,
        .kinds = UINT64_MAX,
        .from_ms = INT64_MIN,
        .until_ms = INT64_MAX,
        .parts = &world->parts [world->part_count] };
}

static void s_begin_part (world_t *world, unsigned polygon, bool hole)
{
    world->parts [world->part_count++]
        = (areapart_t){ .first = (uint32_t)world->point_count, .polygon = polygon, .hole = hole };
    world->shapes [world->shape_count - 1].part_count++;
}

static void s_point (world_t *world, position_t point)
{
    world->points [world->point_count++] = point;
    world->parts [world->part_count - 1].count++;
}

static void s_tile (world_t *world, int i, int j)
{
    s_begin_shape (world);
    s_begin_part (world, 0, false);
    for (int step = 0; step < STEPS; step++)
        s_point (world, s_border (i, j, false, step));
    for (int step = 0; step < STEPS; step++)
        s_point (world, s_border (i + 1, j, true, step));
    for (int step = STEPS; step > 0; step--)
        s_point (world, s_border (i, j + 1, false, step));
    for (int step = STEPS; step > 0; step--)
        s_point (world, s_border (i, j, true, step));
    s_point (world, s_border (i, j, false, 0));
}

static void s_box (world_t *world, unsigned polygon, bool hole, double lon, double lat, double side)
{
    s_begin_part (world, polygon, hole);
    s_point (world, (position_t){ lat, lon });
    s_point (world, (position_t){ lat, lon + side });
    s_point (world, (position_t){ lat + side, lon + side });
    s_point (world, (position_t){ lat + side, lon });
    s_point (world, (position_t){ lat, lon });
}

static GEOSGeometry *s_geos (GEOSContextHandle_t geos, const world_t *world, const areaindex_shape_t *shape)
{
    GEOSGeometry *polygons [8], *rings [8];
    unsigned polygon_count = 0, ring_count = 0;
    for (uint32_t i = 0; i < shape->part_count; i++) {
        const areapart_t *part = &shape->parts [i];
        GEOSCoordSequence *sequence = GEOSCoordSeq_create_r (geos, part->count, 2);
        for (uint32_t at = 0; at < part->count; at++)
            GEOSCoordSeq_setXY_r (
                geos, sequence, at, world->points [part->first + at].lon, world->points [part->first + at].lat);
        rings [ring_count++] = GEOSGeom_createLinearRing_r (geos, sequence);
        if (i + 1 == shape->part_count || part [1].polygon != part->polygon) {
            polygons [polygon_count++] = GEOSGeom_createPolygon_r (geos, rings [0], rings + 1, ring_count - 1);
            ring_count = 0;
        }
    }
    return GEOSGeom_createCollection_r (geos, GEOS_MULTIPOLYGON, polygons, polygon_count);
}

static world_t *s_world (void)
{
    world_t *world = calloc (1, sizeof *world);
    for (int j = 0; j < SIDE; j++)
        for (int i = 0; i < SIDE; i++)
            s_tile (world, i, j);

    //  two polygons with holes, edges on round numbers, an island in a hole
    s_begin_shape (world);
    s_box (world, 0, false, 108.1, 34.1, 0.2);
    s_box (world, 0, true, 108.15, 34.15, 0.1);
    s_box (world, 1, false, 108.175, 34.175, 0.05);
    s_box (world, 2, false, 108.4, 34.1, 0.2);
    s_box (world, 2, true, 108.45, 34.12, 0.03);
    s_box (world, 2, true, 108.45, 34.2, 0.03);
    return world;
}

//  The quick answer is the first shape that GEOS says covers the point, or none: never one that was to be asked about.
static void s_check_first (const areaindex_t *index, position_t p, int expected, int touching, int *asked)
{
    areaindex_filter_t every = { .every = true };
    int first = areaindex_first (index, p, &every);
    *asked += first == AREAINDEX_ASK;
    if (first == AREAINDEX_ASK)
        return;
    if (first != expected || (touching >= 0 && (first < 0 || touching <= first)))
        fail_msg (
            "at %.12f,%.12f: first is %d, GEOS says %d, an edge of %d touches", p.lat, p.lon, first, expected, touching);
}

//  Points of the box, vertices, middles of edges, and points within 2e-9 degree of a vertex.
static void s_check_world (const world_t *world, position_t corner, double side)
{
    GEOSContextHandle_t geos = GEOS_init_r ();
    GEOSGeometry *polygons [TILES + 8];
    const GEOSPreparedGeometry *prepared [TILES + 8];
    for (int i = 0; i < world->shape_count; i++) {
        polygons [i] = s_geos (geos, world, &world->shapes [i]);
        assert_int_equal (GEOSisValid_r (geos, polygons [i]), 1);
        prepared [i] = GEOSPrepare_r (geos, polygons [i]);
    }
    areaindex_t *index = areaindex_new (world->shapes, world->shape_count, world->points);
    areaindex_filter_t every = { .every = true };
    areaindex_hit_t hits [AREAINDEX_HITS];
    int touched = 0, asked = 0, asked_anywhere = 0;
    for (size_t n = 0; n < 60000; n++) {
        position_t p = { .lat = corner.lat + side * s_random (), .lon = corner.lon + side * s_random () };
        const position_t *vertex = &world->points [n / 4 % (world->point_count - 1)];
        if (n % 4 == 1)
            p = *vertex;
        else if (n % 4 == 2)
            p = (position_t){ (vertex [0].lat + vertex [1].lat) / 2, (vertex [0].lon + vertex [1].lon) / 2 };
        else if (n % 4 == 3)
            p = (position_t){ vertex->lat + (s_random () - 0.5) * 4e-9, vertex->lon + (s_random () - 0.5) * 4e-9 };
        int count = areaindex_near (index, p, 50, &every, hits, AREAINDEX_HITS), expected = -1, touching = -1;
        GEOSGeometry *point = GEOSGeom_createPointFromXY_r (geos, p.lon, p.lat);
        for (int i = world->shape_count - 1; i >= 0; i--) {
            const areaindex_hit_t *hit = NULL;
            for (int h = 0; h < count; h++)
                if (hits [h].shape == i)
                    hit = &hits [h];
            bool covers = GEOSPreparedCovers_r (geos, prepared [i], point) == 1;
            expected = covers ? i : expected;
            if (hit && hit->touching) {
                touched++;
                touching = i;
            } else if (covers != (hit && hit->inside))
                fail_msg ("polygon %d at %.12f,%.12f: GEOS says %d", i, p.lat, p.lon, covers);
        }
        GEOSGeom_destroy_r (geos, point);
        s_check_first (
            index, p, expected, expected < 0 || touching < expected ? touching : -1, n % 4 == 0 ? &asked_anywhere : &asked);
    }
    assert_true (touched > 10000);
    assert_true (asked_anywhere < 150); //  1 in 100: the quick answer is the rule
    for (int i = 0; i < world->shape_count; i++) {
        GEOSPreparedGeom_destroy_r (geos, prepared [i]);
        GEOSGeom_destroy_r (geos, polygons [i]);
    }
    GEOS_finish_r (geos);
    areaindex_destroy (&index);
}

static void test_same_as_geos (void **state)
{
    (void)state;
    world_t *world = s_world ();
    s_check_world (world, (position_t){ 33.95, 107.95 }, 0.7);
    free (world);
}

//  Stars of 5 m to 500 km over one another: edges far longer than the cells they pass, and cells of all sizes.
static void test_all_sizes (void **state)
{
    (void)state;
    world_t *world = calloc (1, sizeof *world);
    for (int i = 0; i < TILES; i++) {
        double size = 5e-5 * pow (1e5, s_random ()), lat = 60.2 + 0.1 * s_random (), lon = 20.2 + 0.1 * s_random ();
        int corners = 5 + (int)(s_random () * 100);
        s_begin_shape (world);
        s_begin_part (world, 0, false);
        for (int k = 0; k < corners; k++) {
            double way = 2 * M_PI * k / corners, far = size * (0.3 + 0.7 * s_random ());
            s_point (world, (position_t){ lat + far * sin (way), lon + far * cos (way) });
        }
        s_point (world, world->points [world->parts [world->part_count - 1].first]);
    }
    s_check_world (world, (position_t){ 60.15, 20.15 }, 0.2);
    free (world);
}

//  What is wider than its edges is known by distance: the quick answer leaves it to areaindex_near.
static void test_lines_are_asked (void **state)
{
    (void)state;
    world_t *world = calloc (1, sizeof *world);
    s_begin_shape (world);
    world->shapes [0].polygon = false;
    world->shapes [0].reach_m = 100;
    s_begin_part (world, 0, false);
    s_point (world, (position_t){ 34.05, 108.05 });
    s_begin_shape (world);
    s_box (world, 0, false, 108, 34, 0.1);
    areaindex_t *index = areaindex_new (world->shapes, world->shape_count, world->points);
    areaindex_filter_t every = { .every = true }, box = { .every = true, .only = 2 };
    assert_int_equal (areaindex_first (index, (position_t){ 34.0505, 108.05 }, &every), AREAINDEX_ASK);
    assert_int_equal (areaindex_first (index, (position_t){ 34.0505, 108.05 }, &box), 1);
    assert_int_equal (areaindex_first (index, (position_t){ 34.09, 108.09 }, &box), 1);
    assert_int_equal (areaindex_first (index, (position_t){ 34.2, 108.05 }, &box), AREAINDEX_NONE);
    assert_int_equal (areaindex_first (index, (position_t){ -34, -108 }, &every), AREAINDEX_NONE);
    areaindex_hit_t hits [4];
    assert_int_equal (areaindex_near (index, (position_t){ 34.0505, 108.05 }, 50, &every, hits, 4), 2);
    areaindex_destroy (&index);
    free (world);
}

//  The distance to the border is that to the nearest edge, whichever leaf it is in.
static void test_distance (void **state)
{
    (void)state;
    world_t *world = s_world ();
    areaindex_t *index = areaindex_new (world->shapes, world->shape_count, world->points);
    areaindex_filter_t every = { .every = true };
    areaindex_hit_t hits [AREAINDEX_HITS];
    const double radius = 400;
    for (int n = 0; n < 3000; n++) {
        position_t p = { .lat = 33.99 + 0.6 * s_random (), .lon = 107.99 + 0.6 * s_random () };
        int count = areaindex_near (index, p, radius, &every, hits, AREAINDEX_HITS);
        for (int i = 0; i < world->shape_count; i++) {
            double least = INFINITY, wide = cos (p.lat * M_PI / 180) * 111195.0797343, tall = 111195.0797343;
            for (uint32_t part = 0; part < world->shapes [i].part_count; part++)
                for (uint32_t e = 0; e + 1 < world->shapes [i].parts [part].count; e++) {
                    const position_t *v = &world->points [world->shapes [i].parts [part].first + e];
                    double ax = (v [0].lon - p.lon) * wide, ay = (v [0].lat - p.lat) * tall;
                    double dx = (v [1].lon - p.lon) * wide - ax, dy = (v [1].lat - p.lat) * tall - ay;
                    double t = fmin (fmax (-(ax * dx + ay * dy) / (dx * dx + dy * dy), 0), 1);
                    least = fmin (least, hypot (ax + t * dx, ay + t * dy));
                }
            double found = INFINITY;
            for (int h = 0; h < count; h++)
                if (hits [h].shape == i)
                    found = hits [h].border_m;
            if (least < radius - 0.01)
                assert_true (fabs (found - least) < 0.01);
            else if (least > radius + 0.01)
                assert_true (isinf (found));
        }
    }
    areaindex_destroy (&index);
    free (world);
}

//  More shapes over a point than there is room: the first in order stay.
static void test_room (void **state)
{
    (void)state;
    world_t *world = calloc (1, sizeof *world);
    for (int i = 0; i < 20; i++) {
        s_begin_shape (world);
        s_box (world, 0, false, 108 - i * 0.001, 34 - i * 0.001, 0.1);
    }
    areaindex_t *index = areaindex_new (world->shapes, world->shape_count, world->points);
    areaindex_hit_t hits [5];
    areaindex_filter_t every = { .every = true };
    assert_int_equal (areaindex_near (index, (position_t){ 34.05, 108.05 }, 50, &every, hits, 5), 5);
    for (int i = 0; i < 5; i++)
        assert_true (hits [i].inside && hits [i].shape < 5);
    areaindex_filter_t only = { .every = true, .only = 18 };
    assert_int_equal (areaindex_near (index, (position_t){ 34.05, 108.05 }, 50, &only, hits, 5), 1);
    assert_int_equal (hits [0].shape, 17);
    assert_true (areaindex_memory (index) > 0);
    areaindex_destroy (&index);
    free (world);

    //  and none at all
    index = areaindex_new (NULL, 0, NULL);
    assert_int_equal (areaindex_near (index, (position_t){ 34, 108 }, 50, &every, hits, 5), 0);
    assert_int_equal (areaindex_first (index, (position_t){ 34, 108 }, &every), AREAINDEX_NONE);
    areaindex_destroy (&index);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_same_as_geos),
        cmocka_unit_test (test_all_sizes),
        cmocka_unit_test (test_lines_are_asked),
        cmocka_unit_test (test_distance),
        cmocka_unit_test (test_room),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
