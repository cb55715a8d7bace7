/* Where the defaults come from. "m / p": median and 95th percentile in seconds; the confidence is
 * of the number as a default for GPU instances.
 *
 * Answer. A call that creates an instance returns in seconds (1.5 / 4, medium). Kubernetes' Cluster
 * Autoscaler first looks for pods without a place every 10 s (--scan-interval; 6 / 13, medium).
 *
 * Provisioning and boot, by provider. About 25 s from the call to SSH for machines of up to 32 CPUs
 * at Google, under a minute for 96 (Aboukhalil, "Move Fast and Break the Cloud", 2018, 5,000
 * machines); 1 to 2 minutes as the rule of thumb for clouds; purchase on Spot makes no difference
 * (Hao et al., "An Empirical Analysis of VM Startup Times in Public IaaS Clouds", 2021, 300,000
 * starts each at AWS and GCP). GPU images boot longer: drivers, and on machines of 8 GPUs terabytes
 * of memory and the switches' fabric manager; here twice as long. AWS 10 / 30 and 60 / 120, GCP
 * 20 / 60 and 60 / 120 (medium), Azure 60 / 150 and 75 / 180, others 60 / 300 and 60 / 240 (low).
 * With an engine's start and the weights of 7B from an object store that makes 175 s at AWS;
 * SkyServe measured 183 s from the request until a Llama-2-7B endpoint served there (Mao et al.,
 * "SkyServe", EuroSys 2025). A node of EC2's warm pool is stopped, has booted before and only
 * starts: half the boot (low). A Kubernetes node registers, pulls its daemons' images and waits for
 * the device plugin: 45 / 75 more (low; five minutes for Karpenter's whole way to a pod that runs
 * are reported).
 *
 * Image. Machine images hold the engine already; Kubernetes pulls it. An image of 15 to 20 GB takes
 * 4 to 6 minutes to pull and unpack (AWS Machine Learning Blog, SOCI on DLAMI, June 2026): 0.06
 * GB/s; vLLM's image is 10 GB (medium). Parallel pull and unpack (SOCI) or lazy loading are faster:
 * set registry_gb_s.
 *
 * Weights. Object store: 0.1 GB/s per connection (85 to 90 MB/s: S3's performance guidelines; 0.10
 * to 0.14: Run:ai Model Streamer's benchmark, 16 GB in 4.9 s with 32), 16 per GPU (the streamer's
 * default), up to 100 Gb/s per instance or its network cards. Network disk: 0.33 GB/s for vLLM's
 * loader, one reader (16 GB from gp3 in 48.0 s; 14.3 s with 16 readers: Run:ai, A10G, 2024), up to
 * 1 GB/s, gp3's highest until 2025 (it costs extra: 0.125 is what comes with the volume). Local
 * disk: 0.9 GB/s per reader and GPU (70 GB by 8 workers in 10 s: vLLM issue 19824; 16 GB in 18 s:
 * Tensorfuse, 2025), up to 2 GB/s per GPU of the instance (p4d.24xlarge: 16 GB/s over 8 disks).
 * ServerlessLLM's loader (OSDI 2024) reaches what disks give: set streams. Peer: the network
 * between nodes, per GPU. Host memory: PCIe, of which 80 % are reached (pinned copies). High for
 * the first two, medium for the others. Spread 1.3 (low).
 *
 * Warm-up: process start, imports, compilation, memory profile, CUDA graphs. 90 s at 16 GB of
 * weights, growing with their power 0.35 (as layers do with parameters), and 20 s for each doubling
 * of GPUs. It gives 90 s for 8B on one GPU (vLLM: 39 to 91 s in the engine alone on H100; 94 to 200
 * s on L40S, Tensorfuse; 176 s in "Breaking the Ice", MLSys 2026, whose finding is also that the
 * CPU matters and the GPU hardly does) and 211 s for 70B in FP8 on 8 GPUs (measured: 205 s, vLLM
 * issue 19824). With the compilation cached on the disk, as in a warm pool, half (200 to 64 s,
 * Tensorfuse). p95 1.8 times that (medium).
 *
 * Draining: connections end 300 s after a target is deregistered (AWS load balancers' default),
 * pods are killed after 30 s (terminationGracePeriodSeconds). Shutting down: 30 / 120 (low).
 *
 * Refusals: none, because the market already says what there is. */
#include "models/elastic/start_up.h"

#include <assert.h>
#include <math.h>
#include <strings.h>

#include "models/elastic/duration.h"
#include "sim/random.h"

#define BIG_INSTANCE_GPUS 8
#define PCIE_EFFICIENCY   0.8
#define RATE_MAX_GB_S     1e6
#define STREAMS_MAX       100000

/* --- Settings ------------------------------------------------------------------------------- */

const char *const start_up_kind_names[] = {"instant", "cloud", "warm_pool", "kubernetes", NULL};
const char *const weight_source_names[] = {"object_store", "network_disk", "local_disk",
                                           "peer",         "host_memory",  NULL};

#define NUMBER(type, member, text)                                                                 \
    .name = #member, .kind = CONFIG_NUMBER, .offset = offsetof(type, member), .doc = text
#define RATE(type, member, text)                                                                   \
    NUMBER(type, member, text), .min = 0, .max = RATE_MAX_GB_S, .above_min = true
#define SPREAD(type, value)                                                                        \
    {                                                                                              \
        NUMBER(type, spread, "95th percentile of the time over its median; 1: always the same"),   \
            .preset = value, .min = 1, .max = 100                                                  \
    }

static const struct config_type image_type = {
    .name = "container_image",
    .doc = "What a node pulls before its replicas can start",
    .size = sizeof(struct start_up_image),
    .fields =
        (const struct config_field[]){
            {NUMBER(struct start_up_image, gb, "size, 1e9 bytes"), .preset = "10", .min = 0,
             .max = 1e6},
            {RATE(struct start_up_image, registry_gb_s, "pulled and unpacked per second"),
             .preset = "0.06"},
            {.name = "cached",
             .kind = CONFIG_BOOL,
             .offset = offsetof(struct start_up_image, cached),
             .preset = "false",
             .doc = "the machine image holds it already, and nothing is pulled"},
            SPREAD(struct start_up_image, "1.5"),
            {0}},
};

static const struct config_type weights_type = {
    .name = "weights_source",
    .doc = "Where replicas load their weights from, and how fast",
    .size = sizeof(struct start_up_weights),
    .fields =
        (const struct config_field[]){
            {.name = "source",
             .kind = CONFIG_ENUM,
             .offset = offsetof(struct start_up_weights, source),
             .names = weight_source_names,
             .doc = "peer: the memory of a node that serves the model; host_memory: this node's"},
            {RATE(struct start_up_weights, gb_s,
                  "of one instance, shared by the replicas that load at once; null: by source and "
                  "GPU"),
             .optional = true},
            {RATE(struct start_up_weights, stream_gb_s, "of one stream alone; null: by source"),
             .optional = true},
            {.name = "streams",
             .kind = CONFIG_INT,
             .offset = offsetof(struct start_up_weights, streams),
             .doc = "per GPU, in parallel; null: 16 from an object store, 1 from a disk",
             .optional = true,
             .min = 1,
             .max = STREAMS_MAX},
            SPREAD(struct start_up_weights, "1.3"),
            {0}},
};

#define STAGE(member, text) DURATION_FIELD(#member, struct start_up_settings, member, text)
#define REFUSED(member, text)                                                                      \
    {                                                                                              \
        NUMBER(struct start_up_settings, member, text), .preset = "0", .min = 0, .max = 1          \
    }

static const struct config_field fields[] = {
    {.name = "kind",
     .kind = CONFIG_ENUM,
     .offset = offsetof(struct start_up_settings, kind),
     .names = start_up_kind_names,
     .preset = "\"cloud\"",
     .doc = "what stages take that are null: no time, a machine image with the engine, a stopped "
            "instance, or a Kubernetes node that pulls a container image"},
    STAGE(answer, "from the request for a node until it is granted or refused"),
    STAGE(provision, "from there until the instance runs"),
    STAGE(boot, "operating system and drivers"),
    STAGE(pull, "the container image; null: by `image`"),
    STAGE(load, "the weights of one replica; null: by `weights`"),
    STAGE(warm_up, "start of the engine: compilation, memory profile, CUDA graphs"),
    STAGE(shut_down, "from the order to end until the node is gone; neither billed nor waited for"),
    {.name = "image",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct start_up_settings, image),
     .object = &image_type,
     .optional = true,
     .doc = "null: 10 GB with kubernetes, else in the machine image"},
    {.name = "weights",
     .kind = CONFIG_OBJECT,
     .offset = offsetof(struct start_up_settings, weights),
     .object = &weights_type,
     .optional = true,
     .doc = "null: an object store; a network disk with warm_pool; no time with instant"},
    REFUSED(refused_on_demand, "share of requests on demand that are refused, whatever the market"),
    REFUSED(refused_spot, "share of requests on Spot that are refused, whatever the market"),
    {NUMBER(struct start_up_settings, drain_limit_s,
            "a replica that is to go has so long to finish what it runs; null: 300 s, 30 s with "
            "kubernetes, as long as it takes with instant"),
     .optional = true, .min = 0, .max = DURATION_MAX_S},
    {0}};

const struct config_type start_up_config_type = {
    .name = "start_up",
    .doc = "How long a node takes from being asked for to serving",
    .size = sizeof(struct start_up_settings),
    .fields = fields,
};

bool start_up_check(const struct start_up_settings *settings, const struct place *place,
                    struct error *error)
{
    return duration_check(&settings->answer, place, "answer", error) &&
           duration_check(&settings->provision, place, "provision", error) &&
           duration_check(&settings->boot, place, "boot", error) &&
           duration_check(&settings->pull, place, "pull", error) &&
           duration_check(&settings->load, place, "load", error) &&
           duration_check(&settings->warm_up, place, "warm_up", error) &&
           duration_check(&settings->shut_down, place, "shut_down", error);
}

/* --- Defaults of stages ----------------------------------------------------------------------- */

struct stage {
    double median_s, p95_s;
};

struct provider_times {
    const char *provider;
    struct stage provision, boot;
};

static const struct provider_times provider_times[] = {
    {"AWS", {10, 30}, {60, 120}},
    {"GCP", {20, 60}, {60, 120}},
    {"Azure", {60, 150}, {75, 180}},
    {NULL, {60, 300}, {60, 240}},
};

static const struct stage no_time = {0, 0}, cloud_answer = {1.5, 4}, kubernetes_answer = {6, 13},
                          kubernetes_join = {45, 75}, shut_down = {30, 120};

static const struct start_up_image image_default = {.gb = 10, .registry_gb_s = 0.06, .spread = 1.5};

static struct stage stage_times(struct stage stage, double factor)
{
    return (struct stage){stage.median_s * factor, stage.p95_s * factor};
}

static const struct provider_times *times_of(const char *provider)
{
    const struct provider_times *times = provider_times;
    while (times->provider && (!provider || strcasecmp(times->provider, provider) != 0))
        times++;
    return times;
}

static struct stage answer_default(int kind)
{
    if (kind == START_UP_INSTANT)
        return no_time;
    return kind == START_UP_KUBERNETES ? kubernetes_answer : cloud_answer;
}

static struct stage provision_default(int kind, const struct start_up_context *context)
{
    return kind == START_UP_INSTANT ? no_time : times_of(context->provider)->provision;
}

static double instance_gpus(const struct start_up_context *context)
{
    return (double)(context->gpus_per_replica * context->replicas_per_node) /
           (double)context->instances_per_node;
}

static struct stage boot_default(int kind, const struct start_up_context *context)
{
    if (kind == START_UP_INSTANT)
        return no_time;
    struct stage boot = times_of(context->provider)->boot;
    if (instance_gpus(context) >= BIG_INSTANCE_GPUS)
        boot = stage_times(boot, 2);
    if (kind == START_UP_WARM_POOL)
        boot = stage_times(boot, 0.5);
    if (kind == START_UP_KUBERNETES) {
        boot.median_s += kubernetes_join.median_s;
        boot.p95_s += kubernetes_join.p95_s;
    }
    return boot;
}

static struct stage pull_default(const struct start_up_settings *settings)
{
    const struct start_up_image *image = settings->image;
    if (!image && settings->kind == START_UP_KUBERNETES)
        image = &image_default;
    if (!image || image->cached)
        return no_time;
    double median_s = image->gb / image->registry_gb_s;
    return (struct stage){median_s, median_s * image->spread};
}

static struct stage warm_up_default(int kind, const struct start_up_context *context)
{
    if (kind == START_UP_INSTANT)
        return no_time;
    double median_s =
        90 * pow(context->weight_bytes / 16e9, 0.35) + 20 * log2((double)context->gpus_per_replica);
    struct stage warm_up = {median_s, 1.8 * median_s};
    return kind == START_UP_WARM_POOL ? stage_times(warm_up, 0.5) : warm_up;
}

/* What the settings say, or else the default. */
static tick_t draw_stage(const struct config_variant *set, struct stage stage, gsl_rng *rng)
{
    return set->index >= 0 ? duration_draw(set, rng)
                           : tick_from_s(duration_lognormal_s(stage.median_s, stage.p95_s, rng));
}

/* --- Loading weights -------------------------------------------------------------------------- */

/* What a source gives by default; INFINITY where only the other limits count. */
struct source_rates {
    double gb_s;        /* of one instance */
    double gpu_gb_s;    /* of one of the instance's GPUs: with each the instance can take more */
    double stream_gb_s; /* of one stream */
    double streams;     /* per GPU */
};

static const struct source_rates source_rates[] = {
    [WEIGHTS_OBJECT_STORE] = {12.5, INFINITY, 0.1, 16},
    [WEIGHTS_NETWORK_DISK] = {1, INFINITY, 0.33, 1},
    [WEIGHTS_LOCAL_DISK] = {INFINITY, 2, 0.9, 1},
    [WEIGHTS_PEER] = {INFINITY, INFINITY, INFINITY, 1},
    [WEIGHTS_HOST_MEMORY] = {INFINITY, INFINITY, INFINITY, 1},
};

static bool passes_network(int source)
{
    return source == WEIGHTS_OBJECT_STORE || source == WEIGHTS_PEER;
}

static double instance_gb_s(const struct start_up_weights *weights,
                            const struct start_up_context *context)
{
    if (!isnan(weights->gb_s))
        return weights->gb_s;
    const struct source_rates *rates = &source_rates[weights->source];
    double gpu_gb_s = rates->gpu_gb_s;
    if (passes_network(weights->source))
        gpu_gb_s = fmin(gpu_gb_s, context->gpu->node_link_gb_s);
    return fmin(rates->gb_s, gpu_gb_s * instance_gpus(context));
}

double start_up_weights_gb_s(const struct start_up_weights *weights,
                             const struct start_up_context *context, unsigned loading_at_once)
{
    assert(loading_at_once >= 1 && context->instances_per_node >= 1);
    const struct source_rates *rates = &source_rates[weights->source];
    double gpus = (double)context->gpus_per_replica / (double)context->instances_per_node;
    double streams = weights->streams == INT64_MIN ? rates->streams : (double)weights->streams;
    double stream_gb_s = isnan(weights->stream_gb_s) ? rates->stream_gb_s : weights->stream_gb_s;
    double links_gb_s = gpus * context->gpu->pcie_gb_s * PCIE_EFFICIENCY;
    double share_gb_s = instance_gb_s(weights, context) / loading_at_once;
    double of_instance = fmin(fmin(links_gb_s, gpus * streams * stream_gb_s), share_gb_s);
    return of_instance * (double)context->instances_per_node;
}

static struct start_up_weights weights_default(int kind)
{
    int source = kind == START_UP_WARM_POOL ? WEIGHTS_NETWORK_DISK : WEIGHTS_OBJECT_STORE;
    return (struct start_up_weights){source, NAN, NAN, INT64_MIN, 1.3};
}

static struct stage load_default(const struct start_up_settings *settings,
                                 const struct start_up_context *context, unsigned loading_at_once)
{
    if (!settings->weights && settings->kind == START_UP_INSTANT)
        return no_time;
    struct start_up_weights weights =
        settings->weights ? *settings->weights : weights_default(settings->kind);
    double gb_s = start_up_weights_gb_s(&weights, context, loading_at_once);
    double median_s = context->weight_bytes / (gb_s * 1e9);
    return (struct stage){median_s, median_s * weights.spread};
}

/* --- Draws ------------------------------------------------------------------------------------ */

/* A node is granted when each of its instances is. */
static bool draw_granted(const struct start_up_settings *settings,
                         const struct start_up_context *context, gsl_rng *rng)
{
    double refused = 0;
    if (context->purchase == PURCHASE_ON_DEMAND)
        refused = settings->refused_on_demand;
    else if (context->purchase == PURCHASE_SPOT)
        refused = settings->refused_spot;
    return random_open_unit(rng) < pow(1 - refused, (double)context->instances_per_node);
}

static void draw_instance(const struct start_up_settings *settings,
                          const struct start_up_context *context, gsl_rng *rng,
                          struct node_stages *stages)
{
    int kind = settings->kind;
    stages->provision = draw_stage(&settings->provision, provision_default(kind, context), rng);
    stages->boot = draw_stage(&settings->boot, boot_default(kind, context), rng);
    stages->image = draw_stage(&settings->pull, pull_default(settings), rng);
    stages->shut_down =
        draw_stage(&settings->shut_down, kind == START_UP_INSTANT ? no_time : shut_down, rng);
}

static tick_t instance_start(const struct node_stages *stages)
{
    return stages->provision + stages->boot + stages->image;
}

struct node_stages start_up_draw_node(const struct start_up_settings *settings,
                                      const struct start_up_context *context, gsl_rng *rng)
{
    struct node_stages node = {0};
    node.answer = draw_stage(&settings->answer, answer_default(settings->kind), rng);
    node.granted = draw_granted(settings, context, rng);
    for (int64_t i = 0; node.granted && i < context->instances_per_node; i++) {
        struct node_stages instance = node;
        draw_instance(settings, context, rng, &instance);
        tick_t shut = node.shut_down > instance.shut_down ? node.shut_down : instance.shut_down;
        if (i == 0 || instance_start(&instance) > instance_start(&node))
            node = instance;
        node.shut_down = shut;
    }
    return node;
}

struct replica_stages start_up_draw_replica(const struct start_up_settings *settings,
                                            const struct start_up_context *context,
                                            unsigned loading_at_once, gsl_rng *rng)
{
    struct replica_stages replica = {0};
    struct stage load = load_default(settings, context, loading_at_once);
    for (int64_t i = 0; i < context->instances_per_node; i++) {
        tick_t weights = draw_stage(&settings->load, load, rng);
        if (weights > replica.weights)
            replica.weights = weights;
    }
    replica.warm_up = draw_stage(&settings->warm_up, warm_up_default(settings->kind, context), rng);
    return replica;
}

tick_t start_up_drain_limit(const struct start_up_settings *settings)
{
    if (!isnan(settings->drain_limit_s))
        return tick_from_s(settings->drain_limit_s);
    if (settings->kind == START_UP_INSTANT)
        return TICK_NEVER;
    return tick_from_s(settings->kind == START_UP_KUBERNETES ? 30 : 300);
}
