/* Any bytes are refused with an error, or read into a struct whose values, written back and read
 * again, are the same. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "sim/json_writer.h"
#include "tests/sim/every_kind.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct json_writer *write_resolved(const struct every_kind *value)
{
    struct json_writer *writer = json_writer_create();
    cJSON *tree = config_to_json(&every_kind_type, value);
    json_put_tree(writer, NULL, tree);
    cJSON_Delete(tree);
    return writer;
}

static void check_round_trip(const struct every_kind *value, struct arena *arena)
{
    struct json_writer *first = write_resolved(value);
    size_t length;
    const char *text = json_writer_text(first, &length);
    struct json_document *document = json_read_text("again", text, length, NULL);
    struct every_kind again;
    assert(document);
    assert(config_read(&every_kind_type, document, json_root(document), "", arena, &again, NULL));
    struct json_writer *second = write_resolved(&again);
    assert(strcmp(text, json_writer_text(second, NULL)) == 0);
    json_writer_destroy(second);
    json_free(document);
    json_writer_destroy(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct json_document *document = json_read_text("fuzz", (const char *)data, size, &error);
    if (!document)
        return 0;
    struct arena *arena = arena_create();
    struct every_kind value;
    bool ok =
        config_read(&every_kind_type, document, json_root(document), "", arena, &value, &error);
    assert(ok == (error.code == ERROR_NONE));
    if (ok)
        check_round_trip(&value, arena);
    arena_destroy(arena);
    json_free(document);
    return 0;
}
