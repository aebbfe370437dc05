//  store: opens checked, migrates, keeps, refuses

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "store.h"

static char s_folder [64], s_path [96];

static const char *const STEPS [] = { "CREATE TABLE tip (id INTEGER PRIMARY KEY, body BLOB, word TEXT)",
    "ALTER TABLE tip ADD COLUMN at INTEGER; CREATE INDEX tip_at ON tip (at)", NULL };

static int s_setup (void **state)
{
    (void)state;
    strcpy (s_folder, "/tmp/store_test.XXXXXX");
    if (!mkdtemp (s_folder))
        return -1;
    snprintf (s_path, sizeof s_path, "%s/state.db", s_folder);
    return 0;
}

static int s_teardown (void **state)
{
    (void)state;
    static const char *const names [] = { "", "-wal", "-shm" };
    for (int index = 0; index < 3; index++) {
        char path [128];
        snprintf (path, sizeof path, "%s%s", s_path, names [index]);
        unlink (path);
    }
    return rmdir (s_folder);
}

static int64_t s_ask (sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = store_prepare (db, sql);
    assert_int_equal (store_step (statement), 1);
    int64_t value = store_int (statement, 0);
    sqlite3_finalize (statement);
    return value;
}

static void test_opens_as_promised (void **state)
{
    (void)state;
    umask (022);
    sqlite3 *db = store_open (s_path, STORE_FULL, STEPS);
    assert_non_null (db);
    struct stat about;
    assert_int_equal (stat (s_path, &about), 0);
    assert_int_equal (about.st_mode & 0777, 0600);
    assert_int_equal (s_ask (db, "PRAGMA synchronous"), 2);
    assert_int_equal (s_ask (db, "PRAGMA journal_size_limit"), 64 * 1024 * 1024);
    assert_int_equal (s_ask (db, "PRAGMA trusted_schema"), 0);
    assert_int_equal (s_ask (db, "PRAGMA user_version"), 2);
    assert_int_equal (s_ask (db, "PRAGMA wal_autocheckpoint"), 1000);
    //  a double-quoted name that is no column is an error, not a string
    assert_int_equal (store_exec (db, "SELECT \"no such column\" FROM tip"), -1);
    store_close (&db);
    assert_null (db);
    store_close (&db);
    db = store_open (s_path, STORE_NORMAL, STEPS);
    assert_int_equal (s_ask (db, "PRAGMA synchronous"), 1);
    //  a backup of the live file goes through this connection
    char sql [160], copy [128];
    snprintf (copy, sizeof copy, "%s.copy", s_path);
    snprintf (sql, sizeof sql, "VACUUM INTO '%s'", copy);
    assert_int_equal (store_exec (db, sql), 0);
    assert_int_equal (unlink (copy), 0);
    store_close (&db);
}

static void test_binds_and_reads (void **state)
{
    (void)state;
    sqlite3 *db = store_open (s_path, STORE_FULL, STEPS);
    sqlite3_stmt *add = store_prepare (db, "INSERT INTO tip (id, body, word, at) VALUES (?, ?, ?, ?)");
    store_bind (add, "ibsi", (int64_t)1 << 40, "a\0b", (size_t)3, "好好好", (int64_t)-5);
    assert_int_equal (store_run (add), 0);
    store_bind (add, "ibtn", (int64_t)2, NULL, (size_t)0, "xyz", (size_t)2);
    assert_int_equal (store_run (add), 0);
    store_bind (add, "inss", (int64_t)3, NULL, NULL);
    assert_int_equal (store_run (add), 0);
    store_bind (add, "inss", (int64_t)3, NULL, NULL);
    assert_int_equal (store_run (add), -1); //  the key is taken
    sqlite3_finalize (add);

    sqlite3_stmt *get = store_prepare (db, "SELECT id, length (body), word, at, body IS NULL FROM tip ORDER BY id DESC");
    char word [6];
    assert_int_equal (store_step (get), 1);
    assert_true (store_int (get, 0) == (int64_t)1 << 40);
    assert_int_equal (store_int (get, 1), 3);
    store_text (get, 2, word, sizeof word);
    assert_string_equal (word, "好"); //  cut between characters
    assert_int_equal (store_int (get, 3), -5);
    assert_int_equal (store_step (get), 1);
    assert_int_equal (store_int (get, 4), 1);
    store_text (get, 2, word, sizeof word);
    assert_string_equal (word, "");
    assert_int_equal (store_step (get), 1);
    assert_int_equal (store_int (get, 4), 0); //  an empty blob is not null
    store_text (get, 2, word, sizeof word);
    assert_string_equal (word, "xy");
    assert_int_equal (store_step (get), 0);
    sqlite3_finalize (get);
    store_close (&db);
}

static void test_migrates_only_what_is_new (void **state)
{
    (void)state;
    static const char *const first [] = { "CREATE TABLE tip (id INTEGER PRIMARY KEY, body BLOB, word TEXT)", NULL };
    sqlite3 *db = store_open (s_path, STORE_FULL, first);
    assert_int_equal (store_exec (db, "INSERT INTO tip (id) VALUES (7)"), 0);
    store_close (&db);
    db = store_open (s_path, STORE_FULL, STEPS);
    assert_int_equal (s_ask (db, "SELECT id FROM tip"), 7);
    assert_int_equal (s_ask (db, "PRAGMA user_version"), 2);
    store_close (&db);
    //  an older program must not touch it
    assert_null (store_open (s_path, STORE_FULL, first));
}

static void test_failed_step_leaves_nothing (void **state)
{
    (void)state;
    static const char *const broken [] = { "CREATE TABLE one (id); CREATE TABLE one (id)", NULL };
    assert_null (store_open (s_path, STORE_FULL, broken));
    sqlite3 *db = store_open (s_path, STORE_FULL, NULL);
    assert_int_equal (s_ask (db, "SELECT count (*) FROM sqlite_master"), 0);
    store_close (&db);
}

static void test_reader_reads_only (void **state)
{
    (void)state;
    assert_null (store_open (s_path, STORE_READ, STEPS)); //  absent: not created
    assert_int_equal (access (s_path, F_OK), -1);
    sqlite3 *writer = store_open (s_path, STORE_FULL, STEPS);
    sqlite3 *reader = store_open (s_path, STORE_READ, STEPS);
    assert_non_null (reader);
    assert_int_equal (store_exec (writer, "INSERT INTO tip (id) VALUES (1)"), 0);
    assert_int_equal (s_ask (reader, "SELECT count (*) FROM tip"), 1);
    assert_int_equal (s_ask (reader, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal (store_exec (reader, "DELETE FROM tip"), -1);
    store_close (&reader);
    store_close (&writer);
}

static void test_refuses_what_is_no_database (void **state)
{
    (void)state;
    FILE *file = fopen (s_path, "w");
    for (int line = 0; line < 200; line++)
        fputs ("this is a diary and not a database\n", file);
    fclose (file);
    assert_null (store_open (s_path, STORE_FULL, STEPS));
    assert_null (store_open (s_folder, STORE_FULL, STEPS));
    assert_null (store_open ("/nowhere/at/all.db", STORE_FULL, STEPS));
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (test_opens_as_promised, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_binds_and_reads, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_migrates_only_what_is_new, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_failed_step_leaves_nothing, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_reader_reads_only, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (test_refuses_what_is_no_database, s_setup, s_teardown),
    };
    return cmocka_run_group_tests_name ("store", tests, NULL, NULL);
}
