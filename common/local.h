//  local - how a command talks to the daemon of its home: one JSON object a line, both ways
//
//  A request is {"do": "NAME", ...}. The answer is any number of objects, then {"end": true, "exit": N,
//  "error": "one line, if N is not 0"}. The server side lives in the daemon's poll loop and never blocks.
//  Lines are at most 1 MiB; jansson refuses bad UTF-8 and duplicate keys.

#ifndef LOCAL_H_INCLUDED
#define LOCAL_H_INCLUDED

#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

//  ---- server side

typedef struct local_t local_t;
typedef struct local_client_t local_client_t;

//  Called for each request, one at a time a client: the next one waits until local_end. The request is borrowed. The handler answers now or later with
//  local_send and local_end; `gone` is called once when the client has left, after which it must not be used.
typedef void (local_request_fn) (void *context, local_client_t *client, json_t *request);
typedef void (local_gone_fn) (void *context, local_client_t *client);

//  listen_fd: from home_listen, or -1 for none (clients are added with local_adopt). Takes the descriptor.
local_t *local_new (int listen_fd, local_request_fn *request, local_gone_fn *gone, void *context);
void local_destroy (local_t **self_p);

//  Takes a connected socket as a client (the command that runs in the daemon's own process).
void local_adopt (local_t *self, int fd);

//  An array of this size holds the listener, all clients it takes and a few adopted ones.
#define LOCAL_ITEMS 72

//  Fills at most `room` pollfds, returns how many; then after poll, hand the same array back.
int local_items (local_t *self, struct pollfd *items, int room);
void local_process (local_t *self, const struct pollfd *items, int count);

//  Queues one object (takes the reference). Output beyond 8 MiB unread: the client is dropped.
void local_send (local_client_t *client, json_t *object);
//  Ends the answer. `error` may be NULL.
void local_end (local_client_t *client, int exit_code, const char *error);
//  Bytes queued and not yet written: long answers pause above 256 KiB and go on when `local_drained` would be true.
size_t local_queued (const local_client_t *client);
void local_set_data (local_client_t *client, void *data); //  owner's pointer
void *local_data (const local_client_t *client);

//  ---- client side (blocking)

//  Called for each object of the answer but the last; borrowed. Return false to stop early.
typedef bool (local_answer_fn) (void *context, json_t *object);

//  Sends the request on fd and reads the answer. Returns the exit code; 1 with *error set if the daemon
//  went away. *error (caller frees) is the daemon's line or NULL. Takes the request's reference, not fd.
int local_ask (int fd, json_t *request, local_answer_fn *answer, void *context, char **error);

//  For streams: send only / receive only.
int local_put (int fd, json_t *object); //  takes the reference
//  1 = object in *out (caller decrefs), 0 = closed, -1 = broken. Keeps a buffer in *state (start with NULL; free()).
int local_get (int fd, json_t **out, void **state);

#endif
