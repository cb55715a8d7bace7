#include "models/elastic/elastic_settings.h"

#include "models/elastic/scaler.h"

#define INTERRUPTION(member) offsetof(struct interruption_settings, member)
#define ELASTIC(member)      offsetof(struct elastic_settings, member)

const char *const interruption_policy_names[] = {"drain", "requeue",    "migrate", "ignore",
                                                 "lose",  "checkpoint", NULL};

static const struct config_field interruption_fields[] = {
    {.name = "policy",
     .kind = CONFIG_ENUM,
     .offset = INTERRUPTION(policy),
     .names = interruption_policy_names,
     .preset = "\"drain\"",
     .doc = "what becomes of requests whose node is taken: finished while there is time, sent "
            "elsewhere at once, moved with their KV cache, left until the end, lost to the client, "
            "or computed again from the last checkpoint of a batch job"},
    {.name = "checkpoint_interval_s",
     .kind = CONFIG_NUMBER,
     .offset = INTERRUPTION(checkpoint_interval_s),
     .optional = true,
     .min = 0,
     .max = 1e7,
     .above_min = true,
     .doc = "time between two checkpoints; null: Daly's optimum for the pool's rate of "
            "interruptions"},
    {.name = "checkpoint_cost_s",
     .kind = CONFIG_NUMBER,
     .offset = INTERRUPTION(checkpoint_cost_s),
     .preset = "1",
     .min = 0,
     .max = 1e5,
     .doc = "time that a replica stands still for a checkpoint"},
    {.name = "migration_gb_s",
     .kind = CONFIG_NUMBER,
     .offset = INTERRUPTION(migration_gb_s),
     .optional = true,
     .min = 0,
     .max = 1e6,
     .above_min = true,
     .doc = "rate at which a replica's KV cache leaves its node, 1e9 bytes/s; null: that of the "
            "GPU's network"},
    {0}};

static const struct config_type interruption_type = {
    .name = "interruption",
    .doc = "What becomes of requests whose node is taken or fails",
    .size = sizeof(struct interruption_settings),
    .fields = interruption_fields};

static const struct config_field market_name = {
    .name = "market", .kind = CONFIG_STRING, .doc = "name of one of the scenario's markets"};

static const struct config_field elastic_fields[] = {
    {.name = "min_replicas",
     .kind = CONFIG_INT,
     .offset = ELASTIC(min_replicas),
     .preset = "1",
     .min = 0,
     .max = 100000,
     .doc = "the scaler never goes below"},
    {.name = "max_replicas",
     .kind = CONFIG_INT,
     .offset = ELASTIC(max_replicas),
     .preset = "10",
     .min = 1,
     .max = 100000,
     .doc = "the scaler never goes above; over-provisioned ones are not counted"},
    {.name = "scaler",
     .kind = CONFIG_VARIANT,
     .offset = ELASTIC(scaler),
     .variants = scaler_policies,
     .selector = "policy",
     .preset = "\"fixed\"",
     .doc = "how many replicas are wanted"},
    {.name = "markets",
     .kind = CONFIG_LIST,
     .offset = ELASTIC(markets),
     .element = &market_name,
     .preset = "[]",
     .max = 1000,
     .doc = "where its nodes are rented; empty: on demand at the pool's price, without limit"},
    {.name = "purchase",
     .kind = CONFIG_OBJECT,
     .offset = ELASTIC(purchase),
     .object = &purchase_settings_type,
     .preset = "{}",
     .doc = "how many of them on Spot, and where"},
    {.name = "start_up",
     .kind = CONFIG_OBJECT,
     .offset = ELASTIC(start_up),
     .object = &start_up_config_type,
     .preset = "{}",
     .doc = "how long a node and a replica take to be ready"},
    {.name = "interruption",
     .kind = CONFIG_OBJECT,
     .offset = ELASTIC(interruption),
     .object = &interruption_type,
     .preset = "{}",
     .doc = "what becomes of requests whose node is taken or fails"},
    {.name = "failures",
     .kind = CONFIG_OBJECT,
     .offset = ELASTIC(failures),
     .object = &failure_config_type,
     .optional = true,
     .doc = "nodes that break; null: none do"},
    {.name = "billing_minimum_s",
     .kind = CONFIG_NUMBER,
     .offset = ELASTIC(billing_minimum_s),
     .preset = "60",
     .min = 0,
     .max = 1e6,
     .doc = "a node is paid for at least so long: what the budget counts on (AWS: 60 s)"},
    {.name = "billing_granularity_s",
     .kind = CONFIG_NUMBER,
     .offset = ELASTIC(billing_granularity_s),
     .preset = "1",
     .min = 0,
     .max = 86400,
     .doc = "and in whole steps of this length (AWS: 1 s)"},
    {0}};

const struct config_type elastic_config_type = {.name = "elastic",
                                                .doc = "Replicas that come and go",
                                                .size = sizeof(struct elastic_settings),
                                                .fields = elastic_fields};
