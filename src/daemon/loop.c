/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A turn of the loop is one round of libuv's: timers, then whatever can be read, then the check.
 * Requests are placed while they are read; when the first of them asks for the end of the turn, a
 * check handle is armed, which runs behind all reading, and an idle handle, which keeps libuv from
 * sleeping before it gets there. So all requests that arrived together share one commit.
 *
 * Before it sleeps, the loop sets the one clock that can wake it for a lease: a timerfd on
 * CLOCK_BOOTTIME, because libuv's own timers stand still while the machine sleeps.
 */
#include "daemon/loop.h"

#include "base/log.h"
#include "daemon/compose.h"
#include "daemon/notify.h"
#include "serve/api.h"
#include "serve/igd.h"
#include "serve/port5351.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Whoever rewrites a ruleset does it in many steps: mend once, behind them. */
#define HEAL_DELAY_MS 50
/* The kernel did not answer: how long until it is asked again. */
#define RETRY_MS      1000

struct daemon {
	uv_loop_t loop;
	struct house house;
	struct api *api;
	struct http *http;
	struct port5351 *port5351; /* NULL: not enabled */
	struct igd *igd;	   /* likewise */
	uint16_t igd_port;	   /* as it was configured when that was opened */
	char igd_name[CONFIG_FRIENDLY_MAX];
	const char *config_path;
	int deadline_fd;
	clock_ms deadline; /* what deadline_fd is set to; 0: off */

	uv_check_t turn;
	uv_idle_t awake;
	uv_prepare_t before_sleep;
	uv_poll_t deadline_passed, plane_news, uplink_news;
	uv_timer_t heal, follow;
	uv_signal_t terminate, interrupt, reload;
};

static void on_turn(uv_check_t *handle)
{
	struct daemon *d = handle->data;

	uv_check_stop(&d->turn);
	uv_idle_stop(&d->awake);
	gateway_turn(d->house.gateway);
}

static void on_awake(uv_idle_t *handle)
{
}

static void need_turn(void *arg)
{
	struct daemon *d = arg;

	uv_check_start(&d->turn, on_turn);
	uv_idle_start(&d->awake, on_awake);
}

static void before_sleep(uv_prepare_t *handle)
{
	struct daemon *d = handle->data;
	clock_ms deadline = gateway_next_deadline(d->house.gateway);
	struct itimerspec at = { .it_value = { .tv_sec = deadline / 1000,
					       .tv_nsec = deadline % 1000 * 1000000 } };

	if (deadline == d->deadline)
		return;
	timerfd_settime(d->deadline_fd, TFD_TIMER_ABSTIME, &at, NULL);
	d->deadline = deadline;
}

static void on_deadline(uv_poll_t *handle, int status, int events)
{
	struct daemon *d = handle->data;
	uint64_t expirations;

	if (read(d->deadline_fd, &expirations, sizeof(expirations)) < 0)
		return;
	d->deadline = 0;
	gateway_expire(d->house.gateway);
}

static void on_heal(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	struct fault f;

	/* On failure the gateway has said so, and tries again by itself. */
	gateway_heal(d->house.gateway, &f);
}

static void on_plane_news(uv_poll_t *handle, int status, int events)
{
	struct daemon *d = handle->data;
	struct plane *plane = d->house.plane;

	if (plane->ops->attend(plane) > 0 && !uv_is_active((uv_handle_t *)&d->heal))
		uv_timer_start(&d->heal, on_heal, HEAL_DELAY_MS, 0);
}

static void follow(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	struct fault f;

	if (house_follow(&d->house, &f) == 0)
		return;
	log_error("daemon: the site could not be followed, trying again: %s", f.text);
	uv_timer_start(&d->follow, follow, RETRY_MS, 0);
}

static void on_uplink_news(uv_poll_t *handle, int status, int events)
{
	struct daemon *d = handle->data;

	follow(&d->follow);
}

static int read_traffic(void *arg, struct site_traffic *ret)
{
	const struct daemon *d = arg;

	return house_traffic(&d->house, ret);
}

/* The plane hears of it when the gateway is not in the middle of something. */
static void on_igd_port(void *arg, uint16_t port)
{
	struct daemon *d = arg;
	struct fault f;

	if (house_set_igd_port(&d->house, port, &f) < 0)
		log_error("daemon: tcp/%u is not kept from uplinks by a rule: %s", port, f.text);
	uv_timer_start(&d->follow, follow, 0, 0);
}

static int open_igd(struct daemon *d, struct fault *f)
{
	const struct config *c = &d->house.config;
	const struct igd_config igd = {
		.loop = &d->loop,
		.gateway = d->house.gateway,
		.store = d->house.store,
		.friendly_name = c->igd.friendly_name,
		.http_port = c->igd.http_port,
		.traffic = read_traffic,
		.port_changed = on_igd_port,
		.arg = d,
	};

	d->igd_port = c->igd.http_port;
	memcpy(d->igd_name, c->igd.friendly_name, sizeof(d->igd_name));
	return igd_open(&igd, &d->igd, f);
}

static bool igd_is_current(const struct daemon *d)
{
	const struct config *c = &d->house.config;

	return house_serves_igd(&d->house) && d->igd_port == c->igd.http_port &&
	       !strcmp(d->igd_name, c->igd.friendly_name);
}

static int serve_igd(struct daemon *d, struct fault *f)
{
	if (d->igd && !igd_is_current(d)) {
		gateway_turn(d->house.gateway); /* nobody waits for an answer */
		igd_close(d->igd);
		d->igd = NULL;
	}
	return d->igd || !house_serves_igd(&d->house) ? 0 : open_igd(d, f);
}

static int serve_port5351(struct daemon *d, struct fault *f)
{
	const struct config *c = &d->house.config;
	const struct port5351_config port = {
		.gateway = d->house.gateway,
		.third_party = c->port_control.third_party,
		.peer = c->port_control.peer,
		.port_set_max = c->policy.max_mappings_per_client,
		.lifetime_min = c->port_control.min_lifetime,
	};

	if (!house_serves_port_control(&d->house)) {
		port5351_close(d->port5351);
		d->port5351 = NULL;
	} else if (d->port5351) {
		port5351_configure(d->port5351, &port);
	} else if (port5351_open(&d->loop, &port, &d->port5351) < 0) {
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	}
	return 0;
}

/* Devices are served as the configuration in force has it. */
static int serve_devices(struct daemon *d, struct fault *f)
{
	int r = serve_port5351(d, f);

	return r < 0 ? r : serve_igd(d, f);
}

static void reload(struct daemon *d)
{
	struct config config;
	struct fault f;

	if (config_load(d->config_path, &config, &f) < 0 || house_check(&config, &f) < 0) {
		log_error("config: not reloaded: %s", f.text);
		return;
	}
	if (house_reconfigure(&d->house, &config, &f) < 0) {
		log_error("config: not all of it is in force: %s", f.text);
		uv_timer_start(&d->follow, follow, RETRY_MS, 0);
	} else {
		log_notice("config: reloaded");
	}
	if (serve_devices(d, &f) < 0)
		log_error("config: devices are not served: %s", f.text);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct daemon *d = handle->data;

	if (number != SIGHUP) {
		uv_stop(&d->loop);
		return;
	}
	notify_reloading();
	reload(d);
	notify_manager("READY=1");
}

static void say_problems(void *arg, api_say say, void *say_arg)
{
	const struct daemon *d = arg;

	house_problems(&d->house, say, say_arg);
	port5351_problems(d->port5351, say, say_arg);
	igd_problems(d->igd, say, say_arg);
}

static int watch(struct daemon *d, uv_poll_t *poll, int fd, uv_poll_cb on_readable)
{
	int r;

	if (fd < 0)
		return 0;
	r = uv_poll_init(&d->loop, poll, fd);
	if (r < 0)
		return r;
	poll->data = d;
	return uv_poll_start(poll, UV_READABLE, on_readable);
}

static int watch_signal(struct daemon *d, uv_signal_t *handle, int number)
{
	uv_signal_init(&d->loop, handle);
	handle->data = d;
	return uv_signal_start(handle, on_signal, number);
}

/* None of these can fail. */
static void prepare_handles(struct daemon *d)
{
	uv_check_init(&d->loop, &d->turn);
	uv_idle_init(&d->loop, &d->awake);
	uv_prepare_init(&d->loop, &d->before_sleep);
	uv_timer_init(&d->loop, &d->heal);
	uv_timer_init(&d->loop, &d->follow);
	d->turn.data = d->awake.data = d->before_sleep.data = d->heal.data = d->follow.data = d;
}

static int watch_all(struct daemon *d, struct fault *f)
{
	struct plane *plane = d->house.plane;
	int r;

	uv_prepare_start(&d->before_sleep, before_sleep);
	r = watch(d, &d->deadline_passed, d->deadline_fd, on_deadline);
	r = r < 0 ? r : watch(d, &d->plane_news, plane->ops->watch_fd(plane), on_plane_news);
	r = r < 0 ? r : watch(d, &d->uplink_news, house_uplink_fd(&d->house), on_uplink_news);
	r = r < 0 ? r : watch_signal(d, &d->terminate, SIGTERM);
	r = r < 0 ? r : watch_signal(d, &d->interrupt, SIGINT);
	r = r < 0 ? r : watch_signal(d, &d->reload, SIGHUP);
	return r < 0 ? fault_set(f, FAULT_MEMORY, "", "the loop: %s", uv_strerror(r)) : 0;
}

static int open_api(struct daemon *d, struct fault *f)
{
	const struct api_config config = {
		.gateway = d->house.gateway,
		.state_dir = d->house.config.gateway.state_dir,
		.problems = say_problems,
		.problems_arg = d,
	};
	struct http_service service;

	if (api_new(&config, &d->api) < 0)
		return fault_set(f, FAULT_MEMORY, "", "out of memory");
	service = api_service(d->api);
	return http_open(&d->loop, d->house.config.api.socket, &service, &d->http, f);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
	if (!uv_is_closing(handle))
		uv_close(handle, NULL);
}

/* Whoever waits for an answer gets it. */
static void end(struct daemon *d)
{
	if (d->house.gateway)
		gateway_turn(d->house.gateway);
	http_close(d->http);
	port5351_close(d->port5351);
	igd_close(d->igd);
	uv_walk(&d->loop, close_handle, NULL);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	api_free(d->api);
	house_close(&d->house);
	uv_loop_close(&d->loop);
	if (d->deadline_fd >= 0)
		close(d->deadline_fd);
}

int daemon_run(const struct config *config, const char *config_path, struct fault *f)
{
	struct daemon d = { .config_path = config_path, .deadline_fd = -1 };
	int r = uv_loop_init(&d.loop);

	if (r < 0)
		return fault_set(f, FAULT_MEMORY, "", "the loop: %s", uv_strerror(r));
	prepare_handles(&d);
	d.deadline_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (d.deadline_fd < 0) {
		r = fault_set(f, FAULT_MEMORY, "", "timerfd: %s", strerror(errno));
		goto out;
	}
	r = house_open(config, need_turn, &d, &d.house, f);
	if (r < 0)
		goto out;
	r = open_api(&d, f);
	if (r < 0)
		goto out;
	r = watch_all(&d, f);
	if (r < 0)
		goto out;
	r = serve_devices(&d, f);
	if (r < 0)
		goto out;
	notify_manager("READY=1");
	log_notice("daemon: portwrightd " PORTWRIGHT_VERSION " is ready at %s",
		   d.house.config.api.socket);
	uv_run(&d.loop, UV_RUN_DEFAULT);
	notify_manager("STOPPING=1");
	log_notice("daemon: ending, mappings stay in force");
out:
	end(&d);
	return r;
}
