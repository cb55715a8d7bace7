/* The parameters of the routing policies, as a scenario gives them. Their field tables, with
 * bounds, defaults and what they mean, are in the policies' own files. */
#ifndef TOKENYARD_MODELS_FLEET_ROUTER_SETTINGS_H
#define TOKENYARD_MODELS_FLEET_ROUTER_SETTINGS_H

#include "sim/config.h"

/* A member "within" (or "fallback") is an index into router_within_names: a policy without
 * parameters. */
extern const char *const router_within_names[];

struct router_weighted_config {
    struct config_list shares; /* struct router_share */
    int within;
};

/* What share of a class a pool gets. Classes without any share are spread by replica count. */
struct router_share {
    const char *class_name;
    const char *pool;
    double weight;
};

extern const struct config_type router_weighted_type;

#endif
