/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/doctor/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const level_names[] = { "ok", "note", "warning", "error" };

int
doctor_init(struct doctor *d)
{
	d->findings = calloc(DOCTOR_FINDINGS_MAX + 1, sizeof(d->findings[0]));
	snprintf(d->pid, sizeof(d->pid), "self");
	return d->findings ? 0 : -ENOMEM;
}

void
doctor_end(struct doctor *d)
{
	free(d->findings);
	free(d->running);
	json_decref(d->before);
	json_decref(d->after);
}

void
doctor_examine(struct doctor *d)
{
	doctor_check_daemon(d);
	doctor_check_setup(d);
	doctor_check_kernel(d);
	doctor_check_privileges(d);
	doctor_check_memory(d);
	doctor_check_cpu(d);
	doctor_check_nic(d);
	doctor_check_mtu(d);
	doctor_check_others(d);
}

struct finding *
doctor_say(struct doctor *d, enum doctor_level level, const char *area, const char *fmt, ...)
{
	/* Behind the last one is room for those that are only counted. */
	struct finding *f = &d->findings[d->count];
	va_list args;

	if (d->count == DOCTOR_FINDINGS_MAX)
		d->lost++;
	else
		d->count++;
	*f = (struct finding){ .level = level, .area = area };
	va_start(args, fmt);
	vsnprintf(f->what, sizeof(f->what), fmt, args);
	va_end(args);
	return f;
}

void
doctor_why(struct finding *f, const char *why)
{
	snprintf(f->why, sizeof(f->why), "%s", why);
}

void
doctor_fix(struct finding *f, const char *fmt, ...)
{
	size_t used = strlen(f->fix);
	va_list args;

	if (used && used + 1 < sizeof(f->fix))
		f->fix[used++] = '\n';
	va_start(args, fmt);
	vsnprintf(f->fix + used, sizeof(f->fix) - used, fmt, args);
	va_end(args);
}

size_t
doctor_count(const struct doctor *d, enum doctor_level level)
{
	size_t n = 0;

	for (size_t i = 0; i < d->count; i++)
		n += d->findings[i].level == level;
	return n;
}

static void
print_lines(const char *text, const char *mark, FILE *out)
{
	while (*text) {
		int length = (int)strcspn(text, "\n");

		fprintf(out, "                   %s%.*s\n", mark, length, text);
		text += length + (text[length] == '\n');
	}
}

void
doctor_print(const struct doctor *d, bool everything, FILE *out)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct finding *f = &d->findings[i];

		if (f->level == DOCTOR_OK && !everything)
			continue;
		fprintf(out, "%-8s %-9s %s.\n", level_names[f->level], f->area, f->what);
		if (*f->why)
			fprintf(out, "                   %s.\n", f->why);
		print_lines(f->fix, "# ", out);
	}
	if (d->lost)
		fprintf(out, "and %zu more\n", d->lost);
	fprintf(out, "%zu ok, %zu to note, %zu to warn of, %zu wrong\n", doctor_count(d, DOCTOR_OK),
	    doctor_count(d, DOCTOR_NOTE), doctor_count(d, DOCTOR_WARNING),
	    doctor_count(d, DOCTOR_ERROR));
}

void
doctor_print_json(const struct doctor *d, FILE *out)
{
	json_t *list = json_array(), *root;

	for (size_t i = 0; i < d->count; i++) {
		const struct finding *f = &d->findings[i];

		json_array_append_new(list,
		    json_pack("{s:s, s:s, s:s, s:s, s:s}", "level", level_names[f->level], "area",
			f->area, "what", f->what, "why", f->why, "fix", f->fix));
	}
	root = json_pack("{s:o, s:i, s:i}", "findings", list, "errors",
	    (int)doctor_count(d, DOCTOR_ERROR), "warnings", (int)doctor_count(d, DOCTOR_WARNING));
	json_dumpf(root, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(root);
}

/* As a shell script: what each command is for stands before it. */
void
doctor_print_fixes(const struct doctor *d, FILE *out)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct finding *f = &d->findings[i];

		if (*f->fix)
			fprintf(out, "# %s: %s\n%s\n\n", level_names[f->level], f->what, f->fix);
	}
}

const char *
doctor_device(const struct mr_conf *interface)
{
	const char *driver = mr_conf_text(interface, "driver", "xdp");

	if (strcmp(driver, "xdp") != 0 && strcmp(driver, "packet") != 0)
		return NULL;
	return mr_conf_text(interface, "device", mr_conf_key(interface));
}
