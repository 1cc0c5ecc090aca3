/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_header: no bytes do harm; what is handed out lies within the message and holds no byte that
 * could end a line; what a stream's head is does not depend on the bytes behind it.
 */
#include "wire/http_header.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_slice(struct slice part, struct slice whole)
{
	assert(part.len <= whole.len);
	if (part.len)
		assert(part.at >= whole.at && part.at + part.len <= whole.at + whole.len);
	for (size_t i = 0; i < part.len; i++)
		assert(part.at[i] != '\r' && part.at[i] != '\n' && part.at[i] != '\0');
}

static void check_fields_of(const struct http_head *head, struct slice message)
{
	struct slice rest = head->fields, name, value, found;
	enum http_framing framing;
	uint32_t length;
	int error;

	while (http_next_field(&rest, &name, &value)) {
		assert(name.len);
		check_slice(name, message);
		check_slice(value, message);
	}
	assert(rest.len == 0); /* a parsed head is valid to its last line */
	if (http_find_field(head, "content-length", &found) == 0)
		check_slice(found, message);
	error = http_find_framing(head, 16384, &framing, &length);
	assert(error == 0 || error == -EBADMSG || error == -EMSGSIZE || error == -ENOTSUP);
	assert(error || length <= 16384);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct slice message = { (const char *)bytes, len };
	struct http_head head, again;
	ssize_t n;

	n = parse_http_head(message, HTTP_STREAM, &head);
	assert(n == -EAGAIN || n == -EBADMSG || (n > 0 && (size_t)n <= len));
	if (n > 0) {
		check_slice(head.method, message);
		check_slice(head.target, message);
		check_fields_of(&head, message);
		message.len = (size_t)n;
		assert(parse_http_head(message, HTTP_STREAM, &again) == n);
		message.len--;
		assert(parse_http_head(message, HTTP_STREAM, &again) == -EAGAIN);
	}
	n = parse_http_head(message, HTTP_DATAGRAM, &head);
	assert(n == -EBADMSG || (n >= 0 && (size_t)n <= len));
	if (n > 0)
		check_fields_of(&head, message);
	return 0;
}
