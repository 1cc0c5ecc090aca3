/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exchange: a request that came to port 5351, until its answer is on the way.
 *
 * port5351 reads each datagram straight into one. The protocol that it belongs to keeps what it
 * parsed in there, hands the exchange to the gateway as the argument of its verb, and gives it back
 * with the answer: so a request costs no memory of its own, and there are only as many under way
 * as there are exchanges.
 */
#ifndef PORTWRIGHT_SERVE_EXCHANGE_H
#define PORTWRIGHT_SERVE_EXCHANGE_H

#include "core/gateway.h"
#include "wire/natpmp.h"
#include "wire/pcp.h"

/* Longer requests are malformed, which shows by their reaching the end. */
#define EXCHANGE_BYTES_MAX (PCP_MESSAGE_MAX + 4)

/* Between whom datagrams go: an answer takes the way back. */
struct exchange_path {
	struct addr client, local; /* `local` is the gateway's, on that link */
	uint16_t port;		   /* the client's */
	int link;		   /* index */
};

struct exchange;

/* Who carries datagrams. */
struct exchange_carrier {
	/* Where the link is gone, or takes no more, the datagram is lost: clients repeat. */
	void (*send)(struct exchange_carrier *c, const struct exchange_path *path,
		     const void *bytes, size_t len);
	/* x is the carrier's again. */
	void (*release)(struct exchange_carrier *c, struct exchange *x);
};

struct exchange {
	struct exchange_carrier *carrier;
	struct exchange *next; /* the carrier's */
	struct gateway *gateway;
	struct exchange_path path;
	char owner[ADDR_TEXT_MAX]; /* as the mappings' owner: the client's address */
	size_t len;
	uint8_t bytes[EXCHANGE_BYTES_MAX];

	/* The protocol's. */
	struct pcp *pcp;
	bool refused;	/* a part of what was asked for */
	uint32_t width; /* of the port set that is tried, in ports */
	union {
		struct natpmp_request natpmp;
		struct pcp_request pcp_request;
	};
};

/* The caller of the gateway's verbs; it borrows from x. */
static inline struct caller exchange_caller(struct exchange *x, enum origin origin)
{
	return (struct caller){
		.owner = format_addr(&x->path.client, x->owner),
		.origin = origin,
		.addr = x->path.client,
	};
}

/* Ends x. Where len is not above 0 there is no answer. */
static inline void exchange_answer(struct exchange *x, const void *bytes, ssize_t len)
{
	if (len > 0)
		x->carrier->send(x->carrier, &x->path, bytes, (size_t)len);
	x->carrier->release(x->carrier, x);
}

#endif
