// SPDX-License-Identifier: MIT
// A CPU's queue: entities by key, equal ones in the order they came.
#include "sched/policy.h"

static void note_first(struct sched_queue *q)
{
    WRITE_ONCE(q->first, q->head ? q->head->key : INT64_MAX);
}

void sched_insert(struct sched_queue *q, struct sched_entity *e)
{
    struct sched_entity **p = &q->head;
    while (*p && (*p)->key <= e->key)
        p = &(*p)->next;
    e->next = *p;
    *p = e;
    e->queued = true;
    WRITE_ONCE(q->length, q->length + 1);
    note_first(q);
}

void sched_remove(struct sched_queue *q, struct sched_entity *e)
{
    struct sched_entity **p = &q->head;
    while (*p != e)
        p = &(*p)->next;
    *p = e->next;
    e->queued = false;
    WRITE_ONCE(q->length, q->length - 1);
    note_first(q);
}

void sched_sort(struct sched_queue *q)
{
    struct sched_entity *e = q->head, *next;
    q->head = NULL;
    q->length = 0;
    for (; e; e = next) {
        next = e->next;
        sched_insert(q, e);
    }
}
