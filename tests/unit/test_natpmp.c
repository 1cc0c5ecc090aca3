/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "../fuzz/fuzz_natpmp.c" /* its entry point, and with it the corpus */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "corpus.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

struct request_case {
	const char *bytes;
	size_t len;
	struct natpmp_request request;
};

#define BYTES(text) (text), sizeof(text) - 1

static const struct request_case request_cases[] = {
	{ BYTES("\x00\x00"), { .opcode = NATPMP_EXTERNAL_ADDRESS } },
	{ BYTES("\x00\x00trailing"), { .opcode = NATPMP_EXTERNAL_ADDRESS } },
	{ BYTES("\x00\x01\x00\x00\x02\x2a\x22\xb8\x00\x00\x1c\x20"),
	  { NATPMP_MAP_UDP, 554, 8888, 7200 } },
	{ BYTES("\x00\x02\x00\x00\x00\x50\x00\x00\x00\x00\x1c\x20"),
	  { NATPMP_MAP_TCP, 80, 0, 7200 } },
	/* reserved bits are ignored (3.3) */
	{ BYTES("\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
	  { NATPMP_MAP_TCP, 65535, 65535, UINT32_MAX } },
	{ BYTES("\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), { NATPMP_MAP_TCP, 0, 0, 0 } },
};

static void test_requests(void **state)
{
	for (size_t i = 0; i < N_OF(request_cases); i++) {
		const struct request_case *c = &request_cases[i];
		enum natpmp_result result = 99;
		struct natpmp_request request;

		assert_int_equal(parse_natpmp_request(c->bytes, c->len, &request, &result),
				 WIRE_ACCEPT);
		assert_true(same_request(&request, &c->request));
		assert_int_equal(result, 99);
		play_prefixes((const uint8_t *)c->bytes, c->len);
	}
}

/* Every length below an opcode's minimum is dropped, and nothing is written. */
static void test_short_requests(void **state)
{
	static const uint8_t minimum[] = { 2, 12, 12 };
	uint8_t bytes[16] = { 0 };

	for (uint8_t opcode = 0; opcode < 3; opcode++) {
		bytes[1] = opcode;
		for (size_t len = 0; len <= sizeof(bytes); len++) {
			struct natpmp_request request = { .lifetime = 4711 };
			enum natpmp_result result = 99;
			bool enough = len >= minimum[opcode];

			assert_int_equal(parse_natpmp_request(bytes, len, &request, &result),
					 enough ? WIRE_ACCEPT : WIRE_DROP);
			assert_int_equal(request.lifetime, enough ? 0 : 4711);
			assert_int_equal(result, 99);
		}
	}
}

static void test_every_version_and_opcode(void **state)
{
	uint8_t bytes[12] = { 0 };

	for (unsigned version = 0; version < 256; version++) {
		for (unsigned opcode = 0; opcode < 256; opcode++) {
			enum wire_verdict verdict, expected = WIRE_ACCEPT;
			enum natpmp_result result = NATPMP_SUCCESS;
			struct natpmp_request request;

			bytes[0] = (uint8_t)version;
			bytes[1] = (uint8_t)opcode;
			if (opcode >= 128)
				expected = WIRE_DROP;
			else if (version || opcode > 2)
				expected = WIRE_REFUSE;
			verdict = parse_natpmp_request(bytes, sizeof(bytes), &request, &result);
			assert_int_equal(verdict, expected);
			if (verdict == WIRE_REFUSE)
				assert_int_equal(result, version ? NATPMP_UNSUPP_VERSION
								 : NATPMP_UNSUPP_OPCODE);
		}
	}
}

static void test_longest_request(void **state)
{
	static const uint8_t bytes[NATPMP_REQUEST_MAX + 1] = { 0 };
	struct natpmp_request request;
	enum natpmp_result result;

	assert_int_equal(parse_natpmp_request(bytes, NATPMP_REQUEST_MAX, &request, &result),
			 WIRE_ACCEPT);
	assert_int_equal(parse_natpmp_request(bytes, sizeof(bytes), &request, &result), WIRE_DROP);
}

/* 3.5: vers 0, op 0, result 1, epoch; and nothing more. */
static void test_unsupported_version(void **state)
{
	static const uint8_t request[] = { 1, 1, 0, 0, 1, 2, 3, 4 };
	uint8_t buf[8];

	assert_int_equal(format_natpmp_refusal(request, sizeof(request), NATPMP_UNSUPP_VERSION,
					       0x01020304, buf, sizeof(buf)),
			 8);
	assert_memory_equal(buf, "\0\0\0\1\1\2\3\4", 8);
	assert_int_equal(
		format_natpmp_refusal(request, sizeof(request), NATPMP_UNSUPP_VERSION, 0, buf, 7),
		-EMSGSIZE);
}

/* 3.5: the entire request, with the opcode's top bit and the result set. */
static void test_unsupported_opcode(void **state)
{
	static const uint8_t request[] = { 0, 3, 0xff, 0xff, 1, 2, 3, 4, 5 };
	uint8_t buf[16];

	for (size_t len = 2; len <= sizeof(request); len++) {
		ssize_t expected = len < 4 ? 4 : (ssize_t)len;

		memset(buf, 0xa5, sizeof(buf));
		assert_int_equal(format_natpmp_refusal(request, len, NATPMP_UNSUPP_OPCODE, 99, buf,
						       sizeof(buf)),
				 expected);
		assert_memory_equal(buf, "\0\x83\0\5", 4);
		if (len > 4)
			assert_memory_equal(buf + 4, request + 4, len - 4);
		assert_int_equal(buf[expected], 0xa5);
	}
}

struct response_case {
	struct natpmp_response response;
	const char *bytes;
	size_t len;
};

static void test_responses(void **state)
{
	struct addr external = addr_from_v4((struct in_addr){ htonl(0xcb007107) });
	const struct response_case cases[] = {
		{ { .opcode = 0, .epoch_time = 5, .external_addr = external },
		  BYTES("\0\x80\0\0\0\0\0\5\xcb\0\x71\7") },
		/* the address is 0 in an error, and where there is none (3.2, 3.5) */
		{ { .opcode = 0, .result = 3, .epoch_time = 5, .external_addr = external },
		  BYTES("\0\x80\0\3\0\0\0\5\0\0\0\0") },
		{ { .opcode = 0, .epoch_time = UINT32_MAX },
		  BYTES("\0\x80\0\0\xff\xff\xff\xff\0\0\0\0") },
		{ { .opcode = 1,
		    .epoch_time = 6,
		    .internal_port = 554,
		    .assigned_external_port = 8888,
		    .lifetime = 3600 },
		  BYTES("\0\x81\0\0\0\0\0\6\x02\x2a\x22\xb8\0\0\x0e\x10") },
		/* a deletion that was not allowed: which mapping, but no lifetime (3.4) */
		{ { .opcode = 2,
		    .result = 2,
		    .epoch_time = 6,
		    .internal_port = 80,
		    .assigned_external_port = 8080,
		    .lifetime = 3600 },
		  BYTES("\0\x82\0\2\0\0\0\6\0\x50\x1f\x90\0\0\0\0") },
	};

	for (size_t i = 0; i < N_OF(cases); i++) {
		struct natpmp_response again;
		uint8_t buf[17];

		for (size_t cap = 0; cap < cases[i].len; cap++)
			assert_int_equal(format_natpmp_response(&cases[i].response, buf, cap),
					 -EMSGSIZE);
		for (size_t cap = cases[i].len; cap <= cases[i].len + 1; cap++)
			assert_int_equal(format_natpmp_response(&cases[i].response, buf, cap),
					 cases[i].len);
		assert_memory_equal(buf, cases[i].bytes, cases[i].len);
		for (size_t len = 0; len < cases[i].len; len++)
			assert_int_equal(parse_natpmp_response(buf, len, &again), -EBADMSG);
		assert_int_equal(parse_natpmp_response(buf, cases[i].len, &again), 0);
		assert_int_equal(again.opcode, cases[i].response.opcode);
		assert_int_equal(again.result, cases[i].response.result);
		assert_int_equal(again.epoch_time, cases[i].response.epoch_time);
		assert_int_equal(again.internal_port, cases[i].response.internal_port);
		play_prefixes(buf, cases[i].len);
	}
}

static void test_client(void **state)
{
	struct natpmp_request delete = { NATPMP_MAP_TCP, 80, 8080, 0 };
	struct natpmp_response response;
	uint8_t buf[12];

	/* the suggested port of a deletion is 0 (3.4) */
	assert_int_equal(format_natpmp_request(&delete, buf, sizeof(buf)), 12);
	assert_memory_equal(buf, "\0\2\0\0\0\x50\0\0\0\0\0\0", 12);
	assert_int_equal(format_natpmp_request(&delete, buf, 11), -EMSGSIZE);

	/* a gateway that speaks another version; one that speaks PCP; a request */
	assert_int_equal(parse_natpmp_response("\0\0\0\1\0\0\0\7", 8, &response), 0);
	assert_int_equal(response.result, NATPMP_UNSUPP_VERSION);
	assert_int_equal(response.epoch_time, 7);
	assert_int_equal(parse_natpmp_response("\2\x81\0\1\0\0\0\7", 8, &response), -EBADMSG);
	assert_int_equal(parse_natpmp_response("\0\2\0\0\0\x50\0\0\0\0\0\0\0\0\0\0", 16, &response),
			 -EBADMSG);
	assert_int_equal(parse_natpmp_response("\0\x83\0\5\0\0\0\0\0\0\0\0\0\0\0\0", 16, &response),
			 -EBADMSG);
	/* result codes of the future are passed on (3.5) */
	assert_int_equal(parse_natpmp_response("\0\x80\x12\x34\0\0\0\0\0\0\0\0", 12, &response), 0);
	assert_int_equal(response.result, 0x1234);
}

static void test_names(void **state)
{
	assert_string_equal(natpmp_result_name(NATPMP_SUCCESS), "SUCCESS");
	assert_string_equal(natpmp_result_name(NATPMP_UNSUPP_OPCODE), "UNSUPP_OPCODE");
	assert_string_equal(natpmp_result_name(6), "unknown");
	assert_string_equal(natpmp_result_name(UINT16_MAX), "unknown");
}

static void test_corpus(void **state)
{
	assert_true(play_corpus("natpmp") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_short_requests),
		cmocka_unit_test(test_every_version_and_opcode),
		cmocka_unit_test(test_longest_request),
		cmocka_unit_test(test_unsupported_version),
		cmocka_unit_test(test_unsupported_opcode),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
