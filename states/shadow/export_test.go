package shadow

// SetBlowfishCost makes blowfish cheap for tests; it returns what was before.
func SetBlowfishCost(cost int) (before int) {
	before, blowfishCost = blowfishCost, cost
	return before
}
