//  city - replays a contact trace through the routing core; trace.h has the files, replay.h the rules
//
//    city --contacts FILE --messages FILE [--positions FILE] --gateways N [--log FILE] [OPTION VALUE ...]

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "replay.h"

typedef struct {
    const char *name;
    double *value;
    const char *about;
} option_t;

int main (int argc, char **argv)
{
    const char *contacts = NULL, *messages = NULL, *positions = NULL, *log_path = NULL;
    double gateways = 0, buffer = 0, slot = 0.2, rate = 250000, beacon = 2, epoch = 300, epoch_sos = 300, epoch_ids = 64;
    double sos = 0, urgent = 0, normal = 0, bulk = 0, handover = 0, late = 0, flood = 0;
    const option_t options [] = { { "--gateways", &gateways, "" }, { "--buffer", &buffer, "" }, { "--slot", &slot, "" }, { "--rate", &rate, "" },
        { "--beacon", &beacon, "" }, { "--epoch", &epoch, "" }, { "--epoch-sos", &epoch_sos, "" }, { "--epoch-ids", &epoch_ids, "" }, { "--sos", &sos, "" },
        { "--urgent", &urgent, "" }, { "--normal", &normal, "" }, { "--bulk", &bulk, "" }, { "--handover", &handover, "" }, { "--late", &late, "" }, { "--sos-flood", &flood, "" } };
    for (int index = 1; index < argc; index++) {
        const char *value = index + 1 < argc ? argv [index + 1] : "";
        const char **path = strcmp (argv [index], "--contacts") == 0 ? &contacts : strcmp (argv [index], "--messages") == 0 ? &messages
                            : strcmp (argv [index], "--positions") == 0 ? &positions : strcmp (argv [index], "--log") == 0 ? &log_path : NULL;
        if (path)
            *path = value;
        else {
            size_t at = 0;
            while (at < sizeof options / sizeof options [0] && strcmp (options [at].name, argv [index]) != 0)
                at++;
            if (at == sizeof options / sizeof options [0]) {
                fprintf (stderr, "city: %s: no such option\n", argv [index]);
                return 2;
            }
            *options [at].value = strtod (value, NULL);
        }
        index++;
    }
    trace_t trace;
    if (sodium_init () < 0 || trace_load (&trace, contacts, messages, positions) < 0)
        return 1;
    replay_settings_t settings = { .gateways = (uint32_t)gateways, .slot_ms = (int64_t)(slot * 1000), .rate = rate, .beacon_ms = (int64_t)(beacon * 1000),
        .epoch_ms = (int64_t)(epoch * 1000), .epoch_sos_ms = (int64_t)(epoch_sos * 1000), .epoch_ids = (uint32_t)epoch_ids };
    settings.mesh = (mesh_settings_t){ .buffer_bytes = (uint64_t)buffer, .tokens = { (uint16_t)sos, (uint16_t)urgent, (uint16_t)normal, (uint16_t)bulk },
        .handover_percent = (uint32_t)handover, .late_percent = (uint32_t)late, .sos_flood = (uint32_t)flood };
    FILE *log = log_path ? fopen (log_path, "we") : NULL;
    replay_result_t r;
    replay_run (&trace, &settings, log, &r);
    if (log)
        fclose (log);
    double d = r.delivered ? (double)r.delivered : 1;
    printf ("delivered %.4f latency %.1f transfers/tip %.2f control/tip %.0f cut %llu refused %llu evicted %llu epochs %llu held %llu\n",
        (double)r.delivered / (double)trace.message_count, r.latency_sum / d, (double)r.transfers / d - 1, (double)r.control / d,
        (unsigned long long)r.cut, (unsigned long long)r.refused, (unsigned long long)r.evicted, (unsigned long long)r.epochs, (unsigned long long)r.most_held);
    static const char *const names [] = { "head", "hello", "offer", "want", "epoch", "ack", "revoked", "places", "single", "ask" };
    for (unsigned type = 0; type < 10; type++)
        printf ("%s %.0f ", names [type], (double)r.control_by_type [type] / d);
    printf ("\noffences");
    for (unsigned kind = 0; kind < MESH_OFFENCES; kind++)
        printf (" %llu", (unsigned long long)r.offences [kind]);
    printf ("\n");
    trace_clear (&trace);
    return 0;
}
