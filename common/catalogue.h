//  catalogue - every text a person reads, in English and zh-CN, in one place: catalogue.def
//
//  X (ID, "English", "中文") lines; a text without its translation does not compile. printf forms must agree
//  (a unit test compares them). JSON keys and log lines are not in it: they are a contract, in English.

#ifndef CATALOGUE_H_INCLUDED
#define CATALOGUE_H_INCLUDED

typedef enum {
#define X(id, en, zh) T_##id,
#include "catalogue.def"
#undef X
    TEXT_COUNT
} text_id_t;

typedef enum { LANG_EN, LANG_ZH } lang_t;

//  --lang, else LANGUAGE / LC_ALL / LC_MESSAGES / LANG beginning with "zh", else English. "zh" and "en" are the names.
int catalogue_set (const char *name); //  -1 if unknown
void catalogue_from_environment (void);
lang_t catalogue_lang (void);

const char *text (text_id_t id);

//  A text with conversions, as a format: printf (text_format (T_LOADED), count). The compiler checks the arguments
//  against the English text (plain text () as a format does not compile under -Wformat=2). Needs the name itself, not
//  a variable.
#define text_format(id) text_checked (id, en_##id)
const char *text_checked (text_id_t id, const char *english) __attribute__ ((format_arg (2)));
#define X(id, en, zh) static const char en_T_##id [] __attribute__ ((unused)) = en;
#include "catalogue.def"
#undef X

#endif
