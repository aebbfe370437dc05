//  A kinds file: from the operator, and from the broker over the network.

#include "fuzz.h"

#include "kinds.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char *reason = NULL;
    uint8_t *copy = fuzz_copy (data, size);
    kinds_t *kinds = kinds_load ((const char *)copy, size, &reason);
    free (copy);
    FUZZ_EXPECT (kinds || (reason && *reason));
    for (int index = 0; kinds && index < kinds_count (kinds); index++) {
        const kind_t *kind = kinds_get (kinds, index);
        FUZZ_EXPECT (kinds_find (kinds, kind->id, strlen (kind->id)) == index);
        FUZZ_EXPECT (kind->severity >= 1 && kind->severity <= 3 && kind->life_h >= 1 && kind->life_h <= 72);
        for (int severity = 1; severity <= 3; severity++) {
            FUZZ_EXPECT (kind->cls [severity] < CLASS_COUNT);
        }
        FUZZ_EXPECT (kind_label (kind) && *kind_label (kind));
    }
    FUZZ_EXPECT (!kinds || (kinds_count (kinds) > 0 && kinds_count (kinds) <= KINDS_MAX));
    kinds_destroy (&kinds);
    free (reason);
    return 0;
}
