//  verbs - the operator's command line

#ifndef VERBS_H_INCLUDED
#define VERBS_H_INCLUDED

#include "cli.h"

extern const verb_spec_t broker_verbs [];

//  "core" and "front", as the supervisor starts them. False if argv is neither.
bool verbs_child (int argc, char **argv, int *rc);

#endif
