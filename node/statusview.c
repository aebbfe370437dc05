//  statusview - patrol-node status and inbox: each tip, how far it is, and why it is stuck where it is

#include "nodeverbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "timefmt.h"

#define STUCK_ROOM 512

typedef struct {
    cli_t *cli;
    json_t *summary; //  comes first: the link, the clock
    table_t *table;  //  for people; NULL until the first tip
    int told;
} view_t;

static const char *s_string (const json_t *object, const char *key)
{
    const char *value = json_string_value (json_object_get (object, key));
    return value ? value : "";
}

const char *state_label (const char *state)
{
    static const struct {
        const char *name;
        text_id_t label;
    } labels [] = { { "held", T_STATE_HELD }, { "carried", T_STATE_CARRIED }, { "accepted", T_STATE_ACCEPTED }, { "delivered", T_STATE_DELIVERED },
        { "acknowledged", T_STATE_ACKNOWLEDGED }, { "dispatched", T_STATE_DISPATCHED }, { "closed", T_STATE_CLOSED },
        { "refused", T_STATE_REFUSED }, { "withdrawn", T_STATE_WITHDRAWN } };
    for (size_t index = 0; index < sizeof labels / sizeof *labels; index++)
        if (!strcmp (labels [index].name, state))
            return text (labels [index].label);
    return state;
}

//  RFC 3339 as the daemon says it, in local time for people.
static const char *s_local_time (const char *utc, char out [40])
{
    int64_t ms;
    out [0] = 0;
    if (*utc && time_parse (&ms, utc, 0) == 0)
        time_format_local (out, ms);
    return out;
}

//  ---- why it is stuck

static void s_why_held (const json_t *summary, char out [STUCK_ROOM])
{
    const char *link = s_string (summary, "link"), *refusal = s_string (summary, "refusal");
    int64_t link_ms = json_integer_value (json_object_get (summary, "link_ms"));
    char since [40];
    if (!strcmp (link, "up") && *refusal)
        snprintf (out, STUCK_ROOM, text_format (T_STUCK_REFUSAL), refusal);
    else if (!strcmp (link, "up"))
        snprintf (out, STUCK_ROOM, "%s", text (T_STUCK_SENDING));
    else if (!strcmp (link, "off"))
        snprintf (out, STUCK_ROOM, "%s", text (T_STUCK_OFF));
    else if (!strcmp (link, "none"))
        snprintf (out, STUCK_ROOM, "%s", text (T_STUCK_NO_DAEMON));
    else if (link_ms == 0)
        snprintf (out, STUCK_ROOM, text_format (T_STUCK_NEVER), s_string (summary, "reason"));
    else {
        time_format_local (since, link_ms);
        snprintf (out, STUCK_ROOM, text_format (T_STUCK_DOWN), since, s_string (summary, "reason"));
    }
}

//  "" when nothing keeps it.
static void s_why (const json_t *summary, const json_t *tip, char out [STUCK_ROOM])
{
    const char *state = s_string (tip, "state");
    char since [40];
    out [0] = 0;
    if (!strcmp (state, "held") || !strcmp (state, "carried"))
        s_why_held (summary, out);
    else if (*s_string (tip, "no_desk_since"))
        snprintf (out, STUCK_ROOM, text_format (T_STUCK_NO_DESK), s_string (tip, "station"),
            s_local_time (s_string (tip, "no_desk_since"), since));
    else if (*s_string (tip, "code"))
        snprintf (out, STUCK_ROOM, "%s %s", s_string (tip, "code"), s_string (tip, "detail"));
    if (!json_is_true (json_object_get (tip, "withdrawing")))
        return;
    size_t used = strlen (out);
    snprintf (out + used, STUCK_ROOM - used, "%s%s", used ? "; " : "", text (T_STUCK_WITHDRAWING));
}

//  ---- printing

static void s_table_row (view_t *view, const json_t *tip, const char *why)
{
    static const text_id_t headings []
        = { T_HEAD_TIP, T_HEAD_STATE, T_HEAD_SINCE, T_HEAD_KIND, T_HEAD_STATION, T_HEAD_BY, T_HEAD_NOTE };
    char since [40];
    if (!view->table)
        view->table = table_new (view->cli, headings, 7);
    const char *cells []
        = { s_string (tip, "tip"), state_label (s_string (tip, "state")), s_local_time (s_string (tip, "since"), since),
              s_string (tip, "kind"), s_string (tip, "station"), s_string (tip, "by"), why };
    table_row (view->table, cells);
}

static void s_print_history (const json_t *tip)
{
    size_t index;
    json_t *change;
    json_array_foreach (json_object_get (tip, "history"), index, change)
    {
        char at [40];
        printf ("  %s  %s", s_local_time (s_string (change, "at"), at), state_label (s_string (change, "state")));
        static const char *const keys [] = { "by", "station", "detail" };
        for (int key = 0; key < 3; key++)
            if (*s_string (change, keys [key]))
                printf ("  %s", s_string (change, keys [key]));
        printf ("\n");
    }
}

static void s_print_one (const json_t *tip, const char *why)
{
    printf ("%s  %s  %s  %s\n", s_string (tip, "tip"), state_label (s_string (tip, "state")), s_string (tip, "kind"),
        s_string (tip, "severity"));
    if (*s_string (tip, "resent_as"))
        printf (text_format (T_STATUS_RESENT), s_string (tip, "resent_as"));
    if (*s_string (tip, "text"))
        printf ("  %s\n", s_string (tip, "text"));
    s_print_history (tip);
    if (*why)
        printf ("  %s\n", why);
}

static bool s_tip (void *context, json_t *object)
{
    view_t *view = context;
    char why [STUCK_ROOM];
    if (json_object_get (object, "summary")) {
        view->summary = json_incref (object);
        return true;
    }
    view->told++;
    s_why (view->summary, object, why);
    if (cli_json (view->cli)) {
        if (*why)
            json_object_set_new (object, "stuck", json_string (why));
        json_t *offset = json_object_get (view->summary, "clock_offset_ms");
        if (offset)
            json_object_set (object, "clock_offset_ms", offset);
        cli_print_json (object);
    } else if (json_object_get (object, "history"))
        s_print_one (object, why);
    else
        s_table_row (view, object, why);
    return true;
}

static void s_print_clock (const json_t *summary)
{
    int64_t offset = json_integer_value (json_object_get (summary, "clock_offset_ms"));
    char words [24];
    if (offset == 0)
        return;
    duration_format (words, llabs (offset));
    if (offset > 0)
        printf (text_format (T_CLOCK_AHEAD), words);
    else
        printf (text_format (T_CLOCK_BEHIND), words);
}

int verb_status (cli_t *cli)
{
    view_t view = { .cli = cli };
    char **operands;
    json_t *request = json_pack ("{s:s}", "do", "status");
    if (cli_operands (cli, &operands) > 0 && json_object_set_new (request, "tip", json_string (operands [0]))) {
        json_decref (request);
        return cli_error (cli, EXIT_MISSING, text_format (T_ASK_NO_TIP), "?");
    }
    int rc = node_ask (cli, request, false, s_tip, &view);
    if (rc == EXIT_DONE && !cli_json (cli)) {
        if (view.table)
            table_print (&view.table);
        if (view.told == 0)
            printf ("%s\n", text (T_STATUS_NONE));
        s_print_clock (view.summary);
    }
    json_decref (view.summary);
    return rc;
}

//  ---- inbox

static bool s_item (void *context, json_t *object)
{
    static const text_id_t headings [] = { T_HEAD_AT, T_HEAD_TIP, T_HEAD_STATUS, T_HEAD_BY, T_HEAD_STATION, T_HEAD_ANSWER };
    view_t *view = context;
    view->told++;
    if (cli_json (view->cli)) {
        cli_print_json (object);
        return true;
    }
    char at [40];
    if (!view->table)
        view->table = table_new (view->cli, headings, 6);
    const char *status = s_string (object, "status");
    const char *cells [] = { s_local_time (s_string (object, "at"), at), s_string (object, "tip"),
        *status ? state_label (status) : s_string (object, "type"), s_string (object, "by"), s_string (object, "station"),
        s_string (object, "answer") };
    table_row (view->table, cells);
    return true;
}

int verb_inbox (cli_t *cli)
{
    view_t view = { .cli = cli };
    int rc = node_ask (cli, json_pack ("{s:s}", "do", "inbox"), false, s_item, &view);
    if (rc == EXIT_DONE && !cli_json (cli)) {
        if (view.table)
            table_print (&view.table);
        if (view.told == 0)
            printf ("%s\n", text (T_INBOX_NONE));
    }
    return rc;
}
