#include "models/fleet/router_scoring.h"

#include <math.h>

/* --- parameters --- */

static const struct config_field llm_d_fields[] = {
    {.name = "prefix_weight",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scoring_llm_d, prefix_weight),
     .preset = "3",
     .min = 0,
     .max = 1e6,
     .doc = "of the share of the prompt that the replica has"},
    {.name = "queue_weight",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scoring_llm_d, queue_weight),
     .preset = "2",
     .min = 0,
     .max = 1e6,
     .doc = "of how short its queue is, from 1 for the shortest to 0 for the longest"},
    {.name = "kv_weight",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scoring_llm_d, kv_weight),
     .preset = "2",
     .min = 0,
     .max = 1e6,
     .doc = "of the share of its KV cache that is free"},
    {0}};

static const struct config_type llm_d_type = {.name = "scoring_llm_d",
                                              .doc = "Weights of llm-d's scorers",
                                              .size = sizeof(struct scoring_llm_d),
                                              .fields = llm_d_fields};

static const struct config_field dynamo_fields[] = {
    {.name = "overlap_weight",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scoring_dynamo, overlap_weight),
     .preset = "1",
     .min = 0,
     .max = 1e6,
     .doc = "of prompt tokens to be computed, against those that are decoded with"},
    {.name = "temperature",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scoring_dynamo, temperature),
     .preset = "0",
     .min = 0,
     .max = 1e6,
     .doc = "0: the cheapest replica; above: drawn by a softmax of costs scaled to 0..1"},
    {0}};

static const struct config_type dynamo_type = {.name = "scoring_dynamo",
                                               .doc = "Parameters of NVIDIA Dynamo's KV router",
                                               .size = sizeof(struct scoring_dynamo),
                                               .fields = dynamo_fields};

static const struct config_field sglang_fields[] = {
    {.name = "cache_threshold",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scoring_sglang, cache_threshold),
     .preset = "0.3",
     .min = 0,
     .max = 1,
     .doc = "share of the prompt that the best replica must have to get it; or else it goes to "
            "the one that has the least of anything"},
    {.name = "balance_abs_threshold",
     .kind = CONFIG_INT,
     .offset = offsetof(struct scoring_sglang, balance_abs_threshold),
     .preset = "64",
     .min = 0,
     .max = 1e9,
     .doc = "loads that differ by more requests, and by balance_rel_threshold, are evened out"},
    {.name = "balance_rel_threshold",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scoring_sglang, balance_rel_threshold),
     .preset = "1.5",
     .min = 1,
     .max = 1e6,
     .doc = "times the least load that the greatest must exceed"},
    {0}};

static const struct config_type sglang_type = {.name = "scoring_sglang",
                                               .doc = "Thresholds of SGLang's cache_aware router",
                                               .size = sizeof(struct scoring_sglang),
                                               .fields = sglang_fields};

/* --- picking --- */

static double cost_of(const struct scoring_input *input, uint32_t index)
{
    return input->costs[index];
}

/* One of the cheapest, drawn at random: a router whose signals are stale would else send all that
 * comes between two looks to the first of them. */
static uint32_t pick_cheapest(const struct scoring_input *input)
{
    const struct chooser *chooser = input->chooser;
    uint32_t best = 0, ties = 1;
    for (uint32_t i = 1; i < chooser->slot_count; i++) {
        if (cost_of(input, i) < cost_of(input, best)) {
            best = i;
            ties = 1;
        } else if (cost_of(input, i) == cost_of(input, best)) {
            ties++;
        }
    }
    uint32_t skip = ties > 1 ? (uint32_t)gsl_rng_uniform_int(chooser->router->rng, ties) : 0;
    double cheapest = cost_of(input, best);
    while (skip > 0)
        if (cost_of(input, ++best) == cheapest)
            skip--;
    return chooser->slots[best];
}

/* --- llm-d --- */

/* gateway-api-inference-extension: the weighted sum of prefix-cache-scorer, queue-scorer and
 * kv-cache-utilization-scorer with the weights of llm-d's inference-scheduling guide, and
 * max-score-picker, which shuffles before it picks. */
static uint32_t choose_llm_d(const void *config, const struct scoring_input *input)
{
    const struct scoring_llm_d *weights = config;
    const struct chooser *chooser = input->chooser;
    double shortest = INFINITY, longest = 0;
    for (uint32_t i = 0; i < chooser->slot_count; i++) {
        double waiting = input->views[chooser->slots[i]].waiting;
        shortest = fmin(shortest, waiting);
        longest = fmax(longest, waiting);
    }
    for (uint32_t i = 0; i < chooser->slot_count; i++) {
        uint32_t slot = chooser->slots[i];
        const struct replica_view *view = &input->views[slot];
        double prefix = input->found_tok[slot] / fmax(1, input->looked_up_tok);
        double queue = longest > shortest ? (longest - view->waiting) / (longest - shortest) : 1;
        input->costs[i] = -(weights->prefix_weight * prefix + weights->queue_weight * queue +
                            weights->kv_weight * (1 - view->kv_used));
    }
    return pick_cheapest(input);
}

/* --- Dynamo --- */

/* Dynamo's softmax_sample: costs are scaled by their range first. */
static uint32_t draw_by_cost(const struct scoring_input *input, double temperature)
{
    const struct chooser *chooser = input->chooser;
    double least = INFINITY, most = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < chooser->slot_count; i++) {
        least = fmin(least, cost_of(input, i));
        most = fmax(most, cost_of(input, i));
    }
    double range = most > least ? most - least : 1;
    for (uint32_t i = 0; i < chooser->slot_count; i++)
        sum += input->costs[i] = exp((least - cost_of(input, i)) / range / temperature);
    double left = gsl_rng_uniform(chooser->router->rng) * sum;
    uint32_t chosen = 0;
    while (chosen + 1 < chooser->slot_count && left >= cost_of(input, chosen))
        left -= cost_of(input, chosen++);
    return chooser->slots[chosen];
}

/* ai-dynamo/dynamo, lib/llm/src/kv_router/scheduler.rs: overlap_score_weight x prefill blocks +
 * decode blocks. Prefill blocks are the new ones of this prompt and of those that wait to be
 * computed there; decode blocks those of all active prompts (answers are not tracked unless asked
 * for). In tokens here: that both are divided by the block size changes no comparison. Dynamo
 * counts a block once that several active requests share; here each counts. */
static uint32_t choose_dynamo(const void *config, const struct scoring_input *input)
{
    const struct scoring_dynamo *given = config;
    const struct chooser *chooser = input->chooser;
    for (uint32_t i = 0; i < chooser->slot_count; i++) {
        uint32_t slot = chooser->slots[i];
        const struct replica_view *view = &input->views[slot];
        double prefill_tok =
            view->backlog_tok + input->request->prompt_tok - input->found_tok[slot];
        double decode_tok = view->prompt_tok + input->request->prompt_tok;
        input->costs[i] = given->overlap_weight * prefill_tok + decode_tok;
    }
    return given->temperature > 0 ? draw_by_cost(input, given->temperature) : pick_cheapest(input);
}

/* --- SGLang --- */

/* sgl-router, src/policies/cache_aware.rs: while loads are out of balance, the shortest queue; or
 * else the replica with the longest match, if that is long enough; or else the one with the
 * smallest tree. */
static uint32_t choose_sglang(const void *config, const struct scoring_input *input)
{
    const struct scoring_sglang *given = config;
    const struct chooser *chooser = input->chooser;
    double least = INFINITY, most = 0, found_tok = 0;
    for (uint32_t i = 0; i < chooser->slot_count; i++) {
        uint32_t slot = chooser->slots[i];
        least = fmin(least, input->views[slot].requests);
        most = fmax(most, input->views[slot].requests);
        found_tok = fmax(found_tok, input->found_tok[slot]);
    }
    bool uneven = most - least > (double)given->balance_abs_threshold &&
                  most > given->balance_rel_threshold * least;
    bool known = found_tok > given->cache_threshold * fmax(1, input->looked_up_tok);
    for (uint32_t i = 0; i < chooser->slot_count; i++) {
        uint32_t slot = chooser->slots[i];
        input->costs[i] = uneven  ? input->views[slot].requests
                          : known ? -(double)input->found_tok[slot]
                                  : (double)input->held[slot];
    }
    return pick_cheapest(input);
}

/* --- the table --- */

/* The metrics of a pod are read every 50 ms (refresh-metrics-interval of the endpoint picker). */
#define SCORINGS(ROW)                                                                              \
    ROW(llm_d, 0.05, "llm-d: weighted scores of prefix, queue and free KV cache, polled")          \
    ROW(dynamo, 0,                                                                                 \
        "NVIDIA Dynamo: tokens to compute and tokens active, as the router counts them")           \
    ROW(sglang, 0, "SGLang cache_aware: longest match above a threshold, while loads are even")

#define AS_VARIANT(name, interval_s, doc) {#name, doc, &name##_type},
#define AS_RULE(name, interval_s, doc)    {interval_s, choose_##name},

const struct config_variant_type router_scorings[] = {SCORINGS(AS_VARIANT){0}};

static const struct {
    double poll_interval_s;
    uint32_t (*choose)(const void *config, const struct scoring_input *input);
} rules[] = {SCORINGS(AS_RULE)};

uint32_t scoring_choose(const struct config_variant *config, const struct scoring_input *input)
{
    return rules[config->index].choose(config->value, input);
}

double scoring_poll_interval_s(const struct config_variant *config)
{
    return rules[config->index].poll_interval_s;
}
