//  gazetteer - a place file loaded and asked: is the right place first, and how long does it take?
//
//    gazetteer PLACES.csv DATUM ASKED.tsv       lines of bench/gazetteer.py: GROUP TEXT LAT,LON NAME AREA
//
//  Prints `figure` lines (bench.h), and one line a group: group NAME asked first among unsure derived most p50 p99 max (ms).

#include "bench.h"

#include <malloc.h>
#include <stdbool.h>
#include "mapfile.h"
#include "places.h"

#define ROOM 512 //  candidates looked at
#define GROUPS_MAX 32

typedef struct {
    char name [100];
    long asked;
    long first, among; //  the place meant is the first, is one of the candidates
    long unsure;       //  answered as ambiguous
    long derived;      //  first, and marked as placed by what is around it
    int most, least;   //  candidates
    int64_t *ns;
    size_t room;
} s_group_t;

//  Of this thread: what else runs on the machine does not count.
static int64_t s_cpu_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static char *s_read (const char *path, size_t *size)
{
    char reason [300], *bytes = mapfile_read (path, size, reason, sizeof reason);
    if (!bytes) {
        fprintf (stderr, "%s\n", reason);
        exit (1);
    }
    return bytes;
}

static s_group_t *s_group (s_group_t *groups, const char *name)
{
    for (int i = 0; i < GROUPS_MAX; i++) {
        if (!groups [i].name [0])
            snprintf (groups [i].name, sizeof groups [i].name, "%s", name);
        if (strcmp (groups [i].name, name) == 0)
            return &groups [i];
    }
    fprintf (stderr, "more than %d groups\n", GROUPS_MAX);
    exit (1);
}

static bool s_is (const place_t *place, char *const fields [5])
{
    return strcmp (place->name, fields [3]) == 0 && strcmp (place->area, fields [4]) == 0;
}

static void s_ask (const places_t *places, datum_t datum, char *const fields [5], s_group_t *group)
{
    static place_t found [ROOM];
    places_answer_t answer;
    places_bias_t bias = { 0 };
    position_t near;
    const char *reason;
    if (fields [2][0]) {
        BENCH_CHECK (position_parse (&near, fields [2], &reason) == 0);
        near = datum_to_wgs84 (near, datum);
        bias.near = &near;
    }
    if ((size_t)group->asked == group->room) {
        group->room = group->room ? 2 * group->room : 1024;
        group->ns = realloc (group->ns, group->room * sizeof *group->ns);
        BENCH_CHECK (group->ns);
    }
    int64_t began = s_cpu_ns ();
    int count = places_find (places, fields [1], &bias, found, ROOM, &answer);
    group->ns [group->asked] = s_cpu_ns () - began;
    bool first = count && s_is (&found [0], fields), among = false;
    for (int i = 0; i < count && !among; i++)
        among = s_is (&found [i], fields);
    group->first += first;
    group->among += among;
    group->unsure += answer.ambiguous;
    group->derived += first && found [0].derived;
    group->most = answer.total > group->most ? answer.total : group->most;
    group->least = !group->asked || answer.total < group->least ? answer.total : group->least;
    group->asked++;
    if (getenv ("GAZETTEER_MISSED") && fields [3][0] && !first)
        fprintf (stderr, "%s: %s (%s) is %s %s, got %s %s of %d\n", fields [0], fields [1], fields [2], fields [4],
            fields [3], count ? found [0].area : "", count ? found [0].name : "nothing", answer.total);
}

static void s_tell (s_group_t *groups)
{
    size_t count = 0;
    for (int i = 0; i < GROUPS_MAX; i++)
        count += (size_t)groups [i].asked;
    int64_t *all = calloc (count + 1, sizeof *all);
    BENCH_CHECK (all);
    count = 0;
    for (int i = 0; i < GROUPS_MAX && groups [i].asked; i++) {
        s_group_t *group = &groups [i];
        memcpy (all + count, group->ns, (size_t)group->asked * sizeof *all);
        count += (size_t)group->asked;
        qsort (group->ns, (size_t)group->asked, sizeof *group->ns, bench_compare);
        printf ("group\t%s\t%ld\t%ld\t%ld\t%ld\t%ld\t%d\t%d\t%.4f\t%.4f\t%.4f\n", group->name, group->asked, group->first,
            group->among, group->unsure, group->derived, group->least, group->most,
            (double)group->ns [group->asked / 2] / 1e6, (double)group->ns [group->asked * 99 / 100] / 1e6,
            (double)group->ns [group->asked - 1] / 1e6);
        free (group->ns);
    }
    bench_latency ("answer", all, count);
    bench_figure ("answer longest", count ? (double)all [count - 1] / 1e6 : 0, "ms");
    free (all);
}

int main (int argc, char **argv)
{
    static s_group_t groups [GROUPS_MAX];
    datum_t datum;
    if (argc != 4 || datum_parse (&datum, argv [2])) {
        fprintf (stderr, "usage: gazetteer PLACES.csv wgs84|gcj02|bd09 ASKED.tsv\n");
        return 2;
    }
    size_t size;
    char *reason, *csv = s_read (argv [1], &size);
    int64_t began = bench_now_ns ();
    places_t *places = places_load (csv, size, datum, &reason);
    if (!places) {
        fprintf (stderr, "%s: %s\n", argv [1], reason);
        return 1;
    }
    bench_figure ("load", (double)(bench_now_ns () - began) / 1e9, "s");
    free (csv);
    malloc_trim (0);
    struct rusage usage;
    getrusage (RUSAGE_SELF, &usage);
    bench_figure ("places", places_count (places), "places");
    bench_figure ("memory", (double)places_memory (places) / (1 << 20), "MiB");
    bench_figure ("peak while loading", (double)usage.ru_maxrss / 1024, "MiB");
    char *asked = s_read (argv [3], &size), *rest = asked, *line;
    while ((line = strsep (&rest, "\n"))) {
        char *fields [5];
        int count = 0;
        while (count < 5 && (fields [count] = strsep (&line, "\t")))
            count++;
        if (count == 5)
            s_ask (places, datum, fields, s_group (groups, fields [0]));
    }
    s_tell (groups);
    free (asked);
    places_destroy (&places);
    return 0;
}
