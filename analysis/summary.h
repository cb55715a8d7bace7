/* The numbers of a finished run, computed once: what summary.json, summary.csv, the terminal table,
 * the plots and a plan's replay all read.
 *
 * Scope. `requests` counts every request. Latencies, SLO and classes count measured ones: those
 * that arrived after the warm-up and ended before the simulation did; what was in flight at the end
 * is in none of them. Throughput counts what completed after the warm-up, whenever it arrived: a
 * steady load then shows its rate. Tokens, money and energy are those of the whole run, warm-up
 * included, so that money and the work it bought cover the same time. A quantity of nothing (the
 * p99 of no requests, the cost of no tokens) is NaN here and null in JSON. A summary is one heap
 * object of about 700 KiB, freed by summary_destroy; it borrows the names in its facts. */
#ifndef TOKENYARD_ANALYSIS_SUMMARY_H
#define TOKENYARD_ANALYSIS_SUMMARY_H

#include "models/fleet/basis.h"
#include "models/fleet/simulation.h"
#include "sim/arena.h"
#include "sim/json_writer.h"

/* What a report says of a pool beyond what a simulation needs to know. */
struct pool_facts {
    const char *gpu;      /* "H100-SXM" */
    const char *instance; /* NULL: priced without one */
    int64_t gpus_per_replica;
    const struct deployment_basis *basis; /* what its step times rest on */
};

/* Names and settings behind the numbers. Borrowed: they outlive whatever is made from them. */
struct run_facts {
    const char *scenario; /* its name */
    const struct simulation_spec *spec;
    const struct pool_facts *pools; /* spec->pool_count of them */
};

/* What the simulation itself cost; differs from run to run, so it is kept apart from the rest. */
struct simulator_figures {
    double cpu_s, wall_s;
    uint64_t peak_rss_bytes;
};

struct quantiles {
    double mean, p50, p90, p95, p99, max;
};

/* See struct transfer_result. */
struct transfer_summary {
    uint64_t transfers, local, recomputed, lent;
    double bytes;
    struct quantiles memory_wait_s, transfer_s, link_wait_s, visible_s;
};

struct elastic_summary; /* analysis/elastic_report.h */
struct money_summary;   /* analysis/money_report.h */

/* Of the pools that serve a model, and the classes that ask for it. */
struct model_summary {
    const char *name;
    int64_t gpus;
    uint64_t completed, prompt_tok, output_tok;
    struct quantiles ttft_s, tpot_s, e2e_s;
    double usd_per_hour, cost_usd, usd_per_million_tok;
};

struct class_summary {
    const char *name;
    uint64_t completed, rejected, timed_out, stopped;
    uint64_t prompt_tok, output_tok;
    struct quantiles ttft_s, tpot_s, e2e_s, queue_s;
    double requests_per_s;
    double attainment; /* share of the class's requests that kept every bound; NaN: no SLOs */
};

struct pool_summary {
    const char *name;
    const struct pool_facts *facts;
    uint32_t replicas; /* the most that took requests at once */
    int64_t gpus;
    uint64_t kv_blocks_per_replica;
    uint64_t arrived, completed, rejected, cancelled, in_flight, preemptions, iterations;
    uint64_t handed_out, handed_in; /* to decode elsewhere; prefilled elsewhere */
    uint64_t prompt_tok, output_tok, prefill_tok;
    double utilisation; /* share of its replicas' time that they were iterating */
    double mean_batch, peak_kv;
    double kv_slots_taken, kv_slots_held; /* as in pool_result; NaN: not counted */
    bool swaps_kv;                        /* preempted requests are swapped, as a rule */
    uint64_t swaps;
    int64_t draft_tok;      /* of an iteration of each decode; 0: it does not speculate */
    double tokens_per_step; /* that such an iteration emitted; NaN: there was none */
    bool has_adapters;
    struct adapter_totals adapters;
    struct prefix_totals prefix;
    double mean_outstanding; /* requests sent there that had not ended, over time */
    uint64_t max_outstanding;
    double output_tok_per_s;
    double usd_per_hour, cost_usd, usd_per_million_tok;
    double energy_j, mean_power_w;
    struct quantiles ttft_s, tpot_s, itl_s, e2e_s;
};

struct slo_summary {
    const struct slo_rule *rule;
    const char *class_name; /* NULL: every class */
    uint64_t requests, met;
    double attainment;
    bool kept;
};

struct summary {
    struct arena *arena; /* holds it all */
    struct run_facts facts;
    bool interrupted;
    double simulated_s, measured_s;
    uint64_t arrived, completed, rejected, cancelled, in_flight, skipped;
    uint64_t measured; /* measured requests: completed, rejected and cancelled */
    uint64_t prompt_tok, output_tok;
    struct quantiles ttft_s, tpot_s, itl_s, e2e_s, queue_s;
    double requests_per_s, output_tok_per_s, total_tok_per_s;
    bool slo_kept;                 /* every rule; true when there are none */
    double attainment;             /* NaN: no SLOs */
    double goodput_requests_per_s; /* completed within every bound; NaN: no SLOs */
    double cost_usd, usd_per_hour;
    double usd_per_million_tok, usd_per_million_output_tok, usd_per_1k_requests, requests_per_usd;
    double energy_j, mean_power_w, joules_per_output_tok;
    uint64_t events, iterations;
    struct class_summary *classes;      /* facts.spec->class_count */
    struct pool_summary *pools;         /* facts.spec->pool_count */
    struct slo_summary *slos;           /* facts.spec->slo_count */
    struct transfer_summary *transfers; /* NULL: no pool has a role */
    struct client_result *clients;      /* NULL: nobody gives up */
    struct elastic_summary *elastic;    /* NULL: nothing comes and goes */
    struct money_summary *money;        /* NULL: likewise, or it was not asked for */
    struct model_summary *models;       /* facts.spec->model_count; NULL: there is one */
    struct latency_set merged;          /* of all classes: for distributions */
    struct histogram itl;               /* of all pools */
};

struct summary *summary_create(const struct run_facts *facts,
                               const struct simulation_result *result);
/* A bill takes the place of prices times time: of one pool; of all. */
void summary_set_pool_cost(struct summary *summary, size_t pool, double cost_usd);
void summary_set_cost(struct summary *summary, double cost_usd);

void summary_destroy(struct summary *summary); /* NULL is allowed */

/* The object of summary.json, under key (NULL for the root). With figures, a last member
 * "simulator" is added; without them the same scenario and seed give the same bytes. */
void summary_put(struct json_writer *writer, const char *key, const struct summary *summary,
                 const struct simulator_figures *figures);

/* The "simulator" object by itself, for manifest.json. */
void summary_put_simulator(struct json_writer *writer, const struct summary *summary,
                           const struct simulator_figures *figures);

/* For the blocks of features, which have files of their own. */
struct quantiles quantiles_of(const struct histogram *histogram);
void quantiles_put(struct json_writer *writer, const char *key, const struct quantiles *quantiles);

void latency_merge(struct latency_set *into, const struct latency_set *from);

/* Measured ones, however they ended. */
uint64_t class_summary_requests(const struct class_summary *class);

/* How many of the classes to show to people: without the last, which takes the rest, where no
 * request was left for it. */
size_t summary_shown_classes(const struct summary *summary);

#endif
