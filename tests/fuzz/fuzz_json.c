/* Any bytes are either refused with an error or a document, and then: every place in it has a line,
 * what the writer prints of it reads back as the same tree. The same bytes as an assignment (--set)
 * are either refused with an error, or leave a tree that can be written. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "sim/json.h"
#include "sim/json_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const struct json_document *document, const cJSON *node,
                        const char *pointer)
{
    char place[256];
    size_t index = 0;
    if (strlen(pointer) > 200)
        return;
    assert(json_line(document, pointer) > 0);
    const cJSON *child;
    cJSON_ArrayForEach(child, node)
    {
        if (child->string)
            json_pointer_key(place, sizeof place, pointer, child->string);
        else
            json_pointer_index(place, sizeof place, pointer, index++);
        if (index < 8)
            check_lines(document, child, place);
    }
}

/* Written text is compared, as cJSON_Compare takes time exponential in the nesting. */
static void check_written(const cJSON *root)
{
    struct json_writer *first = json_writer_create(), *second = json_writer_create();
    json_put_tree(first, NULL, root);
    size_t length;
    const char *text = json_writer_text(first, &length);
    struct json_document *again = json_read_text("again", text, length, NULL);
    assert(again);
    json_put_tree(second, NULL, json_root(again));
    assert(strcmp(text, json_writer_text(second, NULL)) == 0);
    json_free(again);
    json_writer_destroy(first);
    json_writer_destroy(second);
}

static void check_set(struct json_document *document, const uint8_t *data, size_t size)
{
    char assignment[256];
    if (size >= sizeof assignment)
        return;
    memcpy(assignment, data, size);
    assignment[size] = '\0';
    struct error error = {0};
    assert(json_set(document, assignment, &error) == (error.code == ERROR_NONE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct json_document *document = json_read_text("fuzz", (const char *)data, size, &error);
    assert((document == NULL) == (error.code != ERROR_NONE));
    if (document) {
        check_written(json_root(document));
        if (size < 4096)
            check_lines(document, json_root(document), "");
    } else {
        assert(error.code == ERROR_BAD_INPUT && error.line > 0 && error.message[0]);
    }
    struct json_document *target = json_read_text("target", "{\"a\":[{\"b\":1}]}", 15, NULL);
    check_set(target, data, size);
    check_written(json_root(target));
    json_free(target);
    json_free(document);
    return 0;
}
