/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/mapping.h"

#include "core/site.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p;

	assert_int_equal(parse_prefix(slice_of(text), &p), 0);
	return p;
}

/* tcp 8888 -> 192.168.69.110:80, right in every way. */
static struct mapping_spec example(void)
{
	return (struct mapping_spec){
		.internal_client = addr_of("192.168.69.110"),
		.external = { 8888, 8888 },
		.internal = { 80, 80 },
		.protocols = PROTOCOL_TCP,
		.enabled = true,
		.name = "Front door, web",
		.app = "http",
		.notes = "behind the\n\tbins",
		.owner = "root",
	};
}

static struct mapping_spec example6(void)
{
	struct mapping_spec s = example();

	s.internal_client = addr_of("2001:db8::5");
	s.external = s.internal = (struct port_range){ 443, 443 };
	return s;
}

static void test_new_copies_everything(void **state)
{
	char name[] = "Front door";
	struct prefix remotes[2] = { prefix_of("10.0.0.0/8"), prefix_of("203.0.113.9") };
	struct mapping_spec s = example();
	struct mapping *m;

	s.name = name;
	s.app = NULL;
	s.remote_hosts = remotes;
	s.n_remote_hosts = 2;
	m = mapping_new(&s, 7, 3);
	assert_non_null(m);
	name[0] = 'X';
	remotes[1] = remotes[0];
	assert_string_equal(m->spec.name, "Front door");
	assert_string_equal(m->spec.app, "");
	assert_string_equal(m->spec.notes, s.notes);
	assert_string_equal(m->spec.owner, "root");
	assert_int_equal(prefix_compare(&m->spec.remote_hosts[0], &remotes[0]), 0);
	assert_int_equal(m->spec.remote_hosts[1].length, 32);
	assert_int_equal(m->id, 7);
	assert_int_equal(m->version, 3);
	assert_int_equal(m->references, 1);
	assert_null(m->places);
	assert_ptr_equal(mapping_ref(m), m);
	mapping_unref(m);
	assert_string_equal(m->spec.name, "Front door");
	mapping_unref(m);
	mapping_unref(NULL);
}

static void test_new_of_bare_spec(void **state)
{
	struct mapping_spec s = { 0 };
	struct mapping *m = mapping_new(&s, 1, 1);

	assert_non_null(m);
	assert_string_equal(m->spec.name, "");
	assert_string_equal(m->spec.owner, "");
	assert_int_equal(m->spec.n_remote_hosts, 0);
	assert_false(mapping_is_pinhole(&m->spec));
	mapping_unref(m);
}

static void test_admits(void **state)
{
	struct prefix remotes[2] = { prefix_of("10.0.0.0/8"), prefix_of("203.0.113.9") };
	struct mapping_spec s = example();
	struct addr inside = addr_of("10.1.2.3"), host = addr_of("203.0.113.9"),
		    outside = addr_of("203.0.113.8"), six = addr_of("2001:db8::1");

	assert_true(mapping_admits(&s, &outside));
	s.remote_hosts = remotes;
	s.n_remote_hosts = 2;
	assert_true(mapping_admits(&s, &inside));
	assert_true(mapping_admits(&s, &host));
	assert_false(mapping_admits(&s, &outside));
	assert_false(mapping_admits(&s, &six));
}

static void test_normalise(void **state)
{
	static const char *const given[] = { "203.0.113.9",   "10.1.0.0/16",	 "2001:db8::/32",
					     "10.0.0.0/8",    "2001:db8:1::/48", "203.0.113.9/32",
					     "10.255.0.0/24", "11.0.0.0/8",	 "203.0.113.8/31" };
	static const char *const wanted[] = { "10.0.0.0/8", "11.0.0.0/8", "203.0.113.8/31",
					      "2001:db8::/32" };
	struct prefix p[N_OF(given)];
	char text[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < N_OF(given); i++)
		p[i] = prefix_of(given[i]);
	assert_int_equal(normalise_prefixes(p, N_OF(given)), N_OF(wanted));
	for (size_t i = 0; i < N_OF(wanted); i++)
		assert_string_equal(format_prefix(&p[i], text), wanted[i]);
	assert_int_equal(normalise_prefixes(NULL, 0), 0);
}

/* Each name is read back as what it stands for, and nothing else is. */
static void test_names(void **state)
{
	uint8_t value;

	for (uint8_t v = PROTOCOL_TCP; v <= PROTOCOL_BOTH; v++) {
		assert_int_equal(parse_protocol(slice_of(protocol_name(v)), &value), 0);
		assert_int_equal(value, v);
	}
	for (uint8_t v = DISABLED_DROP; v <= DISABLED_REFUSE; v++) {
		assert_int_equal(parse_when_disabled(slice_of(when_disabled_name(v)), &value), 0);
		assert_int_equal(value, v);
	}
	for (uint8_t v = ORIGIN_OPERATOR; v <= ORIGIN_RTSP; v++) {
		assert_int_equal(parse_origin(slice_of(origin_name(v)), &value), 0);
		assert_int_equal(value, v);
	}
	assert_int_equal(parse_protocol(SLICE("TCP"), &value), -EINVAL);
	assert_int_equal(parse_protocol(SLICE("sctp"), &value), -EINVAL);
	assert_int_equal(parse_protocol(SLICE(""), &value), -EINVAL);
	assert_int_equal(parse_protocol(SLICE("?"), &value), -EINVAL);
	assert_int_equal(parse_when_disabled(SLICE("tcp"), &value), -EINVAL);
	assert_int_equal(parse_origin(SLICE("operators"), &value), -EINVAL);
	assert_string_equal(protocol_name(0), "?");
	assert_string_equal(protocol_name(200), "?");
	assert_true(origin_is_device(ORIGIN_UPNP));
	assert_true(origin_is_device(ORIGIN_NATPMP));
	assert_true(origin_is_device(ORIGIN_PCP));
	assert_false(origin_is_device(ORIGIN_OPERATOR));
	assert_false(origin_is_device(ORIGIN_RTSP));
}

static void test_ids(void **state)
{
	static const char *const wrong[] = { "m0", "m",	  "7",		 "m07", "m7 ",
					     "M7", "m-7", "m4294967296", "" };
	char text[MAPPING_ID_TEXT_MAX];
	uint32_t id = 0;

	assert_string_equal(format_mapping_id(UINT32_MAX, text), "m4294967295");
	assert_int_equal(parse_mapping_id(SLICE("m4294967295"), &id), 0);
	assert_int_equal(id, UINT32_MAX);
	for (size_t i = 0; i < N_OF(wrong); i++)
		assert_int_equal(parse_mapping_id(slice_of(wrong[i]), &id), -EINVAL);
	assert_int_equal(id, UINT32_MAX);
}

static void test_port_ranges(void **state)
{
	static const struct {
		const char *text;
		int error;
		uint16_t first, last;
		const char *formatted;
	} cases[] = {
		{ "8888", 0, 8888, 8888, "8888" },
		{ "8000-8003", 0, 8000, 8003, "8000-8003" },
		{ "1-65535", 0, 1, 65535, "1-65535" },
		{ "8000-8000", 0, 8000, 8000, "8000" },
		{ "0", -ERANGE, 0, 0, NULL },
		{ "65536", -ERANGE, 0, 0, NULL },
		{ "0-5", -ERANGE, 0, 0, NULL },
		{ "8003-8000", -ERANGE, 0, 0, NULL },
		{ "65535-65536", -ERANGE, 0, 0, NULL },
		{ "4294967295", -ERANGE, 0, 0, NULL },
		{ "8888x", -EINVAL, 0, 0, NULL },
		{ "8000-", -EINVAL, 0, 0, NULL },
		{ "-8000", -EINVAL, 0, 0, NULL },
		{ "8000 - 8003", -EINVAL, 0, 0, NULL },
		{ "8000-8003-8005", -EINVAL, 0, 0, NULL },
		{ "8000:8003", -EINVAL, 0, 0, NULL },
		{ "08888", -EINVAL, 0, 0, NULL },
		{ "auto", -EINVAL, 0, 0, NULL },
		{ "0x50", -EINVAL, 0, 0, NULL },
		{ "99999999999999999999", -EINVAL, 0, 0, NULL },
		{ "", -EINVAL, 0, 0, NULL },
	};
	char text[PORT_RANGE_TEXT_MAX];

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct port_range r = { 0, 0 };

		assert_int_equal(parse_port_range(slice_of(cases[i].text), &r), cases[i].error);
		assert_int_equal(r.first, cases[i].first);
		assert_int_equal(r.last, cases[i].last);
		if (cases[i].formatted)
			assert_string_equal(format_port_range(r, text), cases[i].formatted);
	}
	assert_string_equal(format_port_range((struct port_range){ 0, 0 }, text), "auto");
	assert_int_equal(port_range_width((struct port_range){ 1, 65535 }), 65535);
	assert_int_equal(port_range_width((struct port_range){ 5, 5 }), 1);
}

static void test_format_external(void **state)
{
	struct mapping_spec s = example(), six = example6();
	char text[MAPPING_EXTERNAL_TEXT_MAX];

	assert_string_equal(format_external(&s, text), "tcp/8888");
	s.protocols = PROTOCOL_BOTH;
	s.external = (struct port_range){ 8000, 8003 };
	assert_string_equal(format_external(&s, text), "both/8000-8003");
	s.external_addr = addr_of("203.0.113.7");
	assert_string_equal(format_external(&s, text), "both/203.0.113.7:8000-8003");
	assert_string_equal(format_external(&six, text), "tcp/[2001:db8::5]:443");
	six.protocols = PROTOCOL_BOTH;
	six.internal_client = addr_of("2001:1db8:1111:2222:3333:4444:5555:6666");
	six.external = (struct port_range){ 10000, 60000 };
	assert_string_equal(format_external(&six, text),
			    "both/[2001:1db8:1111:2222:3333:4444:5555:6666]:10000-60000");
}

/*
 * Validation: each row spoils one thing in the example and gets the line that a person reads.
 */
struct spoilt {
	void (*spoil)(struct mapping_spec *s);
	bool pinhole; /* spoils the IPv6 example */
	const char *field;
	const char *text;
};

static struct prefix remotes[MAPPING_REMOTES_MAX + 1];
static char long_text[10001];

static void set_remotes(struct mapping_spec *s, const char *a, const char *b)
{
	remotes[0] = prefix_of(a);
	if (b)
		remotes[1] = prefix_of(b);
	s->remote_hosts = remotes;
	s->n_remote_hosts = b ? 2 : 1;
}

static const char *text_of(size_t len)
{
	memset(long_text, 'a', len);
	long_text[len] = '\0';
	return long_text;
}

#define SPOIL(name, ...)                         \
	static void name(struct mapping_spec *s) \
	{                                        \
		__VA_ARGS__;                     \
	}

SPOIL(no_protocol, s->protocols = 0)
SPOIL(odd_protocol, s->protocols = 4)
SPOIL(odd_when, s->when_disabled = 2)
SPOIL(odd_origin, s->origin = 9)
SPOIL(pending_and_enabled, s->pending = s->enabled = true)
SPOIL(no_client, s->internal_client = (struct addr){ 0 })
SPOIL(any_client, s->internal_client = addr_of("0.0.0.0"))
SPOIL(loopback_client, s->internal_client = addr_of("127.0.0.1"))
SPOIL(loopback6_client, s->internal_client = addr_of("::1"))
SPOIL(multicast_client, s->internal_client = addr_of("224.0.0.5"))
SPOIL(multicast6_client, s->internal_client = addr_of("ff02::1"))
SPOIL(limited_broadcast_client, s->internal_client = addr_of("255.255.255.255"))
SPOIL(link_local_client, s->internal_client = addr_of("169.254.7.7"))
SPOIL(link_local6_client, s->internal_client = addr_of("fe80::1"))
SPOIL(own_client, s->internal_client = addr_of("192.168.69.1"))
SPOIL(broadcast_client, s->internal_client = addr_of("192.168.69.255"))
SPOIL(network_client, s->internal_client = addr_of("192.168.69.0"))
SPOIL(external_six, s->external_addr = addr_of("2001:db8::9"))
SPOIL(external_multicast, s->external_addr = addr_of("239.0.0.1"))
SPOIL(external_loopback, s->external_addr = addr_of("127.0.0.1"))
SPOIL(external_any, s->external_addr = addr_of("0.0.0.0"))
SPOIL(external_broadcast, s->external_addr = addr_of("255.255.255.255"))
SPOIL(external_client, s->external_addr = s->internal_client)
SPOIL(pinhole_external_four, s->external_addr = addr_of("203.0.113.7"))
SPOIL(pinhole_external_other, s->external_addr = addr_of("2001:db8::6"))
SPOIL(no_internal, s->internal = (struct port_range){ 0, 0 })
SPOIL(internal_from_zero, s->internal = (struct port_range){ 0, 3 })
SPOIL(internal_upside_down, s->internal = (struct port_range){ 9003, 9000 })
SPOIL(external_from_zero, s->external = (struct port_range){ 0, 3 })
SPOIL(external_upside_down, s->external = (struct port_range){ 8003, 8000 })
SPOIL(unequal, s->external = (struct port_range){ 8000, 8003 };
      s->internal = (struct port_range){ 9000, 9005 })
SPOIL(one_to_many, s->internal = (struct port_range){ 9000, 9005 })
SPOIL(pinhole_shifted, s->external = (struct port_range){ 444, 444 })
SPOIL(remote_six, set_remotes(s, "10.0.0.0/8", "2001:db8::/32"))
SPOIL(pinhole_remote_four, set_remotes(s, "10.0.0.0/8", NULL))
SPOIL(remote_multicast, set_remotes(s, "224.0.0.0/8", NULL))
SPOIL(remote_loopback, set_remotes(s, "127.0.0.1", NULL))
SPOIL(remote_any, set_remotes(s, "0.0.0.0/32", NULL))
SPOIL(pinhole_remote_any, set_remotes(s, "::", NULL))
SPOIL(remote_unsorted, set_remotes(s, "11.0.0.0/8", "10.0.0.0/8"))
SPOIL(remote_twice, set_remotes(s, "10.0.0.0/8", "10.0.0.0/8"))
SPOIL(remote_nested, set_remotes(s, "10.0.0.0/8", "10.1.0.0/16"))
SPOIL(remote_host_bits, set_remotes(s, "10.0.0.1", NULL); remotes[0].length = 8)
SPOIL(remote_long, set_remotes(s, "10.0.0.1", NULL); remotes[0].length = 33)
SPOIL(remote_many, set_remotes(s, "10.0.0.1", NULL); s->n_remote_hosts = MAPPING_REMOTES_MAX + 1)
SPOIL(many_connections, s->max_connections = 1000001)
SPOIL(range_connections, s->max_connections = 5; s->external = (struct port_range){ 8000, 8003 };
      s->internal = (struct port_range){ 9000, 9003 })
SPOIL(range_rate, s->rate = 5; s->external = (struct port_range){ 0, 0 };
      s->internal = (struct port_range){ 9000, 9003 })
SPOIL(date_only, s->expires_date = 1795165200)
SPOIL(name_long, s->name = text_of(10000))
SPOIL(name_one_more, s->name = text_of(129))
SPOIL(name_newline, s->name = "a\nb")
SPOIL(name_escape, s->name = "\x1b[31mred")
SPOIL(name_delete, s->name = "a\x7f")
SPOIL(name_c1, s->name = "a\xc2\x9b")
SPOIL(name_latin1, s->name = "Haust\xfcr")
SPOIL(name_surrogate, s->name = "\xed\xa0\x80")
SPOIL(notes_long, s->notes = text_of(4097))
SPOIL(notes_return, s->notes = "a\r\nb")
SPOIL(notes_latin1, s->notes = "\xe9")
SPOIL(app_capital, s->app = "RTSP")
SPOIL(app_blank, s->app = "r tsp")
SPOIL(app_utf8, s->app = "t\xc3\xbcr")
SPOIL(app_long, s->app = text_of(33))
SPOIL(owner_long, s->owner = text_of(65))
SPOIL(owner_control, s->owner = "ro\tot")

static const struct spoilt spoilt[] = {
	{ no_protocol, false, "protocol", "protocol: 0 is not one; expected tcp, udp or both" },
	{ odd_protocol, false, "protocol", "protocol: 4 is not one; expected tcp, udp or both" },
	{ odd_when, false, "when_disabled",
	  "when_disabled: 2 is not one; expected drop or refuse" },
	{ pending_and_enabled, false, "pending",
	  "pending: true was given beside enabled; "
	  "what waits for approval is expected to be disabled" },
	{ odd_origin, false, "origin",
	  "origin: 9 is not one; expected operator, upnp, natpmp, pcp or rtsp" },
	{ no_client, false, "internal_client",
	  "internal_client: none was given; expected the address of a device" },
	{ any_client, false, "internal_client",
	  "internal_client: 0.0.0.0 is unspecified; expected a unicast address of a device" },
	{ loopback_client, false, "internal_client",
	  "internal_client: 127.0.0.1 is loopback; expected a unicast address of a device" },
	{ loopback6_client, true, "internal_client",
	  "internal_client: ::1 is loopback; expected a unicast address of a device" },
	{ multicast_client, false, "internal_client",
	  "internal_client: 224.0.0.5 is multicast; expected a unicast address of a device" },
	{ multicast6_client, true, "internal_client",
	  "internal_client: ff02::1 is multicast; expected a unicast address of a device" },
	{ limited_broadcast_client, false, "internal_client",
	  "internal_client: 255.255.255.255 is broadcast; expected a unicast address of a device" },
	{ link_local_client, false, "internal_client",
	  "internal_client: 169.254.7.7 is link-local; expected a unicast address of a device" },
	{ link_local6_client, true, "internal_client",
	  "internal_client: fe80::1 is link-local; expected a unicast address of a device" },
	{ own_client, false, "internal_client",
	  "internal_client: 192.168.69.1 is this gateway's own address; "
	  "expected the address of a device behind it" },
	{ broadcast_client, false, "internal_client",
	  "internal_client: 192.168.69.255 is the network or broadcast address of a LAN; "
	  "expected the address of a device" },
	{ network_client, false, "internal_client",
	  "internal_client: 192.168.69.0 is the network or broadcast address of a LAN; "
	  "expected the address of a device" },
	{ external_six, false, "external_addr",
	  "external_addr: 2001:db8::9 is IPv6 and internal_client 192.168.69.110 is IPv4; "
	  "expected a public IPv4 address of this gateway" },
	{ external_multicast, false, "external_addr",
	  "external_addr: 239.0.0.1 is multicast; expected a public address of this gateway" },
	{ external_loopback, false, "external_addr",
	  "external_addr: 127.0.0.1 is loopback; expected a public address of this gateway" },
	{ external_any, false, "external_addr",
	  "external_addr: 0.0.0.0 is unspecified; expected a public address of this gateway" },
	{ external_broadcast, false, "external_addr",
	  "external_addr: 255.255.255.255 is broadcast; "
	  "expected a public address of this gateway" },
	{ external_client, false, "external_addr",
	  "external_addr: 192.168.69.110 is internal_client as well; "
	  "expected a public address of this gateway" },
	{ pinhole_external_four, true, "external_addr",
	  "external_addr: 203.0.113.7 differs from internal_client 2001:db8::5; "
	  "an IPv6 pinhole expects them equal, or none" },
	{ pinhole_external_other, true, "external_addr",
	  "external_addr: 2001:db8::6 differs from internal_client 2001:db8::5; "
	  "an IPv6 pinhole expects them equal, or none" },
	{ no_internal, false, "internal_port",
	  "internal_port: none was given; expected a port from 1 to 65535 "
	  "or a range such as 9000-9003" },
	{ internal_from_zero, false, "internal_port",
	  "internal_port: port 0 is not a port; expected 1 to 65535" },
	{ internal_upside_down, false, "internal_port",
	  "internal_port: 9003-9000 stands upside down; expected the lower port first" },
	{ external_from_zero, false, "external_port",
	  "external_port: port 0 is not a port; expected 1 to 65535" },
	{ external_upside_down, false, "external_port",
	  "external_port: 8003-8000 stands upside down; expected the lower port first" },
	{ unequal, false, "external_port",
	  "external_port: 8000-8003 has 4 ports, internal_port 9000-9005 has 6; "
	  "both must be equally wide" },
	{ one_to_many, false, "external_port",
	  "external_port: 8888 has 1 port, internal_port 9000-9005 has 6; "
	  "both must be equally wide" },
	{ pinhole_shifted, true, "external_port",
	  "external_port: 444 differs from internal_port 443; "
	  "an IPv6 pinhole does not translate and expects them equal" },
	{ remote_six, false, "remote_hosts",
	  "remote_hosts: 2001:db8::/32 is IPv6 and internal_client 192.168.69.110 is IPv4; "
	  "expected one family" },
	{ pinhole_remote_four, true, "remote_hosts",
	  "remote_hosts: 10.0.0.0/8 is IPv4 and internal_client 2001:db8::5 is IPv6; "
	  "expected one family" },
	{ remote_multicast, false, "remote_hosts",
	  "remote_hosts: 224.0.0.0/8 is multicast, from which no packet comes; "
	  "expected a host or a network" },
	{ remote_loopback, false, "remote_hosts",
	  "remote_hosts: 127.0.0.1/32 is loopback, from which no packet comes; "
	  "expected a host or a network" },
	{ remote_any, false, "remote_hosts",
	  "remote_hosts: 0.0.0.0/32 is unspecified, from which no packet comes; "
	  "expected a host or a network" },
	{ pinhole_remote_any, true, "remote_hosts",
	  "remote_hosts: ::/128 is unspecified, from which no packet comes; "
	  "expected a host or a network" },
	{ remote_unsorted, false, "remote_hosts",
	  "remote_hosts: 10.0.0.0/8 is out of order or listed already; "
	  "expected a sorted list without overlaps" },
	{ remote_twice, false, "remote_hosts",
	  "remote_hosts: 10.0.0.0/8 is out of order or listed already; "
	  "expected a sorted list without overlaps" },
	{ remote_nested, false, "remote_hosts",
	  "remote_hosts: 10.1.0.0/16 is out of order or listed already; "
	  "expected a sorted list without overlaps" },
	{ remote_host_bits, false, "remote_hosts",
	  "remote_hosts: 10.0.0.1/8 has bits set right of its length; "
	  "expected a network address" },
	{ remote_long, false, "remote_hosts",
	  "remote_hosts: 10.0.0.1/33 is longer than its address; expected at most /32" },
	{ remote_many, false, "remote_hosts",
	  "remote_hosts: 65 prefixes are too many; expected at most 64" },
	{ many_connections, false, "max_connections",
	  "max_connections: 1000001 is too much; expected 1 to 1000000, or null for no limit" },
	{ range_connections, false, "max_connections",
	  "max_connections: 5 was given for the range 8000-8003; "
	  "a limit is possible for a single port only" },
	{ range_rate, false, "rate",
	  "rate: 5 was given for the range 9000-9003; a limit is possible for a single port only" },
	{ date_only, false, "expires",
	  "expires: a date was given without its deadline; expected both" },
	{ name_long, false, "name", NULL },
	{ name_one_more, false, "name", NULL },
	{ name_newline, false, "name", "name: 'a\\x0ab' holds a control character; expected none" },
	{ name_escape, false, "name",
	  "name: '\\x1b[31mred' holds a control character; expected none" },
	{ name_delete, false, "name", "name: 'a\\x7f' holds a control character; expected none" },
	{ name_c1, false, "name", "name: 'a\\xc2\\x9b' holds a control character; expected none" },
	{ name_latin1, false, "name",
	  "name: 'Haust\\xfcr' is not UTF-8; expected well-formed UTF-8" },
	{ name_surrogate, false, "name",
	  "name: '\\xed\\xa0\\x80' is not UTF-8; expected well-formed UTF-8" },
	{ notes_long, false, "notes", NULL },
	{ notes_return, false, "notes",
	  "notes: 'a\\x0d\\x0ab' holds a control character; expected none but newline and tab" },
	{ notes_latin1, false, "notes", "notes: '\\xe9' is not UTF-8; expected well-formed UTF-8" },
	{ app_capital, false, "app",
	  "app: 'RTSP' is not an application's name; "
	  "expected small letters, digits and '-', such as rtsp" },
	{ app_blank, false, "app", NULL },
	{ app_utf8, false, "app", NULL },
	{ app_long, false, "app", NULL },
	{ owner_long, false, "owner", NULL },
	{ owner_control, false, "owner",
	  "owner: 'ro\\x09ot' holds a control character; expected none" },
};

static const struct site *site(void)
{
	static struct site_address address;
	static struct site s = { .addresses = &address, .n_addresses = 1 };

	address = (struct site_address){ { addr_of("192.168.69.1"), 24 }, 2 };
	return &s;
}

static void test_validate_refuses(void **state)
{
	for (size_t i = 0; i < N_OF(spoilt); i++) {
		struct mapping_spec s = spoilt[i].pinhole ? example6() : example();
		struct fault f = { 0 };

		spoilt[i].spoil(&s);
		assert_int_equal(mapping_validate(&s, site(), &f), -EINVAL);
		assert_int_equal(f.kind, FAULT_INVALID);
		assert_string_equal(f.field, spoilt[i].field);
		if (spoilt[i].text)
			assert_string_equal(f.text, spoilt[i].text);
		assert_memory_equal(f.text, f.field, strlen(f.field));
		assert_false(slice_has_control(slice_of(f.text), NULL));
		assert_true(strlen(f.text) < 250);
		assert_int_equal(mapping_validate(&s, site(), NULL), -EINVAL);
	}
}

static void assert_valid(const struct mapping_spec *s)
{
	struct fault f = { 0 };

	if (mapping_validate(s, site(), &f) < 0)
		fail_msg("%s", f.text);
}

static void test_validate_accepts(void **state)
{
	struct mapping_spec s = example(), six = example6();

	assert_valid(&s);
	assert_valid(&six);
	assert_int_equal(mapping_validate(&s, NULL, NULL), 0);
	s.external = (struct port_range){ 0, 0 };
	assert_valid(&s);
	s.external = s.internal = (struct port_range){ 1, 65535 };
	assert_valid(&s);
	s = example();
	s.external_addr = addr_of("203.0.113.7");
	s.max_connections = s.rate = MAPPING_LIMIT_MAX;
	s.expires = 5;
	s.expires_date = 1795165200;
	s.name = text_of(128);
	assert_valid(&s);
	s.name = s.app = s.notes = s.owner = NULL;
	set_remotes(&s, "0.0.0.0/0", NULL);
	assert_valid(&s);
	set_remotes(&s, "10.0.0.0/8", "203.0.113.9");
	assert_valid(&s);
	s.name = "Haust\xc3\xbcr \xf0\x9f\x8e\xa5";
	s.app = "a-b-9";
	s.enabled = false;
	s.when_disabled = DISABLED_REFUSE;
	assert_valid(&s);
	six.external_addr = six.internal_client;
	set_remotes(&six, "2001:db8::/32", NULL);
	assert_valid(&six);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_copies_everything),
		cmocka_unit_test(test_new_of_bare_spec),
		cmocka_unit_test(test_admits),
		cmocka_unit_test(test_normalise),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_port_ranges),
		cmocka_unit_test(test_format_external),
		cmocka_unit_test(test_validate_refuses),
		cmocka_unit_test(test_validate_accepts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
