//  desk/deskoutbox.c: a command is numbered once, based on what the one before it makes, and done when its own receipt says so

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "deskoutbox.h"
#include "store.h"

static char s_folder [64], s_path [96];
static envelope_seal_t s_seal;

static int s_set_up (void **state)
{
    (void)state;
    box_keys_t ours, core;
    box_keys_make (&ours);
    box_keys_make (&core);
    envelope_shared (s_seal.shared, core.public_key, ours.secret_key);
    s_seal.key_id = envelope_key_id (core.public_key);
    snprintf (s_folder, sizeof s_folder, "/tmp/deskoutbox-test-XXXXXX");
    if (!mkdtemp (s_folder))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/desk.db", s_folder);
    return 0;
}

static int s_tear_down (void **state)
{
    char command [128];
    (void)state;
    snprintf (command, sizeof command, "rm -rf %s", s_folder);
    return system (command);
}

static command_id_t s_add (deskoutbox_t *outbox, uint64_t incident, uint64_t based_on)
{
    command_id_t id;
    Patrol__Command command = PATROL__COMMAND__INIT;
    command.verb = PATROL__VERB__ACK;
    command.incident = incident;
    command.based_on = based_on;
    command.officer = (ProtobufCBinaryData){ 2, (uint8_t *)"Li" };
    assert_int_equal (deskoutbox_add (outbox, &command, 1000, 1, &id), 0);
    return id;
}

//  The tag under which a command was sealed.
static uint64_t s_tag (deskstore_t *store, command_id_t id)
{
    sqlite3_stmt *read = store_prepare (deskstore_db (store), "SELECT tag FROM command WHERE epoch = ? AND counter = ?");
    store_bind (read, "ii", (int64_t)id.epoch, (int64_t)id.counter);
    assert_int_equal (store_step (read), 1);
    uint64_t tag = (uint64_t)store_int (read, 0);
    sqlite3_finalize (read);
    return tag;
}

static Patrol__Taken s_taken (command_id_t id, uint64_t tag, uint32_t code, uint64_t version)
{
    Patrol__Taken taken = PATROL__TAKEN__INIT;
    taken.epoch = id.epoch;
    taken.counter = id.counter;
    taken.tag = tag;
    taken.code = code;
    taken.version = version;
    return taken;
}

static void s_chains_versions_offline (void **state)
{
    (void)state;
    deskstore_t *store = deskstore_open (s_path);
    deskoutbox_t *outbox = deskoutbox_open (store, &s_seal);
    assert_non_null (outbox);
    assert_int_equal (deskoutbox_version (outbox, 500), 0);
    command_id_t one = s_add (outbox, 500, 4);
    assert_int_equal (deskoutbox_version (outbox, 500), 5);
    command_id_t two = s_add (outbox, 500, 5);
    assert_int_equal (deskoutbox_version (outbox, 500), 6);
    assert_int_equal (one.counter, 1);
    assert_int_equal (two.counter, 2);
    assert_int_equal (deskstore_commit (store), 0);
    deskoutbox_close (&outbox);
    deskstore_close (&store);

    //  both still wait after a restart, and the next number is the next one
    store = deskstore_open (s_path);
    outbox = deskoutbox_open (store, &s_seal);
    assert_int_equal (deskoutbox_waiting (outbox), 2);
    assert_int_equal (s_add (outbox, 501, 1).counter, 3);

    //  a refusal settles, and what was based on it is not counted as a version
    Patrol__Taken ok = s_taken (one, s_tag (store, one), PATROL__CODE__OK, 5);
    Patrol__Taken stale = s_taken (two, s_tag (store, two), PATROL__CODE__STALE, 0);
    command_id_t anew;
    assert_int_equal (deskoutbox_settle (outbox, &ok, 2000, &anew), SETTLED_DONE);
    assert_int_equal (deskoutbox_settle (outbox, &ok, 2000, &anew), SETTLED_NOT_OURS);
    assert_int_equal (deskoutbox_settle (outbox, &stale, 2000, &anew), SETTLED_DONE);
    assert_int_equal (deskoutbox_version (outbox, 500), 5);
    assert_int_equal (deskoutbox_waiting (outbox), 1);
    deskoutbox_close (&outbox);
    deskstore_close (&store);
}

static void s_slow_down_settles_nothing (void **state)
{
    (void)state;
    deskstore_t *store = deskstore_open (s_path);
    deskoutbox_t *outbox = deskoutbox_open (store, &s_seal);
    command_id_t id = s_add (outbox, 500, 1), anew;
    Patrol__Taken slow = s_taken (id, s_tag (store, id), PATROL__CODE__SLOW_DOWN, 0);
    assert_int_equal (deskoutbox_settle (outbox, &slow, 2000, &anew), SETTLED_NOT_OURS);
    assert_int_equal (deskoutbox_waiting (outbox), 1);
    deskoutbox_close (&outbox);
    deskstore_close (&store);
}

static void s_reseals_when_the_number_was_taken (void **state)
{
    (void)state;
    deskstore_t *store = deskstore_open (s_path);
    deskoutbox_t *outbox = deskoutbox_open (store, &s_seal);
    command_id_t id = s_add (outbox, 500, 1), anew = { 0 };
    Patrol__Taken other = s_taken (id, s_tag (store, id) + 1, PATROL__CODE__OK, 9);
    assert_int_equal (deskoutbox_settle (outbox, &other, 2000, &anew), SETTLED_RESEALED);
    assert_true (anew.epoch != id.epoch);
    assert_int_equal (anew.counter, 1);
    assert_int_equal (deskoutbox_waiting (outbox), 1);
    Patrol__Taken ours = s_taken (anew, s_tag (store, anew), PATROL__CODE__OK, 2);
    assert_int_equal (deskoutbox_settle (outbox, &ours, 2000, &id), SETTLED_DONE);
    assert_int_equal (deskoutbox_waiting (outbox), 0);
    deskoutbox_close (&outbox);
    deskstore_close (&store);
}

static void s_begins_an_epoch_behind_the_broker (void **state)
{
    (void)state;
    deskstore_t *store = deskstore_open (s_path);
    deskoutbox_t *outbox = deskoutbox_open (store, &s_seal);
    command_id_t id = s_add (outbox, 500, 1);
    Patrol__OriginState origin = PATROL__ORIGIN_STATE__INIT, *origins [] = { &origin };
    Patrol__Attached attached = PATROL__ATTACHED__INIT;
    attached.n_origins = 1;
    attached.origins = origins;
    origin.epoch = id.epoch;
    origin.highest = 1;
    assert_int_equal (deskoutbox_attached (outbox, &attached, false, 2000), 0);
    assert_int_equal (s_add (outbox, 501, 1).counter, 2);
    origin.highest = 3;
    assert_int_equal (deskoutbox_attached (outbox, &attached, false, 2000), 0);
    command_id_t later = s_add (outbox, 502, 1);
    assert_true (later.epoch != id.epoch);
    assert_int_equal (later.counter, 1);

    //  both streams are asked about at the next attach
    Patrol__Attach attach = PATROL__ATTACH__INIT;
    arena_t *arena = arena_new (ARENA_MESSAGE_SIZE);
    deskoutbox_attach (outbox, &attach, arena);
    assert_int_equal (attach.n_origins, 2);
    assert_true (attach.origins [0]->epoch == later.epoch);
    assert_int_equal (attach.origins [0]->next, 2);
    assert_int_equal (attach.origins [1]->next, 3);
    arena_destroy (&arena);
    deskoutbox_close (&outbox);
    deskstore_close (&store);
}

static void s_offers_again_to_a_new_incarnation (void **state)
{
    (void)state;
    deskstore_t *store = deskstore_open (s_path);
    deskoutbox_t *outbox = deskoutbox_open (store, &s_seal);
    Patrol__Attached attached = PATROL__ATTACHED__INIT;
    command_id_t done = s_add (outbox, 500, 1), refused = s_add (outbox, 501, 1), anew;
    Patrol__Taken ok = s_taken (done, s_tag (store, done), PATROL__CODE__OK, 2);
    Patrol__Taken no = s_taken (refused, s_tag (store, refused), PATROL__CODE__NOT_ALLOWED, 0);
    int64_t now_ms = 10 * 86400000LL;
    deskoutbox_settle (outbox, &ok, now_ms, &anew);
    deskoutbox_settle (outbox, &no, now_ms, &anew);
    assert_int_equal (deskoutbox_attached (outbox, &attached, true, now_ms + 1000), 0);
    //  offered, and not counted as waiting: no officer waits for it
    assert_int_equal (deskoutbox_waiting (outbox), 0);
    assert_int_equal (deskoutbox_settle (outbox, &ok, now_ms + 2000, &anew), SETTLED_DONE);
    assert_int_equal (deskoutbox_settle (outbox, &no, now_ms + 2000, &anew), SETTLED_NOT_OURS);
    //  eight days later it is forgotten
    assert_int_equal (deskoutbox_attached (outbox, &attached, true, now_ms + 8 * 86400000LL), 0);
    assert_int_equal (deskoutbox_settle (outbox, &ok, now_ms, &anew), SETTLED_NOT_OURS);
    deskoutbox_close (&outbox);
    deskstore_close (&store);
}

static void s_reloads_after_a_spoilt_turn (void **state)
{
    (void)state;
    deskstore_t *store = deskstore_open (s_path);
    deskoutbox_t *outbox = deskoutbox_open (store, &s_seal);
    assert_int_equal (deskstore_commit (store), 0);
    s_add (outbox, 500, 1);
    deskstore_spoil (store);
    assert_int_equal (deskstore_commit (store), -1);
    assert_int_equal (deskoutbox_reload (outbox), 0);
    assert_int_equal (deskoutbox_waiting (outbox), 0);
    assert_int_equal (s_add (outbox, 500, 1).counter, 1);
    deskoutbox_close (&outbox);
    deskstore_close (&store);
}

int main (void)
{
    if (identity_init ())
        return 1;
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (s_chains_versions_offline, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (s_slow_down_settles_nothing, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (s_reseals_when_the_number_was_taken, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (s_begins_an_epoch_behind_the_broker, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (s_offers_again_to_a_new_incarnation, s_set_up, s_tear_down),
        cmocka_unit_test_setup_teardown (s_reloads_after_a_spoilt_turn, s_set_up, s_tear_down),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
