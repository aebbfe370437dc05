//  zapframes: what libzmq asks about a handshake, and everything that it would not ask

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "zapframes.h"

#define PARTS 7

typedef struct {
    void *zmq, *rep, *req;
} fixture_t;

typedef struct {
    const void *bytes;
    size_t size;
} part_t;

static const uint8_t s_key [KEY_SIZE + 1] = "0123456789abcdef0123456789abcdef";

//  A request as it should be, of the domain "here".
static void s_good (part_t parts [PARTS + 2])
{
    const part_t good [PARTS + 2] = { { "1.0", 3 }, { "7", 1 }, { "here", 4 }, { "127.0.0.1", 9 }, { "", 0 }, { "CURVE", 5 },
        { s_key, KEY_SIZE }, { "more", 4 }, { "and more", 8 } };
    memcpy (parts, good, sizeof good);
}

static int s_setup (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    int none = 0;
    assert_non_null (f);
    f->zmq = zmq_ctx_new ();
    f->rep = zmq_socket (f->zmq, ZMQ_REP);
    f->req = zmq_socket (f->zmq, ZMQ_REQ);
    zmq_setsockopt (f->req, ZMQ_LINGER, &none, sizeof none);
    assert_int_equal (zmq_bind (f->rep, ZAPFRAMES_ENDPOINT), 0);
    assert_int_equal (zmq_connect (f->req, ZAPFRAMES_ENDPOINT), 0);
    *state = f;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *f = *state;
    zmq_close (f->req);
    zmq_close (f->rep);
    zmq_ctx_term (f->zmq);
    free (f);
    return 0;
}

//  Asks, reads, answers `status`; what was read is in *out.
static void s_ask (fixture_t *f, const part_t *parts, int count, zapframes_t *out, const char *status, const char *user)
{
    char bytes [ZAPFRAMES_PART];
    const char *wanted [] = { "1.0", NULL, status, "", user, "" };
    for (int i = 0; i < count; i++)
        assert_true (zmq_send (f->req, parts [i].bytes, parts [i].size, i + 1 < count ? ZMQ_SNDMORE : 0) >= 0);
    assert_int_equal (zapframes_read (f->rep, "here", out), 0);
    assert_int_equal (zapframes_answer (f->rep, out, status, user), 0);
    for (int i = 0; i < 6; i++) {
        int size = zmq_recv (f->req, bytes, sizeof bytes, 0);
        if (wanted [i]) {
            assert_int_equal (size, strlen (wanted [i]));
            assert_memory_equal (bytes, wanted [i], strlen (wanted [i]));
        } else
            assert_int_equal (size, out->id_size);
    }
}

static void test_a_request_is_read_and_answered (void **state)
{
    fixture_t *f = *state;
    zapframes_t request;
    part_t parts [PARTS + 2];
    s_good (parts);
    assert_int_equal (zapframes_read (f->rep, "here", &request), -1); //  there is none
    s_ask (f, parts, PARTS, &request, "200", "somebody");
    assert_true (request.fits);
    assert_memory_equal (request.key, s_key, KEY_SIZE);
    assert_memory_equal (request.id, "7", 1);
}

//  Each part wrong, missing and too long, and parts too many: read to the end, does not fit, and can be answered.
static void test_what_does_not_fit_is_answered_too (void **state)
{
    fixture_t *f = *state;
    static const uint8_t longer [ZAPFRAMES_PART + 10] = { 'x' };
    static const struct {
        int part;
        part_t instead;
    } wrong [] = { { 0, { "1.1", 3 } }, { 0, { "1.00", 4 } }, { 0, { "", 0 } }, { 2, { "there", 5 } }, { 2, { "her", 3 } },
        { 2, { "", 0 } }, { 5, { "PLAIN", 5 } }, { 5, { "NULL", 4 } }, { 6, { s_key, KEY_SIZE - 1 } },
        { 6, { s_key, KEY_SIZE + 1 } }, { 6, { "", 0 } } };
    zapframes_t request;
    part_t parts [PARTS + 2];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        s_good (parts);
        parts [wrong [i].part] = wrong [i].instead;
        s_ask (f, parts, PARTS, &request, "400", "");
        assert_false (request.fits);
    }
    for (int part = 0; part < PARTS; part++) {
        s_good (parts);
        parts [part] = (part_t){ longer, sizeof longer };
        s_ask (f, parts, PARTS, &request, "400", "");
        assert_false (request.fits);
    }
    s_good (parts);
    for (int count = 1; count <= PARTS + 2; count++) {
        s_ask (f, parts, count, &request, "400", "");
        assert_true (request.fits == (count == PARTS));
    }
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_a_request_is_read_and_answered, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_what_does_not_fit_is_answered_too, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
