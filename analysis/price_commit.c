#include "analysis/price_commit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/options.h"
#include "analysis/price_demand.h"
#include "analysis/price_source.h"

struct commit_options {
    struct price_options shared;
    const char *book, *at, *region, *provider, *sku;
    struct option_texts committed;
    double on_demand_usd; /* NaN: the book's */
    double years;         /* of the horizon; NaN: the longest term */
    double growth, price_change;
    bool whole, all_nodes;
};

struct commit_command {
    const struct commit_options *options;
    struct price_input input;
    struct price_demand demand;
    struct commitment_offer offers[COMMITMENT_OFFERS_MAX];
    struct commitment_question question;
    struct arena *arena;
};

/* --- offers of the command line: [NAME:]TERM=USD --- */

static bool bad_offer(const char *text, struct error *error)
{
    error_set(error, ERROR_USAGE, "--committed: cannot read \"%s\"", text);
    return error_hint(error, "a term and a price per instance-hour: 1y=0.64, 6m=0.8, or with a "
                             "name before it, plan:3y=0.43");
}

/* "3y" or "6m", up to the equals sign. */
static const char *read_term(const char *text, int64_t *months)
{
    char *end;
    long count = strtol(text, &end, 10);
    if (end == text || count < 1 || count > 1200 || (*end != 'y' && *end != 'm') || end[1] != '=')
        return NULL;
    *months = *end == 'y' ? 12 * count : count;
    return end + 2;
}

static bool read_offer(const char *text, struct arena *arena, struct commitment_offer *offer,
                       struct error *error)
{
    const char *colon = strchr(text, ':'), *term = colon ? colon + 1 : text;
    const char *price = read_term(term, &offer->term_months);
    if (!price || colon == text)
        return bad_offer(text, error);
    char *end;
    offer->usd_per_hour = strtod(price, &end);
    if (end == price || *end != '\0' || !isfinite(offer->usd_per_hour))
        return bad_offer(text, error);
    size_t length = (size_t)((colon ? colon : price - 1) - text);
    offer->name = arena_printf(arena, "%.*s", (int)length, text);
    return true;
}

static bool read_offers(struct commit_command *command, struct error *error)
{
    const struct option_texts *texts = &command->options->committed;
    if (texts->count > COMMITMENT_OFFERS_MAX)
        return error_set(error, ERROR_USAGE, "--committed is given more than %d times",
                         COMMITMENT_OFFERS_MAX);
    for (size_t i = 0; i < texts->count; i++)
        if (!read_offer(texts->items[i], command->arena, &command->offers[i], error))
            return false;
    command->question.offer_count = texts->count;
    return true;
}

/* --- prices of the book --- */

struct book_query {
    const struct price_book *book;
    struct price_query place;
    int64_t at_unix_s;
};

static bool begin_query(const struct commit_command *command, struct book_query *query,
                        struct error *error)
{
    const struct commit_options *options = command->options;
    const char *sku = options->sku ? options->sku : command->demand.sku;
    if (!sku[0]) {
        error_set(error, ERROR_USAGE, "there is no price to go by");
        return error_hint(error, "give --on-demand and --committed, or name an instance type of "
                                 "the price book: --sku p5.48xlarge --at 2025-07-01");
    }
    if (!options->at && !command->input.is_run) {
        error_set(error, ERROR_USAGE, "--at is missing: prices of the book are dated");
        return error_hint(error, "for example --at 2025-07-01");
    }
    query->at_unix_s = command->input.usage.start_unix_s;
    query->place = (struct price_query){
        .sku = sku,
        .provider = options->provider ? options->provider : command->demand.provider,
        .region = options->region ? options->region : command->demand.region};
    query->book = price_open_book(options->book, command->arena, error);
    return query->book && (!options->at || price_read_date(options->at, &query->at_unix_s, error));
}

/* Per instance-hour, with what is paid up front spread over the term. */
static double usd_per_hour(const struct price_entry *entry, int64_t term_months)
{
    double upfront_usd = isnan(entry->upfront_usd) ? 0 : entry->upfront_usd;
    return entry->usd_per_hour + upfront_usd / ((double)term_months * 730);
}

static bool find_on_demand(struct commit_command *command, struct book_query *query,
                           struct error *error)
{
    struct price_series series;
    int64_t next;
    query->place.purchase = PURCHASE_ON_DEMAND;
    if (!price_book_series(query->book, &query->place, &series, error))
        return false;
    const struct price_entry *entry = price_series_at(&series, query->at_unix_s, &next);
    if (!entry)
        return error_at(error, ERROR_BAD_INPUT, query->book->name, 0, NULL,
                        "has no on-demand price of %s at that date", query->place.sku);
    command->question.on_demand_usd_per_hour = entry->usd_per_hour;
    return true;
}

/* Every commitment that the book offers at that date. */
static bool find_offers(struct commit_command *command, struct book_query *query,
                        struct error *error)
{
    static const struct {
        enum purchase_option purchase;
        int64_t term_months;
    } kinds[] = {{PURCHASE_RESERVED_1Y, 12}, {PURCHASE_RESERVED_3Y, 36}, {PURCHASE_SAVINGS_1Y, 12},
                 {PURCHASE_SAVINGS_3Y, 36},  {PURCHASE_CUD_1Y, 12},      {PURCHASE_CUD_3Y, 36}};
    size_t *count = &command->question.offer_count;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        query->place.purchase = kinds[i].purchase;
        struct price_series series = price_book_find(query->book, &query->place);
        int64_t next;
        const struct price_entry *entry = price_series_at(&series, query->at_unix_s, &next);
        if (entry)
            command->offers[(*count)++] = (struct commitment_offer){
                purchase_option_names[kinds[i].purchase], usd_per_hour(entry, kinds[i].term_months),
                kinds[i].term_months};
    }
    if (*count > 0)
        return true;
    error_at(error, ERROR_BAD_INPUT, query->book->name, 0, NULL,
             "offers no commitment for %s at that date", query->place.sku);
    return error_hint(error, "--committed 1y=USD gives one");
}

static bool find_prices(struct commit_command *command, struct error *error)
{
    struct commitment_question *question = &command->question;
    question->on_demand_usd_per_hour = command->options->on_demand_usd;
    question->offers = command->offers;
    if (!read_offers(command, error))
        return false;
    bool on_demand_known = !isnan(question->on_demand_usd_per_hour);
    if (on_demand_known && question->offer_count > 0)
        return true;
    struct book_query query;
    return begin_query(command, &query, error) &&
           (on_demand_known || find_on_demand(command, &query, error)) &&
           (question->offer_count > 0 || find_offers(command, &query, error));
}

/* --- the command --- */

static bool find_demand(struct commit_command *command, struct error *error)
{
    const struct commit_options *options = command->options;
    if (command->input.is_run)
        return price_demand_of_run(&command->input.usage, options->sku, options->all_nodes,
                                   command->arena, &command->demand, error);
    return price_demand_of_table(command->input.path, command->arena, &command->demand, error);
}

static bool find_horizon(struct commit_command *command, struct error *error)
{
    struct commitment_question *question = &command->question;
    double months = 12 * command->options->years;
    if (isnan(months)) {
        for (size_t i = 0; i < question->offer_count; i++)
            if (question->offers[i].term_months > question->horizon_months)
                question->horizon_months = question->offers[i].term_months;
        return true;
    }
    question->horizon_months = (int64_t)llround(fmin(fmax(months, 0), 1e6));
    return fabs(months - (double)question->horizon_months) < 1e-6 ||
           error_set(error, ERROR_USAGE, "--years: no whole number of months");
}

static bool ask(struct commit_command *command, struct error *error)
{
    const struct commit_options *options = command->options;
    command->question = (struct commitment_question){.demand_factor = 1,
                                                     .growth_per_year = options->growth,
                                                     .price_change_per_year = options->price_change,
                                                     .whole = options->whole};
    if (!find_demand(command, error) || !find_prices(command, error) ||
        !find_horizon(command, error))
        return false;
    command->question.curve = command->demand.curve;
    bool ok = commitment_check(&command->question, error);
    if (!ok && error)
        error->code = ERROR_USAGE; /* book and demand were checked before */
    return ok;
}

static bool answer(const struct commit_command *command, struct error *error)
{
    const char *name = command->demand.sku[0] ? command->demand.sku : command->input.path;
    struct commit_report report = commit_report_create(name, &command->question, command->arena);
    const struct price_report give = {.report = &report,
                                      .name = "commit",
                                      .put = commit_report_put,
                                      .put_csv = commit_report_put_csv,
                                      .print = commit_report_print,
                                      .plot = commit_report_plot};
    return price_give(&give, &command->options->shared, &command->input, command->arena, error);
}

static bool run(const char *path, const struct commit_options *options, struct error *error)
{
    struct commit_command command = {.options = options};
    if (!price_input_open(path, &command.input, error))
        return false;
    command.arena = arena_create();
    bool done = ask(&command, error) && answer(&command, error);
    arena_destroy(command.arena);
    price_input_close(&command.input);
    return done;
}

bool price_commit_command(int argc, char *const argv[], struct error *error)
{
    struct commit_options options = {.on_demand_usd = NAN, .years = NAN};
    const struct option table[] = {
        {"on-demand", 0, OPTION_NUMBER, &options.on_demand_usd, "USD",
         "per instance-hour (default: the book's)"},
        {"committed", 0, OPTION_TEXTS, &options.committed, "TERM=USD",
         "an offer, such as 1y=0.64 or plan:3y=0.43; may be repeated (default: the book's)"},
        {"years", 0, OPTION_NUMBER, &options.years, "N", "to look at (default: the longest term)"},
        {"growth", 0, OPTION_NUMBER, &options.growth, "SHARE",
         "of demand, a year: 0.2 is a fifth more"},
        {"price-change", 0, OPTION_NUMBER, &options.price_change, "SHARE",
         "of all prices, a year: -0.3 is a fall by 30 %"},
        {"whole", 0, OPTION_FLAG, &options.whole, NULL, "commit to whole instances only"},
        {"sku", 0, OPTION_TEXT, &options.sku, "NAME", "the instance type, in run and book"},
        {"all-nodes", 0, OPTION_FLAG, &options.all_nodes, NULL,
         "count nodes on Spot, too, not only those on demand"},
        {"book", 'b', OPTION_TEXT, &options.book, "FILE",
         "price book (default: the catalogue's prices.json)"},
        {"at", 0, OPTION_TEXT, &options.at, "DATE", "of the prices (default: the run's)"},
        {"region", 0, OPTION_TEXT, &options.region, "NAME", "of the prices (default: the run's)"},
        {"provider", 0, OPTION_TEXT, &options.provider, "NAME",
         "of the prices (default: the run's)"},
        PRICE_OUTPUT_OPTIONS(&options.shared),
        PRICE_PLOT_OPTION(&options.shared),
        {0}};
    const struct command command = {
        .usage = "price commit RESULT_DIR|CURVE.csv [options]",
        .doc = "Finds the commitments of least cost for a demand: that of a run, or a table with "
               "the\ncolumns instances and, where steps are not an hour each, hours.",
        .words_min = 1,
        .words_max = 1,
        .options = table};
    struct option_texts words;
    bool help;
    if (!options_parse(&command, argc, argv, &words, &help, error) || help)
        return help;
    return run(words.items[0], &options, error);
}
