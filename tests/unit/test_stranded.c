/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which UDP flows were judged too early: from made-up sites, mappings and flows.
 */
#include "plane/stranded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

static struct site_link links[] = {
	{ "wan0", 2, LINK_UPLINK, true },
	{ "lan0", 3, LINK_LAN, true },
	{ "vpn0", 4, LINK_OTHER, true },
};
static struct site_address addresses[3];
static struct site_address addresses_moved[3];
static struct addr external, external_moved;

static int make_sites(void **state)
{
	(void)state;
	external = addr("203.0.113.7");
	external_moved = addr("203.0.113.77");
	addresses[0] = (struct site_address){ { external, 24 }, 2 };
	addresses[1] = (struct site_address){ { addr("192.168.69.1"), 24 }, 3 };
	addresses[2] = (struct site_address){ { addr("10.8.0.1"), 24 }, 4 };
	memcpy(addresses_moved, addresses, sizeof(addresses));
	addresses_moved[0].prefix.addr = external_moved;
	return 0;
}

static struct site here(void)
{
	return (struct site){
		.links = links,
		.n_links = 3,
		.addresses = addresses,
		.n_addresses = 3,
		.external = &external,
		.n_external = 1,
	};
}

static struct site moved(void)
{
	struct site s = here();

	s.addresses = addresses_moved;
	s.external = &external_moved;
	return s;
}

/* UDP from somewhere to somewhere else, as no rule has touched it. */
static struct ct_entry untouched(const char *from, const char *to, uint16_t port)
{
	struct ct_entry e = {
		.tuple = { .remote = addr(from), .external = addr(to), .client = addr(to) },
		.peer = addr(from),
		.peer_port = 40000,
	};

	e.tuple.remote_port = 40000;
	e.tuple.external_port = e.tuple.client_port = port;
	e.tuple.protocol = PROTOCOL_UDP;
	return e;
}

static struct mapping udp_range(void)
{
	return (struct mapping){
		.id = 1,
		.spec = {
			.internal_client = addr("192.168.69.110"),
			.external = { 5000, 5003 },
			.internal = { 6000, 6003 },
			.protocols = PROTOCOL_BOTH,
			.enabled = true,
		},
	};
}

static void test_ports_of_additions(void **state)
{
	uint64_t ports[STRANDED_WORDS];
	struct mapping after = udp_range(), before = after;
	struct change change = { NULL, &after };

	(void)state;
	assert_true(stranded_ports(&change, 1, ports));
	assert_int_equal(ports[5000 / 64], UINT64_C(0xf) << 5000 % 64);
	after.spec.protocols = PROTOCOL_TCP;
	assert_false(stranded_ports(&change, 1, ports));
	assert_int_equal(ports[5000 / 64], 0);
	after = udp_range();
	after.spec.enabled = false;
	assert_false(stranded_ports(&change, 1, ports));
	after = udp_range();
	after.spec.external = (struct port_range){ 1, 65535 };
	assert_true(stranded_ports(&change, 1, ports));
	assert_true(ports[STRANDED_WORDS - 1] >> 63 & 1);
	assert_false(ports[0] & 1);
	change = (struct change){ &before, NULL };
	assert_false(stranded_ports(&change, 1, ports));
}

static void test_ports_of_changes(void **state)
{
	uint64_t ports[STRANDED_WORDS];
	struct mapping before = udp_range(), after = before;
	struct change change = { &before, &after };

	(void)state;
	assert_false(stranded_ports(&change, 1, ports));
	before.spec.enabled = false;
	assert_true(stranded_ports(&change, 1, ports));
	before = udp_range();
	after.spec.external.last = 5004;
	after.spec.internal.last = 6004;
	assert_true(stranded_ports(&change, 1, ports));
}

static void test_pinholes_do_not_translate(void **state)
{
	uint64_t ports[STRANDED_WORDS];
	struct mapping pinhole = udp_range();
	struct change change = { NULL, &pinhole };

	(void)state;
	pinhole.spec.internal_client = addr("2001:db8::5");
	pinhole.spec.internal = pinhole.spec.external;
	assert_false(stranded_ports(&change, 1, ports));
}

static void test_senders(void **state)
{
	uint64_t ports[STRANDED_WORDS] = { [5000 / 64] = UINT64_C(1) << 5000 % 64 };
	struct site site = here();
	struct stranded s = { .site = &site, .ports = ports };
	struct ct_entry e = untouched("198.51.100.9", "203.0.113.7", 5000);

	(void)state;
	assert_true(stranded_concerns(&s, &e));
	e.tuple.protocol = PROTOCOL_TCP;
	assert_false(stranded_concerns(&s, &e));
	e = untouched("198.51.100.9", "203.0.113.7", 5001);
	assert_false(stranded_concerns(&s, &e));
	s.ports = NULL;
	assert_true(stranded_concerns(&s, &e));
	e.tuple.translated = true;
	e.tuple.client = addr("192.168.69.110");
	assert_false(stranded_concerns(&s, &e));
	e = untouched("198.51.100.9", "203.0.113.8", 5000);
	assert_false(stranded_concerns(&s, &e));
}

static void test_devices(void **state)
{
	struct site site = here();
	struct stranded s = { .site = &site };
	struct ct_entry e = untouched("192.168.69.20", "198.51.100.9", 5060);

	(void)state;
	assert_true(stranded_concerns(&s, &e));
	e = untouched("192.168.69.20", "203.0.113.1", 5060); /* a neighbour on the uplink */
	assert_true(stranded_concerns(&s, &e));
	e.peer = external;
	assert_false(stranded_concerns(&s, &e));
	e = untouched("192.168.69.20", "10.8.0.9", 5060);
	assert_false(stranded_concerns(&s, &e));
	e = untouched("10.8.0.9", "198.51.100.9", 5060);
	assert_false(stranded_concerns(&s, &e));
	e = untouched("203.0.113.7", "198.51.100.9", 53); /* the gateway's own */
	assert_false(stranded_concerns(&s, &e));
}

static void test_moves(void **state)
{
	struct site was = here(), is = moved();
	struct stranded s = { .site = &is, .was = &was };
	struct ct_entry e = untouched("192.168.69.110", "198.51.100.9", 5060);

	(void)state;
	assert_true(stranded_by_move(&was, &is));
	assert_false(stranded_by_move(&was, &was));
	e.peer = external;
	assert_true(stranded_concerns(&s, &e));
	e.peer = external_moved;
	assert_false(stranded_concerns(&s, &e));
	e = untouched("198.51.100.9", "203.0.113.7", 5000);
	e.tuple.client = addr("192.168.69.110");
	e.tuple.translated = true;
	assert_true(stranded_concerns(&s, &e));
	s.was = &is;
	assert_false(stranded_concerns(&s, &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_of_additions),
		cmocka_unit_test(test_ports_of_changes),
		cmocka_unit_test(test_pinholes_do_not_translate),
		cmocka_unit_test(test_senders),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_moves),
	};

	return cmocka_run_group_tests(tests, make_sites, NULL);
}
