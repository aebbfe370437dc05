//  import - patrol-node import: one tip per line, resumable
//
//  Each line has a key: a hash of the line and of how many like it came before. The daemon remembers the keys with the
//  tips, in one transaction, so a second run adds only what is new or was corrected, wherever the first one stopped.

#include "nodeverbs.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_ROOM 65536
#define CHUNK_LINES 1000
#define CHUNK_BYTES (384 * 1024) //  a request line of local.h takes 1 MiB
#define HASH_SIZE 16

typedef struct {
    uint8_t hash [HASH_SIZE];
    uint32_t count; //  0 = empty slot
} seen_t;

typedef struct {
    cli_t *cli;
    const char *name;
    FILE *file;
    uint8_t salt [HASH_SIZE]; //  zero, or random for --again
    seen_t *seen;             //  open addressing, a power of two
    size_t seen_count, seen_room;
    json_t *chunk;
    size_t chunk_bytes;
    int64_t line, bytes, added, known, bad;
} import_t;

//  ---- keys

static seen_t *s_slot (seen_t *slots, size_t room, const uint8_t hash [HASH_SIZE])
{
    uint64_t start;
    memcpy (&start, hash, sizeof start);
    for (size_t index = (size_t)start & (room - 1);; index = (index + 1) & (room - 1))
        if (slots [index].count == 0 || !memcmp (slots [index].hash, hash, HASH_SIZE))
            return &slots [index];
}

static void s_grow (import_t *self)
{
    size_t room = self->seen_room ? self->seen_room * 2 : 1024;
    seen_t *slots = calloc (room, sizeof *slots);
    if (!slots)
        abort ();
    for (size_t index = 0; index < self->seen_room; index++)
        if (self->seen [index].count)
            *s_slot (slots, room, self->seen [index].hash) = self->seen [index];
    free (self->seen);
    self->seen = slots;
    self->seen_room = room;
}

static void s_key (import_t *self, const char *line, size_t size, char hex [HASH_SIZE * 2 + 1])
{
    uint8_t hash [HASH_SIZE], key [HASH_SIZE];
    crypto_generichash (hash, sizeof hash, (const uint8_t *)line, size, self->salt, sizeof self->salt);
    if (self->seen_count * 2 >= self->seen_room)
        s_grow (self);
    seen_t *slot = s_slot (self->seen, self->seen_room, hash);
    memcpy (slot->hash, hash, HASH_SIZE);
    self->seen_count += slot->count == 0;
    slot->count++;
    crypto_generichash (key, sizeof key, (const uint8_t *)slot, sizeof *slot, self->salt, sizeof self->salt);
    sodium_bin2hex (hex, HASH_SIZE * 2 + 1, key, sizeof key);
}

//  ---- chunks

static void s_bad_line (import_t *self, int64_t line, const char *why)
{
    self->bad++;
    cli_error (self->cli, EXIT_FAILED, text_format (T_IMPORT_LINE), self->name, (long long)line, why);
}

static bool s_chunk_answer (void *context, json_t *object)
{
    import_t *self = context;
    size_t index;
    json_t *bad;
    self->added += json_integer_value (json_object_get (object, "added"));
    self->known += json_integer_value (json_object_get (object, "known"));
    json_array_foreach (json_object_get (object, "bad"), index, bad)
    {
        const char *why = json_string_value (json_object_get (bad, "error"));
        s_bad_line (self, json_integer_value (json_object_get (bad, "line")), why ? why : "");
    }
    return true;
}

static int s_send_chunk (import_t *self)
{
    if (json_array_size (self->chunk) == 0)
        return EXIT_DONE;
    json_t *request = json_pack ("{s:s, s:o}", "do", "import", "lines", self->chunk);
    self->chunk = json_array ();
    self->chunk_bytes = 0;
    return node_ask (self->cli, request, false, s_chunk_answer, self);
}

//  ---- lines

//  The next line without its end, cut at the room. Returns false at the end of the file.
static bool s_read_line (import_t *self, char *line, size_t *size, bool *too_long)
{
    int byte;
    *size = 0;
    *too_long = false;
    while ((byte = getc_unlocked (self->file)) != EOF && byte != '\n') {
        self->bytes++;
        if (*size < LINE_ROOM - 1)
            line [(*size)++] = (char)byte;
        else
            *too_long = true;
    }
    self->bytes++;
    while (*size > 0 && strchr (" \t\r", line [*size - 1]))
        (*size)--;
    line [*size] = 0;
    self->line++;
    //  spreadsheets and editors put a byte order mark before the first line
    if (self->line == 1 && *size >= 3 && memcmp (line, "\xef\xbb\xbf", 3) == 0) {
        *size -= 3;
        memmove (line, line + 3, *size + 1);
    }
    return byte != EOF || *size > 0;
}

static int s_take_line (import_t *self, const char *line, size_t size)
{
    json_error_t error;
    char hex [HASH_SIZE * 2 + 1];
    json_t *tip = json_loadb (line, size, JSON_REJECT_DUPLICATES, &error);
    if (!tip) {
        s_bad_line (self, self->line, error.text);
        return EXIT_DONE;
    }
    s_key (self, line, size, hex);
    json_array_append_new (
        self->chunk, json_pack ("{s:I, s:s, s:o}", "line", (json_int_t)self->line, "key", hex, "tip", tip));
    self->chunk_bytes += size + 80;
    if (json_array_size (self->chunk) < CHUNK_LINES && self->chunk_bytes < CHUNK_BYTES)
        return EXIT_DONE;
    return s_send_chunk (self);
}

static int s_read_all (import_t *self, progress_t *progress)
{
    char *line = malloc (LINE_ROOM);
    size_t size;
    bool too_long;
    int rc = EXIT_DONE;
    if (!line)
        abort ();
    while (rc == EXIT_DONE && s_read_line (self, line, &size, &too_long)) {
        if (too_long)
            s_bad_line (self, self->line, text (T_IMPORT_LONG));
        else if (size > 0)
            rc = s_take_line (self, line, size);
        progress_step (progress, self->bytes);
    }
    free (line);
    if (rc == EXIT_DONE && ferror (self->file))
        rc = cli_error (self->cli, EXIT_FAILED, text_format (T_IMPORT_OPEN), self->name, strerror (errno));
    return rc == EXIT_DONE ? s_send_chunk (self) : rc;
}

static void s_print_sums (import_t *self)
{
    if (cli_json (self->cli)) {
        json_t *sums = json_pack ("{s:I, s:I, s:I}", "added", (json_int_t)self->added, "known", (json_int_t)self->known,
            "bad", (json_int_t)self->bad);
        cli_print_json (sums);
        json_decref (sums);
    } else
        printf (text_format (T_IMPORT_DONE), (long long)self->added, (long long)self->known, (long long)self->bad);
}

int verb_import (cli_t *cli)
{
    import_t self = { .cli = cli, .chunk = json_array () };
    progress_t progress;
    struct stat about;
    char **operands;
    cli_operands (cli, &operands);
    self.name = operands [0];
    self.file = !strcmp (self.name, "-") ? stdin : fopen (self.name, "re");
    if (!self.file || fstat (fileno (self.file), &about) || S_ISDIR (about.st_mode)) {
        int reason = self.file ? EISDIR : errno;
        json_decref (self.chunk);
        return cli_error (cli, EXIT_FAILED, text_format (T_IMPORT_OPEN), self.name, strerror (reason));
    }
    if (cli_flag (cli, "again"))
        randombytes_buf (self.salt, sizeof self.salt);
    progress_begin (&progress, text (T_IMPORT_PROGRESS), S_ISREG (about.st_mode) ? (int64_t)about.st_size : 0);
    int rc = s_read_all (&self, &progress);
    progress_end (&progress);
    s_print_sums (&self);
    if (self.file != stdin)
        fclose (self.file);
    json_decref (self.chunk);
    free (self.seen);
    return rc == EXIT_DONE && self.bad > 0 ? EXIT_FAILED : rc;
}
