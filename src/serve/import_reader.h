/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import_reader: reads {"mappings": [...], "replace": false} one mapping at a time.
 *
 * As one tree of jansson's, an import of 65,000 mappings takes some 100 MB; entry by entry it takes
 * what one entry takes. Only the outermost object and the list in it are taken apart here; every
 * value, and so every rule of JSON, is jansson's.
 */
#ifndef PORTWRIGHT_SERVE_IMPORT_READER_H
#define PORTWRIGHT_SERVE_IMPORT_READER_H

#include "base/slice.h"

#include <jansson.h>

#define IMPORT_ERROR_MAX 256

struct import_reader {
	/* One entry of "mappings", lent for the call; non-zero ends the reading and is returned. */
	int (*on_mapping)(void *arg, size_t index, const json_t *mapping);
	void *arg;
	/* Where the text is no such document: one line. */
	char error[IMPORT_ERROR_MAX];
	bool malformed; /* it is no JSON at all, rather than JSON that says something else */
};

/* 0 with *ret_replace; -EBADMSG with reader->error; or what on_mapping returned. */
int import_read(struct import_reader *reader, struct slice text, bool *ret_replace);

#endif
