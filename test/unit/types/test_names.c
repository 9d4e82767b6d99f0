/* Each enum has as many texts as values, all different. */
#include <testlib.h>
#include "base/str.h"
#include "types/identity.h"
#include "types/image.h"
#include "types/workload.h"

static size_t count_distinct(const char *const *names)
{
    size_t count = 0;
    for (; names[count] != NULL; count++) {
        for (size_t k = 0; k < count; k++)
            assert_false(str_is_equal(names[k], names[count]));
    }
    return count;
}

static void test_counts(void **state)
{
    assert_int_equal(count_distinct(workload_kind_names), KIND_MAX);
    assert_int_equal(count_distinct(workload_state_names), STATE_MAX);
    assert_int_equal(count_distinct(end_reason_names), END_MAX);
    assert_int_equal(count_distinct(life_event_names), LIFE_MAX);
    assert_int_equal(count_distinct(desired_names), DESIRED_STOP + 1);
    assert_int_equal(count_distinct(place_level_names), LEVEL_SITE + 1);
    assert_int_equal(count_distinct(notebook_app_names), APP_CLASSIC + 1);
    assert_int_equal(count_distinct(role_names), ROLE_ADMIN + 1);
    assert_int_equal(count_distinct(image_state_names), IMAGE_FAILED + 1);
}

static void test_order_follows_the_enum(void **state)
{
    assert_string_equal(workload_state_names[STATE_PREEMPTED], "PREEMPTED");
    assert_string_equal(end_reason_names[END_ENGINE_ERROR], "engine-error");
    assert_string_equal(end_reason_words(END_NODE_LOST), "lost its node");
    assert_string_equal(life_event_names[LIFE_REQUEUE], "requeue");
    assert_string_equal(place_level_names[LEVEL_RACK], "rack");
}

static void test_questions(void **state)
{
    for (int s = 0; s < STATE_MAX; s++)
        assert_int_equal(workload_state_is_final((enum workload_state)s),
                         s == STATE_SUCCEEDED || s == STATE_FAILED || s == STATE_STOPPED);
    for (int r = 0; r < END_MAX; r++)
        assert_int_equal(end_reason_is_retried((enum end_reason)r),
                         r == END_NODE_LOST || r == END_PREEMPTED || r == END_ENGINE_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_order_follows_the_enum),
        cmocka_unit_test(test_questions),
    };
    return cmocka_run_group_tests_name("types/names", tests, NULL, NULL);
}
