/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/pcap/pcap_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kit/packet/pcapng.h"

#define SNAP_ALL 262144u
#define FILE_BUFFER (1u << 20)

struct capture_writer {
	FILE *file;
	pcap_t *dead;          /* of a pcap file: libpcap's notion of what is written */
	pcap_dumper_t *dumper; /* null: pcapng, which libpcap does not write */
	uint8_t *block;        /* of a pcapng file: the largest packet's */
	uint32_t snap;
	char path[256];
};

static int
pcapng_begin(struct capture_writer *w)
{
	uint8_t blocks[MR_PCAPNG_SECTION_SIZE + MR_PCAPNG_INTERFACE_MAX];
	size_t size = mr_pcapng_section(blocks, sizeof(blocks));

	size += mr_pcapng_interface(blocks + size, sizeof(blocks) - size, NULL, w->snap);
	w->block = malloc(MR_PCAPNG_PACKET_MAX(w->snap));
	if (!w->block)
		return -ENOMEM;
	return fwrite(blocks, size, 1, w->file) == 1 ? 0 : -errno;
}

static void
pcapng_put(struct capture_writer *w, const uint8_t *bytes, uint32_t kept, uint32_t len,
    uint64_t time_ns)
{
	const struct mr_pcapng_packet packet = {
		.time_ns = time_ns,
		.kept = kept,
		.length = len,
	};

	fwrite(w->block, mr_pcapng_packet(w->block, MR_PCAPNG_PACKET_MAX(w->snap), &packet, bytes),
	    1, w->file);
}

static bool
path_is_pcapng(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && (!strcmp(dot, ".pcapng") || !strcmp(dot, ".ng"));
}

int
capture_writer_open(struct capture_writer **out, const char *path, uint32_t snap,
    struct mr_error *error)
{
	struct capture_writer *w = calloc(1, sizeof(*w));
	int fd, rc = 0;

	*out = NULL;
	if (!w)
		return mr_error_set(error, -ENOMEM, "no memory to write %s", path);
	w->snap = snap ? MR_MIN(snap, SNAP_ALL) : SNAP_ALL;
	snprintf(w->path, sizeof(w->path), "%s", path);
	fd = !strcmp(path, "-") ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
				: open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	w->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!w->file) {
		rc = mr_error_set(error, -errno, "cannot write capture file %s: %s", path,
		    strerror(errno));
		if (fd >= 0)
			close(fd);
		free(w);
		return rc;
	}
	setvbuf(w->file, NULL, _IOFBF, FILE_BUFFER);
	if (path_is_pcapng(path)) {
		rc = pcapng_begin(w);
	} else {
		w->dead = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, (int)w->snap,
		    PCAP_TSTAMP_PRECISION_NANO);
		w->dumper = w->dead ? pcap_dump_fopen(w->dead, w->file) : NULL;
		if (!w->dumper)
			rc = -EIO;
	}
	/* The header goes out at once: a full disk shows now, and readers may follow. */
	if (!rc && fflush(w->file))
		rc = -errno;
	if (rc) {
		mr_error_set(error, rc, "cannot write capture file %s: %s", path, strerror(-rc));
		capture_writer_close(w);
		return rc;
	}
	*out = w;
	return 0;
}

int
capture_writer_put(struct capture_writer *w, const uint8_t *bytes, uint32_t len, uint64_t time_ns)
{
	uint32_t kept = MR_MIN(len, w->snap);
	struct pcap_pkthdr header = {
		.ts = { .tv_sec = (time_t)(time_ns / 1000000000u),
		    .tv_usec = (suseconds_t)(time_ns % 1000000000u) },
		.caplen = kept,
		.len = len,
	};

	errno = 0;
	if (w->dumper)
		pcap_dump((u_char *)w->dumper, &header, bytes);
	else
		pcapng_put(w, bytes, kept, len, time_ns);
	return ferror(w->file) ? (errno ? -errno : -EIO) : 0;
}

int
capture_writer_flush(struct capture_writer *w)
{
	return fflush(w->file) ? -errno : 0;
}

int
capture_writer_close(struct capture_writer *w)
{
	int rc = 0;

	if (!w)
		return 0;
	if (fflush(w->file))
		rc = -errno;
	if (w->dumper)
		pcap_dump_close(w->dumper); /* closes the file too */
	else
		fclose(w->file);
	if (w->dead)
		pcap_close(w->dead);
	free(w->block);
	free(w);
	return rc;
}
