//  testcore - a core behind testfront, in a thread: attaches one device, takes its envelopes, receipts them
//
//  For tests of the node as a whole. Its log is an array; knobs say what it answers.

#ifndef TESTCORE_H_INCLUDED
#define TESTCORE_H_INCLUDED

#include "intervals.h"
#include "testfront.h"

#define TESTCORE_MAX 32768

typedef struct {
    testfront_t *front;
    pthread_t thread;
    atomic_bool stop;
    uint8_t shared [KEY_SIZE];
    bool known; //  shared is made
    uint64_t incarnation, session_number;
    uint64_t feed_n; //  items sent so far

    struct {
        uint64_t epoch, counter, tag;
        uint8_t mid [MID_SIZE];
        bool withdraw;
    } log [TESTCORE_MAX];
    atomic_int count;        //  distinct envelopes in the log
    atomic_int submits;      //  envelopes that came, repeats included
    atomic_int changed;      //  repeats whose bytes were not the first ones
    atomic_int feed_acked;   //  highest FeedAck
    atomic_bool silent;      //  takes, and loses the receipt
    atomic_bool deliver;     //  says delivered after the receipt
    atomic_bool acknowledge; //  and acknowledged by Wang
    atomic_int code;         //  of receipts
} testcore_t;

static inline void testcore_down (testcore_t *self, Patrol__Down *down)
{
    uint8_t frame [FRAME_MAX];
    down->session = self->session_number;
    frame_begin (frame, FRAME_SESSION, LANE_URGENT);
    size_t size = box_seal (frame + FRAME_HEADER, FRAME_MAX - FRAME_HEADER, self->shared, DOMAIN_DOWN, &down->base);
    testfront_send (self->front, frame, FRAME_HEADER + size, 1);
}

static inline void testcore_attached (testcore_t *self, const Patrol__Attach *attach)
{
    Patrol__OriginState states [4], *pointers [4];
    uint8_t sets [4][2048];
    Patrol__Attached attached = PATROL__ATTACHED__INIT;
    Patrol__Down down = PATROL__DOWN__INIT;
    for (size_t index = 0; index < attach->n_origins && index < 4; index++) {
        intervals_t taken = { 0 };
        patrol__origin_state__init (&states [index]);
        pointers [index] = &states [index];
        states [index].epoch = attach->origins [index]->epoch;
        for (int entry = 0; entry < atomic_load (&self->count); entry++) {
            if (self->log [entry].epoch == states [index].epoch) {
                intervals_add_one (&taken, self->log [entry].counter);
            }
        }
        states [index].highest = intervals_highest (&taken);
        if (intervals_packed_size (&taken) <= sizeof sets [index]) {
            states [index].taken
                = testfront_bytes (sets [index], intervals_pack (&taken, sets [index], sizeof sets [index]));
        }
        intervals_clear (&taken);
        attached.n_origins++;
    }
    attached.origins = pointers;
    attached.nonce = attach->nonce;
    attached.incarnation = self->incarnation;
    attached.now_ms = time_now_ms ();
    attached.feed_next = self->feed_n + 1;
    down.body_case = PATROL__DOWN__BODY_ATTACHED;
    down.attached = &attached;
    self->session_number++;
    testcore_down (self, &down);
}

//  The device is the one that enrolled last: the front of the test keeps its key.
static inline void testcore_session (testcore_t *self)
{
    uint8_t plain [FRAME_MAX];
    size_t size = 0;
    if (!self->known) {
        self->known = envelope_shared (self->shared, self->front->enrolled_key, self->front->core.secret_key) == 0;
    }
    const uint8_t *bytes = box_open (
        plain, &size, self->shared, DOMAIN_UP, self->front->frame + FRAME_HEADER, self->front->size - FRAME_HEADER);
    Patrol__Up *up = bytes ? patrol__up__unpack (NULL, size, bytes) : NULL;
    if (up && up->body_case == PATROL__UP__BODY_ATTACH) {
        testcore_attached (self, up->attach);
    }
    if (up && up->body_case == PATROL__UP__BODY_FEED_ACK) {
        atomic_store (&self->feed_acked, (int)up->feed_ack->stored);
    }
    if (up) {
        patrol__up__free_unpacked (up, NULL);
    }
}

static inline void testcore_news (testcore_t *self, const Patrol__Inner *inner)
{
    Patrol__Down down = PATROL__DOWN__INIT;
    if (atomic_load (&self->deliver)) {
        Patrol__Delivered delivered = PATROL__DELIVERED__INIT;
        intervals_t set = { 0 };
        uint8_t bytes [32];
        intervals_add_one (&set, inner->counter);
        delivered.epoch = inner->epoch;
        delivered.counters = testfront_bytes (bytes, intervals_pack (&set, bytes, sizeof bytes));
        intervals_clear (&set);
        down.body_case = PATROL__DOWN__BODY_DELIVERED;
        down.delivered = &delivered;
        testcore_down (self, &down);
    }
    if (atomic_load (&self->acknowledge)) {
        Patrol__Item item = PATROL__ITEM__INIT, *items [] = { &item };
        Patrol__Feed feed = PATROL__FEED__INIT;
        item.n = ++self->feed_n;
        item.type = PATROL__ITEM_TYPE__ITEM_STATUS;
        item.at_ms = time_now_ms ();
        item.incident = 99;
        item.version = 2;
        item.tip_epoch = inner->epoch;
        item.own_counter = inner->counter;
        item.status = testfront_bytes ("acknowledged", 12);
        item.actor = testfront_bytes ("Wang", 4);
        item.answer = testfront_bytes ("on our way", 10);
        item.station = testfront_bytes ("north", 5);
        feed.incarnation = self->incarnation;
        feed.n_items = 1;
        feed.items = items;
        down.body_case = PATROL__DOWN__BODY_FEED;
        down.feed = &feed;
        testcore_down (self, &down);
    }
}

//  Keeps the envelope, or recognises it.
static inline void testcore_log (testcore_t *self, const Patrol__Inner *inner, const uint8_t *bytes, size_t size)
{
    uint8_t mid [MID_SIZE];
    int count = atomic_load (&self->count);
    envelope_mid (mid, bytes, size);
    atomic_fetch_add (&self->submits, 1);
    for (int index = 0; index < count; index++) {
        if (self->log [index].epoch == inner->epoch && self->log [index].counter == inner->counter) {
            atomic_fetch_add (&self->changed, memcmp (self->log [index].mid, mid, MID_SIZE) != 0);
            return;
        }
    }
    if (count < TESTCORE_MAX) {
        self->log [count].epoch = inner->epoch;
        self->log [count].counter = inner->counter;
        self->log [count].tag = inner->tag;
        self->log [count].withdraw = inner->body_case == PATROL__INNER__BODY_WITHDRAW;
        memcpy (self->log [count].mid, mid, MID_SIZE);
        atomic_store (&self->count, count + 1);
    }
}

static inline void testcore_submit (testcore_t *self)
{
    const uint8_t *body = self->front->frame + FRAME_HEADER, *envelope;
    size_t offset = 0, size;
    bool bad = false;
    arena_t *arena = arena_new (ARENA_MESSAGE_SIZE);
    while ((envelope = frame_next_envelope (body, self->front->size - FRAME_HEADER, &offset, &size, &bad)) != NULL) {
        arena_reset (arena);
        Patrol__Inner *inner = envelope_open (envelope, size, self->shared, arena);
        if (!inner) {
            continue;
        }
        testcore_log (self, inner, envelope, size);
        if (atomic_load (&self->silent)) {
            continue;
        }
        Patrol__Taken taken = PATROL__TAKEN__INIT, *list [] = { &taken };
        Patrol__Receipts receipts = PATROL__RECEIPTS__INIT;
        Patrol__Down down = PATROL__DOWN__INIT;
        taken.epoch = inner->epoch;
        taken.counter = inner->counter;
        taken.tag = inner->tag;
        taken.code = (uint32_t)atomic_load (&self->code);
        taken.incident = 99;
        taken.station = testfront_bytes ("north", 5);
        taken.at_ms = time_now_ms ();
        receipts.incarnation = self->incarnation;
        receipts.n_taken = 1;
        receipts.taken = list;
        down.body_case = PATROL__DOWN__BODY_RECEIPTS;
        down.receipts = &receipts;
        testcore_down (self, &down);
        if (inner->body_case == PATROL__INNER__BODY_TIP && taken.code == PATROL__CODE__OK) {
            testcore_news (self, inner);
        }
    }
    arena_destroy (&arena);
}

static inline void *testcore_main (void *argument)
{
    testcore_t *self = argument;
    while (!atomic_load (&self->stop)) {
        zmq_pollitem_t item = { .socket = self->front->router, .events = ZMQ_POLLIN };
        zmq_poll (&item, 1, 20);
        while (testfront_receive (self->front)) {
            switch (self->front->frame [1]) {
            case FRAME_HELLO:
                testfront_welcome (self->front, true, 1000000);
                break;
            case FRAME_ENROL:
                testfront_answer_enrol (self->front);
                break;
            case FRAME_SESSION:
                testcore_session (self);
                break;
            case FRAME_SUBMIT:
                testcore_submit (self);
                break;
            default:
                break;
            }
        }
    }
    return NULL;
}

static inline testcore_t *testcore_new (void)
{
    testcore_t *self = calloc (1, sizeof *self);
    self->front = testfront_new ();
    self->incarnation = 17;
    pthread_create (&self->thread, NULL, testcore_main, self);
    return self;
}

static inline void testcore_destroy (testcore_t **self_p)
{
    testcore_t *self = *self_p;
    atomic_store (&self->stop, true);
    pthread_join (self->thread, NULL);
    testfront_destroy (&self->front);
    free (self);
    *self_p = NULL;
}

#endif
