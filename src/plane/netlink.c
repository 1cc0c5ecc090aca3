/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plane/netlink.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

int netlink_open(struct netlink *nl, int bus, uint32_t groups, int flags)
{
	struct mnl_socket *s = mnl_socket_open2(bus, SOCK_CLOEXEC | flags);

	if (!s)
		return -errno;
	if (mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) < 0) {
		int r = -errno;

		mnl_socket_close(s);
		return r;
	}
	*nl = (struct netlink){ .socket = s };
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (nl->socket)
		mnl_socket_close(nl->socket);
	nl->socket = NULL;
}

struct answer {
	netlink_visit visit;
	void *arg;
	int visited; /* what visit returned */
	int error;
	bool interrupted, complete;
};

static void read_message(struct answer *a, const struct nlmsghdr *m)
{
	if (m->nlmsg_flags & NLM_F_DUMP_INTR)
		a->interrupted = true;

	switch (m->nlmsg_type) {
	case NLMSG_NOOP:
		break;
	case NLMSG_ERROR: {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(m);

		a->complete = true;
		a->error = mnl_nlmsg_get_payload_len(m) >= sizeof(*e) ? e->error : -EBADMSG;
		break;
	}
	case NLMSG_DONE: {
		/* A dump that failed halfway says so in its last message. */
		const int *error = mnl_nlmsg_get_payload(m);

		a->complete = true;
		if (mnl_nlmsg_get_payload_len(m) >= sizeof(*error) && *error < 0)
			a->error = *error;
		break;
	}
	case NLMSG_OVERRUN:
		a->interrupted = true;
		break;
	default:
		if (!a->visited && a->visit)
			a->visited = a->visit(a->arg, m);
	}
}

int netlink_ask(struct netlink *nl, struct nlmsghdr *request, netlink_visit visit, void *arg)
{
	char buf[NETLINK_BUFFER] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct answer a = { .visit = visit, .arg = arg };

	request->nlmsg_seq = ++nl->sequence;
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return -errno;

	while (!a.complete) {
		ssize_t got = mnl_socket_recvfrom(nl->socket, buf, sizeof(buf));
		int len = (int)got;
		const struct nlmsghdr *m = (const struct nlmsghdr *)buf;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		for (; mnl_nlmsg_ok(m, len) && !a.complete; m = mnl_nlmsg_next(m, &len))
			if (m->nlmsg_seq == nl->sequence)
				read_message(&a, m);
	}
	if (a.visited)
		return a.visited;
	if (a.error)
		return a.error;
	return a.interrupted ? -EINTR : 0;
}
