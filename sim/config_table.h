/* Questions about field tables that reading and emitting both ask; not for other modules. */
#ifndef TOKENYARD_SIM_CONFIG_TABLE_H
#define TOKENYARD_SIM_CONFIG_TABLE_H

#include <assert.h>
#include <float.h>

#include "sim/config.h"

/* Bytes that a field, or an element of a list, takes in its struct. */
size_t config_member_size(const struct config_field *field);

/* The fields of a type; none for NULL. */
static inline const struct config_field *config_fields(const struct config_type *type)
{
    static const struct config_field none = {.name = NULL};
    return type ? type->fields : &none;
}

static inline bool config_is_required(const struct config_field *field)
{
    return !field->preset && !field->optional;
}

static inline bool config_has_bounds(const struct config_field *field)
{
    assert(!field->above_min || field->min < field->max);
    return field->min < field->max;
}

static inline bool config_has_lower_bound(const struct config_field *field)
{
    return config_has_bounds(field) && field->min >= -DBL_MAX;
}

static inline bool config_has_upper_bound(const struct config_field *field)
{
    return config_has_bounds(field) && field->max <= DBL_MAX;
}

#endif
