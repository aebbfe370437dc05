//  zapframes - one request of libzmq about a CURVE handshake, and the answer to it (ZeroMQ RFC 27, ZAP 1.0)
//
//  What may be answered is the caller's to judge; here only the frames are read and written. A REP socket at ZAPFRAMES_ENDPOINT.

#ifndef ZAPFRAMES_H_INCLUDED
#define ZAPFRAMES_H_INCLUDED

#include <stdbool.h>
#include <zmq.h>
#include "identity.h"

#define ZAPFRAMES_ENDPOINT "inproc://zeromq.zap.01"
#define ZAPFRAMES_PART 256u //  longest part of a request that is read

typedef struct {
    uint8_t id [ZAPFRAMES_PART]; //  goes back with the answer
    size_t id_size;
    bool fits;              //  version 1.0, the domain asked for, CURVE, and nothing too long or too much
    uint8_t key [KEY_SIZE]; //  the peer's, if it fits
} zapframes_t;

//  Reads one request to its end, whatever it is. -1: there is none, or the context ends.
int zapframes_read (void *rep, const char *domain, zapframes_t *out);
//  status: three digits, "200" lets the peer in as `user`, "" otherwise. -1: it could not be said.
int zapframes_answer (void *rep, const zapframes_t *request, const char *status, const char *user);

#endif
