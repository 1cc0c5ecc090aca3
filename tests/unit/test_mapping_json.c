/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/mapping_json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

#define NOW  5000000	/* ms since boot */
#define WALL 1795165200 /* 2026-11-20T09:00:00Z */

static int freeze(void **state)
{
	clock_freeze(NOW, WALL);
	return 0;
}

static int thaw(void **state)
{
	clock_freeze(0, 0);
	return 0;
}

/* 'a' in place of "a": JSON in C is hard enough to read. */
static json_t *json_of(const char *text)
{
	char *copy = strdup(text);
	json_error_t error;
	json_t *json;

	assert_non_null(copy);
	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	json = json_loads(copy, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	if (!json)
		fail_msg("%s: %s", text, error.text);
	free(copy);
	return json;
}

static struct mapping *mapping_of(const struct mapping_draft *draft)
{
	struct mapping *m = mapping_new(&draft->spec, 7, 3);
	struct fault f = { 0 };

	assert_non_null(m);
	if (mapping_validate(&m->spec, NULL, &f) < 0)
		fail_msg("%s", f.text);
	return m;
}

/* The mapping that `text` describes. */
static struct mapping *read_mapping(const char *text)
{
	json_t *json = json_of(text);
	struct mapping_draft draft;
	struct fault f = { 0 };
	struct mapping *m;

	mapping_draft_init(&draft);
	if (mapping_draft_read(&draft, json, &f) < 0)
		fail_msg("%s: %s", text, f.text);
	m = mapping_of(&draft); /* copies the texts before their owner goes */
	json_decref(json);
	return m;
}

static void assert_json(json_t *json, const char *expected)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	assert_non_null(text);
	for (char *c = text; *c; c++)
		if (*c == '"')
			*c = '\'';
	assert_string_equal(text, expected);
	free(text);
	json_decref(json);
}

#define MINIMAL "'external_port':'8888','internal_client':'192.168.69.110','internal_port':'80'"

static void test_defaults(void **state)
{
	struct mapping *m = read_mapping("{" MINIMAL "}");

	assert_int_equal(m->spec.protocols, PROTOCOL_TCP);
	assert_true(m->spec.enabled);
	assert_int_equal(m->spec.when_disabled, DISABLED_DROP);
	assert_int_equal(m->spec.origin, ORIGIN_OPERATOR);
	assert_int_equal(m->spec.expires, 0);
	assert_int_equal(m->spec.external.first, 8888);
	assert_int_equal(m->spec.internal.last, 80);
	assert_false(addr_is_set(&m->spec.external_addr));
	assert_json(mapping_to_json(m),
		    "{'id':'m7','name':'','protocol':'tcp','external_addr':null,"
		    "'external_port':'8888','internal_client':'192.168.69.110',"
		    "'internal_port':'80','remote_hosts':[],'enabled':true,"
		    "'when_disabled':'drop','app':'','notes':'','origin':'operator','owner':'',"
		    "'lifetime':null,'expires':null,'max_connections':null,'rate':null,"
		    "'version':3,'created':null,'changed':null,"
		    "'counters':{'packets':0,'bytes':0,'connections':0},'last_check':null}");
	assert_json(mapping_to_export_json(m), "{" MINIMAL "}");
	mapping_unref(m);
}

#define FULL                                                                                \
	"{'name':'Haust\u00fcr, web','protocol':'both','external_addr':'203.0.113.7',"      \
	"'external_port':'8000','internal_client':'192.168.69.120','internal_port':'9000'," \
	"'remote_hosts':['10.0.0.0/8','203.0.113.9/32'],'enabled':false,"                   \
	"'when_disabled':'refuse','app':'rtsp','notes':'a\\nb',"

static void test_everything(void **state)
{
	struct mapping *m = read_mapping(FULL "'expires':'2026-11-20T10:00:00+00:30',"
					      "'max_connections':5,'rate':9}");

	m->created = WALL - 60;
	m->changed = WALL;
	m->counters = (struct mapping_counters){ 1, 2, 3 };
	assert_int_equal(m->spec.expires, NOW + 1800 * 1000);
	assert_json(mapping_to_json(m),
		    "{'id':'m7','name':'Haust\u00fcr, web','protocol':'both',"
		    "'external_addr':'203.0.113.7','external_port':'8000',"
		    "'internal_client':'192.168.69.120','internal_port':'9000',"
		    "'remote_hosts':['10.0.0.0/8','203.0.113.9/32'],'enabled':false,"
		    "'when_disabled':'refuse','app':'rtsp','notes':'a\\nb','origin':'operator',"
		    "'owner':'','lifetime':null,'expires':'2026-11-20T09:30:00Z',"
		    "'max_connections':5,'rate':9,'version':3,'created':'2026-11-20T08:59:00Z',"
		    "'changed':'2026-11-20T09:00:00Z',"
		    "'counters':{'packets':1,'bytes':2,'connections':3},'last_check':null}");
	assert_json(mapping_to_export_json(m),
		    FULL "'max_connections':5,'rate':9,'expires':'2026-11-20T09:30:00Z'}");
	mapping_unref(m);
}

static void test_numbers_as_ports(void **state)
{
	struct mapping *m = read_mapping("{'external_port':8888,'internal_port':80,"
					 "'internal_client':'192.168.69.110'}");

	assert_json(mapping_to_export_json(m), "{" MINIMAL "}");
	mapping_unref(m);
	m = read_mapping("{'external_port':'auto','internal_port':'9000-9003',"
			 "'internal_client':'192.168.69.110'}");
	assert_int_equal(m->spec.external.first, 0);
	assert_int_equal(port_range_width(m->spec.internal), 4);
	mapping_unref(m);
}

/* Several ways to say a thing end in one. */
static void test_settled(void **state)
{
	struct mapping *m = read_mapping("{" MINIMAL ",'remote_hosts':['0.0.0.0/0','10.0.0.0/8']}");

	assert_int_equal(m->spec.n_remote_hosts, 0);
	mapping_unref(m);
	m = read_mapping("{" MINIMAL ",'remote_hosts':['10.1.0.0/16','10.0.0.0/8','9.9.9.9']}");
	assert_json(mapping_to_export_json(m),
		    "{" MINIMAL ",'remote_hosts':['9.9.9.9/32','10.0.0.0/8']}");
	mapping_unref(m);
	m = read_mapping("{'external_addr':'2001:db8::5','internal_client':'2001:DB8::5',"
			 "'internal_port':443,'remote_hosts':['::/0']}");
	assert_false(addr_is_set(&m->spec.external_addr));
	assert_int_equal(m->spec.external.first, 443);
	assert_int_equal(m->spec.n_remote_hosts, 0);
	assert_json(mapping_to_export_json(m),
		    "{'external_port':'443',"
		    "'internal_client':'2001:db8::5','internal_port':'443'}");
	mapping_unref(m);
}

static void test_lifetimes(void **state)
{
	static const struct {
		const char *text;
		clock_ms left;
	} cases[] = {
		{ "'lifetime':90", 90000 },
		{ "'lifetime':'2h'", 7200000 },
		{ "'lifetime':'30m'", 1800000 },
		{ "'lifetime':'1d'", 86400000 },
		{ "'lifetime':4294967295", 4294967295000 },
		{ "'lifetime':null,'expires':'2026-11-20T09:00:01Z'", 1000 },
		{ "'expires':'2026-11-20T09:00:01Z','lifetime':null", 1000 },
		{ "'lifetime':90,'expires':null", 90000 },
	};
	char text[256];

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct mapping *m;

		snprintf(text, sizeof(text), "{%s,%s}", MINIMAL, cases[i].text);
		m = read_mapping(text);
		assert_int_equal(m->spec.expires, NOW + cases[i].left);
		mapping_unref(m);
	}
}

/* Every date in the past gives a deadline in the past, even one before this boot. */
static void test_dates_in_the_past(void **state)
{
	struct mapping *m = read_mapping("{" MINIMAL ",'expires':'2026-11-20T08:59:59Z'}");

	assert_int_equal(m->spec.expires, NOW - 1000);
	mapping_unref(m);
	m = read_mapping("{" MINIMAL ",'expires':'1980-01-01T00:00:00Z'}");
	assert_int_equal(m->spec.expires, 1);
	mapping_unref(m);
}

static json_int_t lifetime_of(const struct mapping *m)
{
	json_t *json = mapping_to_json(m);
	json_int_t left = json_integer_value(json_object_get(json, "lifetime"));

	json_decref(json);
	return left;
}

static void test_what_is_left(void **state)
{
	struct mapping *m = read_mapping("{" MINIMAL ",'lifetime':90}");
	json_t *json;

	assert_int_equal(lifetime_of(m), 90);
	clock_freeze(NOW + 500, WALL);
	assert_int_equal(lifetime_of(m), 90);
	clock_freeze(NOW + 89999, WALL + 90);
	assert_int_equal(lifetime_of(m), 1);
	clock_freeze(NOW + 100000, WALL + 100);
	assert_int_equal(lifetime_of(m), 0);
	/* a file of exports outlives the lease: it says when, not how long */
	clock_freeze(NOW + 30000, WALL + 30);
	json = mapping_to_export_json(m);
	assert_string_equal(json_string_value(json_object_get(json, "expires")),
			    "2026-11-20T09:01:30Z");
	json_decref(json);
	mapping_unref(m);
}

/* What the API gave can be given back and changes nothing. */
static void test_round_trip(void **state)
{
	static const char *const texts[] = {
		"{" MINIMAL "}",
		FULL "'expires':'2026-11-21T09:00:00Z','max_connections':5,'rate':9}",
		FULL "'lifetime':3600}",
		"{'external_port':'8000-8003','internal_client':'10.0.0.1',"
		"'internal_port':'9000-9003','protocol':'udp'}",
		"{'internal_client':'2001:db8::5','internal_port':'443'}",
	};

	for (size_t i = 0; i < N_OF(texts); i++) {
		struct mapping *m = read_mapping(texts[i]), *again;
		json_t *json = mapping_to_json(m), *json2;
		char *text = json_dumps(json, 0);

		again = read_mapping(text);
		json2 = mapping_to_json(again);
		assert_true(json_equal(json, json2));
		json_decref(json2);
		mapping_unref(again);
		free(text);
		json_decref(json);

		json = mapping_to_export_json(m);
		text = json_dumps(json, 0);
		again = read_mapping(text);
		json2 = mapping_to_export_json(again);
		assert_true(json_equal(json, json2));
		json_decref(json2);
		mapping_unref(again);
		free(text);
		json_decref(json);
		mapping_unref(m);
	}
}

/* RFC 7396: what is absent stays, null brings the default back. */
static void test_patch(void **state)
{
	struct mapping *m = read_mapping(FULL "'lifetime':3600,'max_connections':5,'rate':9}");
	json_t *one = json_of("{'name':'new','remote_hosts':['10.0.0.0/8']}"),
	       *all = json_of("{'name':null,'protocol':null,'external_addr':null,"
			      "'external_port':null,'remote_hosts':null,'enabled':null,"
			      "'when_disabled':null,'app':null,'notes':null,'expires':null,"
			      "'max_connections':null,'rate':null}");
	struct mapping_draft draft;
	struct fault f;

	mapping_draft_from(&draft, &m->spec);
	assert_ptr_equal(draft.spec.remote_hosts, draft.remotes);
	assert_int_equal(draft.spec.n_remote_hosts, 2);
	assert_int_equal(mapping_draft_read(&draft, one, &f), 0);
	assert_string_equal(draft.spec.name, "new");
	assert_string_equal(draft.spec.app, "rtsp");
	assert_int_equal(draft.spec.n_remote_hosts, 1);
	assert_int_equal(draft.spec.expires, NOW + 3600000);
	assert_int_equal(draft.spec.max_connections, 5);
	assert_int_equal(m->spec.n_remote_hosts, 2);

	assert_int_equal(mapping_draft_read(&draft, all, &f), 0);
	assert_string_equal(draft.spec.name, "");
	assert_string_equal(draft.spec.notes, "");
	assert_int_equal(draft.spec.protocols, PROTOCOL_TCP);
	assert_int_equal(draft.spec.external.first, 0);
	assert_false(addr_is_set(&draft.spec.external_addr));
	assert_int_equal(draft.spec.n_remote_hosts, 0);
	assert_true(draft.spec.enabled);
	assert_int_equal(draft.spec.when_disabled, DISABLED_DROP);
	assert_int_equal(draft.spec.expires, 0);
	assert_int_equal(draft.spec.max_connections, 0);
	assert_int_equal(draft.spec.rate, 0);
	json_decref(one);
	json_decref(all);
	mapping_unref(m);
}

static void test_the_gateways_own_keys_are_ignored(void **state)
{
	struct mapping *m = read_mapping("{" MINIMAL ",'id':5,'origin':'pcp','owner':{},"
					 "'created':'x','changed':null,'counters':[],"
					 "'last_check':true,'version':'y'}");

	assert_int_equal(m->spec.origin, ORIGIN_OPERATOR);
	assert_string_equal(m->spec.owner, "");
	mapping_unref(m);
}

/* The operator takes it away; it is shown only where it is true, and never the nonce. */
static void test_pending(void **state)
{
	struct mapping *m = read_mapping("{" MINIMAL ",'enabled':false,'pending':true}"), *after;
	json_t *json = mapping_to_json(m), *approve = json_of("{'pending':false}"),
	       *null = json_of("{'pending':null}");
	struct mapping_draft draft;
	struct fault f;

	assert_true(m->spec.pending);
	assert_true(json_is_true(json_object_get(json, "pending")));
	json_decref(json);
	json = mapping_to_export_json(m);
	assert_null(json_object_get(json, "pending"));
	assert_true(json_is_false(json_object_get(json, "enabled")));
	json_decref(json);

	mapping_draft_from(&draft, &m->spec);
	assert_int_equal(mapping_draft_read(&draft, approve, &f), 0);
	assert_false(draft.spec.pending);
	mapping_draft_from(&draft, &m->spec);
	assert_int_equal(mapping_draft_read(&draft, null, &f), 0);
	assert_false(draft.spec.pending);

	memset(draft.spec.nonce, 'n', sizeof(draft.spec.nonce));
	after = mapping_of(&draft);
	json = mapping_to_json(after);
	assert_null(json_object_get(json, "pending"));
	assert_null(json_object_get(json, "nonce"));
	json_decref(json);
	json_decref(approve);
	json_decref(null);
	mapping_unref(after);
	mapping_unref(m);
}

/* Each of these is refused with one line. NULL: whatever it says. */
#define PORT_EXPECTED	"expected a port from 1 to 65535 or a range such as 8000-8003"
#define REMOTE_EXPECTED "expected a list of addresses or prefixes such as 203.0.113.0/24"
#define LIMIT_EXPECTED	"expected a whole number from 1 to 1000000, or null for no limit"
#define LIFETIME_EXPECTED \
	"expected seconds from 1 to 4294967295, or text such as 90s, 30m, 2h or 1d"
#define DATE_EXPECTED "expected a date and time such as 2026-11-20T09:00:00Z"

static const struct {
	const char *json, *field, *text;
} refused[] = {
	{ "[]", "", "a mapping is an object, not a list" },
	{ "5", "", "a mapping is an object, not 5" },
	{ "null", "", "a mapping is an object, not null" },
	{ "'m7'", "", "a mapping is an object, not 'm7'" },
	{ "{'colour':'red'}", "colour",
	  "'colour' is not a key of a mapping; expected name, protocol, external_addr, "
	  "external_port, internal_client, internal_port, remote_hosts, enabled, when_disabled, "
	  "app, notes, lifetime, expires, max_connections, rate" },
	{ "{'Name':'x'}", "Name", NULL },
	{ "{'':'x'}", "", NULL },
	{ "{'a\\nb':'x'}", "a\\x0ab", NULL },
	{ "{'a_key_of_which_nobody_has_ever_heard_and_nobody_ever_will':1}",
	  "a_key_of_which_nobody_h", NULL },
	{ "{'name':5}", "name", "name: 5 was given; expected text" },
	{ "{'name':true}", "name", "name: true was given; expected text" },
	{ "{'name':['x']}", "name", "name: a list was given; expected text" },
	{ "{'name':{}}", "name", "name: an object was given; expected text" },
	{ "{'name':'a\\u0000b'}", "name", "name: 'a\\x00b' was given; expected text" },
	{ "{'app':1.5}", "app", "app: 1.5 was given; expected text" },
	{ "{'notes':false}", "notes", "notes: false was given; expected text" },
	{ "{'protocol':'sctp'}", "protocol",
	  "protocol: 'sctp' was given; expected tcp, udp or both" },
	{ "{'protocol':'TCP'}", "protocol", NULL },
	{ "{'protocol':''}", "protocol", "protocol: '' was given; expected tcp, udp or both" },
	{ "{'protocol':6}", "protocol", "protocol: 6 was given; expected tcp, udp or both" },
	{ "{'when_disabled':'reject'}", "when_disabled",
	  "when_disabled: 'reject' was given; expected drop or refuse" },
	{ "{'enabled':1}", "enabled", "enabled: 1 was given; expected true or false" },
	{ "{'pending':1}", "pending", "pending: 1 was given; expected true or false" },
	{ "{'enabled':'yes'}", "enabled", "enabled: 'yes' was given; expected true or false" },
	{ "{'external_addr':'any'}", "external_addr",
	  "external_addr: 'any' was given; "
	  "expected a public address of this gateway, or null for all of them" },
	{ "{'external_addr':'::'}", "external_addr", NULL },
	{ "{'external_addr':''}", "external_addr", NULL },
	{ "{'external_addr':'203.0.113.0/24'}", "external_addr", NULL },
	{ "{'internal_client':'camera.local'}", "internal_client",
	  "internal_client: 'camera.local' was given; "
	  "expected the IPv4 or IPv6 address of a device" },
	{ "{'internal_client':'192.168.69.256'}", "internal_client", NULL },
	{ "{'internal_client':'192.168.69.110\\u0000'}", "internal_client", NULL },
	{ "{'internal_client':'::'}", "internal_client", NULL },
	{ "{'internal_client':3232253294}", "internal_client", NULL },
	{ "{'external_port':0}", "external_port",
	  "external_port: 0 was given; " PORT_EXPECTED ", or auto" },
	{ "{'external_port':65536}", "external_port",
	  "external_port: 65536 was given; " PORT_EXPECTED ", or auto" },
	{ "{'external_port':-1}", "external_port",
	  "external_port: -1 was given; " PORT_EXPECTED ", or auto" },
	{ "{'external_port':80.0}", "external_port",
	  "external_port: 80.0 was given; " PORT_EXPECTED ", or auto" },
	{ "{'external_port':9223372036854775807}", "external_port",
	  "external_port: 9223372036854775807 was given; " PORT_EXPECTED ", or auto" },
	{ "{'external_port':'8888x'}", "external_port",
	  "external_port: '8888x' was given; " PORT_EXPECTED ", or auto" },
	{ "{'external_port':'0'}", "external_port", NULL },
	{ "{'external_port':'65536'}", "external_port", NULL },
	{ "{'external_port':'8003-8000'}", "external_port",
	  "external_port: '8003-8000' was given; " PORT_EXPECTED ", or auto" },
	{ "{'external_port':'8000,8001'}", "external_port", NULL },
	{ "{'external_port':''}", "external_port", NULL },
	{ "{'external_port':' 80'}", "external_port", NULL },
	{ "{'external_port':[8000,8003]}", "external_port", NULL },
	{ "{'external_port':true}", "external_port", NULL },
	{ "{'internal_port':'auto'}", "internal_port",
	  "internal_port: 'auto' was given; " PORT_EXPECTED },
	{ "{'internal_port':'http'}", "internal_port", NULL },
	{ "{'remote_hosts':'10.0.0.0/8'}", "remote_hosts",
	  "remote_hosts: '10.0.0.0/8' was given; " REMOTE_EXPECTED },
	{ "{'remote_hosts':[5]}", "remote_hosts", "remote_hosts: 5 was given; " REMOTE_EXPECTED },
	{ "{'remote_hosts':[null]}", "remote_hosts", NULL },
	{ "{'remote_hosts':[['10.0.0.0/8']]}", "remote_hosts", NULL },
	{ "{'remote_hosts':['10.0.0.1/8']}", "remote_hosts",
	  "remote_hosts: '10.0.0.1/8' has bits set right of its length; expected 10.0.0.0/8" },
	{ "{'remote_hosts':['2001:db8::1/64']}", "remote_hosts",
	  "remote_hosts: '2001:db8::1/64' has bits set right of its length; "
	  "expected 2001:db8::/64" },
	{ "{'remote_hosts':['10.0.0.0/33']}", "remote_hosts", NULL },
	{ "{'remote_hosts':['any']}", "remote_hosts", NULL },
	{ "{'remote_hosts':['']}", "remote_hosts", NULL },
	{ "{'max_connections':0}", "max_connections",
	  "max_connections: 0 was given; " LIMIT_EXPECTED },
	{ "{'max_connections':-5}", "max_connections", NULL },
	{ "{'max_connections':1000001}", "max_connections", NULL },
	{ "{'rate':'5/s'}", "rate", "rate: '5/s' was given; " LIMIT_EXPECTED },
	{ "{'rate':0.5}", "rate", "rate: 0.5 was given; " LIMIT_EXPECTED },
	{ "{'lifetime':0}", "lifetime", "lifetime: 0 was given; " LIFETIME_EXPECTED },
	{ "{'lifetime':-1}", "lifetime", NULL },
	{ "{'lifetime':4294967296}", "lifetime", NULL },
	{ "{'lifetime':1.5}", "lifetime", NULL },
	{ "{'lifetime':'2 hours'}", "lifetime",
	  "lifetime: '2 hours' was given; " LIFETIME_EXPECTED },
	{ "{'lifetime':'0s'}", "lifetime", NULL },
	{ "{'lifetime':'999999d'}", "lifetime", NULL },
	{ "{'lifetime':'60'}", "lifetime", NULL },
	{ "{'expires':'tomorrow'}", "expires", "expires: 'tomorrow' was given; " DATE_EXPECTED },
	{ "{'expires':1795165200}", "expires", NULL },
	{ "{'expires':'2026-02-30T00:00:00Z'}", "expires", NULL },
	{ "{'expires':'1970-01-01T00:00:00Z'}", "expires", NULL },
	{ "{'lifetime':60,'expires':'2026-11-20T10:00:00Z'}", "lifetime",
	  "lifetime: 60 was given beside expires '2026-11-20T10:00:00Z'; "
	  "expected one of the two" },
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < N_OF(refused); i++) {
		json_t *json = json_of(refused[i].json);
		struct mapping_draft draft;
		struct fault f = { 0 };

		mapping_draft_init(&draft);
		assert_int_equal(mapping_draft_read(&draft, json, &f), -EINVAL);
		assert_int_equal(f.kind, FAULT_INVALID);
		assert_string_equal(f.field, refused[i].field);
		if (refused[i].text)
			assert_string_equal(f.text, refused[i].text);
		assert_false(slice_has_control(slice_of(f.text), NULL));
		mapping_draft_init(&draft);
		assert_int_equal(mapping_draft_read(&draft, json, NULL), -EINVAL);
		json_decref(json);
	}
}

static void test_too_many_remote_hosts(void **state)
{
	json_t *json = json_object(), *list = json_array();
	struct mapping_draft draft;
	struct fault f;

	json_object_set_new(json, "remote_hosts", list);
	for (int i = 0; i < MAPPING_REMOTES_MAX; i++)
		json_array_append_new(list, json_sprintf("10.0.%d.1", i));
	mapping_draft_init(&draft);
	assert_int_equal(mapping_draft_read(&draft, json, &f), 0);
	assert_int_equal(draft.spec.n_remote_hosts, MAPPING_REMOTES_MAX);
	json_array_append_new(list, json_string("10.0.0.1"));
	assert_int_equal(mapping_draft_read(&draft, json, &f), -EINVAL);
	assert_string_equal(f.text, "remote_hosts: 65 prefixes were given; expected at most 64");
	json_decref(json);
}

/* A value of any length is shown in part. */
static void test_long_values_are_cut(void **state)
{
	json_t *json = json_object();
	struct mapping_draft draft;
	struct fault f;
	char *text = malloc(100001);

	assert_non_null(text);
	memset(text, 'x', 100000);
	text[100000] = '\0';
	json_object_set_new(json, "protocol", json_string(text));
	mapping_draft_init(&draft);
	assert_int_equal(mapping_draft_read(&draft, json, &f), -EINVAL);
	assert_true(strlen(f.text) < 150);
	json_object_del(json, "protocol");
	json_object_set_new(json, "name", json_string(text));
	assert_int_equal(mapping_draft_read(&draft, json, &f), 0);
	draft.spec.internal_client = addr_from_v4((struct in_addr){ htonl(0x0a000001) });
	draft.spec.internal = (struct port_range){ 80, 80 };
	assert_int_equal(mapping_validate(&draft.spec, NULL, &f), -EINVAL);
	assert_string_equal(f.field, "name");
	json_decref(json);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_numbers_as_ports),
		cmocka_unit_test(test_settled),
		cmocka_unit_test(test_lifetimes),
		cmocka_unit_test(test_dates_in_the_past),
		cmocka_unit_test_setup_teardown(test_what_is_left, freeze, freeze),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_patch),
		cmocka_unit_test(test_the_gateways_own_keys_are_ignored),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_remote_hosts),
		cmocka_unit_test(test_long_values_are_cut),
	};

	return cmocka_run_group_tests(tests, freeze, thaw);
}
