//  deskask - questions and their answers

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "deskask.h"
#include "itemjson.h"
#include "timefmt.h"

#define QUEUE_ENOUGH (256u * 1024u)
#define PAGE 200
#define LOCAL_PAGE 100
#define ATTACH_WAIT_MS 3000  //  then the local copy answers
#define RETURN_WAIT_MS 30000 //  a long answer waits this long for the broker to come back
#define ANSWER_WAIT_MS 30000
#define KINDS_IN_QUERY 16

typedef enum {
    ASK_WAITS, //  for the link, until the deadline
    ASK_NEXT,  //  the next page is to be asked for
    ASK_FLIES, //  asked, until the deadline
    ASK_HERE,  //  answered from the local copy
    ASK_OVER
} ask_state_t;

typedef struct ask_t ask_t;
struct ask_t {
    ask_t *next;
    ask_state_t state;
    local_client_t *client; //  NULL for the desk's own question
    json_t *request;        //  filters, owned
    Patrol__Ask what;
    uint64_t incident;
    uint32_t id; //  of the query in flight
    uint64_t cursor;
    int64_t deadline_ms;
    int64_t given;          //  lines
    bool page_begun;        //  some of the page in flight has been given
    uint64_t here_incident; //  where the local copy's answer stands
    int64_t here_id;
    deskask_version_fn *fn;
    void *context;
    uint64_t version;
};

struct deskask_t {
    deskstore_t *store; //  borrowed
    ask_t *asks;
    uint32_t last_id;
    uint64_t incarnation; //  of the answers
    lines_t lines;
};

deskask_t *deskask_new (deskstore_t *store)
{
    assert (store);
    deskask_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->store = store;
    return self;
}

static void s_ask_free (ask_t *ask)
{
    json_decref (ask->request);
    free (ask);
}

void deskask_destroy (deskask_t **self_p)
{
    assert (self_p);
    deskask_t *self = *self_p;
    if (!self)
        return;
    while (self->asks) {
        ask_t *ask = self->asks;
        self->asks = ask->next;
        s_ask_free (ask);
    }
    lines_clear (&self->lines);
    free (self);
    *self_p = NULL;
}

//  ---- the end of a question

static int s_exit_code (uint32_t code)
{
    if (code == PATROL__CODE__OK)
        return EXIT_DONE;
    if (code == PATROL__CODE__NOT_ALLOWED || code == PATROL__CODE__REVOKED)
        return EXIT_RIGHTS;
    return code == PATROL__CODE__NOT_FOUND ? EXIT_MISSING : EXIT_FAILED;
}

//  Freed by the next pump: callers may be walking the list.
static void s_end (ask_t *ask, uint32_t code, const char *why)
{
    if (ask->state == ASK_OVER)
        return;
    ask->state = ASK_OVER;
    if (ask->client)
        local_end (ask->client, s_exit_code (code), code == PATROL__CODE__OK ? NULL : why);
    if (ask->fn)
        ask->fn (ask->context, code, why, ask->version);
}

static const char *s_words (char out [256], const ProtobufCBinaryData *detail, uint32_t code)
{
    if (detail->len == 0)
        snprintf (out, 256, "%s: code %u", en_T_DESK_REFUSED, (unsigned)code);
    else
        snprintf (out, 256, "%s: %.*s", en_T_DESK_REFUSED, (int)(detail->len < 200 ? detail->len : 200),
            (const char *)detail->data);
    return out;
}

//  ---- a new question

static ask_t *s_new (deskask_t *self, Patrol__Ask what, json_t *request, int64_t mono_ms)
{
    ask_t *ask = calloc (1, sizeof *ask);
    if (!ask)
        abort ();
    ask->what = what;
    ask->request = json_incref (request);
    ask->state = ASK_WAITS;
    ask->deadline_ms = mono_ms + ATTACH_WAIT_MS;
    ask->next = self->asks;
    self->asks = ask;
    return ask;
}

static const char *s_string (json_t *request, const char *key)
{
    return json_string_value (json_object_get (request, key));
}

static Patrol__Ask s_what (const char *name)
{
    if (strcmp (name, "list") == 0)
        return PATROL__ASK__LIST;
    if (strcmp (name, "show") == 0)
        return PATROL__ASK__SHOW;
    if (strcmp (name, "stations") == 0)
        return PATROL__ASK__STATIONS;
    return PATROL__ASK__REPLAY;
}

//  Returns 0, or ends the client's request with why not.
static int s_find_incident (deskask_t *self, local_client_t *client, const char *id, uint64_t *incident)
{
    switch (deskstore_find_incident (self->store, id ? id : "", incident)) {
    case INCIDENT_FOUND:
        return 0;
    case INCIDENT_UNKNOWN:
        local_end (client, EXIT_MISSING, en_T_DESK_UNKNOWN_SUFFIX);
        return -1;
    case INCIDENT_AMBIGUOUS:
        local_end (client, EXIT_FAILED, en_T_DESK_AMBIGUOUS);
        return -1;
    case INCIDENT_MALFORMED:
        local_end (client, EXIT_USAGE, en_T_DESK_BAD_INCIDENT);
        return -1;
    }
    return -1;
}

void deskask_add (deskask_t *self, local_client_t *client, json_t *request, int64_t mono_ms)
{
    Patrol__Ask what = s_what (s_string (request, "do"));
    uint64_t incident = 0;
    if (what == PATROL__ASK__SHOW && s_find_incident (self, client, s_string (request, "incident"), &incident) == -1)
        return;
    ask_t *ask = s_new (self, what, request, mono_ms);
    ask->client = client;
    ask->incident = incident;
}

void deskask_version (
    deskask_t *self, uint64_t incident, const char *officer, deskask_version_fn *fn, void *context, int64_t mono_ms)
{
    json_t *request = json_pack ("{s:s*}", "officer", officer);
    ask_t *ask = s_new (self, PATROL__ASK__SHOW, request, mono_ms);
    json_decref (request);
    ask->incident = incident;
    ask->fn = fn;
    ask->context = context;
}

void deskask_gone (deskask_t *self, local_client_t *client)
{
    for (ask_t *ask = self->asks; ask; ask = ask->next)
        if (ask->client == client) {
            ask->client = NULL;
            ask->state = ASK_OVER;
        }
}

void deskask_forget (deskask_t *self, void *context)
{
    for (ask_t *ask = self->asks; ask; ask = ask->next)
        if (ask->fn && ask->context == context) {
            ask->fn = NULL;
            ask->state = ASK_OVER;
        }
}

//  ---- asking

static void s_set (ProtobufCBinaryData *field, const char *value)
{
    field->data = (uint8_t *)value;
    field->len = value ? strlen (value) : 0;
}

static void s_filters (Patrol__Query *query, json_t *request, ProtobufCBinaryData *kinds)
{
    json_t *list = json_object_get (request, "kinds"), *box = json_object_get (request, "box");
    s_set (&query->status, s_string (request, "status"));
    s_set (&query->station, s_string (request, "station"));
    s_set (&query->area, s_string (request, "area"));
    s_set (&query->officer, s_string (request, "officer"));
    query->from_ms = json_integer_value (json_object_get (request, "from_ms"));
    query->to_ms = json_integer_value (json_object_get (request, "to_ms"));
    for (size_t i = 0; i < json_array_size (list) && i < KINDS_IN_QUERY; i++)
        s_set (&kinds [query->n_kinds++], json_string_value (json_array_get (list, i)));
    query->kinds = kinds;
    if (json_array_size (box) == 4) {
        query->has_box = true;
        query->south_e7 = (int32_t)json_integer_value (json_array_get (box, 0));
        query->west_e7 = (int32_t)json_integer_value (json_array_get (box, 1));
        query->north_e7 = (int32_t)json_integer_value (json_array_get (box, 2));
        query->east_e7 = (int32_t)json_integer_value (json_array_get (box, 3));
    }
}

static bool s_send (deskask_t *self, session_t *session, ask_t *ask, int64_t mono_ms)
{
    ProtobufCBinaryData kinds [KINDS_IN_QUERY] = { { 0 } };
    Patrol__Query query = PATROL__QUERY__INIT;
    Patrol__Up up = PATROL__UP__INIT;

    query.id = ++self->last_id;
    query.ask = ask->what;
    query.incident = ask->incident;
    query.after = ask->cursor;
    query.limit = PAGE;
    s_filters (&query, ask->request, kinds);
    up.body_case = PATROL__UP__BODY_QUERY;
    up.query = &query;
    if (!session_up (session, &up))
        return false;
    ask->id = query.id;
    ask->state = ASK_FLIES;
    ask->page_begun = false;
    ask->deadline_ms = mono_ms + ANSWER_WAIT_MS;
    return true;
}

//  ---- the broker's answers

static void s_flush (deskask_t *self, ask_t *ask)
{
    if (self->lines.count && ask->client)
        local_send (ask->client, json_pack ("{s:s%}", "lines", self->lines.bytes, self->lines.used));
    ask->given += self->lines.count;
    lines_reset (&self->lines);
}

static bool s_is (const ProtobufCBinaryData *field, const char *word)
{
    return field->len == strlen (word) && memcmp (field->data, word, field->len) == 0;
}

//  A list without --status is of all that is not over.
static bool s_wanted (const ask_t *ask, const Patrol__Item *item)
{
    const char *status = s_string (ask->request, "status"), *station = s_string (ask->request, "station");
    if (ask->what != PATROL__ASK__LIST)
        return true;
    if (station && !s_is (&item->station, station))
        return false;
    if (status)
        return s_is (&item->status, status);
    return !s_is (&item->status, "closed") && !s_is (&item->status, "withdrawn")
        && !s_is (&item->status, "merged");
}

static ask_t *s_find (deskask_t *self, uint32_t id)
{
    for (ask_t *ask = self->asks; ask; ask = ask->next)
        if (ask->state == ASK_FLIES && ask->id == id)
            return ask;
    return NULL;
}

static void s_take (deskask_t *self, ask_t *ask, const Patrol__Answer *answer, uint64_t incarnation)
{
    lines_reset (&self->lines);
    for (size_t i = 0; i < answer->n_items; i++) {
        const Patrol__Item *item = answer->items [i];
        if (item->version > ask->version)
            ask->version = item->version;
        if (ask->client && s_wanted (ask, item))
            lines_item (&self->lines, incarnation, item, 0);
        if (self->lines.used >= LINES_BATCH)
            s_flush (self, ask);
    }
    for (size_t i = 0; i < answer->n_stations && ask->client; i++)
        lines_station (&self->lines, answer->stations [i]);
    s_flush (self, ask);
    if (answer->n_items || answer->n_stations)
        ask->page_begun = true;
}

void deskask_answer (deskask_t *self, const Patrol__Answer *answer, uint64_t incarnation)
{
    char words [256];
    ask_t *ask = s_find (self, answer->query);
    if (!ask)
        return; //  its client has left
    if (answer->code != PATROL__CODE__OK) {
        s_end (ask, answer->code, s_words (words, &answer->detail, answer->code));
        return;
    }
    s_take (self, ask, answer, incarnation);
    if (answer->more)
        return;
    if (answer->end)
        s_end (ask, PATROL__CODE__OK, NULL);
    else if (answer->cursor == ask->cursor)
        s_end (ask, PATROL__CODE__BAD_FRAME, en_T_DESK_BAD_ANSWER);
    else {
        ask->cursor = answer->cursor;
        ask->state = ASK_NEXT;
    }
}

void deskask_refusal (deskask_t *self, const Patrol__Refusal *refusal)
{
    char words [256];
    ask_t *ask = refusal->query ? s_find (self, refusal->query) : NULL;
    if (ask)
        s_end (ask, refusal->code, s_words (words, &refusal->detail, refusal->code));
}

void deskask_down (deskask_t *self, int64_t mono_ms)
{
    for (ask_t *ask = self->asks; ask; ask = ask->next) {
        if (ask->state != ASK_FLIES && ask->state != ASK_NEXT)
            continue;
        if (ask->state == ASK_FLIES && ask->page_begun && ask->client)
            s_end (ask, PATROL__CODE__BAD_FRAME, en_T_DESK_AWAY_IN_ANSWER);
        else {
            ask->state = ASK_WAITS;
            ask->deadline_ms = mono_ms + (ask->given ? RETURN_WAIT_MS : ATTACH_WAIT_MS);
        }
    }
}

//  ---- the local copy's answers

typedef struct {
    deskask_t *self;
    ask_t *ask;
} giving_t;

static bool s_give_here (void *context, int64_t id, uint64_t incarnation, const Patrol__Item *item)
{
    giving_t *giving = context;
    giving->ask->here_id = id;
    giving->ask->given++;
    if (s_wanted (giving->ask, item))
        lines_item (&giving->self->lines, incarnation, item, deskstore_as_of (giving->self->store));
    return giving->self->lines.used < LINES_BATCH;
}

//  One page; ends the question when there is no more.
static void s_here (deskask_t *self, ask_t *ask)
{
    giving_t giving = { self, ask };
    bool more;
    int64_t given = ask->given;

    lines_reset (&self->lines);
    if (ask->what == PATROL__ASK__SHOW) {
        int64_t after = ask->here_id;
        more = deskstore_read_incident (self->store, ask->incident, after, LOCAL_PAGE, s_give_here, &giving) > after;
    } else {
        uint64_t after = ask->here_incident;
        ask->here_incident = deskstore_read_incidents (self->store, after, LOCAL_PAGE, s_give_here, &giving);
        more = ask->here_incident != after;
    }
    if (self->lines.count)
        local_send (ask->client, json_pack ("{s:s%}", "lines", self->lines.bytes, self->lines.used));
    if (more)
        return;
    bool missing = ask->what == PATROL__ASK__SHOW && given == 0;
    s_end (ask, missing ? PATROL__CODE__NOT_FOUND : PATROL__CODE__OK, en_T_DESK_UNKNOWN_AWAY);
}

//  Not attached within the wait.
static void s_without_broker (deskask_t *self, ask_t *ask, session_t *session)
{
    char line [320], as_of [32];
    if (!ask->client) {
        s_end (ask, PATROL__CODE__NOT_FOUND, NULL);
        return;
    }
    if (ask->what == PATROL__ASK__STATIONS || ask->what == PATROL__ASK__REPLAY || ask->given) {
        snprintf (
            line, sizeof line, "%s: %s", en_T_DESK_NEEDS_BROKER, session ? session_reason (session) : en_T_DESK_DISK_FULL);
        s_end (ask, PATROL__CODE__BAD_FRAME, line);
        return;
    }
    ask->state = ASK_HERE;
    time_format_utc (as_of, deskstore_as_of (self->store));
    local_send (ask->client, json_pack ("{s:s}", "as_of", deskstore_as_of (self->store) ? as_of : ""));
}

//  ---- going on

static void s_reap (deskask_t *self)
{
    ask_t **link = &self->asks;
    while (*link) {
        ask_t *ask = *link;
        if (ask->state == ASK_OVER) {
            *link = ask->next;
            s_ask_free (ask);
        } else
            link = &ask->next;
    }
}

static void s_go_on (deskask_t *self, ask_t *ask, session_t *session, int64_t mono_ms)
{
    bool keeps_up = !ask->client || local_queued (ask->client) < QUEUE_ENOUGH;
    bool attached = session && session_attached (session);

    switch (ask->state) {
    case ASK_WAITS:
        if (attached)
            ask->state = ASK_NEXT;
        else if (mono_ms >= ask->deadline_ms)
            s_without_broker (self, ask, session);
        if (ask->state != ASK_NEXT)
            break;
        //  fall through
    case ASK_NEXT:
        if (keeps_up && attached)
            s_send (self, session, ask, mono_ms);
        break;
    case ASK_FLIES:
        if (mono_ms >= ask->deadline_ms)
            s_end (ask, PATROL__CODE__BAD_FRAME, en_T_DESK_NO_ANSWER);
        break;
    case ASK_HERE:
        if (keeps_up)
            s_here (self, ask);
        break;
    case ASK_OVER:
        break;
    }
}

int64_t deskask_pump (deskask_t *self, session_t *session, int64_t mono_ms)
{
    s_reap (self);
    for (ask_t *ask = self->asks; ask; ask = ask->next)
        s_go_on (self, ask, session, mono_ms);
    s_reap (self);
    return self->asks ? 50 : -1;
}
