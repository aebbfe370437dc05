//  meshword - see meshword.h

#include "meshword.h"

#include <sodium.h>
#include <string.h>

static uint64_t s_get (const uint8_t *bytes, int size)
{
    uint64_t number = 0;
    for (int i = size - 1; i >= 0; i--)
        number = number << 8 | bytes [i];
    return number;
}

static void s_put (uint8_t *bytes, int size, uint64_t number)
{
    for (int i = 0; i < size; i++, number >>= 8)
        bytes [i] = (uint8_t)number;
}

//  ---- words

size_t word_sign (uint8_t out [WORD_MAX], const word_t *word, const sign_keys_t *keys)
{
    if (word->body_size > WORD_MAX - WORD_MIN)
        return 0;
    //  The body may lie in `out` already, where it belongs.
    memmove (out + WORD_HEADER, word->body, word->body_size);
    memset (out, 0, WORD_HEADER);
    out [0] = 1;
    out [1] = (uint8_t)word->kind;
    memcpy (out + 4, word->district, DISTRICT_SIZE);
    s_put (out + 12, 8, word->number);
    s_put (out + 20, 8, (uint64_t)word->at_ms);
    size_t size = WORD_HEADER + word->body_size;
    identity_sign (out + size, keys, CONTEXT_WORD, out, size);
    return size + SIGNATURE_SIZE;
}

int word_parse (word_t *out, const uint8_t *bytes, size_t size)
{
    if (size < WORD_MIN || size > WORD_MAX || bytes [0] != 1 || bytes [1] < WORD_LETTER || bytes [1] > WORD_REVOKED
        || bytes [2] || bytes [3])
        return -1;
    out->kind = (word_kind_t)bytes [1];
    memcpy (out->district, bytes + 4, DISTRICT_SIZE);
    out->number = s_get (bytes + 12, 8);
    out->at_ms = (int64_t)s_get (bytes + 20, 8);
    out->body = bytes + WORD_HEADER;
    out->body_size = size - WORD_MIN;
    return out->at_ms >= 0 ? 0 : -1;
}

int word_verify (word_t *out, const uint8_t *bytes, size_t size, const uint8_t public_key [KEY_SIZE])
{
    if (word_parse (out, bytes, size))
        return -1;
    size_t signed_size = size - SIGNATURE_SIZE;
    return identity_verify (bytes + signed_size, public_key, CONTEXT_WORD, bytes, signed_size) ? 0 : -1;
}

//  ---- letters

size_t letter_write (uint8_t out [WORD_MAX], const word_t *word, uint32_t day, uint32_t life_h,
    const uint8_t shared [KEY_SIZE], const ProtobufCMessage *message, const sign_keys_t *keys)
{
    uint8_t *body = out + WORD_HEADER;
    s_put (body, 4, day);
    envelope_handle (body + 4, shared, day);
    s_put (body + 4 + HANDLE_SIZE, 4, life_h);
    size_t size = box_seal (body + LETTER_HEADER, LETTER_BOX_MAX, shared, DOMAIN_LETTER, message);
    if (!size)
        return 0;
    word_t letter = *word;
    letter.kind = WORD_LETTER;
    letter.body = body;
    letter.body_size = LETTER_HEADER + size;
    return word_sign (out, &letter, keys);
}

int letter_parse (letter_t *out, const word_t *word)
{
    if (word->kind != WORD_LETTER || word->body_size < LETTER_HEADER + BOX_OVERHEAD)
        return -1;
    out->day = (uint32_t)s_get (word->body, 4);
    memcpy (out->handle, word->body + 4, HANDLE_SIZE);
    out->life_h = (uint32_t)s_get (word->body + 4 + HANDLE_SIZE, 4);
    out->box = word->body + LETTER_HEADER;
    out->box_size = word->body_size - LETTER_HEADER;
    return out->life_h >= 1 && out->life_h <= 72 ? 0 : -1;
}

//  ---- revoked devices

void revoked_id (uint8_t out [REVOKED_ID], const uint8_t link_key [KEY_SIZE])
{
    uint8_t hash [32];
    crypto_generichash_state state;
    crypto_generichash_init (&state, NULL, 0, sizeof hash);
    crypto_generichash_update (&state, (const uint8_t *)"revoked", 7);
    crypto_generichash_update (&state, link_key, KEY_SIZE);
    crypto_generichash_final (&state, hash, sizeof hash);
    memcpy (out, hash, REVOKED_ID);
}

bool revoked_has (const word_t *list, const uint8_t link_key [KEY_SIZE])
{
    uint8_t id [REVOKED_ID];
    if (list->kind != WORD_REVOKED || list->body_size % REVOKED_ID)
        return false;
    revoked_id (id, link_key);
    for (size_t i = 0; i < list->body_size; i += REVOKED_ID)
        if (memcmp (list->body + i, id, REVOKED_ID) == 0)
            return true;
    return false;
}

//  ---- the trailer

void carried_write (uint8_t out [CARRIED_SIZE], const carried_t *carried)
{
    memset (out, 0, CARRIED_SIZE);
    out [0] = (uint8_t)(carried->hops < 255 ? carried->hops : 255);
    out [1] = carried->told;
    s_put (out + 4, 4, carried->age_s);
}

bool carried_split (carried_t *out, const uint8_t *bytes, size_t *size)
{
    envelope_header_t header;
    if (*size < ENVELOPE_MIN + CARRIED_SIZE || envelope_parse (&header, bytes, *size - CARRIED_SIZE))
        return false;
    const uint8_t *trailer = bytes + *size - CARRIED_SIZE;
    if (trailer [1] > 1 || trailer [2] || trailer [3])
        return false;
    out->hops = trailer [0];
    out->told = trailer [1];
    out->age_s = (uint32_t)s_get (trailer + 4, 4);
    *size -= CARRIED_SIZE;
    return true;
}
