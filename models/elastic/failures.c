/* Where the defaults come from.
 *
 * GPUs: pre-training of Llama 3 405B was interrupted 268 times by GPUs in 54 days on 16,384 H100
 * (faulty GPU 148, HBM 72, SRAM 19, system processor 17, silent corruption 6, thermal 6): one in
 * 79,200 GPU-hours. The rest of a machine: its hosts 21 times (NIC 7, SSD 3, power 3, chassis 2, IO
 * board 2, CPU 2, memory 2) and unplanned host maintenance 32 times, in 2.65 million node-hours:
 * one in 50,000. (Dubey et al., "The Llama 3 Herd of Models", 2024, table 5. Software bugs, network
 * switches and jobs that hung are left out: they are no failures of a node. Confidence: high for
 * that cluster.) A node of 8 thus fails 2.9 times in 1,000 days; Meta's two research clusters had
 * 6.5 and 2.3 (Kokolis et al., "Revisiting Reliability in Large-Scale Machine Learning Research
 * Clusters", 2024, A100).
 *
 * Detection: the node controller of Kubernetes gives up a node that is silent for
 * node-monitor-grace-period, 50 s since 1.32 (40 s before), and looks every 5 s; EC2's status
 * checks run every minute, and Auto Scaling acts on a failed one. Confidence: high for the first.
 */
#include "models/elastic/failures.h"

#include <math.h>

#include "models/elastic/duration.h"
#include "sim/random.h"

#define HOURS_MAX 1e12
#define S_PER_H   3600.0

#define HOURS(member, default_h, text)                                                             \
    {                                                                                              \
        .name = #member, .kind = CONFIG_NUMBER,                                                    \
        .offset = offsetof(struct failure_settings, member), .preset = default_h, .doc = text,     \
        .optional = true, .min = 0, .max = HOURS_MAX, .above_min = true                            \
    }

static const struct config_field fields[] = {
    HOURS(gpu_mtbf_h, "79200", "mean hours between failures of one GPU; null: none fails"),
    HOURS(instance_mtbf_h, "50000",
          "likewise of all else in an instance: host, network card, power; null: none fails"),
    DURATION_FIELD(
        "detection", struct failure_settings, detection,
        "until a failed node is given up and another may be asked for; null: 50 to 55 s"),
    {0}};

const struct config_type failure_config_type = {
    .name = "failures",
    .doc = "Machines that break",
    .size = sizeof(struct failure_settings),
    .fields = fields,
};

bool failure_check(const struct failure_settings *settings, const struct place *place,
                   struct error *error)
{
    return duration_check(&settings->detection, place, "detection", error);
}

static double rate_per_h(double mtbf_h, int64_t count)
{
    return isnan(mtbf_h) ? 0 : (double)count / mtbf_h;
}

double failure_mtbf_s(const struct failure_settings *settings, int64_t instances, int64_t gpus)
{
    double failures_per_h =
        rate_per_h(settings->gpu_mtbf_h, gpus) + rate_per_h(settings->instance_mtbf_h, instances);
    return S_PER_H / failures_per_h;
}

tick_t failure_draw(const struct failure_settings *settings, int64_t instances, int64_t gpus,
                    gsl_rng *rng)
{
    if (!settings)
        return TICK_NEVER;
    double life_s = -failure_mtbf_s(settings, instances, gpus) * log(random_open_unit(rng));
    return life_s < CLOCK_MAX_S ? tick_from_s(life_s) : TICK_NEVER;
}

tick_t failure_draw_detection(const struct failure_settings *settings, gsl_rng *rng)
{
    if (settings->detection.index >= 0)
        return duration_draw(&settings->detection, rng);
    return tick_from_s(50 + 5 * random_open_unit(rng));
}
