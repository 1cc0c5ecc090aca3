/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xml: text into an XML document (XML 1.0, 2.2 Characters and 2.4 Character Data).
 */
#include "wire/xml.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

struct escape {
	char c;
	const char *text;
};

/* A carriage return has to be written as a reference: as it is, a parser makes a line feed of it
 * (2.11). */
static const struct escape escapes[] = {
	{ '&', "&amp;" },  { '<', "&lt;" },   { '>', "&gt;" },
	{ '"', "&quot;" }, { '\'', "&#39;" }, { '\r', "&#13;" },
};

static const char *find_escape(uint32_t c)
{
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
		if (c == (uint8_t)escapes[i].c)
			return escapes[i].text;
	return NULL;
}

/* Production [2], Char; surrogates are not UTF-8 in the first place. */
static bool is_char(uint32_t c)
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c != 0xfffe && c != 0xffff);
}

void writer_xml(struct writer *w, struct slice text)
{
	while (text.len) {
		uint32_t c = 0;
		size_t n = utf8_next(text, &c);
		const char *escape = n ? find_escape(c) : NULL;

		if (escape)
			writer_text(w, escape);
		else if (n && is_char(c))
			writer_bytes(w, text.at, n);
		else
			writer_text(w, REPLACEMENT);
		text.at += n ? n : 1;
		text.len -= n ? n : 1;
	}
}
