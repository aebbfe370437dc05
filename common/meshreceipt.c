//  meshreceipt - see meshreceipt.h

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "meshreceipt.h"

#define VERSION 1u
#define HEADER 29u
#define SHORT_ID 5u
#define LONG_ID 8u
#define SIGNATURE 64u
#define SALT_AT 17u

static const char s_epoch_domain [] = "patrolmesh epoch", s_single_domain [] = "patrolmesh single";

static void s_put (uint8_t *out, uint64_t value, unsigned size)
{
    for (unsigned index = 0; index < size; index++)
        out [index] = (uint8_t)(value >> (8 * index));
}

static uint64_t s_get (const uint8_t *bytes, unsigned size)
{
    uint64_t value = 0;
    for (unsigned index = size; index-- > 0;)
        value = value << 8 | bytes [index];
    return value;
}

//  SipHash-2-4 takes a key of 16; the salt is its first half.
static uint64_t s_id (const uint8_t salt [8], const uint8_t mid [MESHRECEIPT_MID], unsigned size)
{
    uint8_t key [16] = { 0 }, hash [8];
    memcpy (key, salt, 8);
    crypto_shorthash_siphash24 (hash, mid, MESHRECEIPT_MID, key);
    return s_get (hash, size);
}

static int s_compare (const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

//  Signs or verifies domain || bytes, in one piece: epochs are small.
static void s_signed_text (crypto_sign_state *state, const char *domain, const uint8_t *bytes, size_t size)
{
    crypto_sign_init (state);
    crypto_sign_update (state, (const uint8_t *)domain, strlen (domain));
    crypto_sign_update (state, bytes, size);
}

//  Writes the ids of one list, ascending and each once; returns how many.
static uint32_t s_write_ids (uint8_t *out, const uint8_t salt [8], const uint8_t (*mids) [MESHRECEIPT_MID], const bool *sos,
    bool want_sos, size_t count)
{
    unsigned size = want_sos ? LONG_ID : SHORT_ID;
    uint64_t ids [MESHRECEIPT_IDS_MAX];
    uint32_t used = 0, written = 0;
    for (size_t index = 0; index < count; index++)
        if (sos [index] == want_sos)
            ids [used++] = s_id (salt, mids [index], size);
    qsort (ids, used, sizeof ids [0], s_compare);
    for (uint32_t index = 0; index < used; index++)
        if (index == 0 || ids [index] != ids [index - 1])
            s_put (out + size * written++, ids [index], size);
    return written;
}

size_t meshreceipt_epoch_sign (uint8_t *out, const meshreceipt_epoch_t *epoch, const uint8_t salt [8],
    const uint8_t (*mids) [MESHRECEIPT_MID], const bool *sos, size_t count, const uint8_t secret [MESHRECEIPT_SECRET])
{
    assert (count > 0 && count <= MESHRECEIPT_IDS_MAX && epoch->number > 0);
    assert (epoch->oldest > 0 && epoch->oldest <= epoch->number);
    out [0] = VERSION;
    s_put (out + 1, epoch->series, 4);
    s_put (out + 5, epoch->number, 4);
    s_put (out + 9, epoch->oldest, 4);
    s_put (out + 13, epoch->closed_s, 4);
    memcpy (out + SALT_AT, salt, 8);
    uint32_t shorts = s_write_ids (out + HEADER, salt, mids, sos, false, count);
    uint32_t longs = s_write_ids (out + HEADER + SHORT_ID * shorts, salt, mids, sos, true, count);
    s_put (out + 25, shorts, 2);
    s_put (out + 27, longs, 2);
    size_t size = HEADER + SHORT_ID * shorts + LONG_ID * longs;
    crypto_sign_state state;
    s_signed_text (&state, s_epoch_domain, out, size);
    crypto_sign_final_create (&state, out + size, NULL, secret);
    return size + SIGNATURE;
}

int meshreceipt_epoch_parse (meshreceipt_epoch_t *out, const uint8_t *bytes, size_t size)
{
    if (size < MESHRECEIPT_EPOCH_MIN || size > MESHRECEIPT_EPOCH_MAX || bytes [0] != VERSION)
        return -1;
    *out = (meshreceipt_epoch_t){ .series = (uint32_t)s_get (bytes + 1, 4),
        .number = (uint32_t)s_get (bytes + 5, 4),
        .oldest = (uint32_t)s_get (bytes + 9, 4),
        .closed_s = (uint32_t)s_get (bytes + 13, 4),
        .shorts = (uint32_t)s_get (bytes + 25, 2),
        .longs = (uint32_t)s_get (bytes + 27, 2) };
    uint32_t ids = out->shorts + out->longs;
    if (out->number == 0 || out->oldest == 0 || out->oldest > out->number || ids == 0 || ids > MESHRECEIPT_IDS_MAX)
        return -1;
    if (size != MESHRECEIPT_EPOCH_MIN + SHORT_ID * out->shorts + LONG_ID * out->longs)
        return -1;
    const uint8_t *shorts = bytes + HEADER, *longs = shorts + SHORT_ID * out->shorts;
    for (uint32_t index = 1; index < out->shorts; index++)
        if (s_get (shorts + SHORT_ID * index, SHORT_ID) <= s_get (shorts + SHORT_ID * (index - 1), SHORT_ID))
            return -1;
    for (uint32_t index = 1; index < out->longs; index++)
        if (s_get (longs + LONG_ID * index, LONG_ID) <= s_get (longs + LONG_ID * (index - 1), LONG_ID))
            return -1;
    return 0;
}

bool meshreceipt_epoch_verify (const uint8_t *bytes, size_t size, const uint8_t key [MESHRECEIPT_KEY])
{
    meshreceipt_epoch_t epoch;
    if (meshreceipt_epoch_parse (&epoch, bytes, size) < 0)
        return false;
    crypto_sign_state state;
    s_signed_text (&state, s_epoch_domain, bytes, size - SIGNATURE);
    uint8_t signature [SIGNATURE];
    memcpy (signature, bytes + size - SIGNATURE, SIGNATURE);
    return crypto_sign_final_verify (&state, signature, key) == 0;
}

bool meshreceipt_epoch_has (const uint8_t *bytes, size_t size, const uint8_t mid [MESHRECEIPT_MID], bool sos)
{
    assert (size >= MESHRECEIPT_EPOCH_MIN);
    uint32_t shorts = (uint32_t)s_get (bytes + 25, 2), longs = (uint32_t)s_get (bytes + 27, 2);
    unsigned width = sos ? LONG_ID : SHORT_ID;
    const uint8_t *list = bytes + HEADER + (sos ? SHORT_ID * shorts : 0);
    uint32_t low = 0, high = sos ? longs : shorts;
    if (high == 0)
        return false;
    assert (size == MESHRECEIPT_EPOCH_MIN + SHORT_ID * shorts + LONG_ID * longs);
    uint64_t id = s_id (bytes + SALT_AT, mid, width);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t at = s_get (list + width * middle, width);
        if (at == id)
            return true;
        if (at < id)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

//  time || mid, what a single's signature covers
static void s_single_text (crypto_sign_state *state, const uint8_t *time, const uint8_t *mid)
{
    uint8_t text [4 + MESHRECEIPT_MID];
    memcpy (text, time, 4);
    memcpy (text + 4, mid, MESHRECEIPT_MID);
    s_signed_text (state, s_single_domain, text, sizeof text);
}

void meshreceipt_single_sign (uint8_t out [MESHRECEIPT_SINGLE], const uint8_t mid [MESHRECEIPT_MID], uint32_t time_s,
    const uint8_t secret [MESHRECEIPT_SECRET])
{
    crypto_sign_state state;
    s_put (out, time_s, 4);
    s_single_text (&state, out, mid);
    crypto_sign_final_create (&state, out + 4, NULL, secret);
}

bool meshreceipt_single_verify (
    const uint8_t bytes [MESHRECEIPT_SINGLE], const uint8_t mid [MESHRECEIPT_MID], const uint8_t key [MESHRECEIPT_KEY])
{
    crypto_sign_state state;
    uint8_t signature [SIGNATURE];
    s_single_text (&state, bytes, mid);
    memcpy (signature, bytes + 4, SIGNATURE);
    return crypto_sign_final_verify (&state, signature, key) == 0;
}
