/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NAT-PMP as devices see it: RFC 6886, clause by clause. */
#include "exchange_fixture.h"

#include "serve/natpmp.h"

static int setup(void **state)
{
	*state = devices_open();
	return 0;
}

static int teardown(void **state)
{
	devices_close(*state);
	return 0;
}

static struct natpmp_response say(struct devices *d, const char *client, const void *bytes,
				  size_t len)
{
	const struct datagram *answer;
	struct natpmp_response r;

	natpmp_serve(receive(d, client, bytes, len));
	answer = answer_to(d, client);
	assert_int_equal(parse_natpmp_response(answer->bytes, answer->len, &r), 0);
	return r;
}

static struct natpmp_response ask(struct devices *d, const char *client,
				  struct natpmp_request request)
{
	uint8_t buf[32];
	ssize_t len = format_natpmp_request(&request, buf, sizeof(buf));
	struct natpmp_response r;

	assert_true(len > 0);
	r = say(d, client, buf, (size_t)len);
	assert_int_equal(r.opcode, request.opcode);
	assert_int_equal(r.epoch_time, gateway_epoch(d->f.g));
	if (request.opcode != NATPMP_EXTERNAL_ADDRESS)
		assert_int_equal(r.internal_port, request.internal_port);
	return r;
}

static struct natpmp_response map(struct devices *d, const char *client, uint8_t opcode,
				  uint16_t internal, uint16_t suggested, uint32_t lifetime)
{
	return ask(d, client,
		   (struct natpmp_request){ .opcode = opcode,
					    .internal_port = internal,
					    .suggested_external_port = suggested,
					    .lifetime = lifetime });
}

static void assert_mapped(struct natpmp_response r, uint16_t external, uint32_t lifetime)
{
	assert_int_equal(r.result, NATPMP_SUCCESS);
	assert_int_equal(r.assigned_external_port, external);
	assert_int_equal(r.lifetime, lifetime);
}

static void assert_refused(struct natpmp_response r, enum natpmp_result result)
{
	assert_int_equal(r.result, result);
	assert_int_equal(r.assigned_external_port, 0);
	assert_int_equal(r.lifetime, 0);
}

static void test_external_address(void **state)
{
	struct devices *d = *state;
	const struct natpmp_request request = { .opcode = NATPMP_EXTERNAL_ADDRESS };
	struct natpmp_response r = ask(d, CAMERA, request);
	struct addr ours = address(OURS);

	assert_int_equal(r.result, NATPMP_SUCCESS);
	assert_true(addr_eq(&r.external_addr, &ours));
	pass_seconds(7);
	r = ask(d, CAMERA, request);
	assert_int_equal(r.epoch_time, 7);

	/* a private one is told as it is */
	move_to(d, "10.1.2.3");
	ours = address("10.1.2.3");
	r = ask(d, CAMERA, request);
	assert_true(addr_eq(&r.external_addr, &ours));
	assert_int_equal(r.epoch_time, 0);
}

static void test_no_external_address(void **state)
{
	struct devices *d = *state;
	static const uint8_t zeros[4];
	const uint8_t request[] = { 0, 0 };

	map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600);
	move_to(d, NULL);
	assert_int_equal(say(d, CAMERA, request, sizeof(request)).result, NATPMP_NETWORK_FAILURE);
	assert_int_equal(d->sent[0].len, 12);
	assert_memory_equal(d->sent[0].bytes + 8, zeros, 4);
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 81, 8081, 3600), NATPMP_NETWORK_FAILURE);
	assert_int_equal(count_mappings(d), 1);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 0, 0), 0, 0);
	assert_int_equal(count_mappings(d), 0);
}

static void test_map(void **state)
{
	struct devices *d = *state;
	const struct mapping *m;
	struct addr camera = address(CAMERA);

	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600), 8080, 3600);
	m = only_mapping(d);
	assert_int_equal(m->spec.protocols, PROTOCOL_TCP);
	assert_int_equal(m->spec.origin, ORIGIN_NATPMP);
	assert_string_equal(m->spec.owner, CAMERA);
	assert_true(addr_eq(&m->spec.internal_client, &camera));
	assert_int_equal(m->spec.expires, START_NOW + 3600000);
	assert_true(m->spec.enabled);

	/* the answer got lost, and the request comes again */
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600), 8080, 3600);
	only_mapping(d);
	assert_settled(&d->f);
}

static void test_each_protocol_by_itself(void **state)
{
	struct devices *d = *state;

	assert_mapped(map(d, CAMERA, NATPMP_MAP_UDP, 5004, 5004, 60), 5004, 60);
	assert_int_equal(only_mapping(d)->spec.protocols, PROTOCOL_UDP);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 5004, 5004, 60), 5004, 60);
	assert_int_equal(count_mappings(d), 2);
}

static void test_renew(void **state)
{
	struct devices *d = *state;

	map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600);
	pass_seconds(1800);
	/* whatever is suggested */
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 9090, 3600), 8080, 3600);
	assert_int_equal(only_mapping(d)->spec.expires, clock_now() + 3600000);
	/* also for a shorter time */
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 60), 8080, 60);
	assert_int_equal(only_mapping(d)->spec.expires, clock_now() + 60000);
	pass_seconds(61);
	gateway_expire(d->f.g);
	gateway_turn(d->f.g);
	assert_int_equal(count_mappings(d), 0);
}

static void test_suggested_port_taken(void **state)
{
	struct devices *d = *state;
	struct natpmp_response r;

	map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600);
	r = map(d, NVR, NATPMP_MAP_TCP, 80, 8080, 3600);
	assert_int_equal(r.result, NATPMP_SUCCESS);
	assert_int_not_equal(r.assigned_external_port, 8080);
	assert_int_equal(count_mappings(d), 2);
	/* not a port of ours, nor one that policy keeps, nor the gateway's own */
	assert_true(map(d, NVR, NATPMP_MAP_UDP, 5000, 5000, 60).assigned_external_port != 5000);
	assert_true(map(d, NVR, NATPMP_MAP_TCP, 81, 81, 60).assigned_external_port >= 1024);
	assert_true(map(d, NVR, NATPMP_MAP_UDP, 5351, 5351, 60).assigned_external_port != 5351);
}

static void test_companion_port_is_reserved(void **state)
{
	struct devices *d = *state;

	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600), 8080, 3600);
	assert_int_equal(count_mappings(d), 1);
	assert_true(map(d, NVR, NATPMP_MAP_UDP, 80, 8080, 3600).assigned_external_port != 8080);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_UDP, 80, 8080, 3600), 8080, 3600);
	/* as long as the lease lasts */
	map(d, CAMERA, NATPMP_MAP_UDP, 80, 0, 0);
	map(d, CAMERA, NATPMP_MAP_TCP, 80, 0, 0);
	map(d, NVR, NATPMP_MAP_UDP, 80, 0, 0);
	assert_mapped(map(d, NVR, NATPMP_MAP_UDP, 80, 8080, 3600), 8080, 3600);
}

static void test_lifetime_is_capped_and_never_more_than_asked(void **state)
{
	struct devices *d = *state;

	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, UINT32_MAX), 8080, 86400);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 81, 8081, 1), 8081, 1);
}

static void test_the_operators_mapping_is_told(void **state)
{
	struct devices *d = *state;
	struct gateway_operation o = op_add(8888, 80);
	uint32_t id;

	o.spec.notes = "by hand";
	id = run_ok(&d->f, o);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600), 8888, 3600);
	assert_int_equal(only_mapping(d)->version, 1);

	/* one that is shut serves nobody */
	o = op_change(&d->f, id);
	o.spec.enabled = false;
	run_ok(&d->f, o);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600), 8080, 3600);
}

static void test_the_middle_of_a_range(void **state)
{
	struct devices *d = *state;

	run_ok(&d->f, op_range(8000, 8003, 9000));
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 9002, 0, 60), 8002, 60);
	assert_int_equal(count_mappings(d), 1);
}

/* What the device has by another protocol goes on for as long as either wants it. */
static void test_ones_own_by_upnp(void **state)
{
	struct devices *d = *state;
	const struct caller upnp = { .owner = CAMERA,
				     .origin = ORIGIN_UPNP,
				     .addr = address(CAMERA) };
	struct gateway_operation o = op_add(8888, 80);
	struct outcome told = { .f = &d->f };

	o.spec.expires = clock_now() + 600000;
	gateway_submit(d->f.g, &upnp, &o, 1, note_done, &told);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 60), 8888, 60);
	assert_int_equal(only_mapping(d)->spec.expires, clock_now() + 600000);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 900), 8888, 900);
	assert_int_equal(only_mapping(d)->spec.expires, clock_now() + 900000);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 0, 0), 0, 0);
	assert_int_equal(count_mappings(d), 0);
}

static void test_delete(void **state)
{
	struct devices *d = *state;

	map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600);
	map(d, CAMERA, NATPMP_MAP_UDP, 80, 8080, 3600);
	map(d, NVR, NATPMP_MAP_TCP, 80, 8081, 3600);
	/* the suggested port does not count */
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8081, 0), 0, 0);
	assert_int_equal(count_mappings(d), 2);
	/* again, and what never was */
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 0, 0), 0, 0);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 4711, 0, 0), 0, 0);
	assert_int_equal(count_mappings(d), 2);
}

static void test_delete_all_of_one_protocol(void **state)
{
	struct devices *d = *state;

	for (uint16_t port = 80; port < 83; port++)
		map(d, CAMERA, NATPMP_MAP_TCP, port, 0, 3600);
	map(d, CAMERA, NATPMP_MAP_UDP, 80, 0, 3600);
	map(d, NVR, NATPMP_MAP_TCP, 80, 0, 3600);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 0, 0, 0), 0, 0);
	assert_int_equal(count_mappings(d), 2);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 0, 0, 0), 0, 0);
}

static void test_the_operators_is_not_deleted(void **state)
{
	struct devices *d = *state;

	run_ok(&d->f, op_add(8888, 80));
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 80, 0, 0), NATPMP_NOT_AUTHORIZED);
	map(d, CAMERA, NATPMP_MAP_TCP, 81, 0, 3600);
	assert_int_equal(count_mappings(d), 2);
	/* as many as possible, but not all */
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 0, 0, 0), NATPMP_NOT_AUTHORIZED);
	assert_int_equal(only_mapping(d)->spec.origin, ORIGIN_OPERATOR);
}

/* Its nonce is what says who may. */
static void test_what_pcp_made_is_not_deleted(void **state)
{
	struct devices *d = *state;
	const struct caller pcp = { .owner = CAMERA,
				    .origin = ORIGIN_PCP,
				    .addr = address(CAMERA) };
	struct gateway_operation o = op_add(8888, 80);
	struct outcome told = { .f = &d->f };

	memset(o.spec.nonce, 1, sizeof(o.spec.nonce));
	o.spec.expires = clock_now() + 600000;
	gateway_submit(d->f.g, &pcp, &o, 1, note_done, &told);
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 80, 0, 0), NATPMP_NOT_AUTHORIZED);
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 0, 0, 0), NATPMP_NOT_AUTHORIZED);
	only_mapping(d);
}

static void test_policy(void **state)
{
	struct devices *d = *state;

	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 22, 2222, 60), NATPMP_NOT_AUTHORIZED);
	for (uint16_t port = 80; port < 88; port++)
		assert_int_equal(map(d, CAMERA, NATPMP_MAP_TCP, port, 0, 60).result, 0);
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 88, 0, 60), NATPMP_NO_RESOURCES);
	assert_int_equal(map(d, CAMERA, NATPMP_MAP_TCP, 87, 0, 60).result, 0);
	assert_int_equal(map(d, NVR, NATPMP_MAP_TCP, 88, 0, 60).result, 0);
}

static void test_quarantine(void **state)
{
	struct devices *d = *state;
	struct gateway_operation o;
	uint32_t id;

	d->policy.quarantine = true;
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600), NATPMP_NOT_AUTHORIZED);
	pass_seconds(600);
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600), NATPMP_NOT_AUTHORIZED);
	assert_true(only_mapping(d)->spec.pending);
	assert_int_equal(only_mapping(d)->spec.expires, clock_now() + 3600000);
	id = only_mapping(d)->id;
	o = op_change(&d->f, id);
	o.spec.pending = false;
	o.spec.enabled = true;
	run_ok(&d->f, o);
	assert_mapped(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600), 8080, 3600);

	o = op_change(&d->f, id);
	o.spec.enabled = false;
	run_ok(&d->f, o);
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 3600), NATPMP_NOT_AUTHORIZED);
	assert_false(only_mapping(d)->spec.enabled);
}

static void test_nothing_is_promised_that_is_not_durable(void **state)
{
	struct devices *d = *state;

	memory_store_tricks(d->f.store)->fail_write = 1;
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 60), NATPMP_NO_RESOURCES);
	assert_int_equal(count_mappings(d), 0);
	memory_plane_tricks(d->f.plane)->fail_mapping = 2;
	assert_refused(map(d, CAMERA, NATPMP_MAP_TCP, 80, 8080, 60), NATPMP_NO_RESOURCES);
	assert_settled(&d->f);
}

/* Two copies within one turn. */
static void test_twice_at_once(void **state)
{
	struct devices *d = *state;
	const uint8_t request[] = { 0, 2, 0, 0, 0, 80, 0x1f, 0x90, 0, 0, 0, 60 };

	natpmp_serve(receive(d, CAMERA, request, sizeof(request)));
	natpmp_serve(receive(d, CAMERA, request, sizeof(request)));
	gateway_turn(d->f.g);
	assert_int_equal(d->n_sent, 2);
	assert_memory_equal(d->sent[0].bytes, d->sent[1].bytes, 16);
	assert_int_equal(d->sent[1].bytes[3], NATPMP_SUCCESS);
	only_mapping(d);
}

static void test_internal_port_0(void **state)
{
	assert_refused(map(*state, CAMERA, NATPMP_MAP_TCP, 0, 8080, 60), NATPMP_NOT_AUTHORIZED);
}

static void test_unknown_opcodes(void **state)
{
	struct devices *d = *state;
	const uint8_t request[] = { 0, 3, 'x', 'y', 'z' };
	const uint8_t answer[] = { 0, 131, 0, 5, 'z' };

	natpmp_serve(receive(d, CAMERA, request, sizeof(request)));
	answer_to(d, CAMERA);
	assert_int_equal(d->sent[0].len, sizeof(answer));
	assert_memory_equal(d->sent[0].bytes, answer, sizeof(answer));
}

static void test_dropped(void **state)
{
	struct devices *d = *state;
	const uint8_t request[] = { 0, 1, 0, 0, 0, 80, 0, 80, 0, 0, 0, 60 };
	const uint8_t response[] = { 0, 128 };

	for (size_t len = 0; len < sizeof(request); len++) {
		natpmp_serve(receive(d, CAMERA, request, len));
		gateway_turn(d->f.g);
		assert_int_equal(d->n_sent, 0);
		assert_int_equal(d->under_way, 0);
	}
	natpmp_serve(receive(d, CAMERA, response, sizeof(response)));
	assert_int_equal(d->n_sent, 0);
	assert_int_equal(count_mappings(d), 0);
}

static void test_announcement(void **state)
{
	struct devices *d = *state;
	struct natpmp_response r;
	uint8_t buf[16];

	pass_seconds(3);
	assert_int_equal(natpmp_announcement(d->f.g, buf, sizeof(buf)), 12);
	assert_int_equal(parse_natpmp_response(buf, 12, &r), 0);
	assert_int_equal(r.result, NATPMP_SUCCESS);
	assert_int_equal(r.epoch_time, 3);
	move_to(d, NULL);
	assert_int_equal(natpmp_announcement(d->f.g, buf, sizeof(buf)), 12);
	assert_int_equal(parse_natpmp_response(buf, 12, &r), 0);
	assert_int_equal(r.result, NATPMP_NETWORK_FAILURE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_external_address),
		TEST(test_no_external_address),
		TEST(test_map),
		TEST(test_each_protocol_by_itself),
		TEST(test_renew),
		TEST(test_suggested_port_taken),
		TEST(test_companion_port_is_reserved),
		TEST(test_lifetime_is_capped_and_never_more_than_asked),
		TEST(test_the_operators_mapping_is_told),
		TEST(test_the_middle_of_a_range),
		TEST(test_ones_own_by_upnp),
		TEST(test_delete),
		TEST(test_delete_all_of_one_protocol),
		TEST(test_the_operators_is_not_deleted),
		TEST(test_what_pcp_made_is_not_deleted),
		TEST(test_policy),
		TEST(test_quarantine),
		TEST(test_nothing_is_promised_that_is_not_durable),
		TEST(test_twice_at_once),
		TEST(test_internal_port_0),
		TEST(test_unknown_opcodes),
		TEST(test_dropped),
		TEST(test_announcement),
	};

	return cmocka_run_group_tests_name("serve_natpmp", tests, NULL, NULL);
}
