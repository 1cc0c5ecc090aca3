/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * health: what is wrong with the site, in lines that say what would mend it.
 */
#ifndef PORTWRIGHT_DAEMON_HEALTH_H
#define PORTWRIGHT_DAEMON_HEALTH_H

#include "core/mapping_table.h"
#include "core/site.h"
#include "daemon/config.h"

struct health_view {
	const struct config *config;
	const struct site *site;
	const struct mapping_table *table;
	bool forwards;	       /* the plane leaves the carrying to the kernel's routing */
	const char *set_aside; /* where a damaged database lies, or NULL */
	const char *trouble;   /* what the plane or the store could not do, or NULL */
};

/* Calls `say` with each problem; never where all is well. */
void health_report(const struct health_view *v, void (*say)(void *arg, const char *text),
		   void *arg);

#endif
