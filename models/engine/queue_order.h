/* Who goes first of those that wait.
 *
 * fcfs is a linked list (models/engine/queues.h): first come, first served, whoever was preempted
 * before all others. Every other order keeps arrivals apart, where the list has only who was
 * preempted and goes to its head; under "priority" and in SGLang's engine, which queue those anew,
 * the list stays empty.
 *
 * shortest_prompt    fewest prompt tokens
 * shortest_output    fewest output tokens, as models/engine/output_prediction.h predicts them
 *                    (shortest job first)
 * earliest_deadline  arrival plus the deadline of the class; without one, last
 * priority           the class's priority, lower first, then order of arrival, also for those that
 *                    were preempted; and whoever is last in that order is preempted first (vLLM's
 *                    --scheduling-policy priority: vllm/v1/core/sched/request_queue.py, and
 *                    max(self.running, key=(priority, arrival_time)) in scheduler.py). As there,
 *                    nobody is preempted only to let a better one in.
 * fair               the tenant that was served least: models/engine/fair_share.h
 *
 * Ties go to the earlier arrival. All but fair are a pairing heap that links the requests' own
 * records: nothing is allocated, adding costs O(1), removing O(log n) on average. */
#ifndef TOKENYARD_MODELS_ENGINE_QUEUE_ORDER_H
#define TOKENYARD_MODELS_ENGINE_QUEUE_ORDER_H

#include <stdbool.h>
#include <stdint.h>

enum queue_order {
    ORDER_FCFS,
    ORDER_SHORTEST_PROMPT,
    ORDER_SHORTEST_OUTPUT,
    ORDER_EARLIEST_DEADLINE,
    ORDER_PRIORITY,
    ORDER_FAIR,
    ORDER_COUNT
};

extern const char *const queue_order_names[]; /* by enum queue_order; ends with NULL */

struct engine;

/* Of an engine whose order is not fcfs. */

/* A request has arrived: gives it its rank and its ticket. */
void queue_order_rank(struct engine *engine, uint32_t request);
/* It is queued as if it had just arrived. */
void queue_order_renew_ticket(struct engine *engine, uint32_t request);

void queue_order_add(struct engine *engine, uint32_t request);
void queue_order_remove(struct engine *engine, uint32_t request);
/* REQUEST_NONE when nobody waits in it. */
uint32_t queue_order_first(const struct engine *engine);

/* All that wait in it, in no particular order; returns how many. numbers: room for
 * engine->waiting. */
uint32_t queue_order_list(const struct engine *engine, uint32_t *numbers);

/* ORDER_PRIORITY: the running request that gives way first. Walks over all that run. */
uint32_t queue_order_last_running(const struct engine *engine);

#endif
