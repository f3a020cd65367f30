/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_CONTROL_METRICS_METRICS_INT_H
#define MR_CONTROL_METRICS_METRICS_INT_H

/*
 * What the files of the metrics share: families, which are leaves of the model by Prometheus'
 * names, and the text of a sample.
 *
 * A leaf's family is "millrace_", its path with underscores, its unit, and "_total" for a counter:
 * interface/counters/rx-bytes is millrace_interface_counters_rx_bytes_total. Keys of lists are labels: a
 * list with one key gives its own name to the label (interface="lan1"), one with more the keys' names.
 * Times are in seconds and rates of bits in bytes, as Prometheus wants base units. A leaf `value` is
 * what its list counts and is not said. A step that is a type's word ("counter") is put in the
 * plural, for names do not say types, and so are ends that histograms have ("count"). An enumeration is one series for each of its words, 1 for
 * the one that it is.
 *
 * Ownership: families own their texts; leaves must outlive them. A page owns its buffer.
 * Threads: one at a time. Errors: 0 or -errno.
 */

#include "model/sample.h"

#define METRICS_NAME_MAX 256
#define METRICS_SERIES_MAX 262144u /* lines of one page; the rest is counted */
#define METRICS_FAMILY_MAX 16384u  /* values of one family */

struct family {
	const struct mr_leaf *leaf; /* null: this leaf is no metric */
	char *name;                 /* without "_total" */
	const char *unit;           /* the end of the name; null: none */
	const char *state;          /* of an enumeration: the label that has the word */
	uint32_t times;             /* value * times / 10^digits is what is shown */
	uint8_t digits;
};

struct families {
	const struct mr_leaves *leaves;
	struct family *list;             /* by the leaf's index */
	char *(*labels)[MR_SAMPLE_KEYS]; /* of each list: the names of its keys' labels */
};

/* -EEXIST when two leaves would have one name. */
int families_create(struct families **out, const struct mr_leaves *, struct mr_error *);
void families_destroy(struct families *);

/* A page: the sample's values as text. */
struct page {
	char *text;
	size_t used, room;
	unsigned series;
	uint64_t cut; /* series that were too many */
	bool failed;  /* no memory */
	/* Kept from page to page. */
	uint32_t *order, *starts; /* the values by families */
	size_t order_room;
	struct page_label { /* of each entry: its labels, in `labels` */
		uint32_t at, size;
	} * of_entry;
	size_t entry_room;
	char *labels;
	size_t labels_used, labels_room;
};

/* Writes the values of a sample; in OpenMetrics 1.0's form, or the older one of Prometheus. */
int page_write(struct page *, const struct families *, const struct mr_sample *, bool open);
void page_free(struct page *);

#endif
