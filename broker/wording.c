//  wording - counts of likeness between incidents

#include "wording.h"

#include <string.h>

#define OWN_WORDS 0.5     //  share of reports that have more in common than chance
#define BELIEVED 30.0     //  pairs that the first guess counts for
#define REMEMBERED 4000.0 //  pairs; older ones fade
#define MOST 20.0

//  The first guess, of reports in people's own words.
static const double s_guess [LIKENESS_MOST + 1] = { 0.6, 0.24, 0.09, 0.04, 0.015, 0.007, 0.004, 0.002, 0.002 };

void wording_init (wording_t *self)
{
    memset (self, 0, sizeof *self);
    for (int i = 0; i <= LIKENESS_MOST; i++)
        self->count [i] = s_guess [i] * BELIEVED;
    self->sum = BELIEVED;
}

void wording_add (wording_t *self, uint64_t sketch)
{
    if (!sketch)
        return;
    //  One of each: a burst about one event that was not seen to be one must not pass for what is usual.
    int degree = likeness_degree (sketch, self->kept [self->next]);
    self->kept [self->next] = sketch;
    self->next = (self->next + 1) % WORDING_KEPT;
    if (degree < 0)
        return;
    self->count [degree]++;
    self->sum++;
    if (self->sum > REMEMBERED) {
        for (int i = 0; i <= LIKENESS_MOST; i++)
            self->count [i] /= 2;
        self->sum /= 2;
    }
}

double wording_weight (const wording_t *self, uint64_t a, uint64_t b)
{
    int degree = likeness_degree (a, b);
    if (degree < 0)
        return 1;
    double weight = OWN_WORDS + (1 - OWN_WORDS) / (LIKENESS_MOST + 1) * self->sum / self->count [degree];
    return weight < MOST ? weight : MOST;
}
