//  nearest - the known word most like a mistyped one, for error lines

#include "nearest.h"

#include <assert.h>
#include <string.h>

#define WORD_MAX 48

//  Letters to insert, leave out, exchange or swap with their neighbour (optimal string alignment).

static size_t s_distance (const char *left, size_t left_size, const char *right, size_t right_size)
{
    size_t rows [3][WORD_MAX + 1];
    size_t *before = rows [0], *previous = rows [1], *current = rows [2];
    for (size_t index = 0; index <= right_size; index++)
        previous [index] = before [index] = index;
    for (size_t row = 1; row <= left_size; row++) {
        current [0] = row;
        for (size_t index = 1; index <= right_size; index++) {
            size_t best = previous [index - 1] + (left [row - 1] != right [index - 1]);
            if (previous [index] + 1 < best)
                best = previous [index] + 1;
            if (current [index - 1] + 1 < best)
                best = current [index - 1] + 1;
            if (row > 1 && index > 1 && left [row - 1] == right [index - 2] && left [row - 2] == right [index - 1]
                && before [index - 2] + 1 < best)
                best = before [index - 2] + 1;
            current [index] = best;
        }
        size_t *oldest = before;
        before = previous;
        previous = current;
        current = oldest;
    }
    return previous [right_size];
}

void nearest_begin (nearest_t *self, const char *typed)
{
    assert (self && typed);
    //  a third of the letters may be wrong: more is another word
    *self = (nearest_t){ .typed = typed, .distance = strlen (typed) / 3 + 2 };
}

void nearest_offer (nearest_t *self, const char *word)
{
    assert (self && word);
    size_t typed_size = strlen (self->typed), size = strlen (word);
    if (typed_size == 0 || size == 0 || typed_size > WORD_MAX || size > WORD_MAX)
        return;
    size_t distance = s_distance (self->typed, typed_size, word, size);
    //  a word of which nothing is left is no help
    if (distance < self->distance && distance < size && distance < typed_size) {
        self->distance = distance;
        self->word = word;
    }
}
