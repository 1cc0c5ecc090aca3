/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of chunked bodies: each is read whole and cut at every byte, which must not matter.
 */
#include "wire/http_chunks.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BODY_MAX 32

/* Feeds text[len] as a piece of `cut` bytes and a piece of the others. Returns the error, or how
 * many bytes were used up; *ret_body is a copy of the body, *ret_done whether it ended. */
static ssize_t feed(const char *text, size_t len, size_t cut, char *ret_body, size_t *ret_len,
		    bool *ret_done)
{
	struct http_chunks c = http_chunks_of(BODY_MAX);
	char *bytes = malloc(len + 1); /* exactly as many as may be touched, for ASan */
	size_t begin = 0, given = cut, used = 0, body;
	ssize_t n;

	assert_non_null(bytes);
	memcpy(bytes, text, len);
	for (int i = 0; i < 2; i++, given = len) {
		n = http_chunks_read(&c, bytes + begin, given - used, &body);
		if (n < 0)
			goto out;
		memcpy(ret_body + begin, bytes + begin, body);
		used += (size_t)n;
		begin += body;
		memmove(bytes + begin, text + used, len - used);
	}
	n = (ssize_t)used;
	*ret_len = begin;
	*ret_done = http_chunks_done(&c);
out:
	free(bytes);
	return n;
}

static void expect(const char *text, const char *body, size_t rest)
{
	size_t len = strlen(text);

	for (size_t cut = 0; cut <= len; cut++) {
		char got[256];
		size_t got_len = 0;
		bool done = false;

		assert_int_equal(feed(text, len, cut, got, &got_len, &done), len - rest);
		assert_true(done);
		assert_int_equal(got_len, strlen(body));
		assert_memory_equal(got, body, got_len);
	}
}

static void expect_error(const char *text, int error)
{
	size_t len = strlen(text);

	for (size_t cut = 0; cut <= len; cut++) {
		char got[256];
		size_t got_len = 0;
		bool done = false;

		assert_int_equal(feed(text, len, cut, got, &got_len, &done), error);
	}
}

static void test_bodies(void **state)
{
	expect("0\r\n\r\n", "", 0);
	expect("5\r\nhello\r\n0\r\n\r\n", "hello", 0);
	expect("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", 0);
	expect("00005;name=value\r\nhello\r\n0;last\r\nTrailer: yes\r\n\r\n", "hello", 0);
	expect("a \r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", 0);
	expect("2\r\n\r\n\r\n0\r\n\r\nPOST /", "\r\n", 6);
}

static void test_malformed(void **state)
{
	expect_error("\r\n", -EBADMSG);
	expect_error("x\r\n", -EBADMSG);
	expect_error("-5\r\nhello\r\n", -EBADMSG);
	expect_error("0x5\r\nhello\r\n", -EBADMSG);
	expect_error("5\nhello\r\n", -EBADMSG);
	expect_error("5\r\nhello\n0\r\n\r\n", -EBADMSG);
	expect_error("5\r\nhello!\r\n0\r\n\r\n", -EBADMSG);
	expect_error("5\r\nhell\r\n0\r\n\r\n", -EBADMSG);
	expect_error("5\rhello\r\n", -EBADMSG);
	expect_error("5 hello\r\n", -EBADMSG);
	expect_error("0\r\nTrailer: \001\r\n\r\n", -EBADMSG);
}

static void test_limits(void **state)
{
	char line[600];

	expect_error("21\r\n", -EMSGSIZE);
	expect_error("20\r\n01234567890123456789012345678901\r\n1\r\n", -EMSGSIZE);
	expect_error("ffffffff\r\n", -EMSGSIZE);
	expect_error("fffffffff\r\n", -EMSGSIZE);
	expect_error("100000005\r\nhello\r\n", -EMSGSIZE);
	memset(line, 'x', sizeof(line));
	memcpy(line, "1;", 2);
	line[sizeof(line) - 1] = '\0';
	expect_error(line, -EBADMSG);
}

/* Every beginning of a body is one that has not ended. */
static void test_prefixes(void **state)
{
	const char text[] = "5;e\r\nhello\r\n0\r\nTrailer: yes\r\n\r\n";

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char got[256];
		size_t got_len = 0;
		bool done = false;

		assert_true(feed(text, len, len / 2, got, &got_len, &done) >= 0);
		assert_false(done);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
