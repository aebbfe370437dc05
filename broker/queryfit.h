//  queryfit - is a query in order, and what fits its filters

#ifndef QUERYFIT_H_INCLUDED
#define QUERYFIT_H_INCLUDED

#include "reader.h"
#include "stateview.h"

//  OK, or why it is refused, with *wrong (static).
Patrol__Code queryfit_check (const asker_t *asker, const Patrol__Query *query, const char **wrong);
//  Words for the audit trail; of a query that is not in order only what cannot do harm.
void queryfit_describe (
    const Patrol__Query *query, bool in_order, char ask [16], char officer [65], char *detail, size_t room);

//  May the asker see this incident at all?
bool queryfit_scope (const asker_t *asker, const incident_view_t *incident);

//  ---- filters of a checked query
bool queryfit_open_only (const Patrol__Query *query);
bool queryfit_incident (const Patrol__Query *query, const incident_view_t *incident);
//  Any of kind, box, area, station?
bool queryfit_any (const Patrol__Query *query);
//  Those four.
bool queryfit_place_and_kind (const Patrol__Query *query, const incident_view_t *incident);
bool queryfit_tip (const Patrol__Query *query, const Patrol__Item *item);
//  Delivered and administrative lines have no kind and no place.
bool queryfit_admin (const Patrol__Query *query, const Patrol__Item *item);

#endif
