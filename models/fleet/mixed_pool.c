#include "models/fleet/mixed_pool.h"

#include <stdlib.h>

#define NOBODY MIXED_POOL_NOBODY

enum set { SET_PROMPT, SET_TOKEN, SET_MIXED };

bool mixed_pool_init(struct mixed_pool *pool, const struct mixed_pool_config *config,
                     uint32_t machines)
{
    *pool = (struct mixed_pool){
        .config = config, .machines = calloc(machines, sizeof *pool->machines), .count = machines};
    return pool->machines != NULL;
}

void mixed_pool_free(struct mixed_pool *pool)
{
    free(pool->machines);
    pool->machines = NULL;
}

/* --- choosing --- */

static enum set set_of(const struct machine *machine)
{
    if (machine->lent || machine->home == ROLE_MIXED)
        return SET_MIXED;
    return machine->home == ROLE_PREFILL ? SET_PROMPT : SET_TOKEN;
}

static int64_t to_do(const struct machine *machine)
{
    return machine->to_do_tok;
}

static int64_t promised(const struct machine *machine)
{
    return machine->promised_tok;
}

/* The machine of `set` with the least load, or NOBODY where the set is empty. */
static uint32_t least_of(const struct mixed_pool *pool, enum set set,
                         int64_t (*load)(const struct machine *))
{
    uint32_t best = NOBODY;
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct machine *machine = &pool->machines[i];
        if (!machine->away && set_of(machine) == set &&
            (best == NOBODY || load(machine) < load(&pool->machines[best])))
            best = i;
    }
    return best;
}

static uint32_t least_to_do_of_all(const struct mixed_pool *pool)
{
    uint32_t best = NOBODY;
    for (uint32_t i = 0; i < pool->count; i++)
        if (!pool->machines[i].away &&
            (best == NOBODY || pool->machines[i].to_do_tok < pool->machines[best].to_do_tok))
            best = i;
    return best;
}

static uint32_t find_prompt_machine(const struct mixed_pool *pool, enum set set,
                                    const struct request *request)
{
    uint32_t best = least_of(pool, set, to_do);
    if (best == NOBODY)
        return NOBODY;
    const struct machine *machine = &pool->machines[best];
    bool queue_is_long = machine->engine->waiting > 0 &&
                         machine->to_do_tok + request->prompt_tok > pool->config->prompt_queue_tok;
    return queue_is_long ? NOBODY : best;
}

static int64_t all_tok(const struct request *request)
{
    return (int64_t)request->prompt_tok + request->output_tok;
}

static uint32_t find_token_machine(const struct mixed_pool *pool, enum set set,
                                   const struct request *request)
{
    uint32_t best = least_of(pool, set, promised);
    if (best == NOBODY)
        return NOBODY;
    const struct machine *machine = &pool->machines[best];
    return machine->promised_tok + all_tok(request) >= machine->memory_tok ? NOBODY : best;
}

static uint32_t lend(struct mixed_pool *pool, uint32_t machine)
{
    if (machine != NOBODY) {
        pool->machines[machine].lent = true;
        pool->lent++;
    }
    return machine;
}

static struct machine_pair find_pair(struct mixed_pool *pool, const struct request *request)
{
    struct machine_pair pair = {find_prompt_machine(pool, SET_PROMPT, request),
                                find_token_machine(pool, SET_TOKEN, request)};
    if (pair.prompt == NOBODY)
        pair.prompt = find_prompt_machine(pool, SET_MIXED, request);
    if (pair.token == NOBODY)
        pair.token = find_token_machine(pool, SET_MIXED, request);
    if (pair.prompt == NOBODY)
        pair.prompt = lend(pool, least_of(pool, SET_TOKEN, to_do));
    if (pair.token == NOBODY)
        pair.token = lend(pool, least_of(pool, SET_PROMPT, promised));
    if (pair.prompt == NOBODY || pair.token == NOBODY)
        pair.prompt = pair.token = least_to_do_of_all(pool);
    return pair;
}

/* --- accounts --- */

static bool is_guest(const struct machine *machine, enum pool_role phase)
{
    return machine->home != ROLE_MIXED && machine->home != phase;
}

static void work_done(struct machine *machine, enum pool_role phase)
{
    if (is_guest(machine, phase) && --machine->guests == 0)
        machine->lent = false;
}

static void charge_token_machine(struct machine *machine, const struct request *request)
{
    machine->guests += is_guest(machine, ROLE_DECODE);
    machine->to_do_tok++;
    machine->promised_tok += all_tok(request);
}

static struct machine_pair charge_pair(struct mixed_pool *pool, struct machine_pair pair,
                                       const struct request *request)
{
    if (pair.prompt == NOBODY)
        return pair;
    struct machine *prompt = &pool->machines[pair.prompt], *token = &pool->machines[pair.token];
    prompt->guests += is_guest(prompt, ROLE_PREFILL);
    prompt->to_do_tok += request->prompt_tok;
    charge_token_machine(token, request);
    if (prompt != token)
        prompt->promised_tok += request->prompt_tok;
    return pair;
}

struct machine_pair mixed_pool_choose(struct mixed_pool *pool, const struct request *request)
{
    return charge_pair(pool, find_pair(pool, request), request);
}

struct machine_pair mixed_pool_choose_one(struct mixed_pool *pool, const struct request *request)
{
    uint32_t machine = least_to_do_of_all(pool);
    return charge_pair(pool, (struct machine_pair){machine, machine}, request);
}

void mixed_pool_prompt_done(struct mixed_pool *pool, struct machine_pair pair,
                            const struct request *request)
{
    struct machine *machine = &pool->machines[pair.prompt];
    machine->to_do_tok -= request->prompt_tok;
    work_done(machine, ROLE_PREFILL);
}

void mixed_pool_cache_gone(struct mixed_pool *pool, struct machine_pair pair,
                           const struct request *request)
{
    if (pair.prompt != pair.token)
        pool->machines[pair.prompt].promised_tok -= request->prompt_tok;
}

void mixed_pool_tokens_done(struct mixed_pool *pool, struct machine_pair pair,
                            const struct request *request)
{
    struct machine *machine = &pool->machines[pair.token];
    machine->to_do_tok--;
    machine->promised_tok -= all_tok(request);
    work_done(machine, ROLE_DECODE);
}

/* Which of the machines that can is asked first to decode for another one. */
static int token_rank(const struct machine *machine)
{
    static const int ranks[] = {[SET_TOKEN] = 0, [SET_MIXED] = 1, [SET_PROMPT] = 2};
    return ranks[set_of(machine)];
}

static bool is_better_for_tokens(const struct machine *a, const struct machine *b)
{
    int rank_a = token_rank(a), rank_b = token_rank(b);
    return rank_a != rank_b ? rank_a < rank_b : a->promised_tok < b->promised_tok;
}

/* Not the one that holds the cache: nothing is handed over to where it is. */
static uint32_t find_other_token_machine(const struct mixed_pool *pool, uint32_t prompt,
                                         const struct request *request)
{
    uint32_t best = NOBODY;
    for (uint32_t i = 0; i < pool->count; i++) {
        const struct machine *machine = &pool->machines[i];
        if (i != prompt && !machine->away &&
            engine_accepts(machine->engine->config, request->prompt_tok, request->output_tok) &&
            (best == NOBODY || is_better_for_tokens(machine, &pool->machines[best])))
            best = i;
    }
    return best;
}

uint32_t mixed_pool_token_machine(struct mixed_pool *pool, struct machine_pair *pair,
                                  const struct request *request)
{
    if (!pool->machines[pair->token].away)
        return pair->token;
    uint32_t machine = find_other_token_machine(pool, pair->prompt, request);
    if (machine == NOBODY)
        return NOBODY;
    if (set_of(&pool->machines[machine]) == SET_PROMPT)
        lend(pool, machine);
    mixed_pool_tokens_done(pool, *pair, request);
    charge_token_machine(&pool->machines[machine], request);
    pair->token = machine;
    return machine;
}
