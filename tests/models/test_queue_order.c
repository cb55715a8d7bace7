/* The queue of an engine in each order, with requests that leave from the middle, against looking
 * at all of them. */
#include <criterion/criterion.h>

#include "models/engine/queues.h"
#include "sim/random.h"
#include "tests/models/engine_rules.h"

enum { REQUESTS = 64, STEPS = 4000 };

struct queue {
    struct engine engine;
    struct engine_config config;
    struct request_pool pool;
    bool waits[REQUESTS];
    uint32_t count;
};

static void set_up(struct queue *queue, enum queue_order order)
{
    *queue = (struct queue){.config = {.max_sequences = 1,
                                       .max_batch_tokens = 1,
                                       .block_tok = 16,
                                       .queue_order = order,
                                       .traits = rule_traits,
                                       .classes = RULE_CLASSES}};
    request_pool_init(&queue->pool);
    cr_assert(engine_init(&queue->engine, &queue->config, &queue->pool, NULL));
    for (int i = 0; i < REQUESTS; i++)
        request_pool_take(&queue->pool, &(struct request){0});
}

static void tear_down(struct queue *queue)
{
    engine_free(&queue->engine);
    request_pool_free(&queue->pool);
}

/* Few lengths and times, so that many tie. */
static void add(struct queue *queue, uint32_t number, gsl_rng *rng)
{
    struct request *request = &queue->pool.requests[number];
    request->arrival = (tick_t)rule_between(rng, 0, 3) << 30;
    request->prompt_tok = rule_between(rng, 1, 6);
    request->output_tok = rule_between(rng, 1, 6);
    request->class_index = rule_between(rng, 0, RULE_CLASSES - 1);
    queue_order_rank(&queue->engine, number);
    waiting_append(&queue->engine, number);
    queue->waits[number] = true;
    queue->count++;
}

static void leave(struct queue *queue, uint32_t number)
{
    waiting_remove(&queue->engine, number);
    queue->waits[number] = false;
    queue->count--;
}

static bool goes_before(const struct request *a, const struct request *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->ticket < b->ticket;
}

static uint32_t first_by_looking(const struct queue *queue)
{
    uint32_t first = REQUEST_NONE;
    for (uint32_t i = 0; i < REQUESTS; i++)
        if (queue->waits[i] && (first == REQUEST_NONE || goes_before(&queue->pool.requests[i],
                                                                     &queue->pool.requests[first])))
            first = i;
    return first;
}

Test(queue_order, the_first_is_the_first_of_all)
{
    gsl_rng *rng = random_stream(3, 0, "test/queue-order");
    for (int order = ORDER_SHORTEST_PROMPT; order < ORDER_FAIR; order++) {
        struct queue queue;
        set_up(&queue, (enum queue_order)order);
        for (int step = 0; step < STEPS; step++) {
            uint32_t number = rule_between(rng, 0, REQUESTS - 1);
            if (!queue.waits[number])
                add(&queue, number, rng);
            else if (rule_between(rng, 0, 1))
                leave(&queue, number);
            else
                leave(&queue, waiting_first(&queue.engine));
            cr_assert_eq(queue.engine.waiting, queue.count);
            cr_assert_eq(waiting_first(&queue.engine), first_by_looking(&queue));
        }
        tear_down(&queue);
    }
    gsl_rng_free(rng);
}

/* For the end of a simulation: one list, in order. */
Test(queue_order, all_can_be_lined_up)
{
    gsl_rng *rng = random_stream(4, 0, "test/queue-order");
    for (int order = ORDER_SHORTEST_PROMPT; order < ORDER_COUNT; order++) {
        struct queue queue;
        set_up(&queue, (enum queue_order)order);
        for (uint32_t i = 0; i < REQUESTS; i++)
            add(&queue, i, rng);
        engine_line_up(&queue.engine);
        uint32_t listed = 0;
        for (uint32_t i = queue.engine.queue.head; i != REQUEST_NONE;
             i = queue.pool.requests[i].next) {
            uint32_t next = queue.pool.requests[i].next;
            if (order != ORDER_FAIR && next != REQUEST_NONE)
                cr_assert(goes_before(&queue.pool.requests[i], &queue.pool.requests[next]));
            listed++;
        }
        cr_assert_eq(listed, REQUESTS);
        tear_down(&queue);
    }
    gsl_rng_free(rng);
}
