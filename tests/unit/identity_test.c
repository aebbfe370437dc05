//  identity_test - key files, the chain of credentials, invitations, and the ids people read

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "identity.h"

#define DAY_MS INT64_C (86400000)
#define NOW (20000 * DAY_MS)
#define EPOCH UINT64_C (0x0102030405060708)

static void s_assert_hex (const void *bytes, size_t size, const char *wanted)
{
    char hex [256];
    assert_true (2 * size < sizeof hex);
    sodium_bin2hex (hex, sizeof hex, bytes, size);
    assert_string_equal (hex, wanted);
}

static void s_count_up (uint8_t *out, size_t size, unsigned from)
{
    for (size_t index = 0; index < size; index++)
        out [index] = (uint8_t)(from + index);
}

static void test_init_forbids_core_dumps (void **state)
{
    (void)state;
    unsetenv ("PATROL_DEBUG");
    prctl (PR_SET_DUMPABLE, 1, 0, 0, 0);
    assert_int_equal (identity_init (), 0);
    assert_int_equal (prctl (PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
    setenv ("PATROL_DEBUG", "1", 1);
    prctl (PR_SET_DUMPABLE, 1, 0, 0, 0);
    assert_int_equal (identity_init (), 0);
    assert_int_equal (prctl (PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
}

//  ---- key files

typedef struct {
    char folder [32], path [64];
} place_t;

static int s_make_place (void **state)
{
    place_t *self = calloc (1, sizeof (place_t));
    assert_non_null (self);
    strcpy (self->folder, "/tmp/identity-XXXXXX");
    assert_non_null (mkdtemp (self->folder));
    snprintf (self->path, sizeof self->path, "%s/device.key", self->folder);
    *state = self;
    return 0;
}

static int s_drop_place (void **state)
{
    place_t *self = *state;
    unlink (self->path);
    int result = rmdir (self->folder); //  fails if a save left something behind
    free (self);
    return result;
}

static void s_write (const char *path, const char *text, mode_t mode)
{
    unlink (path);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    assert_int_equal (fchmod (fileno (file), mode), 0);
    fclose (file);
}

static void test_key_files (void **state)
{
    place_t *place = *state;
    const char *reason = NULL;
    box_keys_t device, again;
    box_keys_make (&device);
    assert_int_equal (box_keys_save (&device, place->path, "device"), 0);
    assert_int_equal (box_keys_load (&again, place->path, "device", &reason), 0);
    assert_memory_equal (&again, &device, sizeof device);
    struct stat about;
    assert_int_equal (stat (place->path, &about), 0);
    assert_int_equal (about.st_mode & 0777, 0600);

    //  Saving again replaces the file; a key of another kind is not taken for this one.
    sign_keys_t issuer, issuer_again;
    sign_keys_make (&issuer);
    assert_int_equal (sign_keys_save (&issuer, place->path, "issuer"), 0);
    assert_int_equal (sign_keys_load (&issuer_again, place->path, "issuer", &reason), 0);
    assert_memory_equal (&issuer_again, &issuer, sizeof issuer);
    assert_int_equal (box_keys_load (&again, place->path, "device", &reason), -1);
    assert_non_null (strstr (reason, "of the right kind"));
    assert_true (sodium_is_zero ((const uint8_t *)&again, sizeof again));

    identity_wipe (&issuer, sizeof issuer);
    assert_true (sodium_is_zero ((const uint8_t *)&issuer, sizeof issuer));
}

static void test_key_files_refused (void **state)
{
    place_t *place = *state;
    const char *reason = NULL;
    box_keys_t keys;
    assert_int_equal (box_keys_load (&keys, place->path, "link", &reason), -1);
    assert_non_null (strstr (reason, "absent"));
    assert_int_equal (box_keys_load (&keys, place->folder, "link", NULL), -1);
    assert_int_equal (box_keys_save (&keys, "/nowhere/at/all/link.key", "link"), -1);

    box_keys_make (&keys);
    assert_int_equal (box_keys_save (&keys, place->path, "link"), 0);
    assert_int_equal (chmod (place->path, 0644), 0);
    assert_int_equal (box_keys_load (&keys, place->path, "link", &reason), -1);
    assert_non_null (strstr (reason, "0600"));

#define HEX_62 "00112233445566778899aabbccddeeff00112233445566778899aabbccddee"
    static const char *const bad [] = {
        "",
        "\n",
        "patrolmesh-key link ",
        "patrolmesh-key link " HEX_62 "\n", //  a digit pair short
        "patrolmesh-key link " HEX_62 "fff\n",
        "patrolmesh-key link " HEX_62 "fg\n",
        "patrolmesh-key link " HEX_62 "ff", //  cut off
        "patrolmesh-key link " HEX_62 "ff\r\n",
        "patrolmesh-key link " HEX_62 "ff\npatrolmesh-key link " HEX_62 "ff\n",
        "patrolmesh-key core " HEX_62 "ff\n",
        "patrolmesh-key link 0000000000000000000000000000000000000000000000000000000000000000\n",
    };
    for (size_t index = 0; index < sizeof bad / sizeof bad [0]; index++) {
        s_write (place->path, bad [index], 0600);
        assert_int_equal (box_keys_load (&keys, place->path, "link", &reason), -1);
    }
    s_write (place->path, "patrolmesh-key link " HEX_62 "ff\n", 0600);
    assert_int_equal (box_keys_load (&keys, place->path, "link", &reason), 0);
#undef HEX_62
}

//  ---- the chain

typedef struct {
    sign_keys_t authority, issuer;
    credential_t credential;
    uint8_t *issuer_bytes, *credential_bytes;
    size_t issuer_size, credential_size;
} chain_t;

static void s_issue (chain_t *self)
{
    free (self->credential_bytes);
    self->credential_size = credential_issue (&self->credential_bytes, &self->credential, &self->issuer);
    assert_true (self->credential_size > 0);
}

static int s_make_chain (void **state)
{
    chain_t *self = calloc (1, sizeof (chain_t));
    assert_non_null (self);
    sign_keys_make (&self->authority);
    sign_keys_make (&self->issuer);
    credential_t *credential = &self->credential;
    identity_district (credential->district, self->authority.public_key, "Test District");
    credential->member = 42;
    credential->role = PATROL__ROLE__DESK;
    strcpy (credential->station, "north");
    strcpy (credential->unit, "三号岗");
    box_keys_t keys;
    box_keys_make (&keys);
    memcpy (credential->device_key, keys.public_key, KEY_SIZE);
    box_keys_make (&keys);
    memcpy (credential->link_key, keys.public_key, KEY_SIZE);
    credential->from_ms = NOW - DAY_MS;
    credential->until_ms = NOW + 365 * DAY_MS;
    self->issuer_size = issuer_issue (&self->issuer_bytes, credential->district, "Test District", self->issuer.public_key,
        NOW - 2 * DAY_MS, NOW + 1000 * DAY_MS, &self->authority);
    assert_true (self->issuer_size > 0);
    s_issue (self);
    *state = self;
    return 0;
}

static int s_drop_chain (void **state)
{
    chain_t *self = *state;
    free (self->issuer_bytes);
    free (self->credential_bytes);
    free (self);
    return 0;
}

static int s_verify (const chain_t *self, int64_t now_ms, const char **reason)
{
    credential_t out;
    return credential_verify (&out, self->credential_bytes, self->credential_size, self->issuer_bytes, self->issuer_size,
        self->authority.public_key, now_ms, reason);
}

static void s_assert_fault (const chain_t *self, int64_t now_ms, const char *words)
{
    const char *reason = NULL;
    assert_int_equal (s_verify (self, now_ms, &reason), -1);
    assert_non_null (reason);
    if (!strstr (reason, words))
        fail_msg ("\"%s\" does not say \"%s\"", reason, words);
}

static void test_chain_is_verified (void **state)
{
    chain_t *self = *state;
    credential_t out;
    const char *reason = NULL;
    memset (&out, 0xFF, sizeof out);
    assert_int_equal (credential_verify (&out, self->credential_bytes, self->credential_size, self->issuer_bytes,
                          self->issuer_size, self->authority.public_key, NOW, &reason),
        0);
    assert_memory_equal (out.district, self->credential.district, DISTRICT_SIZE);
    assert_int_equal (out.member, 42);
    assert_int_equal (out.role, PATROL__ROLE__DESK);
    assert_string_equal (out.station, "north");
    assert_string_equal (out.unit, "三号岗");
    assert_memory_equal (out.device_key, self->credential.device_key, KEY_SIZE);
    assert_memory_equal (out.link_key, self->credential.link_key, KEY_SIZE);
    assert_true (out.from_ms == self->credential.from_ms && out.until_ms == self->credential.until_ms);
}

static void test_chain_has_dates (void **state)
{
    chain_t *self = *state;
    const char *reason;
    assert_int_equal (s_verify (self, NOW - DAY_MS, &reason), 0);
    s_assert_fault (self, NOW - DAY_MS - 1, "the credential is not valid yet");
    assert_int_equal (s_verify (self, NOW + 365 * DAY_MS - 1, &reason), 0);
    s_assert_fault (self, NOW + 365 * DAY_MS, "the credential has expired");
    s_assert_fault (self, NOW - 2 * DAY_MS - 1, "the issuer is not valid yet");
    s_assert_fault (self, NOW + 1000 * DAY_MS, "the issuer has expired");
}

static void test_chain_of_another_authority (void **state)
{
    chain_t *self = *state;
    sign_keys_t other;
    sign_keys_make (&other);
    credential_t out;
    const char *reason;
    assert_int_equal (credential_verify (&out, self->credential_bytes, self->credential_size, self->issuer_bytes,
                          self->issuer_size, other.public_key, NOW, &reason),
        -1);
    assert_non_null (strstr (reason, "authority"));

    //  A credential signed by an issuer of somebody else, and one of another district by the right issuer.
    sign_keys_t right = self->issuer;
    self->issuer = other;
    s_issue (self);
    s_assert_fault (self, NOW, "not signed by the district's issuer");
    self->issuer = right;
    self->credential.district [0] ^= 1;
    s_issue (self);
    s_assert_fault (self, NOW, "another district");
}

static void test_tampered_chain (void **state)
{
    chain_t *self = *state;
    const char *reason;
    for (size_t place = 0; place < self->credential_size; place++) {
        self->credential_bytes [place] ^= (uint8_t)(1u << place % 8);
        assert_int_equal (s_verify (self, NOW, &reason), -1);
        self->credential_bytes [place] ^= (uint8_t)(1u << place % 8);
    }
    for (size_t place = 0; place < self->issuer_size; place++) {
        self->issuer_bytes [place] ^= (uint8_t)(1u << place % 8);
        assert_int_equal (s_verify (self, NOW, &reason), -1);
        self->issuer_bytes [place] ^= (uint8_t)(1u << place % 8);
    }
    size_t whole = self->credential_size;
    for (self->credential_size = 0; self->credential_size < whole; self->credential_size++)
        assert_int_equal (s_verify (self, NOW, &reason), -1);
    assert_int_equal (s_verify (self, NOW, &reason), 0);

    //  One is not taken for the other, though both are signed.
    uint8_t *bytes = self->credential_bytes;
    self->credential_bytes = self->issuer_bytes;
    self->issuer_bytes = bytes;
    s_assert_fault (self, NOW, "authority");
}

static void s_assert_not_issued (const chain_t *self, const credential_t *credential)
{
    uint8_t *bytes = (uint8_t *)"";
    assert_int_equal (credential_issue (&bytes, credential, &self->issuer), 0);
    assert_null (bytes);
}

static void test_what_is_not_issued (void **state)
{
    chain_t *self = *state;
    credential_t bad = self->credential;
    bad.station [0] = 0; //  a desk without a station
    s_assert_not_issued (self, &bad);
    bad.role = PATROL__ROLE__NODE;
    uint8_t *bytes;
    assert_true (credential_issue (&bytes, &bad, &self->issuer) > 0);
    free (bytes);
    bad.role = PATROL__ROLE__ROLE_NONE;
    s_assert_not_issued (self, &bad);
    bad = self->credential;
    memcpy (bad.unit, "\xff\xfe", 3);
    s_assert_not_issued (self, &bad);
    bad = self->credential;
    memcpy (bad.link_key, bad.device_key, KEY_SIZE); //  one key for both is what we never do
    s_assert_not_issued (self, &bad);
    bad = self->credential;
    memset (bad.device_key, 0, KEY_SIZE);
    s_assert_not_issued (self, &bad);
    bad = self->credential;
    bad.until_ms = bad.from_ms;
    s_assert_not_issued (self, &bad);
    bad = self->credential;
    bad.member = 0;
    s_assert_not_issued (self, &bad);
}

static void test_signatures_are_of_one_context (void **state)
{
    chain_t *self = *state;
    uint8_t signature [SIGNATURE_SIZE];
    static const uint8_t body [] = "body";
    identity_sign (signature, &self->issuer, CONTEXT_CREDENTIAL, body, 4);
    assert_true (identity_verify (signature, self->issuer.public_key, CONTEXT_CREDENTIAL, body, 4));
    assert_false (identity_verify (signature, self->issuer.public_key, CONTEXT_ISSUER, body, 4));
    assert_false (identity_verify (signature, self->issuer.public_key, CONTEXT_CREDENTIAL, body, 3));
    assert_false (identity_verify (signature, self->authority.public_key, CONTEXT_CREDENTIAL, body, 4));
    //  As the document says: Ed25519 over context, NUL, body.
    static const uint8_t whole [] = CONTEXT_CREDENTIAL "\0body";
    assert_int_equal (crypto_sign_verify_detached (signature, whole, sizeof whole - 1, self->issuer.public_key), 0);
    identity_sign (signature, &self->issuer, CONTEXT_ISSUER, NULL, 0);
    assert_true (identity_verify (signature, self->issuer.public_key, CONTEXT_ISSUER, NULL, 0));
}

//  ---- invitations

#define LINE                                                                                                       \
    "patrol1:ChR0Y3A6Ly8xMjcuMC4wLjE6NzQ0MRIgAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEaIDWActY2WIDRruoymt-RITg4" \
    "Ue0hoo47dell0NLNFmJUIiCgoaKjpKWmp6ipqqusra6vsLGys7S1tre4ubq7vL2-vyoIh3Tlu3Z6toEyEAABAgMEBQYHCAkKCwwNDg84AUDoh86mpTI"

static void s_invitation (invitation_t *out)
{
    uint8_t core_secret [KEY_SIZE];
    memset (out, 0, sizeof *out);
    strcpy (out->endpoint, "tcp://127.0.0.1:7441");
    memset (out->transport_key, 1, KEY_SIZE);
    s_count_up (core_secret, KEY_SIZE, 32);
    crypto_scalarmult_base (out->core_key, core_secret);
    s_count_up (out->authority, KEY_SIZE, 0xA0);
    identity_district (out->district, out->authority, "Test District");
    s_count_up (out->secret, sizeof out->secret, 0);
    out->role = PATROL__ROLE__NODE;
    out->expires_ms = NOW + 1000;
}

static void test_invitation_round_trip (void **state)
{
    (void)state;
    invitation_t invitation, again;
    const char *reason = NULL;
    s_invitation (&invitation);
    char *line = invitation_format (&invitation);
    assert_string_equal (line, LINE);
    free (line);
    assert_int_equal (invitation_parse (&again, "  \t" LINE "\r\n", &reason), 0);
    assert_memory_equal (&again, &invitation, sizeof invitation);

    memset (invitation.endpoint + 6, 'x', 122); //  the longest there is
    line = invitation_format (&invitation);
    assert_int_equal (invitation_parse (&again, line, &reason), 0);
    assert_int_equal (strlen (again.endpoint), 128);
    free (line);
}

static void test_invitation_derives (void **state)
{
    (void)state;
    invitation_t invitation;
    box_keys_t link;
    uint8_t token [TOKEN_SIZE];
    s_invitation (&invitation);
    invitation_derive (&invitation, &link, token);
    s_assert_hex (link.secret_key, KEY_SIZE, "4775df79cbd2a8495c93027369259a17515fb8439b8ce4f5a547c53439393bbb");
    s_assert_hex (link.public_key, KEY_SIZE, "221e756c77179524d3e8c8406b0888f718d36fcf920fc5327e44f9a6d1fde272");
    s_assert_hex (token, TOKEN_SIZE, "ff492b691b03d2478924c00f87af30ab4c27a02745329407d333f2cc00f4ede0");
}

static void s_assert_line_refused (const char *line, const char *words)
{
    invitation_t out;
    const char *reason = NULL;
    assert_int_equal (invitation_parse (&out, line, &reason), -1);
    if (!strstr (reason, words))
        fail_msg ("\"%s\" does not say \"%s\"", reason, words);
}

static void test_hostile_lines (void **state)
{
    (void)state;
    s_assert_line_refused ("", "begins with");
    s_assert_line_refused (" \n", "begins with");
    s_assert_line_refused ("patrol1:", "begins with");
    s_assert_line_refused ("patrol2:AAAA", "begins with");
    s_assert_line_refused ("PATROL1:AAAA", "begins with");
    s_assert_line_refused ("patrol1:A", "character");
    s_assert_line_refused ("patrol1:AAAA====", "character");
    s_assert_line_refused ("patrol1:AA AA", "character");
    s_assert_line_refused ("patrol1:AA+/", "character");
    s_assert_line_refused ("patrol1:\xff\xff", "character");
    s_assert_line_refused ("patrol1:____", "does not parse");
    s_assert_line_refused ("patrol1:AAAA", "does not parse");
    s_assert_line_refused (LINE "\n" LINE, "character");

    char line [2048];
    memset (line, 'A', sizeof line - 1);
    line [sizeof line - 1] = 0;
    memcpy (line, "patrol1:", 8);
    s_assert_line_refused (line, "longer than");
    memset (line, ' ', sizeof line - 1);
    s_assert_line_refused (line, "begins with");

    //  Every shorter piece of a line, as a bad copy makes it.
    invitation_t out;
    const char *reason;
    for (size_t cut = 0; cut < strlen (LINE); cut++) {
        strcpy (line, LINE);
        line [cut] = 0;
        assert_int_equal (invitation_parse (&out, line, &reason), -1);
    }
    assert_int_equal (invitation_parse (&out, LINE, NULL), 0);
}

static void s_assert_invitation_refused (const invitation_t *bad, const char *words)
{
    char *line = invitation_format (bad);
    s_assert_line_refused (line, words);
    free (line);
}

//  One field more, which version 1 does not know.
static void test_invitation_with_an_unknown_field (void **state)
{
    (void)state;
    uint8_t packed [512];
    char line [1024] = INVITATION_PREFIX;
    size_t size;
    assert_int_equal (sodium_base642bin (packed, sizeof packed, &LINE [8], strlen (LINE) - 8, NULL, &size, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING),
        0);
    memcpy (packed + size, "\xF8\x3F\x01", 3);
    sodium_bin2base64 (line + 8, sizeof line - 8, packed, size + 3, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    s_assert_line_refused (line, "does not parse");
}

static void test_invitations_of_wrong_parts (void **state)
{
    (void)state;
    invitation_t good, bad;
    s_invitation (&good);
    static const char *const endpoints []
        = { "", "tcp://", "ipc:///tmp/x", "tcp://a b:1", "tcp://a\n:1", "tcp://\xe5\x8c\x97:1" };
    for (size_t index = 0; index < sizeof endpoints / sizeof endpoints [0]; index++) {
        bad = good;
        strcpy (bad.endpoint, endpoints [index]);
        s_assert_invitation_refused (&bad, "tcp://HOST:PORT");
    }
    bad = good;
    memset (bad.core_key, 0, KEY_SIZE);
    s_assert_invitation_refused (&bad, "key");
    bad = good;
    memset (bad.secret, 0, sizeof bad.secret);
    s_assert_invitation_refused (&bad, "secret");
    bad = good;
    bad.role = (Patrol__Role)4;
    s_assert_invitation_refused (&bad, "role");
    bad = good;
    bad.expires_ms = 0;
    s_assert_invitation_refused (&bad, "last day");
}

//  ---- ids

static void s_assert_id (uint64_t number, const char *wanted)
{
    char text [14];
    uint64_t again = ~number;
    id64_format (text, number);
    assert_string_equal (text, wanted);
    assert_int_equal (id64_parse (&again, text, 13), 0);
    assert_true (again == number);
}

static void test_ids (void **state)
{
    (void)state;
    s_assert_id (0, "0000000000000");
    s_assert_id (1, "0000000000001");
    s_assert_id (UINT64_C (0x0102030405060708), "020G30G2GC1R8");
    s_assert_id (UINT64_MAX, "FZZZZZZZZZZZZ");
    uint64_t number;
    assert_int_equal (id64_parse (&number, "fzzzzzzzzzzzz", 13), 0);
    assert_true (number == UINT64_MAX);
    assert_int_equal (id64_parse (&number, "oOooOIiLlOooO", 13), 0);
    assert_true (number == UINT64_C (0x842100000)); //  read as 0000011110000
    static const char *const bad [] = { "", "000000000000", "00000000000000", "G000000000000", "U000000000000",
        "00000000000U0", "000000-000000", "000000 000000", "00000000000\xc3\xa9" };
    for (size_t index = 0; index < sizeof bad / sizeof bad [0]; index++)
        assert_int_equal (id64_parse (&number, bad [index], strlen (bad [index])), -1);
    assert_int_equal (id64_parse (&number,
                          "00000000\0"
                          "0000",
                          13),
        -1);
}

static void test_tip_ids (void **state)
{
    (void)state;
    uint8_t device_secret [KEY_SIZE], device_key [KEY_SIZE], authority [KEY_SIZE], district [DISTRICT_SIZE];
    s_count_up (device_secret, KEY_SIZE, 0);
    s_count_up (authority, KEY_SIZE, 0xA0);
    crypto_scalarmult_base (device_key, device_secret);
    identity_district (district, authority, "Test District");
    s_assert_hex (district, DISTRICT_SIZE, "8774e5bb767ab681");

    uint64_t number = tip_number (device_key, EPOCH, 17);
    assert_true (number == UINT64_C (0x018b5580ab1c32f6));
    s_assert_id (number, "032TNG2NHRCQP");
    assert_true (tip_number (device_key, EPOCH, 18) == UINT64_C (0xbdb36ce2c6b8128b));
    s_assert_id (tip_number (device_key, EPOCH, 18), "BVCVCWB3BG4MB");
    assert_true (tip_number (device_key, EPOCH + 1, 17) != number);
    assert_true (tip_number (authority, EPOCH, 17) != number);
}

static void test_incident_ids (void **state)
{
    (void)state;
    uint8_t device_secret [KEY_SIZE], device_key [KEY_SIZE], authority [KEY_SIZE], district [DISTRICT_SIZE];
    s_count_up (device_secret, KEY_SIZE, 0);
    s_count_up (authority, KEY_SIZE, 0xA0);
    crypto_scalarmult_base (device_key, device_secret);
    identity_district (district, authority, "Test District");
    uint64_t id = incident_id (district, device_key, EPOCH, 17, NOW + 1000);
    assert_true (id == UINT64_C (0x08bd9b26fa303228));
    s_assert_id (id, "0HFCV4VX30CH8");
    //  Later tips have larger ids; a clock out of range does not spill into the hash.
    assert_true (incident_id (district, device_key, EPOCH, 17, NOW + 1001) > id);
    assert_true (incident_id (district, device_key, EPOCH, 18, NOW + 1000) != id);
    uint64_t low = id & 0x3FFFFF;
    assert_true (incident_id (district, device_key, EPOCH, 17, INT64_MIN) == low);
    assert_true (incident_id (district, device_key, EPOCH, 17, 0) == low);
    assert_true (incident_id (district, device_key, EPOCH, 17, INT64_MAX) == (low | ~UINT64_C (0x3FFFFF)));
}

int main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (test_init_forbids_core_dumps),
        cmocka_unit_test_setup_teardown (test_key_files, s_make_place, s_drop_place),
        cmocka_unit_test_setup_teardown (test_key_files_refused, s_make_place, s_drop_place),
        cmocka_unit_test_setup_teardown (test_chain_is_verified, s_make_chain, s_drop_chain),
        cmocka_unit_test_setup_teardown (test_chain_has_dates, s_make_chain, s_drop_chain),
        cmocka_unit_test_setup_teardown (test_chain_of_another_authority, s_make_chain, s_drop_chain),
        cmocka_unit_test_setup_teardown (test_tampered_chain, s_make_chain, s_drop_chain),
        cmocka_unit_test_setup_teardown (test_what_is_not_issued, s_make_chain, s_drop_chain),
        cmocka_unit_test_setup_teardown (test_signatures_are_of_one_context, s_make_chain, s_drop_chain),
        cmocka_unit_test (test_invitation_round_trip),
        cmocka_unit_test (test_invitation_derives),
        cmocka_unit_test (test_hostile_lines),
        cmocka_unit_test (test_invitation_with_an_unknown_field),
        cmocka_unit_test (test_invitations_of_wrong_parts),
        cmocka_unit_test (test_ids),
        cmocka_unit_test (test_tip_ids),
        cmocka_unit_test (test_incident_ids),
    };
    if (identity_init () < 0)
        return 1;
    return cmocka_run_group_tests (tests, NULL, NULL);
}
