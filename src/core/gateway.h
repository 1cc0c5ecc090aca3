/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway: the only verbs. The CLI, the API and (later) UPnP, NAT-PMP, PCP and RTSP all end here.
 *
 *     submit -> validate -> place -> [end of turn] persist -> program -> announce -> done
 *
 * A transaction is a list of operations that happen together or not at all. Validation and placing
 * happen at once, against the table as the requests before it left it; what was placed waits for
 * the end of the loop's turn, where all waiting transactions share one durable write and one batch
 * of the plane. `done` means durable and programmed. When the write fails all of them are undone in
 * reverse; when the plane refuses the batch, each transaction is tried by itself, so that one
 * culprit does not take the others down.
 *
 * One thread, no locks. The gateway owns the table; the plane, store and occupancy are lent to it.
 */
#ifndef PORTWRIGHT_CORE_GATEWAY_H
#define PORTWRIGHT_CORE_GATEWAY_H

#include "core/mapping.h"
#include "core/mapping_table.h"
#include "core/occupancy.h"
#include "core/plane.h"
#include "core/policy.h"
#include "core/site.h"
#include "core/store.h"

struct gateway;

struct gateway_config {
	struct plane *plane;
	struct store *store;
	struct occupancy *occupancy; /* may be NULL */
	/* What devices may do; lent, and may be changed between two calls. NULL: everything. */
	const struct policy *policy;
	/* Called when there is something to be done at the end of this turn (once until
	 * gateway_turn() ran). It takes note and does not call the gateway. May be NULL. */
	void (*need_turn)(void *arg);
	void *need_turn_arg;
};

/*
 * Who asks. A device (origin_is_device()) may change and delete only what it owns, and is subject
 * to the policy, which caps its lifetimes. In quarantine what it asks for is placed as `pending`
 * and it is told FAULT_FORBIDDEN; asking again prolongs that one and makes no second. It is told so
 * as well of a mapping of its own that the operator disabled.
 */
struct caller {
	const char *owner; /* "root", or a device's address; becomes the mapping's owner */
	enum origin origin;
	struct addr addr;     /* of a device: where its request came from */
	uint8_t mac[MAC_LEN]; /* likewise, where has_mac */
	bool has_mac;
};

enum gateway_verb { GATEWAY_ADD, GATEWAY_CHANGE, GATEWAY_DELETE };

struct gateway_operation {
	enum gateway_verb verb;
	uint32_t id;	  /* change, delete */
	uint32_t version; /* change, delete: refuse with FAULT_STALE unless current; 0: any */
	struct mapping_spec spec; /* add, change: all of it; borrowed until submit returns */
	/* spec.external is but a wish: where it is taken, or the caller may not have it, the next
	 * one up that he may have is as good (NAT-PMP, PCP, AddAnyPortMapping). */
	bool suggests;
};

struct gateway_result {
	const struct fault *fault;	 /* NULL where done */
	size_t culprit;			 /* index of the operation that failed */
	struct mapping *const *mappings; /* one for each operation: as it is now, or was (delete) */
	size_t n;
};
typedef void (*gateway_done)(void *arg, const struct gateway_result *result);

/* Loads the store and reconciles the plane: after 0 the kernel holds what the store says. On
 * failure *f says why. */
int gateway_open(const struct gateway_config *config, const struct site *site, struct gateway **ret,
		 struct fault *f);
/* Mappings stay in force. Whoever still waits is told that Portwright ended; call gateway_turn()
 * first to spare them that. Not from within a callback of the gateway's. While the store still has
 * a write in hand g lives on by itself until that completes. */
void gateway_close(struct gateway *g);

/* `done` is called exactly once, perhaps before this returns (a refusal). */
void gateway_submit(struct gateway *g, const struct caller *who,
		    const struct gateway_operation *operations, size_t n, gateway_done done,
		    void *arg);

/* The end of a loop turn: persists and programs all that waits. */
void gateway_turn(struct gateway *g);

/* Mends what others changed in the plane; logs what it found. */
int gateway_heal(struct gateway *g, struct fault *f);
int gateway_set_site(struct gateway *g, const struct site *site, struct fault *f);

/* Leases: when the next one ends (0: none), and ending those that are due by now. */
clock_ms gateway_next_deadline(const struct gateway *g);
void gateway_expire(struct gateway *g);

/* Reading. The table is what was placed: call gateway_turn() first to see only what is in force. */
const struct mapping_table *gateway_table(const struct gateway *g);
const struct site *gateway_site(const struct gateway *g);
struct plane *gateway_plane(const struct gateway *g);
/* For how many seconds the table has been whole at one external address (RFC 6887, 8.5). Where an
 * EVENT_SITE made it begin anew, it has done so when subscribers hear of that. */
uint32_t gateway_epoch(const struct gateway *g);
/* What the store or the plane could not do and is being tried again, one line; NULL: all is well.
 */
const char *gateway_trouble(const struct gateway *g);
/* Refreshes the counters of all mappings, at most once in `max_age` ms. */
int gateway_refresh_counters(struct gateway *g, clock_ms max_age);

/* Events, in the order they came into force. */
enum event_kind {
	EVENT_ADDED,
	EVENT_CHANGED,
	EVENT_DELETED,
	EVENT_EXPIRED,
	EVENT_SITE,
	EVENT_HEALED
};
struct event {
	enum event_kind kind;
	uint64_t number; /* rises by one; never repeats within a run */
	wall_s at;
	const struct mapping *before, *after; /* of a mapping's event */
	const char *who;  /* the caller's owner; "portwright" for its own doing */
	const char *text; /* of the others: one line */
};
const char *event_kind_name(enum event_kind kind);

struct subscriber {
	void (*notify)(struct subscriber *s, const struct event *e);
	struct subscriber *next; /* the gateway's */
};
void gateway_subscribe(struct gateway *g, struct subscriber *s); /* s stays the caller's */
void gateway_unsubscribe(struct gateway *g, struct subscriber *s);

/*
 * Picks an external port, as the operator may have it, for s as wide as its internal range. Where s
 * asks for any ({0, 0}): the internal port's own number where free, else the next one up of the
 * same parity, else any. Where s asks for a certain one: the next one up from that.
 * port_allocator.h tells the whole of it. 0 with *ret, -EADDRNOTAVAIL, or what the occupancy failed
 * with.
 */
int gateway_propose(const struct gateway *g, const struct mapping_spec *s, uint32_t except,
		    struct port_range *ret);

#endif
