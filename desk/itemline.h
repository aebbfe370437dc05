//  itemline - the JSON line of an item, for people: aligned, coloured, in their language

#ifndef ITEMLINE_H_INCLUDED
#define ITEMLINE_H_INCLUDED

#include <jansson.h>
#include "kinds.h"

//  One line on stdout, or two when officers wrote something. kinds may be NULL (ids are shown instead of labels).
void itemline_print (json_t *item, const kinds_t *kinds);

//  Everything that is known of an incident, one field a line; for the head of `show`.
void itemline_print_head (json_t *item, const kinds_t *kinds);

//  Cells for a table. Each returns out, or a static text.
const char *itemline_time (json_t *item, const char *key, char out [40]); //  local time
const char *itemline_kind (json_t *item, const kinds_t *kinds);
const char *itemline_severity (json_t *item, char out [96]); //  coloured, class marked
const char *itemline_status (json_t *item);
const char *itemline_place (json_t *item, char *out, size_t room); //  marked when somebody has to place it
//  Controls become spaces: what a stranger wrote must not move the cursor of a terminal. Cut to room - 1.
const char *itemline_clean (const char *text, char *out, size_t room);

#endif
