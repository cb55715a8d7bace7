/* A storm: a scene whose replicas come and go, with markets, scalers, failures and a budget, drawn
 * at random. What a scenario says of them is written as JSON and read as a scenario's, so that
 * defaults and checks are the real ones.
 *
 * Times of a scene are some hundred times longer, so that its requests live as long as notices,
 * starts and scalers' periods do. */
#ifndef TOKENYARD_TESTS_MODELS_DRAW_STORM_H
#define TOKENYARD_TESTS_MODELS_DRAW_STORM_H

#include <stdarg.h>

#include "models/elastic/elastic_settings.h"
#include "models/elastic/scaler_settings.h"
#include "models/money/price_book.h"
#include "tests/models/draw_scene.h"
#include "tests/models/settings_support.h"

enum { STORM_MARKETS_MAX = 4, STORM_RECORDS = 4, STORM_RECORD_ROWS = 40 };

struct storm {
    struct scene scene;
    struct arena *arena; /* of the caller */
    struct gpu gpu;
    uint32_t market_count;
    struct market_spec *const *markets;
    struct usage_market market_usage[STORM_MARKETS_MAX];
    struct elastic_pool_spec pools[POOLS_MAX];
    uint32_t pool_markets[POOLS_MAX][STORM_MARKETS_MAX];
    const char *pool_market_names[POOLS_MAX][STORM_MARKETS_MAX];
    struct elastic_spec spec;
    struct rebalance_settings rebalance_settings;
    struct plane_rebalance rebalance;
    /* Of all providers; the budget counts on the same. */
    struct billing_rule rule;
};

/* --- text --- */

struct storm_text {
    char json[8192];
    size_t length;
};

__attribute__((format(printf, 2, 3))) static inline void storm_say(struct storm_text *text,
                                                                   const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text->length += (size_t)vsnprintf(text->json + text->length, sizeof text->json - text->length,
                                      format, arguments);
    va_end(arguments);
    cr_assert_lt(text->length, sizeof text->json);
}

static inline void storm_read(const struct storm_text *text, const struct config_type *type,
                              struct arena *arena, void *out, struct json_document **kept)
{
    char json[sizeof text->json];
    for (size_t i = 0; i <= text->length; i++)
        json[i] = text->json[i] == '\'' ? '"' : text->json[i];
    struct error error = {0};
    struct json_document *document = json_read_text("storm", json, text->length, &error);
    cr_assert_not_null(document, "%s: %s", text->json, test_error_text(&error));
    cr_assert(config_read(type, document, json_root(document), "", arena, out, &error), "%s: %s",
              text->json, test_error_text(&error));
    if (kept)
        *kept = document;
    else
        json_free(document);
}

static inline double real_between(gsl_rng *rng, double low, double high)
{
    return low + (high - low) * gsl_rng_uniform(rng);
}

/* Most small, some large. */
static inline double scale_between(gsl_rng *rng, double low, double high)
{
    return low * pow(high / low, gsl_rng_uniform(rng));
}

/* --- records, written once per test --- */

static inline void storm_write_record(gsl_rng *rng, int number, bool prices)
{
    char text[4096], name[16], path[128];
    int at = snprintf(text, sizeof text, "zone,offset_s,spot_usd_per_hour\n");
    if (!prices)
        at = snprintf(text, sizeof text, "offset_s,any\n");
    for (uint32_t i = 0, time_s = 0; i < STORM_RECORD_ROWS; i++) {
        at += prices ? snprintf(text + at, sizeof text - (size_t)at, "any,%u,%.4f\n", time_s,
                                scale_between(rng, 0.1, 6))
                     : snprintf(text + at, sizeof text - (size_t)at, "%u,%u\n", time_s,
                                between(rng, 0, 6));
        time_s += between(rng, 1, one_in(rng, 3) ? 600 : 90);
    }
    snprintf(name, sizeof name, "%c%d.csv", prices ? 'p' : 'c', number);
    test_write_file(name, text, (size_t)at, path, sizeof path);
}

static inline void storm_write_records(gsl_rng *rng)
{
    for (int i = 0; i < STORM_RECORDS; i++) {
        storm_write_record(rng, i, false);
        storm_write_record(rng, i, true);
    }
}

/* --- markets --- */

static inline const char *draw_after_end(gsl_rng *rng)
{
    return one_in(rng, 2) ? "hold" : "repeat";
}

static inline void say_capacity(gsl_rng *rng, struct storm_text *text)
{
    switch (between(rng, 0, 4)) {
    case 0:
        return;
    case 1:
        storm_say(text, ", 'capacity': {'kind': 'fixed', 'nodes': %u}", between(rng, 0, 5));
        return;
    case 2:
        storm_say(text,
                  ", 'capacity': {'kind': 'recorded', 'path': 'c%u.csv', 'column': 'any', "
                  "'from_s': %u, 'after_end': '%s'}",
                  between(rng, 0, STORM_RECORDS - 1), between(rng, 0, 900), draw_after_end(rng));
        return;
    default: /* relaxation and step: alike in a region */
        storm_say(text,
                  ", 'capacity': {'kind': 'correlated', 'nodes': %u, 'available': %.3f, "
                  "'burstiness': %.3f, 'relaxation_s': 200, 'step_s': 20}",
                  between(rng, 1, 6), real_between(rng, 0.2, 0.9), real_between(rng, 0, 0.95));
    }
}

static inline void say_lifetime(gsl_rng *rng, struct storm_text *text)
{
    if (one_in(rng, 3))
        storm_say(text, ", 'lifetime': {'kind': 'exponential', 'per_hour': %.3f}",
                  scale_between(rng, 2, 200));
    else if (one_in(rng, 3))
        storm_say(text, ", 'lifetime': {'kind': 'weibull', 'shape': %.3f, 'scale_s': %.3f}",
                  scale_between(rng, 0.4, 4), scale_between(rng, 20, 2000));
    if (one_in(rng, 6))
        storm_say(text, ", 'max_lifetime_s': %.3f", scale_between(rng, 10, 1000));
}

static inline void say_price(gsl_rng *rng, struct storm_text *text)
{
    switch (between(rng, 0, 3)) {
    case 0:
        storm_say(text, ", 'price': {'kind': 'fixed', 'usd_per_hour': %.3f}",
                  real_between(rng, 0, 4));
        return;
    case 1:
        storm_say(text,
                  ", 'price': {'kind': 'recorded', 'path': 'p%u.csv', 'zone': 'any', "
                  "'from_s': %u, 'after_end': '%s'}",
                  between(rng, 0, STORM_RECORDS - 1), between(rng, 0, 900), draw_after_end(rng));
        return;
    default:
        storm_say(text,
                  ", 'price': {'kind': 'mean_reverting', 'share_of_on_demand': %.3f, "
                  "'volatility': %.3f, 'relaxation_s': 300, 'step_s': 30}",
                  real_between(rng, 0.1, 0.9), real_between(rng, 0.05, 1.2));
    }
    if (one_in(rng, 4))
        storm_say(text, ", 'max_price_usd_per_hour': %.3f", real_between(rng, 0.2, 4));
}

static inline void say_grants(gsl_rng *rng, struct storm_text *text)
{
    if (one_in(rng, 3))
        storm_say(text, ", 'grant_probability': %.3f", real_between(rng, 0, 1));
    if (one_in(rng, 4))
        storm_say(text, ", 'on_demand_grant_probability': %.3f", real_between(rng, 0, 1));
    if (one_in(rng, 3))
        storm_say(text, ", 'on_demand_capacity': %u", between(rng, 0, 4));
}

static inline double draw_notice_s(gsl_rng *rng)
{
    static const double usual[] = {0, 30, 120};
    return one_in(rng, 2) ? usual[between(rng, 0, 2)] : real_between(rng, 0, 120);
}

struct storm_markets {
    struct config_list list;
};

static const struct config_field storm_market_element = {.kind = CONFIG_OBJECT,
                                                         .object = &market_config_type};
static const struct config_field storm_markets_fields[] = {{.name = "markets",
                                                            .kind = CONFIG_LIST,
                                                            .element = &storm_market_element,
                                                            .max = STORM_MARKETS_MAX},
                                                           {0}};
static const struct config_type storm_markets_type = {
    .name = "markets", .size = sizeof(struct storm_markets), .fields = storm_markets_fields};

static inline void draw_markets(gsl_rng *rng, struct storm *storm)
{
    struct storm_text text = {.length = 0};
    storm->market_count = between(rng, 0, STORM_MARKETS_MAX);
    storm_say(&text, "{'markets': [");
    for (uint32_t i = 0; i < storm->market_count; i++) {
        storm_say(&text,
                  "%s{'name': 'zone %u', 'region': 'region %u', 'notice_s': %.6f, "
                  "'on_demand_usd_per_hour': %.3f",
                  i ? ", " : "", i, between(rng, 0, 1), draw_notice_s(rng),
                  real_between(rng, 1, 6));
        say_capacity(rng, &text);
        say_lifetime(rng, &text);
        say_price(rng, &text);
        say_grants(rng, &text);
        storm_say(&text, "}");
    }
    storm_say(&text, "]}");
    struct storm_markets read;
    struct json_document *document;
    storm_read(&text, &storm_markets_type, storm->arena, &read, &document);
    const struct market_context context = {
        .document = document, .pointer = "/markets", .folder = test_folder(), .horizon_s = NAN};
    struct error error = {0};
    storm->markets = markets_resolve(&read.list, &context, storm->arena, &error);
    cr_assert_not_null(storm->markets, "%s: %s", text.json, test_error_text(&error));
    const struct market_settings *given = read.list.items;
    for (uint32_t i = 0; i < storm->market_count; i++)
        storm->market_usage[i] =
            (struct usage_market){.name = market_spec_name(storm->markets[i]),
                                  .provider = "cloud",
                                  .region = market_spec_region(storm->markets[i]),
                                  .sku = "node",
                                  .gpus = 1,
                                  .on_demand_usd_per_hour = given[i].on_demand_usd_per_hour};
    json_free(document);
}

/* --- scalers --- */

static inline const char *draw_metric(gsl_rng *rng)
{
    static const char *const metrics[] = {"waiting",         "running",
                                          "outstanding",     "requests_per_s",
                                          "kv_used_percent", "utilisation_percent"};
    return metrics[between(rng, 0, 5)];
}

static inline void say_hpa_behavior(gsl_rng *rng, struct storm_text *text)
{
    if (one_in(rng, 2))
        storm_say(text,
                  ", 'behavior': {'scale_down': {'stabilization_window_s': %u}, 'scale_up': "
                  "{'stabilization_window_s': %u}}",
                  between(rng, 0, 60), between(rng, 0, 20));
}

static inline void say_simple_scaler(gsl_rng *rng, int64_t low, int64_t high,
                                     struct storm_text *text)
{
    double sync_s = scale_between(rng, 1, 30);
    switch (between(rng, 0, 9)) {
    case 0:
        storm_say(text, "{'policy': 'fixed', 'replicas': %u}",
                  between(rng, (uint32_t)low, (uint32_t)high));
        return;
    case 1:
        storm_say(text,
                  "{'policy': 'hpa', 'sync_s': %.3f, 'metrics': [{'metric': '%s', 'target': %.3f}]",
                  sync_s, draw_metric(rng), scale_between(rng, 0.2, 50));
        say_hpa_behavior(rng, text);
        break;
    case 2:
        storm_say(text,
                  "{'policy': 'keda', 'polling_interval_s': %.3f, 'cooldown_period_s': %.3f, "
                  "'sync_s': %.3f, 'triggers': [{'metric': 'waiting', 'threshold': %.3f}]",
                  sync_s, scale_between(rng, 1, 300), sync_s, scale_between(rng, 0.2, 10));
        say_hpa_behavior(rng, text);
        break;
    case 3:
        storm_say(text,
                  "{'policy': 'target_tracking', 'metric': '%s', 'target': %.3f, "
                  "'period_s': %u, 'out_periods': 1, 'in_periods': %u",
                  draw_metric(rng), scale_between(rng, 0.5, 90), between(rng, 5, 60),
                  between(rng, 1, 5));
        break;
    case 4:
        storm_say(text,
                  "{'policy': 'step', 'period_s': %u, 'policies': ["
                  "{'metric': 'outstanding', 'comparison': 'above', 'threshold': %u, "
                  "'cooldown_s': %u, 'steps': [{'lower': 0, 'adjustment': %u}]}, "
                  "{'metric': 'outstanding', 'comparison': 'at_most', 'threshold': %u, "
                  "'cooldown_s': %u, 'steps': [{'upper': 0, 'adjustment': -%u}]}]",
                  between(rng, 5, 30), between(rng, 2, 10), between(rng, 0, 60), between(rng, 1, 3),
                  between(rng, 0, 1), between(rng, 0, 60), between(rng, 1, 2));
        break;
    case 5:
        storm_say(text, "{'policy': 'schedule', 'actions': [");
        for (uint32_t i = 0; i < 4; i++)
            storm_say(text, "%s{'time': '00:%02u', 'desired_replicas': %u}", i ? ", " : "",
                      10 * i + between(rng, 0, 9), between(rng, (uint32_t)low, (uint32_t)high));
        storm_say(text, "]");
        break;
    case 6:
        storm_say(text,
                  "{'policy': 'queue_depth', 'sync_s': %.3f, 'high': %u, 'low': %u, "
                  "'scale_out_cooldown_s': %u, 'scale_in_cooldown_s': %u",
                  sync_s, between(rng, 2, 8), between(rng, 0, 1), between(rng, 0, 30),
                  between(rng, 0, 60));
        break;
    case 7:
        storm_say(text,
                  "{'policy': 'slo', 'sync_s': %.3f, 'scale_out_cooldown_s': %u, "
                  "'scale_in_cooldown_s': %u, 'objectives': [{'metric': 'ttft_s', 'bound': %.3f}]",
                  sync_s, between(rng, 0, 30), between(rng, 0, 60), scale_between(rng, 0.5, 60));
        break;
    case 8:
        storm_say(text,
                  "{'policy': 'knative', 'target': %.3f, 'stable_window_s': %u, "
                  "'scale_to_zero_grace_s': %u",
                  scale_between(rng, 0.5, 10), between(rng, 6, 120), between(rng, 0, 30));
        break;
    default:
        storm_say(text,
                  "{'policy': 'predictive', 'metric': 'requests_per_s', 'per_replica': %.3f, "
                  "'period_s': %u, 'lead_s': %u",
                  scale_between(rng, 0.02, 2), between(rng, 10, 60), between(rng, 0, 300));
    }
    storm_say(text, "}");
}

static inline void say_scaler(gsl_rng *rng, int64_t low, int64_t high, struct storm_text *text)
{
    bool combined = one_in(rng, 8);
    storm_say(text, combined ? ", 'scaler': {'policy': 'combine', 'parts': [" : ", 'scaler': ");
    say_simple_scaler(rng, low, high, text);
    if (combined) {
        storm_say(text, ", ");
        say_simple_scaler(rng, low, high, text);
        storm_say(text, "]}");
    }
}

/* --- the other settings of an elastic pool --- */

static inline void say_strategy(gsl_rng *rng, const struct elastic_pool_spec *pool,
                                struct storm_text *text)
{
    static const char *const plain[] = {"price_capacity_optimized", "capacity_optimized",
                                        "diversified"};
    switch (between(rng, 0, 6)) {
    case 0:
        return;
    case 1:
        storm_say(text, ", 'strategy': {'policy': 'lowest_price', 'pools': %u}",
                  between(rng, 1, 2));
        return;
    case 2:
        if (pool->market_count > 0)
            storm_say(text, ", 'strategy': {'policy': 'single', 'market': '%s'}",
                      pool->market_names[between(rng, 0, pool->market_count - 1)]);
        return;
    case 3:
        storm_say(text,
                  ", 'strategy': {'policy': 'on_demand_fallback', 'after_s': %.3f, 'within': '%s'}",
                  scale_between(rng, 1, 200), plain[between(rng, 0, 2)]);
        return;
    default:
        storm_say(text, ", 'strategy': '%s'", plain[between(rng, 0, 2)]);
    }
}

static inline void say_purchase(gsl_rng *rng, const struct elastic_pool_spec *pool,
                                int64_t max_nodes, struct storm_text *text)
{
    int64_t base = between(rng, 0, 2);
    storm_say(text, ", 'purchase': {'on_demand_base': %d, 'refusal_cooldown_s': %.3f",
              (int)(base < max_nodes ? base : max_nodes), scale_between(rng, 0.5, 60));
    if (one_in(rng, 4)) {
        storm_say(text,
                  ", 'strategy': {'policy': 'spot_hedge', 'num_overprovision': %u, "
                  "'dynamic_ondemand_fallback': %s}",
                  between(rng, 0, 2), one_in(rng, 2) ? "true" : "false");
    } else {
        if (!one_in(rng, 3))
            storm_say(text, ", 'spot_percent_above_base': %u", between(rng, 1, 4) * 25);
        say_strategy(rng, pool, text);
    }
    if (one_in(rng, 4))
        storm_say(text, ", 'spot_max_usd_per_hour': %.3f", real_between(rng, 0.3, 5));
    storm_say(text, ", 'on_demand_strategy': '%s'}",
              one_in(rng, 2) ? "prioritized" : "lowest_price");
}

static inline void say_stage(gsl_rng *rng, const char *name, double longest_s,
                             struct storm_text *text)
{
    switch (between(rng, 0, 3)) {
    case 0:
        storm_say(text, ", '%s': {'kind': 'constant', 's': %u}", name,
                  between(rng, 0, (uint32_t)longest_s));
        return;
    case 1:
        storm_say(text, ", '%s': {'kind': 'uniform', 'min_s': 0, 'max_s': %.3f}", name, longest_s);
        return;
    case 2:
        storm_say(text, ", '%s': {'kind': 'gamma', 'mean_s': %.3f, 'cv': 1}", name, longest_s / 2);
        return;
    default:
        return;
    }
}

static inline void say_start_up(gsl_rng *rng, struct storm_text *text)
{
    static const char *const kinds[] = {"instant", "instant",   "instant",
                                        "cloud",   "warm_pool", "kubernetes"};
    storm_say(text, ", 'start_up': {'kind': '%s'", kinds[between(rng, 0, 5)]);
    if (!one_in(rng, 3)) {
        say_stage(rng, "answer", 10, text);
        say_stage(rng, "provision", 30, text);
        say_stage(rng, "boot", 30, text);
        say_stage(rng, "pull", 20, text);
        say_stage(rng, "load", 30, text);
        say_stage(rng, "warm_up", 20, text);
        say_stage(rng, "shut_down", 20, text);
    }
    if (one_in(rng, 3))
        storm_say(text, ", 'refused_on_demand': %.3f, 'refused_spot': %.3f",
                  real_between(rng, 0, 0.5), real_between(rng, 0, 0.5));
    if (one_in(rng, 2))
        storm_say(text, ", 'drain_limit_s': %.3f",
                  one_in(rng, 4) ? 0 : scale_between(rng, 0.1, 60));
    storm_say(text, "}");
}

static inline void say_failures(gsl_rng *rng, struct storm_text *text)
{
    if (one_in(rng, 2))
        return;
    storm_say(text, ", 'failures': {'gpu_mtbf_h': %s, 'instance_mtbf_h': %.4f",
              one_in(rng, 2) ? "null" : "1", scale_between(rng, 0.01, 1));
    say_stage(rng, "detection", 60, text);
    storm_say(text, "}");
}

static inline void say_pool(gsl_rng *rng, const struct elastic_pool_spec *pool,
                            const struct billing_rule *rule, struct storm_text *text)
{
    uint32_t low = one_in(rng, 3) ? 0 : between(rng, 0, 2), high = between(rng, low, 5);
    high = high > 0 ? high : 1;
    int64_t max_nodes = (high + pool->replicas_per_node - 1) / pool->replicas_per_node;
    storm_say(text, "{'min_replicas': %u, 'max_replicas': %u, 'markets': [", low, high);
    for (uint32_t i = 0; i < pool->market_count; i++)
        storm_say(text, "%s'%s'", i ? ", " : "", pool->market_names[i]);
    storm_say(text, "]");
    say_scaler(rng, low, high, text);
    say_purchase(rng, pool, max_nodes, text);
    say_start_up(rng, text);
    say_failures(rng, text);
    storm_say(text,
              ", 'interruption': {'policy': '%s'}, 'billing_minimum_s': %.6f, "
              "'billing_granularity_s': %.6f}",
              interruption_policy_names[between(rng, 0, INTERRUPTION_CHECKPOINT)], rule->minimum_s,
              rule->granularity_s);
}

/* A scenario would be refused where they do not agree. */
static inline bool settings_agree(const struct elastic_pool_spec *pool,
                                  const struct elastic_settings *settings)
{
    static const char *const own[] = {"on demand"};
    const struct scaler_limits limits = {settings->min_replicas, settings->max_replicas, 0};
    const struct purchase_scope scope = {
        pool->market_count ? pool->market_names : own, pool->market_count ? pool->market_count : 1,
        (settings->max_replicas + pool->replicas_per_node - 1) / pool->replicas_per_node};
    const struct place place = {.pointer = ""};
    return scaler_check(&settings->scaler, &limits, NULL) &&
           purchase_check(&settings->purchase, &scope, NULL) &&
           start_up_check(&settings->start_up, &place, NULL);
}

/* --- pools --- */

static inline void draw_pool_markets(gsl_rng *rng, struct storm *storm, size_t number)
{
    struct elastic_pool_spec *pool = &storm->pools[number];
    for (uint32_t i = 0; i < storm->market_count; i++)
        if (!one_in(rng, 4)) {
            storm->pool_markets[number][pool->market_count] = i;
            storm->pool_market_names[number][pool->market_count++] = storm->market_usage[i].name;
        }
    pool->markets = storm->pool_markets[number];
    pool->market_names = storm->pool_market_names[number];
}

/* As scenarios/scenario_elastic.c has it: places for stand-ins, extra nodes and those that drain.
 */
static inline uint32_t most_replicas(const struct elastic_settings *settings, uint32_t per_node)
{
    int64_t nodes = (settings->max_replicas + per_node - 1) / per_node;
    return (uint32_t)(2 * nodes + purchase_extra_nodes(&settings->purchase)) * per_node;
}

static inline void make_elastic(gsl_rng *rng, struct storm *storm, size_t number)
{
    struct elastic_pool_spec *pool = &storm->pools[number];
    struct elastic_settings *settings = ARENA_NEW(storm->arena, struct elastic_settings);
    draw_pool_markets(rng, storm, number);
    do {
        struct storm_text text = {.length = 0};
        say_pool(rng, pool, &storm->rule, &text);
        storm_read(&text, &elastic_config_type, storm->arena, settings, NULL);
    } while (!settings_agree(pool, settings));
    pool->settings = settings;
    pool->initial =
        between(rng, (uint32_t)settings->min_replicas, (uint32_t)settings->max_replicas);
    storm->scene.specs[number].replicas = most_replicas(settings, pool->replicas_per_node);
}

static inline void draw_storm_pool(gsl_rng *rng, struct storm *storm, size_t number, bool elastic)
{
    struct elastic_pool_spec *pool = &storm->pools[number];
    uint32_t per_node = one_in(rng, 2) ? 1 : between(rng, 1, 3);
    uint32_t instances = per_node == 1 && one_in(rng, 4) ? 2 : 1;
    double usd_per_hour = real_between(rng, 0.5, 6);
    *pool = (struct elastic_pool_spec){.initial = storm->scene.specs[number].replicas,
                                       .bought_as = PURCHASE_ON_DEMAND,
                                       .replicas_per_node = per_node,
                                       .instances_per_node = instances,
                                       .gpus_per_node = per_node * instances,
                                       .usd_per_hour = usd_per_hour * instances,
                                       .usage = {.name = pool_names[number],
                                                 .provider = "cloud",
                                                 .region = "",
                                                 .sku = "node",
                                                 .gpus = 1,
                                                 .on_demand_usd_per_hour = usd_per_hour},
                                       .start_up = {.provider = "AWS",
                                                    .gpu = &storm->gpu,
                                                    .weight_bytes = scale_between(rng, 1e9, 1e11),
                                                    .gpus_per_replica = 1,
                                                    .replicas_per_node = per_node,
                                                    .instances_per_node = instances}};
    if (elastic)
        make_elastic(rng, storm, number);
}

/* --- nodes that change sides --- */

/* With replicas to spare. */
static inline void fix_scaler(struct elastic_settings *settings)
{
    static const struct scaler_fixed_config as_many_as_there_are = {.replicas = INT64_MIN};
    settings->scaler = (struct config_variant){0, (void *)&as_many_as_there_are};
    while (strcmp(scaler_policies[settings->scaler.index].name, "fixed") != 0)
        settings->scaler.index++;
    settings->max_replicas += 3;
}

static inline struct rebalance_settings draw_rebalance_settings(gsl_rng *rng)
{
    double queue = scale_between(rng, 0.01, 2), kv = scale_between(rng, 0.002, 0.5);
    double interval_s = scale_between(rng, 0.1, 10);
    return (struct rebalance_settings){.metric_interval_s = interval_s,
                                       .adjustment_interval_s = interval_s * between(rng, 1, 5),
                                       .prefill_queue_down = queue,
                                       .prefill_queue_up = queue + scale_between(rng, 0.01, 2),
                                       .decode_kv_down = kv,
                                       .decode_kv_up = kv + scale_between(rng, 0.002, 0.5),
                                       .prefill_trend_intervals = between(rng, 0, 3),
                                       .decode_grace_intervals = between(rng, 0, 3),
                                       .min_replicas = 1};
}

/* The first two pools have roles, and the second one gets the nodes of the first. */
static inline void draw_rebalance(gsl_rng *rng, struct storm *storm)
{
    struct elastic_pool_spec *first = &storm->pools[0], *second = &storm->pools[1];
    struct usage_market usage = second->usage;
    bool swap = storm->scene.specs[0].role == ROLE_DECODE;
    fix_scaler((struct elastic_settings *)first->settings);
    first->initial += 2;
    *second = *first;
    second->usage.name = usage.name;
    second->initial = between(rng, first->initial - 2, first->initial + 1);
    storm->scene.specs[0].replicas = storm->scene.specs[1].replicas =
        most_replicas(first->settings, first->replicas_per_node);
    storm->rebalance_settings = draw_rebalance_settings(rng);
    storm->rebalance = (struct plane_rebalance){&storm->rebalance_settings, swap, !swap};
}

/* --- the whole --- */

static inline void slow_clients_down(struct scene *scene)
{
    for (size_t i = 0; scene->has_clients && i < CLASSES; i++) {
        struct client_settings *settings = &scene->clients_drawn.settings[i];
        settings->ttft_timeout_s *= scene->slow;
        settings->e2e_timeout_s *= scene->slow;
        settings->backoff_s *= scene->slow;
        settings->backoff_max_s *= scene->slow;
        scene->clients_drawn.rules[i].shed_after_s *= scene->slow;
    }
}

static inline double draw_budget(gsl_rng *rng)
{
    return one_in(rng, 2) ? INFINITY : scale_between(rng, 0.3, 60);
}

static inline struct billing_rule draw_billing_rule(gsl_rng *rng)
{
    static const double units_s[] = {1e-9, 1, 60, 3600};
    return (struct billing_rule){.provider = "cloud",
                                 .granularity_s = units_s[one_in(rng, 2) ? 1 : between(rng, 0, 3)],
                                 .minimum_s = one_in(rng, 3) ? 0 : between(rng, 1, 300)};
}

/* Is there always somebody for every request? */
static inline bool serves_always(const struct storm *storm)
{
    uint32_t served = 0;
    for (size_t i = 0; i < storm->scene.pools; i++)
        served |= storm->pools[i].settings ? 0 : 1u << storm->scene.specs[i].model;
    return !storm->scene.has_roles && served == (storm->scene.models > 1 ? 3 : 1);
}

/* A run either ends with its last request, or goes on to some point before or after that. */
static inline double draw_horizon_s(gsl_rng *rng, const struct storm *storm)
{
    double horizon_s = scale_between(rng, 10, 5000);
    return serves_always(storm) && !one_in(rng, 3) ? INFINITY : horizon_s;
}

/* In place: it points into itself. */
static inline void draw_storm(gsl_rng *rng, struct arena *arena, struct storm *storm)
{
    static const char *const tenants[CLASSES] = {"red", "green", "red", "blue"};
    storm->arena = arena;
    storm->scene.slow = scale_between(rng, 20, 800);
    draw_combination(rng, arena, &storm->scene);
    slow_clients_down(&storm->scene);
    storm->scene.sample_s = CLOCK_MAX_S / 4; /* at the end alone */
    storm->gpu = (struct gpu){.name = "toy", .pcie_gb_s = 20, .node_link_gb_s = 10};
    storm->rule = draw_billing_rule(rng);
    draw_markets(rng, storm);
    uint32_t first = between(rng, 0, (uint32_t)storm->scene.pools - 1);
    for (uint32_t i = 0; i < storm->scene.pools; i++)
        draw_storm_pool(rng, storm, i, i == first || !one_in(rng, 3));
    bool rebalances = storm->scene.has_roles && storm->pools[0].settings && !one_in(rng, 4);
    if (rebalances)
        draw_rebalance(rng, storm);
    storm->scene.horizon_s = draw_horizon_s(rng, storm);
    storm->spec = (struct elastic_spec){.pools = storm->pools,
                                        .markets = storm->markets,
                                        .market_count = storm->market_count,
                                        .market_usage = storm->market_usage,
                                        .rebalance = rebalances ? &storm->rebalance : NULL,
                                        .budget_usd_per_hour = draw_budget(rng),
                                        .tenants = tenants};
    storm->scene.elastic = &storm->spec;
}

#endif
