/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory plane is what the gateway's tests rest on, so its strictness is tested by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plane/memory.h"

#define N_MAPPINGS 4

struct bench {
	struct plane *plane;
	struct mapping_table *table;
	struct mapping *m[N_MAPPINGS]; /* m1 and m2 lead to one endpoint */
	struct mapping *m1_renamed;
};

static struct mapping *make(uint32_t id, uint32_t version)
{
	struct mapping_spec s = {
		.external = { (uint16_t)(8000 + id), (uint16_t)(8000 + id) },
		.internal = { (uint16_t)(id <= 2 ? 80 : id), (uint16_t)(id <= 2 ? 80 : id) },
		.protocols = PROTOCOL_TCP,
		.enabled = true,
	};

	parse_addr(SLICE("192.168.69.110"), &s.internal_client);
	return mapping_new(&s, id, version);
}

static int setup(void **state)
{
	struct bench *b = test_calloc(1, sizeof(*b));

	assert_int_equal(memory_plane_open(&b->plane), 0);
	assert_int_equal(mapping_table_new(&b->table), 0);
	for (uint32_t i = 0; i < N_MAPPINGS; i++)
		b->m[i] = make(i + 1, 1);
	b->m1_renamed = make(1, 2);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	b->plane->ops->close(b->plane);
	mapping_table_free(b->table);
	for (uint32_t i = 0; i < N_MAPPINGS; i++)
		mapping_unref(b->m[i]);
	mapping_unref(b->m1_renamed);
	test_free(b);
	return 0;
}

/* Changes the table and tells the plane. */
static int change(struct bench *b, const struct change *changes, size_t n)
{
	struct source_moves moves = { 0 };
	struct plane_batch batch = { .changes = changes, .n_changes = n };
	struct fault f = { 0 };
	int ret;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(mapping_table_replace(b->table, changes[i].before,
						       changes[i].after, &moves),
				 0);
	batch.moves = moves.at;
	batch.n_moves = moves.n;
	ret = b->plane->ops->apply(b->plane, &batch, &f);
	source_moves_free(&moves);
	assert_int_equal(ret < 0, f.kind != FAULT_NONE);
	return ret;
}

static void add_all(struct bench *b)
{
	struct change changes[N_MAPPINGS] = { 0 };

	for (size_t i = 0; i < N_MAPPINGS; i++)
		changes[i].after = b->m[i];
	assert_int_equal(change(b, changes, N_MAPPINGS), 0);
}

static void test_apply(void **state)
{
	struct bench *b = *state;
	const struct change changes[] = { { .before = b->m[0], .after = b->m1_renamed },
					  { .before = b->m1_renamed },
					  { .before = b->m[3] } };

	add_all(b);
	assert_int_equal(memory_plane_count(b->plane), 4);
	assert_true(memory_plane_equals(b->plane, b->table));
	assert_int_equal(change(b, changes, 3), 0);
	assert_int_equal(memory_plane_count(b->plane), 2);
	assert_true(memory_plane_equals(b->plane, b->table));
	assert_int_equal(memory_plane_tricks(b->plane)->applies, 2);
	assert_int_equal(memory_plane_tricks(b->plane)->changes, 3);
}

/* All or nothing, and it notices when the table moved on without it. */
static void test_refusals(void **state)
{
	struct bench *b = *state;
	const struct change changes[] = { { .before = b->m[1] }, { .before = b->m[3] } };
	const struct change back[] = { { .after = b->m[3] }, { .after = b->m[1] } };
	struct memory_plane_tricks *tricks = memory_plane_tricks(b->plane);

	add_all(b);
	tricks->fail_mapping = 4;
	assert_true(change(b, changes, 2) < 0);
	tricks->fail_mapping = 0;
	assert_int_equal(memory_plane_count(b->plane), 4);
	assert_false(memory_plane_equals(b->plane, b->table));
	/* it still has them, so adding them is refused: the table comes back without the plane */
	assert_true(change(b, back, 2) < 0);
	assert_true(memory_plane_equals(b->plane, b->table));

	tricks->fail_apply = 2;
	assert_int_equal(change(b, changes, 2), 0);
	assert_true(change(b, back, 2) < 0);
	assert_int_equal(memory_plane_count(b->plane), 2);
}

static void test_source_gained_twice(void **state)
{
	struct bench *b = *state;
	const struct source_move moves[] = { { b->m[1], PROTOCOL_TCP, true },
					     { b->m[0], PROTOCOL_TCP, true } };
	const struct plane_batch batch = { .moves = moves, .n_moves = 2 };
	struct fault f;

	add_all(b);
	assert_true(b->plane->ops->apply(b->plane, &batch, &f) < 0);
	assert_int_equal(f.kind, FAULT_PLANE);
	assert_true(memory_plane_equals(b->plane, b->table));
}

static void test_reconcile(void **state)
{
	struct bench *b = *state;
	struct reconcile_report report;
	struct fault f;

	add_all(b);
	memory_plane_lose(b->plane, 2);
	mapping_table_replace(b->table, b->m[0], b->m1_renamed, NULL);
	mapping_table_replace(b->table, b->m[3], NULL, NULL);
	assert_false(memory_plane_equals(b->plane, b->table));
	memory_plane_tricks(b->plane)->fail_reconcile = 1;
	assert_true(b->plane->ops->reconcile(b->plane, b->table, &report, &f) < 0);
	assert_int_equal(memory_plane_count(b->plane), 3);
	assert_int_equal(b->plane->ops->reconcile(b->plane, b->table, &report, &f), 0);
	assert_int_equal(report.kept, 1);    /* m3 */
	assert_int_equal(report.added, 2);   /* m1 anew, m2 */
	assert_int_equal(report.removed, 2); /* m1 as it was, m4 */
	assert_true(memory_plane_equals(b->plane, b->table));
	assert_int_equal(b->plane->ops->flush(b->plane, &f), 0);
	assert_int_equal(memory_plane_count(b->plane), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_apply, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_source_gained_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reconcile, setup, teardown),
	};

	return cmocka_run_group_tests_name("memory_plane", tests, NULL, NULL);
}
