/* berth-sim place: how much of a cluster's GPUs gets used when pods come one by one. */
#include "sim/place.h"

#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "js/js.h"
#include "os/clock.h"
#include "sched/place.h"
#include "sim/sim.h"

#define MIB 1048576ull

struct trial {
    double allocated_percent;
    uint32_t placed, refused, refused_cpu_only;
    int64_t wall_ms;
};

/* ---- loading ---- */

static int model_number(struct place_world *w, const char *name, uint32_t *ret, struct err *err)
{
    for (uint32_t i = 0; i < w->model_count; i++) {
        if (str_is_equal(w->models[i], name)) {
            *ret = i;
            return 0;
        }
    }
    if (w->model_count == PLACE_MODELS_MAX)
        return err_set(err, BERR_TOO_LARGE, "more than %d GPU models", PLACE_MODELS_MAX);
    w->models[w->model_count] = name;
    *ret = w->model_count++;
    return 0;
}

static int load_nodes(struct place_world *w, const char *path, struct arena *arena, struct err *err)
{
    struct sim_csv csv;
    size_t cpu, memory, gpu, model;
    int rc = sim_csv_read(path, arena, &csv, err);
    if (rc != 0 || (rc = sim_csv_need(&csv, path, "cpu_milli", &cpu, err)) != 0 ||
        (rc = sim_csv_need(&csv, path, "memory_mib", &memory, err)) != 0 ||
        (rc = sim_csv_need(&csv, path, "gpu", &gpu, err)) != 0 ||
        (rc = sim_csv_need(&csv, path, "model", &model, err)) != 0)
        return rc;
    w->nodes = arena_array(arena, csv.row_count, sizeof(*w->nodes));
    if (w->nodes == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (size_t i = 0; i < csv.row_count && rc == 0; i++) {
        struct place_node *node = &w->nodes[w->node_count++];
        int64_t gpus = 0;
        rc = sim_csv_i64(&csv, path, i, cpu, &node->cpu_milli, err);
        if (rc == 0)
            rc = sim_csv_i64(&csv, path, i, memory, &node->memory_mib, err);
        if (rc == 0)
            rc = sim_csv_i64(&csv, path, i, gpu, &gpus, err);
        if (rc == 0 && gpus > PLACE_GPUS_MAX)
            rc = err_set(err, BERR_INVALID, "%s: line %zu has too many GPUs", path, i + 2);
        if (rc == 0)
            rc = model_number(w, sim_csv_cell(&csv, i, model), &node->model, err);
        node->gpus = (uint32_t)gpus;
        w->capacity_milli += 1000 * gpus;
    }
    return rc;
}

/* "V100M16|V100M32" as bits. */
static int parse_models(struct place_world *w, const char *list, struct arena *arena, uint32_t *ret,
                        struct err *err)
{
    while (*list != '\0') {
        size_t len = strcspn(list, "|");
        uint32_t number;
        const char *name = arena_strndup(arena, list, len);
        int rc = name == NULL ? err_set(err, BERR_NOMEM, "out of memory")
                              : model_number(w, name, &number, err);
        if (rc != 0)
            return rc;
        *ret |= 1u << number;
        list += len + (list[len] == '|' ? 1 : 0);
    }
    return 0;
}

static int load_pod(struct place_world *w, const struct sim_csv *csv, const char *path,
                    const size_t columns[4], size_t row, struct arena *arena, struct err *err)
{
    struct place_pod *pod = &w->pods[w->pod_count++];
    int64_t gpus = 0, milli = 0;
    int models = sim_csv_column(csv, "gpu_spec");
    int rc = sim_csv_i64(csv, path, row, columns[0], &pod->cpu_milli, err);
    if (rc == 0)
        rc = sim_csv_i64(csv, path, row, columns[1], &pod->memory_mib, err);
    if (rc == 0)
        rc = sim_csv_i64(csv, path, row, columns[2], &gpus, err);
    if (rc == 0)
        rc = sim_csv_i64(csv, path, row, columns[3], &milli, err);
    if (rc == 0 && models >= 0 && gpus > 0)
        rc = parse_models(w, sim_csv_cell(csv, row, (size_t)models), arena, &pod->models, err);
    if (rc == 0 && (gpus > PLACE_GPUS_MAX || milli > 1000 || (gpus > 1 && milli != 1000)))
        rc = err_set(err, BERR_INVALID, "%s: line %zu asks for odd GPUs", path, row + 2);
    pod->gpus = milli == 0 ? 0 : (uint32_t)gpus;
    pod->milli = gpus == 0 ? 0 : (uint32_t)milli;
    return rc;
}

static int load_pods(struct place_world *w, const char *path, struct arena *arena, struct err *err)
{
    struct sim_csv csv;
    size_t columns[4];
    static const char *const names[4] = {"cpu_milli", "memory_mib", "num_gpu", "gpu_milli"};
    int rc = sim_csv_read(path, arena, &csv, err);
    for (size_t i = 0; i < 4 && rc == 0; i++)
        rc = sim_csv_need(&csv, path, names[i], &columns[i], err);
    if (rc != 0)
        return rc;
    w->pods = arena_array(arena, csv.row_count, sizeof(*w->pods));
    if (w->pods == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (size_t i = 0; i < csv.row_count && rc == 0; i++)
        rc = load_pod(w, &csv, path, columns, i, arena, err);
    return rc;
}

/* ---- types ---- */

static bool is_same_pod(const struct place_pod *a, const struct place_pod *b)
{
    return a->cpu_milli == b->cpu_milli && a->memory_mib == b->memory_mib && a->gpus == b->gpus &&
           a->milli == b->milli && a->models == b->models;
}

static int compare_types(const void *a, const void *b)
{
    const struct place_type *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->pod.type < y->pod.type ? -1 : x->pod.type > y->pod.type;
}

static void fill_shape(struct place_type *type)
{
    for (uint32_t m = 0; m < PLACE_MODELS_MAX; m++) {
        if (type->pod.models >> m & 1)
            type->model_list[type->role.model_count++] = m;
    }
    type->role.count = type->role.count_max = 1;
    type->role.cpu_milli = type->pod.cpu_milli;
    type->role.memory_bytes = (uint64_t)type->pod.memory_mib * MIB;
    type->role.gpu_milli = (int64_t)type->pod.gpus * type->pod.milli;
    type->role.models = type->model_list;
    type->shape = (struct sched_shape){.roles = &type->role,
                                       .role_count = 1,
                                       .together = -1,
                                       .node = SCHED_NONE,
                                       .pool = SCHED_NONE,
                                       .site = SCHED_NONE};
}

static int sort_types(struct place_world *w, struct arena *arena, struct err *err)
{
    w->types = arena_array(arena, w->pod_count, sizeof(*w->types));
    if (w->types == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < w->pod_count; i++) {
        uint32_t t = 0;
        while (t < w->type_count && !is_same_pod(&w->types[t].pod, &w->pods[i]))
            t++;
        if (t == w->type_count) {
            w->types[w->type_count++].pod = w->pods[i];
            w->types[t].pod.type = t;
        }
        w->types[t].count++;
        w->pods[i].type = t;
    }
    uint32_t *moved = arena_array(arena, w->type_count, sizeof(*moved));
    if (moved == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    qsort(w->types, w->type_count, sizeof(*w->types), compare_types);
    for (uint32_t t = 0; t < w->type_count; t++) {
        moved[w->types[t].pod.type] = t;
        fill_shape(&w->types[t]);
    }
    for (uint32_t i = 0; i < w->pod_count; i++)
        w->pods[i].type = moved[w->pods[i].type];
    return 0;
}

/* ---- one experiment ---- */

/* The list shuffled, then random pods of it again until load x capacity is asked for. */
static struct place_pod *make_arrivals(const struct place_world *w, struct rnd *r, double load,
                                       struct arena *arena, uint32_t *ret_count)
{
    double want = load * (double)w->capacity_milli, asked = 0, least = 0;
    for (uint32_t i = 0; i < w->pod_count; i++) {
        double milli = (double)w->pods[i].gpus * w->pods[i].milli;
        asked += milli;
        least = milli > 0 && (least == 0 || milli < least) ? milli : least;
    }
    uint64_t most = w->pod_count;
    if (asked < want && least > 0)
        most += 64 + (uint64_t)((want - asked) / (asked / w->pod_count) * 2);
    struct place_pod *pods = arena_array(arena, most, sizeof(*pods));
    if (pods == NULL)
        return NULL;
    memcpy(pods, w->pods, w->pod_count * sizeof(*pods));
    rnd_shuffle(r, pods, w->pod_count, sizeof(*pods));
    uint32_t count = w->pod_count;
    while (asked < want && count < most) {
        pods[count] = w->pods[rnd_below(r, w->pod_count)];
        asked += (double)pods[count].gpus * pods[count].milli;
        count++;
    }
    *ret_count = count;
    return pods;
}

static int make_input(const struct place_world *w, struct arena *arena, struct sched_policy *policy,
                      struct sched_input *ret, struct err *err)
{
    struct sched_node *nodes = arena_array(arena, w->node_count, sizeof(*nodes));
    if (nodes == NULL)
        return err_set(err, BERR_NOMEM, "out of memory");
    for (uint32_t n = 0; n < w->node_count; n++) {
        const struct place_node *node = &w->nodes[n];
        struct sched_gpu *gpus = arena_array(arena, node->gpus, sizeof(*gpus));
        if (gpus == NULL)
            return err_set(err, BERR_NOMEM, "out of memory");
        for (uint32_t g = 0; g < node->gpus; g++)
            gpus[g] = (struct sched_gpu){.index = (uint16_t)g, .numa = -1, .usable = true};
        nodes[n] = (struct sched_node){
            .id = n,
            .model = node->gpus == 0 ? SCHED_NONE : node->model,
            .usable = true,
            .cpu_milli = node->cpu_milli,
            .memory_bytes = (uint64_t)node->memory_mib * MIB,
            .level = {n, SCHED_NONE, SCHED_NONE, 0},
            .pool = SCHED_NONE,
            .gpu_count = node->gpus,
            .gpus = gpus,
        };
    }
    sched_policy_default(policy);
    *ret = (struct sched_input){.policy = policy,
                                .nodes = nodes,
                                .node_count = w->node_count,
                                .models = w->models,
                                .model_count = w->model_count};
    return 0;
}

static void count_pod(struct trial *t, const struct place_pod *pod, bool is_placed,
                      int64_t *allocated)
{
    t->placed += is_placed;
    t->refused += !is_placed;
    t->refused_cpu_only += !is_placed && pod->gpus == 0;
    *allocated += is_placed ? (int64_t)pod->gpus * pod->milli : 0;
}

static int try_ours(const struct place_world *w, const struct place_pod *pods, uint32_t count,
                    struct arena *arena, struct trial *t, int64_t *allocated, struct err *err)
{
    struct sched_policy policy;
    struct sched_input in;
    struct sched_placer *placer;
    int rc = make_input(w, arena, &policy, &in, err);
    if (rc == 0)
        rc = sched_placer_new(&in, arena, &placer, err);
    for (uint32_t i = 0; i < w->type_count && rc == 0; i++)
        rc = sched_placer_expect(placer, &w->types[i].shape, w->types[i].count, err);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        const struct sched_slot *slots;
        uint32_t slot_count;
        rc = sched_placer_place(placer, &w->types[pods[i].type].shape, &slots, &slot_count, err);
        if (rc == 0)
            count_pod(t, &pods[i], slots != NULL, allocated);
    }
    return rc;
}

static int try_rival(const struct place_world *w, place_choose_fn *choose,
                     const struct place_pod *pods, uint32_t count, uint64_t seed,
                     struct arena *arena, struct trial *t, int64_t *allocated, struct err *err)
{
    struct place_rival rival;
    if (!place_rival_init(&rival, w, seed ^ 0x5eed, arena))
        return err_set(err, BERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < count; i++) {
        struct place_choice choice = choose(&rival, &pods[i]);
        if (choice.node != SCHED_NONE)
            place_rival_take(&rival, &pods[i], choice);
        count_pod(t, &pods[i], choice.node != SCHED_NONE, allocated);
    }
    return 0;
}

static int try_seed(const struct place_world *w, place_choose_fn *choose, uint64_t seed,
                    double load, struct trial *ret, struct err *err)
{
    struct arena arena = ARENA(4ull << 30);
    struct rnd r;
    uint32_t count = 0;
    int64_t allocated = 0;
    rnd_seed(&r, seed);
    const struct os_clock *clock = os_clock_real();
    int64_t start_ms = clock->mono_ms(clock->arg);
    struct place_pod *pods = make_arrivals(w, &r, load, &arena, &count);
    *ret = (struct trial){0};
    int rc = pods == NULL ? err_set(err, BERR_NOMEM, "out of memory")
             : choose == NULL
                 ? try_ours(w, pods, count, &arena, ret, &allocated, err)
                 : try_rival(w, choose, pods, count, seed, &arena, ret, &allocated, err);
    ret->wall_ms = clock->mono_ms(clock->arg) - start_ms;
    ret->allocated_percent =
        w->capacity_milli == 0 ? 0 : 100.0 * (double)allocated / (double)w->capacity_milli;
    arena_done(&arena);
    return rc;
}

/* ---- the command ---- */

static void print_trials(struct buf *out, const char *policy, const struct trial *trials,
                         uint64_t first, size_t count)
{
    struct js_writer w;
    double sum = 0;
    int64_t wall_ms = 0, placed = 0, refused = 0, refused_cpu = 0;
    js_w_init(&w, out);
    js_w_object(&w, NULL);
    for (size_t i = 0; i < count; i++) {
        sum += trials[i].allocated_percent;
        wall_ms += trials[i].wall_ms;
        placed += trials[i].placed;
        refused += trials[i].refused;
        refused_cpu += trials[i].refused_cpu_only;
    }
    js_w_str(&w, "policy", policy);
    js_w_f64(&w, "allocated_percent", sum / (double)count);
    js_w_array(&w, "per_seed");
    for (size_t i = 0; i < count; i++) {
        js_w_object(&w, NULL);
        js_w_u64(&w, "seed", first + i);
        js_w_f64(&w, "allocated_percent", trials[i].allocated_percent);
        js_w_i64(&w, "wall_ms", trials[i].wall_ms);
        js_w_end_object(&w);
    }
    js_w_end_array(&w);
    js_w_f64(&w, "placements_per_s",
             (double)(placed + refused) * 1000 / (double)(wall_ms > 0 ? wall_ms : 1));
    js_w_i64(&w, "placed", placed);
    js_w_i64(&w, "refused", refused);
    js_w_i64(&w, "refused_cpu_only", refused_cpu);
    js_w_end_object(&w);
    buf_putc(out, '\n');
}

int sim_place(int argc, char **argv, struct buf *out, struct err *err)
{
    struct sim_option options[] = {
        {"nodes", NULL, "CSV with cpu_milli, memory_mib, gpu, model"},
        {"pods", NULL, "CSV with cpu_milli, memory_mib, num_gpu, gpu_milli and maybe gpu_spec"},
        {"policy", "berth", "random, bestfit, fgd or berth"},
        {"seeds", "42-51", "range of seeds; each shuffles the pods"},
        {"load", "1.3", "GPUs asked for, as a multiple of the cluster"},
        {"output", "json", "json"},
        {NULL, NULL, NULL},
    };
    struct place_world w = {0};
    struct arena arena = ARENA(1ull << 30);
    uint64_t first = 0, last = 0;
    double load = 0;
    int rc = sim_options(options, argc, argv, err);
    const char *policy = rc == 0 ? sim_option(options, "policy") : "";
    place_choose_fn *choose = place_rival_find(policy);
    if (rc == 0 && choose == NULL && !str_is_equal(policy, "berth"))
        rc = err_set(err, BERR_INVALID, "unknown policy \"%s\"", policy);
    if (rc == 0)
        rc = sim_option_range(options, "seeds", &first, &last, err);
    if (rc == 0)
        rc = sim_option_double(options, "load", &load, err);
    if (rc == 0)
        rc = load_nodes(&w, sim_option(options, "nodes"), &arena, err);
    if (rc == 0)
        rc = load_pods(&w, sim_option(options, "pods"), &arena, err);
    if (rc == 0)
        rc = sort_types(&w, &arena, err);
    size_t count = last - first + 1;
    struct trial *trials = rc == 0 ? arena_array(&arena, count, sizeof(*trials)) : NULL;
    for (size_t i = 0; i < count && rc == 0 && trials != NULL; i++)
        rc = try_seed(&w, choose, first + i, load, &trials[i], err);
    if (rc == 0 && trials == NULL)
        rc = err_set(err, BERR_NOMEM, "out of memory");
    if (rc == 0)
        print_trials(out, policy, trials, first, count);
    arena_done(&arena);
    return rc;
}
