/* How often a batch job should save its state where it may be interrupted: the interval of work
 * between two checkpoints that takes least time in the end.
 *
 * cost_s: to write a checkpoint. mtbf_s: mean time between interruptions, exponential. Both from 0;
 * at 0 the answer is 0: save always.
 *
 * Sources: Young, "A first order approximation to the optimum checkpoint interval", CACM 17(9),
 * 1974. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps",
 * Future Generation Computer Systems 22(3), 2006. */
#ifndef TOKENYARD_MODELS_ELASTIC_CHECKPOINT_H
#define TOKENYARD_MODELS_ELASTIC_CHECKPOINT_H

/* sqrt(2 C M): Young. */
double checkpoint_young_s(double cost_s, double mtbf_s);

/* Daly's equation (37), which is nearer; M where a checkpoint costs 2 M or more. */
double checkpoint_daly_s(double cost_s, double mtbf_s);

#endif
