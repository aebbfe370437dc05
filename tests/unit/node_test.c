//  node_test - the node as a whole: requests in, envelopes out, against a core that lives in the test

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cli.h"
#include "node.h"
#include "testcore.h"

typedef struct {
    char home [40];
    testcore_t *core;
    json_t *answers; //  of the last request
    char *error;
} fixture_t;

static int s_setup (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    char *error = NULL;
    assert_non_null (f);
    assert_int_equal (identity_init (), 0);
    catalogue_set ("en");
    strcpy (f->home, "/tmp/node-test-XXXXXX");
    assert_non_null (mkdtemp (f->home));
    f->core = testcore_new ();
    char *line = testfront_invite (f->core->front, PATROL__ROLE__NODE, 600000);
    assert_int_equal (device_join (f->home, line, 1u << PATROL__ROLE__NODE, TEST_PATIENCE_MS, &error), EXIT_DONE);
    free (line);
    free (error);
    f->answers = json_array ();
    *state = f;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *f = *state;
    testcore_destroy (&f->core);
    DIR *folder = opendir (f->home);
    for (struct dirent *entry; folder && (entry = readdir (folder)) != NULL;)
        if (entry->d_name [0] != '.')
            unlinkat (dirfd (folder), entry->d_name, 0);
    closedir (folder);
    rmdir (f->home);
    json_decref (f->answers);
    free (f->error);
    free (f);
    return 0;
}

static bool s_collect (void *context, json_t *object)
{
    json_array_append (((fixture_t *)context)->answers, object);
    return true;
}

static int s_ask (fixture_t *f, node_network_t network, json_t *request)
{
    node_options_t options = { .network = network };
    json_array_clear (f->answers);
    free (f->error);
    return runner_ask (f->home, node_daemon, &options, request, s_collect, f, &f->error);
}

static const char *s_field (fixture_t *f, size_t index, const char *key)
{
    const char *value = json_string_value (json_object_get (json_array_get (f->answers, index), key));
    return value ? value : "";
}

static json_t *s_tip (const char *words)
{
    return json_pack ("{s:s, s:{s:s, s:s}}", "do", "tip", "tip", "kind", "order", "text", words);
}

static json_t *s_wait (const char *words, const char *state, int seconds)
{
    json_t *request = s_tip (words);
    json_object_set_new (request, "wait", json_string (state));
    json_object_set_new (request, "timeout", json_integer (seconds));
    return request;
}

static char *s_keep (fixture_t *f, const char *words)
{
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, s_tip (words)), EXIT_DONE);
    assert_string_equal (s_field (f, 0, "state"), "held");
    return strdup (s_field (f, 0, "tip"));
}

//  Answer 0 of a status is the summary of the link, 1 the first tip.
static const char *s_state (fixture_t *f, const char *tip)
{
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, json_pack ("{s:s, s:s}", "do", "status", "tip", tip)), EXIT_DONE);
    return s_field (f, 1, "state");
}

static void written_offline_arrives_once (void **state)
{
    fixture_t *f = *state;
    char *first = s_keep (f, "one");
    assert_string_equal (s_state (f, first), "held");
    assert_int_equal (atomic_load (&f->core->submits), 0);
    atomic_store (&f->core->deliver, true);
    assert_int_equal (s_ask (f, NODE_LINK, s_wait ("two", "delivered", 15)), EXIT_DONE);
    assert_int_equal (json_array_size (f->answers), 2);
    assert_string_equal (s_field (f, 1, "state"), "delivered");
    assert_string_equal (s_state (f, first), "delivered");
    assert_int_equal (atomic_load (&f->core->count), 2);
    assert_int_equal (atomic_load (&f->core->changed), 0);
    free (first);
}

static void a_lost_receipt_is_asked_for_again (void **state)
{
    fixture_t *f = *state;
    atomic_store (&f->core->silent, true);
    assert_int_equal (s_ask (f, NODE_LINK, s_wait ("one", "accepted", 1)), EXIT_LATER);
    char *tip = strdup (s_field (f, 1, "tip"));
    assert_string_equal (s_field (f, 1, "state"), "held");
    assert_non_null (f->error);
    atomic_store (&f->core->silent, false);
    assert_int_equal (s_ask (f, NODE_LINK, s_wait ("two", "accepted", 15)), EXIT_DONE);
    assert_string_equal (s_state (f, tip), "accepted");
    assert_int_equal (atomic_load (&f->core->count), 2);
    assert_true (atomic_load (&f->core->submits) >= 3);
    assert_int_equal (atomic_load (&f->core->changed), 0);
    free (tip);
}

static void a_status_reaches_the_inbox_once (void **state)
{
    fixture_t *f = *state;
    atomic_store (&f->core->acknowledge, true);
    assert_int_equal (s_ask (f, NODE_LINK, s_wait ("one", "acknowledged", 15)), EXIT_DONE);
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, json_pack ("{s:s}", "do", "inbox")), EXIT_DONE);
    assert_int_equal (json_array_size (f->answers), 1);
    assert_string_equal (s_field (f, 0, "by"), "Wang");
    assert_string_equal (s_field (f, 0, "status"), "acknowledged");
    assert_string_equal (s_field (f, 0, "answer"), "on our way");
}

static void a_refusal_ends_the_wait (void **state)
{
    fixture_t *f = *state;
    atomic_store (&f->core->code, PATROL__CODE__BAD_TIME);
    assert_int_equal (s_ask (f, NODE_LINK, s_wait ("one", "accepted", 15)), EXIT_FAILED);
    assert_string_equal (s_field (f, 1, "state"), "refused");
    assert_string_equal (s_field (f, 1, "code"), "BAD_TIME");
}

static void a_withdrawal_follows_its_tip (void **state)
{
    fixture_t *f = *state;
    char *tip = s_keep (f, "one");
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, json_pack ("{s:s, s:s}", "do", "withdraw", "tip", tip)), EXIT_DONE);
    assert_string_equal (s_state (f, tip), "held");
    for (int tries = 0; tries < 20 && strcmp (s_state (f, tip), "withdrawn"); tries++)
        assert_int_equal (s_ask (f, NODE_LINK, s_wait ("more", "accepted", 15)), EXIT_DONE);
    assert_string_equal (s_state (f, tip), "withdrawn");
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, json_pack ("{s:s, s:s}", "do", "withdraw", "tip", tip)), EXIT_FAILED);
    free (tip);
}

static void what_is_not_there_is_said (void **state)
{
    fixture_t *f = *state;
    static const char absent [] = "0000000000000";
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, json_pack ("{s:s, s:s}", "do", "status", "tip", absent)), EXIT_MISSING);
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, json_pack ("{s:s, s:s}", "do", "withdraw", "tip", "x")), EXIT_MISSING);
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, json_pack ("{s:s}", "do", "cancel")), EXIT_MISSING);
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, s_tip ("")), EXIT_USAGE);
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, s_wait ("x", "refused", 1)), EXIT_USAGE);
    assert_int_equal (s_ask (f, NODE_ONE_COMMAND, json_pack ("{s:s}", "do", "dance")), EXIT_USAGE);
}

static json_t *s_lines (void)
{
    return json_pack ("{s:s, s:[{s:i, s:s, s:{s:s, s:s}}, {s:i, s:s, s:{s:s, s:s}}]}", "do", "import", "lines", "line", 1,
        "key", "00112233445566778899aabbccddeeff", "tip", "kind", "order", "text", "one", "line", 2, "key",
        "00112233445566778899aabbccddee00", "tip", "kind", "ufo", "text", "two");
}

static void importing_again_adds_nothing (void **state)
{
    fixture_t *f = *state;
    for (int round = 0; round < 2; round++) {
        assert_int_equal (s_ask (f, NODE_ONE_COMMAND, s_lines ()), EXIT_DONE);
        json_t *sums = json_array_get (f->answers, 0);
        assert_int_equal (json_integer_value (json_object_get (sums, "added")), round == 0);
        assert_int_equal (json_integer_value (json_object_get (sums, "known")), round == 1);
        assert_int_equal (json_array_size (json_object_get (sums, "bad")), 1);
    }
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests [] = { TEST (written_offline_arrives_once), TEST (a_lost_receipt_is_asked_for_again),
        TEST (a_status_reaches_the_inbox_once), TEST (a_refusal_ends_the_wait), TEST (a_withdrawal_follows_its_tip),
        TEST (what_is_not_there_is_said), TEST (importing_again_adds_nothing) };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
