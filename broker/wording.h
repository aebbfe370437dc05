//  wording - what it says about two reports of a kind that their texts are alike
//
//  A likeness tells as much as it is rare. Where everybody writes "help, quick" two such texts are no evidence; where reports are told in
//  people's own words, half of them in common is. So how alike the texts of different incidents are is counted, per kind, as they come.
//  One person in two writes of the same thing as others write of anything; else any degree of likeness is as likely as another.

#ifndef WORDING_H_INCLUDED
#define WORDING_H_INCLUDED

#include "likeness.h"

#define WORDING_KEPT 8 //  texts of the latest incidents of a kind, to compare the next one with

typedef struct {
    double count [LIKENESS_MOST + 1], sum; //  pairs of different incidents, by degree
    uint64_t kept [WORDING_KEPT];
    uint32_t next;
} wording_t;

void wording_init (wording_t *self);
//  An incident began with this text.
void wording_add (wording_t *self, uint64_t sketch);
//  What two sketches do to a ratio of likelihoods: one report of the other's incident against one of an incident of its own.
//  1 when they cannot be compared.
double wording_weight (const wording_t *self, uint64_t a, uint64_t b);

#endif
