//  Datagrams of whoever is near: beacons and the key exchange.

#include "fuzz.h"

#include "beacon.h"

int LLVMFuzzerInitialize (int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    FUZZ_EXPECT (identity_init () == 0);
    return 0;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    beacon_t beacon;
    uint8_t again [KEY_DATAGRAM], nonce [KEY_NONCE], key [KEY_SIZE];
    if (beacon_read (&beacon, data, size) == 0) {
        FUZZ_EXPECT (size == BEACON_SIZE && beacon.port > 0);
        beacon_write (again, &beacon);
        FUZZ_EXPECT (memcmp (again, data, size) == 0);
    }
    key_word_t word = beacon_read_key (nonce, key, data, size);
    if (word == KEY_ASKED)
        beacon_ask_key (again, nonce);
    if (word == KEY_TOLD)
        beacon_tell_key (again, nonce, key);
    if (word != KEY_NONE)
        FUZZ_EXPECT (size == KEY_DATAGRAM && memcmp (again, data, size) == 0);
    return 0;
}
