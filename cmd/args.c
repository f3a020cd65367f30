/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "kit/base/suggest.h"

void
mr_cmd_help(const struct mr_cmd *cmd, FILE *out)
{
	fprintf(out, "usage: millrace %s %s\n\n%s\n", cmd->name, cmd->usage, cmd->help);
	fprintf(out, "\noptions:\n");
	for (const struct mr_cmd_option *o = cmd->options; o && o->name; o++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
		    o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
		    o->value ? " " : "", o->value ? o->value : "");
		fprintf(out, "  %-26s %s\n", left, o->doc);
	}
	fprintf(out, "  -h, --help                 this text\n");
}

static const struct mr_cmd_option *
find(const struct mr_cmd *cmd, const char *name, size_t len, char letter)
{
	for (const struct mr_cmd_option *o = cmd->options; o && o->name; o++)
		if (name ? strlen(o->name) == len && memcmp(o->name, name, len) == 0
			 : o->letter == letter)
			return o;
	return NULL;
}

static int
unknown(const struct mr_cmd *cmd, const char *word)
{
	struct mr_suggest near = { .word = word + strspn(word, "-") };

	for (const struct mr_cmd_option *o = cmd->options; o && o->name; o++)
		mr_suggest_try(&near, o->name);
	fprintf(stderr, "millrace %s: there is no option %s", cmd->name, word);
	if (mr_suggest_best(&near))
		fprintf(stderr, "; did you mean --%s?", mr_suggest_best(&near));
	fprintf(stderr, " (millrace %s --help)\n", cmd->name);
	return -1;
}

/* One word that begins with a dash; *at moves on when its value is the next word. */
static int
parse_option(struct mr_cmd_args *args, int argc, char **argv, int *at)
{
	const char *word = argv[*at], *name = word + 2, *value = NULL;
	const struct mr_cmd_option *o;
	size_t len;

	if (word[1] == '-') {
		len = strcspn(name, "=");
		value = name[len] ? name + len + 1 : NULL;
		o = find(args->cmd, name, len, 0);
	} else {
		o = find(args->cmd, NULL, 0, word[1]);
		value = word[2] ? word + 2 : NULL;
	}
	if (!o)
		return unknown(args->cmd, word);
	if (!o->value && value) {
		fprintf(stderr, "millrace %s: --%s takes no value\n", args->cmd->name, o->name);
		return -1;
	}
	if (o->value && !value) {
		if (*at + 1 >= argc) {
			fprintf(stderr, "millrace %s: --%s needs %s\n", args->cmd->name, o->name,
			    o->value);
			return -1;
		}
		value = argv[++*at];
	}
	args->values[o - args->cmd->options] = value ? value : "";
	return 0;
}

int
mr_cmd_parse(const struct mr_cmd *cmd, int argc, char **argv, unsigned words_min,
    unsigned words_max, struct mr_cmd_args *args, int *status)
{
	bool ended = false;

	memset(args, 0, sizeof(*args));
	args->cmd = cmd;
	*status = MR_EXIT_USAGE;
	for (int i = 1; i < argc; i++) {
		if (!ended && (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))) {
			mr_cmd_help(cmd, stdout);
			*status = MR_EXIT_OK;
			return -1;
		}
		if (!ended && !strcmp(argv[i], "--")) {
			ended = true;
		} else if (!ended && argv[i][0] == '-' && argv[i][1]) {
			if (parse_option(args, argc, argv, &i))
				return -1;
		} else if (args->word_count < words_max && args->word_count < MR_CMD_WORDS_MAX) {
			args->words[args->word_count++] = argv[i];
		} else {
			fprintf(stderr,
			    "millrace %s: \"%s\" is one word too many\nusage: millrace %s %s\n",
			    cmd->name, argv[i], cmd->name, cmd->usage);
			return -1;
		}
	}
	if (args->word_count >= words_min)
		return 0;
	fprintf(stderr, "usage: millrace %s %s\n", cmd->name, cmd->usage);
	return -1;
}

const char *
mr_cmd_value(const struct mr_cmd_args *args, const char *name)
{
	const struct mr_cmd_option *o = find(args->cmd, name, strlen(name), 0);

	return o ? args->values[o - args->cmd->options] : NULL;
}

bool
mr_cmd_given(const struct mr_cmd_args *args, const char *name)
{
	return mr_cmd_value(args, name) != NULL;
}

bool
mr_cmd_uint(const struct mr_cmd_args *args, const char *name, uint64_t min, uint64_t max,
    uint64_t *value)
{
	const char *text = mr_cmd_value(args, name);
	unsigned long long n;
	uint64_t scale = 1;
	char *end;

	if (!text)
		return true;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (*end == 'k')
		scale = 1000;
	else if (*end == 'M')
		scale = 1000000;
	else if (*end == 'G')
		scale = 1000000000;
	if (*text < '0' || *text > '9' || errno || (scale > 1 ? end[1] : end[0]) ||
	    n > UINT64_MAX / scale || n * scale < min || n * scale > max) {
		fprintf(stderr, "millrace %s: --%s: \"%s\" is not a number between %llu and %llu\n",
		    args->cmd->name, name, text, (unsigned long long)min, (unsigned long long)max);
		return false;
	}
	*value = n * scale;
	return true;
}

bool
mr_cmd_milliseconds(const struct mr_cmd_args *args, const char *name, int64_t min, int64_t max,
    int64_t *value)
{
	const char *text = mr_cmd_value(args, name);
	double seconds;
	char *end;

	if (!text)
		return true;
	seconds = strtod(text, &end);
	/* Compared so that what is not a number fails too. */
	if (end == text || *end ||
	    !(seconds * 1000 >= (double)min && seconds * 1000 <= (double)max)) {
		fprintf(stderr,
		    "millrace %s: --%s: \"%s\" is not a time between %g and %g seconds\n",
		    args->cmd->name, name, text, (double)min / 1000, (double)max / 1000);
		return false;
	}
	*value = (int64_t)(seconds * 1000 + 0.5);
	return true;
}
