//  replay - the log again, paced by the records' own times
//
//  The pace is kept here, by reading slowly: the daemon then stops asking the broker for pages, so a
//  replay of a year at its own speed costs no more memory than one of a minute.

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "desk.h"
#include "geodesy.h"
#include "itemline.h"
#include "reading.h"
#include "replay.h"
#include "timefmt.h"

#define KINDS_IN_QUERY 16

typedef struct {
    reading_t reader;
    double speed;        //  0 = as fast as possible
    int64_t first_at_ms; //  record time of the first line, 0 = none yet
    int64_t began_ms;    //  monotonic
    progress_t progress;
} replay_t;

//  ---- the question

static int s_add_time (cli_t *cli, json_t *request, const char *option, const char *key, int64_t *ms)
{
    const char *given = cli_text (cli, option);
    *ms = 0;
    if (!given)
        return 0;
    if (time_parse (ms, given, time_now_ms ()) == -1) {
        cli_usage_error (cli, text_format (T_DESK_BAD_TIME), option, given);
        return -1;
    }
    return json_object_set_new (request, key, json_integer (*ms));
}

static int s_add_times (cli_t *cli, json_t *request)
{
    int64_t from_ms, to_ms;
    if (s_add_time (cli, request, "from", "from_ms", &from_ms) == -1
        || s_add_time (cli, request, "to", "to_ms", &to_ms) == -1)
        return -1;
    if (from_ms && to_ms && to_ms < from_ms) {
        cli_usage_error (cli, "%s", text (T_DESK_BAD_ORDER));
        return -1;
    }
    return 0;
}

//  "S,W,N,E" in degrees.
static int s_add_box (cli_t *cli, json_t *request)
{
    const char *given = cli_text (cli, "box"), *at = given;
    double side [4];
    if (!given)
        return 0;
    int count = 0;
    for (; at && count < 4; count++) {
        char *end;
        errno = 0;
        side [count] = strtod (at, &end);
        if (end == at || errno || !isfinite (side [count]) || *end != (count < 3 ? ',' : 0))
            break;
        at = end + 1;
    }
    if (count == 4 && position_valid ((position_t){ side [0], side [1] })
        && position_valid ((position_t){ side [2], side [3] }) && side [0] < side [2] && side [1] < side [3])
        return json_object_set_new (request, "box",
            json_pack ("[i, i, i, i]", degrees_to_e7 (side [0]), degrees_to_e7 (side [1]), degrees_to_e7 (side [2]),
                degrees_to_e7 (side [3])));
    cli_usage_error (cli, text_format (T_DESK_BAD_BOX), given);
    return -1;
}

static int s_add_kinds (cli_t *cli, json_t *request, const kinds_t *kinds)
{
    const char **given;
    int count = cli_list (cli, "kind", &given);
    json_t *list = json_array ();
    json_object_set_new (request, "kinds", list);
    if (count > KINDS_IN_QUERY) {
        cli_usage_error (cli, text_format (T_DESK_MANY_KINDS), count, KINDS_IN_QUERY);
        return -1;
    }
    for (int i = 0; i < count; i++) {
        if (kinds_find (kinds, given [i], strlen (given [i])) == -1) {
            cli_usage_error (cli, text_format (T_DESK_BAD_KIND), given [i], kinds_ids (kinds));
            return -1;
        }
        json_array_append_new (list, json_string (given [i]));
    }
    return 0;
}

static int s_speed (cli_t *cli, double *speed)
{
    const char *given = cli_text (cli, "speed");
    char *end = NULL;
    *speed = 0;
    if (!given || strcmp (given, "max") == 0)
        return 0;
    *speed = strtod (given, &end);
    if (end != given && *end == 0 && isfinite (*speed) && *speed >= 0.01 && *speed <= 1e6)
        return 0;
    cli_usage_error (cli, text_format (T_DESK_BAD_SPEED), given);
    return -1;
}

static json_t *s_request (cli_t *cli, const kinds_t *kinds)
{
    const char *officer;
    if (reading_officer (cli, &officer) == -1)
        return NULL;
    if (cli_text (cli, "area") && cli_text (cli, "box")) {
        cli_usage_error (cli, "%s", text (T_DESK_AREA_AND_BOX));
        return NULL;
    }
    json_t *request = json_pack ("{s:s, s:s*, s:s*, s:s*}", "do", "replay", "officer", officer, "area",
        cli_text (cli, "area"), "station", cli_text (cli, "station"));
    if (!request || s_add_times (cli, request) == -1 || s_add_box (cli, request) == -1
        || s_add_kinds (cli, request, kinds) == -1) {
        json_decref (request);
        return NULL;
    }
    return request;
}

//  ---- the pace

static void s_sleep_until (int64_t mono_ms)
{
    int64_t left = mono_ms - time_mono_ms ();
    if (left <= 0)
        return;
    struct timespec pause = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
    while (nanosleep (&pause, &pause) == -1 && errno == EINTR)
        ;
}

//  Waits until the line is due: its distance from the first one, divided by the speed.
static void s_pace (replay_t *self, json_t *item)
{
    const char *at = json_string_value (json_object_get (item, "at"));
    int64_t at_ms;
    if (!at || time_parse (&at_ms, at, 0) == -1)
        return;
    if (self->first_at_ms == 0) {
        self->first_at_ms = at_ms;
        self->began_ms = time_mono_ms ();
    }
    s_sleep_until (self->began_ms + (int64_t)((double)(at_ms - self->first_at_ms) / self->speed));
}

//  One by one, each when it is due.
static bool s_put_paced (replay_t *self, json_t *object)
{
    json_t *lines = json_object_get (object, "lines");
    const char *line = json_string_value (lines), *end = line + json_string_length (lines);
    bool going = true;
    while (going && line < end) {
        const char *newline = memchr (line, '\n', (size_t)(end - line));
        if (!newline)
            break;
        json_t *item = json_loadb (line, (size_t)(newline - line), 0, NULL);
        if (item)
            s_pace (self, item);
        json_decref (item);
        json_t *one = json_pack ("{s:s%}", "lines", line, (size_t)(newline + 1 - line));
        going = reading_put (&self->reader, one);
        json_decref (one);
        line = newline + 1;
    }
    return going;
}

static bool s_answer (void *context, json_t *object)
{
    replay_t *self = context;
    if (!json_is_string (json_object_get (object, "lines")))
        return true;
    bool going = self->speed > 0 ? s_put_paced (self, object) : reading_put (&self->reader, object);
    progress_step (&self->progress, self->reader.lines);
    return going;
}

int verb_replay (cli_t *cli)
{
    replay_t self = { 0 };
    device_t *device = device_open (cli_home (cli));
    if (!device)
        return EXIT_FAILED;
    json_t *request = s_speed (cli, &self.speed) == 0 ? s_request (cli, device_kinds (device)) : NULL;
    device_destroy (&device);
    if (!request)
        return EXIT_USAGE;

    desk_options_t options = { 0 };
    char *error = NULL;
    reading_open (&self.reader, cli);
    progress_begin (&self.progress, text (T_DESK_REPLAYING), 0);
    int exit_code = runner_ask (cli_home (cli), desk_daemon, &options, request, s_answer, &self, &error);
    progress_end (&self.progress);
    bool broken = self.reader.broken;
    reading_close (&self.reader);
    if (broken) {
        free (error);
        return EXIT_FAILED;
    }
    return reading_result (cli, exit_code, error);
}
