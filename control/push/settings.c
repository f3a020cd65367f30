/* SPDX-License-Identifier: Apache-2.0 */

/* A subscription as it was configured. */

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/push/push_int.h"

struct build {
	struct push_settings *s;
	const struct mr_leaves *leaves;
	const struct mr_config *config;
	struct mr_report *report;
	struct mr_error *error;
	int rc;
};

/* What the operator wrote is wrong. */
static void
refuse(struct build *b, const struct mr_conf *node, const char *why)
{
	mr_report_at(b->report, b->config, node, "%s", why);
	b->rc = mr_error_set(b->error, -EINVAL, "telemetry: %s", why);
}

static char *
copy(struct build *b, const char *text)
{
	char *out = text ? strdup(text) : NULL;

	if (text && !out)
		b->rc = mr_error_set(b->error, -ENOMEM, "telemetry: no memory");
	return out;
}

/* "[2001:db8::1]:6030" */
static void
set_collector(struct build *b, const struct mr_conf *node)
{
	const char *text = mr_conf_text(node, "collector", "");
	const char *colon = strrchr(text, ':');
	unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 0;
	size_t bracket = *text == '[';

	if (port < 1 || port > 65535) {
		refuse(b, mr_conf_child(node, "collector"), "there are ports from 1 to 65535");
		return;
	}
	b->s->port = (uint16_t)port;
	b->s->host = strndup(text + bracket, (size_t)(colon - text) - 2 * bracket);
	if (!b->s->host)
		b->rc = mr_error_set(b->error, -ENOMEM, "telemetry: no memory");
}

static void
set_path(struct build *b, struct push_path *path, const struct mr_conf *leaf)
{
	struct mr_error error = { 0 };

	if (push_path_parse(path, b->leaves, mr_conf_value(leaf), &error))
		refuse(b, leaf, error.text);
}

static const struct mr_leaf *
number_at(const struct mr_leaves *leaves, const char *schema)
{
	for (unsigned i = 0; i < mr_leaves_count(leaves); i++) {
		const struct mr_leaf *leaf = mr_leaves_at(leaves, i);

		if (strcmp(leaf->path, schema) == 0)
			return leaf->kind < MR_LEAF_BOOL && !leaf->many ? leaf : NULL;
	}
	return NULL;
}

static bool
limit(const struct mr_conf *node, const char *name, double *out)
{
	const char *text = mr_conf_text(node, name, NULL);

	*out = text ? strtod(text, NULL) : 0;
	return text;
}

static void
set_threshold(struct build *b, struct push_threshold *t, const struct mr_conf *node)
{
	const struct mr_conf *path = mr_conf_child(node, "path");

	t->name = copy(b, mr_conf_key(node));
	t->has_above = limit(node, "above", &t->above);
	t->has_below = limit(node, "below", &t->below);
	limit(node, "hysteresis", &t->hysteresis);
	t->hold_ms = (uint32_t)mr_conf_uint(node, "hold", 0);
	t->per_second = mr_conf_bool(node, "per-second", false);
	if (!t->has_above && !t->has_below)
		refuse(b, node, "a threshold needs a limit: above, below or both");
	if (t->has_above && t->has_below && t->above < t->below)
		refuse(b, node, "a value cannot be all right: above is less than below");
	set_path(b, &t->path, path);
	if (b->rc)
		return;
	t->leaf = number_at(b->leaves, t->path.schema);
	if (!t->leaf)
		refuse(b, path, "a threshold is for one leaf that is a number");
}

static void
set_thresholds(struct build *b, const struct mr_conf *node)
{
	struct push_settings *s = b->s;
	const struct mr_conf *at;

	s->thresholds = calloc(mr_conf_count(node, "threshold") + 1, sizeof(*s->thresholds));
	if (!s->thresholds)
		b->rc = mr_error_set(b->error, -ENOMEM, "telemetry: no memory");
	else
		mr_conf_each(at, node, "threshold")
			set_threshold(b, &s->thresholds[s->threshold_count++], at);
	if (!b->rc && s->mode == PUSH_THRESHOLD && !s->threshold_count)
		refuse(b, node, "mode threshold needs a threshold");
}

/* -- which leaves ------------------------------------------------------------------------ */

static bool
named(const struct mr_conf *node, const char *name)
{
	const struct mr_conf *at;

	if (!mr_conf_child(node, "leaves"))
		return true;
	mr_conf_each(at, node, "leaves")
		if (fnmatch(mr_conf_value(at), name, 0) == 0)
			return true;
	return false;
}

static void
set_wanted(struct build *b, const struct mr_conf *node)
{
	struct push_settings *s = b->s;
	unsigned count = mr_leaves_count(b->leaves);

	s->wanted = calloc(count + 1, sizeof(*s->wanted));
	if (!s->wanted) {
		b->rc = mr_error_set(b->error, -ENOMEM, "telemetry: no memory");
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		const struct mr_leaf *leaf = mr_leaves_at(b->leaves, i);

		for (unsigned p = 0; p < s->path_count; p++)
			if (push_path_covers(&s->paths[p], leaf) && named(node, leaf->name))
				s->wanted[i] |= 1u << p;
	}
}

static void
set_paths(struct build *b, const struct mr_conf *node)
{
	struct push_settings *s = b->s;
	const struct mr_conf *at;

	mr_conf_each(at, node, "path")
		if (s->path_count < PUSH_PATHS_MAX)
			set_path(b, &s->paths[s->path_count++], at);
	mr_conf_each(at, node, "entries")
		if (s->entry_count < PUSH_PATHS_MAX)
			s->entries[s->entry_count++] = copy(b, mr_conf_value(at));
	if (!b->rc)
		set_wanted(b, node);
}

/* -- the rest ---------------------------------------------------------------------------- */

static enum push_mode
mode_of(const char *word)
{
	if (strcmp(word, "change") == 0)
		return PUSH_CHANGE;
	return strcmp(word, "threshold") == 0 ? PUSH_THRESHOLD : PUSH_CADENCE;
}

static void
set_tls(struct build *b, const struct mr_conf *node)
{
	const struct mr_conf *tls = mr_conf_child(node, "tls");

	b->s->tls = tls;
	b->s->ca = copy(b, mr_conf_text(tls, "ca", NULL));
	b->s->certificate = copy(b, mr_conf_text(tls, "certificate", NULL));
	b->s->key = copy(b, mr_conf_text(tls, "key", NULL));
	b->s->server_name = copy(b, mr_conf_text(tls, "server-name", NULL));
	if (!b->s->certificate != !b->s->key)
		refuse(b, tls, "a certificate and its key belong together");
}

static void
set_text(struct build *b, const struct mr_conf *node)
{
	size_t size;
	FILE *file = open_memstream(&b->s->text, &size);

	if (file) {
		mr_conf_print_json(node, file);
		fclose(file);
	}
	if (!b->s->text)
		b->rc = mr_error_set(b->error, -ENOMEM, "telemetry: no memory");
}

int
push_settings_create(struct push_settings **out, const struct mr_leaves *leaves,
    const struct mr_config *config, const struct mr_conf *node, struct mr_report *report,
    struct mr_error *error)
{
	struct push_settings *s = calloc(1, sizeof(*s));
	struct build b = { s, leaves, config, report, error, 0 };

	*out = NULL;
	if (!s)
		return mr_error_set(error, -ENOMEM, "telemetry: no memory");
	s->name = copy(&b, mr_conf_key(node));
	s->protobuf = strcmp(mr_conf_text(node, "encoding", "json"), "protobuf") == 0;
	s->mode = mode_of(mr_conf_text(node, "mode", "cadence"));
	s->changed_only = mr_conf_bool(node, "changed-only", false) || s->mode == PUSH_CHANGE;
	s->cadence_ms = (uint32_t)mr_conf_uint(node, "cadence", 10000);
	s->heartbeat_s = (uint32_t)mr_conf_uint(node, "heartbeat", 60);
	s->queue = mr_conf_uint(node, "queue", 4u << 20);
	set_collector(&b, node);
	set_tls(&b, node);
	set_paths(&b, node);
	set_thresholds(&b, node);
	set_text(&b, node);
	if (b.rc) {
		push_settings_destroy(s);
		return b.rc;
	}
	*out = s;
	return 0;
}

void
push_settings_destroy(struct push_settings *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->threshold_count; i++) {
		free(s->thresholds[i].name);
		push_path_clear(&s->thresholds[i].path);
	}
	for (unsigned i = 0; i < s->path_count; i++)
		push_path_clear(&s->paths[i]);
	for (unsigned i = 0; i < s->entry_count; i++)
		free(s->entries[i]);
	free(s->thresholds);
	free(s->wanted);
	free(s->ca);
	free(s->certificate);
	free(s->key);
	free(s->server_name);
	free(s->host);
	free(s->text);
	free(s->name);
	free(s);
}
