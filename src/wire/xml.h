/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xml: text into an XML document.
 */
#ifndef PORTWRIGHT_WIRE_XML_H
#define PORTWRIGHT_WIRE_XML_H

#include "base/cursor.h"

/* Writes any bytes as character data, safe between tags and within an attribute's quotes of either
 * kind. What XML cannot carry (most control characters, bytes that are not UTF-8, U+FFFE and
 * U+FFFF) becomes U+FFFD; all else comes back as it was from whoever parses the document. */
void writer_xml(struct writer *w, struct slice text);

#endif
