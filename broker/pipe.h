//  pipe - length-prefixed messages between front and core over one Unix stream socket, buffered both ways
//
//  Message: u32 size of the rest (little endian), u8 kind, u32 session, payload. Two pipes a broker, one per lane, so that
//  an sos never stands behind a burst. Trust: both ends are ours; a size beyond the limit ends the pipe all the same.

#ifndef PIPE_H_INCLUDED
#define PIPE_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    //  front -> core
    PIPE_LANE = 1,     //  first message: payload u8 lane
    PIPE_OPEN = 2,     //  session began: link key 32, u8 admission
    PIPE_CLOSE = 3,    //  session ended
    PIPE_FRAME = 4,    //  payload: a whole frame
    PIPE_COUNTERS = 5, //  payload: u64 counters of front.h
    //  core -> front
    PIPE_READY = 10,  //  payload: u64 incarnation
    PIPE_SEND = 11,   //  payload: a whole frame
    PIPE_ADMIT = 12,  //  link key 32, u8 admission, i64 expires (0 = never)
    PIPE_REVOKE = 13, //  link key 32: refuse from now on and cut
    //  both ways
    PIPE_FENCE = 14 //  number in `session`: the front echoes it when it has done everything before it
} pipe_kind_t;

typedef enum { ADMIT_MEMBER = 1, ADMIT_ENROL = 2 } admission_t;

typedef struct pipe_t pipe_t;

pipe_t *pipe_new (int fd); //  takes the descriptor
void pipe_destroy (pipe_t **self_p);
int pipe_fd (const pipe_t *self);

//  Queues one message.
void pipe_put (pipe_t *self, pipe_kind_t kind, uint32_t session, const void *payload, size_t size);
//  Writes what the socket takes. -1: broken.
int pipe_flush (pipe_t *self);
size_t pipe_queued (const pipe_t *self);

//  Reads what is there (at most once 256 KiB). -1: closed or broken.
int pipe_fill (pipe_t *self);
//  Next whole message; payload is borrowed until the next pipe_fill. False if none is complete. *broken is set on nonsense.
bool pipe_next (pipe_t *self, pipe_kind_t *kind, uint32_t *session, const uint8_t **payload, size_t *size, bool *broken);

#endif
