//  foebeacons - a flood of made-up and replayed beacons on loopback, some with somebody behind who tells wrong keys

#ifndef FOEBEACONS_H_INCLUDED
#define FOEBEACONS_H_INCLUDED

#include "device.h"

//  Does not return. Prints `heard` with each honest beacon that it replays under other ports.
void foebeacons_run (const device_t *device);

#endif
