#include "models/engine/output_prediction.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

#include "sim/random.h"

struct lognormal_config {
    double sigma;
};

struct buckets_config {
    int64_t bucket_tok;
    double accuracy;
};

static const struct config_field lognormal_fields[] = {
    {.name = "sigma",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct lognormal_config, sigma),
     .preset = "0.5",
     .min = 0,
     .max = 10,
     .doc = "standard deviation of ln(predicted / true)"},
    {0}};

static const struct config_type lognormal_type = {
    .name = "output_prediction_lognormal",
    .doc = "Predictions that are wrong by a lognormal factor of median 1",
    .size = sizeof(struct lognormal_config),
    .fields = lognormal_fields};

/* S3 sorts answers into ten classes and gets 98.6 % of them right on Alpaca (its section 4). */
static const struct config_field buckets_fields[] = {
    {.name = "bucket_tok",
     .kind = CONFIG_INT,
     .offset = offsetof(struct buckets_config, bucket_tok),
     .preset = "100",
     .min = 1,
     .max = 1e6,
     .doc = "width of a class of lengths, in tokens"},
    {.name = "accuracy",
     .kind = CONFIG_NUMBER,
     .offset = offsetof(struct buckets_config, accuracy),
     .preset = "0.986",
     .min = 0,
     .max = 1,
     .doc = "how often the class is the right one; else it is the next below or above"},
    {0}};

static const struct config_type buckets_type = {
    .name = "output_prediction_buckets",
    .doc = "Predictions of a classifier: a class of lengths, now and then the wrong one",
    .size = sizeof(struct buckets_config),
    .fields = buckets_fields};

const struct config_variant_type output_prediction_kinds[] = {
    [PREDICT_EXACT] = {"exact", "what the request will answer, without error", NULL},
    [PREDICT_LOGNORMAL] = {"lognormal", "the true length times a lognormal factor",
                           &lognormal_type},
    [PREDICT_BUCKETS] = {"buckets", "the class of lengths that a classifier says", &buckets_type},
    {0}};

struct output_prediction output_prediction_of(const struct config_variant *variant)
{
    struct output_prediction prediction = {.kind = (enum output_prediction_kind)variant->index};
    if (prediction.kind == PREDICT_LOGNORMAL) {
        const struct lognormal_config *config = variant->value;
        prediction.sigma = config->sigma;
    } else if (prediction.kind == PREDICT_BUCKETS) {
        const struct buckets_config *config = variant->value;
        prediction.bucket_tok = config->bucket_tok;
        prediction.accuracy = config->accuracy;
    }
    return prediction;
}

/* Uniform in (0, 1), the request's own: `lane` 0 or 1. */
static double request_unit(const struct request *request, int lane)
{
    const uint32_t counter[4] = {(uint32_t)request->arrival,
                                 (uint32_t)((uint64_t)request->arrival >> 32), request->prompt_tok,
                                 request->output_tok};
    const uint32_t key[2] = {request->stream, request->client};
    uint32_t out[4];
    random_philox_block(counter, key, out);
    return ((double)out[lane] + 0.5) * 0x1p-32;
}

static double lognormal(const struct output_prediction *prediction, const struct request *request)
{
    double error = gsl_cdf_ugaussian_Pinv(request_unit(request, 0));
    return request->output_tok * exp(prediction->sigma * error);
}

/* The middle of the class. */
static double bucket(const struct output_prediction *prediction, const struct request *request)
{
    int64_t class = request->output_tok / prediction->bucket_tok;
    if (request_unit(request, 0) >= prediction->accuracy)
        class += request_unit(request, 1) < 0.5 && class > 0 ? -1 : 1;
    return ((double)class + 0.5) * (double)prediction->bucket_tok;
}

int64_t output_guess(const struct output_prediction *prediction, const struct request *request)
{
    const double longest_tok = 0x1p52;
    double tokens = prediction->kind == PREDICT_LOGNORMAL ? lognormal(prediction, request)
                                                          : bucket(prediction, request);
    return llround(fmax(1, fmin(tokens, longest_tok)));
}
