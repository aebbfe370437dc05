//  meshplace - see meshplace.h

#include <math.h>
#include "meshplace.h"

#define METRES_E7 0.0111319490793 //  per 1e-7 degree of latitude; plane geometry does for some kilometres
#define FRESH_MS 120000
#define SAME_M 50.0
#define STILL_MS 600000
#define DETOUR 1.4     //  streets against the straight line
#define WALK 0.7       //  m/s; slower is no heading
#define FASTEST 70.0   //  m/s; faster is no pace but two fixes of which one is wrong
#define STRAIGHT 0.7   //  of the own pace: within 45 degrees of the straight line
#define DOUBT_M 1000.0 //  so far away the way is twice as uncertain
#define RADIAN_E7 (3.14159265358979323846 / 180e7)

static void s_vector (const meshplace_t *self, int32_t lat_e7, int32_t lon_e7, double *north, double *east)
{
    *north = ((double)lat_e7 - self->lat_e7) * METRES_E7;
    *east = ((double)lon_e7 - self->lon_e7) * METRES_E7 * cos (self->lat_e7 * RADIAN_E7);
}

static double s_metres (meshwire_place_t one, meshwire_place_t other)
{
    double north = ((double)one.lat_e7 - other.lat_e7) * METRES_E7;
    double east = ((double)one.lon_e7 - other.lon_e7) * METRES_E7 * cos (one.lat_e7 * RADIAN_E7);
    return hypot (north, east);
}

void meshplace_fix (meshplace_t *self, int32_t lat_e7, int32_t lon_e7, int64_t now)
{
    if (self->known && now > self->at && now - self->at <= FRESH_MS) {
        double seconds = (double)(now - self->at) / 1000;
        s_vector (self, lat_e7, lon_e7, &self->north, &self->east);
        self->north /= seconds;
        self->east /= seconds;
        self->moving = hypot (self->north, self->east) <= FASTEST;
    } else if (!self->known || now > self->at)
        self->moving = false;
    if (!self->known
        || s_metres ((meshwire_place_t){ self->still_lat_e7, self->still_lon_e7 }, (meshwire_place_t){ lat_e7, lon_e7 })
            > SAME_M) {
        self->still_lat_e7 = lat_e7;
        self->still_lon_e7 = lon_e7;
        self->still_since = now;
    }
    self->known = true;
    self->lat_e7 = lat_e7;
    self->lon_e7 = lon_e7;
    self->at = now;
}

void meshplace_learn (meshplace_t *self, meshwire_place_t place)
{
    for (uint32_t index = 0; index < self->place_count; index++)
        if (s_metres (self->places [index], place) < SAME_M)
            return;
    if (self->place_count < MESHWIRE_PLACES_MAX)
        self->places [self->place_count++] = place;
}

void meshplace_learn_own (meshplace_t *self, int64_t now)
{
    if (self->known && now - self->still_since >= STILL_MS)
        meshplace_learn (self, (meshwire_place_t){ self->still_lat_e7, self->still_lon_e7 });
}

uint8_t meshplace_digest (const meshplace_t *self)
{
    uint32_t sum = 0;
    for (uint32_t index = 0; index < self->place_count; index++)
        sum += ((uint32_t)self->places [index].lat_e7 * 31u + (uint32_t)self->places [index].lon_e7) * 2654435769u >> 8;
    return self->place_count ? (uint8_t)(sum % 255 + 1) : 0;
}

uint32_t meshplace_seconds (const meshplace_t *self, int64_t now)
{
    double best = INFINITY, pace = hypot (self->north, self->east);
    if (!self->known || !self->moving || now - self->at > FRESH_MS)
        return UINT32_MAX;
    for (uint32_t index = 0; index < self->place_count; index++) {
        double north, east;
        s_vector (self, self->places [index].lat_e7, self->places [index].lon_e7, &north, &east);
        double metres = hypot (north, east);
        double closing = metres > 1 ? (self->north * north + self->east * east) / metres : 0;
        double seconds
            = closing > WALK && closing > STRAIGHT * pace ? metres * DETOUR / closing * (1 + metres / DOUBT_M) : INFINITY;
        if (seconds < best)
            best = seconds;
    }
    return best < UINT32_MAX / 2 ? (uint32_t)best + 2 : UINT32_MAX;
}
