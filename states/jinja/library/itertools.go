package library

import (
	"brine/states/jinja/python"
	"brine/states/value"
)

// choices makes a generator of the tuples that the index lists step gives; step changes the list and
// returns false after the last.
func choices(name string, items []any, first []int, step func([]int) bool) any {
	index := first
	return python.Generate(name, nil, func() (any, bool, error) {
		if index == nil {
			return nil, false, nil
		}
		t := make(value.Tuple, len(index))
		for i, j := range index {
			t[i] = items[j]
		}
		if !step(index) {
			index = nil
		}
		return t, true, nil
	})
}

// maxChoice bounds how many items one choice has.
const maxChoice = 1000

func choiceArgs(c *python.Call, count any) ([]any, int, error) {
	items, err := python.Items(c.Args[0])
	if err != nil || count == nil {
		return items, len(items), err
	}
	r, err := intArg(count)
	if err == nil && (r < 0 || r > maxChoice) {
		err = python.Errorf("ValueError", "r must be from 0 to %d", maxChoice)
	}
	return items, r, err
}

func empty(name string) any {
	return python.Generate(name, nil, func() (any, bool, error) { return nil, false, nil })
}

func filterCombinations(again bool) func(Host, *python.Call) (any, error) {
	name := "combinations"
	if again {
		name = "combinations_with_replacement"
	}
	return func(_ Host, c *python.Call) (any, error) {
		items, r, err := choiceArgs(c, c.Args[1])
		if err != nil {
			return nil, err
		}
		n := len(items)
		if !again && r > n || again && n == 0 && r > 0 {
			return empty(name), nil
		}
		first := make([]int, r)
		for i := range first {
			if !again {
				first[i] = i
			}
		}
		return choices(name, items, first, func(index []int) bool {
			for i := r - 1; i >= 0; i-- {
				limit := n - 1
				if !again {
					limit = n - r + i
				}
				if index[i] == limit {
					continue
				}
				index[i]++
				for j := i + 1; j < r; j++ {
					index[j] = index[i]
					if !again {
						index[j] += j - i
					}
				}
				return true
			}
			return false
		}), nil
	}
}

func filterPermutations(_ Host, c *python.Call) (any, error) {
	items, r, err := choiceArgs(c, c.Args[1])
	if err != nil {
		return nil, err
	}
	n := len(items)
	if r > n {
		return empty("permutations"), nil
	}
	used := make([]bool, n)
	first := make([]int, r)
	for i := range first {
		first[i] = i
		used[i] = true
	}
	free := func(from int) int {
		for from < n && used[from] {
			from++
		}
		return from
	}
	return choices("permutations", items, first, func(index []int) bool {
		for i := r - 1; i >= 0; i-- {
			used[index[i]] = false
			next := free(index[i] + 1)
			if next == n {
				continue
			}
			index[i] = next
			used[next] = true
			for j := i + 1; j < r; j++ {
				index[j] = free(0)
				used[index[j]] = true
			}
			return true
		}
		return false
	}), nil
}

func filterProduct(_ Host, c *python.Call) (any, error) {
	pools, err := pools(c)
	if err != nil {
		return nil, err
	}
	repeat := 1
	if v, ok := keyword(c, "repeat"); ok {
		if repeat, err = intArg(v); err != nil {
			return nil, err
		}
	}
	if repeat < 0 || repeat*len(pools) > maxChoice {
		return nil, python.Errorf("ValueError", "repeat must be from 0 to %d", maxChoice/len(pools))
	}
	var all [][]any
	for range repeat {
		all = append(all, pools...)
	}
	for _, p := range all {
		if len(p) == 0 {
			return empty("product"), nil
		}
	}
	index := make([]int, len(all))
	return python.Generate("product", nil, func() (any, bool, error) {
		if index == nil {
			return nil, false, nil
		}
		t := make(value.Tuple, len(index))
		for i, j := range index {
			t[i] = all[i][j]
		}
		for i := len(index) - 1; ; i-- {
			if i < 0 {
				index = nil
				break
			}
			if index[i]++; index[i] < len(all[i]) {
				break
			}
			index[i] = 0
		}
		return t, true, nil
	}), nil
}

func pools(c *python.Call) ([][]any, error) {
	var out [][]any
	for _, v := range append([]any{c.Args[0]}, c.Rest...) {
		items, err := python.Items(v)
		if err != nil {
			return nil, err
		}
		out = append(out, items)
	}
	return out, nil
}

func keyword(c *python.Call, name string) (any, bool) {
	for _, n := range c.Named {
		if n.Name == name {
			return n.Value, true
		}
	}
	return nil, false
}

func filterZip(_ Host, c *python.Call) (any, error) { return zipped(c, "zip", false, nil) }

func filterZipLongest(_ Host, c *python.Call) (any, error) {
	fill, _ := keyword(c, "fillvalue")
	return zipped(c, "zip_longest", true, fill)
}

func zipped(c *python.Call, name string, longest bool, fill any) (any, error) {
	lists, err := pools(c)
	if err != nil {
		return nil, err
	}
	n := len(lists[0])
	for _, l := range lists[1:] {
		if longest {
			n = max(n, len(l))
		} else {
			n = min(n, len(l))
		}
	}
	at := 0
	return python.Generate(name, nil, func() (any, bool, error) {
		if at >= n {
			return nil, false, nil
		}
		t := make(value.Tuple, len(lists))
		for i, l := range lists {
			t[i] = fill
			if at < len(l) {
				t[i] = l[at]
			}
		}
		at++
		return t, true, nil
	}), nil
}

func filterCompress(_ Host, c *python.Call) (any, error) {
	selectors, err := python.Items(c.Args[1])
	if err != nil {
		return nil, err
	}
	at := -1
	return generate("compress", c.Args[0], func(item any) (any, bool, error) {
		at++
		if at >= len(selectors) {
			return nil, false, nil
		}
		ok, err := python.Truth(selectors[at])
		return item, ok, err
	})
}
