/* SPDX-License-Identifier: Apache-2.0 */
#include "model/library.h"

#include <stdlib.h>

#include "model/model_int.h"

/* One module, in the form of RFC 8525 or of RFC 7895 (old). */
static void
print_module(FILE *out, const struct lys_module *m, bool old, const char *comma)
{
	fprintf(out, "%s{\"name\":\"%s\",", comma, m->name);
	if (m->revision || old || !m->implemented)
		fprintf(out, "\"revision\":\"%s\",", m->revision ? m->revision : "");
	fprintf(out, "\"namespace\":\"%s\"", m->ns);
	if (old)
		fprintf(out, ",\"conformance-type\":\"%s\"",
		    m->implemented ? "implement" : "import");
	fputc('}', out);
}

static void
print_modules(FILE *out, const struct ly_ctx *ctx, bool old, int implemented)
{
	const struct lys_module *m;
	const char *comma = "";
	uint32_t i = 0;

	fputc('[', out);
	while ((m = ly_ctx_get_module_iter(ctx, &i))) {
		if (implemented >= 0 && (int)m->implemented != implemented)
			continue;
		print_module(out, m, old, comma);
		comma = ",";
	}
	fputc(']', out);
}

/* Changes with the modules and their revisions. */
static unsigned
content_id(const struct ly_ctx *ctx)
{
	const struct lys_module *m;
	uint32_t i = 0, id = 2166136261u;

	while ((m = ly_ctx_get_module_iter(ctx, &i))) {
		for (const char *c = m->name; *c; c++)
			id = (id ^ (unsigned char)*c) * 16777619u;
		for (const char *c = m->revision; c && *c; c++)
			id = (id ^ (unsigned char)*c) * 16777619u;
	}
	return id;
}

void
mr_model_library(const struct mr_model *model, FILE *out)
{
	unsigned id = content_id(model->ctx);

	fputs("{\"ietf-yang-library:yang-library\":{\"module-set\":[{\"name\":\"all\",\"module\":",
	    out);
	print_modules(out, model->ctx, false, 1);
	fputs(",\"import-only-module\":", out);
	print_modules(out, model->ctx, false, 0);
	fprintf(out,
	    "}],\"schema\":[{\"name\":\"all\",\"module-set\":[\"all\"]}],\"datastore\":["
	    "{\"name\":\"ietf-datastores:running\",\"schema\":\"all\"},"
	    "{\"name\":\"ietf-datastores:operational\",\"schema\":\"all\"}],"
	    "\"content-id\":\"%08x\"},"
	    "\"ietf-yang-library:modules-state\":{\"module-set-id\":\"%08x\",\"module\":",
	    id, id);
	print_modules(out, model->ctx, true, -1);
	fputs("}}", out);
}
