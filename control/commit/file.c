/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A commit's file: a configuration that `millrace check` and `run` take like any other, with what
 * is known about the commit in a comment before it and a checksum in one behind it:
 *
 *	# A commit of millrace: what it is about, its configuration, and a checksum over both.
 *	# {"id":7,"when":1795000000123,"who":"root","comment":"","origin":"apply",...}
 *	interface:
 *	  ...
 *	# checksum 0123456789abcdef0123456789abcdef
 */

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/commit/commit_int.h"
#include "model/print.h"

#define FIRST_LINE \
	"# A commit of millrace: what it is about, its configuration, and a checksum over both.\n"
#define LAST_LINE "# checksum "
#define CHANGES_MAX 1000 /* of which a file knows the details */

static const char *const origins[] = {
	[MR_COMMIT_START] = "start",
	[MR_COMMIT_FILE] = "file",
	[MR_COMMIT_APPLY] = "apply",
	[MR_COMMIT_ROLLBACK] = "rollback",
	[MR_COMMIT_EXPIRED] = "expired",
};

const char *
mr_commit_origin_name(enum mr_commit_origin origin)
{
	return origins[origin];
}

const char *
mr_commit_state_name(enum mr_commit_state state)
{
	static const char *const names[] = { "confirmed", "pending", "unconfirmed" };

	return names[state];
}

struct record *
commit_record_create(const char *who, const char *comment)
{
	struct record *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->who = strdup(who ? who : "nobody said");
	r->comment = strdup(comment ? comment : "");
	if (!r->who || !r->comment) {
		commit_record_destroy(r);
		return NULL;
	}
	r->pub.who = r->who;
	r->pub.comment = r->comment;
	return r;
}

void
commit_record_destroy(struct record *r)
{
	if (!r)
		return;
	mr_diff_destroy(r->changes);
	free(r->who);
	free(r->comment);
	free(r->text);
	free(r);
}

/* -- writing --------------------------------------------------------------------------------- */

static json_t *
changes_json(const struct record *r)
{
	json_t *list = json_array();
	const struct mr_change *c;

	for (size_t i = 0; i < CHANGES_MAX && (c = mr_diff_at(r->changes, i)); i++)
		json_array_append_new(list,
		    json_pack("[s, s, s?, s?]", mr_diff_word(c->op), c->path, c->old, c->value));
	return list;
}

char *
commit_file_write(const struct record *r, const struct mr_config *config, size_t *size)
{
	static const struct mr_print how = { .form = MR_PRINT_YAML };
	json_t *about;
	char *head, *text = NULL, hash[COMMIT_HASH_TEXT];
	FILE *out;

	about = json_pack("{s:I, s:I, s:s, s:s, s:s, s:I, s:s, s:o}", "id", (json_int_t)r->pub.id,
	    "when", (json_int_t)r->pub.when, "who", r->who, "comment", r->comment, "origin",
	    origins[r->pub.origin], "of", (json_int_t)r->pub.of, "base", r->base, "changes",
	    changes_json(r));
	head = about ? json_dumps(about, JSON_COMPACT) : NULL;
	json_decref(about);
	out = head ? open_memstream(&text, size) : NULL;
	if (!out) {
		free(head);
		return NULL;
	}
	fprintf(out, FIRST_LINE "# %s\n", head);
	free(head);
	mr_conf_print(mr_conf_root(config), &how, out);
	fflush(out);
	commit_hash(text, *size, hash);
	fprintf(out, LAST_LINE "%s\n", hash);
	if (ferror(out) | fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* -- reading --------------------------------------------------------------------------------- */

static bool
checksum_holds(const char *text, size_t *size)
{
	size_t tail = strlen(LAST_LINE) + COMMIT_HASH_TEXT;
	char hash[COMMIT_HASH_TEXT];

	if (*size < tail)
		return false;
	*size -= tail;
	commit_hash(text, *size, hash);
	return !memcmp(text + *size, LAST_LINE, strlen(LAST_LINE)) &&
	    !memcmp(text + *size + strlen(LAST_LINE), hash, COMMIT_HASH_TEXT - 1) &&
	    text[*size + tail - 1] == '\n';
}

static int
read_changes(struct record *r, const json_t *list)
{
	size_t i;
	json_t *c;
	int rc = mr_diff_create_empty(&r->changes);

	json_array_foreach(list, i, c)
	{
		const char *word = json_string_value(json_array_get(c, 0));
		const char *path = json_string_value(json_array_get(c, 1));
		int op = word ? mr_diff_op_of(word) : -1;

		if (op < 0 || !path)
			return -EINVAL;
		if (!rc)
			rc = mr_diff_add(r->changes, (enum mr_diff_op)op, path,
			    json_string_value(json_array_get(c, 2)),
			    json_string_value(json_array_get(c, 3)));
	}
	r->pub.changes = r->changes;
	return rc;
}

static int
read_about(struct record **out, json_t *about, struct mr_error *error)
{
	json_int_t id = 0, when = 0, of = 0;
	const char *who = NULL, *comment = NULL, *origin = NULL, *base = NULL;
	json_t *changes = NULL;
	struct record *r;
	unsigned n = 0;
	int rc;

	if (json_unpack(about, "{s:I, s:I, s:s, s:s, s:s, s:I, s:s, s:o}", "id", &id, "when", &when,
		"who", &who, "comment", &comment, "origin", &origin, "of", &of, "base", &base,
		"changes", &changes) ||
	    id <= 0 || of < 0 || strlen(base) != COMMIT_HASH_TEXT - 1)
		return mr_error_set(error, -EINVAL, "its description is incomplete");
	while (n < MR_ARRAY_COUNT(origins) && strcmp(origins[n], origin))
		n++;
	if (n == MR_ARRAY_COUNT(origins))
		return mr_error_set(error, -EINVAL, "its origin is unknown");
	r = commit_record_create(who, comment);
	if (!r)
		return mr_error_set(error, -ENOMEM, "no memory");
	r->pub.id = (uint64_t)id;
	r->pub.when = when;
	r->pub.of = (uint64_t)of;
	r->pub.origin = (enum mr_commit_origin)n;
	memcpy(r->base, base, COMMIT_HASH_TEXT);
	rc = read_changes(r, changes);
	if (rc) {
		commit_record_destroy(r);
		return mr_error_set(error, rc, "its list of changes cannot be read");
	}
	*out = r;
	return 0;
}

int
commit_file_read(struct record **out, const char *text, size_t size, const char **yaml,
    size_t *yaml_size, struct mr_error *error)
{
	const char *head = text + strlen(FIRST_LINE) + 2, *end;
	json_t *about;
	int rc;

	*out = NULL;
	if (!checksum_holds(text, &size))
		return mr_error_set(error, -EINVAL, "its checksum is wrong: it was cut or changed");
	if (size < strlen(FIRST_LINE) + 3 || memcmp(text, FIRST_LINE "# ", strlen(FIRST_LINE) + 2))
		return mr_error_set(error, -EINVAL, "it does not begin like a commit");
	end = memchr(head, '\n', size - (size_t)(head - text));
	about = end ? json_loadb(head, (size_t)(end - head), JSON_REJECT_DUPLICATES, NULL) : NULL;
	if (!about)
		return mr_error_set(error, -EINVAL, "its description cannot be read");
	rc = read_about(out, about, error);
	json_decref(about);
	*yaml = end + 1;
	*yaml_size = size - (size_t)(end + 1 - text);
	return rc;
}
