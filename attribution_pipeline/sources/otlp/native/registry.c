/* What is the same for many spans is asked of Python once: resources with scopes, and what follows
 * from provider, operation and place.
 *
 * Belongs here: the tables by which a case is known again. Does not: the answers (scanning.py).
 */
#include "scan.h"

#define FIRST_ENTRIES 256

uint64_t hash_of(const uint8_t *at, size_t size)
{
    uint64_t hash = 0x9E3779B97F4A7C15u ^ size, last = 0;
    const uint8_t *end = at + size;
    while (end - at > 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
        at += 8;
    }
    if (size >= 8) /* the last eight, some of them a second time */
        memcpy(&last, end - 8, 8);
    else
        while (at < end)
            last = last << 8 | *at++;
    hash = (hash ^ last) * 0xD6E8FEB86659FD93u;
    return hash ^ hash >> 29;
}

static int grow(Intern *table)
{
    size_t count = table->entries ? (table->mask + 1) * 2 : FIRST_ENTRIES;
    Entry *entries = PyMem_Malloc(count * sizeof(Entry));
    if (!entries)
        return -1;
    for (size_t i = 0; i < count; i++)
        entries[i].value = -1;
    for (size_t i = 0; table->entries && i <= table->mask; i++) {
        if (table->entries[i].value < 0)
            continue;
        size_t at = table->entries[i].hash & (count - 1);
        while (entries[at].value >= 0)
            at = (at + 1) & (count - 1);
        entries[at] = table->entries[i];
    }
    PyMem_Free(table->entries);
    table->entries = entries;
    table->mask = count - 1;
    return 0;
}

/* The number of a key; -1 stands there for a key that is met first. NULL: no memory. */
int32_t *intern(Intern *table, const uint8_t *key, size_t size)
{
    if ((!table->entries || table->used * 2 > table->mask) && grow(table))
        return NULL;
    uint64_t hash = hash_of(key, size);
    size_t at = hash & table->mask;
    while (table->entries[at].value >= 0) {
        Entry *entry = &table->entries[at];
        if (entry->hash == hash && entry->size == size
            && !memcmp(table->keys + entry->at, key, size))
            return &entry->value;
        at = (at + 1) & table->mask;
    }
    if (reserve(&table->keys, &table->keys_room, table->keys_size + size + 1))
        return NULL;
    memcpy(table->keys + table->keys_size, key, size);
    table->entries[at] = (Entry){hash, table->keys_size, size, -1};
    /* the caller fills the number in, and counts it, or leaves the place free */
    return &table->entries[at].value;
}

static void number(Intern *table, int32_t *place, size_t size, int32_t value)
{
    *place = value;
    table->keys_size += size;
    table->used++;
}

void intern_clear(Intern *table)
{
    PyMem_Free(table->entries);
    PyMem_Free(table->keys);
    memset(table, 0, sizeof *table);
}

void registry_clear(Scanner *s)
{
    for (size_t i = 0; i < s->templates_used; i++) {
        Py_DECREF(s->templates[i].owner);
        PyMem_Free(s->templates[i].text);
        PyMem_Free(s->templates[i].given);
        PyMem_Free(s->templates[i].kept);
    }
    for (size_t i = 0; i < s->profiles_used; i++)
        Py_DECREF(s->profile[i].owner);
    s->templates_used = s->profiles_used = 0;
    intern_clear(&s->resources);
    intern_clear(&s->scopes);
    intern_clear(&s->profiles);
}

/* Bytes or None at a place of a tuple. */
static int value_at(PyObject *tuple, Py_ssize_t at, Value *value)
{
    char *text;
    Py_ssize_t size;
    PyObject *item = PyTuple_GetItem(tuple, at);
    *value = (Value){0};
    if (!item)
        return -1;
    if (item == Py_None)
        return 0;
    if (PyBytes_AsStringAndSize(item, &text, &size))
        return -1;
    value->at = (const uint8_t *)text;
    value->size = (size_t)size;
    return 0;
}

static int put(Scanner *s, const void *at, size_t size)
{
    if (reserve(&s->key, &s->key_room, s->key_size + size))
        return -1;
    if (size)
        memcpy(s->key + s->key_size, at, size);
    s->key_size += size;
    return 0;
}

static int put_value(Scanner *s, Value value)
{
    uint64_t size = value.at ? value.size + 1 : 0; /* null and empty differ */
    return put(s, &size, sizeof size) || put(s, value.at, value.at ? value.size : 0) ? -1 : 0;
}

/* (columns as bytes or None, kept members, kept JSON or None, accounting) */
static int fill_template(Scanner *s, Template *made, PyObject *told)
{
    PyObject *texts = PyTuple_GetItem(told, 0), *kept = PyTuple_GetItem(told, 1);
    if (!texts || !kept || value_at(told, 2, &made->kept_json))
        return -1;
    PyObject *accounting = PyTuple_GetItem(told, 3);
    made->accounting = accounting ? (int)PyLong_AsLong(accounting) : -1;
    made->text = PyMem_Calloc((size_t)s->columns, sizeof(Value));
    made->kept = PyMem_Calloc((size_t)s->kept + 1, sizeof(Value));
    made->given = PyMem_Calloc((size_t)s->columns, sizeof(int));
    if (!made->text || !made->given || !made->kept || made->accounting < 0)
        return -1;
    for (int i = 0; i < s->columns; i++)
        if (value_at(texts, i, &made->text[i]))
            return -1;
    for (int i = 0; i < s->landed; i++)
        if (made->text[i].at && !s->is_named[i])
            made->given[made->givens++] = i;
    for (int i = 0; i < s->kept; i++)
        if (value_at(kept, i, &made->kept[i]))
            return -1;
    return 0;
}

static int32_t ask_template(Scanner *s, char format, Value resource, Value scope)
{
    if (s->templates_used == s->templates_room) {
        size_t room = s->templates_room ? s->templates_room * 2 : 64;
        Template *grown = PyMem_Realloc(s->templates, room * sizeof(Template));
        if (!grown)
            return -1;
        s->templates = grown;
        s->templates_room = room;
    }
    PyObject *told = PyObject_CallMethod(
        s->asked, "template", "Cy#y#", (int)format,
        resource.at ? (const char *)resource.at : "", (Py_ssize_t)resource.size,
        scope.at ? (const char *)scope.at : "", (Py_ssize_t)scope.size);
    if (!told) {
        s->error = 1;
        return -1;
    }
    if (told == Py_None) { /* not the shape of OTLP: the loop says so */
        Py_DECREF(told);
        return -1;
    }
    Template made = {.owner = told};
    if (fill_template(s, &made, told)) {
        s->error = PyErr_Occurred() != NULL;
        Py_DECREF(told);
        PyMem_Free(made.text);
        PyMem_Free(made.given);
        PyMem_Free(made.kept);
        return -1;
    }
    s->templates[s->templates_used] = made;
    return (int32_t)s->templates_used++;
}

/* The template of a resource and a scope, by their bytes; -1: give up the document. */
int32_t template_of(Scanner *s, char format, Value resource, Value scope)
{
    s->asks++;
    s->key_size = 0;
    if (put(s, &format, 1) || put_value(s, resource))
        return -1;
    int32_t *place = intern(&s->resources, s->key, s->key_size);
    if (!place)
        return -1;
    if (*place < 0)
        number(&s->resources, place, s->key_size, (int32_t)s->resources.used);
    int32_t which = *place;
    s->key_size = 0;
    if (put(s, &which, sizeof which) || put_value(s, scope))
        return -1;
    place = intern(&s->scopes, s->key, s->key_size);
    if (!place)
        return -1;
    if (*place < 0) {
        int32_t made = ask_template(s, format, resource, scope);
        if (made < 0)
            return -1;
        number(&s->scopes, place, s->key_size, made);
    }
    return *place;
}

static int contains(Value text, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; text.at && i + size <= text.size; i++)
        if (text.at[i] == (uint8_t)word[0] && !memcmp(text.at + i, word, size))
            return 1;
    return 0;
}

static int is(Value text, const char *word)
{
    return text.at && text.size == strlen(word) && !memcmp(text.at, word, text.size);
}

static int32_t ask_profile(Scanner *s, int32_t template, const Value *values, int flags)
{
    if (s->profiles_used == s->profiles_room) {
        size_t room = s->profiles_room ? s->profiles_room * 2 : 64;
        Profile *grown = PyMem_Realloc(s->profile, room * sizeof(Profile));
        if (!grown)
            return -1;
        s->profile = grown;
        s->profiles_room = room;
    }
    PyObject *told = PyObject_CallMethod(
        s->asked, "profile", "Oiz#z#z#z#z#z#", s->templates[template].owner, flags,
        values[0].at, (Py_ssize_t)values[0].size, values[1].at, (Py_ssize_t)values[1].size,
        values[2].at, (Py_ssize_t)values[2].size, values[3].at, (Py_ssize_t)values[3].size,
        values[4].at, (Py_ssize_t)values[4].size, values[5].at, (Py_ssize_t)values[5].size);
    if (!told) {
        s->error = 1;
        return -1;
    }
    Profile made = {.owner = told};
    PyObject *said = PyTuple_GetItem(told, 4);
    long bits = said ? PyLong_AsLong(said) : -1;
    if (bits < 0 || value_at(told, 0, &made.provider) || value_at(told, 1, &made.operation)
        || value_at(told, 2, &made.account) || value_at(told, 3, &made.region)) {
        s->error = 1;
        Py_DECREF(told);
        return -1;
    }
    made.is_call = bits & 1;
    made.no_output = bits >> 1 & 1;
    made.response_is_request = bits >> 2 & 1;
    made.odd = (made.provider.at && !made.provider.size) || (made.operation.at && !made.operation.size);
    s->profile[s->profiles_used] = made;
    return (int32_t)s->profiles_used++;
}

/* What follows for the current span; -1: give up the document.
 *
 * The key holds everything that rows.settle looks at, counts and attempts apart: of the address
 * only one that may name a region, of the name only the two that stand for an operation.
 */
int32_t profile_of(Scanner *s, int32_t template, int reported)
{
    const Span *span = &s->span;
    const Value *own = span->own;
    Value address = own[s->role[ADDRESS]], name = span->name;
    Value region = own[s->role[REGION]], request = own[s->role[REQUEST_ID]];
    if (!contains(address, "bedrock"))
        address.at = NULL;
    if (!is(name, "claude_code.llm_request") && !is(name, "llm_request"))
        name.at = NULL;
    int flags = (reported ? 1 : 0) | (request.at ? 2 : 0);
    Value values[6] = {own[s->role[PROVIDER]], own[s->role[OPERATION]], address,
                       own[s->role[ACCOUNT]], region, name};
    uint32_t head[8] = {(uint32_t)template, (uint32_t)flags};
    size_t size = sizeof head;
    for (int i = 0; i < 6; i++) {
        head[i + 2] = values[i].at ? (uint32_t)values[i].size + 1 : 0; /* null and empty differ */
        size += values[i].at ? values[i].size : 0;
    }
    if (reserve(&s->key, &s->key_room, size))
        return -1;
    memcpy(s->key, head, sizeof head);
    s->key_size = sizeof head;
    for (int i = 0; i < 6; i++)
        if (values[i].at) {
            memcpy(s->key + s->key_size, values[i].at, values[i].size);
            s->key_size += values[i].size;
        }
    int32_t *place = intern(&s->profiles, s->key, s->key_size);
    if (!place)
        return -1;
    if (*place < 0) {
        int32_t made = ask_profile(s, template, values, flags);
        if (made < 0)
            return -1;
        number(&s->profiles, place, size, made);
    }
    return *place;
}

int ask_threshold(Scanner *s, Value state)
{
    char *text;
    Py_ssize_t size;
    Span *span = &s->span;
    PyObject *said = PyObject_CallMethod(s->asked, "threshold", "s#", (const char *)state.at,
                                         (Py_ssize_t)state.size);
    s->error = !said;
    if (said && said != Py_None) {
        s->error = PyBytes_AsStringAndSize(said, &text, &size) != 0;
        if (!s->error && (size_t)size <= sizeof span->scratch - span->scratch_size) {
            uint8_t *place = span->scratch + span->scratch_size;
            memcpy(place, text, (size_t)size);
            span->scratch_size += (size_t)size;
            span->state = (Value){place, (size_t)size, 0};
        } else
            span->odd = 1;
    }
    Py_XDECREF(said);
    return s->error ? -1 : 0;
}
