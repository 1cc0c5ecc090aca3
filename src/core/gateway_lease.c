/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings that end by themselves.
 *
 * A lifetime is a deadline on a clock that nobody can set. A date is not: it ends when the calendar
 * says so, and the calendar may be set while the mapping lives. Its deadline is therefore only the
 * calendar's word as it was; while dated mappings exist the gateway looks once a minute whether it
 * still is, and once more before it ends one.
 */
#include "core/gateway_internal.h"

#include "base/log.h"

#include <stdlib.h>

#define DATES_CHECK_MS 60000

static const struct caller self = { .owner = GATEWAY_SELF, .origin = ORIGIN_OPERATOR };

static int push_lease(void *arg, struct mapping *m)
{
	struct gateway *g = arg;

	return m->spec.expires ? leases_push(&g->leases, m->spec.expires, m->id) : 0;
}

void gateway_rebuild_leases(struct gateway *g)
{
	leases_clear(&g->leases);
	g->leases_due = mapping_table_each(g->table, push_lease, g) < 0;
	if (g->leases_due)
		g->retry_at = clock_now() + GATEWAY_RETRY_MS;
}

static void earlier(clock_ms *deadline, clock_ms other)
{
	if (!*deadline || other < *deadline)
		*deadline = other;
}

clock_ms gateway_next_deadline(const struct gateway *g)
{
	const struct lease *first = leases_first(&g->leases);
	clock_ms deadline = 0;

	if (first)
		deadline = first->deadline > g->retry_at ? first->deadline : g->retry_at;
	if (g->n_dated)
		earlier(&deadline, g->dates_checked + DATES_CHECK_MS);
	if (g->owed.n_changes || g->heal_due || g->leases_due)
		earlier(&deadline, g->retry_at);
	return deadline;
}

/* The heap's entry is used up; the table still has the mapping. */
static void try_again(struct gateway *g, const char *what, const struct fault *why)
{
	log_warning("gateway: %s, trying again: %s", what, why->text);
	g->leases_due = true;
	g->retry_at = clock_now() + GATEWAY_RETRY_MS;
}

static void ended(void *arg, const struct gateway_result *result)
{
	struct gateway *g = arg;
	char external[MAPPING_EXTERNAL_TEXT_MAX], id[MAPPING_ID_TEXT_MAX];

	if (result->fault) {
		try_again(g, "an expired mapping could not be deleted", result->fault);
		return;
	}
	log_notice("gateway: %s, %s, expired", format_mapping_id(result->mappings[0]->id, id),
		   format_external(&result->mappings[0]->spec, external));
}

static void end_mapping(struct gateway *g, const struct mapping *m)
{
	const struct gateway_operation operation = { .verb = GATEWAY_DELETE, .id = m->id };

	gateway_submit_for(g, &self, PURPOSE_EXPIRY, &operation, 1, ended, g);
}

static void redated(void *arg, const struct gateway_result *result)
{
	struct gateway *g = arg;

	if (result->fault)
		try_again(g, "a deadline could not follow the clock", result->fault);
}

/* Has the calendar been set since m's deadline was worked out? Then the deadline follows it. */
static bool redate(struct gateway *g, const struct mapping *m)
{
	struct gateway_operation operation = { .verb = GATEWAY_CHANGE, .id = m->id };
	clock_ms deadline;

	if (!m->spec.expires_date)
		return false;
	deadline = lease_deadline(m->spec.expires_date);
	if (llabs(deadline - m->spec.expires) <= GATEWAY_DATE_TOLERANCE_MS)
		return false;
	operation.spec = m->spec;
	operation.spec.expires = deadline;
	gateway_submit_for(g, &self, PURPOSE_REDATING, &operation, 1, redated, g);
	return true;
}

static void check_dates(struct gateway *g)
{
	struct mapping **list;
	size_t n;

	if (!g->n_dated || clock_now() < g->dates_checked + DATES_CHECK_MS)
		return;
	g->dates_checked = clock_now();
	if (mapping_table_list(g->table, &list, &n) < 0)
		return; /* in a minute, then */
	for (size_t i = 0; i < n; i++)
		redate(g, list[i]);
	free(list);
}

/* An entry is only a hint: does it still speak of this mapping? */
static struct mapping *find_due(const struct gateway *g, const struct lease *l)
{
	struct mapping *m = mapping_table_by_id(g->table, l->id);

	return m && m->spec.expires && m->spec.expires <= clock_now() ? m : NULL;
}

void gateway_expire(struct gateway *g)
{
	const struct lease *first;
	struct mapping *m;
	clock_ms now = clock_now();

	if (g->leases_due)
		gateway_rebuild_leases(g);
	check_dates(g);
	if (now >= g->retry_at && (g->owed.n_changes || g->heal_due))
		gateway_ask_turn(g);
	while ((first = leases_first(&g->leases)) && first->deadline <= now) {
		struct lease due = *first;

		leases_pop(&g->leases);
		m = find_due(g, &due);
		if (m && !redate(g, m))
			end_mapping(g, m);
	}
}
