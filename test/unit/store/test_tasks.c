/* Tasks as text and back, up to the most an attempt has. */
#include "testlib.h"
#include "base/limits.h"
#include "base/rand.h"
#include "store/sqlite/codec.h"

static struct task random_task(struct rnd *rnd, uint32_t index)
{
    struct task t = {.index = index,
                     .role = (uint32_t)rnd_below(rnd, 16),
                     .rank = (uint32_t)rnd_u64(rnd) >> 1,
                     .gpu_count = (uint32_t)rnd_below(rnd, 9),
                     .exit_code = (int)rnd_below(rnd, 257) - 1,
                     .signal = (int)rnd_below(rnd, 65),
                     .running = rnd_below(rnd, 2),
                     .ended = rnd_below(rnd, 2),
                     .out_of_memory = rnd_below(rnd, 2),
                     .disk_full = rnd_below(rnd, 2),
                     .started_ms = (int64_t)rnd_u64(rnd),
                     .ended_ms = (int64_t)rnd_u64(rnd),
                     .log_bytes = rnd_u64(rnd)};
    for (uint32_t g = 0; g < t.gpu_count && g < ARRAY_LEN(t.gpus); g++)
        t.gpus[g] = (uint16_t)rnd_u64(rnd);
    for (size_t i = 0; i < rnd_below(rnd, sizeof(t.node)); i++)
        t.node[i] = (char)(0x20 + rnd_below(rnd, 0x5f));
    snprintf(t.address, sizeof(t.address), "fd00::%x", (unsigned)rnd_below(rnd, 65536));
    return t;
}

static void round_trip(void **state)
{
    struct rnd rnd;
    rnd_seed(&rnd, test_seed());
    static const uint32_t counts[] = {0, 1, 2, 100, LIMIT_TASKS_PER_ATTEMPT};
    for (size_t k = 0; k < ARRAY_LEN(counts); k++) {
        cleanup(arena_done) struct arena arena = ARENA(64 << 20);
        cleanup(buf_done) struct buf text = BUF(8 << 20);
        struct task *tasks = arena_array(&arena, counts[k] + 1, sizeof(*tasks)), *back;
        for (uint32_t i = 0; i < counts[k]; i++)
            tasks[i] = random_task(&rnd, i);
        tasks_encode(tasks, counts[k], &text);
        assert_false(buf_is_failed(&text));
        uint32_t count = 12345;
        assert_int_equal(tasks_decode(buf_str(&text), &arena, &back, &count), 0);
        assert_int_equal(count, counts[k]);
        for (uint32_t i = 0; i < count; i++)
            assert_memory_equal(&tasks[i], &back[i], sizeof(tasks[i]));
    }
}

static void damaged_text(void **state)
{
    static const char *const bad[] = {
        "",
        "x",
        "{}",
        "[",
        "null",
        "[1]",
        "[[]]",
        "[{}]",
        "[[0,0,0,\"\",\"\",0,[],0,0,0,0,0,0]]",
        "[[0,0,0,1,\"\",0,[],0,0,0,0,0,0,0]]",
        "[[0,0,0,\"\",\"\",9,[1,2,3,4,5,6,7,8,9],0,0,0,0,0,0,0]]",
        "[[0,0,0,\"\",\"\",0,5,0,0,0,0,0,0,0]]",
        ("[[0,0,0,\"0123456789012345678901234567890123456789012345678901234567890123\",\"\",0,[],0,"
         "0,0,0,0,0,0]]")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cleanup(arena_done) struct arena arena = ARENA(1 << 20);
        struct task *tasks = NULL;
        uint32_t count = 7;
        if (tasks_decode(bad[i], &arena, &tasks, &count) != -BERR_INVALID)
            fail_msg("%s was taken", bad[i]);
        assert_null(tasks);
        assert_int_equal(count, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(round_trip),
                                       cmocka_unit_test(damaged_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
