//  load - fifty nodes in one process, against a real broker with real desks
//
//    load join DIR < invitations          enrols DIR/1, DIR/2 ... with one invitation a line
//    load send DIR NODES TIPS RATE [BOX]  sends TIPS tips in all; RATE a second, 0 = as fast as credit and window allow;
//                                         BOX = S,W,N,E where they happen. Ends when every tip is receipted and delivered.
//
//  Each node has its own credential, keys, CURVE connection and session; what is left out is the node's own disk, so that one
//  process can load a broker. Tips are sealed before the clock starts. Figures go to stdout as bench.h says.

#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zmq.h>

#include "device.h"
#include "frame.h"
#include "intervals.h"
#include "timefmt.h"

#define NODES_MAX 1000
#define WINDOW 512               //  tips of one node without a receipt: the node program's own limit
#define EPOCH 1                  //  the same in every run: the broker tells which counter comes next
#define SILENCE_NS 60000000000ll //  no news for so long is a failure
#define TEXT_SIZE 220

typedef struct {
    device_t *device;
    void *socket;
    bool attached;
    bool ready; //  its socket may have something
    uint64_t session, nonce, seq;
    uint64_t credit; //  bulk envelopes the front takes of this session
    uint64_t first;  //  counter of the first tip of this run
    uint32_t count, sent, receipted, delivered;
    uint8_t *sealed; //  count envelopes of `size` bytes
    size_t size;
    int64_t *sent_ns, *receipt_ns, *delivered_ns; //  by tip; 0 = not yet
} node_t;

typedef struct {
    void *zmq;
    int epoll_fd, timer_fd;
    node_t nodes [NODES_MAX];
    int node_count;
    uint32_t tips, rate, sent, receipted, delivered, refused;
    double south, west, north, east;
    int64_t start_ns, news_ns, receipted_ns, delivered_ns;
    arena_t *arena;
    uint64_t random;
} load_t;

//  ---- joining

static int s_join (const char *folder)
{
    char line [INVITATION_MAX + 2], home [256];
    for (int number = 1; fgets (line, sizeof line, stdin); number++) {
        char *error = NULL;
        snprintf (home, sizeof home, "%s/%d", folder, number);
        if (device_join (home, line, 1u << PATROL__ROLE__NODE, 20000, &error)) {
            fprintf (stderr, "load: %s could not join: %s\n", home, error ? error : "");
            free (error);
            return 1;
        }
    }
    return 0;
}

//  ---- a node's connection

static void s_option (void *socket, int option, const void *value, size_t size)
{
    BENCH_CHECK (zmq_setsockopt (socket, option, value, size) == 0);
}

static void s_connect (load_t *self, node_t *node)
{
    int zero = 0, room = 10000, fd;
    int64_t most = FRAME_MAXMSGSIZE;
    size_t size = sizeof fd;
    const box_keys_t *keys = device_link_keys (node->device);
    node->socket = zmq_socket (self->zmq, ZMQ_DEALER);
    BENCH_CHECK (node->socket);
    s_option (node->socket, ZMQ_CURVE_SERVERKEY, device_server_key (node->device), KEY_SIZE);
    s_option (node->socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, KEY_SIZE);
    s_option (node->socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, KEY_SIZE);
    s_option (node->socket, ZMQ_LINGER, &zero, sizeof zero);
    s_option (node->socket, ZMQ_SNDHWM, &room, sizeof room);
    s_option (node->socket, ZMQ_RCVHWM, &room, sizeof room);
    s_option (node->socket, ZMQ_MAXMSGSIZE, &most, sizeof most);
    BENCH_CHECK (zmq_connect (node->socket, device_endpoint (node->device)) == 0);
    BENCH_CHECK (zmq_getsockopt (node->socket, ZMQ_FD, &fd, &size) == 0);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = node };
    BENCH_CHECK (epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void s_send (node_t *node, const uint8_t *frame, size_t size)
{
    //  the queue holds more than the window, so it is never full
    BENCH_CHECK (zmq_send (node->socket, frame, size, ZMQ_DONTWAIT) == (int)size);
    node->ready = true; //  sending may have taken the descriptor's signal that something came
}

static void s_hello (node_t *node)
{
    uint8_t frame [64];
    Patrol__Hello hello = PATROL__HELLO__INIT;
    hello.version = FRAME_VERSION;
    hello.agent = (ProtobufCBinaryData){ 4, (uint8_t *)"load" };
    frame_begin (frame, FRAME_HELLO, LANE_URGENT);
    s_send (node, frame, FRAME_HEADER + patrol__hello__pack (&hello, frame + FRAME_HEADER));
}

static void s_attach (node_t *node)
{
    uint8_t frame [512];
    Patrol__Up up = PATROL__UP__INIT;
    Patrol__Attach attach = PATROL__ATTACH__INIT;
    Patrol__OriginAsk origin = PATROL__ORIGIN_ASK__INIT, *origins [] = { &origin };
    randombytes_buf (&node->nonce, sizeof node->nonce);
    origin.epoch = EPOCH;
    origin.next = 1;
    attach.nonce = node->nonce;
    attach.now_ms = time_now_ms ();
    attach.n_origins = 1;
    attach.origins = origins;
    up.seq = ++node->seq;
    up.body_case = PATROL__UP__BODY_ATTACH;
    up.attach = &attach;
    frame_begin (frame, FRAME_SESSION, LANE_URGENT);
    size_t size
        = box_seal (frame + FRAME_HEADER, sizeof frame - FRAME_HEADER, device_shared (node->device), DOMAIN_UP, &up.base);
    BENCH_CHECK (size);
    s_send (node, frame, FRAME_HEADER + size);
}

//  ---- what the broker says

static void s_on_attached (node_t *node, uint64_t session, const Patrol__Attached *attached)
{
    if (attached->nonce != node->nonce) {
        return;
    }
    BENCH_CHECK (!node->attached || node->count == 0); //  a broker that restarts under load is another test
    node->session = session;
    node->attached = true;
    node->first = attached->n_origins ? attached->origins [0]->highest + 1 : 1;
}

//  Index of a counter of this run, -1 if it is none that is still open.
static int64_t s_index (const node_t *node, uint64_t epoch, uint64_t counter)
{
    return epoch == EPOCH && counter >= node->first && counter - node->first < node->sent ? (int64_t)(counter - node->first)
                                                                                          : -1;
}

static void s_on_receipts (load_t *self, node_t *node, const Patrol__Receipts *receipts, int64_t now_ns)
{
    for (size_t each = 0; each < receipts->n_taken; each++) {
        const Patrol__Taken *taken = receipts->taken [each];
        int64_t index = s_index (node, taken->epoch, taken->counter);
        if (index < 0 || node->receipt_ns [index]) {
            continue;
        }
        node->receipt_ns [index] = now_ns;
        node->receipted++;
        self->receipted++;
        self->refused += taken->code != PATROL__CODE__OK;
    }
    self->receipted_ns = self->news_ns = now_ns;
}

static void s_on_delivered (load_t *self, node_t *node, const Patrol__Delivered *delivered, int64_t now_ns)
{
    intervals_t set = { 0 };
    if (node->count == 0 || intervals_unpack (&set, delivered->counters.data, delivered->counters.len, 4096)) {
        return;
    }
    for (uint32_t range = 0; range < set.count; range++) {
        //  sets grow: what was delivered before this run, or was seen already, is passed over
        uint64_t counter = set.items [range].first < node->first ? node->first : set.items [range].first;
        for (; counter <= set.items [range].last; counter++) {
            int64_t index = s_index (node, delivered->epoch, counter);
            if (index < 0) {
                break;
            }
            if (!node->delivered_ns [index]) {
                node->delivered_ns [index] = now_ns;
                node->delivered++;
                self->delivered++;
            }
        }
    }
    intervals_clear (&set);
    self->delivered_ns = self->news_ns = now_ns;
}

static void s_on_session (load_t *self, node_t *node, const uint8_t *body, size_t size, int64_t now_ns)
{
    uint8_t plain [FRAME_MAX];
    size_t message_size;
    const uint8_t *message = box_open (plain, &message_size, device_shared (node->device), DOMAIN_DOWN, body, size);
    BENCH_CHECK (message);
    Patrol__Down *down = patrol__down__unpack (arena_allocator (self->arena), message_size, message);
    BENCH_CHECK (down);
    if (down->body_case == PATROL__DOWN__BODY_ATTACHED) {
        s_on_attached (node, down->session, down->attached);
    } else if (down->body_case == PATROL__DOWN__BODY_RECEIPTS) {
        s_on_receipts (self, node, down->receipts, now_ns);
    } else if (down->body_case == PATROL__DOWN__BODY_DELIVERED) {
        s_on_delivered (self, node, down->delivered, now_ns);
    } else if (down->body_case == PATROL__DOWN__BODY_REFUSAL) {
        fprintf (stderr, "load: refused, code %u: %.*s\n", down->refusal->code, (int)down->refusal->detail.len,
            (const char *)down->refusal->detail.data);
        self->refused++;
    }
}

static void s_on_frame (load_t *self, node_t *node, const uint8_t *frame, size_t size, int64_t now_ns)
{
    frame_type_t type;
    lane_t lane;
    arena_reset (self->arena);
    BENCH_CHECK (frame_parse (&type, &lane, frame, size) == 0);
    const uint8_t *body = frame + FRAME_HEADER;
    size -= FRAME_HEADER;
    if (type == FRAME_SESSION) {
        s_on_session (self, node, body, size, now_ns);
    } else if (type == FRAME_CREDIT) {
        Patrol__Credit *credit = patrol__credit__unpack (arena_allocator (self->arena), size, body);
        BENCH_CHECK (credit);
        node->credit = credit->submit_up_to > node->credit ? credit->submit_up_to : node->credit;
    } else if (type == FRAME_WELCOME) {
        Patrol__Welcome *welcome = patrol__welcome__unpack (arena_allocator (self->arena), size, body);
        BENCH_CHECK (welcome);
        node->credit = welcome->submit_up_to > node->credit ? welcome->submit_up_to : node->credit;
        if (welcome->core_up) {
            s_attach (node);
        }
    } else if (type == FRAME_NOTICE) {
        Patrol__Notice *notice = patrol__notice__unpack (arena_allocator (self->arena), size, body);
        BENCH_CHECK (notice);
        fprintf (stderr, "load: notice, code %u: %.*s\n", notice->code, (int)notice->detail.len,
            (const char *)notice->detail.data);
        self->refused++;
    }
}

static bool s_receive (load_t *self)
{
    static uint8_t frame [FRAME_MAX + 64];
    bool any = false;
    for (int index = 0; index < self->node_count; index++) {
        node_t *node = &self->nodes [index];
        int size;
        if (!node->ready) {
            continue;
        }
        node->ready = false;
        while ((size = zmq_recv (node->socket, frame, sizeof frame, ZMQ_DONTWAIT)) >= 0) {
            s_on_frame (self, node, frame, (size_t)size, bench_now_ns ());
            any = true;
        }
    }
    return any;
}

//  Sleeps until a socket has something, or the timer (when a rate is set) goes off.
static void s_wait (load_t *self)
{
    struct epoll_event events [64];
    uint64_t ticks;
    int count = epoll_wait (self->epoll_fd, events, 64, 100);
    for (int index = 0; index < count; index++) {
        if (events [index].data.ptr) {
            ((node_t *)events [index].data.ptr)->ready = true;
        }
    }
    if (read (self->timer_fd, &ticks, sizeof ticks) < 0) {
        BENCH_CHECK (errno == EAGAIN);
    }
    if (bench_now_ns () - self->news_ns > SILENCE_NS) {
        fprintf (stderr, "load: no news for a minute; %" PRIu32 " sent, %" PRIu32 " receipted, %" PRIu32 " delivered\n",
            self->sent, self->receipted, self->delivered);
        exit (1);
    }
}

//  ---- tips

static void s_seal_one (load_t *self, node_t *node, uint32_t index)
{
    static const char words []
        = "Gas smell behind the market hall, third door from the bridge; two stalls are still open and people go on "
          "cooking there. The owner says somebody came yesterday. I stay at the corner until you are here, white cap, red "
          "armband. ";
    char body [TEXT_SIZE];
    Patrol__Inner inner = PATROL__INNER__INIT;
    Patrol__Tip tip = PATROL__TIP__INIT;
    uint8_t *envelope = NULL;
    char number [24];
    int digits = snprintf (number, sizeof number, "%" PRIu64, node->first + index);
    BENCH_CHECK (sizeof words > TEXT_SIZE);
    memcpy (body, words, TEXT_SIZE);
    memcpy (body, number, (size_t)digits);
    //  Kinds in turn, of one class: sixty thousand brawls in a second would be merged, not counted.
    static const char *const kinds [] = { "crime", "order", "hazard", "fire", "traffic", "dispute", "missing", "medical", "fraud" };
    const char *kind = kinds [(node->first + index) % (sizeof kinds / sizeof kinds [0])];
    tip.kind = (ProtobufCBinaryData){ strlen (kind), (uint8_t *)(uintptr_t)kind };
    tip.severity = 1;
    tip.cls = CLASS_NORMAL;
    tip.text = (ProtobufCBinaryData){ TEXT_SIZE, (uint8_t *)body };
    tip.has_position = true;
    tip.lat_e7
        = (int32_t)((self->south
                        + (self->north - self->south) * (double)(bench_random (&self->random) >> 11) / 9007199254740992.0)
            * 1e7);
    tip.lon_e7
        = (int32_t)((self->west
                        + (self->east - self->west) * (double)(bench_random (&self->random) >> 11) / 9007199254740992.0)
            * 1e7);
    tip.accuracy_m = 12;
    inner.epoch = EPOCH;
    inner.counter = node->first + index;
    inner.written_ms = time_now_ms ();
    inner.uptime_ms = time_uptime_ms ();
    tip.seen_ms = inner.written_ms - 30000;
    inner.body_case = PATROL__INNER__BODY_TIP;
    inner.tip = &tip;
    const envelope_seal_t *seal = device_seal (node->device);
    inner.tag = envelope_tag (seal->shared, inner.epoch, inner.counter, &tip.base);
    node->size = envelope_seal (&envelope, seal, CLASS_NORMAL, 24, inner.written_ms, &inner);
    BENCH_CHECK (node->size == ENVELOPE_MIN); //  all of one size: the smallest bucket
    memcpy (node->sealed + (size_t)index * ENVELOPE_MIN, envelope, ENVELOPE_MIN);
    free (envelope);
}

static void s_seal (load_t *self, node_t *node, uint32_t count)
{
    node->count = count;
    node->sealed = malloc ((size_t)count * ENVELOPE_MIN + 1);
    node->sent_ns = calloc (count + 1, sizeof *node->sent_ns);
    node->receipt_ns = calloc (count + 1, sizeof *node->receipt_ns);
    node->delivered_ns = calloc (count + 1, sizeof *node->delivered_ns);
    BENCH_CHECK (node->sealed && node->sent_ns && node->receipt_ns && node->delivered_ns);
    for (uint32_t index = 0; index < count; index++) {
        s_seal_one (self, node, index);
    }
}

//  When tip `number` of all is to go; at full speed now.
static int64_t s_due_ns (const load_t *self, uint32_t number, int64_t now_ns)
{
    return self->rate ? self->start_ns + (int64_t)((double)number * 1e9 / self->rate) : now_ns;
}

//  Puts what may go into frames, as the node program does: full ones first, the rest at once.
static bool s_submit (load_t *self, int which, int64_t now_ns)
{
    static uint8_t frame [FRAME_MAX];
    node_t *node = &self->nodes [which];
    size_t used = 0;
    uint32_t before = node->sent;
    while (node->sent < node->count && node->sent < node->credit && node->sent - node->receipted < WINDOW) {
        int64_t due_ns = s_due_ns (self, node->sent * (uint32_t)self->node_count + (uint32_t)which, now_ns);
        if (due_ns > now_ns) {
            break;
        }
        const uint8_t *envelope = node->sealed + (size_t)node->sent * ENVELOPE_MIN;
        if (used == 0) {
            frame_begin (frame, FRAME_SUBMIT, LANE_BULK);
            used = FRAME_HEADER;
        }
        if (!frame_add_envelope (frame, &used, envelope, node->size)) {
            s_send (node, frame, used);
            used = 0;
            continue;
        }
        node->sent_ns [node->sent++] = due_ns;
        self->sent++;
    }
    if (used) {
        s_send (node, frame, used);
    }
    return node->sent != before;
}

//  ---- the run

static void s_open (load_t *self, const char *folder)
{
    char home [256];
    self->zmq = zmq_ctx_new ();
    self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
    self->timer_fd = timerfd_create (CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    self->arena = arena_new (256 * 1024);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
    BENCH_CHECK (epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, self->timer_fd, &event) == 0);
    for (int index = 0; index < self->node_count; index++) {
        snprintf (home, sizeof home, "%s/%d", folder, index + 1);
        self->nodes [index].device = device_open (home);
        BENCH_CHECK (self->nodes [index].device);
        s_connect (self, &self->nodes [index]);
        s_hello (&self->nodes [index]);
    }
}

static void s_attach_all (load_t *self)
{
    int attached = 0;
    self->news_ns = bench_now_ns ();
    while (attached < self->node_count) {
        if (!s_receive (self)) {
            s_wait (self);
        }
        attached = 0;
        for (int index = 0; index < self->node_count; index++) {
            attached += self->nodes [index].attached;
        }
    }
}

static void s_run (load_t *self)
{
    if (self->rate) {
        //  wakes twice as often as a tip is due
        long every = 500000000L / (long)self->rate;
        struct itimerspec timer = { { 0, every }, { 0, every } };
        BENCH_CHECK (timerfd_settime (self->timer_fd, 0, &timer, NULL) == 0);
    }
    self->start_ns = self->news_ns = bench_now_ns ();
    while (self->receipted < self->tips || (self->delivered < self->tips && !self->refused)) {
        bool any = false;
        int64_t now_ns = bench_now_ns ();
        for (int index = 0; index < self->node_count; index++) {
            any |= s_submit (self, index, now_ns);
        }
        any |= s_receive (self);
        if (!any) {
            s_wait (self);
        }
    }
}

static void s_latencies (load_t *self)
{
    int64_t *receipts = malloc (sizeof *receipts * (self->tips + 1)),
            *deliveries = malloc (sizeof *deliveries * (self->tips + 1));
    size_t count = 0;
    BENCH_CHECK (receipts && deliveries);
    for (int index = 0; index < self->node_count; index++) {
        const node_t *node = &self->nodes [index];
        for (uint32_t tip = 0; tip < node->count; tip++, count++) {
            receipts [count] = node->receipt_ns [tip] - node->sent_ns [tip];
            deliveries [count] = node->delivered_ns [tip] - node->sent_ns [tip];
        }
    }
    bench_latency ("receipt", receipts, count);
    bench_latency ("delivery", deliveries, count);
    free (receipts);
    free (deliveries);
}

static void s_report (load_t *self, double cpu)
{
    bench_figure ("tips", self->tips, "");
    bench_figure ("refused", self->refused, "");
    bench_figure ("receipted", (double)self->tips / ((double)(self->receipted_ns - self->start_ns) / 1e9), "/s");
    bench_figure ("end to end", (double)self->tips / ((double)(self->delivered_ns - self->start_ns) / 1e9), "/s");
    bench_figure ("load cpu", cpu * 1e6 / self->tips, "us/tip");
    if (self->rate) {
        s_latencies (self);
    }
}

static void s_close (load_t *self)
{
    for (int index = 0; index < self->node_count; index++) {
        node_t *node = &self->nodes [index];
        zmq_close (node->socket);
        device_destroy (&node->device);
        free (node->sealed);
        free (node->sent_ns);
        free (node->receipt_ns);
        free (node->delivered_ns);
    }
    zmq_ctx_term (self->zmq);
    arena_destroy (&self->arena);
    close (self->epoll_fd);
    close (self->timer_fd);
}

static int s_send_tips (int argc, char **argv)
{
    static load_t self = { .south = 30.001, .west = 105.001, .north = 35.999, .east = 110.999, .random = 5 };
    self.node_count = atoi (argv [3]);
    self.tips = (uint32_t)atoi (argv [4]);
    self.rate = (uint32_t)atoi (argv [5]);
    BENCH_CHECK (self.node_count >= 1 && self.node_count <= NODES_MAX && self.tips >= 1);
    BENCH_CHECK (argc < 7 || sscanf (argv [6], "%lf,%lf,%lf,%lf", &self.south, &self.west, &self.north, &self.east) == 4);
    uint32_t each = self.tips / (uint32_t)self.node_count;
    self.tips = each * (uint32_t)self.node_count;
    s_open (&self, argv [2]);
    s_attach_all (&self);
    for (int index = 0; index < self.node_count; index++) {
        s_seal (&self, &self.nodes [index], each);
    }
    double cpu = bench_cpu_seconds ();
    s_run (&self);
    s_report (&self, bench_cpu_seconds () - cpu);
    int rc = self.refused ? 1 : 0;
    s_close (&self);
    return rc;
}

int main (int argc, char **argv)
{
    BENCH_CHECK (identity_init () == 0);
    if (argc == 3 && !strcmp (argv [1], "join")) {
        return s_join (argv [2]);
    }
    if (argc >= 6 && !strcmp (argv [1], "send")) {
        return s_send_tips (argc, argv);
    }
    fprintf (stderr, "usage: load join DIR < invitations | load send DIR NODES TIPS RATE [S,W,N,E]\n");
    return 2;
}
