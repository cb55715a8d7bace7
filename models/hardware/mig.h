/* MIG: slices of a GPU that are devices of their own.
 *
 * models/catalog/mig.json lists the profiles. For each, hardware.h knows a GPU named after both,
 * "H100-SXM/1g.10gb": its parent's rates times the slice's share of compute and memory, and the
 * parent's kernel curves on those rates (operators.h). These count what a kernel moves and
 * computes; that a kernel too small for a whole GPU may fill a slice is left out, so small batches
 * may be quicker than said. Slices have no NVLink, and CUDA gives a process one slice only: nothing
 * spans them. Slices of one GPU do not disturb each other. */
#ifndef TOKENYARD_MODELS_HARDWARE_MIG_H
#define TOKENYARD_MODELS_HARDWARE_MIG_H

#include "models/hardware/hardware.h"

struct mig_profile {
    const char *gpu;        /* which GPU can be cut so */
    const char *profile;    /* "1g.10gb" */
    double compute, memory; /* shares of the GPU's SMs, and of its memory and bandwidth */
    int64_t max_instances;  /* on one GPU */
};

/* Reads <folder>/mig.json into hardware->profiles; without the file there are none. */
bool mig_read(struct hardware *hardware, const char *folder, struct arena *arena,
              struct error *error);

/* Fills hardware->slices from its profiles and GPUs. */
void mig_make_slices(struct hardware *hardware, struct arena *arena);

#endif
