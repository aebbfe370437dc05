//  envelope_test - sealing, opening, and the bytes of PROTOCOL.md section 11
//
//  The reference envelope is built twice: by the module, and here by hand from the document with
//  libsodium alone, so that the document and the code are known to agree.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "envelope.h"

#define EPOCH UINT64_C (0x0102030405060708)
#define COUNTER 17u
#define DAY 20000u
#define WRITTEN_MS INT64_C (1728000001000) //  day 20000 and one second
#define PLAIN_SIZE 512u
#define SIZE (ENVELOPE_OVERHEAD + PLAIN_SIZE)

typedef struct {
    box_keys_t device, core;
    envelope_seal_t seal;
    arena_t *arena;
    Patrol__Tip tip;
    Patrol__Inner inner;
} bench_t;

static void s_assert_hex (const void *bytes, size_t size, const char *wanted)
{
    char hex [256];
    assert_true (2 * size < sizeof hex);
    sodium_bin2hex (hex, sizeof hex, bytes, size);
    assert_string_equal (hex, wanted);
}

static ProtobufCBinaryData s_text (const char *text)
{
    return (ProtobufCBinaryData){ strlen (text), (uint8_t *)(uintptr_t)text };
}

static void s_count_up (uint8_t *out, size_t size, unsigned from)
{
    for (size_t index = 0; index < size; index++)
        out [index] = (uint8_t)(from + index);
}

//  Fixed keys, one tip, as both ends see them.
static int s_setup (void **state)
{
    bench_t *self = calloc (1, sizeof (bench_t));
    uint8_t authority [KEY_SIZE];
    assert_non_null (self);
    s_count_up (self->device.secret_key, KEY_SIZE, 0);
    s_count_up (self->core.secret_key, KEY_SIZE, 32);
    s_count_up (authority, KEY_SIZE, 0xA0);
    crypto_scalarmult_base (self->device.public_key, self->device.secret_key);
    crypto_scalarmult_base (self->core.public_key, self->core.secret_key);
    assert_int_equal (envelope_shared (self->seal.shared, self->core.public_key, self->device.secret_key), 0);
    identity_district (self->seal.district, authority, "Test District");
    self->seal.key_id = envelope_key_id (self->core.public_key);
    self->arena = arena_new (ARENA_MESSAGE_SIZE);

    patrol__tip__init (&self->tip);
    self->tip.kind = s_text ("smoke");
    self->tip.severity = 3;
    self->tip.cls = CLASS_URGENT;
    self->tip.text = s_text ("Smoke over the east ridge");
    patrol__inner__init (&self->inner);
    self->inner.epoch = EPOCH;
    self->inner.counter = COUNTER;
    self->inner.tag = envelope_tag (self->seal.shared, EPOCH, COUNTER, &self->tip.base);
    self->inner.written_ms = WRITTEN_MS;
    self->inner.uptime_ms = 5000;
    self->inner.body_case = PATROL__INNER__BODY_TIP;
    self->inner.tip = &self->tip;
    *state = self;
    return 0;
}

static int s_teardown (void **state)
{
    bench_t *self = *state;
    arena_destroy (&self->arena);
    free (self);
    return 0;
}

static size_t s_seal (bench_t *self, uint8_t **bytes)
{
    return envelope_seal (bytes, &self->seal, CLASS_URGENT, 24, WRITTEN_MS, &self->inner);
}

static Patrol__Inner *s_open (bench_t *self, const uint8_t *bytes, size_t size)
{
    arena_reset (self->arena);
    return envelope_open (bytes, size, self->seal.shared, self->arena);
}

//  ---- by hand, from PROTOCOL.md section 5

static void s_hand_header (uint8_t out [ENVELOPE_HEADER], const uint8_t shared [KEY_SIZE], const uint8_t core_key [KEY_SIZE],
    const uint8_t district [DISTRICT_SIZE])
{
    static const uint8_t day [] = { 'd', 'a', 'y', 0x20, 0x4E, 0, 0 };
    uint8_t hash [32];
    memcpy (out, "\x01\x01\x00\x00", 4); //  version, class urgent, bucket 0, zero
    crypto_generichash (hash, 32, core_key, KEY_SIZE, NULL, 0);
    memcpy (out + 4, hash, 4);
    memcpy (out + 8, district, DISTRICT_SIZE);
    crypto_generichash (out + 16, HANDLE_SIZE, day, sizeof day, shared, KEY_SIZE);
    memcpy (out + 32, "\x20\x4E\x00\x00\x18\x00\x00\x00", 8); //  day 20000, 24 hours
}

//  Boxes any plaintext of bucket 0 behind the header, under the nonce 00 01 .. 17.
static void s_hand_box (uint8_t out [SIZE], const uint8_t plain [PLAIN_SIZE], const uint8_t shared [KEY_SIZE])
{
    s_count_up (out + 40, NONCE_SIZE, 0);
    assert_int_equal (crypto_box_easy_afternm (out + 64, plain, PLAIN_SIZE, out + 40, shared), 0);
}

//  domain, Inner, 0x80, zeros; returns where the 0x80 is.
static size_t s_hand_plain (
    uint8_t plain [PLAIN_SIZE], uint8_t domain, Patrol__Inner *inner, const uint8_t header [ENVELOPE_HEADER])
{
    uint8_t hash [16];
    crypto_generichash (hash, sizeof hash, header, ENVELOPE_HEADER, NULL, 0);
    inner->header = (ProtobufCBinaryData){ sizeof hash, hash };
    memset (plain, 0, PLAIN_SIZE);
    plain [0] = domain;
    size_t packed = patrol__inner__pack (inner, plain + 1);
    plain [1 + packed] = 0x80;
    inner->header = (ProtobufCBinaryData){ 0, NULL };
    return 1 + packed;
}

static size_t s_hand_envelope (bench_t *self, uint8_t out [SIZE], uint8_t plain [PLAIN_SIZE])
{
    s_hand_header (out, self->seal.shared, self->core.public_key, self->seal.district);
    size_t mark = s_hand_plain (plain, 1, &self->inner, out);
    s_hand_box (out, plain, self->seal.shared);
    return mark;
}

//  ---- tests

static void test_example (void **state)
{
    bench_t *self = *state;
    uint8_t *bytes;
    size_t size = s_seal (self, &bytes);
    assert_int_equal (size, ENVELOPE_MIN);
    assert_int_equal (self->inner.header.len, 0); //  the caller's message is left alone

    //  The core: whose is it? Then open, and judge.
    envelope_header_t header;
    uint8_t shared [KEY_SIZE], handle [HANDLE_SIZE];
    assert_int_equal (envelope_parse (&header, bytes, size), 0);
    assert_int_equal (header.cls, CLASS_URGENT);
    assert_int_equal (header.bucket_size, 512);
    assert_int_equal (header.day, DAY);
    assert_int_equal (header.life_h, 24);
    assert_int_equal (header.key_id, self->seal.key_id);
    assert_memory_equal (header.district, self->seal.district, DISTRICT_SIZE);
    assert_int_equal (envelope_shared (shared, self->device.public_key, self->core.secret_key), 0);
    envelope_handle (handle, shared, header.day);
    assert_memory_equal (header.handle, handle, HANDLE_SIZE);

    arena_t *arena = arena_new (ARENA_MESSAGE_SIZE);
    Patrol__Inner *inner = envelope_open (bytes, size, shared, arena);
    assert_non_null (inner);
    assert_true (inner->epoch == EPOCH && inner->counter == COUNTER && inner->written_ms == WRITTEN_MS);
    assert_int_equal (inner->body_case, PATROL__INNER__BODY_TIP);
    assert_memory_equal (inner->tip->text.data, "Smoke over the east ridge", 25);
    //  Packed again from what was unpacked, the tag is the sender's.
    assert_true (inner->tag == envelope_tag (shared, inner->epoch, inner->counter, &inner->tip->base));
    arena_destroy (&arena);
    free (bytes);
}

static void test_vectors (void **state)
{
    bench_t *self = *state;
    s_assert_hex (self->device.public_key, KEY_SIZE, "8f40c5adb68f25624ae5b214ea767a6ec94d829d3d7b5e1ad1ba6f3e2138285f");
    s_assert_hex (self->core.public_key, KEY_SIZE, "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254");
    s_assert_hex (self->seal.shared, KEY_SIZE, "429b61f5d96e37268dfc5114849d599c9ceabffdb68c1f52cd0499af30f5b377");
    s_assert_hex (self->seal.district, DISTRICT_SIZE, "8774e5bb767ab681");
    assert_true (self->seal.key_id == 0xb120a4f6u); //  octets f6 a4 20 b1
    uint8_t handle [HANDLE_SIZE];
    envelope_handle (handle, self->seal.shared, DAY);
    s_assert_hex (handle, HANDLE_SIZE, "4c07954407a0a5cc0f4ea896b1ca22e0");
    uint8_t tip [64];
    size_t tip_size = patrol__tip__pack (&self->tip, tip);
    s_assert_hex (tip, tip_size, "0a05736d6f6b65100318012219536d6f6b65206f766572207468652065617374207269646765");
    assert_true (self->inner.tag == UINT64_C (0xf1cef7038655a968));

    uint8_t bytes [SIZE], plain [PLAIN_SIZE], hash [32], mid [MID_SIZE];
    size_t mark = s_hand_envelope (self, bytes, plain);
    s_assert_hex (
        bytes, ENVELOPE_HEADER, "01010000f6a420b18774e5bb767ab6814c07954407a0a5cc0f4ea896b1ca22e0204e000018000000");
    s_assert_hex (plain + 1, mark - 1,
        "0a106562a781db4dc705d590f1d80798cd0f11080706050403020118112168a9558603f7cef128e887cea6a53230882752260a05736d"
        "6f6b65100318012219536d6f6b65206f766572207468652065617374207269646765");
    s_assert_hex (
        bytes + 64, 48, "86c252ca7e8cd990371c1e2a79b5321162d8af551edfc9740cb4b324b45b2f91957b8f6c49ae86a8799a2abedaedb9ac");
    envelope_mid (mid, bytes, SIZE);
    s_assert_hex (mid, MID_SIZE, "4f971a89aae7de620007a27b6428773b");

    //  tag by hand: "tag", epoch, counter, body, keyed with the shared key
    uint8_t input [128] = "tag";
    memcpy (input + 3,
        "\x08\x07\x06\x05\x04\x03\x02\x01"
        "\x11\x00\x00\x00\x00\x00\x00\x00",
        16);
    memcpy (input + 19, tip, tip_size);
    crypto_generichash (hash, 32, input, 19 + tip_size, self->seal.shared, KEY_SIZE);
    s_assert_hex (hash, 8, "68a9558603f7cef1");
}

//  The two builders open each other's work.
static void test_document_and_code_agree (void **state)
{
    bench_t *self = *state;
    uint8_t by_hand [SIZE], plain [PLAIN_SIZE], opened [PLAIN_SIZE];
    s_hand_envelope (self, by_hand, plain);
    Patrol__Inner *inner = s_open (self, by_hand, SIZE);
    assert_non_null (inner);
    assert_memory_equal (inner->tip->kind.data, "smoke", 5);

    uint8_t *bytes;
    assert_int_equal (s_seal (self, &bytes), SIZE);
    assert_memory_equal (bytes, by_hand, ENVELOPE_HEADER);
    assert_int_equal (crypto_box_open_easy_afternm (opened, bytes + 64, SIZE - 64, bytes + 40, self->seal.shared), 0);
    assert_memory_equal (opened, plain, PLAIN_SIZE);
    free (bytes);
}

static void test_every_flipped_bit_is_refused (void **state)
{
    bench_t *self = *state;
    uint8_t bytes [SIZE], plain [PLAIN_SIZE];
    s_hand_envelope (self, bytes, plain);
    for (size_t place = 0; place < SIZE; place++)
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes [place] ^= (uint8_t)(1u << bit);
            assert_null (s_open (self, bytes, SIZE));
            bytes [place] ^= (uint8_t)(1u << bit);
        }
    assert_non_null (s_open (self, bytes, SIZE));
}

static void test_every_other_size_is_refused (void **state)
{
    bench_t *self = *state;
    static uint8_t bytes [ENVELOPE_MAX + 1];
    uint8_t plain [PLAIN_SIZE];
    envelope_header_t header;
    s_hand_envelope (self, bytes, plain);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        if (size == SIZE)
            continue;
        assert_int_equal (envelope_parse (&header, bytes, size), -1);
        assert_null (s_open (self, bytes, size));
    }
    //  A header of another bucket needs that bucket's size.
    bytes [2] = 3;
    assert_int_equal (envelope_parse (&header, bytes, ENVELOPE_MAX), 0);
    assert_int_equal (header.bucket_size, 10240);
    assert_null (s_open (self, bytes, ENVELOPE_MAX));
}

static void test_life_and_class_limits (void **state)
{
    bench_t *self = *state;
    uint8_t bytes [SIZE], plain [PLAIN_SIZE];
    envelope_header_t header;
    s_hand_envelope (self, bytes, plain);
    for (unsigned life = 0; life < 256; life++) {
        bytes [36] = (uint8_t)life;
        assert_int_equal (envelope_parse (&header, bytes, SIZE), life >= 1 && life <= 72 ? 0 : -1);
    }
    bytes [36] = 24;
    bytes [39] = 1;
    assert_int_equal (envelope_parse (&header, bytes, SIZE), -1);
    bytes [39] = 0;
    bytes [1] = CLASS_COUNT;
    assert_int_equal (envelope_parse (&header, bytes, SIZE), -1);
}

static void test_another_device_is_refused (void **state)
{
    bench_t *self = *state;
    uint8_t *bytes;
    uint8_t other [KEY_SIZE];
    box_keys_t stranger;
    size_t size = s_seal (self, &bytes);
    box_keys_make (&stranger);
    assert_int_equal (envelope_shared (other, stranger.public_key, self->core.secret_key), 0);
    arena_reset (self->arena);
    assert_null (envelope_open (bytes, size, other, self->arena));
    free (bytes);
}

//  Right key, right MAC, wrong inside: what a hostile member could send.
static void test_wrong_plaintexts_are_refused (void **state)
{
    bench_t *self = *state;
    uint8_t bytes [SIZE], plain [PLAIN_SIZE];
    size_t mark = s_hand_envelope (self, bytes, plain);
    const uint8_t *shared = self->seal.shared;

    for (unsigned domain = 0; domain < 256; domain++) {
        plain [0] = (uint8_t)domain;
        s_hand_box (bytes, plain, shared);
        assert_int_equal (s_open (self, bytes, SIZE) != NULL, domain == 1);
    }
    plain [0] = 1;
    plain [mark] = 0; //  no mark: the last octet of the message stands in its place
    s_hand_box (bytes, plain, shared);
    assert_null (s_open (self, bytes, SIZE));
    plain [mark] = 0x80;
    plain [PLAIN_SIZE - 1] = 1; //  something behind the mark
    s_hand_box (bytes, plain, shared);
    assert_null (s_open (self, bytes, SIZE));
    memset (plain, 0, PLAIN_SIZE);
    s_hand_box (bytes, plain, shared);
    assert_null (s_open (self, bytes, SIZE));
    plain [0] = 1; //  all padding, no mark
    s_hand_box (bytes, plain, shared);
    assert_null (s_open (self, bytes, SIZE));
    plain [1] = 0x80; //  an empty message
    s_hand_box (bytes, plain, shared);
    assert_null (s_open (self, bytes, SIZE));
}

static void test_wrong_messages_are_refused (void **state)
{
    bench_t *self = *state;
    uint8_t bytes [SIZE], plain [PLAIN_SIZE];
    const uint8_t *shared = self->seal.shared;
    size_t mark = s_hand_envelope (self, bytes, plain);

    memcpy (plain + mark, "\xF8\x3F\x01\x80", 4); //  field 1023, which version 1 does not know
    s_hand_box (bytes, plain, shared);
    assert_null (s_open (self, bytes, SIZE));

    s_hand_envelope (self, bytes, plain);
    plain [3] ^= 1; //  the header hash
    s_hand_box (bytes, plain, shared);
    assert_null (s_open (self, bytes, SIZE));

    //  Sealed for life 24, sent with life 25: the header is not under the box's MAC, only under the hash.
    s_hand_envelope (self, bytes, plain);
    bytes [36] = 25;
    assert_null (s_open (self, bytes, SIZE));

    self->inner.body_case = PATROL__INNER__BODY__NOT_SET;
    s_hand_envelope (self, bytes, plain);
    assert_null (s_open (self, bytes, SIZE));
}

static void test_a_full_arena_refuses (void **state)
{
    bench_t *self = *state;
    uint8_t bytes [SIZE], plain [PLAIN_SIZE];
    s_hand_envelope (self, bytes, plain);
    arena_t *small = arena_new (64);
    assert_null (envelope_open (bytes, SIZE, self->seal.shared, small));
    arena_destroy (&small);
}

static void test_buckets (void **state)
{
    bench_t *self = *state;
    static uint8_t text [10300];
    memset (text, 'x', sizeof text);
    static const size_t buckets [] = { 512, 2048, 6144, 10240 };
    size_t bucket = 0;
    for (size_t length = 0; length < sizeof text; length += length < 8 ? 1 : 7) {
        uint8_t *bytes;
        self->tip.text = (ProtobufCBinaryData){ length, text };
        size_t size = s_seal (self, &bytes);
        uint8_t header [18] = { 0 };
        Patrol__Inner whole = self->inner;
        whole.header = (ProtobufCBinaryData){ 16, header };
        size_t needed = patrol__inner__get_packed_size (&whole) + 2;
        while (bucket < 4 && needed > buckets [bucket])
            bucket++;
        if (bucket == 4) {
            assert_int_equal (size, 0);
            assert_null (bytes);
            continue;
        }
        assert_int_equal (size, ENVELOPE_OVERHEAD + buckets [bucket]);
        Patrol__Inner *inner = s_open (self, bytes, size);
        assert_non_null (inner);
        assert_int_equal (inner->tip->text.len, length);
        free (bytes);
    }
    assert_int_equal (bucket, 4);
}

static void test_tag_tells_tips_apart (void **state)
{
    bench_t *self = *state;
    const uint8_t *shared = self->seal.shared;
    uint64_t tag = self->inner.tag;
    assert_true (envelope_tag (shared, EPOCH, COUNTER + 1, &self->tip.base) != tag);
    assert_true (envelope_tag (shared, EPOCH + 1, COUNTER, &self->tip.base) != tag);
    self->tip.severity = 2;
    assert_true (envelope_tag (shared, EPOCH, COUNTER, &self->tip.base) != tag);

    static uint8_t text [12300];
    self->tip.text = (ProtobufCBinaryData){ sizeof text, text };
    assert_true (envelope_tag (shared, EPOCH, COUNTER, &self->tip.base) == 0);
}

static void test_low_order_keys_are_refused (void **state)
{
    bench_t *self = *state;
    uint8_t shared [KEY_SIZE];
    uint8_t zero [KEY_SIZE] = { 0 }, one [KEY_SIZE] = { 1 };
    assert_int_equal (envelope_shared (shared, zero, self->core.secret_key), -1);
    assert_int_equal (envelope_shared (shared, one, self->core.secret_key), -1);
}

static void test_days (void **state)
{
    (void)state;
    assert_int_equal (envelope_day (0), 0);
    assert_int_equal (envelope_day (-1), 0);
    assert_int_equal (envelope_day (86399999), 0);
    assert_int_equal (envelope_day (86400000), 1);
    assert_int_equal (envelope_day (WRITTEN_MS), DAY);
    assert_true (envelope_day (INT64_MAX) == UINT32_MAX);
}

//  ---- session boxes

static void test_box_example_and_vector (void **state)
{
    bench_t *self = *state;
    uint8_t box [128], plain [128];
    Patrol__Up up = PATROL__UP__INIT;
    up.seq = 7;
    size_t size = box_seal (box, sizeof box, self->seal.shared, DOMAIN_UP, &up.base);
    assert_int_equal (size, BOX_OVERHEAD + 2);
    size_t message_size;
    const uint8_t *message = box_open (plain, &message_size, self->seal.shared, DOMAIN_UP, box, size);
    assert_non_null (message);
    s_assert_hex (message, message_size, "1007");

    uint8_t by_hand [NONCE_SIZE + MAC_SIZE + 3];
    s_count_up (by_hand, NONCE_SIZE, 0);
    crypto_box_easy_afternm (by_hand + NONCE_SIZE, (const uint8_t *)"\x02\x10\x07", 3, by_hand, self->seal.shared);
    s_assert_hex (
        by_hand, sizeof by_hand, "000102030405060708090a0b0c0d0e0f1011121314151617c15b386a3c3ad5f135c22957cdc966d661c2b8");
    assert_non_null (box_open (plain, &message_size, self->seal.shared, DOMAIN_UP, by_hand, sizeof by_hand));
}

static void test_box_refusals (void **state)
{
    bench_t *self = *state;
    uint8_t box [128], plain [128];
    const uint8_t *shared = self->seal.shared;
    size_t message_size;
    Patrol__Up up = PATROL__UP__INIT;
    up.seq = 7;
    size_t size = box_seal (box, sizeof box, shared, DOMAIN_UP, &up.base);
    assert_null (box_open (plain, &message_size, shared, DOMAIN_DOWN, box, size));
    assert_null (box_open (plain, &message_size, shared, DOMAIN_ENROL_UP, box, size));
    assert_null (box_open (plain, &message_size, self->core.secret_key, DOMAIN_UP, box, size));
    for (size_t cut = 0; cut < size; cut++)
        assert_null (box_open (plain, &message_size, shared, DOMAIN_UP, box, cut));
    for (size_t place = 0; place < size; place++) {
        box [place] ^= 0x10;
        assert_null (box_open (plain, &message_size, shared, DOMAIN_UP, box, size));
        assert_int_equal (message_size, 0);
        box [place] ^= 0x10;
    }
    //  An empty message is a message; what does not fit is not written.
    patrol__up__init (&up);
    for (size_t room = 0; room < BOX_OVERHEAD; room++)
        assert_int_equal (box_seal (box, room, shared, DOMAIN_UP, &up.base), 0);
    assert_int_equal (box_seal (box, BOX_OVERHEAD, shared, DOMAIN_UP, &up.base), BOX_OVERHEAD);
    assert_non_null (box_open (plain, &message_size, shared, DOMAIN_UP, box, BOX_OVERHEAD));
    assert_int_equal (message_size, 0);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
        TEST (test_example),
        TEST (test_vectors),
        TEST (test_document_and_code_agree),
        TEST (test_every_flipped_bit_is_refused),
        TEST (test_every_other_size_is_refused),
        TEST (test_life_and_class_limits),
        TEST (test_another_device_is_refused),
        TEST (test_wrong_plaintexts_are_refused),
        TEST (test_wrong_messages_are_refused),
        TEST (test_a_full_arena_refuses),
        TEST (test_buckets),
        TEST (test_tag_tells_tips_apart),
        TEST (test_low_order_keys_are_refused),
        TEST (test_days),
        TEST (test_box_example_and_vector),
        TEST (test_box_refusals),
#undef TEST
    };
    if (identity_init () < 0)
        return 1;
    return cmocka_run_group_tests (tests, NULL, NULL);
}
