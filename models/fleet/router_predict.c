#include "models/fleet/router_predict.h"

#include <math.h>
#include <stdlib.h>

bool predictor_init(struct predictor *predictor, const struct router *router)
{
    predictor->router = router;
    predictor->prefilled = calloc(router->slot_count, sizeof *predictor->prefilled);
    return predictor->prefilled != NULL;
}

void predictor_free(struct predictor *predictor)
{
    free(predictor->prefilled);
}

static const struct router_pool *pool_of(const struct router *router, uint32_t slot)
{
    return &router->pools[router->slots[slot].pool];
}

void predictor_sent(struct predictor *predictor, uint32_t slot, tick_t now, uint32_t prompt_tok)
{
    const struct router_pool *pool = pool_of(predictor->router, slot);
    tick_t *until = &predictor->prefilled[slot];
    tick_t begin = *until > now ? *until : now;
    *until = begin + tick_from_s(prompt_tok * pool->speed.per_prompt_tok_s);
}

void predictor_forget(struct predictor *predictor, uint32_t slot)
{
    predictor->prefilled[slot] = 0;
}

double predictor_backlog_s(const struct predictor *predictor, uint32_t slot, tick_t now)
{
    tick_t until = predictor->prefilled[slot];
    return until > now ? tick_to_s(until - now) : 0;
}

/* With the request that is asked for among them. */
struct occupancy {
    double requests, prompt_tok, output_tok;
};

static struct occupancy occupancy_with(const struct router_load *load,
                                       const struct router_request *request)
{
    return (struct occupancy){.requests = (double)load->requests + 1,
                              .prompt_tok = (double)load->prompt_tok + request->prompt_tok,
                              .output_tok =
                                  (double)(load->tokens - load->prompt_tok) + request->output_tok};
}

/* How many times over they fill the replica's memory or its places, whichever is fuller. */
static double fullness(const struct occupancy *all, const struct router_pool *pool)
{
    double memory = (all->prompt_tok + all->output_tok) / (double)pool->kv_tok;
    double places = all->requests / (double)pool->max_sequences;
    return fmax(memory, places);
}

struct prediction predictor_ask(const struct predictor *predictor, uint32_t slot,
                                const struct router_request *request)
{
    const struct router_pool *pool = pool_of(predictor->router, slot);
    const struct router_speed *speed = &pool->speed;
    struct occupancy all = occupancy_with(&predictor->router->slots[slot].load, request);
    double full = fullness(&all, pool);
    double running = full > 1 ? 1 / full : 1; /* share of them that fits */
    double context_tok = all.prompt_tok + all.output_tok / 2;
    double step_s = speed->iteration_s + running * (speed->per_sequence_s * (all.requests - 1) +
                                                    speed->per_context_tok_s * context_tok);
    double output_tok = all.output_tok / all.requests; /* of the mean answer, at least one */
    double prompts_s = running * all.prompt_tok * speed->per_prompt_tok_s;
    struct prediction prediction = {.tpot_s = step_s + prompts_s / output_tok};
    double wait_s = full > 1 ? (full - 1) * output_tok * prediction.tpot_s : 0;
    prediction.ttft_s = pool->overhead_s + predictor_backlog_s(predictor, slot, request->now) +
                        request->prompt_tok * speed->per_prompt_tok_s + step_s + wait_s;
    prediction.e2e_s = prediction.ttft_s + prediction.tpot_s * (request->output_tok - 1);
    return prediction;
}

double prediction_strain(const struct prediction *prediction, const struct router_bounds *bounds)
{
    double strain = fmax(prediction->ttft_s / bounds->ttft_s, prediction->tpot_s / bounds->tpot_s);
    return fmax(strain, prediction->e2e_s / bounds->e2e_s);
}

double router_work_s(const struct router_pool *pool, double prompt_tok, double output_tok)
{
    const struct router_speed *speed = &pool->speed;
    double context_tok = prompt_tok + output_tok / 2;
    double fits = (double)pool->kv_tok / (prompt_tok + output_tok);
    double sequences = fmax(1, fmin(fits, (double)pool->max_sequences));
    double step_s = speed->iteration_s + speed->per_sequence_s * (sequences - 1) +
                    speed->per_context_tok_s * sequences * context_tok;
    return prompt_tok * speed->per_prompt_tok_s + output_tok * step_s / sequences;
}
