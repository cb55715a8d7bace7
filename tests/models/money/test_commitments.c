/* Commitments against the examples of their documentation and figures computed by hand. */
#include "tests/models/money/support.h"

#include "sim/random.h"

TestSuite(commitments, .init = set_up, .fini = tear_down);

#define CLOSE(a, b) cr_expect(fabs((a) - (b)) < 1e-6, "%.9f, not %.9f", (a), (b))

/* Nodes of "big" for one hour, of 3600 s / n each. */
static void add_nodes(struct usage *usage, int count, double length_s)
{
    for (int i = 0; i < count; i++)
        add_life(usage, 0, PURCHASE_ON_DEMAND, 0, length_s, NODE_END_SCALE_IN);
}

#define RESERVED "{\"commitments\": [{\"kind\": \"reserved\", \"sku\": \"big\"}]}"

/* AWS whitepaper "EC2 Reserved Instances and Other Reservation Models", "Usage billing". */
Test(commitments, a_reserved_instance_covers_3600_seconds_of_each_clock_hour)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    add_nodes(&usage, 4, 3600); /* one at 24, three at 36 */
    struct commitments one = good_commitments(RESERVED, &usage, book);
    CLOSE(bill_usd(&usage, book, &one), 24.0 + 3 * 36.0);
    usage_free(&usage);

    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    add_nodes(&usage, 4, 900); /* together one hour */
    one = good_commitments(RESERVED, &usage, book);
    CLOSE(bill_usd(&usage, book, &one), 24.0);
    usage_free(&usage);
}

Test(commitments, what_is_reserved_is_paid_for_in_hours_without_usage)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    struct ledger ledger;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3 * 3600);
    add_nodes(&usage, 1, 1800);
    struct commitments one = good_commitments(RESERVED, &usage, book);
    bill(&usage, book, &one, &ledger);
    CLOSE((double)ledger_total(&ledger) / 1e9, 72.0);
    CLOSE(category_usd(&ledger, MONEY_UNUSED), 60.0);
    struct ledger_sums by = ledger_sum_by(&ledger, LEDGER_BY_COMMITMENT);
    cr_assert_eq(by.count, 1);
    cr_expect_str_eq(by.rows[0].label, "reserved_1y big x 1");
    ledger_sums_free(&by);
    ledger_free(&ledger);
    usage_free(&usage);
}

Test(commitments, a_run_within_an_hour_pays_for_that_part_of_it)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    make_usage(&usage, "2025-06-02T00:45:00Z");
    usage.end = tick_from_s(1800);
    struct commitments one = good_commitments(RESERVED, &usage, book);
    CLOSE(bill_usd(&usage, book, &one), 12.0);
    usage_free(&usage);
}

Test(commitments, upfront_is_spread_over_the_term)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    struct commitments one =
        good_commitments("{\"commitments\": [{\"kind\": \"reserved\", \"sku\": \"big\","
                         " \"usd_per_hour\": 1, \"upfront_usd\": 87600}]}",
                         &usage, book);
    CLOSE(bill_usd(&usage, book, &one), 1.0 + 10.0); /* 87600 / 8760 */
    usage_free(&usage);
}

/* The example of the Savings Plans User Guide, "Understanding how Savings Plans apply", with its
 * usage as instances that live for an hour: 4 x r5.4xlarge at 1.00 (plan 0.70), 400 vCPU at 0.04
 * (0.03), 1,600 GB at 0.004 (0.003), one m5.24xlarge at 10.00 (8.20), 1.5 M GB-seconds of Lambda at
 * 0.000015 (0.00001275), and requests for 0.20 without a discount. */
struct example_row {
    const char *sku;
    double demand_usd, plan_usd;
    int count;
};
static const struct example_row guide[] = {
    {"r5.4xlarge", 1.00, 0.70, 4},
    {"fargate-vcpu", 0.04 * 400, 0.03 * 400, 1},
    {"fargate-gb", 0.004 * 1600, 0.003 * 1600, 1},
    {"m5.24xlarge", 10.00, 8.20, 1},
    {"lambda-duration", 0.000015 * 1.5e6, 0.00001275 * 1.5e6, 1},
    {"lambda-requests", 0.20, 0.20, 1},
};
enum { GUIDE_ROWS = sizeof guide / sizeof *guide };

static struct price_book *guide_book(void)
{
    char text[4096] = "{\"prices\": [";
    for (int i = 0; i < GUIDE_ROWS; i++)
        for (int plan = 0; plan < 2; plan++)
            snprintf(text + strlen(text), sizeof text - strlen(text),
                     "%s{\"sku\": \"%s\", \"provider\": \"AWS\", \"purchase\": \"%s\","
                     " \"usd_per_hour\": %.9g}",
                     i + plan ? "," : "", guide[i].sku, plan ? "savings_1y" : "on_demand",
                     plan ? guide[i].plan_usd : guide[i].demand_usd);
    strcat(text, "]}");
    return good_book(text);
}

static double guide_bill(double commitment_usd, double *unused_usd)
{
    struct price_book *book = guide_book();
    struct usage usage;
    struct ledger ledger;
    usage_init(&usage, unix_of("2025-06-02"));
    usage_add_pool(&usage, &(struct usage_pool){"pool", "", 1});
    for (int i = 0; i < GUIDE_ROWS; i++)
        usage_add_market(&usage,
                         &(struct usage_market){guide[i].sku, "AWS", "any", guide[i].sku, 1, NAN});
    usage.end = tick_from_s(3600);
    for (int i = 0; i < GUIDE_ROWS; i++)
        for (int j = 0; j < guide[i].count; j++)
            add_life(&usage, (uint32_t)i, PURCHASE_ON_DEMAND, 0, 3600, NODE_END_HORIZON);
    char text[256];
    snprintf(text, sizeof text,
             "{\"commitments\": [{\"kind\": \"savings_plan\", \"usd_per_hour\": %.9g}]}",
             commitment_usd);
    struct commitments plan = good_commitments(text, &usage, book);
    bill(&usage, book, &plan, &ledger);
    double usd = (double)ledger_total(&ledger) / 1e9;
    *unused_usd = category_usd(&ledger, MONEY_UNUSED);
    ledger_free(&ledger);
    usage_free(&usage);
    return usd;
}

Test(commitments, the_savings_plan_example_of_the_user_guide)
{
    double unused;
    CLOSE(guide_bill(50, &unused), 50.0); /* scenario 1: all usage costs 47.125, the rest is lost */
    CLOSE(unused, 2.875);
    /* 2.80 for r5 (30 % off), 12.00 for vCPU and 3.40 of the 4.80 for GB (25 %; the GB rate is the
     * lower in sum here, so it goes first: 4.80, then 10.60 of 12.00). Left: 1.40 / 0.75 of
     * on-demand vCPU, 10.00, 22.50, 0.20. */
    CLOSE(guide_bill(18.20, &unused), 18.20 + 1.40 / 0.75 + 10 + 22.5 + 0.2);
    CLOSE(unused, 0.0);
    CLOSE(guide_bill(0, &unused), 4 + 16 + 6.4 + 10 + 22.5 + 0.2);
}

Test(commitments, savings_plans_come_after_reserved_instances_and_not_to_spot)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    add_nodes(&usage, 2, 3600);
    add_life(&usage, 0, PURCHASE_SPOT, 0, 3600, NODE_END_HORIZON);
    struct commitments both =
        good_commitments("{\"commitments\": [{\"kind\": \"savings_plan\", \"usd_per_hour\": 30},"
                         "{\"kind\": \"reserved\", \"sku\": \"big\"}]}",
                         &usage, book);
    /* One reserved (24), one of the plan (27 of 30), Spot 18 */
    CLOSE(bill_usd(&usage, book, &both), 24.0 + 30.0 + 18.0);
    usage_free(&usage);
}

Test(commitments, a_plan_goes_where_it_saves_most)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    add_nodes(&usage, 1, 3600);                                         /* 25 % off */
    add_life(&usage, 1, PURCHASE_ON_DEMAND, 0, 3600, NODE_END_HORIZON); /* 50 % off */
    struct commitments plan = good_commitments(
        "{\"commitments\": [{\"kind\": \"savings_plan\", \"usd_per_hour\": 1.8}]}", &usage, book);
    CLOSE(bill_usd(&usage, book, &plan), 36.0 + 1.8);
    plan = good_commitments("{\"commitments\": [{\"kind\": \"savings_plan\","
                            " \"usd_per_hour\": 10.8}]}",
                            &usage, book);
    CLOSE(bill_usd(&usage, book, &plan), 10.8 + 36.0 * (1 - 9.0 / 27));
    usage_free(&usage);
}

/* An EC2 Instance plan is applied before a Compute plan, though that would save more on it. */
Test(commitments, narrow_plans_come_before_broad_ones)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    add_nodes(&usage, 1, 3600);
    struct commitments plans = good_commitments(
        "{\"commitments\": ["
        "{\"kind\": \"savings_plan\", \"usd_per_hour\": 9, \"discount_percent\": 75},"
        "{\"kind\": \"savings_plan\", \"usd_per_hour\": 18, \"discount_percent\": 50,"
        " \"scope\": \"ec2_instance\", \"region\": \"east\"}]}",
        &usage, book);
    struct ledger ledger;
    bill(&usage, book, &plans, &ledger);
    CLOSE(category_usd(&ledger, MONEY_UNUSED), 9.0); /* the Compute plan's */
    ledger_free(&ledger);
    usage_free(&usage);
}

Test(commitments, a_family_is_told_apart)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    add_nodes(&usage, 1, 3600);
    struct commitments plan = good_commitments(
        "{\"commitments\": [{\"kind\": \"savings_plan\", \"usd_per_hour\": 27, \"family\": \"bi\","
        " \"discount_percent\": 25}]}",
        &usage, book);
    CLOSE(bill_usd(&usage, book, &plan), 36.0 + 27.0);
    usage_free(&usage);
}

/* --- Capacity Blocks, own hardware, minimum spend --- */

Test(commitments, a_capacity_block_ends_at_half_past_eleven)
{
    struct block_window window;
    struct error error = {0};
    cr_assert(capacity_block_window("2025-06-02", 2, &window, &error));
    cr_expect_eq(window.from_unix_s, unix_of("2025-06-02T11:30:00Z"));
    cr_expect_eq(window.until_unix_s, unix_of("2025-06-04T11:30:00Z"));
    cr_expect_eq(window.usable_until_unix_s, unix_of("2025-06-04T11:00:00Z"));
    cr_assert(capacity_block_window("2025-06-02T15:00:00Z", 1, &window, &error));
    cr_expect_eq(window.until_unix_s, unix_of("2025-06-03T11:30:00Z"));
    cr_expect_not(capacity_block_window("2025-06-02", 15, &window, &error));
}

#define BLOCK                                                                                      \
    "{\"commitments\": [{\"kind\": \"capacity_block\", \"sku\": \"big\", \"count\": 2,"            \
    " \"start\": \"2025-06-02\", \"days\": 1}]}"

Test(commitments, a_capacity_block_is_paid_whole)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    struct ledger ledger;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(48 * 3600);
    /* One of the two, from 12:00 to 11:00 of the next day. */
    add_life(&usage, 0, PURCHASE_CAPACITY_BLOCK, 12 * 3600, 35 * 3600, NODE_END_SCALE_IN);
    struct commitments block = good_commitments(BLOCK, &usage, book);
    bill(&usage, book, &block, &ledger);
    CLOSE((double)ledger_total(&ledger) / 1e9, 2 * 24 * 30.0);
    CLOSE(category_usd(&ledger, MONEY_UNUSED), 2 * 24 * 30.0 - 23 * 30.0);
    ledger_free(&ledger);
    usage_free(&usage);
}

Test(commitments, nothing_runs_in_a_block_outside_its_window)
{
    struct price_book *book = good_book(ROUND_BOOK);
    static const double outside[][2] = {{11 * 3600, 12 * 3600}, {30 * 3600, 35.25 * 3600}};
    for (int i = 0; i < 2; i++) {
        struct usage usage;
        struct ledger ledger;
        struct error error = {0};
        make_usage(&usage, "2025-06-02");
        usage.end = tick_from_s(48 * 3600);
        for (int node = 0; node < 2; node++)
            add_life(&usage, 0, PURCHASE_CAPACITY_BLOCK, outside[i][0], outside[i][1],
                     NODE_END_SCALE_IN);
        struct commitments block = good_commitments(BLOCK, &usage, book);
        struct billing_terms terms = {.book = book, .commitments = &block};
        cr_expect_not(billing_bill(&usage, &terms, &ledger, &error));
        cr_expect(strstr(error.hint, "11:00 UTC"), "%s", error.hint);
        usage_free(&usage);
    }
}

Test(commitments, own_nodes_cost_the_same_idle_or_not)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(7200);
    struct commitments own =
        good_commitments("{\"commitments\": [{\"kind\": \"owned\", \"sku\": \"big\", \"count\": 3,"
                         " \"usd_per_hour\": 10}]}",
                         &usage, book);
    CLOSE(bill_usd(&usage, book, &own), 60.0);
    add_life(&usage, 0, PURCHASE_OWNED, 0, 5000, NODE_END_SCALE_IN);
    CLOSE(bill_usd(&usage, book, &own), 60.0);
    usage_free(&usage);
}

#define OWN_HARDWARE(more)                                                                         \
    "{\"commitments\": [{\"kind\": \"owned\", \"sku\": \"big\", \"count\": 3, \"hardware\":"       \
    " {\"capex_usd\": 438300, \"years\": 5, \"cost_of_capital\": 0, \"upkeep_share\": 0,"          \
    " \"busy_w\": 1000, \"pue\": 1, \"usd_per_kwh\": 2, \"colocation_usd_per_kw_month\": 0" more   \
    "}}]}"

/* 87,660 a year are 10 USD an hour, and a kilowatt costs 2. */
Test(commitments, own_nodes_cost_what_their_hardware_does)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(7200);
    struct commitments own = good_commitments(OWN_HARDWARE(""), &usage, book);
    CLOSE(bill_usd(&usage, book, &own), 3 * 2 * 12.0);
    usage_free(&usage);
}

Test(commitments, a_minimum_spend_fills_the_months_up)
{
    struct price_book *book = good_book(ROUND_BOOK);
    struct usage usage;
    make_usage(&usage, "2025-06-30T12:00:00Z");
    usage.end = tick_from_s(24 * 3600); /* half a day of June, half a day of July */
    add_nodes(&usage, 1, 3600);         /* 36 dollars in June */
    struct commitments least = good_commitments(
        "{\"commitments\": [{\"kind\": \"minimum_spend\", \"usd_per_month\": 6000}]}", &usage,
        book);
    /* June: 6000 / 60 = 100; July: 6000 / 62 */
    CLOSE(bill_usd(&usage, book, &least), 100.0 + 6000.0 / 62);
    usage_free(&usage);
}

/* --- properties --- */

static void draw_demand(struct usage *usage, gsl_rng *rng)
{
    make_usage(usage, "2025-06-02T00:20:00Z");
    usage->end = tick_from_s(40000);
    for (int i = 0; i < 25; i++) {
        double from = 40000 * gsl_rng_uniform(rng), length = 8000 * gsl_rng_uniform(rng);
        double end = fmin(40000, from + length);
        add_life(usage, (uint32_t)gsl_rng_uniform_int(rng, 2), PURCHASE_ON_DEMAND, from, end,
                 NODE_END_SCALE_IN);
    }
}

static double bill_with_plan(const struct usage *usage, const struct price_book *book, double usd)
{
    char text[256];
    snprintf(text, sizeof text,
             "{\"commitments\": [{\"kind\": \"savings_plan\", \"usd_per_hour\": %.9g}]}", usd);
    struct commitments plan = good_commitments(text, usage, book);
    return bill_usd(usage, book, &plan);
}

Test(commitments, cost_is_convex_in_the_commitment_and_on_demand_at_none)
{
    gsl_rng *rng = random_stream(3, 0, "test/commitments");
    struct price_book *book = good_book(ROUND_BOOK);
    for (int round = 0; round < 20; round++) {
        struct usage usage;
        draw_demand(&usage, rng);
        double cost[12];
        for (int i = 0; i < 12; i++)
            cost[i] = bill_with_plan(&usage, book, 12 * i);
        CLOSE(cost[0], bill_usd(&usage, book, NULL));
        for (int i = 1; i < 11; i++)
            cr_expect(cost[i - 1] - 2 * cost[i] + cost[i + 1] > -1e-6, "at %d: %f %f %f", i,
                      cost[i - 1], cost[i], cost[i + 1]);
        usage_free(&usage);
    }
    gsl_rng_free(rng);
}

Test(commitments, every_instance_second_is_billed_once)
{
    gsl_rng *rng = random_stream(4, 0, "test/commitments");
    struct price_book *book = good_book(ROUND_BOOK);
    for (int round = 0; round < 50; round++) {
        struct usage usage;
        struct ledger ledger;
        struct metered metered;
        draw_demand(&usage, rng);
        struct commitments all = good_commitments(
            "{\"commitments\": [{\"kind\": \"savings_plan\", \"usd_per_hour\": 31.7},"
            "{\"kind\": \"savings_plan\", \"usd_per_hour\": 3, \"discount_percent\": 33.3},"
            "{\"kind\": \"reserved\", \"sku\": \"big\", \"count\": 2}]}",
            &usage, book);
        bill(&usage, book, &all, &ledger);
        cr_assert(metered_build(&metered, &usage, book, PRICES_OF_RUN_FIRST, NULL));
        int64_t left = 0;
        for (size_t i = 0; i < metered.count; i++)
            left += metered.rows[i].instance_ns;
        for (size_t i = 0; i < ledger.count; i++)
            left -= ledger.lines[i].instance_ns;
        cr_expect_eq(left, 0);
        metered_free(&metered);
        ledger_free(&ledger);
        usage_free(&usage);
    }
    gsl_rng_free(rng);
}

/* --- bad input --- */

static void expect_refused(const char *text, const char *path, const char *message)
{
    struct error error = {0};
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    commitments_from(text, &usage, good_book(ROUND_BOOK), &error);
    cr_expect_str_eq(error.json_path, path);
    cr_expect(strstr(error.message, message), "%s", error.message);
    usage_free(&usage);
}

Test(commitments, what_is_wrong_is_located)
{
    expect_refused("{\"commitments\": [{\"kind\": \"reserved\", \"sku\": \"big\","
                   " \"from\": \"June\"}]}",
                   "/commitments/0/from", "not a date");
    expect_refused("{\"commitments\": [{\"kind\": \"reserved\", \"sku\": \"big\","
                   " \"from\": \"2025-06-02\", \"until\": \"2025-06-02\"}]}",
                   "/commitments/0/until", "before it begins");
    expect_refused("{\"commitments\": [{\"kind\": \"capacity_block\", \"sku\": \"big\","
                   " \"start\": \"2025-06-02\", \"days\": 16}]}",
                   "/commitments/0/days", "whole weeks");
    expect_refused("{\"commitments\": [{\"kind\": \"savings_plan\", \"usd_per_hour\": -1}]}",
                   "/commitments/0/usd_per_hour", "0");
    expect_refused("{\"commitments\": [{\"kind\": \"savings_plan\", \"usd_per_hour\": 1,"
                   " \"term\": \"3y\"}]}",
                   "/commitments/0/term", "no savings rate");
    expect_refused(OWN_HARDWARE(", \"max_w\": 500"), "/commitments/0/hardware/max_w", "must cover");
    expect_refused("{\"commitments\": [{\"kind\": \"owned\", \"sku\": \"big\", \"usd_per_hour\": 3,"
                   " \"hardware\": {\"capex_usd\": 1, \"busy_w\": 1}}]}",
                   "/commitments/0/usd_per_hour", "already");
    expect_refused("{\"commitments\": [{\"kind\": \"reserved\", \"sku\": \"bog\"}]}",
                   "/commitments/0/sku", "no reserved_1y price of \"bog\"");
}

Test(commitments, a_bill_beyond_four_billion_is_refused)
{
    struct usage usage;
    struct ledger ledger;
    struct error error = {0};
    struct price_book *book = good_book(ROUND_BOOK);
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    struct commitments vast = good_commitments(
        "{\"commitments\": [{\"kind\": \"owned\", \"sku\": \"big\", \"count\": 1000000,"
        " \"usd_per_hour\": 1000000}]}",
        &usage, book);
    struct billing_terms terms = {.book = book, .commitments = &vast};
    cr_expect_not(billing_bill(&usage, &terms, &ledger, &error));
    cr_expect(strstr(error.message, "four billion"), "%s", error.message);
    usage_free(&usage);
}
