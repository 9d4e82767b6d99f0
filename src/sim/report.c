/* A page to look at: facts and one line chart a series. No scripts, nothing loaded from elsewhere. */
#include "sim/sim.h"

#define WIDTH  1000
#define HEIGHT 180

static void put_escaped(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<')
            buf_puts(out, "&lt;");
        else if (*text == '&')
            buf_puts(out, "&amp;");
        else
            buf_putc(out, *text);
    }
}

static void put_chart(struct buf *out, const struct sim_series *s, size_t points)
{
    double most = 0;
    for (size_t i = 0; i < points; i++)
        most = s->values[i] > most ? s->values[i] : most;
    buf_printf(out,
               "<h2>%s</h2><p>largest: %.1f %s</p><svg viewBox=\"0 0 %d %d\" role=\"img\" "
               "aria-label=\"%s over time\"><polyline points=\"",
               s->title, most, s->unit, WIDTH, HEIGHT, s->title);
    for (size_t i = 0; i < points; i++)
        buf_printf(out, "%.1f,%.1f ", (double)i * WIDTH / (double)points,
                   HEIGHT - (most == 0 ? 0 : s->values[i] / most * (HEIGHT - 4)));
    buf_puts(out, "\"/></svg>");
}

void sim_report(struct buf *out, const char *title, const char *facts_json,
                const struct sim_series *series, size_t series_count, size_t points, int64_t from_s,
                int64_t to_s)
{
    buf_printf(out,
               "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>"
               "<style>body{font:15px system-ui;max-width:64rem;margin:2rem auto;padding:0 1rem}"
               "svg{width:100%%;border:1px solid #ccc}polyline{fill:none;stroke:#06c;"
               "stroke-width:1.2}pre{white-space:pre-wrap;background:#f4f4f4;padding:1rem}"
               "h2{font-size:1.1rem;margin:2rem 0 0}p{margin:.2rem 0;color:#555}</style><h1>%s</h1>"
               "<pre>",
               title, title);
    put_escaped(out, facts_json);
    buf_printf(out, "</pre><p>from day %.1f to day %.1f of the trace</p>", (double)from_s / 86400,
               (double)to_s / 86400);
    for (size_t i = 0; i < series_count; i++)
        put_chart(out, &series[i], points);
    buf_puts(out, "</html>\n");
}
