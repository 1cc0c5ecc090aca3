/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_elements: which elements a mapping is made of. Pure: no netlink, no state.
 */
#ifndef PORTWRIGHT_PLANE_NFT_ELEMENTS_H
#define PORTWRIGHT_PLANE_NFT_ELEMENTS_H

#include "core/mapping.h"
#include "core/site.h"
#include "plane/nft_sets.h"

/* Called for each element; non-zero ends the walk and is returned. `e` is valid during the call. */
typedef int (*nft_element_visit)(void *arg, const struct nft_element *e);

/* Everything but the sources: translation, permission, refusal, limits, counters. */
int nft_mapping_elements(const struct mapping_spec *s, nft_element_visit visit, void *arg);
/* The elements by which the internal endpoint leaves from the external port, for one protocol. */
int nft_source_elements(const struct mapping_spec *s, uint8_t protocol, nft_element_visit visit,
			void *arg);
/* uplinks, lans, no_hairpin, external4, uplink_addr4, services, lan_only. */
int nft_site_elements(const struct site *site, nft_element_visit visit, void *arg);

#endif
