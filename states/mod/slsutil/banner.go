package slsutil

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"brine/states/host"
)

type bannerArgs struct {
	Width      int     `arg:"width" default:"72" doc:"how many letters a line has"`
	Comment    string  `arg:"commentchar" default:"#" doc:"what a line of comment begins with"`
	Border     string  `arg:"borderchar" default:"#" doc:"the letter of the first and the last line"`
	BlockStart *string `arg:"blockstart" doc:"a line before the block"`
	BlockEnd   *string `arg:"blockend" doc:"a line after the block"`
	Title      string  `arg:"title" default:"THIS FILE IS MANAGED BY BRINE - DO NOT EDIT" doc:"what stands in the middle"`
	Text       string  `arg:"text" default:"What is changed here by hand is lost the next time that the states of this host are applied." doc:"what stands below"`
	Newline    bool    `arg:"newline" doc:"end with a newline"`
}

func banner(_ context.Context, _ *host.Host, a bannerArgs) (string, error) {
	left, right := strings.TrimRightFunc(a.Comment, unicode.IsSpace), strings.TrimSpace(a.Comment)
	room := a.Width - length(left) - length(right) - 2
	if room <= 0 {
		return "", fmt.Errorf("cannot make a banner: width %d is too small", a.Width)
	}
	border := ""
	if a.Border != "" {
		border = string([]rune(a.Border)[:1])
	}
	edge := a.Comment + repeat(border, a.Width-length(left)-length(right)) + right
	spacer := a.Comment + repeat(" ", a.Width-2*length(a.Comment)) + a.Comment
	var lines []string
	if a.BlockStart != nil {
		lines = append(lines, *a.BlockStart)
	}
	lines = append(lines, edge, spacer)
	for _, l := range wrap(a.Title, room) {
		lines = append(lines, left+" "+center(l, room)+" "+right)
	}
	lines = append(lines, spacer)
	for _, l := range wrap(a.Text, room) {
		lines = append(lines, left+" "+l+repeat(" ", room-length(l))+" "+right)
	}
	lines = append(lines, edge)
	if a.BlockEnd != nil {
		lines = append(lines, *a.BlockEnd)
	}
	if a.Newline {
		lines = append(lines, "")
	}
	return strings.Join(lines, "\n"), nil
}

func length(s string) int { return utf8.RuneCountInString(s) }

func repeat(s string, n int) string { return strings.Repeat(s, max(n, 0)) }

// center puts text into the middle as Python's str.center does.
func center(s string, width int) string {
	space := max(width-length(s), 0)
	left := space/2 + space&width&1
	return repeat(" ", left) + s + repeat(" ", space-left)
}

// wrap breaks text into lines at blanks and behind hyphens; a word longer than a line is cut.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		glue := " "
		for _, part := range hyphenated(word) {
			if line != "" && length(line+glue+part) <= width {
				line, glue = line+glue+part, ""
				continue
			}
			runes := []rune(part)
			if n := width - length(line+glue); line != "" && len(runes) > width && n > 0 {
				line, runes = line+glue+string(runes[:n]), runes[n:]
			}
			if line != "" {
				lines = append(lines, line)
			}
			for ; len(runes) > width; runes = runes[width:] {
				lines = append(lines, string(runes[:width]))
			}
			line, glue = string(runes), ""
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// hyphenated cuts a word behind each hyphen between letters.
func hyphenated(word string) []string {
	var parts []string
	runes := []rune(word)
	from := 0
	for i := 1; i+1 < len(runes); i++ {
		if runes[i] == '-' && unicode.IsLetter(runes[i-1]) && unicode.IsLetter(runes[i+1]) {
			parts = append(parts, string(runes[from:i+1]))
			from = i + 1
		}
	}
	return append(parts, string(runes[from:]))
}
