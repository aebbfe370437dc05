//  answers - the packed Answers of one page, each small enough for a frame

#ifndef ANSWERS_H_INCLUDED
#define ANSWERS_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "patrol.pb-c.h"

#define ANSWER_MAX 14500u //  packed; a frame holds 16,384 with box and header

typedef struct {
    uint32_t query;
    uint8_t **bytes; //  malloc'ed, each
    size_t *sizes;
    int count, room;
    uint8_t *open; //  the one being filled
    size_t used;
    uint32_t items; //  of the whole page
} answers_t;

void answers_begin (answers_t *self, uint32_t query);
//  Frees what was not taken.
void answers_clear (answers_t *self);
//  Forgets the items: what is to be sent is a refusal.
void answers_drop (answers_t *self);

//  Packs the item at once. -1 if it does not fit into an Answer of its own.
int answers_add (answers_t *self, const Patrol__Item *item);
//  The last Answer of the page, with the last items. Only code, detail, cursor, end and as_of_ms of `last` are used.
void answers_end (answers_t *self, const Patrol__Answer *last);

#endif
