/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plane/nft_watch.h"

#include "plane/nft_sets.h"

#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVE_BUFFER (2 << 20)

int nft_watch_open(struct nft_watch *ret)
{
	struct nft_watch w = { .deaf = true };
	int size = RECEIVE_BUFFER, err;

	w.socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w.socket)
		return -errno;
	if (mnl_socket_bind(w.socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		mnl_socket_close(w.socket);
		return err;
	}
	setsockopt(mnl_socket_get_fd(w.socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	nft_watch_resume(&w);
	*ret = w;
	return 0;
}

void nft_watch_close(struct nft_watch *w)
{
	if (w->socket)
		mnl_socket_close(w->socket);
	w->socket = NULL;
}

static void join(struct nft_watch *w, bool on)
{
	int group = NFNLGRP_NFTABLES;

	mnl_socket_setsockopt(w->socket, on ? NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP,
			      &group, sizeof(group));
	w->deaf = !on;
}

void nft_watch_pause(struct nft_watch *w)
{
	if (!w->deaf)
		join(w, false);
}

void nft_watch_resume(struct nft_watch *w)
{
	if (w->deaf)
		join(w, true);
}

/* In every nftables message that names one, the table is attribute 1. */
static bool is_ours(const struct nlmsghdr *h)
{
	const struct nlattr *a;

	mnl_attr_for_each (a, h, sizeof(struct nfgenmsg)) {
		if (mnl_attr_get_type(a) == NFTA_TABLE_NAME)
			return mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0 &&
			       strcmp(mnl_attr_get_str(a), NFT_TABLE_NAME) == 0;
	}
	return false;
}

static void note(const struct nlmsghdr *h, uint32_t own, struct nft_touched *touched)
{
	unsigned type = NFNL_MSG_TYPE(h->nlmsg_type);

	if (NFNL_SUBSYS_ID(h->nlmsg_type) != NFNL_SUBSYS_NFTABLES || type == NFT_MSG_NEWGEN ||
	    h->nlmsg_pid == own || !is_ours(h))
		return;
	if (type == NFT_MSG_NEWSETELEM || type == NFT_MSG_DELSETELEM)
		touched->elements = true;
	else
		touched->rules = true;
}

struct nft_touched nft_watch_read(struct nft_watch *w, uint32_t own)
{
	struct nft_touched touched = { 0 };
	_Alignas(struct nlmsghdr) char buffer[32768];

	for (;;) {
		ssize_t n = mnl_socket_recvfrom(w->socket, buffer, sizeof(buffer));
		const struct nlmsghdr *h = (const struct nlmsghdr *)buffer;
		int left = (int)n;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOBUFS) { /* some were lost: it may have been anything */
			touched = (struct nft_touched){ true, true };
			continue;
		}
		if (n <= 0)
			return touched;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			note(h, own, &touched);
	}
}

void nft_watch_skip(struct nft_watch *w)
{
	nft_watch_read(w, 0);
}
