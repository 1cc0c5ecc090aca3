/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which flows a batch ends: from made-up mappings and flows.
 */
#include "plane/ending.h"

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

/* tcp/8000-8003 of every public address to 192.168.69.110:9000. */
static struct mapping_spec range(void)
{
	return (struct mapping_spec){
		.internal_client = addr("192.168.69.110"),
		.external = { 8000, 8003 },
		.internal = { 9000, 9003 },
		.protocols = PROTOCOL_TCP,
		.enabled = true,
		.name = "",
		.app = "",
		.notes = "",
		.owner = "root",
	};
}

static struct mapping_spec pinhole(void)
{
	struct mapping_spec s = range();

	s.internal_client = addr("2001:db8::5");
	s.internal = s.external;
	return s;
}

/* Somebody at port 8002 of 203.0.113.1, led to where range() leads. */
static struct flow_tuple visitor(void)
{
	return (struct flow_tuple){
		.remote = addr("198.51.100.9"),
		.external = addr("203.0.113.1"),
		.client = addr("192.168.69.110"),
		.remote_port = 40000,
		.external_port = 8002,
		.client_port = 9002,
		.protocol = PROTOCOL_TCP,
		.translated = true,
	};
}

static struct flow_tuple visitor6(void)
{
	struct flow_tuple t = visitor();

	t.remote = addr("2001:db8:f::9");
	t.external = t.client = addr("2001:db8::5");
	t.client_port = 8002;
	t.translated = false;
	return t;
}

static void a_mapping_carries_its_flows_only(void **state)
{
	const struct prefix others = { addr("198.51.100.0"), 28 },
			    his = { addr("198.51.100.9"), 32 };
	struct mapping_spec s = range();
	struct flow_tuple t = visitor();

	assert_true(mapping_carries(&s, &t));

	t.external_port = 8004;
	t.client_port = 9004;
	assert_false(mapping_carries(&s, &t));
	t = visitor();
	t.client_port = 9001; /* another offset: somebody else's translation */
	assert_false(mapping_carries(&s, &t));
	t = visitor();
	t.client = addr("192.168.69.111");
	assert_false(mapping_carries(&s, &t));
	t = visitor();
	t.protocol = PROTOCOL_UDP;
	assert_false(mapping_carries(&s, &t));
	t = visitor();
	t.translated = false;
	assert_false(mapping_carries(&s, &t));

	t = visitor();
	s.enabled = false;
	assert_false(mapping_carries(&s, &t));
	s = range();
	s.external_addr = addr("203.0.113.1");
	assert_true(mapping_carries(&s, &t));
	s.external_addr = addr("203.0.113.2");
	assert_false(mapping_carries(&s, &t));
	s = range();
	s.remote_hosts = &his;
	s.n_remote_hosts = 1;
	assert_true(mapping_carries(&s, &t));
	s.remote_hosts = &others;
	t.remote = addr("198.51.100.99");
	assert_false(mapping_carries(&s, &t));
}

static void a_pinhole_carries_without_translation(void **state)
{
	struct mapping_spec s = pinhole();
	struct flow_tuple t = visitor6();

	assert_true(mapping_carries(&s, &t));
	t.translated = true;
	assert_false(mapping_carries(&s, &t));
	t = visitor6();
	t.external = t.client = addr("2001:db8::6");
	assert_false(mapping_carries(&s, &t));
}

/* Does changing `before` to `after` (NULL: deletion) end the flow? -1: it cannot end any. */
static int ends(const struct mapping_spec *before, const struct mapping_spec *after,
		const struct flow_tuple *flow)
{
	struct mapping was = { .spec = before ? *before : range() }, is = { 0 };
	struct change change = { .before = before ? &was : NULL, .after = after ? &is : NULL };
	struct ending *e;
	int r;

	if (after)
		is.spec = *after;
	assert_int_equal(ending_new(&change, 1, &e), 0);
	if (!e)
		return -1;
	r = ending_concerns(e, flow);
	ending_free(e);
	return r;
}

static void changes_that_end_nothing_cost_nothing(void **state)
{
	const struct prefix wide = { addr("198.51.0.0"), 16 },
			    narrow = { addr("198.51.100.0"), 24 };
	struct mapping_spec before = range(), after = range();
	struct flow_tuple t = visitor();

	assert_int_equal(ends(NULL, &after, &t), -1); /* an addition */
	after.name = "Front door";
	after.max_connections = 5;
	assert_int_equal(ends(&before, &after, &t), -1);
	after.protocols = PROTOCOL_BOTH;
	after.external = (struct port_range){ 7999, 8004 };
	after.internal = (struct port_range){ 8999, 9004 };
	assert_int_equal(ends(&before, &after, &t), -1); /* widened */

	before.remote_hosts = &narrow;
	before.n_remote_hosts = 1;
	after = before;
	after.remote_hosts = &wide;
	assert_int_equal(ends(&before, &after, &t), -1);
	after.n_remote_hosts = 0;
	assert_int_equal(ends(&before, &after, &t), -1);
	before = range();
	before.external_addr = addr("203.0.113.1");
	after = range();
	assert_int_equal(ends(&before, &after, &t), -1);

	before.enabled = false;
	assert_int_equal(ends(&before, NULL, &t), -1); /* it carried nothing */
}

static void changes_end_what_is_no_longer_carried(void **state)
{
	const struct prefix his = { addr("198.51.100.9"), 32 }, others = { addr("192.0.2.0"), 24 };
	struct mapping_spec before = range(), after = range();
	struct flow_tuple t = visitor();

	assert_int_equal(ends(&before, NULL, &t), 1);
	after.enabled = false;
	assert_int_equal(ends(&before, &after, &t), 1);

	after = range();
	after.internal_client = addr("192.168.69.111");
	assert_int_equal(ends(&before, &after, &t), 1);
	after = range();
	after.internal = (struct port_range){ 9001, 9004 };
	assert_int_equal(ends(&before, &after, &t), 1);
	after = range();
	after.protocols = PROTOCOL_UDP;
	assert_int_equal(ends(&before, &after, &t), 1);
	after = range();
	after.external_addr = addr("203.0.113.2");
	assert_int_equal(ends(&before, &after, &t), 1);
	after.external_addr = addr("203.0.113.1"); /* the one he came by */
	assert_int_equal(ends(&before, &after, &t), 0);

	after = range();
	after.external.last = 8001;
	after.internal.last = 9001;
	assert_int_equal(ends(&before, &after, &t), 1);
	t.external_port = 8001;
	t.client_port = 9001;
	assert_int_equal(ends(&before, &after, &t), 0);

	t = visitor();
	after = range();
	after.n_remote_hosts = 1;
	after.remote_hosts = &others;
	assert_int_equal(ends(&before, &after, &t), 1);
	after.remote_hosts = &his;
	assert_int_equal(ends(&before, &after, &t), 0);
}

static void pinholes_end_alike(void **state)
{
	struct mapping_spec before = pinhole(), after = pinhole();
	struct flow_tuple t = visitor6();

	assert_int_equal(ends(&before, NULL, &t), 1);
	after.internal_client = addr("2001:db8::6");
	assert_int_equal(ends(&before, &after, &t), 1);
	t.external = t.client = addr("2001:db8::7");
	assert_int_equal(ends(&before, NULL, &t), 0);
}

static void says_what_all_have_in_common(void **state)
{
	struct mapping one = { .spec = range() }, two = { .spec = range() },
		       three = { .spec = pinhole() };
	struct change changes[] = { { .before = &one }, { .before = &two }, { .before = &three } };
	struct addr client = addr("192.168.69.110");
	struct ending *e;

	assert_int_equal(ending_new(changes, 2, &e), 0);
	assert_true(ending_has_mappings(e) && !ending_has_pinholes(e));
	assert_true(addr_eq(ending_client(e), &client));
	ending_free(e);
	assert_int_equal(ending_new(changes, 3, &e), 0);
	assert_true(ending_has_mappings(e) && ending_has_pinholes(e));
	assert_null(ending_client(e));
	ending_free(e);
	assert_int_equal(ending_new(NULL, 0, &e), 0);
	assert_null(e);
	ending_free(NULL);
}

/* Every port deleted, bound to one of three addresses or to all of them: each flow finds its own.
 */
static void a_large_batch(void **state)
{
	enum { N = 65000 };
	const struct addr every = { 0 };
	const struct addr external[] = { every, addr("203.0.113.1"), addr("203.0.113.2"),
					 addr("203.0.113.3") };
	struct mapping *mappings = calloc(N, sizeof(*mappings));
	struct change *changes = calloc(N, sizeof(*changes));
	struct flow_tuple t = visitor();
	struct ending *e;

	assert_true(mappings && changes);
	for (uint32_t i = 0; i < N; i++) {
		struct mapping_spec s = range();

		s.external_addr = external[i % 4];
		s.external.first = s.external.last = (uint16_t)(i + 1);
		s.internal.first = s.internal.last = 80;
		mappings[i].spec = s;
		changes[i].before = &mappings[i];
	}
	assert_int_equal(ending_new(changes, N, &e), 0);
	t.client_port = 80;
	for (uint32_t i = 0; i < N; i++) {
		t.external_port = (uint16_t)(i + 1);
		t.external = external[1];
		assert_int_equal(ending_concerns(e, &t), i % 4 < 2);
		t.external = external[2];
		assert_int_equal(ending_concerns(e, &t), i % 4 == 0 || i % 4 == 2);
	}
	t.external_port = N + 1;
	assert_false(ending_concerns(e, &t));
	ending_free(e);
	free(mappings);
	free(changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mapping_carries_its_flows_only),
		cmocka_unit_test(a_pinhole_carries_without_translation),
		cmocka_unit_test(changes_that_end_nothing_cost_nothing),
		cmocka_unit_test(changes_end_what_is_no_longer_carried),
		cmocka_unit_test(pinholes_end_alike),
		cmocka_unit_test(says_what_all_have_in_common),
		cmocka_unit_test(a_large_batch),
	};

	return cmocka_run_group_tests_name("ending", tests, NULL, NULL);
}
