/* Stands in for the image verbs until image_*.c are linked. */
#include "runner/work.h"

#define STAND_IN(name)                                                                             \
    __attribute__((weak)) int name(const struct work *w, const void *args, void *reply,            \
                                   struct err *err)                                                \
    {                                                                                              \
        (void)w;                                                                                   \
        (void)args;                                                                                \
        (void)reply;                                                                               \
        return err_set(err, BERR_UNSUPPORTED, "this runner cannot do that yet");                   \
    }
STAND_IN(work_image_add)
STAND_IN(work_image_build)
STAND_IN(work_image_remove)
