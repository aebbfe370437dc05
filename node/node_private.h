//  node_private - what node.c (loop and session) and noderequests.c (local commands) share; nobody else includes it

#ifndef NODE_PRIVATE_H_INCLUDED
#define NODE_PRIVATE_H_INCLUDED

#include "catalogue.h"
#include "device.h"
#include "inbox.h"
#include "local.h"
#include "meshnode.h"
#include "node.h"
#include "outbox.h"
#include "sender.h"
#include "session.h"

#define CLOCK_OFF_MS 120000 //  a device clock that differs more from the broker's is told to the person

typedef enum {
    ASK_KEEP, //  written, waits for the commit
    ASK_WAIT, //  kept, waits for a later state
    ASK_STATUS,
    ASK_INBOX //  long answers, sent in pages as the client reads them
} ask_type_t;

//  A request whose answer is not ended.
typedef struct ask_t {
    struct ask_t *next;
    local_client_t *client; //  NULL once it has left
    ask_type_t type;
    lang_t lang;                     //  of the person who asked
    json_t *result;                  //  KEEP: sent after the commit
    int exit_code;                   //  KEEP: with the result
    outbox_ref_t ref;                //  WAIT: the tip
    tip_state_t wanted;              //  TIP_HELD: no waiting
    int64_t timeout_ms, deadline_ms; //  monotonic
    int64_t after;                   //  STATUS, INBOX: cursor
} ask_t;

typedef struct {
    const char *home;
    node_options_t options;
    bool is_daemon; //  with a socket, a ready line and a service manager; false: for one command
    bool broken;    //  the store failed: end
    device_t *device;
    nodestore_t *store;
    outbox_t *outbox;
    inbox_t *inbox;
    sender_t *sender;
    void *zmq;          //  NULL without a link
    session_t *session; //  NULL without a link
    meshnode_t *mesh;   //  NULL without one
    local_t *local;
    ask_t *asks;
    int keeping;           //  asks that wait for the commit
    uint64_t changes_seen; //  outbox_changes when waiting asks were last looked at

    //  the link
    bool attached;
    bool done_due, ack_due; //  to be sent after the next commit
    uint64_t incarnation, feed_stored, feed_granted;
    uint64_t settled; //  since DoneBelow was last said
    int64_t link_ms;  //  when the link was last up, device clock; 0 = never
    int64_t clock_offset_ms;
    char refusal [256];  //  the last thing the broker refused as a whole, this attachment
    int64_t retry_ms;    //  monotonic: no session before this, after a failed write
    int64_t forget_ms;   //  monotonic, next house keeping
    int64_t watchdog_ms; //  monotonic, next word to the service manager; 0 = none wanted
} node_t;

//  ---- node.c

//  Commits what the last round wrote. On failure what is kept in memory is read again, and nothing of it has happened.
bool node_commit (node_t *self);

//  ---- noderequests.c

void requests_handle (void *context, local_client_t *client, json_t *request);
void requests_gone (void *context, local_client_t *client);
//  After local_process: commits and answers what was kept.
void requests_settle (node_t *self);
//  After anything may have changed: ends waits, continues long answers. Returns the milliseconds until a wait ends, -1.
int64_t requests_tend (node_t *self, int64_t now_mono_ms);
//  The daemon ends: ends the waits, while the clients are still there.
void requests_stop (node_t *self);
void requests_destroy (node_t *self);

#endif
