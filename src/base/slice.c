/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slice: text by pointer and length.
 *
 * One decoder, utf8_next(), knows what well-formed UTF-8 is (RFC 3629, table 3-7 of the Unicode
 * standard); the checks and the printable form are built on it, so that they cannot disagree about
 * where a character ends.
 */
#include "base/slice.h"

#include <stdio.h>
#include <strings.h>

#define NUMBER_DIGITS_MAX 10

bool slice_eq(struct slice s, const char *text)
{
	return s.len == strlen(text) && (!s.len || memcmp(s.at, text, s.len) == 0);
}

bool slice_eq_nocase(struct slice s, const char *text)
{
	return s.len == strlen(text) && (!s.len || strncasecmp(s.at, text, s.len) == 0);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice slice_trim(struct slice s)
{
	while (s.len && is_blank(s.at[0])) {
		s.at++;
		s.len--;
	}
	while (s.len && is_blank(s.at[s.len - 1]))
		s.len--;
	return s;
}

bool slice_split(struct slice *s, char sep, struct slice *ret)
{
	const char *end;

	if (!s->len)
		return false;
	end = memchr(s->at, sep, s->len);
	if (!end) {
		*ret = *s;
		s->at += s->len;
		s->len = 0;
		return true;
	}
	*ret = (struct slice){ s->at, (size_t)(end - s->at) };
	s->len -= ret->len + 1;
	s->at = end + 1;
	return true;
}

bool read_number(struct slice *s, uint32_t max, uint32_t *ret)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < s->len && s->at[i] >= '0' && s->at[i] <= '9'; i++) {
		if (i == NUMBER_DIGITS_MAX)
			return false;
		n = n * 10 + (uint64_t)(s->at[i] - '0');
	}
	if (i == 0 || (i > 1 && s->at[0] == '0') || n > max)
		return false;
	s->at += i;
	s->len -= i;
	*ret = (uint32_t)n;
	return true;
}

bool read_char(struct slice *s, char c)
{
	if (!s->len || s->at[0] != c)
		return false;
	s->at++;
	s->len--;
	return true;
}

/* What a lead byte announces: how many bytes in all, and what the second one may be. That second
 * range is what keeps overlong forms, surrogates and anything above U+10FFFF out. */
struct utf8_lead {
	uint8_t from, to;
	uint8_t bytes;
	uint8_t second_min, second_max;
};

static const struct utf8_lead utf8_leads[] = {
	{ 0x00, 0x7f, 1, 0x00, 0x00 }, { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf }, { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const struct utf8_lead *find_lead(uint8_t byte)
{
	for (size_t i = 0; i < sizeof(utf8_leads) / sizeof(utf8_leads[0]); i++)
		if (byte >= utf8_leads[i].from && byte <= utf8_leads[i].to)
			return &utf8_leads[i];
	return NULL;
}

size_t utf8_next(struct slice s, uint32_t *ret)
{
	const uint8_t *at = (const uint8_t *)s.at;
	const struct utf8_lead *lead;
	uint32_t c;

	if (!s.len)
		return 0;
	lead = find_lead(at[0]);
	if (!lead || s.len < lead->bytes)
		return 0;
	if (lead->bytes == 1) {
		*ret = at[0];
		return 1;
	}
	if (at[1] < lead->second_min || at[1] > lead->second_max)
		return 0;
	c = at[0] & (0x7fu >> lead->bytes);
	for (size_t i = 1; i < lead->bytes; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (at[i] & 0x3f);
	}
	*ret = c;
	return lead->bytes;
}

bool slice_is_utf8(struct slice s)
{
	uint32_t c;
	size_t n;

	for (; s.len; s.at += n, s.len -= n) {
		n = utf8_next(s, &c);
		if (!n)
			return false;
	}
	return true;
}

static bool is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f);
}

bool slice_has_control(struct slice s, const char *but)
{
	uint32_t c;
	size_t n;

	for (; s.len; s.at += n, s.len -= n) {
		n = utf8_next(s, &c);
		if (!n) {
			n = 1; /* not a character, so not a control either */
			continue;
		}
		/* strchr() would find a NUL in every string */
		if (is_control(c) && !(c && c < 0x80 && but && strchr(but, (int)c)))
			return true;
	}
	return false;
}

/* Characters that make a line read differently from what its bytes say: bidi marks, embeddings,
 * overrides and isolates, and the two line separators. */
static bool is_deceptive(uint32_t c)
{
	return c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

/* Writes the first character of s, or its escape, into piece; returns how many bytes of s that was.
 */
static size_t printable_piece(struct slice s, char piece[static 17], size_t *ret_len)
{
	uint32_t c = 0;
	size_t n = utf8_next(s, &c), taken = n ? n : 1;

	if (n && !is_control(c) && !is_deceptive(c)) {
		memcpy(piece, s.at, n);
		*ret_len = n;
		return n;
	}
	for (size_t i = 0; i < taken; i++)
		snprintf(piece + 4 * i, 5, "\\x%02x", (uint8_t)s.at[i]);
	*ret_len = 4 * taken;
	return taken;
}

char *format_printable(char *buf, size_t cap, struct slice s)
{
	size_t at = 0, cut = 0; /* cut: the last place where "..." would still fit */
	char piece[17];
	size_t taken, len;

	if (!cap)
		return buf;
	for (; s.len; s.at += taken, s.len -= taken) {
		taken = printable_piece(s, piece, &len);
		if (at + len >= cap) {
			at = cut;
			for (int dots = 0; dots < 3 && at + 1 < cap; dots++)
				buf[at++] = '.';
			break;
		}
		memcpy(buf + at, piece, len);
		at += len;
		if (at + 3 < cap)
			cut = at;
	}
	buf[at] = '\0';
	return buf;
}
