//  patrol-desk - the desk of a station or a coordinator
//
//  The commands are in this table; what they do is in commands.c (acting), reading.c (looking) and replay.c. All
//  of them talk to the daemon of their home, desk.c, which is where to read on: DESIGN.md has the map.

#include <stdio.h>
#include "cli.h"
#include "commands.h"
#include "identity.h"
#include "reading.h"
#include "replay.h"

static const option_spec_t s_watch_options [] = { { "from", ARG_TEXT, "last|start|POSITION", T_DESK_OPT_FROM_WATCH },
    { "count", ARG_TEXT, "N", T_DESK_OPT_COUNT }, { NULL } };
static const option_spec_t s_list_options [] = { { "status", ARG_TEXT, "STATUS", T_DESK_OPT_STATUS },
    { "station", ARG_TEXT, "ID", T_DESK_OPT_STATION }, { "as", ARG_TEXT, "OFFICER", T_DESK_OPT_AS }, { NULL } };
static const option_spec_t s_read_options [] = { { "as", ARG_TEXT, "OFFICER", T_DESK_OPT_AS }, { NULL } };
static const option_spec_t s_act_options [] = { { "as", ARG_TEXT, "OFFICER", T_DESK_OPT_AS },
    { "note", ARG_TEXT, "TEXT", T_DESK_OPT_NOTE }, { "answer", ARG_TEXT, "TEXT", T_DESK_OPT_ANSWER },
    { "reason", ARG_TEXT, "CODE", T_DESK_OPT_REASON }, { "timeout", ARG_TEXT, "SECONDS", T_DESK_OPT_TIMEOUT }, { NULL } };
static const option_spec_t s_place_options []
    = { { "at", ARG_TEXT, "LAT,LON", T_DESK_OPT_AT }, { "as", ARG_TEXT, "OFFICER", T_DESK_OPT_AS },
          { "note", ARG_TEXT, "TEXT", T_DESK_OPT_NOTE }, { "timeout", ARG_TEXT, "SECONDS", T_DESK_OPT_TIMEOUT }, { NULL } };
static const option_spec_t s_merge_options []
    = { { "as", ARG_TEXT, "OFFICER", T_DESK_OPT_AS }, { "note", ARG_TEXT, "TEXT", T_DESK_OPT_NOTE },
          { "answer", ARG_TEXT, "TEXT", T_DESK_OPT_ANSWER }, { "timeout", ARG_TEXT, "SECONDS", T_DESK_OPT_TIMEOUT }, { NULL } };
static const option_spec_t s_replay_options []
    = { { "from", ARG_TEXT, "T", T_DESK_OPT_FROM }, { "to", ARG_TEXT, "T", T_DESK_OPT_TO },
          { "area", ARG_TEXT, "ID", T_DESK_OPT_AREA }, { "box", ARG_TEXT, "S,W,N,E", T_DESK_OPT_BOX },
          { "kind", ARG_LIST, "KIND", T_DESK_OPT_KIND }, { "station", ARG_TEXT, "ID", T_DESK_OPT_STATION },
          { "speed", ARG_TEXT, "X|max", T_DESK_OPT_SPEED }, { "as", ARG_TEXT, "OFFICER", T_DESK_OPT_AS }, { NULL } };

static const verb_spec_t s_verbs [] = { { "join", "INVITATION", 1, 1, T_DESK_HELP_JOIN, NULL, verb_join },
    { "run", "", 0, 0, T_DESK_HELP_RUN, NULL, verb_run },
    { "watch", "", 0, 0, T_DESK_HELP_WATCH, s_watch_options, verb_watch },
    { "list", "[INCIDENT]", 0, 1, T_DESK_HELP_LIST, s_list_options, verb_list },
    { "show", "INCIDENT", 1, 1, T_DESK_HELP_SHOW, s_read_options, verb_show },
    { "stations", "", 0, 0, T_DESK_HELP_STATIONS, s_read_options, verb_stations },
    { "ack", "INCIDENT", 1, 1, T_DESK_HELP_ACK, s_act_options, verb_ack },
    { "dispatch", "INCIDENT", 1, 1, T_DESK_HELP_DISPATCH, s_act_options, verb_dispatch },
    { "close", "INCIDENT", 1, 1, T_DESK_HELP_CLOSE, s_act_options, verb_close },
    { "reopen", "INCIDENT", 1, 1, T_DESK_HELP_REOPEN, s_act_options, verb_reopen },
    { "place", "INCIDENT", 1, 1, T_DESK_HELP_PLACE, s_place_options, verb_place },
    { "merge", "INCIDENT INTO", 2, 2, T_DESK_HELP_MERGE, s_merge_options, verb_merge },
    { "split", "INCIDENT TIP...", 2, 33, T_DESK_HELP_SPLIT, s_merge_options, verb_split },
    { "replay", "", 0, 0, T_DESK_HELP_REPLAY, s_replay_options, verb_replay }, { NULL } };

int main (int argc, char **argv)
{
    if (identity_init ()) {
        fprintf (stderr, "patrol-desk: libsodium cannot start on this machine\n");
        return EXIT_FAILED;
    }
    return cli_main (argc, argv, "patrol-desk", T_DESK_SUMMARY, s_verbs);
}
