/* A fleet may serve several models. The scenario's "model" is that of all pools and classes that
 * name none; a request asks for its class's model, and only pools that serve it are chosen. */
#include <string.h>

#include "scenarios/scenario_parts.h"

#define NO_MODEL UINT32_MAX

static uint32_t find(const struct scenario *scenario, const char *name)
{
    for (uint32_t i = 0; i < scenario->model_count; i++)
        if (strcmp(scenario->models[i].name, name) == 0)
            return i;
    return NO_MODEL;
}

/* Unless it is known already. pointer: of the name; NULL names none. */
static bool read_model(struct scenario *scenario, const char *name, const char *pointer,
                       struct error *error)
{
    if (!name || find(scenario, name) != NO_MODEL)
        return true;
    if (scenario->model_count == ROUTER_MODELS_MAX)
        return json_error(scenario->document, pointer, error, "more than %d models",
                          ROUTER_MODELS_MAX);
    struct error found = {0};
    const struct llm *llm =
        llm_read(scenario->catalog_folder, scenario->folder, name, scenario->arena, &found);
    if (!llm) /* in the model's own file, or here: an unknown name */
        return scenario_locate(scenario, pointer, &found, error);
    scenario->model_names[scenario->model_count] = name;
    scenario->models[scenario->model_count++] = (struct scenario_model){name, llm};
    return true;
}

static const char *member_pointer(const struct scenario *scenario, const char *list, size_t index)
{
    return arena_printf(scenario->arena, "/%s/%zu/model", list, index);
}

static bool read_each(struct scenario *scenario, struct error *error)
{
    const struct scenario_pool *pools = scenario->config.pools.items;
    const struct scenario_class *classes = scenario->config.classes.items;
    if (!read_model(scenario, scenario->config.model, "/model", error))
        return false;
    if (scenario->config.model)
        scenario->llm = scenario->models[0].llm;
    for (size_t i = 0; i < scenario->config.pools.count; i++)
        if (!read_model(scenario, pools[i].model, member_pointer(scenario, "pools", i), error))
            return false;
    for (size_t i = 0; i < scenario->config.classes.count; i++)
        if (!read_model(scenario, classes[i].model, member_pointer(scenario, "classes", i), error))
            return false;
    return true;
}

bool scenario_read_models(struct scenario *scenario, struct error *error)
{
    size_t pools = scenario->config.pools.count, classes = scenario->config.classes.count;
    scenario->models = ARENA_ARRAY(scenario->arena, 1 + pools + classes, struct scenario_model);
    scenario->model_names = ARENA_ARRAY(scenario->arena, 1 + pools + classes, const char *);
    scenario->pool_models = ARENA_ARRAY(scenario->arena, pools, uint32_t);
    if (!read_each(scenario, error))
        return false;
    const struct scenario_pool *given = scenario->config.pools.items;
    for (size_t i = 0; i < pools; i++) {
        const char *name = given[i].model ? given[i].model : scenario->config.model;
        if (!name) {
            json_error(scenario->document, "", error, "there are pools, but no model to serve");
            return error_hint(error, "give \"model\": a name from `tokenyard list models`, or the "
                                     "path of a Hugging Face config.json");
        }
        scenario->pool_models[i] = find(scenario, name);
    }
    return true;
}

static bool is_served(const struct scenario *scenario, uint32_t model)
{
    for (size_t i = 0; i < scenario->config.pools.count; i++)
        if (scenario->pool_models[i] == model)
            return true;
    return false;
}

bool scenario_class_model(const struct scenario *scenario, size_t class_index, uint32_t *model,
                          struct error *error)
{
    bool listed = class_index < scenario->config.classes.count;
    const struct scenario_class *given = scenario->config.classes.items;
    const char *own = listed ? given[class_index].model : NULL;
    const char *name = own ? own : scenario->config.model;
    *model = 0;
    if (scenario->config.pools.count == 0 || (!name && scenario->model_count == 1))
        return true;
    const char *class_name = scenario->classes[class_index].name;
    const char *pointer = own      ? member_pointer(scenario, "classes", class_index)
                          : listed ? arena_printf(scenario->arena, "/classes/%zu", class_index)
                                   : "/model";
    if (!name) {
        json_error(scenario->document, pointer, error,
                   "which of the models do requests of class \"%s\" ask for?", class_name);
        return error_hint(error, "give the class a \"model\", or the scenario one for all that "
                                 "name none");
    }
    *model = find(scenario, name);
    if (is_served(scenario, *model))
        return true;
    json_error(scenario->document, pointer, error,
               "no pool serves %s, which requests of class \"%s\" ask for", name, class_name);
    return error_hint(error, "give a pool this \"model\", or the class another");
}
