/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/graph/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit/base/suggest.h"

#define PLUGINS_MAX 64

struct mr_plugins {
	struct {
		char *path;
		void *object;
		const struct mr_plugin *plugin;
	} loaded[PLUGINS_MAX];
	unsigned count;
};

int
mr_plugins_create(struct mr_plugins **out, struct mr_error *error)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : mr_error_set(error, -ENOMEM, "plugins: no memory");
}

void
mr_plugins_destroy(struct mr_plugins *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->count; i++) {
		dlclose(p->loaded[i].object);
		free(p->loaded[i].path);
	}
	free(p);
}

static int
check(const struct mr_plugins *set, const struct mr_plugin *plugin, const char *path,
    struct mr_error *error)
{
	if (plugin->abi != MR_PLUGIN_ABI)
		return mr_error_set(error, -ENOEXEC,
		    "plugin %s: built for plugin ABI %u, this is %u; build it again", path,
		    plugin->abi, MR_PLUGIN_ABI);
	if (!plugin->name || !plugin->nodes)
		return mr_error_set(error, -ENOEXEC, "plugin %s: has no name or no nodes", path);
	for (unsigned i = 0; plugin->nodes[i]; i++) {
		const struct mr_node_class *class = plugin->nodes[i];

		if (!class->name || !class->run || class->edge_count != 1)
			return mr_error_set(error, -ENOEXEC,
			    "plugin %s: node %s must have a function and one edge, the way on",
			    path, class->name ? class->name : "without a name");
		for (unsigned k = 0; k < set->count; k++)
			for (unsigned n = 0; set->loaded[k].plugin->nodes[n]; n++)
				if (!strcmp(set->loaded[k].plugin->nodes[n]->name, class->name))
					return mr_error_set(error, -EEXIST,
					    "plugin %s: there is a node %s already, from %s", path,
					    class->name, set->loaded[k].path);
	}
	return 0;
}

int
mr_plugins_load(struct mr_plugins *p, const char *path, struct mr_error *error)
{
	const struct mr_plugin *plugin;
	void *object;
	int rc;

	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->loaded[i].path, path) == 0)
			return 0;
	if (p->count == PLUGINS_MAX)
		return mr_error_set(error, -ENOSPC,
		    "plugin %s: %u are loaded already, the most there can be", path, PLUGINS_MAX);
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object)
		return mr_error_set(error, -ENOENT, "plugin %s: %s", path, dlerror());
	plugin = dlsym(object, "mr_plugin");
	if (!plugin) {
		rc = mr_error_set(error, -ENOEXEC, "plugin %s: exports no mr_plugin", path);
		goto fail;
	}
	rc = check(p, plugin, path, error);
	if (rc)
		goto fail;
	p->loaded[p->count].path = strdup(path);
	if (!p->loaded[p->count].path) {
		rc = mr_error_set(error, -ENOMEM, "plugin %s: no memory", path);
		goto fail;
	}
	p->loaded[p->count].object = object;
	p->loaded[p->count++].plugin = plugin;
	return 0;

fail:
	dlclose(object);
	return rc;
}

const struct mr_plugin *
mr_plugins_at(const struct mr_plugins *p, unsigned n)
{
	return n < p->count ? p->loaded[n].plugin : NULL;
}

int
mr_plugins_find(const struct mr_plugins *p, const char *node, const struct mr_plugin **plugin,
    const struct mr_node_class **class, struct mr_error *error)
{
	struct mr_suggest near = { .word = node };

	for (unsigned i = 0; i < p->count; i++) {
		for (unsigned n = 0; p->loaded[i].plugin->nodes[n]; n++) {
			const struct mr_node_class *c = p->loaded[i].plugin->nodes[n];

			if (strcmp(c->name, node) == 0) {
				*plugin = p->loaded[i].plugin;
				*class = c;
				return 0;
			}
			mr_suggest_try(&near, c->name);
		}
	}
	if (mr_suggest_best(&near))
		return mr_error_set(error, -ENOENT, "no plugin has a node %s; did you mean %s?",
		    node, mr_suggest_best(&near));
	return mr_error_set(error, -ENOENT, "no plugin has a node %s (%u plugins are loaded)", node,
	    p->count);
}
