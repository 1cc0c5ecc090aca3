/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel carries out a datagram's commands one after the other before the send returns. Only
 * the last one asks for an acknowledgement; of the others one hears when they fail.
 *
 * Between a deletion and the bar that follows it a packet of the device's may slip in and make the
 * entry that the bar was to prevent. The bar then fails with EEXIST, the kernel sends it back with
 * the error, and so the rival is deleted and the bar tried again.
 */
#include "plane/ct_commands.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

/* A packet must slip in every time for the bar to fail; a thousand a second do so once in a
 * hundred. */
#define TRIES 8

static void put(struct ct_commands *c, struct nlmsghdr *m)
{
	m->nlmsg_seq = ++c->nl->sequence;
	c->used += NLMSG_ALIGN(m->nlmsg_len);
	c->last = m;
}

static void put_again(struct ct_commands *c, const struct nlmsghdr *bar)
{
	struct nlmsghdr *m;

	if (c->used + 2 * CT_REQUEST_MAX > sizeof(c->buf) || bar->nlmsg_len > CT_REQUEST_MAX)
		return;
	put(c, ct_put_delete_rival(c->buf + c->used, bar));
	m = memcpy(c->buf + c->used, bar, bar->nlmsg_len);
	m->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	put(c, m);
}

/* What came back for one command. */
static void read_error(struct ct_commands *c, const struct nlmsghdr *m, const struct nlmsgerr *e)
{
	bool is_bar = (e->msg.nlmsg_type & 0xff) == IPCTNL_MSG_CT_NEW;
	/* The whole command, unless it was cut off behind its header. */
	bool whole = mnl_nlmsg_get_payload_len(m) >= sizeof(e->error) + e->msg.nlmsg_len;

	if (!is_bar)
		c->waiting -= c->waiting > 0;
	if (is_bar && e->error == -EEXIST && whole)
		put_again(c, &e->msg);
	else if (e->error != -ENOENT && !c->error)
		c->error = e->error;
}

/* Sends what waits and hears the kernel out. What is to be tried again waits afterwards. */
static int exchange(struct ct_commands *c)
{
	char answer[NETLINK_BUFFER] __attribute__((aligned(NLMSG_ALIGNTO)));
	uint32_t last = c->last->nlmsg_seq;
	size_t used = c->used;
	bool end = false;

	c->last->nlmsg_flags |= NLM_F_ACK;
	c->last = NULL;
	c->used = 0;
	if (mnl_socket_sendto(c->nl->socket, c->buf, used) < 0)
		return -errno;
	while (!end) {
		ssize_t got = mnl_socket_recvfrom(c->nl->socket, answer, sizeof(answer));
		int len = (int)got;
		const struct nlmsghdr *m = (const struct nlmsghdr *)answer;

		if (got < 0 && errno != EINTR)
			return -errno;
		for (; got > 0 && mnl_nlmsg_ok(m, len); m = mnl_nlmsg_next(m, &len)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(m);

			if (m->nlmsg_type != NLMSG_ERROR ||
			    mnl_nlmsg_get_payload_len(m) < sizeof(*e))
				continue;
			if (e->error)
				read_error(c, m, e);
			end |= m->nlmsg_seq == last;
		}
	}
	return 0;
}

void ct_commands_flush(struct ct_commands *c)
{
	int r = 0;

	for (int i = 0; i < TRIES && c->last && !r; i++) {
		r = exchange(c);
		if (!r)
			c->ended += c->waiting;
		c->waiting = 0;
	}
	if (c->last && !r)
		r = -EEXIST;
	if (r && !c->error)
		c->error = r;
	c->last = NULL;
	c->used = 0;
}

/* Could the device send something that goes on with this flow? */
static bool goes_on(const struct ct_entry *e)
{
	if (e->tuple.protocol != PROTOCOL_TCP)
		return true;
	return e->tcp_state != TCP_CONNTRACK_TIME_WAIT && e->tcp_state != TCP_CONNTRACK_CLOSE;
}

void ct_commands_end(struct ct_commands *c, const struct nlmsghdr *message,
		     const struct ct_entry *entry)
{
	const struct addr *own = addr_is_v4(&entry->tuple.client) ? &c->answer_from4
								  : &c->answer_from6;

	if (c->used + 2 * CT_REQUEST_MAX > sizeof(c->buf))
		ct_commands_flush(c);
	put(c, ct_put_delete(c->buf + c->used, message));
	c->waiting++;
	if (goes_on(entry) && addr_is_set(own))
		put(c, ct_put_bar(c->buf + c->used, entry, own));
}
