#include "models/money/ledger.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/money/utc_date.h"

const char *const money_category_names[] = {
    [MONEY_USED] = "used",     [MONEY_IDLE] = "idle",     [MONEY_COLD_START] = "cold_start",
    [MONEY_WASTED] = "wasted", [MONEY_UNUSED] = "unused", [MONEY_CATEGORIES] = NULL,
};

const char *const ledger_dimension_names[] = {
    [LEDGER_BY_POOL] = "pool",         [LEDGER_BY_MODEL] = "model",
    [LEDGER_BY_TENANT] = "tenant",     [LEDGER_BY_CLASS] = "class",
    [LEDGER_BY_HOUR] = "hour",         [LEDGER_BY_MARKET] = "market",
    [LEDGER_BY_PURCHASE] = "purchase", [LEDGER_BY_COMMITMENT] = "commitment",
    [LEDGER_DIMENSIONS] = NULL,
};

void ledger_init(struct ledger *ledger, const struct usage *usage,
                 const struct commitments *commitments, double output_weight)
{
    *ledger =
        (struct ledger){.usage = usage, .commitments = commitments, .output_weight = output_weight};
}

void ledger_add(struct ledger *ledger, const struct ledger_line *line)
{
    if (line->nano_usd == 0 && line->instance_ns == 0)
        return;
    if (ledger->count == ledger->capacity) {
        ledger->capacity = ledger->capacity ? 2 * ledger->capacity : 256;
        ledger->lines = realloc(ledger->lines, ledger->capacity * sizeof *ledger->lines);
        if (!ledger->lines)
            out_of_memory();
    }
    ledger->lines[ledger->count++] = *line;
}

void ledger_free(struct ledger *ledger)
{
    free(ledger->lines);
    *ledger = (struct ledger){0};
}

int64_t ledger_total(const struct ledger *ledger)
{
    int64_t total = 0;
    for (size_t i = 0; i < ledger->count; i++)
        total += ledger->lines[i].nano_usd;
    return total;
}

void ledger_split(int64_t amount, const int64_t *weights, size_t count, int64_t *parts)
{
    __int128 all = 0, upto = 0;
    int64_t given = 0;
    for (size_t i = 0; i < count; i++)
        all += weights[i];
    for (size_t i = 0; i < count; i++) {
        upto += weights[i];
        int64_t due = all > 0 ? (int64_t)(amount * upto / all) : (i + 1 == count ? amount : 0);
        parts[i] = due - given;
        given = due;
    }
}

int64_t ledger_weight(const struct usage_class_hour *served, double output_weight)
{
    /* In thousandths of a token, so that a weight such as 2.5 counts. */
    __int128 weight = (__int128)1000 * (served->prompt_tok - served->cached_tok) +
                      (__int128)llround(1000 * output_weight) * served->output_tok;
    return weight < INT64_MAX ? (int64_t)weight : INT64_MAX;
}

/* --- sums over a dimension --- */

/* The first of the names that is the same, so that what shares a name shares a row. */
static size_t first_model(const struct usage *usage, uint32_t pool)
{
    uint32_t i = 0;
    while (strcmp(usage->pools[i].model, usage->pools[pool].model) != 0)
        i++;
    return i;
}

static size_t first_tenant(const struct usage *usage, uint32_t class_index)
{
    uint32_t i = 0;
    while (strcmp(usage->classes[i].tenant, usage->classes[class_index].tenant) != 0)
        i++;
    return i;
}

static size_t hours_of(const struct ledger *ledger)
{
    size_t hours = 0;
    for (size_t i = 0; i < ledger->count; i++)
        if (ledger->lines[i].hour >= hours)
            hours = ledger->lines[i].hour + (size_t)1;
    return hours;
}

/* How many rows a dimension has at most, not counting the one of what belongs to none. */
static size_t dimension_size(const struct ledger *ledger, enum ledger_dimension dimension)
{
    const struct usage *usage = ledger->usage;
    switch (dimension) {
    case LEDGER_BY_POOL:
    case LEDGER_BY_MODEL:
        return usage->pool_count;
    case LEDGER_BY_TENANT:
    case LEDGER_BY_CLASS:
        return usage->class_count;
    case LEDGER_BY_HOUR:
        return hours_of(ledger);
    case LEDGER_BY_MARKET:
        return usage->market_count;
    case LEDGER_BY_PURCHASE:
        return PURCHASE_OPTION_COUNT;
    default:
        return ledger->commitments->count;
    }
}

/* The row of a line; SIZE_MAX: it belongs to none. */
static size_t row_of_line(const struct ledger *ledger, const struct ledger_line *line,
                          enum ledger_dimension dimension)
{
    const struct usage *usage = ledger->usage;
    switch (dimension) {
    case LEDGER_BY_POOL:
        return line->pool == POOL_NONE ? SIZE_MAX : line->pool;
    case LEDGER_BY_MODEL:
        return line->pool == POOL_NONE ? SIZE_MAX : first_model(usage, line->pool);
    case LEDGER_BY_TENANT:
        return line->class_index == CLASS_NONE ? SIZE_MAX : first_tenant(usage, line->class_index);
    case LEDGER_BY_CLASS:
        return line->class_index == CLASS_NONE ? SIZE_MAX : line->class_index;
    case LEDGER_BY_HOUR:
        return line->hour;
    case LEDGER_BY_MARKET:
        return line->market == POOL_NONE ? SIZE_MAX : line->market;
    case LEDGER_BY_PURCHASE:
        return line->paid_as;
    default:
        return line->commitment == COMMITMENT_NONE ? SIZE_MAX : line->commitment;
    }
}

static int64_t unix_of_hour(const struct usage *usage, uint32_t hour)
{
    return usage->start_unix_s + usage_ns(usage_hour_start(usage, hour)) / NS_PER_S;
}

static const char *row_label(const struct ledger *ledger, enum ledger_dimension dimension,
                             size_t row, struct arena *arena)
{
    const struct usage *usage = ledger->usage;
    char date[32];
    switch (dimension) {
    case LEDGER_BY_POOL:
        return usage->pools[row].name;
    case LEDGER_BY_MODEL:
        return usage->pools[row].model;
    case LEDGER_BY_TENANT:
        return usage->classes[row].tenant;
    case LEDGER_BY_CLASS:
        return usage->classes[row].name;
    case LEDGER_BY_HOUR:
        utc_date_print(unix_of_hour(usage, (uint32_t)row), date, sizeof date);
        return arena_strdup(arena, date);
    case LEDGER_BY_MARKET:
        return usage->markets[row].name;
    case LEDGER_BY_PURCHASE:
        return purchase_option_names[row];
    default:
        return ledger->commitments->items[row].name;
    }
}

/* Leaves out the rows that no line fell into. */
static void drop_empty(struct ledger_sums *sums, const bool *touched)
{
    size_t kept = 0;
    for (size_t i = 0; i < sums->count; i++)
        if (touched[i])
            sums->rows[kept++] = sums->rows[i];
    sums->count = kept;
}

struct ledger_sums ledger_sum_by(const struct ledger *ledger, enum ledger_dimension dimension)
{
    size_t size = dimension_size(ledger, dimension);
    struct arena *arena = arena_create();
    bool *touched = ARENA_ARRAY(arena, size + 1, bool);
    struct ledger_sums sums = {ARENA_ARRAY(arena, size + 1, struct ledger_sum), size + 1, arena};
    for (size_t i = 0; i < ledger->count; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        size_t row = row_of_line(ledger, line, dimension);
        struct ledger_sum *sum = &sums.rows[row == SIZE_MAX ? size : row];
        touched[sum - sums.rows] = true;
        sum->nano_usd[line->category] += line->nano_usd;
        sum->total_nano_usd += line->nano_usd;
        sum->instance_hours += (double)line->instance_ns / (double)NS_PER_HOUR;
    }
    for (size_t i = 0; i <= size; i++)
        sums.rows[i].label = i < size && touched[i] ? row_label(ledger, dimension, i, arena) : "";
    drop_empty(&sums, touched);
    return sums;
}

void ledger_sums_free(struct ledger_sums *sums)
{
    arena_destroy(sums->arena);
    *sums = (struct ledger_sums){0};
}

/* --- show-back --- */

/* Used money by pool and class: [pool * classes + class]. */
static int64_t *sum_used(const struct ledger *ledger, struct arena *arena)
{
    size_t classes = ledger->usage->class_count, pools = ledger->usage->pool_count;
    int64_t *used = ARENA_ARRAY(arena, pools * classes + 1, int64_t);
    for (size_t i = 0; i < ledger->count; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        if (line->class_index != CLASS_NONE)
            used[line->pool * classes + line->class_index] += line->nano_usd;
    }
    return used;
}

/* All money that no class caused by itself: of each pool, and of none in the last. */
static int64_t *sum_rest(const struct ledger *ledger, struct arena *arena)
{
    size_t pools = ledger->usage->pool_count;
    int64_t *rest = ARENA_ARRAY(arena, pools + 1, int64_t);
    for (size_t i = 0; i < ledger->count; i++) {
        const struct ledger_line *line = &ledger->lines[i];
        if (line->class_index == CLASS_NONE)
            rest[line->pool == POOL_NONE ? pools : line->pool] += line->nano_usd;
    }
    return rest;
}

static int64_t sum_of(const int64_t *values, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum;
}

/* Shares amount out to the classes by the weights; returns what could not be, for want of any. */
static int64_t share_out(int64_t amount, const int64_t *weights, size_t classes, int64_t *shared)
{
    if (sum_of(weights, classes) == 0)
        return amount;
    int64_t parts[classes];
    ledger_split(amount, weights, classes, parts);
    for (size_t i = 0; i < classes; i++)
        shared[i] += parts[i];
    return 0;
}

/* A pool that served nobody is shared as commitments are: by all used money. */
static int64_t share_rest_out(const struct ledger *ledger, const int64_t *used, int64_t *rest,
                              int64_t *shared, struct arena *arena)
{
    size_t classes = ledger->usage->class_count, pools = ledger->usage->pool_count;
    int64_t *all = ARENA_ARRAY(arena, classes + 1, int64_t);
    for (size_t i = 0; i < pools * classes; i++)
        all[i % classes] += used[i];
    for (size_t pool = 0; pool < pools; pool++)
        rest[pools] += share_out(rest[pool], used + pool * classes, classes, shared);
    return share_out(rest[pools], all, classes, shared);
}

static void add_served(const struct usage *usage, uint32_t class_index, struct showback_row *row)
{
    for (size_t i = class_index;
         i < (size_t)usage->hour_count * usage->pool_count * usage->class_count;
         i += usage->class_count) {
        row->requests += usage->class_hours[i].requests;
        row->prompt_tok += usage->class_hours[i].prompt_tok;
        row->output_tok += usage->class_hours[i].output_tok;
    }
}

static void fill_showback(struct showback *showback, const struct ledger *ledger, bool by_tenant,
                          const int64_t *used, const int64_t *shared)
{
    const struct usage *usage = ledger->usage;
    size_t classes = usage->class_count;
    size_t *row_of = ARENA_ARRAY(showback->arena, classes + 1, size_t);
    for (uint32_t i = 0; i < classes; i++) {
        size_t first = by_tenant ? first_tenant(usage, i) : i;
        row_of[i] = first == i ? showback->count++ : row_of[first];
        struct showback_row *row = &showback->rows[row_of[i]];
        row->label = by_tenant ? usage->classes[i].tenant : usage->classes[i].name;
        for (size_t pool = 0; pool < usage->pool_count; pool++)
            row->direct_nano_usd += used[pool * classes + i];
        row->shared_nano_usd += shared[i];
        add_served(usage, i, row);
    }
}

struct showback showback_make(const struct ledger *ledger, bool by_tenant, bool share_rest)
{
    struct arena *arena = arena_create();
    size_t classes = ledger->usage->class_count, pools = ledger->usage->pool_count;
    int64_t *used = sum_used(ledger, arena), *rest = sum_rest(ledger, arena);
    int64_t *shared = ARENA_ARRAY(arena, classes + 1, int64_t);
    struct showback showback = {.rows = ARENA_ARRAY(arena, classes + 1, struct showback_row),
                                .arena = arena};
    showback.apart_nano_usd =
        share_rest ? share_rest_out(ledger, used, rest, shared, arena) : sum_of(rest, pools + 1);
    fill_showback(&showback, ledger, by_tenant, used, shared);
    return showback;
}

void showback_free(struct showback *showback)
{
    arena_destroy(showback->arena);
    *showback = (struct showback){0};
}

/* --- key figures --- */

static struct usage_class_hour served_in_all(const struct usage *usage)
{
    struct usage_class_hour all = {0};
    size_t rows = (size_t)usage->hour_count * usage->pool_count * usage->class_count;
    for (size_t i = 0; i < rows; i++) {
        all.requests += usage->class_hours[i].requests;
        all.good += usage->class_hours[i].good;
        all.prompt_tok += usage->class_hours[i].prompt_tok;
        all.cached_tok += usage->class_hours[i].cached_tok;
        all.output_tok += usage->class_hours[i].output_tok;
    }
    return all;
}

static double ratio(double of, double to)
{
    return to > 0 ? of / to : NAN;
}

static void add_line(struct money_kpis *kpis, const struct ledger_line *line,
                     const struct usage *usage)
{
    double usd = (double)line->nano_usd / NANO_USD_PER_USD;
    kpis->usd_by_category[line->category] += usd;
    if (line->market == POOL_NONE)
        return;
    double hours = (double)line->instance_ns / (double)NS_PER_HOUR;
    double gpu_hours = hours * usage->markets[line->market].gpus;
    kpis->gpu_hours += gpu_hours;
    if (line->category == MONEY_USED)
        kpis->productive_gpu_hours += gpu_hours;
}

static void add_token_costs(struct money_kpis *kpis, const struct usage_class_hour *all,
                            double output_weight)
{
    double input = (double)(all->prompt_tok - all->cached_tok);
    double output = output_weight * (double)all->output_tok;
    double input_usd = kpis->usd * ratio(input, input + output);
    kpis->usd_per_mtok = 1e6 * ratio(kpis->usd, (double)(all->prompt_tok + all->output_tok));
    kpis->usd_per_input_mtok = 1e6 * ratio(input_usd, (double)all->prompt_tok);
    kpis->usd_per_output_mtok = 1e6 * ratio(kpis->usd - input_usd, (double)all->output_tok);
}

struct money_kpis money_kpis(const struct ledger *ledger)
{
    struct usage_class_hour all = served_in_all(ledger->usage);
    struct money_kpis kpis = {.usd = (double)ledger_total(ledger) / NANO_USD_PER_USD};
    for (size_t i = 0; i < ledger->count; i++)
        add_line(&kpis, &ledger->lines[i], ledger->usage);
    add_token_costs(&kpis, &all, ledger->output_weight);
    kpis.usd_per_thousand_requests = 1e3 * ratio(kpis.usd, (double)all.requests);
    kpis.requests_per_usd = ratio((double)all.requests, kpis.usd);
    kpis.good_requests_per_usd = ratio((double)all.good, kpis.usd);
    kpis.usd_per_gpu_hour = ratio(kpis.usd, kpis.gpu_hours);
    kpis.usd_per_productive_gpu_hour = ratio(kpis.usd, kpis.productive_gpu_hours);
    return kpis;
}

/* --- as a file --- */

/* RFC 4180: quotes around the text where it holds a comma or quote. */
static void put_text(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++)
        fprintf(out, *text == '"' ? "\"\"" : "%c", *text);
    fputc('"', out);
}

static void put_line(const struct ledger *ledger, const struct ledger_line *line, FILE *out)
{
    const struct usage *usage = ledger->usage;
    bool classless = line->class_index == CLASS_NONE;
    char date[32];
    utc_date_print(unix_of_hour(usage, line->hour), date, sizeof date);
    const char *cells[] = {
        date,
        line->pool == POOL_NONE ? "" : usage->pools[line->pool].name,
        line->pool == POOL_NONE ? "" : usage->pools[line->pool].model,
        line->market == POOL_NONE ? "" : usage->markets[line->market].name,
        line->market == POOL_NONE ? "" : usage->markets[line->market].sku,
        purchase_option_names[line->paid_as],
        line->commitment == COMMITMENT_NONE ? ""
                                            : ledger->commitments->items[line->commitment].name,
        classless ? "" : usage->classes[line->class_index].tenant,
        classless ? "" : usage->classes[line->class_index].name,
        money_category_names[line->category],
    };
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        put_text(out, cells[i]);
        fputc(',', out);
    }
    fprintf(out, "%" PRId64 ".%09" PRId64 ",%.9f\n", line->nano_usd / 1000000000,
            line->nano_usd % 1000000000, (double)line->instance_ns / (double)NS_PER_HOUR);
}

void ledger_write(const struct ledger *ledger, FILE *out)
{
    fprintf(out, "hour,pool,model,market,sku,paid_as,commitment,tenant,class,category,usd,"
                 "instance_hours\n");
    for (size_t i = 0; i < ledger->count; i++)
        put_line(ledger, &ledger->lines[i], out);
}
