/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listeners against real sockets, in a namespace of the test's own: 203.0.113.5 on the uplink wan0,
 * 192.168.69.1 on lan0.
 */
#include "namespace.h"

#include "core/mapping.h"
#include "plane/listeners.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct occupancy *o;
static struct uplink *where;
static int sockets[8];
static size_t n_sockets;

static int open_all(void **state)
{
	const char *const uplinks[] = { "wan0" };
	const struct uplink_config config = { .uplinks = uplinks, .n_uplinks = 1 };

	namespace_enter(state);
	if (!namespace_entered)
		return 0;
	run("ip link add wan0 type veth peer name lan0 && ip addr add 203.0.113.5/24 dev wan0 &&"
	    " ip addr add 192.168.69.1/24 dev lan0 && ip -6 addr add 2001:db8::1/64 dev lan0 nodad "
	    "&&"
	    " ip link set wan0 up && ip link set lan0 up");
	if (uplink_open(&config, &where, NULL) < 0)
		return -1;
	return listeners_open(where, &o);
}

static int close_all(void **state)
{
	if (o)
		o->close(o);
	uplink_close(where);
	return 0;
}

static int close_sockets(void **state)
{
	while (n_sockets)
		close(sockets[--n_sockets]);
	if (o)
		o->forget(o);
	return 0;
}

/* A socket on `text`, "203.0.113.5" or "::"; TCP ones listen. */
static int bound(int type, const char *text, uint16_t port, bool v6only)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool is_six = inet_pton(AF_INET6, text, &six.sin6_addr) == 1;
	int one = 1, fd = socket(is_six ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, 0);
	int only = v6only;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (is_six)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	else
		assert_int_equal(inet_pton(AF_INET, text, &four.sin_addr), 1);
	assert_int_equal(bind(fd, is_six ? (void *)&six : (void *)&four,
			      is_six ? sizeof(six) : sizeof(four)),
			 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void occupy(int type, const char *text, uint16_t port, bool v6only)
{
	sockets[n_sockets++] = bound(type, text, port, v6only);
	o->forget(o);
}

/* Who holds it: "tcp/22 portwrightd", or "" for nobody. `external` "" stands for any. */
static const char *holder(uint8_t protocols, const char *external, uint16_t first, uint16_t last)
{
	static char text[64];
	struct occupant who = { 0 };
	struct addr a = { 0 };
	int r;

	if (external[0])
		assert_int_equal(parse_addr(slice_of(external), &a), 0);
	r = o->find(o, protocols, &a, first, last, &who);
	assert_true(r >= 0);
	text[0] = 0;
	if (r)
		snprintf(text, sizeof(text), "%s/%u %s", protocol_name(who.protocol), who.port,
			 who.name);
	return text;
}

static void an_empty_gateway_is_free(void **state)
{
	NEEDS_NAMESPACE();
	assert_string_equal(holder(PROTOCOL_BOTH, "", 1, 65535), "");
}

static void a_wildcard_socket_counts(void **state)
{
	NEEDS_NAMESPACE();
	occupy(SOCK_STREAM, "0.0.0.0", 22, false);
	assert_string_equal(holder(PROTOCOL_TCP, "", 22, 22), "tcp/22 portwrightd");
	assert_string_equal(holder(PROTOCOL_TCP, "203.0.113.5", 22, 22), "tcp/22 portwrightd");
	assert_string_equal(holder(PROTOCOL_BOTH, "", 1, 65535), "tcp/22 portwrightd");
	assert_string_equal(holder(PROTOCOL_UDP, "", 22, 22), "");
	assert_string_equal(holder(PROTOCOL_TCP, "", 21, 21), "");
	assert_string_equal(holder(PROTOCOL_TCP, "", 23, 65535), "");
}

static void an_address_of_its_own_counts_there(void **state)
{
	NEEDS_NAMESPACE();
	occupy(SOCK_STREAM, "203.0.113.5", 80, false);
	assert_string_equal(holder(PROTOCOL_TCP, "", 80, 80), "tcp/80 portwrightd");
	assert_string_equal(holder(PROTOCOL_TCP, "203.0.113.5", 80, 80), "tcp/80 portwrightd");
	assert_string_equal(holder(PROTOCOL_TCP, "203.0.113.6", 80, 80), "");
}

static void other_addresses_do_not_count(void **state)
{
	NEEDS_NAMESPACE();
	occupy(SOCK_STREAM, "127.0.0.1", 631, false);
	occupy(SOCK_DGRAM, "192.168.69.1", 53, false);
	assert_string_equal(holder(PROTOCOL_BOTH, "", 1, 65535), "");
	assert_string_equal(holder(PROTOCOL_UDP, "192.168.69.1", 53, 53), "udp/53 portwrightd");
}

static void occupy_link(const char *link, uint16_t port)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, link, 5), 0);
	assert_int_equal(bind(fd, (void *)&any, sizeof(any)), 0);
	sockets[n_sockets++] = fd;
	o->forget(o);
}

/* As our own for NAT-PMP and PCP: the world does not reach it. */
static void a_lans_link_does_not_count(void **state)
{
	NEEDS_NAMESPACE();
	occupy_link("lan0", 5351);
	assert_string_equal(holder(PROTOCOL_BOTH, "", 1, 65535), "");
	assert_string_equal(holder(PROTOCOL_UDP, "203.0.113.5", 5351, 5351), "");
	occupy_link("wan0", 5351);
	assert_string_equal(holder(PROTOCOL_UDP, "", 5351, 5351), "udp/5351 portwrightd");
}

static void without_a_known_site_the_lan_counts_too(void **state)
{
	struct occupancy *known = o, *blind;

	NEEDS_NAMESPACE();
	assert_int_equal(listeners_open(NULL, &blind), 0);
	o = blind;
	occupy(SOCK_STREAM, "127.0.0.1", 631, false);
	occupy(SOCK_DGRAM, "192.168.69.1", 53, false);
	assert_string_equal(holder(PROTOCOL_BOTH, "", 1, 65535), "udp/53 portwrightd");
	o->close(o);
	o = known;
}

static void an_ipv6_wildcard_serves_ipv4_unless_told_not_to(void **state)
{
	NEEDS_NAMESPACE();
	occupy(SOCK_STREAM, "::", 8080, false);
	occupy(SOCK_STREAM, "::", 8081, true);
	assert_string_equal(holder(PROTOCOL_TCP, "", 8080, 8080), "tcp/8080 portwrightd");
	assert_string_equal(holder(PROTOCOL_TCP, "", 8081, 8081), "");
	/* The gateway's own IPv6 address, and a device's. */
	assert_string_equal(holder(PROTOCOL_TCP, "2001:db8::1", 8081, 8081),
			    "tcp/8081 portwrightd");
	assert_string_equal(holder(PROTOCOL_TCP, "2001:db8::5", 8080, 8081), "");
}

static void a_mapped_address_is_the_ipv4_one(void **state)
{
	NEEDS_NAMESPACE();
	occupy(SOCK_DGRAM, "::ffff:203.0.113.5", 5060, false);
	assert_string_equal(holder(PROTOCOL_UDP, "203.0.113.5", 5060, 5060),
			    "udp/5060 portwrightd");
}

static void only_udp_sockets_without_a_peer_count(void **state)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(123) };

	NEEDS_NAMESPACE();
	occupy(SOCK_DGRAM, "0.0.0.0", 40000, false);
	inet_pton(AF_INET, "203.0.113.9", &peer.sin_addr);
	assert_int_equal(connect(sockets[0], (void *)&peer, sizeof(peer)), 0);
	o->forget(o);
	assert_string_equal(holder(PROTOCOL_UDP, "", 40000, 40000), "");
}

static void the_snapshot_lasts_until_forgotten(void **state)
{
	NEEDS_NAMESPACE();
	assert_string_equal(holder(PROTOCOL_TCP, "", 443, 443), "");
	sockets[n_sockets++] = bound(SOCK_STREAM, "0.0.0.0", 443, false);
	assert_string_equal(holder(PROTOCOL_TCP, "", 443, 443), "");
	o->forget(o);
	assert_string_equal(holder(PROTOCOL_TCP, "", 443, 443), "tcp/443 portwrightd");
}

static void finds_the_first_in_a_range(void **state)
{
	NEEDS_NAMESPACE();
	occupy(SOCK_DGRAM, "0.0.0.0", 9003, false);
	occupy(SOCK_STREAM, "0.0.0.0", 9002, false);
	occupy(SOCK_STREAM, "0.0.0.0", 9007, false);
	assert_string_equal(holder(PROTOCOL_BOTH, "", 9000, 9010), "tcp/9002 portwrightd");
	assert_string_equal(holder(PROTOCOL_UDP, "", 9000, 9010), "udp/9003 portwrightd");
	assert_string_equal(holder(PROTOCOL_TCP, "", 9003, 9010), "tcp/9007 portwrightd");
}

static void names_another_program(void **state)
{
	int ready[2], status;
	pid_t child;
	char byte;

	NEEDS_NAMESPACE();
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_NAME, "sshd");
		bound(SOCK_STREAM, "0.0.0.0", 2222, false);
		status = write(ready[1], "x", 1) == 1;
		pause();
		_exit(status);
	}
	assert_true(child > 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	o->forget(o);
	assert_string_equal(holder(PROTOCOL_TCP, "", 2222, 2222), "tcp/2222 sshd");
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	close(ready[0]);
	close(ready[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(an_empty_gateway_is_free, close_sockets),
		cmocka_unit_test_teardown(a_wildcard_socket_counts, close_sockets),
		cmocka_unit_test_teardown(an_address_of_its_own_counts_there, close_sockets),
		cmocka_unit_test_teardown(other_addresses_do_not_count, close_sockets),
		cmocka_unit_test_teardown(a_lans_link_does_not_count, close_sockets),
		cmocka_unit_test_teardown(without_a_known_site_the_lan_counts_too, close_sockets),
		cmocka_unit_test_teardown(an_ipv6_wildcard_serves_ipv4_unless_told_not_to,
					  close_sockets),
		cmocka_unit_test_teardown(a_mapped_address_is_the_ipv4_one, close_sockets),
		cmocka_unit_test_teardown(only_udp_sockets_without_a_peer_count, close_sockets),
		cmocka_unit_test_teardown(the_snapshot_lasts_until_forgotten, close_sockets),
		cmocka_unit_test_teardown(finds_the_first_in_a_range, close_sockets),
		cmocka_unit_test_teardown(names_another_program, close_sockets),
	};

	return cmocka_run_group_tests_name("listeners", tests, open_all, close_all);
}
