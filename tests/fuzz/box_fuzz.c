//  Session and enrolment boxes: bytes that open or not, and every message that may be inside one.

#include "fuzz.h"

#include <sodium.h>
#include "envelope.h"
#include "frame.h"

static uint8_t s_shared [KEY_SIZE];
static arena_t *s_arena;

static const struct {
    domain_t domain;
    const ProtobufCMessageDescriptor *message;
} s_boxes [] = {
    { DOMAIN_UP, &patrol__up__descriptor },
    { DOMAIN_DOWN, &patrol__down__descriptor },
    { DOMAIN_ENROL_UP, &patrol__enrol__descriptor },
    { DOMAIN_ENROL_DOWN, &patrol__enrolled__descriptor },
    //  not boxed, but unpacked the same way
    { DOMAIN_UP, &patrol__hello__descriptor },
    { DOMAIN_UP, &patrol__welcome__descriptor },
    { DOMAIN_UP, &patrol__credit__descriptor },
    { DOMAIN_UP, &patrol__notice__descriptor },
    { DOMAIN_UP, &patrol__answer__descriptor },
    { DOMAIN_UP, &patrol__query__descriptor },
    { DOMAIN_UP, &patrol__record__descriptor },
    { DOMAIN_UP, &patrol__texts__descriptor },
};

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    FUZZ_EXPECT (identity_init () == 0);
    memset (s_shared, 9, sizeof s_shared);
    s_arena = arena_new (ARENA_MESSAGE_SIZE);
    return 0;
}

static void s_unpack (size_t which, const uint8_t *bytes, size_t size)
{
    static uint8_t again [FRAME_MAX], plain [FRAME_MAX];
    arena_reset (s_arena);
    ProtobufCMessage *message = protobuf_c_message_unpack (s_boxes [which].message, arena_allocator (s_arena), size, bytes);
    if (!message || arena_has_unknown (message)) {
        return;
    }
    //  what was understood can be sent on: sealed, and opened to the same size
    size_t packed = protobuf_c_message_get_packed_size (message), opened = 0;
    size_t sealed = box_seal (again, sizeof again, s_shared, s_boxes [which].domain, message);
    FUZZ_EXPECT ((sealed != 0) == (packed + BOX_OVERHEAD <= sizeof again));
    if (sealed) {
        FUZZ_EXPECT (box_open (plain, &opened, s_shared, s_boxes [which].domain, again, sealed) && opened == packed);
    }
}

//  A box around the fuzzer's own plaintext, domain byte included.
static void s_sealed (size_t which, const uint8_t *data, size_t size)
{
    static uint8_t box [FRAME_MAX], plain [FRAME_MAX];
    size_t inside = 0;
    size = size < sizeof box - BOX_OVERHEAD ? size : sizeof box - BOX_OVERHEAD;
    memset (box, 3, NONCE_SIZE);
    FUZZ_EXPECT (crypto_box_easy_afternm (box + NONCE_SIZE, data, size, box, s_shared) == 0);
    const uint8_t *bytes = box_open (plain, &inside, s_shared, s_boxes [which].domain, box, NONCE_SIZE + MAC_SIZE + size);
    FUZZ_EXPECT ((bytes != NULL) == (size > 0 && data [0] == s_boxes [which].domain));
    if (bytes) {
        FUZZ_EXPECT (inside == size - 1);
        s_unpack (which, bytes, inside);
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static uint8_t plain [FRAME_MAX];
    uint8_t chosen = fuzz_byte (&data, &size);
    size_t which = (chosen & 63) % (sizeof s_boxes / sizeof s_boxes [0]), inside;
    uint8_t *copy = fuzz_copy (data, size);
    if (chosen & 128) {
        FUZZ_EXPECT (size > sizeof plain || !box_open (plain, &inside, s_shared, s_boxes [which].domain, copy, size));
    } else if (chosen & 64) {
        s_sealed (which, copy, size);
    } else {
        s_unpack (which, copy, size);
    }
    free (copy);
    return 0;
}
