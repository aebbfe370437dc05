//  catalogue - every text a person reads, in English and zh-CN

#include "catalogue.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

//  Set once at start, before threads.
static lang_t s_lang = LANG_EN;

static const char *const s_texts [TEXT_COUNT + 1][2] = {
#define X(id, en, zh) { en, zh },
#include "catalogue.def"
#undef X
    { "", "" }
};

int catalogue_set (const char *name)
{
    assert (name);
    if (strcmp (name, "zh") && strcmp (name, "en"))
        return -1;
    s_lang = strcmp (name, "zh") == 0 ? LANG_ZH : LANG_EN;
    return 0;
}

void catalogue_from_environment (void)
{
    static const char *const names [] = { "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG" };
    s_lang = LANG_EN;
    for (size_t index = 0; index < sizeof names / sizeof *names; index++) {
        const char *value = getenv (names [index]);
        if (value && *value) {
            //  the first one that says something decides, as in gettext
            s_lang = strncmp (value, "zh", 2) == 0 ? LANG_ZH : LANG_EN;
            return;
        }
    }
}

lang_t catalogue_lang (void)
{
    return s_lang;
}

const char *text (text_id_t id)
{
    assert ((int)id >= 0 && id < TEXT_COUNT);
    return s_texts [id][s_lang];
}

const char *text_checked (text_id_t id, const char *english)
{
    (void)english;
    return text (id);
}
