/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the CALLBACK and TIMEOUT fields. Every text is read from memory of its own length.
 */
#include "wire/callback.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct slice copy_of(const char *text)
{
	size_t len = strlen(text);
	char *at = malloc(len ? len : 1);

	assert_non_null(at);
	memcpy(at, text, len);
	return (struct slice){ at, len };
}

static void expect(const char *text, const char *addr, uint16_t port, const char *path)
{
	struct slice copy = copy_of(text), value = copy;
	char buf[ADDR_TEXT_MAX];
	struct callback c;

	assert_int_equal(parse_callback(&value, &c), 0);
	assert_int_equal(value.len, 0);
	assert_string_equal(format_addr(&c.addr, buf), addr);
	assert_int_equal(c.port, port);
	assert_true(slice_eq(c.path, path));
	free((char *)copy.at);
}

static void expect_refused(const char *text)
{
	struct slice copy = copy_of(text), value = copy;
	struct callback c;

	assert_int_equal(parse_callback(&value, &c), -EINVAL);
	assert_ptr_equal(value.at, copy.at); /* untouched */
	free((char *)copy.at);
}

static void test_urls(void **state)
{
	expect("<http://192.168.69.20:5000/a/b?c=d>", "192.168.69.20", 5000, "/a/b?c=d");
	expect("<HTTP://192.168.69.20>", "192.168.69.20", 80, "/");
	expect("  <http://192.168.69.20/>  ", "192.168.69.20", 80, "/");
	expect("<http://[2001:db8::20]:5000/x>", "2001:db8::20", 5000, "/x");
	expect("<http://[fe80::1%25eth0]/x>", "fe80::1", 80, "/x");
}

static void test_lists(void **state)
{
	struct slice value = SLICE("<http://192.0.2.1/a> <http://192.0.2.2/b><http://192.0.2.3/c>");
	struct callback c;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(parse_callback(&value, &c), 0);
		assert_int_equal(c.path.at[1], 'a' + i);
	}
	assert_int_equal(value.len, 0);
	assert_int_equal(parse_callback(&value, &c), -EINVAL);
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"<",
		"<>",
		">",
		"http://192.0.2.1/",
		"<http://192.0.2.1/",
		"<https://192.0.2.1/>",
		"<ftp://192.0.2.1/>",
		"<http://>",
		"<http:///x>",
		"<http://camera.local/x>",
		"<http://localhost:80/>",
		"<http://3232252180/>",
		"<http://0300.0250.1.1/>",
		"<http://192.0.2.1:0/>",
		"<http://192.0.2.1:65536/>",
		"<http://192.0.2.1:/>",
		"<http://192.0.2.1:80x/>",
		"<http://192.0.2.1:-1/>",
		"<http://user@192.0.2.1/>",
		"<http://192.0.2.1\\@192.0.2.2/>",
		"<http://2001:db8::1/>",
		"<http://[192.0.2.1]/>",
		"<http://[2001:db8::1/>",
		"<http://[2001:db8::1]x/>",
		"<http://[::]/>",
		"<http://192.0.2.1?x>",
		"<http://192.0.2.1/a b>",
		"<http://192.0.2.1/a\rb>",
		"<http://192.0.2.1/a<b>",
		"<http://192.0.2.1/\303\244>",
		"x<http://192.0.2.1/>",
	};
	char long_path[CALLBACK_PATH_MAX + 64] = "<http://192.0.2.1/";
	size_t len = strlen(long_path);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_refused(texts[i]);
	memset(long_path + len, 'x', CALLBACK_PATH_MAX);
	memcpy(long_path + len + CALLBACK_PATH_MAX, ">", 2);
	expect_refused(long_path);
}

/* No beginning of a URL is one. */
static void test_prefixes(void **state)
{
	const char text[] = "<http://[2001:db8::20]:5000/a>";

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char prefix[sizeof(text)] = { 0 };

		memcpy(prefix, text, len);
		expect_refused(prefix);
	}
}

static void test_timeouts(void **state)
{
	uint32_t seconds;

	assert_int_equal(parse_subscription_timeout(SLICE("Second-1800"), &seconds), 0);
	assert_int_equal(seconds, 1800);
	assert_int_equal(parse_subscription_timeout(SLICE("second-INFINITE"), &seconds), 0);
	assert_int_equal(seconds, UINT32_MAX);
	assert_int_equal(parse_subscription_timeout(SLICE(""), &seconds), -EINVAL);
	assert_int_equal(parse_subscription_timeout(SLICE("1800"), &seconds), -EINVAL);
	assert_int_equal(parse_subscription_timeout(SLICE("Second-"), &seconds), -EINVAL);
	assert_int_equal(parse_subscription_timeout(SLICE("Second--1"), &seconds), -EINVAL);
	assert_int_equal(parse_subscription_timeout(SLICE("Second-4294967296"), &seconds), -EINVAL);
	assert_int_equal(parse_subscription_timeout(SLICE("Second-1 "), &seconds), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),	 cmocka_unit_test(test_lists),
		cmocka_unit_test(test_refused),	 cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
