//  meshcard - see meshcard.h

#include "meshcard.h"

#include <sodium.h>
#include <string.h>

#define HEADER 8u
#define LABEL "patrol mesh proof 1"

size_t meshcard_write (uint8_t out [CARD_MAX], const device_t *device)
{
    device_chain_t chain;
    device_chain (device, &chain);
    out [0] = out [1] = CARD_VERSION;
    out [2] = out [3] = 0;
    out [4] = (uint8_t)chain.issuer_size;
    out [5] = (uint8_t)(chain.issuer_size >> 8);
    out [6] = (uint8_t)chain.credential_size;
    out [7] = (uint8_t)(chain.credential_size >> 8);
    memcpy (out + HEADER, chain.issuer, chain.issuer_size);
    memcpy (out + HEADER + chain.issuer_size, chain.credential, chain.credential_size);
    return HEADER + chain.issuer_size + chain.credential_size;
}

static int s_parts (const uint8_t *bytes, size_t size, size_t *issuer_size, size_t *credential_size)
{
    if (size < HEADER || size > CARD_MAX || bytes [2] || bytes [3] || bytes [0] > bytes [1])
        return -1;
    *issuer_size = (size_t)(bytes [4] | bytes [5] << 8);
    *credential_size = (size_t)(bytes [6] | bytes [7] << 8);
    return *issuer_size && *credential_size && size == HEADER + *issuer_size + *credential_size ? 0 : -1;
}

card_verdict_t meshcard_read (credential_t *out, const uint8_t *bytes, size_t size, const device_t *device, int64_t now_ms)
{
    size_t issuer_size, credential_size;
    if (s_parts (bytes, size, &issuer_size, &credential_size))
        return CARD_MALFORMED;
    //  "both say the versions they speak; the link uses the highest that both have"
    if (bytes [0] > CARD_VERSION || bytes [1] < CARD_VERSION)
        return CARD_OTHER_VERSION;
    const char *reason = NULL;
    if (credential_verify (out, bytes + HEADER + issuer_size, credential_size, bytes + HEADER, issuer_size,
            device_authority (device), now_ms, &reason))
        return credential_untimely (reason) ? CARD_EXPIRED : CARD_FOREIGN;
    //  One authority may have several districts.
    if (memcmp (out->district, device_credential (device)->district, DISTRICT_SIZE) != 0)
        return CARD_FOREIGN;
    if (out->role != PATROL__ROLE__NODE)
        return CARD_NO_NODE;
    return memcmp (out->link_key, device_link_keys (device)->public_key, KEY_SIZE) == 0 ? CARD_OURSELF : CARD_OK;
}

int meshcard_claimed (uint8_t key [KEY_SIZE], const uint8_t *bytes, size_t size)
{
    size_t issuer_size, credential_size;
    credential_t claimed;
    if (s_parts (bytes, size, &issuer_size, &credential_size)
        || credential_claimed (&claimed, bytes + HEADER + issuer_size, credential_size))
        return -1;
    memcpy (key, claimed.device_key, KEY_SIZE);
    return 0;
}

const char *card_verdict_name (card_verdict_t verdict)
{
    switch (verdict) {
    case CARD_OK:
        return "ok";
    case CARD_MALFORMED:
        return "malformed";
    case CARD_OTHER_VERSION:
        return "version";
    case CARD_FOREIGN:
        return "foreign";
    case CARD_EXPIRED:
        return "expired";
    case CARD_REVOKED:
        return "revoked";
    case CARD_BANNED:
        return "banned";
    case CARD_NO_NODE:
        return "no_node";
    case CARD_OURSELF:
        return "ourself";
    case CARD_UNPROVEN:
        return "unproven";
    case CARD_LATE:
        return "late";
    case CARD_VERDICTS:
        break;
    }
    return "";
}

int meshcard_proof (uint8_t out [PROOF_SIZE], proof_role_t role, const proof_facts_t *facts, const box_keys_t *own_link,
    const uint8_t other_link [KEY_SIZE])
{
    uint8_t shared [KEY_SIZE], dialer [32], listener [32], number = (uint8_t)role;
    if (envelope_shared (shared, other_link, own_link->secret_key))
        return -1;
    crypto_generichash (dialer, sizeof dialer, facts->dialer_card, facts->dialer_card_size, NULL, 0);
    crypto_generichash (listener, sizeof listener, facts->listener_card, facts->listener_card_size, NULL, 0);
    crypto_generichash_state state;
    crypto_generichash_init (&state, shared, KEY_SIZE, PROOF_SIZE);
    crypto_generichash_update (&state, (const uint8_t *)LABEL, sizeof LABEL - 1);
    crypto_generichash_update (&state, &number, 1);
    crypto_generichash_update (&state, facts->listener_key, KEY_SIZE);
    crypto_generichash_update (&state, facts->dialer_key, KEY_SIZE);
    crypto_generichash_update (&state, dialer, sizeof dialer);
    crypto_generichash_update (&state, listener, sizeof listener);
    crypto_generichash_final (&state, out, PROOF_SIZE);
    identity_wipe (shared, sizeof shared);
    return 0;
}

bool meshcard_proof_is (const uint8_t a [PROOF_SIZE], const uint8_t b [PROOF_SIZE])
{
    return sodium_memcmp (a, b, PROOF_SIZE) == 0;
}
