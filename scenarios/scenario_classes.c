/* Classes of requests: which requests they are, what they are to the engines, which model they ask
 * for, and how patient their clients are. */
#include <math.h>
#include <string.h>

#include "scenarios/scenario_parts.h"

#define AT(member)       .offset = offsetof(struct scenario_class, member)
#define DEADLINE(member) .offset = offsetof(struct scenario_deadline, member)

static const struct config_field deadline_fields[] = {
    {.name = "ttft_s",
     .kind = CONFIG_NUMBER,
     DEADLINE(ttft_s),
     .optional = true,
     .min = 0,
     .max = CLOCK_MAX_S,
     .above_min = true,
     .doc = "after the arrival, for the first token"},
    {.name = "e2e_s",
     .kind = CONFIG_NUMBER,
     DEADLINE(e2e_s),
     .optional = true,
     .min = 0,
     .max = CLOCK_MAX_S,
     .above_min = true,
     .doc = "after the arrival, for the whole answer"},
    {.name = "drop_expired",
     .kind = CONFIG_BOOL,
     DEADLINE(drop_expired),
     .preset = "false",
     .doc = "who still waits in an engine's queue when it has passed is refused"},
    {0}};

static const struct config_type deadline_type = {
    .name = "deadline",
    .doc = "When answers are due; the earlier of the two orders queues by deadline",
    .size = sizeof(struct scenario_deadline),
    .fields = deadline_fields};

static const struct config_field bound_element = {.name = "bound",
                                                  .kind = CONFIG_INT,
                                                  .optional = true,
                                                  .min = 0,
                                                  .max = UINT32_MAX,
                                                  .doc = "tokens; null: no bound"};

static const struct config_field class_fields[] = {
    {.name = "name", .kind = CONFIG_STRING, AT(name), .doc = "name of the class"},
    {.name = "stream",
     .kind = CONFIG_STRING,
     AT(stream),
     .optional = true,
     .doc = "only requests of this workload stream"},
    {.name = "prompt_tok",
     .kind = CONFIG_LIST,
     AT(prompt_tok),
     .element = &bound_element,
     .preset = "[]",
     .max = 2,
     .doc = "[least, most] prompt tokens, inclusive; null: no bound"},
    {.name = "output_tok",
     .kind = CONFIG_LIST,
     AT(output_tok),
     .element = &bound_element,
     .preset = "[]",
     .max = 2,
     .doc = "[least, most] output tokens, inclusive; null: no bound"},
    {.name = "model",
     .kind = CONFIG_STRING,
     AT(model),
     .optional = true,
     .doc = "the model its requests ask for; null: the scenario's"},
    {.name = "priority",
     .kind = CONFIG_INT,
     AT(priority),
     .preset = "0",
     .min = -1000000,
     .max = 1000000,
     .doc = "lower is served first, where the engine's queue is by priority"},
    {.name = "tenant",
     .kind = CONFIG_STRING,
     AT(tenant),
     .optional = true,
     .doc = "whom it belongs to, for fair shares; null: a tenant of its own"},
    {.name = "tenant_weight",
     .kind = CONFIG_NUMBER,
     AT(tenant_weight),
     .preset = "1",
     .min = 1e-3,
     .max = 1e3,
     .doc = "the tenant's share relative to others"},
    {.name = "deadline",
     .kind = CONFIG_OBJECT,
     AT(deadline),
     .object = &deadline_type,
     .optional = true,
     .doc = "when answers are due; null: never"},
    {.name = "client",
     .kind = CONFIG_OBJECT,
     AT(client),
     .object = &client_settings_type,
     .optional = true,
     .doc = "client settings that differ from the scenario's"},
    {0}};

const struct config_type scenario_class_type = {.name = "class",
                                                .doc = "A class of requests",
                                                .size = sizeof(struct scenario_class),
                                                .fields = class_fields};

/* --- which requests --- */

static bool class_bounds(const struct scenario *scenario, const struct config_list *range,
                         const char *pointer, const char *field, uint32_t *least, uint32_t *most,
                         struct error *error)
{
    *least = 0;
    *most = UINT32_MAX;
    const int64_t *bounds = range->items;
    if (range->count == 0)
        return true;
    if (range->count != 2)
        return json_member_error(scenario->document, pointer, field, error,
                                 "expected two numbers, [least, most]");
    if (bounds[0] != INT64_MIN)
        *least = (uint32_t)bounds[0];
    if (bounds[1] != INT64_MIN)
        *most = (uint32_t)bounds[1];
    if (*least > *most)
        return json_member_error(scenario->document, pointer, field, error,
                                 "least (%u) is above most (%u)", *least, *most);
    return true;
}

static bool class_stream(const struct scenario *scenario, const char *name, const char *pointer,
                         int64_t *stream, struct error *error)
{
    *stream = -1;
    if (!name)
        return true;
    const void *workload = scenario->config.workload;
    uint32_t count = workload ? workload_stream_count(workload) : 0;
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(workload_stream_name(workload, i), name) == 0)
            *stream = i;
    if (*stream >= 0)
        return true;
    return json_member_error(scenario->document, pointer, "stream", error,
                             "the workload has no stream \"%s\"", name);
}

bool scenario_find_class(const struct scenario *scenario, const char *name, int64_t *index)
{
    for (*index = 0; (size_t)*index < scenario->class_count; ++*index)
        if (strcmp(scenario->classes[*index].name, name) == 0)
            return true;
    *index = -1;
    return false;
}

static bool matches_all(const struct class_rule *rule)
{
    return rule->stream < 0 && rule->prompt_min_tok <= 1 && rule->output_min_tok <= 1 &&
           rule->prompt_max_tok == UINT32_MAX && rule->output_max_tok == UINT32_MAX;
}

static bool resolve_rule(struct scenario *scenario, const struct scenario_class *given,
                         size_t index, struct error *error)
{
    struct class_rule *rule = &scenario->classes[index];
    char pointer[POINTER_SIZE];
    json_pointer_index(pointer, sizeof pointer, "/classes", index);
    int64_t same;
    if (scenario_find_class(scenario, given->name, &same))
        return json_error(scenario->document, pointer, error, "two classes are named \"%s\"",
                          given->name);
    rule->name = given->name;
    return class_bounds(scenario, &given->prompt_tok, pointer, "prompt_tok", &rule->prompt_min_tok,
                        &rule->prompt_max_tok, error) &&
           class_bounds(scenario, &given->output_tok, pointer, "output_tok", &rule->output_min_tok,
                        &rule->output_max_tok, error) &&
           class_stream(scenario, given->stream, pointer, &rule->stream, error);
}

/* --- what they are to the engines --- */

/* The tenants of the classes before, and one more for a class that names a new one, or none. */
static uint32_t tenant_of(const struct scenario_class *classes, size_t index,
                          const struct class_traits *traits)
{
    uint32_t next = 0;
    for (size_t i = 0; i < index; i++) {
        if (classes[index].tenant && classes[i].tenant &&
            strcmp(classes[i].tenant, classes[index].tenant) == 0)
            return traits[i].tenant;
        next = traits[i].tenant >= next ? traits[i].tenant + 1 : next;
    }
    return next;
}

static bool check_weight(const struct scenario *scenario, size_t index, struct error *error)
{
    const struct class_traits *traits = scenario->traits, *own = &traits[index];
    for (size_t i = 0; i < index; i++) {
        if (traits[i].tenant != own->tenant || traits[i].tenant_weight == own->tenant_weight)
            continue;
        char pointer[POINTER_SIZE];
        json_pointer_index(pointer, sizeof pointer, "/classes", index);
        json_member_error(scenario->document, pointer, "tenant_weight", error,
                          "class \"%s\" gives the same tenant a weight of %g",
                          scenario->classes[i].name, traits[i].tenant_weight);
        return error_hint(error, "a tenant has one weight: give it in each of its classes");
    }
    return true;
}

static double due_s(const struct scenario_deadline *deadline)
{
    if (!deadline)
        return INFINITY;
    double due_s = fmin(isnan(deadline->ttft_s) ? INFINITY : deadline->ttft_s,
                        isnan(deadline->e2e_s) ? INFINITY : deadline->e2e_s);
    return due_s;
}

static bool check_deadline(const struct scenario *scenario, size_t index, struct error *error)
{
    const struct scenario_class *given = scenario->config.classes.items;
    if (!given[index].deadline || due_s(given[index].deadline) < INFINITY)
        return true;
    char pointer[POINTER_SIZE];
    json_pointer_index(pointer, sizeof pointer, "/classes", index);
    json_member_error(scenario->document, pointer, "deadline", error,
                      "this deadline says nothing of when");
    return error_hint(error, "give ttft_s or e2e_s");
}

static bool resolve_traits(struct scenario *scenario, size_t index, struct error *error)
{
    const struct scenario_class *given = scenario->config.classes.items;
    struct class_traits *traits = &scenario->traits[index];
    *traits = (struct class_traits){.tenant = tenant_of(given, index, scenario->traits),
                                    .priority = given[index].priority,
                                    .tenant_weight = given[index].tenant_weight,
                                    .deadline = TICK_NEVER};
    if (due_s(given[index].deadline) < INFINITY)
        traits->deadline = tick_from_s(due_s(given[index].deadline));
    return check_weight(scenario, index, error) && check_deadline(scenario, index, error);
}

/* Those of the class for all the rest. */
static void default_traits(struct scenario *scenario, size_t index)
{
    uint32_t tenant = 0;
    for (size_t i = 0; i < index; i++)
        tenant = scenario->traits[i].tenant >= tenant ? scenario->traits[i].tenant + 1 : tenant;
    scenario->traits[index] =
        (struct class_traits){.tenant = tenant, .tenant_weight = 1, .deadline = TICK_NEVER};
}

/* --- their clients --- */

static bool resolve_clients(const struct scenario *scenario, size_t index, struct client_rule *rule,
                            struct error *error)
{
    const struct scenario_class *given = scenario->config.classes.items;
    bool listed = index < scenario->config.classes.count;
    struct place place = {.document = scenario->document, .pointer = "/client"};
    const struct client_settings *settings = scenario->config.client;
    if (listed) {
        struct place list = {.document = scenario->document, .pointer = "/classes"};
        struct place own = place_index(&list, index);
        place = place_key(&own, "client");
        settings = given[index].client;
    }
    if (!client_rule_make(settings, scenario->arena, &place, rule, error))
        return false;
    if (listed && given[index].deadline && given[index].deadline->drop_expired)
        rule->shed_after_s = due_s(given[index].deadline);
    return true;
}

/* --- all of it --- */

static bool resolve_rules(struct scenario *scenario, struct error *error)
{
    const struct scenario_class *given = scenario->config.classes.items;
    size_t count = scenario->config.classes.count;
    for (size_t i = 0; i < count; i++) {
        if (!resolve_rule(scenario, &given[i], i, error))
            return false;
        scenario->class_count++;
    }
    if (count == 0 || !matches_all(&scenario->classes[count - 1]))
        scenario->classes[scenario->class_count++] =
            (struct class_rule)CLASS_RULE_ALL(count == 0 ? "all" : "other");
    return true;
}

bool scenario_resolve_classes(struct scenario *scenario, struct error *error)
{
    size_t listed = scenario->config.classes.count;
    struct arena *arena = scenario->arena;
    scenario->classes = ARENA_ARRAY(arena, listed + 1, struct class_rule);
    scenario->traits = ARENA_ARRAY(arena, listed + 1, struct class_traits);
    scenario->class_models = ARENA_ARRAY(arena, listed + 1, uint32_t);
    struct client_rule *clients = ARENA_ARRAY(arena, listed + 1, struct client_rule);
    if (!resolve_rules(scenario, error))
        return false;
    for (size_t i = 0; i < scenario->class_count; i++) {
        if (i < listed && !resolve_traits(scenario, i, error))
            return false;
        if (i >= listed)
            default_traits(scenario, i);
        if (!scenario_class_model(scenario, i, &scenario->class_models[i], error) ||
            !resolve_clients(scenario, i, &clients[i], error))
            return false;
        if (client_rule_matters(&clients[i]))
            scenario->clients = clients;
    }
    return true;
}

const char *scenario_tenant_name(const struct scenario *scenario, size_t class_index)
{
    const struct scenario_class *given = scenario->config.classes.items;
    if (class_index < scenario->config.classes.count && given[class_index].tenant)
        return given[class_index].tenant;
    return scenario->classes[class_index].name;
}
