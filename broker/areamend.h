//  areamend - polygons that are not valid: repaired when no ground is in doubt, refused otherwise
//
//  A spike, a hole that shares an edge with its ring, parts that share an edge: GEOS's MakeValid writes the same ground in
//  another way. A ring that crosses itself between its points encloses two grounds, or one twice, and nothing says which was
//  meant. What tells them apart is the size: rings less holes as the file has them, against what GEOS made of them; up to
//  100 m2 and a hundredth of the polygon come from drawing. A ring that touches itself in one of its points is repaired whatever
//  the size: its loops are a hole where they lie inside and ground where they lie outside. How much changed is said.

#ifndef AREAMEND_H_INCLUDED
#define AREAMEND_H_INCLUDED

#include "areafile.h"

//  Looks at every polygon, in the file's own datum, so that its words lead to a place that can be found there. What is repaired
//  is a warning and has new parts and points at the end of the file's; what is not is fatal and marked broken.
void areamend (areafile_t *file, areafaults_t *faults, areas_progress_fn *progress, void *context);

#endif
