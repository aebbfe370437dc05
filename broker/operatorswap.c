//  operatorswap - a new area file is read and checked on a thread of its own; only the swap is done between two tips
//
//  A map of a province takes seconds to check. The core goes on by the old areas meanwhile, and nothing waits, an sos least of all.

#include "operator_private.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli.h"
#include "mapfile.h"
#include "timefmt.h"

struct swap_t {
    pthread_t thread;
    int fd;                 //  readable when the work is done
    local_client_t *client; //  NULL once it has left: then nothing is swapped
    char *path;
    datum_t datum;
    uint64_t version;
    //  what the thread leaves
    char *bytes;
    size_t size;
    char reason [256]; //  why the file could not be read
    json_t *faults;
    areas_t *areas; //  NULL: fatal faults
};

static void s_fault (void *context, const areas_fault_t *fault)
{
    json_array_append_new (context,
        json_pack ("{s:s, s:i, s:s, s:s}", "fault", fault->fatal ? "error" : "warning", "feature", fault->feature, "station",
            fault->station, "text", fault->text));
}

static void *s_work (void *arg)
{
    swap_t *swap = arg;
    swap->bytes = mapfile_read (swap->path, &swap->size, swap->reason, sizeof swap->reason);
    if (swap->bytes)
        swap->areas = areas_load (swap->bytes, swap->size, swap->datum, swap->version, false, s_fault, swap->faults);
    uint64_t one = 1;
    if (write (swap->fd, &one, sizeof one) < 0)
        perror ("core: eventfd");
    return NULL;
}

static void s_free (swap_t *swap)
{
    areas_destroy (&swap->areas);
    json_decref (swap->faults);
    if (swap->fd >= 0)
        close (swap->fd);
    free (swap->bytes);
    free (swap->path);
    free (swap);
}

void operator_areas_load (core_t *self, local_client_t *client, json_t *request)
{
    const char *path = json_string_value (json_object_get (request, "file"));
    const char *name = json_string_value (json_object_get (request, "datum"));
    datum_t datum;
    if (!path || datum_parse (&datum, name ? name : "wgs84")) {
        operator_fail (client, EXIT_USAGE, "--datum: wgs84, gcj02 or bd09 would be right");
        return;
    }
    if (self->swap) {
        operator_fail (client, EXIT_FAILED, "another area file is being loaded; try again when it is done");
        return;
    }
    swap_t *swap = calloc (1, sizeof *swap);
    if (!swap)
        abort ();
    swap->client = client;
    swap->path = strdup (path);
    swap->datum = datum;
    swap->version = areas_version (engine_areas (self->engine)) + 1;
    swap->faults = json_array ();
    swap->fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (swap->fd < 0 || pthread_create (&swap->thread, NULL, s_work, swap)) {
        operator_fail (client, EXIT_FAILED, strerror (errno));
        s_free (swap);
        return;
    }
    self->swap = swap;
}

//  The record and the blob it names; the engine has the new areas from here on.
static void s_swap (core_t *self, swap_t *swap)
{
    uint8_t hash [32];
    take_t take;
    json_t *answer = json_pack ("{s:I, s:i, s:i}", "version", (json_int_t)swap->version, "areas", areas_count (swap->areas),
        "stations", areas_station_count (swap->areas));
    engine_swap_areas (self->engine, &swap->areas, swap->bytes, swap->size, swap->datum, time_now_ms (), hash, &take);
    effect_t effect = { .done = operator_done, .client = swap->client, .answer = answer };
    eventlog_append_blob (self->log, hash, (const uint8_t *)swap->bytes, swap->size);
    core_append (self, &take, &effect);
}

int swap_fd (const core_t *self)
{
    return self->swap ? self->swap->fd : -1;
}

void swap_finish (core_t *self, bool ending)
{
    swap_t *swap = self->swap;
    if (!swap)
        return;
    self->swap = NULL;
    pthread_join (swap->thread, NULL);
    size_t i;
    json_t *fault;
    if (swap->client)
        json_array_foreach (swap->faults, i, fault) local_send (swap->client, json_incref (fault));
    if (!swap->client)
        fprintf (stderr, "<5>core: who loaded %s has left; the areas in force stay\n", swap->path);
    else if (!swap->bytes)
        operator_fail (swap->client, EXIT_FAILED, swap->reason);
    else if (!swap->areas)
        operator_fail (swap->client, EXIT_FAILED, "the file has faults; the areas in force stay");
    else if (ending)
        operator_fail (swap->client, EXIT_FAILED, "the broker is ending; the areas in force stay");
    else
        s_swap (self, swap);
    s_free (swap);
}

void swap_gone (core_t *self, local_client_t *client)
{
    if (self->swap && self->swap->client == client)
        self->swap->client = NULL;
}
