//  deskoutbox - commands this desk has given, numbered in its own origin, until the broker's receipt is here
//
//  Sealed once and sent again as those bytes, so a retry is harmless. Lives in desk.db, in the turn's transaction
//  of deskstore: what was added or settled counts only after deskstore_commit.

#ifndef DESKOUTBOX_H_INCLUDED
#define DESKOUTBOX_H_INCLUDED

#include "deskstore.h"
#include "envelope.h"
#include "session.h"

//  state: 0 waits for its receipt, 1 done, 2 done and offered again to a new incarnation
#define DESKOUTBOX_SCHEMA                                                                                                   \
    "CREATE TABLE origin (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL UNIQUE, next INTEGER NOT NULL);"                   \
    "CREATE TABLE command (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, counter INTEGER NOT NULL, tag INTEGER NOT NULL," \
    " incident INTEGER NOT NULL, based_on INTEGER NOT NULL, body BLOB NOT NULL, envelope BLOB NOT NULL,"                    \
    " resealed INTEGER NOT NULL, state INTEGER NOT NULL, code INTEGER NOT NULL, version INTEGER NOT NULL,"                  \
    " settled_ms INTEGER NOT NULL, UNIQUE (epoch, counter));"                                                               \
    "CREATE INDEX command_incident ON command (incident);"

#define DESKOUTBOX_KEEP_MS (7 * 86400000LL) //  done commands can be offered again for this long

typedef struct {
    uint64_t epoch, counter;
} command_id_t;

typedef struct deskoutbox_t deskoutbox_t;

//  Borrows the store and the seal. NULL with one line on stderr.
deskoutbox_t *deskoutbox_open (deskstore_t *store, const envelope_seal_t *seal);
void deskoutbox_close (deskoutbox_t **self_p);

//  Numbers, seals and stores a command. -1 if it cannot be kept.
int deskoutbox_add (
    deskoutbox_t *self, const Patrol__Command *command, int64_t now_ms, uint64_t uptime_ms, command_id_t *id);

//  The version a further command on the incident is based on: what the desk knows from its feed and receipts,
//  plus one for each command that still waits. 0 = the incident is not known here.
uint64_t deskoutbox_version (deskoutbox_t *self, uint64_t incident);

typedef enum {
    SETTLED_NOT_OURS, //  nothing waits under that number, or it must be sent again later
    SETTLED_DONE,     //  the receipt is for our command
    SETTLED_RESEALED, //  the number was taken by a copy of this store: numbered anew as *anew
    SETTLED_FAILED    //  the store cannot be written
} settled_t;
settled_t deskoutbox_settle (deskoutbox_t *self, const Patrol__Taken *taken, int64_t now_ms, command_id_t *anew);

//  What a command under that number was about: incident and officer (room 65). False if it is not known.
bool deskoutbox_about (deskoutbox_t *self, uint64_t epoch, uint64_t counter, uint64_t *incident, char officer [65]);

//  Fills the origins of an Attach (arrays from the arena).
void deskoutbox_attach (deskoutbox_t *self, Patrol__Attach *attach, arena_t *arena);
//  What the broker says about them: all waiting commands may be sent at once; a store that is behind begins a new
//  epoch; done commands of seven days are offered again to a new incarnation. -1 if the store cannot be written.
int deskoutbox_attached (deskoutbox_t *self, const Patrol__Attached *attached, bool new_incarnation, int64_t now_ms);

//  Call after a rollback: what was added or settled since begin is as it was before.
int deskoutbox_reload (deskoutbox_t *self);
//  Call after a commit: sends what is due. Returns ms until something else will be due, -1 for nothing.
int64_t deskoutbox_pump (deskoutbox_t *self, session_t *session, int64_t mono_ms);

int deskoutbox_waiting (const deskoutbox_t *self); //  commands without a receipt

#endif
