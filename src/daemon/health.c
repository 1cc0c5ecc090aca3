/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/health.h"

#include "daemon/forwarding.h"

#include <stdarg.h>
#include <stdio.h>

#define PROBLEM_MAX 256

struct report {
	void (*say)(void *arg, const char *text);
	void *arg;
};

static void say(const struct report *r, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(const struct report *r, const char *format, ...)
{
	char text[PROBLEM_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	r->say(r->arg, text);
}

/* The names of the site's uplinks, "eth0, eth1"; returns how many there are. */
static size_t name_uplinks(const struct site *s, char *buf, size_t cap)
{
	size_t n = 0, len = 0;

	*buf = '\0';
	for (size_t i = 0; i < s->n_links; i++) {
		if (s->links[i].role != LINK_UPLINK)
			continue;
		if (len < cap)
			len += (size_t)snprintf(buf + len, cap - len, "%s%s", n ? ", " : "",
						s->links[i].name);
		n++;
	}
	return n;
}

static void report_links(const struct health_view *v, const struct report *r)
{
	const struct site *s = v->site;
	char uplinks[128];
	size_t n = name_uplinks(s, uplinks, sizeof(uplinks));

	if (!n)
		say(r, "no uplink: no default route and gateway.uplink is auto");
	for (size_t i = 0; i < s->n_links; i++) {
		const struct site_link *l = &s->links[i];
		const char *role = l->role == LINK_UPLINK ? "uplink" : "lan";

		if (l->role == LINK_OTHER)
			continue;
		if (!l->index)
			say(r, "%s %s does not exist", role, l->name);
		else if (!l->up)
			say(r, "%s %s is down", role, l->name);
	}
	if (n && !s->n_external)
		say(r, "no public IPv4 address on %s", uplinks);
}

static int count_pinhole(void *arg, struct mapping *m)
{
	size_t *n = arg;

	*n += m->spec.enabled && mapping_is_pinhole(&m->spec);
	return 0;
}

static void report_forwarding(const struct health_view *v, const struct report *r)
{
	size_t pinholes = 0;

	if (!forwarding_is_on(false))
		say(r, "IPv4 forwarding is off (%s = 0): sysctl -w %s=1", FORWARDING_KEY_V4,
		    FORWARDING_KEY_V4);
	if (forwarding_is_on(true))
		return;
	mapping_table_each(v->table, count_pinhole, &pinholes);
	if (pinholes)
		say(r, "IPv6 forwarding is off (%s = 0) and pinholes need it: sysctl -w %s=1",
		    FORWARDING_KEY_V6, FORWARDING_KEY_V6);
}

void health_report(const struct health_view *v, void (*say_problem)(void *arg, const char *text),
		   void *arg)
{
	const struct report r = { say_problem, arg };

	report_links(v, &r);
	if (v->forwards)
		report_forwarding(v, &r);
	if (v->set_aside)
		say(&r, "the database was damaged: it lies in %s now, and a new one was begun",
		    v->set_aside);
	if (v->trouble)
		say(&r, "%s", v->trouble);
}
