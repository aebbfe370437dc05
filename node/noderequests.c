//  noderequests - the commands of people, as the daemon serves them
//
//  tip, withdraw, cancel and import write: they are answered after the commit that all writers of a round share. status
//  and inbox read: their answers go out in pages, as fast as the client takes them.

#include "node_private.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "draft.h"
#include "timefmt.h"

#define COMMIT_EACH 500 //  asks that share a commit at most
#define PAGE_ROWS 200
#define PAGE_BYTES (256 * 1024)
#define TIMEOUT_MAX_S 86400

//  ---- asks

static ask_t *s_ask_new (node_t *self, local_client_t *client, ask_type_t type)
{
    ask_t *ask = calloc (1, sizeof *ask);
    if (!ask)
        abort ();
    ask->client = client;
    ask->type = type;
    ask->lang = catalogue_lang ();
    ask->next = self->asks;
    self->asks = ask;
    local_set_data (client, ask);
    self->keeping += type == ASK_KEEP;
    return ask;
}

//  Ends the answer; the ask is freed by the next sweep.
static void s_end (ask_t *ask, int exit_code, const char *error)
{
    if (!ask->client)
        return;
    local_set_data (ask->client, NULL);
    local_end (ask->client, exit_code, error);
    ask->client = NULL;
}

static void s_sweep (node_t *self)
{
    for (ask_t **link = &self->asks; *link;) {
        ask_t *ask = *link;
        if (ask->client || ask->type == ASK_KEEP) {
            link = &ask->next;
            continue;
        }
        *link = ask->next;
        json_decref (ask->result);
        free (ask);
    }
}

void requests_gone (void *context, local_client_t *client)
{
    node_t *self = context;
    for (ask_t *ask = self->asks; ask; ask = ask->next)
        if (ask->client == client)
            ask->client = NULL;
}

void requests_destroy (node_t *self)
{
    while (self->asks) {
        ask_t *ask = self->asks;
        self->asks = ask->next;
        json_decref (ask->result);
        free (ask);
    }
}

//  Error lines are in the language of the person who asked.
static void s_speak (lang_t lang)
{
    if (catalogue_lang () != lang)
        catalogue_set (lang == LANG_ZH ? "zh" : "en");
}

//  ---- small JSON

static void s_set_text (json_t *object, const char *key, const char *value)
{
    if (value && *value)
        json_object_set_new (object, key, json_string (value));
}

static void s_set_time (json_t *object, const char *key, int64_t ms)
{
    char out [32];
    if (ms <= 0)
        return;
    time_format_utc (out, ms);
    json_object_set_new (object, key, json_string (out));
}

static void s_set_code (json_t *object, uint32_t code)
{
    const ProtobufCEnumValue *name = protobuf_c_enum_descriptor_get_value (&patrol__code__descriptor, (int)code);
    if (code)
        json_object_set_new (object, "code", json_string (name ? name->name : "UNKNOWN"));
}

static json_t *s_kept (const outbox_ref_t *ref, tip_state_t state)
{
    char id [14];
    id64_format (id, ref->number);
    return json_pack ("{s:s, s:s, s:I}", "tip", id, "state", tip_state_name (state), "counter", (json_int_t)ref->counter);
}

//  ---- writing

static int s_add_tip (node_t *self, const json_t *object, outbox_ref_t *ref, int *exit_code, char error [DRAFT_ERROR_ROOM])
{
    draft_t draft;
    int64_t now_ms = time_now_ms ();
    Patrol__TipRef follows = PATROL__TIP_REF__INIT;
    *exit_code = EXIT_USAGE;
    if (draft_read (&draft, object, device_kinds (self->device), now_ms, error))
        return -1;
    if (draft.follows) {
        outbox_ref_t earlier;
        if (outbox_find (self->outbox, draft.follows, &earlier)) {
            snprintf (error, DRAFT_ERROR_ROOM, text_format (T_ASK_FOLLOWS), draft.follows);
            *exit_code = EXIT_MISSING;
            return -1;
        }
        follows.epoch = earlier.epoch;
        follows.counter = earlier.counter;
        draft.tip.follows = &follows;
    }
    if (outbox_add_tip (self->outbox, &draft.tip, draft.kind->life_h, now_ms, ref)) {
        snprintf (error, DRAFT_ERROR_ROOM, "%s", text (T_ASK_NOT_STORED));
        *exit_code = EXIT_FAILED;
        return -1;
    }
    return 0;
}

//  {"do":"tip", "tip":{...}, "wait":STATE, "timeout":SECONDS}
static void s_do_tip (node_t *self, local_client_t *client, json_t *request)
{
    char error [DRAFT_ERROR_ROOM];
    int exit_code;
    outbox_ref_t ref;
    tip_state_t wanted = TIP_HELD;
    const char *wait = json_string_value (json_object_get (request, "wait"));
    json_int_t timeout_s = json_integer_value (json_object_get (request, "timeout"));
    if (wait && tip_state_parse (&wanted, wait)) {
        snprintf (error, sizeof error, text_format (T_ASK_STATE), wait);
        local_end (client, EXIT_USAGE, error);
        return;
    }
    if (timeout_s < 0 || timeout_s > TIMEOUT_MAX_S)
        timeout_s = TIMEOUT_MAX_S;
    if (s_add_tip (self, json_object_get (request, "tip"), &ref, &exit_code, error)) {
        local_end (client, exit_code, error);
        return;
    }
    ask_t *ask = s_ask_new (self, client, ASK_KEEP);
    ask->result = s_kept (&ref, TIP_HELD);
    ask->ref = ref;
    ask->wanted = wanted;
    ask->timeout_ms = timeout_s * 1000;
}

static void s_withdraw_ref (node_t *self, local_client_t *client, const outbox_ref_t *ref)
{
    char id [14], error [DRAFT_ERROR_ROOM];
    tip_state_t state = outbox_state (self->outbox, ref->row);
    id64_format (id, ref->number);
    switch (outbox_add_withdraw (self->outbox, ref->row, time_now_ms ())) {
    case WITHDRAW_SETTLED:
        snprintf (error, sizeof error, text_format (T_ASK_SETTLED), id, tip_state_name (state));
        local_end (client, EXIT_FAILED, error);
        return;
    case WITHDRAW_FAILED:
        local_end (client, EXIT_FAILED, text (T_ASK_NOT_STORED));
        return;
    case WITHDRAW_KEPT:
    case WITHDRAW_ALREADY:
        break;
    }
    ask_t *ask = s_ask_new (self, client, ASK_KEEP);
    ask->result = s_kept (ref, state);
    json_object_set_new (ask->result, "withdrawing", json_true ());
}

//  {"do":"withdraw", "tip":ID}
static void s_do_withdraw (node_t *self, local_client_t *client, json_t *request)
{
    char error [DRAFT_ERROR_ROOM];
    const char *id = json_string_value (json_object_get (request, "tip"));
    outbox_ref_t ref;
    if (id && outbox_find (self->outbox, id, &ref) == 0) {
        s_withdraw_ref (self, client, &ref);
        return;
    }
    snprintf (error, sizeof error, text_format (T_ASK_NO_TIP), id ? id : "");
    local_end (client, EXIT_MISSING, error);
}

//  {"do":"cancel"}: withdraws the newest sos that is open
static void s_do_cancel (node_t *self, local_client_t *client, json_t *request)
{
    outbox_ref_t ref;
    (void)request;
    if (outbox_find_sos (self->outbox, &ref) == 0)
        s_withdraw_ref (self, client, &ref);
    else
        local_end (client, EXIT_MISSING, text (T_ASK_NO_SOS));
}

typedef enum { LINE_ADDED, LINE_KNOWN, LINE_BAD } line_t;

//  {"line":N, "key":HEX, "tip":{...}}: the key names the line for ever, so that importing it again adds nothing.
static line_t s_import_line (node_t *self, json_t *entry, char error [DRAFT_ERROR_ROOM])
{
    const char *hex = json_string_value (json_object_get (entry, "key"));
    uint8_t key [16];
    size_t size = 0;
    draft_t draft;
    outbox_ref_t ref;
    int exit_code;
    json_t *tip = json_object_get (entry, "tip");
    if (!hex || sodium_hex2bin (key, sizeof key, hex, strlen (hex), NULL, &size, NULL) || size != sizeof key) {
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_ASK_UNKNOWN), "import");
        return LINE_BAD;
    }
    //  A bad line must not be remembered: it will come again, corrected or not.
    if (draft_read (&draft, tip, device_kinds (self->device), time_now_ms (), error))
        return LINE_BAD;
    if (draft.follows && outbox_find (self->outbox, draft.follows, &ref)) {
        snprintf (error, DRAFT_ERROR_ROOM, text_format (T_ASK_FOLLOWS), draft.follows);
        return LINE_BAD;
    }
    if (!outbox_import_new (self->outbox, key, size))
        return LINE_KNOWN;
    return s_add_tip (self, tip, &ref, &exit_code, error) ? LINE_BAD : LINE_ADDED;
}

//  {"do":"import", "lines":[...]}: answers each bad line at once and the sums after the commit.
static void s_do_import (node_t *self, local_client_t *client, json_t *request)
{
    char error [DRAFT_ERROR_ROOM];
    json_int_t added = 0, known = 0;
    size_t index;
    json_t *entry, *bad = json_array ();
    json_array_foreach (json_object_get (request, "lines"), index, entry)
    {
        line_t line = s_import_line (self, entry, error);
        added += line == LINE_ADDED;
        known += line == LINE_KNOWN;
        if (line == LINE_BAD)
            json_array_append_new (
                bad, json_pack ("{s:I, s:s}", "line", json_integer_value (json_object_get (entry, "line")), "error", error));
    }
    ask_t *ask = s_ask_new (self, client, ASK_KEEP);
    ask->result = json_pack ("{s:I, s:I, s:o}", "added", added, "known", known, "bad", bad);
}

//  ---- after the commit

static void s_answer_kept (ask_t *ask, bool kept)
{
    ask->type = ASK_WAIT;
    if (!ask->client)
        return;
    if (!kept) {
        s_speak (ask->lang);
        s_end (ask, EXIT_FAILED, text (T_ASK_NOT_STORED));
        return;
    }
    if (ask->wanted != TIP_HELD)
        json_object_set_new (ask->result, "waiting", json_true ());
    local_send (ask->client, ask->result);
    ask->result = NULL;
    if (ask->wanted == TIP_HELD)
        s_end (ask, EXIT_DONE, NULL);
    else
        ask->deadline_ms = time_mono_ms () + ask->timeout_ms;
}

void requests_settle (node_t *self)
{
    bool wrote = nodestore_is_open (self->store);
    if (self->keeping == 0 && !wrote)
        return;
    bool kept = node_commit (self);
    for (ask_t *ask = self->asks; ask; ask = ask->next)
        if (ask->type == ASK_KEEP)
            s_answer_kept (ask, kept);
    self->keeping = 0;
    self->changes_seen = UINT64_MAX;
    sender_more (self->sender);
    s_sweep (self);
}

//  ---- waiting for a state

static bool s_find_tip (void *context, const outbox_tip_t *tip)
{
    *(outbox_tip_t *)context = *tip;
    return false;
}

static void s_say_late (node_t *self, const ask_t *ask, char error [DRAFT_ERROR_ROOM])
{
    bool linked = !self->session || self->attached;
    snprintf (error, DRAFT_ERROR_ROOM, text_format (T_ASK_LATER), tip_state_name (ask->wanted),
        (long long)ask->timeout_ms / 1000, linked ? "" : ": ", linked ? "" : session_reason (self->session));
}

//  Returns true when the wait is over.
static bool s_check_wait (node_t *self, ask_t *ask, int64_t now_mono_ms)
{
    char error [DRAFT_ERROR_ROOM];
    outbox_tip_t tip = { 0 };
    outbox_each (self->outbox, 0, ask->ref.row, 1, s_find_tip, &tip);
    bool forward = tip.state >= ask->wanted && tip.state <= TIP_CLOSED;
    bool over = forward || tip.state >= TIP_REFUSED;
    if (!over && now_mono_ms < ask->deadline_ms)
        return false;
    outbox_ref_t ref = { .row = tip.row, .epoch = tip.epoch, .counter = tip.counter, .number = tip.number };
    json_t *result = s_kept (&ref, tip.state);
    s_set_code (result, tip.code);
    s_set_text (result, "detail", tip.detail);
    s_set_text (result, "station", tip.station);
    json_t *code = json_object_get (result, "code");
    s_speak (ask->lang);
    if (tip.state == TIP_REFUSED)
        snprintf (error, sizeof error, text_format (T_ASK_REFUSED), code ? json_string_value (code) : "", tip.detail);
    else if (tip.state == TIP_WITHDRAWN)
        snprintf (error, sizeof error, "%s", text (T_ASK_GONE));
    else
        s_say_late (self, ask, error);
    local_send (ask->client, result);
    s_end (ask, forward ? EXIT_DONE : over ? EXIT_FAILED : EXIT_LATER, forward ? NULL : error);
    return true;
}

//  A wait cannot outlive the daemon: what was kept is said to be kept.
void requests_stop (node_t *self)
{
    for (ask_t *ask = self->asks; ask; ask = ask->next)
        if (ask->client && ask->type == ASK_WAIT)
            s_check_wait (self, ask, INT64_MAX);
}

//  ---- status and inbox

//  What the person must know to understand why a tip waits.
static json_t *s_link_summary (node_t *self)
{
    const char *link = self->attached ? "up" : "down";
    json_t *summary = json_pack ("{s:b}", "summary", 1);
    if (self->options.network == NODE_NO_LINK)
        link = "off";
    if (self->options.network == NODE_ONE_COMMAND)
        link = "none";
    json_object_set_new (summary, "link", json_string (link));
    if (self->session && !self->attached)
        s_set_text (summary, "reason", session_reason (self->session));
    s_set_text (summary, "refusal", self->refusal);
    json_object_set_new (summary, "link_ms", json_integer (self->attached ? time_now_ms () : self->link_ms));
    json_object_set_new (summary, "waiting", json_integer ((json_int_t)outbox_waiting (self->outbox)));
    if (llabs (self->clock_offset_ms) > CLOCK_OFF_MS)
        json_object_set_new (summary, "clock_offset_ms", json_integer (self->clock_offset_ms));
    return summary;
}

typedef struct {
    node_t *node;
    ask_t *ask;
    json_t *object; //  the one being filled; history
    int told;
} telling_t;

static json_t *s_tip_object (const outbox_tip_t *tip)
{
    outbox_ref_t ref = { .row = tip->row, .epoch = tip->epoch, .counter = tip->counter, .number = tip->number };
    char id [14];
    json_t *object = s_kept (&ref, tip->state);
    s_set_time (object, "since", tip->since_ms);
    s_set_text (object, "kind", tip->kind);
    s_set_text (object, "severity", severity_name (tip->severity));
    s_set_text (object, "class", class_name (tip->cls));
    s_set_time (object, "written", tip->written_ms);
    s_set_time (object, "accepted", tip->accepted_ms);
    s_set_text (object, "station", tip->station);
    s_set_text (object, "by", tip->actor);
    s_set_code (object, tip->code);
    s_set_text (object, "detail", tip->detail);
    s_set_text (object, "place", tip->place);
    s_set_text (object, "text", tip->text);
    if (tip->incident) {
        id64_format (id, tip->incident);
        s_set_text (object, "incident", id);
    }
    if (tip->resent) {
        id64_format (id, tip->resent);
        s_set_text (object, "resent_as", id);
    }
    if (tip->withdrawing)
        json_object_set_new (object, "withdrawing", json_true ());
    if (tip->carriers)
        json_object_set_new (object, "carriers", json_integer (tip->carriers));
    if (tip->hops >= 0)
        json_object_set_new (object, "hops", json_integer (tip->hops));
    if (tip->state == TIP_ACCEPTED)
        s_set_time (object, "no_desk_since", tip->no_desk_ms);
    return object;
}

static bool s_tell_tip (void *context, const outbox_tip_t *tip)
{
    telling_t *telling = context;
    local_send (telling->ask->client, s_tip_object (tip));
    telling->told++;
    return true;
}

static json_t *s_change_object (int64_t at_ms, tip_state_t state)
{
    json_t *object = json_pack ("{s:s}", "state", tip_state_name (state));
    s_set_time (object, "at", at_ms);
    return object;
}

static void s_tell_change (void *context, const outbox_change_t *change)
{
    telling_t *telling = context;
    json_t *object = s_change_object (change->at_ms, change->state);
    s_set_text (object, "by", change->actor);
    s_set_text (object, "station", change->station);
    s_set_text (object, "detail", change->detail);
    json_array_append_new (telling->object, object);
}

static bool s_tell_one (void *context, const outbox_tip_t *tip)
{
    telling_t *telling = context;
    json_t *object = s_tip_object (tip);
    telling->object = json_array ();
    json_array_append_new (telling->object, s_change_object (tip->written_ms, TIP_HELD));
    outbox_history (telling->node->outbox, tip->row, s_tell_change, telling);
    json_object_set_new (object, "history", telling->object);
    local_send (telling->ask->client, object);
    return true;
}

//  {"do":"status"} or {"do":"status", "tip":ID}
static void s_do_status (node_t *self, local_client_t *client, json_t *request)
{
    char error [DRAFT_ERROR_ROOM];
    const char *id = json_string_value (json_object_get (request, "tip"));
    outbox_ref_t ref = { 0 };
    if (id && outbox_find (self->outbox, id, &ref)) {
        snprintf (error, sizeof error, text_format (T_ASK_NO_TIP), id);
        local_end (client, EXIT_MISSING, error);
        return;
    }
    local_send (client, s_link_summary (self));
    ask_t *ask = s_ask_new (self, client, ASK_STATUS);
    if (!id)
        return;
    telling_t telling = { .node = self, .ask = ask };
    outbox_each (self->outbox, 0, ref.row, 1, s_tell_one, &telling);
    s_end (ask, EXIT_DONE, NULL);
}

static void s_tell_item (void *context, const inbox_item_t *item)
{
    telling_t *telling = context;
    char id [14];
    json_t *object = json_object ();
    s_set_time (object, "at", item->at_ms);
    s_set_text (object, "type", inbox_type_name (item->type));
    if (item->counter) {
        id64_format (id, outbox_number (telling->node->outbox, item->epoch, item->counter));
        s_set_text (object, "tip", id);
    }
    if (item->incident) {
        id64_format (id, item->incident);
        s_set_text (object, "incident", id);
    }
    s_set_text (object, "status", item->status);
    s_set_text (object, "by", item->actor);
    s_set_text (object, "station", item->station);
    s_set_text (object, "answer", item->answer);
    local_send (telling->ask->client, object);
    telling->told++;
}

//  {"do":"inbox"}
static void s_do_inbox (node_t *self, local_client_t *client, json_t *request)
{
    (void)request;
    s_ask_new (self, client, ASK_INBOX);
}

//  {"do":"mesh"}
static void s_do_mesh (node_t *self, local_client_t *client, json_t *request)
{
    (void)request;
    if (!self->mesh) {
        local_end (client, EXIT_FAILED, text (T_ASK_NO_MESH));
        return;
    }
    json_t *view = meshnode_view (self->mesh);
    const gpsd_t *gpsd = self->options.gpsd;
    if (gpsd) {
        int64_t age_ms = gpsd_fix_age_ms (gpsd, time_mono_ms ());
        json_object_set_new (view, "gpsd",
            json_pack ("{s:b, s:o}", "connected", gpsd_connected (gpsd), "fix_s",
                age_ms < 0 ? json_null () : json_integer ((json_int_t)(age_ms / 1000))));
    }
    local_send (client, view);
    local_end (client, EXIT_DONE, NULL);
}

static void s_next_pages (node_t *self, ask_t *ask)
{
    telling_t telling = { .node = self, .ask = ask, .told = PAGE_ROWS };
    while (telling.told == PAGE_ROWS && local_queued (ask->client) < PAGE_BYTES) {
        telling.told = 0;
        if (ask->type == ASK_STATUS)
            ask->after = outbox_each (self->outbox, ask->after, 0, PAGE_ROWS, s_tell_tip, &telling);
        else
            ask->after = inbox_each (self->inbox, ask->after, PAGE_ROWS, s_tell_item, &telling);
    }
    if (telling.told < PAGE_ROWS)
        s_end (ask, EXIT_DONE, NULL);
}

int64_t requests_tend (node_t *self, int64_t now_mono_ms)
{
    bool changed = self->changes_seen != outbox_changes (self->outbox);
    int64_t next = -1;
    self->changes_seen = outbox_changes (self->outbox);
    for (ask_t *ask = self->asks; ask; ask = ask->next) {
        if (!ask->client)
            continue;
        if (ask->type == ASK_STATUS || ask->type == ASK_INBOX)
            s_next_pages (self, ask);
        else if (ask->type == ASK_WAIT) {
            int64_t left = ask->deadline_ms > now_mono_ms ? ask->deadline_ms - now_mono_ms : 0;
            if ((changed || left == 0) && s_check_wait (self, ask, now_mono_ms))
                continue;
            if (next < 0 || left < next)
                next = left;
        }
    }
    s_sweep (self);
    return next;
}

//  ---- which request

void requests_handle (void *context, local_client_t *client, json_t *request)
{
    static const struct {
        const char *name;
        void (*run) (node_t *self, local_client_t *client, json_t *request);
    } verbs [] = { { "tip", s_do_tip }, { "withdraw", s_do_withdraw }, { "cancel", s_do_cancel }, { "import", s_do_import },
        { "status", s_do_status }, { "inbox", s_do_inbox }, { "mesh", s_do_mesh } };
    node_t *self = context;
    const char *name = json_string_value (json_object_get (request, "do"));
    const char *lang = json_string_value (json_object_get (request, "lang"));
    char error [DRAFT_ERROR_ROOM];
    if (lang)
        s_speak (!strcmp (lang, "zh") ? LANG_ZH : LANG_EN);
    for (size_t index = 0; name && index < sizeof verbs / sizeof *verbs; index++)
        if (!strcmp (verbs [index].name, name)) {
            verbs [index].run (self, client, request);
            if (self->keeping >= COMMIT_EACH)
                requests_settle (self);
            return;
        }
    snprintf (error, sizeof error, text_format (T_ASK_UNKNOWN), name ? name : "");
    local_end (client, EXIT_USAGE, error);
}
