#include "analysis/price_bill.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/options.h"
#include "analysis/price_run.h"
#include "analysis/price_source.h"
#include "models/money/utc_date.h"
#include "sim/config.h"
#include "sim/json.h"

struct bill_options {
    struct price_options shared;
    struct option_texts books, dates, regions, purchases, apis, commits;
};

struct bill_command {
    const struct bill_options *options;
    struct price_input input;
    struct run_terms run;
    struct json_document *document;  /* of the commitments asked for; NULL: none */
    struct config_list commitments;  /* those asked for */
    const struct price_book **books; /* as many as --book, or the catalogue's */
    struct bill_row *rows;
    size_t count;
    struct arena *arena;
};

/* --- one bill --- */

/* The run as if it had begun on another day, at the same time of the day: clock hours stay. */
static bool move_to_date(struct usage *usage, const char *date, struct error *error)
{
    int64_t unix_s;
    if (!price_read_date(date, &unix_s, error))
        return false;
    usage->start_unix_s += utc_day_start(unix_s) - utc_day_start(usage->start_unix_s);
    return true;
}

static void move_to_region(struct usage *usage, const char *region, struct arena *arena)
{
    struct usage_market *markets = ARENA_ARRAY(arena, usage->market_count + 1, struct usage_market);
    for (uint32_t i = 0; i < usage->market_count; i++) {
        markets[i] = usage->markets[i];
        markets[i].region = region;
    }
    usage->markets = markets;
}

static bool buy_as(struct usage *usage, const char *name, struct arena *arena, struct error *error)
{
    int purchase = 0;
    while (purchase < PURCHASE_NODE_OPTIONS && strcmp(purchase_option_names[purchase], name) != 0)
        purchase++;
    if (purchase == PURCHASE_NODE_OPTIONS) {
        error_set(error, ERROR_USAGE,
                  "--purchase: nodes are not bought as \"%s\" (commitments go with --commit)",
                  name);
        config_hint_names(error, name, purchase_option_names, PURCHASE_NODE_OPTIONS);
        return false;
    }
    struct node_usage *nodes = ARENA_ARRAY(arena, usage->node_count + 1, struct node_usage);
    for (size_t i = 0; i < usage->node_count; i++) {
        nodes[i] = usage->nodes[i];
        nodes[i].purchase = (enum purchase_option)purchase;
    }
    usage->nodes = nodes;
    return true;
}

/* A copy of the run's usage that differs as the terms say; it borrows what does not. */
static bool change_usage(const struct bill_command *command, const struct bill_terms *terms,
                         struct usage *usage, struct error *error)
{
    *usage = command->input.usage;
    if (terms->region)
        move_to_region(usage, terms->region, command->arena);
    return (!terms->at || move_to_date(usage, terms->at, error)) &&
           (!terms->purchase || buy_as(usage, terms->purchase, command->arena, error));
}

static bool differs(const struct bill_terms *terms)
{
    return terms->book || terms->at || terms->region || terms->purchase;
}

static bool bill(const struct usage *usage, const struct billing_terms *terms,
                 struct money_kpis *kpis, struct error *error)
{
    struct ledger ledger;
    if (!billing_bill(usage, terms, &ledger, error))
        return false;
    *kpis = money_kpis(&ledger);
    ledger_free(&ledger);
    return true;
}

bool price_bill_as_run(const char *folder, const struct usage *usage, const struct price_book *book,
                       struct arena *arena, struct money_kpis *kpis, struct error *error)
{
    struct run_terms terms;
    return price_run_terms(folder, usage, book, arena, &terms, error) &&
           bill(usage, &terms.billing, kpis, error);
}

static bool add_as_run(struct bill_command *command, struct error *error)
{
    struct bill_row *row = &command->rows[command->count++];
    *row = (struct bill_row){0};
    return bill(&command->input.usage, &command->run.billing, &row->kpis, error);
}

/* What is asked for takes the place of the run's own commitments, which otherwise stay: but not
 * where all nodes are bought in another way. */
static const struct config_list *commitments_of(const struct bill_command *command,
                                                const struct bill_terms *terms)
{
    static const struct config_list none;
    if (command->options->commits.count > 0)
        return &command->commitments;
    return terms->purchase ? &none : &command->run.commitments;
}

static bool add_bill(struct bill_command *command, struct bill_terms terms,
                     const struct price_book *book, struct error *error)
{
    struct bill_row *row = &command->rows[command->count++];
    struct usage usage;
    struct commitments commitments;
    *row = (struct bill_row){.terms = terms, .committed = command->options->commits.count > 0};
    return change_usage(command, &terms, &usage, error) &&
           commitments_resolve(commitments_of(command, &terms), command->document, "/commit",
                               &usage, book, command->arena, &commitments, error) &&
           bill(&usage,
                &(struct billing_terms){book, &commitments,
                                        differs(&terms) ? PRICES_OF_BOOK
                                                        : command->run.billing.precedence,
                                        command->run.billing.output_weight},
                &row->kpis, error);
}

/* --- all of them --- */

/* The i-th that was given, or NULL where none was. */
static const char *given(const struct option_texts *texts, size_t i)
{
    return texts->count > 0 ? texts->items[i] : NULL;
}

static size_t choices(const struct option_texts *texts)
{
    return texts->count > 0 ? texts->count : 1;
}

static bool add_combinations(struct bill_command *command, struct error *error)
{
    const struct bill_options *options = command->options;
    bool committed = options->commits.count > 0;
    size_t regions = choices(&options->regions), purchases = choices(&options->purchases),
           dates = choices(&options->dates);
    size_t count = choices(&options->books) * dates * regions * purchases;
    for (size_t i = 0; i < count; i++) {
        const struct bill_terms terms = {
            .purchase = given(&options->purchases, i % purchases),
            .region = given(&options->regions, i / purchases % regions),
            .at = given(&options->dates, i / purchases / regions % dates),
            .book = given(&options->books, i / purchases / regions / dates)};
        const struct price_book *book = command->books[i / purchases / regions / dates];
        if ((differs(&terms) || committed) && !add_bill(command, terms, book, error))
            return false;
    }
    return true;
}

static bool add_api(struct bill_command *command, const char *name, const char *date,
                    struct error *error)
{
    struct bill_row *row = &command->rows[command->count++];
    *row = (struct bill_row){.terms = {.at = date, .api = name}};
    struct usage usage;
    if (!change_usage(command, &row->terms, &usage, error))
        return false;
    const struct api_price *price =
        price_book_api(command->books[0], name, usage.start_unix_s, error);
    if (!price)
        return false;
    struct ledger ledger;
    billing_bill_api(&usage, price, false, &ledger);
    row->kpis = money_kpis(&ledger);
    ledger_free(&ledger);
    return true;
}

static bool add_apis(struct bill_command *command, struct error *error)
{
    const struct bill_options *options = command->options;
    for (size_t i = 0; i < options->apis.count; i++)
        for (size_t date = 0; date < choices(&options->dates); date++)
            if (!add_api(command, options->apis.items[i], given(&options->dates, date), error))
                return false;
    return true;
}

/* --- what is asked --- */

static const struct config_field commitment_element = {
    .kind = CONFIG_VARIANT, .variants = commitment_variants, .selector = "kind"};
static const struct config_field asked_fields[] = {{.name = "commit",
                                                    .kind = CONFIG_LIST,
                                                    .element = &commitment_element,
                                                    .doc = "commitments of the command line"},
                                                   {0}};
static const struct config_type asked_type = {"asked", "commitments of the command line",
                                              sizeof(struct config_list), asked_fields};

/* The texts as one document, so that messages say which of them is meant. */
static bool read_commitments(struct bill_command *command, struct error *error)
{
    const struct option_texts *texts = &command->options->commits;
    if (texts->count == 0)
        return true;
    char *text = arena_strdup(command->arena, "{\"commit\": [");
    for (size_t i = 0; i < texts->count; i++)
        text = arena_printf(command->arena, "%s%s%s", text, i > 0 ? ",\n" : "", texts->items[i]);
    text = arena_printf(command->arena, "%s]}", text);
    command->document = json_read_text("--commit", text, strlen(text), error);
    return command->document &&
           config_read(&asked_type, command->document, json_root(command->document), "",
                       command->arena, &command->commitments, error);
}

static bool open_books(struct bill_command *command, struct error *error)
{
    const struct option_texts *texts = &command->options->books;
    size_t count = choices(texts);
    command->books = ARENA_ARRAY(command->arena, count, const struct price_book *);
    for (size_t i = 0; i < count; i++) {
        command->books[i] = price_open_book(given(texts, i), command->arena, error);
        if (!command->books[i])
            return false;
    }
    if (!price_run_terms(command->input.path, &command->input.usage, command->books[0],
                         command->arena, &command->run, error))
        return false;
    if (texts->count == 0)
        command->books[0] = command->run.billing.book;
    return true;
}

static bool make_room(struct bill_command *command, struct error *error)
{
    enum { ROWS_MAX = 1000 };
    const struct bill_options *options = command->options;
    size_t count = choices(&options->books) * choices(&options->dates) *
                   choices(&options->regions) * choices(&options->purchases);
    count += options->apis.count * choices(&options->dates) + 1;
    if (count > ROWS_MAX)
        return error_set(error, ERROR_USAGE, "that would be %zu bills; at most %d are made", count,
                         ROWS_MAX);
    command->rows = ARENA_ARRAY(command->arena, count, struct bill_row);
    return true;
}

static bool make_bills(struct bill_command *command, struct error *error)
{
    return make_room(command, error) && read_commitments(command, error) &&
           open_books(command, error) && add_as_run(command, error) &&
           add_combinations(command, error) && add_apis(command, error);
}

/* --- the command --- */

static bool answer(const struct bill_command *command, struct error *error)
{
    const struct usage *usage = &command->input.usage;
    const struct bill_report report = {.folder = command->input.path,
                                       .rows = command->rows,
                                       .count = command->count,
                                       .hours = tick_to_s(usage->end) / 3600,
                                       .start_unix_s = usage->start_unix_s};
    const struct price_report give = {.report = &report,
                                      .name = "price",
                                      .put = bill_report_put,
                                      .put_csv = bill_report_put_csv,
                                      .print = bill_report_print};
    return price_give(&give, &command->options->shared, &command->input, command->arena, error);
}

static bool open_run(const char *path, struct price_input *input, struct error *error)
{
    if (!price_input_open(path, input, error))
        return false;
    if (input->is_run)
        return true;
    error_at(error, ERROR_BAD_INPUT, path, 0, NULL, "this is not the result folder of a run");
    return error_hint(error, "`tokenyard run` writes it; `price commit` and `price break-even` "
                             "take tables, too");
}

static bool run(const char *path, const struct bill_options *options, struct error *error)
{
    struct bill_command command = {.options = options};
    if (!open_run(path, &command.input, error))
        return false;
    command.arena = arena_create();
    bool done = make_bills(&command, error) && answer(&command, error);
    json_free(command.document);
    arena_destroy(command.arena);
    price_input_close(&command.input);
    return done;
}

bool price_bill_command(int argc, char *const argv[], struct error *error)
{
    struct bill_options options = {0};
    const struct option table[] = {
        {"book", 'b', OPTION_TEXTS, &options.books, "FILE", "price book (default: the run's)"},
        {"at", 0, OPTION_TEXTS, &options.dates, "DATE", "as if the run had begun on that day"},
        {"region", 0, OPTION_TEXTS, &options.regions, "NAME", "as if it had run there"},
        {"purchase", 0, OPTION_TEXTS, &options.purchases, "KIND",
         "as if all nodes had been bought so: on_demand, spot, serverless"},
        {"api", 0, OPTION_TEXTS, &options.apis, "NAME",
         "as if an API of the book had served the tokens"},
        {"commit", 0, OPTION_TEXTS, &options.commits, "JSON",
         "a commitment, as a scenario's money has them, in all bills but the first, in place of "
         "the "
         "run's own"},
        PRICE_OUTPUT_OPTIONS(&options.shared),
        {0}};
    const struct command command = {
        .usage = "price RESULT_DIR [options]",
        .doc = "Bills a run anew, without simulating it again. The first six options may be "
               "repeated:\nevery combination of book, date, region and purchase is a bill, and "
               "every API.\n\n"
               "  tokenyard price commit ...       how much to commit to\n"
               "  tokenyard price break-even ...   self-hosting against an API",
        .words_min = 1,
        .words_max = 1,
        .options = table};
    struct option_texts words;
    bool help;
    if (!options_parse(&command, argc, argv, &words, &help, error) || help)
        return help;
    return run(words.items[0], &options, error);
}
