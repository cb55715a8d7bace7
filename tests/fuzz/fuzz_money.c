/* Any bytes, read as the money of a scenario: refused with an error, or a fixed usage is billed by
 * it, or refused, and then what is billed adds up over every dimension, and every instance-second
 * is in it once. */
#include <assert.h>
#include <math.h>
#include <stdint.h>

#include "models/money/money_config.h"
#include "sim/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_node(struct usage *usage, enum purchase_option purchase, double from_s,
                     double end_s, enum node_end why)
{
    usage_add_node(usage, &(struct node_usage){.instances = 2,
                                               .purchase = purchase,
                                               .requested = tick_from_s(from_s),
                                               .billed_from = tick_from_s(from_s),
                                               .ready = tick_from_s((from_s + end_s) / 2),
                                               .drain = tick_from_s(end_s),
                                               .end = tick_from_s(end_s),
                                               .why = why});
}

static void make_usage(struct usage *usage)
{
    usage_init(usage, 1748736000 + 1800); /* 2025-06-01T00:30 */
    usage_add_pool(usage, &(struct usage_pool){"p", "m", 1});
    usage_add_market(usage, &(struct usage_market){"z", "AWS", "r", "x", 8, NAN});
    usage_add_class(usage, &(struct usage_class){"c", "t"});
    usage->end = tick_from_s(100000);
    add_node(usage, PURCHASE_ON_DEMAND, 100.5, 9000, NODE_END_SCALE_IN);
    add_node(usage, PURCHASE_ON_DEMAND, 50000, 100000, NODE_END_HORIZON);
    add_node(usage, PURCHASE_SPOT, 0, 40, NODE_END_INTERRUPTED);
    usage_hour(usage, 0, tick_from_s(2000))->busy_ticks = tick_from_s(1000);
    usage_hour(usage, 0, tick_from_s(6000))->busy_ticks = tick_from_s(3600);
    usage_class_hour(usage, 0, 0, tick_from_s(8000))->output_tok = 10;
}

static void check_ledger(const struct ledger *ledger)
{
    int64_t total = ledger_total(ledger);
    for (int dimension = 0; dimension < LEDGER_DIMENSIONS; dimension++) {
        struct ledger_sums sums = ledger_sum_by(ledger, (enum ledger_dimension)dimension);
        int64_t sum = 0;
        for (size_t i = 0; i < sums.count; i++)
            sum += sums.rows[i].total_nano_usd;
        assert(sum == total);
        ledger_sums_free(&sums);
    }
    double time_s = 0;
    for (size_t i = 0; i < ledger->count; i++)
        time_s += (double)ledger->lines[i].instance_ns / 1e9;
    assert(time_s > 2 * (8899 + 50000 + 40)); /* or longer, by granularity and minimum */
}

static void bill(const struct money_config *config, const struct json_document *document,
                 struct arena *arena, struct error *error)
{
    struct usage usage;
    struct ledger ledger;
    struct commitments commitments;
    make_usage(&usage);
    const struct price_book *book =
        config->own_prices
            ? price_book_extend(NULL, config->own_prices, document, "/own_prices", arena, error)
            : NULL;
    if (book && commitments_resolve(&config->commitments, document, "/commitments", &usage, book,
                                    arena, &commitments, error)) {
        struct billing_terms terms = {book, &commitments, (enum price_precedence)config->prefer,
                                      config->output_token_weight};
        if (billing_bill(&usage, &terms, &ledger, error)) {
            check_ledger(&ledger);
            budget_alerts_find(&ledger, &config->alerts, arena);
            ledger_free(&ledger);
        }
    }
    usage_free(&usage);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct json_document *document = json_read_text("money", (const char *)data, size, &error);
    if (!document)
        return 0;
    struct arena *arena = arena_create();
    struct money_config config;
    if (config_read(&money_config_type, document, json_root(document), "", arena, &config, &error))
        bill(&config, document, arena, &error);
    arena_destroy(arena);
    json_free(document);
    return 0;
}
