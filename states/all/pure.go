package all

import (
	"strings"
	"sync"
)

// pure are the functions that need no more than grains, pillar, configuration and the tree. A name that
// ends with .* is a module.
const pure = `
config.*
cp.get_file_str cp.hash_file cp.list_master cp.list_master_dirs cp.list_states
defaults.*
file.basename file.dirname file.join file.normpath
grains.equals grains.fetch grains.filter_by grains.get grains.has_value grains.item grains.items grains.ls
hashutil.base64_b64decode hashutil.base64_b64encode hashutil.base64_decodestring hashutil.base64_encodestring
hashutil.digest hashutil.github_signature hashutil.hmac_compute hashutil.hmac_signature
hashutil.md5_digest hashutil.sha256_digest hashutil.sha512_digest
log.*
match.*
network.calc_net network.convert_cidr network.ip_in_subnet network.is_loopback network.is_private network.reverse_ip
pillar.*
random.*
slsutil.*
sys.*
test.arg test.echo test.false test.kwarg test.ping test.rand_str test.true test.version
`

var pureNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, name := range strings.Fields(pure) {
		names[name] = true
	}
	return names
})

// Pure tells whether a function needs no more than grains, pillar, configuration and the tree. All others look at the
// machine they run on, or change it: neither the check of a tree nor the making of pillar on a master calls them.
func Pure(function string) bool {
	mod, _, _ := strings.Cut(function, ".")
	return pureNames()[function] || pureNames()[mod+".*"]
}
