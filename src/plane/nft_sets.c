/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plane/nft_sets.h"

#include <stdlib.h>
#include <string.h>

#define IFNAME 16 /* IFNAMSIZ */
#define ADDR4  4
#define ADDR6  16
#define PROTO  4 /* inet_proto and inet_service, padded */
#define PORT   4

/* clang-format off */
const struct nft_set_shape nft_set_shapes[NFT_SETS] = {
	[NFT_SET_UPLINKS]            = { "uplinks", IFNAME, .of_site = true },
	[NFT_SET_LANS]               = { "lans", IFNAME, .of_site = true },
	[NFT_SET_NO_HAIRPIN]         = { "no_hairpin", IFNAME, .of_site = true },
	[NFT_SET_EXTERNAL4]          = { "external4", ADDR4, .of_site = true },
	[NFT_SET_UPLINK_ADDR4]       = { "uplink_addr4", IFNAME, ADDR4, .of_site = true,
		.content = NFT_CONTENT_VALUE },
	[NFT_SET_SERVICES]           = { "services", PROTO + PORT, .of_site = true },
	[NFT_SET_LAN_ONLY]           = { "lan_only", PROTO + PORT, .of_site = true },
	[NFT_SET_OPEN4]              = { "open4", PROTO + PORT, ADDR4 + PORT,
		.expires = true, .content = NFT_CONTENT_VALUE,
		.tally = NFT_TALLY_CONNECTIONS, .form = NFT_KEY_PORT },
	[NFT_SET_WIDE4]              = { "wide4", ADDR4 + PROTO + PORT + ADDR4, 2 * (ADDR4 + PORT),
		.interval = true, .expires = true, .content = NFT_CONTENT_VALUE,
		.tally = NFT_TALLY_CONNECTIONS, .form = NFT_KEY_TUPLE4 },
	[NFT_SET_SOURCE4]            = { "source4", ADDR4 + PROTO + PORT, 2,
		.content = NFT_CONTENT_VALUE },
	[NFT_SET_SOURCE_RANGE4]      = { "source_range4", ADDR4 + PROTO + PORT, 2 * PORT,
		.interval = true, .content = NFT_CONTENT_VALUE },
	[NFT_SET_SOURCE_ADDRESSED4]  = { "source_addressed4", ADDR4 + PROTO + PORT,
		2 * (ADDR4 + PORT), .interval = true, .content = NFT_CONTENT_VALUE },
	[NFT_SET_CLOSED4]            = { "closed4", ADDR4 + PROTO + PORT + ADDR4,
		.interval = true, .content = NFT_CONTENT_VERDICT },
	[NFT_SET_CLOSED6]            = { "closed6", ADDR6 + PROTO + PORT + ADDR6,
		.interval = true, .content = NFT_CONTENT_VERDICT },
	[NFT_SET_CONNECTION_LIMITS4] = { "connection_limits4", ADDR4 + PROTO + PORT + PORT,
		.content = NFT_CONTENT_CONNECTION_LIMIT },
	[NFT_SET_RATE_LIMITS4]       = { "rate_limits4", ADDR4 + PROTO + PORT + PORT,
		.content = NFT_CONTENT_RATE_LIMIT },
	[NFT_SET_CONNECTION_LIMITS6] = { "connection_limits6", ADDR6 + PROTO + PORT,
		.content = NFT_CONTENT_CONNECTION_LIMIT },
	[NFT_SET_RATE_LIMITS6]       = { "rate_limits6", ADDR6 + PROTO + PORT,
		.content = NFT_CONTENT_RATE_LIMIT },
	[NFT_SET_PINHOLE6]           = { "pinhole6", ADDR6 + PROTO + PORT + ADDR6,
		.interval = true, .tally = NFT_TALLY_CONNECTIONS, .form = NFT_KEY_TUPLE6 },
	[NFT_SET_PERMITTED6]         = { "permitted6", ADDR6 + PROTO + PORT + ADDR6,
		.interval = true, .expires = true },
	[NFT_SET_TRAFFIC4]           = { "traffic4", PROTO + PORT,
		.tally = NFT_TALLY_TRAFFIC, .form = NFT_KEY_PORT },
	[NFT_SET_TRAFFIC_WIDE4]      = { "traffic_wide4", ADDR4 + PROTO + PORT + ADDR4,
		.interval = true, .tally = NFT_TALLY_TRAFFIC, .form = NFT_KEY_TUPLE4 },
	[NFT_SET_TRAFFIC6]           = { "traffic6", ADDR6 + PROTO + PORT + ADDR6,
		.interval = true, .tally = NFT_TALLY_TRAFFIC, .form = NFT_KEY_TUPLE6 },
};
/* clang-format on */

enum nft_set nft_set_by_name(const char *name)
{
	for (int i = 0; i < NFT_SETS; i++) {
		if (strcmp(nft_set_shapes[i].name, name) == 0)
			return (enum nft_set)i;
	}
	return NFT_SETS;
}

bool nft_element_same_key(const struct nft_element *a, const struct nft_element *b)
{
	const struct nft_set_shape *shape = &nft_set_shapes[a->set];

	return a->set == b->set && memcmp(a->key, b->key, shape->key_length) == 0 &&
	       (!shape->interval || memcmp(a->key_end, b->key_end, shape->key_length) == 0);
}

bool nft_element_same_content(const struct nft_element *a, const struct nft_element *b)
{
	switch (nft_set_shapes[a->set].content) {
	case NFT_CONTENT_VALUE:
		return memcmp(a->data, b->data, nft_set_shapes[a->set].data_length) == 0;
	case NFT_CONTENT_VERDICT:
		return a->data[0] == b->data[0];
	case NFT_CONTENT_CONNECTION_LIMIT:
	case NFT_CONTENT_RATE_LIMIT:
		return a->limit == b->limit;
	case NFT_CONTENT_NONE:
		break;
	}
	return true;
}

#define TIMEOUT_TOLERANCE_MS 5000

bool nft_element_same_timeout(const struct nft_element *a, const struct nft_element *b)
{
	if (a->expires == 0 || b->expires == 0)
		return a->expires == b->expires;
	return llabs(a->expires - b->expires) <= TIMEOUT_TOLERANCE_MS;
}

static uint64_t mix(uint64_t hash, const uint8_t *bytes, size_t n)
{
	uint32_t word;

	for (size_t i = 0; i + sizeof(word) <= n; i += sizeof(word)) { /* keys are whole words */
		memcpy(&word, bytes + i, sizeof(word));
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 29;
	}
	return hash;
}

uint64_t nft_element_hash(const struct nft_element *e)
{
	const struct nft_set_shape *shape = &nft_set_shapes[e->set];
	uint64_t hash = mix(e->set + 1, e->key, shape->key_length);

	return shape->interval ? mix(hash, e->key_end, shape->key_length) : hash;
}
