package pip

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
)

// A requirement is a package as it is named to pip.
type requirement struct {
	text      string      // as it was written
	name      string      // normalised; "" where only pip can tell
	versions  []specifier // that it may have
	reference bool        // is a URL, a path or an archive: any version that is installed may be another one
	marked    bool        // has a marker: pip decides whether it counts
}

var requirementForm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(?:\(([^)]*)\)|([^;@(]*))?\s*(@[^;]*)?(;.*)?$`)
})

// parseRequirement reads NAME[EXTRAS]CONDITIONS, NAME @ URL, a URL or a path.
func parseRequirement(text string) (requirement, error) {
	text = strings.TrimSpace(text)
	r := requirement{text: text}
	if strings.HasPrefix(text, "-") {
		return r, fmt.Errorf("cannot install %q: it is an option, no package", text)
	}
	if isReference(text) {
		r.reference = true
		if u, err := url.Parse(text); err == nil {
			values, _ := url.ParseQuery(u.Fragment)
			egg, _, _ := strings.Cut(values.Get("egg"), "[")
			r.name = normal(egg)
		}
		return r, nil
	}
	f := requirementForm().FindStringSubmatch(text)
	if f == nil {
		return r, fmt.Errorf("cannot read the package %q: want NAME, NAME==VERSION, a URL or a path", withoutSecrets(text))
	}
	r.name, r.reference, r.marked = normal(f[1]), f[4] != "", f[5] != ""
	var err error
	if r.versions, err = parseSpecifiers(f[2] + f[3]); err != nil {
		return r, fmt.Errorf("cannot read the package %q: %w", withoutSecrets(text), err)
	}
	return r, nil
}

func isReference(text string) bool {
	at, scheme := strings.Index(text, "@"), strings.Index(text, "://")
	if scheme >= 0 && (at < 0 || scheme < at) {
		return true
	}
	first, _, _ := strings.Cut(text, "[")
	if strings.ContainsAny(first, ";@=<>~!") {
		return false
	}
	switch path.Ext(first) {
	case ".whl", ".zip", ".gz", ".bz2", ".xz", ".tgz":
		return true
	}
	return strings.Contains(first, "/") || first == "." || first == ".."
}

// normal is a name as PEP 503 compares it.
func normal(name string) string {
	fields := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune("-_.", r) })
	return strings.Join(fields, "-")
}

// met tells whether what is installed is enough.
func (r requirement) met(installed packages) bool {
	v, ok := installed[r.name]
	return r.name != "" && !r.marked && ok && hasAll(r.versions, v)
}

// parseFile reads a file of requirements. It is false where only pip can tell what the file means: options, files in
// files, packages without a name.
func parseFile(text string) ([]requirement, bool) {
	var all []requirement
	text = strings.ReplaceAll(text, "\\\n", "")
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if i := strings.Index(" "+line, " #"); i >= 0 {
			line = strings.TrimSpace(line[:max(i-1, 0)])
		}
		line, _, _ = strings.Cut(line, " --hash")
		if line == "" {
			continue
		}
		r, err := parseRequirement(line)
		if err != nil || r.name == "" || r.reference || r.marked {
			return nil, false
		}
		all = append(all, r)
	}
	return all, true
}

var credentials = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(://)[^/\s@'"]+@`) })

// withoutSecrets takes names and passwords out of URLs.
func withoutSecrets(text string) string { return credentials().ReplaceAllString(text, "$1***@") }
