/* The "money" of a scenario, from its text to a bill. */
#include "models/money/money_config.h"

#include "models/catalog_path.h"
#include "tests/models/money/support.h"

TestSuite(money_config, .init = set_up, .fini = tear_down);

static bool bill_by(const char *text, const struct usage *usage, struct money_result *result,
                    struct error *error)
{
    struct json_document *document = json_read_text("scenario.json", text, strlen(text), error);
    struct money_place place = {document, "", test_folder(), catalog_path(arena, error)};
    struct money_config config;
    bool done =
        config_read(&money_config_type, document, json_root(document), "", arena, &config, error) &&
        money_bill(&config, &place, usage, arena, result, error);
    json_free(document);
    return done;
}

static double usd_by(const char *text, const struct usage *usage)
{
    struct money_result result;
    struct error error = {0};
    cr_assert(bill_by(text, usage, &result, &error), "%s", test_error_text(&error));
    double usd = (double)ledger_total(&result.ledger) / 1e9;
    ledger_free(&result.ledger);
    return usd;
}

/* An hour of p5.48xlarge in July 2025, one Spot node of recorded price, one on demand. */
static void make_p5_hour(struct usage *usage, double own_usd)
{
    usage_init(usage, unix_of("2025-07-01"));
    usage_add_pool(usage, &(struct usage_pool){"pool", "", 8});
    usage_add_market(usage,
                     &(struct usage_market){"a", "AWS", "us-east-1", "p5.48xlarge", 8, own_usd});
    usage->end = tick_from_s(3600);
    usage_set_spot_price(usage, 0, 0, 5);
    add_life(usage, 0, PURCHASE_SPOT, 0, 3600, NODE_END_HORIZON);
    add_life(usage, 0, PURCHASE_ON_DEMAND, 0, 3600, NODE_END_HORIZON);
}

#define CLOSE(a, b) cr_expect(fabs((a) - (b)) < 1e-9, "%.12f, not %.12f", (a), (b))

Test(money_config, prices_come_from_the_run_the_scenario_or_the_catalogue)
{
    struct usage usage;
    make_p5_hour(&usage, NAN);
    CLOSE(usd_by("{}", &usage), 5 + 55.04);
    CLOSE(usd_by("{\"prefer\": \"book\"}", &usage), 20.788 + 55.04);
    CLOSE(usd_by("{\"own_prices\": {\"prices\": [{\"sku\": \"p5.48xlarge\", \"provider\": \"AWS\","
                 "\"region\": \"us-east-1\", \"purchase\": \"on_demand\", \"usd_per_hour\": 40}]}}",
                 &usage),
          5.0 + 40);
    usage_free(&usage);
    make_p5_hour(&usage, 30);
    CLOSE(usd_by("{}", &usage), 5.0 + 30);
    CLOSE(usd_by("{\"prefer\": \"book\"}", &usage), 20.788 + 55.04);
    usage_free(&usage);
}

Test(money_config, a_price_book_is_found_beside_the_scenario)
{
    struct usage usage;
    char path[256];
    static const char text[] = "{\"prices\": [{\"sku\": \"p5.48xlarge\", \"provider\": \"AWS\","
                               "\"purchase\": \"on_demand\", \"usd_per_hour\": 12.5}]}";
    test_write_file("book.json", text, strlen(text), path, sizeof path);
    make_p5_hour(&usage, NAN);
    CLOSE(usd_by("{\"price_book\": \"book.json\"}", &usage), 5 + 12.5);
    struct money_result result;
    struct error error = {0};
    cr_expect_not(bill_by("{\"price_book\": \"absent.json\"}", &usage, &result, &error));
    cr_expect(strstr(error.file, "absent.json"), "%s", error.file);
    usage_free(&usage);
}

Test(money_config, commitments_and_alerts_are_at_work)
{
    struct usage usage;
    struct money_result result;
    struct error error = {0};
    make_p5_hour(&usage, NAN);
    cr_assert(bill_by("{\"commitments\": [{\"kind\": \"reserved\", \"sku\": \"p5.48xlarge\","
                      " \"term\": \"3y\"}],"
                      " \"alerts\": [{\"usd\": 50, \"actual_percent\": [50, 80]}]}",
                      &usage, &result, &error),
              "%s", test_error_text(&error));
    CLOSE((double)ledger_total(&result.ledger) / 1e9, 5 + 23.777);
    cr_assert_eq(result.alerts.count, 1);
    cr_expect_eq(result.alerts.items[0].percent, 50);
    ledger_free(&result.ledger);
    cr_expect_not(bill_by("{\"commitments\": [{\"kind\": \"capacity_block\","
                          " \"sku\": \"p5.48xlarge\", \"start\": \"soon\"}]}",
                          &usage, &result, &error));
    cr_expect_str_eq(error.json_path, "/commitments/0/start");
    usage_free(&usage);
}
