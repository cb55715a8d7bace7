#include "models/elastic/market.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>

#include "tests/support.h"

#define HOUR (tick_from_s(3600))

static const struct config_field element = {.kind = CONFIG_OBJECT, .object = &market_config_type};
static const struct config_field list_fields[] = {
    {.name = "markets", .kind = CONFIG_LIST, .offset = 0, .element = &element}, {0}};
static const struct config_type list_type = {
    .name = "test", .size = sizeof(struct config_list), .fields = list_fields};

/* Static, so that a failing assertion leaks nothing that the next test would see. */
static struct arena *arena;
static struct json_document *document;
static struct error error;
static struct market_context context;
static struct market_spec *const *specs;

static void begin(void)
{
    struct instance *instances;
    struct hardware *hardware;
    arena = arena_create();
    hardware = ARENA_NEW(arena, struct hardware);
    instances = ARENA_ARRAY(arena, 3, struct instance);
    instances[0] = (struct instance){.name = "p3.2xlarge", .provider = "AWS", .usd_per_hour = 3.06};
    instances[1] =
        (struct instance){.name = "a3-highgpu-8g", .provider = "GCP", .usd_per_hour = 88};
    instances[2] = (struct instance){.name = "1x L4", .provider = "RunPod", .usd_per_hour = 0.4};
    hardware->instances = instances;
    hardware->instance_count = 3;
    context = (struct market_context){
        .pointer = "/markets", .folder = test_folder(), .hardware = hardware, .horizon_s = NAN};
}

static void end(void)
{
    json_free(document);
    arena_destroy(arena);
}

TestSuite(market, .init = begin, .fini = end);

/* markets: the elements of the list. */
static bool resolve(const char *markets)
{
    struct config_list list;
    const char *text = arena_printf(arena, "{\"markets\": [%s]}", markets);
    error = (struct error){0};
    json_free(document);
    document = json_read_text("markets.json", text, strlen(text), &error);
    context.document = document;
    specs = NULL;
    if (document &&
        config_read(&list_type, document, json_root(document), "", arena, &list, &error))
        specs = markets_resolve(&list, &context, arena, &error);
    return specs;
}

static struct market *open_market(const char *market)
{
    cr_assert(resolve(market), "%s", test_error_text(&error));
    return market_create(specs[0], 1, 0);
}

static void expect_refused(const char *markets, const char *pointer, const char *part)
{
    cr_assert_not(resolve(markets), "%s", markets);
    cr_expect_eq(error.code, ERROR_BAD_INPUT);
    cr_expect_str_eq(error.json_path, pointer, "%s", test_error_text(&error));
    cr_expect(strstr(error.message, part), "%s", test_error_text(&error));
}

static void write_record(const char *name, const char *text)
{
    char path[128];
    test_write_file(name, text, strlen(text), path, sizeof path);
}

static int64_t capacity_at(struct market *market, double time_s)
{
    market_advance(market, tick_from_s(time_s));
    return market_capacity(market);
}

static double price_at(struct market *market, double time_s)
{
    market_advance(market, tick_from_s(time_s));
    return market_spot_usd(market);
}

/* --- terms --- */

Test(market, one_without_settings_is_unlimited_at_a_discount)
{
    struct market *market = open_market("{\"name\": \"a\", \"on_demand_usd_per_hour\": 10}");
    cr_expect_eq(market_capacity(market), INT64_MAX);
    cr_expect_eq(market_on_demand_capacity(market), INT64_MAX);
    cr_expect_eq(market_on_demand_usd(market), 10);
    cr_expect_float_eq(market_spot_usd(market), 3.3, 1e-12);
    cr_expect_eq(market_next(market), TICK_NEVER);
    cr_expect_eq(market_lifetime(market), TICK_NEVER);
    cr_expect(market_grants(market, MARKET_SPOT));
    cr_expect_str_eq(market_spec_region(specs[0]), "a");
    market_destroy(market);
}

static double notice_s(const char *more)
{
    struct market *market = open_market(
        arena_printf(arena, "{\"name\": \"a\", \"on_demand_usd_per_hour\": 10, %s}", more));
    double notice = tick_to_s(market_notice(market));
    market_destroy(market);
    return notice;
}

Test(market, notice_is_the_providers_unless_it_is_given)
{
    cr_expect_eq(notice_s("\"provider\": \"aws\""), 120);
    cr_expect_eq(notice_s("\"provider\": \"gcp\""), 30);
    cr_expect_eq(notice_s("\"provider\": \"azure\""), 30);
    cr_expect_eq(notice_s("\"provider\": \"marketplace\""), 0);
    cr_expect_eq(notice_s("\"instance\": \"p3.2xlarge\""), 120);
    cr_expect_eq(notice_s("\"instance\": \"1x L4\""), 0);
    cr_expect_eq(notice_s("\"provider\": \"aws\", \"notice_s\": 5"), 5);
}

Test(market, the_catalogue_has_the_price_on_demand)
{
    struct market *market = open_market("{\"name\": \"a\", \"instance\": \"p3.2xlarge\"}");
    cr_expect_eq(market_on_demand_usd(market), 3.06);
    market_destroy(market);
    expect_refused("{\"name\": \"a\", \"instance\": \"p3.2xlarg\"}", "/markets/0/instance",
                   "no instance");
    cr_expect(strstr(error.hint, "p3.2xlarge"), "%s", error.hint);
    expect_refused("{\"name\": \"a\"}", "/markets/0", "no price on demand");
}

#define NAMED(name, more) "{\"name\": \"" name "\", \"on_demand_usd_per_hour\": 10, " more "}"
#define MARKET(more)      NAMED("a", more)

Test(market, names_are_its_own)
{
    expect_refused(MARKET("\"zone\": \"x\"") ", " MARKET("\"zone\": \"y\""), "/markets/1/name",
                   "two markets");
    expect_refused(NAMED("", "\"zone\": \"x\""), "/markets/0/name", "needs a name");
}

Test(market, requests_succeed_as_often_as_said)
{
    struct market *market =
        open_market(MARKET("\"grant_probability\": 0.3, \"on_demand_grant_probability\": 0.9"));
    int spot = 0, on_demand = 0;
    for (int i = 0; i < 10000; i++) {
        spot += market_grants(market, MARKET_SPOT);
        on_demand += market_grants(market, MARKET_ON_DEMAND);
    }
    cr_expect_float_eq(spot / 1e4, 0.3, 0.02);
    cr_expect_float_eq(on_demand / 1e4, 0.9, 0.02);
    market_destroy(market);
}

/* --- capacity --- */

Test(market, fixed_capacity_stays)
{
    struct market *market = open_market(
        MARKET("\"capacity\": {\"kind\": \"fixed\", \"nodes\": 7}, \"on_demand_capacity\": 3"));
    cr_expect_eq(market_capacity(market), 7);
    cr_expect_eq(market_on_demand_capacity(market), 3);
    cr_expect_eq(capacity_at(market, 1e6), 7);
    market_destroy(market);
}

#define RECORD                                                                                     \
    "time_utc,a,b\n2025-10-04T00:00:00Z,4,0\n2025-10-04T01:00:00Z,1,0\n"                           \
    "2025-10-04T02:00:00Z,2,9\n"
#define RECORDED(more) MARKET("\"capacity\": {\"kind\": \"recorded\", \"path\": \"r.csv\"" more "}")

Test(market, a_record_is_followed_to_the_tick)
{
    write_record("r.csv", RECORD);
    struct market *market = open_market(RECORDED(""));
    cr_expect_eq(market_capacity(market), 4);
    cr_expect_eq(market_next(market), HOUR);
    market_advance(market, HOUR - 1);
    cr_expect_eq(market_capacity(market), 4);
    market_advance(market, HOUR);
    cr_expect_eq(market_capacity(market), 1);
    cr_expect_eq(market_next(market), 2 * HOUR);
    market_advance(market, market_next(market));
    cr_expect_eq(market_capacity(market), 2);
    cr_expect_eq(market_next(market), 3 * HOUR, "the record's end");
    cr_expect_not(market_record_is_over(market));
    market_advance(market, 3 * HOUR);
    cr_expect(market_record_is_over(market));
    cr_expect_eq(market_next(market), TICK_NEVER);
    market_destroy(market);
}

Test(market, a_record_can_begin_anywhere)
{
    write_record("r.csv", RECORD);
    struct market *market = open_market(RECORDED(", \"from_s\": 5400"));
    cr_expect_eq(market_capacity(market), 1);
    cr_expect_eq(market_next(market), HOUR / 2);
    market_destroy(market);
    market = open_market(RECORDED(", \"from_utc\": \"2025-10-04T02:00:00Z\", \"column\": \"b\""));
    cr_expect_eq(market_capacity(market), 9);
    market_destroy(market);
    expect_refused(RECORDED(", \"from_s\": 10800"), "/markets/0/capacity/path", "begins 10800 s");
    expect_refused(RECORDED(", \"from_utc\": \"2025-10-03\""), "/markets/0/capacity/from_utc",
                   "not a date");
    expect_refused(RECORDED(", \"from_utc\": \"2025-10-03T00:00:00Z\""),
                   "/markets/0/capacity/from_utc", "before the record");
    write_record("r.csv", "offset_s,a\n0,1\n60,2\n");
    expect_refused(RECORDED(", \"from_utc\": \"2025-10-03T00:00:00Z\""),
                   "/markets/0/capacity/from_utc", "no dates");
}

Test(market, what_follows_a_record_is_said)
{
    write_record("r.csv", RECORD);
    struct market *market = open_market(RECORDED(", \"after_end\": \"hold\""));
    cr_expect_eq(capacity_at(market, 1e6), 2);
    cr_expect_not(market_record_is_over(market));
    market_destroy(market);
    market = open_market(RECORDED(", \"after_end\": \"repeat\", \"from_s\": 3600"));
    int64_t seen[5];
    for (int hour = 0; hour < 5; hour++) {
        seen[hour] = market_capacity(market);
        cr_expect_eq(market_next(market), (hour + 1) * HOUR);
        market_advance(market, market_next(market));
    }
    cr_expect_arr_eq(seen, ((int64_t[]){1, 2, 4, 1, 2}), sizeof seen);
    cr_expect_eq(capacity_at(market, (3 * 1000 + 1) * 3600.0), 2, "a thousand repeats later");
    market_destroy(market);
}

Test(market, a_records_tail_is_repeated_from_its_first_row)
{
    write_record("r.csv", "offset_s,a\n36000,1\n39600,2\n43200,4\n");
    struct market *market = open_market(RECORDED(", \"after_end\": \"repeat\""));
    int64_t seen[5];
    for (int hour = 0; hour < 5; hour++)
        seen[hour] = capacity_at(market, hour * 3600.0);
    cr_expect_arr_eq(seen, ((int64_t[]){1, 2, 4, 1, 2}), sizeof seen);
    market_destroy(market);
}

Test(market, a_record_must_reach_the_horizon)
{
    write_record("r.csv", RECORD);
    context.horizon_s = 3 * 3600;
    cr_expect(resolve(RECORDED("")), "%s", test_error_text(&error));
    context.horizon_s = 3 * 3600 + 1;
    expect_refused(RECORDED(""), "/markets/0/capacity/path", "ends 10800 s after");
    cr_expect(strstr(error.hint, "repeat"));
    cr_expect(resolve(RECORDED(", \"after_end\": \"hold\"")));
    context.horizon_s = 3 * 3600;
    expect_refused(RECORDED(", \"from_s\": 1"), "/markets/0/capacity/path", "ends 10799 s after");
    write_record("r.csv", "0,4\n0,5\n");
    expect_refused(RECORDED(", \"after_end\": \"repeat\""), "/markets/0/capacity/path",
                   "no length");
}

Test(market, recorded_instances_are_turned_into_nodes)
{
    write_record("r.csv", "offset_s,a\n0,16\n60,15\n120,30\n180,1\n");
    struct market *market = open_market(RECORDED(", \"nodes_per_instance\": 0.125"));
    cr_expect_eq(market_capacity(market), 2);
    cr_expect_eq(capacity_at(market, 60), 1);
    market_destroy(market);
    market = open_market(RECORDED(", \"nodes_per_instance\": 0.1"));
    cr_expect_eq(capacity_at(market, 120), 3);
    market_destroy(market);
    market = open_market(RECORDED(", \"nodes_per_instance\": 8"));
    cr_expect_eq(capacity_at(market, 180), 8);
    market_destroy(market);
}

/* --- capacity that is correlated --- */

enum { SAMPLES = 20000 };

#define CORRELATED(name, region, more)                                                             \
    NAMED(name, "\"region\": \"" region "\", \"capacity\": {\"kind\": \"correlated\", "            \
                "\"nodes\": 1000, \"relaxation_s\": 600" more "}")

static double *sample_capacity(size_t index, uint64_t seed, uint64_t replication)
{
    double *samples = ARENA_ARRAY(arena, SAMPLES, double);
    struct market *market = market_create(specs[index], seed, replication);
    for (int i = 0; i < SAMPLES; i++) {
        samples[i] = (double)market_capacity(market);
        market_advance(market, market_next(market));
    }
    market_destroy(market);
    return samples;
}

static double correlation(const double *a, const double *b)
{
    return gsl_stats_correlation(a, 1, b, 1, SAMPLES);
}

Test(market, correlated_capacity_has_the_mean_and_spread_that_are_asked_for)
{
    cr_assert(
        resolve(CORRELATED("a", "r", ", \"available\": 0.3, \"burstiness\": 0") ", " CORRELATED(
            "b", "r",
            ", \"available\": 0.3, \"burstiness\": 0.5") ", " CORRELATED("c", "r",
                                                                         ", \"available\": 0.3, "
                                                                         "\"burstiness\": 0.99")),
        "%s", test_error_text(&error));
    const double *steady = sample_capacity(0, 1, 0), *some = sample_capacity(1, 1, 0),
                 *bursty = sample_capacity(2, 1, 0);
    cr_expect_eq(gsl_stats_sd(steady, 1, SAMPLES), 0);
    cr_expect_eq(steady[0], 300);
    cr_expect_float_eq(gsl_stats_mean(some, 1, SAMPLES), 300, 10);
    cr_expect_float_eq(gsl_stats_mean(bursty, 1, SAMPLES), 300, 15);
    /* All or nothing would have a standard deviation of 1000 sqrt(0.3 * 0.7) = 458. */
    cr_expect_gt(gsl_stats_sd(bursty, 1, SAMPLES), 420);
    cr_expect_lt(gsl_stats_sd(some, 1, SAMPLES), 300);
}

Test(market, zones_of_one_region_go_together)
{
#define HALF ", \"available\": 0.5, \"burstiness\": 0.1, \"correlation\": 0.6"
    cr_assert(resolve(CORRELATED("a", "east", HALF) ", " CORRELATED(
        "b", "east", HALF) ", " CORRELATED("c", "west", HALF)));
    const double *a = sample_capacity(0, 1, 0), *b = sample_capacity(1, 1, 0),
                 *c = sample_capacity(2, 1, 0);
    cr_expect_float_eq(correlation(a, b), 0.6, 0.03);
    cr_expect_float_eq(correlation(a, c), 0, 0.03);
    /* The same seed gives the same market; another replication, another. */
    cr_expect_arr_eq(a, sample_capacity(0, 1, 0), SAMPLES * sizeof *a);
    cr_expect_float_eq(correlation(a, sample_capacity(0, 1, 1)), 0, 0.03);
    cr_expect_float_eq(correlation(a, sample_capacity(0, 2, 0)), 0, 0.03);
    /* phi = exp(-step / relaxation) = 1 / e */
    cr_expect_float_eq(gsl_stats_correlation(a, 1, a + 1, 1, SAMPLES - 1), exp(-1), 0.03);
}

/* What the defaults are meant to repeat of 16 H100 in 13 zones of GCP: 0.56 of them are there, 0.49
 * are lost per instance-hour, counts of two zones of a region correlate by 0.18. */
Test(market, defaults_are_those_of_recorded_zones)
{
#define H100(name)                                                                                 \
    NAMED(name, "\"region\": \"r\", \"capacity\": {\"kind\": \"correlated\", \"nodes\": 16}")
    cr_assert(resolve(H100("a") ", " H100("b")));
    const int replications = 8;
    double share = 0, lost = 0, held_h = 0, together = 0;
    for (int replication = 0; replication < replications; replication++) {
        const double *a = sample_capacity(0, 1, replication),
                     *b = sample_capacity(1, 1, replication);
        share += gsl_stats_mean(a, 1, SAMPLES) / 16 / replications;
        together += correlation(a, b) / replications;
        for (int i = 1; i < SAMPLES; i++) {
            lost += fmax(a[i - 1] - a[i], 0);
            held_h += a[i] / 6;
        }
    }
    cr_expect_float_eq(share, 0.56, 0.02);
    cr_expect_float_eq(lost / held_h, 0.49, 0.02);
    cr_expect_float_eq(together, 0.18, 0.04);
}

Test(market, it_does_not_matter_how_often_a_market_is_asked)
{
    cr_assert(resolve(CORRELATED("a", "east", HALF)));
    const double *by_step = sample_capacity(0, 1, 0);
    struct market *market = market_create(specs[0], 1, 0);
    for (int i = 0; i < SAMPLES; i += 7)
        cr_expect_eq((double)capacity_at(market, 600.0 * i + 599), by_step[i]);
    market_destroy(market);
}

Test(market, zones_of_one_region_share_their_steps)
{
    expect_refused(CORRELATED("a", "r", "") ", " CORRELATED("b", "r", ", \"step_s\": 60"),
                   "/markets/1/capacity", "\"a\"");
    cr_expect(resolve(CORRELATED("a", "r", "") ", " CORRELATED("b", "q", ", \"step_s\": 60")));
}

/* --- lifetimes --- */

/* Shares of 20,000 lives that end by each of two ages. */
static void life_shares(const char *lifetime, const double *ages_s, double *shares)
{
    struct market *market = open_market(arena_printf(arena, MARKET("\"lifetime\": %s"), lifetime));
    shares[0] = shares[1] = 0;
    for (int i = 0; i < SAMPLES; i++) {
        tick_t life = market_lifetime(market);
        cr_assert_gt(life, 0);
        for (int age = 0; age < 2; age++)
            shares[age] += (life <= tick_from_s(ages_s[age])) / (double)SAMPLES;
    }
    market_destroy(market);
}

Test(market, lives_follow_the_hazard)
{
    double shares[2];
    life_shares("{\"kind\": \"exponential\", \"per_hour\": 0.5}", (double[]){3600, 7200}, shares);
    cr_expect_float_eq(shares[0], 1 - exp(-0.5), 0.015);
    cr_expect_float_eq(shares[1], 1 - exp(-1), 0.015);
    life_shares("{\"kind\": \"weibull\", \"shape\": 2, \"scale_s\": 3600}", (double[]){1800, 3600},
                shares);
    cr_expect_float_eq(shares[0], 1 - exp(-0.25), 0.015);
    cr_expect_float_eq(shares[1], 1 - exp(-1), 0.015);
}

/* The middle of a class is what is interrupted within a month of 730 h. */
Test(market, advisor_classes_are_shares_of_a_month)
{
    const double ages_s[] = {730 * 3600.0, 24 * 3600.0};
    double shares[2];
    life_shares("{\"kind\": \"advisor\", \"class\": \"10-15%\"}", ages_s, shares);
    cr_expect_float_eq(shares[0], 0.125, 0.01);
    cr_expect_float_eq(shares[1], 1 - exp(24 * log(1 - 0.125) / 730), 0.002);
    life_shares("{\"kind\": \"advisor\", \"class\": \"<5%\"}", ages_s, shares);
    cr_expect_float_eq(shares[0], 0.025, 0.005);
    life_shares("{\"kind\": \"advisor\", \"class\": \">20%\"}", ages_s, shares);
    cr_expect_float_eq(shares[0], 0.3, 0.01);
    life_shares("{\"kind\": \"advisor\", \"class\": \">20%\", \"open_class_share\": 0.5}", ages_s,
                shares);
    cr_expect_float_eq(shares[0], 0.5, 0.012);
}

Test(market, the_providers_limit_ends_the_longest_lives)
{
    struct market *market = open_market(MARKET("\"max_lifetime_s\": 86400"));
    cr_expect_eq(market_lifetime(market), 24 * HOUR);
    market_destroy(market);
    market = open_market(MARKET("\"max_lifetime_s\": 7200, "
                                "\"lifetime\": {\"kind\": \"exponential\", \"per_hour\": 0.5}"));
    int limited = 0;
    for (int i = 0; i < SAMPLES; i++) {
        tick_t life = market_lifetime(market);
        cr_assert_leq(life, 2 * HOUR);
        limited += life == 2 * HOUR;
    }
    cr_expect_float_eq(limited / (double)SAMPLES, exp(-1), 0.015);
    market_destroy(market);
}

#define LIVES "last_seen_alive_s,end_observed_s,terminated\n0,900,1\n0,900,1\n0,900,1\n"

Test(market, lives_are_fitted_to_a_file)
{
    double shares[2];
    write_record("lives.csv", LIVES "900,1800,0\n");
    life_shares("{\"kind\": \"fitted\", \"path\": \"lives.csv\", \"law\": \"exponential\"}",
                (double[]){900, 1800}, shares);
    cr_expect_float_eq(shares[0], 0.75, 0.015);
    cr_expect_float_eq(shares[1], 1 - 0.0625, 0.015);
    write_record("lives.csv", LIVES);
    expect_refused(MARKET("\"lifetime\": {\"kind\": \"fitted\", \"path\": \"lives.csv\"}"),
                   "/markets/0/lifetime/path", "3 lifetimes 3");
    write_record("lives.csv", LIVES "0,400,0\n");
    expect_refused(MARKET("\"lifetime\": {\"kind\": \"fitted\", \"path\": \"lives.csv\", "
                          "\"law\": \"exponential\"}"),
                   "/markets/0/lifetime/path", "no exponential law");
}

/* --- prices --- */

Test(market, prices_are_fixed_or_a_share_of_those_on_demand)
{
    struct market *market =
        open_market(MARKET("\"price\": {\"kind\": \"fixed\", \"usd_per_hour\": 2.5}"));
    cr_expect_eq(market_spot_usd(market), 2.5);
    market_destroy(market);
    market =
        open_market(MARKET("\"price\": {\"kind\": \"discount\", \"share_of_on_demand\": 0.25}"));
    cr_expect_eq(market_spot_usd(market), 2.5);
    market_destroy(market);
}

#define PRICES       "zone,offset_s,spot_usd_per_hour\na,0,1.5\na,3600,1.6\na,7200,1.4\nb,0,9\n"
#define PRICED(more) MARKET("\"price\": {\"kind\": \"recorded\", \"path\": \"p.csv\"}" more)

Test(market, recorded_prices_hold_after_their_end)
{
    write_record("p.csv", PRICES);
    context.horizon_s = 1e6;
    struct market *market = open_market(PRICED(""));
    cr_expect_eq(market_spot_usd(market), 1.5);
    cr_expect_eq(market_next(market), HOUR);
    cr_expect_eq(price_at(market, 3600), 1.6);
    cr_expect_eq(price_at(market, 1e6), 1.4);
    cr_expect_not(market_record_is_over(market));
    market_destroy(market);
    market = open_market(NAMED("x", "\"price\": {\"kind\": \"recorded\", \"path\": \"p.csv\", "
                                    "\"zone\": \"b\", \"instances_per_node\": 8}"));
    cr_expect_eq(market_spot_usd(market), 72);
    market_destroy(market);
}

Test(market, a_price_above_the_bid_takes_all_capacity)
{
    write_record("p.csv", PRICES);
    struct market *market = open_market(PRICED(
        ", \"capacity\": {\"kind\": \"fixed\", \"nodes\": 5}, \"max_price_usd_per_hour\": 1.5"));
    cr_expect_eq(market_capacity(market), 5, "a bid is met by its own price");
    cr_expect_eq(capacity_at(market, 3600), 0);
    cr_expect_eq(capacity_at(market, 7200), 5);
    market_destroy(market);
}

Test(market, a_drifting_price_keeps_its_mean_and_stays_below_on_demand)
{
    cr_assert(resolve(MARKET(
        "\"price\": {\"kind\": \"mean_reverting\", \"relaxation_s\": 3600, "
        "\"share_of_on_demand\": 0.4, \"volatility\": 0.2}") ", " NAMED("b",
                                                                        "\"price\": {\"kind\": "
                                                                        "\"mean_reverting\", "
                                                                        "\"relaxation_s\": 3600, "
                                                                        "\"share_of_on_demand\": "
                                                                        "0.9, \"volatility\": "
                                                                        "0.5}")));
    double *logs = ARENA_ARRAY(arena, SAMPLES, double), sum = 0, most = 0;
    struct market *market = market_create(specs[0], 1, 0), *dear = market_create(specs[1], 1, 0);
    for (int i = 0; i < SAMPLES; i++) {
        cr_assert_eq(market_next(market), (i + 1) * HOUR);
        sum += market_spot_usd(market);
        logs[i] = log(market_spot_usd(market));
        most = fmax(most, market_spot_usd(dear));
        market_advance(market, market_next(market));
        market_advance(dear, market_next(dear));
    }
    cr_expect_float_eq(sum / SAMPLES, 4, 0.05);
    cr_expect_float_eq(gsl_stats_sd(logs, 1, SAMPLES), 0.2, 0.01);
    cr_expect_eq(most, 10);
    market_destroy(market);
    market_destroy(dear);
}

/* --- the recorded markets --- */

#define V100 "aws_v100_9zones_2023-02"

static const char *const v100_zones[] = {"us-east-1a", "us-east-1c", "us-east-1d",
                                         "us-east-1f", "us-east-2a", "us-east-2b",
                                         "us-west-2a", "us-west-2b", "us-west-2c"};

enum { V100_ZONES = sizeof v100_zones / sizeof *v100_zones };

static bool resolve_v100(const char *file)
{
    const char *list = "";
    int stem = (int)(strlen(file) - strlen(".csv"));
    for (int i = 0; i < V100_ZONES; i++)
        list = arena_printf(
            arena,
            "%s%s{\"name\": \"%s\", \"instance\": \"p3.2xlarge\", \"capacity\": {\"kind\": "
            "\"recorded\", \"path\": \"%s\"}, \"price\": {\"kind\": \"recorded\", \"path\": "
            "\"%.*s_prices.csv\"}}",
            list, i ? ", " : "", v100_zones[i], file, stem, file);
    return resolve(list);
}

/* At each of the file's rows, each market has what the row says. Nine zones together have capacity
 * 99.2 % of the time, where the best alone has it 90.5 %: why fleets spread. */
Test(market, nine_zones_of_v100_are_as_recorded)
{
    char file[512], line[256];
    struct market *markets[V100_ZONES];
    int rows = 0, any = 0;
    if (!test_data_path("traces/spot/" V100 ".csv", file, sizeof file))
        cr_skip_test("no shared data");
    context.folder = NULL;
    cr_assert(resolve_v100(file), "%s", test_error_text(&error));
    for (int i = 0; i < V100_ZONES; i++)
        markets[i] = market_create(specs[i], 1, 0);
    FILE *record = fopen(file, "r");
    cr_assert(record && fgets(line, sizeof line, record));
    for (; fgets(line, sizeof line, record); rows++) {
        char *rest = line;
        double time_s = strtod(strsep(&rest, ","), NULL);
        int64_t total = 0;
        for (int i = 0; i < V100_ZONES; i++) {
            int64_t recorded = strtol(strsep(&rest, ","), NULL, 10);
            total += recorded;
            cr_assert_eq(capacity_at(markets[i], time_s), recorded, "%s at %g s", v100_zones[i],
                         time_s);
            cr_assert_geq(market_spot_usd(markets[i]), 0.918);
            cr_assert_leq(market_spot_usd(markets[i]), 1.8464);
        }
        any += total > 0;
    }
    fclose(record);
    cr_expect_eq(rows, 20158);
    cr_expect_float_eq(any / (double)rows, 0.992, 0.0005);
    for (int i = 0; i < V100_ZONES; i++)
        market_destroy(markets[i]);
}
