/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../fuzz/fuzz_ssdp.c" /* its entry point, and with it the corpus */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "corpus.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CRLF	    "\r\n"
#define START	    "M-SEARCH * HTTP/1.1" CRLF
#define HOST_LINE   "HOST: 239.255.255.250:1900" CRLF
#define MAN_LINE    "MAN: \"ssdp:discover\"" CRLF
#define IGD	    "urn:schemas-upnp-org:device:InternetGatewayDevice"

static void test_search(void **state)
{
	struct slice text = SLICE(START HOST_LINE MAN_LINE "MX: 3" CRLF "ST: " IGD ":1" CRLF
							   "USER-AGENT: FDSSDP" CRLF CRLF);
	struct ssdp_search search;

	assert_int_equal(parse_ssdp_search(text, &search), 0);
	assert_true(slice_eq(search.target, IGD ":1"));
	assert_true(slice_eq(search.user_agent, "FDSSDP"));
	assert_true(search.has_mx);
	assert_int_equal(search.mx, 3);
	play_prefixes((const uint8_t *)text.at, text.len);
}

struct search_case {
	const char *text;
	int error;
};

static const struct search_case search_cases[] = {
	{ START MAN_LINE "ST: ssdp:all" CRLF CRLF, 0 },
	{ START MAN_LINE "ST: ssdp:all" CRLF, 0 }, /* the empty line is missing */
	{ START "man:ssdp:discover" CRLF "st:ssdp:all" CRLF CRLF, 0 },
	{ START "Man: \"SSDP:Discover\"" CRLF "ST: x" CRLF CRLF, 0 },
	{ START "ST: ssdp:all" CRLF CRLF, -EINVAL },
	{ START "MAN:" CRLF "ST: ssdp:all" CRLF CRLF, -EINVAL },
	{ START "MAN: \"" CRLF "ST: ssdp:all" CRLF CRLF, -EINVAL },
	{ START "MAN: \"ssdp:discover" CRLF "ST: ssdp:all" CRLF CRLF, -EINVAL },
	{ START "MAN: \"ssdp:other\"" CRLF "ST: ssdp:all" CRLF CRLF, -EINVAL },
	{ START MAN_LINE CRLF, -EINVAL },
	{ START MAN_LINE "ST:" CRLF CRLF, -EINVAL },
	{ START MAN_LINE "ST: a" CRLF "ST: b" CRLF CRLF, -EINVAL },
	{ START MAN_LINE MAN_LINE "ST: a" CRLF CRLF, -EINVAL },
	{ START MAN_LINE "ST: a" CRLF "MX: 1" CRLF "MX: 1" CRLF CRLF, -EINVAL },
	{ "M-SEARCH / HTTP/1.1" CRLF MAN_LINE "ST: a" CRLF CRLF, -ENOMSG },
	{ "m-search * HTTP/1.1" CRLF MAN_LINE "ST: a" CRLF CRLF, -ENOMSG },
	{ "NOTIFY * HTTP/1.1" CRLF "NT: upnp:rootdevice" CRLF CRLF, -ENOMSG },
	{ "HTTP/1.1 200 OK" CRLF CRLF, -EBADMSG },
	{ START MAN_LINE "ST: a\n\n", -EBADMSG },
	{ START MAN_LINE "ST: a", -EBADMSG },
	{ "", -EBADMSG },
};

static void test_searches(void **state)
{
	for (size_t i = 0; i < N_OF(search_cases); i++) {
		const struct search_case *c = &search_cases[i];
		struct ssdp_search search = { .mx = 99 };

		assert_int_equal(parse_ssdp_search(slice_of(c->text), &search), c->error);
		assert_int_equal(search.mx, c->error ? 99 : 0);
		play_prefixes((const uint8_t *)c->text, strlen(c->text));
	}
}

struct mx_case {
	const char *text;
	bool has_mx;
	uint8_t mx;
};

static const struct mx_case mx_cases[] = {
	{ "0", true, 0 },    { "1", true, 1 },	  { "5", true, 5 },
	{ "6", true, 5 },    { "120", true, 5 },  { "99999999999999999999", true, 5 },
	{ "003", true, 3 },  { "000", true, 0 },  { "", false, 0 },
	{ "-1", false, 0 },  { "+1", false, 0 },  { "3 s", false, 0 },
	{ "0x3", false, 0 }, { "3.5", false, 0 },
};

static void test_mx(void **state)
{
	for (size_t i = 0; i < N_OF(mx_cases); i++) {
		struct ssdp_search search;
		char text[256];

		snprintf(text, sizeof(text), START MAN_LINE "ST: a" CRLF "MX: %s" CRLF CRLF,
			 mx_cases[i].text);
		assert_int_equal(parse_ssdp_search(slice_of(text), &search), 0);
		assert_int_equal(search.has_mx, mx_cases[i].has_mx);
		assert_int_equal(search.mx, mx_cases[i].mx);
	}
}

static void test_longest_search(void **state)
{
	char text[SSDP_SEARCH_MAX + 2] = START MAN_LINE "ST: ";
	size_t start = strlen(text);
	struct ssdp_search search;

	memset(text + start, 'a', sizeof(text) - start);
	memcpy(text + SSDP_SEARCH_MAX - 2, CRLF, 2);
	assert_int_equal(parse_ssdp_search((struct slice){ text, SSDP_SEARCH_MAX }, &search), 0);
	memcpy(text + SSDP_SEARCH_MAX - 2, "a" CRLF, 3);
	assert_int_equal(parse_ssdp_search((struct slice){ text, SSDP_SEARCH_MAX + 1 }, &search),
			 -EBADMSG);
}

struct match_case {
	const char *search_target;
	int target;	  /* of the fuzz target's table: root, UUID, device:2, service:2 */
	uint32_t version; /* 99: no match */
};

static const struct match_case match_cases[] = {
	{ "ssdp:all", 0, 0 },
	{ "ssdp:all", 1, 0 },
	{ "ssdp:all", 2, 2 },
	{ "SSDP:ALL", 0, 99 },
	{ "upnp:rootdevice", 0, 0 },
	{ "upnp:rootdevice", 1, 99 },
	{ "upnp:rootdevice", 2, 99 },
	{ "upnp:rootdevice:1", 0, 99 },
	{ "upnp:rootdevic", 0, 99 },
	{ "uuid:" UUID, 1, 0 },
	{ "uuid:6E7D3A1C-6C1E-4AD8-9D43-0D6AD9F0A001", 1, 0 },
	{ "uuid:" UUID, 0, 99 },
	{ "uuid:" UUID "x", 1, 99 },
	{ UUID, 1, 99 },
	{ IGD ":1", 2, 1 },
	{ IGD ":2", 2, 2 },
	{ IGD ":3", 2, 99 },
	{ IGD ":0", 2, 99 },
	{ IGD ":01", 2, 99 },
	{ IGD ":", 2, 99 },
	{ IGD, 2, 99 },
	{ IGD ":1x", 2, 99 },
	{ IGD ":4294967297", 2, 99 },
	{ IGD ":1", 3, 99 },
	{ "", 0, 99 },
};

static void test_matches(void **state)
{
	for (size_t i = 0; i < N_OF(match_cases); i++) {
		const struct match_case *c = &match_cases[i];
		uint32_t version = 99;

		assert_int_equal(ssdp_target_matches(&targets[c->target],
						     slice_of(c->search_target), &version),
				 c->version != 99);
		assert_int_equal(version, c->version);
	}
}

static void assert_message(enum ssdp_message message, const struct ssdp_device *d,
			   const struct ssdp_target *target, uint32_t version, const char *expected)
{
	char buf[SSDP_MESSAGE_MAX];
	size_t len = strlen(expected);

	for (size_t cap = 0; cap < len; cap++)
		assert_int_equal(format_ssdp(message, d, target, version, buf, cap), -EMSGSIZE);
	memset(buf, 0x5a, sizeof(buf));
	assert_int_equal(format_ssdp(message, d, target, version, buf, len), len);
	assert_int_equal(format_ssdp(message, d, target, version, buf, sizeof(buf)), len);
	assert_memory_equal(buf, expected, len);
	assert_int_equal(buf[len], 0x5a);
}

#define LOCATION_LINE "LOCATION: http://192.168.69.1:49152/6e7d3a1c/rootDesc.xml" CRLF
#define SERVER_LINE   "SERVER: Linux/6.18 UPnP/1.1 Portwright/0.1.0" CRLF
#define ID_LINES      "BOOTID.UPNP.ORG: 7" CRLF "CONFIGID.UPNP.ORG: 1337" CRLF

static void test_response(void **state)
{
	assert_message(SSDP_RESPONSE, &device, &targets[3], 1,
		       "HTTP/1.1 200 OK" CRLF "CACHE-CONTROL: max-age=1800" CRLF
		       "DATE: Fri, 20 Nov 2026 10:00:00 GMT" CRLF
		       "EXT: " CRLF LOCATION_LINE SERVER_LINE
		       "ST: urn:schemas-upnp-org:service:WANIPConnection:1" CRLF "USN: uuid:" UUID
		       "::urn:schemas-upnp-org:service:WANIPConnection:1" CRLF ID_LINES CRLF);
}

static void test_notifications(void **state)
{
	struct ssdp_device d = device;

	assert_message(SSDP_ALIVE, &d, &targets[2], 0,
		       "NOTIFY * HTTP/1.1" CRLF HOST_LINE
		       "CACHE-CONTROL: max-age=1800" CRLF LOCATION_LINE
		       "NTS: ssdp:alive" CRLF SERVER_LINE "NT: " IGD ":2" CRLF "USN: uuid:" UUID
		       "::" IGD ":2" CRLF ID_LINES CRLF);
	assert_message(SSDP_BYEBYE, &d, &targets[1], 0,
		       "NOTIFY * HTTP/1.1" CRLF HOST_LINE "NTS: ssdp:byebye" CRLF
		       "NT: uuid:" UUID CRLF "USN: uuid:" UUID CRLF ID_LINES CRLF);
	d.next_boot_id = 8;
	d.search_port = 1901;
	d.host = SSDP_HOST_V6;
	assert_message(SSDP_UPDATE, &d, &targets[0], 0,
		       "NOTIFY * HTTP/1.1" CRLF "HOST: [FF02::C]:1900" CRLF LOCATION_LINE
		       "NTS: ssdp:update" CRLF "NT: upnp:rootdevice" CRLF "USN: uuid:" UUID
		       "::upnp:rootdevice" CRLF "BOOTID.UPNP.ORG: 7" CRLF
		       "NEXTBOOTID.UPNP.ORG: 8" CRLF "CONFIGID.UPNP.ORG: 1337" CRLF
		       "SEARCHPORT.UPNP.ORG: 1901" CRLF CRLF);
}

/* What there is nothing to say about is left out. */
static void test_shortest_response(void **state)
{
	static const struct ssdp_device bare = { .location = "http://192.168.69.1/d" };

	assert_message(SSDP_RESPONSE, &bare, &targets[0], 0,
		       "HTTP/1.1 200 OK" CRLF "EXT: " CRLF "LOCATION: http://192.168.69.1/d" CRLF
		       "ST: upnp:rootdevice" CRLF "USN: uuid:" UUID "::upnp:rootdevice" CRLF CRLF);
}

static void test_corpus(void **state)
{
	assert_true(play_corpus("ssdp") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_searches),
		cmocka_unit_test(test_mx),
		cmocka_unit_test(test_longest_search),
		cmocka_unit_test(test_matches),
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_notifications),
		cmocka_unit_test(test_shortest_response),
		cmocka_unit_test(test_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
