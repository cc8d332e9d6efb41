package grains

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"brine/states/value"
)

// A release is what is known of the operating system's name and version.
type release struct {
	os, family, full, version, codename string
	lsb                                 lsb
}

// lsb is what the lsb_distrib grains say.
type lsb struct{ id, version, codename, description string }

func system(p *probe) {
	var r release
	if rel := osRelease(p.tree); rel != nil {
		r = fromOSRelease(p.tree, rel)
	} else {
		r = fromOldFiles(p.tree)
	}
	p.put("os", r.os)
	p.put("os_family", r.family)
	p.put("osfullname", r.full)
	p.put("oscodename", r.codename)
	p.put("osrelease", r.version)
	for name, v := range map[string]string{
		"id": r.lsb.id, "release": r.lsb.version, "codename": r.lsb.codename, "description": r.lsb.description,
	} {
		if v != "" {
			p.put("lsb_distrib_"+name, v)
		}
	}
	if r.version == "" {
		return
	}
	info := versionInfo(r.version)
	p.put("osrelease_info", info)
	first := info.Items[0]
	if major, ok := first.(int64); ok {
		p.put("osmajorrelease", major)
	}
	p.put("osfinger", finger(r, first))
}

// finger is the name and the version as far as it tells releases apart.
func finger(r release, first any) string {
	name, version := r.full, r.version
	switch r.os {
	case "Debian", "Raspbian":
		name = r.os
	}
	switch r.os {
	case "Ubuntu", "Pop":
	default:
		version = scalarText(first)
	}
	return name + "-" + version
}

// versionInfo splits a version at its dots. Parts that are numbers become ones.
func versionInfo(version string) *value.List {
	list := value.NewList()
	for part := range strings.SplitSeq(version, ".") {
		if n, err := strconv.ParseInt(part, 10, 64); err == nil && part[0] != '-' && part[0] != '+' {
			list.Items = append(list.Items, n)
		} else {
			list.Items = append(list.Items, part)
		}
	}
	return list
}

func scalarText(v any) string {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10)
	case string:
		return v
	}
	return ""
}

// osRelease reads os-release(5); nil when there is none.
func osRelease(t tree) map[string]string {
	for _, name := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		data, err := t.read(name)
		if err != nil {
			continue
		}
		rel := map[string]string{"NAME": "Linux", "ID": "linux", "PRETTY_NAME": "Linux"}
		for k, v := range assignments(string(data)) {
			rel[k] = v
		}
		return rel
	}
	return nil
}

// assignments reads NAME=value lines as a shell would, without expanding anything.
func assignments(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		name, val, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		if len(val) >= 2 && (val[0] == '"' || val[0] == '\'') && val[len(val)-1] == val[0] {
			val = val[1 : len(val)-1]
		}
		all[name] = unescape.Replace(val)
	}
	return all
}

var unescape = strings.NewReplacer(`\"`, `"`, `\'`, `'`, `\\`, `\`, `\$`, `$`, "\\`", "`")

// bare are the systems for which os-release alone tells, so that nothing else is asked.
var bare = map[string]bool{
	"almalinux": true, "astra": true, "debian": true, "linuxmint": true, "mendel": true, "pop": true,
	"rocky": true, "ubuntu": true,
}

func fromOSRelease(t tree, rel map[string]string) release {
	id := rel["ID"]
	r := release{
		os: osName(rel["NAME"], id), full: strings.TrimSpace(rel["NAME"]),
		codename: cmp.Or(rel["VERSION_CODENAME"], oddCodename(rel)),
		version:  cmp.Or(rel["VERSION_ID"], oddVersion(rel)),
		lsb:      lsbRelease(t),
	}
	r.family = family(r.os, id, rel["ID_LIKE"])
	if bare[id] || r.family == "Debian" {
		if r.lsb.id == "" {
			r.lsb = lsb{r.full, r.version, r.codename, rel["PRETTY_NAME"]}
			if r.family == "Debian" {
				r.lsb.id = r.os // as lsb_release says, which Salt asked there
			}
		}
		return r
	}
	if r.lsb.id == "" {
		r.lsb = lsb{id: r.full, version: r.version, codename: rel["PRETTY_NAME"]}
		if code, ok := rel["VERSION_CODENAME"]; ok {
			r.lsb.codename = code
		}
		suse(&r, rel)
	}
	legacy(t, &r, rel)
	return r
}

// suse tells SUSE's systems by their CPE name, and gives openSUSE its short full name.
func suse(r *release, rel map[string]string) {
	f := strings.Split(rel["CPE_NAME"], ":") // cpe:/o:vendor:product:version
	if len(f) < 5 || f[0] != "cpe" || !strings.HasPrefix(f[1], "/") || f[2] != "suse" && f[2] != "opensuse" {
		return
	}
	r.os, r.family = "SUSE", "Suse"
	switch {
	case rel["NAME"] == "openSUSE Leap":
		r.full = "Leap"
	case rel["VERSION"] == "Tumbleweed":
		r.full = "Tumbleweed"
	}
	if f[2] == "opensuse" && f[4] != "" {
		r.lsb.version = f[4]
	}
}

// legacy settles version and codename as Salt does for systems that it does not know by os-release alone.
func legacy(t tree, r *release, rel map[string]string) {
	old := oldRelease(t)
	if strings.Contains(r.lsb.codename, "CentOS Linux 7") || strings.Contains(r.lsb.codename, "CentOS Linux 8") {
		r.lsb.version = "" // os-release has no minor version there
	}
	if r.version = r.lsb.version; r.version == "" {
		r.version = longest(rel["VERSION_ID"], old.version, versionIn(rel["PRETTY_NAME"]))
	}
	r.lsb.version = r.version
	code, told := rel["VERSION_CODENAME"] // told to be "" it has none
	if !told {
		code = cmp.Or(codenameIn(rel["VERSION"]), old.codename)
	}
	r.codename = cmp.Or(strings.TrimSpace(r.lsb.codename), code)
	if strings.Contains(r.codename, "Red Hat") {
		r.codename = code
	}
}

// longest is the version with the most dots, the first of several.
func longest(versions ...string) string {
	best := ""
	for _, v := range versions {
		if best == "" || strings.Count(v, ".") > strings.Count(best, ".") {
			best = v
		}
	}
	return best
}

var (
	inBrackets   = regexp.MustCompile(`\((\D+)\)`)
	versionFirst = regexp.MustCompile(`^\d[\d.+\-a-z]* \((.+)\)`)
	someVersion  = regexp.MustCompile(`\d[\d.]*`)
)

func codenameIn(version string) string {
	if m := inBrackets.FindStringSubmatch(version); m != nil {
		return m[1]
	}
	return ""
}

func versionIn(pretty string) string { return someVersion.FindString(pretty) }

func oddCodename(rel map[string]string) string {
	switch rel["ID"] {
	case "astra":
		return rel["VARIANT_ID"]
	case "almalinux", "rocky":
		if m := versionFirst.FindStringSubmatch(rel["VERSION"]); m != nil {
			return m[1]
		}
	}
	return ""
}

func oddVersion(rel map[string]string) string {
	if f := strings.Fields(rel["PRETTY_NAME"]); rel["ID"] == "mendel" && len(f) >= 3 {
		return f[2]
	}
	return ""
}

// lsbRelease reads /etc/lsb-release.
func lsbRelease(t tree) lsb {
	a := assignments(t.text("/etc/lsb-release"))
	return lsb{a["DISTRIB_ID"], a["DISTRIB_RELEASE"], a["DISTRIB_CODENAME"], a["DISTRIB_DESCRIPTION"]}
}
