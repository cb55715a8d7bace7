/* How long something takes, at random: the distributions a scenario can name for a stage.
 *
 * A duration is one member of a settings table (DURATION_FIELD), read in place: nothing is
 * compiled, since such draws are a few per node, not per request. Check it once after reading
 * (duration_check); draws then can't fail, and are finite and never negative. */
#ifndef TOKENYARD_MODELS_ELASTIC_DURATION_H
#define TOKENYARD_MODELS_ELASTIC_DURATION_H

#include <gsl/gsl_rng.h>

#include "sim/clock.h"
#include "sim/config.h"
#include "workloads/place.h"

enum duration_kind {
    DURATION_CONSTANT,
    DURATION_UNIFORM,
    DURATION_LOGNORMAL,
    DURATION_GAMMA,
    DURATION_QUANTILES
};

/* Each kind but quantiles uses what it needs. */
struct duration {
    double s;            /* constant */
    double min_s, max_s; /* uniform */
    double median_s;     /* lognormal */
    double p95_s;
    double mean_s; /* gamma */
    double cv;     /* standard deviation over mean */
};

struct duration_quantiles {
    struct config_list knots; /* of struct inverse_cdf_knot */
};

/* 30 days: no stage lasts longer. */
#define DURATION_MAX_S 2592000.0

extern const struct config_variant_type duration_variants[]; /* by enum duration_kind */

/* A row of a field table; null (index -1) leaves the choice to whoever draws. */
#define DURATION_FIELD(member_name, type, member, text)                                            \
    {                                                                                              \
        .name = (member_name), .kind = CONFIG_VARIANT, .offset = offsetof(type, member),           \
        .doc = text, .optional = true, .selector = "kind", .variants = duration_variants           \
    }

/* place: of the object that has the member `key`. A duration that is null is right. */
bool duration_check(const struct config_variant *config, const struct place *place, const char *key,
                    struct error *error);

/* Neither null. Capped at DURATION_MAX_S. */
double duration_draw_s(const struct config_variant *config, gsl_rng *rng);
tick_t duration_draw(const struct config_variant *config, gsl_rng *rng);

/* For defaults, which are no configuration: lognormal by its median and 95th percentile. A median
 * of 0 is 0, and draws nothing. */
double duration_lognormal_s(double median_s, double p95_s, gsl_rng *rng);

#endif
