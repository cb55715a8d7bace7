/* Named generators whose arrivals and lengths follow published workloads.
 *
 * A preset is a generator written down here instead of in a scenario:
 * config_to_json(&generator_type, preset->generator) gives the text to start a variation from.
 * Rates are the published means; a stream's rate_per_s changes them. Presets hold no daily rhythm.
 * Static data. */
#ifndef TOKENYARD_WORKLOADS_PRESETS_H
#define TOKENYARD_WORKLOADS_PRESETS_H

#include <stddef.h>

#include "workloads/generator.h"

struct preset {
    const char *name;    /* "azure-conversation" */
    const char *summary; /* one line */
    const char *source;  /* publication, data and licence */
    const struct generator_config *generator;
};

const struct preset *preset_list(size_t *count);

extern const char *const preset_names[]; /* of preset_list, in its order; ends with NULL */

#endif
