/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/event_stream.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

struct seen {
	char text[512]; /* "id|kind|data;" for each event */
	size_t len;
};

static void on_event(void *arg, const struct stream_event *e)
{
	struct seen *seen = arg;

	seen->len += (size_t)snprintf(seen->text + seen->len, sizeof(seen->text) - seen->len,
				      "%.*s|%.*s|%.*s;", (int)e->id.len, e->id.at, (int)e->kind.len,
				      e->kind.at, (int)e->data.len, e->data.at);
}

static const struct {
	const char *in, *out;
} cases[] = {
	{ "id: 1\nevent: added\ndata: {}\n\n", "1|added|{};" },
	{ "id:1\nevent:added\ndata:{}\n\n", "1|added|{};" },
	{ "data:  two blanks\n\n", "|message| two blanks;" },
	{ "data: a\ndata: b\n\n", "|message|a\nb;" },
	{ "data: a\r\n\r\ndata: b\r\rdata: c\n\n", "|message|a;|message|b;|message|c;" },
	/* An id stays in force, a kind does not. */
	{ "id: 7\nevent: x\ndata: a\n\ndata: b\n\n", "7|x|a;7|message|b;" },
	{ ": sign of life\n\nretry: 2000\n\n", "" },
	{ "event: added\n\ndata: a\n\n", "|message|a;" },
	{ "data\n\n", "|message|;" },
	{ "unknown: x\ndata: a\n\n", "|message|a;" },
	/* What was not ended was not sent. */
	{ "data: a\n", "" },
	{ "data: a", "" },
};

/* In pieces of every size the outcome is the same. */
static void test_pieces(void **state)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].in);

		for (size_t piece = 1; piece <= len; piece++) {
			struct seen seen = { 0 };
			struct event_stream s = { .on_event = on_event, .arg = &seen };

			for (size_t at = 0; at < len; at += piece) {
				size_t n = len - at < piece ? len - at : piece;
				/* Copied, so that a sanitizer sees a step past the end. */
				char *copy = malloc(n);

				memcpy(copy, cases[i].in + at, n);
				assert_int_equal(event_stream_feed(&s, (struct slice){ copy, n }),
						 0);
				free(copy);
			}
			assert_string_equal(seen.text, cases[i].out);
			event_stream_free(&s);
		}
	}
}

static void test_endless_line(void **state)
{
	struct event_stream s = { .on_event = on_event };
	char block[65536];
	int error = 0;
	size_t fed = 0;

	memset(block, 'x', sizeof(block));
	while (!error && fed <= EVENT_STREAM_MAX) {
		error = event_stream_feed(&s, (struct slice){ block, sizeof(block) });
		fed += sizeof(block);
	}
	assert_int_equal(error, -EMSGSIZE);
	event_stream_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_endless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
