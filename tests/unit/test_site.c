/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

static struct site_link links[] = { { "eth0", 2, LINK_UPLINK, true },
				    { "eth1", 3, LINK_LAN, true } };
static struct site_address addresses[3];
static struct addr external[1];
static struct service_port services[] = { { 1, 22 } };

static struct site example(void)
{
	addresses[0] = (struct site_address){ { addr_of("192.168.69.1"), 24 }, 3 };
	addresses[1] = (struct site_address){ { addr_of("10.0.0.0"), 31 }, 3 };
	addresses[2] = (struct site_address){ { addr_of("2001:db8::1"), 64 }, 3 };
	external[0] = addr_of("203.0.113.7");
	return (struct site){ links, 2, addresses, 3, external, 1, services, 1, true, true };
}

static void test_copy(void **state)
{
	struct site s = example(), copy, empty = { 0 }, empty_copy;

	assert_int_equal(site_copy(&s, &copy), 0);
	assert_true(site_eq(&s, &copy));
	assert_ptr_not_equal(s.links, copy.links);
	site_free(&copy);
	assert_null(copy.links);
	assert_int_equal(copy.n_links, 0);
	assert_int_equal(site_copy(&empty, &empty_copy), 0);
	assert_true(site_eq(&empty, &empty_copy));
	assert_false(site_eq(&s, &empty_copy));
	site_free(&empty_copy);
}

/* Each field makes a difference. */
static void test_eq(void **state)
{
	struct site s = example(), copy;

#define DIFFERS(change)                                    \
	do {                                               \
		assert_int_equal(site_copy(&s, &copy), 0); \
		change;                                    \
		assert_false(site_eq(&s, &copy));          \
		site_free(&copy);                          \
	} while (0)
	DIFFERS(copy.links[1].up = false);
	DIFFERS(copy.links[1].role = LINK_OTHER);
	DIFFERS(copy.links[0].index = 9);
	DIFFERS(copy.links[0].name[3] = '1');
	DIFFERS(copy.n_links = 1);
	DIFFERS(copy.addresses[0].prefix.length = 25);
	DIFFERS(copy.addresses[0].link = 2);
	DIFFERS(copy.n_addresses = 2);
	DIFFERS(copy.external[0] = addr_of("203.0.113.8"));
	DIFFERS(copy.n_external = 0);
	DIFFERS(copy.services[0].port = 23);
	DIFFERS(copy.services[0].protocols = 3);
	DIFFERS(copy.n_services = 0);
	DIFFERS(copy.firewall = false);
	DIFFERS(copy.hairpin = false);
}

static void test_own_and_broadcast(void **state)
{
	static const struct {
		const char *addr;
		bool own, broadcast;
	} cases[] = {
		{ "192.168.69.1", true, false },    { "192.168.69.110", false, false },
		{ "192.168.69.0", false, true },    { "192.168.69.255", false, true },
		{ "192.168.70.255", false, false }, { "203.0.113.7", true, false },
		{ "127.0.0.53", true, false },	    { "::1", true, false },
		{ "2001:db8::1", true, false },	    { "2001:db8::", false, false },
		{ "10.0.0.0", true, false },	    { "10.0.0.1", false, false },
	};
	struct site s = example();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr a = addr_of(cases[i].addr);

		assert_int_equal(site_is_own(&s, &a), cases[i].own);
		assert_int_equal(site_is_broadcast(&s, &a), cases[i].broadcast);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_eq),
		cmocka_unit_test(test_own_and_broadcast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
