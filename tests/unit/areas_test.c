//  areas: who is responsible for a point, and what is wrong with an area file

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#define GEOS_USE_ONLY_R_API
#include <geos_c.h>
#include <jansson.h>
#include "areas.h"
#include "placefile.h"
#include "timefmt.h"

//  ---------------------------------------------------------------------------------------------
//  Files in words

typedef struct {
    areas_fault_t list [64];
    int count, fatal;
} faults_t;

static void s_keep_fault (void *context, const areas_fault_t *fault)
{
    faults_t *faults = context;
    if (faults->count < 64)
        faults->list [faults->count++] = *fault;
    faults->fatal += fault->fatal;
}

static areas_t *s_load (const char *features, bool deep, faults_t *faults)
{
    char *file = NULL;
    assert_true (asprintf (&file, "{\"type\":\"FeatureCollection\",\"features\":[%s]}", features) > 0);
    memset (faults, 0, sizeof *faults);
    areas_t *areas = areas_load (file, strlen (file), DATUM_WGS84, 7, deep, s_keep_fault, faults);
    free (file);
    return areas;
}

static areas_t *s_load_good (const char *features)
{
    faults_t faults;
    areas_t *areas = s_load (features, false, &faults);
    if (faults.count)
        fail_msg ("feature %d: %s", faults.list [0].feature, faults.list [0].text);
    assert_non_null (areas);
    return areas;
}

#define FEATURE(properties, type, coordinates)                                             \
    "{\"type\":\"Feature\",\"properties\":{" properties "},\"geometry\":{\"type\":\"" type \
    "\",\"coordinates\":" coordinates "}}"
#define WEST "[[[108.0,34.0],[108.1,34.0],[108.1,34.1],[108.0,34.1],[108.0,34.0]]]"
#define EAST "[[[108.1,34.0],[108.2,34.0],[108.2,34.1],[108.1,34.1],[108.1,34.0]]]"
#define BOTH "[[[107.9,33.9],[108.3,33.9],[108.3,34.2],[107.9,34.2],[107.9,33.9]]]"
#define ROAD "[[108.0,34.05,12.5],[108.2,34.05,13]]"

#define TOWN                                                                                                           \
    FEATURE ("\"station\":\"west\",\"name\":\"西村\",\"id\":\"w\",\"level\":0,\"parent\":\"county\"", "Polygon", WEST) \
    "," FEATURE ("\"station\":\"east\",\"level\":0,\"parent\":\"county\"", "Polygon", EAST) "," FEATURE (              \
        "\"station\":\"county\",\"level\":2", "Polygon",                                                               \
        BOTH) "," FEATURE ("\"station\":\"road\",\"kinds\":[\"traffic\"],\"buffer_m\":40", "LineString",               \
        ROAD) "," FEATURE ("\"station\":\"gate\",\"radius_m\":100", "Point", "[108.05,34.05]")

static const char *s_choose (
    const areas_t *areas, double lat, double lon, const char *kind, double accuracy, areas_choice_t *out)
{
    areas_choose (areas, (position_t){ lat, lon }, kind, 0, accuracy, out);
    return areas_station (areas, out->station)->id;
}

static const char *s_copy (const areas_t *areas, const areas_choice_t *choice, int which)
{
    return which < choice->copy_count ? areas_station (areas, choice->copies [which])->id : "";
}

static void test_precedence (void **state)
{
    (void)state;
    areas_t *areas = s_load_good (TOWN);
    areas_choice_t choice;
    assert_int_equal (areas_version (areas), 7);
    assert_int_equal (areas_count (areas), 5);
    assert_int_equal (areas_station_count (areas), 6);
    assert_string_equal (areas_station (areas, 0)->id, "district");
    assert_int_equal (
        areas_station (areas, areas_find_station (areas, "west", 4))->parent, areas_find_station (areas, "county", 6));
    assert_int_equal (areas_find_station (areas, "wes", 3), -1);
    assert_int_equal (areas_find_station (areas, "west!", 5), -1);

    //  lower level over higher; the reason names both
    assert_string_equal (s_choose (areas, 34.02, 108.02, "crime", 0, &choice), "west");
    assert_int_equal (choice.by, BY_POLYGON);
    assert_string_equal (choice.why, "inside area w 西村 (level 0); before area 2 (level 2)");
    assert_int_equal (choice.copy_count, 0);
    assert_string_equal (s_choose (areas, 34.15, 108.02, "crime", 0, &choice), "county");

    //  a line over polygons, but only for the kind it takes
    assert_string_equal (s_choose (areas, 34.0502, 108.02, "traffic", 0, &choice), "road");
    assert_int_equal (choice.by, BY_LINE);
    assert_string_equal (s_choose (areas, 34.0502, 108.02, "crime", 0, &choice), "west");
    assert_string_equal (s_choose (areas, 34.0506, 108.02, "traffic", 0, &choice), "west");

    //  a checkpoint over both
    assert_string_equal (s_choose (areas, 34.0502, 108.0502, "traffic", 0, &choice), "gate");
    assert_int_equal (choice.by, BY_CHECKPOINT);
    assert_string_equal (areas_by_name (choice.by), "checkpoint");

    //  ids: the property, else the feature's number
    assert_int_equal (areas_find_area (areas, "w"), 0);
    assert_int_equal (areas_find_area (areas, "4"), 4);
    assert_int_equal (areas_find_area (areas, "0"), -1);
    assert_string_equal (areas_area_name (areas, 0), "西村");
    assert_true (areas_covers (areas, 2, (position_t){ 34.15, 108.02 }));
    assert_false (areas_covers (areas, 0, (position_t){ 34.15, 108.02 }));
    assert_true (areas_covers (areas, 4, (position_t){ 34.0508, 108.05 }));
    assert_false (areas_covers (areas, 4, (position_t){ 34.051, 108.05 }));
    areas_destroy (&areas);
    areas_destroy (&areas);
}

static void test_border (void **state)
{
    (void)state;
    areas_t *areas = s_load_good (TOWN);
    areas_choice_t choice;
    //  9 m from the border: a copy to the neighbour, not to the county behind both
    assert_string_equal (s_choose (areas, 34.02, 108.0999, "crime", 0, &choice), "west");
    assert_int_equal (choice.copy_count, 1);
    assert_string_equal (s_copy (areas, &choice, 0), "east");
    //  184 m: only when the position may be wrong by that much
    assert_string_equal (s_choose (areas, 34.02, 108.098, "crime", 100, &choice), "west");
    assert_int_equal (choice.copy_count, 0);
    assert_string_equal (s_choose (areas, 34.02, 108.098, "crime", 200, &choice), "west");
    assert_string_equal (s_copy (areas, &choice, 0), "east");
    //  but never farther than 500 m
    assert_string_equal (s_choose (areas, 34.02, 108.09, "crime", 5000, &choice), "west");
    assert_int_equal (choice.copy_count, 0);
    //  on the border itself: exactly one owner, the first in the file, and the other gets a copy
    assert_string_equal (s_choose (areas, 34.02, 108.1, "crime", 0, &choice), "west");
    assert_string_equal (s_copy (areas, &choice, 0), "east");
    assert_non_null (strstr (choice.why, "on its edge"));
    //  at the village's outer edge the county is across the border
    assert_string_equal (s_choose (areas, 34.0999, 108.05, "crime", 0, &choice), "west");
    assert_string_equal (s_copy (areas, &choice, 0), "county");
    //  near a checkpoint its station is told
    assert_string_equal (s_choose (areas, 34.0511, 108.05, "crime", 0, &choice), "west");
    assert_string_equal (s_copy (areas, &choice, 0), "gate");
    areas_destroy (&areas);
}

//  A ring that touches itself is repaired and said so; one that crosses itself is not, and the rest of the file is still looked at.
static void test_repair (void **state)
{
    (void)state;
    faults_t faults;
    //  a hole drawn as part of the ring, both ways round; a spike; two loops that meet in a point
    areas_t *areas = s_load (FEATURE ("\"station\":\"a\"", "Polygon",
                                 "[[[109.0,33.0],[109.1,33.0],[109.1,33.1],[109.05,33.1],[109.03,33.05],[109.07,33.05],"
                                 "[109.05,33.1],[109.0,33.1],[109.0,33.0]]]") "," FEATURE ("\"station\":\"b\"", "Polygon",
                                 "[[[109.2,33.0],[109.3,33.0],[109.3,33.1],[109.25,33.1],[109.27,33.05],[109.23,33.05],"
                                 "[109.25,33.1],[109.2,33.1],[109.2,33.0]]]") "," FEATURE ("\"station\":\"c\"", "Polygon",
                                 "[[[109.4,33.0],[109.5,33.0],[109.5,33.05],[109.6,33.05],[109.5,33.05],[109.5,33.1],"
                                 "[109.4,33.1],[109.4,33.0]]]") "," FEATURE ("\"station\":\"d\"", "Polygon",
                                 "[[[109.6,33.0],[109.65,33.05],[109.7,33.1],[109.7,33.0],[109.65,33.05],[109.6,33.1],"
                                 "[109.6,33.0]]]"),
        false, &faults);
    assert_non_null (areas);
    assert_int_equal (faults.count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal (faults.list [i].feature, i);
        assert_non_null (strstr (faults.list [i].text, "repaired"));
    }
    static const struct {
        double lat, lon;
        int area;
    } points [] = { { 33.06, 109.05, -1 }, { 33.02, 109.05, 0 }, { 33.06, 109.25, -1 }, { 33.02, 109.25, 1 },
        { 33.02, 109.45, 2 }, { 33.05, 109.55, -1 }, { 33.05, 109.61, 3 }, { 33.05, 109.69, 3 }, { 33.02, 109.65, -1 } };
    for (size_t i = 0; i < sizeof points / sizeof points [0]; i++)
        assert_int_equal (areas_at (areas, (position_t){ points [i].lat, points [i].lon }, "crime", 0), points [i].area);
    areas_destroy (&areas);

    const char *crossing = "{\"type\":\"FeatureCollection\",\"features\":[" FEATURE ("\"name\":\"bow\"", "Polygon",
        "[[[109.2,33.0],[109.3,33.1],[109.3,33.0],[109.2,33.1],[109.2,33.0]]]") "," FEATURE ("\"name\":\"x\"", "Polygon",
        WEST) "," FEATURE ("\"name\":\"y\"", "Polygon", BOTH) "]}";
    memset (&faults, 0, sizeof faults);
    assert_null (areas_check (crossing, strlen (crossing), DATUM_WGS84, s_keep_fault, NULL, &faults));
    assert_int_equal (faults.count, 3);
    assert_int_equal (faults.fatal, 2);
    assert_non_null (strstr (faults.list [0].text, "none of the 3 features has a `station`"));
    assert_non_null (strstr (faults.list [0].text, "the first has: name"));
    assert_non_null (strstr (faults.list [1].text, "which ground is meant cannot be told"));
    assert_non_null (strstr (faults.list [2].text, "overlaps feature 2"));
}

//  On a shared border the lowest id is the owner, also where the other area is smaller; inside one of two that overlap, the smaller.
static void test_shared_border (void **state)
{
    (void)state;
    areas_t *areas = s_load_good (FEATURE ("\"station\":\"big\"", "Polygon",
        "[[[108.0,34.0],[108.2,34.0],[108.2,34.1],[108.0,34.1],[108.0,34.0]]]") "," FEATURE ("\"station\":\"small\"",
        "Polygon",
        "[[[108.2,34.0],[108.25,34.0],[108.25,34.1],[108.2,34.1],[108.2,34.0]]]") "," FEATURE ("\"station\":\"nested\"",
        "Polygon", "[[[108.05,34.02],[108.06,34.02],[108.06,34.03],[108.05,34.03],[108.05,34.02]]]"));
    areas_choice_t choice;
    assert_string_equal (s_choose (areas, 34.05, 108.2, "crime", 0, &choice), "big");
    assert_string_equal (s_copy (areas, &choice, 0), "small");
    assert_int_equal (areas_at (areas, (position_t){ 34.05, 108.2 }, "crime", 0), 0);
    assert_int_equal (areas_at (areas, (position_t){ 34.1, 108.2 }, "crime", 0), 0);
    //  half a nanodegree beside it GEOS decides
    assert_int_equal (areas_at (areas, (position_t){ 34.05, 108.2000000005 }, "crime", 0), 1);
    assert_string_equal (s_choose (areas, 34.02, 108.055, "crime", 0, &choice), "nested");
    assert_int_equal (areas_at (areas, (position_t){ 34.025, 108.055 }, "crime", 0), 2);
    assert_int_equal (areas_at (areas, (position_t){ 35, 108 }, "crime", 0), -1);
    areas_destroy (&areas);
}

static void test_gap (void **state)
{
    (void)state;
    areas_t *areas = s_load_good (FEATURE ("\"station\":\"a\",\"parent\":\"b\",\"kinds\":[\"crime\"]", "Polygon",
        WEST) "," FEATURE ("\"station\":\"b\",\"parent\":\"c\",\"kinds\":[\"fire\"],\"radius_m\":10", "Point",
        "[110,36]") "," FEATURE ("\"station\":\"c\",\"radius_m\":10", "Point", "[110,36]"));
    areas_choice_t choice;
    //  111 m outside: the nearest
    assert_string_equal (s_choose (areas, 33.999, 108.05, "crime", 0, &choice), "a");
    assert_int_equal (choice.by, BY_NEAREST);
    assert_int_equal (choice.area, 0);
    assert_string_equal (choice.why, "in no area that takes crime; nearest is area 0 (level 0), 111 m away");
    //  5.5 km outside: its parent, if that takes the kind, else the next
    assert_string_equal (s_choose (areas, 33.95, 108.05, "fire", 0, &choice), "b");
    assert_int_equal (choice.by, BY_PARENT);
    assert_int_equal (choice.area, -1);
    assert_string_equal (s_choose (areas, 33.95, 108.05, "crime", 0, &choice), "c");
    //  inside an area that does not take it
    assert_string_equal (s_choose (areas, 34.05, 108.05, "fire", 0, &choice), "b");
    assert_int_equal (choice.by, BY_PARENT);
    //  nowhere near
    assert_string_equal (s_choose (areas, -20, 30, "fire", 0, &choice), "district");
    assert_int_equal (choice.by, BY_DISTRICT);
    assert_string_equal (s_choose (areas, NAN, 30, "fire", 0, &choice), "district");
    assert_true (strlen (choice.why) > 0);
    areas_destroy (&areas);

    areas = areas_load (NULL, 0, DATUM_WGS84, 1, true, NULL, NULL);
    assert_string_equal (s_choose (areas, 34, 108, "fire", 0, &choice), "district");
    assert_string_equal (choice.why, "no areas are loaded");
    assert_int_equal (areas_station_count (areas), 1);
    areas_destroy (&areas);
}

static void test_dates (void **state)
{
    (void)state;
    areas_t *areas = s_load_good (FEATURE ("\"station\":\"old\",\"until\":\"2026-07-01T00:00:00Z\"", "Polygon",
        WEST) "," FEATURE ("\"station\":\"new\",\"from\":\"2026-07-01T00:00:00Z\"", "Polygon", WEST));
    int64_t change;
    assert_int_equal (time_parse (&change, "2026-07-01T00:00:00Z", 0), 0);
    areas_choice_t choice;
    areas_choose (areas, (position_t){ 34.05, 108.05 }, "crime", change - 1, 0, &choice);
    assert_string_equal (areas_station (areas, choice.station)->id, "old");
    areas_choose (areas, (position_t){ 34.05, 108.05 }, "crime", change, 0, &choice);
    assert_string_equal (areas_station (areas, choice.station)->id, "new");
    areas_destroy (&areas);
}

typedef struct {
    int count, chosen;
    char words [8][160];
} told_t;

static void s_keep_candidate (void *context, int area, areas_by_t by, double distance, bool chosen, const char *why)
{
    told_t *told = context;
    (void)by;
    if (told->count < 8)
        snprintf (told->words [told->count], sizeof told->words [0], "%d %.0f %s", area, distance, why);
    told->count++;
    told->chosen += chosen;
}

static void test_explain (void **state)
{
    (void)state;
    areas_t *areas = s_load_good (TOWN);
    areas_choice_t choice;
    told_t told = { 0 };
    areas_explain (areas, (position_t){ 34.0502, 108.0999 }, "crime", 0, 0, &choice, s_keep_candidate, &told);
    assert_int_equal (told.count, 4);
    assert_int_equal (told.chosen, 1);
    assert_string_equal (told.words [0], "3 0 does not take crime");
    assert_non_null (strstr (told.words [1], "0 0 inside area w"));
    assert_string_equal (told.words [2], "2 0 the owner's level is lower");
    assert_string_equal (told.words [3], "1 9 9 m away; its station gets a copy");
    areas_destroy (&areas);
}

//  ---------------------------------------------------------------------------------------------
//  Faults

static void s_expect (const char *features, bool fatal, int feature, const char *station, const char *words)
{
    faults_t faults;
    areas_t *areas = s_load (features, true, &faults);
    if (fatal != !areas)
        fail_msg ("%s: expected %s", words, fatal ? "a refusal" : "a warning");
    bool found = false;
    for (int i = 0; i < faults.count; i++) {
        const areas_fault_t *fault = &faults.list [i];
        found |= fault->fatal == fatal && fault->feature == feature && strcmp (fault->station, station) == 0
            && strstr (fault->text, words);
    }
    if (!found)
        fail_msg ("expected '%s' of feature %d, station '%s'; got %d: %d '%s' '%s'", words, feature, station, faults.count,
            faults.list [0].feature, faults.list [0].station, faults.list [0].text);
    areas_destroy (&areas);
}

#define BAD(properties, words)                                                                                         \
    s_expect (                                                                                                         \
        FEATURE ("\"station\":\"ok\"", "Polygon", EAST) "," FEATURE ("\"station\":\"x\"" properties, "Polygon", WEST), \
        true, 1, "x", words)
#define BADSHAPE(type, coordinates, words) \
    s_expect (FEATURE ("\"station\":\"x\",\"buffer_m\":5,\"radius_m\":5", type, coordinates), true, 0, "x", words)

static void test_bad_properties (void **state)
{
    (void)state;
    s_expect (FEATURE ("\"name\":\"a\"", "Polygon", WEST), true, 0, "", "has no `station`");
    s_expect (FEATURE ("\"station\":\"a b\"", "Polygon", WEST), true, 0, "", "'a b' is not an id");
    s_expect (FEATURE ("\"station\":\"\"", "Polygon", WEST), true, 0, "", "is not an id");
    s_expect (FEATURE ("\"station\":7", "Polygon", WEST), true, 0, "", "`station` is not a text");
    BAD (",\"level\":5", "`level`");
    BAD (",\"level\":0.5", "`level`");
    BAD (",\"level\":\"1\"", "`level`");
    BAD (",\"from\":\"2026-02-30\"", "`from` '2026-02-30'");
    BAD (",\"from\":\"-2h\"", "`from` '-2h'");
    BAD (",\"until\":\"now\"", "`until` 'now'");
    BAD (",\"from\":\"2026-02-02\",\"until\":\"2026-02-02\"", "never in force");
    BAD (",\"kinds\":[]", "leave it out");
    BAD (",\"kinds\":[\"Crime\"]", "'Crime'");
    BAD (",\"kinds\":\"crime\"", "not a list");
    BAD (",\"parent\":\"nobody\"", "'nobody' is not a station");
    BAD (",\"parent\":\"x\"", "itself");
    BAD (",\"name\":\"a\\u0007b\"", "not fit");
    BAD (",\"name\":\"a\\u202eb\"", "not fit");
    BAD (",\"id\":[1]", "neither");
    BAD (",\"id\":0", "already that of feature 0");
    s_expect (FEATURE ("\"station\":\"a\",\"parent\":\"b\"", "Polygon", WEST) "," FEATURE (
                  "\"station\":\"b\",\"parent\":\"a\"", "Polygon", EAST),
        true, 0, "a", "circle");
    s_expect (FEATURE ("\"station\":\"a\",\"parent\":\"b\"", "Polygon", WEST) "," FEATURE ("\"station\":\"b\"", "Polygon",
                  EAST) "," FEATURE ("\"station\":\"a\",\"parent\":\"district\"", "Polygon", BOTH),
        true, 2, "a", "'b' in feature 0");
    s_expect (FEATURE ("\"station\":\"a\"", "LineString", ROAD), true, 0, "a", "needs `buffer_m`");
    s_expect (FEATURE ("\"station\":\"a\"", "Point", "[108,34]"), true, 0, "a", "needs `radius_m`");
    s_expect (FEATURE ("\"station\":\"a\",\"radius_m\":-1", "Point", "[108,34]"), true, 0, "a", "`radius_m` is not");
}

static void test_bad_shapes (void **state)
{
    (void)state;
    BADSHAPE ("Polygon", "[[[108,34],[108.1,34],[108.1,34.1],[108,34.1]]]", "polygon 0 ring 0 is not closed");
    BADSHAPE ("MultiPolygon", "[" WEST ",[[[109,34],[109.1,34],[109.1,34.1],[109,34]],[[1,1],[2,1],[2,2],[1,3]]]]",
        "polygon 1 ring 1 is not closed");
    BADSHAPE ("Polygon", "[[[108,34],[108.1,34.1],[108.1,34],[108,34.1],[108,34]]]",
        "Self-intersection at 34.0500000,108.0500000");
    BADSHAPE ("Polygon", "[[[34,108],[34.1,108],[34.1,108.1],[34,108]]]", "looks swapped");
    BADSHAPE ("Polygon", "[[[340000,108],[34.1,108],[34.1,108.1],[34,108]]]", "beyond 90");
    BADSHAPE ("Polygon", "[[[190,8],[34.1,8],[34.1,8.1],[190,8]]]", "longitude 190 is beyond 180");
    BADSHAPE ("Polygon", "[[[179,8],[-179,8],[-179,8.1],[179,8]]]", "180 degree meridian");
    BADSHAPE ("Polygon", "[[[108,34],[108.1,34],[108,34]]]", "at least 4 positions");
    BADSHAPE ("Polygon", "[]", "no rings");
    BADSHAPE ("MultiPolygon", "[]", "empty list");
    BADSHAPE ("Polygon", "[[[108],[108.1,34],[108,34.1],[108]]]", "is not [lon, lat]");
    BADSHAPE ("Polygon", "[[[108,\"34\"],[108.1,34],[108,34.1],[108,34]]]", "value 1 is not a number");
    BADSHAPE ("LineString", "[[108,34]]", "at least 2 positions");
    BADSHAPE ("Point", "[200,34]", "beyond 180");
    BADSHAPE ("MultiPoint", "[[108,34]]", "geometry 'MultiPoint' is not read");
    s_expect (
        "{\"type\":\"Feature\",\"properties\":{\"station\":\"x\"},\"geometry\":null}", true, 0, "x", "geometry '(none)'");
    s_expect ("{\"type\":\"Polygon\"}", true, 0, "", "\"Feature\"");
    s_expect ("3", true, 0, "", "\"Feature\"");
}

static void s_expect_file (const char *bytes, size_t size, bool fatal, const char *words)
{
    faults_t faults = { 0 };
    areas_t *areas = areas_load (bytes, size, DATUM_WGS84, 1, false, s_keep_fault, &faults);
    assert_true (fatal == !areas);
    assert_true (faults.count > 0);
    if (!strstr (faults.list [0].text, words))
        fail_msg ("expected '%s', got '%s'", words, faults.list [0].text);
    assert_int_equal (faults.list [0].feature, -1);
    areas_destroy (&areas);
}

static void test_bad_files (void **state)
{
    (void)state;
    s_expect_file ("", 0, true, "is not JSON");
    s_expect_file ("{\"a\":1,}", 8, true, "line 1 column");
    s_expect_file ("{}", 2, true, "FeatureCollection is needed");
    s_expect_file ("[]", 2, true, "FeatureCollection is needed");
    s_expect_file ("{\"type\":\"FeatureCollection\"}", 28, true, "no list `features`");
    const char *empty = "\xEF\xBB\xBF{\"type\":\"FeatureCollection\",\"features\":[]}";
    s_expect_file (empty, strlen (empty), false, "byte order mark");
    const char *crs = "{\"type\":\"FeatureCollection\",\"crs\":{\"properties\":{\"name\":\"EPSG:3857\"}},\"features\":[]}";
    s_expect_file (crs, strlen (crs), false, "'EPSG:3857'");

    char *deep = malloc (200000);
    memset (deep, '[', 200000);
    s_expect_file (deep, 200000, true, "deeper than");
    free (deep);
    size_t size = 21000000;
    char *wide = malloc (size);
    memset (wide, ',', size);
    wide [0] = '[';
    s_expect_file (wide, size, true, "more than 20000000 values");
    free (wide);
    char *huge = calloc (1, ((size_t)256 << 20) + 1);
    s_expect_file (huge, ((size_t)256 << 20) + 1, true, "at most");
    free (huge);
}

static void test_deep (void **state)
{
    (void)state;
    s_expect (FEATURE ("\"station\":\"a\"", "Polygon", WEST) "," FEATURE (
                  "\"station\":\"b\"", "Polygon", "[[[108.09,34],[108.2,34],[108.2,34.1],[108.09,34.1],[108.09,34]]]"),
        false, 0, "a", "overlaps feature 1");
    //  four strips around an empty middle
    s_expect (
        FEATURE ("\"station\":\"s\"", "Polygon", "[[[108,34],[108.3,34],[108.3,34.1],[108,34.1],[108,34]]]") "," FEATURE (
            "\"station\":\"n\"", "Polygon",
            "[[[108,34.2],[108.3,34.2],[108.3,34.3],[108,34.3],[108,34.2]]]") "," FEATURE ("\"station\":\"w\"", "Polygon",
            "[[[108,34.1],[108.1,34.1],[108.1,34.2],[108,34.2],[108,34.1]]]") "," FEATURE ("\"station\":\"e\"", "Polygon",
            "[[[108.2,34.1],[108.3,34.1],[108.3,34.2],[108.2,34.2],[108.2,34.1]]]"),
        false, 0, "s", "gap of 102.32 km2 at 34.15");
    //  neighbours, levels, kinds and dates that do not compete
    faults_t faults;
    areas_t *areas
        = s_load (TOWN "," FEATURE ("\"station\":\"a\",\"kinds\":[\"fire\"],\"until\":\"2020-01-01\",\"level\":3", "Polygon",
                      WEST) "," FEATURE ("\"station\":\"b\",\"kinds\":[\"crime\"],\"level\":3", "Polygon",
                      WEST) "," FEATURE ("\"station\":\"c\",\"kinds\":[\"fire\"],\"from\":\"2020-01-01\",\"level\":3",
                      "Polygon", WEST),
            true, &faults);
    assert_non_null (areas);
    assert_int_equal (faults.count, 0);
    areas_destroy (&areas);
}

//  Readers of one areas_t in several threads, on edges, where GEOS is asked.
static void *s_read (void *data)
{
    const areas_t *areas = data;
    areas_choice_t choice;
    long good = 0;
    for (int i = 0; i < 2000; i++) {
        areas_choose (areas, (position_t){ 34 + i * 0.00004, 108.1 }, "crime", 0, 0, &choice);
        good += choice.station == 1 && choice.by == BY_POLYGON;
    }
    return (void *)good;
}

static void test_threads (void **state)
{
    (void)state;
    areas_t *areas
        = s_load_good (FEATURE ("\"station\":\"a\"", "Polygon", WEST) "," FEATURE ("\"station\":\"b\"", "Polygon", EAST));
    pthread_t threads [4];
    for (int i = 0; i < 4; i++)
        assert_int_equal (pthread_create (&threads [i], NULL, s_read, areas), 0);
    for (int i = 0; i < 4; i++) {
        void *good;
        pthread_join (threads [i], &good);
        assert_int_equal ((long)good, 2000);
    }
    areas_destroy (&areas);
}

//  ---------------------------------------------------------------------------------------------
//  Real jurisdictions

static char *s_read_data (const char *name, size_t *size)
{
    const char *shared = getenv ("PATROL_SHARED");
    char path [400];
    snprintf (path, sizeof path, "%s/data/%s", shared ? shared : "../shared", name);
    FILE *file = fopen (path, "rb");
    if (!file)
        return NULL;
    fseek (file, 0, SEEK_END);
    *size = (size_t)ftell (file);
    rewind (file);
    char *bytes = malloc (*size + 1);
    assert_int_equal (fread (bytes, 1, *size, file), *size);
    bytes [*size] = 0;
    fclose (file);
    return bytes;
}

//  The file with `station` taken from another property.
static char *s_with_station (const char *name, const char *from)
{
    size_t size;
    char *bytes = s_read_data (name, &size);
    if (!bytes)
        return NULL;
    json_t *root = json_loadb (bytes, size, 0, NULL);
    assert_non_null (root);
    free (bytes);
    size_t index;
    json_t *feature;
    json_array_foreach (json_object_get (root, "features"), index, feature)
    {
        json_t *properties = json_object_get (feature, "properties");
        json_t *value = json_object_get (properties, from);
        char words [32];
        snprintf (words, sizeof words, "%lld", (long long)json_integer_value (value));
        json_object_set_new (
            properties, "station", json_string (json_is_string (value) ? json_string_value (value) : words));
        json_object_del (properties, "id");
    }
    bytes = json_dumps (root, JSON_COMPACT);
    json_decref (root);
    return bytes;
}

static areas_t *s_load_data (const char *name, const char *from, datum_t datum, bool deep, faults_t *faults)
{
    char *bytes = s_with_station (name, from);
    if (!bytes)
        skip ();
    memset (faults, 0, sizeof *faults);
    areas_t *areas = areas_load (bytes, strlen (bytes), datum, 1, deep, s_keep_fault, faults);
    free (bytes);
    assert_non_null (areas);
    return areas;
}

static void test_chicago (void **state)
{
    (void)state;
    faults_t faults;
    areas_t *areas = s_load_data ("chicago-police/districts.geojson", "DIST_NUM", DATUM_WGS84, true, &faults);
    size_t size;
    char *bytes = s_read_data ("chicago-reports/crimes-2014-09.csv", &size);
    assert_non_null (bytes);
    placefile_t file;
    placefile_begin (&file, bytes, size);
    int positioned = 0, same = 0;
    assert_int_equal (placefile_next (&file), 1);
    while (placefile_next (&file) == 1) {
        if (!file.fields [9][0])
            continue;
        areas_choice_t choice;
        areas_choose (areas, (position_t){ atof (file.fields [9]), atof (file.fields [10]) }, "crime", 0, 0, &choice);
        positioned++;
        same += strcmp (areas_station (areas, choice.station)->id, file.fields [8]) == 0;
    }
    assert_int_equal (positioned, 21559);
    assert_in_range (same, 21555, 21559);
    free (bytes);
    areas_destroy (&areas);
}

static void test_shaanxi (void **state)
{
    (void)state;
    faults_t faults;
    areas_t *areas = s_load_data ("shaanxi-boundaries/counties.gcj02.geojson", "adcode", DATUM_GCJ02, false, &faults);
    assert_int_equal (areas_count (areas), 104);
    size_t size;
    char *bytes = s_read_data ("shaanxi-gazetteer/places-2016.csv", &size);
    assert_non_null (bytes);
    placefile_t file;
    placefile_begin (&file, bytes, size);
    int points = 0, own = 0;
    assert_int_equal (placefile_next (&file), 1);
    while (placefile_next (&file) == 1) {
        bool below = strcmp (file.fields [3], "town") == 0 || strcmp (file.fields [3], "village") == 0;
        int station = areas_find_station (areas, file.fields [0], 6);
        if (!below || station < 0 || !file.fields [8][0])
            continue;
        position_t p = datum_to_wgs84 ((position_t){ atof (file.fields [9]), atof (file.fields [8]) }, DATUM_GCJ02);
        areas_choice_t choice;
        areas_choose (areas, p, "dispute", 0, 0, &choice);
        points++;
        own += choice.station == station && choice.by == BY_POLYGON;
    }
    assert_int_equal (points, 2144);
    assert_int_equal (own, 2144);
    free (bytes);
    areas_destroy (&areas);
}

//  Every vertex and every middle of an edge has one owner, and that owner covers it.
static void test_every_vertex (void **state)
{
    (void)state;
    faults_t faults;
    areas_t *areas = s_load_data ("chicago-police/districts.geojson", "DIST_NUM", DATUM_WGS84, false, &faults);
    size_t size, index;
    char *bytes = s_read_data ("chicago-police/districts.geojson", &size);
    json_t *root = json_loadb (bytes, size, 0, NULL), *feature, *position;
    free (bytes);
    long count = 0, nobody = 0;
    json_array_foreach (json_object_get (root, "features"), index, feature)
    {
        json_t *geometry = json_object_get (feature, "geometry");
        json_t *ring = json_array_get (json_object_get (geometry, "coordinates"), 0);
        size_t at;
        position_t last = { NAN, NAN };
        json_array_foreach (ring, at, position)
        {
            position_t p
                = { json_real_value (json_array_get (position, 1)), json_real_value (json_array_get (position, 0)) };
            position_t middle = { (p.lat + last.lat) / 2, (p.lon + last.lon) / 2 };
            areas_choice_t choice;
            areas_choose (areas, p, "crime", 0, 0, &choice);
            assert_int_equal (choice.by, BY_POLYGON);
            assert_true (areas_covers (areas, choice.area, p));
            if (at > 0) {
                //  on the outer border the middle may round to the outside: then the nearest area, at no distance
                areas_choose (areas, middle, "crime", 0, 0, &choice);
                assert_true (choice.by == BY_POLYGON || choice.by == BY_NEAREST);
                nobody += choice.by == BY_NEAREST;
            }
            last = p;
            count++;
        }
    }
    assert_true (count > 20000);
    assert_true (nobody < count);
    json_decref (root);
    areas_destroy (&areas);
}

//  The same file read by GEOS itself, asked for the same points: inside, on vertices, on the middle of edges.
static void s_compare_with_geos (const char *name, const char *from)
{
    faults_t faults;
    areas_t *areas = s_load_data (name, from, DATUM_WGS84, false, &faults);
    size_t size;
    char *bytes = s_read_data (name, &size);
    GEOSContextHandle_t geos = GEOS_init_r ();
    GEOSGeoJSONReader *reader = GEOSGeoJSONReader_create_r (geos);
    GEOSGeometry *all = GEOSGeoJSONReader_readGeometry_r (geos, reader, bytes);
    int count = GEOSGetNumGeometries_r (geos, all);
    assert_int_equal (count, areas_count (areas));
    double west, south, east, north;
    GEOSGeom_getExtent_r (geos, all, &west, &south, &east, &north);
    const GEOSPreparedGeometry **prepared = calloc ((size_t)count, sizeof *prepared);
    for (int i = 0; i < count; i++)
        prepared [i] = GEOSPrepare_r (geos, GEOSGetGeometryN_r (geos, all, i));
    const GEOSCoordSequence *ring = NULL;
    unsigned vertices = 0;
    int differ = 0;
    for (unsigned n = 0; n < 20000; n++) {
        position_t p = { south + (north - south) * drand48 (), west + (east - west) * drand48 () };
        if (n % 400 == 0) {
            const GEOSGeometry *part = GEOSGetGeometryN_r (geos, GEOSGetGeometryN_r (geos, all, (int)(n / 400) % count), 0);
            ring = GEOSGeom_getCoordSeq_r (geos, GEOSGetExteriorRing_r (geos, part));
            GEOSCoordSeq_getSize_r (geos, ring, &vertices);
        }
        if (n % 2) {
            position_t next;
            unsigned at = n * 7 % (vertices - 1);
            GEOSCoordSeq_getXY_r (geos, ring, at, &p.lon, &p.lat);
            GEOSCoordSeq_getXY_r (geos, ring, at + 1, &next.lon, &next.lat);
            if (n % 4 == 1)
                p = (position_t){ (p.lat + next.lat) / 2, (p.lon + next.lon) / 2 };
        }
        GEOSGeometry *point = GEOSGeom_createPointFromXY_r (geos, p.lon, p.lat);
        for (int i = 0; i < count; i++)
            differ += (GEOSPreparedCovers_r (geos, prepared [i], point) == 1) != areas_covers (areas, i, p);
        GEOSGeom_destroy_r (geos, point);
    }
    assert_int_equal (differ, 0);
    for (int i = 0; i < count; i++)
        GEOSPreparedGeom_destroy_r (geos, prepared [i]);
    free (prepared);
    GEOSGeom_destroy_r (geos, all);
    GEOSGeoJSONReader_destroy_r (geos, reader);
    GEOS_finish_r (geos);
    free (bytes);
    areas_destroy (&areas);
}

static void test_chicago_geos (void **state)
{
    (void)state;
    s_compare_with_geos ("chicago-police/districts.geojson", "DIST_NUM");
}

static void test_shaanxi_geos (void **state)
{
    (void)state;
    s_compare_with_geos ("shaanxi-boundaries/counties.gcj02.geojson", "adcode");
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_precedence),
        cmocka_unit_test (test_border),
        cmocka_unit_test (test_shared_border),
        cmocka_unit_test (test_repair),
        cmocka_unit_test (test_gap),
        cmocka_unit_test (test_dates),
        cmocka_unit_test (test_explain),
        cmocka_unit_test (test_bad_properties),
        cmocka_unit_test (test_bad_shapes),
        cmocka_unit_test (test_bad_files),
        cmocka_unit_test (test_deep),
        cmocka_unit_test (test_threads),
        cmocka_unit_test (test_chicago),
        cmocka_unit_test (test_shaanxi),
        cmocka_unit_test (test_every_vertex),
        cmocka_unit_test (test_chicago_geos),
        cmocka_unit_test (test_shaanxi_geos),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
