//  fuzz - what the fuzz targets share: checks that stay on, a quiet stderr, a folder that goes away again
//
//  A target calls the decoder as the programs do, then checks what the header promises of it: what was taken is in range,
//  and what can be written again is the same. The sanitizers see the rest.

#ifndef FUZZ_H_INCLUDED
#define FUZZ_H_INCLUDED

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);
int LLVMFuzzerInitialize (int *argc, char ***argv);

#define FUZZ_EXPECT(condition)                                                            \
    do {                                                                                  \
        if (!(condition)) {                                                               \
            dprintf (2, "%s:%d: this should hold: %s\n", __FILE__, __LINE__, #condition); \
            abort ();                                                                     \
        }                                                                                 \
    } while (0)

//  Refusals say why on stderr, thousands of times a second; the sanitizers write to descriptor 2 themselves.
static inline void fuzz_quiet (void)
{
    FILE *nowhere = fopen ("/dev/null", "we");
    FUZZ_EXPECT (nowhere);
    stderr = nowhere;
}

//  The first bytes of an input choose how the rest is used; 0 when there are none left.
static inline uint8_t fuzz_byte (const uint8_t **data, size_t *size)
{
    if (*size == 0) {
        return 0;
    }
    (*size)--;
    return *(*data)++;
}

//  A copy that ends in a NUL, caller frees: one byte too far is seen by the address sanitizer.
static inline char *fuzz_text (const uint8_t *data, size_t size)
{
    char *text = malloc (size + 1);
    FUZZ_EXPECT (text);
    if (size) {
        memcpy (text, data, size);
    }
    text [size] = 0;
    return text;
}

//  An exact copy on the heap, caller frees; never NULL.
static inline uint8_t *fuzz_copy (const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc (size ? size : 1);
    FUZZ_EXPECT (copy);
    if (size) {
        memcpy (copy, data, size);
    }
    return copy;
}

static char fuzz_folder [64];

static inline void fuzz_folder_remove (void)
{
    DIR *folder = fuzz_folder [0] ? opendir (fuzz_folder) : NULL;
    char path [sizeof fuzz_folder + NAME_MAX + 2];
    for (struct dirent *entry; folder && (entry = readdir (folder));) {
        snprintf (path, sizeof path, "%s/%s", fuzz_folder, entry->d_name);
        if (entry->d_name [0] != '.') {
            unlink (path);
        }
    }
    if (folder) {
        closedir (folder);
        rmdir (fuzz_folder);
    }
}

//  A new folder, in memory where there is such a place; removed when the target ends.
static inline const char *fuzz_folder_make (void)
{
    static bool registered;
    snprintf (fuzz_folder, sizeof fuzz_folder, "%s/patrol-fuzz-XXXXXX", access ("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    FUZZ_EXPECT (mkdtemp (fuzz_folder));
    if (!registered) {
        atexit (fuzz_folder_remove);
        registered = true;
    }
    return fuzz_folder;
}

#endif
