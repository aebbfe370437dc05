//  state: a write that fails leaves what was committed before, and never an `applied` that claims more

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "feeds.h"
#include "state.h"

static char s_home [64], s_path [96];

typedef struct {
    members_t *members;
    feeds_t *feeds;
    state_t *state;
} world_t;

static world_t s_open (void)
{
    static box_keys_t keys;
    world_t world = { .members = members_new (&keys), .feeds = feeds_new () };
    world.state = state_open (s_path, world.members, world.feeds);
    assert_non_null (world.state);
    return world;
}

static void s_close (world_t *world)
{
    state_close (&world->state);
    members_destroy (&world->members);
    feeds_destroy (&world->feeds);
}

//  An invitation whose token and key are filled with one octet.
static int s_invite (world_t *world, uint64_t seq, uint8_t octet)
{
    uint8_t token [32], link [KEY_SIZE];
    memset (token, octet, sizeof token);
    memset (link, octet, sizeof link);
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__Invited invited = PATROL__INVITED__INIT;
    invited.token_hash = (ProtobufCBinaryData){ sizeof token, token };
    invited.link_key = (ProtobufCBinaryData){ sizeof link, link };
    invited.role = PATROL__ROLE__NODE;
    invited.expires_ms = 2000;
    record.at_ms = 1000 + (int64_t)seq;
    record.event_case = PATROL__RECORD__EVENT_INVITED;
    record.invited = &invited;
    return state_apply (world->state, seq, &record);
}

static bool s_has (const world_t *world, uint8_t octet)
{
    uint8_t token [32];
    memset (token, octet, sizeof token);
    return members_invited_by_hash (world->members, token) != NULL;
}

static void s_limit_files (rlim_t most)
{
    struct rlimit limit;
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &limit), 0);
}

static int s_setup (void **state)
{
    (void)state;
    signal (SIGXFSZ, SIG_IGN);
    snprintf (s_home, sizeof s_home, "/tmp/state_test-XXXXXX");
    assert_non_null (mkdtemp (s_home));
    snprintf (s_path, sizeof s_path, "%s/state.db", s_home);
    return 0;
}

static int s_teardown (void **state)
{
    (void)state;
    char command [128];
    s_limit_files (RLIM_INFINITY);
    snprintf (command, sizeof command, "rm -rf %s", s_home);
    return system (command);
}

static void test_a_failed_commit_claims_nothing (void **state)
{
    (void)state;
    world_t world = s_open ();
    assert_int_equal (s_invite (&world, 1, 'a'), 0);
    assert_int_equal (state_commit (world.state, 0, true), 0);
    assert_int_equal (s_invite (&world, 2, 'b'), 0);
    s_limit_files (1); //  no file may grow: what a full disk does
    assert_int_equal (state_commit (world.state, 0, true), -1);
    s_limit_files (RLIM_INFINITY);
    //  there is room again, and still nothing is written: the transaction is gone
    assert_int_equal (state_commit (world.state, 0, true), -1);
    assert_int_equal (s_invite (&world, 3, 'c'), -1);
    s_close (&world);

    world = s_open ();
    assert_int_equal (state_applied (world.state), 1);
    assert_true (s_has (&world, 'a'));
    assert_false (s_has (&world, 'b'));
    //  and it can be rolled forward
    assert_int_equal (s_invite (&world, 2, 'b'), 0);
    assert_int_equal (s_invite (&world, 3, 'c'), 0);
    s_close (&world);
    world = s_open ();
    assert_int_equal (state_applied (world.state), 3);
    assert_true (s_has (&world, 'b') && s_has (&world, 'c'));
    s_close (&world);
}

static void test_a_record_that_cannot_be_applied_is_not_half_there (void **state)
{
    (void)state;
    world_t world = s_open ();
    assert_int_equal (s_invite (&world, 1, 'a'), 0);
    assert_int_equal (state_commit (world.state, 0, true), 0);
    assert_int_equal (s_invite (&world, 2, 'b'), 0);
    //  a status of an unknown device, as of a log that is not this state's
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__StatusChanged change = PATROL__STATUS_CHANGED__INIT;
    Patrol__From from = PATROL__FROM__INIT;
    from.device = 99;
    change.from = &from;
    change.status = (ProtobufCBinaryData){ 6, (uint8_t *)"closed" };
    record.event_case = PATROL__RECORD__EVENT_STATUS;
    record.status = &change;
    assert_int_equal (state_apply (world.state, 3, &record), -1);
    s_close (&world);
    world = s_open ();
    assert_int_equal (state_applied (world.state), 1);
    assert_false (s_has (&world, 'b'));
    s_close (&world);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_a_failed_commit_claims_nothing, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_record_that_cannot_be_applied_is_not_half_there, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
