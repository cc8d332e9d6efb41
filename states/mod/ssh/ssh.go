// Package ssh looks after keys of ssh: who may log in as whom, and which hosts are known. It is three modules, as in
// Salt: ssh has the functions, ssh_auth and ssh_known_hosts the states.
package ssh

import "brine/states/module"

// Module is the ssh module, which has the functions.
var Module = module.Module{
	Name: "ssh",
	Doc: `
		Look after keys of ssh.

		Files in home directories are read and written so that their user can't lead the minion elsewhere: a symbolic link of a
		user is followed only to what lies in a directory of the same user.`,
	Funcs: []module.Func{
		{
			Name: "auth_keys", Doc: "Return the keys that may log in as a user, or by user those of several or of all.",
			Example: "root", Do: module.Call(authKeys),
		},
		{
			Name: "check_key", Doc: "Say what there is to do about a key: exists, update or add.",
			Example: "root " + exampleKey + " ed25519", Do: module.Call(checkKey),
		},
		{
			Name: "check_key_file", Doc: "Say what there is to do about each key of a file.",
			Example: "root salt://keys/ops", Do: module.Call(checkKeyFile),
		},
		{
			Name: "check_known_host", Doc: "Say what there is to do about a host: exists, update or add.",
			Example: "root example.com", Do: module.Call(checkKnown),
		},
		{
			Name: "get_known_host_entries", Doc: "Return what is known of a host; nothing when it is not known.",
			Example: "root example.com", Do: module.Call(getKnown),
		},
		{
			Name: "hash_known_hosts", Doc: "Hide the names of hosts in a file of known hosts.",
			Example: "root", Do: module.Call(hashKnown),
		},
		{
			Name: "host_keys", Doc: "Return the keys of this host; the private ones only with private.",
			Example: "certs=false", Do: module.Call(hostKeys),
		},
		{
			Name: "key_is_encrypted", Doc: "Say whether a private key has a passphrase.",
			Example: "/root/.ssh/id_ed25519", Do: module.Call(keyIsEncrypted),
		},
		{
			Name: "recv_known_host_entries", Doc: "Ask a host for its keys.",
			Example: "example.com enc=ed25519", Do: module.Call(recvKnown),
		},
		{
			Name: "rm_auth_key", Doc: "Let a key log in no more. Returns Key removed, or Key not present.",
			Example: "root " + exampleKey, Do: module.Call(rmAuthKey),
		},
		{
			Name: "rm_auth_key_from_file", Doc: "Let the keys of a file log in no more.",
			Example: "root salt://keys/gone", Do: module.Call(rmAuthKeyFile),
		},
		{
			Name: "rm_known_host", Doc: "Forget a host.",
			Example: "root example.com", Do: module.Call(rmKnown),
		},
		{
			Name: "set_auth_key", Doc: "Let a key log in as a user. Returns new, replace or no change.",
			Example: "root " + exampleKey + " comment=ops", Do: module.Call(setAuthKey),
		},
		{
			Name: "set_auth_key_from_file", Doc: "Let the keys of a file log in as a user.",
			Example: "root salt://keys/ops", Do: module.Call(setAuthKeyFile),
		},
		{
			Name: "set_known_host", Doc: "Know a host by a key, or by what it says itself when nothing is known of it.",
			Example: "root example.com fingerprint=" + exampleFingerprint, Do: module.Call(setKnown),
		},
		{
			Name: "user_keys", Doc: "Return the keys that users have for themselves; private ones only where prvfile names them, or is true.",
			Example: "root", Do: module.Call(userKeys),
		},
	},
}

const (
	exampleKey         = "AAAAC3NzaC1lZDI1NTE5AAAAIIRHlj2U30sDmhUqxet4wWrsBXC5gx5PBq2o3EyeusOD"
	exampleFingerprint = "SHA256:0IGj6aWCjgX9eV91DtHYN0xJFS3cyYU9DNfVdeR+oXM"
)

// AuthModule is the ssh_auth module, which has the states of keys that may log in.
var AuthModule = module.Module{
	Name: "ssh_auth",
	Doc: `
		Look after the keys that may log in as a user.

		Of a key given alone its type is read from itself. The directory .ssh is made for the user alone, the file too. A file that is
		there keeps its owner and mode, and all lines that are not meant.`,
	States: []module.State{
		{
			Name: "absent", Doc: "Have a key, or those of a file, not log in as a user.",
			Example: `
				` + exampleKey + `:
				  ssh_auth.absent:
				    - user: root`,
			Plan: module.Look(planAbsent),
		},
		{
			Name: "manage", Doc: "Have these keys log in as a user, and no others.",
			Example: `
				the keys of root:
				  ssh_auth.manage:
				    - user: root
				    - options: [no-port-forwarding]
				    - ssh_keys:
				      - ssh-ed25519 ` + exampleKey + ` ops@example.com`,
			Plan: module.Look(planManage),
		},
		{
			Name: "present", Doc: "Have a key, or those of a file, log in as a user.",
			Example: `
				` + exampleKey + `:
				  ssh_auth.present:
				    - user: root
				    - comment: ops@example.com
				keys of the team:
				  ssh_auth.present:
				    - user: root
				    - source: salt://keys/ops
				    - config: '%h/.ssh/authorized_keys'`,
			Plan: module.Look(planPresent),
		},
	},
}

// KnownHostsModule is the ssh_known_hosts module, which has the states of hosts that are known.
var KnownHostsModule = module.Module{
	Name: "ssh_known_hosts",
	Doc: `
		Look after the hosts that are known.

		Without key and fingerprint a host is believed what it says when nothing is known of it, and never again: a key that
		changed is not taken for it. With a fingerprint only a key that has it is taken.`,
	States: []module.State{
		{
			Name: "absent", Doc: "Have a host not known.",
			Example: `
				example.com:
				  ssh_known_hosts.absent:
				    - user: root`,
			Plan: module.Look(planForgotten),
		},
		{
			Name: "present", Doc: "Have a host known.",
			Example: `
				example.com:
				  ssh_known_hosts.present:
				    - user: root
				    - fingerprint: ` + exampleFingerprint + `
				example.org:
				  ssh_known_hosts.present:
				    - key: ` + exampleKey + `
				    - port: 2222`,
			Plan: module.Look(planKnown),
		},
	},
}
