//  reading - the commands that read: watch, list, show, stations; and what replay shares with them

#ifndef READING_H_INCLUDED
#define READING_H_INCLUDED

#include "cli.h"
#include "device.h"

//  A command that puts out lines as the daemon sends them.
typedef struct reading_t reading_t;
typedef void (reader_line_fn) (void *context, json_t *line);
struct reading_t {
    cli_t *cli;
    bool json;
    device_t *device;     //  for the labels of kinds; opened for people only
    reader_line_fn *line; //  for people; NULL = itemline_print
    void *context;
    table_t *table;
    int64_t lines;
    int unplaced;       //  lines of a list that wait for a position
    int seen_fd;        //  watch: where lines that are out are reported, -1 = not yet
    bool broken;        //  standard output cannot be written
    bool heard;         //  the daemon has answered something
    char position [48]; //  of the last line that is out
};

void reading_open (reading_t *self, cli_t *cli);
void reading_close (reading_t *self);

//  Puts out the lines of one {"lines": TEXT} object and flushes them. False if that is not possible.
bool reading_put (reading_t *self, json_t *object);
//  A local_answer_fn for plain answers: lines, and "as of" for people.
bool reader_answer (void *context, json_t *object);

//  The daemon's error line in the chosen language; frees it. Returns the exit code.
int reading_result (cli_t *cli, int exit_code, char *error);
//  Who reads or acts: --as or PATROL_OFFICER; NULL if neither. Returns -1 with an error line if it is not fit.
int reading_officer (cli_t *cli, const char **officer);
//  A whole number option. -1 with an error line.
int reading_number (cli_t *cli, const char *option, int fallback, int min, int max, int *number);

int verb_watch (cli_t *cli);
int verb_list (cli_t *cli);
int verb_show (cli_t *cli);
int verb_stations (cli_t *cli);

#endif
