package network

import "brine/states/module"

// seconds is a whole number of them, or false for none.
type seconds int

func (s *seconds) ArgType() string { return "seconds" }

func (s *seconds) ParseArg(v module.Value) error {
	if v.Data == false {
		return nil
	}
	f, err := v.Float()
	if err != nil || f < 1 || f > 3600 || f != float64(int(f)) {
		return v.Want("whole seconds")
	}
	*s = seconds(f)
	return nil
}
