package grains

import (
	"cmp"
	"regexp"
	"strings"
	"unicode"
)

var oldLine = regexp.MustCompile(`^(.*?)(?: release)?\s+(\d[\d.]*)[^(]*(?:\((.*)\))?`)

// oldRelease reads the release files from before os-release: "NAME release VERSION (CODENAME)".
func oldRelease(t tree) lsb {
	for _, name := range []string{
		"centos-release", "fedora-release", "oracle-release", "redhat-release", "system-release", "gentoo-release",
	} {
		line, _, _ := strings.Cut(t.text("/etc/"+name), "\n")
		if m := oldLine.FindStringSubmatch(line); m != nil {
			return lsb{id: strings.TrimSpace(m[1]), version: m[2], codename: m[3]}
		}
	}
	return lsb{}
}

// fromOldFiles names a system that has no os-release.
func fromOldFiles(t tree) release {
	r := release{lsb: lsbRelease(t)}
	if r.lsb.id == "" && t.exists("/etc/SuSE-release") {
		r.lsb = suseRelease(t)
	}
	old := oldRelease(t)
	if r.lsb.id == "" {
		r.lsb = old
		if t.exists("/etc/centos-release") {
			r.lsb.id = "CentOS"
		}
	}
	if r.lsb.id == "" && t.exists("/etc/debian_version") {
		r.lsb = lsb{id: "Debian", version: t.text("/etc/debian_version")}
	}
	r.full = cmp.Or(r.lsb.id, "Linux")
	r.version = cmp.Or(r.lsb.version, old.version)
	r.codename = cmp.Or(r.lsb.codename, old.codename)
	r.os = osName(r.full, "")
	r.family = family(r.os, "", "")
	return r
}

// suseRelease reads the file that SLES had up to version 11.
func suseRelease(t tree) lsb {
	l := lsb{id: "SUSE", codename: "n.a"}
	patch := ""
	for _, line := range t.lines("/etc/SuSE-release") {
		low := strings.ToLower(line)
		switch {
		case strings.Contains(low, "enterprise"):
			name, _, _ := strings.Cut(line, "(")
			l.id, l.codename = "SLES", strings.TrimSpace(name)
		case strings.Contains(low, "version"):
			l.version = digits(line)
		case strings.Contains(low, "patchlevel"):
			patch = digits(line)
		}
	}
	if patch != "" {
		l.version += "." + patch
		if !strings.Contains(l.codename, "SP"+patch) {
			l.codename += " SP" + patch
		}
	}
	return l
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}
