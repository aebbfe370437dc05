//  kinds - what a tip can be about: ids, labels, severities, classes and limits, as data
//
//  The built-in set is common/kinds.json (documented in docs/kinds.md); `patrol-broker init --kinds FILE` brings another.

#ifndef KINDS_H_INCLUDED
#define KINDS_H_INCLUDED

#include <stddef.h>
#include <stdint.h>
#include "envelope.h"

#define KINDS_MAX 64
#define KINDS_WITH_MAX 4

//  What the position of a report says, and so what it takes for two reports to be about one thing.
typedef enum {
    SCOPE_EVENT,  //  something happened; people who saw it stand around it, phones err
    SCOPE_SPOT,   //  a thing that stands somewhere: a lamp post, a crossing
    SCOPE_ADDRESS //  one house or plot: the one beside it is another matter
} scope_t;

typedef struct {
    char id [33]; //  [a-z0-9_-]+
    char en [65], zh [65];
    uint32_t severity;       //  1..3, when the reporter gives none
    class_t cls [4];         //  by severity 1..3; [0] unused
    int64_t acknowledge_ms;  //  limit before it is called late
    uint32_t life_h;         //  how long relays carry it, 1..72
    uint32_t merge_radius_m; //  0 = never merged (used by near dedupe)
    int64_t merge_window_ms;
    scope_t merge_scope;
    uint32_t merge_with_count; //  other kinds whose incidents a tip of this kind may be about
    uint8_t merge_with [KINDS_WITH_MAX]; //  their indexes
} kind_t;

typedef struct kinds_t kinds_t;

//  NULL with *reason (caller frees) naming entry, key and what would be right. NULL bytes = the built-in set.
kinds_t *kinds_load (const char *bytes, size_t size, char **reason);
void kinds_destroy (kinds_t **self_p);

//  The JSON the set was loaded from; borrowed.
const char *kinds_json (const kinds_t *self, size_t *size);

//  Index 0..count-1 or -1; borrowed until destroy.
int kinds_find (const kinds_t *self, const char *id, size_t size);
const kind_t *kinds_get (const kinds_t *self, int index);
int kinds_count (const kinds_t *self);
//  Label in the chosen language.
const char *kind_label (const kind_t *kind);
//  "crime order suspicious ..." for error lines; borrowed.
const char *kinds_ids (const kinds_t *self);

//  Severity names: blue yellow red. Returns 0 if it is none of them.
uint32_t severity_parse (const char *name);
const char *severity_name (uint32_t severity);
const char *class_name (class_t cls); //  sos urgent normal bulk

#endif
