#include "models/elastic/rebalance.h"

#include <math.h>
#include <stdio.h>

/* What a waiting request will take of a decode replica's KV cache: a guess of Dynamo's planner
 * (collect_metrics). */
#define KV_PER_WAITING 0.02

/* --- settings --- */

#define AT(member) .name = #member, .offset = offsetof(struct rebalance_settings, member)

#define SECONDS(member, text)                                                                      \
    AT(member), .kind = CONFIG_NUMBER, .doc = text, .min = 1e-6, .max = CLOCK_MAX_S
#define LOAD(member, most, text)                                                                   \
    AT(member), .kind = CONFIG_NUMBER, .doc = text, .min = 0, .max = most
#define COUNT(member, least, text)                                                                 \
    AT(member), .kind = CONFIG_INT, .doc = text, .min = least, .max = 1e6
#define POOL(member, role)                                                                         \
    AT(member), .kind = CONFIG_STRING, .optional = true,                                           \
                .doc = "name of the " role " pool; null: the only pool with that role"

/* LoadPlannerDefaults in dynamo.planner.defaults; for prefill_queue_up Dynamo's documentation says
 * 0.5, its code 5. */
static const struct config_field fields[] = {
    {SECONDS(metric_interval_s, "loads are looked at so often"), .preset = "10"},
    {SECONDS(adjustment_interval_s, "a replica may be moved so often"), .preset = "180"},
    {LOAD(prefill_queue_up, INFINITY, "prefill needs a replica: more requests wait"),
     .preset = "5"},
    {LOAD(prefill_queue_down, INFINITY, "prefill can spare one: fewer requests wait"),
     .preset = "0.2"},
    {LOAD(decode_kv_up, 1, "decode needs a replica: more of the KV cache is in use"),
     .preset = "0.9"},
    {LOAD(decode_kv_down, 1, "decode can spare one: less of the KV cache is in use"),
     .preset = "0.5"},
    {COUNT(prefill_trend_intervals, 0, "a queue that is gone in so many intervals does not count"),
     .preset = "3"},
    {COUNT(decode_grace_intervals, 0, "decode keeps a new replica for so many intervals"),
     .preset = "3"},
    {COUNT(min_replicas, 1, "replicas that each pool keeps"), .preset = "1"},
    {POOL(prefill_pool, "prefill")},
    {POOL(decode_pool, "decode")},
    {0}};

const struct config_type rebalance_settings_type = {
    .name = "rebalance",
    .doc = "Moving replicas between the prefill and the decode pool",
    .size = sizeof(struct rebalance_settings),
    .fields = fields};

static bool refuse(const char *low, const char *high, struct error *error)
{
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/%s", low);
    error_at(error, ERROR_BAD_INPUT, NULL, 0, pointer, "%s is not below %s", low, high);
    return error_hint(error, "between the two, nothing moves");
}

bool rebalance_check(const struct rebalance_settings *settings, struct error *error)
{
    if (settings->prefill_queue_down >= settings->prefill_queue_up)
        return refuse("prefill_queue_down", "prefill_queue_up", error);
    if (settings->decode_kv_down >= settings->decode_kv_up)
        return refuse("decode_kv_down", "decode_kv_up", error);
    if (settings->metric_interval_s <= settings->adjustment_interval_s)
        return true;
    error_at(error, ERROR_BAD_INPUT, NULL, 0, "/metric_interval_s",
             "loads would be looked at less often than replicas are moved");
    return error_hint(error, "at most adjustment_interval_s");
}

/* --- measuring --- */

/* An interval begins; it has no samples yet. */
static void begin(struct rebalance *rebalance, tick_t now, const struct rebalance_sample *sample)
{
    rebalance->adjustment = now + tick_from_s(rebalance->settings->adjustment_interval_s);
    rebalance->samples = 0;
    rebalance->queue_sum = rebalance->kv_sum = 0;
    rebalance->first_queue = sample->prefill_queue;
    rebalance->prefill_replicas = sample->prefill_replicas;
    rebalance->decode_replicas = sample->decode_replicas;
    rebalance->changed = false;
}

static void measure(struct rebalance *rebalance, const struct rebalance_sample *sample)
{
    rebalance->samples++;
    rebalance->queue_sum += sample->prefill_queue;
    rebalance->kv_sum += sample->decode_kv + KV_PER_WAITING * sample->decode_waiting;
    rebalance->changed |= sample->prefill_replicas != rebalance->prefill_replicas ||
                          sample->decode_replicas != rebalance->decode_replicas;
}

static void schedule(struct rebalance *rebalance, tick_t now)
{
    tick_t sample = now + tick_from_s(rebalance->settings->metric_interval_s);
    rebalance->next = sample < rebalance->adjustment ? sample : rebalance->adjustment;
}

/* --- deciding --- */

static bool queue_stays(const struct rebalance *rebalance, double queue)
{
    const struct rebalance_settings *settings = rebalance->settings;
    double growth = queue - rebalance->first_queue;
    return queue + growth * (double)settings->prefill_trend_intervals > settings->prefill_queue_up;
}

static enum rebalance_move decide(const struct rebalance *rebalance,
                                  const struct rebalance_sample *sample)
{
    const struct rebalance_settings *settings = rebalance->settings;
    double queue = rebalance->queue_sum / (double)rebalance->samples;
    double kv = rebalance->kv_sum / (double)rebalance->samples;
    if (kv < settings->decode_kv_down && sample->decode_replicas > settings->min_replicas &&
        rebalance->grace == 0 && queue > settings->prefill_queue_up &&
        queue_stays(rebalance, sample->prefill_queue))
        return MOVE_TO_PREFILL;
    if (queue < settings->prefill_queue_down && sample->prefill_replicas > settings->min_replicas &&
        kv > settings->decode_kv_up)
        return MOVE_TO_DECODE;
    return MOVE_NONE;
}

/* The adjustment that moves a replica to decode counts as the first of its grace, as in Dynamo. */
static enum rebalance_move adjust(struct rebalance *rebalance,
                                  const struct rebalance_sample *sample)
{
    if (rebalance->changed)
        return MOVE_NONE;
    enum rebalance_move move = decide(rebalance, sample);
    if (move == MOVE_TO_DECODE)
        rebalance->grace = rebalance->settings->decode_grace_intervals;
    if (rebalance->grace > 0)
        rebalance->grace--;
    return move;
}

/* --- calls --- */

void rebalance_start(struct rebalance *rebalance, const struct rebalance_settings *settings,
                     tick_t now)
{
    *rebalance = (struct rebalance){.settings = settings, .next = now};
}

tick_t rebalance_next(const struct rebalance *rebalance)
{
    return rebalance->next;
}

/* Of an interval that has begun: its end, if it is time. */
static bool is_over(const struct rebalance *rebalance, tick_t now)
{
    return rebalance->samples > 0 && now >= rebalance->adjustment;
}

/* The sample at an adjustment is the last of its interval and the first of the next. */
enum rebalance_move rebalance_step(struct rebalance *rebalance, tick_t now,
                                   const struct rebalance_sample *sample)
{
    enum rebalance_move move = MOVE_NONE;
    if (sample->moving)
        rebalance->samples = 0;
    if (rebalance->samples > 0)
        measure(rebalance, sample);
    if (is_over(rebalance, now)) {
        move = adjust(rebalance, sample);
        rebalance->samples = 0;
    }
    if (rebalance->samples == 0)
        begin(rebalance, now, sample);
    if (rebalance->samples == 0 && !sample->moving)
        measure(rebalance, sample);
    schedule(rebalance, now);
    return move;
}
