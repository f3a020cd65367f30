/* SPDX-License-Identifier: Apache-2.0 */

/*
 * OpenAPI 3.1 of the model. A container or a list's entry is a schema of its own
 * (#/components/schemas/bridge.interface); a leaf is a property within it, to which the leaf's own
 * path refers. What all operations share (parameters, answers, the form of errors) is written
 * once.
 */

#include <string.h>

#include "model/library.h"
#include "model/openapi_int.h"

struct writer {
	const struct mr_model *model;
	FILE *out;
	bool more; /* a member was written before */
};

/* -- schemas ----------------------------------------------------------------------------- */

/* A node's name among its siblings: with its module where that is another than its parent's. */
static void
put_member(FILE *out, const struct lysc_node *node)
{
	const struct lysc_node *parent = lysc_data_parent(node);

	if (!parent || parent->module != node->module)
		fprintf(out, "\"%s:%s\":", node->module->name, node->name);
	else
		fprintf(out, "\"%s\":", node->name);
}

/* "bridge.interface": the schema's name. */
static void
put_name(FILE *out, const struct lysc_node *node)
{
	const struct lysc_node *parent = lysc_data_parent(node);

	if (parent) {
		put_name(out, parent);
		fputc('.', out);
	}
	fputs(node->name, out);
}

static void
put_reference(FILE *out, const struct lysc_node *node)
{
	fputs("{\"$ref\":\"#/components/schemas/", out);
	put_name(out, node);
	fputs("\"}", out);
}

static void
put_property(FILE *out, const struct lysc_node *node)
{
	put_member(out, node);
	if (mr_schema_is_leaf(node)) {
		openapi_put_leaf(out, node);
	} else if (node->nodetype == LYS_LIST) {
		fputs("{\"type\":\"array\",\"items\":", out);
		put_reference(out, node);
		fprintf(out, ",\"readOnly\":%s}", mr_schema_is_state(node) ? "true" : "false");
	} else {
		put_reference(out, node);
	}
}

static void
put_required(FILE *out, const struct lysc_node *node)
{
	const struct lysc_node *keys[MR_LIST_KEYS_MAX];
	unsigned count = node->nodetype == LYS_LIST ? mr_schema_keys(node, keys) : 0;

	if (count == 0)
		return;
	fputs("\"required\":[", out);
	for (unsigned i = 0; i < count; i++)
		fprintf(out, "%s\"%s\"", i ? "," : "", keys[i]->name);
	fputs("],", out);
}

/* An object of what is in a container or a list's entry, and then those within it. */
static void
put_schemas(struct writer *w, const struct lysc_node *parent)
{
	const struct lysc_node *node = NULL;
	const char *comma = "";

	fputs(w->more ? ",\"" : "\"", w->out);
	w->more = true;
	put_name(w->out, parent);
	fputs("\":", w->out);
	if (mr_schema_is_leaf(parent)) {
		openapi_put_leaf(w->out, parent);
		return;
	}
	fputs("{\"type\":\"object\",", w->out);
	openapi_put_doc(w->out, parent->dsc);
	put_required(w->out, parent);
	fputs("\"additionalProperties\":false,\"properties\":{", w->out);
	while ((node = mr_schema_next(w->model, parent, node))) {
		fputs(comma, w->out);
		comma = ",";
		put_property(w->out, node);
	}
	fputs("}}", w->out);
	for (node = NULL; (node = mr_schema_next(w->model, parent, node));)
		if (!mr_schema_is_leaf(node))
			put_schemas(w, node);
}

/* -- paths ------------------------------------------------------------------------------- */

static void
put_keys(FILE *out, const struct lysc_node *list)
{
	const struct lysc_node *keys[MR_LIST_KEYS_MAX];
	unsigned count = mr_schema_keys(list, keys);

	for (unsigned i = 0; i < count; i++) {
		fputs(i ? ",{" : "={", out);
		put_name(out, list);
		fprintf(out, ".%s}", keys[i]->name);
	}
}

static void
put_path(FILE *out, const struct lysc_node *node, bool entry)
{
	const struct lysc_node *parent = lysc_data_parent(node);

	if (parent)
		put_path(out, parent, true);
	fputc('/', out);
	if (!parent || parent->module != node->module)
		fprintf(out, "%s:", node->module->name);
	fputs(node->name, out);
	if (entry && node->nodetype == LYS_LIST)
		put_keys(out, node);
}

/* The keys of the entries that a path goes through. */
static const char *
put_parameters(FILE *out, const struct lysc_node *node, bool entry, const char *comma)
{
	const struct lysc_node *parent = lysc_data_parent(node), *keys[MR_LIST_KEYS_MAX];
	unsigned count;

	if (parent)
		comma = put_parameters(out, parent, true, comma);
	if (!entry || node->nodetype != LYS_LIST)
		return comma;
	count = mr_schema_keys(node, keys);
	for (unsigned i = 0; i < count; i++) {
		fprintf(out, "%s{\"name\":\"", comma);
		put_name(out, node);
		fprintf(out, ".%s\",\"in\":\"path\",\"required\":true,", keys[i]->name);
		openapi_put_doc(out, keys[i]->dsc);
		fputs("\"schema\":{\"type\":\"string\"}}", out);
		comma = ",";
	}
	return comma;
}

/* {"module:name": ...}, the form of a resource's body. */
static void
put_body(FILE *out, const struct lysc_node *node)
{
	const struct lysc_node *parent = lysc_data_parent(node);

	fprintf(out,
	    "{\"application/yang-data+json\":{\"schema\":{\"type\":\"object\",\"properties\":{"
	    "\"%s:%s\":",
	    node->module->name, node->name);
	if (node->nodetype == LYS_LIST) {
		fputs("{\"type\":\"array\",\"items\":", out);
		put_reference(out, node);
		fputc('}', out);
	} else if (mr_schema_is_leaf(node) && parent) {
		fputs("{\"$ref\":\"#/components/schemas/", out);
		put_name(out, parent);
		fputs("/properties/", out);
		if (parent->module != node->module)
			fprintf(out, "%s:", node->module->name);
		fprintf(out, "%s\"}", node->name);
	} else {
		put_reference(out, node);
	}
	fputs("}}}}", out);
}

static void
put_operation(FILE *out, const char *method, const struct lysc_node *node, const char *answers)
{
	bool body = strcmp(method, "get") != 0 && strcmp(method, "delete") != 0;

	fprintf(out, "\"%s\":{\"tags\":[\"%s\"],", method, node->module->name);
	if (strcmp(method, "get") == 0) {
		fputs("\"parameters\":[{\"$ref\":\"#/components/parameters/content\"},"
		      "{\"$ref\":\"#/components/parameters/depth\"},"
		      "{\"$ref\":\"#/components/parameters/fields\"},"
		      "{\"$ref\":\"#/components/parameters/with-defaults\"}],\"responses\":{"
		      "\"200\":{\"description\":\"The resource.\",\"content\":",
		    out);
		put_body(out, node);
		fputs("},", out);
	} else {
		fputs("\"parameters\":[{\"$ref\":\"#/components/parameters/If-Match\"}],", out);
		if (body) {
			fputs("\"requestBody\":{\"required\":true,\"content\":", out);
			put_body(out, node);
			fputs("},", out);
		}
		fputs("\"responses\":{", out);
	}
	fprintf(out, "%s\"default\":{\"$ref\":\"#/components/responses/errors\"}}}", answers);
}

static void
put_resource(struct writer *w, const struct lysc_node *node, bool entry)
{
	static const char done[] = "\"204\":{\"$ref\":\"#/components/responses/done\"},";
	static const char made[] = "\"201\":{\"$ref\":\"#/components/responses/made\"},"
				   "\"204\":{\"$ref\":\"#/components/responses/done\"},";
	FILE *out = w->out;

	fputs(w->more ? ",\"/restconf/data" : "\"/restconf/data", out);
	w->more = true;
	put_path(out, node, entry);
	fputs("\":{", out);
	openapi_put_doc(out, node->dsc);
	fputs("\"parameters\":[", out);
	put_parameters(out, node, entry, "");
	fputs("],", out);
	put_operation(out, "get", node, "");
	if (!mr_schema_is_state(node) && (entry || node->nodetype != LYS_LIST)) {
		bool is_key = lysc_is_key(node);

		if (!is_key) {
			fputc(',', out);
			put_operation(out, "put", node, made);
			fputc(',', out);
			put_operation(out, "patch", node, done);
			fputc(',', out);
			put_operation(out, "delete", node, done);
		}
	}
	fputc('}', out);
}

static void
put_paths(struct writer *w, const struct lysc_node *parent)
{
	const struct lysc_node *node = NULL;

	while ((node = mr_schema_next(w->model, parent, node))) {
		put_resource(w, node, false);
		if (node->nodetype == LYS_LIST)
			put_resource(w, node, true);
		if (!mr_schema_is_leaf(node))
			put_paths(w, node);
	}
}

/* -- operations -------------------------------------------------------------------------- */

static void put_inline(FILE *, const struct lysc_node *first);

static void
put_inline_node(FILE *out, const struct lysc_node *node)
{
	if (mr_schema_is_leaf(node)) {
		openapi_put_leaf(out, node);
		return;
	}
	if (node->nodetype == LYS_LIST)
		fputs("{\"type\":\"array\",\"items\":", out);
	put_inline(out, lysc_node_child(node));
	if (node->nodetype == LYS_LIST)
		fputc('}', out);
}

static void
put_inline(FILE *out, const struct lysc_node *first)
{
	const char *comma = "";

	fputs("{\"type\":\"object\",\"properties\":{", out);
	for (const struct lysc_node *n = first; n; n = n->next) {
		fprintf(out, "%s\"%s\":", comma, n->name);
		put_inline_node(out, n);
		comma = ",";
	}
	fputs("}}", out);
}

static void
put_rpc(struct writer *w, const struct lys_module *module, const struct lysc_node_action *rpc)
{
	FILE *out = w->out;

	fprintf(out, "%s\"/restconf/operations/%s:%s\":{\"post\":{\"tags\":[\"%s\"],",
	    w->more ? "," : "", module->name, rpc->name, module->name);
	w->more = true;
	openapi_put_doc(out, rpc->dsc);
	if (rpc->input.child) {
		fprintf(out,
		    "\"requestBody\":{\"content\":{\"application/yang-data+json\":{\"schema\":{"
		    "\"type\":\"object\",\"properties\":{\"%s:input\":",
		    module->name);
		put_inline(out, rpc->input.child);
		fputs("}}}}},", out);
	}
	fputs("\"responses\":{", out);
	if (rpc->output.child) {
		fprintf(out,
		    "\"200\":{\"description\":\"It was done.\",\"content\":{"
		    "\"application/yang-data+json\":{\"schema\":{\"type\":\"object\","
		    "\"properties\":{\"%s:output\":",
		    module->name);
		put_inline(out, rpc->output.child);
		fputs("}}}}},", out);
	}
	fputs("\"204\":{\"$ref\":\"#/components/responses/done\"},"
	      "\"default\":{\"$ref\":\"#/components/responses/errors\"}}}}",
	    out);
}

static void
put_rpcs(struct writer *w)
{
	for (size_t i = 0; i < w->model->module_count; i++) {
		const struct lys_module *module = w->model->modules[i];
		const struct lysc_node_action *rpc;

		LY_LIST_FOR(module->compiled ? module->compiled->rpcs : NULL, rpc)
			put_rpc(w, module, rpc);
	}
}

/* -- the whole --------------------------------------------------------------------------- */

static const char shared[] =
    "\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
    "\"Made by `millrace token`.\"},\"certificate\":{\"type\":\"mutualTLS\"}},"
    "\"parameters\":{"
    "\"content\":{\"name\":\"content\",\"in\":\"query\",\"description\":\"Configuration, state, or "
    "both.\",\"schema\":{\"type\":\"string\",\"enum\":[\"config\",\"nonconfig\",\"all\"],"
    "\"default\":\"all\"}},"
    "\"depth\":{\"name\":\"depth\",\"in\":\"query\",\"description\":\"How many levels.\","
    "\"schema\":{\"anyOf\":[{\"type\":\"integer\",\"minimum\":1,\"maximum\":65535},"
    "{\"const\":\"unbounded\"}]}},"
    "\"fields\":{\"name\":\"fields\",\"in\":\"query\",\"description\":\"Only these: "
    "name;counters(rx-packets;tx-packets)\",\"schema\":{\"type\":\"string\"}},"
    "\"with-defaults\":{\"name\":\"with-defaults\",\"in\":\"query\",\"description\":\"What is done "
    "with defaults (RFC 6243).\",\"schema\":{\"type\":\"string\",\"enum\":[\"report-all\",\"trim\","
    "\"explicit\"],\"default\":\"explicit\"}},"
    "\"If-Match\":{\"name\":\"If-Match\",\"in\":\"header\",\"description\":\"The entity tag that "
    "the "
    "configuration must still have.\",\"schema\":{\"type\":\"string\"}}},"
    "\"responses\":{"
    "\"done\":{\"description\":\"It was done; the configuration in force has it.\"},"
    "\"made\":{\"description\":\"It was not there before, and is now.\"},"
    "\"errors\":{\"description\":\"It was not done (RFC 8040, section 7).\",\"content\":{"
    "\"application/yang-data+json\":{\"schema\":{\"$ref\":\"#/components/schemas/errors\"}}}}},";

static const char errors[] =
    "\"errors\":{\"type\":\"object\",\"properties\":{\"ietf-restconf:errors\":{\"type\":\"object\","
    "\"properties\":{\"error\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":["
    "\"error-type\",\"error-tag\"],\"properties\":{\"error-type\":{\"type\":\"string\",\"enum\":["
    "\"transport\",\"rpc\",\"protocol\",\"application\"]},\"error-tag\":{\"type\":\"string\","
    "\"enum\":["
    "\"in-use\",\"invalid-value\",\"too-big\",\"missing-attribute\",\"bad-attribute\","
    "\"unknown-attribute\",\"missing-element\",\"bad-element\",\"unknown-element\","
    "\"unknown-namespace\",\"access-denied\",\"lock-denied\",\"resource-denied\",\"rollback-"
    "failed\","
    "\"data-exists\",\"data-missing\",\"operation-not-supported\",\"operation-failed\","
    "\"partial-operation\",\"malformed-message\"]},\"error-path\":{\"type\":\"string\"},"
    "\"error-message\":{\"type\":\"string\"}}}}}}}}";

void
mr_model_openapi(const struct mr_model *model, const char *version, const char *paths, FILE *out)
{
	struct writer w = { .model = model, .out = out };
	const struct lysc_node *node = NULL;

	fprintf(out,
	    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"millrace\",\"version\":\"%s\","
	    "\"description\":\"Configuration, state and operations of a data plane, by RFC 8040.\","
	    "\"license\":{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}},"
	    "\"servers\":[{\"url\":\"/\"}],\"security\":[{\"token\":[]},{\"certificate\":[]}],"
	    "\"paths\":{%s",
	    version, paths ? paths : "");
	put_paths(&w, NULL);
	put_rpcs(&w);
	fprintf(out, "},\"components\":{%s\"schemas\":{%s", shared, errors);
	w.more = true;
	while ((node = mr_schema_next(model, NULL, node)))
		put_schemas(&w, node);
	fputs("}}}\n", out);
}
