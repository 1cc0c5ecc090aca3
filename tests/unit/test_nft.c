/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nft plane against the kernel, in a network namespace of this program's own.
 *
 * The strongest check here is reconcile itself: after any sequence of batches it must find every
 * element as it should be, which means that what a batch wrote, the dump reads back, and the table
 * asks for are the same three times.
 */
#include "core/mapping_table.h"
#include "plane/nft.h"
#include "plane/nft_elements.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

static bool isolated; /* we have a network namespace of our own */

struct world {
	struct plane *plane;
	struct mapping_table *table;
	struct site site;
};

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

/* "tcp 8888 192.168.69.110 80", with ranges as "8000-8003". */
static struct mapping_spec spec(uint8_t protocols, struct port_range external, const char *client,
				struct port_range internal)
{
	return (struct mapping_spec){ .internal_client = addr(client), .external = external,
				      .internal = internal, .protocols = protocols,
				      .enabled = true, .name = "", .app = "", .notes = "",
				      .owner = "" };
}

static void must_apply(struct world *w, struct mapping *before, struct mapping *after)
{
	struct source_moves moves = { 0 };
	struct change change = { before, after };
	struct plane_batch batch = { .changes = &change, .n_changes = 1 };
	struct fault f = { 0 };

	if (before)
		mapping_ref(before);
	assert_int_equal(mapping_table_replace(w->table, before, after, &moves), 0);
	batch.moves = moves.at;
	batch.n_moves = moves.n;
	if (w->plane->ops->apply(w->plane, &batch, &f) != 0)
		fail_msg("apply: %s", f.text);
	source_moves_free(&moves);
	mapping_unref(before);
}

static struct mapping *must_add(struct world *w, uint32_t id, const struct mapping_spec *s)
{
	struct mapping *m = mapping_new(s, id, 1);

	assert_non_null(m);
	assert_int_equal(mapping_validate(s, &w->site, NULL), 0);
	assert_null(mapping_table_conflict(w->table, s, 0));
	must_apply(w, NULL, m);
	mapping_unref(m);
	return m;
}

static struct reconcile_report must_reconcile(struct world *w)
{
	struct reconcile_report report;
	struct fault f = { 0 };

	if (w->plane->ops->reconcile(w->plane, w->table, &report, &f) != 0)
		fail_msg("reconcile: %s", f.text);
	return report;
}

/* Nothing to mend, and this many elements besides those of the site. */
static void expect_right(struct world *w, size_t elements)
{
	struct reconcile_report r = must_reconcile(w);

	assert_int_equal(r.added, 0);
	assert_int_equal(r.removed, 0);
	assert_int_equal(r.kept, elements + 4); /* uplink, lan, external address, uplink's address */
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct fault f = { 0 };

	*state = w;
	if (!isolated)
		return 0;
	if (nft_plane_open(&w->plane, &f) != 0)
		fail_msg("open: %s", f.text);
	assert_int_equal(mapping_table_new(&w->table), 0);
	w->site.links = calloc(2, sizeof(*w->site.links));
	w->site.links[0] = (struct site_link){ "up0", 2, LINK_UPLINK, true };
	w->site.links[1] = (struct site_link){ "lan0", 3, LINK_LAN, true };
	w->site.n_links = 2;
	w->site.addresses = calloc(1, sizeof(*w->site.addresses));
	w->site.addresses[0] = (struct site_address){ { addr("203.0.113.1"), 24 }, 2 };
	w->site.n_addresses = 1;
	w->site.external = calloc(1, sizeof(*w->site.external));
	w->site.external[0] = addr("203.0.113.1");
	w->site.n_external = 1;
	w->site.hairpin = true;
	assert_int_equal(w->plane->ops->set_site(w->plane, &w->site, &f), 0);
	must_reconcile(w);
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (w->plane) {
		assert_int_equal(w->plane->ops->flush(w->plane, NULL), 0);
		w->plane->ops->close(w->plane);
		mapping_table_free(w->table);
		site_free(&w->site);
	}
	free(w);
	return 0;
}

#define ISOLATED()                                                                                 \
	do {                                                                                       \
		if (!isolated)                                                                     \
			skip();                                                                    \
	} while (0)

static void test_every_shape(void **state)
{
	struct world *w = *state;
	struct prefix remotes[3];
	struct mapping_spec s;

	ISOLATED();
	s = spec(PROTOCOL_TCP, (struct port_range){ 8888, 8888 }, "192.168.69.110",
		 (struct port_range){ 80, 80 });
	must_add(w, 1, &s); /* open4, traffic4, source4 */
	expect_right(w, 3);
	s = spec(PROTOCOL_BOTH, (struct port_range){ 8000, 8003 }, "192.168.69.120",
		 (struct port_range){ 9000, 9003 });
	must_add(w, 2, &s); /* a block each way and a counter, twice */
	expect_right(w, 3 + 6);
	s = spec(PROTOCOL_UDP, (struct port_range){ 9001, 61024 }, "192.168.69.121",
		 (struct port_range){ 9002, 61025 });
	must_add(w, 3, &s);
	s = spec(PROTOCOL_TCP, (struct port_range){ 9443, 9443 }, "192.168.69.122",
		 (struct port_range){ 443, 443 });
	for (int i = 0; i < 3; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.51.%d.0/24", 100 + 2 * i);
		assert_int_equal(parse_prefix(slice_of(text), &remotes[i]), 0);
	}
	s.remote_hosts = remotes;
	s.n_remote_hosts = 3;
	s.max_connections = 10;
	s.rate = 5;
	must_add(w, 4, &s);
	s = spec(PROTOCOL_TCP, (struct port_range){ 443, 443 }, "192.168.69.123",
		 (struct port_range){ 443, 443 });
	s.external_addr = addr("203.0.113.7");
	must_add(w, 5, &s);
	s = spec(PROTOCOL_TCP, (struct port_range){ 7000, 7000 }, "192.168.69.123",
		 (struct port_range){ 70, 70 });
	s.enabled = false;
	s.when_disabled = DISABLED_REFUSE;
	must_add(w, 6, &s);
	s = spec(PROTOCOL_BOTH, (struct port_range){ 443, 443 }, "2001:db8::5",
		 (struct port_range){ 443, 443 });
	s.max_connections = 3;
	must_add(w, 7, &s);
	assert_int_equal(must_reconcile(w).added + must_reconcile(w).removed, 0);
}

static void test_changes(void **state)
{
	struct world *w = *state;
	struct mapping_spec s = spec(PROTOCOL_TCP, (struct port_range){ 8888, 8888 },
				     "192.168.69.110", (struct port_range){ 80, 80 });
	struct mapping *m, *next;

	ISOLATED();
	m = must_add(w, 1, &s);
	s.external = (struct port_range){ 8080, 8080 };
	must_add(w, 2, &s); /* the same endpoint: no source of its own */
	expect_right(w, 5);

	s.external = (struct port_range){ 8889, 8889 }; /* m1 moves, keeping the source */
	next = mapping_new(&s, 1, 2);
	must_apply(w, m, next);
	mapping_unref(next);
	m = next;
	expect_right(w, 5);

	s.name = "only the name";
	next = mapping_new(&s, 1, 3);
	must_apply(w, m, next);
	mapping_unref(next);
	m = next;
	expect_right(w, 5);

	s.enabled = false;
	next = mapping_new(&s, 1, 4);
	must_apply(w, m, next);
	mapping_unref(next);
	m = next;
	expect_right(w, 4); /* closed4; open4, traffic4 and now source4 of m2 */

	must_apply(w, m, NULL);
	expect_right(w, 3);
}

/* The timeout `nft` shows for the mapping on tcp/8888, in seconds; 0: none. */
static long shown_timeout(void)
{
	FILE *p = popen("nft -j list map inet portwright open4 | "
			"sed -n 's/.*\"expires\": \\([0-9]*\\).*/\\1/p'", "r");
	char text[32] = "";

	assert_non_null(p);
	if (!fgets(text, sizeof(text), p))
		text[0] = '\0';
	pclose(p);
	return strtol(text, NULL, 10);
}

static void test_leases(void **state)
{
	struct world *w = *state;
	struct mapping_spec s = spec(PROTOCOL_TCP, (struct port_range){ 8888, 8888 },
				     "192.168.69.110", (struct port_range){ 80, 80 });
	struct mapping *m, *next;

	ISOLATED();
	s.expires = clock_now() + 7200 * 1000;
	m = must_add(w, 1, &s);
	assert_in_range(shown_timeout(), 7200, 7200 + 60 + 600);
	expect_right(w, 3);

	s.expires += 3600 * 1000; /* renewed */
	next = mapping_new(&s, 1, 2);
	must_apply(w, m, next);
	mapping_unref(next);
	m = next;
	assert_in_range(shown_timeout(), 10800, 10800 + 60 + 600);
	expect_right(w, 3);

	s.expires = 0; /* made to stay */
	next = mapping_new(&s, 1, 3);
	must_apply(w, m, next);
	mapping_unref(next);
	assert_int_equal(shown_timeout(), 0);
	expect_right(w, 3);
}

static int adds_nothing(void *arg, const struct nft_element *e)
{
	(*(size_t *)arg)++;
	return 0;
}

static void test_range_blocks(void **state)
{
	struct mapping_spec s = spec(PROTOCOL_UDP, (struct port_range){ 1, 65535 },
				     "192.168.69.121", (struct port_range){ 1, 65535 });
	size_t n = 0;

	nft_mapping_elements(&s, adds_nothing, &n);
	assert_int_equal(n, 16 + 1);
	n = 0;
	s.external = (struct port_range){ 1025, 61024 };
	s.internal = (struct port_range){ 1026, 61025 };
	nft_mapping_elements(&s, adds_nothing, &n);
	nft_source_elements(&s, PROTOCOL_UDP, adds_nothing, &n);
	assert_in_range(n, 10, 60);
}

/* What waits for approval leaves nothing in the kernel; then it does. */
static void test_pending(void **state)
{
	struct world *w = *state;
	struct mapping_spec s = spec(PROTOCOL_TCP, (struct port_range){ 8888, 8888 },
				     "192.168.69.110", (struct port_range){ 80, 80 });
	struct mapping *m, *approved;

	ISOLATED();
	s.enabled = false;
	s.pending = true;
	m = must_add(w, 1, &s);
	expect_right(w, 0);
	s.enabled = true;
	s.pending = false;
	approved = mapping_new(&s, 1, 2);
	must_apply(w, m, approved);
	mapping_unref(approved);
	expect_right(w, 3);
}

static void test_healing(void **state)
{
	struct world *w = *state;
	struct mapping_spec s = spec(PROTOCOL_TCP, (struct port_range){ 8888, 8888 },
				     "192.168.69.110", (struct port_range){ 80, 80 });
	struct reconcile_report r;
	struct mapping *m;

	ISOLATED();
	m = must_add(w, 1, &s);
	assert_int_equal(w->plane->ops->attend(w->plane), 0); /* our own doing is no news */

	assert_int_equal(system("nft delete element inet portwright open4 '{ tcp . 8888 }'"), 0);
	assert_int_equal(w->plane->ops->attend(w->plane), 1);
	r = must_reconcile(w);
	assert_int_equal(r.added, 1);
	assert_int_equal(r.removed, 0);

	assert_int_equal(system("nft add element inet portwright open4 "
				"'{ tcp . 22 : 192.168.69.9 . 22 }'"), 0);
	assert_int_equal(w->plane->ops->attend(w->plane), 1);
	assert_int_equal(must_reconcile(w).removed, 1);

	assert_int_equal(system("nft add table inet other && nft delete table inet other"), 0);
	assert_int_equal(w->plane->ops->attend(w->plane), 0);

	assert_int_equal(system("nft flush ruleset"), 0);
	assert_int_equal(w->plane->ops->attend(w->plane), 1);
	assert_int_equal(must_reconcile(w).added, 7);
	assert_int_equal(w->plane->ops->attend(w->plane), 0);
	expect_right(w, 3);

	/* A batch that meets a table changed meanwhile says so. */
	assert_int_equal(system("nft flush ruleset"), 0);
	{
		struct change change = { m, NULL };
		struct plane_batch batch = { .changes = &change, .n_changes = 1 };

		assert_int_equal(w->plane->ops->apply(w->plane, &batch, NULL), -ESTALE);
	}
	must_reconcile(w);
	expect_right(w, 3);
}

static void test_site(void **state)
{
	struct world *w = *state;
	struct fault f = { 0 };

	ISOLATED();
	w->site.external[0] = addr("203.0.113.99");
	w->site.addresses[0].prefix.addr = addr("203.0.113.99");
	assert_int_equal(w->plane->ops->set_site(w->plane, &w->site, &f), 0);
	expect_right(w, 0);
	w->site.firewall = true;
	assert_int_equal(w->plane->ops->set_site(w->plane, &w->site, &f), 0);
	assert_int_equal(system("nft list chain inet portwright firewall_forward >/dev/null"), 0);
	w->site.firewall = false;
	assert_int_equal(w->plane->ops->set_site(w->plane, &w->site, &f), 0);
	assert_int_not_equal(
		system("nft list chain inet portwright firewall_forward >/dev/null 2>&1"), 0);
	expect_right(w, 0);

	w->site.hairpin = false; /* one element of no_hairpin more, and four of services */
	w->site.services = calloc(3, sizeof(*w->site.services));
	w->site.services[0] = (struct service_port){ PROTOCOL_TCP, 22 };
	w->site.services[1] = (struct service_port){ PROTOCOL_BOTH, 53 };
	w->site.services[2] = (struct service_port){ PROTOCOL_UDP, 5351, .lan_only = true };
	w->site.n_services = 3;
	assert_int_equal(w->plane->ops->set_site(w->plane, &w->site, &f), 0);
	expect_right(w, 5);
}

/* One turn: added and deleted, deleted and its port taken by another. */
static void test_net_changes(void **state)
{
	struct world *w = *state;
	struct mapping_spec s = spec(PROTOCOL_TCP, (struct port_range){ 8888, 8888 },
				     "192.168.69.110", (struct port_range){ 80, 80 });
	struct source_moves moves = { 0 };
	struct mapping *a = must_add(w, 1, &s), *b, *c;
	struct change changes[3];
	struct plane_batch batch = { .changes = changes, .n_changes = 3 };
	struct fault f = { 0 };

	ISOLATED();
	mapping_ref(a);
	b = mapping_new(&s, 2, 1);
	s.internal_client = addr("192.168.69.111");
	c = mapping_new(&s, 3, 1);
	changes[0] = (struct change){ a, NULL };
	changes[1] = (struct change){ NULL, b };
	changes[2] = (struct change){ b, NULL };
	for (int i = 0; i < 3; i++)
		assert_int_equal(mapping_table_replace(w->table, changes[i].before,
						       changes[i].after, &moves), 0);
	batch.moves = moves.at;
	batch.n_moves = moves.n;
	if (w->plane->ops->apply(w->plane, &batch, &f) != 0)
		fail_msg("%s", f.text);
	source_moves_free(&moves);
	expect_right(w, 0);
	must_apply(w, NULL, c);
	expect_right(w, 3);
	mapping_unref(a);
	mapping_unref(b);
	mapping_unref(c);
}

static void isolate(void)
{
	isolated = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
	if (!isolated)
		fprintf(stderr, "no network namespace: %s\n", strerror(errno));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range_blocks),
		cmocka_unit_test_setup_teardown(test_every_shape, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_leases, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pending, setup, teardown),
		cmocka_unit_test_setup_teardown(test_healing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_site, setup, teardown),
		cmocka_unit_test_setup_teardown(test_net_changes, setup, teardown),
	};

	isolate();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
