//  replay - a scenario played through the routing core that ships: links, transfer times, a broker that signs receipts
//
//  One process, one thread, no clock: the same input gives the same log. A node takes part in one transfer at a time, which
//  takes max (slot, size / rate); frames pass at once; a beacon is heard when a contact begins and each beacon_ms.

#ifndef REPLAY_H_INCLUDED
#define REPLAY_H_INCLUDED

#include <stdio.h>
#include "mesh.h"
#include "trace.h"

typedef struct {
    uint32_t gateways; //  nodes 0 to gateways - 1
    int64_t slot_ms;
    double rate; //  bytes a second
    int64_t beacon_ms;
    int64_t epoch_ms;     //  the broker closes an epoch that long after its first receipt,
    int64_t epoch_sos_ms; //  or that long after its first sos,
    uint32_t epoch_ids;   //  or with so many
    mesh_settings_t mesh;
} replay_settings_t;

typedef struct {
    uint64_t transfers, useful_bytes, wasted_bytes, cut, refused;
    uint64_t control, control_by_type [16], frames;
    uint64_t offences [MESH_OFFENCES];
    uint64_t delivered, evicted, epochs;
    uint64_t most_held; //  bytes in one mobile node
    double latency_sum;
} replay_result_t;

//  log may be NULL; it is what tools/mesh/check.py reads.
void replay_run (const trace_t *trace, const replay_settings_t *settings, FILE *log, replay_result_t *result);

#endif
