//  session - the device's end of the protocol on top of link
//
//  States: DOWN -> (link up: Hello) GREETING -> (Welcome, core up: Attach) ATTACHING -> (Attached) ATTACHED.
//  Each Welcome with core_up begins a new attach, each without it goes to HOLDING. PROTOCOL.md section 4.

#include "session.h"
#include "meshword.h"
#include "timefmt.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ANSWER_MS = 5000, //  for Welcome and Attached; doubles to the second number
    ANSWER_MAX_MS = 60000,
    FLUSH_AGAIN_MS = 50, //  a full queue is tried again after this
    COMPLAIN_EVERY_MS = 10000,
    ORIGINS_MAX = 4,
    STATION_MAX = 32,
    ITEMS_MAX = 500,
    //  a frame of many small items unpacks to about 28 times its size at worst; ours are about 400 bytes an item
    ARENA_SIZE = 256 * 1024
};

typedef enum { STATE_DOWN, STATE_GREETING, STATE_HOLDING, STATE_ATTACHING, STATE_ATTACHED } state_t;

typedef struct {
    uint8_t bytes [FRAME_MAX];
    size_t used; //  0 = empty, else the header and at least one envelope
    uint32_t envelopes;
} submit_t;

struct session_t {
    const device_t *device; //  borrowed
    session_handler_t handler;
    void *context;
    link_t *link;
    arena_t *arena; //  of the message at hand
    state_t state;

    bool hello_due, attach_due; //  to be sent as soon as the queue takes them
    int64_t answer_at_ms;       //  when the awaited answer is late, 0 = nothing awaited
    int64_t answer_wait_ms;     //  how long the next one is awaited
    uint64_t nonce;             //  of the last Attach
    int64_t attach_sent_ms;     //  wall clock
    uint64_t session;           //  as given in Attached
    uint64_t seq;               //  of the last Up; grows over the whole connection

    uint64_t submit_up_to; //  absolute credit of this connection
    uint64_t submitted;    //  bulk envelopes of this connection, those in the open frame included
    submit_t submit [LANE_COUNT];

    uint64_t incarnation;
    int64_t offset_ms;
    uint8_t out [FRAME_MAX];   //  the frame being sent
    uint8_t plain [FRAME_MAX]; //  the box just opened
    int64_t complained_ms;
    uint64_t ignored;
    char reason [300];
};

//  ---- small things

static void s_complain (session_t *self, int64_t now_ms, const char *what)
{
    self->ignored++;
    if (self->complained_ms && now_ms - self->complained_ms < COMPLAIN_EVERY_MS) {
        return;
    }
    self->complained_ms = now_ms ? now_ms : 1;
    fprintf (stderr, "session: ignored a message of the broker: %s (%" PRIu64 " so far)\n", what, self->ignored);
}

static void s_reason (session_t *self, const char *reason)
{
    snprintf (self->reason, sizeof self->reason, "%s", reason);
}

//  Takes back what was put into frames and not sent: the owner offers it again.
static void s_drop_submits (session_t *self)
{
    self->submitted -= self->submit [LANE_BULK].envelopes;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        self->submit [lane].used = 0;
        self->submit [lane].envelopes = 0;
    }
}

static void s_await (session_t *self, int64_t now_ms)
{
    self->answer_at_ms = now_ms + self->answer_wait_ms;
    self->answer_wait_ms = self->answer_wait_ms * 2 < ANSWER_MAX_MS ? self->answer_wait_ms * 2 : ANSWER_MAX_MS;
}

//  Leaves whatever was reached for an earlier state; the owner hears of the loss of an attached session only.
static void s_fall (session_t *self, state_t state, const char *reason)
{
    bool lost = self->state == STATE_ATTACHED;
    self->state = state;
    self->attach_due = false;
    self->answer_at_ms = 0;
    self->answer_wait_ms = ANSWER_MS;
    s_drop_submits (self);
    s_reason (self, reason);
    if (lost && self->handler.down) {
        self->handler.down (self->context, self->reason);
    }
}

//  ---- sending

//  Packs a clear message behind a frame header.
static int s_send_clear (session_t *self, frame_type_t type, const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size (message);
    assert (size <= FRAME_MAX - FRAME_HEADER);
    frame_begin (self->out, type, LANE_URGENT);
    protobuf_c_message_pack (message, self->out + FRAME_HEADER);
    return link_send (self->link, self->out, FRAME_HEADER + size);
}

static int s_send_up (session_t *self, Patrol__Up *up)
{
    up->seq = self->seq + 1;
    frame_begin (self->out, FRAME_SESSION, LANE_URGENT);
    size_t size
        = box_seal (self->out + FRAME_HEADER, FRAME_MAX - FRAME_HEADER, device_shared (self->device), DOMAIN_UP, &up->base);
    if (size == 0 || link_send (self->link, self->out, FRAME_HEADER + size)) {
        return -1;
    }
    self->seq++;
    return 0;
}

static void s_send_hello (session_t *self, int64_t now_ms)
{
    Patrol__Hello hello = PATROL__HELLO__INIT;
    hello.version = FRAME_VERSION;
    char agent [65];
    int length = snprintf (agent, sizeof agent, "%.40s %s", program_invocation_short_name, PATROL_VERSION);
    hello.agent.data = (uint8_t *)agent;
    hello.agent.len = (size_t)length < sizeof agent ? (size_t)length : sizeof agent - 1;
    if (s_send_clear (self, FRAME_HELLO, &hello.base) == 0) {
        self->hello_due = false;
        s_await (self, now_ms);
    }
}

static void s_send_attach (session_t *self, int64_t now_ms)
{
    arena_reset (self->arena);
    Patrol__Attach attach = PATROL__ATTACH__INIT;
    if (self->handler.attach) {
        self->handler.attach (self->context, &attach, self->arena);
    }
    assert (attach.n_origins <= ORIGINS_MAX);
    //  A new nonce each time: only the answer to the newest Attach is a live session.
    randombytes_buf (&self->nonce, sizeof self->nonce);
    attach.nonce = self->nonce;
    attach.now_ms = time_now_ms ();
    Patrol__Up up = PATROL__UP__INIT;
    up.body_case = PATROL__UP__BODY_ATTACH;
    up.attach = &attach;
    if (s_send_up (self, &up) == 0) {
        self->attach_due = false;
        self->attach_sent_ms = attach.now_ms;
        s_await (self, now_ms);
    }
}

//  ---- what the front says in clear

static void s_take_credit (session_t *self, uint64_t submit_up_to)
{
    //  absolute: an older, smaller number that arrives late takes nothing away
    if (submit_up_to > self->submit_up_to) {
        self->submit_up_to = submit_up_to;
    }
}

static const char *s_on_welcome (session_t *self, const uint8_t *body, size_t size)
{
    Patrol__Welcome *welcome = patrol__welcome__unpack (arena_allocator (self->arena), size, body);
    if (!welcome || arena_has_unknown (&welcome->base)) {
        return "Welcome does not parse";
    }
    if (welcome->version != FRAME_VERSION) {
        s_fall (self, STATE_HOLDING, "the broker speaks another version of the protocol");
        return "Welcome has another version";
    }
    s_take_credit (self, welcome->submit_up_to);
    if (!welcome->core_up) {
        s_fall (self, STATE_HOLDING, "the broker is reached, but its core is not running at the moment");
        return NULL;
    }
    //  "each WELCOME with core_up true SHALL be followed by a new attach: the core forgot the session"
    s_fall (self, STATE_ATTACHING, "attaching to the broker");
    self->attach_due = true;
    return NULL;
}

static const char *s_on_credit (session_t *self, const uint8_t *body, size_t size)
{
    Patrol__Credit *credit = patrol__credit__unpack (arena_allocator (self->arena), size, body);
    if (!credit || arena_has_unknown (&credit->base)) {
        return "Credit does not parse";
    }
    s_take_credit (self, credit->submit_up_to);
    return NULL;
}

static const char *s_on_notice (session_t *self, const uint8_t *body, size_t size)
{
    Patrol__Notice *notice = patrol__notice__unpack (arena_allocator (self->arena), size, body);
    if (!notice || arena_has_unknown (&notice->base) || notice->detail.len > 200) {
        return "Notice does not parse";
    }
    if (self->handler.notice) {
        self->handler.notice (self->context, notice);
    }
    return NULL;
}

//  ---- what the core says in its boxes

static const char *s_on_attached (session_t *self, uint64_t session, const Patrol__Attached *attached)
{
    if (self->state != STATE_ATTACHING || self->attach_due || attached->nonce != self->nonce) {
        return "Attached does not answer our last Attach";
    }
    if (session == 0 || attached->incarnation == 0 || attached->n_origins > ORIGINS_MAX) {
        return "Attached without session or incarnation, or with too many origins";
    }
    self->state = STATE_ATTACHED;
    self->answer_at_ms = 0;
    self->answer_wait_ms = ANSWER_MS;
    self->session = session;
    self->incarnation = attached->incarnation;
    //  the broker looked at its clock somewhere between our two looks at ours
    int64_t sent = self->attach_sent_ms, came = time_now_ms ();
    self->offset_ms = sent + (came - sent) / 2 - attached->now_ms;
    self->reason [0] = 0;
    if (self->handler.attached) {
        self->handler.attached (self->context, attached);
    }
    return NULL;
}

//  A refusal may come to a session that the core has forgotten (then it has no number) or instead of Attached.
static const char *s_on_refusal (session_t *self, uint64_t session, const Patrol__Refusal *refusal)
{
    if (session != 0 && (self->state != STATE_ATTACHED || session != self->session)) {
        return "Refusal for another session";
    }
    if (refusal->detail.len > 400) {
        return "Refusal with a detail above 400 bytes";
    }
    if (self->state == STATE_ATTACHING) {
        snprintf (self->reason, sizeof self->reason, "the broker refuses the session (code %u): %.*s", refusal->code,
            (int)refusal->detail.len, refusal->detail.data ? (const char *)refusal->detail.data : "");
    }
    if (self->handler.refusal) {
        self->handler.refusal (self->context, refusal);
    }
    if (self->state == STATE_ATTACHED && session == 0 && refusal->code == PATROL__CODE__REPLAYED) {
        s_fall (self, STATE_ATTACHING, "the broker's core has forgotten the session");
        self->attach_due = true;
    }
    return NULL;
}

static const char *s_on_receipts (session_t *self, const Patrol__Receipts *receipts)
{
    for (size_t index = 0; index < receipts->n_taken; index++) {
        const Patrol__Taken *taken = receipts->taken [index];
        if (taken->counter == 0 || taken->station.len > STATION_MAX) {
            return "Receipts with a counter or station out of range";
        }
    }
    if (receipts->incarnation != self->incarnation) {
        return "Receipts of another incarnation";
    }
    if (self->handler.receipts) {
        self->handler.receipts (self->context, receipts);
    }
    return NULL;
}

static const char *s_on_feed (session_t *self, const Patrol__Feed *feed)
{
    for (size_t index = 0; index < feed->n_items; index++) {
        uint64_t before = index ? feed->items [index - 1]->n : 0;
        if (feed->items [index]->n <= before) {
            return "Feed whose items do not grow";
        }
    }
    if (feed->incarnation != self->incarnation) {
        return "Feed of another incarnation";
    }
    if (self->handler.feed) {
        self->handler.feed (self->context, feed);
    }
    return NULL;
}

static const char *s_on_answer (session_t *self, const Patrol__Answer *answer)
{
    if (answer->n_items > ITEMS_MAX) {
        return "Answer with more items than a page holds";
    }
    if (self->handler.answer) {
        self->handler.answer (self->context, answer);
    }
    return NULL;
}

static const char *s_on_down (session_t *self, const Patrol__Down *down)
{
    if (down->body_case == PATROL__DOWN__BODY_ATTACHED) {
        return s_on_attached (self, down->session, down->attached);
    }
    if (down->body_case == PATROL__DOWN__BODY_REFUSAL) {
        return s_on_refusal (self, down->session, down->refusal);
    }
    if (self->state != STATE_ATTACHED || down->session != self->session) {
        return "a message of another session";
    }
    switch (down->body_case) {
    case PATROL__DOWN__BODY_RECEIPTS:
        return s_on_receipts (self, down->receipts);
    case PATROL__DOWN__BODY_DELIVERED:
        if (self->handler.delivered) {
            self->handler.delivered (self->context, down->delivered);
        }
        return NULL;
    case PATROL__DOWN__BODY_FEED:
        return s_on_feed (self, down->feed);
    case PATROL__DOWN__BODY_ANSWER:
        return s_on_answer (self, down->answer);
    case PATROL__DOWN__BODY_MESH:
        if (self->handler.mesh) {
            self->handler.mesh (self->context, down->mesh);
        }
        return NULL;
    case PATROL__DOWN__BODY_ATTACHED:
    case PATROL__DOWN__BODY_REFUSAL:
    case PATROL__DOWN__BODY__NOT_SET:
    case _PATROL__DOWN__BODY__CASE_IS_INT_SIZE:
        break;
    }
    return "a session message without a body";
}

static const char *s_on_session (session_t *self, const uint8_t *body, size_t size)
{
    size_t message_size = 0;
    const uint8_t *message = box_open (self->plain, &message_size, device_shared (self->device), DOMAIN_DOWN, body, size);
    if (!message) {
        return "a box that does not open";
    }
    Patrol__Down *down = patrol__down__unpack (arena_allocator (self->arena), message_size, message);
    if (!down || arena_has_unknown (&down->base)) {
        return "a session message that does not parse";
    }
    return s_on_down (self, down);
}

//  Returns what was wrong, or NULL.
static const char *s_on_frame (session_t *self, const uint8_t *frame, size_t size)
{
    frame_type_t type;
    lane_t lane;
    if (frame_parse (&type, &lane, frame, size)) {
        return "a frame with a bad header";
    }
    const uint8_t *body = frame + FRAME_HEADER;
    size -= FRAME_HEADER;
    arena_reset (self->arena);
    switch (type) {
    case FRAME_WELCOME:
        return s_on_welcome (self, body, size);
    case FRAME_CREDIT:
        return s_on_credit (self, body, size);
    case FRAME_SESSION:
        return s_on_session (self, body, size);
    case FRAME_NOTICE:
        return s_on_notice (self, body, size);
    case FRAME_HELLO:
    case FRAME_SUBMIT:
    case FRAME_ENROL:
        break;
    }
    return "a frame that no broker sends to a member";
}

//  ---- the link's events

static void s_on_up (session_t *self)
{
    //  a new connection: the front counts from zero
    s_fall (self, STATE_GREETING, "connected, waiting for the broker's welcome");
    self->submit_up_to = 0;
    self->submitted = 0;
    self->seq = 0;
    self->hello_due = true;
}

static void s_on_event (session_t *self, int64_t now_ms, link_event_t event, const uint8_t *frame, size_t size)
{
    const char *wrong;
    switch (event) {
    case LINK_UP:
        s_on_up (self);
        break;
    case LINK_DOWN:
    case LINK_REFUSED:
        self->hello_due = false;
        s_fall (self, STATE_DOWN, link_reason (self->link));
        break;
    case LINK_FRAME:
        wrong = s_on_frame (self, frame, size);
        if (wrong) {
            s_complain (self, now_ms, wrong);
        }
        break;
    }
}

//  Asks again when an answer is late: frames may be lost with a front or a core that went away.
static void s_on_late (session_t *self, int64_t now_ms)
{
    if (self->answer_at_ms == 0 || now_ms < self->answer_at_ms) {
        return;
    }
    self->answer_at_ms = 0;
    self->hello_due = self->state == STATE_GREETING;
    self->attach_due = self->state == STATE_ATTACHING;
}

//  ---- the session

session_t *session_new (void *zmq, const device_t *device, const session_handler_t *handler, void *context)
{
    assert (zmq && device && handler);
    session_t *self = calloc (1, sizeof *self);
    if (!self) {
        abort ();
    }
    self->device = device;
    self->handler = *handler;
    self->context = context;
    self->answer_wait_ms = ANSWER_MS;
    self->arena = arena_new (ARENA_SIZE);
    self->link = link_new (zmq, device_endpoint (device), device_server_key (device), device_link_keys (device));
    if (!self->link) {
        fprintf (stderr, "session: %s is not an endpoint of a broker (tcp://HOST:PORT)\n", device_endpoint (device));
        session_destroy (&self);
    }
    return self;
}

void session_destroy (session_t **self_p)
{
    assert (self_p);
    session_t *self = *self_p;
    if (!self) {
        return;
    }
    if (self->state == STATE_ATTACHED) {
        session_flush (self);
    }
    link_destroy (&self->link);
    arena_destroy (&self->arena);
    identity_wipe (self->plain, sizeof self->plain);
    free (self);
    *self_p = NULL;
}

int session_items (session_t *self, zmq_pollitem_t items [2], long *timeout_ms, int64_t now_ms)
{
    assert (self);
    int64_t wait = -1;
    if (self->answer_at_ms) {
        wait = self->answer_at_ms > now_ms ? self->answer_at_ms - now_ms : 0;
    }
    bool waiting = self->hello_due || self->attach_due;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        waiting = waiting || self->submit [lane].used;
    }
    if (waiting && (wait < 0 || wait > FLUSH_AGAIN_MS)) {
        wait = FLUSH_AGAIN_MS;
    }
    if (wait >= 0 && (*timeout_ms < 0 || wait < *timeout_ms)) {
        *timeout_ms = (long)wait;
    }
    return link_items (self->link, items, timeout_ms, now_ms);
}

void session_process (session_t *self, int64_t now_ms)
{
    assert (self);
    link_event_t event;
    const uint8_t *frame;
    size_t size;
    while (link_process (self->link, now_ms, &event, &frame, &size)) {
        s_on_event (self, now_ms, event, frame, size);
        //  at once, not after the loop: the next event may be the end of this connection
        if (self->hello_due) {
            s_send_hello (self, now_ms);
        }
        if (self->attach_due) {
            s_send_attach (self, now_ms);
        }
    }
    s_on_late (self, now_ms);
    if (self->hello_due) {
        s_send_hello (self, now_ms);
    }
    if (self->attach_due) {
        s_send_attach (self, now_ms);
    }
    if (self->state == STATE_ATTACHED) {
        session_flush (self);
    }
}

bool session_attached (const session_t *self)
{
    assert (self);
    return self->state == STATE_ATTACHED;
}

uint64_t session_incarnation (const session_t *self)
{
    assert (self);
    return self->incarnation;
}

int64_t session_broker_offset_ms (const session_t *self)
{
    assert (self);
    return self->offset_ms;
}

const char *session_reason (const session_t *self)
{
    assert (self);
    //  while the link is down it knows best (and may know more than when it first said so)
    return self->state == STATE_DOWN ? link_reason (self->link) : self->reason;
}

static bool s_flush_lane (session_t *self, lane_t lane)
{
    submit_t *submit = &self->submit [lane];
    if (submit->used && link_send (self->link, submit->bytes, submit->used)) {
        return false;
    }
    submit->used = 0;
    submit->envelopes = 0;
    return true;
}

bool session_submit (session_t *self, lane_t lane, const uint8_t *envelope, size_t size)
{
    assert (self && (lane == LANE_URGENT || lane == LANE_BULK));
    assert (envelope && size >= ENVELOPE_MIN && size <= ENVELOPE_MAX + CARRIED_SIZE);
    //  "Lane 1 needs credit: submit_up_to counts the lane-1 envelopes sent in this session and is absolute"
    if (self->state != STATE_ATTACHED || (lane == LANE_BULK && self->submitted >= self->submit_up_to)) {
        return false;
    }
    submit_t *submit = &self->submit [lane];
    for (;;) {
        if (submit->used == 0) {
            frame_begin (submit->bytes, FRAME_SUBMIT, lane);
            submit->used = FRAME_HEADER;
        }
        if (frame_add_envelope (submit->bytes, &submit->used, envelope, size)) {
            break;
        }
        //  a full frame of the bulk lane does not overtake what waits in the urgent one
        if (!s_flush_lane (self, LANE_URGENT) || !s_flush_lane (self, lane)) {
            return false;
        }
    }
    submit->envelopes++;
    self->submitted += lane == LANE_BULK;
    return true;
}

void session_flush (session_t *self)
{
    assert (self);
    //  a lane that the queue does not take stays as it is and is tried again
    if (s_flush_lane (self, LANE_URGENT)) {
        s_flush_lane (self, LANE_BULK);
    }
}

bool session_up (session_t *self, Patrol__Up *up)
{
    assert (self && up);
    if (self->state != STATE_ATTACHED) {
        return false;
    }
    up->session = self->session;
    return s_send_up (self, up) == 0;
}

bool session_feed_credit (session_t *self, uint64_t feed_up_to)
{
    assert (self);
    if (self->state != STATE_ATTACHED) {
        return false;
    }
    Patrol__Credit credit = PATROL__CREDIT__INIT;
    credit.feed_up_to = feed_up_to;
    return s_send_clear (self, FRAME_CREDIT, &credit.base) == 0;
}
