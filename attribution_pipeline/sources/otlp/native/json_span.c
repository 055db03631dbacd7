/* One span of OTLP/JSON: twin of documents.land_spans for spans without anything unusual.
 *
 * Belongs here: the fields of a span and of what it holds. Does not: what an attribute means (rows.c).
 * A span with anything unusual in it is walked to its end and left to the loop.
 */
#include "json.h"

/* A list of objects inside a span; null and a missing one are empty. */
static At list_of(Scanner *s, At p, At end, At (*one)(Scanner *, At, At))
{
    int closed;
    if (*p != '[') {
        if (*p != 'n')
            s->span.odd = 1;
        return json_skip(p, end, 0);
    }
    p++;
    for (int first = 1;; first = 0) {
        p = json_element(p, first, &closed);
        if (!p || closed)
            return p;
        p = one(s, p, end);
        if (!p)
            return NULL;
    }
}

/* An id of this many hex digits that is not zero: 1; zero: 0; anything else -1. */
static int id_of(uint8_t *out, Value value, size_t size)
{
    return value.at && value.size == size ? hex_digits(out, value.at, size) : -1;
}

static At span_link(Scanner *s, At p, At end)
{
    Span *span = &s->span;
    uint8_t trace_id[32], span_id[16];
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
        Value value;
        if (key.escaped)
            span->odd = 1;
        if (IS(&key, "traceId")) {
            once(span, &seen, 0);
            p = json_plain_text(s, p, end, &value);
            if (p && id_of(trace_id, value, 32) != 1)
                span->odd = 1;
        } else if (IS(&key, "spanId")) {
            once(span, &seen, 1);
            p = json_plain_text(s, p, end, &value);
            if (p && id_of(span_id, value, 16) != 1)
                span->odd = 1;
        } else
            p = json_skip(p, end, 0);
        if (!p)
            return NULL;
    }
    if (seen != 3)
        span->odd = 1;
    if (!span->odd && link_append(s, trace_id, span_id))
        return NULL;
    return p;
}

static At status(Scanner *s, At p, At end)
{
    Span *span = &s->span;
    uint64_t seen = 0;
    Text key;
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
        if (key.escaped)
            span->odd = 1;
        if (IS(&key, "code")) {
            once(span, &seen, 0);
            if (*p == '"') {
                Value code;
                p = json_plain_text(s, p, end, &code);
                if (p)
                    span->failed = (code.size == 17 && !memcmp(code.at, "STATUS_CODE_ERROR", 17))
                        || (code.size == 5 && !memcmp(code.at, "error", 5)); /* fields.STATUS_ERROR */
            } else if (digit(*p)) {
                int plain;
                At from = p;
                p = json_number(p, &plain);
                if (p && !plain)
                    span->odd = 1;
                if (p)
                    span->failed = p - from == 1 && *from == '2';
            } else {
                if (*p != 'n')
                    span->odd = 1;
                p = json_skip(p, end, 0);
            }
        } else
            p = json_skip(p, end, 0);
        if (!p)
            return NULL;
    }
}

/* Nanoseconds as decimal text or as a number; 0 where the loop is to look. */
static At nanoseconds(Scanner *s, At p, At end, int64_t *out)
{
    Value value;
    *out = 0;
    if (*p == '"') {
        p = json_plain_text(s, p, end, &value);
    } else {
        int plain = 0;
        At from = p;
        p = digit(*p) ? json_number(p, &plain) : json_skip(p, end, 0);
        value = (Value){from, p && plain ? (size_t)(p - from) : 0, 0};
    }
    if (!p)
        return NULL;
    uint64_t found = 0;
    if (!value.size || value.size > DIGITS_MAX + 1)
        return s->span.odd = 1, p;
    for (size_t i = 0; i < value.size; i++) {
        if (!digit(value.at[i]))
            return s->span.odd = 1, p;
        found = found * 10 + (uint64_t)(value.at[i] - '0'); /* 19 digits fit 64 bits */
    }
    if (found > INT64_MAX)
        s->span.odd = 1;
    else
        *out = (int64_t)found;
    return p;
}

/* fields.kind_number for numbers. */
static At kind(Scanner *s, At p, At end)
{
    int plain = 0;
    At from = p;
    if (!digit(*p)) {
        if (*p != 'n')
            s->span.odd = 1; /* by name, or something else */
        return json_skip(p, end, 0);
    }
    p = json_number(p, &plain);
    if (!p)
        return NULL;
    if (!plain)
        s->span.odd = 1;
    s->span.kind = p - from == 1 && *from <= '5' ? *from - '0' : -1;
    return p;
}

/* The sampling threshold of a trace state: fields.sampling_threshold says it. */
static At trace_state(Scanner *s, At p, At end)
{
    Span *span = &s->span;
    Value state;
    p = json_plain_text(s, p, end, &state);
    if (!p || span->odd)
        return p;
    int asks = 0;
    for (size_t i = 0; i + 3 <= state.size; i++)
        asks |= !memcmp(state.at + i, "ot=", 3);
    return !asks || !ask_threshold(s, state) ? p : NULL;
}

enum { F_TRACE, F_SPAN, F_PARENT, F_NAME, F_KIND, F_START, F_END, F_ATTRIBUTES, F_STATE, F_LINKS, F_STATUS };

At json_span(Scanner *s, At p, At end)
{
    Span *span = &s->span;
    uint64_t seen = 0;
    Text key;
    Value value;
    p++;
    for (int first = 1;; first = 0) {
        p = json_member(p, end, &key, first);
        if (!p)
            return NULL;
        if (!key.at)
            break;
        if (key.escaped)
            span->odd = 1;
        if (IS(&key, "traceId")) {
            once(span, &seen, F_TRACE);
            p = json_plain_text(s, p, end, &value);
            if (p && id_of(span->trace_id, value, 32) != 1)
                span->odd = 1;
        } else if (IS(&key, "spanId")) {
            once(span, &seen, F_SPAN);
            p = json_plain_text(s, p, end, &value);
            if (p && id_of(span->span_id, value, 16) != 1)
                span->odd = 1;
        } else if (IS(&key, "parentSpanId")) {
            once(span, &seen, F_PARENT);
            p = json_plain_text(s, p, end, &value);
            if (p && value.size) {
                int found = id_of(span->parent, value, 16);
                if (found < 0)
                    span->odd = 1;
                span->has_parent = found == 1;
            }
        } else if (IS(&key, "name")) {
            once(span, &seen, F_NAME);
            p = json_plain_text(s, p, end, &span->name);
        } else if (IS(&key, "kind")) {
            once(span, &seen, F_KIND);
            p = kind(s, p, end);
        } else if (IS(&key, "startTimeUnixNano")) {
            once(span, &seen, F_START);
            p = nanoseconds(s, p, end, &span->start);
        } else if (IS(&key, "endTimeUnixNano")) {
            once(span, &seen, F_END);
            p = nanoseconds(s, p, end, &span->end);
        } else if (IS(&key, "attributes")) {
            once(span, &seen, F_ATTRIBUTES);
            p = list_of(s, p, end, json_attribute);
        } else if (IS(&key, "traceState")) {
            once(span, &seen, F_STATE);
            p = trace_state(s, p, end);
        } else if (IS(&key, "links")) {
            once(span, &seen, F_LINKS);
            p = list_of(s, p, end, span_link);
        } else if (IS(&key, "status")) {
            once(span, &seen, F_STATUS);
            p = status(s, p, end);
        } else
            p = json_skip(p, end, 0);
        if (!p)
            return NULL;
    }
    if ((seen & 3) != 3)
        span->odd = 1; /* an id is missing; times were looked at where they are read */
    return p;
}
