//  front - the process that faces the network: CURVE, admission, framing, sessions, lanes and quotas
//
//  Holds the transport key only, can open no seal, has a memory limit, and may die and be back within a second. It speaks to
//  the core over two connections to HOME/core.sock, one a lane. Files: front.c the process and its loop, frontsocket.c the ROUTER and
//  the self-test, frontpeer.c sessions and what a peer may send, frontcore.c the pipes, zap.c the handshakes.

#ifndef FRONT_H_INCLUDED
#define FRONT_H_INCLUDED

//  Runs until SIGTERM or SIGINT: 0. Writes one byte to life_fd (-1: none) once it listens and has seen that an unknown key is
//  refused, and one each second from then on. 1 with one line on stderr if it cannot start. Makes a zmq context: no fork in this process afterwards.
int front_run (const char *home, const char *endpoint, int life_fd);

//  The payload of PIPE_COUNTERS: u64 each, in this order, since this front started. Sent once a second when something changed.
typedef enum {
    FRONT_HANDSHAKES_UNKNOWN, //  refused handshakes: no such key,
    FRONT_HANDSHAKES_EXPIRED, //  its time is over,
    FRONT_HANDSHAKES_REVOKED,
    FRONT_HANDSHAKES_TOO_MANY,  //  more than 60 at once or 1 a second of one key,
    FRONT_HANDSHAKES_MALFORMED, //  not CURVE or not ours
    FRONT_FRAMES_MULTIPART,     //  refused frames: not exactly one body,
    FRONT_FRAMES_BAD,           //  header, body or user of the connection not right,
    FRONT_FRAMES_NO_HELLO,      //  before Hello,
    FRONT_FRAMES_OVER_CREDIT,   //  beyond credit or rate,
    FRONT_FRAMES_NOT_ALLOWED,   //  an enrolment may only enrol,
    FRONT_FRAMES_ROUTING_ID,    //  a routing id that we did not give
    FRONT_FRAMES_DROPPED,       //  the core was away or its queue full
    FRONT_PEERS_CUT,
    FRONT_SESSIONS, //  live now
    FRONT_FRAMES_IN,
    FRONT_FRAMES_OUT,
    FRONT_COUNTERS
} front_counter_t;

//  "handshakes_unknown" ...; NULL beyond the last.
const char *front_counter_name (int counter);

#endif
