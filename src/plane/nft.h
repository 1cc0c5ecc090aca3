/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft: the data plane in the kernel's nftables. The map of its files:
 *
 *     portwright.nft   the fixed rules and the sets, for people to read
 *     nft_rules        loads them, and the three rules that nft cannot spell
 *     nft_sets         those sets as a table
 *     nft_elements     a mapping -> its elements (pure)
 *     nft_wire         elements -> netlink -> elements
 *     nft_reconcile    what should be in the sets against what is
 *     nft_watch        notices when somebody else changes the table
 *     nft              the hooks of plane.h
 */
#ifndef PORTWRIGHT_PLANE_NFT_H
#define PORTWRIGHT_PLANE_NFT_H

#include "core/plane.h"

/* Needs CAP_NET_ADMIN. Nothing is put in force before the first reconcile. */
int nft_plane_open(struct plane **ret, struct fault *f);

#endif
