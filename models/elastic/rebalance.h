/* Moving replicas between the prefill and the decode pool of a fleet that separates them.
 *
 * The rule is that of the load-based planner of NVIDIA Dynamo (make_adjustments in
 * examples/llm/components/planner.py): it looks at the prefill queue and at the KV caches of the
 * decode replicas every 10 s, and every 180 s adds or removes one replica of a pool whose mean lies
 * beyond a threshold, first removing, then adding, within a budget of GPUs. With a budget that is
 * used up, and that always is used, that is a move: a replica changes sides in an adjustment where
 * one pool would lose one and the other would get one.
 *
 *   to prefill   mean KV use below decode_kv_down, and mean queue above prefill_queue_up. And the
 *                queue does not go away by itself: as many requests as now, and for
 *                prefill_trend_intervals as many more as came in the last interval, are above
 *                prefill_queue_up, too.
 *   to decode    mean queue below prefill_queue_down, and mean KV use above decode_kv_up. After
 *                that, decode keeps what it has for decode_grace_intervals, until the KV cache of
 *                the new replica has filled.
 *
 * Which side wins: a pool keeps min_replicas, whatever the loads; where both pools are short, or
 * both idle, nothing moves; with replica counts that changed within the interval (others scale,
 * too) nothing moves; and while a replica is on its way nothing is measured: an interval begins
 * when it has arrived (Dynamo's planner waits for that, too).
 *
 * A plain value without memory of its own; a step costs O(1). */
#ifndef TOKENYARD_MODELS_ELASTIC_REBALANCE_H
#define TOKENYARD_MODELS_ELASTIC_REBALANCE_H

#include "sim/clock.h"
#include "sim/config.h"

struct rebalance_settings {
    double metric_interval_s, adjustment_interval_s;
    double prefill_queue_up, prefill_queue_down; /* requests */
    double decode_kv_up, decode_kv_down;         /* shares of the KV cache */
    int64_t prefill_trend_intervals, decode_grace_intervals;
    int64_t min_replicas;                   /* of each pool */
    const char *prefill_pool, *decode_pool; /* NULL: the only one of that role */
};

extern const struct config_type rebalance_settings_type;

/* Errors name their place by a JSON pointer that starts at the settings. */
bool rebalance_check(const struct rebalance_settings *settings, struct error *error);

/* The two pools as they are. */
struct rebalance_sample {
    int64_t prefill_replicas, decode_replicas; /* ready */
    bool moving;                               /* a replica is changing sides */
    double prefill_queue;                      /* requests that wait for their prefill */
    double decode_kv;                          /* mean share of the KV cache in use */
    double decode_waiting;                     /* requests that wait, per decode replica */
};

enum rebalance_move { MOVE_NONE, MOVE_TO_PREFILL, MOVE_TO_DECODE };

struct rebalance {
    const struct rebalance_settings *settings;
    tick_t next, adjustment;
    int64_t grace; /* adjustments left in which decode keeps what it has */
    /* Of this interval. */
    int64_t samples;
    int64_t prefill_replicas, decode_replicas; /* at its beginning */
    bool changed;
    double queue_sum, first_queue, kv_sum;
};

/* The settings outlive it. */
void rebalance_start(struct rebalance *rebalance, const struct rebalance_settings *settings,
                     tick_t now);

/* When it wants to be called next. */
tick_t rebalance_next(const struct rebalance *rebalance);

/* Takes a sample at that time, and says which way one replica shall move. */
enum rebalance_move rebalance_step(struct rebalance *rebalance, tick_t now,
                                   const struct rebalance_sample *sample);

#endif
