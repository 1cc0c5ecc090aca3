/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/memory.h"

#include <errno.h>

struct answer {
	unsigned times;
	int error;
	enum fault_kind kind;
};

static void note_done(void *arg, int error, const struct fault *f)
{
	struct answer *a = arg;

	a->times++;
	a->error = error;
	a->kind = f ? f->kind : FAULT_NONE;
}

static struct mapping *make(uint32_t id, uint32_t version)
{
	struct mapping_spec s = {
		.external = { 8888, 8888 },
		.internal = { 80, 80 },
		.protocols = PROTOCOL_TCP,
		.name = "Front door",
	};
	struct mapping *m;

	parse_addr(SLICE("192.168.69.110"), &s.internal_client);
	m = mapping_new(&s, id, version);
	m->created = 7;
	m->changed = 8;
	return m;
}

static struct answer write_one(struct store *s, struct mapping *before, struct mapping *after,
			       uint32_t last_id)
{
	const struct change c = { .before = before, .after = after };
	struct answer a = { 0 };

	s->ops->write(s, &c, 1, last_id, note_done, &a);
	assert_int_equal(a.times, 1);
	return a;
}

struct loaded {
	uint32_t ids[4];
	size_t n, stop_after;
};

static int take(void *arg, struct mapping *m)
{
	struct loaded *l = arg;

	assert_string_equal(m->spec.name, "Front door");
	assert_int_equal(m->created, 7);
	assert_int_equal(m->changed, 8);
	assert_int_equal(m->references, 1);
	l->ids[l->n++] = m->id;
	mapping_unref(m);
	return l->n == l->stop_after ? -ECANCELED : 0;
}

static void test_write_and_load(void **state)
{
	struct mapping *m5 = make(5, 1), *m2 = make(2, 1), *m2b = make(2, 2);
	struct loaded all = { 0 }, one = { .stop_after = 1 };
	uint32_t last_id = 0;
	struct store *s;
	struct fault f;

	assert_int_equal(memory_store_open(&s), 0);
	write_one(s, NULL, m5, 5);
	write_one(s, NULL, m2, 6);
	write_one(s, m2, m2b, 7);
	assert_int_equal(s->ops->load(s, take, &all, &last_id, &f), 0);
	assert_int_equal(all.n, 2);
	assert_int_equal(all.ids[0], 2); /* by rising id */
	assert_int_equal(all.ids[1], 5);
	assert_int_equal(last_id, 7);
	assert_int_equal(s->ops->load(s, take, &one, &last_id, &f), -ECANCELED);
	write_one(s, m5, NULL, 7);
	write_one(s, m5, NULL, 7); /* a deletion that is repeated does no harm */
	assert_int_equal(memory_store_count(s), 1);
	s->ops->close(s);
	mapping_unref(m5);
	mapping_unref(m2);
	mapping_unref(m2b);
}

static void test_failures(void **state)
{
	struct mapping *m = make(1, 1);
	struct answer a;
	struct store *s;

	assert_int_equal(memory_store_open(&s), 0);
	memory_store_tricks(s)->fail_write = 2;
	assert_int_equal(write_one(s, NULL, m, 1).error, 0);
	a = write_one(s, m, NULL, 1);
	assert_int_equal(a.error, -EIO);
	assert_int_equal(a.kind, FAULT_STORE);
	assert_int_equal(memory_store_count(s), 1);
	assert_int_equal(write_one(s, m, NULL, 1).error, 0);
	assert_int_equal(memory_store_tricks(s)->writes, 3);
	s->ops->close(s);
	mapping_unref(m);
}

static void test_later(void **state)
{
	struct mapping *m = make(1, 1);
	const struct change c = { .after = m };
	struct answer a = { 0 };
	struct store *s;

	assert_int_equal(memory_store_open(&s), 0);
	memory_store_tricks(s)->later = true;
	assert_false(memory_store_complete(s));
	s->ops->write(s, &c, 1, 1, note_done, &a);
	assert_int_equal(a.times, 0);
	assert_int_equal(memory_store_count(s), 0);
	assert_true(memory_store_complete(s));
	assert_int_equal(a.times, 1);
	assert_int_equal(memory_store_count(s), 1);
	assert_false(memory_store_complete(s));
	s->ops->close(s);
	mapping_unref(m);
}

static void test_meta(void **state)
{
	char text[8] = "before";
	struct store *s;
	struct fault f;

	assert_int_equal(memory_store_open(&s), 0);
	assert_int_equal(s->ops->get_meta(s, "epoch", text, sizeof(text), &f), -ENOENT);
	assert_int_equal(s->ops->put_meta(s, "epoch", "one", &f), 0);
	assert_int_equal(s->ops->put_meta(s, "other", "too long", &f), 0);
	assert_int_equal(s->ops->put_meta(s, "epoch", "two", &f), 0);
	assert_int_equal(s->ops->get_meta(s, "other", text, sizeof(text), &f), -ENOBUFS);
	assert_string_equal(text, "before");
	assert_int_equal(s->ops->get_meta(s, "epoch", text, sizeof(text), &f), 0);
	assert_string_equal(text, "two");
	memory_store_tricks(s)->fail_all = true;
	assert_int_equal(s->ops->put_meta(s, "epoch", "three", &f), fault_errno(FAULT_STORE));
	assert_int_equal(f.kind, FAULT_STORE);
	assert_int_equal(s->ops->get_meta(s, "epoch", text, sizeof(text), &f), 0);
	assert_string_equal(text, "two");
	s->ops->close(s);
}

static void test_equals(void **state)
{
	struct mapping *m = make(1, 1), *changed = make(1, 2);
	struct mapping_table *t;
	struct store *s;

	assert_int_equal(memory_store_open(&s), 0);
	assert_int_equal(mapping_table_new(&t), 0);
	write_one(s, NULL, m, 1);
	assert_false(memory_store_equals(s, t));
	mapping_table_replace(t, NULL, m, NULL);
	assert_true(memory_store_equals(s, t));
	mapping_table_replace(t, m, changed, NULL);
	assert_false(memory_store_equals(s, t));
	mapping_table_free(t);
	s->ops->close(s);
	mapping_unref(m);
	mapping_unref(changed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_load), cmocka_unit_test(test_failures),
		cmocka_unit_test(test_later),	       cmocka_unit_test(test_meta),
		cmocka_unit_test(test_equals),
	};

	return cmocka_run_group_tests_name("memory_store", tests, NULL, NULL);
}
