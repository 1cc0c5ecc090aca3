/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static const uint8_t mac[MAC_LEN] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55 };
static const uint8_t other_mac[MAC_LEN] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x56 };

static struct mapping_table *table;

static int setup(void **state)
{
	return mapping_table_new(&table);
}

static int teardown(void **state)
{
	mapping_table_free(table);
	return 0;
}

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

static struct policy defaults(void)
{
	return (struct policy){
		.min_external_port = 1024,
		.max_mappings_per_client = 64,
		.max_mappings = 10000,
		.max_lifetime = 86400,
		.own_address_only = true,
	};
}

/* client NULL: the MAC above. internal {0, 0}: it names none. */
static void add_rule(struct policy *p, bool allow, const char *client, struct port_range external,
		     struct port_range internal)
{
	struct policy_rule *rule = &p->rules.at[p->rules.n++];

	*rule = (struct policy_rule){
		.allow = allow,
		.by_mac = !client,
		.names_internal = internal.first != 0,
		.external = external,
		.internal = internal,
	};
	if (client)
		assert_int_equal(parse_prefix(slice_of(client), &rule->client), 0);
	else
		memcpy(rule->mac, mac, sizeof(mac));
}

#define ANY		   ((struct port_range){ 1, 65535 })
#define NONE		   ((struct port_range){ 0, 0 })
#define PORTS(first, last) ((struct port_range){ first, last })

/* tcp, external -> itself:internal; external 0 asks for any. */
static struct mapping_spec spec_of(const char *client, uint16_t external, uint16_t internal)
{
	return (struct mapping_spec){
		.internal_client = addr_of(client),
		.external = { external, external },
		.internal = { internal, internal },
		.protocols = PROTOCOL_TCP,
		.origin = ORIGIN_PCP,
		.owner = client,
		.name = "",
	};
}

static enum fault_kind ask(const struct policy *p, const struct mapping_spec *s, const char *client,
			   const uint8_t *from, struct fault *f)
{
	const struct policy_request r = {
		.spec = s,
		.client = addr_of(client),
		.mac = from,
	};
	struct fault unasked;

	f = f ? f : &unasked;
	*f = (struct fault){ 0 };
	if (policy_permit(p, &r, table, f) == 0)
		assert_int_equal(f->kind, FAULT_NONE);
	return f->kind;
}

/* May 192.168.1.x have this for itself? */
static bool permits(const struct policy *p, const char *client, uint16_t external,
		    uint16_t internal)
{
	struct mapping_spec s = spec_of(client, external, internal);

	return ask(p, &s, client, mac, NULL) == FAULT_NONE;
}

static void assert_refused(const struct policy *p, const struct mapping_spec *s, const char *client,
			   enum fault_kind kind, const char *text)
{
	struct fault f;

	assert_int_equal(ask(p, s, client, mac, &f), kind);
	assert_string_equal(f.text, text);
}

static void test_own_address(void **state)
{
	struct policy p = defaults();
	struct mapping_spec s = spec_of("192.168.1.5", 8080, 80);

	assert_true(permits(&p, "192.168.1.5", 8080, 80));
	assert_refused(&p, &s, "192.168.1.6", FAULT_FORBIDDEN,
		       "192.168.1.6 asks for a mapping to 192.168.1.5; a device may map to itself "
		       "only (own-address-only)");
	p.own_address_only = false;
	assert_int_equal(ask(&p, &s, "192.168.1.6", NULL, NULL), FAULT_NONE);
}

static void test_low_ports(void **state)
{
	struct policy p = defaults();
	struct mapping_spec s = spec_of("192.168.1.5", 1023, 80);

	assert_refused(&p, &s, "192.168.1.5", FAULT_FORBIDDEN,
		       "external port 1023 is kept from devices; expected 1024 or above "
		       "(min-external-port)");
	assert_true(permits(&p, "192.168.1.5", 1024, 80));
	p.min_external_port = 80;
	assert_true(permits(&p, "192.168.1.5", 80, 80));
	assert_false(permits(&p, "192.168.1.5", 79, 80));
}

static void test_ports_of_pcp_itself(void **state)
{
	struct policy p = defaults();
	struct mapping_spec s = spec_of("192.168.1.5", 5350, 80);
	const struct policy_request r = { .spec = &s, .client = s.internal_client };

	assert_int_equal(ask(&p, &s, "192.168.1.5", NULL, NULL), FAULT_NONE);
	s.protocols = PROTOCOL_UDP;
	assert_refused(&p, &s, "192.168.1.5", FAULT_FORBIDDEN,
		       "external port udp/5350 is kept for PCP and NAT-PMP themselves");
	s.external = s.internal = PORTS(5340, 5360);
	assert_int_equal(ask(&p, &s, "192.168.1.5", NULL, NULL), FAULT_FORBIDDEN);
	assert_int_equal(policy_next_port(&p, &r, 5300), 5300);
	assert_int_equal(policy_next_port(&p, &r, 5340), 5352);
}

static void test_guarded_ports(void **state)
{
	static const uint16_t guarded[] = { 22, 23, 135, 136, 137, 138, 139, 445, 3389, 5900 };
	struct policy p = defaults();
	struct mapping_spec s = spec_of("192.168.1.5", 0, 0);

	for (uint32_t port = 1; port <= UINT16_MAX; port++) {
		bool expected = true;

		for (size_t i = 0; i < N_OF(guarded); i++)
			expected &= guarded[i] != port;
		s.internal = PORTS((uint16_t)port, (uint16_t)port);
		assert_int_equal(ask(&p, &s, "192.168.1.5", NULL, NULL) == FAULT_NONE, expected);
	}
	s.internal = PORTS(130, 150);
	assert_refused(&p, &s, "192.168.1.5", FAULT_FORBIDDEN,
		       "port 130-150 of a device is for the operator to map, or for devices that a "
		       "permit line allows it by name");

	/* a line that does not name internal ports is not about them; one that does is */
	add_rule(&p, true, "192.168.1.0/24", PORTS(1024, 65535), NONE);
	assert_false(permits(&p, "192.168.1.5", 2222, 22));
	assert_true(permits(&p, "192.168.1.5", 2222, 21));
	add_rule(&p, true, "192.168.1.5", ANY, PORTS(22, 22));
	assert_true(permits(&p, "192.168.1.5", 2222, 22));
	assert_false(permits(&p, "192.168.1.5", 2222, 23));
	assert_false(permits(&p, "192.168.1.6", 2222, 22));
	/* nor does a last line that denies make them allowed */
	add_rule(&p, false, "192.168.1.7", ANY, NONE);
	assert_false(permits(&p, "192.168.1.6", 2222, 22));
	assert_true(permits(&p, "192.168.2.6", 2222, 21));
}

/* contract.md's example, and what stands behind the last line. */
static void test_first_match_wins(void **state)
{
	struct policy p = defaults();

	add_rule(&p, false, "192.168.1.50", ANY, NONE);
	assert_false(permits(&p, "192.168.1.50", 8080, 80));
	assert_true(permits(&p, "192.168.1.51", 8080, 80));
	assert_true(permits(&p, "10.0.0.1", 8080, 80));
	add_rule(&p, true, "192.168.1.0/24", PORTS(1024, 9000), NONE);
	assert_false(permits(&p, "192.168.1.50", 8080, 80));
	assert_true(permits(&p, "192.168.1.51", 8080, 80));
	assert_true(permits(&p, "192.168.1.51", 9000, 80));
	assert_false(permits(&p, "192.168.1.51", 9001, 80));
	assert_false(permits(&p, "10.0.0.1", 8080, 80));
	add_rule(&p, false, "192.168.1.51", ANY, NONE); /* too late */
	assert_true(permits(&p, "192.168.1.51", 8080, 80));
}

static void test_sentence_of_a_rule(void **state)
{
	struct policy p = defaults();
	struct mapping_spec s = spec_of("192.168.1.50", 8080, 80);

	add_rule(&p, false, "192.168.1.50", ANY, NONE);
	assert_refused(&p, &s, "192.168.1.50", FAULT_FORBIDDEN,
		       "192.168.1.50 may not have external port 8080 for its port 80 (permit)");
	s.external = NONE;
	assert_refused(&p, &s, "192.168.1.50", FAULT_FORBIDDEN,
		       "192.168.1.50 may not have any external port for its port 80 (permit)");
}

static void test_ipv6(void **state)
{
	struct policy p = defaults();

	assert_true(permits(&p, "2001:db8::5", 8080, 8080));
	assert_false(permits(&p, "2001:db8::5", 80, 80));
	add_rule(&p, false, "2001:db8::/64", PORTS(8000, 8999), NONE);
	assert_false(permits(&p, "2001:db8::5", 8080, 8080));
	assert_true(permits(&p, "2001:db8::5", 9000, 9000));
	assert_true(permits(&p, "2001:db8:0:1::5", 8080, 8080));
	assert_true(permits(&p, "192.168.1.5", 8080, 8080));
}

static void test_macs(void **state)
{
	struct mapping_spec s = spec_of("192.168.1.5", 8080, 80);
	struct policy allow = defaults(), deny = defaults();

	add_rule(&allow, true, NULL, PORTS(1024, 65535), NONE);
	assert_int_equal(ask(&allow, &s, "192.168.1.5", mac, NULL), FAULT_NONE);
	assert_int_equal(ask(&allow, &s, "192.168.1.5", other_mac, NULL), FAULT_FORBIDDEN);
	assert_int_equal(ask(&allow, &s, "192.168.1.5", NULL, NULL), FAULT_FORBIDDEN);
	/* who cannot be told from the one that is denied is denied */
	add_rule(&deny, false, NULL, ANY, NONE);
	assert_int_equal(ask(&deny, &s, "192.168.1.5", mac, NULL), FAULT_FORBIDDEN);
	assert_int_equal(ask(&deny, &s, "192.168.1.5", other_mac, NULL), FAULT_NONE);
	assert_int_equal(ask(&deny, &s, "192.168.1.5", NULL, NULL), FAULT_FORBIDDEN);
}

/* Asking on behalf of another gets round no line about either of the two. */
static void test_both_ends(void **state)
{
	struct mapping_spec s = spec_of("192.168.1.5", 8080, 80);
	struct policy p = defaults();

	p.own_address_only = false;
	add_rule(&p, false, "192.168.1.50", ANY, NONE);
	add_rule(&p, true, "192.168.1.0/24", ANY, NONE);
	assert_int_equal(ask(&p, &s, "192.168.1.6", NULL, NULL), FAULT_NONE);
	assert_int_equal(ask(&p, &s, "192.168.1.50", NULL, NULL), FAULT_FORBIDDEN);
	assert_int_equal(ask(&p, &s, "192.168.2.6", NULL, NULL), FAULT_FORBIDDEN);
	s.internal_client = addr_of("192.168.1.50");
	assert_int_equal(ask(&p, &s, "192.168.1.6", NULL, NULL), FAULT_FORBIDDEN);
	s.internal_client = addr_of("192.168.2.5");
	assert_int_equal(ask(&p, &s, "192.168.1.6", NULL, NULL), FAULT_FORBIDDEN);
}

static void test_ranges(void **state)
{
	struct mapping_spec s = spec_of("192.168.1.5", 0, 0);
	struct policy p = defaults();

	add_rule(&p, false, "192.168.1.0/24", PORTS(5000, 5000), NONE);
	add_rule(&p, true, "192.168.1.0/24", PORTS(4000, 6000), NONE);
	s.internal = PORTS(9000, 9009);
	s.external = PORTS(4991, 5000);
	assert_int_equal(ask(&p, &s, "192.168.1.5", NULL, NULL), FAULT_FORBIDDEN);
	s.external = PORTS(5001, 5010);
	assert_int_equal(ask(&p, &s, "192.168.1.5", NULL, NULL), FAULT_NONE);
	s.external = PORTS(5992, 6001);
	assert_int_equal(ask(&p, &s, "192.168.1.5", NULL, NULL), FAULT_FORBIDDEN);
	s.external = PORTS(1019, 1028);
	assert_int_equal(ask(&p, &s, "192.168.1.5", NULL, NULL), FAULT_FORBIDDEN);
	s.internal = s.external = PORTS(5100, 5164);
	assert_refused(&p, &s, "192.168.1.5", FAULT_QUOTA,
		       "192.168.1.5 asks for 65 ports in one; a device may have 64 "
		       "(max-mappings-per-client)");
}

static void add_mapping(const char *owner, uint8_t origin, uint32_t id)
{
	struct mapping_spec s = spec_of("192.168.1.99", (uint16_t)(2000 + id), 80);
	struct mapping *m;

	s.owner = owner;
	s.origin = origin;
	m = mapping_new(&s, id, 1);
	assert_non_null(m);
	assert_int_equal(mapping_table_replace(table, NULL, m, NULL), 0);
	mapping_unref(m);
}

static void test_quotas(void **state)
{
	struct policy p = defaults();
	struct mapping_spec s = spec_of("192.168.1.5", 8080, 80);
	struct policy_request renewal = { .spec = &s, .client = s.internal_client, .renews = true };
	struct fault f;

	p.max_mappings_per_client = 3;
	p.max_mappings = 5;
	for (uint32_t id = 1; id <= 20; id++)
		add_mapping("root", ORIGIN_OPERATOR, id);
	add_mapping("192.168.1.5", ORIGIN_UPNP, 21);
	add_mapping("192.168.1.5", ORIGIN_PCP, 22);
	assert_true(permits(&p, "192.168.1.5", 8080, 80));
	add_mapping("192.168.1.5", ORIGIN_NATPMP, 23);
	assert_refused(&p, &s, "192.168.1.5", FAULT_QUOTA,
		       "192.168.1.5 has as many mappings as a device may have, 3 "
		       "(max-mappings-per-client)");
	assert_int_equal(policy_permit(&p, &renewal, table, &f), 0);
	assert_true(permits(&p, "192.168.1.6", 8080, 80));
	add_mapping("192.168.1.6", ORIGIN_UPNP, 24);
	add_mapping("192.168.1.7", ORIGIN_UPNP, 25);
	s = spec_of("192.168.1.6", 8080, 80);
	assert_refused(&p, &s, "192.168.1.6", FAULT_QUOTA,
		       "all devices together have as many mappings as they may have, 5 "
		       "(max-mappings)");
}

static void test_deadline(void **state)
{
	struct policy p = defaults();
	clock_ms day = 86400000;

	clock_freeze(5000000, 1795165200);
	assert_int_equal(policy_deadline(&p, 0), 5000000 + day);
	assert_int_equal(policy_deadline(&p, 5000000 + 1000), 5000000 + 1000);
	assert_int_equal(policy_deadline(&p, 5000000 + day), 5000000 + day);
	assert_int_equal(policy_deadline(&p, 5000000 + day + 1), 5000000 + day);
	assert_int_equal(policy_deadline(&p, 4000000), 4000000);
	clock_freeze(0, 0);
}

/* Of random lists, each port is asked for one by one; the search must find the next that passes. */
static uint32_t next_random(uint32_t *seed, uint32_t below)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed % below;
}

static void random_rules(struct policy *p, uint32_t *seed)
{
	static const char *const clients[] = { "192.168.1.5", "192.168.1.0/24", "10.0.0.0/8",
					       "0.0.0.0/0", NULL };

	p->rules.n = 0;
	for (uint32_t n = next_random(seed, 6); n; n--) {
		uint16_t first = (uint16_t)(1000 + next_random(seed, 60));
		uint16_t last = (uint16_t)(first + next_random(seed, 30));
		struct port_range internal = next_random(seed, 3) ? NONE : PORTS(20, 24);

		if (!next_random(seed, 8))
			last = 65535;
		add_rule(p, next_random(seed, 2), clients[next_random(seed, N_OF(clients))],
			 PORTS(first, last), internal);
	}
}

static void test_next_port_against_asking_each(void **state)
{
	struct mapping_spec s = spec_of("192.168.1.5", 0, 0), at;
	const struct policy_request r = { .spec = &s, .client = s.internal_client, .mac = mac };
	uint32_t seed = 2463534242;
	struct policy p = defaults();

	for (int round = 0; round < 3000; round++) {
		uint32_t next = 0, width = 1 + next_random(&seed, 5);
		uint16_t internal = (uint16_t)(18 + next_random(&seed, 10));

		random_rules(&p, &seed);
		p.min_external_port = (uint16_t)(1000 + next_random(&seed, 20));
		s.internal = PORTS(internal, (uint16_t)(internal + width - 1));
		at = s;
		for (uint32_t port = 1100; port >= 990; port--) {
			uint32_t last = port + width - 1;

			at.external = PORTS((uint16_t)port, (uint16_t)last);
			if (ask(&p, &at, "192.168.1.5", mac, NULL) == FAULT_NONE)
				next = port;
			if (next || port == 990) {
				uint32_t found = policy_next_port(&p, &r, port);

				/* what lies above was not asked for one by one */
				assert_true(next ? found == next : !found || found > 1100);
			}
		}
		s.external = NONE;
		assert_int_equal(ask(&p, &s, "192.168.1.5", mac, NULL) == FAULT_NONE,
				 policy_next_port(&p, &r, 1) != 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_own_address),
		TEST(test_low_ports),
		TEST(test_ports_of_pcp_itself),
		TEST(test_guarded_ports),
		TEST(test_first_match_wins),
		TEST(test_sentence_of_a_rule),
		TEST(test_ipv6),
		TEST(test_macs),
		TEST(test_both_ends),
		TEST(test_ranges),
		TEST(test_quotas),
		TEST(test_deadline),
		TEST(test_next_port_against_asking_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
