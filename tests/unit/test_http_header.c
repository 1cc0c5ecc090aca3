/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../fuzz/fuzz_http_header.c" /* its entry point, and with it the corpus */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "corpus.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CRLF	    "\r\n"

static void test_request(void **state)
{
	struct slice message = SLICE(
		"POST /ctl/IPConn HTTP/1.1" CRLF "Host: 192.168.69.1:49152" CRLF
		"SOAPAction:  \t\"urn:x:1#Act\" \t" CRLF "Empty:" CRLF CRLF "body");
	struct slice fields, name, value;
	struct http_head head;

	assert_int_equal(parse_http_head(message, HTTP_STREAM, &head), message.len - 4);
	assert_true(slice_eq(head.method, "POST"));
	assert_true(slice_eq(head.target, "/ctl/IPConn"));
	assert_int_equal(head.minor, 1);
	fields = head.fields;
	assert_true(http_next_field(&fields, &name, &value));
	assert_true(slice_eq(name, "Host"));
	assert_true(slice_eq(value, "192.168.69.1:49152"));
	assert_true(http_next_field(&fields, &name, &value));
	assert_true(slice_eq(name, "SOAPAction"));
	assert_true(slice_eq(value, "\"urn:x:1#Act\""));
	assert_true(http_next_field(&fields, &name, &value));
	assert_true(slice_eq(name, "Empty"));
	assert_int_equal(value.len, 0);
	assert_false(http_next_field(&fields, &name, &value));
	assert_true(slice_eq(name, "Empty"));

	/* no prefix of the head is one; every prefix of the body is of no interest */
	for (size_t len = 0; len < message.len - 4; len++)
		assert_int_equal(
			parse_http_head((struct slice){ message.at, len }, HTTP_STREAM, &head),
			-EAGAIN);
	play_prefixes((const uint8_t *)message.at, message.len);
}

#define WITH(line) ("GET / HTTP/1.1" CRLF line CRLF CRLF)

static const char *const bad_heads[] = {
	/* request lines */
	"GET / HTTP/1.1\n\n",
	"GET / HTTP/1.1\r\r\n\r\n",
	"GET  / HTTP/1.1" CRLF CRLF,
	"GET /  HTTP/1.1" CRLF CRLF,
	"GET /a b HTTP/1.1" CRLF CRLF,
	"GET / HTTP/1.1 " CRLF CRLF,
	" GET / HTTP/1.1" CRLF CRLF,
	"GET\t/ HTTP/1.1" CRLF CRLF,
	"GET /" CRLF CRLF,
	"GET" CRLF CRLF,
	"GET / HTTP/2.0" CRLF CRLF,
	"GET / HTTP/1.x" CRLF CRLF,
	"GET / HTTP/1.10" CRLF CRLF,
	"GET / http/1.1" CRLF CRLF,
	"G(T / HTTP/1.1" CRLF CRLF,
	"GET /\x7f HTTP/1.1" CRLF CRLF,
	"GET /\x01 HTTP/1.1" CRLF CRLF,
	CRLF CRLF "GET / HTTP/1.1" CRLF CRLF,
	/* fields */
	WITH("no colon"),
	WITH(": value"),
	WITH("Name : value"),
	WITH(" Name: value"),
	WITH("Name: value" CRLF " folded"),
	WITH("Name: value" CRLF "\tfolded"),
	WITH("Na me: value"),
	WITH("N\xc3\xa4me: value"),
	WITH("Name: a\rb"),
	WITH("Name: a\nb"),
	WITH("Name: a\n"),
	WITH("Name: a\x01"),
	WITH("Name: \x7f"),
};

static void test_bad_heads(void **state)
{
	for (size_t i = 0; i < N_OF(bad_heads); i++) {
		struct http_head head = { .minor = 99 };
		struct slice message = slice_of(bad_heads[i]);

		assert_int_equal(parse_http_head(message, HTTP_STREAM, &head), -EBADMSG);
		assert_int_equal(parse_http_head(message, HTTP_DATAGRAM, &head), -EBADMSG);
		assert_int_equal(head.minor, 99);
		play_prefixes((const uint8_t *)message.at, message.len);
	}
}

/* A NUL is not a line's end for anyone here, nor part of a value. */
static void test_every_byte_in_a_value(void **state)
{
	for (unsigned c = 0; c < 256; c++) {
		char text[] = "GET / HTTP/1.1" CRLF "Name: axb" CRLF CRLF;
		struct slice message = { text, sizeof(text) - 1 };
		bool fine = c == '\t' || (c >= 0x20 && c != 0x7f);
		struct http_head head;
		ssize_t n;

		*strchr(text, 'x') = (char)c;
		n = parse_http_head(message, HTTP_STREAM, &head);
		assert_int_equal(n, fine ? (ssize_t)message.len : -EBADMSG);
	}
}

static void test_leniency(void **state)
{
	struct http_head head;
	struct slice value;

	/* one empty line in front (RFC 9112, 2.2); HTTP/1.0; any case of a name */
	assert_true(parse_http_head(SLICE(CRLF "GET / HTTP/1.0" CRLF "hOsT: a" CRLF CRLF),
				    HTTP_STREAM, &head) > 0);
	assert_int_equal(head.minor, 0);
	assert_int_equal(http_find_field(&head, "Host", &value), 0);
	assert_true(slice_eq(value, "a"));
	/* a datagram may end behind any whole line, a stream's head may not */
	assert_int_equal(parse_http_head(SLICE("GET / HTTP/1.1" CRLF), HTTP_DATAGRAM, &head), 16);
	assert_int_equal(parse_http_head(SLICE("GET / HTTP/1.1" CRLF), HTTP_STREAM, &head),
			 -EAGAIN);
	assert_int_equal(parse_http_head(SLICE("GET / HTTP/1.1"), HTTP_DATAGRAM, &head), -EBADMSG);
	assert_int_equal(parse_http_head(SLICE("GET / HTTP/1.1\r"), HTTP_DATAGRAM, &head),
			 -EBADMSG);
	assert_int_equal(parse_http_head(slice_of(NULL), HTTP_DATAGRAM, &head), -EBADMSG);
	assert_int_equal(parse_http_head(slice_of(NULL), HTTP_STREAM, &head), -EAGAIN);
}

static void test_find(void **state)
{
	struct slice value = SLICE("untouched");
	struct http_head head;

	assert_true(parse_http_head(
			    SLICE("GET / HTTP/1.1" CRLF "A: 1" CRLF "B: 2" CRLF "a: 3" CRLF CRLF),
			    HTTP_STREAM, &head) > 0);
	assert_int_equal(http_find_field(&head, "A", &value), -EEXIST);
	assert_int_equal(http_find_field(&head, "C", &value), -ENOENT);
	assert_int_equal(http_find_field(&head, "", &value), -ENOENT);
	assert_true(slice_eq(value, "untouched"));
	assert_int_equal(http_find_field(&head, "b", &value), 0);
	assert_true(slice_eq(value, "2"));
}

struct framing_case {
	const char *head;
	int error;
	enum http_framing framing;
	uint32_t length;
};

static const struct framing_case framing_cases[] = {
	{ WITH("Host: a"), 0, HTTP_NO_BODY, 0 },
	{ WITH("Content-Length: 0"), 0, HTTP_LENGTH, 0 },
	{ WITH("content-length: 16384"), 0, HTTP_LENGTH, 16384 },
	{ WITH("Transfer-Encoding: Chunked"), 0, HTTP_CHUNKED, 0 },
	{ WITH("Content-Length: 16385"), -EMSGSIZE, 0, 0 },
	{ WITH("Content-Length: 10000000000000000000000000000"), -EMSGSIZE, 0, 0 },
	{ WITH("Content-Length: 4294967300"), -EMSGSIZE, 0, 0 },
	{ WITH("Content-Length:"), -EBADMSG, 0, 0 },
	{ WITH("Content-Length: -1"), -EBADMSG, 0, 0 },
	{ WITH("Content-Length: +1"), -EBADMSG, 0, 0 },
	{ WITH("Content-Length: 010"), -EBADMSG, 0, 0 },
	{ WITH("Content-Length: 0x10"), -EBADMSG, 0, 0 },
	{ WITH("Content-Length: 1 2"), -EBADMSG, 0, 0 },
	{ WITH("Content-Length: 1, 1"), -EBADMSG, 0, 0 },
	{ WITH("Content-Length: 5" CRLF "Content-Length: 5"), -EBADMSG, 0, 0 },
	{ WITH("Content-Length: 5" CRLF "Transfer-Encoding: chunked"), -EBADMSG, 0, 0 },
	{ WITH("Transfer-Encoding: chunked" CRLF "Transfer-Encoding: chunked"), -EBADMSG, 0, 0 },
	{ WITH("Transfer-Encoding: gzip"), -ENOTSUP, 0, 0 },
	{ WITH("Transfer-Encoding: gzip, chunked"), -ENOTSUP, 0, 0 },
	{ WITH("Transfer-Encoding:"), -ENOTSUP, 0, 0 },
};

static void test_framing(void **state)
{
	for (size_t i = 0; i < N_OF(framing_cases); i++) {
		const struct framing_case *c = &framing_cases[i];
		enum http_framing framing = 99;
		uint32_t length = 4711;
		struct http_head head;

		assert_true(parse_http_head(slice_of(c->head), HTTP_STREAM, &head) > 0);
		assert_int_equal(http_find_framing(&head, 16384, &framing, &length), c->error);
		assert_int_equal(framing, c->error ? 99 : c->framing);
		assert_int_equal(length, c->error ? 4711 : c->length);
	}
}

static void test_corpus(void **state)
{
	assert_true(play_corpus("http_header") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_bad_heads),
		cmocka_unit_test(test_every_byte_in_a_value),
		cmocka_unit_test(test_leniency),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
