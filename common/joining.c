//  joining - the exchange that enrols a device

#include "joining.h"
#include "arena.h"
#include "cli.h"
#include "envelope.h"
#include "link.h"
#include "timefmt.h"
#include "utf8.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_AGAIN_MS = 5000, //  an answer may be lost with a front or core that went away
    REFUSALS_ENOUGH = 2, //  the first may come before the front was told of a new invitation
    SIGNED_MAX = 2048,
    DETAIL_MAX = 400
};

//  How far we came: decides what a person is told when time is up.
typedef enum { STAGE_CALLING, STAGE_UP, STAGE_WELCOMED, STAGE_ASKED, STAGE_DONE } stage_t;

typedef struct {
    const invitation_t *invitation;
    const box_keys_t *device, *link_keys;
    const uint8_t *shared;
    uint8_t token [TOKEN_SIZE];
    link_t *link;
    arena_t *arena;
    stage_t stage, furthest;
    unsigned refusals;
    int64_t ask_at_ms; //  when to send HELLO or ENROL (again), 0 = not now
    uint8_t out [FRAME_MAX], plain [FRAME_MAX];
    enrolled_t *enrolled;
    int exit_code; //  valid in STAGE_DONE
    char **error;
} joining_t;

void enrolled_clear (enrolled_t *self)
{
    assert (self);
    free (self->credential);
    free (self->issuer);
    free (self->kinds);
    memset (self, 0, sizeof *self);
}

static void s_done (joining_t *self, int exit_code, const char *format, ...) __attribute__ ((format (printf, 3, 4)));

static void s_done (joining_t *self, int exit_code, const char *format, ...)
{
    self->stage = STAGE_DONE;
    self->exit_code = exit_code;
    va_list args;
    va_start (args, format);
    if (vasprintf (self->error, format, args) < 0) {
        abort ();
    }
    va_end (args);
}

static void s_stage (joining_t *self, stage_t stage)
{
    self->stage = stage;
    self->furthest = stage > self->furthest ? stage : self->furthest;
}

//  ---- asking

static void s_send_hello (joining_t *self)
{
    Patrol__Hello hello = PATROL__HELLO__INIT;
    hello.version = FRAME_VERSION;
    hello.agent.data = (uint8_t *)(uintptr_t)PATROL_VERSION; //  only read
    hello.agent.len = strlen (PATROL_VERSION);
    frame_begin (self->out, FRAME_HELLO, LANE_URGENT);
    size_t size = patrol__hello__pack (&hello, self->out + FRAME_HEADER);
    link_send (self->link, self->out, FRAME_HEADER + size);
}

static void s_send_enrol (joining_t *self)
{
    Patrol__Enrol enrol = PATROL__ENROL__INIT;
    enrol.token.data = self->token;
    enrol.token.len = TOKEN_SIZE;
    enrol.link_key.data = (uint8_t *)(uintptr_t)self->link_keys->public_key;
    enrol.link_key.len = KEY_SIZE;
    enrol.agent.data = (uint8_t *)(uintptr_t)PATROL_VERSION;
    enrol.agent.len = strlen (PATROL_VERSION);
    frame_begin (self->out, FRAME_ENROL, LANE_URGENT);
    memcpy (self->out + FRAME_HEADER, self->device->public_key, KEY_SIZE);
    size_t at = FRAME_HEADER + KEY_SIZE;
    size_t size = box_seal (self->out + at, FRAME_MAX - at, self->shared, DOMAIN_ENROL_UP, &enrol.base);
    assert (size);
    link_send (self->link, self->out, at + size);
}

//  Says hello, or asks, when it is time; says it again when no answer came.
static void s_ask (joining_t *self, int64_t now_ms)
{
    if (self->ask_at_ms == 0 || now_ms < self->ask_at_ms) {
        return;
    }
    self->ask_at_ms = now_ms + ASK_AGAIN_MS;
    if (self->stage == STAGE_UP) {
        s_send_hello (self);
    } else if (self->stage == STAGE_ASKED) {
        s_send_enrol (self);
    }
}

//  ---- answers

static void s_on_welcome (joining_t *self, const uint8_t *body, size_t size, int64_t now_ms)
{
    Patrol__Welcome *welcome = patrol__welcome__unpack (arena_allocator (self->arena), size, body);
    if (!welcome || arena_has_unknown (&welcome->base)) {
        return;
    }
    s_stage (self, welcome->core_up ? STAGE_ASKED : STAGE_WELCOMED);
    self->ask_at_ms = welcome->core_up ? now_ms : 0;
}

static void s_refused (joining_t *self, uint32_t code, const ProtobufCBinaryData *detail)
{
    switch (code) {
    case PATROL__CODE__INVITATION_UNKNOWN:
        s_done (self, EXIT_RIGHTS, "%s", text (T_JOIN_UNKNOWN));
        return;
    case PATROL__CODE__INVITATION_USED:
        s_done (self, EXIT_RIGHTS, "%s", text (T_JOIN_USED));
        return;
    case PATROL__CODE__INVITATION_EXPIRED:
        s_done (self, EXIT_RIGHTS, "%s", text (T_JOIN_ENDED));
        return;
    default:
        break;
    }
    bool readable = detail->len && utf8_check (detail->data, detail->len, DETAIL_MAX, false) == UTF8_OK;
    const char *words = readable ? (const char *)detail->data : text (T_JOIN_NO_REASON);
    int length = readable ? (int)detail->len : (int)strlen (words);
    char line [DETAIL_MAX + 1];
    snprintf (line, sizeof line, "%.*s", length, words);
    s_done (self, EXIT_FAILED, text_format (T_JOIN_REFUSED), code, line);
}

//  A packed copy of a Signed: its body is kept as received.
static uint8_t *s_keep_signed (const Patrol__Signed *message, size_t *size)
{
    if (!message || message->body.len == 0 || message->signature.len != SIGNATURE_SIZE) {
        return NULL;
    }
    *size = patrol__signed__get_packed_size (message);
    uint8_t *bytes = *size <= SIGNED_MAX ? malloc (*size) : NULL;
    if (bytes) {
        patrol__signed__pack (message, bytes);
    }
    return bytes;
}

static void s_on_enrolled (joining_t *self, const uint8_t *body, size_t size)
{
    size_t message_size = 0;
    const uint8_t *message = box_open (self->plain, &message_size, self->shared, DOMAIN_ENROL_DOWN, body, size);
    if (!message) {
        return; //  not from the core: go on waiting for the one that is
    }
    Patrol__Enrolled *answer = patrol__enrolled__unpack (arena_allocator (self->arena), message_size, message);
    if (!answer || arena_has_unknown (&answer->base)) {
        s_done (self, EXIT_FAILED, text_format (T_JOIN_BAD_ANSWER), "it does not parse");
        return;
    }
    if (answer->code != PATROL__CODE__OK) {
        s_refused (self, answer->code, &answer->detail);
        return;
    }
    enrolled_t *out = self->enrolled;
    out->credential = s_keep_signed (answer->credential, &out->credential_size);
    out->issuer = s_keep_signed (answer->issuer, &out->issuer_size);
    out->now_ms = answer->now_ms;
    if (!out->credential || !out->issuer) {
        s_done (self, EXIT_FAILED, text_format (T_JOIN_BAD_ANSWER), "it has no credential or no issuer");
        return;
    }
    if (answer->kinds.len) {
        out->kinds = malloc (answer->kinds.len);
        if (!out->kinds) {
            abort ();
        }
        memcpy (out->kinds, answer->kinds.data, answer->kinds.len);
        out->kinds_size = answer->kinds.len;
    }
    if (answer->receipts_key.len == KEY_SIZE) {
        memcpy (out->receipts_key, answer->receipts_key.data, KEY_SIZE);
        out->has_receipts_key = true;
    }
    self->stage = STAGE_DONE;
    self->exit_code = EXIT_DONE;
}

static void s_on_notice (joining_t *self, const uint8_t *body, size_t size)
{
    Patrol__Notice *notice = patrol__notice__unpack (arena_allocator (self->arena), size, body);
    if (!notice || arena_has_unknown (&notice->base) || notice->code == PATROL__CODE__SLOW_DOWN) {
        return; //  too fast is not a refusal: we ask again
    }
    s_refused (self, notice->code, &notice->detail);
}

static void s_on_frame (joining_t *self, const uint8_t *frame, size_t size, int64_t now_ms)
{
    frame_type_t type;
    lane_t lane;
    if (frame_parse (&type, &lane, frame, size)) {
        return;
    }
    arena_reset (self->arena);
    const uint8_t *body = frame + FRAME_HEADER;
    size -= FRAME_HEADER;
    if (type == FRAME_WELCOME && self->stage != STAGE_CALLING) {
        s_on_welcome (self, body, size, now_ms);
    } else if (type == FRAME_ENROL && self->furthest == STAGE_ASKED) {
        s_on_enrolled (self, body, size);
    } else if (type == FRAME_NOTICE) {
        s_on_notice (self, body, size);
    }
}

static void s_on_event (joining_t *self, link_event_t event, const uint8_t *frame, size_t size, int64_t now_ms)
{
    switch (event) {
    case LINK_UP:
        s_stage (self, STAGE_UP);
        self->ask_at_ms = now_ms;
        break;
    case LINK_DOWN:
        s_stage (self, STAGE_CALLING);
        self->ask_at_ms = 0;
        break;
    case LINK_REFUSED:
        s_stage (self, STAGE_CALLING);
        self->ask_at_ms = 0;
        if (++self->refusals >= REFUSALS_ENOUGH) {
            s_done (self, EXIT_RIGHTS, text_format (T_JOIN_NOT_ADMITTED), self->invitation->endpoint);
        }
        break;
    case LINK_FRAME:
        s_on_frame (self, frame, size, now_ms);
        break;
    }
}

//  ---- the exchange

static void s_out_of_time (joining_t *self)
{
    const char *endpoint = self->invitation->endpoint;
    if (self->refusals) {
        s_done (self, EXIT_RIGHTS, text_format (T_JOIN_NOT_ADMITTED), endpoint);
        return;
    }
    switch (self->furthest) {
    case STAGE_CALLING:
    case STAGE_UP:
        s_done (self, EXIT_FAILED, text_format (T_JOIN_NO_ANSWER), endpoint);
        break;
    case STAGE_WELCOMED:
        s_done (self, EXIT_FAILED, text_format (T_JOIN_CORE_DOWN), endpoint);
        break;
    case STAGE_ASKED:
    case STAGE_DONE:
        s_done (self, EXIT_FAILED, text_format (T_JOIN_NO_REPLY), endpoint);
        break;
    }
}

//  Waits for the link or the next timer, handles what came.
static void s_turn (joining_t *self, int64_t until_ms)
{
    int64_t now_ms = time_mono_ms ();
    long timeout_ms = until_ms > now_ms ? (long)(until_ms - now_ms) : 0;
    if (self->ask_at_ms && self->ask_at_ms - now_ms < timeout_ms) {
        timeout_ms = self->ask_at_ms > now_ms ? (long)(self->ask_at_ms - now_ms) : 0;
    }
    zmq_pollitem_t items [2];
    int count = link_items (self->link, items, &timeout_ms, now_ms);
    zmq_poll (items, count, timeout_ms);
    now_ms = time_mono_ms ();
    link_event_t event;
    const uint8_t *frame;
    size_t size;
    while (self->stage != STAGE_DONE && link_process (self->link, now_ms, &event, &frame, &size)) {
        s_on_event (self, event, frame, size, now_ms);
    }
    s_ask (self, now_ms);
}

static void s_run (joining_t *self, int64_t timeout_ms)
{
    int64_t until_ms = time_mono_ms () + timeout_ms;
    while (self->stage != STAGE_DONE) {
        if (time_mono_ms () >= until_ms) {
            s_out_of_time (self);
            return;
        }
        s_turn (self, until_ms);
    }
}

int joining_ask (enrolled_t *out, const invitation_t *invitation, const box_keys_t *device, const box_keys_t *link,
    const uint8_t shared [KEY_SIZE], int64_t timeout_ms, char **error)
{
    assert (out && invitation && device && link && shared && error);
    memset (out, 0, sizeof *out);
    *error = NULL;
    joining_t *self = calloc (1, sizeof *self);
    void *zmq = zmq_ctx_new ();
    if (!self || !zmq) {
        abort ();
    }
    self->invitation = invitation;
    self->device = device;
    self->link_keys = link;
    self->shared = shared;
    self->enrolled = out;
    self->error = error;
    self->arena = arena_new (ARENA_MESSAGE_SIZE);
    box_keys_t curve;
    invitation_derive (invitation, &curve, self->token);
    self->link = link_new (zmq, invitation->endpoint, invitation->transport_key, &curve);
    if (self->link) {
        s_run (self, timeout_ms);
    } else {
        s_done (self, EXIT_USAGE, text_format (T_JOIN_BAD_INVITATION), "its endpoint is not tcp://HOST:PORT");
    }
    int exit_code = self->exit_code;
    link_destroy (&self->link);
    arena_destroy (&self->arena);
    zmq_ctx_term (zmq);
    identity_wipe (&curve, sizeof curve);
    identity_wipe (self, sizeof *self);
    free (self);
    if (exit_code != EXIT_DONE) {
        enrolled_clear (out);
    }
    return exit_code;
}
