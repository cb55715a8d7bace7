/* The random time between two events of a renewal process, by its mean and variability.
 *
 * A process looked at from a random instant on ("in equilibrium", as if it had been running for
 * ever) has a different first interval: the rest of the one that covers that instant, which is a
 * uniform share of an interval drawn in proportion to its length. Starting every process that way
 * makes the expected number of events in [0, t] exactly rate * t, from the first second on (Cox,
 * Renewal Theory, 1962, chapter 5). */
#ifndef TOKENYARD_WORKLOADS_INTERVAL_H
#define TOKENYARD_WORKLOADS_INTERVAL_H

#include <gsl/gsl_rng.h>

#define INTERVAL_CV_MAX 100.0

enum interval_law { INTERVAL_EXPONENTIAL, INTERVAL_GAMMA, INTERVAL_WEIBULL };

struct interval {
    enum interval_law law;
    double scale_s;
    double shape; /* 1 for exponential */
};

struct interval interval_exponential(double mean_s);
struct interval interval_of_shape(enum interval_law law, double mean_s, double shape);
/* cv: standard deviation over mean, above 0 and at most INTERVAL_CV_MAX. */
struct interval interval_of_cv(enum interval_law law, double mean_s, double cv);

double interval_draw_s(const struct interval *interval, gsl_rng *rng);
/* The first one of a process in equilibrium. */
double interval_draw_first_s(const struct interval *interval, gsl_rng *rng);

#endif
