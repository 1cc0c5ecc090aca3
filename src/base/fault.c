/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/fault.h"

#include "base/slice.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Every kind has an errno of its own, so that a caller who got no fault to fill still knows which
 * kind it was. */
static const struct {
	int error;
	const char *name;
} kinds[] = {
	[FAULT_NONE] = { 0, "none" },
	[FAULT_INVALID] = { -EINVAL, "invalid" },
	[FAULT_CONFLICT] = { -EADDRINUSE, "conflict" },
	[FAULT_NOT_FOUND] = { -ENOENT, "not_found" },
	[FAULT_FORBIDDEN] = { -EPERM, "forbidden" },
	[FAULT_QUOTA] = { -EDQUOT, "quota" },
	[FAULT_STALE] = { -ESTALE, "stale" },
	[FAULT_EXHAUSTED] = { -EADDRNOTAVAIL, "exhausted" },
	[FAULT_STORE] = { -EIO, "store" },
	[FAULT_PLANE] = { -EREMOTEIO, "plane" },
	[FAULT_MEMORY] = { -ENOMEM, "memory" },
};

/* A sentence that did not fit may end in half a character: take that half away. */
static void drop_half_character(char *text)
{
	size_t len = strlen(text);

	for (int i = 0; i < 3 && len && !slice_is_utf8((struct slice){ text, len }); i++)
		text[--len] = '\0';
}

int fault_set(struct fault *f, enum fault_kind kind, const char *field, const char *format, ...)
{
	va_list args;
	int n;

	if (!f)
		return fault_errno(kind);
	f->kind = kind;
	f->proposed_port = 0;
	snprintf(f->field, sizeof(f->field), "%s", field ? field : "");
	va_start(args, format);
	n = vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
	if (n < 0)
		f->text[0] = '\0';
	else if ((size_t)n >= sizeof(f->text))
		drop_half_character(f->text);
	return fault_errno(kind);
}

int fault_errno(enum fault_kind kind)
{
	return kinds[kind].error;
}

const char *fault_kind_name(enum fault_kind kind)
{
	return kinds[kind].name;
}
