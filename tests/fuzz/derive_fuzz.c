//  areas derive: a hostile station file and a hostile outline. The first byte says how long the stations are, of 255.

#include "areaderive.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t stations_size = (size - 1) * data [0] / 255, outline_size = size - 1 - stations_size;
    char *stations = fuzz_text (data + 1, stations_size), *outline = fuzz_text (data + 1 + stations_size, outline_size);
    char *text = areaderive_make (stations, stations_size, outline, outline_size, DATUM_GCJ02, NULL, NULL, NULL);
    free (text);
    free (outline);
    free (stations);
    return 0;
}
