/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/port/port_test_int.h"

#include <poll.h>

#include "kit/port/driver.h"

static void
test_drivers(void **state)
{
	const struct mr_port_driver *const *d;

	for (d = mr_port_driver_list; *d; d++) {
		assert_ptr_equal(mr_port_driver_find((*d)->name), *d);
		assert_true((*d)->doc && (*d)->needs && (*d)->open && (*d)->start && (*d)->stop);
		assert_true((*d)->close && (*d)->rx && (*d)->tx && (*d)->rx_fd && (*d)->poll_link);
		(*d)->close(NULL);
	}
	assert_null(mr_port_driver_find("nul"));
	mr_port_close(NULL);
}

static void
test_refusals(void **state)
{
	struct mr_buffers *b = test_buffers(256);
	struct mr_error error;
	struct mr_port *port;
	struct mr_port_config config = { .name = "lan", .buffers = b };

	assert_int_equal(test_try(&port, b, "nul", NULL, NULL, 1, &error), -ENOENT);
	assert_non_null(strstr(error.text, "port p0: no driver 'nul'; did you mean 'null'?"));
	assert_int_equal(test_try(&port, b, "infiniband", NULL, NULL, 1, &error), -ENOENT);
	assert_null(strstr(error.text, "mean"));
	assert_non_null(strstr(error.text, "gen, "));
	assert_int_equal(test_try(&port, b, "null", "eth0", NULL, 1, &error), -EINVAL);
	assert_non_null(strstr(error.text, "takes no device"));
	assert_int_equal(test_try(&port, b, "null", NULL, TEST_OPTION_LIST("sise=64"), 1, &error),
	    -EINVAL);
	assert_string_equal(error.text, "port p0: no option 'sise'; did you mean 'size'?");
	assert_int_equal(test_try(&port, b, "null", NULL, NULL, 65, &error), -ERANGE);

	config.name = "a-name-that-is-much-too-long-for-a-port";
	assert_int_equal(mr_port_open(&port, "null", &config, &error), -ENAMETOOLONG);
	config.name = "";
	assert_int_equal(mr_port_open(&port, "null", &config, &error), -EINVAL);
	config.name = "a b";
	assert_int_equal(mr_port_open(&port, "null", &config, &error), -EINVAL);
	config.name = "lan";
	config.index = MR_PORT_MAX;
	assert_int_equal(mr_port_open(&port, "null", &config, &error), -ENOSPC);
	config.index = 0;
	config.buffers = NULL;
	assert_int_equal(mr_port_open(&port, "null", &config, NULL), -EINVAL);
	assert_null(port);
	mr_buffers_destroy(b);
}

static void
test_null_silent(void **state)
{
	struct test_port t = test_open("null", NULL, NULL, 2);
	struct pollfd fd = { .events = POLLIN };
	uint32_t h[8];
	unsigned i;

	assert_int_equal(t.port->rx_queues, 2);
	assert_int_equal(t.port->driver->rx(t.port, 1, 0, h, 8), 0);
	fd.fd = t.port->driver->rx_fd(t.port, 1);
	assert_true(fd.fd >= 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	/* Chains are swallowed whole. */
	for (i = 0; i < 8; i++) {
		static const uint8_t bytes[6000];

		h[i] = mr_packet_from(t.buffers, 0, bytes, i & 1 ? 6000 : 60);
		assert_int_not_equal(h[i], MR_PACKET_NONE);
	}
	assert_int_equal(t.port->driver->tx(t.port, 1, 0, h, 8), 8);
	assert_int_equal(t.port->tx_stats[1].packets, 8);
	assert_int_equal(t.port->tx_stats[1].bytes, 4 * 6060);
	assert_int_equal(t.port->driver->poll_link(t.port), 1);
	test_close(&t);
}

static void
test_null_endless(void **state)
{
	static const char *const modes[] = { "rx=bare", "rx=copy" };
	uint32_t h[MR_VECTOR_MAX];
	unsigned m, i, n, all;

	for (m = 0; m < 2; m++) {
		struct test_port t =
		    test_open("null", NULL, TEST_OPTION_LIST(modes[m], "size=100"), 1);

		assert_int_equal(t.port->driver->rx_fd(t.port, 0), -1);
		for (all = 0; (n = t.port->driver->rx(t.port, 0, 1, h, MR_VECTOR_MAX)); all += n) {
			for (i = 0; i < n; i++) {
				struct mr_packet *p = mr_packet_at(t.buffers->base, h[i]);

				assert_int_equal(p->len, 100);
				assert_int_equal(p->total, 100);
				assert_int_equal(p->data, MR_PACKET_DATA);
				assert_int_equal(p->segments, 1);
				assert_int_equal(p->port, 3);
				assert_int_equal(
				    p->next | p->flags | p->hash | p->record | p->queue, 0);
				if (m)
					assert_int_equal(mr_packet_bytes(p)[13], 0xb5);
			}
			if (all < 1024)
				assert_int_equal(t.port->driver->tx(t.port, 0, 1, h, n), n);
			else
				break;
		}
		assert_int_equal(t.port->driver->tx(t.port, 0, 1, h, n), n);
		assert_int_equal(t.port->rx_stats[0].packets, t.port->tx_stats[0].packets);
		test_close(&t);
	}
}

/* No buffer: nothing arrives, it is counted, and it ends when buffers return. */
static void
test_null_starved(void **state)
{
	struct test_port t = test_open("null", NULL, TEST_OPTION_LIST("rx=bare"), 1);
	uint32_t *all = malloc(TEST_BUFFERS * sizeof(*all)), h[64];
	unsigned n = 0, got;

	assert_non_null(all);
	while ((got = t.port->driver->rx(t.port, 0, 0, all + n, MR_MIN(64u, TEST_BUFFERS - n))))
		n += got;
	assert_int_equal(n, mr_pool_used(t.buffers->pool));
	assert_int_equal(t.port->driver->rx(t.port, 0, 0, h, 64), 0);
	assert_true(t.port->rx_stats[0].no_buffer > 0);
	t.port->driver->tx(t.port, 0, 0, all, n);
	assert_true(t.port->driver->rx(t.port, 0, 0, h, 64) > 0);
	t.port->driver->tx(t.port, 0, 0, h, 64);
	free(all);
	test_close(&t);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drivers),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_null_silent),
		cmocka_unit_test(test_null_endless),
		cmocka_unit_test(test_null_starved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
