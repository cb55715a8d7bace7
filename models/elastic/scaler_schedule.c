/* Scheduled scaling: at times of the week, other bounds and, if asked for, another count.
 *
 * Source: "Scheduled scaling" in the user guides of EC2 and Application Auto Scaling. An action
 * sets what it names, and what it does not name stays; the pool is then brought within the bounds.
 * Between actions the schedule has nothing to say, so that other policies may move within the
 * bounds. Two actions at the same time are refused, as AWS does.
 *
 * At time 0 the week before has left its traces: the bounds in force, and the last count asked for.
 * Times are local, at a constant offset from UTC: there is no summer time. */
#include <stdio.h>
#include <string.h>

#include "models/elastic/scaler_policy.h"

#define WEEK_S ((int64_t)7 * 86400)
#define S_TICK ((tick_t)1 << TICK_BITS)
#define WEEK   (WEEK_S * S_TICK)

static const char *const day_names[] = {"monday", "tuesday",  "wednesday", "thursday",
                                        "friday", "saturday", "sunday",    NULL};

static const struct config_field day_element = {.kind = CONFIG_ENUM, .names = day_names};

static const struct config_field action_fields[] = {
    {.name = "days",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct schedule_action_config, days),
     .element = &day_element,
     .preset = "[]",
     .max = SCHEDULE_DAYS,
     .doc = "days of the week; empty: every day"},
    {.name = "time",
     .kind = CONFIG_STRING,
     .offset = offsetof(struct schedule_action_config, time),
     .doc = "time of the day, \"HH:MM\""},
    {.name = "min_replicas",
     .kind = CONFIG_INT,
     .offset = offsetof(struct schedule_action_config, min_replicas),
     .optional = true,
     .min = 0,
     .max = 1e6,
     .doc = "lower bound from then on; null: as before"},
    {.name = "max_replicas",
     .kind = CONFIG_INT,
     .offset = offsetof(struct schedule_action_config, max_replicas),
     .optional = true,
     .min = 0,
     .max = 1e6,
     .doc = "upper bound from then on; null: as before"},
    {.name = "desired_replicas",
     .kind = CONFIG_INT,
     .offset = offsetof(struct schedule_action_config, desired_replicas),
     .optional = true,
     .min = 0,
     .max = 1e6,
     .doc = "replicas at that moment; null: as there are, within the bounds"},
    {0}};

static const struct config_type action_type = {.name = "scheduled_action",
                                               .doc = "What changes at a time of the week",
                                               .size = sizeof(struct schedule_action_config),
                                               .fields = action_fields};

static const struct config_field action_element = {.kind = CONFIG_OBJECT, .object = &action_type};

static const struct config_field schedule_fields[] = {
    {.name = "utc_offset_h",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct scaler_schedule_config, utc_offset_h),
     .preset = "0",
     .min = -12,
     .max = 14,
     .doc = "how far the times are ahead of UTC"},
    {.name = "actions",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct scaler_schedule_config, actions),
     .element = &action_element,
     .min = 1,
     .max = 100,
     .doc = "what changes when"},
    {0}};

const struct config_type scaler_schedule_type = {.name = "scaler_schedule",
                                                 .doc = "Parameters of scheduled scaling",
                                                 .size = sizeof(struct scaler_schedule_config),
                                                 .fields = schedule_fields};

/* --- when actions are due --- */

/* Seconds since midnight; -1 where it is no time. */
static int64_t time_of_day_s(const char *text)
{
    unsigned hour, minute;
    int length = 0;
    if (strlen(text) != 5 || sscanf(text, "%2u:%2u%n", &hour, &minute, &length) != 2 ||
        length != 5 || text[2] != ':' || hour > 23 || minute > 59)
        return -1;
    return (int64_t)hour * 3600 + (int64_t)minute * 60;
}

static int64_t modulo(int64_t a, int64_t b)
{
    return (a % b + b) % b;
}

static bool is_on(const struct schedule_action_config *action, int day)
{
    const int *days = action->days.items;
    for (size_t i = 0; i < action->days.count; i++)
        if (days[i] == day)
            return true;
    return action->days.count == 0;
}

/* Ticks from `after`, exclusively, to when the action is due next; 1 to WEEK. */
static tick_t until_due(const struct schedule_action_config *action, int64_t start_of_week_s,
                        tick_t after)
{
    tick_t least = WEEK;
    for (int day = SCHEDULE_MONDAY; day < SCHEDULE_DAYS; day++) {
        if (!is_on(action, day))
            continue;
        int64_t due_s = start_of_week_s + (int64_t)day * 86400 + time_of_day_s(action->time);
        tick_t until = modulo(due_s * S_TICK - after, WEEK);
        until = until == 0 ? WEEK : until;
        least = until < least ? until : least;
    }
    return least;
}

/* The Monday's midnight (local) before time 0, in seconds of simulated time. */
static int64_t start_of_week_s(const struct scaler_schedule_config *config,
                               const struct scaler_limits *limits)
{
    int64_t local_s = limits->start_epoch_s + (int64_t)(config->utc_offset_h * 3600);
    /* 1970-01-01 was a Thursday, three days after a Monday. */
    return -modulo(local_s + (int64_t)3 * 86400, WEEK_S);
}

static bool at_the_same_time(const struct schedule_action_config *a,
                             const struct schedule_action_config *b)
{
    if (time_of_day_s(a->time) != time_of_day_s(b->time))
        return false;
    for (int day = SCHEDULE_MONDAY; day < SCHEDULE_DAYS; day++)
        if (is_on(a, day) && is_on(b, day))
            return true;
    return false;
}

static const char *action_fault(const struct schedule_action_config *action,
                                const struct scaler_limits *limits, const char **key)
{
    int64_t min = action->min_replicas, max = action->max_replicas;
    int64_t desired = action->desired_replicas;
    *key = "time";
    if (time_of_day_s(action->time) < 0)
        return "is not a time of the day";
    *key = "min_replicas";
    if (min != INT64_MIN && max != INT64_MIN && min > max)
        return "is above the action's max_replicas";
    if (min != INT64_MIN && min != scaler_clamp(limits, min))
        return "is outside the pool's limits";
    *key = "max_replicas";
    if (max != INT64_MIN && max != scaler_clamp(limits, max))
        return "is outside the pool's limits";
    *key = "desired_replicas";
    if (desired != INT64_MIN && desired != scaler_clamp(limits, desired))
        return "is outside the pool's limits";
    return NULL;
}

static bool check_schedule(const void *config, const struct scaler_limits *limits,
                           struct error *error)
{
    const struct config_list *list = &((const struct scaler_schedule_config *)config)->actions;
    const struct schedule_action_config *actions = list->items;
    for (size_t i = 0; i < list->count; i++) {
        const char *key, *fault = action_fault(&actions[i], limits, &key);
        if (fault)
            return scaler_refuse_item(error, "actions", i, key, fault,
                                      "times are \"HH:MM\"; counts lie from min_replicas to "
                                      "max_replicas of the pool");
        for (size_t k = 0; k < i; k++)
            if (at_the_same_time(&actions[i], &actions[k]))
                return scaler_refuse_item(error, "actions", i, "time",
                                          "another action is due at the same time",
                                          "one action can set all three counts");
    }
    return true;
}

/* --- at work --- */

struct schedule {
    struct scaler scaler;
    int64_t start_of_week_s;
    tick_t done_until; /* all that was due by then is done */
    int64_t min_replicas, max_replicas, desired;
};

static bool open_schedule(struct scaler *scaler)
{
    struct schedule *schedule = (struct schedule *)scaler;
    schedule->start_of_week_s = start_of_week_s(scaler->config, &scaler->limits);
    schedule->done_until = -WEEK;
    schedule->min_replicas = scaler->limits.min_replicas;
    schedule->max_replicas = scaler->limits.max_replicas;
    return true;
}

/* When, and what; TICK_NEVER: not before the clock ends. */
static tick_t next_due(const struct schedule *schedule,
                       const struct schedule_action_config **action)
{
    const struct config_list *list =
        &((const struct scaler_schedule_config *)schedule->scaler.config)->actions;
    const struct schedule_action_config *actions = list->items;
    tick_t least = INT64_MAX;
    for (size_t i = 0; i < list->count; i++) {
        tick_t until = until_due(&actions[i], schedule->start_of_week_s, schedule->done_until);
        if (until < least) {
            least = until;
            *action = &actions[i];
        }
    }
    return schedule->done_until > TICK_NEVER - least ? TICK_NEVER : schedule->done_until + least;
}

/* Where only one bound is named, the other gives way. */
static void carry_out(struct schedule *schedule, const struct schedule_action_config *action)
{
    if (action->min_replicas != INT64_MIN) {
        schedule->min_replicas = action->min_replicas;
        if (schedule->max_replicas < action->min_replicas)
            schedule->max_replicas = action->min_replicas;
    }
    if (action->max_replicas != INT64_MIN) {
        schedule->max_replicas = action->max_replicas;
        if (schedule->min_replicas > action->max_replicas)
            schedule->min_replicas = action->max_replicas;
    }
    schedule->desired = action->desired_replicas;
}

static void narrow_to_schedule(const struct scaler *scaler, struct scaler_limits *limits)
{
    const struct schedule *schedule = (const struct schedule *)scaler;
    limits->min_replicas = schedule->min_replicas;
    limits->max_replicas = schedule->max_replicas;
}

static struct scaler_decision decide_schedule(struct scaler *scaler,
                                              const struct scaler_metrics *metrics, tick_t now)
{
    (void)metrics;
    struct schedule *schedule = (struct schedule *)scaler;
    const struct schedule_action_config *action = NULL;
    schedule->desired = INT64_MIN;
    while ((scaler->next = next_due(schedule, &action)) <= now) {
        schedule->done_until = scaler->next;
        carry_out(schedule, action);
    }
    if (schedule->desired == INT64_MIN)
        return (struct scaler_decision){SCALER_ABSTAINS, "scheduled bounds"};
    struct scaler_limits limits = scaler_limits_now(scaler);
    return (struct scaler_decision){scaler_clamp(&limits, schedule->desired), "scheduled action"};
}

const struct scaler_policy scaler_schedule = {.size = sizeof(struct schedule),
                                              .check = check_schedule,
                                              .open = open_schedule,
                                              .decide = decide_schedule,
                                              .narrow = narrow_to_schedule};
