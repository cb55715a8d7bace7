/* The heap: request->child is a request's first child, next its next sibling, previous its left
 * sibling, or its parent where it is the first child. Nobody goes before its parent.
 * Fredman et al., "The pairing heap", Algorithmica 1 (1986); removing merges in two passes. */
#include "models/engine/queue_order.h"

#include "models/engine/fair_share.h"
#include "models/engine/queues.h"

const char *const queue_order_names[] = {[ORDER_FCFS] = "fcfs",
                                         [ORDER_SHORTEST_PROMPT] = "shortest_prompt",
                                         [ORDER_SHORTEST_OUTPUT] = "shortest_output",
                                         [ORDER_EARLIEST_DEADLINE] = "earliest_deadline",
                                         [ORDER_PRIORITY] = "priority",
                                         [ORDER_FAIR] = "fair",
                                         NULL};

/* --- ranks --- */

static int64_t deadline_of(const struct engine *engine, const struct request *request)
{
    const struct class_traits *traits = engine->config->traits;
    tick_t after = traits ? traits[request->class_index].deadline : TICK_NEVER;
    return after == TICK_NEVER ? TICK_NEVER : request->arrival + after;
}

static int64_t rank_of(const struct engine *engine, const struct request *request)
{
    const struct engine_config *config = engine->config;
    switch (config->queue_order) {
    case ORDER_SHORTEST_PROMPT:
        return request->prompt_tok;
    case ORDER_SHORTEST_OUTPUT:
        return output_predict(&config->output_prediction, request);
    case ORDER_EARLIEST_DEADLINE:
        return deadline_of(engine, request);
    case ORDER_PRIORITY:
        return config->traits ? config->traits[request->class_index].priority : 0;
    default:
        return 0;
    }
}

/* Tickets are numbers of arrival, which may wrap around. */
static bool goes_before(const struct request *a, const struct request *b)
{
    return a->rank != b->rank ? a->rank < b->rank : (int32_t)(a->ticket - b->ticket) < 0;
}

/* --- the heap --- */

/* One heap of two, each a root without siblings or REQUEST_NONE. */
static uint32_t meld(struct request *requests, uint32_t a, uint32_t b)
{
    if (a == REQUEST_NONE || b == REQUEST_NONE)
        return a == REQUEST_NONE ? b : a;
    uint32_t first = goes_before(&requests[b], &requests[a]) ? b : a;
    uint32_t second = first == a ? b : a;
    uint32_t sibling = requests[first].child;
    requests[second].next = sibling;
    requests[second].previous = first;
    if (sibling != REQUEST_NONE)
        requests[sibling].previous = second;
    requests[first].child = second;
    return first;
}

/* Takes the first of a list of siblings out of it. */
static uint32_t take_sibling(struct request *requests, uint32_t *list)
{
    uint32_t taken = *list;
    if (taken == REQUEST_NONE)
        return REQUEST_NONE;
    *list = requests[taken].next;
    requests[taken].next = REQUEST_NONE;
    return taken;
}

/* One heap of a list of siblings. */
static uint32_t meld_siblings(struct request *requests, uint32_t list)
{
    uint32_t pairs = REQUEST_NONE, root = REQUEST_NONE;
    while (list != REQUEST_NONE) {
        uint32_t a = take_sibling(requests, &list);
        uint32_t pair = meld(requests, a, take_sibling(requests, &list));
        requests[pair].next = pairs;
        pairs = pair;
    }
    while (pairs != REQUEST_NONE)
        root = meld(requests, root, take_sibling(requests, &pairs));
    if (root != REQUEST_NONE)
        requests[root].previous = REQUEST_NONE;
    return root;
}

static void heap_add(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    request->child = request->next = request->previous = REQUEST_NONE;
    engine->ordered = meld(engine->pool->requests, engine->ordered, number);
}

static void cut_out(struct request *requests, uint32_t number)
{
    uint32_t before = requests[number].previous, after = requests[number].next;
    if (requests[before].child == number)
        requests[before].child = after;
    else
        requests[before].next = after;
    if (after != REQUEST_NONE)
        requests[after].previous = before;
}

static void heap_remove(struct engine *engine, uint32_t number)
{
    struct request *requests = engine->pool->requests;
    uint32_t below = meld_siblings(requests, requests[number].child);
    if (number == engine->ordered) {
        engine->ordered = below;
    } else {
        cut_out(requests, number);
        engine->ordered = meld(requests, engine->ordered, below);
    }
}

/* --- the order --- */

void queue_order_renew_ticket(struct engine *engine, uint32_t number)
{
    request_of(engine, number)->ticket = engine->next_ticket++;
}

void queue_order_rank(struct engine *engine, uint32_t number)
{
    struct request *request = request_of(engine, number);
    request->rank = rank_of(engine, request);
    queue_order_renew_ticket(engine, number);
}

void queue_order_add(struct engine *engine, uint32_t number)
{
    request_of(engine, number)->in_order = true;
    if (engine->fair)
        fair_share_add(engine, number);
    else
        heap_add(engine, number);
}

void queue_order_remove(struct engine *engine, uint32_t number)
{
    request_of(engine, number)->in_order = false;
    if (engine->fair)
        fair_share_remove(engine, number);
    else
        heap_remove(engine, number);
}

uint32_t queue_order_first(const struct engine *engine)
{
    return engine->fair ? fair_share_first(engine) : engine->ordered;
}

/* The list of those that were found is the queue of those whose children are still to be found. */
static uint32_t heap_list(const struct engine *engine, uint32_t *numbers)
{
    uint32_t count = 0;
    if (engine->ordered != REQUEST_NONE)
        numbers[count++] = engine->ordered;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t child = request_of(engine, numbers[i])->child; child != REQUEST_NONE;
             child = request_of(engine, child)->next)
            numbers[count++] = child;
    return count;
}

uint32_t queue_order_list(const struct engine *engine, uint32_t *numbers)
{
    return engine->fair ? fair_share_list(engine, numbers) : heap_list(engine, numbers);
}

uint32_t queue_order_last_running(const struct engine *engine)
{
    uint32_t last = engine->running.head;
    for (uint32_t i = last; i != REQUEST_NONE; i = request_of(engine, i)->next)
        if (goes_before(request_of(engine, last), request_of(engine, i)))
            last = i;
    return last;
}
