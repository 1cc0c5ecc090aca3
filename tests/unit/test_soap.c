/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../fuzz/fuzz_soap.c" /* its entry point, and with it the corpus */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "corpus.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SERVICE	    "urn:schemas-upnp-org:service:WANIPConnection:1"
#define ACTION	    SERVICE "#AddPortMapping"

static void test_action(void **state)
{
	static const char *const accepted[] = {
		"\"" ACTION "\"",
		"'" ACTION "'",
		ACTION,
		" \t\"" ACTION "\" ",
	};

	for (size_t i = 0; i < N_OF(accepted); i++) {
		struct soap_action action;

		assert_int_equal(parse_soap_action(slice_of(accepted[i]), &action), 0);
		assert_true(slice_eq(action.service, SERVICE));
		assert_true(slice_eq(action.type, "urn:schemas-upnp-org:service:WANIPConnection"));
		assert_int_equal(action.version, 1);
		assert_true(slice_eq(action.action, "AddPortMapping"));
	}
}

static const char *const bad_actions[] = {
	"",	 "\"",	       "'",	   "\"\"",   "#",	  "\"#\"",     "a#",
	"#b",	 "\"a#b",      "a#b\"",	   "'a#b\"", "\"\"a#b\"", "\"a#b\"\"", "\"a#b'",
	"a\"#b", "a#\"b\"",    "a#b#c",	   "a b#c",  "a#b c",	  "a#b\nc",    "a#b<",
	"a#b-",	 "a#\xc3\xa4", "a/../b#c", "a%20#b",
};

/* 0 to 3 quotes, wherever they stand: only a pair around all is taken off. */
static void test_bad_actions(void **state)
{
	struct soap_action action = { .version = 99 };

	for (size_t i = 0; i < N_OF(bad_actions); i++) {
		assert_int_equal(parse_soap_action(slice_of(bad_actions[i]), &action), -EINVAL);
		assert_int_equal(action.version, 99);
	}
	assert_int_equal(parse_soap_action((struct slice){ "a#b\0c", 5 }, &action), -EINVAL);
}

static void test_action_versions(void **state)
{
	struct soap_action action;

	assert_int_equal(parse_soap_action(SLICE("urn:x:12#A"), &action), 0);
	assert_int_equal(action.version, 12);
	assert_true(slice_eq(action.type, "urn:x"));
	assert_int_equal(parse_soap_action(SLICE("urn:schemas-upnp-org:control-1-0#Q"), &action),
			 0);
	assert_int_equal(action.version, 0);
	assert_true(slice_eq(action.type, "urn:schemas-upnp-org:control-1-0"));
	assert_int_equal(parse_soap_action(SLICE("urn:x:99999999999#A"), &action), 0);
	assert_int_equal(action.version, 0);
	assert_int_equal(parse_soap_action(SLICE(":1#A"), &action), 0);
	assert_int_equal(action.version, 0);
}

static void test_action_lengths(void **state)
{
	char text[SOAP_SERVICE_MAX + SOAP_ACTION_MAX + 3];
	struct soap_action action;

	for (size_t service = SOAP_SERVICE_MAX - 1; service <= SOAP_SERVICE_MAX + 1; service++) {
		for (size_t name = SOAP_ACTION_MAX - 1; name <= SOAP_ACTION_MAX + 1; name++) {
			bool fits = service <= SOAP_SERVICE_MAX && name <= SOAP_ACTION_MAX;

			memset(text, 'a', sizeof(text));
			text[service] = '#';
			assert_int_equal(
				parse_soap_action((struct slice){ text, service + 1 + name },
						  &action),
				fits ? 0 : -EINVAL);
		}
	}
}

#define ENVELOPE(body)                                           \
	"<?xml version=\"1.0\"?><s:Envelope "                    \
	"xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">" \
	"<s:Body>" body "</s:Body></s:Envelope>"
#define ACT(arguments) ENVELOPE("<u:Act xmlns:u=\"" SERVICE "\">" arguments "</u:Act>")

static int parse(const char *body, char *store, struct soap_request *ret)
{
	return parse_soap_request(slice_of(body), store, STORE_MAX, ret);
}

static void test_request(void **state)
{
	static const char body[] = ACT(
		"<NewRemoteHost></NewRemoteHost>"
		"<NewExternalPort> 8888\r\n</NewExternalPort>"
		"<NewEmpty/>"
		"<a:NewText>a &lt;b&gt; &amp; <![CDATA[<c>]]>&#x20AC;<!-- - -->."
		"</a:NewText>");
	struct soap_request request;
	char store[STORE_MAX];

	assert_int_equal(parse(body, store, &request), 0);
	assert_true(slice_eq(request.service, SERVICE));
	assert_true(slice_eq(request.action, "Act"));
	assert_int_equal(request.n_arguments, 4);
	assert_true(slice_eq(request.arguments[0].name, "NewRemoteHost"));
	assert_int_equal(request.arguments[0].value.len, 0);
	assert_true(slice_eq(request.arguments[1].value, "8888"));
	assert_true(slice_eq(request.arguments[2].name, "NewEmpty"));
	assert_true(slice_eq(request.arguments[3].name, "NewText"));
	assert_true(slice_eq(request.arguments[3].value, "a <b> & <c>\xe2\x82\xac."));
	for (size_t len = 0; len < sizeof(body) - 1; len++)
		assert_int_equal(parse_soap_request((struct slice){ body, len }, store,
						    sizeof(store), &request),
				 -EBADMSG);
}

/* Clients that treat namespaces freely. */
static void test_namespaces(void **state)
{
	static const struct {
		const char *body, *service;
	} accepted[] = {
		{ "<Envelope><Body><Act xmlns=\"" SERVICE "\"/></Body></Envelope>", SERVICE },
		{ "<Envelope><Body><Act/></Body></Envelope>", "" },
		{ "<a:Envelope><b:Body><c:Act xmlns:d=\"x\"/></b:Body></a:Envelope>", "" },
		{ "<a:Envelope><a:Body><c:Act xmlns:cc=\"x\" xmlns:c=\"y\"/></a:Body></a:Envelope>",
		  "y" },
		{ "<s:Envelope><s:Header><a><b/></a></s:Header><s:Body><Act/></s:Body></"
		  "s:Envelope>",
		  "" },
		{ "<s:Envelope><s:Header/><s:Body>text<Act/>text</s:Body></s:Envelope>", "" },
		{ "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-16\"?>"
		  "<s:Envelope><s:Body><Act/></s:Body></s:Envelope>",
		  "" },
	};
	struct soap_request request;
	char store[STORE_MAX];

	for (size_t i = 0; i < N_OF(accepted); i++) {
		assert_int_equal(parse(accepted[i].body, store, &request), 0);
		assert_true(slice_eq(request.action, "Act"));
		assert_true(slice_eq(request.service, accepted[i].service));
		assert_int_equal(request.n_arguments, 0);
	}
}

static const char *const bad_bodies[] = {
	"",
	" ",
	"not xml",
	"<Envelope/>",
	"<Envelope><Body/></Envelope>",
	"<Envelope><Header><Act/></Header></Envelope>",
	"<Body><Act/></Body>",
	"<envelope><Body><Act/></Body></envelope>",
	"<Envelope><body><Act/></body></Envelope>",
	"<Envelope><Other/><Body><Act/></Body></Envelope>",
	"<Envelope><Body><Act/><Act/></Body></Envelope>",
	"<Envelope><Body><Act/></Body><Body><Act/></Body></Envelope>",
	"<Envelope><Body><Act/></Body></Envelope>trailing",
	"<Envelope><Body><Act/></Body></Envelope><Envelope/>",
	"<Envelope><Body><Act></Body></Envelope>",
	ACT("<a><b>1</b></a>"),
	ACT("<a>&undefined;</a>"),
	ACT("<a>&#1;</a>"),
	ACT("<a>&#xFFFFFFFF;</a>"),
	ACT("<a>\xff</a>"),
	ACT("<a x='1' x='2'>1</a>"),
	/* document types, with and without what they are for */
	"<!DOCTYPE Envelope><Envelope><Body><Act/></Body></Envelope>",
	"<!DOCTYPE Envelope SYSTEM \"file:///etc/passwd\"><Envelope><Body><Act/></Body></Envelope>",
	"<!DOCTYPE e [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>"
	"<Envelope><Body><Act><x>&b;</x></Act></Body></Envelope>",
	"<!DOCTYPE e [<!ENTITY x SYSTEM \"http://192.0.2.1/\">]>"
	"<Envelope><Body><Act><x>&x;</x></Act></Body></Envelope>",
};

static void test_bad_bodies(void **state)
{
	struct soap_request request = { .n_arguments = 99 };
	char store[STORE_MAX];

	for (size_t i = 0; i < N_OF(bad_bodies); i++) {
		assert_int_equal(parse(bad_bodies[i], store, &request), -EBADMSG);
		assert_int_equal(request.n_arguments, 99);
	}
}

/* Writes `before`, n times `repeated`, `after`. */
static struct slice repeat(char *buf, const char *before, const char *repeated, size_t n,
			   const char *after)
{
	struct writer w = writer_of(buf, 4 * SOAP_BODY_MAX);

	writer_text(&w, before);
	while (n--)
		writer_text(&w, repeated);
	writer_text(&w, after);
	assert_true(writer_finish(&w) > 0);
	return (struct slice){ buf, w.len };
}

static void test_limits(void **state)
{
	static const char before[] = "<Envelope><Header>",
			  after[] = "</Header><Body><Act/></Body></Envelope>";
	static char buf[4 * SOAP_BODY_MAX], store[STORE_MAX];
	struct soap_request request;
	struct slice body;

	/* elements: Envelope, Header, Body and Act come on top */
	for (size_t n = SOAP_ELEMENTS_MAX - 6; n <= SOAP_ELEMENTS_MAX; n++) {
		body = repeat(buf, before, "<x/>", n, after);
		assert_int_equal(parse_soap_request(body, store, sizeof(store), &request),
				 n + 4 <= SOAP_ELEMENTS_MAX ? 0 : -E2BIG);
	}
	for (size_t n = SOAP_ARGUMENTS_MAX - 1; n <= SOAP_ARGUMENTS_MAX + 1; n++) {
		body = repeat(buf, "<Envelope><Body><Act>", "<x/>", n, "</Act></Body></Envelope>");
		assert_int_equal(parse_soap_request(body, store, sizeof(store), &request),
				 n <= SOAP_ARGUMENTS_MAX ? 0 : -E2BIG);
	}
	body = repeat(buf, "<Envelope><Header><a><b><c><d><e><f>", "", 0,
		      "</f></e></d></c></b></a></Header><Body><Act/></Body></Envelope>");
	assert_int_equal(parse_soap_request(body, store, sizeof(store), &request), 0);
	body = repeat(buf, "<Envelope><Header><a><b><c><d><e><f><g/>", "", 0,
		      "</f></e></d></c></b></a></Header><Body><Act/></Body></Envelope>");
	assert_int_equal(parse_soap_request(body, store, sizeof(store), &request), -E2BIG);
	body = repeat(buf, "", "<a>", 1000, "");
	assert_int_equal(parse_soap_request(body, store, sizeof(store), &request), -EBADMSG);
	body = repeat(buf, "<Envelope><Header>", "<a>", 1000, "");
	assert_int_equal(parse_soap_request(body, store, sizeof(store), &request), -E2BIG);

	/* length: an argument that fills the body to its limit */
	body = repeat(buf, "<Envelope><Body><Act><x>", "y", SOAP_BODY_MAX - 52,
		      "</x></Act></Body></Envelope>");
	assert_int_equal(body.len, SOAP_BODY_MAX);
	assert_int_equal(parse_soap_request(body, store, sizeof(store), &request), 0);
	assert_int_equal(request.arguments[0].value.len, SOAP_BODY_MAX - 52);
	body = repeat(buf, "<Envelope><Body><Act><x>", "y", SOAP_BODY_MAX - 51,
		      "</x></Act></Body></Envelope>");
	assert_int_equal(parse_soap_request(body, store, sizeof(store), &request), -E2BIG);
}

/* A store of every size up to what this body needs. */
static void test_store(void **state)
{
	static const char body[] =
		"<Envelope><Body><Act><name>value</name></Act></Body></Envelope>";
	size_t needed = strlen("Actnamevalue");
	struct soap_request request;
	char store[64];

	for (size_t cap = 0; cap <= needed + 1; cap++) {
		memset(store, 0x5a, sizeof(store));
		assert_int_equal(parse_soap_request(slice_of(body), store, cap, &request),
				 cap < needed ? -E2BIG : 0);
		assert_int_equal(store[cap], 0x5a);
	}
}

static void test_corpus(void **state)
{
	assert_true(play_corpus("soap") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_action),		cmocka_unit_test(test_bad_actions),
		cmocka_unit_test(test_action_versions), cmocka_unit_test(test_action_lengths),
		cmocka_unit_test(test_request),		cmocka_unit_test(test_namespaces),
		cmocka_unit_test(test_bad_bodies),	cmocka_unit_test(test_limits),
		cmocka_unit_test(test_store),		cmocka_unit_test(test_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
