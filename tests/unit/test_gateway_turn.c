/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a turn: one write and one batch for all, and every way in which they can fail. */
#include "gateway_fixture.h"

#include <errno.h>

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_open(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_close(*state);
	free(*state);
	return 0;
}

static void test_group_commit(void **state)
{
	struct fixture *f = *state;
	struct outcome o[50];

	for (uint16_t i = 0; i < 50; i++)
		submit_one(f, &o[i], op_add((uint16_t)(2000 + i), 80));
	assert_int_equal(f->turns_asked, 1);
	gateway_turn(f->g);
	assert_int_equal(memory_store_tricks(f->store)->writes, 1);
	assert_int_equal(memory_store_tricks(f->store)->changes, 50);
	assert_int_equal(memory_plane_tricks(f->plane)->applies, 1);
	for (unsigned i = 0; i < 50; i++) {
		assert_fault(&o[i], FAULT_NONE, "");
		assert_int_equal(o[i].order, i + 1);
	}
	assert_settled(f);
}

/* Nothing becomes durable: every caller of the turn is told, and the table is as it was. */
static void test_store_fails(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_add(8888, 80));
	struct gateway_operation change = op_change(f, id);
	struct outcome o[4];

	change.spec.external = (struct port_range){ 8889, 8889 };
	memory_store_tricks(f->store)->fail_write = 1;
	submit_one(f, &o[0], change);
	submit_one(f, &o[1], op_add(8888, 81));
	submit_one(f, &o[2], op_delete(id));
	submit_one(f, &o[3], op_add(8889, 82));
	gateway_turn(f->g);
	for (unsigned i = 0; i < 4; i++) {
		assert_fault(&o[i], FAULT_STORE, "memory: a write fails for a test");
		assert_int_equal(o[i].order, i + 2);
	}
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 1);
	assert_int_equal(mapping_of(f, id)->version, 1);
	assert_int_equal(f->n_events, 1);
	assert_settled(f);
	run_ok(f, op_add(8889, 80));
	assert_settled(f);
}

/* Someone else emptied the plane, so it does not know what the batch changes. */
static void test_refused_for_anothers_doing(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_add(8888, 80));

	memory_plane_lose(f->plane, id);
	run_ok(f, op_delete(id));
	assert_int_equal(f->events[1].kind, EVENT_HEALED);
	assert_int_equal(f->events[2].kind, EVENT_DELETED);
	assert_settled(f);
	/* a passing refusal costs nobody anything */
	memory_plane_tricks(f->plane)->fail_apply = 1;
	run_ok(f, op_add(8888, 80));
	assert_settled(f);
}

/* One culprit does not take the others down, but those that built on it. */
static void test_plane_refuses_one(void **state)
{
	struct fixture *f = *state;
	uint32_t keeper = run_ok(f, op_add(8888, 80));
	uint32_t culprit = run_ok(f, op_add(8889, 81));
	struct gateway_operation ops[] = { op_delete(culprit), op_delete(keeper) };
	struct gateway_operation change = op_change(f, culprit);
	struct outcome o[5];

	submit_one(f, &o[0], op_add(1, 1));
	change.spec.external = (struct port_range){ 9999, 9999 };
	submit_one(f, &o[1], change);
	submit_one(f, &o[2], op_add(8889, 82)); /* the port it left */
	submit(f, &o[3], ops, 2);
	submit_one(f, &o[4], op_add(2, 2));
	memory_plane_tricks(f->plane)->fail_mapping = culprit;
	gateway_turn(f->g);
	assert_fault(&o[0], FAULT_NONE, "");
	assert_fault(&o[1], FAULT_PLANE, "memory: m2: refused for a test");
	assert_fault(&o[2], FAULT_PLANE, "m2 could not be moved out of the way");
	assert_fault(&o[3], FAULT_PLANE, "m2 depends on a change that could not be put in force");
	assert_fault(&o[4], FAULT_NONE, "");
	assert_int_equal(mapping_of(f, culprit)->version, 1);
	assert_int_equal(mapping_of(f, keeper)->version, 1);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 4);
	assert_settled(f);
	assert_int_equal(f->n_events, 4);
	/* and the plane is compared once more */
	assert_int_equal(f->turns_asked, 4);
	size_t reconciles = memory_plane_tricks(f->plane)->reconciles;

	gateway_turn(f->g);
	assert_int_equal(memory_plane_tricks(f->plane)->reconciles, reconciles + 1);
	fixture_restart(f);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 4);
	assert_settled(f);
}

/* A request that changes nothing still depends on what it found. */
static void test_nothing_changed_of_something_refused(void **state)
{
	struct fixture *f = *state;
	struct outcome o[2];

	memory_plane_tricks(f->plane)->fail_mapping = 1;
	submit_one(f, &o[0], op_add(8888, 80));
	submit_one(f, &o[1], op_change(f, 1));
	gateway_turn(f->g);
	assert_fault(&o[0], FAULT_PLANE, NULL);
	assert_fault(&o[1], FAULT_PLANE, NULL);
	assert_settled(f);
}

/* The refused change cannot be taken back from the store: nothing else is written before it is. */
static void test_owed_to_the_store(void **state)
{
	struct fixture *f = *state;
	struct outcome o[2];

	memory_plane_tricks(f->plane)->fail_mapping = 1;
	memory_store_tricks(f->store)->fail_write = 2;
	submit_one(f, &o[0], op_add(8888, 80));
	gateway_turn(f->g);
	assert_fault(&o[0], FAULT_PLANE, NULL);
	assert_int_equal(memory_store_count(f->store), 1);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 0);
	assert_int_equal(gateway_next_deadline(f->g), START_NOW + 1000);

	memory_store_tricks(f->store)->fail_all = true;
	submit_one(f, &o[1], op_add(8888, 81));
	gateway_turn(f->g);
	assert_fault(&o[1], FAULT_STORE, NULL);
	assert_int_equal(memory_store_count(f->store), 1);

	memory_store_tricks(f->store)->fail_all = false;
	clock_freeze(START_NOW + 1000, START_WALL + 1);
	f->turns_asked = 0;
	gateway_turn(f->g);
	gateway_expire(f->g);
	assert_int_equal(memory_store_count(f->store), 0);
	assert_settled(f);
	run_ok(f, op_add(8888, 82));
	assert_int_equal(o[0].times, 1);
	assert_settled(f);
}

/* What the memory store does when told to complete later. */
static void test_remote_store(void **state)
{
	struct fixture *f = *state;
	struct memory_store_tricks *store = memory_store_tricks(f->store);
	struct outcome o[3];

	store->later = true;
	submit_one(f, &o[0], op_add(8888, 80));
	gateway_turn(f->g);
	submit_one(f, &o[1], op_add(8889, 80));
	submit_one(f, &o[2], op_change(f, 1));
	gateway_turn(f->g);
	assert_int_equal(store->writes, 1);
	assert_int_equal(f->n_done, 0);
	assert_int_equal(memory_plane_count(f->plane), 0);

	f->turns_asked = 0;
	assert_true(memory_store_complete(f->store));
	assert_fault(&o[0], FAULT_NONE, "");
	assert_int_equal(o[1].times, 0);
	assert_int_equal(memory_plane_count(f->plane), 1);
	assert_int_equal(f->turns_asked, 1);
	gateway_turn(f->g);
	assert_int_equal(store->changes, 1);
	assert_true(memory_store_complete(f->store));
	assert_fault(&o[1], FAULT_NONE, "");
	assert_fault(&o[2], FAULT_NONE, "");
	assert_false(memory_store_complete(f->store));
	assert_settled(f);
}

static void test_remote_store_fails(void **state)
{
	struct fixture *f = *state;
	struct memory_store_tricks *store = memory_store_tricks(f->store);
	struct gateway_operation change;
	struct outcome o[3];

	store->later = true;
	store->fail_write = 1;
	submit_one(f, &o[0], op_add(8888, 80));
	gateway_turn(f->g);
	change = op_change(f, 1);
	change.spec.name = "built on sand";
	submit_one(f, &o[1], change);
	submit_one(f, &o[2], op_add(8889, 80));
	assert_true(memory_store_complete(f->store));
	assert_fault(&o[0], FAULT_STORE, NULL);
	gateway_turn(f->g);
	while (memory_store_complete(f->store))
		gateway_turn(f->g);
	assert_fault(&o[1], FAULT_PLANE, "m1 depends on a change that could not be put in force");
	assert_fault(&o[2], FAULT_NONE, "");
	assert_settled(f);
}

/* A refusal is told when the store has forgotten it, not before. */
static void test_remote_store_plane_refuses(void **state)
{
	struct fixture *f = *state;
	struct outcome o[3];

	memory_store_tricks(f->store)->later = true;
	memory_plane_tricks(f->plane)->fail_mapping = 2;
	submit_one(f, &o[0], op_add(8888, 80));
	submit_one(f, &o[1], op_add(8889, 80));
	gateway_turn(f->g);
	submit_one(f, &o[2], op_add(8890, 80));
	memory_store_complete(f->store);
	assert_fault(&o[0], FAULT_NONE, "");
	assert_int_equal(o[1].times, 0);
	gateway_turn(f->g);
	assert_int_equal(o[1].times, 0);
	memory_store_complete(f->store);
	assert_fault(&o[1], FAULT_PLANE, NULL);
	assert_int_equal(o[2].times, 0);
	gateway_turn(f->g);
	memory_store_complete(f->store);
	assert_fault(&o[2], FAULT_NONE, "");
	assert_settled(f);
}

static void test_heal(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_add(8888, 80));
	struct fault fault = { 0 };

	assert_int_equal(gateway_heal(f->g, &fault), 0);
	assert_int_equal(f->n_events, 1);
	memory_plane_lose(f->plane, id);
	memory_plane_tricks(f->plane)->fail_reconcile = 1;
	assert_true(gateway_heal(f->g, &fault) < 0);
	assert_int_equal(fault.kind, FAULT_PLANE);
	assert_int_equal(gateway_next_deadline(f->g), START_NOW + 1000);
	clock_freeze(START_NOW + 1000, START_WALL + 1);
	gateway_expire(f->g);
	gateway_turn(f->g);
	assert_int_equal(f->n_events, 2);
	assert_int_equal(f->events[1].kind, EVENT_HEALED);
	assert_int_equal(gateway_next_deadline(f->g), 0);
	assert_settled(f);
}

/* What is not durable yet is not programmed by a heal either. */
static void test_heal_under_way(void **state)
{
	struct fixture *f = *state;
	struct outcome o[2];
	uint32_t id = run_ok(f, op_add(8888, 80));

	memory_store_tricks(f->store)->later = true;
	submit_one(f, &o[0], op_delete(id));
	gateway_turn(f->g);
	submit_one(f, &o[1], op_add(8888, 81));
	memory_plane_lose(f->plane, id);
	assert_int_equal(gateway_heal(f->g, NULL), 0);
	assert_int_equal(memory_plane_count(f->plane), 1);
	assert_null(mapping_of(f, id));
	memory_store_complete(f->store);
	gateway_turn(f->g);
	memory_store_complete(f->store);
	assert_fault(&o[0], FAULT_NONE, "");
	assert_fault(&o[1], FAULT_NONE, "");
	assert_settled(f);
}

struct chain {
	struct outcome outcome;
	struct outcome next;
};

static void submit_next(void *arg, const struct gateway_result *result)
{
	struct chain *c = arg;

	note_done(&c->outcome, result);
	gateway_turn(c->outcome.f->g); /* has no effect in here */
	submit_one(c->outcome.f, &c->next, op_add(8889, 80));
	gateway_turn(c->outcome.f->g);
}

static void test_submit_from_done(void **state)
{
	struct fixture *f = *state;
	const struct gateway_operation op = op_add(8888, 80);
	struct chain c = { .outcome.f = f };

	gateway_submit(f->g, &root, &op, 1, submit_next, &c);
	gateway_turn(f->g);
	assert_fault(&c.outcome, FAULT_NONE, "");
	assert_int_equal(c.next.times, 0);
	assert_int_equal(f->turns_asked, 2);
	gateway_turn(f->g);
	assert_fault(&c.next, FAULT_NONE, "");
	assert_settled(f);
}

static void test_close_with_requests_waiting(void **state)
{
	struct fixture *f = *state;
	struct gateway *closed = f->g;
	struct outcome o[2];
	struct fault fault;

	memory_store_tricks(f->store)->later = true;
	submit_one(f, &o[0], op_add(8888, 80));
	gateway_turn(f->g);
	submit_one(f, &o[1], op_add(8889, 80));
	gateway_close(closed);
	assert_fault(&o[0], FAULT_STORE,
		     "Portwright ended before the change was known to be durable");
	assert_fault(&o[1], FAULT_STORE, "Portwright ended; nothing was changed");
	memory_store_complete(f->store);
	memory_store_tricks(f->store)->later = false;
	assert_int_equal(fixture_start(f, &fault), 0);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 1);
	assert_settled(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_group_commit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_store_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_for_anothers_doing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plane_refuses_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_changed_of_something_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_owed_to_the_store, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remote_store, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remote_store_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remote_store_plane_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heal_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_submit_from_done, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_with_requests_waiting, setup, teardown),
	};

	return cmocka_run_group_tests_name("gateway_turn", tests, NULL, NULL);
}
