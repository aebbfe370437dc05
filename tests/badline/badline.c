//  badline - bad lines on loopback: what comes in at one port goes to another, late, thin, cut or not at all
//
//    badline [--delay MS] [--reset BYTES] [--stall BYTES]
//
//  Standard input says which: `open PORT TO` a line from 127.0.0.1:PORT to 127.0.0.1:TO, `up PORT`, `down PORT`; a line is down at first,
//  and the end of input is the end. TCP connections and the datagrams of the same port number go over it. Down: connections are reset,
//  new ones are refused, datagrams are lost.
//    --delay   everything arrives so much later
//    --reset   a connection is reset after 1 to BYTES, by chance
//    --stall   a connection that carried BYTES carries nothing more, and stays open

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINES_MAX 512
#define PIPES_MAX 1024
#define PIECES_MAX 4096 //  on their way, of all lines together
#define PIECE 4096
#define ASKERS 4 //  whose datagram's answer may still come, a line

typedef struct {
    int listener, udp;   //  at PORT
    int asking [ASKERS]; //  a socket to TO for each
    struct sockaddr_in askers [ASKERS];
    int next;
    uint16_t port, to;
    bool up;
} line_t;

//  One connection: both of its ends.
typedef struct {
    bool used;
    int line, ends [2], coming [2]; //  coming: pieces on their way to that end
    bool ended [2];                 //  nothing more comes from that end
    uint64_t carried, reset_at;
} pipe_t;

//  What waits for its time: of a connection to one end, or a datagram to `to`.
typedef struct {
    bool used;
    int64_t due_ms;
    uint64_t order;
    int pipe, end; //  pipe -1: a datagram, sent from fd `end`
    struct sockaddr_in to;
    size_t size, sent;
    uint8_t bytes [PIECE];
} piece_t;

static line_t s_lines [LINES_MAX];
static int s_line_count;
static pipe_t s_pipes [PIPES_MAX];
static piece_t *s_pieces;
static uint64_t s_order, s_reset, s_stall;
static int64_t s_delay_ms;

static int64_t s_now (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t s_chance (uint64_t most)
{
    uint64_t value = 0;
    if (getrandom (&value, sizeof value, 0) != sizeof value)
        abort ();
    return 1 + value % most;
}

static struct sockaddr_in s_at (uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons (port) };
    at.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    return at;
}

static int s_socket (int type)
{
    int fd = socket (AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;
    if (fd < 0 || setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes)) {
        perror ("badline: socket");
        exit (1);
    }
    return fd;
}

//  ---- connections

static void s_cut (pipe_t *pipe)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    int index = (int)(pipe - s_pipes);
    if (!pipe->used)
        return;
    for (int end = 0; end < 2; end++) {
        setsockopt (pipe->ends [end], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        close (pipe->ends [end]);
    }
    for (int i = 0; i < PIECES_MAX; i++)
        if (s_pieces [i].used && s_pieces [i].pipe == index)
            s_pieces [i].used = false;
    pipe->used = false;
}

static void s_connect (int line, int fd)
{
    struct sockaddr_in to = s_at (s_lines [line].to);
    int other = s_socket (SOCK_STREAM);
    pipe_t *pipe = s_pipes;
    while (pipe < s_pipes + PIPES_MAX && pipe->used)
        pipe++;
    fcntl (fd, F_SETFL, O_NONBLOCK);
    if (pipe == s_pipes + PIPES_MAX || (connect (other, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS)) {
        close (other);
        close (fd);
        return;
    }
    *pipe = (pipe_t){ .used = true, .line = line, .ends = { fd, other }, .reset_at = s_reset ? s_chance (s_reset) : 0 };
}

static piece_t *s_piece (void)
{
    for (int i = 0; i < PIECES_MAX; i++)
        if (!s_pieces [i].used)
            return &s_pieces [i];
    return NULL;
}

static void s_put (piece_t *piece, int pipe, int end, size_t size)
{
    piece->used = true;
    piece->due_ms = s_now () + s_delay_ms;
    piece->order = s_order++;
    piece->pipe = pipe;
    piece->end = end;
    piece->size = size;
    piece->sent = 0;
}

//  From one end: what came is on its way to the other.
static void s_read (pipe_t *pipe, int end)
{
    piece_t *piece = s_piece ();
    if (!piece)
        return; //  it is read when there is room
    ssize_t size = recv (pipe->ends [end], piece->bytes, PIECE, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size < 0) {
        s_cut (pipe);
        return;
    }
    pipe->carried += (uint64_t)size;
    if (pipe->reset_at && pipe->carried >= pipe->reset_at) {
        s_cut (pipe);
        return;
    }
    if (s_stall && pipe->carried >= s_stall)
        return; //  swallowed
    pipe->ended [end] = size == 0;
    s_put (piece, (int)(pipe - s_pipes), !end, (size_t)size);
    pipe->coming [!end]++;
}

//  ---- datagrams: an answer goes to whose question was sent from the same socket

static void s_ask (line_t *line)
{
    struct sockaddr_in from;
    socklen_t room = sizeof from;
    piece_t *piece = s_piece ();
    ssize_t size = piece ? recvfrom (line->udp, piece->bytes, PIECE, 0, (struct sockaddr *)&from, &room) : -1;
    if (size < 0 || !line->up)
        return;
    int slot = line->next++ % ASKERS;
    line->askers [slot] = from;
    piece->to = s_at (line->to);
    s_put (piece, -1, line->asking [slot], (size_t)size);
}

static void s_answer (line_t *line, int slot)
{
    piece_t *piece = s_piece ();
    ssize_t size = piece ? recv (line->asking [slot], piece->bytes, PIECE, 0) : -1;
    if (size < 0 || !line->up)
        return;
    piece->to = line->askers [slot];
    s_put (piece, -1, line->udp, (size_t)size);
}

//  ---- what is due

//  -1: it waits on. Pieces of one direction keep their order, since all wait equally long.
static int s_send (piece_t *piece)
{
    if (piece->pipe < 0) {
        sendto (piece->end, piece->bytes, piece->size, 0, (struct sockaddr *)&piece->to, sizeof piece->to);
        return 0;
    }
    pipe_t *pipe = &s_pipes [piece->pipe];
    if (piece->size == 0) {
        shutdown (pipe->ends [piece->end], SHUT_WR);
        return 0;
    }
    ssize_t sent = send (pipe->ends [piece->end], piece->bytes + piece->sent, piece->size - piece->sent, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN))
        return -1;
    if (sent < 0) {
        s_cut (pipe);
        return -1;
    }
    piece->sent += (size_t)sent;
    return piece->sent < piece->size ? -1 : 0;
}

static int s_by_order (const void *a, const void *b)
{
    const piece_t *one = *(piece_t *const *)a, *other = *(piece_t *const *)b;
    return one->order < other->order ? -1 : 1;
}

//  Milliseconds to the next one, -1 if there is none.
static int s_deliver (void)
{
    static piece_t *due [PIECES_MAX];
    bool blocked [PIPES_MAX][2] = { { false } };
    int count = 0, next = -1;
    int64_t now = s_now ();
    for (int i = 0; i < PIECES_MAX; i++)
        if (s_pieces [i].used)
            due [count++] = &s_pieces [i];
    qsort (due, (size_t)count, sizeof *due, s_by_order);
    for (int i = 0; i < count; i++) {
        piece_t *piece = due [i];
        int wait = piece->due_ms > now ? (int)(piece->due_ms - now) : 0;
        if (!piece->used) //  its connection was cut a moment ago
            continue;
        bool *stuck = piece->pipe >= 0 ? &blocked [piece->pipe][piece->end] : NULL;
        if (wait == 0 && !(stuck && *stuck) && s_send (piece) == 0) {
            piece->used = false;
            if (piece->pipe >= 0)
                s_pipes [piece->pipe].coming [piece->end]--;
            continue;
        }
        if (stuck)
            *stuck = true;
        wait = wait ? wait : 5;
        next = next < 0 || wait < next ? wait : next;
    }
    for (int i = 0; i < PIPES_MAX; i++)
        if (s_pipes [i].used && s_pipes [i].ended [0] && s_pipes [i].ended [1] && !s_pipes [i].coming [0]
            && !s_pipes [i].coming [1])
            s_cut (&s_pipes [i]);
    return next;
}

//  ---- what we are told

static void s_listen (line_t *line)
{
    struct sockaddr_in at = s_at (line->port);
    line->listener = s_socket (SOCK_STREAM);
    if (bind (line->listener, (struct sockaddr *)&at, sizeof at) || listen (line->listener, 16)) {
        fprintf (stderr, "badline: port %u: %s\n", line->port, strerror (errno));
        exit (1);
    }
}

static void s_open (uint16_t port, uint16_t to)
{
    struct sockaddr_in at = s_at (port);
    line_t *line = &s_lines [s_line_count];
    if (s_line_count == LINES_MAX || !port || !to) {
        fprintf (stderr, "badline: no such line, or more than %d\n", LINES_MAX);
        exit (2);
    }
    *line = (line_t){ .listener = -1, .port = port, .to = to };
    line->udp = s_socket (SOCK_DGRAM);
    for (int i = 0; i < ASKERS; i++)
        line->asking [i] = s_socket (SOCK_DGRAM);
    if (bind (line->udp, (struct sockaddr *)&at, sizeof at)) {
        fprintf (stderr, "badline: port %u: %s\n", port, strerror (errno));
        exit (1);
    }
    s_line_count++;
}

static void s_turn (uint16_t port, bool up)
{
    for (int i = 0; i < s_line_count; i++) {
        line_t *line = &s_lines [i];
        if (line->port != port || line->up == up)
            continue;
        line->up = up;
        if (up) {
            s_listen (line);
            continue;
        }
        close (line->listener);
        line->listener = -1;
        for (int p = 0; p < PIPES_MAX; p++)
            if (s_pipes [p].line == i)
                s_cut (&s_pipes [p]);
    }
}

static void s_told (const char *text)
{
    unsigned port, to;
    if (sscanf (text, "open %u %u", &port, &to) == 2 && port < 65536 && to < 65536)
        s_open ((uint16_t)port, (uint16_t)to);
    else if (sscanf (text, "up %u", &port) == 1)
        s_turn ((uint16_t)port, true);
    else if (sscanf (text, "down %u", &port) == 1)
        s_turn ((uint16_t)port, false);
    else {
        fprintf (stderr, "badline: not `open PORT TO`, `up PORT` or `down PORT`: %s\n", text);
        exit (2);
    }
}

//  False at the end of input.
static bool s_read_told (void)
{
    static char text [4096];
    static size_t used;
    ssize_t size = read (0, text + used, sizeof text - 1 - used);
    if (size <= 0)
        return size < 0 && (errno == EAGAIN || errno == EINTR);
    used += (size_t)size;
    text [used] = 0;
    char *from = text, *end;
    while ((end = strchr (from, '\n'))) {
        *end = 0;
        s_told (from);
        from = end + 1;
    }
    used = (size_t)(text + used - from);
    memmove (text, from, used);
    return used < sizeof text - 1;
}

//  ---- the loop

typedef enum { ON_TOLD, ON_LISTENER, ON_UDP, ON_ASKING, ON_PIPE } on_t;
typedef struct {
    on_t what;
    int index, part;
} who_t;

#define ITEMS_MAX (1 + LINES_MAX * (2 + ASKERS) + 2 * PIPES_MAX)
static struct pollfd s_items [ITEMS_MAX];
static who_t s_who [ITEMS_MAX];

static int s_add (int count, int fd, on_t what, int index, int part)
{
    s_items [count] = (struct pollfd){ .fd = fd, .events = POLLIN };
    s_who [count] = (who_t){ what, index, part };
    return count + 1;
}

static int s_watch (void)
{
    int count = s_add (0, 0, ON_TOLD, 0, 0);
    for (int i = 0; i < s_line_count; i++) {
        if (s_lines [i].up)
            count = s_add (count, s_lines [i].listener, ON_LISTENER, i, 0);
        count = s_add (count, s_lines [i].udp, ON_UDP, i, 0);
        for (int part = 0; part < ASKERS; part++)
            count = s_add (count, s_lines [i].asking [part], ON_ASKING, i, part);
    }
    for (int i = 0; i < PIPES_MAX; i++)
        for (int end = 0; end < 2; end++)
            if (s_pipes [i].used && !s_pipes [i].ended [end])
                count = s_add (count, s_pipes [i].ends [end], ON_PIPE, i, end);
    return count;
}

//  False at the end of input.
static bool s_act (const who_t *who)
{
    int fd;
    switch (who->what) {
    case ON_TOLD:
        return s_read_told ();
    case ON_LISTENER:
        while (s_lines [who->index].up && (fd = accept (s_lines [who->index].listener, NULL, NULL)) >= 0)
            s_connect (who->index, fd);
        break;
    case ON_UDP:
        s_ask (&s_lines [who->index]);
        break;
    case ON_ASKING:
        s_answer (&s_lines [who->index], who->part);
        break;
    case ON_PIPE:
        if (s_pipes [who->index].used)
            s_read (&s_pipes [who->index], who->part);
        break;
    }
    return true;
}

int main (int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        long long value = strtoll (argv [i + 1], NULL, 10);
        if (!strcmp (argv [i], "--delay"))
            s_delay_ms = value;
        else if (!strcmp (argv [i], "--reset"))
            s_reset = (uint64_t)value;
        else if (!strcmp (argv [i], "--stall"))
            s_stall = (uint64_t)value;
    }
    struct rlimit files;
    if (getrlimit (RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit (RLIMIT_NOFILE, &files);
    }
    s_pieces = calloc (PIECES_MAX, sizeof *s_pieces);
    if (!s_pieces)
        return 1;
    for (;;) {
        int wait = s_deliver (), count = s_watch ();
        if (poll (s_items, (nfds_t)count, wait) < 0 && errno != EINTR)
            return 1;
        for (int i = count; i-- > 0;) //  what we are told comes last: it may close what was ready
            if (s_items [i].revents && !s_act (&s_who [i]))
                return 0;
    }
}
