package plan

import (
	"fmt"
	"slices"
)

// loosen takes out of requisites of a whole SLS what only stands in files that it includes and is in a circle with the
// state itself: files that include each other would else never run. What stands in the SLS itself stays. It says
// whether there was anything to take out.
func loosen(nodes []*Node) bool {
	c := &circles{index: map[*Node]int{}, low: map[*Node]int{}, ring: map[*Node]int{}}
	for _, n := range nodes {
		if _, seen := c.index[n]; !seen {
			c.visit(n)
		}
	}
	any := false
	for _, n := range nodes {
		for i := range n.Needs {
			if need := &n.Needs[i]; need.sls != "" && c.loosen(n, need) {
				any = true
			}
		}
	}
	return any
}

// circles finds which nodes need one another, as Tarjan did.
type circles struct {
	index, low map[*Node]int
	ring       map[*Node]int // the first of those that need one another
	stack      []*Node
}

func (c *circles) visit(n *Node) {
	c.index[n] = len(c.index)
	c.low[n] = c.index[n]
	c.stack = append(c.stack, n)
	for _, need := range n.Needs {
		for _, on := range need.On {
			if _, seen := c.index[on]; !seen {
				c.visit(on)
				c.low[n] = min(c.low[n], c.low[on])
			} else if _, known := c.ring[on]; !known {
				c.low[n] = min(c.low[n], c.index[on])
			}
		}
	}
	if c.low[n] != c.index[n] {
		return
	}
	at := slices.Index(c.stack, n)
	for _, m := range c.stack[at:] {
		c.ring[m] = c.index[n]
	}
	c.stack = c.stack[:at]
}

func (c *circles) loosen(n *Node, need *Need) bool {
	direct := matcher(need.sls)
	var left []*Node
	for _, on := range need.On {
		if c.ring[on] != c.ring[n] || direct(on.SLS) || on == n {
			left = append(left, on)
		}
	}
	out := len(need.On) - len(left)
	if out == 0 {
		return false
	}
	need.On = left
	chunk := *n.Chunk
	chunk.Warnings = append(slices.Clip(chunk.Warnings), fmt.Sprintf("[%s: sls: %s] leaves out what %s includes and what needs this state itself",
		need.Kind, need.sls, need.sls))
	n.Chunk = &chunk
	return true
}
