/* JSON, token by token.
 *
 * Belongs here: what orjson takes for JSON, and nothing more. Does not: valid UTF-8 (text.c), OTLP.
 * The byte after the last one is zero, which no token has, so only reads of several bytes count.
 */
#include "json.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define NUMBER_SIZE_MAX 60
#define EXPONENT_DIGITS_MAX 2 /* with the size above: finite for certain */

static int hex4(At p)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int c = p[i] | 0x20, digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0 || p[i] < '0')
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* Behind an escape that starts here; NULL: none that JSON has, or half of a surrogate pair. */
static At escape(At p)
{
    switch (p[1]) {
    case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
        return p + 2;
    case 'u': {
        int unit = hex4(p + 2);
        if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF))
            return NULL;
        if (unit < 0xD800 || unit > 0xDBFF)
            return p + 6;
        if (p[6] != '\\' || p[7] != 'u')
            return NULL;
        unit = hex4(p + 8);
        return unit >= 0xDC00 && unit <= 0xDFFF ? p + 12 : NULL;
    }
    default:
        return NULL;
    }
}

At json_text(At p, At end, Text *found)
{
    found->at = p;
    found->escaped = 0;
    for (;;) {
#ifdef __SSE2__
        while (end - p >= 16) {
            __m128i bytes = _mm_loadu_si128((const __m128i *)p);
            __m128i stop = _mm_or_si128(
                _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                             _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
                /* at most 0x1F, unsigned */
                _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes));
            unsigned mask = (unsigned)_mm_movemask_epi8(stop);
            if (mask) {
                p += __builtin_ctz(mask);
                break;
            }
            p += 16;
        }
#elif __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        const uint64_t low = 0x0101010101010101u, high = 0x8080808080808080u;
        while (end - p >= 8) {
            uint64_t word;
            memcpy(&word, p, 8);
            uint64_t quote = word ^ low * '"', slash = word ^ low * '\\';
            /* bytes that are a quote, a backslash or a control character */
            uint64_t stop = (((quote - low) & ~quote) | ((slash - low) & ~slash)
                             | ((word - low * 0x20) & ~word)) & high;
            if (stop) {
                p += __builtin_ctzll(stop) / 8;
                break;
            }
            p += 8;
        }
#endif
        while (*p >= 0x20 && *p != '"' && *p != '\\')
            p++;
        if (*p == '"') {
            found->size = (size_t)(p - found->at);
            return p + 1;
        }
        if (*p != '\\' || !(p = escape(p)))
            return NULL;
        found->escaped = 1;
    }
}

At json_number(At p, int *plain)
{
    At from = p;
    *plain = 1;
    if (*p == '-')
        p++;
    if (*p == '0')
        p++;
    else if (digit(*p))
        while (digit(*p))
            p++;
    else
        return NULL;
    if (*p == '.') {
        *plain = 0;
        if (!digit(*++p))
            return NULL;
        while (digit(*p))
            p++;
    }
    if (*p == 'e' || *p == 'E') {
        *plain = 0;
        p++;
        if (*p == '+' || *p == '-')
            p++;
        At exponent = p;
        while (digit(*p))
            p++;
        if (p == exponent || p - exponent > EXPONENT_DIGITS_MAX)
            return NULL;
    }
    return p - from > NUMBER_SIZE_MAX ? NULL : p;
}

At json_literal(At p, const char *word)
{
    size_t size = strlen(word);
    return strncmp((const char *)p, word, size) ? NULL : p + size;
}

At json_member(At p, At end, Text *key, int first)
{
    p = blank(p);
    if (*p == '}') {
        key->at = NULL;
        return p + 1;
    }
    if (!first) {
        if (*p != ',')
            return NULL;
        p = blank(p + 1);
    }
    if (*p != '"' || !(p = json_text(p + 1, end, key)))
        return NULL;
    p = blank(p);
    return *p == ':' ? blank(p + 1) : NULL;
}

At json_element(At p, int first, int *closed)
{
    p = blank(p);
    *closed = *p == ']';
    if (*closed)
        return p + 1;
    if (!first) {
        if (*p != ',')
            return NULL;
        p = blank(p + 1);
    }
    return p;
}

At json_skip(At p, At end, int depth)
{
    Text found;
    int ignored, closed;
    switch (*p) {
    case '"':
        return json_text(p + 1, end, &found);
    case '{':
        if (depth >= MAX_DEPTH)
            return NULL;
        p++;
        for (int first = 1;; first = 0) {
            p = json_member(p, end, &found, first);
            if (!p || !found.at)
                return p;
            p = json_skip(p, end, depth + 1);
            if (!p)
                return NULL;
        }
    case '[':
        if (depth >= MAX_DEPTH)
            return NULL;
        p++;
        for (int first = 1;; first = 0) {
            p = json_element(p, first, &closed);
            if (!p || closed)
                return p;
            p = json_skip(p, end, depth + 1);
            if (!p)
                return NULL;
        }
    case 't':
        return json_literal(p, "true");
    case 'f':
        return json_literal(p, "false");
    case 'n':
        return json_literal(p, "null");
    default:
        return json_number(p, &ignored);
    }
}
