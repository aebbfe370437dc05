//  cli - options, help, errors: the same for the three programs
//
//  cli_main is the whole story: language, verb, options, help or the verb's own function. Tables, colour and
//  progress are in cli_table.c, the help pages in cli_help.c.

#include "cli.h"

#include <assert.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli_inside.h"
#include "nearest.h"

//  Options every verb takes.
const option_spec_t cli_common_options []
    = { { "home", ARG_TEXT, "DIR", T_OPT_HOME }, { "json", ARG_FLAG, NULL, T_OPT_JSON },
          { "lang", ARG_TEXT, "zh|en", T_OPT_LANG }, { "color", ARG_TEXT, "auto|always|never", T_OPT_COLOR },
          { "help", ARG_FLAG, NULL, T_OPT_HELP }, { "version", ARG_FLAG, NULL, T_OPT_VERSION }, { NULL } };

typedef struct {
    const option_spec_t *spec;
    const char *value; //  of argv; NULL for a flag
} given_t;

struct cli_t {
    const char *program;
    const verb_spec_t *verbs;
    const verb_spec_t *verb; //  NULL until it is known
    given_t *given;          //  in the order given, at most one per argument
    int given_count;
    char **operands;
    int operand_count;
    const char **list; //  what cli_list gave out last
};

//  ---- errors

//  What was typed goes to a terminal: nothing in it may move the cursor or make a second line.

static void s_tame (char *line)
{
    for (unsigned char *at = (unsigned char *)line; *at; at++) {
        bool c1 = at [0] == 0xC2 && at [1] >= 0x80 && at [1] <= 0x9F;
        if (*at < 0x20 || *at == 0x7F || c1)
            *at = '?';
        if (c1)
            *++at = '?';
    }
}

static void __attribute__ ((format (printf, 2, 0))) s_complain (const cli_t *self, const char *format, va_list args)
{
    char *line = NULL;
    if (vasprintf (&line, format, args) < 0)
        abort ();
    s_tame (line);
    fflush (stdout);
    fprintf (stderr, "%s: %s\n", self->program, line);
    free (line);
}

int cli_usage_error (cli_t *self, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_complain (self, format, args);
    va_end (args);
    return EXIT_USAGE;
}

int cli_error (cli_t *self, int exit_code, const char *format, ...)
{
    va_list args;
    va_start (args, format);
    s_complain (self, format, args);
    va_end (args);
    return exit_code;
}

//  ---- language and signals

//  A machine with C.UTF-8 only is common: a locale that is absent or not UTF-8 would make tables print "\xe6...".

static void s_locale (void)
{
    if (!setlocale (LC_CTYPE, "") || strcmp (nl_langinfo (CODESET), "UTF-8"))
        setlocale (LC_CTYPE, "C.UTF-8");
    catalogue_from_environment ();
}

//  The language is wanted before the first error line, so --lang is looked for ahead of everything else.
//  What comes after "--" is not an option, and no option takes a value that begins with "--".

static void s_early_language (int argc, char **argv)
{
    for (int index = 1; index < argc && strcmp (argv [index], "--"); index++) {
        if (strncmp (argv [index], "--lang=", 7) == 0)
            catalogue_set (argv [index] + 7);
        else if (strcmp (argv [index], "--lang") == 0 && index + 1 < argc)
            catalogue_set (argv [index + 1]);
    }
}

//  A command whose reader has left ends quietly. A daemon outlives whoever read its ready line or its log.

static void s_signals (const verb_spec_t *verb)
{
    signal (SIGPIPE, verb && strcmp (verb->name, "run") == 0 ? SIG_IGN : SIG_DFL);
}

//  ---- verbs

//  "areas, members, run": the verbs for an error line; of `group` ("areas") the second words only. Caller frees.

static char *s_verb_names (const cli_t *self, const char *group)
{
    char *names = strdup ("");
    size_t size = group ? strlen (group) : 0;
    const char *last = "";
    size_t last_size = 0;
    for (const verb_spec_t *verb = self->verbs; verb->name; verb++) {
        const char *word = verb->name;
        if (group && (strncmp (word, group, size) || word [size] != ' '))
            continue;
        word += group ? size + 1 : 0;
        size_t word_size = strcspn (word, " ");
        //  verbs of one group stand together in the table: named once
        if (word_size == last_size && strncmp (word, last, word_size) == 0)
            continue;
        char *longer = NULL;
        if (!names || asprintf (&longer, "%s%s%.*s", names, *names ? ", " : "", (int)word_size, word) < 0)
            abort ();
        free (names);
        names = longer;
        last = word;
        last_size = word_size;
    }
    return names;
}

static bool s_is_group (const cli_t *self, const char *word)
{
    size_t size = strlen (word);
    for (const verb_spec_t *verb = self->verbs; verb->name; verb++)
        if (strncmp (verb->name, word, size) == 0 && verb->name [size] == ' ')
            return true;
    return false;
}

static const verb_spec_t *s_find_verb (const cli_t *self, const char *first, const char *second)
{
    size_t size = strlen (first);
    for (const verb_spec_t *verb = self->verbs; verb->name; verb++) {
        if (strncmp (verb->name, first, size))
            continue;
        if (!second && verb->name [size] == 0)
            return verb;
        if (second && verb->name [size] == ' ' && strcmp (verb->name + size + 1, second) == 0)
            return verb;
    }
    return NULL;
}

static int s_unknown_verb (cli_t *self, const char *group, const char *typed)
{
    nearest_t nearest;
    nearest_begin (&nearest, typed);
    for (const verb_spec_t *verb = self->verbs; verb->name; verb++) {
        size_t size = group ? strlen (group) : 0;
        if (!group)
            nearest_offer (&nearest, verb->name);
        else if (strncmp (verb->name, group, size) == 0 && verb->name [size] == ' ')
            nearest_offer (&nearest, verb->name + size + 1);
    }
    if (nearest.word)
        return cli_usage_error (self, text_format (T_CLI_UNKNOWN_COMMAND_NEAR), typed, nearest.word);
    char *names = s_verb_names (self, group);
    cli_usage_error (self, text_format (T_CLI_UNKNOWN_COMMAND), typed, names);
    free (names);
    return EXIT_USAGE;
}

//  ---- options

static const option_spec_t *s_find_option (const cli_t *self, const char *name, size_t size)
{
    const option_spec_t *tables [2] = { self->verb ? self->verb->options : NULL, cli_common_options };
    for (int table = 0; table < 2; table++)
        for (const option_spec_t *spec = tables [table]; spec && spec->name; spec++)
            if (strlen (spec->name) == size && strncmp (spec->name, name, size) == 0)
                return spec;
    return NULL;
}

static bool s_is_common (const option_spec_t *spec)
{
    for (const option_spec_t *common = cli_common_options; common->name; common++)
        if (spec == common)
            return true;
    return false;
}

static int s_unknown_option (cli_t *self, const char *typed)
{
    char *name = strndup (typed, strcspn (typed, "="));
    if (!name)
        abort ();
    nearest_t nearest;
    nearest_begin (&nearest, name + strspn (name, "-"));
    if (self->verb)
        for (const option_spec_t *spec = self->verb->options; spec && spec->name; spec++)
            nearest_offer (&nearest, spec->name);
    for (const option_spec_t *spec = cli_common_options; spec->name; spec++)
        nearest_offer (&nearest, spec->name);

    const char *of = self->verb ? self->verb->name : self->program;
    if (nearest.word)
        cli_usage_error (
            self, text_format (T_CLI_UNKNOWN_OPTION_NEAR), name, of, nearest.word [1] ? "--" : "-", nearest.word);
    else
        cli_usage_error (self, text_format (T_CLI_UNKNOWN_OPTION), name, of);
    free (name);
    return EXIT_USAGE;
}

//  "-15m" and "-33.9,151.2" are words, and so is "-".

static bool s_is_option (const char *word)
{
    return word [0] == '-' && word [1] && !(word [1] >= '0' && word [1] <= '9') && word [1] != '.';
}

//  Takes one option and its value at argv [*at]. --name value, --name=value, -o value, -ovalue. 0 or EXIT_USAGE.

static int s_take_option (cli_t *self, int argc, char **argv, int *at)
{
    const char *word = argv [*at];
    bool is_long = word [1] == '-';
    const char *name = word + (is_long ? 2 : 1);
    size_t size = is_long ? strcspn (name, "=") : 1;
    const char *value = is_long ? (name [size] ? name + size + 1 : NULL) : (name [1] ? name + 1 : NULL);
    const option_spec_t *spec = !is_long && strcmp (word, "-h") == 0 ? s_find_option (self, "help", 4)
        : (size == 1) == is_long                                     ? NULL
                                                                     : s_find_option (self, name, size);
    if (!spec)
        return s_unknown_option (self, word);

    char shown [64];
    snprintf (shown, sizeof shown, "%s%s", is_long ? "--" : "-", spec->name);
    if (spec->type == ARG_FLAG) {
        if (value)
            return cli_usage_error (self, text_format (T_CLI_TAKES_NO_VALUE), shown, value);
    } else if (!value) {
        if (*at + 1 >= argc || strncmp (argv [*at + 1], "--", 2) == 0)
            return cli_usage_error (self, text_format (T_CLI_NEEDS_VALUE), shown, spec->value ? spec->value : "VALUE");
        value = argv [++*at];
    }
    //  the common ones may come from an alias: there the last one counts
    const char *before = spec->type == ARG_TEXT && !s_is_common (spec) ? cli_text (self, spec->name) : NULL;
    if (before)
        return cli_usage_error (self, text_format (T_CLI_TWICE), shown, before, value);
    self->given [self->given_count++] = (given_t){ spec, value };
    return 0;
}

//  Everything up to the verb, the verb, and everything after it. The first words are the verb's.

static int s_parse (cli_t *self, int argc, char **argv)
{
    bool options = true;
    const char *group = NULL;
    for (int at = 1; at < argc; at++) {
        char *word = argv [at];
        if (options && strcmp (word, "--") == 0)
            options = false;
        else if (options && s_is_option (word)) {
            if (s_take_option (self, argc, argv, &at))
                return EXIT_USAGE;
        } else if (self->verb)
            self->operands [self->operand_count++] = word;
        else if (group) {
            self->verb = s_find_verb (self, group, word);
            if (!self->verb)
                return s_unknown_verb (self, group, word);
        } else {
            self->verb = s_find_verb (self, word, NULL);
            if (!self->verb && s_is_group (self, word))
                self->operands [0] = word, group = word;
            else if (!self->verb)
                return s_unknown_verb (self, NULL, word);
        }
    }
    //  a group without its second word: kept for the help page
    self->operand_count = !self->verb && group ? 1 : self->operand_count;
    return 0;
}

static int s_check_operands (cli_t *self)
{
    const verb_spec_t *verb = self->verb;
    const char *wanted = verb->operands && *verb->operands ? verb->operands : text (T_CLI_NOTHING);
    if (self->operand_count < verb->min_operands)
        return cli_usage_error (self, text_format (T_CLI_TOO_FEW), verb->name, wanted);
    if (verb->max_operands >= 0 && self->operand_count > verb->max_operands)
        return cli_usage_error (self, text_format (T_CLI_TOO_MANY), verb->name, self->operands [verb->max_operands], wanted);
    return 0;
}

//  ---- the whole of main

static int s_settings_of_output (cli_t *self)
{
    const char *lang = cli_text (self, "lang");
    if (lang && catalogue_set (lang))
        return cli_usage_error (self, text_format (T_CLI_BAD_LANG), lang);
    const char *color = cli_text (self, "color");
    if (cli_color_mode (color ? color : "auto"))
        return cli_usage_error (self, text_format (T_CLI_BAD_COLOR), color);
    return 0;
}

static int s_run (cli_t *self, int argc, char **argv, text_id_t summary)
{
    if (s_parse (self, argc, argv) || s_settings_of_output (self))
        return EXIT_USAGE;
    const char *group = !self->verb && self->operand_count ? self->operands [0] : NULL;
    if (cli_flag (self, "help")) {
        cli_help (self->program, summary, self->verbs, self->verb, group);
        return EXIT_DONE;
    }
    if (cli_flag (self, "version")) {
        printf ("%s %s\n", self->program, PATROL_VERSION);
        return EXIT_DONE;
    }
    if (!self->verb) {
        char *names = s_verb_names (self, group);
        cli_usage_error (self, text_format (T_CLI_NO_COMMAND), names);
        free (names);
        return EXIT_USAGE;
    }
    if (s_check_operands (self))
        return EXIT_USAGE;
    s_signals (self->verb);
    return self->verb->run (self);
}

int cli_main (int argc, char **argv, const char *program, text_id_t summary, const verb_spec_t *verbs)
{
    assert (program && verbs);
    s_locale ();
    s_early_language (argc, argv);
    s_signals (NULL);
    cli_t self = { .program = program, .verbs = verbs };
    size_t room = argc > 0 ? (size_t)argc : 1;
    self.given = calloc (room, sizeof *self.given);
    self.operands = calloc (room, sizeof *self.operands);
    if (!self.given || !self.operands)
        abort ();

    int result = s_run (&self, argc, argv, summary);
    //  a full disk behind a redirection is a failure, not a short file
    errno = 0;
    if ((fflush (stdout) || ferror (stdout)) && errno != EPIPE && result == EXIT_DONE)
        result = cli_error (&self, EXIT_FAILED, text_format (T_CLI_NOT_WRITTEN), strerror (errno ? errno : EIO));
    free (self.given);
    free (self.operands);
    free (self.list);
    return result;
}

//  ---- for verbs

const char *cli_text (cli_t *self, const char *option)
{
    const char *value = NULL;
    for (int index = 0; index < self->given_count; index++)
        if (strcmp (self->given [index].spec->name, option) == 0)
            value = self->given [index].value;
    return value;
}

bool cli_flag (cli_t *self, const char *option)
{
    for (int index = 0; index < self->given_count; index++)
        if (strcmp (self->given [index].spec->name, option) == 0)
            return true;
    return false;
}

int cli_list (cli_t *self, const char *option, const char ***values)
{
    assert (values);
    free (self->list);
    self->list = calloc ((size_t)self->given_count + 1, sizeof *self->list);
    if (!self->list)
        abort ();
    int count = 0;
    for (int index = 0; index < self->given_count; index++)
        if (strcmp (self->given [index].spec->name, option) == 0)
            self->list [count++] = self->given [index].value;
    *values = self->list;
    return count;
}

int cli_operands (cli_t *self, char ***operands)
{
    assert (operands);
    *operands = self->operands;
    return self->operand_count;
}

bool cli_json (cli_t *self)
{
    return cli_flag (self, "json");
}

const char *cli_home (cli_t *self)
{
    const char *home = cli_text (self, "home");
    if (!home)
        home = getenv ("PATROL_HOME");
    if (!home || !*home)
        exit (cli_usage_error (self, "%s", text (T_CLI_NO_HOME)));
    return home;
}

void cli_print_json (json_t *object)
{
    assert (object);
    json_dumpf (object, stdout, JSON_COMPACT);
    putchar ('\n');
    fflush (stdout);
}
