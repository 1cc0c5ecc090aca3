/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/epoch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW  5000000	/* ms since boot */
#define WALL 1795165200 /* 2026-11-20T09:00:00Z */

#define THIS_BOOT  "0b0c8f2e-1111-4222-8333-444444444444"
#define OTHER_BOOT "9a9b9c9d-1111-4222-8333-444444444444"

static int freeze(void **state)
{
	clock_freeze(NOW, WALL);
	return 0;
}

static int thaw(void **state)
{
	clock_freeze(0, 0);
	return 0;
}

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

static void test_seconds(void **state)
{
	struct epoch e;

	epoch_begin(&e);
	assert_int_equal(epoch_seconds(&e), 0);
	clock_freeze(NOW + 999, WALL);
	assert_int_equal(epoch_seconds(&e), 0);
	/* the calendar has no say in it */
	clock_freeze(NOW + 3600000, WALL - 86400);
	assert_int_equal(epoch_seconds(&e), 3600);
}

/* RFC 6886, 3.6; RFC 6887, 8.5: another external address, another epoch. */
static void test_follow(void **state)
{
	struct addr none = { 0 }, one = addr_of("203.0.113.7"), two = addr_of("203.0.113.8");
	struct epoch e;

	epoch_begin(&e);
	clock_freeze(NOW + 10000, WALL + 10);
	assert_false(epoch_follow(&e, &none));
	/* that there is one at last takes nothing from anyone */
	assert_true(epoch_follow(&e, &one));
	assert_int_equal(epoch_seconds(&e), 10);
	assert_false(epoch_follow(&e, &one));
	/* nor does an uplink that goes and comes back */
	assert_false(epoch_follow(&e, &none));
	assert_false(epoch_follow(&e, &one));
	assert_int_equal(epoch_seconds(&e), 10);
	assert_false(epoch_follow(&e, &none));
	assert_true(epoch_follow(&e, &two));
	assert_int_equal(epoch_seconds(&e), 0);
	assert_false(epoch_follow(&e, &two));
}

static void assert_text(const struct epoch *e, const char *expected)
{
	char buf[EPOCH_TEXT_MAX];

	assert_string_equal(format_epoch(e, THIS_BOOT, buf), expected);
}

static void test_text(void **state)
{
	struct addr external = addr_of("203.0.113.7");
	struct epoch e;

	epoch_begin(&e);
	clock_freeze(NOW + 60000, WALL + 60);
	assert_text(&e, THIS_BOOT " 5000000 2026-11-20T09:00:00Z -");
	epoch_follow(&e, &external);
	assert_text(&e, THIS_BOOT " 5000000 2026-11-20T09:00:00Z 203.0.113.7");
	e.began = -1000;
	assert_text(&e, THIS_BOOT " -1000 2026-11-20T07:36:39Z 203.0.113.7");
}

static void test_same_boot(void **state)
{
	struct epoch e;

	/* a calendar that was set changes nothing */
	clock_freeze(NOW + 60000, WALL - 1000000);
	assert_int_equal(parse_epoch(SLICE(THIS_BOOT " 5000000 2026-11-20T09:00:00Z 203.0.113.7"),
				     THIS_BOOT, &e),
			 0);
	assert_int_equal(e.began, NOW);
	assert_int_equal(epoch_seconds(&e), 60);
	assert_true(addr_eq(&e.external, &(struct addr){ addr_of("203.0.113.7").in6 }));
	assert_int_equal(
		parse_epoch(SLICE(THIS_BOOT " -4000 2026-11-20T09:00:00Z -"), THIS_BOOT, &e), 0);
	assert_int_equal(epoch_seconds(&e), 5064);
	assert_false(addr_is_set(&e.external));
	assert_int_equal(
		parse_epoch(SLICE(THIS_BOOT " 5060001 2026-11-20T09:00:00Z -"), THIS_BOOT, &e),
		-ERANGE);
}

static void test_other_boot(void **state)
{
	struct epoch e;

	clock_freeze(1000, WALL + 86400);
	assert_int_equal(parse_epoch(SLICE(OTHER_BOOT " 5000000 2026-11-20T09:00:00Z 2001:db8::5"),
				     THIS_BOOT, &e),
			 0);
	assert_int_equal(epoch_seconds(&e), 86400);
	assert_int_equal(e.began, 1000 - 86400000);
	clock_freeze(1000, WALL - 1);
	assert_int_equal(
		parse_epoch(SLICE(OTHER_BOOT " 5000000 2026-11-20T09:00:00Z -"), THIS_BOOT, &e),
		-ERANGE);
}

/* Every prefix, and some that are nearly right; *ret stays as it was. */
static void test_refused(void **state)
{
	static const char good[] = THIS_BOOT " 5000000 2026-11-20T09:00:00Z 203.0.113.7";
	static const char *const bad[] = {
		THIS_BOOT " 5000000 2026-11-20T09:00:00Z 203.0.113.7 ",
		THIS_BOOT " 5000000 2026-11-20T09:00:00Z ::",
		THIS_BOOT " 5000000 2026-11-20T09:00:00Z  203.0.113.7",
		THIS_BOOT " 5000000 1795165200 203.0.113.7",
		THIS_BOOT " +5000000 2026-11-20T09:00:00Z 203.0.113.7",
		THIS_BOOT " - 2026-11-20T09:00:00Z 203.0.113.7",
		THIS_BOOT " 5x 2026-11-20T09:00:00Z 203.0.113.7",
		THIS_BOOT " 1234567890123456 2026-11-20T09:00:00Z 203.0.113.7",
	};
	struct epoch e = { .began = 42 };

	for (size_t len = 0; len < sizeof(good) - 4; len++)
		assert_int_equal(parse_epoch((struct slice){ good, len }, THIS_BOOT, &e), -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse_epoch(slice_of(bad[i]), THIS_BOOT, &e), -EINVAL);
	assert_int_equal(e.began, 42);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, freeze, thaw)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_seconds),   TEST(test_follow),     TEST(test_text),
		TEST(test_same_boot), TEST(test_other_boot), TEST(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
