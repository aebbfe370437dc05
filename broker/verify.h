//  verify - do log, state and audit trail still say the same?
//
//  Reads the whole log record by record, rebuilds the state from it in HOME/verify.rebuild (removed afterwards) and checks the audit chain
//  against the newest head in the log. On connections of its own, so the core goes on; one at a time a home.

#ifndef VERIFY_H_INCLUDED
#define VERIFY_H_INCLUDED

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "identity.h"

//  Called now and then; return false to stop.
typedef bool (verify_progress_fn) (void *context, uint64_t done, uint64_t total);

typedef struct {
    const char *home;
    const box_keys_t *core_keys;
    //  Of the living state, taken together on its own thread right after state_commit (force): state_digest with its counts, and
    //  state_applied. digest NULL: the log is read to its end and the state is not compared.
    const uint8_t *digest;
    const char *counts;
    uint64_t applied;
    verify_progress_fn *progress; //  NULL = none
    void *context;
} verify_t;

//  {"ok": bool, "records": N, "tips": N, "state": "equal|differs|not compared", "audit_rows": N, "faults": [one English line each]}. The caller's.
json_t *verify_run (const verify_t *verify);

#endif
