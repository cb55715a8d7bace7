#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "analysis/run_report.h"
#include "analysis/table.h"
#include "sim/out_file.h"
#include "tests/analysis/sample_run.h"
#include "tests/support.h"

static const struct simulator_figures figures = {0.5, 0.75, 1 << 20};

static struct run_report_request request_for(const struct sample_run *run, const char *folder)
{
    static const char *const command[] = {"tokenyard", "run", "it's \"this\".json"};
    static const struct catalogue_note notes[] = {{"gpu", "H100-SXM", "datasheet only", "NVIDIA"}};
    return (struct run_report_request){
        .folder = folder,
        .facts = run->facts,
        .requests = true,
        .trace = true,
        .plots = true,
        .timeline_interval_s = NAN,
        .command = command,
        .command_count = 3,
        .notes = notes,
        .note_count = 1,
    };
}

/* What a simulation would show its observer. */
static void simulate(const struct simulation_spec *spec)
{
    const struct simulation_observer *observer = &spec->observer;
    double time_s = spec->sample_interval_s;
    for (uint32_t i = 0; i < 300; i++) {
        const struct iteration_span span = {i % 2, 0, i * 0.1, i * 0.1 + 0.05, 1, i, 0};
        const struct request_record record = {.arrival_s = i * 0.1,
                                              .queue_s = 0,
                                              .ttft_s = 0.1,
                                              .e2e_s = 1,
                                              .prompt_tok = i,
                                              .output_tok = 1};
        const struct pool_sample pools[2] = {{.waiting = i, .arrived = i}, {.running = i}};
        observer->span(observer->context, &span);
        observer->request(observer->context, &record);
        time_s += observer->sample(observer->context, time_s, pools, 2);
    }
}

/* A report on the run in the folder, from opening to writing. The caller closes it. */
static struct run_report *report_on(struct sample_run *run, const char *folder, struct error *error)
{
    const struct run_report_request request = request_for(run, folder);
    struct run_report *report = run_report_open(&request, error);
    cr_assert_not_null(report, "%s", test_error_text(error));
    run_report_observe(report, &run->spec);
    simulate(&run->spec);
    run_report_finish(report, &run->result, &figures, error);
    return report;
}

static const char *in(const char *folder, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static bool exists(const char *folder, const char *name)
{
    return access(in(folder, name), F_OK) == 0;
}

static char *read_whole(const char *folder, const char *name, size_t *length)
{
    return test_read_file(in(folder, name), length);
}

static cJSON *read_tree(const char *folder, const char *name)
{
    size_t length;
    char *text = read_whole(folder, name, &length);
    cJSON *tree = cJSON_ParseWithOpts(text, NULL, true);
    cr_assert_not_null(tree, "%s does not parse", name);
    free(text);
    return tree;
}

static bool has_gnuplot(void)
{
    return system("command -v gnuplot >/dev/null 2>&1") == 0;
}

Test(run_report, the_manifest_names_what_the_folder_holds)
{
    struct sample_run *run = sample_run_create();
    struct error error = {0};
    struct run_report *report = report_on(run, test_folder(), &error);
    cr_assert_eq(error.code, ERROR_NONE, "%s", test_error_text(&error));
    cJSON *manifest = read_tree(test_folder(), "manifest.json");
    const cJSON *files = cJSON_GetObjectItem(manifest, "files"), *file;
    cr_assert_geq(cJSON_GetArraySize(files), 5 + 6 * 2);
    cJSON_ArrayForEach(file, files)
        cr_assert(exists(test_folder(), file->valuestring), "%s is missing", file->valuestring);
    const cJSON *command = cJSON_GetArrayItem(cJSON_GetObjectItem(manifest, "command"), 2);
    cr_assert_str_eq(command->valuestring, "it's \"this\".json");
    cr_assert_eq(cJSON_GetObjectItem(manifest, "seed")->valueint, 7);
    cr_assert(cJSON_IsFalse(cJSON_GetObjectItem(manifest, "interrupted")));
    const cJSON *note = cJSON_GetArrayItem(cJSON_GetObjectItem(manifest, "catalogue"), 0);
    cr_assert_str_eq(cJSON_GetObjectItem(note, "known")->valuestring, "datasheet only");
    const cJSON *simulator = cJSON_GetObjectItem(manifest, "simulator");
    cr_assert_eq(cJSON_GetObjectItem(simulator, "requests_per_s")->valuedouble, 2000);
    cJSON_Delete(manifest);
    run_report_close(report);
    sample_run_destroy(run);
}

Test(run_report, the_same_run_gives_the_same_bytes)
{
    char folders[2][128];
    struct sample_run *run = sample_run_create();
    for (int i = 0; i < 2; i++) {
        struct error error = {0};
        snprintf(folders[i], sizeof folders[i], "%s/%d", test_folder(), i);
        run_report_close(report_on(run, folders[i], &error));
        cr_assert_eq(error.code, ERROR_NONE, "%s", test_error_text(&error));
    }
    cJSON *manifest = read_tree(folders[0], "manifest.json");
    const cJSON *file;
    cJSON_ArrayForEach(file, cJSON_GetObjectItem(manifest, "files"))
    {
        size_t lengths[2];
        char *bytes[2];
        for (int i = 0; i < 2; i++)
            bytes[i] = read_whole(folders[i], file->valuestring, &lengths[i]);
        cr_expect(lengths[0] == lengths[1] && memcmp(bytes[0], bytes[1], lengths[0]) == 0,
                  "%s differs", file->valuestring);
        free(bytes[0]);
        free(bytes[1]);
    }
    cJSON_Delete(manifest);
    sample_run_destroy(run);
}

/* Names that mean something to gnuplot, XML, CSV, JSON or a shell. */
Test(run_report, hostile_names_are_drawn_and_not_run)
{
    if (!has_gnuplot())
        cr_skip_test("no gnuplot here");
    char hostile[256];
    snprintf(hostile, sizeof hostile,
             "it's \"q\", `touch %s/ran` \\ _x_ ^y {z <b>& @A $c #d %%s\nsystem('touch %s/ran')\\",
             test_folder(), test_folder());
    struct sample_run *run = sample_run_create();
    run->pools[0].name = run->classes[1].name = run->facts.scenario = hostile;
    struct error error = {0};
    struct run_report *report = report_on(run, test_folder(), &error);
    cr_assert_eq(error.code, ERROR_NONE, "%s", test_error_text(&error));
    cr_assert_null(run_report_notice(report, 0), "%s", run_report_notice(report, 0));
    cr_assert_not(exists(test_folder(), "ran"));
    size_t length;
    char *svg = read_whole(test_folder(), "plots/ttft.svg", &length);
    cr_assert_not_null(
        strstr(svg, "it's &quot;q&quot;, `touch") ? svg : strstr(svg, "it's \"q\", `touch"));
    free(svg);
    cJSON *summary = read_tree(test_folder(), "summary.json");
    cr_assert_str_eq(cJSON_GetObjectItem(summary, "scenario")->valuestring, hostile);
    cJSON_Delete(summary);
    run_report_close(report);
    sample_run_destroy(run);
}

Test(run_report, nothing_to_report_is_a_report)
{
    struct sample_run *run = sample_run_create_empty();
    run->spec.slo_count = 0;
    run->result.interrupted = true;
    const struct run_report_request request = request_for(run, test_folder());
    struct error error = {0};
    struct run_report *report = run_report_open(&request, &error);
    run_report_observe(report, &run->spec);
    cr_assert(run_report_finish(report, &run->result, &figures, &error), "%s",
              test_error_text(&error));
    cr_assert_not(exists(test_folder(), "plots/ttft.gp"), "there is nothing to draw");
    cJSON *manifest = read_tree(test_folder(), "manifest.json");
    cr_assert(cJSON_IsTrue(cJSON_GetObjectItem(manifest, "interrupted")));
    cJSON_Delete(manifest);
    run_report_close(report);
    sample_run_destroy(run);
}

Test(run_report, without_gnuplot_the_run_succeeds_and_says_so)
{
    setenv("PATH", "/nowhere", 1);
    struct sample_run *run = sample_run_create();
    struct error error = {0};
    struct run_report *report = report_on(run, test_folder(), &error);
    cr_assert_eq(error.code, ERROR_NONE, "%s", test_error_text(&error));
    cr_assert_not_null(strstr(run_report_notice(report, 0), "gnuplot is not installed"));
    cr_assert(exists(test_folder(), "plots/load.gp") && exists(test_folder(), "plots/load.dat"));
    cr_assert_not(exists(test_folder(), "plots/load.svg"));
    run_report_close(report);
    sample_run_destroy(run);
}

Test(run_report, a_folder_that_cannot_be_made_is_known_before_the_run)
{
    char path[256];
    test_write_file("file", "x", 1, path, sizeof path);
    struct sample_run *run = sample_run_create();
    const struct run_report_request request = request_for(run, in(path, "results"));
    struct error error = {0};
    cr_assert_null(run_report_open(&request, &error));
    cr_assert_eq(error.code, ERROR_FAILED);
    cr_assert_not_null(strstr(test_error_text(&error), path), "%s", test_error_text(&error));
    sample_run_destroy(run);
}

/* Every limit fills the disk at another file. Whatever is there under its final name parses; no
 * temporary file stays, and no manifest claims that the folder is complete. */
Test(run_report, a_full_disk_leaves_nothing_half_written)
{
    static const rlim_t limits_bytes[] = {100, 3000, 8000, 40000};
    signal(SIGXFSZ, SIG_IGN);
    for (size_t i = 0; i < sizeof limits_bytes / sizeof limits_bytes[0]; i++) {
        char folder[128], command[256];
        snprintf(folder, sizeof folder, "%s/%zu", test_folder(), i);
        struct sample_run *run = sample_run_create();
        struct error error = {0};
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){limits_bytes[i], RLIM_INFINITY});
        run_report_close(report_on(run, folder, &error));
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
        cr_assert_eq(error.code, ERROR_FAILED, "a limit of %lu bytes", limits_bytes[i]);
        cr_assert_not(exists(folder, "manifest.json"));
        if (exists(folder, "summary.json"))
            cJSON_Delete(read_tree(folder, "summary.json"));
        if (exists(folder, "trace.json"))
            cJSON_Delete(read_tree(folder, "trace.json"));
        snprintf(command, sizeof command, "! find %s -name '*.tmp' | grep -q .", folder);
        cr_assert_eq(system(command), 0, "a temporary file stayed in %s", folder);
        sample_run_destroy(run);
    }
}

Test(run_report, the_manifest_of_an_earlier_run_goes_when_a_new_one_starts)
{
    struct sample_run *run = sample_run_create();
    struct error error = {0};
    run_report_close(report_on(run, test_folder(), &error));
    cr_assert(exists(test_folder(), "manifest.json"));
    const struct run_report_request request = request_for(run, test_folder());
    struct run_report *report = run_report_open(&request, &error);
    cr_assert_not(exists(test_folder(), "manifest.json"));
    cr_assert(exists(test_folder(), "summary.json"));
    run_report_close(report);
    char temporary[64];
    out_file_temporary("timeline.csv", temporary, sizeof temporary);
    cr_assert_not(exists(test_folder(), temporary));
    sample_run_destroy(run);
}

Test(run_report, the_table_fits_the_terminal)
{
    struct sample_run *run = sample_run_create();
    run->pools[0].name = "a name that is much too long for a column of a table";
    run->facts_of_pools[1].gpu = "RTX-PRO-6000-Blackwell-Server-Edition";
    struct summary *summary = summary_create(&run->facts, &run->result);
    char text[8192] = "";
    FILE *out = fmemopen(text, sizeof text, "w");
    table_print(summary, out);
    fclose(out);
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        cr_expect_leq(strlen(line), 96, "too long: %s", line);
    summary_destroy(summary);
    sample_run_destroy(run);
}
