/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as the JSON of a mapping. Whatever is refused is refused in one printable line; what is
 * valid survives being written and read again, in both forms.
 */
#include "core/mapping_json.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static void expect_refusal(const struct fault *f)
{
	expect(f->kind == FAULT_INVALID);
	expect(f->text[0] && !slice_has_control(slice_of(f->text), NULL));
	expect(slice_is_utf8(slice_of(f->text)));
}

/* NULL where json describes no valid mapping. */
static struct mapping *read_mapping(const json_t *json)
{
	struct mapping_draft draft;
	struct mapping *m;
	struct fault f;

	memset(&f, 0, sizeof(f));
	mapping_draft_init(&draft);
	if (mapping_draft_read(&draft, json, &f) < 0 ||
	    mapping_validate(&draft.spec, NULL, &f) < 0) {
		expect_refusal(&f);
		return NULL;
	}
	m = mapping_new(&draft.spec, 7, 1);
	expect(m != NULL);
	return m;
}

/* Writes m, reads that, writes it again: both writings are equal. */
static void round_trip(const struct mapping *m, json_t *(*write)(const struct mapping *))
{
	json_t *one = write(m), *two;
	struct mapping *again;

	expect(one != NULL);
	again = read_mapping(one);
	expect(again != NULL);
	two = write(again);
	expect(two && json_equal(one, two));
	json_decref(two);
	mapping_unref(again);
	json_decref(one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);
	struct mapping *m;

	if (!json)
		return 0;
	clock_freeze(5000000, 1795165200);
	m = read_mapping(json);
	if (m) {
		round_trip(m, mapping_to_json);
		round_trip(m, mapping_to_export_json);
	}
	mapping_unref(m);
	json_decref(json);
	return 0;
}
