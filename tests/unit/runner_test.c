//  runner: one code path for a command that finds a daemon and one that has to be it, with a tiny daemon

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cli.h"
#include "home.h"
#include "runner.h"
#include "timefmt.h"

#define PATIENCE_MS 15000

static char s_home [64];
static atomic_int s_daemons; //  how many ran in this process
static int s_seen;           //  objects of the answer

static int s_setup (void **state)
{
    (void)state;
    snprintf (s_home, sizeof s_home, "/tmp/runner_test-XXXXXX");
    atomic_store (&s_daemons, 0);
    s_seen = 0;
    return mkdtemp (s_home) ? 0 : -1;
}

static int s_teardown (void **state)
{
    (void)state;
    char path [128];
    snprintf (path, sizeof path, "%s/lock", s_home);
    remove (path);
    snprintf (path, sizeof path, "%s/" RUNNER_SOCKET, s_home);
    remove (path);
    rmdir (s_home);
    return 0;
}

//  ---- the daemon: counts to N, streams for ever, or refuses

static void s_request (void *context, local_client_t *client, json_t *request)
{
    (void)context;
    const char *what = json_string_value (json_object_get (request, "do"));
    if (strcmp (what, "pid") == 0) {
        local_send (client, json_pack ("{s:i}", "pid", (int)getpid ()));
        local_end (client, EXIT_DONE, NULL);
    } else if (strcmp (what, "stream") == 0) {
        for (int number = 0; number < 1000; number++) {
            local_send (client, json_pack ("{s:i}", "number", number));
        }
    } else {
        local_end (client, EXIT_MISSING, "no such request");
    }
}

static void s_gone (void *context, local_client_t *client)
{
    (void)context;
    (void)client;
}

static int s_daemon (const daemon_args_t *args)
{
    atomic_fetch_add (&s_daemons, 1);
    if (args->options) {
        return EXIT_RIGHTS; //  could not start; has not taken its client
    }
    int listen_fd = args->adopt_fd < 0 ? home_listen (args->home, RUNNER_SOCKET) : -1;
    local_t *local = local_new (listen_fd, s_request, s_gone, NULL);
    if (args->adopt_fd >= 0) {
        local_adopt (local, args->adopt_fd);
    }
    struct pollfd items [17];
    for (;;) {
        int count = local_items (local, items, 16);
        items [count] = (struct pollfd){ .fd = args->stop_fd, .events = POLLIN };
        poll (items, (nfds_t)count + 1, -1);
        if (items [count].revents) {
            break;
        }
        local_process (local, items, count);
    }
    local_destroy (&local);
    return EXIT_DONE;
}

static bool s_answer (void *context, json_t *object)
{
    s_seen++;
    json_t *pid = json_object_get (object, "pid");
    if (pid && context) {
        *(pid_t *)context = (pid_t)json_integer_value (pid);
    }
    return s_seen < 5;
}

static int s_ask (const char *what, void *context, char **error)
{
    return runner_ask (s_home, s_daemon, NULL, json_pack ("{s:s}", "do", what), s_answer, context, error);
}

//  A daemon in a process of its own, up when this returns.
static pid_t s_start (void)
{
    fflush (NULL);
    pid_t child = fork ();
    assert_true (child >= 0);
    if (child == 0) {
        _exit (runner_run (s_home, s_daemon, NULL));
    }
    int64_t until = time_mono_ms () + PATIENCE_MS;
    while (!runner_daemon_is_up (s_home)) {
        assert_true (time_mono_ms () < until);
        poll (NULL, 0, 5);
    }
    return child;
}

static int s_end (pid_t child, int signal_number)
{
    kill (child, signal_number);
    int status;
    assert_int_equal (waitpid (child, &status, 0), child);
    return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

//  ---- the tests

static void s_test_command_is_the_daemon (void **state)
{
    (void)state;
    assert_false (runner_daemon_is_up (s_home));
    char *error = NULL;
    pid_t pid = 0;
    assert_int_equal (s_ask ("pid", &pid, &error), EXIT_DONE);
    assert_int_equal (pid, getpid ());
    assert_null (error);
    assert_int_equal (s_ask ("what", NULL, &error), EXIT_MISSING);
    assert_string_equal (error, "no such request");
    free (error);
    assert_int_equal (atomic_load (&s_daemons), 2);
    //  the lock is free again, and nothing of the threads is left
    int lock = home_lock (s_home);
    assert_true (lock >= 0);
    close (lock);
}

static void s_test_command_leaves_early (void **state)
{
    (void)state;
    char *error = NULL;
    assert_int_equal (s_ask ("stream", NULL, &error), EXIT_DONE);
    assert_int_equal (s_seen, 5);
    assert_null (error);
}

static void s_test_command_finds_the_daemon (void **state)
{
    (void)state;
    pid_t child = s_start ();
    char *error = NULL;
    pid_t pid = 0;
    assert_int_equal (s_ask ("pid", &pid, &error), EXIT_DONE);
    assert_int_equal (pid, child);
    assert_int_equal (atomic_load (&s_daemons), 0);
    //  a second daemon of this home is refused at once
    assert_int_equal (runner_run (s_home, s_daemon, NULL), EXIT_FAILED);
    assert_int_equal (s_end (child, SIGTERM), EXIT_DONE);
    assert_false (runner_daemon_is_up (s_home));
    assert_int_equal (s_ask ("pid", &pid, &error), EXIT_DONE);
    assert_int_equal (pid, getpid ());
    assert_int_equal (s_end (s_start (), SIGINT), EXIT_DONE);
    //  a daemon that was killed leaves its socket: the next one and the next command do not mind
    assert_int_equal (s_end (s_start (), SIGKILL), -1);
    assert_int_equal (s_ask ("pid", &pid, &error), EXIT_DONE);
    assert_int_equal (pid, getpid ());
    assert_int_equal (s_end (s_start (), SIGTERM), EXIT_DONE);
}

//  It has said why on stderr; the client must neither hang nor add "went away".
static void s_test_daemon_cannot_start (void **state)
{
    (void)state;
    char *error = NULL;
    int option = 1;
    json_t *request = json_pack ("{s:s}", "do", "pid");
    assert_int_equal (runner_ask (s_home, s_daemon, &option, request, s_answer, NULL, &error), EXIT_RIGHTS);
    assert_null (error);
    assert_int_equal (runner_run (s_home, s_daemon, &option), EXIT_RIGHTS);
}

static void *s_let_go (void *argument)
{
    poll (NULL, 0, 200);
    close (*(int *)argument);
    return NULL;
}

//  Another command holds the lock for a moment.
static void s_test_lock_is_waited_for (void **state)
{
    (void)state;
    int lock = home_lock (s_home);
    assert_true (lock >= 0);
    pthread_t thread;
    pthread_create (&thread, NULL, s_let_go, &lock);
    char *error = NULL;
    pid_t pid = 0;
    assert_int_equal (s_ask ("pid", &pid, &error), EXIT_DONE);
    assert_int_equal (pid, getpid ());
    pthread_join (thread, NULL);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (s_test_command_is_the_daemon, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_command_leaves_early, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_command_finds_the_daemon, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_daemon_cannot_start, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_lock_is_waited_for, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
