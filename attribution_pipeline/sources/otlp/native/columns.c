/* Growing columns in the layout of Arrow: validity bits, 32-bit offsets, bytes.
 *
 * Belongs here: reserving and writing one value. Does not: which value (rows.c).
 */
#include "scan.h"

#define FIRST_ROWS 1024

int reserve(uint8_t **data, size_t *room, size_t needed)
{
    if (needed <= *room)
        return 0;
    size_t wanted = *room ? *room : 256;
    while (wanted < needed)
        wanted *= 2;
    uint8_t *grown = PyMem_Realloc(*data, wanted);
    if (!grown)
        return -1;
    *data = grown;
    *room = wanted;
    return 0;
}

static size_t width(char type)
{
    return type == '8' ? 8 : type == '4' ? 4 : 1;
}

/* Room for one more row in every column. */
int scanner_reserve_row(Scanner *s)
{
    if (s->rows < s->rows_room)
        return 0;
    size_t room = s->rows_room ? s->rows_room * 2 : FIRST_ROWS;
    if (room > INT32_MAX / 2)
        return -1;
    for (int i = 0; i < s->landed; i++) {
        Column *c = &s->column[i];
        size_t bits = (room + 7) / 8;
        uint8_t *valid = PyMem_Realloc(c->valid, bits);
        if (!valid)
            return -1;
        c->valid = valid;
        if (c->type == 't') {
            int32_t *offsets = PyMem_Realloc(c->offsets, (room + 1) * sizeof(int32_t));
            if (!offsets)
                return -1;
            if (!c->offsets)
                offsets[0] = 0;
            c->offsets = offsets;
        } else {
            uint8_t *data = PyMem_Realloc(c->data, c->type == 'b' ? bits : room * width(c->type));
            if (!data)
                return -1;
            c->data = data;
        }
    }
    s->rows_room = room;
    return 0;
}

void scanner_rollback(Scanner *s, size_t rows)
{
    s->rows = rows;
    for (int i = 0; i < s->landed; i++) {
        Column *c = &s->column[i];
        if (c->type == 't' && c->filled > rows) {
            c->filled = rows;
            c->size = (size_t)c->offsets[rows];
        }
    }
}

static inline void set_bit(uint8_t *bits, size_t at, int on)
{
    uint8_t mask = (uint8_t)(1u << (at & 7));
    if (on)
        bits[at >> 3] |= mask;
    else
        bits[at >> 3] &= (uint8_t)~mask;
}

/* Nulls up to ``rows``. */
static inline void fill(Column *c, size_t rows)
{
    int32_t size = (int32_t)c->size;
    while (c->filled < rows)
        c->offsets[++c->filled] = size;
}

/* The row's text. A column that is not written stays null: no text that lands is empty (registry.c
 * sees to it), so a null is told by its offsets, which are filled in when the next value comes. */
int column_text(Scanner *s, int column, Value value)
{
    Column *c = &s->column[column];
    if (value.size > COLUMN_BYTES_MAX - c->size || reserve(&c->data, &c->room, c->size + value.size))
        return -1;
    if (value.at != c->data + c->size) /* a value that was written in place */
        memcpy(c->data + c->size, value.at, value.size);
    fill(c, s->rows);
    c->size += value.size;
    c->offsets[++c->filled] = (int32_t)c->size;
    return 0;
}

/* The validity of a text column, from its offsets. */
void column_validity(Scanner *s, int column)
{
    Column *c = &s->column[column];
    fill(c, s->rows);
    for (size_t byte = 0; byte * 8 < s->rows; byte++) {
        size_t rows = s->rows - byte * 8 < 8 ? s->rows - byte * 8 : 8;
        const int32_t *offsets = c->offsets + byte * 8;
        unsigned bits = 0;
        for (size_t i = 0; i < rows; i++)
            bits |= (unsigned)(offsets[i + 1] != offsets[i]) << i;
        c->valid[byte] = (uint8_t)bits;
    }
}

void column_number(Scanner *s, int column, int64_t value, int known)
{
    Column *c = &s->column[column];
    if (!c->never_null)
        set_bit(c->valid, s->rows, known);
    if (!known)
        value = 0;
    switch (c->type) {
    case '8':
        memcpy(c->data + s->rows * 8, &value, 8);
        break;
    case '4': {
        int32_t narrow = (int32_t)value;
        memcpy(c->data + s->rows * 4, &narrow, 4);
        break;
    }
    case '1':
        c->data[s->rows] = (uint8_t)value;
        break;
    default:
        set_bit(c->data, s->rows, value != 0);
    }
}
