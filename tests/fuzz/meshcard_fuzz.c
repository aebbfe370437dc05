//  A card of a stranger inside a CURVE session, whole and with its inner messages changed and signed again.

#include "fuzz.h"

#include <sys/stat.h>
#include "../unit/testdistrict.h"
#include "meshcard.h"

static testdistrict_t s_district;
static device_t *s_device;

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    const char *folder = fuzz_folder_make ();
    FUZZ_EXPECT (identity_init () == 0);
    fuzz_quiet ();
    testdistrict_make (&s_district, "fuzz");
    s_device = testdistrict_node (&s_district, folder);
    FUZZ_EXPECT (s_device);
    return 0;
}

//  Signs a body of any bytes as the district's issuer would.
static size_t s_sign (uint8_t *out, size_t room, const uint8_t *body, size_t size)
{
    Patrol__Signed message = PATROL__SIGNED__INIT;
    uint8_t signature [SIGNATURE_SIZE];
    identity_sign (signature, &s_district.issuer, CONTEXT_CREDENTIAL, body, size);
    message.body = (ProtobufCBinaryData){ size, (uint8_t *)(uintptr_t)body };
    message.signature = (ProtobufCBinaryData){ SIGNATURE_SIZE, signature };
    size_t packed = patrol__signed__get_packed_size (&message);
    return packed <= room ? patrol__signed__pack (&message, out) : 0;
}

static void s_read (const uint8_t *card, size_t size)
{
    credential_t who;
    card_verdict_t verdict = meshcard_read (&who, card, size, s_device, time_now_ms ());
    FUZZ_EXPECT (*card_verdict_name (verdict));
    uint8_t claimed [KEY_SIZE];
    bool claims = meshcard_claimed (claimed, card, size) == 0;
    FUZZ_EXPECT (claims || (verdict != CARD_OK && verdict != CARD_EXPIRED));
    if (verdict != CARD_OK)
        return;
    FUZZ_EXPECT (who.role == PATROL__ROLE__NODE && memcmp (who.district, s_district.id, DISTRICT_SIZE) == 0);
    FUZZ_EXPECT (who.from_ms < who.until_ms && memchr (who.unit, 0, sizeof who.unit));
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (fuzz_byte (&data, &size) & 1) {
        s_read (data, size);
        return 0;
    }
    uint8_t card [CARD_MAX] = { 1, 1 };
    size_t issuer_size = s_district.issuer_size;
    memcpy (card + 8, s_district.issuer_cert, issuer_size);
    size_t signed_size = s_sign (card + 8 + issuer_size, sizeof card - 8 - issuer_size, data, size);
    card [4] = (uint8_t)issuer_size;
    card [5] = (uint8_t)(issuer_size >> 8);
    card [6] = (uint8_t)signed_size;
    card [7] = (uint8_t)(signed_size >> 8);
    s_read (card, 8 + issuer_size + signed_size);
    return 0;
}
