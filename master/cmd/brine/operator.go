package main

import "github.com/spf13/cobra"

func (a *app) operatorCommand() *cobra.Command {
	return group(&cobra.Command{Use: "operator", Short: "Operators: who may ask the masters for what"}, a.operatorRotateCommand())
}
