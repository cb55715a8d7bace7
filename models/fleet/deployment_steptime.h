/* The step times of a deployment: kernels of every stage, from wherever the request says
 * (step_time_kinds), put together to what the engine asks for in each iteration.
 *
 * Internal to deployment.c. */
#ifndef TOKENYARD_MODELS_FLEET_DEPLOYMENT_STEPTIME_H
#define TOKENYARD_MODELS_FLEET_DEPLOYMENT_STEPTIME_H

#include "models/fleet/deployment.h"
#include "models/fleet/draft.h"

enum step_time_kind deployment_step_time_kind(const struct deployment_request *request);

/* Fills the deployment's steptime, plain_steptime, graph and basis, and its engine's overhead of
 * each request; memory is there already. */
bool deployment_compile_steptime(const struct deployment_request *request,
                                 struct deployment *deployment, const struct stage_list *list,
                                 const struct draft *draft, struct error *error);

#endif
