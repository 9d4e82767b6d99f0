/* The suite against SQLite. */
#include "suite.h"

int main(void)
{
    return suite_run("sqlite");
}
