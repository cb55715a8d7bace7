#include "scenarios/compare_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define VARIANT(member) offsetof(struct scenario_variant, member)
#define SWEEP(member)   offsetof(struct scenario_sweep, member)
#define CLAIM(member)   offsetof(struct scenario_claim, member)
#define COMPARE(member) offsetof(struct scenario_compare, member)

const char *const compare_metric_names[] = {
    [COMPARE_REQUESTS_PER_S] = "requests_per_s",
    [COMPARE_GOODPUT_REQUESTS_PER_S] = "goodput_requests_per_s",
    [COMPARE_OUTPUT_TOK_PER_S] = "output_tok_per_s",
    [COMPARE_TOTAL_TOK_PER_S] = "total_tok_per_s",
    [COMPARE_ATTAINMENT] = "attainment",
    [COMPARE_TTFT_MEAN_S] = "ttft_mean_s",
    [COMPARE_TTFT_P50_S] = "ttft_p50_s",
    [COMPARE_TTFT_P99_S] = "ttft_p99_s",
    [COMPARE_TPOT_MEAN_S] = "tpot_mean_s",
    [COMPARE_TPOT_P50_S] = "tpot_p50_s",
    [COMPARE_TPOT_P99_S] = "tpot_p99_s",
    [COMPARE_ITL_P99_S] = "itl_p99_s",
    [COMPARE_E2E_MEAN_S] = "e2e_mean_s",
    [COMPARE_E2E_P50_S] = "e2e_p50_s",
    [COMPARE_E2E_P99_S] = "e2e_p99_s",
    [COMPARE_MEAN_BATCH] = "mean_batch",
    [COMPARE_KV_SLOTS_HELD] = "kv_slots_held",
    [COMPARE_USD_PER_MILLION_TOK] = "usd_per_million_tok",
    [COMPARE_USD_PER_MILLION_OUTPUT_TOK] = "usd_per_million_output_tok",
    [COMPARE_JOULES_PER_OUTPUT_TOK] = "joules_per_output_tok",
    [COMPARE_COST_USD] = "cost_usd",
    [COMPARE_REQUESTS_PER_USD] = "requests_per_usd",
    [COMPARE_USED_SHARE] = "used_share",
    [COMPARE_MEAN_REPLICAS] = "mean_replicas",
    [COMPARE_PEAK_REPLICAS] = "peak_replicas",
    [COMPARE_USD_PER_HOUR] = "usd_per_hour",
    [COMPARE_UP_SHARE] = "up_share",
    [COMPARE_FULL_SHARE] = "full_share",
    [COMPARE_SPOT_SHARE] = "spot_share",
    [COMPARE_INTERRUPTIONS] = "interruptions",
    [COMPARE_HELD_SHARE] = "held_share",
    [COMPARE_MOVED_REQUESTS] = "moved_requests",
    [COMPARE_LOST_REQUESTS] = "lost_requests",
    NULL};

static const struct config_field set_element = {
    .name = "set", .kind = CONFIG_STRING, .doc = "an assignment as of --set: \"a.b[0].c=v\""};

static const struct config_field variant_fields[] = {
    {.name = "name", .kind = CONFIG_STRING, .offset = VARIANT(name), .doc = "name of the variant"},
    {.name = "set",
     .kind = CONFIG_LIST,
     .offset = VARIANT(set),
     .element = &set_element,
     .preset = "[]",
     .max = 100,
     .doc = "what differs from the scenario, as assignments of --set"},
    {0}};

static const struct config_type variant_type = {.name = "compare_variant",
                                                .doc = "One way of serving the traffic",
                                                .size = sizeof(struct scenario_variant),
                                                .fields = variant_fields};

static const struct config_field variant_element = {
    .name = "variant", .kind = CONFIG_OBJECT, .object = &variant_type, .doc = "one variant"};

static const struct config_field value_element = {
    .name = "value", .kind = CONFIG_NUMBER, .min = -INFINITY, .max = INFINITY, .doc = "a value"};

static const struct config_field sweep_fields[] = {
    {.name = "set",
     .kind = CONFIG_STRING,
     .offset = SWEEP(set),
     .doc = "the value that is swept, as in --set: \"workload.rate_per_s\""},
    {.name = "values",
     .kind = CONFIG_LIST,
     .offset = SWEEP(values),
     .element = &value_element,
     .min = 1,
     .max = 1000,
     .doc = "what it is set to, one after the other"},
    {.name = "label",
     .kind = CONFIG_STRING,
     .offset = SWEEP(label),
     .optional = true,
     .doc = "what the axis of the figures is called; null: as `set`"},
    {.name = "log_scale",
     .kind = CONFIG_BOOL,
     .offset = SWEEP(log_scale),
     .preset = "false",
     .doc = "a logarithmic axis"},
    {0}};

static const struct config_type sweep_type = {.name = "compare_sweep",
                                              .doc = "One value that all variants run with",
                                              .size = sizeof(struct scenario_sweep),
                                              .fields = sweep_fields};

static const struct config_field metric_element = {.name = "metric",
                                                   .kind = CONFIG_ENUM,
                                                   .names = compare_metric_names,
                                                   .doc = "a number of the summary"};

static const struct config_field ratio_element = {
    .name = "bound", .kind = CONFIG_NUMBER, .min = 0, .max = 1e9, .doc = "a ratio"};

static const struct config_field claim_fields[] = {
    {.name = "text", .kind = CONFIG_STRING, .offset = CLAIM(text), .doc = "what was published"},
    {.name = "source", .kind = CONFIG_STRING, .offset = CLAIM(source), .doc = "where"},
    {.name = "of", .kind = CONFIG_STRING, .offset = CLAIM(of), .doc = "name of a variant ..."},
    {.name = "over",
     .kind = CONFIG_STRING,
     .offset = CLAIM(over),
     .doc = "... and of the one that its metric is divided by"},
    {.name = "metric",
     .kind = CONFIG_ENUM,
     .offset = CLAIM(metric),
     .names = compare_metric_names,
     .doc = "of which number"},
    {.name = "ratio",
     .kind = CONFIG_LIST,
     .offset = CLAIM(ratio),
     .element = &ratio_element,
     .preset = "[]",
     .max = 2,
     .doc = "the published ratio, or the [least, most] of it"},
    {0}};

static const struct config_type claim_type = {.name = "compare_claim",
                                              .doc = "A published ratio of two variants",
                                              .size = sizeof(struct scenario_claim),
                                              .fields = claim_fields};

static const struct config_field claim_element = {
    .name = "claim", .kind = CONFIG_OBJECT, .object = &claim_type, .doc = "one claim"};

static const struct config_field compare_fields[] = {
    {.name = "variants",
     .kind = CONFIG_LIST,
     .offset = COMPARE(variants),
     .element = &variant_element,
     .min = 1,
     .max = 100,
     .doc = "what is compared"},
    {.name = "sweep",
     .kind = CONFIG_OBJECT,
     .offset = COMPARE(sweep),
     .object = &sweep_type,
     .optional = true,
     .doc = "a value that all variants run with, one after the other; null: each runs once"},
    {.name = "metrics",
     .kind = CONFIG_LIST,
     .offset = COMPARE(metrics),
     .element = &metric_element,
     .preset = "[\"output_tok_per_s\", \"ttft_p50_s\", \"tpot_p50_s\", \"e2e_p50_s\"]",
     .min = 1,
     .max = COMPARE_METRICS,
     .doc = "the numbers to show; each is a figure"},
    {.name = "claims",
     .kind = CONFIG_LIST,
     .offset = COMPARE(claims),
     .element = &claim_element,
     .preset = "[]",
     .max = 100,
     .doc = "published ratios to set beside the simulated ones"},
    {0}};

const struct config_type scenario_compare_type = {
    .name = "compare",
    .doc = "Variants of the scenario that `tokenyard compare` sets side by side",
    .size = sizeof(struct scenario_compare),
    .fields = compare_fields};

/* --- checks --- */

static bool has_variant(const struct scenario_compare *compare, const char *name, size_t before)
{
    const struct scenario_variant *variants = compare->variants.items;
    for (size_t i = 0; i < before; i++)
        if (strcmp(variants[i].name, name) == 0)
            return true;
    return false;
}

static bool names_variant(const struct scenario_compare *compare, size_t claim, const char *member,
                          const char *name, const struct json_document *document,
                          struct error *error)
{
    if (has_variant(compare, name, compare->variants.count))
        return true;
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/compare/claims/%zu/%s", claim, member);
    json_error(document, pointer, error, "there is no variant \"%s\"", name);
    const char *names[100];
    const struct scenario_variant *variants = compare->variants.items;
    for (size_t i = 0; i < compare->variants.count; i++)
        names[i] = variants[i].name;
    config_hint_names(error, name, names, compare->variants.count);
    return false;
}

bool scenario_compare_check(const struct scenario_compare *compare,
                            const struct json_document *document, struct error *error)
{
    const struct scenario_variant *variants = compare->variants.items;
    const struct scenario_claim *claims = compare->claims.items;
    char pointer[64];
    for (size_t i = 0; i < compare->variants.count; i++) {
        snprintf(pointer, sizeof pointer, "/compare/variants/%zu/name", i);
        if (has_variant(compare, variants[i].name, i))
            return json_error(document, pointer, error, "two variants are called \"%s\"",
                              variants[i].name);
    }
    for (size_t i = 0; i < compare->claims.count; i++)
        if (!names_variant(compare, i, "of", claims[i].of, document, error) ||
            !names_variant(compare, i, "over", claims[i].over, document, error))
            return false;
    return true;
}
