/* SPDX-License-Identifier: GPL-2.0-or-later */
/* natpmp: no bytes do harm, and what was understood survives being written and read again. */
#include "wire/natpmp.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Not memcmp(): there is padding. */
static int same_request(const struct natpmp_request *a, const struct natpmp_request *b)
{
	return a->opcode == b->opcode && a->internal_port == b->internal_port &&
	       a->suggested_external_port == b->suggested_external_port &&
	       a->lifetime == b->lifetime;
}

static void check_request(const uint8_t *bytes, size_t len)
{
	enum natpmp_result result = NATPMP_SUCCESS;
	struct natpmp_request request, again;
	uint8_t buf[NATPMP_REQUEST_MAX];
	ssize_t n;

	switch (parse_natpmp_request(bytes, len, &request, &result)) {
	case WIRE_DROP:
		return;
	case WIRE_REFUSE:
		n = format_natpmp_refusal(bytes, len, result, 7, buf, sizeof(buf));
		assert(n >= 4 && n <= (ssize_t)sizeof(buf) && buf[3] == result);
		return;
	case WIRE_ACCEPT:
		break;
	}
	n = format_natpmp_request(&request, buf, sizeof(buf));
	assert(n > 0 && (size_t)n <= len);
	assert(parse_natpmp_request(buf, (size_t)n, &again, &result) == WIRE_ACCEPT);
	if (!request.lifetime)
		request.suggested_external_port = 0; /* a deletion goes out without one */
	assert(same_request(&request, &again));
}

static void check_response(const uint8_t *bytes, size_t len)
{
	struct natpmp_response response, again;
	uint8_t buf[16], second[16];
	ssize_t n;

	if (parse_natpmp_response(bytes, len, &response) < 0 || response.result)
		return;
	n = format_natpmp_response(&response, buf, sizeof(buf));
	assert(n > 0 && (size_t)n <= len);
	assert(parse_natpmp_response(buf, (size_t)n, &again) == 0);
	assert(format_natpmp_response(&again, second, sizeof(second)) == n);
	assert(memcmp(buf, second, (size_t)n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	check_request(bytes, len);
	check_response(bytes, len);
	return 0;
}
