/* SPDX-License-Identifier: MIT */
#include "fault/scenarios/scenarios.h"

const scenario_group scenario_groups[] = {
    {"core", scenarios_core},
    {"threading", scenarios_threading},
    {"queue", scenarios_queue},
    {"signal", scenarios_signal},
    {"io", scenarios_io},
    {"subprocess", scenarios_subprocess},
    {"futures", scenarios_futures},
    {"asyncio", scenarios_asyncio},
    {"multiprocessing", scenarios_multiprocessing},
    {NULL, NULL},
};
