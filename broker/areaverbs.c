#include "areaverbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "areaderive.h"
#include "mapfile.h"

typedef struct {
    cli_t *cli;
    progress_t progress;
    int errors, warnings;
} s_telling_t;

void areaverbs_print_fault (const char *what, int64_t feature, const char *station, const char *words)
{
    char where [80] = "";
    if (feature >= 0)
        snprintf (where, sizeof where, "feature %" PRId64 "%s%s%s: ", feature, station [0] ? " (" : "", station,
            station [0] ? ")" : "");
    fprintf (stderr, "patrol-broker: %s: %s%s\n", what, where, words);
}

static void s_fault (void *context, const areas_fault_t *fault)
{
    s_telling_t *telling = context;
    const char *what = fault->fatal ? "error" : "warning";
    telling->errors += fault->fatal;
    telling->warnings += !fault->fatal;
    if (cli_json (telling->cli)) {
        json_t *line = json_pack ("{s:s, s:i, s:s, s:s}", "fault", what, "feature", fault->feature, "station",
            fault->station, "text", fault->text);
        cli_print_json (line);
        json_decref (line);
    } else
        areaverbs_print_fault (what, fault->feature, fault->station, fault->text);
}

static void s_progress (void *context, int done, int total)
{
    s_telling_t *telling = context;
    telling->progress.total = total;
    progress_step (&telling->progress, done);
}

static int s_datum (cli_t *cli, datum_t *datum)
{
    const char *name = cli_text (cli, "datum");
    if (datum_parse (datum, name ? name : "wgs84"))
        return cli_usage_error (cli, "--datum \"%s\": wgs84, gcj02 or bd09 would be right", name);
    return EXIT_DONE;
}

static char *s_read (cli_t *cli, const char *file, size_t *size)
{
    char reason [256];
    char *bytes = mapfile_read (file, size, reason, sizeof reason);
    if (!bytes)
        cli_error (cli, EXIT_FAILED, "%s", reason);
    return bytes;
}

int areaverbs_load (cli_t *cli, const char *file, areas_t **areas)
{
    datum_t datum;
    size_t size;
    s_telling_t telling = { .cli = cli };
    if (s_datum (cli, &datum))
        return EXIT_USAGE;
    char *bytes = s_read (cli, file, &size);
    if (!bytes)
        return EXIT_FAILED;
    *areas = areas_load (bytes, size, datum, 1, false, s_fault, &telling);
    free (bytes);
    return *areas ? EXIT_DONE : cli_error (cli, EXIT_FAILED, "%s: has faults", file);
}

int areaverbs_check (cli_t *cli)
{
    char **operands;
    datum_t datum;
    size_t size;
    s_telling_t telling = { .cli = cli };
    cli_operands (cli, &operands);
    if (s_datum (cli, &datum))
        return EXIT_USAGE;
    char *bytes = s_read (cli, operands [0], &size);
    if (!bytes)
        return EXIT_FAILED;
    progress_begin (&telling.progress, operands [0], 1);
    areas_t *areas = areas_check (bytes, size, datum, s_fault, s_progress, &telling);
    progress_end (&telling.progress);
    free (bytes);
    if (cli_json (cli)) {
        json_t *line
            = json_pack ("{s:b, s:i, s:i}", "ok", areas != NULL, "errors", telling.errors, "warnings", telling.warnings);
        if (areas) {
            json_object_set_new (line, "areas", json_integer (areas_count (areas)));
            json_object_set_new (line, "stations", json_integer (areas_station_count (areas) - 1));
        }
        cli_print_json (line);
        json_decref (line);
    } else if (areas) {
        printf (text_format (T_BROKER_AREAS_FINE), operands [0], areas_count (areas), areas_station_count (areas) - 1);
        if (telling.warnings)
            printf (text_format (T_BROKER_AREAS_WARNINGS), telling.warnings);
    }
    int rc = areas ? EXIT_DONE : cli_error (cli, EXIT_FAILED, "%s: has faults", operands [0]);
    areas_destroy (&areas);
    return rc;
}

//  The file is there whole or not at all: it is written beside its place and moved.
static int s_write (cli_t *cli, const char *path, const char *text)
{
    char *beside = NULL;
    if (asprintf (&beside, "%s.XXXXXX", path) < 0)
        abort ();
    int fd = mkostemp (beside, O_CLOEXEC);
    FILE *file = fd >= 0 ? fdopen (fd, "w") : NULL;
    bool ok = file && fchmod (fd, 0644) == 0 && fputs (text, file) >= 0;
    if (file)
        ok = fclose (file) == 0 && ok;
    ok = ok && rename (beside, path) == 0;
    int rc = ok ? EXIT_DONE : cli_error (cli, EXIT_FAILED, "%s: %s", path, strerror (errno));
    if (!ok && fd >= 0)
        unlink (beside);
    free (beside);
    return rc;
}

//  What was made is read as any area file is; that it can be is our business, not the operator's.
static int s_hand_over (cli_t *cli, const char *text)
{
    areas_t *areas = areas_load (text, strlen (text), DATUM_WGS84, 1, false, NULL, NULL);
    if (!areas)
        return cli_error (cli, EXIT_FAILED, "the areas that were derived cannot be read back");
    int count = areas_count (areas), rc = EXIT_DONE;
    areas_destroy (&areas);
    const char *path = cli_text (cli, "o");
    if (!path)
        fputs (text, stdout);
    else
        rc = s_write (cli, path, text);
    if (rc == EXIT_DONE && path && cli_json (cli)) {
        json_t *line = json_pack ("{s:s, s:i}", "file", path, "areas", count);
        cli_print_json (line);
        json_decref (line);
    } else if (rc == EXIT_DONE && path)
        printf (text_format (T_BROKER_AREAS_DERIVED), path, count);
    return rc;
}

int areaverbs_derive (cli_t *cli)
{
    char **operands;
    datum_t datum;
    size_t stations_size, outline_size;
    s_telling_t telling = { .cli = cli };
    cli_operands (cli, &operands);
    const char *outline_file = cli_text (cli, "outline");
    if (!outline_file)
        return cli_usage_error (cli, "--outline FILE.geojson is needed: the ground that is to be divided");
    if (s_datum (cli, &datum))
        return EXIT_USAGE;
    char *stations = s_read (cli, operands [0], &stations_size);
    char *outline = stations ? s_read (cli, outline_file, &outline_size) : NULL;
    char *text = NULL;
    if (outline) {
        progress_begin (&telling.progress, operands [0], 1);
        text = areaderive_make (stations, stations_size, outline, outline_size, datum, s_fault, s_progress, &telling);
        progress_end (&telling.progress);
    }
    int rc = text ? s_hand_over (cli, text)
        : outline ? cli_error (cli, EXIT_FAILED, "%s: no areas could be derived", operands [0])
                  : EXIT_FAILED;
    free (text);
    free (outline);
    free (stations);
    return rc;
}
