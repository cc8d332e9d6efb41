package grains

import (
	"regexp"
	"strings"
)

// osNames are the os grains of full names whose own words, less "Linux", are
// not it. The key is the beginning of the full name: ten letters, lower case,
// without blanks.
var osNames = map[string]string{
	"alibabaclo": "Alinux",
	"almalinux":  "AlmaLinux",
	"alt":        "ALT",
	"amazonami":  "Amazon",
	"antergos":   "Antergos",
	"arch":       "Arch",
	"archarm":    "Arch ARM",
	"chapeau":    "Chapeau",
	"cloudlinux": "CloudLinux",
	"cloudserve": "CloudLinux",
	"debian":     "Debian",
	"enterprise": "OEL",
	"fedoraremi": "Fedora",
	"gentoobase": "Gentoo",
	"korora":     "Korora",
	"linuxmint":  "Mint",
	"manjaro":    "Manjaro",
	"manjarolin": "Manjaro",
	"mendel":     "Mendel",
	"neon":       "KDE neon",
	"nilrt":      "NILinuxRT",
	"oracleserv": "OEL",
	"pidora":     "Fedora",
	"poky":       "Poky",
	"pop":        "Pop",
	"raspbian":   "Raspbian",
	"redhatente": "RedHat",
	"rocky":      "Rocky",
	"scientific": "ScientificLinux",
	"sles":       "SUSE",
	"slesexpand": "RES",
	"synology":   "Synology",
	"univention": "Univention",
	"void":       "Void",
}

var linuxWord = regexp.MustCompile(`(?i)\W(?:gnu/)?linux`)

// osName is the os grain of a system by its full name, and its id in os-release if it has one.
func osName(full, id string) string {
	switch {
	case id == "astra" && full == "Astra Linux (Orel)":
		return "AstraLinuxCE"
	case id == "astra" && full == "Astra Linux (Smolensk)":
		return "AstraLinuxSE"
	case id == "pop" && full == "Pop!_OS":
		return "Pop"
	case id == "linuxmint":
		return "Mint"
	}
	name := strings.TrimSpace(linuxWord.ReplaceAllString(full, ""))
	short := []rune(strings.ToLower(strings.ReplaceAll(name, " ", "")))
	if os, ok := osNames[string(short[:min(len(short), 10)])]; ok {
		return os
	}
	return name
}

// families are the os grains of each os_family. A system that is in none and
// does not say whom it is like is a family of its own.
var families = map[string][]string{
	"Arch": {"Antergos", "Arch ARM", "EndeavourOS", "Manjaro", "Manjaro ARM"},
	"Debian": {
		"AstraLinuxCE", "AstraLinuxSE", "Cumulus", "Deepin", "Devuan", "GCEL", "IDMS", "KDE neon", "Kali", "Linaro",
		"Mendel", "Mint", "OSMC", "Parrot OS", "Pop", "Raspbian", "Trisquel", "TurnKey", "Ubuntu", "Univention",
		"antiX", "elementary", "elementary OS", "neon",
	},
	"Gentoo":   {"Funtoo"},
	"Mandriva": {"Mandrake"},
	"RedHat": {
		"ALT", "Alinux", "AlmaLinux", "Amazon", "CentOS", "CentOS Stream", "Chapeau", "CloudLinux", "FedBerry", "Fedora",
		"GoOSe", "Korora", "OEL", "OVS", "RES", "Rocky", "Sangoma", "Scientific", "ScientificLinux", "VMware Photon OS",
		"Virtuozzo", "XCP", "XCP-ng", "XenServer",
	},
	"Slackware": {"Slamd64"},
	"Suse": {
		"SLED", "SLES", "SLES_SAP", "SUSE", "SUSE  Enterprise Server", "SUSE Enterprise Server", "openSUSE", "openSUSE Leap",
		"openSUSE Tumbleweed",
	},
}

// familyOf says which family each os is in.
var familyOf = func() map[string]string {
	m := map[string]string{}
	for family, all := range families {
		for _, os := range all {
			m[os] = family
		}
	}
	return m
}()

// ancestors are the families of ids that os-release's ID_LIKE names.
var ancestors = map[string]string{
	"alpine": "Alpine", "arch": "Arch", "debian": "Debian", "fedora": "RedHat", "gentoo": "Gentoo",
	"opensuse": "Suse", "rhel": "RedHat", "suse": "Suse", "ubuntu": "Debian",
}

// family is the os_family of an os, by its name or else by whom it says to be like, the oldest last.
func family(os, id, like string) string {
	if f, ok := familyOf[os]; ok {
		return f
	}
	family := os
	for _, ancestor := range append([]string{id}, strings.Fields(like)...) {
		if f, ok := ancestors[ancestor]; ok {
			family = f
		}
	}
	return family
}
