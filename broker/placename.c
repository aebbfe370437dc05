#include <string.h>
#include "placename.h"
#include "utf8.h"

//  Longer ones first, of those that end alike.
static const char *const s_suffixes []
    = { "社区居民委员会", "社区居委会", "村民委员会", "居民委员会", "街道办事处", "村委会", "居委会", "办事处", "街道",
          "社区", "省", "市", "区", "县", "镇", "乡", "村", "subdistrict", "township", "district", "province", "village",
          "county", "street", "jiedao", "town", "city", "zhen", "xian", "xiang", "shi", "cun", "qu" };

//  Spaces and marks that people write or leave out.
static bool s_is_silent (uint32_t code)
{
    if (code < 0x80)
        return !((code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z'));
    return code == 0xA0 || code == 0xB7 || (code >= 0x2010 && code <= 0x2027) || code == 0x30FB
        || (code >= 0x3000 && code <= 0x3003) || (code >= 0x3008 && code <= 0x3011);
}

typedef enum { CLASS_NONE, CLASS_LETTER, CLASS_DIGIT, CLASS_HAN } s_class_t;

static s_class_t s_class (uint32_t code)
{
    if (code >= '0' && code <= '9')
        return CLASS_DIGIT;
    return code < 0x2E80 ? CLASS_LETTER : CLASS_HAN;
}

size_t placename_key_words (const char *text, size_t size, char key [PLACENAME_ROOM], bool starts [PLACENAME_ROOM])
{
    size_t at = 0, out = 0;
    s_class_t before = CLASS_NONE;
    while (at < size) {
        uint32_t code = 0;
        int taken = utf8_next ((const uint8_t *)text + at, size - at, &code);
        if (code >= 0xFF01 && code <= 0xFF5E)
            code -= 0xFEE0;
        if (!s_is_silent (code)) {
            bool narrow = code < 0x80;
            size_t room = narrow ? 1 : (size_t)taken;
            if (out + room >= PLACENAME_ROOM)
                break;
            s_class_t now = s_class (code);
            if (starts) {
                memset (starts + out, 0, room * sizeof *starts);
                starts [out] = now == CLASS_HAN || now != before;
            }
            before = now;
            if (narrow)
                key [out++] = (char)(code >= 'A' && code <= 'Z' ? code + 32 : code);
            else {
                memcpy (key + out, text + at, (size_t)taken);
                out += (size_t)taken;
            }
        } else if (code != '\'' && code != 0x2019)
            before = CLASS_NONE;
        at += (size_t)taken;
    }
    key [out] = 0;
    return out;
}

size_t placename_key (const char *text, size_t size, char key [PLACENAME_ROOM])
{
    return placename_key_words (text, size, key, NULL);
}

size_t placename_length (const char *key, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++)
        length += ((unsigned char)key [i] & 0xC0) != 0x80;
    return length;
}

size_t placename_stem (const char *key, size_t size)
{
    for (size_t i = 0; i < sizeof s_suffixes / sizeof *s_suffixes;) {
        size_t suffix = strlen (s_suffixes [i]);
        if (size > suffix && memcmp (key + size - suffix, s_suffixes [i], suffix) == 0
            && placename_length (key, size - suffix) >= (s_suffixes [i][0] & 0x80 ? 2 : 3)) {
            size -= suffix;
            i = 0; //  新庄村村委会: 新庄村, then 新庄
        } else
            i++;
    }
    return size;
}

uint64_t placename_hash (const char *key, size_t size)
{
    uint64_t hash = PLACENAME_HASH;
    for (size_t i = 0; i < size; i++)
        hash = placename_hash_more (hash, key [i]);
    return hash;
}

bool placename_is_han (const char *text)
{
    size_t size = strlen (text);
    for (size_t at = 0; at < size;) {
        uint32_t code = 0;
        at += (size_t)utf8_next ((const uint8_t *)text + at, size - at, &code);
        if ((code >= 0x3400 && code <= 0x9FFF) || (code >= 0x20000 && code <= 0x3FFFF))
            return true;
    }
    return false;
}
