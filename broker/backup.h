//  backup - the log in one file, and a home made from it
//
//  The file is the log's own SQLite file with two more tables: the audit rows, and the district's public files. Not in it: keys, day keys and
//  the state. Keys are kept apart, day keys so that destroying one forgets a day for good, and the state follows from the log.

#ifndef BACKUP_H_INCLUDED
#define BACKUP_H_INCLUDED

//  Writes PATH.tmp beside it, syncs, renames. The core may go on meanwhile. Refuses an existing path. -1 with one line on stderr.
int backup_make (const char *home, const char *path);

//  Makes dir's log, audit trail and settings those of the backup and begins a new incarnation. dir must hold this district's keys, and nobody
//  may run there: the home's lock is taken. What was there before stays beside it as NAME.before-restore-TIME. Nothing is moved before the
//  backup was read to its end; log.db changes last, in one rename, so a crash leaves the old log or the new one, and the command can be given again.
//  -1 with one line on stderr; there is also one when the day keys are missing.
int backup_restore (const char *dir, const char *path);

#endif
