/* The shape of an OTLP/JSON document: resources, scopes, lists of spans.
 *
 * Belongs here: twin of documents.land_document for a document of the right shape; any other is given
 * up (NULL), and the loop says what is wrong with it. Does not: a span's fields (json_span.c).
 */
#include "json.h"

static At spans(Scanner *s, At p, At end, int32_t template)
{
    int closed;
    if (*p != '[')
        return json_literal(p, "null");
    p++;
    for (int first = 1;; first = 0) {
        p = json_element(p, first, &closed);
        if (!p || closed)
            return p;
        At from = p;
        span_begin(s);
        if (*p == '{')
            p = json_span(s, p, end);
        else {
            s->span.odd = 1;
            p = json_skip(p, end, 0);
        }
        if (!p || span_end(s, template, (size_t)(from - s->begin), (size_t)(p - s->begin)) < 0)
            return NULL;
    }
}

/* A value's own bytes. */
static At raw(At p, At end, Value *value)
{
    At from = p;
    p = json_skip(p, end, 0);
    *value = (Value){from, p ? (size_t)(p - from) : 0, 0};
    return p;
}

static At scope_spans(Scanner *s, At p, At end, Value resource)
{
    Value scope = {0};
    At late = NULL; /* spans in front of their scope: walked when it is known */
    uint64_t seen = 0;
    int32_t template = -1;
    Text key;
    if (*p++ != '{')
        return NULL;
    for (int first = 1;; first = 0) {
        p = json_member(p, end, &key, first);
        if (!p)
            return NULL;
        if (!key.at)
            break;
        int which = IS(&key, "scope") ? 0 : IS(&key, "spans") ? 1 : 2;
        if (key.escaped || (which < 2 && (seen >> which & 1)))
            return NULL;
        seen |= (uint64_t)1 << which;
        if (which == 0)
            p = raw(p, end, &scope);
        else if (which == 1 && (seen & 1)) {
            template = template_of(s, 'j', resource, scope);
            p = template < 0 ? NULL : spans(s, p, end, template);
        } else if (which == 1) {
            late = p;
            p = json_skip(p, end, 0);
        } else
            p = json_skip(p, end, 0);
        if (!p)
            return NULL;
    }
    if (template < 0) {
        template = template_of(s, 'j', resource, scope); /* asked also where there are no spans */
        if (template < 0 || (late && !spans(s, late, end, template)))
            return NULL;
    }
    return p;
}

static At scopes(Scanner *s, At p, At end, Value resource)
{
    int closed;
    if (*p != '[')
        return json_literal(p, "null");
    p++;
    for (int first = 1;; first = 0) {
        p = json_element(p, first, &closed);
        if (!p || closed)
            return p;
        p = scope_spans(s, p, end, resource);
        if (!p)
            return NULL;
    }
}

static At resource_spans(Scanner *s, At p, At end)
{
    Value resource = {0};
    At late = NULL; /* scopes in front of their resource */
    size_t asks = s->asks;
    uint64_t seen = 0;
    Text key;
    if (*p++ != '{')
        return NULL;
    for (int first = 1;; first = 0) {
        p = json_member(p, end, &key, first);
        if (!p)
            return NULL;
        if (!key.at)
            break;
        int which = IS(&key, "resource") ? 0 : IS(&key, "scopeSpans") ? 1 : 2;
        if (key.escaped || IS(&key, "instrumentationLibrarySpans")
            || (which < 2 && (seen >> which & 1)))
            return NULL;
        seen |= (uint64_t)1 << which;
        if (which == 0)
            p = raw(p, end, &resource);
        else if (which == 1 && (seen & 1))
            p = scopes(s, p, end, resource);
        else if (which == 1) {
            late = p;
            p = json_skip(p, end, 0);
        } else
            p = json_skip(p, end, 0);
        if (!p)
            return NULL;
    }
    if (late && !scopes(s, late, end, resource))
        return NULL;
    if (s->asks == asks && template_of(s, 'j', resource, (Value){0}) < 0)
        return NULL; /* a resource of another shape is noticed even without spans */
    return p;
}

int scan_json(Scanner *s, const uint8_t *payload, size_t size)
{
    At p = blank(payload), end = payload + size;
    int closed, found = 0;
    Text key;
    if (!is_utf8(payload, end) || *p++ != '{')
        return 1;
    for (int first = 1;; first = 0) {
        p = json_member(p, end, &key, first);
        if (!p)
            return 1;
        if (!key.at)
            break;
        if (key.escaped)
            return 1;
        if (!IS(&key, "resourceSpans")) {
            p = json_skip(p, end, 0);
            if (!p)
                return 1;
            continue;
        }
        if (found++ || *p++ != '[')
            return 1;
        for (int one = 1;; one = 0) {
            p = json_element(p, one, &closed);
            if (!p)
                return 1;
            if (closed)
                break;
            p = resource_spans(s, p, end);
            if (!p)
                return 1;
        }
    }
    return blank(p) == end && found ? 0 : 1;
}
