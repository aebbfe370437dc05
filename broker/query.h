//  query - what a list, a show or a replay answers, and to whom
//
//  A desk sees the incidents its station owns or holds a copy of, by every ask alike; "not yours" and "not there" get the same answer. One
//  thread, connections of its own, short read transactions.

#ifndef QUERY_H_INCLUDED
#define QUERY_H_INCLUDED

#include "answers.h"
#include "reader.h"

#define QUERY_SCAN_MAX 5000 //  records or incidents looked at for one page

typedef struct query_t query_t;

//  Opens state.db, log.db and daykeys.db of the home for reading. NULL with one line on stderr.
query_t *query_open (const char *home, const box_keys_t *core_keys);
void query_close (query_t **self_p);

typedef struct {
    answers_t answers; //  to be cleared by the caller
    Patrol__Code code; //  OK, or why it was refused
    uint64_t cursor;
    char ask [16], officer [65]; //  for the audit trail; only what was found fit to keep
    char detail [512];
} page_t;

//  One page. Always leaves at least one Answer in page->answers.
void query_page (query_t *self, const asker_t *asker, const Patrol__Query *query, int64_t now_ms, page_t *page);
//  Turns the page into a refusal.
void query_refuse (page_t *page, Patrol__Code code, const char *detail);

#endif
