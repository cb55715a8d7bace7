/* Requests that are prefilled on one engine and decoded on another, and requests that are cancelled
 * wherever they are: random scenes, jumped and stepped through, must agree to the tick, end all
 * requests once and give back all blocks. */
#include <criterion/criterion.h>
#include <string.h>

#include "models/engine/handover.h"
#include "sim/random.h"
#include "tests/models/engine_rules.h"

enum { SCENES = 3000, REQUESTS_MAX = 40, ENGINES = 2 };
enum { PREFILLER, DECODER };

struct plan {
    tick_t arrival, cancel,
        transfer; /* cancel: TICK_NEVER as a rule; transfer: how long it takes */
    uint32_t prompt_tok, output_tok;
    bool handoff;
};

struct scene {
    struct engine_config configs[ENGINES];
    struct steptime *steptimes[ENGINES];
    struct plan plans[REQUESTS_MAX];
    uint32_t requests;
};

struct outcome {
    tick_t ended, first_token;
    uint32_t emitted, preemptions, times;
    bool cancelled;
};

/* The owner of both engines; requests are numbered as the plans. */
struct owner {
    const struct scene *scene;
    struct engine engines[ENGINES];
    struct request_pool pool;
    struct outcome outcomes[REQUESTS_MAX];
    uint8_t at[REQUESTS_MAX];     /* engine */
    tick_t fetched[REQUESTS_MAX]; /* when its KV cache will be there; TICK_NEVER: not on the way */
    int64_t blocks[REQUESTS_MAX]; /* that it holds at the prefiller */
    uint32_t arrived;
    tick_t now;
    uint64_t moved;
};

static uint32_t between(gsl_rng *rng, uint32_t low, uint32_t high)
{
    return low + (uint32_t)gsl_rng_uniform_int(rng, high - low + 1);
}

static const double grid_s = 0.0009765625;

static void draw_engine(gsl_rng *rng, struct scene *scene, int which)
{
    struct engine_config *config = &scene->configs[which];
    uint32_t sequences = between(rng, 1, 12);
    *config = (struct engine_config){.max_sequences = sequences,
                                     .max_batch_tokens = sequences + between(rng, 0, 60),
                                     .block_tok = between(rng, 1, 16),
                                     .kv_blocks = between(rng, 20, 200),
                                     .max_model_tok = 1000,
                                     .chunked_prefill = true};
    draw_engine_rules(rng, config);
    struct steptime_given given = {.base_s = grid_s * between(rng, 1, 8),
                                   .per_sequence_s = grid_s * between(rng, 0, 2),
                                   .per_context_token_s = grid_s / 64 * between(rng, 0, 2),
                                   .per_prefill_token_s = grid_s / 16 * between(rng, 0, 2)};
    scene->steptimes[which] =
        steptime_compile_given(&given, config->max_sequences, config->max_batch_tokens,
                               config->kv_blocks * config->block_tok, NULL);
    cr_assert_not_null(scene->steptimes[which]);
    config->steptime = scene->steptimes[which];
}

static void draw_plans(gsl_rng *rng, struct scene *scene)
{
    tick_t time = 0;
    tick_t grid = tick_from_s(grid_s);
    scene->requests = between(rng, 1, REQUESTS_MAX);
    for (uint32_t i = 0; i < scene->requests; i++) {
        time += grid * between(rng, 0, 20);
        scene->plans[i] = (struct plan){
            .arrival = time,
            .cancel = between(rng, 0, 3) ? TICK_NEVER : time + grid * between(rng, 0, 400) / 2,
            .transfer = grid * between(rng, 0, 60) / 2,
            .prompt_tok = between(rng, 1, 60),
            .output_tok = between(rng, 1, 60),
            .handoff = between(rng, 0, 3) > 0};
    }
}

static void draw_scene(gsl_rng *rng, struct scene *scene)
{
    *scene = (struct scene){0};
    for (int i = 0; i < ENGINES; i++)
        draw_engine(rng, scene, i);
    draw_plans(rng, scene);
}

static void end(struct owner *owner, uint32_t number)
{
    const struct request *request = &owner->pool.requests[number];
    struct outcome *outcome = &owner->outcomes[number];
    *outcome = (struct outcome){.ended = owner->now,
                                .first_token = request->first_token,
                                .emitted = request->emitted,
                                .preemptions = request->preemptions,
                                .times = outcome->times + 1,
                                .cancelled = request->cancelled};
}

static bool accepted(const struct scene *scene, const struct plan *plan)
{
    return engine_accepts(&scene->configs[PREFILLER], plan->prompt_tok,
                          plan->handoff ? 1 : plan->output_tok) &&
           engine_accepts(&scene->configs[DECODER], plan->prompt_tok, plan->output_tok);
}

static void arrive(struct owner *owner, uint32_t number)
{
    const struct plan *plan = &owner->scene->plans[number];
    struct request request = {.arrival = owner->now,
                              .prompt_tok = plan->prompt_tok,
                              .output_tok = plan->output_tok,
                              .handoff = plan->handoff};
    cr_assert_eq(request_pool_take(&owner->pool, &request), number);
    owner->fetched[number] = TICK_NEVER;
    if (accepted(owner->scene, plan))
        engine_submit(&owner->engines[PREFILLER], number, owner->now);
    else
        end(owner, number);
}

static void forget_transfer(struct owner *owner, uint32_t number)
{
    owner->fetched[number] = TICK_NEVER;
    if (owner->blocks[number] > 0)
        engine_release(&owner->engines[PREFILLER], owner->blocks[number], owner->now);
    owner->blocks[number] = 0;
}

static void cancel(struct owner *owner, uint32_t number)
{
    if (owner->outcomes[number].times > 0)
        return;
    struct engine *engine = &owner->engines[owner->at[number]];
    bool fetching = owner->pool.requests[number].place == PLACE_FETCHING ||
                    owner->pool.requests[number].place == PLACE_WAITING;
    if (engine_cancel(engine, number, owner->now)) {
        if (fetching)
            forget_transfer(owner, number);
        end(owner, number);
    }
}

static void take_up(struct owner *owner, int which)
{
    struct engine *engine = &owner->engines[which];
    for (uint32_t i = 0; i < engine->ended_count; i++)
        end(owner, engine->ended[i]);
    for (uint32_t i = 0; i < engine->fetch_count; i++)
        owner->fetched[engine->fetches[i]] =
            owner->now + owner->scene->plans[engine->fetches[i]].transfer;
    for (uint32_t i = 0; i < engine->handed_count; i++) {
        uint32_t number = engine->handed[i];
        struct request *request = &owner->pool.requests[number];
        cr_assert_eq(which, PREFILLER);
        cr_assert_eq(request->emitted, 1);
        owner->blocks[number] = request->held_blocks;
        owner->at[number] = DECODER;
        owner->moved++;
        request->handoff = false;
        request->remote_kv = true;
        request->last_token = request->first_token;
        engine_submit(&owner->engines[DECODER], number, owner->now);
    }
}

static tick_t earlier(tick_t a, tick_t b)
{
    return a < b ? a : b;
}

static tick_t next_time(const struct owner *owner)
{
    tick_t next = TICK_NEVER;
    for (int i = 0; i < ENGINES; i++)
        next = earlier(next, owner->engines[i].next);
    for (uint32_t i = 0; i < owner->arrived; i++) {
        next = earlier(next, owner->fetched[i]);
        if (owner->scene->plans[i].cancel > owner->now)
            next = earlier(next, owner->scene->plans[i].cancel);
    }
    if (owner->arrived < owner->scene->requests)
        next = earlier(next, owner->scene->plans[owner->arrived].arrival);
    return next;
}

/* At one tick: arrivals, cancellations, transfers, boundaries. */
static void step(struct owner *owner)
{
    while (owner->arrived < owner->scene->requests &&
           owner->scene->plans[owner->arrived].arrival == owner->now)
        arrive(owner, owner->arrived++);
    for (uint32_t i = 0; i < owner->arrived; i++)
        if (owner->scene->plans[i].cancel == owner->now)
            cancel(owner, i);
    for (uint32_t i = 0; i < owner->arrived; i++)
        if (owner->fetched[i] == owner->now) {
            forget_transfer(owner, i);
            engine_fetched(&owner->engines[DECODER], i, owner->now);
        }
    for (int i = 0; i < ENGINES; i++)
        if (owner->engines[i].next == owner->now) {
            engine_boundary(&owner->engines[i]);
            take_up(owner, i);
        }
}

static void simulate(const struct scene *scene, bool stepwise, struct histogram *itl,
                     struct owner *owner)
{
    *owner = (struct owner){.scene = scene, .now = -1};
    request_pool_init(&owner->pool);
    histogram_clear(itl);
    struct engine_config configs[ENGINES];
    for (int i = 0; i < ENGINES; i++) {
        configs[i] = scene->configs[i];
        configs[i].stepwise = stepwise;
        cr_assert(engine_init(&owner->engines[i], &configs[i], &owner->pool, itl));
    }
    while ((owner->now = next_time(owner)) != TICK_NEVER)
        step(owner);
    for (int i = 0; i < ENGINES; i++) {
        const struct engine *engine = &owner->engines[i];
        cr_assert_eq(engine->used_blocks, 0);
        cr_assert_eq(engine->held_blocks, 0);
        cr_assert_eq(engine->reserved_blocks, 0);
        cr_assert_eq(engine->incoming, 0);
        cr_assert_eq(engine->incoming_promised_tok, 0);
        cr_assert_eq(engine->decodes, 0);
        cr_assert_eq(engine->context_tok, 0);
        engine_free(&owner->engines[i]);
    }
    request_pool_free(&owner->pool);
}

static void expect_every_end(const struct scene *scene, const struct owner *owner)
{
    for (uint32_t i = 0; i < scene->requests; i++) {
        const struct outcome *outcome = &owner->outcomes[i];
        cr_assert_eq(outcome->times, 1, "request %u ended %u times", i, outcome->times);
        if (!outcome->cancelled && outcome->emitted > 0)
            cr_assert_eq(outcome->emitted, scene->plans[i].output_tok);
    }
}

Test(handover, jumping_equals_stepping, .timeout = 120)
{
    gsl_rng *rng = random_stream(7, 0, "handover");
    uint64_t moved = 0, cancelled = 0;
    for (uint32_t i = 0; i < SCENES; i++) {
        struct scene scene;
        struct owner jumped, stepped;
        struct histogram jumped_itl, stepped_itl;
        draw_scene(rng, &scene);
        simulate(&scene, false, &jumped_itl, &jumped);
        simulate(&scene, true, &stepped_itl, &stepped);
        expect_every_end(&scene, &jumped);
        for (uint32_t k = 0; k < scene.requests; k++) {
            const struct outcome *a = &jumped.outcomes[k], *b = &stepped.outcomes[k];
            cr_assert(a->ended == b->ended && a->first_token == b->first_token &&
                          a->emitted == b->emitted && a->preemptions == b->preemptions &&
                          a->cancelled == b->cancelled,
                      "scene %u, request %u: ended at %lld, stepwise %lld", i, k,
                      (long long)a->ended, (long long)b->ended);
            cancelled += a->cancelled;
        }
        cr_assert_arr_eq(&jumped_itl, &stepped_itl, sizeof jumped_itl);
        for (int e = 0; e < ENGINES; e++) {
            cr_assert_eq(jumped.engines[e].totals.peak_blocks,
                         stepped.engines[e].totals.peak_blocks);
            steptime_destroy(scene.steptimes[e]);
        }
        moved += jumped.moved;
    }
    cr_assert_gt(moved, 10 * SCENES / 2);
    cr_assert_gt(cancelled, SCENES);
    gsl_rng_free(rng);
}
