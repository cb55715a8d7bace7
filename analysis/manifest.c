#include "analysis/manifest.h"

static void put_texts(struct json_writer *writer, const char *key, const char *const *texts,
                      size_t count)
{
    json_begin_list(writer, key);
    for (size_t i = 0; i < count; i++)
        json_put_string(writer, NULL, texts[i]);
    json_end_list(writer);
}

static void put_catalogue(struct json_writer *writer, const struct catalogue_note *notes,
                          size_t count)
{
    json_begin_list(writer, "catalogue");
    for (size_t i = 0; i < count; i++) {
        json_begin_object(writer, NULL);
        json_put_string(writer, "kind", notes[i].kind);
        json_put_string(writer, "name", notes[i].name);
        json_put_string(writer, "known", notes[i].known);
        json_put_string(writer, "source", notes[i].source);
        json_end_object(writer);
    }
    json_end_list(writer);
}

void manifest_put(struct json_writer *writer, const struct manifest *manifest)
{
    const struct simulation_spec *spec = manifest->summary->facts.spec;
    json_begin_object(writer, NULL);
    json_put_string(writer, "version", TOKENYARD_VERSION);
    put_texts(writer, "command", manifest->command, manifest->command_count);
    json_put_integer(writer, "seed", (int64_t)spec->seed);
    json_put_integer(writer, "replication", (int64_t)spec->replication);
    json_put_bool(writer, "stepwise", spec->stepwise);
    json_put_bool(writer, "interrupted", manifest->summary->interrupted);
    json_put_tree(writer, "scenario", manifest->scenario);
    put_catalogue(writer, manifest->notes, manifest->note_count);
    put_texts(writer, "files", manifest->files, manifest->file_count);
    summary_put_simulator(writer, manifest->summary, manifest->figures);
    json_end_object(writer);
}
