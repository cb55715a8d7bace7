#include "models/fleet/clients.h"

#include <assert.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <stdlib.h>

#include "models/fleet/simulation_parts.h"
#include "sim/random.h"
#include "workloads/lengths.h"

/* What a client knows of an attempt, by the number of its request. */
struct attempt {
    tick_t ttft_by, e2e_by; /* when its patience ends; TICK_NEVER: never */
    tick_t shed_by;         /* when the server drops it, if it has not begun */
    uint32_t session;
    uint32_t asked_tok; /* the whole answer; its user may stop earlier */
    uint32_t cached_tok;
    uint32_t retries; /* before this attempt */
    bool unsent;      /* a retry that waits */
    bool abandoned;   /* the client has given it up */
};

struct clients {
    const struct client_rule *rules; /* [class_count] */
    struct client_result *result;
    struct event_queue timers; /* by request number */
    struct attempt *attempts;  /* [timers.capacity] */
    uint32_t abandoned, unsent;
    gsl_rng *stop_rng, *backoff_rng;
};

static struct request *request_at(struct simulation *sim, uint32_t number)
{
    return &sim->requests.requests[number];
}

static struct attempt *attempt_of(const struct simulation *sim, uint32_t number)
{
    return &sim->clients->attempts[number];
}

static const struct client_rule *rule_of(const struct simulation *sim,
                                         const struct request *request)
{
    return &sim->clients->rules[request->class_index];
}

/* --- life --- */

static bool anybody_matters(const struct simulation_spec *spec)
{
    for (size_t i = 0; spec->clients && i < spec->class_count; i++)
        if (client_rule_matters(&spec->clients[i]))
            return true;
    return false;
}

bool clients_start(struct simulation *sim)
{
    const struct simulation_spec *spec = sim->spec;
    if (!anybody_matters(spec))
        return true;
    struct clients *clients = sim->clients = calloc(1, sizeof *clients);
    sim->result->clients = calloc(1, sizeof *sim->result->clients);
    if (clients && sim->result->clients) {
        clients->rules = spec->clients;
        clients->result = sim->result->clients;
        clients->stop_rng = random_stream(spec->seed, spec->replication, "clients/stop");
        clients->backoff_rng = random_stream(spec->seed, spec->replication, "clients/backoff");
        if (clients->stop_rng && clients->backoff_rng)
            return true;
    }
    return error_set(sim->error, ERROR_FAILED, "out of memory");
}

void clients_stop(struct simulation *sim)
{
    struct clients *clients = sim->clients;
    if (!clients)
        return;
    gsl_rng_free(clients->stop_rng);
    gsl_rng_free(clients->backoff_rng);
    event_queue_free(&clients->timers);
    free(clients->attempts);
    free(clients);
    sim->clients = NULL;
}

static void fail_for_memory(struct simulation *sim)
{
    error_set(sim->error, ERROR_FAILED, "out of memory with %u requests in flight",
              sim->requests.in_use);
    sim->failed = true;
}

/* Room for whatever request there is. */
static bool make_room(struct simulation *sim)
{
    struct clients *clients = sim->clients;
    uint32_t capacity = sim->requests.capacity;
    if (capacity <= clients->timers.capacity)
        return true;
    struct attempt *larger = realloc(clients->attempts, capacity * sizeof *larger);
    if (larger)
        clients->attempts = larger;
    if (larger && event_queue_grow(&clients->timers, capacity))
        return true;
    fail_for_memory(sim);
    return false;
}

/* --- timers --- */

static tick_t earlier(tick_t a, tick_t b)
{
    return a < b ? a : b;
}

/* The event of the simulation is that of the first timer. */
static void schedule(struct simulation *sim)
{
    const struct event_entry *first = event_queue_first(&sim->clients->timers);
    event_queue_set(&sim->queue, actor_clients(sim), PRIORITY_CLIENT,
                    first ? first->time : TICK_NEVER);
}

/* The next that can happen to an attempt that was sent, after `now`. */
static void set_timer(struct simulation *sim, uint32_t number)
{
    const struct attempt *attempt = attempt_of(sim, number);
    tick_t next = TICK_NEVER;
    const tick_t all[] = {attempt->ttft_by, attempt->e2e_by, attempt->shed_by};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] >= sim->now)
            next = earlier(next, all[i]);
    event_queue_set(&sim->clients->timers, number, 0, next == TICK_NEVER ? next : next + 1);
}

static tick_t after(tick_t from, double wait_s)
{
    return wait_s < CLOCK_MAX_S ? from + tick_from_s(wait_s) : TICK_NEVER; /* NaN: never */
}

/* An answer takes its way back before its client has it. */
static tick_t patience_ends(const struct simulation *sim, const struct request *request,
                            double timeout_s)
{
    tick_t ends = after(sim->now, timeout_s);
    tick_t overhead = sim->configs[sim->pool_of[request->replica]].request_overhead;
    if (ends == TICK_NEVER)
        return ends;
    return ends - overhead > sim->now ? ends - overhead : sim->now;
}

/* --- sending --- */

/* Watches over an attempt that was sent at `now`. */
static void follow(struct simulation *sim, uint32_t number, struct attempt attempt)
{
    const struct request *request = request_at(sim, number);
    const struct client_rule *rule = rule_of(sim, request);
    attempt.ttft_by = attempt.e2e_by = attempt.shed_by = TICK_NEVER;
    if (rule->settings) {
        attempt.ttft_by = patience_ends(sim, request, rule->settings->ttft_timeout_s);
        attempt.e2e_by = patience_ends(sim, request, rule->settings->e2e_timeout_s);
    }
    tick_t shed_by = after(request->arrival, rule->shed_after_s);
    attempt.shed_by = shed_by < sim->now ? sim->now : shed_by;
    if (!make_room(sim))
        return;
    *attempt_of(sim, number) = attempt;
    set_timer(sim, number);
    schedule(sim);
}

static void send(struct simulation *sim, struct request *request, const struct arrival *arrival,
                 const struct attempt *attempt)
{
    uint32_t number = simulation_route(sim, request, arrival, attempt->asked_tok);
    if (number != REQUEST_NONE)
        follow(sim, number, *attempt);
}

/* How much of the answer the user will read. */
static uint32_t draw_output(struct simulation *sim, const struct request *request)
{
    const struct client_rule *rule = rule_of(sim, request);
    if (!rule->stop_after_tok)
        return request->output_tok;
    bool stops = gsl_rng_uniform(sim->clients->stop_rng) < rule->settings->stop_share;
    double read_tok =
        inverse_cdf_at(rule->stop_after_tok, random_open_unit(sim->clients->stop_rng));
    uint32_t stop_tok = length_round(read_tok);
    return stops && stop_tok < request->output_tok ? stop_tok : request->output_tok;
}

void clients_arrive(struct simulation *sim, struct request *request, const struct arrival *arrival)
{
    struct attempt attempt = {.session = arrival->session,
                              .asked_tok = request->output_tok,
                              .cached_tok = request->cached_tok};
    request->output_tok = draw_output(sim, request);
    send(sim, request, arrival, &attempt);
}

/* --- trying again --- */

static double backoff_s(struct simulation *sim, const struct client_settings *settings,
                        uint32_t retries)
{
    double wait_s = fmin(ldexp(settings->backoff_s, (int)retries), settings->backoff_max_s);
    return wait_s * (1 - settings->backoff_jitter * gsl_rng_uniform(sim->clients->backoff_rng));
}

/* The same request once more, as it was when it arrived. */
static struct request renewed(const struct simulation *sim, uint32_t number)
{
    const struct request *old = &sim->requests.requests[number];
    return (struct request){.arrival = old->arrival,
                            .prompt_tok = old->prompt_tok,
                            .output_tok = old->output_tok,
                            .predicted_tok = old->predicted_tok,
                            .cached_tok = attempt_of(sim, number)->cached_tok,
                            .class_index = old->class_index,
                            .stream = old->stream,
                            .client = old->client,
                            .session = old->session,
                            .prefix = old->prefix};
}

static void try_again_later(struct simulation *sim, uint32_t number)
{
    struct clients *clients = sim->clients;
    struct request again = renewed(sim, number);
    struct attempt attempt = *attempt_of(sim, number);
    again.prefix = sharing_again(sim, again.prefix);
    const struct client_settings *settings = rule_of(sim, &again)->settings;
    double wait_s = backoff_s(sim, settings, attempt.retries);
    uint32_t retry = request_pool_take(&sim->requests, &again);
    if (retry == REQUEST_NONE)
        fail_for_memory(sim);
    if (sim->failed || !make_room(sim))
        return;
    attempt.retries++;
    attempt.unsent = true;
    attempt.abandoned = false;
    *attempt_of(sim, retry) = attempt;
    clients->unsent++;
    event_queue_set(&clients->timers, retry, 0, after(sim->now + 1, wait_s));
}

static void send_again(struct simulation *sim, uint32_t number)
{
    struct clients *clients = sim->clients;
    struct request request = renewed(sim, number);
    struct attempt attempt = *attempt_of(sim, number);
    struct arrival arrival = {.session = attempt.session};
    event_queue_remove(&clients->timers, number);
    request_pool_give_back(&sim->requests, number);
    clients->unsent--;
    clients->result->retries++;
    attempt.unsent = false;
    send(sim, &request, &arrival, &attempt);
}

/* --- giving up --- */

/* What the engine computed of it. Tokens that a preemption lost are not counted. */
static void count_waste(struct simulation *sim, const struct request *request)
{
    struct client_result *result = sim->clients->result;
    uint32_t had_tok = request->emitted > 0 ? request->prompt_tok : request->computed;
    result->wasted_prompt_tok += had_tok > request->cached_tok ? had_tok - request->cached_tok : 0;
    result->wasted_output_tok += request->emitted;
}

/* An abandoned attempt is out of its engine. */
static void forget(struct simulation *sim, uint32_t number)
{
    const struct request *request = request_at(sim, number);
    count_waste(sim, request);
    sim->result->pools[sim->pool_of[request->replica]].cancelled++;
    sim->clients->abandoned--;
    simulation_let_go(sim, number);
}

/* The request ends here: nobody has an answer. */
static void end_timed_out(struct simulation *sim, uint32_t number)
{
    const struct request *request = request_at(sim, number);
    sim->clients->result->timed_out++;
    if (request->arrival >= sim->warmup)
        measure_timed_out(sim, request);
    if (sim->spec->observer.request)
        observe_request(sim, request, NULL, OUTCOME_TIMED_OUT);
    simulation_answer_client(sim, request, 0, tick_to_s(sim->now));
}

static void give_up(struct simulation *sim, uint32_t number)
{
    struct clients *clients = sim->clients;
    const struct client_settings *settings = rule_of(sim, request_at(sim, number))->settings;
    clients->result->timeouts++;
    if (attempt_of(sim, number)->retries < settings->retries)
        try_again_later(sim, number);
    else
        end_timed_out(sim, number);
    if (sim->failed)
        return;
    attempt_of(sim, number)->abandoned = true;
    clients->abandoned++;
    event_queue_remove(&clients->timers, number);
    if (settings->cancel_on_timeout && simulation_cancel(sim, number))
        forget(sim, number);
}

void clients_refused(struct simulation *sim, uint32_t number)
{
    if (attempt_of(sim, number)->abandoned) {
        forget(sim, number);
        return;
    }
    event_queue_remove(&sim->clients->timers, number);
    simulation_refuse(sim, number);
    schedule(sim);
}

void clients_lost(struct simulation *sim, uint32_t number)
{
    const struct client_settings *settings = rule_of(sim, request_at(sim, number))->settings;
    event_queue_remove(&sim->clients->timers, number);
    if (!settings || attempt_of(sim, number)->retries >= settings->retries) {
        simulation_refuse(sim, number);
    } else {
        try_again_later(sim, number);
        sim->result->pools[sim->pool_of[request_at(sim, number)->replica]].cancelled++;
        simulation_let_go(sim, number);
    }
    schedule(sim);
}

/* --- shedding --- */

static bool has_not_begun(const struct request *request)
{
    return (request->place == PLACE_WAITING || request->place == PLACE_HELD) &&
           request->first_scheduled == TICK_NEVER;
}

static void shed(struct simulation *sim, uint32_t number)
{
    struct clients *clients = sim->clients;
    bool out = simulation_cancel(sim, number);
    assert(out && "it waits");
    (void)out;
    clients->result->shed++;
    event_queue_remove(&clients->timers, number);
    simulation_refuse(sim, number);
}

/* --- events --- */

/* Has its client seen a token? */
static bool has_answered(const struct request *request)
{
    return request->emitted > 0 && request->first_token != TICK_NEVER;
}

static void timer_rings(struct simulation *sim, uint32_t number)
{
    const struct attempt *attempt = attempt_of(sim, number);
    const struct request *request = request_at(sim, number);
    if (attempt->unsent)
        send_again(sim, number);
    else if (attempt->e2e_by < sim->now || (attempt->ttft_by < sim->now && !has_answered(request)))
        give_up(sim, number);
    else if (attempt->shed_by < sim->now && has_not_begun(request))
        shed(sim, number);
    else
        set_timer(sim, number);
}

void clients_event(struct simulation *sim)
{
    const struct event_entry *first;
    while (!sim->failed && (first = event_queue_first(&sim->clients->timers)) &&
           first->time <= sim->now)
        timer_rings(sim, (uint32_t)first->actor);
    schedule(sim);
}

static void end_stopped(struct simulation *sim, uint32_t number)
{
    const struct request *request = request_at(sim, number);
    uint32_t pool = sim->pool_of[request->replica];
    tick_t overhead = sim->configs[pool].request_overhead;
    struct latencies latencies = latencies_of(request, overhead);
    sim->clients->result->stopped++;
    sim->clients->result->stopped_output_tok += request->output_tok;
    sim->result->pools[pool].cancelled++;
    if (request->arrival >= sim->warmup)
        measure_stopped(sim, request, &latencies);
    if (sim->spec->observer.request)
        observe_request(sim, request, &latencies, OUTCOME_STOPPED);
    if (sim->elastic)
        elastic_completed(sim, request, &latencies);
    simulation_answer_client(sim, request, request->output_tok, tick_to_s(sim->now + overhead));
    simulation_let_go(sim, number);
}

bool clients_ended(struct simulation *sim, uint32_t number)
{
    const struct attempt *attempt = attempt_of(sim, number);
    if (attempt->abandoned) {
        forget(sim, number);
        return true;
    }
    event_queue_remove(&sim->clients->timers, number);
    schedule(sim);
    if (request_at(sim, number)->output_tok == attempt->asked_tok)
        return false;
    end_stopped(sim, number);
    return true;
}

void clients_renamed(struct simulation *sim, uint32_t from, uint32_t to)
{
    if (!make_room(sim))
        return;
    event_queue_remove(&sim->clients->timers, from);
    *attempt_of(sim, to) = *attempt_of(sim, from);
    if (!attempt_of(sim, to)->abandoned)
        set_timer(sim, to);
    schedule(sim);
}

void clients_moved(struct simulation *sim, uint32_t number)
{
    const struct client_settings *settings = rule_of(sim, request_at(sim, number))->settings;
    if (attempt_of(sim, number)->abandoned && settings->cancel_on_timeout &&
        simulation_cancel(sim, number))
        forget(sim, number);
}

/* --- at the end --- */

bool clients_abandoned(const struct simulation *sim, uint32_t number)
{
    return attempt_of(sim, number)->abandoned;
}

uint32_t clients_abandoned_count(const struct simulation *sim)
{
    return sim->clients->abandoned;
}

uint32_t clients_unsent_count(const struct simulation *sim)
{
    return sim->clients->unsent;
}

void clients_judge_unsent(struct simulation *sim)
{
    const struct event_queue *timers = &sim->clients->timers;
    for (uint32_t i = 0; i < timers->count; i++) {
        uint32_t number = (uint32_t)timers->heap[i].actor;
        if (attempt_of(sim, number)->unsent)
            judge_in_flight(sim, request_at(sim, number));
    }
}
