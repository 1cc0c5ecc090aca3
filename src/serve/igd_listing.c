/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * igd_listing: the array of port mappings, and the actions that read it.
 *
 * Ids rise, so additions go to the end; only a deletion moves what lies behind it. An entry holds
 * its mapping, which never changes: what a walk shows is what was in force, even while the next
 * request is being placed.
 */
#include "serve/device.h"
#include "serve/igd_actions.h"
#include "serve/igd_private.h"
#include "serve/text.h"
#include "wire/xml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ENTRIES_MIN	 16
#define LIST_ENTRIES_MAX 1000 /* of one GetListOfPortMappings */
#define LIST_ENTRY_MAX	 2048 /* bytes of XML; a name can be 128 bytes, each up to 6 escaped */
#define INDEX_MAX	 UINT16_MAX
#define NOT_LISTED(m)	 ((m)->spec.pending || mapping_is_pinhole(&(m)->spec))

/*
 * The array.
 */
static const char *const protocol_names[] = { [PROTOCOL_TCP] = "TCP", [PROTOCOL_UDP] = "UDP" };

/* The first place whose mapping has this id or a higher one. */
static size_t find_place(const struct igd_listing *l, uint32_t id)
{
	size_t low = 0, high = l->n;

	if (l->n && l->at[l->n - 1].mapping->id < id)
		return l->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->at[middle].mapping->id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool remove_mapping(struct igd_listing *l, uint32_t id)
{
	size_t first = find_place(l, id), end = first;

	while (end < l->n && l->at[end].mapping->id == id)
		mapping_unref(l->at[end++].mapping);
	if (end == first)
		return false; /* and l->at may be NULL, which memmove() does not take */
	memmove(l->at + first, l->at + end, (l->n - end) * sizeof(*l->at));
	l->n -= end - first;
	return true;
}

static int reserve(struct igd_listing *l, size_t more)
{
	size_t capacity = l->capacity ? l->capacity : ENTRIES_MIN;
	struct igd_entry *at;

	if (l->n + more <= l->capacity)
		return 0;
	while (capacity < l->n + more)
		capacity *= 2;
	at = reallocarray(l->at, capacity, sizeof(*at));
	if (!at)
		return -ENOMEM;
	l->at = at;
	l->capacity = capacity;
	return 0;
}

static int insert_mapping(struct igd_listing *l, struct mapping *m)
{
	size_t place;

	if (m->id > l->last_id)
		l->last_id = m->id;
	if (NOT_LISTED(m))
		return 0;
	if (reserve(l, 2) < 0)
		return -ENOMEM;
	for (uint8_t p = PROTOCOL_UDP; p >= PROTOCOL_TCP; p >>= 1) {
		if (!(m->spec.protocols & p))
			continue;
		place = find_place(l, m->id);
		memmove(l->at + place + 1, l->at + place, (l->n - place) * sizeof(*l->at));
		l->at[place] = (struct igd_entry){ mapping_ref(m), p };
		l->n++;
	}
	return 0;
}

static void clear(struct igd_listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		mapping_unref(l->at[i].mapping);
	l->n = 0;
}

int igd_listing_load(struct igd_listing *l, const struct gateway *g)
{
	struct mapping **mappings;
	size_t n;
	int r = mapping_table_list(gateway_table(g), &mappings, &n);

	if (r < 0)
		return r;
	clear(l);
	for (size_t i = 0; i < n && r == 0; i++)
		r = insert_mapping(l, mappings[i]);
	free(mappings);
	l->stale = r < 0;
	return r;
}

void igd_listing_free(struct igd_listing *l)
{
	clear(l);
	free(l->at);
	*l = (struct igd_listing){ 0 };
}

bool igd_listing_follow(struct igd_listing *l, const struct event *e)
{
	bool listed = (e->before && !NOT_LISTED(e->before)) || (e->after && !NOT_LISTED(e->after));

	if (e->before)
		remove_mapping(l, e->before->id);
	if (e->after && insert_mapping(l, (struct mapping *)e->after) < 0)
		l->stale = true;
	l->update_id += listed;
	return listed;
}

int igd_listing_refresh(struct igd_listing *l, const struct gateway *g)
{
	return l->stale ? igd_listing_load(l, g) : 0;
}

void igd_value_number_of_entries(const struct igd *igd, struct writer *w)
{
	size_t n = igd->listing.n;

	writer_number(w, n < INDEX_MAX ? n : INDEX_MAX);
}

void igd_value_system_update_id(const struct igd *igd, struct writer *w)
{
	writer_number(w, igd->listing.update_id);
}

/*
 * The actions.
 */
struct entry_text {
	char remote[PREFIX_TEXT_MAX], client[ADDR_TEXT_MAX];
};

/* One host is its address, as whoever asked for it wrote it; several are the first of them as a
 * prefix, which at least says that not everyone is admitted. */
static void format_remote(const struct mapping_spec *s, char buf[static PREFIX_TEXT_MAX])
{
	const struct prefix *p = s->remote_hosts;

	if (!s->n_remote_hosts)
		buf[0] = '\0';
	else if (s->n_remote_hosts == 1 && p->length == (addr_is_v4(&p->addr) ? 32 : 128))
		format_addr(&p->addr, buf);
	else
		format_prefix(p, buf);
}

static uint32_t lease_of(const struct mapping *m)
{
	uint32_t left = device_seconds_left(m);

	return left == DEVICE_FOREVER ? 0 : left;
}

static void write_entry(struct igd_call *call, size_t i, const struct mapping *m, uint16_t internal,
			const char *client)
{
	igd_out_number(call, i, internal);
	igd_out_text(call, i + 1, client);
	igd_out_number(call, i + 2, m->spec.enabled);
	igd_out_text(call, i + 3, m->spec.name);
	igd_out_number(call, i + 4, lease_of(m));
}

void igd_get_generic_entry(struct igd_call *call)
{
	struct igd_listing *l = &call->igd->listing;
	struct entry_text text;
	const struct igd_entry *e;

	if (igd_listing_refresh(l, call->igd->gateway) < 0) {
		igd_refuse(call, SOAP_OUT_OF_MEMORY);
		return;
	}
	if (call->in[0].number >= l->n) {
		igd_refuse(call, IGD_INVALID_INDEX);
		return;
	}
	e = &l->at[call->in[0].number];
	format_remote(&e->mapping->spec, text.remote);
	format_addr(&e->mapping->spec.internal_client, text.client);
	igd_out_text(call, 0, text.remote);
	igd_out_number(call, 1, e->mapping->spec.external.first);
	igd_out_text(call, 2, protocol_names[e->protocol]);
	write_entry(call, 3, e->mapping, e->mapping->spec.internal.first, text.client);
	igd_reply(call);
}

/* Is `remote` (unset: anyone) just what m admits? */
static bool admits_just(const struct mapping_spec *s, const struct addr *remote)
{
	if (!addr_is_set(remote))
		return !s->n_remote_hosts;
	return s->n_remote_hosts == 1 && addr_eq(&s->remote_hosts->addr, remote) &&
	       s->remote_hosts->length == (addr_is_v4(remote) ? 32 : 128);
}

struct mapping *igd_find_mapping(const struct gateway *g, const struct igd_tuple *t)
{
	const struct addr any = { 0 };
	const struct addr *remote = addr_is_set(&t->remote) ? &t->remote : NULL;
	struct mapping *m = mapping_table_by_external(gateway_table(g), t->protocol, &any, t->port,
						      remote);

	return m && !NOT_LISTED(m) && admits_just(&m->spec, &t->remote) ? m : NULL;
}

struct igd_tuple igd_tuple_of(const struct soap_value *in)
{
	return (struct igd_tuple){
		.remote = in[IGD_IN_REMOTE_HOST].addr,
		.port = (uint16_t)in[IGD_IN_EXTERNAL_PORT].number,
		.protocol = (uint8_t)(1u << in[IGD_IN_PROTOCOL].number),
	};
}

void igd_get_specific_entry(struct igd_call *call)
{
	const struct igd_tuple t = igd_tuple_of(call->in);
	const struct mapping *m;
	char client[ADDR_TEXT_MAX];

	gateway_turn(call->igd->gateway); /* nothing that could still be undone */
	m = igd_find_mapping(call->igd->gateway, &t);
	if (!m) {
		igd_refuse(call, IGD_NO_SUCH_ENTRY);
		return;
	}
	write_entry(call, 0, m,
		    (uint16_t)(m->spec.internal.first + t.port - m->spec.external.first),
		    format_addr(&m->spec.internal_client, client));
	igd_reply(call);
}

/*
 * GetListOfPortMappings: XML, as WANIPConnection:2, 2.3.26 has it.
 */
static const char list_begin[] =
	"<?xml version=\"1.0\"?>\n"
	"<p:PortMappingList xmlns:p=\"urn:schemas-upnp-org:gw:WANIPConnection\""
	" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
	" xsi:schemaLocation=\"urn:schemas-upnp-org:gw:WANIPConnection"
	" http://www.upnp.org/schemas/gw/WANIPConnection-v2.xsd\">";
static const char list_end[] = "</p:PortMappingList>";

static void write_element(struct writer *w, const char *name, const char *text)
{
	writer_text(w, "<p:");
	writer_text(w, name);
	writer_text(w, ">");
	writer_xml(w, slice_of(text));
	writer_text(w, "</p:");
	writer_text(w, name);
	writer_text(w, ">");
}

static void write_number_element(struct writer *w, const char *name, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	write_element(w, name, text);
}

static void append_entry(struct text *t, const struct igd_entry *e)
{
	const struct mapping_spec *s = &e->mapping->spec;
	char buf[LIST_ENTRY_MAX];
	struct writer w = writer_of(buf, sizeof(buf));
	struct entry_text text;

	format_remote(s, text.remote);
	writer_text(&w, "<p:PortMappingEntry>");
	write_element(&w, "NewRemoteHost", text.remote);
	write_number_element(&w, "NewExternalPort", s->external.first);
	write_element(&w, "NewProtocol", protocol_names[e->protocol]);
	write_number_element(&w, "NewInternalPort", s->internal.first);
	write_element(&w, "NewInternalClient", format_addr(&s->internal_client, text.client));
	write_number_element(&w, "NewEnabled", s->enabled);
	write_element(&w, "NewDescription", s->name);
	write_number_element(&w, "NewLeaseTime", lease_of(e->mapping));
	writer_text(&w, "</p:PortMappingEntry>");
	text_append(t, buf, w.failed ? 0 : w.len);
}

static int by_external(const void *a, const void *b)
{
	const struct igd_entry *x = *(const struct igd_entry *const *)a;
	const struct igd_entry *y = *(const struct igd_entry *const *)b;

	return (int)x->mapping->spec.external.first - (int)y->mapping->spec.external.first;
}

bool igd_range_read(struct igd_call *call, struct igd_range *ret)
{
	*ret = (struct igd_range){
		.first = (uint16_t)call->in[IGD_IN_START_PORT].number,
		.last = (uint16_t)call->in[IGD_IN_END_PORT].number,
		.protocol = (uint8_t)(1u << call->in[IGD_IN_RANGE_PROTOCOL].number),
	};
	if (ret->first <= ret->last)
		return true;
	igd_refuse(call, IGD_INCONSISTENT);
	return false;
}

bool igd_range_has(const struct igd_range *range, const struct igd_entry *e)
{
	uint16_t port = e->mapping->spec.external.first;

	return e->protocol == range->protocol && port >= range->first && port <= range->last;
}

/* The entries of the range in the order of their ports, so that whoever gets a part of them knows
 * where to go on. NULL with *ret_n > 0: out of memory. */
static const struct igd_entry **collect(const struct igd_call *call, const struct igd_range *range,
					size_t *ret_n)
{
	const struct igd_listing *l = &call->igd->listing;
	const struct addr *own = &call->request->client;
	bool all = call->in[IGD_IN_MANAGE].number;
	const struct igd_entry **found;
	size_t n = 0;

	*ret_n = l->n;
	found = malloc((l->n ? l->n : 1) * sizeof(const struct igd_entry *));
	if (!found)
		return NULL;
	for (size_t i = 0; i < l->n; i++) {
		const struct igd_entry *e = &l->at[i];

		if (igd_range_has(range, e) &&
		    (all || addr_eq(&e->mapping->spec.internal_client, own)))
			found[n++] = e;
	}
	if (n)
		qsort(found, n, sizeof(*found), by_external);
	*ret_n = n;
	return found;
}

static void reply_list(struct igd_call *call, const struct igd_entry *const *found, size_t n)
{
	struct text list = { 0 };

	text_puts(&list, list_begin);
	for (size_t i = 0; i < n; i++)
		append_entry(&list, found[i]);
	text_puts(&list, list_end);
	if (list.failed) {
		igd_refuse(call, SOAP_OUT_OF_MEMORY);
	} else {
		call->out[0].text = (struct slice){ list.at, list.len };
		igd_reply(call);
	}
	text_free(&list);
}

void igd_get_list_of_mappings(struct igd_call *call)
{
	const struct igd_entry **found;
	struct igd_range range;
	size_t n, max = call->in[IGD_IN_NUMBER_OF_PORTS].number;

	if (!igd_range_read(call, &range))
		return;
	max = max && max < LIST_ENTRIES_MAX ? max : LIST_ENTRIES_MAX;
	found = igd_listing_refresh(&call->igd->listing, call->igd->gateway) == 0
			? collect(call, &range, &n)
			: NULL;
	if (!found)
		igd_refuse(call, SOAP_OUT_OF_MEMORY);
	else if (!n)
		igd_refuse(call, IGD_MAPPING_NOT_FOUND);
	else
		reply_list(call, found, n < max ? n : max);
	free(found);
}
