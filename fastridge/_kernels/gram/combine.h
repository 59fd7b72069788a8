/* Four rows about a shift, added to sums or multiplied by vectors. */
#ifndef FASTRIDGE_COMBINE_H
#define FASTRIDGE_COMBINE_H

#include "compat.h"

#define TYPE double
#include "combine_template.h"
#undef TYPE
#define TYPE float
#include "combine_template.h"
#undef TYPE

#endif
