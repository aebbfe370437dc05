//  nearest - the known word most like a mistyped one, for error lines

#ifndef NEAREST_H_INCLUDED
#define NEAREST_H_INCLUDED

#include <stddef.h>

typedef struct {
    const char *typed;
    const char *word; //  NULL as long as none is like it
    size_t distance;
} nearest_t;

//  Begin with what was typed, offer every known word; then word is the nearest one or NULL. All borrowed.
void nearest_begin (nearest_t *self, const char *typed);
void nearest_offer (nearest_t *self, const char *word);

#endif
