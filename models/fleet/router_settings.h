/* The parameters of the routing policies, as a scenario gives them. Their field tables, with
 * bounds, defaults and what they mean, are in the policies' own files. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTER_SETTINGS_H
#define TOKENYARD_MODELS_FLEET_ROUTER_SETTINGS_H

#include "sim/config.h"

/* A member "within" (or "fallback") is an index into router_within_names: a policy without
 * parameters. */
extern const char *const router_within_names[];

struct router_weighted_config {
    struct config_list shares; /* struct router_share */
    int within;
};

/* What share of a class a pool gets. Classes without any share are spread by replica count. */
struct router_share {
    const char *class_name;
    const char *pool;
    double weight;
};

struct router_replanned_config {
    double interval_s;
    int within;
};

enum router_length { LENGTH_PROMPT, LENGTH_TOTAL };

struct router_length_config {
    int length;               /* enum router_length */
    struct config_list rules; /* struct router_length_rule, rising */
    double overflow_at;       /* NaN: never */
    int within;
};

/* Requests of up to so many tokens go to the pool, if no earlier rule has them. */
struct router_length_rule {
    int64_t up_to_tok; /* INT64_MIN: any */
    const char *pool;
};

struct router_session_config {
    int64_t virtual_nodes;
    double load_bound; /* NaN: none */
    int fallback;
};

enum router_headroom { HEADROOM_MOST, HEADROOM_LEAST };

struct router_slo_config {
    double margin;
    int headroom; /* enum router_headroom */
};

enum router_price { PRICE_PER_HOUR, PRICE_PER_REQUEST };

struct router_cheapest_config {
    double margin;
    int price; /* enum router_price */
};

/* How a prefix that is there and load are weighed: a variant of router_scorings. */
extern const struct config_variant_type router_scorings[];

struct router_prefix_config {
    struct config_variant scoring;
    double load_interval_s; /* NaN: as the scoring's system has it */
    int64_t capacity_tok;   /* INT64_MIN: the replica's KV cache */
    int64_t max_prefix_tok; /* INT64_MIN: all of the prompt */
};

struct router_kv_config {
    struct config_variant scoring;
    double load_interval_s; /* NaN: as the scoring's system has it */
    double event_delay_s;
};

struct scoring_llm_d {
    double prefix_weight, queue_weight, kv_weight;
};

struct scoring_dynamo {
    double overlap_weight, temperature;
};

struct scoring_sglang {
    double cache_threshold;
    int64_t balance_abs_threshold;
    double balance_rel_threshold;
};

extern const struct config_type router_weighted_type, router_replanned_type, router_length_type,
    router_session_type, router_slo_type, router_cheapest_type, router_prefix_type, router_kv_type;

#endif
