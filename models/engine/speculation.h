/* Speculative decoding: several tokens are drafted cheaply, and the model verifies them at once.
 *
 * Each iteration of a decode drafts `tokens` tokens and verifies them together with the one that
 * was sampled last. Accepted are those before the first that is rejected, and one token is the
 * model's own, so an iteration emits E = 1 + a1 + a1 a2 + ... tokens on average, where the i-th
 * draft is accepted with probability a_i once those before it were (Leviathan et al., "Fast
 * inference from Transformers via speculative decoding", ICML 2023, equation 1, with a_i all
 * equal). vLLM's metrics and logs have acceptance per position of all drafts,
 * r_i = a1 a2 ... a_i (vllm/v1/spec_decode/metrics.py, v0.10): a_i = r_i / r_(i-1).
 *
 * Here all decodes of an engine emit at the mean pace, as evenly as whole tokens can (sim/pace.h):
 * at 3.36, three or four in an iteration. That one sequence is luckier than another is left out.
 * An answer ends with its last token, though the iteration may have verified more.
 *
 * Drafts come from a smaller model, which computes the prompts, too, and one token after the
 * other; from layers trained to predict further tokens (DeepSeek's MTP modules, EAGLE heads), taken
 * to cost one layer of the model, its attention and its lm_head for each token; or from looking
 * the last tokens up in the text so far, which takes the GPU no time. */
#ifndef TOKENYARD_MODELS_ENGINE_SPECULATION_H
#define TOKENYARD_MODELS_ENGINE_SPECULATION_H

#include "sim/config.h"
#include "sim/pace.h"

enum draft_method { DRAFT_MODEL, DRAFT_NGRAM, DRAFT_MTP };

struct speculative_settings {
    int method;                    /* enum draft_method */
    int64_t tokens;                /* drafted in each iteration */
    struct config_list acceptance; /* double, by position; the last holds for all after it */
    const char *draft_model;       /* DRAFT_MODEL */
    int64_t draft_tensor_parallel; /* INT64_MIN: as the model's */
    int draft_weights;             /* enum precision; -1: as the model's */
    double draft_overhead_ms;
    int64_t disable_by_batch_size; /* INT64_MIN: never */
};

extern const struct config_type speculative_settings_type;
extern const struct config_variant_type draft_methods[]; /* by enum draft_method, to be listed */

/* E: tokens of one iteration, on average. */
double speculative_tokens_per_step(const struct speculative_settings *settings);

bool speculative_check(const struct speculative_settings *settings, struct error *error);

/* What an engine needs to know of it; all 0: it does not speculate. */
struct speculation {
    struct pace pace;     /* of each decode, tokens by iteration */
    int64_t draft_tok;    /* drafted in each iteration */
    int64_t ahead_tok;    /* KV cache that a decode holds beyond its tokens */
    int64_t most_decodes; /* with more of them, nothing is drafted */
};

/* While c tokens are in the cache, an iteration writes draft_tok + 1 more, and keeps those that
 * were accepted (vLLM V1, KVCacheManager.allocate_slots: blocks for all of them). As the pace is
 * at least the whole part of E, holding ahead_tok = draft_tok + 1 - floor(E) beyond what the
 * iteration will keep is enough, and at most one token too much: no more than prompt + output +
 * draft_tok ever. */
struct speculation speculation_of(const struct speculative_settings *settings);

#endif
