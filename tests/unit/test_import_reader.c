/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve/import_reader.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct seen {
	size_t n;
	int stop_at; /* index at which on_mapping refuses, or -1 */
};

static int on_mapping(void *arg, size_t index, const json_t *mapping)
{
	struct seen *seen = arg;

	assert_int_equal(index, seen->n);
	assert_non_null(mapping);
	seen->n++;
	return seen->stop_at == (int)index ? -ECANCELED : 0;
}

/* Reads exactly these bytes, from memory that ends where they end. */
static int read_bytes(const char *text, size_t len, struct import_reader *reader, bool *ret_replace)
{
	char *exact = malloc(len ? len : 1);
	int r;

	assert_non_null(exact);
	memcpy(exact, text, len);
	reader->on_mapping = on_mapping;
	r = import_read(reader, (struct slice){ exact, len }, ret_replace);
	free(exact);
	return r;
}

static const struct {
	const char *text;
	size_t n;
	bool replace;
} good[] = {
	{ "{\"mappings\":[]}", 0, false },
	{ "{\"mappings\":[{}]}", 1, false },
	{ "{\"mappings\":[{},{\"a\":[1,{\"b\":\"]\"}]}],\"replace\":true}", 2, true },
	{ "{\"replace\":true,\"portwright\":1,\"mappings\":[1,\"x\",null,[[]],-1.5e3,true]}", 6,
	  true },
	{ " {\t\"mappings\" :\r\n[ {} , {} ] , \"replace\" : false } \n", 2, false },
};

static void reads_what_is_right(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct seen seen = { .stop_at = -1 };
		struct import_reader reader = { .arg = &seen };
		bool replace;

		assert_int_equal(read_bytes(good[i].text, strlen(good[i].text), &reader, &replace),
				 0);
		assert_int_equal(seen.n, good[i].n);
		assert_int_equal(replace, good[i].replace);
	}
}

/* Every beginning of a right text that is not all of it is malformed, and leaves *replace alone. */
static void refuses_every_beginning(void **state)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		size_t whole = (size_t)(strrchr(good[i].text, '}') - good[i].text) + 1;

		for (size_t len = 0; len < whole; len++) {
			struct seen seen = { .stop_at = -1 };
			struct import_reader reader = { .arg = &seen };
			bool replace = true;

			assert_int_equal(read_bytes(good[i].text, len, &reader, &replace),
					 -EBADMSG);
			assert_true(reader.malformed);
			assert_true(reader.error[0]);
			assert_true(replace);
		}
	}
}

static void ends_where_the_caller_does(void **state)
{
	for (int stop_at = 0; stop_at < 2; stop_at++) {
		struct seen seen = { .stop_at = stop_at };
		struct import_reader reader = { .arg = &seen };
		bool replace;

		assert_int_equal(read_bytes(good[2].text, strlen(good[2].text), &reader, &replace),
				 -ECANCELED);
		assert_int_equal(seen.n, stop_at + 1);
	}
}

static const struct {
	const char *text, *says;
	bool malformed;
} bad[] = {
	{ "[]", "line 1, byte 1", true },
	{ "{\"mappings\":[]}x", "line 1, byte 16", true },
	{ "{\"mappings\":[\n{},\n x]}", "line 3, byte ", true },
	{ "{\"mappings\":[]\"replace\":true}", "line 1, byte 15", true },
	{ "{\"mappings\":[],\"mappings\":[]}", "twice", true },
	{ "{1:[]}", "expected a key", true },
	{ "{\"mappings\":[{\"a\":1,\"a\":2}]}", "duplicate", true },
	{ "{\"mappings\":[\"\xff\"]}", "line 1", true },
	{ "{}", "mappings: is missing", false },
	{ "{\"mappings\":{}}", "mappings: expected a list", false },
	{ "{\"mappings\":[],\"replace\":\"yes\"}", "replace: expected true or false", false },
	{ "{\"portwright\":2,\"mappings\":[]}", "portwright: expected 1", false },
	{ "{\"\x1b[31m\":1}", "line 1", true },
	{ "{\"\\u001b[31m\":1}", "'\\x1b[31m' is not a key", false },
};

static void says_what_is_wrong(void **state)
{
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct seen seen = { .stop_at = -1 };
		struct import_reader reader = { .arg = &seen };
		bool replace;

		assert_int_equal(read_bytes(bad[i].text, strlen(bad[i].text), &reader, &replace),
				 -EBADMSG);
		if (!strstr(reader.error, bad[i].says))
			fail_msg("%s: %s", bad[i].text, reader.error);
		assert_int_equal(reader.malformed, bad[i].malformed);
		assert_null(strchr(reader.error, '\n'));
		assert_null(strchr(reader.error, '\x1b'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_is_right),
		cmocka_unit_test(refuses_every_beginning),
		cmocka_unit_test(ends_where_the_caller_does),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
