/* fetch_tool DATA FOLDER REFERENCE: src/image/fetch.h on a loop of its own; one line of JSON. */
#include <stdio.h>
#include "image/fetch.h"

static int code;

static void progress(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "%s\n", text);
}

static void done(void *arg, int rc, const struct fetched *result, const struct err *err)
{
    (void)arg;
    if (rc != 0) {
        printf("{\"error\":\"%s\",\"text\":\"%s\"}\n", berr_name(err->code), err->text);
        code = 1;
        return;
    }
    printf("{\"config\":%s,\"layers\":[", result->config);
    for (uint32_t i = 0; i < result->layer_count; i++)
        printf("%s\"%s\"", i > 0 ? "," : "", result->layers[i]);
    printf("]}\n");
}

int main(int argc, char **argv)
{
    struct ev_loop *loop = NULL;
    struct fetch *fetch = NULL;
    struct err err;
    if (argc != 4 || ev_loop_new(&loop, &err) != 0)
        return 2;
    struct fetch_job job = {.loop = loop,
                            .data_dir = argv[1],
                            .folder = argv[2],
                            .reference = argv[3],
                            .progress = progress,
                            .done = done};
    if (fetch_start(&job, &fetch, &err) != 0)
        return 2;
    ev_loop_run(loop);
    ev_loop_free(loop);
    return code;
}
