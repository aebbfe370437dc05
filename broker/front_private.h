//  front_private - what the files of the front share

#ifndef FRONT_PRIVATE_H_INCLUDED
#define FRONT_PRIVATE_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "arena.h"
#include "bucket.h"
#include "frame.h"
#include "front.h"
#include "pipe.h"
#include "zap.h"

#define SLOTS 65536u //  of sessions; a session id is generation << 16 | slot
#define NO_SLOT SLOTS

//  A frame that libzmq's queue had no room for.
typedef struct unsent_t {
    struct unsent_t *next;
    size_t size;
    uint8_t bytes [];
} unsent_t;

typedef struct {
    uint32_t id;         //  0 = no session here
    uint32_t routing;    //  the 4 octets libzmq gave, as they lie in memory
    uint32_t next;       //  slot in the chain of its hash bucket, NO_SLOT at the end
    uint32_t key;        //  index in the ZAP table
    int fd;              //  of the connection, to cut it
    uint16_t generation; //  of the slot
    admission_t admission;
    uint64_t received;                      //  lane-1 envelopes that came, the measure of credit
    uint64_t charged;                       //  lane-0 envelopes beyond the bucket since the last grant
    uint64_t granted;                       //  submit_up_to as the peer knows it
    bool wants_credit, is_stuck;            //  stands in the list of that name
    uint8_t bad;                            //  frames that did not parse
    int64_t heard_ms, noticed_ms, stuck_ms; //  last frame, last Notice, since when frames wait
    unsent_t *unsent_first, *unsent_last;
    size_t unsent_size;
} peer_t;

//  What one key may do, over all its connections.
typedef struct {
    bucket_t urgent; //  lane-0 envelopes without credit
    bucket_t talk;   //  all other frames
    uint32_t sessions;
} quota_t;

typedef struct {
    const char *home;
    void *zmq, *router, *monitor;
    zap_t *zap;
    int signal_fd;
    arena_t *arena;
    zmq_msg_t routing, body;
    int64_t now_ms; //  monotonic, once a turn of the loop

    pipe_t *lanes [LANE_COUNT]; //  both or none
    bool core_up;               //  PIPE_READY came
    uint64_t incarnation;
    int64_t connect_ms, second_ms;
    int life_fd;

    peer_t *peers;    //  SLOTS of them
    uint32_t *chains; //  SLOTS buckets of slots
    uint32_t live, last_slot;
    uint32_t *fd_owner; //  session id by descriptor
    size_t fd_room;
    quota_t *quotas; //  by key index
    uint32_t quota_room;
    uint32_t *wanting, *stuck; //  session ids; a closed session's is skipped
    uint32_t wanting_count, stuck_count, wanting_room, stuck_room;
    size_t unsent_size; //  of all sessions

    uint64_t counters [FRONT_COUNTERS], told [FRONT_COUNTERS], printed [FRONT_COUNTERS];
    uint64_t not_curve; //  handshakes that failed before ZAP could be asked
    int64_t printed_ms [FRONT_COUNTERS];
} front_t;

//  frontsocket.c
//  A ROUTER, proven to refuse an unknown key. -1 with one line on stderr.
int front_make_socket (front_t *self);
//  Binds it to the network and watches its connections. -1 with one line on stderr.
int front_listen (front_t *self, const char *endpoint);

//  frontpeer.c
//  Takes one message of the ROUTER. False when there is none.
bool front_receive (front_t *self);
//  Closes the sessions whose connections ended.
void front_read_monitor (front_t *self);
peer_t *peer_find (front_t *self, uint32_t id);
//  Queues a frame to the peer; a peer that does not take any for long is cut. False if the session is gone with it.
bool peer_send (front_t *self, peer_t *peer, const uint8_t *frame, size_t size);
bool peer_welcome (front_t *self, peer_t *peer);
//  Tells the core of a session.
void peer_open (front_t *self, const peer_t *peer);
//  Ends session and connection.
void peer_cut (front_t *self, peer_t *peer);
void peer_close (front_t *self, peer_t *peer);
void front_cut_key (front_t *self, uint32_t key);
//  Frames and credit that wait; sessions that were silent for long or whose key is no longer admitted.
void front_send_unsent (front_t *self);
void front_grant (front_t *self);
void front_check_peers (front_t *self);
//  A descriptor of our own has this number: a session that had it is over.
void front_fd_is_ours (front_t *self, int fd);

//  frontcore.c
void core_connect (front_t *self);
void core_gone (front_t *self);
void core_read (front_t *self);
void core_flush (front_t *self);
//  Passes a frame on; false if it had to be dropped.
bool core_forward (front_t *self, lane_t lane, const peer_t *peer, const uint8_t *frame, size_t size);
bool core_is_congested (const front_t *self);

#endif
