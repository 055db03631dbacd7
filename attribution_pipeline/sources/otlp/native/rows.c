/* One span's values, taken attribute by attribute and written as one row.
 *
 * Belongs here: which of several names wins, disjoint buckets of plain counts, the row. Does not: the
 * walks. Twins in Python, which decide wherever the two should ever differ: documents._land_spans,
 * usage._buckets, rows.settle.
 */
#include "scan.h"

#define COUNT_MAX 1000000000 /* usage.COUNT_MAX */
#define ATTEMPT_MAX 999999999
#define UNSET_RANK 99 /* aliases.UNSET_RANK */

void span_begin(Scanner *s)
{
    Span *span = &s->span;
    span->odd = span->has_kept = span->has_parent = span->failed = 0;
    span->seen = 0;
    for (int i = 0; i < span->touches; i++)
        span->own[span->touched[i]].at = NULL;
    span->touches = 0;
    memset(span->rank, UNSET_RANK, (size_t)s->columns);
    span->rank[s->columns] = 0; /* aliases.NOWHERE: nothing beats it */
    memset(span->kept, 0, (size_t)s->kept * sizeof(Kept));
    span->start = span->end = 0;
    span->kind = 0;
    span->name = span->state = (Value){0};
    span->links_size = span->scratch_size = 0;
}

const Slot *slot_of(const Scanner *s, const uint8_t *key, size_t size)
{
    size_t at = hash_of(key, size) & s->slot_mask;
    while (s->slots[at].key) {
        const Slot *slot = &s->slots[at];
        if (slot->size == size && !memcmp(slot->key, key, size))
            return slot;
        at = (at + 1) & s->slot_mask;
    }
    return NULL;
}

/* Decimal digits alone; -1 for anything else. */
static int64_t whole(Value text)
{
    int64_t number = 0;
    if (!text.size || text.size > DIGITS_MAX)
        return -1;
    for (size_t i = 0; i < text.size; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return -1;
        number = number * 10 + (text.at[i] - '0');
    }
    return number;
}

static void keep(Span *span, const Slot *slot, Value value, KeptKind kind)
{
    Kept *place = &span->kept[slot->kept];
    if (place->kind == KEPT_NONE)
        *place = (Kept){value, kind};
    span->has_kept = 1;
}

static void take(Span *span, const Slot *slot, Value value)
{
    if (slot->rank >= span->rank[slot->column])
        return;
    if (!slot->is_text) {
        value.number = whole(value);
        if (value.number < 0)
            span->odd = 1;
    }
    if (!span->own[slot->column].at)
        span->touched[span->touches++] = slot->column;
    span->rank[slot->column] = slot->rank;
    span->own[slot->column] = value;
}

/* Text is taken as it stands in the input: without escapes, and valid UTF-8. */
void take_text(Span *span, const Slot *slot, Value text)
{
    if (!text.size)
        return;
    if (slot->kept >= 0)
        keep(span, slot, text, KEPT_TEXT);
    take(span, slot, text);
}

/* Digits with an optional minus. Quoted ones land as written, kept ones as the number they are. */
void take_integer(Span *span, const Slot *slot, Value digits, int quoted)
{
    int negative = digits.size && digits.at[0] == '-';
    const uint8_t *first = digits.at + negative;
    size_t size = digits.size - (size_t)negative;
    if (whole((Value){first, size, 0}) < 0 || (negative && *first == '0'))
        span->odd = 1;
    if (slot->kept >= 0) {
        if ((size > 1 && *first == '0') || (negative && quoted))
            span->odd = 1;
        keep(span, slot, digits, KEPT_JSON);
    }
    take(span, slot, digits);
}

void take_truth(Span *span, const Slot *slot, int truth)
{
    Value text = {(const uint8_t *)(truth ? "true" : "false"), truth ? 4 : 5, 0};
    if (slot->kept >= 0)
        keep(span, slot, text, KEPT_JSON);
    take(span, slot, text); /* no number: odd where a count is expected */
}

/* The digit's lower-case letter; 0 for what is none. */
static const uint8_t HEX[256] = {
    ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4', ['5'] = '5', ['6'] = '6',
    ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b', ['c'] = 'c', ['d'] = 'd',
    ['e'] = 'e', ['f'] = 'f', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd', ['E'] = 'e',
    ['F'] = 'f',
};

/* Lower-case hex of an id that is not all zeros: 1; all zeros: 0; anything else: -1. */
int hex_digits(uint8_t *out, const uint8_t *text, size_t size)
{
    unsigned any = 0, none = 0;
    for (size_t i = 0; i < size; i++) {
        out[i] = HEX[text[i]];
        any |= out[i] ^ '0';
        none |= !out[i];
    }
    return none ? -1 : any != 0;
}

int link_append(Scanner *s, const uint8_t *trace_id, const uint8_t *span_id)
{
    Span *span = &s->span;
    size_t at = span->links_size;
    if (reserve(&s->links, &s->links_room, at + 50))
        return -1;
    if (at)
        s->links[at++] = ' ';
    memcpy(s->links + at, trace_id, 32);
    s->links[at + 32] = ':';
    memcpy(s->links + at + 33, span_id, 16);
    span->links_size = at + 49;
    return 0;
}

/* usage._buckets for counts without a fault; 0: the loop is to name the fault. */
static int buckets(const Span *span, int first, int accounting, int no_output, int64_t *out,
                   int *known)
{
    int has[COUNTS];
    int64_t n[COUNTS];
    for (int i = 0; i < COUNTS; i++) {
        has[i] = span->own[first + i].at != NULL;
        n[i] = has[i] ? span->own[first + i].number : 0;
        if (n[i] > COUNT_MAX)
            return 0;
        known[i] = 0;
    }
    if (!has[GIVEN] && !has[OUTPUT])
        return !(n[READ] || n[WRITE] || n[WRITE_5M] || n[WRITE_1H] || n[REASONING]);
    int64_t by_ttl = n[WRITE_5M] + n[WRITE_1H];
    int knows_read = has[READ], knows_write = has[WRITE];
    if (!has[WRITE] && (has[WRITE_5M] || has[WRITE_1H])) {
        n[WRITE] = by_ttl;
        knows_write = 1;
    }
    if (has[GIVEN] && (accounting & CACHE_IS_REPORTED))
        knows_read = knows_write = 1;
    if (n[WRITE] < by_ttl)
        return 0;
    int64_t uncached = n[GIVEN];
    if (has[GIVEN] && (accounting & INPUT_INCLUDES_CACHED))
        uncached -= n[READ] + n[WRITE];
    int knows_output = has[OUTPUT] || no_output;
    int64_t visible = n[OUTPUT];
    if (knows_output && (accounting & OUTPUT_INCLUDES_REASONING))
        visible -= n[REASONING];
    if (uncached < 0 || visible < 0)
        return 0;
    int64_t found[COUNTS] = {uncached, n[READ], n[WRITE_5M], n[WRITE_1H], n[WRITE] - by_ttl,
                             visible, n[REASONING]};
    int knows[COUNTS] = {has[GIVEN], knows_read, knows_write, knows_write, knows_write,
                         knows_output, knows_output || has[REASONING]};
    memcpy(out, found, sizeof found);
    memcpy(known, knows, sizeof knows);
    return 1;
}

/* rows._attempt: attribution.attempt as it is, a resend count and one; 0: not said, -1: odd. */
static int64_t attempt(const Span *span, int column)
{
    if (!span->own[column].at)
        return 0;
    int64_t said = span->own[column].number;
    int by_us = span->rank[column] == 0;
    if (said < by_us || said > ATTEMPT_MAX)
        return -1;
    return by_us ? said : said + 1;
}

static size_t hex_run(Value text, size_t at)
{
    size_t from = at;
    while (at < text.size
           && ((text.at[at] >= '0' && text.at[at] <= '9') || (text.at[at] >= 'a' && text.at[at] <= 'f')))
        at++;
    return at - from;
}

/* aliases.vllm_response_id for ASCII: the id that the client sees. */
static Value vllm_response_id(Value request)
{
    size_t at = request.size > 4 && !memcmp(request.at, "chat", 4) ? 4 : 0;
    if (request.size < at + 37 || memcmp(request.at + at, "cmpl-", 5))
        return request;
    at += 5;
    Value rest = {request.at + at, 32, 0};
    if (hex_run(rest, 0) != 32)
        return request;
    Value id = {request.at, at + 32, 0};
    at += 32;
    if (at < request.size && request.at[at] == '-') {
        size_t digit = at + 1;
        while (digit < request.size && request.at[digit] >= '0' && request.at[digit] <= '9')
            digit++;
        if (digit > at + 1 && (digit == request.size || request.at[digit] == '-'))
            at = digit;
    }
    if (at < request.size && request.at[at] == '-' && request.size == at + 9
        && hex_run(request, at + 1) == 8)
        at = request.size;
    return at == request.size ? id : request;
}

/* JSON of what a policy keeps: the span's own over its resource's, in the order of their names. */
static int write_kept(Scanner *s, const Template *template)
{
    Column *c = &s->column[s->role[KEPT]];
    size_t from = c->size;
    for (int i = 0; i < s->kept; i++) {
        const Kept *own = &s->span.kept[i];
        Value value = own->kind != KEPT_NONE ? own->value : template->kept[i];
        if (!value.at)
            continue;
        size_t needed = s->kept_key[i].size + value.size + 8;
        if (needed > COLUMN_BYTES_MAX - c->size || reserve(&c->data, &c->room, c->size + needed))
            return -1;
        c->data[c->size] = c->size == from ? '{' : ',';
        c->size++;
        memcpy(c->data + c->size, s->kept_key[i].at, s->kept_key[i].size);
        c->size += s->kept_key[i].size;
        if (own->kind == KEPT_TEXT)
            c->data[c->size++] = '"';
        memcpy(c->data + c->size, value.at, value.size);
        c->size += value.size;
        if (own->kind == KEPT_TEXT)
            c->data[c->size++] = '"';
    }
    c->data[c->size++] = '}';
    size_t size = c->size - from;
    c->size = from; /* written in place; now counted */
    return column_text(s, s->role[KEPT], (Value){c->data + from, size, 0});
}

static int leave_to_loop(Scanner *s, int32_t template, size_t start, size_t end)
{
    if (s->odd_used == s->odd_room) {
        size_t room = s->odd_room ? s->odd_room * 2 : 64;
        Odd *grown = PyMem_Realloc(s->odd, room * sizeof(Odd));
        if (!grown)
            return -1;
        s->odd = grown;
        s->odd_room = room;
    }
    s->odd[s->odd_used++] = (Odd){start, end, template, s->position};
    return 1;
}

static Value text_of(const char *text)
{
    return (Value){(const uint8_t *)text, strlen(text), 0};
}

/* Write the span's row, or note that the loop is to read it. */
int span_end(Scanner *s, int32_t template_number, size_t start, size_t end)
{
    Span *span = &s->span;
    const int *role = s->role;
    int64_t bucket[COUNTS] = {0};
    int known[COUNTS] = {0}, reported = 0;
    s->position++;
    int64_t tried = attempt(span, role[ATTEMPT]);
    if (span->odd || span->start <= 0 || span->end < span->start || tried < 0
        || span->own[role[USAGE_DETAILS]].at)
        return leave_to_loop(s, template_number, start, end);
    for (int i = 0; i < COUNTS; i++)
        reported |= span->own[role[FIRST_COUNT] + i].at != NULL;
    int32_t which = profile_of(s, template_number, reported);
    if (which < 0)
        return -1;
    const Profile *profile = &s->profile[which];
    const Template *template = &s->templates[template_number];
    if (profile->odd)
        return leave_to_loop(s, template_number, start, end);
    if (reported
        && !buckets(span, role[FIRST_COUNT], template->accounting, profile->no_output, bucket, known))
        return leave_to_loop(s, template_number, start, end);
    int metered = span->own[role[FIRST_COUNT]].at || span->own[role[FIRST_COUNT] + OUTPUT].at;

    if (scanner_reserve_row(s))
        return -1;
    const Value *own = span->own;
    const Value named[][2] = {
        {{NULL, TRACE_ID, 0}, {span->trace_id, 32, 0}},
        {{NULL, SPAN_ID, 0}, {span->span_id, 16, 0}},
        {{NULL, PARENT, 0}, {span->has_parent ? span->parent : NULL, 16, 0}},
        {{NULL, LINKS, 0}, {span->links_size ? s->links : NULL, span->links_size, 0}},
        {{NULL, NAME, 0}, {span->name.size ? span->name.at : NULL, span->name.size, 0}},
        {{NULL, THRESHOLD, 0}, span->state},
        {{NULL, PROVIDER, 0}, profile->provider},
        {{NULL, OPERATION, 0}, profile->operation},
        {{NULL, ACCOUNT, 0}, profile->account},
        {{NULL, REGION, 0}, profile->region},
        {{NULL, ERROR_TYPE, 0},
         own[role[ERROR_TYPE]].at || !span->failed ? own[role[ERROR_TYPE]] : text_of("_OTHER")},
        {{NULL, RESPONSE_ID, 0},
         own[role[RESPONSE_ID]].at || !profile->response_is_request
             ? own[role[RESPONSE_ID]] : vllm_response_id(own[role[REQUEST_ID]])},
        {{NULL, KEPT, 0}, span->has_kept ? (Value){0} : template->kept_json},
    };
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (named[i][1].at && column_text(s, role[named[i][0].size], named[i][1]))
            return -1;
    if (span->has_kept && write_kept(s, template))
        return -1;
    for (int i = 0; i < span->touches; i++) {
        int column = span->touched[i];
        if (column < s->landed && !s->is_named[column] && s->column[column].type == 't'
            && column_text(s, column, own[column]))
            return -1;
    }
    for (int i = 0; i < template->givens; i++) {
        int column = template->given[i];
        if (!own[column].at && column_text(s, column, template->text[column]))
            return -1;
    }
    column_number(s, role[POSITION], s->position, 1);
    column_number(s, role[KIND], span->kind, span->kind >= 0);
    column_number(s, role[START], span->start, 1);
    column_number(s, role[END], span->end, 1);
    column_number(s, role[IS_CALL], profile->is_call, 1);
    column_number(s, role[METERED], metered, 1);
    for (int i = 0; i < COUNTS; i++)
        column_number(s, role[FIRST_BUCKET] + i, bucket[i], known[i]);
    column_number(s, role[ATTEMPT], tried, tried > 0);
    s->rows++;
    return 1;
}
