#include "scenarios/plan_config.h"

#include <math.h>
#include <string.h>

#include "models/fleet/simulation.h"
#include "models/hardware/hardware.h"

#define AT(type, member) .offset = offsetof(struct type, member)

/* --- offers --- */

static const struct config_field offer_fields[] = {
    {"instance", CONFIG_STRING, AT(scenario_offer, instance), .optional = true,
     .doc = "instance type of the catalogue, rented whole; name this or a gpu"},
    {"gpu", CONFIG_STRING, AT(scenario_offer, gpu), .optional = true,
     .doc = "GPU of the catalogue, rented one by one"},
    {"available", CONFIG_INT, AT(scenario_offer, available), .optional = true, .max = 1e6,
     .doc = "instances (or GPUs) that can be had; null: as many as the budget pays for"},
    {"usd_per_hour", CONFIG_NUMBER, AT(scenario_offer, usd_per_hour), .optional = true, .max = 1e6,
     .above_min = true,
     .doc = "price of one instance (or GPU); null: the instance's in the catalogue"},
    {"elastic", CONFIG_OBJECT, AT(scenario_offer, elastic), .optional = true,
     .object = &elastic_config_type,
     .doc = "its markets, where Spot and on demand are bought, and how nodes live there; the plan "
            "decides how many of each; null: on demand, always there"},
    {0},
};

static const struct config_type offer_type = {"plan_offer", "Something that can be rented",
                                              sizeof(struct scenario_offer), offer_fields};

static const struct config_field offer_element = {.kind = CONFIG_OBJECT, .object = &offer_type};

/* --- layouts --- */

static const struct config_field degree_element = {.kind = CONFIG_INT, .min = 1, .max = 1024};
static const struct config_field precision_element = {.kind = CONFIG_ENUM,
                                                      .names = precision_names};

static const struct config_field layout_fields[] = {
    {"tensor_parallel", CONFIG_LIST, AT(scenario_layouts, tensor_parallel), .preset = "[1,2,4,8]",
     .min = 1, .max = 16, .element = &degree_element,
     .doc = "tensor-parallel degrees to try; at most the GPUs of an instance are used"},
    {"pipeline_parallel", CONFIG_LIST, AT(scenario_layouts, pipeline_parallel), .preset = "[1]",
     .min = 1, .max = 16, .element = &degree_element, .doc = "pipeline stages to try"},
    {"weights", CONFIG_LIST, AT(scenario_layouts, weights), .preset = "[\"bf16\"]", .min = 1,
     .max = PRECISION_COUNT, .element = &precision_element, .doc = "weight precisions to try"},
    {"expert_weights", CONFIG_ENUM, AT(scenario_layouts, expert_weights), .optional = true,
     .names = precision_names, .doc = "precision of the routed experts; null: as weights"},
    {"kv", CONFIG_ENUM, AT(scenario_layouts, kv), .preset = "\"bf16\"", .names = kv_precision_names,
     .doc = "precision of the KV cache"},
    {0},
};

static const struct config_type layouts_type = {"plan_layouts",
                                                "Deployments that are tried on every offer",
                                                sizeof(struct scenario_layouts), layout_fields};

/* --- classes --- */

static const struct config_field edge_element = {.kind = CONFIG_INT, .min = 1, .max = UINT32_MAX};

static const struct config_field cut_fields[] = {
    {"prompt_bins", CONFIG_INT, AT(scenario_cut, prompt_bins), .preset = "3", .min = 1, .max = 7,
     .doc = "bins of prompt length, with about equally many requests in each"},
    {"output_bins", CONFIG_INT, AT(scenario_cut, output_bins), .preset = "3", .min = 1, .max = 7,
     .doc = "bins of output length; 1 where it cannot be told on arrival"},
    {"prompt_edges", CONFIG_LIST, AT(scenario_cut, prompt_edges), .optional = true, .max = 6,
     .element = &edge_element, .doc = "prompt lengths (tokens) at which a new bin starts"},
    {"output_edges", CONFIG_LIST, AT(scenario_cut, output_edges), .optional = true, .max = 6,
     .element = &edge_element, .doc = "output lengths (tokens) at which a new bin starts"},
    {0},
};

static const struct config_type cut_type = {
    "plan_cut", "How requests are cut into classes, where the scenario names none",
    sizeof(struct scenario_cut), cut_fields};

/* --- given throughputs --- */

static const struct config_field demand_fields[] = {
    {"class", CONFIG_STRING, AT(scenario_demand, name), .doc = "name of the class"},
    {"requests", CONFIG_NUMBER, AT(scenario_demand, requests), .max = 1e15,
     .doc = "requests of this class to serve"},
    {0},
};

static const struct config_type demand_type = {"plan_demand", "Requests of one class",
                                               sizeof(struct scenario_demand), demand_fields};

static const struct config_field demand_element = {.kind = CONFIG_OBJECT, .object = &demand_type};

static const struct config_field rate_element = {.kind = CONFIG_NUMBER, .max = 1e12};

static const struct config_field given_config_fields[] = {
    {"name", CONFIG_STRING, AT(scenario_given_config, name), .doc = "name of the deployment"},
    {"offer", CONFIG_STRING, AT(scenario_given_config, offer),
     .doc = "the instance or GPU of one of the offers"},
    {"gpus", CONFIG_INT, AT(scenario_given_config, gpus), .preset = "1", .min = 1, .max = 1024,
     .doc = "GPUs of one replica"},
    {"requests_per_s", CONFIG_LIST, AT(scenario_given_config, requests_per_s), .min = 1,
     .max = REQUEST_CLASSES_MAX, .element = &rate_element,
     .doc = "what one replica serves of each class, in the order of the demand; 0: cannot"},
    {0},
};

static const struct config_type given_config_type = {
    "plan_given_config", "A deployment whose throughputs are known",
    sizeof(struct scenario_given_config), given_config_fields};

static const struct config_field given_config_element = {.kind = CONFIG_OBJECT,
                                                         .object = &given_config_type};

static const struct config_field given_fields[] = {
    {"demand", CONFIG_LIST, AT(scenario_given, demand), .min = 1, .max = REQUEST_CLASSES_MAX,
     .element = &demand_element, .doc = "requests of each class"},
    {"configs", CONFIG_LIST, AT(scenario_given, configs), .min = 1, .max = 256,
     .element = &given_config_element, .doc = "deployments to choose from"},
    {0},
};

static const struct config_type given_type = {"plan_given", "Throughputs that need not be measured",
                                              sizeof(struct scenario_given), given_fields};

/* --- the whole --- */

/* In the order of enum plan_objective. */
static const char *const objective_names[] = {"makespan_s", "cost_usd_h", NULL};

static const struct config_field plan_fields[] = {
    {"budget_usd_h", CONFIG_NUMBER, AT(scenario_plan, budget_usd_h), .max = 1e7,
     .doc = "what the fleet may cost, USD per hour"},
    {"objective", CONFIG_ENUM, AT(scenario_plan, objective), .preset = "\"makespan_s\"",
     .names = objective_names,
     .doc = "makespan_s: serve the demand as fast as the budget allows; cost_usd_h: as cheaply as "
            "within_s allows"},
    {"within_s", CONFIG_NUMBER, AT(scenario_plan, within_s), .optional = true, .max = 1e9,
     .above_min = true,
     .doc = "for cost_usd_h: time in which the demand must be served; null: in which it arrives"},
    {"offers", CONFIG_LIST, AT(scenario_plan, offers), .min = 1, .max = 64,
     .element = &offer_element, .doc = "what can be rented"},
    {"layouts", CONFIG_OBJECT, AT(scenario_plan, layouts), .preset = "{}", .object = &layouts_type,
     .doc = "deployments to try"},
    {"cut", CONFIG_OBJECT, AT(scenario_plan, cut), .preset = "{}", .object = &cut_type,
     .doc = "how requests are cut into classes"},
    {"sample_requests", CONFIG_INT, AT(scenario_plan, sample_requests), .preset = "20000", .min = 1,
     .max = 1e7, .doc = "requests of the workload that classes and demand are made of"},
    {"measure_requests", CONFIG_INT, AT(scenario_plan, measure_requests), .preset = "1000",
     .min = 10, .max = 1e6, .doc = "requests simulated, at least, to measure one throughput"},
    {"time_limit_s", CONFIG_NUMBER, AT(scenario_plan, time_limit_s), .preset = "60", .max = 86400,
     .above_min = true, .doc = "longest time the search may take; the best so far then counts"},
    {"mip_gap", CONFIG_NUMBER, AT(scenario_plan, mip_gap), .preset = "0.0001", .max = 0.5,
     .doc = "how far from the best possible value the search may stop, relative"},
    {"confidence", CONFIG_NUMBER, AT(scenario_plan, confidence), .preset = "0.95", .min = 0,
     .max = 0.9999, .above_min = true,
     .doc = "with markets: share of the replications in which the fleet must keep the budget in "
            "every hour, and the SLO"},
    {"replications", CONFIG_INT, AT(scenario_plan, replications), .preset = "20", .min = 1,
     .max = 100000,
     .doc = "with markets: simulations of each proposed fleet, with other markets and arrivals"},
    {"given", CONFIG_OBJECT, AT(scenario_plan, given), .optional = true, .object = &given_type,
     .doc = "known throughputs, instead of simulated ones; model and workload are then not used"},
    {0},
};

const struct config_type scenario_plan_type = {"plan", "The fleet that is looked for",
                                               sizeof(struct scenario_plan), plan_fields};

/* --- what no single field can tell --- */

const char *scenario_offer_name(const struct scenario_offer *offer)
{
    return offer->instance ? offer->instance : offer->gpu;
}

static bool check_offers(const struct scenario_plan *plan, const struct json_document *document,
                         struct error *error)
{
    const struct scenario_offer *offers = plan->offers.items;
    for (size_t i = 0; i < plan->offers.count; i++) {
        char pointer[128];
        json_pointer_index(pointer, sizeof pointer, "/plan/offers", i);
        if (!offers[i].instance == !offers[i].gpu) {
            json_error(document, pointer, error, "an offer names either an instance or a gpu");
            return error_hint(error, "{\"instance\": \"g5.xlarge\"} or {\"gpu\": \"L4\"}");
        }
        if (offers[i].gpu && isnan(offers[i].usd_per_hour))
            return json_error(document, pointer, error,
                              "single GPUs have no list price: give usd_per_hour");
        for (size_t j = 0; j < i; j++)
            if (strcmp(scenario_offer_name(&offers[i]), scenario_offer_name(&offers[j])) == 0)
                return json_error(document, pointer, error, "\"%s\" is offered twice",
                                  scenario_offer_name(&offers[i]));
    }
    return true;
}

bool scenario_plan_has_markets(const struct scenario_plan *plan)
{
    const struct scenario_offer *offers = plan->offers.items;
    for (size_t i = 0; i < plan->offers.count; i++)
        if (scenario_offer_has_markets(&offers[i]))
            return true;
    return false;
}

/* So many that one of them may fail: with fewer, "95 of 100" and "all" would be the same. */
static bool check_confidence(const struct scenario_plan *plan, const struct json_document *document,
                             struct error *error)
{
    double least = ceil(1 / (1 - plan->confidence) - 1e-9);
    if (!scenario_plan_has_markets(plan) || (double)plan->replications >= least)
        return true;
    json_error(document, "/plan", error, "%lld replications cannot show a confidence of %g",
               (long long)plan->replications, plan->confidence);
    return error_hint(error, "give \"replications\": %.0f or more, or a lower \"confidence\"",
                      least);
}

static bool check_edges(const struct config_list *edges, const char *pointer,
                        const struct json_document *document, struct error *error)
{
    const int64_t *edge = edges->items;
    for (size_t i = 1; i < edges->count; i++)
        if (edge[i] <= edge[i - 1])
            return json_error(document, pointer, error, "edges must rise: %lld follows %lld",
                              (long long)edge[i], (long long)edge[i - 1]);
    return true;
}

static bool is_offered(const struct scenario_plan *plan, const char *name)
{
    const struct scenario_offer *offers = plan->offers.items;
    for (size_t i = 0; i < plan->offers.count; i++)
        if (strcmp(scenario_offer_name(&offers[i]), name) == 0)
            return true;
    return false;
}

static bool check_given_config(const struct scenario_plan *plan, size_t index,
                               const struct json_document *document, struct error *error)
{
    const struct scenario_given_config *config =
        &((const struct scenario_given_config *)plan->given->configs.items)[index];
    char pointer[128];
    json_pointer_index(pointer, sizeof pointer, "/plan/given/configs", index);
    if (!is_offered(plan, config->offer))
        return json_error(document, pointer, error, "\"%s\" is not among the offers",
                          config->offer);
    if (config->requests_per_s.count != plan->given->demand.count)
        return json_error(document, pointer, error,
                          "requests_per_s has %zu numbers for %zu classes of demand",
                          config->requests_per_s.count, plan->given->demand.count);
    return true;
}

/* Instances have a size that only the catalogue knows; on paper GPUs are rented one by one. */
static bool check_given(const struct scenario_plan *plan, const struct json_document *document,
                        struct error *error)
{
    const struct scenario_offer *offers = plan->offers.items;
    for (size_t i = 0; i < plan->offers.count; i++)
        if (!offers[i].gpu) {
            char pointer[128];
            json_pointer_index(pointer, sizeof pointer, "/plan/offers", i);
            return json_error(document, pointer, error,
                              "with given throughputs an offer names a gpu, not an instance");
        }
    const struct scenario_demand *demand = plan->given->demand.items;
    double requests = 0;
    for (size_t w = 0; w < plan->given->demand.count; w++)
        requests += demand[w].requests;
    if (requests <= 0)
        return json_error(document, "/plan/given/demand", error, "no class has any requests");
    for (size_t c = 0; c < plan->given->configs.count; c++)
        if (!check_given_config(plan, c, document, error))
            return false;
    return true;
}

bool scenario_plan_check(const struct scenario_plan *plan, const struct json_document *document,
                         struct error *error)
{
    return check_offers(plan, document, error) && check_confidence(plan, document, error) &&
           check_edges(&plan->cut.prompt_edges, "/plan/cut/prompt_edges", document, error) &&
           check_edges(&plan->cut.output_edges, "/plan/cut/output_edges", document, error) &&
           (!plan->given || check_given(plan, document, error));
}
