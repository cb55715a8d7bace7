#include "models/engine/fair_share.h"

#include <math.h>
#include <stdlib.h>

#include "models/engine/queues.h"

#define NO_TENANT UINT32_MAX

/* Charges per token, for a tenant of weight 1: section 5.1 takes 1 and 2, after OpenAI's prices. In
 * units fine enough for weights that are no round numbers. */
#define CHARGE_UNITS      65536.0
#define PROMPT_TOK_CHARGE (1 * CHARGE_UNITS)
#define OUTPUT_TOK_CHARGE (2 * CHARGE_UNITS)

struct tenant {
    int64_t counter; /* when engine->token was `since`; from then on it grows by ... */
    uint64_t since;
    int64_t decodes; /* ... output_charge of each of these with every token */
    int64_t prompt_charge, output_charge;
    struct request_list queue;
    uint32_t place; /* in fair_share.waiting while it has one; else NO_TENANT */
};

struct fair_share {
    struct tenant *tenants;
    uint32_t *waiting; /* tenants with requests that wait, in any order: `count` of them */
    uint32_t count;
    uint32_t last_left; /* the tenant that waited last; NO_TENANT at the start */
};

static int64_t charge(double units, double weight)
{
    int64_t rounded = llround(units / weight);
    return rounded > 0 ? rounded : 1;
}

static uint32_t count_tenants(const struct engine_config *config)
{
    uint32_t count = 1;
    for (uint32_t i = 0; config->traits && i < config->classes; i++)
        if (config->traits[i].tenant >= count)
            count = config->traits[i].tenant + 1;
    return count;
}

static void set_tenants(struct fair_share *fair, const struct engine_config *config, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        fair->tenants[i] = (struct tenant){.prompt_charge = charge(PROMPT_TOK_CHARGE, 1),
                                           .output_charge = charge(OUTPUT_TOK_CHARGE, 1),
                                           .queue = {REQUEST_NONE, REQUEST_NONE},
                                           .place = NO_TENANT};
    for (uint32_t i = 0; config->traits && i < config->classes; i++) {
        const struct class_traits *traits = &config->traits[i];
        struct tenant *tenant = &fair->tenants[traits->tenant];
        tenant->prompt_charge = charge(PROMPT_TOK_CHARGE, traits->tenant_weight);
        tenant->output_charge = charge(OUTPUT_TOK_CHARGE, traits->tenant_weight);
    }
}

struct fair_share *fair_share_create(const struct engine_config *config)
{
    struct fair_share *fair = calloc(1, sizeof *fair);
    if (!fair)
        return NULL;
    uint32_t count = count_tenants(config);
    fair->tenants = calloc(count, sizeof *fair->tenants);
    fair->waiting = calloc(count, sizeof *fair->waiting);
    fair->last_left = NO_TENANT;
    if (!fair->tenants || !fair->waiting) {
        fair_share_destroy(fair);
        return NULL;
    }
    set_tenants(fair, config, count);
    return fair;
}

void fair_share_destroy(struct fair_share *fair)
{
    if (!fair)
        return;
    free(fair->tenants);
    free(fair->waiting);
    free(fair);
}

static uint32_t tenant_index(const struct engine *engine, const struct request *request)
{
    const struct class_traits *traits = engine->config->traits;
    return traits ? traits[request->class_index].tenant : 0;
}

static struct tenant *tenant_of(const struct engine *engine, const struct request *request)
{
    return &engine->fair->tenants[tenant_index(engine, request)];
}

/* --- counters --- */

static int64_t counter_now(const struct engine *engine, const struct tenant *tenant)
{
    int64_t tokens = (int64_t)(engine->token - tenant->since);
    return tenant->counter + tokens * tenant->decodes * tenant->output_charge;
}

static void bring_up_to_date(const struct engine *engine, struct tenant *tenant)
{
    tenant->counter = counter_now(engine, tenant);
    tenant->since = engine->token;
}

void fair_share_charge_prompt(struct engine *engine, const struct request *request)
{
    struct tenant *tenant = tenant_of(engine, request);
    tenant->counter += request->prompt_tok * tenant->prompt_charge;
}

void fair_share_charge_token(struct engine *engine, const struct request *request)
{
    struct tenant *tenant = tenant_of(engine, request);
    tenant->counter += tenant->output_charge;
}

void fair_share_decodes(struct engine *engine, const struct request *request, int change)
{
    struct tenant *tenant = tenant_of(engine, request);
    bring_up_to_date(engine, tenant);
    tenant->decodes += change;
}

/* --- who waits --- */

/* Of those that wait, with the lowest counter, and of these the first in `tenants`. */
static struct tenant *first_tenant(const struct engine *engine)
{
    const struct fair_share *fair = engine->fair;
    struct tenant *first = NULL;
    int64_t lowest = INT64_MAX;
    for (uint32_t i = 0; i < fair->count; i++) {
        struct tenant *tenant = &fair->tenants[fair->waiting[i]];
        int64_t counter = counter_now(engine, tenant);
        if (counter < lowest || (counter == lowest && tenant < first)) {
            first = tenant;
            lowest = counter;
        }
    }
    return first;
}

static void lift(struct engine *engine, struct tenant *tenant)
{
    const struct fair_share *fair = engine->fair;
    const struct tenant *other = first_tenant(engine);
    if (!other && fair->last_left != NO_TENANT)
        other = &fair->tenants[fair->last_left];
    bring_up_to_date(engine, tenant);
    if (other && counter_now(engine, other) > tenant->counter)
        tenant->counter = counter_now(engine, other);
}

void fair_share_add(struct engine *engine, uint32_t number)
{
    struct fair_share *fair = engine->fair;
    struct tenant *tenant = tenant_of(engine, request_of(engine, number));
    if (tenant->place == NO_TENANT) {
        lift(engine, tenant);
        tenant->place = fair->count;
        fair->waiting[fair->count++] = (uint32_t)(tenant - fair->tenants);
    }
    list_append(engine, &tenant->queue, number);
}

static void leave_waiting(struct fair_share *fair, struct tenant *tenant)
{
    uint32_t last = fair->waiting[--fair->count];
    fair->waiting[tenant->place] = last;
    fair->tenants[last].place = tenant->place;
    tenant->place = NO_TENANT;
    fair->last_left = (uint32_t)(tenant - fair->tenants);
}

void fair_share_remove(struct engine *engine, uint32_t number)
{
    struct tenant *tenant = tenant_of(engine, request_of(engine, number));
    list_remove(engine, &tenant->queue, number);
    if (tenant->queue.head == REQUEST_NONE)
        leave_waiting(engine->fair, tenant);
}

uint32_t fair_share_first(const struct engine *engine)
{
    const struct tenant *tenant = first_tenant(engine);
    return tenant ? tenant->queue.head : REQUEST_NONE;
}

uint32_t fair_share_list(const struct engine *engine, uint32_t *numbers)
{
    const struct fair_share *fair = engine->fair;
    uint32_t count = 0;
    for (uint32_t i = 0; i < fair->count; i++)
        for (uint32_t number = fair->tenants[fair->waiting[i]].queue.head; number != REQUEST_NONE;
             number = request_of(engine, number)->next)
            numbers[count++] = number;
    return count;
}

bool fair_share_only(const struct engine *engine, const struct request *request)
{
    const struct request_list *queue = &tenant_of(engine, request)->queue;
    return queue->head == queue->tail;
}

/* --- when another tenant comes first --- */

/* After how many tokens of the decodes `other` goes before `first`, which goes before it now. */
static uint64_t overtaken_after(const struct engine *engine, const struct tenant *first,
                                const struct tenant *other)
{
    int64_t closing = first->decodes * first->output_charge - other->decodes * other->output_charge;
    if (closing <= 0)
        return UINT64_MAX;
    int64_t ahead = counter_now(engine, other) - counter_now(engine, first);
    int64_t even_suffices = other < first;
    return (uint64_t)((ahead - even_suffices) / closing + 1);
}

uint64_t fair_share_tokens(const struct engine *engine, uint64_t most)
{
    const struct fair_share *fair = engine->fair;
    const struct tenant *first = first_tenant(engine);
    for (uint32_t i = 0; i < fair->count; i++) {
        const struct tenant *other = &fair->tenants[fair->waiting[i]];
        uint64_t after = other == first ? most : overtaken_after(engine, first, other);
        if (after < most)
            most = after;
    }
    return most;
}
