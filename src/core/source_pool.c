/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source_pool: holders in one interval tree, those who wait in another.
 *
 * When a holder leaves, the waiting ones that touch its ports are asked in the order of (first
 * port, id). The walk must not look at each of them: 60,000 mappings may lead to one endpoint, and
 * each deletion would walk them all. But it may jump. Whoever blocks a candidate at its first port
 * blocks all candidates up to the end of the blocker's own ports, and a candidate that was just
 * given its ports blocks the rest likewise. Only ranges that begin before a blocker and reach into
 * it are looked at one by one.
 */
#include "core/source_pool.h"

#include <errno.h>
#include <stdlib.h>

void source_moves_free(struct source_moves *moves)
{
	free(moves->at);
	*moves = (struct source_moves){ 0 };
}

int source_moves_reserve(struct source_moves *moves, size_t n)
{
	size_t capacity;
	struct source_move *at;

	if (!moves || moves->capacity - moves->n >= n)
		return 0;
	capacity = moves->n + n;
	if (capacity < 2 * moves->capacity)
		capacity = 2 * moves->capacity;
	at = reallocarray(moves->at, capacity, sizeof(*at));
	if (!at)
		return -ENOMEM;
	moves->at = at;
	moves->capacity = capacity;
	return 0;
}

static void note(struct source_moves *moves, const struct source *s, bool held)
{
	if (moves)
		moves->at[moves->n++] = (struct source_move){ s->mapping, s->protocol, held };
}

static struct source *source_of(struct interval *ports)
{
	return (struct source *)((char *)ports - offsetof(struct source, ports));
}

void source_init(struct source *s, struct mapping *m, uint8_t protocol)
{
	*s = (struct source){
		.ports = { .first = m->spec.internal.first,
			   .last = m->spec.internal.last,
			   .order = m->id },
		.mapping = m,
		.protocol = protocol,
	};
}

static struct interval *find_blocker(const struct source_pool *pool, const struct interval *ports)
{
	return interval_overlap(&pool->holders, ports->first, ports->last);
}

static void hold(struct source_pool *pool, struct source *s, struct source_moves *moves)
{
	interval_insert(&pool->holders, &s->ports);
	s->state = SOURCE_HELD;
	note(moves, s, true);
}

void source_enter(struct source_pool *pool, struct source *s, struct source_moves *moves)
{
	if (!find_blocker(pool, &s->ports)) {
		hold(pool, s, moves);
		return;
	}
	interval_insert(&pool->waiting, &s->ports);
	s->state = SOURCE_WAITING;
}

void source_stand_apart(struct source_pool *pool, struct source *s)
{
	interval_insert(&pool->apart, &s->ports);
	s->state = SOURCE_APART;
}

bool source_leave(struct source_pool *pool, struct source *s, struct source_moves *moves)
{
	bool held = s->state == SOURCE_HELD;

	if (held) {
		interval_delete(&pool->holders, &s->ports);
		note(moves, s, false);
	} else if (s->state == SOURCE_WAITING) {
		interval_delete(&pool->waiting, &s->ports);
	} else if (s->state == SOURCE_APART) {
		interval_delete(&pool->apart, &s->ports);
	}
	s->state = SOURCE_NONE;
	return held;
}

/* The next one waiting for a port of [first, last] that begins behind port `last_taken`. */
static struct interval *next_behind(const struct source_pool *pool, uint32_t last_taken,
				    uint32_t first, uint32_t last)
{
	struct interval key = { .first = last_taken, .order = UINT32_MAX };

	return interval_overlap_next(&pool->waiting, &key, first, last);
}

void source_refill(struct source_pool *pool, const struct source *left, struct source_moves *moves)
{
	uint32_t first = left->ports.first, last = left->ports.last, taken;
	struct interval *candidate, *blocker;

	candidate = interval_overlap(&pool->waiting, first, last);
	while (candidate) {
		blocker = find_blocker(pool, candidate);
		if (!blocker) {
			taken = candidate->last;
			interval_delete(&pool->waiting, candidate);
			hold(pool, source_of(candidate), moves);
		} else if (blocker->first <= candidate->first) {
			taken = blocker->last;
		} else {
			candidate = interval_overlap_next(&pool->waiting, candidate, first, last);
			continue;
		}
		candidate = next_behind(pool, taken, first, last);
	}
}

static bool comes_before(const struct interval *a, const struct interval *b)
{
	return a->first != b->first ? a->first < b->first : a->order < b->order;
}

struct source *source_next(const struct source_pool *pool, struct port_range ports,
			   const struct mapping *after)
{
	const struct interval_tree *const trees[] = { &pool->holders, &pool->waiting,
						      &pool->apart };
	struct interval *best = NULL, key = { 0 }; /* ids begin with 1 */

	if (after) {
		key.first = after->spec.internal.first;
		key.order = after->id;
	}
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		struct interval *next = interval_overlap_next(trees[i], &key, ports.first,
							      ports.last);

		if (next && (!best || comes_before(next, best)))
			best = next;
	}
	return best ? source_of(best) : NULL;
}

size_t source_leave_bound(const struct source_pool *pool, const struct source *s)
{
	if (s->state != SOURCE_HELD)
		return 0;
	return pool->waiting.root ? 1 + (size_t)(s->ports.last - s->ports.first + 1) : 1;
}
