/* GPUs, and the instances that clouds rent them in: facts, with their source.
 *
 * Read from models/catalog/gpus.json and instances.json. A scenario may add or override entries
 * (hardware_extend). All rates are per GPU and for dense arithmetic. Everything is owned by the
 * arena given to hardware_read. Look-ups walk the lists: they are short, and done before a run. */
#ifndef TOKENYARD_MODELS_HARDWARE_HARDWARE_H
#define TOKENYARD_MODELS_HARDWARE_HARDWARE_H

#include <stddef.h>

#include "sim/config.h"

enum precision {
    PRECISION_BF16, /* any 16-bit float: FP16 where a GPU has no BF16 */
    PRECISION_FP8,  /* one scale per tensor or per channel */
    PRECISION_INT8,
    PRECISION_INT4, /* weight-only as a rule */
    PRECISION_FP4,  /* NVFP4: weights and activations */
    /* Of weights only, not of a KV cache: */
    PRECISION_FP8_BLOCK, /* a scale per 128 x 128 weights, as DeepSeek V3 is trained */
    PRECISION_MXFP4,     /* 4-bit weights with a scale per 32, activations in 16 bits (gpt-oss) */
    PRECISION_COUNT
};

/* "bf16", "fp8", ...; ends with NULL. The second list holds those of a KV cache: the first five. */
extern const char *const precision_names[];
extern const char *const kv_precision_names[];
double precision_bytes(enum precision precision); /* per element, scales not counted: 2, 1, ... */
/* Per weight as a checkpoint stores it, with the scales of its format: 0.5625 for NVFP4. */
double precision_weight_bytes(enum precision precision);

struct gpu {
    const char *name; /* "H100-SXM" */
    const char *doc;
    double memory_gib;     /* usable by processes, GiB */
    double bandwidth_gb_s; /* memory bandwidth, datasheet, 1e9 bytes/s */
    /* Dense peak rates, 1e12 operations/s; NaN where the GPU cannot. */
    double bf16_tflops, fp8_tflops, int8_tops, fp4_tflops;
    double link_gb_s;       /* to GPUs of the same node, one way per GPU, 1e9 bytes/s */
    double node_link_gb_s;  /* to other nodes, one way per GPU */
    double link_latency_us; /* of one small all-reduce or send within the node */
    double node_link_latency_us;
    int64_t gpus_per_node;
    int64_t nics_per_node; /* network cards that they share; INT64_MIN: one each */
    double pcie_gb_s;      /* to the host's memory, one way per GPU: PCIe, or NVLink-C2C */
    double tdp_w, idle_w;  /* NaN where not published */
    /* What fraction of the peak large kernels reach. The link's may pass 1: it is the all-reduce
     * rate by the ring formula, and switches that add up on the way beat the ring. */
    double gemm_efficiency, bandwidth_efficiency, link_efficiency;
    const char *known; /* "measured ceilings" or "datasheet only": how well the above is known */
    const char *source;
    const char *sliced_from; /* of a MIG slice: the whole GPU's name; NULL: it is whole (mig.h) */
    double slice_share;      /* what it is of that GPU, as prices go */
};

struct instance {
    const char *name;     /* "p5.48xlarge" */
    const char *provider; /* "AWS" */
    const char *region;
    const char *gpu; /* name of a struct gpu */
    int64_t gpus;
    double usd_per_hour; /* on demand */
    const char *as_of;   /* date of the price */
    const char *source;
    const char *known; /* confidence in the price */
};

struct mig_profile; /* models/hardware/mig.h */

struct hardware {
    struct gpu *gpus;
    size_t gpu_count;
    struct instance *instances;
    size_t instance_count;
    const struct mig_profile *profiles;
    size_t profile_count;
    struct gpu *slices; /* of these GPUs, by these profiles */
    size_t slice_count;
};

/* What gpus.json, instances.json and a scenario's "hardware" hold: {"gpus": [], "instances": []} */
struct hardware_entries {
    struct config_list gpus;      /* of struct gpu */
    struct config_list instances; /* of struct instance */
};

extern const struct config_type hardware_config_type; /* struct hardware_entries */

/* Reads <folder>/gpus.json, instances.json and mig.json; NULL on error. */
struct hardware *hardware_read(const char *folder, struct arena *arena, struct error *error);

/* base with entries added; an entry of the same name takes the place of base's. The entries were
 * read from the object at `pointer` in document, which errors name: two entries of one name, an
 * instance with an unknown GPU, a GPU that idles above its TDP. NULL on error. */
struct hardware *hardware_extend(const struct hardware *base,
                                 const struct hardware_entries *entries,
                                 const struct json_document *document, const char *pointer,
                                 struct arena *arena, struct error *error);

/* A GPU, or a MIG slice of one. NULL when unknown; names compare without case. *nearest (may be
 * NULL): a close name for a hint, or NULL. */
const struct gpu *hardware_gpu(const struct hardware *hardware, const char *name,
                               const char **nearest);
const struct instance *hardware_instance(const struct hardware *hardware, const char *name,
                                         const char **nearest);

/* Adds a hint to an error about an unknown name: `nearest` as the look-up found it, and the list of
 * `tokenyard list` that shows all ("gpus", "instances"). Returns false. */
bool hardware_hint(struct error *error, const char *nearest, const char *list);

/* Peak operations per second for a GEMM whose weights have this precision: the rate of that format,
 * or of BF16 where the GPU has none for it (weights are then only stored smaller). Operations/s. */
double gpu_peak_ops(const struct gpu *gpu, enum precision precision);

#endif
