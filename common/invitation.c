//  invitation - the one line a person is given to join; see identity.h

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include "arena.h"
#include "identity.h"

#define PREFIX_LENGTH (sizeof INVITATION_PREFIX - 1)
#define BASE64_VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

static ProtobufCBinaryData s_data (const void *bytes, size_t size)
{
    return (ProtobufCBinaryData){ size, (uint8_t *)(uintptr_t)bytes }; //  protobuf-c knows no const; packing only reads
}

char *invitation_format (const invitation_t *invitation)
{
    Patrol__Invitation message = PATROL__INVITATION__INIT;
    message.endpoint = s_data (invitation->endpoint, strnlen (invitation->endpoint, sizeof invitation->endpoint));
    message.transport_key = s_data (invitation->transport_key, KEY_SIZE);
    message.core_key = s_data (invitation->core_key, KEY_SIZE);
    message.authority = s_data (invitation->authority, KEY_SIZE);
    message.district = s_data (invitation->district, DISTRICT_SIZE);
    message.secret = s_data (invitation->secret, sizeof invitation->secret);
    message.role = invitation->role;
    message.expires_ms = invitation->expires_ms;

    uint8_t packed [INVITATION_MAX];
    assert (patrol__invitation__get_packed_size (&message) <= sizeof packed);
    size_t size = patrol__invitation__pack (&message, packed);
    size_t room = sodium_base64_encoded_len (size, BASE64_VARIANT);
    char *line = malloc (PREFIX_LENGTH + room);
    if (!line)
        abort ();
    memcpy (line, INVITATION_PREFIX, PREFIX_LENGTH);
    sodium_bin2base64 (line + PREFIX_LENGTH, room, packed, size, BASE64_VARIANT);
    sodium_memzero (packed, sizeof packed);
    return line;
}

static bool s_key_ok (const ProtobufCBinaryData *key)
{
    return key->len == KEY_SIZE && !sodium_is_zero (key->data, KEY_SIZE);
}

//  "tcp://HOST:PORT" in printing ASCII; whether anyone answers there is for the link to find out.
static bool s_endpoint_ok (const ProtobufCBinaryData *endpoint)
{
    static const char scheme [] = "tcp://";
    if (endpoint->len < sizeof scheme || endpoint->len > 128 || memcmp (endpoint->data, scheme, sizeof scheme - 1) != 0)
        return false;
    for (size_t index = 0; index < endpoint->len; index++)
        if (endpoint->data [index] <= ' ' || endpoint->data [index] > '~')
            return false;
    return true;
}

static const char *s_fault (const Patrol__Invitation *message)
{
    if (!message || arena_has_unknown (&message->base))
        return "the invitation does not parse; was the whole line copied?";
    if (!s_endpoint_ok (&message->endpoint))
        return "the invitation's address is not tcp://HOST:PORT";
    if (!s_key_ok (&message->transport_key) || !s_key_ok (&message->core_key) || !s_key_ok (&message->authority))
        return "a key in the invitation is not a key of 32 bytes";
    if (message->district.len != DISTRICT_SIZE)
        return "the invitation's district is not 8 bytes";
    if (message->secret.len != 16 || sodium_is_zero (message->secret.data, 16))
        return "the invitation's secret is not 16 bytes";
    if (message->role < PATROL__ROLE__NODE || message->role > PATROL__ROLE__COORDINATOR)
        return "the invitation's role is not node, desk or coordinator";
    if (message->expires_ms <= 0)
        return "the invitation has no last day";
    return NULL;
}

static void s_copy (invitation_t *out, const Patrol__Invitation *message)
{
    memset (out, 0, sizeof *out);
    memcpy (out->endpoint, message->endpoint.data, message->endpoint.len);
    memcpy (out->transport_key, message->transport_key.data, KEY_SIZE);
    memcpy (out->core_key, message->core_key.data, KEY_SIZE);
    memcpy (out->authority, message->authority.data, KEY_SIZE);
    memcpy (out->district, message->district.data, DISTRICT_SIZE);
    memcpy (out->secret, message->secret.data, sizeof out->secret);
    out->role = message->role;
    out->expires_ms = message->expires_ms;
}

static int s_refuse (const char **reason, const char *text)
{
    if (reason)
        *reason = text;
    return -1;
}

int invitation_parse (invitation_t *out, const char *line, const char **reason)
{
    static const char blank [] = " \t\r\n";
    line += strspn (line, blank);
    size_t length = strnlen (line, INVITATION_MAX + 1);
    while (length > 0 && length <= INVITATION_MAX && strchr (blank, line [length - 1]))
        length--;
    if (length > INVITATION_MAX)
        return s_refuse (reason, "the invitation is longer than 1024 characters");
    if (length <= PREFIX_LENGTH || memcmp (line, INVITATION_PREFIX, PREFIX_LENGTH) != 0)
        return s_refuse (reason, "an invitation begins with \"" INVITATION_PREFIX "\" and is one line");

    uint8_t packed [INVITATION_MAX];
    size_t size = 0;
    const char *end = NULL;
    const char *fault = NULL;
    if (sodium_base642bin (
            packed, sizeof packed, line + PREFIX_LENGTH, length - PREFIX_LENGTH, NULL, &size, &end, BASE64_VARIANT)
            != 0
        || end != line + length)
        fault = "the invitation holds a character that does not belong there; was the whole line copied?";
    else {
        arena_t *arena = arena_new (ARENA_MESSAGE_SIZE);
        const Patrol__Invitation *message = patrol__invitation__unpack (arena_allocator (arena), size, packed);
        fault = s_fault (message);
        if (!fault)
            s_copy (out, message);
        arena_destroy (&arena);
    }
    sodium_memzero (packed, sizeof packed);
    return fault ? s_refuse (reason, fault) : 0;
}

void invitation_derive (const invitation_t *invitation, box_keys_t *link, uint8_t token [TOKEN_SIZE])
{
    const uint8_t *secret = invitation->secret;
    crypto_generichash (link->secret_key, KEY_SIZE, (const uint8_t *)"link", 4, secret, sizeof invitation->secret);
    crypto_scalarmult_base (link->public_key, link->secret_key);
    crypto_generichash (token, TOKEN_SIZE, (const uint8_t *)"token", 5, secret, sizeof invitation->secret);
}
