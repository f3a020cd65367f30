/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_KIT_PORT_PCAP_PCAP_INT_H
#define MR_KIT_PORT_PCAP_PCAP_INT_H

/*
 * pcap: capture files as a port.
 *
 *   read.c   one record after the other through libpcap (pcap and pcapng), or a
 *            whole file into memory
 *   write.c  what is transmitted, as pcap (libpcap) or pcapng
 *   pcap.c   the driver
 *
 * The file is somebody else's bytes: libpcap checks its structure, read.c each
 * record. A record that is cut short, empty or longer than a packet can be is
 * counted and left out; a file that breaks in the middle ends there, with the reason
 * kept for stats.
 */

#include <pcap/pcap.h>
#include <pthread.h>

#include "kit/port/driver_int.h"

struct capture_reader {
	pcap_t *pcap;
	struct capture_source *source; /* closed with pcap */
	bool add_ethernet;             /* the records are IP packets; give them a header */
	bool keep_truncated;
	bool ended;
	uint64_t errors; /* records left out */
	char stop[160];  /* why it ended before its time; empty when it did not */
	uint8_t frame[14 + MR_PACKET_TOTAL_MAX]; /* a record with its new header */
};

struct capture_record {
	const uint8_t *bytes; /* good until the next read */
	uint32_t len;
	uint64_t time_ns;
};

int capture_reader_open(struct capture_reader *, const char *path, bool add_ethernet,
    bool keep_truncated, struct mr_error *);
void capture_reader_close(struct capture_reader *);

/* The next good record; false at the end. */
bool capture_reader_next(struct capture_reader *, struct capture_record *);

/* Whether a read would find something now; false only for a pipe with nothing in it. */
bool capture_reader_ready(const struct capture_reader *);

/* The pipe's descriptor, or -1: a file, which is always ready. */
int capture_reader_pipe(const struct capture_reader *);

/* A whole capture: records back to back, each from a new cache line on. */
struct capture_memory {
	uint8_t *bytes;
	size_t size; /* used */
	size_t room; /* mapped */
	uint32_t *lens;
	uint64_t *times; /* nanoseconds */
	size_t count, lens_room;
	bool chained; /* some record is larger than a buffer */
};

int capture_memory_load(struct capture_memory *, struct capture_reader *, struct mr_error *);
void capture_memory_free(struct capture_memory *);

struct capture_writer;

/* `snap`: bytes kept of a packet, 0 for all. */
int capture_writer_open(struct capture_writer **out, const char *path, uint32_t snap,
    struct mr_error *);
/* -errno when the file refused it. */
int capture_writer_put(struct capture_writer *, const uint8_t *bytes, uint32_t len,
    uint64_t time_ns);
int capture_writer_flush(struct capture_writer *);
/* Flushes; null is fine. */
int capture_writer_close(struct capture_writer *);

#endif
