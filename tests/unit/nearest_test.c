//  nearest: the word that was meant, or none

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "nearest.h"

static const char *s_nearest (const char *typed)
{
    static const char *const words [] = { "kind", "severity", "at", "accuracy", "anonymous", "o" };
    nearest_t nearest;
    nearest_begin (&nearest, typed);
    for (int index = 0; index < 6; index++)
        nearest_offer (&nearest, words [index]);
    return nearest.word ? nearest.word : "";
}

static void test_nearest (void **state)
{
    (void)state;
    assert_string_equal (s_nearest ("knid"), "kind");
    assert_string_equal (s_nearest ("kinds"), "kind");
    assert_string_equal (s_nearest ("sevrity"), "severity");
    assert_string_equal (s_nearest ("acuraccy"), "accuracy");
    assert_string_equal (s_nearest ("anonymously"), "anonymous");
    assert_string_equal (s_nearest ("weather"), "");
    assert_string_equal (s_nearest ("x"), "");
    assert_string_equal (s_nearest (""), "");
    assert_string_equal (s_nearest ("severityseverityseverityseverityseverityseverityseverity"), "");
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_nearest),
    };
    return cmocka_run_group_tests_name ("nearest", tests, NULL, NULL);
}
