//  places: the nearest named place, and where a name is

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "placefile.h"
#include "places.h"

static places_t *s_load (const char *csv)
{
    char *reason;
    places_t *places = places_load (csv, strlen (csv), DATUM_WGS84, &reason);
    if (!places)
        fail_msg ("%s", reason);
    return places;
}

static void s_refused (const char *csv, const char *words)
{
    char *reason = NULL;
    assert_null (places_load (csv, strlen (csv), DATUM_WGS84, &reason));
    assert_non_null (reason);
    if (!strstr (reason, words))
        fail_msg ("expected '%s', got '%s'", words, reason);
    free (reason);
}

#define HEADER "name,lat,lon,kind,area,aliases\n"

static const char *const s_county = HEADER "旬阳县,,,county,安康市,旬阳市;旬阳\n"
                                           "汉阴县,32.893,108.509,county,安康市,\n"
                                           "城关镇,32.8340,109.3610,town,旬阳县,\n"
                                           "城关镇,32.8920,108.5100,town,汉阴县,\n"
                                           "棕溪镇,32.8000,109.4610,town,旬阳县,\n"
                                           "新庄村委会,,,village,旬阳县棕溪镇,\n"
                                           "River Gate,32.9000,109.0000,gate,,North Gate|River-Gate 2\n";

static void test_csv (void **state)
{
    (void)state;
    places_t *places = s_load (
        "\xEF\xBB\xBFlat,name,lon,other\r\n34.5,\"a, \"\"b\"\"\",108.5,x\r\n\r\n,c,,\"two\r\nlines\"\r\n34,d,108,");
    assert_int_equal (places_count (places), 3);
    place_t place;
    assert_true (places_nearest (places, (position_t){ 34.5, 108.5 }, 1, &place));
    assert_string_equal (place.name, "a, \"b\"");
    assert_string_equal (place.kind, "");
    places_destroy (&places);
    places_destroy (&places);

    char *reason;
    places = places_load (NULL, 0, DATUM_WGS84, &reason);
    assert_int_equal (places_count (places), 0);
    assert_false (places_nearest (places, (position_t){ 34.5, 108.5 }, 1e9, &place));
    places_answer_t answer;
    assert_int_equal (places_find (places, "a", NULL, &place, 1, &answer), 0);
    places_destroy (&places);
}

static void test_refusals (void **state)
{
    (void)state;
    s_refused ("", "no column 'name'");
    s_refused ("name,lat\na,1\n", "no column 'lon'");
    s_refused ("name,name,lat,lon\n", "'name' twice");
    s_refused (HEADER "a,1,2\n", "line 2: has 3 fields; the header names 6");
    s_refused (HEADER "\"a\nb\",1,2,,,\n", "line 2: name:");
    s_refused (HEADER "a,1,2,\"x\ny\",,\n", "line 2: kind:");
    s_refused (HEADER "a,1,2,,,\n\nb,x,2,,,\n", "line 4: lat 'x' is not a number");
    s_refused (HEADER "a,108,34,,,\n", "swapped");
    s_refused (HEADER "a,nan,34,,,\n", "lat 'nan'");
    s_refused (HEADER "a,0x10,34,,,\n", "lat '0x10'");
    s_refused (HEADER "a,1,,,,\n", "only one of lat and lon");
    s_refused (HEADER ",1,2,,,\n", "without a name");
    s_refused (HEADER "a\xFF,1,2,,,\n", "line 2: name: ");
    s_refused (HEADER "\"a,1,2,,,\n", "never closed");
    s_refused (HEADER "\"a\"b,1,2,,,\n", "between a closing quote");
    s_refused (HEADER "a\"b,1,2,,,\n", "a quote inside");
}

static void test_find (void **state)
{
    (void)state;
    places_t *places = s_load (s_county);
    place_t found [4];
    places_answer_t answer;
    //  the bare name is ambiguous, its county or the sender's place settles it
    assert_int_equal (places_find (places, "城关镇", NULL, found, 4, &answer), 2);
    assert_true (answer.ambiguous);
    assert_true (found [0].confidence <= 0.5);
    assert_int_equal (places_find (places, "汉阴县城关镇", NULL, found, 4, &answer), 1);
    assert_false (answer.ambiguous);
    assert_string_equal (found [0].area, "汉阴县");
    assert_int_equal (places_find (places, "陕西省 汉阴·城关", NULL, found, 4, &answer), 1);
    assert_string_equal (found [0].area, "汉阴县");
    position_t near = { 32.83, 109.37 };
    assert_int_equal (places_find (places, "城关", &(places_bias_t){ .near = &near }, found, 4, &answer), 2);
    assert_false (answer.ambiguous);
    assert_string_equal (found [0].area, "旬阳县");
    assert_true (found [0].distance_m < 2000 && found [0].confidence > 0.7);
    //  suffixes left out or added, aliases, letters
    assert_int_equal (places_find (places, "旬阳市", NULL, found, 4, &answer), 1);
    assert_string_equal (found [0].name, "旬阳县");
    assert_int_equal (places_find (places, "新庄村", NULL, found, 4, &answer), 1);
    assert_string_equal (found [0].name, "新庄村委会");
    assert_int_equal (places_find (places, "north gate", NULL, found, 4, &answer), 1);
    assert_int_equal (places_find (places, "ＲＩＶＥＲ gate", NULL, found, 4, &answer), 1);
    assert_true (found [0].confidence > 0.9);
    //  a name inside the text; the text inside a name
    assert_int_equal (places_find (places, "旬阳县城关镇北街12号门口", NULL, found, 4, &answer), 1);
    assert_string_equal (found [0].area, "旬阳县");
    assert_true (found [0].confidence < 0.8);
    assert_int_equal (places_find (places, "iver", NULL, found, 4, &answer), 1);
    assert_int_equal (places_find (places, "完全不知道的地方", NULL, found, 4, &answer), 0);
    assert_int_equal (places_find (places, "  ,.", NULL, found, 4, &answer), 0);
    assert_int_equal (places_find (places, "\xFF\xFE", NULL, found, 4, &answer), 0);
    assert_int_equal (places_find (places, "城关镇", NULL, found, 1, &answer), 1);
    places_destroy (&places);
}

static void test_derived (void **state)
{
    (void)state;
    places_t *places = s_load (s_county);
    place_t found;
    places_answer_t answer;
    //  the county lies in the mean of its two towns with a point, the village where its town is
    assert_int_equal (places_find (places, "旬阳县", NULL, &found, 1, &answer), 1);
    assert_true (found.has_position && found.derived);
    assert_true (fabs (found.position.lat - 32.817) < 1e-9 && fabs (found.position.lon - 109.411) < 1e-9);
    assert_int_equal (places_find (places, "新庄村委会", NULL, &found, 1, &answer), 1);
    assert_true (found.derived && fabs (found.position.lat - 32.8) < 1e-9);
    //  and is not the nearest of anything
    assert_true (places_nearest (places, (position_t){ 32.8001, 109.4611 }, 100, &found));
    assert_string_equal (found.name, "棕溪镇");
    assert_false (found.derived);
    places_destroy (&places);

    //  places that name each other as area, or themselves, are left without a point
    places = s_load (HEADER "aa,,,,bb,\nbb,,,,aa,\ncc,,,,cc,\n");
    assert_int_equal (places_find (places, "aa", NULL, &found, 1, &answer), 1);
    assert_false (found.has_position);
    places_destroy (&places);
}

static void test_label (void **state)
{
    (void)state;
    places_t *places = s_load (s_county);
    char label [64];
    places_label (places, (position_t){ 32.8340, 109.3623 }, "", label, sizeof label);
    assert_string_equal (label, "旬阳县 城关镇 东 121 m");
    places_label (places, (position_t){ 32.9100, 109.0000 }, "", label, sizeof label);
    assert_string_equal (label, "River Gate N 1.1 km");
    places_label (places, (position_t){ 32.9, 109.0 }, "", label, sizeof label);
    assert_string_equal (label, "River Gate");
    places_label (places, (position_t){ 20, 109.0 }, "", label, sizeof label);
    assert_string_equal (label, "");
    places_label (places, (position_t){ NAN, 109.0 }, "", label, sizeof label);
    assert_string_equal (label, "");
    //  cut to whole characters
    places_label (places, (position_t){ 32.8340, 109.3623 }, "", label, 18);
    assert_string_equal (label, "城关 东 121 m");
    places_label (places, (position_t){ 32.8340, 109.3623 }, "", label, 5);
    assert_string_equal (label, "城");
    places_destroy (&places);
}

//  The tree against a walk through all, also at a pole and across 180 degrees.
static void test_nearest (void **state)
{
    (void)state;
    enum { COUNT = 700 };
    char *csv = NULL;
    size_t size;
    FILE *out = open_memstream (&csv, &size);
    fputs (HEADER, out);
    position_t points [COUNT];
    for (int i = 0; i < COUNT; i++) {
        bool seam = i % 2;
        points [i].lat = seam ? 60 + 30 * drand48 () : 34 + drand48 ();
        points [i].lon = seam ? (drand48 () - 0.5) * 2 + (i % 4 == 1 ? 179 : -179) : 108 + drand48 ();
        if (points [i].lon > 180)
            points [i].lon -= 360;
        if (points [i].lon < -180)
            points [i].lon += 360;
        if (i % 10 == 0 && i)
            points [i] = points [i - 1];
        fprintf (out, "p%d,%.17g,%.17g,,,\n", i, points [i].lat, points [i].lon);
    }
    fclose (out);
    places_t *places = s_load (csv);
    for (int n = 0; n < 2000; n++) {
        position_t p = { n % 2 ? 34 + drand48 () : 60 + 30 * drand48 (), n % 2 ? 108 + drand48 () : n % 4 ? 179.9 : -179.9 };
        double least = INFINITY;
        for (int i = 0; i < COUNT; i++)
            least = fmin (least, distance_m (points [i], p));
        place_t place;
        assert_true (places_nearest (places, p, 1e8, &place));
        assert_true (fabs (place.distance_m - least) < 0.01);
        assert_false (places_nearest (places, p, least - 0.1, &place));
        assert_true (places_nearest (places, p, least + 0.1, &place));
    }
    places_destroy (&places);
    free (csv);
}

//  The gazetteer of Shaanxi: every place is found by county and name.
static void test_shaanxi (void **state)
{
    (void)state;
    const char *shared = getenv ("PATROL_SHARED");
    char path [400];
    snprintf (path, sizeof path, "%s/data/shaanxi-gazetteer/places-2016.csv", shared ? shared : "../shared");
    FILE *in = fopen (path, "rb");
    if (!in)
        skip ();
    static char text [8000000], copy [8000000];
    size_t size = fread (text, 1, sizeof text - 1, in);
    fclose (in);
    memcpy (copy, text, size);
    char *csv = NULL;
    size_t csv_size;
    FILE *out = open_memstream (&csv, &csv_size);
    fputs (HEADER, out);
    placefile_t file;
    placefile_begin (&file, text, size);
    assert_int_equal (placefile_next (&file), 1);
    while (placefile_next (&file) == 1) {
        char **f = file.fields;
        const char *level = f [3];
        bool town = strcmp (level, "town") == 0, village = strcmp (level, "village") == 0;
        fprintf (out, "%s,%s,%s,%s,%s%s,\n", f [2], f [9], f [8], level,
            village || town                     ? f [11]
                : strcmp (level, "county") == 0 ? f [10]
                                                : "",
            village ? f [12] : "");
    }
    fclose (out);
    char *reason;
    places_t *places = places_load (csv, csv_size, DATUM_GCJ02, &reason);
    if (!places)
        fail_msg ("%s", reason);
    assert_int_equal (places_count (places), 24541);
    place_t found [2];
    places_answer_t answer;
    placefile_begin (&file, copy, size);
    int towns = 0, missed = 0;
    while (placefile_next (&file) == 1) {
        char name [256];
        if (strcmp (file.fields [3], "town") != 0)
            continue;
        snprintf (name, sizeof name, "%s%s", file.fields [11], file.fields [2]);
        int count = places_find (places, name, NULL, found, 2, &answer);
        towns++;
        missed
            += count == 0 || strcmp (found [0].name, file.fields [2]) != 0 || strcmp (found [0].area, file.fields [11]) != 0;
    }
    assert_int_equal (towns, 1313);
    assert_int_equal (missed, 0);
    assert_true (places_find (places, "城关街道办事处", NULL, found, 2, &answer) == 2 && answer.ambiguous);
    places_destroy (&places);
    free (csv);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_csv),
        cmocka_unit_test (test_refusals),
        cmocka_unit_test (test_find),
        cmocka_unit_test (test_derived),
        cmocka_unit_test (test_label),
        cmocka_unit_test (test_nearest),
        cmocka_unit_test (test_shaanxi),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
