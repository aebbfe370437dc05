//  meshreport - the state of the mesh as `mesh --json` shows it; its keys are a contract

#ifndef MESHREPORT_H_INCLUDED
#define MESHREPORT_H_INCLUDED

#include <jansson.h>
#include "mesh.h"
#include "meshlink.h"

//  What it is made from, all borrowed.
typedef struct {
    mesh_t *mesh;
    const meshlinks_t *links;
    const mesh_settings_t *settings;
    const uint64_t *offences; //  MESH_OFFENCES, of all neighbours
    size_t waiting;           //  for the broker's answer
    int letters;              //  kept for others
    int64_t now;              //  the core's clock
} meshreport_t;

//  The caller's.
json_t *meshreport (const meshreport_t *from);

#endif
