//  node - the daemon: one loop over the broker's session, the local commands and the clock
//
//  A daemon_fn for runner.h. It is the only opener of HOME/outbox.db, whether it runs for days or for one command.

#ifndef NODE_H_INCLUDED
#define NODE_H_INCLUDED

#include "gpsd.h"
#include "meshlink.h"
#include "runner.h"

typedef enum {
    NODE_LINK,       //  keep a session with the broker
    NODE_NO_LINK,    //  run --no-broker
    NODE_ONE_COMMAND //  nobody runs a daemon and the command needs no link: be quick
} node_network_t;

//  mesh: only for `run`; listen, peers and gpsd are borrowed.
typedef struct {
    node_network_t network;
    bool mesh;
    meshlinks_options_t links;
    gpsd_t *gpsd; //  NULL = no positions
} node_options_t;

//  args->options is a node_options_t.
int node_daemon (const daemon_args_t *args);

#endif
