/* The suite against tables in memory. */
#include "suite.h"

int main(void)
{
    return suite_run("memory");
}
