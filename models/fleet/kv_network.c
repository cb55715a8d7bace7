#include "models/fleet/kv_network.h"

#include <math.h>
#include <stdlib.h>

#define GB 1e9

/* The node that is being filled with GPUs of one kind. */
struct filling {
    const struct gpu *gpu;
    int64_t free_gpus;
    uint32_t node, out, in; /* the node, and the links of its cards */
};

struct builder {
    struct kv_network *network;
    const struct transfer_config *config;
    struct filling *fillings; /* one for each pool so far */
    uint32_t nodes;
    bool failed;
};

static uint32_t add_link(struct builder *builder, double gb_s, double latency_s)
{
    uint32_t link =
        links_add(&builder->network->links, gb_s * GB * builder->config->efficiency, latency_s);
    builder->failed |= link == LINKS_NONE;
    return link;
}

static double latency_of(const struct builder *builder, double gpu_latency_us)
{
    double given_s = builder->config->latency_s;
    return isnan(given_s) ? gpu_latency_us * 1e-6 : given_s;
}

/* What a scenario says of a node's cards is of one that all GPUs share. */
static int64_t cards_of(const struct builder *builder, const struct gpu *gpu)
{
    if (!isnan(builder->config->node_gb_s))
        return 1;
    return gpu->nics_per_node == INT64_MIN ? gpu->gpus_per_node : gpu->nics_per_node;
}

static double node_rate(const struct builder *builder, const struct gpu *gpu)
{
    double given = builder->config->node_gb_s;
    return isnan(given) ? gpu->node_link_gb_s * (double)gpu->gpus_per_node : given;
}

static int64_t gpus_of(const struct kv_port *port)
{
    return port->tensor_parallel * port->pipeline_parallel;
}

/* Of the cache, that lie on different GPUs. */
static double parts_of(const struct kv_port *port)
{
    return (double)llm_kv_parts(port->llm, port->tensor_parallel, port->pipeline_parallel);
}

static double port_rate(const struct builder *builder, const struct kv_port *port)
{
    if (!isnan(builder->config->gb_s))
        return builder->config->gb_s;
    const struct gpu *gpu = port->gpu;
    double cards = (double)cards_of(builder, gpu), parts = parts_of(port);
    double card_rate = node_rate(builder, gpu) / cards;
    double own_cards = ceil((double)gpus_of(port) * cards / (double)gpu->gpus_per_node);
    return fmin(parts * gpu->pcie_gb_s, fmin(parts, own_cards) * card_rate);
}

/* nodes: how many stand together as one, for a replica that is larger than a node. */
static void open_node(struct builder *builder, struct filling *filling, int64_t nodes)
{
    const struct gpu *gpu = filling->gpu;
    double rate = node_rate(builder, gpu) * (double)nodes;
    filling->node = builder->nodes++;
    filling->free_gpus = gpu->gpus_per_node * nodes;
    filling->out = add_link(builder, rate, latency_of(builder, gpu->node_link_latency_us));
    filling->in = add_link(builder, rate, 0);
}

static void place_replica(struct builder *builder, struct filling *filling,
                          const struct kv_port *port, struct replica_links *replica)
{
    int64_t each = port->gpu->gpus_per_node, gpus = gpus_of(port);
    if (filling->free_gpus < gpus)
        open_node(builder, filling, (gpus + each - 1) / each);
    filling->free_gpus = gpus > each ? 0 : filling->free_gpus - gpus;
    double near_rate = parts_of(port) * port->gpu->link_gb_s;
    double far_rate = port_rate(builder, port);
    replica->node = filling->node;
    replica->node_out = filling->out;
    replica->node_in = filling->in;
    replica->near_out =
        add_link(builder, near_rate, latency_of(builder, port->gpu->link_latency_us));
    replica->near_in = add_link(builder, near_rate, 0);
    replica->far_out = add_link(builder, far_rate, 0);
    replica->far_in = add_link(builder, far_rate, 0);
}

/* The pool goes on where the last pool with its GPU stopped, if they share nodes. */
static struct filling begin_filling(const struct builder *builder, size_t pool,
                                    const struct gpu *gpu)
{
    for (size_t i = pool; builder->config->share_nodes && i-- > 0;)
        if (builder->fillings[i].gpu == gpu)
            return builder->fillings[i];
    return (struct filling){.gpu = gpu};
}

static uint32_t count_replicas(const struct kv_network_pool *pools, size_t count)
{
    uint32_t replicas = 0;
    for (size_t pool = 0; pool < count; pool++)
        replicas += pools[pool].replicas;
    return replicas;
}

bool kv_network_init(struct kv_network *network, const struct kv_network_pool *pools, size_t count,
                     const struct transfer_config *config)
{
    links_init(&network->links);
    struct builder builder = {
        .network = network, .config = config, .fillings = calloc(count, sizeof *builder.fillings)};
    network->replicas = calloc(count_replicas(pools, count), sizeof *network->replicas);
    builder.failed = !builder.fillings || !network->replicas;
    struct replica_links *next = network->replicas;
    for (size_t pool = 0; pool < count && !builder.failed; pool++) {
        struct filling *filling = &builder.fillings[pool];
        *filling = begin_filling(&builder, pool, pools[pool].port->gpu);
        for (uint32_t i = 0; i < pools[pool].replicas; i++)
            place_replica(&builder, filling, pools[pool].port, next++);
    }
    free(builder.fillings);
    return !builder.failed;
}

void kv_network_free(struct kv_network *network)
{
    links_free(&network->links);
    free(network->replicas);
}

uint32_t kv_network_send(struct kv_network *network, uint32_t from, uint32_t to, double bytes,
                         tick_t now)
{
    const struct replica_links *a = &network->replicas[from], *b = &network->replicas[to];
    const uint32_t near_path[] = {a->near_out, b->near_in};
    const uint32_t far_path[] = {a->far_out, a->node_out, b->node_in, b->far_in};
    return a->node == b->node ? links_begin(&network->links, near_path, 2, bytes, now)
                              : links_begin(&network->links, far_path, 4, bytes, now);
}
