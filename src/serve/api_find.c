/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which mapping a person means: by id ("m7") or by its external tuple as `portwright list` shows it
 * ("tcp/8888", "both/8000-8003", "tcp/203.0.113.7:443", "tcp/[2001:db8::5]:443").
 *
 * A tuple has to be the whole name: tcp/8001 is not the mapping of 8000-8003, since whoever writes
 * `delete tcp/8001` does not expect three more ports to go. And it has to be the name of one
 * mapping only: mappings for different remote hosts may share a tuple.
 */
#include "serve/api_private.h"

#define QUOTE_MAX 80

struct tuple {
	uint8_t protocols;
	struct addr external; /* unset: any */
	struct port_range ports;
};

static bool parse_tuple(struct slice s, struct tuple *ret)
{
	struct slice protocol, port = s, host = { 0 };
	struct tuple t = { 0 };
	const char *colon;

	if (!slice_split(&port, '/', &protocol) || parse_protocol(protocol, &t.protocols) < 0)
		return false;
	colon = port.len ? memrchr(port.at, ':', port.len) : NULL;
	if (colon) {
		host = (struct slice){ port.at, (size_t)(colon - port.at) };
		port = (struct slice){ colon + 1, port.len - host.len - 1 };
		if (host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
			host = (struct slice){ host.at + 1, host.len - 2 };
		if (parse_addr(host, &t.external) < 0)
			return false;
	}
	if (parse_port_range(port, &t.ports) < 0)
		return false;
	*ret = t;
	return true;
}

/* A pinhole's external address is its client's. */
static struct addr external_of(const struct mapping *m)
{
	return mapping_is_pinhole(&m->spec) ? m->spec.internal_client : m->spec.external_addr;
}

static bool is_named(const struct mapping *m, const struct tuple *t)
{
	struct addr external = external_of(m);

	return m->spec.protocols == t->protocols && m->spec.external.first == t->ports.first &&
	       m->spec.external.last == t->ports.last &&
	       (!addr_is_set(&t->external) || addr_eq(&t->external, &external));
}

struct search {
	const struct tuple *tuple;
	struct mapping *found, *second;
};

static int visit(void *arg, struct mapping *m)
{
	struct search *search = arg;

	if (!is_named(m, search->tuple))
		return 0;
	if (search->found)
		search->second = m;
	else
		search->found = m;
	return search->second != NULL;
}

/* The index finds a mapping at the tuple; only where that is not the only one there, or another
 * name's, all of them have to be looked at. */
static void search_tuple(const struct mapping_table *table, struct search *search,
			 struct mapping **ret_other)
{
	const struct tuple *t = search->tuple;
	uint8_t protocol = t->protocols & PROTOCOL_TCP ? PROTOCOL_TCP : PROTOCOL_UDP;
	struct mapping_spec anyone;
	struct mapping *m;

	m = mapping_table_by_external(table, protocol, &t->external, t->ports.first, NULL);
	*ret_other = m;
	if (m && is_named(m, t)) {
		anyone = m->spec;
		anyone.remote_hosts = NULL;
		anyone.n_remote_hosts = 0;
		if (!mapping_table_conflict(table, &anyone, m->id)) {
			search->found = m;
			return;
		}
	}
	mapping_table_each(table, visit, search);
}

static int find_by_tuple(const struct mapping_table *table, const struct tuple *t,
			 struct slice name, struct mapping **ret, struct fault *f)
{
	struct search search = { .tuple = t };
	char id[MAPPING_ID_TEXT_MAX], second[MAPPING_ID_TEXT_MAX], quoted[QUOTE_MAX];
	char external[MAPPING_EXTERNAL_TEXT_MAX];
	struct mapping *other;

	format_printable(quoted, sizeof(quoted), name);
	search_tuple(table, &search, &other);
	if (search.second)
		return fault_set(f, FAULT_CONFLICT, "",
				 "%s is the name of %s and of %s: expected one of these IDs",
				 quoted, format_mapping_id(search.found->id, id),
				 format_mapping_id(search.second->id, second));
	if (!search.found && other)
		return fault_set(f, FAULT_NOT_FOUND, "",
				 "%s is no mapping, only part of %s (%s): expected its whole name",
				 quoted, format_mapping_id(other->id, id),
				 format_external(&other->spec, external));
	if (!search.found)
		return fault_set(f, FAULT_NOT_FOUND, "", "%s is not mapped", quoted);
	*ret = search.found;
	return 0;
}

int api_find(const struct mapping_table *t, struct slice name, struct mapping **ret,
	     struct fault *f)
{
	char quoted[QUOTE_MAX];
	struct tuple tuple;
	struct mapping *m;
	uint32_t id;

	if (!parse_mapping_id(name, &id)) {
		m = mapping_table_by_id(t, id);
		if (!m)
			return fault_set(f, FAULT_NOT_FOUND, "", "there is no mapping m%u", id);
		*ret = m;
		return 0;
	}
	if (parse_tuple(name, &tuple))
		return find_by_tuple(t, &tuple, name, ret, f);
	return fault_set(f, FAULT_NOT_FOUND, "",
			 "'%s' is no mapping's name: expected an ID such as m7, "
			 "or protocol and external port such as tcp/8888",
			 format_printable(quoted, sizeof(quoted), name));
}
