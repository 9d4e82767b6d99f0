/*
 * local_fixture: the local engine and a real runner on a data directory of its own, with a busybox
 * image. Needs root and a static busybox: begin answers 77, which means skipped, without. break
 * kills the runner with SIGKILL. BERTH_TEST_KEEP keeps the directory of a failed run.
 */
#ifndef BERTH_TEST_CONFORM_ENGINE_LOCAL_FIXTURE_H
#define BERTH_TEST_CONFORM_ENGINE_LOCAL_FIXTURE_H

#include <sys/types.h>
#include "suite.h"

struct local_driver {
    const char *program;
    char data[TEST_PATH_MAX], socket[TEST_PATH_MAX + 32];
    char tag[8];
    uint32_t uid_base;
    pid_t runner;
    struct ev_loop *loop;
    struct ev_timer *timer;
    char left[128];
};

int local_fixture_begin(struct fixture *f, struct local_driver *d, const char *program);
/* Clears the instance and looks that nothing of it is left; 0 when failed was 0 and nothing is. */
int local_fixture_end(struct local_driver *d, int failed);

void local_runner_start(struct local_driver *d, const char *extra);
bool local_runner_wait(struct local_driver *d); /* until its socket answers */
void local_runner_kill(struct local_driver *d, int signal);

#endif
