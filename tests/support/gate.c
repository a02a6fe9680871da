/* SPDX-License-Identifier: MIT */
/* On pthreads alone: what the library's own primitives are tested with must not be one of them. */
#include "support/support.h"

void gate_init(struct gate *gate, unsigned needed)
{
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->changed, NULL);
    gate->arrived = 0;
    gate->needed = needed;
}

void gate_destroy(struct gate *gate)
{
    pthread_cond_destroy(&gate->changed);
    pthread_mutex_destroy(&gate->lock);
}

void gate_arrive(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    gate->arrived++;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->lock);
}

void gate_wait(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (gate->arrived < gate->needed)
        pthread_cond_wait(&gate->changed, &gate->lock);
    pthread_mutex_unlock(&gate->lock);
}

void gate_pass(struct gate *gate)
{
    gate_arrive(gate);
    gate_wait(gate);
}

bool gate_is_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    bool open = gate->arrived >= gate->needed;
    pthread_mutex_unlock(&gate->lock);
    return open;
}
