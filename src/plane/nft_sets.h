/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_sets: the sets and maps of portwright.nft as a table, and one element of any of them.
 *
 * The order and the lengths here must agree with that file; test_nft_sets.c reads both. Keys and
 * data are laid out as nftables does it: each field of a concatenation in network order, padded to
 * four bytes.
 */
#ifndef PORTWRIGHT_PLANE_NFT_SETS_H
#define PORTWRIGHT_PLANE_NFT_SETS_H

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NFT_TABLE_NAME "portwright"

enum nft_set {
	NFT_SET_UPLINKS,
	NFT_SET_LANS,
	NFT_SET_NO_HAIRPIN,
	NFT_SET_EXTERNAL4,
	NFT_SET_UPLINK_ADDR4,
	NFT_SET_SERVICES,
	NFT_SET_LAN_ONLY,
	NFT_SET_OPEN4,
	NFT_SET_WIDE4,
	NFT_SET_SOURCE4,
	NFT_SET_SOURCE_RANGE4,
	NFT_SET_SOURCE_ADDRESSED4,
	NFT_SET_CLOSED4,
	NFT_SET_CLOSED6,
	NFT_SET_CONNECTION_LIMITS4,
	NFT_SET_RATE_LIMITS4,
	NFT_SET_CONNECTION_LIMITS6,
	NFT_SET_RATE_LIMITS6,
	NFT_SET_PINHOLE6,
	NFT_SET_PERMITTED6,
	NFT_SET_TRAFFIC4,
	NFT_SET_TRAFFIC_WIDE4,
	NFT_SET_TRAFFIC6,
	NFT_SETS
};

/* What an element carries beside its key. */
enum nft_content {
	NFT_CONTENT_NONE,
	NFT_CONTENT_VALUE,	      /* data_length bytes */
	NFT_CONTENT_VERDICT,	      /* data[0]: enum nft_closed */
	NFT_CONTENT_CONNECTION_LIMIT, /* limit: connections at once */
	NFT_CONTENT_RATE_LIMIT,	      /* limit: new connections a second */
};

enum nft_closed { NFT_CLOSED_DROP, NFT_CLOSED_REFUSE };

/* What a set's counters mean to the mapping they belong to. */
enum nft_tally { NFT_TALLY_NONE, NFT_TALLY_CONNECTIONS, NFT_TALLY_TRAFFIC };

/* How the key names the mapping it belongs to (nft_counters.c). */
enum nft_key_form {
	NFT_KEY_OTHER,
	NFT_KEY_PORT,	/* protocol . external port */
	NFT_KEY_TUPLE4, /* external address . protocol . external port . remote host */
	NFT_KEY_TUPLE6,
};

struct nft_set_shape {
	const char *name;
	uint8_t key_length, data_length;
	bool interval; /* elements have a key_end */
	bool expires;  /* elements may carry a timeout */
	bool of_site;  /* filled from struct site, not from mappings */
	enum nft_content content;
	enum nft_tally tally;
	enum nft_key_form form;
};

extern const struct nft_set_shape nft_set_shapes[NFT_SETS];

#define NFT_KEY_MAX  40
#define NFT_DATA_MAX 16

struct nft_element {
	uint8_t set; /* enum nft_set */
	uint8_t key[NFT_KEY_MAX];
	uint8_t key_end[NFT_KEY_MAX]; /* of interval sets; inclusive */
	uint8_t data[NFT_DATA_MAX];
	uint32_t limit;
	clock_ms expires; /* when the kernel ends it by itself; 0: never */
};

/* The set of that name, or NFT_SETS. */
enum nft_set nft_set_by_name(const char *name);
bool nft_element_same_key(const struct nft_element *a, const struct nft_element *b);
/* Beside the timeout, that is. */
bool nft_element_same_content(const struct nft_element *a, const struct nft_element *b);
/* Timeouts are told to the kernel as time left, so they come back a little off. */
bool nft_element_same_timeout(const struct nft_element *a, const struct nft_element *b);
uint64_t nft_element_hash(const struct nft_element *e); /* of set and key */

#endif
