/* The engine in its limits is a queue with a known answer.
 *
 * A request of one prompt token and n output tokens takes n iterations. With iterations of fixed
 * length, one sequence at a time, that is a single server, first come, first served; with k
 * sequences, k servers and one queue; with iterations as long as the batch is large, processor
 * sharing. Service of 1 s on average is 2000 tokens, so that rounding it to tokens is harmless. */
#include <criterion/criterion.h>
#include <gsl/gsl_randist.h>
#include <math.h>

#include "models/fleet/simulation.h"
#include "sim/random.h"
#include "tests/models/arrivals.h"

enum { TOKENS_PER_S = 2000, REPLICATIONS = 12, REQUESTS = 40000 };

/* Poisson arrivals, service drawn by `service_s`; unbounded memory is not needed. */
struct poisson_source {
    struct source source;
    double rate, time_s;
    uint32_t left;
    double (*service_s)(gsl_rng *rng);
    gsl_rng *rng;
};

static enum source_status poisson_peek(struct source *source, double *time_s, struct error *error)
{
    (void)error;
    struct poisson_source *poisson = (struct poisson_source *)source;
    *time_s = poisson->time_s;
    return poisson->left > 0 ? SOURCE_READY : SOURCE_END;
}

static void poisson_take(struct source *source, struct arrival *arrival)
{
    struct poisson_source *poisson = (struct poisson_source *)source;
    double tokens = ceil(poisson->service_s(poisson->rng) * TOKENS_PER_S);
    *arrival = (struct arrival){
        .time_s = poisson->time_s, .prompt_tok = 1, .output_tok = (uint32_t)fmax(tokens, 1)};
    poisson->time_s += gsl_ran_exponential(poisson->rng, 1 / poisson->rate);
    poisson->left--;
}

static const struct source_ops poisson_ops = {
    .name = "poisson", .peek = poisson_peek, .take = poisson_take};

static double exponential_service(gsl_rng *rng)
{
    return gsl_ran_exponential(rng, 1);
}

static double fixed_service(gsl_rng *rng)
{
    (void)rng;
    return 1;
}

/* Squared coefficient of variation about 4: many short, few long. */
static double hyperexponential_service(gsl_rng *rng)
{
    return gsl_rng_uniform(rng) < 0.8873 ? gsl_ran_exponential(rng, 0.5635)
                                         : gsl_ran_exponential(rng, 4.4366);
}

struct station {
    struct steptime_given time;
    int64_t sequences; /* of a replica */
    uint32_t replicas;
    int router;  /* index of the policy */
    double load; /* of all servers together, 0..1 */
    bool no_warmup;
    double (*service_s)(gsl_rng *rng);
};

struct outcome {
    double wait_s, wait_error_s; /* mean, standard error over replications */
    double stay_s, stay_error_s;
    double least_busy; /* smallest share of the requests that a replica got, times replicas */
};

static struct simulation_result simulate_once(const struct station *station, uint64_t replication)
{
    static const struct class_rule all = CLASS_RULE_ALL("all");
    enum { POOLS_MAX = 8 };
    struct engine_config engine = {.max_sequences = station->sequences,
                                   .max_batch_tokens = 4096,
                                   .block_tok = 4096,
                                   .kv_blocks = 1000000,
                                   .max_model_tok = 1000000000,
                                   .chunked_prefill = true};
    struct steptime *steptime =
        steptime_compile_given(&station->time, station->sequences, engine.max_batch_tokens,
                               engine.kv_blocks * engine.block_tok, NULL);
    cr_assert_not_null(steptime);
    engine.steptime = steptime;
    struct pool_spec pools[POOLS_MAX];
    for (uint32_t i = 0; i < station->replicas; i++) /* a pool each: its counts are kept apart */
        pools[i] = (struct pool_spec){.name = "p", .engine = &engine, .replicas = 1, .weight = 1};
    bool shared = station->sequences > 1000;
    double servers = shared ? 1 : (double)station->sequences * station->replicas;
    struct poisson_source source = {.source = {&poisson_ops},
                                    .rate = station->load * servers,
                                    .left = REQUESTS,
                                    .service_s = station->service_s,
                                    .rng = random_stream(1, replication, "test/queueing")};
    struct router_config router = {.policy = {.index = station->router}};
    struct simulation_spec spec = {.source = &source.source,
                                   .pools = pools,
                                   .pool_count = station->replicas,
                                   .router = &router,
                                   .classes = &all,
                                   .class_count = 1,
                                   .seed = 1,
                                   .replication = replication,
                                   .horizon_s = INFINITY,
                                   .warmup_s = station->no_warmup ? 0 : 2000 / servers};
    struct simulation_result result;
    struct error error = {0};
    cr_assert(simulation_run(&spec, &result, &error), "%s", error.message);
    gsl_rng_free(source.rng);
    steptime_destroy(steptime);
    return result;
}

static struct outcome observe(const struct station *station)
{
    double wait = 0, wait2 = 0, stay = 0, stay2 = 0;
    struct outcome outcome = {.least_busy = INFINITY};
    for (uint64_t i = 0; i < REPLICATIONS; i++) {
        struct simulation_result result = simulate_once(station, i);
        double wait_s = histogram_mean_s(&result.by_class->queue);
        double stay_s = histogram_mean_s(&result.by_class->e2e);
        wait += wait_s, wait2 += wait_s * wait_s;
        stay += stay_s, stay2 += stay_s * stay_s;
        for (uint32_t pool = 0; pool < station->replicas; pool++) {
            double share = (double)result.pools[pool].completed / REQUESTS * station->replicas;
            outcome.least_busy = fmin(outcome.least_busy, share);
        }
        simulation_result_free(&result);
    }
    const double n = REPLICATIONS;
    outcome.wait_s = wait / n;
    outcome.stay_s = stay / n;
    outcome.wait_error_s = sqrt(fmax(0, wait2 / n - outcome.wait_s * outcome.wait_s) / (n - 1));
    outcome.stay_error_s = sqrt(fmax(0, stay2 / n - outcome.stay_s * outcome.stay_s) / (n - 1));
    return outcome;
}

/* Within four standard errors, and half a percent for tokens and iterations being whole. */
static void expect_mean(const char *what, double load, double actual_s, double error_s,
                        double expected_s)
{
    double tolerance_s = 4 * error_s + 0.005 * expected_s;
    cr_assert_leq(error_s, 0.1 * expected_s, "%s at load %g: too noisy to tell", what, load);
    cr_expect_float_eq(actual_s, expected_s, tolerance_s, "%s at load %g: %.4f s, theory %.4f s",
                       what, load, actual_s, expected_s);
}

static const double loads[] = {0.3, 0.5, 0.7, 0.85, 0.95};

#define FOR_LOADS(load) for (size_t i_ = 0; i_ < 5 && ((load) = loads[i_], true); i_++)

static const struct steptime_given fixed_time = {.base_s = 1.0 / TOKENS_PER_S};
static const struct steptime_given shared_time = {.per_sequence_s = 1.0 / TOKENS_PER_S,
                                                  .per_prefill_token_s = 1.0 / TOKENS_PER_S};

/* One server, first come, first served: Pollaczek and Khinchine's wait, with the squared
 * coefficient of variation of the service. */
static void expect_single_server(const char *what, double (*service_s)(gsl_rng *rng), double cv2)
{
    double load;
    FOR_LOADS(load)
    {
        struct station station = {.time = fixed_time,
                                  .sequences = 1,
                                  .replicas = 1,
                                  .load = load,
                                  .service_s = service_s};
        struct outcome outcome = observe(&station);
        expect_mean(what, load, outcome.wait_s, outcome.wait_error_s,
                    load / (1 - load) * (1 + cv2) / 2);
    }
}

Test(queueing, m_m_1)
{
    expect_single_server("M/M/1 wait", exponential_service, 1);
}

Test(queueing, m_d_1)
{
    expect_single_server("M/D/1 wait", fixed_service, 0);
}

/* Erlang's C formula: the probability of waiting with k servers and k * load erlangs. */
static double erlang_c(int servers, double load)
{
    double offered = servers * load, blocked = 1;
    for (int k = 1; k <= servers; k++)
        blocked = offered * blocked / (k + offered * blocked);
    return blocked / (1 - load * (1 - blocked));
}

Test(queueing, m_m_k)
{
    enum { SERVERS = 4 };
    double load;
    FOR_LOADS(load)
    {
        if (load < 0.4)
            continue; /* next to nobody waits */
        struct station station = {.time = fixed_time,
                                  .sequences = SERVERS,
                                  .replicas = 1,
                                  .load = load,
                                  .service_s = exponential_service};
        struct outcome outcome = observe(&station);
        double wait_s = erlang_c(SERVERS, load) / (SERVERS * (1 - load));
        /* a request joins at the end of an iteration that runs: half of one on average */
        expect_mean("M/M/4 wait", load, outcome.wait_s - 0.5 / TOKENS_PER_S, outcome.wait_error_s,
                    wait_s);
    }
}

/* Processor sharing is insensitive: the mean stay depends on the load alone. */
static void expect_sharing(const char *what, double (*service_s)(gsl_rng *rng))
{
    double load;
    FOR_LOADS(load)
    {
        struct station station = {.time = shared_time,
                                  .sequences = 4000,
                                  .replicas = 1,
                                  .load = load,
                                  .service_s = service_s};
        struct outcome outcome = observe(&station);
        expect_mean(what, load, outcome.stay_s, outcome.stay_error_s, 1 / (1 - load));
    }
}

Test(queueing, m_g_1_ps)
{
    expect_sharing("M/D/1-PS stay", fixed_service);
    expect_sharing("M/M/1-PS stay", exponential_service);
    expect_sharing("M/H2/1-PS stay", hyperexponential_service);
}

/* Little's law, to rounding: over a whole run, requests in the system on average = requests / time
 * x mean stay. Nothing is warmed up here, so that every request counts on both sides. */
Test(queueing, littles_law)
{
    struct station station = {.time = fixed_time,
                              .sequences = 3,
                              .replicas = 1,
                              .load = 0.9,
                              .no_warmup = true,
                              .service_s = hyperexponential_service};
    struct simulation_result result = simulate_once(&station, 0);
    double mean_stay_s = histogram_mean_s(&result.by_class->e2e);
    double expected = (double)result.completed / result.end_s * mean_stay_s;
    cr_assert_eq(result.completed, REQUESTS);
    cr_assert_float_eq(result.pools[0].mean_outstanding, expected, 1e-9 * expected);
    cr_assert_gt((double)result.pools[0].max_outstanding, result.pools[0].mean_outstanding);
    simulation_result_free(&result);
}

/* Random routing to four replicas is four M/M/1 queues; the least loaded one does better, never
 * better than one queue for all, and leaves no replica without work. */
Test(queueing, routing_lies_between_one_queue_and_four)
{
    enum { RANDOM = 1, LEAST_REQUESTS = 2, POWER_OF_TWO = 4, SERVERS = 4 };
    const double load = 0.8;
    struct station station = {.time = fixed_time,
                              .sequences = 1,
                              .replicas = SERVERS,
                              .load = load,
                              .service_s = exponential_service};
    double one_queue_s = erlang_c(SERVERS, load) / (SERVERS * (1 - load));
    station.router = RANDOM;
    struct outcome random = observe(&station);
    expect_mean("random routing, wait", load, random.wait_s, random.wait_error_s,
                load / (1 - load));
    station.router = LEAST_REQUESTS;
    struct outcome least = observe(&station);
    station.router = POWER_OF_TWO;
    struct outcome two = observe(&station);
    cr_expect_gt(least.wait_s, one_queue_s);
    cr_expect_lt(least.wait_s, 1.6 * one_queue_s);
    cr_expect_gt(two.wait_s, least.wait_s);
    cr_expect_lt(two.wait_s, 0.6 * random.wait_s);
    cr_expect_gt(least.least_busy, 0.8);
}
