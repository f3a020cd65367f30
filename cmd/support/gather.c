/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/support/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cmd/client.h"
#include "cmd/render.h"
#include "control/service.h"
#include "nf/nf.h"

#define QUESTION_MS 3000
#define TASKS_MAX 64

int64_t
gather_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

char *
gather_ask(struct gather *g, const char *target, const char *name, size_t *size)
{
	int64_t left = g->end - gather_now();
	struct mr_error error = { 0 };
	char *text = NULL;

	if (!g->doctor->before)
		bundle_miss(g->bundle, name,
		    g->doctor->hung ? "millrace does not answer" : "no millrace runs there");
	else if (left <= 0)
		bundle_miss(g->bundle, name, "millrace took too long before");
	else if (mr_client_fetch_within(g->doctor->socket, target, (int)MR_MIN(left, QUESTION_MS),
		     BUNDLE_FILE_MAX, &text, size, &error))
		bundle_miss(g->bundle, name, error.text);
	return text;
}

/* -- the configuration -------------------------------------------------------------------- */

static char *
read_whole(const char *path)
{
	FILE *in = strcmp(path, "-") == 0 ? NULL : fopen(path, "re");
	char *text = in ? calloc(1, BUNDLE_FILE_MAX + 1) : NULL;

	if (text)
		text[fread(text, 1, BUNDLE_FILE_MAX, in)] = '\0';
	if (in)
		fclose(in);
	return text;
}

/* The configuration as JSON without its secrets; null: no memory. */
static char *
stripped(struct secrets *secrets, const struct mr_config *config)
{
	char *printed = NULL, *text = NULL;
	size_t size = 0;
	json_t *root;
	FILE *out = open_memstream(&printed, &size);

	if (!out)
		return NULL;
	mr_conf_print_json(mr_conf_root(config), out);
	fclose(out);
	root = json_loadb(printed, size, 0, NULL);
	free(printed);
	secrets_strip(secrets, root, mr_conf_root(config));
	if (root)
		text = json_dumps(root, JSON_INDENT(2));
	json_decref(root);
	return text;
}

int
gather_secrets(struct gather *g, struct mr_model *model, const struct mr_config *config,
    char **text)
{
	const char *running = g->doctor->running;
	char *raw = g->doctor->file ? read_whole(g->doctor->file) : NULL;
	struct mr_config *in_force = NULL;

	*text = NULL;
	if (raw)
		secrets_scan(g->secrets, raw);
	free(raw);
	if (running) {
		secrets_scan(g->secrets, running);
		mr_config_parse(&in_force, model, "running", running, strlen(running), NULL);
	}
	if (in_force)
		free(stripped(g->secrets, in_force));
	mr_config_destroy(in_force);
	/* What was left out is said of the one that is in the bundle. */
	free(g->secrets->removed);
	g->secrets->removed = NULL;
	g->secrets->removed_size = 0;
	if (config)
		*text = stripped(g->secrets, config);
	return (config && !*text) || g->secrets->full ? -ENOMEM : 0;
}

void
gather_config(struct gather *g, const char *text)
{
	const char *removed = g->secrets->removed;

	if (text)
		bundle_add(g->bundle, "config.json", text, strlen(text),
		    "the configuration, without its secrets");
	else
		bundle_miss(g->bundle, "config.json",
		    g->doctor->file ? "it does not load" : "no file was named or found");
	bundle_add(g->bundle, "removed.txt", removed ? removed : "", g->secrets->removed_size,
	    "what was left out of it");
}

/* -- this machine ------------------------------------------------------------------------- */

void
gather_version(struct gather *g)
{
	struct utsname name;
	char text[1024];
	time_t now = time(NULL);

	uname(&name);
	snprintf(text, sizeof(text), "millrace %s\ncompiler %s\nmachine %s %s %s\ntime %lld\n",
	    MR_VERSION, __VERSION__, name.sysname, name.release, name.machine, (long long)now);
	bundle_add(g->bundle, "version.txt", text, strlen(text),
	    "what was built, for which kernel");
}

static void
saw(void *arg, const char *path, const char *text, size_t size)
{
	struct gather *g = arg;
	char name[600];

	snprintf(name, sizeof(name), "machine%s", path);
	if (text)
		bundle_add(g->bundle, name, text, size, "as it was read");
	else
		bundle_add_folder(g->bundle, name);
}

/* A configuration that does not load is spoken of with the values that are wrong in it. */
static void
blot_findings(struct doctor *d)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->findings[i].area, "config") == 0 &&
		    d->findings[i].level == DOCTOR_ERROR)
			secrets_blot_quoted(d->findings[i].what, strlen(d->findings[i].what));
}

static void
add_printed(struct gather *g, const char *name, const char *what, bool json)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	if (json)
		doctor_print_json(g->doctor, out);
	else
		doctor_print(g->doctor, true, out);
	fclose(out);
	bundle_add(g->bundle, name, text, size, what);
	free(text);
}

/* What doctor_ask heard, in the files from which doctor --root reads it. */
static void
add_answers(struct gather *g, const json_t *answers, const char *when)
{
	const char *function;
	json_t *answer;

	json_object_foreach((json_t *)answers, function, answer)
	{
		char name[128], *text = json_dumps(answer, JSON_INDENT(1));

		snprintf(name, sizeof(name), "machine/millrace/%s-%s.json", function, when);
		if (text)
			bundle_add(g->bundle, name, text, strlen(text), "as it was answered");
		free(text);
	}
}

void
gather_machine(struct gather *g)
{
	struct doctor *d = g->doctor;

	add_answers(g, d->before, "before");
	add_answers(g, d->after, "after");
	d->saw = saw;
	d->saw_arg = g;
	doctor_examine(d);
	blot_findings(d);
	add_printed(g, "doctor.txt", "what millrace doctor says", false);
	add_printed(g, "doctor.json", "the same as JSON", true);
}

static void
keep(struct gather *g, const char *path)
{
	free(doctor_read(g->doctor, "%s", path));
}

/* Also of one that hangs: what each thread waits for. */
void
gather_process(struct gather *g)
{
	static const char *const files[] = { "/proc/loadavg", "/proc/uptime", "/proc/net/dev",
		"/proc/net/softnet_stat", "/proc/softirqs", "/proc/vmstat" };
	static const char *const own[] = { "status", "limits", "stat", "smaps_rollup", "cgroup" };
	static const char *const each[] = { "stat", "wchan", "status", "stack" };
	char(*tasks)[64] = calloc(TASKS_MAX, sizeof(*tasks));
	unsigned count;

	for (unsigned i = 0; i < MR_ARRAY_COUNT(files); i++)
		keep(g, files[i]);
	if (strcmp(g->doctor->pid, "self") != 0 && tasks) {
		for (unsigned i = 0; i < MR_ARRAY_COUNT(own); i++)
			free(doctor_read(g->doctor, "/proc/%s/%s", g->doctor->pid, own[i]));
		count = doctor_list(g->doctor, tasks, TASKS_MAX, "/proc/%s/task", g->doctor->pid);
		for (unsigned i = 0; i < count; i++)
			for (unsigned k = 0; k < MR_ARRAY_COUNT(each); k++)
				free(doctor_read(g->doctor, "/proc/%s/task/%s/%s", g->doctor->pid,
				    tasks[i], each[k]));
	}
	free(tasks);
}

/* -- the running millrace ----------------------------------------------------------------- */

/* Values change hands in commits: their places are enough. */
static void
strip_values(json_t *value)
{
	const char *name;
	json_t *child;
	void *next;
	size_t i;

	json_array_foreach(value, i, child) strip_values(child);
	json_object_foreach_safe(value, next, name, child)
	{
		if (strcmp(name, "old") == 0 || strcmp(name, "new") == 0 ||
		    strcmp(name, "value") == 0 || strcmp(name, "config") == 0)
			json_object_del(value, name);
		else
			strip_values(child);
	}
}

static void
add_state(struct gather *g, const char *function)
{
	char target[96], name[96], *text, *shown = NULL;
	size_t size, shown_size;
	json_t *root;
	FILE *out;

	snprintf(target, sizeof(target), "/state/%s", function);
	snprintf(name, sizeof(name), "state/%s.json", function);
	text = gather_ask(g, target, name, &size);
	if (!text)
		return;
	root = json_loadb(text, size, 0, NULL);
	free(text);
	strip_values(json_object_get(root, "commits"));
	text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
	if (text)
		bundle_add(g->bundle, name, text, strlen(text), "state");
	free(text);
	out = root ? open_memstream(&shown, &shown_size) : NULL;
	if (out) {
		mr_render(out, function, json_object_get(root, function), true);
		fclose(out);
		snprintf(name, sizeof(name), "show/%s.txt", function);
		if (shown_size)
			bundle_add(g->bundle, name, shown, shown_size, "as millrace show has it");
		free(shown);
	}
	json_decref(root);
}

void
gather_state(struct gather *g)
{
	add_state(g, "system");
	for (unsigned i = 0; mr_nf_list[i]; i++)
		add_state(g, mr_nf_list[i]->name);
	for (unsigned i = 0; mr_service_list[i]; i++)
		if (mr_service_list[i]->show)
			add_state(g, mr_service_list[i]->name);
}

void
gather_drops(struct gather *g)
{
	size_t size, packed;
	char *lines, *bytes;

	if (!g->packets) {
		bundle_miss(g->bundle, "drops.pcapng", "not asked for (--no-packets)");
		return;
	}
	lines = gather_ask(g, "/drops?count=1000", "drops.pcapng", &size);
	if (!lines)
		return;
	bytes = drops_to_pcapng(lines, g->payload, &packed);
	if (bytes)
		bundle_add_bytes(g->bundle, "drops.pcapng", bytes, packed,
		    g->payload ? "the last packets dropped, whole"
			       : "the last packets dropped, their headers");
	free(bytes);
	free(lines);
}

/* -- its log --------------------------------------------------------------------------- */

/* Lines that may tell a value which was refused. */
static void
blot_lines(char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		char end = text[length];

		text[length] = '\0';
		for (char *word = text; *word; word += strspn(word, " /:=")) {
			size_t n = strcspn(word, " /:=");
			char mark = word[n];
			bool secret;

			word[n] = '\0';
			secret = mr_name_is_secret(word);
			word[n] = mark;
			word += n;
			if (secret) {
				secrets_blot_quoted(text, length);
				break;
			}
		}
		text[length] = end;
		text += length + (end != '\0');
	}
}

void
gather_log(struct gather *g)
{
	char command[256], *text = NULL;
	FILE *in = NULL;
	size_t n = 0;

	if (*g->doctor->root == '\0' && access("/usr/bin/journalctl", X_OK) == 0) {
		snprintf(command, sizeof(command),
		    "exec timeout 5 journalctl --no-pager -q -n 5000 -u '%s' 2>/dev/null", g->unit);
		in = popen(command, "re");
		text = calloc(1, BUNDLE_FILE_MAX + 1);
	}
	if (in && text)
		n = fread(text, 1, BUNDLE_FILE_MAX, in);
	if (in)
		pclose(in);
	if (n) {
		blot_lines(text);
		bundle_add(g->bundle, "log.txt", text, n, "the journal's last lines");
	} else {
		bundle_miss(g->bundle, "log.txt", "there is no journal of it");
	}
	free(text);
}
