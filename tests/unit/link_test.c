//  link: handshake, refusal and its retry, the loss of a broker, one frame a message

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "link.h"
#include "testfront.h"

static testfront_t *s_front;
static link_t *s_link;
static box_keys_t s_keys;
static int64_t s_ahead_ms; //  the test moves the link's clock instead of waiting for it
static uint8_t s_got [FRAME_MAX];
static size_t s_got_size;

static int s_setup (void **state)
{
    (void)state;
    s_front = testfront_new ();
    box_keys_make (&s_keys);
    s_ahead_ms = 0;
    return 0;
}

static int s_teardown (void **state)
{
    (void)state;
    link_destroy (&s_link);
    testfront_destroy (&s_front);
    return 0;
}

static void s_link_new (void)
{
    s_link = link_new (s_front->zmq, s_front->endpoint, s_front->transport.public_key, &s_keys);
    assert_non_null (s_link);
}

//  The next event, or -1 when none comes within a short while.
static int s_next (int64_t patience_ms)
{
    int64_t until = time_mono_ms () + patience_ms;
    while (time_mono_ms () < until) {
        link_event_t event;
        const uint8_t *frame;
        if (link_process (s_link, time_mono_ms () + s_ahead_ms, &event, &frame, &s_got_size)) {
            if (event == LINK_FRAME) {
                memcpy (s_got, frame, s_got_size);
            }
            return (int)event;
        }
        zmq_pollitem_t items [2];
        long timeout = 20;
        int count = link_items (s_link, items, &timeout, time_mono_ms () + s_ahead_ms);
        zmq_poll (items, count, timeout);
    }
    return -1;
}

static void s_expect (link_event_t event)
{
    assert_int_equal (s_next (TEST_PATIENCE_MS), event);
}

static void s_front_hears (void)
{
    int64_t until = time_mono_ms () + TEST_PATIENCE_MS;
    while (!testfront_receive (s_front)) {
        assert_true (time_mono_ms () < until);
        zmq_pollitem_t item = { .socket = s_front->router, .events = ZMQ_POLLIN };
        zmq_poll (&item, 1, 20);
    }
}

//  ---- the tests

static void s_test_frames_both_ways (void **state)
{
    (void)state;
    s_link_new ();
    uint8_t frame [100] = { 1, FRAME_HELLO };
    assert_int_equal (link_send (s_link, frame, sizeof frame), -1); //  not up yet
    s_expect (LINK_UP);
    assert_true (link_is_up (s_link));
    assert_string_equal (link_reason (s_link), "");
    assert_int_equal (link_send (s_link, frame, sizeof frame), 0);
    s_front_hears ();
    assert_int_equal (s_front->size, sizeof frame);
    uint8_t largest [FRAME_MAX];
    memset (largest, 7, sizeof largest);
    testfront_send (s_front, largest, sizeof largest, 1);
    s_expect (LINK_FRAME);
    assert_int_equal (s_got_size, sizeof largest);
    assert_memory_equal (s_got, largest, sizeof largest);
}

//  "Every message SHALL be exactly one body frame": a longer or shorter message is dropped whole.
static void s_test_bad_messages_are_dropped (void **state)
{
    (void)state;
    s_link_new ();
    s_expect (LINK_UP);
    uint8_t frame [8] = { 1, FRAME_NOTICE };
    assert_int_equal (link_send (s_link, frame, sizeof frame), 0);
    s_front_hears ();
    testfront_send (s_front, frame, sizeof frame, 2);
    testfront_send (s_front, frame, sizeof frame, 5);
    testfront_send (s_front, frame, 3, 1);
    testfront_send (s_front, frame, 0, 1);
    frame [2] = 99;
    testfront_send (s_front, frame, sizeof frame, 1);
    s_expect (LINK_FRAME);
    assert_int_equal (s_got_size, sizeof frame);
    assert_int_equal (s_got [2], 99);
}

static void s_test_refused_then_admitted (void **state)
{
    (void)state;
    atomic_store (&s_front->admit, false);
    s_link_new ();
    s_expect (LINK_REFUSED);
    assert_false (link_is_up (s_link));
    assert_non_null (strstr (link_reason (s_link), "does not admit this key"));
    //  the first wait is 1 s and some; nothing is tried before
    int asked = atomic_load (&s_front->asked);
    zmq_pollitem_t items [2];
    long timeout = -1;
    assert_int_equal (link_items (s_link, items, &timeout, time_mono_ms ()), 0);
    assert_in_range (timeout, 1, 1750);
    assert_int_equal (atomic_load (&s_front->asked), asked);
    //  the second longer
    s_ahead_ms += 1800;
    s_expect (LINK_REFUSED);
    timeout = -1;
    link_items (s_link, items, &timeout, time_mono_ms () + s_ahead_ms);
    assert_in_range (timeout, 1000, 3500);
    atomic_store (&s_front->admit, true);
    s_ahead_ms += 3600;
    s_expect (LINK_UP);
}

static void s_test_broker_restarts (void **state)
{
    (void)state;
    s_link_new ();
    s_expect (LINK_UP);
    for (int round = 0; round < 3; round++) {
        testfront_down (s_front);
        s_expect (LINK_DOWN);
        assert_false (link_is_up (s_link));
        assert_true (link_reason (s_link) [0] != 0);
        testfront_up (s_front);
        s_expect (LINK_UP);
    }
}

static void s_test_broker_absent (void **state)
{
    (void)state;
    testfront_down (s_front);
    s_link_new ();
    s_expect (LINK_DOWN);
    assert_non_null (strstr (link_reason (s_link), "does not answer"));
    assert_int_equal (s_next (300), -1); //  said once
    testfront_up (s_front);
    s_expect (LINK_UP);
}

static void s_test_another_server_key (void **state)
{
    (void)state;
    box_keys_t other;
    box_keys_make (&other);
    s_link = link_new (s_front->zmq, s_front->endpoint, other.public_key, &s_keys);
    s_expect (LINK_DOWN);
    assert_false (link_is_up (s_link));
    assert_int_equal (atomic_load (&s_front->asked), 0);
}

//  libzmq gives up for good after a message above its limit; the link does not.
static void s_test_too_large_a_message (void **state)
{
    (void)state;
    s_link_new ();
    s_expect (LINK_UP);
    uint8_t frame [8] = { 1, FRAME_HELLO };
    link_send (s_link, frame, sizeof frame);
    s_front_hears ();
    uint8_t *huge = calloc (1, 100000);
    testfront_send (s_front, huge, 100000, 1);
    free (huge);
    s_expect (LINK_DOWN);
    s_expect (LINK_UP);
}

static void s_test_endpoints (void **state)
{
    (void)state;
    const char *const bad []
        = { "", "inproc://x", "ipc:///tmp/x", "tcp://", "tcp://127.0.0.1", "tcp://127.0.0.1:99999", "127.0.0.1:7410" };
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        assert_null (link_new (s_front->zmq, bad [index], s_front->transport.public_key, &s_keys));
    }
    link_destroy (&s_link);
}

int main (void)
{
    identity_init ();
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (s_test_frames_both_ways, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_bad_messages_are_dropped, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_refused_then_admitted, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_broker_restarts, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_broker_absent, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_another_server_key, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_too_large_a_message, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_endpoints, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
