/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/addr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p;

	assert_int_equal(parse_prefix(slice_of(text), &p), 0);
	return p;
}

/* NULL: refused. */
static const char *const addr_texts[][2] = {
	{ "192.168.69.110", "192.168.69.110" },
	{ "0.0.0.0", "0.0.0.0" },
	{ "2001:DB8::5", "2001:db8::5" },
	{ "::", "::" },
	{ "::ffff:192.0.2.1", "192.0.2.1" },
	{ "::ffff:c000:201", "192.0.2.1" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
	  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
	{ "", NULL },
	{ "192.168.69", NULL },
	{ "192.168.69.256", NULL },
	{ "192.168.069.110", NULL },
	{ "192.168.69.110 ", NULL },
	{ " 192.168.69.110", NULL },
	{ "192.168.69.110/24", NULL },
	{ "0x7f.1", NULL },
	{ "1", NULL },
	{ "fe80::1%eth0", NULL },
	{ "[2001:db8::5]", NULL },
	{ "2001:db8::5::1", NULL },
	{ "2001:db8:12345::", NULL },
	{ "camera.local", NULL },
	{ "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa", NULL },
};

static void test_parse_addr(void **state)
{
	char text[ADDR_TEXT_MAX];
	struct addr a, untouched = { 0 };

	for (size_t i = 0; i < N_OF(addr_texts); i++) {
		a = untouched;
		if (addr_texts[i][1]) {
			assert_int_equal(parse_addr(slice_of(addr_texts[i][0]), &a), 0);
			assert_string_equal(format_addr(&a, text), addr_texts[i][1]);
		} else {
			assert_int_equal(parse_addr(slice_of(addr_texts[i][0]), &a), -EINVAL);
			assert_true(addr_eq(&a, &untouched));
		}
	}
	assert_int_equal(parse_addr(SLICE("10.0.0.1\0"), &a), -EINVAL);
	assert_int_equal(parse_addr(SLICE("10.0\0.0.1"), &a), -EINVAL);
	assert_int_equal(parse_addr(slice_of(NULL), &a), -EINVAL);
}

static void test_unset_is_not_unspecified(void **state)
{
	struct addr unset = { 0 }, any4 = addr_of("0.0.0.0");

	assert_false(addr_is_set(&unset));
	assert_true(addr_is_set(&any4));
	assert_true(addr_is_v4(&any4));
	assert_false(addr_is_v4(&unset));
	assert_int_equal(addr_kind(&unset), ADDR_UNSET);
	assert_int_equal(addr_kind(&any4), ADDR_UNSPECIFIED);
}

static const struct {
	const char *text;
	enum addr_kind kind;
} kind_cases[] = {
	{ "0.1.2.3", ADDR_UNSPECIFIED },
	{ "127.0.0.1", ADDR_LOOPBACK },
	{ "127.255.255.255", ADDR_LOOPBACK },
	{ "128.0.0.0", ADDR_GLOBAL },
	{ "169.254.1.1", ADDR_LINK_LOCAL },
	{ "169.253.255.255", ADDR_GLOBAL },
	{ "223.255.255.255", ADDR_GLOBAL },
	{ "224.0.0.5", ADDR_MULTICAST },
	{ "239.255.255.255", ADDR_MULTICAST },
	{ "240.0.0.1", ADDR_BROADCAST },
	{ "255.255.255.255", ADDR_BROADCAST },
	{ "10.0.0.1", ADDR_PRIVATE },
	{ "172.15.255.255", ADDR_GLOBAL },
	{ "172.16.0.0", ADDR_PRIVATE },
	{ "172.31.255.255", ADDR_PRIVATE },
	{ "172.32.0.0", ADDR_GLOBAL },
	{ "192.168.0.0", ADDR_PRIVATE },
	{ "192.169.0.0", ADDR_GLOBAL },
	{ "100.63.255.255", ADDR_GLOBAL },
	{ "100.64.0.0", ADDR_SHARED },
	{ "100.127.255.255", ADDR_SHARED },
	{ "100.128.0.0", ADDR_GLOBAL },
	{ "203.0.113.7", ADDR_GLOBAL },
	{ "::1", ADDR_LOOPBACK },
	{ "::2", ADDR_GLOBAL },
	{ "fe80::1", ADDR_LINK_LOCAL },
	{ "febf::1", ADDR_LINK_LOCAL },
	{ "fec0::1", ADDR_GLOBAL },
	{ "ff02::1", ADDR_MULTICAST },
	{ "fc00::1", ADDR_PRIVATE },
	{ "fdff::1", ADDR_PRIVATE },
	{ "2001:db8::1", ADDR_GLOBAL },
};

static void test_kinds(void **state)
{
	for (size_t i = 0; i < N_OF(kind_cases); i++) {
		struct addr a = addr_of(kind_cases[i].text);

		assert_string_equal(addr_kind_name(addr_kind(&a)),
				    addr_kind_name(kind_cases[i].kind));
	}
}

static void test_bytes(void **state)
{
	struct addr a = addr_of("192.0.2.1"), six = addr_of("2001:db8::1");
	struct in_addr v4 = addr_to_v4(&a);
	struct addr from_v4 = addr_from_v4(v4), from4 = addr_from_bytes(AF_INET, &v4),
		    from6 = addr_from_bytes(AF_INET6, &six.in6);

	assert_int_equal(ntohl(v4.s_addr), 0xc0000201);
	assert_true(addr_eq(&a, &from_v4));
	assert_true(addr_eq(&a, &from4));
	assert_true(addr_eq(&six, &from6));
	assert_true(addr_compare(&a, &six) < 0);
}

static const struct {
	const char *text;
	int error;
	const char *prefix; /* also of -EDOM: what was meant */
} prefix_cases[] = {
	{ "0.0.0.0/0", 0, "0.0.0.0/0" },
	{ "203.0.113.0/24", 0, "203.0.113.0/24" },
	{ "203.0.113.9", 0, "203.0.113.9/32" },
	{ "203.0.113.9/32", 0, "203.0.113.9/32" },
	{ "::/0", 0, "::/0" },
	{ "2001:db8::/32", 0, "2001:db8::/32" },
	{ "2001:db8::1", 0, "2001:db8::1/128" },
	{ "::ffff:10.0.0.0/104", 0, "10.0.0.0/8" },
	{ "::ffff:0:0/96", 0, "0.0.0.0/0" },
	{ "::ffff:0:0/95", -EINVAL, NULL },
	{ "::/80", -EINVAL, NULL },
	{ "::fffe:0:0/95", -EINVAL, NULL },
	{ "::/79", 0, "::/79" },
	{ "10.0.0.1/8", -EDOM, "10.0.0.0/8" },
	{ "10.0.0.1/0", -EDOM, "0.0.0.0/0" },
	{ "2001:db8::1/64", -EDOM, "2001:db8::/64" },
	{ "2001:db8:0:1::/63", -EDOM, "2001:db8::/63" },
	{ "10.0.0.0/33", -EINVAL, NULL },
	{ "10.0.0.0/", -EINVAL, NULL },
	{ "10.0.0.0/08", -EINVAL, NULL },
	{ "10.0.0.0/8/8", -EINVAL, NULL },
	{ "10.0.0.0/-1", -EINVAL, NULL },
	{ "10.0.0.0/255.0.0.0", -EINVAL, NULL },
	{ "10.0.0/8", -EINVAL, NULL },
	{ "2001:db8::/129", -EINVAL, NULL },
	{ "/8", -EINVAL, NULL },
	{ "", -EINVAL, NULL },
	{ "any", -EINVAL, NULL },
};

static void test_parse_prefix(void **state)
{
	char text[PREFIX_TEXT_MAX];
	struct prefix p;

	for (size_t i = 0; i < N_OF(prefix_cases); i++) {
		assert_int_equal(parse_prefix(slice_of(prefix_cases[i].text), &p),
				 prefix_cases[i].error);
		if (prefix_cases[i].prefix)
			assert_string_equal(format_prefix(&p, text), prefix_cases[i].prefix);
	}
	assert_int_equal(parse_prefix(slice_of(NULL), &p), -EINVAL);
}

static const struct {
	const char *prefix, *addr;
	bool inside;
} contains_cases[] = {
	{ "10.0.0.0/8", "10.255.255.255", true },
	{ "10.0.0.0/8", "11.0.0.0", false },
	{ "10.0.0.0/15", "10.1.255.255", true },
	{ "10.0.0.0/15", "10.2.0.0", false },
	{ "203.0.113.9/32", "203.0.113.9", true },
	{ "203.0.113.9/32", "203.0.113.8", false },
	{ "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "::/0", "2001:db8::1", true },
	{ "::/0", "203.0.113.9", false },
	{ "2001:db8::/33", "2001:db8:7fff::", true },
	{ "2001:db8::/33", "2001:db8:8000::", false },
};

static void test_contains(void **state)
{
	for (size_t i = 0; i < N_OF(contains_cases); i++) {
		struct prefix p = prefix_of(contains_cases[i].prefix);
		struct addr a = addr_of(contains_cases[i].addr);

		assert_int_equal(prefix_contains(&p, &a), contains_cases[i].inside);
	}
}

static void test_overlap_and_order(void **state)
{
	struct prefix ten = prefix_of("10.0.0.0/8"), narrow = prefix_of("10.1.0.0/16"),
		      other = prefix_of("11.0.0.0/8"), six = prefix_of("::/0"),
		      four = prefix_of("0.0.0.0/0");

	assert_true(prefix_overlaps(&ten, &narrow));
	assert_true(prefix_overlaps(&narrow, &ten));
	assert_false(prefix_overlaps(&ten, &other));
	assert_false(prefix_overlaps(&four, &six));
	assert_true(prefix_compare(&ten, &narrow) < 0);
	assert_true(prefix_compare(&narrow, &other) < 0);
	assert_true(prefix_compare(&other, &six) < 0);
	assert_true(prefix_compare(&four, &ten) < 0);
	assert_int_equal(prefix_compare(&ten, &ten), 0);
}

static void test_bounds(void **state)
{
	static const char *const cases[][3] = {
		{ "192.168.69.0/24", "192.168.69.0", "192.168.69.255" },
		{ "192.168.68.0/23", "192.168.68.0", "192.168.69.255" },
		{ "0.0.0.0/0", "0.0.0.0", "255.255.255.255" },
		{ "203.0.113.9/32", "203.0.113.9", "203.0.113.9" },
		{ "2001:db8::/61", "2001:db8::", "2001:db8:0:7:ffff:ffff:ffff:ffff" },
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct prefix p = prefix_of(cases[i][0]);
		struct addr first, last;
		char text[ADDR_TEXT_MAX];

		prefix_bounds(&p, &first, &last);
		assert_string_equal(format_addr(&first, text), cases[i][1]);
		assert_string_equal(format_addr(&last, text), cases[i][2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_addr),
		cmocka_unit_test(test_unset_is_not_unspecified),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_parse_prefix),
		cmocka_unit_test(test_contains),
		cmocka_unit_test(test_overlap_and_order),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
