/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcp: requests are built field by field here, by a writer of their own, so that every malformed
 * one can be said in one line; the numbers of sections are RFC 6887's.
 */
#include "../fuzz/fuzz_pcp.c" /* its entry point, and with it the corpus */

#include "base/cursor.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "corpus.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CLIENT	    "192.168.69.110"
#define ANY4	    "0.0.0.0"
#define MESSAGE_CAP 1400

static struct addr addr_of(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

static void put_addr(struct writer *w, const char *text)
{
	struct addr a = addr_of(text);

	writer_bytes(w, &a, sizeof(a));
}

static void put_header(struct writer *w, uint8_t version, uint8_t opcode, uint32_t lifetime)
{
	writer_u8(w, version);
	writer_u8(w, opcode);
	writer_u16(w, 0xeeee); /* reserved: ignored */
	writer_u32(w, lifetime);
	put_addr(w, CLIENT);
}

static void put_map(struct writer *w, uint8_t protocol, uint16_t internal, uint16_t external)
{
	writer_bytes(w, "nonce-of-12!", PCP_NONCE);
	writer_u8(w, protocol);
	writer_bytes(w, "\xee\xee\xee", 3);
	writer_u16(w, internal);
	writer_u16(w, external);
	put_addr(w, ANY4);
}

static void put_peer(struct writer *w, uint8_t protocol, uint16_t internal, uint16_t remote)
{
	put_map(w, protocol, internal, 0);
	writer_u16(w, remote);
	writer_u16(w, 0xeeee);
	put_addr(w, "198.51.100.7");
}

static void put_option(struct writer *w, uint8_t code, const void *data, uint16_t len)
{
	writer_u8(w, code);
	writer_u8(w, 0xee);
	writer_u16(w, len);
	writer_bytes(w, data, len);
	writer_bytes(w, "\xee\xee\xee", -len & 3);
}

static void put_filter(struct writer *w, uint8_t length, uint16_t port, const char *remote)
{
	struct addr a = addr_of(remote);
	uint8_t data[20] = { 0xee, length, (uint8_t)(port >> 8), (uint8_t)port };

	memcpy(data + 4, &a, sizeof(a));
	put_option(w, 3, data, sizeof(data));
}

static void put_port_set(struct writer *w, uint16_t size, uint16_t first, uint8_t parity)
{
	uint8_t data[] = { (uint8_t)(size >> 8), (uint8_t)size, (uint8_t)(first >> 8),
			   (uint8_t)first, parity };

	put_option(w, 130, data, sizeof(data));
}

static void put_third_party(struct writer *w, const char *client)
{
	struct addr a = addr_of(client);

	put_option(w, 1, &a, sizeof(a));
}

static enum wire_verdict parse(const struct writer *w, bool third_party, struct pcp_request *ret,
			       enum pcp_result *ret_result)
{
	struct addr source = addr_of(CLIENT);

	assert_false(w->failed);
	return parse_pcp_request(w->start, w->len, &source, third_party, ret, ret_result);
}

/* The result a message is refused with; PCP_SUCCESS where it is accepted. */
static enum pcp_result result_of(const struct writer *w, bool third_party)
{
	enum pcp_result result = PCP_SUCCESS;
	struct pcp_request request;

	switch (parse(w, third_party, &request, &result)) {
	case WIRE_ACCEPT:
		return PCP_SUCCESS;
	case WIRE_REFUSE:
		return result;
	case WIRE_DROP:
		break;
	}
	fail();
	return PCP_SUCCESS;
}

static void test_map(void **state)
{
	uint8_t buf[MESSAGE_CAP];
	struct writer w = writer_of(buf, sizeof(buf));
	struct addr any = addr_of(ANY4), client = addr_of(CLIENT);
	enum pcp_result result = 99;
	struct pcp_request r;

	put_header(&w, 2, PCP_MAP, 3600);
	put_map(&w, IPPROTO_TCP, 554, 8888);
	assert_int_equal(w.len, 60);
	assert_int_equal(parse(&w, false, &r, &result), WIRE_ACCEPT);
	assert_int_equal(result, 99);
	assert_int_equal(r.opcode, PCP_MAP);
	assert_int_equal(r.lifetime, 3600);
	assert_true(addr_eq(&r.client, &client));
	assert_memory_equal(r.mapping.nonce, "nonce-of-12!", PCP_NONCE);
	assert_int_equal(r.mapping.protocol, 6);
	assert_int_equal(r.mapping.internal_port, 554);
	assert_int_equal(r.mapping.external_port, 8888);
	assert_true(addr_eq(&r.mapping.external_addr, &any));
	assert_int_equal(r.mapping.remote_port, 0);
	assert_false(addr_is_set(&r.mapping.remote_addr));
	assert_int_equal(r.options.n_filters, 0);
	assert_false(r.options.has_third_party || r.options.prefer_failure);
	play_prefixes(buf, w.len);
}

static void test_peer(void **state)
{
	uint8_t buf[MESSAGE_CAP];
	struct writer w = writer_of(buf, sizeof(buf));
	struct addr remote = addr_of("198.51.100.7");
	enum pcp_result result;
	struct pcp_request r;

	put_header(&w, 2, PCP_PEER, 600);
	put_peer(&w, IPPROTO_UDP, 5060, 5061);
	assert_int_equal(w.len, 80);
	assert_int_equal(parse(&w, false, &r, &result), WIRE_ACCEPT);
	assert_int_equal(r.opcode, PCP_PEER);
	assert_int_equal(r.mapping.protocol, 17);
	assert_int_equal(r.mapping.internal_port, 5060);
	assert_int_equal(r.mapping.remote_port, 5061);
	assert_true(addr_eq(&r.mapping.remote_addr, &remote));
}

/* 8.2, one length after the other: what is dropped, what is refused, what is accepted. */
static void test_every_length(void **state)
{
	static const size_t minimum[] = { 24, 60, 80 };
	uint8_t buf[MESSAGE_CAP];

	for (uint8_t opcode = 0; opcode < 3; opcode++) {
		struct writer w = writer_of(buf, sizeof(buf));

		put_header(&w, 2, opcode, 600);
		put_peer(&w, 6, 1, 1);
		while (w.len < 1200) /* options that may be ignored */
			put_option(&w, 200, "", 0);
		for (w.len = 0; w.len <= 1200; w.len++) {
			enum wire_verdict expected = WIRE_REFUSE;
			enum pcp_result result = 99;
			struct pcp_request r;

			/* the rest of PEER's body reads as options of ANNOUNCE and MAP */
			if (opcode != PCP_PEER && w.len > minimum[opcode] && w.len % 4 == 0 &&
			    w.len <= 1100)
				continue;
			if (w.len < 24)
				expected = WIRE_DROP;
			else if (w.len >= minimum[opcode] && w.len <= 1100 && w.len % 4 == 0)
				expected = WIRE_ACCEPT;
			assert_int_equal(parse(&w, false, &r, &result), expected);
			if (expected == WIRE_REFUSE)
				assert_int_equal(result, PCP_MALFORMED_REQUEST);
			else
				assert_int_equal(result, 99);
		}
	}
}

static void test_every_version_and_opcode(void **state)
{
	uint8_t buf[MESSAGE_CAP];
	struct writer w = writer_of(buf, sizeof(buf));

	put_header(&w, 2, 0, 600);
	put_peer(&w, 6, 1, 1);
	for (unsigned version = 0; version < 256; version++) {
		for (unsigned opcode = 0; opcode < 256; opcode++) {
			enum pcp_result result = PCP_SUCCESS;
			enum wire_verdict verdict;
			struct pcp_request r;

			buf[0] = (uint8_t)version;
			buf[1] = (uint8_t)opcode;
			w.len = opcode == PCP_ANNOUNCE ? 24 : opcode == PCP_MAP ? 60 : 80;
			verdict = parse(&w, false, &r, &result);
			if (opcode >= 128)
				assert_int_equal(verdict, WIRE_DROP);
			else if (version == 2 && opcode < 3)
				assert_int_equal(verdict, WIRE_ACCEPT);
			else
				assert_int_equal(result, version == 2 ? PCP_UNSUPP_OPCODE
								      : PCP_UNSUPP_VERSION);
			/* of another version two octets are enough to be answered (8.2) */
			w.len = 2;
			verdict = parse(&w, false, &r, &result);
			assert_int_equal(verdict,
					 opcode < 128 && version != 2 ? WIRE_REFUSE : WIRE_DROP);
		}
	}
}

/* The address is compared before the opcode is looked up, and after the length (8.2). */
static void test_address_mismatch(void **state)
{
	uint8_t buf[MESSAGE_CAP];
	struct writer w = writer_of(buf, sizeof(buf));
	struct addr other = addr_of("192.168.69.111");
	enum pcp_result result;
	struct pcp_request r;

	put_header(&w, 2, PCP_MAP, 600);
	put_map(&w, 6, 80, 0);
	assert_int_equal(parse_pcp_request(buf, w.len, &other, false, &r, &result), WIRE_REFUSE);
	assert_int_equal(result, PCP_ADDRESS_MISMATCH);
	assert_int_equal(parse_pcp_request(buf, 56, &other, false, &r, &result), WIRE_REFUSE);
	assert_int_equal(result, PCP_MALFORMED_REQUEST);
	buf[1] = 77;
	assert_int_equal(parse_pcp_request(buf, w.len, &other, false, &r, &result), WIRE_REFUSE);
	assert_int_equal(result, PCP_ADDRESS_MISMATCH);
	/* ::192.168.69.110 is not ::ffff:192.168.69.110 (5) */
	buf[1] = PCP_MAP;
	buf[18] = buf[19] = 0;
	assert_int_equal(result_of(&w, false), PCP_ADDRESS_MISMATCH);
}

struct fields_case {
	uint8_t opcode, protocol;
	uint16_t internal, remote;
	uint32_t lifetime;
	enum pcp_result result;
};

static const struct fields_case fields_cases[] = {
	/* 11.3, 15.1 */
	{ PCP_MAP, 0, 0, 0, 600, PCP_SUCCESS },
	{ PCP_MAP, 0, 0, 0, 0, PCP_SUCCESS },
	{ PCP_MAP, 0, 1, 0, 600, PCP_MALFORMED_REQUEST },
	{ PCP_MAP, 0, 65535, 0, 0, PCP_MALFORMED_REQUEST },
	{ PCP_MAP, 6, 0, 0, 600, PCP_SUCCESS },
	{ PCP_MAP, 17, 0, 0, 0, PCP_SUCCESS },
	{ PCP_MAP, 255, 65535, 0, UINT32_MAX, PCP_SUCCESS },
	/* 12.1 */
	{ PCP_PEER, 6, 1, 1, 0, PCP_SUCCESS },
	{ PCP_PEER, 6, 65535, 65535, 600, PCP_SUCCESS },
	{ PCP_PEER, 0, 1, 1, 600, PCP_MALFORMED_REQUEST },
	{ PCP_PEER, 6, 0, 1, 600, PCP_MALFORMED_REQUEST },
	{ PCP_PEER, 6, 1, 0, 600, PCP_MALFORMED_REQUEST },
};

static void test_fields(void **state)
{
	uint8_t buf[MESSAGE_CAP];

	for (size_t i = 0; i < N_OF(fields_cases); i++) {
		const struct fields_case *c = &fields_cases[i];
		struct writer w = writer_of(buf, sizeof(buf));

		put_header(&w, 2, c->opcode, c->lifetime);
		if (c->opcode == PCP_MAP)
			put_map(&w, c->protocol, c->internal, 0);
		else
			put_peer(&w, c->protocol, c->internal, c->remote);
		assert_int_equal(result_of(&w, false), c->result);
		/* before the options: a mandatory one that is unknown changes nothing */
		put_option(&w, 99, "", 0);
		assert_int_equal(result_of(&w, false), c->result ? c->result : PCP_UNSUPP_OPTION);
	}
}

/* A MAP request to which a case adds its options. */
static struct writer map_request(uint8_t *buf, uint32_t lifetime, uint16_t external)
{
	struct writer w = writer_of(buf, MESSAGE_CAP);

	put_header(&w, 2, PCP_MAP, lifetime);
	put_map(&w, 6, 80, external);
	return w;
}

static void test_third_party(void **state)
{
	uint8_t buf[MESSAGE_CAP];
	struct writer w = map_request(buf, 600, 0);
	struct addr other = addr_of("192.168.69.120");
	enum pcp_result result;
	struct pcp_request r;

	put_third_party(&w, "192.168.69.120");
	assert_int_equal(result_of(&w, false), PCP_UNSUPP_OPTION);
	assert_int_equal(parse(&w, true, &r, &result), WIRE_ACCEPT);
	assert_true(r.options.has_third_party);
	assert_true(addr_eq(&r.options.third_party, &other));
	put_third_party(&w, "192.168.69.120");
	assert_int_equal(result_of(&w, true), PCP_MALFORMED_OPTION);

	w = map_request(buf, 0, 0);
	put_third_party(&w, CLIENT);
	assert_int_equal(result_of(&w, true), PCP_MALFORMED_REQUEST);
	assert_int_equal(result_of(&w, false), PCP_UNSUPP_OPTION);

	w = writer_of(buf, sizeof(buf));
	put_header(&w, 2, PCP_PEER, 600);
	put_peer(&w, 6, 1, 1);
	put_third_party(&w, "192.168.69.120");
	assert_int_equal(result_of(&w, true), PCP_SUCCESS);

	w = writer_of(buf, sizeof(buf));
	put_header(&w, 2, PCP_ANNOUNCE, 0);
	put_third_party(&w, "192.168.69.120");
	assert_int_equal(result_of(&w, true), PCP_MALFORMED_OPTION);
}

static void test_prefer_failure(void **state)
{
	uint8_t buf[MESSAGE_CAP];
	struct writer w = map_request(buf, 600, 8080);

	put_option(&w, 2, "", 0);
	assert_int_equal(result_of(&w, false), PCP_SUCCESS);
	put_option(&w, 2, "", 0);
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION); /* 7.3 */

	w = map_request(buf, 600, 0);
	put_option(&w, 2, "", 0);
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION); /* 13.2 */
	w = map_request(buf, 0, 8080);
	put_option(&w, 2, "", 0);
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION); /* 11.3 */
	w = writer_of(buf, sizeof(buf));
	put_header(&w, 2, PCP_PEER, 600);
	put_peer(&w, 6, 1, 1);
	put_option(&w, 2, "", 0);
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_REQUEST); /* 12.1 */
}

struct filter_case {
	const char *remote;
	uint8_t length;
	bool valid;
};

static const struct filter_case filter_cases[] = {
	{ "198.51.100.7", 128, true },
	{ "198.51.100.0", 120, true },
	{ ANY4, 96, true },
	{ "198.51.100.0", 95, false },
	{ "198.51.100.0", 24, false },
	{ "198.51.100.0", 1, false },
	{ "198.51.100.0", 129, false },
	{ "198.51.100.0", 255, false },
	{ ANY4, 0, true },
	{ "2001:db8::", 1, true },
	{ "2001:db8::", 64, true },
	{ "2001:db8::1", 128, true },
	{ "2001:db8::1", 129, false },
	{ "::", 0, true },
};

static void test_filter(void **state)
{
	uint8_t buf[MESSAGE_CAP];
	struct writer w;

	for (size_t i = 0; i < N_OF(filter_cases); i++) {
		const struct filter_case *c = &filter_cases[i];
		struct addr remote = addr_of(c->remote);
		enum pcp_result result = PCP_SUCCESS;
		struct pcp_request r;

		w = map_request(buf, 600, 0);
		put_filter(&w, c->length, 4711, c->remote);
		assert_int_equal(parse(&w, false, &r, &result),
				 c->valid ? WIRE_ACCEPT : WIRE_REFUSE);
		if (!c->valid) {
			assert_int_equal(result, PCP_MALFORMED_OPTION);
			continue;
		}
		assert_int_equal(r.options.n_filters, 1);
		assert_int_equal(r.options.filters[0].prefix_length, c->length);
		assert_int_equal(r.options.filters[0].remote_port, 4711);
		assert_true(addr_eq(&r.options.filters[0].remote_addr, &remote));
	}
	w = map_request(buf, 0, 0);
	put_filter(&w, 0, 0, "::");
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION); /* 13.3 */
	w = writer_of(buf, sizeof(buf));
	put_header(&w, 2, PCP_PEER, 600);
	put_peer(&w, 6, 1, 1);
	put_filter(&w, 128, 0, "198.51.100.7");
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION);
}

/* As many as a request can hold, in their order; one bad one among them spoils all. */
static void test_many_filters(void **state)
{
	uint8_t buf[MESSAGE_CAP];
	struct writer w = map_request(buf, 600, 0);
	enum pcp_result result;
	struct pcp_request r;

	for (uint16_t i = 0; i < PCP_FILTERS_MAX; i++)
		put_filter(&w, 128, i, "198.51.100.7");
	assert_int_equal(parse(&w, false, &r, &result), WIRE_ACCEPT);
	assert_int_equal(r.options.n_filters, PCP_FILTERS_MAX);
	for (uint16_t i = 0; i < PCP_FILTERS_MAX; i++)
		assert_int_equal(r.options.filters[i].remote_port, i);
	put_filter(&w, 128, 0, "198.51.100.7");
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_REQUEST); /* over 1100 octets */

	w = map_request(buf, 600, 0);
	put_filter(&w, 128, 0, "198.51.100.7");
	put_filter(&w, 95, 0, "198.51.100.7");
	put_filter(&w, 128, 0, "198.51.100.7");
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION);
}

static void test_port_set(void **state)
{
	uint8_t buf[MESSAGE_CAP];
	struct writer w = map_request(buf, 600, 0);
	enum pcp_result result;
	struct pcp_request r;

	put_port_set(&w, 4, 80, 0xff);
	assert_int_equal(parse(&w, false, &r, &result), WIRE_ACCEPT);
	assert_int_equal(r.options.port_set_size, 4);
	assert_int_equal(r.options.first_internal_port, 80);
	assert_true(r.options.parity);
	put_port_set(&w, 4, 80, 0);
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION);

	w = map_request(buf, 600, 0);
	put_port_set(&w, 0, 80, 0);
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION);
	/* a set of one port is ignored; of the parity bit's octet only that bit counts */
	w = map_request(buf, 600, 0);
	put_port_set(&w, 1, 80, 1);
	assert_int_equal(parse(&w, false, &r, &result), WIRE_ACCEPT);
	assert_int_equal(r.options.port_set_size, 0);
	assert_false(r.options.parity);
	w = map_request(buf, 600, 0);
	put_port_set(&w, 65535, 80, 0xfe);
	assert_int_equal(parse(&w, false, &r, &result), WIRE_ACCEPT);
	assert_int_equal(r.options.port_set_size, 65535);
	assert_false(r.options.parity);
	/* beside PREFER_FAILURE, in either order */
	w = map_request(buf, 600, 8080);
	put_port_set(&w, 4, 80, 0);
	put_option(&w, 2, "", 0);
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION);
	w = map_request(buf, 600, 8080);
	put_option(&w, 2, "", 0);
	put_port_set(&w, 4, 80, 0);
	assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION);
	/* deleting a set; and an option that only PEER would not know is skipped, being optional */
	w = map_request(buf, 0, 0);
	put_port_set(&w, 4, 80, 0);
	assert_int_equal(result_of(&w, false), PCP_SUCCESS);
	w = writer_of(buf, sizeof(buf));
	put_header(&w, 2, PCP_PEER, 600);
	put_peer(&w, 6, 1, 1);
	put_port_set(&w, 0, 80, 0);
	assert_int_equal(parse(&w, false, &r, &result), WIRE_ACCEPT);
	assert_int_equal(r.options.port_set_size, 0);
}

/* Every length of every option that is known: only the right one passes. */
static void test_option_lengths(void **state)
{
	static const struct {
		uint8_t code, length;
	} known[] = { { 1, 16 }, { 2, 0 }, { 3, 20 }, { 130, 5 } };
	uint8_t data[41] = { 0, 128, 0, 5, 1 }, buf[MESSAGE_CAP];

	for (size_t i = 0; i < N_OF(known); i++) {
		for (uint16_t length = 0; length <= 40; length++) {
			struct writer w = map_request(buf, 600, 8080);

			put_option(&w, known[i].code, data, length);
			assert_int_equal(result_of(&w, true), length == known[i].length
								      ? PCP_SUCCESS
								      : PCP_MALFORMED_OPTION);
		}
	}
}

static void test_unknown_options(void **state)
{
	static const uint8_t opcodes[] = { PCP_ANNOUNCE, PCP_MAP, PCP_PEER };
	uint8_t buf[MESSAGE_CAP];

	for (unsigned code = 0; code < 256; code++) {
		bool known = (code >= 1 && code <= 3) || code == 130;

		for (size_t i = 0; i < N_OF(opcodes) && !known; i++) {
			struct writer w = writer_of(buf, sizeof(buf));

			put_header(&w, 2, opcodes[i], 600);
			if (opcodes[i] == PCP_MAP)
				put_map(&w, 6, 80, 0);
			else if (opcodes[i] == PCP_PEER)
				put_peer(&w, 6, 80, 80);
			put_option(&w, (uint8_t)code, "abcde", 5);
			put_option(&w, (uint8_t)code, "abcde", 5);
			assert_int_equal(result_of(&w, true),
					 code < 128 ? PCP_UNSUPP_OPTION : PCP_SUCCESS);
		}
	}
}

/* A length that leads out of the message spoils all options, those in front of it too (7.3). */
static void test_option_structure(void **state)
{
	uint8_t buf[MESSAGE_CAP];
	struct writer w = map_request(buf, 600, 0), whole;

	put_option(&w, 99, "", 0);
	whole = w;
	assert_int_equal(result_of(&w, false), PCP_UNSUPP_OPTION);
	for (unsigned length = 1; length <= UINT16_MAX; length += length < 32 ? 1 : 997) {
		w = whole;
		writer_u8(&w, 200);
		writer_u8(&w, 0);
		writer_u16(&w, (uint16_t)length);
		assert_int_equal(result_of(&w, false), PCP_MALFORMED_OPTION);
		writer_zeros(&w, 4);
		assert_int_equal(result_of(&w, false),
				 length <= 4 ? PCP_UNSUPP_OPTION : PCP_MALFORMED_OPTION);
	}
}

static void test_success(void **state)
{
	uint8_t buf[MESSAGE_CAP], answer[PCP_MESSAGE_MAX], expected[PCP_MESSAGE_MAX];
	struct writer w = map_request(buf, 600, 0), e = writer_of(expected, sizeof(expected));
	struct pcp_response response, read;
	enum pcp_result result;
	struct pcp_request r;
	ssize_t n;

	put_port_set(&w, 4, 80, 1);
	put_option(&w, 200, "ignored", 7);
	put_third_party(&w, "192.168.69.120");
	put_filter(&w, 120, 443, "198.51.100.0");
	assert_int_equal(parse(&w, true, &r, &result), WIRE_ACCEPT);
	pcp_respond(&r, 0x01020304, &response);
	response.lifetime = 300;
	response.mapping.external_port = 40000;
	response.mapping.external_addr = addr_of("203.0.113.7");
	response.options.port_set_size = 2;
	n = format_pcp_response(&response, answer, sizeof(answer));

	writer_bytes(&e, "\2\x81\0\0\0\0\1\x2c\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\0nonce-of-12!", 36);
	writer_bytes(&e, "\6\0\0\0\0\x50\x9c\x40", 8);
	put_addr(&e, "203.0.113.7");
	writer_bytes(&e, "\1\0\0\x10", 4);
	put_addr(&e, "192.168.69.120");
	writer_bytes(&e, "\3\0\0\x14\0\x78\1\xbb", 8);
	put_addr(&e, "198.51.100.0");
	writer_bytes(&e, "\x82\0\0\5\0\2\0\x50\1\0\0\0", 12);
	assert_int_equal(n, writer_finish(&e));
	assert_memory_equal(answer, expected, e.len);

	for (size_t cap = 0; cap < e.len; cap++)
		assert_int_equal(format_pcp_response(&response, answer, cap), -EMSGSIZE);
	assert_int_equal(format_pcp_response(&response, answer, e.len), n);
	assert_int_equal(parse_pcp_response(answer, e.len, &read), 0);
	assert_int_equal(read.mapping.external_port, 40000);
	assert_int_equal(read.options.port_set_size, 2);
	assert_int_equal(read.options.n_filters, 1);
	assert_true(read.options.has_third_party);

	/* of one port there is no PORT_SET in the answer */
	response.options.port_set_size = 1;
	assert_int_equal(format_pcp_response(&response, answer, sizeof(answer)), n - 12);
}

static void test_announce(void **state)
{
	struct pcp_response announcement = { .opcode = PCP_ANNOUNCE, .epoch_time = 9 }, response;
	struct pcp_request request = { .opcode = PCP_ANNOUNCE, .lifetime = 600 };
	uint8_t buf[PCP_MESSAGE_MAX];

	assert_int_equal(format_pcp_response(&announcement, buf, sizeof(buf)), 24);
	assert_memory_equal(buf, "\2\x80\0\0\0\0\0\0\0\0\0\11\0\0\0\0\0\0\0\0\0\0\0\0", 24);
	pcp_respond(&request, 9, &response);
	assert_int_equal(response.lifetime, 0);
	assert_int_equal(response.epoch_time, 9);
}

/* 8.2: the whole request, at most 1100 octets, padded; 7.2: what becomes of the reserved 96 bits.
 */
static void test_errors(void **state)
{
	struct pcp_error e = { PCP_MALFORMED_REQUEST, 1800, 0x01020304, false };
	uint8_t request[1200], buf[PCP_MESSAGE_MAX + 4];

	for (size_t i = 0; i < sizeof(request); i++)
		request[i] = (uint8_t)(i * 7 + 1);
	request[0] = 1;
	request[1] = 0x35;
	for (size_t len = 2; len <= sizeof(request); len++) {
		size_t copied = len > PCP_MESSAGE_MAX ? PCP_MESSAGE_MAX : len;
		size_t whole = copied < 24 ? 24 : (copied + 3) / 4 * 4;

		memset(buf, 0xa5, sizeof(buf));
		e.parsed = false;
		assert_int_equal(format_pcp_error(request, len, &e, buf, sizeof(buf)), whole);
		assert_memory_equal(buf, "\2\xb5\0\3\0\0\7\x08\1\2\3\4", 12);
		if (copied > 12)
			assert_memory_equal(buf + 12, request + 12, copied - 12);
		for (size_t i = copied > 12 ? copied : 12; i < whole; i++)
			assert_int_equal(buf[i], 0);
		assert_int_equal(buf[whole], 0xa5);
		assert_int_equal(format_pcp_error(request, len, &e, buf, whole), whole);
		assert_int_equal(format_pcp_error(request, len, &e, buf, whole - 1), -EMSGSIZE);
	}
	e.parsed = true;
	assert_int_equal(format_pcp_error(request, 60, &e, buf, sizeof(buf)), 60);
	for (size_t i = 12; i < 24; i++)
		assert_int_equal(buf[i], 0);
	assert_memory_equal(buf + 24, request + 24, 36);
}

static void test_error_lifetimes(void **state)
{
	for (enum pcp_result result = PCP_UNSUPP_VERSION; result <= 13; result++) {
		bool brief = result == PCP_NETWORK_FAILURE || result == PCP_NO_RESOURCES ||
			     result == PCP_USER_EX_QUOTA || result == PCP_CANNOT_PROVIDE_EXTERNAL;

		assert_int_equal(pcp_error_lifetime(result), brief ? 30 : 1800);
	}
	assert_string_equal(pcp_result_name(0), "SUCCESS");
	assert_string_equal(pcp_result_name(13), "EXCESSIVE_REMOTE_PEERS");
	assert_string_equal(pcp_result_name(14), "unknown");
	assert_string_equal(pcp_result_name(255), "unknown");
}

static void test_client(void **state)
{
	struct pcp_request request = { .opcode = PCP_MAP, .lifetime = 7200 };
	uint8_t buf[PCP_MESSAGE_MAX];
	struct pcp_response response;
	struct pcp_error e = { PCP_NOT_AUTHORIZED, 77, 5, true };
	ssize_t n;

	request.client = addr_of(CLIENT);
	request.mapping.protocol = 17;
	request.mapping.internal_port = 5060;
	request.mapping.external_addr = addr_of(ANY4);
	n = format_pcp_request(&request, buf, sizeof(buf));
	assert_int_equal(n, 60);
	assert_int_equal(format_pcp_request(&request, buf, 59), -EMSGSIZE);
	assert_int_equal(parse_pcp_response(buf, (size_t)n, &response), -EBADMSG); /* R is clear */

	assert_int_equal(format_pcp_error(buf, (size_t)n, &e, buf, sizeof(buf)), 60);
	for (size_t len = 0; len < 60; len++)
		assert_int_equal(parse_pcp_response(buf, len, &response), -EBADMSG);
	assert_int_equal(parse_pcp_response(buf, 60, &response), 0);
	assert_int_equal(response.result, PCP_NOT_AUTHORIZED);
	assert_int_equal(response.lifetime, 77);
	assert_int_equal(response.epoch_time, 5);
	assert_int_equal(response.mapping.internal_port, 5060);
	/* neither a broken option nor another length passes; one that is unknown does (7.3) */
	memcpy(buf + 60, "\1\0\0\x11", 4);
	assert_int_equal(parse_pcp_response(buf, 64, &response), -EBADMSG);
	memcpy(buf + 60, "\x4d\0\0\0", 4);
	assert_int_equal(parse_pcp_response(buf, 64, &response), 0);
	memcpy(buf + 60, "\1\0\0\0", 4);
	assert_int_equal(parse_pcp_response(buf, 64, &response), 0);
	assert_false(response.options.has_third_party);
	/* servers of other versions, and of NAT-PMP (9) */
	assert_int_equal(parse_pcp_response("\3\x81\0\1", 4, &response), 0);
	assert_int_equal(response.version, 3);
	assert_int_equal(response.result, PCP_UNSUPP_VERSION);
	assert_int_equal(parse_pcp_response("\0\0\0\1\0\0\0\7", 8, &response), 0);
	assert_int_equal(response.version, 0);
	assert_int_equal(parse_pcp_response("\3\1\0\1", 4, &response), -EBADMSG);
	assert_int_equal(parse_pcp_response("\3\x81\0\0", 4, &response), -EBADMSG);
}

static void test_corpus(void **state)
{
	assert_true(play_corpus("pcp") > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_every_version_and_opcode),
		cmocka_unit_test(test_address_mismatch),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_third_party),
		cmocka_unit_test(test_prefer_failure),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_many_filters),
		cmocka_unit_test(test_port_set),
		cmocka_unit_test(test_option_lengths),
		cmocka_unit_test(test_unknown_options),
		cmocka_unit_test(test_option_structure),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_announce),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_error_lifetimes),
		cmocka_unit_test(test_client),
		cmocka_unit_test(test_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
