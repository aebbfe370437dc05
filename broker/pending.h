//  pending - ids that records on their way to the log have touched
//
//  State is asked only about what is durable; a decision that depends on a record still under way waits for it.

#ifndef PENDING_H_INCLUDED
#define PENDING_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

typedef struct pending_t pending_t;

pending_t *pending_new (void);
void pending_destroy (pending_t **self_p);

void pending_add (pending_t *self, uint64_t id, uint64_t ticket);
bool pending_has (const pending_t *self, uint64_t id);
//  Forgets everything of tickets up to this one.
void pending_complete (pending_t *self, uint64_t ticket);

#endif
