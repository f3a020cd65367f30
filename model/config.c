/* SPDX-License-Identifier: Apache-2.0 */
#include "model/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/edit.h"
#include "model/model_int.h"
#include "model/yaml_int.h"

static int
no_memory(struct mr_report *report, const char *name)
{
	mr_report_add(report, name, 0, 0, "", "not enough memory to read it");
	return -ENOMEM;
}

/* A top member "ietf-restconf:data" holds everything (RFC 8040, 3.4). */
static struct mr_yaml_node *
unwrap(struct mr_yaml_node *root)
{
	if (root && root->kind == MR_YAML_MAP && root->count == 1 &&
	    !strcmp(root->pairs[0].key->text, "ietf-restconf:data"))
		return root->pairs[0].value;
	return root;
}

static int
config_parse(struct mr_config *config, const char *text, size_t size, bool json,
    struct mr_report *report)
{
	size_t errors = mr_report_count(report);
	/* Each entry that is written takes two bytes at least. */
	size_t nodes_max = MR_CONFIG_ALIASED_MAX + size / 2;
	struct mr_yaml_node *root;
	struct mr_yaml *yaml;
	int rc;

	if (size > MR_CONFIG_SIZE_MAX) {
		mr_report_add(report, config->name, 0, 0, "", "is larger than %u MiB",
		    MR_CONFIG_SIZE_MAX >> 20);
		return -EFBIG;
	}
	if (json)
		rc = mr_json_parse(&yaml, &root, config->name, text, size, nodes_max, report);
	else
		rc = mr_yaml_parse(&yaml, &root, config->name, text, size, nodes_max, report);
	if (rc)
		return rc;
	rc = mr_config_build(config, json ? unwrap(root) : root, nodes_max,
	    json ? MR_BUILD_JSON : 0, report);
	mr_yaml_destroy(yaml);
	if (rc == -ENOMEM)
		return no_memory(report, config->name);
	return mr_report_count(report) != errors ? -EINVAL : rc;
}

static int
parse(struct mr_config **out, struct mr_model *model, const char *name, const char *text,
    size_t size, bool json, struct mr_report *report)
{
	struct mr_config *config = calloc(1, sizeof(*config));
	struct mr_report *own = NULL;
	int rc = 0;

	*out = NULL;
	/* Errors are counted, so there must be something to count them. */
	if (!report) {
		rc = mr_report_create(&own);
		report = own;
	}
	if (!config || !(config->name = strdup(name)))
		rc = no_memory(report, name);
	if (!rc) {
		config->model = model;
		rc = config_parse(config, text, size, json, report);
	}
	mr_report_sort(report);
	if (rc) {
		mr_config_destroy(config);
	} else {
		mr_config_seal(config);
		*out = config;
	}
	mr_report_destroy(own);
	return rc;
}

int
mr_config_parse(struct mr_config **out, struct mr_model *model, const char *name, const char *text,
    size_t size, struct mr_report *report)
{
	return parse(out, model, name, text, size, false, report);
}

int
mr_config_parse_json(struct mr_config **out, struct mr_model *model, const char *name,
    const char *text, size_t size, struct mr_report *report)
{
	return parse(out, model, name, text, size, true, report);
}

/* Reads everything behind `fd`; pipes have no size to ask for. */
static int
read_all(int fd, char **text, size_t *size)
{
	size_t room = 65536, used = 0;
	char *grown, *t = malloc(room);
	ssize_t n = 1;

	while (t && n && used <= MR_CONFIG_SIZE_MAX) {
		if (used == room) {
			grown = realloc(t, room * 2);
			if (!grown) {
				free(t);
				return -ENOMEM;
			}
			t = grown;
			room *= 2;
		}
		n = read(fd, t + used, room - used);
		if (n < 0 && errno != EINTR) {
			n = -errno;
			free(t);
			return (int)n;
		}
		used += n > 0 ? (size_t)n : 0;
	}
	*text = t;
	*size = used;
	return t ? 0 : -ENOMEM;
}

int
mr_config_read_text(const char *path, char **text, size_t *size, struct mr_report *report)
{
	bool standard = !strcmp(path, "-");
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	const char *name = standard ? "standard input" : path;
	struct stat st;
	int rc;

	*text = NULL;
	*size = 0;
	if (fd < 0) {
		rc = -errno;
		mr_report_add(report, name, 0, 0, "", "cannot be opened: %s", strerror(-rc));
		return rc;
	}
	if (!fstat(fd, &st) && S_ISDIR(st.st_mode))
		rc = -EISDIR;
	else
		rc = read_all(fd, text, size);
	if (!standard)
		close(fd);
	if (rc)
		mr_report_add(report, name, 0, 0, "", "cannot be read: %s", strerror(-rc));
	return rc;
}

int
mr_config_load(struct mr_config **out, struct mr_model *model, const char *path,
    struct mr_report *report)
{
	size_t size;
	char *text;
	int rc = mr_config_read_text(path, &text, &size, report);

	*out = NULL;
	if (rc)
		return rc;
	rc = mr_config_parse(out, model, strcmp(path, "-") ? path : "standard input", text, size,
	    report);
	free(text);
	return rc;
}

void
mr_config_destroy(struct mr_config *config)
{
	if (!config)
		return;
	lyd_free_all(config->tree);
	free(config->name);
	free(config);
}

const struct mr_model *
mr_config_model(const struct mr_config *config)
{
	return config->model;
}

const char *
mr_config_name(const struct mr_config *config)
{
	return config ? config->name : "";
}
