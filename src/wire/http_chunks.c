/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_chunks: a chunked body, out of its framing.
 *
 * Lines are taken whole: one that has not ended yet stays with the caller. As everywhere in our
 * HTTP they end in CRLF and nothing else, so that no other reader can see chunks where we see none.
 * Extensions and trailers mean nothing to us and are read over, up to a bound.
 */
#include "wire/http_chunks.h"

#include "base/slice.h"

#include <errno.h>

#define LINE_MAX     256
#define TRAILERS_MAX 1024

enum state { SIZE, CONTENT, CONTENT_END, TRAILER, DONE };

struct http_chunks http_chunks_of(uint32_t max)
{
	return (struct http_chunks){ .max = max, .state = SIZE };
}

bool http_chunks_done(const struct http_chunks *c)
{
	return c->state == DONE;
}

/* Takes a line, without its CRLF, off *s. */
static int next_line(struct slice *s, struct slice *ret)
{
	for (size_t i = 0; i < s->len && i <= LINE_MAX; i++) {
		uint8_t byte = (uint8_t)s->at[i];

		if (byte == '\r') {
			if (i + 1 == s->len)
				return -EAGAIN;
			if (s->at[i + 1] != '\n')
				return -EBADMSG;
			*ret = (struct slice){ s->at, i };
			s->at += i + 2;
			s->len -= i + 2;
			return 0;
		}
		if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
			return -EBADMSG;
	}
	return s->len > LINE_MAX ? -EBADMSG : -EAGAIN;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* chunk-size [ chunk-ext ] */
static int parse_size(struct slice line, uint32_t *ret)
{
	uint32_t size = 0;
	size_t i;

	for (i = 0; i < line.len && hex_digit(line.at[i]) >= 0; i++) {
		if (size >> 28)
			return -EMSGSIZE;
		size = size << 4 | (uint32_t)hex_digit(line.at[i]);
	}
	if (i == 0)
		return -EBADMSG;
	while (i < line.len && (line.at[i] == ' ' || line.at[i] == '\t'))
		i++;
	if (i < line.len && line.at[i] != ';')
		return -EBADMSG;
	*ret = size;
	return 0;
}

static int read_size(struct http_chunks *c, struct slice *s)
{
	struct slice line;
	uint32_t size;
	int r = next_line(s, &line);

	if (r < 0)
		return r;
	r = parse_size(line, &size);
	if (r < 0)
		return r;
	if (size > c->max - c->total)
		return -EMSGSIZE;
	c->left = size;
	c->state = size ? CONTENT : TRAILER;
	return 0;
}

static int read_content(struct http_chunks *c, struct slice *s, char **out)
{
	size_t n = s->len < c->left ? s->len : c->left;

	if (!n)
		return -EAGAIN;
	memmove(*out, s->at, n);
	*out += n;
	s->at += n;
	s->len -= n;
	c->total += (uint32_t)n;
	c->left -= (uint32_t)n;
	if (!c->left)
		c->state = CONTENT_END;
	return 0;
}

static int read_content_end(struct http_chunks *c, struct slice *s)
{
	struct slice line;
	int r = next_line(s, &line);

	if (r < 0)
		return r;
	c->state = SIZE;
	return line.len ? -EBADMSG : 0;
}

static int read_trailer(struct http_chunks *c, struct slice *s)
{
	struct slice line;
	int r = next_line(s, &line);

	if (r < 0)
		return r;
	c->trailers += (uint32_t)line.len;
	if (!line.len)
		c->state = DONE;
	return c->trailers > TRAILERS_MAX ? -EBADMSG : 0;
}

static int step(struct http_chunks *c, struct slice *s, char **out)
{
	switch ((enum state)c->state) {
	case SIZE:
		return read_size(c, s);
	case CONTENT:
		return read_content(c, s, out);
	case CONTENT_END:
		return read_content_end(c, s);
	case TRAILER:
		return read_trailer(c, s);
	case DONE:
		break;
	}
	return -EAGAIN;
}

ssize_t http_chunks_read(struct http_chunks *c, char *bytes, size_t len, size_t *ret_body)
{
	struct slice s = { bytes, len };
	char *out = bytes;
	int r = 0;

	while (r == 0)
		r = step(c, &s, &out);
	if (r != -EAGAIN)
		return r;
	*ret_body = (size_t)(out - bytes);
	return s.at - bytes;
}
