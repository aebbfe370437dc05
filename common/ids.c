//  ids - the numbers people read and type: tips, incidents; see identity.h

#include <sodium.h>
#include <string.h>
#include "identity.h"

#define ID_LENGTH 13u //  13 digits of 5 bits: one bit to spare
#define EPOCH_2020_MS INT64_C (1577836800000)
#define INCIDENT_TIME_BITS 42u
#define INCIDENT_HASH_BITS 22u

static const char digits [] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void id64_format (char out [14], uint64_t number)
{
    for (unsigned index = 0; index < ID_LENGTH; index++)
        out [index] = digits [number >> (5 * (ID_LENGTH - 1 - index)) & 31];
    out [ID_LENGTH] = 0;
}

//  Value of a character, with the slips O, I and L; -1 if it is none.
static int s_digit (char letter)
{
    if (letter >= 'a' && letter <= 'z')
        letter = (char)(letter - 'a' + 'A');
    if (letter == 'O')
        return 0;
    if (letter == 'I' || letter == 'L')
        return 1;
    const char *found = letter ? strchr (digits, letter) : NULL;
    return found ? (int)(found - digits) : -1;
}

int id64_parse (uint64_t *number, const char *text, size_t size)
{
    if (size != ID_LENGTH)
        return -1;
    uint64_t result = 0;
    for (unsigned index = 0; index < ID_LENGTH; index++) {
        int value = s_digit (text [index]);
        if (value < 0 || (index == 0 && value > 15))
            return -1;
        result = result << 5 | (uint64_t)value;
    }
    *number = result;
    return 0;
}

static void s_put64 (uint8_t *out, uint64_t value)
{
    for (unsigned index = 0; index < 8; index++)
        out [index] = (uint8_t)(value >> (8 * index));
}

//  First 8 octets of the BLAKE2b-256 of the bytes, as a little endian number.
static uint64_t s_hash64 (const uint8_t *bytes, size_t size)
{
    uint8_t hash [32];
    uint64_t number = 0;
    crypto_generichash (hash, sizeof hash, bytes, size, NULL, 0);
    for (unsigned index = 0; index < 8; index++)
        number |= (uint64_t)hash [index] << (8 * index);
    return number;
}

uint64_t tip_number (const uint8_t device_key [KEY_SIZE], uint64_t epoch, uint64_t counter)
{
    uint8_t input [3 + KEY_SIZE + 16];
    memcpy (input, "tip", 3);
    memcpy (input + 3, device_key, KEY_SIZE);
    s_put64 (input + 3 + KEY_SIZE, epoch);
    s_put64 (input + 3 + KEY_SIZE + 8, counter);
    return s_hash64 (input, sizeof input);
}

//  Milliseconds since 2020 in 42 bits, which last until 2159; a clock outside that is set to the nearest end.
static uint64_t s_incident_time (int64_t written_ms)
{
    const uint64_t most = (UINT64_C (1) << INCIDENT_TIME_BITS) - 1;
    if (written_ms <= EPOCH_2020_MS)
        return 0;
    uint64_t since = (uint64_t)written_ms - (uint64_t)EPOCH_2020_MS;
    return since > most ? most : since;
}

uint64_t incident_id_first (int64_t written_ms)
{
    return s_incident_time (written_ms) << INCIDENT_HASH_BITS;
}

uint64_t incident_id (const uint8_t district [DISTRICT_SIZE], const uint8_t device_key [KEY_SIZE], uint64_t epoch,
    uint64_t counter, int64_t written_ms)
{
    uint8_t input [DISTRICT_SIZE + KEY_SIZE + 16];
    memcpy (input, district, DISTRICT_SIZE);
    memcpy (input + DISTRICT_SIZE, device_key, KEY_SIZE);
    s_put64 (input + DISTRICT_SIZE + KEY_SIZE, epoch);
    s_put64 (input + DISTRICT_SIZE + KEY_SIZE + 8, counter);
    uint64_t hash = s_hash64 (input, sizeof input) & ((UINT64_C (1) << INCIDENT_HASH_BITS) - 1);
    return incident_id_first (written_ms) | hash;
}
