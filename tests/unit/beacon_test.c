//  beacon_test - 32 octets that say little, the key exchange, and both over real sockets of this machine

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include "beacon.h"
#include "timefmt.h"

//  PROTOCOL.md, "Mesh": the bytes.
static void test_the_bytes_of_a_beacon (void **state)
{
    (void)state;
    static const uint8_t wanted [BEACON_SIZE] = { 'P', 1, 0x0f, 0x1d, 1, 2, 3, 4, 5, 6, 7, 8, 0xa1, 0xa2, 0xa3, 0xa4, 0x10,
        0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f };
    beacon_t beacon = { .port = 7439, .token = { 1, 2, 3, 4, 5, 6, 7, 8 }, .tag = { 0xa1, 0xa2, 0xa3, 0xa4 } }, again;
    uint8_t bytes [BEACON_SIZE];
    for (int i = 0; i < 16; i++)
        beacon.routing [i] = (uint8_t)(0x10 + i);
    beacon_write (bytes, &beacon);
    assert_memory_equal (bytes, wanted, sizeof wanted);
    assert_int_equal (beacon_read (&again, bytes, sizeof bytes), 0);
    assert_memory_equal (&again, &beacon, sizeof beacon);
}

static void test_other_datagrams_are_no_beacons (void **state)
{
    (void)state;
    beacon_t beacon = { .port = 1 };
    uint8_t bytes [BEACON_SIZE + 1] = { 0 };
    beacon_write (bytes, &beacon);
    assert_int_equal (beacon_read (&beacon, bytes, BEACON_SIZE - 1), -1);
    assert_int_equal (beacon_read (&beacon, bytes, BEACON_SIZE + 1), -1);
    bytes [0] = 'Q';
    assert_int_equal (beacon_read (&beacon, bytes, BEACON_SIZE), -1);
    bytes [0] = 'P';
    bytes [1] = 2;
    assert_int_equal (beacon_read (&beacon, bytes, BEACON_SIZE), -1);
    bytes [1] = 1;
    bytes [2] = bytes [3] = 0; //  no port
    assert_int_equal (beacon_read (&beacon, bytes, BEACON_SIZE), -1);
}

static void test_the_tag_says_the_district_to_members_only (void **state)
{
    (void)state;
    uint8_t district [DISTRICT_SIZE] = { 1 }, other [DISTRICT_SIZE] = { 2 }, token [BEACON_TOKEN] = { 3 }, a [4], b [4];
    beacon_tag (a, district, token);
    beacon_tag (b, district, token);
    assert_memory_equal (a, b, 4);
    beacon_tag (b, other, token);
    assert_memory_not_equal (a, b, 4);
    token [0]++; //  a new token hides that it is the same node
    beacon_tag (b, district, token);
    assert_memory_not_equal (a, b, 4);
}

static void test_key_datagrams (void **state)
{
    (void)state;
    uint8_t nonce [KEY_NONCE] = "12345678", heard [KEY_NONCE], key [KEY_SIZE], got [KEY_SIZE],
                  bytes [KEY_DATAGRAM + 1] = { 0 };
    memset (key, 0x5a, sizeof key);
    beacon_ask_key (bytes, nonce);
    assert_int_equal (beacon_read_key (heard, got, bytes, KEY_DATAGRAM), KEY_ASKED);
    assert_memory_equal (heard, nonce, KEY_NONCE);
    beacon_tell_key (bytes, nonce, key);
    assert_int_equal (beacon_read_key (heard, got, bytes, KEY_DATAGRAM), KEY_TOLD);
    assert_memory_equal (got, key, KEY_SIZE);
    //  every octet beyond what is said is zero: the question is as long as the answer, and no room for more
    for (size_t i = 4 + KEY_NONCE + KEY_SIZE; i < KEY_DATAGRAM; i++) {
        bytes [i] = 1;
        assert_int_equal (beacon_read_key (heard, got, bytes, KEY_DATAGRAM), KEY_NONE);
        bytes [i] = 0;
    }
    assert_int_equal (beacon_read_key (heard, got, bytes, KEY_DATAGRAM - 1), KEY_NONE);
    assert_int_equal (beacon_read_key (heard, got, bytes, KEY_DATAGRAM + 1), KEY_NONE);
    bytes [3] = 3;
    assert_int_equal (beacon_read_key (heard, got, bytes, KEY_DATAGRAM), KEY_NONE);
}

//  ---- with sockets

typedef struct {
    int beacons, keys;
    beacon_t beacon;
    uint8_t nonce [KEY_NONCE], key [KEY_SIZE];
    char address [48];
} heard_t;

static void s_heard (void *context, const char *address, const beacon_t *beacon)
{
    heard_t *heard = context;
    heard->beacons++;
    heard->beacon = *beacon;
    snprintf (heard->address, sizeof heard->address, "%s", address);
}

static void s_key (void *context, const uint8_t nonce [KEY_NONCE], const uint8_t key [KEY_SIZE])
{
    heard_t *heard = context;
    heard->keys++;
    memcpy (heard->nonce, nonce, KEY_NONCE);
    memcpy (heard->key, key, KEY_SIZE);
}

static beacons_t *s_new (uint8_t district, uint8_t key, uint16_t *port)
{
    beacons_options_t options = { .beacon_port = 17421, .loopback = true };
    options.district [0] = district;
    options.key [0] = key;
    for (int tries = 0; tries < 50; tries++) {
        options.port = *port = (uint16_t)(12000 + randombytes_uniform (900));
        beacons_t *self = beacons_new (&options);
        if (self)
            return self;
        assert_int_equal (errno, EADDRINUSE);
    }
    fail ();
    return NULL;
}

//  Until something came, or nothing more can come.
static void s_process (beacons_t *self, heard_t *heard, const int *counter, int wanted)
{
    static const beacons_handler_t handler = { .heard = s_heard, .key = s_key };
    for (int tries = 0; tries < 200 && *counter < wanted; tries++) {
        struct pollfd items [2];
        int count = beacons_items (self, items);
        poll (items, (nfds_t)count, 25);
        beacons_process (self, time_mono_ms (), &handler, heard);
    }
}

static void test_two_nodes_of_one_machine_hear_each_other (void **state)
{
    (void)state;
    uint16_t ports [3];
    beacons_t *ann = s_new (1, 0xa, &ports [0]), *bob = s_new (1, 0xb, &ports [1]), *eve = s_new (2, 0xe, &ports [2]);
    heard_t at_ann = { 0 }, at_bob = { 0 };
    uint8_t routing [BEACON_ROUTING] = "neighbourhood";
    beacons_send (eve, routing, 1000);
    beacons_send (ann, routing, 1000);
    s_process (bob, &at_bob, &at_bob.beacons, 1);
    assert_true (at_bob.beacons >= 1); //  one an interface, and none of another district
    assert_int_equal (at_bob.beacon.port, ports [0]);
    assert_memory_equal (at_bob.beacon.routing, routing, BEACON_ROUTING);
    //  ann hears neither eve nor herself
    at_ann.beacons = 0;
    int never = 0;
    static const beacons_handler_t handler = { .heard = s_heard, .key = s_key };
    beacons_process (ann, time_mono_ms (), &handler, &at_ann);
    assert_int_equal (at_ann.beacons, never);
    //  the key behind the beacon
    uint8_t nonce [KEY_NONCE] = "whosekey";
    assert_int_equal (beacons_ask (bob, at_bob.address, at_bob.beacon.port, nonce), 0);
    for (int tries = 0; tries < 100 && at_bob.keys == 0; tries++) {
        beacons_process (ann, time_mono_ms (), &handler, &at_ann);
        struct pollfd items [2];
        poll (items, (nfds_t)beacons_items (bob, items), 25);
        beacons_process (bob, time_mono_ms (), &handler, &at_bob);
    }
    assert_int_equal (at_bob.keys, 1);
    assert_memory_equal (at_bob.nonce, nonce, KEY_NONCE);
    assert_int_equal (at_bob.key [0], 0xa);
    //  the token is another one after a quarter of an hour, and the beacon still ours
    uint8_t before [BEACON_TOKEN];
    memcpy (before, beacons_token (ann), BEACON_TOKEN);
    beacons_send (ann, routing, 1000 + 16 * 60000);
    assert_memory_not_equal (before, beacons_token (ann), BEACON_TOKEN);
    beacons_destroy (&ann);
    beacons_destroy (&bob);
    beacons_destroy (&eve);
    beacons_destroy (&eve);
}

int main (void)
{
    if (sodium_init () < 0)
        return 1;
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_the_bytes_of_a_beacon),
        cmocka_unit_test (test_other_datagrams_are_no_beacons),
        cmocka_unit_test (test_the_tag_says_the_district_to_members_only),
        cmocka_unit_test (test_key_datagrams),
        cmocka_unit_test (test_two_nodes_of_one_machine_hear_each_other),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
