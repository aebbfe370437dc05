//  areaderive - areas where none are drawn: to each station the ground that is nearer to it than to any other, cut to an outline
//
//  Stations are a CSV file with a header: `id` (or `station`, `district`), `lat` (`latitude`), `lon` (`lng`, `longitude`) and,
//  if there is one, `name`; other columns are passed over, capitals do not matter. The outline is GeoJSON: every Polygon and
//  MultiPolygon of a FeatureCollection, a Feature or a bare geometry, joined.
//
//  Nearest is meant in metres: both files are laid on a plane at the middle of the outline, azimuthal equidistant (Snyder, Map
//  Projections, USGS 1395, p. 191-202) on the sphere of geodesy.h, and GEOS's Voronoi diagram of the stations is cut there. At r from
//  the middle the plane stretches by (r / R)^2 / 6: 1e-5 at 50 km, 4e-3 at 1,000 km, which is the farthest an outline may reach.

#ifndef AREADERIVE_H_INCLUDED
#define AREADERIVE_H_INCLUDED

#include "areas.h"

//  Returns an area file in WGS-84 (every feature with `"derived": true`), one line, a feature a line, for free; or NULL after a
//  fatal fault. Faults of the stations are told with feature -1 and begin with their line. stations is changed by reading and has
//  one writable byte at its end. Both files are in the datum given.
char *areaderive_make (char *stations, size_t stations_size, const char *outline, size_t outline_size, datum_t datum,
    areas_fault_fn *fault, areas_progress_fn *progress, void *context);

#endif
