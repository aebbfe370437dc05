//  verify_test - log, state and audit trail against each other; backup and restore

#include "testledger.h"

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "audit.h"
#include "backup.h"
#include "verify.h"

static int s_setup (void **state)
{
    ledger_t *ledger = ledger_make ();
    uint64_t west = ledger_tip (ledger, "order", "a quarrel", 33.2, 109.2),
             east = ledger_tip (ledger, "fire", "smoke", 33.2, 109.8);
    ledger_tip (ledger, "order", "on the border", 33.2, 109.4999);
    ledger_command (ledger, WEST, PATROL__VERB__ACK, west, 0, 0);
    ledger_command (ledger, EAST, PATROL__VERB__PLACE, east, 33.25, 109.75);
    take_t take = { 0 };
    engine_delivered (ledger->engine, members_get (engine_members (ledger->engine), WEST + 1), 2, ledger->now_ms, &take);
    ledger_durable (ledger, &take);
    engine_done_below (ledger->engine, members_get (engine_members (ledger->engine), ANN + 1), 7, 3, ledger->now_ms, &take);
    if (take.verdict == TAKE_RECORD)
        ledger_durable (ledger, &take);
    *state = ledger;
    return 0;
}

static int s_teardown (void **state)
{
    ledger_t *ledger = *state;
    ledger_destroy (&ledger);
    return 0;
}

//  Three reads, the head of which the log remembers, and one more.
static void s_audit (ledger_t *ledger)
{
    char *path = home_path (ledger->home, "audit.db");
    audit_t *audit = audit_open (path);
    audit_row_t row
        = { .at_ms = LEDGER_NOW, .member = 101, .role = 2, .station = "west", .officer = "Li", .ask = "list", .detail = "" };
    for (int i = 0; i < 3; i++)
        assert_int_equal (audit_append (audit, &row), 0);
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__AuditHead head = PATROL__AUDIT_HEAD__INIT;
    uint8_t hash [32];
    take_t take = { 0 };
    audit_head (audit, &head.rows, hash);
    head.hash = (ProtobufCBinaryData){ sizeof hash, hash };
    record.event_case = PATROL__RECORD__EVENT_AUDIT_HEAD;
    record.audit_head = &head;
    engine_record (ledger->engine, &record, ledger->now_ms, &take);
    ledger_durable (ledger, &take);
    assert_int_equal (audit_append (audit, &row), 0);
    audit_close (&audit);
    free (path);
}

static json_t *s_verify (ledger_t *ledger)
{
    uint8_t digest [32];
    char counts [400];
    state_t *state = engine_state (ledger->engine);
    assert_int_equal (state_commit (state, ledger->now_ms, true), 0);
    assert_int_equal (state_digest (state, digest, counts, sizeof counts), 0);
    const verify_t verify = { .home = ledger->home,
        .core_keys = &ledger->core,
        .digest = digest,
        .counts = counts,
        .applied = state_applied (state) };
    json_t *result = verify_run (&verify);
    assert_non_null (result);
    char *path = home_path (ledger->home, "verify.rebuild");
    assert_int_not_equal (access (path, F_OK), 0);
    free (path);
    return result;
}

static void s_sql (const char *home, const char *name, const char *sql)
{
    sqlite3 *db;
    char *path = home_path (home, name);
    assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
    sqlite3_busy_timeout (db, 5000);
    assert_int_equal (sqlite3_exec (db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close (db);
    free (path);
}

//  The result is sound, or one of its faults has the words.
static void s_expect (ledger_t *ledger, const char *words)
{
    json_t *result = s_verify (ledger);
    json_t *faults = json_object_get (result, "faults"), *fault;
    size_t i;
    bool found = !words && json_array_size (faults) == 0;
    json_array_foreach (faults, i, fault) found = found || (words && strstr (json_string_value (fault), words));
    if (!found) {
        char *text = json_dumps (result, JSON_INDENT (1));
        print_error ("%s\n", text);
        free (text);
    }
    assert_true (found);
    assert_int_equal (json_is_true (json_object_get (result, "ok")), !words);
    json_decref (result);
}

static void test_a_sound_home_is_sound (void **state)
{
    ledger_t *ledger = *state;
    s_audit (ledger);
    json_t *result = s_verify (ledger);
    assert_true (json_is_true (json_object_get (result, "ok")));
    assert_int_equal (json_integer_value (json_object_get (result, "records")), ledger->seq);
    assert_int_equal (json_integer_value (json_object_get (result, "tips")), 3);
    assert_string_equal (json_string_value (json_object_get (result, "state")), "equal");
    assert_int_equal (json_integer_value (json_object_get (result, "audit_rows")), 4);
    json_decref (result);
    //  Also after the state was loaded from its file.
    ledger_shut (ledger);
    ledger_open (ledger);
    s_expect (ledger, NULL);
}

static void test_an_edited_record_is_found (void **state)
{
    ledger_t *ledger = *state;
    s_sql (ledger->home, "log.db", "UPDATE record SET body = zeroblob (length (body)) WHERE seq = 7");
    s_expect (ledger, "record 7 is damaged");
}

static void test_a_missing_record_is_found (void **state)
{
    ledger_t *ledger = *state;
    s_sql (ledger->home, "log.db", "DELETE FROM record WHERE seq = 6");
    s_expect (ledger, "differs");
}

static void test_a_missing_end_is_found (void **state)
{
    ledger_t *ledger = *state;
    s_sql (ledger->home, "log.db", "DELETE FROM record WHERE seq >= 9");
    s_expect (ledger, "the log ends at record 8");
}

static void test_a_tip_taken_twice_is_found (void **state)
{
    ledger_t *ledger = *state;
    s_sql (ledger->home, "log.db",
        "INSERT INTO record SELECT (SELECT max (seq) + 1 FROM record), (SELECT max (at) FROM record), sum, body FROM record"
        " WHERE seq = 6");
    //  The log is read to its end when there is no living state to compare with.
    const verify_t verify = { .home = ledger->home, .core_keys = &ledger->core };
    json_t *result = verify_run (&verify);
    assert_false (json_is_true (json_object_get (result, "ok")));
    char *text = json_dumps (result, 0);
    assert_non_null (strstr (text, "was accepted before, by record 6"));
    assert_non_null (strstr (text, "its time differs"));
    assert_string_equal (json_string_value (json_object_get (result, "state")), "not compared");
    free (text);
    json_decref (result);
}

static void test_a_clock_that_went_back_is_found (void **state)
{
    ledger_t *ledger = *state;
    s_sql (ledger->home, "log.db", "UPDATE record SET at = at - 100000 WHERE seq = 8");
    s_expect (ledger, "before the time of the record before it");
}

static void test_a_damaged_state_is_found (void **state)
{
    ledger_t *ledger = *state;
    s_sql (ledger->home, "state.db", "UPDATE incident SET status = 3 WHERE kind = 'fire'");
    s_expect (ledger, "the state differs");
}

static void test_the_audit_trail_is_held_against_the_log (void **state)
{
    ledger_t *ledger = *state;
    s_audit (ledger);
    s_expect (ledger, NULL);
    s_sql (ledger->home, "audit.db", "DELETE FROM audit WHERE seq = 4");
    s_expect (ledger, NULL); //  younger than the head that the log remembers
    s_sql (ledger->home, "audit.db", "DELETE FROM audit WHERE seq = 3");
    s_expect (ledger, "its end is missing");
    //  A whole new chain, sound in itself.
    char *path = home_path (ledger->home, "audit.db");
    s_sql (ledger->home, "audit.db", "DELETE FROM audit");
    audit_t *audit = audit_open (path);
    audit_row_t row = { .at_ms = LEDGER_NOW, .member = 1, .station = "", .officer = "", .ask = "list", .detail = "" };
    for (int i = 0; i < 4; i++)
        assert_int_equal (audit_append (audit, &row), 0);
    audit_close (&audit);
    s_expect (ledger, "rewritten");
    s_sql (ledger->home, "audit.db", "UPDATE audit SET officer = 'Wang' WHERE seq = 2");
    s_expect (ledger, "row 2");
    unlink (path);
    free (path);
    s_expect (ledger, "its end is missing");
}

static bool s_stop (void *context, uint64_t done, uint64_t total)
{
    *(int *)context += 1;
    assert_true (done <= total);
    return false;
}

static void test_it_stops_when_told (void **state)
{
    ledger_t *ledger = *state;
    int calls = 0;
    const verify_t verify = { .home = ledger->home, .core_keys = &ledger->core, .progress = s_stop, .context = &calls };
    json_t *result = verify_run (&verify);
    assert_int_equal (calls, 1);
    assert_false (json_is_true (json_object_get (result, "ok")));
    json_decref (result);
}

//  ---- backup

static void s_copy_file (const char *from, const char *to, const char *name)
{
    char command [512];
    snprintf (command, sizeof command, "cp -p %s/%s %s/%s", from, name, to, name);
    assert_int_equal (system (command), 0);
}

static int s_entries (const char *folder, const char *part)
{
    DIR *dir = opendir (folder);
    int count = 0;
    for (struct dirent *entry; (entry = readdir (dir));)
        count += strstr (entry->d_name, part) != NULL;
    closedir (dir);
    return count;
}

//  A second machine with the keys of the first.
static void s_second_machine (const ledger_t *ledger, char home [64])
{
    static const char *const names [] = { "core.key", "transport.key", "issuer.key", "district.id", "daykeys.db" };
    strcpy (home, "/tmp/restore_test.XXXXXX");
    assert_non_null (mkdtemp (home));
    ledger_file (ledger->home, "transport.key", "secret\n");
    ledger_file (ledger->home, "issuer.key", "secret\n");
    for (size_t i = 0; i < sizeof names / sizeof names [0]; i++)
        s_copy_file (ledger->home, home, names [i]);
}

static void s_remove (const char *folder)
{
    char command [128];
    snprintf (command, sizeof command, "rm -rf %s", folder);
    assert_int_equal (system (command), 0);
}

static void test_backup_and_restore_on_another_machine (void **state)
{
    ledger_t *ledger = *state;
    char home [64], *path = home_path (ledger->home, "backup");
    s_audit (ledger);
    ledger_file (ledger->home, "settings.json", "{\"listen\": \"tcp://127.0.0.1:7410\"}\n");
    ledger_file (ledger->home, "authority.pub", "ab\n");
    assert_int_equal (backup_make (ledger->home, path), 0);
    assert_int_equal (backup_make (ledger->home, path), -1); //  never overwritten
    struct stat about;
    assert_int_equal (stat (path, &about), 0);
    assert_int_equal (about.st_mode & 077, 0);
    assert_int_equal (s_entries (ledger->home, "backup"), 1);
    ledger_tip (ledger, "order", "after the backup", 33.2, 109.2);

    s_second_machine (ledger, home);
    assert_int_equal (backup_restore (home, path), 0);
    assert_int_equal (s_entries (home, ".restore"), 0);
    ledger_t second = { .core = ledger->core, .now_ms = ledger->now_ms };
    snprintf (second.home, sizeof second.home, "%s", home);
    ledger_open (&second);
    assert_int_equal (second.seq, ledger->seq - 1);
    assert_true (eventlog_incarnation (second.log) > eventlog_incarnation (ledger->log));
    json_t *result = s_verify (&second);
    assert_true (json_is_true (json_object_get (result, "ok")));
    assert_int_equal (json_integer_value (json_object_get (result, "tips")), 3);
    assert_int_equal (json_integer_value (json_object_get (result, "audit_rows")), 4);
    json_decref (result);
    uint64_t incarnation = eventlog_incarnation (second.log);
    ledger_shut (&second);
    assert_int_equal (s_entries (home, "settings.json"), 1);
    assert_int_equal (s_entries (home, "authority.pub"), 1);

    //  The same backup again, over what is there: what was there is kept, and it is yet another incarnation.
    assert_int_equal (backup_restore (home, path), 0);
    assert_int_equal (s_entries (home, "log.db.before-restore"), 1);
    assert_int_equal (s_entries (home, "state.db.before-restore"), 1);
    assert_int_equal (s_entries (home, "audit.db.before-restore"), 1);
    ledger_open (&second);
    assert_true (eventlog_incarnation (second.log) > incarnation);
    s_expect (&second, NULL);
    ledger_shut (&second);
    s_remove (home);
    free (path);
}

static void test_restore_refuses_what_does_not_fit (void **state)
{
    ledger_t *ledger = *state;
    char home [64], *path = home_path (ledger->home, "backup"), *key;
    assert_int_equal (backup_make (ledger->home, path), 0);
    s_second_machine (ledger, home);

    int lock = home_lock (home);
    assert_true (lock >= 0);
    assert_int_equal (backup_restore (home, path), -1); //  somebody runs there
    close (lock);

    ledger_file (home, "district.id", "ffffffffffffffff\n");
    assert_int_equal (backup_restore (home, path), -1);
    s_copy_file (ledger->home, home, "district.id");

    key = home_path (home, "issuer.key");
    unlink (key);
    free (key);
    assert_int_equal (backup_restore (home, path), -1);
    s_copy_file (ledger->home, home, "issuer.key");

    char *log = home_path (ledger->home, "log.db");
    assert_int_equal (backup_restore (home, log), -1); //  a log is no backup
    free (log);

    s_sql (ledger->home, "backup", "UPDATE record SET body = zeroblob (length (body)) WHERE seq = 7");
    assert_int_equal (backup_restore (home, path), -1);
    //  Nothing was put there by any of them.
    assert_int_equal (s_entries (home, "log.db"), 0);
    assert_int_equal (s_entries (home, "audit.db"), 0);
    s_remove (home);
    free (path);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, s_setup, s_teardown)

int main (void)
{
    const struct CMUnitTest tests [] = {
        TEST (test_a_sound_home_is_sound),
        TEST (test_an_edited_record_is_found),
        TEST (test_a_missing_record_is_found),
        TEST (test_a_missing_end_is_found),
        TEST (test_a_tip_taken_twice_is_found),
        TEST (test_a_clock_that_went_back_is_found),
        TEST (test_a_damaged_state_is_found),
        TEST (test_the_audit_trail_is_held_against_the_log),
        TEST (test_it_stops_when_told),
        TEST (test_backup_and_restore_on_another_machine),
        TEST (test_restore_refuses_what_does_not_fit),
    };
    if (identity_init ())
        return 1;
    return cmocka_run_group_tests (tests, NULL, NULL);
}
