#include "sim/json.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/arena.h"
#include "sim/json_text.h"

enum { FILE_BYTES_MAX = 64 << 20, PATH_STEPS_MAX = JSON_DEPTH_MAX, POINTER_SIZE = 256 };

/* A place that json_set has set: its lines in the text no longer say where its value comes from. */
struct override {
    const char *pointer;
    const char *origin; /* "--set seed=1" */
    struct override *next;
};

struct json_document {
    struct arena *arena; /* name and overrides */
    const char *name;
    char *text;
    cJSON *root;
    struct override *overrides; /* the latest first */
};

/* --- pointers --- */

void json_pointer_key(char *to, size_t size, const char *pointer, const char *key)
{
    size_t length = (size_t)snprintf(to, size, "%s/", pointer);
    for (; *key && length + 2 < size; key++) {
        if (*key == '~' || *key == '/')
            to[length++] = '~';
        to[length++] = *key == '~' ? '0' : *key == '/' ? '1' : *key;
        to[length] = '\0';
    }
}

void json_pointer_index(char *to, size_t size, const char *pointer, size_t index)
{
    snprintf(to, size, "%s/%zu", pointer, index);
}

/* --- reading --- */

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A key that the object has twice, or NULL. Sorted, so that a hostile file cannot make it slow. */
static const char *duplicate_key(const cJSON *object)
{
    size_t count = (size_t)cJSON_GetArraySize(object);
    if (count < 2)
        return NULL;
    const char **keys = malloc(count * sizeof *keys);
    if (!keys)
        out_of_memory();
    size_t at = 0;
    const cJSON *member;
    cJSON_ArrayForEach(member, object) keys[at++] = member->string;
    qsort(keys, count, sizeof *keys, compare_keys);
    const char *duplicate = NULL;
    for (size_t i = 1; i < count && !duplicate; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            duplicate = keys[i];
    free(keys);
    return duplicate;
}

static bool refuse_duplicate(const struct json_document *document, const char *pointer,
                             const char *key, struct error *error)
{
    char place[POINTER_SIZE];
    json_pointer_key(place, sizeof place, pointer, key);
    error_at(error, ERROR_BAD_INPUT, document->name, json_text_line(document->text, place, 1),
             place, "the key \"%s\" is there twice; first on line %ld", key,
             json_text_line(document->text, place, 0));
    return error_hint(error, "remove one of the two");
}

/* What the grammar cannot say: no key twice, every number finite. */
static bool check_tree(const struct json_document *document, const cJSON *node, const char *pointer,
                       struct error *error)
{
    if (cJSON_IsNumber(node) && !isfinite(node->valuedouble)) {
        json_error(document, pointer, error, "this number is too large");
        return error_hint(error, "the largest is 1.797e308");
    }
    const char *duplicate = cJSON_IsObject(node) ? duplicate_key(node) : NULL;
    if (duplicate)
        return refuse_duplicate(document, pointer, duplicate, error);
    size_t index = 0;
    const cJSON *child;
    cJSON_ArrayForEach(child, node)
    {
        char place[POINTER_SIZE];
        if (child->string)
            json_pointer_key(place, sizeof place, pointer, child->string);
        else
            json_pointer_index(place, sizeof place, pointer, index++);
        if (!check_tree(document, child, place, error))
            return false;
    }
    return true;
}

static bool parse(struct json_document *document, size_t length, struct error *error)
{
    if (!json_text_clean(document->name, document->text, length, error) ||
        !json_text_check(document->name, document->text, error))
        return false;
    document->root = cJSON_ParseWithLength(document->text, length);
    if (!document->root)
        return error_at(error, ERROR_FAILED, document->name, 0, NULL,
                        "out of memory reading the JSON");
    return check_tree(document, document->root, "", error);
}

/* Takes ownership of text, which holds length bytes and a NUL. */
static struct json_document *document_create(const char *name, char *text, size_t length,
                                             struct error *error)
{
    struct json_document *document = calloc(1, sizeof *document);
    if (!document)
        out_of_memory();
    document->arena = arena_create();
    document->name = arena_strdup(document->arena, name);
    document->text = text;
    if (parse(document, length, error))
        return document;
    json_free(document);
    return NULL;
}

struct json_document *json_read_text(const char *name, const char *text, size_t length,
                                     struct error *error)
{
    char *copy = malloc(length + 1);
    if (!copy)
        out_of_memory();
    memcpy(copy, text, length);
    copy[length] = '\0';
    return document_create(name, copy, length, error);
}

/* The whole stream, terminated by NUL, in memory the caller frees; NULL on error. */
static char *read_stream(FILE *stream, const char *path, size_t *length, struct error *error)
{
    char *text = NULL;
    size_t capacity = 16 << 10;
    *length = 0;
    while (*length <= FILE_BYTES_MAX && !feof(stream) && !ferror(stream)) {
        char *larger = realloc(text, (capacity *= 2) + 1);
        if (!larger)
            out_of_memory();
        text = larger;
        *length += fread(text + *length, 1, capacity - *length, stream);
    }
    if (!ferror(stream) && *length <= FILE_BYTES_MAX) {
        text[*length] = '\0';
        return text;
    }
    if (ferror(stream))
        error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "cannot be read: %s", strerror(errno));
    else
        error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "larger than %d MiB, the limit for JSON",
                 FILE_BYTES_MAX >> 20);
    free(text);
    return NULL;
}

struct json_document *json_read_file(const char *path, struct error *error)
{
    FILE *stream = fopen(path, "rb");
    if (!stream) {
        error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "cannot be opened: %s", strerror(errno));
        return NULL;
    }
    size_t length;
    char *text = read_stream(stream, path, &length, error);
    fclose(stream);
    return text ? document_create(path, text, length, error) : NULL;
}

void json_free(struct json_document *document)
{
    if (!document)
        return;
    cJSON_Delete(document->root);
    free(document->text);
    arena_destroy(document->arena);
    free(document);
}

/* --- looking at it --- */

cJSON *json_root(const struct json_document *document)
{
    return document->root;
}

cJSON *json_member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *json_kind(const cJSON *node)
{
    if (cJSON_IsNull(node))
        return "null";
    if (cJSON_IsBool(node))
        return "true or false";
    if (cJSON_IsNumber(node))
        return "a number";
    if (cJSON_IsString(node))
        return "a string";
    return cJSON_IsArray(node) ? "a list" : "an object";
}

/* The latest assignment that set this place or one it lies in; NULL when it is from the text. */
static const struct override *override_of(const struct json_document *document, const char *pointer)
{
    for (const struct override *set = document->overrides; set; set = set->next) {
        size_t length = strlen(set->pointer);
        if (strncmp(set->pointer, pointer, length) == 0 &&
            (pointer[length] == '\0' || pointer[length] == '/'))
            return set;
    }
    return NULL;
}

long json_line(const struct json_document *document, const char *pointer)
{
    return override_of(document, pointer) ? 0 : json_text_line(document->text, pointer, 0);
}

long json_line_near(const struct json_document *document, const char *pointer)
{
    char place[POINTER_SIZE];
    snprintf(place, sizeof place, "%s", pointer);
    long line;
    while ((line = json_line(document, place)) == 0 && !override_of(document, place) && place[0])
        *strrchr(place, '/') = '\0';
    return line;
}

const char *json_origin(const struct json_document *document, const char *pointer)
{
    const struct override *set = override_of(document, pointer);
    return set ? set->origin : document->name;
}

bool json_error_va(const struct json_document *document, const char *pointer, struct error *error,
                   const char *format, va_list args)
{
    return error_at_va(error, ERROR_BAD_INPUT, json_origin(document, pointer),
                       json_line_near(document, pointer), pointer, format, args);
}

bool json_error(const struct json_document *document, const char *pointer, struct error *error,
                const char *format, ...)
{
    va_list args;
    va_start(args, format);
    json_error_va(document, pointer, error, format, args);
    va_end(args);
    return false;
}

bool json_member_error(const struct json_document *document, const char *pointer, const char *key,
                       struct error *error, const char *format, ...)
{
    char member[POINTER_SIZE];
    json_pointer_key(member, sizeof member, pointer, key);
    va_list args;
    va_start(args, format);
    json_error_va(document, member, error, format, args);
    va_end(args);
    return false;
}

/* --- overrides --- */

struct step {
    const char *key; /* NULL: an index */
    size_t index;
};

struct path {
    struct step steps[PATH_STEPS_MAX];
    size_t count;
};

static bool refuse_assignment(const char *assignment, struct error *error, const char *why)
{
    error_set(error, ERROR_USAGE, "--set %s: %s", assignment, why);
    return error_hint(error, "write a path, = and a value: pools[0].replicas=3");
}

/* Reads one step at *at, "key" or "[0]", and moves past it. */
static bool read_step(const char **at, struct arena *arena, struct step *step)
{
    if (**at == '[') {
        char *end;
        if (!isdigit((unsigned char)(*at)[1]))
            return false;
        step->key = NULL;
        step->index = strtoull(*at + 1, &end, 10);
        *at = end + 1;
        return *end == ']';
    }
    size_t length = strcspn(*at, ".[]=");
    step->key = arena_printf(arena, "%.*s", (int)length, *at);
    *at += length;
    return length > 0;
}

/* Reads the steps up to the = and leaves *at behind it. */
static bool read_path(const char **at, struct arena *arena, struct path *path)
{
    path->count = 0;
    do {
        if (path->count == PATH_STEPS_MAX || !read_step(at, arena, &path->steps[path->count++]))
            return false;
        if (**at == '.' && (*at)[1] == '[')
            return false;
        if (**at == '.')
            ++*at;
        else if (**at != '[' && **at != '=')
            return false;
    } while (**at != '=' || (*at)[-1] == '.');
    ++*at;
    return true;
}

/* JSON where it parses as such, otherwise the text as it stands. */
static cJSON *read_value(const char *text)
{
    struct json_document *document = json_read_text("--set", text, strlen(text), NULL);
    cJSON *value = document ? document->root : cJSON_CreateString(text);
    if (!value)
        out_of_memory();
    if (document)
        document->root = NULL;
    json_free(document);
    return value;
}

static cJSON *child_at(const cJSON *node, const struct step *step)
{
    if (step->key)
        return json_member(node, step->key);
    if (!cJSON_IsArray(node) || step->index >= (size_t)cJSON_GetArraySize(node))
        return NULL;
    return cJSON_GetArrayItem(node, (int)step->index);
}

static void extend_pointer(char *pointer, const struct step *step)
{
    char longer[POINTER_SIZE];
    if (step->key)
        json_pointer_key(longer, sizeof longer, pointer, step->key);
    else
        json_pointer_index(longer, sizeof longer, pointer, step->index);
    strcpy(pointer, longer);
}

/* May the step be set in node, which is at the pointer? */
static bool can_place(const struct json_document *document, const cJSON *node,
                      const struct step *step, const char *pointer, struct error *error)
{
    const char *place = *pointer ? pointer : "the document";
    if (step->key && !cJSON_IsObject(node))
        return json_error(document, pointer, error, "%s is %s, so \"%s\" cannot be set in it",
                          place, json_kind(node), step->key);
    if (step->key)
        return true;
    if (!cJSON_IsArray(node))
        return json_error(document, pointer, error, "%s is %s, so it has no entry [%zu]", place,
                          json_kind(node), step->index);
    size_t count = (size_t)cJSON_GetArraySize(node);
    if (step->index <= count)
        return true;
    json_error(document, pointer, error, "%s has %zu entries, so [%zu] cannot be set", place, count,
               step->index);
    return error_hint(error, "[%zu] adds an entry at the end", count);
}

static void set_child(cJSON *node, const struct step *step, cJSON *value)
{
    bool placed;
    if (step->key && json_member(node, step->key))
        placed = cJSON_ReplaceItemInObjectCaseSensitive(node, step->key, value);
    else if (step->key)
        placed = cJSON_AddItemToObject(node, step->key, value);
    else if (step->index < (size_t)cJSON_GetArraySize(node))
        placed = cJSON_ReplaceItemInArray(node, (int)step->index, value);
    else
        placed = cJSON_AddItemToArray(node, value);
    if (!placed)
        out_of_memory();
}

/* Wraps value into the objects and lists that the steps name, innermost last. NULL, and value is
 * deleted, when a step is an index other than 0: the lists are new. */
static cJSON *wrap(const struct step *steps, size_t count, cJSON *value)
{
    while (count-- > 0 && value) {
        cJSON *outer = NULL;
        if (steps[count].key || steps[count].index == 0) {
            outer = steps[count].key ? cJSON_CreateObject() : cJSON_CreateArray();
            if (!outer)
                out_of_memory();
            set_child(outer, &steps[count], value);
        } else {
            cJSON_Delete(value);
        }
        value = outer;
    }
    return value;
}

static void remember_override(struct json_document *document, const char *pointer,
                              const char *assignment)
{
    struct override *set = ARENA_NEW(document->arena, struct override);
    set->pointer = arena_strdup(document->arena, pointer);
    set->origin = arena_printf(document->arena, "--set %s", assignment);
    set->next = document->overrides;
    document->overrides = set;
}

/* Follows the path as far as it exists, and puts what is missing of it, with the value at its end,
 * in place there. Takes ownership of value. */
static bool set_at(struct json_document *document, const struct path *path, cJSON *value,
                   const char *assignment, struct error *error)
{
    cJSON *node = document->root;
    char pointer[POINTER_SIZE] = "";
    size_t depth = 0;
    for (; depth + 1 < path->count; depth++) {
        cJSON *child = child_at(node, &path->steps[depth]);
        if (!child || cJSON_IsNull(child))
            break;
        extend_pointer(pointer, &path->steps[depth]);
        node = child;
    }
    const struct step *step = &path->steps[depth];
    if (!can_place(document, node, step, pointer, error)) {
        cJSON_Delete(value);
        return false;
    }
    value = wrap(step + 1, path->count - depth - 1, value);
    if (!value)
        return refuse_assignment(assignment, error, "a new list starts with [0]");
    set_child(node, step, value);
    extend_pointer(pointer, step);
    remember_override(document, pointer, assignment);
    return true;
}

bool json_set(struct json_document *document, const char *assignment, struct error *error)
{
    struct arena *scratch = arena_create();
    struct path path;
    const char *at = assignment;
    bool ok = false;
    if (!json_text_check_bytes("--set", assignment, strlen(assignment), NULL))
        error_set(error, ERROR_USAGE, "--set: an assignment that is not UTF-8 text");
    else if (!strchr(assignment, '='))
        refuse_assignment(assignment, error, "there is no = in it");
    else if (!read_path(&at, scratch, &path))
        refuse_assignment(assignment, error, "the path before the = is not well-formed");
    else
        ok = set_at(document, &path, read_value(at), assignment, error);
    arena_destroy(scratch);
    return ok;
}
