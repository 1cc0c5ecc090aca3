/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_value: the values of portwright.conf.
 *
 * A list is built in a copy and stored in one assignment at the end, so that a bad item late in it
 * leaves nothing behind.
 */
#include "daemon/config_value.h"

#include "daemon/config.h"

#include <errno.h>

#define SEPARATORS ", \t"

/* Takes the next item off a list that commas, blanks or both separate. */
static bool next_item(struct slice *list, struct slice *ret)
{
	size_t n = 0;

	while (list->len && memchr(SEPARATORS, *list->at, strlen(SEPARATORS))) {
		list->at++;
		list->len--;
	}
	while (n < list->len && !memchr(SEPARATORS, list->at[n], strlen(SEPARATORS)))
		n++;
	*ret = (struct slice){ list->at, n };
	list->at += n;
	list->len -= n;
	return n > 0;
}

static void keep_text(char *field, struct slice s)
{
	memcpy(field, s.at, s.len);
	field[s.len] = '\0';
}

int parse_choice(struct slice value, const struct value_bounds *bounds, void *field)
{
	unsigned int *choice = field; /* what an enum is where no name is negative */

	for (unsigned int i = 0; bounds->names[i]; i++) {
		if (slice_eq(value, bounds->names[i])) {
			*choice = i;
			return 0;
		}
	}
	return bounds->unbuilt && slice_eq(value, bounds->unbuilt) ? -ENOSYS : -EINVAL;
}

int parse_switch(struct slice value, const struct value_bounds *bounds, void *field)
{
	bool *on = field;

	if (!slice_eq(value, "on") && !slice_eq(value, "off"))
		return -EINVAL;
	*on = slice_eq(value, "on");
	return 0;
}

int parse_u32(struct slice value, const struct value_bounds *bounds, void *field)
{
	uint32_t n;

	if (!read_number(&value, bounds->max, &n) || value.len || n < bounds->min)
		return -EINVAL;
	*(uint32_t *)field = n;
	return 0;
}

int parse_u16(struct slice value, const struct value_bounds *bounds, void *field)
{
	uint32_t n;
	int r = parse_u32(value, bounds, &n);

	if (!r)
		*(uint16_t *)field = (uint16_t)n;
	return r;
}

int parse_text(struct slice value, const struct value_bounds *bounds, void *field)
{
	if (value.len < bounds->min || !slice_is_utf8(value) || slice_has_control(value, ""))
		return -EINVAL;
	if (value.len >= bounds->max)
		return -E2BIG;
	keep_text(field, value);
	return 0;
}

int parse_path(struct slice value, const struct value_bounds *bounds, void *field)
{
	if (!value.len || value.at[0] != '/')
		return -EINVAL;
	while (value.len > 1 && value.at[value.len - 1] == '/')
		value.len--;
	return parse_text(value, bounds, field);
}

/* What the kernel takes for a link's name (dev_valid_name). */
static bool is_link_name(struct slice s)
{
	return s.len && s.len < IF_NAMESIZE && !slice_eq(s, ".") && !slice_eq(s, "..") &&
	       !memchr(s.at, '/', s.len) && !memchr(s.at, ':', s.len) && !slice_has_control(s, "");
}

int parse_links(struct slice value, const struct value_bounds *bounds, void *field)
{
	struct config_links links = { 0 };
	struct slice item;

	if (slice_eq(value, "auto")) {
		*(struct config_links *)field = links;
		return 0;
	}
	while (next_item(&value, &item)) {
		if (!is_link_name(item) || slice_eq(item, "auto"))
			return -EINVAL;
		if (links.n == CONFIG_LINKS_MAX)
			return -E2BIG;
		keep_text(links.names[links.n++], item);
	}
	if (!links.n)
		return -EINVAL;
	*(struct config_links *)field = links;
	return 0;
}

static bool is_external(const struct addr *a)
{
	enum addr_kind kind = addr_kind(a);

	return addr_is_v4(a) &&
	       (kind == ADDR_GLOBAL || kind == ADDR_PRIVATE || kind == ADDR_SHARED);
}

int parse_externals(struct slice value, const struct value_bounds *bounds, void *field)
{
	struct config_addrs addrs = { 0 };
	struct slice item;

	if (slice_eq(value, "auto")) {
		*(struct config_addrs *)field = addrs;
		return 0;
	}
	while (next_item(&value, &item)) {
		struct addr a;

		if (parse_addr(item, &a) || !is_external(&a))
			return -EINVAL;
		if (addrs.n == CONFIG_ADDRS_MAX)
			return -E2BIG;
		addrs.at[addrs.n++] = a;
	}
	if (!addrs.n)
		return -EINVAL;
	*(struct config_addrs *)field = addrs;
	return 0;
}

/* "tcp/22" */
static bool read_service(struct slice s, struct service_port *ret)
{
	struct service_port service;
	struct slice protocol;
	uint32_t port;

	if (!slice_split(&s, '/', &protocol) || parse_protocol(protocol, &service.protocols) ||
	    !read_number(&s, UINT16_MAX, &port) || s.len || !port)
		return false;
	service.port = (uint16_t)port;
	*ret = service;
	return true;
}

int parse_services(struct slice value, const struct value_bounds *bounds, void *field)
{
	struct config_services services = { 0 };
	struct slice item;

	while (next_item(&value, &item)) {
		if (services.n == CONFIG_SERVICES_MAX)
			return -E2BIG;
		if (!read_service(item, &services.at[services.n++]))
			return -EINVAL;
	}
	*(struct config_services *)field = services;
	return 0;
}

/* "127.0.0.1:8443", "[::1]:8443" */
int parse_endpoint(struct slice value, const struct value_bounds *bounds, void *field)
{
	struct config_endpoint endpoint = { 0 };
	struct slice text;
	uint32_t port;
	bool brackets;

	if (!value.len) {
		*(struct config_endpoint *)field = endpoint;
		return 0;
	}
	brackets = read_char(&value, '[');
	if (!slice_split(&value, brackets ? ']' : ':', &text) || parse_addr(text, &endpoint.addr) ||
	    addr_is_v4(&endpoint.addr) == brackets || (brackets && !read_char(&value, ':')) ||
	    !read_number(&value, UINT16_MAX, &port) || value.len || !port)
		return -EINVAL;
	endpoint.port = (uint16_t)port;
	*(struct config_endpoint *)field = endpoint;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "00:11:22:33:44:55", a device's: neither that of a group nor none at all. */
static bool read_mac(struct slice s, uint8_t ret[static MAC_LEN])
{
	uint8_t mac[MAC_LEN], any = 0;
	int high, low;

	if (s.len != 3 * MAC_LEN - 1)
		return false;
	for (size_t i = 0; i < MAC_LEN; i++) {
		high = hex_digit(s.at[3 * i]);
		low = hex_digit(s.at[3 * i + 1]);
		if (high < 0 || low < 0 || (i && s.at[3 * i - 1] != ':'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
		any |= mac[i];
	}
	if (!any || (mac[0] & 1))
		return false;
	memcpy(ret, mac, sizeof(mac));
	return true;
}

static bool read_ports(struct slice s, struct port_range *ret)
{
	*ret = (struct port_range){ 1, UINT16_MAX };
	return slice_eq(s, "any") || parse_port_range(s, ret) == 0;
}

/* "allow 192.168.1.0/24 1024-65535", "deny 192.168.1.50 any", "allow 00:11:22:33:44:55 2222 22" */
int parse_permit(struct slice value, const struct value_bounds *bounds, void *field)
{
	struct policy_rules *rules = field;
	struct policy_rule rule = { 0 };
	struct slice verdict, client, external, internal, more;

	if (!next_item(&value, &verdict) || !next_item(&value, &client) ||
	    !next_item(&value, &external))
		return -EINVAL;
	rule.names_internal = next_item(&value, &internal);
	if (next_item(&value, &more))
		return -EINVAL;
	rule.allow = slice_eq(verdict, "allow");
	rule.by_mac = read_mac(client, rule.mac);
	if ((!rule.allow && !slice_eq(verdict, "deny")) ||
	    (!rule.by_mac && parse_prefix(client, &rule.client)) ||
	    !read_ports(external, &rule.external) ||
	    (rule.names_internal && !read_ports(internal, &rule.internal)))
		return -EINVAL;
	if (rules->n == POLICY_RULES_MAX)
		return -E2BIG;
	rules->at[rules->n++] = rule;
	return 0;
}
