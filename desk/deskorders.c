//  deskorders - commands and those who wait for them

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "deskorders.h"
#include "timefmt.h"

#define TIPS_MOST 32 //  of one split

typedef enum {
    ORDER_ASKS,    //  the incident's version is asked for
    ORDER_FRESH,   //  in the outbox, not committed yet
    ORDER_KEPT,    //  in the outbox on disk
    ORDER_SETTLED, //  receipt here, not committed yet
    ORDER_OVER
} order_state_t;

typedef struct order_t order_t;
struct order_t {
    order_t *next;
    deskorders_t *owner;
    order_state_t state;
    local_client_t *client;
    json_t *request; //  owned
    Patrol__Verb verb;
    uint64_t incident, into;          //  into: of a merge
    uint64_t based_on, into_based_on; //  0 = to be asked for
    command_id_t id;
    int64_t deadline_ms; //  monotonic
    uint32_t code;
    uint64_t version;
    int64_t at_ms;
    char detail [256];
};

struct deskorders_t {
    deskstore_t *store;
    deskoutbox_t *outbox;
    deskask_t *asks;
    order_t *orders;
};

deskorders_t *deskorders_new (deskstore_t *store, deskoutbox_t *outbox, deskask_t *asks)
{
    assert (store && outbox && asks);
    deskorders_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    *self = (deskorders_t){ .store = store, .outbox = outbox, .asks = asks };
    return self;
}

static void s_order_free (order_t *order)
{
    json_decref (order->request);
    free (order);
}

void deskorders_destroy (deskorders_t **self_p)
{
    assert (self_p);
    deskorders_t *self = *self_p;
    if (!self)
        return;
    while (self->orders) {
        order_t *order = self->orders;
        self->orders = order->next;
        s_order_free (order);
    }
    free (self);
    *self_p = NULL;
}

//  ---- verbs

static const struct {
    const char *name;
    Patrol__Verb verb;
    const char *status;
} s_verbs [] = {
    { "ack", PATROL__VERB__ACK, "acknowledged" },
    { "dispatch", PATROL__VERB__DISPATCH, "dispatched" },
    { "close", PATROL__VERB__CLOSE, "closed" },
    { "reopen", PATROL__VERB__REOPEN, "open" },
    { "place", PATROL__VERB__PLACE, NULL },
    { "merge", PATROL__VERB__MERGE, "merged" },
    { "split", PATROL__VERB__SPLIT, "split" },
};
#define VERBS (sizeof s_verbs / sizeof s_verbs [0])

static Patrol__Verb s_verb (const char *name)
{
    for (size_t i = 0; name && i < VERBS; i++)
        if (strcmp (s_verbs [i].name, name) == 0)
            return s_verbs [i].verb;
    return PATROL__VERB__VERB_NONE;
}

//  What is said of the incident after it; NULL = as before.
static const char *s_status (Patrol__Verb verb)
{
    for (size_t i = 0; i < VERBS; i++)
        if (s_verbs [i].verb == verb)
            return s_verbs [i].status;
    return NULL;
}

//  ---- telling the one who waits

static void s_end (order_t *order, int exit_code, const char *error)
{
    if (order->state == ORDER_OVER)
        return;
    order->state = ORDER_OVER;
    if (order->client)
        local_end (order->client, exit_code, error);
    order->client = NULL;
}

static void s_say (order_t *order, const char *state)
{
    char incident [14], at [32] = "";
    id64_format (incident, order->incident);
    json_t *object = json_pack ("{s:s, s:s}", "incident", incident, "state", state);
    if (order->state == ORDER_SETTLED) {
        if (s_status (order->verb))
            json_object_set_new (object, "status", json_string (s_status (order->verb)));
        json_object_set_new (object, "version", json_integer ((json_int_t)order->version));
        time_format_utc (at, order->at_ms);
        if (order->at_ms)
            json_object_set_new (object, "at", json_string (at));
    }
    local_send (order->client, json_pack ("{s:o}", "command", object));
}

static int s_exit_code (uint32_t code)
{
    if (code == PATROL__CODE__NOT_ALLOWED || code == PATROL__CODE__REVOKED)
        return EXIT_RIGHTS;
    return code == PATROL__CODE__NOT_FOUND ? EXIT_MISSING : EXIT_FAILED;
}

static void s_answer (order_t *order)
{
    char line [320];
    if (order->code == PATROL__CODE__OK) {
        if (order->client)
            s_say (order, "done");
        s_end (order, EXIT_DONE, NULL);
        return;
    }
    if (order->code == PATROL__CODE__STALE)
        snprintf (line, sizeof line, "%s%s%s", en_T_DESK_STALE, order->detail [0] ? ": " : "", order->detail);
    else if (order->detail [0])
        snprintf (line, sizeof line, "%s: %s", en_T_DESK_REFUSED, order->detail);
    else
        snprintf (line, sizeof line, "%s: code %u", en_T_DESK_REFUSED, (unsigned)order->code);
    s_end (order, s_exit_code (order->code), line);
}

//  ---- a new command

static ProtobufCBinaryData s_bytes (json_t *request, const char *key)
{
    json_t *value = json_object_get (request, key);
    return (ProtobufCBinaryData){ json_string_length (value), (uint8_t *)json_string_value (value) };
}

static void s_store (order_t *order, int64_t now_ms)
{
    Patrol__Command command = PATROL__COMMAND__INIT;
    json_t *at = json_object_get (order->request, "at");

    command.verb = order->verb;
    command.incident = order->incident;
    command.based_on = order->based_on;
    command.into = order->into;
    command.into_based_on = order->into_based_on;
    json_t *list = json_object_get (order->request, "tips");
    uint64_t tips [TIPS_MOST];
    for (size_t i = 0; i < json_array_size (list) && i < TIPS_MOST; i++) {
        const char *tip = json_string_value (json_array_get (list, i));
        if (tip && id64_parse (&tips [command.n_tips], tip, strlen (tip)) == 0)
            command.n_tips++;
    }
    command.tips = tips;
    command.officer = s_bytes (order->request, "officer");
    command.note = s_bytes (order->request, "note");
    command.answer = s_bytes (order->request, "answer");
    command.reason = s_bytes (order->request, "reason");
    if (json_array_size (at) == 2) {
        command.has_position = true;
        command.lat_e7 = (int32_t)json_integer_value (json_array_get (at, 0));
        command.lon_e7 = (int32_t)json_integer_value (json_array_get (at, 1));
    }
    //  half of it may be in the transaction: the turn's commit fails then, and this order is told so
    if (deskoutbox_add (order->owner->outbox, &command, now_ms, time_uptime_ms (), &order->id) == -1)
        deskstore_spoil (order->owner->store);
    order->state = ORDER_FRESH;
}

static void s_version (void *context, uint32_t code, const char *detail, uint64_t version);

//  Goes on when the versions of all incidents of the order are known.
static void s_go_on (order_t *order, int64_t now_ms, int64_t mono_ms)
{
    deskorders_t *self = order->owner;
    const char *officer = json_string_value (json_object_get (order->request, "officer"));
    if (!order->based_on)
        order->based_on = deskoutbox_version (self->outbox, order->incident);
    if (order->based_on && order->into && !order->into_based_on)
        order->into_based_on = deskoutbox_version (self->outbox, order->into);
    if (!order->based_on || (order->into && !order->into_based_on))
        deskask_version (self->asks, order->based_on ? order->into : order->incident, officer, s_version, order, mono_ms);
    else
        s_store (order, now_ms);
}

//  The broker has said what version an incident has that this desk does not know.
static void s_version (void *context, uint32_t code, const char *detail, uint64_t version)
{
    order_t *order = context;
    if (order->state != ORDER_ASKS)
        return;
    if (code != PATROL__CODE__OK)
        s_end (order, s_exit_code (code), detail ? detail : en_T_DESK_UNKNOWN_AWAY);
    else if (version == 0)
        s_end (order, EXIT_MISSING, en_T_DESK_UNKNOWN);
    else {
        *(order->based_on ? &order->into_based_on : &order->based_on) = version;
        s_go_on (order, time_now_ms (), time_mono_ms ());
    }
}

//  False with the client told.
static bool s_find_incident (order_t *order, const char *id, uint64_t *incident)
{
    switch (deskstore_find_incident (order->owner->store, id, incident)) {
    case INCIDENT_FOUND:
        return true;
    case INCIDENT_UNKNOWN:
        s_end (order, EXIT_MISSING, en_T_DESK_UNKNOWN_SUFFIX);
        return false;
    case INCIDENT_AMBIGUOUS:
        s_end (order, EXIT_FAILED, en_T_DESK_AMBIGUOUS);
        return false;
    case INCIDENT_MALFORMED:
        s_end (order, EXIT_USAGE, en_T_DESK_BAD_INCIDENT);
        return false;
    }
    return false;
}

static order_t *s_new (deskorders_t *self, local_client_t *client, json_t *request)
{
    order_t *order = calloc (1, sizeof *order);
    if (!order)
        abort ();
    order->owner = self;
    order->client = client;
    order->request = json_incref (request);
    order->verb = s_verb (json_string_value (json_object_get (request, "verb")));
    order->next = self->orders;
    self->orders = order;
    return order;
}

void deskorders_add (deskorders_t *self, local_client_t *client, json_t *request, int64_t now_ms, int64_t mono_ms)
{
    order_t *order = s_new (self, client, request);
    const char *id = json_string_value (json_object_get (request, "incident"));
    const char *officer = json_string_value (json_object_get (request, "officer"));

    order->deadline_ms = mono_ms + json_integer_value (json_object_get (request, "timeout_ms"));
    if (order->verb == PATROL__VERB__VERB_NONE || !id || !officer) {
        s_end (order, EXIT_USAGE, en_T_DESK_BAD_COMMAND);
        return;
    }
    const char *into = json_string_value (json_object_get (request, "into"));
    if (order->verb == PATROL__VERB__MERGE && !into) {
        s_end (order, EXIT_USAGE, en_T_DESK_BAD_COMMAND);
        return;
    }
    if (!s_find_incident (order, id, &order->incident)
        || (order->verb == PATROL__VERB__MERGE && !s_find_incident (order, into, &order->into)))
        return;
    if (order->verb == PATROL__VERB__MERGE && order->incident == order->into)
        s_end (order, EXIT_USAGE, en_T_DESK_SAME_INCIDENT);
    else
        s_go_on (order, now_ms, mono_ms);
}

void deskorders_gone (deskorders_t *self, local_client_t *client)
{
    for (order_t *order = self->orders; order; order = order->next)
        if (order->client == client) {
            order->client = NULL; //  what is kept is sent all the same
            if (order->state == ORDER_ASKS)
                order->state = ORDER_OVER;
        }
}

//  ---- receipts

static order_t *s_find (deskorders_t *self, uint64_t epoch, uint64_t counter)
{
    for (order_t *order = self->orders; order; order = order->next)
        if ((order->state == ORDER_FRESH || order->state == ORDER_KEPT) && order->id.epoch == epoch
            && order->id.counter == counter)
            return order;
    return NULL;
}

//  A command that was kept earlier and that nobody waits for any more was refused: the desk's journal says so.
static void s_refused_unseen (deskorders_t *self, const Patrol__Taken *taken)
{
    uint64_t number;
    char officer [65], incident [14];
    if (!deskoutbox_about (self->outbox, taken->epoch, taken->counter, &number, officer))
        return;
    id64_format (incident, number);
    fprintf (stderr, text_format (T_DESK_REFUSED_LATER), incident, officer,
        (int)(taken->detail.len < 250 ? taken->detail.len : 250), taken->detail.len ? (const char *)taken->detail.data : "");
}

int deskorders_receipt (deskorders_t *self, const Patrol__Taken *taken, int64_t now_ms)
{
    command_id_t anew;
    order_t *order = s_find (self, taken->epoch, taken->counter);
    switch (deskoutbox_settle (self->outbox, taken, now_ms, &anew)) {
    case SETTLED_NOT_OURS:
        return 0;
    case SETTLED_FAILED:
        return -1;
    case SETTLED_RESEALED:
        if (order)
            order->id = anew;
        return 0;
    case SETTLED_DONE:
        break;
    }
    if (taken->code != PATROL__CODE__OK && (!order || !order->client))
        s_refused_unseen (self, taken);
    if (!order)
        return 0;
    order->state = ORDER_SETTLED;
    order->code = taken->code;
    order->version = taken->version;
    order->at_ms = taken->at_ms;
    snprintf (order->detail, sizeof order->detail, "%.*s", (int)(taken->detail.len < 250 ? taken->detail.len : 250),
        taken->detail.len ? (const char *)taken->detail.data : "");
    return 0;
}

//  ---- the turn's end

void deskorders_undone (deskorders_t *self)
{
    for (order_t *order = self->orders; order; order = order->next) {
        if (order->state == ORDER_SETTLED)
            order->state = ORDER_KEPT; //  the broker says it again
        else if (order->state == ORDER_FRESH)
            s_end (order, EXIT_FAILED, en_T_DESK_NOT_KEPT);
    }
}

static void s_reap (deskorders_t *self)
{
    order_t **link = &self->orders;
    while (*link) {
        order_t *order = *link;
        bool unheard = !order->client && order->state != ORDER_ASKS && order->state != ORDER_FRESH;
        if (order->state == ORDER_OVER || unheard) {
            *link = order->next;
            deskask_forget (self->asks, order);
            s_order_free (order);
        } else
            link = &order->next;
    }
}

static void s_late (order_t *order, const char *reason)
{
    char line [320];
    s_say (order, "kept");
    snprintf (line, sizeof line, "%s%s%s", en_T_DESK_KEPT, reason ? ": " : "", reason ? reason : "");
    s_end (order, EXIT_LATER, line);
}

int64_t deskorders_pump (deskorders_t *self, const char *reason, int64_t mono_ms)
{
    int64_t next_ms = -1;
    for (order_t *order = self->orders; order; order = order->next) {
        if (order->state == ORDER_FRESH)
            order->state = ORDER_KEPT;
        if (order->state == ORDER_SETTLED)
            s_answer (order);
        else if (order->state == ORDER_KEPT && order->client) {
            int64_t left = order->deadline_ms - mono_ms;
            if (left <= 0)
                s_late (order, reason);
            else if (next_ms == -1 || left < next_ms)
                next_ms = left;
        }
    }
    s_reap (self);
    return next_ms;
}
