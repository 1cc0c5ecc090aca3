/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ssdp: one socket a LAN link and family, bound to the link, member of the group there.
 *
 * Each begins with a goodbye, in case an earlier life ended without one, and a hello, which is
 * repeated soon and then now and then, long before what it said runs out. When the address that the
 * description is at changes, the old one says goodbye.
 *
 * Searches are answered at once: the wait that UDA 1.3.3 asks for is there to keep hundreds of
 * devices from answering together, and a LAN has one gateway. A search without MX is answered, too;
 * there are control points that leave it out. The bound on answers cuts the reply to ssdp:all
 * short, which names the root device first: whoever reads its description knows the rest.
 */
#include "serve/ssdp.h"

#include "base/log.h"
#include "base/throttle.h"
#include "serve/lan.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUP_V4       0xeffffffau /* 239.255.255.250 */
#define HOPS	       2	   /* UDA 1.2.2 */
#define MAX_AGE	       1800	   /* seconds */
#define REPEAT_MS      3000
#define REPEATS	       2
#define PERIOD_MIN_MS  (600 * 1000)
#define PERIOD_SPAN_MS (256 * 1000)
#define AMPLIFICATION  3
#define LOCATION_MAX   128
#define DATAGRAM_MAX   2048 /* what is longer than SSDP_SEARCH_MAX is no search */

/* What one host may ask: a control point that wakes up sends a handful of searches at once. */
#define THROTTLE_SOURCES 1024
#define THROTTLE_RATE	 20
#define THROTTLE_BURST	 60

struct ssdp_socket {
	uv_udp_t udp;
	struct ssdp *ssdp;
	struct ssdp_socket *next;
	int link, family;
	char location[LOCATION_MAX]; /* that was announced; "": none */
	unsigned repeats;	     /* of the hello, still to come soon */
	clock_ms announce;	     /* when to say hello next */
};

struct ssdp {
	struct ssdp_config config;
	const struct site *site;
	uint16_t port;
	uint32_t boot_id;
	struct ssdp_socket *sockets;
	struct throttle *throttle;
	uv_timer_t timer;
	unsigned open_handles;
	bool closing;
	bool complained; /* that it is not found everywhere */
	char datagram[DATAGRAM_MAX];
};

static void free_if_unused(struct ssdp *s)
{
	if (s->open_handles || !s->closing)
		return;
	throttle_free(s->throttle);
	free(s);
}

/*
 * Addresses.
 */
static struct addr address_of(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return addr_from_v4(((const struct sockaddr_in *)a)->sin_addr);
	return addr_from_bytes(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr);
}

static void group_address(const struct ssdp_socket *k, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	*ret = (struct sockaddr_storage){ 0 };
	if (k->family == AF_INET) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(SSDP_PORT);
		v4->sin_addr.s_addr = htonl(GROUP_V4);
		return;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(SSDP_PORT);
	v6->sin6_scope_id = (uint32_t)k->link;
	memcpy(&v6->sin6_addr, "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x0c", 16);
}

/* The gateway's address for the description that anybody on the link can use. */
static bool address_for_all(const struct ssdp_socket *k, struct addr *ret)
{
	const struct site *site = k->ssdp->site;

	for (size_t i = 0; i < site->n_addresses; i++) {
		const struct site_address *a = &site->addresses[i];

		if (a->link == k->link && addr_is_v4(&a->prefix.addr) == (k->family == AF_INET))
			return lan_address_for(site, k->link, &a->prefix.addr, ret);
	}
	return false;
}

/* The URL of the description for a host on the link (NULL: for all of them); "": there is none. */
static void find_location(const struct ssdp_socket *k, const struct addr *host,
			  char ret[static LOCATION_MAX])
{
	const struct ssdp *s = k->ssdp;
	char text[ADDR_TEXT_MAX];
	struct addr own;
	bool found = host ? lan_address_for(s->site, k->link, host, &own)
			  : address_for_all(k, &own);
	bool v4 = found && addr_is_v4(&own);

	ret[0] = '\0';
	if (found && s->port)
		snprintf(ret, LOCATION_MAX, "http://%s%s%s:%u%s", v4 ? "" : "[",
			 format_addr(&own, text), v4 ? "" : "]", s->port, s->config.path);
}

/*
 * Messages.
 */
static void send_to(struct ssdp_socket *k, const struct sockaddr *to, const char *bytes, size_t len)
{
	const uv_buf_t buf = uv_buf_init((char *)bytes, (unsigned)len);

	/* Where the socket takes no more, the message is lost, as datagrams are. */
	uv_udp_try_send(&k->udp, &buf, 1, to);
}

static struct ssdp_device device_of(const struct ssdp_socket *k, const char *location)
{
	return (struct ssdp_device){
		.host = k->family == AF_INET ? SSDP_HOST_V4 : SSDP_HOST_V6,
		.location = location,
		.server = k->ssdp->config.server,
		.max_age = MAX_AGE,
		.boot_id = k->ssdp->boot_id,
		.config_id = 1,
	};
}

/* Says something of everything that is announced. */
static void notify_all(struct ssdp_socket *k, enum ssdp_message message)
{
	const struct ssdp *s = k->ssdp;
	const struct ssdp_device device = device_of(k, k->location);
	struct sockaddr_storage group;
	char buf[SSDP_MESSAGE_MAX];

	group_address(k, &group);
	for (size_t i = 0; i < s->config.n_targets; i++) {
		ssize_t n = format_ssdp(message, &device, &s->config.targets[i], 0, buf,
					sizeof(buf));

		if (n > 0)
			send_to(k, (const struct sockaddr *)&group, buf, (size_t)n);
	}
}

/* The answer about one target, within *budget: with what is optional in it if that fits. */
static ssize_t format_answer(const struct ssdp_device *device, const struct ssdp_target *target,
			     uint32_t version, size_t budget, char buf[static SSDP_MESSAGE_MAX])
{
	struct ssdp_device brief = *device;
	ssize_t n = format_ssdp(SSDP_RESPONSE, device, target, version, buf, SSDP_MESSAGE_MAX);

	if (n > 0 && (size_t)n <= budget)
		return n;
	brief.boot_id = brief.config_id = 0;
	n = format_ssdp(SSDP_RESPONSE, &brief, target, version, buf, SSDP_MESSAGE_MAX);
	return n > 0 && (size_t)n <= budget ? n : -EMSGSIZE;
}

static void answer(struct ssdp_socket *k, const struct ssdp_search *search,
		   const struct sockaddr *from, const struct addr *host, size_t budget)
{
	const struct ssdp_config *c = &k->ssdp->config;
	bool plain = c->wants_version_1(search->user_agent);
	char buf[SSDP_MESSAGE_MAX], location[LOCATION_MAX];
	const struct ssdp_device device = device_of(k, location);

	find_location(k, host, location);
	if (!location[0])
		return;
	for (size_t i = 0; i < c->n_targets; i++) {
		const struct ssdp_target *t = &c->targets[i];
		uint32_t version;
		ssize_t n;

		if (!ssdp_target_matches(t, search->target, &version) ||
		    (plain && !c->in_version_1(t)))
			continue;
		n = format_answer(&device, t, plain && version ? 1 : version, budget, buf);
		if (n < 0)
			continue;
		send_to(k, from, buf, (size_t)n);
		budget -= (size_t)n;
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct ssdp_socket *k = handle->data;

	*ret = uv_buf_init(k->ssdp->datagram, sizeof(k->ssdp->datagram));
}

static void on_datagram(uv_udp_t *udp, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
			unsigned flags)
{
	struct ssdp_socket *k = udp->data;
	struct ssdp *s = k->ssdp;
	struct ssdp_search search;
	struct addr host;

	if (n <= 0 || !from || flags & UV_UDP_PARTIAL)
		return;
	host = address_of(from);
	if (!lan_is_neighbour(s->site, k->link, &host) ||
	    !throttle_admit(s->throttle, &host, clock_now()))
		return;
	if (parse_ssdp_search((struct slice){ buf->base, (size_t)n }, &search) == 0)
		answer(k, &search, from, &host, (size_t)n * AMPLIFICATION);
}

/*
 * Hello and goodbye.
 */
static clock_ms period(void)
{
	uint8_t chance = 0;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = 0;
	return PERIOD_MIN_MS + (clock_ms)chance * (PERIOD_SPAN_MS / 256);
}

static void on_timer(uv_timer_t *timer);

static void arm(struct ssdp *s)
{
	clock_ms now = clock_now(), next = 0;

	for (const struct ssdp_socket *k = s->sockets; k; k = k->next)
		if (k->location[0] && (!next || k->announce < next))
			next = k->announce;
	if (next)
		uv_timer_start(&s->timer, on_timer, next > now ? (uint64_t)(next - now) : 0, 0);
	else
		uv_timer_stop(&s->timer);
}

static void say_hello(struct ssdp_socket *k, clock_ms now)
{
	notify_all(k, SSDP_ALIVE);
	k->announce = now + (k->repeats ? REPEAT_MS : period());
	k->repeats -= k->repeats > 0;
}

static void on_timer(uv_timer_t *timer)
{
	struct ssdp *s = timer->data;
	clock_ms now = clock_now();

	for (struct ssdp_socket *k = s->sockets; k; k = k->next)
		if (k->location[0] && k->announce <= now)
			say_hello(k, now);
	arm(s);
}

static void relocate(struct ssdp_socket *k)
{
	char location[LOCATION_MAX];

	find_location(k, NULL, location);
	if (!strcmp(location, k->location))
		return;
	if (k->location[0])
		k->ssdp->boot_id++; /* UDA 1.2: the device is found elsewhere now */
	notify_all(k, SSDP_BYEBYE);
	memcpy(k->location, location, sizeof(location));
	if (!location[0])
		return;
	k->repeats = REPEATS;
	say_hello(k, clock_now());
}

/*
 * Sockets.
 */
static int join_v4(int fd, int link)
{
	const struct ip_mreqn group = { .imr_multiaddr.s_addr = htonl(GROUP_V4),
					.imr_ifindex = link };
	int hops = HOPS, off = 0;

	if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &group, sizeof(group)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops, sizeof(hops)) < 0 ||
	    setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &off, sizeof(off)) < 0)
		return -errno;
	return 0;
}

static int join_v6(int fd, const struct sockaddr_in6 *to, int link)
{
	const struct ipv6_mreq group = { .ipv6mr_multiaddr = to->sin6_addr,
					 .ipv6mr_interface = (unsigned)link };
	int hops = HOPS, off = 0;

	if (setsockopt(fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof(group)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &link, sizeof(link)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &off, sizeof(off)) < 0)
		return -errno;
	return 0;
}

/* The descriptor, or a negative errno. */
static int join(const struct ssdp_socket *k)
{
	struct sockaddr_storage group;
	int fd = lan_socket(k->link, k->family, SOCK_DGRAM, false, SSDP_PORT);
	int r;

	if (fd < 0)
		return fd;
	group_address(k, &group);
	r = k->family == AF_INET ? join_v4(fd, k->link)
				 : join_v6(fd, (const struct sockaddr_in6 *)&group, k->link);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int start(struct ssdp_socket *k)
{
	int fd = join(k), r;

	if (fd < 0)
		return fd;
	r = uv_udp_open(&k->udp, fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return uv_udp_recv_start(&k->udp, on_alloc, on_datagram);
}

static void on_socket_closed(uv_handle_t *handle)
{
	struct ssdp_socket *k = handle->data;
	struct ssdp *s = k->ssdp;

	free(k);
	s->open_handles--;
	free_if_unused(s);
}

static void close_socket(struct ssdp_socket **at)
{
	struct ssdp_socket *k = *at;

	*at = k->next;
	if (k->location[0])
		notify_all(k, SSDP_BYEBYE);
	uv_close((uv_handle_t *)&k->udp, on_socket_closed);
}

static bool open_socket(struct ssdp *s, const struct site_link *link, int family)
{
	struct ssdp_socket *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return false;
	k->ssdp = s;
	k->link = link->index;
	k->family = family;
	k->next = s->sockets;
	s->sockets = k;
	uv_udp_init(s->config.loop, &k->udp);
	k->udp.data = k;
	s->open_handles++;
	r = start(k);
	if (r == 0)
		return true;
	if (!s->complained)
		log_error("ssdp: not found on %s: %s", link->name, uv_strerror(r));
	close_socket(&s->sockets);
	return false;
}

static bool has_address(const struct site *site, int link, int family)
{
	for (size_t i = 0; i < site->n_addresses; i++)
		if (site->addresses[i].link == link &&
		    addr_is_v4(&site->addresses[i].prefix.addr) == (family == AF_INET))
			return true;
	return false;
}

static bool is_wanted(const struct ssdp_socket *k)
{
	return lan_has_link(k->ssdp->site, k->link) &&
	       has_address(k->ssdp->site, k->link, k->family);
}

static bool want(struct ssdp *s, const struct site_link *link, int family)
{
	if (link->role != LINK_LAN || link->index <= 0 || !link->up ||
	    !has_address(s->site, link->index, family))
		return true;
	for (const struct ssdp_socket *k = s->sockets; k; k = k->next)
		if (k->link == link->index && k->family == family)
			return true;
	return open_socket(s, link, family);
}

bool ssdp_follow(struct ssdp *s, const struct site *site, uint16_t port)
{
	bool everywhere = true;

	s->site = site;
	s->port = port;
	for (struct ssdp_socket **at = &s->sockets; *at;) {
		if (is_wanted(*at))
			at = &(*at)->next;
		else
			close_socket(at);
	}
	for (size_t i = 0; i < site->n_links; i++) {
		everywhere &= want(s, &site->links[i], AF_INET);
		everywhere &= want(s, &site->links[i], AF_INET6);
	}
	for (struct ssdp_socket *k = s->sockets; k; k = k->next)
		relocate(k);
	arm(s);
	s->complained = !everywhere;
	return everywhere;
}

int ssdp_open(const struct ssdp_config *config, struct ssdp **ret)
{
	struct ssdp *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	if (throttle_new(THROTTLE_SOURCES, THROTTLE_RATE, THROTTLE_BURST, &s->throttle) < 0) {
		free(s);
		return -ENOMEM;
	}
	s->config = *config;
	s->boot_id = (uint32_t)clock_wall() & INT32_MAX; /* it rises with every start */
	uv_timer_init(config->loop, &s->timer);
	s->timer.data = s;
	s->open_handles = 1;
	*ret = s;
	return 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct ssdp *s = handle->data;

	s->open_handles--;
	free_if_unused(s);
}

void ssdp_close(struct ssdp *s)
{
	if (!s)
		return;
	s->closing = true;
	while (s->sockets)
		close_socket(&s->sockets);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}
