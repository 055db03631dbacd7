/* Spans of OTLP out of bytes into columns: what the walks (json.c, protobuf.c) and the columns share.
 *
 * Belongs here: structures and their limits. Does not: what an attribute is called, how a resource
 * reads, what provider and operation become: Python says those (scanning.py), and is asked once for
 * each distinct case. Whatever is not plainly what it should be is left to the loop in Python.
 *
 * Memory: the input is a Python bytes object, so the byte after its last one is zero, which no JSON
 * has: walks stop there without counting. Everything that is written goes through a reserving
 * function of columns.c.
 */
#ifndef ATTRIBUTION_SCAN_H
#define ATTRIBUTION_SCAN_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define MAX_COLUMNS 128    /* of a row in the making */
#define MAX_KEPT 64        /* attributes that a policy asks for */
#define MAX_SCRATCH 4096   /* text that a span has in another form than it lands in */
#define MAX_DEPTH 48       /* of nesting; deeper is left to the loop, whose limit is higher */
#define DIGITS_MAX 18      /* of a number that surely fits 64 bits */
#define COLUMN_BYTES_MAX ((size_t)1 << 30) /* offsets of a text column are 32 bit */

typedef struct {
    const uint8_t *at; /* NULL: no value */
    size_t size;
    int64_t number; /* counts and attempts */
} Value;

typedef enum { KEPT_NONE, KEPT_TEXT, KEPT_JSON } KeptKind;

typedef struct {
    Value value;
    KeptKind kind;
} Kept;

/* Where the value of one attribute goes: aliases.Slot. */
typedef struct {
    const uint8_t *key;
    uint32_t size;
    uint16_t column;
    uint8_t rank;
    uint8_t is_text;
    int16_t kept; /* -1: the policy does not ask for it */
} Slot;

/* Columns that the code must know by name, in the order of columns.ROLES. */
enum {
    POSITION, TRACE_ID, SPAN_ID, PARENT, LINKS, NAME, KIND, START, END, THRESHOLD, PROVIDER,
    OPERATION, RESPONSE_ID, REQUEST_ID, ADDRESS, ACCOUNT, REGION, ERROR_TYPE, IS_CALL, METERED,
    FIRST_BUCKET, ATTEMPT, KEPT, FIRST_COUNT, USAGE_DETAILS, ROLES
};

enum { COUNTS = 7 };
enum { GIVEN, OUTPUT, READ, WRITE, WRITE_5M, WRITE_1H, REASONING };

/* Of emitters.Accounting. */
enum { INPUT_INCLUDES_CACHED = 1, OUTPUT_INCLUDES_REASONING = 2, CACHE_IS_REPORTED = 4 };

/* What a resource and scope give to each of their spans: rows.Template. */
typedef struct {
    PyObject *owner; /* keeps the bytes alive */
    Value *text;     /* one a column */
    int *given, givens; /* columns with a text */
    Value *kept;     /* one JSON member for each kept attribute */
    Value kept_json;
    int accounting;
} Template;

/* What follows from provider, operation and place of a span: rows.settle. */
typedef struct {
    PyObject *owner;
    Value provider, operation, account, region;
    int is_call, no_output, response_is_request;
    int odd; /* a text of it is empty: the loop lands such spans */
} Profile;

typedef struct {
    uint64_t hash;
    size_t at, size;
    int32_t value; /* -1: free */
} Entry;

typedef struct {
    Entry *entries;
    size_t mask, used;
    uint8_t *keys;
    size_t keys_size, keys_room;
} Intern;

typedef struct {
    char never_null;
    char type; /* t text, b bool, 1 4 8 bytes of an integer, - does not land */
    uint8_t *data, *valid;
    int32_t *offsets;
    size_t size, room;
    size_t filled; /* rows whose offsets are written */
} Column;

/* The span that is being read. */
typedef struct {
    int odd; /* the loop reads it */
    uint64_t seen; /* fields, so that a second one is noticed */
    Value own[MAX_COLUMNS];
    uint8_t rank[MAX_COLUMNS + 1];
    int touched[MAX_COLUMNS], touches; /* columns with a value of its own */
    Kept kept[MAX_KEPT];
    int has_kept;
    uint8_t trace_id[32], span_id[16], parent[16];
    int has_parent, failed;
    int64_t start, end;
    int kind; /* -1: none of OTLP's */
    Value name, state;
    size_t links_size, scratch_size;
    uint8_t scratch[MAX_SCRATCH];
} Span;

/* Whether a field comes a second time: then the last one counts, which the loop knows. */
static inline void once(Span *span, uint64_t *seen, int field)
{
    if (*seen >> field & 1)
        span->odd = 1;
    *seen |= (uint64_t)1 << field;
}

typedef struct {
    size_t start, end;
    int32_t template;
    int64_t position;
} Odd;

typedef struct {
    PyObject_HEAD
    int columns, landed, kept, error; /* error: a Python exception is set */
    int role[ROLES];
    Column column[MAX_COLUMNS];
    size_t rows, rows_room;
    Slot *slots; /* open addressing */
    size_t slot_mask;
    PyObject *names; /* bytes behind slots and kept keys */
    Value kept_key[MAX_KEPT]; /* "key": as JSON */
    Intern resources, scopes, profiles;
    Template *templates;
    size_t templates_used, templates_room;
    Profile *profile;
    char is_named[MAX_COLUMNS]; /* written by name, not as they were taken */
    size_t profiles_used, profiles_room;
    uint8_t *key; /* a key in the making */
    size_t key_size, key_room;
    uint8_t *links;
    size_t links_room;
    Odd *odd;
    size_t odd_used, odd_room;
    size_t asks; /* for templates, so far */
    PyObject *asked; /* whom to ask about templates and profiles */
    int64_t position;
    const uint8_t *begin;
    Span span;
} Scanner;

/* columns.c: every function returns 0, or -1 where memory is short or too much would land. */
int scanner_reserve_row(Scanner *s);
void scanner_rollback(Scanner *s, size_t rows);
int column_text(Scanner *s, int column, Value value);
void column_validity(Scanner *s, int column);
void column_number(Scanner *s, int column, int64_t value, int known);
int reserve(uint8_t **data, size_t *room, size_t needed);

/* rows.c: 1 landed or left to the loop, -1 give up the document. */
void span_begin(Scanner *s);
int span_end(Scanner *s, int32_t template, size_t start, size_t end);
const Slot *slot_of(const Scanner *s, const uint8_t *key, size_t size);
void take_text(Span *span, const Slot *slot, Value text);
void take_integer(Span *span, const Slot *slot, Value digits, int quoted);
void take_truth(Span *span, const Slot *slot, int truth);
int hex_digits(uint8_t *out, const uint8_t *text, size_t size);
/* fields.sampling_threshold of a trace state, taken into the span. */
int ask_threshold(Scanner *s, Value state);
int link_append(Scanner *s, const uint8_t *trace_id, const uint8_t *span_id);

/* text.c */
int is_utf8(const uint8_t *p, const uint8_t *end);

/* registry.c */
uint64_t hash_of(const uint8_t *at, size_t size);
int32_t *intern(Intern *table, const uint8_t *key, size_t size);
void intern_clear(Intern *table);
int32_t template_of(Scanner *s, char format, Value resource, Value scope);
int32_t profile_of(Scanner *s, int32_t template, int reported);
void registry_clear(Scanner *s);

/* 0 landed, 1 the loop is to read it all, -1 a Python exception is set. */
int scan_json(Scanner *s, const uint8_t *payload, size_t size);
int scan_protobuf(Scanner *s, const uint8_t *payload, size_t size);

#endif
