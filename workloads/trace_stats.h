/* What there is to know about the requests of a source before simulating it.
 *
 * Definitions: inter-arrival times (iat) are those between one request and the next; cv is the
 * population's standard deviation over the mean. Counts per minute and per second are of full
 * minutes and seconds only, index of dispersion (iod) is their variance over their mean. The
 * 5-minute cv takes inter-arrival times within full windows of 5 minutes, and is the windows'
 * median: slow changes of the rate are left out. Renewal fits are of the positive inter-arrival
 * times, and are left out (NaN) where more than QUANTISED_SHARE of them are zero: such times were
 * rounded. Block hits count leading blocks, in trace order, from an empty cache; blocks of decoded
 * tokens are not counted. What does not exist for a source is NaN or 0.
 *
 * Memory grows with the requests: 16 bytes each, and three times that while sorting. */
#ifndef TOKENYARD_WORKLOADS_TRACE_STATS_H
#define TOKENYARD_WORKLOADS_TRACE_STATS_H

#include "workloads/fit.h"
#include "workloads/source.h"

#define QUANTISED_SHARE 0.1

enum { STATS_QUANTILES = 10, STATS_CACHES = 3 };

extern const double stats_quantile_percent[STATS_QUANTILES]; /* 1, 5, 10, ..., 99.9 */
extern const uint32_t stats_cache_blocks[STATS_CACHES];      /* 1,000, 10,000, 50,000 */

struct count_stats { /* requests per full window */
    double peak_to_mean, index_of_dispersion;
};

struct arrival_stats {
    double span_s, mean_rps; /* (requests - 1) / span */
    double iat_cv, iat_cv_5min_median, zero_iat_fraction;
    struct count_stats per_minute, per_second;
    struct renewal_fit fit[RENEWAL_COUNT];
    int best_fit; /* enum renewal of the lowest AIC; -1: none */
};

struct length_stats { /* tokens */
    double mean, sd;
    uint32_t quantile[STATS_QUANTILES], max; /* a value that occurs: rank ceil(p n) */
    struct lognormal_fit lognormal;
};

struct prefix_stats {
    uint32_t block_tok; /* 0: the source has no hash ids, and the rest means nothing */
    uint64_t blocks, unique_blocks;
    double ideal_block_hit_rate, ideal_token_hit_rate; /* a cache without bounds */
    double requests_with_2plus_cached_blocks;          /* share, with that cache */
    double lru_block_hit_rate[STATS_CACHES];
};

struct trace_stats {
    uint64_t requests, skipped;
    struct arrival_stats arrivals;
    struct length_stats prompt, output;
    double spearman, kendall; /* of prompt and output tokens */
    struct prefix_stats prefix;
};

/* Takes every arrival of the source. A closed loop, which waits for answers, is an error. */
bool trace_stats_collect(struct source *source, struct trace_stats *stats, struct error *error);

#endif
