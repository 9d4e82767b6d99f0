/*
 * image_sandbox: where layers are unpacked and built. A process in namespaces of its own (user,
 * mount, pid, ipc, uts, and network unless wanted) whose root is an empty tmpfs with, read only,
 * the host's programs and libraries and a few files of /etc; its user 0 is the instance's first
 * storage id, so that it owns the layer at /layer and nothing else of the host.
 *
 * In a worker (runner/work.h). The sandbox ends with the worker, with all that it started.
 */
#ifndef BERTH_RUNNER_IMAGE_SANDBOX_H
#define BERTH_RUNNER_IMAGE_SANDBOX_H

#include "runner/work.h"

struct sandbox {
    const char *work;    /* absolute path of a directory of the storage's, at /layer */
    const char *cache;   /* the same, at /cache; NULL: none */
    const char *program; /* absolute path of a program of ours, at /NAME; NULL: none */
    bool network;        /* the host's, for downloads; with apt's and pip's settings */
    int in_fd;           /* stdin; -1: nothing */
    int out_fd;          /* stdout; -1: lines of it go to on_line as well */
    /* Lines of stderr and stdout as they come, without the newline. May be NULL. */
    void (*on_line)(void *arg, const char *line);
    void *arg;
};

/* Runs argv[0] (absolute, inside) in it, to its end. *ret_code: its exit code; a signal is an
 * error. On failure and on codes other than 0 the last line it said is in ret_words, if given. */
int sandbox_run(const struct work *w, const struct sandbox *s, const char *const argv[],
                int *ret_code, char ret_words[ERR_TEXT_MAX], struct err *err);

/* Takes the lock of a layer until *ret_fd is closed: one making at a time. */
int layer_lock(const struct work *w, const char *layer, int *ret_fd, struct err *err);
bool layer_exists(const struct instance *in, const char *layer);
uint64_t layer_size(const struct instance *in, const char *layer);
/* An empty directory for a layer being made; its path. What a former try left is removed. */
int layer_begin(const struct work *w, const char *layer, char ret_path[700], struct err *err);
/* Gives it its name; durable afterwards. size: kept beside it. */
int layer_finish(const struct work *w, const char *layer, uint64_t size_bytes, struct err *err);
void layer_drop(const struct work *w, const char *layer);

#endif
