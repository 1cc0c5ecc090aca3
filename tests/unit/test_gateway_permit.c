/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices: what they may touch, under which policy, and what the operator's approval changes. */
#include "gateway_fixture.h"

#define OTHER_CLIENT "192.168.69.120"
#define DAY	     86400000

static struct policy policy;

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof(*f));
	struct fault fault;

	policy = (struct policy){
		.min_external_port = 1024,
		.max_mappings_per_client = 4,
		.max_mappings = 6,
		.max_lifetime = 86400,
		.own_address_only = true,
	};
	fixture_prepare(f);
	f->policy = &policy;
	assert_int_equal(fixture_start(f, &fault), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	fixture_close(*state);
	free(*state);
	return 0;
}

static struct caller device(const char *client, enum origin origin)
{
	return (struct caller){ .owner = client, .origin = origin, .addr = address(client) };
}

#define CAMERA device("192.168.69.110", ORIGIN_UPNP)
#define OTHER  device(OTHER_CLIENT, ORIGIN_UPNP)

static struct outcome run_as(struct fixture *f, struct caller who, struct gateway_operation op)
{
	struct outcome o = { .f = f };

	gateway_submit(f->g, &who, &op, 1, note_done, &o);
	gateway_turn(f->g);
	assert_int_equal(o.times, 1);
	assert_settled(f);
	return o;
}

static uint32_t run_ok_as(struct fixture *f, struct caller who, struct gateway_operation op)
{
	struct outcome o = run_as(f, who, op);

	if (o.fault.kind)
		fail_msg("refused: %s", o.fault.text);
	return o.id;
}

static struct gateway_operation op_for(const char *client, uint16_t external, uint16_t internal)
{
	struct gateway_operation op = op_add(external, internal);

	op.spec.internal_client = address(client);
	return op;
}

static size_t count(const struct fixture *f)
{
	return mapping_table_count(gateway_table(f->g));
}

static void test_owner_and_lifetime(void **state)
{
	struct fixture *f = *state;
	struct gateway_operation op = op_add(8888, 80);
	const struct mapping *m;

	op.spec.expires = START_NOW + 3600000;
	m = mapping_of(f, run_ok_as(f, CAMERA, op));
	assert_string_equal(m->spec.owner, "192.168.69.110");
	assert_int_equal(m->spec.origin, ORIGIN_UPNP);
	assert_int_equal(m->spec.expires, START_NOW + 3600000);
	assert_true(m->spec.enabled);
	assert_false(m->spec.pending);
	/* for ever, for too long, until a date: as long as the policy has it */
	op = op_add(8889, 81);
	m = mapping_of(f, run_ok_as(f, CAMERA, op));
	assert_int_equal(m->spec.expires, START_NOW + DAY);
	op = op_change(f, m->id);
	op.spec.expires = START_NOW + 2 * (clock_ms)DAY;
	op.spec.expires_date = START_WALL + 200000;
	clock_freeze(START_NOW + 1000, START_WALL + 1);
	m = mapping_of(f, run_ok_as(f, CAMERA, op));
	assert_int_equal(m->spec.expires, START_NOW + 1000 + DAY);
	assert_int_equal(m->spec.expires_date, 0);
	/* the operator is not bound by it */
	op = op_change(f, m->id);
	op.spec.expires = 0;
	assert_int_equal(mapping_of(f, run_ok(f, op))->spec.expires, 0);
}

static void test_only_its_own(void **state)
{
	struct fixture *f = *state;
	uint32_t operators = run_ok(f, op_add(7000, 80));
	uint32_t cameras = run_ok_as(f, CAMERA, op_add(7001, 80));
	struct caller namesake = CAMERA;
	struct gateway_operation op;
	struct outcome o;

	o = run_as(f, CAMERA, op_delete(operators));
	assert_fault(&o, FAULT_FORBIDDEN, "m1 belongs to root; a device may touch only its own");
	op = op_change(f, operators);
	op.spec.name = "mine";
	o = run_as(f, CAMERA, op);
	assert_fault(&o, FAULT_FORBIDDEN, "m1 belongs to root; a device may touch only its own");
	o = run_as(f, OTHER, op_delete(cameras));
	assert_fault(&o, FAULT_FORBIDDEN,
		     "m2 belongs to 192.168.69.110; a device may touch only its own");
	/* whatever it is called */
	namesake.owner = "root";
	o = run_as(f, namesake, op_delete(operators));
	assert_fault(&o, FAULT_FORBIDDEN, NULL);
	/* by another of the device's ways it is still its own */
	run_ok_as(f, device("192.168.69.110", ORIGIN_NATPMP), op_delete(cameras));
	run_ok(f, op_delete(operators));
}

static void test_no_policy_is_no_licence(void **state)
{
	struct fixture *f = *state;
	struct outcome o;

	f->policy = NULL;
	fixture_restart(f);
	run_ok(f, op_add(7000, 80));
	run_ok_as(f, CAMERA, op_for(OTHER_CLIENT, 80, 22));
	o = run_as(f, CAMERA, op_delete(1));
	assert_fault(&o, FAULT_FORBIDDEN, NULL);
}

static void test_policy_refuses(void **state)
{
	struct fixture *f = *state;
	struct outcome o;

	o = run_as(f, CAMERA, op_add(80, 80));
	assert_fault(&o, FAULT_FORBIDDEN,
		     "external port 80 is kept from devices; expected 1024 or above "
		     "(min-external-port)");
	o = run_as(f, CAMERA, op_for(OTHER_CLIENT, 8080, 80));
	assert_fault(&o, FAULT_FORBIDDEN,
		     "192.168.69.110 asks for a mapping to 192.168.69.120; a device may map to "
		     "itself only (own-address-only)");
	o = run_as(f, CAMERA, op_add(8080, 22));
	assert_fault(&o, FAULT_FORBIDDEN, NULL);
	assert_int_equal(count(f), 0);
	/* nor by changing what it has */
	run_ok_as(f, CAMERA, op_add(8080, 80));
	struct gateway_operation op = op_change(f, 1);

	op.spec.internal = (struct port_range){ 22, 22 };
	o = run_as(f, CAMERA, op);
	assert_fault(&o, FAULT_FORBIDDEN, NULL);
	run_ok(f, op);
	run_ok(f, op_add(80, 80));
}

static void test_quotas(void **state)
{
	struct fixture *f = *state;
	struct outcome o;

	for (uint16_t i = 0; i < 4; i++)
		run_ok_as(f, CAMERA, op_add(8000 + i, 80));
	o = run_as(f, CAMERA, op_add(8010, 80));
	assert_fault(&o, FAULT_QUOTA, NULL);
	/* a renewal needs none */
	struct gateway_operation op = op_change(f, 1);

	op.spec.expires = START_NOW + 1000;
	run_ok_as(f, CAMERA, op);
	run_ok_as(f, OTHER, op_for(OTHER_CLIENT, 8020, 80));
	run_ok_as(f, OTHER, op_for(OTHER_CLIENT, 8021, 80));
	o = run_as(f, OTHER, op_for(OTHER_CLIENT, 8022, 80));
	assert_fault(&o, FAULT_QUOTA, NULL);
	run_ok(f, op_for(OTHER_CLIENT, 8022, 80));
	run_ok_as(f, CAMERA, op_delete(1));
	run_ok_as(f, OTHER, op_for(OTHER_CLIENT, 8023, 80));
}

/* A transaction that deletes makes room within itself. */
static void test_quota_within_a_transaction(void **state)
{
	struct fixture *f = *state;
	struct caller camera = CAMERA;
	struct outcome o = { .f = f };

	for (uint16_t i = 0; i < 4; i++)
		run_ok_as(f, CAMERA, op_add(8000 + i, 80));
	const struct gateway_operation ops[] = { op_delete(1), op_add(8010, 80) };

	gateway_submit(f->g, &camera, ops, 2, note_done, &o);
	gateway_turn(f->g);
	assert_fault(&o, FAULT_NONE, "");
	assert_settled(f);
}

static uint16_t port_of(const struct fixture *f, uint32_t id)
{
	return mapping_of(f, id)->spec.external.first;
}

static struct gateway_operation op_wish(uint16_t external, uint16_t internal)
{
	struct gateway_operation op = op_add(external, internal);

	op.suggests = true;
	return op;
}

static void test_any_port(void **state)
{
	struct fixture *f = *state;

	/* below the lowest one there is no preservation */
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op_add(0, 80))), 8080);
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op_add(0, 5004))), 5004);
	/* parity: of the next one, too */
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op_add(0, 5004))), 5006);
	policy.min_external_port = 20001;
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op_add(0, 554))), 20002);
}

static void test_wishes(void **state)
{
	struct fixture *f = *state;
	struct outcome o;

	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op_wish(9000, 80))), 9000);
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op_wish(9000, 81))), 9001);
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op_wish(443, 82))), 8443);
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op_wish(0, 83))), 8083);
	/* a demand is none */
	o = run_as(f, OTHER, op_for(OTHER_CLIENT, 9000, 80));
	assert_fault(&o, FAULT_CONFLICT, "tcp/9000 is mapped to 192.168.69.110:80 (m1)");
	assert_int_equal(o.fault.proposed_port, 0);
	/* and the operator may wish as well */
	assert_int_equal(port_of(f, run_ok(f, op_wish(22, 80))), 8022);
}

/* RFC 6886, 3.3: the same number in the other protocol is kept for the same client. */
static void test_companions(void **state)
{
	struct fixture *f = *state;
	struct gateway_operation op;

	run_ok_as(f, CAMERA, op_wish(9000, 9000));
	op = op_for(OTHER_CLIENT, 9000, 9000);
	op.spec.protocols = PROTOCOL_UDP;
	op.suggests = true;
	assert_int_equal(port_of(f, run_ok_as(f, OTHER, op)), 9001);
	op.spec.external = (struct port_range){ 0, 0 };
	assert_int_equal(port_of(f, run_ok_as(f, OTHER, op)), 9002);
	op.spec.internal_client = address("192.168.69.110");
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op)), 9000);
	/* who insists gets it all the same */
	op = op_for(OTHER_CLIENT, 9100, 9000);
	run_ok_as(f, OTHER, op);
	op = op_add(9100, 9100);
	op.spec.protocols = PROTOCOL_UDP;
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op)), 9100);
}

static void test_ports_by_rule(void **state)
{
	struct fixture *f = *state;
	struct policy_rule *rule = &policy.rules.at[policy.rules.n++];
	struct outcome o;

	*rule = (struct policy_rule){ .allow = true, .external = { 30000, 30001 } };
	assert_int_equal(parse_prefix(SLICE("192.168.69.110"), &rule->client), 0);
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op_add(0, 80))), 30000);
	assert_int_equal(port_of(f, run_ok_as(f, CAMERA, op_wish(8888, 80))), 30001);
	o = run_as(f, CAMERA, op_add(0, 80));
	assert_fault(&o, FAULT_EXHAUSTED,
		     "no external port is free for tcp 192.168.69.110:80: all from 1024 to 65535 "
		     "are taken, or kept from it");
	o = run_as(f, CAMERA, op_add(8888, 80));
	assert_fault(&o, FAULT_FORBIDDEN,
		     "192.168.69.110 may not have external port 8888 for its port 80 (permit)");
	o = run_as(f, OTHER, op_for(OTHER_CLIENT, 0, 80));
	assert_fault(&o, FAULT_FORBIDDEN, NULL);
	/* what one search passed by is not taken for the next */
	assert_int_equal(port_of(f, run_ok(f, op_add(0, 80))), 80);
	assert_int_equal(port_of(f, run_ok(f, op_add(0, 80))), 8080);
}

static void test_macs_reach_the_policy(void **state)
{
	static const uint8_t mac[MAC_LEN] = { 0, 1, 2, 3, 4, 5 };
	struct fixture *f = *state;
	struct policy_rule *rule = &policy.rules.at[policy.rules.n++];
	struct caller camera = CAMERA;
	struct outcome o;

	*rule = (struct policy_rule){ .allow = true, .by_mac = true, .external = { 1, 65535 } };
	memcpy(rule->mac, mac, sizeof(mac));
	o = run_as(f, camera, op_add(8888, 80));
	assert_fault(&o, FAULT_FORBIDDEN, NULL);
	memcpy(camera.mac, mac, sizeof(mac));
	o = run_as(f, camera, op_add(8888, 80));
	assert_fault(&o, FAULT_FORBIDDEN, NULL);
	camera.has_mac = true;
	run_ok_as(f, camera, op_add(8888, 80));
}

static void test_pinholes(void **state)
{
	struct fixture *f = *state;
	struct caller host = device("2001:db8::5", ORIGIN_PCP);
	struct gateway_operation op = op_for("2001:db8::5", 0, 8080);
	struct outcome o;

	assert_int_equal(port_of(f, run_ok_as(f, host, op)), 8080);
	o = run_as(f, host, op_for("2001:db8::5", 0, 443));
	assert_fault(&o, FAULT_FORBIDDEN,
		     "external port 443 is kept from devices; expected 1024 or above "
		     "(min-external-port)");
	op = op_for("2001:db8::5", 9000, 9000);
	op.suggests = true;
	assert_int_equal(port_of(f, run_ok_as(f, host, op)), 9000);
}

#define WAITS "m1 waits for the operator's approval (portwright approve m1)"

/* Asked for, asked for again, approved, renewed. */
static void test_quarantine(void **state)
{
	struct fixture *f = *state;
	struct gateway_operation op = op_add(8888, 80);
	const struct mapping *m;
	struct outcome o;

	policy.quarantine = true;
	op.spec.expires = START_NOW + 60000;
	o = run_as(f, CAMERA, op);
	assert_fault(&o, FAULT_FORBIDDEN, WAITS);
	assert_int_equal(o.n, 0);
	m = mapping_of(f, 1);
	assert_true(m->spec.pending);
	assert_false(m->spec.enabled);
	assert_int_equal(f->events[0].kind, EVENT_ADDED);
	/* it lasts, and keeps its place */
	fixture_restart(f);
	m = mapping_of(f, 1);
	assert_true(m->spec.pending);
	o = run(f, op_add(8888, 81));
	assert_fault(&o, FAULT_CONFLICT, NULL);

	/* once more, with whatever port: the same one, for longer */
	clock_freeze(START_NOW + 30000, START_WALL + 30);
	op.spec.expires = START_NOW + 90000;
	o = run_as(f, CAMERA, op);
	assert_fault(&o, FAULT_FORBIDDEN, WAITS);
	op.spec.external = (struct port_range){ 9999, 9999 };
	o = run_as(f, CAMERA, op);
	assert_fault(&o, FAULT_FORBIDDEN, WAITS);
	o = run_as(f, CAMERA, op_add(0, 80));
	assert_fault(&o, FAULT_FORBIDDEN, WAITS);
	assert_int_equal(count(f), 1);
	op = op_change(f, 1);
	assert_int_equal(op.spec.external.first, 8888);
	assert_int_equal(op.spec.expires, START_NOW + 30000 + DAY);
	/* nor can it approve itself */
	op.spec.pending = false;
	op.spec.enabled = true;
	op.spec.expires = START_NOW + 120000;
	o = run_as(f, CAMERA, op);
	assert_fault(&o, FAULT_FORBIDDEN, WAITS);
	assert_true(mapping_of(f, 1)->spec.pending);

	/* the operator does, and from then on it is as any other */
	run_ok(f, op);
	m = mapping_of(f, 1);
	assert_false(m->spec.pending);
	assert_true(m->spec.enabled);
	assert_string_equal(m->spec.owner, "192.168.69.110");
	assert_int_equal(m->spec.expires, START_NOW + 120000);
	op.spec.expires = START_NOW + 130000;
	assert_int_equal(run_ok_as(f, CAMERA, op), 1);
	assert_true(mapping_of(f, 1)->spec.enabled);
}

static void test_waiting_ends(void **state)
{
	struct fixture *f = *state;
	struct gateway_operation op = op_add(8888, 80);

	policy.quarantine = true;
	op.spec.expires = START_NOW + 60000;
	run_as(f, CAMERA, op);
	clock_freeze(START_NOW + 60000, START_WALL + 60);
	assert_int_equal(gateway_next_deadline(f->g), START_NOW + 60000);
	gateway_expire(f->g);
	gateway_turn(f->g);
	assert_int_equal(count(f), 0);
	/* or the device takes it back, or the operator says no */
	run_as(f, CAMERA, op_add(8888, 80));
	run_ok_as(f, CAMERA, op_delete(2));
	run_as(f, CAMERA, op_add(8888, 80));
	run_ok(f, op_delete(3));
	assert_int_equal(count(f), 0);
}

/* What the operator approved is what was asked for then. */
static void test_approved_and_changed(void **state)
{
	struct fixture *f = *state;
	struct prefix remote;
	struct gateway_operation op;
	struct outcome o;

	policy.quarantine = true;
	run_as(f, CAMERA, op_add(8888, 80));
	op = op_change(f, 1);
	op.spec.enabled = true; /* as `portwright enable` says it */
	run_ok(f, op);
	assert_false(mapping_of(f, 1)->spec.pending);

	assert_int_equal(parse_prefix(SLICE("203.0.113.0/24"), &remote), 0);
	op = op_change(f, 1);
	op.spec.remote_hosts = &remote;
	op.spec.n_remote_hosts = 1;
	op.spec.name = "narrower";
	run_ok_as(f, CAMERA, op);
	assert_int_equal(parse_prefix(SLICE("203.0.112.0/23"), &remote), 0);
	o = run_as(f, CAMERA, op);
	assert_fault(&o, FAULT_FORBIDDEN, WAITS);
	run_ok(f, op);
	op = op_change(f, 1);
	op.spec.internal = (struct port_range){ 81, 81 };
	o = run_as(f, CAMERA, op);
	assert_fault(&o, FAULT_FORBIDDEN, WAITS);
	assert_false(mapping_of(f, 1)->spec.enabled);
}

static void test_quarantine_lifted(void **state)
{
	struct fixture *f = *state;

	policy.quarantine = true;
	run_as(f, CAMERA, op_add(8888, 80));
	policy.quarantine = false;
	assert_int_equal(run_ok_as(f, CAMERA, op_add(7777, 80)), 1);
	assert_true(mapping_of(f, 1)->spec.enabled);
	assert_int_equal(port_of(f, 1), 8888);
	/* and begun: what is in force stays so */
	policy.quarantine = true;
	assert_int_equal(run_ok_as(f, CAMERA, op_change(f, 1)), 1);
}

/* An operator's words about what waits. */
static void test_operator_and_pending(void **state)
{
	struct fixture *f = *state;
	struct gateway_operation op = op_add(7000, 80);

	op.spec.pending = true; /* nobody waits for himself */
	op.spec.enabled = false;
	assert_false(mapping_of(f, run_ok(f, op))->spec.pending);
	policy.quarantine = true;
	run_as(f, CAMERA, op_add(8888, 80));
	op = op_change(f, 2);
	op.spec.name = "That camera";
	run_ok(f, op);
	assert_true(mapping_of(f, 2)->spec.pending);
	op = op_change(f, 2);
	op.spec.pending = false;
	run_ok(f, op);
	assert_false(mapping_of(f, 2)->spec.pending);
	assert_false(mapping_of(f, 2)->spec.enabled);
}

static void test_disabled_by_the_operator(void **state)
{
	static const char disabled[] = "m1 is disabled, and only the operator can enable it";
	struct fixture *f = *state;
	struct gateway_operation op;
	struct outcome o;

	run_ok_as(f, CAMERA, op_add(8888, 80));
	op = op_change(f, 1);
	op.spec.enabled = false;
	op.spec.when_disabled = DISABLED_REFUSE;
	run_ok(f, op);
	clock_freeze(START_NOW + 1000, START_WALL + 1);
	op.spec.enabled = true;
	op.spec.expires = 0;
	o = run_as(f, CAMERA, op);
	assert_fault(&o, FAULT_FORBIDDEN, disabled);
	o = run_as(f, CAMERA, op_add(9999, 80));
	assert_fault(&o, FAULT_FORBIDDEN, disabled);
	assert_int_equal(count(f), 1);
	assert_false(mapping_of(f, 1)->spec.enabled);
	assert_int_equal(mapping_of(f, 1)->spec.when_disabled, DISABLED_REFUSE);
	assert_int_equal(mapping_of(f, 1)->spec.expires, START_NOW + 1000 + DAY);
	/* a renewal that does not ask for more is no offence */
	op.spec.enabled = false;
	run_ok_as(f, CAMERA, op);
}

/* The one that waits is told so; the rest of its transaction was done with it. */
static void test_instead_names_its_culprit(void **state)
{
	struct fixture *f = *state;
	struct caller camera = CAMERA;
	struct outcome o = { .f = f };

	run_ok_as(f, CAMERA, op_add(8000, 79));
	policy.quarantine = true;
	const struct gateway_operation ops[] = { op_delete(1), op_add(8888, 80), op_add(8889, 81) };

	gateway_submit(f->g, &camera, ops, 3, note_done, &o);
	assert_int_equal(o.times, 0);
	gateway_turn(f->g);
	assert_fault(&o, FAULT_FORBIDDEN,
		     "m2 waits for the operator's approval (portwright approve m2)");
	assert_int_equal(o.culprit, 1);
	assert_int_equal(count(f), 2);
	assert_settled(f);
}

/* What could not be stored is what is told, and nothing waits. */
static void test_quarantine_on_a_full_disk(void **state)
{
	struct fixture *f = *state;
	struct outcome o;

	policy.quarantine = true;
	memory_store_tricks(f->store)->fail_write = 1;
	o = run_as(f, CAMERA, op_add(8888, 80));
	assert_fault(&o, FAULT_STORE, NULL);
	assert_int_equal(count(f), 0);
}

static void test_nonces(void **state)
{
	struct fixture *f = *state;
	struct caller host = device("192.168.69.110", ORIGIN_PCP);
	struct gateway_operation op = op_add(8888, 80);

	policy.quarantine = true;
	memset(op.spec.nonce, 1, sizeof(op.spec.nonce));
	run_as(f, host, op);
	assert_int_equal(mapping_of(f, 1)->spec.nonce[11], 1);
	memset(op.spec.nonce, 2, sizeof(op.spec.nonce));
	run_as(f, host, op);
	assert_int_equal(mapping_of(f, 1)->spec.nonce[11], 2);
	memset(op.spec.nonce, 0, sizeof(op.spec.nonce));
	run_as(f, CAMERA, op);
	assert_int_equal(mapping_of(f, 1)->spec.nonce[11], 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_owner_and_lifetime),
		TEST(test_only_its_own),
		TEST(test_no_policy_is_no_licence),
		TEST(test_policy_refuses),
		TEST(test_quotas),
		TEST(test_quota_within_a_transaction),
		TEST(test_any_port),
		TEST(test_wishes),
		TEST(test_companions),
		TEST(test_ports_by_rule),
		TEST(test_macs_reach_the_policy),
		TEST(test_pinholes),
		TEST(test_quarantine),
		TEST(test_waiting_ends),
		TEST(test_approved_and_changed),
		TEST(test_quarantine_lifted),
		TEST(test_operator_and_pending),
		TEST(test_disabled_by_the_operator),
		TEST(test_instead_names_its_culprit),
		TEST(test_quarantine_on_a_full_disk),
		TEST(test_nonces),
	};

	return cmocka_run_group_tests_name("gateway_permit", tests, NULL, NULL);
}
