//  frame_test - the four octets before every body, and the envelopes of a SUBMIT

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "frame.h"

//  A SUBMIT as a node builds it and the core takes it apart.
static void test_submit_round_trip (void **state)
{
    (void)state;
    uint8_t frame [FRAME_MAX], envelope [600];
    size_t used = FRAME_HEADER;
    frame_begin (frame, FRAME_SUBMIT, LANE_BULK);
    assert_memory_equal (frame, "\x01\x04\x01\x00", FRAME_HEADER);
    int added = 0;
    for (;; added++) {
        memset (envelope, added, sizeof envelope);
        if (!frame_add_envelope (frame, &used, envelope, 592 + (size_t)added % 8))
            break;
    }
    assert_int_equal (added, 27); //  27 of the smallest envelopes fit a frame
    assert_memory_equal (frame + FRAME_HEADER, "\x02\x50\x00\x00", 4);

    frame_type_t type;
    lane_t lane;
    assert_int_equal (frame_parse (&type, &lane, frame, used), 0);
    assert_int_equal (type, FRAME_SUBMIT);
    assert_int_equal (lane, LANE_BULK);
    size_t offset = 0, size;
    bool bad;
    const uint8_t *found;
    int seen = 0;
    while ((found = frame_next_envelope (frame + FRAME_HEADER, used - FRAME_HEADER, &offset, &size, &bad))) {
        assert_int_equal (size, 592 + seen % 8);
        assert_int_equal (found [0], seen);
        assert_int_equal (found [size - 1], seen);
        seen++;
    }
    assert_false (bad);
    assert_int_equal (seen, added);
}

static void s_assert_refused (const uint8_t *bytes, size_t size)
{
    frame_type_t type;
    lane_t lane;
    assert_int_equal (frame_parse (&type, &lane, bytes, size), -1);
}

static void test_hostile_headers (void **state)
{
    (void)state;
    uint8_t frame [FRAME_MAX + 1] = { 0 };
    frame_type_t type;
    lane_t lane;
    frame_begin (frame, FRAME_HELLO, LANE_URGENT);
    assert_memory_equal (frame, "\x01\x01\x00\x00", FRAME_HEADER);
    for (size_t size = 0; size < FRAME_HEADER; size++)
        s_assert_refused (frame, size);
    assert_int_equal (frame_parse (&type, &lane, frame, FRAME_HEADER), 0);
    assert_int_equal (frame_parse (&type, &lane, frame, FRAME_MAX), 0);
    s_assert_refused (frame, FRAME_MAX + 1);

    //  Each octet alone: only what the document names is taken.
    static const uint8_t first [FRAME_HEADER] = { 1, 1, 0, 0 }, last [FRAME_HEADER] = { 1, 7, 1, 0 };
    for (unsigned place = 0; place < FRAME_HEADER; place++)
        for (unsigned value = 0; value < 256; value++) {
            frame_begin (frame, FRAME_HELLO, LANE_URGENT);
            frame [place] = (uint8_t)value;
            bool good = value >= first [place] && value <= last [place];
            assert_int_equal (frame_parse (&type, &lane, frame, FRAME_HEADER), good ? 0 : -1);
        }
}

//  Returns how many envelopes came before the end, -1 if the body was called bad.
static int s_walk (const char *body, size_t body_size)
{
    size_t offset = 0, size;
    bool bad;
    int count = 0;
    while (frame_next_envelope ((const uint8_t *)body, body_size, &offset, &size, &bad)) {
        assert_true (size > 0 && offset <= body_size);
        count++;
    }
    assert_int_equal (size, 0);
    return bad ? -1 : count;
}

static void test_hostile_submits (void **state)
{
    (void)state;
    assert_int_equal (s_walk ("", 0), 0);
    assert_int_equal (s_walk ("\x00\x01"
                              "a",
                          3),
        1);
    assert_int_equal (s_walk ("\x00\x01"
                              "a"
                              "\x00\x02"
                              "bb",
                          7),
        2);
    assert_int_equal (s_walk ("\x00", 1), -1);
    assert_int_equal (s_walk ("\x00\x00", 2), -1); //  an envelope of nothing
    assert_int_equal (s_walk ("\x00\x02"
                              "a",
                          3),
        -1); //  cut off
    assert_int_equal (s_walk ("\xff\xff"
                              "a",
                          3),
        -1);
    assert_int_equal (s_walk ("\x00\x01"
                              "a"
                              "\x00",
                          4),
        -1); //  half a size
    assert_int_equal (s_walk ("\x00\x01"
                              "a"
                              "\x00\x03"
                              "bb",
                          7),
        -1);
}

static void test_add_stops_at_the_frames_end (void **state)
{
    (void)state;
    static uint8_t frame [FRAME_MAX];
    static const uint8_t envelope [FRAME_MAX];
    size_t used = FRAME_HEADER;
    frame_begin (frame, FRAME_SUBMIT, LANE_URGENT);
    assert_false (frame_add_envelope (frame, &used, envelope, FRAME_MAX - FRAME_HEADER - 1));
    assert_int_equal (used, FRAME_HEADER);
    assert_true (frame_add_envelope (frame, &used, envelope, FRAME_MAX - FRAME_HEADER - 2));
    assert_int_equal (used, FRAME_MAX);
    assert_false (frame_add_envelope (frame, &used, envelope, 1));
    assert_int_equal (used, FRAME_MAX);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_submit_round_trip),
        cmocka_unit_test (test_hostile_headers),
        cmocka_unit_test (test_hostile_submits),
        cmocka_unit_test (test_add_stops_at_the_frames_end),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
