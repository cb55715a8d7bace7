#include "workloads/diurnal.h"

#include <math.h>

#include "sim/clock.h"

#define HOUR_S     3600.0
#define WEEK_HOURS (DIURNAL_DAYS * DIURNAL_HOURS)

/* Requests per hour of local day over their mean, averaged over the days published with ServeGen
 * (Xiang et al., arXiv 2505.09999; github.com/alibaba/ServeGen, Apache-2.0): m-large over 14 days,
 * deepseek-r1 over one. */
static const double servegen_chat[DIURNAL_HOURS] = {
    0.994, 1.002, 0.986, 0.936, 0.908, 0.883, 0.854, 0.817, 0.788, 0.868, 1.046, 1.106,
    0.971, 0.981, 1.047, 1.047, 1.109, 1.078, 1.040, 1.143, 1.133, 1.074, 1.103, 1.086};
static const double servegen_reasoning[DIURNAL_HOURS] = {
    1.206, 1.389, 2.034, 1.788, 1.064, 0.908, 0.749, 0.577, 0.596, 0.664, 0.810, 0.830,
    0.447, 0.545, 0.684, 0.704, 0.878, 0.553, 0.749, 0.587, 1.240, 1.621, 2.194, 1.181};

static const struct config_field relative_rate = {.kind = CONFIG_NUMBER, .min = 0, .max = 1e6};

/* What all rhythms have. */
#define START_HOUR                                                                                 \
    {                                                                                              \
        .name = "start_hour", .kind = CONFIG_NUMBER,                                               \
        .offset = offsetof(struct diurnal_config, start_hour),                                     \
        .doc = "local time at which the simulation starts, in hours from Monday's midnight",       \
        .preset = "0", .min = 0, .max = WEEK_HOURS                                                 \
    }
#define DAYS                                                                                       \
    {                                                                                              \
        .name = "days", .kind = CONFIG_LIST, .offset = offsetof(struct diurnal_config, days),      \
        .doc = "relative rate of each day from Monday on; empty: all are the same",                \
        .preset = "[]", .max = DIURNAL_DAYS, .element = &relative_rate                             \
    }

static const struct config_type named_type = {
    .name = "named_diurnal",
    .doc = "a published rhythm",
    .size = sizeof(struct diurnal_config),
    .fields = (const struct config_field[]){START_HOUR, DAYS, {0}},
};

static const struct config_type hourly_type = {
    .name = "hourly_diurnal",
    .doc = "a rhythm of one's own",
    .size = sizeof(struct diurnal_config),
    .fields =
        (const struct config_field[]){
            {.name = "hourly",
             .kind = CONFIG_LIST,
             .offset = offsetof(struct diurnal_config, hourly),
             .doc = "relative rate in each hour from midnight on; divided by their mean",
             .min = DIURNAL_HOURS,
             .max = DIURNAL_HOURS,
             .element = &relative_rate},
            START_HOUR,
            DAYS,
            {0}},
};

enum { HOURLY, SERVEGEN_CHAT, SERVEGEN_REASONING };

const struct config_variant_type diurnal_variants[] = {
    [HOURLY] = {"hourly", "24 relative rates", &hourly_type},
    [SERVEGEN_CHAT] = {"servegen-chat", "ServeGen m-large: flat, slow from 5 to 9", &named_type},
    [SERVEGEN_REASONING] = {"servegen-reasoning", "ServeGen deepseek-r1: peaks at 2 and 22",
                            &named_type},
    {0},
};

static const double *profile_of(const struct config_variant *config)
{
    switch (config->index) {
    case SERVEGEN_CHAT:
        return servegen_chat;
    case SERVEGEN_REASONING:
        return servegen_reasoning;
    default:
        return ((const struct diurnal_config *)config->value)->hourly.items;
    }
}

bool diurnal_create(struct diurnal *diurnal, const struct config_variant *config,
                    const struct place *place, struct error *error)
{
    const struct diurnal_config *given = config->value;
    const double *profile = profile_of(config), *days = given->days.items;
    if (given->days.count != 0 && given->days.count != DIURNAL_DAYS) {
        struct place at = place_key(place, "days");
        place_error(&at, error, "a week has 7 days, not %zu", given->days.count);
        return error_hint(error, "give Monday's rate first, or leave it out");
    }
    double sum = 0;
    for (int hour = 0; hour < WEEK_HOURS; hour++) {
        double day = days ? days[hour / DIURNAL_HOURS] : 1;
        diurnal->rate[hour] = profile[hour % DIURNAL_HOURS] * day;
        sum += diurnal->rate[hour];
    }
    if (sum <= 0)
        return place_error(place, error, "at least one hour must have a rate above 0");
    for (int hour = 0; hour < WEEK_HOURS; hour++)
        diurnal->rate[hour] *= WEEK_HOURS / sum;
    diurnal->start_s = given->start_hour * HOUR_S;
    diurnal_rewind(diurnal);
    return true;
}

static double rate_now(const struct diurnal *diurnal)
{
    return diurnal->rate[diurnal->hour % WEEK_HOURS];
}

void diurnal_rewind(struct diurnal *diurnal)
{
    diurnal->hour = (uint64_t)(diurnal->start_s / HOUR_S);
    diurnal->from_s = (double)diurnal->hour * HOUR_S - diurnal->start_s;
    diurnal->own_s = diurnal->from_s * rate_now(diurnal);
}

double diurnal_time_s(struct diurnal *diurnal, double own_s)
{
    while (own_s >= diurnal->own_s + HOUR_S * rate_now(diurnal)) {
        if (diurnal->from_s > CLOCK_MAX_S)
            return INFINITY;
        diurnal->own_s += HOUR_S * rate_now(diurnal);
        diurnal->from_s += HOUR_S;
        diurnal->hour++;
    }
    return diurnal->from_s + (own_s - diurnal->own_s) / rate_now(diurnal);
}
