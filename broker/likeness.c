//  likeness - how much two texts have in common

#include "likeness.h"

#include <stdbool.h>
#include <string.h>

#include "utf8.h"

static uint64_t s_mix (uint64_t value)
{
    value ^= value >> 31;
    value *= 0x9e3779b97f4a7c15u;
    value ^= value >> 29;
    value *= 0xbf58476d1ce4e5b9u;
    return value ^ value >> 32;
}

uint64_t likeness_sketch (const uint8_t *text, size_t size)
{
    uint64_t least [16];
    uint32_t before = 0, code = 0;
    bool any = false;
    memset (least, 0xff, sizeof least);
    for (size_t i = 0; i < size;) {
        int length = utf8_next (text + i, size - i, &code);
        if (length < 1)
            break;
        i += (size_t)length;
        if (code >= 'A' && code <= 'Z')
            code += 'a' - 'A';
        if (before && code > ' ' && before > ' ') {
            uint64_t hash = s_mix ((uint64_t)before << 32 | code);
            //  One hash, one of 16 places: as good as 16 hashes over the whole text, and 16 times cheaper.
            uint64_t *place = &least [hash & 15];
            if (hash >> 4 < *place)
                *place = hash >> 4;
            any = true;
        }
        before = code;
    }
    uint64_t sketch = 0;
    for (int i = 0; i < 16; i++)
        sketch |= (least [i] & 15) << 4 * i;
    return any ? sketch : 0;
}

uint64_t likeness_address (const uint8_t *text, size_t size)
{
    uint64_t hash = 0;
    uint32_t code = 0;
    for (size_t i = 0; i < size;) {
        int length = utf8_next (text + i, size - i, &code);
        if (length < 1)
            break;
        i += (size_t)length;
        if (code >= 'A' && code <= 'Z')
            code += 'a' - 'A';
        bool says = code >= 0x80 ? code != 0x3000 && code != 0x3001 && code != 0x3002 && code != 0xff0c
                                 : (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z');
        if (says)
            hash = s_mix (hash ^ code) | 1;
    }
    return hash;
}

double likeness_weight (uint64_t a, uint64_t b)
{
    if (!a || !b)
        return 1;
    int equal = 0;
    for (uint64_t rest = a ^ b, i = 0; i < 16; i++, rest >>= 4)
        equal += (rest & 15) == 0;
    double share = (equal - 1) / 15.0; //  one place in 16 is equal by chance
    return share <= 0 ? 0.7 : 0.7 + 1.3 * share;
}
