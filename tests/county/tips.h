//  tips - plausible reports from the invented county, as JSON lines for `patrol-node import`

#ifndef TIPS_H_INCLUDED
#define TIPS_H_INCLUDED

#include <stdio.h>
#include "ground.h"

//  Writes count tips. now_ms is the moment they are written; 0 leaves out when things were seen, which keeps the output the
//  same on every day. About one in six is a second witness of a recent one, in other words.
void tips_write (const ground_t *ground, uint64_t seed, int count, int64_t now_ms, FILE *out);

#endif
