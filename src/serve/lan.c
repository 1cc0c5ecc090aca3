/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve/lan.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static int set_options(int fd, int link, int family, bool dual)
{
	int on = 1, only = !dual;

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &link, sizeof(link)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
		return -errno;
	return 0;
}

static int bind_port(int fd, int family, uint16_t port)
{
	const struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	const struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int r = family == AF_INET ? bind(fd, (const struct sockaddr *)&v4, sizeof(v4))
				  : bind(fd, (const struct sockaddr *)&v6, sizeof(v6));

	return r < 0 ? -errno : 0;
}

int lan_socket(int link, int family, int type, bool dual, uint16_t port)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = set_options(fd, link, family, dual);
	r = r < 0 ? r : bind_port(fd, family, port);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

bool lan_has_link(const struct site *s, int link)
{
	for (size_t i = 0; i < s->n_links; i++)
		if (s->links[i].index == link)
			return link > 0 && s->links[i].role == LINK_LAN;
	return false;
}

bool lan_is_own(const struct site *s, int link, const struct addr *a)
{
	for (size_t i = 0; i < s->n_addresses; i++)
		if (s->addresses[i].link == link && addr_eq(&s->addresses[i].prefix.addr, a))
			return true;
	return false;
}

bool lan_is_neighbour(const struct site *s, int link, const struct addr *a)
{
	if (site_is_own(s, a) || site_is_broadcast(s, a))
		return false;
	if (!addr_is_v4(a) && addr_kind(a) == ADDR_LINK_LOCAL)
		return true;
	for (size_t i = 0; i < s->n_addresses; i++)
		if (s->addresses[i].link == link && prefix_contains(&s->addresses[i].prefix, a))
			return true;
	return false;
}

/* How good is it for `host` to be told this address? 0: useless. */
static int fitness(const struct prefix *own, const struct addr *host)
{
	if (addr_is_v4(&own->addr) != addr_is_v4(host))
		return 0;
	if (addr_is_v4(host))
		return prefix_contains(own, host) ? 1 : 0;
	if (addr_kind(&own->addr) == ADDR_LINK_LOCAL)
		return 1;
	return prefix_contains(own, host) ? 3 : 2;
}

bool lan_address_for(const struct site *s, int link, const struct addr *host, struct addr *ret)
{
	int best = 0;

	for (size_t i = 0; i < s->n_addresses; i++) {
		const struct site_address *a = &s->addresses[i];
		int fit = a->link == link ? fitness(&a->prefix, host) : 0;

		if (fit > best) {
			best = fit;
			*ret = a->prefix.addr;
		}
	}
	return best > 0;
}
