package group

import (
	"strconv"

	"brine/states/account"
)

// which is the group that most functions are about.
type which struct {
	Name string `arg:"name,required" doc:"the name of the group"`
}

func (a which) CheckArgs() error { return account.CheckName("name", a.Name) }

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
