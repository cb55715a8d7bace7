/* Batch jobs whose answers are only done once they are saved (INTERRUPTION_CHECKPOINT).
 *
 * A replica keeps the answers that it has completed until its next checkpoint; then it stands still
 * for as long as that costs, and they count as completed. When its node goes, what it kept is
 * answered again from the start, elsewhere, and so is what was under way: a checkpoint holds whole
 * answers. Checkpoints come at an interval from the last one, before a node is taken with notice,
 * and as soon as there is nothing else to do. A kept answer counts as outstanding at its replica.
 *
 * The interval is the pool's, or Daly's optimum (models/elastic/checkpoint.h), M
 * being what was seen so far: node-seconds over interruptions and failures, and one more. */
#include <assert.h>
#include <math.h>

#include "models/elastic/checkpoint.h"
#include "models/fleet/elasticity_parts.h"

#define LEAST_INTERVAL_S 1.0
#define SPARE_S          1.0 /* between the last checkpoint of a node and its end */

static const struct interruption_settings *settings_of(const struct simulation *sim,
                                                       uint32_t replica)
{
    const struct elastic_settings *settings =
        sim->elastic->spec->pools[sim->pool_of[replica]].settings;
    bool keeps = settings && settings->interruption.policy == INTERRUPTION_CHECKPOINT;
    return keeps ? &settings->interruption : NULL;
}

static struct elastic_replica *replica_of(const struct simulation *sim, uint32_t replica)
{
    return &sim->elastic->replicas[replica];
}

static struct request *request_at(const struct simulation *sim, uint32_t number)
{
    return &sim->requests.requests[number];
}

/* --- when --- */

static double seen_mtbf_s(const struct simulation *sim, uint32_t pool)
{
    const struct plane_totals *totals = plane_totals_of(sim->elastic->plane, pool);
    double node_s = time_stat_mean(&totals->nodes, sim->now) * tick_to_s(sim->now);
    return node_s / (double)(totals->interruptions + totals->failures + 1);
}

static tick_t interval(const struct simulation *sim, uint32_t replica)
{
    const struct interruption_settings *settings = settings_of(sim, replica);
    double interval_s = settings->checkpoint_interval_s;
    if (isnan(interval_s))
        interval_s =
            checkpoint_daly_s(settings->checkpoint_cost_s, seen_mtbf_s(sim, sim->pool_of[replica]));
    return tick_from_s(fmax(interval_s, LEAST_INTERVAL_S));
}

static void set_timer(struct simulation *sim, uint32_t replica, tick_t when)
{
    event_queue_set(&sim->elastic->checkpoints, replica, 0, when);
    elastic_schedule(sim);
}

static void save_soon(struct simulation *sim, uint32_t replica)
{
    if (!replica_of(sim, replica)->saves)
        set_timer(sim, replica, sim->now + 1);
}

void elastic_checkpoints_begin(struct simulation *sim, uint32_t replica)
{
    if (settings_of(sim, replica))
        set_timer(sim, replica, sim->now + interval(sim, replica));
}

/* --- keeping --- */

static bool has_nothing_else(const struct elastic_replica *replica)
{
    return replica->kept_count == replica->requests;
}

bool elastic_keeps(struct simulation *sim, uint32_t number)
{
    struct request *request = request_at(sim, number);
    struct elastic_replica *replica = replica_of(sim, request->replica);
    if (!settings_of(sim, request->replica))
        return false;
    request->place = PLACE_KEPT;
    request->next = replica->kept;
    replica->kept = number;
    replica->kept_count++;
    if (has_nothing_else(replica))
        save_soon(sim, request->replica);
    return true;
}

static uint32_t take_kept(struct elastic_replica *replica)
{
    uint32_t first = replica->kept;
    replica->kept = REQUEST_NONE;
    replica->kept_count = 0;
    return first;
}

/* The last one is written as late as its cost allows. */
void elastic_heed_notice(struct simulation *sim, uint32_t replica, tick_t deadline)
{
    const struct interruption_settings *settings = settings_of(sim, replica);
    if (!settings || replica_of(sim, replica)->saves)
        return;
    tick_t last = deadline - tick_from_s(settings->checkpoint_cost_s + SPARE_S);
    set_timer(sim, replica, last > sim->now ? last : sim->now + 1);
}

/* --- saving --- */

static void stand_still(struct simulation *sim, uint32_t replica, tick_t until)
{
    struct engine *engine = &sim->engines[replica];
    if (!engine_can_extract(engine->config)) /* which cannot pause, either */
        return;
    engine_pause(engine, sim->now, until);
    replica_changed(sim, replica);
}

static void begin_saving(struct simulation *sim, uint32_t replica)
{
    double cost_s = fmin(settings_of(sim, replica)->checkpoint_cost_s, ENGINE_PAUSE_MAX_S);
    tick_t until = sim->now + tick_from_s(cost_s);
    replica_of(sim, replica)->saves = true;
    sim->elastic->result->requests.checkpoints++;
    if (until > sim->now && !has_nothing_else(replica_of(sim, replica)))
        stand_still(sim, replica, until);
    set_timer(sim, replica, until > sim->now ? until : sim->now + 1);
}

static void end_saving(struct simulation *sim, uint32_t replica)
{
    uint32_t number = take_kept(replica_of(sim, replica));
    replica_of(sim, replica)->saves = false;
    set_timer(sim, replica, sim->now + interval(sim, replica));
    while (number != REQUEST_NONE) {
        uint32_t next = request_at(sim, number)->next;
        simulation_count_completed(sim, number);
        number = next;
    }
}

/* Where nothing was kept there is nothing to save. */
static void ring(struct simulation *sim, uint32_t replica)
{
    const struct elastic_replica *of = replica_of(sim, replica);
    if (of->saves)
        end_saving(sim, replica);
    else if (!of->open && of->requests == 0)
        event_queue_remove(&sim->elastic->checkpoints, replica);
    else if (replica_of(sim, replica)->kept_count > 0)
        begin_saving(sim, replica);
    else
        set_timer(sim, replica, sim->now + interval(sim, replica));
}

tick_t elastic_next_checkpoint(const struct simulation *sim)
{
    const struct event_entry *first = event_queue_first(&sim->elastic->checkpoints);
    return first ? first->time : TICK_NEVER;
}

void elastic_act_on_checkpoints(struct simulation *sim)
{
    while (elastic_next_checkpoint(sim) <= sim->now)
        ring(sim, (uint32_t)event_queue_first(&sim->elastic->checkpoints)->actor);
}

/* --- losing --- */

void elastic_start_over(struct simulation *sim, uint32_t number)
{
    struct request *request = request_at(sim, number);
    request->first_token = request->last_token = TICK_NEVER;
    request->emitted = request->computed = 0;
}

bool elastic_starts_over(const struct simulation *sim, uint32_t replica)
{
    return settings_of(sim, replica) != NULL;
}

void elastic_lose_kept(struct simulation *sim, uint32_t replica)
{
    uint32_t number = take_kept(replica_of(sim, replica));
    replica_of(sim, replica)->saves = false;
    event_queue_remove(&sim->elastic->checkpoints, replica);
    while (number != REQUEST_NONE) {
        struct request *request = request_at(sim, number);
        uint32_t next = request->next;
        uint64_t tokens = (uint64_t)request->prompt_tok + request->output_tok;
        sim->elastic->result->requests.answered_again++;
        elastic_count_lost(sim, replica, tokens);
        elastic_start_over(sim, number);
        elastic_send_on(sim, number);
        number = next;
    }
}
