//  draft - a tip as a person or an import line gives it, checked, ready to be sealed
//
//  Keys are the option names: kind severity at datum accuracy place seen anonymous follows text.

#ifndef DRAFT_H_INCLUDED
#define DRAFT_H_INCLUDED

#include <jansson.h>
#include "kinds.h"

#define DRAFT_ERROR_ROOM 512

typedef struct {
    Patrol__Tip tip; //  points into the JSON object: valid as long as that is
    const kind_t *kind;
    const char *follows; //  a tip id, to be looked up by the caller; NULL
} draft_t;

//  Returns 0, or -1 with one line in `error`, in the chosen language, saying which value is wrong and what would be right.
int draft_read (draft_t *out, const json_t *object, const kinds_t *kinds, int64_t now_ms, char error [DRAFT_ERROR_ROOM]);

//  The same check for a text before it is put into JSON (which takes only UTF-8). `what` is its option's name.
int draft_check_text (const char *what, const char *words, size_t max, bool lines, char error [DRAFT_ERROR_ROOM]);

#endif
