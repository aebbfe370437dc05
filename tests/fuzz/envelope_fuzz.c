//  An envelope from a stranger, and one whose seal is right and whose inside is not.

#include "fuzz.h"

#include <sodium.h>
#include "envelope.h"

static uint8_t s_shared [KEY_SIZE];
static arena_t *s_arena;

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    FUZZ_EXPECT (identity_init () == 0);
    memset (s_shared, 7, sizeof s_shared);
    s_arena = arena_new (ARENA_MESSAGE_SIZE);
    return 0;
}

static void s_open (const uint8_t *bytes, size_t size)
{
    uint8_t *copy = fuzz_copy (bytes, size), mid [MID_SIZE];
    envelope_header_t header;
    if (envelope_parse (&header, copy, size) == 0) {
        FUZZ_EXPECT (size == ENVELOPE_OVERHEAD + header.bucket_size);
        FUZZ_EXPECT (header.cls < CLASS_COUNT && header.life_h >= 1 && header.life_h <= 72);
        envelope_mid (mid, copy, size);
    }
    arena_reset (s_arena);
    Patrol__Inner *inner = envelope_open (copy, size, s_shared, s_arena);
    if (inner) {
        FUZZ_EXPECT (inner->body_case != PATROL__INNER__BODY__NOT_SET);
        FUZZ_EXPECT (!arena_has_unknown (&inner->base));
    }
    free (copy);
}

//  Seals the bytes as they are: domain, Inner and padding are the fuzzer's; `help` puts the right header hash before them.
static void s_open_sealed (const uint8_t *data, size_t size, bool help)
{
    static const size_t buckets [] = { 512, 2048, 6144, 10240 };
    static uint8_t plain [10240], envelope [ENVELOPE_MAX];
    size_t bucket = 0, at = 0;
    memset (envelope, 0, ENVELOPE_HEADER);
    while (bucket < 3 && size + 20 > buckets [bucket]) {
        bucket++;
    }
    envelope [0] = ENVELOPE_VERSION;
    envelope [1] = CLASS_NORMAL;
    envelope [2] = (uint8_t)bucket;
    envelope [36] = 24;
    memset (plain, 0, sizeof plain);
    if (help) {
        plain [0] = 1;
        plain [1] = 0x0a;
        plain [2] = 16;
        crypto_generichash (plain + 3, 16, envelope, ENVELOPE_HEADER, NULL, 0);
        at = 19;
    }
    size_t room = buckets [bucket] - at - 1;
    size = size < room ? size : room;
    if (size) {
        memcpy (plain + at, data, size);
    }
    if (help) {
        plain [at + size] = 0x80;
    }
    memset (envelope + ENVELOPE_HEADER, 1, NONCE_SIZE);
    FUZZ_EXPECT (crypto_box_easy_afternm (
                     envelope + ENVELOPE_HEADER + NONCE_SIZE, plain, buckets [bucket], envelope + ENVELOPE_HEADER, s_shared)
        == 0);
    s_open (envelope, ENVELOPE_OVERHEAD + buckets [bucket]);
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    switch (fuzz_byte (&data, &size) % 3) {
    case 0:
        s_open (data, size);
        break;
    case 1:
        s_open_sealed (data, size, false);
        break;
    default:
        s_open_sealed (data, size, true);
        break;
    }
    return 0;
}
