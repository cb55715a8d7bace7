/* The table of policies, and what is common to them. */
#include "models/elastic/scaler.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/elastic/scaler_policy.h"

#define AS_POLICY(name, doc, type)  &scaler_##name,
#define AS_VARIANT(name, doc, type) {#name, doc, type},

static const struct scaler_policy *const policies[] = {SCALER_POLICIES(AS_POLICY)};

const struct config_variant_type scaler_policies[] = {SCALER_POLICIES(AS_VARIANT){0}};

const struct config_variant_type scaler_simple_policies[] = {SCALER_SIMPLE_POLICIES(AS_VARIANT){0}};

int64_t scaler_ceil(double replicas)
{
    assert(!isnan(replicas));
    /* What no pool has, and no arithmetic on replicas overflows. */
    return (int64_t)fmin(ceil(replicas), 1e15);
}

bool scaler_refuse(struct error *error, const char *key, const char *message, const char *hint)
{
    char place[128] = "";
    if (key)
        snprintf(place, sizeof place, "/%s", key);
    error_at(error, ERROR_BAD_INPUT, NULL, 0, place, "%s", message);
    return error_hint(error, "%s", hint);
}

bool scaler_refuse_item(struct error *error, const char *list, size_t index, const char *key,
                        const char *message, const char *hint)
{
    char place[64];
    snprintf(place, sizeof place, "%s/%zu/%s", list, index, key);
    return scaler_refuse(error, place, message, hint);
}

static bool check_limits(const struct scaler_limits *limits, struct error *error)
{
    if (limits->min_replicas <= limits->max_replicas)
        return true;
    error_at(error, ERROR_BAD_INPUT, NULL, 0, "",
             "min_replicas, %" PRId64 ", is above max_replicas, %" PRId64, limits->min_replicas,
             limits->max_replicas);
    return error_hint(error, "a scaler moves between the two");
}

bool scaler_check(const struct config_variant *config, const struct scaler_limits *limits,
                  struct error *error)
{
    const struct scaler_policy *policy = policies[config->index];
    return check_limits(limits, error) &&
           (!policy->check || policy->check(config->value, limits, error));
}

struct scaler *scaler_create(const struct config_variant *config,
                             const struct scaler_limits *limits, struct error *error)
{
    const struct scaler_policy *policy = policies[config->index];
    struct scaler *scaler = calloc(1, policy->size);
    if (scaler) {
        *scaler = (struct scaler){.policy = policy, .config = config->value, .limits = *limits};
        if (!policy->open || policy->open(scaler))
            return scaler;
    }
    scaler_destroy(scaler);
    error_set(error, ERROR_FAILED, "out of memory");
    return NULL;
}

void scaler_destroy(struct scaler *scaler)
{
    if (scaler && scaler->policy->close)
        scaler->policy->close(scaler);
    free(scaler);
}

tick_t scaler_next(const struct scaler *scaler)
{
    return scaler->next;
}

struct scaler_limits scaler_limits_now(const struct scaler *scaler)
{
    struct scaler_limits limits = scaler->limits;
    if (scaler->policy->narrow)
        scaler->policy->narrow(scaler, &limits);
    return limits;
}

struct scaler_decision scaler_decide(struct scaler *scaler, const struct scaler_metrics *metrics,
                                     tick_t now)
{
    assert(now >= scaler->next);
    struct scaler_decision decision = scaler->policy->decide(scaler, metrics, now);
    assert(scaler->next > now);
    struct scaler_limits limits = scaler_limits_now(scaler);
    if (decision.desired == SCALER_ABSTAINS)
        decision.desired = scaler_clamp(&limits, metrics->desired);
    return decision;
}
