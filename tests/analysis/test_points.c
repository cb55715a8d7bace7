/* Measured points: what a user's table may hold, and what is said of one that is wrong. */
#include <criterion/criterion.h>
#include <math.h>

#include "analysis/points.h"
#include "tests/support.h"

#define HEADER "model,system,backend,precision,isl,osl,concurrency,tp,ttft_mean_ms,tpot_mean_ms"

static bool read_text(const char *text, struct arena *arena, struct config_list *points,
                      struct error *error)
{
    char path[128];
    test_write_file("points.csv", text, strlen(text), path, sizeof path);
    return points_read(path, arena, points, error);
}

Test(points, by_name_in_any_order)
{
    struct arena *arena = arena_create();
    struct config_list points = {0};
    struct error error = {0};
    const char *text = "tp;note;model;system;backend;precision;isl;osl;concurrency;tpot_mean_ms;"
                       "ttft_mean_ms;flag;len_ratio_min\n"
                       "2;\"a;b\";m;s;vllm;fp8;1000;101;8;10.5;;x;0.8\n\n"
                       "1;;m;s;vllm;fp8;1000;101;8;10.5;20;;\n";
    cr_assert(read_text(text, arena, &points, &error), "%s", test_error_text(&error));
    cr_assert_eq(points.count, 2);
    const struct measured_point *point = points.items;
    cr_expect_str_eq(point[0].model, "m");
    cr_expect_str_eq(point[0].flag, "x");
    cr_expect_str_eq(point[0].origin, "");
    cr_expect_eq(point[0].tp, 2);
    cr_expect_eq(point[0].pp, 1);
    cr_expect_eq(point[0].attn_dp, 1);
    cr_expect_eq(point[0].len_ratio_min, 0.8);
    cr_expect(isnan(point[0].ttft_ms) && isnan(point_e2e_ms(&point[0])));
    cr_expect_eq(point[0].tpot_ms, 10.5);
    cr_expect_eq(point[1].line, 4);
    cr_expect_eq(point[1].len_ratio_min, 1);
    cr_expect_float_eq(point_e2e_ms(&point[1]), 20 + 10.5 * 100, 1e-9);
    arena_destroy(arena);
}

Test(points, lengths_as_the_client_draws_them)
{
    struct length_range range = point_lengths(1024, 0.8);
    cr_expect_eq(range.min_tok, 819); /* 819.2 cut off */
    cr_expect_eq(range.max_tok, 1024);
    cr_expect_eq(point_lengths(1, 0.5).min_tok, 1);
    cr_expect_eq(point_lengths(77, 1).min_tok, 77);
}

Test(points, attention_ranks_from_the_experts_gpus)
{
    struct arena *arena = arena_create();
    struct config_list points = {0};
    const char *text = HEADER ",attn_dp,moe_tp,moe_ep\n"
                              "m,s,vllm,fp8,1,1,1,1,1,1,,4,2\n"
                              "m,s,vllm,fp8,1,1,1,4,1,1,,4,1\n"
                              "m,s,vllm,fp8,1,1,1,8,1,1,,1,1\n"
                              "m,s,vllm,fp8,1,1,1,1,1,1,2,4,2\n";
    cr_assert(read_text(text, arena, &points, NULL));
    const struct measured_point *point = points.items;
    cr_expect_eq(point[0].attn_dp, 8);
    cr_expect_eq(point[1].attn_dp, 1);
    cr_expect_eq(point[2].attn_dp, 1);
    cr_expect_eq(point[3].attn_dp, 2);
    arena_destroy(arena);
}

Test(points, disaggregated_rows_need_no_layout)
{
    struct arena *arena = arena_create();
    struct config_list points = {0};
    const char *text = "model,system,backend,precision,isl,osl,concurrency,prefill_num_workers,"
                       "ttft_mean_ms,tpot_mean_ms\nm,s,vllm,fp8,1,1,,2,1,1\n";
    cr_assert(read_text(text, arena, &points, NULL));
    const struct measured_point *point = points.items;
    cr_expect(point->disaggregated);
    cr_expect_eq(point->concurrency, 0);
    arena_destroy(arena);
}

Test(points, rows_say_the_workers_of_both_sides)
{
    struct arena *arena = arena_create();
    struct config_list points = {0};
    const char *text =
        "model,system,backend,precision,isl,osl,concurrency,tp,prefill_num_workers,"
        "prefill_tp_size,prefill_attention_dp_size,prefill_moe_ep_size,decode_num_workers,"
        "decode_tp_size,ttft_mean_ms,tpot_mean_ms\n"
        "m,s,vllm,fp8,1,1,64,,2,1,8,8,3,4,1,1\n"
        "m,s,vllm,fp8,1,1,64,,2,0,0,0,3,4,1,1\n"
        "m,s,vllm,fp8,1,1,64,4,,,,,,,1,1\n";
    cr_assert(read_text(text, arena, &points, NULL));
    const struct measured_point *point = points.items;
    cr_expect(point[0].disaggregated);
    cr_expect_eq(point[0].prefill.workers, 2);
    cr_expect_eq(point[0].prefill.attn_dp, 8);
    cr_expect_eq(point[0].prefill.moe_ep, 8);
    cr_expect_eq(point[0].decode.tp, 4);
    cr_expect_eq(point[0].decode.attn_dp, 1);
    cr_expect_eq(point[1].prefill.tp, 1);
    cr_expect_eq(point[1].prefill.attn_dp, 1);
    cr_expect_not(point[2].disaggregated);
    cr_expect_eq(point[2].prefill.workers, 0);
    cr_expect_eq(point[2].decode.tp, 0);
    arena_destroy(arena);
}

struct bad_table {
    const char *text, *says[3];
    long line;
};

Test(points, what_is_wrong_is_named)
{
    static const struct bad_table tables[] = {
        {"", {"empty"}, 0},
        {"model,system\n", {"no column \"backend\""}, 1},
        {HEADER ",tp\n", {"\"tp\" stands twice"}, 1},
        {HEADER "\nm,s,vllm,fp8,1,1,1,1,1\n", {"9 cells", "header 10"}, 2},
        {HEADER "\nm,s,vllm,fp8,1,1,1,1,1,1,1\n", {"11 cells"}, 2},
        {HEADER "\nm,s,vllm,fp8,1.5,1,1,1,1,1\n", {"\"isl\"", "\"1.5\"", "whole number"}, 2},
        {HEADER "\n\nm,s,vllm,fp8,0,1,1,1,1,1\n", {"\"isl\"", "above 0"}, 3},
        {HEADER "\nm,s,vllm,fp8,1,-5,1,1,1,1\n", {"\"osl\""}, 2},
        {HEADER "\nm,s,vllm,fp8,1,1,9999999999,1,1,1\n", {"\"concurrency\"", "1000000"}, 2},
        {HEADER "\nm,s,vllm,fp8,1,1,,1,1,1\n", {"\"concurrency\" is empty"}, 2},
        {HEADER "\n,s,vllm,fp8,1,1,1,1,1,1\n", {"\"model\" is empty"}, 2},
        {HEADER "\nm,s,vllm,fp8,1,1,1,1,nan,1\n", {"\"ttft_mean_ms\"", "\"nan\""}, 2},
        {HEADER "\nm,s,vllm,fp8,1,1,1,1,1,0x10\n", {"\"tpot_mean_ms\""}, 2},
        {HEADER "\nm,s,vllm,fp8,1,1,1,1,1,1e400\n", {"\"tpot_mean_ms\""}, 2},
        {HEADER "\nm,s,vllm,fp8,1,1,1,1,1,1ms\n", {"\"tpot_mean_ms\"", "\"1ms\""}, 2},
        {HEADER "\nm,s,vllm,fp8,1,1,1,1,,\n", {"neither"}, 2},
        {HEADER ",len_ratio_min\nm,s,vllm,fp8,1,1,1,1,1,1,1.2\n", {"\"len_ratio_min\"", "1"}, 2},
        {HEADER ",prefill_num_workers\nm,s,vllm,fp8,1,1,,1,1,1,\n",
         {"\"concurrency\" is empty"},
         2},
        {HEADER ",prefill_num_workers\nm,s,vllm,fp8,1,1,1,,1,1,-2\n",
         {"\"prefill_num_workers\""},
         2},
        {HEADER ",decode_tp_size\nm,s,vllm,fp8,1,1,1,1,1,1,99999\n",
         {"\"decode_tp_size\"", "65536"},
         2},
        {HEADER "\n\"m,s,vllm,fp8,1,1,1,1,1,1\n", {"quote"}, 2},
        {HEADER "\n\xff\xfe,s,vllm,fp8,1,1,1,1,1,1\n", {"\"model\"", "UTF-8"}, 2},
    };
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        struct arena *arena = arena_create();
        struct config_list points = {0};
        struct error error = {0};
        cr_expect_not(read_text(tables[i].text, arena, &points, &error), "table %zu is read", i);
        cr_expect_eq(error.code, ERROR_BAD_INPUT);
        cr_expect_eq(error.line, tables[i].line, "table %zu: line %ld", i, error.line);
        cr_expect(strstr(error.file, "points.csv"));
        for (size_t word = 0; word < 3 && tables[i].says[word]; word++)
            cr_expect(strstr(error.message, tables[i].says[word]), "table %zu says: %s", i,
                      error.message);
        arena_destroy(arena);
    }
}

/* points.csv of a validation is itself a table of points. */
Test(points, what_is_written_can_be_read)
{
    struct arena *arena = arena_create();
    struct config_list points = {0}, again = {0};
    char path[128];
    cr_assert(read_text(HEADER ",id,moe_tp\n\"a,b\",s,vllm,fp8,10,20,3,4,,5.25,\"x \"\"y\"\"\",2\n",
                        arena, &points, NULL));
    snprintf(path, sizeof path, "%s/again.csv", test_folder());
    FILE *out = fopen(path, "w");
    points_put_header(out);
    fputc('\n', out);
    points_put_row(points.items, out);
    fputc('\n', out);
    fclose(out);
    struct error error = {0};
    cr_assert(points_read(path, arena, &again, &error), "%s", test_error_text(&error));
    const struct measured_point *point = again.items;
    cr_expect_str_eq(point->model, "a,b");
    cr_expect_eq(point->isl, 10);
    cr_expect_eq(point->moe_tp, 2);
    cr_expect(isnan(point->ttft_ms));
    cr_expect_eq(point->tpot_ms, 5.25);
    arena_destroy(arena);
}
