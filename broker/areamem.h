//  areamem - heap for the area modules; no heap left is the end of the process (docs: style, section 4)

#ifndef AREAMEM_H_INCLUDED
#define AREAMEM_H_INCLUDED

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

#define AREA_PAGE ((size_t)2 << 20)

//  Moves an array that is read at random into its last place. In large pages, if it fills some: the way from an address to
//  its memory is then a third of what a lookup waits for.
static inline void *area_settle (void *old, size_t count, size_t each)
{
    size_t size = count * each, pages = (size + AREA_PAGE - 1) / AREA_PAGE;
    void *new = pages > 1 ? aligned_alloc (AREA_PAGE, pages * AREA_PAGE) : NULL;
    if (!new)
        return area_resize (old, count, each);
    madvise (new, pages * AREA_PAGE, MADV_HUGEPAGE); //  a wish: without it all works the same
    memcpy (new, old, size);
    free (old);
    return new;
}

#endif
