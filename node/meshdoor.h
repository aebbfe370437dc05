//  meshdoor - the listening side of the mesh: a CURVE ROUTER, its ZAP handler, its monitor
//
//  Any CURVE key may knock, since who it belongs to is shown inside; so handshakes are limited, and every frame is given
//  out with the CURVE key it really came under. No thread of its own: the ZAP requests are answered in the owner's loop.

#ifndef MESHDOOR_H_INCLUDED
#define MESHDOOR_H_INCLUDED

#include <zmq.h>
#include "identity.h"

typedef struct meshdoor_t meshdoor_t;

#define MESHDOOR_ITEMS 3

//  Listens at "tcp://ADDRESS:PORT", PORT may be *. *port is the one it got. NULL with errno set and nothing said.
meshdoor_t *meshdoor_new (void *zmq, const box_keys_t *keys, const char *listen, uint16_t *port);
void meshdoor_destroy (meshdoor_t **self_p);

void meshdoor_items (const meshdoor_t *self, zmq_pollitem_t items [MESHDOOR_ITEMS]);
//  Answers waiting handshakes.
void meshdoor_admit (meshdoor_t *self, int64_t now_ms);

//  The descriptor of a connection that has ended; -1 when there is none. Read all of them before frames: a
//  descriptor may be given to the next one.
int meshdoor_gone (meshdoor_t *self);

typedef struct {
    uint32_t routing; //  the front given by libzmq, never shown
    int fd;
    uint8_t key [KEY_SIZE]; //  CURVE key of the connection
    const uint8_t *bytes;   //  until the next call
    size_t size;
} door_frame_t;
//  The next message of exactly one body frame; others are dropped and counted, and their connection is cut.
bool meshdoor_next (meshdoor_t *self, door_frame_t *out);

//  0, or -1: its queue is full or it is gone.
int meshdoor_send (meshdoor_t *self, uint32_t routing, const uint8_t *bytes, size_t size);
//  Ends a connection.
void meshdoor_cut (meshdoor_t *self, int fd);

#endif
