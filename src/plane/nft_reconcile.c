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
	const struct site *site;
	const struct mapping_table *table;
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
		if (nft_element_same_content(&slot->element, e) &&
		    nft_element_same_timeout(&slot->element, e)) {
			c->report.kept++;
			return 0;
		}
		nft_batch_replace(c->batch, &slot->element, e);
		c->report.removed++;
	} else {
		nft_batch_add(c->batch, e);
	}
	c->report.added++;
	return c->batch->error;
}

/* Non-zero for an element that was not dumped. */
static int is_missing(void *arg, const struct nft_element *e)
{
	const struct comparison *c = arg;

	return c->held.capacity == 0 || !find(&c->held, e)->used;
}

/* Walks all that should be there. */
struct wanted {
	nft_element_visit visit;
	void *arg;
};

static int each_of_mapping(void *arg, struct mapping *m)
{
	const struct wanted *w = arg;
	int ret = nft_mapping_elements(&m->spec, w->visit, w->arg);

	for (uint8_t p = PROTOCOL_TCP; ret == 0 && p <= PROTOCOL_UDP; p <<= 1) {
		if (mapping_holds_source(m, p))
			ret = nft_source_elements(&m->spec, p, w->visit, w->arg);
	}
	return ret;
}

static int each_wanted(struct comparison *c, nft_element_visit visit)
{
	struct wanted w = { visit, c };
	int ret = nft_site_elements(c->site, visit, c);

	return ret ? ret : mapping_table_each(c->table, each_of_mapping, &w);
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

static int dump_surely(struct nft_link *l, struct comparison *c)
{
	size_t before;
	int err;

	do {
		before = c->held.n;
		err = dump_all(l, &c->held);
	} while (err == 0 && c->held.n > before && each_wanted(c, is_missing));
	return err;
}

static void put_strangers(struct comparison *c)
{
	for (size_t i = 0; i < c->held.capacity; i++) {
		const struct slot *slot = &c->held.slots[i];

		if (slot->used && !slot->wanted) {
			nft_batch_delete(c->batch, &slot->element);
			c->report.removed++;
		}
	}
}

int nft_reconcile(struct nft_link *l, const struct site *site, const struct mapping_table *table,
		  struct nft_batch *b, struct reconcile_report *ret)
{
	struct comparison c = { .site = site, .table = table, .batch = b };
	int err = dump_surely(l, &c);

	if (err == 0)
		err = each_wanted(&c, want);
	if (err == 0)
		put_strangers(&c);
	free(c.held.slots);
	if (err == 0)
		err = b->error;
	if (err == 0)
		*ret = c.report;
	return err;
}
