#include "models/hardware/hardware.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "models/hardware/mig.h"

const char *const precision_names[] = {"bf16", "fp8",       "int8",  "int4",
                                       "fp4",  "fp8_block", "mxfp4", NULL};
const char *const kv_precision_names[] = {"bf16", "fp8", "int8", "int4", "fp4", NULL};

_Static_assert(sizeof precision_names / sizeof *precision_names == PRECISION_COUNT + 1,
               "one name per precision");

double precision_bytes(enum precision precision)
{
    static const double bytes[PRECISION_COUNT] = {
        [PRECISION_BF16] = 2,   [PRECISION_FP8] = 1,   [PRECISION_INT8] = 1,
        [PRECISION_INT4] = 0.5, [PRECISION_FP4] = 0.5, [PRECISION_FP8_BLOCK] = 1,
        [PRECISION_MXFP4] = 0.5};
    return bytes[precision];
}

/* Scales: NVFP4 an FP8 one per 16 weights, MXFP4 an 8-bit exponent per 32 (OCP Microscaling 1.0),
 * int4 a 16-bit one per 128 (what AWQ and GPTQ checkpoints usually have), block FP8 a 32-bit one
 * per 128 x 128. Those per tensor or channel are too few to count. */
double precision_weight_bytes(enum precision precision)
{
    static const double scale_bytes[PRECISION_COUNT] = {[PRECISION_INT4] = 2.0 / 128,
                                                        [PRECISION_FP4] = 1.0 / 16,
                                                        [PRECISION_FP8_BLOCK] = 4.0 / (128 * 128),
                                                        [PRECISION_MXFP4] = 1.0 / 32};
    return precision_bytes(precision) + scale_bytes[precision];
}

double gpu_peak_ops(const struct gpu *gpu, enum precision precision)
{
    const double rates[PRECISION_COUNT] = {
        [PRECISION_BF16] = gpu->bf16_tflops,
        [PRECISION_FP8] = gpu->fp8_tflops,
        [PRECISION_INT8] = gpu->int8_tops,
        [PRECISION_INT4] = NAN,
        [PRECISION_FP4] = gpu->fp4_tflops,
        [PRECISION_FP8_BLOCK] = gpu->fp8_tflops,
        [PRECISION_MXFP4] = NAN, /* weight-only */
    };
    double rate = rates[precision];
    return 1e12 * (isnan(rate) ? gpu->bf16_tflops : rate);
}

/* --- field tables --- */

#define MEMBER(type, kind_, member, doc_, ...)                                                     \
    {                                                                                              \
        .name = #member, .kind = kind_, .offset = offsetof(type, member), .doc = doc_, __VA_ARGS__ \
    }
#define ABOVE_ZERO(limit) .min = 0, .max = (limit), .above_min = true

#define TEXT(type, member, doc, ...) MEMBER(type, CONFIG_STRING, member, doc, __VA_ARGS__)
#define NUMBER(member, doc, ...)     MEMBER(struct gpu, CONFIG_NUMBER, member, doc, __VA_ARGS__)

static const struct config_field gpu_fields[] = {
    TEXT(struct gpu, name, "name that scenarios use"),
    TEXT(struct gpu, doc, "what it is, in one line", .preset = "\"\""),
    NUMBER(memory_gib, "memory that processes can use, GiB", ABOVE_ZERO(1e5)),
    NUMBER(bandwidth_gb_s, "memory bandwidth, 1e9 bytes/s", ABOVE_ZERO(1e6)),
    NUMBER(bf16_tflops, "dense BF16 rate (FP16 where there is no BF16), 1e12 operations/s",
           ABOVE_ZERO(1e6)),
    NUMBER(fp8_tflops, "dense FP8 rate; null: none", ABOVE_ZERO(1e6), .optional = true),
    NUMBER(int8_tops, "dense INT8 rate; null: none", ABOVE_ZERO(1e6), .optional = true),
    NUMBER(fp4_tflops, "dense FP4 rate; null: none", ABOVE_ZERO(1e6), .optional = true),
    NUMBER(link_gb_s, "to GPUs of the same node, one way per GPU, 1e9 bytes/s", ABOVE_ZERO(1e5)),
    NUMBER(node_link_gb_s, "to other nodes, one way per GPU, 1e9 bytes/s", .preset = "12.5",
           ABOVE_ZERO(1e5)),
    NUMBER(link_latency_us, "of one small all-reduce within the node", .preset = "10", .max = 1e6),
    NUMBER(node_link_latency_us, "of one small all-reduce between nodes", .preset = "40",
           .max = 1e6),
    MEMBER(struct gpu, CONFIG_INT, gpus_per_node, "GPUs that the faster links join", .preset = "8",
           .min = 1, .max = 1024),
    MEMBER(struct gpu, CONFIG_INT, nics_per_node,
           "network cards that the GPUs of a node share; null: one each", .optional = true,
           .min = 1, .max = 1024),
    NUMBER(pcie_gb_s, "to the host's memory, one way per GPU, 1e9 bytes/s", .preset = "32",
           ABOVE_ZERO(1e5)),
    NUMBER(tdp_w, "electrical power at full load; null: not published", ABOVE_ZERO(1e5),
           .optional = true),
    NUMBER(idle_w, "electrical power when idle; null: not known", .max = 1e5, .optional = true),
    NUMBER(gemm_efficiency, "share of the peak rate that large GEMMs reach", .preset = "0.6",
           ABOVE_ZERO(1)),
    NUMBER(bandwidth_efficiency, "share of the memory bandwidth that kernels reach",
           .preset = "0.8", ABOVE_ZERO(1)),
    NUMBER(link_efficiency, "all-reduce rate by the ring formula over the link's", .preset = "0.7",
           ABOVE_ZERO(2)),
    TEXT(struct gpu, known, "how well these numbers are known", .preset = "\"not stated\""),
    TEXT(struct gpu, source, "where these numbers come from", .preset = "\"not stated\""),
    {0},
};
static const struct config_type gpu_type = {"gpu", "a GPU or other accelerator", sizeof(struct gpu),
                                            gpu_fields};

static const struct config_field instance_fields[] = {
    TEXT(struct instance, name, "name that scenarios use"),
    TEXT(struct instance, provider, "who rents it out", .preset = "\"\""),
    TEXT(struct instance, region, "where the price holds", .preset = "\"\""),
    TEXT(struct instance, gpu, "name of the GPU in it"),
    MEMBER(struct instance, CONFIG_INT, gpus, "how many of them", .preset = "1", .min = 1,
           .max = 1024),
    MEMBER(struct instance, CONFIG_NUMBER, usd_per_hour, "on-demand price of the whole instance",
           .max = 1e6),
    TEXT(struct instance, as_of, "date of the price", .preset = "\"\""),
    TEXT(struct instance, source, "where the price comes from", .preset = "\"not stated\""),
    TEXT(struct instance, known, "confidence in the price", .preset = "\"not stated\""),
    {0},
};
static const struct config_type instance_type = {"instance", "an instance that a cloud rents out",
                                                 sizeof(struct instance), instance_fields};

#define LIST_MAX 1000 /* entries; names are compared with one another */

static const struct config_field gpu_element = {.kind = CONFIG_OBJECT, .object = &gpu_type};
static const struct config_field instance_element = {.kind = CONFIG_OBJECT,
                                                     .object = &instance_type};

static const struct config_field hardware_fields[] = {
    MEMBER(struct hardware_entries, CONFIG_LIST, gpus, "GPUs, added to the catalogue's",
           .preset = "[]", .element = &gpu_element, .max = LIST_MAX),
    MEMBER(struct hardware_entries, CONFIG_LIST, instances, "instances, added to the catalogue's",
           .preset = "[]", .element = &instance_element, .max = LIST_MAX),
    {0},
};
const struct config_type hardware_config_type = {"hardware", "GPUs and instances",
                                                 sizeof(struct hardware_entries), hardware_fields};

/* --- look-up --- */

/* A list of GPUs or of instances: structs whose first member is their name. */
struct named_list {
    const void *items;
    size_t count, size;
};

_Static_assert(offsetof(struct gpu, name) == 0, "named_list");
_Static_assert(offsetof(struct instance, name) == 0, "named_list");

static const char *name_at(struct named_list list, size_t index)
{
    return *(const char *const *)((const char *)list.items + index * list.size);
}

/* Index of the entry, or list.count. */
static size_t find_name(struct named_list list, const char *name)
{
    size_t i = 0;
    while (i < list.count && strcasecmp(name_at(list, i), name) != 0)
        i++;
    return i;
}

static const char *nearest_name(struct named_list list, const char *name)
{
    const char *names[list.count + 1];
    for (size_t i = 0; i < list.count; i++)
        names[i] = name_at(list, i);
    return config_nearest(name, names, list.count);
}

static struct named_list gpu_list(const struct hardware *hardware)
{
    return (struct named_list){hardware->gpus, hardware->gpu_count, sizeof(struct gpu)};
}

static struct named_list slice_list(const struct hardware *hardware)
{
    return (struct named_list){hardware->slices, hardware->slice_count, sizeof(struct gpu)};
}

static struct named_list instance_list(const struct hardware *hardware)
{
    return (struct named_list){hardware->instances, hardware->instance_count,
                               sizeof(struct instance)};
}

const struct gpu *hardware_gpu(const struct hardware *hardware, const char *name,
                               const char **nearest)
{
    size_t index = find_name(gpu_list(hardware), name);
    if (index < hardware->gpu_count)
        return &hardware->gpus[index];
    index = find_name(slice_list(hardware), name);
    if (index < hardware->slice_count)
        return &hardware->slices[index];
    if (nearest)
        *nearest =
            nearest_name(strchr(name, '/') ? slice_list(hardware) : gpu_list(hardware), name);
    return NULL;
}

const struct instance *hardware_instance(const struct hardware *hardware, const char *name,
                                         const char **nearest)
{
    size_t index = find_name(instance_list(hardware), name);
    if (index < hardware->instance_count)
        return &hardware->instances[index];
    if (nearest)
        *nearest = nearest_name(instance_list(hardware), name);
    return NULL;
}

bool hardware_hint(struct error *error, const char *nearest, const char *list)
{
    if (nearest)
        error_hint(error, "did you mean \"%s\"? `tokenyard list %s` shows all", nearest, list);
    return error_hint(error, "`tokenyard list %s` shows all", list);
}

/* --- putting lists together --- */

/* Where a list of entries was read: document, pointer to the object that holds it, its key. */
struct list_place {
    const struct json_document *document;
    const char *pointer;
    const char *key;
};

/* Says what is wrong with member `key` of an entry. Returns false. */
static bool entry_error(const struct list_place *place, size_t index, const char *key,
                        struct error *error, const char *name, const char *what)
{
    char list[256], entry[256];
    json_pointer_key(list, sizeof list, place->pointer, place->key);
    json_pointer_index(entry, sizeof entry, list, index);
    return json_member_error(place->document, entry, key, error, "\"%s\" %s", name, what);
}

static bool check_listed_once(struct named_list list, const struct list_place *place,
                              struct error *error)
{
    for (size_t i = 0; i < list.count; i++)
        if (find_name(list, name_at(list, i)) < i)
            return entry_error(place, i, "name", error, name_at(list, i), "is listed twice");
    return true;
}

static bool add_gpus(struct hardware *hardware, const struct config_list *list,
                     const struct list_place *place, struct error *error)
{
    const struct gpu *added = list->items;
    if (!check_listed_once((struct named_list){added, list->count, sizeof *added}, place, error))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        if (added[i].idle_w > added[i].tdp_w)
            return entry_error(place, i, "idle_w", error, added[i].name,
                               "takes more power idle than at full load (tdp_w)");
        size_t at = find_name(gpu_list(hardware), added[i].name);
        hardware->gpus[at] = added[i];
        hardware->gpu_count += at == hardware->gpu_count;
    }
    return true;
}

static bool check_gpu_known(const struct hardware *hardware, const struct instance *instance,
                            size_t index, const struct list_place *place, struct error *error)
{
    const char *nearest = NULL;
    if (hardware_gpu(hardware, instance->gpu, &nearest))
        return true;
    entry_error(place, index, "gpu", error, instance->gpu, "is not a GPU of the catalogue");
    if (nearest)
        return error_hint(error, "did you mean \"%s\"?", nearest);
    return error_hint(error, "`tokenyard list gpus` shows them; \"gpus\" beside \"instances\" "
                             "adds one");
}

static bool add_instances(struct hardware *hardware, const struct config_list *list,
                          const struct list_place *place, struct error *error)
{
    const struct instance *added = list->items;
    if (!check_listed_once((struct named_list){added, list->count, sizeof *added}, place, error))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        if (!check_gpu_known(hardware, &added[i], i, place, error))
            return false;
        size_t at = find_name(instance_list(hardware), added[i].name);
        hardware->instances[at] = added[i];
        hardware->instance_count += at == hardware->instance_count;
    }
    return true;
}

static void *copy_with_room(struct arena *arena, const void *items, size_t count, size_t room,
                            size_t size)
{
    void *copy = arena_alloc(arena, count + room, size);
    if (count > 0)
        memcpy(copy, items, count * size);
    return copy;
}

struct hardware *hardware_extend(const struct hardware *base,
                                 const struct hardware_entries *entries,
                                 const struct json_document *document, const char *pointer,
                                 struct arena *arena, struct error *error)
{
    struct hardware *all = ARENA_NEW(arena, struct hardware);
    *all = *base;
    all->gpus =
        copy_with_room(arena, base->gpus, base->gpu_count, entries->gpus.count, sizeof *all->gpus);
    all->instances = copy_with_room(arena, base->instances, base->instance_count,
                                    entries->instances.count, sizeof *all->instances);
    struct list_place gpus = {document, pointer, "gpus"};
    struct list_place instances = {document, pointer, "instances"};
    if (!add_gpus(all, &entries->gpus, &gpus, error) ||
        !add_instances(all, &entries->instances, &instances, error))
        return NULL;
    mig_make_slices(all, arena);
    return all;
}

static struct hardware *extend_by_file(const struct hardware *base, const char *folder,
                                       const char *file, struct arena *arena, struct error *error)
{
    const char *path = arena_printf(arena, "%s/%s", folder, file);
    struct json_document *document = json_read_file(path, error);
    if (!document)
        return NULL;
    struct hardware_entries entries;
    struct hardware *all = NULL;
    if (config_read(&hardware_config_type, document, json_root(document), "", arena, &entries,
                    error))
        all = hardware_extend(base, &entries, document, "", arena, error);
    json_free(document);
    return all;
}

struct hardware *hardware_read(const char *folder, struct arena *arena, struct error *error)
{
    struct hardware none = {0};
    if (!mig_read(&none, folder, arena, error))
        return NULL;
    struct hardware *gpus = extend_by_file(&none, folder, "gpus.json", arena, error);
    return gpus ? extend_by_file(gpus, folder, "instances.json", arena, error) : NULL;
}
