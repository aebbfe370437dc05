//  commands - join, run, and what an officer does about an incident

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "commands.h"
#include "desk.h"
#include "device.h"
#include "geodesy.h"
#include "home.h"
#include "identity.h"
#include "itemline.h"
#include "reading.h"
#include "utf8.h"

#define JOIN_TIMEOUT_MS 30000

int verb_join (cli_t *cli)
{
    char **operands, *error = NULL;
    const char *home = cli_home (cli);
    cli_operands (cli, &operands);
    unsigned roles = 1u << PATROL__ROLE__DESK | 1u << PATROL__ROLE__COORDINATOR;
    int exit_code = device_join (home, operands [0], roles, JOIN_TIMEOUT_MS, &error);
    if (exit_code != EXIT_DONE)
        return reading_result (cli, exit_code, error);

    device_t *device = device_open (home);
    if (!device)
        return EXIT_FAILED;
    const credential_t *credential = device_credential (device);
    bool coordinator = credential->role == PATROL__ROLE__COORDINATOR;
    if (cli_json (cli)) {
        json_t *object
            = json_pack ("{s:s, s:s}", "role", coordinator ? "coordinator" : "desk", "station", credential->station);
        cli_print_json (object);
        json_decref (object);
    } else {
        printf (text_format (T_DESK_JOINED), text (coordinator ? T_DESK_ROLE_COORDINATOR : T_DESK_ROLE_DESK),
            credential->station [0] ? credential->station : device_endpoint (device));
        printf ("\n");
    }
    device_destroy (&device);
    return EXIT_DONE;
}

int verb_run (cli_t *cli)
{
    desk_options_t options = { .announce = true, .listen = true };
    return runner_run (cli_home (cli), desk_daemon, &options);
}

//  ---- acting on an incident

//  Adds an option's text to the request after checking it. -1 with an error line.
static int s_add_text (cli_t *cli, json_t *request, const char *option)
{
    const char *given = cli_text (cli, option);
    if (!given)
        return 0;
    utf8_verdict_t verdict = utf8_check ((const uint8_t *)given, strlen (given), TEXT_MAX, true);
    if (verdict != UTF8_OK) {
        cli_usage_error (cli, text_format (T_DESK_BAD_TEXT), option, utf8_words (verdict), (int)TEXT_MAX);
        return -1;
    }
    return json_object_set_new (request, option, json_string (given));
}

static int s_add_reason (cli_t *cli, json_t *request)
{
    const char *given = cli_text (cli, "reason");
    if (!given)
        return 0;
    size_t size = strlen (given);
    if (size == 0 || size > 32 || strspn (given, "abcdefghijklmnopqrstuvwxyz0123456789-") != size) {
        char clean [128];
        cli_usage_error (cli, text_format (T_DESK_BAD_REASON), itemline_clean (given, clean, sizeof clean));
        return -1;
    }
    return json_object_set_new (request, "reason", json_string (given));
}

static int s_add_position (cli_t *cli, json_t *request)
{
    const char *given = cli_text (cli, "at"), *reason = NULL;
    position_t position;
    if (!given) {
        cli_usage_error (cli, "%s", text (T_DESK_NO_POSITION));
        return -1;
    }
    if (position_parse (&position, given, &reason)) {
        cli_usage_error (cli, text_format (T_DESK_BAD_POSITION), given, reason);
        return -1;
    }
    return json_object_set_new (
        request, "at", json_pack ("[i, i]", degrees_to_e7 (position.lat), degrees_to_e7 (position.lon)));
}

//  The operands after INCIDENT: INTO, or the tips that leave. -1 with an error line.
static int s_add_rest (cli_t *cli, json_t *request, const char *verb, char **operands, int count)
{
    if (strcmp (verb, "merge") == 0)
        return json_object_set_new (request, "into", json_string (operands [1]));
    if (strcmp (verb, "split") != 0)
        return 0;
    json_t *tips = json_array ();
    json_object_set_new (request, "tips", tips);
    for (int i = 1; i < count; i++) {
        uint64_t number;
        char id [14], clean [128];
        bool good = id64_parse (&number, operands [i], strlen (operands [i])) == 0;
        if (good)
            id64_format (id, number);
        for (size_t k = 0; good && k < json_array_size (tips); k++)
            good = strcmp (json_string_value (json_array_get (tips, k)), id) != 0;
        if (!good) {
            cli_usage_error (cli, text_format (T_DESK_BAD_TIP), itemline_clean (operands [i], clean, sizeof clean));
            return -1;
        }
        json_array_append_new (tips, json_string (id));
    }
    return 0;
}

static json_t *s_request (cli_t *cli, const char *verb)
{
    const char *officer;
    char **operands;
    int seconds;

    int count = cli_operands (cli, &operands);
    if (reading_officer (cli, &officer) == -1 || reading_number (cli, "timeout", 10, 0, 86400, &seconds) == -1)
        return NULL;
    if (!officer) {
        cli_usage_error (cli, "%s", text (T_DESK_NO_OFFICER));
        return NULL;
    }
    json_t *request = json_pack ("{s:s, s:s, s:s, s:s, s:I}", "do", "command", "verb", verb, "incident", operands [0],
        "officer", officer, "timeout_ms", (json_int_t)seconds * 1000);
    if (!request) {
        cli_usage_error (cli, "%s", text (T_DESK_BAD_INCIDENT)); //  the operand is not even UTF-8
        return NULL;
    }
    bool place = strcmp (verb, "place") == 0;
    bool tips = strcmp (verb, "merge") == 0 || strcmp (verb, "split") == 0;
    if (s_add_rest (cli, request, verb, operands, count) == -1 || s_add_text (cli, request, "note") == -1
        || (!place && s_add_text (cli, request, "answer") == -1) || (!place && !tips && s_add_reason (cli, request) == -1)
        || (place && s_add_position (cli, request) == -1)) {
        json_decref (request);
        return NULL;
    }
    return request;
}

static bool s_answer (void *context, json_t *object)
{
    cli_t *cli = context;
    json_t *command = json_object_get (object, "command");
    if (!command)
        return true;
    if (cli_json (cli)) {
        cli_print_json (command);
        return true;
    }
    const char *state = json_string_value (json_object_get (command, "state"));
    if (!state || strcmp (state, "done") != 0)
        return true; //  kept: the error line says so
    bool has_status = json_is_string (json_object_get (command, "status"));
    char version [24];
    snprintf (version, sizeof version, "%" JSON_INTEGER_FORMAT, json_integer_value (json_object_get (command, "version")));
    printf (text_format (T_DESK_DONE), json_string_value (json_object_get (command, "incident")),
        has_status ? itemline_status (command) : text (T_DESK_PLACED), version);
    printf ("\n");
    return true;
}

static int s_act (cli_t *cli, const char *verb)
{
    desk_options_t options = { 0 };
    char *error = NULL;
    json_t *request = s_request (cli, verb);
    if (!request)
        return EXIT_USAGE;
    int exit_code = runner_ask (cli_home (cli), desk_daemon, &options, request, s_answer, cli, &error);
    return reading_result (cli, exit_code, error);
}

int verb_ack (cli_t *cli)
{
    return s_act (cli, "ack");
}

int verb_dispatch (cli_t *cli)
{
    return s_act (cli, "dispatch");
}

int verb_close (cli_t *cli)
{
    return s_act (cli, "close");
}

int verb_reopen (cli_t *cli)
{
    return s_act (cli, "reopen");
}

int verb_place (cli_t *cli)
{
    return s_act (cli, "place");
}

int verb_merge (cli_t *cli)
{
    return s_act (cli, "merge");
}

int verb_split (cli_t *cli)
{
    return s_act (cli, "split");
}
