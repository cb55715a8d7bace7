/* Token lengths: the distributions a scenario can name, and draws from them, in pairs.
 *
 * A distribution is compiled into an inverse CDF (workloads/inverse_cdf.h), from which a request's
 * prompt and output lengths are drawn, rounded to whole tokens. Their rank correlation (Spearman's
 * r) is that of a Gaussian copula with rho = 2 sin(pi r / 6), so that it changes neither
 * distribution (Kruskal, "Ordinal measures of association", JASA 53, 1958). Ties of equal lengths
 * bring the correlation that is reached a little nearer to 0. Prompts do not depend on the outputs'
 * distribution, nor on the correlation: each length has a random stream of its own. */
#ifndef TOKENYARD_WORKLOADS_LENGTHS_H
#define TOKENYARD_WORKLOADS_LENGTHS_H

#include <math.h>

#include "sim/config.h"
#include "sim/random.h"
#include "workloads/inverse_cdf.h"
#include "workloads/normal.h"
#include "workloads/place.h"
#include "workloads/stream_rng.h"

#define LENGTH_MAX_TOK 100000000

enum length_kind {
    LENGTH_CONSTANT,
    LENGTH_UNIFORM,
    LENGTH_LOGNORMAL,
    LENGTH_MIXTURE,
    LENGTH_TABLE
};

extern const struct config_variant_type length_variants[]; /* by enum length_kind */

struct length_constant {
    int64_t tok;
};

struct length_uniform {
    int64_t min_tok, max_tok;
};

/* Lengths outside are moved to the nearer bound. */
struct length_bounds {
    int64_t min_tok;
    int64_t max_tok; /* INT64_MIN: none */
};

/* Either mu and sigma of the logarithm, or mean_tok and cv; the others are NaN. */
struct length_lognormal {
    double weight; /* in a mixture; 1 elsewhere */
    double mu, sigma, mean_tok, cv;
    struct length_bounds bounds; /* not of a mixture's components */
};

struct length_mixture {
    struct config_list components; /* of struct length_lognormal */
    struct length_bounds bounds;
};

struct length_table {
    struct config_list knots; /* of struct inverse_cdf_knot */
    struct length_bounds bounds;
};

struct length_pair_config {
    struct config_variant prompt, output; /* of length_variants */
    double rank_correlation;              /* -1 to 1 */
};

struct length_pair {
    struct inverse_cdf prompt, output;
    const struct normal *normal;  /* NULL when the lengths are independent */
    double rho, rho_rest;         /* of the copula; rho_rest = sqrt(1 - rho^2) */
    struct stream_rng prompt_rng; /* closed by length_pair_close */
    struct stream_rng output_rng;
};

/* Compiles one distribution, the member `key` of the object at place, into the arena. */
bool length_compile(struct inverse_cdf *cdf, const struct config_variant *config,
                    struct arena *arena, const struct place *place, const char *key,
                    struct error *error);

/* Compiles both distributions. place is the object that holds "prompt_tok" and "output_tok". On
 * failure too the caller closes the pair. */
bool length_pair_open(struct length_pair *pair, const struct length_pair_config *config,
                      const struct stream_seed *seed, struct arena *arena,
                      const struct place *place, struct error *error);
void length_pair_rewind(struct length_pair *pair);
void length_pair_close(struct length_pair *pair);

static inline uint32_t length_round(double tok)
{
    return tok < 1 ? 1 : (uint32_t)(tok + 0.5);
}

static inline void length_pair_draw(struct length_pair *pair, uint32_t *prompt_tok,
                                    uint32_t *output_tok)
{
    double u = random_open_unit(pair->prompt_rng.rng);
    double v = random_open_unit(pair->output_rng.rng);
    if (pair->normal) {
        double z =
            pair->rho * normal_z(pair->normal, u) + pair->rho_rest * normal_z(pair->normal, v);
        v = normal_p(pair->normal, z);
    }
    *prompt_tok = length_round(inverse_cdf_at(&pair->prompt, u));
    *output_tok = length_round(inverse_cdf_at(&pair->output, v));
}

#endif
