package grains

import "brine/states/value"

// The versions of Salt and Python whose behaviour templates may count on. Public
// formulas compare them before they use a feature, and brine has the features
// of this line.
const (
	SaltVersion = "3007.13"
	saltPath    = "/opt/saltstack/salt/lib/python3.10/site-packages/salt"
)

func versions(p *probe) {
	p.put("saltversion", SaltVersion)
	p.put("saltversioninfo", versionInfo(SaltVersion))
	p.put("saltpath", saltPath)
	p.put("pythonversion", value.NewList(int64(3), int64(10), int64(18), "final", int64(0)))
}
