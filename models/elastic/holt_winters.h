/* Seasonal forecast: additive Holt-Winters (Winters, "Forecasting sales by exponentially weighted
 * moving averages", Management Science 6, 1960).
 *
 *   level_t  = alpha (x_t - season_{t-m}) + (1 - alpha) (level_{t-1} + trend_{t-1})
 *   trend_t  = beta (level_t - level_{t-1}) + (1 - beta) trend_{t-1}
 *   season_t = gamma (x_t - level_t) + (1 - gamma) season_{t-m}
 *
 * and the forecast for h steps ahead is level + h trend + the season's value at that place. The
 * first season is taken as it is: its mean is the level, the differences from it are the season,
 * the trend is 0. Until it is over there is no forecast.
 *
 * Owns one double per step of a season. */
#ifndef TOKENYARD_MODELS_ELASTIC_HOLT_WINTERS_H
#define TOKENYARD_MODELS_ELASTIC_HOLT_WINTERS_H

#include <stdbool.h>
#include <stddef.h>

struct holt_winters {
    double alpha, beta, gamma;
    size_t period; /* steps of a season */
    size_t seen;   /* observations so far */
    double level, trend;
    double *season; /* [period], by the observation's place in its season */
};

/* The three weights are set. false: no memory. */
bool holt_winters_open(struct holt_winters *forecast, size_t period);
void holt_winters_close(struct holt_winters *forecast); /* also of a zeroed one */

void holt_winters_observe(struct holt_winters *forecast, double value);

/* For the steps-th observation from now (1 is the next); NaN during the first season. */
double holt_winters_ahead(const struct holt_winters *forecast, size_t steps);

#endif
