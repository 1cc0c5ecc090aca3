/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slice: text that carries its length, borrowed from whoever owns the bytes.
 *
 * Every parser in Portwright takes a slice and never looks for a terminating NUL, so a message that
 * stops early ends the parser, not the process. The readers at the bottom advance the slice they
 * are given only when they succeed: a grammar can be written as a chain of `||` and a failed
 * alternative leaves nothing to put back.
 */
#ifndef PORTWRIGHT_BASE_SLICE_H
#define PORTWRIGHT_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *at;
	size_t len;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ text, text ? strlen(text) : 0 };
}

bool slice_eq(struct slice s, const char *text);
bool slice_eq_nocase(struct slice s, const char *text);
struct slice slice_trim(struct slice s);

/* Splits *s at the first `sep`: *ret is what stood before it, *s what stands behind. Where there is
 * no `sep`, *ret is all of *s and *s becomes empty. False once *s is already empty. */
bool slice_split(struct slice *s, char sep, struct slice *ret);

/* Reads a decimal number of 1 to 10 digits, no sign, no blanks, at most `max`. Leading zeros are
 * refused (they mean octal to some readers). */
bool read_number(struct slice *s, uint32_t max, uint32_t *ret);
bool read_char(struct slice *s, char c);

/* Decodes the character s starts with; returns how many bytes it takes, or 0 where that is not
 * well-formed UTF-8. */
size_t utf8_next(struct slice s, uint32_t *ret);
/* True where all of s is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool slice_is_utf8(struct slice s);
/* True where s holds a control byte (C0 or DEL) or a C1 control, other than those listed in
 * `but`. */
bool slice_has_control(struct slice s, const char *but);

/* Writes s into buf for a human line: control bytes, bidi controls and bytes that are not UTF-8
 * become \xNN, cut with "..." where cap is short; always terminated when cap > 0. Returns buf. */
char *format_printable(char *buf, size_t cap, struct slice s);

#endif
