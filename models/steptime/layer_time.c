#include "models/steptime/layer_time.h"

#define AT(member) offsetof(struct layer_time, member)

static const struct config_field fields[] = {{.name = "decode_s",
                                              .kind = CONFIG_NUMBER,
                                              .offset = AT(decode_s),
                                              .preset = "0",
                                              .min = 0,
                                              .max = 60,
                                              .doc = "of a batch in which anybody decodes"},
                                             {.name = "sequence_s",
                                              .kind = CONFIG_NUMBER,
                                              .offset = AT(sequence_s),
                                              .preset = "0",
                                              .min = 0,
                                              .max = 60,
                                              .doc = "and for each sequence that decodes"},
                                             {.name = "prompt_s",
                                              .kind = CONFIG_NUMBER,
                                              .offset = AT(prompt_s),
                                              .preset = "0",
                                              .min = 0,
                                              .max = 60,
                                              .doc = "of a batch with a prompt"},
                                             {.name = "prompt_token_s",
                                              .kind = CONFIG_NUMBER,
                                              .offset = AT(prompt_token_s),
                                              .min = 0,
                                              .above_min = true,
                                              .max = 60,
                                              .doc = "and for each token of its prompts"},
                                             {0}};

const struct config_type layer_time_type = {.name = "layer_time",
                                            .doc = "Time of one layer, given outright",
                                            .size = sizeof(struct layer_time),
                                            .fields = fields};

/* All of it depends on who is in the batch, and none on the number of its tokens alone. */
static double layers_s(void *context, int64_t tokens)
{
    (void)context, (void)tokens;
    return 0;
}

static double head_s(void *context, int64_t rows)
{
    (void)context, (void)rows;
    return 0;
}

static double decode_attention_s(void *context, int64_t n, double context_each)
{
    const struct timed_layers *layers = context;
    (void)context_each;
    return layers->layers * (layers->one.decode_s + layers->one.sequence_s * (double)n);
}

static double prefill_attention_s(void *context, double start, double tokens)
{
    const struct timed_layers *layers = context;
    (void)start;
    return layers->layers * (layers->one.prompt_s + layers->one.prompt_token_s * tokens);
}

struct kernel_sum layer_time_kernels(struct timed_layers *layers)
{
    return (struct kernel_sum){.layers_s = layers_s,
                               .head_s = head_s,
                               .decode_attention_s = decode_attention_s,
                               .prefill_attention_s = prefill_attention_s,
                               .context = layers};
}
