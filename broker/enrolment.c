//  enrolment - invitations, credentials, revocation

#include "enrolment.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_private.h"
#include "home.h"
#include "utf8.h"

#define CREDENTIAL_LIFE_MS (1830ll * 86400000) //  five years: there is no renewal but a new invitation

static uint8_t *s_read_file (const char *home, const char *name, size_t *size)
{
    char *path = home_path (home, name);
    FILE *file = fopen (path, "rbe");
    free (path);
    if (!file)
        return NULL;
    uint8_t *bytes = malloc (65536);
    *size = bytes ? fread (bytes, 1, 65536, file) : 0;
    fclose (file);
    return bytes;
}

static ProtobufCBinaryData s_copy (const void *bytes, size_t size)
{
    uint8_t *copy = malloc (size + 1);
    if (!copy)
        abort ();
    memcpy (copy, bytes, size);
    return (ProtobufCBinaryData){ size, copy };
}

void enrolment_answer_free (enrolment_answer_t *answer)
{
    if (answer->message)
        patrol__enrolled__free_unpacked (answer->message, NULL);
    answer->message = NULL;
}

static Patrol__Enrolled *s_message (Patrol__Code code, const char *detail, int64_t now_ms)
{
    Patrol__Enrolled *message = malloc (sizeof *message);
    if (!message)
        abort ();
    patrol__enrolled__init (message);
    message->code = code;
    message->detail = s_copy (detail, strlen (detail));
    message->now_ms = now_ms;
    return message;
}

//  The answer with credential and issuer; `packed` is the Signed credential.
static void s_answer (engine_t *engine, const char *home, const uint8_t *packed, size_t size, enrolment_answer_t *answer)
{
    size_t issuer_size = 0;
    uint8_t *issuer = s_read_file (home, "issuer.cert", &issuer_size);
    answer->message = s_message (PATROL__CODE__OK, "", engine_now (engine, 0));
    answer->message->credential = patrol__signed__unpack (NULL, size, packed);
    answer->message->issuer = issuer ? patrol__signed__unpack (NULL, issuer_size, issuer) : NULL;
    free (issuer);
    size_t json_size;
    const char *json = kinds_json (engine_kinds (engine), &json_size);
    if (engine_kinds_are_own (engine) && json_size < 10000)
        answer->message->kinds = s_copy (json, json_size);
}

void enrolment_again (engine_t *engine, const char *home, const member_t *member, enrolment_answer_t *answer)
{
    size_t size;
    uint8_t *packed = state_credential (engine_state (engine), member->number, &size);
    if (packed)
        s_answer (engine, home, packed, size, answer);
    free (packed);
}

static void s_refuse (engine_t *engine, Patrol__Code code, const char *detail, take_t *out, enrolment_answer_t *answer)
{
    engine_refuse (out, code, "%s", detail);
    answer->message = s_message (code, detail, engine_now (engine, 0));
}

static size_t s_issue (engine_t *engine, const char *home, const invited_t *invited, const uint8_t *device_key,
    const uint8_t *link_key, int64_t now_ms, uint8_t **packed)
{
    credential_t credential
        = { .role = invited->role, .from_ms = now_ms - 86400000, .until_ms = now_ms + CREDENTIAL_LIFE_MS };
    sign_keys_t issuer;
    const char *reason;
    char *path = home_path (home, "issuer.key");
    int rc = sign_keys_load (&issuer, path, "issuer", &reason);
    free (path);
    if (rc) {
        fprintf (stderr, "<3>core: issuer.key: %s\n", reason ? reason : "cannot be read");
        return 0;
    }
    memcpy (credential.district, engine->district, DISTRICT_SIZE);
    do
        randombytes_buf (&credential.member, sizeof credential.member);
    while (!credential.member || members_by_id (engine->members, credential.member));
    memcpy (credential.station, invited->station, sizeof credential.station);
    memcpy (credential.unit, invited->unit, sizeof credential.unit);
    memcpy (credential.device_key, device_key, KEY_SIZE);
    memcpy (credential.link_key, link_key, KEY_SIZE);
    size_t size = credential_issue (packed, &credential, &issuer);
    identity_wipe (&issuer, sizeof issuer);
    return size;
}

//  Adds the member to memory at once: a second ENROL in the same batch must find the invitation used.
static void s_join (engine_t *engine, const char *home, invited_t *invited, const uint8_t *device_key,
    const uint8_t *link_key, int64_t now_ms, take_t *out, enrolment_answer_t *answer)
{
    uint8_t *packed = NULL;
    size_t size = s_issue (engine, home, invited, device_key, link_key, now_ms, &packed);
    if (!size) {
        s_refuse (engine, PATROL__CODE__BAD_KEY, "the broker cannot issue a credential for these keys", out, answer);
        return;
    }
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__MemberEnrolled event = PATROL__MEMBER_ENROLLED__INIT;
    event.device = (uint32_t)members_count (engine->members) + 1;
    event.credential = (ProtobufCBinaryData){ size, packed };
    event.token_hash = (ProtobufCBinaryData){ 32, invited->token_hash };
    event.name = (ProtobufCBinaryData){ strlen (invited->name), (uint8_t *)invited->name };
    record.event_case = PATROL__RECORD__EVENT_ENROLLED;
    record.enrolled = &event;
    engine_record (engine, &record, now_ms, out);
    if (state_add_member (engine->state, &event, out->at_ms))
        abort (); //  keys were checked to be free
    invited->used_by = event.device;
    answer->device = event.device;
    free (packed);
}

void enrolment_take (engine_t *engine, const char *home, const uint8_t link_key [KEY_SIZE],
    const uint8_t device_key [KEY_SIZE], const uint8_t shared [KEY_SIZE], const uint8_t *box, size_t size, int64_t now_ms,
    take_t *out, enrolment_answer_t *answer)
{
    uint8_t plain [2048], hash [32];
    size_t message_size;
    memset (out, 0, sizeof *out);
    const uint8_t *bytes = size < sizeof plain ? box_open (plain, &message_size, shared, DOMAIN_ENROL_UP, box, size) : NULL;
    arena_reset (engine->arena);
    Patrol__Enrol *enrol = bytes ? patrol__enrol__unpack (arena_allocator (engine->arena), message_size, bytes) : NULL;
    if (!enrol || arena_has_unknown (&enrol->base) || enrol->token.len != TOKEN_SIZE || enrol->link_key.len != KEY_SIZE) {
        engine_refuse (out, PATROL__CODE__BAD_SEAL, "an enrolment that does not open");
        return;
    }
    crypto_generichash (hash, sizeof hash, enrol->token.data, TOKEN_SIZE, NULL, 0);
    invited_t *invited = members_invited_by_hash (engine->members, hash);
    //  The token must come over the link that the same invitation made: a front cannot mix two.
    if (!invited || memcmp (invited->link_key, link_key, KEY_SIZE) != 0) {
        s_refuse (engine, PATROL__CODE__INVITATION_UNKNOWN, "this broker gave no such invitation", out, answer);
        return;
    }
    member_t *member = members_by_device (engine->members, device_key);
    if (invited->used_by) {
        bool same
            = member && member->number == invited->used_by && memcmp (member->link_key, enrol->link_key.data, KEY_SIZE) == 0;
        if (!same) {
            s_refuse (engine, PATROL__CODE__INVITATION_USED, "the invitation was used by another device", out, answer);
            return;
        }
        out->verdict = TAKE_AGAIN;
        enrolment_again (engine, home, member, answer);
        return;
    }
    if (now_ms > invited->expires_ms) {
        s_refuse (engine, PATROL__CODE__INVITATION_EXPIRED, "the invitation has expired", out, answer);
        return;
    }
    if (member || members_by_link (engine->members, enrol->link_key.data) || sodium_is_zero (enrol->link_key.data, KEY_SIZE)
        || members_invited_by_link (engine->members, enrol->link_key.data)) {
        s_refuse (engine, PATROL__CODE__BAD_KEY, "a key of this device is enrolled already or is not usable", out, answer);
        return;
    }
    s_join (engine, home, invited, device_key, enrol->link_key.data, now_ms, out, answer);
}

void enrolment_invite (
    engine_t *engine, const invite_t *invite, int64_t now_ms, take_t *out, char **line, uint8_t link_key [KEY_SIZE])
{
    memset (out, 0, sizeof *out);
    *line = NULL;
    if (utf8_check ((const uint8_t *)invite->unit, strlen (invite->unit), NAME_MAX_BYTES, false) != UTF8_OK
        || utf8_check ((const uint8_t *)invite->name, strlen (invite->name), NAME_MAX_BYTES, false) != UTF8_OK) {
        engine_refuse (out, PATROL__CODE__BAD_TEXT, "name or unit: at most %u bytes of UTF-8 without control characters",
            NAME_MAX_BYTES);
        return;
    }
    if (invite->station [0] && areas_find_station (engine->areas, invite->station, strlen (invite->station)) < 0) {
        engine_refuse (out, PATROL__CODE__NOT_FOUND, "station \"%.32s\" is not in the areas", invite->station);
        return;
    }
    if (invite->role == PATROL__ROLE__DESK && !invite->station [0]) {
        engine_refuse (out, PATROL__CODE__NOT_ALLOWED, "a desk needs --station");
        return;
    }
    invitation_t invitation = { .role = invite->role, .expires_ms = invite->expires_ms };
    box_keys_t link;
    uint8_t token [TOKEN_SIZE], hash [32];
    snprintf (invitation.endpoint, sizeof invitation.endpoint, "%s", invite->endpoint);
    memcpy (invitation.transport_key, invite->transport_key, KEY_SIZE);
    memcpy (invitation.core_key, engine->core_keys.public_key, KEY_SIZE);
    memcpy (invitation.authority, invite->authority_key, KEY_SIZE);
    memcpy (invitation.district, engine->district, DISTRICT_SIZE);
    randombytes_buf (invitation.secret, sizeof invitation.secret);
    invitation_derive (&invitation, &link, token);
    crypto_generichash (hash, sizeof hash, token, sizeof token, NULL, 0);
    memcpy (link_key, link.public_key, KEY_SIZE);
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__Invited event = PATROL__INVITED__INIT;
    event.token_hash = (ProtobufCBinaryData){ 32, hash };
    event.link_key = (ProtobufCBinaryData){ KEY_SIZE, link.public_key };
    event.role = invite->role;
    event.station = (ProtobufCBinaryData){ strlen (invite->station), (uint8_t *)invite->station };
    event.unit = (ProtobufCBinaryData){ strlen (invite->unit), (uint8_t *)invite->unit };
    event.name = (ProtobufCBinaryData){ strlen (invite->name), (uint8_t *)invite->name };
    event.expires_ms = invite->expires_ms;
    record.event_case = PATROL__RECORD__EVENT_INVITED;
    record.invited = &event;
    engine_record (engine, &record, now_ms, out);
    *line = invitation_format (&invitation);
    identity_wipe (&link, sizeof link);
    identity_wipe (&invitation, sizeof invitation);
}

void enrolment_revoke (engine_t *engine, uint64_t id, const char *why, int64_t now_ms, take_t *out)
{
    memset (out, 0, sizeof *out);
    member_t *member = members_by_id (engine->members, id);
    if (!member || member->revoked) {
        engine_refuse (out, PATROL__CODE__NOT_FOUND, member ? "this member was revoked already" : "no such member");
        return;
    }
    Patrol__Record record = PATROL__RECORD__INIT;
    Patrol__MemberRevoked event = PATROL__MEMBER_REVOKED__INIT;
    event.member = id;
    event.why = (ProtobufCBinaryData){ strlen (why), (uint8_t *)why };
    record.event_case = PATROL__RECORD__EVENT_REVOKED;
    record.revoked = &event;
    engine_record (engine, &record, now_ms, out);
    member->revoked = true;
}
