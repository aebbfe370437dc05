//  verbs - from the command line to a request to the core, and from its answers to tables

#include "verbs.h"

#include <errno.h>
#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "areaverbs.h"
#include "backup.h"
#include "core.h"
#include "front.h"
#include "setup.h"
#include "supervisor.h"
#include "timefmt.h"
#include "utf8.h"

//  ---- talking to the core

typedef struct {
    cli_t *cli;
    table_t *table;
    void (*row) (table_t *table, json_t *object);
    bool qr;
    json_t *last; //  kept for who asks with `keep`, the caller's
    bool keep;
} show_t;

static const char *s_str (json_t *object, const char *key)
{
    const char *value = json_string_value (json_object_get (object, key));
    return value ? value : "";
}

static bool s_show (void *context, json_t *object)
{
    show_t *show = context;
    const char *fault = json_string_value (json_object_get (object, "fault"));
    if (fault && !cli_json (show->cli))
        areaverbs_print_fault (fault, json_integer_value (json_object_get (object, "feature")), s_str (object, "station"),
            s_str (object, "text"));
    else if (cli_json (show->cli))
        cli_print_json (object);
    else if (show->row)
        show->row (show->table, object);
    if (show->keep) {
        json_decref (show->last);
        show->last = json_incref (object);
    }
    return true;
}

//  Sends a request and shows the answers: JSON lines, or rows of a table.
static int s_ask (cli_t *cli, json_t *request, show_t *show)
{
    char *error = NULL;
    show->cli = cli;
    int rc = runner_ask (cli_home (cli), core_run, NULL, request, s_show, show, &error);
    if (show->table)
        table_print (&show->table);
    //  without a line of its own, the core in this process has said why
    if (rc && error)
        cli_error (cli, rc, "%s", error);
    free (error);
    return rc;
}

static json_t *s_map_request (cli_t *cli, const char *what, const char *file)
{
    char *path = realpath (file, NULL);
    json_t *request = json_pack ("{s:s, s:s, s:s}", "do", what, "file", path ? path : file, "datum",
        cli_text (cli, "datum") ? cli_text (cli, "datum") : "wgs84");
    free (path);
    return request;
}

//  ---- init

static void s_no_row (table_t *table, json_t *object)
{
    (void)table;
    (void)object;
}

static int s_load_one (cli_t *cli, const char *home, const char *what, const char *file)
{
    char *error = NULL;
    show_t show = { .cli = cli, .row = s_no_row };
    int rc = runner_ask (home, core_run, NULL, s_map_request (cli, what, file), s_show, &show, &error);
    //  without a line of its own, the core in this process has said why
    if (rc && error)
        cli_error (cli, rc, "%s", error);
    free (error);
    return rc;
}

static int s_init (cli_t *cli)
{
    char **operands, *authority = NULL;
    cli_operands (cli, &operands);
    setup_t setup = { .home = operands [0],
        .name = cli_text (cli, "name"),
        .listen = cli_text (cli, "listen"),
        .endpoint = cli_text (cli, "endpoint"),
        .authority = cli_text (cli, "authority") };
    if (!setup.name)
        return cli_usage_error (cli, "--name NAME is needed");
    if (!setup.listen)
        setup.listen = "tcp://127.0.0.1:7410";
    areas_t *areas = NULL;
    //  A file with faults makes no home.
    if (cli_text (cli, "areas") && areaverbs_load (cli, cli_text (cli, "areas"), &areas))
        return EXIT_FAILED;
    areas_destroy (&areas);
    if (setup_make (&setup, &authority)) {
        free (authority);
        return EXIT_FAILED;
    }
    const char *files [][2] = { { "kinds load", cli_text (cli, "kinds") }, { "areas load", cli_text (cli, "areas") },
        { "places load", cli_text (cli, "places") } };
    int rc = EXIT_DONE;
    for (int i = 0; i < 3 && rc == EXIT_DONE; i++)
        if (files [i][1])
            rc = s_load_one (cli, setup.home, files [i][0], files [i][1]);
    if (rc == EXIT_DONE && cli_json (cli)) {
        json_t *line = json_pack (
            "{s:s, s:s, s:s, s:s}", "home", setup.home, "name", setup.name, "listen", setup.listen, "authority", authority);
        cli_print_json (line);
        json_decref (line);
    } else if (rc == EXIT_DONE) {
        printf (text_format (T_BROKER_INIT_DONE), setup.home, setup.name, setup.listen);
        printf (text_format (T_BROKER_INIT_AUTHORITY), authority);
    }
    free (authority);
    return rc;
}

//  ---- run

static int s_run (cli_t *cli)
{
    settings_t *settings = settings_load (cli_home (cli), setup_specs);
    if (!settings)
        return EXIT_FAILED;
    int rc = supervisor_run (cli_home (cli), settings_text (settings, "listen"), settings_text (settings, "name"));
    settings_destroy (&settings);
    return rc;
}

static const char *s_argument (int argc, char **argv, const char *name)
{
    for (int i = 2; i + 1 < argc; i++)
        if (strcmp (argv [i], name) == 0)
            return argv [i + 1];
    return NULL;
}

bool verbs_child (int argc, char **argv, int *rc)
{
    const char *home = s_argument (argc, argv, "--home"), *life = s_argument (argc, argv, "--life-fd");
    int life_fd = life ? (int)strtol (life, NULL, 10) : -1;
    if (argc < 2 || !home)
        return false;
    if (strcmp (argv [1], "core") == 0) {
        core_options_t options = { .with_front = true, .life_fd = life_fd };
        *rc = runner_run (home, core_run, &options);
        return true;
    }
    if (strcmp (argv [1], "front") == 0 && s_argument (argc, argv, "--listen")) {
        *rc = front_run (home, s_argument (argc, argv, "--listen"), life_fd);
        return true;
    }
    return false;
}

//  ---- members

#define CLOCK_OFF_S 60 //  a clock that is off by more is shown in the table

static void s_print_qr (const char *line)
{
    QRcode *code = QRcode_encodeString8bit (line, 0, QR_ECLEVEL_L);
    if (!code) {
        fprintf (stderr, "patrol-broker: the QR code cannot be made: %s\n", strerror (errno));
        return;
    }
    //  Two modules a character cell, light on dark and a quiet zone of two modules, as phones expect.
    for (int y = -2; y < code->width + 2; y += 2) {
        for (int x = -2; x < code->width + 2; x++) {
            bool in = x >= 0 && x < code->width;
            bool top = in && y >= 0 && y < code->width && (code->data [y * code->width + x] & 1);
            bool bottom = in && y + 1 >= 0 && y + 1 < code->width && (code->data [(y + 1) * code->width + x] & 1);
            fputs (top ? (bottom ? " " : "▄") : (bottom ? "▀" : "█"), stdout);
        }
        putchar ('\n');
    }
    QRcode_free (code);
}

static bool s_show_invitation (void *context, json_t *object)
{
    show_t *show = context;
    if (cli_json (show->cli))
        cli_print_json (object);
    else {
        puts (s_str (object, "invitation"));
        if (show->qr)
            s_print_qr (s_str (object, "invitation"));
    }
    return true;
}

static int s_invite (cli_t *cli)
{
    int64_t expires = 0;
    const char *span = cli_text (cli, "expires") ? cli_text (cli, "expires") : "24h", *count = cli_text (cli, "count");
    char *end = NULL, *error = NULL;
    long number = count ? strtol (count, &end, 10) : 1;
    if (duration_parse (&expires, span) || expires > 400ll * 86400000)
        return cli_usage_error (cli, "--expires \"%s\": 90s, 15m, 24h or 7d would be right (at most 400d)", span);
    if (count && (*end || number < 1 || number > 1000))
        return cli_usage_error (cli, "--count \"%s\": 1 to 1000 would be right", count);
    if (!cli_text (cli, "role"))
        return cli_usage_error (cli, "--role is needed: node, desk or coordinator");
    json_t *request = json_pack ("{s:s, s:s, s:I, s:I}", "do", "invite", "role", cli_text (cli, "role"), "expires_ms",
        (json_int_t)expires, "count", (json_int_t)number);
    for (int i = 0; i < 3; i++) {
        const char *key = (const char *[]){ "station", "name", "unit" } [i];
        if (cli_text (cli, key))
            json_object_set_new (request, key, json_string (cli_text (cli, key)));
    }
    show_t show = { .cli = cli, .qr = cli_flag (cli, "qr") };
    int rc = runner_ask (cli_home (cli), core_run, NULL, request, s_show_invitation, &show, &error);
    //  without a line of its own, the core in this process has said why
    if (rc && error)
        cli_error (cli, rc, "%s", error);
    free (error);
    return rc;
}

static void s_member_row (table_t *table, json_t *object)
{
    char tips [24], clock [32] = "";
    int64_t off_s = json_integer_value (json_object_get (object, "clock_offset_s"));
    snprintf (tips, sizeof tips, "%lld", json_integer_value (json_object_get (object, "tips")));
    if (off_s < -CLOCK_OFF_S || off_s > CLOCK_OFF_S) {
        clock [0] = off_s < 0 ? '-' : '+';
        duration_format (clock + 1, (off_s < 0 ? -off_s : off_s) * 1000);
    }
    const char *cells [] = { s_str (object, "member"), s_str (object, "role"), s_str (object, "station"),
        s_str (object, "unit"), s_str (object, "name"), s_str (object, "last_seen"), clock, tips, s_str (object, "state") };
    table_row (table, cells);
}

static int s_members (cli_t *cli)
{
    static const text_id_t headings [] = { T_BROKER_H_MEMBER, T_BROKER_H_ROLE, T_BROKER_H_STATION, T_BROKER_H_UNIT,
        T_BROKER_H_NAME, T_BROKER_H_SEEN, T_BROKER_H_CLOCK, T_BROKER_H_TIPS, T_BROKER_H_STATE };
    show_t show = { .row = s_member_row, .table = cli_json (cli) ? NULL : table_new (cli, headings, 9) };
    if (show.table)
        table_right (show.table, 7);
    return s_ask (cli, json_pack ("{s:s}", "do", "members"), &show);
}

static int s_revoke (cli_t *cli)
{
    char **operands;
    cli_operands (cli, &operands);
    const char *why = cli_text (cli, "why") ? cli_text (cli, "why") : "";
    json_t *request = json_pack ("{s:s, s:s, s:s}", "do", "revoke", "member", operands [0], "why", why);
    if (!request)
        return cli_usage_error (cli, "--why: UTF-8 would be right");
    show_t show = { .row = s_no_row };
    return s_ask (cli, request, &show);
}

//  ---- areas and places

static int s_areas_load (cli_t *cli)
{
    char **operands;
    cli_operands (cli, &operands);
    show_t show = { .row = s_no_row };
    return s_ask (cli, s_map_request (cli, "areas load", operands [0]), &show);
}

static void s_explain_row (table_t *table, json_t *object)
{
    (void)table;
    printf ("%s  %s%s%s\n  %s\n", s_str (object, "station"), s_str (object, "by"),
        json_object_get (object, "area") ? " " : "", s_str (object, "area"), s_str (object, "why"));
    if (s_str (object, "place") [0])
        printf ("  %s\n", s_str (object, "place"));
    size_t i;
    json_t *entry;
    json_array_foreach (json_object_get (object, "copies"), i, entry)
        printf ("  %s %s\n", text (T_BROKER_COPY), json_string_value (entry));
    json_array_foreach (json_object_get (object, "candidates"), i, entry) printf ("  %s %-12s %-12s %-10s %8.0f m  %s\n",
        json_is_true (json_object_get (entry, "chosen")) ? "*" : " ", s_str (entry, "area"), s_str (entry, "station"),
        s_str (entry, "by"), json_number_value (json_object_get (entry, "distance_m")), s_str (entry, "why"));
}

static int s_areas_explain (cli_t *cli)
{
    position_t position;
    const char *reason, *at = cli_text (cli, "at"), *name = cli_text (cli, "datum");
    datum_t datum = DATUM_WGS84;
    int64_t when = 0;
    if (!at || position_parse (&position, at, &reason))
        return cli_usage_error (cli, "--at \"%s\": %s", at ? at : "", at ? reason : "LAT,LON is needed");
    if (name && datum_parse (&datum, name))
        return cli_usage_error (cli, "--datum \"%s\": wgs84, gcj02 or bd09 would be right", name);
    if (cli_text (cli, "when") && time_parse (&when, cli_text (cli, "when"), time_now_ms ()))
        return cli_usage_error (cli, "--when \"%s\": an RFC 3339 time would be right", cli_text (cli, "when"));
    char *end = NULL;
    double accuracy = cli_text (cli, "accuracy") ? strtod (cli_text (cli, "accuracy"), &end) : 0;
    if (end && (*end || !(accuracy >= 0 && accuracy <= 100000)))
        return cli_usage_error (cli, "--accuracy \"%s\": 0 to 100000 metres would be right", cli_text (cli, "accuracy"));
    json_t *request = json_pack ("{s:s, s:f, s:f, s:i, s:I}", "do", "areas explain", "lat", position.lat, "lon",
        position.lon, "datum", (int)datum, "when_ms", (json_int_t)when);
    if (cli_text (cli, "kind"))
        json_object_set_new (request, "kind", json_string (cli_text (cli, "kind")));
    json_object_set_new (request, "accuracy", json_real (accuracy));
    show_t show = { .row = s_explain_row };
    return s_ask (cli, request, &show);
}

static int s_places_load (cli_t *cli)
{
    char **operands;
    cli_operands (cli, &operands);
    show_t show = { .row = s_no_row };
    return s_ask (cli, s_map_request (cli, "places load", operands [0]), &show);
}

static void s_place_row (table_t *table, json_t *object)
{
    char at [48] = "", confidence [16], far [24] = "";
    json_t *lat = json_object_get (object, "lat"), *distance = json_object_get (object, "distance_m");
    if (lat)
        snprintf (at, sizeof at, "%.5f,%.5f%s", json_number_value (lat), json_number_value (json_object_get (object, "lon")),
            json_is_true (json_object_get (object, "derived")) ? " ~" : "");
    if (distance && json_number_value (distance) < 1000)
        snprintf (far, sizeof far, "%.0f m", json_number_value (distance));
    else if (distance)
        snprintf (far, sizeof far, "%.1f km", json_number_value (distance) / 1000);
    snprintf (confidence, sizeof confidence, "%.2f", json_number_value (json_object_get (object, "confidence")));
    const char *cells [] = { s_str (object, "name"), s_str (object, "area"), s_str (object, "kind"), at, confidence, far };
    table_row (table, cells);
}

//  What people have to know about the table above.
static void s_places_notes (const show_t *show, const char *name)
{
    if (json_is_true (json_object_get (show->last, "ambiguous")))
        printf (text_format (T_BROKER_PLACES_AMBIGUOUS), name,
            (int)json_integer_value (json_object_get (show->last, "candidates")));
    printf ("%s\n", text (T_BROKER_PLACES_DERIVED));
}

static int s_places_find (cli_t *cli)
{
    static const text_id_t headings []
        = { T_BROKER_H_NAME, T_BROKER_H_AREA, T_BROKER_H_KIND, T_BROKER_H_AT, T_BROKER_H_CONFIDENCE, T_BROKER_H_DISTANCE };
    char **operands;
    position_t near;
    const char *reason;
    cli_operands (cli, &operands);
    utf8_verdict_t verdict = utf8_check ((const uint8_t *)operands [0], strlen (operands [0]), PLACE_MAX, false);
    if (verdict != UTF8_OK || !operands [0][0])
        return cli_usage_error (cli, text_format (T_BROKER_PLACES_BAD_TEXT),
            verdict != UTF8_OK ? utf8_words (verdict) : text (T_BROKER_PLACES_EMPTY), (int)PLACE_MAX);
    json_t *request = json_pack ("{s:s, s:s}", "do", "places find", "text", operands [0]);
    if (cli_text (cli, "near")) {
        if (position_parse (&near, cli_text (cli, "near"), &reason)) {
            json_decref (request);
            return cli_usage_error (cli, "--near \"%s\": %s", cli_text (cli, "near"), reason);
        }
        json_object_set_new (request, "lat", json_real (near.lat));
        json_object_set_new (request, "lon", json_real (near.lon));
    }
    show_t show = { .row = s_place_row, .table = cli_json (cli) ? NULL : table_new (cli, headings, 6), .keep = true };
    int rc = s_ask (cli, request, &show);
    if (rc == EXIT_MISSING)
        cli_error (cli, rc, text_format (T_BROKER_PLACES_NONE), operands [0]);
    else if (rc == EXIT_DONE && !cli_json (cli))
        s_places_notes (&show, operands [0]);
    json_decref (show.last);
    return rc;
}

//  ---- figures, checks, backup

static void s_status_row (table_t *table, json_t *object)
{
    static const char *const keys [] = { "version", "uptime_s", "incarnation", "log", "accepted", "accepted_per_s",
        "duplicates", "commands", "sessions", "members", "areas_version", "disk_free", "audit_rows" };
    for (size_t i = 0; i < sizeof keys / sizeof keys [0]; i++) {
        json_t *entry = json_object_get (object, keys [i]);
        char *value = json_is_string (entry) ? strdup (json_string_value (entry))
                                             : json_dumps (entry, JSON_ENCODE_ANY | JSON_REAL_PRECISION (6));
        printf ("%-16s %s\n", keys [i], value ? value : "");
        free (value);
    }
    const char *key;
    json_t *value;
    json_object_foreach (json_object_get (object, "refused"), key, value)
        printf ("refused %-20s %lld\n", key, json_integer_value (value));
    size_t i;
    json_array_foreach (json_object_get (object, "stations"), i, value)
    {
        char numbers [4][24];
        const char *names [4] = { "desks", "open", "undelivered", "unacknowledged" };
        for (int j = 0; j < 4; j++)
            snprintf (numbers [j], sizeof numbers [j], "%lld", json_integer_value (json_object_get (value, names [j])));
        const char *cells [] = { s_str (value, "station"), s_str (value, "name"), numbers [0],
            s_str (value, "no_desk_since"), numbers [1], numbers [2], numbers [3] };
        table_row (table, cells);
    }
}

static int s_status (cli_t *cli)
{
    static const text_id_t headings [] = { T_BROKER_H_STATION, T_BROKER_H_NAME, T_BROKER_H_DESKS, T_BROKER_H_NO_DESK,
        T_BROKER_H_OPEN, T_BROKER_H_UNDELIVERED, T_BROKER_H_UNACKNOWLEDGED };
    show_t show = { .row = s_status_row, .table = cli_json (cli) ? NULL : table_new (cli, headings, 7) };
    return s_ask (cli, json_pack ("{s:s}", "do", "status"), &show);
}

static void s_verify_row (table_t *table, json_t *object)
{
    (void)table;
    size_t i;
    json_t *fault;
    printf ("%s: %s\n",
        json_is_true (json_object_get (object, "ok")) ? text (T_BROKER_VERIFY_OK) : text (T_BROKER_VERIFY_BAD),
        s_str (object, "state"));
    printf ("records %lld, tips %lld, audit rows %lld\n", json_integer_value (json_object_get (object, "records")),
        json_integer_value (json_object_get (object, "tips")), json_integer_value (json_object_get (object, "audit_rows")));
    json_array_foreach (json_object_get (object, "faults"), i, fault) printf ("  %s\n", json_string_value (fault));
}

static int s_verify (cli_t *cli)
{
    show_t show = { .row = s_verify_row };
    return s_ask (cli, json_pack ("{s:s}", "do", "verify"), &show);
}

static int s_backup (cli_t *cli)
{
    char **operands;
    cli_operands (cli, &operands);
    char *folder = realpath (".", NULL), path [4096];
    snprintf (
        path, sizeof path, "%s%s%s", operands [0][0] == '/' ? "" : folder, operands [0][0] == '/' ? "" : "/", operands [0]);
    free (folder);
    show_t show = { .row = s_no_row };
    return s_ask (cli, json_pack ("{s:s, s:s}", "do", "backup", "file", path), &show);
}

static int s_restore (cli_t *cli)
{
    char **operands;
    cli_operands (cli, &operands);
    return backup_restore (operands [0], operands [1]) ? EXIT_FAILED : EXIT_DONE;
}

//  ---- the table

static const option_spec_t s_init_options []
    = { { "name", ARG_TEXT, "NAME", T_BROKER_O_NAME }, { "areas", ARG_TEXT, "FILE.geojson", T_BROKER_O_AREAS },
          { "places", ARG_TEXT, "FILE.csv", T_BROKER_O_PLACES }, { "datum", ARG_TEXT, "wgs84|gcj02|bd09", T_BROKER_O_DATUM },
          { "kinds", ARG_TEXT, "FILE", T_BROKER_O_KINDS }, { "listen", ARG_TEXT, "tcp://ADDRESS:PORT", T_BROKER_O_LISTEN },
          { "endpoint", ARG_TEXT, "tcp://HOST:PORT", T_BROKER_O_ENDPOINT },
          { "authority", ARG_TEXT, "FILE", T_BROKER_O_AUTHORITY }, { NULL, ARG_FLAG, NULL, 0 } };
static const option_spec_t s_invite_options [] = { { "role", ARG_TEXT, "node|desk|coordinator", T_BROKER_O_ROLE },
    { "station", ARG_TEXT, "ID", T_BROKER_O_STATION }, { "name", ARG_TEXT, "N", T_BROKER_O_WHO },
    { "unit", ARG_TEXT, "U", T_BROKER_O_UNIT }, { "expires", ARG_TEXT, "24h", T_BROKER_O_EXPIRES },
    { "count", ARG_TEXT, "K", T_BROKER_O_COUNT }, { "qr", ARG_FLAG, NULL, T_BROKER_O_QR }, { NULL, ARG_FLAG, NULL, 0 } };
static const option_spec_t s_revoke_options []
    = { { "why", ARG_TEXT, "TEXT", T_BROKER_O_WHY }, { NULL, ARG_FLAG, NULL, 0 } };
static const option_spec_t s_datum_options []
    = { { "datum", ARG_TEXT, "wgs84|gcj02|bd09", T_BROKER_O_DATUM }, { NULL, ARG_FLAG, NULL, 0 } };
static const option_spec_t s_derive_options []
    = { { "outline", ARG_TEXT, "FILE.geojson", T_BROKER_O_OUTLINE }, { "o", ARG_TEXT, "FILE", T_BROKER_O_OUT },
          { "datum", ARG_TEXT, "wgs84|gcj02|bd09", T_BROKER_O_DATUM }, { NULL, ARG_FLAG, NULL, 0 } };
static const option_spec_t s_explain_options []
    = { { "at", ARG_TEXT, "LAT,LON", T_BROKER_O_AT }, { "datum", ARG_TEXT, "wgs84|gcj02|bd09", T_BROKER_O_DATUM },
          { "kind", ARG_TEXT, "K", T_BROKER_O_KIND }, { "when", ARG_TEXT, "T", T_BROKER_O_WHEN },
          { "accuracy", ARG_TEXT, "M", T_BROKER_O_ACCURACY }, { NULL, ARG_FLAG, NULL, 0 } };
static const option_spec_t s_find_options []
    = { { "near", ARG_TEXT, "LAT,LON", T_BROKER_O_NEAR }, { NULL, ARG_FLAG, NULL, 0 } };

const verb_spec_t broker_verbs [] = { { "init", "DIR", 1, 1, T_BROKER_V_INIT, s_init_options, s_init },
    { "run", "", 0, 0, T_BROKER_V_RUN, NULL, s_run }, { "invite", "", 0, 0, T_BROKER_V_INVITE, s_invite_options, s_invite },
    { "members", "", 0, 0, T_BROKER_V_MEMBERS, NULL, s_members },
    { "revoke", "MEMBER", 1, 1, T_BROKER_V_REVOKE, s_revoke_options, s_revoke },
    { "areas check", "FILE", 1, 1, T_BROKER_V_AREAS_CHECK, s_datum_options, areaverbs_check },
    { "areas derive", "STATIONS.csv", 1, 1, T_BROKER_V_AREAS_DERIVE, s_derive_options, areaverbs_derive },
    { "areas load", "FILE", 1, 1, T_BROKER_V_AREAS_LOAD, s_datum_options, s_areas_load },
    { "areas explain", "", 0, 0, T_BROKER_V_AREAS_EXPLAIN, s_explain_options, s_areas_explain },
    { "places load", "FILE", 1, 1, T_BROKER_V_PLACES_LOAD, s_datum_options, s_places_load },
    { "places find", "TEXT", 1, 1, T_BROKER_V_PLACES_FIND, s_find_options, s_places_find },
    { "verify", "", 0, 0, T_BROKER_V_VERIFY, NULL, s_verify }, { "backup", "FILE", 1, 1, T_BROKER_V_BACKUP, NULL, s_backup },
    { "restore", "DIR FILE", 2, 2, T_BROKER_V_RESTORE, NULL, s_restore },
    { "status", "", 0, 0, T_BROKER_V_STATUS, NULL, s_status }, { NULL, NULL, 0, 0, 0, NULL, NULL } };
