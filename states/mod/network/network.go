// Package network tells of the host's addresses, routes and connections, and asks others.
package network

import "brine/states/module"

// Module is the network module.
var Module = module.Module{
	Name: "network",
	Doc:  "Tell of the host's addresses, routes and connections, and ask whether others can be reached.",
	Funcs: []module.Func{
		{Name: "active_tcp", Doc: "Return the TCP connections that are open, by number.", Do: module.Call(activeTCP)},
		{Name: "arp", Doc: "Return the addresses of neighbours by their hardware addresses.", Do: module.Call(arp)},
		{
			Name: "calc_net", Doc: "Return the network of an address.",
			Example: "172.17.0.5 255.255.240.0", Do: module.Call(calcNet),
		},
		{
			Name: "connect", Doc: "Say whether a port of another host takes a connection: result and comment.",
			Example: "example.org 80 timeout=3", Do: module.Call(connect),
		},
		{
			Name: "convert_cidr", Doc: "Return the network and the netmask of a network in CIDR notation.",
			Example: "172.17.0.0/20", Do: module.Call(convertCIDR),
		},
		{
			Name: "default_route", Doc: "Return the default routes.",
			Example: "inet", Do: module.Call(defaultRoute),
		},
		{
			Name: "dig", Doc: "Return what the resolver of this host knows of a name, a record a line.",
			Example: "example.org", Do: module.Call(dig),
		},
		{Name: "get_fqdn", Doc: "Return the full name of the host.", Do: module.Call(fqdn)},
		{Name: "get_hostname", Doc: "Return the name of the host.", Do: module.Call(hostname)},
		{
			Name: "get_route", Doc: "Return the way a packet to an address would take: gateway, interface and source.",
			Example: "192.0.2.1", Do: module.Call(routeTo),
		},
		{
			Name: "hw_addr", Doc: "Return the hardware address of an interface.",
			Example: "eth0", Do: module.Call(hwAddr),
		},
		{
			Name: "hwaddr", Doc: "Return the hardware address of an interface.",
			Example: "eth0", Do: module.Call(hwAddr),
		},
		{
			Name: "ifacestartswith", Doc: "Return the interfaces that have an IPv4 address that begins so.",
			Example: "10.0.", Do: module.Call(ifaceStartsWith),
		},
		{
			Name: "in_subnet", Doc: "Say whether the host has an address in a network.",
			Example: "10.0.0.0/16", Do: module.Call(inSubnet),
		},
		{
			Name: "interface", Doc: "Return the IPv4 addresses of an interface with netmask, broadcast address and label.",
			Example: "eth0", Do: module.Call(interfaceOf),
		},
		{
			Name: "interface_ip", Doc: "Return the first IPv4 address of an interface, or nothing.",
			Example: "eth0", Do: module.Call(interfaceIP),
		},
		{Name: "interfaces", Doc: "Return all interfaces with their addresses, by name.", Do: module.Call(interfaces)},
		{
			Name: "ip_addrs", Doc: "Return the IPv4 addresses of the host.",
			Example: "cidr=10.0.0.0/8", Do: module.Call(addrs4),
		},
		{
			Name: "ip_addrs6", Doc: "Return the IPv6 addresses of the host.",
			Example: "interface=eth0", Do: module.Call(addrs6),
		},
		{
			Name: "ip_in_subnet", Doc: "Say whether an address lies in a network.",
			Example: "172.17.0.4 172.16.0.0/12", Do: module.Call(ipInSubnet),
		},
		{
			Name: "ip_networks", Doc: "Return the IPv4 networks that the host has an address of.",
			Example: "interface=eth0", Do: module.Call(networks4),
		},
		{
			Name: "ip_networks6", Doc: "Return the IPv6 networks that the host has an address of.",
			Example: "interface=eth0", Do: module.Call(networks6),
		},
		{
			Name: "ipaddrs", Doc: "Return the IPv4 addresses of the host.",
			Example: "'eth*'", Do: module.Call(addrs4),
		},
		{
			Name: "ipaddrs6", Doc: "Return the IPv6 addresses of the host.",
			Example: "'eth*'", Do: module.Call(addrs6),
		},
		{Name: "iphexval", Doc: "Return an address in hexadecimal digits.", Example: "192.0.2.1", Do: module.Call(hexValue)},
		{
			Name: "is_loopback", Doc: "Say whether an address is the host's own by definition.",
			Example: "127.0.0.1", Do: module.Call(isLoopback),
		},
		{
			Name: "is_private", Doc: "Say whether an address is not for the public internet.",
			Example: "10.0.0.3", Do: module.Call(isPrivate),
		},
		{Name: "netstat", Doc: "Return all sockets of TCP and UDP with their programs.", Do: module.Call(netstat)},
		{
			Name: "ping", Doc: "Ping a host and return what the system's ping writes.",
			Example: "example.org timeout=3 return_boolean=True", Do: module.Call(ping),
		},
		{
			Name: "reverse_ip", Doc: "Return the name that stands for an address in the DNS.",
			Example: "172.17.0.4", Do: module.Call(reverseIP),
		},
		{Name: "routes", Doc: "Return the routes.", Example: "inet", Do: module.Call(routes)},
		{
			Name: "subnets", Doc: "Return the IPv4 networks that the host has an address of, without loopback.",
			Example: "eth0", Do: module.Call(subnets4),
		},
		{
			Name: "subnets6", Doc: "Return the IPv6 networks that the host has an address of, without loopback.",
			Example: "eth0", Do: module.Call(subnets6),
		},
	},
}
