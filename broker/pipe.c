//  pipe - messages over a Unix stream socket

#include "pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK (256u * 1024)
#define MESSAGE_MAX (32u * 1024)
#define HEAD 9u

typedef struct {
    uint8_t *bytes;
    size_t begin, end, room;
} buffer_t;

struct pipe_t {
    int fd;
    buffer_t in, out;
};

static void s_room (buffer_t *buffer, size_t size)
{
    if (buffer->begin == buffer->end)
        buffer->begin = buffer->end = 0;
    if (buffer->end + size <= buffer->room)
        return;
    //  Moving is worth it when most of the room is behind us; otherwise a long queue would be moved for each message.
    if (buffer->begin > buffer->room / 2) {
        memmove (buffer->bytes, buffer->bytes + buffer->begin, buffer->end - buffer->begin);
        buffer->end -= buffer->begin;
        buffer->begin = 0;
    }
    if (buffer->end + size <= buffer->room)
        return;
    while (buffer->end + size > buffer->room)
        buffer->room = buffer->room ? buffer->room * 2 : CHUNK;
    buffer->bytes = realloc (buffer->bytes, buffer->room);
    if (!buffer->bytes)
        abort ();
}

pipe_t *pipe_new (int fd)
{
    pipe_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->fd = fd;
    int size = 1 << 20;
    setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return self;
}

void pipe_destroy (pipe_t **self_p)
{
    pipe_t *self = *self_p;
    if (!self)
        return;
    *self_p = NULL;
    close (self->fd);
    free (self->in.bytes);
    free (self->out.bytes);
    free (self);
}

int pipe_fd (const pipe_t *self)
{
    return self->fd;
}

void pipe_put (pipe_t *self, pipe_kind_t kind, uint32_t session, const void *payload, size_t size)
{
    s_room (&self->out, HEAD + size);
    uint8_t *to = self->out.bytes + self->out.end;
    uint32_t rest = (uint32_t)(size + 5);
    memcpy (to, &rest, 4);
    to [4] = (uint8_t)kind;
    memcpy (to + 5, &session, 4);
    if (size)
        memcpy (to + HEAD, payload, size);
    self->out.end += HEAD + size;
}

int pipe_flush (pipe_t *self)
{
    while (self->out.begin < self->out.end) {
        ssize_t sent = send (
            self->fd, self->out.bytes + self->out.begin, self->out.end - self->out.begin, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        self->out.begin += (size_t)sent;
    }
    return 0;
}

size_t pipe_queued (const pipe_t *self)
{
    return self->out.end - self->out.begin;
}

int pipe_fill (pipe_t *self)
{
    s_room (&self->in, CHUNK);
    ssize_t got = recv (self->fd, self->in.bytes + self->in.end, CHUNK, MSG_DONTWAIT);
    if (got > 0)
        self->in.end += (size_t)got;
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)) ? 0 : -1;
}

bool pipe_next (pipe_t *self, pipe_kind_t *kind, uint32_t *session, const uint8_t **payload, size_t *size, bool *broken)
{
    size_t have = self->in.end - self->in.begin;
    const uint8_t *from = self->in.bytes + self->in.begin;
    uint32_t rest;
    *broken = false;
    if (have < HEAD)
        return false;
    memcpy (&rest, from, 4);
    if (rest < 5 || rest > MESSAGE_MAX) {
        *broken = true;
        return false;
    }
    if (have < 4 + (size_t)rest)
        return false;
    *kind = (pipe_kind_t)from [4];
    memcpy (session, from + 5, 4);
    *payload = from + HEAD;
    *size = rest - 5;
    self->in.begin += 4 + (size_t)rest;
    return true;
}
