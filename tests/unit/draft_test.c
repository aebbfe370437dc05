//  draft_test - a tip is checked before it is kept, and a wrong value is named

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "catalogue.h"
#include "draft.h"

#define NOW 1763856000000ll //  2025-11-23T00:00:00Z

static kinds_t *s_kinds;
static char s_error [DRAFT_ERROR_ROOM];

static int s_setup (void **state)
{
    (void)state;
    catalogue_set ("en");
    s_kinds = kinds_load (NULL, 0, NULL);
    return s_kinds ? 0 : -1;
}

static int s_teardown (void **state)
{
    (void)state;
    kinds_destroy (&s_kinds);
    return 0;
}

//  Reads a tip and looks at it before its JSON goes away. NULL look: it must be refused with `word` in the line.
static void s_try (const char *json, const char *word, void (*look) (const draft_t *draft))
{
    json_t *object = json_loads (json, 0, NULL);
    draft_t draft;
    assert_non_null (object);
    int rc = draft_read (&draft, object, s_kinds, NOW, s_error);
    if (look) {
        assert_int_equal (rc, 0);
        look (&draft);
    } else {
        assert_int_equal (rc, -1);
        if (!strstr (s_error, word))
            fail_msg ("no \"%s\" in: %s", word, s_error);
        assert_null (strchr (s_error, '\n'));
    }
    json_decref (object);
}

static void s_refused (const char *json, const char *word)
{
    s_try (json, word, NULL);
}

static void s_is_full (const draft_t *draft)
{
    assert_string_equal (draft->kind->id, "hazard");
    assert_int_equal (draft->tip.severity, 3);
    assert_int_equal (draft->tip.cls, draft->kind->cls [3]);
    assert_true (draft->tip.has_position);
    assert_int_equal (draft->tip.lat_e7, 325000000);
    assert_int_equal (draft->tip.lon_e7, 1192500000);
    assert_int_equal (draft->tip.datum, 1);
    assert_int_equal (draft->tip.accuracy_m, 13);
    assert_int_equal (draft->tip.seen_ms, NOW - 15 * 60000);
    assert_true (draft->tip.anonymous);
    assert_memory_equal (draft->tip.text.data, "煤气味", 9);
    assert_memory_equal (draft->tip.place.data, "东门", 6);
    assert_string_equal (draft->follows, "X-1");
}

static void s_is_plain (const draft_t *draft)
{
    assert_int_equal (draft->tip.severity, draft->kind->severity);
    assert_false (draft->tip.has_position);
    assert_null (draft->follows);
}

static void s_is_sos (const draft_t *draft)
{
    assert_int_equal (draft->tip.cls, CLASS_SOS);
    assert_int_equal (draft->tip.text.len, 0);
}

static void a_full_tip_is_taken (void **state)
{
    (void)state;
    s_try ("{\"kind\":\"hazard\",\"severity\":\"red\",\"at\":\"32.5,119.25\",\"datum\":\"gcj02\",\"accuracy\":12.4,"
           "\"place\":\"东门\",\"seen\":\"-15m\",\"anonymous\":true,\"follows\":\"X-1\",\"text\":\"煤气味\"}",
        NULL, s_is_full);
    s_try ("{\"kind\":\"order\",\"text\":\"x\",\"severity\":null,\"at\":\"\"}", NULL, s_is_plain);
    s_try ("{\"kind\":\"sos\"}", NULL, s_is_sos);
}

static void a_wrong_value_is_named (void **state)
{
    (void)state;
    s_refused ("{\"kind\":\"ufo\",\"text\":\"x\"}", "crime");
    s_refused ("{\"text\":\"x\"}", "crime");
    s_refused ("{\"kind\":\"order\",\"severity\":\"pink\",\"text\":\"x\"}", "pink");
    s_refused ("{\"kind\":\"order\",\"text\":\"\"}", "empty");
    s_refused ("{\"kind\":\"order\",\"text\":5}", "text");
    s_refused ("{\"kind\":\"order\",\"text\":\"a\\u0007b\"}", "text");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"at\":\"nan,119\"}", "nan,119");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"at\":\"119.2,32.5\"}", "swapped");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"at\":\"32.5\"}", "32.5");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"datum\":\"ed50\"}", "wgs84");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"accuracy\":\"near\"}", "near");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"accuracy\":-1}", "-1");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"accuracy\":100001}", "100000");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"seen\":\"2099-01-01\"}", "future");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"seen\":\"yesterday\"}", "yesterday");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"anonymous\":\"yes\"}", "anonymous");
    s_refused ("{\"kind\":\"order\",\"text\":\"x\",\"sevrity\":\"red\"}", "sevrity");
    s_refused ("[1]", "object");
}

static void a_long_text_is_refused_by_its_size (void **state)
{
    (void)state;
    size_t size = 1000000;
    char *words = malloc (size + 1);
    assert_non_null (words);
    memset (words, 'x', size);
    words [size] = 0;
    assert_int_equal (draft_check_text ("text", words, 4000, true, s_error), -1);
    assert_non_null (strstr (s_error, "1000000"));
    assert_non_null (strstr (s_error, "4000"));
    words [4000] = 0;
    assert_int_equal (draft_check_text ("text", words, 4000, true, s_error), 0);
    words [17] = (char)0xff;
    assert_int_equal (draft_check_text ("text", words, 4000, true, s_error), -1);
    free (words);
}

int main (void)
{
    const struct CMUnitTest tests [] = { cmocka_unit_test (a_full_tip_is_taken), cmocka_unit_test (a_wrong_value_is_named),
        cmocka_unit_test (a_long_text_is_refused_by_its_size) };
    return cmocka_run_group_tests (tests, s_setup, s_teardown);
}
