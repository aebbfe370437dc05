//  device - who this home is: its keys, its credential, the broker it belongs to
//
//  device.json is written once, at the end of joining, from what the invitation pinned and the broker answered, and
//  again only when the district brings another kinds file. What is read from disk goes through the same checks as what
//  came from the network.

#include "device.h"
#include "cli.h"
#include "home.h"
#include "joining.h"
#include "timefmt.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "device.json"
#define FILE_MAX_BYTES (256 * 1024)
#define SIGNED_MAX 2048u

struct device_t {
    char *home;
    json_t *file; //  device.json as it stands on disk
    char endpoint [129];
    uint8_t server_key [KEY_SIZE], core_key [KEY_SIZE], authority [KEY_SIZE];
    box_keys_t keys, link;
    envelope_seal_t seal; //  holds the shared key, too
    credential_t credential;
    kinds_t *kinds;
    uint8_t receipts_key [KEY_SIZE];
    bool has_receipts_key;
};

//  ---- files

static char *s_printf (const char *format, ...) __attribute__ ((format (printf, 1, 2)));

static char *s_printf (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    char *line;
    if (vasprintf (&line, format, args) < 0) {
        abort ();
    }
    va_end (args);
    return line;
}

static int s_sync_folder (const char *home)
{
    int fd = open (home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd < 0 ? -1 : fsync (fd);
    if (fd >= 0) {
        close (fd);
    }
    return rc;
}

static int s_write_new (const char *path, const char *bytes, size_t size)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return -1;
    }
    size_t done = 0;
    while (done < size) {
        ssize_t wrote = write (fd, bytes + done, size - done);
        if (wrote < 0 && errno != EINTR) {
            break;
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    int rc = done == size && fsync (fd) == 0 ? 0 : -1;
    int saved = errno;
    close (fd);
    errno = saved;
    return rc;
}

//  A new file beside the old one, synced, renamed: a power cut leaves one or the other.
static int s_save (const char *home, json_t *file)
{
    char *bytes = json_dumps (file, JSON_INDENT (2) | JSON_SORT_KEYS);
    char *path = home_path (home, FILE_NAME);
    char *fresh = home_path (home, FILE_NAME ".new");
    if (!bytes || !path || !fresh) {
        abort ();
    }
    int rc = s_write_new (fresh, bytes, strlen (bytes));
    if (rc == 0) {
        rc = rename (fresh, path);
    }
    if (rc == 0) {
        rc = s_sync_folder (home);
    }
    free (bytes);
    free (path);
    free (fresh);
    return rc;
}

//  Returns NULL with *reason (caller frees; NULL if there is no file).
static json_t *s_read (const char *home, char **reason)
{
    *reason = NULL;
    char *path = home_path (home, FILE_NAME);
    struct stat status;
    json_t *file = NULL;
    if (stat (path, &status)) {
        *reason = errno == ENOENT ? NULL : s_printf ("%s", strerror (errno));
    } else if (!S_ISREG (status.st_mode) || status.st_size > FILE_MAX_BYTES) {
        *reason = s_printf ("it is not a file of at most %d bytes", FILE_MAX_BYTES);
    } else {
        json_error_t fault;
        file = json_load_file (path, JSON_REJECT_DUPLICATES, &fault);
        *reason = file ? NULL : s_printf ("line %d: %s", fault.line, fault.text);
    }
    free (path);
    return file;
}

//  ---- what device.json says

static json_t *s_hex (const void *bytes, size_t size)
{
    char *hex = malloc (size * 2 + 1);
    if (!hex) {
        abort ();
    }
    sodium_bin2hex (hex, size * 2 + 1, bytes, size);
    json_t *value = json_string (hex);
    free (hex);
    return value;
}

//  Returns the number of bytes, 0 if the text is not hex of at most `room` bytes.
static size_t s_unhex (uint8_t *out, size_t room, const char *hex)
{
    size_t size = 0;
    const char *end = NULL;
    if (sodium_hex2bin (out, room, hex, strlen (hex), NULL, &size, &end) || *end) {
        return 0;
    }
    return size;
}

static const char *s_pinned (
    device_t *self, const char *endpoint, const char *transport, const char *core, const char *authority)
{
    if (strlen (endpoint) >= sizeof self->endpoint || strncmp (endpoint, "tcp://", 6) != 0) {
        return "endpoint is not tcp://HOST:PORT of at most 128 bytes";
    }
    snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    if (s_unhex (self->server_key, KEY_SIZE, transport) != KEY_SIZE) {
        return "transport_key is not 64 hexadecimal digits";
    }
    if (s_unhex (self->core_key, KEY_SIZE, core) != KEY_SIZE) {
        return "core_key is not 64 hexadecimal digits";
    }
    if (s_unhex (self->authority, KEY_SIZE, authority) != KEY_SIZE) {
        return "authority is not 64 hexadecimal digits";
    }
    if (envelope_shared (self->seal.shared, self->core_key, self->keys.secret_key)) {
        return "core_key is a weak key";
    }
    self->seal.key_id = envelope_key_id (self->core_key);
    return NULL;
}

//  The chain is judged at the broker's time of the enrolment. Whether it still holds today is the broker's to say: a
//  device whose clock is wrong must still take tips.
static const char *s_chain (device_t *self, const char *credential_hex, const char *issuer_hex, int64_t at_ms)
{
    uint8_t credential [SIGNED_MAX], issuer [SIGNED_MAX];
    size_t credential_size = s_unhex (credential, sizeof credential, credential_hex);
    size_t issuer_size = s_unhex (issuer, sizeof issuer, issuer_hex);
    if (!credential_size || !issuer_size) {
        return "credential or issuer is not hexadecimal digits";
    }
    const char *reason = "the credential's chain does not verify";
    if (credential_verify (
            &self->credential, credential, credential_size, issuer, issuer_size, self->authority, at_ms, &reason)) {
        return reason;
    }
    if (memcmp (self->credential.device_key, self->keys.public_key, KEY_SIZE) != 0
        || memcmp (self->credential.link_key, self->link.public_key, KEY_SIZE) != 0) {
        return "the credential was made for other keys";
    }
    memcpy (self->seal.district, self->credential.district, DISTRICT_SIZE);
    return NULL;
}

//  Fills self, whose keys are there, from self->file. Returns NULL or what is wrong (caller frees).
static char *s_fill (device_t *self)
{
    json_int_t version, enrolled_ms;
    const char *endpoint, *transport, *core, *authority, *district, *credential, *issuer, *kinds = NULL, *receipts = NULL;
    size_t kinds_size = 0;
    json_error_t fault;
    if (json_unpack_ex (self->file, &fault, JSON_STRICT, "{s:I,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s?:s%,s?:s}", "version",
            &version, "endpoint", &endpoint, "transport_key", &transport, "core_key", &core, "authority", &authority,
            "district", &district, "credential", &credential, "issuer", &issuer, "enrolled_ms", &enrolled_ms, "kinds",
            &kinds, &kinds_size, "receipts_key", &receipts)) {
        return s_printf ("%s", fault.text);
    }
    if (version != 1) {
        return s_printf ("version is %lld, this program reads 1", (long long)version);
    }
    const char *wrong = s_pinned (self, endpoint, transport, core, authority);
    if (!wrong) {
        wrong = s_chain (self, credential, issuer, enrolled_ms);
    }
    uint8_t pinned [DISTRICT_SIZE];
    if (!wrong
        && (s_unhex (pinned, sizeof pinned, district) != sizeof pinned
            || memcmp (pinned, self->credential.district, sizeof pinned) != 0)) {
        wrong = "the credential is of another district";
    }
    if (!wrong && receipts) {
        self->has_receipts_key = s_unhex (self->receipts_key, KEY_SIZE, receipts) == KEY_SIZE;
        wrong = self->has_receipts_key ? NULL : "receipts_key is not 64 hexadecimal digits";
    }
    if (wrong) {
        return s_printf ("%s", wrong);
    }
    char *reason = NULL;
    self->kinds = kinds_load (kinds, kinds_size, &reason);
    return self->kinds ? NULL : reason;
}

//  ---- the object

static device_t *s_new (const char *home)
{
    device_t *self = calloc (1, sizeof *self);
    if (!self) {
        abort ();
    }
    self->home = strdup (home);
    if (!self->home) {
        abort ();
    }
    return self;
}

device_t *device_open_as (const char *home, unsigned roles)
{
    device_t *self = device_open (home);
    if (!self || (roles & 1u << device_credential (self)->role))
        return self;
    fprintf (stderr, text_format (T_DEVICE_OTHER_ROLE), program_invocation_short_name, home,
        device_credential (self)->role == PATROL__ROLE__NODE ? "patrol-node" : "patrol-desk");
    device_destroy (&self);
    return NULL;
}

void device_destroy (device_t **self_p)
{
    assert (self_p);
    device_t *self = *self_p;
    if (!self) {
        return;
    }
    kinds_destroy (&self->kinds);
    json_decref (self->file);
    free (self->home);
    identity_wipe (self, sizeof *self);
    free (self);
    *self_p = NULL;
}

//  Returns NULL or the line for a person (caller frees).
static char *s_load_key (const device_t *self, box_keys_t *keys, const char *name, const char *kind)
{
    const char *reason = NULL;
    char *path = home_path (self->home, name);
    int rc = box_keys_load (keys, path, kind, &reason);
    free (path);
    if (rc == 0) {
        return NULL;
    }
    return s_printf (text_format (T_DEVICE_BAD_KEY), self->home, name, reason ? reason : strerror (errno));
}

static char *s_load_keys (device_t *self)
{
    char *line = s_load_key (self, &self->keys, "device.key", "device");
    return line ? line : s_load_key (self, &self->link, "link.key", "link");
}

static char *s_load (device_t *self)
{
    char *reason = NULL;
    self->file = s_read (self->home, &reason);
    if (!self->file && !reason) {
        return s_printf (text_format (T_DEVICE_NOT_JOINED), self->home, program_invocation_short_name, self->home);
    }
    if (self->file) {
        char *line = s_load_keys (self);
        if (line) {
            return line;
        }
        reason = s_fill (self);
    }
    if (!reason) {
        return NULL;
    }
    char *line = s_printf (text_format (T_DEVICE_BAD_FILE), self->home, reason);
    free (reason);
    return line;
}

device_t *device_open (const char *home)
{
    assert (home);
    device_t *self = s_new (home);
    char *line = s_load (self);
    if (line) {
        fprintf (stderr, "%s: %s\n", program_invocation_short_name, line);
        free (line);
        device_destroy (&self);
    }
    return self;
}

int device_set_kinds (device_t *self, const char *json, size_t size)
{
    assert (self && (json || size == 0));
    if (size == 0) {
        return -1;
    }
    size_t old_size;
    const char *old = kinds_json (self->kinds, &old_size);
    if (old_size == size && memcmp (old, json, size) == 0) {
        return 0;
    }
    char *reason = NULL;
    kinds_t *kinds = kinds_load (json, size, &reason);
    json_t *value = kinds ? json_stringn (json, size) : NULL;
    if (!value) {
        fprintf (stderr, "device: the district's kinds file is refused: %s\n", reason ? reason : "it is not UTF-8");
        free (reason);
        kinds_destroy (&kinds);
        return -1;
    }
    json_object_set_new (self->file, "kinds", value);
    if (s_save (self->home, self->file)) {
        //  in force all the same: the broker tells it again at the next attach
        fprintf (stderr, "device: %s/%s could not be written: %s\n", self->home, FILE_NAME, strerror (errno));
    }
    kinds_destroy (&self->kinds);
    self->kinds = kinds;
    return 0;
}

int device_set_receipts_key (device_t *self, const uint8_t *key, size_t size)
{
    assert (self);
    if (size != KEY_SIZE || sodium_is_zero (key, size)) {
        return -1;
    }
    if (self->has_receipts_key && memcmp (self->receipts_key, key, KEY_SIZE) == 0) {
        return 0;
    }
    memcpy (self->receipts_key, key, KEY_SIZE);
    self->has_receipts_key = true;
    json_object_set_new (self->file, "receipts_key", s_hex (key, KEY_SIZE));
    if (s_save (self->home, self->file)) {
        //  in force all the same: the broker tells it again at the next attach
        fprintf (stderr, "device: %s/%s could not be written: %s\n", self->home, FILE_NAME, strerror (errno));
    }
    return 0;
}

//  ---- joining

//  Keys that are there are kept, so that a retry after a lost answer is the same device to the broker.
static char *s_make_key (const device_t *self, box_keys_t *keys, const char *name, const char *kind)
{
    char *path = home_path (self->home, name);
    char *line = NULL;
    if (access (path, F_OK) == 0) {
        line = s_load_key (self, keys, name, kind);
    } else {
        box_keys_make (keys);
        if (box_keys_save (keys, path, kind)) {
            line = s_printf (text_format (T_DEVICE_NOT_WRITTEN), self->home, name, strerror (errno));
        }
    }
    free (path);
    return line;
}

static const char *s_role_name (Patrol__Role role)
{
    switch (role) {
    case PATROL__ROLE__NODE:
        return "node";
    case PATROL__ROLE__DESK:
        return "desk";
    case PATROL__ROLE__COORDINATOR:
        return "coordinator";
    case PATROL__ROLE__ROLE_NONE:
    case _PATROL__ROLE_IS_INT_SIZE:
        break;
    }
    return "none";
}

static int s_check_invitation (invitation_t *invitation, const char *line, unsigned roles, char **error)
{
    const char *reason = NULL;
    if (invitation_parse (invitation, line, &reason)) {
        *error = s_printf (text_format (T_JOIN_BAD_INVITATION), reason ? reason : "");
        return EXIT_USAGE;
    }
    if (!(roles & 1u << invitation->role)) {
        *error = s_printf (text_format (T_JOIN_WRONG_ROLE), s_role_name (invitation->role), program_invocation_short_name);
        return EXIT_RIGHTS;
    }
    int64_t now_ms = time_now_ms ();
    if (now_ms >= invitation->expires_ms) {
        char ended [32], now [32];
        time_format_utc (ended, invitation->expires_ms);
        time_format_utc (now, now_ms);
        *error = s_printf (text_format (T_JOIN_EXPIRED), ended, now);
        return EXIT_RIGHTS;
    }
    return EXIT_DONE;
}

static json_t *s_compose (const invitation_t *invitation, const enrolled_t *enrolled)
{
    json_t *file = json_pack ("{s:i,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:I}", "version", 1, "endpoint", invitation->endpoint,
        "transport_key", s_hex (invitation->transport_key, KEY_SIZE), "core_key", s_hex (invitation->core_key, KEY_SIZE),
        "authority", s_hex (invitation->authority, KEY_SIZE), "district", s_hex (invitation->district, DISTRICT_SIZE),
        "credential", s_hex (enrolled->credential, enrolled->credential_size), "issuer",
        s_hex (enrolled->issuer, enrolled->issuer_size), "enrolled_ms", (json_int_t)enrolled->now_ms);
    assert (file);
    if (enrolled->kinds) {
        //  NULL if it is not UTF-8: then the checks of s_fill see the built-in set, and Attached brings it again
        json_t *kinds = json_stringn ((const char *)enrolled->kinds, enrolled->kinds_size);
        if (kinds) {
            json_object_set_new (file, "kinds", kinds);
        }
    }
    if (enrolled->has_receipts_key) {
        json_object_set_new (file, "receipts_key", s_hex (enrolled->receipts_key, KEY_SIZE));
    }
    return file;
}

//  Checks the answer as if it had been read from disk, then puts it there.
static int s_settle (device_t *self, const invitation_t *invitation, const enrolled_t *enrolled, char **error)
{
    self->file = s_compose (invitation, enrolled);
    char *wrong = s_fill (self);
    if (!wrong && self->credential.role != invitation->role) {
        wrong = s_printf ("the credential's role is %s, the invitation's %s", s_role_name (self->credential.role),
            s_role_name (invitation->role));
    }
    if (wrong) {
        *error = s_printf (text_format (T_JOIN_BAD_ANSWER), wrong);
        free (wrong);
        return EXIT_FAILED;
    }
    if (s_save (self->home, self->file)) {
        *error = s_printf (text_format (T_DEVICE_NOT_WRITTEN), self->home, FILE_NAME, strerror (errno));
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

static int s_join (device_t *self, const invitation_t *invitation, int64_t timeout_ms, char **error)
{
    char *path = home_path (self->home, FILE_NAME);
    bool joined = access (path, F_OK) == 0;
    free (path);
    if (joined) {
        *error = s_printf (text_format (T_JOIN_ALREADY), self->home);
        return EXIT_FAILED;
    }
    *error = s_make_key (self, &self->keys, "device.key", "device");
    if (!*error) {
        *error = s_make_key (self, &self->link, "link.key", "link");
    }
    if (*error) {
        return EXIT_FAILED;
    }
    uint8_t shared [KEY_SIZE];
    if (envelope_shared (shared, invitation->core_key, self->keys.secret_key)) {
        *error = s_printf (text_format (T_JOIN_BAD_INVITATION), "its core key is a weak key");
        return EXIT_USAGE;
    }
    enrolled_t enrolled;
    int rc = joining_ask (&enrolled, invitation, &self->keys, &self->link, shared, timeout_ms, error);
    identity_wipe (shared, sizeof shared);
    if (rc == EXIT_DONE) {
        rc = s_settle (self, invitation, &enrolled, error);
        enrolled_clear (&enrolled);
    }
    return rc;
}

int device_join (const char *home, const char *invitation_line, unsigned roles, int64_t timeout_ms, char **error)
{
    assert (home && invitation_line && error);
    *error = NULL;
    invitation_t invitation;
    int rc = s_check_invitation (&invitation, invitation_line, roles, error);
    if (rc != EXIT_DONE) {
        return rc;
    }
    if (home_check (home, true)) {
        return EXIT_FAILED; //  said on stderr
    }
    int lock_fd = home_lock (home);
    if (lock_fd < 0) {
        *error = lock_fd == -1 ? s_printf (text_format (T_HOME_BUSY), home) : NULL;
        return EXIT_FAILED;
    }
    device_t *self = s_new (home);
    rc = s_join (self, &invitation, timeout_ms, error);
    device_destroy (&self);
    close (lock_fd);
    identity_wipe (&invitation, sizeof invitation);
    return rc;
}

//  ---- accessors

const char *device_endpoint (const device_t *self)
{
    assert (self);
    return self->endpoint;
}

const uint8_t *device_server_key (const device_t *self)
{
    assert (self);
    return self->server_key;
}

const box_keys_t *device_link_keys (const device_t *self)
{
    assert (self);
    return &self->link;
}

const box_keys_t *device_keys (const device_t *self)
{
    assert (self);
    return &self->keys;
}

const uint8_t *device_shared (const device_t *self)
{
    assert (self);
    return self->seal.shared;
}

const envelope_seal_t *device_seal (const device_t *self)
{
    assert (self);
    return &self->seal;
}

const credential_t *device_credential (const device_t *self)
{
    assert (self);
    return &self->credential;
}

const kinds_t *device_kinds (const device_t *self)
{
    assert (self);
    return self->kinds;
}

const uint8_t *device_authority (const device_t *self)
{
    assert (self);
    return self->authority;
}

void device_chain (const device_t *self, device_chain_t *out)
{
    assert (self);
    //  Both were read from here when the home was opened.
    out->credential_size
        = s_unhex (out->credential, sizeof out->credential, json_string_value (json_object_get (self->file, "credential")));
    out->issuer_size = s_unhex (out->issuer, sizeof out->issuer, json_string_value (json_object_get (self->file, "issuer")));
}

const uint8_t *device_receipts_key (const device_t *self)
{
    assert (self);
    return self->has_receipts_key ? self->receipts_key : NULL;
}
