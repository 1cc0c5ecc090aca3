/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/complain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int complain(enum exit_status status, const char *format, ...)
{
	char *line, *safe;
	va_list ap;
	int length;

	va_start(ap, format);
	length = vasprintf(&line, format, ap);
	va_end(ap);
	if (length < 0)
		must(NULL);
	safe = printable((struct slice){ line, (size_t)length });
	fprintf(stderr, "portwright: %s\n", safe);
	free(safe);
	free(line);
	return status;
}

void *must(void *p)
{
	if (!p) {
		fputs("portwright: out of memory\n", stderr);
		exit(EXIT_REFUSED);
	}
	return p;
}

void put(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		must(NULL);
}

char *printable(struct slice s)
{
	/* The longest form of a byte is \xNN. */
	size_t cap = s.len * 4 + 4;

	return format_printable(must(malloc(cap)), cap, s);
}
