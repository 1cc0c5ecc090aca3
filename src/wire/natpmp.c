/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * natpmp: messages of RFC 6886.
 *
 * A message is two octets of version and opcode, then what the opcode's row in the table says. A
 * response has the opcode's top bit set, a result code, the epoch, and a body that starts like the
 * request's. There are two error responses that are shaped otherwise (3.5): to another version, of
 * which nothing is known but its first octet, and to an unknown opcode, where the request goes back
 * as it came.
 *
 * What the RFC leaves open: a request that is too short for its opcode is dropped, since nothing in
 * an answer could tell the client which one it belongs to; octets behind the request are ignored.
 */
#include "wire/natpmp.h"

#include "base/cursor.h"

#include <errno.h>

#define RESPONSE       0x80 /* the top bit of the opcode */
#define HEADER	       2    /* version, opcode */
#define RESULT_OFFSET  2    /* in a response */
#define RESPONSE_SHORT 8    /* up to the epoch: what every response has */

struct opcode {
	uint8_t request_length, response_length;
};

static const struct opcode opcodes[] = {
	[NATPMP_EXTERNAL_ADDRESS] = { 2, 12 }, /* 3.2 */
	[NATPMP_MAP_UDP] = { 12, 16 },	       /* 3.3 */
	[NATPMP_MAP_TCP] = { 12, 16 },
};
#define N_OPCODES (sizeof(opcodes) / sizeof(opcodes[0]))

static const char *const result_names[] = {
	[NATPMP_SUCCESS] = "SUCCESS",
	[NATPMP_UNSUPP_VERSION] = "UNSUPP_VERSION",
	[NATPMP_NOT_AUTHORIZED] = "NOT_AUTHORIZED",
	[NATPMP_NETWORK_FAILURE] = "NETWORK_FAILURE",
	[NATPMP_NO_RESOURCES] = "NO_RESOURCES",
	[NATPMP_UNSUPP_OPCODE] = "UNSUPP_OPCODE",
};

enum wire_verdict parse_natpmp_request(const void *bytes, size_t len, struct natpmp_request *ret,
				       enum natpmp_result *ret_result)
{
	struct reader r = reader_of(bytes, len);
	struct natpmp_request request = { 0 };
	uint8_t version = reader_u8(&r);

	request.opcode = reader_u8(&r);
	if (r.failed || len > NATPMP_REQUEST_MAX || request.opcode & RESPONSE)
		return WIRE_DROP;
	if (version != NATPMP_VERSION) {
		*ret_result = NATPMP_UNSUPP_VERSION;
		return WIRE_REFUSE;
	}
	if (request.opcode >= N_OPCODES) {
		*ret_result = NATPMP_UNSUPP_OPCODE;
		return WIRE_REFUSE;
	}
	if (len < opcodes[request.opcode].request_length)
		return WIRE_DROP;
	if (request.opcode != NATPMP_EXTERNAL_ADDRESS) {
		reader_skip(&r, 2); /* reserved */
		request.internal_port = reader_u16(&r);
		request.suggested_external_port = reader_u16(&r);
		request.lifetime = reader_u32(&r);
	}
	*ret = request;
	return WIRE_ACCEPT;
}

ssize_t format_natpmp_refusal(const void *request, size_t len, enum natpmp_result result,
			      uint32_t epoch_time, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);
	uint8_t header[] = { NATPMP_VERSION, RESPONSE, 0, (uint8_t)result };

	if (result == NATPMP_UNSUPP_VERSION) {
		/* 3.5 draws it with an opcode of 0, not 128, and nothing behind the epoch */
		header[1] = 0;
		writer_bytes(&w, header, sizeof(header));
		writer_u32(&w, epoch_time);
		return writer_finish(&w);
	}
	writer_bytes(&w, request, len);
	if (len < sizeof(header))
		writer_zeros(&w, sizeof(header) - len);
	if (len >= HEADER)
		header[1] |= ((const uint8_t *)request)[1];
	writer_patch(&w, 0, header, sizeof(header));
	return writer_finish(&w);
}

ssize_t format_natpmp_response(const struct natpmp_response *r, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);
	bool failed = r->result != NATPMP_SUCCESS;
	struct in_addr v4 = { 0 };

	writer_u8(&w, NATPMP_VERSION);
	writer_u8(&w, r->opcode | RESPONSE);
	writer_u16(&w, r->result);
	writer_u32(&w, r->epoch_time);
	if (r->opcode == NATPMP_EXTERNAL_ADDRESS) {
		if (!failed && addr_is_v4(&r->external_addr))
			v4 = addr_to_v4(&r->external_addr);
		writer_bytes(&w, &v4, sizeof(v4));
	} else {
		writer_u16(&w, r->internal_port);
		writer_u16(&w, r->assigned_external_port);
		writer_u32(&w, failed ? 0 : r->lifetime);
	}
	return writer_finish(&w);
}

ssize_t format_natpmp_request(const struct natpmp_request *r, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	writer_u8(&w, NATPMP_VERSION);
	writer_u8(&w, r->opcode);
	if (r->opcode != NATPMP_EXTERNAL_ADDRESS) {
		writer_zeros(&w, 2);
		writer_u16(&w, r->internal_port);
		writer_u16(&w, r->lifetime ? r->suggested_external_port : 0);
		writer_u32(&w, r->lifetime);
	}
	return writer_finish(&w);
}

int parse_natpmp_response(const void *bytes, size_t len, struct natpmp_response *ret)
{
	struct reader r = reader_of(bytes, len);
	struct natpmp_response response = { 0 };
	uint8_t version = reader_u8(&r), opcode = reader_u8(&r);
	struct in_addr v4;

	response.opcode = opcode & (uint8_t)~RESPONSE;
	response.result = reader_u16(&r);
	response.epoch_time = reader_u32(&r);
	if (r.failed || version != NATPMP_VERSION)
		return -EBADMSG;
	if (response.result == NATPMP_UNSUPP_VERSION && len == RESPONSE_SHORT) {
		*ret = response;
		return 0;
	}
	if (!(opcode & RESPONSE) || response.opcode >= N_OPCODES ||
	    len < opcodes[response.opcode].response_length)
		return -EBADMSG;
	if (response.opcode == NATPMP_EXTERNAL_ADDRESS) {
		reader_bytes(&r, &v4, sizeof(v4));
		if (response.result == NATPMP_SUCCESS)
			response.external_addr = addr_from_v4(v4);
	} else {
		response.internal_port = reader_u16(&r);
		response.assigned_external_port = reader_u16(&r);
		response.lifetime = reader_u32(&r);
	}
	*ret = response;
	return 0;
}

const char *natpmp_result_name(uint16_t result)
{
	if (result >= sizeof(result_names) / sizeof(result_names[0]))
		return "unknown";
	return result_names[result];
}
