/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_wire: elements to and from the kernel, as binary netlink.
 *
 * A batch is one buffer, sent in one piece, and takes effect in one step or not at all. Attributes
 * are written straight into it with libmnl: an import of 65,000 mappings is some 200,000 elements,
 * which as libnftnl objects would take a hundred megabytes before the first byte is sent.
 */
#ifndef PORTWRIGHT_PLANE_NFT_WIRE_H
#define PORTWRIGHT_PLANE_NFT_WIRE_H

#include "plane/nft_sets.h"

#include <libmnl/libmnl.h>

struct nft_link {
	struct mnl_socket *socket;
	uint32_t port; /* our netlink port id: notices of changes carry their author's */
	uint32_t sequence;
	bool in_place; /* the kernel can change an element's timeout */
};

int nft_link_open(struct nft_link *ret); /* 0 or a negative errno */
void nft_link_close(struct nft_link *l);

/* Messages of one sort, in a buffer of their own; the last may still be growing. */
struct nft_segment {
	char *buffer;
	size_t used, capacity;
	size_t list; /* in the message that begins at `used`: its list; 0: no message is open */
};

/*
 * Deletions take effect before additions, and each set's elements stand together however they were
 * put in: so a caller may walk mappings one by one. What it must not do is add and then delete the
 * same element.
 */
struct nft_batch {
	struct nft_segment begin, deletions[NFT_SETS], messages, additions[NFT_SETS], end;
	uint32_t first, last; /* sequence numbers */
	size_t elements;
	bool in_place; /* as the link's */
	int error;     /* sticky: -ENOMEM */
};

void nft_batch_begin(struct nft_batch *b, const struct nft_link *l);
void nft_batch_add(struct nft_batch *b, const struct nft_element *e);
void nft_batch_delete(struct nft_batch *b, const struct nft_element *e);
/* Replaces an element by one of the same key that may differ in content or timeout. Where the
 * timeout alone differs and the kernel can change it in place (since Linux 6.12), the element stays
 * and keeps its counters. */
void nft_batch_replace(struct nft_batch *b, const struct nft_element *before,
		       const struct nft_element *after);

/* A message of another kind, between deletions and additions: returns the header to fill (at most
 * `room` bytes of attributes), to be ended with nft_batch_message_end(); NULL when out of memory
 * (sticky). */
struct nlmsghdr *nft_batch_message(struct nft_batch *b, uint16_t type, uint16_t flags, size_t room);
void nft_batch_message_end(struct nft_batch *b, struct nlmsghdr *h);

/* Sends and waits for the verdict; the batch is empty afterwards, whatever happens. 0, or the first
 * error the kernel named: nothing was changed then. */
int nft_batch_commit(struct nft_batch *b, struct nft_link *l);
void nft_batch_free(struct nft_batch *b);

struct nft_tallies {
	uint64_t packets, bytes;
};
typedef int (*nft_dump_visit)(void *arg, const struct nft_element *e,
			      const struct nft_tallies *tallies);
/* Walks one set as the kernel has it. -ENOENT where table or set is missing; -EINTR where it
 * changed meanwhile (ask again); what `visit` returned when that is not 0. */
int nft_dump(struct nft_link *l, enum nft_set set, nft_dump_visit visit, void *arg);

#endif
