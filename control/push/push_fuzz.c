/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Texts that come from outside, as a path to be parsed, and as a value, path and name to be sent: JSON
 * stays JSON of one line, protobuf is what its reader takes, the page of metrics has a line for
 * each series.
 */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/metrics/metrics_int.h"
#include "control/push/push_int.h"
#include "control/push/telemetry.pb-c.h"

extern const char mr_yang_example[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(x) \
	do { \
		if (!(x)) \
			abort(); \
	} while (0)

static struct mr_model *model;
static struct mr_leaves *leaves;
static struct families *families;
static struct mr_sample *sample;

static void
setup(void)
{
	const char *texts[] = { mr_yang_example };
	struct mr_error error = { 0 };

	CHECK(!mr_model_create(&model, texts, 1, &error));
	CHECK(!mr_leaves_create(&leaves, model, &error));
	CHECK(!families_create(&families, leaves, &error));
	CHECK(!mr_sample_create(&sample, leaves));
}

static void
parse_path(const char *text)
{
	struct mr_error error = { 0 };
	struct push_path path;

	if (push_path_parse(&path, leaves, text, &error))
		CHECK(*error.text);
	else
		push_path_clear(&path);
}

static void
encode(const char *text)
{
	struct push_update update = { text, { .kind = MR_LEAF_TEXT, .text = text } };
	struct push_event event = { text, text, false, false, update.value };
	struct push_message m = {
		.subscription = text,
		.system = text,
		.updates = &update,
		.update_count = 1,
		.deletes = &text,
		.delete_count = 1,
		.event = &event,
	};
	Millrace__Telemetry__Notification *n;
	struct push_bytes out = { 0 };
	size_t skip = 0;
	json_t *root;

	CHECK(!push_encode_json(&out, &m));
	CHECK(memchr(out.text, '\n', out.used) == out.text + out.used - 1);
	root = json_loadb(out.text, out.used, 0, NULL);
	CHECK(root);
	json_decref(root);
	out.used = 0;
	CHECK(!push_encode_protobuf(&out, &m));
	while (out.text[skip++] & 128)
		;
	n = millrace__telemetry__notification__unpack(NULL, out.used - skip,
	    (uint8_t *)out.text + skip);
	CHECK(n);
	millrace__telemetry__notification__free_unpacked(n, NULL);
	free(out.text);
}

static void
page_of(const char *text)
{
	struct mr_state *st = mr_sample_begin(sample, model);
	struct mr_error error = { 0 };
	struct page page = { 0 };
	unsigned lines = 0;

	mr_state_list(st, "interface", text);
	mr_state_uint(st, "index", 1);
	mr_state_open(st, "counters");
	mr_state_list(st, "drops", text);
	mr_state_uint(st, "packets", 1);
	mr_state_close(st);
	mr_state_close(st);
	mr_state_close(st);
	CHECK(!mr_sample_end(sample, &error));
	CHECK(!page_write(&page, families, sample, true));
	for (size_t i = 0; i < page.used; i++)
		lines += page.text[i] == '\n';
	CHECK(lines == 2 + 2 * 2 + 1 && page.series == 2); /* HELP and TYPE, and the end */
	page_free(&page);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size > 4096)
		return 0;
	if (!model)
		setup();
	text = strndup((const char *)data, size);
	CHECK(text);
	parse_path(text);
	encode(text);
	page_of(text);
	free(text);
	return 0;
}
