//  city - replays a contact trace through the routing core that ships, and prints what it cost
//
//    city --contacts FILE --messages FILE --gateways N [--positions FILE] [--log FILE] [--OPTION NUMBER ...]
//
//  Start here; trace.h has the files, replay.h the rules of the game. Exit status 2: usage, 1: a file is wrong.

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "replay.h"

typedef struct {
    const char *contacts, *messages, *positions, *log;
    double gateways, buffer, slot, rate, beacon, epoch, epoch_sos, epoch_ids;
    double normal, handover, late, flood, no_position;
} arguments_t;

typedef struct {
    const char *name;
    const char **text;
    double *number;
    double low, high;
    const char *about;
} option_t;

#define OPTIONS(a)                                                                                        \
    {                                                                                                     \
        { "--contacts", &(a)->contacts, NULL, 0, 0, "FILE: time a b up|down" },                           \
            { "--messages", &(a)->messages, NULL, 0, 0, "FILE: time id src size class life" },            \
            { "--positions", &(a)->positions, NULL, 0, 0, "FILE: time node x y, metres" },                \
            { "--log", &(a)->log, NULL, 0, 0, "FILE: every transfer, drop, control frame and receipt" },  \
            { "--gateways", NULL, &(a)->gateways, 0, 1e5, "nodes 0 to N - 1 have a link to the broker" }, \
            { "--buffer", NULL, &(a)->buffer, 0, 1e12, "bytes of a mobile node" },                        \
            { "--slot", NULL, &(a)->slot, 0.001, 60, "seconds a transfer takes at least (0.2)" },         \
            { "--rate", NULL, &(a)->rate, 1, 1e9, "bytes a second of a link (250000)" },                  \
            { "--beacon", NULL, &(a)->beacon, 0.1, 3600, "seconds between beacons (2)" },                 \
            { "--epoch", NULL, &(a)->epoch, 1, 86400, "seconds to a receipt epoch's end (300)" },         \
            { "--epoch-sos", NULL, &(a)->epoch_sos, 1, 86400, "the same with an sos in it (60)" },        \
            { "--epoch-ids", NULL, &(a)->epoch_ids, 1, 1024, "receipts that end an epoch at once (64)" }, \
            { "--normal", NULL, &(a)->normal, 1, 1024, "copies of a normal tip (16)" },                   \
            { "--handover", NULL, &(a)->handover, 1, 100, "percent, see mesh.h (60)" },                   \
            { "--late", NULL, &(a)->late, 1, 100, "percent of life (25)" },                               \
            { "--sos-flood", NULL, &(a)->flood, 1, 1e6, "sos of one origin without a budget (8)" },       \
            { "--no-position", NULL, &(a)->no_position, 0, 1, "1: positions are not used" },              \
    }

static int s_usage (const option_t *options, size_t count, const char *wrong)
{
    fprintf (stderr, "city: %s\n", wrong);
    for (size_t index = 0; index < count; index++)
        fprintf (stderr, "  %-14s %s\n", options [index].name, options [index].about);
    return -1;
}

static int s_parse (arguments_t *arguments, int argc, char **argv)
{
    const option_t options [] = OPTIONS (arguments);
    size_t count = sizeof options / sizeof options [0];
    for (int index = 1; index < argc; index += 2) {
        size_t at = 0;
        while (at < count && strcmp (options [at].name, argv [index]) != 0)
            at++;
        if (at == count || index + 1 == argc)
            return s_usage (options, count, at == count ? "no such option" : "the last option has no value");
        if (options [at].text) {
            *options [at].text = argv [index + 1];
            continue;
        }
        char *end;
        double number = strtod (argv [index + 1], &end);
        if (*end || end == argv [index + 1] || !(number >= options [at].low && number <= options [at].high)) {
            fprintf (stderr, "city: %s: a number from %g to %g\n", options [at].name, options [at].low, options [at].high);
            return -1;
        }
        *options [at].number = number;
    }
    if (!arguments->contacts || !arguments->messages)
        return s_usage (options, count, "--contacts and --messages are needed");
    return 0;
}

static void s_print (const trace_t *trace, const replay_result_t *result)
{
    static const char *const types []
        = { "head", "hello", "offer", "want", "epoch", "ack", "revoked", "places", "one", "ask" };
    static const char *const offences [MESH_OFFENCES] = { "bad-frame", "forged-epoch", "replayed-epoch", "minted-tokens",
        "too-many-ids", "too-many-tips", "unasked-tip", "stalled", "bad-tip", "no-receipts" };
    double delivered = result->delivered ? (double)result->delivered : 1;
    printf ("created\t%zu\ndelivered\t%llu\n", trace->message_count, (unsigned long long)result->delivered);
    printf ("latency_mean\t%.1f\n", result->latency_sum / delivered);
    printf ("transfers\t%llu\ncut\t%llu\nrefused\t%llu\n", (unsigned long long)result->transfers,
        (unsigned long long)result->cut, (unsigned long long)result->refused);
    printf ("overhead\t%.2f\n", ((double)result->transfers - (double)result->delivered) / delivered);
    printf ("control\t%llu\ncontrol_per_delivered\t%.0f\n", (unsigned long long)result->control,
        (double)result->control / delivered);
    double all = (double)(result->useful_bytes + result->wasted_bytes + result->control);
    printf ("useful_share\t%.4f\n", all > 0 ? (double)result->useful_bytes / all : 0);
    printf ("most_held\t%llu\nevicted\t%llu\nepochs\t%llu\n", (unsigned long long)result->most_held,
        (unsigned long long)result->evicted, (unsigned long long)result->epochs);
    for (unsigned type = 0; type < sizeof types / sizeof types [0]; type++)
        printf ("control_%s\t%llu\n", types [type], (unsigned long long)result->control_by_type [type]);
    for (unsigned kind = 0; kind < MESH_OFFENCES; kind++)
        printf ("offence_%s\t%llu\n", offences [kind], (unsigned long long)result->offences [kind]);
}

int main (int argc, char **argv)
{
    arguments_t a = { .slot = 0.2, .rate = 250000, .beacon = 2, .epoch = 300, .epoch_sos = 60, .epoch_ids = 64 };
    if (s_parse (&a, argc, argv) < 0)
        return 2;
    trace_t trace;
    if (sodium_init () < 0 || trace_load (&trace, a.contacts, a.messages, a.positions) < 0)
        return 1;
    FILE *log = a.log ? fopen (a.log, "we") : NULL;
    if (a.log && !log) {
        fprintf (stderr, "city: %s: cannot be written\n", a.log);
        trace_clear (&trace);
        return 1;
    }
    replay_settings_t settings = { .gateways = (uint32_t)a.gateways,
        .slot_ms = (int64_t)(a.slot * 1000 + 0.5),
        .rate = a.rate,
        .beacon_ms = (int64_t)(a.beacon * 1000),
        .epoch_ms = (int64_t)(a.epoch * 1000),
        .epoch_sos_ms = (int64_t)(a.epoch_sos * 1000),
        .epoch_ids = (uint32_t)a.epoch_ids };
    settings.mesh = (mesh_settings_t){ .buffer_bytes = (uint64_t)a.buffer,
        .tokens = { 0, 0, (uint16_t)a.normal, 0 },
        .handover_percent = (uint32_t)a.handover,
        .late_percent = (uint32_t)a.late,
        .sos_flood = (uint32_t)a.flood,
        .no_position = a.no_position > 0 };
    replay_result_t result;
    replay_run (&trace, &settings, log, &result);
    s_print (&trace, &result);
    trace_clear (&trace);
    if (log && fclose (log) != 0) {
        fprintf (stderr, "city: %s: not written whole\n", a.log);
        return 1;
    }
    return 0;
}
