/* Random inputs: whatever comes, nothing is given out twice, gangs are whole, nobody is lost. */
#include <stdlib.h>
#include "base/rand.h"
#include "world.h"

static struct world w;

static uint32_t below(struct rnd *r, uint64_t n)
{
    return (uint32_t)rnd_below(r, n);
}

static void add_nodes(struct rnd *r)
{
    uint32_t count = 1 + below(r, 12);
    for (uint32_t i = 0; i < count; i++) {
        struct sched_node *n = world_node(&w, "n", 1 + below(r, 32), 1 + below(r, 64),
                                          below(r, 3) == 0 ? 0 : below(r, 9), below(r, 3));
        n->usable = below(r, 8) != 0;
        n->level[1] = below(r, 3);
        n->level[2] = below(r, 2);
        n->level[3] = below(r, 6) == 0;
        n->pool = below(r, 4) == 0 ? 1 : SCHED_NONE;
        struct sched_gpu *gpus = world_gpus(&w, i);
        bool has_links = below(r, 2) == 0;
        for (uint32_t g = 0; g < n->gpu_count; g++) {
            gpus[g].link_group = (uint16_t)(has_links ? 1 + g / 2 : 0);
            gpus[g].numa = has_links ? (int16_t)(g / 4) : -1;
            gpus[g].usable = below(r, 16) != 0;
            gpus[g].index = (uint16_t)(g * 2 + 1);
        }
    }
}

static void add_running(struct rnd *r)
{
    for (uint32_t i = 0; i < w.in.node_count; i++) {
        const struct sched_node *n = &w.nodes[i];
        uint32_t free_gpus = 0;
        for (uint32_t g = 0; g < n->gpu_count; g++)
            free_gpus += n->gpus[g].usable;
        if (below(r, 2) == 0 || free_gpus < n->gpu_count)
            continue;
        struct sched_running *run = world_run(&w, i, below(r, (uint64_t)n->cpu_milli), 0,
                                              free_gpus == 0 ? 0 : below(r, free_gpus + 1),
                                              below(r, 2) == 0 ? 1000 : 1 + below(r, 1000));
        if (run->slots[0].gpu_count > 1 && run->slots[0].gpu_milli < 1000)
            w.in.running_count--; /* only one GPU can be shared by a task; the node keeps the use */
        run->preemptible = below(r, 2) == 0;
        run->expect_ms = below(r, 2) == 0 ? 0 : 1 + below(r, 10000000);
    }
}

static int64_t some_gpus(struct rnd *r)
{
    switch (below(r, 4)) {
    case 0:
        return 0;
    case 1:
        return below(r, 1100); /* now and then nonsense */
    default:
        return 1000 * (int64_t)below(r, 10);
    }
}

static void add_waiting(struct rnd *r)
{
    static const uint32_t models[] = {0, 1, 2, SCHED_NONE};
    uint32_t count = below(r, 40);
    for (uint32_t i = 0; i < count; i++) {
        struct sched_shape *s =
            world_shape(&w, below(r, 6), (int64_t)below(r, 8000) - 10, below(r, 16), some_gpus(r));
        s->role_count = 1 + below(r, 2);
        *world_role(s, 1) = (struct sched_role){
            .count = below(r, 3), .cpu_milli = below(r, 2000), .apart = below(r, 2) == 0};
        for (uint32_t k = 0; k < s->role_count; k++) {
            struct sched_role *role = world_role(s, k);
            role->count_max = role->count;
            role->apart = below(r, 4) == 0;
            role->models = &models[below(r, 4)];
            role->model_count = below(r, 3) == 0;
        }
        s->together = (int8_t)((int)below(r, 5) - 1);
        s->together_hard = below(r, 2) == 0;
        s->pool = below(r, 10) == 0 ? 1 : SCHED_NONE;
        s->site = below(r, 10) == 0 ? below(r, 3) : SCHED_NONE;
        s->node = below(r, 10) == 0 ? below(r, 14) : SCHED_NONE;
        struct sched_waiting *wait = world_wait(&w, s);
        wait->priority = (int32_t)below(r, 3);
        wait->not_before_ms = below(r, 8) == 0 ? 900000 + below(r, 200000) : 0;
        wait->submitted_ms = below(r, 1000000);
        wait->expect_ms = below(r, 2) == 0 ? 0 : 1 + below(r, 10000000);
    }
}

static void one_case(uint64_t seed)
{
    struct rnd r;
    rnd_seed(&r, seed);
    world_init(&w);
    w.policy.skip = below(&r, 4) != 0;
    w.policy.order = below(&r, 2) == 0 ? SCHED_ORDER_FIFO : SCHED_ORDER_FAIR;
    w.policy.preempt = below(&r, 2) == 0;
    w.policy.min_run_ms = below(&r, 2) == 0 ? 0 : 600000;
    w.policy.gpu_cpu_reserve_milli = below(&r, 4) == 0 ? 1000 : -1;
    add_nodes(&r);
    add_running(&r);
    add_waiting(&r);
    world_plan(&w); /* checks the promises */
    world_done(&w);
}

static void test_random_inputs(void **state)
{
    uint64_t seed = test_seed();
    for (uint64_t i = 0; i < 2000; i++) {
        if (getenv("BERTH_TEST_VERBOSE") != NULL)
            fprintf(stderr, "seed %llu\n", (unsigned long long)(seed + i));
        one_case(seed + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_inputs)};
    return cmocka_run_group_tests_name("sched/property", tests, NULL, NULL);
}
