//  answers - a page of items, divided into frames
//
//  Items are packed when they are made, for what they borrow does not live long. A packed message may stand in parts: the items
//  come first and the Answer's other fields after them.

#include "answers.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 320u  //  the fields beside the items: a detail of 200 bytes and numbers
#define ITEM_TAG 0x22u //  field 4, length-delimited

void answers_begin (answers_t *self, uint32_t query)
{
    memset (self, 0, sizeof *self);
    self->query = query;
    self->open = malloc (ANSWER_MAX);
    if (!self->open)
        abort ();
}

void answers_drop (answers_t *self)
{
    for (int i = 0; i < self->count; i++)
        free (self->bytes [i]);
    self->count = 0;
    self->used = 0;
    self->items = 0;
}

void answers_clear (answers_t *self)
{
    answers_drop (self);
    free (self->bytes);
    free (self->sizes);
    free (self->open);
    memset (self, 0, sizeof *self);
}

//  Closes the open Answer with its other fields.
static void s_close (answers_t *self, const Patrol__Answer *head)
{
    size_t size = patrol__answer__get_packed_size (head);
    if (self->count == self->room) {
        self->room = self->room ? self->room * 2 : 8;
        self->bytes = realloc (self->bytes, (size_t)self->room * sizeof *self->bytes);
        self->sizes = realloc (self->sizes, (size_t)self->room * sizeof *self->sizes);
    }
    uint8_t *bytes = malloc (self->used + size + 1);
    if (!self->bytes || !self->sizes || !bytes)
        abort ();
    memcpy (bytes, self->open, self->used);
    patrol__answer__pack (head, bytes + self->used);
    self->bytes [self->count] = bytes;
    self->sizes [self->count++] = self->used + size;
    self->used = 0;
}

int answers_add (answers_t *self, const Patrol__Item *item)
{
    size_t size = patrol__item__get_packed_size (item), length = size, need = 1 + 1 + size;
    for (size_t left = size >> 7; left; left >>= 7)
        need++;
    if (need > ANSWER_MAX - HEAD_MAX)
        return -1;
    if (self->used + need > ANSWER_MAX - HEAD_MAX) {
        Patrol__Answer head = PATROL__ANSWER__INIT;
        head.query = self->query;
        head.more = true;
        s_close (self, &head);
    }
    self->open [self->used++] = ITEM_TAG;
    for (; length > 127; length >>= 7)
        self->open [self->used++] = (uint8_t)(length | 0x80);
    self->open [self->used++] = (uint8_t)length;
    self->used += patrol__item__pack (item, self->open + self->used);
    self->items++;
    return 0;
}

void answers_end (answers_t *self, const Patrol__Answer *last)
{
    Patrol__Answer head = PATROL__ANSWER__INIT;
    head.query = self->query;
    head.code = last->code;
    head.detail = last->detail;
    if (head.detail.len > 200)
        head.detail.len = 200;
    head.cursor = last->cursor;
    head.end = last->end;
    head.as_of_ms = last->as_of_ms;
    s_close (self, &head);
}
