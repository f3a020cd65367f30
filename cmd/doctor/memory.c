/* SPDX-License-Identifier: Apache-2.0 */

/* Memory for packets: pages, and enough of it. */

#include <stdlib.h>
#include <string.h>

#include "cmd/doctor/doctor.h"
#include "cmd/doctor/text.h"

#define AREA "memory"
#define STRIDE 2112

static uint64_t
wanted_bytes(const struct doctor *d, const char **pages)
{
	const struct mr_conf *system = NULL;

	if (d->config)
		system = mr_conf_child(mr_conf_root(d->config), "system");
	*pages = mr_conf_text(system, "pages", "auto");
	return mr_conf_uint(system, "buffers", 32768) * STRIDE;
}

/* What reserved pages of this size have free. */
static uint64_t
reserved(struct doctor *d, unsigned kib, uint64_t *total)
{
	static const char folder[] = "/sys/kernel/mm/hugepages/hugepages";
	uint64_t free_pages;

	*total = (uint64_t)doctor_number(d, 0, "%s-%ukB/nr_hugepages", folder, kib);
	free_pages = (uint64_t)doctor_number(d, 0, "%s-%ukB/free_hugepages", folder, kib);
	return MR_MIN(free_pages, UINT64_C(1) << 30) * kib * 1024;
}

static void
check_huge(struct doctor *d, uint64_t wanted, const char *pages)
{
	uint64_t total2, total1, free2 = reserved(d, 2048, &total2),
				 free1 = reserved(d, 1048576, &total1);
	const char *in_use = json_string_value(json_object_get(
	    json_object_get(json_object_get(d->before, "system"), "memory"), "pages"));
	unsigned want2 = (unsigned)((wanted >> 21) + 1);
	bool must2 = strcmp(pages, "2m") == 0, must1 = strcmp(pages, "1g") == 0;
	struct finding *f;

	if (in_use) { /* It has what it has. */
		doctor_say(d, DOCTOR_OK, AREA, "packet memory is on pages: %s", in_use);
		return;
	}
	if ((must2 && free2 < wanted) || (must1 && free1 < wanted)) {
		f = doctor_say(d, DOCTOR_ERROR, AREA,
		    "system/pages wants %s pages, of which %llu MiB are free; packet memory has "
		    "%llu MiB",
		    pages, (unsigned long long)(must2 ? free2 : free1) >> 20,
		    (unsigned long long)wanted >> 20);
		doctor_why(f, "millrace does not start without them");
		doctor_fix(f, "sysctl -w vm.nr_hugepages=%llu", (unsigned long long)total2 + want2);
	} else if (free2 >= wanted || free1 >= wanted) {
		doctor_say(d, DOCTOR_OK, AREA, "hugepages suffice for packet memory (%llu MiB)",
		    (unsigned long long)wanted >> 20);
	} else if (total2 || total1) {
		f = doctor_say(d, DOCTOR_NOTE, AREA,
		    "hugepages are reserved, but only %llu MiB of them are free; packet memory has "
		    "%llu MiB",
		    (unsigned long long)MR_MAX(free2, free1) >> 20,
		    (unsigned long long)wanted >> 20);
		doctor_why(f, "Packets fall back to smaller pages, which costs misses of the TLB");
		doctor_fix(f, "sysctl -w vm.nr_hugepages=%llu", (unsigned long long)total2 + want2);
	} else {
		f = doctor_say(d, DOCTOR_NOTE, AREA, "no hugepages are reserved");
		doctor_why(f, "Not needed, but they are what large packet memories are fastest on");
		doctor_fix(f, "sysctl -w vm.nr_hugepages=%u", want2);
	}
}

/* Packet memory is a memfd: that is shmem's affair, not that of anonymous memory. */
static void
check_transparent(struct doctor *d)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
	char word[16], *text = doctor_read(d, "%s", path);
	struct finding *f;

	if (text && text_chosen(text, word, sizeof(word)) &&
	    (strcmp(word, "never") == 0 || strcmp(word, "deny") == 0)) {
		f = doctor_say(d, DOCTOR_NOTE, AREA,
		    "transparent hugepages are off for shared memory (%s)", word);
		doctor_why(f,
		    "Packet memory is shared memory; without reserved hugepages it then has 4 KB "
		    "pages");
		doctor_fix(f, "echo advise > %s", path);
	} else if (text) {
		doctor_say(d, DOCTOR_OK, AREA, "transparent hugepages are there for shared memory");
	}
	free(text);
}

static void
check_room(struct doctor *d, uint64_t wanted)
{
	char *text = doctor_read(d, "/proc/meminfo");
	uint64_t available = 0;
	struct finding *f;

	/* A running one has it already. */
	if (text && !d->before && text_field_uint(text, "MemAvailable", &available) &&
	    available < wanted / 1024 + wanted / 4096) {
		f = doctor_say(d, DOCTOR_ERROR, AREA,
		    "%llu MiB are available, packet memory alone has %llu MiB",
		    (unsigned long long)available >> 10, (unsigned long long)wanted >> 20);
		doctor_why(f, "It does not start, or something else is killed for it");
		doctor_fix(f, "# lower system/buffers in %s",
		    d->file ? d->file : "the configuration");
	}
	free(text);
}

void
doctor_check_memory(struct doctor *d)
{
	const char *pages;
	uint64_t wanted = wanted_bytes(d, &pages);

	check_huge(d, wanted, pages);
	check_transparent(d);
	check_room(d, wanted);
}
