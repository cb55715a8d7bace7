#include "models/llm/lora.h"

/* In and out of all projections of one attention layer. Linear attention's have none. */
static double attention_width(const struct llm *llm, enum attention_kind kind)
{
    double hidden = (double)llm->hidden, heads = (double)llm->heads;
    if (kind == ATTENTION_LINEAR)
        return 0;
    if (kind == ATTENTION_FULL || kind == ATTENTION_WINDOW) {
        double queries = heads * (double)llm->head_dim;
        double keys = (double)(llm->kv_heads * llm->head_dim);
        return (hidden + queries) + 2 * (hidden + keys) + (queries + hidden);
    }
    double kv_rank = (double)llm->kv_lora_rank, q_rank = (double)llm->q_lora_rank;
    double queries = heads * (double)llm->head_dim, values = heads * (double)llm->value_head_dim;
    double q = q_rank > 0 ? (hidden + q_rank) + (q_rank + queries) : hidden + queries;
    double down = hidden + kv_rank + (double)llm->rope_head_dim;
    double up = kv_rank + heads * (double)llm->nope_head_dim + values;
    return q + down + up + (values + hidden);
}

static double ffn_width(const struct llm *llm)
{
    double matrices = llm->gated_ffn ? 3 : 2;
    return matrices * ((double)llm->hidden + (double)llm->intermediate);
}

static double lora_elements(const struct llm *llm, int64_t rank)
{
    double width = 0;
    for (size_t i = 0; i < llm->group_count; i++) {
        const struct llm_layer_group *group = &llm->groups[i];
        double layer =
            attention_width(llm, group->attention) + (group->experts ? 0 : ffn_width(llm));
        width += (double)group->layers * layer;
    }
    return width * (double)rank;
}

double lora_bytes_per_gpu(const struct llm *llm, int64_t rank, int64_t tensor_parallel)
{
    double share = (1 + 1 / (double)tensor_parallel) / 2;
    return share * lora_elements(llm, rank) * precision_bytes(PRECISION_BF16);
}
