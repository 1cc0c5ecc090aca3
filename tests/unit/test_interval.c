/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/interval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* xorshift32: the same numbers in every run. */
static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

static void fill(struct interval *i, uint32_t first, uint32_t last, uint32_t order)
{
	*i = (struct interval){ .first = first, .last = last, .order = order };
}

static void test_empty(void **state)
{
	struct interval_tree t = { NULL };

	assert_null(interval_overlap(&t, 0, UINT32_MAX));
}

static void test_edges(void **state)
{
	struct interval_tree t = { NULL };
	struct interval one;

	fill(&one, 10, 20, 1);
	interval_insert(&t, &one);
	assert_null(interval_overlap(&t, 0, 9));
	assert_ptr_equal(interval_overlap(&t, 0, 10), &one);
	assert_ptr_equal(interval_overlap(&t, 15, 15), &one);
	assert_ptr_equal(interval_overlap(&t, 20, 30), &one);
	assert_null(interval_overlap(&t, 21, 30));
	assert_null(interval_overlap_next(&t, &one, 0, 100));
	interval_delete(&t, &one);
	assert_null(interval_overlap(&t, 0, 100));
}

static void test_order(void **state)
{
	struct interval_tree t = { NULL };
	struct interval i[4];
	struct interval *node;
	size_t n = 0;

	fill(&i[0], 1, 100, 9);
	fill(&i[1], 5, 5, 2);
	fill(&i[2], 5, 60000, 7);
	fill(&i[3], 5, 5, 8);
	for (size_t k = 4; k-- > 0;)
		interval_insert(&t, &i[k]);
	interval_each (&t, node, 5, 5)
		assert_ptr_equal(node, &i[n++]);
	assert_int_equal(n, 4);
	n = 0;
	interval_each (&t, node, 101, 60000) {
		assert_ptr_equal(node, &i[2]);
		n++;
	}
	assert_int_equal(n, 1);
}

/* A probe that is in no tree works as a key for "the next one behind". */
static void test_next_behind_a_key(void **state)
{
	struct interval_tree t = { NULL };
	struct interval a, b, key = { .first = 5, .order = UINT32_MAX };

	fill(&a, 5, 9, 1);
	fill(&b, 6, 6, 1);
	interval_insert(&t, &a);
	interval_insert(&t, &b);
	assert_ptr_equal(interval_overlap_next(&t, &key, 0, 100), &b);
	assert_null(interval_overlap_next(&t, &key, 7, 100));
}

/* Returns the depth; checks order, heap and `highest` on the way. */
static size_t check_tree(const struct interval *n)
{
	uint32_t highest;
	size_t left, right;

	if (!n)
		return 0;
	highest = n->last;
	if (n->left) {
		assert_true(n->left->first < n->first ||
			    (n->left->first == n->first && n->left->order < n->order));
		assert_true(n->left->priority <= n->priority);
		highest = n->left->highest > highest ? n->left->highest : highest;
	}
	if (n->right) {
		assert_true(n->right->first > n->first ||
			    (n->right->first == n->first && n->right->order > n->order));
		assert_true(n->right->priority <= n->priority);
		highest = n->right->highest > highest ? n->right->highest : highest;
	}
	assert_int_equal(n->highest, highest);
	left = check_tree(n->left);
	right = check_tree(n->right);
	return 1 + (left > right ? left : right);
}

#define MODEL_N 60

static bool touches(const struct interval *i, uint32_t first, uint32_t last)
{
	return i->first <= last && i->last >= first;
}

/* The next one by the book: the least (first, order) greater than that of `behind`. */
static struct interval *model_next(struct interval *all, const bool *in,
				   const struct interval *behind, uint32_t first, uint32_t last)
{
	struct interval *best = NULL;

	for (size_t k = 0; k < MODEL_N; k++) {
		struct interval *i = &all[k];

		if (!in[k] || !touches(i, first, last))
			continue;
		if (behind && (i->first < behind->first ||
			       (i->first == behind->first && i->order <= behind->order)))
			continue;
		if (!best || i->first < best->first ||
		    (i->first == best->first && i->order < best->order))
			best = i;
	}
	return best;
}

static void test_against_a_model(void **state)
{
	struct interval all[MODEL_N] = { 0 };
	bool in[MODEL_N] = { false };
	struct interval_tree t = { NULL };
	uint32_t seed = 2463534242;

	for (int step = 0; step < 20000; step++) {
		uint32_t k = next_random(&seed) % MODEL_N;
		uint32_t first = next_random(&seed) % 50, width = next_random(&seed) % 8;
		struct interval *node, *expected = NULL;

		if (in[k]) {
			interval_delete(&t, &all[k]);
		} else {
			fill(&all[k], first, first + width, k);
			interval_insert(&t, &all[k]);
		}
		in[k] = !in[k];
		if (step % 100 == 0)
			check_tree(t.root);
		first = next_random(&seed) % 50;
		interval_each (&t, node, first, first + width) {
			expected = model_next(all, in, expected, first, first + width);
			assert_ptr_equal(node, expected);
		}
		assert_null(model_next(all, in, expected, first, first + width));
	}
}

/* Depth is what costs. 65,000 in rising order, all at one port, and in random order. */
static void test_depth_stays_logarithmic(void **state)
{
	enum { N = 65000 };
	struct interval *all = calloc(N, sizeof(*all));
	uint32_t seed = 88172645;

	assert_non_null(all);
	for (int shape = 0; shape < 3; shape++) {
		struct interval_tree t = { NULL };

		for (uint32_t k = 0; k < N; k++) {
			uint32_t first = shape == 0 ? k : shape == 1 ? 554 : next_random(&seed);

			fill(&all[k], first, first, k);
			interval_insert(&t, &all[k]);
		}
		assert_true(check_tree(t.root) < 80);
		for (uint32_t k = 0; k < N; k++)
			interval_delete(&t, &all[k]);
		assert_null(t.root);
	}
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_next_behind_a_key),
		cmocka_unit_test(test_against_a_model),
		cmocka_unit_test(test_depth_stays_logarithmic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
