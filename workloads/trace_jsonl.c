#include "workloads/trace_jsonl.h"

#include <stdlib.h>

#include "workloads/number_text.h"

enum { MAX_DEPTH = 64 };

struct json_cursor {
    const char *at, *end;
    const struct line *line;
    const char *path;
    struct error *error;
};

static bool fail(const struct json_cursor *json, const char *expected)
{
    long column = json->at - json->line->text.at + 1;
    return error_at(json->error, ERROR_BAD_INPUT, json->path, json->line->number, NULL,
                    "not a JSON object: expected %s at character %ld", expected, column);
}

static void skip_blanks(struct json_cursor *json)
{
    while (json->at < json->end && text_is_blank(*json->at))
        json->at++;
}

/* Blanks, then this character: taken and true, or left and false. */
static bool accept(struct json_cursor *json, char c)
{
    skip_blanks(json);
    if (json->at == json->end || *json->at != c)
        return false;
    json->at++;
    return true;
}

/* The opening quote is taken. Escapes stay as they are. */
static bool take_string(struct json_cursor *json, struct text *string)
{
    const char *first = json->at;
    for (; json->at < json->end && *json->at != '"'; json->at++)
        if (*json->at == '\\' && json->at + 1 < json->end)
            json->at++;
    if (json->at >= json->end)
        return fail(json, "a closing quote");
    *string = (struct text){first, (size_t)(json->at - first)};
    json->at++;
    return true;
}

static bool is_word_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '+' || c == '.';
}

/* A number, true, false or null. Whether it is a sound number is asked where it is used. */
static bool take_word(struct json_cursor *json, struct text *word)
{
    skip_blanks(json);
    const char *first = json->at;
    while (json->at < json->end && is_word_char(*json->at))
        json->at++;
    *word = (struct text){first, (size_t)(json->at - first)};
    return word->length > 0 || fail(json, "a value");
}

/* One "key": the colon included. */
static bool take_key(struct json_cursor *json, struct text *key)
{
    return (accept(json, '"') || fail(json, "a key in quotes")) && take_string(json, key) &&
           (accept(json, ':') || fail(json, "':'"));
}

static bool skip_value(struct json_cursor *json, int depth);

/* The rest of an object or list whose opening is taken. */
static bool skip_members(struct json_cursor *json, char close, int depth)
{
    if (accept(json, close))
        return true;
    do {
        struct text key = {0};
        if (close == '}' && !take_key(json, &key))
            return false;
        if (!skip_value(json, depth))
            return false;
    } while (accept(json, ','));
    return accept(json, close) || fail(json, close == '}' ? "',' or '}'" : "',' or ']'");
}

static bool skip_value(struct json_cursor *json, int depth)
{
    struct text ignored;
    if (depth == MAX_DEPTH)
        return fail(json, "less nesting");
    if (accept(json, '"'))
        return take_string(json, &ignored);
    if (accept(json, '{'))
        return skip_members(json, '}', depth + 1);
    if (accept(json, '['))
        return skip_members(json, ']', depth + 1);
    return take_word(json, &ignored);
}

static bool add_id(struct json_cursor *json, struct jsonl_ids *ids, size_t count, uint64_t id)
{
    if (count == ids->capacity) {
        size_t capacity = ids->capacity ? ids->capacity * 2 : 1024;
        uint64_t *items = realloc(ids->items, capacity * sizeof *items);
        if (!items)
            return error_set(json->error, ERROR_FAILED, "out of memory");
        ids->items = items;
        ids->capacity = capacity;
    }
    ids->items[count] = id;
    return true;
}

/* An id in quotes that is no number is a name: its hash stands for it (FNV-1a, 64 bits). */
static uint64_t id_of_name(struct text name)
{
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < name.length; i++)
        hash = (hash ^ (unsigned char)name.at[i]) * 1099511628211u;
    return hash;
}

static bool take_id(struct json_cursor *json, uint64_t *id)
{
    struct text word;
    bool quoted = accept(json, '"');
    if (!(quoted ? take_string(json, &word) : take_word(json, &word)))
        return false;
    if (number_to_id(word, id) == NUMBER_OK)
        return true;
    if (!quoted)
        return error_at(json->error, ERROR_BAD_INPUT, json->path, json->line->number, NULL,
                        "hash id %.*s is not a whole number of 64 bits", (int)word.length, word.at);
    *id = id_of_name(word);
    return true;
}

static bool take_ids(struct json_cursor *json, struct jsonl_ids *ids, size_t *count)
{
    *count = 0;
    if (!accept(json, '['))
        return fail(json, "a list of hash_ids");
    if (accept(json, ']'))
        return true;
    do {
        uint64_t id;
        if (!take_id(json, &id) || !add_id(json, ids, (*count)++, id))
            return false;
    } while (accept(json, ','));
    return accept(json, ']') || fail(json, "',' or ']'");
}

static const struct trace_column *find_column(const struct trace_layout *layout, struct text key)
{
    for (const struct trace_column *column = layout->columns; column->name; column++)
        if (text_is(key, column->name))
            return column;
    return NULL;
}

/* What a member of the object is for: called with the key taken, must take the value. */
typedef bool (*member_fn)(struct json_cursor *json, struct text key, void *into);

static bool take_object(struct json_cursor *json, member_fn take_member, void *into)
{
    if (!accept(json, '{'))
        return fail(json, "'{'");
    if (!accept(json, '}')) {
        do {
            struct text key = {0};
            if (!take_key(json, &key) || !take_member(json, key, into))
                return false;
        } while (accept(json, ','));
        if (!accept(json, '}'))
            return fail(json, "',' or '}'");
    }
    skip_blanks(json);
    return json->at == json->end || fail(json, "the end of the line");
}

static struct json_cursor cursor_on(const struct line *line, const char *path, struct error *error)
{
    return (struct json_cursor){line->text.at, line->text.at + line->text.length, line, path,
                                error};
}

struct key_list {
    struct text *keys;
    size_t max, count;
};

static bool note_key(struct json_cursor *json, struct text key, void *into)
{
    struct key_list *list = into;
    if (list->count < list->max)
        list->keys[list->count++] = key;
    return skip_value(json, 0);
}

bool jsonl_keys(const struct line *line, const char *path, struct text *keys, size_t max,
                size_t *count, struct error *error)
{
    struct json_cursor json = cursor_on(line, path, error);
    struct key_list list = {keys, max, 0};
    bool ok = take_object(&json, note_key, &list);
    *count = list.count;
    return ok;
}

struct row_target {
    const struct trace_layout *layout;
    struct jsonl_ids *ids;
    struct trace_cells *cells;
};

static bool take_scalar(struct json_cursor *json, struct text *cell)
{
    if (accept(json, '"'))
        return take_string(json, cell);
    if (!take_word(json, cell))
        return false;
    if (text_is(*cell, "null"))
        *cell = (struct text){NULL, 0};
    return true;
}

static bool take_blocks(struct json_cursor *json, struct row_target *row)
{
    skip_blanks(json);
    if (json->at < json->end && *json->at == 'n')
        return take_scalar(json, &row->cells->cell[FIELD_BLOCKS]);
    row->cells->cell[FIELD_BLOCKS].at = json->at;
    return take_ids(json, row->ids, &row->cells->hash_count);
}

static bool take_field(struct json_cursor *json, struct text key, void *into)
{
    struct row_target *row = into;
    const struct trace_column *column = find_column(row->layout, key);
    if (!column)
        return skip_value(json, 0);
    struct text *cell = &row->cells->cell[column->field];
    if (cell->at)
        return error_at(json->error, ERROR_BAD_INPUT, json->path, json->line->number, NULL,
                        "\"%s\" stands twice in one object", column->name);
    return column->field == FIELD_BLOCKS ? take_blocks(json, row) : take_scalar(json, cell);
}

bool jsonl_read_row(const struct trace_layout *layout, const struct line *line, const char *path,
                    struct jsonl_ids *ids, struct trace_cells *cells, struct error *error)
{
    struct json_cursor json = cursor_on(line, path, error);
    *cells = (struct trace_cells){0};
    struct row_target row = {layout, ids, cells};
    if (!take_object(&json, take_field, &row))
        return false;
    cells->hash_ids = ids->items;
    return true;
}
