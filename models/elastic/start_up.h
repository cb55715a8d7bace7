/* How long an instance takes from being asked for to serving, stage by stage.
 *
 *     request ─► answer ─► provision ─► boot ─► image ─► weights ─► warm-up ─► ready ─► drain ─►
 * gone (granted?)  └──────── of the node ────────┘ └── of each replica ──┘
 *
 * A *node* is what is rented at once: one instance with replicas_per_node replicas, or
 * instances_per_node instances that hold one replica together; these go through their stages side
 * by side, and the slowest counts. Every stage a scenario doesn't set takes its default from the
 * kind of start-up, the provider, the GPU and the model's size; start_up.c says where those come
 * from.
 *
 * Settings are read and checked (start_up_check) once. Draws can't fail and keep no state. They
 * take from rng what they need: give each purpose a stream of its own, so that a change of one
 * setting doesn't reshuffle another pool's. All times come back in ticks, 0 or more. */
#ifndef TOKENYARD_MODELS_ELASTIC_START_UP_H
#define TOKENYARD_MODELS_ELASTIC_START_UP_H

#include <gsl/gsl_rng.h>
#include <stdbool.h>

#include "models/hardware/hardware.h"
#include "models/money/purchase_option.h"
#include "sim/clock.h"
#include "sim/config.h"
#include "workloads/place.h"

enum start_up_kind {
    START_UP_INSTANT,   /* every stage takes no time unless it is set */
    START_UP_CLOUD,     /* virtual machines from an image that has the engine */
    START_UP_WARM_POOL, /* stopped instances are started again: EC2 Auto Scaling's warm pools */
    START_UP_KUBERNETES /* a node joins a cluster, and pulls the container's image */
};

/* Where the weights come from. */
enum weight_source {
    WEIGHTS_OBJECT_STORE, /* S3 and its like, over the instance's network */
    WEIGHTS_NETWORK_DISK, /* EBS and its like */
    WEIGHTS_LOCAL_DISK,   /* NVMe of the instance */
    WEIGHTS_PEER,         /* the memory of a node that serves the model, over the network */
    WEIGHTS_HOST_MEMORY   /* the instance's own memory, over PCIe */
};

extern const char *const start_up_kind_names[], *const weight_source_names[]; /* end with NULL */

struct start_up_image {
    double gb;            /* 1e9 bytes */
    double registry_gb_s; /* pulled and unpacked */
    bool cached;          /* in the machine image: nothing is pulled */
    double spread;        /* 95th percentile of the time over its median */
};

struct start_up_weights {
    int source;  /* enum weight_source */
    double gb_s; /* of one instance, shared by the replicas that load at once; NaN: default */
    double stream_gb_s; /* of one stream alone; NaN: default */
    int64_t streams;    /* per GPU, read in parallel; INT64_MIN: default */
    double spread;      /* 95th percentile of the time over its median */
};

/* What is null (index -1, NULL, NaN) takes the default of the kind. */
struct start_up_settings {
    int kind; /* enum start_up_kind */
    /* Durations. pull and load take the place of what image and weights work out. */
    struct config_variant answer, provision, boot, pull, load, warm_up, shut_down;
    struct start_up_image *image;
    struct start_up_weights *weights;
    /* Share of the requests that are refused, besides those that the market has no capacity for. */
    double refused_on_demand, refused_spot;
    double drain_limit_s;
};

extern const struct config_type start_up_config_type; /* struct start_up_settings */

/* What the defaults depend on. */
struct start_up_context {
    const char *provider;  /* as the instance's, "AWS"; NULL or unknown: another cloud's defaults */
    const struct gpu *gpu; /* whose links the weights pass */
    double weight_bytes;   /* of the whole replica, all its GPUs together */
    int64_t gpus_per_replica;
    int64_t replicas_per_node;
    int64_t instances_per_node; /* 1, or more with one replica per node */
    enum purchase_option purchase;
};

struct node_stages {
    tick_t answer; /* until the request is granted or refused */
    bool granted;
    /* One after the other; all 0 when refused. */
    tick_t provision, boot, image;
    tick_t shut_down; /* from the order to end until the node is gone */
};

struct replica_stages {
    tick_t weights, warm_up; /* one after the other */
};

/* place: of the settings themselves. */
bool start_up_check(const struct start_up_settings *settings, const struct place *place,
                    struct error *error);

struct node_stages start_up_draw_node(const struct start_up_settings *settings,
                                      const struct start_up_context *context, gsl_rng *rng);

/* loading_at_once: replicas of one node that load their weights at the same time, this one
 * included: they share the source's rate of the instance. At least 1. */
struct replica_stages start_up_draw_replica(const struct start_up_settings *settings,
                                            const struct start_up_context *context,
                                            unsigned loading_at_once, gsl_rng *rng);

/* How long a replica that was told to go may still finish what it has; TICK_NEVER: as long as it
 * takes. */
tick_t start_up_drain_limit(const struct start_up_settings *settings);

/* 1e9 bytes/s at which one replica's weights arrive: the slowest of its links to the host, its
 * streams, and its share of the instance's rate. */
double start_up_weights_gb_s(const struct start_up_weights *weights,
                             const struct start_up_context *context, unsigned loading_at_once);

#endif
