/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Announcing: every subscriber hears every event, in the order in which they subscribed.
 *
 * A subscriber may leave, or make others leave, while it is being told (a connection that turns out
 * to be dead), and what it does may cause further events. So each walk under way keeps the next one
 * to call where gateway_unsubscribe() can move it on.
 */
#include "core/gateway_internal.h"

static const char *const event_kind_names[] = {
	[EVENT_ADDED] = "added",     [EVENT_CHANGED] = "changed", [EVENT_DELETED] = "deleted",
	[EVENT_EXPIRED] = "expired", [EVENT_SITE] = "site",	  [EVENT_HEALED] = "healed",
};

const char *event_kind_name(enum event_kind kind)
{
	size_t n = sizeof(event_kind_names) / sizeof(event_kind_names[0]);

	return (size_t)kind < n ? event_kind_names[kind] : "?";
}

void gateway_subscribe(struct gateway *g, struct subscriber *s)
{
	struct subscriber **end = &g->subscribers;

	while (*end)
		end = &(*end)->next;
	s->next = NULL;
	*end = s;
}

void gateway_unsubscribe(struct gateway *g, struct subscriber *s)
{
	struct subscriber **at = &g->subscribers;

	while (*at && *at != s)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = s->next;
	for (struct announcement *a = g->announcing; a; a = a->outer)
		if (a->next == s)
			a->next = s->next;
	s->next = NULL;
}

void gateway_announce(struct gateway *g, enum event_kind kind, const struct change *change,
		      const char *who, const char *text)
{
	const struct event e = {
		.kind = kind,
		.number = ++g->event_number,
		.at = clock_wall(),
		.before = change ? change->before : NULL,
		.after = change ? change->after : NULL,
		.who = who,
		.text = text,
	};
	struct announcement walk = { .next = g->subscribers, .outer = g->announcing };

	g->announcing = &walk;
	while (walk.next) {
		struct subscriber *s = walk.next;

		walk.next = s->next;
		s->notify(s, &e);
	}
	g->announcing = walk.outer;
}

static enum event_kind kind_of(const struct change *c, enum purpose purpose)
{
	if (!c->before)
		return EVENT_ADDED;
	if (c->after)
		return EVENT_CHANGED;
	return purpose == PURPOSE_EXPIRY ? EVENT_EXPIRED : EVENT_DELETED;
}

void gateway_announce_transaction(struct gateway *g, const struct batch *b,
				  const struct transaction *t)
{
	if (t->purpose == PURPOSE_REDATING)
		return;
	for (const struct change *c = b->steps + t->first; c < b->steps + t->first + t->n; c++)
		if (c->before != c->after)
			gateway_announce(g, kind_of(c, t->purpose), c, t->who, NULL);
}
