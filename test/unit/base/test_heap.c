#include "testlib.h"

#include "base/heap.h"
#include "base/rand.h"

#define MANY 2000

static bool is_less(const void *a, const void *b)
{
    return *(const uint64_t *)a < *(const uint64_t *)b;
}

static void test_leaves_in_order(void **state)
{
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    struct heap h = HEAP(is_less);
    static uint64_t values[MANY];
    for (size_t i = 0; i < MANY; i++) {
        values[i] = rnd_below(&rnd, MANY / 2); /* with ties */
        assert_int_equal(heap_push(&h, &values[i]), 0);
    }
    uint64_t last = 0;
    for (size_t i = 0; i < MANY; i++) {
        const uint64_t *peeked = heap_peek(&h), *popped = heap_pop(&h);
        assert_ptr_equal(peeked, popped);
        assert_true(*popped >= last);
        last = *popped;
    }
    assert_null(heap_pop(&h));
    assert_null(heap_peek(&h));
    heap_done(&h);
}

static void test_mixed_with_a_model(void **state)
{
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    struct heap h = HEAP(is_less);
    static uint64_t values[MANY];
    uint64_t counts[64] = {0}; /* how many of each value are inside */
    for (size_t i = 0; i < MANY; i++) {
        values[i] = rnd_below(&rnd, 64);
        assert_int_equal(heap_push(&h, &values[i]), 0);
        counts[values[i]]++;
        if (rnd_below(&rnd, 3) == 0)
            continue;
        uint64_t least = 0;
        while (counts[least] == 0)
            least++;
        const uint64_t *popped = heap_pop(&h);
        assert_int_equal(*popped, least);
        counts[least]--;
    }
    heap_done(&h);
}

static int torture_body(void *ctx)
{
    static uint64_t values[100];
    struct heap h = HEAP(is_less);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < ARRAY_LEN(values); i++)
        rc = heap_push(&h, &values[i]);
    heap_done(&h);
    return rc;
}

static void test_survives_lack_of_memory(void **state)
{
    test_torture(torture_body, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaves_in_order),
        cmocka_unit_test(test_mixed_with_a_model),
        cmocka_unit_test(test_survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
