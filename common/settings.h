//  settings - HOME/settings.json: flat, known keys only, ranges checked

#ifndef SETTINGS_H_INCLUDED
#define SETTINGS_H_INCLUDED

#include <stdbool.h>
#include <stdint.h>

typedef enum { SETTING_TEXT, SETTING_NUMBER, SETTING_BOOL } setting_type_t;

//  A program's table of the keys it knows, ended by an entry whose name is NULL.
typedef struct {
    const char *name;
    setting_type_t type;
    const char *fallback; //  as text; NULL = required
    int64_t min, max;     //  of a number; of a text: its length
    const char *help;     //  English, for the man page and error lines
} setting_spec_t;

typedef struct settings_t settings_t;

//  Reads HOME/settings.json (absent = all fallbacks). NULL with one line on stderr, naming file, key, value and what
//  would be right; an unknown key names the nearest known one.
settings_t *settings_load (const char *home, const setting_spec_t *specs);
settings_t *settings_new (const setting_spec_t *specs);
void settings_destroy (settings_t **self_p);

const char *settings_text (const settings_t *self, const char *name);
int64_t settings_number (const settings_t *self, const char *name);
bool settings_bool (const settings_t *self, const char *name);

//  Returns -1 with one line on stderr if the value does not fit the spec.
int settings_set (settings_t *self, const char *name, const char *value);
//  Writes atomically (new file, sync, rename), 0600.
int settings_save (const settings_t *self, const char *home);

#endif
