//  desk - the daemon of patrol-desk: one connection, one store, any number of commands and watchers

#ifndef DESK_H_INCLUDED
#define DESK_H_INCLUDED

#include "runner.h"

//  daemon_args_t.options
typedef struct {
    bool announce; //  `run`: the ready line, the service manager, a log on stderr
    bool listen;   //  takes other commands of this home on the local socket
} desk_options_t;

//  A daemon_fn of runner.h.
int desk_daemon (const daemon_args_t *args);

#endif
