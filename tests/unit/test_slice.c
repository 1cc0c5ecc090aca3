/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static void test_compare(void **state)
{
	assert_true(slice_eq(SLICE("tcp"), "tcp"));
	assert_false(slice_eq(SLICE("tcp"), "tc"));
	assert_false(slice_eq(SLICE("tcp"), "TCP"));
	assert_false(slice_eq(SLICE("a\0b"), "a"));
	assert_true(slice_eq_nocase(SLICE("Host"), "hOST"));
	assert_false(slice_eq_nocase(SLICE("Host"), "Hosts"));
	assert_true(slice_eq((struct slice){ NULL, 0 }, ""));
	assert_true(slice_eq_nocase(slice_of(NULL), ""));
}

static void test_trim(void **state)
{
	assert_true(slice_eq(slice_trim(SLICE(" \t a b\r\n")), "a b"));
	assert_int_equal(slice_trim(SLICE(" \t ")).len, 0);
	assert_int_equal(slice_trim(slice_of(NULL)).len, 0);
}

static void test_split(void **state)
{
	struct slice s = SLICE("a,,b"), part = SLICE("untouched");

	assert_true(slice_split(&s, ',', &part));
	assert_true(slice_eq(part, "a"));
	assert_true(slice_split(&s, ',', &part));
	assert_int_equal(part.len, 0);
	assert_true(slice_split(&s, ',', &part));
	assert_true(slice_eq(part, "b"));
	assert_false(slice_split(&s, ',', &part));
	assert_true(slice_eq(part, "b"));
}

struct number_case {
	const char *text;
	uint32_t max;
	bool ok;
	uint32_t value;
	const char *rest;
};

static const struct number_case number_cases[] = {
	{ "0", 10, true, 0, "" },
	{ "10", 10, true, 10, "" },
	{ "8888x", 65535, true, 8888, "x" },
	{ "4294967295", UINT32_MAX, true, UINT32_MAX, "" },
	{ "11", 10, false, 0, "11" },
	{ "4294967296", UINT32_MAX, false, 0, "4294967296" },
	{ "9999999999", UINT32_MAX, false, 0, "9999999999" },
	{ "18446744073709551617", UINT32_MAX, false, 0, "18446744073709551617" },
	{ "00", 10, false, 0, "00" },
	{ "07", 10, false, 0, "07" },
	{ "", 10, false, 0, "" },
	{ "-1", 10, false, 0, "-1" },
	{ "+1", 10, false, 0, "+1" },
	{ " 1", 10, false, 0, " 1" },
	{ "x", 10, false, 0, "x" },
};

static void test_read_number(void **state)
{
	for (size_t i = 0; i < N_OF(number_cases); i++) {
		const struct number_case *c = &number_cases[i];
		struct slice s = slice_of(c->text);
		uint32_t n = 4711;

		assert_int_equal(read_number(&s, c->max, &n), c->ok);
		assert_int_equal(n, c->ok ? c->value : 4711);
		assert_true(slice_eq(s, c->rest));
	}
}

static void test_read_number_stops_at_the_end(void **state)
{
	struct slice s = { "1234", 2 };
	uint32_t n;

	assert_true(read_number(&s, 65535, &n));
	assert_int_equal(n, 12);
	assert_int_equal(s.len, 0);
}

static void test_read_char(void **state)
{
	struct slice s = SLICE("-x");

	assert_false(read_char(&s, 'x'));
	assert_true(read_char(&s, '-'));
	assert_true(read_char(&s, 'x'));
	assert_false(read_char(&s, 'x'));
}

struct utf8_case {
	struct slice s;
	bool ok;
};

static const struct utf8_case utf8_cases[] = {
	{ { "", 0 }, true },
	{ { "Haust\xc3\xbcr \xe2\x82\xac \xf0\x9f\x8e\xa5", 17 }, true },
	{ { "\xf4\x8f\xbf\xbf", 4 }, true },
	{ { "\xed\x9f\xbf", 3 }, true },
	{ { "\xc3", 1 }, false }, /* stops early */
	{ { "\xe2\x82", 2 }, false },
	{ { "\xc0\xaf", 2 }, false },	      /* overlong '/' */
	{ { "\xe0\x9f\xbf", 3 }, false },     /* overlong */
	{ { "\xf0\x8f\xbf\xbf", 4 }, false }, /* overlong */
	{ { "\xed\xa0\x80", 3 }, false },     /* surrogate */
	{ { "\xf4\x90\x80\x80", 4 }, false }, /* above U+10FFFF */
	{ { "\xf5\x80\x80\x80", 4 }, false },
	{ { "\x80", 1 }, false },
	{ { "\xff", 1 }, false },
	{ { "\xe2\x28\xa1", 3 }, false },
	{ { "\xe2\x82\x28", 3 }, false },
};

static void test_utf8(void **state)
{
	for (size_t i = 0; i < N_OF(utf8_cases); i++)
		assert_int_equal(slice_is_utf8(utf8_cases[i].s), utf8_cases[i].ok);
}

static void test_control(void **state)
{
	assert_false(slice_has_control(SLICE("Haust\xc3\xbcr"), NULL));
	assert_true(slice_has_control(SLICE("a\nb"), ""));
	assert_false(slice_has_control(SLICE("a\nb\t"), "\n\t"));
	assert_true(slice_has_control(SLICE("a\rb"), "\n\t"));
	assert_true(slice_has_control(SLICE("a\0b"), "\n\t"));
	assert_true(slice_has_control(SLICE("\x1b[31m"), NULL));
	assert_true(slice_has_control(SLICE("\x7f"), NULL));
	assert_true(slice_has_control(SLICE("\xc2\x85"), NULL)); /* C1: next line */
	assert_false(slice_has_control(SLICE("\xc2\xa0"), NULL));
	assert_false(slice_has_control(SLICE("\xff"), NULL));
}

struct printable_case {
	struct slice s;
	size_t cap;
	const char *expected;
};

static const struct printable_case printable_cases[] = {
	{ { "plain", 5 }, 32, "plain" },
	{ { "\xe2\x82\xac", 3 }, 32, "\xe2\x82\xac" },
	{ { "a\nb", 3 }, 32, "a\\x0ab" },
	{ { "a\0b", 3 }, 32, "a\\x00b" },
	{ { "\x1b[2J", 4 }, 32, "\\x1b[2J" },
	{ { "\xff\xfe", 2 }, 32, "\\xff\\xfe" },
	{ { "\xc2\x9b", 2 }, 32, "\\xc2\\x9b" },
	{ { "\xe2\x80\xae", 3 }, 32, "\\xe2\\x80\\xae" }, /* right-to-left override */
	{ { "\xe2\x81\xa6", 3 }, 32, "\\xe2\\x81\\xa6" }, /* isolate */
	{ { "\xd8\x9c", 2 }, 32, "\\xd8\\x9c" },
	{ { "12345678", 8 }, 9, "12345678" },
	{ { "123456789", 9 }, 9, "12345..." },
	{ { "1234\n", 5 }, 8, "1234..." },
	{ { "12\xe2\x82\xac\x34\x35", 7 }, 7, "12..." },
	{ { "123", 3 }, 3, ".." },
	{ { "123", 3 }, 1, "" },
	{ { NULL, 0 }, 4, "" },
};

static void test_printable(void **state)
{
	char buf[33];

	for (size_t i = 0; i < N_OF(printable_cases); i++) {
		const struct printable_case *c = &printable_cases[i];

		memset(buf, 'X', sizeof(buf));
		assert_ptr_equal(format_printable(buf, c->cap, c->s), buf);
		assert_string_equal(buf, c->expected);
		assert_int_equal(buf[c->cap], 'X');
	}
	buf[0] = 'X';
	format_printable(buf, 0, SLICE("a"));
	assert_int_equal(buf[0], 'X');
}

/* Every byte there is, at every capacity: never more than cap, never a control, always UTF-8. */
static void test_printable_of_all_bytes(void **state)
{
	char all[256], buf[1100];

	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)i;
	for (size_t cap = 1; cap < sizeof(buf); cap++) {
		memset(buf, 'X', sizeof(buf));
		format_printable(buf, cap, (struct slice){ all, sizeof(all) });
		assert_true(strlen(buf) < cap);
		assert_true(slice_is_utf8(slice_of(buf)));
		assert_false(slice_has_control(slice_of(buf), NULL));
		assert_int_equal(buf[cap], 'X');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_read_number),
		cmocka_unit_test(test_read_number_stops_at_the_end),
		cmocka_unit_test(test_read_char),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_printable_of_all_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
