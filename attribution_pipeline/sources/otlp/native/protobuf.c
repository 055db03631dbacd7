/* The walk through an OTLP protobuf message: twin of protobuf.py.
 *
 * Belongs here: wire format, field numbers of opentelemetry/proto/{trace,common}/v1. Does not: what
 * a value means. A message that the decoder would refuse, or merge, is given up; so is one with a
 * field of another wire type than its number has. A span with anything unusual is left to the loop.
 */
#include "scan.h"

typedef struct {
    const uint8_t *at, *end;
} Bytes;

typedef struct {
    uint32_t number;
    int wire;
    uint64_t value; /* of a varint or of fixed bits */
    Bytes bytes;
} Field;

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5 };

static inline int varint(Bytes *from, uint64_t *value)
{
    if (from->at < from->end && *from->at < 0x80) {
        *value = *from->at++;
        return 0;
    }
    *value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (from->at >= from->end)
            return -1;
        uint8_t byte = *from->at++;
        if (shift == 63 && byte > 1)
            return -1;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return 0;
    }
    return -1;
}

/* The next field: 1; none is left: 0; damaged, or a group: -1. */
static inline int next(Bytes *from, Field *field)
{
    uint64_t tag;
    if (from->at >= from->end)
        return 0;
    if (varint(from, &tag) || tag > UINT32_MAX || tag < 8)
        return -1;
    field->bytes = (Bytes){NULL, NULL};
    field->number = (uint32_t)tag >> 3;
    field->wire = (int)(tag & 7);
    size_t size;
    switch (field->wire) {
    case VARINT:
        return varint(from, &field->value) ? -1 : 1;
    case FIXED64:
    case FIXED32:
        size = field->wire == FIXED64 ? 8 : 4;
        if ((size_t)(from->end - from->at) < size)
            return -1;
        field->value = 0;
        for (size_t i = 0; i < size; i++)
            field->value |= (uint64_t)from->at[i] << 8 * i;
        from->at += size;
        return 1;
    case LENGTH:
        if (varint(from, &field->value) || field->value > (uint64_t)(from->end - from->at))
            return -1;
        field->bytes = (Bytes){from->at, from->at + field->value};
        from->at += field->value;
        return 1;
    default:
        return -1;
    }
}

static Value value_of(Bytes bytes)
{
    return (Value){bytes.at, (size_t)(bytes.end - bytes.at), 0};
}

/* Messages whose values do not land are still looked through: the decoder refuses text in them that
 * is no UTF-8. One character for each field number from 1: s text, b bytes, v varint, 6 fixed64,
 * 3 fixed32, else the message it holds. */
static const char *const SHAPE[256] = {
    ['A'] = "svv6LMb",   /* AnyValue */
    ['L'] = "A",         /* ArrayValue */
    ['M'] = "K",         /* KeyValueList */
    ['K'] = "sA",        /* KeyValue */
    ['E'] = "6sKv",      /* Span.Event */
    ['I'] = "bbsKv3",    /* Span.Link */
    ['S'] = "vsv",       /* Status; field 1 is gone */
};

static int wire_of(char type)
{
    return type == 'v' ? VARINT : type == '6' ? FIXED64 : type == '3' ? FIXED32 : LENGTH;
}

/* Whether the decoder takes this message. */
static int is_sound(Bytes message, char shape, int depth)
{
    const char *types = SHAPE[(uint8_t)shape];
    Field field;
    int more;
    if (depth > MAX_DEPTH)
        return 0;
    while ((more = next(&message, &field)) > 0) {
        if (field.number > strlen(types))
            continue; /* of a later version: skipped by both */
        char type = types[field.number - 1];
        if (field.wire != wire_of(type))
            return 0;
        if (type == 's' && !is_utf8(field.bytes.at, field.bytes.end))
            return 0;
        if (type >= 'A' && type <= 'Z' && !is_sound(field.bytes, type, depth + 1))
            return 0;
    }
    return more == 0;
}

static void take_text_of(Span *span, const Slot *slot, Bytes text)
{
    if (slot->kept >= 0) /* lands inside JSON: what needs an escape there is the loop's */
        for (const uint8_t *p = text.at; p < text.end; p++)
            if (*p < 0x20 || *p == '"' || *p == '\\')
                span->odd = 1;
    take_text(span, slot, value_of(text));
}

static void take_number_of(Span *span, const Slot *slot, int64_t number)
{
    uint8_t digits[24];
    size_t at = sizeof digits, size;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    do
        digits[--at] = (uint8_t)('0' + left % 10);
    while (left /= 10);
    if (number < 0)
        digits[--at] = '-';
    size = sizeof digits - at;
    if (size > sizeof span->scratch - span->scratch_size) {
        span->odd = 1;
        return;
    }
    uint8_t *place = span->scratch + span->scratch_size;
    memcpy(place, digits + at, size);
    span->scratch_size += size;
    take_integer(span, slot, (Value){place, size, 0}, 0);
}

static void any_value(Span *span, Bytes message, const Slot *slot)
{
    Field field;
    for (int first = 1; next(&message, &field) > 0; first = 0) {
        if (!first)
            span->odd = 1;
        else if (field.number == 1)
            take_text_of(span, slot, field.bytes);
        else if (field.number == 2)
            take_truth(span, slot, field.value != 0);
        else if (field.number == 3)
            take_number_of(span, slot, (int64_t)field.value);
        else if (field.number == 4)
            span->odd = 1;
    }
}

static const Slot *wanted(const Scanner *s, Bytes key)
{
    const Slot *slot = slot_of(s, key.at, (size_t)(key.end - key.at));
    return slot && (slot->kept >= 0 || slot->rank < s->span.rank[slot->column]) ? slot : NULL;
}

/* The attribute that nearly all are: key, value, and in it one text or one integer, each once and in
 * this order. 0: it is any other, and nothing was taken of it. */
static int usual_attribute(Scanner *s, Bytes message)
{
    Field key, value, inner;
    if (next(&message, &key) <= 0 || key.number != 1 || key.wire != LENGTH
        || next(&message, &value) <= 0 || value.number != 2 || value.wire != LENGTH
        || message.at != message.end || !is_utf8(key.bytes.at, key.bytes.end))
        return 0;
    if (next(&value.bytes, &inner) <= 0 || value.bytes.at != value.bytes.end)
        return 0;
    int is_text = inner.number == 1 && inner.wire == LENGTH;
    if (is_text ? !is_utf8(inner.bytes.at, inner.bytes.end) : inner.number != 3 || inner.wire != VARINT)
        return 0;
    const Slot *slot = wanted(s, key.bytes);
    if (slot && is_text)
        take_text_of(&s->span, slot, inner.bytes);
    else if (slot)
        take_number_of(&s->span, slot, (int64_t)inner.value);
    return 1;
}

/* Sound already, so fields have their types. */
static void attribute(Scanner *s, Bytes message)
{
    Span *span = &s->span;
    const Slot *slot = NULL;
    Bytes value = {0};
    uint64_t seen = 0;
    Field field;
    while (next(&message, &field) > 0) {
        if (field.number > 2)
            continue;
        once(span, &seen, field.number);
        if (field.number == 1)
            slot = wanted(s, field.bytes);
        else
            value = field.bytes;
    }
    if (slot && value.at)
        any_value(span, value, slot);
}

/* Lower-case hex of raw bytes: 1; all zeros: 0; another size: -1. */
static int id_of(uint8_t *out, Bytes raw, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    int any = 0;
    if ((size_t)(raw.end - raw.at) != size)
        return -1;
    for (size_t i = 0; i < size; i++) {
        any |= raw.at[i];
        out[2 * i] = (uint8_t)hex[raw.at[i] >> 4];
        out[2 * i + 1] = (uint8_t)hex[raw.at[i] & 15];
    }
    return any != 0;
}

static int span_link(Scanner *s, Bytes message)
{
    Span *span = &s->span;
    uint8_t trace_id[32], span_id[16];
    uint64_t seen = 0;
    Field field;
    while (next(&message, &field) > 0) {
        if (field.number > 2)
            continue;
        once(span, &seen, field.number);
        if (field.number == 1 ? id_of(trace_id, field.bytes, 16) != 1
                              : id_of(span_id, field.bytes, 8) != 1)
            span->odd = 1;
    }
    if (seen != 6)
        span->odd = 1;
    return span->odd ? 0 : link_append(s, trace_id, span_id);
}

static void status(Span *span, Bytes message)
{
    Field field;
    uint64_t seen = 0;
    while (next(&message, &field) > 0)
        if (field.number == 3) {
            once(span, &seen, 3);
            span->failed = field.value == 2;
        }
}

static int trace_state(Scanner *s, Bytes state)
{
    for (const uint8_t *p = state.at; p + 3 <= state.end; p++)
        if (!memcmp(p, "ot=", 3))
            return s->span.odd ? 0 : ask_threshold(s, value_of(state));
    return 0;
}

/* Fields of a span, in the notation of SHAPE. */
static const char SPAN_SHAPE[] = "bbsbsv66KvEvIvS3";
enum { REPEATED = 1 << 9 | 1 << 11 | 1 << 13 };

static int span_fields(Scanner *s, Bytes message)
{
    Span *span = &s->span;
    uint64_t seen = 0;
    Field field;
    int more;
    while ((more = next(&message, &field)) > 0) {
        if (field.number >= sizeof SPAN_SHAPE)
            continue;
        if (field.number == 9 && field.wire == LENGTH && usual_attribute(s, field.bytes))
            continue;
        char type = SPAN_SHAPE[field.number - 1];
        if (field.wire != wire_of(type) || (type == 's' && !is_utf8(field.bytes.at, field.bytes.end))
            || (type >= 'A' && type <= 'Z' && !is_sound(field.bytes, type, 0)))
            return -1;
        if (!(REPEATED >> field.number & 1))
            once(span, &seen, field.number);
        switch (field.number) {
        case 1:
            span->odd |= id_of(span->trace_id, field.bytes, 16) != 1;
            break;
        case 2:
            span->odd |= id_of(span->span_id, field.bytes, 8) != 1;
            break;
        case 3:
            if (trace_state(s, field.bytes))
                return -1;
            break;
        case 4:
            if (field.value) {
                int found = id_of(span->parent, field.bytes, 8);
                span->odd |= found < 0;
                span->has_parent = found == 1;
            }
            break;
        case 5:
            span->name = value_of(field.bytes);
            break;
        case 6:
            span->kind = field.value <= 5 ? (int)field.value : -1;
            span->odd |= field.value > INT32_MAX;
            break;
        case 7:
        case 8:
            span->odd |= field.value > INT64_MAX;
            *(field.number == 7 ? &span->start : &span->end) = (int64_t)(field.value & INT64_MAX);
            break;
        case 9:
            attribute(s, field.bytes);
            break;
        case 13:
            if (span_link(s, field.bytes))
                return -1;
            break;
        case 15:
            status(span, field.bytes);
            break;
        }
    }
    if ((seen & 6) != 6)
        span->odd = 1;
    return more;
}

static int scope_spans(Scanner *s, Bytes message, Value resource)
{
    Value scope = {0};
    int32_t template = -1;
    uint64_t seen = 0;
    Field field;
    int more;
    while ((more = next(&message, &field)) > 0) {
        if (field.number > 3)
            continue;
        if (field.wire != LENGTH || (field.number == 3 && !is_utf8(field.bytes.at, field.bytes.end)))
            return -1;
        if (field.number == 1) { /* again, or behind its spans: the decoder merges */
            if (seen)
                return -1;
            scope = value_of(field.bytes);
        }
        if (field.number == 2) {
            if (template < 0)
                template = template_of(s, 'p', resource, scope);
            if (template < 0)
                return -1;
            span_begin(s);
            if (span_fields(s, field.bytes)
                || span_end(s, template, (size_t)(field.bytes.at - s->begin),
                            (size_t)(field.bytes.end - s->begin)) < 0)
                return -1;
        }
        seen |= field.number < 3;
    }
    /* a scope that cannot be decoded is noticed even without spans */
    return more || (template < 0 && template_of(s, 'p', resource, scope) < 0) ? -1 : 0;
}

static int resource_spans(Scanner *s, Bytes message)
{
    Value resource = {0};
    int seen = 0, more;
    size_t asks = s->asks;
    Field field;
    while ((more = next(&message, &field)) > 0) {
        if (field.number > 3)
            continue;
        if (field.wire != LENGTH || (field.number == 3 && !is_utf8(field.bytes.at, field.bytes.end)))
            return -1;
        if (field.number == 1) {
            if (seen)
                return -1;
            resource = value_of(field.bytes);
        }
        if (field.number == 2 && scope_spans(s, field.bytes, resource))
            return -1;
        seen |= field.number < 3;
    }
    return more || (s->asks == asks && template_of(s, 'p', resource, (Value){0}) < 0) ? -1 : 0;
}

int scan_protobuf(Scanner *s, const uint8_t *payload, size_t size)
{
    Bytes message = {payload, payload + size};
    int found = 0, more;
    Field field;
    while ((more = next(&message, &field)) > 0) {
        if (field.number != 1)
            continue;
        if (field.wire != LENGTH || resource_spans(s, field.bytes))
            return 1;
        found = 1;
    }
    return more || !found;
}
