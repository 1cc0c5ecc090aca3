/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntrack against the real kernel. The test program itself is the gateway; two more namespaces
 * live in children that only sleep:
 *
 *     outside 203.0.113.9, .10 ---- .1 wan0 [gateway] lan0 192.168.69.1 ---- .110 camera
 *             2001:db8:a::9    ---- ::1              2001:db8:b::1      ---- 2001:db8:b::110
 *
 * The gateway's nft table translates by one map, as Portwright's does. Each test opens real
 * connections and looks at what is left of them.
 */
#include "namespace.h"

#include "plane/conntrack.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

enum { OUTSIDE, CAMERA, PLACES };

static pid_t children[PLACES];
static int places[PLACES], gateway = -1; /* descriptors of their namespaces */
static struct conntrack *ct;
static struct mapping_table *table;
static struct site site;
static int sockets[32];
static size_t n_sockets;

/*
 * The network.
 */
static int open_place(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool make_place(int place)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return false;
	children[place] = fork();
	if (children[place] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) == 0 && write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		places[place] = open_place(children[place]);
	close(ready[0]);
	return places[place] >= 0;
}

static void enter(int fd)
{
	assert_int_equal(setns(fd, CLONE_NEWNET), 0);
}

/* Portwright's translation in short, and the masquerading of whoever has the firewall. */
static const char ruleset[] = "table inet test {\n"
			      "	map open4 {\n"
			      "		type inet_proto . inet_service : ipv4_addr . inet_service\n"
			      "		elements = { tcp . 8888 : 192.168.69.110 . 80,\n"
			      "			tcp . 8889 : 192.168.69.110 . 554,\n"
			      "			tcp . 8080 : 192.168.69.110 . 8080,\n"
			      "			tcp . 8002 : 192.168.69.110 . 9002,\n"
			      "			udp . 5000 : 192.168.69.110 . 5001,\n"
			      "			udp . 6000 : 192.168.69.110 . 6000 }\n"
			      "	}\n"
			      "	chain translate {\n"
			      "		type nat hook prerouting priority dstnat\n"
			      "		ip daddr 203.0.113.1 meta l4proto { tcp, udp } \\\n"
			      "			dnat ip to meta l4proto . th dport map @open4\n"
			      "	}\n"
			      "	chain sources {\n"
			      "		type nat hook postrouting priority srcnat\n"
			      "		iifname lan0 oifname lan0 ct status dnat masquerade\n"
			      "		oifname wan0 meta nfproto ipv4 masquerade\n"
			      "	}\n"
			      "	chain track {\n"
			      "		type filter hook forward priority filter\n"
			      "		ct state established accept\n"
			      "	}\n"
			      "}\n";

static void address(const char *link, const char *prefix)
{
	run("ip addr add %s dev %s%s", prefix, link, strchr(prefix, ':') ? " nodad" : "");
}

static void build(void)
{
	run("ip link add wan0 type veth peer name out0 netns %d", (int)children[OUTSIDE]);
	run("ip link add lan0 type veth peer name cam0 netns %d", (int)children[CAMERA]);
	address("wan0", "203.0.113.1/24");
	address("wan0", "2001:db8:a::1/64");
	address("lan0", "192.168.69.1/24");
	address("lan0", "2001:db8:b::1/64");
	run("ip link set wan0 up && ip link set lan0 up");
	run("echo 1 > /proc/sys/net/ipv4/ip_forward");
	run("echo 1 > /proc/sys/net/ipv6/conf/all/forwarding");
	run("echo 0 > /proc/sys/net/ipv4/conf/lan0/send_redirects");

	enter(places[OUTSIDE]);
	address("out0", "203.0.113.9/24");
	address("out0", "203.0.113.10/24");
	address("out0", "2001:db8:a::9/64");
	run("ip link set lo up && ip link set out0 up");
	run("ip -6 route add default via 2001:db8:a::1");

	enter(places[CAMERA]);
	address("cam0", "192.168.69.110/24");
	address("cam0", "192.168.69.120/24");
	address("cam0", "2001:db8:b::110/64");
	run("ip link set lo up && ip link set cam0 up");
	run("ip route add default via 192.168.69.1");
	run("ip -6 route add default via 2001:db8:b::1");
	enter(gateway);
}

static void know_the_site(void)
{
	static struct site_link links[] = { { "wan0", 2, LINK_UPLINK, true },
					    { "lan0", 3, LINK_LAN, true } };
	static struct site_address addresses[3] = { { .prefix.length = 24, .link = 2 },
						    { .prefix.length = 24, .link = 3 },
						    { .prefix.length = 64, .link = 3 } };

	assert_int_equal(parse_addr(SLICE("203.0.113.1"), &addresses[0].prefix.addr), 0);
	assert_int_equal(parse_addr(SLICE("192.168.69.1"), &addresses[1].prefix.addr), 0);
	assert_int_equal(parse_addr(SLICE("2001:db8:b::1"), &addresses[2].prefix.addr), 0);
	site = (struct site){
		.links = links, .n_links = 2, .addresses = addresses, .n_addresses = 3
	};
}

static int open_all(void **state)
{
	struct fault f = { 0 };

	places[OUTSIDE] = places[CAMERA] = -1;
	namespace_enter(state);
	if (!namespace_entered)
		return 0;
	gateway = open_place(getpid());
	if (!make_place(OUTSIDE) || !make_place(CAMERA))
		return -1;
	build();
	know_the_site();
	if (conntrack_open(&ct, &f) < 0) {
		print_message("# %s\n", f.text);
		return -1;
	}
	/* Counted bytes, as nft.c asks for them; the file is there once somebody tracks. */
	run("echo 1 > /proc/sys/net/netfilter/nf_conntrack_acct");
	return mapping_table_new(&table);
}

static int close_all(void **state)
{
	for (int i = 0; i < PLACES; i++) {
		if (children[i] > 0) {
			kill(children[i], SIGKILL);
			waitpid(children[i], NULL, 0);
		}
		if (places[i] >= 0)
			close(places[i]);
	}
	if (gateway >= 0)
		close(gateway);
	conntrack_close(ct);
	mapping_table_free(table);
	return 0;
}

/* Every test begins with the rules as above and no flows. */
static int begin(void **state)
{
	if (!namespace_entered)
		return 0;
	run("nft flush ruleset && nft -f - <<'END'\n%sEND", ruleset);
	run("conntrack -F >/dev/null 2>&1");
	return 0;
}

static int forget_mapping(void *arg, struct mapping *m)
{
	*(struct mapping **)arg = m;
	return 1;
}

static int end(void **state)
{
	struct mapping *m;

	while (n_sockets)
		close(sockets[--n_sockets]);
	while (table && mapping_table_each(table, forget_mapping, &m))
		mapping_table_replace(table, m, NULL, NULL);
	return 0;
}

/*
 * Sockets.
 */
static int keep(int fd)
{
	assert_true(n_sockets < sizeof(sockets) / sizeof(sockets[0]));
	sockets[n_sockets++] = fd;
	return fd;
}

static socklen_t address_of(struct sockaddr_storage *ss, const char *text, uint16_t port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons(port);
		return sizeof(*four);
	}
	assert_int_equal(inet_pton(AF_INET6, text, &six->sin6_addr), 1);
	six->sin6_family = AF_INET6;
	six->sin6_port = htons(port);
	return sizeof(*six);
}

/* A socket in that place, bound; with timeouts, so that no test can hang. */
static int bound(int place, int type, const char *text, uint16_t port)
{
	const struct timeval patience = { .tv_sec = 3 };
	struct sockaddr_storage ss;
	socklen_t len = address_of(&ss, text, port);
	int one = 1, fd;

	enter(places[place]);
	fd = keep(socket(ss.ss_family, type | SOCK_CLOEXEC, 0));
	enter(gateway);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		fail_msg("bind %s %u: %s", text, port, strerror(errno));
	return fd;
}

static void reach(int fd, const char *text, uint16_t port)
{
	struct sockaddr_storage ss;
	socklen_t len = address_of(&ss, text, port);

	if (connect(fd, (struct sockaddr *)&ss, len) < 0)
		fail_msg("connect %s %u: %s", text, port, strerror(errno));
}

struct connection {
	int visitor, camera; /* its two ends */
};

static bool passes(const struct connection *c)
{
	char byte;

	return send(c->visitor, "?", 1, MSG_NOSIGNAL) == 1 && recv(c->camera, &byte, 1, 0) == 1 &&
	       send(c->camera, "!", 1, MSG_NOSIGNAL) == 1 && recv(c->visitor, &byte, 1, 0) == 1;
}

/* From `from` in `place` to the gateway's (or, over IPv6, the camera's) `to` and `port`, served by
 * the camera at `inner`. */
static struct connection established(int place, const char *from, const char *to, uint16_t port,
				     uint16_t inner)
{
	bool six = strchr(to, ':');
	int listener = bound(CAMERA, SOCK_STREAM, six ? "::" : "0.0.0.0", inner);
	struct connection c = { .visitor = bound(place, SOCK_STREAM, from, 0) };

	assert_int_equal(listen(listener, 1), 0);
	reach(c.visitor, to, port);
	c.camera = keep(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	assert_true(c.camera >= 0);
	close(listener);
	sockets[n_sockets - 3] = sockets[n_sockets - 1];
	n_sockets--;
	assert_true(passes(&c));
	return c;
}

/* A datagram each way, and both ends connected from then on. */
static struct connection exchanged(const char *from, const char *to, uint16_t port, uint16_t inner)
{
	struct connection c = { .camera = bound(CAMERA, SOCK_DGRAM, "0.0.0.0", inner),
				.visitor = bound(OUTSIDE, SOCK_DGRAM, from, 0) };
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	char byte;

	reach(c.visitor, to, port);
	assert_int_equal(send(c.visitor, "?", 1, 0), 1);
	assert_int_equal(recvfrom(c.camera, &byte, 1, 0, (struct sockaddr *)&peer, &len), 1);
	assert_int_equal(connect(c.camera, (struct sockaddr *)&peer, len), 0);
	assert_true(passes(&c));
	return c;
}

/* The visitor's end is told that the connection is over. */
static bool is_reset(const struct connection *c)
{
	char byte;

	return send(c->visitor, "?", 1, MSG_NOSIGNAL) == 1 && recv(c->visitor, &byte, 1, 0) < 0 &&
	       errno == ECONNRESET;
}

/*
 * Mappings.
 */
static struct mapping_spec spec(uint8_t protocols, uint16_t first, uint16_t last,
				const char *client, uint16_t internal)
{
	struct mapping_spec s = {
		.external = { first, last },
		.internal = { internal, (uint16_t)(internal + last - first) },
		.protocols = protocols,
		.enabled = true,
		.name = "",
		.app = "",
		.notes = "",
		.owner = "root",
	};

	assert_int_equal(parse_addr(slice_of(client), &s.internal_client), 0);
	return s;
}

static struct mapping *placed(const struct mapping_spec *s)
{
	static uint32_t id;
	struct mapping *m = mapping_new(s, ++id, 1);

	assert_non_null(m);
	assert_int_equal(mapping_table_replace(table, NULL, m, NULL), 0);
	mapping_unref(m); /* the table's own reference stays */
	return m;
}

static struct mapping *placed_tcp(uint16_t port, uint16_t internal)
{
	struct mapping_spec s = spec(PROTOCOL_TCP, port, port, "192.168.69.110", internal);

	return placed(&s);
}

/* Tells conntrack of one change, and how many flows that ended. */
static size_t ended(struct mapping *before, const struct mapping_spec *after)
{
	struct mapping *is = after ? mapping_new(after, before->id, before->version + 1) : NULL;
	const struct change change = { .before = before, .after = is };
	size_t n = 99;

	assert_int_equal(conntrack_end_changed(ct, &site, &change, 1, &n), 0);
	mapping_unref(is);
	return n;
}

struct seen {
	struct flow flows[8];
	size_t n;
};

static int note(void *arg, const struct flow *flow)
{
	struct seen *seen = arg;

	assert_true(seen->n < 8);
	seen->flows[seen->n++] = *flow;
	return 0;
}

static size_t live(const struct mapping *only, struct seen *seen)
{
	struct seen own;

	seen = seen ? seen : &own;
	seen->n = 0;
	assert_int_equal(conntrack_flows(ct, table, &site, only, note, seen), 0);
	return seen->n;
}

static bool is_addr(const struct addr *a, const char *text)
{
	char shown[ADDR_TEXT_MAX];

	return strcmp(format_addr(a, shown), text) == 0;
}

/*
 * The tests.
 */
static void lists_the_live_flows(void **state)
{
	struct mapping *web, *rtsp, *voice;
	struct mapping_spec udp;
	struct seen seen;

	NEEDS_NAMESPACE();
	udp = spec(PROTOCOL_UDP, 5000, 5000, "192.168.69.110", 5001);
	web = placed_tcp(8888, 80);
	rtsp = placed_tcp(8889, 554);
	voice = placed(&udp);
	assert_int_equal(live(NULL, NULL), 0);
	established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8888, 80);
	exchanged("203.0.113.10", "203.0.113.1", 5000, 5001);

	assert_int_equal(live(NULL, NULL), 2);
	assert_int_equal(live(rtsp, NULL), 0);
	assert_int_equal(live(web, &seen), 1);
	assert_ptr_equal(seen.flows[0].mapping, web);
	assert_int_equal(seen.flows[0].protocol, PROTOCOL_TCP);
	assert_true(is_addr(&seen.flows[0].remote, "203.0.113.9"));
	assert_true(is_addr(&seen.flows[0].external, "203.0.113.1"));
	assert_true(is_addr(&seen.flows[0].client, "192.168.69.110"));
	assert_int_equal(seen.flows[0].external_port, 8888);
	assert_int_equal(seen.flows[0].client_port, 80);
	assert_true(seen.flows[0].remote_port != 0);
	assert_false(seen.flows[0].from_lan);
	assert_string_equal(seen.flows[0].state, "established");
	assert_true(seen.flows[0].packets_in >= 3 && seen.flows[0].bytes_in > 3 * 40);
	assert_true(seen.flows[0].packets_out >= 2 && seen.flows[0].bytes_out > 2 * 40);
	assert_true(seen.flows[0].expires > 0);

	assert_int_equal(live(voice, &seen), 1);
	assert_int_equal(seen.flows[0].protocol, PROTOCOL_UDP);
	assert_string_equal(seen.flows[0].state, "");
	assert_int_equal(seen.flows[0].packets_in, 2);
}

static void tells_a_hairpinned_flow(void **state)
{
	struct mapping *web;
	struct seen seen;

	NEEDS_NAMESPACE();
	web = placed_tcp(8888, 80);
	established(CAMERA, "192.168.69.120", "203.0.113.1", 8888, 80);
	assert_int_equal(live(web, &seen), 1);
	assert_true(seen.flows[0].from_lan);
	assert_true(is_addr(&seen.flows[0].remote, "192.168.69.120"));
	assert_int_equal(ended(web, NULL), 1);
}

static int stop(void *arg, const struct flow *flow)
{
	(*(int *)arg)++;
	return 42;
}

static void a_visit_may_stop(void **state)
{
	int calls = 0;

	NEEDS_NAMESPACE();
	placed_tcp(8888, 80);
	placed_tcp(8889, 554);
	established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8888, 80);
	established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8889, 554);
	assert_int_equal(conntrack_flows(ct, table, &site, NULL, stop, &calls), 42);
	assert_int_equal(calls, 1);
	assert_int_equal(live(NULL, NULL), 2);
}

static void deletion_ends_its_connections_and_no_others(void **state)
{
	struct connection web, rtsp, voice;
	struct mapping *m;

	NEEDS_NAMESPACE();
	m = placed_tcp(8888, 80);
	web = established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8888, 80);
	rtsp = established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8889, 554);
	voice = exchanged("203.0.113.9", "203.0.113.1", 5000, 5001);

	/* Only the rules changed: the stream goes on. */
	run("nft delete element inet test open4 '{ tcp . 8888 }'");
	assert_true(passes(&web));
	assert_int_equal(ended(m, NULL), 1);
	assert_true(is_reset(&web));
	assert_true(passes(&rtsp));
	assert_true(passes(&voice));
	assert_int_equal(ended(m, NULL), 0);
}

static void deletion_ends_udp_too(void **state)
{
	struct mapping_spec s;
	struct mapping *m;

	NEEDS_NAMESPACE();
	s = spec(PROTOCOL_BOTH, 5000, 5000, "192.168.69.110", 5001);
	m = placed(&s);
	exchanged("203.0.113.9", "203.0.113.1", 5000, 5001);
	exchanged("203.0.113.10", "203.0.113.1", 5000, 5001);
	assert_int_equal(live(m, NULL), 2);
	run("nft delete element inet test open4 '{ udp . 5000 }'");
	assert_int_equal(ended(m, NULL), 2);
	assert_int_equal(live(m, NULL), 0);
}

/* What the camera sends does not arrive, and it is told so. */
static void is_barred(const struct connection *c)
{
	struct pollfd visitor = { .fd = c->visitor, .events = POLLIN };
	char byte;

	assert_int_equal(send(c->camera, "!", 1, MSG_NOSIGNAL), 1);
	assert_true(recv(c->camera, &byte, 1, 0) < 0);
	assert_true(errno == ECONNRESET || errno == ECONNREFUSED);
	assert_int_equal(poll(&visitor, 1, 100), 0);
}

/* A camera that goes on sending must not open the flow anew from its side: not where the external
 * port is the internal one, not over UDP, not through a pinhole. */
static void a_device_that_sends_is_stopped_too(void **state)
{
	struct connection tcp, udp, six;
	struct mapping_spec voice, hole;
	struct mapping *web;

	NEEDS_NAMESPACE();
	web = placed_tcp(8080, 8080);
	voice = spec(PROTOCOL_UDP, 6000, 6000, "192.168.69.110", 6000);
	hole = spec(PROTOCOL_TCP, 443, 443, "2001:db8:b::110", 443);
	tcp = established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8080, 8080);
	udp = exchanged("203.0.113.9", "203.0.113.1", 6000, 6000);
	six = established(OUTSIDE, "2001:db8:a::9", "2001:db8:b::110", 443, 443);
	run("nft delete element inet test open4 '{ tcp . 8080, udp . 6000 }'");
	assert_int_equal(ended(web, NULL), 1);
	is_barred(&tcp);
	assert_int_equal(ended(placed(&voice), NULL), 1);
	is_barred(&udp);
	assert_int_equal(ended(placed(&hole), NULL), 1);
	is_barred(&six);
	assert_int_equal(live(NULL, NULL), 0);

	/* Only these flows: the camera may still reach the same host, from the same port. */
	run("nft add element inet test open4 '{ tcp . 8080 : 192.168.69.110 . 8080 }'");
	established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8080, 8080);
	assert_int_equal(live(web, NULL), 1);
}

/* It sends all the time, so now and then between the deletion and the bar. */
static void a_busy_device_is_stopped_too(void **state)
{
	struct mapping_spec voice;
	struct mapping *m;

	NEEDS_NAMESPACE();
	voice = spec(PROTOCOL_UDP, 6000, 6000, "192.168.69.110", 6000);
	m = placed(&voice);
	for (int i = 0; i < 10; i++) {
		struct connection c = exchanged("203.0.113.9", "203.0.113.1", 6000, 6000);
		struct pollfd visitor = { .fd = c.visitor, .events = POLLIN };
		pid_t camera = fork();
		char byte;

		if (camera == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				send(c.camera, "!", 1, 0);
		}
		assert_true(camera > 0);
		assert_int_equal(poll(&visitor, 1, 1000), 1);
		assert_int_equal(ended(m, NULL), 1);
		while (recv(c.visitor, &byte, 1, MSG_DONTWAIT) == 1)
			;
		assert_int_equal(poll(&visitor, 1, 20), 0);
		kill(camera, SIGKILL);
		waitpid(camera, NULL, 0);
		end(state);
		m = placed(&voice);
	}
}

static void narrowing_ends_those_outside(void **state)
{
	struct prefix trusted = { .length = 32 };
	struct connection friendly, stranger;
	struct mapping_spec after;
	struct mapping *m;

	NEEDS_NAMESPACE();
	assert_int_equal(parse_addr(SLICE("203.0.113.9"), &trusted.addr), 0);
	m = placed_tcp(8888, 80);
	friendly = established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8888, 80);
	stranger = established(OUTSIDE, "203.0.113.10", "203.0.113.1", 8888, 80);
	after = m->spec;
	after.remote_hosts = &trusted;
	after.n_remote_hosts = 1;
	run("nft delete element inet test open4 '{ tcp . 8888 }'");
	assert_int_equal(ended(m, &after), 1);
	assert_true(is_reset(&stranger));
	assert_true(passes(&friendly));
}

static void a_shorter_range_ends_what_it_left(void **state)
{
	struct connection c;
	struct mapping_spec s, after;
	struct mapping *m;

	NEEDS_NAMESPACE();
	s = after = spec(PROTOCOL_TCP, 8000, 8003, "192.168.69.110", 9000);
	m = placed(&s);
	c = established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8002, 9002);
	assert_int_equal(live(m, NULL), 1);
	after.external.last = 8002;
	after.internal.last = 9002;
	assert_int_equal(ended(m, &after), 0);
	assert_true(passes(&c));
	after.external.last = 8001;
	after.internal.last = 9001;
	assert_int_equal(ended(m, &after), 1);
	assert_int_equal(live(m, NULL), 0);
}

static void disabling_and_moving_end(void **state)
{
	struct mapping_spec after;
	struct mapping *m;

	NEEDS_NAMESPACE();
	m = placed_tcp(8888, 80);
	established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8888, 80);
	after = m->spec;
	after.name = "Front door";
	assert_int_equal(ended(m, &after), 0);
	after.enabled = false;
	assert_int_equal(ended(m, &after), 1);
	established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8888, 80);
	after = m->spec;
	after.internal = (struct port_range){ 81, 81 };
	assert_int_equal(ended(m, &after), 1);
}

static void what_the_camera_opens_stays(void **state)
{
	struct connection c = { 0 };
	struct mapping_spec s;
	struct mapping *m;

	NEEDS_NAMESPACE();
	s = spec(PROTOCOL_UDP, 5000, 5000, "192.168.69.110", 5001);
	m = placed(&s);
	c.camera = bound(OUTSIDE, SOCK_DGRAM, "203.0.113.9", 7000);
	c.visitor = bound(CAMERA, SOCK_DGRAM, "192.168.69.110", 5001);
	reach(c.visitor, "203.0.113.9", 7000);
	assert_int_equal(send(c.visitor, "?", 1, 0), 1);
	assert_int_equal(ended(m, NULL), 0);
	assert_int_equal(live(m, NULL), 0);
}

static void pinholes(void **state)
{
	struct mapping_spec s, other;
	struct mapping *m, *o;
	struct seen seen;

	NEEDS_NAMESPACE();
	s = spec(PROTOCOL_TCP, 443, 443, "2001:db8:b::110", 443);
	other = spec(PROTOCOL_TCP, 443, 443, "2001:db8:b::111", 443);
	m = placed(&s);
	o = placed(&other);
	established(OUTSIDE, "2001:db8:a::9", "2001:db8:b::110", 443, 443);
	assert_int_equal(live(NULL, &seen), 1);
	assert_ptr_equal(seen.flows[0].mapping, m);
	assert_true(is_addr(&seen.flows[0].external, "2001:db8:b::110"));
	assert_int_equal(live(m, NULL), 1);
	assert_int_equal(live(o, NULL), 0);
	assert_int_equal(ended(o, NULL), 0);
	assert_int_equal(ended(m, NULL), 1);
	assert_int_equal(live(m, NULL), 0);
}

/* 65,000 deletions at once, of which two have a flow; and many flows more than one datagram of
 * deletions holds. */
static void a_large_batch(void **state)
{
	enum { N = 65000, FLOWS = 1000 };
	struct change *changes = calloc(N, sizeof(*changes));
	struct timespec before, after;
	struct mapping *udp;
	struct mapping_spec s;
	size_t n = 0;
	int fd;

	if (!namespace_entered) {
		free(changes);
		skip();
	}
	assert_non_null(changes);
	for (uint32_t i = 0; i < N; i++) {
		uint16_t port = (uint16_t)(i + 1);

		/* 8888 and 8889 lead where the flows go, the others elsewhere. */
		s = spec(PROTOCOL_TCP, port, port, "192.168.69.110", 1);
		if (port == 8888)
			s.internal = (struct port_range){ 80, 80 };
		else if (port == 8889)
			s.internal = (struct port_range){ 554, 554 };
		changes[i].before = mapping_new(&s, i + 1000, 1);
		assert_non_null(changes[i].before);
	}
	established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8888, 80);
	established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8889, 554);
	established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8002, 9002);
	clock_gettime(CLOCK_MONOTONIC, &before);
	assert_int_equal(conntrack_end_changed(ct, &site, changes, N, &n), 0);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_int_equal(n, 2);
	assert_true(after.tv_sec - before.tv_sec < 2);
	for (uint32_t i = 0; i < N; i++)
		mapping_unref(changes[i].before);
	free(changes);

	s = spec(PROTOCOL_UDP, 5000, 5000, "192.168.69.110", 5001);
	udp = placed(&s);
	for (int i = 0; i < FLOWS; i++) {
		fd = bound(OUTSIDE, SOCK_DGRAM, "203.0.113.10", (uint16_t)(20000 + i));
		reach(fd, "203.0.113.1", 5000);
		assert_int_equal(send(fd, "?", 1, 0), 1);
		close(fd);
		n_sockets--;
	}
	assert_int_equal(ended(udp, NULL), FLOWS);
	assert_int_equal(live(udp, NULL), 0);
}

static void counts_what_the_kernel_tracks(void **state)
{
	uint32_t count = 0, max = 0;

	NEEDS_NAMESPACE();
	established(OUTSIDE, "203.0.113.9", "203.0.113.1", 8888, 80);
	assert_int_equal(conntrack_count(&count, &max), 0);
	assert_true(count >= 1 &&
		    count < max); /* those of earlier tests may still be on their way out */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lists_the_live_flows, begin, end),
		cmocka_unit_test_setup_teardown(tells_a_hairpinned_flow, begin, end),
		cmocka_unit_test_setup_teardown(a_visit_may_stop, begin, end),
		cmocka_unit_test_setup_teardown(deletion_ends_its_connections_and_no_others, begin,
						end),
		cmocka_unit_test_setup_teardown(deletion_ends_udp_too, begin, end),
		cmocka_unit_test_setup_teardown(a_device_that_sends_is_stopped_too, begin, end),
		cmocka_unit_test_setup_teardown(a_busy_device_is_stopped_too, begin, end),
		cmocka_unit_test_setup_teardown(narrowing_ends_those_outside, begin, end),
		cmocka_unit_test_setup_teardown(a_shorter_range_ends_what_it_left, begin, end),
		cmocka_unit_test_setup_teardown(disabling_and_moving_end, begin, end),
		cmocka_unit_test_setup_teardown(what_the_camera_opens_stays, begin, end),
		cmocka_unit_test_setup_teardown(pinholes, begin, end),
		cmocka_unit_test_setup_teardown(a_large_batch, begin, end),
		cmocka_unit_test_setup_teardown(counts_what_the_kernel_tracks, begin, end),
	};

	return cmocka_run_group_tests_name("conntrack", tests, open_all, close_all);
}
