/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "model/model_int.h"

/* Leaves whose names say what they hold: a module that forgets the mark gives nothing away. */
static const char *const words[] = { "password", "passphrase", "secret", "psk", "token",
	"community", "credential", "credentials" };

static bool
named_secret(const char *name)
{
	while (*name) {
		size_t length = strcspn(name, "-_");

		for (size_t i = 0; i < MR_ARRAY_COUNT(words); i++)
			if (strlen(words[i]) == length && strncmp(name, words[i], length) == 0)
				return true;
		name += length + (name[length] != '\0');
	}
	return false;
}

static bool
marked_secret(const struct lysc_node *schema)
{
	LY_ARRAY_COUNT_TYPE i;

	LY_ARRAY_FOR(schema->exts, i)
		if (!strcmp(schema->exts[i].def->name, "secret") &&
		    !strcmp(schema->exts[i].def->module->name, "millrace-types"))
			return true;
	return false;
}

bool
mr_conf_is_secret(const struct mr_conf *node)
{
	const struct lysc_node *schema = node ? ((const struct lyd_node *)node)->schema : NULL;

	return schema && mr_schema_is_leaf(schema) &&
	    (marked_secret(schema) || named_secret(schema->name));
}

bool
mr_name_is_secret(const char *name)
{
	return named_secret(name);
}
