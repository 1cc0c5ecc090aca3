/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/event_stream.h"

#include <errno.h>
#include <stdlib.h>

static int buffer_append(struct text_buffer *b, struct slice s)
{
	if (s.len > EVENT_STREAM_MAX - b->len)
		return -EMSGSIZE;
	if (b->len + s.len > b->capacity) {
		size_t capacity = (b->len + s.len) * 2;
		char *at = realloc(b->at, capacity);

		if (!at)
			return -ENOMEM;
		b->at = at;
		b->capacity = capacity;
	}
	if (s.len)
		memcpy(b->at + b->len, s.at, s.len);
	b->len += s.len;
	return 0;
}

static int buffer_set(struct text_buffer *b, struct slice s)
{
	b->len = 0;
	return buffer_append(b, s);
}

static struct slice buffer_slice(const struct text_buffer *b)
{
	return (struct slice){ b->at ? b->at : "", b->len };
}

static void buffer_free(struct text_buffer *b)
{
	free(b->at);
	*b = (struct text_buffer){ 0 };
}

static void dispatch(struct event_stream *s)
{
	struct stream_event e = { buffer_slice(&s->id), buffer_slice(&s->kind),
				  buffer_slice(&s->data) };

	/* The id stays in force for later events; kind and data do not. */
	s->kind.len = 0;
	s->data.len = 0;
	if (!e.data.len)
		return;
	e.data.len--; /* the LF behind the last data line */
	if (!e.kind.len)
		e.kind = SLICE("message");
	s->on_event(s->arg, &e);
}

static int end_line(struct event_stream *s)
{
	struct slice value = buffer_slice(&s->line), field;
	int error;

	s->line.len = 0;
	if (!value.len) {
		dispatch(s);
		return 0;
	}
	if (!slice_split(&value, ':', &field))
		return 0;
	if (value.len && value.at[0] == ' ')
		value = (struct slice){ value.at + 1, value.len - 1 };
	if (slice_eq(field, "id"))
		return buffer_set(&s->id, value);
	if (slice_eq(field, "event"))
		return buffer_set(&s->kind, value);
	if (!slice_eq(field, "data"))
		return 0; /* a comment (a sign of life), or a field we have no use for */
	error = buffer_append(&s->data, value);
	return error ? error : buffer_append(&s->data, SLICE("\n"));
}

int event_stream_feed(struct event_stream *s, struct slice piece)
{
	int error = 0;

	while (piece.len && !error) {
		size_t n = 0;

		if (s->after_cr && piece.at[0] == '\n')
			piece = (struct slice){ piece.at + 1, piece.len - 1 };
		s->after_cr = false;
		while (n < piece.len && piece.at[n] != '\n' && piece.at[n] != '\r')
			n++;
		error = buffer_append(&s->line, (struct slice){ piece.at, n });
		if (error || n == piece.len)
			return error;
		s->after_cr = piece.at[n] == '\r';
		piece = (struct slice){ piece.at + n + 1, piece.len - n - 1 };
		error = end_line(s);
	}
	return error;
}

void event_stream_free(struct event_stream *s)
{
	buffer_free(&s->line);
	buffer_free(&s->id);
	buffer_free(&s->kind);
	buffer_free(&s->data);
	s->after_cr = false;
}
