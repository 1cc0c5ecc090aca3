/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All sets are dumped into one open-addressing table of elements. Then every wanted element is
 * looked up: found with the same content, it is marked as kept; found with other content, it is
 * replaced; not found, it is added. What is left unmarked is nobody's and goes. The table lives
 * only for this call.
 */
#include "plane/nft_reconcile.h"

#include "plane/nft_elements.h"

#include <errno.h>
#include <stdlib.h>

struct slot {
	struct nft_element element;
	bool used, wanted;
};

struct held {
	struct slot *slots;
	size_t capacity, n; /* capacity: a power of two */
};

struct comparison {
	struct held held;
	struct nft_batch *batch;
	struct reconcile_report report;
};

/* The slot that holds an element of this key, or the empty one where it would go. */
static struct slot *find(const struct held *h, const struct nft_element *e)
{
	size_t at = nft_element_hash(e) & (h->capacity - 1);

	while (h->slots[at].used && !nft_element_same_key(&h->slots[at].element, e))
		at = (at + 1) & (h->capacity - 1);
	return &h->slots[at];
}

static int grow(struct held *h)
{
	struct held larger = { .capacity = h->capacity ? h->capacity * 2 : 1024, .n = h->n };

	larger.slots = calloc(larger.capacity, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < h->capacity; i++) {
		if (h->slots[i].used)
			*find(&larger, &h->slots[i].element) = h->slots[i];
	}
	free(h->slots);
	*h = larger;
	return 0;
}

static int hold(void *arg, const struct nft_element *e, const struct nft_tallies *tallies)
{
	struct held *h = arg;
	struct slot *slot;
	int err;

	if (h->n * 4 >= h->capacity * 3) {
		err = grow(h);
		if (err)
			return err;
	}
	slot = find(h, e);
	h->n += !slot->used;
	*slot = (struct slot){ .element = *e, .used = true };
	return 0;
}

static int want(void *arg, const struct nft_element *e)
{
	struct comparison *c = arg;
	struct slot *slot = c->held.capacity ? find(&c->held, e) : NULL;

	if (slot && slot->used) {
		slot->wanted = true;
		if (nft_element_same_content(&slot->element, e)) {
			c->report.kept++;
			return 0;
		}
		nft_batch_delete(c->batch, &slot->element);
		c->report.removed++;
	}
	nft_batch_add(c->batch, e);
	c->report.added++;
	return c->batch->error;
}

static int want_mapping(void *arg, struct mapping *m)
{
	int err = nft_mapping_elements(&m->spec, want, arg);

	for (uint8_t p = PROTOCOL_TCP; err == 0 && p <= PROTOCOL_UDP; p <<= 1) {
		if (mapping_holds_source(m, p))
			err = nft_source_elements(&m->spec, p, want, arg);
	}
	return err;
}

static int dump_all(struct nft_link *l, struct held *h)
{
	int err = 0;

	for (int set = 0; err == 0 && set < NFT_SETS; set++) {
		/* Another's change in the middle makes a dump unsure; elements seen twice do not
		 * matter here. */
		for (int tries = 0; tries < 5; tries++) {
			err = nft_dump(l, set, hold, h);
			if (err != -EINTR)
				break;
		}
	}
	return err;
}

int nft_reconcile(struct nft_link *l, const struct site *site, const struct mapping_table *table,
		  struct nft_batch *b, struct reconcile_report *ret)
{
	struct comparison c = { .batch = b };
	int err = dump_all(l, &c.held);

	if (err == 0)
		err = nft_site_elements(site, want, &c);
	if (err == 0)
		err = mapping_table_each(table, want_mapping, &c);
	for (size_t i = 0; err == 0 && i < c.held.capacity; i++) {
		if (c.held.slots[i].used && !c.held.slots[i].wanted) {
			nft_batch_delete(b, &c.held.slots[i].element);
			c.report.removed++;
		}
	}
	free(c.held.slots);
	if (err == 0)
		err = b->error;
	if (err == 0)
		*ret = c.report;
	return err;
}
