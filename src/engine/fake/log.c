/* Made-up logs: the first line at the start, the further ones spread evenly over the run, so that
 * any offset can be answered at any time without keeping a byte. */
#include "engine/fake/world.h"

#include "base/alloc.h"

static int64_t lines_by_now(const struct fake_world *w, const struct fake_attempt *a,
                            const struct fake_task *t)
{
    const struct fake_script *s = &t->script;
    int64_t ran_ms = fake_task_ran_ms(w, a, t);
    if (s->log_lines == 0)
        return 0;
    if (s->run_ms == FAKE_FOREVER) /* one a second */
        return ran_ms / 1000 < s->log_lines ? ran_ms / 1000 : s->log_lines;
    if (s->run_ms == 0 || ran_ms >= s->run_ms)
        return s->log_lines;
    return (int64_t)((__int128)s->log_lines * ran_ms / s->run_ms);
}

int fake_log_text(const struct fake_world *w, const struct fake_attempt *a,
                  const struct fake_task *t, struct buf *out)
{
    if (t->facts.started) {
        buf_printf(out, "%s\n", t->script.log);
        int64_t lines = lines_by_now(w, a, t);
        for (int64_t i = 1; i <= lines && !buf_is_failed(out); i++)
            buf_printf(out, "line %lld\n", (long long)i);
    }
    if (buf_is_failed(out))
        return -BERR_NOMEM;
    if (t->log_max_bytes != 0 && out->len > t->log_max_bytes)
        out->len = t->log_max_bytes;
    return 0;
}

uint64_t fake_log_bytes(const struct fake_world *w, const struct fake_attempt *a,
                        const struct fake_task *t)
{
    cleanup(buf_done) struct buf text = BUF(64 << 20);
    return fake_log_text(w, a, t, &text) == 0 ? text.len : 0;
}
