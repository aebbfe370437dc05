//  placename - when do two spellings mean the same place?
//
//  A key is the name in small letters, without spaces and punctuation, wide forms made narrow. People leave suffixes out
//  (镇 村 县 街道办事处 村委会 社区居委会 ..., town county zhen xian ...): the stem is the key without them, but never shorter than
//  two Chinese characters or three letters.

#ifndef PLACENAME_H_INCLUDED
#define PLACENAME_H_INCLUDED

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACENAME_ROOM 256 //  for the key of a text of PLACE_MAX bytes

//  Writes the key of a checked UTF-8 text, NUL-terminated; returns its bytes. What does not fit is left out.
size_t placename_key (const char *text, size_t size, char key [PLACENAME_ROOM]);

//  The same, and where a name may begin: starts [i] is set for the byte of every Chinese character, for the first letter of a word
//  and the first digit of a number. A name may end where the next may begin. (An apostrophe divides no word: Xi'an.)
size_t placename_key_words (const char *text, size_t size, char key [PLACENAME_ROOM], bool starts [PLACENAME_ROOM]);

//  Bytes of the key that are its stem (== size if it has no suffix).
size_t placename_stem (const char *key, size_t size);

//  Length in characters.
size_t placename_length (const char *key, size_t size);

//  FNV-1a; PLACENAME_HASH and placename_hash_more give it byte by byte.
#define PLACENAME_HASH 14695981039346656037u
static inline uint64_t placename_hash_more (uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 1099511628211u;
}
uint64_t placename_hash (const char *key, size_t size);

//  Is there a Chinese character in it?
bool placename_is_han (const char *text);

#endif
