#include "models/hardware/mig.h"

#include <math.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define AT(member) offsetof(struct mig_profile, member)

static const struct config_field profile_fields[] = {
    {.name = "gpu", .kind = CONFIG_STRING, .offset = AT(gpu), .doc = "name of the GPU"},
    {.name = "profile", .kind = CONFIG_STRING, .offset = AT(profile), .doc = "\"1g.10gb\""},
    {.name = "compute",
     .kind = CONFIG_NUMBER,
     .offset = AT(compute),
     .min = 0,
     .above_min = true,
     .max = 1,
     .doc = "share of the SMs"},
    {.name = "memory",
     .kind = CONFIG_NUMBER,
     .offset = AT(memory),
     .min = 0,
     .above_min = true,
     .max = 1,
     .doc = "share of memory and bandwidth"},
    {.name = "max_instances",
     .kind = CONFIG_INT,
     .offset = AT(max_instances),
     .min = 1,
     .max = 100,
     .doc = "on one GPU"},
    {0}};
static const struct config_type profile_type = {"mig_profile", "a way of cutting a GPU",
                                                sizeof(struct mig_profile), profile_fields};
static const struct config_field profile_element = {.kind = CONFIG_OBJECT, .object = &profile_type};

struct mig_file {
    struct config_list profiles;
    const char *source;
};

static const struct config_field file_fields[] = {{.name = "profiles",
                                                   .kind = CONFIG_LIST,
                                                   .offset = offsetof(struct mig_file, profiles),
                                                   .element = &profile_element,
                                                   .max = 1000,
                                                   .doc = "MIG profiles"},
                                                  {.name = "source",
                                                   .kind = CONFIG_STRING,
                                                   .offset = offsetof(struct mig_file, source),
                                                   .doc = "where these numbers come from"},
                                                  {0}};
static const struct config_type file_type = {"mig", "MIG profiles", sizeof(struct mig_file),
                                             file_fields};

bool mig_read(struct hardware *hardware, const char *folder, struct arena *arena,
              struct error *error)
{
    const char *path = arena_printf(arena, "%s/mig.json", folder);
    if (access(path, F_OK) != 0)
        return true;
    struct json_document *document = json_read_file(path, error);
    if (!document)
        return false;
    struct mig_file file;
    bool read = config_read(&file_type, document, json_root(document), "", arena, &file, error);
    if (read) {
        hardware->profiles = file.profiles.items;
        hardware->profile_count = file.profiles.count;
    }
    json_free(document);
    return read;
}

/* What a slice has of its GPU. A GPU is paid for and heated by the share that the slice keeps from
 * others: of compute or of memory, whichever is more. */
static struct gpu slice_of(const struct gpu *gpu, const struct mig_profile *profile,
                           struct arena *arena)
{
    double sevenths = (double)strtol(profile->profile, NULL, 10) / 7; /* "4g.40gb" */
    struct gpu slice = *gpu;
    slice.name = arena_printf(arena, "%s/%s", gpu->name, profile->profile);
    slice.doc = arena_printf(arena, "MIG slice of %s, at most %lld on one", gpu->name,
                             (long long)profile->max_instances);
    slice.sliced_from = gpu->name;
    slice.slice_share = fmin(1, fmax(sevenths, profile->memory));
    slice.memory_gib *= profile->memory;
    slice.bandwidth_gb_s *= profile->memory;
    slice.bf16_tflops *= profile->compute;
    slice.fp8_tflops *= profile->compute;
    slice.int8_tops *= profile->compute;
    slice.fp4_tflops *= profile->compute;
    slice.tdp_w *= slice.slice_share;
    slice.idle_w *= slice.slice_share;
    slice.pcie_gb_s *= profile->memory; /* they share the one link */
    slice.gpus_per_node = 1;
    return slice;
}

void mig_make_slices(struct hardware *hardware, struct arena *arena)
{
    hardware->slices = ARENA_ARRAY(arena, hardware->profile_count, struct gpu);
    hardware->slice_count = 0;
    for (size_t i = 0; i < hardware->profile_count; i++)
        for (size_t g = 0; g < hardware->gpu_count; g++)
            if (strcasecmp(hardware->gpus[g].name, hardware->profiles[i].gpu) == 0)
                hardware->slices[hardware->slice_count++] =
                    slice_of(&hardware->gpus[g], &hardware->profiles[i], arena);
}
