/* Text as the decoders of Python and of protobuf take it.
 *
 * Belongs here: valid UTF-8 (RFC 3629). Does not: JSON's escapes (json.c).
 */
#include "scan.h"

/* How many bytes follow a leading one; 0: none leads so. */
static int following(uint8_t byte)
{
    if (byte >= 0xC2 && byte <= 0xDF)
        return 1;
    if ((byte & 0xF0) == 0xE0)
        return 2;
    return byte >= 0xF0 && byte <= 0xF4 ? 3 : 0;
}

static uint64_t eight(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, 8);
    return word & 0x8080808080808080u;
}

int is_utf8(const uint8_t *p, const uint8_t *end)
{
    if (end - p >= 8 && end - p <= 16 && !eight(p) && !eight(end - 8))
        return 1; /* most names */
    while (p < end) {
        while (end - p >= 8 && !eight(p))
            p += 8;
        if (p == end)
            break;
        if (*p < 0x80) {
            p++;
            continue;
        }
        int more = following(*p);
        if (!more || end - p <= more)
            return 0;
        /* no longer forms, no surrogates, nothing beyond U+10FFFF */
        if ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F)
            || (*p == 0xF0 && p[1] < 0x90) || (*p == 0xF4 && p[1] > 0x8F))
            return 0;
        for (int i = 1; i <= more; i++)
            if ((p[i] & 0xC0) != 0x80)
                return 0;
        p += more + 1;
    }
    return 1;
}
