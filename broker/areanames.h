//  areanames - in which named areas a point lies: county, town, village, grid

#ifndef AREANAMES_H_INCLUDED
#define AREANAMES_H_INCLUDED

#include "areas.h"

//  "旬阳县 蜀河镇 老街网格": names of the polygons in force that cover the position, whatever kinds they take, from large to small,
//  up to counties (level 2), each name once, divided by spaces; "" if there is none. What does not fit is left out.
void areanames_at (const areas_t *self, position_t position, int64_t when_ms, char *out, size_t room);

#endif
