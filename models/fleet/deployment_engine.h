/* The limits and policies of a deployment's engine: its settings, checked against the memory that
 * the deployment has and turned into what models/engine/engine.h takes.
 *
 * Internal to deployment.c. */
#ifndef TOKENYARD_MODELS_FLEET_DEPLOYMENT_ENGINE_H
#define TOKENYARD_MODELS_FLEET_DEPLOYMENT_ENGINE_H

#include "models/fleet/deployment.h"

/* Fills deployment->engine, and deployment->lora where there are adapters. Memory and step times of
 * the deployment are there already, and the request's settings are settled. false where limits
 * contradict each other. */
bool deployment_set_engine(const struct deployment_request *request, struct deployment *deployment,
                           struct error *error);

#endif
