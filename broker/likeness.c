//  likeness - how much two texts have in common

#include "likeness.h"

#include <stdbool.h>
#include <string.h>

#include "keyed.h"
#include "utf8.h"

#define PLACES 15
#define NONE 15u //  no bigram has this place

uint64_t likeness_sketch (const uint8_t *text, size_t size)
{
    uint64_t least [PLACES];
    uint32_t before = 0, code = 0, written = 0, han = 0;
    bool any = false;
    memset (least, 0xff, sizeof least);
    for (size_t i = 0; i < size;) {
        int length = utf8_next (text + i, size - i, &code);
        if (length < 1)
            break;
        i += (size_t)length;
        if (code >= 'A' && code <= 'Z')
            code += 'a' - 'A';
        written += code > ' ';
        han += code >= 0x2e80;
        if (before && code > ' ' && before > ' ') {
            uint64_t hash = keyed_mix ((uint64_t)before << 32 | code);
            //  One hash, one of 15 places: as good as 15 hashes over the whole text, and 15 times cheaper.
            uint64_t *place = &least [hash % PLACES];
            if (hash >> 8 < *place)
                *place = hash >> 8;
            any = true;
        }
        before = code;
    }
    uint64_t sketch = han * 2 > written ? 2 : 1;
    for (int i = 0; i < PLACES; i++)
        sketch = sketch << 4 | (least [i] == UINT64_MAX ? NONE : least [i] % NONE);
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
            hash = keyed_mix (hash ^ code) | 1;
    }
    return hash;
}

int likeness_degree (uint64_t a, uint64_t b)
{
    if (!a || !b || (a ^ b) >> 4 * PLACES)
        return -1;
    int either = 0, both = 0;
    for (int i = 0; i < PLACES; i++, a >>= 4, b >>= 4) {
        bool none = (a & 15) == NONE && (b & 15) == NONE;
        either += !none;
        both += !none && (a & 15) == (b & 15);
    }
    return either ? LIKENESS_MOST * both / either : -1;
}
