//  meshlink - links to neighbouring nodes: finding, dialling, admitting, one per pair
//
//  A ROUTER hears, a DEALER (common/link) dials; the two never share a socket, and nobody sets a routing id. Both ends' CURVE
//  keys are made here; who the neighbour is, its card says inside (meshcard.h), so no server is asked and an
//  outsider gets no further than its first frame. What goes over a link that is up is the owner's business.
//
//  Frame: version 1 | type | zero 2 | body; exactly one body frame a message, at most 16,384 octets.
//  One thread: the owner polls meshlinks_items and calls meshlinks_process.

#ifndef MESHLINK_H_INCLUDED
#define MESHLINK_H_INCLUDED

#include <poll.h>
#include <zmq.h>
#include "beacon.h"
#include "mesh.h"
#include "meshrefused.h"

typedef struct meshlinks_t meshlinks_t;

#define MESHLINKS_MAX 64   //  links and pending ones together
#define MESHLINKS_ENOUGH 4 //  with so many, others are dialled one by one only, or for a shorter way to a gateway
#define MESHLINKS_ITEMS (5 + 2 * MESHLINKS_MAX)
#define MESHLINKS_PEERS_MAX 32 //  --peer
#define MESHLINKS_BODY_MAX 16380u

typedef enum {
    MESHFRAME_CARD = 32,    //  dialer -> listener, first
    MESHFRAME_ANSWER = 33,  //  listener -> dialer: proof 32, card
    MESHFRAME_PROOF = 34,   //  dialer -> listener: proof 32; the link is up
    MESHFRAME_REFUSE = 35,  //  one octet, a card_verdict_t; the link ends
    MESHFRAME_PING = 36,    //  the sender's beacon token 8
    MESHFRAME_MESH = 40,    //  a control frame of the mesh, meshwire.h
    MESHFRAME_TIP = 41,     //  head, envelope
    MESHFRAME_LETTER = 42,  //  copies 1, word (meshword.h)
    MESHFRAME_LETTERS = 43, //  letters on offer, meshmail.h
    MESHFRAME_WANTED = 44   //  which of them
} meshframe_t;

typedef struct {
    const char *listen;       //  "tcp://*:PORT"; NULL: any free port
    const char *const *peers; //  "tcp://ADDRESS:PORT", IPv4 literals or localhost
    int peer_count;
    bool beacon, loopback;
} meshlinks_options_t;

typedef struct {
    //  Both ends have proven who they are. `routing` is the neighbour's beacon part, NULL if none was heard.
    void (*up) (void *context, uint32_t link, const credential_t *who, const uint8_t *routing);
    void (*down) (void *context, uint32_t link, const char *reason);
    //  Frames from MESHFRAME_MESH on, of links that are up.
    void (*frame) (void *context, uint32_t link, meshframe_t type, const uint8_t *body, size_t size);
    //  A beacon of a neighbour whose link is up / what is opening one worth?
    void (*heard) (void *context, uint32_t link, const uint8_t routing [BEACON_ROUTING]);
    mesh_link_worth_t (*worth) (void *context, const uint8_t routing [BEACON_ROUTING]);
    bool (*revoked) (void *context, const uint8_t link_key [KEY_SIZE]);
    //  Milliseconds since 1970 by which credentials are judged.
    int64_t (*judge_ms) (void *context);
} meshlinks_handler_t;

//  zmq (with room for 3 + 2 MESHLINKS_MAX sockets) and device are borrowed. NULL with one line on stderr.
meshlinks_t *meshlinks_new (void *zmq, const device_t *device, const meshlinks_options_t *options,
    const meshlinks_handler_t *handler, void *context);
void meshlinks_destroy (meshlinks_t **self_p);

//  Poll items, at most MESHLINKS_ITEMS; lowers *timeout_ms. Then process, whatever was ready.
int meshlinks_items (meshlinks_t *self, zmq_pollitem_t *items, long *timeout_ms, int64_t now_ms);
void meshlinks_process (meshlinks_t *self, int64_t now_ms);
//  The routing part of our beacon from now on; sent about every second. It is zeros until this is called, so call it first.
void meshlinks_beacon (meshlinks_t *self, const uint8_t routing [BEACON_ROUTING]);

//  0: it goes, after what waits; -1 if too much waits, for a tip anything, or if the link is not up.
int meshlinks_send (
    meshlinks_t *self, uint32_t link, meshframe_t type, const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size);
//  Ends the link; `down` is not called. With ban_ms the key is refused for so long.
void meshlinks_end (meshlinks_t *self, uint32_t link, int64_t ban_ms, int64_t now_ms);
//  Ends every link whose neighbour the handler calls revoked; `down` is called.
void meshlinks_recheck (meshlinks_t *self, int64_t now_ms);

uint16_t meshlinks_port (const meshlinks_t *self);
const meshrefused_t *meshlinks_refused (const meshlinks_t *self); //  borrowed
uint64_t meshlinks_bytes (const meshlinks_t *self, bool out);     //  bodies and headers, of all links
//  "192.0.2.1:7420", or "" for one that dialled us; borrowed.
const char *meshlinks_address (const meshlinks_t *self, uint32_t link);

#endif
