#include <math.h>

#include "models/elastic/market_spec.h"
#include "workloads/capacity_trace.h"
#include "workloads/lifetimes.h"

#define NODES_MAX        1e6
#define USD_PER_HOUR_MAX 1e6
#define SCALE_MIN        1e-3
#define SCALE_MAX        1e6

static const char *const after_end_names[] = {"error", "hold", "repeat", NULL};

#define MEMBER(of, member)      .name = #member, .offset = offsetof(struct of, member)
#define TEXT(of, member, text)  MEMBER(of, member), .kind = CONFIG_STRING, .doc = text
#define COUNT(of, member, text) MEMBER(of, member), .kind = CONFIG_INT, .doc = text
#define NUMBER(of, member, low, high, text)                                                        \
    MEMBER(of, member), .kind = CONFIG_NUMBER, .min = low, .max = high, .doc = text
#define SHARE(of, member, text)   NUMBER(of, member, 0, 1, text)
#define SECONDS(of, member, text) NUMBER(of, member, 0, CLOCK_MAX_S, text)

/* Of a record: where in it time 0 lies, and what follows its end. */
#define FROM_S(of)                                                                                 \
    {                                                                                              \
        SECONDS(                                                                                   \
            of, from_s,                                                                            \
            "point of the record at which the run begins; null: at its first row, and a price "    \
            "record where that of the capacity begins"),                                           \
            .optional = true                                                                       \
    }
#define FROM_UTC(of)                                                                               \
    {                                                                                              \
        TEXT(of, from_utc,                                                                         \
             "the same as a date, of a record that has dates; from_s then counts from "            \
             "there"),                                                                             \
            .optional = true                                                                       \
    }
#define AFTER_END(of, by_default)                                                                  \
    {                                                                                              \
        MEMBER(of, after_end), .kind = CONFIG_ENUM, .names = after_end_names,                      \
                               .preset = by_default,                                               \
                               .doc = "a run longer than the record is an error, holds the last "  \
                                      "value, or repeats the record"                               \
    }

/* --- capacity --- */

static const struct config_field fixed_capacity_fields[] = {
    {COUNT(capacity_fixed, nodes, "Spot nodes that can be held at once"), .max = NODES_MAX}, {0}};

static const struct config_type fixed_capacity_type = {.name = "market_capacity_fixed",
                                                       .doc = "So many Spot nodes, always",
                                                       .size = sizeof(struct capacity_fixed),
                                                       .fields = fixed_capacity_fields};

static const struct config_field recorded_capacity_fields[] = {
    {TEXT(capacity_recorded, path, "file; relative to the scenario's folder")},
    {MEMBER(capacity_recorded, format), .kind = CONFIG_ENUM, .names = capacity_format_names,
     .preset = "\"auto\"",
     .doc = "columns (offset_s or time_utc, and a count per zone), events (time_ms,add|remove,"
            "node), counts (time_ms,count); auto: by content"},
    {TEXT(capacity_recorded, column,
          "column of counts; null: of the market's zone, or the only one there is"),
     .optional = true},
    {NUMBER(capacity_recorded, nodes_per_instance, SCALE_MIN, SCALE_MAX,
            "nodes that one recorded instance stands for; the whole nodes count"),
     .preset = "1"},
    FROM_S(capacity_recorded),
    FROM_UTC(capacity_recorded),
    {SECONDS(capacity_recorded, max_gap_s,
             "a longer time between two rows is an error; null: the value before it holds"),
     .optional = true},
    {MEMBER(capacity_recorded, sort), .kind = CONFIG_BOOL, .preset = "false",
     .doc = "rows of columns or counts that go back in time are sorted, not refused"},
    AFTER_END(capacity_recorded, "\"error\""),
    {0}};

static const struct config_type recorded_capacity_type = {.name = "market_capacity_recorded",
                                                          .doc = "Capacity as it was recorded",
                                                          .size = sizeof(struct capacity_recorded),
                                                          .fields = recorded_capacity_fields};

/* Defaults: 16 H100 probed every 600 s in 13 zones of GCP for 11 days (SkyNomad's artifact, October
 * 2025). 56 % of them were obtainable on average; the median zone's variance is that of burstiness
 * 0.88. With these, a correlation of 0.22 makes counts correlate by 0.18, as those of two zones of
 * a region do (of two regions: 0.06), and a relaxation of 13,000 s makes an instance-hour lose 0.48
 * instances (recorded: 0.49) and counts be forgotten within 2.5 h, seen at a lag of one hour
 * (recorded: 2.6 h in the median zone, 0.6 to 13 h). */
static const struct config_field correlated_capacity_fields[] = {
    {COUNT(capacity_correlated, nodes, "Spot nodes that can be held at once at best"), .min = 1,
     .max = NODES_MAX},
    {NUMBER(capacity_correlated, available, 0.001, 0.999, "share of them that is there on average"),
     .preset = "0.56"},
    {NUMBER(capacity_correlated, burstiness, 0, 0.999,
            "from 0, the average always, to 1, all or nothing"),
     .preset = "0.88"},
    {SHARE(capacity_correlated, correlation,
           "of the factor behind it with that of other zones of the region, of this value too"),
     .preset = "0.22"},
    {NUMBER(capacity_correlated, relaxation_s, 1, CLOCK_MAX_S,
            "after this time a lean or good spell is forgotten to 1/e; alike in a region"),
     .preset = "13000"},
    {NUMBER(capacity_correlated, step_s, 1, CLOCK_MAX_S,
            "capacity changes so often; alike in a region"),
     .preset = "600"},
    {0}};

static const struct config_type correlated_capacity_type = {
    .name = "market_capacity_correlated",
    .doc = "Capacity that drifts, in part together with the region's",
    .size = sizeof(struct capacity_correlated),
    .fields = correlated_capacity_fields};

const struct config_variant_type market_capacity_kinds[] = {
    [CAPACITY_UNLIMITED] = {"unlimited", "as many Spot nodes as are asked for", NULL},
    [CAPACITY_FIXED] = {"fixed", "a number of Spot nodes", &fixed_capacity_type},
    [CAPACITY_RECORDED] = {"recorded", "a recorded availability trace", &recorded_capacity_type},
    [CAPACITY_CORRELATED] = {"correlated", "a random one that zones of a region share in part",
                             &correlated_capacity_type},
    {0}};

/* --- lifetimes --- */

static const struct config_field hazard_fields[] = {
    {NUMBER(lifetime_hazard, per_hour, 0, 3600, "interruptions per node-hour"), .above_min = true},
    {0}};

static const struct config_type hazard_type = {.name = "market_lifetime_exponential",
                                               .doc = "The same hazard at any age",
                                               .size = sizeof(struct lifetime_hazard),
                                               .fields = hazard_fields};

static const struct config_field weibull_fields[] = {
    {NUMBER(lifetime_weibull, shape, 0.05, 50,
            "below 1 the hazard falls with age, above 1 it rises")},
    {NUMBER(lifetime_weibull, scale_s, 0, CLOCK_MAX_S, "age that 1/e of all nodes reach"),
     .above_min = true},
    {0}};

static const struct config_type weibull_type = {.name = "market_lifetime_weibull",
                                                .doc = "Weibull lifetimes",
                                                .size = sizeof(struct lifetime_weibull),
                                                .fields = weibull_fields};

static const struct config_field fitted_fields[] = {
    {TEXT(lifetime_fitted, path,
          "CSV with last_seen_alive_s, end_observed_s, terminated; relative to the scenario")},
    {MEMBER(lifetime_fitted, law), .kind = CONFIG_ENUM, .names = lifetime_law_names,
     .preset = "\"weibull\"", .doc = "what is fitted, by maximum likelihood"},
    {TEXT(lifetime_fitted, cloud, "only rows of this cloud; null: any"), .optional = true},
    {TEXT(lifetime_fitted, zone, "only rows of this zone; null: any"), .optional = true},
    {TEXT(lifetime_fitted, gpu, "only rows of this GPU; null: any"), .optional = true},
    {COUNT(lifetime_fitted, gpus, "only rows of so many GPUs; null: any"), .optional = true,
     .min = 1, .max = 1e6},
    {0}};

static const struct config_type fitted_type = {.name = "market_lifetime_fitted",
                                               .doc = "Lifetimes fitted to observed ones",
                                               .size = sizeof(struct lifetime_fitted),
                                               .fields = fitted_fields};

/* The classes of AWS's Spot Instance Advisor: "Frequency of interruption represents the rate at
 * which Spot has reclaimed capacity during the trailing month" (aws.amazon.com/ec2/spot/
 * instance-advisor). The last class has no upper end. */
static const char *const advisor_classes[] = {"<5%", "5-10%", "10-15%", "15-20%", ">20%", NULL};

static const struct config_field advisor_fields[] = {
    {MEMBER(lifetime_advisor, class), .kind = CONFIG_ENUM, .names = advisor_classes,
     .doc = "frequency of interruption in a month, of which the middle is taken"},
    {NUMBER(lifetime_advisor, open_class_share, 0.2, 0.999,
            "share interrupted in a month that \">20%\" is taken for: an assumption, 20 to 40 %"),
     .preset = "0.3"},
    {0}};

static const struct config_type advisor_type = {.name = "market_lifetime_advisor",
                                                .doc = "A class of the Spot Instance Advisor",
                                                .size = sizeof(struct lifetime_advisor),
                                                .fields = advisor_fields};

const struct config_variant_type market_lifetime_kinds[] = {
    [LIFE_UNLIMITED] = {"unlimited", "only a lack of capacity ends a Spot node", NULL},
    [LIFE_HAZARD] = {"exponential", "a hazard per hour", &hazard_type},
    [LIFE_WEIBULL] = {"weibull", "a hazard that changes with age", &weibull_type},
    [LIFE_FITTED] = {"fitted", "a law fitted to a file of lifetimes", &fitted_type},
    [LIFE_ADVISOR] = {"advisor", "the hazard of a monthly class of AWS's Spot Instance Advisor",
                      &advisor_type},
    {0}};

/* --- prices --- */

static const struct config_field fixed_price_fields[] = {
    {NUMBER(price_fixed, usd_per_hour, 0, USD_PER_HOUR_MAX, "of a Spot node")}, {0}};

static const struct config_type fixed_price_type = {.name = "market_price_fixed",
                                                    .doc = "One Spot price",
                                                    .size = sizeof(struct price_fixed),
                                                    .fields = fixed_price_fields};

/* The median saving of 601 GPU instances and regions in the Spot Instance Advisor of July 2025 is
 * 67 %. */
#define SHARE_OF_ON_DEMAND(of)                                                                     \
    {                                                                                              \
        SHARE(of, share_of_on_demand, "Spot price over on-demand price"), .preset = "0.33"         \
    }

static const struct config_field discount_fields[] = {SHARE_OF_ON_DEMAND(price_discount), {0}};

static const struct config_type discount_type = {.name = "market_price_discount",
                                                 .doc = "A share of the price on demand",
                                                 .size = sizeof(struct price_discount),
                                                 .fields = discount_fields};

static const struct config_field recorded_price_fields[] = {
    {TEXT(price_recorded, path,
          "CSV with spot_usd_per_hour, offset_s or time_utc, zone, instance_type; relative to the "
          "scenario")},
    {TEXT(price_recorded, zone, "rows of this zone; null: the market's"), .optional = true},
    {TEXT(price_recorded, instance_type, "rows of this type; null: the market's instance"),
     .optional = true},
    {NUMBER(price_recorded, instances_per_node, SCALE_MIN, SCALE_MAX,
            "recorded instances that a node costs as much as"),
     .preset = "1"},
    FROM_S(price_recorded),
    FROM_UTC(price_recorded),
    AFTER_END(price_recorded, "\"hold\""),
    {0}};

static const struct config_type recorded_price_type = {.name = "market_price_recorded",
                                                       .doc = "Spot prices as they were recorded",
                                                       .size = sizeof(struct price_recorded),
                                                       .fields = recorded_price_fields};

/* Defaults: the logarithm of p3.2xlarge's price varies by 0.039 in the median of nine zones over 45
 * days, and forgets with some 250 h (AWS, February 2023). */
static const struct config_field mean_reverting_fields[] = {
    SHARE_OF_ON_DEMAND(price_mean_reverting),
    {NUMBER(price_mean_reverting, volatility, 0, 2, "standard deviation of the price's logarithm"),
     .preset = "0.04"},
    {NUMBER(price_mean_reverting, relaxation_s, 1, CLOCK_MAX_S,
            "after this time a deviation is forgotten to 1/e"),
     .preset = "900000"},
    {NUMBER(price_mean_reverting, step_s, 1, CLOCK_MAX_S, "the price changes so often"),
     .preset = "3600"},
    {0}};

static const struct config_type mean_reverting_type = {
    .name = "market_price_mean_reverting",
    .doc = "A lognormal price that drifts about its mean, never above that on demand",
    .size = sizeof(struct price_mean_reverting),
    .fields = mean_reverting_fields};

const struct config_variant_type market_price_kinds[] = {
    [PRICE_FIXED] = {"fixed", "one Spot price", &fixed_price_type},
    [PRICE_DISCOUNT] = {"discount", "a share of the price on demand", &discount_type},
    [PRICE_RECORDED] = {"recorded", "a recorded price history", &recorded_price_type},
    [PRICE_MEAN_REVERTING] = {"mean_reverting", "a random one that drifts about its mean",
                              &mean_reverting_type},
    {0}};

/* --- the market --- */

static const char *const provider_names[] = {"aws", "gcp", "azure", "marketplace", NULL};

#define OF_MARKET market_settings

static const struct config_field market_fields[] = {
    {TEXT(OF_MARKET, name, "what pools call it")},
    {MEMBER(OF_MARKET, provider), .kind = CONFIG_ENUM, .names = provider_names, .optional = true,
     .doc = "for the notice; null: the instance's in the catalogue, else a marketplace"},
    {TEXT(OF_MARKET, region, "zones of one region share what is correlated; null: the zone itself"),
     .optional = true},
    {TEXT(OF_MARKET, zone, "as recorded files call it; null: the name"), .optional = true},
    {TEXT(OF_MARKET, instance, "instance type that is rented"), .optional = true},
    {MEMBER(OF_MARKET, capacity), .kind = CONFIG_VARIANT, .selector = "kind",
     .variants = market_capacity_kinds, .preset = "\"unlimited\"",
     .doc = "Spot nodes that can be held at once; when it falls, what is too much is taken back"},
    {MEMBER(OF_MARKET, lifetime), .kind = CONFIG_VARIANT, .selector = "kind",
     .variants = market_lifetime_kinds, .preset = "\"unlimited\"",
     .doc = "how long a Spot node lives before it is taken back, whatever the capacity"},
    {MEMBER(OF_MARKET, price), .kind = CONFIG_VARIANT, .selector = "kind",
     .variants = market_price_kinds, .preset = "\"discount\"", .doc = "of a Spot node"},
    {NUMBER(OF_MARKET, on_demand_usd_per_hour, 0, USD_PER_HOUR_MAX,
            "of a node on demand; null: the instance's in the catalogue"),
     .optional = true},
    {COUNT(OF_MARKET, on_demand_capacity, "nodes on demand at once; null: without limit"),
     .optional = true, .max = NODES_MAX},
    {SHARE(OF_MARKET, grant_probability,
           "that a request for a Spot node succeeds where there is capacity"),
     .preset = "1"},
    {SHARE(OF_MARKET, on_demand_grant_probability, "the same on demand"), .preset = "1"},
    {NUMBER(OF_MARKET, notice_s, 0, 86400,
            "between the word that a Spot node is taken back and its end; null: the provider's, "
            "120 s of AWS, 30 s of GCP and Azure, none of a marketplace"),
     .optional = true},
    {NUMBER(OF_MARKET, max_price_usd_per_hour, 0, USD_PER_HOUR_MAX,
            "the bid: at a Spot price above it all Spot nodes are taken back; null: none"),
     .optional = true},
    {NUMBER(OF_MARKET, max_lifetime_s, 0, CLOCK_MAX_S,
            "the provider ends a Spot node at this age, such as 86400 of GCP's preemptible "
            "machines; null: never"),
     .optional = true, .above_min = true},
    {0}};

const struct config_type market_config_type = {
    .name = "market",
    .doc = "A zone in which an instance type is rented, on Spot and on demand",
    .size = sizeof(struct market_settings),
    .fields = market_fields};
