//  kinds: the built-in set, and what a kinds file may and may not say

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "catalogue.h"
#include "kinds.h"

static void test_builtin (void **state)
{
    (void)state;
    char *reason = NULL;
    kinds_t *kinds = kinds_load (NULL, 0, &reason);
    if (!kinds)
        fail_msg ("%s", reason);
    assert_string_equal (kinds_ids (kinds),
        "crime order suspicious hazard fire traffic dispute missing medical fraud "
        "lost civility sos other");
    assert_int_equal (kinds_count (kinds), 14);
    static const char *const urgent [] = { "crime", "hazard", "fire", "missing", "medical" };
    for (int index = 0; index < 5; index++) {
        const kind_t *kind = kinds_get (kinds, kinds_find (kinds, urgent [index], strlen (urgent [index])));
        assert_int_equal (kind->cls [3], CLASS_URGENT);
        assert_true (kind->merge_radius_m > 0 && kind->merge_window_ms > 0);
    }
    const kind_t *sos = kinds_get (kinds, kinds_find (kinds, "sos", 3));
    for (int severity = 1; severity <= 3; severity++)
        assert_int_equal (sos->cls [severity], CLASS_SOS);
    assert_int_equal (sos->merge_radius_m, 0);
    assert_int_equal (sos->severity, 3);
    assert_int_equal (sos->life_h, 72);
    assert_int_equal (sos->acknowledge_ms, 120000);
    catalogue_set ("zh");
    assert_string_equal (kind_label (sos), "紧急求助");
    catalogue_set ("en");
    assert_string_equal (kind_label (sos), "Call for help");
    //  more urgent never means a slower lane
    for (int index = 0; index < kinds_count (kinds); index++)
        for (int severity = 2; severity <= 3; severity++)
            assert_true (kinds_get (kinds, index)->cls [severity] <= kinds_get (kinds, index)->cls [severity - 1]);

    //  what it was loaded from loads again
    size_t size;
    const char *json = kinds_json (kinds, &size);
    kinds_t *again = kinds_load (json, size, NULL);
    assert_non_null (again);
    assert_string_equal (kinds_ids (again), kinds_ids (kinds));
    kinds_destroy (&again);
    kinds_destroy (&kinds);
    kinds_destroy (&kinds);
}

static void test_find (void **state)
{
    (void)state;
    kinds_t *kinds = kinds_load (NULL, 0, NULL);
    assert_int_equal (kinds_find (kinds, "crime", 5), 0);
    assert_int_equal (kinds_find (kinds, "other", 5), 13);
    assert_int_equal (kinds_find (kinds, "crimes", 6), -1);
    assert_int_equal (kinds_find (kinds, "crim", 4), -1);
    assert_int_equal (kinds_find (kinds, "sos\0x", 5), -1);
    assert_int_equal (kinds_find (kinds, "", 0), -1);
    kinds_destroy (&kinds);
}

static void test_names (void **state)
{
    (void)state;
    assert_int_equal (severity_parse ("blue"), 1);
    assert_int_equal (severity_parse ("red"), 3);
    assert_int_equal (severity_parse ("purple"), 0);
    assert_int_equal (severity_parse (""), 0);
    assert_int_equal (severity_parse (NULL), 0);
    assert_string_equal (severity_name (2), "yellow");
    assert_string_equal (severity_name (4), "");
    assert_string_equal (class_name (CLASS_SOS), "sos");
    assert_string_equal (class_name (CLASS_BULK), "bulk");
    assert_string_equal (class_name ((class_t)9), "");
}

#define CLASSES "\"class\":{\"blue\":\"bulk\",\"yellow\":\"normal\",\"red\":\"urgent\"}"
#define FIRE                                                                         \
    "{\"id\":\"fire\",\"en\":\"Fire\",\"zh\":\"火情\",\"severity\":\"red\"," CLASSES \
    ",\"acknowledge\":\"5m\",\"life\":\"24h\",\"merge\":{\"radius_m\":500,\"window\":\"2h\"}}"
#define SOS                                                                   \
    "{\"id\":\"sos\",\"en\":\"Help\",\"zh\":\"求助\",\"severity\":\"red\"," \
    "\"class\":{\"blue\":\"sos\",\"yellow\":\"sos\",\"red\":\"sos\"},\"acknowledge\":\"2m\",\"life\":\"72h\"}"
#define FILE_OF(kinds) "{\"version\":1,\"kinds\":[" kinds "]}"

//  The good file with one piece exchanged must be refused, and the reason must hold these words.

static void s_refused (const char *piece, const char *other, const char *words)
{
    static const char good [] = FILE_OF (FIRE "," SOS);
    const char *at = strstr (good, piece);
    assert_non_null (at);
    char bytes [2048];
    int size = snprintf (bytes, sizeof bytes, "%.*s%s%s", (int)(at - good), good, other, at + strlen (piece));
    char *reason = NULL;
    kinds_t *kinds = kinds_load (bytes, (size_t)size, &reason);
    if (kinds || !reason)
        fail_msg ("accepted: %s", other);
    if (!strstr (reason, words) || strchr (reason, '\n'))
        fail_msg ("\"%s\" does not say \"%s\"", reason, words);
    free (reason);
}

static void test_refuses_entries (void **state)
{
    (void)state;
    s_refused ("\"id\":\"fire\"", "\"id\":\"Fire\"", "entry 1, \"id\" is \"Fire\"");
    s_refused ("\"id\":\"fire\"", "\"id\":\"\"", "entry 1, \"id\"");
    s_refused ("\"id\":\"fire\"", "\"id\":\"a23456789012345678901234567890123\"", "entry 1, \"id\"");
    s_refused ("\"id\":\"fire\"", "\"id\":7", "entry 1, \"id\" is 7");
    s_refused ("\"id\":\"fire\",", "", "\"id\" is absent");
    s_refused ("\"id\":\"fire\"", "\"id\":\"sos\"", "entry 2 (\"sos\"), \"id\" is that of entry 1");
    s_refused ("\"en\":\"Fire\"", "\"en\":\"\"", "entry 1 (\"fire\"), \"en\"");
    s_refused ("\"zh\":\"火情\"", "\"zh\":\"火\\u202e情\"", "\"zh\"");
    s_refused ("\"en\":\"Fire\"", "\"en\":\"a\\u0000b\"", "line 1");
    s_refused (
        "\"severity\":\"red\"", "\"severity\":\"purple\"", "\"severity\" is \"purple\"; it must be blue, yellow or red");
    s_refused ("\"red\":\"urgent\"", "\"red\":\"now\"", "\"class.red\" is \"now\"");
    s_refused (",\"red\":\"urgent\"", "", "\"class.red\" is absent");
    s_refused ("\"red\":\"urgent\"", "\"red\":\"urgent\",\"green\":\"bulk\"", "\"class.green\" is not known");
    s_refused ("\"acknowledge\":\"5m\"", "\"acknowledge\":\"5\"", "\"acknowledge\" is \"5\"");
    s_refused ("\"acknowledge\":\"5m\"", "\"acknowledge\":\"8d\"", "\"acknowledge\"");
    s_refused ("\"life\":\"24h\"", "\"life\":\"73h\"", "\"life\" is \"73h\"");
    s_refused ("\"life\":\"24h\"", "\"life\":\"90m\"", "\"life\"");
    s_refused ("\"radius_m\":500", "\"radius_m\":0", "\"merge.radius_m\" is 0");
    s_refused ("\"radius_m\":500", "\"radius_m\":5001", "\"merge.radius_m\"");
    s_refused ("\"radius_m\":500", "\"radius_m\":\"500\"", "\"merge.radius_m\"");
    s_refused ("\"window\":\"2h\"", "\"window\":\"73h\"", "\"merge.window\"");
    s_refused ("\"radius_m\":500", "\"radius_m\":500,\"scope\":\"street\"", "\"merge.scope\" is \"street\"");
    s_refused ("\"radius_m\":500", "\"radius_m\":500,\"with\":\"sos\"", "\"merge.with\" is \"sos\"");
    s_refused ("\"radius_m\":500", "\"radius_m\":500,\"with\":[\"sos\"]", "another kind that has merge");
    s_refused ("\"radius_m\":500", "\"radius_m\":500,\"with\":[\"fire\"]", "another kind that has merge");
    s_refused ("\"radius_m\":500", "\"radius_m\":500,\"with\":[1]", "\"merge.with\" is 1");
    s_refused (",\"merge\"", ",\"merges\"", "did you mean \"merge\"?");
    s_refused (FIRE, "17", "entry 1, it is not an object");
}

static void test_refuses_files (void **state)
{
    (void)state;
    s_refused ("{\"version\":1,", "{", "\"version\" is absent");
    s_refused ("\"version\":1", "\"version\":2", "\"version\" is 2");
    s_refused ("\"version\":1", "\"version\":1,\"kind\":[]", "did you mean \"kinds\"?");
    s_refused ("\"version\":1", "\"version\":1,\"version\":1", "duplicate");
    s_refused ("[" FIRE "," SOS "]", "[]", "1 to 64");
    s_refused ("[" FIRE "," SOS "]", "7", "1 to 64");
    s_refused ("," SOS, "", "no entry \"sos\"");
    s_refused ("\"red\":\"sos\"", "\"red\":\"urgent\"", "entry 2 (\"sos\"), \"class.red\" is urgent");
    s_refused ("\"life\":\"72h\"", "\"life\":\"72h\",\"merge\":{\"radius_m\":5,\"window\":\"2h\"}", "never merged");
    char *reason = NULL;
    assert_null (kinds_load ("", 0, &reason));
    assert_non_null (reason);
    free (reason);
    assert_null (kinds_load ("[]", 2, NULL));
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_builtin),
        cmocka_unit_test (test_find),
        cmocka_unit_test (test_names),
        cmocka_unit_test (test_refuses_entries),
        cmocka_unit_test (test_refuses_files),
    };
    return cmocka_run_group_tests_name ("kinds", tests, NULL, NULL);
}
