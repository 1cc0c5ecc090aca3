/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netlink: one question to the kernel and all of its answer.
 *
 * libmnl's mnl_cb_run() leaves the rest of a dump in the socket when a callback stops or the kernel
 * says that the dump was interrupted; the next question would then read the last one's answer. Here
 * an answer is always read to its end, so a socket can be used again whatever happened.
 */
#ifndef PORTWRIGHT_PLANE_NETLINK_H
#define PORTWRIGHT_PLANE_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdint.h>

/* Room for what the kernel puts into one datagram, of news as of dumps. */
#define NETLINK_BUFFER 32768

struct netlink {
	struct mnl_socket *socket;
	uint32_t sequence;
};

/* `bus` is NETLINK_ROUTE, ...; groups as in struct sockaddr_nl (0: none). `flags` are SOCK_NONBLOCK
 * or 0. 0 or a negative errno. */
int netlink_open(struct netlink *nl, int bus, uint32_t groups, int flags);
void netlink_close(struct netlink *nl); /* fine on one that is closed, or all zero */

/* Return non-zero to see no more of the answer. */
typedef int (*netlink_visit)(void *arg, const struct nlmsghdr *message);

/*
 * Sends `request`, whose sequence number it sets, and visits each message of the answer; a request
 * that is no dump must carry NLM_F_ACK, else its end cannot be seen. Returns what visit returned if
 * that is not 0; else the kernel's error; else -EINTR where the dump is not a consistent picture
 * (ask again); else 0.
 */
int netlink_ask(struct netlink *nl, struct nlmsghdr *request, netlink_visit visit, void *arg);

#endif
