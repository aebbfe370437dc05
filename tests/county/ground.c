//  ground - the county as a whole, and what its parts share: dice, lines, positions

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include "ground.h"

const char *const county_zh = "澄溪县", *const county_en = "Chengxi County";

//  The invented county lies somewhere near here; nothing on the real ground is meant.
static const position_t s_middle = { 33.05, 109.42 };
static const double s_metres_a_degree = 111195.08;

ground_t *ground_new (uint64_t seed)
{
    ground_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    borders_draw (self, seed);
    land_draw (self, seed);
    return self;
}

void ground_destroy (ground_t **self_p)
{
    assert (self_p);
    ground_t *self = *self_p;
    if (!self)
        return;
    for (int town = 0; town < TOWNS; town++)
        line_clear (&self->towns [town].ring);
    for (int river = 0; river < RIVERS; river++)
        line_clear (&self->river [river]);
    for (int road = 0; road < ROADS; road++)
        line_clear (&self->road [road]);
    line_clear (&self->outline);
    line_clear (&self->trunk);
    free (self);
    *self_p = NULL;
}

spot_t ground_spot (const ground_t *self, uint64_t *dice, int *town)
{
    //  Towns are drawn first, evenly, so that a small one is not left without work
    *town = dice_below (dice, TOWNS);
    const line_t *ring = &self->towns [*town].ring;
    spot_t low = ring->spots [0], high = low;
    for (size_t i = 1; i < ring->count; i++) {
        low.x = fmin (low.x, ring->spots [i].x);
        low.y = fmin (low.y, ring->spots [i].y);
        high.x = fmax (high.x, ring->spots [i].x);
        high.y = fmax (high.y, ring->spots [i].y);
    }
    for (;;) {
        spot_t spot = { dice_between (dice, low.x, high.x), dice_between (dice, low.y, high.y) };
        if (ring_covers (ring, spot))
            return spot;
    }
}

int ground_town_at (const ground_t *self, spot_t spot)
{
    for (int town = 0; town < TOWNS; town++)
        if (ring_covers (&self->towns [town].ring, spot))
            return town;
    return -1;
}

position_t ground_position (spot_t spot)
{
    return (position_t){ s_middle.lat + spot.y / s_metres_a_degree,
        s_middle.lon + spot.x / (s_metres_a_degree * cos (s_middle.lat * M_PI / 180)) };
}

spot_t ground_spot_of (position_t position)
{
    return (spot_t){ (position.lon - s_middle.lon) * s_metres_a_degree * cos (s_middle.lat * M_PI / 180),
        (position.lat - s_middle.lat) * s_metres_a_degree };
}

uint64_t dice_next (uint64_t *dice)
{
    uint64_t z = (*dice += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

double dice_unit (uint64_t *dice)
{
    return (double)(dice_next (dice) >> 11) / 9007199254740992.0;
}

double dice_between (uint64_t *dice, double low, double high)
{
    return low + (high - low) * dice_unit (dice);
}

int dice_below (uint64_t *dice, int count)
{
    return (int)(dice_unit (dice) * count);
}

void line_add (line_t *self, spot_t spot)
{
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 32;
        self->spots = realloc (self->spots, self->room * sizeof *self->spots);
        if (!self->spots)
            abort ();
    }
    self->spots [self->count++] = spot;
}

void line_clear (line_t *self)
{
    free (self->spots);
    *self = (line_t){ 0 };
}

bool ring_covers (const line_t *ring, spot_t spot)
{
    bool inside = false;
    for (size_t i = 0, j = ring->count - 1; i < ring->count; j = i++) {
        spot_t a = ring->spots [i], b = ring->spots [j];
        if ((a.y > spot.y) != (b.y > spot.y) && spot.x < (b.x - a.x) * (spot.y - a.y) / (b.y - a.y) + a.x)
            inside = !inside;
    }
    return inside;
}

double spot_apart (spot_t a, spot_t b)
{
    return hypot (a.x - b.x, a.y - b.y);
}
