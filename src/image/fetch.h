/*
 * fetch: one image from a registry into DATA/tmp/FOLDER, by skopeo as a child process. When it is
 * done the layers' archives lie in FOLDER by their hex digests; manifest and config have been
 * checked against theirs (the archives are by the runner, which reads them anyway).
 *
 * Loop thread; what blocks runs on workers. The child dies with this process.
 */
#ifndef BERTH_IMAGE_FETCH_H
#define BERTH_IMAGE_FETCH_H

#include "ev/loop.h"
#include "types/image.h"

struct fetch;

struct fetched {
    char layers[IMAGE_LAYERS_MAX][65]; /* hex, bottom first */
    uint32_t layer_count;
    char config[4096]; /* see oci.h */
};

struct fetch_job {
    struct ev_loop *loop;
    const char *skopeo; /* NULL: found in PATH */
    const char *data_dir, *folder, *reference;
    /* A step in words. */
    void (*progress)(void *arg, const char *text);
    /* Once, later; the fetch is gone afterwards. */
    void (*done)(void *arg, int rc, const struct fetched *result, const struct err *err);
    void *arg;
};

/* Texts are copied. */
int fetch_start(const struct fetch_job *job, struct fetch **ret, struct err *err);
/* No callback comes any more; the child is killed. */
void fetch_cancel(struct fetch *f);
/* Removes DATA/tmp/FOLDER on a worker; nobody waits for it. */
void fetch_clear(struct ev_loop *loop, const char *data_dir, const char *folder);

/* A reference that skopeo takes: [host[:port]/]path[:tag][@digest], nothing like an option. */
bool fetch_is_reference(const char *s);
/* Whether its registry is this machine: then without TLS. */
bool fetch_is_loopback(const char *reference);

#endif
