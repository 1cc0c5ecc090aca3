/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * interval: a set of closed intervals [first, last] that may overlap, asked "who touches this one?".
 *
 * An intrusive treap, ordered by (first, order), where each node also knows the highest `last`
 * below it. Insert, delete and "next overlapping" cost O(log n); a range of 60,000 ports is one
 * node, as a single port is. A library was looked for (docs/dependencies.md): the tree macros of
 * libbsd cannot keep the augmented maximum right on insertion.
 */
#ifndef PORTWRIGHT_BASE_INTERVAL_H
#define PORTWRIGHT_BASE_INTERVAL_H

#include <stdbool.h>
#include <stdint.h>

struct interval {
	struct interval *left, *right;
	uint32_t first, last;
	uint32_t highest;  /* the largest `last` in this subtree */
	uint32_t priority; /* heap order */
	uint32_t order;    /* breaks ties of `first`; (first, order) must be unique in one tree */
};

struct interval_tree {
	struct interval *root;
};

/* The caller has filled first, last and order; the node belongs to the caller and must stay put. */
void interval_insert(struct interval_tree *t, struct interval *node);
void interval_delete(struct interval_tree *t, struct interval *node);

/* The first node, in (first, order), that touches [first, last]; NULL where none. */
struct interval *interval_overlap(const struct interval_tree *t, uint32_t first, uint32_t last);
/* The next one behind `node` in that order that touches [first, last]. */
struct interval *interval_overlap_next(const struct interval_tree *t, const struct interval *node,
				       uint32_t first, uint32_t last);

#define interval_each(t, node, f, l)                                                               \
	for ((node) = interval_overlap((t), (f), (l)); (node);                                     \
	     (node) = interval_overlap_next((t), (node), (f), (l)))

#endif
