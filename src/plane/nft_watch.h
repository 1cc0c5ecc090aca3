/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_watch: notices when somebody else changes Portwright's table.
 *
 * nftables tells its listeners of every change and who made it (the port id of the author's netlink
 * socket). Notices of other tables and of our own batches are passed over.
 */
#ifndef PORTWRIGHT_PLANE_NFT_WATCH_H
#define PORTWRIGHT_PLANE_NFT_WATCH_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

struct nft_watch {
	struct mnl_socket *socket;
	bool deaf; /* not subscribed at the moment */
};

/* What was touched since the last look. */
struct nft_touched {
	bool elements;
	bool rules; /* or chains, sets, the table itself */
};

int nft_watch_open(struct nft_watch *ret); /* 0 or a negative errno; non-blocking */
void nft_watch_close(struct nft_watch *w);

/* Reads all that waits. `own` is the port id whose changes do not count. */
struct nft_touched nft_watch_read(struct nft_watch *w, uint32_t own);
/* Throws away all that waits: after a change of ours that a library made under a port of its own.
 */
void nft_watch_skip(struct nft_watch *w);

/* Leaves and joins the audience. The kernel writes a notice for each element as long as anybody
 * listens, which doubles the time of a large batch. */
void nft_watch_pause(struct nft_watch *w);
void nft_watch_resume(struct nft_watch *w);

#endif
