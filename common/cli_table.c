//  cli_table - tables for people, colour, progress

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libsmartcols.h>
#include "cli_inside.h"
#include "timefmt.h"

#define PROGRESS_AFTER_MS 2000
#define PROGRESS_EVERY_MS 200

//  Set once by cli_main.
static bool s_color;

//  ---- colour

int cli_color_mode (const char *mode)
{
    const char *refused = getenv ("NO_COLOR");
    if (strcmp (mode, "always") == 0)
        s_color = true;
    else if (strcmp (mode, "never") == 0)
        s_color = false;
    else if (strcmp (mode, "auto") == 0)
        s_color = isatty (STDOUT_FILENO) && !(refused && *refused);
    else
        return -1;
    return 0;
}

const char *cli_color (const char *name)
{
    static const char *const codes [][2] = { { "red", "\033[31m" }, { "yellow", "\033[33m" }, { "green", "\033[32m" },
        { "blue", "\033[34m" }, { "bold", "\033[1m" }, { "dim", "\033[2m" }, { "off", "\033[0m" } };
    for (size_t index = 0; s_color && index < sizeof codes / sizeof *codes; index++)
        if (strcmp (codes [index][0], name) == 0)
            return codes [index][1];
    return "";
}

//  ---- tables

struct table_t {
    struct libscols_table *columns;
    int count;
};

table_t *table_new (cli_t *cli, const text_id_t *headings, int columns)
{
    (void)cli;
    assert (headings && columns > 0);
    table_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->columns = scols_new_table ();
    self->count = columns;
    if (!self->columns)
        abort ();
    scols_table_enable_colors (self->columns, s_color);
    for (int index = 0; index < columns; index++) {
        //  the last column carries the words, it is the one that gives way
        int flags = index == columns - 1 ? SCOLS_FL_TRUNC : 0;
        struct libscols_column *column = scols_table_new_column (self->columns, text (headings [index]), 0, flags);
        if (!column)
            abort ();
        scols_cell_set_color (scols_column_get_header (column), s_color ? "\033[1m" : NULL);
    }
    return self;
}

void table_right (table_t *self, int column)
{
    assert (self && column >= 0 && column < self->count);
    struct libscols_column *found = scols_table_get_column (self->columns, (size_t)column);
    scols_column_set_flags (found, scols_column_get_flags (found) | SCOLS_FL_RIGHT);
}

void table_row (table_t *self, const char *const *cells)
{
    assert (self && cells);
    struct libscols_line *line = scols_table_new_line (self->columns, NULL);
    if (!line)
        abort ();
    for (int index = 0; index < self->count; index++)
        if (scols_line_set_data (line, (size_t)index, cells [index] ? cells [index] : ""))
            abort ();
}

void table_print (table_t **self_p)
{
    assert (self_p);
    table_t *self = *self_p;
    if (!self)
        return;
    scols_print_table (self->columns);
    scols_unref_table (self->columns);
    free (self);
    *self_p = NULL;
}

//  ---- progress

void progress_begin (progress_t *self, const char *what, int64_t total)
{
    *self = (progress_t){ .what = what, .total = total, .started_ms = time_mono_ms (), .on = isatty (STDERR_FILENO) == 1 };
}

void progress_step (progress_t *self, int64_t done)
{
    if (!self->on)
        return;
    int64_t now = time_mono_ms (), lasted = now - self->started_ms;
    if (lasted < PROGRESS_AFTER_MS || now - self->shown_ms < PROGRESS_EVERY_MS)
        return;
    self->shown_ms = now;
    fprintf (stderr, "\r%s %" PRId64, self->what, done);
    if (self->total > 0 && done > 0) {
        char left [24];
        int64_t rest = self->total > done ? self->total - done : 0;
        duration_format (left, (int64_t)((double)lasted / (double)done * (double)rest));
        fprintf (stderr, " / %" PRId64 " (%" PRId64 "%%) ", self->total, done * 100 / self->total);
        fprintf (stderr, text_format (T_CLI_LEFT), left);
    }
    fputs ("\033[K", stderr);
    fflush (stderr);
}

void progress_end (progress_t *self)
{
    if (self->on && self->shown_ms)
        fputs ("\r\033[K", stderr);
    self->on = false;
}
