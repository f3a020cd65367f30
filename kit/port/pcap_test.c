/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/port_test_int.h"

#include <dirent.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BURST 32

/* A capture that is written byte by byte, so that it can be wrong. */
struct file {
	uint8_t bytes[1 << 20];
	size_t len;
};

static void
file_put(struct file *f, const void *bytes, size_t len)
{
	assert_true(f->len + len <= sizeof(f->bytes));
	memcpy(f->bytes + f->len, bytes, len);
	f->len += len;
}

static void
file_begin(struct file *f, uint32_t link)
{
	uint32_t head[6] = { 0xa1b23c4d, 2 | 4 << 16, 0, 0, 262144, link };

	f->len = 0;
	file_put(f, head, sizeof(head));
}

/* A frame of `len` bytes, of which the file holds `kept`. */
static void
file_frame(struct file *f, uint32_t sec, uint32_t nsec, uint32_t kept, uint32_t len)
{
	uint32_t head[4] = { sec, nsec, kept, len };
	uint8_t frame[130000];
	uint32_t i;

	for (i = 0; i < kept; i++)
		frame[i] = (uint8_t)(i * 7 + kept);
	file_put(f, head, sizeof(head));
	file_put(f, frame, kept);
}

static void
file_save(const struct file *f, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, f->bytes, f->len), f->len);
	close(fd);
}

static char folder[] = "/tmp/millrace-pcap-XXXXXX";

static const char *
in_folder(const char *name)
{
	static char paths[4][256];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static struct file *
file_new(void)
{
	struct file *f = malloc(sizeof(*f));

	assert_non_null(f);
	return f;
}

/* Takes everything that a finite port has; returns packets, checks the pattern's bytes. */
static unsigned
drain(struct test_port *t, uint32_t *lens, unsigned room)
{
	static uint8_t bytes[130000];
	unsigned all = 0, n, i, j;
	uint32_t h[BURST];

	while (t->port->state != MR_PORT_DONE) {
		n = t->port->driver->rx(t->port, 0, 0, h, BURST);
		for (i = 0; i < n; i++) {
			struct mr_packet *p = mr_packet_at(t->buffers->base, h[i]);

			assert_int_equal(p->port, 3);
			assert_int_equal(mr_packet_read(t->buffers, h[i], 0, bytes, sizeof(bytes)),
			    p->total);
			for (j = 0; lens && j < p->total; j++)
				assert_int_equal(bytes[j], (uint8_t)(j * 7 + p->total));
			if (lens && all + i < room)
				lens[all + i] = p->total;
		}
		assert_int_equal(t->port->driver->tx(t->port, 0, 0, h, n), n);
		all += n;
	}
	return all;
}

/* Good records among bad ones: the bad are counted, the good come out whole. */
static void
test_records(void **state)
{
	static const char *const loops[] = { "loop=off", "loop=memory" };
	struct file *f = file_new();
	uint32_t lens[64];
	unsigned l, n;

	file_begin(f, 1);
	file_frame(f, 1, 0, 60, 60);
	file_frame(f, 1, 1, 13, 13); /* shorter than an Ethernet header */
	file_frame(f, 1, 2, 0, 0);
	file_frame(f, 1, 3, 100, 1500); /* truncated */
	file_frame(f, 1, 4, MR_PACKET_ROOM, MR_PACKET_ROOM);
	file_frame(f, 1, 5, MR_PACKET_ROOM + 1, MR_PACKET_ROOM + 1);
	file_frame(f, 1, 6, MR_PACKET_TOTAL_MAX, MR_PACKET_TOTAL_MAX);
	file_frame(f, 1, 7, MR_PACKET_TOTAL_MAX + 1, MR_PACKET_TOTAL_MAX + 1);
	file_frame(f, 1, 8, 14, 14);
	file_save(f, in_folder("records.pcap"));
	for (l = 0; l < 2; l++) {
		struct test_port t = test_open("pcap", in_folder("records.pcap"),
		    TEST_OPTION_LIST(loops[l], "loops=2"), 4);

		assert_int_equal(t.port->rx_queues, 1);
		assert_true(t.port->caps & MR_PORT_FINITE);
		n = drain(&t, lens, 64);
		assert_int_equal(n, l ? 10 : 5);
		assert_int_equal(lens[0], 60);
		assert_int_equal(lens[1], MR_PACKET_ROOM);
		assert_int_equal(lens[2], MR_PACKET_ROOM + 1);
		assert_int_equal(lens[3], MR_PACKET_TOTAL_MAX);
		assert_int_equal(lens[4], 14);
		assert_int_equal(t.port->rx_stats[0].errors, 4);
		assert_int_equal(t.port->rx_stats[0].packets, n);
		test_close(&t);
	}
	free(f);
}

static void
test_keep_truncated(void **state)
{
	struct file *f = file_new();
	struct test_port t;
	uint32_t lens[2];

	file_begin(f, 1);
	file_frame(f, 1, 3, 100, 1500);
	file_save(f, in_folder("snap.pcap"));
	t = test_open("pcap", in_folder("snap.pcap"), TEST_OPTION_LIST("truncated=keep"), 1);
	assert_int_equal(drain(&t, lens, 2), 1);
	assert_int_equal(lens[0], 100);
	test_close(&t);
	free(f);
}

/* A file that ends in the middle of a record: what was whole is delivered, the reason told. */
static void
test_cut_off(void **state)
{
	struct file *f = file_new();
	struct mr_port_stats stats;
	struct test_port t;

	file_begin(f, 1);
	file_frame(f, 1, 0, 60, 60);
	file_frame(f, 1, 0, 600, 600);
	f->len -= 10;
	file_save(f, in_folder("cut.pcap"));
	t = test_open("pcap", in_folder("cut.pcap"), NULL, 1);
	assert_int_equal(drain(&t, NULL, 0), 1);
	assert_int_equal(t.port->rx_stats[0].errors, 1);
	t.port->driver->stats(t.port, &stats);
	assert_non_null(strstr(stats.detail, "truncated dump file"));
	test_close(&t);
	free(f);
}

static void
test_refusals(void **state)
{
	struct mr_buffers *b = test_buffers(256);
	struct file *f = file_new();
	struct mr_error error;
	struct mr_port *port;
	struct {
		const char *device, *option, *text;
		int rc;
	} cases[] = {
		{ NULL, NULL, "needs a file", -EINVAL },
		{ "/nonexistent/x.pcap", NULL, "No such file", -ENOENT },
		{ "/tmp", NULL, "is a folder", -EISDIR },
		{ "empty.pcap", NULL, "is empty", -ENODATA },
		{ "text.pcap", NULL, "not a capture", -EBADMSG },
		{ "header.pcap", "loop=memory", "no packet", -ENODATA },
		{ "sll.pcap", NULL, "link type LINUX_SLL", -EPROTONOSUPPORT },
		{ "raw.pcap", NULL, "option add-ethernet", -EPROTONOSUPPORT },
		{ "header.pcap", "write=/nonexistent/y.pcap", "cannot write", -ENOENT },
		{ "header.pcap", "write=/dev/full", "No space", -ENOSPC },
		{ "header.pcap", NULL, "read and written at once", -EEXIST },
	};
	char same[300];
	size_t i;

	f->len = 0;
	file_save(f, in_folder("empty.pcap"));
	file_put(f, "hello, this is no capture at all", 32);
	file_save(f, in_folder("text.pcap"));
	file_begin(f, 1);
	file_save(f, in_folder("header.pcap"));
	file_begin(f, 113);
	file_save(f, in_folder("sll.pcap"));
	file_begin(f, 101);
	file_save(f, in_folder("raw.pcap"));
	snprintf(same, sizeof(same), "write=%s", in_folder("header.pcap"));
	cases[10].option = same;
	for (i = 0; i < MR_ARRAY_COUNT(cases); i++) {
		const char *device = cases[i].device;
		int rc;

		if (device && device[0] != '/')
			device = in_folder(device);
		rc = test_try(&port, b, "pcap", device, TEST_OPTION_LIST(cases[i].option), 1,
		    &error);
		assert_null(port);
		if (rc != cases[i].rc || !strstr(error.text, cases[i].text))
			fail_msg("case %zu: %d %s", i, rc, error.text);
	}
	free(f);
	mr_buffers_destroy(b);
}

/* Bare IP gets a header; a record that is no IP is counted. */
static void
test_raw(void **state)
{
	uint8_t ip4[40] = { 0x45 }, ip6[50] = { 0x60 }, other[30] = { 0x20 };
	uint32_t head[4] = { 1, 0, 0, 0 }, h[BURST];
	struct file *f = file_new();
	struct test_port t;
	uint8_t *b;

	file_begin(f, 101);
	head[2] = head[3] = sizeof(ip4);
	file_put(f, head, sizeof(head));
	file_put(f, ip4, sizeof(ip4));
	head[2] = head[3] = sizeof(other);
	file_put(f, head, sizeof(head));
	file_put(f, other, sizeof(other));
	head[2] = head[3] = sizeof(ip6);
	file_put(f, head, sizeof(head));
	file_put(f, ip6, sizeof(ip6));
	file_save(f, in_folder("ip.pcap"));
	t = test_open("pcap", in_folder("ip.pcap"), TEST_OPTION_LIST("add-ethernet=true"), 1);
	assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, BURST), 2);
	b = mr_packet_bytes(mr_packet_at(t.buffers->base, h[0]));
	assert_int_equal(b[12] << 8 | b[13], 0x0800);
	assert_memory_equal(b + 14, ip4, sizeof(ip4));
	b = mr_packet_bytes(mr_packet_at(t.buffers->base, h[1]));
	assert_int_equal(b[12] << 8 | b[13], 0x86dd);
	assert_int_equal(mr_packet_at(t.buffers->base, h[1])->len, 64);
	assert_int_equal(t.port->rx_stats[0].errors, 1);
	t.port->driver->tx(t.port, 0, 0, h, 2);
	test_close(&t);
	free(f);
}

/* What is sent comes back byte by byte, in both formats, chains and all. */
static void
test_write(void **state)
{
	static const char *const names[] = { "out.pcap", "out.pcapng" };
	unsigned i, j;

	for (i = 0; i < 2; i++) {
		const char *path = in_folder(names[i]);
		char option[300], text[PCAP_ERRBUF_SIZE];
		struct pcap_pkthdr *header;
		struct test_port t;
		uint32_t h[100];
		uint8_t bytes[6000];
		const u_char *got;
		pcap_t *pcap;
		time_t before = time(NULL);

		snprintf(option, sizeof(option), "write=%s", path);
		t = test_open("pcap", NULL, TEST_OPTION_LIST(option, "snap=5000"), 2);
		assert_int_equal(t.port->tx_queues, 2);
		assert_false(t.port->caps & (MR_PORT_FINITE | MR_PORT_TX_CSUM | MR_PORT_TX_GSO));
		assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, BURST), 0);
		assert_true(t.port->driver->rx_arm(t.port, 0));
		for (j = 0; j < 100; j++) {
			memset(bytes, (int)j, sizeof(bytes));
			h[j] = mr_packet_from(t.buffers, 0, bytes, 14 + j * 60);
			assert_int_not_equal(h[j], MR_PACKET_NONE);
		}
		assert_int_equal(t.port->driver->tx(t.port, 1, 0, h, 100), 100);
		assert_int_equal(t.port->tx_stats[1].packets, 100);
		assert_false(t.port->driver->tx_idle(t.port, 1, 0));
		pcap =
		    pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, text);
		assert_non_null(pcap);
		for (j = 0; j < 100; j++) {
			assert_int_equal(pcap_next_ex(pcap, &header, &got), 1);
			assert_int_equal(header->len, 14 + j * 60);
			assert_int_equal(header->caplen, MR_MIN(14 + j * 60, 5000u));
			assert_true(
			    header->ts.tv_sec >= before && header->ts.tv_sec <= before + 60);
			memset(bytes, (int)j, sizeof(bytes));
			assert_memory_equal(got, bytes, header->caplen);
		}
		assert_int_equal(pcap_next_ex(pcap, &header, &got), PCAP_ERROR_BREAK);
		pcap_close(pcap);
		test_close(&t);
	}
}

/* The disk is full: packets are counted as errors, the reason is told, nothing else fails. */
static void
test_write_refused(void **state)
{
	const char *path = in_folder("fifo");
	struct mr_port_stats stats;
	static uint8_t bytes[1500];
	char option[300];
	struct test_port t;
	unsigned i, j;
	uint32_t h[BURST];
	int fd;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDONLY | O_NONBLOCK);
	snprintf(option, sizeof(option), "write=%s", path);
	t = test_open("pcap", NULL, TEST_OPTION_LIST(option), 1);
	close(fd); /* nobody reads any more */
	for (i = 0; i < 2000 / BURST; i++) {
		for (j = 0; j < BURST; j++)
			h[j] = mr_packet_from(t.buffers, 0, bytes, sizeof(bytes));
		assert_int_equal(t.port->driver->tx(t.port, 0, 0, h, BURST), BURST);
	}
	assert_true(t.port->tx_stats[0].errors > 0);
	t.port->driver->stats(t.port, &stats);
	assert_non_null(strstr(stats.detail, "Broken pipe"));
	test_close(&t);
}

/* With the file's own timing, waking by the descriptor; jumps back cost nothing. */
static void
test_original(void **state)
{
	static const char *const loops[] = { "loop=off", "loop=memory" };
	struct file *f = file_new();
	unsigned l;

	file_begin(f, 1);
	file_frame(f, 100, 0, 60, 60);
	file_frame(f, 100, 20000000, 60, 60);
	file_frame(f, 50, 0, 60, 60);
	file_frame(f, 50, 20000000, 60, 60);
	file_save(f, in_folder("timed.pcap"));
	for (l = 0; l < 2; l++) {
		struct test_port t = test_open("pcap", in_folder("timed.pcap"),
		    TEST_OPTION_LIST("rate=original", loops[l], "loops=1"), 1);
		struct pollfd fd = { .fd = t.port->driver->rx_fd(t.port, 0), .events = POLLIN };
		struct timespec a, b;
		unsigned n = 0, got, sleeps = 0;
		uint32_t h[BURST];
		double s;

		clock_gettime(CLOCK_MONOTONIC, &a);
		while (t.port->state != MR_PORT_DONE) {
			got = t.port->driver->rx(t.port, 0, 0, h, BURST);
			t.port->driver->tx(t.port, 0, 0, h, got);
			n += got;
			if (t.port->state != MR_PORT_DONE && t.port->driver->rx_arm(t.port, 0)) {
				assert_int_equal(poll(&fd, 1, 1000), 1);
				sleeps++;
			}
		}
		clock_gettime(CLOCK_MONOTONIC, &b);
		s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
		assert_int_equal(n, 4);
		assert_true(sleeps >= 1 && sleeps < 10);
		assert_true(s > 0.035);
		assert_true(t.port->driver->rx_arm(t.port, 0));
		assert_int_equal(poll(&fd, 1, 5), 0);
		test_close(&t);
	}
	free(f);
}

/* A pipe: delivers what is there, sleeps while nothing is, ends when the writer goes. */
static void
test_pipe(void **state)
{
	struct file *f = file_new();
	struct test_port t;
	struct pollfd fd = { .events = POLLIN };
	uint32_t h[BURST];
	char path[64];
	int ends[2];

	file_begin(f, 1);
	file_frame(f, 1, 0, 60, 60);
	file_frame(f, 1, 0, 90, 90);
	assert_int_equal(pipe(ends), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	assert_int_equal(write(ends[1], f->bytes, f->len), f->len);
	t = test_open("pcap", path, NULL, 1);
	fd.fd = t.port->driver->rx_fd(t.port, 0);
	assert_false(t.port->driver->rx_arm(t.port, 0));
	assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, 1), 1);
	t.port->driver->tx(t.port, 0, 0, h, 1);
	assert_false(t.port->driver->rx_arm(t.port, 0));
	assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, BURST), 1);
	t.port->driver->tx(t.port, 0, 0, h, 1);
	assert_true(t.port->driver->rx_arm(t.port, 0));
	assert_int_equal(poll(&fd, 1, 5), 0);
	assert_int_equal(t.port->state, MR_PORT_UP);
	assert_int_equal(write(ends[1], f->bytes + 24, 76), 76);
	assert_int_equal(poll(&fd, 1, 1000), 1);
	assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, BURST), 1);
	t.port->driver->tx(t.port, 0, 0, h, 1);
	close(ends[1]);
	assert_int_equal(poll(&fd, 1, 1000), 1);
	assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, BURST), 0);
	assert_int_equal(t.port->state, MR_PORT_DONE);
	assert_int_equal(t.port->rx_stats[0].errors, 0);
	/* A pipe at its end is readable for ever; the worker must not see that. */
	assert_int_equal(poll(&fd, 1, 5), 0);
	close(ends[0]);
	test_close(&t);
	free(f);
}

/* The pool runs dry: nothing is lost, the loop goes on where it was. */
static void
test_starved(void **state)
{
	static const char *const loops[] = { "loop=off", "loop=memory" };
	struct file *f = file_new();
	unsigned i, l, n;

	file_begin(f, 1);
	for (i = 0; i < 200; i++)
		file_frame(f, 1, i, 20 + i, 20 + i);
	file_save(f, in_folder("many.pcap"));
	for (l = 0; l < 2; l++) {
		struct test_port t = { .buffers = test_buffers(2048) };
		uint32_t *hog = malloc(4096 * sizeof(*hog)), h[BURST], hogged = 0, lens[256];

		assert_non_null(hog);
		assert_int_equal(test_try(&t.port, t.buffers, "pcap", in_folder("many.pcap"),
				     TEST_OPTION_LIST(loops[l], "loops=1"), 1, &t.error),
		    0);
		assert_int_equal(t.port->driver->start(t.port, &t.error), 0);
		while (mr_buffers_get(t.buffers, 0, hog + hogged, 1))
			hogged++;
		assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, BURST), 0);
		assert_true(t.port->rx_stats[0].no_buffer > 0);
		mr_buffers_put(t.buffers, 0, hog, hogged);
		n = drain(&t, lens, 256);
		assert_int_equal(n, 200);
		for (i = 0; i < 200; i++)
			assert_int_equal(lens[i], 20 + i);
		free(hog);
		test_close(&t);
	}
	free(f);
}

/* Every broken capture of the shared data: delivered or refused, never a crash, no buffer lost. */
static void
test_malformed(void **state)
{
	const char *data = getenv("MR_DATA");
	unsigned opened = 0, refused = 0, packets = 0;
	struct dirent *entry;
	char path[1024];
	DIR *dir;

	snprintf(path, sizeof(path), "%s/malformed", data ? data : "../shared/data");
	dir = opendir(path);
	if (!dir) {
		print_message("no folder %s (set MR_DATA)\n", path);
		skip();
	}
	while ((entry = readdir(dir))) {
		struct test_port t = { 0 };

		if (!strstr(entry->d_name, ".pcap"))
			continue;
		snprintf(path, sizeof(path), "%s/malformed/%s", data ? data : "../shared/data",
		    entry->d_name);
		t.buffers = test_buffers(TEST_BUFFERS);
		if (test_try(&t.port, t.buffers, "pcap", path,
			TEST_OPTION_LIST("truncated=keep", "add-ethernet=true"), 1, &t.error)) {
			refused++;
			assert_int_not_equal(t.error.text[0], 0);
			mr_buffers_destroy(t.buffers);
			continue;
		}
		opened++;
		t.port->driver->start(t.port, &t.error);
		packets += drain(&t, NULL, 0);
		test_close(&t);
	}
	closedir(dir);
	print_message("%u captures delivered %u packets, %u refused\n", opened, packets, refused);
	assert_true(opened > 100 && packets > 1000);
}

static int
setup(void **state)
{
	return mkdtemp(folder) ? 0 : -1;
}

static int
teardown(void **state)
{
	struct dirent *entry;
	DIR *dir = opendir(folder);

	while (dir && (entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
	return rmdir(folder);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_keep_truncated),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_refused),
		cmocka_unit_test(test_original),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_starved),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
