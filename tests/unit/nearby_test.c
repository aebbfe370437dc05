//  nearby_test - which incident a tip is another report of: the example of use, and what holds for any tips

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "wording.h"
#include "nearby.h"

#define NOON 1790000000000ll
#define MINUTE 60000
#define METRE_E7 90 //  of latitude, about

static const char s_file []
    = "{\"version\":1,\"kinds\":["
#define CLASS                                                                                                              \
    "\"severity\":\"blue\",\"class\":{\"blue\":\"bulk\",\"yellow\":\"normal\",\"red\":\"urgent\"},\"acknowledge\":\"1h\"," \
    "\"life\":\"24h\""
      "{\"id\":\"crash\",\"en\":\"c\",\"zh\":\"c\"," CLASS
      ",\"merge\":{\"radius_m\":200,\"window\":\"1h\",\"with\":[\"injury\"]}},"
      "{\"id\":\"injury\",\"en\":\"i\",\"zh\":\"i\"," CLASS ",\"merge\":{\"radius_m\":100,\"window\":\"1h\"}},"
      "{\"id\":\"lamp\",\"en\":\"l\",\"zh\":\"l\"," CLASS
      ",\"merge\":{\"radius_m\":20,\"window\":\"24h\",\"scope\":\"spot\"}},"
      "{\"id\":\"house\",\"en\":\"h\",\"zh\":\"h\"," CLASS
      ",\"merge\":{\"radius_m\":3,\"window\":\"24h\",\"scope\":\"address\"}},"
      "{\"id\":\"noise\",\"en\":\"n\",\"zh\":\"n\"," CLASS "},"
      "{\"id\":\"sos\",\"en\":\"s\",\"zh\":\"s\",\"severity\":\"red\",\"class\":{\"blue\":\"sos\",\"yellow\":\"sos\","
      "\"red\":\"sos\"},\"acknowledge\":\"2m\",\"life\":\"24h\"}]}";

enum { CRASH, INJURY, LAMP, HOUSE, NOISE };

typedef struct {
    kinds_t *kinds;
    nearby_t *nearby;
    uint64_t next;
} fixture_t;

static int s_setup (void **state)
{
    fixture_t *fixture = calloc (1, sizeof *fixture);
    char *reason = NULL;
    fixture->kinds = kinds_load (s_file, sizeof s_file - 1, &reason);
    if (reason)
        fail_msg ("%s", reason);
    fixture->nearby = nearby_new (fixture->kinds);
    fixture->next = 1;
    *state = fixture;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *fixture = *state;
    nearby_destroy (&fixture->nearby);
    assert_null (fixture->nearby);
    kinds_destroy (&fixture->kinds);
    free (fixture);
    return 0;
}

static nearby_tip_t s_tip (int kind, int north_m, int minutes)
{
    return (nearby_tip_t){ .kind = kind,
        .lat_e7 = 330000000 + north_m * METRE_E7,
        .lon_e7 = 1090000000,
        .seen_ms = NOON + (int64_t)minutes * MINUTE };
}

//  What the engine does with a tip: the incident it belongs to.
static uint64_t s_take (fixture_t *fixture, const nearby_tip_t *tip)
{
    nearby_found_t found;
    nearby_find (fixture->nearby, tip, &found);
    if (found.incident)
        nearby_join (fixture->nearby, found.incident, tip);
    else
        nearby_begin (fixture->nearby, found.incident = fixture->next++, tip);
    return found.incident;
}

static void test_witnesses_of_one_crash (void **state)
{
    fixture_t *fixture = *state;
    nearby_tip_t tips [] = { s_tip (CRASH, 0, 0), s_tip (CRASH, 60, 3), s_tip (CRASH, -35, 5), s_tip (CRASH, 90, 1) };
    for (int i = 0; i < 4; i++)
        assert_int_equal (s_take (fixture, &tips [i]), 1);
    assert_int_equal (nearby_tips (fixture->nearby, 1), 4);
    //  Why is told in one line.
    nearby_found_t found;
    nearby_tip_t more = s_tip (CRASH, 20, 6);
    nearby_find (fixture->nearby, &more, &found);
    assert_int_equal (found.incident, 1);
    assert_in_range (found.score_e3, 900, 1000);
    assert_non_null (strstr (found.why, "another report of 4 reports"));
    assert_null (strchr (found.why, '\n'));
}

//  Four who say the same minute: a fifth an hour later is somebody else's, where four who trail in over half an hour have him among them.
static void test_the_reports_say_how_they_trail_off (void **state)
{
    fixture_t *fixture = *state;
    for (int i = 0; i < 4; i++) {
        nearby_tip_t at_once = s_tip (CRASH, 20 * i, 0), trailing = s_tip (CRASH, 20000 + 20 * i, 8 * i);
        assert_int_equal (s_take (fixture, &at_once), 1);
        assert_int_equal (s_take (fixture, &trailing), 2);
    }
    nearby_found_t found;
    nearby_tip_t later = s_tip (CRASH, 30, 45);
    nearby_find (fixture->nearby, &later, &found);
    assert_int_equal (found.incident, 0);
    later = s_tip (CRASH, 20030, 45);
    nearby_find (fixture->nearby, &later, &found);
    assert_int_equal (found.incident, 2);
}

static void test_far_late_or_other_things_stay_apart (void **state)
{
    fixture_t *fixture = *state;
    nearby_tip_t first = s_tip (CRASH, 0, 0), far = s_tip (CRASH, 2000, 0), late = s_tip (CRASH, 0, 61);
    nearby_tip_t lamp = s_tip (LAMP, 0, 0);
    uint64_t began = s_take (fixture, &first);
    assert_int_not_equal (s_take (fixture, &far), began);
    assert_int_not_equal (s_take (fixture, &late), began);
    assert_int_not_equal (s_take (fixture, &lamp), began);
}

static void test_a_kind_that_may_mean_the_same (void **state)
{
    fixture_t *fixture = *state;
    nearby_found_t found;
    nearby_tip_t injury = s_tip (INJURY, 0, 0), crash = s_tip (CRASH, 10, 1);
    uint64_t began = s_take (fixture, &injury);
    //  The file says so of crash, not of injury.
    nearby_find (fixture->nearby, &crash, &found);
    assert_int_equal (found.incident, began);
    assert_non_null (strstr (found.why, "of a kind that may mean the same"));
}

static void test_what_stands_somewhere (void **state)
{
    fixture_t *fixture = *state;
    nearby_tip_t lamp = s_tip (LAMP, 0, 0), again = s_tip (LAMP, 12, 20 * 60), next = s_tip (LAMP, 40, 5);
    uint64_t began = s_take (fixture, &lamp);
    assert_int_equal (s_take (fixture, &again), began);
    assert_int_not_equal (s_take (fixture, &next), began);
}

static void test_what_belongs_to_an_address (void **state)
{
    fixture_t *fixture = *state;
    const char *mine = "12 Main St", *same = "12  main st.", *other = "14 Main St";
    nearby_tip_t tip = s_tip (HOUSE, 0, 0), phone = s_tip (HOUSE, 80, 30), beside = s_tip (HOUSE, 1, 10),
                 silent = s_tip (HOUSE, 20, 10);
    tip.address = likeness_address ((const uint8_t *)mine, strlen (mine));
    phone.address = likeness_address ((const uint8_t *)same, strlen (same));
    beside.address = likeness_address ((const uint8_t *)other, strlen (other));
    assert_int_equal (tip.address, phone.address);
    uint64_t began = s_take (fixture, &tip);
    assert_int_equal (s_take (fixture, &phone), began);
    assert_int_not_equal (s_take (fixture, &beside), began);
    assert_int_not_equal (s_take (fixture, &silent), began);
}

static void test_kinds_that_never_merge (void **state)
{
    fixture_t *fixture = *state;
    nearby_tip_t tip = s_tip (NOISE, 0, 0);
    for (int i = 0; i < 300; i++)
        s_take (fixture, &tip);
    assert_int_equal (fixture->next, 301);
    assert_int_equal (nearby_count (fixture->nearby), 0);
}

//  Ten reports, each 150 m beyond the last, all within the hour: the whole stays near the first.
static void test_a_chain_does_not_drift (void **state)
{
    fixture_t *fixture = *state;
    for (int i = 0; i < 40; i++) {
        nearby_tip_t tip = s_tip (CRASH, 60 * i, i);
        uint64_t incident = s_take (fixture, &tip);
        //  200 m and twice 75 m of error on either side
        if (60 * i > 200 + 4 * 75)
            assert_int_not_equal (incident, 1);
    }
    assert_true (fixture->next > 3);
}

//  A report from the mountain comes two days late and after newer ones: it joins by when it was seen.
static void test_late_tips_join_by_capture_time (void **state)
{
    fixture_t *fixture = *state;
    nearby_tip_t old = s_tip (CRASH, 0, 0), new = s_tip (CRASH, 0, 2 * 24 * 60), late = s_tip (CRASH, 30, 4);
    uint64_t first = s_take (fixture, &old), second = s_take (fixture, &new);
    assert_int_not_equal (first, second);
    assert_int_equal (s_take (fixture, &late), first);
}

//  Two tips: the same answer whichever comes first.
static void test_two_tips_in_either_order (void **state)
{
    fixture_t *fixture = *state;
    srand (7);
    for (int round = 0; round < 2000; round++) {
        nearby_tip_t a = s_tip (CRASH, rand () % 600, rand () % 70), b = s_tip (CRASH, rand () % 600, rand () % 70);
        a.accuracy_m = (uint32_t)(rand () % 200);
        b.sketch = (uint64_t)rand ();
        nearby_t *one = nearby_new (fixture->kinds), *two = nearby_new (fixture->kinds);
        nearby_found_t forward, backward;
        nearby_begin (one, 1, &a);
        nearby_find (one, &b, &forward);
        nearby_begin (two, 1, &b);
        nearby_find (two, &a, &backward);
        assert_int_equal (forward.incident, backward.incident);
        nearby_destroy (&one);
        nearby_destroy (&two);
    }
}

static void test_dense_places_ask_for_more (void **state)
{
    fixture_t *fixture = *state;
    nearby_found_t quiet, busy;
    nearby_tip_t first = s_tip (CRASH, 0, 0), second = s_tip (CRASH, 70, 6);
    nearby_begin (fixture->nearby, 1, &first);
    nearby_find (fixture->nearby, &second, &quiet);
    //  a city's day of crashes around it
    for (int i = 0; i < 300; i++) {
        nearby_tip_t other = s_tip (CRASH, -900 + 6 * i, -300 + 7 * (i % 40));
        nearby_begin (fixture->nearby, 100 + (uint64_t)i, &other);
    }
    nearby_find (fixture->nearby, &second, &busy);
    assert_int_equal (quiet.incident, 1);
    assert_true (busy.score_e3 < quiet.score_e3);
}

static void test_strays_and_pairs_apart (void **state)
{
    fixture_t *fixture = *state;
    nearby_found_t found;
    //  Two that began each for itself; a third between them joins one, then the other comes along.
    nearby_tip_t west = s_tip (CRASH, -60, 0), east = s_tip (CRASH, 60, 3), middle = s_tip (CRASH, -5, 0);
    nearby_begin (fixture->nearby, 1, &west);
    nearby_begin (fixture->nearby, 2, &east);
    nearby_set_apart (fixture->nearby, 1, 2, true);
    nearby_find (fixture->nearby, &middle, &found);
    assert_int_equal (found.incident, 1);
    nearby_join (fixture->nearby, 1, &middle);
    assert_false (nearby_stray (fixture->nearby, 1, &found));
    nearby_set_apart (fixture->nearby, 1, 2, false);
    nearby_find (fixture->nearby, &middle, &found);
    assert_true (nearby_stray (fixture->nearby, 1, &found));
    assert_int_equal (found.incident, 2);
    nearby_merge (fixture->nearby, 2, 1);
    assert_false (nearby_has (fixture->nearby, 2));
    assert_int_equal (nearby_tips (fixture->nearby, 1), 3);
    assert_false (nearby_stray (fixture->nearby, 1, &found));
}

static void test_placed_forgotten_other_kinds (void **state)
{
    fixture_t *fixture = *state;
    nearby_found_t found;
    nearby_tip_t tip = s_tip (CRASH, 0, 0), there = s_tip (CRASH, 5000, 1);
    nearby_begin (fixture->nearby, 1, &tip);
    nearby_place (fixture->nearby, 1, there.lat_e7, there.lon_e7);
    nearby_find (fixture->nearby, &there, &found);
    assert_int_equal (found.incident, 1);
    //  The built-in file knows no crash: the incident rests until it is back.
    kinds_t *other = kinds_load (NULL, 0, NULL);
    nearby_set_kinds (fixture->nearby, other);
    there.kind = kinds_find (other, "traffic", 7);
    nearby_find (fixture->nearby, &there, &found);
    assert_int_equal (found.incident, 0);
    nearby_set_kinds (fixture->nearby, fixture->kinds);
    kinds_destroy (&other);
    there.kind = CRASH;
    nearby_find (fixture->nearby, &there, &found);
    assert_int_equal (found.incident, 1);
    nearby_forget (fixture->nearby, 1);
    nearby_forget (fixture->nearby, 1);
    nearby_find (fixture->nearby, &there, &found);
    assert_int_equal (found.incident, 0);
    assert_int_equal (nearby_count (fixture->nearby), 0);
}

//  Poles, the antimeridian, the ends of time: an answer, no crash; and begin, forget and find stay in step.
static void test_any_tips (void **state)
{
    fixture_t *fixture = *state;
    uint64_t living [500] = { 0 };
    srand (3);
    for (int round = 0; round < 20000; round++) {
        nearby_tip_t tip = { .kind = rand () % 5,
            .lat_e7 = rand () % 7 ? rand () % 1000000 : (rand () % 3 - 1) * 900000000,
            .lon_e7 = rand () % 7 ? rand () % 1000000 : (rand () % 3 - 1) * 1800000000,
            .accuracy_m = rand () % 5 ? (uint32_t)(rand () % 300) : 100000,
            .by_name = rand () % 2,
            .seen_ms = rand () % 9 ? rand () % 86400000 : INT64_MAX / 4 * (rand () % 2) };
        nearby_found_t found;
        nearby_find (fixture->nearby, &tip, &found);
        if (found.incident) {
            assert_true (nearby_has (fixture->nearby, found.incident));
            nearby_join (fixture->nearby, found.incident, &tip);
        } else if (tip.kind != NOISE) {
            int slot = rand () % 500;
            nearby_forget (fixture->nearby, living [slot]);
            living [slot] = fixture->next++;
            nearby_begin (fixture->nearby, living [slot], &tip);
        }
    }
    uint32_t count = 0;
    for (int i = 0; i < 500; i++)
        count += living [i] && nearby_has (fixture->nearby, living [i]);
    assert_int_equal (nearby_count (fixture->nearby), count);
}

static uint64_t s_sketch (const char *text)
{
    return likeness_sketch ((const uint8_t *)text, strlen (text));
}

static void test_sketches (void **state)
{
    (void)state;
    const char *crash = "two cars have crashed, one person is hurt", *theft = "a bicycle was stolen";
    assert_true (likeness_degree (s_sketch ("两车相撞 有人受伤"), s_sketch ("有人受伤，两车相撞了")) >= 4);
    assert_true (likeness_degree (s_sketch (crash), s_sketch ("Two cars have crashed, a person is hurt")) >= 4);
    assert_true (likeness_degree (s_sketch (crash), s_sketch (theft)) <= 2);
    assert_int_equal (likeness_degree (s_sketch (crash), s_sketch (crash)), LIKENESS_MOST);
    assert_int_equal (likeness_degree (s_sketch ("车祸"), s_sketch ("车祸")), LIKENESS_MOST);
    //  Another script, or no text, says nothing.
    assert_int_equal (likeness_degree (s_sketch (crash), s_sketch ("两车相撞")), -1);
    assert_int_equal (likeness_degree (s_sketch (crash), 0), -1);
    assert_int_equal (s_sketch ("x"), 0);
    assert_int_equal (likeness_address ((const uint8_t *)" ., ", 4), 0);
}

//  Where all texts are alike, two that are tell nothing; where they differ, much.
static void test_a_likeness_tells_as_much_as_it_is_rare (void **state)
{
    (void)state;
    static const char *const own []
        = { "a bicycle was stolen", "two men are fighting at the gate", "my shop window is broken",
              "somebody sells pills here", "the lock of number nine was forced", "he took her phone and ran" };
    wording_t plain, various;
    wording_init (&plain);
    wording_init (&various);
    for (int i = 0; i < 600; i++) {
        wording_add (&plain, s_sketch ("please come quickly"));
        wording_add (&various, s_sketch (own [i % 6]));
    }
    uint64_t a = s_sketch ("please come quickly"), b = s_sketch ("the lock of number nine was forced open");
    assert_true (wording_weight (&plain, a, a) < 0.7);
    assert_true (wording_weight (&various, b, s_sketch (own [4])) > 5);
    double unlike = wording_weight (&various, b, s_sketch (own [0]));
    assert_true (unlike > 0.5 && unlike < 0.7);
    assert_true (wording_weight (&various, b, s_sketch ("门锁被撬开了")) == 1);
}

int main (void)
{
#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)
    const struct CMUnitTest tests [] = { TEST (test_witnesses_of_one_crash), TEST (test_the_reports_say_how_they_trail_off),
        TEST (test_far_late_or_other_things_stay_apart), TEST (test_a_kind_that_may_mean_the_same),
        TEST (test_what_stands_somewhere), TEST (test_what_belongs_to_an_address), TEST (test_kinds_that_never_merge),
        TEST (test_a_chain_does_not_drift), TEST (test_late_tips_join_by_capture_time), TEST (test_two_tips_in_either_order),
        TEST (test_dense_places_ask_for_more), TEST (test_strays_and_pairs_apart), TEST (test_placed_forgotten_other_kinds),
        TEST (test_any_tips), cmocka_unit_test (test_sketches),
        cmocka_unit_test (test_a_likeness_tells_as_much_as_it_is_rare) };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
