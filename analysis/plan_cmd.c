#include "analysis/plan_cmd.h"

#include <math.h>
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
    struct plan_spot_answer spot; /* all-zero where no offer has markets */
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
    return plan_replay_write(&run->question, solution, NULL, name, path, error) &&
           plan_replay_run(path, &run->question.sample, result, error);
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
    const struct plan_replay *mix = run->spot.chosen ? &run->spot.trial.replay : &run->mix;
    struct plan_report report = {.answer = &run->answer,
                                 .mix = mix->summary ? mix : NULL,
                                 .single = run->single.summary ? &run->single : NULL,
                                 .spot = run->spot.chosen ? &run->spot : NULL,
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
    static const char *const names[] = {"plan.json", "scenario.json", "scenario-single-type.json",
                                        "scenario-on-demand.json"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        remove(arena_printf(run->scenario->arena, "%s/%s", run->folder, names[i]));
}

/* On demand alone: the answer is found on paper, and then simulated. */
static bool find_fleet(struct plan_run *run, struct error *error)
{
    return plan_answer_find(&run->question, &run->answer, error) &&
           (run->question.rules == NULL || replay_both(run, error));
}

/* With markets simulation takes part in finding it. */
static bool find_spot_fleet(struct plan_run *run, struct error *error)
{
    if (!plan_spot_answer_find(&run->question, run->folder, &run->spot, error))
        return false;
    const struct plan_proposal *on_demand = run->spot.on_demand;
    run->answer = (struct plan_answer){.question = &run->question,
                                       .mix = run->spot.chosen->solution,
                                       .best_type = PLAN_ANY_TYPE,
                                       .gain = NAN};
    if (on_demand && run->answer.mix.value > 0)
        run->answer.gain = on_demand->solution.value / run->answer.mix.value - 1;
    return true;
}

/* The plan is written all the same: it is the nearest there is. */
static bool check_trial(const struct plan_run *run, struct error *error)
{
    const struct plan_trial *trial = &run->spot.trial;
    if (!run->spot.chosen || trial->holds)
        return true;
    error_set(error, ERROR_INFEASIBLE,
              "no fleet holds budget and SLO at a confidence of %g: all on demand, %zu of %zu "
              "replications do",
              run->scenario->config.plan->confidence, trial->held, trial->done);
    return error_hint(error, "give it more money or time, or a lower \"confidence\"");
}

static bool plan(struct plan_run *run, struct error *error)
{
    if (!out_folder_make(run->folder, error))
        return false;
    remove_earlier_plan(run);
    if (!plan_question_build(run->scenario, &run->question, error) ||
        !(scenario_plan_has_markets(run->scenario->config.plan) ? find_spot_fleet(run, error)
                                                                : find_fleet(run, error)))
        return error && error->code == ERROR_INFEASIBLE ? report_infeasible(run, error) : false;
    return report(run, error) && check_trial(run, error);
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
    plan_spot_answer_clear(&run.spot);
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
