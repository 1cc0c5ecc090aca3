/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A gateway over the memory plane and the memory store, for the gateway's tests.
 *
 * Clocks stand still at START_NOW and START_WALL until a test moves them.
 */
#ifndef TESTS_UNIT_GATEWAY_FIXTURE_H
#define TESTS_UNIT_GATEWAY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/gateway.h"
#include "core/lease.h"
#include "plane/memory.h"
#include "store/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NOW  1000000
#define START_WALL 1800000000

#define MAX_NOTED 64

/* Sockets of the gateway itself: tcp/22 is sshd's, udp/5000 is nobody's that is known. */
struct fake_occupancy {
	struct occupancy base;
	int error; /* what find fails with */
	unsigned forgotten;
};

struct noted_event {
	enum event_kind kind;
	uint64_t number;
	uint32_t id, version; /* of after, else of before */
	char who[16];
};

struct fixture {
	struct plane *plane;
	struct store *store;
	struct fake_occupancy occupancy;
	const struct policy *policy; /* NULL: everything is permitted */
	struct site site;
	struct gateway *g;
	unsigned turns_asked;
	struct subscriber subscriber;
	struct noted_event events[MAX_NOTED];
	size_t n_events;
	unsigned n_done; /* outcomes that came so far */
};

/* What a caller was told. */
struct outcome {
	struct fixture *f;
	unsigned order; /* 0: nothing yet */
	unsigned times;
	struct fault fault;
	size_t culprit, n;
	uint32_t id, version; /* of the last mapping */
};

static const struct caller root = { .owner = "root", .origin = ORIGIN_OPERATOR };

static int fake_find(struct occupancy *base, uint8_t protocols, const struct addr *external,
		     uint16_t first, uint16_t last, struct occupant *ret)
{
	static const struct occupant sockets[] = {
		{ PROTOCOL_TCP, 22, "sshd" },
		{ PROTOCOL_UDP, 5000, "" },
	};
	struct fake_occupancy *o = (struct fake_occupancy *)base;

	if (o->error)
		return o->error;
	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		if ((sockets[i].protocol & protocols) && sockets[i].port >= first &&
		    sockets[i].port <= last) {
			*ret = sockets[i];
			return 1;
		}
	}
	return 0;
}

static void fake_forget(struct occupancy *base)
{
	((struct fake_occupancy *)base)->forgotten++;
}

static void note_turn(void *arg)
{
	((struct fixture *)arg)->turns_asked++;
}

static void note_event(struct subscriber *s, const struct event *e)
{
	struct fixture *f = (struct fixture *)((char *)s - offsetof(struct fixture, subscriber));
	const struct mapping *m = e->after ? e->after : e->before;
	struct noted_event *n = &f->events[f->n_events++ % MAX_NOTED];

	*n = (struct noted_event){ .kind = e->kind, .number = e->number };
	if (m) {
		n->id = m->id;
		n->version = m->version;
	}
	snprintf(n->who, sizeof(n->who), "%s", e->who);
}

static inline int fixture_start(struct fixture *f, struct fault *fault)
{
	const struct gateway_config config = {
		.plane = f->plane,
		.store = f->store,
		.occupancy = &f->occupancy.base,
		.policy = f->policy,
		.need_turn = note_turn,
		.need_turn_arg = f,
	};
	int ret = gateway_open(&config, &f->site, &f->g, fault);

	if (ret == 0)
		gateway_subscribe(f->g, &f->subscriber);
	return ret;
}

static inline void fixture_prepare(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	clock_freeze(START_NOW, START_WALL);
	f->occupancy.base.find = fake_find;
	f->occupancy.base.forget = fake_forget;
	f->subscriber.notify = note_event;
	assert_int_equal(memory_plane_open(&f->plane), 0);
	assert_int_equal(memory_store_open(&f->store), 0);
}

static inline void fixture_open(struct fixture *f)
{
	struct fault fault;

	fixture_prepare(f);
	assert_int_equal(fixture_start(f, &fault), 0);
}

static inline void fixture_close(struct fixture *f)
{
	gateway_close(f->g);
	f->plane->ops->close(f->plane);
	f->store->ops->close(f->store);
	site_free(&f->site);
	clock_freeze(0, 0);
}

/* A crash: a new gateway over what the plane and the store hold. */
static inline void fixture_restart(struct fixture *f)
{
	struct fault fault = { 0 };

	gateway_close(f->g);
	assert_int_equal(fixture_start(f, &fault), 0);
}

/* Table, store and plane say the same. */
static inline void assert_settled(struct fixture *f)
{
	assert_true(memory_store_equals(f->store, gateway_table(f->g)));
	assert_true(memory_plane_equals(f->plane, gateway_table(f->g)));
}

static void note_done(void *arg, const struct gateway_result *result)
{
	struct outcome *o = arg;

	o->times++;
	o->order = ++o->f->n_done;
	o->culprit = result->culprit;
	o->n = result->n;
	if (result->fault)
		o->fault = *result->fault;
	if (result->n) {
		o->id = result->mappings[result->n - 1]->id;
		o->version = result->mappings[result->n - 1]->version;
	}
}

static inline struct addr address(const char *text)
{
	struct addr a;

	assert_int_equal(parse_addr(slice_of(text), &a), 0);
	return a;
}

/* tcp, from anyone, external -> 192.168.69.110:internal; 0 asks for any external port. */
static inline struct gateway_operation op_add(uint16_t external, uint16_t internal)
{
	return (struct gateway_operation){
		.verb = GATEWAY_ADD,
		.spec = {
			.internal_client = address("192.168.69.110"),
			.external = { external, external },
			.internal = { internal, internal },
			.protocols = PROTOCOL_TCP,
			.enabled = true,
			.name = "",
		},
	};
}

static inline struct gateway_operation op_range(uint16_t first, uint16_t last, uint16_t internal)
{
	struct gateway_operation o = op_add(first, internal);

	o.spec.external.last = last;
	o.spec.internal.last = (uint16_t)(internal + last - first);
	return o;
}

static inline struct gateway_operation op_change(const struct fixture *f, uint32_t id)
{
	const struct mapping *m = mapping_table_by_id(gateway_table(f->g), id);

	assert_non_null(m);
	return (struct gateway_operation){ .verb = GATEWAY_CHANGE, .id = id, .spec = m->spec };
}

static inline struct gateway_operation op_delete(uint32_t id)
{
	return (struct gateway_operation){ .verb = GATEWAY_DELETE, .id = id };
}

static inline void submit(struct fixture *f, struct outcome *o, const struct gateway_operation *ops,
			  size_t n)
{
	*o = (struct outcome){ .f = f };
	gateway_submit(f->g, &root, ops, n, note_done, o);
}

static inline void submit_one(struct fixture *f, struct outcome *o, struct gateway_operation op)
{
	submit(f, o, &op, 1);
}

/* Submits and runs the turn. */
static inline struct outcome run(struct fixture *f, struct gateway_operation op)
{
	struct outcome o;

	submit_one(f, &o, op);
	gateway_turn(f->g);
	assert_int_equal(o.times, 1);
	return o;
}

static inline uint32_t run_ok(struct fixture *f, struct gateway_operation op)
{
	struct outcome o = run(f, op);

	if (o.fault.kind)
		fail_msg("refused: %s", o.fault.text);
	return o.id;
}

static inline const struct mapping *mapping_of(const struct fixture *f, uint32_t id)
{
	return mapping_table_by_id(gateway_table(f->g), id);
}

static inline void assert_fault(const struct outcome *o, enum fault_kind kind, const char *text)
{
	assert_int_equal(o->times, 1);
	assert_int_equal(o->fault.kind, kind);
	if (text)
		assert_string_equal(o->fault.text, text);
}

#endif
