/* Three walks over the same tables: reading (JSON to struct), writing back (struct to JSON) and the
 * schema (tables to JSON). Each is one function per kind and a switch. */
#include "sim/config.h"

#include <assert.h>
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sim/json_writer.h"

enum { POINTER_SIZE = 256, NEAREST_LENGTH_MAX = 64 };

/* ---- tables ---- */

static size_t member_size(const struct config_field *field)
{
    switch (field->kind) {
    case CONFIG_BOOL:
        return sizeof(bool);
    case CONFIG_INT:
        return sizeof(int64_t);
    case CONFIG_NUMBER:
        return sizeof(double);
    case CONFIG_STRING:
        return sizeof(const char *);
    case CONFIG_ENUM:
        return sizeof(int);
    case CONFIG_OBJECT:
        return field->optional ? sizeof(void *) : field->object->size;
    case CONFIG_LIST:
        return sizeof(struct config_list);
    case CONFIG_VARIANT:
        return sizeof(struct config_variant);
    }
    assert(false && "a kind that does not exist");
    return 0;
}

static bool is_required(const struct config_field *field)
{
    return !field->preset && !field->optional;
}

static bool has_required(const struct config_type *type)
{
    for (const struct config_field *field = type ? type->fields : NULL; field && field->name;
         field++)
        if (is_required(field))
            return true;
    return false;
}

static size_t count_names(const char *const *names)
{
    size_t count = 0;
    while (names[count])
        count++;
    return count;
}

static size_t count_variants(const struct config_variant_type *variants)
{
    size_t count = 0;
    while (variants[count].name)
        count++;
    return count;
}

static bool has_bounds(const struct config_field *field)
{
    assert(!field->above_min || field->min < field->max);
    return field->min < field->max;
}

static bool has_lower_bound(const struct config_field *field)
{
    return has_bounds(field) && field->min >= -DBL_MAX;
}

static bool has_upper_bound(const struct config_field *field)
{
    return has_bounds(field) && field->max <= DBL_MAX;
}

/* ---- nearest name ---- */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours. */
static unsigned edit_distance(const char *a, const char *b)
{
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > NEAREST_LENGTH_MAX || b_length > NEAREST_LENGTH_MAX)
        return UINT32_MAX;
    unsigned rows[3][NEAREST_LENGTH_MAX + 1]; /* row i of the usual matrix is rows[i % 3] */
    for (unsigned j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned change = !same_letter(a[i - 1], b[j - 1]);
            row[j] = least(above[j - 1] + change, least(above[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                           same_letter(a[i - 2], b[j - 1]);
            if (swapped)
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

const char *config_nearest(const char *name, const char *const *names, size_t count)
{
    size_t length = strlen(name);
    unsigned limit = (unsigned)least((unsigned)length / 3 + 1, 4);
    unsigned best = limit + 1;
    const char *nearest = NULL;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = edit_distance(name, names[i]);
        if (length >= 3 && strncasecmp(name, names[i], length) == 0)
            distance = least(distance, limit);
        if (distance < best && distance < strlen(names[i])) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

/* Hints at a name that was not found: the nearest one if there is one, otherwise all. */
static void hint_names(struct error *error, const char *name, const char *const *names,
                       size_t count)
{
    const char *nearest = config_nearest(name, names, count);
    if (nearest) {
        error_hint(error, "did you mean \"%s\"?", nearest);
        return;
    }
    char all[sizeof error->hint] = "";
    size_t length = 0;
    for (size_t i = 0; i < count && length < sizeof all; i++)
        length +=
            (size_t)snprintf(all + length, sizeof all - length, "%s%s", i ? ", " : "", names[i]);
    error_hint(error, "possible here: %s", count ? all : "nothing");
}

/* ---- reading ---- */

struct reader {
    const struct json_document *document;
    struct arena *arena;
    struct error *error;
};

/* A value to be read: where it is, and what is known about it. */
struct place {
    const struct config_field *field;
    const cJSON *node;
    const char *pointer;
};

static bool read_value(const struct reader *reader, const struct place *place, void *member);

/* The last reference token of the pointer, for hints. */
static bool hint_doc(const struct reader *reader, const struct config_field *field)
{
    if (field->doc)
        error_hint(reader->error, "%s", field->doc);
    return false;
}

static bool wrong_kind(const struct reader *reader, const struct place *place, const char *expected)
{
    json_error(reader->document, place->pointer, reader->error, "expected %s%s, found %s", expected,
               place->field->optional ? " or null" : "", json_kind(place->node));
    return hint_doc(reader, place->field);
}

static void describe_bounds(const struct config_field *field, char *text, size_t size)
{
    char min[32], max[32];
    json_format_number(field->min, min, sizeof min);
    json_format_number(field->max, max, sizeof max);
    const char *above = field->above_min ? "above" : "at least";
    if (has_lower_bound(field) && has_upper_bound(field))
        snprintf(text, size, "%s %s and at most %s", above, min, max);
    else if (has_lower_bound(field))
        snprintf(text, size, "%s %s", above, min);
    else
        snprintf(text, size, "at most %s", max);
}

static bool check_bounds(const struct reader *reader, const struct place *place)
{
    const struct config_field *field = place->field;
    double value = place->node->valuedouble;
    bool inside = value >= field->min && value <= field->max;
    if (!has_bounds(field) || (inside && !(field->above_min && value == field->min)))
        return true;
    char found[32], bounds[128];
    json_format_number(value, found, sizeof found);
    describe_bounds(field, bounds, sizeof bounds);
    json_error(reader->document, place->pointer, reader->error, "%s is out of range: must be %s",
               found, bounds);
    return hint_doc(reader, field);
}

static bool read_number(const struct reader *reader, const struct place *place, double *member)
{
    if (!cJSON_IsNumber(place->node))
        return wrong_kind(reader, place, "a number");
    *member = place->node->valuedouble;
    return check_bounds(reader, place);
}

static bool read_int(const struct reader *reader, const struct place *place, int64_t *member)
{
    if (!cJSON_IsNumber(place->node))
        return wrong_kind(reader, place, "a whole number");
    double value = place->node->valuedouble;
    char found[32];
    json_format_number(value, found, sizeof found);
    if (value != trunc(value))
        return json_error(reader->document, place->pointer, reader->error,
                          "expected a whole number, found %s", found),
               hint_doc(reader, place->field);
    if (!check_bounds(reader, place))
        return false;
    if (fabs(value) > 0x1p53)
        return json_error(reader->document, place->pointer, reader->error,
                          "%s is beyond 2^53 = 9007199254740992, where whole numbers in JSON stop "
                          "being exact",
                          found);
    *member = (int64_t)value;
    return true;
}

static bool read_bool(const struct reader *reader, const struct place *place, bool *member)
{
    if (!cJSON_IsBool(place->node))
        return wrong_kind(reader, place, "true or false");
    *member = cJSON_IsTrue(place->node);
    return true;
}

static bool read_string(const struct reader *reader, const struct place *place, const char **member)
{
    if (!cJSON_IsString(place->node))
        return wrong_kind(reader, place, "a string");
    *member = arena_strdup(reader->arena, place->node->valuestring);
    return true;
}

static bool read_enum(const struct reader *reader, const struct place *place, int *member)
{
    if (!cJSON_IsString(place->node))
        return wrong_kind(reader, place, "a string");
    const char *found = place->node->valuestring;
    const char *const *names = place->field->names;
    for (*member = 0; names[*member]; ++*member)
        if (strcmp(names[*member], found) == 0)
            return true;
    json_error(reader->document, place->pointer, reader->error, "unknown name \"%s\"", found);
    hint_names(reader->error, found, names, count_names(names));
    return false;
}

static bool read_preset(const struct reader *reader, const struct config_field *field, void *member)
{
    struct json_document *preset =
        json_read_text("the preset", field->preset, strlen(field->preset), reader->error);
    assert(preset);
    struct reader inner = {preset, reader->arena, reader->error};
    struct place place = {field, json_root(preset), ""};
    bool ok = read_value(&inner, &place, member);
    assert(ok);
    json_free(preset);
    return ok;
}

/* What null leaves, and what is there when an optional field without preset is absent. */
static void set_null(const struct config_field *field, void *member)
{
    assert(field->optional);
    switch (field->kind) {
    case CONFIG_BOOL:
        assert(false && "a bool has no null");
        break;
    case CONFIG_INT:
        *(int64_t *)member = INT64_MIN;
        break;
    case CONFIG_NUMBER:
        *(double *)member = NAN;
        break;
    case CONFIG_STRING:
        *(const char **)member = NULL;
        break;
    case CONFIG_ENUM:
        *(int *)member = -1;
        break;
    case CONFIG_OBJECT:
        *(void **)member = NULL;
        break;
    case CONFIG_LIST:
        *(struct config_list *)member = (struct config_list){0};
        break;
    case CONFIG_VARIANT:
        *(struct config_variant *)member = (struct config_variant){.index = -1};
        break;
    }
}

/* The object that a type's fields are read from. Beside them it may hold one key more, `selector`
 * (NULL: none), that the caller has dealt with. */
struct object_place {
    const struct config_type *type; /* NULL: no fields */
    const cJSON *node;              /* an object; or NULL for an empty one */
    const char *pointer;
    const char *selector;
};

static bool is_known_key(const struct object_place *place, const char *key)
{
    if (place->selector && strcmp(place->selector, key) == 0)
        return true;
    for (const struct config_field *field = place->type ? place->type->fields : NULL;
         field && field->name; field++)
        if (strcmp(field->name, key) == 0)
            return true;
    return false;
}

static bool refuse_key(const struct reader *reader, const struct object_place *place,
                       const char *key)
{
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX];
    size_t count = 0;
    if (place->selector)
        names[count++] = place->selector;
    for (const struct config_field *field = place->type ? place->type->fields : NULL;
         field && field->name && count < NAMES_MAX; field++)
        names[count++] = field->name;
    char pointer[POINTER_SIZE];
    json_pointer_key(pointer, sizeof pointer, place->pointer, key);
    json_error(reader->document, pointer, reader->error, "unknown key \"%s\"", key);
    hint_names(reader->error, key, names, count);
    return false;
}

static bool read_field(const struct reader *reader, const struct object_place *object,
                       const struct config_field *field, void *member)
{
    const cJSON *node = object->node ? json_member(object->node, field->name) : NULL;
    if (node) {
        char pointer[POINTER_SIZE];
        json_pointer_key(pointer, sizeof pointer, object->pointer, field->name);
        struct place place = {field, node, pointer};
        return read_value(reader, &place, member);
    }
    if (field->preset)
        return read_preset(reader, field, member);
    if (!field->optional)
        return json_error(reader->document, object->pointer, reader->error, "\"%s\" is missing",
                          field->name),
               hint_doc(reader, field);
    set_null(field, member);
    return true;
}

/* out: place->type->size bytes. */
static bool read_fields(const struct reader *reader, const struct object_place *place, void *out)
{
    const cJSON *child;
    cJSON_ArrayForEach(child, place->node)
    {
        if (!is_known_key(place, child->string))
            return refuse_key(reader, place, child->string);
    }
    if (!place->type)
        return true;
    memset(out, 0, place->type->size);
    for (const struct config_field *field = place->type->fields; field->name; field++)
        if (!read_field(reader, place, field, (char *)out + field->offset))
            return false;
    return true;
}

static bool read_object(const struct reader *reader, const struct place *place, void *member)
{
    if (!cJSON_IsObject(place->node))
        return wrong_kind(reader, place, "an object");
    const struct config_type *type = place->field->object;
    void *out = member;
    if (place->field->optional)
        out = *(void **)member = arena_alloc(reader->arena, 1, type->size);
    struct object_place object = {type, place->node, place->pointer, NULL};
    return read_fields(reader, &object, out);
}

static bool check_count(const struct reader *reader, const struct place *place, size_t count)
{
    const struct config_field *field = place->field;
    bool too_many = field->max > 0 && (double)count > field->max;
    if (!too_many && (double)count >= field->min)
        return true;
    json_error(reader->document, place->pointer, reader->error,
               "%zu entries in the list: must be %s %g", count,
               field->min == field->max ? "exactly"
               : too_many               ? "at most"
                                        : "at least",
               too_many ? field->max : field->min);
    return hint_doc(reader, field);
}

static bool read_list(const struct reader *reader, const struct place *place,
                      struct config_list *member)
{
    if (!cJSON_IsArray(place->node))
        return wrong_kind(reader, place, "a list");
    size_t count = (size_t)cJSON_GetArraySize(place->node);
    size_t size = member_size(place->field->element);
    *member = (struct config_list){.count = count};
    if (!check_count(reader, place, count))
        return false;
    if (count > 0)
        member->items = arena_alloc(reader->arena, count, size);
    char *item = member->items;
    size_t index = 0;
    const cJSON *child;
    cJSON_ArrayForEach(child, place->node)
    {
        char pointer[POINTER_SIZE];
        json_pointer_index(pointer, sizeof pointer, place->pointer, index++);
        struct place element = {place->field->element, child, pointer};
        if (!read_value(reader, &element, item))
            return false;
        item += size;
    }
    return true;
}

/* Finds the variant that name, found at the pointer, means. */
static bool find_variant(const struct reader *reader, const struct config_field *field,
                         const char *name, const char *pointer, int *index)
{
    for (*index = 0; field->variants[*index].name; ++*index)
        if (strcmp(field->variants[*index].name, name) == 0)
            return true;
    json_error(reader->document, pointer, reader->error, "unknown %s \"%s\"", field->selector,
               name);
    size_t count = count_variants(field->variants);
    const char **names = ARENA_ARRAY(reader->arena, count, const char *);
    for (size_t i = 0; i < count; i++)
        names[i] = field->variants[i].name;
    hint_names(reader->error, name, names, count);
    return false;
}

/* The name by which a variant is chosen: the string itself, or the object's selector member. */
static const char *variant_name(const struct reader *reader, const struct place *place,
                                char *pointer, size_t size)
{
    snprintf(pointer, size, "%s", place->pointer);
    if (cJSON_IsString(place->node))
        return place->node->valuestring;
    if (!cJSON_IsObject(place->node)) {
        wrong_kind(reader, place, "a name or an object");
        return NULL;
    }
    const struct config_field *field = place->field;
    const cJSON *selector = json_member(place->node, field->selector);
    if (!selector) {
        json_error(reader->document, pointer, reader->error, "\"%s\" is missing", field->selector);
        hint_doc(reader, field);
        return NULL;
    }
    json_pointer_key(pointer, size, place->pointer, field->selector);
    if (cJSON_IsString(selector))
        return selector->valuestring;
    json_error(reader->document, pointer, reader->error, "expected a string, found %s",
               json_kind(selector));
    return NULL;
}

static bool read_variant(const struct reader *reader, const struct place *place,
                         struct config_variant *member)
{
    char pointer[POINTER_SIZE];
    const char *name = variant_name(reader, place, pointer, sizeof pointer);
    if (!name || !find_variant(reader, place->field, name, pointer, &member->index))
        return false;
    const struct config_type *type = place->field->variants[member->index].type;
    member->value = type ? arena_alloc(reader->arena, 1, type->size) : NULL;
    struct object_place object = {type, cJSON_IsObject(place->node) ? place->node : NULL,
                                  place->pointer, place->field->selector};
    return read_fields(reader, &object, member->value);
}

static bool read_value(const struct reader *reader, const struct place *place, void *member)
{
    if (cJSON_IsNull(place->node) && place->field->optional) {
        set_null(place->field, member);
        return true;
    }
    switch (place->field->kind) {
    case CONFIG_BOOL:
        return read_bool(reader, place, member);
    case CONFIG_INT:
        return read_int(reader, place, member);
    case CONFIG_NUMBER:
        return read_number(reader, place, member);
    case CONFIG_STRING:
        return read_string(reader, place, member);
    case CONFIG_ENUM:
        return read_enum(reader, place, member);
    case CONFIG_OBJECT:
        return read_object(reader, place, member);
    case CONFIG_LIST:
        return read_list(reader, place, member);
    case CONFIG_VARIANT:
        return read_variant(reader, place, member);
    }
    assert(false && "a kind that does not exist");
    return false;
}

bool config_read(const struct config_type *type, const struct json_document *document,
                 const cJSON *node, const char *pointer, struct arena *arena, void *out,
                 struct error *error)
{
    struct reader reader = {document, arena, error};
    struct config_field field = {.kind = CONFIG_OBJECT, .doc = type->doc, .object = type};
    struct place place = {&field, node, pointer};
    return read_object(&reader, &place, out);
}

bool config_defaults(const struct config_type *type, struct arena *arena, void *out,
                     struct error *error)
{
    struct json_document *nothing = json_read_text(type->name, "{}", 2, error);
    bool ok = config_read(type, nothing, json_root(nothing), "", arena, out, error);
    json_free(nothing);
    return ok;
}

/* ---- writing back ---- */

static cJSON *must(cJSON *node)
{
    if (!node)
        out_of_memory();
    return node;
}

static void add_member(cJSON *object, const char *name, cJSON *value)
{
    if (!cJSON_AddItemToObject(object, name, must(value)))
        out_of_memory();
}

static void add_item(cJSON *list, cJSON *value)
{
    if (!cJSON_AddItemToArray(list, must(value)))
        out_of_memory();
}

static cJSON *value_to_json(const struct config_field *field, const void *member);

static void add_fields(cJSON *object, const struct config_type *type, const void *value)
{
    for (const struct config_field *field = type->fields; field->name; field++)
        add_member(object, field->name, value_to_json(field, (const char *)value + field->offset));
}

cJSON *config_to_json(const struct config_type *type, const void *value)
{
    cJSON *object = must(cJSON_CreateObject());
    add_fields(object, type, value);
    return object;
}

static cJSON *list_to_json(const struct config_field *field, const struct config_list *list)
{
    cJSON *json = must(cJSON_CreateArray());
    const char *item = list->items;
    for (size_t i = 0; i < list->count; i++, item += member_size(field->element))
        add_item(json, value_to_json(field->element, item));
    return json;
}

static cJSON *variant_to_json(const struct config_field *field,
                              const struct config_variant *variant)
{
    if (variant->index < 0)
        return cJSON_CreateNull();
    const struct config_variant_type *chosen = &field->variants[variant->index];
    cJSON *object = must(cJSON_CreateObject());
    add_member(object, field->selector, cJSON_CreateString(chosen->name));
    if (chosen->type)
        add_fields(object, chosen->type, variant->value);
    return object;
}

static cJSON *object_to_json(const struct config_field *field, const void *member)
{
    const void *value = field->optional ? *(void *const *)member : member;
    return value ? config_to_json(field->object, value) : cJSON_CreateNull();
}

static cJSON *int_to_json(int64_t value)
{
    return value == INT64_MIN ? cJSON_CreateNull() : cJSON_CreateNumber((double)value);
}

static cJSON *number_to_json(double value)
{
    return isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull();
}

static cJSON *string_to_json(const char *value)
{
    return value ? cJSON_CreateString(value) : cJSON_CreateNull();
}

static cJSON *value_to_json(const struct config_field *field, const void *member)
{
    switch (field->kind) {
    case CONFIG_BOOL:
        return cJSON_CreateBool(*(const bool *)member);
    case CONFIG_INT:
        return int_to_json(*(const int64_t *)member);
    case CONFIG_NUMBER:
        return number_to_json(*(const double *)member);
    case CONFIG_STRING:
        return string_to_json(*(const char *const *)member);
    case CONFIG_ENUM:
        return string_to_json(*(const int *)member < 0 ? NULL : field->names[*(const int *)member]);
    case CONFIG_OBJECT:
        return object_to_json(field, member);
    case CONFIG_LIST:
        return list_to_json(field, member);
    case CONFIG_VARIANT:
        return variant_to_json(field, member);
    }
    assert(false && "a kind that does not exist");
    return NULL;
}

/* ---- schema ---- */

static cJSON *value_schema(cJSON *defs, const struct config_field *field);

static void add_text(cJSON *object, const char *name, const char *text)
{
    if (text)
        add_member(object, name, cJSON_CreateString(text));
}

static cJSON *schema_of(const char *json_type)
{
    cJSON *schema = must(cJSON_CreateObject());
    add_text(schema, "type", json_type);
    return schema;
}

/* Adds {"type": "object", ...} with the type's fields; selector and choice (or NULL, NULL) name the
 * member that must be there with exactly that value. */
static void describe_object(cJSON *defs, cJSON *schema, const struct config_type *type,
                            const char *selector, const char *choice)
{
    cJSON *properties = must(cJSON_CreateObject());
    cJSON *required = must(cJSON_CreateArray());
    add_text(schema, "type", "object");
    add_member(schema, "properties", properties);
    add_member(schema, "required", required);
    add_member(schema, "additionalProperties", cJSON_CreateFalse());
    if (selector) {
        cJSON *constant = must(cJSON_CreateObject());
        add_text(constant, "const", choice);
        add_member(properties, selector, constant);
        add_item(required, cJSON_CreateString(selector));
    }
    for (const struct config_field *field = type ? type->fields : NULL; field && field->name;
         field++) {
        add_member(properties, field->name, value_schema(defs, field));
        if (is_required(field))
            add_item(required, cJSON_CreateString(field->name));
    }
}

static cJSON *reference(const char *name)
{
    char pointer[POINTER_SIZE];
    json_pointer_key(pointer, sizeof pointer, "#/$defs", name);
    cJSON *schema = must(cJSON_CreateObject());
    add_text(schema, "$ref", pointer);
    return schema;
}

/* A reference to the definition of that name, which is added when it is not there yet. It is added
 * before it is filled, so types may contain themselves. */
static cJSON *define(cJSON *defs, const char *name, const char *doc, const struct config_type *type,
                     const char *selector, const char *choice)
{
    if (!json_member(defs, name)) {
        cJSON *definition = must(cJSON_CreateObject());
        add_member(defs, name, definition);
        add_text(definition, "description", doc);
        describe_object(defs, definition, type, selector, choice);
    }
    return reference(name);
}

static cJSON *object_schema(cJSON *defs, const struct config_type *type)
{
    return define(defs, type->name, type->doc, type, NULL, NULL);
}

/* Variants get definitions of their own: beside the fields of their type they hold the selector. */
static cJSON *variant_schema(cJSON *defs, const struct config_field *field)
{
    cJSON *choices = must(cJSON_CreateArray());
    cJSON *bare = must(cJSON_CreateArray());
    for (const struct config_variant_type *variant = field->variants; variant->name; variant++) {
        char name[128];
        snprintf(name, sizeof name, "%s.%s.%s", variant->type ? variant->type->name : "none",
                 field->selector, variant->name);
        add_item(choices,
                 define(defs, name, variant->doc, variant->type, field->selector, variant->name));
        if (!has_required(variant->type))
            add_item(bare, cJSON_CreateString(variant->name));
    }
    if (cJSON_GetArraySize(bare) > 0) {
        cJSON *by_name = must(cJSON_CreateObject());
        add_member(by_name, "enum", bare);
        add_item(choices, by_name);
    } else {
        cJSON_Delete(bare);
    }
    cJSON *schema = must(cJSON_CreateObject());
    add_member(schema, "oneOf", choices);
    return schema;
}

static cJSON *number_schema(const struct config_field *field)
{
    cJSON *schema = schema_of(field->kind == CONFIG_INT ? "integer" : "number");
    if (has_lower_bound(field))
        add_member(schema, field->above_min ? "exclusiveMinimum" : "minimum",
                   cJSON_CreateNumber(field->min));
    if (has_upper_bound(field))
        add_member(schema, "maximum", cJSON_CreateNumber(field->max));
    return schema;
}

static cJSON *list_schema(cJSON *defs, const struct config_field *field)
{
    cJSON *schema = schema_of("array");
    add_member(schema, "items", value_schema(defs, field->element));
    if (field->min > 0)
        add_member(schema, "minItems", cJSON_CreateNumber(field->min));
    if (field->max > 0 && field->max <= DBL_MAX)
        add_member(schema, "maxItems", cJSON_CreateNumber(field->max));
    return schema;
}

static cJSON *enum_schema(const struct config_field *field)
{
    cJSON *schema = must(cJSON_CreateObject());
    add_member(schema, "enum",
               cJSON_CreateStringArray(field->names, (int)count_names(field->names)));
    return schema;
}

static cJSON *kind_schema(cJSON *defs, const struct config_field *field)
{
    switch (field->kind) {
    case CONFIG_BOOL:
        return schema_of("boolean");
    case CONFIG_INT:
    case CONFIG_NUMBER:
        return number_schema(field);
    case CONFIG_STRING:
        return schema_of("string");
    case CONFIG_ENUM:
        return enum_schema(field);
    case CONFIG_OBJECT:
        return object_schema(defs, field->object);
    case CONFIG_LIST:
        return list_schema(defs, field);
    case CONFIG_VARIANT:
        return variant_schema(defs, field);
    }
    assert(false && "a kind that does not exist");
    return NULL;
}

static cJSON *value_schema(cJSON *defs, const struct config_field *field)
{
    cJSON *schema = kind_schema(defs, field);
    if (field->optional) {
        cJSON *choices = must(cJSON_CreateArray());
        add_item(choices, schema);
        add_item(choices, schema_of("null"));
        schema = must(cJSON_CreateObject());
        add_member(schema, "anyOf", choices);
    }
    add_text(schema, "description", field->doc);
    if (field->preset)
        add_member(schema, "default", cJSON_Parse(field->preset));
    else if (field->optional)
        add_member(schema, "default", cJSON_CreateNull());
    return schema;
}

cJSON *config_schema(const struct config_type *type, const char *title)
{
    cJSON *schema = must(cJSON_CreateObject());
    cJSON *defs = must(cJSON_CreateObject());
    add_text(schema, "$schema", "https://json-schema.org/draft/2020-12/schema");
    add_text(schema, "title", title);
    cJSON *root = object_schema(defs, type);
    add_text(schema, "$ref", json_member(root, "$ref")->valuestring);
    cJSON_Delete(root);
    add_member(schema, "$defs", defs);
    return schema;
}
