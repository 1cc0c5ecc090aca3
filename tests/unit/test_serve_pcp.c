/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCP as devices see it: RFC 6887 and RFC 7753, clause by clause. */
#include "exchange_fixture.h"

#include "serve/pcp.h"

#define TCP  6
#define UDP  17
#define PEER "198.51.100.10"

static struct pcp *pcp;
static struct pcp_config config;

static int setup(void **state)
{
	struct devices *d = devices_open();

	config = (struct pcp_config){ .gateway = d->f.g,
				      .carrier = &d->carrier,
				      .peer = true,
				      .port_set_max = 8,
				      .lifetime_min = 120 };
	assert_int_equal(pcp_new(&config, &pcp), 0);
	*state = d;
	return 0;
}

static int teardown(void **state)
{
	pcp_free(pcp);
	devices_close(*state);
	return 0;
}

static void reconfigure(bool third_party, bool peer)
{
	config.third_party = third_party;
	config.peer = peer;
	pcp_configure(pcp, &config);
}

/*
 * Asking.
 */
static void set_nonce(struct pcp_request *r, char nonce)
{
	memset(r->mapping.nonce, nonce, sizeof(r->mapping.nonce));
}

/* tcp, for an hour, to whatever external port. */
static struct pcp_request map_of(const char *client, uint16_t internal)
{
	struct pcp_request r = {
		.opcode = PCP_MAP,
		.lifetime = 3600,
		.client = address(client),
		.mapping = { .protocol = TCP, .internal_port = internal },
	};

	if (!strchr(client, ':'))
		r.mapping.external_addr = address("0.0.0.0");
	set_nonce(&r, 'n');
	return r;
}

static struct pcp_request peer_of(const char *client, uint16_t internal, const char *remote,
				  uint16_t port)
{
	struct pcp_request r = map_of(client, internal);

	r.opcode = PCP_PEER;
	r.mapping.remote_addr = address(remote);
	r.mapping.remote_port = port;
	return r;
}

static void add_filter(struct pcp_request *r, const char *remote, uint8_t length, uint16_t port)
{
	r->options.filters[r->options.n_filters++] = (struct pcp_filter){
		.remote_addr = address(remote), .prefix_length = length, .remote_port = port
	};
}

static struct pcp_response ask(struct devices *d, const char *client, struct pcp_request request)
{
	uint8_t buf[PCP_MESSAGE_MAX];
	ssize_t len = format_pcp_request(&request, buf, sizeof(buf));
	const struct datagram *answer;
	struct pcp_response r;

	assert_true(len > 0);
	pcp_serve(pcp, receive(d, client, buf, (size_t)len));
	answer = answer_to(d, client);
	assert_int_equal(parse_pcp_response(answer->bytes, answer->len, &r), 0);
	assert_int_equal(r.opcode, request.opcode);
	assert_int_equal(r.epoch_time, gateway_epoch(d->f.g));
	assert_memory_equal(r.mapping.nonce, request.mapping.nonce, PCP_NONCE);
	assert_int_equal(r.mapping.protocol, request.mapping.protocol);
	assert_int_equal(r.mapping.internal_port, request.mapping.internal_port);
	assert_int_equal(r.mapping.remote_port, request.mapping.remote_port);
	assert_settled(&d->f);
	return r;
}

static void assert_mapped(struct pcp_response r, uint16_t external, uint32_t lifetime)
{
	struct addr ours = address(OURS);

	assert_int_equal(r.result, PCP_SUCCESS);
	assert_int_equal(r.mapping.external_port, external);
	assert_int_equal(r.lifetime, lifetime);
	assert_true(addr_eq(&r.mapping.external_addr, &ours));
}

static void assert_refused(struct pcp_response r, enum pcp_result result)
{
	assert_int_equal(r.result, result);
	assert_int_equal(r.lifetime, pcp_error_lifetime(result));
}

static void assert_remotes(const struct mapping *m, const char *texts)
{
	char text[256] = "", prefix[PREFIX_TEXT_MAX];

	for (uint32_t i = 0; i < m->spec.n_remote_hosts; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
			 format_prefix(&m->spec.remote_hosts[i], prefix));
	assert_string_equal(text, texts);
}

/*
 * MAP.
 */
static void test_map(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);
	const struct mapping *m;

	r.mapping.external_port = 8080;
	assert_mapped(ask(d, CAMERA, r), 8080, 3600);
	m = only_mapping(d);
	assert_int_equal(m->spec.protocols, PROTOCOL_TCP);
	assert_int_equal(m->spec.origin, ORIGIN_PCP);
	assert_string_equal(m->spec.owner, CAMERA);
	assert_memory_equal(m->spec.nonce, r.mapping.nonce, PCP_NONCE);
	assert_int_equal(m->spec.peer_port, 0);
	/* the same request again */
	assert_mapped(ask(d, CAMERA, r), 8080, 3600);
	only_mapping(d);
	/* never the other protocol along */
	r.mapping.protocol = UDP;
	assert_mapped(ask(d, CAMERA, r), 8080, 3600);
	assert_int_equal(count_mappings(d), 2);
}

static void test_renew(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);

	r.mapping.external_port = 8080;
	ask(d, CAMERA, r);
	pass_seconds(1800);
	r.mapping.external_port = 9090; /* whatever is suggested */
	assert_mapped(ask(d, CAMERA, r), 8080, 3600);
	r.lifetime = 200; /* MAP may shorten */
	assert_mapped(ask(d, CAMERA, r), 8080, 200);
	only_mapping(d);
}

static void test_lifetimes(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);

	r.lifetime = 1;
	assert_int_equal(ask(d, CAMERA, r).lifetime, 120);
	r.lifetime = UINT32_MAX;
	assert_int_equal(ask(d, CAMERA, r).lifetime, 86400);
}

static void test_suggested_port_taken(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);
	struct pcp_response other;

	r.mapping.external_port = 8080;
	ask(d, CAMERA, r);
	r.client = address(NVR);
	other = ask(d, NVR, r);
	assert_int_equal(other.result, PCP_SUCCESS);
	assert_int_not_equal(other.mapping.external_port, 8080);
	r.options.prefer_failure = true;
	r.mapping.internal_port = 81;
	assert_refused(ask(d, NVR, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	assert_int_equal(count_mappings(d), 2);
}

/* RFC 6886, 3.3: not even to whoever insists. */
static void test_companion_of_natpmp(void **state)
{
	struct devices *d = *state;
	const struct caller natpmp = { .owner = NVR,
				       .origin = ORIGIN_NATPMP,
				       .addr = address(NVR) };
	struct gateway_operation o = op_add(8080, 80);
	struct pcp_request r = map_of(CAMERA, 80);
	struct outcome told = { .f = &d->f };

	o.spec.internal_client = natpmp.addr;
	gateway_submit(d->f.g, &natpmp, &o, 1, note_done, &told);
	r.mapping.protocol = UDP;
	r.mapping.external_port = 8080;
	r.options.prefer_failure = true;
	assert_refused(ask(d, CAMERA, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	r.client = address(NVR);
	assert_mapped(ask(d, NVR, r), 8080, 3600);
	/* the operator may */
	r.lifetime = 0;
	r.options.prefer_failure = false;
	ask(d, NVR, r);
	o = op_add(8080, 80);
	o.spec.protocols = PROTOCOL_UDP;
	run_ok(&d->f, o);
}

/* A hint never does harm, and insisting on it is refused. */
static void test_suggestions_that_cannot_be(void **state)
{
	struct devices *d = *state;
	static const struct {
		uint8_t protocol;
		uint16_t port;
		const char *address;
	} wishes[] = {
		{ TCP, 80, "0.0.0.0" },	       /* kept by the policy */
		{ UDP, 5000, "0.0.0.0" },      /* a service of the gateway's own */
		{ UDP, 5350, "0.0.0.0" },      /* 11.3 */
		{ UDP, 5351, "0.0.0.0" },      /* 11.3 */
		{ TCP, 8080, "127.0.0.1" },    /* invalid */
		{ TCP, 8080, "224.0.0.1" },    /* likewise */
		{ TCP, 8080, "203.0.113.99" }, /* not the gateway's */
	};

	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++) {
		struct pcp_request r = map_of(CAMERA, (uint16_t)(7000 + i));
		struct pcp_response answer;

		r.mapping.protocol = wishes[i].protocol;
		r.mapping.external_port = wishes[i].port;
		r.mapping.external_addr = address(wishes[i].address);
		r.options.prefer_failure = true;
		assert_refused(ask(d, CAMERA, r), PCP_CANNOT_PROVIDE_EXTERNAL);
		r.options.prefer_failure = false;
		answer = ask(d, CAMERA, r);
		assert_mapped(answer, answer.mapping.external_port, 3600);
		assert_true(answer.mapping.external_port >= 1024);
		if (wishes[i].protocol == UDP)
			assert_int_not_equal(answer.mapping.external_port, wishes[i].port);
		r.lifetime = 0;
		ask(d, CAMERA, r);
	}
	assert_int_equal(count_mappings(d), 0);
}

static void test_protocols_and_wildcards(void **state)
{
	struct devices *d = *state;
	static const struct {
		uint8_t protocol;
		uint16_t port;
	} wildcards[] = { { 0, 0 }, { TCP, 0 }, { UDP, 0 }, { 132, 80 }, { 1, 0 }, { 255, 9 } };

	for (size_t i = 0; i < sizeof(wildcards) / sizeof(wildcards[0]); i++) {
		struct pcp_request r = map_of(CAMERA, wildcards[i].port);

		r.mapping.protocol = wildcards[i].protocol;
		assert_refused(ask(d, CAMERA, r), PCP_UNSUPP_PROTOCOL);
		r.lifetime = 0; /* there is none */
		assert_int_equal(ask(d, CAMERA, r).result, PCP_SUCCESS);
	}
	assert_int_equal(count_mappings(d), 0);
}

static void test_another_nonce(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);
	struct pcp_response answer;

	ask(d, CAMERA, r);
	pass_seconds(600);
	set_nonce(&r, 'x');
	for (unsigned i = 0; i < 3; i++) {
		r.lifetime = i == 1 ? 0 : 3600;
		r.opcode = i == 2 ? PCP_PEER : PCP_MAP;
		r.mapping.remote_port = i == 2 ? 80 : 0;
		r.mapping.remote_addr = address(PEER);
		answer = ask(d, CAMERA, r);
		assert_int_equal(answer.result, PCP_NOT_AUTHORIZED);
		assert_int_equal(answer.lifetime, 3000);
	}
	assert_int_equal(only_mapping(d)->version, 1);
}

static void test_a_nonce_of_zeros_is_one(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);

	set_nonce(&r, 0);
	assert_int_equal(ask(d, CAMERA, r).result, PCP_SUCCESS);
	assert_int_equal(ask(d, CAMERA, r).result, PCP_SUCCESS);
	set_nonce(&r, 'n');
	assert_int_equal(ask(d, CAMERA, r).result, PCP_NOT_AUTHORIZED);
}

static void test_static_mappings(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);

	run_ok(&d->f, op_add(8888, 80));
	r.mapping.external_port = 8080;
	assert_mapped(ask(d, CAMERA, r), 8888, UINT32_MAX);
	r.options.prefer_failure = true;
	assert_refused(ask(d, CAMERA, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	r.mapping.external_port = 8888;
	assert_mapped(ask(d, CAMERA, r), 8888, UINT32_MAX);
	r.options.prefer_failure = false;
	add_filter(&r, PEER, 128, 0);
	assert_refused(ask(d, CAMERA, r), PCP_EXCESSIVE_REMOTE_PEERS);
	r.options.n_filters = 0;
	r.lifetime = 0;
	assert_refused(ask(d, CAMERA, r), PCP_NOT_AUTHORIZED);
	assert_int_equal(only_mapping(d)->version, 1);
}

static void test_what_natpmp_made(void **state)
{
	struct devices *d = *state;
	const struct caller natpmp = { .owner = CAMERA,
				       .origin = ORIGIN_NATPMP,
				       .addr = address(CAMERA) };
	struct gateway_operation o = op_add(8888, 80);
	struct pcp_request r = map_of(CAMERA, 80);
	struct outcome told = { .f = &d->f };

	o.spec.expires = clock_now() + 600000;
	gateway_submit(d->f.g, &natpmp, &o, 1, note_done, &told);
	r.lifetime = 120;
	assert_mapped(ask(d, CAMERA, r), 8888, 600);
	r.lifetime = 900;
	assert_mapped(ask(d, CAMERA, r), 8888, 900);
	r.lifetime = 0;
	assert_refused(ask(d, CAMERA, r), PCP_NOT_AUTHORIZED);
	assert_int_equal(only_mapping(d)->spec.origin, ORIGIN_NATPMP);
}

static void test_delete(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);
	struct pcp_response answer;

	ask(d, CAMERA, r);
	r.lifetime = 0;
	r.mapping.external_port = 4711; /* ignored, and copied */
	r.mapping.external_addr = address("192.0.2.1");
	for (unsigned i = 0; i < 2; i++) {
		answer = ask(d, CAMERA, r);
		assert_int_equal(answer.result, PCP_SUCCESS);
		assert_int_equal(answer.lifetime, 0);
		assert_int_equal(answer.mapping.external_port, 4711);
		assert_true(addr_eq(&answer.mapping.external_addr, &r.mapping.external_addr));
		assert_int_equal(count_mappings(d), 0);
	}
}

static void test_prefer_failure(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);
	struct pcp_response answer;

	r.mapping.external_port = 8080;
	r.mapping.external_addr = address(OURS);
	r.options.prefer_failure = true;
	answer = ask(d, CAMERA, r);
	assert_mapped(answer, 8080, 3600);
	assert_true(answer.options.prefer_failure);
	assert_mapped(ask(d, CAMERA, r), 8080, 3600);
	r.mapping.external_port = 8081;
	assert_refused(ask(d, CAMERA, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	r.mapping.external_port = 8080;
	r.mapping.external_addr = address("203.0.113.8");
	assert_refused(ask(d, CAMERA, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	assert_int_equal(only_mapping(d)->version, 1);
}

static void test_no_external_address(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);

	ask(d, CAMERA, r);
	move_to(d, NULL);
	assert_refused(ask(d, CAMERA, r), PCP_NETWORK_FAILURE);
	assert_refused(ask(d, CAMERA, peer_of(CAMERA, 81, PEER, 80)), PCP_NETWORK_FAILURE);
	r.lifetime = 0;
	assert_int_equal(ask(d, CAMERA, r).result, PCP_SUCCESS);
	assert_int_equal(count_mappings(d), 0);
}

static void test_policy(void **state)
{
	struct devices *d = *state;

	assert_refused(ask(d, CAMERA, map_of(CAMERA, 22)), PCP_NOT_AUTHORIZED);
	for (uint16_t port = 80; port < 88; port++)
		assert_int_equal(ask(d, CAMERA, map_of(CAMERA, port)).result, 0);
	assert_refused(ask(d, CAMERA, map_of(CAMERA, 88)), PCP_USER_EX_QUOTA);
	assert_int_equal(ask(d, CAMERA, map_of(CAMERA, 87)).result, PCP_SUCCESS);
}

static void test_nothing_is_promised_that_is_not_durable(void **state)
{
	struct devices *d = *state;

	memory_store_tricks(d->f.store)->fail_write = 1;
	assert_refused(ask(d, CAMERA, map_of(CAMERA, 80)), PCP_NO_RESOURCES);
	assert_int_equal(count_mappings(d), 0);
}

/*
 * IPv6.
 */
static void test_pinhole(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(LAPTOP, 8443);
	struct pcp_response answer;

	r.mapping.external_port = 9; /* a pinhole has but one */
	answer = ask(d, LAPTOP, r);
	assert_int_equal(answer.result, PCP_SUCCESS);
	assert_int_equal(answer.mapping.external_port, 8443);
	assert_true(addr_eq(&answer.mapping.external_addr, &r.client));
	assert_true(mapping_is_pinhole(&only_mapping(d)->spec));
	r.options.prefer_failure = true;
	assert_refused(ask(d, LAPTOP, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	r.mapping.internal_port = 8444;
	assert_refused(ask(d, LAPTOP, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	r.mapping.external_port = 8444;
	r.mapping.external_addr = r.client;
	assert_int_equal(ask(d, LAPTOP, r).result, PCP_SUCCESS);
	/* needs no IPv4 address */
	move_to(d, NULL);
	assert_int_equal(ask(d, LAPTOP, r).result, PCP_SUCCESS);
	r.lifetime = 0;
	r.options.prefer_failure = false;
	assert_int_equal(ask(d, LAPTOP, r).result, PCP_SUCCESS);
	only_mapping(d);
}

static void test_a_link_local_client_has_nothing_to_open(void **state)
{
	struct devices *d = *state;

	assert_refused(ask(d, "fe80::1234", map_of("fe80::1234", 80)), PCP_NOT_AUTHORIZED);
	assert_int_equal(count_mappings(d), 0);
}

/*
 * FILTER.
 */
static void test_filters(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 8080);
	struct pcp_response answer;

	add_filter(&r, PEER, 128, 0);
	add_filter(&r, "192.0.2.77", 96 + 24, 0);
	answer = ask(d, CAMERA, r);
	assert_mapped(answer, 8080, 3600);
	assert_int_equal(answer.options.n_filters, 2);
	assert_remotes(only_mapping(d), "192.0.2.0/24 198.51.100.10/32");

	/* more are added, and none in a request changes nothing */
	r.options.n_filters = 0;
	add_filter(&r, "203.0.113.200", 128, 0);
	ask(d, CAMERA, r);
	assert_remotes(only_mapping(d), "192.0.2.0/24 198.51.100.10/32 203.0.113.200/32");
	r.options.n_filters = 0;
	ask(d, CAMERA, r);
	assert_remotes(only_mapping(d), "192.0.2.0/24 198.51.100.10/32 203.0.113.200/32");

	/* one of length 0 takes away those before it */
	add_filter(&r, "0.0.0.0", 0, 0);
	add_filter(&r, PEER, 128, 0);
	ask(d, CAMERA, r);
	assert_remotes(only_mapping(d), "198.51.100.10/32");
	r.options.n_filters = 1;
	ask(d, CAMERA, r);
	assert_remotes(only_mapping(d), "");
	r.options.n_filters = 0;
	add_filter(&r, "0.0.0.0", 96, 0);
	ask(d, CAMERA, r);
	assert_remotes(only_mapping(d), "0.0.0.0/0");
}

static void test_filters_that_cannot_be(void **state)
{
	struct devices *d = *state;
	static const struct {
		const char *remote;
		uint8_t length;
		uint16_t port;
		enum pcp_result result;
	} filters[] = {
		{ PEER, 95, 0, PCP_MALFORMED_OPTION },
		{ "2001:db8::5", 129, 0, PCP_MALFORMED_OPTION },
		{ "2001:db8::5", 128, 0, PCP_MALFORMED_OPTION }, /* another family */
		{ "224.0.0.1", 128, 0, PCP_MALFORMED_OPTION },
		{ PEER, 128, 443, PCP_EXCESSIVE_REMOTE_PEERS },
	};
	struct pcp_request r = map_of(CAMERA, 8080);

	ask(d, CAMERA, r);
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		r.options.n_filters = 0;
		add_filter(&r, PEER, 128, 0);
		add_filter(&r, filters[i].remote, filters[i].length, filters[i].port);
		assert_refused(ask(d, CAMERA, r), filters[i].result);
	}
	r.options.n_filters = 1;
	r.lifetime = 0;
	assert_refused(ask(d, CAMERA, r), PCP_MALFORMED_OPTION);
	assert_int_equal(only_mapping(d)->version, 1);
}

static void test_too_many_filters(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 8080);
	char remote[ADDR_TEXT_MAX];

	for (unsigned i = 0; i < MAPPING_REMOTES_MAX + 1; i++) {
		snprintf(remote, sizeof(remote), "198.51.100.%u", 2 * i);
		r.options.n_filters = 0;
		add_filter(&r, remote, 128, 0);
		if (i < MAPPING_REMOTES_MAX)
			assert_int_equal(ask(d, CAMERA, r).result, PCP_SUCCESS);
		else
			assert_refused(ask(d, CAMERA, r), PCP_EXCESSIVE_REMOTE_PEERS);
	}
	assert_int_equal(only_mapping(d)->spec.n_remote_hosts, MAPPING_REMOTES_MAX);
}

/*
 * THIRD_PARTY.
 */
static void test_third_party(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);
	struct addr nvr = address(NVR);
	struct pcp_response answer;

	r.options.has_third_party = true;
	r.options.third_party = nvr;
	assert_refused(ask(d, CAMERA, r), PCP_UNSUPP_OPTION);
	reconfigure(true, true);
	assert_refused(ask(d, CAMERA, r), PCP_UNSUPP_OPTION); /* own-address-only */
	d->policy.own_address_only = false;
	answer = ask(d, CAMERA, r);
	assert_int_equal(answer.result, PCP_SUCCESS);
	assert_true(answer.options.has_third_party);
	assert_true(addr_eq(&answer.options.third_party, &nvr));
	assert_true(addr_eq(&only_mapping(d)->spec.internal_client, &nvr));
	assert_string_equal(only_mapping(d)->spec.owner, CAMERA);

	r.options.third_party = address("192.168.69.1"); /* the gateway itself */
	assert_refused(ask(d, CAMERA, r), PCP_NOT_AUTHORIZED);
	r.options.third_party = address(CAMERA);
	assert_refused(ask(d, CAMERA, r), PCP_MALFORMED_REQUEST);
	r.options.third_party = nvr;
	r.lifetime = 0;
	assert_int_equal(ask(d, CAMERA, r).result, PCP_SUCCESS);
	assert_int_equal(count_mappings(d), 0);
}

/*
 * PORT_SET.
 */
static struct pcp_request set_of(uint16_t internal, uint16_t size)
{
	struct pcp_request r = map_of(CAMERA, internal);

	r.mapping.protocol = UDP;
	r.options.port_set_size = size;
	r.options.first_internal_port = internal;
	return r;
}

static void test_port_set(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = set_of(6000, 4);
	struct pcp_response answer;

	r.mapping.external_port = 7000;
	for (unsigned i = 0; i < 2; i++) {
		answer = ask(d, CAMERA, r);
		assert_mapped(answer, 7000, 3600);
		assert_int_equal(answer.options.port_set_size, 4);
		assert_int_equal(answer.options.first_internal_port, 6000);
	}
	assert_int_equal(only_mapping(d)->spec.internal.last, 6003);
	assert_int_equal(only_mapping(d)->spec.external.last, 7003);

	/* one port of it, asked for by itself, is the set's */
	r = map_of(CAMERA, 6002);
	r.mapping.protocol = UDP;
	answer = ask(d, CAMERA, r);
	assert_mapped(answer, 7002, 3600);
	assert_int_equal(answer.options.port_set_size, 0);

	r = set_of(6000, 4);
	r.lifetime = 0;
	assert_int_equal(ask(d, CAMERA, r).result, PCP_SUCCESS);
	assert_int_equal(count_mappings(d), 0);
}

static void test_port_set_as_wide_as_can_be(void **state)
{
	struct devices *d = *state;
	struct pcp_response answer;

	/* no wider than what a device may have */
	answer = ask(d, CAMERA, set_of(6000, UINT16_MAX));
	assert_int_equal(answer.result, PCP_SUCCESS);
	assert_int_equal(answer.options.port_set_size, 8);

	/* no further than 65535 */
	answer = ask(d, CAMERA, set_of(65533, 8));
	assert_int_equal(answer.options.port_set_size, 3);
}

static void test_port_set_beside_others(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 6002);
	struct pcp_response answer;

	r.mapping.protocol = UDP;
	ask(d, CAMERA, r);
	/* up to what is mapped already */
	answer = ask(d, CAMERA, set_of(6000, 8));
	assert_int_equal(answer.options.port_set_size, 2);
	assert_int_equal(answer.mapping.internal_port, 6000);
	/* nothing is left of it but that one: a single port is no set */
	answer = ask(d, CAMERA, set_of(6002, 8));
	assert_int_equal(answer.result, PCP_SUCCESS);
	assert_int_equal(answer.options.port_set_size, 0);
	/* a range that touches a port which devices may not map */
	answer = ask(d, CAMERA, set_of(5898, 4));
	assert_int_equal(answer.options.port_set_size, 2);
	assert_int_equal(count_mappings(d), 3);
}

static void test_port_set_of_an_ipv6_client(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(LAPTOP, 6000);
	struct pcp_response answer;

	r.options.port_set_size = 4;
	r.options.first_internal_port = 6000;
	r.options.parity = true;
	answer = ask(d, LAPTOP, r);
	assert_int_equal(answer.result, PCP_SUCCESS);
	assert_int_equal(answer.mapping.external_port, 6000);
	assert_int_equal(answer.options.port_set_size, 4);
	assert_true(answer.options.parity);
}

static void test_port_set_and_prefer_failure(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = set_of(6000, 4);

	r.mapping.external_port = 7000;
	r.options.prefer_failure = true;
	assert_refused(ask(d, CAMERA, r), PCP_MALFORMED_OPTION);
}

/*
 * PEER.
 */
static void test_peer(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = peer_of(CAMERA, 5060, PEER, 5061);
	const struct mapping *m;

	assert_mapped(ask(d, CAMERA, r), 5060, 3600);
	m = only_mapping(d);
	assert_remotes(m, PEER "/32");
	assert_int_equal(m->spec.peer_port, 5061);

	/* it can prolong, and neither shorten nor delete */
	pass_seconds(600);
	r.lifetime = 120;
	assert_mapped(ask(d, CAMERA, r), 5060, 3000);
	r.lifetime = 0;
	assert_mapped(ask(d, CAMERA, r), 5060, 3000);
	r.lifetime = 7200;
	assert_mapped(ask(d, CAMERA, r), 5060, 7200);
	only_mapping(d);

	/* MAP cannot either */
	r = map_of(CAMERA, 5060);
	r.lifetime = 0;
	assert_refused(ask(d, CAMERA, r), PCP_NOT_AUTHORIZED);
	only_mapping(d);
}

static void test_peers_of_one_endpoint_share_a_port(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = peer_of(CAMERA, 5060, PEER, 5061);

	r.mapping.external_port = 7070;
	assert_mapped(ask(d, CAMERA, r), 7070, 3600);
	assert_mapped(ask(d, CAMERA, peer_of(CAMERA, 5060, "192.0.2.66", 80)), 7070, 3600);
	assert_int_equal(count_mappings(d), 2);
	r = peer_of(CAMERA, 5060, "192.0.2.67", 80);
	r.mapping.external_port = 7071;
	assert_refused(ask(d, CAMERA, r), PCP_CANNOT_PROVIDE_EXTERNAL);
}

static void test_peer_insists(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(NVR, 80);

	r.mapping.external_port = 8080;
	ask(d, NVR, r);
	r = peer_of(CAMERA, 5060, PEER, 5061);
	r.mapping.external_port = 8080;
	assert_refused(ask(d, CAMERA, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	r.mapping.external_port = 80;
	assert_refused(ask(d, CAMERA, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	r.mapping.external_port = 0;
	r.mapping.external_addr = address("203.0.113.8");
	assert_refused(ask(d, CAMERA, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	assert_int_equal(count_mappings(d), 1);
}

static void test_peers_that_cannot_be(void **state)
{
	struct devices *d = *state;
	static const char *const remotes[] = { "127.0.0.1", "224.0.0.1",       "0.0.0.0",
					       "240.0.0.1", "255.255.255.255", "2001:db8::1",
					       OURS,	    "192.168.69.1" };
	struct pcp_request r;

	for (size_t i = 0; i < sizeof(remotes) / sizeof(remotes[0]); i++)
		assert_refused(ask(d, CAMERA, peer_of(CAMERA, 5060, remotes[i], 80)),
			       PCP_MALFORMED_REQUEST);
	r = peer_of(CAMERA, 5060, PEER, 80);
	r.mapping.protocol = 132;
	assert_refused(ask(d, CAMERA, r), PCP_UNSUPP_PROTOCOL);
	assert_refused(ask(d, CAMERA, peer_of(CAMERA, 5060, PEER, 0)), PCP_MALFORMED_REQUEST);
	assert_int_equal(count_mappings(d), 0);
}

static void test_peer_without_a_mapping_and_lifetime(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = peer_of(CAMERA, 5060, PEER, 80);

	r.lifetime = 0;
	assert_int_equal(ask(d, CAMERA, r).result, PCP_SUCCESS);
	assert_int_equal(count_mappings(d), 0);
}

static void test_peer_of_an_endpoint_that_is_mapped(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 5060);

	r.mapping.external_port = 7070;
	ask(d, CAMERA, r);
	r = peer_of(CAMERA, 5060, PEER, 80);
	r.lifetime = 7200;
	assert_mapped(ask(d, CAMERA, r), 7070, 3600);
	assert_int_equal(only_mapping(d)->version, 1);

	run_ok(&d->f, op_add(8888, 80));
	assert_mapped(ask(d, CAMERA, peer_of(CAMERA, 80, PEER, 80)), 8888, UINT32_MAX);
	assert_int_equal(count_mappings(d), 2);
}

static void test_map_of_an_endpoint_with_peers(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = peer_of(CAMERA, 5060, PEER, 5061);

	r.mapping.external_port = 7070;
	r.lifetime = 7200;
	ask(d, CAMERA, r);
	ask(d, CAMERA, peer_of(CAMERA, 5060, "192.0.2.66", 80));
	r = map_of(CAMERA, 5060);
	r.mapping.external_port = 9090;
	r.options.prefer_failure = true;
	assert_refused(ask(d, CAMERA, r), PCP_CANNOT_PROVIDE_EXTERNAL);
	r.options.prefer_failure = false;
	assert_mapped(ask(d, CAMERA, r), 7070, 7200); /* no sooner than PEER was promised */
	assert_remotes(only_mapping(d), "");
	assert_int_equal(only_mapping(d)->spec.peer_port, 0);
	r.lifetime = 0;
	assert_int_equal(ask(d, CAMERA, r).result, PCP_SUCCESS);
	assert_int_equal(count_mappings(d), 0);
}

static void test_peer_switched_off(void **state)
{
	struct devices *d = *state;

	reconfigure(false, false);
	assert_refused(ask(d, CAMERA, peer_of(CAMERA, 5060, PEER, 80)), PCP_NOT_AUTHORIZED);
	assert_int_equal(count_mappings(d), 0);
}

static void test_peer_of_an_ipv6_client(void **state)
{
	struct devices *d = *state;
	struct pcp_response r = ask(d, LAPTOP, peer_of(LAPTOP, 5060, "2001:db8:bad::66", 80));

	assert_int_equal(r.result, PCP_SUCCESS);
	assert_int_equal(r.mapping.external_port, 5060);
	assert_remotes(only_mapping(d), "2001:db8:bad::66/128");
}

/*
 * ANNOUNCE, and what is wrong from the start.
 */
static void test_announce(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = { .opcode = PCP_ANNOUNCE, .client = address(CAMERA) };
	struct pcp_response answer;
	uint8_t buf[64];

	pass_seconds(42);
	answer = ask(d, CAMERA, r);
	assert_int_equal(answer.result, PCP_SUCCESS);
	assert_int_equal(answer.lifetime, 0);
	assert_int_equal(answer.epoch_time, 42);
	move_to(d, "203.0.113.8");
	assert_int_equal(pcp_announcement(d->f.g, buf, sizeof(buf)), 24);
	assert_int_equal(parse_pcp_response(buf, 24, &answer), 0);
	assert_int_equal(answer.result, PCP_SUCCESS);
	assert_int_equal(answer.epoch_time, 0);
}

static void test_errors_copy_the_request(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 22);
	uint8_t buf[PCP_MESSAGE_MAX];
	ssize_t len;

	add_filter(&r, PEER, 128, 0);
	len = format_pcp_request(&r, buf, sizeof(buf));
	pcp_serve(pcp, receive(d, CAMERA, buf, (size_t)len));
	answer_to(d, CAMERA);
	assert_int_equal(d->sent[0].len, len);
	assert_int_equal(d->sent[0].bytes[3], PCP_NOT_AUTHORIZED);
	assert_memory_equal(d->sent[0].bytes + 24, buf + 24, (size_t)len - 24);
}

static void test_wrong_client_address(void **state)
{
	struct devices *d = *state;

	assert_refused(ask(d, NVR, map_of(CAMERA, 80)), PCP_ADDRESS_MISMATCH);
	assert_int_equal(count_mappings(d), 0);
}

static void test_other_versions(void **state)
{
	struct devices *d = *state;
	static const uint8_t versions[] = { 1, 3, 255 };
	uint8_t request[24] = { 0 };
	struct pcp_response r;

	for (size_t i = 0; i < sizeof(versions); i++) {
		request[0] = versions[i];
		pcp_serve(pcp, receive(d, CAMERA, request, sizeof(request)));
		answer_to(d, CAMERA);
		assert_int_equal(d->sent[0].bytes[0], PCP_VERSION);
		assert_int_equal(parse_pcp_response(d->sent[0].bytes, d->sent[0].len, &r), 0);
		assert_int_equal(r.result, PCP_UNSUPP_VERSION);
	}
}

static void assert_no_change(struct devices *d, const uint8_t *bytes, size_t len)
{
	uint8_t result;

	pcp_serve(pcp, receive(d, CAMERA, bytes, len));
	gateway_turn(d->f.g);
	assert_int_equal(d->under_way, 0);
	assert_true(d->n_sent <= 1);
	assert_int_equal(count_mappings(d), 0);
	if (!d->n_sent)
		return;
	result = d->sent[0].bytes[3];
	assert_true(result == PCP_MALFORMED_REQUEST || result == PCP_MALFORMED_OPTION ||
		    result == PCP_UNSUPP_VERSION);
	assert_true(d->sent[0].bytes[1] & 0x80);
	assert_int_equal(d->sent[0].len % 4, 0);
	assert_true(d->sent[0].len <= PCP_MESSAGE_MAX);
}

/* All but those that are whole requests themselves: the options were cut off at a border. */
static void test_every_prefix(void **state)
{
	struct devices *d = *state;
	struct pcp_request requests[] = { map_of(CAMERA, 80), peer_of(CAMERA, 5060, PEER, 80) };
	uint8_t buf[EXCHANGE_BYTES_MAX] = { 0 };

	add_filter(&requests[0], PEER, 128, 0);
	for (size_t i = 0; i < 2; i++) {
		ssize_t whole = format_pcp_request(&requests[i], buf, sizeof(buf));

		for (size_t len = 0; len < (size_t)whole; len++)
			if (!(i == 0 && len == 60))
				assert_no_change(d, buf, len);
	}
	memset(buf + 80, 0, sizeof(buf) - 80);
	assert_no_change(d, buf, EXCHANGE_BYTES_MAX);
}

/*
 * Mapping updates.
 */
static void send_updates(struct devices *d)
{
	d->n_sent = 0;
	if (pcp_next_update(pcp) && pcp_next_update(pcp) <= clock_now())
		pcp_send_updates(pcp);
}

static struct pcp_response update(struct devices *d)
{
	struct addr camera = address(CAMERA);
	struct pcp_response r;

	send_updates(d);
	assert_int_equal(d->n_sent, 1);
	assert_true(addr_eq(&d->sent[0].path.client, &camera));
	assert_int_equal(d->sent[0].path.port, 40000);
	assert_int_equal(parse_pcp_response(d->sent[0].bytes, d->sent[0].len, &r), 0);
	assert_int_equal(r.epoch_time, gateway_epoch(d->f.g));
	assert_int_equal(r.mapping.nonce[0], 'n');
	return r;
}

static void pass_ms(clock_ms ms)
{
	clock_freeze(clock_now() + ms, clock_wall());
}

/* Three times, 250 and 500 ms apart. */
static void test_updates_are_repeated(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 8080);

	ask(d, CAMERA, r);
	assert_int_equal(pcp_next_update(pcp), 0);
	run_ok(&d->f, op_delete(1));
	assert_int_equal(update(d).result, PCP_NOT_AUTHORIZED);
	pass_ms(249);
	send_updates(d);
	assert_int_equal(d->n_sent, 0);
	pass_ms(1);
	assert_int_equal(update(d).result, PCP_NOT_AUTHORIZED);
	pass_ms(500);
	assert_int_equal(update(d).mapping.internal_port, 8080);
	assert_int_equal(pcp_next_update(pcp), 0);
}

static void test_updates_cease_when_the_device_asks(void **state)
{
	struct devices *d = *state;
	struct gateway_operation o;

	ask(d, CAMERA, map_of(CAMERA, 8080));
	o = op_change(&d->f, 1);
	o.spec.external = (struct port_range){ 9090, 9090 };
	run_ok(&d->f, o);
	assert_mapped(update(d), 9090, 3600);
	assert_mapped(ask(d, CAMERA, map_of(CAMERA, 8080)), 9090, 3600);
	assert_int_equal(pcp_next_update(pcp), 0);
	/* what it does itself is no news to it */
	assert_mapped(ask(d, CAMERA, map_of(CAMERA, 8080)), 9090, 3600);
	assert_int_equal(pcp_next_update(pcp), 0);
	/* nor what it was never told */
	o = op_change(&d->f, 1);
	o.spec.notes = "the camera at the door";
	run_ok(&d->f, o);
	assert_int_equal(pcp_next_update(pcp), 0);
}

static void test_update_of_another_address(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 8080);
	struct addr moved = address("203.0.113.8");
	struct pcp_response told;

	add_filter(&r, PEER, 128, 0);
	ask(d, CAMERA, r);
	ask(d, LAPTOP, map_of(LAPTOP, 80)); /* a pinhole does not move */
	move_to(d, "203.0.113.8");
	told = update(d);
	assert_int_equal(told.result, PCP_SUCCESS);
	assert_int_equal(told.mapping.external_port, 8080);
	assert_true(addr_eq(&told.mapping.external_addr, &moved));
	assert_int_equal(told.options.n_filters, 1);
	assert_int_equal(told.options.filters[0].prefix_length, 128);
	move_to(d, NULL);
	move_to(d, "203.0.113.8");
	pass_seconds(1);
	send_updates(d);
	assert_int_equal(d->n_sent, 1); /* of those that are under way */
}

static void test_update_of_what_insists(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 8080);

	r.mapping.external_port = 8080;
	r.mapping.external_addr = address(OURS);
	r.options.prefer_failure = true;
	ask(d, CAMERA, r);
	move_to(d, "203.0.113.8");
	assert_int_equal(update(d).result, PCP_CANNOT_PROVIDE_EXTERNAL);
}

static void test_update_of_an_end(void **state)
{
	struct devices *d = *state;
	struct pcp_response told;

	ask(d, CAMERA, map_of(CAMERA, 8080));
	pass_seconds(3601);
	gateway_expire(d->f.g);
	gateway_turn(d->f.g);
	told = update(d);
	assert_int_equal(told.result, PCP_SUCCESS);
	assert_int_equal(told.lifetime, 0);
}

static void test_update_of_a_peer(void **state)
{
	struct devices *d = *state;
	struct addr peer = address(PEER);
	struct pcp_response told;

	ask(d, CAMERA, peer_of(CAMERA, 5060, PEER, 5061));
	move_to(d, "203.0.113.8");
	told = update(d);
	assert_int_equal(told.opcode, PCP_PEER);
	assert_int_equal(told.mapping.remote_port, 5061);
	assert_true(addr_eq(&told.mapping.remote_addr, &peer));
}

static void test_update_for_a_third_party(void **state)
{
	struct devices *d = *state;
	struct pcp_request r = map_of(CAMERA, 80);
	struct pcp_response told;

	reconfigure(true, true);
	d->policy.own_address_only = false;
	r.options.has_third_party = true;
	r.options.third_party = address(NVR);
	ask(d, CAMERA, r);
	run_ok(&d->f, op_delete(1));
	told = update(d);
	assert_true(told.options.has_third_party);
	assert_true(addr_eq(&told.options.third_party, &r.options.third_party));
}

static void test_quarantine_and_approval(void **state)
{
	struct devices *d = *state;
	struct gateway_operation o;

	d->policy.quarantine = true;
	assert_refused(ask(d, CAMERA, map_of(CAMERA, 8080)), PCP_NOT_AUTHORIZED);
	assert_refused(ask(d, CAMERA, map_of(CAMERA, 8080)), PCP_NOT_AUTHORIZED);
	assert_true(only_mapping(d)->spec.pending);
	o = op_change(&d->f, only_mapping(d)->id);
	o.spec.pending = false;
	o.spec.enabled = true;
	run_ok(&d->f, o);
	assert_mapped(update(d), 8080, 3600);
	assert_mapped(ask(d, CAMERA, map_of(CAMERA, 8080)), 8080, 3600);
	/* and disabled again */
	o = op_change(&d->f, only_mapping(d)->id);
	o.spec.enabled = false;
	run_ok(&d->f, o);
	assert_int_equal(update(d).result, PCP_NOT_AUTHORIZED);
	assert_refused(ask(d, CAMERA, map_of(CAMERA, 8080)), PCP_NOT_AUTHORIZED);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_map),
		TEST(test_renew),
		TEST(test_lifetimes),
		TEST(test_suggested_port_taken),
		TEST(test_companion_of_natpmp),
		TEST(test_suggestions_that_cannot_be),
		TEST(test_protocols_and_wildcards),
		TEST(test_another_nonce),
		TEST(test_a_nonce_of_zeros_is_one),
		TEST(test_static_mappings),
		TEST(test_what_natpmp_made),
		TEST(test_delete),
		TEST(test_prefer_failure),
		TEST(test_no_external_address),
		TEST(test_policy),
		TEST(test_nothing_is_promised_that_is_not_durable),
		TEST(test_pinhole),
		TEST(test_a_link_local_client_has_nothing_to_open),
		TEST(test_filters),
		TEST(test_filters_that_cannot_be),
		TEST(test_too_many_filters),
		TEST(test_third_party),
		TEST(test_port_set),
		TEST(test_port_set_as_wide_as_can_be),
		TEST(test_port_set_beside_others),
		TEST(test_port_set_of_an_ipv6_client),
		TEST(test_port_set_and_prefer_failure),
		TEST(test_peer),
		TEST(test_peers_of_one_endpoint_share_a_port),
		TEST(test_peer_insists),
		TEST(test_peers_that_cannot_be),
		TEST(test_peer_without_a_mapping_and_lifetime),
		TEST(test_peer_of_an_endpoint_that_is_mapped),
		TEST(test_map_of_an_endpoint_with_peers),
		TEST(test_peer_switched_off),
		TEST(test_peer_of_an_ipv6_client),
		TEST(test_announce),
		TEST(test_errors_copy_the_request),
		TEST(test_wrong_client_address),
		TEST(test_other_versions),
		TEST(test_every_prefix),
		TEST(test_updates_are_repeated),
		TEST(test_updates_cease_when_the_device_asks),
		TEST(test_update_of_another_address),
		TEST(test_update_of_what_insists),
		TEST(test_update_of_an_end),
		TEST(test_update_of_a_peer),
		TEST(test_update_for_a_third_party),
		TEST(test_quarantine_and_approval),
	};

	return cmocka_run_group_tests_name("serve_pcp", tests, NULL, NULL);
}
