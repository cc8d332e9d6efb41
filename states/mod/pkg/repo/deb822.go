package repo

import (
	"slices"
	"strings"
)

// ParseSources reads a .sources file: stanzas of "Name: value", with empty lines between. A stanza that is no source
// stays as it is.
func ParseSources(data string) (all []*Entry) {
	var stanza, gap strings.Builder
	end := func() {
		if stanza.Len() > 0 {
			all = append(all, &Entry{Source: stanzaSource(stanza.String()), text: stanza.String()})
		}
		stanza.Reset()
	}
	for line := range strings.Lines(data) {
		if strings.TrimSpace(line) != "" {
			if gap.Len() > 0 {
				all = append(all, &Entry{text: gap.String()})
				gap.Reset()
			}
			stanza.WriteString(line)
			continue
		}
		end()
		gap.WriteString(line)
	}
	end()
	if gap.Len() > 0 {
		all = append(all, &Entry{text: gap.String()})
	}
	return all
}

// A field is one of a stanza, with what stands before it.
type field struct {
	comment     string // lines that begin with a number sign
	name, value string
}

// stanzaFields reads fields. Lines that begin with a blank go on with the value before them.
func stanzaFields(text string) (all []field) {
	comment := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "#"):
			comment += line + "\n"
		case strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t"):
			if n := len(all); n > 0 {
				all[n-1].value += "\n" + line
			}
		default:
			name, val, _ := strings.Cut(line, ":")
			all = append(all, field{comment, name, strings.TrimSpace(val)})
			comment = ""
		}
	}
	if comment != "" {
		all = append(all, field{comment: comment})
	}
	return all
}

// listOptions are the fields of .sources files by the names that options have in .list files.
func listOptions() [][2]string {
	return [][2]string{
		{"Architectures", "arch"}, {"Languages", "lang"}, {"Targets", "target"}, {"PDiffs", "pdiffs"}, {"By-Hash", "by-hash"},
		{"Signed-By", "signed-by"}, {"Trusted", "trusted"}, {"Check-Valid-Until", "check-valid-until"},
		{"Allow-Insecure", "allow-insecure"}, {"Allow-Weak", "allow-weak"}, {"Check-Date", "check-date"},
	}
}

func stanzaSource(text string) *Source {
	s := &Source{}
	for _, f := range stanzaFields(text) {
		words := strings.Fields(f.value)
		switch name := strings.ToLower(f.name); name {
		case "types":
			s.Types = words
		case "uris":
			s.URIs = words
		case "suites":
			s.Suites = words
		case "components":
			s.Comps = words
		case "enabled":
			s.Disabled = slices.Contains([]string{"no", "false", "off", "0"}, strings.ToLower(f.value))
		default:
			for _, o := range listOptions() {
				if strings.EqualFold(o[0], name) {
					s.Options = append(s.Options, Option{o[1], optionValue(o[1], f.value)})
				}
			}
		}
	}
	if len(s.Types) == 0 || len(s.URIs) == 0 || len(s.Suites) == 0 {
		return nil
	}
	return s
}

// optionValue is the value as .list files have it: lists have commas. A key that stands in the file itself stays whole.
func optionValue(name, val string) string {
	if name == "signed-by" && strings.Contains(val, "\n") {
		return val
	}
	return strings.Join(strings.Fields(val), ",")
}

// WriteSources writes a .sources file.
func WriteSources(all []*Entry) string { return write(all, stanza, "\n") }

// stanza writes a source. Fields that it doesn't know stay where they were.
func stanza(s *Source, old string) string {
	set := [][2]string{
		{"Types", strings.Join(s.Types, " ")}, {"URIs", strings.Join(s.URIs, " ")},
		{"Suites", strings.Join(s.Suites, " ")}, {"Components", strings.Join(s.Comps, " ")},
	}
	if s.Disabled {
		set = append([][2]string{{"Enabled", "no"}}, set...)
	} else {
		set = append(set, [2]string{"Enabled", ""})
	}
	for _, o := range listOptions() {
		val := s.Option(o[1])
		if o[1] != "signed-by" {
			val = strings.ReplaceAll(val, ",", " ")
		}
		set = append(set, [2]string{o[0], val})
	}
	fields := stanzaFields(old)
	for _, v := range set {
		i := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, v[0]) })
		switch {
		case i >= 0:
			fields[i].value = v[1]
		case v[1] != "":
			fields = append(fields, field{name: v[0], value: v[1]})
		}
	}
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.comment)
		if f.name != "" && f.value != "" {
			b.WriteString(f.name + ": " + f.value + "\n")
		}
	}
	return b.String()
}
