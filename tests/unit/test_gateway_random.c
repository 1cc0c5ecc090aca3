/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random operations against a model, while the store and the plane fail, others take elements out
 * of the plane, clocks move and the daemon restarts.
 *
 * The model is an array and knows nothing but what callers and subscribers were told. At every
 * quiet point model, table, store and plane must say the same. An operator's request that meets a
 * quiet gateway must be accepted or refused just as the model says; of what devices bring about
 * each event is held against the policy.
 */
#include "gateway_fixture.h"

#include <assert.h>
#include <errno.h>

#define OPERATIONS  50000
#define MODEL_MAX   512
#define REQUEST_MAX 4
#define PORTS	    60
#define DEVICES	    4  /* 10.0.0.1 and so on */
#define LOWEST	    10 /* external port of a device */
#define LONGEST	    12 /* seconds, a device's lifetime */

struct entry {
	uint32_t id, version;
	struct mapping_spec spec; /* texts are not looked at */
};

struct model {
	struct entry at[MODEL_MAX];
	size_t n;
};

struct world {
	struct fixture f;
	struct policy policy;
	struct model model;
	struct subscriber subscriber;
	uint32_t random;
	size_t outstanding;	    /* requests without an answer */
	size_t accepted, refused;   /* so far */
	size_t by_devices, waiting; /* changes that came into force */
	clock_ms passed;
	bool meddled; /* somebody else changed the plane */
};

struct request {
	struct world *w;
	struct gateway_operation ops[REQUEST_MAX];
	size_t n;
	bool device;
	bool answered, refused;
	enum fault_kind kind;
};

static const struct prefix remotes[2] = {
	{ .addr.in6.s6_addr = { [10] = 0xff, [11] = 0xff, [12] = 198, 51, 100 }, .length = 24 },
	{ .addr.in6.s6_addr = { [10] = 0xff, [11] = 0xff, [12] = 203, 0, 113 }, .length = 24 },
};

static uint32_t roll(struct world *w, uint32_t sides)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 17;
	w->random ^= w->random << 5;
	return w->random % sides;
}

/*
 * The model.
 */
static struct entry *model_find(struct model *m, uint32_t id)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->at[i].id == id)
			return &m->at[i];
	return NULL;
}

static bool conflicts(const struct mapping_spec *a, const struct mapping_spec *b)
{
	bool remotes_meet = !a->n_remote_hosts || !b->n_remote_hosts ||
			    a->remote_hosts[0].addr.in6.s6_addr[12] ==
				    b->remote_hosts[0].addr.in6.s6_addr[12];

	return remotes_meet && (a->protocols & b->protocols) &&
	       a->external.first <= b->external.last && b->external.first <= a->external.last;
}

static bool model_conflict(const struct model *m, const struct mapping_spec *s, uint32_t except)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->at[i].id != except && conflicts(&m->at[i].spec, s))
			return true;
	return false;
}

static void model_drop(struct model *m, struct entry *e)
{
	*e = m->at[--m->n];
}

/* The spec as it can be compared: without texts, prefixes by the static ones above. */
static struct mapping_spec bare(const struct mapping_spec *s)
{
	struct mapping_spec b = *s;

	b.name = b.app = b.notes = b.owner = NULL;
	b.remote_hosts = NULL;
	if (s->n_remote_hosts)
		b.remote_hosts = &remotes[s->remote_hosts[0].addr.in6.s6_addr[12] == 203];
	return b;
}

static bool same(const struct entry *e, const struct mapping_spec *s)
{
	struct mapping_spec b = bare(s);

	return memcmp(&b, &e->spec, sizeof(b)) == 0;
}

static bool meets_sshd(const struct mapping_spec *s)
{
	return (s->protocols & PROTOCOL_TCP) && s->external.first <= 22 && s->external.last >= 22;
}

static bool within(const struct mapping_spec *s, const struct mapping_spec *held)
{
	return (s->protocols | held->protocols) == held->protocols &&
	       s->external.first >= held->external.first && s->external.last <= held->external.last;
}

/* What would the gateway say? False where it would refuse. */
static bool model_try(struct model *m, const struct gateway_operation *o)
{
	struct entry *e = o->verb == GATEWAY_ADD ? NULL : model_find(m, o->id);

	if (o->verb != GATEWAY_ADD && (!e || (o->version && o->version != e->version)))
		return false;
	if (o->verb == GATEWAY_DELETE) {
		model_drop(m, e);
		return true;
	}
	if (e && same(e, &o->spec))
		return true;
	if (o->spec.expires && o->spec.expires <= clock_now())
		return false;
	if (!o->spec.external.first) /* any will be found; which one is not the model's matter */
		return true;
	if (meets_sshd(&o->spec) && !(e && within(&o->spec, &e->spec)))
		return false;
	if (model_conflict(m, &o->spec, e ? e->id : 0))
		return false;
	if (!e) {
		assert_true(m->n < MODEL_MAX);
		e = &m->at[m->n++];
		*e = (struct entry){ .id = UINT32_MAX - (uint32_t)m->n };
	}
	e->spec = bare(&o->spec);
	e->version++;
	return true;
}

static void model_put(struct model *m, const struct mapping *now)
{
	struct entry *e = model_find(m, now->id);

	if (!e) {
		assert_true(m->n < MODEL_MAX);
		e = &m->at[m->n++];
	}
	e->id = now->id;
	e->version = now->version;
	e->spec = bare(&now->spec);
}

static const char *const devices[DEVICES] = { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" };

/* What a device brought about is its own, and no more than the policy lets it have. */
static void check_policy(struct world *w, const struct event *e)
{
	const struct mapping_spec *s = e->after ? &e->after->spec : NULL;

	if (!strcmp(e->who, "root") || !strcmp(e->who, "portwright"))
		return;
	w->by_devices++;
	w->waiting += s && s->pending;
	if (e->before) {
		assert_string_equal(e->before->spec.owner, e->who);
		assert_true(origin_is_device(e->before->spec.origin));
	}
	if (!s)
		return;
	assert_string_equal(s->owner, e->who);
	assert_true(s->external.first >= LOWEST);
	assert_int_equal(s->internal_client.in6.s6_addr[15], s->owner[7] - '0');
	assert_true(s->expires && s->expires <= clock_now() + LONGEST * 1000);
	assert_false(s->pending && s->enabled);
	if (e->before && !e->before->spec.enabled && w->policy.quarantine)
		assert_false(s->enabled);
}

/* Events are what the model believes, and it checks that each is possible. */
static void believe(struct subscriber *s, const struct event *e)
{
	struct world *w = (struct world *)((char *)s - offsetof(struct world, subscriber));
	const struct mapping *before = e->before, *after = e->after;
	struct entry *known;

	if (!before && !after)
		return;
	check_policy(w, e);
	known = before ? model_find(&w->model, before->id) : NULL;
	if (before) {
		assert_non_null(known);
		assert_int_equal(known->version, before->version);
	} else {
		assert_null(model_find(&w->model, after->id));
	}
	if (e->kind == EVENT_EXPIRED)
		assert_true(before->spec.expires <= clock_now());
	if (!after) {
		model_drop(&w->model, known);
		return;
	}
	assert_int_equal(after->version, before ? before->version + 1 : 1);
	assert_false(model_conflict(&w->model, &after->spec, after->id));
	model_put(&w->model, after);
}

/*
 * Requests.
 */
static void answered(void *arg, const struct gateway_result *result)
{
	struct request *r = arg;

	assert_false(r->answered);
	r->answered = true;
	r->refused = result->fault != NULL;
	r->kind = result->fault ? result->fault->kind : FAULT_NONE;
	r->w->outstanding--;
	if (r->refused) {
		r->w->refused++;
		return;
	}
	r->w->accepted++;
	assert_int_equal(result->n, r->n);
	if (r->device)
		return; /* who gets what it may have, which need not be what it asked for */
	for (size_t i = 0; i < r->n; i++) {
		const struct mapping_spec *asked = &r->ops[i].spec;
		const struct mapping_spec *got = &result->mappings[i]->spec;

		if (r->ops[i].verb == GATEWAY_DELETE)
			continue;
		assert_int_equal(got->internal.first, asked->internal.first);
		assert_int_equal(got->enabled, asked->enabled);
		if (asked->external.first)
			assert_int_equal(got->external.first, asked->external.first);
	}
}

static struct mapping_spec random_spec(struct world *w)
{
	uint16_t width = roll(w, 4) ? 0 : (uint16_t)roll(w, 6);
	uint16_t external = roll(w, 8) ? (uint16_t)(1 + roll(w, PORTS)) : 0;
	uint16_t internal = (uint16_t)(1 + roll(w, 10));
	struct mapping_spec s = {
		.internal_client = { .in6.s6_addr = { [10] = 0xff, [11] = 0xff, [12] = 10 } },
		.external = { external, external ? (uint16_t)(external + width) : 0 },
		.internal = { internal, (uint16_t)(internal + width) },
		.protocols = (uint8_t)(1 + roll(w, 3)),
		.enabled = roll(w, 5) != 0,
		.name = "",
	};

	s.internal_client.in6.s6_addr[15] = (uint8_t)(1 + roll(w, 4));
	if (!roll(w, 4)) {
		s.remote_hosts = &remotes[roll(w, 2)];
		s.n_remote_hosts = 1;
	}
	if (!roll(w, 6))
		s.expires = clock_now() + (clock_ms)roll(w, 200) * 100;
	return s;
}

static struct gateway_operation random_operation(struct world *w)
{
	struct gateway_operation o = { .verb = GATEWAY_ADD };
	const struct entry *e;

	if (w->model.n == 0 || roll(w, 2) == 0) {
		o.spec = random_spec(w);
		return o;
	}
	e = &w->model.at[roll(w, (uint32_t)w->model.n)];
	o.verb = roll(w, 2) ? GATEWAY_CHANGE : GATEWAY_DELETE;
	o.id = roll(w, 20) ? e->id : UINT32_MAX / 2;
	o.version = roll(w, 3) ? 0 : e->version;
	o.spec = roll(w, 3) ? random_spec(w) : e->spec;
	return o;
}

static void check_foresight(const struct request *r, struct model *m)
{
	bool any = false, ok = true;

	for (size_t i = 0; i < r->n; i++)
		any |= r->ops[i].verb != GATEWAY_DELETE && !r->ops[i].spec.external.first;
	if (any && r->n > 1)
		return;
	for (size_t i = 0; ok && i < r->n; i++)
		ok = model_try(m, &r->ops[i]);
	assert_int_equal(ok, !r->answered);
	if (!ok)
		assert_true(r->kind == FAULT_CONFLICT || r->kind == FAULT_STALE ||
			    r->kind == FAULT_NOT_FOUND || r->kind == FAULT_INVALID);
}

static void random_request(struct world *w, struct request *r)
{
	uint32_t n = roll(w, 2 * DEVICES);
	const char *owner = n < DEVICES ? devices[n] : NULL;
	struct caller who = root;
	bool quiet = w->outstanding == 0;
	struct model before = w->model;

	*r = (struct request){ .w = w, .device = owner };
	if (owner) {
		who.owner = owner;
		who.origin = ORIGIN_UPNP + n % 3;
		who.addr = address(owner);
	}
	r->n = roll(w, 3) ? 1 : 1 + roll(w, REQUEST_MAX);
	for (size_t i = 0; i < r->n; i++) {
		r->ops[i] = random_operation(w);
		r->ops[i].suggests = owner && roll(w, 2);
		if (owner && roll(w, 8))
			r->ops[i].spec.internal_client = who.addr;
	}
	w->outstanding++;
	gateway_submit(w->f.g, &who, r->ops, r->n, answered, r);
	if (quiet && !owner)
		check_foresight(r, &before);
}

/*
 * Mischief.
 */
static void misbehave(struct world *w)
{
	struct memory_plane_tricks *plane = memory_plane_tricks(w->f.plane);
	struct memory_store_tricks *store = memory_store_tricks(w->f.store);

	plane->fail_mapping = 0;
	if (w->model.n && !roll(w, 8))
		plane->fail_mapping = w->model.at[roll(w, (uint32_t)w->model.n)].id;
	if (!roll(w, 30))
		plane->fail_apply = 1 + roll(w, 3);
	if (!roll(w, 60))
		plane->fail_reconcile = 1;
	if (!roll(w, 15))
		store->fail_write = 1 + roll(w, 2);
	if (w->model.n && !roll(w, 20)) {
		memory_plane_lose(w->f.plane, w->model.at[roll(w, (uint32_t)w->model.n)].id);
		w->meddled = true;
	}
	if (!roll(w, 20))
		gateway_heal(w->f.g, NULL);
	if (!roll(w, 200))
		store->later = !store->later;
	if (!roll(w, 50))
		w->policy.quarantine = !w->policy.quarantine;
}

static void behave(struct world *w)
{
	struct memory_plane_tricks *plane = memory_plane_tricks(w->f.plane);
	struct memory_store_tricks *store = memory_store_tricks(w->f.store);

	plane->fail_mapping = 0;
	plane->fail_apply = plane->fail_reconcile = 0;
	store->fail_write = 0;
}

static void pass_time(struct world *w, clock_ms ms)
{
	w->passed += ms;
	clock_freeze(START_NOW + w->passed, START_WALL + w->passed / 1000);
}

static void turn(struct world *w)
{
	gateway_expire(w->f.g);
	gateway_turn(w->f.g);
	if (roll(w, 2))
		memory_store_complete(w->f.store);
}

static int compare_with_model(void *arg, struct mapping *m)
{
	struct world *w = arg;
	const struct entry *e = model_find(&w->model, m->id);
	struct mapping_spec s = bare(&m->spec);

	assert_non_null(e);
	assert_int_equal(e->version, m->version);
	assert_memory_equal(&e->spec, &s, sizeof(s));
	return 0;
}

static void settle_and_compare(struct world *w)
{
	const struct mapping_table *t;

	behave(w);
	for (int i = 0; i < 8; i++) {
		pass_time(w, 1000);
		gateway_expire(w->f.g);
		gateway_turn(w->f.g);
		while (memory_store_complete(w->f.store))
			gateway_turn(w->f.g);
	}
	if (w->meddled)
		gateway_heal(w->f.g, NULL);
	w->meddled = false;
	t = gateway_table(w->f.g);
	assert_int_equal(w->outstanding, 0);
	assert_int_equal(mapping_table_count(t), w->model.n);
	mapping_table_each(t, compare_with_model, w);
	assert_settled(&w->f);
}

static void restart(struct world *w)
{
	settle_and_compare(w);
	gateway_unsubscribe(w->f.g, &w->subscriber);
	fixture_restart(&w->f);
	gateway_subscribe(w->f.g, &w->subscriber);
	settle_and_compare(w);
}

static void test_random(void **state)
{
	static struct world w;
	struct request requests[8];
	struct fault fault;

	w = (struct world){ .random = 20261121, .subscriber.notify = believe };
	w.policy = (struct policy){ .min_external_port = LOWEST,
				    .max_mappings_per_client = 20,
				    .max_mappings = 60,
				    .max_lifetime = LONGEST,
				    .own_address_only = true };
	fixture_prepare(&w.f);
	w.f.policy = &w.policy;
	assert_int_equal(fixture_start(&w.f, &fault), 0);
	gateway_subscribe(w.f.g, &w.subscriber);
	for (size_t done = 0; done < OPERATIONS;) {
		size_t n = 1 + roll(&w, 8);

		misbehave(&w);
		for (size_t i = 0; i < n; i++) {
			random_request(&w, &requests[i]);
			done += requests[i].n;
			if (!roll(&w, 6))
				turn(&w);
		}
		turn(&w);
		pass_time(&w, roll(&w, 500));
		settle_and_compare(&w);
		if (!roll(&w, 100))
			restart(&w);
	}
	print_message("# %zu requests accepted, %zu refused; %zu changes by devices, %zu to wait\n",
		      w.accepted, w.refused, w.by_devices, w.waiting);
	assert_true(w.accepted > OPERATIONS / 10);
	assert_true(w.waiting > OPERATIONS / 100 && w.by_devices - w.waiting > OPERATIONS / 100);
	fixture_close(&w.f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("gateway_random", tests, NULL, NULL);
}
