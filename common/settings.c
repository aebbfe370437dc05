//  settings - HOME/settings.json: flat, known keys only, ranges checked

#include "settings.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "home.h"
#include "nearest.h"
#include "utf8.h"

#define FILE_LIMIT (64 * 1024)

typedef struct {
    bool set;       //  in the file or by settings_set; else the fallback holds
    char *text;     //  of a text; NULL = required and not given yet
    int64_t number; //  of a number; a bool is 0 or 1
} value_t;

struct settings_t {
    const setting_spec_t *specs;
    int count;
    value_t *values; //  one a spec
};

static int s_index (const settings_t *self, const char *name)
{
    for (int index = 0; index < self->count; index++)
        if (strcmp (self->specs [index].name, name) == 0)
            return index;
    return -1;
}

//  ---- checking a value

//  `where` begins the error line: the file, or what is being set.

static int s_wrong (const char *where, const setting_spec_t *spec, const char *found)
{
    char wanted [96];
    if (spec->type == SETTING_NUMBER)
        snprintf (wanted, sizeof wanted, "a whole number from %" PRId64 " to %" PRId64, spec->min, spec->max);
    else if (spec->type == SETTING_TEXT)
        snprintf (wanted, sizeof wanted, "a text of %" PRId64 " to %" PRId64 " bytes without control characters", spec->min,
            spec->max);
    else
        snprintf (wanted, sizeof wanted, "true or false");
    fprintf (stderr, "%s: \"%s\" is %s; it must be %s (%s)\n", where, spec->name, found, wanted, spec->help);
    return -1;
}

static int s_take_text (value_t *value, const setting_spec_t *spec, const char *words)
{
    size_t size = strlen (words);
    if ((int64_t)size < spec->min || (int64_t)size > spec->max
        || utf8_check ((const uint8_t *)words, size, size, false) != UTF8_OK)
        return -1;
    char *copy = strdup (words);
    if (!copy)
        abort ();
    free (value->text);
    value->text = copy;
    return 0;
}

static int s_take_number (value_t *value, const setting_spec_t *spec, int64_t number)
{
    if (number < spec->min || number > spec->max)
        return -1;
    value->number = number;
    return 0;
}

//  A value as people type it, or the fallback of the table.

static int s_take_typed (value_t *value, const setting_spec_t *spec, const char *typed)
{
    switch (spec->type) {
    case SETTING_TEXT:
        return s_take_text (value, spec, typed);
    case SETTING_NUMBER: {
        char *end = NULL;
        errno = 0;
        long long number = strtoll (typed, &end, 10);
        bool digits = (*typed >= '0' && *typed <= '9') || (*typed == '-' && typed [1] >= '0' && typed [1] <= '9');
        return !digits || errno || *end ? -1 : s_take_number (value, spec, number);
    }
    case SETTING_BOOL:
        if (strcmp (typed, "true") && strcmp (typed, "false"))
            return -1;
        value->number = strcmp (typed, "true") == 0;
        return 0;
    }
    return -1;
}

static int s_take_json (value_t *value, const setting_spec_t *spec, const json_t *json)
{
    switch (spec->type) {
    case SETTING_TEXT:
        return json_is_string (json) ? s_take_text (value, spec, json_string_value (json)) : -1;
    case SETTING_NUMBER:
        return json_is_integer (json) ? s_take_number (value, spec, json_integer_value (json)) : -1;
    case SETTING_BOOL:
        value->number = json_is_true (json);
        return json_is_boolean (json) ? 0 : -1;
    }
    return -1;
}

//  ---- life

settings_t *settings_new (const setting_spec_t *specs)
{
    assert (specs);
    settings_t *self = calloc (1, sizeof *self);
    if (!self)
        abort ();
    self->specs = specs;
    while (specs [self->count].name)
        self->count++;
    self->values = calloc ((size_t)self->count + 1, sizeof *self->values);
    if (!self->values)
        abort ();
    for (int index = 0; index < self->count; index++)
        if (specs [index].fallback) {
            int fits = s_take_typed (&self->values [index], &specs [index], specs [index].fallback);
            assert (fits == 0);
            (void)fits;
        }
    return self;
}

void settings_destroy (settings_t **self_p)
{
    assert (self_p);
    settings_t *self = *self_p;
    if (!self)
        return;
    for (int index = 0; index < self->count; index++)
        free (self->values [index].text);
    free (self->values);
    free (self);
    *self_p = NULL;
}

//  ---- loading

//  The file's bytes, caller frees; *size -1 if it is absent. NULL with one line if it cannot be read.

static char *s_read_file (const char *path, ssize_t *size)
{
    char *bytes = malloc (FILE_LIMIT + 1);
    if (!bytes)
        abort ();
    *size = -1;
    int fd = open (path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return bytes;
    ssize_t used = 0, got = fd < 0 ? -1 : 1;
    while (got > 0 && used <= FILE_LIMIT) {
        got = read (fd, bytes + used, (size_t)(FILE_LIMIT + 1 - used));
        used += got > 0 ? got : 0;
    }
    int why = errno;
    if (fd >= 0)
        close (fd);
    if (got >= 0 && used <= FILE_LIMIT) {
        *size = used;
        return bytes;
    }
    fprintf (stderr, "%s: cannot be read: %s\n", path, got < 0 ? strerror (why) : "it is over 64 KiB");
    free (bytes);
    return NULL;
}

static int s_unknown (const settings_t *self, const char *where, const char *name)
{
    nearest_t nearest;
    nearest_begin (&nearest, name);
    for (int index = 0; index < self->count; index++)
        nearest_offer (&nearest, self->specs [index].name);
    if (nearest.word)
        fprintf (stderr, "%s: \"%s\" is not a setting; did you mean \"%s\"?\n", where, name, nearest.word);
    else {
        fprintf (stderr, "%s: \"%s\" is not a setting; known are:", where, name);
        for (int index = 0; index < self->count; index++)
            fprintf (stderr, " %s", self->specs [index].name);
        fputc ('\n', stderr);
    }
    return -1;
}

static int s_take_all (settings_t *self, const char *path, json_t *root)
{
    const char *name;
    json_t *json;
    json_object_foreach (root, name, json)
    {
        int index = s_index (self, name);
        if (index < 0)
            return s_unknown (self, path, name);
        if (s_take_json (&self->values [index], &self->specs [index], json)) {
            char *found = json_dumps (json, JSON_ENCODE_ANY | JSON_COMPACT);
            s_wrong (path, &self->specs [index], found ? found : "?");
            free (found);
            return -1;
        }
        self->values [index].set = true;
    }
    return 0;
}

static int s_check_required (const settings_t *self, const char *path)
{
    for (int index = 0; index < self->count; index++)
        if (!self->specs [index].fallback && !self->values [index].set)
            return s_wrong (path, &self->specs [index], "absent");
    return 0;
}

static int s_load (settings_t *self, const char *path)
{
    ssize_t size;
    char *bytes = s_read_file (path, &size);
    if (!bytes)
        return -1;
    int result = 0;
    if (size >= 0) {
        json_error_t error;
        json_t *root = json_loadb (bytes, (size_t)size, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object (root)) {
            fprintf (stderr, "%s: line %d: %s; it must be one JSON object\n", path, root ? 1 : error.line,
                root ? "not an object" : error.text);
            result = -1;
        } else
            result = s_take_all (self, path, root);
        json_decref (root);
    }
    free (bytes);
    return result ? result : s_check_required (self, path);
}

settings_t *settings_load (const char *home, const setting_spec_t *specs)
{
    assert (home && specs);
    settings_t *self = settings_new (specs);
    char *path = home_path (home, "settings.json");
    if (s_load (self, path))
        settings_destroy (&self);
    free (path);
    return self;
}

//  ---- values

static const value_t *s_value (const settings_t *self, const char *name, setting_type_t type)
{
    int index = s_index (self, name);
    //  a name or type that is not in the table is a mistake of ours
    assert (index >= 0 && self->specs [index].type == type);
    (void)type;
    return &self->values [index];
}

const char *settings_text (const settings_t *self, const char *name)
{
    return s_value (self, name, SETTING_TEXT)->text;
}

int64_t settings_number (const settings_t *self, const char *name)
{
    return s_value (self, name, SETTING_NUMBER)->number;
}

bool settings_bool (const settings_t *self, const char *name)
{
    return s_value (self, name, SETTING_BOOL)->number != 0;
}

int settings_set (settings_t *self, const char *name, const char *value)
{
    assert (self && name && value);
    int index = s_index (self, name);
    if (index < 0)
        return s_unknown (self, "settings", name);
    if (s_take_typed (&self->values [index], &self->specs [index], value)) {
        json_t *quoted = json_string (value);
        char *found = quoted ? json_dumps (quoted, JSON_ENCODE_ANY) : NULL;
        s_wrong ("settings", &self->specs [index], found ? found : "not UTF-8");
        free (found);
        json_decref (quoted);
        return -1;
    }
    self->values [index].set = true;
    return 0;
}

//  ---- saving

static char *s_dump (const settings_t *self)
{
    json_t *root = json_object ();
    for (int index = 0; index < self->count; index++) {
        const value_t *value = &self->values [index];
        if (!value->set)
            continue;
        json_t *json = NULL;
        switch (self->specs [index].type) {
        case SETTING_TEXT:
            json = json_string (value->text);
            break;
        case SETTING_NUMBER:
            json = json_integer (value->number);
            break;
        case SETTING_BOOL:
            json = json_boolean (value->number);
            break;
        }
        json_object_set_new (root, self->specs [index].name, json);
    }
    char *dump = json_dumps (root, JSON_INDENT (2));
    json_decref (root);
    if (!dump)
        abort ();
    return dump;
}

static int s_write (const char *path, const char *bytes)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -1;
    size_t size = strlen (bytes), done = 0;
    while (done < size) {
        ssize_t wrote = write (fd, bytes + done, size - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            break;
        done += (size_t)wrote;
    }
    int result = done < size || write (fd, "\n", 1) != 1 || fchmod (fd, 0600) || fsync (fd) ? -1 : 0;
    return close (fd) ? -1 : result;
}

static int s_sync_folder (const char *home)
{
    int fd = open (home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = fd < 0 ? -1 : fsync (fd);
    if (fd >= 0)
        close (fd);
    return result;
}

int settings_save (const settings_t *self, const char *home)
{
    assert (self && home);
    char *path = home_path (home, "settings.json"), *next = home_path (home, "settings.json.new");
    char *dump = s_dump (self);
    int result = s_check_required (self, path);
    if (result == 0 && (s_write (next, dump) || rename (next, path) || s_sync_folder (home))) {
        fprintf (stderr, "%s: cannot be written: %s\n", path, strerror (errno));
        unlink (next);
        result = -1;
    }
    free (dump);
    free (next);
    free (path);
    return result;
}
