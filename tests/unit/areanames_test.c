//  areanames: named polygons around a point, from large to small

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "areanames.h"

#define SQUARE(properties, west, east)                                                                                  \
    "{\"type\":\"Feature\",\"properties\":{" properties "},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[" west \
    ",33],[" east ",33],[" east ",34],[" west ",34],[" west ",33]]]}}"

static const char s_file []
    = "{\"type\":\"FeatureCollection\",\"features\":[" SQUARE ("\"station\":\"grid\",\"name\":\"Grid 7\",\"level\":0",
        "109.0", "109.1") "," SQUARE ("\"station\":\"county\",\"name\":\"旬阳县\",\"level\":2", "109.0",
        "110.0") "," SQUARE ("\"station\":\"city\",\"name\":\"安康市\",\"level\":3", "108.0",
        "111.0") "," SQUARE ("\"station\":\"village\",\"name\":\"老街\",\"level\":0", "109.0",
        "109.2") "," SQUARE ("\"station\":\"town\",\"name\":\"蜀河镇\",\"level\":1,\"kinds\":[\"crime\"]", "109.0",
        "109.5") "," SQUARE ("\"station\":\"old\",\"name\":\"Old town\",\"level\":1,\"until\":\"2020-01-01\"", "109.0",
        "109.5") "," SQUARE ("\"station\":\"fire\",\"name\":\"蜀河镇\",\"level\":1,\"kinds\":[\"fire\"]", "109.0",
        "109.5") "," SQUARE ("\"station\":\"nameless\",\"level\":1", "109.0",
        "109.5") ","
                 "{\"type\":\"Feature\",\"properties\":{\"station\":\"gate\",\"name\":\"Gate\",\"radius_m\":5000},"
                 "\"geometry\":{\"type\":\"Point\",\"coordinates\":[109.05,33.5]}}]}";

static void test_names (void **state)
{
    (void)state;
    areas_t *areas = areas_load (s_file, strlen (s_file), DATUM_WGS84, 1, false, NULL, NULL);
    assert_non_null (areas);
    int64_t now = 1795824000000, before = 1500000000000;
    char out [100];
    const struct {
        position_t at;
        int64_t when;
        size_t room;
        const char *names;
    } cases [] = { { { 33.5, 109.05 }, now, 100, "旬阳县 蜀河镇 老街 Grid 7" },
        { { 33.5, 109.05 }, before, 100, "旬阳县 蜀河镇 Old town 老街 Grid 7" },
        { { 33.5, 109.3 }, now, 100, "旬阳县 蜀河镇" }, { { 33.5, 109.7 }, now, 100, "旬阳县" },
        { { 33.5, 110.5 }, now, 100, "" }, { { 35, 109 }, now, 100, "" }, { { 33.5, 109.05 }, now, 12, "旬阳县" },
        { { 33.5, 109.05 }, now, 1, "" } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memset (out, 'x', sizeof out);
        areanames_at (areas, cases [i].at, cases [i].when, out, cases [i].room);
        assert_string_equal (out, cases [i].names);
    }
    areas_destroy (&areas);
    areas = areas_load (NULL, 0, DATUM_WGS84, 1, false, NULL, NULL);
    areanames_at (areas, cases [0].at, now, out, sizeof out);
    assert_string_equal (out, "");
    areas_destroy (&areas);
}

int main (void)
{
    const struct CMUnitTest tests [] = { cmocka_unit_test (test_names) };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
