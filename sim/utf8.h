/* UTF-8, as far as checking it goes. */
#ifndef TOKENYARD_SIM_UTF8_H
#define TOKENYARD_SIM_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes (1 to 4) of the well-formed sequence at `at`, before `end`; 0 when there is none: stray and
 * missing continuation bytes, overlong forms, surrogates, and code points past U+10FFFF (Unicode
 * Standard, table 3-7). */
static inline size_t utf8_sequence(const char *at, const char *end)
{
    const unsigned char *byte = (const unsigned char *)at;
    if (byte[0] < 0x80)
        return 1;
    if (byte[0] < 0xc2 || byte[0] > 0xf4)
        return 0;
    size_t length = byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : 4;
    if ((size_t)(end - at) < length)
        return 0;
    unsigned lowest = byte[0] == 0xe0 ? 0xa0 : byte[0] == 0xf0 ? 0x90 : 0x80;
    unsigned highest = byte[0] == 0xed ? 0x9f : byte[0] == 0xf4 ? 0x8f : 0xbf;
    if (byte[1] < lowest || byte[1] > highest)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (byte[i] < 0x80 || byte[i] > 0xbf)
            return 0;
    return length;
}

#endif
