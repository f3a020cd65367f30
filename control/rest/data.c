/* SPDX-License-Identifier: Apache-2.0 */

/*
 * RFC 8040, sections 3.4, 3.5 and 4.3: what is configured and what is the case, read.
 *
 * State comes as text from those whose it is; it becomes a tree beside the configuration's, from
 * which the path takes its part. Only the function that the path begins with is asked, where the
 * two have one name.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "control/commit/commit.h"
#include "control/rest/rest_int.h"
#include "model/edit.h"
#include "model/path.h"
#include "model/print.h"
#include "model/report.h"

#define DEPTH_MAX 65535u

struct wanted {
	const char *path;
	struct mr_print print;
	const char *fields; /* null: all */
	bool list;          /* the path ends in a list without keys: all its entries */
	char parent[REST_PATH_MAX];
	char last[256];
};

/* -- the query --------------------------------------------------------------------------- */

bool
rest_knows_query(const struct mr_http_call *call, const char *names)
{
	const struct evkeyval *given;

	TAILQ_FOREACH(given, call->query, next)
	{
		const char *at = names;
		size_t len = strlen(given->key);

		while (at && !(strncmp(at, given->key, len) == 0 && strchr("|", at[len])))
			at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL;
		if (at)
			continue;
		rest_fail(call, 400, "invalid-value", NULL,
		    "there is no query parameter %.60s here; there are %s", given->key, names);
		return false;
	}
	return true;
}

/* The place of a word among these; -1: it is none. */
static int
choose(const struct mr_http_call *call, const char *name, const char *const *words, int fallback)
{
	const char *value = mr_http_param(call, name, NULL);

	for (int i = 0; value && words[i]; i++)
		if (strcmp(words[i], value) == 0)
			return i;
	if (!value)
		return fallback;
	rest_fail(call, 400, "invalid-value", NULL, "%s is not \"%.60s\"", name, value);
	return -1;
}

static bool
read_query(const struct mr_http_call *call, struct wanted *w)
{
	static const char *const contents[] = { "all", "config", "nonconfig", NULL };
	static const char *const defaults[] = { "explicit", "trim", "report-all", NULL };
	const char *depth = mr_http_param(call, "depth", "unbounded");
	int content, how;
	char *rest;
	unsigned long n;

	if (!rest_knows_query(call, "content|depth|fields|with-defaults"))
		return false;
	content = choose(call, "content", contents, MR_PRINT_ALL);
	if (content < 0)
		return false;
	how = choose(call, "with-defaults", defaults, MR_PRINT_EXPLICIT);
	if (how < 0)
		return false;
	n = strtoul(depth, &rest, 10);
	if (strcmp(depth, "unbounded") == 0) {
		n = 0;
	} else if (*depth < '0' || *depth > '9' || *rest || n < 1 || n > DEPTH_MAX) {
		rest_fail(call, 400, "invalid-value", NULL,
		    "depth is a number between 1 and %u, or unbounded", DEPTH_MAX);
		return false;
	}
	w->print = (struct mr_print){ MR_PRINT_JSON, (enum mr_print_content)content,
		(enum mr_print_defaults)how, (unsigned)n };
	w->fields = mr_http_param(call, "fields", NULL);
	return true;
}

/* -- the tree ---------------------------------------------------------------------------- */

static int
read_state(const struct rest *r, const char *name, struct mr_config **out, struct mr_error *error)
{
	struct mr_model *model = mr_control_model_of(r->control);
	struct mr_state *state = NULL;
	const char *text;
	size_t size;
	int rc = mr_state_create(&state, model, MR_STATE_RFC7951);

	if (rc)
		return mr_error_set(error, rc, "no memory");
	rc = mr_control_show(r->control, name, state);
	if (rc == -ENOENT)
		rc = mr_control_show(r->control, NULL, state);
	if (!rc)
		rc = mr_state_finish(state, &text, &size, error);
	if (!rc)
		rc = mr_state_read(out, model, text, size, error);
	mr_state_destroy(state);
	return rc;
}

/* Configuration, with the state beside it where that is wanted. */
static int
make_tree(const struct rest *r, const struct wanted *w, struct mr_config **out,
    struct mr_error *error)
{
	const struct mr_config *running = mr_commits_running(mr_commits_of(r->control));
	size_t len = strcspn(w->path, "=/");
	const char *colon = memchr(w->path, ':', len);
	const char *name = colon ? colon + 1 : w->path;
	struct mr_config *state = NULL;
	char function[64];
	int rc;

	*out = NULL;
	if (w->print.content == MR_PRINT_CONFIG)
		return 0;
	snprintf(function, sizeof(function), "%.*s", (int)(w->path + len - name), name);
	rc = read_state(r, *function ? function : NULL, &state, error);
	if (!rc) {
		rc = mr_config_join(out, running, state);
		if (rc)
			mr_error_set(error, rc, "configuration and state cannot be joined");
	}
	mr_config_destroy(state);
	return rc;
}

/* A list's name without keys stands for its entries: they are its parent's. */
static void
see_list(struct wanted *w, const struct mr_conf *node)
{
	const char *slash = strrchr(w->path, '/'), *last = slash ? slash + 1 : w->path;
	const char *colon = strchr(last, ':');

	w->list = *w->path && mr_conf_key(node) && !strchr(last, '=') &&
	    strcmp(mr_conf_name(node), colon ? colon + 1 : last) == 0;
	snprintf(w->parent, sizeof(w->parent), "%.*s", slash ? (int)(slash - w->path) : 0, w->path);
	snprintf(w->last, sizeof(w->last), "%s", colon ? colon + 1 : last);
}

static json_t *
print_node(const struct mr_conf *node, const struct mr_print *how)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	json_t *value = NULL;

	if (!out)
		return NULL;
	mr_conf_print(node, how, out);
	if (fclose(out) == 0)
		value = json_loadb(text, size, 0, NULL);
	free(text);
	return value;
}

/* The list's member of its parent: {"module:list": [...]}. */
static json_t *
take_list(json_t *printed, const char *name, bool top)
{
	json_t *parent = printed, *list = NULL, *out;
	const char *key, *module = NULL;
	char full[512];

	if (!top) {
		parent = json_object_iter_value(json_object_iter(printed));
		module = json_object_iter_key(json_object_iter(printed));
		parent = json_is_array(parent) ? json_array_get(parent, 0) : parent;
	}
	json_object_foreach(parent, key, list)
	{
		const char *colon = strchr(key, ':');

		if (strcmp(colon ? colon + 1 : key, name) != 0)
			continue;
		if (colon || !module)
			snprintf(full, sizeof(full), "%s", key);
		else
			snprintf(full, sizeof(full), "%.*s:%s", (int)strcspn(module, ":"), module,
			    key);
		out = json_pack("{s:O}", full, list);
		json_decref(printed);
		return out;
	}
	json_decref(printed);
	return json_object();
}

/* -- answers ----------------------------------------------------------------------------- */

void
rest_tag(const struct mr_commits *commits, char tag[64], char modified[40])
{
	const struct mr_commit *c = mr_commits_current(commits);
	time_t seconds = c ? (time_t)(c->when / 1000) : 0;
	struct tm tm;

	snprintf(tag, 64, "\"%llu-%llx\"", c ? (unsigned long long)c->id : 0,
	    c ? (unsigned long long)c->when : 0);
	gmtime_r(&seconds, &tm);
	strftime(modified, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

/* RFC 8040, 3.4.1: of the configuration; it says nothing about state. True: the client has it. */
static bool
is_known(const struct mr_http_call *call, const struct wanted *w)
{
	const struct rest *r = call->state;
	const char *since = mr_http_header(call, "If-Modified-Since");
	char tag[64], modified[40];

	if (w->print.content == MR_PRINT_NONCONFIG)
		return false;
	rest_tag(mr_commits_of(r->control), tag, modified);
	mr_http_set_header(call, "Last-Modified", modified);
	if (w->print.content == MR_PRINT_ALL) {
		mr_http_set_header(call, "ETag", tag);
		return false;
	}
	if (mr_http_unchanged(call, tag))
		return true;
	if (!since || mr_http_header(call, "If-None-Match") || strcmp(since, modified) != 0)
		return false;
	mr_http_send(call, 304, NULL, NULL);
	return true;
}

/* The answer's one member, or the whole's members. */
static void
finish(const struct mr_http_call *call, struct wanted *w, json_t *value)
{
	json_t *inside = value;

	if (value && *w->path) {
		inside = json_object_iter_value(json_object_iter(value));
		if (w->list && w->print.depth)
			rest_keep_depth(inside, w->print.depth);
	}
	if (value && w->fields && (!inside || !rest_keep_fields(inside, w->fields))) {
		json_decref(value);
		rest_fail(call, 400, "invalid-value", NULL,
		    "fields is like name;counters(rx-packets;tx-packets), not %.100s", w->fields);
		return;
	}
	if (value && !*w->path)
		value = json_pack("{s:o}", "ietf-restconf:data", value);
	rest_send(call, 200, value);
}

static void
serve_node(const struct mr_http_call *call, struct wanted *w, const struct mr_config *tree)
{
	const struct rest *r = call->state;
	struct mr_print whole = w->print;
	const struct mr_conf *node;
	struct mr_error error = { 0 };
	json_t *value, *own;
	int rc = mr_config_at(tree, w->path, &node, &error);

	if (rc) {
		rest_fail(call,
		    rc == -ENOENT       ? 404
			: rc == -EINVAL ? 400
					: 503,
		    rc == -EINVAL ? "unknown-element" : "invalid-value", NULL, "%s",
		    error.text[0] ? error.text : "there is nothing at this path");
		return;
	}
	see_list(w, node);
	if (is_known(call, w))
		return;
	if (w->list) {
		mr_config_at(tree, w->parent, &node, &error);
		whole.depth = 0;
	}
	value = print_node(node, &whole);
	if (value && w->list)
		value = take_list(value, w->last, !*w->parent);
	if (value && !*w->path && w->print.content != MR_PRINT_CONFIG) {
		own = rest_own_state(r);
		if (own && w->print.depth)
			rest_keep_depth(own, w->print.depth);
		json_object_update(value, own);
		json_decref(own);
	}
	finish(call, w, value);
}

/* ietf-yang-library and ietf-restconf-monitoring: containers by names, lists by one key. */
static bool
serve_own(const struct mr_http_call *call, struct wanted *w)
{
	json_t *all, *value, *entry, *named;
	const char *at = w->path, *key = NULL;
	char name[128] = "", module[64] = "";

	if (strncmp(at, "ietf-yang-library:", 18) != 0 &&
	    strncmp(at, "ietf-restconf-monitoring:", 25) != 0)
		return false;
	snprintf(module, sizeof(module), "%.*s", (int)strcspn(at, ":"), at);
	all = rest_own_state(call->state);
	value = all;
	while (value && *at) {
		size_t len = strcspn(at, "/="), i;

		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		value = json_object_get(value, name);
		at += len;
		key = *at == '=' ? at + 1 : NULL;
		if (key) {
			entry = NULL;
			len = strcspn(key, "/");
			json_array_foreach(value, i, named)
			{
				const char *is = json_string_value(json_object_get(named, "name"));

				if (is && strlen(is) == len && strncmp(is, key, len) == 0)
					entry = named;
			}
			value = entry;
			at = key + len;
		}
		at += *at == '/';
	}
	if (w->print.content == MR_PRINT_CONFIG)
		value = NULL;
	if (!value) {
		rest_fail(call, 404, "invalid-value", NULL, "there is nothing at this path");
	} else {
		if (w->print.depth)
			rest_keep_depth(value, w->print.depth);
		if (strchr(name, ':'))
			memmove(name, strchr(name, ':') + 1, strlen(strchr(name, ':')));
		snprintf(w->last, sizeof(w->last), "%.63s:%.127s", module, name);
		value =
		    key ? json_pack("{s:[O]}", w->last, value) : json_pack("{s:O}", w->last, value);
		finish(call, w, value);
	}
	json_decref(all);
	return true;
}

static void
serve_get(const struct mr_http_call *call)
{
	const struct rest *r = call->state;
	struct wanted w = { .path = call->path };
	struct mr_config *tree = NULL;
	struct mr_error error = { 0 };
	const char *tag;
	int rc;

	if (!rest_sends_json(call, NULL) || !read_query(call, &w) || serve_own(call, &w))
		return;
	rc = make_tree(r, &w, &tree, &error);
	if (rc)
		rest_fail(call, rest_code(rc, &tag), tag, NULL, "%s", error.text);
	else
		serve_node(call, &w, tree ? tree : mr_commits_running(mr_commits_of(r->control)));
	mr_config_destroy(tree);
}

void
rest_data(const struct mr_http_call *call)
{
	enum evhttp_cmd_type method = evhttp_request_get_command(call->req);

	if (strlen(call->path) >= REST_PATH_MAX) {
		rest_fail(call, 414, "too-big", NULL, "the path is too long");
	} else if (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD) {
		serve_get(call);
	} else if (method == EVHTTP_REQ_OPTIONS) {
		mr_http_set_allow(call,
		    EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH |
			(*call->path ? EVHTTP_REQ_DELETE : 0));
		mr_http_send(call, 200, NULL, NULL);
	} else {
		rest_write(call);
	}
}
