/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which port is found, with which ones taken by mappings and by sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/port_allocator.h"

#include <errno.h>
#include <string.h>

#define MAX_TAKEN 4

struct fake_sockets {
	struct occupancy base;
	struct port_range taken; /* tcp */
	int error;
	size_t questions;
};

static int fake_find(struct occupancy *base, uint8_t protocols, const struct addr *external,
		     uint16_t first, uint16_t last, struct occupant *ret)
{
	struct fake_sockets *o = (struct fake_sockets *)base;

	o->questions++;
	if (o->error)
		return o->error;
	if (!(protocols & PROTOCOL_TCP) || last < o->taken.first || first > o->taken.last)
		return 0;
	ret->protocol = PROTOCOL_TCP;
	ret->port = first > o->taken.first ? first : o->taken.first;
	return 1;
}

static struct mapping_spec spec(struct port_range external, struct port_range internal)
{
	struct mapping_spec s = {
		.external = external,
		.internal = internal,
		.protocols = PROTOCOL_TCP,
		.enabled = true,
		.name = "",
		.app = "",
		.notes = "",
		.owner = "",
	};

	parse_addr(SLICE("192.168.69.110"), &s.internal_client);
	return s;
}

static void take(struct mapping_table *t, struct port_range r, uint32_t id)
{
	struct mapping_spec s = spec(r, r);
	struct mapping *m = mapping_new(&s, id, 1);

	assert_int_equal(mapping_table_replace(t, NULL, m, NULL), 0);
	mapping_unref(m);
}

struct search {
	const char *what;
	struct port_range external, internal;
	struct port_range mapped[MAX_TAKEN]; /* by tcp mappings with ids from 1 on */
	struct port_range sockets;
	uint32_t except;
	struct port_range found; /* {0, 0}: none */
};

static const struct search searches[] = {
	{ "its own number", { 0, 0 }, { 554, 554 }, { { 0 } }, { 0, 0 }, 0, { 554, 554 } },
	{ "well-known and taken",
	  { 0, 0 },
	  { 80, 80 },
	  { { 80, 80 } },
	  { 0, 0 },
	  0,
	  { 8080, 8080 } },
	{ "parity, even",
	  { 0, 0 },
	  { 5004, 5004 },
	  { { 5004, 5004 } },
	  { 0, 0 },
	  0,
	  { 5006, 5006 } },
	{ "parity, odd",
	  { 0, 0 },
	  { 5005, 5005 },
	  { { 5000, 5005 } },
	  { 0, 0 },
	  0,
	  { 5007, 5007 } },
	{ "over a range",
	  { 0, 0 },
	  { 5004, 5004 },
	  { { 5000, 5101 } },
	  { 0, 0 },
	  0,
	  { 5102, 5102 } },
	{ "over a socket", { 0, 0 }, { 2000, 2000 }, { { 0 } }, { 2000, 2003 }, 0, { 2004, 2004 } },
	{ "over both",
	  { 0, 0 },
	  { 2000, 2000 },
	  { { 2000, 2000 }, { 2004, 2010 } },
	  { 2002, 2003 },
	  0,
	  { 2012, 2012 } },
	{ "round the end",
	  { 0, 0 },
	  { 65534, 65534 },
	  { { 65534, 65535 }, { 1024, 1025 } },
	  { 0, 0 },
	  0,
	  { 1026, 1026 } },
	{ "round the end, odd",
	  { 0, 0 },
	  { 65535, 65535 },
	  { { 65535, 65535 } },
	  { 0, 0 },
	  0,
	  { 1025, 1025 } },
	{ "no even one left",
	  { 0, 0 },
	  { 1024, 1024 },
	  { { 1024, 1024 }, { 1026, 65535 } },
	  { 0, 0 },
	  0,
	  { 1025, 1025 } },
	{ "a range together",
	  { 0, 0 },
	  { 9000, 9003 },
	  { { 9002, 9002 }, { 9006, 9006 } },
	  { 0, 0 },
	  0,
	  { 9008, 9011 } },
	{ "a range over the end",
	  { 0, 0 },
	  { 65530, 65533 },
	  { { 65531, 65531 }, { 65535, 65535 } },
	  { 0, 0 },
	  0,
	  { 1024, 1027 } },
	{ "a wide range", { 0, 0 }, { 1, 60000 }, { { 100, 100 } }, { 0, 0 }, 0, { 1025, 61024 } },
	{ "too wide a range", { 0, 0 }, { 1, 60000 }, { { 30000, 30000 } }, { 0, 0 }, 0, { 0, 0 } },
	{ "all taken",
	  { 0, 0 },
	  { 80, 80 },
	  { { 80, 80 }, { 1024, 65535 } },
	  { 0, 0 },
	  0,
	  { 0, 0 } },
	{ "taken but for itself", { 0, 0 }, { 80, 80 }, { { 80, 80 } }, { 0, 0 }, 1, { 80, 80 } },
	{ "the next one up",
	  { 8888, 8888 },
	  { 80, 80 },
	  { { 8888, 8888 } },
	  { 0, 0 },
	  0,
	  { 8889, 8889 } },
	{ "asked for sshd's", { 22, 22 }, { 22, 22 }, { { 0 } }, { 22, 22 }, 0, { 8022, 8022 } },
	{ "the next range up",
	  { 8000, 8003 },
	  { 9000, 9003 },
	  { { 8003, 8003 } },
	  { 0, 0 },
	  0,
	  { 8004, 8007 } },
};

static void run_search(const struct search *c)
{
	struct fake_sockets sockets = { .base.find = fake_find, .taken = c->sockets };
	struct port_allocator a = { .occupancy = &sockets.base };
	struct mapping_spec s = spec(c->external, c->internal);
	struct port_range found = { 0, 0 };
	struct mapping_table *t;
	int ret;

	print_message("# %s\n", c->what);
	assert_int_equal(mapping_table_new(&t), 0);
	for (uint32_t i = 0; i < MAX_TAKEN && c->mapped[i].first; i++)
		take(t, c->mapped[i], i + 1);
	a.table = t;
	for (unsigned again = 0; again < 2; again++) { /* a hint changes nothing */
		ret = port_allocate(&a, &s, c->except, NULL, &found);
		assert_int_equal(ret, c->found.first ? 0 : -EADDRNOTAVAIL);
		assert_int_equal(found.first, c->found.first);
		assert_int_equal(found.last, c->found.last);
	}
	mapping_table_free(t);
}

static void test_searches(void **state)
{
	for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++)
		run_search(&searches[i]);
}

static void test_udp_beside_tcp(void **state)
{
	struct port_allocator a = { 0 };
	struct mapping_spec s = spec((struct port_range){ 0, 0 },
				     (struct port_range){ 5060, 5060 });
	struct port_range found;
	struct mapping_table *t;

	assert_int_equal(mapping_table_new(&t), 0);
	take(t, (struct port_range){ 5060, 5060 }, 1);
	a.table = t;
	s.protocols = PROTOCOL_UDP;
	assert_int_equal(port_allocate(&a, &s, 0, NULL, &found), 0);
	assert_int_equal(found.first, 5060);
	s.protocols = PROTOCOL_BOTH;
	assert_int_equal(port_allocate(&a, &s, 0, NULL, &found), 0);
	assert_int_equal(found.first, 5062);
	mapping_table_free(t);
}

static void test_occupancy_fails(void **state)
{
	struct fake_sockets sockets = { .base.find = fake_find, .error = -EPERM };
	struct port_allocator a = { .occupancy = &sockets.base };
	struct mapping_spec s = spec((struct port_range){ 0, 0 }, (struct port_range){ 80, 80 });
	struct port_range found = { 7, 7 };
	struct mapping_table *t;

	assert_int_equal(mapping_table_new(&t), 0);
	a.table = t;
	assert_int_equal(port_allocate(&a, &s, 0, NULL, &found), -EPERM);
	s.external = (struct port_range){ 80, 80 };
	assert_int_equal(port_allocate(&a, &s, 0, NULL, &found), -EPERM);
	assert_int_equal(found.first, 7);
	mapping_table_free(t);
}

/* Many searches for the same ask few questions each; and forgetting brings the first one back. */
static void test_hints(void **state)
{
	struct fake_sockets sockets = { .base.find = fake_find };
	struct port_allocator a = { .occupancy = &sockets.base };
	struct mapping_spec s = spec((struct port_range){ 0, 0 }, (struct port_range){ 80, 80 });
	struct port_range found = { 0, 0 };
	struct mapping_table *t;
	uint32_t id;

	assert_int_equal(mapping_table_new(&t), 0);
	a.table = t;
	for (id = 1; port_allocate(&a, &s, 0, NULL, &found) == 0; id++)
		take(t, found, id);
	assert_int_equal(id - 1, 65536 - 1024 + 1);
	assert_true(sockets.questions < 2 * (id - 1));
	mapping_table_replace(t, mapping_table_by_id(t, 1), NULL, NULL);
	mapping_table_replace(t, mapping_table_by_id(t, 3), NULL, NULL);
	port_allocator_forget(&a);
	assert_int_equal(port_allocate(&a, &s, 0, NULL, &found), 0);
	assert_int_equal(found.first, 80);
	take(t, found, 1);
	assert_int_equal(port_allocate(&a, &s, 0, NULL, &found), 0);
	assert_int_equal(found.first, 8082);
	mapping_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_searches),
		cmocka_unit_test(test_udp_beside_tcp),
		cmocka_unit_test(test_occupancy_fails),
		cmocka_unit_test(test_hints),
	};

	return cmocka_run_group_tests_name("port_allocator", tests, NULL, NULL);
}
