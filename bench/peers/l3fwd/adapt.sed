# What has to change in DPDK's l3fwd for the rows ip4-* and ip6-*: one script for all of
# its files. Lines that are not there are told by the build script.

# main.c: virtual devices refuse checksum offload.
s/\.offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM,/.offloads = 0,/
# Where it adds its parser of packet types to a port's receiving, ours goes, which fills the
# buffers with frames first and then calls that parser.
s/^\([[:space:]]*\)l3fwd_lkp\.cb_parse_ptype,$/\1adapt_receive(l3fwd_lkp.cb_parse_ptype),/
# net_pcap keeps a buffer for each frame that it plays.
s/^[[:space:]]*(unsigned)8192)$/	adapt_buffers())/
# The main lcore, which has no queues, answers the bench.
s/rte_eal_mp_remote_launch(l3fwd_lkp\.main_loop, NULL, CALL_MAIN);/rte_eal_mp_remote_launch(l3fwd_lkp.main_loop, NULL, SKIP_MAIN); adapt_serve();/

# l3fwd_lpm.c, l3fwd_fib.c: run in windows.
/^\(lpm\|fib\)_main_loop(/,/^}/s/while (!force_quit)/while (adapt_turn(cur_tsc))/
# Room for a full table, and no line for each route of it.
s/^#define IPV4_L3FWD_LPM_MAX_RULES .*/#define IPV4_L3FWD_LPM_MAX_RULES ADAPT_LPM4_RULES/
s/^#define IPV4_L3FWD_LPM_NUMBER_TBL8S .*/#define IPV4_L3FWD_LPM_NUMBER_TBL8S ADAPT_TBL8_4/
s/^#define IPV6_L3FWD_LPM_MAX_RULES .*/#define IPV6_L3FWD_LPM_MAX_RULES ADAPT_RULES_6/
s/^#define IPV6_L3FWD_LPM_NUMBER_TBL8S .*/#define IPV6_L3FWD_LPM_NUMBER_TBL8S ADAPT_TBL8_6/
s/config_ipv4\.max_routes = .*/config_ipv4.max_routes = ADAPT_RULES_4;/
s/config_ipv4\.dir24_8\.num_tbl8 = .*/config_ipv4.dir24_8.num_tbl8 = ADAPT_TBL8_4;/
s/config\.max_routes = .*/config.max_routes = ADAPT_RULES_6;/
s/config\.trie\.num_tbl8 = .*/config.trie.num_tbl8 = ADAPT_TBL8_6;/
s/ret = rte_lpm_add(/ret = adapt_lpm_add(/
s/printf("\(LPM\|FIB\): /if (0) printf("\1: /
