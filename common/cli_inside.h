//  cli_inside - what cli.c, cli_help.c and cli_table.c share; nobody else includes it

#ifndef CLI_INSIDE_H_INCLUDED
#define CLI_INSIDE_H_INCLUDED

#include "cli.h"

extern const option_spec_t cli_common_options [];

//  The page of the program (verb and group NULL), of a group of verbs, or of a verb; to stdout.
void cli_help (const char *program, text_id_t summary, const verb_spec_t *verbs, const verb_spec_t *verb, const char *group);

//  auto, always, never. -1 if it is none of them.
int cli_color_mode (const char *mode);

#endif
