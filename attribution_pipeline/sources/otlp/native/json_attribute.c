/* One attribute of a span in OTLP/JSON: key, value, and where it goes.
 *
 * Belongs here: twin of documents._take_attributes. Does not: ranks and columns (rows.c).
 */
#include "json.h"

At json_plain_text(Scanner *s, At p, At end, Value *value)
{
    *value = (Value){0};
    if (*p == '"') {
        Text found;
        p = json_text(p + 1, end, &found);
        if (p && found.escaped)
            s->span.odd = 1;
        *value = (Value){found.at, found.size, 0};
        return p;
    }
    if (*p != 'n')
        s->span.odd = 1;
    return json_skip(p, end, 0);
}

static inline At begins(At p, At end, const char *word, size_t size)
{
    return (size_t)(end - p) >= size && !memcmp(p, word, size) ? p + size : NULL;
}
#define starts(p, end, word) begins(p, end, word, sizeof(word) - 1)

static At any_value(Scanner *s, At p, At end, const Slot *slot)
{
    Span *span = &s->span;
    Text key;
    Value value;
    if (*p != '{') {
        if (*p != 'n')
            span->odd = 1;
        return json_skip(p, end, 0);
    }
    p++;
    for (int first = 1;; first = 0) {
        p = json_member(p, end, &key, first);
        if (!p || !key.at)
            return p;
        if (!first || key.escaped)
            span->odd = 1; /* which of several kinds counts, the loop knows */
        if (IS(&key, "stringValue")) {
            if (*p != '"')
                span->odd = 1;
            p = json_plain_text(s, p, end, &value);
            if (p && !span->odd)
                take_text(span, slot, value);
        } else if (IS(&key, "intValue") && *p == '"') {
            p = json_plain_text(s, p, end, &value);
            if (p && !span->odd)
                take_integer(span, slot, value, 1);
        } else if (IS(&key, "intValue")) {
            int plain;
            At from = p;
            p = json_number(p, &plain);
            if (!p) { /* no number, or one beyond what is told apart here */
                span->odd = 1;
                p = json_skip(from, end, 0);
            } else if (!plain)
                span->odd = 1;
            else if (!span->odd)
                take_integer(span, slot, (Value){from, (size_t)(p - from), 0}, 0);
        } else if (IS(&key, "boolValue") && (*p == 't' || *p == 'f')) {
            int truth = *p == 't';
            p = json_skip(p, end, 0);
            if (p && !span->odd)
                take_truth(span, slot, truth);
        } else {
            if (IS(&key, "boolValue") || IS(&key, "doubleValue"))
                span->odd = 1;
            p = json_skip(p, end, 0);
        }
        if (!p)
            return NULL;
    }
}

/* The attribute that nearly all are: {"key":"...","value":{"stringValue":"..."}} without a blank, or
 * with an integer. NULL where it is any other, and nothing was taken of it. */
static At usual_attribute(Scanner *s, At p, At end)
{
    Text key, value;
    int quoted = 1, is_text = 1;
    if (!(p = starts(p, end, "{\"key\":\"")) || !(p = json_text(p, end, &key)) || key.escaped
        || !(p = starts(p, end, ",\"value\":{\"")))
        return NULL;
    At kind = p;
    if (!(p = starts(kind, end, "stringValue\":\""))) {
        is_text = 0;
        if (!(p = starts(kind, end, "intValue\":")))
            return NULL;
        quoted = *p == '"';
        p += quoted;
    }
    if (quoted) {
        if (!(p = json_text(p, end, &value)) || (!is_text && value.escaped))
            return NULL;
    } else {
        int plain;
        value = (Text){.at = p};
        if (!(p = json_number(p, &plain)) || !plain)
            return NULL;
        value.size = (size_t)(p - value.at);
    }
    if (!(p = starts(p, end, "}}")))
        return NULL;
    const Slot *slot = slot_of(s, key.at, key.size);
    if (!slot || (slot->kept < 0 && slot->rank >= s->span.rank[slot->column]))
        return p;
    Value found = {value.at, value.size, 0};
    if (value.escaped)
        s->span.odd = 1;
    else if (is_text)
        take_text(&s->span, slot, found);
    else
        take_integer(&s->span, slot, found, quoted);
    return p;
}

At json_attribute(Scanner *s, At p, At end)
{
    At usual = usual_attribute(s, p, end);
    if (usual)
        return usual;
    Span *span = &s->span;
    const Slot *slot = NULL;
    uint64_t seen = 0;
    Text key;
    if (*p != '{') {
        span->odd = 1;
        return json_skip(p, end, 0);
    }
    p++;
    for (int first = 1;; first = 0) {
        p = json_member(p, end, &key, first);
        if (!p)
            return NULL;
        if (!key.at)
            break;
        if (key.escaped)
            span->odd = 1;
        if (IS(&key, "key")) {
            Value name;
            once(span, &seen, 0);
            if (*p != '"')
                span->odd = 1;
            p = json_plain_text(s, p, end, &name);
            if (p && name.at)
                slot = slot_of(s, name.at, name.size);
        } else if (IS(&key, "value")) {
            once(span, &seen, 1);
            if (!(seen & 1))
                span->odd = 1; /* value before key */
            if (slot && (slot->kept >= 0 || slot->rank < span->rank[slot->column]))
                p = any_value(s, p, end, slot);
            else
                p = json_skip(p, end, 0);
        } else
            p = json_skip(p, end, 0);
        if (!p)
            return NULL;
    }
    if (!(seen & 1))
        span->odd = 1;
    return p;
}
