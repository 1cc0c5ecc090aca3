/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_internal: what the gateway's own files share; nobody else includes it.
 *
 *   gateway.c         opening, closing, healing, the site, reading
 *   gateway_submit.c  a request becomes a transaction: validate and place
 *   gateway_permit.c  what a device may do, and what becomes of its requests in quarantine
 *   gateway_batch.c   transactions of one turn, taken out of the table and put back into it
 *   gateway_turn.c    persist, program, reply
 *   gateway_lease.c   mappings that end by themselves
 *   gateway_events.c  announce
 *   gateway_epoch.c   since when the table has been whole
 *
 * Three batches exist at a time, each later than the one before:
 *
 *   owed     refused by the plane after it was durable: its inverse must still reach the store
 *   flying   in the store's hands, perhaps for a while
 *   waiting  placed in the table, to be written when the others are through
 *
 * The table is always: what is in force, then flying, then waiting. Whatever needs to see less than
 * that (a heal, an undo in the middle) rewinds the table, last step first, works, and replays what
 * remains; a transaction whose ground is gone fails then by itself. So no undo ever has to ask what
 * depends on what, and hand-overs of sources are written down anew from what the plane really has.
 */
#ifndef PORTWRIGHT_CORE_GATEWAY_INTERNAL_H
#define PORTWRIGHT_CORE_GATEWAY_INTERNAL_H

#include "core/epoch.h"
#include "core/gateway.h"
#include "core/lease.h"
#include "core/port_allocator.h"

/* After a failure of the store or the plane: when to try again by itself. */
#define GATEWAY_RETRY_MS	  1000
/* How far a dated mapping's deadline may stray from its date before it is set anew. */
#define GATEWAY_DATE_TOLERANCE_MS 1500

/* Bytes set aside for an undo, which must not fail. */
#define GATEWAY_RESERVE 65536

#define GATEWAY_SELF "portwright" /* who, of what the gateway does by itself */

enum purpose {
	PURPOSE_REQUEST,
	PURPOSE_EXPIRY,	  /* deletions, announced as expired */
	PURPOSE_REDATING, /* new deadlines for old dates: the same versions, announced to nobody */
};

struct transaction {
	gateway_done done; /* NULL once called */
	void *arg;
	char *who;
	const struct fault *fault; /* why it failed; NULL: it has not */
	/* What the caller is told though it was done: a device's request in quarantine. NULL: that
	 * it was done. */
	struct fault *instead;
	size_t instead_of; /* the operation that this is about */
	size_t first, n;   /* its steps, one for each operation */
	enum purpose purpose;
	bool placed;  /* its steps are in the table */
	bool written; /* its steps are, or may be, in the store */
};

struct batch {
	struct transaction *transactions;
	size_t n_transactions, transactions_capacity;

	/* One for each operation of all transactions, each mapping with a reference. Where before
	 * is after nothing changes, and neither the store nor the plane hears of it. */
	struct change *steps;
	/* Reserved together with the steps, so that a turn need not allocate: what the store or the
	 * plane is given, and what a caller is shown. */
	struct change *changes;
	struct mapping **results;
	size_t n_steps, n_changes, steps_capacity;

	struct source_moves moves;
};

enum writing { WRITING_NOTHING, WRITING_FLYING, WRITING_OWED };

/* A walk over the subscribers under way, so that any of them can leave from within notify. */
struct announcement {
	struct subscriber *next;
	struct announcement *outer;
};

struct gateway {
	struct gateway_config config;
	struct site site;
	struct mapping_table *table;
	struct port_allocator allocator;
	uint32_t last_id;

	struct batch owed, flying, waiting;
	enum writing writing;
	bool busy; /* within a turn or a completion */
	bool turn_asked;
	bool closed;	 /* to be freed when the store lets go */
	bool heal_due;	 /* the plane may differ from what is in force */
	bool leases_due; /* the heap is out of date and to be built anew */
	clock_ms retry_at;

	struct leases leases;
	size_t n_leased, n_dated; /* mappings in the table with a deadline; with a date */
	clock_ms dates_checked;

	struct subscriber *subscribers;
	struct announcement *announcing;
	uint64_t event_number;
	char healed[120]; /* a heal that is still to be announced */

	clock_ms counted_at;
	bool counted;
	void *reserve; /* NULL once an undo needed it, until the next turn */

	struct epoch epoch;
	char boot_id[BOOT_ID_MAX];
	bool epoch_due;	   /* it is not in the store yet */
	bool epoch_failed; /* that was said in the log */
};

/* What a device's search for a port is bound to. */
struct permit_room {
	struct policy_request asks;
	struct port_terms terms;
};

/* What an operation is judged by. */
struct request {
	struct gateway *g;
	const struct caller *who;
	enum purpose purpose;
	const struct gateway_operation *operation;
};

/* gateway.c */
/* The only way into the table: keeps leases and counts beside it. 0 or -ENOMEM. */
int gateway_swap(struct gateway *g, struct mapping *before, struct mapping *after,
		 struct source_moves *moves);
/* Reconciles the plane with the table as it stands, which must be what is in force. Announcing what
 * was found waits until the table is whole again. */
int gateway_mend(struct gateway *g, struct fault *f);
void gateway_announce_healed(struct gateway *g);
void gateway_free(struct gateway *g);

/* gateway_submit.c */
void gateway_submit_for(struct gateway *g, const struct caller *who, enum purpose purpose,
			const struct gateway_operation *operations, size_t n, gateway_done done,
			void *arg);

/* gateway_permit.c */
bool permit_is_device(const struct request *r);
/* The mapping of this device's that its addition asks for once more: it waits for approval, or is
 * disabled. NULL where there is none. */
struct mapping *permit_find_shut(const struct request *r);
/* May the caller change or delete m at all? 0, or a negative errno with *f. */
int permit_touch(const struct request *r, const struct mapping *m, struct fault *f);
/* Turns what a device asked for into what it gets: its lifetime, whether it is enabled. */
void permit_adopt(const struct request *r, struct mapping_spec *s, const struct mapping *before);
/* Judges a device's request by the policy. 0, or a negative errno with *f. */
int permit_spec(const struct request *r, const struct mapping_spec *s, const struct mapping *before,
		struct fault *f);
/* The terms of a device's search for a port; they borrow *s and *room. NULL for the operator. */
const struct port_terms *permit_terms(const struct request *r, const struct mapping_spec *s,
				      struct permit_room *room);
/* What a device is told of the mapping that was placed for it: true with *f, or false: that it was
 * done. */
bool permit_refuses(const struct request *r, const struct mapping *m, struct fault *f);

/* gateway_epoch.c */
void gateway_load_epoch(struct gateway *g);
void gateway_follow_epoch(struct gateway *g); /* the site is another one */
void gateway_keep_epoch(struct gateway *g);   /* stores it where that is due */

/* gateway_batch.c */
int batch_reserve(struct batch *b, size_t n_operations); /* for one transaction more; -ENOMEM */
void batch_free(struct batch *b);
/* Fills b->changes with what the placed steps of `only` (NULL: of all transactions) change. */
void batch_collect(struct batch *b, const struct transaction *only);
/* Fills b->changes with what takes every failed, written transaction back out of the store. */
void batch_collect_inverse(struct batch *b);
void transaction_fail(struct transaction *t, const struct fault *f); /* copies f; once */
/* Takes a placed transaction, the last one in the table, out of it again. */
void transaction_rewind(struct gateway *g, struct batch *b, struct transaction *t);
/* Puts it back; where that is impossible it is out as before, and -errno with *f. */
int transaction_replay(struct gateway *g, struct batch *b, struct transaction *t, struct fault *f);
/* Forgets b's moves from `mark` on; they must have come to nothing, or a heal is due. */
void batch_drop_moves(struct gateway *g, struct batch *b, size_t mark);
/* The table becomes what is in force; then flying and waiting come back, save what failed. */
void gateway_rewind(struct gateway *g);
void gateway_replay(struct gateway *g, struct batch *b);

/* gateway_turn.c */
void gateway_ask_turn(struct gateway *g);

/* gateway_lease.c */
void gateway_rebuild_leases(struct gateway *g);

/* gateway_events.c */
void gateway_announce(struct gateway *g, enum event_kind kind, const struct change *change,
		      const char *who, const char *text);
void gateway_announce_transaction(struct gateway *g, const struct batch *b,
				  const struct transaction *t);

#endif
