/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/when.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

static void test_span_round_trip(void **state)
{
	static const struct {
		const char *text;
		uint32_t seconds;
	} cases[] = {
		{ "0s", 0 },	    { "45s", 45 },     { "30m", 1800 },
		{ "2h", 7200 },	    { "2h30m", 9000 }, { "1d", 86400 },
		{ "3d4h", 273600 }, { "1m1s", 61 },    { "49710d6h", 4294965600U },
	};
	char text[SPAN_TEXT_MAX];
	uint32_t seconds;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse_span(slice_of(cases[i].text), &seconds), 0);
		assert_int_equal(seconds, cases[i].seconds);
		assert_string_equal(format_span(seconds, text), cases[i].text);
	}
	assert_int_equal(parse_span(SLICE("1w"), &seconds), 0);
	assert_int_equal(seconds, 604800);
	/* The two largest units; the rest is left out. */
	assert_string_equal(format_span(86399, text), "23h59m");
}

static void test_bad_spans(void **state)
{
	static const char *const bad[] = { "",	    "5",   "h",	   "5x",  "5 m",	 "-5m",
					   "30m2h", "5mm", "1.5h", "05m", "4294967296s", "99999w" };
	uint32_t seconds = 7;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(parse_span(slice_of(bad[i]), &seconds), 0);
	assert_int_equal(seconds, 7);
}

static void test_dates(void **state)
{
	static const struct {
		const char *text;
		wall_s at;
	} cases[] = {
		{ "1970-01-01T00:00:01Z", 1 },
		{ "2026-12-31T18:00:00Z", 1798740000 },
		{ "2026-12-31T18:00Z", 1798740000 },
		{ "2026-12-31 18:00:00.25Z", 1798740000 },
		{ "2026-12-31T19:00:00+01:00", 1798740000 },
		{ "2026-12-31T14:30:00-0330", 1798740000 },
		{ "2026-12-31T19:00", 1798740000 }, /* local */
		{ "2028-02-29T00:00:00Z", 1835395200 },
	};
	static const char *const bad[] = {
		"",
		"2026",
		"2026-13-01",
		"2026-00-10",
		"2026-02-29",
		"2026-1-1",
		"31.12.2026",
		"2026-12-31T",
		"2026-12-31x",
		"2026-12-31T24:00",
		"2026-12-31T10:60",
		"2026-12-31T10:00:60",
		"2026-12-31T10:00+1",
		"2026-12-31T10:00.Z",
		"2026-12-31T10:00Z ",
	};
	char text[DATE_TEXT_MAX];
	wall_s at;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(parse_date(slice_of(cases[i].text), &at), 0);
		assert_int_equal(at, cases[i].at);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		at = 7;
		if (!parse_date(slice_of(bad[i]), &at))
			print_error("accepted: %s\n", bad[i]);
		assert_int_equal(at, 7);
	}
	assert_string_equal(format_date(1798740000, false, text), "2026-12-31 19:00");
	assert_string_equal(format_date(1798740000, true, text), "2026-12-31 19:00:00");
}

static int setup(void **state)
{
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_span_round_trip),
		cmocka_unit_test(test_bad_spans),
		cmocka_unit_test(test_dates),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
