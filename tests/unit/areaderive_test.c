//  areaderive: at every point of the outline the derived area is that of the nearest station; and what is refused

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "areaderive.h"

#define STATIONS_MAX 400
#define POINTS 20000

#define COUNTY                                                                                                             \
    "{\"type\":\"MultiPolygon\",\"coordinates\":[[[[109.0,32.5],[109.9,32.6],[109.7,33.2],[109.2,33.1],[109.0,32.5]],"     \
    "[[109.4,32.8],[109.4,32.9],[109.5,32.9],[109.5,32.8],[109.4,32.8]]],[[[110.0,32.5],[110.2,32.5],[110.2,32.7],[110.0," \
    "32.5]]]]}"

static uint64_t s_seed;

static double s_random (void)
{
    s_seed += 0x9E3779B97F4A7C15u;
    uint64_t z = (s_seed ^ (s_seed >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

typedef struct {
    char first [256]; //  text of the first fault
    int fatal, warnings;
} faults_t;

static void s_on_fault (void *context, const areas_fault_t *fault)
{
    faults_t *faults = context;
    if (!faults->first [0])
        snprintf (faults->first, sizeof faults->first, "%s", fault->text);
    faults->fatal += fault->fatal;
    faults->warnings += !fault->fatal;
}

static char *s_derive (const char *stations, const char *outline, datum_t datum, faults_t *faults)
{
    char *copy = strdup (stations);
    memset (faults, 0, sizeof *faults);
    char *text = areaderive_make (copy, strlen (copy), outline, strlen (outline), datum, s_on_fault, NULL, faults);
    free (copy);
    return text;
}

//  Asks the derived map at random points of the box that lie in the outline's own area.
static void s_check_nearest (const position_t *stations, int count, const char *outline, double south, double west,
    double north, double east, double tolerance)
{
    char *csv = NULL;
    size_t size;
    FILE *out = open_memstream (&csv, &size);
    fprintf (out, "id,lat,lon\n");
    for (int i = 0; i < count; i++)
        fprintf (out, "s%d,%.9f,%.9f\n", i, stations [i].lat, stations [i].lon);
    fclose (out);
    faults_t faults;
    char *text = s_derive (csv, outline, DATUM_WGS84, &faults);
    if (!text)
        fail_msg ("%s", faults.first);
    memset (&faults, 0, sizeof faults);
    areas_t *areas = areas_load (text, strlen (text), DATUM_WGS84, 1, true, s_on_fault, &faults);
    assert_non_null (areas);
    assert_int_equal (faults.fatal, 0);
    //  that they are derived, and the hole the outline itself has; no overlap, no gap
    assert_int_equal (faults.warnings, strcmp (outline, COUNTY) == 0 ? 2 : 1);

    char *drawn = NULL;
    assert_true (
        asprintf (&drawn,
            "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"properties\":{\"station\":\"all\"},"
            "\"geometry\":%s}]}",
            outline)
        > 0);
    areas_t *whole = areas_load (drawn, strlen (drawn), DATUM_WGS84, 1, false, NULL, NULL);
    assert_non_null (whole);
    int inside = 0;
    for (int n = 0; n < POINTS; n++) {
        position_t at = { south + (north - south) * s_random (), west + (east - west) * s_random () };
        int area = areas_at (areas, at, "crime", 0);
        //  along the outline a millimetre may go to either side
        areas_choice_t choice;
        areas_choose (whole, at, "crime", 0, 0, &choice);
        bool in = choice.by == BY_POLYGON;
        if (in && area < 0) {
            areas_choose (areas, at, "crime", 0, 0, &choice);
            assert_int_equal (choice.by, BY_NEAREST);
            assert_non_null (strstr (choice.why, ", 0 m away"));
            continue;
        }
        if (!in)
            continue;
        inside++;
        assert_true (areas_area_derived (areas, area));
        double least = INFINITY;
        for (int i = 0; i < count; i++)
            least = fmin (least, distance_m (at, stations [i]));
        int given = atoi (areas_station (areas, areas_area_station (areas, area))->id + 1);
        double got = distance_m (at, stations [given]);
        if (got > least * (1 + tolerance) + 0.5)
            fail_msg ("%.7f,%.7f: s%d is %.1f m away, the nearest %.1f m", at.lat, at.lon, given, got, least);
    }
    assert_true (inside > POINTS / 10);
    areas_destroy (&areas);
    areas_destroy (&whole);
    free (drawn);
    free (text);
    free (csv);
}

static void test_nearest (void **state)
{
    (void)state;
    position_t stations [STATIONS_MAX];
    for (int count = 1; count <= 256; count *= 4) {
        for (int i = 0; i < count; i++)
            stations [i] = (position_t){ 32.4 + 0.9 * s_random (), 108.9 + 1.4 * s_random () };
        s_check_nearest (stations, count, COUNTY, 32.5, 109.0, 33.2, 110.2, 5e-5);
    }
    //  two, three on a line, and a lattice, where four cells meet in a point
    stations [0] = (position_t){ 32.6, 109.2 };
    stations [1] = (position_t){ 32.9, 109.6 };
    s_check_nearest (stations, 2, COUNTY, 32.5, 109.0, 33.2, 110.2, 5e-5);
    for (int i = 0; i < 3; i++)
        stations [i] = (position_t){ 32.8, 109.2 + i * 0.2 };
    s_check_nearest (stations, 3, COUNTY, 32.5, 109.0, 33.2, 110.2, 5e-5);
    for (int i = 0; i < 100; i++)
        stations [i] = (position_t){ 32.5 + i / 10 * 0.07, 109.0 + i % 10 * 0.1 };
    s_check_nearest (stations, 100, COUNTY, 32.5, 109.0, 33.2, 110.2, 5e-5);
}

//  In degrees the nearest would be another one: at 60 degrees north a degree of longitude is half as long.
static void test_metres (void **state)
{
    (void)state;
    const char *box = "{\"type\":\"Polygon\",\"coordinates\":[[[20,60],[24,60],[24,62],[20,62],[20,60]]]}";
    position_t stations [] = { { 61, 21 }, { 61, 23 }, { 60.2, 22 } };
    s_check_nearest (stations, 3, box, 60, 20, 62, 24, 3e-4);
    faults_t faults;
    char *text = s_derive ("id,lat,lon\ns0,61,21\ns1,61,23\ns2,60.2,22\n", box, DATUM_WGS84, &faults);
    areas_t *areas = areas_load (text, strlen (text), DATUM_WGS84, 1, false, NULL, NULL);
    //  44 km west of the third, 61 km from the first, though 0.8 degree against 0.71
    position_t at = { 60.5, 21.26 };
    assert_true (hypot (at.lat - 61, at.lon - 21) < hypot (at.lat - 60.2, at.lon - 22));
    assert_true (distance_m (at, stations [2]) < distance_m (at, stations [0]));
    assert_int_equal (areas_at (areas, at, "crime", 0), 2);
    areas_destroy (&areas);
    free (text);
}

//  A province: the plane stretches, and the tolerance says by how much.
static void test_far (void **state)
{
    (void)state;
    const char *box = "{\"type\":\"Polygon\",\"coordinates\":[[[105,31],[111,31],[111,40],[105,40],[105,31]]]}";
    position_t stations [40];
    for (int i = 0; i < 40; i++)
        stations [i] = (position_t){ 31 + 9 * s_random (), 105 + 6 * s_random () };
    s_check_nearest (stations, 40, box, 31, 105, 40, 111, 1.5e-3);
}

static void test_file (void **state)
{
    (void)state;
    faults_t faults;
    //  names and order of columns as other people write them, quotes, a field over two lines, a marked datum
    char *text = s_derive ("\xEF\xBB\xBF"
                           "DISTRICT,ADDRESS,LATITUDE,LONGITUDE,Name\r\n"
                           "1,\"1718 State St\nChicago\",32.8,109.3,\"所, \"\"一\"\"\"\r\n2,,32.9,109.6,\r\n",
        COUNTY, DATUM_GCJ02, &faults);
    if (!text)
        fail_msg ("%s", faults.first);
    areas_t *areas = areas_load (text, strlen (text), DATUM_WGS84, 1, false, NULL, NULL);
    assert_non_null (areas);
    assert_int_equal (areas_count (areas), 2);
    assert_string_equal (areas_area_name (areas, 0), "所, \"一\"");
    assert_true (areas_area_derived (areas, 0));
    areas_choice_t choice;
    areas_choose (areas, (position_t){ 32.8, 109.3 }, "crime", 0, 0, &choice);
    assert_non_null (strstr (choice.why, "(level 0, derived)"));
    areas_destroy (&areas);
    free (text);
    //  a station that others leave nothing is told and has no feature
    text = s_derive ("id,lat,lon\na,32.8,109.3\nfar,30,100\n", COUNTY, DATUM_WGS84, &faults);
    assert_non_null (text);
    assert_non_null (strstr (faults.first, "line 3: \"far\" gets no area"));
    assert_null (strstr (text, "\"far\""));
    free (text);
}

static void s_refused (const char *stations, const char *outline, const char *words)
{
    faults_t faults;
    assert_null (s_derive (stations, outline, DATUM_WGS84, &faults));
    assert_true (faults.fatal > 0);
    if (!strstr (faults.first, words))
        fail_msg ("expected '%s', got '%s'", words, faults.first);
}

static void test_refused (void **state)
{
    (void)state;
    s_refused ("", COUNTY, "no header");
    s_refused ("id,lat\na,1\n", COUNTY, "no column lon");
    s_refused ("lat,lon\n1,1\n", COUNTY, "no column id");
    s_refused ("id,lat,lon\n", COUNTY, "a header and no station");
    s_refused ("id,lat,lon\na b,32.8,109.3\n", COUNTY, "line 2: id \"a b\" is not an id");
    s_refused ("id,lat,lon\na,109.3,32.8\n", COUNTY, "line 2: lat,lon \"109.3,32.8\"");
    s_refused ("id,lat,lon\na,nan,109.3\n", COUNTY, "line 2: lat,lon");
    s_refused ("id,lat,lon\na,,\n", COUNTY, "line 2: lat,lon");
    s_refused ("id,lat,lon\na,32.8\n", COUNTY, "line 2: has 2 fields");
    s_refused ("id,lat,lon\na,32.8,109.3\na,32.9,109.3\n", COUNTY, "line 3: id \"a\" is already that of line 2");
    s_refused ("id,lat,lon\na,32.8,109.3\nb,32.800001,109.300001\n", COUNTY, "line 3: \"b\" stands where \"a\" of line 2");
    s_refused ("id,lat,lon\na,\"32.8,109.3\n", COUNTY, "never closed");
    const char *one = "id,lat,lon\na,32.8,109.3\n";
    s_refused (one, "{", "is not JSON");
    s_refused (one, "{\"type\":\"Point\",\"coordinates\":[109,32]}", "encloses no ground");
    s_refused (one, "{\"type\":\"FeatureCollection\",\"features\":[]}", "encloses no ground");
    s_refused (one, "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[90,0],[90,60],[0,60],[0,0]]]}", "reaches");
    s_refused (
        one, "{\"type\":\"Polygon\",\"coordinates\":[[[109,32],[110,33],[110,32],[109,33],[109,32]]]}", "Self-intersection");
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_nearest),
        cmocka_unit_test (test_metres),
        cmocka_unit_test (test_far),
        cmocka_unit_test (test_file),
        cmocka_unit_test (test_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
