/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices on lan0 (link 2, 192.168.69.0/24 and 2001:db8:69::/64) that speak NAT-PMP and PCP to a
 * gateway whose external address is 203.0.113.7; what it answers is caught here.
 */
#ifndef TESTS_UNIT_EXCHANGE_FIXTURE_H
#define TESTS_UNIT_EXCHANGE_FIXTURE_H

#include "gateway_fixture.h"

#include "serve/exchange.h"

#define LAN    2
#define CAMERA "192.168.69.110"
#define NVR    "192.168.69.120"
#define LAPTOP "2001:db8:69::20"
#define OURS   "203.0.113.7"

#define SENT_MAX 64

struct datagram {
	struct exchange_path path;
	size_t len;
	uint8_t bytes[PCP_MESSAGE_MAX];
};

struct devices {
	struct exchange_carrier carrier; /* first */
	struct fixture f;
	struct policy policy;
	unsigned under_way;
	size_t n_sent;
	struct datagram sent[SENT_MAX];
};

static void catch_datagram(struct exchange_carrier *c, const struct exchange_path *path,
			   const void *bytes, size_t len)
{
	struct devices *d = (struct devices *)c;
	struct datagram *caught = &d->sent[d->n_sent++ % SENT_MAX];

	assert_true(len <= sizeof(caught->bytes));
	caught->path = *path;
	caught->len = len;
	memcpy(caught->bytes, bytes, len);
}

static void free_exchange(struct exchange_carrier *c, struct exchange *x)
{
	((struct devices *)c)->under_way--;
	free(x);
}

static inline void know_external(struct site *s, const char *text)
{
	free(s->external);
	s->external = calloc(1, sizeof(*s->external));
	s->n_external = text != NULL;
	if (text)
		s->external[0] = address(text);
}

static inline struct devices *devices_open(void)
{
	struct devices *d = calloc(1, sizeof(*d));
	struct site *s = &d->f.site;
	struct fault fault;

	fixture_prepare(&d->f);
	know_external(s, OURS);
	s->n_addresses = 2;
	s->addresses = calloc(2, sizeof(*s->addresses));
	s->addresses[0] = (struct site_address){ { address("192.168.69.1"), 24 }, LAN };
	s->addresses[1] = (struct site_address){ { address("2001:db8:69::1"), 64 }, LAN };
	d->policy = (struct policy){
		.min_external_port = 1024,
		.max_mappings_per_client = 8,
		.max_mappings = 12,
		.max_lifetime = 86400,
		.own_address_only = true,
	};
	d->f.policy = &d->policy;
	d->carrier = (struct exchange_carrier){ .send = catch_datagram, .release = free_exchange };
	assert_int_equal(fixture_start(&d->f, &fault), 0);
	return d;
}

static inline void devices_close(struct devices *d)
{
	fixture_close(&d->f);
	assert_int_equal(d->under_way, 0);
	free(d);
}

/* A request as port5351 hands it over. */
static inline struct exchange *receive(struct devices *d, const char *client, const void *bytes,
				       size_t len)
{
	struct exchange *x = malloc(sizeof(*x));

	memset(x, 0xa5, sizeof(*x)); /* nothing of it may be taken for zero */
	x->carrier = &d->carrier;
	x->gateway = d->f.g;
	x->path = (struct exchange_path){
		.client = address(client),
		.local = address(strchr(client, ':') ? "2001:db8:69::1" : "192.168.69.1"),
		.port = 40000,
		.link = LAN,
	};
	x->len = len < sizeof(x->bytes) ? len : sizeof(x->bytes);
	memcpy(x->bytes, bytes, x->len);
	d->under_way++;
	d->n_sent = 0;
	return x;
}

/* The end of the turn; there was one answer, and it went back where the request came from. */
static inline const struct datagram *answer_to(struct devices *d, const char *client)
{
	struct addr a = address(client);

	gateway_turn(d->f.g);
	assert_int_equal(d->under_way, 0);
	assert_int_equal(d->n_sent, 1);
	assert_true(addr_eq(&d->sent[0].path.client, &a));
	assert_int_equal(d->sent[0].path.port, 40000);
	return &d->sent[0];
}

static inline size_t count_mappings(const struct devices *d)
{
	return mapping_table_count(gateway_table(d->f.g));
}

static inline const struct mapping *only_mapping(const struct devices *d)
{
	struct mapping **list, *m;
	size_t n;

	assert_int_equal(mapping_table_list(gateway_table(d->f.g), &list, &n), 0);
	assert_int_equal(n, 1);
	m = list[0];
	free(list);
	return m;
}

static inline void move_to(struct devices *d, const char *external)
{
	struct site site;
	struct fault fault;

	assert_int_equal(site_copy(gateway_site(d->f.g), &site), 0);
	know_external(&site, external);
	assert_int_equal(gateway_set_site(d->f.g, &site, &fault), 0);
	site_free(&site);
}

static inline void pass_seconds(clock_ms seconds)
{
	clock_ms now = clock_now() + seconds * 1000;

	clock_freeze(now, clock_wall() + seconds);
}

#endif
