/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_reconcile: what should be in the sets against what is.
 */
#ifndef PORTWRIGHT_PLANE_NFT_RECONCILE_H
#define PORTWRIGHT_PLANE_NFT_RECONCILE_H

#include "core/plane.h"
#include "plane/nft_wire.h"

/*
 * Fills *b (begun by the caller) with what has to be deleted and added so that the sets hold what
 * `site` and `table` ask for; an element that is right is not touched and keeps its counters.
 * -ENOENT where a set or the table is missing: the rules have to be loaded first.
 */
int nft_reconcile(struct nft_link *l, const struct site *site, const struct mapping_table *table,
		  struct nft_batch *b, struct reconcile_report *ret);

#endif
