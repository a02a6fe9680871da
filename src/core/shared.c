/* SPDX-License-Identifier: MIT */
/*
 * The places that multiprocessing fills in when the arena comes to be; until then nothing is
 * shared.
 */
#include "core/shared.h"

weft_shared_hooks weft_shared;
uintptr_t weft_shared_base;
uintptr_t weft_shared_size;
_Atomic uint32_t weft_process_id = 1;
