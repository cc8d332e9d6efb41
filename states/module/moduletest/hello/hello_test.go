package hello_test

import (
	"testing"

	"brine/states/module/moduletest"
	"brine/states/module/moduletest/hello"
)

func TestModule(t *testing.T) { moduletest.Run(t, hello.Module, moduletest.Options{}) }
