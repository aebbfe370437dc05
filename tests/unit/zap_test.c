//  zap: handshakes against a real CURVE server in this process

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "timefmt.h"
#include "zap.h"

#define PATIENCE_MS 15000 //  a bound on waiting, never a measured promise
#define REFUSED 0

typedef struct {
    void *zmq, *server, *client, *monitor;
    zap_t *zap;
    box_keys_t keys;
    char endpoint [64];
} fixture_t;

static void s_set (void *socket, int option, int value)
{
    assert_int_equal (zmq_setsockopt (socket, option, &value, sizeof value), 0);
}

static int s_setup (void **state)
{
    fixture_t *self = calloc (1, sizeof *self);
    size_t size = sizeof self->endpoint;
    if (!self || identity_init ())
        return -1;
    box_keys_make (&self->keys);
    self->zmq = zmq_ctx_new ();
    self->zap = zap_new (self->zmq);
    assert_non_null (self->zap);
    self->server = zmq_socket (self->zmq, ZMQ_ROUTER);
    s_set (self->server, ZMQ_CURVE_SERVER, 1);
    s_set (self->server, 93, 1);
    s_set (self->server, ZMQ_LINGER, 0);
    s_set (self->server, ZMQ_HANDSHAKE_IVL, 2000); //  ends a handshake that was put off
    zmq_setsockopt (self->server, ZMQ_CURVE_SECRETKEY, self->keys.secret_key, KEY_SIZE);
    zmq_setsockopt (self->server, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen (ZAP_DOMAIN));
    assert_int_equal (zmq_bind (self->server, "tcp://127.0.0.1:*"), 0);
    assert_int_equal (zmq_getsockopt (self->server, ZMQ_LAST_ENDPOINT, self->endpoint, &size), 0);
    *state = self;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *self = *state;
    if (self->client) //  the test failed in the middle
        zmq_close (self->client);
    if (self->monitor)
        zmq_close (self->monitor);
    zmq_close (self->server);
    zap_destroy (&self->zap);
    zap_destroy (&self->zap);
    zmq_ctx_term (self->zmq);
    free (self);
    return 0;
}

//  What the client's monitor says of its handshake.
static int s_event (void *monitor)
{
    int64_t until = time_mono_ms () + PATIENCE_MS;
    while (time_mono_ms () < until) {
        uint8_t event [6];
        uint16_t kind;
        zmq_pollitem_t item = { monitor, 0, ZMQ_POLLIN, 0 };
        if (zmq_poll (&item, 1, 100) <= 0)
            continue;
        assert_int_equal (zmq_recv (monitor, event, sizeof event, 0), 6);
        zmq_recv (monitor, NULL, 0, 0);
        memcpy (&kind, event, sizeof kind);
        return kind;
    }
    fail_msg ("no handshake ended");
    return 0;
}

//  One handshake with the keys: the User-Id that the server sees, REFUSED, or -1 when it was put off.
static int s_knock (fixture_t *self, const box_keys_t *keys)
{
    static int number;
    char name [32];
    int result = REFUSED;
    void *client = self->client = zmq_socket (self->zmq, ZMQ_DEALER);
    void *monitor = self->monitor = zmq_socket (self->zmq, ZMQ_PAIR);
    snprintf (name, sizeof name, "inproc://knock.%d", number++);
    s_set (client, ZMQ_LINGER, 0);
    s_set (monitor, ZMQ_LINGER, 0);
    zmq_setsockopt (client, ZMQ_CURVE_SERVERKEY, self->keys.public_key, KEY_SIZE);
    zmq_setsockopt (client, ZMQ_CURVE_PUBLICKEY, keys->public_key, KEY_SIZE);
    zmq_setsockopt (client, ZMQ_CURVE_SECRETKEY, keys->secret_key, KEY_SIZE);
    zmq_socket_monitor (
        client, name, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED);
    zmq_connect (monitor, name);
    assert_int_equal (zmq_connect (client, self->endpoint), 0);
    int kind = s_event (monitor);
    if (kind == ZMQ_EVENT_DISCONNECTED)
        result = -1;
    if (kind == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        zmq_msg_t body;
        zmq_msg_init (&body);
        assert_int_equal (zmq_send (client, "hi", 2, 0), 2);
        assert_true (zmq_msg_recv (&body, self->server, 0) >= 0);
        assert_int_equal (zmq_msg_recv (&body, self->server, 0), 2);
        result = atoi (zmq_msg_gets (&body, "User-Id"));
        zmq_msg_close (&body);
    }
    zmq_socket_monitor (client, NULL, 0);
    zmq_close (monitor);
    zmq_close (client);
    self->client = self->monitor = NULL;
    return result;
}

static void s_listed (fixture_t *self)
{
    zap_list_begin (self->zap);
    zap_list_end (self->zap);
}

static uint64_t s_count (fixture_t *self, zap_reason_t reason)
{
    uint64_t counts [ZAP_REASONS];
    zap_counters (self->zap, counts);
    return counts [reason];
}

static void test_admitted_keys_come_in_with_their_index (void **state)
{
    fixture_t *self = *state;
    box_keys_t ann, wang;
    uint8_t key [KEY_SIZE];
    admission_t admission;
    box_keys_make (&ann);
    box_keys_make (&wang);
    s_listed (self);
    assert_int_equal (s_knock (self, &ann), REFUSED);
    assert_int_equal (s_count (self, ZAP_UNKNOWN), 1);
    uint32_t first = zap_admit (self->zap, ann.public_key, ADMIT_MEMBER, 0);
    uint32_t second = zap_admit (self->zap, wang.public_key, ADMIT_ENROL, time_now_ms () + 3600000);
    assert_int_not_equal (first, second);
    assert_int_equal (s_knock (self, &ann), first);
    assert_int_equal (s_knock (self, &wang), second);
    assert_int_equal (zap_key (self->zap, second, key, &admission), 0);
    assert_memory_equal (key, wang.public_key, KEY_SIZE);
    assert_int_equal (admission, ADMIT_ENROL);
    assert_int_equal (zap_admit (self->zap, wang.public_key, ADMIT_MEMBER, 0), second);
    assert_int_equal (zap_key (self->zap, second, key, &admission), 0);
    assert_int_equal (admission, ADMIT_MEMBER);
    assert_int_equal (zap_key (self->zap, 0, key, &admission), -1);
    assert_int_equal (zap_key (self->zap, second + 1, key, &admission), -1);
}

static void test_revoked_and_expired_keys_stay_out (void **state)
{
    fixture_t *self = *state;
    box_keys_t keys;
    uint8_t key [KEY_SIZE];
    admission_t admission;
    box_keys_make (&keys);
    s_listed (self);
    assert_int_equal (zap_revoke (self->zap, keys.public_key), 0);
    uint32_t index = zap_admit (self->zap, keys.public_key, ADMIT_MEMBER, time_now_ms () - 1);
    assert_int_equal (s_knock (self, &keys), REFUSED);
    assert_int_equal (s_count (self, ZAP_EXPIRED), 1);
    zap_admit (self->zap, keys.public_key, ADMIT_MEMBER, 0);
    assert_int_equal (s_knock (self, &keys), index);
    assert_int_equal (zap_revoke (self->zap, keys.public_key), index);
    assert_int_equal (zap_key (self->zap, index, key, &admission), -1);
    assert_int_equal (s_knock (self, &keys), REFUSED);
    assert_int_equal (s_count (self, ZAP_REVOKED), 1);
}

static void test_a_new_list_revokes_what_it_does_not_name (void **state)
{
    fixture_t *self = *state;
    box_keys_t stays, goes;
    box_keys_make (&stays);
    box_keys_make (&goes);
    assert_int_equal (s_knock (self, &stays), -1); //  before the first list: later, not never
    zap_list_begin (self->zap);
    uint32_t index = zap_admit (self->zap, stays.public_key, ADMIT_MEMBER, 0);
    zap_admit (self->zap, goes.public_key, ADMIT_MEMBER, 0);
    zap_list_end (self->zap);
    zap_list_begin (self->zap);
    assert_int_not_equal (s_knock (self, &goes), REFUSED);
    assert_int_equal (zap_admit (self->zap, stays.public_key, ADMIT_MEMBER, 0), index);
    zap_list_end (self->zap);
    assert_int_equal (s_knock (self, &stays), index);
    assert_int_equal (s_knock (self, &goes), REFUSED);
}

static void test_a_key_has_so_many_handshakes (void **state)
{
    fixture_t *self = *state;
    box_keys_t keys, other;
    box_keys_make (&keys);
    box_keys_make (&other);
    s_listed (self);
    zap_admit (self->zap, keys.public_key, ADMIT_MEMBER, 0);
    uint32_t index = zap_admit (self->zap, other.public_key, ADMIT_MEMBER, 0);
    int made = 0;
    while (made < 1000 && s_knock (self, &keys) > 0)
        made++;
    assert_in_range (made, 60, 999);
    assert_true (s_count (self, ZAP_TOO_MANY) >= 1);
    assert_int_equal (s_knock (self, &other), index);
}

static void test_many_keys (void **state)
{
    fixture_t *self = *state;
    uint8_t key [KEY_SIZE] = { 0 }, found [KEY_SIZE];
    admission_t admission;
    for (uint32_t i = 1; i <= 5000; i++) {
        memcpy (key, &i, sizeof i);
        assert_int_equal (zap_admit (self->zap, key, ADMIT_MEMBER, 0), i);
    }
    for (uint32_t i = 1; i <= 5000; i++) {
        memcpy (key, &i, sizeof i);
        assert_int_equal (zap_key (self->zap, i, found, &admission), 0);
        assert_memory_equal (found, key, KEY_SIZE);
        assert_int_equal (zap_revoke (self->zap, key), i);
    }
}

//  A request that is not ours is answered with a refusal, and the handler goes on.
static void test_malformed_requests (void **state)
{
    fixture_t *self = *state;
    static const char *const mechanisms [] = { "NULL", "PLAIN", "CURVE" };
    void *asker = zmq_socket (self->zmq, ZMQ_REQ);
    char answer [16];
    s_set (asker, ZMQ_LINGER, 0);
    assert_int_equal (zmq_connect (asker, "inproc://zeromq.zap.01"), 0);
    for (int i = 0; i < 3; i++) {
        zmq_send (asker, "1.0", 3, ZMQ_SNDMORE);
        zmq_send (asker, "7", 1, ZMQ_SNDMORE);
        zmq_send (asker, i == 2 ? "other" : ZAP_DOMAIN, i == 2 ? 5 : strlen (ZAP_DOMAIN), ZMQ_SNDMORE);
        zmq_send (asker, "127.0.0.1", 9, ZMQ_SNDMORE);
        zmq_send (asker, "", 0, ZMQ_SNDMORE);
        zmq_send (asker, mechanisms [i], strlen (mechanisms [i]), i == 0 ? 0 : ZMQ_SNDMORE);
        if (i > 0)
            zmq_send (asker, "0123456789012345678901234567890", 32, i == 1 ? ZMQ_SNDMORE : 0);
        if (i == 1)
            zmq_send (asker, "more", 4, 0);
        assert_int_equal (zmq_recv (asker, answer, sizeof answer, 0), 3);
        assert_int_equal (zmq_recv (asker, answer, sizeof answer, 0), 1);
        assert_int_equal (zmq_recv (asker, answer, sizeof answer, 0), 3);
        assert_memory_equal (answer, "400", 3);
        for (int part = 0; part < 3; part++)
            zmq_recv (asker, answer, sizeof answer, 0);
    }
    assert_int_equal (s_count (self, ZAP_MALFORMED), 3);
    zmq_close (asker);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_admitted_keys_come_in_with_their_index, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_revoked_and_expired_keys_stay_out, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_new_list_revokes_what_it_does_not_name, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_key_has_so_many_handshakes, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_many_keys, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_malformed_requests, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
