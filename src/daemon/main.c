/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * portwrightd: options, and what has to be settled before anything runs.
 */
#include "base/log.h"
#include "daemon/compose.h"
#include "daemon/confine.h"
#include "daemon/loop.h"
#include "serve/http.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_USAGE 2 /* of the command line or the configuration file */

enum task { TASK_RUN, TASK_CHECK_CONFIG, TASK_FLUSH, TASK_VERSION, TASK_HELP };

struct options {
	enum task task;
	const char *config_path; /* NULL: the default one */
	bool debug;
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "check-config", no_argument, NULL, 'k' },
	{ "flush", no_argument, NULL, 'f' },
	{ "debug", no_argument, NULL, 'd' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static const char help[] =
	"usage: portwrightd [-c FILE] [--check-config | --flush] [--debug]\n"
	"\n"
	"The port-mapping gateway's daemon; it stays in the foreground.\n"
	"\n"
	"  -c, --config FILE   read FILE instead of " CONFIG_PATH_DEFAULT "\n"
	"      --check-config  only say whether the configuration can be read\n"
	"      --flush         take everything of Portwright's out of the kernel\n"
	"      --debug         log more\n"
	"      --version, --help\n"
	"\n"
	"SIGTERM ends it and leaves mappings in force, SIGHUP reads the configuration again.\n";

/* 0, or -EINVAL after one line on standard error. */
static int read_options(int argc, char **argv, struct options *ret)
{
	static char name[] = "portwrightd"; /* as getopt's messages begin */
	struct options o = { 0 };
	int c;

	if (argc > 0)
		argv[0] = name;

	while ((c = getopt_long(argc, argv, "c:h", long_options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			o.config_path = optarg;
			break;
		case 'k':
			o.task = TASK_CHECK_CONFIG;
			break;
		case 'f':
			o.task = TASK_FLUSH;
			break;
		case 'd':
			o.debug = true;
			break;
		case 'V':
			o.task = TASK_VERSION;
			break;
		case 'h':
			o.task = TASK_HELP;
			break;
		default:
			return -EINVAL; /* getopt has named the culprit */
		}
	}
	if (optind < argc) {
		fprintf(stderr, "portwrightd: unexpected argument '%s' (see --help)\n",
			argv[optind]);
		return -EINVAL;
	}
	*ret = o;
	return 0;
}

/* One thread and bursts of memory: an import's goes back to the kernel as soon as it is freed,
 * instead of staying in a heap that the next import may need. Setting the threshold also keeps
 * glibc from raising it. */
static void settle_memory(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	mallopt(M_TRIM_THRESHOLD, 128 * 1024);
}

/* Makes `path` and what is missing above it. */
static int make_folder(const char *path)
{
	char part[CONFIG_DIR_MAX];
	size_t len = strlen(path);

	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
	}
	return 0;
}

static int run(const struct config *config, const char *config_path, struct fault *f)
{
	int r = confine_drop_privileges(f);

	if (r < 0)
		return r;
	r = http_check_free(config->api.socket, f);
	if (r < 0)
		return r;
	r = make_folder(config->gateway.runtime_dir);
	if (r < 0)
		return fault_set(f, FAULT_INVALID, "", "gateway.runtime-dir = %s: %s",
				 config->gateway.runtime_dir, strerror(-r));
	return daemon_run(config, config_path, f);
}

/* A running daemon would put everything back at once. */
static int flush(const struct config *config, struct fault *f)
{
	int r = http_check_free(config->api.socket, f);

	return r < 0 ? r : house_flush(config, f);
}

static int complain(const struct fault *f, int status)
{
	fprintf(stderr, "portwrightd: %s\n", f->text);
	return status;
}

int main(int argc, char **argv)
{
	struct options options;
	struct config config;
	struct fault f = { 0 };
	int r = 0;

	settle_memory();
	if (read_options(argc, argv, &options) < 0)
		return EXIT_USAGE;
	if (options.task == TASK_VERSION) {
		puts("portwrightd " PORTWRIGHT_VERSION);
		return EXIT_SUCCESS;
	}
	if (options.task == TASK_HELP) {
		fputs(help, stdout);
		return EXIT_SUCCESS;
	}
	log_open(options.debug);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (config_load(options.config_path, &config, &f) < 0 || house_check(&config, &f) < 0)
		return complain(&f, EXIT_USAGE);
	if (options.task == TASK_CHECK_CONFIG)
		puts("portwrightd: the configuration is fine");
	else if (options.task == TASK_FLUSH)
		r = flush(&config, &f);
	else
		r = run(&config, options.config_path, &f);
	return r < 0 ? complain(&f, EXIT_FAILURE) : EXIT_SUCCESS;
}
