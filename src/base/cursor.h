/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cursor: bounded reading and writing of messages, with one check at the end.
 *
 * A reader hands out a message from front to back, a writer fills a buffer likewise; numbers travel
 * in network order. Failure is sticky: once something did not fit, a reader yields zeros and a
 * writer writes nothing more, so that a message's layout can be spelled out line by line and
 * checked once. Neither allocates, and neither ever touches a byte outside of what it was given.
 */
#ifndef PORTWRIGHT_BASE_CURSOR_H
#define PORTWRIGHT_BASE_CURSOR_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct reader {
	const uint8_t *at;
	size_t left;
	bool failed;
};

struct reader reader_of(const void *bytes, size_t len);
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r);
uint32_t reader_u32(struct reader *r);
/* Fills ret[len], with zeros where the message ends before. */
void reader_bytes(struct reader *r, void *ret, size_t len);
void reader_skip(struct reader *r, size_t len);
/* A reader of the next len bytes, which *r then stands behind; failed and empty where there are not
 * that many. */
struct reader reader_sub(struct reader *r, size_t len);
/* Everything was there, and nothing is left over. */
bool reader_done(const struct reader *r);

struct writer {
	uint8_t *start;
	size_t len, cap;
	bool failed;
};

struct writer writer_of(void *buf, size_t cap);
void writer_u8(struct writer *w, uint8_t value);
void writer_u16(struct writer *w, uint16_t value);
void writer_u32(struct writer *w, uint32_t value);
void writer_bytes(struct writer *w, const void *bytes, size_t len);
void writer_zeros(struct writer *w, size_t len);
/* Text is written as it stands: no terminator, no escaping. */
void writer_slice(struct writer *w, struct slice text);
void writer_text(struct writer *w, const char *text);
void writer_number(struct writer *w, uint64_t value); /* decimal */
/* Overwrites what was written at `offset`, which fails unless all of it was written already. */
void writer_patch(struct writer *w, size_t offset, const void *bytes, size_t len);
/* What a formatter returns: the length of the message, or -EMSGSIZE where it did not fit (then the
 * buffer holds a part of it that nobody should send). */
ssize_t writer_finish(const struct writer *w);

#endif
