/* How long single kernels take on one GPU, with the kernels of one framework.
 *
 *   time = (start + roofline of the shape on the datasheet) x fitted ratio
 *
 * kernel.h has the rooflines, surface.h the ratios.
 * The ratios come from models/catalog/operators/<gpu>.json, which `tokenyard calibrate` writes from
 * measured tables. A GPU without tables takes the ratios of a relative (operators/relatives.json),
 * with scales for what it moves and computes more slowly; one that is not listed there is its
 * datasheet's roofline with the efficiencies of gpus.json. A user's own tables go before all of
 * these, operator by operator and format by format: what they lack is timed as without them. Since
 * the ratios depend on the shape alone, more bandwidth or arithmetic is never slower. Times are in
 * seconds; a shape is what ONE GPU computes. More work never takes less time only up to the wiggles
 * of the fit: steptime_compile evens those out. Immutable; owned by the arena. */
#ifndef TOKENYARD_MODELS_STEPTIME_OPERATORS_H
#define TOKENYARD_MODELS_STEPTIME_OPERATORS_H

#include "models/hardware/hardware.h"
#include "models/steptime/surface.h"

struct operators;

/* Attention of one layer on one GPU. kv is the cache's format. window: 0 is full attention. */
struct attention_shape {
    double heads, kv_heads, head_dim, window;
    enum precision kv;
};

/* Experts of one layer on one GPU: experts_local whole experts of hidden x inter (already divided
 * by expert tensor parallelism), top_k of `experts` chosen per token. */
struct expert_shape {
    double hidden, inter, experts, experts_local, top_k;
    enum precision weights;
    /* Only tokens for its own experts reach a GPU. Otherwise it goes through all of them, to find
     * which are its own, and the tables of few local experts hold that. */
    bool dispatched;
};

/* framework: "vllm", "trtllm" or "sglang"; tables of another framework stand in where the named one
 * has none (operators_known says so). catalog_folder holds operators/. NULL on error. */
const struct operators *operators_read(const char *catalog_folder, const struct gpu *gpu,
                                       const char *framework, struct arena *arena,
                                       struct error *error);

/* The same from curves at hand (operator_entry.h, operator_tables.h), which must outlive it. */
struct operator_file;
const struct operators *operators_from_file(const struct operator_file *file, const struct gpu *gpu,
                                            const char *framework, struct arena *arena);

/* Likewise, and what `file` has not measured in that very format is timed by `rest`, of the same
 * GPU, which must outlive it too. Of attention, the formats of the cache count, and the nearest
 * head size measured stands in for the others. */
const struct operators *operators_over(const struct operators *rest,
                                       const struct operator_file *file, const char *framework,
                                       struct arena *arena);

/* A copy whose scales on what a relative moves and computes (relatives.h) may be changed, for a fit
 * of them; refers to the first. */
struct operators *operators_copy(const struct operators *operators, struct arena *arena);
struct operator_scales {
    double memory, compute, link;
};
void operators_rescale(struct operators *operators, const struct operator_scales *scales);

enum operators_basis {
    OPERATORS_OWN,       /* tables measured on this GPU */
    OPERATORS_RELATIVE,  /* those of a relative whose architecture or measured layers resemble it */
    OPERATORS_ASSUMED,   /* those of a GPU that nothing measured says it resembles */
    OPERATORS_DATASHEET, /* none: its roofline */
    OPERATORS_USER,      /* operators_over: the user's own tables of this GPU */
};

/* What the times rest on; for reports. */
struct operators_quality {
    enum operators_basis basis;
    enum operators_basis rest; /* what OPERATORS_USER lacks rests on */
    const char *like; /* the GPU whose tables these are (of OPERATORS_USER, rest's); NULL: none's */
    const char *known;    /* one line in plain words */
    const char *source;   /* of the tables, of who stands in for whom, or of the datasheet */
    double typical_error; /* median |fitted / measured - 1| over all points; NaN when not known */
};
struct operators_quality operators_quality(const struct operators *operators);

/* What a deployment computes with, and the operators that it needs for it. */
struct operators_use {
    enum precision weights, expert_weights, kv;
    bool experts, collectives;
};
enum operator_need {
    NEED_GEMM,
    NEED_HEAD_GEMM, /* the output layer is in 16 bits beside any other weights */
    NEED_PREFILL_ATTENTION,
    NEED_DECODE_ATTENTION,
    NEED_EXPERTS,
    NEED_ALL_REDUCE,
    NEED_ALL_GATHER,
    OPERATOR_NEEDS
};
extern const char *const operator_need_names[]; /* "gemm", ...; by the enum above */
/* Those that are timed by operators_over's `rest`: a bit for each. */
unsigned operators_lacking(const struct operators *operators, const struct operators_use *use);

/* rows x in times in x out. */
double operators_gemm_s(const struct operators *operators, enum precision weights, double rows,
                        double out, double in);
/* Causal attention of `batch` whole prompts of `length` tokens each. */
double operators_prefill_attention_s(const struct operators *operators,
                                     const struct attention_shape *shape, double batch,
                                     double length);
/* One decode step of `batch` sequences with `context` tokens in the cache each. */
double operators_decode_attention_s(const struct operators *operators,
                                    const struct attention_shape *shape, double batch,
                                    double context);
double operators_experts_s(const struct operators *operators, const struct expert_shape *shape,
                           double tokens);

/* Collectives among `gpus` GPUs of one node; bytes: of the whole vector on one GPU (all-reduce), of
 * the gathered result (all-gather). Over nodes: by node_link_gb_s. 0 for one GPU. */
double operators_all_reduce_s(const struct operators *operators, int64_t gpus, double bytes);
double operators_all_gather_s(const struct operators *operators, int64_t gpus, double bytes);
/* An element-wise kernel (norm, rotary, activation) that moves so many bytes. */
double operators_small_s(const struct operators *operators, double bytes);

#endif
