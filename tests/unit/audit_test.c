//  audit_test - the chained trail of reads: what was done to it shows

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"

typedef struct {
    char folder [64], path [96];
} trail_t;

static void s_append (audit_t *audit, int i)
{
    char detail [32];
    snprintf (detail, sizeof detail, "status open, after %d", i);
    audit_row_t row = { .at_ms = 1790000000000ll + i,
        .member = UINT64_MAX - 5,
        .role = 2,
        .station = "west",
        .officer = "王",
        .ask = "list",
        .detail = detail };
    assert_int_equal (audit_append (audit, &row), 0);
}

static int s_setup (void **state)
{
    trail_t *trail = calloc (1, sizeof *trail);
    assert_true (sodium_init () >= 0);
    snprintf (trail->folder, sizeof trail->folder, "/tmp/audit_test.XXXXXX");
    assert_non_null (mkdtemp (trail->folder));
    snprintf (trail->path, sizeof trail->path, "%s/audit.db", trail->folder);
    audit_t *audit = audit_open (trail->path);
    assert_non_null (audit);
    for (int i = 1; i <= 5; i++)
        s_append (audit, i);
    audit_close (&audit);
    *state = trail;
    return 0;
}

static int s_teardown (void **state)
{
    trail_t *trail = *state;
    char command [128];
    snprintf (command, sizeof command, "rm -rf %s", trail->folder);
    int rc = system (command);
    free (trail);
    return rc;
}

static void s_tamper (const trail_t *trail, const char *sql)
{
    sqlite3 *db;
    assert_int_equal (sqlite3_open (trail->path, &db), SQLITE_OK);
    assert_int_equal (sqlite3_exec (db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close (db);
}

static void s_found_at (const trail_t *trail, uint64_t row)
{
    uint8_t head [32];
    const char *reason;
    uint64_t bad_row;
    assert_int_equal (audit_verify (trail->path, head, &reason, &bad_row), -1);
    assert_non_null (reason);
    assert_int_equal (bad_row, row);
}

static void test_a_chain_goes_on_after_a_restart (void **state)
{
    trail_t *trail = *state;
    uint8_t head [32], hash [32];
    const char *reason;
    uint64_t rows, bad_row;
    audit_t *audit = audit_open (trail->path);
    audit_head (audit, &rows, hash);
    assert_int_equal (rows, 5);
    s_append (audit, 6);
    audit_head (audit, &rows, hash);
    //  Somebody else may read it meanwhile.
    assert_int_equal (audit_verify (trail->path, head, &reason, &bad_row), 6);
    assert_null (reason);
    assert_memory_equal (head, hash, 32);
    assert_int_equal (audit_hash_at (trail->path, 6, head), 1);
    assert_memory_equal (head, hash, 32);
    assert_int_equal (audit_hash_at (trail->path, 7, head), 0);
    audit_close (&audit);
}

static void test_an_edited_row_shows (void **state)
{
    s_tamper (*state, "UPDATE audit SET officer = 'Li' WHERE seq = 3");
    s_found_at (*state, 3);
}

static void test_a_deleted_row_shows (void **state)
{
    s_tamper (*state, "DELETE FROM audit WHERE seq = 2");
    s_found_at (*state, 2);
}

static void test_a_deleted_row_with_numbers_closed_up_shows (void **state)
{
    s_tamper (*state, "DELETE FROM audit WHERE seq = 2; UPDATE audit SET seq = seq - 1 WHERE seq > 2");
    s_found_at (*state, 2);
}

static void test_exchanged_rows_show (void **state)
{
    s_tamper (*state,
        "UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE "
        "seq = 99");
    s_found_at (*state, 2);
}

static void test_a_hash_of_another_size_shows (void **state)
{
    s_tamper (*state, "UPDATE audit SET hash = x'00' WHERE seq = 5");
    s_found_at (*state, 5);
}

static void test_a_cut_tail_is_another_head (void **state)
{
    trail_t *trail = *state;
    uint8_t known [32], head [32];
    const char *reason;
    uint64_t bad_row;
    assert_int_equal (audit_verify (trail->path, known, &reason, &bad_row), 5);
    s_tamper (trail, "DELETE FROM audit WHERE seq > 3");
    //  The rest is a sound chain: only who knows the head can tell.
    assert_int_equal (audit_verify (trail->path, head, &reason, &bad_row), 3);
    assert_memory_not_equal (head, known, 32);
    assert_int_equal (audit_hash_at (trail->path, 5, head), 0);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_a_chain_goes_on_after_a_restart, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_an_edited_row_shows, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_deleted_row_shows, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_deleted_row_with_numbers_closed_up_shows, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_exchanged_rows_show, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_hash_of_another_size_shows, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_cut_tail_is_another_head, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
