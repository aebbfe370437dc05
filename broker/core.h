//  core - the process that holds the unsealing key, the log and the state; has no network
//
//  Speaks to the front over HOME/core.sock and to the operator's commands over HOME/local.sock. One loop; the log's
//  committer and the reader of queries have threads of their own.

#ifndef CORE_H_INCLUDED
#define CORE_H_INCLUDED

#include "runner.h"

//  A daemon_fn. args->options: a core_options_t or NULL (no front: for one-shot operator commands).
typedef struct {
    bool with_front;
    int life_fd; //  one byte is written when the core takes work, and one each second from then on; -1: none
} core_options_t;

//  Exit codes beyond cli.h that tell the supervisor what to do.
enum { CORE_EXIT_STORAGE = 75 }; //  a commit failed: start again when there is room

int core_run (const daemon_args_t *args);

#define CORE_SOCKET "core.sock"

#endif
