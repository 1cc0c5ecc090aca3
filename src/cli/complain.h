/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complain: one line on standard error, and what to do where memory ends.
 *
 * The command lives for a moment and holds nothing that must be undone, so it does not carry
 * out-of-memory upwards: must() says so and leaves. Everything else is reported by the verb that
 * met it and becomes its exit status.
 */
#ifndef PORTWRIGHT_CLI_COMPLAIN_H
#define PORTWRIGHT_CLI_COMPLAIN_H

#include "base/slice.h"

#include <jansson.h>

/* What scripts rely on (contract: "portwright"). */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1, /* refused or failed */
	EXIT_USAGE = 2,	  /* words that cannot be understood; nothing was asked */
	EXIT_UNREACHABLE = 3,
};

/* "portwright: ...\n" on standard error, with nothing in it that could move a terminal's cursor.
 * Returns `status`, so that a verb can write `return complain(EXIT_REFUSED, ...)`. */
int complain(enum exit_status status, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Returns p, or leaves the process where it is NULL: out of memory. */
void *must(void *p);
/* json_object_set_new(), with the same answer to a lack of memory. */
void put(json_t *object, const char *key, json_t *value);

/* format_printable() into memory of the right size; the caller's to free. */
char *printable(struct slice s);

#endif
