//  nodeverbs - the commands of patrol-node, on the person's side: ask the daemon of the home, print what it says
//
//  status and inbox are in statusview.c, import in import.c.

#include "nodeverbs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "device.h"
#include "draft.h"
#include "home.h"
#include "utf8.h"
#include "meshtarget.h"

#define JOIN_TIMEOUT_MS 30000
#define WAIT_SECONDS 60
#define TIMEOUT_MAX_S 86400

int node_ask (cli_t *cli, json_t *request, bool link, local_answer_fn *answer, void *context)
{
    node_options_t options = { .network = link ? NODE_LINK : NODE_ONE_COMMAND };
    char *error = NULL;
    if (home_check (cli_home (cli), false)) {
        json_decref (request);
        return EXIT_FAILED;
    }
    json_object_set_new (request, "lang", json_string (catalogue_lang () == LANG_ZH ? "zh" : "en"));
    int rc = runner_ask (cli_home (cli), node_daemon, &options, request, answer, context, &error);
    if (error)
        cli_error (cli, rc, "%s", error);
    free (error);
    return rc;
}

//  ---- join and run

static int s_join (cli_t *cli)
{
    char **operands;
    char *error = NULL;
    cli_operands (cli, &operands);
    const char *home = cli_home (cli);
    if (home_check (home, true))
        return EXIT_FAILED;
    int rc = device_join (home, operands [0], 1u << PATROL__ROLE__NODE, JOIN_TIMEOUT_MS, &error);
    if (rc != EXIT_DONE)
        cli_error (cli, rc, "%s", error ? error : "");
    else if (cli_json (cli)) {
        json_t *object = json_pack ("{s:b, s:s}", "joined", 1, "home", home);
        cli_print_json (object);
        json_decref (object);
    } else
        printf (text_format (T_JOINED), home, home);
    free (error);
    return rc;
}

//  Beacons unless they are not wanted; without them only who listens or calls somebody has a mesh.
static int s_mesh_options (cli_t *cli, node_options_t *options)
{
    const char **peers = NULL, *listen = cli_text (cli, "listen");
    int count = cli_list (cli, "peer", &peers);
    if (listen && (strncmp (listen, "tcp://", 6) != 0 || !strrchr (listen + 6, ':')))
        return cli_usage_error (cli, text_format (T_ASK_LISTEN), listen);
    if (count > MESHLINKS_PEERS_MAX)
        return cli_usage_error (cli, text_format (T_ASK_PEERS), MESHLINKS_PEERS_MAX);
    for (int i = 0; i < count; i++)
        if (!meshtarget_ok (peers [i]))
            return cli_usage_error (cli, text_format (T_ASK_PEER), peers [i]);
    options->links = (meshlinks_options_t){ .listen = listen,
        .peers = peers,
        .peer_count = count,
        .beacon = !cli_flag (cli, "no-beacon"),
        .loopback = cli_flag (cli, "loopback") };
    options->mesh = options->links.beacon || listen || count > 0;
    return EXIT_DONE;
}

static int s_run (cli_t *cli)
{
    node_options_t options = { .network = cli_flag (cli, "no-broker") ? NODE_NO_LINK : NODE_LINK };
    const char *gpsd = cli_text (cli, "gpsd");
    int rc = s_mesh_options (cli, &options);
    if (rc != EXIT_DONE)
        return rc;
    if (home_check (cli_home (cli), false))
        return EXIT_FAILED;
    if (gpsd && !(options.gpsd = gpsd_new (gpsd)))
        return cli_usage_error (cli, text_format (T_ASK_GPSD), gpsd);
    rc = runner_run (cli_home (cli), node_daemon, &options);
    gpsd_destroy (&options.gpsd);
    return rc;
}

//  ---- tip and sos

typedef struct {
    cli_t *cli;
} printing_t;

//  With --wait there are two answers: kept, then how far it came. A script wants the last one only.
static bool s_print_kept (void *context, json_t *object)
{
    printing_t *printing = context;
    bool waiting = json_object_get (object, "waiting") != NULL;
    if (cli_json (printing->cli)) {
        if (!waiting)
            cli_print_json (object);
        return true;
    }
    const char *tip = json_string_value (json_object_get (object, "tip"));
    const char *state = json_string_value (json_object_get (object, "state"));
    printf ("%s  %s%s\n", tip ? tip : "", state_label (state ? state : ""),
        json_is_true (json_object_get (object, "withdrawing")) ? text (T_KEPT_WITHDRAWING) : "");
    fflush (stdout);
    return true;
}

static int s_timeout (cli_t *cli, json_t *request)
{
    const char *given = cli_text (cli, "timeout");
    char *end = NULL;
    errno = 0;
    long seconds = given ? strtol (given, &end, 10) : WAIT_SECONDS;
    if (given && (*end || end == given || errno || seconds < 0 || seconds > TIMEOUT_MAX_S))
        return cli_usage_error (cli, text_format (T_ASK_TIMEOUT), given);
    json_object_set_new (request, "timeout", json_integer (seconds));
    return EXIT_DONE;
}

//  Puts an option or operand into the tip; JSON takes only UTF-8, and the daemon's line only so much.
static int s_put (cli_t *cli, json_t *tip, const char *key, const char *value)
{
    char error [DRAFT_ERROR_ROOM];
    size_t max = !strcmp (key, "place") ? PLACE_MAX : TEXT_MAX;
    if (!value)
        return EXIT_DONE;
    if (draft_check_text (key, value, max, true, error))
        return cli_usage_error (cli, "%s", error);
    json_object_set_new (tip, key, json_string (value));
    return EXIT_DONE;
}

static int s_fill_tip (cli_t *cli, json_t *tip, const char *const *keys)
{
    char **operands;
    int rc = EXIT_DONE;
    for (; *keys && rc == EXIT_DONE; keys++)
        rc = s_put (cli, tip, *keys, cli_text (cli, *keys));
    if (rc == EXIT_DONE && cli_operands (cli, &operands) > 0)
        rc = s_put (cli, tip, "text", operands [0]);
    if (cli_flag (cli, "anonymous"))
        json_object_set_new (tip, "anonymous", json_true ());
    return rc;
}

static int s_send_tip (cli_t *cli, json_t *tip, const char *const *keys)
{
    printing_t printing = { .cli = cli };
    json_t *request = json_pack ("{s:s, s:o}", "do", "tip", "tip", tip);
    const char *wait = cli_text (cli, "wait");
    if (wait && json_object_set_new (request, "wait", json_string (wait))) {
        json_decref (request);
        return cli_usage_error (cli, text_format (T_ASK_STATE), "?");
    }
    int rc = s_fill_tip (cli, tip, keys);
    if (rc == EXIT_DONE)
        rc = s_timeout (cli, request);
    if (rc != EXIT_DONE) {
        json_decref (request);
        return rc;
    }
    return node_ask (cli, request, wait && strcmp (wait, "held"), s_print_kept, &printing);
}

static int s_tip (cli_t *cli)
{
    static const char *const keys [] = { "kind", "severity", "at", "datum", "accuracy", "place", "seen", "follows", NULL };
    return s_send_tip (cli, json_object (), keys);
}

static int s_sos (cli_t *cli)
{
    static const char *const keys [] = { "at", "datum", "accuracy", "place", NULL };
    printing_t printing = { .cli = cli };
    if (cli_flag (cli, "cancel"))
        return node_ask (cli, json_pack ("{s:s}", "do", "cancel"), false, s_print_kept, &printing);
    return s_send_tip (cli, json_pack ("{s:s}", "kind", "sos"), keys);
}

static int s_withdraw (cli_t *cli)
{
    char **operands;
    printing_t printing = { .cli = cli };
    cli_operands (cli, &operands);
    json_t *id = json_string (operands [0]);
    if (!id)
        return cli_error (cli, EXIT_MISSING, text_format (T_ASK_NO_TIP), "?");
    return node_ask (cli, json_pack ("{s:s, s:o}", "do", "withdraw", "tip", id), false, s_print_kept, &printing);
}

//  ---- the table

static const option_spec_t s_run_options []
    = { { "listen", ARG_TEXT, "tcp://*:PORT", T_OPT_LISTEN }, { "peer", ARG_LIST, "tcp://ADDRESS:PORT", T_OPT_PEER },
          { "no-beacon", ARG_FLAG, NULL, T_OPT_NO_BEACON }, { "loopback", ARG_FLAG, NULL, T_OPT_LOOPBACK },
          { "no-broker", ARG_FLAG, NULL, T_OPT_NO_BROKER }, { "gpsd", ARG_TEXT, "HOST:PORT", T_OPT_GPSD }, { NULL } };

#define POSITION_OPTIONS                                                                             \
    { "at", ARG_TEXT, "LAT,LON", T_OPT_AT }, { "datum", ARG_TEXT, "wgs84|gcj02|bd09", T_OPT_DATUM }, \
        { "accuracy", ARG_TEXT, "M", T_OPT_ACCURACY },                                               \
    {                                                                                                \
        "place", ARG_TEXT, "TEXT", T_OPT_PLACE                                                       \
    }
#define WAIT_OPTIONS                            \
    { "wait", ARG_TEXT, "STATE", T_OPT_WAIT },  \
    {                                           \
        "timeout", ARG_TEXT, "S", T_OPT_TIMEOUT \
    }

static const option_spec_t s_tip_options []
    = { { "kind", ARG_TEXT, "KIND", T_OPT_KIND }, { "severity", ARG_TEXT, "blue|yellow|red", T_OPT_SEVERITY },
          POSITION_OPTIONS, { "seen", ARG_TEXT, "T", T_OPT_SEEN }, { "anonymous", ARG_FLAG, NULL, T_OPT_ANONYMOUS },
          { "follows", ARG_TEXT, "TIP", T_OPT_FOLLOWS }, WAIT_OPTIONS, { NULL } };

static const option_spec_t s_sos_options []
    = { POSITION_OPTIONS, { "cancel", ARG_FLAG, NULL, T_OPT_CANCEL }, WAIT_OPTIONS, { NULL } };

static const option_spec_t s_import_options [] = { { "again", ARG_FLAG, NULL, T_OPT_AGAIN }, { NULL } };

const verb_spec_t node_verbs [] = { { "join", "INVITATION", 1, 1, T_VERB_JOIN, NULL, s_join },
    { "run", "", 0, 0, T_VERB_RUN, s_run_options, s_run }, { "tip", "TEXT", 1, 1, T_VERB_TIP, s_tip_options, s_tip },
    { "sos", "[TEXT]", 0, 1, T_VERB_SOS, s_sos_options, s_sos },
    { "withdraw", "TIP", 1, 1, T_VERB_WITHDRAW, NULL, s_withdraw },
    { "import", "FILE.jsonl", 1, 1, T_VERB_IMPORT, s_import_options, verb_import },
    { "status", "[TIP]", 0, 1, T_VERB_STATUS, NULL, verb_status }, { "inbox", "", 0, 0, T_VERB_INBOX, NULL, verb_inbox },
    { "mesh", "", 0, 0, T_VERB_MESH, NULL, verb_mesh }, { NULL } };
