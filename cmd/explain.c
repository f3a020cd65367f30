/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What would happen to a packet: makes a frame (from fields, from a capture, from digits), has the
 * running millrace explain it, and prints the answer.
 */

#include <errno.h>
#include <jansson.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/client.h"
#include "cmd/cmd.h"
#include "cmd/packet_build.h"
#include "cmd/trace_print.h"
#include "kit/base/hex.h"

#define FRAME_MAX 65535u

static const struct mr_cmd_option options[] = {
	{ .name = "capture",
	    .letter = 'r',
	    .value = "FILE",
	    .doc = "a packet of this pcap or pcapng file",
	    .complete = "@file" },
	{ .name = "frame", .letter = 'n', .value = "N", .doc = "which of its packets (1)" },
	{ .name = "hex", .value = "BYTES", .doc = "the frame in hexadecimal digits" },
	{ .name = "drop",
	    .letter = 'd',
	    .value = "ID",
	    .doc = "the packet of this drop (millrace drops), where it came in",
	    .complete = "@drop" },
	{ .name = "all", .letter = 'a', .doc = "what serves the flow lane as well" },
	{ .name = "json", .doc = "the recording as JSON, with everything" },
	{ .name = "socket",
	    .value = "PATH",
	    .doc = "control socket of the millrace to ask",
	    .complete = "@file" },
	{ 0 },
};

struct frame {
	uint8_t bytes[FRAME_MAX];
	unsigned len;
	bool own; /* it goes to the interface's own Ethernet address */
};

static int
from_capture(struct frame *f, const char *path, uint64_t number, struct mr_error *error)
{
	char why[PCAP_ERRBUF_SIZE] = "";
	pcap_t *file = pcap_open_offline(path, why);
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	uint64_t seen = 0;
	int rc = 0, n = 1;

	if (!file)
		return mr_error_set(error, -ENOENT, "%s", why);
	if (pcap_datalink(file) != DLT_EN10MB)
		rc = mr_error_set(error, -EINVAL, "%s: holds no Ethernet frames but %s", path,
		    pcap_datalink_val_to_name(pcap_datalink(file)));
	while (!rc && seen < number && (n = pcap_next_ex(file, &header, &bytes)) == 1)
		seen++;
	if (!rc && n == PCAP_ERROR)
		rc = mr_error_set(error, -EINVAL, "%s: %s", path, pcap_geterr(file));
	else if (!rc && seen < number)
		rc = mr_error_set(error, -ENOENT, "%s: has %llu packets, no number %llu", path,
		    (unsigned long long)seen, (unsigned long long)number);
	else if (!rc && header->caplen < header->len)
		rc = mr_error_set(error, -EINVAL,
		    "%s: packet %llu is cut short: %u of its %u bytes were captured", path,
		    (unsigned long long)number, header->caplen, header->len);
	else if (!rc && header->caplen > FRAME_MAX)
		rc = mr_error_set(error, -E2BIG, "%s: packet %llu has more than %u bytes", path,
		    (unsigned long long)number, FRAME_MAX);
	if (!rc) {
		f->len = header->caplen;
		memcpy(f->bytes, bytes, f->len);
	}
	pcap_close(file);
	return rc;
}

static int
from_hex(struct frame *f, const char *text, struct mr_error *error)
{
	long n = mr_hex_read(text, strlen(text), f->bytes, FRAME_MAX);

	if (n == -E2BIG)
		return mr_error_set(error, -E2BIG, "--hex: more than %u bytes", FRAME_MAX);
	if (n < 0)
		return mr_error_set(error, -EINVAL, "--hex: not pairs of hexadecimal digits");
	f->len = (unsigned)n;
	return 0;
}

static int
from_fields(struct frame *f, const char *const *words, unsigned count, struct mr_error *error)
{
	static struct mr_packet_build b;
	int rc = mr_packet_build(&b, words, count, error);

	if (rc)
		return rc;
	f->len = b.len;
	f->own = !b.has_dmac;
	memcpy(f->bytes, b.frame, b.len);
	return 0;
}

/* Exactly one source of the frame. */
static int
make_frame(struct frame *f, const struct mr_cmd_args *args, struct mr_error *error)
{
	const char *capture = mr_cmd_value(args, "capture"), *hex = mr_cmd_value(args, "hex");
	uint64_t number = 1;

	if ((capture != NULL) + (hex != NULL) + (args->word_count > 1) > 1)
		return mr_error_set(error, -EINVAL,
		    "fields, --capture and --hex are three ways to give one packet: use one");
	if (!capture && mr_cmd_given(args, "frame"))
		return mr_error_set(error, -EINVAL, "--frame is of a file: give it with --capture");
	if (!mr_cmd_uint(args, "frame", 1, UINT64_MAX, &number)) {
		mr_error_set(error, -EINVAL, "%s", "");
		return -EINVAL;
	}
	if (capture)
		return from_capture(f, capture, number, error);
	if (hex)
		return from_hex(f, hex, error);
	return from_fields(f, args->words + 1, args->word_count - 1, error);
}

static int
print(const struct mr_cmd_args *args, const char *text, size_t size)
{
	unsigned shown = MR_TRACE_EXPLAINED | (mr_cmd_given(args, "all") ? MR_TRACE_ALL : 0);
	json_t *recording;

	if (mr_cmd_given(args, "json")) {
		fwrite(text, 1, size, stdout);
		return MR_EXIT_OK;
	}
	recording = json_loadb(text, size, 0, NULL);
	if (!recording) {
		fprintf(stderr, "millrace explain: the answer cannot be read\n");
		return MR_EXIT_FAILED;
	}
	mr_trace_print(stdout, recording, shown);
	mr_trace_print_lane(stdout, json_object_get(recording, "lane"), shown);
	json_decref(recording);
	return MR_EXIT_OK;
}

static int
ask(const struct mr_cmd_args *args, const struct frame *f)
{
	char target[CLIENT_TARGET_MAX] = "/explain", *digits, *answer = NULL;
	struct mr_error error;
	size_t size;
	int status;

	if (mr_cmd_given(args, "drop"))
		mr_client_param(target, sizeof(target), "drop", mr_cmd_value(args, "drop"));
	else
		mr_client_param(target, sizeof(target), "interface", args->words[0]);
	if (f->own)
		mr_client_param(target, sizeof(target), "to", "own");
	digits = malloc(f->len * 2 + 1);
	if (!digits) {
		fprintf(stderr, "millrace explain: no memory\n");
		return MR_EXIT_FAILED;
	}
	mr_hex_write(digits, f->bytes, f->len);
	if (mr_client_post(mr_cmd_value(args, "socket"), target, digits, &answer, &size, &error)) {
		fprintf(stderr, "millrace explain: %s\n", error.text);
		status = MR_EXIT_FAILED;
	} else {
		status = print(args, answer, size);
	}
	free(answer);
	free(digits);
	return status;
}

static void
print_fields(void)
{
	const char *name, *doc;

	printf("\nfields:\n");
	for (unsigned n = 0; (name = mr_packet_field(n, &doc)) != NULL; n++)
		printf("  %-26s %s\n", name, doc);
}

static int
explain_run(const struct mr_cmd *cmd, int argc, char **argv)
{
	struct frame *f = calloc(1, sizeof(*f));
	struct mr_cmd_args args;
	struct mr_error error;
	int status;

	if (mr_cmd_parse(cmd, argc, argv, 0, MR_CMD_WORDS_MAX, &args, &status)) {
		if (status == MR_EXIT_OK)
			print_fields();
	} else if (mr_cmd_given(&args, "drop") != (args.word_count == 0) ||
	    (mr_cmd_given(&args, "drop") &&
		(mr_cmd_given(&args, "capture") || mr_cmd_given(&args, "hex")))) {
		fprintf(stderr, "usage: millrace explain %s\n", cmd->usage);
		status = MR_EXIT_USAGE;
	} else if (!f) {
		fprintf(stderr, "millrace explain: no memory\n");
		status = MR_EXIT_FAILED;
	} else if (!mr_cmd_given(&args, "drop") && make_frame(f, &args, &error)) {
		if (error.text[0])
			fprintf(stderr, "millrace explain: %s\n", error.text);
		status = mr_cmd_given(&args, "capture") && error.text[0] ? MR_EXIT_FAILED
									 : MR_EXIT_USAGE;
	} else {
		status = ask(&args, f);
	}
	free(f);
	return status;
}

const struct mr_cmd mr_cmd_explain = {
	.name = "explain",
	.summary = "what would happen to a packet, without sending it",
	.usage =
	    "INTERFACE FIELD... | INTERFACE --capture FILE [--frame N] | INTERFACE --hex BYTES | "
	    "--drop ID",
	.help =
	    "Prints what the running millrace would do with a packet that came in on INTERFACE:\n"
	    "each node that it would pass, the entry of each table that matches, each change\n"
	    "of its bytes, and what becomes of it and its copies. Nothing is sent, counted,\n"
	    "learned or kept. The exit status is 0 also when the packet would be dropped.\n"
	    "With --all also what serves the flow lane: tables that were asked, bytes that a\n"
	    "decision rests on, counters, checksums, and the program of the packet's flow.\n"
	    "\n"
	    "  millrace explain lan dst=10.1.2.3\n"
	    "  millrace explain lan src=10.0.0.1 dst=10.1.2.3 proto=tcp flags=syn dport=443\n"
	    "  millrace explain lan vlan=7 dst=2001:db8::1 len=1500 ttl=1\n"
	    "  millrace explain h1 smac=02:00:00:00:00:01 dmac=broadcast type=0x88b5\n"
	    "  millrace explain wan --capture odd.pcap --frame 12\n"
	    "  millrace explain --drop 0:1234",
	.options = options,
	.complete =
	    "@interface "
	    "src=|dst=|proto=|sport=|dport=|flags=|icmp-type=|icmp-code=|ttl=|tos=|id=|df|frag=|"
	    "len=|vlan=|smac=|dmac=|type=|arp|bad-checksum|bad-l4-checksum",
	.run = explain_run,
};
