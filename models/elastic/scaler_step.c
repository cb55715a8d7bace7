/* AWS step scaling: alarms, each with steps by how far the metric is from the threshold.
 *
 * Source: "Step scaling policies" in the user guides of Application Auto Scaling and EC2 Auto
 * Scaling, and StepAdjustment in their API references. For an alarm above a threshold, a step's
 * lower bound is part of it and its upper bound is not; below a threshold it is the other way
 * round. Percentages are cut towards zero where they come to more than one replica, and are one
 * replica where they come to less.
 *
 * Several alarms may be on; the one that asks for most replicas wins. Where none is, the policy has
 * nothing to say. */
#include <math.h>
#include <stdlib.h>

#include "models/elastic/scaler_history.h"
#include "models/elastic/scaler_policy.h"
#include "models/elastic/scaling_alarm.h"

static const char *const comparison_names[] = {"at_least", "above", "below", "at_most", NULL};
static const char *const adjustment_names[] = {"change_in_capacity", "percent_change_in_capacity",
                                               "exact_capacity", NULL};

static const struct config_field step_fields[] = {
    {.name = "lower",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct step_config, lower),
     .optional = true,
     .doc = "from so far above the threshold (below it: negative); null: any"},
    {.name = "upper",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct step_config, upper),
     .optional = true,
     .doc = "to so far above the threshold; null: any"},
    {.name = "adjustment",
     .kind = CONFIG_INT,
     .offset = offsetof(struct step_config, adjustment),
     .min = -1e6,
     .max = 1e6,
     .doc = "replicas or percent, negative to remove"},
    {0}};

static const struct config_type step_type = {.name = "scaling_step",
                                             .doc = "An adjustment for a range of the metric",
                                             .size = sizeof(struct step_config),
                                             .fields = step_fields};

static const struct config_field step_element = {.kind = CONFIG_OBJECT, .object = &step_type};

static const struct config_field policy_fields[] = {
    SCALER_READING_FIELDS(struct step_policy_config, reading, NULL),
    {.name = "comparison",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct step_policy_config, comparison),
     .names = comparison_names,
     .doc = "how the metric breaches the threshold"},
    {.name = "threshold",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct step_policy_config, threshold),
     .doc = "threshold of the alarm"},
    {.name = "periods",
     .kind = CONFIG_INT,
     .offset = offsetof(struct step_policy_config, periods),
     .preset = "1",
     .min = 1,
     .max = 1440,
     .doc = "periods in a row that breach before the alarm is on"},
    {.name = "adjustment_type",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct step_policy_config, adjustment_type),
     .names = adjustment_names,
     .preset = "\"change_in_capacity\"",
     .doc = "what the adjustments mean"},
    {.name = "steps",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct step_policy_config, steps),
     .element = &step_element,
     .min = 1,
     .max = 20,
     .doc = "ranges without gaps or overlaps"},
    {.name = "min_adjustment_magnitude",
     .kind = CONFIG_INT,
     .offset = offsetof(struct step_policy_config, min_adjustment_magnitude),
     .preset = "1",
     .min = 1,
     .max = 1e6,
     .doc = "replicas that a percentage comes to at least"},
    {.name = "cooldown_s",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct step_policy_config, cooldown_s),
     .preset = "300",
     .min = 0,
     .max = 1e7,
     .doc = "time for an adjustment to take effect"},
    {0}};

static const struct config_type policy_type = {.name = "step_policy",
                                               .doc = "An alarm and its steps",
                                               .size = sizeof(struct step_policy_config),
                                               .fields = policy_fields};

static const struct config_field policy_element = {.kind = CONFIG_OBJECT, .object = &policy_type};

static const struct config_field scaler_fields[] = {
    SCALER_INTERVAL_FIELD(struct scaler_step_config, period_s, "60",
                          "length of the alarms' periods"),
    {.name = "policies",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct scaler_step_config, policies),
     .element = &policy_element,
     .min = 1,
     .doc = "alarms with their steps, as a rule one for out and one for in"},
    {0}};

const struct config_type scaler_step_type = {.name = "scaler_step",
                                             .doc = "Parameters of AWS step scaling",
                                             .size = sizeof(struct scaler_step_config),
                                             .fields = scaler_fields};

/* --- do the steps fit together? --- */

static bool alarms_above(const struct step_policy_config *policy)
{
    return policy->comparison == STEP_AT_LEAST || policy->comparison == STEP_ABOVE;
}

static double lower_of(const struct step_config *step)
{
    return isnan(step->lower) ? -INFINITY : step->lower;
}

static double upper_of(const struct step_config *step)
{
    return isnan(step->upper) ? INFINITY : step->upper;
}

static const char *step_fault(const struct step_policy_config *policy,
                              const struct step_config *step)
{
    if (isnan(step->lower) && isnan(step->upper))
        return "a step needs a lower or an upper bound";
    if (lower_of(step) >= upper_of(step))
        return "a step's lower bound must be below its upper bound";
    if (policy->adjustment_type == STEP_EXACT && step->adjustment < 0)
        return "an exact capacity cannot be negative";
    return NULL;
}

/* Does the step that begins where this one ends follow, or nothing at all? */
static const char *order_fault(const struct config_list *list, const struct step_config *step)
{
    const struct step_config *steps = list->items;
    bool some_above = upper_of(step) > 0, some_below = lower_of(step) < 0;
    bool continued = upper_of(step) == INFINITY, preceded = lower_of(step) == -INFINITY;
    for (size_t i = 0; i < list->count; i++) {
        const struct step_config *other = &steps[i];
        if (other != step && lower_of(other) < upper_of(step) && lower_of(step) < upper_of(other))
            return "two steps overlap";
        some_above |= lower_of(other) >= upper_of(step);
        some_below |= upper_of(other) <= lower_of(step);
        continued |= lower_of(other) == upper_of(step);
        preceded |= upper_of(other) == lower_of(step);
    }
    return (some_above && !continued) || (some_below && !preceded)
               ? "there is a gap between this step and the next, or no open step at the end"
               : NULL;
}

static bool check_policy(const struct step_policy_config *policy, size_t index, struct error *error)
{
    const struct step_config *steps = policy->steps.items;
    for (size_t i = 0; i < policy->steps.count; i++) {
        const char *fault = step_fault(policy, &steps[i]);
        fault = fault ? fault : order_fault(&policy->steps, &steps[i]);
        if (fault)
            return scaler_refuse_item(error, "policies", index, "steps", fault,
                                      "bounds are relative to the threshold; where the metric is "
                                      "above it, the highest step has no upper bound, and where it "
                                      "is below, the lowest has no lower bound");
    }
    if (policy->min_adjustment_magnitude > 1 && policy->adjustment_type != STEP_PERCENT_CHANGE)
        return scaler_refuse_item(error, "policies", index, "min_adjustment_magnitude",
                                  "is for percentages only",
                                  "adjustment_type percent_change_in_capacity");
    return true;
}

/* Can both be on for the same value of the metric? */
static bool they_fight(const struct step_policy_config *above,
                       const struct step_policy_config *below)
{
    bool same = above->reading.metric == below->reading.metric &&
                above->reading.aggregate == below->reading.aggregate &&
                above->reading.percentile == below->reading.percentile;
    bool both_at = above->comparison == STEP_AT_LEAST && below->comparison == STEP_AT_MOST;
    return same && (below->threshold > above->threshold ||
                    (both_at && below->threshold == above->threshold));
}

static bool check_step(const void *config, const struct scaler_limits *limits, struct error *error)
{
    (void)limits;
    const struct config_list *list = &((const struct scaler_step_config *)config)->policies;
    const struct step_policy_config *policies = list->items;
    for (size_t i = 0; i < list->count; i++) {
        if (!check_policy(&policies[i], i, error))
            return false;
        for (size_t k = 0; k < list->count; k++)
            if (alarms_above(&policies[k]) && !alarms_above(&policies[i]) &&
                they_fight(&policies[k], &policies[i]))
                return scaler_refuse_item(error, "policies", i, "threshold",
                                          "this alarm and the one above a threshold can be on at "
                                          "once, for the same metric",
                                          "scale in below what scales out");
    }
    return true;
}

/* --- at work --- */

struct step_scaler {
    struct scaler scaler;
    struct scaler_history history;
    int64_t *rows; /* by policy: periods in a row that breached */
    struct scaling_cooldown cooldown;
};

static bool open_step(struct scaler *scaler)
{
    struct step_scaler *state = (struct step_scaler *)scaler;
    const struct scaler_step_config *config = scaler->config;
    const struct step_policy_config *policies = config->policies.items;
    double window_s = 0;
    for (size_t i = 0; i < config->policies.count; i++)
        window_s = fmax(window_s, policies[i].reading.window_s); /* or 0 where it is NaN */
    state->rows = calloc(config->policies.count, sizeof *state->rows);
    scaler->next = tick_from_s(config->period_s);
    return state->rows && scaler_history_open(&state->history, window_s, config->period_s);
}

static void close_step(struct scaler *scaler)
{
    struct step_scaler *state = (struct step_scaler *)scaler;
    scaler_history_close(&state->history);
    free(state->rows);
}

static bool breaches(const struct step_policy_config *policy, double value)
{
    switch ((enum step_comparison)policy->comparison) {
    case STEP_AT_LEAST:
        return value >= policy->threshold;
    case STEP_ABOVE:
        return value > policy->threshold;
    case STEP_BELOW:
        return value < policy->threshold;
    case STEP_AT_MOST:
        return value <= policy->threshold;
    }
    return false;
}

static const struct step_config *find_step(const struct step_policy_config *policy, double value)
{
    const struct step_config *steps = policy->steps.items;
    double distance = value - policy->threshold;
    for (size_t i = 0; i < policy->steps.count; i++) {
        double lower = lower_of(&steps[i]), upper = upper_of(&steps[i]);
        if (alarms_above(policy) ? lower <= distance && distance < upper
                                 : lower < distance && distance <= upper)
            return &steps[i];
    }
    return NULL;
}

static int64_t percent_change(const struct step_policy_config *policy, int64_t base,
                              int64_t percent)
{
    double exact = (double)base * (double)percent / 100;
    double least = exact == 0 ? 0 : (double)policy->min_adjustment_magnitude;
    double size = fmax(trunc(fabs(exact)), least);
    return (int64_t)copysign(size, exact);
}

static int64_t adjusted(const struct step_policy_config *policy, const struct step_config *step,
                        int64_t base)
{
    switch ((enum step_adjustment)policy->adjustment_type) {
    case STEP_CHANGE:
        return base + step->adjustment;
    case STEP_PERCENT_CHANGE:
        return base + percent_change(policy, base, step->adjustment);
    case STEP_EXACT:
        return step->adjustment;
    }
    return base;
}

/* What the policy asks for now; the current count where it asks for nothing. */
static int64_t ask(struct step_scaler *state, size_t index, int64_t current, tick_t now)
{
    const struct scaler_step_config *config = state->scaler.config;
    const struct step_policy_config *policy =
        (const struct step_policy_config *)config->policies.items + index;
    double value = scaler_read(&state->history, &policy->reading);
    if (!alarm_period(&state->rows[index], policy->periods, breaches(policy, value)))
        return current;
    const struct step_config *step = find_step(policy, value);
    if (!step)
        return current;
    int64_t wanted = adjusted(policy, step, current);
    if (wanted > current) { /* then it starts from before the last addition */
        wanted = adjusted(policy, step, cooldown_base(&state->cooldown, current, now));
        wanted = wanted < current ? current : wanted;
    }
    return scaler_clamp(&state->scaler.limits, wanted);
}

static struct scaler_decision decide_step(struct scaler *scaler,
                                          const struct scaler_metrics *metrics, tick_t now)
{
    struct step_scaler *state = (struct step_scaler *)scaler;
    const struct scaler_step_config *config = scaler->config;
    const struct step_policy_config *policies = config->policies.items, *winner = NULL;
    int64_t current = metrics->desired, most = current;
    scaler->next = now + tick_from_s(config->period_s);
    scaler_history_add(&state->history, metrics, now);
    for (size_t i = 0; i < config->policies.count; i++) {
        int64_t wanted = ask(state, i, current, now);
        if (wanted != current && (!winner || wanted > most)) {
            most = wanted;
            winner = &policies[i];
        }
    }
    if (!winner)
        return (struct scaler_decision){SCALER_ABSTAINS, "no alarm"};
    if (!cooldown_lets(&state->cooldown, current, most, winner->cooldown_s, now))
        return (struct scaler_decision){SCALER_ABSTAINS, "cooling down"};
    return (struct scaler_decision){most,
                                    most > current ? "alarm: scaling out" : "alarm: scaling in"};
}

const struct scaler_policy scaler_step = {.size = sizeof(struct step_scaler),
                                          .check = check_step,
                                          .open = open_step,
                                          .close = close_step,
                                          .decide = decide_step};
