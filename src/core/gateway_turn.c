/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The end of a turn: persist -> program -> announce -> reply, for everything that waits.
 *
 *     waiting --launch--> flying --landed--> in force: announce, reply
 *                                  |   '-- refused by the plane: owed --> reply
 *                                  '-- not durable: rewind, reply
 *
 * One write is under way at a time. A store that completes at once runs through the whole of this
 * within gateway_turn(); one that takes its time comes back to landed(), which asks for another
 * turn for what has gathered meanwhile.
 *
 * When the plane refuses a batch, the table is rewound to what is in force and the plane is
 * compared with that, for someone else may have taken away what the batch built on. Then each
 * transaction is replayed and applied by itself. Those that fail are durable and must not be: their
 * inverse goes to the store before anything else does, and only then are their callers told, so
 * that nobody hears of a refusal which a restart would turn round.
 */
#include "core/gateway_internal.h"

#include "base/log.h"

#include <stdlib.h>

static void landed(void *arg, int error, const struct fault *f);
static void landed_owed(void *arg, int error, const struct fault *f);

void gateway_ask_turn(struct gateway *g)
{
	if (g->turn_asked)
		return;
	g->turn_asked = true;
	if (g->config.need_turn)
		g->config.need_turn(g->config.need_turn_arg);
}

static void retry_later(struct gateway *g)
{
	g->retry_at = clock_now() + GATEWAY_RETRY_MS;
}

static void reply(const struct batch *b, struct transaction *t)
{
	struct gateway_result result = { .fault = t->fault };
	gateway_done done = t->done;

	if (!done)
		return;
	if (!t->fault && t->instead) {
		result.fault = t->instead;
		result.culprit = t->instead_of;
	} else if (!t->fault) {
		for (size_t i = t->first; i < t->first + t->n; i++) {
			const struct change *c = &b->steps[i];

			b->results[i] = c->after ? c->after : c->before;
		}
		result.mappings = b->results + t->first;
		result.n = t->n;
	}
	t->done = NULL;
	done(t->arg, &result);
}

/* Those who have not been told yet. */
static void reply_all(struct batch *b)
{
	for (size_t i = 0; i < b->n_transactions; i++)
		reply(b, &b->transactions[i]);
}

/* Announces and replies, in order. What failed but is in the store waits for its undoing: then *b
 * becomes g->owed, else it is freed. */
static void complete(struct gateway *g, struct batch *b)
{
	bool owing = false;

	gateway_announce_healed(g);
	for (size_t i = 0; i < b->n_transactions; i++) {
		struct transaction *t = &b->transactions[i];

		if (t->fault && t->written) {
			owing = true;
			continue;
		}
		if (!t->fault)
			gateway_announce_transaction(g, b, t);
		reply(b, t);
	}
	if (owing)
		batch_collect_inverse(b);
	if (owing && b->n_changes) {
		g->owed = *b;
		return;
	}
	reply_all(b);
	batch_free(b);
}

/* Takes the flying batch out of the gateway's state: what its callbacks see must be settled. */
static struct batch detach(struct batch *b)
{
	struct batch detached = *b;

	*b = (struct batch){ 0 };
	return detached;
}

static int apply(struct gateway *g, const struct batch *b, struct fault *f)
{
	struct plane *p = g->config.plane;
	const struct plane_batch batch = {
		.changes = b->changes,
		.n_changes = b->n_changes,
		.moves = b->moves.at,
		.n_moves = b->moves.n,
	};

	*f = (struct fault){ 0 };
	if (!batch.n_changes && !batch.n_moves)
		return 0;
	return p->ops->apply(p, &batch, f);
}

/* Mends where something is known to differ; the table is what is in force. */
static void mend_if_due(struct gateway *g)
{
	struct fault f = { 0 };

	if (g->heal_due)
		gateway_mend(g, &f);
}

static int replay_and_apply(struct gateway *g, struct batch *b, struct transaction *t,
			    struct fault *f)
{
	int ret;

	b->moves.n = 0;
	ret = transaction_replay(g, b, t, f);
	if (ret < 0)
		return ret;
	batch_collect(b, t);
	ret = apply(g, b, f);
	if (ret < 0) {
		transaction_rewind(g, b, t);
		batch_drop_moves(g, b, 0);
		mend_if_due(g);
	}
	b->moves.n = 0;
	return ret;
}

static void apply_one_by_one(struct gateway *g, struct batch *b)
{
	bool refused = false;
	struct fault f;

	gateway_rewind(g);
	g->heal_due = true;
	mend_if_due(g);
	for (size_t i = 0; i < b->n_transactions; i++) {
		struct transaction *t = &b->transactions[i];

		if (t->fault || replay_and_apply(g, b, t, &f) == 0)
			continue;
		transaction_fail(t, &f);
		refused = true;
	}
	/* A plane that refuses has promised to have changed nothing; the next turn makes sure. */
	if (refused)
		g->heal_due = true;
	gateway_replay(g, &g->waiting);
}

static void put_in_force(struct gateway *g)
{
	struct batch *b = &g->flying, done;
	struct fault f;

	batch_collect(b, NULL);
	if (apply(g, b, &f) < 0) {
		log_warning("gateway: %s refused %zu changes, trying each request by itself: %s",
			    g->config.plane->ops->name, b->n_changes, f.text);
		apply_one_by_one(g, b);
	}
	done = detach(b);
	complete(g, &done);
}

/* Nothing of `b` is durable: it leaves the table, and what was placed behind it must find out
 * whether its ground is still there. */
static void fail_batch(struct gateway *g, struct batch *b, const struct fault *f)
{
	struct batch failed;

	gateway_rewind(g);
	mend_if_due(g);
	for (size_t i = 0; i < b->n_transactions; i++) {
		transaction_fail(&b->transactions[i], f);
		b->transactions[i].written = false;
	}
	failed = detach(b);
	gateway_replay(g, &g->waiting);
	retry_later(g);
	complete(g, &failed);
}

/* Asks for another turn where there is something to do by now. */
static void settle(struct gateway *g)
{
	bool mending = g->owed.n_changes || g->heal_due;

	if (g->busy || g->writing)
		return;
	if (g->waiting.n_transactions || (mending && clock_now() >= g->retry_at))
		gateway_ask_turn(g);
}

static void landed(void *arg, int error, const struct fault *f)
{
	struct gateway *g = arg;
	bool outer = g->busy;

	g->writing = WRITING_NOTHING;
	if (g->closed) {
		gateway_free(g);
		return;
	}
	g->busy = true;
	if (error < 0)
		fail_batch(g, &g->flying, f);
	else
		put_in_force(g);
	g->busy = outer;
	settle(g);
}

static void launch(struct gateway *g)
{
	struct store *s = g->config.store;
	struct batch *b = &g->flying;

	if (!g->waiting.n_transactions)
		return;
	*b = detach(&g->waiting);
	batch_collect(b, NULL);
	for (size_t i = 0; i < b->n_transactions; i++)
		b->transactions[i].written = b->transactions[i].placed;
	g->writing = WRITING_FLYING;
	if (b->n_changes)
		s->ops->write(s, b->changes, b->n_changes, g->last_id, landed, g);
	else
		landed(g, 0, NULL);
}

static void landed_owed(void *arg, int error, const struct fault *f)
{
	struct gateway *g = arg;
	bool outer = g->busy;
	struct batch paid;

	g->writing = WRITING_NOTHING;
	if (g->closed) {
		gateway_free(g);
		return;
	}
	g->busy = true;
	if (error < 0) {
		log_error("gateway: the store could not be brought up to date, trying again: %s",
			  f->text);
		reply_all(&g->owed);
		fail_batch(g, &g->waiting, f);
	} else {
		paid = detach(&g->owed);
		reply_all(&paid);
		batch_free(&paid);
	}
	g->busy = outer;
	settle(g);
}

static void pay_owed(struct gateway *g)
{
	struct store *s = g->config.store;

	if (!g->owed.n_changes)
		return;
	g->writing = WRITING_OWED;
	s->ops->write(s, g->owed.changes, g->owed.n_changes, g->last_id, landed_owed, g);
}

/* What may be wrong is put right before anything is built on it. */
static void prepare(struct gateway *g)
{
	struct occupancy *o = g->config.occupancy;
	bool patient = clock_now() < g->retry_at && !g->waiting.n_transactions;

	if (o && o->forget)
		o->forget(o);
	port_allocator_forget(&g->allocator);
	if (!g->reserve)
		g->reserve = malloc(GATEWAY_RESERVE);
	if (g->leases_due)
		gateway_rebuild_leases(g);
	gateway_keep_epoch(g);
	if (g->heal_due && !patient)
		gateway_heal(g, NULL);
}

void gateway_turn(struct gateway *g)
{
	if (g->busy)
		return;
	g->turn_asked = false;
	g->busy = true;
	prepare(g);
	if (!g->writing)
		pay_owed(g);
	if (!g->writing && !g->owed.n_changes) {
		launch(g);
		if (!g->writing)
			pay_owed(g);
	}
	g->busy = false;
	settle(g);
}
