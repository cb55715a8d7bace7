/* Several policies side by side; the one that asks for most replicas wins.
 *
 * So do AWS ("gives precedence to the policy that provides the largest capacity for both scale out
 * and scale in") and an HPA with several metrics. Each policy is asked at its own times; its
 * opinion stands until then, unless it has nothing to say. A schedule asks for a count only at the
 * moment of an action, but its bounds hold for all; so does min_replicas, KEDA's idle replicas
 * notwithstanding. */
#include <stdio.h>
#include <stdlib.h>

#include "models/elastic/scaler_policy.h"

static const struct config_field part_element = {.kind = CONFIG_VARIANT,
                                                 .variants = scaler_simple_policies,
                                                 .selector = "policy",
                                                 .doc = "a policy"};

static const struct config_field combine_fields[] = {
    {.name = "parts",
     .kind = CONFIG_LIST,
     .offset = offsetof(struct scaler_combine_config, parts),
     .element = &part_element,
     .min = 1,
     .max = 50,
     .doc = "the policies"},
    {0}};

const struct config_type scaler_combine_type = {.name = "scaler_combine",
                                                .doc = "Parameters of several policies at once",
                                                .size = sizeof(struct scaler_combine_config),
                                                .fields = combine_fields};

static bool check_combine(const void *config, const struct scaler_limits *limits,
                          struct error *error)
{
    const struct config_list *list = &((const struct scaler_combine_config *)config)->parts;
    const struct config_variant *parts = list->items;
    for (size_t i = 0; i < list->count; i++) {
        struct error found = {0};
        if (scaler_check(&parts[i], limits, &found))
            continue;
        char place[sizeof found.json_path + 32];
        snprintf(place, sizeof place, "/parts/%zu%s", i, found.json_path);
        error_at(error, found.code, NULL, 0, place, "%s", found.message);
        return error_hint(error, "%s", found.hint);
    }
    return true;
}

struct combined {
    struct scaler *scaler;
    struct scaler_decision opinion;
};

struct combine {
    struct scaler scaler;
    struct combined *parts;
    size_t count;
};

static bool open_combine(struct scaler *scaler)
{
    struct combine *combine = (struct combine *)scaler;
    const struct config_list *list = &((const struct scaler_combine_config *)scaler->config)->parts;
    const struct config_variant *parts = list->items;
    combine->parts = calloc(list->count, sizeof *combine->parts);
    scaler->next = TICK_NEVER;
    for (size_t i = 0; combine->parts && i < list->count; i++) {
        struct scaler *part = scaler_create(&parts[i], &scaler->limits, NULL);
        if (!part)
            return false;
        combine->parts[combine->count++] = (struct combined){part, {SCALER_ABSTAINS, NULL}};
        if (part->next < scaler->next)
            scaler->next = part->next;
    }
    return combine->parts;
}

static void close_combine(struct scaler *scaler)
{
    struct combine *combine = (struct combine *)scaler;
    for (size_t i = 0; i < combine->count; i++)
        scaler_destroy(combine->parts[i].scaler);
    free(combine->parts);
}

static void narrow_to_parts(const struct scaler *scaler, struct scaler_limits *limits)
{
    const struct combine *combine = (const struct combine *)scaler;
    for (size_t i = 0; i < combine->count; i++) {
        const struct scaler *part = combine->parts[i].scaler;
        if (part->policy->narrow)
            part->policy->narrow(part, limits);
    }
}

static struct scaler_decision decide_combine(struct scaler *scaler,
                                             const struct scaler_metrics *metrics, tick_t now)
{
    struct combine *combine = (struct combine *)scaler;
    struct scaler_decision most = {SCALER_ABSTAINS, "no policy has anything to say"};
    scaler->next = TICK_NEVER;
    for (size_t i = 0; i < combine->count; i++) {
        struct combined *part = &combine->parts[i];
        if (part->scaler->next <= now) {
            part->scaler->limits = scaler_limits_now(scaler);
            part->opinion = part->scaler->policy->decide(part->scaler, metrics, now);
        } else if (part->scaler->policy->narrow) {
            part->opinion.desired = SCALER_ABSTAINS;
        }
        if (part->opinion.desired > most.desired)
            most = part->opinion;
        if (part->scaler->next < scaler->next)
            scaler->next = part->scaler->next;
    }
    struct scaler_limits limits = scaler_limits_now(scaler);
    if (most.desired != SCALER_ABSTAINS)
        most.desired = scaler_clamp(&limits, most.desired);
    return most;
}

const struct scaler_policy scaler_combine = {.size = sizeof(struct combine),
                                             .check = check_combine,
                                             .open = open_combine,
                                             .close = close_combine,
                                             .decide = decide_combine,
                                             .narrow = narrow_to_parts};
