//  picture - what the county looks like to people and to programs: SVG, GeoJSON, CSV

#ifndef PICTURE_H_INCLUDED
#define PICTURE_H_INCLUDED

#include <stdio.h>
#include "ground.h"

//  Areas as `patrol-broker areas load` wants them: the county, its towns, the trunk road, two checkpoints.
void areas_write (const ground_t *ground, FILE *out);
//  Places as `patrol-broker places load` wants them.
void places_write (const ground_t *ground, FILE *out);

//  A map in SVG. `incidents` may be NULL; else JSON lines as `patrol-desk watch --json` prints them: those with type tip
//  and a position are plotted. Returns -1 with one line on stderr when a line is not JSON.
int map_write (const ground_t *ground, FILE *incidents, FILE *out);

#endif
