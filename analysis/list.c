#include "analysis/list.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "analysis/human.h"
#include "analysis/options.h"
#include "models/catalog_path.h"
#include "models/elastic/duration.h"
#include "models/elastic/elastic_settings.h"
#include "models/elastic/market.h"
#include "models/elastic/purchase.h"
#include "models/elastic/scaler.h"
#include "models/fleet/router.h"
#include "models/money/commitments.h"
#include "models/steptime/calibration.h"
#include "scenarios/scenario.h"
#include "sim/json_writer.h"
#include "workloads/presets.h"
#include "workloads/trace_format.h"

/* What the parts of the list read from; freed by the command. */
struct lists {
    struct arena *arena;
    const char *catalog_folder;
    const struct hardware *hardware;
    struct calibration *calibration;
};

static void print_known(double value, int width)
{
    if (isnan(value))
        printf(" %*s", width, "-");
    else
        printf(" %*.0f", width, value);
}

/* What the kernels of a GPU are taken from; "as" with "?" where nothing measured says so. */
static bool print_kernels(const struct lists *lists, const struct gpu *gpu, struct error *error)
{
    const char *any_engine = engine_profiles[ENGINE_VLLM].name;
    const struct operators *operators =
        calibration_operators(lists->calibration, gpu, any_engine, error);
    if (!operators)
        return false;
    struct operators_quality quality = operators_quality(operators);
    static const char *const texts[] = {[OPERATORS_OWN] = "calibrated",
                                        [OPERATORS_RELATIVE] = "as %s",
                                        [OPERATORS_ASSUMED] = "as %s?",
                                        [OPERATORS_DATASHEET] = "datasheet"};
    char text[64];
    snprintf(text, sizeof text, texts[quality.basis], quality.like);
    printf("  %-16s", text);
    return true;
}

static bool list_gpus(const struct lists *lists, struct error *error)
{
    printf("%-20s %6s %6s %7s %7s %7s %5s  %-16s  %s\n", "GPU", "GiB", "GB/s", "bf16", "fp8", "fp4",
           "W", "kernel times", "how well the rates are known");
    for (size_t i = 0; i < lists->hardware->gpu_count; i++) {
        const struct gpu *gpu = &lists->hardware->gpus[i];
        printf("%-20s %6.0f %6.0f", gpu->name, gpu->memory_gib, gpu->bandwidth_gb_s);
        print_known(gpu->bf16_tflops, 7);
        print_known(gpu->fp8_tflops, 7);
        print_known(gpu->fp4_tflops, 7);
        print_known(gpu->tdp_w, 5);
        if (!print_kernels(lists, gpu, error))
            return false;
        printf("  %.*s\n", (int)strcspn(gpu->known, ";"), gpu->known);
    }
    puts(
        "Rates are dense TFLOPS. Kernel times are fitted to measurements of the GPU, or taken to\n"
        "reach the same share of its rates as another GPU's (?: nothing measured says so), or are\n"
        "the datasheet's. What each rests on in detail is in a run's manifest.json.");
    return true;
}

static bool list_instances(const struct lists *lists, struct error *error)
{
    (void)error;
    printf("%-16s %-31s %-20s %4s %9s %9s  %s\n", "provider", "instance", "GPU", "GPUs", "USD/h",
           "USD/GPU-h", "as of");
    for (size_t i = 0; i < lists->hardware->instance_count; i++) {
        const struct instance *each = &lists->hardware->instances[i];
        printf("%-16s %-31s %-20s %4lld %9.3f %9.3f  %s\n", each->provider, each->name, each->gpu,
               (long long)each->gpus, each->usd_per_hour, each->usd_per_hour / (double)each->gpus,
               each->as_of);
    }
    return true;
}

static bool list_mig(const struct lists *lists, struct error *error)
{
    (void)error;
    printf("%-28s %6s %6s %7s %8s  %s\n", "slice", "GiB", "GB/s", "bf16", "of a GPU", "what");
    for (size_t i = 0; i < lists->hardware->slice_count; i++) {
        const struct gpu *slice = &lists->hardware->slices[i];
        printf("%-28s %6.1f %6.0f %7.0f %7.0f%%  %s\n", slice->name, slice->memory_gib,
               slice->bandwidth_gb_s, slice->bf16_tflops, 100 * slice->slice_share, slice->doc);
    }
    return true;
}

static bool list_models(const struct lists *lists, struct error *error)
{
    struct config_list names;
    if (!llm_catalog_names(lists->catalog_folder, lists->arena, &names, error))
        return false;
    printf("%-22s %9s %9s %7s %12s %10s  %s\n", "model", "weights", "active", "layers",
           "KV B/token", "positions", "same as");
    for (size_t i = 0; i < names.count; i++) {
        const struct llm *llm = llm_read(
            lists->catalog_folder, ".", ((const char *const *)names.items)[i], lists->arena, error);
        if (!llm)
            return false;
        printf("%-22s %8.1fB %8.1fB %7lld %12.0f", llm->name, llm_total_weights(llm) / 1e9,
               llm_active_weights(llm) / 1e9, (long long)llm->layers,
               llm_kv_bytes_per_token(llm, PRECISION_BF16, 1, 1));
        if (llm->max_positions == INT64_MAX)
            printf(" %10s", "-");
        else
            printf(" %10lld", (long long)llm->max_positions);
        printf(llm->alias_of ? "  %s\n" : "\n", llm->alias_of);
    }
    return true;
}

static bool list_presets(const struct lists *lists, struct error *error)
{
    (void)lists, (void)error;
    size_t count;
    const struct preset *presets = preset_list(&count);
    for (size_t i = 0; i < count; i++)
        printf("%-24s %s\n%-24s from %s\n", presets[i].name, presets[i].summary, "",
               presets[i].source);
    return true;
}

static void print_variants(const char *title, const struct config_variant_type *variants)
{
    printf("%s\n", title);
    for (; variants->name; variants++)
        printf("  %-28s %s\n", variants->name, variants->doc);
}

static void print_choices(const char *title, const char *const *names)
{
    printf("%s\n ", title);
    for (; *names; names++)
        printf(" %s%s", *names, names[1] ? "," : "\n");
}

/* What brings nodes, takes them away, and pays for them. */
static void list_elastic_policies(void)
{
    print_variants("scaler of an elastic pool", scaler_policies);
    print_variants("strategy of purchases of an elastic pool", purchase_strategies);
    print_choices("policy of interruption of an elastic pool", interruption_policy_names);
    print_choices("kind of start_up of an elastic pool", start_up_kind_names);
    print_choices("source of start_up.weights", weight_source_names);
    print_variants("stage of start_up, and of failures", duration_variants);
    print_variants("capacity of a market", market_capacity_kinds);
    print_variants("lifetime of Spot nodes in a market", market_lifetime_kinds);
    print_variants("Spot price of a market", market_price_kinds);
    print_choices("bought_as of a pool", node_option_names);
    print_variants("kind of money.commitments", commitment_variants);
}

static bool list_policies(const struct lists *lists, struct error *error)
{
    (void)lists, (void)error;
    print_variants("router", router_policies);
    print_choices("role of a pool", pool_role_names);
    print_variants("decider of disaggregation", disaggregation_deciders);
    print_choices("first_token of disaggregation, sent by", first_token_names);
    print_choices("mode of disaggregation.transfer", transfer_mode_names);
    print_variants("step_time of a pool", step_time_kinds);
    print_variants("method of engine.speculative", draft_methods);
    list_elastic_policies();
    return true;
}

/* The settings that null leaves to the engine, and what they become. */
static void print_settled(const struct engine_settings *settings)
{
    cJSON *unset = config_to_json(&engine_settings_type, &engine_settings_unset);
    cJSON *settled = config_to_json(&engine_settings_type, settings);
    for (const cJSON *i = settled->child, *was = unset->child; i; i = i->next, was = was->next) {
        if (!cJSON_IsNull(was) || cJSON_IsNull(i))
            continue;
        if (cJSON_IsNumber(i))
            printf("  %-28s %g\n", i->string, i->valuedouble);
        else
            printf("  %-28s %s\n", i->string,
                   cJSON_IsString(i) ? i->valuestring
                   : cJSON_IsTrue(i) ? "true"
                                     : "false");
    }
    cJSON_Delete(unset);
    cJSON_Delete(settled);
}

static void print_names(const struct config_list *names)
{
    const char *const *items = names->items;
    for (size_t i = 0; i < names->count; i++)
        printf("%s%s", i > 0 ? ", " : "", items[i]);
}

/* Weight formats that the engine's constants were fitted for. */
static void print_calibrated(const struct calibration *calibration, const char *engine)
{
    char tpot[HUMAN_SIZE], ttft[HUMAN_SIZE];
    for (size_t i = 0; i < calibration->engine_count; i++) {
        const struct engine_calibration *entry = &calibration->engines[i];
        if (strcasecmp(entry->engine, engine) != 0 || entry->points == 0)
            continue;
        printf("  calibrated %-17s %lld points of ", precision_names[entry->weights],
               (long long)entry->points);
        print_names(&entry->gpus);
        if (!isnan(entry->tpot_error))
            printf("; expected error TPOT %s, TTFT %s", human_error(entry->tpot_error, tpot),
                   human_error(entry->ttft_error, ttft));
        puts("");
    }
}

/* Settings that are one of several: all of these, and what they do. */
static void print_field_choices(const struct config_field *field)
{
    for (; field->name; field++) {
        if (field->kind == CONFIG_VARIANT)
            print_variants(field->name, field->variants);
        if (field->kind != CONFIG_ENUM)
            continue;
        printf("%s\n ", field->name);
        for (size_t i = 0; field->names[i]; i++)
            printf(" %s", field->names[i]);
        printf("\n  (%s)\n", field->doc);
    }
}

static bool is_profile(const char *engine)
{
    for (int name = 0; name < ENGINE_COUNT; name++)
        if (strcasecmp(engine_profiles[name].name, engine) == 0)
            return true;
    return false;
}

/* Constants that no engine takes unless it is told to. */
static void print_other_constants(const struct calibration *calibration)
{
    puts("\nConstants of other servers, for \"step_time\": { \"kind\": \"calibrated\", "
         "\"constants\": "
         "... }:\n");
    const char *last = "";
    for (size_t i = 0; i < calibration->engine_count; i++) {
        const char *engine = calibration->engines[i].engine;
        if (is_profile(engine) || strcmp(engine, last) == 0)
            continue;
        printf("%s\n", engine);
        print_calibrated(calibration, engine);
        last = engine;
    }
}

/* What goes by the GPU is shown as it is for an H100. */
static bool list_engines(const struct lists *lists, struct error *error)
{
    (void)error;
    const char *nearest;
    const struct engine_host host = {hardware_gpu(lists->hardware, "H100-SXM", &nearest), 1, 1};
    printf("What null stands for in \"engine\", on one %s:\n\n", host.gpu->name);
    for (int name = 0; name < ENGINE_COUNT; name++) {
        struct engine_settings settings = engine_settings_unset;
        settings.name = name;
        engine_settings_settle(&settings, &host);
        const struct engine_profile *profile = &engine_profiles[name];
        printf("%-8s %s\n", profile->name, profile->doc);
        print_settled(&settings);
        print_calibrated(lists->calibration, profile->name);
    }
    puts("\nOther weight formats take the constants of the nearest calibrated one.");
    print_other_constants(lists->calibration);
    puts("\nWhat can be set:");
    print_field_choices(engine_settings_type.fields);
    return true;
}

static bool list_formats(const struct lists *lists, struct error *error)
{
    (void)lists, (void)error;
    printf("%-14s %s\n", trace_format_names[TRACE_AUTO], "told by the content");
    for (int format = TRACE_AUTO + 1; format < TRACE_FORMAT_COUNT; format++) {
        const struct trace_layout *layout = trace_layout((enum trace_format)format);
        printf("%-14s %s\n", layout->name, layout->summary);
    }
    return true;
}

static const struct part {
    const char *name;
    bool (*list)(const struct lists *lists, struct error *error);
} parts[] = {{"gpus", list_gpus},         {"instances", list_instances}, {"mig", list_mig},
             {"models", list_models},     {"engines", list_engines},     {"presets", list_presets},
             {"policies", list_policies}, {"formats", list_formats}};

enum { PARTS = sizeof parts / sizeof parts[0] };

static bool list_all(const struct lists *lists, struct error *error)
{
    for (size_t i = 0; i < PARTS; i++) {
        printf("%s%s\n", i > 0 ? "\n== " : "== ", parts[i].name);
        if (!parts[i].list(lists, error))
            return false;
    }
    return true;
}

static bool list_part(const struct lists *lists, const char *name, struct error *error)
{
    const char *names[PARTS];
    for (size_t i = 0; i < PARTS; i++) {
        if (strcmp(parts[i].name, name) == 0)
            return parts[i].list(lists, error);
        names[i] = parts[i].name;
    }
    error_set(error, ERROR_USAGE, "cannot list \"%s\"", name);
    config_hint_names(error, name, names, PARTS);
    return false;
}

static const struct option no_options[] = {{0}};

bool list_command(int argc, char *const argv[], struct error *error)
{
    const struct command command = {
        .usage = "list [gpus|instances|mig|models|engines|presets|policies|formats]",
        .doc = "Shows what a scenario can name.",
        .words_max = 1,
        .options = no_options};
    struct option_texts words;
    bool help;
    if (!options_parse(&command, argc, argv, &words, &help, error) || help)
        return help;
    struct lists lists = {.arena = arena_create()};
    lists.catalog_folder = catalog_path(lists.arena, error);
    lists.hardware =
        lists.catalog_folder ? hardware_read(lists.catalog_folder, lists.arena, error) : NULL;
    if (lists.hardware)
        lists.calibration =
            calibration_read(lists.catalog_folder, lists.hardware, lists.arena, error);
    bool done = lists.calibration && (words.count > 0 ? list_part(&lists, words.items[0], error)
                                                      : list_all(&lists, error));
    arena_destroy(lists.arena);
    return done;
}

bool schema_command(int argc, char *const argv[], struct error *error)
{
    const struct command command = {.usage = "schema",
                                    .doc = "Prints the JSON Schema (draft 2020-12) of scenario "
                                           "files, for editors and checkers.",
                                    .options = no_options};
    struct option_texts words;
    bool help;
    if (!options_parse(&command, argc, argv, &words, &help, error) || help)
        return help;
    cJSON *schema = config_schema(&scenario_config_type, "Tokenyard scenario");
    struct json_writer *writer = json_writer_create();
    json_put_tree(writer, NULL, schema);
    fputs(json_writer_text(writer, NULL), stdout);
    json_writer_destroy(writer);
    cJSON_Delete(schema);
    return true;
}
