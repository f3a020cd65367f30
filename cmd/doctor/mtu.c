/* SPDX-License-Identifier: Apache-2.0 */

/* MTUs that do not fit together: devices against the configuration, members of a bridge. */

#include <string.h>

#include "cmd/doctor/doctor.h"

#define AREA "mtu"

/* What an interface will have; 0: not known. */
static unsigned
mtu_of(struct doctor *d, const struct mr_conf *interface)
{
	const char *device = doctor_device(interface);
	uint64_t mtu = mr_conf_uint(interface, "mtu", 0);

	if (!mtu && device && !strchr(device, '/'))
		mtu = (uint64_t)doctor_number(d, 0, "/sys/class/net/%s/mtu", device);
	return (unsigned)mtu;
}

static void
check_device(struct doctor *d, const struct mr_conf *interface)
{
	const char *device = doctor_device(interface);
	uint64_t wanted = mr_conf_uint(interface, "mtu", 0);
	int64_t now;
	struct finding *f;

	if (!device || !wanted || strchr(device, '/'))
		return;
	now = doctor_number(d, 0, "/sys/class/net/%s/mtu", device);
	if (now <= 0 || now >= (int64_t)wanted)
		return;
	f = doctor_say(d, DOCTOR_WARNING, AREA, "interface %s: its mtu is %llu, that of %s is %lld",
	    mr_conf_key(interface), (unsigned long long)wanted, device, (long long)now);
	doctor_why(f, "Larger packets are lost in the device without a word");
	doctor_fix(f, "ip link set %s mtu %llu", device, (unsigned long long)wanted);
}

/* A bridge does not cut packets: what is too large for one member is lost there. */
static void
check_bridge(struct doctor *d, const struct mr_conf *bridge, const struct mr_conf *root)
{
	const struct mr_conf *member, *least = NULL, *most = NULL;
	unsigned low = 0, high = 0;
	struct finding *f;

	mr_conf_each(member, bridge, "interface") {
		const struct mr_conf *interface =
		    mr_conf_find(root, "interface", mr_conf_key(member));
		unsigned mtu = interface ? mtu_of(d, interface) : 0;

		if (mtu && (!least || mtu < low)) {
			least = member;
			low = mtu;
		}
		if (mtu && (!most || mtu > high)) {
			most = member;
			high = mtu;
		}
	}
	if (!least)
		return;
	if (low == high) {
		doctor_say(d, DOCTOR_OK, AREA, "bridge %s: all members have %u bytes",
		    mr_conf_key(bridge), low);
		return;
	}
	f = doctor_say(d, DOCTOR_WARNING, AREA, "bridge %s: %s has an MTU of %u, %s of %u",
	    mr_conf_key(bridge), mr_conf_key(least), low, mr_conf_key(most), high);
	doctor_why(f, "A bridge neither cuts packets nor tells the sender: large ones vanish");
	doctor_fix(f,
	    "# give all members the same mtu, in the configuration or by: ip link set NAME mtu %u",
	    low);
}

/* A router's interface that sends more than its device takes. */
static void
check_router(struct doctor *d, const struct mr_conf *router, const struct mr_conf *root)
{
	const struct mr_conf *entry;

	mr_conf_each(entry, router, "interface") {
		const char *under = mr_conf_text(entry, "parent", mr_conf_key(entry));
		const struct mr_conf *interface = mr_conf_find(root, "interface", under);
		uint64_t wanted = mr_conf_uint(entry, "mtu", 0);
		unsigned has = interface ? mtu_of(d, interface) : 0;
		struct finding *f;

		if (!wanted || !has || wanted <= has)
			continue;
		f = doctor_say(d, DOCTOR_WARNING, AREA,
		    "router %s: %s sends packets of %llu bytes, interface %s takes %u",
		    mr_conf_key(router), mr_conf_key(entry), (unsigned long long)wanted, under,
		    has);
		doctor_why(f, "They are neither fragmented nor answered, but lost");
		doctor_fix(f, "# set router/%s/interface/%s/mtu to %u at most", mr_conf_key(router),
		    mr_conf_key(entry), has);
	}
}

void
doctor_check_mtu(struct doctor *d)
{
	const struct mr_conf *entry, *root = d->config ? mr_conf_root(d->config) : NULL;

	mr_conf_each(entry, root, "interface")
		check_device(d, entry);
	mr_conf_each(entry, root, "bridge")
		check_bridge(d, entry, root);
	mr_conf_each(entry, root, "router")
		check_router(d, entry, root);
}
