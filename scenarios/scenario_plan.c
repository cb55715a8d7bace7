/* What a plan says of markets, held against the markets that the scenario has. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "models/elastic/scaler.h"
#include "scenarios/scenario_parts.h"

static bool refuse(const struct scenario *scenario, const char *pointer, struct error *error,
                   const char *message, const char *hint)
{
    json_error(scenario->document, pointer, error, "%s", message);
    return error_hint(error, "%s", hint);
}

/* Counts, scaler and shares are the plan's answer. (Defaults may stand there: a resolved scenario
 * has them all.) */
static bool check_decided(const struct scenario *scenario, const struct elastic_settings *elastic,
                          const char *offer, struct error *error)
{
    const struct purchase_settings *purchase = &elastic->purchase;
    const struct {
        const char *member;
        bool given;
    } decided[] = {
        {"min_replicas", elastic->min_replicas != 1},
        {"max_replicas", elastic->max_replicas != 10},
        {"scaler", strcmp(scaler_policies[elastic->scaler.index].name, "fixed") != 0},
        {"purchase/on_demand_base", purchase->on_demand_base != 0},
        {"purchase/spot_percent_above_base", purchase->spot_percent_above_base != INT64_MIN}};
    for (size_t i = 0; i < sizeof decided / sizeof decided[0]; i++) {
        char pointer[POINTER_SIZE];
        snprintf(pointer, sizeof pointer, "%s/elastic/%s", offer, decided[i].member);
        if (decided[i].given)
            return refuse(scenario, pointer, error, "that is for the plan to decide",
                          "leave it out: the answer is what it should be");
    }
    return true;
}

static bool check_offer_kind(const struct scenario *scenario, const struct scenario_offer *offer,
                             const char *pointer, struct error *error)
{
    if (offer->elastic->markets.count == 0)
        return refuse(scenario, pointer, error, "\"elastic\" names no markets",
                      "give it \"markets\": [...], or leave it out: then the offer is on demand");
    if (offer->gpu)
        return refuse(scenario, pointer, error, "single GPUs are in no market",
                      "offer an instance: \"hardware\" may define one of the scenario's own");
    if (!isnan(offer->usd_per_hour))
        return refuse(scenario, pointer, error, "an offer with markets has their prices",
                      "leave \"usd_per_hour\" out, or the markets");
    if (scenario->config.plan->given)
        return refuse(scenario, pointer, error, "interruptions cannot be simulated on paper",
                      "leave \"given\" out, or the markets");
    return true;
}

static const struct market_spec *find_market(const struct scenario *scenario, const char *name)
{
    for (uint32_t m = 0; m < scenario->market_count; m++)
        if (strcmp(market_spec_name(scenario->markets[m]), name) == 0)
            return scenario->markets[m];
    return NULL;
}

static bool check_market(const struct scenario *scenario, const struct scenario_offer *offer,
                         const char *name, const char *pointer, struct error *error)
{
    const struct market_spec *market = find_market(scenario, name);
    if (!market) {
        json_error(scenario->document, pointer, error, "there is no market \"%s\"", name);
        return error_hint(error, "markets are named under \"markets\"");
    }
    const char *instance = market_spec_instance(market);
    if (!instance) {
        json_error(scenario->document, pointer, error, "market \"%s\" does not say what it rents",
                   name);
        return error_hint(error, "give the market \"instance\": \"%s\"", offer->instance);
    }
    if (strcmp(instance, offer->instance) != 0)
        return json_error(scenario->document, pointer, error,
                          "market \"%s\" rents %s, and this offer is of %s", name, instance,
                          offer->instance);
    return true;
}

static bool check_policies(const struct scenario *scenario, const struct elastic_settings *elastic,
                           const char *offer, struct error *error)
{
    struct purchase_scope scope = {elastic->markets.items, (uint32_t)elastic->markets.count,
                                   PLAN_NODES_MAX};
    struct error found = {0};
    char pointer[POINTER_SIZE];
    snprintf(pointer, sizeof pointer, "%s/elastic/purchase", offer);
    if (!purchase_check(&elastic->purchase, &scope, &found))
        return scenario_locate_below(scenario, pointer, &found, error);
    struct place place = {.document = scenario->document};
    snprintf(place.pointer, sizeof place.pointer, "%s/elastic/start_up", offer);
    if (!start_up_check(&elastic->start_up, &place, error))
        return false;
    snprintf(place.pointer, sizeof place.pointer, "%s/elastic/failures", offer);
    return !elastic->failures || failure_check(elastic->failures, &place, error);
}

static bool check_offer(const struct scenario *scenario, size_t index, struct error *error)
{
    const struct scenario_offer *offer =
        &((const struct scenario_offer *)scenario->config.plan->offers.items)[index];
    char pointer[64];
    json_pointer_index(pointer, sizeof pointer, "/plan/offers", index);
    if (!offer->elastic)
        return true;
    if (!check_offer_kind(scenario, offer, pointer, error) ||
        !check_decided(scenario, offer->elastic, pointer, error))
        return false;
    const char *const *names = offer->elastic->markets.items;
    for (size_t m = 0; m < offer->elastic->markets.count; m++) {
        char market[POINTER_SIZE];
        snprintf(market, sizeof market, "%s/elastic/markets/%zu", pointer, m);
        if (!check_market(scenario, offer, names[m], market, error))
            return false;
    }
    return check_policies(scenario, offer->elastic, pointer, error);
}

bool scenario_check_plan_markets(const struct scenario *scenario, struct error *error)
{
    const struct scenario_plan *plan = scenario->config.plan;
    for (size_t i = 0; plan && i < plan->offers.count; i++)
        if (!check_offer(scenario, i, error))
            return false;
    if (!plan || !scenario_plan_has_markets(plan) || !isnan(scenario->config.horizon_s))
        return true;
    return refuse(scenario, "/plan", error, "interruptions need a time to happen in",
                  "give the scenario a \"horizon_s\": all replications run for so long");
}
