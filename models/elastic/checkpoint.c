#include "models/elastic/checkpoint.h"

#include <assert.h>
#include <math.h>

#include "sim/clock.h"

#define SECONDS(member, text)                                                                      \
    .name = #member, .kind = CONFIG_NUMBER,                                                        \
    .offset = offsetof(struct checkpoint_settings, member), .doc = text, .min = 0,                 \
    .max = CLOCK_MAX_S

static const char *const rule_names[] = {"young", "daly", "fixed", NULL};

static const struct config_field fields[] = {
    {.name = "rule",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct checkpoint_settings, rule),
     .names = rule_names,
     .preset = "\"daly\"",
     .doc = "how often: sqrt(2 cost MTBF), Daly's higher order of it, or interval_s"},
    {SECONDS(interval_s, "work between two checkpoints, with the rule fixed"), .optional = true,
     .above_min = true},
    {SECONDS(cost_s, "to write a checkpoint; no work is done meanwhile"), .preset = "10"},
    {SECONDS(restart_s, "from being on a machine again to working from the checkpoint"),
     .preset = "60"},
    {0}};

const struct config_type checkpoint_config_type = {
    .name = "checkpoints",
    .doc = "How often a batch job saves its state",
    .size = sizeof(struct checkpoint_settings),
    .fields = fields,
};

bool checkpoint_check(const struct checkpoint_settings *settings, const struct place *place,
                      struct error *error)
{
    bool fixed = settings->rule == CHECKPOINT_FIXED;
    if (fixed != isnan(settings->interval_s))
        return true;
    struct place at = place_key(place, "interval_s");
    place_error(&at, error,
                fixed ? "the rule fixed needs an interval_s"
                      : "interval_s is for the rule fixed alone");
    return error_hint(error, fixed ? "give interval_s, or the rule daly"
                                   : "leave interval_s out, or give the rule fixed");
}

double checkpoint_young_s(double cost_s, double mtbf_s)
{
    return sqrt(2 * cost_s * mtbf_s);
}

double checkpoint_daly_s(double cost_s, double mtbf_s)
{
    if (cost_s >= 2 * mtbf_s)
        return mtbf_s;
    double root = sqrt(cost_s / (2 * mtbf_s));
    return checkpoint_young_s(cost_s, mtbf_s) * (1 + root / 3 + root * root / 9) - cost_s;
}

double checkpoint_interval_s(const struct checkpoint_settings *settings, double mtbf_s)
{
    switch ((enum checkpoint_rule)settings->rule) {
    case CHECKPOINT_YOUNG:
        return checkpoint_young_s(settings->cost_s, mtbf_s);
    case CHECKPOINT_DALY:
        return isinf(mtbf_s) ? INFINITY : checkpoint_daly_s(settings->cost_s, mtbf_s);
    case CHECKPOINT_FIXED:
        break;
    }
    return settings->interval_s;
}

double checkpoint_run_time_s(double work_s, double interval_s, double cost_s, double restart_s,
                             double mtbf_s)
{
    double interval_used_s = fmin(interval_s, work_s);
    double segments = work_s / interval_used_s;
    if (isinf(mtbf_s))
        return segments * (interval_used_s + cost_s);
    return mtbf_s * exp(restart_s / mtbf_s) * expm1((interval_used_s + cost_s) / mtbf_s) * segments;
}

double checkpoint_overhead(double interval_s, double cost_s, double restart_s, double mtbf_s)
{
    return checkpoint_run_time_s(interval_s, interval_s, cost_s, restart_s, mtbf_s) / interval_s -
           1;
}

double checkpoint_saved_s(double worked_s, double interval_s)
{
    assert(interval_s >= 0);
    if (interval_s == 0)
        return worked_s;
    return isinf(interval_s) ? 0 : floor(worked_s / interval_s) * interval_s;
}
