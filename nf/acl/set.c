/* SPDX-License-Identifier: Apache-2.0 */
/* Named sets: their elements from the configuration and from files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nf/acl/spec.h"
#include "nf/acl/text.h"

#define FILE_ELEMENTS_MAX (1u << 20)

static enum acl_set_type
type_of(const char *name)
{
	static const char *const names[] = {
		[ACL_SET_ADDRESS4] = "address4",
		[ACL_SET_ADDRESS6] = "address6",
		[ACL_SET_NETWORK] = "network",
		[ACL_SET_PORT] = "port",
		[ACL_SET_PROTOCOL] = "protocol",
		[ACL_SET_INTERFACE] = "interface",
		[ACL_SET_MAC] = "mac",
	};

	for (unsigned i = 0; i < MR_ARRAY_COUNT(names); i++) {
		if (!strcmp(name, names[i]))
			return (enum acl_set_type)i;
	}
	return ACL_SET_NETWORK;
}

static bool
interface_element(const struct acl_reading *r, const char *text, struct acl_range *out, char *why)
{
	uint16_t index = 0;

	/* Without a data plane the configuration alone says which there are. */
	if (r->interface ? !r->interface(r->user, text, &index)
			 : !mr_conf_find(mr_conf_root(r->config), "interface", text)) {
		snprintf(why, ACL_WHY, "there is no interface \"%.40s\"", text);
		return false;
	}
	*out = (struct acl_range){ index, index };
	return true;
}

bool
acl_element_add(struct acl_ranges ranges[2], enum acl_set_type type, const struct acl_reading *r,
    const char *text, char *why, int *error)
{
	struct acl_range range = { 0, 0 };
	unsigned family = 4;
	bool good = false;

	switch (type) {
	case ACL_SET_ADDRESS4:
	case ACL_SET_ADDRESS6:
	case ACL_SET_NETWORK:
		good = acl_text_address(text, &family, &range, why);
		if (good && type != ACL_SET_NETWORK &&
		    (family == 4) != (type == ACL_SET_ADDRESS4)) {
			snprintf(why, ACL_WHY,
			    "\"%.80s\" is an IPv%u address, but the set has IPv%u ones", text,
			    family, family == 4 ? 6 : 4);
			good = false;
		}
		break;
	case ACL_SET_PORT:
		good = acl_text_port(text, &range, why);
		break;
	case ACL_SET_PROTOCOL:
		good = acl_text_protocol(text, &range, why);
		break;
	case ACL_SET_INTERFACE:
		good = interface_element(r, text, &range, why);
		break;
	case ACL_SET_MAC:
		good = acl_text_mac(text, &range, why);
		break;
	}
	if (good && acl_ranges_add(&ranges[family == 6], range.first, range.last))
		*error = -ENOMEM;
	return good;
}

/* "  192.0.2.0/24  # office" to its word; null: there is none. */
static char *
word_of(char *line)
{
	char *end;

	line[strcspn(line, "#\r\n")] = '\0';
	line += strspn(line, " \t");
	end = line + strlen(line);
	while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	return *line ? line : NULL;
}

static int
read_file(struct acl_set *set, const struct acl_reading *r, const struct mr_conf *conf)
{
	const struct mr_conf *at = mr_conf_child(conf, "file");
	const char *path = mr_conf_value(at);
	char line[512], why[ACL_WHY];
	unsigned number = 0;
	int error = 0;
	FILE *f;

	f = fopen(path, "re");
	if (!f) {
		mr_report_at(r->report, r->config, at, "cannot read %s: %s", path, strerror(errno));
		return -EINVAL;
	}
	while (!error && fgets(line, sizeof(line), f)) {
		char *word = word_of(line);

		if (++number > FILE_ELEMENTS_MAX) {
			mr_report_at(r->report, r->config, at, "%s has more than %u lines", path,
			    FILE_ELEMENTS_MAX);
			error = -EINVAL;
		} else if (word && !acl_element_add(set->ranges, set->type, r, word, why, &error)) {
			mr_report_at(r->report, r->config, at, "%s, line %u: %s", path, number,
			    why);
			error = -EINVAL;
		}
	}
	if (!error && ferror(f)) {
		mr_report_at(r->report, r->config, at, "cannot read %s: %s", path, strerror(errno));
		error = -EINVAL;
	}
	fclose(f);
	return error;
}

static int
read_one(struct acl_set *set, const struct acl_reading *r, const struct mr_conf *conf)
{
	const struct mr_conf *element;
	char why[ACL_WHY];
	int error = 0;

	snprintf(set->name, sizeof(set->name), "%s", mr_conf_key(conf));
	set->type = type_of(mr_conf_text(conf, "type", "network"));
	mr_conf_each(element, conf, "elements") {
		if (!acl_element_add(set->ranges, set->type, r, mr_conf_value(element), why,
			&error)) {
			mr_report_at(r->report, r->config, element, "set %s: %s", set->name, why);
			error = -EINVAL;
		}
	}
	if (mr_conf_present(conf, "file")) {
		int file = read_file(set, r, conf);

		error = error ? error : file;
	}
	acl_ranges_seal(&set->ranges[0]);
	acl_ranges_seal(&set->ranges[1]);
	return error;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct acl_set *)a)->name, ((const struct acl_set *)b)->name);
}

int
acl_sets_read(struct acl_sets *sets, const struct acl_reading *r, const struct mr_conf *acl)
{
	const struct mr_conf *conf;
	int ret = 0;

	memset(sets, 0, sizeof(*sets));
	sets->at = calloc(mr_conf_count(acl, "set") + 1, sizeof(*sets->at));
	if (!sets->at)
		return -ENOMEM;
	mr_conf_each(conf, acl, "set") {
		int one = read_one(&sets->at[sets->count++], r, conf);

		ret = ret ? ret : one;
	}
	qsort(sets->at, sets->count, sizeof(*sets->at), compare);
	return ret;
}

void
acl_sets_free(struct acl_sets *sets)
{
	for (unsigned i = 0; i < sets->count; i++) {
		acl_ranges_free(&sets->at[i].ranges[0]);
		acl_ranges_free(&sets->at[i].ranges[1]);
	}
	free(sets->at);
	memset(sets, 0, sizeof(*sets));
}

const struct acl_set *
acl_set_find(const struct acl_sets *sets, const char *name)
{
	struct acl_set key;

	if (strlen(name) >= sizeof(key.name))
		return NULL;
	snprintf(key.name, sizeof(key.name), "%s", name);
	return sets->count ? bsearch(&key, sets->at, sets->count, sizeof(*sets->at), compare)
			   : NULL;
}
