//  storewriter: in order, seen by the next question, and nothing after a write that failed

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"
#include "storewriter.h"

enum { ADD, TOUCH, COUNT };

typedef struct {
    char folder [64], path [96];
    sqlite3 *db;
    sqlite3_stmt *statements [COUNT];
    storewriter_t *writer;
} world_t;

static void s_open (world_t *world)
{
    static const char *const steps []
        = { "CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT, body BLOB, at INTEGER)", NULL };
    world->db = store_open (world->path, STORE_NORMAL, steps);
    assert_non_null (world->db);
    world->statements [ADD] = store_prepare (world->db, "INSERT INTO t VALUES (?1, ?2, ?3, ?4)");
    world->statements [TOUCH] = store_prepare (world->db, "UPDATE t SET at = ?2 WHERE id = ?1");
    world->writer = storewriter_new (world->db, world->statements, COUNT);
}

static void s_close (world_t *world)
{
    storewriter_destroy (&world->writer);
    for (int i = 0; i < COUNT; i++)
        sqlite3_finalize (world->statements [i]);
    if (!sqlite3_get_autocommit (world->db))
        assert_int_equal (store_exec (world->db, "ROLLBACK"), 0);
    store_close (&world->db);
}

static int s_setup (void **state)
{
    world_t *world = calloc (1, sizeof *world);
    strcpy (world->folder, "/tmp/storewriter_test-XXXXXX");
    if (!world || !mkdtemp (world->folder))
        return -1;
    snprintf (world->path, sizeof world->path, "%s/t.db", world->folder);
    s_open (world);
    *state = world;
    return 0;
}

static int s_teardown (void **state)
{
    world_t *world = *state;
    char command [128];
    s_close (world);
    snprintf (command, sizeof command, "rm -rf %s", world->folder);
    free (world);
    return system (command);
}

static int64_t s_ask (world_t *world, const char *sql)
{
    sqlite3_stmt *st = store_prepare (world->db, sql);
    assert_int_equal (store_step (st), 1);
    int64_t value = store_int (st, 0);
    sqlite3_finalize (st);
    return value;
}

static int s_begin (world_t *world)
{
    return storewriter_put (world->writer, STOREWRITER_BEGIN, 0, "");
}

static int s_commit (world_t *world)
{
    return storewriter_put (world->writer, STOREWRITER_COMMIT, 0, "");
}

static int s_add (world_t *world, int64_t id, const void *body, size_t size)
{
    return storewriter_put (world->writer, ADD, (uint64_t)id, "isbi", id, "word", body, size, id * 2);
}

static void test_what_was_put_is_there_when_settled (void **state)
{
    world_t *world = *state;
    char body [] = "body";
    assert_int_equal (s_begin (world), 0);
    assert_int_equal (s_add (world, 1, body, 4), 0);
    memset (body, 0, sizeof body); //  copied
    assert_int_equal (storewriter_put (world->writer, ADD, 2, "itnn", (int64_t)2, "words", (size_t)4), 0);
    assert_int_equal (storewriter_put (world->writer, ADD, 3, "isbn", (int64_t)3, NULL, NULL, (size_t)0), 0);
    assert_int_equal (storewriter_put (world->writer, TOUCH, 3, "1ii", (int64_t)3, (int64_t)7), 0);
    assert_int_equal (storewriter_settle (world->writer), 0);
    assert_int_equal (
        s_ask (world, "SELECT count (*) FROM t WHERE id = 1 AND word = 'word' AND body = x'626f6479' AND at = 2"), 1);
    assert_int_equal (
        s_ask (world, "SELECT count (*) FROM t WHERE id = 2 AND word = 'word' AND body IS NULL AND at IS NULL"), 1);
    assert_int_equal (s_ask (world, "SELECT count (*) FROM t WHERE id = 3 AND word IS NULL AND body = x'' AND at = 7"), 1);
    assert_int_equal (s_commit (world), 0);
    assert_int_equal (storewriter_settle (world->writer), 0);
    s_close (world);
    s_open (world);
    assert_int_equal (s_ask (world, "SELECT count (*) FROM t"), 3);
}

//  Many times what two tapes hold, handed over at odd moments, a question now and then; written in order, each once.
static void test_more_than_the_tapes_hold (void **state)
{
    world_t *world = *state;
    static uint8_t body [8192];
    enum { ROWS = 2000 };
    assert_int_equal (s_begin (world), 0);
    for (int64_t i = 1; i <= ROWS; i++) {
        assert_int_equal (s_add (world, i, body, (size_t)(i * 37 % (int64_t)sizeof body)), 0);
        //  fails if the row above is not written yet
        assert_int_equal (storewriter_put (world->writer, TOUCH, (uint64_t)i, "1ii", i, -i), 0);
        if (i % 7 == 0)
            storewriter_flush (world->writer, i % 3 ? 0 : 20000);
        if (i % 191 == 0) {
            assert_int_equal (storewriter_settle (world->writer), 0);
            assert_int_equal (s_ask (world, "SELECT count (*) FROM t"), i);
        }
        if (i % 500 == 0) {
            assert_int_equal (s_commit (world), 0);
            assert_int_equal (s_begin (world), 0);
        }
    }
    assert_int_equal (s_commit (world), 0);
    s_close (world); //  writes the rest
    s_open (world);
    assert_int_equal (s_ask (world, "SELECT count (*) FROM t WHERE at = -id AND length (body) = id * 37 % 8192"), ROWS);
}

//  `bad` is put after a good row in an open transaction; nothing of it may be there afterwards, nor of what is put later.
static void s_fails (world_t *world, int64_t bad_id, bool touch)
{
    assert_int_equal (s_begin (world), 0);
    assert_int_equal (s_add (world, 1, "", 0), 0);
    assert_int_equal (s_commit (world), 0);
    assert_int_equal (s_begin (world), 0);
    assert_int_equal (s_add (world, 2, "", 0), 0);
    if (touch)
        assert_int_equal (storewriter_put (world->writer, TOUCH, 9, "1ii", bad_id, (int64_t)0), 0);
    else
        assert_int_equal (s_add (world, bad_id, "", 0), 0);
    //  not noticed yet, and yet in vain
    s_add (world, 3, "", 0);
    s_commit (world);
    assert_int_equal (storewriter_settle (world->writer), -1);
    assert_true (storewriter_failed (world->writer));
    assert_int_equal (s_add (world, 4, "", 0), -1);
    assert_int_equal (s_commit (world), -1);
    s_close (world);
    s_open (world);
    assert_int_equal (s_ask (world, "SELECT count (*) FROM t"), 1);
}

static void test_a_refused_row_is_the_last (void **state)
{
    s_fails (*state, 1, false); //  the key is taken
}

static void test_a_row_that_should_be_there_and_is_not (void **state)
{
    s_fails (*state, 99, true);
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_what_was_put_is_there_when_settled, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_more_than_the_tapes_hold, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_refused_row_is_the_last, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_a_row_that_should_be_there_and_is_not, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
