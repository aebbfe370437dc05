//  Texts from outside against a second, slower reading of RFC 3629.

#include "fuzz.h"

#include "utf8.h"

//  -1 if there is no well-formed character here.
static int s_decode (const uint8_t *at, size_t size, uint32_t *code)
{
    static const uint32_t least [] = { 0, 0, 0x80, 0x800, 0x10000 };
    int length = at [0] < 0x80    ? 1
        : (at [0] & 0xE0) == 0xC0 ? 2
        : (at [0] & 0xF0) == 0xE0 ? 3
        : (at [0] & 0xF8) == 0xF0 ? 4
                                  : 0;
    if (length == 0 || (size_t)length > size) {
        return -1;
    }
    *code = length == 1 ? at [0] : at [0] & (0xFFu >> (length + 1));
    for (int index = 1; index < length; index++) {
        if ((at [index] & 0xC0) != 0x80) {
            return -1;
        }
        *code = *code << 6 | (at [index] & 0x3F);
    }
    return *code < least [length] || *code > 0x10FFFF || (*code >= 0xD800 && *code <= 0xDFFF) ? -1 : length;
}

static bool s_forbidden (uint32_t code, bool lines)
{
    if (code < 0x20) {
        return !lines || (code != '\n' && code != '\t');
    }
    return (code >= 0x7F && code <= 0x9F) || code == 0xFEFF || code == 0x200E || code == 0x200F || code == 0x61C
        || code == 0x2028 || code == 0x2029 || (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

static void s_compare (const uint8_t *bytes, size_t size, bool lines)
{
    bool whole = true, clean = true;
    for (size_t at = 0; whole && at < size;) {
        uint32_t code = 0, same = 0;
        int length = s_decode (bytes + at, size - at, &code);
        whole = length > 0;
        clean &= whole && !s_forbidden (code, lines);
        if (whole && clean) {
            FUZZ_EXPECT (utf8_next (bytes + at, size - at, &same) == length && same == code);
        }
        at += (size_t)(length > 0 ? length : 1);
    }
    utf8_verdict_t verdict = utf8_check (bytes, size, SIZE_MAX, lines);
    FUZZ_EXPECT ((verdict == UTF8_OK) == (whole && clean));
    FUZZ_EXPECT (utf8_words (verdict));
}

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    uint8_t *copy = fuzz_copy (data, size);
    s_compare (copy, size, false);
    s_compare (copy, size, true);
    FUZZ_EXPECT (size == 0 || utf8_check (copy, size, size - 1, true) == UTF8_TOO_LONG);
    free (copy);
    return 0;
}
