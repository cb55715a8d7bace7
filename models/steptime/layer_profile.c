/* A layer is the sum of its kinds, each interpolated over the batch's tokens; attention comes from
 * three cuts through the four-dimensional table of attention.csv:
 *
 *   decodes alone   T(0, 0, n, context)
 *   prompts alone   T(chunk, cached, 0, 0)
 *   decodes beside a prompt   T(c, 0, n, context) - T(c, 0, 0, 0), at one chunk size c
 *
 * The third is no luxury. A batch that only decodes lets the query heads that share a key head
 * share the reading of it, too; FlashAttention-2 does so for batches of single tokens only
 * (mha_varlen_fwd, seqlenq_ngroups_swapped). Beside a prompt the same decodes take 1.5 to 3 times
 * as long, which at 128 sequences is a tenth of the iteration. How large the prompt's chunk is
 * hardly matters to them. */
#include "models/steptime/layer_profile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/steptime/measured_grid.h"
#include "sim/config.h"
#include "workloads/csv_rows.h"

#define TIME_MIN_US  1e-3 /* zeros are gaps in a measurement, and iterations must take time */
#define TIME_MAX_US  1e9
#define COUNT_MAX    1e9
#define MIXED_CHUNK  512 /* where decodes beside a prompt are looked up, or the nearest measured */
#define KINDS(table) (sizeof(table) / sizeof *(table))

/* Kinds of dense.csv, and how often they come. LLMServingSim's names (profiler/models/ *.yaml). */
static const struct kind {
    const char *name;
    double per_layer, per_model;
    enum { ALWAYS, DENSE_ONLY, IF_MEASURED } need;
} dense_kinds[] = {
    {"layernorm", 2, 0, ALWAYS},
    {"qkv_proj", 1, 0, ALWAYS},
    {"o_proj", 1, 0, ALWAYS},
    {"gate_up_proj", 1, 0, DENSE_ONLY},
    {"down_proj", 1, 0, DENSE_ONLY},
    {"act_fn", 1, 0, IF_MEASURED},
    {"rotary_emb", 1, 0, IF_MEASURED},
    {"qk_norm", 1, 0, IF_MEASURED},
    {"all_reduce", 2, 0, IF_MEASURED},
    {"embedding", 0, 1, IF_MEASURED},
    {"final_layernorm", 0, 1, IF_MEASURED},
};

static const struct kind head_kinds[] = {
    {"lm_head", 0, 1, ALWAYS},
    {"sampler", 0, 1, IF_MEASURED},
};

enum { DENSE_KINDS = KINDS(dense_kinds), HEAD_KINDS = KINDS(head_kinds) };

struct layer_profile {
    const char *folder;
    struct measured_grid dense[DENSE_KINDS]; /* curves over tokens */
    struct measured_grid head[HEAD_KINDS];   /* curves over sequences */
    struct measured_grid experts;            /* tokens x activated experts; may be empty */
    struct measured_grid decode;             /* decodes x context */
    struct measured_grid mixed_decode;       /* likewise, beside a prompt; may be empty */
    struct measured_grid prefill;            /* chunk x cached tokens */
};

/* --- reading: files by kind --- */

struct kind_row {
    const char *kind;
    double count, time_us;
    long line;
};

bool layer_profile_has(const char *name)
{
    static const char *const files[] = {"dense.csv", "per_sequence.csv", "attention.csv",
                                        "moe.csv"};
    for (size_t i = 0; i < KINDS(files); i++)
        if (strcmp(name, files[i]) == 0)
            return true;
    return false;
}

struct profile_file {
    char path[4096];
    struct arena *arena;
};

static struct profile_file file_in(const char *folder, const char *name, struct arena *arena)
{
    struct profile_file file = {.arena = arena};
    snprintf(file.path, sizeof file.path, "%s/%s", folder, name);
    return file;
}

static bool check_kinds(const struct csv_rows *rows, const struct kind *kinds, size_t count,
                        const char *path, struct error *error)
{
    const char *names[DENSE_KINDS];
    for (size_t k = 0; k < count; k++)
        names[k] = kinds[k].name;
    for (size_t i = 0; i < rows->count; i++) {
        const struct kind_row *row = (const struct kind_row *)rows->items + i;
        size_t k = 0;
        while (k < count && strcmp(kinds[k].name, row->kind) != 0)
            k++;
        if (k == count) {
            error_at(error, ERROR_BAD_INPUT, path, row->line, NULL, "unknown layer \"%s\"",
                     row->kind);
            config_hint_names(error, row->kind, names, count);
            return false;
        }
    }
    return true;
}

/* The rows of one kind as a curve; empty when there are none. */
static bool build_curve(const struct csv_rows *rows, const char *kind, struct measured_grid *curve,
                        const struct profile_file *file, struct error *error)
{
    struct measured_time *times = ARENA_ARRAY(file->arena, rows->count, struct measured_time);
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const struct kind_row *row = (const struct kind_row *)rows->items + i;
        if (strcmp(row->kind, kind) == 0)
            times[count++] = (struct measured_time){0, row->count, row->time_us * 1e-6, row->line};
    }
    return measured_grid_build(curve, times, count, file->path, file->arena, error);
}

/* dense.csv or per_sequence.csv; counted: the column of counts. */
static bool read_kinds(const struct profile_file *file, const char *counted,
                       const struct kind *kinds, size_t kind_count, struct measured_grid *curves,
                       struct error *error)
{
    const struct csv_field fields[] = {
        {"layer", CSV_TEXT, offsetof(struct kind_row, kind), false, 0, 0},
        {counted, CSV_NUMBER, offsetof(struct kind_row, count), false, 1, COUNT_MAX},
        {"time_us", CSV_NUMBER, offsetof(struct kind_row, time_us), false, TIME_MIN_US,
         TIME_MAX_US},
        {0}};
    const struct csv_row_type type = {sizeof(struct kind_row), offsetof(struct kind_row, line),
                                      fields};
    struct csv_rows rows;
    if (!csv_rows_read(file->path, &type, file->arena, &rows, error) ||
        !check_kinds(&rows, kinds, kind_count, file->path, error))
        return false;
    for (size_t k = 0; k < kind_count; k++) {
        if (!build_curve(&rows, kinds[k].name, &curves[k], file, error))
            return false;
        if (kinds[k].need == ALWAYS && curves[k].count == 0)
            return error_at(error, ERROR_BAD_INPUT, file->path, 0, NULL, "has no rows of \"%s\"",
                            kinds[k].name);
    }
    return true;
}

/* --- reading: experts --- */

static bool read_experts(const struct profile_file *file, struct layer_profile *profile,
                         struct error *error)
{
    static const struct csv_field fields[] = {
        {"tokens", CSV_NUMBER, offsetof(struct measured_time, x), false, 1, COUNT_MAX},
        {"activated_experts", CSV_NUMBER, offsetof(struct measured_time, y), false, 1, COUNT_MAX},
        {"time_us", CSV_NUMBER, offsetof(struct measured_time, time_s), false, TIME_MIN_US,
         TIME_MAX_US},
        {0}};
    static const struct csv_row_type type = {sizeof(struct measured_time),
                                             offsetof(struct measured_time, line), fields};
    struct csv_rows rows;
    if (!csv_rows_read(file->path, &type, file->arena, &rows, error))
        return false;
    struct measured_time *times = rows.items;
    for (size_t i = 0; i < rows.count; i++)
        times[i].time_s *= 1e-6;
    return measured_grid_build(&profile->experts, times, rows.count, file->path, file->arena,
                               error);
}

static bool exists(const struct profile_file *file)
{
    FILE *stream = fopen(file->path, "r");
    if (stream)
        fclose(stream);
    return stream != NULL;
}

static bool read_ffn(const char *folder, struct layer_profile *profile, struct arena *arena,
                     struct error *error)
{
    struct profile_file file = file_in(folder, "moe.csv", arena);
    if (exists(&file))
        return read_experts(&file, profile, error);
    for (size_t k = 0; k < DENSE_KINDS; k++)
        if (dense_kinds[k].need == DENSE_ONLY && profile->dense[k].count == 0) {
            error_at(error, ERROR_BAD_INPUT, folder, 0, NULL,
                     "dense.csv has no rows of \"%s\", and there is no moe.csv",
                     dense_kinds[k].name);
            return error_hint(error, "a layer has either a dense FFN or experts");
        }
    return true;
}

/* --- reading: attention --- */

struct attention_row {
    int64_t chunk, cached, decodes, context;
    double time_us;
    long line;
};

static const struct csv_field attention_fields[] = {
    {"prefill_chunk", CSV_COUNT, offsetof(struct attention_row, chunk), false, 0, COUNT_MAX},
    {"kv_prefill", CSV_COUNT, offsetof(struct attention_row, cached), false, 0, COUNT_MAX},
    {"n_decode", CSV_COUNT, offsetof(struct attention_row, decodes), false, 0, COUNT_MAX},
    {"kv_decode", CSV_COUNT, offsetof(struct attention_row, context), false, 0, COUNT_MAX},
    {"time_us", CSV_NUMBER, offsetof(struct attention_row, time_us), false, TIME_MIN_US,
     TIME_MAX_US},
    {0}};

static const struct csv_row_type attention_type = {
    sizeof(struct attention_row), offsetof(struct attention_row, line), attention_fields};

/* Which rows belong to a cut, as points of a plane. */
enum cut { CUT_DECODE, CUT_PREFILL, CUT_MIXED };

static bool in_cut(const struct attention_row *row, enum cut cut, int64_t mixed_chunk)
{
    switch (cut) {
    case CUT_DECODE:
        return row->chunk == 0 && row->decodes > 0;
    case CUT_PREFILL:
        return row->chunk > 0 && row->decodes == 0;
    case CUT_MIXED:
        return row->chunk == mixed_chunk && row->cached == 0 && row->decodes > 0;
    }
    return false;
}

struct attention_table {
    const struct csv_rows *rows;
    const struct profile_file *file;
    int64_t mixed_chunk;   /* 0: decodes beside prompts were not measured */
    double mixed_prompt_s; /* what such a prompt takes alone */
};

static bool build_cut(const struct attention_table *table, enum cut cut, struct measured_grid *grid,
                      struct error *error)
{
    const struct attention_row *rows = table->rows->items;
    struct measured_time *times =
        ARENA_ARRAY(table->file->arena, table->rows->count, struct measured_time);
    double prompt_s = cut == CUT_MIXED ? table->mixed_prompt_s : 0;
    size_t count = 0;
    for (size_t i = 0; i < table->rows->count; i++) {
        const struct attention_row *row = &rows[i];
        if (!in_cut(row, cut, table->mixed_chunk))
            continue;
        times[count++] =
            (struct measured_time){.x = (double)(cut == CUT_PREFILL ? row->chunk : row->decodes),
                                   .y = (double)(cut == CUT_PREFILL ? row->cached : row->context),
                                   .time_s = fmax(0, row->time_us * 1e-6 - prompt_s),
                                   .line = row->line};
    }
    return measured_grid_build(grid, times, count, table->file->path, table->file->arena, error);
}

static double ratio_to_mixed(int64_t chunk)
{
    return fabs(log((double)chunk / MIXED_CHUNK));
}

/* The measured chunk nearest to MIXED_CHUNK, by ratio, that was measured with decodes beside it. */
static int64_t choose_mixed_chunk(const struct csv_rows *rows)
{
    int64_t best = 0;
    for (size_t i = 0; i < rows->count; i++) {
        const struct attention_row *row = (const struct attention_row *)rows->items + i;
        if (row->chunk == 0 || row->cached != 0 || row->decodes == 0)
            continue;
        if (best == 0 || ratio_to_mixed(row->chunk) < ratio_to_mixed(best))
            best = row->chunk;
    }
    return best;
}

static bool read_attention(const char *folder, struct layer_profile *profile, struct arena *arena,
                           struct error *error)
{
    struct profile_file file = file_in(folder, "attention.csv", arena);
    struct csv_rows rows;
    if (!csv_rows_read(file.path, &attention_type, arena, &rows, error))
        return false;
    struct attention_table table = {&rows, &file, choose_mixed_chunk(&rows), 0};
    if (!build_cut(&table, CUT_DECODE, &profile->decode, error) ||
        !build_cut(&table, CUT_PREFILL, &profile->prefill, error))
        return false;
    if (profile->decode.count == 0 || profile->prefill.count == 0)
        return error_at(error, ERROR_BAD_INPUT, file.path, 0, NULL, "has no rows of %s alone",
                        profile->decode.count == 0 ? "decodes" : "prompts");
    table.mixed_prompt_s = measured_grid_at(&profile->prefill, (double)table.mixed_chunk, 0);
    return build_cut(&table, CUT_MIXED, &profile->mixed_decode, error);
}

const struct layer_profile *layer_profile_read(const char *folder, struct arena *arena,
                                               struct error *error)
{
    struct layer_profile *profile = ARENA_NEW(arena, struct layer_profile);
    profile->folder = arena_strdup(arena, folder);
    struct profile_file dense = file_in(folder, "dense.csv", arena);
    struct profile_file head = file_in(folder, "per_sequence.csv", arena);
    bool read = read_kinds(&dense, "tokens", dense_kinds, DENSE_KINDS, profile->dense, error) &&
                read_kinds(&head, "sequences", head_kinds, HEAD_KINDS, profile->head, error) &&
                read_ffn(folder, profile, arena, error) &&
                read_attention(folder, profile, arena, error);
    return read ? profile : NULL;
}

/* --- a model made of it --- */

bool profiled_model_check(const struct profiled_model *model, struct error *error)
{
    const struct llm *llm = model->layout.llm;
    const char *folder = model->profile->folder;
    if ((llm->experts > 0) != (model->profile->experts.count > 0))
        return error_at(error, ERROR_BAD_INPUT, folder, 0, NULL,
                        "the profile has %s, but %s has %s",
                        llm->experts > 0 ? "no experts (moe.csv)" : "experts (moe.csv)", llm->name,
                        llm->experts > 0 ? "them" : "none");
    return true;
}

/* Ring all-reduce (Patarasuk and Yuan, 2009) of one 16-bit hidden state per token; latency as
 * models/hardware has it, of the whole operation. */
static double all_reduce_s(const struct profiled_model *model, double tokens)
{
    const struct gpu *gpu = model->layout.gpu;
    double gpus = (double)model->layout.tensor_parallel;
    if (gpus <= 1)
        return 0;
    bool across = model->layout.tensor_parallel > gpu->gpus_per_node;
    double latency_s = 1e-6 * (across ? gpu->node_link_latency_us : gpu->link_latency_us);
    double gb_s = (across ? gpu->node_link_gb_s : gpu->link_gb_s) * gpu->link_efficiency;
    double bytes = 2 * (gpus - 1) / gpus * tokens * (double)model->layout.llm->hidden * 2;
    return latency_s + bytes / (gb_s * 1e9);
}

/* Tokens choose experts independently and evenly, so m of them touch E (1 - (1 - k/E)^m). */
static double experts_s(const struct profiled_model *model, double tokens)
{
    double experts = (double)model->layout.llm->experts;
    double chosen = (double)model->layout.llm->active_experts;
    double touched = experts * (1 - pow(1 - chosen / experts, tokens));
    return measured_grid_at(&model->profile->experts, tokens, touched);
}

static double ffn_s(const struct profiled_model *model, double tokens)
{
    return model->profile->experts.count > 0 ? experts_s(model, tokens) : 0;
}

static bool has_all_reduce(const struct layer_profile *profile)
{
    for (size_t k = 0; k < DENSE_KINDS; k++)
        if (strcmp(dense_kinds[k].name, "all_reduce") == 0)
            return profile->dense[k].count > 0;
    return false;
}

static double layers_s(void *context, int64_t tokens)
{
    const struct profiled_model *model = context;
    const struct layer_profile *profile = model->profile;
    double layers = (double)model->layout.llm->layers;
    double sum_s = layers * ffn_s(model, (double)tokens);
    if (!has_all_reduce(profile))
        sum_s += layers * 2 * all_reduce_s(model, (double)tokens);
    for (size_t k = 0; k < DENSE_KINDS; k++) {
        double times = layers * dense_kinds[k].per_layer + dense_kinds[k].per_model;
        if (profile->dense[k].count > 0)
            sum_s += times * measured_grid_at(&profile->dense[k], 0, (double)tokens);
    }
    return sum_s;
}

static double head_s(void *context, int64_t rows)
{
    const struct profiled_model *model = context;
    double sum_s = 0;
    for (size_t k = 0; k < HEAD_KINDS; k++)
        if (model->profile->head[k].count > 0)
            sum_s += measured_grid_at(&model->profile->head[k], 0, (double)rows);
    return sum_s;
}

static double attention_s(const struct profiled_model *model, const struct measured_grid *grid,
                          double x, double y)
{
    return (double)model->layout.llm->layers * measured_grid_at(grid, x, y);
}

static double decode_attention_s(void *context, int64_t n, double context_each)
{
    const struct profiled_model *model = context;
    return attention_s(model, &model->profile->decode, (double)n, context_each);
}

static double mixed_decode_attention_s(void *context, int64_t n, double context_each)
{
    const struct profiled_model *model = context;
    return attention_s(model, &model->profile->mixed_decode, (double)n, context_each);
}

/* A prompt longer than the largest measured chunk is computed in such chunks. */
static double prefill_attention_s(void *context, double start, double tokens)
{
    const struct profiled_model *model = context;
    const struct measured_grid *grid = &model->profile->prefill;
    double largest = grid->lines[grid->count - 1].x, sum_s = 0;
    for (; tokens > largest; tokens -= largest, start += largest)
        sum_s += attention_s(model, grid, largest, start);
    return sum_s + attention_s(model, grid, tokens, start);
}

/* What a cached token costs the smallest measured chunk: reading it, and little else. */
static double key_s(const struct profiled_model *model)
{
    const struct measured_line *line = &model->profile->prefill.lines[0];
    const struct measured_time *first = &line->points[0], *last = &line->points[line->count - 1];
    if (line->count == 1 || last->time_s <= first->time_s)
        return 0;
    return (double)model->layout.llm->layers * (last->time_s - first->time_s) /
           (last->y - first->y);
}

struct kernel_sum profiled_model_kernels(struct profiled_model *model)
{
    bool mixed = model->profile->mixed_decode.count > 0;
    return (struct kernel_sum){.layers_s = layers_s,
                               .head_s = head_s,
                               .decode_attention_s = decode_attention_s,
                               .mixed_decode_attention_s = mixed ? mixed_decode_attention_s : NULL,
                               .prefill_attention_s = prefill_attention_s,
                               .key_s = key_s(model),
                               .step_s = model->step_s,
                               .context = model};
}
