/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/lease.h"

static void test_empty(void **state)
{
	struct leases l = { 0 };

	assert_null(leases_first(&l));
	leases_pop(&l);
	assert_null(leases_first(&l));
	leases_free(&l);
}

static void test_in_order(void **state)
{
	struct leases l = { 0 };
	uint32_t random = 1;
	clock_ms last = INT64_MIN;

	assert_int_equal(sizeof(struct lease), 16);
	for (uint32_t round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 3000; i++) {
			random = random * 1664525 + 1013904223;
			assert_int_equal(leases_push(&l, (clock_ms)(random >> 8) - 5000000, i), 0);
			if (i % 3 == 2)
				leases_pop(&l);
		}
		last = INT64_MIN;
		for (size_t n = l.n; n > 0; n--) {
			assert_int_equal(l.n, n);
			assert_true(leases_first(&l)->deadline >= last);
			last = leases_first(&l)->deadline;
			leases_pop(&l);
		}
	}
	leases_free(&l);
}

static void test_equal_deadlines(void **state)
{
	struct leases l = { 0 };
	unsigned seen = 0;

	for (uint32_t id = 0; id < 5; id++)
		leases_push(&l, 7, id);
	for (; leases_first(&l); leases_pop(&l))
		seen |= 1u << leases_first(&l)->id;
	assert_int_equal(seen, 31);
	leases_push(&l, 7, 1);
	leases_clear(&l);
	assert_null(leases_first(&l));
	leases_free(&l);
}

static void test_dates(void **state)
{
	clock_freeze(5000, 1800000000);
	assert_int_equal(lease_deadline(1800000000), 5000);
	assert_int_equal(lease_deadline(1800000060), 65000);
	assert_int_equal(lease_deadline(1799999995), -1); /* 0 would mean never */
	assert_int_equal(lease_deadline(1799999000), 5000 - 1000000);
	clock_freeze(0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_equal_deadlines),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
