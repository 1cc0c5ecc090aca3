/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_rules: the fixed rules: portwright.nft, firewall-on.nft or firewall-off.nft as text, and the
 * three rules that nft cannot spell.
 */
#ifndef PORTWRIGHT_PLANE_NFT_RULES_H
#define PORTWRIGHT_PLANE_NFT_RULES_H

#include "base/fault.h"
#include "plane/nft_wire.h"

/* Puts all rules in force, whatever was there before; elements of sets stay. */
int nft_rules_load(struct nft_link *l, bool firewall, struct fault *f);
/* Takes the whole table away; no error where there is none. */
int nft_rules_flush(struct nft_link *l, struct fault *f);

#endif
