//  replay - records of the log in order, as fast as they happened or faster

#ifndef REPLAY_H_INCLUDED
#define REPLAY_H_INCLUDED

#include "cli.h"

int verb_replay (cli_t *cli);

#endif
