/* Fits an engine's step constants (models/steptime/step_constants.h) to measured points.
 *
 * Residuals are ln(predicted / measured) of mean TPOT and, where the protocol of the measurement
 * is known, of mean TTFT, each divided by how far a perfect model would scatter. Points whose
 * residual is large pull less (Cauchy weights), so that a handful of odd rows cannot bend the rest.
 * Every constant has a prior: it stays at the value that it begins with unless points say
 * otherwise, and it has bounds. The minimum is found by GSL's trust-region Levenberg-Marquardt over
 * full simulations. */
#ifndef TOKENYARD_ANALYSIS_CALIBRATE_ENGINE_H
#define TOKENYARD_ANALYSIS_CALIBRATE_ENGINE_H

#include "analysis/predict.h"

/* All constants but those of engines without CUDA graphs, which come last in the struct. */
enum { FIT_CONSTANTS_MAX = offsetof(struct step_constants, element_wise) / sizeof(double) };

/* What can be fitted: a member of struct step_constants with its prior and bounds. Scales are
 * fitted as logarithms, times as they are. */
struct fit_constant {
    const char *name;
    size_t offset; /* in struct step_constants */
    bool scale;
    bool prefill;         /* of prompts alone */
    double usual, spread; /* prior: mean and standard deviation (of the logarithm for scales) */
    double min, max;
};
extern const struct fit_constant fit_constants[FIT_CONSTANTS_MAX];

double fit_constant_value(const struct step_constants *constants, size_t index);

/* The usual values of all constants: where every fit begins. */
struct step_constants fit_usual_constants(void);

struct engine_fit_options {
    size_t threads;
    int iterations;        /* of Levenberg-Marquardt; each simulates all points once per constant */
    double prefill_spread; /* priors of what prompts take are so many times as wide; 1 as a rule */
    bool (*proceed)(void *context, size_t done, size_t count);
    void *context;
};

struct engine_fit {
    double cost;                      /* half the sum of squared residuals, priors included */
    size_t points, covered;           /* rows, and those that could be simulated */
    double errors[FIT_CONSTANTS_MAX]; /* standard errors, in the units of the constants */
    int iterations;                   /* done */
};

/* Fits the constants of an entry of the predictor's calibration to points[count], all of that
 * engine and weight format. Its constants are where the fit begins, and the mean of the priors.
 * Fills its constants and standard errors. */
bool engine_fit_run(struct predictor *predictor, struct engine_calibration *entry,
                    const struct measured_point *points, size_t count,
                    const struct engine_fit_options *options, struct engine_fit *fit,
                    struct error *error);

#endif
