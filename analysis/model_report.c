#include "analysis/model_report.h"

#include <math.h>

#include "analysis/human.h"

static uint32_t model_of_class(const struct simulation_spec *spec, size_t class_index)
{
    return spec->class_models ? spec->class_models[class_index] : 0;
}

static void add_pools(struct model_summary *models, const struct summary *summary)
{
    const struct simulation_spec *spec = summary->facts.spec;
    for (size_t i = 0; i < spec->pool_count; i++) {
        const struct pool_summary *pool = &summary->pools[i];
        struct model_summary *model = &models[spec->pools[i].model];
        model->gpus += pool->gpus;
        model->completed += pool->completed;
        model->prompt_tok += pool->prompt_tok;
        model->output_tok += pool->output_tok;
        model->usd_per_hour += pool->usd_per_hour;
        model->cost_usd += pool->cost_usd;
    }
}

/* The latencies of a model are those of its classes together. */
static void merge_latencies(struct model_summary *model, uint32_t index,
                            const struct summary *summary, const struct simulation_result *result)
{
    const struct simulation_spec *spec = summary->facts.spec;
    struct latency_set *all = ARENA_NEW(summary->arena, struct latency_set);
    latency_set_clear(all);
    for (size_t i = 0; i < spec->class_count; i++)
        if (model_of_class(spec, i) == index)
            latency_merge(all, &result->by_class[i]);
    model->ttft_s = quantiles_of(&all->ttft);
    model->tpot_s = quantiles_of(&all->tpot);
    model->e2e_s = quantiles_of(&all->e2e);
}

struct model_summary *model_report_sum(const struct summary *summary,
                                       const struct simulation_result *result)
{
    uint32_t count = summary->facts.spec->model_count;
    if (count < 2)
        return NULL;
    struct model_summary *models = ARENA_ARRAY(summary->arena, count, struct model_summary);
    add_pools(models, summary);
    for (uint32_t i = 0; i < count; i++) {
        double tokens = (double)(models[i].prompt_tok + models[i].output_tok);
        models[i].name = summary->facts.spec->model_names[i];
        models[i].usd_per_million_tok = tokens > 0 ? models[i].cost_usd * 1e6 / tokens : NAN;
        merge_latencies(&models[i], i, summary, result);
    }
    return models;
}

static void put_model(struct json_writer *writer, const struct model_summary *model)
{
    json_begin_object(writer, NULL);
    json_put_string(writer, "name", model->name);
    json_put_integer(writer, "gpus", model->gpus);
    json_put_integer(writer, "completed", (int64_t)model->completed);
    json_begin_object(writer, "tokens");
    json_put_integer(writer, "prompt", (int64_t)model->prompt_tok);
    json_put_integer(writer, "output", (int64_t)model->output_tok);
    json_end_object(writer);
    quantiles_put(writer, "ttft_s", &model->ttft_s);
    quantiles_put(writer, "tpot_s", &model->tpot_s);
    quantiles_put(writer, "e2e_s", &model->e2e_s);
    json_put_number(writer, "usd_per_hour", model->usd_per_hour);
    json_put_number(writer, "cost_usd", model->cost_usd);
    json_put_number(writer, "usd_per_million_tokens", model->usd_per_million_tok);
    json_end_object(writer);
}

void model_report_put(struct json_writer *writer, const struct summary *summary)
{
    if (!summary->models)
        return;
    json_begin_list(writer, "models");
    for (uint32_t i = 0; i < summary->facts.spec->model_count; i++)
        put_model(writer, &summary->models[i]);
    json_end_list(writer);
}

enum { NAME_COLUMNS = 26 };

static void print_model(const struct model_summary *model, FILE *out)
{
    char name[4 * NAME_COLUMNS + 1], text[HUMAN_SIZE];
    fprintf(out, "  ");
    human_put_left(out, human_name(model->name, NAME_COLUMNS, name, sizeof name), NAME_COLUMNS);
    fprintf(out, "%6lld", (long long)model->gpus);
    fprintf(out, "%11s", human_count(model->completed, text));
    fprintf(out, "%10s", human_duration(model->ttft_s.p50, text));
    fprintf(out, "%10s", human_duration(model->ttft_s.p99, text));
    fprintf(out, "%10s", human_duration(model->e2e_s.p99, text));
    fprintf(out, "%10s", human_usd(model->usd_per_hour, text));
    fprintf(out, "%9s\n", human_usd(model->usd_per_million_tok, text));
}

void model_report_print(const struct summary *summary, FILE *out)
{
    if (!summary->models)
        return;
    fprintf(out, "\n%-*s%6s%11s%10s%10s%10s%10s%9s\n", NAME_COLUMNS + 2, "model", "GPUs",
            "completed", "TTFT p50", "TTFT p99", "E2E p99", "per hour", "/M tok");
    for (uint32_t i = 0; i < summary->facts.spec->model_count; i++)
        print_model(&summary->models[i], out);
}
