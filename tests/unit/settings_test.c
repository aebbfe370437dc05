//  settings: known keys only, ranges checked, saved whole

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "home.h"
#include "settings.h"

static const setting_spec_t SPECS [] = { { "name", SETTING_TEXT, NULL, 1, 20, "the district's name" },
    { "port", SETTING_NUMBER, "7410", 1, 65535, "where to listen" },
    { "beacon", SETTING_BOOL, "true", 0, 0, "whether to call neighbours" }, { "note", SETTING_TEXT, "", 0, 10, "anything" },
    { NULL } };

static char s_home [64], *s_path;

static int s_setup (void **state)
{
    (void)state;
    strcpy (s_home, "/tmp/settings_test.XXXXXX");
    if (!mkdtemp (s_home))
        return -1;
    s_path = home_path (s_home, "settings.json");
    return 0;
}

static int s_teardown (void **state)
{
    (void)state;
    unlink (s_path);
    free (s_path);
    return rmdir (s_home);
}

static settings_t *s_load (const char *bytes)
{
    FILE *file = fopen (s_path, "w");
    assert_non_null (file);
    fputs (bytes, file);
    fclose (file);
    return settings_load (s_home, SPECS);
}

static void test_sets_saves_loads (void **state)
{
    (void)state;
    assert_null (settings_load (s_home, SPECS)); //  the name is required
    settings_t *settings = settings_new (SPECS);
    assert_null (settings_text (settings, "name"));
    assert_int_equal (settings_number (settings, "port"), 7410);
    assert_int_equal (settings_save (settings, s_home), -1);
    assert_int_equal (settings_set (settings, "name", "长安区"), 0);
    assert_int_equal (settings_set (settings, "port", "80"), 0);
    assert_int_equal (settings_set (settings, "beacon", "false"), 0);
    assert_int_equal (settings_save (settings, s_home), 0);
    settings_destroy (&settings);
    assert_null (settings);
    settings_destroy (&settings);

    struct stat about;
    assert_int_equal (stat (s_path, &about), 0);
    assert_int_equal (about.st_mode & 0777, 0600);
    settings = settings_load (s_home, SPECS);
    assert_non_null (settings);
    assert_string_equal (settings_text (settings, "name"), "长安区");
    assert_int_equal (settings_number (settings, "port"), 80);
    assert_false (settings_bool (settings, "beacon"));
    assert_string_equal (settings_text (settings, "note"), "");
    settings_destroy (&settings);
}

static void test_refuses_values (void **state)
{
    (void)state;
    settings_t *settings = settings_new (SPECS);
    static const char *const bad [][2]
        = { { "port", "0" }, { "port", "65536" }, { "port", "80x" }, { "port", "" }, { "port", " 80" }, { "port", "+80" },
              { "port", "99999999999999999999" }, { "beacon", "yes" }, { "name", "" }, { "name", "123456789012345678901" },
              { "name", "a\nb" }, { "name", "\xFF" }, { "prot", "80" }, { "weather", "fine" } };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        if (settings_set (settings, bad [index][0], bad [index][1]) == 0)
            fail_msg ("accepted: %s = %s", bad [index][0], bad [index][1]);
    assert_int_equal (settings_number (settings, "port"), 7410);
    settings_destroy (&settings);
}

static void test_refuses_files (void **state)
{
    (void)state;
    static const char *const bad []
        = { "", "[]", "{", "{\"name\":\"a\",\"name\":\"b\"}", "{\"name\":1}", "{\"name\":\"a\",\"port\":\"80\"}",
              "{\"name\":\"a\",\"port\":80.5}", "{\"name\":\"a\",\"port\":0}", "{\"name\":\"a\",\"beacon\":1}",
              "{\"name\":\"a\",\"prot\":80}", "{\"name\":null}", "{\"name\":\"a\"} x", "{\"port\":80}" };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        settings_t *settings = s_load (bad [index]);
        if (settings)
            fail_msg ("accepted: %s", bad [index]);
    }
    settings_t *settings = s_load ("{\"name\":\"a\",\"port\":65535}");
    assert_non_null (settings);
    assert_int_equal (settings_number (settings, "port"), 65535);
    settings_destroy (&settings);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_sets_saves_loads, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_refuses_values, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_refuses_files, s_setup, s_teardown),
    };
    return cmocka_run_group_tests_name ("settings", tests, NULL, NULL);
}
