/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The gateway's epoch: it lies in the store, so that it is lost when the mappings are.
 *
 * It changes when the external address does, which is seldom, so it is written by itself; at the
 * next turn where that fails. Meanwhile nothing is wrong: a restart would find an older one, and
 * devices that are told more seconds than can have passed ask for their mappings anew.
 */
#include "core/gateway_internal.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>

static const char key[] = "epoch";

void gateway_keep_epoch(struct gateway *g)
{
	struct store *s = g->config.store;
	char text[EPOCH_TEXT_MAX];
	struct fault f;

	if (!g->epoch_due)
		return;
	if (s->ops->put_meta(s, key, format_epoch(&g->epoch, g->boot_id, text), &f) == 0) {
		g->epoch_due = g->epoch_failed = false;
		return;
	}
	if (!g->epoch_failed)
		log_warning("gateway: the epoch could not be stored, trying again: %s", f.text);
	g->epoch_failed = true;
}

void gateway_follow_epoch(struct gateway *g)
{
	static const struct addr none = { 0 };
	const struct site *site = &g->site;

	if (epoch_follow(&g->epoch, site->n_external ? &site->external[0] : &none))
		g->epoch_due = true;
	gateway_keep_epoch(g);
}

void gateway_load_epoch(struct gateway *g)
{
	struct store *s = g->config.store;
	char text[EPOCH_TEXT_MAX];
	struct fault f = { 0 };
	int ret = read_boot_id(g->boot_id);

	if (ret < 0) {
		log_warning("gateway: the kernel's boot id: %s", strerror(-ret));
		memcpy(g->boot_id, "-", 2);
	}
	ret = s->ops->get_meta(s, key, text, sizeof(text), &f);
	if (ret == 0)
		ret = parse_epoch(slice_of(text), g->boot_id, &g->epoch);
	if (ret < 0) {
		if (ret != -ENOENT)
			log_warning("gateway: the epoch begins anew: %s",
				    f.kind ? f.text : "the stored one cannot be right");
		epoch_begin(&g->epoch);
		g->epoch_due = true;
	}
	gateway_follow_epoch(g);
}

uint32_t gateway_epoch(const struct gateway *g)
{
	return epoch_seconds(&g->epoch);
}
