//  county - makes an invented county and what its people report, for the demo, the tests and the benches
//
//      county make DIR                             DIR/areas.geojson and DIR/places.csv
//      county tips --count N [--seed S] [--now T]  JSON lines for `patrol-node import`, on stdout
//      county map [--incidents FILE.jsonl]         SVG, on stdout
//
//  Each takes --county S: another county. The same numbers give the same bytes. Read ground.h next.

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "picture.h"
#include "timefmt.h"
#include "tips.h"

typedef struct {
    uint64_t county, seed;
    int count;
    int64_t now_ms;
    const char *incidents;
} wishes_t;

static int s_usage (void)
{
    fputs ("usage: county make DIR [--county S]\n"
           "       county tips --count N [--seed S] [--now T] [--county S]\n"
           "       county map [--incidents FILE.jsonl] [--county S]\n",
        stderr);
    return 2;
}

//  Writes one file of the county by `write`; 0, or -1 with one line on stderr.
static int s_file (
    const ground_t *ground, const char *folder, const char *name, void (*write) (const ground_t *ground, FILE *out))
{
    char *path = NULL;
    if (asprintf (&path, "%s/%s", folder, name) < 0)
        abort ();
    FILE *out = fopen (path, "w");
    if (out)
        write (ground, out);
    int rc = out ? fclose (out) : -1;
    if (rc)
        fprintf (stderr, "county: cannot write %s: %s\n", path, strerror (errno));
    free (path);
    return rc ? -1 : 0;
}

static int s_map (const ground_t *ground, const char *path)
{
    FILE *incidents = path ? fopen (path, "r") : NULL;
    if (path && !incidents) {
        fprintf (stderr, "county: cannot read %s: %s\n", path, strerror (errno));
        return 1;
    }
    int rc = map_write (ground, incidents, stdout);
    if (incidents)
        fclose (incidents);
    return rc ? 1 : 0;
}

//  A whole number from low to high; false otherwise.
static bool s_number (const char *text, int64_t low, int64_t high, int64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoll (text, &end, 10);
    return !errno && end != text && !*end && *number >= low && *number <= high;
}

static bool s_wishes (int argc, char **argv, wishes_t *wishes)
{
    static const struct option options [] = { { "seed", required_argument, NULL, 's' },
        { "county", required_argument, NULL, 'C' }, { "count", required_argument, NULL, 'c' },
        { "now", required_argument, NULL, 'n' }, { "incidents", required_argument, NULL, 'i' }, { 0 } };
    int64_t number;
    for (int option; (option = getopt_long (argc, argv, "", options, NULL)) != -1;)
        switch (option) {
        case 's':
        case 'C':
            if (!s_number (optarg, 0, INT64_MAX, &number))
                return false;
            *(option == 's' ? &wishes->seed : &wishes->county) = (uint64_t)number;
            break;
        case 'c':
            if (!s_number (optarg, 1, 10000000, &number))
                return false;
            wishes->count = (int)number;
            break;
        case 'n':
            if (time_parse (&wishes->now_ms, optarg, time_now_ms ()))
                return false;
            break;
        case 'i':
            wishes->incidents = optarg;
            break;
        default:
            return false;
        }
    return true;
}

int main (int argc, char **argv)
{
    wishes_t wishes = { .county = 7, .seed = 7 };
    if (argc < 2 || !s_wishes (argc - 1, argv + 1, &wishes))
        return s_usage ();
    const char *verb = argv [1], *operand = optind + 1 < argc ? argv [optind + 1] : NULL;
    ground_t *ground = ground_new (wishes.county);
    int rc;
    if (strcmp (verb, "make") == 0 && operand)
        rc = s_file (ground, operand, "areas.geojson", areas_write) || s_file (ground, operand, "places.csv", places_write);
    else if (strcmp (verb, "tips") == 0 && wishes.count) {
        tips_write (ground, wishes.seed, wishes.count, wishes.now_ms, stdout);
        rc = 0;
    } else if (strcmp (verb, "map") == 0)
        rc = s_map (ground, wishes.incidents);
    else
        rc = s_usage ();
    ground_destroy (&ground);
    return rc;
}
