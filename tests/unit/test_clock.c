/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static void test_freeze(void **state)
{
	clock_ms before = clock_now();

	clock_freeze(1234, 99);
	assert_int_equal(clock_now(), 1234);
	assert_int_equal(clock_wall(), 99);
	clock_freeze(0, 0);
	assert_true(clock_now() >= before);
	assert_true(clock_wall() > 1700000000);
	assert_true(llabs((long long)clock_wall() - time(NULL)) <= 1);
}

static void test_format_wall(void **state)
{
	static const struct {
		wall_s t;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00Z" },		{ 1795165200, "2026-11-20T09:00:00Z" },
		{ 1709210096, "2024-02-29T12:34:56Z" }, { 253402300799, "9999-12-31T23:59:59Z" },
		{ INT64_MAX, "9999-12-31T23:59:59Z" },	{ -62135596800, "0001-01-01T00:00:00Z" },
		{ INT64_MIN, "0001-01-01T00:00:00Z" },
	};
	char buf[WALL_TEXT_MAX];

	for (size_t i = 0; i < N_OF(cases); i++)
		assert_string_equal(format_wall(cases[i].t, buf), cases[i].text);
}

static void test_parse_wall(void **state)
{
	static const struct {
		const char *text;
		int error;
		wall_s t;
	} cases[] = {
		{ "2026-11-20T09:00:00Z", 0, 1795165200 },
		{ "2026-11-20t09:00:00z", 0, 1795165200 },
		{ "2026-11-20 09:00:00Z", 0, 1795165200 },
		{ "2026-11-20T10:30:00+01:30", 0, 1795165200 },
		{ "2026-11-20T04:00:00-05:00", 0, 1795165200 },
		{ "2026-11-20T09:00:00.25Z", 0, 1795165200 },
		{ "2024-02-29T12:34:56Z", 0, 1709210096 },
		{ "0001-01-01T00:00:00Z", 0, -62135596800 },
		{ "2023-02-29T12:34:56Z", -EINVAL, 0 },
		{ "2026-02-30T00:00:00Z", -EINVAL, 0 },
		{ "2026-13-01T00:00:00Z", -EINVAL, 0 },
		{ "2026-00-01T00:00:00Z", -EINVAL, 0 },
		{ "2026-11-00T00:00:00Z", -EINVAL, 0 },
		{ "2026-11-20T24:00:00Z", -EINVAL, 0 },
		{ "2026-11-20T09:60:00Z", -EINVAL, 0 },
		{ "2026-11-20T09:00:60Z", -EINVAL, 0 },
		{ "2026-11-20T09:00:00", -EINVAL, 0 },
		{ "2026-11-20T09:00Z", -EINVAL, 0 },
		{ "2026-11-20", -EINVAL, 0 },
		{ "2026-11-20T09:00:00.Z", -EINVAL, 0 },
		{ "2026-11-20T09:00:00Zx", -EINVAL, 0 },
		{ "2026-11-20T09:00:00+24:00", -EINVAL, 0 },
		{ "2026-11-20T09:00:00+0100", -EINVAL, 0 },
		{ "0001-01-01T00:00:00+01:00", -EINVAL, 0 },
		{ "9999-12-31T23:59:59-01:00", -EINVAL, 0 },
		{ "26-11-20T09:00:00Z", -EINVAL, 0 },
		{ " 2026-11-20T09:00:00Z", -EINVAL, 0 },
		{ "tomorrow", -EINVAL, 0 },
		{ "", -EINVAL, 0 },
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		wall_s t = 0;

		assert_int_equal(parse_wall(slice_of(cases[i].text), &t), cases[i].error);
		assert_int_equal(t, cases[i].t);
	}
}

static void test_parse_duration(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint32_t seconds;
	} cases[] = {
		{ "90s", 0, 90 },	{ "30m", 0, 1800 },	  { "2h", 0, 7200 },
		{ "1d", 0, 86400 },	{ "1w", 0, 604800 },	  { "4294967295s", 0, UINT32_MAX },
		{ "0s", -ERANGE, 0 },	{ "50000d", -ERANGE, 0 }, { "2", -EINVAL, 0 },
		{ "h", -EINVAL, 0 },	{ "2H", -EINVAL, 0 },	  { "2 h", -EINVAL, 0 },
		{ "-2h", -EINVAL, 0 },	{ "02h", -EINVAL, 0 },	  { "2hh", -EINVAL, 0 },
		{ "1.5h", -EINVAL, 0 }, { "", -EINVAL, 0 },	  { "4294967296s", -EINVAL, 0 },
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		uint32_t seconds = 0;

		assert_int_equal(parse_duration(slice_of(cases[i].text), &seconds), cases[i].error);
		assert_int_equal(seconds, cases[i].seconds);
	}
}

static void test_boot_id(void **state)
{
	char one[BOOT_ID_MAX], two[BOOT_ID_MAX];

	assert_int_equal(read_boot_id(one), 0);
	assert_int_equal(read_boot_id(two), 0);
	assert_string_equal(one, two);
	assert_int_equal(strlen(one), BOOT_ID_MAX - 1);
	assert_int_equal(one[8], '-');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_freeze),	   cmocka_unit_test(test_format_wall),
		cmocka_unit_test(test_parse_wall), cmocka_unit_test(test_parse_duration),
		cmocka_unit_test(test_boot_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
