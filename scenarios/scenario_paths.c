/* Files that a scenario names, from wherever the scenario lies. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/llm/llm.h"
#include "scenarios/scenario.h"

static void make_absolute(cJSON *text, const char *folder)
{
    char joined[PATH_MAX], absolute[PATH_MAX];
    snprintf(joined, sizeof joined, "%s/%s", folder, text->valuestring);
    if (text->valuestring[0] != '/' && realpath(joined, absolute))
        cJSON_SetValuestring(text, absolute);
}

/* Every "path" under the node, at whatever depth. */
static void make_each_absolute(cJSON *node, const char *folder)
{
    cJSON *child;
    cJSON_ArrayForEach(child, node)
    {
        if (child->string && strcmp(child->string, "path") == 0 && cJSON_IsString(child))
            make_absolute(child, folder);
        else
            make_each_absolute(child, folder);
    }
}

static void make_book_absolute(const cJSON *root, const char *folder)
{
    cJSON *book = json_member(json_member(root, "money"), "price_book");
    if (cJSON_IsString(book))
        make_absolute(book, folder);
}

static void make_model_absolute(const cJSON *object, const char *folder)
{
    cJSON *model = json_member(object, "model");
    if (cJSON_IsString(model) && llm_is_path(model->valuestring))
        make_absolute(model, folder);
}

void scenario_make_paths_absolute(cJSON *root, const char *folder)
{
    make_each_absolute(json_member(root, "workload"), folder);
    make_each_absolute(json_member(root, "pools"), folder); /* of profiles */
    make_each_absolute(json_member(root, "markets"), folder);
    make_book_absolute(root, folder);
    make_model_absolute(root, folder);
    const cJSON *element;
    cJSON_ArrayForEach(element, json_member(root, "pools")) make_model_absolute(element, folder);
    cJSON_ArrayForEach(element, json_member(root, "classes")) make_model_absolute(element, folder);
}
