package main

import (
	"brine/states/value"
)

// pure are functions that templates may call for real: they answer by what they are given, by grains, pillar and the
// tree, and never by the machine.
var pure = []string{
	"config.get", "config.merge", "config.option", "cp.get_file_str", "cp.list_master", "cp.list_states",
	"defaults.deepcopy", "defaults.get", "defaults.merge", "defaults.update",
	"file.basename", "file.dirname", "file.join", "file.normpath", "file.pardir",
	"grains.equals", "grains.fetch", "grains.filter_by", "grains.get", "grains.has_value", "grains.item", "grains.items",
	"grains.ls",
	"hashutil.base64_b64decode", "hashutil.base64_b64encode", "hashutil.base64_encodestring", "hashutil.digest",
	"hashutil.hmac_signature", "hashutil.md5_digest", "hashutil.sha256_digest", "hashutil.sha512_digest",
	"log.critical", "log.debug", "log.error", "log.info", "log.warning",
	"match.compound", "match.filter_by", "match.glob", "match.grain", "match.grain_pcre", "match.list", "match.pcre",
	"match.pillar", "match.pillar_pcre", "match.search_by",
	"network.calc_net", "network.convert_cidr", "network.ip_in_subnet", "network.is_loopback", "network.is_private",
	"pillar.get", "pillar.item", "pillar.items", "pillar.keys", "pillar.ls", "pillar.raw",
	"pkg.version_cmp",
	"slsutil.banner", "slsutil.boolstr", "slsutil.deserialize", "slsutil.merge", "slsutil.merge_all",
	"slsutil.renderer", "slsutil.serialize", "slsutil.update",
	"sys.list_functions", "test.arg", "test.echo", "test.false", "test.kwarg", "test.true",
}

// fixed are answers of functions that ask the machine, its masters or the network: the same here and there, whatever
// they are asked.
const fixed = `{
	"cmd.run": "", "cmd.run_stdout": "", "cmd.run_stderr": "", "cmd.shell": "", "cmd.exec_code": "",
	"cmd.retcode": 1, "cmd.has_exec": false, "cmd.which": null,
	"cmd.run_all": {"pid": 1, "retcode": 1, "stdout": "", "stderr": ""},
	"cp.is_cached": "", "cp.cache_file": "", "cp.hash_file": {},
	"disk.usage": {}, "disk.blkid": {}, "dnsutil.A": [], "dnsutil.AAAA": [],
	"environ.get": "", "environ.has_value": false,
	"file.access": false, "file.contains": false, "file.contains_glob": false, "file.contains_regex": false, "file.directory_exists": false, "file.file_exists": false,
	"file.find": [], "file.get_hash": "", "file.get_mode": "", "file.get_user": "", "file.grep": "",
	"file.is_link": false, "file.read": "", "file.readdir": [], "file.readlink": "", "file.search": false,
	"file.path_exists_glob": false, "file.stats": {},
	"group.getent": [], "group.info": {},
	"http.query": {}, "key.finger": "", "locale.get_locale": "C.UTF-8",
	"mine.get": {},
	"network.default_route": [], "network.dig": "", "network.get_hostname": "web1", "network.hw_addr": "",
	"network.interface": [], "network.interface_ip": "10.0.0.11", "network.interfaces": {},
	"network.ip_addrs": ["10.0.0.11"], "network.ip_addrs6": [], "network.ipaddrs": ["10.0.0.11"],
	"network.subnets": ["10.0.0.0/24"],
	"partition.list": {}, "pip.list": {}, "pkg.list_pkgs": {}, "pkg.latest_version": "", "pkg.version": "",
	"pkg.list_upgrades": {}, "ps.grep": [], "publish.publish": {}, "random.get_str": "seventeen-and-four",
	"random.rand_int": 4, "saltutil.runner": {}, "sdb.get": "", "service.available": false, "service.get_all": [],
	"service.missing": true, "service.status": false, "status.uptime": {}, "status.time": "", "system.get_system_time": "",
	"timezone.get_zone": "UTC", "user.info": {}, "user.list_groups": [], "user.list_users": [], "user.getent": [],
	"vault.read_secret": "", "x509.read_certificate": {}
}`

func fixedAnswers() *value.Dict {
	v, err := value.FromJSON([]byte(fixed))
	if err != nil {
		panic(err)
	}
	return v.(*value.Dict)
}
