//  meshtarget - where a neighbour may be: the configured peers, and the places that beacons came from
//
//  A table of fixed size. Beacons can be made up by the thousand, so who gives way to a new place is one that has been
//  called in vain, or is not heard any more, or of the host that has most of the table; never a configured or a linked one.

#ifndef MESHTARGET_H_INCLUDED
#define MESHTARGET_H_INCLUDED

#include "beacon.h"

#define MESHTARGETS_MAX 128

typedef struct {
    bool used, configured;
    char host [48];
    uint32_t address; //  the same as a number
    uint16_t port;
    uint8_t token [BEACON_TOKEN]; //  of its last beacon
    uint8_t routing [BEACON_ROUTING];
    bool has_routing, has_who;
    bool anyway; //  asked although there are links enough
    uint8_t who [KEY_SIZE]; //  link key of who answered there last
    int64_t heard_ms, due_ms, seen_ms;
    unsigned failures;
    uint8_t nonce [KEY_NONCE];
    int64_t asked_ms; //  0: no key datagram is out
    uint32_t peer;    //  being dialled or linked by us, 0 none
} meshtarget_t;

typedef struct {
    meshtarget_t all [MESHTARGETS_MAX];
} meshtargets_t;

//  "tcp://A.B.C.D:PORT" or "tcp://localhost:PORT". False with what would be right said by the caller.
bool meshtarget_ok (const char *endpoint);
//  The index-th configured peer, an endpoint as meshtarget_ok takes it; before any beacon.
void meshtargets_configure (meshtargets_t *self, const char *endpoint, int index);
//  The place that a beacon came from, a new one if need be. NULL while there is no room for it.
meshtarget_t *meshtargets_at (meshtargets_t *self, const char *host, uint16_t port, int64_t now_ms);
//  It was called in vain: the next time is later, by twice as much each time up to eight seconds.
void meshtarget_put_off (meshtarget_t *target, int64_t now_ms);

#endif
