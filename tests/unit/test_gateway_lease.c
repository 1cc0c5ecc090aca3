/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mappings that end by themselves, on clocks that tests move. */
#include "gateway_fixture.h"

#include "core/gateway_internal.h"

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

static void move_clock(clock_ms passed, wall_s set)
{
	clock_freeze(START_NOW + passed, START_WALL + passed / 1000 + set);
}

static void wake(struct fixture *f)
{
	gateway_expire(f->g);
	gateway_turn(f->g);
}

static struct gateway_operation op_leased(uint16_t port, clock_ms lifetime)
{
	struct gateway_operation o = op_add(port, 80);

	o.spec.expires = clock_now() + lifetime;
	return o;
}

static struct gateway_operation op_dated(uint16_t port, wall_s date)
{
	struct gateway_operation o = op_add(port, 80);

	o.spec.expires_date = date;
	o.spec.expires = lease_deadline(date);
	return o;
}

static void test_expires(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(gateway_next_deadline(f->g), 0);
	run_ok(f, op_leased(8888, 5000));
	run_ok(f, op_leased(8889, 3000));
	run_ok(f, op_add(8890, 80));
	assert_int_equal(gateway_next_deadline(f->g), START_NOW + 3000);
	move_clock(2999, 0);
	wake(f);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 3);
	move_clock(3000, 0);
	wake(f);
	assert_null(mapping_of(f, 2));
	assert_int_equal(f->events[3].kind, EVENT_EXPIRED);
	assert_int_equal(f->events[3].id, 2);
	assert_string_equal(f->events[3].who, "portwright");
	assert_int_equal(gateway_next_deadline(f->g), START_NOW + 5000);
	move_clock(9000, 0);
	wake(f);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 1);
	assert_int_equal(gateway_next_deadline(f->g), 0);
	assert_settled(f);
}

static void test_renewal(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_leased(8888, 5000));
	struct gateway_operation op;

	/* far more renewals than the heap would hold if it kept each */
	for (clock_ms i = 1; i <= 1000; i++) {
		op = op_change(f, id);
		op.spec.expires = START_NOW + 5000 + i;
		run_ok(f, op);
	}
	assert_true(f->g->leases.n < 100);
	move_clock(5999, 0);
	wake(f);
	assert_non_null(mapping_of(f, id));
	assert_int_equal(gateway_next_deadline(f->g), START_NOW + 6000);
	op = op_change(f, id);
	op.spec.expires = 0;
	run_ok(f, op);
	move_clock(7000, 0);
	wake(f);
	assert_non_null(mapping_of(f, id));
	assert_settled(f);
}

/* The lease of a mapping whose change failed still ends. */
static void test_undo_keeps_the_lease(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_leased(8888, 5000));
	struct gateway_operation op = op_change(f, id);
	struct outcome o;

	op.spec.expires = 0;
	memory_store_tricks(f->store)->later = true;
	memory_store_tricks(f->store)->fail_write = 1;
	submit_one(f, &o, op);
	gateway_turn(f->g);
	move_clock(6000, 0);
	gateway_expire(f->g);
	assert_int_equal(gateway_next_deadline(f->g), 0);
	memory_store_complete(f->store);
	assert_fault(&o, FAULT_STORE, NULL);
	memory_store_tricks(f->store)->later = false;
	assert_true(gateway_next_deadline(f->g) != 0);
	move_clock(8000, 0);
	wake(f);
	assert_null(mapping_of(f, id));
	assert_settled(f);
}

static void test_expiry_is_tried_again(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_leased(8888, 5000));

	memory_store_tricks(f->store)->fail_write = 1;
	move_clock(5000, 0);
	wake(f);
	assert_non_null(mapping_of(f, id));
	assert_int_equal(gateway_next_deadline(f->g), START_NOW + 6000);
	move_clock(6000, 0);
	wake(f);
	assert_null(mapping_of(f, id));
	assert_settled(f);
}

static void test_dates_follow_the_calendar(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_dated(8888, START_WALL + 3600));
	size_t events = f->n_events;

	assert_int_equal(gateway_next_deadline(f->g), START_NOW + 60000);
	/* a minute later, and the clock was set half an hour ahead */
	move_clock(60000, 1800);
	wake(f);
	assert_int_equal(mapping_of(f, id)->spec.expires, START_NOW + 1800000);
	assert_int_equal(mapping_of(f, id)->version, 1);
	assert_int_equal(mapping_of(f, id)->changed, START_WALL);
	assert_int_equal(f->n_events, events);
	assert_settled(f);
	/* and back again, less than a minute before the end */
	move_clock(1799000, 1800);
	wake(f);
	move_clock(1800000, 0);
	wake(f);
	assert_int_equal(mapping_of(f, id)->spec.expires, START_NOW + 3600000);
	/* ten years ahead */
	move_clock(1860000, 315360000);
	wake(f);
	assert_null(mapping_of(f, id));
	assert_int_equal(f->events[f->n_events - 1].kind, EVENT_EXPIRED);
	assert_settled(f);
}

/* A lifetime does not care for the calendar. */
static void test_lifetimes_do_not(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_leased(8888, 100000));

	move_clock(60000, 315360000);
	wake(f);
	assert_int_equal(mapping_of(f, id)->spec.expires, START_NOW + 100000);
	move_clock(100000, -315360000);
	wake(f);
	assert_null(mapping_of(f, id));
}

static void test_dated_unchanged(void **state)
{
	struct fixture *f = *state;
	struct gateway_operation op = op_dated(8888, START_WALL + 3600);
	uint32_t id = run_ok(f, op);
	struct outcome o;

	move_clock(700, 0); /* the wall's second has not moved */
	op.verb = GATEWAY_CHANGE;
	op.id = id;
	o = run(f, op);
	assert_int_equal(o.version, 1);
}

static void test_ended_while_down(void **state)
{
	struct fixture *f = *state;

	run_ok(f, op_leased(8888, 5000));
	run_ok(f, op_leased(8889, 50000));
	move_clock(10000, 0);
	fixture_restart(f);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 1);
	assert_int_equal(gateway_next_deadline(f->g), START_NOW + 50000);
	assert_settled(f);
	/* the store fails to hear of it at first */
	move_clock(60000, 0);
	memory_store_tricks(f->store)->fail_write = 1;
	fixture_restart(f);
	assert_int_equal(memory_store_count(f->store), 1);
	assert_int_equal(memory_plane_count(f->plane), 0);
	move_clock(61000, 0);
	wake(f);
	assert_settled(f);
	assert_int_equal(run_ok(f, op_add(8888, 80)), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_expires, setup, teardown),
		cmocka_unit_test_setup_teardown(test_renewal, setup, teardown),
		cmocka_unit_test_setup_teardown(test_undo_keeps_the_lease, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expiry_is_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dates_follow_the_calendar, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lifetimes_do_not, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dated_unchanged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ended_while_down, setup, teardown),
	};

	return cmocka_run_group_tests_name("gateway_lease", tests, NULL, NULL);
}
