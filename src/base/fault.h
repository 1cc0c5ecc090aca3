/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault: why a request was not done, once, in the words the user will read.
 *
 * The function that notices a problem knows most about it, so it writes the sentence: the field, the
 * value that was given, what was expected. Everything above only carries the fault: the API turns
 * its kind into a status and a problem type, the CLI prints the text as one line, SOAP, NAT-PMP and
 * PCP map the kind to their codes. Text quotes user input only through format_printable().
 */
#ifndef PORTWRIGHT_BASE_FAULT_H
#define PORTWRIGHT_BASE_FAULT_H

#include <stdint.h>

enum fault_kind {
	FAULT_NONE,
	FAULT_INVALID,      /* a field has a value that cannot be; `field` names it */
	FAULT_CONFLICT,     /* another party holds the external port; `proposed_port` may be set */
	FAULT_NOT_FOUND,
	FAULT_FORBIDDEN,    /* the caller may not, whatever the values */
	FAULT_QUOTA,
	FAULT_STALE,        /* If-Match names a version that is no longer current */
	FAULT_EXHAUSTED,    /* no free port, table full */
	FAULT_STORE,        /* not durable: disk full, I/O error */
	FAULT_PLANE,        /* the kernel refused */
	FAULT_MEMORY,
};

struct fault {
	enum fault_kind kind;
	uint16_t proposed_port; /* 0: none */
	char field[24];         /* as in the API's JSON: "external_port"; "" where none */
	char text[400];         /* one line, no trailing full stop or newline */
};

/* Fills *f (which may be NULL) and returns the negative errno of that kind, so that a caller can
 * write `return fault_set(f, FAULT_INVALID, "name", "...")`. */
int fault_set(struct fault *f, enum fault_kind kind, const char *field, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* The commonest one: "FIELD: text". */
#define fault_invalid(f, field, text, ...)                                                         \
	fault_set((f), FAULT_INVALID, (field), "%s: " text, (field), ##__VA_ARGS__)
int fault_errno(enum fault_kind kind);
const char *fault_kind_name(enum fault_kind kind); /* "invalid", "conflict", ...: stable, in the API */

#endif
