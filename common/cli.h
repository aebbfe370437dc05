//  cli - options, help, errors, tables: the same for the three programs
//
//  Exit codes: 0 done, 1 failed, 2 wrong usage, 3 kept but the awaited state was not reached in time,
//  4 refused for want of rights, 5 not found.

#ifndef CLI_H_INCLUDED
#define CLI_H_INCLUDED

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "catalogue.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LATER = 3, EXIT_RIGHTS = 4, EXIT_MISSING = 5 };

typedef enum { ARG_FLAG, ARG_TEXT, ARG_LIST } arg_type_t;

//  One option of a verb. Every verb also takes --home, --lang, --json, --help, --color.
typedef struct {
    const char *name; //  without dashes; NULL ends the table
    arg_type_t type;
    const char *value; //  placeholder in help, e.g. "LAT,LON"; NULL for a flag
    text_id_t help;
} option_spec_t;

typedef struct cli_t cli_t;
typedef int (verb_fn) (cli_t *cli);

typedef struct {
    const char *name;               //  "areas check" is a verb of two words; NULL ends the table
    const char *operands;           //  "FILE [INCIDENT] TIP...", for help; "" for none
    int min_operands, max_operands; //  max -1 = any number
    text_id_t help;
    const option_spec_t *options; //  may be NULL
    verb_fn *run;
} verb_spec_t;

//  The whole of main after its table: parses, prints help (exit 0) or a one-line usage error (exit 2), sets language and
//  colour, calls the verb, returns its exit code. `summary` is the program's one-line description.
int cli_main (int argc, char **argv, const char *program, text_id_t summary, const verb_spec_t *verbs);

//  ---- for verbs
const char *cli_home (cli_t *self);                     //  --home or PATROL_HOME; exits 2 with one line if neither
const char *cli_text (cli_t *self, const char *option); //  NULL if not given
bool cli_flag (cli_t *self, const char *option);
int cli_list (cli_t *self, const char *option, const char ***values); //  how often it was given
int cli_operands (cli_t *self, char ***operands);
bool cli_json (cli_t *self);

//  One line on stderr "program: ..." (in the chosen language if a catalogue text is used). Returns EXIT_USAGE / the code given.
int cli_usage_error (cli_t *self, const char *format, ...) __attribute__ ((format (printf, 2, 3)));
int cli_error (cli_t *self, int exit_code, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

//  Prints one JSON object as a line and flushes it. Borrowed.
void cli_print_json (json_t *object);

//  ---- tables for people (libsmartcols: right widths for Chinese, cut to the terminal, colour only on one)
typedef struct table_t table_t;
table_t *table_new (cli_t *cli, const text_id_t *headings, int columns);
void table_right (table_t *self, int column);             //  aligns right
void table_row (table_t *self, const char *const *cells); //  copied; NULL = empty
void table_print (table_t **self_p);                      //  to stdout, then destroys

//  ---- progress on stderr, only when stderr is a terminal and the work has lasted two seconds
typedef struct {
    const char *what;
    int64_t total, started_ms, shown_ms;
    bool on;
} progress_t;
void progress_begin (progress_t *self, const char *what, int64_t total);
void progress_step (progress_t *self, int64_t done);
void progress_end (progress_t *self);

//  Colour around a text for a terminal; "" when off. name: red yellow green blue bold dim off
const char *cli_color (const char *name);

#endif
