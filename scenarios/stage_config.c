#include "scenarios/stage_config.h"

#define STAGE(member) offsetof(struct scenario_stage, member)

static const struct config_field stage_fields[] = {
    {.name = "gpu",
     .kind = CONFIG_STRING,
     .offset = STAGE(gpu),
     .optional = true,
     .doc = "GPU type, from `tokenyard list gpus`; null: the instance's"},
    {.name = "instance",
     .kind = CONFIG_STRING,
     .offset = STAGE(instance),
     .optional = true,
     .doc = "rented machine, from `tokenyard list instances`; whole ones are paid for"},
    {.name = "tensor_parallel",
     .kind = CONFIG_INT,
     .offset = STAGE(tensor_parallel),
     .preset = "1",
     .min = 1,
     .max = 1024,
     .doc = "GPUs that share each layer of the stage"},
    {.name = "layers",
     .kind = CONFIG_INT,
     .offset = STAGE(layers),
     .min = 1,
     .max = 10000,
     .doc = "how many of the model's layers; those of all stages add up to the model's"},
    {.name = "link_gb_s",
     .kind = CONFIG_NUMBER,
     .offset = STAGE(link_gb_s),
     .optional = true,
     .min = 0,
     .above_min = true,
     .max = 1e6,
     .doc = "bandwidth to the next stage, 1e9 bytes/s; null: the nodes'"},
    {.name = "link_latency_us",
     .kind = CONFIG_NUMBER,
     .offset = STAGE(link_latency_us),
     .optional = true,
     .min = 0,
     .max = 1e7,
     .doc = "latency of a send to the next stage; null: the nodes'"},
    {0}};

static const struct config_type stage_type = {.name = "stage",
                                              .doc = "A pipeline stage of a replica",
                                              .size = sizeof(struct scenario_stage),
                                              .fields = stage_fields};

const struct config_field scenario_stage_element = {
    .name = "stage", .kind = CONFIG_OBJECT, .object = &stage_type, .doc = "a pipeline stage"};
