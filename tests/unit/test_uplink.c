/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplink against the real kernel, in a namespace of its own:
 *
 *     wan0 (203.0.113.5/24, default route)     lan0 (192.168.69.1/24)
 *
 * Each link is one end of a veth pair whose other end (wan0p, lan0p) has no address. Every test
 * begins with these two, alone.
 */
#include "namespace.h"

#include "plane/uplink.h"

#include <poll.h>
#include <time.h>

static const struct uplink_config by_guess = { 0 };

static void take_down(void)
{
	run("for l in $(ip -o link | awk -F'[ :@]+' '{ print $2 }'); do"
	    " [ $l = lo ] || ip link delete $l 2>/dev/null; done; true");
}

/* A link that is up and has one address. `options` stands before its type. */
static void add_link(const char *name, const char *options, const char *address)
{
	run("ip link add %s %s type veth peer name %sp && ip link set %sp up &&"
	    " ip addr add %s dev %s && ip link set %s up",
	    name, options, name, name, address, name, name);
}

static int build(void **state)
{
	if (!namespace_entered)
		return 0;
	take_down();
	/* Without link-local addresses, which come when they like. */
	run("echo 1 > /proc/sys/net/ipv6/conf/default/addr_gen_mode || true");
	add_link("wan0", "", "203.0.113.5/24");
	add_link("lan0", "", "192.168.69.1/24");
	run("ip route add default via 203.0.113.1");
	return 0;
}

static const struct site_link *link_named(const struct uplink *u, const char *name)
{
	const struct site *s = uplink_site(u);

	for (size_t i = 0; i < s->n_links; i++)
		if (strcmp(s->links[i].name, name) == 0)
			return &s->links[i];
	return NULL;
}

static int role(const struct uplink *u, const char *name)
{
	const struct site_link *l = link_named(u, name);

	return l ? (int)l->role : -1;
}

/* "203.0.113.5 203.0.113.6" */
static const char *external(const struct uplink *u)
{
	static char text[256];
	char shown[ADDR_TEXT_MAX];
	const struct site *s = uplink_site(u);
	size_t at = 0;

	text[0] = 0;
	for (size_t i = 0; i < s->n_external; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "",
				       format_addr(&s->external[i], shown));
	return text;
}

/* Waits for news that change the site, at most `ms`. */
static bool changes_within(struct uplink *u, int ms)
{
	struct pollfd p = { .fd = uplink_fd(u), .events = POLLIN };

	while (poll(&p, 1, ms) == 1) {
		int r = uplink_attend(u);

		assert_true(r >= 0);
		if (r)
			return true;
	}
	return false;
}

/* Nothing that waits is of interest, nor does anything more come. */
static bool quiet(struct uplink *u)
{
	return !changes_within(u, 50);
}

/* The site changes, and has then changed for good. */
static bool changes(struct uplink *u)
{
	bool changed = changes_within(u, 1000);

	while (changed && !quiet(u))
		;
	return changed;
}

static struct uplink *open_uplink(const struct uplink_config *config)
{
	struct uplink *u = NULL;
	struct fault f = { 0 };
	int r = uplink_open(config, &u, &f);

	if (r < 0)
		fail_msg("uplink_open: %s", f.text);
	return u;
}

static void knows_the_site_when_opened(void **state)
{
	struct uplink *u;

	NEEDS_NAMESPACE();
	u = open_uplink(&by_guess);
	assert_int_equal(role(u, "wan0"), LINK_UPLINK);
	assert_int_equal(role(u, "lan0"), LINK_LAN);
	assert_int_equal(role(u, "lo"), LINK_OTHER);
	assert_true(link_named(u, "wan0")->up);
	assert_string_equal(external(u), "203.0.113.5");
	assert_true(quiet(u));
	uplink_close(u);
}

static void hears_an_address_change_at_once(void **state)
{
	struct timespec before, after;
	struct uplink *u;

	NEEDS_NAMESPACE();
	u = open_uplink(&by_guess);
	run("ip addr add 203.0.113.6/24 dev wan0");
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_true(changes_within(u, 1000));
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_string_equal(external(u), "203.0.113.5 203.0.113.6");
	assert_true((after.tv_sec - before.tv_sec) * 1000 +
			    (after.tv_nsec - before.tv_nsec) / 1000000 <
		    100);

	/* A primary one of another network stands before the secondary one. */
	run("ip addr add 198.51.100.7/24 dev wan0");
	assert_true(changes(u));
	assert_string_equal(external(u), "203.0.113.5 198.51.100.7 203.0.113.6");

	/* The first goes, and its secondary with it (promote_secondaries is off). */
	run("ip addr delete 203.0.113.5/24 dev wan0");
	assert_true(changes(u));
	assert_string_equal(external(u), "198.51.100.7");

	/* The last one takes the route along, of which the kernel says nothing; what faced the
	 * world still does, and the LAN is no less one. */
	run("ip addr delete 198.51.100.7/24 dev wan0");
	assert_true(changes(u));
	assert_string_equal(external(u), "");
	assert_int_equal(role(u, "wan0"), LINK_UPLINK);
	assert_int_equal(role(u, "lan0"), LINK_LAN);

	run("ip addr add 198.51.100.7/24 dev wan0");
	run("ip route add default via 198.51.100.1");
	assert_true(changes(u));
	assert_string_equal(external(u), "198.51.100.7");
	assert_int_equal(role(u, "lan0"), LINK_LAN);
	uplink_close(u);
}

static void leaves_out_what_cannot_be_addressed(void **state)
{
	struct uplink *u;

	NEEDS_NAMESPACE();
	run("ip addr add 169.254.3.4/16 dev wan0 && ip addr add 203.0.113.9/32 dev wan0 scope "
	    "host");
	u = open_uplink(&by_guess);
	assert_string_equal(external(u), "203.0.113.5");
	uplink_close(u);
}

static void a_point_to_point_link_has_its_own_address(void **state)
{
	struct uplink *u;
	struct addr peer, own;

	NEEDS_NAMESPACE();
	run("ip route delete default; ip addr flush dev wan0;"
	    " ip addr add 203.0.113.20 peer 198.51.100.1/32 dev wan0 && ip route add default dev "
	    "wan0");
	u = open_uplink(&by_guess);
	assert_string_equal(external(u), "203.0.113.20");
	assert_int_equal(parse_addr(SLICE("198.51.100.1"), &peer), 0);
	assert_int_equal(parse_addr(SLICE("203.0.113.20"), &own), 0);
	assert_true(site_is_own(uplink_site(u), &own));
	assert_false(site_is_own(uplink_site(u), &peer));
	uplink_close(u);
}

static void follows_the_default_route(void **state)
{
	struct uplink *u;

	NEEDS_NAMESPACE();
	u = open_uplink(&by_guess);
	add_link("wan1", "", "198.51.100.7/24");
	run("ip route add default via 198.51.100.1 metric 500");
	assert_true(changes(u));
	/* In reserve: neither an uplink nor a LAN. */
	assert_int_equal(role(u, "wan1"), LINK_OTHER);
	assert_string_equal(external(u), "203.0.113.5");

	run("ip route delete default via 203.0.113.1");
	assert_true(changes(u));
	assert_int_equal(role(u, "wan1"), LINK_UPLINK);
	assert_string_equal(external(u), "198.51.100.7");
	/* wan0 still has its address, but was an uplink: never a LAN by guess. */
	assert_int_equal(role(u, "wan0"), LINK_OTHER);

	/* Back, by two ways at once. */
	run("ip route add default metric 10 nexthop via 203.0.113.1 nexthop via 198.51.100.1");
	assert_true(changes(u));
	assert_int_equal(role(u, "wan0"), LINK_UPLINK);
	assert_int_equal(role(u, "wan1"), LINK_UPLINK);

	/* Routes of other tables and of other destinations are nothing to us. */
	run("ip route add default via 192.168.69.2 table 77 && ip route add 10.0.0.0/8 via"
	    " 192.168.69.2 && ip route add blackhole default metric 1");
	assert_true(quiet(u));
	uplink_close(u);
}

static void a_link_going_down_takes_its_route_along(void **state)
{
	struct uplink *u;

	NEEDS_NAMESPACE();
	u = open_uplink(&by_guess);
	run("ip link set wan0 down");
	assert_true(changes(u));
	assert_int_equal(role(u, "wan0"), LINK_UPLINK); /* it still faces the world */
	assert_false(link_named(u, "wan0")->up);
	run("ip link set wan0 up && ip route add default via 203.0.113.1");
	assert_true(changes(u));
	assert_int_equal(role(u, "wan0"), LINK_UPLINK);
	uplink_close(u);
}

static void follows_ipv6(void **state)
{
	struct uplink *u;

	NEEDS_NAMESPACE();
	if (access("/proc/sys/net/ipv6", F_OK) != 0)
		skip();
	add_link("six0", "", "2001:db8::2/64");
	u = open_uplink(&by_guess);
	assert_int_equal(role(u, "six0"), LINK_LAN);
	run("ip -6 route add default via 2001:db8::1 dev six0");
	assert_true(changes(u));
	assert_int_equal(role(u, "six0"), LINK_UPLINK);
	assert_int_equal(role(u, "wan0"), LINK_UPLINK);
	uplink_close(u);
}

static void named_links_count_before_they_exist(void **state)
{
	const char *const uplinks[] = { "ppp0" }, *const lans[] = { "lan0" };
	const struct uplink_config c = {
		.uplinks = uplinks, .n_uplinks = 1, .lans = lans, .n_lans = 1
	};
	struct uplink *u;

	NEEDS_NAMESPACE();
	u = open_uplink(&c);
	assert_int_equal(role(u, "ppp0"), LINK_UPLINK);
	assert_int_equal(link_named(u, "ppp0")->index, 0);
	assert_int_equal(role(u, "wan0"), LINK_OTHER);
	assert_string_equal(external(u), "");
	add_link("ppp0", "", "198.51.100.20/32");
	assert_true(changes(u));
	assert_true(link_named(u, "ppp0")->index > 0);
	assert_string_equal(external(u), "198.51.100.20");
	uplink_close(u);
}

static void follows_renaming_and_deletion(void **state)
{
	const char *const uplinks[] = { "wan0" };
	const struct uplink_config c = { .uplinks = uplinks, .n_uplinks = 1 };
	struct uplink *u;

	NEEDS_NAMESPACE();
	u = open_uplink(&c);
	run("ip link set wan0 down && ip link set wan0 name old0 && ip link set old0 up");
	assert_true(changes(u));
	assert_int_equal(link_named(u, "wan0")->index, 0);
	/* It was the uplink, so it does not become a LAN by losing its name. */
	assert_int_equal(role(u, "old0"), LINK_OTHER);
	assert_string_equal(external(u), "");

	run("ip link set old0 down && ip link set old0 name wan0 && ip link set wan0 up");
	assert_true(changes(u));
	assert_string_equal(external(u), "203.0.113.5");
	run("ip link delete wan0");
	assert_true(changes(u));
	assert_int_equal(role(u, "wan0"), LINK_UPLINK);
	assert_int_equal(link_named(u, "wan0")->index, 0);
	assert_string_equal(external(u), "");
	uplink_close(u);
}

static void an_index_used_again_is_another_link(void **state)
{
	char options[32];
	struct uplink *u;
	int index;

	NEEDS_NAMESPACE();
	u = open_uplink(&by_guess);
	index = link_named(u, "wan0")->index;
	snprintf(options, sizeof(options), "index %d", index);
	run("ip link delete wan0");
	add_link("wan9", "", "198.51.100.3/24");
	add_link("cam0", options, "10.1.1.1/24");
	run("ip route add default via 198.51.100.1");
	assert_true(changes(u));
	assert_int_equal(link_named(u, "cam0")->index, index);
	assert_int_equal(role(u, "cam0"), LINK_LAN);
	assert_int_equal(role(u, "wan9"), LINK_UPLINK);
	uplink_close(u);
}

static void reads_again_when_news_were_lost(void **state)
{
	struct uplink *u;

	NEEDS_NAMESPACE();
	u = open_uplink(&by_guess);
	/* More news than the socket holds, and the one that matters is among the lost ones. */
	run("for i in $(seq 1 4000); do echo route add 10.$((i / 250)).$((i %% 250)).0/24 dev"
	    " lan0; done > /tmp/portwright-test-routes.$$ && ip -batch"
	    " /tmp/portwright-test-routes.$$; rm -f /tmp/portwright-test-routes.$$");
	run("ip addr add 203.0.113.77/24 dev wan0");
	assert_true(changes(u));
	assert_string_equal(external(u), "203.0.113.5 203.0.113.77");
	uplink_close(u);
}

static void takes_another_configuration(void **state)
{
	const char *const uplinks[] = { "lan0" };
	struct uplink_config c = { .uplinks = uplinks, .n_uplinks = 1, .hairpin = true };
	struct uplink_config bad = {
		.uplinks = uplinks, .n_uplinks = 1, .lans = uplinks, .n_lans = 1
	};
	struct uplink *u;

	NEEDS_NAMESPACE();
	u = open_uplink(&by_guess);
	assert_int_equal(uplink_reconfigure(u, &by_guess), 0);
	assert_int_equal(uplink_reconfigure(u, &c), 1);
	assert_string_equal(external(u), "192.168.69.1");
	assert_true(uplink_site(u)->hairpin);
	assert_true(uplink_reconfigure(u, &bad) < 0);
	assert_string_equal(external(u), "192.168.69.1");
	run("ip addr add 192.168.69.3/24 dev lan0");
	assert_true(changes(u));
	assert_string_equal(external(u), "192.168.69.1 192.168.69.3");
	uplink_close(u);
}

static void refuses_a_bad_configuration(void **state)
{
	const char *const uplinks[] = { "eth0/1" };
	const struct uplink_config c = { .uplinks = uplinks, .n_uplinks = 1 };
	struct uplink *u = NULL;
	struct fault f;

	assert_true(uplink_open(&c, &u, &f) < 0);
	assert_null(u);
	assert_int_equal(f.kind, FAULT_INVALID);
	uplink_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(knows_the_site_when_opened, build),
		cmocka_unit_test_setup(hears_an_address_change_at_once, build),
		cmocka_unit_test_setup(leaves_out_what_cannot_be_addressed, build),
		cmocka_unit_test_setup(a_point_to_point_link_has_its_own_address, build),
		cmocka_unit_test_setup(follows_the_default_route, build),
		cmocka_unit_test_setup(a_link_going_down_takes_its_route_along, build),
		cmocka_unit_test_setup(follows_ipv6, build),
		cmocka_unit_test_setup(named_links_count_before_they_exist, build),
		cmocka_unit_test_setup(follows_renaming_and_deletion, build),
		cmocka_unit_test_setup(an_index_used_again_is_another_link, build),
		cmocka_unit_test_setup(reads_again_when_news_were_lost, build),
		cmocka_unit_test_setup(takes_another_configuration, build),
		cmocka_unit_test(refuses_a_bad_configuration),
	};

	return cmocka_run_group_tests_name("uplink", tests, namespace_enter, NULL);
}
