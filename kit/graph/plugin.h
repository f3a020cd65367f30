/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_GRAPH_PLUGIN_H
#define MR_KIT_GRAPH_PLUGIN_H

/*
 * Nodes from shared objects. A plugin exports one constant, `mr_plugin`:
 *
 *	const struct mr_plugin mr_plugin = {
 *		.abi = MR_PLUGIN_ABI, .name = "no-telnet", .doc = "...", .nodes = nodes,
 *	};
 *
 * and is loaded by path. Its nodes are instantiated by name where a configuration
 * puts them (an interface's `input-nodes`); their edge 0 is the way on.
 * examples/plugin is a whole one.
 *
 * Ownership: the set owns the loaded objects; destroy it after the graph.
 * Threads: the control thread.
 * Errors: a file that is missing, is not a plugin, or was built for another ABI
 * is refused with the reason; nothing of it runs.
 */

#include "kit/graph/node.h"

/* Changes whenever struct mr_packet, mr_node_run, mr_node_class or mr_port_view does, or what a
 * node must keep to (2: explanations, kit/graph/node.h). */
#define MR_PLUGIN_ABI 4u

struct mr_plugin {
	uint32_t abi; /* MR_PLUGIN_ABI of the headers it was built with */
	const char *name;
	const char *doc;
	const struct mr_node_class *const *nodes; /* ends with null */
	/* State of one instance; both null when the nodes have none. `argument` is the
	 * text behind "=" where the node is named ("limit=100"), or null. */
	int (*create)(void **self, const struct mr_node_class *, const char *argument,
	    struct mr_error *);
	void (*destroy)(void *self, const struct mr_node_class *);
};

struct mr_plugins;

MR_API int mr_plugins_create(struct mr_plugins **out, struct mr_error *);
MR_API void mr_plugins_destroy(struct mr_plugins *);

/* Loads one object. Loading the same path again does nothing. */
MR_API int mr_plugins_load(struct mr_plugins *, const char *path, struct mr_error *);

/* The n-th plugin, null past the last. */
MR_API const struct mr_plugin *mr_plugins_at(const struct mr_plugins *, unsigned n);

/* The plugin and class of a node of that name; -ENOENT with a suggestion. */
MR_API int mr_plugins_find(const struct mr_plugins *, const char *node,
    const struct mr_plugin **plugin, const struct mr_node_class **class, struct mr_error *);

#endif
