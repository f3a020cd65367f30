/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "model/json_int.h"
#include "model/print_int.h"

/*
 * YAML as people write it here: a list with one key as a map by it, as a sequence where its order
 * counts, since YAML's maps have none; what holds nothing but values in one line where it fits.
 */

#define WIDTH 90

static const struct mr_print plain_line;

/* -- values ---------------------------------------------------------------------------------- */

/* Whether some reader of YAML would take it for something else than text. */
static bool
looks_like_another(const char *s)
{
	static const char *const taken[] = { "null", "true", "false", "yes", "no", "on", "off", "y",
		"n", ".inf", ".nan", "~", "<<", "=", "---", "..." };
	const char *t = s + (*s == '-' || *s == '+');

	for (unsigned i = 0; i < MR_ARRAY_COUNT(taken); i++)
		if (!strcasecmp(s, taken[i]))
			return true;
	/* Digits, and what numbers of one kind or another have beside them; 2026-11-21, too. */
	if (isdigit((unsigned char)*t) || (*t == '.' && isdigit((unsigned char)t[1]))) {
		const char *points = strchr(t, '.');

		if (strspn(t, "0123456789") == strlen(t) ||
		    (strspn(t, "0123456789._eE+-") == strlen(t) &&
			!(points && strchr(points + 1, '.')) && !strchr(t, '-')) ||
		    (t[0] == '0' && strchr("xXbBoO", t[1])) ||
		    (strlen(t) >= 8 && t[4] == '-' && strspn(t, "0123456789-") == strlen(t)))
			return true;
	}
	return false;
}

static bool
is_number(const struct lyd_node *leaf)
{
	LY_DATA_TYPE type = mr_schema_type(leaf->schema)->basetype;

	return mr_type_is_unsigned(type) || mr_type_is_signed(type) || type == LY_TYPE_BOOL ||
	    type == LY_TYPE_DEC64;
}

static bool
needs_quotes(const char *s)
{
	size_t length = strlen(s);

	if (!length || strchr("-?:,[]{}#&*!|>'\"%@` \t", *s) || s[length - 1] == ' ' ||
	    looks_like_another(s))
		return true;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || (unsigned char)s[i] >= 0x80 ||
		    strchr(":,[]{}\"\\", s[i]) || (s[i] == '#' && s[i - 1] == ' '))
			return true;
	return false;
}

/* Whether YAML takes a character for a line break or a byte order mark, or refuses it. */
static bool
is_taken(const char *s, unsigned *code)
{
	const unsigned char *b = (const unsigned char *)s;

	if (b[0] == 0xc2)
		*code = b[1];
	else if (b[0] == 0xe2 || b[0] == 0xef)
		*code = (b[0] & 15u) << 12 | (b[1] & 63u) << 6 | (b[2] & 63u);
	else
		return false;
	return *code < 0xa0 || *code == 0x2028 || *code == 0x2029 || *code == 0xfeff ||
	    *code >= 0xfffe;
}

/* As JSON has it, but for those. */
static void
put_quoted(const char *s, FILE *file)
{
	char *quoted = malloc(strlen(s) * MR_JSON_BYTE_MAX + 3);
	unsigned code;
	size_t i = 0;

	if (!quoted)
		return;
	quoted[mr_json_quote(quoted, s)] = '\0';
	while (quoted[i]) {
		if (is_taken(quoted + i, &code)) {
			fprintf(file, "\\u%04x", code);
			i += code < 0x800 ? 2 : 3;
		} else {
			fputc(quoted[i++], file);
		}
	}
	free(quoted);
}

static void
put_text(const char *s, FILE *file)
{
	if (needs_quotes(s))
		put_quoted(s, file);
	else
		fputs(s, file);
}

static void
put_value(const struct lyd_node *leaf, FILE *file)
{
	const char *text = lyd_get_value(leaf);

	if (mr_schema_type(leaf->schema)->basetype == LY_TYPE_EMPTY)
		fputs("~", file);
	else if (is_number(leaf))
		fputs(text, file);
	else
		put_text(text, file);
}

/* -- in one line ----------------------------------------------------------------------------- */

static bool
is_many(const struct lyd_node *node)
{
	return node->schema->nodetype & (LYS_LIST | LYS_LEAFLIST);
}

static unsigned
key_count(const struct lysc_node *list)
{
	const struct lysc_node *keys[MR_LIST_KEYS_MAX];

	return mr_schema_keys(list, keys);
}

/* Its entries go by their key, and their order means nothing. */
static bool
is_map(const struct lysc_node *list)
{
	return key_count(list) == 1 && !lysc_is_userordered(list);
}

static void line_inside(const struct lyd_node *, const struct mr_print *, bool keys, FILE *);

static const struct lyd_node *
first_wanted(const struct lyd_node *parent, const struct mr_print *how)
{
	const struct lyd_node *node;

	LY_LIST_FOR(mr_print_children(parent), node)
		if (mr_print_wants(node, how))
			return node;
	return NULL;
}

/* The value that stands for an entry; null when it has to be written out. */
static const struct lyd_node *
short_value(const struct lyd_node *entry, const struct mr_print *how)
{
	const struct lysc_node *value = mr_schema_short(entry->schema);
	const struct lyd_node *node = value ? first_wanted(entry, how) : NULL;

	return node && node->schema == value ? node : NULL;
}

static void
line_entry(const struct lyd_node *entry, const struct mr_print *how, FILE *file)
{
	if (is_map(entry->schema)) {
		put_text(lyd_get_value(lyd_child(entry)), file);
		fputs(": ", file);
		if (short_value(entry, how))
			put_value(short_value(entry, how), file);
		else
			line_inside(entry, how, false, file);
	} else {
		line_inside(entry, how, true, file);
	}
}

static void
line_list(const struct lyd_node *first, const struct mr_print *how, FILE *file)
{
	bool map = first->schema->nodetype == LYS_LIST && is_map(first->schema), comma = false;
	const struct lyd_node *entry;

	fputc(map ? '{' : '[', file);
	for (entry = first; entry && entry->schema == first->schema; entry = entry->next) {
		if (!mr_print_wants(entry, how))
			continue;
		fputs(comma ? ", " : "", file);
		if (entry->schema->nodetype == LYS_LEAFLIST)
			put_value(entry, file);
		else
			line_entry(entry, how, file);
		comma = true;
	}
	fputc(map ? '}' : ']', file);
}

/* A leaf's value, or everything under a node. */
static void
line_of(const struct lyd_node *node, const struct mr_print *how, FILE *file)
{
	if (is_many(node))
		line_list(node, how, file);
	else if (mr_schema_is_leaf(node->schema))
		put_value(node, file);
	else
		line_inside(node, how, false, file);
}

static void
line_inside(const struct lyd_node *parent, const struct mr_print *how, bool keys, FILE *file)
{
	const struct lyd_node *node, *begun = NULL;
	bool comma = false;

	fputc('{', file);
	LY_LIST_FOR(mr_print_children(parent), node) {
		if (lysc_is_key(node->schema) ? !keys : !mr_print_wants(node, how))
			continue;
		if (is_many(node) && begun && begun->schema == node->schema)
			continue;
		fprintf(file, "%s%s: ", comma ? ", " : "", node->schema->name);
		line_of(node, how, file);
		comma = true;
		begun = node;
	}
	fputc('}', file);
}

/* -- in blocks ------------------------------------------------------------------------------- */

/* Whether everything under it is values and lists of values. */
static bool
is_flat(const struct lyd_node *node, const struct mr_print *how)
{
	const struct lyd_node *child;

	LY_LIST_FOR(mr_print_children(node), child)
		if (!mr_schema_is_leaf(child->schema) && mr_print_wants(child, how))
			return false;
	return true;
}

/* Maps of few words, such as options: {queues: 2}. */
static bool
is_small_list(const struct lyd_node *first, const struct mr_print *how)
{
	const struct lyd_node *entry;

	for (entry = first; entry && entry->schema == first->schema; entry = entry->next)
		if (mr_print_wants(entry, how) && first_wanted(entry, how) &&
		    !short_value(entry, how))
			return false;
	return true;
}

static char *
one_line(const struct lyd_node *node, const struct mr_print *how, bool inside, bool keys)
{
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	if (inside)
		line_inside(node, how, keys, file);
	else
		line_of(node, how, file);
	return fclose(file) ? NULL : text;
}

/* Prints the text if there is one and it fits. */
static bool
put_line(char *text, size_t used, FILE *file)
{
	bool fits = text && used + strlen(text) <= WIDTH;

	if (fits)
		fprintf(file, "%s\n", text);
	free(text);
	return fits;
}

static void block_inside(const struct lyd_node *, const struct mr_print *, unsigned indent,
    bool keys, bool begun, FILE *);

static void
indent_to(unsigned indent, FILE *file)
{
	fprintf(file, "%*s", (int)indent, "");
}

/* What stands behind "name:", from the line's `used` columns on. */
static void
block_body(const struct lyd_node *node, const struct mr_print *how, unsigned indent, size_t used,
    FILE *file)
{
	if (is_flat(node, how)) {
		char *text = one_line(node, how, true, false);

		if (text && used + strlen(text) + 1 <= WIDTH) {
			fprintf(file, " %s\n", text);
			free(text);
			return;
		}
		free(text);
	}
	fputc('\n', file);
	block_inside(node, how, indent + 2, false, false, file);
}

static void
block_entry(const struct lyd_node *entry, const struct mr_print *how, unsigned indent, FILE *file)
{
	indent_to(indent, file);
	if (is_map(entry->schema)) {
		const char *key = lyd_get_value(lyd_child(entry));

		put_text(key, file);
		fputc(':', file);
		if (short_value(entry, how)) {
			fputc(' ', file);
			put_value(short_value(entry, how), file);
			fputc('\n', file);
		} else {
			block_body(entry, how, indent, indent + strlen(key) + 3, file);
		}
		return;
	}
	fputs("- ", file);
	if (!is_flat(entry, how) || !put_line(one_line(entry, how, true, true), indent + 2, file))
		block_inside(entry, how, indent + 2, true, true, file);
}

static void
block_list(const struct lyd_node *first, const struct mr_print *how, unsigned indent, FILE *file)
{
	const struct lyd_node *entry;

	for (entry = first; entry && entry->schema == first->schema; entry = entry->next) {
		if (!mr_print_wants(entry, how))
			continue;
		if (entry->schema->nodetype == LYS_LIST) {
			block_entry(entry, how, indent, file);
			continue;
		}
		indent_to(indent, file);
		fputs("- ", file);
		put_value(entry, file);
		fputc('\n', file);
	}
}

/* "name: ..." with all that belongs to it; the indentation has been written. */
static void
block_member(const struct lyd_node *node, const struct mr_print *how, unsigned indent, FILE *file)
{
	size_t used = indent + strlen(node->schema->name) + 2;

	fprintf(file, "%s:", node->schema->name);
	if (node->schema->nodetype == LYS_LEAF) {
		fputc(' ', file);
		put_value(node, file);
		fputc('\n', file);
	} else if (is_many(node)) {
		if (node->schema->nodetype == LYS_LEAFLIST || is_small_list(node, how)) {
			char *text = one_line(node, how, false, false);

			if (text && used + strlen(text) <= WIDTH) {
				fprintf(file, " %s\n", text);
				free(text);
				return;
			}
			free(text);
		}
		fputc('\n', file);
		block_list(node, how, indent + 2, file);
	} else {
		block_body(node, how, indent, used, file);
	}
}

/* `begun`: the first member stands behind what is in its line already. */
static void
block_inside(const struct lyd_node *parent, const struct mr_print *how, unsigned indent, bool keys,
    bool begun, FILE *file)
{
	const struct lyd_node *node, *last = NULL;

	LY_LIST_FOR(mr_print_children(parent), node) {
		if (lysc_is_key(node->schema) ? !keys : !mr_print_wants(node, how))
			continue;
		if (is_many(node) && last && last->schema == node->schema)
			continue;
		if (!begun)
			indent_to(indent, file);
		begun = false;
		block_member(node, how, indent, file);
		last = node;
	}
}

/* Everything, in the order of the modules: the process and its interfaces first, as people write it;
 * libyang has them by name. */
static void
block_all(const struct lyd_node *root, const struct mr_print *how, FILE *file)
{
	const struct mr_config *config =
	    (const struct mr_config *)((const char *)root - offsetof(struct mr_config, root));
	const struct lysc_node *schema = NULL;
	const struct lyd_node *node;

	while ((schema = mr_schema_next(config->model, NULL, schema)))
		LY_LIST_FOR(mr_print_children(root), node)
			if (node->schema == schema && mr_print_wants(node, how)) {
				block_member(node, how, 0, file);
				break;
			}
}

void
mr_print_yaml(const struct lyd_node *node, const struct mr_print *how, FILE *file)
{
	if (node->schema && mr_schema_is_leaf(node->schema)) {
		fprintf(file, "%s\n", lyd_get_value(node));
		return;
	}
	if (node->schema)
		block_inside(node, how, 0, false, false, file);
	else
		block_all(node, how, file);
}

char *
mr_conf_print_line(const struct mr_conf *conf)
{
	const struct lyd_node *node = (const struct lyd_node *)conf;

	if (node->schema && mr_schema_is_leaf(node->schema))
		return strdup(lyd_get_value(node));
	return one_line(node, &plain_line, true, false);
}
