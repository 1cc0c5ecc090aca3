/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease: a binary heap in an array, children of i at 2i + 1 and 2i + 2.
 */
#include "core/lease.h"

#include <errno.h>
#include <stdlib.h>

#define INITIAL_CAPACITY 16

static int grow(struct leases *l)
{
	size_t capacity = l->capacity ? l->capacity * 2 : INITIAL_CAPACITY;
	struct lease *heap = reallocarray(l->heap, capacity, sizeof(*heap));

	if (!heap)
		return -ENOMEM;
	l->heap = heap;
	l->capacity = capacity;
	return 0;
}

int leases_push(struct leases *l, clock_ms deadline, uint32_t id)
{
	size_t i = l->n;

	if (l->n == l->capacity && grow(l) < 0)
		return -ENOMEM;
	l->n++;
	while (i > 0 && l->heap[(i - 1) / 2].deadline > deadline) {
		l->heap[i] = l->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	l->heap[i] = (struct lease){ .deadline = deadline, .id = id };
	return 0;
}

const struct lease *leases_first(const struct leases *l)
{
	return l->n ? &l->heap[0] : NULL;
}

void leases_pop(struct leases *l)
{
	struct lease last;
	size_t i = 0, child;

	if (!l->n)
		return;
	last = l->heap[--l->n];
	while ((child = 2 * i + 1) < l->n) {
		if (child + 1 < l->n && l->heap[child + 1].deadline < l->heap[child].deadline)
			child++;
		if (l->heap[child].deadline >= last.deadline)
			break;
		l->heap[i] = l->heap[child];
		i = child;
	}
	l->heap[i] = last;
}

void leases_clear(struct leases *l)
{
	l->n = 0;
}

void leases_free(struct leases *l)
{
	free(l->heap);
	*l = (struct leases){ 0 };
}

clock_ms lease_deadline(wall_s date)
{
	clock_ms deadline = clock_now() + (date - clock_wall()) * 1000;

	return deadline ? deadline : -1;
}
