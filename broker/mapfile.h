//  mapfile - a whole file in memory, within a limit

#ifndef MAPFILE_H_INCLUDED
#define MAPFILE_H_INCLUDED

#include <stddef.h>

#define MAPFILE_MAX (256u << 20)

//  NUL-terminated, caller frees. NULL with one line in reason.
char *mapfile_read (const char *path, size_t *size, char *reason, size_t room);

#endif
