/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_chunks: no bytes do harm; a body and how much it takes do not depend on how it was cut.
 */
#include "wire/http_chunks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct reading {
	ssize_t used; /* or the error */
	size_t body;
	bool done;
	char *at;
};

/* In two pieces, of which the first has `cut` bytes. */
static struct reading read_cut(const uint8_t *bytes, size_t len, size_t cut)
{
	struct http_chunks c = http_chunks_of(BODY_MAX);
	struct reading r = { .at = malloc(len + 1) };
	size_t given = cut, body;
	ssize_t n;

	assert(r.at);
	memcpy(r.at, bytes, len);
	for (int i = 0; i < 2; i++, given = len) {
		size_t used = (size_t)r.used;

		n = http_chunks_read(&c, r.at + r.body, given - used, &body);
		if (n < 0) {
			assert(n == -EBADMSG || n == -EMSGSIZE);
			r.used = n;
			return r;
		}
		assert((size_t)n <= given - used && body <= (size_t)n);
		r.used += n;
		r.body += body;
		memmove(r.at + r.body, bytes + r.used, len - (size_t)r.used);
	}
	assert(r.body <= BODY_MAX);
	r.done = http_chunks_done(&c);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct reading whole = read_cut(bytes, len, len);
	struct reading cut = read_cut(bytes, len, len ? bytes[0] % len : 0);

	assert(whole.used == cut.used && whole.done == cut.done);
	assert(whole.used < 0 || (whole.body == cut.body && !memcmp(whole.at, cut.at, cut.body)));
	free(whole.at);
	free(cut.at);
	return 0;
}
