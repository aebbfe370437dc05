//  gpsd - where this node is, from a gpsd on this machine or the next one
//
//  The JSON over TCP of gpsd_json(5), one object a line. libgps is not linked: it would bring libdbus and libstdc++ into every node,
//  and its gps_open () blocks. Whoever answers at that port is not trusted: lines are bounded, what is not a finite position on this
//  earth is passed over, and so is a fix that was told before.

#ifndef GPSD_H_INCLUDED
#define GPSD_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

typedef struct gpsd_t gpsd_t;
typedef void gpsd_fix_fn (void *context, int32_t lat_e7, int32_t lon_e7); //  WGS-84, degrees times 10^7

//  "ADDRESS:PORT", an IPv6 address in brackets, or "localhost:PORT". NULL if it is none.
gpsd_t *gpsd_new (const char *endpoint);
void gpsd_destroy (gpsd_t **self_p);

//  At most one poll item; lowers *timeout_ms. Connects when it is time to.
int gpsd_items (gpsd_t *self, zmq_pollitem_t *item, long *timeout_ms, int64_t now_mono_ms);
//  Reads what is there; `fix` is called for one new fix in 30 s at most: the mesh takes a pace from two of them.
void gpsd_process (gpsd_t *self, gpsd_fix_fn *fix, void *context, int64_t now_mono_ms);

//  One line, without its end. Returns 0 and a position if it tells one that is not `time_told` (32 bytes, updated).
int gpsd_parse (const char *line, size_t size, char time_told [32], int32_t *lat_e7, int32_t *lon_e7);

bool gpsd_connected (const gpsd_t *self);
//  -1 = none yet on this connection.
int64_t gpsd_fix_age_ms (const gpsd_t *self, int64_t now_mono_ms);

#endif
