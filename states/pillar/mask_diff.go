package pillar

import (
	"slices"
	"strings"
)

// diff hides the secrets of a unified diff.
func (m *Mask) diff(lines []string) string {
	var b strings.Builder
	for len(lines) > 0 {
		n := slices.IndexFunc(lines, func(line string) bool { return !isChange(line) })
		if n < 0 {
			n = len(lines)
		}
		if n == 0 {
			b.WriteString(m.hide(lines[0]))
			n = 1
		} else {
			m.block(&b, lines[:n])
		}
		lines = lines[n:]
	}
	return b.String()
}

func isChange(line string) bool {
	return strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "--- ") ||
		strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "+++ ") || strings.HasPrefix(line, `\ No newline`)
}

// block hides the secrets of lines that a diff takes away and adds in one place. Of the lines that go, those are hidden
// that begin as one that comes does before its secret, or all, where none does.
func (m *Mask) block(b *strings.Builder, lines []string) {
	begin := m.beginnings(lines)
	of := func(line string) int {
		return slices.IndexFunc(begin, func(s string) bool { return strings.HasPrefix(line, "-"+s) })
	}
	all := !slices.ContainsFunc(lines, func(line string) bool { return of(line) >= 0 })
	for _, line := range lines {
		hidden := m.hide(line)
		if hidden == line && len(begin) > 0 && line[0] == '-' {
			end := line[len(strings.TrimSuffix(line, "\n")):]
			if i := of(line); i >= 0 {
				hidden = "-" + begin[i] + masked + end
			} else if all {
				hidden = "-" + masked + end
			}
		}
		b.WriteString(hidden)
	}
}

// beginnings are what stands before the secrets in lines that come; "" where that is nothing.
func (m *Mask) beginnings(lines []string) []string {
	var all []string
	for _, line := range lines {
		if hidden := m.hide(line); line[0] == '+' && hidden != line {
			start, _, _ := strings.Cut(hidden[1:], masked)
			if strings.TrimSpace(start) == "" {
				start = ""
			}
			all = append(all, start)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}
