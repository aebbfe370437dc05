//  areamem - heap for the area modules; no heap left is the end of the process (docs: style, section 4)

#ifndef AREAMEM_H_INCLUDED
#define AREAMEM_H_INCLUDED

#include <stdio.h>
#include <stdlib.h>

static inline void *area_resize (void *old, size_t count, size_t each)
{
    void *new = reallocarray (old, count ? count : 1, each);
    if (!new) {
        fputs ("areas: out of memory\n", stderr);
        abort ();
    }
    return new;
}

static inline void *area_zeroed (size_t count, size_t each)
{
    void *new = calloc (count ? count : 1, each);
    if (!new) {
        fputs ("areas: out of memory\n", stderr);
        abort ();
    }
    return new;
}

//  Room for one more in a growing array of `each` bytes.
static inline void *area_grow (void *list, size_t count, size_t *room, size_t each)
{
    if (count < *room)
        return list;
    *room = *room ? *room * 2 : 16;
    return area_resize (list, *room, each);
}

#endif
