//  utf8 - is a text from outside fit to keep and show?

#ifndef UTF8_H_INCLUDED
#define UTF8_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_MAX 4000u //  bytes of a tip's text, a note, an answer
#define PLACE_MAX 200u
#define NAME_MAX_BYTES 64u //  officers, units, names

typedef enum { UTF8_OK, UTF8_TOO_LONG, UTF8_INVALID, UTF8_CONTROL } utf8_verdict_t;

//  Strict UTF-8 (RFC 3629: no overlong forms, no surrogates, <= U+10FFFF); no U+FEFF; no C0/C1 controls but
//  newline and tab where `lines`; no bidi overrides, isolates or marks (U+200E-F, U+202A-E, U+2066-9, U+061C), no U+2028-9.
utf8_verdict_t utf8_check (const uint8_t *bytes, size_t size, size_t max, bool lines);

//  English words for a verdict, with the byte offset of the fault if it has one: "byte 17 is not UTF-8".
const char *utf8_words (utf8_verdict_t verdict);

//  Length of the UTF-8 character at bytes (1-4), and its code point. Only for checked text.
int utf8_next (const uint8_t *bytes, size_t size, uint32_t *code);

#endif
