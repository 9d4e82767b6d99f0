#include "js/js.h"
