/* Ahead of the load: enough replicas for the highest forecast from now to the lead time.
 *
 * The metric is observed once a period and forecast by additive Holt-Winters with a season of a day
 * or a week (models/elastic/holt_winters.h). A replica is given what it can take of it. What is
 * asked for is never less than what the forecast needs until a replica started now would be ready,
 * so that a rise finds replicas ready and a peak keeps them.
 *
 * As AWS's predictive scaling it says nothing before it has seen a season (AWS: 24 hours), and is
 * meant to stand beside a reactive policy: in a "combine", the one that asks for more wins
 * ("forecast and scale" never scales in by itself). */
#include <math.h>

#include "models/elastic/holt_winters.h"
#include "models/elastic/scaler_history.h"
#include "models/elastic/scaler_policy.h"

static const char *const season_names[] = {"day", "week", NULL};

static const struct config_field predictive_fields[] = {
    SCALER_READING_FIELDS(struct scaler_predictive_config, reading, "\"requests_per_s\""),
    {.name = "per_replica",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_predictive_config, per_replica),
     .min = 0,
     .above_min = true,
     .max = 1e12,
     .doc = "how much of the metric a replica can take"},
    {.name = "period_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_predictive_config, period_s),
     .preset = "300",
     .min = 10,
     .max = SCALER_SYNC_MAX_S,
     .doc = "length of an observation; a whole part of the season"},
    {.name = "season",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct scaler_predictive_config, season),
     .names = season_names,
     .preset = "\"day\"",
     .doc = "time after which the load repeats itself"},
    {.name = "lead_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_predictive_config, lead_s),
     .preset = "600",
     .min = 0,
     .max = 86400,
     .doc = "time that a replica takes to become ready"},
    {.name = "headroom_percent",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_predictive_config, headroom_percent),
     .preset = "0",
     .min = 0,
     .max = 1e4,
     .doc = "percent added to the forecast"},
    {.name = "alpha",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_predictive_config, alpha),
     .preset = "0.2",
     .min = 0,
     .max = 1,
     .doc = "weight of the newest observation in the level"},
    {.name = "beta",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_predictive_config, beta),
     .preset = "0",
     .min = 0,
     .max = 1,
     .doc = "weight of the newest change in the trend"},
    {.name = "gamma",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_predictive_config, gamma),
     .preset = "0.3",
     .min = 0,
     .max = 1,
     .doc = "weight of the newest season"},
    {0}};

const struct config_type scaler_predictive_type = {.name = "scaler_predictive",
                                                   .doc = "Parameters of predictive scaling",
                                                   .size = sizeof(struct scaler_predictive_config),
                                                   .fields = predictive_fields};

static double season_s(const struct scaler_predictive_config *config)
{
    return config->season == PREDICTIVE_WEEK ? 7 * 86400.0 : 86400.0;
}

static bool check_predictive(const void *config, const struct scaler_limits *limits,
                             struct error *error)
{
    (void)limits;
    const struct scaler_predictive_config *given = config;
    return fmod(season_s(given), given->period_s) == 0 ||
           scaler_refuse(error, "period_s", "does not divide the season",
                         "300, 600, 900 or 3600, for instance");
}

struct predictive {
    struct scaler scaler;
    struct scaler_history history;
    struct holt_winters forecast;
};

static bool open_predictive(struct scaler *scaler)
{
    struct predictive *state = (struct predictive *)scaler;
    const struct scaler_predictive_config *config = scaler->config;
    state->forecast =
        (struct holt_winters){.alpha = config->alpha, .beta = config->beta, .gamma = config->gamma};
    scaler->next = tick_from_s(config->period_s);
    return holt_winters_open(&state->forecast, (size_t)(season_s(config) / config->period_s)) &&
           scaler_history_open(&state->history, fmax(0, config->reading.window_s),
                               config->period_s);
}

static void close_predictive(struct scaler *scaler)
{
    struct predictive *state = (struct predictive *)scaler;
    scaler_history_close(&state->history);
    holt_winters_close(&state->forecast);
}

/* The highest of the periods that begin before a replica started now is ready, and of the one
 * after. */
static double highest_ahead(const struct predictive *state)
{
    const struct scaler_predictive_config *config = state->scaler.config;
    size_t steps = (size_t)ceil(config->lead_s / config->period_s) + 1;
    double highest = holt_winters_ahead(&state->forecast, 1);
    for (size_t i = 2; i <= steps; i++)
        highest = fmax(highest, holt_winters_ahead(&state->forecast, i));
    return highest;
}

static struct scaler_decision decide_predictive(struct scaler *scaler,
                                                const struct scaler_metrics *metrics, tick_t now)
{
    struct predictive *state = (struct predictive *)scaler;
    const struct scaler_predictive_config *config = scaler->config;
    scaler->next = now + tick_from_s(config->period_s);
    scaler_history_add(&state->history, metrics, now);
    double value = scaler_read(&state->history, &config->reading);
    holt_winters_observe(&state->forecast, isnan(value) ? 0 : value);
    double highest = highest_ahead(state);
    if (isnan(highest))
        return (struct scaler_decision){SCALER_ABSTAINS, "no season seen yet"};
    double needed = highest * (1 + config->headroom_percent / 100) / config->per_replica;
    return (struct scaler_decision){scaler_clamp(&scaler->limits, scaler_ceil(fmax(0, needed))),
                                    "forecast"};
}

const struct scaler_policy scaler_predictive = {.size = sizeof(struct predictive),
                                                .check = check_predictive,
                                                .open = open_predictive,
                                                .close = close_predictive,
                                                .decide = decide_predictive};
