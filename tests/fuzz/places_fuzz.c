//  A gazetteer: CSV of any kind, then searched by name and by position.

#include "fuzz.h"

#include <math.h>
#include "places.h"
#include "utf8.h"

static void s_find (const places_t *places, const char *name)
{
    place_t found [8];
    position_t near = { 33, 109 };
    places_answer_t answer;
    places_bias_t bias = { .near = &near, .unit = name };
    for (int biased = 0; biased < 2; biased++) {
        int count = places_find (places, name, biased ? &bias : NULL, found, 8, &answer);
        FUZZ_EXPECT (count >= 0 && count <= 8);
        for (int index = 0; index < count; index++) {
            FUZZ_EXPECT (found [index].name && found [index].confidence >= 0 && found [index].confidence <= 1);
            FUZZ_EXPECT (!found [index].has_position || position_valid (found [index].position));
        }
    }
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    uint8_t how = fuzz_byte (&data, &size);
    size_t cut = fuzz_byte (&data, &size) % 32;
    cut = cut < size ? cut : size;
    char *name = fuzz_text (data, cut), *reason = NULL;
    uint8_t *copy = fuzz_copy (data + cut, size - cut);
    places_t *places = places_load ((const char *)copy, size - cut, (datum_t)(how % 3), &reason);
    free (copy);
    FUZZ_EXPECT (places || (reason && *reason));
    if (places) {
        char label [200];
        place_t nearest;
        s_find (places, "town");
        if (utf8_check ((const uint8_t *)name, strlen (name), PLACE_MAX, false) == UTF8_OK) {
            s_find (places, name);
        }
        position_t at = { 33.0, 109.0 };
        FUZZ_EXPECT (!places_nearest (places, at, 1e6, &nearest) || (nearest.distance_m >= 0 && nearest.distance_m <= 1e6));
        places_label (places, at, "", label, sizeof label);
        FUZZ_EXPECT (memchr (label, 0, sizeof label)
            && utf8_check ((const uint8_t *)label, strlen (label), sizeof label, false) == UTF8_OK);
        places_label (places, (position_t){ -90, 180 }, name, label, 5);
        FUZZ_EXPECT (memchr (label, 0, 5));
        places_destroy (&places);
    }
    free (reason);
    free (name);
    return 0;
}
