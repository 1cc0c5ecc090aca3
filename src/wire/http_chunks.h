/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_chunks: takes a chunked body (RFC 9112, 7.1) out of its framing, piece by piece as it comes.
 */
#ifndef PORTWRIGHT_WIRE_HTTP_CHUNKS_H
#define PORTWRIGHT_WIRE_HTTP_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http_chunks {
	uint32_t max;	/* bytes of body that are taken */
	uint32_t total; /* so far */
	uint32_t left;	/* of the chunk that has begun */
	uint32_t trailers;
	uint8_t state;
};

struct http_chunks http_chunks_of(uint32_t max);

/*
 * Reads bytes[len], moving the body's to the front. Returns how many were used up, of which
 * *ret_body are body now; what is left over is to be given again, with what follows it.
 * -EBADMSG: that is no chunked body; -EMSGSIZE: it is longer than max.
 */
ssize_t http_chunks_read(struct http_chunks *c, char *bytes, size_t len, size_t *ret_body);
/* All of it was read. */
bool http_chunks_done(const struct http_chunks *c);

#endif
