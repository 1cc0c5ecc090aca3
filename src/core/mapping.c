/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mapping: its life in memory and its parts as text. What it may say is mapping_validate.c's
 * matter.
 *
 * A mapping is one allocation: the struct, its prefixes behind it, its texts behind those. There
 * may be 65,000 of them, and a text that is empty (most are) takes no byte.
 */
#include "core/mapping.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static size_t text_size(const char *text)
{
	return text && *text ? strlen(text) + 1 : 0;
}

/* Copies text to *tail and moves the tail behind it. */
static const char *put_text(char **tail, const char *text)
{
	size_t size = text_size(text);
	const char *copy = *tail;

	if (!size)
		return "";
	memcpy(*tail, text, size);
	*tail += size;
	return copy;
}

struct mapping *mapping_new(const struct mapping_spec *spec, uint32_t id, uint32_t version)
{
	size_t remotes = spec->n_remote_hosts * sizeof(struct prefix);
	struct mapping *m;
	char *tail;

	m = malloc(sizeof(*m) + remotes + text_size(spec->name) + text_size(spec->app) +
		   text_size(spec->notes) + text_size(spec->owner));
	if (!m)
		return NULL;
	*m = (struct mapping){ .spec = *spec, .id = id, .version = version, .references = 1 };
	tail = (char *)(m + 1);
	m->spec.remote_hosts = NULL;
	if (remotes) {
		m->spec.remote_hosts = memcpy(tail, spec->remote_hosts, remotes);
		tail += remotes;
	}
	m->spec.name = put_text(&tail, spec->name);
	m->spec.app = put_text(&tail, spec->app);
	m->spec.notes = put_text(&tail, spec->notes);
	m->spec.owner = put_text(&tail, spec->owner);
	return m;
}

struct mapping *mapping_ref(struct mapping *m)
{
	m->references++;
	return m;
}

void mapping_unref(struct mapping *m)
{
	if (!m || --m->references)
		return;
	assert(!m->places); /* a table holds a reference of its own */
	free(m);
}

bool mapping_is_pinhole(const struct mapping_spec *s)
{
	return addr_is_set(&s->internal_client) && !addr_is_v4(&s->internal_client);
}

bool origin_is_device(uint8_t origin)
{
	return origin == ORIGIN_UPNP || origin == ORIGIN_NATPMP || origin == ORIGIN_PCP;
}

uint32_t port_range_width(struct port_range r)
{
	return (uint32_t)r.last - r.first + 1;
}

bool mapping_admits(const struct mapping_spec *s, const struct addr *remote)
{
	if (!s->n_remote_hosts)
		return true;
	for (uint32_t i = 0; i < s->n_remote_hosts; i++)
		if (prefix_contains(&s->remote_hosts[i], remote))
			return true;
	return false;
}

static int compare_prefixes(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

size_t normalise_prefixes(struct prefix *p, size_t n)
{
	size_t kept = 0;

	if (n)
		qsort(p, n, sizeof(*p), compare_prefixes);
	/* What covers a prefix sorts before it, with nothing but covered ones between them: the
	 * last one kept is the only one to ask. */
	for (size_t i = 0; i < n; i++)
		if (!kept || !prefix_overlaps(&p[kept - 1], &p[i]))
			p[kept++] = p[i];
	return kept;
}

static const char *const protocol_names[] = {
	[PROTOCOL_TCP] = "tcp",
	[PROTOCOL_UDP] = "udp",
	[PROTOCOL_BOTH] = "both",
};

static const char *const when_disabled_names[] = {
	[DISABLED_DROP] = "drop",
	[DISABLED_REFUSE] = "refuse",
};

static const char *const origin_names[] = {
	[ORIGIN_OPERATOR] = "operator", [ORIGIN_UPNP] = "upnp", [ORIGIN_NATPMP] = "natpmp",
	[ORIGIN_PCP] = "pcp",		[ORIGIN_RTSP] = "rtsp",
};

#define N_NAMES(names) (sizeof(names) / sizeof((names)[0]))

static const char *find_name(const char *const names[], size_t n, uint8_t value)
{
	return value < n && names[value] ? names[value] : "?";
}

static int parse_name(const char *const names[], size_t n, struct slice s, uint8_t *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (names[i] && slice_eq(s, names[i])) {
			*ret = (uint8_t)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *protocol_name(uint8_t protocols)
{
	return find_name(protocol_names, N_NAMES(protocol_names), protocols);
}

const char *when_disabled_name(uint8_t when)
{
	return find_name(when_disabled_names, N_NAMES(when_disabled_names), when);
}

const char *origin_name(uint8_t origin)
{
	return find_name(origin_names, N_NAMES(origin_names), origin);
}

int parse_protocol(struct slice s, uint8_t *ret)
{
	return parse_name(protocol_names, N_NAMES(protocol_names), s, ret);
}

int parse_when_disabled(struct slice s, uint8_t *ret)
{
	return parse_name(when_disabled_names, N_NAMES(when_disabled_names), s, ret);
}

int parse_origin(struct slice s, uint8_t *ret)
{
	return parse_name(origin_names, N_NAMES(origin_names), s, ret);
}

char *format_mapping_id(uint32_t id, char buf[static MAPPING_ID_TEXT_MAX])
{
	snprintf(buf, MAPPING_ID_TEXT_MAX, "m%u", id);
	return buf;
}

int parse_mapping_id(struct slice s, uint32_t *ret)
{
	uint32_t id;

	if (!read_char(&s, 'm') || !read_number(&s, UINT32_MAX, &id) || s.len || !id)
		return -EINVAL;
	*ret = id;
	return 0;
}

int parse_port_range(struct slice s, struct port_range *ret)
{
	uint32_t first, last;

	if (!read_number(&s, UINT32_MAX, &first))
		return -EINVAL;
	last = first;
	if (s.len && (!read_char(&s, '-') || !read_number(&s, UINT32_MAX, &last) || s.len))
		return -EINVAL;
	if (first == 0 || last < first || last > UINT16_MAX)
		return -ERANGE;
	*ret = (struct port_range){ (uint16_t)first, (uint16_t)last };
	return 0;
}

char *format_port_range(struct port_range r, char buf[static PORT_RANGE_TEXT_MAX])
{
	if (!r.first && !r.last)
		snprintf(buf, PORT_RANGE_TEXT_MAX, "auto");
	else if (r.first == r.last)
		snprintf(buf, PORT_RANGE_TEXT_MAX, "%u", r.first);
	else
		snprintf(buf, PORT_RANGE_TEXT_MAX, "%u-%u", r.first, r.last);
	return buf;
}

char *format_external(const struct mapping_spec *s, char buf[static MAPPING_EXTERNAL_TEXT_MAX])
{
	const struct addr *a = mapping_is_pinhole(s) ? &s->internal_client : &s->external_addr;
	const char *protocol = protocol_name(s->protocols);
	char addr[ADDR_TEXT_MAX], ports[PORT_RANGE_TEXT_MAX];

	format_addr(a, addr);
	format_port_range(s->external, ports);
	if (!addr_is_set(a))
		snprintf(buf, MAPPING_EXTERNAL_TEXT_MAX, "%s/%s", protocol, ports);
	else if (addr_is_v4(a))
		snprintf(buf, MAPPING_EXTERNAL_TEXT_MAX, "%s/%s:%s", protocol, addr, ports);
	else
		snprintf(buf, MAPPING_EXTERNAL_TEXT_MAX, "%s/[%s]:%s", protocol, addr, ports);
	return buf;
}
