/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/soap_response.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define OPEN                                                                \
	"<?xml version=\"1.0\"?>\n"                                         \
	"<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"" \
	" s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>"
#define CLOSE "</s:Body></s:Envelope>\n"

static const char response[] = OPEN
	"<u:GetXResponse xmlns:u=\"urn:x:1&quot;\"><NewName>a &lt;b&gt;</NewName>"
	"<NewEmpty></NewEmpty><NewPort>8888</NewPort></u:GetXResponse>" CLOSE;

static void write_response(struct writer *w)
{
	soap_response_begin(w, SLICE("urn:x:1\""), "GetX");
	soap_response_text(w, "NewName", SLICE("a <b>"));
	soap_response_text(w, "NewEmpty", slice_of(NULL));
	soap_response_number(w, "NewPort", 8888);
	soap_response_end(w, "GetX");
}

static void test_response(void **state)
{
	size_t len = sizeof(response) - 1;
	char buf[sizeof(response) + 1];

	for (size_t cap = 0; cap <= len + 1; cap++) {
		struct writer w = writer_of(buf, cap);

		memset(buf, 0x5a, sizeof(buf));
		write_response(&w);
		assert_int_equal(writer_finish(&w), cap < len ? -EMSGSIZE : (ssize_t)len);
		assert_memory_equal(buf, response, w.len);
		assert_int_equal(buf[w.len], 0x5a);
	}
}

/* A value that is a document itself arrives as text. */
static void test_nested(void **state)
{
	char buf[1024];
	struct writer w = writer_of(buf, sizeof(buf));

	soap_response_text(&w, "NewPortListing", SLICE("<p:a x=\"1\">b &amp; c</p:a>"));
	writer_u8(&w, 0);
	assert_string_equal(buf,
			    "<NewPortListing>&lt;p:a x=&quot;1&quot;&gt;b &amp;amp; c&lt;/p:a&gt;"
			    "</NewPortListing>");
}

static void assert_fault(uint16_t code, const char *description, const char *expected)
{
	size_t len = strlen(expected);
	char buf[1024];

	assert_int_equal(format_soap_fault(code, description, buf, len - 1), -EMSGSIZE);
	assert_int_equal(format_soap_fault(code, description, buf, len), len);
	assert_int_equal(format_soap_fault(code, description, buf, sizeof(buf)), len);
	assert_memory_equal(buf, expected, len);
}

#define FAULT(code, description)                                                            \
	OPEN "<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring>" \
	     "<detail><UPnPError xmlns=\"urn:schemas-upnp-org:control-1-0\">"               \
	     "<errorCode>" code "</errorCode><errorDescription>" description                \
	     "</errorDescription></UPnPError></detail></s:Fault>" CLOSE

static void test_faults(void **state)
{
	assert_fault(402, NULL, FAULT("402", "Invalid Args"));
	assert_fault(718, "ConflictInMappingEntry", FAULT("718", "ConflictInMappingEntry"));
	assert_fault(501, "a < b", FAULT("501", "a &lt; b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_response),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
