#include "analysis/run_replay.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "models/catalog_path.h"
#include "models/fleet/deployment.h"
#include "models/fleet/simulation.h"

/* --- names: "meta-llama/Llama-3.1-8B" on "RTXPRO6000" --- */

/* The longest name of the catalogue that the model's own begins with: fine-tunes and dates follow
 * it. */
static const char *find_model(const char *model, const struct config_list *names)
{
    const char *slash = strrchr(model, '/'), *own = slash ? slash + 1 : model, *best = NULL;
    for (size_t i = 0; i < names->count; i++) {
        const char *name = ((const char *const *)names->items)[i];
        if (strncasecmp(name, own, strlen(name)) == 0 && (!best || strlen(name) > strlen(best)))
            best = name;
    }
    return best;
}

/* Equal but for case, and for all that is neither letter nor digit. */
static bool same_but_punctuation(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a && !isalnum((unsigned char)*a))
            a++;
        while (*b && !isalnum((unsigned char)*b))
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
    }
}

static const struct gpu *find_gpu(const struct hardware *hardware, const char *name)
{
    for (size_t i = 0; i < hardware->gpu_count; i++)
        if (same_but_punctuation(hardware->gpus[i].name, name))
            return &hardware->gpus[i];
    return NULL;
}

/* --- the server --- */

/* What links between GPUs reached in servers whose runs were published without saying so there.
 *
 * RTXPRO6000: LLMServingSim, bench/examples/configs/Qwen3-32B.json at 9692a58, in the simulator's
 * configuration for this very server: 16 GB/s, and 20 us for each of the two steps of a ring of
 * two. The GPUs do not reach each other directly there (its later calibration, with IOMMU and ACS
 * switched off, has twice the rate). */
static const struct known_link {
    const char *gpu;
    double gb_s, latency_us;
} known_links[] = {{"RTXPRO6000", 16, 40}};

static void set_link(struct gpu *gpu, double gb_s, double latency_us)
{
    if (!isnan(gb_s)) {
        gpu->link_gb_s = gb_s;
        gpu->link_efficiency = 1;
    }
    if (!isnan(latency_us))
        gpu->link_latency_us = latency_us;
}

/* The options, else the run's own row, else what is known, else the catalogue. */
static void settle_link(struct gpu *gpu, const struct measured_server *server,
                        const struct replay_options *options)
{
    for (size_t i = 0; i < sizeof known_links / sizeof *known_links; i++)
        if (strcasecmp(server->gpu, known_links[i].gpu) == 0)
            set_link(gpu, known_links[i].gb_s, known_links[i].latency_us);
    set_link(gpu, server->link_gb_s, server->link_latency_us);
    set_link(gpu, options->link_gb_s, options->link_latency_us);
}

static struct engine_settings settings_of(const struct measured_server *server)
{
    struct engine_settings settings = engine_settings_unset;
    settings.max_num_seqs = server->max_num_seqs;
    settings.max_num_batched_tokens = server->max_num_batched_tokens;
    settings.max_model_len = server->max_model_len;
    settings.num_gpu_blocks_override = server->num_gpu_blocks;
    if (server->block_size != INT64_MIN)
        settings.block_size = server->block_size;
    if (!isnan(server->gpu_memory_utilization))
        settings.gpu_memory_utilization = server->gpu_memory_utilization;
    return settings;
}

static bool precision_of(const struct measured_server *server, enum precision *precision,
                         struct error *error)
{
    if (!server->dtype[0] || strcmp(server->dtype, "bfloat16") == 0 ||
        strcmp(server->dtype, "float16") == 0) {
        *precision = PRECISION_BF16;
        return true;
    }
    for (int i = 0; precision_names[i]; i++)
        if (strcasecmp(precision_names[i], server->dtype) == 0) {
            *precision = (enum precision)i;
            return true;
        }
    return error_set(error, ERROR_BAD_INPUT, "run %s: dtype \"%s\" is not known", server->run,
                     server->dtype);
}

struct replay_server {
    struct gpu gpu; /* of the catalogue, with the server's link */
    struct engine_settings settings;
    struct step_time_profile profile;
    struct config_variant step_time;
    struct deployment deployment;
};

static bool compile_server(struct replay_server *server, const struct measured_run *run,
                           const struct replay_options *options, struct arena *arena,
                           struct error *error)
{
    const struct measured_server *measured = run->server;
    if (measured->dp > 1)
        return error_set(error, ERROR_BAD_INPUT,
                         "run %s: %lld data-parallel ranks are not modelled", measured->run,
                         (long long)measured->dp);
    const char *catalog = catalog_path(arena, error);
    struct hardware *hardware = catalog ? hardware_read(catalog, arena, error) : NULL;
    struct config_list names;
    if (!hardware || !llm_catalog_names(catalog, arena, &names, error))
        return false;
    const struct gpu *gpu = find_gpu(hardware, measured->gpu);
    const char *model = find_model(measured->model, &names);
    if (!gpu || !model)
        return error_set(error, ERROR_BAD_INPUT, "run %s: the catalogue has no %s \"%s\"",
                         measured->run, gpu ? "model" : "GPU",
                         gpu ? measured->model : measured->gpu);
    server->gpu = *gpu;
    settle_link(&server->gpu, measured, options);
    struct deployment_request request = {.gpu = &server->gpu,
                                         .llm = llm_read(catalog, ".", model, arena, error),
                                         .tensor_parallel = measured->tp,
                                         .pipeline_parallel = 1,
                                         .kv = PRECISION_BF16,
                                         .engine = &server->settings};
    if (!request.llm || !precision_of(measured, &request.weights, error))
        return false;
    server->settings = settings_of(measured);
    if (options->profile) {
        server->profile.path = options->profile;
        server->step_time = (struct config_variant){STEP_TIME_PROFILE, &server->profile};
        request.step_time = &server->step_time;
    }
    request.calibration = calibration_read(catalog, hardware, arena, error);
    return request.calibration && deployment_compile(&request, &server->deployment, error);
}

/* --- arrivals --- */

struct run_source {
    struct source source;
    const struct measured_run *run;
    size_t next;
};

static enum source_status run_source_peek(struct source *source, double *time_s,
                                          struct error *error)
{
    (void)error;
    const struct run_source *self = (const struct run_source *)source;
    if (self->next == self->run->count)
        return SOURCE_END;
    *time_s = self->run->requests[self->next].queued_s;
    return SOURCE_READY;
}

static void run_source_take(struct source *source, struct arrival *arrival)
{
    struct run_source *self = (struct run_source *)source;
    const struct measured_request *request = &self->run->requests[self->next++];
    *arrival = (struct arrival){.time_s = request->queued_s,
                                .prompt_tok = (uint32_t)request->prompt_tok,
                                .output_tok = (uint32_t)request->output_tok,
                                .client = ARRIVAL_NO_ID,
                                .session = ARRIVAL_NO_ID};
}

static void run_source_destroy(struct source *source)
{
    (void)source;
}

static const struct source_ops run_source_ops = {.name = "measured run",
                                                 .peek = run_source_peek,
                                                 .take = run_source_take,
                                                 .destroy = run_source_destroy};

/* --- what comes of them --- */

struct collector {
    const struct measured_run *run;
    struct replay *replay;
};

static bool is_of(const struct measured_request *request, const struct request_record *record)
{
    return request->prompt_tok == record->prompt_tok && request->output_tok == record->output_tok;
}

/* The first request queued at this time or later; they are in that order. */
static size_t first_queued(const struct measured_run *run, double time_s)
{
    size_t low = 0, high = run->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (run->requests[middle].queued_s < time_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void collect(void *context, const struct request_record *record)
{
    const double tick_s = 1e-9; /* the clock's is finer */
    const struct collector *collector = context;
    const struct measured_run *run = collector->run;
    for (size_t i = first_queued(run, record->arrival_s - tick_s);
         i < run->count && run->requests[i].queued_s < record->arrival_s + tick_s; i++) {
        struct replayed_request *request = &collector->replay->requests[i];
        if (request->ended || !is_of(&run->requests[i], record))
            continue;
        *request = (struct replayed_request){.ttft_s = record->ttft_s,
                                             .tpot_s = record->tpot_s,
                                             .e2e_s = record->e2e_s,
                                             .preemptions = record->preemptions,
                                             .ended = !record->rejected && !record->timed_out};
        return;
    }
}

static bool check_all_ended(const struct measured_run *run, const struct replay *replay,
                            struct error *error)
{
    for (size_t i = 0; i < run->count; i++)
        if (!replay->requests[i].ended)
            return error_at(error, ERROR_BAD_INPUT, run->path, run->requests[i].line, NULL,
                            "the simulated server refuses this request: with %lld + %lld tokens it "
                            "does not fit",
                            (long long)run->requests[i].prompt_tok,
                            (long long)run->requests[i].output_tok);
    return true;
}

static bool simulate(const struct measured_run *run, const struct deployment *deployment,
                     struct replay *replay, struct error *error)
{
    struct run_source source = {{&run_source_ops}, run, 0};
    struct collector collector = {run, replay};
    const struct pool_spec pool = {
        .name = run->server->run, .engine = &deployment->engine, .replicas = 1, .weight = 1};
    const struct router_config router = {.policy = {.index = 0}};
    const struct class_rule all = CLASS_RULE_ALL("all");
    const struct simulation_spec spec = {.source = &source.source,
                                         .pools = &pool,
                                         .pool_count = 1,
                                         .router = &router,
                                         .classes = &all,
                                         .class_count = 1,
                                         .horizon_s = INFINITY,
                                         .observer = {.context = &collector, .request = collect}};
    struct simulation_result result;
    if (!simulation_run(&spec, &result, error))
        return false;
    replay->end_s = result.end_s;
    replay->preemptions = result.pools[0].preemptions;
    simulation_result_free(&result);
    return check_all_ended(run, replay, error);
}

static bool check_options(const struct replay_options *options, struct error *error)
{
    return (isnan(options->link_gb_s) || options->link_gb_s > 0 ||
            error_set(error, ERROR_USAGE, "--link-gb-s takes a number above 0")) &&
           (isnan(options->link_latency_us) || options->link_latency_us >= 0 ||
            error_set(error, ERROR_USAGE, "--link-latency-us takes 0 or a number above it"));
}

bool run_replay(const struct measured_run *run, const struct replay_options *options,
                struct arena *arena, struct replay *replay, struct error *error)
{
    struct replay_server *server = ARENA_NEW(arena, struct replay_server);
    if (!check_options(options, error) || !compile_server(server, run, options, arena, error))
        return false;
    bool many = run->server->tp > 1;
    *replay = (struct replay){.requests = ARENA_ARRAY(arena, run->count, struct replayed_request),
                              .gpu = server->gpu.name,
                              .model = server->deployment.llm->name,
                              .link_gb_s =
                                  many ? server->gpu.link_gb_s * server->gpu.link_efficiency : NAN,
                              .link_latency_us = many ? server->gpu.link_latency_us : NAN};
    bool done = simulate(run, &server->deployment, replay, error);
    deployment_clear(&server->deployment);
    return done;
}
