/* SPDX-License-Identifier: Apache-2.0 */
#include "nf/nat/alg.h"

#include <stddef.h>

extern const struct nat_alg nat_alg_ftp, nat_alg_sip, nat_alg_sip_tcp, nat_alg_tftp;

const struct nat_alg *const nat_alg_list[] = {
	&nat_alg_ftp,
	&nat_alg_sip,
	&nat_alg_sip_tcp,
	&nat_alg_tftp,
	NULL,
};
