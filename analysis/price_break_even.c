#include "analysis/price_break_even.h"

#include <math.h>

#include "analysis/options.h"
#include "analysis/price_bill.h"
#include "analysis/price_demand.h"
#include "analysis/price_source.h"

struct break_even_options {
    struct price_options shared;
    const char *book, *at, *api;
    double api_input, api_cached, api_output; /* NaN: not given */
    double node_usd, node_tok_per_s, utilisation, spare, min_nodes, monthly_usd;
    double input_share, cached_share, peak_to_mean, tokens_per_month;
    bool follow_load;
};

struct break_even_command {
    const struct break_even_options *options;
    struct price_input input;
    struct break_even_report report;
    struct arena *arena;
};

static double or_else(double given, double otherwise)
{
    return isnan(given) ? otherwise : given;
}

/* --- the API --- */

static bool take_given_api(struct break_even_command *command, struct error *error)
{
    const struct break_even_options *options = command->options;
    if (isnan(options->api_input) || isnan(options->api_output)) {
        error_set(error, ERROR_USAGE, "there is no API to compare with");
        return error_hint(error, "give --api-input and --api-output, USD per million tokens, or "
                                 "one of the price book's: --api NAME");
    }
    command->report.api =
        (struct api_prices){.input_usd = options->api_input,
                            .cached_usd = or_else(options->api_cached, options->api_input),
                            .output_usd = options->api_output};
    return true;
}

static bool take_api_of_book(struct break_even_command *command, struct error *error)
{
    const struct break_even_options *options = command->options;
    int64_t at_unix_s = command->input.usage.start_unix_s;
    if (!options->at && !command->input.is_run) {
        error_set(error, ERROR_USAGE, "--at is missing: prices of the book are dated");
        return error_hint(error, "for example --at 2025-07-01");
    }
    if (options->at && !price_read_date(options->at, &at_unix_s, error))
        return false;
    const struct price_book *book = price_open_book(options->book, command->arena, error);
    const struct api_price *price =
        book ? price_book_api(book, options->api, at_unix_s, error) : NULL;
    if (!price)
        return false;
    command->report.api_name = price->name;
    command->report.api = (struct api_prices){
        .input_usd = or_else(options->api_input, price->input_usd_per_mtok),
        .cached_usd = or_else(options->api_cached,
                              or_else(price->cached_usd_per_mtok, price->input_usd_per_mtok)),
        .output_usd = or_else(options->api_output, price->output_usd_per_mtok)};
    return true;
}

/* --- what a run knows --- */

struct served {
    double prompt_tok, cached_tok, output_tok;
    double node_busy_s;
};

/* Busy replicas are told in replica time; a node holds several. */
static struct served sum_up(const struct usage *usage)
{
    struct served sum = {0};
    size_t rows = (size_t)usage->hour_count * usage->pool_count;
    for (size_t i = 0; i < rows; i++)
        sum.node_busy_s += tick_to_s(usage->hours[i].busy_ticks) /
                           usage->pools[i % usage->pool_count].replicas_per_node;
    for (size_t i = 0; i < rows * usage->class_count; i++) {
        sum.prompt_tok += (double)usage->class_hours[i].prompt_tok;
        sum.cached_tok += (double)usage->class_hours[i].cached_tok;
        sum.output_tok += (double)usage->class_hours[i].output_tok;
    }
    return sum;
}

/* What the run is billed for, over the hours that its nodes are billed for. */
static bool node_usd_of_run(struct break_even_command *command, double *usd_per_hour,
                            struct error *error)
{
    const struct usage *usage = &command->input.usage;
    const struct price_book *book = price_open_book(command->options->book, command->arena, error);
    struct money_kpis kpis;
    if (!book || !price_bill_as_run(command->input.path, usage, book, command->arena, &kpis, error))
        return false;
    double hours = 0;
    for (size_t i = 0; i < usage->node_count; i++)
        hours += tick_to_s(usage->nodes[i].end - usage->nodes[i].billed_from) / 3600;
    *usd_per_hour = hours > 0 ? kpis.usd / hours : 0;
    return *usd_per_hour > 0 ||
           error_at(error, ERROR_BAD_INPUT, command->input.path, 0, NULL,
                    "the run's nodes cost nothing; --node-usd says what one costs an hour");
}

/* Fills what the options leave open. */
static bool take_run(struct break_even_command *command, struct error *error)
{
    const struct break_even_options *options = command->options;
    const struct usage *usage = &command->input.usage;
    struct break_even_report *report = &command->report;
    struct served sum = sum_up(usage);
    double tok = sum.prompt_tok + sum.output_tok, hours = tick_to_s(usage->end) / 3600;
    if (!(tok > 0 && sum.node_busy_s > 0))
        return error_at(error, ERROR_BAD_INPUT, command->input.path, 0, NULL,
                        "the run served no tokens");
    report->mix =
        (struct token_mix){sum.prompt_tok / tok, sum.cached_tok / tok, 1 - sum.prompt_tok / tok};
    report->host.tok_per_s = tok / sum.node_busy_s;
    report->tok_per_month = or_else(options->tokens_per_month, tok / hours * HOURS_PER_MONTH);
    report->host.load = price_load_of_run(usage, command->arena, error);
    return report->host.load != NULL;
}

/* --- the load --- */

/* A load that is at its peak for a share 1/ratio of the time, and else 0: of a fleet sized for the
 * peak only the ratio matters. */
static bool take_peak(struct break_even_command *command, struct error *error)
{
    double ratio = command->options->peak_to_mean;
    if (!(ratio >= 1 && ratio <= 1e6))
        return error_set(error, ERROR_USAGE, "--peak-to-mean is a number of 1 or more");
    const struct demand_step steps[] = {{1 / ratio, 1}, {1 - 1 / ratio, 0}};
    command->report.host.load =
        load_duration_create(steps, ratio > 1 ? 2 : 1, command->arena, error);
    return command->report.host.load != NULL;
}

static bool take_table(struct break_even_command *command, struct error *error)
{
    struct price_demand demand;
    if (!price_demand_of_table(command->input.path, command->arena, &demand, error))
        return false;
    command->report.host.load = demand.curve;
    return true;
}

static bool take_load(struct break_even_command *command, struct error *error)
{
    const struct break_even_options *options = command->options;
    if (command->input.is_run && !take_run(command, error))
        return false;
    if (!isnan(options->peak_to_mean)) {
        if (options->follow_load || (command->input.path && !command->input.is_run))
            return error_set(error, ERROR_USAGE,
                             "--peak-to-mean takes the place of a load, and cannot be followed");
        return take_peak(command, error);
    }
    if (command->input.path && !command->input.is_run)
        return take_table(command, error);
    return command->input.path || !options->follow_load ||
           error_set(error, ERROR_USAGE, "--follow-load needs a load: a run or a table");
}

/* --- the mix --- */

static bool is_share(double value)
{
    return value >= 0 && value <= 1;
}

static bool take_mix(struct break_even_command *command, struct error *error)
{
    const struct break_even_options *options = command->options;
    struct token_mix *mix = &command->report.mix;
    double cached = mix->input > 0 ? mix->cached / mix->input : 0;
    double input = or_else(options->input_share, mix->input);
    cached = or_else(options->cached_share, cached);
    if (!is_share(input) || !is_share(cached))
        return error_set(error, ERROR_USAGE,
                         "--input-share and --cached-share are numbers from 0 to 1");
    *mix = (struct token_mix){.input = input, .cached = input * cached, .output = 1 - input};
    return true;
}

/* --- the command --- */

static bool take_node(struct break_even_command *command, struct error *error)
{
    const struct break_even_options *options = command->options;
    struct self_hosting *host = &command->report.host;
    host->usd_per_node_hour = options->node_usd;
    if (isnan(options->node_usd) && !command->input.is_run)
        return error_set(error, ERROR_USAGE, "--node-usd is missing: what a node costs an hour");
    if (isnan(options->node_usd) && !node_usd_of_run(command, &host->usd_per_node_hour, error))
        return false;
    if (isnan(options->node_tok_per_s) && !command->input.is_run)
        return error_set(error, ERROR_USAGE,
                         "--node-tok-per-s is missing: what a node serves when it is full");
    command->report.served_by_run = isnan(options->node_tok_per_s);
    host->tok_per_s = or_else(options->node_tok_per_s, host->tok_per_s);
    host->max_utilisation = options->utilisation;
    host->spare_nodes = options->spare;
    host->min_nodes = options->min_nodes;
    host->usd_per_month = options->monthly_usd;
    host->follows_load = options->follow_load;
    return true;
}

static bool is_api_price(double usd)
{
    return usd >= 0 && usd <= 1e9;
}

static bool check_api(const struct break_even_report *report, struct error *error)
{
    const struct api_prices *api = &report->api;
    if (!is_api_price(api->input_usd) || !is_api_price(api->cached_usd) ||
        !is_api_price(api->output_usd))
        return error_set(error, ERROR_USAGE, "prices of the API are numbers from 0 to 1e9");
    return api_usd_per_tok(api, &report->mix) > 0 ||
           error_set(error, ERROR_USAGE, "the API costs nothing: there is no break-even");
}

static bool check_volume(const struct break_even_report *report, struct error *error)
{
    double tok = report->tok_per_month;
    return isnan(tok) || (tok >= 0 && tok <= 1e18) ||
           error_set(error, ERROR_USAGE, "--tokens-per-month is a number from 0 to 1e18");
}

/* What is out of range was said on the command line: runs and tables were checked before. */
static bool check(const struct break_even_report *report, struct error *error)
{
    bool ok = self_hosting_check(&report->host, error) && token_mix_check(&report->mix, error) &&
              check_volume(report, error) && check_api(report, error);
    if (!ok && error)
        error->code = ERROR_USAGE;
    return ok;
}

static bool ask(struct break_even_command *command, struct error *error)
{
    const struct break_even_options *options = command->options;
    command->report.mix = (struct token_mix){.input = 0.75, .output = 0.25};
    command->report.tok_per_month = options->tokens_per_month;
    return take_load(command, error) && take_mix(command, error) && take_node(command, error) &&
           (options->api ? take_api_of_book(command, error) : take_given_api(command, error)) &&
           check(&command->report, error);
}

static bool answer(struct break_even_command *command, struct error *error)
{
    break_even_report_fill(&command->report, command->arena);
    const struct price_report give = {.report = &command->report,
                                      .name = "break_even",
                                      .folder = "break-even",
                                      .put = break_even_report_put,
                                      .put_csv = break_even_report_put_csv,
                                      .print = break_even_report_print,
                                      .plot = break_even_report_plot};
    return price_give(&give, &command->options->shared, &command->input, command->arena, error);
}

static bool run(const char *path, const struct break_even_options *options, struct error *error)
{
    struct break_even_command command = {.options = options};
    if (!price_input_open(path, &command.input, error))
        return false;
    command.arena = arena_create();
    bool done = ask(&command, error) && answer(&command, error);
    arena_destroy(command.arena);
    price_input_close(&command.input);
    return done;
}

bool price_break_even_command(int argc, char *const argv[], struct error *error)
{
    struct break_even_options options = {.api_input = NAN,
                                         .api_cached = NAN,
                                         .api_output = NAN,
                                         .node_usd = NAN,
                                         .node_tok_per_s = NAN,
                                         .utilisation = 1,
                                         .spare = 1,
                                         .input_share = NAN,
                                         .cached_share = NAN,
                                         .peak_to_mean = NAN,
                                         .tokens_per_month = NAN};
    const struct option table[] = {
        {"api", 0, OPTION_TEXT, &options.api, "NAME", "an API of the price book"},
        {"api-input", 0, OPTION_NUMBER, &options.api_input, "USD", "per million tokens in"},
        {"api-cached", 0, OPTION_NUMBER, &options.api_cached, "USD",
         "per million of them from the cache (default: as the others)"},
        {"api-output", 0, OPTION_NUMBER, &options.api_output, "USD", "per million tokens out"},
        {"node-usd", 0, OPTION_NUMBER, &options.node_usd, "USD",
         "of one node, an hour (default: what the run is billed for)"},
        {"node-tok-per-s", 0, OPTION_NUMBER, &options.node_tok_per_s, "N",
         "tokens in and out that a full node serves (default: the run's, while busy)"},
        {"utilisation", 0, OPTION_NUMBER, &options.utilisation, "SHARE",
         "of that, at the peak (default 1)"},
        {"spare", 0, OPTION_NUMBER, &options.spare, "N", "nodes that stand by (default 1)"},
        {"min-nodes", 0, OPTION_NUMBER, &options.min_nodes, "N",
         "nodes whatever the load (default 0)"},
        {"monthly-usd", 0, OPTION_NUMBER, &options.monthly_usd, "USD",
         "what self-hosting costs besides, a month (default 0)"},
        {"input-share", 0, OPTION_NUMBER, &options.input_share, "SHARE",
         "of tokens that are input (default: the run's, or 0.75)"},
        {"cached-share", 0, OPTION_NUMBER, &options.cached_share, "SHARE",
         "of the input that is cached (default: the run's, or 0)"},
        {"peak-to-mean", 0, OPTION_NUMBER, &options.peak_to_mean, "RATIO",
         "of the load, instead of a run's or a table's (default 1)"},
        {"follow-load", 0, OPTION_FLAG, &options.follow_load, NULL,
         "nodes come and go by the hour, instead of being there for the peak"},
        {"tokens-per-month", 0, OPTION_NUMBER, &options.tokens_per_month, "N",
         "volume to compare at (default: the run's)"},
        {"book", 'b', OPTION_TEXT, &options.book, "FILE",
         "price book (default: the catalogue's prices.json)"},
        {"at", 0, OPTION_TEXT, &options.at, "DATE", "of the API's prices (default: the run's)"},
        PRICE_OUTPUT_OPTIONS(&options.shared),
        PRICE_PLOT_OPTION(&options.shared),
        {0}};
    const struct command command = {
        .usage = "price break-even [RESULT_DIR|LOAD.csv] [options]",
        .doc = "Tells from how many tokens a month on self-hosting is cheaper than an API. The "
               "load's\nshape comes from a run, or from a table as `price commit` takes it.",
        .words_min = 0,
        .words_max = 1,
        .options = table};
    struct option_texts words;
    bool help;
    if (!options_parse(&command, argc, argv, &words, &help, error) || help)
        return help;
    return run(words.count > 0 ? words.items[0] : NULL, &options, error);
}
