//  mapfile - reading a map the operator names

#include "mapfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *mapfile_read (const char *path, size_t *size, char *reason, size_t room)
{
    FILE *file = fopen (path, "rbe");
    struct stat info;
    char *bytes = NULL;
    if (!file || fstat (fileno (file), &info))
        snprintf (reason, room, "%s: %s", path, strerror (errno));
    else if (!S_ISREG (info.st_mode) || info.st_size > (off_t)MAPFILE_MAX)
        snprintf (reason, room, "%s: not a file of at most %u MiB", path, MAPFILE_MAX >> 20);
    else {
        bytes = malloc ((size_t)info.st_size + 1);
        if (!bytes)
            abort ();
        *size = fread (bytes, 1, (size_t)info.st_size, file);
        bytes [*size] = 0;
    }
    if (file)
        fclose (file);
    return bytes;
}
