/* SPDX-License-Identifier: Apache-2.0 */

/* The running millrace: what it lacks, and what grew while it was watched. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/client.h"
#include "cmd/doctor/doctor.h"

#define AREA "running"
#define ANSWER_MAX (8u << 20)
#define LOUD 8 /* drops that are named */

static const char *const functions[] = { "system", "interface", "neighbor" };

/* One look: kept as the file millrace/FUNCTION-WHEN.json, and read from there under another root. */
static json_t *
look(struct doctor *d, const char *when)
{
	json_t *answers = json_object();

	for (unsigned i = 0; answers && i < MR_ARRAY_COUNT(functions); i++) {
		char target[64], path[64], *text = NULL;
		struct mr_error error = { 0 };
		size_t size = 0;
		json_t *answer;

		snprintf(target, sizeof(target), "/state/%s", functions[i]);
		snprintf(path, sizeof(path), "/millrace/%s-%s.json", functions[i], when);
		if (*d->root) {
			text = doctor_read(d, "%s", path);
			size = text ? strlen(text) : 0;
			snprintf(error.text, sizeof(error.text), "%s is not there", path);
		} else if (mr_client_fetch_within(d->socket, target, d->patience_ms, ANSWER_MAX,
			       &text, &size, &error)) {
			snprintf(d->trouble, sizeof(d->trouble), "%.255s", error.text);
			d->hung |= error.code == -ETIMEDOUT || error.code == -EAGAIN;
		} else if (d->saw) {
			d->saw(d->saw_arg, path, text, size);
		}
		answer = text ? json_loadb(text, size, 0, NULL) : NULL;
		free(text);
		if (!answer)
			break;
		json_object_set_new(answers, functions[i], answer);
	}
	if (json_object_size(answers) > 0)
		return answers;
	json_decref(answers);
	return NULL;
}

json_t *
doctor_state(const json_t *answers, const char *function, const char *part)
{
	return json_object_get(json_object_get(json_object_get(answers, function),
				   strcmp(function, "neighbor") == 0 ? "router" : function),
	    part);
}

/* {"millrace-commit:output":{"text":"..."}} */
static char *
ask_running(const struct doctor *d)
{
	char *answer = NULL, *text = NULL;
	const char *found;
	json_t *root;
	size_t size;

	if (mr_client_post_within(d->socket, "/restconf/operations/millrace-commit:get",
		"{\"millrace-commit:input\":{}}", d->patience_ms, ANSWER_MAX, &answer, &size, NULL))
		return NULL;
	root = json_loadb(answer, size, 0, NULL);
	free(answer);
	found = json_string_value(
	    json_object_get(json_object_get(root, "millrace-commit:output"), "text"));
	if (found)
		text = strdup(found);
	json_decref(root);
	return text;
}

void
doctor_ask(struct doctor *d)
{
	const struct timespec pause = { .tv_sec = d->interval_ms / 1000,
		.tv_nsec = (long)(d->interval_ms % 1000) * 1000000 };
	json_int_t pid;

	d->before = look(d, "before");
	if (!d->before)
		return;
	if (!*d->root) {
		d->running = ask_running(d);
		nanosleep(&pause, NULL);
	}
	d->after = look(d, "after");
	pid = json_integer_value(doctor_state(d->before, "system", "pid"));
	if (pid > 0 && doctor_exists(d, "/proc/%lld/status", (long long)pid))
		snprintf(d->pid, sizeof(d->pid), "%u", (unsigned)pid);
}

static uint64_t
number(const json_t *object, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(object, name));
}

static const char *
text(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	return s ? s : "";
}

/* The row that says the same under these names; null: there was none. */
static const json_t *
same_row(const json_t *rows, const json_t *row, const char *key, const char *second)
{
	const json_t *other;
	size_t i;

	json_array_foreach(rows, i,
	    other) if (json_equal(json_object_get(other, key), json_object_get(row, key)) &&
	    (!second ||
		json_equal(json_object_get(other, second),
		    json_object_get(row, second)))) return other;
	return NULL;
}

static uint64_t
grown(const json_t *before, const json_t *after, const char *name)
{
	uint64_t a = number(before, name), b = number(after, name);

	return b > a ? b - a : 0;
}

static void
check_drops(struct doctor *d, double seconds)
{
	const json_t *before = doctor_state(d->before, "system", "drop");
	const json_t *after = doctor_state(d->after, "system", "drop"), *row;
	uint64_t received = grown(doctor_state(d->before, "system", "packets"),
	    doctor_state(d->after, "system", "packets"), "received");
	unsigned said = 0;
	size_t i;

	json_array_foreach(after, i, row)
	{
		uint64_t n = grown(same_row(before, row, "node", "reason"), row, "packets");
		struct finding *f;

		if (n == 0 || said++ >= LOUD)
			continue;
		f = doctor_say(d, n * 100 > received ? DOCTOR_WARNING : DOCTOR_NOTE, AREA,
		    "%s drops %.0f packets/s: %s", text(row, "node"), (double)n / seconds,
		    text(row, "reason"));
		doctor_why(f, text(row, "text"));
		doctor_fix(f, "millrace drops --node %s --reason %s", text(row, "node"),
		    text(row, "reason"));
	}
	if (!said)
		doctor_say(d, DOCTOR_OK, AREA, "no packet was dropped in %.1f s", seconds);
	if (said > LOUD)
		doctor_say(d, DOCTOR_NOTE, AREA, "and %u more reasons of drops", said - LOUD);
}

static void
check_buffers(struct doctor *d)
{
	const json_t *memory = doctor_state(d->after, "system", "memory");
	uint64_t all = number(memory, "buffers"), left = number(memory, "buffers-free");
	struct finding *f;

	if (!all)
		return;
	if (left * 20 >= all) {
		doctor_say(d, DOCTOR_OK, AREA, "%llu of %llu packet buffers are free",
		    (unsigned long long)left, (unsigned long long)all);
		return;
	}
	f = doctor_say(d, left * 100 < all ? DOCTOR_ERROR : DOCTOR_WARNING, AREA,
	    "%llu of %llu packet buffers are free", (unsigned long long)left,
	    (unsigned long long)all);
	doctor_why(f, "Without a free buffer packets are lost as they come in");
	doctor_fix(f, "# set system/buffers to %llu and start again", (unsigned long long)all * 2);
}

static void
check_workers(struct doctor *d, double seconds)
{
	const json_t *before = doctor_state(d->before, "system", "worker");
	const json_t *after = doctor_state(d->after, "system", "worker"), *row;
	double hz = (double)json_integer_value(doctor_state(d->after, "system", "hz")) * seconds,
	       most = 0;
	size_t i;

	if (hz <= 0 || !json_array_size(after))
		return;
	json_array_foreach(after, i, row)
	{
		double part =
		    (double)grown(same_row(before, row, "id", NULL), row, "busy-cycles") / hz;
		struct finding *f;

		most = MR_MAX(most, part);
		if (part < 0.95)
			continue;
		f = doctor_say(d, DOCTOR_WARNING, AREA,
		    "worker %u on CPU %u is busy %.0f %% of the time", (unsigned)number(row, "id"),
		    (unsigned)number(row, "cpu"), part * 100);
		doctor_why(f,
		    "More packets than now are lost; more workers and queues would share them");
		doctor_fix(f,
		    "millrace top   # which nodes cost the most\n# add CPUs to system/workers");
	}
	if (most < 0.95)
		doctor_say(d, DOCTOR_OK, AREA, "the busiest worker is busy %.0f %% of the time",
		    most * 100);
}

static const struct loss {
	const char *counter;
	const char *what;
	const char *why;
	const char *fix;
} losses[] = {
	{ "rx-errors", "had frames that could not be taken",
	    "Frames were too long or malformed: an MTU that does not fit, or a bad cable",
	    "ip -s link" },
	{ "rx-no-buffer", "lost packets for want of a buffer",
	    "All packet buffers are in use: in rings of slow ports, or held by nodes",
	    "# raise system/buffers" },
	{ "rx-device-drops", "lost packets before they were taken",
	    "The workers do not come round often enough for its rings",
	    "millrace top\n# options: {ring-size: 4096}, or one more worker" },
	{ "tx-errors", "could not send packets", "The device refuses them: too large, or not up",
	    "millrace drops --reason tx-failed; ip -s link" },
	{ "tx-gone", "had packets to send and no device", "The device has vanished",
	    "ip -br link" },
	{ "tx-device-drops", "lost packets that it had taken to send",
	    "The device or the other end of a veth cannot keep up", "ip -s link" },
};

static void
check_port(struct doctor *d, const json_t *row, const json_t *before, double seconds)
{
	const json_t *now = json_object_get(row, "counters");
	const char *state = text(row, "state"), *trouble = text(row, "trouble");
	struct finding *f;

	if (strcmp(state, "gone") == 0 || *trouble) {
		f = doctor_say(d, DOCTOR_ERROR, AREA, "interface %s is not open%s%s",
		    text(row, "name"), *trouble ? ": " : "", trouble);
		doctor_why(f,
		    "Nothing passes there; it is opened again as soon as that is possible");
		doctor_fix(f, "ip -br link");
	} else if (strcmp(state, "down") == 0) {
		f = doctor_say(d, DOCTOR_WARNING, AREA, "interface %s is down", text(row, "name"));
		doctor_why(f, "There is no link");
		doctor_fix(f, "ip link set %s up", text(row, "name"));
	}
	for (unsigned i = 0; i < MR_ARRAY_COUNT(losses); i++) {
		const struct loss *l = &losses[i];
		uint64_t n = grown(json_object_get(before, "counters"), now, l->counter);

		if (!n)
			continue;
		f = doctor_say(d, DOCTOR_WARNING, AREA, "interface %s %s: %.0f a second",
		    text(row, "name"), l->what, (double)n / seconds);
		doctor_why(f, l->why);
		doctor_fix(f, "%s", l->fix);
	}
}

static void
check_ports(struct doctor *d, double seconds)
{
	const json_t *before =
	    json_object_get(json_object_get(d->before, "interface"), "interface");
	const json_t *after = json_object_get(json_object_get(d->after, "interface"), "interface");
	const json_t *row;
	size_t i;

	json_array_foreach(after, i, row)
	    check_port(d, row, same_row(before, row, "name", NULL), seconds);
}

/* Neighbours that routes lead through and that do not answer. */
static void
check_neighbors(struct doctor *d)
{
	const json_t *routers = json_object_get(json_object_get(d->after, "neighbor"), "router");
	const json_t *router, *entry;
	size_t i, k;

	json_array_foreach(routers, i, router)
	{
		const json_t *all = json_object_get(json_object_get(router, "neighbor"), "entry");

		json_array_foreach(all, k, entry)
		{
			const char *state = text(entry, "state");
			bool failed =
			    strcmp(state, "failed") == 0 || strcmp(state, "incomplete") == 0;
			struct finding *f;

			if (!json_is_true(json_object_get(entry, "gateway")) || !failed)
				continue;
			f = doctor_say(d, DOCTOR_WARNING, AREA,
			    "router %s: next hop %s on %s does not answer (%s for %u s)",
			    text(router, "name"), text(entry, "address"), text(entry, "interface"),
			    state, (unsigned)number(entry, "age"));
			doctor_why(f, "Routes through it lead nowhere");
			doctor_fix(f, "millrace trace -i %s 'arp or icmp6'",
			    text(entry, "interface"));
		}
	}
}

void
doctor_check_daemon(struct doctor *d)
{
	double seconds;
	struct finding *f;

	if (!d->before && d->hung) {
		f = doctor_say(d, DOCTOR_ERROR, AREA, "millrace runs and does not answer");
		doctor_why(f, "Its control thread hangs or is starved; packets may still pass");
		doctor_fix(f,
		    "millrace support -o hung.tar.gz\nsystemctl kill --signal=ABRT millrace   # "
		    "leaves a core dump");
	} else if (!d->before) {
		doctor_say(d, DOCTOR_NOTE, AREA, "no running millrace was looked at: %s",
		    *d->trouble ? d->trouble : "it left no answer");
	}
	if (!d->before)
		return;
	doctor_say(d, DOCTOR_OK, AREA, "millrace %s runs as process %s",
	    json_string_value(doctor_state(d->before, "system", "version")), d->pid);
	if (!d->after)
		return;
	seconds = (double)(json_integer_value(doctor_state(d->after, "system", "uptime")) -
		      json_integer_value(doctor_state(d->before, "system", "uptime"))) /
	    1000;
	if (seconds <= 0) {
		doctor_say(d, DOCTOR_NOTE, AREA, "it was started again while it was looked at");
		return;
	}
	check_ports(d, seconds);
	check_drops(d, seconds);
	check_buffers(d);
	check_workers(d, seconds);
	check_neighbors(d);
}
