//  local: requests and answers between a command and its daemon, and what strangers may send

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "home.h"
#include "local.h"

typedef struct {
    local_t *local;
    int requests, gone;
    char last [32];
    local_client_t *waiting; //  asked "later"
} daemon_t;

static void s_request (void *context, local_client_t *client, json_t *request)
{
    daemon_t *self = context;
    self->requests++;
    const char *what = json_string_value (json_object_get (request, "do"));
    snprintf (self->last, sizeof self->last, "%s", what);
    local_set_data (client, self);
    if (strcmp (what, "count") == 0) {
        for (int index = 0; index < 3; index++)
            local_send (client, json_pack ("{s:i}", "n", index));
        local_end (client, 0, NULL);
    } else if (strcmp (what, "flood") == 0)
        for (int index = 0; index < 400; index++) {
            char filler [32768];
            memset (filler, 'x', sizeof filler - 1);
            filler [sizeof filler - 1] = 0;
            local_send (client, json_pack ("{s:s}", "filler", filler));
        }
    else if (strcmp (what, "later") == 0)
        self->waiting = client;
    else
        local_end (client, 5, "tip 17 not found");
}

static void s_gone (void *context, local_client_t *client)
{
    daemon_t *self = context;
    self->gone++;
    if (self->waiting == client)
        self->waiting = NULL;
}

//  One round of the daemon's loop; returns what poll returned.

static int s_round (daemon_t *self, int timeout)
{
    struct pollfd items [LOCAL_ITEMS];
    int count = local_items (self->local, items, LOCAL_ITEMS);
    int ready = poll (items, (nfds_t)count, timeout);
    local_process (self->local, items, count);
    return ready;
}

static void s_settle (daemon_t *self)
{
    while (s_round (self, 0) > 0)
        continue;
}

static int s_pair (daemon_t *self)
{
    int pair [2];
    assert_int_equal (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    local_adopt (self->local, pair [0]);
    return pair [1];
}

static int s_setup (void **state)
{
    daemon_t *self = calloc (1, sizeof *self);
    self->local = local_new (-1, s_request, s_gone, self);
    *state = self;
    return 0;
}

static int s_teardown (void **state)
{
    daemon_t *self = *state;
    local_destroy (&self->local);
    free (self);
    return 0;
}

static void s_type (int fd, const char *bytes)
{
    assert_int_equal (send (fd, bytes, strlen (bytes), MSG_NOSIGNAL), (int)strlen (bytes));
}

//  Reads one object and checks whether it ends the answer with this exit code (-1 = does not end).

static void s_expect (int fd, void **state, int exit_code)
{
    json_t *object = NULL;
    assert_int_equal (local_get (fd, &object, state), 1);
    bool end = json_is_true (json_object_get (object, "end"));
    assert_int_equal (end ? json_integer_value (json_object_get (object, "exit")) : -1, exit_code);
    if (exit_code > 0)
        assert_true (json_is_string (json_object_get (object, "error")));
    json_decref (object);
}

static void s_expect_closed (int fd, void **state)
{
    json_t *object = NULL;
    assert_int_equal (local_get (fd, &object, state), 0);
    free (*state);
    *state = NULL;
    close (fd);
}

static void test_answers_and_stays_open (void **state)
{
    daemon_t *self = *state;
    void *buffer = NULL;
    int fd = s_pair (self);
    s_type (fd, "{\"do\":\"count\"}\n{\"do\":\"wh"); //  two requests, the second in two pieces
    s_settle (self);
    for (int index = 0; index < 3; index++)
        s_expect (fd, &buffer, -1);
    s_expect (fd, &buffer, 0);
    s_type (fd, "at\"}\n{\"do\":\"count\"}\n");
    s_settle (self);
    s_expect (fd, &buffer, 5);
    for (int index = 0; index < 3; index++)
        s_expect (fd, &buffer, -1);
    s_expect (fd, &buffer, 0);
    assert_int_equal (self->requests, 3);
    assert_int_equal (self->gone, 0);
    free (buffer);
    close (fd);
    s_settle (self);
    assert_int_equal (self->gone, 1);
}

static void test_answers_later (void **state)
{
    daemon_t *self = *state;
    void *buffer = NULL;
    int fd = s_pair (self);
    //  the second request waits until the first is ended
    s_type (fd, "{\"do\":\"later\"}\n{\"do\":\"count\"}\n");
    s_settle (self);
    assert_int_equal (self->requests, 1);
    assert_ptr_equal (local_data (self->waiting), self);
    local_send (self->waiting, json_pack ("{s:i}", "n", 1));
    assert_true (local_queued (self->waiting) > 0);
    s_settle (self);
    assert_int_equal (local_queued (self->waiting), 0);
    s_expect (fd, &buffer, -1);
    local_end (self->waiting, 0, NULL);
    s_settle (self);
    assert_int_equal (self->requests, 2);
    s_expect (fd, &buffer, 0);
    free (buffer);
    close (fd);
}

static void test_client_leaves_while_it_waits (void **state)
{
    daemon_t *self = *state;
    int fd = s_pair (self);
    s_type (fd, "{\"do\":\"later\"}\n");
    s_settle (self);
    assert_non_null (self->waiting);
    close (fd);
    s_settle (self);
    assert_null (self->waiting);
    assert_int_equal (self->gone, 1);
    //  said and left at once: the request still counts
    fd = s_pair (self);
    s_type (fd, "{\"do\":\"what\"}\n");
    close (fd);
    s_settle (self);
    assert_string_equal (self->last, "what");
    assert_int_equal (self->gone, 2);
    //  half closed, as `printf | socat` does: the answer still comes
    void *buffer = NULL;
    fd = s_pair (self);
    s_type (fd, "{\"do\":\"later\"}\n");
    shutdown (fd, SHUT_WR);
    s_settle (self);
    assert_non_null (self->waiting);
    local_end (self->waiting, 0, NULL);
    s_settle (self);
    s_expect (fd, &buffer, 0);
    s_expect_closed (fd, &buffer);
    assert_int_equal (self->gone, 3);
}

static void test_refuses_garbage (void **state)
{
    daemon_t *self = *state;
    static const char *const bad [] = {
        "hello\n",
        "{}\n",
        "[]\n",
        "{\"do\":1}\n",
        "{\"do\":\"a\",\"do\":\"b\"}\n",
        "{\"do\":\"\xFF\"}\n",
        "{\"do\":\"a\"} {\"do\":\"b\"}\n",
        "\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "{\"do\":\"\\u0000\"}\n",
    };
    int number = (int)(sizeof bad / sizeof *bad);
    for (int index = 0; index < number; index++) {
        void *buffer = NULL;
        int fd = s_pair (self);
        s_type (fd, bad [index]);
        s_settle (self);
        s_expect (fd, &buffer, 2);
        s_expect_closed (fd, &buffer);
    }
    assert_int_equal (self->requests, 0);
    assert_int_equal (self->gone, number);
}

static void *s_pour (void *argument)
{
    int fd = *(int *)argument;
    char block [65536];
    memset (block, '[', sizeof block);
    while (send (fd, block, sizeof block, MSG_NOSIGNAL) > 0)
        continue;
    return NULL;
}

static void test_refuses_an_endless_line (void **state)
{
    daemon_t *self = *state;
    void *buffer = NULL;
    int fd = s_pair (self);
    pthread_t thread;
    assert_int_equal (pthread_create (&thread, NULL, s_pour, &fd), 0);
    for (int round = 0; round < 100000 && self->gone == 0; round++)
        s_round (self, 100);
    assert_int_equal (self->gone, 1);
    assert_int_equal (pthread_join (thread, NULL), 0);
    s_expect (fd, &buffer, 2);
    s_expect_closed (fd, &buffer);
}

static void test_drops_who_does_not_read (void **state)
{
    daemon_t *self = *state;
    int fd = s_pair (self), other = s_pair (self);
    void *buffer = NULL;
    s_type (fd, "{\"do\":\"flood\"}\n");
    s_type (other, "{\"do\":\"count\"}\n");
    s_settle (self);
    assert_int_equal (self->gone, 1);
    s_expect (other, &buffer, -1); //  its neighbour is served
    free (buffer);
    close (fd);
    close (other);
}

static void test_destroy_tells_the_owner (void **state)
{
    daemon_t *self = *state;
    int fd = s_pair (self);
    s_type (fd, "{\"do\":\"later\"}\n");
    s_settle (self);
    local_destroy (&self->local);
    assert_null (self->local);
    assert_int_equal (self->gone, 1);
    local_destroy (&self->local);
    close (fd);
}

//  ---- a command and a daemon, over the home's socket

typedef struct {
    daemon_t *daemon;
    bool stop;
    pthread_mutex_t lock;
} server_t;

static void *s_serve (void *argument)
{
    server_t *self = argument;
    bool stop = false;
    while (!stop) {
        s_round (self->daemon, 20);
        pthread_mutex_lock (&self->lock);
        stop = self->stop;
        pthread_mutex_unlock (&self->lock);
    }
    return NULL;
}

static bool s_take (void *context, json_t *object)
{
    int *sum = context;
    *sum += 10 + (int)json_integer_value (json_object_get (object, "n"));
    return *sum < 1000;
}

static bool s_take_one (void *context, json_t *object)
{
    (void)object;
    ++*(int *)context;
    return false;
}

static void test_ask (void **state)
{
    (void)state;
    char home [] = "/tmp/local_test.XXXXXX";
    assert_non_null (mkdtemp (home));
    daemon_t daemon = { 0 };
    daemon.local = local_new (home_listen (home, "local.sock"), s_request, s_gone, &daemon);
    server_t server = { .daemon = &daemon, .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t thread;
    assert_int_equal (pthread_create (&thread, NULL, s_serve, &server), 0);

    int fd = home_connect (home, "local.sock");
    assert_true (fd >= 0);
    int sum = 0;
    char *error = NULL;
    assert_int_equal (local_ask (fd, json_pack ("{s:s}", "do", "count"), s_take, &sum, &error), 0);
    assert_int_equal (sum, 33);
    assert_null (error);
    assert_int_equal (local_ask (fd, json_pack ("{s:s}", "do", "what"), s_take, &sum, &error), 5);
    assert_string_equal (error, "tip 17 not found");
    free (error);
    int taken = 0;
    assert_int_equal (local_ask (fd, json_pack ("{s:s}", "do", "count"), s_take_one, &taken, &error), 0);
    assert_int_equal (taken, 1);
    close (fd);

    pthread_mutex_lock (&server.lock);
    server.stop = true;
    pthread_mutex_unlock (&server.lock);
    assert_int_equal (pthread_join (thread, NULL), 0);
    fd = home_connect (home, "local.sock");
    local_destroy (&daemon.local);
    assert_int_equal (local_ask (fd, json_pack ("{s:s}", "do", "count"), s_take, &sum, &error), 1);
    assert_non_null (error);
    free (error);
    close (fd);
    char *path = home_path (home, "local.sock");
    unlink (path);
    free (path);
    rmdir (home);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_answers_and_stays_open, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_answers_later, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_client_leaves_while_it_waits, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_refuses_garbage, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_refuses_an_endless_line, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_drops_who_does_not_read, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_destroy_tells_the_owner, s_setup, s_teardown),
        cmocka_unit_test (test_ask),
    };
    return cmocka_run_group_tests_name ("local", tests, NULL, NULL);
}
