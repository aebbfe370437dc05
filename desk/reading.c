//  reading - watch, list, show, stations

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "desk.h"
#include "home.h"
#include "itemjson.h"
#include "itemline.h"
#include "reading.h"
#include "timefmt.h"
#include "utf8.h"

#define LOOK_AGAIN_MS 100
#define LOOKS 50

//  ---- what all commands share

static const struct {
    const char *en;
    text_id_t id;
} s_texts [] = {
#define X(id, en, zh) { en, T_##id },
#include "catalogue_desk.def"
#undef X
};

//  The daemon speaks English lines of the catalogue, perhaps with ": " and a detail behind.
static int s_error (cli_t *cli, int exit_code, const char *line)
{
    for (size_t i = 0; i < sizeof s_texts / sizeof s_texts [0]; i++) {
        size_t size = strlen (s_texts [i].en);
        if (strncmp (line, s_texts [i].en, size) == 0 && (line [size] == 0 || strncmp (line + size, ": ", 2) == 0)) {
            char clean [512];
            return cli_error (
                cli, exit_code, "%s%s", text (s_texts [i].id), itemline_clean (line + size, clean, sizeof clean));
        }
    }
    return cli_error (cli, exit_code, "%s", line);
}

int reading_result (cli_t *cli, int exit_code, char *error)
{
    if (error)
        s_error (cli, exit_code, error);
    free (error);
    return exit_code;
}

int reading_officer (cli_t *cli, const char **officer)
{
    *officer = cli_text (cli, "as");
    if (!*officer)
        *officer = getenv ("PATROL_OFFICER");
    if (!*officer)
        return 0;
    utf8_verdict_t verdict = utf8_check ((const uint8_t *)*officer, strlen (*officer), NAME_MAX_BYTES, false);
    if (verdict == UTF8_OK && **officer)
        return 0;
    cli_usage_error (cli, text_format (T_DESK_BAD_TEXT), "as", **officer ? utf8_words (verdict) : text (T_DESK_EMPTY),
        (int)NAME_MAX_BYTES);
    return -1;
}

int reading_number (cli_t *cli, const char *option, int fallback, int min, int max, int *number)
{
    const char *given = cli_text (cli, option);
    char *end = NULL;
    *number = fallback;
    if (!given)
        return 0;
    errno = 0;
    long value = strtol (given, &end, 10);
    if (errno == 0 && *given >= '0' && *given <= '9' && *end == 0 && value >= min && value <= max) {
        *number = (int)value;
        return 0;
    }
    cli_usage_error (cli, text_format (T_DESK_BAD_NUMBER), option, given, min, max);
    return -1;
}

static int s_ask_reader (cli_t *cli, reading_t *reader, json_t *request)
{
    desk_options_t options = { 0 };
    char *error = NULL;
    int exit_code = runner_ask (cli_home (cli), desk_daemon, &options, request, reader_answer, reader, &error);
    if (reader->broken) {
        free (error);
        return EXIT_FAILED; //  cli_main says why
    }
    return reading_result (cli, exit_code, error);
}

//  ---- lines

void reading_open (reading_t *self, cli_t *cli)
{
    *self = (reading_t){ .cli = cli, .json = cli_json (cli), .seen_fd = -1 };
    if (!self->json)
        self->device = device_open (cli_home (cli));
}

void reading_close (reading_t *self)
{
    if (self->seen_fd != -1)
        close (self->seen_fd);
    device_destroy (&self->device);
}

static void s_person (reading_t *self, const char *line, size_t size)
{
    json_t *item = json_loadb (line, size, 0, NULL);
    if (!item)
        return;
    if (self->line)
        self->line (self->context, item);
    else
        itemline_print (item, self->device ? device_kinds (self->device) : NULL);
    json_decref (item);
}

static void s_note_position (reading_t *self, const char *line, size_t size)
{
    json_t *item = json_loadb (line, size, JSON_DISABLE_EOF_CHECK, NULL);
    const char *position = json_string_value (json_object_get (item, "position"));
    if (position)
        snprintf (self->position, sizeof self->position, "%s", position);
    json_decref (item);
}

bool reading_put (reading_t *self, json_t *object)
{
    json_t *lines = json_object_get (object, "lines");
    const char *bytes = json_string_value (lines), *end = bytes + json_string_length (lines);

    if (self->json)
        fwrite (bytes, 1, json_string_length (lines), stdout);
    const char *last = NULL;
    for (const char *line = bytes; line < end; self->lines++) {
        const char *newline = memchr (line, '\n', (size_t)(end - line));
        if (!newline)
            break;
        last = line;
        if (!self->json)
            s_person (self, line, (size_t)(newline - line));
        line = newline + 1;
    }
    self->broken = fflush (stdout) || ferror (stdout);
    if (last && !self->broken)
        s_note_position (self, last, (size_t)(end - last));
    return !self->broken;
}

static void s_as_of (json_t *as_of)
{
    int64_t ms;
    char local [40];
    if (time_parse (&ms, json_string_value (as_of), 0) == -1) {
        fprintf (stderr, "%s\n", text (T_DESK_AS_OF_NEVER));
        return;
    }
    time_format_local (local, ms);
    fprintf (stderr, text_format (T_DESK_AS_OF), local);
    fprintf (stderr, "\n");
}

//  Moves the reader of this home once the lines are out. A second connection: the first is busy with the feed.
static void s_seen (reading_t *self, json_t *upto)
{
    char *error = NULL;
    if (self->seen_fd == -1) {
        self->seen_fd = home_connect (cli_home (self->cli), RUNNER_SOCKET);
        if (self->seen_fd != -1)
            fcntl (self->seen_fd, F_SETFL, fcntl (self->seen_fd, F_GETFL) & ~O_NONBLOCK);
    }
    if (self->seen_fd == -1)
        return; //  these lines come again next time
    local_ask (self->seen_fd, json_pack ("{s:s, s:O}", "do", "seen", "upto", upto), NULL, NULL, &error);
    free (error);
}

static void s_link (reading_t *self, json_t *link)
{
    if (self->json)
        return;
    if (json_is_string (link)) {
        fprintf (stderr, text_format (T_DESK_LINK_DOWN), json_string_value (link));
        fprintf (stderr, "\n");
    } else
        fprintf (stderr, "%s\n", text (T_DESK_LINK_UP));
}

bool reader_answer (void *context, json_t *object)
{
    reading_t *self = context;
    self->heard = true;
    json_t *as_of = json_object_get (object, "as_of"), *link = json_object_get (object, "link");
    if (json_is_string (as_of) && !self->json)
        s_as_of (as_of);
    if (link)
        s_link (self, link);
    if (!json_is_string (json_object_get (object, "lines")))
        return true;
    if (!reading_put (self, object))
        return false;
    json_t *upto = json_object_get (object, "upto");
    if (upto)
        s_seen (self, upto);
    return true;
}

//  ---- watch

//  When the daemon ends (an update, a restart), the watch goes on after its last line: with the next daemon, or as the
//  daemon itself.
static int s_watch (cli_t *cli, reading_t *reader, const char *from, int64_t count)
{
    desk_options_t options = { .announce = false, .listen = true };
    char *error = NULL;
    int exit_code, silent = 0;
    bool ever_heard = false;
    do {
        free (error);
        //  a daemon that is ending may take the call and not the request
        if (ever_heard && !reader->heard)
            poll (NULL, 0, LOOK_AGAIN_MS);
        reader->heard = false;
        if (reader->seen_fd != -1)
            close (reader->seen_fd);
        reader->seen_fd = -1;
        json_t *request = json_pack ("{s:s, s:s, s:I}", "do", "watch", "from",
            reader->position [0] ? reader->position : from, "count", (json_int_t)(count == -1 ? -1 : count - reader->lines));
        exit_code = runner_ask (cli_home (cli), desk_daemon, &options, request, reader_answer, reader, &error);
        ever_heard = ever_heard || reader->heard;
        silent = reader->heard ? 0 : silent + 1;
    } while (exit_code == EXIT_FAILED && error && ever_heard && silent < LOOKS && !reader->broken
        && (count == -1 || reader->lines < count));
    if (reader->broken || (count != -1 && reader->lines >= count)) {
        free (error);
        return reader->broken ? EXIT_FAILED : EXIT_DONE;
    }
    return reading_result (cli, exit_code, error);
}

int verb_watch (cli_t *cli)
{
    const char *from = cli_text (cli, "from");
    uint64_t incarnation, seq;
    int count;

    if (from && strcmp (from, "last") != 0 && strcmp (from, "start") != 0
        && log_position_parse (&incarnation, &seq, from) == -1)
        return cli_usage_error (cli, text_format (T_DESK_BAD_FROM), from);
    if (reading_number (cli, "count", -1, 1, 1000000000, &count) == -1)
        return EXIT_USAGE;

    reading_t reader;
    reading_open (&reader, cli);
    int exit_code = s_watch (cli, &reader, from ? from : "last", count);
    reading_close (&reader);
    return exit_code;
}

//  ---- list

static void s_list_line (void *context, json_t *item)
{
    reading_t *self = context;
    char at [40], severity [96], status [64], place [400], words [256];
    if (!self->table) {
        static const text_id_t headings [] = { T_DESK_COL_INCIDENT, T_DESK_COL_TIME, T_DESK_COL_SEVERITY, T_DESK_COL_KIND,
            T_DESK_COL_STATUS, T_DESK_COL_PLACE, T_DESK_COL_TEXT };
        self->table = table_new (self->cli, headings, 7);
    }
    const char *state = json_string_value (json_object_get (item, "status"));
    bool over = state && (strcmp (state, "closed") == 0 || strcmp (state, "withdrawn") == 0);
    if (json_is_true (json_object_get (item, "unlocated")) && !over)
        self->unplaced++;
    const char *text_in = json_string_value (json_object_get (item, "text"));
    bool late = json_is_true (json_object_get (item, "late"));
    snprintf (status, sizeof status, "%s%s%s", itemline_status (item), late ? ", " : "", late ? text (T_DESK_IS_LATE) : "");
    const char *cells [] = { json_string_value (json_object_get (item, "incident")), itemline_time (item, "at", at),
        itemline_severity (item, severity), itemline_kind (item, self->device ? device_kinds (self->device) : NULL), status,
        itemline_place (item, place, sizeof place),
        itemline_clean (text_in ? text_in : "", words, sizeof words) };
    table_row (self->table, cells);
}

static bool s_good_status (cli_t *cli)
{
    static const char *const names [] = { "open", "acknowledged", "dispatched", "closed", "withdrawn", "merged" };
    const char *given = cli_text (cli, "status");
    for (size_t i = 0; given && i < sizeof names / sizeof names [0]; i++)
        if (strcmp (given, names [i]) == 0)
            return true;
    if (given)
        cli_usage_error (cli, text_format (T_DESK_BAD_STATUS), given);
    return !given;
}

//  Common to list, show and stations: the request with who reads.
static json_t *s_request (cli_t *cli, const char *what)
{
    const char *officer;
    if (reading_officer (cli, &officer) == -1)
        return NULL;
    return json_pack ("{s:s, s:s*, s:s*, s:s*}", "do", what, "officer", officer, "status",
        strcmp (what, "list") == 0 ? cli_text (cli, "status") : NULL, "station",
        strcmp (what, "list") == 0 ? cli_text (cli, "station") : NULL);
}

static int s_ask (cli_t *cli, json_t *request, reader_line_fn *line)
{
    reading_t reader;
    if (!request)
        return EXIT_USAGE;
    reading_open (&reader, cli);
    reader.line = line;
    reader.context = &reader;
    int exit_code = s_ask_reader (cli, &reader, request);
    if (reader.table)
        table_print (&reader.table);
    if (reader.unplaced)
        fprintf (stderr, text_format (T_DESK_TO_PLACE), reader.unplaced);
    else if (exit_code == EXIT_DONE && !reader.json && reader.lines == 0)
        fprintf (stderr, "%s\n", text (T_DESK_NONE_OPEN));
    reading_close (&reader);
    return exit_code;
}

int verb_list (cli_t *cli)
{
    char **operands;
    //  "list|show [INCIDENT]": an incident shows itself under either name
    if (cli_operands (cli, &operands) == 1)
        return verb_show (cli);
    return s_good_status (cli) ? s_ask (cli, s_request (cli, "list"), s_list_line) : EXIT_USAGE;
}

//  ---- show

static void s_show_line (void *context, json_t *item)
{
    reading_t *self = context;
    const kinds_t *kinds = self->device ? device_kinds (self->device) : NULL;
    if (self->lines == 0)
        itemline_print_head (item, kinds);
    itemline_print (item, kinds);
}

int verb_show (cli_t *cli)
{
    char **operands;
    cli_operands (cli, &operands);
    json_t *request = s_request (cli, "show");
    if (request && json_object_set_new (request, "incident", json_string (operands [0])) == -1) {
        json_decref (request);
        return cli_usage_error (cli, "%s", text (T_DESK_BAD_INCIDENT));
    }
    return s_ask (cli, request, s_show_line);
}

//  ---- stations

static const char *s_number (json_t *row, const char *key, char out [24])
{
    snprintf (out, 24, "%" JSON_INTEGER_FORMAT, json_integer_value (json_object_get (row, key)));
    return out;
}

static void s_station_line (void *context, json_t *row)
{
    reading_t *self = context;
    char desks [24], open [24], undelivered [24], unacknowledged [24], since [40], first [40], second [40], name [128];
    if (!self->table) {
        static const text_id_t headings [] = { T_DESK_COL_STATION, T_DESK_COL_NAME, T_DESK_COL_DESKS, T_DESK_COL_NO_DESK,
            T_DESK_COL_OPEN, T_DESK_COL_UNDELIVERED, T_DESK_COL_OLDEST, T_DESK_COL_UNACKNOWLEDGED, T_DESK_COL_OLDEST };
        static const int numbers [] = { 2, 4, 5, 7 };
        self->table = table_new (self->cli, headings, 9);
        for (int i = 0; i < 4; i++)
            table_right (self->table, numbers [i]);
    }
    const char *name_in = json_string_value (json_object_get (row, "name"));
    const char *cells []
        = { json_string_value (json_object_get (row, "station")), itemline_clean (name_in ? name_in : "", name, sizeof name),
              s_number (row, "desks", desks), itemline_time (row, "no_desk_since", since), s_number (row, "open", open),
              s_number (row, "undelivered", undelivered), itemline_time (row, "oldest_undelivered", first),
              s_number (row, "unacknowledged", unacknowledged), itemline_time (row, "oldest_unacknowledged", second) };
    table_row (self->table, cells);
}

int verb_stations (cli_t *cli)
{
    return s_ask (cli, s_request (cli, "stations"), s_station_line);
}
