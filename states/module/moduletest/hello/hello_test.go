package hello

import (
	"testing"

	"brine/states/module/moduletest"
)

func TestModule(t *testing.T) { moduletest.Run(t, Module, moduletest.Options{}) }
