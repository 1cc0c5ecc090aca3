/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * http_header: the head of an HTTP/1.x request.
 *
 * parse_http_head() goes over every line once and checks it; what it hands out can then be walked
 * without looking at errors again. Lines end in CRLF and nothing else. Numbers of sections are
 * RFC 9112's.
 */
#include "wire/http_header.h"

#include <errno.h>

/* 5.6.2 of RFC 9110. */
static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char(s.at[i]))
			return false;
	return s.len > 0;
}

/* Printable ASCII and what lies above it, without blanks where those would divide. */
static bool is_text(struct slice s, bool blanks)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.at[i];

		if (c == ' ' || c == '\t' ? !blanks : c < 0x20 || c == 0x7f)
			return false;
	}
	return true;
}

/* Splits the first line, without its CRLF, off *rest. */
static int next_line(struct slice *rest, struct slice *ret)
{
	size_t i = 0;

	while (i < rest->len && rest->at[i] != '\r' && rest->at[i] != '\n')
		i++;
	if (i == rest->len || (rest->at[i] == '\r' && i + 1 == rest->len))
		return -EAGAIN;
	if (rest->at[i] == '\n' || rest->at[i + 1] != '\n')
		return -EBADMSG; /* 2.2 */
	*ret = (struct slice){ rest->at, i };
	rest->at += i + 2;
	rest->len -= i + 2;
	return 0;
}

/* method SP request-target SP HTTP-version (3) */
static int parse_request_line(struct slice line, struct http_head *head)
{
	bool complete = slice_split(&line, ' ', &head->method) &&
			slice_split(&line, ' ', &head->target);

	if (!complete || !is_token(head->method) || !head->target.len ||
	    !is_text(head->target, false))
		return -EBADMSG;
	if (line.len != 8 || memcmp(line.at, "HTTP/1.", 7) != 0 || line.at[7] < '0' ||
	    line.at[7] > '9')
		return -EBADMSG;
	head->minor = (uint8_t)(line.at[7] - '0');
	return 0;
}

/* field-name ":" OWS field-value OWS (5). A name that starts with a blank, as a folded line does,
 * or ends with one is no token. */
static int parse_field(struct slice line, struct slice *ret_name, struct slice *ret_value)
{
	const char *colon = line.len ? memchr(line.at, ':', line.len) : NULL;
	size_t name = colon ? (size_t)(colon - line.at) : 0;
	struct slice value;

	if (!is_token((struct slice){ line.at, name }))
		return -EBADMSG;
	value = (struct slice){ colon + 1, line.len - name - 1 };
	if (!is_text(value, true))
		return -EBADMSG;
	*ret_name = (struct slice){ line.at, name };
	*ret_value = slice_trim(value);
	return 0;
}

/* All lines up to the empty one are fields; *rest then stands behind it. */
static int check_fields(struct slice *rest, enum http_transport transport, struct slice *ret)
{
	const char *start = rest->at;
	struct slice line, name, value;
	int error;

	for (;;) {
		*ret = (struct slice){ start, (size_t)(rest->at - start) };
		if (transport == HTTP_DATAGRAM && !rest->len)
			return 0;
		error = next_line(rest, &line);
		if (error < 0)
			return error;
		if (!line.len)
			return 0;
		error = parse_field(line, &name, &value);
		if (error < 0)
			return error;
	}
}

ssize_t parse_http_head(struct slice message, enum http_transport transport, struct http_head *ret)
{
	struct slice rest = message, line;
	struct http_head head = { 0 };
	int error;

	error = next_line(&rest, &line);
	if (!error && !line.len)
		error = next_line(&rest, &line); /* one empty line in front is overlooked (2.2) */
	if (!error)
		error = parse_request_line(line, &head);
	if (!error)
		error = check_fields(&rest, transport, &head.fields);
	if (error == -EAGAIN && transport == HTTP_DATAGRAM)
		return -EBADMSG; /* nothing more will come */
	if (error < 0)
		return error;
	*ret = head;
	return (ssize_t)(message.len - rest.len);
}

bool http_next_field(struct slice *fields, struct slice *ret_name, struct slice *ret_value)
{
	struct slice line;

	return next_line(fields, &line) == 0 && parse_field(line, ret_name, ret_value) == 0;
}

int http_find_field(const struct http_head *head, const char *name, struct slice *ret)
{
	struct slice fields = head->fields, field, value, found = { NULL, 0 };
	int n = 0;

	while (http_next_field(&fields, &field, &value)) {
		if (!slice_eq_nocase(field, name))
			continue;
		found = value;
		n++;
	}
	if (n != 1)
		return n ? -EEXIST : -ENOENT;
	*ret = found;
	return 0;
}

int http_find_framing(const struct http_head *head, uint32_t max, enum http_framing *ret,
		      uint32_t *ret_length)
{
	struct slice length, coding;
	int has_length = http_find_field(head, "content-length", &length);
	int has_coding = http_find_field(head, "transfer-encoding", &coding);
	uint32_t n;

	if (has_length == -EEXIST || has_coding == -EEXIST || (!has_length && !has_coding))
		return -EBADMSG;
	if (!has_coding) {
		if (!slice_eq_nocase(coding, "chunked"))
			return -ENOTSUP;
		*ret = HTTP_CHUNKED;
		*ret_length = 0;
		return 0;
	}
	if (has_length < 0) {
		*ret = HTTP_NO_BODY;
		*ret_length = 0;
		return 0;
	}
	for (size_t i = 0; i < length.len; i++)
		if (length.at[i] < '0' || length.at[i] > '9')
			return -EBADMSG;
	if (!length.len || (length.at[0] == '0' && length.len > 1))
		return -EBADMSG;
	if (!read_number(&length, max, &n))
		return -EMSGSIZE;
	*ret = HTTP_LENGTH;
	*ret_length = n;
	return 0;
}
