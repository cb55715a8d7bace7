/* Bills against figures computed by hand, and against an independent integral. */
#include "tests/models/money/support.h"

#include <gsl/gsl_rng.h>

#include "sim/random.h"

TestSuite(billing, .init = set_up, .fini = tear_down);

#define CLOSE(a, b) cr_expect(fabs((a) - (b)) < 1e-9, "%.12f, not %.12f", (a), (b))

Test(billing, an_hour_at_36_dollars_costs_a_cent_per_second)
{
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(7200);
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 100, 1234, NODE_END_SCALE_IN);
    CLOSE(bill_usd(&usage, good_book(ROUND_BOOK), NULL), 11.34); /* 1134 s at 0.01 */
    usage_free(&usage);
}

Test(billing, a_life_is_rounded_up_once_and_costs_a_minute_at_least)
{
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(7200);
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 10.5, 12.25, NODE_END_SCALE_IN); /* 60 s */
    CLOSE(bill_usd(&usage, good_book(ROUND_BOOK), NULL), 0.60);
    /* 3599.6 s to the whole second: 3600, though it touches two clock hours */
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 1800, 5399.6, NODE_END_FAILED);
    CLOSE(bill_usd(&usage, good_book(ROUND_BOOK), NULL), 36.60);
    usage_free(&usage);
}

/* 20 s here, 10 s there: together a minute, of which there 40 s. */
Test(billing, a_node_that_goes_from_pool_to_pool_costs_a_minute_once)
{
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(7200);
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 0.25, 20.5, NODE_END_MOVED);
    CLOSE(bill_usd(&usage, good_book(ROUND_BOOK), NULL), 0.2025);
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 20.5, 30.25, NODE_END_SCALE_IN);
    usage.nodes[1].carried = tick_from_s(20.25);
    CLOSE(bill_usd(&usage, good_book(ROUND_BOOK), NULL), 0.60);
    usage.nodes[1].end = usage.nodes[1].billed_from; /* gone as soon as it went over */
    CLOSE(bill_usd(&usage, good_book(ROUND_BOOK), NULL), 0.60);
    usage_free(&usage);
}

Test(billing, a_node_that_outlives_the_run_is_billed_until_its_end)
{
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(10.5);
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 0, 10.5, NODE_END_HORIZON);
    CLOSE(bill_usd(&usage, good_book(ROUND_BOOK), NULL), 0.105);
    usage_free(&usage);
}

Test(billing, spot_costs_what_it_costs_at_the_time)
{
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(10000);
    usage_set_spot_price(&usage, 0, 0, 18);
    usage_set_spot_price(&usage, 0, tick_from_s(1000), 36);
    usage_set_spot_price(&usage, 0, tick_from_s(4000), 9);
    add_life(&usage, 0, PURCHASE_SPOT, 500, 8100, NODE_END_INTERRUPTED);
    /* 500 s at 0.005, 3000 s at 0.01, 4100 s at 0.0025 */
    CLOSE(bill_usd(&usage, good_book(ROUND_BOOK), NULL), 2.5 + 30 + 10.25);
    usage_free(&usage);
}

/* Ten seconds at 0.01, and 50 more at what the last of them cost. */
Test(billing, spot_that_is_rounded_up_costs_what_it_cost_at_its_end)
{
    struct usage usage;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(10000);
    usage_set_spot_price(&usage, 0, 0, 36);
    usage_set_spot_price(&usage, 0, tick_from_s(10), 360);
    add_life(&usage, 0, PURCHASE_SPOT, 0, 10, NODE_END_SCALE_IN);
    CLOSE(bill_usd(&usage, good_book(ROUND_BOOK), NULL), 0.60);
    usage_free(&usage);
}

Test(billing, spot_that_is_taken_back_in_its_first_hour_is_free)
{
    struct usage usage;
    struct ledger ledger;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(20000);
    add_life(&usage, 0, PURCHASE_SPOT, 0, 3599, NODE_END_INTERRUPTED);
    bill(&usage, good_book(ROUND_BOOK), NULL, &ledger);
    cr_expect_eq(ledger_total(&ledger), 0);
    cr_expect_eq(ledger.count, 1); /* its time is in the ledger all the same */
    ledger_free(&ledger);
    add_life(&usage, 0, PURCHASE_SPOT, 0, 3600, NODE_END_INTERRUPTED); /* 18 */
    add_life(&usage, 0, PURCHASE_SPOT, 0, 1800, NODE_END_SCALE_IN);    /* 9: given up by oneself */
    CLOSE(bill_usd(&usage, good_book(ROUND_BOOK), NULL), 27.0);
    usage_free(&usage);
}

Test(billing, a_price_that_changes_at_a_date_changes_within_a_life)
{
    struct usage usage;
    make_usage(&usage, "2025-05-31T23:30:00Z");
    usage.end = tick_from_s(3600);
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 0, 3600, NODE_END_HORIZON);
    struct price_book *book = good_book(
        "{\"prices\": [{\"sku\": \"big\", \"provider\": \"AWS\", \"purchase\": \"on_demand\","
        " \"usd_per_hour\": 98.32, \"until\": \"2025-06-01\"},"
        "{\"sku\": \"big\", \"provider\": \"AWS\", \"purchase\": \"on_demand\","
        " \"usd_per_hour\": 55.04, \"from\": \"2025-06-01\"}]}");
    CLOSE(bill_usd(&usage, book, NULL), 49.16 + 27.52);
    usage_free(&usage);
}

Test(billing, money_goes_by_what_replicas_did)
{
    struct usage usage;
    struct ledger ledger;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    usage_add_node(&usage, &(struct node_usage){.instances = 1,
                                                .ready = tick_from_s(600),
                                                .drain = tick_from_s(3600),
                                                .end = tick_from_s(3600)});
    usage_hour(&usage, 0, 0)->busy_ticks = tick_from_s(1500);
    usage_hour(&usage, 0, 0)->wasted_ticks = tick_from_s(300);
    usage_class_hour(&usage, 0, 0, 0)->prompt_tok = 1000; /* 1000 - 200 + 4 * 100 = 1200 */
    usage_class_hour(&usage, 0, 0, 0)->cached_tok = 200;
    usage_class_hour(&usage, 0, 0, 0)->output_tok = 100;
    usage_class_hour(&usage, 0, 1, 0)->prompt_tok = 400; /* 400 */
    bill(&usage, good_book(ROUND_BOOK), NULL, &ledger);
    CLOSE(category_usd(&ledger, MONEY_COLD_START), 6.0);
    CLOSE(category_usd(&ledger, MONEY_USED), 12.0);
    CLOSE(category_usd(&ledger, MONEY_WASTED), 3.0);
    CLOSE(category_usd(&ledger, MONEY_IDLE), 15.0);
    struct ledger_sums tenants = ledger_sum_by(&ledger, LEDGER_BY_TENANT);
    cr_assert_eq(tenants.count, 3);
    cr_expect_eq(tenants.rows[0].total_nano_usd, 9000000000); /* 3/4 of 12 */
    cr_expect_eq(tenants.rows[1].total_nano_usd, 3000000000);
    cr_expect_str_eq(tenants.rows[1].label, "b");
    cr_expect_eq(tenants.rows[2].total_nano_usd, 24000000000); /* nobody's */
    ledger_sums_free(&tenants);
    ledger_free(&ledger);
    usage_free(&usage);
}

Test(billing, work_that_was_lost_later_was_done_earlier)
{
    struct usage usage;
    struct ledger ledger;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(7200);
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 0, 7200, NODE_END_HORIZON);
    usage_hour(&usage, 0, 0)->busy_ticks = tick_from_s(2000);
    usage_hour(&usage, 0, tick_from_s(3600))->busy_ticks = tick_from_s(100);
    usage_hour(&usage, 0, tick_from_s(3600))->wasted_ticks = tick_from_s(500);
    bill(&usage, good_book(ROUND_BOOK), NULL, &ledger);
    CLOSE(category_usd(&ledger, MONEY_WASTED), 5.0); /* 100 s there, 400 s the hour before */
    CLOSE(category_usd(&ledger, MONEY_USED), 16.0);
    ledger_free(&ledger);
    usage_free(&usage);
}

Test(billing, show_back_shares_the_rest_or_keeps_it_apart)
{
    struct usage usage;
    struct ledger ledger;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 0, 3600, NODE_END_HORIZON);
    usage_hour(&usage, 0, 0)->busy_ticks = tick_from_s(1200); /* 12 dollars */
    *usage_class_hour(&usage, 0, 0, 0) = (struct usage_class_hour){3, 3, 300, 0, 0};
    *usage_class_hour(&usage, 0, 1, 0) = (struct usage_class_hour){1, 0, 100, 0, 0};
    bill(&usage, good_book(ROUND_BOOK), NULL, &ledger);
    struct showback shared = showback_make(&ledger, true, true);
    cr_expect_eq(shared.rows[0].direct_nano_usd, 9000000000);
    cr_expect_eq(shared.rows[0].shared_nano_usd, 18000000000); /* 3/4 of 24 */
    cr_expect_eq(shared.rows[1].shared_nano_usd, 6000000000);
    cr_expect_eq(shared.rows[0].requests, 3);
    cr_expect_eq(shared.apart_nano_usd, 0);
    showback_free(&shared);
    struct showback apart = showback_make(&ledger, true, false);
    cr_expect_eq(apart.rows[0].shared_nano_usd, 0);
    cr_expect_eq(apart.apart_nano_usd, 24000000000);
    showback_free(&apart);
    ledger_free(&ledger);
    usage_free(&usage);
}

Test(billing, key_figures_of_an_hour)
{
    struct usage usage;
    struct ledger ledger;
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 0, 3600, NODE_END_HORIZON);
    usage_hour(&usage, 0, 0)->busy_ticks = tick_from_s(900);
    *usage_class_hour(&usage, 0, 0, 0) = (struct usage_class_hour){2000, 1800, 2000000, 0, 1000000};
    bill(&usage, good_book(ROUND_BOOK), NULL, &ledger);
    struct money_kpis kpis = money_kpis(&ledger);
    CLOSE(kpis.usd_per_mtok, 12.0);
    /* Weights 2 M and 4 M: 12 dollars for 2 M of input, 24 for 1 M of output */
    CLOSE(kpis.usd_per_input_mtok, 6.0);
    CLOSE(kpis.usd_per_output_mtok, 24.0);
    CLOSE(kpis.usd_per_thousand_requests, 18.0);
    CLOSE(kpis.good_requests_per_usd, 50.0);
    CLOSE(kpis.gpu_hours, 8.0);
    CLOSE(kpis.usd_per_gpu_hour, 4.5);
    CLOSE(kpis.usd_per_productive_gpu_hour, 18.0);
    ledger_free(&ledger);
    usage_free(&usage);
}

Test(billing, an_api_is_paid_by_the_token)
{
    struct usage usage;
    struct ledger ledger;
    struct error error = {0};
    make_usage(&usage, "2025-06-02");
    usage.end = tick_from_s(3600);
    *usage_class_hour(&usage, 0, 0, 0) = (struct usage_class_hour){1, 1, 3000000, 1000000, 500000};
    struct price_book *book = good_book(
        "{\"api\": [{\"name\": \"m\", \"provider\": \"p\", \"model\": \"m\","
        " \"input_usd_per_mtok\": 2.5, \"cached_usd_per_mtok\": 1.25, \"output_usd_per_mtok\": 10,"
        " \"batch_discount_percent\": 50}]}");
    const struct api_price *price = price_book_api(book, "m", usage.start_unix_s, &error);
    billing_bill_api(&usage, price, false, &ledger);
    cr_expect_eq(ledger_total(&ledger), 11250000000); /* 2 * 2.5 + 1.25 + 0.5 * 10 */
    ledger_free(&ledger);
    billing_bill_api(&usage, price, true, &ledger);
    cr_expect_eq(ledger_total(&ledger), 5625000000);
    ledger_free(&ledger);
    cr_expect_null(price_book_api(book, "n", 0, &error));
    cr_expect(strstr(error.hint, "m"), "%s", error.hint);
    usage_free(&usage);
}

Test(billing, a_gap_that_usage_falls_into_is_an_error)
{
    struct usage usage;
    struct ledger ledger;
    struct error error = {0};
    static const struct commitments none = {0};
    make_usage(&usage, "2025-05-31T23:30:00Z");
    usage.end = tick_from_s(3600);
    add_life(&usage, 0, PURCHASE_ON_DEMAND, 0, 3600, NODE_END_HORIZON);
    struct price_book *book = good_book(
        "{\"prices\": [{\"sku\": \"big\", \"provider\": \"AWS\", \"purchase\": \"on_demand\","
        " \"usd_per_hour\": 98.32, \"until\": \"2025-06-01\"},"
        "{\"sku\": \"big\", \"provider\": \"AWS\", \"purchase\": \"on_demand\","
        " \"usd_per_hour\": 55.04, \"from\": \"2025-06-02\"}]}");
    struct billing_terms terms = {.book = book, .commitments = &none};
    cr_expect_not(billing_bill(&usage, &terms, &ledger, &error));
    cr_expect(strstr(error.message, "2025-06-01T00:00:00Z"), "%s", error.message);
    cr_expect(strstr(error.hint, "2025-06-02"), "%s", error.hint);
    usage_free(&usage);
}

/* --- random usages --- */

static double uniform(gsl_rng *rng, double from, double to)
{
    return from + (to - from) * random_open_unit(rng);
}

static const char *const pool_names[] = {"p", "q", "r"};

static void draw_node(struct usage *usage, gsl_rng *rng, double end_s)
{
    double times[5] = {uniform(rng, 0, end_s)};
    for (int i = 1; i < 5; i++)
        times[i] = fmin(end_s, times[i - 1] + uniform(rng, 0, i == 3 ? 9000 : 400));
    struct node_usage node = {
        .pool = (uint32_t)gsl_rng_uniform_int(rng, usage->pool_count),
        .market = (uint32_t)gsl_rng_uniform_int(rng, usage->market_count),
        .instances = 1 + (uint32_t)gsl_rng_uniform_int(rng, 3),
        .purchase = gsl_rng_uniform_int(rng, 2) ? PURCHASE_SPOT : PURCHASE_ON_DEMAND,
        .requested = tick_from_s(times[0]),
        .billed_from = tick_from_s(times[1]),
        .ready = tick_from_s(times[2]),
        .drain = tick_from_s(times[3]),
        .end = tick_from_s(times[4]),
        .why = NODE_END_HORIZON,
    };
    usage_add_node(usage, &node);
}

static void draw_hours(struct usage *usage, gsl_rng *rng, double end_s)
{
    for (double at = 0; at < end_s; at += 3600) {
        uint32_t pool = (uint32_t)gsl_rng_uniform_int(rng, usage->pool_count);
        struct usage_hour *hour = usage_hour(usage, pool, tick_from_s(at));
        hour->busy_ticks = tick_from_s(uniform(rng, 0, 8000));
        hour->wasted_ticks = gsl_rng_uniform_int(rng, 3) ? 0 : tick_from_s(uniform(rng, 0, 9000));
        uint32_t class_index = (uint32_t)gsl_rng_uniform_int(rng, usage->class_count);
        struct usage_class_hour *served =
            usage_class_hour(usage, pool, class_index, tick_from_s(at));
        served->prompt_tok = (int64_t)gsl_rng_uniform_int(rng, 100000);
        served->output_tok = (int64_t)gsl_rng_uniform_int(rng, 10000);
        served->requests = 1 + served->output_tok / 100;
    }
}

static void draw_usage(struct usage *usage, gsl_rng *rng)
{
    usage_init(usage, unix_of("2025-06-01") + (int64_t)gsl_rng_uniform_int(rng, 100000));
    for (int i = 0; i < 3; i++)
        usage_add_pool(usage, &(struct usage_pool){pool_names[i], i == 2 ? "m" : "n", 1u + i});
    for (int i = 0; i < 2; i++)
        usage_add_market(usage, &(struct usage_market){i ? "a" : "b", "", "", i ? "x" : "y", 8,
                                                       uniform(rng, 0.1, 100)});
    for (int i = 0; i < 4; i++)
        usage_add_class(usage, &(struct usage_class){i % 2 ? "c" : "d", i < 2 ? "t" : "u"});
    double end_s = uniform(rng, 3000, 200000);
    usage->end = tick_from_s(end_s);
    for (int market = 0; market < 2; market++)
        for (double at = 0; at < end_s; at += uniform(rng, 100, 20000))
            usage_set_spot_price(usage, (uint32_t)market, tick_from_s(at), uniform(rng, 0, 50));
    for (int i = 0; i < 60; i++)
        draw_node(usage, rng, end_s);
    draw_hours(usage, rng, end_s);
}

/* Integral of price over life, in long double, without any of the code under test. */
static long double spot_integral(const struct spot_prices *prices, long double from, long double to)
{
    long double usd = 0;
    for (size_t i = 0; i < prices->count; i++) {
        long double begin = (long double)prices->steps[i].at / 0x1p36L;
        long double end =
            i + 1 < prices->count ? (long double)prices->steps[i + 1].at / 0x1p36L : 1e18L;
        long double a = begin > from ? begin : from, b = end < to ? end : to;
        if (b > a)
            usd += (b - a) / 3600 * prices->steps[i].usd_per_hour;
    }
    return usd;
}

static long double integral(const struct usage *usage)
{
    long double usd = 0;
    for (size_t i = 0; i < usage->node_count; i++) {
        const struct node_usage *node = &usage->nodes[i];
        long double from = (long double)node->billed_from / 0x1p36L;
        long double to = (long double)node->end / 0x1p36L;
        if (node->purchase == PURCHASE_SPOT)
            usd += node->instances * spot_integral(&usage->spot[node->market], from, to);
        else
            usd += node->instances * (to - from) / 3600 *
                   usage->markets[node->market].on_demand_usd_per_hour;
    }
    return usd;
}

static double instance_seconds(const struct usage *usage)
{
    double sum = 0;
    for (size_t i = 0; i < usage->node_count; i++)
        sum += usage->nodes[i].instances *
               tick_to_s(usage->nodes[i].end - usage->nodes[i].billed_from);
    return sum;
}

static void check_partitions(const struct ledger *ledger, double seconds)
{
    int64_t total = ledger_total(ledger);
    for (int dimension = 0; dimension < LEDGER_DIMENSIONS; dimension++) {
        struct ledger_sums sums = ledger_sum_by(ledger, (enum ledger_dimension)dimension);
        int64_t sum = 0;
        double hours = 0;
        for (size_t i = 0; i < sums.count; i++) {
            sum += sums.rows[i].total_nano_usd;
            hours += sums.rows[i].instance_hours;
        }
        cr_expect_eq(sum, total, "by %s", ledger_dimension_names[dimension]);
        cr_expect_float_eq(hours * 3600, seconds, 1e-6 * seconds, "by %s",
                           ledger_dimension_names[dimension]);
        ledger_sums_free(&sums);
    }
}

static void check_showback(const struct ledger *ledger)
{
    for (int way = 0; way < 4; way++) {
        struct showback showback = showback_make(ledger, way & 1, way & 2);
        int64_t sum = showback.apart_nano_usd;
        for (size_t i = 0; i < showback.count; i++)
            sum += showback.rows[i].direct_nano_usd + showback.rows[i].shared_nano_usd;
        cr_expect_eq(sum, ledger_total(ledger));
        showback_free(&showback);
    }
}

Test(billing, the_ledger_is_the_integral_of_price_over_life)
{
    gsl_rng *rng = random_stream(1, 0, "test/billing");
    struct price_book *book = good_book("{}");
    for (int round = 0; round < 200; round++) {
        struct usage usage;
        struct ledger ledger;
        draw_usage(&usage, rng);
        bill(&usage, book, NULL, &ledger);
        double expected = (double)integral(&usage);
        double usd = (double)ledger_total(&ledger) / 1e9;
        cr_expect(fabs(usd - expected) <= 1e-9 * expected, "%.15g, not %.15g", usd, expected);
        check_partitions(&ledger, instance_seconds(&usage));
        check_showback(&ledger);
        for (size_t i = 0; i < ledger.count; i++)
            cr_assert(ledger.lines[i].nano_usd >= 0 && ledger.lines[i].instance_ns >= 0);
        ledger_free(&ledger);
        usage_free(&usage);
    }
    gsl_rng_free(rng);
}

Test(billing, a_usage_that_was_saved_gives_the_same_bill)
{
    gsl_rng *rng = random_stream(2, 0, "test/billing");
    struct price_book *book = good_book("{}");
    for (int round = 0; round < 20; round++) {
        struct usage usage, again;
        struct ledger first, second;
        struct error error = {0};
        draw_usage(&usage, rng);
        cr_assert(usage_write(&usage, test_folder(), &error), "%s", test_error_text(&error));
        cr_assert(usage_read(&again, test_folder(), &error), "%s", test_error_text(&error));
        bill(&usage, book, NULL, &first);
        bill(&again, book, NULL, &second);
        cr_assert_eq(first.count, second.count);
        for (size_t i = 0; i < first.count; i++) {
            cr_expect_eq(first.lines[i].nano_usd, second.lines[i].nano_usd);
            cr_expect_eq(first.lines[i].instance_ns, second.lines[i].instance_ns);
            cr_expect_eq(first.lines[i].category, second.lines[i].category);
        }
        ledger_free(&first);
        ledger_free(&second);
        usage_free(&usage);
        usage_free(&again);
    }
    gsl_rng_free(rng);
}
