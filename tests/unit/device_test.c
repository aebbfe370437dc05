//  device: joining a district against a front and core in the test, and what is on disk afterwards

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cli.h"
#include "device.h"
#include "home.h"
#include "testfront.h"

#define NODES (1u << PATROL__ROLE__NODE)

static testfront_t *s_front;
static char s_folder [64], s_home [80];
static char *s_error;

static int s_setup (void **state)
{
    (void)state;
    s_front = testfront_new ();
    testfront_serve (s_front);
    snprintf (s_folder, sizeof s_folder, "/tmp/device_test-XXXXXX");
    if (!mkdtemp (s_folder)) {
        return -1;
    }
    snprintf (s_home, sizeof s_home, "%s/home", s_folder);
    return 0;
}

static void s_path (char out [160], const char *name)
{
    snprintf (out, 160, "%s/%s", s_home, name);
}

static int s_teardown (void **state)
{
    (void)state;
    free (s_error);
    s_error = NULL;
    testfront_serve_end (s_front);
    testfront_destroy (&s_front);
    static const char *const names [] = { "device.json", "device.key", "link.key", "lock", "" };
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        char path [160];
        s_path (path, names [index]);
        remove (path);
    }
    rmdir (s_folder);
    return 0;
}

static int s_join_with (char *line, int64_t timeout_ms)
{
    free (s_error);
    int rc = device_join (s_home, line, NODES, timeout_ms, &s_error);
    free (line);
    assert_true ((rc == EXIT_DONE) == (s_error == NULL));
    return rc;
}

static int s_join (void)
{
    return s_join_with (testfront_invite (s_front, PATROL__ROLE__NODE, 60000), TEST_PATIENCE_MS);
}

//  The device must say why, and must not look as if it had joined.
static void s_refused (int rc, int expected, const char *words)
{
    assert_int_equal (rc, expected);
    if (!strstr (s_error, words)) {
        fail_msg ("\"%s\" does not say \"%s\"", s_error, words);
    }
    char path [160];
    s_path (path, "device.json");
    assert_int_equal (access (path, F_OK), -1);
}

//  ---- the tests

static void s_test_join (void **state)
{
    (void)state;
    assert_null (device_open (s_home));
    assert_int_equal (s_join (), EXIT_DONE);
    char path [160];
    s_path (path, "device.json");
    struct stat status;
    assert_int_equal (stat (path, &status), 0);
    assert_int_equal (status.st_mode & 0777, 0600);

    device_t *device = device_open (s_home);
    assert_non_null (device);
    assert_string_equal (device_endpoint (device), s_front->endpoint);
    assert_memory_equal (device_server_key (device), s_front->transport.public_key, KEY_SIZE);
    assert_memory_equal (device_keys (device)->public_key, s_front->enrolled_key, KEY_SIZE);
    uint8_t shared [KEY_SIZE];
    envelope_shared (shared, s_front->enrolled_key, s_front->core.secret_key);
    assert_memory_equal (device_shared (device), shared, KEY_SIZE);
    assert_memory_equal (device_seal (device)->district, s_front->district, DISTRICT_SIZE);
    assert_int_equal (device_seal (device)->key_id, envelope_key_id (s_front->core.public_key));
    assert_int_equal (device_credential (device)->member, 7);
    assert_string_equal (device_credential (device)->unit, "north gate");
    assert_true (kinds_count (device_kinds (device)) > 0);
    device_destroy (&device);
    device_destroy (&device);

    assert_int_equal (s_join (), EXIT_FAILED);
    assert_non_null (strstr (s_error, "has joined already"));
}

//  A retry after a lost answer is the same device.
static void s_test_keys_are_kept (void **state)
{
    (void)state;
    s_front->enrol_code = PATROL__CODE__INVITATION_USED;
    s_refused (s_join (), EXIT_RIGHTS, "used by another device");
    uint8_t first [KEY_SIZE];
    memcpy (first, s_front->enrolled_key, KEY_SIZE);
    s_front->enrol_code = PATROL__CODE__OK;
    assert_int_equal (s_join (), EXIT_DONE);
    assert_memory_equal (s_front->enrolled_key, first, KEY_SIZE);
}

static void s_test_refusals (void **state)
{
    (void)state;
    s_front->enrol_code = PATROL__CODE__INVITATION_EXPIRED;
    s_refused (s_join (), EXIT_RIGHTS, "has expired");
    s_front->enrol_code = PATROL__CODE__INVITATION_UNKNOWN;
    s_refused (s_join (), EXIT_RIGHTS, "does not know this invitation");
    s_front->enrol_code = PATROL__CODE__BAD_KEY;
    s_refused (s_join (), EXIT_FAILED, "code 22");
    int asked = atomic_load (&s_front->asked);
    s_refused (s_join_with (testfront_invite (s_front, PATROL__ROLE__NODE, -1000), 1000), EXIT_RIGHTS, "ended at");
    s_refused (s_join_with (testfront_invite (s_front, PATROL__ROLE__DESK, 60000), 1000), EXIT_RIGHTS, "role desk");
    s_refused (s_join_with (strdup ("patrol1:what?"), 1000), EXIT_USAGE, "not an invitation");
    s_refused (s_join_with (strdup (""), 1000), EXIT_USAGE, "not an invitation");
    assert_int_equal (atomic_load (&s_front->asked), asked); //  none of these went out
}

//  A broker that answers something else than the invitation promised is not believed.
static void s_test_bad_answers (void **state)
{
    (void)state;
    s_front->enrol_other_keys = true;
    s_refused (s_join (), EXIT_FAILED, "made for other keys");
    s_front->enrol_other_keys = false;
    s_front->enrol_other_authority = true;
    s_refused (s_join (), EXIT_FAILED, "cannot be trusted");
    s_front->enrol_other_authority = false;
    s_front->enrol_role = PATROL__ROLE__DESK;
    s_refused (s_join (), EXIT_FAILED, "role is desk");
}

static void s_test_unreachable (void **state)
{
    (void)state;
    s_front->core_down = true;
    s_refused (s_join_with (testfront_invite (s_front, PATROL__ROLE__NODE, 60000), 300), EXIT_FAILED, "core is not running");
    testfront_serve_end (s_front);
    char *line = testfront_invite (s_front, PATROL__ROLE__NODE, 60000);
    testfront_down (s_front);
    s_refused (s_join_with (line, 300), EXIT_FAILED, "does not answer");
    testfront_up (s_front);
    testfront_serve (s_front);
    atomic_store (&s_front->admit, false);
    s_refused (s_join (), EXIT_RIGHTS, "does not admit this invitation");
}

static void s_test_busy_home (void **state)
{
    (void)state;
    assert_int_equal (home_check (s_home, true), 0);
    int lock = home_lock (s_home);
    assert_true (lock >= 0);
    s_refused (s_join (), EXIT_FAILED, "in use by another");
    close (lock);
}

static void s_write (const char *name, const char *bytes)
{
    char path [160];
    s_path (path, name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (bytes, file);
    fclose (file);
}

static void s_test_damaged_files (void **state)
{
    (void)state;
    assert_int_equal (s_join (), EXIT_DONE);
    char path [160];
    s_path (path, "device.json");
    json_t *good = json_load_file (path, 0, NULL);
    static const char *const keys [] = { "version", "endpoint", "transport_key", "core_key", "authority", "district",
        "credential", "issuer", "enrolled_ms" };
    for (size_t index = 0; index < sizeof keys / sizeof *keys; index++) {
        json_t *bad = json_deep_copy (good);
        json_object_set_new (bad, keys [index], json_string ("00"));
        json_dump_file (bad, path, 0);
        assert_null (device_open (s_home));
        json_object_del (bad, keys [index]);
        json_dump_file (bad, path, 0);
        assert_null (device_open (s_home));
        json_decref (bad);
    }
    s_write ("device.json", "{\"version\": 1, ");
    assert_null (device_open (s_home));
    json_t *more = json_deep_copy (good);
    json_object_set_new (more, "unknown", json_true ());
    json_dump_file (more, path, 0);
    assert_null (device_open (s_home));
    json_decref (more);

    json_dump_file (good, path, 0);
    device_t *device = device_open (s_home);
    assert_non_null (device);
    device_destroy (&device);
    json_decref (good);
    //  other keys than the credential names
    s_path (path, "link.key");
    box_keys_t other;
    box_keys_make (&other);
    assert_int_equal (box_keys_save (&other, path, "link"), 0);
    assert_null (device_open (s_home));
    chmod (path, 0644);
    assert_null (device_open (s_home));
}

static void s_test_kinds (void **state)
{
    (void)state;
    assert_int_equal (s_join (), EXIT_DONE);
    device_t *device = device_open (s_home);
    assert_non_null (device);
    size_t size;
    const char *built_in = kinds_json (device_kinds (device), &size);
    char *other = malloc (size + 1);
    memcpy (other, built_in, size);
    other [size] = '\n'; //  another file, the same kinds
    int count = kinds_count (device_kinds (device));
    assert_int_equal (device_set_kinds (device, "[1, 2", 5), -1);
    assert_int_equal (device_set_kinds (device, "", 0), -1);
    assert_int_equal (kinds_count (device_kinds (device)), count);
    assert_int_equal (device_set_kinds (device, other, size + 1), 0);
    device_destroy (&device);
    device = device_open (s_home);
    assert_non_null (device);
    size_t kept;
    assert_memory_equal (kinds_json (device_kinds (device), &kept), other, size + 1);
    assert_int_equal (kept, size + 1);
    free (other);
    device_destroy (&device);
}

int main (void)
{
    identity_init ();
    const struct CMUnitTest tests [] = {
        cmocka_unit_test_setup_teardown (s_test_join, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_keys_are_kept, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_refusals, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_bad_answers, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_unreachable, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_busy_home, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_damaged_files, s_setup, s_teardown),
        cmocka_unit_test_setup_teardown (s_test_kinds, s_setup, s_teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
