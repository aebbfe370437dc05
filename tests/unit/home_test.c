//  home: one opener a folder, and its socket, however long its name

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "home.h"

static char s_base [64], s_home [512];

static int s_setup (void **state)
{
    (void)state;
    strcpy (s_base, "/tmp/home_test.XXXXXX");
    if (!mkdtemp (s_base))
        return -1;
    snprintf (s_home, sizeof s_home, "%s/home", s_base);
    return 0;
}

static void s_remove (const char *name)
{
    char *path = home_path (s_home, name);
    unlink (path);
    free (path);
}

static int s_teardown (void **state)
{
    (void)state;
    s_remove ("lock");
    s_remove ("local.sock");
    rmdir (s_home);
    return rmdir (s_base);
}

static void test_makes_and_checks (void **state)
{
    (void)state;
    struct stat about;
    assert_int_equal (home_check (s_home, false), -1);
    assert_int_equal (home_check (s_home, true), 0);
    assert_int_equal (stat (s_home, &about), 0);
    assert_int_equal (about.st_mode & 0777, 0700);
    assert_int_equal (home_check (s_home, true), 0);
    assert_int_equal (home_check (s_home, false), 0);
    assert_int_equal (chmod (s_home, 0777), 0);
    assert_int_equal (home_check (s_home, true), -1);
    assert_int_equal (home_check ("/dev/null", true), -1);
    assert_int_equal (home_check ("/nowhere/deeper", true), -1);
}

static void test_one_lock (void **state)
{
    (void)state;
    assert_int_equal (home_lock (s_home), -2); //  no folder yet
    assert_int_equal (home_check (s_home, true), 0);
    int first = home_lock (s_home);
    assert_true (first >= 0);
    assert_int_equal (home_lock (s_home), -1);
    close (first);
    int second = home_lock (s_home);
    assert_true (second >= 0);
    close (second);
}

static void s_talk (void)
{
    int listener = home_listen (s_home, "local.sock");
    assert_true (listener >= 0);
    char *path = home_path (s_home, "local.sock");
    struct stat about;
    assert_int_equal (stat (path, &about), 0);
    assert_int_equal (about.st_mode & 0777, 0600);
    int client = home_connect (s_home, "local.sock");
    assert_true (client >= 0);
    assert_true (fcntl (client, F_GETFL) & O_NONBLOCK);
    int server = accept (listener, NULL, NULL);
    assert_true (server >= 0);
    assert_int_equal (send (client, "x", 1, 0), 1);
    char byte = 0;
    assert_int_equal (recv (server, &byte, 1, 0), 1);
    assert_int_equal (byte, 'x');
    close (server);
    close (client);
    close (listener);
    free (path);
}

static void test_socket (void **state)
{
    (void)state;
    assert_int_equal (home_check (s_home, true), 0);
    assert_int_equal (home_connect (s_home, "local.sock"), -1);
    assert_int_equal (errno, ENOENT);
    s_talk ();
    //  what a killed daemon left
    assert_int_equal (home_connect (s_home, "local.sock"), -1);
    assert_int_equal (errno, ECONNREFUSED);
    s_talk ();
    //  a file by that name stays
    s_remove ("local.sock");
    char *path = home_path (s_home, "local.sock");
    close (open (path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal (home_listen (s_home, "local.sock"), -1);
    assert_int_equal (access (path, F_OK), 0);
    free (path);
}

static void test_long_name (void **state)
{
    (void)state;
    size_t used = strlen (s_home);
    memset (s_home + used, 'h', 150);
    s_home [used + 150] = 0;
    assert_int_equal (home_check (s_home, true), 0);
    s_talk ();
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_makes_and_checks, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_one_lock, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_socket, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_long_name, s_setup, s_teardown),
    };
    return cmocka_run_group_tests_name ("home", tests, NULL, NULL);
}
