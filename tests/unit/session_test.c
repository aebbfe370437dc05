//  session: hello, attach, credit, boxes, against a real ROUTER and a core's end of the boxes in the test

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>
#include "session.h"
#include "testfront.h"

//  What the handler was told.
typedef struct {
    int attach, attached, receipts, delivered, feed, answer, refusal, notice, down;
    uint64_t counter, taken_tag;
    char reason [200];
} told_t;

static testfront_t *s_front;
static char s_home [64];
static device_t *s_device;
static session_t *s_session;
static told_t s_told;
static int64_t s_ahead_ms;
static uint8_t s_shared [KEY_SIZE];
static uint8_t s_plain [FRAME_MAX];

static void s_on_attach (void *context, Patrol__Attach *attach, arena_t *arena)
{
    told_t *told = context;
    told->attach++;
    attach->incarnation = 3;
    attach->feed_up_to = 50;
    attach->origins = arena_alloc (arena, sizeof *attach->origins);
    attach->origins [0] = arena_alloc (arena, sizeof **attach->origins);
    patrol__origin_ask__init (attach->origins [0]);
    attach->origins [0]->epoch = 77;
    attach->origins [0]->next = 5;
    attach->n_origins = 1;
}

static void s_on_attached (void *context, const Patrol__Attached *attached)
{
    told_t *told = context;
    assert_int_equal (attached->feed_next, 9);
    told->attached++;
}

static void s_on_receipts (void *context, const Patrol__Receipts *receipts)
{
    told_t *told = context;
    told->receipts++;
    told->counter = receipts->taken [0]->counter;
    told->taken_tag = receipts->taken [0]->tag;
}

static void s_on_delivered (void *context, const Patrol__Delivered *delivered)
{
    (void)delivered;
    ((told_t *)context)->delivered++;
}

static void s_on_feed (void *context, const Patrol__Feed *feed)
{
    told_t *told = context;
    told->feed += (int)feed->n_items;
}

static void s_on_answer (void *context, const Patrol__Answer *answer)
{
    (void)answer;
    ((told_t *)context)->answer++;
}

static void s_on_refusal (void *context, const Patrol__Refusal *refusal)
{
    (void)refusal;
    ((told_t *)context)->refusal++;
}

static void s_on_notice (void *context, const Patrol__Notice *notice)
{
    (void)notice;
    ((told_t *)context)->notice++;
}

static void s_on_down (void *context, const char *reason)
{
    told_t *told = context;
    told->down++;
    snprintf (told->reason, sizeof told->reason, "%s", reason);
}

static const session_handler_t s_handler = { .attach = s_on_attach,
    .attached = s_on_attached,
    .receipts = s_on_receipts,
    .delivered = s_on_delivered,
    .feed = s_on_feed,
    .answer = s_on_answer,
    .refusal = s_on_refusal,
    .notice = s_on_notice,
    .down = s_on_down };

static int s_setup (void **state)
{
    (void)state;
    s_front = testfront_new ();
    snprintf (s_home, sizeof s_home, "/tmp/session_test-XXXXXX");
    if (!mkdtemp (s_home)) {
        return -1;
    }
    testfront_serve (s_front);
    char *line = testfront_invite (s_front, PATROL__ROLE__NODE, 60000), *error = NULL;
    int rc = device_join (s_home, line, 1u << PATROL__ROLE__NODE, TEST_PATIENCE_MS, &error);
    free (line);
    testfront_serve_end (s_front);
    if (rc) {
        fprintf (stderr, "join: %s\n", error);
        return -1;
    }
    s_device = device_open (s_home);
    memset (&s_told, 0, sizeof s_told);
    s_ahead_ms = 0;
    return s_device ? envelope_shared (s_shared, device_keys (s_device)->public_key, s_front->core.secret_key) : -1;
}

static int s_teardown (void **state)
{
    (void)state;
    session_destroy (&s_session);
    device_destroy (&s_device);
    testfront_destroy (&s_front);
    static const char *const names [] = { "device.json", "device.key", "link.key", "lock", "" };
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        char path [128];
        snprintf (path, sizeof path, "%s/%s", s_home, names [index]);
        remove (path);
    }
    return 0;
}

//  ---- driving both ends

static void s_turn (void)
{
    zmq_pollitem_t items [3];
    long timeout = 20;
    int count = session_items (s_session, items, &timeout, time_mono_ms () + s_ahead_ms);
    if (s_front->router) {
        items [count++] = (zmq_pollitem_t){ .socket = s_front->router, .events = ZMQ_POLLIN };
    }
    zmq_poll (items, count, timeout);
    session_process (s_session, time_mono_ms () + s_ahead_ms);
}

//  Turns until the condition holds.
#define s_until(condition)                                   \
    do {                                                     \
        int64_t until_ = time_mono_ms () + TEST_PATIENCE_MS; \
        while (!(condition)) {                               \
            assert_true (time_mono_ms () < until_);          \
            s_turn ();                                       \
        }                                                    \
    } while (0)

//  Waits for the next message to the broker, which must be of this type.
static void s_hears (frame_type_t type)
{
    s_until (testfront_receive (s_front));
    assert_int_equal (s_front->frame [1], type);
}

//  The Up in the message just heard; valid until the next.
static Patrol__Up *s_up (void)
{
    size_t size = 0;
    const uint8_t *bytes
        = box_open (s_plain, &size, s_shared, DOMAIN_UP, s_front->frame + FRAME_HEADER, s_front->size - FRAME_HEADER);
    assert_non_null (bytes);
    arena_reset (s_front->arena);
    Patrol__Up *up = patrol__up__unpack (arena_allocator (s_front->arena), size, bytes);
    assert_non_null (up);
    return up;
}

static size_t s_seal_down (uint8_t frame [FRAME_MAX], Patrol__Down *down)
{
    frame_begin (frame, FRAME_SESSION, LANE_URGENT);
    size_t size = box_seal (frame + FRAME_HEADER, FRAME_MAX - FRAME_HEADER, s_shared, DOMAIN_DOWN, &down->base);
    assert_true (size > 0);
    return FRAME_HEADER + size;
}

static void s_send_down (Patrol__Down *down)
{
    uint8_t frame [FRAME_MAX];
    size_t size = s_seal_down (frame, down);
    assert_int_equal (testfront_send (s_front, frame, size, 1), 0);
}

static void s_send_attached (uint64_t session, uint64_t nonce, int64_t skew_ms)
{
    Patrol__Attached attached = PATROL__ATTACHED__INIT;
    attached.nonce = nonce;
    attached.incarnation = 3;
    attached.now_ms = time_now_ms () - skew_ms;
    attached.feed_next = 9;
    Patrol__Down down = PATROL__DOWN__INIT;
    down.session = session;
    down.body_case = PATROL__DOWN__BODY_ATTACHED;
    down.attached = &attached;
    s_send_down (&down);
}

static void s_send_receipt (uint64_t session, uint64_t counter)
{
    Patrol__Taken taken = PATROL__TAKEN__INIT, *list = &taken;
    taken.epoch = 77;
    taken.counter = counter;
    taken.tag = counter * 1000;
    Patrol__Receipts receipts = PATROL__RECEIPTS__INIT;
    receipts.incarnation = 3;
    receipts.taken = &list;
    receipts.n_taken = 1;
    Patrol__Down down = PATROL__DOWN__INIT;
    down.session = session;
    down.body_case = PATROL__DOWN__BODY_RECEIPTS;
    down.receipts = &receipts;
    s_send_down (&down);
}

static uint64_t s_hears_attach (void)
{
    s_hears (FRAME_SESSION);
    Patrol__Up *up = s_up ();
    assert_int_equal (up->body_case, PATROL__UP__BODY_ATTACH);
    assert_int_equal (up->session, 0);
    assert_true (up->seq > 0);
    assert_int_equal (up->attach->incarnation, 3);
    assert_int_equal (up->attach->n_origins, 1);
    assert_int_equal (up->attach->origins [0]->next, 5);
    return up->attach->nonce;
}

static void s_start (void)
{
    s_session = session_new (s_front->zmq, s_device, &s_handler, &s_told);
    assert_non_null (s_session);
}

static void s_attach (uint64_t session, uint64_t submit_up_to)
{
    s_hears (FRAME_HELLO);
    testfront_welcome (s_front, true, submit_up_to);
    s_send_attached (session, s_hears_attach (), 0);
    s_until (session_attached (s_session));
}

//  How many envelopes lie in the SUBMIT just heard.
static int s_envelopes (void)
{
    int count = 0;
    size_t offset = 0, size;
    bool bad = false;
    while (frame_next_envelope (s_front->frame + FRAME_HEADER, s_front->size - FRAME_HEADER, &offset, &size, &bad)) {
        count++;
    }
    assert_false (bad);
    return count;
}

//  ---- the tests

static void s_test_attach_and_receipts (void **state)
{
    (void)state;
    s_start ();
    assert_false (session_attached (s_session));
    s_hears (FRAME_HELLO);
    testfront_welcome (s_front, true, 10);
    uint64_t nonce = s_hears_attach ();
    s_send_attached (501, nonce, 3600000); //  this device's clock is an hour ahead
    s_until (session_attached (s_session));
    assert_int_equal (s_told.attached, 1);
    assert_int_equal (session_incarnation (s_session), 3);
    assert_true (llabs (session_broker_offset_ms (s_session) - 3600000) < TEST_PATIENCE_MS);
    s_send_receipt (501, 4);
    s_until (s_told.receipts == 1);
    assert_int_equal (s_told.counter, 4);
    assert_int_equal (s_told.taken_tag, 4000);

    Patrol__FeedAck ack = PATROL__FEED_ACK__INIT;
    ack.stored = 8;
    Patrol__Up up = PATROL__UP__INIT;
    up.body_case = PATROL__UP__BODY_FEED_ACK;
    up.feed_ack = &ack;
    uint64_t seq = 0;
    for (int round = 0; round < 3; round++) {
        assert_true (session_up (s_session, &up));
        s_hears (FRAME_SESSION);
        Patrol__Up *heard = s_up ();
        assert_int_equal (heard->session, 501);
        assert_true (heard->seq > seq);
        seq = heard->seq;
        assert_int_equal (heard->feed_ack->stored, 8);
    }
    assert_true (session_feed_credit (s_session, 60));
    s_hears (FRAME_CREDIT);
    assert_int_equal (s_told.down, 0);
}

//  "each WELCOME with core_up true SHALL be followed by a new attach: the core forgot the session"
static void s_test_core_goes_and_comes (void **state)
{
    (void)state;
    s_start ();
    s_hears (FRAME_HELLO);
    testfront_welcome (s_front, false, 0);
    s_until (strstr (session_reason (s_session), "core is not running"));
    assert_int_equal (s_told.attach, 0); //  "the device SHALL hold everything"
    testfront_welcome (s_front, true, 10);
    s_send_attached (501, s_hears_attach (), 0);
    s_until (session_attached (s_session));
    testfront_welcome (s_front, false, 10);
    s_until (s_told.down == 1);
    assert_false (session_attached (s_session));
    Patrol__Up up = PATROL__UP__INIT;
    assert_false (session_up (s_session, &up));
    testfront_welcome (s_front, true, 10);
    s_send_attached (502, s_hears_attach (), 0);
    s_until (session_attached (s_session));
    //  a core that came back so fast that only one Welcome is seen
    testfront_welcome (s_front, true, 10);
    s_send_attached (503, s_hears_attach (), 0);
    s_until (s_told.attached == 3);
    assert_int_equal (s_told.down, 2);
    s_send_receipt (502, 1); //  of the forgotten session
    s_send_receipt (503, 2);
    s_until (s_told.receipts == 1);
    assert_int_equal (s_told.counter, 2);
}

static void s_test_wrong_nonce_and_session (void **state)
{
    (void)state;
    s_start ();
    s_hears (FRAME_HELLO);
    testfront_welcome (s_front, true, 10);
    uint64_t nonce = s_hears_attach ();
    s_send_receipt (501, 1); //  before attached
    s_send_attached (500, nonce + 1, 0);
    s_send_attached (0, nonce, 0);
    s_send_attached (501, nonce, 0);
    s_until (session_attached (s_session));
    assert_int_equal (s_told.attached, 1);
    s_send_attached (504, nonce, 0); //  a replayed answer
    s_send_receipt (500, 2);
    s_send_receipt (501, 0); //  no counter is 0
    s_send_receipt (501, 3);
    s_until (s_told.receipts == 1);
    assert_int_equal (s_told.counter, 3);
    assert_int_equal (s_told.attached, 1);
}

//  Whatever octet of a boxed message is changed, nothing of it is taken.
static void s_test_bad_bytes_are_ignored (void **state)
{
    (void)state;
    s_start ();
    s_attach (501, 10);
    Patrol__Delivered delivered = PATROL__DELIVERED__INIT;
    delivered.epoch = 77;
    Patrol__Down down = PATROL__DOWN__INIT;
    down.session = 501;
    down.body_case = PATROL__DOWN__BODY_DELIVERED;
    down.delivered = &delivered;
    uint8_t frame [FRAME_MAX];
    size_t size = s_seal_down (frame, &down);
    for (size_t at = 0; at < size; at++) {
        frame [at] ^= 0x10;
        testfront_send (s_front, frame, size, 1);
        frame [at] ^= 0x10;
    }
    for (size_t cut = FRAME_HEADER; cut < size; cut++) {
        testfront_send (s_front, frame, cut, 1);
    }
    testfront_send (s_front, frame, size, 2); //  two frames
    //  a box of the other direction, and a field of a later version
    uint8_t wrong [FRAME_MAX];
    frame_begin (wrong, FRAME_SESSION, LANE_URGENT);
    size_t wrong_size = box_seal (wrong + FRAME_HEADER, FRAME_MAX - FRAME_HEADER, s_shared, DOMAIN_UP, &down.base);
    testfront_send (s_front, wrong, FRAME_HEADER + wrong_size, 1);
    ProtobufCMessageUnknownField field = { 99, PROTOBUF_C_WIRE_TYPE_VARINT, 1, (uint8_t *)"\1" };
    delivered.base.unknown_fields = &field;
    delivered.base.n_unknown_fields = 1;
    s_send_down (&down);
    delivered.base.n_unknown_fields = 0;
    s_send_down (&down);
    s_until (s_told.delivered == 1);
    s_send_receipt (501, 7);
    s_until (s_told.receipts == 1);
    assert_int_equal (s_told.delivered, 1);
    assert_true (session_attached (s_session));
}

//  "Lane 1 needs credit: submit_up_to counts the lane-1 envelopes sent in this session and is absolute"
static void s_test_credit (void **state)
{
    (void)state;
    s_start ();
    uint8_t envelope [ENVELOPE_MIN] = { 1 };
    assert_false (session_submit (s_session, LANE_URGENT, envelope, sizeof envelope));
    s_attach (501, 2);
    assert_true (session_submit (s_session, LANE_BULK, envelope, sizeof envelope));
    assert_true (session_submit (s_session, LANE_BULK, envelope, sizeof envelope));
    assert_false (session_submit (s_session, LANE_BULK, envelope, sizeof envelope));
    for (int number = 0; number < 3; number++) {
        assert_true (session_submit (s_session, LANE_URGENT, envelope, sizeof envelope));
    }
    session_flush (s_session);
    s_hears (FRAME_SUBMIT);
    assert_int_equal (s_front->frame [2], LANE_URGENT);
    assert_int_equal (s_envelopes (), 3);
    s_hears (FRAME_SUBMIT);
    assert_int_equal (s_front->frame [2], LANE_BULK);
    assert_int_equal (s_envelopes (), 2);

    Patrol__Credit credit = PATROL__CREDIT__INIT;
    credit.submit_up_to = 3;
    testfront_send_message (s_front, FRAME_CREDIT, &credit.base);
    credit.submit_up_to = 1; //  late and smaller: takes nothing away
    testfront_send_message (s_front, FRAME_CREDIT, &credit.base);
    s_until (session_submit (s_session, LANE_BULK, envelope, sizeof envelope));
    assert_false (session_submit (s_session, LANE_BULK, envelope, sizeof envelope));
    session_flush (s_session);
    s_hears (FRAME_SUBMIT);

    //  a new connection counts from zero, and the session says hello again
    testfront_down (s_front);
    s_until (s_told.down == 1);
    assert_false (session_submit (s_session, LANE_URGENT, envelope, sizeof envelope));
    testfront_up (s_front);
    s_attach (777, 1);
    assert_true (session_submit (s_session, LANE_BULK, envelope, sizeof envelope));
    assert_false (session_submit (s_session, LANE_BULK, envelope, sizeof envelope));
}

//  Bulk envelopes that fill a frame do not overtake an urgent one that was there before.
static void s_test_urgent_is_not_overtaken (void **state)
{
    (void)state;
    s_start ();
    s_attach (501, 100);
    static uint8_t envelope [ENVELOPE_MAX] = { 1 };
    assert_true (session_submit (s_session, LANE_URGENT, envelope, ENVELOPE_MIN));
    for (int number = 0; number < 4; number++)
        assert_true (session_submit (s_session, LANE_BULK, envelope, ENVELOPE_MAX));
    session_flush (s_session);
    s_hears (FRAME_SUBMIT);
    assert_int_equal (s_front->frame [2], LANE_URGENT);
    s_hears (FRAME_SUBMIT);
    assert_int_equal (s_front->frame [2], LANE_BULK);
}

//  What was not sent when the core went away was not charged by anybody.
static void s_test_unsent_credit_returns (void **state)
{
    (void)state;
    s_start ();
    s_attach (501, 2);
    uint8_t envelope [ENVELOPE_MIN] = { 1 };
    testfront_welcome (s_front, true, 2);
    zmq_pollitem_t items [2];
    long timeout = TEST_PATIENCE_MS;
    int count = session_items (s_session, items, &timeout, time_mono_ms ());
    zmq_poll (items, count, timeout);
    assert_true (session_submit (s_session, LANE_BULK, envelope, sizeof envelope));
    assert_true (session_submit (s_session, LANE_BULK, envelope, sizeof envelope));
    s_send_attached (502, s_hears_attach (), 0);
    s_until (s_told.attached == 2);
    assert_true (session_submit (s_session, LANE_BULK, envelope, sizeof envelope));
    session_flush (s_session);
    s_hears (FRAME_SUBMIT);
    assert_int_equal (s_envelopes (), 1);
}

static void s_test_full_frames_go_out (void **state)
{
    (void)state;
    s_start ();
    s_attach (501, 1000);
    uint8_t envelope [ENVELOPE_MAX] = { 1 };
    int sent = 0, heard = 0;
    while (sent < 200) {
        size_t size = sent % 3 ? ENVELOPE_MIN : ENVELOPE_MAX;
        if (session_submit (s_session, LANE_BULK, envelope, size)) {
            sent++;
            continue;
        }
        s_turn (); //  the queue is full
        while (testfront_receive (s_front)) {
            heard += s_envelopes ();
        }
    }
    session_flush (s_session);
    while (heard < sent) {
        s_hears (FRAME_SUBMIT);
        heard += s_envelopes ();
    }
    assert_int_equal (heard, sent);
}

//  An answer that does not come is asked for again, with another nonce.
static void s_test_lost_answers (void **state)
{
    (void)state;
    s_start ();
    s_hears (FRAME_HELLO);
    s_ahead_ms += 5100;
    s_hears (FRAME_HELLO);
    testfront_welcome (s_front, true, 10);
    uint64_t first = s_hears_attach ();
    s_ahead_ms += 5100;
    uint64_t second = s_hears_attach ();
    assert_true (first != second);
    s_send_attached (500, first, 0);
    s_send_attached (501, second, 0);
    s_until (session_attached (s_session));
    s_send_receipt (501, 9);
    s_until (s_told.receipts == 1);
}

static void s_test_other_messages (void **state)
{
    (void)state;
    s_start ();
    s_attach (501, 10);
    Patrol__Item first = PATROL__ITEM__INIT, second = PATROL__ITEM__INIT, *items [] = { &first, &second };
    first.n = 9;
    second.n = 10;
    Patrol__Feed feed = PATROL__FEED__INIT;
    feed.incarnation = 3;
    feed.items = items;
    feed.n_items = 2;
    Patrol__Down down = PATROL__DOWN__INIT;
    down.session = 501;
    down.body_case = PATROL__DOWN__BODY_FEED;
    down.feed = &feed;
    second.n = 9; //  items that do not grow
    s_send_down (&down);
    feed.incarnation = 4;
    second.n = 10;
    s_send_down (&down);
    feed.incarnation = 3;
    s_send_down (&down);
    s_until (s_told.feed == 2);

    Patrol__Answer answer = PATROL__ANSWER__INIT;
    down.body_case = PATROL__DOWN__BODY_ANSWER;
    down.answer = &answer;
    s_send_down (&down);
    s_until (s_told.answer == 1);
    Patrol__Notice notice = PATROL__NOTICE__INIT;
    notice.code = PATROL__CODE__SLOW_DOWN;
    testfront_send_message (s_front, FRAME_NOTICE, &notice.base);
    s_until (s_told.notice == 1);

    //  a core that has forgotten us says so without a session; we attach again
    Patrol__Refusal refusal = PATROL__REFUSAL__INIT;
    refusal.code = PATROL__CODE__REPLAYED;
    down.session = 0;
    down.body_case = PATROL__DOWN__BODY_REFUSAL;
    down.refusal = &refusal;
    s_send_down (&down);
    s_send_attached (502, s_hears_attach (), 0);
    s_until (s_told.attached == 2);
    assert_int_equal (s_told.refusal, 1);
}

static void s_test_refused_then_admitted (void **state)
{
    (void)state;
    atomic_store (&s_front->admit, false);
    s_start ();
    s_until (strstr (session_reason (s_session), "does not admit this key"));
    assert_int_equal (s_told.down, 0);
    atomic_store (&s_front->admit, true);
    s_ahead_ms += 2000;
    s_attach (501, 1);
}

int main (void)
{
    identity_init ();
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (s_test_attach_and_receipts, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_core_goes_and_comes, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_wrong_nonce_and_session, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_bad_bytes_are_ignored, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_credit, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_urgent_is_not_overtaken, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_unsent_credit_returns, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_full_frames_go_out, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_lost_answers, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_other_messages, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_refused_then_admitted, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
