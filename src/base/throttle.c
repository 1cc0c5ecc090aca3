/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * throttle: one array of buckets, found by a hash, kept in the order of their last use.
 *
 *     heads[hash] -> bucket -> bucket          chains of the hash
 *     newest <-> ... <-> oldest                by last use; the oldest is given away
 *
 * Buckets name each other by index, so that all of it is two allocations which never grow. A bucket
 * in use counts thousandths of a request: by `rate` a second is by `rate` thousandths a
 * millisecond, and nothing is rounded away however often somebody asks.
 *
 * The hash is SipHash-1-3 with a random key. Without one, an attacker would choose addresses that
 * meet in one chain, and have each packet walk it.
 */
#include "base/throttle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define COST 1000 /* of a request, in a bucket's units */
#define NONE UINT32_MAX

struct bucket {
	struct addr source;
	clock_ms at;	/* when `level` was right */
	uint32_t level; /* thousandths of a request */
	uint32_t next_in_chain;
	uint32_t newer, older;
};

struct throttle {
	uint32_t rate, full; /* thousandths: a millisecond, at most */
	uint32_t n, used;    /* buckets */
	uint32_t newest, oldest;
	uint32_t mask; /* of the heads, whose number is a power of two */
	uint64_t key[2];
	uint64_t refused;
	uint32_t *heads;
	struct bucket buckets[];
};

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t n = 1;

	while (n < at_least)
		n *= 2;
	return n;
}

int throttle_new(uint32_t sources, uint32_t rate, uint32_t burst, struct throttle **ret)
{
	struct throttle *t;
	uint32_t n_heads;

	if (!sources || sources > THROTTLE_SOURCES_MAX || !rate || rate > THROTTLE_RATE_MAX ||
	    !burst || burst > THROTTLE_RATE_MAX)
		return -EINVAL;
	n_heads = power_of_two(sources);
	t = malloc(sizeof(*t) + sources * sizeof(t->buckets[0]));
	if (!t)
		return -ENOMEM;
	*t = (struct throttle){
		.rate = rate,
		.full = burst * COST,
		.n = sources,
		.newest = NONE,
		.oldest = NONE,
		.mask = n_heads - 1,
		.heads = malloc(n_heads * sizeof(t->heads[0])),
	};
	if (!t->heads) {
		free(t);
		return -ENOMEM;
	}
	memset(t->heads, 0xff, n_heads * sizeof(t->heads[0])); /* NONE, all of them */
	/* Fails only where the machine has no entropy at all yet; then the addresses of memory are
	 * what chance there is. */
	if (getrandom(t->key, sizeof(t->key), GRND_NONBLOCK) != sizeof(t->key)) {
		t->key[0] = (uint64_t)(uintptr_t)t;
		t->key[1] = (uint64_t)(uintptr_t)t->heads;
	}
	*ret = t;
	return 0;
}

void throttle_free(struct throttle *t)
{
	if (t)
		free(t->heads);
	free(t);
}

static uint64_t rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(uint64_t v[static 4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

static uint32_t *head_of(const struct throttle *t, const struct addr *source)
{
	uint64_t v[4] = {
		t->key[0] ^ 0x736f6d6570736575u,
		t->key[1] ^ 0x646f72616e646f6du,
		t->key[0] ^ 0x6c7967656e657261u,
		t->key[1] ^ 0x7465646279746573u,
	};
	/* The last word holds the length, as SipHash has it. */
	uint64_t words[3] = { [2] = (uint64_t)sizeof(*source) << 56 };

	memcpy(words, source, sizeof(*source));
	for (size_t i = 0; i < 3; i++) {
		v[3] ^= words[i];
		sip_round(v);
		v[0] ^= words[i];
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return &t->heads[(v[0] ^ v[1] ^ v[2] ^ v[3]) & t->mask];
}

static uint32_t find(const struct throttle *t, const struct addr *source)
{
	uint32_t i = *head_of(t, source);

	while (i != NONE && !addr_eq(&t->buckets[i].source, source))
		i = t->buckets[i].next_in_chain;
	return i;
}

static void leave_order(struct throttle *t, uint32_t i)
{
	const struct bucket *b = &t->buckets[i];

	*(b->newer == NONE ? &t->newest : &t->buckets[b->newer].older) = b->older;
	*(b->older == NONE ? &t->oldest : &t->buckets[b->older].newer) = b->newer;
}

static void become_newest(struct throttle *t, uint32_t i)
{
	struct bucket *b = &t->buckets[i];

	b->newer = NONE;
	b->older = t->newest;
	*(t->newest == NONE ? &t->oldest : &t->buckets[t->newest].newer) = i;
	t->newest = i;
}

static void leave_chain(struct throttle *t, uint32_t i)
{
	uint32_t *link = head_of(t, &t->buckets[i].source);

	while (*link != i)
		link = &t->buckets[*link].next_in_chain;
	*link = t->buckets[i].next_in_chain;
}

/* A full bucket, the newest one. */
static uint32_t begin(struct throttle *t, const struct addr *source, clock_ms now)
{
	uint32_t *head = head_of(t, source);
	uint32_t i = t->oldest;

	if (t->used < t->n) {
		i = t->used++;
	} else {
		leave_order(t, i);
		leave_chain(t, i);
	}
	t->buckets[i] = (struct bucket){
		.source = *source,
		.at = now,
		.level = t->full,
		.next_in_chain = *head,
	};
	*head = i;
	become_newest(t, i);
	return i;
}

static void refill(const struct throttle *t, struct bucket *b, clock_ms now)
{
	uint64_t missing = t->full - b->level;
	uint64_t passed = now > b->at ? (uint64_t)(now - b->at) : 0;

	/* `passed` may be years, which times the rate would not fit. */
	b->level = passed > missing / t->rate ? t->full : b->level + (uint32_t)(passed * t->rate);
	b->at = now;
}

bool throttle_admit(struct throttle *t, const struct addr *source, clock_ms now)
{
	uint32_t i = find(t, source);
	struct bucket *b;

	if (i == NONE) {
		i = begin(t, source, now);
	} else if (i != t->newest) {
		leave_order(t, i);
		become_newest(t, i);
	}
	b = &t->buckets[i];
	refill(t, b, now);
	if (b->level < COST) {
		t->refused++;
		return false;
	}
	b->level -= COST;
	return true;
}

uint64_t throttle_refused(const struct throttle *t)
{
	return t->refused;
}
