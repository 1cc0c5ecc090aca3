/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cursor: bounded reading and writing.
 *
 * All of reading goes through reader_take() and all of writing through writer_room(): they are the
 * only two functions here that compare a length with a bound, and the only two that move.
 */
#include "base/cursor.h"

#include <errno.h>

#define DECIMAL_MAX 20 /* digits of 2^64 - 1 */

struct reader reader_of(const void *bytes, size_t len)
{
	return (struct reader){ .at = bytes, .left = len };
}

/* The next len bytes, or NULL where there are not that many. */
static const uint8_t *reader_take(struct reader *r, size_t len)
{
	const uint8_t *at = r->at;

	if (r->failed || len > r->left) {
		r->failed = true;
		r->left = 0;
		return NULL;
	}
	if (len)
		r->at += len;
	r->left -= len;
	return at;
}

uint8_t reader_u8(struct reader *r)
{
	const uint8_t *at = reader_take(r, 1);

	return at ? at[0] : 0;
}

uint16_t reader_u16(struct reader *r)
{
	const uint8_t *at = reader_take(r, 2);

	return at ? (uint16_t)(at[0] << 8 | at[1]) : 0;
}

uint32_t reader_u32(struct reader *r)
{
	const uint8_t *at = reader_take(r, 4);

	return at ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]
		  : 0;
}

void reader_bytes(struct reader *r, void *ret, size_t len)
{
	const uint8_t *at = reader_take(r, len);

	if (!len)
		return;
	if (at)
		memcpy(ret, at, len);
	else
		memset(ret, 0, len);
}

void reader_skip(struct reader *r, size_t len)
{
	reader_take(r, len);
}

struct reader reader_sub(struct reader *r, size_t len)
{
	const uint8_t *at = reader_take(r, len);

	return (struct reader){ .at = at, .left = r->failed ? 0 : len, .failed = r->failed };
}

bool reader_done(const struct reader *r)
{
	return !r->failed && r->left == 0;
}

struct writer writer_of(void *buf, size_t cap)
{
	return (struct writer){ .start = buf, .cap = cap };
}

/* Room for len more bytes, or NULL where that is too much. */
static uint8_t *writer_room(struct writer *w, size_t len)
{
	if (w->failed || len > w->cap - w->len) {
		w->failed = true;
		return NULL;
	}
	w->len += len;
	return w->start + w->len - len;
}

void writer_u8(struct writer *w, uint8_t value)
{
	writer_bytes(w, &value, 1);
}

void writer_u16(struct writer *w, uint16_t value)
{
	uint8_t bytes[] = { (uint8_t)(value >> 8), (uint8_t)value };

	writer_bytes(w, bytes, sizeof(bytes));
}

void writer_u32(struct writer *w, uint32_t value)
{
	uint8_t bytes[] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8),
			    (uint8_t)value };

	writer_bytes(w, bytes, sizeof(bytes));
}

void writer_bytes(struct writer *w, const void *bytes, size_t len)
{
	uint8_t *room;

	if (!len)
		return;
	room = writer_room(w, len);
	if (room)
		memcpy(room, bytes, len);
}

void writer_zeros(struct writer *w, size_t len)
{
	uint8_t *room;

	if (!len)
		return;
	room = writer_room(w, len);
	if (room)
		memset(room, 0, len);
}

void writer_slice(struct writer *w, struct slice text)
{
	writer_bytes(w, text.at, text.len);
}

void writer_text(struct writer *w, const char *text)
{
	writer_slice(w, slice_of(text));
}

void writer_number(struct writer *w, uint64_t value)
{
	char digits[DECIMAL_MAX];
	size_t first = sizeof(digits);

	do {
		digits[--first] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	writer_bytes(w, digits + first, sizeof(digits) - first);
}

void writer_patch(struct writer *w, size_t offset, const void *bytes, size_t len)
{
	if (w->failed || offset > w->len || len > w->len - offset)
		w->failed = true;
	else if (len)
		memcpy(w->start + offset, bytes, len);
}

ssize_t writer_finish(const struct writer *w)
{
	return w->failed ? -EMSGSIZE : (ssize_t)w->len;
}
