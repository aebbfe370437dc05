//  nodeverbs - the commands of patrol-node, on the person's side: ask the daemon of the home, print what it says

#ifndef NODEVERBS_H_INCLUDED
#define NODEVERBS_H_INCLUDED

#include "cli.h"
#include "node.h"

extern const verb_spec_t node_verbs [];

//  Sends one request to the daemon of the home, or is it for the moment; prints the error line if there is one.
//  Takes the request. With `link` a daemon that is started for this command connects to the broker.
int node_ask (cli_t *cli, json_t *request, bool link, local_answer_fn *answer, void *context);

//  import.c
int verb_import (cli_t *cli);
//  statusview.c
int verb_status (cli_t *cli);
int verb_inbox (cli_t *cli);
//  meshview.c
int verb_mesh (cli_t *cli);
//  The state's name in the chosen language.
const char *state_label (const char *state);

#endif
