/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is an uplink, who a LAN, and what the world sees: from made-up topologies.
 */
#include "plane/roles.h"

#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UP (IFF_UP | IFF_RUNNING)

static struct topology_address address(int link, const char *prefix)
{
	struct topology_address a = { .link = link, .scope = RT_SCOPE_UNIVERSE };
	const char *slash = strchr(prefix, '/');

	assert_int_equal(
		parse_addr((struct slice){ prefix, (size_t)(slash - prefix) }, &a.prefix.addr), 0);
	a.prefix.length = (uint8_t)strtoul(slash + 1, NULL, 10);
	return a;
}

/* "eth0=uplink br0=lan | 203.0.113.5": the roles that are not "other", then the external ones. */
static const char *said(const struct topology *t, const struct uplink_config *config)
{
	static char text[512];
	char shown[ADDR_TEXT_MAX];
	struct site s;
	size_t at = 0;

	assert_int_equal(roles_check(config, NULL), 0);
	assert_int_equal(roles_assign(t, config, &s), 0);
	text[0] = 0;
	for (size_t i = 0; i < s.n_links; i++)
		if (s.links[i].role != LINK_OTHER)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s=%s%s ",
					       s.links[i].name,
					       s.links[i].role == LINK_UPLINK ? "uplink" : "lan",
					       s.links[i].index ? "" : "?");
	at += (size_t)snprintf(text + at, sizeof(text) - at, "|");
	for (size_t i = 0; i < s.n_external; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, " %s",
				       format_addr(&s.external[i], shown));
	site_free(&s);
	return text;
}

/* A house with a modem, a bridge of LAN ports, a second provider in reserve and some clutter. */
static struct topology_link links[] = {
	{ "lo", 1, UP | IFF_LOOPBACK, false },
	{ "eth0", 2, UP, false },
	{ "eth1", 3, UP, false }, /* a port of br0: only a link-local address */
	{ "br0", 4, UP, false },
	{ "wwan0", 5, UP, false },
	{ "dummy0", 6, UP, false }, /* no address */
	{ "down0", 7, 0, false },   /* an address, but down */
};
static struct topology_address addresses[9];
static struct topology_default defaults[] = {
	{ AF_INET, 2, 100 },
	{ AF_INET, 5, 700 },
	{ AF_INET6, 2, 1024 },
};
static struct topology house = {
	.links = links,
	.n_links = 7,
	.addresses = addresses,
	.n_addresses = 9,
	.defaults = defaults,
	.n_defaults = 3,
};
static const struct uplink_config by_guess = { 0 };

static int set_up(void **state)
{
	const struct topology_address filled[9] = {
		address(1, "127.0.0.1/8"),    address(2, "203.0.113.5/24"),
		address(2, "203.0.113.6/24"), address(2, "169.254.7.7/16"),
		address(3, "fe80::1/64"),     address(4, "192.168.69.1/24"),
		address(4, "2001:db8::1/64"), address(5, "100.64.3.2/24"),
		address(7, "10.0.0.1/8"),
	};

	memcpy(addresses, filled, sizeof(addresses));
	house.n_defaults = 3;
	for (size_t i = 0; i < house.n_links; i++)
		links[i].was_uplink = links[i].led_out = false;
	defaults[0].link = 2;
	defaults[1].metric = 700;
	return 0;
}

static void guesses(void **state)
{
	assert_string_equal(said(&house, &by_guess),
			    "eth0=uplink br0=lan | 203.0.113.5 203.0.113.6");
}

static void equal_metrics_are_both_uplinks(void **state)
{
	defaults[1].metric = 100;
	assert_string_equal(
		said(&house, &by_guess),
		"eth0=uplink br0=lan wwan0=uplink | 203.0.113.5 203.0.113.6 100.64.3.2");
}

static void families_may_leave_by_different_links(void **state)
{
	/* IPv4 by wwan0 alone, IPv6 by eth0: what IPv4 leaves by comes first. */
	defaults[0].link = 5;
	assert_string_equal(
		said(&house, &by_guess),
		"eth0=uplink br0=lan wwan0=uplink | 100.64.3.2 203.0.113.5 203.0.113.6");
}

static void without_default_route_nothing_is_a_lan(void **state)
{
	house.n_defaults = 0;
	assert_string_equal(said(&house, &by_guess), "|");
}

static void a_lost_route_makes_no_lan(void **state)
{
	/* eth0 lost its routes, wwan0 carries on. */
	defaults[0] = defaults[1];
	house.n_defaults = 1;
	links[1].was_uplink = links[1].led_out = true;
	assert_string_equal(said(&house, &by_guess), "br0=lan wwan0=uplink | 100.64.3.2");
	defaults[0] = (struct topology_default){ AF_INET, 2, 100 };
}

static void the_last_uplink_stays_one_without_routes(void **state)
{
	house.n_defaults = 0;
	links[1].was_uplink = links[1].led_out = true;
	links[4].led_out = true; /* wwan0, in reserve */
	assert_string_equal(said(&house, &by_guess),
			    "eth0=uplink br0=lan | 203.0.113.5 203.0.113.6");
}

static void named_ones_count(void **state)
{
	const char *const uplinks[] = { "wwan0", "ppp0" }, *const lans[] = { "eth0", "br9" };
	struct uplink_config c = { .uplinks = uplinks, .n_uplinks = 2 };

	/* eth0 has a default route, so it is no LAN by guess. */
	assert_string_equal(said(&house, &c), "br0=lan wwan0=uplink ppp0=uplink? | 100.64.3.2");
	c.lans = lans;
	c.n_lans = 2;
	assert_string_equal(said(&house, &c),
			    "eth0=lan wwan0=uplink ppp0=uplink? br9=lan? | 100.64.3.2");
	/* A named LAN is not guessed to be an uplink, and LANs by name need no uplink. */
	c.n_uplinks = 0;
	assert_string_equal(said(&house, &c), "eth0=lan br9=lan? |");
}

static void overrides_the_external_address(void **state)
{
	struct addr external[2];
	struct uplink_config c = { .external = external, .n_external = 2 };

	assert_int_equal(parse_addr(SLICE("198.51.100.9"), &external[0]), 0);
	assert_int_equal(parse_addr(SLICE("198.51.100.8"), &external[1]), 0);
	assert_string_equal(said(&house, &c), "eth0=uplink br0=lan | 198.51.100.9 198.51.100.8");
}

static void passes_settings_through(void **state)
{
	const struct service_port services[] = { { 1, 22 }, { 2, 51820 } };
	struct uplink_config c = {
		.services = services, .n_services = 2, .firewall = true, .hairpin = true
	};
	struct site s;

	assert_int_equal(roles_assign(&house, &c, &s), 0);
	assert_true(s.firewall && s.hairpin);
	assert_int_equal(s.n_services, 2);
	assert_int_equal(s.services[1].port, 51820);
	assert_int_equal(s.n_addresses, 9);
	assert_true(s.links[1].up);
	assert_false(s.links[6].up);
	site_free(&s);
}

static void refuses_what_cannot_be(void **state)
{
	static const struct {
		const char *name, *fault;
	} bad[] = {
		{ "", "uplink: '' is not a link's name; expected 1 to 15 characters without "
		      "blanks, '/' and ':'" },
		{ "a-name-too-long0", "uplink: 'a-name-too-long0' is not" },
		{ "eth0:1", "uplink: 'eth0:1' is not" },
		{ "a b", "uplink: 'a b' is not" },
		{ "../x", "uplink: '../x' is not" },
		{ "..", "uplink: '..' is not" },
	};
	const char *eth0 = "eth0";
	struct addr six;
	struct uplink_config c = { .n_uplinks = 1 };
	struct fault f;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		c.uplinks = &bad[i].name;
		assert_true(roles_check(&c, &f) < 0);
		assert_int_equal(f.kind, FAULT_INVALID);
		assert_string_equal(f.field, "uplink");
		assert_int_equal(strncmp(f.text, bad[i].fault, strlen(bad[i].fault)), 0);
	}
	c = (struct uplink_config){ .uplinks = &eth0, .n_uplinks = 1, .lans = &eth0, .n_lans = 1 };
	assert_true(roles_check(&c, &f) < 0);
	assert_string_equal(f.text, "lan: 'eth0' is named as an uplink too; expected a link in one "
				    "role");
	assert_int_equal(parse_addr(SLICE("2001:db8::1"), &six), 0);
	c = (struct uplink_config){ .external = &six, .n_external = 1 };
	assert_true(roles_check(&c, &f) < 0);
	assert_string_equal(f.text, "external-address: '2001:db8::1' is not an IPv4 address");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(guesses, set_up),
		cmocka_unit_test_setup(equal_metrics_are_both_uplinks, set_up),
		cmocka_unit_test_setup(families_may_leave_by_different_links, set_up),
		cmocka_unit_test_setup(without_default_route_nothing_is_a_lan, set_up),
		cmocka_unit_test_setup(a_lost_route_makes_no_lan, set_up),
		cmocka_unit_test_setup(the_last_uplink_stays_one_without_routes, set_up),
		cmocka_unit_test_setup(named_ones_count, set_up),
		cmocka_unit_test_setup(overrides_the_external_address, set_up),
		cmocka_unit_test_setup(passes_settings_through, set_up),
		cmocka_unit_test_setup(refuses_what_cannot_be, set_up),
	};

	return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
