/* The one list of drivers. */
#include "engine/engine.h"

#include "base/str.h"
#include "engine/fake/fake.h"
#include "engine/local/local.h"

const struct engine_ops *const engine_list[] = {&engine_local, &engine_fake, NULL};

const char *const engine_ability_names[] = {
#define X(sym, name) name,
    ENGINE_ABILITY_LIST(X)
#undef X
        NULL};

const char *const engine_event_names[] = {
#define X(sym) #sym,
    ENGINE_EVENT_LIST(X)
#undef X
        NULL};

const struct engine_ops *engine_find(const char *name)
{
    for (size_t i = 0; engine_list[i] != NULL; i++)
        if (str_is_equal(engine_list[i]->name, name))
            return engine_list[i];
    return NULL;
}

int engine_unsupported(const char *driver, enum engine_ability_bit bit, struct err *err)
{
    return err_set(err, BERR_UNSUPPORTED, "the %s engine has no ability \"%s\"", driver,
                   engine_ability_names[bit]);
}
