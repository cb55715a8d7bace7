#include "analysis/steps.h"

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "models/steptime/layer_profile.h"
#include "workloads/csv_rows.h"
#include "workloads/trace_csv.h"

#define MS_MAX  1e9
#define TOK_MAX 10000000

/* --- what all sources share --- */

static struct measured_point new_point(const char *path, long line, const char *origin)
{
    return (struct measured_point){.file = path,
                                   .line = line,
                                   .id = "",
                                   .origin = origin,
                                   .measured = "",
                                   .model_path = "",
                                   .arch = "",
                                   .backend_version = "",
                                   .precision = "bf16",
                                   .gemm_quant = "",
                                   .moe_quant = "",
                                   .len_ratio_min = 1,
                                   .pp = 1,
                                   .attn_dp = 1,
                                   .moe_tp = 1,
                                   .moe_ep = 1,
                                   .ttft_ms = NAN,
                                   .tpot_ms = NAN};
}

static void append(struct config_list *steps, struct measured_step *step, struct arena *arena)
{
    struct measured_point *point = &step->point;
    *(step->decode ? &point->tpot_ms : &point->ttft_ms) = step->time_ms;
    point->flag = step->decode ? "decode" : "prompt";
    point->isl = step->decode ? step->context : step->tokens;
    point->osl = 1;
    point->concurrency = step->batch;
    point->group =
        arena_printf(arena, "%s %s tp%lld", point->system, point->model, (long long)point->tp);
    struct measured_step *items = steps->items;
    if ((steps->count & (steps->count - 1)) == 0) { /* full: room is the next power of two */
        items = ARENA_ARRAY(arena, steps->count ? 2 * steps->count : 1, struct measured_step);
        if (steps->count > 0)
            memcpy(items, steps->items, steps->count * sizeof *items);
        steps->items = items;
    }
    items[steps->count++] = *step;
}

struct measured_point *steps_points(const struct config_list *steps, struct arena *arena)
{
    const struct measured_step *items = steps->items;
    struct measured_point *points = ARENA_ARRAY(arena, steps->count + 1, struct measured_point);
    for (size_t i = 0; i < steps->count; i++)
        points[i] = items[i].point;
    return points;
}

/* Names as sources write them, and as the catalogue does. */
struct name {
    const char *source, *catalog;
};

static const char *catalog_name(const struct name *names, const char *source)
{
    for (size_t i = 0; names[i].source; i++)
        if (strcasecmp(names[i].source, source) == 0)
            return names[i].catalog;
    return source;
}

/* --- Splitwise --- */

/* Azure's ND A100 v4 and ND H100 v5 machines; the engine's entry goes by the machine, whose host
 * paces a server without CUDA graphs. */
static const struct name splitwise_gpus[] = {
    {"a100-80gb", "A100-80GB-SXM"}, {"h100-80gb", "H100-SXM"}, {0}};
static const struct name splitwise_engines[] = {
    {"a100-80gb", "vllm-2023-nd-a100-v4"}, {"h100-80gb", "vllm-2023-nd-h100-v5"}, {0}};
static const struct name splitwise_models[] = {
    {"llama2-70b", "llama-2-70b"}, {"bloom-176b", "bloom-176b"}, {0}};

struct splitwise_row {
    const char *model, *hardware;
    int64_t prompt_size, batch_size, token_size, tensor_parallel;
    double prompt_time, token_time;
    long line;
};

static const struct csv_field splitwise_fields[] = {
    {"model", CSV_TEXT, offsetof(struct splitwise_row, model), false, 0, 0},
    {"hardware", CSV_TEXT, offsetof(struct splitwise_row, hardware), false, 0, 0},
    {"prompt_size", CSV_COUNT, offsetof(struct splitwise_row, prompt_size), false, 1, TOK_MAX},
    {"batch_size", CSV_COUNT, offsetof(struct splitwise_row, batch_size), false, 1, TOK_MAX},
    {"token_size", CSV_COUNT, offsetof(struct splitwise_row, token_size), false, 1, TOK_MAX},
    {"prompt_time", CSV_NUMBER, offsetof(struct splitwise_row, prompt_time), false, 1e-6, MS_MAX},
    {"token_time", CSV_NUMBER, offsetof(struct splitwise_row, token_time), false, 1e-6, MS_MAX},
    {"tensor_parallel", CSV_COUNT, offsetof(struct splitwise_row, tensor_parallel), false, 1, 1024},
    {0}};
static const struct csv_row_type splitwise_type = {
    sizeof(struct splitwise_row), offsetof(struct splitwise_row, line), splitwise_fields};

static bool is_repeat(const struct splitwise_row *a, const struct splitwise_row *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->hardware, b->hardware) == 0 &&
           a->prompt_size == b->prompt_size && a->batch_size == b->batch_size &&
           a->token_size == b->token_size && a->tensor_parallel == b->tensor_parallel;
}

/* Of all rows that repeat rows[first]; NaN when that is itself the repeat of an earlier one. */
static double median_ms(const struct csv_rows *rows, size_t first, bool decode, double *scratch)
{
    const struct splitwise_row *items = rows->items;
    size_t count = 0;
    for (size_t i = 0; i < rows->count; i++) {
        if (!is_repeat(&items[i], &items[first]))
            continue;
        if (i < first)
            return NAN;
        scratch[count++] = decode ? items[i].token_time : items[i].prompt_time;
    }
    gsl_sort(scratch, 1, count);
    return gsl_stats_median_from_sorted_data(scratch, 1, count);
}

static struct measured_step splitwise_step(const char *path, const struct splitwise_row *row,
                                           bool decode)
{
    struct measured_step step = {.point = new_point(path, row->line, "splitwise"),
                                 .decode = decode,
                                 .batch = row->batch_size,
                                 .tokens = row->prompt_size,
                                 .context = row->prompt_size + row->token_size / 2,
                                 .weights = PRECISION_BF16,
                                 .kv = PRECISION_BF16};
    step.point.system = catalog_name(splitwise_gpus, row->hardware);
    step.point.backend = catalog_name(splitwise_engines, row->hardware);
    step.point.model = catalog_name(splitwise_models, row->model);
    step.point.tp = row->tensor_parallel;
    if (text_ends_with(row->hardware, "-pcap"))
        step.refusal = "power-capped GPU: step times know no clock below the datasheet's";
    return step;
}

static bool read_splitwise(const char *path, struct arena *arena, struct config_list *steps,
                           struct error *error)
{
    struct csv_rows rows;
    if (!csv_rows_read(path, &splitwise_type, arena, &rows, error))
        return false;
    double *scratch = ARENA_ARRAY(arena, rows.count + 1, double);
    for (size_t i = 0; i < rows.count; i++)
        for (int decode = 0; decode < 2; decode++) {
            struct measured_step step =
                splitwise_step(path, (const struct splitwise_row *)rows.items + i, decode);
            step.time_ms = median_ms(&rows, i, decode, scratch);
            if (!isnan(step.time_ms))
                append(steps, &step, arena);
        }
    return true;
}

/* --- Helix --- */

/* GPUs of Helix's clusters on Google Cloud: A100s and V100s of 40 and 16 GB. */
static const struct name helix_gpus[] = {
    {"a100", "A100-40GB-SXM"}, {"v100", "V100-16GB"}, {"l4", "L4"}, {"t4", "T4"}, {0}};
static const struct name helix_models[] = {
    {"llama2_70b", "llama-2-70b"}, {"llama1_30b", "llama-30b"}, {0}};

/* Helix profiles for prompts of 750 tokens and answers of 240 in the mean (AVG_INPUT_LEN and
 * AVG_OUTPUT_LEN of simulator/event_simulator/utils.py). Its tables only name the tokens in the
 * batch: prompts are taken to be of that mean at most, decodes to be half-way. */
#define HELIX_PROMPT_TOK 750
#define HELIX_OUTPUT_TOK 240

struct helix_row {
    const char *model, *gpu, *phase;
    int64_t tokens;
    double ms_per_layer;
    long line;
};

static const struct csv_field helix_fields[] = {
    {"model", CSV_TEXT, offsetof(struct helix_row, model), false, 0, 0},
    {"gpu", CSV_TEXT, offsetof(struct helix_row, gpu), false, 0, 0},
    {"phase", CSV_TEXT, offsetof(struct helix_row, phase), false, 0, 0},
    {"tokens", CSV_COUNT, offsetof(struct helix_row, tokens), false, 1, TOK_MAX},
    {"ms_per_layer", CSV_NUMBER, offsetof(struct helix_row, ms_per_layer), false, 1e-6, MS_MAX},
    {0}};
static const struct csv_row_type helix_type = {sizeof(struct helix_row),
                                               offsetof(struct helix_row, line), helix_fields};

static bool read_phase(const char *text, const char *path, long line, bool *decode,
                       struct error *error)
{
    *decode = strcmp(text, "decode") == 0;
    if (*decode || strcmp(text, "prompt") == 0)
        return true;
    error_at(error, ERROR_BAD_INPUT, path, line, NULL, "column \"phase\" holds \"%.40s\"", text);
    return error_hint(error, "phases are: prompt, decode");
}

/* "t4x4": four T4s. */
static void split_gpu(const char *text, struct measured_point *point, struct arena *arena)
{
    int length = (int)strlen(text);
    point->tp = 1;
    if (length > 2 && text[length - 2] == 'x' && text[length - 1] >= '1' &&
        text[length - 1] <= '9') {
        point->tp = text[length - 1] - '0';
        length -= 2;
    }
    point->system = catalog_name(helix_gpus, arena_printf(arena, "%.*s", length, text));
}

/* Prompts were written in whole milliseconds, decodes with one decimal up to 10. */
static double helix_rounding_ms(const struct measured_step *step)
{
    return step->decode && step->time_ms < 10 ? 0.1 : 1;
}

static bool read_helix(const char *path, struct arena *arena, struct config_list *steps,
                       struct error *error)
{
    struct csv_rows rows;
    if (!csv_rows_read(path, &helix_type, arena, &rows, error))
        return false;
    for (size_t i = 0; i < rows.count; i++) {
        const struct helix_row *row = (const struct helix_row *)rows.items + i;
        struct measured_step step = {.point = new_point(path, row->line, "helix"),
                                     .layers = 1,
                                     .time_ms = row->ms_per_layer,
                                     .weights = PRECISION_BF16,
                                     .kv = PRECISION_BF16};
        if (!read_phase(row->phase, path, row->line, &step.decode, error))
            return false;
        split_gpu(row->gpu, &step.point, arena);
        step.point.model = catalog_name(helix_models, row->model);
        step.point.backend = "vllm-helix";
        step.rounding_ms = helix_rounding_ms(&step);
        step.batch =
            step.decode ? row->tokens : (row->tokens + HELIX_PROMPT_TOK - 1) / HELIX_PROMPT_TOK;
        step.tokens = step.decode ? 1 : row->tokens / step.batch;
        step.context = HELIX_PROMPT_TOK + HELIX_OUTPUT_TOK / 2;
        append(steps, &step, arena);
    }
    return true;
}

/* --- tables of one's own --- */

struct step_row {
    const char *gpu, *model, *engine, *weights, *kv, *phase;
    int64_t tp, batch, tokens, context, layers;
    double time_ms;
    long line;
};

static const struct csv_field step_fields[] = {
    {"gpu", CSV_TEXT, offsetof(struct step_row, gpu), false, 0, 0},
    {"model", CSV_TEXT, offsetof(struct step_row, model), false, 0, 0},
    {"engine", CSV_TEXT, offsetof(struct step_row, engine), true, 0, 0},
    {"weights", CSV_TEXT, offsetof(struct step_row, weights), true, 0, 0},
    {"kv", CSV_TEXT, offsetof(struct step_row, kv), true, 0, 0},
    {"tp", CSV_COUNT, offsetof(struct step_row, tp), false, 1, 1024},
    {"phase", CSV_TEXT, offsetof(struct step_row, phase), false, 0, 0},
    {"batch", CSV_COUNT, offsetof(struct step_row, batch), false, 1, 100000},
    {"tokens", CSV_COUNT, offsetof(struct step_row, tokens), true, 1, TOK_MAX},
    {"context", CSV_COUNT, offsetof(struct step_row, context), true, 1, TOK_MAX},
    {"time_ms", CSV_NUMBER, offsetof(struct step_row, time_ms), false, 1e-6, MS_MAX},
    {"layers", CSV_COUNT, offsetof(struct step_row, layers), true, 1, 10000},
    {0}};
static const struct csv_row_type step_type = {sizeof(struct step_row),
                                              offsetof(struct step_row, line), step_fields};

static bool read_precision(const char *text, const char *const *names, const char *column,
                           const struct measured_point *point, int *precision, struct error *error)
{
    size_t count = 0;
    for (; names[count]; count++)
        if (strcasecmp(text, names[count]) == 0) {
            *precision = (int)count;
            return true;
        }
    error_at(error, ERROR_BAD_INPUT, point->file, point->line, NULL,
             "column \"%s\" holds \"%.40s\", which is no number format", column, text);
    config_hint_names(error, text, names, count);
    return false;
}

static bool check_step(const struct measured_step *step, struct error *error)
{
    const char *missing = step->decode ? (step->context == INT64_MIN ? "context" : NULL)
                                       : (step->tokens == INT64_MIN ? "tokens" : NULL);
    return !missing ||
           error_at(error, ERROR_BAD_INPUT, step->point.file, step->point.line, NULL,
                    "a %s needs its column \"%s\"", step->decode ? "decode" : "prompt", missing);
}

static bool take_step(const char *path, const struct step_row *row, struct measured_step *step,
                      struct error *error)
{
    *step = (struct measured_step){.point = new_point(path, row->line, "steps"),
                                   .batch = row->batch,
                                   .tokens = row->tokens,
                                   .context = row->context,
                                   .layers = row->layers == INT64_MIN ? 0 : row->layers,
                                   .time_ms = row->time_ms};
    struct measured_point *point = &step->point;
    point->system = row->gpu;
    point->model = row->model;
    point->backend = row->engine[0] ? row->engine : "vllm";
    point->precision = row->weights[0] ? row->weights : "bf16";
    point->tp = row->tp;
    return read_phase(row->phase, path, row->line, &step->decode, error) &&
           read_precision(point->precision, precision_names, "weights", point, &step->weights,
                          error) &&
           read_precision(row->kv[0] ? row->kv : "bf16", kv_precision_names, "kv", point, &step->kv,
                          error) &&
           check_step(step, error);
}

static bool read_steps(const char *path, struct arena *arena, struct config_list *steps,
                       struct error *error)
{
    struct csv_rows rows;
    if (!csv_rows_read(path, &step_type, arena, &rows, error))
        return false;
    for (size_t i = 0; i < rows.count; i++) {
        struct measured_step step;
        if (!take_step(path, (const struct step_row *)rows.items + i, &step, error))
            return false;
        append(steps, &step, arena);
    }
    return true;
}

/* --- profiles --- */

static const struct name profile_gpus[] = {
    {"rtx4090", "RTX-4090"}, {"rtxpro6000", "RTX-PRO-6000"}, {0}};

struct profile_of {
    struct profiled_model model;
    struct kernel_sum kernels;
    struct measured_step step; /* what all have in common */
};

static void append_decode(struct profile_of *of, int64_t batch, int64_t context,
                          struct config_list *steps, struct arena *arena)
{
    struct measured_step step = of->step;
    step.decode = true;
    step.batch = batch;
    step.tokens = 1;
    step.context = context;
    step.time_ms =
        1e3 * (of->kernels.layers_s(of->kernels.context, batch) +
               of->kernels.decode_attention_s(of->kernels.context, batch, (double)context));
    append(steps, &step, arena);
}

static void append_prompt(struct profile_of *of, int64_t tokens, struct config_list *steps,
                          struct arena *arena)
{
    struct measured_step step = of->step;
    step.batch = 1;
    step.tokens = tokens;
    step.time_ms = 1e3 * (of->kernels.layers_s(of->kernels.context, tokens) +
                          of->kernels.prefill_attention_s(of->kernels.context, 0, (double)tokens));
    append(steps, &step, arena);
}

/* Shapes within what such profiles measure. */
static void append_profile(struct profile_of *of, struct config_list *steps, struct arena *arena)
{
    for (int64_t batch = 1; batch <= 256; batch *= 2)
        for (int64_t context = 128; context <= 2048 && batch * context <= 65536; context *= 4)
            append_decode(of, batch, context, steps, arena);
    for (int64_t tokens = 64; tokens <= 2048; tokens += tokens / 2)
        append_prompt(of, tokens, steps, arena);
}

/* <gpu>_<model>_tp<n> */
static bool read_folder_name(const char *path, struct arena *arena, struct measured_point *point)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *first = strchr(name, '_'), *last = strrchr(name, '_');
    int tp;
    if (!first || first == last || sscanf(last, "_tp%d", &tp) != 1 || tp < 1)
        return false;
    point->system =
        catalog_name(profile_gpus, arena_printf(arena, "%.*s", (int)(first - name), name));
    point->model = arena_printf(arena, "%.*s", (int)(last - first - 1), first + 1);
    point->tp = tp;
    return true;
}

static bool read_profile(const char *path, const struct hardware *hardware,
                         const char *catalog_folder, struct arena *arena, struct config_list *steps,
                         struct error *error)
{
    struct profile_of of = {.step = {.point = new_point(path, 0, "profile"),
                                     .weights = PRECISION_BF16,
                                     .kv = PRECISION_BF16}};
    struct measured_point *point = &of.step.point;
    if (!read_folder_name(path, arena, point)) {
        error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "the folder's name does not say its GPU");
        return error_hint(error, "profiles of layers lie in folders named <gpu>_<model>_tp<n>");
    }
    point->backend = "kernels";
    of.model.profile = layer_profile_read(path, arena, error);
    const struct gpu *gpu = hardware_gpu(hardware, point->system, NULL);
    if (!gpu)
        return error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "no GPU \"%s\" in the catalogue",
                        point->system);
    const struct llm *llm =
        of.model.profile ? llm_read(catalog_folder, ".", point->model, arena, error) : NULL;
    if (!llm)
        return false;
    of.step.layers = llm->layers;
    of.model.layout = (struct step_layout){.gpu = gpu,
                                           .llm = llm,
                                           .tensor_parallel = point->tp,
                                           .attention_dp = 1,
                                           .expert_parallel = 1,
                                           .weights = PRECISION_BF16,
                                           .expert_weights = PRECISION_BF16,
                                           .kv = PRECISION_BF16};
    if (!profiled_model_check(&of.model, error))
        return false;
    of.kernels = profiled_model_kernels(&of.model);
    append_profile(&of, steps, arena);
    return true;
}

/* --- telling them apart --- */

static bool has_column(const struct line *line, const char *path, const char *column)
{
    struct text cells[CSV_MAX_COLUMNS];
    size_t count;
    if (!csv_split(line, csv_separator(line->text), path, cells, &count, NULL))
        return false;
    for (size_t i = 0; i < count; i++)
        if (text_is(cells[i], column))
            return true;
    return false;
}

typedef bool step_reader(const char *path, struct arena *arena, struct config_list *steps,
                         struct error *error);

static step_reader *find_reader(const char *path, struct error *error)
{
    struct line_reader *reader = line_reader_open(path, error);
    struct line line;
    step_reader *found = NULL;
    if (reader && line_reader_next(reader, &line, error) == LINE_READY)
        found = has_column(&line, path, "prompt_time")    ? read_splitwise
                : has_column(&line, path, "ms_per_layer") ? read_helix
                                                          : read_steps;
    else if (reader)
        error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "the file is empty");
    line_reader_close(reader);
    return found;
}

bool steps_read(const char *path, const struct hardware *hardware, const char *catalog_folder,
                struct arena *arena, struct config_list *steps, struct error *error)
{
    struct stat status;
    const char *kept = arena_strdup(arena, path);
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode))
        return read_profile(kept, hardware, catalog_folder, arena, steps, error);
    step_reader *read = find_reader(path, error);
    return read && read(kept, arena, steps, error);
}
