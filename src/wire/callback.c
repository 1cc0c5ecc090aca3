/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "wire/callback.h"

#include <errno.h>

#define PORT_DEFAULT 80

static bool read_nocase(struct slice *s, const char *text)
{
	size_t len = strlen(text);

	if (s->len < len || !slice_eq_nocase((struct slice){ s->at, len }, text))
		return false;
	s->at += len;
	s->len -= len;
	return true;
}

/* An IPv4 address, or an IPv6 one in brackets, whose zone (RFC 6874) is the sender's own business.
 */
static bool read_host(struct slice *s, struct addr *ret)
{
	struct slice host, zone;
	size_t len = 0;

	if (read_char(s, '[')) {
		if (!memchr(s->at, ']', s->len) || !slice_split(s, ']', &host))
			return false;
		zone = host;
		return slice_split(&zone, '%', &host) && parse_addr(host, ret) == 0 &&
		       addr_is_set(ret) && !addr_is_v4(ret);
	}
	while (len < s->len && s->at[len] != ':' && s->at[len] != '/')
		len++;
	host = (struct slice){ s->at, len };
	if (parse_addr(host, ret) < 0 || !addr_is_v4(ret))
		return false;
	s->at += len;
	s->len -= len;
	return true;
}

static bool read_port(struct slice *s, uint16_t *ret)
{
	uint32_t port = PORT_DEFAULT;

	if (read_char(s, ':') && (!read_number(s, UINT16_MAX, &port) || !port))
		return false;
	*ret = (uint16_t)port;
	return true;
}

/* What goes into a request line of ours: nothing that could end it. */
static bool is_path(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= ' ' || s.at[i] >= 0x7f || s.at[i] == '<' || s.at[i] == '"')
			return false;
	return s.len <= CALLBACK_PATH_MAX && s.at[0] == '/';
}

int parse_callback(struct slice *value, struct callback *ret)
{
	struct slice s = slice_trim(*value), url;
	struct callback c;

	if (!read_char(&s, '<') || !s.len || !memchr(s.at, '>', s.len) ||
	    !slice_split(&s, '>', &url) || !read_nocase(&url, "http://"))
		return -EINVAL;
	if (!read_host(&url, &c.addr) || !read_port(&url, &c.port))
		return -EINVAL;
	c.path = url.len ? url : SLICE("/");
	if (!is_path(c.path))
		return -EINVAL;
	*value = slice_trim(s);
	*ret = c;
	return 0;
}

int parse_subscription_timeout(struct slice value, uint32_t *ret)
{
	uint32_t seconds;

	if (!read_nocase(&value, "Second-"))
		return -EINVAL;
	if (slice_eq_nocase(value, "infinite")) {
		*ret = UINT32_MAX;
		return 0;
	}
	if (!read_number(&value, UINT32_MAX, &seconds) || value.len)
		return -EINVAL;
	*ret = seconds;
	return 0;
}
