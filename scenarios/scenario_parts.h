/* The parts of reading a scenario, shared by the files that make it up: scenario.c (the whole, its
 * pools and SLOs), scenario_classes.c and scenario_models.c. Nobody else includes this. */
#ifndef TOKENYARD_SCENARIOS_SCENARIO_PARTS_H
#define TOKENYARD_SCENARIOS_SCENARIO_PARTS_H

#include "scenarios/scenario.h"

#define POINTER_SIZE 256

/* Gives an error found below the scenario its place in the file. Returns false. */
bool scenario_locate(const struct scenario *scenario, const char *pointer,
                     const struct error *found, struct error *error);

/* Likewise one whose JSON pointer starts at this one. */
bool scenario_locate_below(const struct scenario *scenario, const char *pointer,
                           const struct error *found, struct error *error);

/* --- scenario_models.c --- */

/* Fills in models, llm and pool_models: the scenario's own model, and those of pools and classes.
 * Each is read once. */
bool scenario_read_models(struct scenario *scenario, struct error *error);

/* The model of a class's requests. */
bool scenario_class_model(const struct scenario *scenario, size_t class_index, uint32_t *model,
                          struct error *error);

/* --- scenario_classes.c --- */

extern const struct config_type scenario_class_type;

/* Fills in classes, traits, class_models and clients. */
bool scenario_resolve_classes(struct scenario *scenario, struct error *error);

/* Whom a class belongs to: who names no tenant is one by the class's name. */
const char *scenario_tenant_name(const struct scenario *scenario, size_t class_index);

bool scenario_find_class(const struct scenario *scenario, const char *name, int64_t *index);

/* --- scenario_plan.c --- */

/* Are the plan's offers sold in the markets that they name? Once these are resolved. */
bool scenario_check_plan_markets(const struct scenario *scenario, struct error *error);

#endif
