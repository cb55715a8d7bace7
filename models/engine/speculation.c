#include "models/engine/speculation.h"

#include <math.h>

#include "models/hardware/hardware.h"

#define FIELD(member) offsetof(struct speculative_settings, member)

enum { DRAFT_TOKENS_MAX = 64 };

static const char *const method_names[] = {
    [DRAFT_MODEL] = "draft", [DRAFT_NGRAM] = "ngram", [DRAFT_MTP] = "mtp", NULL};

const struct config_variant_type draft_methods[] = {
    [DRAFT_MODEL] = {"draft", "a smaller model on the same GPUs, one token after the other", NULL},
    [DRAFT_NGRAM] = {"ngram", "a look-up in the text so far, which takes no time", NULL},
    [DRAFT_MTP] = {"mtp", "layers that predict further tokens: MTP modules, EAGLE heads", NULL},
    {0}};

static const struct config_field acceptance_element = {
    .name = "acceptance",
    .kind = CONFIG_NUMBER,
    .min = 0,
    .max = 1,
    .doc = "probability that the draft at this position is accepted, once those before it were"};

static const struct config_field speculative_fields[] = {
    {.name = "method",
     .kind = CONFIG_ENUM,
     .offset = FIELD(method),
     .names = method_names,
     .doc = "who drafts: a smaller model (draft), a look-up in the text so far (ngram), or layers "
            "that predict further tokens (mtp; EAGLE heads, too)"},
    {.name = "tokens",
     .kind = CONFIG_INT,
     .offset = FIELD(tokens),
     .min = 1,
     .max = DRAFT_TOKENS_MAX,
     .doc = "tokens drafted in each iteration (vLLM's num_speculative_tokens)"},
    {.name = "acceptance",
     .kind = CONFIG_LIST,
     .offset = FIELD(acceptance),
     .element = &acceptance_element,
     .min = 1,
     .max = DRAFT_TOKENS_MAX,
     .doc = "by position, the probability that a draft is accepted once those before it were; the "
            "last holds for all positions after it"},
    {.name = "draft_model",
     .kind = CONFIG_STRING,
     .offset = FIELD(draft_model),
     .optional = true,
     .doc = "draft: name from `tokenyard list models`, or path of a Hugging Face config.json"},
    {.name = "draft_tensor_parallel",
     .kind = CONFIG_INT,
     .offset = FIELD(draft_tensor_parallel),
     .optional = true,
     .min = 1,
     .max = 1024,
     .doc = "draft: GPUs that share its layers, 1 or as many as the model's "
            "(draft_tensor_parallel_size); null: as many"},
    {.name = "draft_weights",
     .kind = CONFIG_ENUM,
     .offset = FIELD(draft_weights),
     .names = precision_names,
     .optional = true,
     .doc = "draft and mtp: number format of the weights; null: as the model's"},
    /* A rough figure: engines launch each pass anew and sample from it, without the scheduler's
     * work of an iteration. */
    {.name = "draft_overhead_ms",
     .kind = CONFIG_NUMBER,
     .offset = FIELD(draft_overhead_ms),
     .preset = "0.2",
     .min = 0,
     .max = 1000,
     .doc = "draft and mtp: launch time of each drafted token"},
    {.name = "disable_by_batch_size",
     .kind = CONFIG_INT,
     .offset = FIELD(disable_by_batch_size),
     .optional = true,
     .min = 1,
     .max = 65536,
     .doc = "iterations that decode this many sequences or more draft nothing (vLLM V0; "
            "TensorRT-LLM's max_concurrency + 1); null: all draft"},
    {0}};

const struct config_type speculative_settings_type = {.name = "speculative",
                                                      .doc = "Speculative decoding",
                                                      .size = sizeof(struct speculative_settings),
                                                      .fields = speculative_fields};

double speculative_tokens_per_step(const struct speculative_settings *settings)
{
    const double *acceptance = settings->acceptance.items;
    double all_accepted = 1, tokens = 1;
    for (size_t i = 0; i < (size_t)settings->tokens; i++) {
        size_t last = settings->acceptance.count - 1;
        all_accepted *= acceptance[i < last ? i : last];
        tokens += all_accepted;
    }
    return tokens;
}

bool speculative_check(const struct speculative_settings *settings, struct error *error)
{
    if (settings->acceptance.count > (size_t)settings->tokens) {
        error_set(error, ERROR_BAD_INPUT,
                  "speculative.acceptance has %zu positions, but %lld tokens are drafted",
                  settings->acceptance.count, (long long)settings->tokens);
        return error_hint(error, "give one for each drafted token at most");
    }
    bool drafts = settings->method == DRAFT_MODEL;
    if (drafts && !settings->draft_model) {
        error_set(error, ERROR_BAD_INPUT, "speculative.method \"draft\" needs a draft_model");
        return error_hint(error, "name a small one from `tokenyard list models`");
    }
    if (drafts || (!settings->draft_model && settings->draft_tensor_parallel == INT64_MIN))
        return true;
    error_set(error, ERROR_BAD_INPUT,
              "speculative.%s is for method \"draft\", but the method is \"%s\"",
              settings->draft_model ? "draft_model" : "draft_tensor_parallel",
              method_names[settings->method]);
    return error_hint(error, "leave it out, or set method to \"draft\"");
}

struct speculation speculation_of(const struct speculative_settings *settings)
{
    uint64_t per_turn = (uint64_t)llround(speculative_tokens_per_step(settings) * (double)PACE_ONE);
    return (struct speculation){.pace = {.per_turn = per_turn},
                                .draft_tok = settings->tokens,
                                .ahead_tok =
                                    settings->tokens + 1 - (int64_t)(per_turn >> PACE_BITS),
                                .most_decodes = settings->disable_by_batch_size == INT64_MIN
                                                    ? INT64_MAX
                                                    : settings->disable_by_batch_size - 1};
}
