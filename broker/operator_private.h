//  operator_private - what operator.c, operatormaps.c, operatorswap.c and operatorchecks.c share

#ifndef OPERATOR_PRIVATE_H_INCLUDED
#define OPERATOR_PRIVATE_H_INCLUDED

#include "core_private.h"

void operator_fail (local_client_t *client, int code, const char *detail);
void operator_done (core_t *self, effect_t *effect, uint64_t seq);
void operator_line_done (core_t *self, effect_t *effect, uint64_t seq);

//  operatorswap.c
void operator_areas_load (core_t *self, local_client_t *client, json_t *request);
void swap_gone (core_t *self, local_client_t *client);

//  operatormaps.c
void operator_areas_explain (core_t *self, local_client_t *client, json_t *request);
void operator_places_load (core_t *self, local_client_t *client, json_t *request);
//  A gazetteer that was made on the other thread: swaps it in and announces it in the log. Takes it.
void operator_places_loaded (
    core_t *self, local_client_t *client, places_t **places_p, const char *bytes, size_t size, datum_t datum);
void operator_places_find (core_t *self, local_client_t *client, json_t *request);
void operator_kinds_load (core_t *self, local_client_t *client, json_t *request);

//  operatorchecks.c: on a thread of their own, one at a time, the core goes on
void operator_verify (core_t *self, local_client_t *client, json_t *request);
void operator_backup (core_t *self, local_client_t *client, json_t *request);
void checks_load_places (core_t *self, local_client_t *client, char *bytes, size_t size, datum_t datum); //  takes bytes
void checks_gone (core_t *self, local_client_t *client);

#endif
