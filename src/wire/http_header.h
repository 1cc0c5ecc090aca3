/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_header: the head of an HTTP/1.x request (RFC 9112), looked at in place.
 *
 * Everything handed out points into the message. What two readers could understand in two ways is
 * refused: bare CR and LF, folded lines, blanks around a name, two lengths, a length beside a
 * transfer coding.
 */
#ifndef PORTWRIGHT_WIRE_HTTP_HEADER_H
#define PORTWRIGHT_WIRE_HTTP_HEADER_H

#include "base/slice.h"

#include <stdint.h>
#include <sys/types.h>

struct http_head {
	struct slice method, target;
	uint8_t minor;	     /* of HTTP/1.x */
	struct slice fields; /* the lines of the header fields; for http_next_field() */
};

/* What ends the head: an empty line; in a datagram also its end, behind a whole line. */
enum http_transport { HTTP_STREAM, HTTP_DATAGRAM };

/* Returns how many bytes the head takes, its empty line included. -EAGAIN: so far there is no end
 * to it; -EBADMSG: it is no head. */
ssize_t parse_http_head(struct slice message, enum http_transport transport, struct http_head *ret);

/* The first of the fields of a parsed head, of which *fields then holds the others; false where
 * there is none. The value comes without the blanks around it. */
bool http_next_field(struct slice *fields, struct slice *ret_name, struct slice *ret_value);
/* The value of a field, its name in any case. -ENOENT: there is none; -EEXIST: more than one. */
int http_find_field(const struct http_head *head, const char *name, struct slice *ret);

enum http_framing { HTTP_NO_BODY, HTTP_LENGTH, HTTP_CHUNKED };
/* How the body is delimited (RFC 9112, 6.3). -EBADMSG: not in one way; -EMSGSIZE: longer than max;
 * -ENOTSUP: another transfer coding than "chunked". */
int http_find_framing(const struct http_head *head, uint32_t max, enum http_framing *ret,
		      uint32_t *ret_length);

#endif
