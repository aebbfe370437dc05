//  meshcard_test - whose card is taken, and that a proof is good for one session and one holder only

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "testlinks.h"

typedef struct {
    testlinks_t at;
    device_t *ann, *bob;
    uint8_t card [CARD_MAX];
    size_t size;
} fixture_t;

static device_t *s_join (
    fixture_t *f, testdistrict_t *district, const char *name, Patrol__Role role, int64_t from, int64_t until)
{
    char home [80];
    snprintf (home, sizeof home, "%s/%s", f->at.folder, name);
    device_t *device = testdistrict_join (district, home, role, from, until);
    assert_non_null (device);
    return device;
}

static int s_setup (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    assert_non_null (f);
    assert_int_equal (testlinks_begin (&f->at), 0);
    int64_t now = time_now_ms ();
    f->ann = s_join (f, &f->at.ours, "ann", PATROL__ROLE__NODE, now - DISTRICT_DAY_MS, now + DISTRICT_DAY_MS);
    f->bob = s_join (f, &f->at.ours, "bob", PATROL__ROLE__NODE, now - DISTRICT_DAY_MS, now + DISTRICT_DAY_MS);
    f->size = meshcard_write (f->card, f->bob);
    *state = f;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *f = *state;
    device_destroy (&f->ann);
    device_destroy (&f->bob);
    int rc = testlinks_end (&f->at);
    free (f);
    return rc;
}

static card_verdict_t s_read (fixture_t *f, const uint8_t *card, size_t size)
{
    credential_t who;
    return meshcard_read (&who, card, size, f->ann, time_now_ms ());
}

static void test_a_neighbour_is_known_by_its_card (void **state)
{
    fixture_t *f = *state;
    credential_t who;
    assert_int_equal (meshcard_read (&who, f->card, f->size, f->ann, time_now_ms ()), CARD_OK);
    assert_memory_equal (who.link_key, device_link_keys (f->bob)->public_key, KEY_SIZE);
    assert_memory_equal (who.device_key, device_keys (f->bob)->public_key, KEY_SIZE);
}

//  Each octet counts: a card with any of them changed is not taken, and never says more than that.
static void test_no_octet_can_be_changed (void **state)
{
    fixture_t *f = *state;
    for (size_t i = 2; i < f->size; i++) {
        f->card [i] ^= 0x40;
        assert_int_not_equal (s_read (f, f->card, f->size), CARD_OK);
        f->card [i] ^= 0x40;
    }
    for (size_t size = 0; size < f->size; size++)
        assert_int_equal (s_read (f, f->card, size), CARD_MALFORMED);
    assert_int_equal (s_read (f, f->card, f->size), CARD_OK);
}

static void s_refused (fixture_t *f, device_t *device, card_verdict_t wanted)
{
    uint8_t card [CARD_MAX];
    size_t size = meshcard_write (card, device);
    assert_int_equal (s_read (f, card, size), wanted);
}

static void test_who_is_refused_and_why (void **state)
{
    fixture_t *f = *state;
    int64_t now = time_now_ms ();
    device_t *device = s_join (f, &f->at.theirs, "eve", PATROL__ROLE__NODE, now - DISTRICT_DAY_MS, now + DISTRICT_DAY_MS);
    s_refused (f, device, CARD_FOREIGN);
    device_destroy (&device);
    device = s_join (f, &f->at.ours, "old", PATROL__ROLE__NODE, now - 9 * DISTRICT_DAY_MS, now - DISTRICT_DAY_MS);
    s_refused (f, device, CARD_EXPIRED);
    device_destroy (&device);
    device = s_join (f, &f->at.ours, "soon", PATROL__ROLE__NODE, now + DISTRICT_DAY_MS, now + 9 * DISTRICT_DAY_MS);
    s_refused (f, device, CARD_EXPIRED);
    device_destroy (&device);
    device = s_join (f, &f->at.ours, "desk", PATROL__ROLE__DESK, now - DISTRICT_DAY_MS, now + DISTRICT_DAY_MS);
    s_refused (f, device, CARD_NO_NODE);
    device_destroy (&device);
    s_refused (f, f->ann, CARD_OURSELF);
    f->card [0] = f->card [1] = CARD_VERSION + 1;
    assert_int_equal (s_read (f, f->card, f->size), CARD_OTHER_VERSION);
    f->card [0] = CARD_VERSION; //  speaks ours as well
    assert_int_equal (s_read (f, f->card, f->size), CARD_OK);
}

//  A clock that lost years is corrected by what the broker has signed since.
static void test_the_later_of_two_clocks_judges (void **state)
{
    fixture_t *f = *state;
    credential_t who;
    assert_int_equal (meshcard_read (&who, f->card, f->size, f->ann, 1000), CARD_EXPIRED);
    assert_int_equal (meshcard_read (&who, f->card, f->size, f->ann, time_now_ms ()), CARD_OK);
}

static void test_a_proof_is_of_one_session_and_one_holder (void **state)
{
    fixture_t *f = *state;
    uint8_t listener [KEY_SIZE], dialer [KEY_SIZE], ann_card [CARD_MAX], proof [PROOF_SIZE], other [PROOF_SIZE];
    size_t ann_size = meshcard_write (ann_card, f->ann);
    randombytes_buf (listener, sizeof listener);
    randombytes_buf (dialer, sizeof dialer);
    proof_facts_t facts = { listener, dialer, ann_card, f->card, ann_size, f->size };
    const box_keys_t *ann = device_link_keys (f->ann), *bob = device_link_keys (f->bob);
    //  bob listens and proves, ann computes the same
    assert_int_equal (meshcard_proof (proof, PROOF_LISTENER, &facts, bob, ann->public_key), 0);
    assert_int_equal (meshcard_proof (other, PROOF_LISTENER, &facts, ann, bob->public_key), 0);
    assert_true (meshcard_proof_is (proof, other));
    //  it cannot be sent back as the dialer's
    meshcard_proof (other, PROOF_DIALER, &facts, ann, bob->public_key);
    assert_false (meshcard_proof_is (proof, other));
    //  nor used in another session,
    dialer [0] ^= 1;
    meshcard_proof (other, PROOF_LISTENER, &facts, ann, bob->public_key);
    assert_false (meshcard_proof_is (proof, other));
    dialer [0] ^= 1;
    listener [31] ^= 1;
    meshcard_proof (other, PROOF_LISTENER, &facts, ann, bob->public_key);
    assert_false (meshcard_proof_is (proof, other));
    listener [31] ^= 1;
    //  nor made by who has bob's card and not his key
    box_keys_t thief;
    box_keys_make (&thief);
    meshcard_proof (other, PROOF_LISTENER, &facts, &thief, ann->public_key);
    assert_false (meshcard_proof_is (proof, other));
    //  nor with a key that makes every secret the same
    uint8_t zero [KEY_SIZE] = { 0 };
    assert_int_equal (meshcard_proof (other, PROOF_LISTENER, &facts, bob, zero), -1);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_a_neighbour_is_known_by_its_card, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_no_octet_can_be_changed, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_who_is_refused_and_why, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_the_later_of_two_clocks_judges, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_proof_is_of_one_session_and_one_holder, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
