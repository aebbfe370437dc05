//  catalogue: both languages say the same thing, with the same conversions

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "catalogue.h"
#include "utf8.h"

//  The conversions of a format, one after another: "%s: %5.1f" gives "%s%f". Flags and widths may differ.

static void s_conversions (const char *format, char *out, size_t room)
{
    size_t used = 0;
    out [0] = 0;
    for (const char *at = strchr (format, '%'); at; at = strchr (at, '%')) {
        at++;
        if (*at == '%') {
            at++;
            continue;
        }
        //  positional forms would need their own comparison; we do not use them
        at += strspn (at, "-+ #0123456789.");
        assert_true (*at && *at != '$');
        size_t size = strspn (at, "hlzjt*") + 1;
        assert_true (used + size + 2 < room);
        out [used++] = '%';
        memcpy (out + used, at, size);
        used += size;
        out [used] = 0;
        at += size;
    }
}

static void test_conversions_agree (void **state)
{
    (void)state;
    for (int id = 0; id < TEXT_COUNT; id++) {
        char en [128], zh [128];
        assert_int_equal (catalogue_set ("en"), 0);
        const char *english = text ((text_id_t)id);
        s_conversions (english, en, sizeof en);
        assert_int_equal (catalogue_set ("zh"), 0);
        const char *chinese = text ((text_id_t)id);
        s_conversions (chinese, zh, sizeof zh);
        if (strcmp (en, zh))
            fail_msg ("\"%s\" and \"%s\" take different arguments", english, chinese);
    }
}

static void test_texts_are_fit_to_print (void **state)
{
    (void)state;
    for (int lang = 0; lang < 2; lang++) {
        assert_int_equal (catalogue_set (lang ? "zh" : "en"), 0);
        for (int id = 0; id < TEXT_COUNT; id++) {
            const char *line = text ((text_id_t)id);
            assert_true (*line);
            if (utf8_check ((const uint8_t *)line, strlen (line), TEXT_MAX, true) != UTF8_OK)
                fail_msg ("text %d \"%s\" is not clean", id, line);
        }
    }
}

static void s_environment (const char *language, const char *all, const char *messages, const char *lang)
{
    const char *const pairs [][2]
        = { { "LANGUAGE", language }, { "LC_ALL", all }, { "LC_MESSAGES", messages }, { "LANG", lang } };
    for (int index = 0; index < 4; index++)
        if (pairs [index][1])
            setenv (pairs [index][0], pairs [index][1], 1);
        else
            unsetenv (pairs [index][0]);
    catalogue_from_environment ();
}

static void test_language (void **state)
{
    (void)state;
    s_environment (NULL, NULL, NULL, NULL);
    assert_int_equal (catalogue_lang (), LANG_EN);
    s_environment (NULL, NULL, NULL, "zh_CN.UTF-8");
    assert_int_equal (catalogue_lang (), LANG_ZH);
    assert_string_equal (text (T_WIND_NE), "东北");
    s_environment (NULL, "en_GB.UTF-8", NULL, "zh_CN.UTF-8");
    assert_int_equal (catalogue_lang (), LANG_EN);
    s_environment ("zh_CN:en", "C.UTF-8", NULL, NULL);
    assert_int_equal (catalogue_lang (), LANG_ZH);
    s_environment ("", NULL, "zh_CN", "en_US");
    assert_int_equal (catalogue_lang (), LANG_ZH);
    assert_int_equal (catalogue_set ("en"), 0);
    assert_string_equal (text (T_WIND_NE), "NE");
    assert_int_equal (catalogue_set ("fr"), -1);
    assert_int_equal (catalogue_lang (), LANG_EN);
}

static void test_checked_format (void **state)
{
    (void)state;
    char line [200];
    assert_int_equal (catalogue_set ("zh"), 0);
    snprintf (line, sizeof line, text_format (T_CLI_BAD_LANG), "fr");
    assert_string_equal (line, "--lang “fr” 无法识别; 应为 zh 或 en");
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_conversions_agree),
        cmocka_unit_test (test_texts_are_fit_to_print),
        cmocka_unit_test (test_language),
        cmocka_unit_test (test_checked_format),
    };
    return cmocka_run_group_tests_name ("catalogue", tests, NULL, NULL);
}
