#include "analysis/points.h"

#include <math.h>
#include <string.h>

#include "analysis/csv.h"
#include "sim/utf8.h"
#include "workloads/number_text.h"
#include "workloads/trace_csv.h"

#define TOK_MAX     10000000
#define CLIENTS_MAX 1000000
#define GPUS_MAX    65536
#define MS_MAX      1e9

enum column_kind {
    COLUMN_TEXT,
    COLUMN_COUNT,
    COLUMN_COUNT_OR_ZERO, /* 0 is what an empty cell is */
    COLUMN_NUMBER
};

/* When a cell must not be empty. */
enum column_need {
    OPTIONAL,
    NEEDED,
    NEEDED_TOGETHER /* unless there are columns for prefill and decode apart */
};

struct column {
    const char *name;
    enum column_kind kind;
    size_t offset;
    enum column_need need;
    double preset; /* of an empty cell */
    double max;    /* numbers are above 0; a ratio may be as large as 1 */
};

#define AT(member) offsetof(struct measured_point, member)

static const struct column columns[] = {
    {"id", COLUMN_TEXT, AT(id), OPTIONAL, 0, 0},
    {"origin", COLUMN_TEXT, AT(origin), OPTIONAL, 0, 0},
    {"measured", COLUMN_TEXT, AT(measured), OPTIONAL, 0, 0},
    {"model", COLUMN_TEXT, AT(model), NEEDED, 0, 0},
    {"model_path", COLUMN_TEXT, AT(model_path), OPTIONAL, 0, 0},
    {"arch", COLUMN_TEXT, AT(arch), OPTIONAL, 0, 0},
    {"system", COLUMN_TEXT, AT(system), NEEDED, 0, 0},
    {"backend", COLUMN_TEXT, AT(backend), NEEDED, 0, 0},
    {"backend_version", COLUMN_TEXT, AT(backend_version), OPTIONAL, 0, 0},
    {"precision", COLUMN_TEXT, AT(precision), NEEDED, 0, 0},
    {"gemm_quant", COLUMN_TEXT, AT(gemm_quant), OPTIONAL, 0, 0},
    {"moe_quant", COLUMN_TEXT, AT(moe_quant), OPTIONAL, 0, 0},
    {"isl", COLUMN_COUNT, AT(isl), NEEDED, 0, TOK_MAX},
    {"osl", COLUMN_COUNT, AT(osl), NEEDED, 0, TOK_MAX},
    {"len_ratio_min", COLUMN_NUMBER, AT(len_ratio_min), OPTIONAL, 1, 1},
    {"concurrency", COLUMN_COUNT, AT(concurrency), NEEDED_TOGETHER, 0, CLIENTS_MAX},
    {"tp", COLUMN_COUNT, AT(tp), NEEDED_TOGETHER, 0, GPUS_MAX},
    {"pp", COLUMN_COUNT, AT(pp), OPTIONAL, 1, GPUS_MAX},
    {"attn_dp", COLUMN_COUNT, AT(attn_dp), OPTIONAL, 0, GPUS_MAX},
    {"moe_tp", COLUMN_COUNT, AT(moe_tp), OPTIONAL, 1, GPUS_MAX},
    {"moe_ep", COLUMN_COUNT, AT(moe_ep), OPTIONAL, 1, GPUS_MAX},
#define SIDE(side)                                                                                   \
    {#side "_num_workers", COLUMN_COUNT_OR_ZERO, AT(side.workers), OPTIONAL, 0, GPUS_MAX},           \
        {#side "_tp_size", COLUMN_COUNT_OR_ZERO, AT(side.tp), OPTIONAL, 0, GPUS_MAX},                \
        {#side "_pp_size", COLUMN_COUNT_OR_ZERO, AT(side.pp), OPTIONAL, 0, GPUS_MAX},                \
        {#side "_attention_dp_size", COLUMN_COUNT_OR_ZERO, AT(side.attn_dp), OPTIONAL, 0, GPUS_MAX}, \
        {#side "_moe_tp_size", COLUMN_COUNT_OR_ZERO, AT(side.moe_tp), OPTIONAL, 0, GPUS_MAX},        \
    {                                                                                                \
#side "_moe_ep_size", COLUMN_COUNT_OR_ZERO, AT(side.moe_ep), OPTIONAL, 0, GPUS_MAX           \
    }
    SIDE(prefill),
    SIDE(decode),
    {"ttft_mean_ms", COLUMN_NUMBER, AT(ttft_ms), OPTIONAL, NAN, MS_MAX},
    {"tpot_mean_ms", COLUMN_NUMBER, AT(tpot_ms), OPTIONAL, NAN, MS_MAX},
    {"flag", COLUMN_TEXT, AT(flag), OPTIONAL, 0, 0},
    {"group", COLUMN_TEXT, AT(group), OPTIONAL, 0, 0},
};

enum { COLUMNS = sizeof columns / sizeof columns[0], NOT_THERE = -1 };

/* A column that only files with disaggregated servers have: those are its rows without `tp`. */
static const char disaggregated_column[] = "prefill_num_workers";

struct header {
    const char *path;
    char separator;
    size_t width;
    int place[COLUMNS]; /* which cell of a row holds the column; or NOT_THERE */
    bool sides;         /* there are columns for prefill and decode apart */
};

/* --- the header --- */

static int find_cell(const char *name, const struct text *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(cells[i], name))
            return (int)i;
    return NOT_THERE;
}

static bool needed(const struct header *header, const struct column *column)
{
    return column->need == NEEDED || (column->need == NEEDED_TOGETHER && !header->sides);
}

static bool place_column(struct header *header, size_t column, const struct text *cells,
                         const struct line *line, struct error *error)
{
    const char *name = columns[column].name;
    int place = header->place[column] = find_cell(name, cells, header->width);
    if (place == NOT_THERE && needed(header, &columns[column])) {
        error_at(error, ERROR_BAD_INPUT, header->path, line->number, NULL,
                 "the header has no column \"%s\"", name);
        return error_hint(error, "measured points need model, system, backend, precision, isl, "
                                 "osl, concurrency, tp, ttft_mean_ms, tpot_mean_ms");
    }
    size_t after = (size_t)(place + 1);
    if (place != NOT_THERE && find_cell(name, cells + after, header->width - after) != NOT_THERE)
        return error_at(error, ERROR_BAD_INPUT, header->path, line->number, NULL,
                        "column \"%s\" stands twice in the header", name);
    return true;
}

static bool read_header(struct header *header, const struct line *line, struct error *error)
{
    struct text cells[CSV_MAX_COLUMNS];
    header->separator = csv_separator(line->text);
    if (!csv_split(line, header->separator, header->path, cells, &header->width, error))
        return false;
    header->sides = find_cell(disaggregated_column, cells, header->width) != NOT_THERE;
    for (size_t i = 0; i < COLUMNS; i++)
        if (!place_column(header, i, cells, line, error))
            return false;
    return true;
}

/* --- cells --- */

static bool bad_cell(const struct measured_point *point, const struct column *column,
                     struct text cell, struct error *error)
{
    const char *what = column->kind == COLUMN_NUMBER ? "a number" : "a whole number";
    if (column->kind == COLUMN_TEXT)
        return error_at(error, ERROR_BAD_INPUT, point->file, point->line, NULL,
                        "column \"%s\" is not UTF-8 text", column->name);
    error_at(error, ERROR_BAD_INPUT, point->file, point->line, NULL,
             "column \"%s\" holds \"%.*s\", which is not %s above 0 and up to %.10g", column->name,
             (int)(cell.length < 80 ? cell.length : 80), cell.at, what, column->max);
    return false;
}

static bool read_count(const struct column *column, struct text cell, int64_t *value)
{
    uint32_t count;
    if (number_to_count(cell, (uint32_t)column->max, &count) != NUMBER_OK)
        return false;
    *value = count > 0 ? count : (int64_t)column->preset;
    return count > 0 || column->kind == COLUMN_COUNT_OR_ZERO;
}

static bool read_positive(const struct column *column, struct text cell, double *value)
{
    return number_to_double(cell, value) == NUMBER_OK && *value > 0 && *value <= column->max;
}

/* Texts end up in JSON. */
static bool read_text(struct text cell, struct arena *arena, const char **value)
{
    const char *end = cell.at + cell.length;
    for (const char *at = cell.at; at < end;) {
        size_t bytes = utf8_sequence(at, end);
        if (bytes == 0)
            return false;
        at += bytes;
    }
    *value = arena_printf(arena, "%.*s", (int)cell.length, cell.at);
    return true;
}

static void take_preset(const struct column *column, void *member)
{
    if (column->kind == COLUMN_TEXT)
        *(const char **)member = "";
    else if (column->kind == COLUMN_NUMBER)
        *(double *)member = column->preset;
    else
        *(int64_t *)member = (int64_t)column->preset;
}

static bool read_cell(const struct column *column, struct text cell, struct arena *arena,
                      struct measured_point *point, struct error *error)
{
    void *member = (char *)point + column->offset;
    bool good = true;
    if (cell.length == 0)
        take_preset(column, member);
    else if (column->kind == COLUMN_TEXT)
        good = read_text(cell, arena, member);
    else if (column->kind == COLUMN_NUMBER)
        good = read_positive(column, cell, member);
    else
        good = read_count(column, cell, member);
    return good || bad_cell(point, column, cell, error);
}

/* --- rows --- */

/* Where a row does not say how many ranks attend to batches of their own: as many as make attention
 * use the GPUs that the experts do. */
static int64_t ranks_of(const struct measured_point *point)
{
    int64_t expert_gpus = point->moe_tp * point->moe_ep;
    return point->tp > 0 && expert_gpus > point->tp ? expert_gpus / point->tp : 1;
}

static void set_if_zero(int64_t *value)
{
    if (*value == 0)
        *value = 1;
}

static void settle_side(struct side_layout *side)
{
    if (side->workers == 0)
        return;
    set_if_zero(&side->tp);
    set_if_zero(&side->pp);
    set_if_zero(&side->attn_dp);
    set_if_zero(&side->moe_tp);
    set_if_zero(&side->moe_ep);
}

/* What follows from a row's cells together. */
static bool settle_row(struct measured_point *point, struct error *error)
{
    point->disaggregated = point->tp == 0;
    if (!point->disaggregated && point->concurrency == 0)
        return error_at(error, ERROR_BAD_INPUT, point->file, point->line, NULL,
                        "column \"concurrency\" is empty");
    if (point->attn_dp == 0)
        point->attn_dp = ranks_of(point);
    settle_side(&point->prefill);
    settle_side(&point->decode);
    return !isnan(point->ttft_ms) || !isnan(point->tpot_ms) ||
           error_at(error, ERROR_BAD_INPUT, point->file, point->line, NULL,
                    "neither ttft_mean_ms nor tpot_mean_ms is given");
}

static bool read_row(const struct header *header, const struct line *line, struct arena *arena,
                     struct measured_point *point, struct error *error)
{
    struct text cells[CSV_MAX_COLUMNS];
    size_t width;
    if (!csv_split(line, header->separator, header->path, cells, &width, error))
        return false;
    if (width != header->width)
        return error_at(error, ERROR_BAD_INPUT, header->path, line->number, NULL,
                        "the row has %zu cells, the header %zu", width, header->width);
    *point = (struct measured_point){.file = header->path, .line = line->number};
    for (size_t i = 0; i < COLUMNS; i++) {
        int place = header->place[i];
        struct text cell = place == NOT_THERE ? (struct text){"", 0} : cells[place];
        if (cell.length == 0 && needed(header, &columns[i]))
            return error_at(error, ERROR_BAD_INPUT, header->path, line->number, NULL,
                            "column \"%s\" is empty", columns[i].name);
        if (!read_cell(&columns[i], cell, arena, point, error))
            return false;
    }
    return settle_row(point, error);
}

static void append(struct config_list *points, size_t *room, const struct measured_point *point,
                   struct arena *arena)
{
    struct measured_point *items = points->items;
    if (points->count == *room) {
        *room = *room < 64 ? 64 : 2 * *room;
        items = ARENA_ARRAY(arena, *room, struct measured_point);
        if (points->count > 0)
            memcpy(items, points->items, points->count * sizeof *items);
        points->items = items;
    }
    items[points->count++] = *point;
}

static bool read_lines(struct line_reader *lines, const char *path, struct arena *arena,
                       struct config_list *points, struct error *error)
{
    struct header header = {.path = path};
    struct line line;
    size_t room = points->count;
    enum line_status status = line_reader_next(lines, &line, error);
    if (status == LINE_END)
        return error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "the file is empty");
    if (status == LINE_FAILED || !read_header(&header, &line, error))
        return false;
    line_reader_honour_quotes(lines);
    while ((status = line_reader_next(lines, &line, error)) == LINE_READY) {
        struct measured_point point;
        if (!read_row(&header, &line, arena, &point, error))
            return false;
        append(points, &room, &point, arena);
    }
    return status == LINE_END;
}

bool points_read(const char *path, struct arena *arena, struct config_list *points,
                 struct error *error)
{
    struct line_reader *lines = line_reader_open(path, error);
    if (!lines)
        return false;
    bool done = read_lines(lines, arena_strdup(arena, path), arena, points, error);
    line_reader_close(lines);
    return done;
}

/* --- what follows from a row --- */

/* As the benchmark client draws them: randint(int(nominal x ratio), nominal), both ends included
 * (InferenceMAX, utils/bench_serving/benchmark_serving.py, sample_random_requests). */
struct length_range point_lengths(int64_t nominal_tok, double len_ratio_min)
{
    int64_t least = (int64_t)((double)nominal_tok * len_ratio_min);
    return (struct length_range){least < 1 ? 1 : least, nominal_tok};
}

double point_e2e_ms(const struct measured_point *point)
{
    struct length_range output = point_lengths(point->osl, point->len_ratio_min);
    double mean_tok = (double)(output.min_tok + output.max_tok) / 2;
    return point->ttft_ms + point->tpot_ms * (mean_tok - 1);
}

/* --- writing --- */

void points_put_header(FILE *out)
{
    for (size_t i = 0; i < COLUMNS; i++)
        fprintf(out, "%s%s", i ? "," : "", columns[i].name);
}

static void put_cell(const struct column *column, const struct measured_point *point, FILE *out)
{
    const void *member = (const char *)point + column->offset;
    if (column->kind == COLUMN_TEXT)
        csv_put_text(out, *(const char *const *)member);
    else if (column->kind == COLUMN_NUMBER && !isnan(*(const double *)member))
        fprintf(out, "%.10g", *(const double *)member);
    else if (column->kind != COLUMN_NUMBER && *(const int64_t *)member > 0)
        fprintf(out, "%lld", (long long)*(const int64_t *)member);
}

void points_put_row(const struct measured_point *point, FILE *out)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        if (i)
            fputc(',', out);
        put_cell(&columns[i], point, out);
    }
}
