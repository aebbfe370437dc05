//  commands - the commands that act: join, run, ack, dispatch, close, reopen, place

#ifndef COMMANDS_H_INCLUDED
#define COMMANDS_H_INCLUDED

#include "cli.h"

int verb_join (cli_t *cli);
int verb_run (cli_t *cli);
int verb_ack (cli_t *cli);
int verb_dispatch (cli_t *cli);
int verb_close (cli_t *cli);
int verb_reopen (cli_t *cli);
int verb_place (cli_t *cli);
int verb_merge (cli_t *cli);
int verb_split (cli_t *cli);

#endif
