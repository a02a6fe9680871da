/* SPDX-License-Identifier: MIT */
/* What both injectors do with the scenarios: each in the thread and in a task, as one test. */
#ifndef WEFT_TESTS_FAULT_RUN_H
#define WEFT_TESTS_FAULT_RUN_H

#include "fault/scenarios/scenarios.h"
#include "support/support.h"

/* One test's state. */
typedef struct fault_case {
    const scenario *scenario;
    const char *module;
    bool in_task;
} fault_case;

/* How something is made to fail. */
typedef struct fault_injector {
    void (*describe)(void *self, char *text, size_t size); /* what fails */
    void (*arm)(void *self);
    bool (*disarm)(void *self); /* whether anything has been made to fail */
} fault_injector;

/*
 * Runs the scenario and then the end of the library while something fails. All that must hold then
 * is looked at; what does not is told, and counted. Returns whether anything was made to fail.
 */
bool fault_run(const fault_case *one, const fault_injector *injector, void *self);

/* How much did not hold, since the last call. */
int fault_complaints(void);

/* Runs `test` for each scenario that the program's arguments name: a module, a part of the name. */
int fault_main(int argc, char **argv, void (*test)(void **state));

#endif
