//  meshwire - see meshwire.h

#include <assert.h>
#include <sodium.h>
#include <string.h>
#include "meshwire.h"

#define HEAD_TYPE 16u
#define ENTRY 6u
#define SIZE_UNIT 64u
#define PLACE 8u

static uint8_t *s_put (uint8_t *out, uint64_t value, unsigned size)
{
    for (unsigned index = 0; index < size; index++)
        out [index] = (uint8_t)(value >> (8 * index));
    return out + size;
}

static uint64_t s_get (const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    for (unsigned index = size; index-- > 0;)
        value = value << 8 | bytes [index];
    return value;
}

//  ---- parts

uint16_t meshwire_utility (uint32_t seconds)
{
    if (seconds == UINT32_MAX)
        return MESHWIRE_UNKNOWN;
    uint32_t shift = 0;
    while (seconds >> shift >= 2048)
        shift++;
    //  below 2,048 the value itself; above, the exponent over ten bits behind the leading one
    return shift ? (uint16_t)((shift + 1) << 10 | ((seconds >> shift) & 1023)) : (uint16_t)seconds;
}

uint32_t meshwire_seconds (uint16_t utility)
{
    uint32_t shift = (uint32_t)utility >> 10;
    if (shift < 2)
        return utility;
    if (shift - 1 > 21)
        return UINT32_MAX;
    return (1024u | (utility & 1023u)) << (shift - 1);
}

uint8_t meshwire_magnitude (uint32_t seconds)
{
    uint8_t power = 0;
    while (seconds >> power >= 2 && power < MESHWIRE_FAR - 1)
        power++;
    return seconds == UINT32_MAX ? MESHWIRE_FAR : power;
}

void meshwire_state_encode (uint8_t out [MESHWIRE_STATE], const meshwire_state_t *state)
{
    uint8_t *at = s_put (out, state->has_work, 1);
    at = s_put (at, state->hops, 1);
    at = s_put (at, state->utility, 2);
    at = s_put (at, state->places, 1);
    at = s_put (at, state->room, 1);
    at = s_put (at, state->series, 1);
    at = s_put (at, state->base, 2);
    at = s_put (at, state->mask, 2);
    at = s_put (at, state->revocations, 1);
    s_put (at, state->digest, 4);
}

int meshwire_state_decode (meshwire_state_t *out, const uint8_t bytes [MESHWIRE_STATE])
{
    if (bytes [0] > 1)
        return -1;
    *out = (meshwire_state_t){ .has_work = bytes [0] == 1,
        .hops = bytes [1],
        .utility = (uint16_t)s_get (bytes + 2, 2),
        .places = bytes [4],
        .room = bytes [5],
        .series = bytes [6],
        .base = (uint16_t)s_get (bytes + 7, 2),
        .mask = (uint16_t)s_get (bytes + 9, 2),
        .revocations = bytes [11],
        .digest = (uint32_t)s_get (bytes + 12, 4) };
    return 0;
}

void meshwire_head_encode (uint8_t out [MESHWIRE_HEAD], const meshwire_head_t *head)
{
    uint8_t *at = s_put (out, HEAD_TYPE, 1);
    at = s_put (at, head->hops, 1);
    at = s_put (at, head->tokens, 2);
    at = s_put (at, head->best, 2);
    s_put (at, head->age_ds, 4);
}

int meshwire_head_decode (meshwire_head_t *out, const uint8_t bytes [MESHWIRE_HEAD])
{
    if (bytes [0] != HEAD_TYPE)
        return -1;
    *out = (meshwire_head_t){ .hops = bytes [1],
        .tokens = (uint16_t)s_get (bytes + 2, 2),
        .best = (uint16_t)s_get (bytes + 4, 2),
        .age_ds = (uint32_t)s_get (bytes + 6, 4) };
    return 0;
}

meshwire_salt_t meshwire_salt (const uint8_t from [32], const uint8_t to [32], uint16_t nonce)
{
    uint8_t text [66], key [16] = "patrol short id";
    memcpy (text, from, 32);
    memcpy (text + 32, to, 32);
    meshwire_salt_t salt;
    for (unsigned half = 0; half < 2; half++) {
        uint8_t hash [8];
        key [15] = (uint8_t)half;
        s_put (text + 64, nonce, 2);
        crypto_shorthash_siphash24 (hash, text, sizeof text, key);
        salt.word [half] = s_get (hash, 8) | 1;
    }
    return salt;
}

//  Multilinear hashing (Lemire and Kaser 2014): mids are hashes already, what is needed is that nobody knows the multipliers before.
uint32_t meshwire_short (const meshwire_salt_t *salt, const uint8_t mid [16])
{
    uint64_t low, high;
    memcpy (&low, mid, 8);
    memcpy (&high, mid + 8, 8);
    uint64_t sum = salt->word [0] * (low ^ low >> 32) + salt->word [1] * (high ^ high >> 32);
    return (uint32_t)(sum >> 32);
}

uint32_t meshwire_digest (const uint8_t mid [16])
{
    return (uint32_t)s_get (mid, 4);
}

//  ---- frames out

static size_t s_encode_offer (uint8_t *out, const meshwire_frame_t *frame)
{
    assert (frame->count > 0 && frame->count <= MESHWIRE_OFFER_MAX);
    uint8_t *at = s_put (out + 1, frame->nonce, 2);
    for (uint32_t index = 0; index < frame->count; index++) {
        const meshwire_offer_t *offer = &frame->offers [index];
        uint32_t units = (offer->size + SIZE_UNIT - 1) / SIZE_UNIT;
        assert (offer->cls < 4 && offer->best <= MESHWIRE_FAR);
        at = s_put (at, offer->id, 4);
        at = s_put (at, (uint32_t)offer->cls | offer->several << 2 | offer->relayed << 3 | (uint32_t)offer->best << 4, 1);
        at = s_put (at, units > 255 ? 255 : units, 1);
    }
    return (size_t)(at - out);
}

static size_t s_encode_want (uint8_t *out, const meshwire_frame_t *frame)
{
    assert (frame->count > 0 && frame->count <= MESHWIRE_OFFER_MAX && frame->singles <= MESHWIRE_SINGLES_MAX);
    uint8_t *at = s_put (out + 1, frame->nonce, 2);
    at = s_put (at, frame->hops, 1);
    at = s_put (at, frame->utility, 2);
    for (uint32_t index = 0; index < frame->count; index += 4) {
        uint32_t byte = 0;
        for (uint32_t part = 0; part < 4 && index + part < frame->count; part++)
            byte |= (uint32_t)frame->answers [index + part] << (2 * part);
        at = s_put (at, byte, 1);
    }
    if (frame->singles)
        memcpy (at, frame->single, frame->singles * MESHWIRE_SINGLE);
    return (size_t)(at - out) + frame->singles * MESHWIRE_SINGLE;
}

size_t meshwire_encode (uint8_t *out, const meshwire_frame_t *frame)
{
    uint8_t *at = out + 1;
    out [0] = (uint8_t)frame->type;
    switch (frame->type) {
    case MESHWIRE_HELLO:
        meshwire_state_encode (at, &frame->state);
        return 1 + MESHWIRE_STATE;
    case MESHWIRE_OFFER:
        return s_encode_offer (out, frame);
    case MESHWIRE_WANT:
        return s_encode_want (out, frame);
    case MESHWIRE_EPOCH:
        assert (frame->size > 0 && frame->size < MESHWIRE_FRAME_MAX);
        memcpy (at, frame->bytes, frame->size);
        return 1 + frame->size;
    case MESHWIRE_ACK:
        at = s_put (at, frame->id, 4);
        at = s_put (at, frame->ack, 1);
        return (size_t)(at - out);
    case MESHWIRE_ONE:
        at = s_put (at, frame->id, 4);
        memcpy (at, frame->single, MESHWIRE_SINGLE);
        return 5 + MESHWIRE_SINGLE;
    case MESHWIRE_ASK:
        at = s_put (at, frame->number, 4);
        at = s_put (at, frame->mask, 2);
        return (size_t)(at - out);
    case MESHWIRE_REVOKED:
        assert (frame->size > 0 && frame->size <= MESHWIRE_REVOKED_MAX);
        at = s_put (at, frame->number, 4);
        memcpy (at, frame->bytes, frame->size);
        return 5 + frame->size;
    case MESHWIRE_PLACES:
        assert (frame->count > 0 && frame->count <= MESHWIRE_PLACES_MAX);
        for (uint32_t index = 0; index < frame->count; index++) {
            at = s_put (at, (uint32_t)frame->places [index].lat_e7, 4);
            at = s_put (at, (uint32_t)frame->places [index].lon_e7, 4);
        }
        return (size_t)(at - out);
    }
    assert (false);
    return 0;
}

//  ---- frames in

static int s_decode_offer (meshwire_frame_t *out, const uint8_t *bytes, size_t size)
{
    if (size < 3 + ENTRY || (size - 3) % ENTRY || (size - 3) / ENTRY > MESHWIRE_OFFER_MAX)
        return -1;
    out->nonce = (uint16_t)s_get (bytes + 1, 2);
    out->count = (uint32_t)((size - 3) / ENTRY);
    for (uint32_t index = 0; index < out->count; index++) {
        const uint8_t *entry = bytes + 3 + ENTRY * index;
        out->offers [index] = (meshwire_offer_t){ .id = (uint32_t)s_get (entry, 4),
            .cls = entry [4] & 3,
            .several = entry [4] >> 2 & 1,
            .relayed = entry [4] >> 3 & 1,
            .best = entry [4] >> 4,
            .size = entry [5] * SIZE_UNIT };
        if (entry [5] == 0)
            return -1;
    }
    return 0;
}

//  The number of answers is the offer's; here it is known to the next four only. What is behind the last is 0.
static int s_decode_want (meshwire_frame_t *out, const uint8_t *bytes, size_t size)
{
    if (size < 7)
        return -1;
    size_t rest = size - 6, groups = rest % MESHWIRE_SINGLE;
    out->singles = (uint32_t)(rest / MESHWIRE_SINGLE);
    if (groups == 0 || groups > MESHWIRE_OFFER_MAX / 4 || out->singles > MESHWIRE_SINGLES_MAX)
        return -1;
    out->nonce = (uint16_t)s_get (bytes + 1, 2);
    out->hops = bytes [3];
    out->utility = (uint16_t)s_get (bytes + 4, 2);
    out->count = (uint32_t)groups * 4;
    uint32_t receipted = 0;
    for (uint32_t index = 0; index < out->count; index++) {
        out->answers [index] = (meshwire_answer_t)(bytes [6 + index / 4] >> (2 * (index % 4)) & 3);
        receipted += out->answers [index] == MESHWIRE_RECEIPTED;
    }
    out->single = bytes + 6 + groups;
    return receipted == out->singles ? 0 : -1;
}

static int s_decode_places (meshwire_frame_t *out, const uint8_t *bytes, size_t size)
{
    if (size < 1 + PLACE || (size - 1) % PLACE || (size - 1) / PLACE > MESHWIRE_PLACES_MAX)
        return -1;
    out->count = (uint32_t)((size - 1) / PLACE);
    for (uint32_t index = 0; index < out->count; index++) {
        meshwire_place_t *place = &out->places [index];
        place->lat_e7 = (int32_t)(uint32_t)s_get (bytes + 1 + PLACE * index, 4);
        place->lon_e7 = (int32_t)(uint32_t)s_get (bytes + 5 + PLACE * index, 4);
        if (place->lat_e7 > 900000000 || place->lat_e7 < -900000000 || place->lon_e7 > 1800000000
            || place->lon_e7 < -1800000000)
            return -1;
    }
    return 0;
}

int meshwire_decode (meshwire_frame_t *out, const uint8_t *bytes, size_t size)
{
    if (size < 1 || size > MESHWIRE_FRAME_MAX)
        return -1;
    out->type = (meshwire_type_t)bytes [0];
    switch (out->type) {
    case MESHWIRE_HELLO:
        return size == 1 + MESHWIRE_STATE ? meshwire_state_decode (&out->state, bytes + 1) : -1;
    case MESHWIRE_OFFER:
        return s_decode_offer (out, bytes, size);
    case MESHWIRE_WANT:
        return s_decode_want (out, bytes, size);
    case MESHWIRE_EPOCH:
        out->bytes = bytes + 1;
        out->size = size - 1;
        return size > 1 ? 0 : -1;
    case MESHWIRE_ACK:
        if (size != 6 || bytes [5] < MESHWIRE_STORED || bytes [5] > MESHWIRE_GONE)
            return -1;
        out->id = (uint32_t)s_get (bytes + 1, 4);
        out->ack = (meshwire_ack_t)bytes [5];
        return 0;
    case MESHWIRE_ONE:
        if (size != 5 + MESHWIRE_SINGLE)
            return -1;
        out->id = (uint32_t)s_get (bytes + 1, 4);
        out->single = bytes + 5;
        return 0;
    case MESHWIRE_ASK:
        if (size != 7 || !(bytes [5] & 1))
            return -1;
        out->number = (uint32_t)s_get (bytes + 1, 4);
        out->mask = (uint16_t)s_get (bytes + 5, 2);
        return 0;
    case MESHWIRE_REVOKED:
        if (size < 6 || size > 5 + MESHWIRE_REVOKED_MAX)
            return -1;
        out->number = (uint32_t)s_get (bytes + 1, 4);
        out->bytes = bytes + 5;
        out->size = size - 5;
        return 0;
    case MESHWIRE_PLACES:
        return s_decode_places (out, bytes, size);
    }
    return -1;
}
