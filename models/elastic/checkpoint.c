#include "models/elastic/checkpoint.h"

#include <math.h>

double checkpoint_young_s(double cost_s, double mtbf_s)
{
    return sqrt(2 * cost_s * mtbf_s);
}

double checkpoint_daly_s(double cost_s, double mtbf_s)
{
    if (cost_s >= 2 * mtbf_s)
        return mtbf_s;
    double root = sqrt(cost_s / (2 * mtbf_s));
    return checkpoint_young_s(cost_s, mtbf_s) * (1 + root / 3 + root * root / 9) - cost_s;
}
