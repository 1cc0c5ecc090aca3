/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * latency: how long answers took, for the load generators: every sample is kept, in microseconds.
 */
#ifndef PORTWRIGHT_BENCH_LATENCY_H
#define PORTWRIGHT_BENCH_LATENCY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SECOND_NS 1000000000ull

struct latencies {
	uint32_t *at;
	size_t n, capacity;
};

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static inline void latency_add(struct latencies *l, uint64_t ns)
{
	if (l->n == l->capacity) {
		l->capacity = l->capacity ? l->capacity * 2 : 65536;
		l->at = realloc(l->at, l->capacity * sizeof(*l->at));
		if (!l->at)
			abort();
	}
	l->at[l->n++] = (uint32_t)(ns / 1000);
}

static inline int compare_latencies(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Sorts; "p50", "p99" and "max" as members of a JSON object. */
static inline void latency_print(struct latencies *l)
{
	if (!l->n)
		latency_add(l, 0);
	qsort(l->at, l->n, sizeof(*l->at), compare_latencies);
	printf("\"p50\": %u, \"p99\": %u, \"max\": %u", l->at[l->n / 2], l->at[l->n * 99 / 100],
	       l->at[l->n - 1]);
}

#endif
