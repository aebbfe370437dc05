//  meshplace - see meshplace.h

#include <math.h>
#include "meshplace.h"

#define METRES_E7 0.0111319490793 //  per 1e-7 degree of latitude; plane geometry does for some kilometres
#define FRESH_MS 120000
#define SAME_M 50.0
#define DETOUR 1.4   //  streets against the straight line
#define WALK 0.7     //  m/s, for who does not come nearer now
#define TURN_S 600.0 //  and what it takes until he does
#define RADIAN_E7 (3.14159265358979323846 / 180e7)

static void s_vector (const meshplace_t *self, int32_t lat_e7, int32_t lon_e7, double *north, double *east)
{
    *north = ((double)lat_e7 - self->lat_e7) * METRES_E7;
    *east = ((double)lon_e7 - self->lon_e7) * METRES_E7 * cos (self->lat_e7 * RADIAN_E7);
}

void meshplace_fix (meshplace_t *self, int32_t lat_e7, int32_t lon_e7, int64_t now)
{
    if (self->known && now > self->at && now - self->at <= FRESH_MS) {
        double seconds = (double)(now - self->at) / 1000;
        s_vector (self, lat_e7, lon_e7, &self->north, &self->east);
        self->north /= seconds;
        self->east /= seconds;
        self->moving = true;
    } else if (!self->known || now > self->at)
        self->moving = false;
    self->known = true;
    self->lat_e7 = lat_e7;
    self->lon_e7 = lon_e7;
    self->at = now;
}

void meshplace_learn (meshplace_t *self, meshwire_place_t place)
{
    for (uint32_t index = 0; index < self->place_count; index++) {
        double north = ((double)place.lat_e7 - self->places [index].lat_e7) * METRES_E7;
        double east = ((double)place.lon_e7 - self->places [index].lon_e7) * METRES_E7 * cos (place.lat_e7 * RADIAN_E7);
        if (hypot (north, east) < SAME_M)
            return;
    }
    if (self->place_count < MESHWIRE_PLACES_MAX)
        self->places [self->place_count++] = place;
}

uint32_t meshplace_seconds (const meshplace_t *self, int64_t now)
{
    double best = INFINITY;
    if (!self->known || now - self->at > FRESH_MS)
        return UINT32_MAX;
    for (uint32_t index = 0; index < self->place_count; index++) {
        double north, east;
        s_vector (self, self->places [index].lat_e7, self->places [index].lon_e7, &north, &east);
        double metres = hypot (north, east);
        double closing = self->moving && metres > 1 ? (self->north * north + self->east * east) / metres : 0;
        double seconds = closing > WALK ? metres * DETOUR / closing : metres * DETOUR / WALK + TURN_S;
        if (seconds < best)
            best = seconds;
    }
    return best < UINT32_MAX / 2 ? (uint32_t)best + 2 : UINT32_MAX;
}
