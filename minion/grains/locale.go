package grains

import (
	"cmp"
	"strings"
	"time"

	"brine/states/value"
)

// localeInfo tells the language of messages and the time zone.
func localeInfo(p *probe) {
	lang := cmp.Or(p.sys.Env("LC_ALL"), p.sys.Env("LC_CTYPE"), p.sys.Env("LANG"))
	for _, file := range []string{"/etc/locale.conf", "/etc/default/locale"} {
		if lang == "" {
			lang = assignments(p.tree.text(file))["LANG"]
		}
	}
	d := value.NewDict("defaultlanguage", nil, "defaultencoding", nil, "detectedencoding", "utf-8", "timezone", zone(p))
	lang, _, _ = strings.Cut(lang, "@")
	if name, encoding, ok := strings.Cut(lang, "."); ok {
		if e := strings.ToUpper(encoding); e == "UTF8" {
			encoding = "UTF-8"
		}
		d.Put("defaultlanguage", name)
		d.Put("defaultencoding", encoding)
	} else if lang != "" && lang != "C" && lang != "POSIX" {
		d.Put("defaultlanguage", lang)
		d.Put("defaultencoding", "ISO8859-1") // what a locale without a name of its encoding has
	}
	p.put("locale_info", d)
}

func zone(p *probe) string {
	place := time.UTC
	if data, err := p.tree.read("/etc/localtime"); err == nil {
		if l, err := time.LoadLocationFromTZData("localtime", data); err == nil {
			place = l
		}
	}
	name, _ := p.sys.Now().In(place).Zone()
	return name
}
