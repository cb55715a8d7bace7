/* Splitwise's scheduler of a cluster: prompt machines, token machines, and a mixed pool that they
 * are lent to (Patel et al., ISCA 2024, section IV.A; Mutinifni/splitwise-sim, scheduler.py,
 * MixedPoolScheduler).
 *
 * A request is given a machine for its prompt and one for its tokens when it arrives. The prompt
 * goes to the prompt machine with the fewest prompt tokens to do, unless that one's queue is long
 * (requests wait there, and with this prompt it would hold more than prompt_queue_tok); then to a
 * mixed machine by the same rule; then a token machine is lent: the one with least to do. The
 * tokens go to the token machine that has promised the least memory, unless this request would pass
 * what it has; then to a mixed machine; then a prompt machine is lent. Where that finds nobody,
 * whoever has the fewest tokens to do takes both phases. A lent machine goes back when it has no
 * more work of the phase it was lent to.
 *
 * Machines are the replicas of a fleet. Those of prefill pools are prompt machines, those of decode
 * pools token machines, those of mixed pools are always in the mixed pool. Memory is counted in
 * tokens of KV cache. A choice looks at all machines. A prompt whose tokens follow on the same
 * machine counts as to do until the request ends: nobody tells of its end before. */
#ifndef TOKENYARD_MODELS_FLEET_MIXED_POOL_H
#define TOKENYARD_MODELS_FLEET_MIXED_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "models/engine/engine.h"
#include "models/fleet/disaggregation.h"

struct machine {
    enum pool_role home;
    bool away; /* takes no new requests */
    bool lent;
    uint32_t guests;      /* requests whose phase here is not the one of its home */
    int64_t to_do_tok;    /* prompt tokens not computed, and one for each request that decodes */
    int64_t promised_tok; /* of its KV cache */
    int64_t memory_tok;
    const struct engine *engine;
};

struct mixed_pool {
    const struct mixed_pool_config *config;
    struct machine *machines;
    uint32_t count;
    uint64_t lent; /* so far */
};

/* Who computes a request's prompt, and who its other tokens; perhaps the same. */
struct machine_pair {
    uint32_t prompt, token;
};

/* The owner fills in `home`, `memory_tok` and `engine` of the machines. false: out of memory. */
bool mixed_pool_init(struct mixed_pool *pool, const struct mixed_pool_config *config,
                     uint32_t machines);
void mixed_pool_free(struct mixed_pool *pool);

#define MIXED_POOL_NOBODY UINT32_MAX

/* Both are charged with the request, until told otherwise (MIXED_POOL_NOBODY twice, and nobody is
 * charged, when all machines are away): */
struct machine_pair mixed_pool_choose(struct mixed_pool *pool, const struct request *request);
/* (or one for both, of a request that cannot be handed over) */
struct machine_pair mixed_pool_choose_one(struct mixed_pool *pool, const struct request *request);
/* the prompt is complete; */
void mixed_pool_prompt_done(struct mixed_pool *pool, struct machine_pair pair,
                            const struct request *request);
/* the prompt machine's memory is free (only where the machines differ); */
void mixed_pool_cache_gone(struct mixed_pool *pool, struct machine_pair pair,
                           const struct request *request);
/* the tokens go to pair->token; if that is away to another one that can serve the request, token
 * machines first, but not to where the prompt was computed (MIXED_POOL_NOBODY: none is there, and
 * the pair stays as it is); */
uint32_t mixed_pool_token_machine(struct mixed_pool *pool, struct machine_pair *pair,
                                  const struct request *request);
/* the last token was emitted (only of a request with more than one). */
void mixed_pool_tokens_done(struct mixed_pool *pool, struct machine_pair pair,
                            const struct request *request);

#endif
