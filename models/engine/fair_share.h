/* Fair shares by tenant: the Virtual Token Counter of Sheng et al., "Fairness in Serving Large
 * Language Models" (OSDI 2024), algorithm 2, with tenants' weights (its weighted variant).
 *
 * Each tenant has a counter of the service it got: a prompt token counts 1 when its request is let
 * in, an output token 2 when it is emitted (the paper's w_p and w_q), each over the tenant's
 * weight. The waiting tenant with the lowest counter goes next, with its oldest request. Who has
 * not waited and comes back is lifted to the lowest counter of those that wait, or to that of the
 * tenant that waited last: unused shares are not saved up.
 *
 * What a preempted request recomputes is not charged again. What speculation verifies beyond the
 * end of an answer is charged.
 *
 * While nobody joins or leaves the decodes, a tenant's counter grows by its decodes with every
 * token, so it is kept as a line and nothing is updated in a run: exact, in integers. Two lines
 * may cross, and then another tenant is next: fair_share_tokens says when. Cost: O(1) for all
 * that happens, O(tenants that wait) to find the first. */
#ifndef TOKENYARD_MODELS_ENGINE_FAIR_SHARE_H
#define TOKENYARD_MODELS_ENGINE_FAIR_SHARE_H

#include "models/engine/engine.h"

/* For `tenants` tenants of config->traits; NULL when out of memory. */
struct fair_share *fair_share_create(const struct engine_config *config);
void fair_share_destroy(struct fair_share *fair); /* NULL is allowed */

/* --- of engines with engine->fair --- */

/* The iterations that ended before now must be settled: counters are compared. */
void fair_share_add(struct engine *engine, uint32_t request);
void fair_share_remove(struct engine *engine, uint32_t request);
uint32_t fair_share_first(const struct engine *engine); /* REQUEST_NONE: nobody waits */
uint32_t fair_share_list(const struct engine *engine, uint32_t *numbers); /* as queue_order_list */

/* How many of up to `most` tokens of the decodes leave the first the first. */
uint64_t fair_share_tokens(const struct engine *engine, uint64_t most);

void fair_share_charge_prompt(struct engine *engine, const struct request *request);
void fair_share_charge_token(struct engine *engine, const struct request *request);
/* A request has joined the decodes (1), or leaves them (-1). */
void fair_share_decodes(struct engine *engine, const struct request *request, int change);

/* Is this request its tenant's only one that waits here? */
bool fair_share_only(const struct engine *engine, const struct request *request);

#endif
