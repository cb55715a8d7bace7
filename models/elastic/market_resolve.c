#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "models/elastic/market_spec.h"
#include "workloads/capacity_trace.h"
#include "workloads/lifetimes.h"
#include "workloads/number_text.h"
#include "workloads/place.h"

#define S_PER_HOUR      3600.0
#define NS_PER_S        1e9
#define HOURS_PER_MONTH 730.0

struct resolving {
    const struct market_context *context;
    const struct market_settings *settings;
    struct market_spec *spec;
    struct place place; /* of the market */
    struct arena *arena;
    struct error *error;
};

/* Where a member of the market's is; inner may be NULL. */
static struct place place_of(const struct resolving *resolving, const char *key, const char *inner)
{
    struct place place = place_key(&resolving->place, key);
    return inner ? place_key(&place, inner) : place;
}

static const char *path_of(const struct resolving *resolving, const char *path)
{
    const char *folder = resolving->context->folder;
    return path[0] == '/' || !folder ? path : arena_printf(resolving->arena, "%s/%s", folder, path);
}

/* --- records --- */

/* What a scenario says of any record, beside its file. */
struct record_use {
    const char *member; /* "capacity", "price" */
    double from_s;
    const char *from_utc;
    enum after_end after_end;
};

static bool find_date(const struct resolving *resolving, const struct record_use *use,
                      const struct step_series *record, double *from_s)
{
    struct place place = place_of(resolving, use->member, "from_utc");
    struct text text = {use->from_utc, strlen(use->from_utc)};
    int64_t date_ns;
    if (number_from_date(text, &date_ns) != NUMBER_OK || date_ns < 0) {
        place_error(&place, resolving->error, "is not a date from 1970 on");
        return error_hint(resolving->error, "dates are written as 2025-10-04T00:10:00Z");
    }
    if (!record->dated) {
        place_error(&place, resolving->error, "the record counts seconds and has no dates");
        return error_hint(resolving->error, "give \"from_s\"");
    }
    *from_s += (double)(date_ns - record->zero_ns) / NS_PER_S;
    return true;
}

static bool check_length(const struct resolving *resolving, const struct record_use *use,
                         const struct signal_spec *signal)
{
    struct place path = place_of(resolving, use->member, "path");
    double record_s = tick_to_s(signal->record.end), from_s = tick_to_s(signal->from);
    double horizon_s = resolving->context->horizon_s;
    if (use->after_end == AFTER_END_REPEAT && signal->record.end == signal->record.first)
        return place_error(&path, resolving->error, "a record of no length cannot be repeated");
    if (signal->from > 0 && signal->from >= signal->record.end)
        return place_error(&path, resolving->error,
                           "the run begins %.10g s into a record of %.10g s", from_s, record_s);
    if (use->after_end != AFTER_END_ERROR || isnan(horizon_s) || from_s + horizon_s <= record_s)
        return true;
    place_error(&path, resolving->error,
                "the record ends %.10g s after the run begins, before the horizon of %.10g s",
                record_s - from_s, horizon_s);
    return error_hint(resolving->error,
                      "\"after_end\": \"hold\" keeps the last value, \"repeat\" begins again");
}

/* A price record begins with the capacity's, by date or by the same count of seconds, if it reaches
 * there. */
static double from_by_default(const struct resolving *resolving, const struct record_use *use,
                              const struct signal_spec *signal)
{
    const struct signal_spec *capacity = &resolving->spec->capacity;
    const struct step_series *record = &signal->record;
    if (use->from_utc)
        return 0;
    if (signal == capacity || capacity->kind != SIGNAL_RECORD ||
        capacity->record.dated != record->dated)
        return tick_to_s(record->first);
    double from_s = tick_to_s(capacity->from);
    if (record->dated)
        from_s += (double)(capacity->record.zero_ns - record->zero_ns) / NS_PER_S;
    return from_s >= 0 && from_s < tick_to_s(record->end) ? from_s : tick_to_s(record->first);
}

/* Makes a signal of the record that is in it already. */
static bool use_record(const struct resolving *resolving, const struct record_use *use,
                       struct signal_spec *signal)
{
    double from_s = isnan(use->from_s) ? from_by_default(resolving, use, signal) : use->from_s;
    struct place place = place_of(resolving, use->member, use->from_utc ? "from_utc" : "from_s");
    if (use->from_utc && !find_date(resolving, use, &signal->record, &from_s))
        return false;
    if (from_s < 0 || from_s > CLOCK_MAX_S)
        return place_error(&place, resolving->error, "the run would begin before the record does");
    signal->kind = SIGNAL_RECORD;
    signal->from = tick_from_s(from_s);
    signal->after_end = use->after_end;
    return check_length(resolving, use, signal);
}

/* --- capacity --- */

static void set_factor(const struct resolving *resolving, const char *purpose, double correlation,
                       double relaxation_s, double step_s, struct signal_spec *signal)
{
    const struct market_spec *spec = resolving->spec;
    struct arena *arena = resolving->arena;
    *signal = (struct signal_spec){
        .kind = SIGNAL_FACTOR,
        .correlation = correlation,
        .relaxation_s = relaxation_s,
        .step = tick_from_s(step_s),
        .own_stream = arena_printf(arena, "elastic/market/%s/%s", spec->name, purpose),
        .shared_stream = arena_printf(arena, "elastic/region/%s/%s", spec->region, purpose)};
}

static bool resolve_recorded_capacity(const struct resolving *resolving,
                                      const struct capacity_recorded *given)
{
    struct market_spec *spec = resolving->spec;
    const struct capacity_trace_options options = {
        .path = path_of(resolving, given->path),
        .format = (enum capacity_format)given->format,
        .column = given->column,
        .zone = spec->zone,
        .max_gap_s = isnan(given->max_gap_s) ? INFINITY : given->max_gap_s,
        .sort = given->sort};
    const struct record_use use = {"capacity", given->from_s, given->from_utc,
                                   (enum after_end)given->after_end};
    spec->nodes_per_instance = given->nodes_per_instance;
    return capacity_trace_read(&options, resolving->arena, &spec->capacity.record,
                               resolving->error) &&
           use_record(resolving, &use, &spec->capacity);
}

static void resolve_correlated_capacity(const struct resolving *resolving,
                                        const struct capacity_correlated *given)
{
    struct market_spec *spec = resolving->spec;
    spec->nodes = (double)given->nodes;
    spec->available = given->available;
    spec->burstiness = given->burstiness;
    set_factor(resolving, "capacity", given->correlation, given->relaxation_s, given->step_s,
               &spec->capacity);
}

static bool resolve_capacity(const struct resolving *resolving)
{
    struct market_spec *spec = resolving->spec;
    const struct config_variant *given = &resolving->settings->capacity;
    spec->capacity_kind = (enum capacity_kind)given->index;
    switch (spec->capacity_kind) {
    case CAPACITY_UNLIMITED:
        return true;
    case CAPACITY_FIXED:
        spec->capacity.constant = (double)((const struct capacity_fixed *)given->value)->nodes;
        return true;
    case CAPACITY_RECORDED:
        return resolve_recorded_capacity(resolving, given->value);
    case CAPACITY_CORRELATED:
        resolve_correlated_capacity(resolving, given->value);
        return true;
    }
    assert(false);
    return false;
}

/* --- lifetimes --- */

/* Of a share interrupted within a month: 1 - share = exp(-hazard month). */
static double scale_of_monthly_share(double share)
{
    return HOURS_PER_MONTH * S_PER_HOUR / -log1p(-share);
}

/* The middle of a class. */
static double advisor_share(const struct lifetime_advisor *given)
{
    static const double middles[] = {0.025, 0.075, 0.125, 0.175};
    size_t closed = sizeof middles / sizeof *middles;
    return (size_t)given->class < closed ? middles[given->class] : given->open_class_share;
}

static bool resolve_fitted(const struct resolving *resolving, const struct lifetime_fitted *given)
{
    struct market_spec *spec = resolving->spec;
    struct place place = place_of(resolving, "lifetime", "path");
    const struct lifetimes_options options = {.path = path_of(resolving, given->path),
                                              .cloud = given->cloud,
                                              .zone = given->zone,
                                              .gpu = given->gpu,
                                              .gpus = given->gpus,
                                              .max_lifetime_s = spec->max_lifetime_s};
    struct lifetimes lifetimes;
    struct lifetime_fit fit;
    if (!lifetimes_read(&options, resolving->arena, &lifetimes, resolving->error))
        return false;
    if (!lifetimes_fit((enum lifetime_law)given->law, &lifetimes, &fit))
        return place_error(&place, resolving->error,
                           "no %s law can be fitted: of %zu lifetimes %zu have an end, and it may "
                           "be the same for all",
                           lifetime_law_names[given->law], lifetimes.count, lifetimes.ended);
    spec->life_shape = fit.shape;
    spec->life_scale_s = fit.scale_s;
    return true;
}

static bool resolve_lifetime(const struct resolving *resolving)
{
    struct market_spec *spec = resolving->spec;
    const void *given = resolving->settings->lifetime.value;
    double max_s = resolving->settings->max_lifetime_s;
    spec->max_lifetime_s = isnan(max_s) ? INFINITY : max_s;
    spec->life_shape = 1;
    switch ((enum life_kind)resolving->settings->lifetime.index) {
    case LIFE_UNLIMITED:
        spec->life_scale_s = INFINITY;
        return true;
    case LIFE_HAZARD:
        spec->life_scale_s = S_PER_HOUR / ((const struct lifetime_hazard *)given)->per_hour;
        return true;
    case LIFE_WEIBULL:
        spec->life_shape = ((const struct lifetime_weibull *)given)->shape;
        spec->life_scale_s = ((const struct lifetime_weibull *)given)->scale_s;
        return true;
    case LIFE_FITTED:
        return resolve_fitted(resolving, given);
    case LIFE_ADVISOR:
        spec->life_scale_s = scale_of_monthly_share(advisor_share(given));
        return true;
    }
    assert(false);
    return false;
}

/* --- prices --- */

static bool resolve_recorded_price(const struct resolving *resolving,
                                   const struct price_recorded *given)
{
    struct market_spec *spec = resolving->spec;
    const struct price_trace_options options = {
        .path = path_of(resolving, given->path),
        .zone = given->zone ? given->zone : spec->zone,
        .instance_type = given->instance_type ? given->instance_type : spec->instance};
    const struct record_use use = {"price", given->from_s, given->from_utc,
                                   (enum after_end)given->after_end};
    spec->instances_per_node = given->instances_per_node;
    return price_trace_read(&options, resolving->arena, &spec->price.record, resolving->error) &&
           use_record(resolving, &use, &spec->price);
}

static void resolve_mean_reverting_price(const struct resolving *resolving,
                                         const struct price_mean_reverting *given)
{
    struct market_spec *spec = resolving->spec;
    spec->mean_usd = given->share_of_on_demand * spec->on_demand_usd;
    spec->volatility = given->volatility;
    set_factor(resolving, "price", 0, given->relaxation_s, given->step_s, &spec->price);
}

static bool resolve_price(const struct resolving *resolving)
{
    struct market_spec *spec = resolving->spec;
    const struct config_variant *given = &resolving->settings->price;
    spec->price_kind = (enum price_kind)given->index;
    spec->instances_per_node = 1;
    switch (spec->price_kind) {
    case PRICE_FIXED:
        spec->price.constant = ((const struct price_fixed *)given->value)->usd_per_hour;
        return true;
    case PRICE_DISCOUNT:
        spec->price.constant =
            ((const struct price_discount *)given->value)->share_of_on_demand * spec->on_demand_usd;
        return true;
    case PRICE_RECORDED:
        return resolve_recorded_price(resolving, given->value);
    case PRICE_MEAN_REVERTING:
        resolve_mean_reverting_price(resolving, given->value);
        return true;
    }
    assert(false);
    return false;
}

/* --- the provider --- */

static const struct instance *catalogued(const struct resolving *resolving, const char **nearest)
{
    const struct hardware *hardware = resolving->context->hardware;
    const char *name = resolving->settings->instance;
    return hardware && name ? hardware_instance(hardware, name, nearest) : NULL;
}

static enum market_provider provider_of(const struct resolving *resolving)
{
    static const char *const clouds[] = {"AWS", "GCP", "Azure"}; /* by enum market_provider */
    const char *nearest;
    const struct instance *instance = catalogued(resolving, &nearest);
    if (resolving->settings->provider >= 0)
        return (enum market_provider)resolving->settings->provider;
    for (int i = 0; instance && i < PROVIDER_MARKETPLACE; i++)
        if (strcasecmp(instance->provider, clouds[i]) == 0)
            return (enum market_provider)i;
    return PROVIDER_MARKETPLACE;
}

/* AWS: "a warning that is issued two minutes before" (EC2 User Guide, Spot Instance interruption
 * notices). GCP: up to 30 s to shut down, best effort (Compute Engine, Spot VMs, preemption
 * process). Azure: Preempt events come at least 30 s before (Virtual Machines, Scheduled Events).
 * Marketplaces promise nothing: Vast.ai's interruptible instances are paused when outbid. */
static double provider_notice_s(enum market_provider provider)
{
    static const double notice_s[] = {[PROVIDER_AWS] = 120,
                                      [PROVIDER_GCP] = 30,
                                      [PROVIDER_AZURE] = 30,
                                      [PROVIDER_MARKETPLACE] = 0};
    return notice_s[provider];
}

static bool resolve_on_demand(const struct resolving *resolving)
{
    const struct market_settings *settings = resolving->settings;
    struct market_spec *spec = resolving->spec;
    const char *nearest = NULL;
    const struct instance *instance = catalogued(resolving, &nearest);
    spec->on_demand_capacity =
        settings->on_demand_capacity == INT64_MIN ? INT64_MAX : settings->on_demand_capacity;
    spec->on_demand_usd = settings->on_demand_usd_per_hour;
    if (isnan(spec->on_demand_usd) && instance)
        spec->on_demand_usd = instance->usd_per_hour;
    if (!isnan(spec->on_demand_usd))
        return true;
    struct place place = place_of(resolving, "instance", NULL);
    if (!settings->instance) {
        place_error(&resolving->place, resolving->error, "the market has no price on demand");
        return error_hint(resolving->error,
                          "give \"on_demand_usd_per_hour\", or an \"instance\" of the catalogue");
    }
    place_error(&place, resolving->error, "there is no instance \"%s\" in the catalogue",
                settings->instance);
    if (nearest)
        return error_hint(resolving->error, "did you mean \"%s\"? Or give on_demand_usd_per_hour",
                          nearest);
    return error_hint(resolving->error, "give \"on_demand_usd_per_hour\", or see `tokenyard list "
                                        "instances`");
}

/* --- one market --- */

static void resolve_terms(const struct resolving *resolving)
{
    const struct market_settings *settings = resolving->settings;
    struct market_spec *spec = resolving->spec;
    double notice_s = settings->notice_s, bid_usd = settings->max_price_usd_per_hour;
    spec->notice =
        tick_from_s(isnan(notice_s) ? provider_notice_s(provider_of(resolving)) : notice_s);
    spec->max_price_usd = isnan(bid_usd) ? INFINITY : bid_usd;
    spec->grant_probability[MARKET_SPOT] = settings->grant_probability;
    spec->grant_probability[MARKET_ON_DEMAND] = settings->on_demand_grant_probability;
}

static void resolve_names(const struct resolving *resolving)
{
    const struct market_settings *settings = resolving->settings;
    struct market_spec *spec = resolving->spec;
    spec->name = settings->name;
    spec->zone = settings->zone ? settings->zone : spec->name;
    spec->region = settings->region ? settings->region : spec->zone;
    spec->instance = settings->instance;
    spec->grants_stream = arena_printf(resolving->arena, "elastic/market/%s/grants", spec->name);
    spec->lives_stream = arena_printf(resolving->arena, "elastic/market/%s/lifetimes", spec->name);
}

static bool resolve_market(const struct resolving *resolving)
{
    resolve_names(resolving);
    resolve_terms(resolving);
    return resolve_on_demand(resolving) && resolve_capacity(resolving) &&
           resolve_lifetime(resolving) && resolve_price(resolving);
}

/* --- all of them --- */

static bool check_name(const struct resolving *resolving, struct market_spec *const *specs,
                       size_t count)
{
    struct place place = place_of(resolving, "name", NULL);
    const char *name = resolving->spec->name;
    if (!name[0])
        return place_error(&place, resolving->error, "a market needs a name");
    for (size_t i = 0; i < count; i++)
        if (strcmp(specs[i]->name, name) == 0)
            return place_error(&place, resolving->error, "\"%s\" is the name of two markets", name);
    return true;
}

/* What a region's markets share must be drawn alike by all of them. */
static bool check_region(const struct resolving *resolving, struct market_spec *const *specs,
                         size_t count)
{
    const struct market_spec *spec = resolving->spec;
    struct place place = place_of(resolving, "capacity", NULL);
    for (size_t i = 0; spec->capacity_kind == CAPACITY_CORRELATED && i < count; i++) {
        const struct market_spec *other = specs[i];
        if (other->capacity_kind != CAPACITY_CORRELATED ||
            strcmp(other->region, spec->region) != 0 ||
            (other->capacity.step == spec->capacity.step &&
             other->capacity.relaxation_s == spec->capacity.relaxation_s))
            continue;
        place_error(&place, resolving->error,
                    "step_s and relaxation_s are not those of \"%s\", which is of the same region",
                    other->name);
        return error_hint(resolving->error, "what a region's zones share changes for all at once");
    }
    return true;
}

struct market_spec *const *markets_resolve(const struct config_list *markets,
                                           const struct market_context *context,
                                           struct arena *arena, struct error *error)
{
    struct place list = {.document = context->document};
    snprintf(list.pointer, sizeof list.pointer, "%s", context->pointer);
    struct market_spec **specs = ARENA_ARRAY(arena, markets->count, struct market_spec *);
    for (size_t i = 0; i < markets->count; i++) {
        specs[i] = ARENA_NEW(arena, struct market_spec);
        const struct resolving resolving = {.context = context,
                                            .settings =
                                                (const struct market_settings *)markets->items + i,
                                            .spec = specs[i],
                                            .place = place_index(&list, i),
                                            .arena = arena,
                                            .error = error};
        if (!resolve_market(&resolving) || !check_name(&resolving, specs, i) ||
            !check_region(&resolving, specs, i))
            return NULL;
    }
    return specs;
}
