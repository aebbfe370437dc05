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

static const char *const s_river = HEADER "安康市,,,city,,Ankang\n"
                                          "旬阳市,32.83,109.36,county,安康市,旬阳县;Xunyang\n"
                                          "蜀河镇,,,town,旬阳市,Shuhe\n"
                                          "蜀河社区居委会,,,village,旬阳市蜀河镇,\n"
                                          "兰滩社区,32.89,109.78,village,旬阳市蜀河镇,\n"
                                          "江边,32.95,109.70,landmark,旬阳市蜀河镇,\n"
                                          "上龙潭村委会,,,village,旬阳市蜀河镇,\n"
                                          "汉阴县,32.893,108.509,county,安康市,Hanyin\n"
                                          "蜀河村委会,32.90,108.60,village,汉阴县,\n"
                                          "龙潭,32.91,108.61,village,汉阴县,\n"
                                          "西安市,34.34,108.94,city,,Xi'an\n";

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

    //  a bare area name that occurs twice is the one just before, and nothing where none is
    places = s_load (
        HEADER "甲县,,,,,\n城关镇,33,109,,甲县,\n东村,,,,城关镇,\n南村,,,,城关镇,\n乙县,,,,,\n城关镇,35,110,,乙县,\n"
               "北村,,,,城关镇,\n孤山,36,111,,乙县,\n西村,,,,城关镇,\n");
    assert_true (places_named (places, "南村", &found) && found.derived && found.position.lat == 33);
    assert_true (places_named (places, "乙县城关镇北村", &found) && found.derived && found.position.lat == 35);
    assert_true (places_named (places, "西村", &found) && !found.has_position);
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
    char label [80];
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

    //  between the areas that cover the point and the nearest place, what lies between them; nothing if they do not agree
    const struct {
        const char *within, *label;
    } cases [] = { { "", "旬阳市 蜀河镇 江边 东 120 m" }, { "旬阳市", "旬阳市 蜀河镇 江边 东 120 m" },
        { "旬阳县", "旬阳县 蜀河镇 江边 东 120 m" }, { "旬阳县 蜀河镇 老街网格", "旬阳县 蜀河镇 老街网格 江边 东 120 m" },
        { "旬阳县 蜀河镇 江边", "旬阳县 蜀河镇 江边 东 120 m" }, { "郧西县", "郧西县 江边 东 120 m" },
        { "旬", "旬 江边 东 120 m" } };
    places = s_load (s_river);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        places_label (places, (position_t){ 32.95, 109.701285 }, cases [i].within, label, sizeof label);
        assert_string_equal (label, cases [i].label);
    }
    places_label (places, (position_t){ 20, 109.0 }, "West town", label, sizeof label);
    assert_string_equal (label, "West town");
    places_destroy (&places);
}

static bool s_west (void *context, position_t position)
{
    (void)context;
    return position.lon < 109;
}

//  How a text is read: names above in any order, what explains most of it, one place within the other.
static void test_readings (void **state)
{
    (void)state;
    places_t *places = s_load (s_river);
    place_t found [8];
    places_answer_t answer;
    static const char *const town [] = { "旬阳市蜀河镇", "旬阳县蜀河镇", "安康市旬阳蜀河", "安康 蜀河镇", "Xunyang Shuhe",
        "Shuhe Town, Xunyang County", "shuhe zhen xunyang xian", "xunyangshuhe", "蜀河镇（旬阳市）", "蜀河镇" };
    for (size_t i = 0; i < sizeof town / sizeof *town; i++) {
        int count = places_find (places, town [i], NULL, found, 8, &answer);
        if (count < 1 || strcmp (found [0].name, "蜀河镇") != 0 || answer.ambiguous || !found [0].derived)
            fail_msg ("%s: %d, first %s", town [i], count, count ? found [0].name : "");
        assert_int_equal (answer.total, count);
    }
    //  the town and its 社区 of the same name are one place, the village in the other county is not
    assert_int_equal (places_find (places, "蜀河", NULL, found, 8, &answer), 3);
    assert_string_equal (found [0].name, "蜀河镇");
    assert_true (answer.ambiguous == false && found [0].confidence > 0.5 && found [0].confidence < 0.6);
    assert_int_equal (places_find (places, "旬阳蜀河", NULL, found, 8, &answer), 2);
    assert_false (answer.ambiguous);
    //  a name that explains all of the text goes before one that is inside it, also under an area
    assert_int_equal (places_find (places, "上龙潭", NULL, found, 8, &answer), 1);
    assert_string_equal (found [0].name, "上龙潭村委会");
    assert_int_equal (places_find (places, "旬阳龙潭", NULL, found, 8, &answer), 1);
    assert_string_equal (found [0].name, "上龙潭村委会");
    assert_int_equal (places_find (places, "龙潭", NULL, found, 8, &answer), 1);
    assert_string_equal (found [0].name, "龙潭");
    //  a town 口镇 with a village 口镇: what is said in full is not another one with the suffix of this
    places_t *same = s_load (HEADER "泾阳县,34,108,county,,\n口镇,34.1,108,town,泾阳县,\n口镇社区居委会,34.2,108,,"
                                    "泾阳县口镇,\n口镇村委会,34.3,108,,泾阳县口镇,\n");
    assert_int_equal (places_find (same, "泾阳县口镇口镇村委会", NULL, found, 8, &answer), 1);
    assert_true (found [0].position.lat == 34.3 && found [0].confidence == 1);
    assert_int_equal (places_find (same, "泾阳县口镇", NULL, found, 8, &answer), 3);
    assert_true (found [0].position.lat == 34.1 && !answer.ambiguous);
    places_destroy (&same);
    //  words are not cut: xian is not in Shaanxian, and an apostrophe divides nothing
    assert_int_equal (places_find (places, "Maxian's shop", NULL, found, 8, &answer), 0);
    assert_int_equal (places_find (places, "XIAN", NULL, found, 8, &answer), 1);
    assert_string_equal (found [0].name, "西安市");
    assert_true (places_named (places, "旬阳县", &found [0]));
    assert_string_equal (found [0].name, "旬阳市");
    assert_false (places_named (places, "旬阳县北街", &found [0]));
    assert_false (places_named (places, "蜀河", &found [0]));
    places_destroy (&places);
}

static void test_bias (void **state)
{
    (void)state;
    places_t *places = s_load (s_river);
    place_t found [8];
    places_answer_t answer;
    position_t east = { 32.89, 109.77 }, far = { 20, 100 }, nowhere = { NAN, 0 };
    const struct {
        places_bias_t bias;
        const char *area;
    } cases [] = { { { .at_home = s_west }, "汉阴县" }, { { .unit = "汉阴" }, "汉阴县" }, { { .unit = "旬阳县" }, "旬阳市" },
        { { .near = &east }, "旬阳市" }, { { .near = &east, .at_home = s_west }, "旬阳市" },
        { { .near = &far, .at_home = s_west }, "汉阴县" }, { { .near = &nowhere, .unit = "no such unit" }, "旬阳市" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal (places_find (places, "蜀河", &cases [i].bias, found, 8, &answer), 3);
        assert_string_equal (found [0].area, cases [i].area);
        assert_true (found [0].at_home == (i < 3 || i == 5));
        double sum = 0;
        for (int n = 0; n < 3; n++)
            sum += found [n].confidence;
        assert_true (found [0].confidence > found [2].confidence && sum < 1.5);
    }
    places_destroy (&places);
}

//  How far from its point a place may be meant.
static void test_reach (void **state)
{
    (void)state;
    places_t *places = s_load (s_river);
    place_t found, town;
    assert_true (places_named (places, "蜀河镇", &town));
    double half = distance_m ((position_t){ 32.89, 109.78 }, (position_t){ 32.95, 109.70 }) / 2;
    assert_true (fabs (town.reach_m - half) < 10);
    assert_true (places_named (places, "上龙潭村委会", &found)); //  where its town is, so anywhere in it
    assert_true (found.derived && found.reach_m == town.reach_m && found.position.lat == town.position.lat);
    assert_true (places_named (places, "江边", &found));
    assert_true (!found.derived && found.reach_m == 0);
    assert_true (places_named (places, "旬阳市", &found));
    assert_true (!found.derived && found.reach_m > 30000 && found.reach_m < 50000);
    places_destroy (&places);
}

//  Parts of names, in a gazetteer larger than any that is scanned, against a walk through all names.
static void test_parts (void **state)
{
    (void)state;
    enum { COUNT = 70000 };
    static const char *const syllables [] = { "大", "小", "河", "湾", "沟", "龙", "石", "a", "b", "c", "1" };
    static char names [COUNT][40];
    char *csv = NULL;
    size_t size;
    FILE *out = open_memstream (&csv, &size);
    fputs (HEADER, out);
    for (int i = 0; i < COUNT; i++) {
        for (int n = 0; n < 8; n++)
            strcat (names [i], syllables [rand () % 11]);
        fprintf (out, "%s,33,109,,,\n", names [i]);
    }
    fclose (out);
    places_t *places = s_load (csv);
    static place_t found [2048];
    places_answer_t answer;
    long rows = 0;
    for (int n = 0; n < 800; n++) {
        char part [40] = "";
        int length = 3 + rand () % 4;
        for (int k = 0; k < length; k++)
            strcat (part, syllables [rand () % 11]);
        if (strspn (part, "abc1") == strlen (part) && length < 3)
            continue;
        int expected = 0;
        for (int i = 0; i < COUNT; i++)
            expected += strstr (names [i], part) != NULL;
        int count = places_find (places, part, NULL, found, 2048, &answer);
        if (count != (expected < 1024 ? expected : 1024))
            fail_msg ("%s: %d, %d have it", part, count, expected);
        for (int i = 0; i < count; i++)
            assert_non_null (strstr (found [i].name, part));
        rows += count;
    }
    assert_true (rows > 30000);
    places_destroy (&places);
    free (csv);
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
        cmocka_unit_test (test_readings),
        cmocka_unit_test (test_bias),
        cmocka_unit_test (test_derived),
        cmocka_unit_test (test_reach),
        cmocka_unit_test (test_parts),
        cmocka_unit_test (test_label),
        cmocka_unit_test (test_nearest),
        cmocka_unit_test (test_shaanxi),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
