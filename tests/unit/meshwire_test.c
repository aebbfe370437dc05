//  meshwire_test - the control frames in bytes: vectors that other programs can check themselves against

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "meshwire.h"

static uint8_t s_out [MESHWIRE_FRAME_MAX];

static void s_assert_frame (const meshwire_frame_t *frame, const void *bytes, size_t size)
{
    meshwire_frame_t again;
    assert_int_equal (meshwire_encode (s_out, frame), size);
    assert_memory_equal (s_out, bytes, size);
    assert_int_equal (meshwire_decode (&again, bytes, size), 0);
    assert_int_equal (again.type, frame->type);
    //  no frame is a frame when a byte is missing
    assert_int_equal (meshwire_decode (&again, bytes, size - 1), -1);
}

static void test_vectors (void **state)
{
    (void)state;
    meshwire_frame_t offer = { .type = MESHWIRE_OFFER, .nonce = 0x1234, .count = 1 };
    offer.offers [0]
        = (meshwire_offer_t){ .id = 0xA1B2C3D4, .cls = 2, .several = true, .relayed = true, .best = 11, .size = 592 };
    s_assert_frame (&offer, "\x02\x34\x12\xD4\xC3\xB2\xA1\xBE\x0A", 9);

    uint8_t single [MESHWIRE_SINGLE] = { 7 }, want [7 + MESHWIRE_SINGLE] = { 3, 0x34, 0x12, 255, 0x10, 0x00, 0x0D, 7 };
    meshwire_frame_t reply
        = { .type = MESHWIRE_WANT, .nonce = 0x1234, .hops = 255, .utility = 16, .count = 2, .singles = 1, .single = single };
    reply.answers [0] = MESHWIRE_WANTED;
    reply.answers [1] = MESHWIRE_RECEIPTED;
    s_assert_frame (&reply, want, sizeof want);

    s_assert_frame (&(meshwire_frame_t){ .type = MESHWIRE_ACK, .id = 1, .ack = MESHWIRE_STORED }, "\x05\x01\0\0\0\x01", 6);
    s_assert_frame (&(meshwire_frame_t){ .type = MESHWIRE_ACK, .id = 1, .ack = MESHWIRE_GONE }, "\x05\x01\0\0\0\x05", 6);
    s_assert_frame (&(meshwire_frame_t){ .type = MESHWIRE_ASK, .number = 5, .mask = 3 }, "\x09\x05\0\0\0\x03\0", 7);
    meshwire_frame_t places = { .type = MESHWIRE_PLACES, .count = 1, .places = { { -1, 1200000000 } } };
    s_assert_frame (&places, "\x07\xFF\xFF\xFF\xFF\0\x8C\x86\x47", 9);

    uint8_t hello [17] = { 1, 1, 2, 0x2C, 0x01, 7, 200, 3, 9, 0, 5, 0, 4, 0xDD, 0xCC, 0xBB, 0xAA };
    meshwire_frame_t greeting = { .type = MESHWIRE_HELLO,
        .state = { .has_work = true,
            .hops = 2,
            .utility = 300,
            .places = 7,
            .room = 200,
            .series = 3,
            .base = 9,
            .mask = 5,
            .revocations = 4,
            .digest = 0xAABBCCDD } };
    s_assert_frame (&greeting, hello, sizeof hello);
}

static void test_head (void **state)
{
    (void)state;
    uint8_t bytes [MESHWIRE_HEAD];
    meshwire_head_t head = { .hops = 3, .tokens = 8, .best = 600, .age_ds = 12345 }, again;
    meshwire_head_encode (bytes, &head);
    assert_memory_equal (bytes, "\x10\x03\x08\0\x58\x02\x39\x30\0\0", sizeof bytes);
    assert_int_equal (meshwire_head_decode (&again, bytes), 0);
    assert_true (again.hops == 3 && again.tokens == 8 && again.best == 600 && again.age_ds == 12345);
    bytes [0] = 17;
    assert_int_equal (meshwire_head_decode (&again, bytes), -1);
}

static void test_refused (void **state)
{
    (void)state;
    meshwire_frame_t frame;
    static uint8_t bytes [MESHWIRE_FRAME_MAX + 1];
    assert_int_equal (meshwire_decode (&frame, bytes, 0), -1);
    assert_int_equal (meshwire_decode (&frame, bytes, 10), -1); //  type 0
    bytes [0] = MESHWIRE_OFFER;
    assert_int_equal (meshwire_decode (&frame, bytes, 3 + 6 * 65), -1);
    assert_int_equal (meshwire_decode (&frame, bytes, 9), -1); //  a size of 0
    bytes [0] = MESHWIRE_WANT;
    bytes [6] = 3; //  says a single follows
    assert_int_equal (meshwire_decode (&frame, bytes, 7), -1);
    bytes [0] = MESHWIRE_ACK;
    assert_int_equal (meshwire_decode (&frame, bytes, 6), -1); //  answer 0
    bytes [5] = MESHWIRE_GONE + 1;
    assert_int_equal (meshwire_decode (&frame, bytes, 6), -1);
    bytes [5] = 0;
    bytes [0] = MESHWIRE_ASK;
    assert_int_equal (meshwire_decode (&frame, bytes, 7), -1); //  asks for nothing
    bytes [0] = MESHWIRE_REVOKED;
    assert_int_equal (meshwire_decode (&frame, bytes, 5), -1);
    bytes [0] = MESHWIRE_PLACES;
    memset (bytes + 1, 0x7F, 8);
    assert_int_equal (meshwire_decode (&frame, bytes, 9), -1); //  not on this earth
    bytes [0] = MESHWIRE_EPOCH;
    assert_int_equal (meshwire_decode (&frame, bytes, sizeof bytes), -1);
}

static void test_utility (void **state)
{
    (void)state;
    uint16_t before = 0;
    for (uint32_t seconds = 0; seconds < 4000000; seconds += seconds / 100 + 1) {
        uint16_t code = meshwire_utility (seconds);
        assert_true (code >= before && code < MESHWIRE_UNKNOWN);
        uint32_t back = meshwire_seconds (code);
        assert_true (back <= seconds && seconds - back <= seconds / 1000);
        before = code;
    }
    assert_int_equal (meshwire_utility (UINT32_MAX), MESHWIRE_UNKNOWN);
    assert_int_equal (meshwire_seconds (MESHWIRE_UNKNOWN), UINT32_MAX);
    static const uint32_t seconds [] = { 0, 1, 2, 3, 4, 1023, 1024, 16383, 16384, 4000000, UINT32_MAX };
    static const uint8_t magnitudes [] = { 0, 0, 1, 1, 2, 9, 10, 13, 14, 14, MESHWIRE_FAR };
    for (size_t index = 0; index < sizeof magnitudes; index++)
        assert_int_equal (meshwire_magnitude (seconds [index]), magnitudes [index]);
}

static void test_short_ids (void **state)
{
    (void)state;
    uint8_t a [32] = { 1 }, b [32] = { 2 }, mid [16] = { 3 };
    meshwire_salt_t there = meshwire_salt (a, b, 7), back = meshwire_salt (b, a, 7), later = meshwire_salt (a, b, 8);
    assert_int_equal (meshwire_short (&there, mid), meshwire_short (&there, mid));
    assert_int_not_equal (meshwire_short (&there, mid), meshwire_short (&back, mid));
    assert_int_not_equal (meshwire_short (&there, mid), meshwire_short (&later, mid));
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_vectors),
        cmocka_unit_test (test_head),
        cmocka_unit_test (test_refused),
        cmocka_unit_test (test_utility),
        cmocka_unit_test (test_short_ids),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
