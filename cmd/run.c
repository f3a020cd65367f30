/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The data plane's process: reads the configuration, starts the workers, answers on
 * its control socket and watches its interfaces, until it is told to end or has
 * nothing more to do.
 */

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "cmd/load.h"
#include "control/commit/commit.h"
#include "nf/dataplane.h"

#define DONE_PERIOD_MS 20
#define EVENTS_MAX 16

struct daemon {
	struct event_base *base;
	struct mr_log log;
	struct mr_model *model;
	struct mr_dataplane *dataplane;
	struct mr_control *control;
	struct event *events[EVENTS_MAX];
	unsigned event_count;
	const char *path;
	const char *log_level;       /* from the command line, or null */
	struct mr_graph_totals last; /* to see that all is quiet */
	bool done;
};

static const struct mr_cmd_option options[] = {
	{ .name = "fresh", .doc = "the file, whatever was committed on top of it since" },
	{ .name = "log-level",
	    .value = "LEVEL",
	    .doc = "error, warning, notice, info or debug; before the file's own",
	    .complete = "error|warning|notice|info|debug" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket; before the file's own; \"none\": no socket",
	    .complete = "@file" },
	{ .name = "stay", .doc = "go on when every capture file has been read" },
	{ 0 },
};

/* systemd's readiness protocol: one datagram. */
static void
notify(const char *what)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (!path || strlen(path) >= sizeof(address.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(address.sun_path, path, strlen(path));
	if (*path == '@')
		address.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, what, strlen(what), MSG_NOSIGNAL, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))) < 0)
		errno = 0; /* nobody listens: nothing is lost */
	close(fd);
}

static void
on_end(evutil_socket_t signal_number, short what, void *arg)
{
	struct daemon *d = arg;

	(void)what;
	mr_log(&d->log, MR_LOG_NOTICE, "ending on signal %d", (int)signal_number);
	event_base_loopbreak(d->base);
}

static const struct mr_conf *
system_of(const struct mr_config *config)
{
	return mr_conf_child(mr_conf_root(config), "system");
}

static int
set_log_level(struct daemon *d, const struct mr_config *config)
{
	const char *name =
	    d->log_level ? d->log_level : mr_conf_text(system_of(config), "log-level", "info");
	int level = mr_log_level_parse(name);

	if (level < 0) {
		fprintf(stderr,
		    "millrace run: there is no log level \"%s\"; there are error, warning, "
		    "notice, info, debug\n",
		    name);
		return -EINVAL;
	}
	mr_log_set_level(&d->log, (enum mr_log_level)level);
	return 0;
}

/* A configuration is in force that may say another level. */
static void
on_commit(void *arg, enum mr_commit_event event, const struct mr_commit *commit, const char *who)
{
	struct daemon *d = arg;

	(void)event;
	(void)commit;
	(void)who;
	set_log_level(d, mr_commits_running(mr_commits_of(d->control)));
}

/* SIGHUP: the file again. What is wrong changes nothing. */
static void
on_reload(evutil_socket_t signal_number, short what, void *arg)
{
	struct daemon *d = arg;
	struct mr_report *report = NULL;

	(void)signal_number;
	(void)what;
	if (mr_report_create(&report) == 0 &&
	    mr_commits_reload(mr_commits_of(d->control), report) == 0) {
		mr_log(&d->log, MR_LOG_NOTICE, "%s applied", d->path);
	} else {
		mr_report_print(report, stderr);
		mr_log(&d->log, MR_LOG_ERROR, "%s is not right; the old configuration stays",
		    d->path);
	}
	mr_report_destroy(report);
}

/* Each second, and when an interface has news. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct timespec ts;

	(void)fd;
	(void)what;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	mr_control_tick(d->control, (uint32_t)ts.tv_sec);
}

/* Ends when nothing more can come in and everything is through. */
static void
on_done_look(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct mr_graph_totals now;

	(void)fd;
	(void)what;
	if (!mr_dataplane_done(d->dataplane))
		return;
	mr_graph_totals(mr_dataplane_graph(d->dataplane), &now);
	if (memcmp(&now, &d->last, sizeof(now)) == 0 &&
	    now.received + now.created == now.sent + now.dropped + now.held + now.merged) {
		d->done = true;
		event_base_loopbreak(d->base);
	}
	d->last = now;
}

static bool
add_event(struct daemon *d, struct event *event, const struct timeval *period)
{
	if (!event || d->event_count == EVENTS_MAX)
		return false;
	d->events[d->event_count++] = event;
	return event_add(event, period) == 0;
}

static int
watch(struct daemon *d, bool stay)
{
	const struct timeval second = { .tv_sec = 1 };
	const struct timeval look = { .tv_usec = DONE_PERIOD_MS * 1000 };
	bool good = add_event(d, evsignal_new(d->base, SIGINT, on_end, d), NULL) &&
	    add_event(d, evsignal_new(d->base, SIGTERM, on_end, d), NULL) &&
	    add_event(d, evsignal_new(d->base, SIGHUP, on_reload, d), NULL) &&
	    add_event(d, event_new(d->base, -1, EV_PERSIST, on_tick, d), &second);

	for (unsigned i = 0; good && mr_dataplane_fd(d->dataplane, i) >= 0; i++)
		good = add_event(d,
		    event_new(d->base, mr_dataplane_fd(d->dataplane, i), EV_READ | EV_PERSIST,
			on_tick, d),
		    NULL);
	if (good && !stay && mr_dataplane_is_finite(d->dataplane))
		good = add_event(d, event_new(d->base, -1, EV_PERSIST, on_done_look, d), &look);
	return good ? 0 : -ENOMEM;
}

/* The services around the data plane, and the socket on which they are asked. */
static int
serve(struct daemon *d, struct mr_commit_start *chosen, const char *given, struct mr_report *report)
{
	const struct mr_conf *system = system_of(mr_commit_start_choice(chosen));
	char fallback[108];
	struct mr_control_config cc = {
		.base = d->base,
		.dataplane = d->dataplane,
		.model = d->model,
		.log = &d->log,
		.start = chosen,
	};
	char path[108];
	int rc;

	mr_control_default_path(fallback, sizeof(fallback));
	cc.path = given ? given : mr_conf_text(system, "control-socket", fallback);
	/* The configuration that it stands in is another's from here on. */
	snprintf(path, sizeof(path), "%s", cc.path);
	cc.path = strcmp(path, "none") == 0 ? NULL : path;
	rc = mr_control_create(&d->control, &cc, report);
	return rc ? rc : mr_commits_subscribe(mr_commits_of(d->control), on_commit, d);
}

static void
say_totals(struct daemon *d)
{
	struct mr_graph_totals t;

	mr_graph_totals(mr_dataplane_graph(d->dataplane), &t);
	mr_log(&d->log, MR_LOG_NOTICE,
	    "packets: %llu received, %llu created, %llu sent, %llu dropped, %llu held",
	    (unsigned long long)t.received, (unsigned long long)t.created,
	    (unsigned long long)t.sent, (unsigned long long)t.dropped, (unsigned long long)t.held);
}

static int
start(struct daemon *d, bool fresh, const char *socket_path)
{
	const struct mr_commit_start_config what = {
		.model = d->model,
		.log = &d->log,
		.file = d->path,
		.fresh = fresh,
	};
	struct mr_commit_start *chosen = NULL;
	struct mr_report *report = NULL;
	struct mr_error error;
	int rc;

	if (mr_report_create(&report))
		return -ENOMEM;
	rc = mr_commit_start_create(&chosen, &what, report);
	if (!rc)
		rc = set_log_level(d, mr_commit_start_choice(chosen));
	if (!rc)
		rc = mr_dataplane_create(&d->dataplane, mr_commit_start_choice(chosen), &d->log,
		    report);
	if (rc)
		mr_commit_start_destroy(chosen);
	else
		rc = serve(d, chosen, socket_path, report);
	if (rc)
		mr_report_print(report, stderr);
	mr_report_destroy(report);
	if (rc)
		return rc;
	rc = mr_dataplane_start(d->dataplane, &error);
	if (rc)
		mr_log(&d->log, MR_LOG_ERROR, "%s", error.text);
	return rc;
}

static void
clean_up(struct daemon *d)
{
	if (d->dataplane)
		mr_dataplane_stop(d->dataplane);
	mr_control_destroy(d->control);
	if (d->dataplane)
		say_totals(d);
	mr_dataplane_destroy(d->dataplane);
	for (unsigned i = 0; i < d->event_count; i++)
		event_free(d->events[i]);
	if (d->base)
		event_base_free(d->base);
	mr_model_destroy(d->model);
}

static int
run_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct daemon d = { 0 };
	struct mr_cmd_args args;
	int status, rc;

	if (mr_cmd_parse(cmd, argc, argv, 1, 1, &args, &status))
		return status;
	signal(SIGPIPE, SIG_IGN);
	mr_log_init_fd(&d.log, STDERR_FILENO, MR_LOG_INFO);
	d.path = args.words[0];
	d.base = event_base_new();
	if (!d.base || mr_load_model(&d.model)) {
		clean_up(&d);
		return MR_EXIT_FAILED;
	}
	d.log_level = mr_cmd_value(&args, "log-level");
	rc = start(&d, mr_cmd_given(&args, "fresh"), mr_cmd_value(&args, "socket"));
	if (!rc)
		rc = watch(&d, mr_cmd_given(&args, "stay"));
	if (!rc) {
		mr_log(&d.log, MR_LOG_NOTICE, "running %s", d.path);
		notify("READY=1");
		event_base_dispatch(d.base);
		notify("STOPPING=1");
	}
	clean_up(&d);
	return rc ? MR_EXIT_FAILED : MR_EXIT_OK;
}

const struct mr_cmd mr_cmd_run = {
	.name = "run",
	.summary = "run the data plane that a file describes",
	.usage = "FILE",
	.help = "Checks FILE, opens its interfaces and forwards until it gets SIGINT or SIGTERM.\n"
		"SIGHUP reads FILE again and applies it, or says what is wrong and goes on.\n"
		"What clients committed on top of FILE since (millrace apply, set) is started "
		"instead of\n"
		"it, as long as FILE is the same; --fresh starts FILE. See docs/transactions.md.\n"
		"With nothing but capture files to read it ends when they are through.\n"
		"\n"
		"  millrace run lab.yaml\n"
		"  millrace show interfaces        (from another terminal)",
	.options = options,
	.complete = "@file",
	.run = run_run,
};
