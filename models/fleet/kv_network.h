/* Where replicas stand, and the links that KV caches take from one to another.
 *
 * Replicas fill nodes of gpus_per_node GPUs in order; one that is larger than a node has nodes of
 * its own. A cache takes, to a replica of the same node, both replicas' ports on the node's own
 * links (NVLink, or PCIe where there is none); to another node, the sender's port on the network,
 * its node's cards, the receiver's node's cards and the receiver's port. The cards of a node are
 * shared by its replicas. A port is as fast as the GPUs that hold different parts of the cache are
 * together: each goes over its PCIe link and the card it is on. Cards that some, not all, GPUs of a
 * node share count as one that all share. */
#ifndef TOKENYARD_MODELS_FLEET_KV_NETWORK_H
#define TOKENYARD_MODELS_FLEET_KV_NETWORK_H

#include <stddef.h>

#include "models/fleet/disaggregation.h"
#include "models/fleet/links.h"

/* The links of one replica, by number. */
struct replica_links {
    uint32_t node; /* replicas with the same one have it together */
    uint32_t near_out, near_in, far_out, far_in;
    uint32_t node_out, node_in;
};

struct kv_network {
    struct links links;
    struct replica_links *replicas;
};

/* Replicas of one pool. */
struct kv_network_pool {
    const struct kv_port *port;
    uint32_t replicas;
};

/* false when out of memory. */
bool kv_network_init(struct kv_network *network, const struct kv_network_pool *pools, size_t count,
                     const struct transfer_config *config);
void kv_network_free(struct kv_network *network);

/* Begins a flow between two different replicas, numbered pool by pool. LINKS_NONE when out of
 * memory. */
uint32_t kv_network_send(struct kv_network *network, uint32_t from, uint32_t to, double bytes,
                         tick_t now);

#endif
