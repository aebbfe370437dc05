//  identity - keys, key files, signatures and credentials; see identity.h
//
//  Invitations are in invitation.c, the ids people read in ids.c.

#include <assert.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "arena.h"
#include "identity.h"
#include "utf8.h"

#define SIGNED_MAX 4096u //  packed Signed: a credential needs about 350 bytes
#define KEY_WORD "patrolmesh-key"
#define KEY_LINE_MAX 256u

_Static_assert(crypto_box_SEEDBYTES == KEY_SIZE && crypto_sign_SEEDBYTES == KEY_SIZE, "a key file holds 32 bytes");
_Static_assert(crypto_sign_SECRETKEYBYTES == SIGN_SECRET_SIZE && crypto_sign_BYTES == SIGNATURE_SIZE, "Ed25519 sizes");

int identity_init (void)
{
    if (sodium_init () < 0)
        return -1;
    //  No core dump and no debugger of another process gets at the keys. A developer says PATROL_DEBUG=1.
    if (!getenv ("PATROL_DEBUG"))
        prctl (PR_SET_DUMPABLE, 0, 0, 0, 0);
    return 0;
}

void box_keys_make (box_keys_t *keys)
{
    crypto_box_keypair (keys->public_key, keys->secret_key);
}

void sign_keys_make (sign_keys_t *keys)
{
    crypto_sign_keypair (keys->public_key, keys->secret_key);
}

void identity_wipe (void *secret, size_t size)
{
    sodium_memzero (secret, size);
}

//  ---- key files: one line "patrolmesh-key KIND HEX", HEX being the X25519 secret or the Ed25519 seed

static int s_write_all (int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write (fd, text, size);
        if (written <= 0)
            return -1;
        text += written;
        size -= (size_t)written;
    }
    return 0;
}

//  The name of a new file is on disk only when its folder is.
static int s_sync_folder (const char *path)
{
    char *copy = strdup (path);
    if (!copy)
        abort ();
    int fd = open (dirname (copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free (copy);
    if (fd < 0)
        return -1;
    int result = fsync (fd);
    close (fd);
    return result;
}

static int s_write_synced (const char *path, const char *text, size_t size)
{
    unlink (path); //  left over from a save that was cut off
    int fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int result = s_write_all (fd, text, size);
    if (result == 0)
        result = fsync (fd);
    if (close (fd) < 0)
        result = -1;
    return result;
}

static int s_key_save (const uint8_t key [KEY_SIZE], const char *path, const char *kind)
{
    char hex [2 * KEY_SIZE + 1];
    char line [KEY_LINE_MAX];
    sodium_bin2hex (hex, sizeof hex, key, KEY_SIZE);
    int size = snprintf (line, sizeof line, KEY_WORD " %s %s\n", kind, hex);
    assert (size > 0 && (size_t)size < sizeof line);

    char *fresh = NULL;
    if (asprintf (&fresh, "%s.new", path) < 0)
        abort ();
    int result = s_write_synced (fresh, line, (size_t)size);
    if (result == 0)
        result = rename (fresh, path);
    if (result == 0)
        result = s_sync_folder (path);
    else
        unlink (fresh);
    free (fresh);
    sodium_memzero (hex, sizeof hex);
    sodium_memzero (line, sizeof line);
    return result < 0 ? -1 : 0;
}

static int s_refuse (const char **reason, const char *text)
{
    if (reason)
        *reason = text;
    return -1;
}

//  Reads the whole of a small private file. Returns its size, or -1 with *reason set.
static ssize_t s_read_private (char *line, size_t room, const char *path, const char **reason)
{
    int fd = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return s_refuse (reason, "the key file is absent or cannot be opened");
    struct stat about;
    ssize_t size = -1;
    if (fstat (fd, &about) < 0 || !S_ISREG (about.st_mode))
        s_refuse (reason, "the key file is not a regular file");
    else if (about.st_mode & 077)
        s_refuse (reason, "the key file can be read by others; its mode must be 0600");
    else {
        size = read (fd, line, room);
        if (size < 0)
            s_refuse (reason, "the key file cannot be read");
    }
    close (fd);
    return size;
}

static int s_key_load (uint8_t key [KEY_SIZE], const char *path, const char *kind, const char **reason)
{
    char line [KEY_LINE_MAX], head [KEY_LINE_MAX];
    int head_size = snprintf (head, sizeof head, KEY_WORD " %s ", kind);
    assert (head_size > 0 && (size_t)head_size < sizeof head);
    ssize_t size = s_read_private (line, sizeof line, path, reason);
    if (size < 0)
        return -1;

    size_t wanted = (size_t)head_size + 2 * KEY_SIZE + 1;
    size_t key_size = 0;
    int result = 0;
    if ((size_t)size != wanted || line [wanted - 1] != '\n' || memcmp (line, head, (size_t)head_size) != 0)
        result = s_refuse (reason, "the key file does not hold one line \"patrolmesh-key KIND HEX\" of the right kind");
    else if (sodium_hex2bin (key, KEY_SIZE, line + head_size, 2 * KEY_SIZE, NULL, &key_size, NULL) != 0
        || key_size != KEY_SIZE || sodium_is_zero (key, KEY_SIZE))
        result = s_refuse (reason, "the key in the key file is not 64 hexadecimal digits");
    sodium_memzero (line, sizeof line);
    return result;
}

int box_keys_save (const box_keys_t *keys, const char *path, const char *kind)
{
    return s_key_save (keys->secret_key, path, kind);
}

int box_keys_load (box_keys_t *keys, const char *path, const char *kind, const char **reason)
{
    if (s_key_load (keys->secret_key, path, kind, reason) < 0) {
        sodium_memzero (keys, sizeof *keys);
        return -1;
    }
    crypto_scalarmult_base (keys->public_key, keys->secret_key);
    return 0;
}

int sign_keys_save (const sign_keys_t *keys, const char *path, const char *kind)
{
    uint8_t seed [KEY_SIZE];
    crypto_sign_ed25519_sk_to_seed (seed, keys->secret_key);
    int result = s_key_save (seed, path, kind);
    sodium_memzero (seed, sizeof seed);
    return result;
}

int sign_keys_load (sign_keys_t *keys, const char *path, const char *kind, const char **reason)
{
    uint8_t seed [KEY_SIZE];
    int result = s_key_load (seed, path, kind, reason);
    if (result == 0)
        crypto_sign_seed_keypair (keys->public_key, keys->secret_key, seed);
    else
        sodium_memzero (keys, sizeof *keys);
    sodium_memzero (seed, sizeof seed);
    return result;
}

//  ---- signatures

void identity_district (uint8_t district [DISTRICT_SIZE], const uint8_t authority [KEY_SIZE], const char *name)
{
    crypto_generichash_state state;
    uint8_t hash [32];
    crypto_generichash_init (&state, NULL, 0, sizeof hash);
    crypto_generichash_update (&state, authority, KEY_SIZE);
    crypto_generichash_update (&state, (const uint8_t *)name, strlen (name));
    crypto_generichash_final (&state, hash, sizeof hash);
    memcpy (district, hash, DISTRICT_SIZE);
}

//  context NUL body; the caller frees.
static uint8_t *s_to_sign (size_t *total, const char *context, const uint8_t *body, size_t size)
{
    size_t context_size = strlen (context) + 1;
    uint8_t *bytes = malloc (context_size + size);
    if (!bytes)
        abort ();
    memcpy (bytes, context, context_size);
    if (size > 0)
        memcpy (bytes + context_size, body, size);
    *total = context_size + size;
    return bytes;
}

void identity_sign (
    uint8_t signature [SIGNATURE_SIZE], const sign_keys_t *keys, const char *context, const uint8_t *body, size_t size)
{
    size_t total;
    uint8_t *bytes = s_to_sign (&total, context, body, size);
    crypto_sign_detached (signature, NULL, bytes, total, keys->secret_key);
    free (bytes);
}

bool identity_verify (const uint8_t signature [SIGNATURE_SIZE], const uint8_t public_key [KEY_SIZE], const char *context,
    const uint8_t *body, size_t size)
{
    size_t total;
    uint8_t *bytes = s_to_sign (&total, context, body, size);
    bool good = crypto_sign_verify_detached (signature, bytes, total, public_key) == 0;
    free (bytes);
    return good;
}

//  ---- credentials

static ProtobufCBinaryData s_data (const void *bytes, size_t size)
{
    return (ProtobufCBinaryData){ size, (uint8_t *)(uintptr_t)bytes }; //  protobuf-c knows no const; packing only reads
}

//  Packs `body`, signs it, packs the Signed. Takes nothing; the caller frees *out.
static size_t s_issue (uint8_t **out, const ProtobufCMessage *body, const char *context, const sign_keys_t *keys)
{
    size_t body_size = protobuf_c_message_get_packed_size (body);
    uint8_t *body_bytes = malloc (body_size);
    uint8_t signature [SIGNATURE_SIZE];
    if (!body_bytes)
        abort ();
    protobuf_c_message_pack (body, body_bytes);
    identity_sign (signature, keys, context, body_bytes, body_size);

    Patrol__Signed sealed = PATROL__SIGNED__INIT;
    sealed.body = s_data (body_bytes, body_size);
    sealed.signature = s_data (signature, sizeof signature);
    *out = malloc (patrol__signed__get_packed_size (&sealed));
    if (!*out)
        abort ();
    size_t size = patrol__signed__pack (&sealed, *out);
    free (body_bytes);
    return size;
}

static bool s_word_ok (const void *bytes, size_t size, size_t max)
{
    return utf8_check (bytes, size, max, false) == UTF8_OK;
}

//  What is asked of the parts of a credential, whether we sign it or someone shows it. NULL if all is well.
static const char *s_credential_fault (const Patrol__Credential *body)
{
    if (body->district.len != DISTRICT_SIZE)
        return "the credential's district is not 8 bytes";
    if (body->member == 0)
        return "the credential names no member";
    if (body->role < PATROL__ROLE__NODE || body->role > PATROL__ROLE__COORDINATOR)
        return "the credential's role is not node, desk or coordinator";
    if (!s_word_ok (body->station.data, body->station.len, 32) || !s_word_ok (body->unit.data, body->unit.len, 64))
        return "the credential's station or unit is too long or not plain UTF-8";
    if (body->role == PATROL__ROLE__DESK && body->station.len == 0)
        return "the credential of a desk names no station";
    if (body->device_key.len != KEY_SIZE || body->link_key.len != KEY_SIZE
        || sodium_is_zero (body->device_key.data, KEY_SIZE) || sodium_is_zero (body->link_key.data, KEY_SIZE))
        return "the credential's device key or link key is not a key";
    if (memcmp (body->device_key.data, body->link_key.data, KEY_SIZE) == 0)
        return "the credential's device key and link key are the same";
    if (body->from_ms < 0 || body->from_ms >= body->until_ms)
        return "the credential's dates are not in order";
    return NULL;
}

size_t credential_issue (uint8_t **out, const credential_t *credential, const sign_keys_t *issuer)
{
    Patrol__Credential body = PATROL__CREDENTIAL__INIT;
    body.district = s_data (credential->district, DISTRICT_SIZE);
    body.member = credential->member;
    body.role = credential->role;
    body.station = s_data (credential->station, strnlen (credential->station, sizeof credential->station));
    body.unit = s_data (credential->unit, strnlen (credential->unit, sizeof credential->unit));
    body.device_key = s_data (credential->device_key, KEY_SIZE);
    body.link_key = s_data (credential->link_key, KEY_SIZE);
    body.from_ms = credential->from_ms;
    body.until_ms = credential->until_ms;
    *out = NULL;
    if (s_credential_fault (&body))
        return 0;
    return s_issue (out, &body.base, CONTEXT_CREDENTIAL, issuer);
}

size_t issuer_issue (uint8_t **out, const uint8_t district [DISTRICT_SIZE], const char *name,
    const uint8_t issuer_key [KEY_SIZE], int64_t from_ms, int64_t until_ms, const sign_keys_t *authority)
{
    *out = NULL;
    if (!s_word_ok (name, strlen (name), NAME_MAX_BYTES) || from_ms < 0 || from_ms >= until_ms)
        return 0;
    Patrol__Issuer body = PATROL__ISSUER__INIT;
    body.district = s_data (district, DISTRICT_SIZE);
    body.name = s_data (name, strlen (name));
    body.key = s_data (issuer_key, KEY_SIZE);
    body.from_ms = from_ms;
    body.until_ms = until_ms;
    return s_issue (out, &body.base, CONTEXT_ISSUER, authority);
}

//  The signed body as received, in the arena; NULL if it is no Signed or not signed by the key.
static const Patrol__Signed *s_signed_open (
    arena_t *arena, const uint8_t *bytes, size_t size, const char *context, const uint8_t key [KEY_SIZE])
{
    if (size == 0 || size > SIGNED_MAX)
        return NULL;
    const Patrol__Signed *sealed = patrol__signed__unpack (arena_allocator (arena), size, bytes);
    if (!sealed || arena_has_unknown (&sealed->base) || sealed->signature.len != SIGNATURE_SIZE)
        return NULL;
    if (!identity_verify (sealed->signature.data, key, context, sealed->body.data, sealed->body.len))
        return NULL;
    return sealed;
}

static const char s_issuer_early [] = "the issuer is not valid yet; is the clock right?";
static const char s_issuer_late [] = "the issuer has expired";
static const char s_credential_early [] = "the credential is not valid yet; is the clock right?";
static const char s_credential_late [] = "the credential has expired";

bool credential_untimely (const char *reason)
{
    return reason == s_issuer_early || reason == s_issuer_late || reason == s_credential_early
        || reason == s_credential_late;
}

static const char *s_issuer_open (const Patrol__Issuer **out, arena_t *arena, const uint8_t *bytes, size_t size,
    const uint8_t authority [KEY_SIZE], int64_t now_ms)
{
    const Patrol__Signed *sealed = s_signed_open (arena, bytes, size, CONTEXT_ISSUER, authority);
    if (!sealed)
        return "the issuer is not signed by the authority this district is pinned to";
    const Patrol__Issuer *body = patrol__issuer__unpack (arena_allocator (arena), sealed->body.len, sealed->body.data);
    if (!body || arena_has_unknown (&body->base) || body->district.len != DISTRICT_SIZE || body->key.len != KEY_SIZE)
        return "the issuer's certificate does not parse";
    if (now_ms < body->from_ms)
        return s_issuer_early;
    if (now_ms >= body->until_ms)
        return s_issuer_late;
    *out = body;
    return NULL;
}

static const char *s_credential_open (const Patrol__Credential **out, arena_t *arena, const uint8_t *bytes, size_t size,
    const Patrol__Issuer *issuer, int64_t now_ms)
{
    const Patrol__Signed *sealed = s_signed_open (arena, bytes, size, CONTEXT_CREDENTIAL, issuer->key.data);
    if (!sealed)
        return "the credential is not signed by the district's issuer";
    const Patrol__Credential *body
        = patrol__credential__unpack (arena_allocator (arena), sealed->body.len, sealed->body.data);
    if (!body || arena_has_unknown (&body->base))
        return "the credential does not parse";
    const char *fault = s_credential_fault (body);
    if (fault)
        return fault;
    if (memcmp (body->district.data, issuer->district.data, DISTRICT_SIZE) != 0)
        return "the credential is of another district than its issuer";
    if (now_ms < body->from_ms)
        return s_credential_early;
    if (now_ms >= body->until_ms)
        return s_credential_late;
    *out = body;
    return NULL;
}

static void s_credential_copy (credential_t *out, const Patrol__Credential *body)
{
    memset (out, 0, sizeof *out);
    memcpy (out->district, body->district.data, DISTRICT_SIZE);
    out->member = body->member;
    out->role = body->role;
    if (body->station.len > 0)
        memcpy (out->station, body->station.data, body->station.len);
    if (body->unit.len > 0)
        memcpy (out->unit, body->unit.data, body->unit.len);
    memcpy (out->device_key, body->device_key.data, KEY_SIZE);
    memcpy (out->link_key, body->link_key.data, KEY_SIZE);
    out->from_ms = body->from_ms;
    out->until_ms = body->until_ms;
}

int credential_verify (credential_t *out, const uint8_t *credential, size_t credential_size, const uint8_t *issuer,
    size_t issuer_size, const uint8_t authority [KEY_SIZE], int64_t now_ms, const char **reason)
{
    arena_t *arena = arena_new (ARENA_MESSAGE_SIZE);
    const Patrol__Issuer *issuer_body = NULL;
    const Patrol__Credential *body = NULL;
    const char *fault = s_issuer_open (&issuer_body, arena, issuer, issuer_size, authority, now_ms);
    if (!fault)
        fault = s_credential_open (&body, arena, credential, credential_size, issuer_body, now_ms);
    if (!fault)
        s_credential_copy (out, body);
    arena_destroy (&arena);
    return fault ? s_refuse (reason, fault) : 0;
}

int credential_claimed (credential_t *out, const uint8_t *credential, size_t credential_size)
{
    arena_t *arena = arena_new (ARENA_MESSAGE_SIZE);
    const Patrol__Signed *sealed = NULL;
    const Patrol__Credential *body = NULL;
    if (credential_size && credential_size <= SIGNED_MAX)
        sealed = patrol__signed__unpack (arena_allocator (arena), credential_size, credential);
    if (sealed)
        body = patrol__credential__unpack (arena_allocator (arena), sealed->body.len, sealed->body.data);
    bool good = body && !s_credential_fault (body);
    if (good)
        s_credential_copy (out, body);
    arena_destroy (&arena);
    return good ? 0 : -1;
}
