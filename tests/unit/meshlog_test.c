//  meshlog_test - receipt epochs: numbered once, named once, on disk before they are told

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "meshlog.h"

#define NOW INT64_C (1795811237000)
#define SOON (NOW + MESHLOG_SOON_MS)

typedef struct {
    char folder [48];
    meshlog_t *log;
    int told;
    meshreceipt_epoch_t last;
    uint8_t bytes [MESHRECEIPT_EPOCH_MAX];
    size_t size;
} fixture_t;

static int s_setup (void **state)
{
    fixture_t *f = calloc (1, sizeof *f);
    assert_non_null (f);
    assert_int_equal (identity_init (), 0);
    strcpy (f->folder, "/tmp/meshlog-XXXXXX");
    assert_non_null (mkdtemp (f->folder));
    f->log = meshlog_open (f->folder, 7, NOW);
    assert_non_null (f->log);
    *state = f;
    return 0;
}

static int s_teardown (void **state)
{
    fixture_t *f = *state;
    char command [80];
    meshlog_close (&f->log);
    meshlog_close (&f->log);
    snprintf (command, sizeof command, "rm -rf %s", f->folder);
    int rc = system (command);
    free (f);
    return rc;
}

static void s_mid (uint8_t mid [MID_SIZE], uint32_t number)
{
    memset (mid, 0, MID_SIZE);
    memcpy (mid, &number, sizeof number);
}

static void s_add (fixture_t *f, uint32_t number, bool sos, int64_t now_ms)
{
    uint8_t mid [MID_SIZE];
    s_mid (mid, number);
    meshlog_add (f->log, mid, sos, now_ms);
}

static void s_tell (void *context, const uint8_t *bytes, size_t size)
{
    fixture_t *f = context;
    f->told++;
    assert_true (meshreceipt_epoch_verify (bytes, size, meshlog_keys (f->log)->public_key));
    assert_int_equal (meshreceipt_epoch_parse (&f->last, bytes, size), 0);
    memcpy (f->bytes, bytes, size);
    f->size = size;
}

static bool s_close (fixture_t *f, int64_t now_ms)
{
    bool failed;
    bool closed = meshlog_close_epoch (f->log, now_ms, &failed);
    assert_false (failed);
    return closed;
}

static bool s_has (const fixture_t *f, uint32_t number, bool sos)
{
    uint8_t mid [MID_SIZE];
    s_mid (mid, number);
    return meshreceipt_epoch_has (f->bytes, f->size, mid, sos);
}

static void test_an_epoch_names_what_was_accepted (void **state)
{
    fixture_t *f = *state;
    assert_false (s_close (f, SOON)); //  nothing to say
    s_add (f, 1, false, NOW);
    s_add (f, 2, true, NOW);
    assert_false (s_close (f, SOON - 1));
    assert_true (s_close (f, SOON));
    meshlog_since (f->log, 0, 0, 10, s_tell, f);
    assert_int_equal (f->told, 1);
    assert_int_equal (f->last.number, 1);
    assert_true (s_has (f, 1, false) && s_has (f, 2, true));
    assert_false (s_has (f, 3, false) || s_has (f, 1, true));
    //  named once; the next epoch waits for its minute
    s_add (f, 1, false, SOON);
    s_add (f, 3, false, SOON);
    assert_false (s_close (f, SOON + MESHLOG_EVERY_MS - 1));
    assert_true (s_close (f, SOON + MESHLOG_EVERY_MS));
    uint32_t series, number;
    meshlog_newest (f->log, &series, &number);
    assert_int_equal (number, 2);
    f->told = 0;
    meshlog_since (f->log, series, 1, 10, s_tell, f);
    assert_int_equal (f->told, 1);
    assert_true (s_has (f, 3, false));
    assert_false (s_has (f, 1, false));
    f->told = 0;
    meshlog_since (f->log, series, 2, 10, s_tell, f);
    assert_int_equal (f->told, 0);
    meshlog_since (f->log, series - 1, 2, 10, s_tell, f); //  another series is told whole
    assert_int_equal (f->told, 2);
}

static void test_numbers_are_given_once (void **state)
{
    fixture_t *f = *state;
    uint32_t series, number, again;
    uint8_t key [KEY_SIZE];
    s_add (f, 1, false, NOW);
    assert_true (s_close (f, SOON));
    meshlog_newest (f->log, &series, &number);
    memcpy (key, meshlog_keys (f->log)->public_key, KEY_SIZE);
    meshlog_close (&f->log);
    f->log = meshlog_open (f->folder, 7, SOON);
    assert_memory_equal (meshlog_keys (f->log)->public_key, key, KEY_SIZE);
    meshlog_newest (f->log, &again, &number);
    assert_int_equal (again, series);
    assert_int_equal (number, 1);
    //  long after, when the epoch itself is forgotten, its number is not
    int64_t later = NOW + 100 * 3600000ll;
    s_add (f, 2, false, later);
    assert_true (s_close (f, later + MESHLOG_SOON_MS));
    meshlog_since (f->log, series, 0, 10, s_tell, f);
    assert_int_equal (f->last.number, 2);
    //  a restored log is another incarnation, whatever the clock says
    meshlog_close (&f->log);
    f->log = meshlog_open (f->folder, 8, 1000);
    meshlog_newest (f->log, &again, &number);
    assert_int_equal (again, series + 1);
    assert_int_equal (number, 0);
}

static void test_more_than_one_epoch_holds_goes_into_the_next (void **state)
{
    fixture_t *f = *state;
    for (uint32_t i = 0; i < MESHRECEIPT_IDS_MAX + 10; i++)
        s_add (f, i + 1, false, NOW);
    assert_true (s_close (f, SOON));
    assert_true (s_close (f, SOON + MESHLOG_EVERY_MS));
    assert_false (s_close (f, SOON + 2 * MESHLOG_EVERY_MS));
    meshlog_since (f->log, 0, 0, 10, s_tell, f);
    assert_int_equal (f->told, 2);
    assert_int_equal (f->last.shorts, 10);
    assert_int_equal (f->last.oldest, 1);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_an_epoch_names_what_was_accepted, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_numbers_are_given_once, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_more_than_one_epoch_holds_goes_into_the_next, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
