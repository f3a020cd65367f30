/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MR_BENCH_SHAPE_H
#define MR_BENCH_SHAPE_H

/* What both sides of the rows ring-* and pool do alike. */

#define SHAPE_BURST 32  /* objects per call */
#define SHAPE_BATCH 256 /* turns between two looks at the clock */
#define SHAPE_RING 1024 /* elements */
#define SHAPE_POOL_COUNT 8192
#define SHAPE_POOL_CACHE 512
#define SHAPE_POOL_HELD 4 /* bursts taken before they are given back */

#endif
