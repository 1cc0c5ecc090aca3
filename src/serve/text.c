/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_CAPACITY_MIN 256

static void fail(struct text *t)
{
	text_free(t);
	t->failed = true;
}

static bool reserve(struct text *t, size_t n)
{
	size_t capacity = t->capacity ? t->capacity : TEXT_CAPACITY_MIN;
	char *at;

	if (t->failed)
		return false;
	if (n <= t->capacity - t->len)
		return true;
	while (capacity - t->len < n) {
		if (capacity > SIZE_MAX / 2) {
			fail(t);
			return false;
		}
		capacity *= 2;
	}
	at = realloc(t->at, capacity);
	if (!at) {
		fail(t);
		return false;
	}
	t->at = at;
	t->capacity = capacity;
	return true;
}

void text_append(struct text *t, const void *bytes, size_t n)
{
	if (!n || !reserve(t, n))
		return;
	memcpy(t->at + t->len, bytes, n);
	t->len += n;
}

void text_puts(struct text *t, const char *s)
{
	text_append(t, s, strlen(s));
}

void text_printf(struct text *t, const char *format, ...)
{
	va_list ap;
	char *line;
	int n;

	va_start(ap, format);
	n = vasprintf(&line, format, ap);
	va_end(ap);
	if (n < 0) {
		fail(t);
		return;
	}
	text_append(t, line, (size_t)n);
	free(line);
}

static int take_dumped(const char *bytes, size_t n, void *arg)
{
	struct text *t = arg;

	text_append(t, bytes, n);
	return t->failed ? -1 : 0;
}

void text_json(struct text *t, const json_t *json)
{
	if (!json || json_dump_callback(json, take_dumped, t, 0) < 0)
		fail(t);
}

void text_json_take(struct text *t, json_t *json)
{
	text_json(t, json);
	json_decref(json);
}

void text_free(struct text *t)
{
	free(t->at);
	*t = (struct text){ 0 };
}
