/* Token lengths are knots of the inverse CDF of the published requests (or, for ServeGen, of its
 * clients' published marginals weighted by their rates): the published quantiles and up to 34 knots
 * more, placed where a straight line between its neighbours would be furthest off. Against the full
 * data the curves are within 4 % (+ 5 tokens) everywhere and the means within 2 %. Rank
 * correlations are per request; ServeGen publishes none. */
#include "workloads/presets.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define LIST(array)                                                                                \
    {                                                                                              \
        (void *)(array), COUNT(array)                                                              \
    }
#define VARIANT(kind, data)                                                                        \
    {                                                                                              \
        (kind), (void *)&(data)                                                                    \
    }
#define NO_DIURNAL                                                                                 \
    {                                                                                              \
        .index = -1                                                                                \
    }

/* A token length by its knots. */
#define TABLE(knots)                                                                               \
    VARIANT(LENGTH_TABLE,                                                                          \
            ((const struct length_table){LIST(knots), {.min_tok = 1, .max_tok = INT64_MIN}}))

#define AZURE_SOURCE                                                                               \
    "Azure LLM inference traces 2023: Patel et al., Splitwise, ISCA 2024; "                        \
    "github.com/Azure/AzurePublicDataset, CC-BY-4.0"
#define MOONCAKE_SOURCE                                                                            \
    "Mooncake conversation trace: Qin et al., FAST 2025; github.com/kvcache-ai/Mooncake, "         \
    "Apache-2.0"
#define SERVEGEN_SOURCE                                                                            \
    "ServeGen: Xiang et al., arXiv 2505.09999; github.com/alibaba/ServeGen, Apache-2.0"

/* Azure 2023, conversation: 19,366 requests in 58 minutes. The gamma renewal fit is the best of
 * exponential, gamma and Weibull by AIC. Spearman correlation 0.073. */

static const struct inverse_cdf_knot azure_conversation_prompt[] = {
    {0, 2},        {0.005, 16},   {0.01, 29},   {0.015, 58},   {0.02, 91},   {0.025, 120},
    {0.03, 161},   {0.04, 181},   {0.05, 181},  {0.055, 181},  {0.06, 191},  {0.075, 200},
    {0.1, 207},    {0.115, 215},  {0.13, 242},  {0.135, 298},  {0.14, 317},  {0.145, 369},
    {0.25, 396},   {0.345, 412},  {0.385, 440}, {0.39, 456},   {0.395, 530}, {0.4, 703},
    {0.41, 863},   {0.44, 972},   {0.5, 1020},  {0.685, 1118}, {0.75, 1189}, {0.77, 1249},
    {0.78, 1311},  {0.81, 1321},  {0.82, 1369}, {0.83, 1508},  {0.9, 2735},  {0.905, 2923},
    {0.91, 3292},  {0.915, 3789}, {0.92, 4073}, {0.95, 4083},  {0.99, 4142}, {0.995, 4831},
    {0.999, 6212}, {1, 14050}};

static const struct inverse_cdf_knot azure_conversation_output[] = {
    {0, 7},       {0.005, 14},  {0.01, 16},   {0.015, 18}, {0.02, 24},   {0.035, 36},  {0.045, 40},
    {0.05, 41},   {0.065, 46},  {0.085, 50},  {0.09, 52},  {0.1, 54},    {0.105, 56},  {0.125, 60},
    {0.145, 66},  {0.225, 82},  {0.25, 85},   {0.39, 101}, {0.44, 110},  {0.47, 118},  {0.5, 129},
    {0.54, 145},  {0.565, 159}, {0.58, 163},  {0.6, 177},  {0.615, 184}, {0.635, 207}, {0.64, 216},
    {0.655, 219}, {0.66, 237},  {0.665, 296}, {0.67, 371}, {0.7, 384},   {0.75, 395},  {0.785, 397},
    {0.9, 424},   {0.925, 430}, {0.95, 451},  {0.96, 468}, {0.98, 540},  {0.99, 601},  {0.995, 644},
    {0.999, 954}, {1, 1000}};

static const struct arrivals_renewal azure_conversation_arrivals = {
    .rate_per_s = 5.53, .cv = NAN, .shape = 0.871};

static const struct generator_config azure_conversation = {
    .arrivals = VARIANT(ARRIVALS_GAMMA, azure_conversation_arrivals),
    .diurnal = NO_DIURNAL,
    .lengths = {TABLE(azure_conversation_prompt), TABLE(azure_conversation_output), 0.073},
};

/* Azure 2023, code: 5,353 requests in the first half of the trace. Bursts and silences: split at
 * gaps over 1 s, 72 bursts of 6.38 s on average (cv 1.23) lie 17.55 s apart (cv 1.91; a gap is
 * longer than the silence it shows by two arrival intervals, which is left out). The rate within
 * bursts is set so that the mean is the published 3.138 per second. Spearman correlation -0.017. */

static const struct inverse_cdf_knot azure_code_prompt[] = {
    {0, 3},        {0.005, 13},  {0.01, 18},    {0.02, 40},    {0.03, 51},    {0.035, 59},
    {0.05, 76},    {0.055, 81},  {0.06, 89},    {0.075, 104},  {0.085, 126},  {0.095, 144},
    {0.1, 149},    {0.11, 169},  {0.135, 201},  {0.16, 260},   {0.18, 331},   {0.205, 399},
    {0.22, 480},   {0.25, 578},  {0.27, 673},   {0.29, 747},   {0.305, 780},  {0.315, 831},
    {0.35, 924},   {0.38, 1031}, {0.445, 1201}, {0.5, 1465},   {0.61, 1914},  {0.75, 2707},
    {0.79, 3014},  {0.82, 3409}, {0.825, 3539}, {0.845, 3781}, {0.88, 4556},  {0.89, 4684},
    {0.9, 4995},   {0.91, 5479}, {0.945, 6607}, {0.95, 7154},  {0.955, 7408}, {0.99, 7436},
    {0.999, 7437}, {1, 7437}};

static const struct inverse_cdf_knot azure_code_output[] = {
    {0, 6},       {0.01, 6},   {0.05, 6},   {0.08, 6},   {0.085, 7},   {0.1, 7},    {0.155, 7},
    {0.16, 8},    {0.205, 8},  {0.21, 9},   {0.25, 9},   {0.305, 9},   {0.31, 10},  {0.365, 10},
    {0.37, 11},   {0.42, 11},  {0.425, 12}, {0.47, 12},  {0.475, 13},  {0.5, 13},   {0.56, 14},
    {0.565, 15},  {0.6, 15},   {0.605, 16}, {0.63, 16},  {0.635, 17},  {0.655, 17}, {0.68, 19},
    {0.7, 19},    {0.75, 23},  {0.815, 30}, {0.85, 37},  {0.9, 54},    {0.92, 61},  {0.945, 79},
    {0.95, 86},   {0.96, 100}, {0.97, 127}, {0.98, 164}, {0.985, 194}, {0.99, 248}, {0.995, 343},
    {0.999, 848}, {1, 1899}};

static const struct arrivals_on_off azure_code_arrivals = {
    .on_rate_per_s = 11.77,
    .mean_on_s = 6.38,
    .mean_off_s = 17.55,
    .on_cv = 1.23,
    .off_cv = 1.91,
};

static const struct generator_config azure_code = {
    .arrivals = VARIANT(ARRIVALS_ON_OFF, azure_code_arrivals),
    .diurnal = NO_DIURNAL,
    .lengths = {TABLE(azure_code_prompt), TABLE(azure_code_output), -0.017},
};

/* Mooncake, conversation: 12,031 requests in 59 minutes. Timestamps are rounded to about 3 s;
 * counts per 3 s have variance over mean 1.10, so nearly Poisson. Spearman correlation 0.072.
 * Prefix reuse is not modelled: the trace itself has it. */

static const struct inverse_cdf_knot mooncake_conversation_prompt[] = {
    {0, 891},       {0.01, 894},    {0.05, 901},     {0.08, 919},     {0.1, 964},    {0.13, 1119},
    {0.16, 1324},   {0.19, 1556},   {0.225, 1923},   {0.25, 2306},    {0.28, 2840},  {0.325, 3810},
    {0.35, 4250},   {0.42, 5272},   {0.5, 6909},     {0.58, 8951},    {0.62, 10160}, {0.69, 12689},
    {0.75, 15368},  {0.785, 17033}, {0.835, 20129},  {0.85, 21467},   {0.9, 27367},  {0.915, 29536},
    {0.935, 33521}, {0.94, 35011},  {0.95, 39552},   {0.955, 41631},  {0.96, 44629}, {0.97, 52219},
    {0.985, 73954}, {0.99, 85401},  {0.995, 100886}, {0.999, 121301}, {1, 126195}};

static const struct inverse_cdf_knot mooncake_conversation_output[] = {
    {0, 1},       {0.005, 1},   {0.01, 3},    {0.025, 3},   {0.035, 7},    {0.05, 10},
    {0.055, 12},  {0.07, 15},   {0.075, 17},  {0.08, 18},   {0.085, 20},   {0.09, 21},
    {0.095, 23},  {0.1, 24},    {0.105, 26},  {0.11, 27},   {0.115, 29},   {0.12, 30},
    {0.13, 34},   {0.145, 42},  {0.15, 46},   {0.17, 66},   {0.185, 85},   {0.215, 116},
    {0.25, 156},  {0.275, 189}, {0.355, 261}, {0.415, 302}, {0.5, 350},    {0.75, 472},
    {0.825, 522}, {0.86, 551},  {0.9, 597},   {0.92, 628},  {0.95, 698},   {0.965, 764},
    {0.975, 836}, {0.98, 893},  {0.985, 968}, {0.99, 1120}, {0.995, 1570}, {0.999, 2000},
    {1, 2000}};

static const struct arrivals_poisson mooncake_conversation_arrivals = {.rate_per_s = 3.401};

static const struct generator_config mooncake_conversation = {
    .arrivals = VARIANT(ARRIVALS_POISSON, mooncake_conversation_arrivals),
    .diurnal = NO_DIURNAL,
    .lengths = {TABLE(mooncake_conversation_prompt), TABLE(mooncake_conversation_output), 0.072},
};

/* ServeGen m-large: chat, 14 days. Zipf's exponent is the one nearest to the published shares of
 * the largest, the 5 largest and a tenth of the 162 clients (16, 43 and 74 %; the fit has 22, 47
 * and 66 %). cv: the clients' published 10th, 50th and 90th percentiles; the ends are rounded from
 * the clients' range. */

static const struct inverse_cdf_knot servegen_chat_prompt[] = {
    {0, 1},         {0.005, 58},   {0.01, 60},    {0.05, 64},    {0.08, 72},    {0.1, 74},
    {0.155, 77},    {0.175, 82},   {0.18, 89},    {0.19, 134},   {0.195, 146},  {0.205, 154},
    {0.215, 181},   {0.22, 187},   {0.23, 224},   {0.25, 262},   {0.27, 329},   {0.29, 438},
    {0.3, 466},     {0.35, 494},   {0.4, 559},    {0.5, 601},    {0.57, 686},   {0.62, 813},
    {0.685, 864},   {0.715, 964},  {0.74, 994},   {0.75, 1073},  {0.765, 1178}, {0.8, 1254},
    {0.835, 1556},  {0.845, 1753}, {0.865, 1984}, {0.88, 2293},  {0.9, 2371},   {0.95, 2404},
    {0.965, 2471},  {0.97, 2660},  {0.98, 3266},  {0.985, 3710}, {0.99, 5452},  {0.995, 7924},
    {0.999, 12730}, {1, 30712}};

static const struct inverse_cdf_knot servegen_chat_output[] = {
    {0, 1},        {0.005, 1},   {0.01, 1},   {0.05, 1},    {0.1, 1},    {0.105, 2},
    {0.12, 2},     {0.125, 3},   {0.185, 3},  {0.19, 4},    {0.195, 4},  {0.2, 5},
    {0.215, 5},    {0.225, 7},   {0.235, 7},  {0.24, 8},    {0.25, 8},   {0.265, 8},
    {0.27, 9},     {0.275, 9},   {0.28, 10},  {0.305, 12},  {0.32, 15},  {0.355, 15},
    {0.38, 20},    {0.405, 29},  {0.485, 47}, {0.5, 53},    {0.545, 68}, {0.63, 108},
    {0.72, 164},   {0.735, 178}, {0.75, 208}, {0.765, 241}, {0.79, 342}, {0.805, 380},
    {0.9, 461},    {0.935, 497}, {0.95, 539}, {0.97, 647},  {0.99, 872}, {0.995, 1031},
    {0.999, 1595}, {1, 9307}};

static const struct inverse_cdf_knot servegen_chat_cv[] = {
    {0, 0.8}, {0.1, 0.94}, {0.5, 1.19}, {0.9, 6.23}, {1, 12}};

static const struct arrivals_clients servegen_chat_arrivals = {
    .rate_per_s = 195.8,
    .count = 162,
    .zipf_exponent = 1.1,
    .top_share = NAN,
    .cv = LIST(servegen_chat_cv),
};

static const struct generator_config servegen_chat = {
    .arrivals = VARIANT(ARRIVALS_CLIENTS, servegen_chat_arrivals),
    .diurnal = NO_DIURNAL,
    .lengths = {TABLE(servegen_chat_prompt), TABLE(servegen_chat_output), 0},
};

/* ServeGen deepseek-r1: reasoning, one day; outputs hold the reasoning. Fitted as above: the
 * published shares of 73 clients are 29, 52 and 60 %, the fit has 25, 54 and 60 %. */

static const struct inverse_cdf_knot servegen_reasoning_prompt[] = {
    {0, 4},         {0.005, 7},    {0.01, 9},     {0.015, 10},   {0.02, 10},    {0.035, 12},
    {0.045, 12},    {0.05, 13},    {0.1, 18},     {0.14, 25},    {0.215, 31},   {0.25, 41},
    {0.34, 71},     {0.375, 91},   {0.395, 108},  {0.43, 154},   {0.45, 172},   {0.465, 200},
    {0.5, 208},     {0.54, 215},   {0.55, 222},   {0.565, 255},  {0.625, 279},  {0.635, 294},
    {0.65, 349},    {0.725, 431},  {0.75, 482},   {0.775, 580},  {0.82, 870},   {0.835, 1002},
    {0.845, 1158},  {0.875, 1305}, {0.9, 2092},   {0.915, 2921}, {0.925, 3858}, {0.93, 3951},
    {0.94, 4987},   {0.95, 6714},  {0.97, 12390}, {0.98, 16479}, {0.99, 23423}, {0.995, 28228},
    {0.999, 33783}, {1, 57284}};

static const struct inverse_cdf_knot servegen_reasoning_output[] = {
    {0, 9},        {0.005, 117},   {0.01, 141},    {0.015, 157},  {0.025, 182},  {0.05, 225},
    {0.1, 287},    {0.16, 351},    {0.25, 427},    {0.32, 488},   {0.38, 554},   {0.44, 648},
    {0.5, 792},    {0.62, 1164},   {0.75, 1499},   {0.79, 1632},  {0.81, 1737},  {0.825, 1853},
    {0.835, 1962}, {0.85, 2196},   {0.875, 2751},  {0.9, 3432},   {0.925, 4310}, {0.94, 5057},
    {0.95, 5701},  {0.96, 6524},   {0.97, 7617},   {0.975, 8369}, {0.98, 9338},  {0.985, 10684},
    {0.99, 12607}, {0.995, 15737}, {0.999, 20833}, {1, 32768}};

static const struct inverse_cdf_knot servegen_reasoning_cv[] = {
    {0, 0.6}, {0.1, 0.74}, {0.5, 1.02}, {0.9, 5.56}, {1, 10}};

static const struct arrivals_clients servegen_reasoning_arrivals = {
    .rate_per_s = 16.01,
    .count = 73,
    .zipf_exponent = 1.12,
    .top_share = NAN,
    .cv = LIST(servegen_reasoning_cv),
};

static const struct generator_config servegen_reasoning = {
    .arrivals = VARIANT(ARRIVALS_CLIENTS, servegen_reasoning_arrivals),
    .diurnal = NO_DIURNAL,
    .lengths = {TABLE(servegen_reasoning_prompt), TABLE(servegen_reasoning_output), 0},
};

static const struct preset presets[] = {
    {"azure-conversation", "chat with medium prompts and short answers, nearly Poisson, 5.5/s",
     AZURE_SOURCE, &azure_conversation},
    {"azure-code", "code completion: long prompts, very short answers, in bursts, 3.1/s",
     AZURE_SOURCE, &azure_code},
    {"mooncake-conversation", "chat with very long prompts, Poisson, 3.4/s", MOONCAKE_SOURCE,
     &mooncake_conversation},
    {"servegen-chat", "chat from 162 unequal, bursty clients, 196/s", SERVEGEN_SOURCE,
     &servegen_chat},
    {"servegen-reasoning", "reasoning with long answers from 73 unequal, bursty clients, 16/s",
     SERVEGEN_SOURCE, &servegen_reasoning},
};

const char *const preset_names[] = {
    "azure-conversation", "azure-code",         "mooncake-conversation",
    "servegen-chat",      "servegen-reasoning", NULL,
};

_Static_assert(COUNT(presets) + 1 == COUNT(preset_names), "every preset has its name in the list");

const struct preset *preset_list(size_t *count)
{
    *count = COUNT(presets);
    return presets;
}
