/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket is bound to the link and to no address: a link has several, and they come and go. So
 * the kernel tells with each datagram to which address it was sent and where it came in, and each
 * answer says from which address it leaves.
 */
#include "serve/port5351_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A burst of small requests, one from each of a thousand devices, costs the kernel about this. */
#define RECEIVE_BUFFER (2 * 1024 * 1024)

#define CONTROL_MAX CMSG_SPACE(sizeof(struct in6_pktinfo))

union socket_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

union control {
	char bytes[CONTROL_MAX];
	struct cmsghdr align;
};

struct letter {
	union socket_addr addr;
	union control control;
	struct iovec iov;
	uint8_t bytes[EXCHANGE_BYTES_MAX];
};

struct listener {
	int fd, link, family;
	size_t n_letters; /* in the outbox */
	struct letter letters[LISTENER_BATCH];
	struct mmsghdr outbox[LISTENER_BATCH];
};

static int set_flag(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int set_up_v4(int fd)
{
	int r = set_flag(fd, IPPROTO_IP, IP_PKTINFO, 1);

	/* announcements are for the others */
	return r < 0 ? r : set_flag(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
}

static int set_up_v6(int fd)
{
	int r = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);

	r = r < 0 ? r : set_flag(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	return r < 0 ? r : set_flag(fd, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0);
}

static int bind_socket(int fd, int family, int link)
{
	union socket_addr addr = { 0 };
	socklen_t len = family == AF_INET ? sizeof(addr.v4) : sizeof(addr.v6);

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &link, sizeof(link)) < 0)
		return -errno;
	if (family == AF_INET)
		addr.v4 = (struct sockaddr_in){ .sin_family = AF_INET,
						.sin_port = htons(PCP_PORT) };
	else
		addr.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
						 .sin6_port = htons(PCP_PORT) };
	return bind(fd, &addr.any, len) < 0 ? -errno : 0;
}

int listener_open(int link, int family, struct listener **ret)
{
	struct listener *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->link = link;
	l->family = family;
	l->fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	r = l->fd < 0 ? -errno : 0;
	if (!r)
		r = family == AF_INET ? set_up_v4(l->fd) : set_up_v6(l->fd);
	if (!r)
		r = bind_socket(l->fd, family, link);
	if (r < 0) {
		listener_close(l);
		return r;
	}
	set_flag(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER); /* else the usual one */
	*ret = l;
	return 0;
}

void listener_close(struct listener *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	free(l);
}

int listener_fd(const struct listener *l)
{
	return l->fd;
}

/*
 * Reading.
 */
static bool read_local_v4(const struct cmsghdr *c, struct exchange_path *path)
{
	struct in_pktinfo info;

	if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO ||
	    c->cmsg_len < CMSG_LEN(sizeof(info)))
		return false;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	path->local = addr_from_v4(info.ipi_addr);
	path->link = info.ipi_ifindex;
	return true;
}

static bool read_local_v6(const struct cmsghdr *c, struct exchange_path *path)
{
	struct in6_pktinfo info;

	if (c->cmsg_level != IPPROTO_IPV6 || c->cmsg_type != IPV6_PKTINFO ||
	    c->cmsg_len < CMSG_LEN(sizeof(info)))
		return false;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	path->local.in6 = info.ipi6_addr;
	path->link = (int)info.ipi6_ifindex;
	return true;
}

/* False where the kernel did not say what it should, or the link is not ours. */
static bool read_path(const struct listener *l, struct msghdr *m, struct exchange_path *ret)
{
	const union socket_addr *from = m->msg_name;
	struct exchange_path path = { 0 };
	bool told = false;

	if (from->any.sa_family != l->family)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c && !told; c = CMSG_NXTHDR(m, c))
		told = l->family == AF_INET ? read_local_v4(c, &path) : read_local_v6(c, &path);
	if (l->family == AF_INET) {
		path.client = addr_from_v4(from->v4.sin_addr);
		path.port = ntohs(from->v4.sin_port);
	} else {
		path.client.in6 = from->v6.sin6_addr;
		path.port = ntohs(from->v6.sin6_port);
	}
	*ret = path;
	return told && path.link == l->link && path.port;
}

size_t listener_read(struct listener *l, struct exchange *const *exchanges, size_t n,
		     bool *ret_usable)
{
	union socket_addr from[LISTENER_BATCH];
	union control control[LISTENER_BATCH];
	struct iovec iov[LISTENER_BATCH];
	struct mmsghdr messages[LISTENER_BATCH];
	int got;

	for (size_t i = 0; i < n; i++) {
		iov[i] = (struct iovec){ exchanges[i]->bytes, sizeof(exchanges[i]->bytes) };
		messages[i] = (struct mmsghdr){
			.msg_hdr = {
				.msg_name = &from[i],
				.msg_namelen = sizeof(from[i]),
				.msg_iov = &iov[i],
				.msg_iovlen = 1,
				.msg_control = &control[i],
				.msg_controllen = sizeof(control[i]),
			},
		};
	}
	got = recvmmsg(l->fd, messages, (unsigned)n, MSG_DONTWAIT, NULL);
	for (int i = 0; i < got; i++) {
		exchanges[i]->len = messages[i].msg_len;
		ret_usable[i] = read_path(l, &messages[i].msg_hdr, &exchanges[i]->path);
	}
	return got < 0 ? 0 : (size_t)got;
}

/*
 * Sending.
 */
static void write_control(struct msghdr *m, union control *control, int level, int type,
			  const void *bytes, size_t len)
{
	struct cmsghdr *c;

	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(len);
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), bytes, len);
}

static void address_v4(struct letter *letter, const struct exchange_path *path, struct msghdr *m)
{
	const struct in_pktinfo info = { .ipi_ifindex = path->link,
					 .ipi_spec_dst = addr_to_v4(&path->local) };

	letter->addr.v4 = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(path->port),
		.sin_addr = addr_to_v4(&path->client),
	};
	m->msg_namelen = sizeof(letter->addr.v4);
	write_control(m, &letter->control, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

static void address_v6(struct letter *letter, const struct exchange_path *path, struct msghdr *m)
{
	const struct in6_pktinfo info = { .ipi6_ifindex = (unsigned)path->link,
					  .ipi6_addr = path->local.in6 };

	letter->addr.v6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = htons(path->port),
		.sin6_addr = path->client.in6,
		.sin6_scope_id = (uint32_t)path->link,
	};
	m->msg_namelen = sizeof(letter->addr.v6);
	write_control(m, &letter->control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

void listener_send(struct listener *l, const struct exchange_path *path, const void *bytes,
		   size_t len)
{
	struct letter *letter;
	struct msghdr *m;

	if (len > sizeof(letter->bytes))
		return;
	if (l->n_letters == LISTENER_BATCH)
		listener_flush(l);
	letter = &l->letters[l->n_letters];
	m = &l->outbox[l->n_letters].msg_hdr;
	memcpy(letter->bytes, bytes, len);
	letter->iov = (struct iovec){ letter->bytes, len };
	*m = (struct msghdr){ .msg_name = &letter->addr, .msg_iov = &letter->iov, .msg_iovlen = 1 };
	if (l->family == AF_INET)
		address_v4(letter, path, m);
	else
		address_v6(letter, path, m);
	l->n_letters++;
}

/* One that cannot be sent is as good as lost on the way; those behind it still can. */
void listener_flush(struct listener *l)
{
	size_t sent = 0;
	int n;

	while (sent < l->n_letters) {
		n = sendmmsg(l->fd, l->outbox + sent, (unsigned)(l->n_letters - sent),
			     MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 1;
	}
	l->n_letters = 0;
}
