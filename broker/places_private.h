//  places_private - what a gazetteer holds; shared by places.c, placeread.c, placespell.c and placesearch.c, nobody else

#ifndef PLACES_PRIVATE_H_INCLUDED
#define PLACES_PRIVATE_H_INCLUDED

#include "placegrams.h"
#include "placename.h"
#include "places.h"
#include "placetree.h"

#define PLACES_DEPTH 8 //  levels above a place that are looked at

typedef struct {
    uint32_t name, kind, area, aliases; //  in text; 0 = empty
    int32_t parent;                     //  row that `area` names; -1 unknown or ambiguous
    bool has_position, derived;
    bool has_children;
    uint8_t depth; //  parents above it, at most PLACES_DEPTH
    float reach_m; //  to the farthest point that lies under it
    position_t position;
} placerow_t;

//  A spelling of a row's name.
typedef struct {
    uint64_t hash;
    uint32_t row;
    float worth; //  0..1, how well it stands for the name
} placekey_t;

struct places_t {
    char *text; //  the file; fields end in NUL, text [0] is an empty one
    size_t text_size;
    placerow_t *rows;
    size_t count, room;
    placekey_t *keys; //  by hash
    size_t key_count, key_room;
    uint64_t *marks;    //  a bit for every hash there is: most texts inside a text are no name
    uint64_t mark_mask; //  number of bits - 1
    placegrams_t *grams;
    placetree_t *tree; //  rows with a point of their own
};

static inline const char *places_text (const places_t *self, uint32_t at)
{
    return self->text + at;
}

//  places.c: a row as others see it.
void places_fill (const places_t *self, uint32_t row, double distance, double confidence, place_t *out);

//  placeread.c: the rows of a file. Returns -1 with *reason.
int placeread (places_t *self, const char *bytes, size_t size, datum_t datum, char **reason);

//  placespell.c: makes keys, marks and grams of all rows.
void placespell_make (places_t *self);
//  The first key with that hash, NULL if there is none.
const placekey_t *placespell_first (const places_t *self, uint64_t hash);
//  Calls for each spelling of a row, its name first, then its aliases.
typedef void (placespell_fn) (void *context, const char *spelling, size_t size, bool alias);
void placespell_each (const places_t *self, uint32_t row, placespell_fn *each, void *context);
//  The row that an area text means ("旬阳县", "旬阳县城关镇"), if it is only one; -1 otherwise.
int32_t placespell_area (const places_t *self, const char *area);

#endif
