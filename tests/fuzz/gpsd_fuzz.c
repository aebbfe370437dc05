//  A line of whoever answers where a gpsd should: a position on this earth, or nothing.

#include "fuzz.h"

#include "gpsd.h"

int LLVMFuzzerTestOneInput (const uint8_t *bytes, size_t size)
{
    char told [32] = "";
    int32_t lat = 0, lon = 0;
    if (gpsd_parse ((const char *)bytes, size, told, &lat, &lon) == 0) {
        FUZZ_EXPECT (lat >= -900000000 && lat <= 900000000 && lon >= -1800000000 && lon <= 1800000000);
        FUZZ_EXPECT (told [0] != 0 && gpsd_parse ((const char *)bytes, size, told, &lat, &lon) < 0);
    }
    return 0;
}
