/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The transactions of one turn, and the table's way back and forth over them.
 *
 * Steps are undone strictly last first, so every undo meets the table as it was right behind the
 * step: nothing can be in its way. Only memory can, for a mapping that comes back needs its places
 * in the indexes again. An undo that fails would leave a table that says what nobody was told, so
 * the gateway holds a reserve which it gives up at that moment; if even that is not enough it ends
 * the process: the store and the kernel hold all that was acknowledged, and the next start reads
 * it.
 */
#include "core/gateway_internal.h"

#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct fault out_of_memory = {
	.kind = FAULT_MEMORY,
	.text = "out of memory; nothing was changed",
};

/* `array` points to a pointer of any kind. */
static int grow(void *array, size_t capacity, size_t size)
{
	void *at;

	memcpy(&at, array, sizeof(at));
	at = reallocarray(at, capacity, size);
	if (!at)
		return -ENOMEM;
	memcpy(array, &at, sizeof(at));
	return 0;
}

static size_t enough(size_t capacity, size_t wanted)
{
	size_t grown = capacity ? capacity : 4;

	while (grown < wanted)
		grown *= 2;
	return grown;
}

int batch_reserve(struct batch *b, size_t n_operations)
{
	size_t steps = enough(b->steps_capacity, b->n_steps + n_operations);
	size_t transactions = enough(b->transactions_capacity, b->n_transactions + 1);

	if (steps > b->steps_capacity) {
		if (grow(&b->steps, steps, sizeof(*b->steps)) < 0 ||
		    grow(&b->changes, steps, sizeof(*b->changes)) < 0 ||
		    grow(&b->results, steps, sizeof(struct mapping *)) < 0)
			return -ENOMEM;
		b->steps_capacity = steps;
	}
	if (transactions > b->transactions_capacity) {
		if (grow(&b->transactions, transactions, sizeof(*b->transactions)) < 0)
			return -ENOMEM;
		b->transactions_capacity = transactions;
	}
	return 0;
}

void batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->n_transactions; i++) {
		struct transaction *t = &b->transactions[i];

		if (t->fault != &out_of_memory)
			free((void *)t->fault);
		free(t->instead);
		free(t->who);
	}
	for (size_t i = 0; i < b->n_steps; i++) {
		mapping_unref(b->steps[i].before);
		mapping_unref(b->steps[i].after);
	}
	free(b->transactions);
	free(b->steps);
	free(b->changes);
	free(b->results);
	source_moves_free(&b->moves);
	*b = (struct batch){ 0 };
}

void batch_collect(struct batch *b, const struct transaction *only)
{
	b->n_changes = 0;
	for (size_t i = 0; i < b->n_transactions; i++) {
		const struct transaction *t = &b->transactions[i];

		if (!t->placed || (only && t != only))
			continue;
		for (const struct change *c = b->steps + t->first; c < b->steps + t->first + t->n;
		     c++)
			if (c->before != c->after)
				b->changes[b->n_changes++] = *c;
	}
}

void batch_collect_inverse(struct batch *b)
{
	b->n_changes = 0;
	for (size_t i = b->n_transactions; i-- > 0;) {
		const struct transaction *t = &b->transactions[i];

		if (!t->fault || !t->written)
			continue;
		for (const struct change *c = b->steps + t->first + t->n;
		     c-- > b->steps + t->first;)
			if (c->before != c->after)
				b->changes[b->n_changes++] = (struct change){ .before = c->after,
									      .after = c->before };
	}
}

void transaction_fail(struct transaction *t, const struct fault *f)
{
	struct fault *copy;

	if (t->fault)
		return;
	copy = malloc(sizeof(*copy));
	if (copy)
		*copy = *f;
	t->fault = copy ? copy : &out_of_memory;
}

static void take_back(struct gateway *g, struct batch *b, const struct change *step)
{
	if (step->before == step->after ||
	    gateway_swap(g, step->after, step->before, &b->moves) == 0)
		return;
	free(g->reserve);
	g->reserve = NULL;
	/* Unwritten moves are made good by comparing everything. */
	g->heal_due = true;
	if (gateway_swap(g, step->after, step->before, NULL) == 0)
		return;
	log_error(
		"gateway: out of memory while taking a change back; ending, for the store and the "
		"kernel still agree");
	abort();
}

static void rewind_steps(struct gateway *g, struct batch *b, size_t first, size_t n)
{
	while (n-- > 0)
		take_back(g, b, &b->steps[first + n]);
}

void transaction_rewind(struct gateway *g, struct batch *b, struct transaction *t)
{
	rewind_steps(g, b, t->first, t->n);
	t->placed = false;
}

/* Does the table still offer what the step was made for? */
static int check_ground(const struct gateway *g, const struct change *c, struct fault *f)
{
	const struct mapping *other;
	char id[MAPPING_ID_TEXT_MAX];

	if (c->before && mapping_table_by_id(g->table, c->before->id) != c->before)
		return fault_set(f, FAULT_PLANE, "",
				 "%s depends on a change that could not be put in force",
				 format_mapping_id(c->before->id, id));
	if (!c->after || c->before == c->after)
		return 0;
	other = mapping_table_conflict(g->table, &c->after->spec, c->after->id);
	if (other)
		return fault_set(f, FAULT_PLANE, "external_port",
				 "%s could not be moved out of the way",
				 format_mapping_id(other->id, id));
	return 0;
}

int transaction_replay(struct gateway *g, struct batch *b, struct transaction *t, struct fault *f)
{
	size_t mark = b->moves.n, i;
	int ret = 0;

	for (i = 0; i < t->n; i++) {
		const struct change *c = &b->steps[t->first + i];

		ret = check_ground(g, c, f);
		if (ret < 0)
			break;
		if (c->before != c->after && gateway_swap(g, c->before, c->after, &b->moves) < 0) {
			*f = out_of_memory;
			ret = -ENOMEM;
			break;
		}
	}
	if (ret < 0) {
		rewind_steps(g, b, t->first, i);
		batch_drop_moves(g, b, mark);
		return ret;
	}
	t->placed = true;
	return 0;
}

static int compare_moves(const void *left, const void *right)
{
	const struct source_move *a = left, *b = right;

	if (a->mapping != b->mapping)
		return (uintptr_t)a->mapping < (uintptr_t)b->mapping ? -1 : 1;
	return a->protocol - b->protocol;
}

void batch_drop_moves(struct gateway *g, struct batch *b, size_t mark)
{
	struct source_move *at = b->moves.at + mark;
	size_t n = b->moves.n - mark, run;

	/* A source is gained and lost by turns, so it is back where it was after an even number. It
	 * need not be: who lost it by a deletion that is undone finds another one holding it. */
	if (n > 1)
		qsort(at, n, sizeof(*at), compare_moves);
	for (size_t i = 0; i < n; i += run) {
		run = 1;
		while (i + run < n && compare_moves(&at[i], &at[i + run]) == 0)
			run++;
		if (run % 2)
			g->heal_due = true;
	}
	b->moves.n = mark;
}

static void rewind_batch(struct gateway *g, struct batch *b)
{
	for (size_t i = b->n_transactions; i-- > 0;)
		if (b->transactions[i].placed)
			transaction_rewind(g, b, &b->transactions[i]);
	batch_drop_moves(g, b, 0);
}

void gateway_rewind(struct gateway *g)
{
	rewind_batch(g, &g->waiting);
	rewind_batch(g, &g->flying);
}

void gateway_replay(struct gateway *g, struct batch *b)
{
	struct fault f;

	for (size_t i = 0; i < b->n_transactions; i++) {
		struct transaction *t = &b->transactions[i];

		if (!t->fault && !t->placed && transaction_replay(g, b, t, &f) < 0)
			transaction_fail(t, &f);
	}
}
