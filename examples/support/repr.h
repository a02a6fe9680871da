/* SPDX-License-Identifier: MIT */
/* Bytes as Python would print them. */
#ifndef EXAMPLES_REPR_H
#define EXAMPLES_REPR_H

#include <weft.h>

/* Prints "label: b'...'" with what cannot be seen escaped, "label: None" where there are none. */
void repr(const char *label, weft_bytes bytes);

#endif
