//  An area file: GeoJSON of any kind, loaded as the broker does and as `areas check` does, then asked.

#include "fuzz.h"

#include <math.h>
#include "areas.h"

static void s_fault (void *context, const areas_fault_t *fault)
{
    bool *fatal = context;
    *fatal |= fault->fatal;
    FUZZ_EXPECT (memchr (fault->text, 0, sizeof fault->text) && fault->text [0]);
    FUZZ_EXPECT (memchr (fault->station, 0, sizeof fault->station) && fault->feature >= -1);
}

static void s_candidate (void *context, int area, areas_by_t by, double distance_m, bool chosen, const char *why)
{
    const areas_t *areas = context;
    (void)chosen;
    FUZZ_EXPECT (area >= 0 && area < areas_count (areas) && by <= BY_DISTRICT && !isnan (distance_m) && why);
}

static void s_ask (const areas_t *areas, position_t at)
{
    static const char *const kinds [] = { "crime", "traffic", "sos" };
    areas_choice_t choice;
    for (int kind = 0; kind < 3; kind++) {
        areas_explain (areas, at, kinds [kind], 1700000000000, kind * 300, &choice, s_candidate, (void *)(uintptr_t)areas);
        FUZZ_EXPECT (choice.station >= 0 && choice.station < areas_station_count (areas));
        FUZZ_EXPECT (choice.area >= -1 && choice.area < areas_count (areas));
        FUZZ_EXPECT (
            choice.copy_count >= 0 && choice.copy_count <= AREA_COPIES && memchr (choice.why, 0, sizeof choice.why));
        for (int copy = 0; copy < choice.copy_count; copy++) {
            FUZZ_EXPECT (choice.copies [copy] != choice.station && choice.copies [copy] < areas_station_count (areas));
        }
    }
    for (int area = 0; area < areas_count (areas) && area < 8; area++) {
        areas_covers (areas, area, at);
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    uint8_t how = fuzz_byte (&data, &size);
    uint8_t *copy = fuzz_copy (data, size);
    bool fatal = false;
    areas_t *areas = areas_load ((const char *)copy, size, (datum_t)(how % 3), 1, how & 128, s_fault, &fatal);
    FUZZ_EXPECT ((areas == NULL) == fatal);
    free (copy);
    if (areas) {
        for (int index = 0; index < areas_count (areas); index++) {
            FUZZ_EXPECT (areas_area_station (areas, index) >= 0 && areas_area_id (areas, index));
        }
        for (int index = 0; index < 4; index++) {
            s_ask (areas, (position_t){ index * 15.0, index * 35.0 });
        }
        s_ask (areas, (position_t){ 90, 180 });
        s_ask (areas, (position_t){ -90, -180 });
        areas_destroy (&areas);
    }
    return 0;
}
