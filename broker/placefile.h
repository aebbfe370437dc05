//  placefile - reads CSV (RFC 4180) in place: quoted fields, doubled quotes, newlines inside quotes, LF or CRLF, a BOM

#ifndef PLACEFILE_H_INCLUDED
#define PLACEFILE_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>

#define PLACEFILE_FIELDS 64 //  a row may have

typedef struct {
    char *at, *end; //  what is still to be read; fields are unquoted and ended where they lie
    long line;      //  of the row last read
    long next_line;
    char *fields [PLACEFILE_FIELDS]; //  each ends in a NUL
    int field_count;
    const char *fault; //  static text when a row could not be read
} placefile_t;

//  text is changed by reading and must have one writable byte at its end.
void placefile_begin (placefile_t *self, char *text, size_t size);

//  1 a row, 0 the end, -1 `fault` is set. Empty lines are passed over.
int placefile_next (placefile_t *self);

#endif
