#include "analysis/plan_cmd.h"

#include <stdio.h>

#include "analysis/options.h"
#include "analysis/plan_report.h"
#include "analysis/progress.h"
#include "analysis/run.h"
#include "sim/out_file.h"

struct plan_settings {
    const char *output;
    struct option_texts sets;
    bool json, quiet;
};

struct plan_run {
    const struct plan_settings *settings;
    struct scenario *scenario;
    const char *folder;
    double began_s;
    struct plan_question question;
    struct plan_answer answer;
    struct plan_replay mix, single;
};

/* --- files --- */

static bool write_json(const struct plan_run *run, const char *name, struct json_writer *writer,
                       struct error *error)
{
    if (run->settings->json)
        fputs(json_writer_text(writer, NULL), stdout);
    return json_writer_save(writer, arena_printf(run->scenario->arena, "%s/%s", run->folder, name),
                            error);
}

/* Writes the solution as a scenario and simulates that very file. */
static bool replay(struct plan_run *run, const struct plan_solution *solution, const char *file,
                   const char *name, struct plan_replay *result, struct error *error)
{
    const char *path = arena_printf(run->scenario->arena, "%s/%s", run->folder, file);
    cJSON *tree = plan_replay_scenario(&run->question, solution, NULL, name);
    struct json_writer *writer = json_writer_create();
    json_put_tree(writer, NULL, tree);
    cJSON_Delete(tree);
    bool ok = json_writer_save(writer, path, error) &&
              plan_replay_run(path, &run->question.sample, result, error);
    json_writer_destroy(writer);
    return ok;
}

static bool replay_both(struct plan_run *run, struct error *error)
{
    struct arena *arena = run->scenario->arena;
    const char *name = run->scenario->config.name;
    if (!replay(run, &run->answer.mix, "scenario.json",
                arena_printf(arena, "%s, planned fleet", name), &run->mix, error))
        return false;
    if (run->answer.best_type == PLAN_ANY_TYPE)
        return true;
    return replay(run, &run->answer.types[run->answer.best_type].solution,
                  "scenario-single-type.json", arena_printf(arena, "%s, best single type", name),
                  &run->single, error);
}

/* --- the command --- */

static bool report(struct plan_run *run, struct error *error)
{
    struct plan_report report = {.answer = &run->answer,
                                 .mix = run->mix.summary ? &run->mix : NULL,
                                 .single = run->single.summary ? &run->single : NULL,
                                 .seconds = progress_wall_s() - run->began_s};
    struct json_writer *writer = json_writer_create();
    plan_report_put(writer, &report);
    bool ok = write_json(run, "plan.json", writer, error);
    json_writer_destroy(writer);
    if (!ok || run->settings->json || run->settings->quiet)
        return ok;
    plan_report_print(&report, stdout);
    printf("\nThe plan is in %s/plan.json", run->folder);
    if (report.mix)
        printf("; `tokenyard run %s/scenario.json` simulates it", run->folder);
    printf(".\n");
    return true;
}

/* An infeasible plan is an answer too: it is written, and the reason is the command's error. */
static bool report_infeasible(struct plan_run *run, const struct error *reason)
{
    struct json_writer *writer = json_writer_create();
    plan_report_put_infeasible(writer, run->scenario->config.plan->budget_usd_h, reason,
                               progress_wall_s() - run->began_s);
    struct error ignored = {0};
    write_json(run, "plan.json", writer, &ignored);
    json_writer_destroy(writer);
    return false;
}

/* So that what lies in the folder belongs together, also when this plan comes to nothing. */
static void remove_earlier_plan(const struct plan_run *run)
{
    static const char *const names[] = {"plan.json", "scenario.json", "scenario-single-type.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        remove(arena_printf(run->scenario->arena, "%s/%s", run->folder, names[i]));
}

static bool plan(struct plan_run *run, struct error *error)
{
    if (!out_folder_make(run->folder, error))
        return false;
    remove_earlier_plan(run);
    if (!plan_question_build(run->scenario, &run->question, error) ||
        !plan_answer_find(&run->question, &run->answer, error))
        return error && error->code == ERROR_INFEASIBLE ? report_infeasible(run, error) : false;
    bool simulated = run->question.rules == NULL || replay_both(run, error);
    return simulated && report(run, error);
}

static bool plan_scenario(const char *path, const struct plan_settings *settings,
                          struct error *error)
{
    struct scenario *scenario =
        scenario_read(path, settings->sets.items, settings->sets.count, error);
    if (!scenario)
        return false;
    struct plan_run run = {.settings = settings,
                           .scenario = scenario,
                           .folder =
                               settings->output ? settings->output : run_default_folder(scenario),
                           .began_s = progress_wall_s()};
    bool done = plan(&run, error);
    plan_replay_clear(&run.mix);
    plan_replay_clear(&run.single);
    plan_question_clear(&run.question);
    scenario_free(scenario);
    return done;
}

bool plan_command(int argc, char *const argv[], struct error *error)
{
    struct plan_settings settings = {0};
    const struct option table[] = {
        {"output", 'o', OPTION_TEXT, &settings.output, "DIR",
         "result directory (default results/<scenario>)"},
        {"set", 's', OPTION_TEXTS, &settings.sets, "A.B[0].C=V",
         "change a value of the scenario; may be repeated"},
        {"json", 0, OPTION_FLAG, &settings.json, NULL, "print plan.json instead of a table"},
        {"quiet", 'q', OPTION_FLAG, &settings.quiet, NULL, "print no table"},
        {0}};
    const struct command command = {.usage = "plan SCENARIO [options]",
                                    .doc = "Finds the fleet that serves the scenario's workload "
                                           "best under its plan's budget.",
                                    .words_min = 1,
                                    .words_max = 1,
                                    .options = table};
    struct option_texts words;
    bool help;
    if (!options_parse(&command, argc, argv, &words, &help, error) || help)
        return help;
    return plan_scenario(words.items[0], &settings, error);
}
