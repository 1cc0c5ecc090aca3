/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ct_message: ctnetlink's messages: asking for entries, reading one, deleting one.
 *
 * Straight over libmnl, though libnetfilter_conntrack exists: of an entry's thirty attributes a
 * dozen matter here, and to delete an entry is to send back its tuple as it came. The library would
 * build an object of each of half a million entries and write the tuple anew from it.
 */
#ifndef PORTWRIGHT_PLANE_CT_MESSAGE_H
#define PORTWRIGHT_PLANE_CT_MESSAGE_H

#include "plane/ending.h"
#include "plane/netlink.h"

struct ct_entry {
	struct flow_tuple tuple;
	uint64_t packets_in, bytes_in, packets_out,
		bytes_out; /* 0 where the kernel does not count */
	struct addr peer;  /* who the client answers: the remote, or the gateway if hairpinned */
	uint16_t peer_port;
	uint32_t timeout;  /* seconds */
	uint8_t tcp_state; /* enum tcp_conntrack */
};

/* What to ask for at least: a kernel that knows less of this (before 5.8, 5.15) answers with more.
 */
struct ct_filter {
	int family;		   /* AF_INET or AF_INET6 */
	bool translated;	   /* only entries whose destination was */
	const struct addr *client; /* of IPv4, only entries that lead to it; NULL: all */
	uint8_t protocol;	   /* of IPv4, only entries of this IPPROTO_*; 0: all */
};

/* Room for any of the requests below. */
#define CT_REQUEST_MAX 384

/* All of them write at buf and return the message, which has no sequence number yet. */
struct nlmsghdr *ct_put_dump(void *buf, const struct ct_filter *filter);
struct nlmsghdr *ct_put_probe(void *buf); /* asks how many there are: is anybody there? */
/* Deletes that very entry: its tuple, and its id, in case the tuple is another flow's by now.
 * `entry` must be a message that parse_ct_entry() took. */
struct nlmsghdr *ct_put_delete(void *buf, const struct nlmsghdr *entry);

/*
 * Bars the way from the client back to its peer, for as long as `entry` would have lived: an entry
 * that leads the client's packets to a closed port of `own`, the gateway, which answers with a TCP
 * reset or an ICMP port unreachable. Only for an entry that is deleted: two cannot have one tuple.
 */
struct nlmsghdr *ct_put_bar(void *buf, const struct ct_entry *entry, const struct addr *own);
/* Deletes whatever entry has the original tuple of `request`, one of ct_put_bar(). */
struct nlmsghdr *ct_put_delete_rival(void *buf, const struct nlmsghdr *request);

/* False where the message is no entry of a TCP or UDP flow. */
bool parse_ct_entry(const struct nlmsghdr *m, struct ct_entry *ret);

const char *tcp_state_name(uint8_t state); /* "established", "time-wait", ...; "" where unknown */

#endif
