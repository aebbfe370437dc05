//  local - how a command talks to the daemon of its home: one JSON object a line, both ways
//
//  A client is never freed while a handler may hold it: it is marked dead, and reaped (gone is called) when
//  the loop comes by. One request at a time: while its answer is not ended, the next line stays in the socket.

#include "local.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "timefmt.h"

#define LINE_LIMIT (1024u * 1024u)
#define OUTPUT_LIMIT (8u * 1024u * 1024u)
#define FLUSH_AT (64u * 1024u)
#define READ_CHUNK (16u * 1024u)
#define CLIENTS_MAX 64
#define ACCEPT_PAUSE_MS 1000

//  Bytes between start and end are in use; the same for both directions and both sides.
typedef struct {
    char *data;
    size_t start, end, room;
    size_t scanned; //  from start: no newline before
} buffer_t;

struct local_client_t {
    local_t *owner;
    local_client_t *next;
    int fd;
    int slot;     //  in the array given by local_items, -1 = not polled
    bool busy;    //  a request is not yet ended
    bool closing; //  to be closed once the output is written
    bool eof;     //  the other side sends no more
    bool dead;    //  to be reaped
    buffer_t input, output;
    void *data;
};

struct local_t {
    int listen_fd;
    int listen_slot;
    int64_t accept_again_ms; //  after we ran out of descriptors
    local_request_fn *request;
    local_gone_fn *gone;
    void *context;
    local_client_t *clients; //  newest first
    int count;
};

//  ---- buffers

static size_t s_used (const buffer_t *buffer)
{
    return buffer->end - buffer->start;
}

//  Makes room for `more` bytes after end.

static void s_reserve (buffer_t *buffer, size_t more)
{
    if (buffer->start > 0 && buffer->end + more > buffer->room) {
        memmove (buffer->data, buffer->data + buffer->start, s_used (buffer));
        buffer->end -= buffer->start;
        buffer->start = 0;
    }
    if (buffer->end + more <= buffer->room)
        return;
    size_t room = buffer->room ? buffer->room : 4096;
    while (room < buffer->end + more)
        room *= 2;
    buffer->data = realloc (buffer->data, room);
    if (!buffer->data)
        abort ();
    buffer->room = room;
}

static void s_append (buffer_t *buffer, const char *bytes, size_t size)
{
    s_reserve (buffer, size);
    memcpy (buffer->data + buffer->end, bytes, size);
    buffer->end += size;
}

//  Length of the first line without its newline, or -1 if there is no whole line yet.

static long s_line (buffer_t *buffer)
{
    size_t used = s_used (buffer);
    if (used == buffer->scanned)
        return -1;
    const char *first = buffer->data + buffer->start;
    const char *found = memchr (first + buffer->scanned, '\n', used - buffer->scanned);
    if (!found) {
        buffer->scanned = used;
        return -1;
    }
    return (long)(found - first);
}

static void s_consume (buffer_t *buffer, size_t size)
{
    buffer->start += size;
    buffer->scanned = 0;
    if (buffer->start == buffer->end)
        buffer->start = buffer->end = 0;
}

//  A line as an object, newly made; NULL if it is not one.

static json_t *s_parse (const char *line, size_t size)
{
    json_error_t error;
    json_t *object = json_loadb (line, size, JSON_REJECT_DUPLICATES, &error);
    if (object && !json_is_object (object)) {
        json_decref (object);
        object = NULL;
    }
    return object;
}

//  ---- server: output

static void s_flush (local_client_t *client)
{
    while (!client->dead && s_used (&client->output) > 0) {
        ssize_t sent = send (
            client->fd, client->output.data + client->output.start, s_used (&client->output), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0)
            s_consume (&client->output, (size_t)sent);
        else if (sent < 0 && errno == EINTR)
            continue;
        else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        else
            client->dead = true;
    }
    bool finished = client->closing || (client->eof && !client->busy);
    if (finished && s_line (&client->input) < 0)
        client->dead = true;
}

void local_send (local_client_t *client, json_t *object)
{
    assert (client);
    if (!object) {
        fprintf (stderr, "local: an object of an answer could not be built, it is left out\n");
        return;
    }
    char *line = client->dead ? NULL : json_dumps (object, JSON_COMPACT);
    json_decref (object);
    if (!line)
        return;
    size_t size = strlen (line);
    if (size >= LINE_LIMIT || s_used (&client->output) + size + 1 > OUTPUT_LIMIT) {
        fprintf (stderr, "local: client dropped: %s\n",
            size >= LINE_LIMIT ? "a line of its answer is over 1 MiB" : "it left 8 MiB of its answer unread");
        client->dead = true;
    } else {
        line [size] = '\n'; //  in place of the terminator
        s_append (&client->output, line, size + 1);
        if (s_used (&client->output) >= FLUSH_AT)
            s_flush (client);
    }
    free (line);
}

void local_end (local_client_t *client, int exit_code, const char *error)
{
    assert (client);
    json_t *end = json_pack ("{s:b, s:i}", "end", 1, "exit", exit_code);
    if (error) {
        json_t *words = json_string (error);
        //  a name quoted in it may not be UTF-8
        json_object_set_new (end, "error", words ? words : json_string ("refused (the reason is not UTF-8)"));
    }
    local_send (client, end);
    client->busy = false;
    s_flush (client);
}

size_t local_queued (const local_client_t *client)
{
    return s_used (&client->output);
}

void local_set_data (local_client_t *client, void *data)
{
    client->data = data;
}

void *local_data (const local_client_t *client)
{
    return client->data;
}

//  ---- server: input

//  A client that does not speak our language gets one line and is closed.

static void s_refuse (local_client_t *client, const char *why)
{
    client->closing = true;
    client->input.start = client->input.end = client->input.scanned = 0;
    local_end (client, 2, why);
}

//  Hands over the lines that are there, one request at a time.

static void s_pump (local_client_t *client)
{
    while (!client->busy && !client->dead && !client->closing) {
        long size = s_line (&client->input);
        if (size < 0) {
            if (s_used (&client->input) >= LINE_LIMIT)
                s_refuse (client, "request refused: the line is over 1 MiB");
            return;
        }
        if ((size_t)size >= LINE_LIMIT) {
            s_refuse (client, "request refused: the line is over 1 MiB");
            return;
        }
        json_t *request = s_parse (client->input.data + client->input.start, (size_t)size);
        s_consume (&client->input, (size_t)size + 1);
        const char *program = json_string_value (json_object_get (request, "program"));
        if (program && strcmp (program, program_invocation_short_name) != 0) {
            char line [160];
            snprintf (line, sizeof line, "this is the home of %s, not of %.60s", program_invocation_short_name, program);
            s_refuse (client, line);
        } else if (request && json_is_string (json_object_get (request, "do"))) {
            client->busy = true;
            client->owner->request (client->owner->context, client, request);
        } else
            s_refuse (client, "request refused: not a JSON object with \"do\" in one line");
        json_decref (request);
    }
}

//  Reads what is there, up to a line at its limit; then handles it.

static void s_read (local_client_t *client)
{
    while (s_used (&client->input) < LINE_LIMIT) {
        s_reserve (&client->input, READ_CHUNK);
        ssize_t got = recv (client->fd, client->input.data + client->input.end, READ_CHUNK, MSG_DONTWAIT);
        if (got > 0)
            client->input.end += (size_t)got;
        else if (got < 0 && errno == EINTR)
            continue;
        else {
            if (got == 0)
                client->eof = true;
            else if (errno != EAGAIN && errno != EWOULDBLOCK)
                client->dead = true;
            return;
        }
    }
}

static void s_handle (local_client_t *client, short events)
{
    if (client->dead)
        return;
    bool hung_up = events & (POLLHUP | POLLERR | POLLNVAL);
    if (!client->busy && !client->closing && !client->eof && (events & (POLLIN | POLLHUP)))
        s_read (client);
    s_pump (client);
    s_flush (client);
    //  nobody is there to read the rest; a request sent just before leaving has been handed over above
    if (hung_up)
        client->dead = true;
}

//  ---- server: the loop

local_t *local_new (int listen_fd, local_request_fn *request, local_gone_fn *gone, void *context)
{
    assert (request);
    local_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->listen_fd = listen_fd;
    self->listen_slot = -1;
    self->request = request;
    self->gone = gone;
    self->context = context;
    return self;
}

static void s_client_free (local_client_t *client)
{
    if (client->owner->gone)
        client->owner->gone (client->owner->context, client);
    client->owner->count--;
    close (client->fd);
    free (client->input.data);
    free (client->output.data);
    free (client);
}

static void s_reap (local_t *self)
{
    local_client_t **link = &self->clients;
    while (*link) {
        local_client_t *client = *link;
        if (client->dead) {
            *link = client->next;
            s_client_free (client);
        } else
            link = &client->next;
    }
}

void local_destroy (local_t **self_p)
{
    assert (self_p);
    local_t *self = *self_p;
    if (!self)
        return;
    for (local_client_t *client = self->clients; client; client = client->next) {
        s_flush (client);
        client->dead = true;
    }
    s_reap (self);
    if (self->listen_fd >= 0)
        close (self->listen_fd);
    free (self);
    *self_p = NULL;
}

void local_adopt (local_t *self, int fd)
{
    assert (self && fd >= 0);
    int flags = fcntl (fd, F_GETFL);
    if (flags >= 0)
        fcntl (fd, F_SETFL, flags | O_NONBLOCK);
    local_client_t *client = calloc (1, sizeof *client);
    if (!client)
        abort ();
    client->owner = self;
    client->fd = fd;
    client->slot = -1;
    client->next = self->clients;
    self->clients = client;
    self->count++;
}

static void s_accept (local_t *self)
{
    while (self->count < CLIENTS_MAX) {
        int fd = accept4 (self->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            local_adopt (self, fd);
        else if (errno != EINTR && errno != ECONNABORTED) {
            //  without descriptors the listener stays readable: look again later instead of spinning
            if (errno != EAGAIN && errno != EWOULDBLOCK)
                self->accept_again_ms = time_mono_ms () + ACCEPT_PAUSE_MS;
            return;
        }
    }
}

//  What to wait for: a line that already lies in our buffer waits for room to answer.

static short s_events (local_client_t *client)
{
    short events = 0;
    if (!client->busy && !client->closing && !client->eof)
        events |= POLLIN;
    if (s_used (&client->output) > 0 || (!client->busy && s_line (&client->input) >= 0))
        events |= POLLOUT;
    return events;
}

int local_items (local_t *self, struct pollfd *items, int room)
{
    assert (self && (items || room == 0));
    int count = 0;
    for (local_client_t *client = self->clients; client; client = client->next)
        s_flush (client);
    s_reap (self);

    self->listen_slot = -1;
    if (self->listen_fd >= 0 && count < room && self->count < CLIENTS_MAX
        && (self->accept_again_ms == 0 || time_mono_ms () >= self->accept_again_ms)) {
        self->accept_again_ms = 0;
        self->listen_slot = count;
        items [count++] = (struct pollfd){ .fd = self->listen_fd, .events = POLLIN };
    }
    for (local_client_t *client = self->clients; client; client = client->next) {
        client->slot = count < room ? count : -1;
        if (client->slot >= 0)
            items [count++] = (struct pollfd){ .fd = client->fd, .events = s_events (client) };
    }
    return count;
}

void local_process (local_t *self, const struct pollfd *items, int count)
{
    assert (self && (items || count == 0));
    //  clients adopted by a handler are put first in the list and have no slot: they wait for the next round
    for (local_client_t *client = self->clients; client; client = client->next)
        if (client->slot >= 0 && client->slot < count && items [client->slot].revents)
            s_handle (client, items [client->slot].revents);
    if (self->listen_slot >= 0 && self->listen_slot < count && items [self->listen_slot].revents)
        s_accept (self);
    s_reap (self);
    //  an array is good for one round: a second call with it must not find its clients again
    self->listen_slot = -1;
    for (local_client_t *client = self->clients; client; client = client->next)
        client->slot = -1;
}

//  ---- client side

static int s_wait (int fd, short events)
{
    struct pollfd item = { .fd = fd, .events = events };
    while (poll (&item, 1, -1) < 0)
        if (errno != EINTR)
            return -1;
    return 0;
}

int local_put (int fd, json_t *object)
{
    assert (object);
    char *line = json_dumps (object, JSON_COMPACT);
    json_decref (object);
    if (!line)
        return -1;
    size_t size = strlen (line) + 1, done = 0;
    line [size - 1] = '\n';
    while (done < size) {
        ssize_t sent = send (fd, line + done, size - done, MSG_NOSIGNAL);
        if (sent > 0)
            done += (size_t)sent;
        else if (sent < 0 && errno == EINTR)
            continue;
        else if (sent == 0 || (errno != EAGAIN && errno != EWOULDBLOCK) || s_wait (fd, POLLOUT))
            break;
    }
    free (line);
    return done == size ? 0 : -1;
}

//  One block, so that the caller can free () it.
typedef struct {
    size_t start, end, room, scanned;
    char data [];
} reader_t;

static reader_t *s_reader_room (reader_t *reader)
{
    if (reader && reader->start > 0) {
        memmove (reader->data, reader->data + reader->start, reader->end - reader->start);
        reader->end -= reader->start;
        reader->start = 0;
    }
    if (reader && reader->room - reader->end >= READ_CHUNK)
        return reader;
    size_t room = reader ? reader->room * 2 : 2 * READ_CHUNK;
    reader_t *grown = realloc (reader, sizeof *reader + room);
    if (!grown)
        abort ();
    if (!reader)
        *grown = (reader_t){ 0 };
    grown->room = room;
    return grown;
}

//  1 = a line is in *line, 0 = none yet, -1 = over the limit.

static int s_reader_line (reader_t *reader, const char **line, size_t *size)
{
    if (!reader)
        return 0;
    *line = reader->data + reader->start;
    size_t used = reader->end - reader->start;
    const char *end = memchr (*line + reader->scanned, '\n', used - reader->scanned);
    if (!end) {
        reader->scanned = used;
        return used >= LINE_LIMIT ? -1 : 0;
    }
    *size = (size_t)(end - *line);
    reader->start += *size + 1;
    reader->scanned = 0;
    return 1;
}

int local_get (int fd, json_t **out, void **state)
{
    assert (out && state);
    *out = NULL;
    while (true) {
        reader_t *reader = *state;
        const char *line = NULL;
        size_t size = 0;
        int found = s_reader_line (reader, &line, &size);
        if (found == 1)
            *out = s_parse (line, size);
        if (found)
            return found == 1 && *out ? 1 : -1;

        *state = reader = s_reader_room (reader);
        ssize_t got = recv (fd, reader->data + reader->end, reader->room - reader->end, 0);
        if (got > 0)
            reader->end += (size_t)got;
        else if (got == 0 || errno == ECONNRESET)
            return reader->end > reader->start ? -1 : 0;
        else if (errno != EINTR && ((errno != EAGAIN && errno != EWOULDBLOCK) || s_wait (fd, POLLIN)))
            return -1;
    }
}

//  The last object of an answer: its exit code, and the error if it has one.

static int s_ended (const json_t *object, char **error)
{
    const json_t *code = json_object_get (object, "exit");
    const char *words = json_string_value (json_object_get (object, "error"));
    if (error && words) {
        *error = strdup (words);
        if (!*error)
            abort ();
    }
    int value = json_is_integer (code) ? (int)json_integer_value (code) : 1;
    return value >= 0 && value <= 255 ? value : 1;
}

int local_ask (int fd, json_t *request, local_answer_fn *answer, void *context, char **error)
{
    if (error)
        *error = NULL;
    //  a command in the home of another program is told so
    json_object_set_new (request, "program", json_string (program_invocation_short_name));
    //  a daemon that refuses may have closed before it read all of it: its reason is still there to read
    local_put (fd, request);
    void *state = NULL;
    json_t *object = NULL;
    int result = -1;
    while (result < 0) {
        int got = local_get (fd, &object, &state);
        if (got != 1) {
            result = 1;
            if (error)
                *error = strdup (got == 0 ? "the daemon went away before it had answered"
                                          : "the daemon's answer broke off or is not JSON");
        } else if (json_is_true (json_object_get (object, "end")))
            result = s_ended (object, error);
        else if (answer && !answer (context, object))
            result = 0;
        json_decref (object);
        object = NULL;
    }
    free (state);
    return result;
}
