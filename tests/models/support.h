/* What tests of the models share: the shipped catalogue, read once per test. */
#ifndef TOKENYARD_TESTS_MODELS_SUPPORT_H
#define TOKENYARD_TESTS_MODELS_SUPPORT_H

#include <criterion/criterion.h>

#include "models/catalog_path.h"
#include "models/llm/llm.h"

static inline const struct hardware *shipped_hardware(struct arena *arena)
{
    struct error error = {0};
    const char *folder = catalog_path(arena, &error);
    const struct hardware *hardware = folder ? hardware_read(folder, arena, &error) : NULL;
    cr_assert(hardware, "%s:%ld %s: %s", error.file, error.line, error.json_path, error.message);
    return hardware;
}

static inline const struct gpu *shipped_gpu(struct arena *arena, const char *name)
{
    const struct gpu *gpu = hardware_gpu(shipped_hardware(arena), name, NULL);
    cr_assert(gpu, "no GPU %s", name);
    return gpu;
}

static inline const struct llm *shipped_llm(struct arena *arena, const char *name)
{
    struct error error = {0};
    const char *folder = catalog_path(arena, &error);
    const struct llm *llm = folder ? llm_read(folder, ".", name, arena, &error) : NULL;
    cr_assert(llm, "%s:%ld %s: %s", error.file, error.line, error.json_path, error.message);
    return llm;
}

#endif
