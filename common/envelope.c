//  envelope - see envelope.h

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "envelope.h"
#include "nonce.h"

#define DOMAIN_ENVELOPE 1u //  the first of the domains; the others are in envelope.h
#define PADDING_MARK 0x80u
#define BUCKET_COUNT 4u
#define DAY_MS 86400000
#define BODY_MAX 12288u //  more than any body that fits the largest bucket
#define NONCE_AT ENVELOPE_HEADER
#define BOX_AT (ENVELOPE_HEADER + NONCE_SIZE)

static const uint32_t bucket_sizes [BUCKET_COUNT] = { 512, 2048, 6144, 10240 };

_Static_assert(crypto_box_BEFORENMBYTES == KEY_SIZE, "shared keys");
_Static_assert(crypto_box_NONCEBYTES == NONCE_SIZE && crypto_box_MACBYTES == MAC_SIZE, "box sizes");

static void s_put32 (uint8_t *out, uint32_t value)
{
    for (unsigned index = 0; index < 4; index++)
        out [index] = (uint8_t)(value >> (8 * index));
}

static void s_put64 (uint8_t *out, uint64_t value)
{
    for (unsigned index = 0; index < 8; index++)
        out [index] = (uint8_t)(value >> (8 * index));
}

static uint32_t s_get32 (const uint8_t *bytes)
{
    return (uint32_t)bytes [0] | (uint32_t)bytes [1] << 8 | (uint32_t)bytes [2] << 16 | (uint32_t)bytes [3] << 24;
}

static uint64_t s_get64 (const uint8_t *bytes)
{
    return s_get32 (bytes) | (uint64_t)s_get32 (bytes + 4) << 32;
}

int envelope_shared (uint8_t shared [KEY_SIZE], const uint8_t public_key [KEY_SIZE], const uint8_t secret_key [KEY_SIZE])
{
    return crypto_box_beforenm (shared, public_key, secret_key);
}

void envelope_handle (uint8_t handle [HANDLE_SIZE], const uint8_t shared [KEY_SIZE], uint32_t day)
{
    uint8_t input [7] = { 'd', 'a', 'y' };
    s_put32 (input + 3, day);
    crypto_generichash (handle, HANDLE_SIZE, input, sizeof input, shared, KEY_SIZE);
}

uint32_t envelope_day (int64_t ms)
{
    if (ms < 0)
        return 0; //  a clock before 1970: the core corrects by the measured offset
    int64_t day = ms / DAY_MS;
    return day > UINT32_MAX ? UINT32_MAX : (uint32_t)day;
}

uint32_t envelope_key_id (const uint8_t core_key [KEY_SIZE])
{
    uint8_t hash [32];
    crypto_generichash (hash, sizeof hash, core_key, KEY_SIZE, NULL, 0);
    return s_get32 (hash);
}

uint64_t envelope_tag (const uint8_t shared [KEY_SIZE], uint64_t epoch, uint64_t counter, const ProtobufCMessage *body)
{
    //  Packed again from the message: the same bytes at both ends, since packing is deterministic and the
    //  core refuses messages with unknown fields.
    uint8_t input [3 + 8 + 8 + BODY_MAX]; //  not zeroed: it is large, and a tip has few hundred octets
    size_t body_size = protobuf_c_message_get_packed_size (body);
    if (body_size > BODY_MAX)
        return 0;
    memcpy (input, "tag", 3);
    s_put64 (input + 3, epoch);
    s_put64 (input + 11, counter);
    protobuf_c_message_pack (body, input + 19);
    uint8_t hash [32];
    crypto_generichash (hash, sizeof hash, input, 19 + body_size, shared, KEY_SIZE);
    return s_get64 (hash);
}

int envelope_parse (envelope_header_t *out, const uint8_t *bytes, size_t size)
{
    if (size < ENVELOPE_MIN || size > ENVELOPE_MAX)
        return -1;
    if (bytes [0] != ENVELOPE_VERSION || bytes [1] >= CLASS_COUNT || bytes [2] >= BUCKET_COUNT || bytes [3] != 0)
        return -1;
    if (size != ENVELOPE_OVERHEAD + bucket_sizes [bytes [2]])
        return -1;
    uint32_t life_h = s_get32 (bytes + 36);
    if (life_h < 1 || life_h > LIFE_MAX_H)
        return -1;
    out->cls = (class_t)bytes [1];
    out->bucket_size = bucket_sizes [bytes [2]];
    out->key_id = s_get32 (bytes + 4);
    memcpy (out->district, bytes + 8, DISTRICT_SIZE);
    memcpy (out->handle, bytes + 16, HANDLE_SIZE);
    out->day = s_get32 (bytes + 32);
    out->life_h = life_h;
    return 0;
}

void envelope_mid (uint8_t mid [MID_SIZE], const uint8_t *bytes, size_t size)
{
    crypto_generichash (mid, MID_SIZE, bytes, size, NULL, 0);
}

//  BLAKE2b-128 of the clear header; Inner.header repeats it inside the seal.
static void s_header_hash (uint8_t hash [MID_SIZE], const uint8_t *bytes)
{
    crypto_generichash (hash, MID_SIZE, bytes, ENVELOPE_HEADER, NULL, 0);
}

static void s_header_write (
    uint8_t *out, const envelope_seal_t *seal, class_t cls, uint32_t bucket, uint32_t life_h, uint32_t day)
{
    out [0] = ENVELOPE_VERSION;
    out [1] = (uint8_t)cls;
    out [2] = (uint8_t)bucket;
    out [3] = 0;
    s_put32 (out + 4, seal->key_id);
    memcpy (out + 8, seal->district, DISTRICT_SIZE);
    envelope_handle (out + 16, seal->shared, day);
    s_put32 (out + 32, day);
    s_put32 (out + 36, life_h);
}

size_t envelope_seal (
    uint8_t **out, const envelope_seal_t *seal, class_t cls, uint32_t life_h, int64_t now_ms, Patrol__Inner *inner)
{
    assert (cls < CLASS_COUNT && life_h >= 1 && life_h <= LIFE_MAX_H);
    *out = NULL;
    //  The hash lives on our stack, so it is set in a copy that ends with us, never in the caller's message.
    uint8_t hash [MID_SIZE];
    Patrol__Inner filled = *inner;
    filled.header = (ProtobufCBinaryData){ sizeof hash, hash };

    size_t packed = patrol__inner__get_packed_size (&filled);
    uint32_t bucket = 0;
    while (bucket < BUCKET_COUNT && packed + 2 > bucket_sizes [bucket])
        bucket++;
    if (bucket == BUCKET_COUNT)
        return 0;

    size_t plain_size = bucket_sizes [bucket];
    size_t size = ENVELOPE_OVERHEAD + plain_size;
    uint8_t *bytes = calloc (1, size);
    if (!bytes)
        abort ();
    s_header_write (bytes, seal, cls, bucket, life_h, envelope_day (now_ms));
    s_header_hash (hash, bytes);
    nonce_next (bytes + NONCE_AT);

    //  Packed where its ciphertext will lie; the box is then made in place.
    uint8_t *plain = bytes + ENVELOPE_OVERHEAD;
    plain [0] = DOMAIN_ENVELOPE;
    patrol__inner__pack (&filled, plain + 1);
    plain [1 + packed] = PADDING_MARK;
    crypto_box_easy_afternm (bytes + BOX_AT, plain, plain_size, bytes + NONCE_AT, seal->shared);
    *out = bytes;
    return size;
}

//  Size of the packed Inner between the domain octet and the padding, 0 if they are not right.
static size_t s_unpad (const uint8_t *plain, size_t size)
{
    if (plain [0] != DOMAIN_ENVELOPE)
        return 0;
    size_t end = size;
    while (end > 1 && plain [end - 1] == 0)
        end--;
    if (end < 2 || plain [end - 1] != PADDING_MARK)
        return 0;
    return end - 2;
}

Patrol__Inner *envelope_open (const uint8_t *bytes, size_t size, const uint8_t shared [KEY_SIZE], arena_t *arena)
{
    envelope_header_t header;
    if (envelope_parse (&header, bytes, size) < 0)
        return NULL;
    uint8_t plain [ENVELOPE_MAX - ENVELOPE_OVERHEAD];
    if (crypto_box_open_easy_afternm (plain, bytes + BOX_AT, size - BOX_AT, bytes + NONCE_AT, shared) != 0)
        return NULL;
    size_t packed = s_unpad (plain, header.bucket_size);
    if (packed == 0)
        return NULL;
    Patrol__Inner *inner = patrol__inner__unpack (arena_allocator (arena), packed, plain + 1);
    if (!inner)
        return NULL;
    uint8_t hash [MID_SIZE];
    s_header_hash (hash, bytes);
    if (inner->header.len != sizeof hash || memcmp (inner->header.data, hash, sizeof hash) != 0)
        return NULL;
    if (arena_has_unknown (&inner->base) || inner->body_case == PATROL__INNER__BODY__NOT_SET)
        return NULL;
    return inner;
}

//  ---- boxes of a session and of enrolment

size_t box_seal (
    uint8_t *out, size_t room, const uint8_t shared [KEY_SIZE], domain_t domain, const ProtobufCMessage *message)
{
    size_t packed = protobuf_c_message_get_packed_size (message);
    if (room < BOX_OVERHEAD || packed > room - BOX_OVERHEAD)
        return 0;
    uint8_t *plain = out + NONCE_SIZE + MAC_SIZE;
    nonce_next (out);
    plain [0] = (uint8_t)domain;
    protobuf_c_message_pack (message, plain + 1);
    crypto_box_easy_afternm (out + NONCE_SIZE, plain, 1 + packed, out, shared);
    return BOX_OVERHEAD + packed;
}

const uint8_t *box_open (uint8_t *plain, size_t *message_size, const uint8_t shared [KEY_SIZE], domain_t domain,
    const uint8_t *bytes, size_t size)
{
    *message_size = 0;
    if (size < BOX_OVERHEAD)
        return NULL;
    if (crypto_box_open_easy_afternm (plain, bytes + NONCE_SIZE, size - NONCE_SIZE, bytes, shared) != 0)
        return NULL;
    if (plain [0] != (uint8_t)domain)
        return NULL;
    *message_size = size - BOX_OVERHEAD;
    return plain + 1;
}
