//  A credential with its issuer: forged, and signed by the right keys over nonsense.

#include "fuzz.h"

#include <sodium.h>
#include "identity.h"

static sign_keys_t s_authority, s_issuer;
static uint8_t *s_cert;
static size_t s_cert_size;
static uint8_t s_district [DISTRICT_SIZE];

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    FUZZ_EXPECT (identity_init () == 0);
    //  fixed seeds: an input does the same on every machine
    uint8_t seed [crypto_sign_SEEDBYTES] = { 1 };
    crypto_sign_seed_keypair (s_authority.public_key, s_authority.secret_key, seed);
    seed [0] = 2;
    crypto_sign_seed_keypair (s_issuer.public_key, s_issuer.secret_key, seed);
    identity_district (s_district, s_authority.public_key, "fuzz");
    s_cert_size = issuer_issue (&s_cert, s_district, "fuzz", s_issuer.public_key, 1000, 1000000, &s_authority);
    FUZZ_EXPECT (s_cert_size);
    return 0;
}

static uint8_t *s_sign (const sign_keys_t *keys, const char *context, const uint8_t *body, size_t size, size_t *packed)
{
    uint8_t signature [SIGNATURE_SIZE];
    Patrol__Signed message = PATROL__SIGNED__INIT;
    identity_sign (signature, keys, context, body, size);
    message.body = (ProtobufCBinaryData){ size, (uint8_t *)(uintptr_t)body };
    message.signature = (ProtobufCBinaryData){ sizeof signature, signature };
    uint8_t *out = malloc (patrol__signed__get_packed_size (&message) + 1);
    FUZZ_EXPECT (out);
    *packed = patrol__signed__pack (&message, out);
    return out;
}

static bool s_verify (const uint8_t *credential, size_t credential_size, const uint8_t *issuer, size_t issuer_size)
{
    credential_t out;
    const char *reason = NULL;
    if (credential_verify (&out, credential, credential_size, issuer, issuer_size, s_authority.public_key, 5000, &reason)) {
        FUZZ_EXPECT (reason && *reason);
        return false;
    }
    FUZZ_EXPECT (memchr (out.station, 0, sizeof out.station) && memchr (out.unit, 0, sizeof out.unit));
    FUZZ_EXPECT (out.from_ms <= 5000 && out.until_ms >= 5000);
    FUZZ_EXPECT (memcmp (out.district, s_district, DISTRICT_SIZE) == 0);
    return true;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    uint8_t how = fuzz_byte (&data, &size);
    uint8_t *copy = fuzz_copy (data, size), *packed;
    size_t packed_size;
    switch (how % 3) {
    case 0:
        FUZZ_EXPECT (!s_verify (copy, size, s_cert, s_cert_size));
        break;
    case 1:
        packed = s_sign (&s_issuer, CONTEXT_CREDENTIAL, copy, size, &packed_size);
        s_verify (packed, packed_size, s_cert, s_cert_size);
        free (packed);
        break;
    default:
        //  an issuer signed by the authority over nonsense, and a credential that nobody signed
        packed = s_sign (&s_authority, CONTEXT_ISSUER, copy, size, &packed_size);
        FUZZ_EXPECT (!s_verify (copy, size, packed, packed_size));
        free (packed);
        break;
    }
    free (copy);
    return 0;
}
