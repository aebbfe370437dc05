//  cli_help - the pages of --help: of a program, of a group of verbs, of a verb

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libsmartcols.h>
#include "cli_inside.h"

//  Two columns without a heading: right widths for Chinese, wrapped on a terminal.

static struct libscols_table *s_columns (void)
{
    struct libscols_table *table = scols_new_table ();
    if (!table || !scols_table_new_column (table, "", 0, 0) || !scols_table_new_column (table, "", 0, SCOLS_FL_WRAP))
        abort ();
    scols_table_enable_noheadings (table, 1);
    return table;
}

static void s_row (struct libscols_table *table, const char *left, const char *right)
{
    struct libscols_line *line = scols_table_new_line (table, NULL);
    if (!line || scols_line_set_data (line, 0, left) || scols_line_set_data (line, 1, right))
        abort ();
}

static void s_print (struct libscols_table *table)
{
    scols_print_table (table);
    scols_unref_table (table);
    putchar ('\n');
}

static void s_options (text_id_t heading, const option_spec_t *options)
{
    if (!options || !options->name)
        return;
    printf ("%s\n", text (heading));
    struct libscols_table *table = s_columns ();
    for (const option_spec_t *spec = options; spec->name; spec++) {
        char left [96];
        snprintf (left, sizeof left, "  %s%s%s%s%s", spec->name [1] ? "--" : "-", spec->name, spec->value ? " " : "",
            spec->value ? spec->value : "", spec->type == ARG_LIST ? " ..." : "");
        s_row (table, left, text (spec->help));
    }
    s_print (table);
}

static void s_verbs (const verb_spec_t *verbs, const char *group)
{
    printf ("%s\n", text (T_CLI_COMMANDS));
    struct libscols_table *table = s_columns ();
    size_t size = group ? strlen (group) : 0;
    for (const verb_spec_t *verb = verbs; verb->name; verb++) {
        if (group && (strncmp (verb->name, group, size) || verb->name [size] != ' '))
            continue;
        char left [96];
        snprintf (left, sizeof left, "  %s %s", verb->name, verb->operands ? verb->operands : "");
        s_row (table, left, text (verb->help));
    }
    s_print (table);
}

static void s_verb (const char *program, const verb_spec_t *verb)
{
    printf ("%s %s %s %s %s\n\n%s\n\n", text (T_CLI_USAGE), program, verb->name, text (T_CLI_OPTIONS_WORD),
        verb->operands ? verb->operands : "", text (verb->help));
    s_options (T_CLI_OPTIONS, verb->options);
    s_options (T_CLI_COMMON_OPTIONS, cli_common_options);
}

void cli_help (const char *program, text_id_t summary, const verb_spec_t *verbs, const verb_spec_t *verb, const char *group)
{
    assert (program && verbs);
    if (verb)
        s_verb (program, verb);
    else {
        printf ("%s - %s\n\n%s %s %s%s%s %s\n\n", program, text (summary), text (T_CLI_USAGE), program, group ? group : "",
            group ? " " : "", text (T_CLI_COMMAND), text (T_CLI_OPTIONS_WORD));
        s_verbs (verbs, group);
        s_options (T_CLI_COMMON_OPTIONS, cli_common_options);
        printf (text_format (T_CLI_MORE), program);
        putchar ('\n');
    }
    printf ("%s\n", text (T_CLI_EXIT_CODES));
}
