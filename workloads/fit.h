/* Maximum-likelihood fits of the distributions that describe request traffic, and how well they
 * fit.
 *
 * Samples are sorted ascending and positive. A fit that does not exist (fewer than two samples, all
 * equal) has NaN parameters. */
#ifndef TOKENYARD_WORKLOADS_FIT_H
#define TOKENYARD_WORKLOADS_FIT_H

#include <stddef.h>
#include <stdint.h>

enum renewal { RENEWAL_EXPONENTIAL, RENEWAL_GAMMA, RENEWAL_WEIBULL, RENEWAL_COUNT };

extern const char *const renewal_names[RENEWAL_COUNT];

/* Inter-arrival times, in seconds, as a renewal process. */
struct renewal_fit {
    double shape; /* 1 for the exponential */
    double scale_s;
    double ks;  /* Kolmogorov-Smirnov distance from the sample */
    double aic; /* Akaike's information criterion; lower is better */
};

void fit_renewal(enum renewal kind, const double *sorted_s, size_t count, struct renewal_fit *fit);

struct lognormal_fit {
    double mu, sigma; /* of the natural logarithm */
    double ks;        /* whole numbers are compared with the model half a step to either side */
};

void fit_lognormal(const uint32_t *sorted, size_t count, struct lognormal_fit *fit);

#endif
