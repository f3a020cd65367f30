/* SPDX-License-Identifier: Apache-2.0 */

/* The configuration itself: what is wrong with it, and what is right and yet will not do. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd/doctor/doctor.h"
#include "cmd/doctor/text.h"
#include "control/control.h"

#define AREA "config"
#define SERVICE_FILE "/etc/millrace/millrace.yaml"
#define SUBNETS_MAX 256

struct subnet {
	int family;
	unsigned length;
	uint8_t address[16];
	const char *text, *interface;
};

int
doctor_load(struct doctor *d, struct mr_model *model, const char *given, struct mr_config **config,
    struct mr_report **report)
{
	bool running = !given && d->running;
	int rc;

	d->file = given;
	if (running)
		d->file = "the running configuration";
	else if (!given && !*d->root && access(SERVICE_FILE, R_OK) == 0)
		d->file = SERVICE_FILE;
	if (!d->file)
		return 0;
	if (mr_report_create(report))
		return -ENOMEM;
	rc = running
	    ? mr_config_parse(config, model, d->file, d->running, strlen(d->running), *report)
	    : mr_config_load(config, model, d->file, *report);
	if (rc == 0)
		mr_control_check(*config, *report);
	d->config = *config;
	d->report = *report;
	return 0;
}

static void
say_errors(struct doctor *d)
{
	for (size_t i = 0; mr_report_entry(d->report, i); i++) {
		char line[480];
		struct finding *f;

		mr_report_format(d->report, i, line, sizeof(line));
		f = doctor_say(d, DOCTOR_ERROR, AREA, "%s", line);
		doctor_why(f, "millrace does not start with it, and keeps the old one on a reload");
		doctor_fix(f, "millrace check %s", d->file);
	}
}

/* The workers of the configuration; or the one that there is without. */
static void
find_workers(struct doctor *d)
{
	const struct mr_conf *system = NULL;
	struct mr_cpu_set allowed;
	const char *list;
	char *status, line[512];
	int last = -1;

	if (d->config)
		system = mr_conf_child(mr_conf_root(d->config), "system");
	list = mr_conf_text(system, "workers", NULL);
	if (list && mr_cpu_set_parse(&d->workers, list, NULL) == 0) {
		d->chosen = true;
		return;
	}
	status = doctor_read(d, "/proc/%s/status", d->pid);
	if (status && text_field(status, "Cpus_allowed_list", line, sizeof(line)) &&
	    mr_cpu_set_parse(&allowed, line, NULL) == 0)
		mr_cpu_set_foreach(cpu, &allowed) last = cpu;
	free(status);
	memset(&d->workers, 0, sizeof(d->workers));
	if (last >= 0)
		mr_cpu_set_add(&d->workers, (unsigned)last);
}

static bool
read_subnet(const char *text, struct subnet *s)
{
	char address[64];
	size_t length = strcspn(text, "/");

	if (length >= sizeof(address) || text[length] != '/')
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)length, text);
	memset(s, 0, sizeof(*s));
	s->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	s->length = (unsigned)strtoul(text + length + 1, NULL, 10);
	s->text = text;
	return inet_pton(s->family, address, s->address) == 1 &&
	    s->length <= (s->family == AF_INET ? 32u : 128u);
}

static bool
same_bits(const struct subnet *a, const struct subnet *b)
{
	unsigned length = MR_MIN(a->length, b->length), rest = length % 8;

	if (a->family != b->family || memcmp(a->address, b->address, length / 8) != 0)
		return false;
	return rest == 0 || (a->address[length / 8] ^ b->address[length / 8]) >> (8 - rest) == 0;
}

/* Two interfaces of one router in one subnet: only one of them gets its packets. */
static void
check_overlap(struct doctor *d, const struct mr_conf *router)
{
	struct subnet *list = calloc(SUBNETS_MAX, sizeof(*list));
	const struct mr_conf *interface, *address;
	unsigned count = 0;

	mr_conf_each(interface, router, "interface")
		mr_conf_each(address, interface, "address") {
			struct subnet *s;

			if (!list || count == SUBNETS_MAX)
				break;
			s = &list[count];
			if (!read_subnet(mr_conf_value(address), s))
				continue;
			s->interface = mr_conf_key(interface);
			for (unsigned i = 0; i < count; i++) {
				struct finding *f;

				/* An address alone inside a subnet is a loopback's. */
				if (strcmp(list[i].interface, s->interface) == 0 ||
				    !same_bits(&list[i], s) ||
				    MR_MAX(list[i].length, s->length) ==
					(s->family == AF_INET ? 32u : 128u))
					continue;
				f = doctor_say(d, DOCTOR_WARNING, AREA,
				    "router %s: %s of %s and %s of %s overlap", mr_conf_key(router),
				    list[i].text, list[i].interface, s->text, s->interface);
				doctor_why(f,
				    "Packets to hosts there leave by the longer prefix, "
				    "or by the first of two alike");
				doctor_fix(f, "# give each interface a subnet of its own in %s",
				    d->file);
			}
			count++;
		}
	free(list);
}

void
doctor_check_setup(struct doctor *d)
{
	const struct mr_conf *entry;

	find_workers(d);
	if (d->report && mr_report_count(d->report)) {
		say_errors(d);
		return;
	}
	if (!d->config) {
		doctor_say(d, DOCTOR_NOTE, AREA,
		    "no configuration was looked at: give its file to have interfaces and workers "
		    "checked");
		return;
	}
	doctor_say(d, DOCTOR_OK, AREA, "%s is right in itself", d->file);
	mr_conf_each(entry, mr_conf_root(d->config), "router")
		check_overlap(d, entry);
}
