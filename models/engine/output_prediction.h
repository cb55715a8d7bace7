/* What a scheduler believes a request will answer: the true number of tokens, and an error.
 *
 * Real schedulers ask a small model (S3: Jin et al., NeurIPS 2023; proxy-model-based SSJF: Qiu et
 * al., 2024), which is wrong in a way of its own; here it is one of the error models below. The
 * error belongs to the request: it is drawn by a hash of when it arrived and of its tokens, so that
 * every engine and router that asks is told the same, however often, and no stream of random
 * numbers is moved by asking. */
#ifndef TOKENYARD_MODELS_ENGINE_OUTPUT_PREDICTION_H
#define TOKENYARD_MODELS_ENGINE_OUTPUT_PREDICTION_H

#include "models/engine/request.h"
#include "sim/config.h"

enum output_prediction_kind { PREDICT_EXACT, PREDICT_LOGNORMAL, PREDICT_BUCKETS };

struct output_prediction {
    enum output_prediction_kind kind;
    double sigma;       /* PREDICT_LOGNORMAL: of the logarithm of predicted over true */
    int64_t bucket_tok; /* PREDICT_BUCKETS: the width of a class of lengths */
    double accuracy;    /* how often the class is right; else it is the one below or above */
};

/* The variants of a scenario, by enum output_prediction_kind. */
extern const struct config_variant_type output_prediction_kinds[];

/* variant: of output_prediction_kinds. */
struct output_prediction output_prediction_of(const struct config_variant *variant);

/* Predicted output tokens, at least 1, where it is not exact. */
int64_t output_guess(const struct output_prediction *prediction, const struct request *request);

/* Predicted output tokens, at least 1. */
static inline int64_t output_predict(const struct output_prediction *prediction,
                                     const struct request *request)
{
    return prediction->kind == PREDICT_EXACT ? (int64_t)request->output_tok
                                             : output_guess(prediction, request);
}

#endif
