//  What a stranger writes as a place, read against a gazetteer that has a bit of everything.

#include "fuzz.h"

#include <math.h>
#include "places.h"
#include "utf8.h"

static const char s_csv []
    = "name,lat,lon,kind,area,aliases\n"
      "安康市,,,city,,Ankang\n旬阳市,32.83,109.36,county,安康市,旬阳县;Xunyang\n汉阴县,32.893,108.509,county,安康市,Hanyin\n"
      "城关镇,32.8340,109.3610,town,旬阳市,Chengguan\n城关镇,32.8920,108.5100,town,汉阴县,Chengguan\n蜀河镇,,,town,旬阳市,"
      "Shuhe\n"
      "蜀河社区居委会,,,village,旬阳市蜀河镇,\n兰滩社区,32.89,109.78,village,旬阳市蜀河镇,\n上龙潭村委会,,,village,"
      "旬阳市蜀河镇,\n"
      "aa,,,,bb,\nbb,,,,aa,\n西安市,34.34,108.94,city,,Xi'an\nRiver Gate,32.9,109.0,gate,,North Gate|aaaa|aa "
      "aa\n大大大,,,,,大大\n";

static bool s_at_home (void *context, position_t position)
{
    (void)context;
    FUZZ_EXPECT (position_valid (position));
    return position.lon > 109;
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static places_t *places;
    char *reason = NULL;
    if (!places)
        places = places_load (s_csv, sizeof s_csv - 1, DATUM_WGS84, &reason);
    FUZZ_EXPECT (places);
    uint8_t how = fuzz_byte (&data, &size);
    size_t cut = fuzz_byte (&data, &size);
    cut = cut < size ? cut : size;
    char *unit = fuzz_text (data, cut), *name = fuzz_text (data + cut, size - cut);
    position_t near = { how & 4 ? NAN : 33, 109 };
    places_bias_t bias = { .near = how & 1 ? &near : NULL, .unit = unit, .at_home = how & 2 ? s_at_home : NULL };
    place_t found [4];
    places_answer_t answer;
    int room = how >> 4 & 3, count = places_find (places, name, how & 8 ? NULL : &bias, found, room, &answer);
    bool text = utf8_check ((const uint8_t *)name, strlen (name), PLACE_MAX, true) == UTF8_OK;
    FUZZ_EXPECT (count >= 0 && count <= room && answer.total >= count && answer.total <= places_count (places));
    FUZZ_EXPECT (text || answer.total == 0);
    FUZZ_EXPECT (answer.total > 1 || !answer.ambiguous);
    for (int i = 0; i < count; i++) {
        FUZZ_EXPECT (found [i].name && found [i].confidence > 0 && found [i].confidence <= 1.0001);
        FUZZ_EXPECT (!found [i].has_position || position_valid (found [i].position));
        FUZZ_EXPECT (isfinite (found [i].distance_m) && isfinite (found [i].reach_m) && found [i].reach_m >= 0);
        FUZZ_EXPECT (answer.ambiguous ? found [i].confidence <= 0.56 : true);
    }
    place_t named;
    FUZZ_EXPECT (!places_named (places, name, &named) || text);
    free (unit);
    free (name);
    return 0;
}
