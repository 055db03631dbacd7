/* attribution_pipeline.sources.otlp._native: one type, Scanner, for scanning.py.
 *
 * Belongs here: what Python hands in and takes out. Does not: anything of OTLP.
 */
#include "scan.h"

static void scanner_free_buffers(Scanner *s)
{
    for (int i = 0; i < MAX_COLUMNS; i++) {
        PyMem_Free(s->column[i].data);
        PyMem_Free(s->column[i].valid);
        PyMem_Free(s->column[i].offsets);
    }
    registry_clear(s);
    PyMem_Free(s->templates);
    PyMem_Free(s->profile);
    PyMem_Free(s->slots);
    PyMem_Free(s->key);
    PyMem_Free(s->links);
    PyMem_Free(s->odd);
    Py_XDECREF(s->names);
}

static void scanner_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc free_it = (freefunc)PyType_GetSlot(type, Py_tp_free);
    scanner_free_buffers((Scanner *)self);
    free_it(self);
    Py_DECREF(type);
}

/* names: tuple of (key, column, rank, is_text, kept or -1) */
static int add_slots(Scanner *s, PyObject *names)
{
    Py_ssize_t count = PyTuple_Size(names);
    size_t room = 64;
    if (count < 0)
        return -1;
    while (room < (size_t)count * 4)
        room *= 2;
    s->slots = PyMem_Calloc(room, sizeof(Slot));
    if (!s->slots)
        return PyErr_NoMemory(), -1;
    s->slot_mask = room - 1;
    for (Py_ssize_t i = 0; i < count; i++) {
        const char *key;
        Py_ssize_t size;
        int column, rank, is_text, kept;
        if (!PyArg_ParseTuple(PyTuple_GetItem(names, i), "y#iiii", &key, &size, &column, &rank,
                              &is_text, &kept))
            return -1;
        if (column < 0 || column > s->columns || kept >= s->kept || rank < 0 || rank > 99)
            return PyErr_SetString(PyExc_ValueError, "a slot outside its table"), -1;
        size_t at = hash_of((const uint8_t *)key, (size_t)size) & s->slot_mask;
        while (s->slots[at].key)
            at = (at + 1) & s->slot_mask;
        s->slots[at] = (Slot){(const uint8_t *)key, (uint32_t)size, (uint16_t)column, (uint8_t)rank,
                              (uint8_t)is_text, (int16_t)kept};
    }
    return 0;
}

/* Scanner(types, columns, roles, names, kept): one character a landed column, how many a row in the
 * making has, the column of each role, the attributes, and '"key":' of each kept one. */
static PyObject *scanner_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    const char *types;
    Py_ssize_t landed;
    int columns;
    PyObject *roles, *names, *kept;
    if (kwargs && PyDict_Size(kwargs))
        return PyErr_SetString(PyExc_TypeError, "positions only"), NULL;
    if (!PyArg_ParseTuple(args, "s#iO!O!O!", &types, &landed, &columns, &PyTuple_Type, &roles,
                          &PyTuple_Type, &names, &PyTuple_Type, &kept))
        return NULL;
    if (columns < landed || columns > MAX_COLUMNS || PyTuple_Size(roles) != ROLES
        || PyTuple_Size(kept) > MAX_KEPT)
        return PyErr_SetString(PyExc_ValueError, "more columns or kept names than there is room"), NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Scanner *s = (Scanner *)allocate(type, 0); /* zeroed */
    if (!s)
        return NULL;
    s->columns = columns;
    s->landed = (int)landed;
    s->kept = (int)PyTuple_Size(kept);
    s->names = PyTuple_Pack(2, names, kept);
    for (int i = 0; i < landed; i++)
        s->column[i].type = types[i];
    for (int i = 0; i < ROLES; i++) {
        s->role[i] = (int)PyLong_AsLong(PyTuple_GetItem(roles, i));
        if (s->role[i] < 0 || s->role[i] + COUNTS > MAX_COLUMNS) {
            if (!PyErr_Occurred())
                PyErr_SetString(PyExc_ValueError, "a role outside the row");
            Py_DECREF(s);
            return NULL;
        }
    }
    static const int by_name[] = {TRACE_ID, SPAN_ID, PARENT, LINKS, NAME, THRESHOLD, PROVIDER, OPERATION,
                                  ACCOUNT, REGION, ERROR_TYPE, RESPONSE_ID, KEPT};
    for (size_t i = 0; i < sizeof by_name / sizeof *by_name; i++)
        s->is_named[s->role[by_name[i]]] = 1;
    static const int never_null[] = {POSITION, START, END, IS_CALL, METERED};
    for (size_t i = 0; i < sizeof never_null / sizeof *never_null; i++)
        s->column[s->role[never_null[i]]].never_null = 1;
    for (int i = 0; i < s->kept; i++) {
        char *text;
        Py_ssize_t size;
        if (PyBytes_AsStringAndSize(PyTuple_GetItem(kept, i), &text, &size)) {
            Py_DECREF(s);
            return NULL;
        }
        s->kept_key[i] = (Value){(const uint8_t *)text, (size_t)size, 0};
    }
    if (!s->names || add_slots(s, names)) {
        Py_DECREF(s);
        return NULL;
    }
    return (PyObject *)s;
}

static PyObject *left_over(Scanner *s)
{
    PyObject *list = PyList_New((Py_ssize_t)s->odd_used);
    for (size_t i = 0; list && i < s->odd_used; i++) {
        const Odd *odd = &s->odd[i];
        PyObject *item = Py_BuildValue("nnnO", (Py_ssize_t)odd->start, (Py_ssize_t)odd->end,
                                       (Py_ssize_t)odd->position,
                                       s->templates[odd->template].owner);
        if (!item || PyList_SetItem(list, (Py_ssize_t)i, item)) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

/* scan(payload, is_json, position, asked): None where the loop is to read all of it, else the
 * position of the last span and the spans left to the loop: (start, end, position, template). */
static PyObject *scanner_scan(PyObject *self, PyObject *args)
{
    Scanner *s = (Scanner *)self;
    PyObject *payload, *asked;
    int is_json;
    long long position;
    char *bytes;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "O!pLO", &PyBytes_Type, &payload, &is_json, &position, &asked)
        || PyBytes_AsStringAndSize(payload, &bytes, &size))
        return NULL;
    if (s->asked)
        return PyErr_SetString(PyExc_RuntimeError, "a scanner is asked while it scans"), NULL;
    size_t rows = s->rows;
    s->odd_used = 0;
    s->error = 0;
    s->position = position;
    s->begin = (const uint8_t *)bytes;
    s->asked = asked;
    int given_up = is_json ? scan_json(s, s->begin, (size_t)size)
                           : scan_protobuf(s, s->begin, (size_t)size);
    s->asked = NULL;
    if (!given_up) {
        PyObject *list = left_over(s);
        return list ? Py_BuildValue("LN", (long long)s->position, list) : NULL;
    }
    scanner_rollback(s, rows);
    if (s->error)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *bytes_of(const void *data, size_t size)
{
    return PyBytes_FromStringAndSize(data, (Py_ssize_t)size);
}

/* take(): how many rows there are, and of each landed column (validity, offsets or None, data). */
static PyObject *scanner_take(PyObject *self, PyObject *unused)
{
    Scanner *s = (Scanner *)self;
    size_t rows = s->rows, bits = (rows + 7) / 8;
    (void)unused;
    PyObject *list = PyList_New(s->landed);
    for (int i = 0; list && i < s->landed; i++) {
        Column *c = &s->column[i];
        size_t size = c->type == 't' ? c->size
            : c->type == 'b' ? bits : rows * (c->type == '8' ? 8 : c->type == '4' ? 4 : 1);
        if (c->type == 't')
            column_validity(s, i);
        PyObject *valid = c->never_null ? Py_NewRef(Py_None) : bytes_of(c->valid, bits);
        PyObject *offsets = c->type == 't' && rows ? bytes_of(c->offsets, (rows + 1) * 4) : Py_NewRef(Py_None);
        PyObject *data = bytes_of(c->data, size);
        PyObject *item = valid && offsets && data ? PyTuple_Pack(3, valid, offsets, data) : NULL;
        Py_XDECREF(valid);
        Py_XDECREF(offsets);
        Py_XDECREF(data);
        if (!item || PyList_SetItem(list, i, item)) {
            Py_DECREF(list);
            return NULL;
        }
    }
    if (!list)
        return NULL;
    scanner_rollback(s, 0);
    return Py_BuildValue("nN", (Py_ssize_t)rows, list);
}

/* held(): rows, templates and profiles, bytes of column buffers. */
static PyObject *scanner_held(PyObject *self, PyObject *unused)
{
    Scanner *s = (Scanner *)self;
    size_t bytes = 0;
    (void)unused;
    for (int i = 0; i < s->landed; i++)
        bytes += s->column[i].room + s->rows_room * 5;
    return Py_BuildValue("nnn", (Py_ssize_t)s->rows,
                         (Py_ssize_t)(s->templates_used + s->profiles_used), (Py_ssize_t)bytes);
}

/* forget(): templates and profiles. */
static PyObject *scanner_forget(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (((Scanner *)self)->asked)
        return PyErr_SetString(PyExc_RuntimeError, "a scanner forgets while it scans"), NULL;
    registry_clear((Scanner *)self);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"scan", scanner_scan, METH_VARARGS, NULL},
    {"take", scanner_take, METH_NOARGS, NULL},
    {"held", scanner_held, METH_NOARGS, NULL},
    {"forget", scanner_forget, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot type_slots[] = {
    {Py_tp_new, (void *)scanner_new},
    {Py_tp_dealloc, (void *)scanner_dealloc},
    {Py_tp_methods, methods},
    {Py_tp_doc, (void *)"Spans of OTLP into columns. See scanning.py."},
    {0, NULL},
};

static PyType_Spec type_spec = {
    .name = "attribution_pipeline.sources.otlp._native.Scanner",
    .basicsize = sizeof(Scanner),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = type_slots,
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "OTLP into columns, for scanning.py.", -1, NULL, NULL, NULL,
    NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    PyObject *module = PyModule_Create(&definition);
    PyObject *type = module ? PyType_FromSpec(&type_spec) : NULL;
    if (!type || PyModule_AddObjectRef(module, "Scanner", type)) {
        Py_XDECREF(type);
        Py_XDECREF(module);
        return NULL;
    }
    Py_DECREF(type);
    return module;
}
