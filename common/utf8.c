//  utf8 - is a text from outside fit to keep and show?

#include "utf8.h"

#include <assert.h>
#include <stdio.h>

//  Where the last check of this thread failed, for utf8_words alone: the caller has only the verdict.
static _Thread_local size_t s_fault_at;
static _Thread_local char s_words [64];

//  Decodes one character. Returns its length, or 0 if the bytes are not UTF-8.

static int s_decode (const uint8_t *bytes, size_t size, uint32_t *code)
{
    uint8_t first = bytes [0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    int length = first >= 0xC2 && first <= 0xDF ? 2 : (first & 0xF0) == 0xE0 ? 3 : first >= 0xF0 && first <= 0xF4 ? 4 : 0;
    if (length == 0 || (size_t)length > size)
        return 0;
    uint32_t value = first & (0x7Fu >> length);
    for (int index = 1; index < length; index++) {
        if ((bytes [index] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (bytes [index] & 0x3F);
    }
    //  overlong forms, surrogates, beyond the last plane
    if ((length == 3 && value < 0x800) || (length == 4 && value < 0x10000))
        return 0;
    if ((value >= 0xD800 && value <= 0xDFFF) || value > 0x10FFFF)
        return 0;
    *code = value;
    return length;
}

//  Characters that do not show themselves but change what is shown.

static bool s_control (uint32_t code, bool lines)
{
    if (code == '\n' || code == '\t')
        return !lines;
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0xFEFF || code == 0x061C || code == 0x200E
        || code == 0x200F || (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

utf8_verdict_t utf8_check (const uint8_t *bytes, size_t size, size_t max, bool lines)
{
    assert (bytes || size == 0);
    if (size > max)
        return UTF8_TOO_LONG;
    for (size_t at = 0; at < size;) {
        if (bytes [at] >= 0x20 && bytes [at] < 0x7F) {
            at++;
            continue;
        }
        uint32_t code;
        int length = s_decode (bytes + at, size - at, &code);
        if (length == 0) {
            s_fault_at = at;
            return UTF8_INVALID;
        }
        if (s_control (code, lines)) {
            s_fault_at = at;
            return UTF8_CONTROL;
        }
        at += (size_t)length;
    }
    return UTF8_OK;
}

const char *utf8_words (utf8_verdict_t verdict)
{
    switch (verdict) {
    case UTF8_OK:
        return "good";
    case UTF8_TOO_LONG:
        return "too long";
    case UTF8_INVALID:
        snprintf (s_words, sizeof s_words, "byte %zu is not UTF-8", s_fault_at);
        return s_words;
    case UTF8_CONTROL:
        snprintf (s_words, sizeof s_words, "byte %zu is a control character", s_fault_at);
        return s_words;
    }
    assert (false);
    return "";
}

int utf8_next (const uint8_t *bytes, size_t size, uint32_t *code)
{
    assert (bytes && size > 0);
    int length = s_decode (bytes, size, code);
    assert (length > 0);
    return length;
}
