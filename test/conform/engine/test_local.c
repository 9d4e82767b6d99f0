/* The suite against the local engine and a real runner. argv[1]: berth-runner. */
#include "local_fixture.h"

int main(int argc, char **argv)
{
    static struct local_driver d;
    static struct fixture f;
    if (argc < 2) {
        fprintf(stderr, "usage: %s berth-runner\n", argv[0]);
        return 2;
    }
    int rc = local_fixture_begin(&f, &d, argv[1]);
    return rc != 0 ? rc : local_fixture_end(&d, suite_run(&f, "local"));
}
