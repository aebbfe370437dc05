//  enrolment - invitations out, members in, members revoked
//
//  Knows the issuer's key (HOME/issuer.key) and certificate (HOME/issuer.cert); loaded for each use, wiped after it.

#ifndef ENROLMENT_H_INCLUDED
#define ENROLMENT_H_INCLUDED

#include "engine.h"

typedef struct {
    Patrol__Enrolled *message; //  NULL when nothing is to be answered (yet)
    uint32_t device;           //  number the new member got
} enrolment_answer_t;
void enrolment_answer_free (enrolment_answer_t *answer);

//  An ENROL box from `device_key` over a link whose key is an invitation's. TAKE_RECORD: the member joins when the record is durable, then
//  enrolment_again makes the answer. TAKE_AGAIN / TAKE_REFUSED: `answer` is ready.
void enrolment_take (engine_t *engine, const char *home, const uint8_t link_key [KEY_SIZE],
    const uint8_t device_key [KEY_SIZE], const uint8_t shared [KEY_SIZE], const uint8_t *box, size_t size, int64_t now_ms,
    take_t *out, enrolment_answer_t *answer);
//  The answer to a member that has its credential in the log already.
void enrolment_again (engine_t *engine, const char *home, const member_t *member, enrolment_answer_t *answer);

//  An invitation: the record to append, and the line to give. TAKE_REFUSED with detail if role or station do not fit.
typedef struct {
    Patrol__Role role;
    const char *station, *unit, *name; //  "" = none
    int64_t expires_ms;
    const char *endpoint;
    const uint8_t *transport_key, *authority_key;
} invite_t;
void enrolment_invite (
    engine_t *engine, const invite_t *invite, int64_t now_ms, take_t *out, char **line, uint8_t link_key [KEY_SIZE]);

//  Revokes a member (all its devices). TAKE_REFUSED if there is none.
void enrolment_revoke (engine_t *engine, uint64_t member, const char *why, int64_t now_ms, take_t *out);

#endif
