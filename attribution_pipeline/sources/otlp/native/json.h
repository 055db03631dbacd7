/* JSON as strict as orjson reads it, token by token.
 *
 * Belongs here: what json_lexer.c gives to the walks (json_span.c, json.c). Every function takes a
 * place in the input and answers the place behind what it read, or NULL where that is no JSON or is
 * beyond a limit that the loop does not have.
 */
#ifndef ATTRIBUTION_JSON_H
#define ATTRIBUTION_JSON_H

#include "scan.h"

typedef const uint8_t *At;

typedef struct {
    const uint8_t *at;
    size_t size;
    int escaped;
} Text;

static inline At blank(At p)
{
    while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t')
        p++;
    return p;
}

static inline int digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static inline int json_is(const Text *key, const char *name, size_t size)
{
    return key->size == size && !memcmp(key->at, name, size);
}
#define IS(key, name) json_is(key, name, sizeof(name) - 1)

/* From behind the opening quote to behind the closing one. */
At json_text(At p, At end, Text *found);
/* Behind a number; ``plain``: digits with at most a minus. */
At json_number(At p, int *plain);
At json_literal(At p, const char *word);
/* The next member of an object, from behind its brace or the value before: at its value, or behind
 * the closing brace with key->at NULL. */
At json_member(At p, At end, Text *key, int first);
/* The next element of an array, likewise. */
At json_element(At p, int first, int *closed);
/* Behind any value. */
At json_skip(At p, At end, int depth);

/* json_span.c: one span, from its brace. NULL: give up the document. */
At json_span(Scanner *s, At p, At end);

/* json_attribute.c: one element of a span's attributes. */
At json_attribute(Scanner *s, At p, At end);
/* A string without escapes, or null (at NULL); anything else makes the span odd. */
At json_plain_text(Scanner *s, At p, At end, Value *value);

#endif
