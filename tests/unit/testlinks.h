//  testlinks - what tests of neighbours begin with: two districts in a folder of their own, and the ordinary answers to a
//  link's questions (every beacon is worth a link, nobody is revoked, the clock is right)

#ifndef TESTLINKS_H_INCLUDED
#define TESTLINKS_H_INCLUDED

#include "meshlink.h"
#include "testdistrict.h"

typedef struct {
    char folder [48];
    testdistrict_t ours, theirs;
} testlinks_t;

//  -1 if no folder can be made.
static inline int testlinks_begin (testlinks_t *self)
{
    snprintf (self->folder, sizeof self->folder, "/tmp/testlinks-XXXXXX");
    if (identity_init () || !mkdtemp (self->folder))
        return -1;
    testdistrict_make (&self->ours, "ours");
    testdistrict_make (&self->theirs, "theirs");
    return 0;
}

static inline int testlinks_end (testlinks_t *self)
{
    char command [80];
    testdistrict_clear (&self->ours);
    testdistrict_clear (&self->theirs);
    snprintf (command, sizeof command, "rm -rf %s", self->folder);
    return system (command);
}

static inline void testlinks_heard (void *context, uint32_t link, const uint8_t *routing)
{
    (void)context;
    (void)link;
    (void)routing;
}

static inline mesh_link_worth_t testlinks_worth (void *context, const uint8_t *routing)
{
    (void)context;
    (void)routing;
    return MESH_LINK_USEFUL;
}

static inline bool testlinks_revoked (void *context, const uint8_t *link_key)
{
    (void)context;
    (void)link_key;
    return false;
}

static inline int64_t testlinks_judge (void *context)
{
    (void)context;
    return time_now_ms ();
}

#endif
