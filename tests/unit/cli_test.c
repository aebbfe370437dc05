//  cli: what is typed, what the verbs see, what is printed

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli.h"

//  ---- a small program

static int s_tip (cli_t *cli)
{
    char **operands;
    const char **peers;
    int count = cli_operands (cli, &operands), peer_count = cli_list (cli, "peer", &peers);
    printf ("home=%s kind=%s anonymous=%d json=%d", cli_home (cli), cli_text (cli, "kind"), cli_flag (cli, "anonymous"),
        cli_json (cli));
    for (int index = 0; index < peer_count; index++)
        printf (" peer=%s", peers [index]);
    for (int index = 0; index < count; index++)
        printf (" [%s]", operands [index]);
    putchar ('\n');
    return EXIT_LATER;
}

static int s_table (cli_t *cli)
{
    static const text_id_t headings [] = { T_CLI_COMMAND, T_WIND_N, T_OPT_HELP };
    table_t *table = table_new (cli, headings, 3);
    table_right (table, 1);
    table_row (table, (const char *const []){ "学校门口", "7", "有人打架" });
    table_row (table, (const char *const []){ "gate", "12345", NULL });
    table_print (&table);
    assert_null (table);
    printf ("%s|%s\n", cli_color ("red"), cli_color ("off"));
    return EXIT_DONE;
}

static int s_fail (cli_t *cli)
{
    char **operands;
    cli_operands (cli, &operands);
    return cli_error (cli, EXIT_MISSING, "tip \"%s\" not found", operands [0]);
}

static int s_json (cli_t *cli)
{
    (void)cli;
    json_t *object = json_pack ("{s:s}", "text", "好");
    cli_print_json (object);
    json_decref (object);
    return EXIT_DONE;
}

static const option_spec_t TIP [] = { { "kind", ARG_TEXT, "KIND", T_OPT_HOME }, { "anonymous", ARG_FLAG, NULL, T_OPT_HOME },
    { "peer", ARG_LIST, "ENDPOINT", T_OPT_HOME }, { "o", ARG_TEXT, "FILE", T_OPT_HOME }, { NULL } };

static const verb_spec_t VERBS [] = { { "tip", "TEXT", 1, 2, T_OPT_HOME, TIP, s_tip },
    { "table", "", 0, 0, T_OPT_HOME, NULL, s_table }, { "areas check", "FILE", 1, 1, T_OPT_HOME, NULL, s_fail },
    { "areas load", "FILE", 1, 1, T_OPT_HOME, NULL, s_fail }, { "json", "", 0, 0, T_OPT_HOME, NULL, s_json }, { NULL } };

//  ---- running it

static char s_out [8192], s_err [8192];

static void s_slurp (FILE *file, char *text, size_t room)
{
    rewind (file);
    text [fread (text, 1, room - 1, file)] = 0;
    fclose (file);
}

//  Runs the program with these words in a process of its own; fills s_out and s_err. The words end with NULL.

static int s_run (const char *first, ...)
{
    char *argv [16] = { (char *)(uintptr_t) "prog" };
    int argc = 1;
    va_list args;
    va_start (args, first);
    for (const char *word = first; word; word = va_arg (args, const char *))
        argv [argc++] = (char *)(uintptr_t)word;
    va_end (args);

    FILE *out = tmpfile (), *err = tmpfile ();
    assert_true (out && err);
    fflush (NULL);
    pid_t child = fork ();
    if (child == 0) {
        dup2 (fileno (out), 1);
        dup2 (fileno (err), 2);
        exit (cli_main (argc, argv, "prog", T_OPT_VERSION, VERBS));
    }
    int status = 0;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFEXITED (status));
    s_slurp (out, s_out, sizeof s_out);
    s_slurp (err, s_err, sizeof s_err);
    return WEXITSTATUS (status);
}

static void s_one_line (const char *wanted)
{
    assert_non_null (strstr (s_err, wanted));
    assert_ptr_equal (strchr (s_err, '\n'), s_err + strlen (s_err) - 1);
    assert_true (strncmp (s_err, "prog: ", 6) == 0);
    assert_string_equal (s_out, "");
}

static void test_words_reach_the_verb (void **state)
{
    (void)state;
    assert_int_equal (s_run ("--home", "H", "tip", "--kind=fire", "--peer", "a", "smoke", "--peer=b", "--anonymous",
                          "--json", "-15m", NULL),
        EXIT_LATER);
    assert_string_equal (s_out, "home=H kind=fire anonymous=1 json=1 peer=a peer=b [smoke] [-15m]\n");
    assert_int_equal (s_run ("tip", "--home=a", "--home=b", "--kind=", "--", "--json", NULL), EXIT_LATER);
    assert_string_equal (s_out, "home=b kind= anonymous=0 json=0 [--json]\n");
    assert_int_equal (s_run ("tip", "--home=a", "--kind", "-1.5,7", "-o", "x", "t", NULL), EXIT_LATER);
    assert_int_equal (s_run ("areas", "--lang", "en", "load", "a\nb\033[m", NULL), EXIT_MISSING);
    assert_string_equal (s_err, "prog: tip \"a?b?[m\" not found\n");
}

static void test_wrong_usage (void **state)
{
    (void)state;
    assert_int_equal (s_run (NULL), EXIT_USAGE);
    s_one_line ("tip, table, areas, json");
    assert_int_equal (s_run ("tpi", "x", NULL), EXIT_USAGE);
    s_one_line ("did you mean \"tip\"?");
    assert_int_equal (s_run ("zzzzzz", NULL), EXIT_USAGE);
    s_one_line ("one of: tip");
    assert_int_equal (s_run ("areas", NULL), EXIT_USAGE);
    s_one_line ("check, load");
    assert_int_equal (s_run ("areas", "chekc", NULL), EXIT_USAGE);
    s_one_line ("did you mean \"check\"?");
    assert_int_equal (s_run ("tip", "--knid", "fire", "x", NULL), EXIT_USAGE);
    s_one_line ("did you mean \"--kind\"?");
    assert_int_equal (s_run ("tip", "--weather=fine", "x", NULL), EXIT_USAGE);
    s_one_line ("\"--weather\" is not an option of tip");
    assert_int_equal (s_run ("tip", "-x", NULL), EXIT_USAGE);
    assert_int_equal (s_run ("tip", "--o=x", NULL), EXIT_USAGE);
    assert_int_equal (s_run ("tip", "--kind", NULL), EXIT_USAGE);
    s_one_line ("--kind needs a value: KIND");
    assert_int_equal (s_run ("tip", "--kind", "--json", "x", NULL), EXIT_USAGE);
    s_one_line ("--kind needs a value");
    assert_int_equal (s_run ("tip", "--json=yes", "x", NULL), EXIT_USAGE);
    s_one_line ("takes no value");
    assert_int_equal (s_run ("tip", "--kind=a", "--kind=b", "x", NULL), EXIT_USAGE);
    s_one_line ("given twice");
    assert_int_equal (s_run ("tip", NULL), EXIT_USAGE);
    s_one_line ("tip needs more: TEXT");
    assert_int_equal (s_run ("tip", "a", "b", "c", NULL), EXIT_USAGE);
    s_one_line ("does not take \"c\"");
    assert_int_equal (s_run ("tip", "--lang", "fr", "x", NULL), EXIT_USAGE);
    s_one_line ("zh or en");
    assert_int_equal (s_run ("tip", "--color=blue", "x", NULL), EXIT_USAGE);
    s_one_line ("auto, always or never");
    assert_int_equal (s_run ("tip", "x", NULL), EXIT_USAGE);
    s_one_line ("PATROL_HOME");
}

static void test_help_on_every_level (void **state)
{
    (void)state;
    assert_int_equal (s_run ("--help", NULL), EXIT_DONE);
    assert_non_null (strstr (s_out, "areas check FILE"));
    assert_non_null (strstr (s_out, "--home DIR"));
    assert_string_equal (s_err, "");
    assert_int_equal (s_run ("areas", "--help", NULL), EXIT_DONE);
    assert_non_null (strstr (s_out, "areas load FILE"));
    assert_null (strstr (s_out, "tip TEXT"));
    assert_int_equal (s_run ("tip", "--help", NULL), EXIT_DONE);
    assert_non_null (strstr (s_out, "Usage: prog tip [OPTIONS] TEXT"));
    assert_non_null (strstr (s_out, "--peer ENDPOINT ..."));
    assert_non_null (strstr (s_out, "-o FILE"));
    assert_int_equal (s_run ("tip", "-h", "--lang=zh", NULL), EXIT_DONE);
    assert_non_null (strstr (s_out, "用法: prog tip"));
    assert_non_null (strstr (s_out, "输出语言"));
    assert_int_equal (s_run ("--version", NULL), EXIT_DONE);
    assert_string_equal (s_out, "prog " PATROL_VERSION "\n");
    assert_int_equal (s_run ("--lang", "zh", "tip", NULL), EXIT_USAGE);
    s_one_line ("tip 缺少参数");
}

static void test_tables_in_any_locale (void **state)
{
    (void)state;
    static const char *const locales [] = { "C", "zh_CN.UTF-8", "C.UTF-8", "xx_YY" };
    for (int index = 0; index < 4; index++) {
        setenv ("LC_ALL", locales [index], 1);
        assert_int_equal (s_run ("table", "--lang", "en", NULL), EXIT_DONE);
        //  right aligned, and wide characters counted as two
        assert_non_null (strstr (s_out, "学校门口     7 有人打架\n"));
        assert_non_null (strstr (s_out, "gate     12345"));
        assert_non_null (strstr (s_out, "\n|\n"));
    }
    unsetenv ("LC_ALL");
    assert_int_equal (s_run ("table", "--color=always", NULL), EXIT_DONE);
    assert_non_null (strstr (s_out, "\033[31m|\033[0m"));
    setenv ("NO_COLOR", "1", 1);
    assert_int_equal (s_run ("table", NULL), EXIT_DONE);
    assert_null (strstr (s_out, "\033"));
    unsetenv ("NO_COLOR");
}

static void test_json_line (void **state)
{
    (void)state;
    assert_int_equal (s_run ("json", NULL), EXIT_DONE);
    assert_string_equal (s_out, "{\"text\":\"好\"}\n");
}

int main (void)
{
    static const char *const names [] = { "PATROL_HOME", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG", "NO_COLOR" };
    for (size_t index = 0; index < sizeof names / sizeof *names; index++)
        unsetenv (names [index]);
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_words_reach_the_verb),
        cmocka_unit_test (test_wrong_usage),
        cmocka_unit_test (test_help_on_every_level),
        cmocka_unit_test (test_tables_in_any_locale),
        cmocka_unit_test (test_json_line),
    };
    return cmocka_run_group_tests_name ("cli", tests, NULL, NULL);
}
