#include "models/engine/stage_queues.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "models/engine/queues.h"
#include "models/engine/stage_graph.h"
#include "sim/event_queue.h"

#define SLOT_NONE UINT32_MAX

/* A request on its way; slots are reused. */
struct passenger {
    uint32_t request;
    uint32_t next;  /* in a stage's queue or batch, or among the free slots */
    uint8_t stages; /* of its way ... */
    uint8_t at;     /* ... and how many of them are behind it */
    bool cancelled; /* gets off where it next arrives */
    uint8_t way[STAGE_GRAPH_MAX];
};

struct line {
    uint32_t head, tail;
};

struct stage_state {
    struct line waiting, batch; /* of slots; a batch while it is worked on */
    int64_t used_blocks;
    double routed_tok; /* of prompts sent this way so far */
    tick_t link_free;  /* when its link has sent all that is on it */
};

/* Actors of the event queue: slots, then stages. A slot's event is that it arrives at the next
 * stage of its way, or after the last one at its client's side; a stage's, that its batch is
 * done. */
struct stage_queues {
    const struct stage_graph *graph;
    struct event_queue events;
    struct passenger *passengers; /* [slots] */
    struct stage_state *stages;   /* [graph->count] */
    uint32_t slots, free_slot;
    tick_t client_free; /* as link_free, of the client's side */
};

/* --- life --- */

void stage_queues_destroy(struct stage_queues *queues)
{
    if (!queues)
        return;
    event_queue_free(&queues->events);
    free(queues->passengers);
    free(queues->stages);
    free(queues);
}

struct stage_queues *stage_queues_create(const struct engine_config *config)
{
    struct stage_queues *queues = calloc(1, sizeof *queues);
    if (!queues)
        return NULL;
    queues->graph = config->graph;
    queues->slots = (uint32_t)config->max_sequences;
    queues->passengers = calloc(queues->slots, sizeof *queues->passengers);
    queues->stages = calloc(config->graph->count, sizeof *queues->stages);
    bool made = event_queue_init(&queues->events, queues->slots + config->graph->count);
    if (!made || !queues->passengers || !queues->stages) {
        stage_queues_destroy(queues);
        return NULL;
    }
    for (uint32_t i = 0; i < config->graph->count; i++)
        queues->stages[i].waiting = queues->stages[i].batch = (struct line){SLOT_NONE, SLOT_NONE};
    for (uint32_t i = 0; i < queues->slots; i++)
        queues->passengers[i].next = i + 1 < queues->slots ? i + 1 : SLOT_NONE;
    return queues;
}

/* --- lines of slots --- */

static void line_append(struct stage_queues *queues, struct line *line, uint32_t slot)
{
    queues->passengers[slot].next = SLOT_NONE;
    if (line->tail == SLOT_NONE)
        line->head = slot;
    else
        queues->passengers[line->tail].next = slot;
    line->tail = slot;
}

static struct line line_take_all(struct line *line)
{
    struct line all = *line;
    *line = (struct line){SLOT_NONE, SLOT_NONE};
    return all;
}

/* --- ways --- */

/* What a request may come to need on each stage it passes. */
static int64_t whole_blocks(const struct engine *engine, const struct request *request)
{
    return blocks_for(engine, (int64_t)request->prompt_tok + request->output_tok);
}

/* The stage that goes on from this layer, has room, and is furthest behind its share; count when
 * none has. */
static uint32_t choose_stage(const struct stage_queues *queues, int64_t layer, int64_t blocks)
{
    const struct stage_graph *graph = queues->graph;
    uint32_t best = graph->count;
    double least = INFINITY;
    for (uint32_t i = 0; i < graph->count; i++) {
        const struct graph_stage *stage = &graph->stages[i];
        double routed = queues->stages[i].routed_tok / stage->share;
        bool has_room = queues->stages[i].used_blocks + blocks <= stage->kv_blocks;
        if (stage->first_layer == layer && has_room && routed < least) {
            best = i;
            least = routed;
        }
    }
    return best;
}

static bool choose_way(const struct stage_queues *queues, struct passenger *passenger,
                       int64_t blocks)
{
    const struct stage_graph *graph = queues->graph;
    passenger->stages = passenger->at = 0;
    for (int64_t layer = 0; layer < graph->layers;) {
        uint32_t stage = choose_stage(queues, layer, blocks);
        if (stage == graph->count)
            return false;
        passenger->way[passenger->stages++] = (uint8_t)stage;
        layer = graph->stages[stage].end_layer;
    }
    return true;
}

static void take_blocks(struct engine *engine, const struct passenger *passenger, int64_t blocks)
{
    for (uint8_t i = 0; i < passenger->stages; i++)
        engine->stages->stages[passenger->way[i]].used_blocks += blocks;
    engine->used_blocks += blocks * passenger->stages;
    if (engine->used_blocks > engine->totals.peak_blocks)
        engine->totals.peak_blocks = engine->used_blocks;
}

/* --- on the way --- */

/* Requests are sent one after the other. */
static void send(struct stage_queues *queues, uint32_t slot, tick_t *link_free, tick_t latency,
                 double send_s, tick_t now)
{
    tick_t begin = *link_free > now ? *link_free : now;
    *link_free = begin + tick_from_s(send_s);
    event_queue_set(&queues->events, slot, 0, *link_free + latency);
}

/* From the client's side, which is as far from a first stage as that one is from the next. */
static void set_out(struct stage_queues *queues, uint32_t slot, int64_t tokens, tick_t now)
{
    struct passenger *passenger = &queues->passengers[slot];
    const struct graph_stage *first = &queues->graph->stages[passenger->way[0]];
    passenger->at = 0;
    send(queues, slot, &queues->client_free, first->send, (double)tokens * first->send_id_s, now);
}

/* From a stage that it has passed: to the next one, or a token to the client's side. */
static void send_on(struct stage_queues *queues, uint32_t slot, uint32_t from, int64_t tokens,
                    tick_t now)
{
    const struct graph_stage *stage = &queues->graph->stages[from];
    struct passenger *passenger = &queues->passengers[slot];
    passenger->at++;
    double send_s = passenger->at == passenger->stages ? stage->send_id_s
                                                       : (double)tokens * stage->send_token_s;
    send(queues, slot, &queues->stages[from].link_free, stage->send, send_s, now);
}

static void get_off(struct engine *engine, uint32_t slot)
{
    struct stage_queues *queues = engine->stages;
    struct passenger *passenger = &queues->passengers[slot];
    uint32_t number = passenger->request;
    take_blocks(engine, passenger, -whole_blocks(engine, request_of(engine, number)));
    running_remove(engine, number);
    engine->decodes--;
    engine->ended[engine->ended_count++] = number;
    passenger->next = queues->free_slot;
    queues->free_slot = slot;
}

/* A token is back at the client's side. last_token is that of the one before. */
static void emit(struct engine *engine, uint32_t slot)
{
    struct request *request = request_of(engine, engine->stages->passengers[slot].request);
    if (request->emitted == 0)
        request->first_token = engine->boundary;
    else if (engine->itl)
        histogram_add(engine->itl, engine->boundary - request->last_token, 1);
    request->last_token = engine->boundary;
    if (request->computed == 0)
        request->computed = (uint32_t)prefill_length(request);
    request->emitted++;
    if (request->emitted == request->output_tok)
        get_off(engine, slot);
    else
        set_out(engine->stages, slot, 1, engine->boundary);
}

static void arrive(struct engine *engine, uint32_t slot)
{
    struct stage_queues *queues = engine->stages;
    struct passenger *passenger = &queues->passengers[slot];
    if (passenger->cancelled)
        get_off(engine, slot);
    else if (passenger->at == passenger->stages)
        emit(engine, slot);
    else
        line_append(queues, &queues->stages[passenger->way[passenger->at]].waiting, slot);
}

/* Has it emitted nothing on this engine yet? */
static bool is_prompt(const struct engine *engine, const struct passenger *passenger)
{
    return request_of(engine, passenger->request)->computed == 0;
}

static void end_batch(struct engine *engine, uint32_t stage)
{
    struct stage_queues *queues = engine->stages;
    struct line batch = line_take_all(&queues->stages[stage].batch);
    for (uint32_t slot = batch.head; slot != SLOT_NONE;) {
        struct passenger *passenger = &queues->passengers[slot];
        uint32_t next = passenger->next;
        const struct request *request = request_of(engine, passenger->request);
        int64_t tokens = is_prompt(engine, passenger) ? prefill_length(request) : 1;
        send_on(queues, slot, stage, tokens, engine->boundary);
        slot = next;
    }
}

/* --- batches --- */

struct stage_batch {
    int64_t decodes, context_tok;
    int64_t prompts, prompt_tok; /* chunks are in engine->chunks */
};

/* Takes the passenger into the batch, if it has room. */
static bool batch_adds(struct engine *engine, struct stage_batch *batch,
                       const struct passenger *passenger)
{
    const struct request *request = request_of(engine, passenger->request);
    if (!is_prompt(engine, passenger)) {
        batch->decodes++;
        batch->context_tok += (int64_t)request->prompt_tok + request->emitted;
        return true;
    }
    int64_t tokens = batch->prompt_tok + prefill_length(request);
    if (batch->prompts > 0 && tokens > engine->config->max_batch_tokens)
        return false;
    engine->chunks[batch->prompts++] = (struct prefill_chunk){0, prefill_length(request)};
    batch->prompt_tok = tokens;
    return true;
}

static tick_t batch_ticks(const struct engine *engine, const struct graph_stage *stage,
                          const struct stage_batch *batch)
{
    fine_t time = steptime_mixed(stage->time, batch->decodes, batch->context_tok, engine->chunks,
                                 batch->prompts, batch->prompts);
    tick_t ticks = time >> FINE_SHIFT;
    return ticks > 0 ? ticks : 1;
}

/* A free stage takes all that wait for it, but for prompts beyond the token budget. */
static void begin_batch(struct engine *engine, uint32_t stage)
{
    struct stage_queues *queues = engine->stages;
    struct stage_state *state = &queues->stages[stage];
    if (state->batch.head != SLOT_NONE || state->waiting.head == SLOT_NONE)
        return;
    struct line all = line_take_all(&state->waiting);
    struct stage_batch batch = {0};
    for (uint32_t slot = all.head; slot != SLOT_NONE;) {
        uint32_t next = queues->passengers[slot].next;
        bool taken = batch_adds(engine, &batch, &queues->passengers[slot]);
        line_append(queues, taken ? &state->batch : &state->waiting, slot);
        slot = next;
    }
    tick_t ticks = batch_ticks(engine, &queues->graph->stages[stage], &batch);
    event_queue_set(&queues->events, queues->slots + stage, 0, engine->boundary + ticks);
    engine->totals.iterations++;
}

/* --- letting in --- */

static void let_in(struct engine *engine, uint32_t number, int64_t blocks)
{
    struct stage_queues *queues = engine->stages;
    struct request *request = request_of(engine, number);
    uint32_t slot = queues->free_slot;
    struct passenger *passenger = &queues->passengers[slot];
    queues->free_slot = passenger->next;
    passenger->request = number;
    passenger->cancelled = false;
    for (uint8_t i = 0; i < passenger->stages; i++)
        queues->stages[passenger->way[i]].routed_tok += (double)prefill_length(request);
    take_blocks(engine, passenger, blocks);
    waiting_remove(engine, number);
    running_append(engine, number);
    engine->decodes++;
    engine->totals.prefill_tok += (uint64_t)prefill_length(request);
    if (request->first_scheduled == TICK_NEVER)
        request->first_scheduled = engine->boundary;
    request->computed = 0;
    set_out(queues, slot, prefill_length(request), engine->boundary);
}

static void admit(struct engine *engine)
{
    struct stage_queues *queues = engine->stages;
    while (engine->waiting > 0 && queues->free_slot != SLOT_NONE) {
        uint32_t number = waiting_first(engine);
        int64_t blocks = whole_blocks(engine, request_of(engine, number));
        if (!choose_way(queues, &queues->passengers[queues->free_slot], blocks))
            return;
        let_in(engine, number, blocks);
    }
}

/* --- cancelling --- */

static void mark_cancelled(struct engine *engine)
{
    struct stage_queues *queues = engine->stages;
    for (uint32_t i = 0; i < engine->cancelled_count; i++)
        for (uint32_t slot = 0; slot < queues->slots; slot++)
            if (queues->passengers[slot].request == engine->cancelled[i])
                queues->passengers[slot].cancelled = true;
    engine->cancelled_count = 0;
}

/* --- the calls --- */

static void count_time(struct engine *engine)
{
    tick_t elapsed = engine->next - engine->boundary;
    if (engine->decodes > 0) {
        engine->totals.busy += elapsed;
        engine->totals.sequence_ticks += (unsigned __int128)engine->decodes * (uint64_t)elapsed;
    }
    engine->boundary = engine->next;
}

static void take_events(struct engine *engine)
{
    struct stage_queues *queues = engine->stages;
    const struct event_entry *first;
    while ((first = event_queue_first(&queues->events)) && first->time <= engine->boundary) {
        uint32_t actor = (uint32_t)first->actor;
        event_queue_remove(&queues->events, actor);
        if (actor < queues->slots)
            arrive(engine, actor);
        else
            end_batch(engine, actor - queues->slots);
    }
}

void stage_queues_boundary(struct engine *engine)
{
    struct stage_queues *queues = engine->stages;
    count_time(engine);
    mark_cancelled(engine);
    take_events(engine);
    admit(engine);
    for (uint32_t i = 0; i < queues->graph->count; i++)
        begin_batch(engine, i);
    const struct event_entry *first = event_queue_first(&queues->events);
    engine->next = first ? first->time : TICK_NEVER;
    assert(first || engine->waiting == 0);
}
