/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs: what is accepted, what is refused and in which words, and what is announced. */
#include "gateway_fixture.h"

#include <errno.h>

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));

	fixture_open(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_close(*state);
	free(*state);
	return 0;
}

static void test_add(void **state)
{
	struct fixture *f = *state;
	struct gateway_operation op = op_add(8888, 80);
	const struct mapping *m;
	struct outcome o;

	op.spec.name = "Front door, web";
	submit_one(f, &o, op);
	assert_int_equal(o.times, 0);
	assert_int_equal(f->turns_asked, 1);
	assert_int_equal(memory_plane_count(f->plane), 0);
	gateway_turn(f->g);
	assert_fault(&o, FAULT_NONE, "");
	assert_int_equal(o.id, 1);
	m = mapping_of(f, 1);
	assert_int_equal(m->version, 1);
	assert_int_equal(m->created, START_WALL);
	assert_string_equal(m->spec.owner, "root");
	assert_string_equal(m->spec.notes, "");
	assert_settled(f);
	assert_int_equal(f->occupancy.forgotten, 2); /* opening, and this one */
}

static void test_change_keeps_what_is_the_gateways(void **state)
{
	struct fixture *f = *state;
	const struct caller other = { .owner = "alice", .origin = ORIGIN_RTSP };
	uint32_t id = run_ok(f, op_add(8888, 80));
	struct gateway_operation op = op_change(f, id);
	struct outcome o = { .f = f };

	clock_freeze(START_NOW + 5000, START_WALL + 5);
	op.spec.internal = (struct port_range){ 81, 81 };
	op.version = 1;
	gateway_submit(f->g, &other, &op, 1, note_done, &o);
	gateway_turn(f->g);
	assert_fault(&o, FAULT_NONE, "");
	assert_int_equal(o.version, 2);
	assert_int_equal(mapping_of(f, id)->created, START_WALL);
	assert_int_equal(mapping_of(f, id)->changed, START_WALL + 5);
	assert_string_equal(mapping_of(f, id)->spec.owner, "root");
	assert_int_equal(mapping_of(f, id)->spec.origin, ORIGIN_OPERATOR);
	assert_string_equal(f->events[1].who, "alice");
	assert_settled(f);
}

static void test_delete_shows_what_was(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_add(8888, 80));
	struct outcome o = run(f, op_delete(id));

	assert_int_equal(o.id, id);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 0);
	assert_settled(f);
	assert_int_equal(run_ok(f, op_add(8888, 80)), id + 1); /* ids are never reused */
}

static void test_change_of_nothing(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_add(8888, 80));
	size_t writes = memory_store_tricks(f->store)->writes;
	struct outcome o = run(f, op_change(f, id));

	assert_fault(&o, FAULT_NONE, "");
	assert_int_equal(o.version, 1);
	assert_int_equal(memory_store_tricks(f->store)->writes, writes);
	assert_int_equal(f->n_events, 1);
	/* "any port" is content with the one it has */
	struct gateway_operation any = op_change(f, id);

	any.spec.external = (struct port_range){ 0, 0 };
	o = run(f, any);
	assert_int_equal(o.version, 1);
	assert_int_equal(mapping_of(f, id)->spec.external.first, 8888);
	assert_settled(f);
}

static void test_versions(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_add(8888, 80));
	struct gateway_operation op;
	struct outcome o;

	for (uint16_t port = 81; port < 84; port++) {
		op = op_change(f, id);
		op.spec.internal = (struct port_range){ port, port };
		run_ok(f, op);
	}
	op = op_delete(id);
	op.version = 3;
	o = run(f, op);
	assert_fault(&o, FAULT_STALE, "m1 changed since: it is version 4, not 3");
	op.version = 4;
	run_ok(f, op);
	o = run(f, op);
	assert_fault(&o, FAULT_NOT_FOUND, "there is no mapping m1");
	assert_settled(f);
}

struct refusal {
	const char *what;
	struct gateway_operation op;
	enum fault_kind kind;
	const char *text;
	uint16_t proposed;
};

static struct gateway_operation with_remote(struct gateway_operation op, const struct prefix *p)
{
	op.spec.remote_hosts = p;
	op.spec.n_remote_hosts = 1;
	return op;
}

static struct gateway_operation with_udp(struct gateway_operation op)
{
	op.spec.protocols = PROTOCOL_UDP;
	return op;
}

static struct gateway_operation with_expiry(struct gateway_operation op, clock_ms expires,
					    wall_s date)
{
	op.spec.expires = expires;
	op.spec.expires_date = date;
	return op;
}

static struct gateway_operation with_client(struct gateway_operation op, const char *client)
{
	op.spec.internal_client = address(client);
	return op;
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;
	const struct prefix trusted = { address("198.51.100.0"), 24 };
	struct gateway_operation named = op_add(8888, 80), nameless = op_range(9000, 9003, 9000);
	const struct refusal refusals[] = {
		{ "taken", op_add(8888, 81), FAULT_CONFLICT,
		  "tcp/8888 is mapped to 192.168.69.110:80 as 'Front door, web' (m1); 8889 is free",
		  8889 },
		{ "taken for some too", with_remote(op_add(8888, 81), &trusted), FAULT_CONFLICT,
		  "tcp/8888 is mapped to 192.168.69.110:80 as 'Front door, web' (m1); 8889 is free",
		  8889 },
		{ "a range", op_range(8999, 9001, 100), FAULT_CONFLICT,
		  "tcp/9000-9003 is mapped to 192.168.69.110:9000-9003 (m2); 9004-9006 is free",
		  9004 },
		{ "a range below", op_range(8885, 8890, 100), FAULT_CONFLICT,
		  "tcp/8888 is mapped to 192.168.69.110:80 as 'Front door, web' (m1); "
		  "8889-8894 is free",
		  8889 },
		{ "the gateway's own", op_add(22, 22), FAULT_CONFLICT,
		  "tcp/22 is used by sshd on this gateway; 8022 is free", 8022 },
		{ "nobody knows whose", with_udp(op_add(5000, 22)), FAULT_CONFLICT,
		  "udp/5000 is used by another program on this gateway; 5001 is free", 5001 },
		{ "a pinhole twice", with_client(op_add(443, 443), "2001:db8::5"), FAULT_CONFLICT,
		  "tcp/[2001:db8::5]:443 is mapped to [2001:db8::5]:443 (m3)", 0 },
		{ "in the past", with_expiry(op_add(1, 1), START_NOW - 1, START_WALL - 60),
		  FAULT_INVALID,
		  "expires: 2027-01-15T07:59:00Z is in the past; expected a date to come", 0 },
		{ "ended", with_expiry(op_add(1, 1), START_NOW, 0), FAULT_INVALID,
		  "lifetime: it has ended already; expected a longer one", 0 },
		{ "nonsense", with_client(op_add(1, 1), "127.0.0.1"), FAULT_INVALID, NULL, 0 },
		{ "nothing to change",
		  { .verb = GATEWAY_CHANGE, .id = 99 },
		  FAULT_NOT_FOUND,
		  "there is no mapping m99",
		  0 },
	};
	struct outcome o;

	named.spec.name = "Front door, web";
	run_ok(f, named);
	run_ok(f, nameless);
	run_ok(f, with_client(op_add(443, 443), "2001:db8::5"));
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		print_message("# %s\n", refusals[i].what);
		submit_one(f, &o, refusals[i].op);
		assert_fault(&o, refusals[i].kind, refusals[i].text);
		assert_int_equal(o.fault.proposed_port, refusals[i].proposed);
		assert_int_equal(mapping_table_count(gateway_table(f->g)), 3);
	}
	assert_settled(f);
	assert_int_equal(f->turns_asked, 3);
	assert_int_equal(run_ok(f, op_add(1, 1)), 4); /* refusals cost no ids */
}

static void test_occupancy_fails(void **state)
{
	struct fixture *f = *state;
	struct outcome o;

	f->occupancy.error = -EPERM;
	submit_one(f, &o, op_add(8888, 80));
	assert_fault(&o, FAULT_PLANE, NULL);
	submit_one(f, &o, op_add(0, 80));
	assert_fault(&o, FAULT_PLANE, NULL);
	f->occupancy.error = -ENOMEM;
	submit_one(f, &o, op_add(8888, 80));
	assert_fault(&o, FAULT_MEMORY, NULL);
	assert_settled(f);
}

/* A socket that came after the mapping does not make the mapping unchangeable. */
static void test_own_port_is_not_asked_for_again(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_add(8888, 80));
	struct gateway_operation op = op_change(f, id);
	struct outcome o;

	f->occupancy.error = -EPERM;
	op.spec.internal = (struct port_range){ 81, 81 };
	run_ok(f, op);
	op.spec.protocols = PROTOCOL_BOTH;
	submit_one(f, &o, op);
	assert_fault(&o, FAULT_PLANE, NULL);
	assert_settled(f);
}

static void test_auto(void **state)
{
	struct fixture *f = *state;
	static const uint16_t expected[] = { 554, 8554, 8556, 8558 };
	struct gateway_operation pinhole = with_client(op_add(0, 443), "2001:db8::5");
	uint32_t id;

	for (size_t i = 0; i < 4; i++) {
		id = run_ok(f, op_add(0, 554));
		assert_int_equal(mapping_of(f, id)->spec.external.first, expected[i]);
		assert_int_equal(mapping_of(f, id)->spec.external.last, expected[i]);
	}
	id = run_ok(f, pinhole);
	assert_int_equal(mapping_of(f, id)->spec.external.first, 443);
	assert_settled(f);
}

static void test_auto_exhausted(void **state)
{
	struct fixture *f = *state;
	struct outcome o;

	run_ok(f, op_range(1024, 65535, 1024));
	run_ok(f, op_add(80, 80));
	submit_one(f, &o, op_add(0, 80));
	assert_fault(&o, FAULT_EXHAUSTED,
		     "no external port is free for tcp 192.168.69.110:80: "
		     "all from 1024 to 65535 are taken");
}

static uint16_t propose(const struct fixture *f, struct gateway_operation op, uint32_t except)
{
	struct port_range r = { 0 };

	assert_int_equal(gateway_propose(f->g, &op.spec, except, &r), 0);
	return r.first;
}

static void test_propose(void **state)
{
	struct fixture *f = *state;

	run_ok(f, op_add(8888, 80));
	assert_int_equal(propose(f, op_add(8888, 80), 0), 8889);
	assert_int_equal(propose(f, op_add(0, 8888), 0), 8890);
	assert_int_equal(propose(f, op_add(0, 8888), 1), 8888);
}

/* Operations see what those before them did, and go as one. */
static void test_transaction(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_add(8888, 80));
	const struct gateway_operation ops[] = { op_delete(id), op_add(8888, 81),
						 op_add(8889, 82) };
	struct outcome o;

	submit(f, &o, ops, 3);
	gateway_turn(f->g);
	assert_fault(&o, FAULT_NONE, "");
	assert_int_equal(o.n, 3);
	assert_int_equal(o.id, 3);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 2);
	assert_settled(f);
	submit(f, &o, NULL, 0);
	gateway_turn(f->g);
	assert_fault(&o, FAULT_NONE, "");
	assert_int_equal(o.n, 0);
}

/* The culprit is named, and nothing of its company remains: not even a change of holder. */
static void test_transaction_is_undone(void **state)
{
	struct fixture *f = *state;
	struct gateway_operation ops[5];
	struct outcome o;

	run_ok(f, op_add(8888, 80));
	run_ok(f, op_add(8889, 80)); /* waits for the source of :80 */
	ops[0] = op_change(f, 2);
	ops[0].spec.name = "renamed";
	ops[1] = op_delete(1);
	ops[2] = op_add(8888, 81);
	ops[3] = op_add(8890, 81);
	ops[4] = op_add(8890, 82);
	submit(f, &o, ops, 5);
	assert_fault(&o, FAULT_CONFLICT, NULL);
	assert_int_equal(o.culprit, 4);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 2);
	assert_int_equal(mapping_of(f, 2)->version, 1);
	/* m1 came back to find m2 holding the source: the plane is told, though nothing changed */
	gateway_turn(f->g);
	assert_settled(f);
	assert_int_equal(f->n_events, 3);
	assert_int_equal(f->events[2].kind, EVENT_HEALED);
	run_ok(f, op_delete(2));
	assert_settled(f);
	assert_int_equal(run_ok(f, op_add(8890, 80)), 3); /* nobody saw the ids it took */
}

static void test_events(void **state)
{
	struct fixture *f = *state;
	static const struct noted_event expected[] = {
		{ EVENT_ADDED, 1, 1, 1, "root" },      { EVENT_ADDED, 2, 2, 1, "root" },
		{ EVENT_CHANGED, 3, 1, 2, "root" },    { EVENT_DELETED, 4, 2, 1, "root" },
		{ EVENT_SITE, 5, 0, 0, "portwright" },
	};
	struct gateway_operation ops[] = { op_add(1, 1), op_add(2, 2) }, change;
	struct outcome o[3];

	submit(f, &o[0], ops, 2);
	change = op_change(f, 1);
	change.spec.enabled = false;
	submit_one(f, &o[1], change);
	submit_one(f, &o[2], op_delete(2));
	assert_int_equal(f->n_events, 0);
	gateway_turn(f->g);
	assert_int_equal(gateway_set_site(f->g, &f->site, &o[0].fault), 0);
	assert_int_equal(f->n_events, 5);
	assert_memory_equal(f->events, expected, sizeof(expected));
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(o[i].order, i + 1);
	assert_string_equal(event_kind_name(EVENT_EXPIRED), "expired");
}

struct leaver {
	struct subscriber base;
	struct gateway *g;
	struct subscriber *takes_along;
	unsigned heard;
};

static void hear_and_leave(struct subscriber *s, const struct event *e)
{
	struct leaver *l = (struct leaver *)s;

	l->heard++;
	gateway_unsubscribe(l->g, s);
	if (l->takes_along)
		gateway_unsubscribe(l->g, l->takes_along);
}

static void test_unsubscribe_within_notify(void **state)
{
	struct fixture *f = *state;
	struct leaver c = { .base.notify = hear_and_leave, .g = f->g };
	struct leaver b = { .base.notify = hear_and_leave, .g = f->g };
	struct leaver a = { .base.notify = hear_and_leave, .g = f->g, .takes_along = &b.base };

	gateway_subscribe(f->g, &a.base);
	gateway_subscribe(f->g, &b.base);
	gateway_subscribe(f->g, &c.base);
	run_ok(f, op_add(8888, 80));
	run_ok(f, op_add(8889, 80));
	assert_int_equal(a.heard, 1);
	assert_int_equal(b.heard, 0);
	assert_int_equal(c.heard, 1);
	assert_int_equal(f->n_events, 2);
}

static void test_site(void **state)
{
	struct fixture *f = *state;
	struct addr external = address("203.0.113.7");
	struct site_address own = { { address("192.168.69.1"), 24 }, 1 };
	struct site site = {
		.external = &external,
		.n_external = 1,
		.addresses = &own,
		.n_addresses = 1,
	};
	struct fault fault;
	struct outcome o;

	memory_plane_tricks(f->plane)->fail_site = 1;
	assert_true(gateway_set_site(f->g, &site, &fault) < 0);
	assert_int_equal(gateway_site(f->g)->n_external, 0);
	assert_int_equal(gateway_set_site(f->g, &site, &fault), 0);
	assert_true(site_eq(gateway_site(f->g), &site));
	submit_one(f, &o, with_client(op_add(8888, 80), "192.168.69.1"));
	assert_fault(&o, FAULT_INVALID, NULL);
	assert_string_equal(o.fault.field, "internal_client");
}

static void test_counters(void **state)
{
	struct fixture *f = *state;
	uint32_t id = run_ok(f, op_add(8888, 80));
	const struct mapping_counters more = { .packets = 3, .bytes = 180, .connections = 1 };

	memory_plane_pass(f->plane, id, &more);
	assert_int_equal(gateway_refresh_counters(f->g, 1000), 0);
	memory_plane_pass(f->plane, id, &more);
	assert_int_equal(gateway_refresh_counters(f->g, 1000), 0);
	assert_int_equal(mapping_of(f, id)->counters.packets, 3);
	clock_freeze(START_NOW + 1000, START_WALL + 1);
	assert_int_equal(gateway_refresh_counters(f->g, 1000), 0);
	assert_int_equal(mapping_of(f, id)->counters.packets, 6);
	assert_int_equal(mapping_of(f, id)->counters.bytes, 360);
	assert_int_equal(mapping_of(f, id)->counters.connections, 2);
}

static void test_restart(void **state)
{
	struct fixture *f = *state;

	run_ok(f, op_add(8888, 80));
	run_ok(f, op_add(8889, 80));
	run_ok(f, op_delete(2));
	run_ok(f, op_add(8889, 80));
	run_ok(f, op_delete(3));
	memory_plane_lose(f->plane, 1);
	fixture_restart(f);
	assert_settled(f);
	assert_int_equal(mapping_table_count(gateway_table(f->g)), 1);
	assert_int_equal(run_ok(f, op_add(8889, 80)), 4);
}

static void test_open_fails(void **state)
{
	struct fixture *f = *state;
	struct fault fault;
	struct gateway *g = f->g;
	const struct gateway_config config = { .plane = f->plane, .store = f->store };

	memory_plane_tricks(f->plane)->fail_reconcile = 1;
	assert_true(gateway_open(&config, &f->site, &g, &fault) < 0);
	assert_int_equal(fault.kind, FAULT_PLANE);
	memory_plane_tricks(f->plane)->fail_site = 1;
	assert_true(gateway_open(&config, &f->site, &g, &fault) < 0);
	assert_ptr_equal(g, f->g); /* outputs only on success */
}

/* 65,000 in one go, all of them asking for any port; then replaced all at once. */
static void test_import(void **state)
{
	struct fixture *f = *state;
	const size_t n = 60000;
	struct gateway_operation *ops = calloc(2 * n, sizeof(*ops));
	struct outcome o;

	for (size_t i = 0; i < n; i++) {
		ops[i] = op_add(0, 554);
		ops[i].spec.internal_client = address("10.0.0.0");
		ops[i].spec.internal_client.in6.s6_addr[13] = (uint8_t)(i >> 12);
		ops[i].spec.internal_client.in6.s6_addr[14] = (uint8_t)(i >> 4);
		ops[i].spec.internal_client.in6.s6_addr[15] = (uint8_t)(i % 16 + 1);
	}
	submit(f, &o, ops, n);
	gateway_turn(f->g);
	assert_fault(&o, FAULT_NONE, "");
	assert_int_equal(mapping_table_count(gateway_table(f->g)), n);
	assert_settled(f);
	memmove(ops + n, ops, n * sizeof(*ops));
	for (size_t i = 0; i < n; i++)
		ops[i] = op_delete((uint32_t)i + 1);
	submit(f, &o, ops, 2 * n);
	gateway_turn(f->g);
	assert_fault(&o, FAULT_NONE, "");
	assert_int_equal(o.id, 2 * n);
	assert_settled(f);
	assert_int_equal(memory_store_tricks(f->store)->writes, 2);
	free(ops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_add, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change_keeps_what_is_the_gateways, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_delete_shows_what_was, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change_of_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_occupancy_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_own_port_is_not_asked_for_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_auto, setup, teardown),
		cmocka_unit_test_setup_teardown(test_auto_exhausted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_propose, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transaction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_transaction_is_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unsubscribe_within_notify, setup, teardown),
		cmocka_unit_test_setup_teardown(test_site, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_import, setup, teardown),
	};

	return cmocka_run_group_tests_name("gateway", tests, NULL, NULL);
}
