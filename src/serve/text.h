/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * text: the body of an answer while it is written.
 *
 * It grows by doubling and remembers a failed allocation, so that a writer of a hundred thousand
 * pieces checks once, at the end. Large ones are given back to the kernel as soon as they are freed
 * (main() keeps such allocations out of the heap).
 */
#ifndef PORTWRIGHT_SERVE_TEXT_H
#define PORTWRIGHT_SERVE_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
	char *at; /* not terminated by a NUL */
	size_t len, capacity;
	bool failed; /* out of memory: nothing is kept and nothing more is taken */
};

void text_append(struct text *t, const void *bytes, size_t n);
void text_puts(struct text *t, const char *s);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* On one line; NULL marks the text as failed, as whoever made the JSON ran out of memory. */
void text_json(struct text *t, const json_t *json);
/* The same, and drops the reference. */
void text_json_take(struct text *t, json_t *json);
void text_free(struct text *t); /* empties it; the struct stays the caller's */

#endif
