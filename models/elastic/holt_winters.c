/* The three recurrences. */
#include "models/elastic/holt_winters.h"

#include <math.h>
#include <stdlib.h>

bool holt_winters_open(struct holt_winters *forecast, size_t period)
{
    forecast->period = period;
    forecast->season = calloc(period, sizeof *forecast->season);
    return forecast->season;
}

void holt_winters_close(struct holt_winters *forecast)
{
    free(forecast->season);
}

static void begin(struct holt_winters *forecast)
{
    double sum = 0;
    for (size_t i = 0; i < forecast->period; i++)
        sum += forecast->season[i];
    forecast->level = sum / (double)forecast->period;
    for (size_t i = 0; i < forecast->period; i++)
        forecast->season[i] -= forecast->level;
}

static void update(struct holt_winters *forecast, double *season, double value)
{
    double before = forecast->level;
    forecast->level = forecast->alpha * (value - *season) +
                      (1 - forecast->alpha) * (forecast->level + forecast->trend);
    forecast->trend =
        forecast->beta * (forecast->level - before) + (1 - forecast->beta) * forecast->trend;
    *season = forecast->gamma * (value - forecast->level) + (1 - forecast->gamma) * *season;
}

void holt_winters_observe(struct holt_winters *forecast, double value)
{
    double *season = &forecast->season[forecast->seen % forecast->period];
    if (forecast->seen >= forecast->period)
        update(forecast, season, value);
    else
        *season = value;
    forecast->seen++;
    if (forecast->seen == forecast->period)
        begin(forecast);
}

double holt_winters_ahead(const struct holt_winters *forecast, size_t steps)
{
    if (forecast->seen < forecast->period)
        return NAN;
    size_t place = (forecast->seen + steps - 1) % forecast->period;
    return forecast->level + (double)steps * forecast->trend + forecast->season[place];
}
