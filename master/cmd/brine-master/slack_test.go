package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestTimersOfAMasterMayBeLate(t *testing.T) {
	if os.Getenv("SLACKEN") != "" { // the program that begins itself again
		slacken()
		fmt.Println("pid", os.Getpid(), "slack", slack())
		os.Exit(0)
	}
	c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	c.Env = append(os.Environ(), "SLACKEN=1")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got, want := strings.TrimSpace(string(out)), fmt.Sprint("pid ", c.Process.Pid, " slack ", timerSlack); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
