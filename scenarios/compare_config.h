/* The "compare" member of a scenario: the same traffic through variants of the same fleet, next to
 * what was published about them.
 *
 * A variant is a list of assignments as of --set. A sweep sets one more value to each of a list, so
 * that every variant becomes a curve. A claim sets a ratio of two variants beside the published
 * one. scenario_compare_check sees to what no single field can tell. */
#ifndef TOKENYARD_SCENARIOS_COMPARE_CONFIG_H
#define TOKENYARD_SCENARIOS_COMPARE_CONFIG_H

#include "sim/config.h"

/* What can be compared: numbers of a run's summary. */
enum compare_metric {
    COMPARE_REQUESTS_PER_S,
    COMPARE_GOODPUT_REQUESTS_PER_S,
    COMPARE_OUTPUT_TOK_PER_S,
    COMPARE_TOTAL_TOK_PER_S,
    COMPARE_ATTAINMENT,
    COMPARE_TTFT_MEAN_S,
    COMPARE_TTFT_P50_S,
    COMPARE_TTFT_P99_S,
    COMPARE_TPOT_MEAN_S,
    COMPARE_TPOT_P50_S,
    COMPARE_TPOT_P99_S,
    COMPARE_ITL_P99_S,
    COMPARE_E2E_MEAN_S,
    COMPARE_E2E_P50_S,
    COMPARE_E2E_P99_S,
    COMPARE_MEAN_BATCH,
    COMPARE_KV_SLOTS_HELD,
    COMPARE_USD_PER_MILLION_TOK,
    COMPARE_USD_PER_MILLION_OUTPUT_TOK,
    COMPARE_JOULES_PER_OUTPUT_TOK,
    COMPARE_COST_USD,
    COMPARE_REQUESTS_PER_USD,
    COMPARE_USED_SHARE, /* of the bill: money for iterating, not lost later */
    COMPARE_MEAN_REPLICAS,
    COMPARE_PEAK_REPLICAS,
    COMPARE_USD_PER_HOUR,
    /* Of fleets that come and go: */
    COMPARE_UP_SHARE,
    COMPARE_FULL_SHARE,
    COMPARE_SPOT_SHARE,
    COMPARE_INTERRUPTIONS,
    COMPARE_HELD_SHARE,
    COMPARE_MOVED_REQUESTS,
    COMPARE_LOST_REQUESTS,
    COMPARE_METRICS
};
extern const char *const compare_metric_names[]; /* by the enum; ends with NULL */

struct scenario_variant {
    const char *name;
    struct config_list set; /* const char *: "a.b[0].c=v" */
};

struct scenario_sweep {
    const char *set;           /* "workload.rate_per_s" */
    struct config_list values; /* double */
    const char *label;         /* of the axis; NULL: as set */
    bool log_scale;
};

struct scenario_claim {
    const char *text, *source;
    const char *of, *over;    /* names of variants: metric(of) / metric(over) */
    int metric;               /* enum compare_metric */
    struct config_list ratio; /* double: the published [least, most]; empty: none was given */
};

struct scenario_compare {
    struct config_list variants;  /* struct scenario_variant */
    struct scenario_sweep *sweep; /* NULL: each variant runs once */
    struct config_list metrics;   /* int, enum compare_metric */
    struct config_list claims;    /* struct scenario_claim */
};

extern const struct config_type scenario_compare_type;

/* document: the scenario, whose "/compare" was read into compare. */
bool scenario_compare_check(const struct scenario_compare *compare,
                            const struct json_document *document, struct error *error);

#endif
