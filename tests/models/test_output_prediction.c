#include <criterion/criterion.h>
#include <math.h>

#include "models/engine/output_prediction.h"

enum { DRAWS = 20000 };

static struct request request_number(int number)
{
    return (struct request){
        .arrival = (tick_t)number << 20, .prompt_tok = 100, .output_tok = 250, .client = 7};
}

Test(output_prediction, exact_is_exact)
{
    const struct output_prediction exact = {.kind = PREDICT_EXACT};
    struct request request = request_number(1);
    cr_assert_eq(output_predict(&exact, &request), 250);
}

/* Whoever asks is told the same, and other requests something else. */
Test(output_prediction, an_error_belongs_to_its_request)
{
    const struct output_prediction guess = {.kind = PREDICT_LOGNORMAL, .sigma = 1};
    struct request one = request_number(1), same = request_number(1), other = request_number(2);
    same.replica = 3;
    same.emitted = 9;
    cr_assert_eq(output_predict(&guess, &one), output_predict(&guess, &same));
    cr_assert_neq(output_predict(&guess, &one), output_predict(&guess, &other));
}

/* Mean and standard deviation of ln(predicted / true). */
Test(output_prediction, lognormal_errors_have_their_sigma)
{
    const struct output_prediction guess = {.kind = PREDICT_LOGNORMAL, .sigma = 0.5};
    double sum = 0, squares = 0;
    for (int i = 0; i < DRAWS; i++) {
        struct request request = request_number(i);
        double error = log((double)output_predict(&guess, &request) / 250);
        sum += error;
        squares += error * error;
    }
    double mean = sum / DRAWS;
    cr_assert_float_eq(mean, 0, 0.015);
    cr_assert_float_eq(sqrt(squares / DRAWS - mean * mean), 0.5, 0.01);
}

/* 250 is in the class of 200 to 300; a wrong one is the next below or above, as often. */
Test(output_prediction, classes_are_right_as_often_as_said)
{
    const struct output_prediction guess = {
        .kind = PREDICT_BUCKETS, .bucket_tok = 100, .accuracy = 0.8};
    int below = 0, right = 0, above = 0;
    for (int i = 0; i < DRAWS; i++) {
        struct request request = request_number(i);
        int64_t predicted = output_predict(&guess, &request);
        below += predicted == 150;
        right += predicted == 250;
        above += predicted == 350;
    }
    cr_assert_eq(below + right + above, DRAWS);
    cr_assert_float_eq((double)right / DRAWS, 0.8, 0.01);
    cr_assert_float_eq((double)below / DRAWS, 0.1, 0.01);
}

Test(output_prediction, a_prediction_is_at_least_one_token)
{
    const struct output_prediction guess = {.kind = PREDICT_LOGNORMAL, .sigma = 10};
    for (int i = 0; i < 1000; i++) {
        struct request request = request_number(i);
        request.output_tok = 1;
        cr_assert_geq(output_predict(&guess, &request), 1);
    }
}
