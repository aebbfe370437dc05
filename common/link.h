//  link - a device's one connection to the broker's front
//
//  A CURVE DEALER with the settings card of docs/design.md, its monitor and its backoff:
//  libzmq never retries after a refused handshake, so the link makes a new socket
//  (1 s growing to 60 s, with jitter). One thread. The owner polls link_items() and calls link_process().

#ifndef LINK_H_INCLUDED
#define LINK_H_INCLUDED

#include <zmq.h>
#include "frame.h"
#include "identity.h"

typedef struct link_t link_t;

typedef enum {
    LINK_DOWN,    //  not connected; detail says why when it is known
    LINK_UP,      //  handshake done, Hello is to be sent by the owner
    LINK_REFUSED, //  the broker does not admit this key; will be tried again later
    LINK_FRAME    //  one frame arrived
} link_event_t;

//  zmq context is borrowed. Keys are copied. Connects at once. NULL if the endpoint is not usable.
link_t *link_new (void *zmq, const char *endpoint, const uint8_t server_key [KEY_SIZE], const box_keys_t *keys);
void link_destroy (link_t **self_p);

//  Fills up to two poll items, returns how many. *timeout_ms is lowered to the link's next timer.
int link_items (link_t *self, zmq_pollitem_t items [2], long *timeout_ms, int64_t now_ms);

//  Call in a loop until it returns false. For LINK_FRAME, *frame points to the bytes until the next call.
bool link_process (link_t *self, int64_t now_ms, link_event_t *event, const uint8_t **frame, size_t *size);

//  Sends one frame, copied. Returns -1 if the queue is full or there is no connection: try again later.
int link_send (link_t *self, const uint8_t *frame, size_t size);
bool link_is_up (const link_t *self);

//  Why the link is down, for people ("the broker at X does not answer", "... does not know this key"): an id of the
//  catalogue is not needed, English; borrowed until the next call.
const char *link_reason (const link_t *self);

#endif
