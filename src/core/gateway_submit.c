/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From an operation to a step in the table: find, validate, permit, find a port, place.
 *
 * Everything is judged against the table as the operations before it left it, so a transaction may
 * delete a mapping and give its port to another one. When operation k is refused the steps before
 * it are taken back at once and the caller is told before submit returns; nothing waits.
 */
#include "core/gateway_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_QUOTE_MAX	  (MAPPING_NAME_MAX + 32)
#define ENDPOINT_TEXT_MAX (ADDR_TEXT_MAX + PORT_RANGE_TEXT_MAX + 4)

static int out_of_memory(struct fault *f)
{
	return fault_set(f, FAULT_MEMORY, "", "out of memory; nothing was changed");
}

static bool is_auto(const struct mapping_spec *s)
{
	return s->external.first == 0 && s->external.last == 0;
}

static char *format_internal(const struct mapping_spec *s, char buf[static ENDPOINT_TEXT_MAX])
{
	char addr[ADDR_TEXT_MAX], ports[PORT_RANGE_TEXT_MAX];
	bool v6 = mapping_is_pinhole(s);

	snprintf(buf, ENDPOINT_TEXT_MAX, "%s%s%s:%s", v6 ? "[" : "",
		 format_addr(&s->internal_client, addr), v6 ? "]" : "",
		 format_port_range(s->internal, ports));
	return buf;
}

/* The sentence `text`, and behind it, for people, what could be had instead. */
static int refuse_port(const struct request *r, const struct mapping_spec *s, uint32_t except,
		       const char *text, struct fault *f)
{
	char ports[PORT_RANGE_TEXT_MAX];
	struct port_range free_range;

	if (permit_is_device(r) || mapping_is_pinhole(s) ||
	    port_allocate(&r->g->allocator, s, except, NULL, &free_range) < 0)
		return fault_set(f, FAULT_CONFLICT, "external_port", "%s", text);
	fault_set(f, FAULT_CONFLICT, "external_port", "%s; %s is free", text,
		  format_port_range(free_range, ports));
	f->proposed_port = free_range.first;
	return fault_errno(FAULT_CONFLICT);
}

static int refuse_conflict(const struct request *r, const struct mapping_spec *s, uint32_t except,
			   const struct mapping *other, struct fault *f)
{
	char external[MAPPING_EXTERNAL_TEXT_MAX], internal[ENDPOINT_TEXT_MAX];
	char id[MAPPING_ID_TEXT_MAX], name[NAME_QUOTE_MAX], text[sizeof(f->text)];
	bool named = other->spec.name[0] != '\0';

	format_printable(name, sizeof(name), slice_of(other->spec.name));
	snprintf(text, sizeof(text), "%s is mapped to %s%s%s%s (%s)",
		 format_external(&other->spec, external), format_internal(&other->spec, internal),
		 named ? " as '" : "", name, named ? "'" : "", format_mapping_id(other->id, id));
	return refuse_port(r, s, except, text, f);
}

static int occupancy_failed(int error, struct fault *f)
{
	if (error == -ENOMEM)
		return out_of_memory(f);
	return fault_set(f, FAULT_PLANE, "", "cannot see which ports this gateway itself uses: %s",
			 strerror(-error));
}

static int check_occupancy(const struct request *r, const struct mapping_spec *s, uint32_t except,
			   struct fault *f)
{
	struct occupancy *o = r->g->config.occupancy;
	char text[sizeof(f->text)], quoted[sizeof(((struct occupant *)NULL)->name) * 2];
	struct occupant other;
	int found;

	if (!o || mapping_is_pinhole(s))
		return 0;
	found = o->find(o, s->protocols, &s->external_addr, s->external.first, s->external.last,
			&other);
	if (found <= 0)
		return found < 0 ? occupancy_failed(found, f) : 0;
	snprintf(text, sizeof(text), "%s/%u is used by %s on this gateway",
		 protocol_name(other.protocol), other.port,
		 other.name[0] ? format_printable(quoted, sizeof(quoted), slice_of(other.name))
			       : "another program");
	return refuse_port(r, s, except, text, f);
}

/* Whoever holds the external side of `held` holds that of s, too. */
static bool covers_external(const struct mapping_spec *held, const struct mapping_spec *s)
{
	return (s->protocols & ~held->protocols) == 0 &&
	       (!addr_is_set(&held->external_addr) ||
		addr_eq(&held->external_addr, &s->external_addr)) &&
	       s->external.first >= held->external.first && s->external.last <= held->external.last;
}

static int allocate(const struct request *r, struct mapping_spec *s, uint32_t except,
		    struct fault *f)
{
	char internal[ENDPOINT_TEXT_MAX];
	struct permit_room room;
	int ret;

	if (mapping_is_pinhole(s)) {
		s->external = s->internal;
		return 0;
	}
	ret = port_allocate(&r->g->allocator, s, except, permit_terms(r, s, &room), &s->external);
	if (ret == -EADDRNOTAVAIL)
		return fault_set(f, FAULT_EXHAUSTED, "external_port",
				 "no external port is free for %s %s: all from 1024 to 65535 are "
				 "taken%s",
				 protocol_name(s->protocols), format_internal(s, internal),
				 permit_is_device(r) ? ", or kept from it" : "");
	return ret < 0 ? occupancy_failed(ret, f) : 0;
}

/* A mapping that is changed and asks for any port keeps its own if it can. */
static bool keeps_port(const struct request *r, struct mapping_spec *s, const struct mapping *m)
{
	struct mapping_spec kept = *s;

	if (!m || port_range_width(m->spec.external) != port_range_width(s->internal))
		return false;
	kept.external = m->spec.external;
	if (!covers_external(&m->spec, &kept) || mapping_is_pinhole(&kept) ||
	    mapping_table_conflict(r->g->table, &kept, m->id) || permit_spec(r, &kept, m, NULL) < 0)
		return false;
	*s = kept;
	return true;
}

/* The same port of the other protocol, where NAT-PMP reserves this one for another client (RFC
 * 6886, 3.3). A port that is found by searching never has one. */
static const struct mapping *find_companion(const struct request *r, const struct mapping_spec *s)
{
	struct mapping_spec companion = *s;
	const struct mapping *other;

	if (!permit_is_device(r) || s->protocols == PROTOCOL_BOTH || mapping_is_pinhole(s))
		return NULL;
	companion.protocols = PROTOCOL_BOTH - s->protocols;
	other = mapping_table_conflict(r->g->table, &companion, 0);
	if (!other || other->spec.origin != ORIGIN_NATPMP ||
	    addr_eq(&other->spec.internal_client, &s->internal_client))
		return NULL;
	return other;
}

static int settle_external(const struct request *r, struct mapping_spec *s,
			   const struct mapping *before, struct fault *f)
{
	uint32_t except = before ? before->id : 0;
	bool any = is_auto(s) || (r->operation->suggests && !mapping_is_pinhole(s));
	const struct mapping *other;
	int ret;

	if (any && (!is_auto(s) || !keeps_port(r, s, before))) {
		ret = allocate(r, s, except, f);
		if (ret < 0 || !mapping_is_pinhole(s))
			return ret;
	}
	other = mapping_table_conflict(r->g->table, s, except);
	if (other)
		return refuse_conflict(r, s, except, other, f);
	if (before && covers_external(&before->spec, s))
		return 0;
	other = find_companion(r, s);
	if (other)
		return refuse_conflict(r, s, except, other, f);
	return check_occupancy(r, s, except, f);
}

static int check_expiry(const struct mapping_spec *s, struct fault *f)
{
	char date[WALL_TEXT_MAX];

	if (!s->expires || s->expires > clock_now())
		return 0;
	if (!s->expires_date)
		return fault_invalid(f, "lifetime", "it has ended already; expected a longer one");
	return fault_invalid(f, "expires", "%s is in the past; expected a date to come",
			     format_wall(s->expires_date, date));
}

static bool same_remotes(const struct mapping_spec *a, const struct mapping_spec *b)
{
	if (a->n_remote_hosts != b->n_remote_hosts)
		return false;
	for (uint32_t i = 0; i < a->n_remote_hosts; i++)
		if (prefix_compare(&a->remote_hosts[i], &b->remote_hosts[i]) != 0)
			return false;
	return true;
}

/* A date is what a person said; the deadline that follows it may differ by the clocks' jitter. */
static bool same_end(const struct mapping_spec *a, const struct mapping_spec *b)
{
	return a->expires_date == b->expires_date && (a->expires_date || a->expires == b->expires);
}

static bool same_ranges(struct port_range a, struct port_range b)
{
	return a.first == b.first && a.last == b.last;
}

static bool same_spec(const struct mapping_spec *a, const struct mapping_spec *b)
{
	return addr_eq(&a->external_addr, &b->external_addr) &&
	       addr_eq(&a->internal_client, &b->internal_client) &&
	       same_ranges(a->external, b->external) && same_ranges(a->internal, b->internal) &&
	       a->protocols == b->protocols && a->when_disabled == b->when_disabled &&
	       a->origin == b->origin && a->enabled == b->enabled && a->pending == b->pending &&
	       !memcmp(a->nonce, b->nonce, sizeof(a->nonce)) && a->peer_port == b->peer_port &&
	       a->max_connections == b->max_connections && a->rate == b->rate && same_end(a, b) &&
	       same_remotes(a, b) && !strcmp(a->name, b->name) && !strcmp(a->app, b->app) &&
	       !strcmp(a->notes, b->notes) && !strcmp(a->owner, b->owner);
}

/* What waits for approval does so until the operator takes that away, or enables it. */
static void adopt_operators(struct mapping_spec *s, const struct mapping *before)
{
	s->pending = s->pending && !s->enabled && before && before->spec.pending;
}

/* What the caller asked for, with what only the gateway decides. */
static void adopt(struct mapping_spec *s, const struct request *r, const struct mapping *before)
{
	*s = r->operation->spec;
	s->name = s->name ? s->name : "";
	s->app = s->app ? s->app : "";
	s->notes = s->notes ? s->notes : "";
	s->owner = before ? before->spec.owner : r->who->owner;
	s->origin = (uint8_t)(before ? before->spec.origin : r->who->origin);
	if (permit_is_device(r))
		permit_adopt(r, s, before);
	else
		adopt_operators(s, before);
	if (r->purpose == PURPOSE_REQUEST && s->expires_date)
		s->expires = lease_deadline(s->expires_date);
}

static struct mapping *make_mapping(const struct request *r, const struct mapping_spec *s,
				    const struct mapping *before)
{
	bool redated = r->purpose == PURPOSE_REDATING;
	uint32_t id = before ? before->id : r->g->last_id + 1;
	uint32_t version = before ? before->version + !redated : 1;
	struct mapping *m = mapping_new(s, id, version);

	if (!m)
		return NULL;
	m->changed = redated ? before->changed : clock_wall();
	m->created = before ? before->created : m->changed;
	if (before)
		m->counters = before->counters;
	return m;
}

/* *ret is a reference: a new mapping, or `before` itself where nothing is to change. */
static int make_after(const struct request *r, struct mapping *before, struct mapping **ret,
		      struct fault *f)
{
	struct mapping_spec s;
	int error;

	adopt(&s, r, before);
	if (before && same_spec(&s, &before->spec) && r->purpose == PURPOSE_REQUEST) {
		*ret = mapping_ref(before);
		return 0;
	}
	if (r->purpose == PURPOSE_REQUEST) {
		error = mapping_validate(&s, &r->g->site, f);
		if (error < 0)
			return error;
		error = check_expiry(&s, f);
		if (error < 0)
			return error;
		error = permit_spec(r, &s, before, f);
		if (error < 0)
			return error;
		error = settle_external(r, &s, before, f);
		if (error < 0)
			return error;
	}
	if (before && same_spec(&s, &before->spec) && r->purpose == PURPOSE_REQUEST) {
		*ret = mapping_ref(before); /* it asked for any port and keeps its own */
		return 0;
	}
	if (!before && r->g->last_id == UINT32_MAX)
		return fault_set(f, FAULT_EXHAUSTED, "", "every id has been given out");
	*ret = make_mapping(r, &s, before);
	return *ret ? 0 : out_of_memory(f);
}

static int find_before(const struct request *r, struct mapping **ret, struct fault *f)
{
	const struct gateway_operation *o = r->operation;
	struct mapping *m = mapping_table_by_id(r->g->table, o->id);
	char id[MAPPING_ID_TEXT_MAX];
	int error;

	format_mapping_id(o->id, id);
	if (!m)
		return fault_set(f, FAULT_NOT_FOUND, "id", "there is no mapping %s", id);
	error = permit_touch(r, m, f);
	if (error < 0)
		return error;
	if (o->version && o->version != m->version)
		return fault_set(f, FAULT_STALE, "version",
				 "%s changed since: it is version %u, not %u", id, m->version,
				 o->version);
	*ret = mapping_ref(m);
	return 0;
}

/* Places one operation; room for its step is reserved. */
static int place(const struct request *r, struct batch *b, struct fault *f)
{
	struct mapping *shut = permit_find_shut(r);
	struct change step = { .before = shut ? mapping_ref(shut) : NULL };
	int ret = 0;

	if (r->operation->verb != GATEWAY_ADD)
		ret = find_before(r, &step.before, f);
	if (ret == 0 && r->operation->verb != GATEWAY_DELETE)
		ret = make_after(r, step.before, &step.after, f);
	if (ret < 0)
		goto fail;
	if (step.before != step.after) {
		if (gateway_swap(r->g, step.before, step.after, &b->moves) < 0) {
			ret = out_of_memory(f);
			goto fail;
		}
	}
	if (!step.before)
		r->g->last_id = step.after->id;
	b->steps[b->n_steps++] = step;
	return 0;

fail:
	mapping_unref(step.before);
	mapping_unref(step.after);
	return ret;
}

/* Notes what a device is to be told of the operation that was just placed. 0 or -ENOMEM. */
static int note_instead(const struct request *r, const struct batch *b, struct transaction *t,
			struct fault *f)
{
	if (t->instead || !permit_refuses(r, b->steps[b->n_steps - 1].after, f))
		return 0;
	t->instead = malloc(sizeof(*t->instead));
	if (!t->instead)
		return out_of_memory(f);
	*t->instead = *f;
	t->instead_of = b->n_steps - 1 - t->first;
	return 0;
}

static void refuse(gateway_done done, void *arg, const struct fault *f, size_t culprit)
{
	const struct gateway_result result = { .fault = f, .culprit = culprit };

	done(arg, &result);
}

/* The batch and the ids become what they were before t, the last transaction in it. */
static void abandon(struct gateway *g, struct batch *b, struct transaction *t, size_t moves,
		    uint32_t last_id)
{
	t->n = b->n_steps - t->first;
	transaction_rewind(g, b, t);
	batch_drop_moves(g, b, moves);
	for (size_t i = t->first; i < b->n_steps; i++) {
		mapping_unref(b->steps[i].before);
		mapping_unref(b->steps[i].after);
	}
	b->n_steps = t->first;
	b->n_transactions--;
	free(t->instead);
	free(t->who);
	/* Nobody has seen those ids, and nothing that came later can hold one. */
	g->last_id = last_id;
	if (g->heal_due)
		gateway_ask_turn(g);
}

void gateway_submit_for(struct gateway *g, const struct caller *who, enum purpose purpose,
			const struct gateway_operation *operations, size_t n, gateway_done done,
			void *arg)
{
	struct request r = { .g = g, .who = who, .purpose = purpose };
	struct batch *b = &g->waiting;
	size_t moves = b->moves.n;
	uint32_t last_id = g->last_id;
	char *owner = strdup(who->owner);
	struct transaction *t;
	struct fault f = { 0 };

	if (!owner || batch_reserve(b, n) < 0) {
		free(owner);
		out_of_memory(&f);
		refuse(done, arg, &f, 0);
		return;
	}
	t = &b->transactions[b->n_transactions++];
	*t = (struct transaction){
		.done = done,
		.arg = arg,
		.who = owner,
		.first = b->n_steps,
		.n = n,
		.purpose = purpose,
		.placed = true,
	};
	for (size_t i = 0; i < n; i++) {
		r.operation = &operations[i];
		if (place(&r, b, &f) < 0 || note_instead(&r, b, t, &f) < 0) {
			abandon(g, b, t, moves, last_id);
			refuse(done, arg, &f, i);
			return;
		}
	}
	gateway_ask_turn(g);
}

void gateway_submit(struct gateway *g, const struct caller *who,
		    const struct gateway_operation *operations, size_t n, gateway_done done,
		    void *arg)
{
	gateway_submit_for(g, who, PURPOSE_REQUEST, operations, n, done, arg);
}
