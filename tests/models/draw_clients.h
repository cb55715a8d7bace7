/* Clients that give up, drawn at random: patience of about as long as a scene's requests take. */
#ifndef TOKENYARD_TESTS_DRAW_CLIENTS_H
#define TOKENYARD_TESTS_DRAW_CLIENTS_H

#include <gsl/gsl_rng.h>
#include <math.h>

#include "models/fleet/client_settings.h"
#include "workloads/lengths.h"

enum { DRAWN_CLASSES_MAX = 4 };

struct drawn_clients {
    struct arena *arena; /* of the caller */
    struct client_settings settings[DRAWN_CLASSES_MAX];
    struct length_uniform stop_after[DRAWN_CLASSES_MAX];
    struct client_rule rules[DRAWN_CLASSES_MAX];
};

/* On a grid that times of iterations may be on, too, or anywhere. */
static inline double draw_patience_s(gsl_rng *rng)
{
    double steps = (double)(1 + gsl_rng_uniform_int(rng, 60));
    return gsl_rng_uniform_int(rng, 2) ? 0.0009765625 * steps
                                       : 0.001 * steps * gsl_rng_uniform_pos(rng);
}

static inline struct client_settings draw_client(gsl_rng *rng, struct length_uniform *stop_after)
{
    *stop_after = (struct length_uniform){1, 1 + (int64_t)gsl_rng_uniform_int(rng, 40)};
    bool stops = gsl_rng_uniform_int(rng, 3) == 0, first = gsl_rng_uniform_int(rng, 2) != 0;
    double patience_s = draw_patience_s(rng);
    bool both = gsl_rng_uniform_int(rng, 3) == 0;
    return (struct client_settings){
        .ttft_timeout_s = first ? patience_s : NAN,
        .e2e_timeout_s = !first ? patience_s
                         : both ? patience_s + draw_patience_s(rng)
                                : NAN,
        .cancel_on_timeout = gsl_rng_uniform_int(rng, 3) != 0,
        .retries = (int64_t)gsl_rng_uniform_int(rng, 4),
        .backoff_s = gsl_rng_uniform_int(rng, 4) ? draw_patience_s(rng) : 0,
        .backoff_max_s = 0.02,
        .backoff_jitter = gsl_rng_uniform_int(rng, 2) ? 0.25 : 0,
        .stop_share = stops ? 0.5 : 0,
        .stop_after_tok = {stops ? LENGTH_UNIFORM : -1, stops ? stop_after : NULL}};
}

/* In place: rules point into `drawn`. */
static inline void draw_clients(gsl_rng *rng, struct drawn_clients *drawn, size_t classes)
{
    for (size_t i = 0; i < classes; i++) {
        drawn->settings[i] = draw_client(rng, &drawn->stop_after[i]);
        bool patient = gsl_rng_uniform_int(rng, 4) == 0;
        struct error error = {0};
        cr_assert(client_rule_make(patient ? NULL : &drawn->settings[i], drawn->arena,
                                   &(struct place){0}, &drawn->rules[i], &error),
                  "%s", error.message);
        if (gsl_rng_uniform_int(rng, 3) == 0)
            drawn->rules[i].shed_after_s = draw_patience_s(rng);
    }
}

#endif
