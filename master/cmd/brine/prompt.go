package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// confirm asks a question at the terminal; only y or yes is a yes. An
// interrupt is an answer too.
func (a *app) confirm(ctx context.Context, question string) (bool, error) {
	fmt.Fprintf(a.stderr, "%s [y/N] ", question)
	answer, err := answered(ctx, func() (string, error) {
		text, _ := bufio.NewReader(os.Stdin).ReadString('\n') // the end of input is no yes
		return text, nil
	})
	if err != nil {
		fmt.Fprintln(a.stderr)
		return false, err
	}
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes", nil
}

// passphrase reads the passphrase of the site key from a file, or asks for it
// at the terminal, which shows again what is typed when it is done.
func (a *app) passphrase(ctx context.Context, file string) (string, error) {
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", usage("cannot read the passphrase: %v", err)
		}
		return strings.TrimRight(string(data), "\r\n"), nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", usage("cannot ask for the passphrase of the site key without a terminal: use --passphrase-file")
	}
	return a.hidden(ctx, "Passphrase of the site key: ")
}

// slow says on standard error what takes so long, if it takes longer than after; done ends that.
func (a *app) slow(after time.Duration, what string) (done func()) {
	t := time.AfterFunc(after, func() { fmt.Fprintln(a.stderr, what) })
	return func() { t.Stop() }
}

// hidden asks for something at the terminal, which does not show what is typed.
func (a *app) hidden(ctx context.Context, question string) (string, error) {
	stdin := int(os.Stdin.Fd())
	before, err := term.GetState(stdin)
	if err != nil {
		return "", err
	}
	fmt.Fprint(a.stderr, question)
	phrase, err := answered(ctx, func() (string, error) {
		p, err := term.ReadPassword(stdin)
		return string(p), err
	})
	fmt.Fprintln(a.stderr)
	if err != nil {
		_ = term.Restore(stdin, before) // the prompt that was left can't
	}
	return phrase, err
}

// answered waits for what read returns, or for ctx to end. A read that is left
// ends with the program: nothing wakes one from a terminal.
func answered(ctx context.Context, read func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := read()
		answers <- answer{text, err}
	}()
	select {
	case got := <-answers:
		return got.text, got.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
