/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcp: no bytes do harm; what was understood survives being written and read again; every answer is
 * one that a client may look at, no longer than 1100 octets, and gives back what was asked.
 *
 * The first byte of an input says how to look at the message behind it: bit 0 permits THIRD_PARTY,
 * bit 1 lets the packet come from elsewhere than its header says.
 */
#include "wire/pcp.h"

#include <assert.h>
#include <string.h>

#define PERMIT_THIRD_PARTY  1
#define COME_FROM_ELSEWHERE 2

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static struct addr source_of(const uint8_t *message, size_t len, bool elsewhere)
{
	struct addr source = { 0 };

	if (len >= 24)
		source = addr_from_bytes(AF_INET6, message + 8);
	if (elsewhere)
		source.in6.s6_addr[15] ^= 1;
	return source;
}

static void check_again(const struct pcp_request *request, const struct addr *source)
{
	uint8_t first[PCP_MESSAGE_MAX], second[PCP_MESSAGE_MAX];
	struct pcp_request again;
	enum pcp_result result;
	ssize_t n;

	n = format_pcp_request(request, first, sizeof(first));
	assert(n >= 24);
	assert(parse_pcp_request(first, (size_t)n, source, true, &again, &result) == WIRE_ACCEPT);
	assert(format_pcp_request(&again, second, sizeof(second)) == n);
	assert(memcmp(first, second, (size_t)n) == 0);
}

static void check_success(const struct pcp_request *request, size_t len)
{
	struct pcp_response response, read;
	uint8_t buf[PCP_MESSAGE_MAX];
	ssize_t n;

	pcp_respond(request, 7, &response);
	n = format_pcp_response(&response, buf, sizeof(buf));
	assert(n >= 24 && (size_t)n <= len && n % 4 == 0);
	assert(parse_pcp_response(buf, (size_t)n, &read) == 0);
	assert(read.opcode == request->opcode && !read.result && read.epoch_time == 7);
	assert(memcmp(read.mapping.nonce, request->mapping.nonce, PCP_NONCE) == 0);
	assert(read.mapping.internal_port == request->mapping.internal_port);
	assert(addr_eq(&read.mapping.remote_addr, &request->mapping.remote_addr));
	assert(read.options.n_filters == request->options.n_filters);
	assert(read.options.port_set_size == request->options.port_set_size);
}

static void check_error(const uint8_t *message, size_t len, enum pcp_result result, bool parsed)
{
	struct pcp_error e = { result, pcp_error_lifetime(result), 7, parsed };
	uint8_t buf[PCP_MESSAGE_MAX];
	ssize_t n = format_pcp_error(message, len, &e, buf, sizeof(buf));
	size_t copied = len < sizeof(buf) ? len : sizeof(buf);

	assert(n >= 24 && n % 4 == 0 && (size_t)n >= copied);
	assert(buf[0] == PCP_VERSION && buf[1] == (message[1] | 0x80) && buf[3] == result);
	if (copied > 24)
		assert(memcmp(buf + 24, message + 24, copied - 24) == 0);
}

static void check_response(const uint8_t *message, size_t len)
{
	struct pcp_response response;
	uint8_t buf[PCP_MESSAGE_MAX];

	if (parse_pcp_response(message, len, &response) < 0 || response.version != PCP_VERSION)
		return;
	assert(format_pcp_response(&response, buf, sizeof(buf)) <= (ssize_t)len);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	enum pcp_result result = PCP_SUCCESS;
	struct pcp_request request;
	struct addr source;
	uint8_t how;

	if (!len)
		return 0;
	how = *bytes++;
	len--;
	source = source_of(bytes, len, how & COME_FROM_ELSEWHERE);
	switch (parse_pcp_request(bytes, len, &source, how & PERMIT_THIRD_PARTY, &request,
				  &result)) {
	case WIRE_ACCEPT:
		check_again(&request, &source);
		check_success(&request, len);
		check_error(bytes, len, PCP_NO_RESOURCES, true);
		break;
	case WIRE_REFUSE:
		assert(result != PCP_SUCCESS);
		check_error(bytes, len, result, false);
		break;
	case WIRE_DROP:
		break;
	}
	check_response(bytes, len);
	return 0;
}
