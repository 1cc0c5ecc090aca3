/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interval: a treap, which is a search tree by (first, order) and a heap by a random priority.
 *
 * It needs no colours and no parent pointers, a node is as small as it can be, and two operations
 * carry everything: split a tree at a key, join two trees. Its depth is O(log n) as long as nobody
 * can foresee the priorities: they are a hash of the node's own address in memory, which differs
 * from run to run (ASLR), and of its key. They decide the tree's shape and never the order of an
 * answer.
 *
 * The questions rest on one observation: in the order of `first`, the leftmost node whose `last`
 * reaches the interval decides. If even that one starts behind the interval, all later ones do.
 */
#include "base/interval.h"

#include <stddef.h>

/* The finaliser of SplitMix64. */
static uint32_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)(x >> 32);
}

static uint32_t choose_priority(const struct interval *node)
{
	uint64_t key = (uint64_t)node->first << 32 | node->order;

	return mix(key + (uint64_t)(uintptr_t)node * 0x9e3779b97f4a7c15u);
}

static bool before(const struct interval *a, const struct interval *b)
{
	return a->first != b->first ? a->first < b->first : a->order < b->order;
}

static void update_highest(struct interval *n)
{
	n->highest = n->last;
	if (n->left && n->left->highest > n->highest)
		n->highest = n->left->highest;
	if (n->right && n->right->highest > n->highest)
		n->highest = n->right->highest;
}

/* Takes the tree apart: what comes before key goes to *left, the rest to *right. */
static void split(struct interval *n, const struct interval *key, struct interval **left,
		  struct interval **right)
{
	if (!n) {
		*left = *right = NULL;
		return;
	}
	if (before(n, key)) {
		split(n->right, key, &n->right, right);
		*left = n;
	} else {
		split(n->left, key, left, &n->left);
		*right = n;
	}
	update_highest(n);
}

/* All of a comes before all of b. */
static struct interval *join(struct interval *a, struct interval *b)
{
	if (!a)
		return b;
	if (!b)
		return a;
	if (a->priority >= b->priority) {
		a->right = join(a->right, b);
		update_highest(a);
		return a;
	}
	b->left = join(a, b->left);
	update_highest(b);
	return b;
}

void interval_insert(struct interval_tree *t, struct interval *node)
{
	struct interval **link = &t->root;

	node->priority = choose_priority(node);
	while (*link && (*link)->priority >= node->priority) {
		struct interval *n = *link;

		if (node->last > n->highest)
			n->highest = node->last;
		link = before(node, n) ? &n->left : &n->right;
	}
	split(*link, node, &node->left, &node->right);
	update_highest(node);
	*link = node;
}

static struct interval *without(struct interval *n, const struct interval *node)
{
	if (n == node)
		return join(n->left, n->right);
	if (before(node, n))
		n->left = without(n->left, node);
	else
		n->right = without(n->right, node);
	update_highest(n);
	return n;
}

void interval_delete(struct interval_tree *t, struct interval *node)
{
	t->root = without(t->root, node);
	node->left = node->right = NULL;
}

static bool reaches(const struct interval *n, uint32_t first)
{
	return n && n->highest >= first;
}

/* The leftmost node below n with last >= first; n is known to have one. */
static struct interval *leftmost(struct interval *n, uint32_t first)
{
	for (;;) {
		if (reaches(n->left, first))
			n = n->left;
		else if (n->last >= first)
			return n;
		else
			n = n->right;
	}
}

static struct interval *if_touching(struct interval *n, uint32_t last)
{
	return n && n->first <= last ? n : NULL;
}

struct interval *interval_overlap(const struct interval_tree *t, uint32_t first, uint32_t last)
{
	return reaches(t->root, first) ? if_touching(leftmost(t->root, first), last) : NULL;
}

struct interval *interval_overlap_next(const struct interval_tree *t, const struct interval *node,
				       uint32_t first, uint32_t last)
{
	struct interval *n = t->root, *turned = NULL;

	/* Walk down to the node's place. Where the walk turns left, all from there on the right
	 * comes later; the deepest such turn with something in reach has the next one. */
	while (n) {
		if (!before(node, n)) {
			n = n->right;
			continue;
		}
		if (n->last >= first || reaches(n->right, first))
			turned = n;
		n = n->left;
	}
	if (!turned)
		return NULL;
	if (turned->last < first)
		turned = leftmost(turned->right, first);
	return if_touching(turned, last);
}
