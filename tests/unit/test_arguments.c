/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/arguments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* `out` NULL: refused, with `out`'s place taken by a word of the complaint. */
static void test_external(void **state)
{
	static const struct {
		const char *in, *out, *complaint;
	} cases[] = {
		{ "8888", "8888" },
		{ "1", "1" },
		{ "65535", "65535" },
		{ "8000-8003", "8000-8003" },
		{ "auto", "auto" },
		{ "203.0.113.7:443", "203.0.113.7:443" },
		{ "203.0.113.7:8000-8003", "203.0.113.7:8000-8003" },
		{ "203.0.113.7:auto", "203.0.113.7:auto" },
		{ "[2001:db8::5]:443", "[2001:db8::5]:443" },
		{ "0", NULL, "from 1 to 65535" },
		{ "65536", NULL, "from 1 to 65535" },
		{ "8003-8000", NULL, "lower one first" },
		{ "", NULL, "PORT" },
		{ "8888x", NULL, "PORT" },
		{ "-1", NULL, "PORT" },
		{ "+80", NULL, "PORT" },
		{ " 80", NULL, "PORT" },
		{ "080", NULL, "PORT" },
		{ "8000-", NULL, "PORT" },
		{ "8000-8003-8005", NULL, "PORT" },
		{ ":80", NULL, "PORT" },
		{ "203.0.113.7", NULL, "PORT" },
		{ "203.0.113.7:", NULL, "PORT" },
		{ "203.0.113.300:80", NULL, "PORT" },
		{ "[203.0.113.7]:80", NULL, "PORT" },
		{ "[2001:db8::5]", NULL, "PORT" },
		{ "[2001:db8::5]443", NULL, "PORT" },
		{ "[2001:db8::5]:", NULL, "PORT" },
		{ "[2001:db8::5:443", NULL, "PORT" },
		{ "2001:db8::5:443", NULL, "brackets" },
	};

	for (size_t i = 0; i < ROWS(cases); i++) {
		struct endpoint e = { .ports = { 9, 9 } };
		char text[ENDPOINT_TEXT_MAX];
		struct fault f = { 0 };
		int error = parse_external(slice_of(cases[i].in), &e, &f);

		if (cases[i].out) {
			assert_int_equal(error, 0);
			assert_string_equal(format_endpoint(&e, text), cases[i].out);
			continue;
		}
		if (!error)
			print_error("accepted: %s\n", cases[i].in);
		assert_int_not_equal(error, 0);
		assert_int_equal(e.ports.first, 9);
		assert_non_null(strstr(f.text, "EXTERNAL"));
		assert_non_null(strstr(f.text, cases[i].complaint));
	}
}

static void test_internal(void **state)
{
	static const struct {
		const char *external, *in, *out, *complaint;
	} cases[] = {
		{ "8888", "192.168.69.110:80", "192.168.69.110:80" },
		{ "8000-8003", "192.168.69.120:9000", "192.168.69.120:9000-9003" },
		{ "8000-8003", "192.168.69.120:9000-9003", "192.168.69.120:9000-9003" },
		{ "8000-8003", "192.168.69.120:65532", "192.168.69.120:65532-65535" },
		{ "auto", "192.168.69.120:9000-9003", "192.168.69.120:9000-9003" },
		{ "443", "[2001:db8::5]:443", "[2001:db8::5]:443" },
		/* Widths that differ are the daemon's to refuse: it knows the words for it. */
		{ "8000-8003", "192.168.69.120:9000-9009", "192.168.69.120:9000-9009" },
		{ "8000-8003", "192.168.69.120:65533", NULL, "4 ports" },
		{ "8888", "192.168.69.110", NULL, "ADDRESS:PORT" },
		{ "8888", "80", NULL, "ADDRESS:PORT" },
		{ "8888", "camera:80", NULL, "ADDRESS:PORT" },
		{ "8888", "192.168.69.110:auto", NULL, "ADDRESS:PORT" },
		{ "8888", "192.168.69.110:0", NULL, "from 1 to 65535" },
		{ "8888", "2001:db8::5:443", NULL, "brackets" },
		{ "8888", "", NULL, "ADDRESS:PORT" },
	};

	for (size_t i = 0; i < ROWS(cases); i++) {
		struct endpoint external, e = { .ports = { 9, 9 } };
		char text[ENDPOINT_TEXT_MAX];
		struct fault f = { 0 };
		int error;

		assert_int_equal(parse_external(slice_of(cases[i].external), &external, &f), 0);
		error = parse_internal(slice_of(cases[i].in), &external, &e, &f);
		if (cases[i].out) {
			assert_int_equal(error, 0);
			assert_string_equal(format_endpoint(&e, text), cases[i].out);
			continue;
		}
		if (!error)
			print_error("accepted: %s\n", cases[i].in);
		assert_int_not_equal(error, 0);
		assert_int_equal(e.ports.first, 9);
		assert_non_null(strstr(f.text, "INTERNAL"));
		assert_non_null(strstr(f.text, cases[i].complaint));
	}
}

static void test_endpoints_as_json(void **state)
{
	struct endpoint external, internal;
	json_t *json = json_object();
	char *text;

	assert_int_equal(parse_external(SLICE("203.0.113.7:8000-8003"), &external, NULL), 0);
	assert_int_equal(parse_internal(SLICE("10.0.0.5:9000"), &external, &internal, NULL), 0);
	put_endpoints(json, &external, &internal);
	text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text,
			    "{\"external_addr\":\"203.0.113.7\",\"external_port\":\"8000-8003\","
			    "\"internal_client\":\"10.0.0.5\",\"internal_port\":\"9000-9003\"}");
	free(text);
	json_decref(json);
}

/* `in` becomes the object `out`, or is refused with a line that holds `complaint`. */
static void test_assignments(void **state)
{
	static const struct {
		const char *in, *out, *complaint;
	} cases[] = {
		{ "name=Front door, web", "{\"name\":\"Front door, web\"}" },
		{ "name=", "{\"name\":\"\"}" },
		{ "name=a=b", "{\"name\":\"a=b\"}" },
		{ "name=Tür", "{\"name\":\"Tür\"}" },
		{ "notes=none", "{\"notes\":\"none\"}" },
		{ "protocol=udp", "{\"protocol\":\"udp\"}" },
		{ "external_addr=203.0.113.7", "{\"external_addr\":\"203.0.113.7\"}" },
		{ "external_addr=any", "{\"external_addr\":null}" },
		{ "external_port=8000-8003", "{\"external_port\":\"8000-8003\"}" },
		{ "external_port=auto", "{\"external_port\":\"auto\"}" },
		{ "internal_client=2001:db8::5", "{\"internal_client\":\"2001:db8::5\"}" },
		{ "internal_port=80", "{\"internal_port\":\"80\"}" },
		{ "remote_hosts=10.0.0.0/8, 2001:db8::/32",
		  "{\"remote_hosts\":[\"10.0.0.0/8\",\"2001:db8::/32\"]}" },
		{ "remote_hosts=", "{\"remote_hosts\":[]}" },
		{ "remote_hosts=anyone", "{\"remote_hosts\":[]}" },
		{ "enabled=no", "{\"enabled\":false}" },
		{ "enabled=TRUE", "{\"enabled\":true}" },
		{ "when_disabled=refuse", "{\"when_disabled\":\"refuse\"}" },
		{ "lifetime=2h30m", "{\"lifetime\":9000}" },
		{ "expires=90s", "{\"lifetime\":90}" },
		{ "expires=2026-12-31T18:00:00+01:00", "{\"expires\":\"2026-12-31T17:00:00Z\"}" },
		{ "expires=2026-12-31", "{\"expires\":\"2026-12-30T23:00:00Z\"}" },
		{ "expires=2026-07-01T12:00", "{\"expires\":\"2026-07-01T10:00:00Z\"}" },
		{ "expires=never", "{\"expires\":null}" },
		{ "max_connections=10", "{\"max_connections\":10}" },
		{ "rate=5/s", "{\"rate\":5}" },
		{ "rate=none", "{\"rate\":null}" },
		{ "nmae=x", NULL, "did you mean name?" },
		{ "proto=tcp", NULL, "did you mean protocol?" },
		{ "externalport=1", NULL, "did you mean external_port?" },
		{ "colour=red", NULL, "unknown key \"colour\"" },
		{ "id=m9", NULL, "unknown key \"id\"" },
		{ "name", NULL, "KEY=VALUE" },
		{ "=x", NULL, "KEY=VALUE" },
		{ "name=\xff", NULL, "UTF-8" },
		{ "protocol=sctp", NULL, "tcp, udp or both" },
		{ "protocol=", NULL, "tcp, udp or both" },
		{ "external_addr=gateway", NULL, "address" },
		{ "external_port=65536", NULL, "from 1 to 65535" },
		{ "external_port=http", NULL, "auto" },
		{ "internal_port=auto", NULL, "FIRST-LAST" },
		{ "remote_hosts=10.0.0.1/8", NULL, "did you mean 10.0.0.0/8?" },
		{ "remote_hosts=10.0.0.0/33", NULL, "prefixes" },
		{ "remote_hosts=10.0.0.0/8,,::/0", NULL, "prefixes" },
		{ "enabled=maybe", NULL, "true or false" },
		{ "when_disabled=reject", NULL, "drop or refuse" },
		{ "expires=soon", NULL, "2026-12-31" },
		{ "expires=0s", NULL, "2026-12-31" },
		{ "expires=-2h", NULL, "2026-12-31" },
		{ "expires=2h2h", NULL, "2026-12-31" },
		{ "expires=5000000000s", NULL, "2026-12-31" },
		{ "expires=2026-02-30", NULL, "2026-12-31" },
		{ "expires=2026-12-31T25:00", NULL, "2026-12-31" },
		{ "expires=2026-12-31T18:00Zx", NULL, "2026-12-31" },
		{ "max_connections=0", NULL, "at least 1" },
		{ "max_connections=5/s", NULL, "number of connections" },
		{ "rate=5/m", NULL, "5/s" },
		{ "rate=99999999999", NULL, "5/s" },
	};

	for (size_t i = 0; i < ROWS(cases); i++) {
		json_t *json = json_object();
		struct fault f = { 0 };
		int error = put_assignment(json, cases[i].in, &f);
		char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

		if (cases[i].out) {
			if (error)
				print_error("%s: %s\n", cases[i].in, f.text);
			assert_int_equal(error, 0);
			assert_string_equal(text, cases[i].out);
		} else {
			if (!error)
				print_error("accepted: %s\n", cases[i].in);
			assert_int_not_equal(error, 0);
			if (!strstr(f.text, cases[i].complaint))
				print_error("%s: %s\n", cases[i].in, f.text);
			assert_non_null(strstr(f.text, cases[i].complaint));
		}
		free(text);
		json_decref(json);
	}
}

static void test_from_adds_up(void **state)
{
	json_t *json = json_object();

	assert_int_equal(put_value(json, "--from", "remote_hosts", SLICE("10.0.0.0/8"), NULL), 0);
	assert_int_equal(put_value(json, "--from", "remote_hosts", SLICE("::/0,1.2.3.4"), NULL), 0);
	assert_int_equal(json_array_size(json_object_get(json, "remote_hosts")), 3);
	json_decref(json);
}

static void test_ids(void **state)
{
	static const char *const good[] = { "m7", "tcp/8888", "both/8000-8003",
					    "udp/203.0.113.7:443", "tcp/[2001:db8::5]:443" };
	static const char *const bad[] = { "",	  "7",	      "m",	   "m-1",  "M7",   "8888",
					   "m7x", "tcp:8888", "sctp/8888", "tcp/", "/8888" };
	struct fault f;

	for (size_t i = 0; i < ROWS(good); i++)
		assert_int_equal(check_id(good[i], &f), 0);
	for (size_t i = 0; i < ROWS(bad); i++) {
		assert_int_not_equal(check_id(bad[i], &f), 0);
		assert_non_null(strstr(f.text, "m7"));
	}
}

static int setup(void **state)
{
	/* An hour east of Greenwich, with summer time. */
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_external),	  cmocka_unit_test(test_internal),
		cmocka_unit_test(test_endpoints_as_json), cmocka_unit_test(test_assignments),
		cmocka_unit_test(test_from_adds_up),	  cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
