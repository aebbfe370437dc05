//  placegrams - which names contain a text: an index of short pieces of names
//
//  A piece is two characters, or three letters or digits in a row; the index lists for each piece the rows that have it. A
//  text is in the rows that have all its pieces: candidates only, the caller compares. Immutable once built.

#ifndef PLACEGRAMS_H_INCLUDED
#define PLACEGRAMS_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

typedef struct placegrams_t placegrams_t;

placegrams_t *placegrams_new (void);
void placegrams_destroy (placegrams_t **self_p);

//  Adds a name's key; rows in rising order, a row may have many names. Then build once.
void placegrams_add (placegrams_t *self, uint32_t row, const char *key, size_t size);
void placegrams_build (placegrams_t *self);

//  Rows that may contain the key, rising; returns how many, <= room. A key shorter than a piece is found nowhere.
size_t placegrams_find (const placegrams_t *self, const char *key, size_t size, uint32_t *rows, size_t room);

size_t placegrams_memory (const placegrams_t *self); //  bytes

#endif
