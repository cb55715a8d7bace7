/* What tests of money share: a usage of one pool, books from text, bills. */
#ifndef TOKENYARD_TESTS_MODELS_MONEY_SUPPORT_H
#define TOKENYARD_TESTS_MODELS_MONEY_SUPPORT_H

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "models/money/billing.h"
#include "models/money/utc_date.h"
#include "sim/json.h"
#include "tests/support.h"

static struct arena *arena;

static inline void set_up(void)
{
    arena = arena_create();
}

static inline void tear_down(void)
{
    arena_destroy(arena);
}

static inline int64_t unix_of(const char *date)
{
    int64_t unix_s;
    cr_assert(utc_date_read(date, &unix_s), "%s", date);
    return unix_s;
}

static inline struct price_book *book_from(const char *text, struct error *error)
{
    struct json_document *document = json_read_text("book.json", text, strlen(text), error);
    cr_assert_not_null(document, "%s", test_error_text(error));
    struct price_entries entries;
    struct price_book *book = NULL;
    if (config_read(&price_entries_config_type, document, json_root(document), "", arena, &entries,
                    error))
        book = price_book_extend(NULL, &entries, document, "", arena, error);
    json_free(document);
    return book;
}

static inline struct price_book *good_book(const char *text)
{
    struct error error = {0};
    struct price_book *book = book_from(text, &error);
    cr_assert_not_null(book, "%s", test_error_text(&error));
    return book;
}

/* Prices of an AWS market of p5.48xlarge at round figures. */
#define ROUND_BOOK                                                                                 \
    "{\"prices\": ["                                                                               \
    "{\"sku\": \"big\", \"provider\": \"AWS\", \"region\": \"east\", \"purchase\": \"on_demand\"," \
    " \"usd_per_hour\": 36},"                                                                      \
    "{\"sku\": \"big\", \"provider\": \"AWS\", \"region\": \"east\", \"purchase\": \"spot\","      \
    " \"usd_per_hour\": 18, \"free_if_interrupted_s\": 3600},"                                     \
    "{\"sku\": \"big\", \"provider\": \"AWS\", \"region\": \"east\","                              \
    " \"purchase\": \"reserved_1y\", \"usd_per_hour\": 24},"                                       \
    "{\"sku\": \"big\", \"provider\": \"AWS\", \"region\": \"east\","                              \
    " \"purchase\": \"savings_1y\", \"usd_per_hour\": 27},"                                        \
    "{\"sku\": \"big\", \"provider\": \"AWS\", \"region\": \"east\","                              \
    " \"purchase\": \"capacity_block\", \"usd_per_hour\": 30},"                                    \
    "{\"sku\": \"small\", \"provider\": \"AWS\", \"region\": \"east\","                            \
    " \"purchase\": \"on_demand\", \"usd_per_hour\": 3.6},"                                        \
    "{\"sku\": \"small\", \"provider\": \"AWS\", \"region\": \"east\","                            \
    " \"purchase\": \"savings_1y\", \"usd_per_hour\": 1.8}"                                        \
    "]}"

/* A usage of one pool with one replica per node, markets "big" (8 GPUs) and "small" (1), and the
 * classes chat (of tenant a) and batch (of tenant b). It starts on an hour. */
static inline void make_usage(struct usage *usage, const char *start)
{
    usage_init(usage, unix_of(start));
    usage_add_pool(usage, &(struct usage_pool){"pool", "llama", 1});
    usage_add_market(usage, &(struct usage_market){"zone-big", "AWS", "east", "big", 8, NAN});
    usage_add_market(usage, &(struct usage_market){"zone-small", "AWS", "east", "small", 1, NAN});
    usage_add_class(usage, &(struct usage_class){"chat", "a"});
    usage_add_class(usage, &(struct usage_class){"batch", "b"});
}

/* Adds a node that is ready at once and lives from..end, in seconds. */
static inline void add_life(struct usage *usage, uint32_t market, enum purchase_option purchase,
                            double from_s, double end_s, enum node_end why)
{
    tick_t from = tick_from_s(from_s), end = tick_from_s(end_s);
    struct node_usage node = {.market = market,
                              .instances = 1,
                              .purchase = purchase,
                              .requested = from,
                              .billed_from = from,
                              .ready = from,
                              .drain = end,
                              .end = end,
                              .why = why};
    usage_add_node(usage, &node);
}

static inline struct commitments commitments_from(const char *text, const struct usage *usage,
                                                  const struct price_book *book,
                                                  struct error *error)
{
    static const struct config_field element = {
        .kind = CONFIG_VARIANT, .variants = commitment_variants, .selector = "kind"};
    static const struct config_field fields[] = {
        {.name = "commitments", .kind = CONFIG_LIST, .doc = "", .element = &element}, {0}};
    static const struct config_type type = {"test", "", sizeof(struct config_list), fields};
    struct json_document *document = json_read_text("money.json", text, strlen(text), error);
    cr_assert_not_null(document, "%s", test_error_text(error));
    struct config_list list;
    struct commitments commitments = {0};
    if (config_read(&type, document, json_root(document), "", arena, &list, error))
        commitments_resolve(&list, document, "/commitments", usage, book, arena, &commitments,
                            error);
    json_free(document);
    return commitments;
}

static inline struct commitments good_commitments(const char *text, const struct usage *usage,
                                                  const struct price_book *book)
{
    struct error error = {0};
    struct commitments commitments = commitments_from(text, usage, book, &error);
    cr_assert_eq(error.code, ERROR_NONE, "%s", test_error_text(&error));
    return commitments;
}

static inline void bill(const struct usage *usage, const struct price_book *book,
                        const struct commitments *commitments, struct ledger *ledger)
{
    static const struct commitments none = {0};
    struct error error = {0};
    struct billing_terms terms = {.book = book,
                                  .commitments = commitments ? commitments : &none,
                                  .output_weight = OUTPUT_WEIGHT_DEFAULT};
    cr_assert(billing_bill(usage, &terms, ledger, &error), "%s", test_error_text(&error));
}

static inline double bill_usd(const struct usage *usage, const struct price_book *book,
                              const struct commitments *commitments)
{
    struct ledger ledger;
    bill(usage, book, commitments, &ledger);
    double usd = (double)ledger_total(&ledger) / 1e9;
    ledger_free(&ledger);
    return usd;
}

static inline double category_usd(const struct ledger *ledger, enum money_category category)
{
    return money_kpis(ledger).usd_by_category[category];
}

#endif
