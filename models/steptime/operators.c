#include "models/steptime/operators.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "models/steptime/operator_entry.h"
#include "models/steptime/relatives.h"

/* Above this size a framework's own all-reduce gives way to NCCL where that is faster (vLLM's
 * custom all-reduce is limited to 8 MiB on most GPUs: device_communicators/custom_all_reduce.py).
 */
#define NCCL_FROM_BYTES 0x1p23

/* A small memory-bound kernel, and the share of the bandwidth that larger ones reach;
 * aiconfigurator's system descriptions, which call both unofficial. */
#define SMALL_FLOOR_S         3e-6
#define SMALL_BANDWIDTH_SHARE 0.8

/* --- the curves in use --- */

struct attention_curve {
    double head_dim;
    bool narrow; /* a cache of 8 bits or less */
    enum precision arithmetic;
    const struct surface *surface;
};

struct collective_curve {
    enum kernel_kind kind;
    int64_t gpus;
    const struct surface *own, *nccl; /* either may be NULL */
};

struct curves {
    struct attention_curve *items;
    size_t count;
};

struct operators {
    const struct gpu *gpu;
    struct operator_scales scales; /* over those that the curves are of; 1 with own tables */
    const struct surface *gemm[PRECISION_COUNT];    /* NULL: the roofline alone */
    const struct surface *experts[PRECISION_COUNT]; /* the same */
    struct curves prefill, decode;
    struct collective_curve *collectives;
    size_t collective_count;
    const struct operators *rest; /* times what has no curve here; NULL: rooflines do */
    struct operators_quality quality;
};

/* Entries of a file, and the surfaces made of them so far. */
struct source {
    const struct operator_file *file;
    const struct surface **surfaces;
    const char *framework;
    struct arena *arena;
    bool exact; /* no format stands in for another */
};

static const struct operator_entry *entry_at(const struct source *source, size_t index)
{
    return (const struct operator_entry *)source->file->entries.items + index;
}

static const struct surface *surface_of(struct source *source, size_t index)
{
    if (index >= source->file->entries.count)
        return NULL;
    if (!source->surfaces[index])
        source->surfaces[index] = operator_entry_surface(entry_at(source, index), source->arena);
    return source->surfaces[index];
}

/* --- choosing entries --- */

/* What is looked for; the entry with the least cost is taken, and none where all are infinite. */
struct wanted {
    enum kernel_kind kind;
    enum precision precision; /* of weights */
    bool narrow_kv;           /* in attention */
    double head_dim;          /* in attention */
    int64_t gpus;             /* in collectives */
    const char *framework;
};

/* In whose stead a format's kernels are taken, from best to worst: the same arithmetic first. */
static double format_cost(enum precision wanted, enum precision offered)
{
    static const signed char cost[PRECISION_COUNT][PRECISION_COUNT] = {
        [PRECISION_BF16] = {[PRECISION_BF16] = 1},
        [PRECISION_FP8] = {[PRECISION_FP8] = 1, [PRECISION_FP8_BLOCK] = 2, [PRECISION_BF16] = 3},
        [PRECISION_FP8_BLOCK] =
            {[PRECISION_FP8_BLOCK] = 1, [PRECISION_FP8] = 2, [PRECISION_BF16] = 3},
        [PRECISION_INT8] = {[PRECISION_INT8] = 1, [PRECISION_FP8] = 2, [PRECISION_BF16] = 3},
        [PRECISION_INT4] = {[PRECISION_INT4] = 1, [PRECISION_MXFP4] = 2, [PRECISION_BF16] = 3},
        [PRECISION_FP4] = {[PRECISION_FP4] = 1,
                           [PRECISION_MXFP4] = 2,
                           [PRECISION_INT4] = 3,
                           [PRECISION_BF16] = 4},
        [PRECISION_MXFP4] = {[PRECISION_MXFP4] = 1, [PRECISION_INT4] = 2, [PRECISION_BF16] = 3},
    };
    return cost[wanted][offered] > 0 ? 1000.0 * (cost[wanted][offered] - 1) : (double)INFINITY;
}

static bool is_of_format(const struct operator_entry *entry, const struct wanted *wanted)
{
    switch (wanted->kind) {
    case KERNEL_GEMM:
    case KERNEL_EXPERTS:
        return entry->precision == (int)wanted->precision;
    case KERNEL_PREFILL_ATTENTION:
    case KERNEL_DECODE_ATTENTION:
        return (entry->kv != PRECISION_BF16) == wanted->narrow_kv;
    default:
        return true;
    }
}

static double attention_cost(const struct operator_entry *entry, const struct wanted *wanted)
{
    bool narrow = entry->kv != PRECISION_BF16, own = !strcmp(entry->framework, wanted->framework);
    double cost = narrow == wanted->narrow_kv ? 0 : 1000;
    cost += 100 * fabs(log((double)entry->head_dim / wanted->head_dim));
    /* TensorRT-LLM computes prefill attention in FP8 when the cache is FP8 (FP8 context FMHA). */
    if (entry->precision != PRECISION_BF16)
        cost += narrow && own ? -1 : 500;
    return cost;
}

static double collective_cost(const struct operator_entry *entry, const struct wanted *wanted)
{
    bool eager = strstr(entry->variant, "eager") != NULL;
    return entry->gpus == wanted->gpus ? 5 * eager : INFINITY;
}

static double cost_of(const struct operator_entry *entry, const struct wanted *wanted)
{
    if (entry->kind != (int)wanted->kind)
        return INFINITY;
    bool own = strcmp(entry->framework, wanted->framework) == 0;
    double cost = own ? 0 : 10;
    switch (wanted->kind) {
    case KERNEL_GEMM:
        return cost + format_cost(wanted->precision, (enum precision)entry->precision);
    case KERNEL_EXPERTS:
        /* Engines compute MXFP4 experts in MXFP8 where the GPU can: TensorRT-LLM by itself, vLLM
         * with VLLM_USE_FLASHINFER_MOE_MXFP4_MXFP8, which its recipe for gpt-oss sets. */
        if (strncmp(entry->variant, "w4a8", 4) == 0)
            cost -= 1;
        return cost + format_cost(wanted->precision, (enum precision)entry->precision);
    case KERNEL_PREFILL_ATTENTION:
    case KERNEL_DECODE_ATTENTION:
        return cost + attention_cost(entry, wanted);
    default:
        return cost + collective_cost(entry, wanted);
    }
}

/* Index of the entry, or the count of entries. */
static size_t choose(const struct source *source, const struct wanted *wanted)
{
    size_t count = source->file->entries.count, best = count;
    double least = INFINITY;
    for (size_t i = 0; i < count; i++) {
        const struct operator_entry *entry = entry_at(source, i);
        double cost = cost_of(entry, wanted);
        if (cost < least && (!source->exact || is_of_format(entry, wanted))) {
            least = cost;
            best = i;
        }
    }
    return best;
}

static void choose_by_precision(struct source *source, enum kernel_kind kind,
                                const struct surface **surfaces)
{
    for (int p = 0; p < PRECISION_COUNT; p++) {
        const struct wanted wanted = {
            .kind = kind, .precision = (enum precision)p, .framework = source->framework};
        surfaces[p] = surface_of(source, choose(source, &wanted));
    }
}

static bool has_curve(const struct curves *curves, double head_dim)
{
    for (size_t i = 0; i < curves->count; i++)
        if (curves->items[i].head_dim == head_dim)
            return true;
    return false;
}

static void add_attention_curve(struct source *source, const struct wanted *wanted,
                                struct curves *curves)
{
    size_t index = choose(source, wanted);
    if (index == source->file->entries.count)
        return;
    curves->items[curves->count++] = (struct attention_curve){
        wanted->head_dim, wanted->narrow_kv, (enum precision)entry_at(source, index)->precision,
        surface_of(source, index)};
}

/* Curves of a 16-bit and of a narrower cache for each head size in the file. */
static struct curves choose_attention(struct source *source, enum kernel_kind kind)
{
    size_t count = source->file->entries.count;
    struct curves curves = {ARENA_ARRAY(source->arena, 2 * count + 1, struct attention_curve), 0};
    for (size_t i = 0; i < count; i++) {
        const struct operator_entry *entry = entry_at(source, i);
        if (entry->kind != (int)kind || has_curve(&curves, (double)entry->head_dim))
            continue;
        struct wanted wanted = {
            .kind = kind, .head_dim = (double)entry->head_dim, .framework = source->framework};
        add_attention_curve(source, &wanted, &curves);
        wanted.narrow_kv = true;
        add_attention_curve(source, &wanted, &curves);
    }
    return curves;
}

static bool has_collective(const struct operators *operators, enum kernel_kind kind, int64_t gpus)
{
    for (size_t i = 0; i < operators->collective_count; i++)
        if (operators->collectives[i].kind == kind && operators->collectives[i].gpus == gpus)
            return true;
    return false;
}

static void choose_collectives(struct operators *operators, struct source *source)
{
    size_t count = source->file->entries.count;
    operators->collectives = ARENA_ARRAY(source->arena, count + 1, struct collective_curve);
    for (size_t i = 0; i < count; i++) {
        const struct operator_entry *entry = entry_at(source, i);
        enum kernel_kind kind = (enum kernel_kind)entry->kind;
        if (entry->gpus == 0 || has_collective(operators, kind, entry->gpus))
            continue;
        struct wanted wanted = {.kind = kind, .gpus = entry->gpus, .framework = source->framework};
        size_t own = choose(source, &wanted);
        wanted.framework = "nccl";
        size_t nccl = choose(source, &wanted);
        operators->collectives[operators->collective_count++] = (struct collective_curve){
            kind, entry->gpus, surface_of(source, own), surface_of(source, nccl)};
    }
}

static struct source source_of(const struct operator_file *file, const char *framework,
                               struct arena *arena)
{
    /* SGLang's kernels are vLLM's or come from the same libraries. */
    const char *tables = strcmp(framework, "sglang") == 0 ? "vllm" : framework;
    return (struct source){.file = file,
                           .surfaces =
                               ARENA_ARRAY(arena, file->entries.count + 1, const struct surface *),
                           .framework = tables,
                           .arena = arena};
}

static void choose_kernels(struct operators *operators, struct source *source)
{
    choose_by_precision(source, KERNEL_GEMM, operators->gemm);
    choose_by_precision(source, KERNEL_EXPERTS, operators->experts);
    operators->prefill = choose_attention(source, KERNEL_PREFILL_ATTENTION);
    operators->decode = choose_attention(source, KERNEL_DECODE_ATTENTION);
}

/* --- making operators --- */

/* Mean of the entries' median errors, each counted by its points. */
static double typical_error(const struct operator_file *file)
{
    double sum = 0, points = 0;
    for (size_t i = 0; i < file->entries.count; i++) {
        const struct operator_entry *entry = (const struct operator_entry *)file->entries.items + i;
        sum += (double)entry->points * entry->median_error_percent / 100;
        points += (double)entry->points;
    }
    return points > 0 ? sum / points : NAN;
}

/* Of tables measured on this very GPU. */
static struct operators *own_operators(struct source *source, const struct gpu *gpu)
{
    struct operators *operators = ARENA_NEW(source->arena, struct operators);
    *operators = (struct operators){.gpu = gpu, .scales = {1, 1, 1}};
    choose_kernels(operators, source);
    choose_collectives(operators, source);
    return operators;
}

const struct operators *operators_from_file(const struct operator_file *file, const struct gpu *gpu,
                                            const char *framework, struct arena *arena)
{
    struct source source = source_of(file, framework, arena);
    struct operators *operators = own_operators(&source, gpu);
    double error = typical_error(file);
    operators->quality = (struct operators_quality){
        .basis = OPERATORS_OWN,
        .like = gpu->name,
        .known = arena_printf(arena, "calibrated: %zu curves of %s, typical error %.1f %%",
                              file->entries.count, gpu->name, 100 * error),
        .source = file->source,
        .typical_error = error};
    return operators;
}

const struct operators *operators_over(const struct operators *rest,
                                       const struct operator_file *file, const char *framework,
                                       struct arena *arena)
{
    struct source source = source_of(file, framework, arena);
    source.exact = true;
    struct operators *operators = own_operators(&source, rest->gpu);
    double error = typical_error(file);
    operators->rest = rest;
    operators->quality = (struct operators_quality){
        .basis = OPERATORS_USER,
        .rest = rest->quality.basis,
        .like = rest->quality.like,
        .known = arena_printf(arena, "own tables: %zu curves, typical error %.1f %%; else %s",
                              file->entries.count, 100 * error, rest->quality.known),
        .source = file->source,
        .typical_error = error};
    return operators;
}

static const struct operators *datasheet_operators(const struct gpu *gpu, struct arena *arena)
{
    struct operators *operators = ARENA_NEW(arena, struct operators);
    *operators = (struct operators){
        .gpu = gpu,
        .scales = {1 / gpu->bandwidth_efficiency, 1 / gpu->gemm_efficiency, 1},
        .quality = {.basis = OPERATORS_DATASHEET,
                    .known = "datasheet roofline, with the GPU's efficiencies: not calibrated",
                    .source = gpu->source,
                    .typical_error = NAN}};
    return operators;
}

static const struct operator_file *read_for(const char *catalog_folder, const char *gpu,
                                            struct arena *arena, struct error *error)
{
    return operator_file_read(arena_printf(arena, "%s/operators/%s.json", catalog_folder, gpu),
                              arena, error);
}

static const struct operators *relative_operators(const char *catalog_folder, const struct gpu *gpu,
                                                  const struct relative *relative,
                                                  const char *framework, struct arena *arena,
                                                  struct error *error)
{
    const char *links = relative->links_like ? relative->links_like : relative->like;
    const struct operator_file *kernels = read_for(catalog_folder, relative->like, arena, error);
    const struct operator_file *collectives = kernels && strcmp(links, relative->like) != 0
                                                  ? read_for(catalog_folder, links, arena, error)
                                                  : kernels;
    if (!kernels || !collectives)
        return NULL;
    struct operators *operators = ARENA_NEW(arena, struct operators);
    struct source source = source_of(kernels, framework, arena);
    *operators = (struct operators){
        .gpu = gpu,
        .scales = {relative->memory_scale, relative->compute_scale, relative->link_scale},
        .quality = {.basis = relative->assumed ? OPERATORS_ASSUMED : OPERATORS_RELATIVE,
                    .like = relative->like,
                    .known =
                        arena_printf(arena, "roofline as %s: %s", relative->like, relative->known),
                    .source = relative->source,
                    .typical_error = relative->typical_error}};
    choose_kernels(operators, &source);
    struct source links_source = source_of(collectives, framework, arena);
    choose_collectives(operators, &links_source);
    return operators;
}

/* A slice has its GPU's curves, which nobody measured on it. */
static const struct operators *own_file_operators(const struct operator_file *file,
                                                  const struct gpu *gpu, const char *framework,
                                                  struct arena *arena)
{
    const struct operators *operators = operators_from_file(file, gpu, framework, arena);
    if (!gpu->sliced_from)
        return operators;
    struct operators *slice = operators_copy(operators, arena);
    slice->quality.basis = OPERATORS_RELATIVE;
    slice->quality.like = gpu->sliced_from;
    return slice;
}

const struct operators *operators_read(const char *catalog_folder, const struct gpu *gpu,
                                       const char *framework, struct arena *arena,
                                       struct error *error)
{
    const char *name = gpu->sliced_from ? gpu->sliced_from : gpu->name;
    const char *own = arena_printf(arena, "%s/operators/%s.json", catalog_folder, name);
    if (!strchr(name, '/') && access(own, F_OK) == 0) {
        const struct operator_file *file = operator_file_read(own, arena, error);
        return file ? own_file_operators(file, gpu, framework, arena) : NULL;
    }
    struct relatives relatives;
    if (!relatives_read(catalog_folder, arena, &relatives, error))
        return NULL;
    const struct relative *relative = relatives_find(&relatives, name);
    return relative ? relative_operators(catalog_folder, gpu, relative, framework, arena, error)
                    : datasheet_operators(gpu, arena);
}

struct operators *operators_copy(const struct operators *operators, struct arena *arena)
{
    struct operators *copy = ARENA_NEW(arena, struct operators);
    *copy = *operators;
    return copy;
}

void operators_rescale(struct operators *operators, const struct operator_scales *scales)
{
    operators->scales = *scales;
}

struct operators_quality operators_quality(const struct operators *operators)
{
    return operators->quality;
}

/* --- times --- */

static double time_s(const struct operators *operators, const struct kernel *kernel,
                     const struct surface *surface)
{
    double roofline_s =
        kernel_roofline_s(kernel, operators->scales.memory, operators->scales.compute);
    return surface ? roofline_s * surface_ratio(surface, kernel->at) : roofline_s;
}

double operators_gemm_s(const struct operators *operators, enum precision weights, double rows,
                        double out, double in)
{
    if (operators->rest && !operators->gemm[weights])
        return operators_gemm_s(operators->rest, weights, rows, out, in);
    struct kernel kernel = kernel_gemm(operators->gpu, weights, rows, out, in);
    return time_s(operators, &kernel, operators->gemm[weights]);
}

/* The curve of the nearest head size; NULL when there is none for such a cache. */
static const struct attention_curve *find_curve(const struct curves *curves,
                                                const struct attention_shape *shape)
{
    const struct attention_curve *best = NULL;
    double least = INFINITY;
    for (size_t i = 0; i < curves->count; i++) {
        const struct attention_curve *curve = &curves->items[i];
        double distance = fabs(log(curve->head_dim / shape->head_dim));
        if (curve->narrow == (shape->kv != PRECISION_BF16) && distance < least) {
            least = distance;
            best = curve;
        }
    }
    return best;
}

double operators_prefill_attention_s(const struct operators *operators,
                                     const struct attention_shape *shape, double batch,
                                     double length)
{
    const struct attention_curve *curve = find_curve(&operators->prefill, shape);
    if (operators->rest && !curve)
        return operators_prefill_attention_s(operators->rest, shape, batch, length);
    struct kernel kernel = kernel_prefill_attention(
        operators->gpu, shape, curve ? curve->arithmetic : PRECISION_BF16, batch, length);
    return time_s(operators, &kernel, curve ? curve->surface : NULL);
}

double operators_decode_attention_s(const struct operators *operators,
                                    const struct attention_shape *shape, double batch,
                                    double context)
{
    const struct attention_curve *curve = find_curve(&operators->decode, shape);
    if (operators->rest && !curve)
        return operators_decode_attention_s(operators->rest, shape, batch, context);
    struct kernel kernel = kernel_decode_attention(operators->gpu, shape, batch, context);
    return time_s(operators, &kernel, curve ? curve->surface : NULL);
}

double operators_experts_s(const struct operators *operators, const struct expert_shape *shape,
                           double tokens)
{
    if (operators->rest && !operators->experts[shape->weights])
        return operators_experts_s(operators->rest, shape, tokens);
    struct kernel kernel = kernel_experts(operators->gpu, shape, tokens);
    return time_s(operators, &kernel, operators->experts[shape->weights]);
}

/* The curve measured on the fewest GPUs that are enough, or on the most there are. */
static const struct collective_curve *find_collective(const struct operators *operators,
                                                      enum kernel_kind kind, int64_t gpus)
{
    const struct collective_curve *best = NULL;
    for (size_t i = 0; i < operators->collective_count; i++) {
        const struct collective_curve *curve = &operators->collectives[i];
        if (curve->kind != kind)
            continue;
        bool enough = curve->gpus >= gpus;
        if (!best || (enough ? best->gpus < gpus || curve->gpus < best->gpus
                             : best->gpus < gpus && curve->gpus > best->gpus))
            best = curve;
    }
    return best;
}

/* Over nodes: the ring at the rate of the node's link. */
static double over_nodes_s(const struct gpu *gpu, const struct kernel *kernel)
{
    return 1e-6 * gpu->node_link_latency_us +
           kernel->bytes / (1e9 * gpu->node_link_gb_s * fmin(1, gpu->link_efficiency));
}

static double collective_s(const struct operators *operators, enum kernel_kind kind, int64_t gpus,
                           double bytes)
{
    const struct gpu *gpu = operators->gpu;
    if (gpus <= 1 || bytes <= 0)
        return 0;
    struct kernel kernel = kernel_collective(gpu, kind, gpus, bytes);
    if (gpus > gpu->gpus_per_node)
        return over_nodes_s(gpu, &kernel);
    const struct collective_curve *curve = find_collective(operators, kind, gpus);
    if (operators->rest && !curve)
        return collective_s(operators->rest, kind, gpus, bytes);
    if (!curve)
        return 1e-6 * gpu->link_latency_us +
               kernel.bytes / (kernel.bytes_per_s * gpu->link_efficiency);
    double roofline_s = kernel_roofline_s(&kernel, 1, 1);
    double own = surface_ratio(curve->own ? curve->own : curve->nccl, kernel.at);
    if (curve->nccl && bytes >= NCCL_FROM_BYTES)
        own = fmin(own, surface_ratio(curve->nccl, kernel.at));
    return roofline_s * own * operators->scales.link;
}

double operators_all_reduce_s(const struct operators *operators, int64_t gpus, double bytes)
{
    return collective_s(operators, KERNEL_ALL_REDUCE, gpus, bytes);
}

double operators_all_gather_s(const struct operators *operators, int64_t gpus, double bytes)
{
    return collective_s(operators, KERNEL_ALL_GATHER, gpus, bytes);
}

double operators_small_s(const struct operators *operators, double bytes)
{
    if (operators->rest) /* no table holds these */
        return operators_small_s(operators->rest, bytes);
    double bytes_per_s = 1e9 * operators->gpu->bandwidth_gb_s * SMALL_BANDWIDTH_SHARE;
    return fmax(SMALL_FLOOR_S, operators->scales.memory * bytes / bytes_per_s);
}

/* --- what is timed by the rest --- */

const char *const operator_need_names[] = {[NEED_GEMM] = "gemm",
                                           [NEED_HEAD_GEMM] = "gemm of the output layer (bf16)",
                                           [NEED_PREFILL_ATTENTION] = "prefill attention",
                                           [NEED_DECODE_ATTENTION] = "decode attention",
                                           [NEED_EXPERTS] = "experts",
                                           [NEED_ALL_REDUCE] = "all-reduce",
                                           [NEED_ALL_GATHER] = "all-gather"};

unsigned operators_lacking(const struct operators *operators, const struct operators_use *use)
{
    const struct attention_shape attention = {.head_dim = 1, .kv = use->kv};
    if (!operators->rest)
        return 0;
    const bool lacks[OPERATOR_NEEDS] = {
        [NEED_GEMM] = !operators->gemm[use->weights],
        [NEED_HEAD_GEMM] = operators->gemm[use->weights] && !operators->gemm[PRECISION_BF16],
        [NEED_PREFILL_ATTENTION] = !find_curve(&operators->prefill, &attention),
        [NEED_DECODE_ATTENTION] = !find_curve(&operators->decode, &attention),
        [NEED_EXPERTS] = use->experts && !operators->experts[use->expert_weights],
        [NEED_ALL_REDUCE] = use->collectives && !find_collective(operators, KERNEL_ALL_REDUCE, 2),
        [NEED_ALL_GATHER] = use->collectives && !find_collective(operators, KERNEL_ALL_GATHER, 2)};
    unsigned lacking = 0;
    for (int i = 0; i < OPERATOR_NEEDS; i++)
        lacking |= (unsigned)lacks[i] << i;
    return lacking;
}
